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

u64 l1_refused, table_refused;

#define AVAIL_HIGH	(0x1ffUL << 53)		/* bits 53 to 61 */
/* A change of these alone changes no right. */
#define SAME_RIGHTS	(PTE_A | PTE_D | PTE_AVAIL | AVAIL_HIGH)
#define CACHE_ATTR	(PTE_PWT | PTE_PCD | PTE_PAT)

void __init pte_masks_init(void)
{
	u32 a, b, c, d;
	u64 common;

	cpuid_count(0x80000008, 0, &a, &b, &c, &d);
	common = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL |
		 PTE_GUEST_KERNEL | AVAIL_HIGH | PTE_NX |
		 (((1UL << (a & 0xff)) - 1) & PTE_ADDR_MASK);
	l1_refused = ~(common | CACHE_ATTR | PTE_G);
	table_refused = ~common;
}

u64 l1e_adjust(u64 e)
{
	if (!(e & PTE_US))
		e |= PTE_US | PTE_GUEST_KERNEL;
	return e & PTE_GUEST_KERNEL ? e & ~PTE_G : e | PTE_G;
}

/* --- what an entry holds ---------------------------------------------------- */

/*
 * Device memory: both the table's owner and the one on whose behalf it is
 * mapped need permission.  Never cached: write-back, write-through and
 * write-protected become uncached.
 */
static int device_get(u64 *pte, const struct domain *owner,
		      const struct domain *fg)
{
	u64 mfn = pte_mfn(*pte).m, attr = *pte & CACHE_ATTR;
	enum iomem_access access = iomem_permitted(owner, mfn);

	if (fg != owner && fg != &dom_io)
		access = fg == &dom_xen ? IOMEM_NONE
					: min(access, iomem_permitted(fg, mfn));
	if (access == IOMEM_NONE)
		return -XEN_EPERM;
	if (access == IOMEM_RO)
		*pte &= ~PTE_RW;
	if (!attr || attr == PTE_PWT || attr == (PTE_PAT | PTE_PWT))
		*pte = (*pte & ~CACHE_ATTR) | PTE_PCD | PTE_PWT;
	return 0;
}

