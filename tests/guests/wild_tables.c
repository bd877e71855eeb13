/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: no sequence of page-table operations on a pool of frames breaks the
 * accounts: after a long pseudo-random run, with any flags and targets in the
 * entries, all can be undone and a recount finds every count right.  Guards
 * XSA-148, XSA-182, XSA-240, XSA-299, XSA-309, XSA-310.
 * timeout: 200
 * xen: guest_loglvl=none
 */
#include "lib/guest.h"

#define POOL 24
static u64 pool[POOL][512] __page;
static u64 window[512] __page;
static u64 state = 0x123456789abcdef;
static u32 good, bad;

static u64 random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dUL;
}

static u64 random_entry(void)
{
	static const u64 flags[] = {
		PTE_TABLE, PTE_FLAGS, PTE_P | PTE_US, PTE_P | PTE_US | PTE_A,
		PTE_P, PTE_P | PTE_RW, 0, PTE_FLAGS | 0x80, PTE_FLAGS | 0x100,
		PTE_FLAGS | 0x18, PTE_FLAGS | 1UL << 63, PTE_FLAGS | 0xe00,
		PTE_FLAGS | 1UL << 52, PTE_FLAGS | 1UL << 51, PTE_P | 0x80,
	};
	u64 r = random(), f = flags[r % 15];

	if ((r >> 32 & 15) == 0)
		f ^= random() & 0xfff;
	switch (r >> 40 & 31) {
	case 0:
		return va_to_mfn((void *)start_info->pt_base) << 12 | f;
	case 1:
		return start_info->shared_info | f;
	case 2:
		return (random() & 0xfffff) << 12 | f;
	case 3:
		return 0;
	default:
		return va_to_mfn(pool[random() % POOL]) << 12 | f;
	}
}

static void count(long rc)
{
	if (rc)
		bad++;
	else
		good++;
}

static void one(void)
{
	u64 r = random(), *t;

	t = pool[(r >> 8 & 0xffff) % POOL];
	switch (r % 11) {
	case 0 ... 1:
		count(make_readonly(t));
		break;
	case 2:
		if (!make_writable(t)) {	/* ours: anything in it */
			good++;
			t[r >> 40 & 511] = random_entry();
		}
		break;
	case 3 ... 4:
		count(mmuext(MMUEXT_PIN_L1_TABLE + (r >> 32 & 3),
			     va_to_mfn(t), 0));
		break;
	case 5:
		count(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(t), 0));
		break;
	case 6 ... 8:
		count(pte_write((va_to_mfn(t) << 12 | (r >> 32 & 0xff8)) |
				(r >> 50 & 1) * MMU_PT_UPDATE_PRESERVE_AD,
				random_entry()));
		break;
	case 9:
		count(map_va(window, random_entry() & ~PTE_D));
		break;
	case 10:
		__asm__ volatile(TRY("lock xchgq %1, %0")
				 : "+m"(t[r >> 32 & 511])
				 : "r"(random_entry()) : "memory");
		trapped();
		break;
	}
}

void guest_main(void)
{
	HC(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables, 0,
	   0);
	for (int round = 0; round < 300000; round++)
		one();
	print("NOTE %u done, %u refused\n", good, bad);
	recount();
	CHECK_EQ(map_va(window, 0), 0);
	for (int i = 0; i < POOL; i++)
		mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(pool[i]), 0);
	/* cycles through read-only leaves may hold a few: clear by pinning */
	for (int i = 0; i < POOL; i++)
		for (u64 k = 0; k < 512; k++)
			pte_write(va_to_mfn(pool[i]) << 12 | k * 8, 0);
	for (int i = 0; i < POOL; i++)
		CHECK_EQ(make_writable(pool[i]), 0);
	recount();
}
