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
 */
#include <mm/l1.h>

static u64 *table_of(struct frame *f)
{
	return mfn_to_virt(frame_to_mfn(f));
}

static bool hyp_slot(unsigned int level, unsigned int i)
{
	return level == 4 && i >= HYP_FIRST_SLOT && i < HYP_END_SLOT;
}

static bool spent(const int *budget)
{
	return budget && *budget <= 0;
}

/* A table is touched. */
static void spend(int *budget)
{
	if (budget)
		--*budget;
}

static always_inline u64 or8(const u64 *p)
{
	return p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7];
}

static always_inline u64 or64(const u64 *p)
{
	return or8(p) | or8(p + 8) | or8(p + 16) | or8(p + 24) | or8(p + 32) |
	       or8(p + 40) | or8(p + 48) | or8(p + 56);
}

/*
 * The first eight entries from p on, a multiple of eight, that are not all
 * zero, or end, the end of a table.  Empty space goes quickly.
 */
static always_inline u64 *next_eight(u64 *p, const u64 *end)
{
	while (p < end) {
		if (*p)
			break;
		if (!((u64)p & (64 * sizeof(*p) - 1)) && !or64(p))
			p += 64;
		else if (!or8(p))
			p += 8;
		else
			break;
	}
	return p;
}

/* The first present entry from p on, or end, the end of a table. */
static always_inline u64 *next_present(u64 *p, const u64 *end)
{
	for (; p < end; p++) {
		if (!((u64)p & (8 * sizeof(*p) - 1))) {
			p = next_eight(p, end);
			if (p == end)
				break;
		}
		if (*p & PTE_P)
			break;
	}
	return p;
}

/* --- filling: entries take references -------------------------------- */

static void l1_drop(u64 *t)
{
	u64 *end = t + 512;

	for (u64 *p = next_eight(t, end); p < end; p = next_eight(p, end))
		do
			l1e_put_quick(*p++);
		while ((u64)p & (8 * sizeof(*p) - 1));
}

/* A present entry of any kind. */
static noinline int l1_entry_fill(u64 *p, struct domain *d)
{
	u64 e = l1e_adjust(*p);
	int rc;

	if (*p & l1_refused)
		return -XEN_EINVAL;
	rc = l1e_get(&e, d, d);
	if (!rc)
		*p = e;
	return rc;
}

static int l1_fill(u64 *t, struct domain *d)
{
	u64 *end = t + 512;

	for (u64 *p = next_eight(t, end); p < end; p = next_eight(p, end))
		do {
			u64 raw = *p, e = l1e_adjust(raw);
			int rc;

			if (likely((raw & (~PTE_PLAIN | PTE_P | PTE_RW)) ==
				   (PTE_P | PTE_RW)) &&
			    likely(writable_get_quick(e, d))) {
				*p = e;
				continue;
			}
			rc = raw & PTE_P ? l1_entry_fill(p, d) : 0;
			if (unlikely(rc)) {
				while (p-- > t)
					l1e_put(*p);
				return rc;
			}
		} while ((u64)++p & (8 * sizeof(*p) - 1));
	return 0;
}

static int descr_fill(u64 *t)
{
	for (unsigned int i = 0; i < 512; i++) {
		u64 desc = t[i];

		if (!desc)
			continue;
		if (!descr_fixup(&desc))
			return -XEN_EINVAL;
		if (desc != t[i])
			t[i] = desc;
	}
	return 0;
}

/* The reference of a present entry of level 2 to 4, and its final form. */
static int upper_get(u64 *entry, unsigned int level, struct domain *d,
		     int *budget)
{
	mfn_t mfn = pte_mfn(*entry);
	int rc;

	if (*entry & table_refused || !mfn_valid(mfn))
		return -XEN_EINVAL;
	rc = type_get(mfn_to_frame(mfn), d, (u64)(level - 1) << TYPE_SHIFT,
		      budget);
	if (!rc)
		*entry |= PTE_US | (level == 4 ? PTE_A : 0);
	return rc;
}

/*
 * Entries from *i on take references; *i is how far it came.  0: to the end.
 */
static int upper_fill(u64 *t, unsigned int level, unsigned int *i,
		      struct domain *d, int *budget)
{
	for (; *i < 512; ++*i) {
		u64 e;
		int rc;

		*i = (unsigned int)(next_present(t + *i, t + 512) - t);
		if (*i >= 512)
			break;
		if (hyp_slot(level, *i)) {
			*i = HYP_END_SLOT - 1;
			continue;
		}
		e = t[*i];
		rc = upper_get(&e, level, d, budget);
		if (rc)
			return rc;
		if (e != t[*i])
			t[*i] = e;
		if (spent(budget)) {
			++*i;
			return -XEN_ERESTART;
		}
	}
	return 0;
}

