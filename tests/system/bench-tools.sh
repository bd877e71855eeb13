# SPDX-License-Identifier: GPL-2.0
# Run by make bench, where a nanosecond is an instruction: what creating and
# destroying a guest costs, with our tools or (tools=debian) with Debian's.
xen_up
bridge_up
dd if=/dev/zero of=/tmp/disk.img bs=1M count=8 2>/dev/null
tool=xl
[ "$tools" = own ] && tool=xm
guest_cfg g "memory=128" "extra='console=hvc0'" \
	"disk=['/tmp/disk.img,raw,xvda,w']" "vif=['bridge=xenbr0']"
measure() { # NAME COMMAND...
	local name=$1 from=${EPOCHREALTIME/./}
	shift
	"$@" >/dev/null 2>&1 || echo "MICRO-FAIL $*"
	echo "BENCH $name $((${EPOCHREALTIME/./} - from))"
}
/usr/lib/xenolith/bin/store-bench || echo MICRO-FAIL store-bench
sleep 2
measure "create-first" $tool create -p /tmp/g.cfg
measure "destroy-first" $tool destroy g
sleep 1
measure "create-second" $tool create -p /tmp/g.cfg
measure "list" $tool list
measure "destroy-second" $tool destroy g
sleep 1
# Fifty small guests at once: what the last one costs, and the daemons' memory.
if [ "$tools" = own ]; then
	for i in $(seq 50); do
		guest_cfg "s$i" "memory=64" "extra='console=hvc0'" \
			"vif=['bridge=xenbr0']"
		measure "create-$i-of-50" xm create -p "/tmp/s$i.cfg"
	done | grep -E 'create-(1|50)-of|FAIL'
	measure "list-50" xm list
fi
for d in xenstored xenconsoled xend; do
	[ ! -e /run/$d.pid ] || echo "BENCH $d-kilobytes $(sed -n \
		's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' \
		/proc/$(cat /run/$d.pid)/status)"
done
echo BENCH-END
