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
#include <mm/l1.h>

u64 l1_refused, table_refused;

void __init pte_masks_init(void)
{
	u32 a, b, c, d;
	u64 common;

	cpuid_count(0x80000008, 0, &a, &b, &c, &d);
	common = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL |
		 PTE_GUEST_KERNEL | PTE_AVAIL_HIGH | PTE_NX |
		 (((1UL << (a & 0xff)) - 1) & PTE_ADDR_MASK);
	l1_refused = ~(common | PTE_CACHE | PTE_G);
	table_refused = ~common;
}

/* --- what an entry holds --------------------------------------------- */

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
	if (!attr || attr == PTE_PWT || attr == (PTE_PAT | PTE_PWT))
		*pte = (*pte & ~PTE_CACHE) | PTE_PCD | PTE_PWT;
	return 0;
}

/* RAM with a cache attribute: ours only write-back; writes are remembered. */
static int attr_check(struct frame *f, u64 pte)
{
	u64 attr = pte & PTE_CACHE;

	if (READ_ONCE(f->ref) & FRAME_XENHEAP)
		return -XEN_EINVAL;
	if (pte & PTE_RW && attr != PTE_PWT && attr != (PTE_PAT | PTE_PWT))
		atomic_or(&f->ref, FRAME_UNCACHED);
	return 0;
}

static always_inline int ram_get(struct frame *f, u64 pte,
				 const struct domain *fg)
{
	if (pte & PTE_RW)
		return writable_get(f, fg);
	return likely(frame_get(f, fg)) ? 0 : -XEN_EINVAL;
}

/* See internal.h. */
int l1e_get(u64 *pte, const struct domain *owner, const struct domain *fg)
{
	mfn_t mfn = pte_mfn(*pte);
	struct frame *f;
	int rc;

	if (unlikely(!mfn_valid(mfn)))
		return device_get(pte, owner, fg);
	f = mfn_to_frame(mfn);
	rc = ram_get(f, *pte, fg);
	if (unlikely(*pte & PTE_CACHE) && !rc) {
		rc = attr_check(f, *pte);
		if (rc)
			l1e_put(*pte);
	}
	return rc;
}

void l1e_put(u64 e)
{
	mfn_t mfn = pte_mfn(e);

	if ((e & (PTE_P | PTE_GRANT)) != PTE_P || unlikely(!mfn_valid(mfn)))
		return;
	if (e & PTE_RW)
		writable_put(mfn_to_frame(mfn));
	else
		frame_put(mfn_to_frame(mfn));
}

/* --- changing an entry ----------------------------------------------- */

/*
 * Checks *new against what it replaces and completes it.  1: same rights as
 * old, nothing taken; 0: its references are taken; -errno.
 */
static always_inline int l1_prepare(u64 old, u64 *new, struct domain *owner,
				    struct domain *fg)
{
	if (!(*new & PTE_P))
		return 0;
	if (unlikely(*new & l1_refused) &&
	    ((*new & l1_refused) != PTE_GRANT || !(old & PTE_GRANT)))
		return -XEN_EINVAL;
	*new = l1e_adjust(*new);
	if (same_rights(old, *new)) {
		*new = (*new & ~PTE_GRANT) | (old & PTE_GRANT);
		/* grant/ must be able to trust A: see unmap_needs_flush(). */
		if (unlikely(old & PTE_GRANT))
			*new |= old & PTE_A;
		return 1;
	}
	if (unlikely(*new & PTE_GRANT))
		return -XEN_EINVAL;
	return l1e_get(new, owner, fg);
}

static u64 exchange(u64 *slot, u64 new, enum l1_mode mode)
{
	u64 old, seen;

	if (mode == L1_SET || !(new & PTE_P))
		return xchg(slot, new);
	old = READ_ONCE(*slot);
	while ((seen = cmpxchg(slot, old,
			       new | (old & (PTE_A | PTE_D)))) != old)
		old = seen;
	return old;
}

static noinline int l1_update_slow(u64 *slot, u64 val, enum l1_mode mode,
				   struct domain *owner, struct domain *fg)
{
	for (;;) {
		u64 old = READ_ONCE(*slot), new = val;
		int rc = l1_prepare(old, &new, owner, fg);

		if (rc < 0)
			return rc;
		if (!rc) {
			l1e_put(exchange(slot, new, mode));
			return 0;
		}
		if (mode == L1_KEEP_AD)
			new |= old & (PTE_A | PTE_D);
		if (cmpxchg(slot, old, new) == old)
			return 0;
	}
}

