# SPDX-License-Identifier: GPL-2.0
# Our store and console daemons with Debian's xl and xenstore-* as clients.
case $(command -v xenstored) in
*/xenolith/*) pass own-xenstored ;;
*) fail own-xenstored ;;
esac
xen_up
bridge_up

# The store's own clients.
check write xenstore-write /t/a 1 /t/b 2
check read test "$(xenstore-read /t/a)" = 1
check list test "$(xenstore-list /t | tr '\n' ' ')" = "a b "
check ls sh -c 'xenstore-ls /t | grep -q "^b = \"2\""'
check chmod xenstore-chmod /t/a w0 r0
check chmod-seen sh -c 'xenstore-ls -p /t | grep -q "(w0,r0)"'
check exists xenstore-exists /t/a
refused exists-not xenstore-exists /t/c
xenstore-watch -n 2 /t/w >/tmp/watch &
while kill -0 $! 2>/dev/null; do	# it may not watch yet
	sleep 1
	xenstore-write /t/w 3
done
check watch sh -c 'test $(grep -c "^/t/w$" /tmp/watch) = 2'
check rm xenstore-rm /t
refused rm-seen xenstore-read /t/a

# A guest with disk and network, by Debian's xl.
dd if=/dev/urandom of=/tmp/disk.img bs=1M count=16 2>/dev/null
sum=$(md5sum < /tmp/disk.img | cut -d' ' -f1)
guest_cfg g "memory=192" "maxmem=256" "vcpus=2" \
	"extra='console=hvc0 gtest=both mib=16 ip=10.77.0.21 peer=10.77.0.1'" \
	"disk=['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']" \
	"vif=['bridge=xenbr0']"
check create xl create /tmp/g.cfg
check up wait_log g GUEST-UP 90
check done wait_log g GUEST-DONE 90
check disk sh -c "grep -q 'GUEST-SUM $sum' /var/log/xen/console/guest-g.log"
check ping sh -c "grep -q GUEST-PING-OK /var/log/xen/console/guest-g.log"
check list-domains sh -c 'xl list g | grep -q "^g "'
check console-tty test -c "$(xenstore-read "/local/domain/$(xl domid g)/console/tty")"
check console console_says "xl console g" 2
check mem-set xl mem-set g 160
soon mem-set-seen sh -c 'test $(xl list g | awk "\$1 == \"g\" { print \$3 }") -le 162'

# Each daemon dies and comes back; the guest does not notice.
domid=$(xl domid g)
tree=$(xenstore-ls -f -p / | md5sum)
kill -9 "$(cat /run/xenstored.pid)"
check xenstored-again xenstored --pid-file=/run/xenstored.pid
check same-tree test "$(xenstore-ls -f -p / | md5sum)" = "$tree"
check vcpu-set xl vcpu-set g 1
soon vcpu-set-seen sh -c 'xl vcpu-list g | grep -q -- "--p\|  *-  *---"'
check vcpu-set-back xl vcpu-set g 2
check network-attach xl network-attach g bridge=xenbr0
soon network-attach-seen sh -c 'test $(xl network-list g | grep -c 00:16) = 2'
kill -9 "$(cat /run/xenconsoled.pid)"
check xenconsoled-again xenconsoled --pid-file=/run/xenconsoled.pid \
	--log=guest --log-dir=/var/log/xen/console
check console-again console_says "xl console g" 12

# The xl that waits for the guest's end has died with the store's socket.
check shutdown xl shutdown -w g
xl destroy g
check gone wait_gone g 30
check nodes-gone sh -c "! xenstore-exists /local/domain/$domid"
check backends-gone sh -c '! xenstore-ls -f /local/domain/0/backend | grep -q "/'"$domid"'/"'
guest_cfg s "memory=128" "extra='console=hvc0'"
check create-2 xl create /tmp/s.cfg
check up-2 wait_log s GUEST-DONE 90
check reboot xl reboot s
check reboot-up sh -c 'for i in $(seq 120); do [ $(cat /var/log/xen/console/guest-s.log | grep -c GUEST-DONE) -ge 2 ] && exit 0; sleep 0.5; done; exit 1'
check destroy-2 xl destroy s
check store-small sh -c 'test $(sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" /proc/$(cat /run/xenstored.pid)/status) -lt 6144'
check console-small sh -c 'test $(sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" /proc/$(cat /run/xenconsoled.pid)/status) -lt 6144'
