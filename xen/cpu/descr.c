/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Segment descriptors: the CPU's own table, and what guests may put in theirs.
 *
 * Invariant: in every GDT that is ever loaded, page 14 is ours and holds the
 * flat segments, so that a trap always finds SEL_HYP_CS; and no entry a guest
 * can write gives more than ring 3.  TSS and LDT descriptors stand only in
 * the CPU's own GDT, which is loaded while LTR or LLDT executes and while no
 * guest is; a guest can neither see nor change them.
 *
 *	guest GDT (GDT_VA)    0 ........ 0xe000 .... 0xefff
 *	                      guest's    page 14: flat segments, shared frame
 *	own GDT               (nothing   page 14: flat segments, TSS, LDT
 *	                       mapped)
 *
 * The own GDT is one page; its base lies 14 pages below, and entries there
 * are never used by ring 0.
 *
 * A hostile guest tries entries of ring 0, call gates and system segments
 * (descr_fixup), and changes an entry after the check: its table pages are
 * typed TYPE_SEG_DESC and so never writable for it (mm/).
 */
#include <domain/domain.h>
#include <entry/entry.h>

mfn_t gdt_reserved_mfn;

#define OWN_OFF		(GDT_RESERVED_PAGE << PAGE_SHIFT)
#define OWN_ENTRY(sel)	(((sel) - OWN_OFF) / 8)
#define GDT_LIMIT	(OWN_OFF + PAGE_SIZE - 1)

#define DESC_TYPE	(0xfUL << 40)
#define DESC_CODE_DATA	(1UL << 44)	/* S: not a system segment */
#define DESC_DPL3	(3UL << 45)
#define DESC_PRESENT	(1UL << 47)
#define TYPE_CALL_GATE	(0xcUL << 40)

/* From SEL_HYP_CS on: our code and data; ring 3's 32-bit code, its data, its
 * 64-bit code.  Accessed: the processor must not need to write the page. */
static const u64 flat[] = {
	0x00af9b000000ffff, 0x00cf93000000ffff, 0,
	0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff,
};
_Static_assert(SEL_HYP_DS == SEL_HYP_CS + 8 &&
	       SEL_RING3_CS32 == SEL_HYP_CS + 3 * 8 + 3 &&
	       SEL_RING3_SS == SEL_HYP_CS + 4 * 8 + 3 &&
	       SEL_RING3_CS64 == SEL_HYP_CS + 5 * 8 + 3, "order of flat[]");

/* v's table, or the CPU's own for NULL. */
static void lgdt(const struct vcpu *v)
{
	struct pseudo_desc d = { GDT_LIMIT, v ? GDT_VA(v->id) :
				 (u64)this_cpu()->gdt - OWN_OFF };

	__asm__ volatile("lgdt %0" :: "m"(d) : "memory");
}

/* A 16-byte system descriptor; type 9 is a free TSS, 2 an LDT. */
static void set_system(u64 *e, u64 base, u64 limit, u64 type)
{
	e[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 |
	       DESC_PRESENT | (base >> 24 & 0xff) << 56;
	e[1] = base >> 32;
}

static u64 *new_flat_page(void)
{
	u64 *page = alloc_page();

	if (!page)
		panic("no memory for a GDT");
	memcpy(&page[OWN_ENTRY(SEL_HYP_CS)], flat, sizeof(flat));
	return page;
}

/*
 * Gives this CPU its GDT, TSS, IDT and system-call stub.  The final page
 * tables and the page allocator must be up, and the CPU's block mapped.  The
 * first call also makes the page that every guest's GDT shares.
 */
void descr_init_this(void)
{
	struct cpu *c = this_cpu();
	u64 block = (u64)c - PERCPU_CPU_OFF, scratch;

	if (!gdt_reserved_mfn.m)
		gdt_reserved_mfn = virt_to_mfn(new_flat_page());
	c->gdt = new_flat_page();
	c->tss.rsp0 = block + PERCPU_STACK_TOP;
	for (unsigned int n = IST_DF; n <= IST_DB; n++)
		c->tss.ist[n - 1] = block + PERCPU_IST_TOP(n);
	c->tss.iomap_base = sizeof(c->tss);	/* beyond the limit: no ports */
	set_system(&c->gdt[OWN_ENTRY(SEL_TSS)], (u64)&c->tss,
		   sizeof(c->tss) - 1, 9);
	lgdt(NULL);
	__asm__ volatile("pushq %1\n\t"
			 "leaq 1f(%%rip), %0\n\t"
			 "pushq %0\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%ss\n\t"
			 "lldt %w3\n\t"
			 "ltr %w4"
			 : "=&r"(scratch)
			 : "i"(SEL_HYP_CS), "r"(SEL_HYP_DS), "r"(0),
			   "r"(SEL_TSS) : "memory");
	idt_load();
	/* The stub's page is executable and so read-only; for once not. */
	write_cr0(read_cr0() & ~X86_CR0_WP);
	memcpy((void *)block, syscall_stub_start,
	       (size_t)(syscall_stub_end - syscall_stub_start));
	write_cr0(read_cr0() | X86_CR0_WP);
}

/* See cpu.h.  Touches only *desc, which is the caller's private copy. */
bool descr_fixup(u64 *desc)
{
	u64 type = *desc & DESC_TYPE;

	if (!(*desc & DESC_PRESENT))
		return true;	/* faults when used */
	if (*desc & DESC_CODE_DATA)
		*desc |= DESC_DPL3;
	else if (type == TYPE_CALL_GATE)
		*desc &= ~DESC_PRESENT;
	else	/* Type 0 faults too; it is also a 16-byte gate's upper half. */
		return !type;
	return true;
}

/*
 * v's address space must be loaded (or hold our slots, for NULL): the tables
 * lie in its per-domain slot.
 */
void descr_load(const struct vcpu *v)
{
	u64 *ldt = &this_cpu()->gdt[OWN_ENTRY(SEL_LDT)];
	u16 sel = v && v->ldt_ents ? SEL_LDT : 0;

	if (sel || ldt[0]) {
		ldt[0] = 0;
		if (sel)
			set_system(ldt, LDT_VA(v->id), v->ldt_ents * 8 - 1, 2);
		lgdt(NULL);
		__asm__ volatile("lldt %0" :: "r"(sel));
	}
	lgdt(v);
}
