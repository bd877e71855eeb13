# SPDX-License-Identifier: GPL-2.0
# What happens when a guest powers off, reboots or crashes.
xen_up
unpack_kernel
wait_crash() { # the fifth column of `xl list` has a c
	local i
	for i in $(seq 120); do
		xl list "$1" | grep -q '[-a-z]*c[-d] *[0-9.]*$' && return 0
		sleep 0.5
	done
	xl list
	return 1
}
guest_cfg off "memory=96" "extra='console=hvc0 gtest=poweroff'"
check poweroff-create xl create /tmp/off.cfg
check poweroff-gone wait_gone off 90
guest_cfg re "memory=96" "extra='console=hvc0 gtest=reboot'"
check reboot-create xl create /tmp/re.cfg
check reboot-again sh -c 'for i in $(seq 240); do [ $(grep -c GUEST-UP /var/log/xen/console/guest-re.log) -ge 2 ] && exit 0; sleep 0.5; done; exit 1'
check reboot-name sh -c 'for i in $(seq 60); do xl list re && exit 0; sleep 0.5; done; exit 1'
xl destroy re; sleep 2; xl destroy re 2>/dev/null
guest_cfg cr "memory=96" "on_crash='preserve'" "extra='console=hvc0 gtest=crash'"
check crash-create xl create /tmp/cr.cfg
check crash-seen wait_crash cr
check crash-destroy xl destroy cr
