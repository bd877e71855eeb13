/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counting every reference of every frame again, from what holds them.
 *
 * Invariant that it checks: the two counts of a frame are exactly the sum of
 * its owner's claim, mappings, tables above it, pins, vCPUs' bases and
 * descriptor tables, registered pages and grants.  One too many is memory that
 * never comes back; one too few is a frame that is freed while in use.
 *
 * The tables are read as they lie, by their stored types: a table that should
 * not be one is found as a use of the wrong type.  Each table is read once, so
 * the whole is linear.  The counters need 8 bytes per frame; if there is no
 * such piece of memory, the machine is counted window by window, each with a
 * full reading.
 *
 * All vCPUs are paused by the caller, so nothing is on its way: a hypercall
 * that was interrupted holds nothing but what TYPE_PARTIAL says.
 */
#include <mm/internal.h>

struct tally {
	u32 ref, type;
};

#define TALLY_BAD	(1U << 31)	/* in type: used as another type */
#define TALLY_LISTED	(1U << 30)	/* in its owner's list */
#define TALLY_COUNT	((u32)TYPE_COUNT_MASK)

#define LDT_PAGES	16
#define MIN_ORDER	3
#define MAX_LINES	20

struct recount {
	struct tally *tally;	/* of mfns base to base + nr - 1 */
	u64 base, nr;
	u64 frames;
	unsigned long differ;
};

static void report(struct recount *r, const char *what, u64 id, u64 stored,
		   u64 counted)
{
	if (r->differ++ < MAX_LINES)
		printk("recount DIFFERS: %s %#lx: has %#lx, counted %#lx\n", what, id,
		       stored, counted);
}

/* NULL: another window's, or not a frame of RAM. */
static struct tally *tally_of(struct recount *r, mfn_t mfn)
{
	if (mfn.m - r->base >= r->nr || !mfn_valid(mfn))
		return NULL;
	return &r->tally[mfn.m - r->base];
}

static void add_ref(struct recount *r, mfn_t mfn)
{
	struct tally *t = tally_of(r, mfn);

	if (t)
		t->ref++;
}

/* One use as `type`.  The reference of the first use comes with the type. */
static void add_type(struct recount *r, mfn_t mfn, u64 type)
{
	struct tally *t = tally_of(r, mfn);
	u64 x;

	if (!t)
		return;
	t->type++;
	x = mfn_to_frame(mfn)->type;
	if ((x & TYPE_MASK) != type ||
	    (type != TYPE_WRITABLE && !(x & TYPE_VALIDATED)))
		t->type |= TALLY_BAD;
}

/* --- what frames hold of each other ---------------------------------- */

static void count_entry(struct recount *r, u64 e, unsigned int level)
{
	if (!(e & PTE_P))
		return;
	if (level > 1)
		add_type(r, pte_mfn(e), (u64)(level - 1) << TYPE_SHIFT);
	else if (e & PTE_GRANT)
		return;
	else if (e & PTE_RW)
		add_type(r, pte_mfn(e), TYPE_WRITABLE);
	else
		add_ref(r, pte_mfn(e));
}

static void count_table(struct recount *r, struct frame *f)
{
	const u64 *t = mfn_to_virt(frame_to_mfn(f));
	unsigned int level = type_level(f->type), end = 512;

	if (f->type & TYPE_PARTIAL)
		end = (f->type & TYPE_STAMP_MASK) >> TYPE_STAMP_SHIFT;
	for (unsigned int i = 0; i < end && i < 512; i++)
		if (level < 4 || i < HYP_FIRST_SLOT || i >= HYP_END_SLOT)
			count_entry(r, t[i], level);
}

/* The holds that the frame's own words tell of; what its entries hold. */
static void count_frame(struct recount *r, struct frame *f)
{
	struct tally *t = tally_of(r, frame_to_mfn(f));
	u64 type = f->type;

	if (t) {
		t->ref += !!(f->ref & FRAME_ALLOCATED) +
			  !!(type & TYPE_COUNT_MASK);
		t->type += !!(type & TYPE_PINNED) + !!(type & TYPE_PARTIAL) +
			   (f->ref & FRAME_XENHEAP && f->ref & FRAME_ALLOCATED);
	}
	if (type_is_table(type) && type & (TYPE_VALIDATED | TYPE_PARTIAL))
		count_table(r, f);
}

/* Calls fn for each frame from mfn to end - 1 that is somebody's. */
static void for_each_used(struct recount *r, u64 mfn, u64 end,
			  void (*fn)(struct recount *r, struct frame *f))
{
	while (mfn < end) {
		if (!mfn_has_frame(MFN(mfn))) {
			mfn = ROUND_UP(mfn + 1, 1UL << GRANULE_SHIFT);
			continue;
		}
		if (mfn_to_frame(MFN(mfn))->ref & FRAME_COUNT_MASK)
			fn(r, mfn_to_frame(MFN(mfn)));
		mfn++;
	}
}

/* --- what domains hold ----------------------------------------------- */

static void count_ldt(struct recount *r, const struct vcpu *v)
{
	for (unsigned int i = 0; i < LDT_PAGES; i++) {
		u64 e = *perdomain_slot(v->domain,
					LDT_VA(v->id) + i * PAGE_SIZE);

		if (e & PTE_P)
			add_type(r, pte_mfn(e), TYPE_SEG_DESC);
	}
}

