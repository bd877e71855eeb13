/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a PV kernel is started with the state that the ABI promises, can
 * print, and its power-off ends the machine.
 */
#include "lib/guest.h"

void guest_main(void)
{
	u64 flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	CHECK(!memcmp(start_info->magic, "xen-3", 5));
	CHECK(start_info->flags & SIF_INITDOMAIN);
	CHECK(start_info->nr_pages > 1024);
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
	CHECK_EQ(hypercall(63, 0, 0, 0, 0, 0), -XEN_ENOSYS);
	CHECK_EQ(hypercall(1000, 0, 0, 0, 0, 0), -XEN_ENOSYS);
	CHECK(flags & 0x200);
	print("hello from pfn %lu, %lu pages\n", va_to_pfn(guest_main),
	      start_info->nr_pages);
}
