# SPDX-License-Identifier: GPL-2.0
# Run by make bench: the measurements of tests/bench/kernel in a guest.
xen_up
bridge_up
guest_cfg g "memory=256" "ramdisk='/guest/bench.cpio.zst'" \
	"extra='console=hvc0 quiet'" "on_poweroff='destroy'"
xl create /tmp/g.cfg || echo MICRO-FAIL create
wait_log g BENCH-END 900 || echo MICRO-FAIL guest
guest_log g | grep -o '^BENCH [a-z].*'
echo BENCH-END
