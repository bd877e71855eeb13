# SPDX-License-Identifier: GPL-2.0
# Each tool sees, stops and destroys the other's guests.
xen_up
bridge_up
dd if=/dev/zero of=/tmp/disk.img bs=1M count=8 2>/dev/null
dd if=/dev/zero of=/tmp/disk2.img bs=1M count=8 2>/dev/null
dd if=/dev/zero of=/tmp/disk3.img bs=1M count=8 2>/dev/null
for n in 1 2; do
	guest_cfg ours$n "memory=128" "extra='console=hvc0'" \
		"disk=['/tmp/disk.img,raw,xvda,w']" "vif=['bridge=xenbr0']"
	guest_cfg theirs$n "memory=128" "extra='console=hvc0'" \
		"disk=['/tmp/disk2.img,raw,xvda,w']" "vif=['bridge=xenbr0']"
	check xm-create-$n xm create /tmp/ours$n.cfg
	check xl-create-$n xl create /tmp/theirs$n.cfg
	check ours-up-$n wait_log ours$n GUEST-DONE 120
	check theirs-up-$n wait_log theirs$n GUEST-DONE 120
	check xm-sees-$n sh -c "xm list | grep -q ^theirs$n"
	check xl-sees-$n sh -c "xl list | grep -q ^ours$n"
	check xl-block-list-$n sh -c "xl block-list ours$n | grep -q 51712"
	check xm-block-list-$n sh -c "xm block-list theirs$n | grep -q 51712"
	check xl-list-long-$n sh -c "xl list -l ours$n | grep -q xvda"
	check xl-block-attach-$n xl block-attach ours$n phy:/tmp/disk3.img xvdc w
	soon xl-block-attached-$n sh -c "xm block-list ours$n | grep -q '^51744 .* 4 '"
	check xl-block-detach-$n xl block-detach ours$n xvdc
	check xl-vcpu-list-$n sh -c "xl vcpu-list ours$n | grep -q ^ours$n"
	if [ $n = 1 ]; then
		check xl-shutdown xl shutdown -w ours1
		check xm-shutdown xm shutdown -w theirs1
	else
		check xl-console console_says "xl console ours2" 2
		check xm-console console_says "xm console theirs2" 3
		check xl-pause xl pause ours2
		check xm-pause xm pause theirs2
		check paused sh -c 'test $(xm list | grep -c -- "p--- ") = 2'
		xl unpause ours2
		xm unpause theirs2
		check xl-destroy xl destroy ours2
		check xm-destroy xm destroy theirs2
	fi
	check ours-gone-$n wait_gone ours$n 30
	check theirs-gone-$n wait_gone theirs$n 30
	soon xm-gone-$n sh -c 'test $(xm list | wc -l) = 2'
	soon backends-gone-$n sh -c '! xenstore-ls -f /local/domain/0/backend | grep -q "51712\|/vif/[0-9]*/0"'
	soon userdata-gone-$n sh -c '! ls /var/lib/xen | grep -q "^userdata-d[.][1-9].*json"'
	soon loops-gone-$n sh -c '! losetup -a | grep -q disk'
done
