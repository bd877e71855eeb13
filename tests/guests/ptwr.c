/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a store to a read-only mapped L1 is carried out for the guest, with
 * the width and the lock prefix it had, if the entry that results is allowed,
 * and can be single-stepped; otherwise the guest gets its page fault and the
 * table is unchanged.
 */
#include "lib/guest.h"

static volatile u64 l1[512] __page;
static u8 data[4096] __page, other[4096] __page;

#define STORE(insn, ...) ({ \
	__asm__ volatile(TRY(insn) : __VA_ARGS__ : "memory", "cc"); \
	trapped(); })

static u64 pte(const void *va, u64 flags)
{
	return va_to_mfn(va) << 12 | flags;
}

static void plain_stores(void)
{
	u64 e = pte(data, PTE_P | PTE_US | PTE_A), f = e | 0x200;

	CHECK_EQ(STORE("movq %0, (%1)", : "r"(e), "r"(&l1[3])), NO_TRAP);
	CHECK_EQ(l1[3] & 0xfffffffff07f, e & 0xfffffffff07f);
	CHECK_EQ(STORE("movq %0, (%1)", : "r"(f), "r"(&l1[3])), NO_TRAP);
	CHECK_EQ(l1[3] & 0x200, 0x200);
	CHECK_EQ(STORE("movl $0, (%0)", : "r"(&l1[3])), NO_TRAP);
	CHECK_EQ((u32)l1[3], 0);
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(&l1[3])), NO_TRAP);
	CHECK_EQ(l1[3], 0);
	/* halves: the low one first would be a wrong frame */
	CHECK_EQ(STORE("movl %0, 4(%1)", : "r"((u32)(e >> 32)),
		       "r"(&l1[3])), NO_TRAP);
	CHECK_EQ(STORE("movl %0, (%1)", : "r"((u32)e), "r"(&l1[3])),
		 NO_TRAP);
	CHECK_EQ(l1[3] & PTE_ADDR, e & PTE_ADDR);
	CHECK_EQ(STORE("movb $0, (%0)", : "r"(&l1[3])), NO_TRAP);
	CHECK_EQ(l1[3] & 0xff, 0);
	CHECK_EQ(l1[3] & PTE_ADDR, e & PTE_ADDR);
	CHECK_EQ(STORE("movw $0, (%0)", : "r"(&l1[3])), NO_TRAP);
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(&l1[3])), NO_TRAP);
}

static void locked(void)
{
	u64 e = pte(data, PTE_P | PTE_US | PTE_A | PTE_D), x = e, seen;
	u8 carry;

	CHECK_EQ(STORE("xchgq %0, (%1)", "+r"(x) : "r"(&l1[5])), NO_TRAP);
	CHECK_EQ(x, 0);
	CHECK_EQ(l1[5] & PTE_ADDR, e & PTE_ADDR);
	__asm__ volatile(TRY("lock btrq $6, (%1)") "setc %0" : "=r"(carry)
			 : "r"(&l1[5]) : "memory", "cc");
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(carry, 1);
	CHECK_EQ(l1[5] & PTE_D, 0);
	CHECK_EQ(STORE("lock btsq $6, (%0)", : "r"(&l1[5])), NO_TRAP);
	CHECK_EQ(l1[5] & PTE_D, PTE_D);
	CHECK_EQ(STORE("lock andb $0xdf, (%0)", : "r"(&l1[5])), NO_TRAP);
	CHECK_EQ(l1[5] & PTE_A, 0);
	CHECK_EQ(STORE("lock orq $0x20, (%0)", : "r"(&l1[5])), NO_TRAP);
	CHECK_EQ(l1[5] & PTE_A, PTE_A);
	seen = l1[5];
	x = 0x1234;			/* differs: must report, not store */
	CHECK_EQ(STORE("lock cmpxchgq %2, (%1)", "+a"(x) : "r"(&l1[5]),
		       "r"(0UL)), NO_TRAP);
	CHECK_EQ(x, seen);
	CHECK_EQ(l1[5], seen);
	CHECK_EQ(STORE("lock cmpxchgq %2, (%1)", "+a"(x) : "r"(&l1[5]),
		       "r"(0UL)), NO_TRAP);
	CHECK_EQ(l1[5], 0);
}

static u64 step_rip, step_flags;

static void step(struct guest_frame *f)
{
	step_rip = f->rip;
	step_flags = f->rflags;
	f->rflags &= ~0x100UL;
}

/* A debugger that steps over such a store stops right behind it. */
static void stepped(void)
{
	u64 behind;

	trap_handler[1] = step;
	__asm__ volatile("leaq 1f(%%rip), %0\n pushfq\n"
			 "orl $0x100, (%%rsp)\n popfq\n movq $0, (%1)\n"
			 "1: nop\n nop" : "=&r"(behind) : "r"(&l1[7])
			 : "memory", "cc");
	CHECK_EQ(step_rip, behind);
	CHECK_EQ(step_flags & 0x10100, 0x100);	/* RF is gone */
	trap_handler[1] = NULL;
}

static void refused(void)
{
	u64 rw = pte((void *)start_info->pt_base, PTE_FLAGS);
	u64 e = pte(other, PTE_FLAGS), before;

	CHECK_EQ(STORE("movq %0, (%1)", : "r"(rw), "r"(&l1[9])), 14);
	CHECK_EQ(l1[9], 0);
	CHECK_EQ(VCPU0->arch.cr2, &l1[9]);
	CHECK_EQ(STORE("movq %0, (%1)", : "r"(e | 1UL << 50), "r"(&l1[9])),
		 14);
	CHECK_EQ(STORE("xchgq %0, (%1)", "+r"(rw) : "r"(&l1[9])), 14);
	CHECK_EQ(l1[9], 0);
	CHECK_EQ(STORE("movq %0, (%1)", : "r"(e), "r"(&l1[9])), NO_TRAP);
	before = l1[9];
	CHECK_EQ(STORE("movl %0, 4(%1)", : "r"(0xfffff), "r"(&l1[9])), 14);
	CHECK_EQ(l1[9], before);
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(&l1[9])), NO_TRAP);
	/* a page that is not a table, and one that is of another level */
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(data)), 14);
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(start_info->pt_base)), 14);
	/* a store across two pages, and into hypervisor space */
	CHECK_EQ(STORE("movq $0, (%0)", : "r"((u64)l1 - 4)), 14);
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(0xffff800000000000)), 14);
}

void guest_main(void)
{
	CHECK_EQ(HC(vm_assist, VMASST_CMD_enable,
		    VMASST_TYPE_writable_pagetables, 0, 0), 0);
	CHECK_EQ(make_readonly(data), 0);
	CHECK_EQ(make_readonly((void *)l1), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn((void *)l1), 0), 0);
	plain_stores();
	locked();
	stepped();
	refused();
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn((void *)l1), 0), 0);
	CHECK_EQ(STORE("movq $0, (%0)", : "r"(&l1[5])), 14);
	recount();
}
