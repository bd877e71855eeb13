/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of mm/ share among themselves. */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <mm/mm.h>
#include <domain/domain.h>

#define COUNT_MAX_REF	0xfffffff0UL
#define COUNT_MAX_TYPE	TYPE_COUNT_MASK
#define NO_FRAME	(~0U)

static always_inline mfn_t pte_mfn(u64 pte)
{
	return MFN((pte & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

static always_inline bool type_is_table(u64 type)
{
	u64 t = type & TYPE_MASK;

	return t >= TYPE_L1 && t <= TYPE_L4;
}

/* Level 1 to 4 of a table type. */
static always_inline unsigned int type_level(u64 type)
{
	return (unsigned int)(type >> TYPE_SHIFT);
}

/* --- frames.c -------------------------------------------------------- */
/* Type word of a frame whose last use as `type` ends now. */
static always_inline u64 type_idle(u64 type)
{
	return (type & TYPE_MASK) | (u64)tlb_clock() << TYPE_STAMP_SHIFT;
}
/* The first writable use of d's f, whose type word was x; false: not now. */
bool writable_first(struct frame *f, const struct domain *d, u64 x);
void frame_writeback(struct frame *f);
/* Ends the hold that frame_share() took, if it has not ended. */
void share_end(struct frame *f);
/* The slow ways of writable_get() and writable_put(). */
int writable_get_slow(struct frame *f, const struct domain *d);
void writable_put_last(struct frame *f);
/* Before d's frame becomes a table: nobody may still write to it. */
void frame_quiesce(struct frame *f, const struct domain *d, u64 old_type);

/*
 * One more writable mapping of f, for its owner d: 0, -XEN_EINVAL not d's,
 * -XEN_EBUSY in use as something else or too many.  The owner is looked at
 * twice: before, so that a stranger cannot disturb the counts; after, because
 * only a counted use keeps the owner from changing.
 */
static always_inline int writable_get(struct frame *f, const struct domain *d)
{
	u64 x = READ_ONCE(f->type);

	if (unlikely((x & TYPE_MASK) != TYPE_WRITABLE ||
		     !(x & TYPE_COUNT_MASK) ||
		     (x & TYPE_COUNT_MASK) == COUNT_MAX_TYPE ||
		     frame_owner(f) != d->id ||
		     cmpxchg(&f->type, x, x + 1) != x))
		return writable_get_slow(f, d);
	if (unlikely(frame_owner(f) != d->id)) {
		frame_put_type(f);
		return -XEN_EINVAL;
	}
	return 0;
}

static always_inline void writable_put(struct frame *f)
{
	u64 x = READ_ONCE(f->type);

	if (unlikely((x & TYPE_COUNT_MASK) <= 1 ||
		     cmpxchg(&f->type, x, x - 1) != x))
		writable_put_last(f);
}

/* --- l1.c: single entries of L1 tables; see also l1.h ---------------- */
/* What a guest may not set, by what the processor has.  Set at boot. */
extern u64 l1_refused, table_refused;
void pte_masks_init(void);
/* References for a present, adjusted entry that maps a frame of fg in a table
 * of owner.  May take rights away from *pte (device memory).  0/-errno. */
int l1e_get(u64 *pte, const struct domain *owner, const struct domain *fg);
/* Drops what an entry, present or not, holds. */
void l1e_put(u64 e);

/* How an entry is replaced. */
enum l1_mode {
	L1_SET,			/* unconditionally */
	L1_KEEP_AD,		/* the old A and D bits are added */
};
/* The checked write of one L1 entry.  The caller holds the table's type. */
int l1_update(u64 *slot, u64 val, enum l1_mode mode, struct domain *owner,
	      struct domain *fg);
/* Only if the entry still is old: 0, -XEN_EAGAIN it is not, -errno. */
int l1_update_if(u64 *slot, u64 old, u64 val, struct domain *d);
/* The L1 entry for va in v's kernel tables, its table typed; NULL none.  The
 * table must be given back by table_release(). */
u64 *l1_slot(const struct vcpu *v, u64 va, struct frame **table);

/* --- ptypes.c -------------------------------------------------------- */
/*
 * Work a hypercall may still do on tables: about one per table touched.  NULL
 * where nobody can continue: then as long as it takes.
 */
#define TABLE_BUDGET	32
int type_get(struct frame *f, struct domain *d, u64 type, int *budget);
/* The caller's use ends.  -XEN_ERESTART: it has, but the table is only partly
 * taken down; type_reap() goes on. */
int type_put(struct frame *f, int *budget);
/* Goes on with a table that was left TYPE_PARTIAL: 0 or -XEN_ERESTART. */
int type_reap(struct frame *f, int *budget);
/* One more use of f as the table that it is: its type, or 0 if it is none of
 * d's valid tables. */
u64 table_hold(struct frame *f, const struct domain *d);
static always_inline void table_release(struct frame *f)
{
	u64 x = READ_ONCE(f->type);

	if (unlikely((x & TYPE_COUNT_MASK) <= 1 ||
		     cmpxchg(&f->type, x, x - 1) != x))
		frame_put_type(f);
}
/* Work that v left: 0 or -XEN_ERESTART. */
int vcpu_reap(struct vcpu *v);
/* v's next hypercall goes on with f.  Two at most: a table that was let go
 * and, on its way out, the one whose entry pointed to it. */
static inline void reap_note(struct vcpu *v, struct frame *f)
{
	v->reap2 = v->reap;
	v->reap = frame_to_mfn(f);
}
/* Checked write to a table of level 2 to 4 whose type the caller holds. */
int table_update(struct frame *f, u64 *slot, u64 val, struct domain *owner,
		 int *budget);

/* --- pages.c --------------------------------------------------------- */
/* The last reference of f is gone; ref: the word as the put left it. */
void frame_last_put(struct frame *f, u64 ref);
/* Exchange: takes a frame that nobody uses off d, gives it back, or frees it.
 * d's number of pages does not change. */
bool page_steal(struct domain *d, struct frame *f);
void page_unsteal(struct domain *d, struct frame *f);
void page_free_stolen(struct frame *f);
/* Frames of nobody, and making d their owner without counting them. */
struct frame *pages_take(unsigned int order, u32 flags);
void pages_give(struct frame *f, unsigned int order);
bool pages_assign(struct domain *d, struct frame *f, unsigned int order,
		  bool count);
/* Lists of frames by their next and prev: *head is an mfn, or NO_FRAME. */
void frame_list_add(u32 *head, struct frame *f);
void frame_list_del(u32 *head, struct frame *f);
struct frame *frame_list_pop(u32 *head);	/* NULL: empty */

/* --- xenmap.c -------------------------------------------------------- */
/* One leaf of 4 KiB, 2 MiB or 1 GiB: level 1 to 3.  Boot. */
void map_leaf(u64 va, paddr_t pa, unsigned int level, u64 flags);
u64 *perdomain_slot(const struct domain *d, u64 va);
/* earlymem.c: a zeroed page for a page table, boot or not; 0: no memory. */
mfn_t table_page(void);
/* RAM by the firmware's map, page-aligned, ascending: calls fn for each. */
void for_each_ram(void (*fn)(paddr_t start, paddr_t end));

#endif
