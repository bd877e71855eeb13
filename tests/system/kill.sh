# SPDX-License-Identifier: GPL-2.0
# kill -9 of each daemon at 20 random moments while guests are made, run and
# destroyed, all three in one round: no guest is harmed, nothing stays behind.
xen_up
bridge_up
dd if=/dev/zero of=/tmp/disk.img bs=1M count=8 2>/dev/null
dd if=/dev/zero of=/tmp/disk2.img bs=1M count=8 2>/dev/null
guest_cfg run "memory=128" "extra='console=hvc0'" \
	"disk=['/tmp/disk.img,raw,xvda,w']" "vif=['bridge=xenbr0']"
guest_cfg new "memory=96" "extra='console=hvc0'" \
	"disk=['/tmp/disk2.img,raw,xvda,w']" "vif=['bridge=xenbr0']"
check create xm create /tmp/run.cfg
check up wait_log run GUEST-DONE 90
again() {
	case $1 in
	xend) xend ;;
	xenstored) xenstored --pid-file=/run/xenstored.pid ;;
	xenconsoled) xenconsoled --pid-file=/run/xenconsoled.pid \
		--log=guest --log-dir=/var/log/xen/console ;;
	esac
}
domid=$(xm domid run)
left() {
	xl list | grep -v '^Name\|^Domain-0\|^run '
	losetup -a | grep disk2
	xenstore-ls -f /local/domain | grep -E "^/local/domain/[0-9]+ " |
		grep -vE "/($domid|0) "
	ip -o link | grep -o 'vif[0-9.]*' | grep -v "^vif$domid.0" | sort -u
}
rounds=$(word rounds)
for i in $(seq "${rounds:-20}"); do
	(xm create /tmp/new.cfg; xm destroy new) >/tmp/out 2>&1 &
	case $((RANDOM % 3)) in
	0) order="xend xenconsoled xenstored" ;;
	1) order="xenstored xend xenconsoled" ;;
	2) order="xenconsoled xenstored xend" ;;
	esac
	for daemon in $order; do
		sleep $((RANDOM % 2)).$((RANDOM % 10))
		kill -9 "$(cat /run/$daemon.pid)"
		again $daemon || fail "$daemon-$i: does not start again"
	done
	wait $!
	for _ in $(seq 60); do
		xm destroy new >/dev/null 2>&1
		[ -n "$(left)" ] || break
		sleep 0.5
	done
	if [ -z "$(left)" ]; then
		pass "round-$i"
	else
		fail "round-$i ($order): left:" $(left) "xm said:" $(cat /tmp/out)
	fi
done
check same-guest test "$(xm domid run)" = "$domid"
check unharmed console_says "xm console run" 2
check no-oops sh -c "! grep -E 'BUG:|Oops|Call Trace' /var/log/xen/console/guest-run.log"
check shutdown xm shutdown -w run
check gone wait_gone run 30
