/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of mm/ share among themselves. */
#pragma once

#include <domain/domain.h>

#define COUNT_MAX_REF	0xfffffff0UL
#define COUNT_MAX_TYPE	TYPE_COUNT_MASK
#define NO_FRAME	(~0U)

static always_inline mfn_t pte_mfn(u64 pte)
{
	return MFN((pte & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

static always_inline struct frame *pte_frame(u64 pte)
{
	return mfn_to_frame(pte_mfn(pte));
}

/* Level 1 to 4 of a table type. */
static always_inline unsigned int type_level(u64 type)
{
	return (unsigned int)(type >> TYPE_SHIFT);
}

/* Is that entry of a table ours? */
static always_inline bool hyp_slot(unsigned int level, unsigned int i)
{
	return level == 4 && i - HYP_FIRST_SLOT < HYP_END_SLOT - HYP_FIRST_SLOT;
}

/*
 * Type word, but for the count, of a frame of which a use as `type` ends now.
 * Every end of a writable use leaves its stamp: if only the last one did, an
 * exchange that comes late could not tell that there were others meanwhile, and
 * would leave an older one.
 */
static always_inline u64 type_idle(u64 type)
{
	return (type & TYPE_MASK) | (u64)tlb_clock() << TYPE_STAMP_SHIFT;
}

/* TYPE_PARTIAL: entries below this one hold references. */
static always_inline unsigned int type_progress(u64 type)
{
	return (unsigned int)((type & TYPE_STAMP_MASK) >> TYPE_STAMP_SHIFT);
}

/* --- frames.c -------------------------------------------------------- */
void frame_writeback(struct frame *f);
/* The first writable use of d's f, whose type word was x; false: not now. */
bool writable_first(struct frame *f, const struct domain *d, u64 x);
/* Before d's frame becomes a table: nobody may still write to it. */
void frame_quiesce(struct frame *f, const struct domain *d, u64 old_type);

/* --- l1.c: single entries of L1 tables ------------------------------- */
#define PTE_CACHE	(PTE_PWT | PTE_PCD | PTE_PAT)
#define PTE_AVAIL_HIGH	(0x1ffUL << 53)		/* bits 53 to 61 */
/* Address bits of RAM, and of what cannot be: see RAM_MFN_LIMIT. */
#define PTE_RAM_ADDR	((RAM_MFN_LIMIT - 1) << PAGE_SHIFT)
#define PTE_HIGH_ADDR	(PTE_ADDR_MASK & ~PTE_RAM_ADDR)
/* Anything else in an entry needs a closer look. */
#define PTE_PLAIN	(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_G | \
			 PTE_AVAIL | PTE_GUEST_KERNEL | PTE_AVAIL_HIGH | \
			 PTE_NX | PTE_RAM_ADDR)
/* A change of these alone changes no right. */
#define SAME_RIGHTS	(PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH)

/* What a guest may not set in a table of level 2 to 4, by what the processor
 * has; an L1 also has PTE_CACHE and PTE_G.  Set at boot. */
extern u64 table_refused;
void pte_masks_init(void);
/*
 * Checks an entry of a table of owner that is to map a frame of fg in place
 * of old, completes it, and takes its references.  1: the same rights as old,
 * nothing taken; 0; -XEN_EINVAL bits, frame or owner not allowed; -XEN_EPERM
 * device memory; -XEN_EBUSY to be writable, but a table or full.
 */
int l1e_get(u64 old, u64 *pte, struct domain *owner, struct domain *fg);
/* Drops what an entry, present or not, holds. */
void l1e_put(u64 e);
/* The checked write of one entry; keep_ad: the old A and D bits are added.
 * The caller holds the table's type.  0, or an error of l1e_get(). */
int l1_update(u64 *slot, u64 val, bool keep_ad, struct domain *owner,
	      struct domain *fg);
/* Only if the entry still is old: -XEN_EAGAIN it is not. */
int l1_update_if(u64 *slot, u64 old, u64 val, struct domain *owner,
		 struct domain *fg);

/*
 * A guest's kernel mapping becomes a user one marked as ours, a user mapping
 * global: see l1.c.
 */
static always_inline u64 l1e_adjust(u64 e)
{
	if (!(e & PTE_US))
		e |= PTE_US | PTE_GUEST_KERNEL;
	/* Global if not the kernel's, without a branch. */
	_Static_assert(PTE_GUEST_KERNEL >> 44 == PTE_G, "distance");
	return (e | PTE_G) ^ (e >> 44 & PTE_G);
}

/*
 * The frame that an entry without PTE_HIGH_ADDR maps, and its type word; NULL
 * if it has none: where the frame table has a hole the load faults.  The mask
 * keeps the look-up inside the frame table.
 */
static always_inline struct frame *frame_of(u64 e, u64 *type)
{
	struct frame *f = pte_frame(e & PTE_RAM_ADDR);

	__asm__ goto(FIXUP("%l[fault]") "mov %1, %0"
		     : "=r"(*type) : "m"(f->type) : "memory" : fault);
	return f;
fault:
	return NULL;
}

/* At least one writable use, room for another, and nothing else going on? */
static always_inline bool in_use(u64 type)
{
	return likely((type & ~TYPE_STAMP_MASK) - (TYPE_WRITABLE + 1) <
		      COUNT_MAX_TYPE - 1);
}

/*
 * A plain writable entry for RAM of fg: completed, its use taken, and no other
 * CPU answered meanwhile; or false and nothing has happened.  The owner is
 * looked at twice: before, so that a stranger cannot disturb the counts; after,
 * because only a counted use keeps the owner from changing.
 */
static always_inline bool l1e_get_quick(u64 *e, struct domain *fg)
{
	struct frame *f;
	u64 x;

	if (unlikely((*e & (~PTE_PLAIN | PTE_P | PTE_RW)) !=
		     (PTE_P | PTE_RW)) ||
	    unlikely(!(f = frame_of(*e, &x))))
		return false;
	*e = l1e_adjust(*e);
	if (!in_use(x))
		return writable_first(f, fg, x);
	if (unlikely(frame_owner(f) != fg->id) ||
	    unlikely(cmpxchg(&f->type, x, x + 1) != x))
		return false;
	if (likely(frame_owner(f) == fg->id))
		return true;
	frame_put_type(f);
	return false;
}

/* l1e_put(), quick for plain writable entries. */
static always_inline void l1e_put_quick(u64 e)
{
	struct frame *f;
	u64 x;

	if (unlikely((e & (PTE_P | PTE_RW | PTE_GRANT | PTE_HIGH_ADDR)) !=
		     (PTE_P | PTE_RW)) ||
	    unlikely(!(f = frame_of(e, &x))) || !in_use(x) ||
	    unlikely(cmpxchg(&f->type, x, type_idle(x) |
			     ((x - 1) & TYPE_COUNT_MASK)) != x))
		l1e_put(e);
	else if ((x & TYPE_COUNT_MASK) == 1)
		frame_put(f);
}

/* Same frame, same rights as old? */
static always_inline bool same_rights(u64 old, u64 new)
{
	return old & PTE_P && !((old ^ new) & ~(SAME_RIGHTS | PTE_GRANT));
}

/* l1_update() with a plain writable entry: nearly every one, inlined into the
 * hypercalls.  False: nothing has happened. */
static always_inline bool l1_set_quick(u64 *slot, u64 val, struct domain *fg)
{
	if (unlikely(same_rights(READ_ONCE(*slot), l1e_adjust(val))) ||
	    unlikely(!l1e_get_quick(&val, fg)))
		return false;
	l1e_put_quick(xchg(slot, val));
	return true;
}

/*
 * The L1 entry for va in the kernel tables of v, which is current; NULL: no
 * such table.  It stays in being, without a hold, as long as this CPU has not
 * answered a call of another one (cpu_poll()), because a table is let go only
 * after all CPUs with the domain's tables have answered a flush: see
 * table_update().  What is reached from the loaded tables is what it seems.
 */
static always_inline u64 *l1_slot(const struct vcpu *v, u64 va)
{
	u64 e = v->cr3_kernel;

	if (unlikely(!va_canonical(va)) ||
	    unlikely(va >> 43 == HYP_VIRT_START >> 43))
		return NULL;
#pragma GCC unroll 3
	for (unsigned int shift = 39 - 3; shift > 9; shift -= 9) {
		e = *(volatile u64 *)paddr_to_virt((e & PTE_ADDR_MASK) |
						   (va >> shift & 0xff8));
		if (unlikely(!(e & PTE_P)))
			return NULL;
	}
	return paddr_to_virt((e & PTE_ADDR_MASK) | (va >> 9 & 0xff8));
}

/* --- ptypes.c -------------------------------------------------------- */
/* Work a hypercall may still do on tables: about one per table touched. */
#define TABLE_BUDGET	8
/* Where nobody can continue: then as long as it takes. */
#define UNLIMITED	0x7fffffff
int type_get(struct frame *f, struct domain *d, u64 type, int *budget);
/* The same by frame number, of RAM or not. */
int mfn_type_get(mfn_t mfn, struct domain *d, u64 type, int *budget);
/* The caller's use ends.  -XEN_ERESTART: it has, but the table is only partly
 * taken down; type_reap() goes on. */
int type_put(struct frame *f, int *budget);
/* Goes on with a table that was left TYPE_PARTIAL: 0 or -XEN_ERESTART. */
int type_reap(struct frame *f, int *budget);
/* One more use of a frame as the table that it is: its type, or 0 if it is
 * none of d's valid tables of a level up to max_level.  For level 1 ended by
 * frame_put_type(), above by type_put(): it may be the last. */
u64 table_hold(mfn_t mfn, struct domain *d, unsigned int max_level);
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
void page_unsteal(struct frame *f);
void page_free_stolen(struct frame *f);
/* Frames of nobody, and making d their owner without counting them. */
struct frame *pages_take(unsigned int order, u32 flags);
/* Pfns from pfn on, or M2P_INVALID for all. */
void m2p_fill(struct frame *f, unsigned int order, u64 pfn);
void pages_give(struct frame *f, unsigned int order);
bool pages_assign(struct domain *d, struct frame *f, unsigned int order,
		  bool count);
/* Lists of frames by their next and prev: *head is an mfn, or NO_FRAME. */
void frame_list_add(u32 *head, struct frame *f);
struct frame *frame_list_pop(u32 *head);	/* NULL: empty */

/* --- xenmap.c -------------------------------------------------------- */
/* One leaf of 4 KiB, 2 MiB or 1 GiB: level 1 to 3.  Boot. */
void map_leaf(u64 va, paddr_t pa, unsigned int level, u64 flags);
/* earlymem.c: a zeroed page for a page table, boot or not; 0: no memory. */
mfn_t table_page(void);
/* RAM by the firmware's map, page-aligned, ascending: calls fn for each. */
void for_each_ram(void (*fn)(paddr_t start, paddr_t end));
