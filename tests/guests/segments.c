/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: set_segment_base() sets what it says, refuses non-canonical bases,
 * and succeeds for any selector as user GS; bases and the swap of GS are kept
 * over the switches between user and kernel mode.
 */
#include "lib/guest.h"

extern const u8 user_seg[];
__asm__(".text\n.balign 4096\nuser_seg:\n"
	"	mov %gs:0, %rax\n	mov %fs:0, %rbx\n	syscall\n"
	"	ud2\n.balign 4096\n");

static u64 words[3] = { 0x1111, 0x2222, 0x3333 };
static u64 *user_word = (u64 *)(USER_CODE + 2048);

static u64 gs0(void)
{
	u64 v;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

static long base(u64 which, u64 v)
{
	return HC(set_segment_base, which, v, 0, 0);
}

static void kernel(void)
{
	u64 v;

	CHECK_EQ(base(SEGBASE_FS, (u64)&words[0]), 0);
	CHECK_EQ(base(SEGBASE_GS_KERNEL, (u64)&words[1]), 0);
	CHECK_EQ(base(SEGBASE_GS_USER, (u64)&words[2]), 0);
	__asm__ volatile("mov %%fs:0, %0" : "=r"(v));
	CHECK_EQ(v, words[0]);
	CHECK_EQ(gs0(), words[1]);
	for (u64 which = 0; which < 3; which++) {
		CHECK_EQ(base(which, 0x800000000000), -XEN_EINVAL);
		CHECK_EQ(base(which, 0xffff7fffffffffff), -XEN_EINVAL);
	}
	CHECK_EQ(base(4, 0), -XEN_EINVAL);
	CHECK_EQ(base(~0UL, 0), -XEN_EINVAL);
	CHECK_EQ(gs0(), words[1]);
}

static void selectors(void)
{
	for (u64 sel = 0; sel < 0x10000; sel += 3)
		if (base(SEGBASE_GS_USER_SEL, sel))
			CHECK_EQ(sel, 0);
	CHECK_EQ(base(SEGBASE_GS_USER_SEL, ~0UL), 0);
	CHECK_EQ(base(SEGBASE_GS_USER_SEL, 0x12340000), 0);
	CHECK_EQ(base(SEGBASE_GS_USER_SEL, FLAT_RING3_DS32), 0);
	CHECK_EQ(base(SEGBASE_GS_USER_SEL, 0), 0);
	CHECK_EQ(gs0(), words[1]);
}

static void user(void)
{
	struct guest_frame *f;

	memcpy((u8 *)user_seg + 2048, words, sizeof(words));
	CHECK_EQ(base(SEGBASE_GS_USER, (u64)(user_word + 2)), 0);
	CHECK_EQ(base(SEGBASE_FS, (u64)user_word), 0);
	for (int i = 0; i < 3; i++) {
		f = user_run(USER_CODE, 0);
		CHECK_EQ(f->vector, 257);
		CHECK_EQ(f->rax, words[2]);
		CHECK_EQ(f->rbx, words[0]);
		CHECK_EQ(gs0(), words[1]);
		HC(sched_op, SCHEDOP_yield, 0, 0, 0);
		CHECK_EQ(gs0(), words[1]);
	}
	CHECK_EQ(base(SEGBASE_GS_USER, 0x7000), 0);
	CHECK_EQ(base(SEGBASE_FS, (u64)&words[0]), 0);	/* kernel's page */
	f = user_run(USER_CODE, 0);
	CHECK_EQ(f->vector, 14);
	CHECK_EQ(f->error & 4, 4);
	CHECK_EQ(VCPU0->arch.cr2, 0x7000);
	CHECK_EQ(gs0(), words[1]);
	/* swapgs is not for guests */
	__asm__ volatile(TRY("swapgs") ::: "memory");
	CHECK_EQ(trapped(), 13);
}

void guest_main(void)
{
	timer_stop_periodic();
	CHECK_EQ(user_space_create(user_seg), 0);
	kernel();
	selectors();
	user();
}
