/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Grant tables: making, growing and asking about them, and the use counts of
 * their entries.
 *
 * Invariants:
 *  - while an entry has users its frame is referenced (typed writable if any
 *    of them writes), and GTF_reading (GTF_writing) is set in the entry the
 *    guest sees.  What is lent is what `active` recorded for the first user: a
 *    guest that rewrites its entry meanwhile changes nothing for them;
 *  - a table only grows; its frames are ours, shared with the domain, and
 *    freed with it.
 *
 * A hostile lender may change entries at any moment: each word is read once,
 * and status bits are set by a bounded number of compare-and-swaps.  A
 * hostile borrower may present any reference: it is checked against the
 * table's size, its own domid and the type of the entry.
 *
 * Not offered: version 2 (so no status frames, sub-pages and transitive
 * grants; to ask for a version is -XEN_ENOSYS, which a kernel takes for 1),
 * transfer, unmap_and_replace, swap.  Frames that are not RAM cannot be lent.
 * Locks: see table.h.
 */
#include <grant/table.h>
#include <entry/entry.h>

#define DEFAULT_FRAMES		64
#define DEFAULT_MAPTRACK	1024
#define MAX_FRAMES		4096	/* 2 million entries */
#define MAX_MAPTRACK		16384
#define STATUS_TRIES		5

/* --- users of an entry ---------------------------------------------- */

/*
 * Marks the entry as in use, if it permits this.  flags and domid are one
 * word here, so they are checked and marked in one step; a guest that changes
 * it all the time gets an error, not our time.
 */
static int status_set(struct grant_entry_v1 *e, bool pinned, domid_t id,
		      bool writes)
{
	const u32 type = GTF_type_mask | GTF_sub_page;
	u32 *word = (u32 *)e, old = READ_ONCE(*word), seen;
	u32 set = GTF_reading | (writes ? GTF_writing : 0);

	for (int i = 0; i < STATUS_TRIES; i++) {
		if ((!pinned && ((old & type) != GTF_permit_access ||
				 old >> 16 != id)) ||
		    (writes && (old & GTF_readonly)))
			break;
		seen = cmpxchg(word, old, old | set);
		if (likely(seen == old))
			return GNTST_okay;
		old = seen;
	}
	return GNTST_general_error;
}

/* Clears what no user justifies any more. */
static void status_reduce(const struct pin *p)
{
	u16 clear = p->a->users[1] ? 0 : GTF_writing;

	if (!p->a->users[0] && !p->a->users[1])
		clear |= GTF_reading;
	if (clear)
		atomic_and(&p->e->flags, (u16)~clear);
}

int grant_frame_get(struct domain *d, u64 mfn, bool writes)
{
	struct frame *f = mfn_to_frame(MFN(mfn));
	int rc = -XEN_EINVAL;

	if (likely(mfn_valid(MFN(mfn))))
		rc = writes ? frame_get_type(f, d, TYPE_WRITABLE)
			    : frame_get(f, d) - 1;
	if (likely(!rc))
		return GNTST_okay;
	return rc == -XEN_EBUSY ? GNTST_general_error : GNTST_bad_page;
}

void grant_frame_put(u64 mfn, bool writes)
{
	if (writes)
		frame_put_type(mfn_to_frame(MFN(mfn)));
	else
		frame_put(mfn_to_frame(MFN(mfn)));
}

int grant_pin(struct domain *rd, u32 ref, domid_t id, bool writes,
	      struct pin *p)
{
	struct grant_table *t = rd->grant;
	struct grant_frame *gf = &t->frame[ref / ENTRIES_PER_FRAME];
	int rc = GNTST_okay;
	struct active *a;
	bool pinned;

	if (unlikely(ref / ENTRIES_PER_FRAME >= load_acquire(&t->nr_frames)))
		return GNTST_bad_gntref;
	p->e = gf->shared + ref % ENTRIES_PER_FRAME;
	p->a = a = gf->active + ref % ENTRIES_PER_FRAME;
	byte_lock(&a->lock);
	pinned = a->users[0] || a->users[1];
	if (pinned && (a->domid != id || a->users[writes] == MAX_USERS))
		rc = GNTST_general_error;
	else if (!pinned || (writes && !a->users[1]))
		rc = status_set(p->e, pinned, id, writes);
	if (likely(!rc)) {
		if (!pinned) {
			a->mfn = READ_ONCE(p->e->frame);
			a->domid = id;
		}
		rc = grant_frame_get(rd, a->mfn, writes);
		if (likely(!rc))
			a->users[writes]++;
		else
			status_reduce(p);
	}
	store_release(&a->lock, 0);
	return rc;
}

void grant_unpin(const struct pin *p, bool writes)
{
	grant_frame_put(p->a->mfn, writes);
	byte_lock(&p->a->lock);
	p->a->users[writes]--;
	status_reduce(p);
	store_release(&p->a->lock, 0);
}

/* --- a domain's table ----------------------------------------------- */

/* want <= max_frames.  Frames made before memory ran out stay. */
static int grow_locked(struct domain *d, u32 want)
{
	struct grant_table *t = d->grant;

	while (t->nr_frames < want) {
		struct grant_frame *gf = &t->frame[t->nr_frames];

		gf->active = heap_alloc(ENTRIES_PER_FRAME *
					sizeof(*gf->active));
		gf->shared = gf->active ? alloc_page() : NULL;
		if (!gf->shared) {
			heap_free(gf->active);
			return -XEN_ENOMEM;
		}
		frame_share(gf->shared, d);
		store_release(&t->nr_frames, t->nr_frames + 1);
	}
	return 0;
}

