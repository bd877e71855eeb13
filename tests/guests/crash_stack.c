/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: A trap whose frame cannot be written to the kernel's stack
 * ends the domain, not the hypervisor, which says so.
 * expect: Hardware Dom0 crashed|Domain 0 has stopped .reason 3
 */
#include "lib/guest.h"

void guest_main(void)
{
	__asm__ volatile("mov $0x7000, %rsp\n ud2");
	check_failed(__FILE__, __LINE__, "went on", 0);
}
