/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: A trap without a handler
 * ends the domain, not the hypervisor, which says so.
 * expect: Hardware Dom0 crashed|Domain 0 has stopped .reason 3
 */
#include "lib/guest.h"

void guest_main(void)
{
	HC(set_trap_table, 0, 0, 0, 0);
	__asm__ volatile("ud2");
	check_failed(__FILE__, __LINE__, "went on", 0);
}
