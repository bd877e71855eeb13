# SPDX-License-Identifier: GPL-2.0
# Every command of Debian's xl that a PV guest needs.
xen_up
bridge_up
dd if=/dev/zero of=/tmp/disk.img bs=1M count=8 2>/dev/null
dd if=/dev/zero of=/tmp/disk2.img bs=1M count=8 2>/dev/null
guest_cfg g "memory=192" "maxmem=256" "vcpus=2" "extra='console=hvc0'" \
	"disk=['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']" \
	"vif=['bridge=xenbr0']"
check info sh -c 'xl info | grep -q "xen_version.*4.17"'
check info-scheduler sh -c 'xl info | grep -q "xen_scheduler.*credit"'
check list sh -c 'xl list | grep -q Domain-0'
check create xl create /tmp/g.cfg
check up wait_log g GUEST-DONE 90
check list-l sh -c 'xl list -l g | grep -q "\"name\": \"g\""'
check domid sh -c 'xl domid g | grep -qx "[0-9]*"'
check domname test "$(xl domname "$(xl domid g)")" = g
check vcpu-list sh -c 'test $(xl vcpu-list g | grep -c ^g) = 2'
check vcpu-pin xl vcpu-pin g 0 0
check vcpu-pin-seen sh -c 'xl vcpu-list g | awk "\$3 == 0 && \$7 == 0 { f = 1 } END { exit !f }"'
check vcpu-unpin xl vcpu-pin g 0 all
check vcpu-set xl vcpu-set g 1
soon vcpu-set-seen sh -c 'xl vcpu-list g | grep -q -- "--p\|--o\|-  *---"'
check vcpu-set-back xl vcpu-set g 2
check pause xl pause g
check pause-seen sh -c 'xl list g | grep -q -- "p--- "'
check unpause xl unpause g
# Not offered; refused before the guest is suspended: it runs on, as the next
# commands show, which need its answers.
refused save xl save g /tmp/g.save
check save-kept sh -c 'xl list g | awk "\$1 == \"g\" { f = \$5 !~ /[pscd]/ } END { exit !f }"'
check mem-set xl mem-set g 160
soon mem-set-seen sh -c 'test $(xl list g | awk "\$1 == \"g\" { print \$3 }") -le 162'
check sched-credit xl sched-credit -d g -w 512
check sched-credit-seen sh -c 'xl sched-credit -d g | grep -q 512'
check rename xl rename g g2
check rename-back xl rename g2 g
check uptime sh -c 'xl uptime g | grep -q g'
check dmesg sh -c 'xl dmesg | grep -qi xen'
check debug-keys xl debug-keys q
check debug-keys-seen sh -c 'xl dmesg | tail -40 | grep -q "d0: refs"'
check xentop sh -c 'TERM=linux xentop -b -i1 | grep -q g'
check block-attach xl block-attach g format=raw,vdev=xvdb,access=rw,target=/tmp/disk2.img
soon block-attach-seen sh -c 'xl block-list g | grep -c /local/domain | grep -qx 2'
check network-attach xl network-attach g bridge=xenbr0
soon network-attach-seen sh -c 'test $(xl network-list g | grep -c 00:16) = 2'
check destroy xl destroy g
guest_cfg s "memory=128" "extra='console=hvc0'"
check create-2 xl create /tmp/s.cfg
check up-2 wait_log s GUEST-DONE 90
check reboot xl reboot s
sleep 2
check reboot-up sh -c 'for i in $(seq 120); do [ $(cat /var/log/xen/console/guest-s.log | grep -c GUEST-DONE) -ge 2 ] && exit 0; sleep 0.5; done; exit 1'
check destroy-2 xl destroy s
