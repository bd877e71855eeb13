/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Grant tables: making, growing and asking about them, and the use counts of
 * their entries.
 *
 * Invariants:
 *  - while an entry's pin is not 0 its frame is referenced (typed writable if
 *    any user writes), and GTF_reading (GTF_writing) is set in the entry the
 *    guest sees.  What is lent is what `active` recorded at the first pin: a
 *    guest that rewrites its entry meanwhile changes nothing for users;
 *  - a table only grows; its frames are ours, shared with the domain, and
 *    freed with it.
 *
 * A hostile lender may change entries at any moment: each word is read once,
 * and status bits are set by a bounded number of compare-and-swaps.  A
 * hostile borrower may present any reference: it is checked against the
 * table's size, its own domid and the type of the entry.
 *
 * Not offered: version 2 (so no status frames, sub-pages and transitive
 * grants), transfer, unmap_and_replace, swap.  Frames that are not RAM cannot
 * be lent.  Locks: see table.h.
 */
#include <grant/table.h>
#include <entry/entry.h>

#define DEFAULT_FRAMES		64
#define DEFAULT_MAPTRACK	1024
#define MAX_FRAMES		4096	/* 2 million entries */
#define MAX_MAPTRACK		16384
#define STATUS_TRIES		5
#define GNTTABOP_CMD_MASK	0xfffU

/* --- active entries -------------------------------------------------------- */

/* A chunk of active entries on its first use.  NULL: no memory. */
static noinline struct active *chunk_make(struct grant_frame *gf, u32 chunk)
{
	struct active *a = heap_alloc(ENTRIES_PER_CHUNK * sizeof(*a)), *old;

	if (!a)
		return NULL;
	old = cmpxchg(&gf->active[chunk], NULL, a);
	if (!old)
		return a;
	heap_free(a);
	return old;
}

static struct grant_entry_v1 *shared_entry(struct grant_table *t, u32 ref)
{
	return &t->frame[ref / ENTRIES_PER_FRAME]
		->shared[ref % ENTRIES_PER_FRAME];
}

static always_inline int pin_find(struct grant_table *t, u32 ref,
				  struct pin *p)
{
	struct grant_frame *gf;
	struct active *a;

	if (unlikely(ref / ENTRIES_PER_FRAME >= load_acquire(&t->nr_frames)))
		return GNTST_bad_gntref;
	gf = t->frame[ref / ENTRIES_PER_FRAME];
	ref %= ENTRIES_PER_FRAME;
	a = load_acquire(&gf->active[ref / ENTRIES_PER_CHUNK]);
	if (unlikely(!a)) {
		a = chunk_make(gf, ref / ENTRIES_PER_CHUNK);
		if (!a)
			return GNTST_no_space;
	}
	p->a = a + ref % ENTRIES_PER_CHUNK;
	p->e = gf->shared + ref;
	return GNTST_okay;
}

static always_inline void active_lock(struct active *a)
{
	while (unlikely(xchg(&a->lock, 1)))
		cpu_poll();
}

static always_inline void active_unlock(struct active *a)
{
	store_release(&a->lock, 0);
}

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
		if (!pinned && ((old & type) != GTF_permit_access ||
				old >> 16 != id))
			return GNTST_general_error;
		if (writes && (old & GTF_readonly))
			return GNTST_general_error;
		seen = cmpxchg(word, old, old | set);
		if (likely(seen == old))
			return GNTST_okay;
		old = seen;
	}
	return GNTST_general_error;
}

/* Clears what no pin justifies any more. */
static void status_reduce(struct grant_entry_v1 *e, u32 pin)
{
	u16 clear = 0;

	if (!(pin & PIN_WRITERS))
		clear = GTF_writing;
	if (!pin)
		clear |= GTF_reading;
	if (clear)
		atomic_and(&e->flags, (u16)~clear);
}

static always_inline void put_ref(struct frame *f, bool writes)
{
	if (writes)
		frame_put_and_type(f);
	else
		frame_put(f);
}

