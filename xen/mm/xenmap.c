/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hypervisor's own mappings.
 *
 * idle_l4 is the template: its slots 256 to 271 are copied into every guest's
 * L4, so their L3 tables exist before the first guest and never change.  Only
 * slot 260 differs, per domain.
 *
 * Invariants: nothing is writable and executable at once; the image's text and
 * constants are read-only in the direct map as well.  No entry has the user
 * bit but the read-only view of the machine-to-phys table (slot 256).  The
 * direct map holds RAM, and low memory for the firmware's sake, nothing else.
 * Tables are never freed, so no CPU walks one that is gone (XSA-345).
 *
 * No lock: tables are added by compare-and-swap, a leaf has one writer.
 */
#include <mm/internal.h>

u64 idle_l4[512] __aligned(4096);
const u8 zero_page[PAGE_SIZE] __aligned(4096);

#define TABLE_FLAGS	(PTE_P | PTE_RW | PTE_A | PTE_D)
#define LOW_MEMORY	0x100000UL

extern const u8 _text_start[], _text_end[], _rodata_start[], _rodata_end[];
extern const u8 _init_start[], _init_text_end[], _init_data_start[];
extern const u8 _init_end[], _data_start[], _data_end[];
extern u8 cpu0_block[];

static unsigned int va_index(u64 va, unsigned int level)
{
	return va >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
}

/*
 * The entry of the given level for va, by a table of level `top`; tables that
 * are not there are made.  NULL: no memory.
 */
static u64 *slot_at(u64 *table, unsigned int top, u64 va, unsigned int level,
		    u64 user)
{
	for (unsigned int l = top; l > level; l--) {
		u64 *slot = &table[va_index(va, l)], entry = READ_ONCE(*slot);

		if (!(entry & PTE_P)) {
			mfn_t mfn = table_page();
			u64 new = mfn.m << PAGE_SHIFT | TABLE_FLAGS | user;

			if (!mfn.m)
				return NULL;
			entry = cmpxchg(slot, 0, new);
			if (entry)
				free_page(mfn_to_virt(mfn));
			else
				entry = new;
		}
		BUG_ON(entry & PTE_PSE);
		table = mfn_to_virt(pte_mfn(entry));
	}
	return &table[va_index(va, level)];
}

/* One leaf of 4 KiB, 2 MiB or 1 GiB (level 1, 2, 3), at boot. */
void __init map_leaf(u64 va, paddr_t pa, unsigned int level, u64 flags)
{
	u64 *slot = slot_at(idle_l4, 4, va, level, flags & PTE_US);

	if (!slot)
		panic("no memory for page tables");
	*slot = pa | flags | (level > 1 ? PTE_PSE : 0);
}

/* 0, or -XEN_ENOMEM with some mapped.  No flags: unmapped, but not flushed. */
int map_pages(u64 va, mfn_t mfn, u64 nr, u64 pte_flags)
{
	for (u64 i = 0; i < nr; i++) {
		u64 *slot = slot_at(idle_l4, 4, va + i * PAGE_SIZE, 1, 0);

		if (!slot)
			return -XEN_ENOMEM;
		WRITE_ONCE(*slot, pte_flags ? (mfn.m + i) << PAGE_SHIFT |
					      pte_flags : 0);
	}
	return 0;
}

/* See mm.h.  Also while guests run: Dom0's devices appear when it finds them. */
void *map_io(paddr_t pa, size_t len, u64 pte_flags)
{
	static u64 next = IOMAP_BASE;
	u64 offset = pa & ~PAGE_MASK;
	u64 nr = DIV_ROUND_UP(offset + len, PAGE_SIZE);
	u64 va = atomic_add(&next, nr * PAGE_SIZE) - nr * PAGE_SIZE;

	if (va + nr * PAGE_SIZE > IOMAP_END ||
	    map_pages(va, MFN(pa >> PAGE_SHIFT), nr, pte_flags))
		panic("no room to map %lx bytes at %lx", (u64)len, pa);
	return (void *)(va + offset);
}

/* --- boot ------------------------------------------------------------ */

/* The image's read-only parts stay so in the direct map; what may touch them
 * is mapped by small pages. */
static void __init map_direct(paddr_t pa, paddr_t end)
{
	const paddr_t text = virt_to_paddr(_text_start);
	const paddr_t text_end = virt_to_paddr(_text_end);
	const paddr_t rodata = virt_to_paddr(_rodata_start);
	const paddr_t rodata_end = virt_to_paddr(_rodata_end);
	u32 a, b, c, edx;

	cpuid_count(0x80000001, 0, &a, &b, &c, &edx);
	while (pa < end) {
		bool ro = (pa >= text && pa < text_end) ||
			  (pa >= rodata && pa < rodata_end);
		unsigned int level = edx >> 26 & 1 ? 3 : 2;	/* 1 GiB? */
		u64 size = level == 3 ? 1UL << 30 : 1UL << 21;

		for (; level > 1 && (pa & (size - 1) || pa + size > end ||
				     (pa < rodata_end && pa + size > text));
		     size >>= 9)
			level--;
		map_leaf(DIRECTMAP_BASE + pa, pa, level,
			 (ro ? MAP_RO : MAP_RW) | PTE_G);
		pa += size;
	}
}

