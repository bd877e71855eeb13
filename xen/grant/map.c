/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapping and unmapping frames of other domains by grant reference.
 *
 * Invariants:
 *  - a handle is in use exactly while its flags are not 0; it then stands for
 *    one pin (host, device or both) of the lender's entry, and holds the
 *    lender's domain;
 *  - the frame's references are the handle's: one per pin.  The page-table
 *    entry, marked PTE_GRANT by mm/, counts for nothing; a guest that
 *    overwrites it by other means keeps a handle it cannot give back before
 *    it dies.  An entry removed for a handle must be as writable as the
 *    handle, or a writable entry could outlive the writable type;
 *  - a frame's references are dropped only after no TLB can hold the entry
 *    that is gone: phase one of an unmap batch removes entries, then one
 *    flush, then phase two gives frames and handles back.
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

/* --- handles ---------------------------------------------------------------- */

_Static_assert(sizeof(struct mapping) == 32, "a chunk of handles is a page");

static always_inline struct mapping *map_at(const struct grant_table *t,
					    u32 handle)
{
	return &t->map[handle / MAPS_PER_CHUNK][handle % MAPS_PER_CHUNK];
}

/* The mapping of a handle, in use or not; NULL if there never was one. */
static struct mapping *map_find(const struct grant_table *t, u32 handle)
{
	if (unlikely(handle >= load_acquire(&t->nr_maps)))
		return NULL;
	return map_at(t, handle);
}

/* Another chunk of handles.  map_lock held; false: limit or memory. */
static bool more_maps_locked(struct grant_table *t)
{
	struct mapping *m;

	if (t->nr_maps >= t->max_maps)
		return false;
	if (!t->map)
		t->map = heap_alloc(t->max_maps / MAPS_PER_CHUNK *
				    sizeof(*t->map));
	if (!t->map)
		return false;
	m = heap_alloc(MAPS_PER_CHUNK * sizeof(*m));
	if (!m)
		return false;
	for (u32 i = 0; i < MAPS_PER_CHUNK - 1; i++)
		m[i].ref = t->nr_maps + i + 1;
	m[MAPS_PER_CHUNK - 1].ref = t->free_map;
	t->free_map = t->nr_maps;
	t->map[t->nr_maps / MAPS_PER_CHUNK] = m;
	store_release(&t->nr_maps, t->nr_maps + MAPS_PER_CHUNK);
	return true;
}

static u32 handle_get(struct grant_table *t, struct mapping **m)
{
	u32 handle = NO_HANDLE;

	spin_lock(&t->map_lock);
	if (t->free_map != NO_HANDLE || more_maps_locked(t)) {
		handle = t->free_map;
		*m = map_at(t, handle);
		t->free_map = (*m)->ref;
	}
	spin_unlock(&t->map_lock);
	return handle;
}

static void handle_put(struct grant_table *t, struct mapping *m, u32 handle)
{
	spin_lock(&t->map_lock);
	m->ref = t->free_map;
	store_release(&m->flags, (u16)0);
	t->free_map = handle;
	spin_unlock(&t->map_lock);
}

/* Sets MAP_BUSY; 0 if the handle is not in use or somebody else has it. */
static u16 claim(struct mapping *m)
{
	u16 flags = READ_ONCE(m->flags);

	if (!flags || (flags & MAP_BUSY))
		return 0;
	if (cmpxchg(&m->flags, flags, (u16)(flags | MAP_BUSY)) != flags)
		return 0;
	return flags;
}

/* The pins that a mapping with these flags stands for. */
static u32 pins_of(u32 flags)
{
	u32 inc = 0;

	if (flags & GNTMAP_host_map)
		inc = PIN_HOST_READ;
	if (flags & GNTMAP_device_map)
		inc |= PIN_DEV_READ;
	return flags & GNTMAP_readonly ? inc : inc << 8;
}

/* --- mapping ------------------------------------------------------------------ */