/* --- taking down ----------------------------------------------------- */

/* The caller was alone with the table.  Interrupted at entry n. */
static int leave_partial(struct frame *f, u64 type, unsigned int n)
{
	store_release(&f->type, (type & TYPE_MASK) | TYPE_PARTIAL |
		      (u64)n << TYPE_STAMP_SHIFT | 1);
	return -XEN_ERESTART;
}

/* The entry at which the work stopped owns nothing, but the table below may
 * have been left half done for its sake. */
static int reap_below(struct frame *f, unsigned int level, unsigned int n,
		      int *budget)
{
	u64 e = n < 512 && !hyp_slot(level, n) ? table_of(f)[n] : 0;
	struct frame *below;

	if (!(e & PTE_P) || e & table_refused || !mfn_valid(pte_mfn(e)))
		return 0;
	below = mfn_to_frame(pte_mfn(e));
	if (frame_owner(below) != frame_owner(f) ||
	    type_level(READ_ONCE(below->type)) != level - 1)
		return 0;
	return type_reap(below, budget);
}

/* Entries below n give their references back; n is where it stopped. */
static int upper_drop(u64 *t, unsigned int level, unsigned int *n,
		      int *budget)
{
	while (*n) {
		u64 e;

		/* Quickly over eight empty ones. */
		if (!(*n & 7)) {
			const u64 *p = t + *n - 8;

			if (!(p[0] | p[1] | p[2] | p[3] | p[4] | p[5] |
			      p[6] | p[7])) {
				*n -= 8;
				continue;
			}
		}
		e = t[--*n];
		if (!(e & PTE_P) || hyp_slot(level, *n))
			continue;
		if (type_put(mfn_to_frame(pte_mfn(e)), budget))
			return -XEN_ERESTART;
		if (*n && spent(budget))
			return -XEN_ERESTART;
	}
	return 0;
}

/*
 * The caller is alone with the table (count 1, not validated); entries below
 * n hold references.  0: it is no table any more.
 */
static int table_drop(struct frame *f, u64 type, unsigned int n, int *budget)
{
	unsigned int level = type_level(type);

	spend(budget);
	if (level == 1) {
		/* Never partly: it is full, or the attempt dropped it. */
		if (n)
			l1_drop(table_of(f));
	} else if (level <= 4) {
		if (reap_below(f, level, n, budget) ||
		    upper_drop(table_of(f), level, &n, budget))
			return leave_partial(f, type, n);
	}
	store_release(&f->type, type_idle(type));
	frame_put(f);
	return 0;
}

/* The rest of the work is for the next hypercall of this vCPU. */
static void reap_later(struct frame *f)
{
	reap_note(current, f);
}

/* See internal.h. */
int type_put(struct frame *f, int *budget)
{
	u64 x = READ_ONCE(f->type), seen;
	bool last;

	for (;;) {
		ASSERT(x & TYPE_COUNT_MASK);
		last = (x & TYPE_COUNT_MASK) == 1;
		seen = cmpxchg(&f->type, x, last ? x & ~TYPE_VALIDATED : x - 1);
		if (seen == x)
			break;
		x = seen;
	}
	return last ? table_drop(f, x, 512, budget) : 0;
}

/* See internal.h.  The PARTIAL state's own hold keeps the frame in being. */
int type_reap(struct frame *f, int *budget)
{
	u64 x = READ_ONCE(f->type), seen;

	while (x & TYPE_PARTIAL) {
		seen = cmpxchg(&f->type, x, (x & TYPE_MASK) | 1);
		if (seen == x)
			return table_drop(f, x, (unsigned int)
					  ((x & TYPE_STAMP_MASK) >>
					   TYPE_STAMP_SHIFT), budget);
		x = seen;
	}
	return 0;
}

int vcpu_reap(struct vcpu *v)
{
	int budget = TABLE_BUDGET, rc = 0;

	while (v->reap.m && !rc) {
		rc = type_reap(mfn_to_frame(v->reap), &budget);
		if (!rc) {
			v->reap = v->reap2;
			v->reap2 = MFN(0);
		}
	}
	return rc;
}

