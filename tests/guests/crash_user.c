/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: iret() to user mode without a user page table
 * ends the domain, not the hypervisor, which says so.
 * expect: Hardware Dom0 crashed|Domain 0 has stopped .reason 3
 */
#include "lib/guest.h"

void guest_main(void)
{
	user_enter(USER_CODE, USER_STACK, 0);
	check_failed(__FILE__, __LINE__, "went on", 0);
}
