/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapping and unmapping frames of other domains by grant reference.
 *
 * Invariants:
 *  - a handle is in use exactly while its flags are not 0; it then stands for
 *    one user of the lender's entry, and holds the lender's domain, whether
 *    it is mapped for the CPU, for devices, or for both;
 *  - the frame's reference is the handle's.  The page-table entry, marked
 *    PTE_GRANT by mm/, counts for nothing; a guest that overwrites it by other
 *    means keeps a handle it cannot give back before it dies.  An entry
 *    removed for a handle must be as writable as the handle, or a writable
 *    entry could outlive the writable type;
 *  - a frame's reference is dropped only after no TLB can hold the entry that
 *    is gone: phase one of an unmap batch removes entries, then one flush,
 *    then phase two gives frames and handles back.
 *
 * A hostile borrower may race unmaps of one handle on all its vCPUs: the one
 * that sets MAP_BUSY goes on, the others are told the handle is bad.
 *
 * Not offered: frames that are not RAM; unmap_and_replace.  Locks: table.h.
 */
#include <grant/table.h>
#include <entry/entry.h>

#define UNMAP_BATCH	32
#define MAP_BATCH	16	/* elements between two looks for work */
#define RELEASE_BATCH	512
#define MAPPED		(GNTMAP_host_map | GNTMAP_device_map)

/* --- handles -------------------------------------------------------- */

_Static_assert(sizeof(struct mapping) <= 32, "a chunk of handles is a page");

static always_inline struct mapping *map_at(const struct grant_table *t,
					    u32 handle)
{
	return &t->map[handle / MAPS_PER_CHUNK][handle % MAPS_PER_CHUNK];
}

/* Another chunk of handles, if the limit and memory permit. */
static void more_maps_locked(struct grant_table *t)
{
	struct mapping *m;

	if (t->nr_maps >= t->max_maps)
		return;
	if (!t->map)
		t->map = heap_alloc(t->max_maps / MAPS_PER_CHUNK *
				    sizeof(*t->map));
	m = t->map ? heap_alloc(MAPS_PER_CHUNK * sizeof(*m)) : NULL;
	if (!m)
		return;
	for (u32 i = MAPS_PER_CHUNK; i-- > 0; t->free_map = &m[i]) {
		m[i].next = t->free_map;
		m[i].handle = t->nr_maps + i;
	}
	t->map[t->nr_maps / MAPS_PER_CHUNK] = m;
	store_release(&t->nr_maps, t->nr_maps + MAPS_PER_CHUNK);
}

/* NULL: no more. */
static struct mapping *handle_get(struct grant_table *t)
{
	struct mapping *m;

	spin_lock(&t->lock);
	if (unlikely(!t->free_map))
		more_maps_locked(t);
	m = t->free_map;
	if (likely(m))
		t->free_map = m->next;
	spin_unlock(&t->lock);
	return m;
}

static void handle_put(struct grant_table *t, struct mapping *m)
{
	spin_lock(&t->lock);
	m->next = t->free_map;
	store_release(&m->flags, (u16)0);
	t->free_map = m;
	spin_unlock(&t->lock);
}

/* Sets MAP_BUSY; 0 if the handle is not in use or somebody else has it. */
static u16 claim(struct mapping *m)
{
	u16 flags = READ_ONCE(m->flags);

	return flags & MAP_BUSY || !flags ||
	       cmpxchg(&m->flags, flags, (u16)(flags | MAP_BUSY)) != flags
	       ? 0 : flags;
}

/* --- mapping -------------------------------------------------------- */

/* The entry as the guest would write it; mm/ adds what every entry gets.  A
 * is clear. */
static int pte_install(const struct gnttab_map_grant_ref *op, u64 mfn)
{
	u64 pte = mfn << PAGE_SHIFT | PTE_P | PTE_NX |
		  ((u64)op->flags >> 16 << 9 & PTE_AVAIL) |
		  (op->flags & GNTMAP_readonly ? 0 : PTE_RW) |
		  (op->flags & GNTMAP_application_map ? PTE_US : 0);

	return ptype_map_grant(current, op->host_addr,
			       op->flags & GNTMAP_contains_pte, pte)
	       ? GNTST_general_error : GNTST_okay;
}

