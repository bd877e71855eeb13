/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: control registers read as the guest's own, TS belongs to the guest,
 * cr3 can be loaded only with its tables, and nothing else can be changed.
 * Guards XSA-293 (cr4 of the hardware is the hypervisor's).
 */
#include "lib/guest.h"
#include <hypercall-abi/physdev.h>

#define READ_CR(n) ({ u64 v_ = 0; \
	__asm__ volatile(TRY("mov %%cr" #n ", %0") : "+r"(v_) :: "memory"); \
	v_; })
#define WRITE_CR(n, v) ({ \
	__asm__ volatile(TRY("mov %0, %%cr" #n) :: "r"((u64)(v)) : "memory"); \
	trapped(); })

static u64 fpu_touch(void)
{
	__asm__ volatile(TRY("movaps %%xmm0, %%xmm1") ::: "memory");
	return trapped();
}

static void task_switched(void)
{
	u64 cr0 = READ_CR(0);

	CHECK_EQ(cr0 & 0x80000009UL, 0x80000001UL);
	CHECK_EQ(HC(fpu_taskswitch, 1, 0, 0, 0), 0);
	CHECK_EQ(READ_CR(0), cr0 | 8);
	CHECK_EQ(fpu_touch(), 7);
	CHECK_EQ(READ_CR(0), cr0);		/* delivery of #NM clears TS */
	CHECK_EQ(fpu_touch(), NO_TRAP);
	CHECK_EQ(WRITE_CR(0, cr0 | 8), NO_TRAP);
	CHECK_EQ(fpu_touch(), 7);
	CHECK_EQ(WRITE_CR(0, cr0 | 8), NO_TRAP);
	__asm__ volatile(TRY("clts") ::: "memory");
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(READ_CR(0), cr0);
	CHECK_EQ(HC(fpu_taskswitch, 1, 0, 0, 0), 0);
	CHECK_EQ(HC(fpu_taskswitch, 0, 0, 0, 0), 0);
	CHECK_EQ(fpu_touch(), NO_TRAP);
	CHECK_EQ(WRITE_CR(0, cr0 & ~0x80000000UL), 13);	/* PG */
	CHECK_EQ(WRITE_CR(0, cr0 ^ 0x10000), 13);	/* WP */
	CHECK_EQ(READ_CR(0), cr0);
}

static void fault_address(void)
{
	CHECK_EQ(WRITE_CR(2, 0x1234567), NO_TRAP);
	CHECK_EQ(READ_CR(2), 0x1234567);
	CHECK_EQ(VCPU0->arch.cr2, 0x1234567);
	__asm__ volatile(TRY("movb (%0), %%al") :: "r"(0x7000UL) : "rax");
	CHECK_EQ(trapped(), 14);
	CHECK_EQ(READ_CR(2), 0x7000);
}

static void page_table_root(void)
{
	u64 cr3 = READ_CR(3);

	CHECK_EQ(WRITE_CR(3, cr3), NO_TRAP);
	CHECK_EQ(READ_CR(3), cr3);
	CHECK_EQ(WRITE_CR(3, va_to_mfn(page_alloc()) << 12), 13);
	CHECK_EQ(WRITE_CR(3, 0xfffffffffff000), 13);
	CHECK_EQ(READ_CR(3), cr3);
}

static void features(void)
{
	u64 cr4 = READ_CR(4);

	CHECK_EQ(cr4 & 0x620, 0x620);		/* PAE OSFXSR OSXMMEXCPT */
	CHECK_EQ(WRITE_CR(4, cr4), NO_TRAP);
	WRITE_CR(4, ~0UL);
	WRITE_CR(4, 0);
	CHECK_EQ(READ_CR(4) & 0x620, 0x620);
	CHECK_EQ(READ_CR(4) & 0x300000, 0);	/* SMEP SMAP never shown */
	CHECK_EQ(WRITE_CR(4, cr4), NO_TRAP);
	READ_CR(8);
	trapped();
	WRITE_CR(8, 15);
	trapped();
}

void guest_main(void)
{
	struct physdev_set_iopl iopl = { .iopl = 1 };

	task_switched();
	fault_address();
	page_table_root();
	features();
	__asm__ volatile(TRY("lgdt (%0)") :: "r"(start_info) : "memory");
	CHECK_EQ(trapped(), 13);
	__asm__ volatile(TRY("ltr %%ax") :: "a"(0xe040) : "memory");
	CHECK_EQ(trapped(), 13);
	__asm__ volatile(TRY("cli") ::: "memory");
	CHECK_EQ(trapped(), 13);		/* no I/O privilege yet */
	CHECK_EQ(HC(physdev_op, PHYSDEVOP_set_iopl, &iopl, 0, 0), 0);
	__asm__ volatile(TRY("cli") ::: "memory");
	CHECK_EQ(trapped(), NO_TRAP);		/* ignored */
	__asm__ volatile(TRY("sti") ::: "memory");
	CHECK_EQ(trapped(), NO_TRAP);
}