static always_inline int get_ref(struct frame *f, struct domain *rd,
				 bool writes)
{
	int rc;

	if (!writes)
		return frame_get(f, rd) ? GNTST_okay : GNTST_bad_page;
	rc = frame_get_and_type(f, rd, TYPE_WRITABLE);
	if (likely(!rc))
		return GNTST_okay;
	return rc == -XEN_EBUSY ? GNTST_general_error : GNTST_bad_page;
}

/* A user for both host and device is two. */
static always_inline bool two_users(u32 inc)
{
	return inc & (inc - 1);
}

static int take_refs(struct domain *rd, u32 mfn, u32 inc)
{
	struct frame *f = mfn_to_frame(MFN(mfn));
	bool writes = inc & PIN_WRITERS;
	int rc;

	if (unlikely(!mfn_valid(MFN(mfn))))
		return GNTST_bad_page;
	rc = get_ref(f, rd, writes);
	if (unlikely(two_users(inc)) && !rc) {
		rc = get_ref(f, rd, writes);
		if (rc)
			put_ref(f, writes);
	}
	return rc;
}

/* One or two users (host and device), both readers or both writers. */
static int pin_locked(struct domain *rd, const struct pin *p, domid_t id,
		      u32 inc)
{
	struct active *a = p->a;
	bool writes = inc & PIN_WRITERS;
	int rc;

	if (a->pin && (a->domid != id || (a->pin & inc << 7)))
		return GNTST_general_error;
	if (!a->pin || (writes && !(a->pin & PIN_WRITERS))) {
		rc = status_set(p->e, a->pin, id, writes);
		if (rc)
			return rc;
		if (!a->pin) {
			a->mfn = READ_ONCE(p->e->frame);
			a->domid = id;
		}
	}
	rc = take_refs(rd, a->mfn, inc);
	if (unlikely(rc))
		status_reduce(p->e, a->pin);
	else
		a->pin += inc;
	return rc;
}

int grant_pin(struct domain *rd, u32 ref, domid_t id, u32 inc, struct pin *p)
{
	int rc = pin_find(rd->grant, ref, p);

	if (unlikely(rc))
		return rc;
	active_lock(p->a);
	rc = pin_locked(rd, p, id, inc);
	active_unlock(p->a);
	return rc;
}

void grant_unpin(const struct pin *p, u32 dec)
{
	struct active *a = p->a;
	struct frame *f = mfn_to_frame(MFN(a->mfn));
	bool writes = dec & PIN_WRITERS;

	put_ref(f, writes);
	if (unlikely(two_users(dec)))
		put_ref(f, writes);
	active_lock(a);
	a->pin -= dec;
	status_reduce(p->e, a->pin);
	active_unlock(a);
}

/* --- size ------------------------------------------------------------------- */

static int grow_one_locked(struct domain *d)
{
	struct grant_table *t = d->grant;
	struct grant_frame *gf = heap_alloc(sizeof(*gf));

	if (!gf)
		return -XEN_ENOMEM;
	gf->shared = alloc_page();
	if (!gf->shared) {
		heap_free(gf);
		return -XEN_ENOMEM;
	}
	frame_share(gf->shared, d, true);
	t->frame[t->nr_frames] = gf;
	store_release(&t->nr_frames, t->nr_frames + 1);
	return 0;
}

/* want <= max_frames.  Frames made before memory ran out stay. */
static int grow_locked(struct domain *d, u32 want)
{
	int rc = 0;

	while (d->grant->nr_frames < want && !rc)
		rc = grow_one_locked(d);
	return rc;
}

/*
 * 0 and the frames' numbers, growing the table to first + nr; -XEN_EINVAL
 * beyond its limit, -XEN_ENOMEM.  Holds no lock afterwards: frames stay.
 */
