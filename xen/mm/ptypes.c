/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page tables: how a frame becomes one, and stops being one.
 *
 * Invariant: while a frame's type is TYPE_Ln and TYPE_VALIDATED is set, every
 * present entry in it is allowed and holds what it points to: for n > 1 a use
 * of the frame below as L(n-1), for n = 1 see l1.c.  So whatever cr3 points to
 * leads to memory of the right owners only, and no table can be written by
 * its guest.  A table counts one use for each entry that points to it, for
 * its pin, and for each vCPU that has it as its base; there is no notion of a
 * parent.  Self-maps do not fit in (an L4 is no L3) and are refused, so the
 * recursion below is four deep (XSA-240).
 *
 * States of the type word of a table, by count and bits:
 *
 *	0			not a table; the type says what it was last
 *	1, neither bit		one CPU is at work on it, others wait
 *	1, TYPE_PARTIAL		the work was interrupted; nobody owns it: the
 *				state holds the count itself; entries below
 *				the number in 47:28 hold references
 *	n, TYPE_VALIDATED	in use
 *
 * PARTIAL has no direction (XSA-299): whoever wants the type goes on upwards
 * and then owns the count; anybody may go on downwards (type_reap()): the one
 * who was interrupted, the next hypercall of the same vCPU, whoever wants the
 * frame for something else, or the domain's end.  A caller that is told
 * -XEN_ERESTART has therefore nothing to undo and owns nothing.
 *
 * A CPU at work on level n waits only for levels below: no deadlock.  It never
 * leaves ring 0 without reaching another state.  No locks.
 *
 * How long it may take is a budget, about one for each table touched.
 *
 * One function fills, and one takes down, a table of any level; descriptor
 * tables are a fifth level that holds nothing, and writable mappings a type
 * without content.
 */
#include <mm/internal.h>

/* The n words at p or'ed. */
static always_inline u64 any(const u64 *p, unsigned int n)
{
	u64 x = 0;

#pragma GCC unroll 64
	for (unsigned int i = 0; i < n; i++)
		x |= p[i];
	return x;
}

/* How many zeros to pass from number n, at p, on or back.  Empty space goes
 * quickly. */
static always_inline unsigned int empty_step(const u64 *p, unsigned int n,
					     bool back)
{
	if (!(n & 63) && !any(back ? p - 64 : p, 64))
		return 64;
	return n & 7 || any(back ? p - 8 : p, 8) ? 1 : 8;
}

/* --- one entry: what it holds ---------------------------------------- */

/*
 * Takes the reference of an entry of a table of this level (5: a descriptor
 * table), and completes it.
 */
static always_inline int entry_get(u64 *e, unsigned int level,
				   struct domain *d, int *budget)
{
	int rc;

	if (level == 1)
		return likely(l1e_get_quick(e, d)) ? 0 : l1e_get(0, e, d, d);
	if (level > 4)
		return descr_fixup(e) ? 0 : -XEN_EINVAL;
	if (!(*e & PTE_P))
		return 0;
	if (*e & table_refused)
		return -XEN_EINVAL;
	rc = mfn_type_get(pte_mfn(*e), d, (u64)(level - 1) << TYPE_SHIFT,
			  budget);
	if (!rc)
		*e |= PTE_US | (level == 4 ? PTE_A : 0);
	return rc;
}

/* --- taking down ----------------------------------------------------- */

/* The caller was alone with the table.  Interrupted at entry n. */
static int leave_partial(struct frame *f, u64 type, unsigned int n)
{
	store_release(&f->type, (type & TYPE_MASK) | TYPE_PARTIAL |
		      (u64)n << TYPE_STAMP_SHIFT | 1);
	return -XEN_ERESTART;
}

/*
 * The caller is alone with the table (count 1, not validated); entries below
 * n hold references.  0: it is no table any more.
 */
static int table_drop(struct frame *f, u64 type, unsigned int n, int *budget)
{
	unsigned int level = type_level(type);
	u64 *t = mfn_to_virt(frame_to_mfn(f)), e;
	int rc = 0;

	--*budget;
	/* The entry at which the work stopped owns nothing, but the table
	 * below may have been left half done for its sake. */
	e = level - 2 < 3 && n < 512 && !hyp_slot(level, n) ? t[n] : 0;
	if (e & PTE_P && !(e & table_refused) && mfn_valid(pte_mfn(e)) &&
	    frame_owner(pte_frame(e)) == frame_owner(f) &&
	    type_level(READ_ONCE(pte_frame(e)->type)) == level - 1)
		rc = type_reap(pte_frame(e), budget);
	if (level > 4)
		n = 0;		/* descriptors hold nothing */
	while (n && !rc) {
		if (!t[n - 1]) {
			n -= empty_step(t + n, n, true);
			continue;
		}
		e = t[--n];
		if (level == 1)
			l1e_put_quick(e);
		else if (e & PTE_P && !hyp_slot(level, n))
			rc = type_put(pte_frame(e), budget);
		if (level > 1 && n && *budget <= 0)
			rc = -XEN_ERESTART;
	}
	if (rc)
		return leave_partial(f, type, n);
	store_release(&f->type, type_idle(type));
	frame_put(f);
	return 0;
}

