# SPDX-License-Identifier: GPL-2.0
# Every command of xm on guests of ours, with our daemons.
xen_up
bridge_up
dd if=/dev/urandom of=/tmp/disk.img bs=1M count=16 2>/dev/null
dd if=/dev/zero of=/tmp/disk2.img bs=1M count=8 2>/dev/null
sum=$(md5sum < /tmp/disk.img | cut -d' ' -f1)
check info sh -c 'xm info | grep -q "xen_version.*4.17"'
check info-json sh -c 'xm info --json | grep -q "\"nr_cpus\": 2"'
check list sh -c 'xm list | grep -q "^Domain-0  *0 "'
guest_cfg g "memory=192" "maxmem=256" "vcpus=2" "nosuchkey=1" \
	"extra='console=hvc0 gtest=both mib=16 ip=10.77.0.21 peer=10.77.0.1'" \
	"disk=['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']" \
	"vif=['bridge=xenbr0']"
check unknown-key sh -c 'xm create -n /tmp/g.cfg 2>&1 | grep -q "g.cfg:7: unknown key .nosuchkey. ignored"'
check create xm create /tmp/g.cfg
check up wait_log g GUEST-UP 90
check done wait_log g GUEST-DONE 90
check disk sh -c "grep -q 'GUEST-SUM $sum' /var/log/xen/console/guest-g.log"
check write sh -c "grep -q GUEST-WRITE-OK /var/log/xen/console/guest-g.log || :"
check ping sh -c "grep -q GUEST-PING-OK /var/log/xen/console/guest-g.log"
check no-oops sh -c "! grep -E 'BUG:|Oops|Call Trace' /var/log/xen/console/guest-g.log"
check list-guest sh -c 'xm list g | grep -q "^g  *[0-9]* "'
check list-l sh -c 'xm list -l g | grep -q "\"name\": \"g\""'
check same-list test "$(xm list | awk '{ print $1, $2, $3, $4 }')" = \
	"$(xl list | awk '{ print $1, $2, $3, $4 }')"
check domid sh -c 'xm domid g | grep -qx "[0-9]*"'
check domname test "$(xm domname "$(xm domid g)")" = g
check console console_says "xm console g" 2
check vcpu-list sh -c 'test $(xm vcpu-list g | grep -c ^g) = 2'
check vcpu-pin xm vcpu-pin g 0 0
check vcpu-pin-seen sh -c 'xl vcpu-list g | awk "\$3 == 0 && \$7 == 0 { f = 1 } END { exit !f }"'
check same-vcpu-list test "$(xm vcpu-list g | awk '{ print $1, $2, $3, $7, $9 }')" = \
	"$(xl vcpu-list g | awk '{ print $1, $2, $3, $7, $9 }')"
check vcpu-unpin xm vcpu-pin g all all
check vcpu-set xm vcpu-set g 1
soon vcpu-set-seen sh -c 'xm vcpu-list g | grep -q -- "  --p "'
check vcpu-set-back xm vcpu-set g 2
check pause xm pause g
check pause-seen sh -c 'xm list g | grep -q -- "p--- "'
check unpause xm unpause g
check mem-set xm mem-set g 160
soon mem-set-seen sh -c 'test $(xm list g | awk "\$1 == \"g\" { print \$3 }") -le 162'
check mem-max xm mem-max g 256
check sched-credit xm sched-credit -d g -w 512
check sched-credit-seen sh -c 'xl sched-credit -d g | grep -q 512'
check sched-credit-list sh -c 'xm sched-credit | grep -q "^g .* 512 "'
check uptime sh -c 'xm uptime g | grep -q "^g "'
check dmesg sh -c 'xm dmesg | grep -qi xen'
check debug-keys xm debug-keys q
check debug-keys-seen sh -c 'xm dmesg | tail -40 | grep -q "d0: refs"'
check top sh -c 'xm top -b -i 2 -d 1 | grep -q "^g "'
check block-attach xm block-attach g format=raw,vdev=xvdb,access=rw,target=/tmp/disk2.img
soon block-list sh -c 'xm block-list g | grep -c "/local/domain" | grep -qx 2'
soon same-block-list sh -c 'test "$(xm block-list g)" = "$(xl block-list g)"'
check block-detach xm block-detach g xvdb
soon block-detach-seen sh -c 'xm block-list g | grep -c "/local/domain" | grep -qx 1'
check network-attach xm network-attach g bridge=xenbr0
soon network-list sh -c 'test $(xm network-list g | grep -c 00:16) = 2'
soon same-network-list sh -c 'test "$(xm network-list g)" = "$(xl network-list g)"'
check network-detach xm network-detach g 1
soon network-detach-seen sh -c 'test $(xm network-list g | grep -c 00:16) = 1'
check sysrq xm sysrq g s
check sysrq-seen wait_log g "sysrq: Emergency Sync" 30
check rename xm rename g g2
check rename-seen xm domid g2
check rename-back xm rename g2 g
domid=$(xm domid g)
check shutdown xm shutdown -w g
check gone sh -c '! xm domid g'
check nodes-gone sh -c "! xenstore-exists /local/domain/$domid"
check backends-gone sh -c '! xenstore-ls -f /local/domain/0/backend | grep -q "/'"$domid"'/"'
soon loop-gone sh -c '! losetup -a | grep -q disk'
soon vif-gone sh -c '! ip link | grep -q vif'