static int map_one(struct gnttab_map_grant_ref *op, struct domain *rd)
{
	struct domain *d = current->domain;
	bool writes = !(op->flags & GNTMAP_readonly);
	struct mapping *m;
	int rc;

	if (unlikely(!(op->flags & MAPPED)))
		return GNTST_bad_gntref;
	if (unlikely(!rd))
		return GNTST_bad_domain;
	m = handle_get(d->grant);
	if (unlikely(!m))
		return GNTST_no_space;
	rc = grant_pin(rd, op->ref, d->id, writes, &m->pin);
	if (likely(!rc) && op->flags & GNTMAP_host_map) {
		rc = pte_install(op, m->pin.a->mfn);
		if (unlikely(rc))
			grant_unpin(&m->pin, writes);
	}
	if (unlikely(rc)) {
		handle_put(d->grant, m);
		return rc;
	}
	domain_hold(rd);	/* cannot fail: our caller has it too */
	m->rd = rd;
	op->handle = m->handle;
	op->dev_bus_addr = (u64)m->pin.a->mfn << PAGE_SHIFT;
	store_release(&m->flags, (u16)(op->flags & MAP_KEPT_FLAGS));
	return GNTST_okay;
}

/* --- unmapping ------------------------------------------------------ */

/* Between the two phases. */
struct unmapping {
	struct mapping *m;	/* NULL: nothing to do */
	u16 left;		/* flags of the handle that stay */
};

/*
 * Phase one: claims the handle and removes the entry.  The processor sets A
 * before it keeps an entry, and mm/ lets no guest clear A of a grant's entry,
 * so one without A was never used and needs no flush.  (A guest that wrote
 * something else over an entry keeps a handle without an entry, and so the
 * frame's reference: there are never fewer handles than entries.)
 */
static int unmap_begin(const struct gnttab_unmap_grant_ref *op,
		       struct unmapping *u, bool *flush)
{
	struct grant_table *t = current->domain->grant;
	u16 flags, done = op->host_addr ? GNTMAP_host_map : 0;
	u64 old = 0, addr = op->host_addr;
	int rc = GNTST_okay;
	mfn_t mfn;

	u->m = NULL;
	if (unlikely(op->handle >= load_acquire(&t->nr_maps)))
		return GNTST_bad_handle;
	flags = claim(map_at(t, op->handle));
	if (unlikely(!flags))
		return GNTST_bad_handle;
	u->m = map_at(t, op->handle);
	mfn = MFN(u->m->pin.a->mfn);
	done |= op->dev_bus_addr ? GNTMAP_device_map : 0;
	done &= flags;
	if (done & GNTMAP_device_map &&
	    op->dev_bus_addr != mfn.m << PAGE_SHIFT) {
		rc = GNTST_bad_dev_addr;
	} else if (done & GNTMAP_host_map) {
		rc = ptype_unmap_grant(current, addr,
				       flags & GNTMAP_contains_pte, mfn, &old);
		*flush |= (old & PTE_A) != 0;
		/* Another handle's entry for the same frame: it is gone, but
		 * this handle's own still stands and needs its reference. */
		if (rc || !(old & PTE_RW) != !!(flags & GNTMAP_readonly))
			rc = GNTST_general_error;
	}
	u->left = flags & ~done;
	if (rc || !done) {
		store_release(&u->m->flags, flags);
		u->m = NULL;
	}
	return rc;
}

/* The reference and with it the handle, if nothing is left; d is its owner. */
static void mapping_end(struct domain *d, struct mapping *m, u16 left)
{
	struct domain *rd = m->rd;

	if (left & MAPPED) {
		store_release(&m->flags, left);
		return;
	}
	grant_unpin(&m->pin, !(left & GNTMAP_readonly));
	handle_put(d->grant, m);
	domain_put(rd);
}