/* See internal.h. */
int type_put(struct frame *f, int *budget)
{
	u64 x = READ_ONCE(f->type), y;

	do {
		ASSERT(x & TYPE_COUNT_MASK);
		if (x & TYPE_VALIDATED)
			y = (x & TYPE_COUNT_MASK) > 1 ? x - 1
						      : x & ~TYPE_VALIDATED;
		else
			y = type_idle(x) | ((x - 1) & TYPE_COUNT_MASK);
	} while (!try_cmpxchg(&f->type, &x, y));
	if (likely((x & TYPE_COUNT_MASK) > 1))
		return 0;
	if (x & TYPE_VALIDATED)
		return table_drop(f, x, 512, budget);
	frame_put(f);
	return 0;
}

/* See internal.h.  The PARTIAL state's own hold keeps the frame in being. */
int type_reap(struct frame *f, int *budget)
{
	u64 x = READ_ONCE(f->type);

	while (x & TYPE_PARTIAL)
		if (try_cmpxchg(&f->type, &x, (x & TYPE_MASK) | 1))
			return table_drop(f, x, type_progress(x), budget);
	return 0;
}

/* What is left of it is for v's next hypercall. */
static void put_later(struct vcpu *v, struct frame *f, int *budget)
{
	if (type_put(f, budget))
		reap_note(v, f);
}

int vcpu_reap(struct vcpu *v)
{
	int budget = TABLE_BUDGET;

	for (; v->reap.m; v->reap = v->reap2, v->reap2 = MFN(0))
		if (type_reap(mfn_to_frame(v->reap), &budget))
			return -XEN_ERESTART;
	return 0;
}

/* --- becoming a table ------------------------------------------------ */

/* The caller is alone with the frame; entries below n hold references. */
static int table_fill(struct frame *f, struct domain *d, u64 type,
		      unsigned int n, int *budget)
{
	unsigned int level = type_level(type);
	u64 *t = mfn_to_virt(frame_to_mfn(f));
	int rc = 0;

	--*budget;
	while (n < 512 && !rc) {
		u64 e = t[n];

		if (!e || hyp_slot(level, n)) {
			n += e ? 1 : empty_step(t + n, n, false);
			continue;
		}
		rc = entry_get(&e, level, d, budget);
		if (unlikely(rc))
			break;
		t[n++] = e;
		/* An L1, or descriptors, in one piece. */
		if (level - 2 < 3 && *budget <= 0)
			rc = -XEN_ERESTART;
	}
	if (likely(!rc)) {
		if (level == 4)
			l4_install_hyp_slots(t, d);
		store_release(&f->type, type | TYPE_VALIDATED | 1);
		return 0;
	}
	if (rc == -XEN_ERESTART)
		return leave_partial(f, type, n);
	/* Not valid.  The answer is known, taking down may go on later. */
	if (table_drop(f, type, n, budget))
		reap_note(current, f);
	return rc;
}

/*
 * One more use of d's frame f as `type`; a table or descriptor table is
 * validated if it is the first.  0; -XEN_EINVAL not d's, or content not
 * allowed; -XEN_EBUSY in use as something else; -XEN_ERESTART the budget is
 * spent, call again: the caller then holds nothing.
 */
int type_get(struct frame *f, struct domain *d, u64 type, int *budget)
{
	for (;;) {
		u64 x = READ_ONCE(f->type), count = x & TYPE_COUNT_MASK;

		/* In this order: x, if it stays, is then of d's frame. */
		if (frame_owner(f) != d->id)
			return -XEN_EINVAL;
		if (!count) {
			if (!frame_get(f, d))
				return -XEN_EINVAL;
			if (unlikely(cmpxchg(&f->type, x, type | 1) != x)) {
				frame_put(f);
				continue;
			}
			if (type == TYPE_WRITABLE)
				return 0;
			/* Not before: another CPU might have come in between
			 * (XSA-401). */
			frame_quiesce(f, d, x);
			return table_fill(f, d, type, 0, budget);
		}
		if ((x & TYPE_MASK) != type || count == COUNT_MAX_TYPE) {
			/* Only who uses tables as such takes them down, in
			 * pieces; nobody else's, and not from anywhere. */
			if (!(x & TYPE_PARTIAL) || type > TYPE_L4)
				return -XEN_EBUSY;
			if (type_reap(f, budget))
				return -XEN_ERESTART;
		} else if (x & TYPE_VALIDATED || type == TYPE_WRITABLE) {
			if (cmpxchg(&f->type, x, x + 1) != x)
				continue;
			/* Only a counted use keeps the owner. */
			if (likely(frame_owner(f) == d->id))
				return 0;
			frame_put_type(f);
			return -XEN_EINVAL;
		} else if (x & TYPE_PARTIAL) {
			if (cmpxchg(&f->type, x, type | 1) != x)
				continue;
			/* It may have become another's, and come as far. */
			return frame_owner(f) == d->id ?
			       table_fill(f, d, type, type_progress(x), budget) :
			       leave_partial(f, x, type_progress(x));
		} else {
			cpu_poll();
			cpu_relax();
		}
	}
}

