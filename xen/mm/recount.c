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

#define TALLY_BAD	(1U << 31)	/* used as another type */
#define DESCR_PAGES	32		/* of a vCPU's window */
#define MIN_ORDER	3
#define WINDOW_ORDER	13		/* 32 MiB for 16 GiB of frames */
#define MAX_LINES	20

/* References in the upper half, uses in the lower, of the frames from base to
 * base + nr - 1. */
static u64 *tally, base, nr;
static u64 frames, free_frames, guests_frames;
static unsigned long differ;

static void compare(const char *what, u64 id, u64 stored, u64 counted)
{
	if (stored != counted && differ++ < MAX_LINES)
		printk("recount DIFFERS: %s %lx: has %lx, counted %lx\n",
		       what, id, stored, counted);
}

/* NULL: another window's, or not a frame of RAM. */
static u64 *tally_of(mfn_t mfn)
{
	return mfn.m - base < nr && mfn_valid(mfn) ? &tally[mfn.m - base]
						   : NULL;
}

/* References, and a use as `type` if it is not 0.  The reference of the first
 * use comes with the type. */
static void add(mfn_t mfn, u64 refs, u64 type)
{
	u64 *t = tally_of(mfn), x;

	if (!t)
		return;
	x = mfn_to_frame(mfn)->type;
	*t += refs << 32 | !!type;
	if (type && ((x & TYPE_MASK) != type ||
		     (type != TYPE_WRITABLE && !(x & TYPE_VALIDATED))))
		*t |= TALLY_BAD;
}

/* --- what frames hold of each other ---------------------------------- */

/* The holds that the frame's own words tell of; what its entries hold. */
static void count_frame(struct frame *f)
{
	u64 *tf = tally_of(frame_to_mfn(f)), type = f->type;
	const u64 *t = mfn_to_virt(frame_to_mfn(f));
	unsigned int level = type_level(type), end = 512;
	bool claimed = f->ref & FRAME_ALLOCATED;

	if (!(f->ref & FRAME_COUNT_MASK))
		return;
	if (tf)
		*tf += (claimed + !!(type & TYPE_COUNT_MASK) + 0UL) << 32 |
		       (u64)(!!(type & TYPE_PINNED) + !!(type & TYPE_PARTIAL) +
			     (claimed && f->ref & FRAME_XENHEAP));
	if (level - 1 >= 4 || !(type & (TYPE_VALIDATED | TYPE_PARTIAL)))
		return;
	if (type & TYPE_PARTIAL)
		end = type_progress(type);
	for (unsigned int i = 0; i < end && i < 512; i++) {
		if (!(t[i] & PTE_P) || hyp_slot(level, i))
			continue;
		if (level > 1)
			add(pte_mfn(t[i]), 0, (level - 1UL) << TYPE_SHIFT);
		else if (!(t[i] & PTE_GRANT))
			add(pte_mfn(t[i]), !(t[i] & PTE_RW),
			    t[i] & PTE_RW ? TYPE_WRITABLE : 0);
	}
}

/* --- what domains hold ----------------------------------------------- */

static void count_vcpu(const struct vcpu *v)
{
	if (v->l4_kernel.m)
		add(v->l4_kernel, 0, TYPE_L4);
	if (v->l4_user.m)
		add(v->l4_user, 0, TYPE_L4);
	/* What is ours there is read-only. */
	for (unsigned int i = 0; i < DESCR_PAGES; i++) {
		u64 e = *perdomain_slot(v->domain,
					GDT_VA(v->id) + i * PAGE_SIZE);

		if (e & PTE_RW)
			add(pte_mfn(e), 0, TYPE_SEG_DESC);
	}
	add(v->vcpu_info_mfn, 0, TYPE_WRITABLE);
}

static void count_grant(struct domain *mapper, u64 mfn, bool writable)
{
	add(MFN(mfn), !writable, writable ? TYPE_WRITABLE : 0);
}

/* --- comparing ------------------------------------------------------- */

static void compare_frame(struct frame *f)
{
	u64 *t = tally_of(frame_to_mfn(f)), ref = f->ref & FRAME_COUNT_MASK;
	bool guests = frame_owner(f) < DOMID_FIRST_RESERVED;

	if (!t)
		return;
	frames++;
	guests_frames += guests && ref;
	if (f->ref & FRAME_FREE)
		free_frames += 1UL << (f->type & 0xff);
	/* Ours, or free: the type word is used for something else. */
	compare("references and uses of frame", frame_to_mfn(f).m, ref << 32 |
		(ref || guests ? f->type & TYPE_COUNT_MASK : 0), *t);
}

/* Calls fn for each frame that the frame table has. */
static void for_each_frame(void (*fn)(struct frame *f))
{
	for (u64 m = 0; m < max_mfn; m++)
		fn(mfn_to_frame(MFN(m)));
}

/*
 * See mm.h.  The last line tells the result; without memory for counters there
 * is none, and the value is ~0.  Takes long on a big machine.
 */
unsigned long frames_recount(void)
{
	unsigned int order = WINDOW_ORDER + 1;
	struct domain *d;
	u64 owned = 0;
	struct vcpu *v;

	do
		tally = alloc_pages(--order, ALLOC_NOSCRUB);
	while (!tally && order > MIN_ORDER);
	if (!tally) {
		printk("recount: no memory\n");
		return ~0UL;
	}
	nr = (PAGE_SIZE << order) / sizeof(*tally);
	frames = free_frames = guests_frames = differ = 0;
	for_each_domain(d)
		owned += d->tot_pages + d->shared_pages;
	for (base = 0; base < max_mfn; base += nr) {
		memset(tally, 0, nr * sizeof(*tally));
		for_each_frame(count_frame);
		for_each_domain(d)
			for_each_vcpu(d, v)
				count_vcpu(v);
		grant_for_each_mapping(count_grant);
		for_each_frame(compare_frame);
		cpu_poll();
	}
	compare("frames of domains", 0, owned, guests_frames);
	compare("free frames", 0, free_page_count(), free_frames);
	free_pages(tally, order);
	printk("recount: %lu frames, %lu differ\n", frames, differ);
	return differ;
}
