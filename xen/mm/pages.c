/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page allocator, and domains' lists of their frames.
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
 * Locks: domain.page_lock for its list and numbers; pages_lock for the free
 * lists.  Freeing may happen under most locks: see frame_put().
 *
 * A hostile guest may hold memory it gave back by mapping it, let others map
 * it, or die with half-built tables: frames leave a dead domain one by one,
 * resumably, and late ones when their last reference goes.
 */
#include <mm/internal.h>

#define NR_ZONES	31
#define ORDERS		(MAX_ORDER + 1)

static struct spinlock pages_lock = SPINLOCK(LOCK_PAGES);
static u32 free_head[NR_ZONES][ORDERS];
static u32 free_orders[NR_ZONES];	/* bit per order with a block */
static u64 free_count;

static struct frame *frame_at(u32 mfn)
{
	return mfn_to_frame(MFN(mfn));
}

static unsigned int zone_of(u64 mfn)
{
	return mfn ? fls64(mfn) : 0;
}

void __init pages_init(void)
{
	for (unsigned int z = 0; z < NR_ZONES; z++)
		for (unsigned int o = 0; o < ORDERS; o++)
			free_head[z][o] = NO_FRAME;
}

u64 free_page_count(void)
{
	return READ_ONCE(free_count);
}

/* --- lists of frames ------------------------------------------------- */

static void list_add(u32 *head, struct frame *f)
{
	u32 mfn = (u32)frame_to_mfn(f).m;

	f->prev = NO_FRAME;
	f->next = *head;
	if (f->next != NO_FRAME)
		frame_at(f->next)->prev = mfn;
	*head = mfn;
}

static void list_del(u32 *head, struct frame *f)
{
	if (f->prev == NO_FRAME)
		*head = f->next;
	else
		frame_at(f->prev)->next = f->next;
	if (f->next != NO_FRAME)
		frame_at(f->next)->prev = f->prev;
}

/* --- free blocks ----------------------------------------------------- */

static void block_add_locked(u64 mfn, unsigned int order)
{
	struct frame *f = mfn_to_frame(MFN(mfn));
	unsigned int z = zone_of(mfn);

	f->ref = (u64)DOMID_INVALID << FRAME_OWNER_SHIFT | FRAME_FREE;
	f->type = (f->type & (TYPE_STAMP_MASK | TYPE_FREED)) | order;
	list_add(&free_head[z][order], f);
	free_orders[z] |= 1U << order;
}

static void block_del_locked(struct frame *f, unsigned int order)
{
	unsigned int z = zone_of(frame_to_mfn(f).m);

	list_del(&free_head[z][order], f);
	if (free_head[z][order] == NO_FRAME)
		free_orders[z] &= ~(1U << order);
	f->ref &= ~FRAME_FREE;
	f->type &= TYPE_STAMP_MASK | TYPE_FREED;
}

/* The free block of this order beside mfn's, or NULL. */
static struct frame *buddy_locked(u64 mfn, unsigned int order)
{
	u64 other = mfn ^ 1UL << order;
	struct frame *f;

	if (!mfn_has_frame(MFN(other)) || zone_of(other) != zone_of(mfn))
		return NULL;
	f = mfn_to_frame(MFN(other));
	return f->ref & FRAME_FREE && (f->type & 0xff) == order ? f : NULL;
}

/* Each frame's type has its stamp, or nothing. */
static void block_free(u64 mfn, unsigned int order)
{
	struct frame *f;

	spin_lock(&pages_lock);
	free_count += 1UL << order;
	while (order < MAX_ORDER && (f = buddy_locked(mfn, order)) != NULL) {
		block_del_locked(f, order);
		mfn &= ~(1UL << order);
		order++;
	}
	block_add_locked(mfn, order);
	spin_unlock(&pages_lock);
}

static struct frame *block_take_locked(unsigned int order, unsigned int zones)
{
	for (unsigned int z = zones; z-- > 0;) {
		u32 fit = free_orders[z] >> order;
		unsigned int have;
		struct frame *f;

		if (!fit)
			continue;
		have = order + ffs64(fit);
		f = frame_at(free_head[z][have]);
		block_del_locked(f, have);
		while (have > order) {
			have--;
			block_add_locked(frame_to_mfn(f).m + (1UL << have),
					 have);
		}
		free_count -= 1UL << order;
		return f;
	}
	return NULL;
}