/*
 * Limits of ~0 (or any negative number) ask for the defaults.  The first
 * frame is made at once.  0, -XEN_EINVAL, -XEN_ENOMEM.
 */
int grant_init_domain(struct domain *d, u32 max_frames, u32 max_maptrack)
{
	struct grant_table *t;

	if ((s32)max_frames < 0)
		max_frames = cmdline_u64("gnttab_max_frames", DEFAULT_FRAMES);
	if ((s32)max_maptrack < 0)
		max_maptrack = cmdline_u64("gnttab_max_maptrack_frames",
					   DEFAULT_MAPTRACK);
	if (!max_frames || max_frames > MAX_FRAMES ||
	    max_maptrack > MAX_MAPTRACK)
		return deny(-XEN_EINVAL);
	t = heap_alloc(sizeof(*t));
	if (!t)
		return -XEN_ENOMEM;
	t->lock = SPINLOCK(LOCK_GRANT);
	t->max_frames = max_frames;
	t->max_maps = max_maptrack * CHUNKS_PER_MAP_FRAME * MAPS_PER_CHUNK;
	d->grant = t;
	t->frame = heap_alloc(max_frames * sizeof(*t->frame));
	if (!t->frame || grow_locked(d, 1)) {
		grant_free_domain(d);
		return -XEN_ENOMEM;
	}
	return 0;
}

/* The last reference to d is gone, so nothing of it is mapped by grant. */
void grant_free_domain(struct domain *d)
{
	struct grant_table *t = d->grant;

	if (!t)
		return;
	d->grant = NULL;
	for (u32 i = 0; i < t->nr_frames; i++) {
		heap_free(t->frame[i].active);
		frame_unshare(t->frame[i].shared);
	}
	for (u32 i = 0; i < t->nr_maps / MAPS_PER_CHUNK; i++)
		heap_free(t->map[i]);
	heap_free(t->map);
	heap_free(t->frame);
	heap_free(t);
}

/* --- the hypercall -------------------------------------------------- */

static int setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
	struct grant_table *t = d->grant;
	int rc;

	if (op->nr_frames > t->max_frames)
		return GNTST_general_error;
	spin_lock(&t->lock);
	rc = d->is_dying ? -XEN_EINVAL : grow_locked(d, op->nr_frames);
	spin_unlock(&t->lock);
	if (rc)
		return GNTST_general_error;
	for (u32 i = 0; i < op->nr_frames; i++)
		if (put_guest_u64(op->frame_list + i * sizeof(u64),
				  virt_to_mfn(t->frame[i].shared).m))
			return GNTST_bad_virt_addr;
	return GNTST_okay;
}

/* setup_table and query_size: of the caller's domain, or for the control
 * domain of any. */
static long table_op(bool setup, u64 uop)
{
	union {
		struct gnttab_setup_table setup;
		struct gnttab_query_size size;
	} op;
	size_t size = setup ? sizeof(op.setup) : sizeof(op.size);
	struct domain *d;
	int status;

	if (copy_from_guest(&op, uop, size))
		return deny(-XEN_EFAULT);
	d = domain_get_or_self(op.setup.dom);
	if (!d) {
		status = GNTST_bad_domain;
	} else if (d != current->domain && !current->domain->is_privileged) {
		status = GNTST_permission_denied;
	} else if (setup) {
		status = setup_table(d, &op.setup);
	} else {
		op.size.nr_frames = READ_ONCE(d->grant->nr_frames);
		op.size.max_nr_frames = d->grant->max_frames;
		status = GNTST_okay;
	}
	if (d)
		domain_put(d);
	*(setup ? &op.setup.status : &op.size.status) = status;
	return copy_to_guest(uop, &op, size) ? deny(-XEN_EFAULT) : 0;
}

/* The arrays of operations, and the size of an element. */
static const struct {
	long (*fn)(u64 uop, u32 count);
	size_t size;
} batch[] = {
	[GNTTABOP_map_grant_ref] = { grant_map, 32 },
	[GNTTABOP_unmap_grant_ref] = { grant_unmap, 24 },
	[GNTTABOP_copy] = { grant_copy, sizeof(struct gnttab_copy) },
};

/* Hypercall 20. */
long do_grant_table_op(u64 cmd64, u64 uop, u64 count64, u64 a4, u64 a5, u64 a6)
{
	u32 cmd = cmd64, count = count64;
	long done;

	if ((s32)count < 0 || cmd >> 12)
		return deny(-XEN_EINVAL);
	if (cmd == GNTTABOP_setup_table || cmd == GNTTABOP_query_size)
		return count == 1 ? table_op(cmd == GNTTABOP_setup_table, uop)
				  : deny(-XEN_EINVAL);
	if (cmd >= ARRAY_SIZE(batch) || !batch[cmd].fn)
		return deny(-XEN_ENOSYS);
	done = batch[cmd].fn(uop, count);
	if (done < 0 || done == count)
		return done < 0 ? deny(done) : 0;
	return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (u64)cmd,
				  uop + done * batch[cmd].size,
				  (u64)(count - done));
}