/* RAM with a cache attribute: ours only write-back; writes are remembered. */
static int attr_check(struct frame *f, u64 pte)
{
	u64 attr = pte & CACHE_ATTR;

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
	if (unlikely(*pte & CACHE_ATTR) && !rc) {
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

/* --- changing an entry --------------------------------------------------------- */

/* Same frame, same rights as old? */
static always_inline bool same_rights(u64 old, u64 new)
{
	return old & PTE_P && !((old ^ new) & ~(SAME_RIGHTS | PTE_GRANT));
}

/* A guest that makes its LDT page writable again has stopped using it, but
 * some vCPU may still have it mapped: they fault it in again if need be. */
static int get_retry(u64 *new, struct domain *owner, struct domain *fg)
{
	int rc = l1e_get(new, owner, fg);
	mfn_t mfn = pte_mfn(*new);

	if (rc == -XEN_EBUSY && fg == owner &&
	    (READ_ONCE(mfn_to_frame(mfn)->type) & TYPE_MASK) == TYPE_SEG_DESC &&
	    ldt_drop_all(owner))
		rc = l1e_get(new, owner, fg);
	return rc;
}

/*
 * Checks *new against what it replaces and completes it.  1: same rights as
 * old, nothing taken; 0: its references are taken; -errno.
 */
static always_inline int l1_prepare(u64 old, u64 *new, struct domain *owner,
				    struct domain *fg)
{
	int rc;

	if (!(*new & PTE_P))
		return 0;
	if (unlikely(*new & l1_refused) &&
	    ((*new & l1_refused) != PTE_GRANT || !(old & PTE_GRANT)))
		return -XEN_EINVAL;
	*new = l1e_adjust(*new);
	if (same_rights(old, *new)) {
		*new = (*new & ~PTE_GRANT) | (old & PTE_GRANT);
		return 1;
	}
	if (unlikely(*new & PTE_GRANT))
		return -XEN_EINVAL;
	rc = l1e_get(new, owner, fg);
	return likely(!rc) || rc != -XEN_EBUSY ? rc
					       : get_retry(new, owner, fg);
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

/*
 * Writes val, completed, to an entry of a table of owner that maps frames of
 * fg: 0; -XEN_EINVAL bits, frame or owner not allowed; -XEN_EPERM device
 * memory; -XEN_EBUSY the frame is a table or full.
 */
int l1_update(u64 *slot, u64 val, enum l1_mode mode, struct domain *owner,
	      struct domain *fg)
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

/* --- finding an entry --------------------------------------------------------------- */

/*
 * Reads the entry for va in the table that `entry` points to.  Another vCPU
 * may have freed that table this moment, so the content may be anything: the
 * address is bounded, and a fault is an answer.
 */
static always_inline bool entry_below(u64 entry, u64 va, unsigned int shift,
				      u64 *out)
{
	mfn_t mfn = pte_mfn(entry);
	const u64 *p;

	if (unlikely(!(entry & PTE_P) || mfn.m >= max_mfn))
		return false;
	p = (const u64 *)mfn_to_virt(mfn) + (va >> shift & 511);
	__asm__ goto(FIXUP("%l[fault]") "mov %1, %0"
		     : "=r"(*out) : "m"(*p) : : fault);
	return true;
fault:
	return false;
}

/*
 * The L1 entry for va in the kernel tables of v, which is current.  What was
 * found on the way is believed only if the last table is an L1 of v's domain;
 * it is then held.
 */
u64 *l1_slot(const struct vcpu *v, u64 va, struct frame **table)
{
	u64 e = v->l4_kernel.m << PAGE_SHIFT | PTE_P;
	struct frame *f;
	u64 type;

	if (unlikely((u64)((s64)(va << 16) >> 16) != va ||
		     (va >= HYP_VIRT_START && va < HYP_VIRT_END) ||
		     !v->l4_kernel.m))
		return NULL;
	if (!entry_below(e, va, 39, &e) || !entry_below(e, va, 30, &e) ||
	    !entry_below(e, va, 21, &e) || !(e & PTE_P) ||
	    !mfn_valid(pte_mfn(e)))
		return NULL;
	f = mfn_to_frame(pte_mfn(e));
	type = table_hold(f, v->domain);
	if (unlikely(type != TYPE_L1)) {
		if (type)
			table_release(f);
		return NULL;
	}
	*table = f;
	return (u64 *)mfn_to_virt(pte_mfn(e)) + (va >> PAGE_SHIFT & 511);
}

/* --- grants ------------------------------------------------------------------------------ */

/* The entry at a machine address, if it is in an L1 of v's domain. */
static u64 *slot_at_machine(struct vcpu *v, u64 ma, struct frame **table)
{
	mfn_t mfn = MFN(ma >> PAGE_SHIFT);
	u64 type;

	if (ma & 7 || !mfn_valid(mfn))
		return NULL;
	*table = mfn_to_frame(mfn);
	type = table_hold(*table, v->domain);
	if (type != TYPE_L1) {
		if (type)
			table_release(*table);
		return NULL;
	}
	return (u64 *)mfn_to_virt(mfn) + (ma >> 3 & 511);
}

static int grant_install(u64 *slot, struct frame *table, u64 pte)
{
	u64 keep = PTE_RW | PTE_US | CACHE_ATTR | PTE_NX | PTE_AVAIL |
		   PTE_ADDR_MASK;

	if (!slot)
		return deny(-XEN_EINVAL);
	l1e_put(xchg(slot, l1e_adjust((pte & keep) | PTE_P) | PTE_GRANT));
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
	u64 *slot = l1_slot(v, va, &table);

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
	u64 *slot = l1_slot(v, va, &table);

	return grant_remove(slot, table, mfn, old_pte);
}

int ptype_unmap_grant_pte(struct vcpu *v, u64 pte_ma, mfn_t mfn, u64 *old_pte)
{
	struct frame *table = NULL;
	u64 *slot = slot_at_machine(v, pte_ma, &table);

	return grant_remove(slot, table, mfn, old_pte);
}