/* Those who may still reach one of the frames forget them. */
static void block_flush(struct frame *f, unsigned int order)
{
	cpumask_t mask = 0;

	for (u64 i = 0; i < 1UL << order; i++) {
		u64 x = f[i].type;

		f[i].type = 0;
		if (x & TYPE_FREED && mask != cpus_online)
			mask |= tlb_filter(cpus_online & ~mask,
					   (u32)(x >> TYPE_STAMP_SHIFT));
	}
	if (mask)
		tlb_flush_mask(mask, FLUSH_ALL_VA);
}

/* 2^order frames of nobody (count 0, type 0), zeroed; NULL: none left. */
struct frame *pages_take(unsigned int order, u32 flags)
{
	unsigned int bits = ALLOC_BITS(flags), zones = NR_ZONES;
	struct frame *f;

	if (order > MAX_ORDER)
		return NULL;
	if (bits)
		zones = bits <= PAGE_SHIFT ? 0
					   : min(bits - PAGE_SHIFT, zones);
	spin_lock(&pages_lock);
	f = block_take_locked(order, zones);
	spin_unlock(&pages_lock);
	if (!f)
		return NULL;
	block_flush(f, order);
	if (!(flags & ALLOC_NOSCRUB))
		memset(mfn_to_virt(frame_to_mfn(f)), 0, PAGE_SIZE << order);
	return f;
}

/* Undoes pages_take(). */
void pages_give(struct frame *f, unsigned int order)
{
	block_free(frame_to_mfn(f).m, order);
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
		BUG_ON(f[i].ref != (u64)DOMID_XEN << FRAME_OWNER_SHIFT);
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

	for (u64 m = mfn; m < last; m++) {
		struct frame *f = mfn_to_frame(MFN(m));

		f->ref = (u64)DOMID_INVALID << FRAME_OWNER_SHIFT;
		f->type = 0;
	}
	while (mfn < last) {
		unsigned int order = min(ffs64(mfn | 1UL << MAX_ORDER),
					 fls64(last - mfn));

		block_free(mfn, order);
		mfn += 1UL << order;
	}
}

/* --- domains' frames ------------------------------------------------- */

/* n frames are gone.  With the last one the domain is no longer held. */
static void pages_uncharge(struct domain *d, u64 n)
{
	bool last;

	spin_lock(&d->page_lock);
	d->tot_pages -= n;
	last = !(d->tot_pages + d->shared_pages);
	spin_unlock(&d->page_lock);
	if (last)
		domain_put(d);
}

/*
 * The frames become d's: 0, or -XEN_EINVAL if it is dying or, when they are
 * to be counted, has not that much room.  Its first frame holds the domain.
 */
int pages_assign(struct domain *d, struct frame *f, unsigned int order,
		 bool count)
{
	u64 n = 1UL << order;

	spin_lock(&d->page_lock);
	if (d->is_dying ||
	    (count && (d->tot_pages + n > d->max_pages ||
		       !(d->tot_pages + d->shared_pages || domain_hold(d))))) {
		spin_unlock(&d->page_lock);
		return -XEN_EINVAL;
	}
	if (count)
		d->tot_pages += n;
	for (u64 i = n; i-- > 0;) {
		list_add(&d->page_list, &f[i]);
		store_release(&f[i].ref, (u64)d->id << FRAME_OWNER_SHIFT |
			      FRAME_ALLOCATED | 1);
	}
	spin_unlock(&d->page_lock);
	return 0;
}

/* See mm.h.  Not above d's limit; not for the dying. */
struct frame *alloc_domain_pages(struct domain *d, unsigned int order,
				 u32 flags)
{
	struct frame *f;

	/* Looked at again, with the lock, in pages_assign(). */
	if (order > MAX_ORDER ||
	    READ_ONCE(d->tot_pages) + (1UL << order) > READ_ONCE(d->max_pages))
		return NULL;
	f = pages_take(order, flags);
	if (f && pages_assign(d, f, order, true)) {
		pages_give(f, order);
		f = NULL;
	}
	return f;
}

/* A guest's frame, unlinked and with count 0, becomes free. */
void page_free_stolen(struct frame *f)
{
	u64 type = READ_ONCE(f->type);

	ASSERT(!(type & TYPE_COUNT_MASK));
	/* XSA-402: nobody gets memory whose cached content is older. */
	if (unlikely(f->ref & FRAME_UNCACHED))
		frame_writeback(f);
	m2p_set(frame_to_mfn(f), M2P_INVALID);
	f->ref = (u64)DOMID_INVALID << FRAME_OWNER_SHIFT;
	f->type = (u64)tlb_clock() << TYPE_STAMP_SHIFT | TYPE_FREED;
	block_free(frame_to_mfn(f).m, 0);
}

