/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The quick half of l1.c: what nearly every change of an L1 entry comes down
 * to, inlined into the hypercalls.  Each of these does the whole of its work
 * or says false and has done nothing; the function in l1.c then does it, or
 * says why not.
 */
#ifndef MM_L1_H
#define MM_L1_H

#include <mm/internal.h>

#define PTE_CACHE	(PTE_PWT | PTE_PCD | PTE_PAT)
#define PTE_AVAIL_HIGH	(0x1ffUL << 53)		/* bits 53 to 61 */
/* Address bits of RAM, and of what cannot be: see RAM_MFN_LIMIT. */
#define PTE_RAM_ADDR	(((RAM_MFN_LIMIT - 1) << PAGE_SHIFT))
#define PTE_HIGH_ADDR	(PTE_ADDR_MASK & ~PTE_RAM_ADDR)
/* Anything else in an entry needs a closer look. */
#define PTE_PLAIN	(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_G | \
			 PTE_AVAIL | PTE_GUEST_KERNEL | PTE_AVAIL_HIGH | \
			 PTE_NX | PTE_RAM_ADDR)
/* A change of these alone changes no right. */
#define SAME_RIGHTS	(PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH)

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

/* Same frame, same rights as old? */
static always_inline bool same_rights(u64 old, u64 new)
{
	return old & PTE_P && !((old ^ new) & ~(SAME_RIGHTS | PTE_GRANT));
}

/* A word that may not be mapped: then false. */
static always_inline bool load_guarded(const u64 *p, u64 *out)
{
	__asm__ goto(FIXUP("%l[fault]") "mov %1, %0"
		     : "=r"(*out) : "m"(*p) : "memory" : fault);
	return true;
fault:
	return false;
}

static always_inline domid_t owner_of(const struct frame *f)
{
	return ((const volatile domid_t *)&f->ref)[2];
}

/* n uses as `type` or more, room for another, and nothing else going on? */
static always_inline bool in_use(u64 x, u64 type, u64 n)
{
	return x - (type + n) < COUNT_MAX_TYPE - n;
}

/* The frame that an entry without PTE_HIGH_ADDR maps and its type word, if it
 * has one.  The mask keeps the look-up inside the frame table. */
static always_inline struct frame *frame_of(u64 e, u64 *type)
{
	struct frame *f = mfn_to_frame(MFN((e & PTE_RAM_ADDR) >> PAGE_SHIFT));

	return likely(load_guarded(&f->type, type)) ? f : NULL;
}

/* Takes what a writable entry without PTE_HIGH_ADDR holds. */
static always_inline bool writable_get_quick(u64 e, const struct domain *fg)
{
	u64 x;
	struct frame *f = frame_of(e, &x);

	if (unlikely(!f))
		return false;
	if (unlikely(!in_use(x, TYPE_WRITABLE, 1)))
		return writable_first(f, fg, x);
	if (unlikely(owner_of(f) != fg->id) ||
	    unlikely(cmpxchg(&f->type, x, x + 1) != x))
		return false;
	if (likely(owner_of(f) == fg->id))
		return true;
	frame_put_type(f);
	return false;
}

/* Gives back what an entry holds. */
static always_inline void l1e_put_quick(u64 e)
{
	struct frame *f;
	u64 x;

	if (likely((e & (PTE_P | PTE_RW | PTE_GRANT | PTE_HIGH_ADDR)) ==
		   (PTE_P | PTE_RW))) {
		f = frame_of(e, &x);
		if (likely(f) && likely(in_use(x, TYPE_WRITABLE, 1)) &&
		    likely(cmpxchg(&f->type, x, (x & TYPE_COUNT_MASK) == 1 ?
				   type_idle(x) : x - 1) == x)) {
			if ((x & TYPE_COUNT_MASK) == 1)
				frame_put(f);
			return;
		}
	} else if (!(e & PTE_P)) {
		return;
	}
	l1e_put(e);
}