/* --- becoming a table ------------------------------------------------ */

/* The caller is alone with the frame; entries below n hold references. */
static int table_fill(struct frame *f, struct domain *d, u64 type,
		      unsigned int n, int *budget)
{
	unsigned int level = type_level(type);
	u64 *t = table_of(f);
	int rc;

	spend(budget);
	if (level == 1)
		rc = l1_fill(t, d), n = 0;
	else if (level <= 4)
		rc = upper_fill(t, level, &n, d, budget);
	else
		rc = descr_fill(t);
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
		reap_later(f);
	return rc;
}

/* Takes the frame, used as nothing, for a new type; then fills it. */
static int type_first(struct frame *f, struct domain *d, u64 type, u64 x,
		      int *budget)
{
	if (!frame_get(f, d))
		return -XEN_EINVAL;
	if (cmpxchg(&f->type, x, type | 1) != x) {
		frame_put(f);
		return -XEN_EAGAIN;
	}
	/* Not before: another CPU might have come in between (XSA-401). */
	frame_quiesce(f, d, x);
	return table_fill(f, d, type, 0, budget);
}

/* One step of type_get(); -XEN_EAGAIN: the type word changed, look again. */
static int type_try(struct frame *f, struct domain *d, u64 type, u64 x,
		    int *budget)
{
	if (!(x & TYPE_COUNT_MASK))
		return type_first(f, d, type, x, budget);
	if (x & TYPE_PARTIAL && (x & TYPE_MASK) != type)
		return type_reap(f, budget) ? -XEN_ERESTART : -XEN_EAGAIN;
	if ((x & TYPE_MASK) != type ||
	    (x & TYPE_COUNT_MASK) == COUNT_MAX_TYPE)
		return -XEN_EBUSY;
	if (x & TYPE_VALIDATED) {
		if (cmpxchg(&f->type, x, x + 1) != x)
			return -XEN_EAGAIN;
		if (likely(frame_owner(f) == d->id))
			return 0;
		type_put(f, NULL);
		return -XEN_EINVAL;
	}
	if (x & TYPE_PARTIAL) {
		if (cmpxchg(&f->type, x, type | 1) != x)
			return -XEN_EAGAIN;
		return table_fill(f, d, type, (unsigned int)
				  ((x & TYPE_STAMP_MASK) >> TYPE_STAMP_SHIFT),
				  budget);
	}
	cpu_poll();
	cpu_relax();
	return -XEN_EAGAIN;
}

/*
 * One more use of d's frame f as a table or descriptor table, validated if it
 * is the first.  0; -XEN_EINVAL not d's, or content not allowed; -XEN_EBUSY
 * in use as something else; -XEN_ERESTART the budget is spent, call again:
 * the caller then holds nothing.
 */
int type_get(struct frame *f, struct domain *d, u64 type, int *budget)
{
	int rc;

	/* PARTIAL and VALIDATED keep the owner: no need to look twice. */
	do {
		if (frame_owner(f) != d->id)
			return -XEN_EINVAL;
		rc = type_try(f, d, type, READ_ONCE(f->type), budget);
	} while (rc == -XEN_EAGAIN);
	return rc;
}

u64 table_hold(struct frame *f, const struct domain *d)
{
	u64 x = READ_ONCE(f->type), seen;

	for (;;) {
		u64 count = x & TYPE_COUNT_MASK;

		if (unlikely(!count || count == COUNT_MAX_TYPE ||
			     !type_is_table(x) || x & TYPE_PARTIAL ||
			     frame_owner(f) != d->id))
			return 0;
		if (unlikely(!(x & TYPE_VALIDATED))) {
			cpu_poll();
			cpu_relax();
			x = READ_ONCE(f->type);
			continue;
		}
		seen = cmpxchg(&f->type, x, x + 1);
		if (likely(seen == x))
			break;
		x = seen;
	}
	if (likely(frame_owner(f) == d->id))
		return x & TYPE_MASK;
	table_release(f);
	return 0;
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
	u64 old = READ_ONCE(*slot), new = val;
	struct frame *below;
	int rc;

	if (hyp_slot(level, (u64)slot >> 3 & 511))
		return -XEN_EINVAL;
	if (new & PTE_P) {
		rc = upper_get(&new, level, owner, budget);
		if (rc)
			return rc;
	}
	old = xchg(slot, new);
	if (!(old & PTE_P))
		return 0;
	if (!(new & PTE_P) || (old ^ new) & ~SAME_RIGHTS)
		tlb_flush_mask(READ_ONCE(owner->dirty_cpus), FLUSH_ALL_VA);
	below = mfn_to_frame(pte_mfn(old));
	if (type_put(below, budget))
		reap_later(below);
	return 0;
}