/* As the guest would write it; mm/ adds what every entry gets.  A is clear. */
static u64 grant_pte(u32 mfn, u32 flags)
{
	u64 pte = (u64)mfn << PAGE_SHIFT | PTE_P | PTE_NX;

	if (!(flags & GNTMAP_readonly))
		pte |= PTE_RW;
	if (flags & GNTMAP_application_map)
		pte |= PTE_US;
	return pte | ((u64)(flags & GNTMAP_guest_avail_mask) >> 16 << 9 &
		      PTE_AVAIL);
}

static int pte_install(const struct gnttab_map_grant_ref *op, u32 mfn)
{
	u64 pte = grant_pte(mfn, op->flags);
	int rc;

	if (op->flags & GNTMAP_contains_pte)
		rc = ptype_map_grant_pte(current, op->host_addr, pte);
	else
		rc = ptype_map_grant(current, op->host_addr, pte);
	return rc ? GNTST_general_error : GNTST_okay;
}

static int map_pinned(struct gnttab_map_grant_ref *op, struct domain *rd,
		      struct mapping *m)
{
	u32 inc = pins_of(op->flags);
	int rc;

	rc = grant_pin(rd, op->ref, current->domain->id, inc, &m->pin);
	if (unlikely(rc))
		return rc;
	if (op->flags & GNTMAP_host_map) {
		rc = pte_install(op, m->pin.a->mfn);
		if (unlikely(rc)) {
			grant_unpin(&m->pin, inc);
			return rc;
		}
	}
	domain_hold(rd);	/* cannot fail: our caller has it too */
	m->rd = rd;
	m->ref = op->ref;
	store_release(&m->flags, (u16)(op->flags & MAP_KEPT_FLAGS));
	op->dev_bus_addr = (u64)m->pin.a->mfn << PAGE_SHIFT;
	return GNTST_okay;
}

static int map_one(struct gnttab_map_grant_ref *op, struct domain *rd)
{
	struct grant_table *t = current->domain->grant;
	struct mapping *m;
	u32 handle;
	int rc;

	if (unlikely(!(op->flags & (GNTMAP_host_map | GNTMAP_device_map))))
		return GNTST_bad_gntref;
	if (unlikely(!rd))
		return GNTST_bad_domain;
	handle = handle_get(t, &m);
	if (unlikely(handle == NO_HANDLE))
		return GNTST_no_space;
	rc = map_pinned(op, rd, m);
	if (unlikely(rc))
		handle_put(t, m, handle);
	else
		op->handle = handle;
	return rc;
}

/* --- unmapping ------------------------------------------------------------------ */

/* Between the two phases. */
struct unmapping {
	struct mapping *m;
	u32 handle;
	u16 flags;		/* as they were */
	u16 done;		/* host and device bits that go */
	u64 old_pte;		/* the entry removed, 0 none */
};

static int pte_remove(u64 addr, const struct mapping *m, u16 flags, u64 *old)
{
	int rc;

	if (flags & GNTMAP_contains_pte)
		rc = ptype_unmap_grant_pte(current, addr, MFN(m->pin.a->mfn), old);
	else
		rc = ptype_unmap_grant(current, addr, MFN(m->pin.a->mfn), old);
	if (rc)
		return GNTST_general_error;
	/* Another handle's entry for the same frame: it is gone, but this
	 * handle's own still stands and needs its references. */
	if (!(*old & PTE_RW) != !!(flags & GNTMAP_readonly))
		return GNTST_general_error;
	return GNTST_okay;
}

/* Phase one: claims the handle and removes the entry. */
static int unmap_begin(const struct gnttab_unmap_grant_ref *op,
		       struct unmapping *u)
{
	struct mapping *m = map_find(current->domain->grant, op->handle);
	u16 done = 0;
	int rc = GNTST_okay;

