/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: in a top-level table the slots of the hypervisor (256 to 271) are out
 * of reach, linear (self) maps are refused or bounded, and each new table gets
 * the hypervisor's slots.  Guards XSA-240, XSA-286, XSA-182.
 */
#include "lib/guest.h"

static u64 l4[512] __page, l3[512] __page;

static u64 pte(const void *va, u64 flags)
{
	return va_to_mfn(va) << 12 | flags;
}

static int set_slot(int slot, u64 val)
{
	return pte_write(va_to_mfn(l4) << 12 | (u64)slot * 8, val);
}

static void reserved_slots(void)
{
	u64 *live = (u64 *)start_info->pt_base;

	for (int slot = 256; slot < 272; slot++) {
		CHECK(set_slot(slot, 0) < 0);
		CHECK(set_slot(slot, pte(l3, PTE_TABLE)) < 0);
		CHECK(pte_write(va_to_mfn(live) << 12 | (u64)slot * 8,
				pte(l3, PTE_TABLE)) < 0);
	}
	CHECK_EQ(set_slot(255, pte(l3, PTE_TABLE)), 0);
	CHECK_EQ(set_slot(272, pte(l3, PTE_TABLE)), 0);
	CHECK_EQ(set_slot(272, 0), 0);
	CHECK_EQ(set_slot(255, 0), 0);
}

/* A guest may point a slot at the table itself, read-only, or not at all. */
static void linear(void)
{
	int rc;

	CHECK(set_slot(300, pte(l4, PTE_TABLE)) < 0);	/* writable */
	rc = set_slot(300, pte(l4, PTE_P | PTE_US | PTE_A));
	print("NOTE self map: %d\n", rc);
	if (!rc)
		CHECK_EQ(set_slot(300, 0), 0);
	/* a slot that lends rights to what was read-only (XSA-182) */
	rc = set_slot(300, pte((void *)start_info->pt_base,
			       PTE_P | PTE_US | PTE_A));
	if (!rc) {
		CHECK(set_slot(300, pte((void *)start_info->pt_base,
					PTE_TABLE)) < 0);
		CHECK_EQ(set_slot(300, 0), 0);
	}
}

static void switch_over(void)
{
	u64 *live = (u64 *)start_info->pt_base;
	u64 old = va_to_mfn(live);
	void *p = page_alloc();			/* mapped writable */

	for (int i = 0; i < 512; i++)
		if (i < 256 || i >= 272)
			if (live[i] & PTE_P)
				CHECK_EQ(set_slot(i, live[i]), 0);
	CHECK_EQ(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(l4), 0), 0);
	CHECK_EQ(l4[511] & PTE_ADDR, live[511] & PTE_ADDR);
	CHECK_EQ(*(u64 *)(0xffff800000000000 + va_to_mfn(l4) * 8),
		 va_to_pfn(l4));
	CHECK(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(p), 0) < 0);
	CHECK(mmuext(MMUEXT_NEW_BASEPTR, 0, 0) < 0);
	CHECK(mmuext(MMUEXT_NEW_BASEPTR, ~0UL >> 12, 0) < 0);
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4), 0), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4), 0), 0);
	CHECK_EQ(mmuext(MMUEXT_NEW_BASEPTR, old, 0), 0);
}

void guest_main(void)
{
	CHECK_EQ(make_readonly(l3), 0);
	CHECK_EQ(make_readonly(l4), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4), 0), 0);
	reserved_slots();
	linear();
	switch_over();
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4), 0), 0);
	CHECK_EQ(make_writable(l4), 0);
	/* what the guest writes into the slots is not used */
	for (int i = 256; i < 272; i++)
		l4[i] = pte(l3, PTE_TABLE);
	CHECK_EQ(make_readonly(l4), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4), 0), 0);
	for (int i = 256; i < 272; i++)
		CHECK((l4[i] & PTE_ADDR) != va_to_mfn(l3) << 12);
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4), 0), 0);
	recount();
}
