# SPDX-License-Identifier: GPL-2.0
# Our own tools: xenstored, xenconsoled, xend, xm; Debian's xl beside them.
export PATH=/usr/lib/xenolith/bin:$PATH
xen_up
bridge_up
xend_up() { xend --pid-file=/run/xend.pid; }
rss_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
state() { xm list "$1" 2>/dev/null | awk -v n="$1" '$1 == n { print $5 }'; }
wait_state() { # NAME PATTERN SECONDS
	for _ in $(seq $(($3 * 2))); do
		state "$1" | grep -q "$2" && return 0
		sleep 0.5
	done
	return 1
}
wait_no() { # NAME SECONDS: until xm does not know it
	for _ in $(seq $(($2 * 2))); do
		xm domid "$1" >/dev/null 2>&1 || return 0
		sleep 0.5
	done
	return 1
}
left_over() {
	losetup -a
	ls /sys/class/net | grep '^vif'
	xenstore-ls -f |
		grep -E '^/(libxl|vm)/.|^/local/domain/([1-9]|0/backend/[a-z]*/[1-9])'
	ls /run/xend/vm
	xl list | grep -v '^Name\|^Domain-0'
}
# What a guest leaves: nothing, once the last daemon let go of it.
clean() { # NAME
	for _ in $(seq 60); do
		[ -n "$(left_over)" ] || break
		sleep 0.5
	done
	if [ -z "$(left_over)" ]; then
		pass "$1"
	else
		fail "$1: left behind: $(left_over | tr '\n' ' ' | cut -c1-300)"
	fi
}
one_line() { # NAME PATTERN COMMAND...: fails with one line like PATTERN
	local name=$1 pattern=$2
	shift 2
	if "$@" >/tmp/out 2>/tmp/err; then
		fail "$name: '$*' succeeded"
	elif [ "$(wc -l < /tmp/err)" != 1 ] || ! grep -q "$pattern" /tmp/err; then
		fail "$name: $(tr '\n' '|' < /tmp/err)"
	else
		pass "$name"
	fi
}

killed /run/xend.pid -9
one_line no-daemon "xend" xm list
check xend xend_up
check list-dom0 sh -c 'xm list | grep -q "^Domain-0 *0 "'
check same-header sh -c '[ "$(xm list | head -1)" = "$(xl list | head -1)" ]'

# A whole life.
dd if=/dev/urandom of=/tmp/disk.img bs=1M count=16 2>/dev/null
sum=$(md5sum < /tmp/disk.img | cut -d' ' -f1)
guest_cfg one "memory=192" "maxmem=256" "vcpus=2" "on_reboot='restart'" \
	"extra='console=hvc0 gtest=both mib=16 ip=10.77.0.21 peer=10.77.0.1'" \
	"disk=['/tmp/disk.img,raw,xvda,rw']" \
	"vif=['mac=00:16:3e:00:00:21,bridge=xenbr0']"
check create xm create /tmp/one.cfg
check up wait_log one GUEST-UP 120
check done wait_log one GUEST-DONE 120
check disk sh -c "grep -q 'GUEST-SUM $sum' /var/log/xen/console/guest-one.log"
check disk-write sh -c "grep -q GUEST-PING-OK /var/log/xen/console/guest-one.log"
check xl-sees sh -c 'xl list one | grep -q "^one "'
check vcpu-list sh -c 'test $(xm vcpu-list one | grep -c "^one ") = 2'
check xl-block-list sh -c 'xl block-list one | grep -q 51712'
check block-list sh -c 'xm block-list one | grep -q "^51712 *0 *[0-9]* *4 "'
check network-list sh -c 'xm network-list one | grep -q 00:16:3e:00:00:21'
check info sh -c 'xm info | grep -q "^xen_version *: 4.17"'
check dmesg sh -c 'xm dmesg | grep -q "(XEN)"'
one_line name-taken "taken" xm create /tmp/one.cfg
check pause xm pause one
check paused sh -c 'xm list one | grep -q -- "p---"'
check unpause xm unpause one
one_line not-paused "not paused" xm unpause one
check mem-set xm mem-set one 160
soon mem-set-seen sh -c 'test $(xl list one | awk "\$1 == \"one\" { print \$3 }") -le 162'
one_line dom0-keeps-memory "128" xm mem-set 0 10
check vcpu-set xm vcpu-set one 1
soon vcpu-set-seen sh -c 'xm vcpu-list one | grep -q -- "--p"'
check vcpu-pin xm vcpu-pin one 0 0
check sched xm sched-credit -d one -w 512 -c 50
check sched-seen sh -c 'xm sched-credit | grep -q "^one .* 512 *50"'
check rename xm rename one uno
check rename-seen sh -c 'xl list uno | grep -q "^uno "'
check rename-back xl rename uno one
check rename-back-seen xm domid one
dd if=/dev/zero of=/tmp/two.img bs=1M count=4 2>/dev/null
check block-attach xm block-attach one /tmp/two.img,raw,xvdb,rw
soon block-attach-seen sh -c 'xm block-list one | grep -q "^51728 .* 4 "'
check block-detach xm block-detach one xvdb
check network-attach xm network-attach one bridge=xenbr0
check network-attach-seen sh -c 'test $(xm network-list one | grep -c 00:16) = 2'
check network-detach xm network-detach one 1
one_line disk-busy "xvda" xm block-attach one /tmp/two.img,raw,xvda,rw