	u->m = NULL;
	u->done = 0;
	u->old_pte = 0;
	if (unlikely(!m))
		return GNTST_bad_handle;
	u->flags = claim(m);
	if (unlikely(!u->flags))
		return GNTST_bad_handle;
	if (op->host_addr)
		done = GNTMAP_host_map;
	if (op->dev_bus_addr)
		done |= GNTMAP_device_map;
	done &= u->flags;
	if ((done & GNTMAP_device_map) &&
	    op->dev_bus_addr != (u64)m->pin.a->mfn << PAGE_SHIFT)
		rc = GNTST_bad_dev_addr;
	else if (done & GNTMAP_host_map)
		rc = pte_remove(op->host_addr, m, u->flags, &u->old_pte);
	if (rc || !done) {
		store_release(&m->flags, u->flags);
		return rc;
	}
	u->m = m;
	u->handle = op->handle;
	u->done = done;
	return GNTST_okay;
}

/*
 * The processor sets A before it keeps an entry, and mm/ lets no guest clear
 * A of a grant's entry, so one without A was never used.  (A guest that wrote
 * something else over an entry keeps a handle without an entry, and so the
 * frame's references: there are never fewer handles than entries.)
 */
static bool unmap_needs_flush(const struct unmapping *u)
{
	return u->old_pte & PTE_A;
}

/* References and pins go, and with the last the handle; d is its owner. */
static void mapping_unpin(struct domain *d, struct mapping *m, u32 handle,
			  u16 flags, u16 done)
{
	u32 dec = pins_of((flags & done) | (flags & GNTMAP_readonly));
	struct domain *rd = m->rd;
	u16 left = flags & ~done;

	grant_unpin(&m->pin, dec);
	if (left & (GNTMAP_host_map | GNTMAP_device_map)) {
		store_release(&m->flags, left);
		return;
	}
	handle_put(d->grant, m, handle);
	domain_put(rd);
}

/* Phase two, after the flush. */
static void unmap_finish(const struct unmapping *u)
{
	if (!u->m)
		return;
	mapping_unpin(current->domain, u->m, u->handle, u->flags, u->done);
}

static void unmap_flush_finish(const struct unmapping *u, unsigned int n,
			       bool flush)
{
	if (flush)
		tlb_flush_mask(READ_ONCE(current->domain->dirty_cpus),
			       FLUSH_ALL_VA);
	for (unsigned int i = 0; i < n; i++)
		unmap_finish(&u[i]);
}

/* The guest could not be told of a mapping: it never was. */
static void map_undo(const struct gnttab_map_grant_ref *op)
{
	struct gnttab_unmap_grant_ref un = {
		.host_addr = op->host_addr,
		.dev_bus_addr = op->dev_bus_addr,
		.handle = op->handle,
	};
	struct unmapping u;

	/* May fail only if the guest has already changed it elsewhere. */
	unmap_begin(&un, &u);
	unmap_flush_finish(&u, 1, unmap_needs_flush(&u));
}

/* --- batches ------------------------------------------------------------------- */

/* Keeps the domain between elements that name the same. */
static struct domain *lender(struct domain *rd, domid_t id)
{
	if (likely(rd && rd->id == id))
		return rd;
	if (rd)
		domain_put(rd);
	return domain_get(id);
}

long grant_op_map(u64 uop, u32 count)
{
	struct gnttab_map_grant_ref op;
	struct domain *rd = NULL;
	long rc = 0;
	u32 i;

	for (i = 0; i < count; i++, uop += sizeof(op)) {
		if (i && i % MAP_BATCH == 0 && preempt_check())
			break;
		if (copy_from_guest(&op, uop, sizeof(op))) {
			rc = deny(-XEN_EFAULT);
			break;
		}
		rd = lender(rd, op.dom);
		op.status = map_one(&op, rd);
		if (unlikely(copy_to_guest(uop, &op, sizeof(op)))) {
			if (!op.status)
				map_undo(&op);
			rc = deny(-XEN_EFAULT);
			break;
		}
	}
	if (rd)
		domain_put(rd);
	if (rc || i == count)
		return rc;
	return hypercall_continue(__HYPERVISOR_grant_table_op, 3,
				  (u64)GNTTABOP_map_grant_ref, uop,
				  (u64)(count - i));
}

