/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ticket locks.
 *
 * Invariant: a CPU only ever waits for a lock whose order number is at least
 * that of every lock it holds (debug builds count the locks of each order), so
 * no circle of waiters can form.  A waiter serves shootdown and call requests,
 * so a holder may wait for such a request.
 *
 * Interrupts are off throughout; NMI and machine-check handlers take no lock.
 * A guest can make a lock busy but not held for long: holders do a bounded
 * amount of work.
 */
#include <cpu/cpu.h>

/*
 * Each order has four bits of the CPU's count of locks held, so the orders
 * above one are what a shift leaves.
 */
static void order_check(const struct spinlock *l, bool take)
{
	u64 *held = &this_cpu()->locks_held, one = 1UL << 4 * l->order;

	_Static_assert(LOCK_IRQ < 15, "four bits each, and none beyond");
	if (!DEBUG_BUILD)
		return;
	if (take ? *held >= one << 4 : !(*held & one * 15))
		panic("lock %p of order %u: %s, held %lx", l, l->order,
		      take ? "taken under a higher one" : "not held", *held);
	*held += take ? one : -one;
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

	order_check(l, true);
	old = __atomic_fetch_add(&l->word, 1U << 16, __ATOMIC_ACQUIRE);
	if (unlikely((u16)old != old >> 16))
		spin_wait(l, old >> 16);
}

/* Gives it to the next in line. */
void spin_unlock(struct spinlock *l)
{
	order_check(l, false);
	store_release(&l->owner, (u16)(l->owner + 1));
}