int grant_table_frames(struct domain *d, unsigned int first, unsigned int nr,
		       u64 *mfns)
{
	struct grant_table *t = d->grant;
	int rc;

	if (first > t->max_frames || nr > t->max_frames - first)
		return deny(-XEN_EINVAL);
	spin_lock(&t->lock);
	rc = d->is_dying ? -XEN_EINVAL : grow_locked(d, first + nr);
	spin_unlock(&t->lock);
	for (unsigned int i = 0; !rc && i < nr; i++)
		mfns[i] = virt_to_mfn(t->frame[first + i]->shared).m;
	return rc ? deny(rc) : 0;
}

unsigned int grant_table_max_frames(const struct domain *d)
{
	return d->grant->max_frames;
}

unsigned int grant_table_nr_frames(const struct domain *d)
{
	return READ_ONCE(d->grant->nr_frames);
}

/* Before the domain runs; ref must lie in the first frame, as the reserved
 * ones do. */
void grant_seed(struct domain *d, u32 ref, domid_t to, u64 frame)
{
	struct grant_entry_v1 *e;

	if (ref >= ENTRIES_PER_FRAME || !d->grant->nr_frames)
		return;
	e = shared_entry(d->grant, ref);
	e->domid = to;
	e->frame = frame;
	store_release(&e->flags, (u16)GTF_permit_access);
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
	spin_lock_init(&t->lock, LOCK_GRANT);
	spin_lock_init(&t->map_lock, LOCK_GRANT);
	t->max_frames = max_frames;
	t->max_maps = max_maptrack * CHUNKS_PER_MAP_FRAME * MAPS_PER_CHUNK;
	t->free_map = NO_HANDLE;
	d->grant = t;
	t->frame = heap_alloc(max_frames * sizeof(*t->frame));
	if (!t->frame || grow_locked(d, 1)) {
		grant_free_domain(d);
		return -XEN_ENOMEM;
	}
	return 0;
}

static void free_frame(struct grant_frame *gf)
{
	for (unsigned int i = 0; i < CHUNKS_PER_FRAME; i++)
		heap_free(gf->active[i]);
	/* Still mapped somewhere: then the last unmapping frees it. */
	if (frame_unshare(gf->shared))
		free_page(gf->shared);
	heap_free(gf);
}

/* The last reference to d is gone, so nothing of it is mapped by grant. */
void grant_free_domain(struct domain *d)
{
	struct grant_table *t = d->grant;

	if (!t)
		return;
	d->grant = NULL;
	for (u32 i = 0; i < t->nr_frames; i++)
		free_frame(t->frame[i]);
	for (u32 i = 0; i < t->nr_maps / MAPS_PER_CHUNK; i++)
		heap_free(t->map[i]);
	heap_free(t->map);
	heap_free(t->frame);
	heap_free(t);
}

/* --- hypercall ------------------------------------------------------------------ */

int grant_target_get(domid_t id, struct domain **d)
{
	*d = domain_get_or_self(id);
	if (!*d)
		return GNTST_bad_domain;
	if (*d == current->domain || current->domain->is_privileged)
		return GNTST_okay;
	domain_put(*d);
	return GNTST_permission_denied;
}

static int setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
	u64 mfns[32];
	u32 n;

	if (op->nr_frames > d->grant->max_frames)
		return GNTST_general_error;
	for (u32 i = 0; i < op->nr_frames; i += n) {
		n = min(op->nr_frames - i, (u32)ARRAY_SIZE(mfns));
		if (grant_table_frames(d, i, n, mfns))
			return GNTST_general_error;
		if (copy_to_guest(op->frame_list + i * sizeof(*mfns), mfns,
				  n * sizeof(*mfns)))
			return GNTST_bad_virt_addr;
	}
	return GNTST_okay;
}

static long grant_op_setup_table(u64 uop, u32 count)
{
	struct gnttab_setup_table op;
	struct domain *d;

	if (count != 1)
		return deny(-XEN_EINVAL);
	if (copy_from_guest(&op, uop, sizeof(op)))
		return deny(-XEN_EFAULT);
	op.status = grant_target_get(op.dom, &d);
	if (!op.status) {
		op.status = setup_table(d, &op);
		domain_put(d);
	}
	if (copy_to_guest(uop + offsetof(struct gnttab_setup_table, status),
			  &op.status, sizeof(op.status)))
		return deny(-XEN_EFAULT);
	return 0;
}