/* Phase two. */
static void unmap_finish(const struct unmapping *u, unsigned int n, bool flush)
{
	struct domain *d = current->domain;

	if (flush)
		tlb_flush_mask(READ_ONCE(d->dirty_cpus), FLUSH_ALL_VA);
	for (; n; n--, u++)
		if (u->m)
			mapping_end(d, u->m, u->left);
}

/* --- batches -------------------------------------------------------- */

/* The guest could not be told of a mapping: it never was.  This fails only if
 * the guest has already changed it elsewhere. */
static void map_undo(const struct gnttab_map_grant_ref *op)
{
	struct gnttab_unmap_grant_ref un = {
		.host_addr = op->host_addr,
		.dev_bus_addr = op->dev_bus_addr,
		.handle = op->handle,
	};
	bool flush = false;
	struct unmapping u;

	unmap_begin(&un, &u, &flush);
	unmap_finish(&u, 1, flush);
}

long grant_map(u64 uop, u32 count)
{
	struct gnttab_map_grant_ref op;
	struct domain *rd = NULL;
	u32 done = 0;
	long rc = 0;

	for (; done < count && !rc; done++, uop += sizeof(op)) {
		if (done && done % MAP_BATCH == 0 && preempt_check())
			break;
		rc = copy_from_guest(&op, uop, sizeof(op));
		if (rc)
			break;
		/* Kept between elements that name the same. */
		if (!rd || unlikely(rd->id != op.dom)) {
			if (rd)
				domain_put(rd);
			rd = domain_get(op.dom);
		}
		op.status = map_one(&op, rd);
		rc = copy_to_guest(uop, &op, sizeof(op));
		if (unlikely(rc) && !op.status)
			map_undo(&op);
	}
	if (rd)
		domain_put(rd);
	return rc ? rc : done;
}

long grant_unmap(u64 uop, u32 count)
{
	struct unmapping u[UNMAP_BATCH];
	struct gnttab_unmap_grant_ref op;
	u32 done = 0;
	long rc = 0;

	while (done < count && !rc && !(done && preempt_check())) {
		bool flush = false;
		u32 n = 0;

		while (n < UNMAP_BATCH && done < count && !rc) {
			rc = copy_from_guest(&op, uop, sizeof(op));
			if (rc)
				break;
			op.status = unmap_begin(&op, &u[n++], &flush);
			/* With the two bytes of padding behind it. */
			rc = put_guest_u32(uop + offsetof(__typeof__(op),
							  status),
					   (u16)op.status);
			uop += sizeof(op);
			done++;
		}
		unmap_finish(u, n, flush);
	}
	return rc ? rc : done;
}

/* --- all of a domain's mappings ------------------------------------- */

/*
 * d is dying and none of its vCPUs will run again: gives back all it has
 * mapped.  Entries in its page tables stay, but nobody follows them.  Call
 * again while -XEN_ERESTART.
 */
int grant_release_mappings(struct domain *d)
{
	struct grant_table *t = d->grant;
	u32 end = t ? min(t->nr_maps, t->release_next + RELEASE_BATCH) : 0;

	/* Who lets the table grow without having seen is_dying ends first. */
	if (t) {
		spin_lock(&t->lock);
		spin_unlock(&t->lock);
	}
	for (; t && t->release_next < end; t->release_next++) {
		struct mapping *m = map_at(t, t->release_next);
		u16 flags = claim(m);

		if (flags)
			mapping_end(d, m, flags & ~MAPPED);
	}
	return t && end < t->nr_maps ? -XEN_ERESTART : 0;
}

void grant_for_each_mapping(void (*fn)(struct domain *mapper, u64 mfn,
				       bool writable))
{
	struct domain *d;

	for_each_domain(d)
		for (u32 i = 0; d->grant && i < d->grant->nr_maps; i++) {
			const struct mapping *m = map_at(d->grant, i);

			if (m->flags)
				fn(d, m->pin.a->mfn,
				   !(m->flags & GNTMAP_readonly));
		}
}
