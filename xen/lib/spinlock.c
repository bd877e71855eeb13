/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ticket locks.
 *
 * Invariant: a CPU only ever waits for a lock whose order number is at least
 * that of every lock it holds (debug builds check it against the per-CPU
 * list of orders), so no circle of waiters can form.  A waiter serves
 * shootdown and call requests, so a holder may wait for such a request.
 *
 * Interrupts are off throughout; NMI and machine-check handlers take no lock.
 * A guest can make a lock busy but not held for long: holders do a bounded
 * amount of work.
 */
#include <cpu/cpu.h>

/* Before waiting for the lock. */
static void order_check(const struct spinlock *l)
{
	struct cpu *c = this_cpu();

	for (u32 i = 0; DEBUG_BUILD && i < c->lock_depth; i++)
		if (c->lock_stack[i] > l->order)
			panic("lock %p of order %u taken under one of order %u",
			      l, l->order, c->lock_stack[i]);
}

/* Taken, or given back: in any order. */
static void order_note(const struct spinlock *l, bool taken)
{
	struct cpu *c = this_cpu();
	u32 i = 0;

	if (!DEBUG_BUILD)
		return;
	BUG_ON(taken && c->lock_depth == sizeof(c->lock_stack));
	if (taken) {
		c->lock_stack[c->lock_depth++] = (u8)l->order;
		return;
	}
	while (i < c->lock_depth && c->lock_stack[i] != l->order)
		i++;
	if (i == c->lock_depth)
		panic("lock %p of order %u released but not held", l, l->order);
	c->lock_stack[i] = c->lock_stack[--c->lock_depth];
}

/* Apart, so that the common case needs no registers saved. */
static noinline void spin_wait(struct spinlock *l, u16 ticket)
{
	while (load_acquire(&l->owner) != ticket) {
		cpu_poll();
		cpu_relax();
	}
}

/* Takes the lock, in the order of arrival. */
void spin_lock(struct spinlock *l)
{
	u32 old;

	order_check(l);
	old = __atomic_fetch_add(&l->word, 1U << 16, __ATOMIC_ACQUIRE);
	if (unlikely((u16)old != old >> 16))
		spin_wait(l, old >> 16);
	order_note(l, true);
}

/* Gives it to the next in line. */
void spin_unlock(struct spinlock *l)
{
	order_note(l, false);
	store_release(&l->owner, (u16)(l->owner + 1));
}
