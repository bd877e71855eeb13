/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page allocator, and how frames become and cease to be a domain's.
 *
 * A buddy allocator: free blocks of 2^order frames, aligned to their size, in
 * lists by zone and order.  Zone z holds the blocks whose first mfn has its
 * highest bit at z, so "below 2^n bytes" is "zones below n - 12", and memory
 * is taken from the highest zone that will do.
 *
 * Invariants: a frame that a guest owned goes to nobody before all CPUs that
 * may still translate to it have flushed (its stamp), and before its content
 * is gone (it is zeroed when given out).  A domain that owns a frame exists.
 *
 * Locks: domain.page_lock for its numbers; pages_lock for the free lists.
 *  Freeing may happen under most locks: see frame_put().
 *
 * A hostile guest may hold memory it gave back by mapping it, let others map
 * it, or die with half-built tables: frames leave a dead domain one by one,
 * resumably, and late ones when their last reference goes.  There is no list of
 * a domain's frames: the one time it is needed, all of the machine that are
 * not free are looked at.
 */
#include <mm/internal.h>
#include <entry/entry.h>

#define NR_ZONES	31
#define RELINQUISH_BATCH	1024	/* frames between two looks for work */

static struct spinlock pages_lock = SPINLOCK(LOCK_PAGES);
static u32 free_head[NR_ZONES][MAX_ORDER + 1] = {
	[0 ... NR_ZONES - 1] = { [0 ... MAX_ORDER] = NO_FRAME },
};
static u64 free_count;

static struct frame *frame_at(u32 mfn)
{
	return mfn_to_frame(MFN(mfn));
}

u64 free_page_count(void)
{
	return READ_ONCE(free_count);
}

/* --- lists of frames ------------------------------------------------- */

void frame_list_add(u32 *head, struct frame *f)
{
	f->prev = NO_FRAME;
	f->next = *head;
	*head = (u32)frame_to_mfn(f).m;
	if (f->next != NO_FRAME)
		frame_at(f->next)->prev = *head;
}

static void frame_list_del(u32 *head, struct frame *f)
{
	if (f->prev == NO_FRAME)
		*head = f->next;
	else
		frame_at(f->prev)->next = f->next;
	if (f->next != NO_FRAME)
		frame_at(f->next)->prev = f->prev;
}

struct frame *frame_list_pop(u32 *head)
{
	struct frame *f = frame_at(*head);

	if (*head == NO_FRAME)
		return NULL;
	frame_list_del(head, f);
	return f;
}

/* --- free blocks ----------------------------------------------------- */

static u32 *head_of(u64 mfn, unsigned int order)
{
	return &free_head[fls64(mfn | 1)][order];
}

static void block_add_locked(struct frame *f, unsigned int order)
{
	f->ref = (u64)DOMID_INVALID << FRAME_OWNER_SHIFT | FRAME_FREE;
	f->type = (f->type & (TYPE_STAMP_MASK | TYPE_FREED)) | order;
	frame_list_add(head_of(frame_to_mfn(f).m, order), f);
}

static void block_del_locked(struct frame *f, unsigned int order)
{
	frame_list_del(head_of(frame_to_mfn(f).m, order), f);
	f->ref &= ~FRAME_FREE;
	f->type &= TYPE_STAMP_MASK | TYPE_FREED;
}

void m2p_fill(struct frame *f, unsigned int order, u64 pfn)
{
	for (u64 i = 0; i < 1UL << order; i++)
		m2p_set(frame_to_mfn(f + i),
			pfn == M2P_INVALID ? pfn : pfn + i);
}

/* Undoes pages_take().  Each frame's type has its stamp, or nothing. */
void pages_give(struct frame *f, unsigned int order)
{
	u64 mfn = frame_to_mfn(f).m;

	m2p_fill(f, order, M2P_INVALID);
	spin_lock(&pages_lock);
	free_count += 1UL << order;
	for (; order < MAX_ORDER; order++) {
		u64 other = mfn ^ 1UL << order;

		/* Another zone's is not a buddy: both are its lowest bits. */
		if (other >= max_mfn || head_of(other, 0) != head_of(mfn, 0))
			break;
		f = mfn_to_frame(MFN(other));
		if (!(f->ref & FRAME_FREE) || (f->type & 0xff) != order)
			break;
		block_del_locked(f, order);
		mfn &= ~(1UL << order);
	}
	block_add_locked(mfn_to_frame(MFN(mfn)), order);
	spin_unlock(&pages_lock);
}