static void count_vcpu(struct recount *r, const struct vcpu *v)
{
	if (v->l4_kernel.m)
		add_type(r, v->l4_kernel, TYPE_L4);
	if (v->l4_user.m)
		add_type(r, v->l4_user, TYPE_L4);
	for (unsigned int i = 0; i < ARRAY_SIZE(v->gdt_frames); i++)
		if (v->gdt_frames[i])
			add_type(r, MFN(v->gdt_frames[i]), TYPE_SEG_DESC);
	count_ldt(r, v);
	if (!mfn_eq(v->vcpu_info_mfn, INVALID_MFN)) {
		add_ref(r, v->vcpu_info_mfn);
		add_type(r, v->vcpu_info_mfn, TYPE_WRITABLE);
	}
}

/* Marks what stands in a list of d's frames; how many do. */
static u64 count_list(struct recount *r, const struct domain *d, u32 mfn)
{
	u64 n = 0;

	for (; mfn != NO_FRAME && n <= max_mfn; n++) {
		struct frame *f = mfn_to_frame(MFN(mfn));
		struct tally *t = tally_of(r, MFN(mfn));

		if (t)
			t->type |= frame_owner(f) == d->id ? TALLY_LISTED
							   : TALLY_BAD;
		mfn = f->next;
	}
	return n;
}

static void count_domain(struct recount *r, const struct domain *d)
{
	u64 pages = count_list(r, d, d->page_list);
	u64 shared = count_list(r, d, d->xenpage_list);
	const struct vcpu *v;

	if (!r->base && pages != d->tot_pages)
		report(r, "pages of domain", d->id, d->tot_pages, pages);
	if (!r->base && shared != d->shared_pages)
		report(r, "shared pages of domain", d->id, d->shared_pages,
		       shared);
	/* An interrupted destruction keeps its place in the list. */
	if (d->relinquish_state && d->relinquish_state != NO_FRAME)
		add_ref(r, MFN(d->relinquish_state));
	for_each_vcpu(d, v)
		count_vcpu(r, v);
}

static void count_grant(struct domain *mapper, u64 mfn, bool writable,
			void *arg)
{
	struct recount *r = arg;

	add_ref(r, MFN(mfn));
	if (writable)
		add_type(r, MFN(mfn), TYPE_WRITABLE);
}

/* --- comparing ------------------------------------------------------- */

/* The lists of free blocks and the number of free frames. */
static void check_free(struct recount *r)
{
	u64 n = 0;

	for (u64 m = 0; m < max_mfn; m++) {
		struct frame *f;

		if (!mfn_has_frame(MFN(m))) {
			m |= (1UL << GRANULE_SHIFT) - 1;
			continue;
		}
		f = mfn_to_frame(MFN(m));
		if (f->ref & FRAME_FREE)
			n += 1UL << (f->type & 0xff);
	}
	if (n != free_page_count())
		report(r, "free frames", 0, free_page_count(), n);
}

static void compare_frame(struct recount *r, u64 mfn)
{
	const struct frame *f = mfn_to_frame(MFN(mfn));
	const struct tally *t = &r->tally[mfn - r->base];
	u64 ref = f->ref & FRAME_COUNT_MASK, type = f->type & TYPE_COUNT_MASK;
	bool listed = frame_owner(f) < DOMID_FIRST_RESERVED;

	if (!mfn_valid(MFN(mfn)))
		return;
	r->frames++;
	/* Ours, or free: the type word is used for something else. */
	if (!ref && !listed)
		type = 0;
	if (t->ref == ref && (t->type & TALLY_COUNT) == type &&
	    !(t->type & TALLY_BAD) && !(t->type & TALLY_LISTED) == !listed)
		return;
	if (r->differ++ < MAX_LINES)
		printk("recount DIFFERS: mfn %#lx of d%u: ref %#lx type %#lx, counted %u and %u%s%s\n",
		       mfn, frame_owner(f), f->ref, f->type, t->ref,
		       t->type & TALLY_COUNT,
		       t->type & TALLY_BAD ? ", as another type" : "",
		       !(t->type & TALLY_LISTED) == !listed ? ""
							     : ", list wrong");
}

static void compare_window(struct recount *r)
{
	for (u64 m = r->base; m < r->base + r->nr && m < max_mfn; m++) {
		if (mfn_has_frame(MFN(m)))
			compare_frame(r, m);
		else
			m |= (1UL << GRANULE_SHIFT) - 1;
	}
}

static void recount_window(struct recount *r)
{
	struct domain *d;

	memset(r->tally, 0, r->nr * sizeof(*r->tally));
	for_each_used(r, 0, max_mfn, count_frame);
	for_each_domain(d)
		count_domain(r, d);
	grant_for_each_mapping(count_grant, r);
	compare_window(r);
	cpu_poll();
}

/*
 * See mm.h.  The last line tells the result; without memory for counters there
 * is none, and the value is ~0.  Takes long on a big machine.
 */
unsigned long frames_recount(void)
{
	struct recount r = { .tally = NULL };
	unsigned int order = MIN_ORDER;

	while (order < MAX_ORDER &&
	       PAGE_SIZE << order < max_mfn * sizeof(*r.tally))
		order++;
	for (;; order--) {
		r.tally = alloc_pages(order, ALLOC_NOSCRUB);
		if (r.tally || order == MIN_ORDER)
			break;
	}
	if (!r.tally) {
		printk("recount: no memory\n");
		return ~0UL;
	}
	r.nr = (PAGE_SIZE << order) / sizeof(*r.tally);
	check_free(&r);
	for (; r.base < max_mfn; r.base += r.nr)
		recount_window(&r);
	free_pages(r.tally, order);
	printk("recount: %lu frames, %lu differ\n", r.frames, r.differ);
	return r.differ;
}
