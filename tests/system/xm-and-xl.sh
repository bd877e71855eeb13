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
	check xl-block-attached-$n sh -c "for i in 1 2 3 4 5 6 7 8 9; do xm block-list ours$n | grep -q '^51744 .* 4 ' && exit 0; sleep 1; done; exit 1"
	check xl-block-detach-$n xl block-detach ours$n xvdc
	check xl-vcpu-list-$n sh -c "xl vcpu-list ours$n | grep -q ^ours$n"
	if [ $n = 1 ]; then
		check xl-shutdown xl shutdown -w ours1
		check xm-shutdown xm shutdown -w theirs1
	else
		check xl-console sh -c '(sleep 3; echo "echo CON-\$((40+2))"; sleep 3) | timeout 10 script -qc "xl console ours2" /tmp/con >/dev/null 2>&1; grep -q CON-42 /tmp/con'
		check xm-console sh -c '(sleep 3; echo "echo CON-\$((40+3))"; sleep 3) | timeout 10 script -qc "xm console theirs2" /tmp/con >/dev/null 2>&1; grep -q CON-43 /tmp/con'
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
	check xm-gone-$n sh -c 'for i in $(seq 20); do [ $(xm list | wc -l) = 2 ] && exit 0; sleep 0.5; done; exit 1'
	check backends-gone-$n sh -c '! xenstore-ls -f /local/domain/0/backend | grep -q "51712\|/vif/[0-9]*/0"'
	check userdata-gone-$n sh -c '! ls /var/lib/xen | grep -q "^userdata-d[.][1-9].*json"'
	check loops-gone-$n sh -c '! losetup -a | grep -q disk'
done
