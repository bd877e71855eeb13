# SPDX-License-Identifier: GPL-2.0
# Two guests ping each other over the bridge.
xen_up
bridge_up
for n in 1 2; do
	guest_cfg g$n "memory=128" \
		"extra='console=hvc0 gtest=net ip=10.77.0.3$n peer=10.77.0.3$((3 - n))'" \
		"vif=['bridge=xenbr0']"
	check create-$n xl create /tmp/g$n.cfg
done
for n in 1 2; do
	check ping-$n wait_log g$n GUEST-PING-OK 120
done
for n in 1 2; do check destroy-$n xl destroy g$n; done
