/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame table: for each frame of RAM its owner and two counts.
 *
 * Invariant: a frame is free only when nothing refers to it, and it changes
 * its use (struct frame.type) only when nothing uses it.  So a guest never
 * has a writable mapping of a page table, a descriptor table, or of memory
 * that is no longer its own.
 *
 *   ref.count  existence: the owner's allocation, every read-only mapping,
 *              every grant, and one for the current use as a type
 *   type.count uses as the current type: writable mappings, or references
 *              to a table from the level above, pins, and loaded tables
 *
 * Both words change by compare-and-swap alone; there is no lock.  The owner
 * is in the same word as the count of references, so a reference is for the
 * right owner or fails.  A use is taken on the type word only, when there are
 * others already (the hot path): the owner is checked afterwards, when it can
 * no longer change.  Counts that would overflow are refused.
 *
 * A frame that was written through a mapping a moment ago may still be
 * writable by stale translations.  When the last writable use ends, the TLB
 * clock is noted in the type word; when the frame gets another type, the CPUs
 * that have not flushed since are flushed -- after the new type is taken and
 * before its content is looked at (XSA-401, XSA-408).
 *
 * Deliberately not here: page-table contents (ptypes.c, l1.c), the free lists
 * (pages.c).
 */
#include <mm/internal.h>

u64 max_mfn;
u64 total_pages;

_Static_assert(sizeof(struct frame) == 24, "struct frame");

/* One more reference if d owns f and f is in use; false otherwise. */
bool frame_get(struct frame *f, const struct domain *d)
{
	u64 x = READ_ONCE(f->ref);

	do {
		if (unlikely((u32)x - 1 >= COUNT_MAX_REF - 1) ||
		    unlikely((domid_t)(x >> FRAME_OWNER_SHIFT) != d->id))
			return false;
	} while (unlikely(!try_cmpxchg(&f->ref, &x, x + 1)));
	return true;
}

/* Drops a reference.  Any lock up to the owner's page_lock may be held. */
void frame_put(struct frame *f)
{
	u64 x;

	ASSERT(f->ref & FRAME_COUNT_MASK);
	x = atomic_sub(&f->ref, 1);
	if (unlikely(!(x & FRAME_COUNT_MASK)))
		frame_last_put(f, x);
}

/* The frame mfn with a reference, if it is RAM and d's; else NULL. */
struct frame *mfn_get(mfn_t mfn, const struct domain *d)
{
	struct frame *f = mfn_to_frame(mfn);

	return likely(mfn_valid(mfn)) && frame_get(f, d) ? f : NULL;
}

/*
 * Drops the reference that ownership itself is, and a shared page's hold; the
 * frame is freed when the guest's last mapping goes.  False if it was dropped
 * before.
 */
bool frame_release_allocated(struct frame *f)
{
	u64 x = atomic_and(&f->ref, ~FRAME_ALLOCATED);

	if (!(x & FRAME_ALLOCATED))
		return false;
	if (x & FRAME_XENHEAP)
		frame_put_type(f);
	frame_put(f);
	return true;
}

/* Writes the frame's lines back: a guest wrote past the caches (XSA-402). */
void frame_writeback(struct frame *f)
{
	const u8 *p = mfn_to_virt(frame_to_mfn(f));

	atomic_and(&f->ref, ~FRAME_UNCACHED);
	smp_mb();
	for (unsigned int i = 0; i < PAGE_SIZE; i += 64)
		clflush(p + i);
	smp_mb();
}

/*
 * d's f has just left use as old_type, and the caller has claimed it: after
 * this no CPU can write to it and memory holds what it should.
 */
void frame_quiesce(struct frame *f, const struct domain *d, u64 old_type)
{
	cpumask_t mask = 0;

	if ((old_type & TYPE_MASK) == TYPE_WRITABLE)
		mask = tlb_filter(READ_ONCE(d->dirty_cpus),
				  (u32)(old_type >> TYPE_STAMP_SHIFT));
	if (mask)
		tlb_flush_mask(mask, FLUSH_ALL_VA);
	if (unlikely(READ_ONCE(f->ref) & FRAME_UNCACHED))
		frame_writeback(f);
}

/* See internal.h. */
bool writable_first(struct frame *f, const struct domain *d, u64 x)
{
	if (x & (TYPE_COUNT_MASK | TYPE_PARTIAL) || !frame_get(f, d))
		return false;
	if (likely(cmpxchg(&f->type, x, TYPE_WRITABLE | 1) == x))
		return true;
	frame_put(f);
	return false;
}

int frame_get_type(struct frame *f, struct domain *d, u64 type)
{
	int budget = TABLE_BUDGET;	/* no tables: never spent */

	return type_get(f, d, type, &budget);
}

/* Ends a use; a table is taken down to the end, however long that takes. */
void frame_put_type(struct frame *f)
{
	int budget = UNLIMITED;

	(void)type_put(f, &budget);
}

/*
 * The page becomes d's to map.  A use as TYPE_WRITABLE that never ends
 * meanwhile keeps it from any other type.
 */
void frame_share(void *page, struct domain *d)
{
	struct frame *f = virt_to_frame(page);

	ASSERT(frame_owner(f) == DOMID_XEN && !(f->ref & FRAME_COUNT_MASK));
	m2p_set(frame_to_mfn(f), M2P_INVALID);
	f->type = TYPE_WRITABLE | 1;
	spin_lock(&d->page_lock);
	if (!(d->shared_pages++ + d->tot_pages))
		BUG_ON(!domain_hold(d));
	store_release(&f->ref, (u64)d->id << FRAME_OWNER_SHIFT |
		      FRAME_XENHEAP | FRAME_ALLOCATED | 2);
	spin_unlock(&d->page_lock);
}

/* The caller forgets the page.  It is freed now, or when the last mapping of it
 * goes. */
void frame_unshare(void *page)
{
	struct frame *f = virt_to_frame(page);

	frame_release_allocated(f);
	for (;;) {
		u64 x = READ_ONCE(f->ref);

		if (!(x & FRAME_XENHEAP))
			return free_page(page);
		if ((x & FRAME_COUNT_MASK) &&
		    cmpxchg(&f->ref, x, x | FRAME_ORPHAN) == x)
			return;
		/* Count 0: another CPU is about to make it ours again. */
		cpu_poll();
	}
}
