/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: set_gdt(), update_descriptor() and SET_LDT install only descriptors
 * that cannot give a guest more than ring 3; system segments are refused; a
 * page in use as a descriptor table cannot be mapped writable.  Guards XSA-298
 * (limits) and XSA-242 (types are dropped with the use).
 */
#include "lib/guest.h"

static u64 gdt[512] __page, ldt[512] __page, plain[512] __page;

#define CODE64	0x00af9b000000ffffUL	/* DPL 0 */
#define DATA	0x00cf93000000ffffUL
#define DPL3	0x0000600000000000UL

static long update(u64 *desc, u64 val)
{
	return HC(update_descriptor, va_to_mfn(desc) << 12 |
		  ((u64)desc & 0xfff), val, 0, 0);
}

static u64 load_ds(u64 sel)
{
	__asm__ volatile(TRY("mov %0, %%ds") :: "r"(sel));
	return trapped();
}

static void updates(u64 *t)
{
	CHECK_EQ(update(&t[3], CODE64), 0);
	CHECK_EQ(t[3], CODE64 | DPL3);
	CHECK_EQ(update(&t[3], DATA), 0);
	CHECK_EQ(t[3], DATA | DPL3);
	CHECK_EQ(update(&t[3], DATA | 1UL << 45), 0);	/* DPL 1 */
	CHECK_EQ(t[3], DATA | DPL3);
	CHECK_EQ(update(&t[3], 0x0000890000000067), -XEN_EINVAL); /* TSS */
	CHECK_EQ(update(&t[3], 0x0000820000000067), -XEN_EINVAL); /* LDT */
	CHECK_EQ(update(&t[3], 0x00008e0000080000), -XEN_EINVAL); /* gate */
	CHECK_EQ(t[3], DATA | DPL3);
	/* a call gate may be kept for emulation, but not one that works */
	if (!update(&t[3], 0x0000ec0000080000))
		CHECK((t[3] & (DPL3 | 1UL << 47)) != (DPL3 | 1UL << 47));
	if (!update(&t[3], 0x0000ec00e0080000))
		CHECK_EQ(t[3] & 1UL << 47, 0);
	CHECK_EQ(update(&t[3], 0), 0);
	CHECK_EQ(t[3], 0);
	CHECK_EQ(HC(update_descriptor, va_to_mfn(t) << 12 | 4, 0, 0, 0),
		 -XEN_EINVAL);
	CHECK_EQ(HC(update_descriptor, 0xffffffffffff000, 0, 0, 0),
		 -XEN_EINVAL);
	CHECK(HC(update_descriptor, va_to_mfn((void *)start_info->pt_base)
		 << 12, 0, 0, 0) < 0);
}

static void gdt_use(void)
{
	u64 frames[16] = { va_to_mfn(gdt) };
	u64 rw = va_to_mfn(gdt) << 12 | PTE_FLAGS;

	gdt[1] = 0x0000890000000067 | DPL3;		/* a TSS */
	CHECK_EQ(make_readonly(gdt), 0);
	CHECK_EQ(HC(set_gdt, frames, 512, 0, 0), -XEN_EINVAL);
	CHECK_EQ(make_writable(gdt), 0);
	gdt[1] = 0;
	gdt[2] = DATA | DPL3;
	CHECK_EQ(HC(set_gdt, frames, 512, 0, 0), -XEN_EINVAL);	/* writable */
	CHECK_EQ(make_readonly(gdt), 0);
	CHECK_EQ(HC(set_gdt, frames, 7169, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(set_gdt, 0xffff880000000000 - 8, 512, 0, 0), -XEN_EFAULT);
	frames[0] = 0xffffffffff;
	CHECK_EQ(HC(set_gdt, frames, 512, 0, 0), -XEN_EINVAL);
	frames[0] = va_to_mfn(gdt);
	CHECK_EQ(HC(set_gdt, frames, 512, 0, 0), 0);
	CHECK_EQ(load_ds(2 * 8 + 3), NO_TRAP);
	CHECK_EQ(load_ds(3 * 8 + 3), 13);
	CHECK_EQ(map_va(gdt, rw), -XEN_EBUSY);
	updates(gdt);
	CHECK_EQ(update(&gdt[4], DATA), 0);
	CHECK_EQ(load_ds(4 * 8 + 3), NO_TRAP);
	CHECK_EQ(load_ds(FLAT_RING3_DS32), NO_TRAP);
	CHECK_EQ(HC(set_gdt, 0, 0, 0, 0), 0);
	CHECK_EQ(load_ds(2 * 8 + 3), 13);
	CHECK_EQ(map_va(gdt, rw), 0);
}

static void ldt_use(void)
{
	ldt[0] = DATA | DPL3;
	ldt[1] = 0x0000890000000067 | DPL3;
	CHECK_EQ(mmuext(MMUEXT_SET_LDT, (u64)ldt + 8, 8), -XEN_EINVAL);
	CHECK_EQ(mmuext(MMUEXT_SET_LDT, (u64)ldt, 8193), -XEN_EINVAL);
	CHECK_EQ(mmuext(MMUEXT_SET_LDT, (u64)ldt, 512), 0);
	CHECK_EQ(load_ds(0 * 8 + 7), 14);		/* mapped writable */
	CHECK_EQ(VCPU0->arch.cr2, ldt);
	CHECK_EQ(load_ds(5 * 8 + 7), 14);
	CHECK_EQ(VCPU0->arch.cr2, &ldt[5]);
	CHECK_EQ(make_readonly(ldt), 0);
	CHECK_EQ(load_ds(0 * 8 + 7), 14);		/* holds a TSS */
	CHECK_EQ(make_writable(ldt), 0);
	ldt[1] = 0;
	CHECK_EQ(make_readonly(ldt), 0);
	CHECK_EQ(load_ds(0 * 8 + 7), NO_TRAP);
	CHECK_EQ(load_ds(1 * 8 + 7), 13);
	CHECK_EQ(load_ds(512 * 8 + 7), 13);		/* limit */
	CHECK(make_writable(ldt) != 0);
	updates(ldt);
	CHECK_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	CHECK_EQ(load_ds(0 * 8 + 7), 13);
	CHECK_EQ(make_writable(ldt), 0);
}

void guest_main(void)
{
	updates(plain);
	gdt_use();
	ldt_use();
	CHECK_EQ(load_ds(0), NO_TRAP);
	recount();
}
