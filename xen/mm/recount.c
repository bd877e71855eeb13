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
 * the whole is linear.  The counters need 8 bytes per frame; a big machine, or
 * one with little memory left, is counted window by window, each with a full
 * reading.
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
#define WINDOW_ORDER	13		/* 32 MiB for 16 GiB of frames */
#define MAX_LINES	20

static struct recount {
	struct tally *tally;	/* of mfns base to base + nr - 1 */
	u64 base, nr;
	u64 frames;
	unsigned long differ;
} r;

static void report(const char *what, u64 id, u64 stored, u64 counted)
{
	if (stored != counted && r.differ++ < MAX_LINES)
		printk("recount DIFFERS: %s %#lx: has %#lx, counted %#lx\n",
		       what, id, stored, counted);
}

/* A reference, or a use as `type`.  The reference of the first use comes with
 * the type.  Nothing for another window's frame, or what is not RAM. */
static void add(mfn_t mfn, u32 ref, u64 type)
{
	struct tally *t = &r.tally[mfn.m - r.base];
	u64 x;

	if (mfn.m - r.base >= r.nr || !mfn_valid(mfn))
		return;
	t->ref += ref;
	if (!type)
		return;
	t->type++;
	x = mfn_to_frame(mfn)->type;
	if ((x & TYPE_MASK) != type ||
	    (type != TYPE_WRITABLE && !(x & TYPE_VALIDATED)))
		t->type |= TALLY_BAD;
}

/* --- what frames hold of each other ---------------------------------- */

static void count_table(struct frame *f)
{
	const u64 *t = mfn_to_virt(frame_to_mfn(f));
	unsigned int level = type_level(f->type), end = 512;

	if (f->type & TYPE_PARTIAL)
		end = type_progress(f->type);
	for (unsigned int i = 0; i < end && i < 512; i++) {
		if (!(t[i] & PTE_P) || (level == 4 && i >= HYP_FIRST_SLOT &&
					i < HYP_END_SLOT))
			continue;
		if (level > 1)
			add(pte_mfn(t[i]), 0, (level - 1UL) << TYPE_SHIFT);
		else if (!(t[i] & PTE_GRANT))
			add(pte_mfn(t[i]), !(t[i] & PTE_RW),
			    t[i] & PTE_RW ? TYPE_WRITABLE : 0);
	}
}

/* The holds that the frame's own words tell of; what its entries hold. */
static void count_frame(struct frame *f)
{
	u64 i = frame_to_mfn(f).m - r.base, type = f->type;
	bool claimed = f->ref & FRAME_ALLOCATED;

	if (!(f->ref & FRAME_COUNT_MASK))
		return;
	if (i < r.nr && frame_owner(f) != DOMID_IO) {
		r.tally[i].ref += claimed + !!(type & TYPE_COUNT_MASK);
		r.tally[i].type += !!(type & TYPE_PINNED) +
				   !!(type & TYPE_PARTIAL) +
				   (f->ref & FRAME_XENHEAP && claimed);
	}
	if (type_is_table(type) && type & (TYPE_VALIDATED | TYPE_PARTIAL))
		count_table(f);
}

/* --- what domains hold ----------------------------------------------- */

static void count_vcpu(const struct vcpu *v)
{
	if (v->l4_kernel.m)
		add(v->l4_kernel, 0, TYPE_L4);
	if (v->l4_user.m)
		add(v->l4_user, 0, TYPE_L4);
	for (unsigned int i = 0; i < ARRAY_SIZE(v->gdt_frames); i++)
		if (v->gdt_frames[i])
			add(MFN(v->gdt_frames[i]), 0, TYPE_SEG_DESC);
	for (unsigned int i = 0; i < LDT_PAGES; i++) {
		u64 e = *perdomain_slot(v->domain,
					LDT_VA(v->id) + i * PAGE_SIZE);

		if (e & PTE_P)
			add(pte_mfn(e), 0, TYPE_SEG_DESC);
	}
	add(v->vcpu_info_mfn, 1, TYPE_WRITABLE);
}

