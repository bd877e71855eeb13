/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: RDMSR and WRMSR of a guest kernel do what a PV guest may do and give
 * #GP for the rest; no value makes the hypervisor fault.  Guards XSA-193,
 * XSA-279.
 */
#include "lib/guest.h"

static u64 rd(u32 msr)
{
	u32 lo = 0, hi = 0;

	__asm__ volatile(TRY("rdmsr") : "+a"(lo), "+d"(hi) : "c"(msr)
			 : "memory");
	return (u64)hi << 32 | lo;
}

static u64 wr(u32 msr, u64 val)
{
	__asm__ volatile(TRY("wrmsr") :: "a"((u32)val), "d"((u32)(val >> 32)),
			 "c"(msr) : "memory");
	return trapped();
}

static void bases(void)
{
	static const u32 msr[3] = { 0xc0000100, 0xc0000101, 0xc0000102 };
	static u64 word = 0x1234567890abcdef;
	u64 got;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(wr(msr[i], (u64)&word), NO_TRAP);
		CHECK_EQ(rd(msr[i]), &word);
		CHECK_EQ(wr(msr[i], 0x800000000000), 13);
		CHECK_EQ(wr(msr[i], 0xffff7fffffffffff), 13);
		CHECK_EQ(rd(msr[i]), &word);
		CHECK_EQ(trapped(), NO_TRAP);
	}
	__asm__ volatile("mov %%fs:0, %0" : "=r"(got));
	CHECK_EQ(got, word);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
	CHECK_EQ(got, word);
	/* these survive hypercalls and a switch away */
	HC(sched_op, SCHEDOP_yield, 0, 0, 0);
	CHECK_EQ(rd(0xc0000100), &word);
	CHECK_EQ(rd(0xc0000102), &word);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(wr(msr[i], 0), NO_TRAP);
}

static void known(void)
{
	u64 efer = rd(0xc0000080);

	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(efer & 0x501, 0x501);		/* LMA LME SCE */
	CHECK_EQ(wr(0xc0000080, efer), NO_TRAP);
	wr(0xc0000080, efer & ~1UL);		/* no matter what: no effect */
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
	CHECK_EQ(rd(0x277), 0x050100070406);	/* PAT as Xen has it */
	wr(0x277, 0x0007040600070406);
	CHECK_EQ(rd(0x277), 0x050100070406);
	rd(0x1b);
	CHECK_EQ(trapped(), NO_TRAP);
	rd(0x10);
	trapped();
}

static void unknown(void)
{
	rd(0x12345678);
	CHECK_EQ(trapped(), 13);
	CHECK_EQ(wr(0xc0000082, (u64)unknown), 13);	/* LSTAR */
	CHECK_EQ(wr(0x1d9, 0x1), 13);			/* DEBUGCTL */
	for (u32 m = 0; m < 0x1000; m++) {
		rd(m);
		trapped();
	}
	for (u32 m = 0xc0000000; m < 0xc0000200; m++) {
		rd(m);
		trapped();
	}
	for (u32 m = 0xc0010000; m < 0xc0010200; m++) {
		rd(m);
		trapped();
	}
	for (u32 m = 0; m < 0x100000; m += 0x3f1)
		wr(m, 0x123456789abcdef0UL * m);
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
}

void guest_main(void)
{
	bases();
	known();
	unknown();
}
