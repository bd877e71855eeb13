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
#include <entry/entry.h>

#define DESCR_PER_PAGE	512
#define LDT_PAGES	16
#define GDT_PAGES	GDT_RESERVED_PAGE

/* Puts pte into the window at va; remembers what was there. */
static unsigned int window_swap(struct domain *d, u64 va, u64 pte, u64 *old)
{
	u64 e = xchg(perdomain_slot(d, va), pte);

	/* The zero page of empty GDT windows is nobody's. */
	if (!(e & PTE_RW))
		return 0;
	*old = e;
	return 1;
}

/* The frames are out of all tables: out of the TLBs, then not in use. */
static void window_release(struct domain *d, const u64 *old, unsigned int n)
{
	if (n)
		tlb_flush_mask(READ_ONCE(d->dirty_cpus), FLUSH_ALL_VA);
	while (n--)
		frame_put_type(mfn_to_frame(pte_mfn(old[n])));
}

static void gdt_install(struct vcpu *v, const u64 *mfns, unsigned int nr)
{
	u64 empty = virt_to_paddr(zero_page) | MAP_RO, old[GDT_PAGES];
	unsigned int n = 0;

	for (unsigned int i = 0; i < GDT_PAGES; i++) {
		u64 pte = i < nr ? mfns[i] << PAGE_SHIFT | MAP_RW : empty;

		n += window_swap(v->domain, GDT_VA(v->id) + i * PAGE_SIZE, pte,
				 &old[n]);
		v->gdt_frames[i] = i < nr ? mfns[i] : 0;
	}
	/* Filled windows replaced empty ones: that is stale as well. */
	if (!n)
		tlb_flush_mask(READ_ONCE(v->domain->dirty_cpus), FLUSH_ALL_VA);
	window_release(v->domain, old, n);
}

/* What was a half-built page table before is taken down first, in pieces. */
static int descr_page_get(struct vcpu *v, mfn_t mfn)
{
	int budget = TABLE_BUDGET;

	return mfn_valid(mfn) ? type_get(mfn_to_frame(mfn), v->domain,
					 TYPE_SEG_DESC, &budget) : -XEN_EINVAL;
}

/*
 * v's GDT becomes `entries` descriptors in these frames of its domain; v is
 * current or does not run.  0; -XEN_EINVAL, or -XEN_ERESTART: call again;
 * then nothing has changed.
 */
int vcpu_set_gdt(struct vcpu *v, const u64 *mfns, unsigned int entries)
{
	unsigned int nr = DIV_ROUND_UP(entries, DESCR_PER_PAGE), i;
	int rc;

	if (entries > FIRST_RESERVED_GDT_ENTRY)
		return deny(-XEN_EINVAL);
	for (i = 0; i < nr; i++) {
		rc = descr_page_get(v, MFN(mfns[i]));
		if (rc)
			goto undo;
	}
	gdt_install(v, mfns, nr);
	v->gdt_ents = entries;
	if (v == current)
		descr_load(v);
	return 0;
undo:
	while (i--)
		frame_put_type(mfn_to_frame(MFN(mfns[i])));
	return rc == -XEN_ERESTART ? rc : (int)deny(-XEN_EINVAL);
}

void vcpu_drop_gdt(struct vcpu *v)
{
	gdt_install(v, NULL, 0);
	v->gdt_ents = 0;
}

/* See domain.h: frame numbers in guest memory. */
long do_set_gdt(u64 frames, u64 entries, u64 a3, u64 a4, u64 a5, u64 a6)
{
	unsigned int nr = DIV_ROUND_UP((u32)entries, DESCR_PER_PAGE);
	u64 mfns[GDT_PAGES];
	int rc;

	if ((u32)entries > FIRST_RESERVED_GDT_ENTRY)
		return deny(-XEN_EINVAL);
	if (copy_from_guest(mfns, frames, nr * sizeof(u64)))
		return deny(-XEN_EFAULT);
	rc = vcpu_set_gdt(current, mfns, (u32)entries);
	if (unlikely(rc == -XEN_ERESTART))
		return hypercall_continue(__HYPERVISOR_set_gdt, 2, frames,
					  entries);
	return rc;
}

/* --- LDT ------------------------------------------------------------- */

static void ldt_pages_drop(struct vcpu *v)
{
	u64 old[LDT_PAGES];
	unsigned int n = 0;

	for (unsigned int i = 0; i < LDT_PAGES; i++) {
		u64 va = LDT_VA(v->id) + i * PAGE_SIZE;

		if (READ_ONCE(*perdomain_slot(v->domain, va)))
			n += window_swap(v->domain, va, 0, &old[n]);
	}
	window_release(v->domain, old, n);
}

void vcpu_drop_ldt(struct vcpu *v)
{
	v->ldt_ents = 0;
	v->ldt_base = 0;
	if (v == current)
		descr_load(v);
	ldt_pages_drop(v);
}

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
	ldt_pages_drop(v);
	v->ldt_base = va;
	v->ldt_ents = entries;
	if (v == current)
		descr_load(v);
	return 0;
}

/* The frame that v's kernel has mapped at va. */
static bool guest_frame(struct vcpu *v, u64 va, mfn_t *mfn)
{
	struct frame *table;
	u64 *slot = l1_slot(v, va, &table);
	u64 e;

	if (!slot)
		return false;
	e = READ_ONCE(*slot);
	table_release(table);
	*mfn = pte_mfn(e);
	return e & PTE_P && mfn_valid(*mfn);
}

/* See mm.h.  v is current. */
bool ldt_fault(struct vcpu *v, u64 cr2)
{
	u64 offset = cr2 - LDT_VA(v->id);
	u64 page = offset & PAGE_MASK;
	mfn_t mfn;
	int rc;

	if (offset >> 3 >= v->ldt_ents ||
	    !guest_frame(v, v->ldt_base + page, &mfn))
		return false;
	rc = descr_page_get(v, mfn);
	if (rc)
		return rc == -XEN_ERESTART;	/* goes on at the next fault */
	if (cmpxchg(perdomain_slot(v->domain, LDT_VA(v->id) + page), 0,
		    mfn.m << PAGE_SHIFT | MAP_RW))
		frame_put_type(mfn_to_frame(mfn));
	return true;
}

/* --- single descriptors ---------------------------------------------- */

/*
 * Writes one descriptor, made harmless, to a table or to plain memory of the
 * caller at machine address ma: 0 or -XEN_EINVAL.
 */
long do_update_descriptor(u64 ma, u64 desc, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct domain *d = current->domain;
	mfn_t mfn = MFN(ma >> PAGE_SHIFT);
	struct frame *f;
	u64 type;
	int rc;

	if (ma & 7 || !mfn_valid(mfn) || !descr_fixup(&desc))
		return deny(-XEN_EINVAL);
	f = mfn_to_frame(mfn);
	type = READ_ONCE(f->type);
	if ((type & TYPE_MASK) == TYPE_SEG_DESC && type & TYPE_COUNT_MASK)
		rc = type_get(f, d, TYPE_SEG_DESC, NULL);
	else
		rc = writable_get(f, d);
	if (rc)
		return deny(-XEN_EINVAL);
	WRITE_ONCE(*(u64 *)paddr_to_virt(ma), desc);
	frame_put_type(f);
	return 0;
}
