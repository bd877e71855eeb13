# SPDX-License-Identifier: GPL-2.0
# Dom0 is whole: CPUs, clock, memory, signals, processes, AVX state.
want=$(word want_cpus)
[ -z "$want" ] || check cpus test "$(grep -c ^processor /proc/cpuinfo)" = "$want"
check control-domain grep -q control_d /proc/xen/capabilities
check version test "$(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)" = 4.17
a=$(cut -d. -f1 /proc/uptime); sleep 2; b=$(cut -d. -f1 /proc/uptime)
check clock-advances test $((b - a)) -ge 1
check clock-is-good grep -q -e xen -e tsc /sys/devices/system/clocksource/clocksource0/current_clocksource
i=0; while [ $i -lt 50 ]; do /bin/true || break; i=$((i + 1)); done
check processes test $i = 50
check parallel sh -c 'for j in 1 2 3 4; do (dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum) & done | sort -u | wc -l | grep -qx 1; wait'
check no-oops sh -c '! dmesg | grep -E "BUG:|Oops|Call Trace|WARNING:"'