/* A shared page that nobody maps any more is ours again. */
static void shared_drained(struct frame *f, u64 ref, struct domain *d)
{
	void *page = mfn_to_virt(frame_to_mfn(f));
	bool last = false;

	if (d) {
		spin_lock(&d->page_lock);
		list_del(&d->xenpage_list, f);
		last = !(--d->shared_pages + d->tot_pages);
		spin_unlock(&d->page_lock);
	}
	f->type = 0;
	/* Stale translations: whoever reuses the page must not meet them. */
	tlb_flush_mask(cpus_online, FLUSH_ALL_VA);
	store_release(&f->ref, (u64)DOMID_XEN << FRAME_OWNER_SHIFT);
	if (ref & FRAME_ORPHAN)
		free_page(page);
	if (last)
		domain_put(d);
}

/*
 * The last reference of f is gone; ref is what the put left.  Nobody can get
 * a new one; only this CPU touches the frame.  Its domain is held by it.
 */
void frame_last_put(struct frame *f, u64 ref)
{
	domid_t owner = (domid_t)(ref >> FRAME_OWNER_SHIFT);
	struct domain *d = domain_get(owner);

	if (ref & FRAME_XENHEAP) {
		/* Not in the list of domains: its creation failed. */
		shared_drained(f, ref, d);
	} else {
		BUG_ON(!d);
		spin_lock(&d->page_lock);
		list_del(&d->page_list, f);
		spin_unlock(&d->page_lock);
		page_free_stolen(f);
		pages_uncharge(d, 1);
	}
	if (d)
		domain_put(d);
}

/* --- exchange -------------------------------------------------------- */

/* Takes f from d if the allocation is its only reference. */
bool page_steal(struct domain *d, struct frame *f)
{
	u64 base = (u64)d->id << FRAME_OWNER_SHIFT;
	u64 x = READ_ONCE(f->ref);

	if ((x & ~FRAME_UNCACHED) != (base | FRAME_ALLOCATED | 1) ||
	    cmpxchg(&f->ref, x, base | (x & FRAME_UNCACHED)) != x)
		return false;
	spin_lock(&d->page_lock);
	list_del(&d->page_list, f);
	spin_unlock(&d->page_lock);
	return true;
}

void page_unsteal(struct domain *d, struct frame *f)
{
	spin_lock(&d->page_lock);
	list_add(&d->page_list, f);
	spin_unlock(&d->page_lock);
	store_release(&f->ref, f->ref | FRAME_ALLOCATED | 1);
}

/* --- the end of a domain --------------------------------------------- */

/* Frames per call of domain_relinquish_pages(). */
#define RELINQUISH_BATCH	1024
/* domain.relinquish_state, else the mfn of the next frame, which is held. */
#define RELINQUISH_START	0U
#define RELINQUISH_DONE		NO_FRAME

/* The first frame of the list at *link that has a reference to give. */
static u32 hold_next(struct domain *d, const u32 *link)
{
	u32 mfn;

	for (;;) {
		spin_lock(&d->page_lock);
		mfn = *link;
		if (mfn == NO_FRAME || frame_get(frame_at(mfn), d))
			break;
		/* Another CPU dropped its last one, and wants our lock. */
		spin_unlock(&d->page_lock);
		cpu_poll();
	}
	spin_unlock(&d->page_lock);
	return mfn;
}

/* Whatever keeps f in existence on behalf of its owner goes. */
static int frame_relinquish(struct frame *f, int *budget)
{
	int rc = 0;

	if (atomic_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED)
		rc = type_put(f, budget);
	if (!rc)
		rc = type_reap(f, budget);
	if (!rc)
		frame_release_allocated(f);
	return rc;
}

static void shared_relinquish(struct domain *d)
{
	u32 mfn = hold_next(d, &d->xenpage_list);

	while (mfn != NO_FRAME) {
		struct frame *f = frame_at(mfn);

		share_end(f);
		mfn = hold_next(d, &f->next);
		frame_put(f);
	}
}

int domain_relinquish_pages(struct domain *d)
{
	int budget = TABLE_BUDGET;
	u32 mfn = d->relinquish_state;

	if (mfn == RELINQUISH_DONE)
		return 0;
	if (mfn == RELINQUISH_START) {
		shared_relinquish(d);
		mfn = hold_next(d, &d->page_list);
	}
	for (unsigned int n = 0; mfn != NO_FRAME; n++) {
		struct frame *f = frame_at(mfn);
		int rc = n < RELINQUISH_BATCH ? frame_relinquish(f, &budget)
					      : -XEN_ERESTART;

		if (rc) {
			d->relinquish_state = mfn;
			return rc;
		}
		mfn = hold_next(d, &f->next);
		frame_put(f);
	}
	d->relinquish_state = RELINQUISH_DONE;
	return 0;
}