int mfn_type_get(mfn_t mfn, struct domain *d, u64 type, int *budget)
{
	return mfn_valid(mfn) ? type_get(mfn_to_frame(mfn), d, type, budget)
			      : -XEN_EINVAL;
}

/*
 * A table that another CPU lets go in this moment may become one again for
 * the time of the hold: as if the guest had pinned it.
 */
u64 table_hold(mfn_t mfn, struct domain *d, unsigned int max_level)
{
	u64 x = mfn_valid(mfn) ? READ_ONCE(mfn_to_frame(mfn)->type) : 0;
	int budget = 0;

	if (type_level(x) - 1 >= max_level || !(x & TYPE_COUNT_MASK) ||
	    x & TYPE_PARTIAL ||
	    type_get(mfn_to_frame(mfn), d, x & TYPE_MASK, &budget))
		return 0;
	return x & TYPE_MASK;
}

/* --- changing an entry of level 2 to 4 ------------------------------- */

/*
 * Writes val, completed, to an entry of owner's table f, which the caller
 * holds: 0; -XEN_EINVAL; -XEN_EBUSY; -XEN_ERESTART: nothing changed, again.
 * No CPU uses the old entry any more when what it pointed to is let go
 * (XSA-286); taking that down may be left to vcpu_reap().
 */
int table_update(struct frame *f, u64 *slot, u64 val, struct domain *owner,
		 int *budget)
{
	unsigned int level = type_level(READ_ONCE(f->type));
	u64 old;
	int rc;

	if (hyp_slot(level, (u64)slot >> 3 & 511))
		return -XEN_EINVAL;
	rc = entry_get(&val, level, owner, budget);
	if (rc)
		return rc;
	old = xchg(slot, val);
	if (!(old & PTE_P))
		return 0;
	if (!(val & PTE_P) || (old ^ val) & ~SAME_RIGHTS)
		tlb_flush_mask(READ_ONCE(owner->dirty_cpus), FLUSH_ALL_VA);
	put_later(current, pte_frame(old), budget);
	return 0;
}

/* --- pins and bases -------------------------------------------------- */

/* At boot there is nobody to continue. */
static int new_budget(void)
{
	return current->is_idle ? UNLIMITED : TABLE_BUDGET;
}

/*
 * owner's frame is a table of that type until ptype_unpin().
 * -XEN_EINVAL: not possible, or pinned already; -XEN_EBUSY; -XEN_ERESTART.
 */
int ptype_pin(struct domain *owner, mfn_t mfn, u64 type)
{
	struct frame *f = mfn_to_frame(mfn);
	int budget = new_budget(), rc = mfn_type_get(mfn, owner, type, &budget);

	/* Who dies looks for pins after he says so, we the other way round. */
	smp_mb();
	if (rc == -XEN_ERESTART && READ_ONCE(owner->is_dying))
		reap_note(current, f);
	if (rc)
		return rc;
	if (atomic_or(&f->type, TYPE_PINNED) & TYPE_PINNED) {
		put_later(current, f, &budget);
		return -XEN_EINVAL;
	}
	if (READ_ONCE(owner->is_dying)) {
		if (atomic_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED)
			put_later(current, f, &budget);
		return -XEN_EINVAL;
	}
	return 0;
}

/* 0, or -XEN_EINVAL: not pinned. */
int ptype_unpin(struct domain *owner, mfn_t mfn)
{
	int budget = new_budget(), rc = -XEN_EINVAL;
	struct frame *f = mfn_get(mfn, owner);

	if (!f)
		return rc;
	if (atomic_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED) {
		put_later(current, f, &budget);
		rc = 0;
	}
	frame_put(f);
	return rc;
}

static int vcpu_set_l4(struct vcpu *v, mfn_t *base, mfn_t l4)
{
	int budget = new_budget(), rc = 0;
	mfn_t old = *base;

	if (l4.m)
		rc = mfn_type_get(l4, v->domain, TYPE_L4, &budget);
	if (rc)
		return rc;
	if (v != current)
		context_sync(v);
	*base = l4;
	vcpu_update_cr3(v);
	/* The hardware lets go before we do (XSA-438). */
	if (v == current && base == &v->l4_kernel)
		cr3_load(v->cr3_kernel, true);
	if (old.m)
		put_later(v, mfn_to_frame(old), &budget);
	return 0;
}

/* See mm.h. */
int vcpu_set_kernel_l4(struct vcpu *v, mfn_t l4)
{
	return l4.m ? vcpu_set_l4(v, &v->l4_kernel, l4) : -XEN_EINVAL;
}

int vcpu_set_user_l4(struct vcpu *v, mfn_t l4)
{
	return vcpu_set_l4(v, &v->l4_user, l4);
}

/* v never runs again.  Call again until 0. */
int vcpu_drop_l4s(struct vcpu *v)
{
	if (vcpu_reap(v))
		return -XEN_ERESTART;
	(void)vcpu_set_l4(v, &v->l4_kernel, MFN(0));
	(void)vcpu_set_l4(v, &v->l4_user, MFN(0));
	return vcpu_reap(v);
}