static void __init map_section(const u8 *start, const u8 *end, u64 flags)
{
	for (const u8 *p = start; p < end; p += PAGE_SIZE)
		map_leaf((u64)p, virt_to_paddr(p), 1, flags | PTE_G);
}

/* All fixed mappings, and the L3 tables that guests will share. */
void __init xenmap_init(void)
{
	map_section(_text_start, _text_end, MAP_RX);
	map_section(_init_start, _init_text_end, MAP_RX);
	map_section(_init_data_start, _init_end, MAP_RW);
	map_section(_rodata_start, _rodata_end, MAP_RO);
	map_section(_data_start, _data_end, MAP_RW);
	for (unsigned int i = 0; i < 16; i++)
		if (PERCPU_PAGES >> i & 1)
			map_leaf(PERCPU_BASE + i * PAGE_SIZE,
				 virt_to_paddr(cpu0_block) + i * PAGE_SIZE, 1,
				 i ? MAP_RW : MAP_RX);
	map_direct(0, LOW_MEMORY);
	for_each_ram(map_direct);
	slot_at(idle_l4, 4, M2P_RO_BASE, 3, PTE_US);
	slot_at(idle_l4, 4, M2P_RW_BASE, 3, 0);
	write_cr3(virt_to_paddr(idle_l4));
}

/* --- machine to phys ------------------------------------------------- */

void m2p_set(mfn_t mfn, u64 pfn)
{
	WRITE_ONCE(((u64 *)M2P_RW_BASE)[mfn.m], pfn);
}

/* --- the per-domain slot --------------------------------------------- */

/* See mm.h. */
u64 *perdomain_slot(const struct domain *d, u64 va)
{
	return slot_at(d->perdomain_l3, 3, va, 1, 0);
}

/*
 * v's windows: 0 or -XEN_ENOMEM.  The guest's GDT pages read as zeros, so any
 * selector in them is refused by the processor, not a page fault.
 */
int perdomain_add_vcpu(const struct vcpu *v)
{
	for (u64 i = 0; i <= GDT_RESERVED_PAGE; i++) {
		u64 *slot = perdomain_slot(v->domain,
					   GDT_VA(v->id) + i * PAGE_SIZE);

		if (!slot)
			return -XEN_ENOMEM;
		*slot = MAP_RO | (i < GDT_RESERVED_PAGE ?
				  virt_to_paddr(zero_page) :
				  gdt_reserved_mfn.m << PAGE_SHIFT);
	}
	return 0;
}

/* No L4 of the domain is left. */
void perdomain_destroy(struct domain *d)
{
	u64 *l3 = d->perdomain_l3, *l2 = mfn_to_virt(pte_mfn(l3[0]));

	for (unsigned int i = 0; l3[0] && l2[i]; i++)
		free_page(mfn_to_virt(pte_mfn(l2[i])));
	if (l3[0])
		free_page(l2);
	free_page(l3);
	d->perdomain_l3 = NULL;
}

void l4_install_hyp_slots(u64 *l4, const struct domain *d)
{
	for (unsigned int i = HYP_FIRST_SLOT; i < HYP_END_SLOT; i++)
		l4[i] = idle_l4[i];
	l4[PERDOMAIN_SLOT] = virt_to_paddr(d->perdomain_l3) | TABLE_FLAGS |
			     PTE_NX;
}

/* --- what the processor sees ----------------------------------------- */

/*
 * True if the tables allow what faulted: a stale translation was in the way,
 * and is gone now.
 */
bool spurious_fault(u64 cr2, u32 error_code)
{
	u64 entry = this_cpu()->cr3 & PTE_ADDR_MASK, all = PTE_RW | PTE_US;
	u64 nx = 0;

	/* What is mapped, ring 0 may read, unless SMAP or SMEP forbid it. */
	if ((error_code & (PFEC_P | PFEC_U | PFEC_W)) == PFEC_P ||
	    error_code & PFEC_RSVD)
		return false;
	for (unsigned int level = 4; level; level--) {
		if (!mfn_valid(pte_mfn(entry)))
			return false;
		entry = READ_ONCE(((u64 *)mfn_to_virt(pte_mfn(entry)))
				  [va_index(cr2, level)]);
		if (!(entry & PTE_P))
			return false;
		all &= entry;
		nx |= entry & PTE_NX;
		if (entry & PTE_PSE)	/* as an L1's: PAT, no more levels */
			break;
	}
	if ((error_code & PFEC_W && !(all & PTE_RW)) ||
	    (error_code & PFEC_U && !(all & PTE_US)) ||
	    (error_code & PFEC_I && nx))
		return false;
	tlb_flush_local(cr2);
	return true;
}
