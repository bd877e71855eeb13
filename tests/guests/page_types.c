/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a frame is a page table or mapped writable, never both; entries hold
 * only what the rules allow; pins succeed once and only on sound tables.
 * Guards XSA-148 (flags), XSA-242, XSA-248 (frames of the hypervisor).
 */
#include "lib/guest.h"

static u64 l1[512] __page, l2[512] __page, l3[512] __page, data[512] __page;

static u64 pte(const void *va, u64 flags)
{
	return va_to_mfn(va) << 12 | flags;
}

static int pin(int level, u64 *table)
{
	return mmuext(MMUEXT_PIN_L1_TABLE + (u32)level - 1, va_to_mfn(table),
		      0);
}

static int unpin(u64 *table)
{
	return mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table), 0);
}

/* Pin of a level 1 table with this entry. */
static int try_entry(u64 e)
{
	int rc;

	CHECK_EQ(make_writable(l1), 0);
	l1[7] = e;
	CHECK_EQ(make_readonly(l1), 0);
	rc = pin(1, l1);
	if (!rc)
		CHECK_EQ(unpin(l1), 0);
	return rc;
}

static void pins(void)
{
	CHECK(pin(1, l1) < 0);			/* mapped writable */
	CHECK_EQ(unpin(l1), -XEN_EINVAL);
	CHECK_EQ(make_readonly(l1), 0);
	CHECK_EQ(pin(1, l1), 0);
	CHECK(pin(1, l1) < 0);			/* already */
	CHECK(pin(2, l1) < 0);
	CHECK(pin(4, l1) < 0);
	CHECK(make_writable(l1) < 0);
	CHECK(pte_read(l1) & PTE_P);
	CHECK_EQ(pte_read(l1) & PTE_RW, 0);
	CHECK_EQ(unpin(l1), 0);
	CHECK_EQ(unpin(l1), -XEN_EINVAL);
	CHECK_EQ(make_writable(l1), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, 0xffffffffff, 0), -XEN_EINVAL);
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, 0xffffffffff, 0), -XEN_EINVAL);
}

static void entries(void)
{
	CHECK_EQ(try_entry(pte(data, PTE_FLAGS)), 0);
	CHECK_EQ(try_entry(pte(data, PTE_FLAGS | 0xe00 | 1UL << 63)), 0);
	CHECK_EQ(try_entry(0xdeadbeef000 & ~1UL), 0);	/* not present */
	CHECK(try_entry(pte(l1, PTE_FLAGS)) < 0);	/* itself, writable */
	CHECK_EQ(try_entry(pte(l1, PTE_P | PTE_US)), 0);
	CHECK(try_entry(pte(data, PTE_FLAGS) | 1UL << 51) < 0);
	CHECK(try_entry(pte(data, PTE_FLAGS | 0x100)) <= 0);	/* GLOBAL */
	CHECK(try_entry(0xfee00000UL | PTE_FLAGS) < 0);	/* local APIC */
	CHECK(try_entry(pte((void *)start_info->pt_base, PTE_FLAGS)) < 0);
	CHECK_EQ(make_writable(l1), 0);
	l1[7] = 0;
}

static void upper_levels(void)
{
	l2[0] = pte(l1, PTE_TABLE);
	l2[1] = pte(l1, PTE_TABLE);		/* one L1 twice */
	CHECK_EQ(make_readonly(l2), 0);
	CHECK(pin(2, l2) < 0);			/* l1 is mapped writable */
	CHECK_EQ(make_readonly(l1), 0);
	CHECK_EQ(pin(2, l2), 0);
	CHECK(make_writable(l1) < 0);
	CHECK_EQ(pte_write(va_to_mfn(l2) << 12 | 16,
			   pte(data, PTE_TABLE | 0x80)), -XEN_EINVAL); /* PSE */
	CHECK(pte_write(va_to_mfn(l2) << 12 | 16, pte(l3, PTE_TABLE)) < 0);
	CHECK_EQ(pte_write(va_to_mfn(l2) << 12 | 16, pte(l1, PTE_TABLE)), 0);
	CHECK(pte_write(va_to_mfn(l2) << 12 | 16,
			pte(l1, PTE_TABLE | 0x80)) < 0);	/* XSA-148 */
	CHECK_EQ(l2[2] & 0x80, 0);
	l3[0] = pte(l2, PTE_TABLE);
	l3[1] = pte(l1, PTE_TABLE);			/* wrong level */
	CHECK_EQ(make_readonly(l3), 0);
	CHECK(pin(3, l3) < 0);
	CHECK_EQ(make_writable(l3), 0);
	l3[1] = 0;
	CHECK_EQ(make_readonly(l3), 0);
	CHECK_EQ(pin(3, l3), 0);
	CHECK_EQ(unpin(l2), 0);
	CHECK(make_writable(l2) < 0);		/* still l3's */
	CHECK_EQ(unpin(l3), 0);
	CHECK_EQ(make_writable(l3), 0);
	CHECK_EQ(make_writable(l2), 0);
	CHECK_EQ(make_writable(l1), 0);
}

void guest_main(void)
{
	pins();
	entries();
	upper_levels();
	recount();
}
