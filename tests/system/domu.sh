# SPDX-License-Identifier: GPL-2.0
# A stock kernel as a guest with console, disk and network; 1 and 4 vCPUs.
xen_up
bridge_up
dd if=/dev/urandom of=/tmp/disk.img bs=1M count=64 2>/dev/null
for n in 1 4; do
	sum=$(dd if=/tmp/disk.img bs=1M count=64 2>/dev/null | md5sum | cut -d' ' -f1)
	guest_cfg g$n "memory=192" "vcpus=$n" \
		"extra='console=hvc0 gtest=both mib=64 ip=10.77.0.$((20 + n)) peer=10.77.0.1'" \
		"disk=['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']" \
		"vif=['bridge=xenbr0']"
	check create-$n xl create /tmp/g$n.cfg
	check up-$n wait_log g$n GUEST-UP 90
	check done-$n wait_log g$n GUEST-DONE 90
	check disk-$n sh -c "grep -q 'GUEST-SUM $sum' /var/log/xen/console/guest-g$n.log"
	check ping-$n sh -c "grep -q GUEST-PING-OK /var/log/xen/console/guest-g$n.log"
	check no-oops-$n sh -c "! grep -E 'BUG:|Oops|Call Trace' /var/log/xen/console/guest-g$n.log"
	check vcpus-$n test "$(xl vcpu-list g$n | grep -c "^g$n")" = $n
	check destroy-$n xl destroy g$n
done