static struct frame *block_take_locked(unsigned int order, unsigned int zones)
{
	while (zones-- > 0)
		for (unsigned int o = order; o <= MAX_ORDER; o++) {
			struct frame *f = frame_at(free_head[zones][o]);

			if (free_head[zones][o] == NO_FRAME)
				continue;
			block_del_locked(f, o);
			while (o-- > order)
				block_add_locked(f + (1UL << o), o);
			free_count -= 1UL << order;
			return f;
		}
	return NULL;
}

/* 2^order frames of nobody (count 0, type 0), zeroed; NULL: none left. */
struct frame *pages_take(unsigned int order, u32 flags)
{
	unsigned int bits = ALLOC_BITS(flags), zones = NR_ZONES;
	cpumask_t mask = 0;
	struct frame *f;

	if (bits)
		zones = bits < PAGE_SHIFT ? 0 : min(bits - PAGE_SHIFT, zones);
	spin_lock(&pages_lock);
	f = block_take_locked(order, zones);
	spin_unlock(&pages_lock);
	if (!f)
		return NULL;
	/* Those who may still reach one of the frames forget them. */
	for (u64 i = 0; i < 1UL << order; i++) {
		u64 x = f[i].type;

		f[i].type = 0;
		if (x & TYPE_FREED && mask != cpus_online)
			mask |= tlb_filter(cpus_online & ~mask,
					   (u32)(x >> TYPE_STAMP_SHIFT));
	}
	if (mask)
		tlb_flush_mask(mask, FLUSH_ALL_VA);
	if (!(flags & ALLOC_NOSCRUB))
		memset(mfn_to_virt(frame_to_mfn(f)), 0, PAGE_SIZE << order);
	return f;
}

/* --- our own pages --------------------------------------------------- */

void *alloc_pages(unsigned int order, u32 flags)
{
	struct frame *f = pages_take(order, flags);

	if (!f)
		return NULL;
	for (u64 i = 0; i < 1UL << order; i++)
		f[i].ref = (u64)DOMID_XEN << FRAME_OWNER_SHIFT;
	return mfn_to_virt(frame_to_mfn(f));
}

void free_pages(void *p, unsigned int order)
{
	struct frame *f = virt_to_frame(p);

	for (u64 i = 0; i < 1UL << order; i++) {
		BUG_ON(f[i].ref & (FRAME_COUNT_MASK | FRAME_FREE));
		f[i].ref = (u64)DOMID_INVALID << FRAME_OWNER_SHIFT;
		f[i].type = 0;
	}
	pages_give(f, order);
}

/* Gives RAM to the allocator: at boot, and what boot has used up.  start and
 * end lie on page boundaries. */
void pages_add(paddr_t start, paddr_t end)
{
	u64 mfn = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	while (mfn < last) {
		unsigned int order = min(ffs64(mfn | 1UL << MAX_ORDER),
					 fls64(last - mfn));

		free_pages(mfn_to_virt(MFN(mfn)), order);
		mfn += 1UL << order;
	}
}

/* --- domains' frames ------------------------------------------------- */

/*
 * The frames become d's.  If they are to be counted, false: it is dying, or
 * has not that much room; its first frame holds the domain.
 */
bool pages_assign(struct domain *d, struct frame *f, unsigned int order,
		  bool count)
{
	u64 n = 1UL << order;
	bool ok;

	spin_lock(&d->page_lock);
	ok = !count || (!d->is_dying && d->tot_pages + n <= d->max_pages &&
			(d->tot_pages + d->shared_pages || domain_hold(d)));
	if (ok && count)
		d->tot_pages += n;
	for (u64 i = 0; ok && i < n; i++)
		store_release(&f[i].ref, (u64)d->id << FRAME_OWNER_SHIFT |
			      FRAME_ALLOCATED | 1);
	spin_unlock(&d->page_lock);
	return ok;
}

/* See mm.h.  Not above d's limit; not for the dying.  The M2P is right before
 * the frames are the guest's, who may give them away at once. */
struct frame *alloc_domain_pages(struct domain *d, unsigned int order,
				 u32 flags, u64 pfn)
{
	struct frame *f;

	/* Looked at again, with the lock, in pages_assign(). */
	if (order > MAX_ORDER ||
	    READ_ONCE(d->tot_pages) + (1UL << order) > READ_ONCE(d->max_pages))
		return NULL;
	f = pages_take(order, flags);
	if (!f)
		return NULL;
	m2p_fill(f, order, pfn);
	if (pages_assign(d, f, order, true))
		return f;
	pages_give(f, order);
	return NULL;
}