/* --- pins and bases -------------------------------------------------- */

/* At boot there is nobody to continue. */
static int *budget_of(int *budget)
{
	*budget = TABLE_BUDGET;
	return current->is_idle ? NULL : budget;
}

static void put_later(struct frame *f, int *budget)
{
	if (type_put(f, budget))
		reap_later(f);
}

/*
 * owner's frame is a table of that type until ptype_unpin(), on behalf of d.
 * -XEN_EINVAL: not possible, or pinned already; -XEN_EBUSY; -XEN_ERESTART.
 */
int ptype_pin(struct domain *d, struct domain *owner, mfn_t mfn, u64 type)
{
	int b, *budget = budget_of(&b), rc;
	struct frame *f;

	if (!mfn_valid(mfn))
		return deny(-XEN_EINVAL);
	f = mfn_to_frame(mfn);
	rc = type_get(f, owner, type, budget);
	if (rc)
		return rc == -XEN_ERESTART ? rc : (int)deny(rc);
	if (atomic_or(&f->type, TYPE_PINNED) & TYPE_PINNED) {
		put_later(f, budget);
		return deny(-XEN_EINVAL);
	}
	/* Who dies looks for pins after he says so, we the other way round. */
	if (READ_ONCE(owner->is_dying)) {
		if (atomic_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED)
			put_later(f, budget);
		return deny(-XEN_EINVAL);
	}
	return 0;
}

/* -XEN_EINVAL: not pinned.  -XEN_ERESTART: it no longer is, but call again. */
int ptype_unpin(struct domain *owner, mfn_t mfn)
{
	int b, *budget = budget_of(&b);
	struct frame *f;
	u64 x;

	if (!mfn_valid(mfn))
		return deny(-XEN_EINVAL);
	f = mfn_to_frame(mfn);
	x = READ_ONCE(f->type);
	if (frame_owner(f) != owner->id)
		return deny(-XEN_EINVAL);
	if (x & TYPE_PARTIAL)
		return type_reap(f, budget);
	if (!(x & TYPE_PINNED) ||
	    !(atomic_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED))
		return deny(-XEN_EINVAL);
	return type_put(f, budget);
}

static int vcpu_set_l4(struct vcpu *v, mfn_t *base, mfn_t l4)
{
	int b, *budget = budget_of(&b), rc;
	mfn_t old = *base;

	if (l4.m) {
		if (!mfn_valid(l4))
			return deny(-XEN_EINVAL);
		rc = type_get(mfn_to_frame(l4), v->domain, TYPE_L4, budget);
		if (rc)
			return rc == -XEN_ERESTART ? rc : (int)deny(rc);
	}
	if (v != current)
		context_sync(v);
	*base = l4;
	vcpu_update_cr3(v);
	/* The hardware lets go before we do (XSA-438). */
	if (v == current && base == &v->l4_kernel)
		cr3_load(v->cr3_kernel, true);
	if (old.m && type_put(mfn_to_frame(old), budget))
		reap_note(v, mfn_to_frame(old));
	return 0;
}

/* See mm.h. */
int vcpu_set_kernel_l4(struct vcpu *v, mfn_t l4)
{
	return l4.m ? vcpu_set_l4(v, &v->l4_kernel, l4) : deny(-XEN_EINVAL);
}

int vcpu_set_user_l4(struct vcpu *v, mfn_t l4)
{
	return vcpu_set_l4(v, &v->l4_user, l4);
}

/* v never runs again.  Call again until 0. */
int vcpu_drop_l4s(struct vcpu *v)
{
	int b, *budget = budget_of(&b);
	mfn_t *base[] = { &v->l4_kernel, &v->l4_user };

	context_sync(v);
	if (vcpu_reap(v))
		return -XEN_ERESTART;
	for (unsigned int i = 0; i < ARRAY_SIZE(base); i++) {
		mfn_t old = *base[i];

		if (!old.m)
			continue;
		*base[i] = MFN(0);
		vcpu_update_cr3(v);
		if (type_put(mfn_to_frame(old), budget)) {
			reap_note(v, mfn_to_frame(old));
			return -XEN_ERESTART;
		}
	}
	return 0;
}
