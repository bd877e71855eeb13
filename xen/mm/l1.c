/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of L1 tables: the hot path of a guest's memory management.
 *
 * Invariant: every present entry of a validated L1 holds what it maps: a
 * writable one a use as TYPE_WRITABLE, a read-only one a reference.  Two kinds
 * hold nothing: device memory, which nobody owns, and grants (PTE_GRANT, a bit
 * no guest can set), whose references grant/ keeps until it has unmapped them.
 *
 * The order is always: take for the new, exchange atomically, drop for the
 * old -- whatever it was at that moment.  So two CPUs at the same entry each
 * drop what they replaced, and no lock is needed.  The caller holds a use of
 * the table as TYPE_L1 meanwhile.
 *
 * A guest's kernel and user code both run in ring 3; what separates them is
 * which tables are loaded.  Kernel mappings are marked PTE_GUEST_KERNEL; user
 * mappings are global, as they are the same in both tables.
 *
 * A hostile guest may try bits outside the allowed ones, frames of others,
 * device memory without permission, and cached and uncached views of the same
 * frame (XSA-402: noted in the frame).  Nothing but Accessed, Dirty and the
 * available bits changes without the full check (XSA-182).
 */
#include <mm/internal.h>

u64 table_refused;

void __init pte_masks_init(void)
{
	u32 a, b, c, d;

	cpuid_count(0x80000008, 0, &a, &b, &c, &d);
	table_refused = ~(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL |
			  PTE_GUEST_KERNEL | PTE_AVAIL_HIGH | PTE_NX |
			  (((1UL << (a & 0xff)) - 1) & PTE_ADDR_MASK));
}

/*
 * Device memory: both the table's owner and the one on whose behalf it is
 * mapped need permission.  Never cached: write-back, write-through and
 * write-protected become uncached.
 */
static int device_get(u64 *pte, const struct domain *owner,
		      const struct domain *fg)
{
	u64 mfn = pte_mfn(*pte).m, attr = *pte & PTE_CACHE;
	enum iomem_access access = iomem_permitted(owner, mfn);

	if (fg != owner && fg != &dom_io)
		access = fg == &dom_xen ? IOMEM_NONE
					: min(access, iomem_permitted(fg, mfn));
	if (access == IOMEM_NONE)
		return -XEN_EPERM;
	if (access == IOMEM_RO)
		*pte &= ~PTE_RW;
	if (!attr || (attr & ~PTE_PAT) == PTE_PWT)
		*pte = (*pte & ~PTE_CACHE) | PTE_PCD | PTE_PWT;
	return 0;
}

/* See internal.h. */
int l1e_get(u64 old, u64 *pte, struct domain *owner, struct domain *fg)
{
	u64 refused = *pte & table_refused & ~(PTE_CACHE | PTE_G);
	struct frame *f = pte_frame(*pte);
	int rc;

	if (!(*pte & PTE_P))
		return 0;
	if (unlikely(refused) && (refused != PTE_GRANT || !(old & PTE_GRANT)))
		return -XEN_EINVAL;
	*pte = l1e_adjust(*pte);
	if (same_rights(old, *pte)) {
		*pte = (*pte & ~PTE_GRANT) | (old & PTE_GRANT);
		/* grant/ must be able to trust A: see unmap_needs_flush(). */
		if (unlikely(old & PTE_GRANT))
			*pte |= old & PTE_A;
		return 1;
	}
	if (unlikely(*pte & PTE_GRANT))
		return -XEN_EINVAL;
	if (unlikely(!mfn_valid(pte_mfn(*pte))))
		return device_get(pte, owner, fg);
	if (*pte & PTE_RW)
		rc = frame_get_type(f, fg, TYPE_WRITABLE);
	else
		rc = likely(frame_get(f, fg)) ? 0 : -XEN_EINVAL;
	if (likely(!(*pte & PTE_CACHE)) || rc)
		return rc;
	/* A cache attribute: ours only write-back; writes are remembered. */
	if (READ_ONCE(f->ref) & FRAME_XENHEAP) {
		l1e_put(*pte);
		return -XEN_EINVAL;
	}
	if (*pte & PTE_RW && (*pte & (PTE_PWT | PTE_PCD)) != PTE_PWT)
		atomic_or(&f->ref, FRAME_UNCACHED);
	return 0;
}

void l1e_put(u64 e)
{
	if ((e & (PTE_P | PTE_GRANT)) != PTE_P ||
	    unlikely(!mfn_valid(pte_mfn(e))))
		return;
	if (e & PTE_RW)
		frame_put_type(pte_frame(e));
	else
		frame_put(pte_frame(e));
}

/* See internal.h. */
int l1_update_if(u64 *slot, u64 old, u64 val, struct domain *owner,
		 struct domain *fg)
{
	int same = l1e_get(old, &val, owner, fg);

	if (same < 0)
		return same;
	if (likely(cmpxchg(slot, old, val) == old)) {
		if (!same)
			l1e_put(old);
		return 0;
	}
	if (!same)
		l1e_put(val);
	return -XEN_EAGAIN;
}

int l1_update(u64 *slot, u64 val, bool keep_ad, struct domain *owner,
	      struct domain *fg)
{
	u64 keep = keep_ad && val & PTE_P ? PTE_A | PTE_D : 0;
	int rc = -XEN_EAGAIN;

	while (rc == -XEN_EAGAIN) {
		u64 old = READ_ONCE(*slot);

		rc = l1_update_if(slot, old, val | (old & keep), owner, fg);
	}
	return rc;
}

/* --- grants ---------------------------------------------------------- */

/* The entry for an address in v's kernel tables, or if by_pte at a machine
 * address in an L1 of v's domain: that table is then held. */
static u64 *grant_slot(struct vcpu *v, u64 addr, bool by_pte)
{
	if (!by_pte)
		return l1_slot(v, addr);
	if (addr & 7 || !table_hold(MFN(addr >> PAGE_SHIFT), v->domain, 1))
		return NULL;
	return paddr_to_virt(addr);
}

int ptype_map_grant(struct vcpu *v, u64 addr, bool by_pte, u64 pte)
{
	u64 keep = PTE_RW | PTE_US | PTE_CACHE | PTE_NX | PTE_AVAIL |
		   PTE_ADDR_MASK;
	u64 *slot = grant_slot(v, addr, by_pte);

	if (!slot)
		return deny(-XEN_EINVAL);
	l1e_put_quick(xchg(slot, l1e_adjust((pte & keep) | PTE_P) | PTE_GRANT));
	if (by_pte)
		frame_put_type(virt_to_frame(slot));
	return 0;
}

/* -XEN_EINVAL: the entry does not map that grant; nothing changed. */
int ptype_unmap_grant(struct vcpu *v, u64 addr, bool by_pte, mfn_t mfn,
		      u64 *old_pte)
{
	u64 *slot = grant_slot(v, addr, by_pte);
	bool done = false;

	*old_pte = slot ? READ_ONCE(*slot) : 0;
	while (!done && pte_mfn(*old_pte).m == mfn.m &&
	       (*old_pte & (PTE_P | PTE_GRANT)) == (PTE_P | PTE_GRANT))
		done = try_cmpxchg(slot, old_pte, 0);
	if (slot && by_pte)
		frame_put_type(virt_to_frame(slot));
	return done ? 0 : (int)deny(-XEN_EINVAL);
}