/*
 * Writes val, completed, to an entry of a table of owner that maps frames of
 * fg: 0; -XEN_EINVAL bits, frame or owner not allowed; -XEN_EPERM device
 * memory; -XEN_EBUSY the frame is a table or full.
 */
int l1_update(u64 *slot, u64 val, enum l1_mode mode, struct domain *owner,
	      struct domain *fg)
{
	if (likely(mode == L1_SET) && likely(l1_set_quick(slot, val, fg)))
		return 0;
	return l1_update_slow(slot, val, mode, owner, fg);
}

/* The same, but only if the entry still is old; -XEN_EAGAIN otherwise. */
int l1_update_if(u64 *slot, u64 old, u64 val, struct domain *d)
{
	u64 new = val;
	int rc = l1_prepare(old, &new, d, d);

	if (rc < 0)
		return rc;
	if (cmpxchg(slot, old, new) == old) {
		if (!rc)
			l1e_put(old);
		return 0;
	}
	if (!rc)
		l1e_put(new);
	return -XEN_EAGAIN;
}

/* See l1.h.  v is current. */
u64 *l1_slot(const struct vcpu *v, u64 va, struct frame **table)
{
	return l1_slot_quick(v, va, table);
}

/* --- grants ---------------------------------------------------------- */

/* The entry at a machine address, if it is in an L1 of v's domain. */
static u64 *slot_at_machine(struct vcpu *v, u64 ma, struct frame **table)
{
	if (ma & 7 || ma & ~PTE_ADDR_MASK & PAGE_MASK)
		return NULL;
	*table = l1_hold((ma & PAGE_MASK) | PTE_P, v->domain);
	return *table ? paddr_to_virt(ma) : NULL;
}

static int grant_install(u64 *slot, struct frame *table, u64 pte)
{
	u64 keep = PTE_RW | PTE_US | PTE_CACHE | PTE_NX | PTE_AVAIL |
		   PTE_ADDR_MASK;

	if (!slot)
		return deny(-XEN_EINVAL);
	l1e_put_quick(xchg(slot, l1e_adjust((pte & keep) | PTE_P) | PTE_GRANT));
	table_release(table);
	return 0;
}

static int grant_remove(u64 *slot, struct frame *table, mfn_t mfn,
			u64 *old_pte)
{
	int rc = -XEN_EINVAL;
	u64 e;

	if (!slot)
		return deny(-XEN_EINVAL);
	e = READ_ONCE(*slot);
	while ((e & (PTE_P | PTE_GRANT)) == (PTE_P | PTE_GRANT) &&
	       mfn_eq(pte_mfn(e), mfn)) {
		u64 seen = cmpxchg(slot, e, 0);

		if (seen == e) {
			*old_pte = e;
			rc = 0;
			break;
		}
		e = seen;
	}
	table_release(table);
	return rc ? deny(rc) : 0;
}

int ptype_map_grant(struct vcpu *v, u64 va, u64 pte)
{
	struct frame *table = NULL;
	u64 *slot = l1_slot_quick(v, va, &table);

	return grant_install(slot, table, pte);
}

int ptype_map_grant_pte(struct vcpu *v, u64 pte_ma, u64 pte)
{
	struct frame *table = NULL;
	u64 *slot = slot_at_machine(v, pte_ma, &table);

	return grant_install(slot, table, pte);
}

/* -XEN_EINVAL: the entry does not map that grant; nothing changed. */
int ptype_unmap_grant(struct vcpu *v, u64 va, mfn_t mfn, u64 *old_pte)
{
	struct frame *table = NULL;
	u64 *slot = l1_slot_quick(v, va, &table);

	return grant_remove(slot, table, mfn, old_pte);
}

int ptype_unmap_grant_pte(struct vcpu *v, u64 pte_ma, mfn_t mfn, u64 *old_pte)
{
	struct frame *table = NULL;
	u64 *slot = slot_at_machine(v, pte_ma, &table);

	return grant_remove(slot, table, mfn, old_pte);
}
