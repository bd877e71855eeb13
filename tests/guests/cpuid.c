/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: the forced CPUID instruction shows Xen's leaves and hides what a PV
 * guest must not use: PSE, PGE, 1 GiB pages, PCID, VMX, SVM, SMEP, SMAP.
 * FSGSBASE does not work if it is hidden: a kernel that believes it is not
 * there does not save what its users write (XSA-293).
 */
#include "lib/guest.h"

struct leaf {
	u32 a, b, c, d;
};

static struct leaf forced(u32 leaf, u32 sub)
{
	struct leaf l = { .a = leaf, .c = sub };

	__asm__ volatile(".byte 0x0f,0x0b,0x78,0x65,0x6e,0x0f,0xa2"
			 : "+a"(l.a), "=b"(l.b), "+c"(l.c), "=d"(l.d));
	return l;
}

static void leaves_of_xen(void)
{
	struct leaf l = forced(0x40000000, 0);

	CHECK(l.a >= 0x40000003 && l.a < 0x40000100);
	CHECK_EQ(l.b, 0x566e6558);	/* "XenVMMXenVMM" */
	CHECK_EQ(l.c, 0x65584d4d);
	CHECK_EQ(l.d, 0x4d4d566e);
	l = forced(0x40000001, 0);
	CHECK_EQ(l.a, HC(xen_version, XENVER_version, 0, 0, 0));
	l = forced(0x40000002, 0);
	CHECK_EQ(l.a, 0);		/* no pages of hypercalls by MSR */
	CHECK_EQ(l.b, 0);
	CHECK_EQ(l.c & 1, 1);		/* MMU_PT_UPDATE_PRESERVE_AD */
	l = forced(0x40000003, 2);
	CHECK(l.a > 1000);		/* TSC, kHz */
}

static void hidden(void)
{
	struct leaf l = forced(1, 0);

	CHECK_EQ(l.c & (1U << 31), 1U << 31);	/* hypervisor */
	CHECK_EQ(l.c & (1U << 5 | 1U << 17), 0);	/* VMX PCID */
	CHECK_EQ(l.d & (1U << 3 | 1U << 13 | 1U << 17), 0); /* PSE PGE PSE36 */
	CHECK_EQ(l.d & 0x07808151, 0x07808151);	/* FPU TSC PAE CX8 CMOV.. */
	l = forced(7, 0);
	CHECK_EQ(l.b & (1U << 7 | 1U << 20 | 1U << 10), 0);
	CHECK_EQ(l.c & (1U << 3 | 1U << 16), 0);	/* PKU LA57 */
	l = forced(0x80000001, 0);
	CHECK_EQ(l.d & (1U << 26 | 1U << 3 | 1U << 13), 0);
	CHECK_EQ(l.d & (1U << 29 | 1U << 20), 1U << 29 | 1U << 20);
	CHECK_EQ(l.c & (1U << 2), 0);			/* SVM */
	l = forced(0x8000000a, 0);
	CHECK_EQ(l.a | l.b | l.d, 0);
}

static void no_fsgsbase(void)
{
	u8 *code = page_alloc();
	u64 base;

	if (forced(7, 0).b & 1)
		return;
	__asm__ volatile(TRY("rdgsbase %0") : "=r"(base));
	CHECK_EQ(trapped(), 6);
	memcpy(code, "\xf3\x48\x0f\xae\xdf", 5);	/* wrgsbase %rdi */
	CHECK_EQ(user_space_create(code), 0);
	CHECK_EQ(user_run(USER_CODE, 0x1000)->vector, 6);
}

static void bounds(void)
{
	struct leaf l = forced(0, 0);

	CHECK(l.a >= 7 && l.a < 0x40);
	l = forced(0x80000000, 0);
	CHECK(l.a >= 0x80000008 && l.a < 0x80000100);
	l = forced(l.a + 1, 0);
	CHECK_EQ(l.a | l.b | l.c | l.d, 0);
	l = forced(0x40000fff, 0);
	l = forced(0xffffffff, ~0U);
	CHECK_EQ(l.a | l.b | l.c | l.d, 0);
	l = forced(0x80000008, 0);
	CHECK((l.a & 0xff) >= 36 && (l.a & 0xff) <= 52);
	l = forced(0xd, 0);
	CHECK_EQ(l.a & 3, 3);
	CHECK(l.b >= 576);
}

void guest_main(void)
{
	leaves_of_xen();
	hidden();
	no_fsgsbase();
	bounds();
	/* the instruction must not run past an unmapped page */
	static u8 page[8192] __page;

	page[4095] = 0x0f;
	page[4096] = 0x0b;
	CHECK_EQ(map_va(page + 4096, 0), 0);
	__asm__ volatile(TRY("jmp *%0") :: "r"(page + 4095));
	CHECK_EQ(trapped(), 14);
}