/* Marks what stands in a list of d's frames; how many do. */
static u64 count_list(const struct domain *d, u32 mfn)
{
	u64 n = 0;

	for (; mfn != NO_FRAME && n <= max_mfn; n++) {
		struct frame *f = mfn_to_frame(MFN(mfn));

		if (mfn - r.base < r.nr)
			r.tally[mfn - r.base].type |=
				frame_owner(f) == d->id ? TALLY_LISTED
							: TALLY_BAD;
		mfn = f->next;
	}
	return n;
}

static void count_domain(const struct domain *d)
{
	u64 pages = count_list(d, d->page_list);
	u64 shared = count_list(d, d->xenpage_list);
	const struct vcpu *v;

	if (!r.base) {
		report("pages of domain", d->id, d->tot_pages, pages);
		report("shared pages of domain", d->id, d->shared_pages,
		       shared);
	}
	/* An interrupted destruction keeps its place in the list. */
	if (d->relinquish_state && d->relinquish_state != NO_FRAME)
		add(MFN(d->relinquish_state), 1, 0);
	for_each_vcpu(d, v)
		count_vcpu(v);
}

static void count_grant(struct domain *mapper, u64 mfn, bool writable,
			void *unused)
{
	add(MFN(mfn), 1, writable ? TYPE_WRITABLE : 0);
}

/* --- comparing ------------------------------------------------------- */

/* The lists of free blocks and the number of free frames. */
static u64 free_frames;

static void count_free(struct frame *f)
{
	if (f->ref & FRAME_FREE)
		free_frames += 1UL << (f->type & 0xff);
}

static void compare_frame(struct frame *f)
{
	u64 mfn = frame_to_mfn(f).m;
	const struct tally *t = &r.tally[mfn - r.base];
	u64 ref = f->ref & FRAME_COUNT_MASK, type = f->type & TYPE_COUNT_MASK;
	bool listed = frame_owner(f) < DOMID_FIRST_RESERVED;

	if (mfn - r.base >= r.nr || !mfn_valid(MFN(mfn)))
		return;
	r.frames++;
	/* Ours, or free: the type word is used for something else. */
	if (!ref && !listed)
		type = 0;
	if (t->ref == ref && (t->type & TALLY_COUNT) == type &&
	    !(t->type & TALLY_BAD) && !(t->type & TALLY_LISTED) == !listed)
		return;
	if (r.differ++ < MAX_LINES)
		printk("recount DIFFERS: mfn %#lx of d%u: ref %#lx type %#lx, counted %u and %u%s%s\n",
		       mfn, frame_owner(f), f->ref, f->type, t->ref,
		       t->type & TALLY_COUNT,
		       t->type & TALLY_BAD ? ", as another type" : "",
		       !(t->type & TALLY_LISTED) == !listed ? ""
							     : ", list wrong");
}

/* Calls fn for each frame that the frame table has. */
static void for_each_frame(void (*fn)(struct frame *f))
{
	for (u64 m = 0; m < max_mfn; m++)
		if (mfn_has_frame(MFN(m)))
			fn(mfn_to_frame(MFN(m)));
		else
			m |= (1UL << GRANULE_SHIFT) - 1;
}

/*
 * See mm.h.  The last line tells the result; without memory for counters there
 * is none, and the value is ~0.  Takes long on a big machine.
 */
unsigned long frames_recount(void)
{
	unsigned int order = WINDOW_ORDER;
	struct domain *d;

	r = (struct recount){ .tally = NULL };
	while (order >= MIN_ORDER && !r.tally)
		r.tally = alloc_pages(order--, ALLOC_NOSCRUB);
	if (!r.tally) {
		printk("recount: no memory\n");
		return ~0UL;
	}
	r.nr = (PAGE_SIZE << ++order) / sizeof(*r.tally);
	free_frames = 0;
	for_each_frame(count_free);
	report("free frames", 0, free_page_count(), free_frames);
	for (; r.base < max_mfn; r.base += r.nr) {
		memset(r.tally, 0, r.nr * sizeof(*r.tally));
		for_each_frame(count_frame);
		for_each_domain(d)
			count_domain(d);
		grant_for_each_mapping(count_grant, NULL);
		for_each_frame(compare_frame);
		cpu_poll();
	}
	free_pages(r.tally, order);
	printk("recount: %lu frames, %lu differ\n", r.frames, r.differ);
	return r.differ;
}
