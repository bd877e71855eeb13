# SPDX-License-Identifier: GPL-2.0
# 20 times create and destroy: no page, port, grant or store node is lost.
xen_up
bridge_up
unpack_kernel
dd if=/dev/zero of=/tmp/disk.img bs=1M count=4 2>/dev/null
guest_cfg g "memory=96" "extra='console=hvc0'" \
	"disk=['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']" \
	"vif=['bridge=xenbr0']"
one() {
	xl create /tmp/g.cfg >/dev/null || return 1
	sleep "$1"
	xl destroy g
	for _ in $(seq 160); do
		xl list | grep -q '(null)\|^g ' || break
		sleep 0.25
	done
}
ports() { xl debug-keys e; xl dmesg -c | grep -c 'port'; }
nodes() { xenstore-ls -f | wc -l; }
counts() { echo "$(free_kb) $(nodes) $(ports)"; }
one 4
xl dmesg -c >/dev/null
read -r free0 nodes0 ports0 <<< "$(steady counts)"
ok=1
for i in $(seq 20); do one $((i % 3)) || ok=0; done
check all-created test $ok = 1
read -r free1 nodes1 ports1 <<< "$(steady counts)"
check pages test "$free1" = "$free0"
check nodes test "$nodes1" = "$nodes0"
check ports test "$ports1" = "$ports0"
check loops test "$(losetup -a | wc -l)" = 0
xl dmesg -c >/dev/null
xl debug-keys c
soon recount sh -c 'xl dmesg | grep -i recount | grep -q " 0 differ"'
