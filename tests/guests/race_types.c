/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: while a frame is a page table, no vCPU can write it, not even through
 * a translation left over from before: two vCPUs race, one mapping the frame
 * writable and writing, the other making it a table.  Guards XSA-401, XSA-408.
 * cpus: 2
 * timeout: 120
 */
#include "lib/guest.h"

static volatile u64 frame[512] __page;
static u64 window[512] __page;
static volatile u32 up, stop, stopped;
static u64 rw, ma;
static volatile u32 writes, pins;

/* Second vCPU: a window that comes and goes, without any flush of its own. */
static void second(void)
{
	up = 1;
	while (!stop) {
		struct mmu_update u[2] = { { ma, rw }, { ma, 0 } };

		HC(mmu_update, u, 1, 0, DOMID_SELF);
		for (int i = 0; i < 50; i++) {
			catch_rip = 0;
			__asm__ volatile(TRY("movq %1, %0")
				: "=m"(window[i]) : "r"((u64)i << 9)
				: "memory");
			if (trapped() != NO_TRAP)
				break;
			writes++;
		}
		HC(mmu_update, u + 1, 1, 0, DOMID_SELF);
	}
	HC(update_va_mapping, window, 0, UVMF_TLB_FLUSH | UVMF_ALL, 0);
	stopped = 1;
	for (;;)
		HC(vcpu_op, VCPUOP_down, 1, 0, 0);
}

static u64 sum(void)
{
	u64 s = 0;

	for (int i = 0; i < 64; i++)
		s = s * 31 + frame[i];
	return s;
}

void guest_main(void)
{
	u64 mfn = va_to_mfn((void *)frame), end;

	timer_stop_periodic();
	rw = mfn << 12 | PTE_FLAGS;
	ma = pte_machine_address(window);
	CHECK_EQ(map_va(window, 0), 0);
	CHECK_EQ(make_readonly((void *)frame), 0);
	CHECK_EQ(vcpu_start(1, second), 0);
	CHECK(wait_for(&up, 1));
	end = now_ns() + 4000 * MS;
	while (now_ns() < end ||
	       ((pins <= 10 || writes <= 10) && now_ns() < end + PATIENCE)) {
		u64 before;

		if (mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0))
			continue;
		pins++;
		before = sum();
		for (int i = 0; i < 200; i++)
			relax();
		if (sum() != before) {
			CHECK(!"a table was written");
			break;
		}
		CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
	}
	stop = 1;
	CHECK(wait_for(&stopped, 1));
	print("NOTE %u pins, %u writes\n", pins, writes);
	CHECK(pins > 10);
	CHECK(writes > 10);
	CHECK_EQ(make_writable((void *)frame), 0);
	recount();
}
