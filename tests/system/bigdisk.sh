# SPDX-License-Identifier: GPL-2.0
# The checksum of a 256 MB disk through blkfront.
xen_up
dd if=/dev/urandom of=/tmp/piece bs=1M count=16 2>/dev/null
for _ in $(seq 16); do cat /tmp/piece; done > /tmp/big.img
sum=$(md5sum < /tmp/big.img | cut -d' ' -f1)
guest_cfg b "memory=128" "extra='console=hvc0 gtest=disk mib=256'" \
	"disk=['format=raw,vdev=xvda,access=rw,target=/tmp/big.img']"
check create-big xl create /tmp/b.cfg
check big-done wait_log b GUEST-DONE 180
check big-sum grep -q "GUEST-SUM $sum" /var/log/xen/console/guest-b.log
