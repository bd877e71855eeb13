/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: debug registers and single-step work for the guest, and cannot be
 * aimed at the hypervisor, whose entries survive a pending #DB.  Guards
 * XSA-444, XSA-260, XSA-308, XSA-298.
 */
#include "lib/guest.h"

static volatile u64 target;

static long set(u64 reg, u64 val)
{
	return HC(set_debugreg, reg, val, 0, 0);
}

static long get(u64 reg)
{
	return HC(get_debugreg, reg, 0, 0, 0);
}

static void refused(void)
{
	for (u64 r = 0; r < 4; r++) {
		CHECK_EQ(set(r, 0xffff830000000000), -XEN_EPERM);
		CHECK_EQ(set(r, 0xffff800000000000), -XEN_EPERM);
		CHECK_EQ(set(r, (u64)&target), 0);
		CHECK_EQ(get(r), &target);
		CHECK_EQ(set(r, 0), 0);
	}
	CHECK_EQ(set(8, 0), -XEN_ENODEV);
	CHECK_EQ(set(~0UL, 0), -XEN_ENODEV);
	CHECK_EQ(get(8), -XEN_ENODEV);
	CHECK(set(7, 0x30002) <= 0);
	set(7, 0x400);
	set(7, 0xffffffffffffffff);		/* GD, reserved bits */
	CHECK_EQ(get(7) & 0x2000, 0);
	CHECK_EQ(set(7, 0x20002), -XEN_EPERM);	/* port breakpoint */
	CHECK_EQ(set(7, 0), 0);
}

static void watchpoint(void)
{
	CHECK_EQ(set(0, (u64)&target), 0);
	CHECK_EQ(set(6, 0xffff0ff0), 0);
	CHECK_EQ(set(7, 0xd0002), 0);		/* G0, write, 4 bytes */
	__asm__ volatile(TRY("movl $1, %0\n nop\n nop")
			 : "=m"(target) :: "memory");
	CHECK_EQ(trapped(), 1);
	CHECK_EQ(get(6) & 0xf, 1);
	CHECK_EQ(target & 0xffffffff, 1);
	/* the hypervisor's own accesses do not count, and do not hurt */
	HC(xen_version, XENVER_get_features, &target, 0, 0);
	trapped();
	CHECK_EQ(set(7, 0), 0);
	__asm__ volatile(TRY("movl $2, %0\n nop") : "=m"(target) :: "memory");
	CHECK_EQ(trapped(), NO_TRAP);
}

static u32 steps;

static void step(struct guest_frame *f)
{
	if (++steps > 40)
		f->rflags &= ~0x100UL;
}

static void single_step(void)
{
	trap_handler[1] = step;
	__asm__ volatile("pushf\n orl $0x100, (%%rsp)\n popf\n"
			 "nop\n nop\n nop\n"
			 "pushf\n andl $0xfffffeff, (%%rsp)\n popf\n"
			 ::: "memory", "cc");
	CHECK(steps >= 5 && steps <= 7);
	steps = 0;
	/* TF over a hypercall */
	__asm__ volatile("pushf\n orl $0x100, (%%rsp)\n popf\n"
			 "mov $17, %%eax\n xor %%edi, %%edi\n syscall\n"
			 "pushf\n andl $0xfffffeff, (%%rsp)\n popf\n"
			 ::: "rax", "rcx", "rdi", "rsi", "r11", "memory",
			 "cc");
	CHECK(steps >= 3);
	trap_handler[1] = NULL;
}

/* A watchpoint hit by MOV SS is held back to the next instruction: SYSCALL. */
static void mov_ss(void)
{
	static u16 ss = FLAT_RING3_SS64;

	CHECK_EQ(set(0, (u64)&ss), 0);
	CHECK_EQ(set(7, 0x70002), 0);		/* read or write, 2 bytes */
	steps = 0;
	trap_handler[1] = step;
	for (int i = 0; i < 3; i++)
		__asm__ volatile("mov $17, %%eax\n xor %%edi, %%edi\n"
				 "mov %0, %%ss\n syscall"
				 :: "m"(ss) : "rax", "rcx", "rdi", "r11",
				 "memory");
	for (int i = 0; i < 3; i++) {
		__asm__ volatile(TRY("mov %0, %%ss\n int3") :: "m"(ss));
		trapped();
	}
	CHECK_EQ(set(7, 0), 0);
	trap_handler[1] = NULL;
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
}

static void by_instruction(void)
{
	u64 v = 0;

	__asm__ volatile(TRY("mov %0, %%db1") :: "r"(&target));
	CHECK_EQ(trapped(), NO_TRAP);
	__asm__ volatile(TRY("mov %%db1, %0") : "=r"(v));
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(v, &target);
	__asm__ volatile(TRY("mov %0, %%db1") :: "r"(0xffff830000000000));
	CHECK_EQ(trapped(), 13);
	__asm__ volatile(TRY("mov %0, %%db1") :: "r"(0UL));
}

void guest_main(void)
{
	timer_stop_periodic();
	refused();
	watchpoint();
	single_step();
	mov_ss();
	by_instruction();
}
