# SPDX-License-Identifier: GPL-2.0
# Dom0 drives this machine's network card: an address by hand, then ping.
nic=$(ls /sys/class/net | grep -m1 -E '^(eth|en)')
check found test -n "$nic"
ip link set "$nic" up
ip addr add 10.0.2.15/24 dev "$nic"
soon ping ping -c 3 -W 5 10.0.2.2
