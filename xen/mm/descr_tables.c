/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests' GDTs and LDTs.
 *
 * The processor reads them in each vCPU's window of the per-domain slot.  The
 * frames are the guest's own, typed TYPE_SEG_DESC: checked when they become
 * that, then written only by the processor (accessed bits) and, checked, by
 * update_descriptor.  Each frame in a window holds one use of the type.
 *
 * GDT pages are set at once.  LDT pages come in when first touched, since the
 * LDT is given by virtual address.  An entry of a window is only ever
 * exchanged, and who takes an entry out drops its use.
 *
 * Invariant: no CPU has a translation to a frame that left a window when its
 * use is dropped.  The windows are in the TLB of any CPU that ran the domain.
 */
#include <mm/internal.h>

#define DESCR_PER_PAGE	512
#define LDT_PAGES	16
#define GDT_PAGES	GDT_RESERVED_PAGE

/*
 * A window of n pages at va: the first nr map mfns, the rest is `empty`.  What
 * was there is taken out of the TLBs, then not in use any more.
 */
static void window_set(struct domain *d, u64 va, unsigned int n,
		       const u64 *mfns, unsigned int nr, u64 empty)
{
	u64 old[LDT_PAGES];
	bool changed = false;

	for (unsigned int i = 0; i < n; i++) {
		u64 pte = i < nr ? mfns[i] << PAGE_SHIFT | MAP_RW : empty;

		old[i] = xchg(perdomain_slot(d, va + i * PAGE_SIZE), pte);
		changed |= old[i] != pte;
	}
	/* Filled windows replaced empty ones: that is stale as well. */
	if (changed)
		tlb_flush_mask(READ_ONCE(d->dirty_cpus), FLUSH_ALL_VA);
	/* The zero page of empty GDT windows is nobody's. */
	while (n--)
		if (old[n] & PTE_RW)
			frame_put_type(pte_frame(old[n]));
}

/*
 * v's GDT becomes `entries` descriptors in these frames of its domain; v is
 * current or does not run.  0, or -XEN_EINVAL; then nothing has changed.
 */
int vcpu_set_gdt(struct vcpu *v, const u64 *mfns, unsigned int entries)
{
	unsigned int nr = DIV_ROUND_UP(entries, DESCR_PER_PAGE), i;
	int budget = TABLE_BUDGET, rc = 0;

	if (entries > FIRST_RESERVED_GDT_ENTRY)
		return deny(-XEN_EINVAL);
	for (i = 0; i < nr && !rc; i++)
		rc = mfn_type_get(MFN(mfns[i]), v->domain, TYPE_SEG_DESC,
				  &budget);
	if (rc) {
		for (i--; i-- > 0;)
			frame_put_type(mfn_to_frame(MFN(mfns[i])));
		return deny(-XEN_EINVAL);
	}
	window_set(v->domain, GDT_VA(v->id), GDT_PAGES, mfns, nr,
		   virt_to_paddr(zero_page) | MAP_RO);
	if (v == current)
		descr_load(v);
	return 0;
}

/* See domain.h: frame numbers in guest memory. */
long do_set_gdt(u64 frames, u64 entries, u64 a3, u64 a4, u64 a5, u64 a6)
{
	u64 mfns[GDT_PAGES];

	if ((u32)entries > FIRST_RESERVED_GDT_ENTRY)
		return deny(-XEN_EINVAL);
	if (copy_from_guest(mfns, frames, DIV_ROUND_UP((u32)entries,
				DESCR_PER_PAGE) * sizeof(u64)))
		return deny(-XEN_EFAULT);
	return vcpu_set_gdt(current, mfns, (u32)entries);
}

/* --- LDT ------------------------------------------------------------- */

/* v's LDT is at va, in its kernel's address space: 0 or -XEN_EINVAL. */
int vcpu_set_ldt(struct vcpu *v, u64 va, unsigned int entries)
{
	if (!entries)
		va = 0;
	if (va & ~PAGE_MASK || entries > 8192 || !va_canonical(va) ||
	    !guest_range_ok(va, entries * 8UL))
		return deny(-XEN_EINVAL);
	if (v->ldt_base == va && v->ldt_ents == entries)
		return 0;
	window_set(v->domain, LDT_VA(v->id), LDT_PAGES, NULL, 0, 0);
	v->ldt_base = va;
	v->ldt_ents = entries;
	if (v == current)
		descr_load(v);
	return 0;
}

/* See mm.h.  v is current.  The frame is what its kernel has mapped there. */
bool ldt_fault(struct vcpu *v, u64 cr2)
{
	u64 offset = cr2 - LDT_VA(v->id), *slot, e;
	int budget = TABLE_BUDGET;

	if (offset >> 3 >= v->ldt_ents)
		return false;
	slot = l1_slot(v, v->ldt_base + (offset & PAGE_MASK));
	e = slot ? READ_ONCE(*slot) : 0;
	if (!(e & PTE_P) || mfn_type_get(pte_mfn(e), v->domain, TYPE_SEG_DESC,
					 &budget))
		return false;
	if (cmpxchg(perdomain_slot(v->domain, cr2), 0,
		    (e & PTE_ADDR_MASK) | MAP_RW))
		frame_put_type(pte_frame(e));
	return true;
}

/*
 * Writes one descriptor, made harmless, to a table or to plain memory of the
 * caller at machine address ma: 0 or -XEN_EINVAL.
 */
long do_update_descriptor(u64 ma, u64 desc, u64 a3, u64 a4, u64 a5, u64 a6)
{
	mfn_t mfn = MFN(ma >> PAGE_SHIFT);
	struct frame *f = mfn_to_frame(mfn);
	u64 type;

	if (ma & 7 || !mfn_valid(mfn) || !descr_fixup(&desc))
		return deny(-XEN_EINVAL);
	type = READ_ONCE(f->type);
	if ((type & TYPE_MASK) != TYPE_SEG_DESC || !(type & TYPE_COUNT_MASK))
		type = TYPE_WRITABLE;
	if (frame_get_type(f, current->domain, type & TYPE_MASK))
		return deny(-XEN_EINVAL);
	WRITE_ONCE(*(u64 *)paddr_to_virt(ma), desc);
	frame_put_type(f);
	return 0;
}