/* A guest's frame, unlinked and with count 0, becomes free. */
void page_free_stolen(struct frame *f)
{
	u64 type = READ_ONCE(f->type);

	ASSERT(!(type & TYPE_COUNT_MASK));
	/* XSA-402: nobody gets memory whose cached content is older. */
	if (unlikely(f->ref & FRAME_UNCACHED))
		frame_writeback(f);
	f->ref = (u64)DOMID_INVALID << FRAME_OWNER_SHIFT;
	f->type = (u64)tlb_clock() << TYPE_STAMP_SHIFT | TYPE_FREED;
	pages_give(f, 0);
}

/*
 * The last reference of f is gone; ref is what the put left.  Nobody can get
 * a new one; only this CPU touches the frame.  Its domain is held by it, and
 * no longer with its last frame.  No domain: its creation failed, when it had
 * nothing but shared pages.
 */
void frame_last_put(struct frame *f, u64 ref)
{
	struct domain *d = domain_get((domid_t)(ref >> FRAME_OWNER_SHIFT));
	bool shared = ref & FRAME_XENHEAP, last = false;

	BUG_ON(!d && !shared);
	if (d) {
		spin_lock(&d->page_lock);
		--*(shared ? &d->shared_pages : &d->tot_pages);
		last = !(d->shared_pages + d->tot_pages);
		spin_unlock(&d->page_lock);
	}
	if (shared) {
		f->type = 0;
		/* Whoever reuses the page must not meet stale translations. */
		tlb_flush_mask(cpus_online, FLUSH_ALL_VA);
		store_release(&f->ref, (u64)DOMID_XEN << FRAME_OWNER_SHIFT);
		if (ref & FRAME_ORPHAN)
			free_page(mfn_to_virt(frame_to_mfn(f)));
	} else {
		page_free_stolen(f);
	}
	if (last)
		domain_put(d);
	if (d)
		domain_put(d);
}

/* --- exchange -------------------------------------------------------- */

/* Takes f from d if the allocation is its only reference. */
bool page_steal(struct domain *d, struct frame *f)
{
	u64 base = (u64)d->id << FRAME_OWNER_SHIFT, x = READ_ONCE(f->ref);

	return (x & ~FRAME_UNCACHED) == (base | FRAME_ALLOCATED | 1) &&
	       cmpxchg(&f->ref, x, base | (x & FRAME_UNCACHED)) == x;
}

void page_unsteal(struct frame *f)
{
	store_release(&f->ref, f->ref | FRAME_ALLOCATED | 1);
}

/* --- the end of a domain --------------------------------------------- */

/* Even at the limit of what guests may count up to: there is room above. */
static bool frame_hold(struct frame *f, const struct domain *d)
{
	u64 x = READ_ONCE(f->ref);

	while (x & FRAME_COUNT_MASK &&
	       (domid_t)(x >> FRAME_OWNER_SHIFT) == d->id)
		if (try_cmpxchg(&f->ref, &x, x + 1))
			return true;
	return false;
}

/*
 * Frame by frame of the machine, whatever keeps it in existence on behalf of
 * its owner.  Nobody gives the dying frames any more.
 */
int domain_relinquish_pages(struct domain *d)
{
	u64 start = d->relinquish_next, *mfn = &d->relinquish_next;
	int budget = TABLE_BUDGET, rc = 0;

	for (; *mfn < max_mfn; ++*mfn) {
		struct frame *f = mfn_to_frame(MFN(*mfn));

		if ((*mfn % RELINQUISH_BATCH == 0 || budget <= 0) &&
		    *mfn != start) {
			if (preempt_check())
				return -XEN_ERESTART;
			budget = TABLE_BUDGET;
		}
		if (READ_ONCE(f->ref) & FRAME_FREE) {	/* a block: over it */
			spin_lock(&pages_lock);
			if (f->ref & FRAME_FREE)
				*mfn += (1UL << (f->type & 0xff)) - 1;
			spin_unlock(&pages_lock);
		}
		if (!frame_hold(f, d))
			continue;
		if (atomic_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED)
			rc = type_put(f, &budget);
		if (!rc)
			rc = type_reap(f, &budget);
		if (!rc)
			frame_release_allocated(f);
		frame_put(f);
		if (rc)
			return rc;
	}
	return 0;
}
