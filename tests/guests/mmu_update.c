/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a batch of mmu_update() stops at the first bad request and says how
 * many were done; PRESERVE_AD keeps A and D; MACHPHYS sets the frame map only
 * for own frames; update_va_mapping() and its flushes do what they say, and no
 * stale translation survives the call (XSA-286).  Guards XSA-182.
 */
#include "lib/guest.h"

static u64 table[512] __page;
static u8 a[4096] __page, b[4096] __page, window[4096] __page;
static const u64 *const m2p = (const u64 *)0xffff800000000000;

static u64 pte(const void *va, u64 flags)
{
	return va_to_mfn(va) << 12 | flags;
}

static long batch(struct mmu_update *u, u32 n, u32 *done)
{
	return HC(mmu_update, u, n, done, DOMID_SELF);
}

static void counts(void)
{
	u64 at = va_to_mfn(table) << 12;
	struct mmu_update u[4] = {
		{ at + 8, pte(a, PTE_FLAGS) }, { at + 16, pte(b, PTE_FLAGS) },
		{ at + 24, pte(table, PTE_FLAGS) }, { at + 32, 0 },
	};
	u32 done = 77;

	CHECK_EQ(batch(u, 4, &done), -XEN_EBUSY);
	CHECK_EQ(done, 2);
	CHECK_EQ(table[1] & PTE_ADDR, va_to_mfn(a) << 12);
	CHECK_EQ(table[2] & PTE_ADDR, va_to_mfn(b) << 12);
	CHECK_EQ(table[3], 0);
	done = 77;
	CHECK_EQ(batch(u, 2, &done), 0);
	CHECK_EQ(done, 2);
	CHECK_EQ(batch(u, 0, &done), 0);
	CHECK_EQ(batch(u, 2, NULL), 0);
	CHECK_EQ(batch((void *)0x7000, 2, &done), -XEN_EFAULT);
	u[0].ptr = at + 3 * 8 + 4;			/* misaligned */
	batch(u, 1, &done);
	CHECK_EQ(table[3], 0);
	u[0].ptr = 0xffffffffff000;
	CHECK(batch(u, 1, &done) < 0);
	CHECK_EQ(done, 0);
	u[0].ptr = va_to_mfn(a) << 12;		/* plain page: may be written */
	u[0].val = 0x1122334455667788;
	CHECK_EQ(batch(u, 1, &done), 0);
	CHECK_EQ(*(u64 *)a, 0x1122334455667788);
	u[0].ptr = at;
	u[0].val = pte(a, PTE_FLAGS);
	CHECK_EQ(HC(mmu_update, u, 1, 0, 1), -XEN_ESRCH); /* no domain 1 */
	/* Linux clears as many errors behind its array as `done` says. */
	done = 77;
	CHECK_EQ(HC(mmu_update, u, 1, &done, 1), -XEN_ESRCH);
	CHECK_EQ(done, 0);
	CHECK_EQ(HC(mmu_update, u, 1, 0, 2 << 16 | DOMID_SELF), -XEN_ESRCH);
	CHECK_EQ(HC(mmu_update, u, 1, 0, 1 << 16 | DOMID_SELF), 0);
}

static void accessed_dirty(void)
{
	u64 at = va_to_mfn(table) << 12 | 40;

	CHECK_EQ(pte_write(at, pte(a, PTE_FLAGS)), 0);
	CHECK_EQ(pte_write(at | MMU_PT_UPDATE_PRESERVE_AD,
			   pte(a, PTE_P | PTE_US)), 0);
	CHECK_EQ(table[5] & 0x62, 0x60);
	CHECK_EQ(pte_write(at, pte(a, PTE_P | PTE_US)), 0);
	CHECK_EQ(table[5] & 0x62, 0);
	CHECK_EQ(pte_write(at, 0), 0);
}

static void machphys(void)
{
	u64 mfn = va_to_mfn(b), pfn = m2p[mfn];

	CHECK_EQ(pte_write(mfn << 12 | MMU_MACHPHYS_UPDATE, 0x123456), 0);
	CHECK_EQ(m2p[mfn], 0x123456);
	CHECK_EQ(pte_write(mfn << 12 | MMU_MACHPHYS_UPDATE, pfn), 0);
	CHECK_EQ(m2p[mfn], pfn);
	CHECK(pte_write(start_info->shared_info | MMU_MACHPHYS_UPDATE, 1) <= 0);
	CHECK(pte_write(0xffffffffff000 | MMU_MACHPHYS_UPDATE, 1) < 0);
}

static void by_address(void)
{
	static const u64 flush[] = {
		UVMF_INVLPG, UVMF_TLB_FLUSH, UVMF_INVLPG | UVMF_ALL,
		UVMF_TLB_FLUSH | UVMF_ALL,
	};
	u64 mask = 1;
	volatile u8 *w = window;

	a[9] = 1;
	b[9] = 2;
	for (u64 i = 0; i < 24; i++) {
		u64 how = flush[i & 3];

		if (i >= 16)		/* MULTI: a bitmap of vCPUs */
			how = (flush[i & 1]) | (u64)&mask;
		CHECK_EQ(HC(update_va_mapping, window,
			    pte(i & 1 ? a : b, PTE_FLAGS), how, 0), 0);
		CHECK_EQ(w[9], i & 1 ? 1 : 2);
	}
	CHECK(map_va((void *)0xffff800000000000, pte(a, PTE_FLAGS)) < 0);
	CHECK(map_va((void *)0x700000000000, pte(a, PTE_FLAGS)) < 0);
	CHECK(map_va((void *)0x800000000000, pte(a, PTE_FLAGS)) < 0);
	CHECK_EQ(HC(update_va_mapping, window, pte(a, PTE_FLAGS),
		    UVMF_INVLPG | 0x7000, 0), -XEN_EFAULT);
	HC(update_va_mapping, window, pte(a, PTE_FLAGS), 3, 0);
	CHECK_EQ(make_writable(window), 0);
}

void guest_main(void)
{
	CHECK_EQ(make_readonly(table), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table), 0), 0);
	counts();
	accessed_dirty();
	machphys();
	by_address();
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table), 0), 0);
	recount();
}