# xend is killed; the guest does not notice, and is found again.
kill -9 "$(cat /run/xend.pid)"
check xend-again xend_up
check found-again sh -c 'xm list one | grep -q "^one "'
domid=$(xm domid one)
check reboot xm reboot one
check rebooted sh -c 'for i in $(seq 240); do n=$(xm domid one 2>/dev/null); [ -n "$n" ] && [ "$n" != '"$domid"' ] && exit 0; sleep 0.5; done; exit 1'
check reboot-up sh -c 'for i in $(seq 240); do [ $(grep -c GUEST-DONE /var/log/xen/console/guest-one.log) -ge 2 ] && exit 0; sleep 0.5; done; exit 1'
check shutdown xm shutdown -w one
check gone wait_no one 30
clean clean-after-shutdown
check destroy-start xm create /tmp/one.cfg
check destroy xm destroy one
clean clean-after-destroy

# libvirt's XML, and a block device.
loop=$(losetup -f --show /tmp/disk.img)
cat > /tmp/v.xml <<X
<domain type='xen'>
  <name>v</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>
  <os><type>linux</type>
    <kernel>/guest/vmlinuz</kernel><initrd>/guest/initrd</initrd>
    <cmdline>console=hvc0 gtest=both mib=16 ip=10.77.0.22 peer=10.77.0.1</cmdline>
  </os>
  <devices>
    <disk type='block'><source dev='$loop'/><target dev='xvda'/></disk>
    <interface type='bridge'><source bridge='xenbr0'/></interface>
  </devices>
</domain>
X
check xml-create xm create /tmp/v.xml
check xml-done wait_log v GUEST-DONE 120
check xml-disk grep -q "GUEST-SUM $sum" /var/log/xen/console/guest-v.log
check xml-net grep -q GUEST-PING-OK /var/log/xen/console/guest-v.log
check xml-shutdown xm shutdown -w v
losetup -d "$loop"
clean clean-after-xml

# A logical volume.
dd if=/dev/zero of=/tmp/pv.img bs=1M count=32 2>/dev/null
loop=$(losetup -f --show /tmp/pv.img)
check pvcreate lvm pvcreate "$loop"
check vgcreate lvm vgcreate vg "$loop"
check lvcreate lvm lvcreate -L 16M -n disk vg
dd if=/tmp/disk.img of=/dev/vg/disk bs=1M 2>/dev/null
guest_cfg lv "memory=192" "disk=['phy:/dev/vg/disk,xvda,w']" \
	"extra='console=hvc0 gtest=disk mib=16'"
check lvm-create xm create /tmp/lv.cfg
check lvm-done wait_log lv GUEST-DONE 120
check lvm-disk grep -q "GUEST-SUM $sum" /var/log/xen/console/guest-lv.log
one_line lvm-busy "vg-disk is mounted" sh -c \
	"sed 's/lv/lv2/' /tmp/lv.cfg > /tmp/lv2.cfg; xm create /tmp/lv2.cfg"
check lvm-shutdown xm shutdown -w lv
within 30 lvm vgchange -an vg >/dev/null 2>&1
losetup -d "$loop"
clean clean-after-lvm

# What is wrong is said in one line, and nothing is left.
guest_cfg bad "memory=192" "kernel='/nosuch'"
one_line no-kernel "/nosuch" xm create /tmp/bad.cfg
head -c 3000000 /guest/vmlinuz > /tmp/short
guest_cfg bad "memory=192" "kernel='/tmp/short'"
one_line short-kernel "short" xm create /tmp/bad.cfg
guest_cfg bad "memory=192" "kernel='/etc/passwd'"
one_line no-elf "/etc/passwd" xm create /tmp/bad.cfg
guest_cfg bad "memory=999999"
one_line no-memory "MiB missing" xm create /tmp/bad.cfg
guest_cfg bad "memory=16"
one_line little-memory "need" xm create /tmp/bad.cfg
guest_cfg bad "memory=128" "disk=['/tmp/nosuch,raw,xvda,rw']"
one_line no-disk "/tmp/nosuch" xm create /tmp/bad.cfg
guest_cfg bad "memory=128" "vif=['bridge=nobr']"
one_line no-bridge "nobr" xm create /tmp/bad.cfg
one_line no-domain "nosuch" xm destroy nosuch
clean clean-after-errors

# Policies.
guest_cfg p "memory=128" "on_poweroff='preserve'" "extra='console=hvc0 gtest=poweroff'"
check preserve-create xm create /tmp/p.cfg
check preserve wait_state p s 120
check preserve-destroy xm destroy p
guest_cfg p "memory=128" "on_crash='destroy'" "extra='console=hvc0 gtest=crash'"
check crash-create xm create /tmp/p.cfg
check crash-destroyed wait_no p 120
guest_cfg p "memory=128" "on_watchdog='preserve'" "extra='console=hvc0 gtest=watchdog'"
check watchdog-create xm create /tmp/p.cfg
check watchdog-preserved wait_state p s 120
check watchdog-destroy xm destroy p

# Each tool ends the other's guests.
guest_cfg x "memory=128" "extra='console=hvc0'" "disk=['/tmp/disk.img,raw,xvda,rw']" "vif=['bridge=xenbr0']"
check by-xl xl create /tmp/x.cfg
check by-xl-seen sh -c 'xm list x | grep -q "^x "'
check xm-destroys xm destroy x
check by-xm xm create /tmp/x.cfg
check xl-destroys xl destroy x
check by-xm-gone wait_no x 30
clean clean-after-both

check small sh -c "test $(rss_kb "$(cat /run/xend.pid)") -lt 6144"
echo "xend: $(rss_kb "$(cat /run/xend.pid)") KiB resident"