/* l1_update() in mode L1_SET, for writable RAM of fg. */
static always_inline bool l1_set_quick(u64 *slot, u64 val,
				       const struct domain *fg)
{
	u64 new = l1e_adjust(val);

	if (unlikely((val & (~PTE_PLAIN | PTE_P | PTE_RW)) !=
		     (PTE_P | PTE_RW)) ||
	    unlikely(same_rights(READ_ONCE(*slot), new)) ||
	    unlikely(!writable_get_quick(new, fg)))
		return false;
	l1e_put_quick(xchg(slot, new));
	return true;
}

/*
 * Reads the entry for va in the table that `entry` points to, present or not.
 * Another vCPU may have freed that table this moment, so the content may be
 * anything: the address stays in the direct map, and a fault is an answer.
 */
static always_inline bool entry_below(u64 entry, u64 va, unsigned int shift,
				      u64 *out)
{
	u64 at = (entry & PTE_RAM_ADDR) + (va >> (shift - 3) & 0xff8);

	return likely(load_guarded(paddr_to_virt(at), out));
}

/* The L1 that an L2 entry points to, held; NULL if it is none of d's. */
static always_inline struct frame *l1_hold(u64 entry, const struct domain *d)
{
	struct frame *f;
	u64 x;

	if (unlikely((entry & (PTE_P | PTE_HIGH_ADDR)) != PTE_P))
		return NULL;
	f = frame_of(entry, &x);
	if (unlikely(!f))
		return NULL;
	if (likely(in_use(x & ~TYPE_PINNED, TYPE_L1 | TYPE_VALIDATED, 1)) &&
	    likely(owner_of(f) == d->id) &&
	    likely(cmpxchg(&f->type, x, x + 1) == x)) {
		if (likely(owner_of(f) == d->id))
			return f;
		table_release(f);
		return NULL;
	}
	x = mfn_valid(pte_mfn(entry)) ? table_hold(f, d) : 0;
	if (x == TYPE_L1)
		return f;
	if (x)
		table_release(f);
	return NULL;
}

/*
 * The L1 entry for va in the kernel tables of v.  What was found on the way is
 * believed only if the last table is an L1 of v's domain; it is then held.
 */
static always_inline u64 *l1_slot_quick(const struct vcpu *v, u64 va,
					struct frame **table)
{
	u64 e4, e3, e2;

	if (unlikely((u64)((s64)(va << 16) >> 16) != va) ||
	    unlikely(va >> 43 == HYP_VIRT_START >> 43) ||
	    unlikely(!entry_below(v->l4_kernel.m << PAGE_SHIFT, va, 39, &e4)) ||
	    unlikely(!entry_below(e4, va, 30, &e3)) ||
	    unlikely(!entry_below(e3, va, 21, &e2)) ||
	    unlikely(!(e4 & e3 & PTE_P)))
		return NULL;
	*table = l1_hold(e2, v->domain);
	if (unlikely(!*table))
		return NULL;
	return paddr_to_virt((e2 & PTE_RAM_ADDR) | (va >> 9 & 0xff8));
}

/*
 * The same for current, without holding the table: as long as this CPU has
 * not answered a call of another one (cpu_poll()), because a table is let go
 * only after all CPUs with the domain's tables have answered a flush: see
 * table_update().  What is reached from the loaded tables is what it seems.
 */
static always_inline u64 *l1_slot_live(const struct vcpu *v, u64 va)
{
	u64 e4, e3, e2;

	if (unlikely((u64)((s64)(va << 16) >> 16) != va) ||
	    unlikely(va >> 43 == HYP_VIRT_START >> 43) ||
	    unlikely(!entry_below(v->cr3_kernel, va, 39, &e4)) ||
	    unlikely(!entry_below(e4, va, 30, &e3)) ||
	    unlikely(!entry_below(e3, va, 21, &e2)) ||
	    unlikely(!(e4 & e3 & e2 & PTE_P)))
		return NULL;
	return paddr_to_virt((e2 & PTE_RAM_ADDR) | (va >> 9 & 0xff8));
}

#endif
