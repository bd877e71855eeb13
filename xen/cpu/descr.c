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
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <domain/domain.h>
#include <entry/entry.h>

mfn_t gdt_reserved_mfn;

#define OWN_OFF		(GDT_RESERVED_PAGE << PAGE_SHIFT)
#define GDT_LIMIT	(OWN_OFF + PAGE_SIZE - 1)

#define DESC_TYPE	(0xfUL << 40)
#define DESC_CODE_DATA	(1UL << 44)	/* S: not a system segment */
#define DESC_DPL3	(3UL << 45)
#define DESC_PRESENT	(1UL << 47)
#define TYPE_CALL_GATE	(0xcUL << 40)

/* Accessed bits are set: the processor must not need to write the page. */
static const struct { u16 sel; u64 desc; } flat[] = {
	{ SEL_HYP_CS,	  0x00af9b000000ffff },
	{ SEL_HYP_DS,	  0x00cf93000000ffff },
	{ SEL_RING3_CS32, 0x00cffb000000ffff },
	{ SEL_RING3_SS,	  0x00cff3000000ffff },
	{ SEL_RING3_CS64, 0x00affb000000ffff },
};

struct pseudo_desc {
	u16 limit;
	u64 base;
} __packed;

static inline void lgdt(u64 base)
{
	struct pseudo_desc d = { .limit = GDT_LIMIT, .base = base };

	__asm__ volatile("lgdt %0" :: "m"(d) : "memory");
}

static inline void lldt(u16 sel)
{
	__asm__ volatile("lldt %0" :: "r"(sel));
}

static u64 own_base(const struct cpu *c)
{
	return (u64)c->gdt - OWN_OFF;
}

static u64 *own_entry(const struct cpu *c, u16 sel)
{
	return &c->gdt[(sel - OWN_OFF) / 8];
}

/* A 16-byte system descriptor; type 9 is a free TSS, 2 an LDT. */
static void set_system(u64 *e, u64 base, u64 limit, u64 type)
{
	e[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 |
	       DESC_PRESENT | (limit >> 16 & 0xf) << 48 |
	       (base >> 24 & 0xff) << 56;
	e[1] = base >> 32;
}

static u64 *new_flat_page(void)
{
	u64 *page = alloc_page();
	unsigned int i;

	if (!page)
		panic("no memory for a GDT");
	for (i = 0; i < ARRAY_SIZE(flat); i++)
		page[(flat[i].sel - OWN_OFF) / 8] = flat[i].desc;
	return page;
}

static void init_tss(struct cpu *c)
{
	u64 block = (u64)c - PERCPU_CPU_OFF;

	c->tss.rsp0 = block + PERCPU_STACK_TOP;
	c->tss.ist[IST_DF - 1] = block + PERCPU_DF_TOP;
	c->tss.ist[IST_NMI - 1] = block + PERCPU_NMI_TOP;
	c->tss.ist[IST_MC - 1] = block + PERCPU_MC_TOP;
	c->tss.ist[IST_DB - 1] = block + PERCPU_DB_TOP;
	c->tss.iomap_base = sizeof(c->tss);	/* beyond the limit: no ports */
	set_system(own_entry(c, SEL_TSS), (u64)&c->tss, sizeof(c->tss) - 1, 9);
}

static void load_selectors(void)
{
	u64 scratch;

	__asm__ volatile("pushq %1\n\t"
			 "leaq 1f(%%rip),%0\n\t"
			 "pushq %0\n\t"
			 "lretq\n"
			 "1:\tmovl %2,%k0\n\t"
			 "movl %k0,%%ss\n\t"
			 "xorl %k0,%k0\n\t"
			 "movl %k0,%%ds\n\t"
			 "movl %k0,%%es\n\t"
			 "movl %k0,%%fs\n\t"
			 "movl %k0,%%gs"
			 : "=&r"(scratch)
			 : "i"(SEL_HYP_CS), "i"(SEL_HYP_DS) : "memory");
}

/* Physical address behind one of our own 4 KiB mappings, in the live tables. */
static paddr_t walk(u64 va)
{
	paddr_t table = read_cr3() & PTE_ADDR_MASK;
	int shift;
	u64 e;

	for (shift = 39; shift >= 12; shift -= 9) {
		e = ((u64 *)paddr_to_virt(table))[va >> shift & 511];
		BUG_ON(!(e & PTE_P));
		if (shift > 12 && shift < 39 && e & PTE_PSE) {
			u64 mask = (1UL << shift) - 1;

			return (e & PTE_ADDR_MASK & ~mask) | (va & mask);
		}
		table = e & PTE_ADDR_MASK;
	}
	return table | (va & ~PAGE_MASK);
}

/*
 * Gives this CPU its GDT, TSS, IDT and system-call stub.  The final page
 * tables and the page allocator must be up, and the CPU's block mapped.  The
 * first call also makes the page that every guest's GDT shares.
 */
void descr_init_this(void)
{
	struct cpu *c = this_cpu();
	u64 stub = (u64)c - PERCPU_CPU_OFF;

	if (!gdt_reserved_mfn.m)
		gdt_reserved_mfn = virt_to_mfn(new_flat_page());
	c->gdt = new_flat_page();
	init_tss(c);
	lgdt(own_base(c));
	load_selectors();
	lldt(0);
	__asm__ volatile("ltr %0" :: "r"((u16)SEL_TSS));
	idt_load();
	syscall_stub_install(paddr_to_virt(walk(stub)), stub);
}

/* See cpu.h.  Touches only *desc, which is the caller's private copy. */
bool descr_fixup(u64 *desc)
{
	u64 d = *desc;

	if (!(d & DESC_PRESENT))
		return true;	/* faults when used */
	if (d & DESC_CODE_DATA) {
		if ((d & DESC_DPL3) != DESC_DPL3)
			*desc = d | DESC_DPL3;
		return true;
	}
	if ((d & DESC_TYPE) == TYPE_CALL_GATE) {
		*desc = d & ~DESC_PRESENT;
		return true;
	}
	/* Type 0 faults too; it is also a 16-byte gate's upper half. */
	return !(d & DESC_TYPE);
}

/*
 * v's address space must be loaded (or hold our slots, for NULL): the tables
 * lie in its per-domain slot.
 */
void descr_load(const struct vcpu *v)
{
	struct cpu *c = this_cpu();
	u64 *ldt = own_entry(c, SEL_LDT);
	bool had_ldt = ldt[0] != 0;

	if (v && v->ldt_ents) {
		lgdt(own_base(c));
		set_system(ldt, LDT_VA(v->id), v->ldt_ents * 8UL - 1, 2);
		lldt(SEL_LDT);
	} else if (had_ldt) {
		ldt[0] = ldt[1] = 0;
		lldt(0);
	}
	lgdt(v ? GDT_VA(v->id) : own_base(c));
}
