# SPDX-License-Identifier: GPL-2.0
# The rest of what xl.sh is to cover: console by `xl console`, shutdown, bad
# input.
xen_up
guest_cfg g "memory=128" "extra='console=hvc0'"
check create xl create /tmp/g.cfg
check up wait_log g GUEST-DONE 90
# xl console reads keys only from a terminal.
check console console_says "xl console g" 2
soon console-log grep -q CON-42 /var/log/xen/console/guest-g.log
check destroy xl destroy g
guest_cfg s "memory=128" "extra='console=hvc0'"
check create-2 xl create /tmp/s.cfg
check up-2 wait_log s GUEST-DONE 90
check reboot xl reboot s
sleep 2
check reboot-up sh -c 'for i in $(seq 120); do [ $(cat /var/log/xen/console/guest-s.log | grep -c GUEST-DONE) -ge 2 ] && exit 0; sleep 0.5; done; exit 1'
check shutdown xl shutdown -w s
check shutdown-gone wait_gone s 60
refused no-such-domain xl pause nobody
echo garbage > /tmp/garbage
cp /tmp/s.cfg /tmp/bad.cfg; sed -i 's,/guest/vmlinuz,/tmp/garbage,; s/name=.*/name="bad"/' /tmp/bad.cfg
refused corrupt-kernel xl create /tmp/bad.cfg
sed -i 's,/tmp/garbage,/bin/busybox,' /tmp/bad.cfg
refused non-pv-kernel xl create /tmp/bad.cfg
sed -i 's,/bin/busybox,/nowhere,' /tmp/bad.cfg
refused missing-kernel xl create /tmp/bad.cfg
sed -i 's,/nowhere,/guest/vmlinuz,; s/memory=.*/memory=100000/' /tmp/bad.cfg
refused too-much-memory xl create /tmp/bad.cfg
soon nothing-left sh -c 'test $(xl list | wc -l) = 2'
