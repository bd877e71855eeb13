/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: exceptions of the guest kernel reach its handlers with the vector,
 * error code, cr2, RPL 0 in cs, the saved mask above cs and IF = !mask that
 * the ABI promises.
 */
#include "lib/guest.h"

static u8 hole[4096] __page;

static void check_frame(u64 vector, u64 error)
{
	u64 masked = VCPU0->evtchn_upcall_mask;

	CHECK_EQ(caught.error, error);
	CHECK_EQ(caught.cs, (FLAT_RING3_CS64 & ~3UL) | masked << 32);
	CHECK_EQ(caught.ss, FLAT_RING3_SS64);
	CHECK_EQ(caught.rflags >> 9 & 1, !masked);
	CHECK_EQ(caught.rflags >> 12 & 3, 0);
	CHECK_EQ(trapped(), vector);
}

#define EXPECT(vector, error, insn, ...) do { \
	__asm__ volatile(TRY(insn) __VA_ARGS__); \
	check_frame(vector, error); \
} while (0)

static void exceptions(void)
{
	EXPECT(0, 0, "xor %%edx, %%edx\n xor %%ecx, %%ecx\n div %%ecx",
	       ::: "rax", "rcx", "rdx");
	EXPECT(6, 0, "ud2", ::);
	EXPECT(3, 0, "int3", ::);
	EXPECT(3, 0, ".byte 0xcd, 3", ::);
	EXPECT(13, 0, "hlt", ::);
	EXPECT(13, 0, "mov (%0), %%al", :: "r"(0x800000000000UL) : "rax");
	EXPECT(13, 0x1234, "mov %0, %%ds", :: "r"(0x1234));
	EXPECT(13, 0x4560, "mov %0, %%ss", :: "r"(0x4563));
}

static void page_faults(void)
{
	CHECK_EQ(map_va(hole, 0), 0);
	EXPECT(14, 0, "mov (%0), %%al", :: "r"(hole + 5) : "rax");
	CHECK_EQ(caught_cr2, hole + 5);
	EXPECT(14, 2, "mov %%al, (%0)", :: "r"(hole + 9) : "memory");
	CHECK_EQ(caught_cr2, hole + 9);
	CHECK_EQ(make_readonly(hole), 0);
	EXPECT(14, 3, "mov %%al, (%0)", :: "r"(hole + 77) : "memory");
	CHECK_EQ(caught_cr2, hole + 77);
	CHECK_EQ(map_va(hole, va_to_mfn(hole) << 12 | PTE_FLAGS | 1UL << 63),
		 0);
	EXPECT(14, 0x11, "call *%0", :: "r"(hole + 3) : "memory");
	CHECK_EQ(caught.rip, hole + 3);
	__asm__ volatile("add $8, %rsp");	/* what call pushed */
}

static volatile u8 mask_in_handler;

static void note_mask(struct guest_frame *f)
{
	mask_in_handler = VCPU0->evtchn_upcall_mask;
	CHECK_EQ(f->cs, FLAT_RING3_CS64 & ~3UL);
	CHECK(f->rflags & 0x200);
	f->rip += 2;
}

static void masking(bool by_flag)
{
	extern const u64 trap_stubs[32];
	struct trap_info t[2] = {{
		.vector = 6, .flags = by_flag ? 4 : 0, .cs = FLAT_RING3_CS64,
		.address = trap_stubs[6],
	}};

	CHECK_EQ(HC(set_trap_table, t, 0, 0, 0), 0);
	trap_handler[6] = note_mask;
	VCPU0->evtchn_upcall_mask = 0;
	__asm__ volatile("ud2");
	CHECK_EQ(mask_in_handler, by_flag);
	CHECK_EQ(VCPU0->evtchn_upcall_mask, 0);	/* by iret, from IF */
	trap_handler[6] = NULL;
}

void guest_main(void)
{
	timer_stop_periodic();
	exceptions();
	page_faults();
	masking(false);
	masking(true);
	exceptions();			/* now unmasked */
}
