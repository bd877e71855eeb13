/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: iret() with a frame that cannot be read
 * ends the domain, not the hypervisor, which says so.
 * expect: Hardware Dom0 crashed|Domain 0 has stopped .reason 3
 */
#include "lib/guest.h"

void guest_main(void)
{
	__asm__ volatile("mov $0x7000, %rsp\n mov $23, %eax\n syscall");
	check_failed(__FILE__, __LINE__, "went on", 0);
}