# Reboot keeps the name; nobody waits in front of xm.
guest_cfg s "memory=128" "extra='console=hvc0'" "vcpus=3" "cpus=['1','0']"
check create-paused xm create -p /tmp/s.cfg
check paused sh -c 'xm list s | grep -q -- "--p---"'
check cpus-each test "$(xl vcpu-list s | awk '$1 == "s" { printf $7 " " }')" = "1 0 all "
check unpause-2 xm unpause s
check up-2 wait_log s GUEST-DONE 90
old=$(xm domid s)
check reboot xm reboot -w s
check reboot-up sh -c 'for i in $(seq 120); do [ $(cat /var/log/xen/console/guest-s.log | grep -c GUEST-DONE) -ge 2 ] && exit 0; sleep 0.5; done; exit 1'
check reboot-new test "$(xm domid s)" != "$old"

# What is wrong is refused in one line, and nothing stays.
one_line() { # NAME PATTERN COMMAND...
	local name=$1 pattern=$2
	shift 2
	if "$@" >/tmp/out 2>&1; then
		fail "$name: '$*' succeeded"
	elif [ "$(grep -cv '^Parsing' /tmp/out)" = 1 ] &&
	     grep -qi -- "$pattern" /tmp/out; then
		pass "$name"
	else
		fail "$name: $(tr '\n' ' ' < /tmp/out)"
	fi
}
nodes() { xenstore-ls -f / | wc -l; }
nodes=$(steady nodes)
one_line name-taken "s" xm create /tmp/s.cfg
guest_cfg b "memory=64"
one_line no-kernel "/nosuch" xm create /tmp/b.cfg kernel=/nosuch
head -c 100000 /guest/vmlinuz > /tmp/cut
one_line corrupt-kernel "/tmp/cut" xm create /tmp/b.cfg kernel=/tmp/cut
one_line not-a-kernel "/etc/passwd.*bzImage" xm create /tmp/b.cfg kernel=/etc/passwd
one_line no-memory "memory\|MiB" xm create /tmp/b.cfg memory=100000
one_line wrong-value "b.cfg:4: .*memory" sh -c 'echo "memory=\"x\"" >> /tmp/b.cfg; sed -i 4d /tmp/b.cfg; xm create /tmp/b.cfg'
guest_cfg b "memory=128"
one_line no-disk "/nosuch" xm create /tmp/b.cfg "disk=['/nosuch,raw,xvda,w']"
one_line no-bridge "nosuchbr" xm create /tmp/b.cfg "vif=['bridge=nosuchbr']"
one_line no-domain "nosuch" xm pause nosuch
check nothing-stays test "$(nodes)" = "$nodes"
check no-domain-stays test "$(xm list | wc -l)" = 3
check no-loop-stays sh -c '! losetup -a | grep -q nosuch'
check destroy xm destroy s
check destroyed sh -c '! xm domid s'
check xend-small sh -c 'test $(sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" /proc/$(cat /run/xend.pid)/status) -lt 6144'
killed /run/xend.pid -TERM
one_line no-xend "xend" xm list
