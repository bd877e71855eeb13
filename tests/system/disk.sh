# SPDX-License-Identifier: GPL-2.0
# Dom0 drives this machine's disk with interrupts and DMA.
for _ in $(seq 100); do
	for d in /dev/sda /dev/nvme0n1 /dev/vda; do [ -b $d ] && break 2; done
	sleep 0.3
done
check found test -b $d
sum=$(dd if=$d bs=1M count=16 iflag=direct 2>/dev/null | md5sum)
awk 'BEGIN { for (i = 0; i < 16; i++) print i }' > /dev/null
check reads test "$(dd if=$d bs=1M count=16 2>/dev/null | md5sum)" = "$sum"
dd if=/dev/urandom of=/tmp/r bs=1M count=4 2>/dev/null
check writes dd if=/tmp/r of=$d bs=1M seek=8 oflag=direct conv=fsync
check reads-back sh -c "dd if=$d bs=1M skip=8 count=4 iflag=direct 2>/dev/null | cmp - /tmp/r"
case $d in
/dev/sda) irq=ahci ;; /dev/nvme0n1) irq=nvme ;; *) irq=virtio ;;
esac
check interrupts sh -c "grep $irq /proc/interrupts | awk '{ for (i = 2; i < 6; i++) s += \$i } END { exit !(s > 10) }'"
