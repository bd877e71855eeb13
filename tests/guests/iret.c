/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: iret() restores what its frame says, sanitises flags, takes the event
 * mask from IF, and turns a frame that the processor refuses into the failsafe
 * callback (Xen 4.17: the processor's exception), never into a fault of the
 * hypervisor.  Guards XSA-202, XSA-7.
 */
#include "lib/guest.h"

u64 iret_out[8];	/* rax rcx r11 rsp rflags cs */

/* Pushes the frame (rax r11 rcx flags rip cs rflags rsp ss), calls iret(). */
static void do_iret(u64 flags, u64 cs, u64 rflags, u64 ss, u64 rip)
{
	__asm__ volatile(
		"mov %%rsp, %%rbx\n"
		"push %[ss]\n push %%rbx\n push %[rflags]\n push %[cs]\n"
		"push %[rip]\n push %[flags]\n"
		"push $0x33333333\n push $0x22222222\n push $0x11111111\n"
		"movq $777f, catch_rip\n"
		"mov $23, %%eax\n syscall\n"
		".globl iret_target\niret_target:\n"
		"pushf\n pop iret_out + 32\n"
		"mov %%rax, iret_out\n mov %%rcx, iret_out + 8\n"
		"mov %%r11, iret_out + 16\n mov %%rsp, iret_out + 24\n"
		"sub %%rbx, iret_out + 24\n"
		"mov %%cs, iret_out + 40\n"
		"777: mov %%rbx, %%rsp\n movq $0, catch_rip\n cld\n"
		:: [ss] "r"(ss), [rflags] "r"(rflags), [cs] "r"(cs),
		   [rip] "r"(rip), [flags] "r"(flags)
		: "rax", "rbx", "rcx", "r11", "memory", "cc");
}
extern const u8 iret_target[];

static void good(u64 cs, u64 rflags)
{
	memset(iret_out, 0, sizeof(iret_out));
	do_iret(0, cs, rflags, FLAT_RING3_SS64, (u64)iret_target);
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(iret_out[0], 0x11111111);
	CHECK_EQ(iret_out[1], 0x33333333);
	CHECK_EQ(iret_out[2], 0x22222222);
	CHECK_EQ(iret_out[3], 0);
	CHECK_EQ(iret_out[4] & 0x3fba00, 0x200 | (rflags & 0x200800));
	CHECK_EQ(iret_out[5], FLAT_RING3_CS64);
	CHECK_EQ(VCPU0->evtchn_upcall_mask, !(rflags & 0x200));
	VCPU0->evtchn_upcall_mask = 1;
}

static void bad(u64 cs, u64 ss, u64 rip)
{
	u64 v;

	do_iret(0, cs, 2, ss, rip);
	v = trapped();
	if (v != 258 && (v < 11 || v > 13)) {
		print("cs %lx ss %lx rip %lx: trap %lu\n", cs, ss, rip, v);
		CHECK(!"refused");
	}
	VCPU0->evtchn_upcall_mask = 1;
}

void guest_main(void)
{
	u64 target = (u64)iret_target;

	timer_stop_periodic();
	good(FLAT_RING3_CS64 & ~3UL, 0x2);
	good(FLAT_RING3_CS64 & ~3UL, 0x202);
	good(FLAT_RING3_CS64 & ~2UL, 0x202);
	good(FLAT_RING3_CS64 & ~3UL, 0x3202);	/* IOPL */
	good(FLAT_RING3_CS64 & ~3UL, 0x4202);	/* NT */
	good(FLAT_RING3_CS64 & ~3UL, 0x20202);	/* VM */
	good(FLAT_RING3_CS64 & ~3UL, 0x200a02);	/* ID OF */
	do_iret(VGCF_IN_SYSCALL, FLAT_RING3_CS64 & ~3UL, 2, FLAT_RING3_SS64,
		target);
	CHECK_EQ(iret_out[0], 0x11111111);
	CHECK_EQ(iret_out[3], 0);
	bad(0x1230, FLAT_RING3_SS64, target);
	bad(0, FLAT_RING3_SS64, target);
	bad(0x10, FLAT_RING3_SS64, target);
	bad(FLAT_RING3_SS64 & ~3UL, FLAT_RING3_SS64, target);
	bad(FLAT_RING3_CS64 & ~3UL, 0x1230, target);
	bad(FLAT_RING3_CS64 & ~3UL, FLAT_RING3_CS64, target);
	bad(FLAT_RING3_CS64 & ~3UL, FLAT_RING3_SS64, 0x800000000000);
	bad(FLAT_RING3_CS64 & ~3UL, FLAT_RING3_SS64, 0xffff7fffffffffff);
	for (u64 sel = 0; sel < 0x10000; sel += 0x1c) {	/* any may be there */
		do_iret(0, sel & ~3UL, 2, FLAT_RING3_SS64, target);
		trapped();
		do_iret(0, FLAT_RING3_CS64 & ~3UL, 2, sel, target);
		trapped();
	}
	good(FLAT_RING3_CS64 & ~3UL, 0x202);
}