static long grant_op_query_size(u64 uop, u32 count)
{
	struct gnttab_query_size op;
	struct domain *d;

	if (count != 1)
		return deny(-XEN_EINVAL);
	if (copy_from_guest(&op, uop, sizeof(op)))
		return deny(-XEN_EFAULT);
	op.status = grant_target_get(op.dom, &d);
	if (!op.status) {
		op.nr_frames = grant_table_nr_frames(d);
		op.max_nr_frames = grant_table_max_frames(d);
		domain_put(d);
	}
	return copy_to_guest(uop, &op, sizeof(op)) ? deny(-XEN_EFAULT) : 0;
}

/* Version 1 is the only one; the guest is told so even when refused. */
static long grant_op_set_version(u64 uop)
{
	u32 version, have = 1;

	if (copy_from_guest(&version, uop, sizeof(version)))
		return deny(-XEN_EFAULT);
	if (version != 1 && version != 2)
		return deny(-XEN_EINVAL);
	if (copy_to_guest(uop, &have, sizeof(have)))
		return deny(-XEN_EFAULT);
	return version == 1 ? 0 : deny(-XEN_ENOSYS);
}

static long grant_op_get_version(u64 uop)
{
	struct gnttab_get_version op;
	struct domain *d;
	int rc;

	if (copy_from_guest(&op, uop, sizeof(op)))
		return deny(-XEN_EFAULT);
	rc = grant_target_get(op.dom, &d);
	if (rc)
		return deny(rc == GNTST_bad_domain ? -XEN_ESRCH : -XEN_EPERM);
	domain_put(d);
	op.version = 1;
	return copy_to_guest(uop, &op, sizeof(op)) ? deny(-XEN_EFAULT) : 0;
}

/* Hypercall 20. */
long do_grant_table_op(u64 cmd64, u64 uop, u64 count64, u64 a4, u64 a5, u64 a6)
{
	u32 cmd = cmd64, count = count64;

	if ((s32)count < 0 || (cmd & ~GNTTABOP_CMD_MASK))
		return deny(-XEN_EINVAL);
	switch (cmd) {
	case GNTTABOP_map_grant_ref:
		return grant_op_map(uop, count);
	case GNTTABOP_unmap_grant_ref:
		return grant_op_unmap(uop, count);
	case GNTTABOP_copy:
		return grant_op_copy(uop, count);
	case GNTTABOP_setup_table:
		return grant_op_setup_table(uop, count);
	case GNTTABOP_query_size:
		return grant_op_query_size(uop, count);
	case GNTTABOP_set_version:
		return grant_op_set_version(uop);
	case GNTTABOP_get_version:
		return grant_op_get_version(uop);
	}
	return deny(-XEN_ENOSYS);
}

static void dump_frame(struct grant_frame *gf, u32 first)
{
	const struct active *a;

	for (u32 i = 0; i < ENTRIES_PER_FRAME; i++) {
		a = gf->active[i / ENTRIES_PER_CHUNK];
		if (!a || !a[i % ENTRIES_PER_CHUNK].pin)
			continue;
		a += i % ENTRIES_PER_CHUNK;
		printk("  %u: to d%u mfn %x pins %08x, entry %04x d%u %x\n",
		       first + i, a->domid, a->mfn, a->pin, gf->shared[i].flags,
		       gf->shared[i].domid, gf->shared[i].frame);
	}
}

/* Debug key g: entries in use, and mappings. */
void grant_dump(void)
{
	struct domain *d;

	for_each_domain(d) {
		struct grant_table *t = d->grant;

		if (!t)
			continue;
		printk("d%u grants: %u of %u frames\n", d->id, t->nr_frames,
		       t->max_frames);
		for (u32 i = 0; i < t->nr_frames; i++)
			dump_frame(t->frame[i], i * ENTRIES_PER_FRAME);
		grant_dump_mappings(d);
	}
}