/* Up to UNMAP_BATCH elements; 0 or -XEN_EFAULT. */
static long unmap_batch(u64 uop, u32 count)
{
	struct unmapping u[UNMAP_BATCH];
	struct gnttab_unmap_grant_ref op;
	bool flush = false;
	long rc = 0;
	u32 n = 0;

	while (n < count && !rc) {
		if (copy_from_guest(&op, uop, sizeof(op))) {
			rc = -XEN_EFAULT;
			break;
		}
		op.status = unmap_begin(&op, &u[n]);
		flush |= unmap_needs_flush(&u[n]);
		n++;
		/* With the two bytes of padding behind it. */
		rc = put_guest_u32(uop + offsetof(struct gnttab_unmap_grant_ref,
						  status), (u16)op.status);
		uop += sizeof(op);
	}
	unmap_flush_finish(u, n, flush);
	return rc ? deny(rc) : 0;
}

long grant_op_unmap(u64 uop, u32 count)
{
	u32 n;
	long rc;

	while (count) {
		n = min(count, (u32)UNMAP_BATCH);
		rc = unmap_batch(uop, n);
		if (rc)
			return rc;
		count -= n;
		uop += n * sizeof(struct gnttab_unmap_grant_ref);
		if (count && preempt_check())
			return hypercall_continue(__HYPERVISOR_grant_table_op,
					3, (u64)GNTTABOP_unmap_grant_ref, uop,
					(u64)count);
	}
	return 0;
}

/* --- a domain's end ---------------------------------------------------------------- */

#define RELEASE_BATCH	512

static void mapping_release(struct domain *d, struct mapping *m, u32 handle)
{
	u16 flags = claim(m);

	if (flags)
		mapping_unpin(d, m, handle, flags,
			      GNTMAP_host_map | GNTMAP_device_map);
}

/*
 * d is dying and none of its vCPUs will run again: gives back all it has
 * mapped.  Entries in its page tables stay, but nobody follows them.  Call
 * again while -XEN_ERESTART.
 */
int grant_release_mappings(struct domain *d)
{
	struct grant_table *t = d->grant;
	u32 end;

	if (!t)
		return 0;
	end = min(t->nr_maps, t->release_next + RELEASE_BATCH);
	while (t->release_next < end) {
		mapping_release(d, map_at(t, t->release_next),
				t->release_next);
		t->release_next++;
	}
	return end < t->nr_maps ? -XEN_ERESTART : 0;
}

/* --- looking on -------------------------------------------------------------------- */

/* Once per reference: a handle for host and device counts twice. */
void grant_for_each_mapping(void (*fn)(struct domain *mapper, u64 mfn,
				       bool writable, void *arg), void *arg)
{
	struct domain *d;
	struct mapping *m;
	bool writes;

	for_each_domain(d) {
		for (u32 i = 0; d->grant && i < d->grant->nr_maps; i++) {
			m = map_at(d->grant, i);
			writes = !(m->flags & GNTMAP_readonly);
			if (m->flags & GNTMAP_host_map)
				fn(d, m->pin.a->mfn, writes, arg);
			if (m->flags & GNTMAP_device_map)
				fn(d, m->pin.a->mfn, writes, arg);
		}
	}
}

void grant_dump_mappings(const struct domain *d)
{
	const struct grant_table *t = d->grant;
	const struct mapping *m;

	for (u32 i = 0; i < t->nr_maps; i++) {
		m = map_at(t, i);
		if (m->flags)
			printk("  handle %u: d%u ref %u mfn %x flags %x\n", i,
			       m->rd->id, m->ref, m->pin.a->mfn, m->flags);
	}
}
