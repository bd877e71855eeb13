/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: when a call that changes an entry at any level, with the flush it was
 * asked for, has returned, no vCPU uses the old translation.  Guards XSA-286.
 * cpus: 2
 */
#include "lib/guest.h"

#define VA 0x10000000000UL	/* slot 2 of the top level: free */
static u64 l3[512] __page, l2[2][512] __page, l1[2][512] __page;
static u8 page[2][4096] __page;
static volatile u32 version, up, stop, stopped, stale, reads;

static u64 pte(const void *va)
{
	return va_to_mfn(va) << 12 | PTE_TABLE;
}

/* version: odd while it changes; bit 1 says which page it is. */
static void second(void)
{
	volatile u8 *p = (u8 *)VA;

	up = 1;
	while (!stop) {
		u32 before = version;
		u8 seen;

		if (before & 1)
			continue;
		seen = *p;
		reads++;
		if (version == before && seen != (before >> 1 & 1))
			stale++;
	}
	stopped = 1;
	for (;;)
		HC(vcpu_op, VCPUOP_down, 1, 0, 0);
}

static void change(int level, int to)
{
	u64 at = level == 1 ? va_to_mfn(l1[0]) << 12 :
		 level == 2 ? va_to_mfn(l2[0]) << 12 : va_to_mfn(l3) << 12;
	u64 val = level == 1 ? pte(page[to]) : level == 2 ? pte(l1[to]) :
		pte(l2[to]);

	version++;
	CHECK_EQ(pte_write(at, val), 0);
	CHECK_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
	version = (version & ~3U) + 4 + (u32)to * 2;
	CHECK_EQ(*(volatile u8 *)VA, to);
}

void guest_main(void)
{
	u64 top = va_to_mfn((void *)start_info->pt_base) << 12;
	u64 end;

	timer_stop_periodic();
	page[1][0] = 1;
	for (int i = 0; i < 2; i++) {
		l1[i][0] = pte(page[i]);
		l2[i][0] = pte(l1[i]);
		CHECK_EQ(make_readonly(l1[i]), 0);
		CHECK_EQ(make_readonly(l2[i]), 0);
		CHECK_EQ(mmuext(MMUEXT_PIN_L2_TABLE, va_to_mfn(l2[i]), 0), 0);
	}
	l3[0] = pte(l2[0]);
	CHECK_EQ(make_readonly(l3), 0);
	CHECK_EQ(pte_write(top + 16, pte(l3)), 0);
	CHECK_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
	CHECK_EQ(*(volatile u8 *)VA, 0);
	CHECK_EQ(vcpu_start(1, second), 0);
	CHECK(wait_for(&up, 1));
	end = now_ns() + 3000 * MS;
	for (int level = 1; now_ns() < end ||
	     (reads <= 1000 && now_ns() < end + PATIENCE);
	     level = level % 3 + 1) {
		change(level, 1);
		change(level, 0);
	}
	stop = 1;
	CHECK(wait_for(&stopped, 1));
	print("NOTE %u reads, %u changes\n", reads, version / 4);
	CHECK_EQ(stale, 0);
	CHECK(reads > 1000);
	/* alone: update_va_mapping and a change above it without a flush */
	CHECK_EQ(HC(update_va_mapping, VA, pte(page[1]), UVMF_INVLPG, 0), 0);
	CHECK_EQ(*(volatile u8 *)VA, 1);
	CHECK_EQ(pte_write(va_to_mfn(l2[0]) << 12, pte(l1[1])), 0);
	CHECK_EQ(HC(update_va_mapping, VA, pte(page[0]), UVMF_INVLPG, 0), 0);
	CHECK_EQ(*(volatile u8 *)VA, 0);
	CHECK_EQ(l1[1][0] & PTE_ADDR, pte(page[0]) & PTE_ADDR);
	CHECK_EQ(pte_write(top + 16, 0), 0);
	CHECK_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
	__asm__ volatile(TRY("movb (%0), %%al") :: "r"(VA) : "rax");
	CHECK_EQ(trapped(), 14);
	recount();
}
