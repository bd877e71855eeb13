/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a system call of user mode reaches the syscall callback with every
 * register kept, and iret() gives user mode every register the kernel chose;
 * with VGCF_in_syscall all but rcx and r11.  A non-canonical return address
 * harms only the guest (XSA-7).
 */
#include "lib/guest.h"

extern const u8 user_code[], user_stop[];
__asm__(
	".text\n.balign 4096\n"
	"user_code:\n"
	".set i, 1\n"
	".irp r, rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15\n"
	"	mov $0x1000 + i, %\\r\n"
	"	.set i, i + 1\n"
	".endr\n"
	"	std\n"
	"	syscall\n"
	"user_stop:\n"		/* shows the kernel what it now has */
	"	int3\n"
	".balign 4096\n");


static u64 return_flags, return_rip;

/* In the order of guest_frame: r15 first, rax last. */
static void seen(struct guest_frame *f)
{
	static const u8 n[15] = {
		13, 12, 11, 10, 0, 9, 8, 7, 5, 4, 6, 2, 3, 0, 1,
	};
	u64 *reg = &f->r15;

	for (int i = 0; i < 15; i++)
		if (n[i])
			CHECK_EQ(reg[i], 0x1000 + n[i]);
	CHECK_EQ(f->rcx, USER_CODE + (u64)(user_stop - user_code));
	CHECK_EQ(f->rip, f->rcx);
	CHECK_EQ(f->rsp, USER_STACK);
	CHECK_EQ(f->cs & 0xffff, FLAT_RING3_CS64);
	CHECK_EQ(f->ss & 0xffff, FLAT_RING3_SS64);
	CHECK_EQ(f->cs >> 32, 0);		/* user_enter() unmasked */
	CHECK_EQ(f->rflags & 0x600, 0x600);	/* IF and DF */
	CHECK_EQ(VCPU0->evtchn_upcall_mask, 0);	/* no MASK_EVENTS */
	for (int i = 0; i < 15; i++)
		reg[i] = 0x5555555500000000UL + (u64)i;
	f->rflags = 0x202;
	f->rip += return_rip;
	if (!return_flags)
		return;
	/* The library's way out has flags 0: do the other here. */
	__asm__ volatile(
		"mov %0, %%rsp\n"
		"pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%r11\n"
		"pop %%r10\n pop %%r9\n pop %%r8\n pop %%rdi\n pop %%rsi\n"
		"pop %%rbp\n pop %%rbx\n pop %%rdx\n pop %%rcx\n pop %%rax\n"
		"add $16, %%rsp\n"
		"push $0x100\n push %%rcx\n push %%r11\n push %%rax\n"
		"mov $23, %%eax\n syscall\n" :: "r"(f) : "memory");
}

static void back_in_user(struct guest_frame *f, bool all)
{
	u64 *reg = &f->r15;

	CHECK_EQ(f->vector, 3);
	for (int i = 0; i < 15; i++)
		if (all || (i != 4 && i != 13))
			CHECK_EQ(reg[i], 0x5555555500000000UL + (u64)i);
	CHECK_EQ(f->rip, USER_CODE + (u64)(user_stop - user_code) + 1);
	CHECK_EQ(f->rflags & 0x600, 0x200);
	CHECK_EQ(f->cs & 0xffff, FLAT_RING3_CS64);
}

void guest_main(void)
{
	struct guest_frame *f;

	timer_stop_periodic();
	CHECK_EQ(user_space_create(user_code), 0);
	syscall_handler = seen;
	back_in_user(user_run(USER_CODE, 0), true);
	return_flags = VGCF_IN_SYSCALL;
	back_in_user(user_run(USER_CODE, 0), false);
	return_rip = 0x800000000000 - USER_CODE;
	f = user_run(USER_CODE, 0);
	CHECK(f->vector == 258 || f->vector == 13 || f->vector == 14);
	return_flags = 0;
	f = user_run(USER_CODE, 0);
	CHECK(f->vector == 258 || f->vector == 13 || f->vector == 14);
	return_rip = 0;
	back_in_user(user_run(USER_CODE, 0), true);
	recount();
}
