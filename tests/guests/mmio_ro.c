/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: device pages that the hypervisor keeps for itself can be mapped by
 * Dom0, but for reading: the write permission is taken away, a plain store has
 * no effect and no trap, and what would also read, faults.  The local APIC
 * cannot be mapped at all.
 */
#include "lib/guest.h"

#define IOAPIC	0xfec00000UL
#define LAPIC	0xfee00000UL

static u8 window[4096] __page;

#define STORE(insn, ...) ({ \
	__asm__ volatile(TRY(insn) : __VA_ARGS__ : "memory", "cc"); \
	trapped(); })

void guest_main(void)
{
	volatile u32 *reg = (volatile u32 *)window;
	u64 value = 0x55, rax = 7;
	u32 before;

	CHECK_EQ(map_va(window, LAPIC | PTE_FLAGS), -XEN_EPERM);
	CHECK_EQ(map_va(window, IOAPIC | PTE_FLAGS), 0);
	before = reg[0];
	CHECK_EQ(STORE("movl %k0, (%1)", : "r"(value), "r"(reg)), NO_TRAP);
	CHECK_EQ(STORE("movl $0x12, 16(%0)", : "r"(reg)), NO_TRAP);
	CHECK_EQ(STORE("movb $0x12, (%0,%1,4)", : "r"(reg), "r"(4UL)), NO_TRAP);
	CHECK_EQ(STORE("movq %0, 0x20(%1)", : "r"(value), "r"(reg)), NO_TRAP);
	CHECK_EQ(reg[0], before);
	CHECK_EQ(STORE("xchgl %k0, (%1)", "+r"(rax) : "r"(reg)), 14);
	CHECK_EQ(rax, 7);
	CHECK_EQ(STORE("orl $1, (%0)", : "r"(reg)), 14);
	CHECK_EQ(map_va(window, 0), 0);
	recount();
}
