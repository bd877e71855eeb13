/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ticket locks and reader-writer locks.
 *
 * Invariant: a CPU only ever waits for a lock whose order number is at least
 * that of every lock it holds (debug builds check it against the per-CPU
 * stack of orders), so no circle of waiters can form.  A waiter serves
 * shootdown and call requests, so a holder may wait for such a request.
 *
 * Interrupts are off throughout; NMI and machine-check handlers take no lock.
 * A guest can make a lock busy but not held for long: holders do a bounded
 * amount of work.
 */
#include <cpu/cpu.h>

#ifdef DEBUG
static void order_push(u16 order, const void *lock)
{
	struct cpu *c = this_cpu();

	BUG_ON(c->lock_depth >= sizeof(c->lock_stack));
	c->lock_stack[c->lock_depth++] = (u8)order;
}

/* Before waiting for `lock`. */
static void order_check(u16 order, const void *lock)
{
	struct cpu *c = this_cpu();

	for (u32 i = 0; i < c->lock_depth; i++)
		if (c->lock_stack[i] > order)
			panic("lock %p of order %u taken under one of order %u",
			      lock, order, c->lock_stack[i]);
}

/* Locks need not be released in reverse order. */
static void order_pop(u16 order, const void *lock)
{
	struct cpu *c = this_cpu();
	u32 i = c->lock_depth;

	while (i && c->lock_stack[i - 1] != order)
		i--;
	if (!i)
		panic("lock %p of order %u released but not held", lock, order);
	for (; i < c->lock_depth; i++)
		c->lock_stack[i - 1] = c->lock_stack[i];
	c->lock_depth--;
}
#else
static inline void order_push(u16 order, const void *lock) { }
static inline void order_check(u16 order, const void *lock) { }
static inline void order_pop(u16 order, const void *lock) { }
#endif

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

	order_check(l->order, l);
	old = __atomic_fetch_add(&l->word, 1U << 16, __ATOMIC_ACQUIRE);
	if (unlikely((u16)old != old >> 16))
		spin_wait(l, (u16)(old >> 16));
	order_push(l->order, l);
}

/* Gives it to the next in line. */
void spin_unlock(struct spinlock *l)
{
	order_pop(l->order, l);
	store_release(&l->owner, (u16)(l->owner + 1));
}

/* Takes the lock only if nobody holds or wants it.  Exempt from the order. */
bool spin_trylock(struct spinlock *l)
{
	u32 old = READ_ONCE(l->word);

	if ((u16)old != old >> 16 ||
	    cmpxchg(&l->word, old, old + (1U << 16)) != old)
		return false;
	order_push(l->order, l);
	return true;
}

/* Held by anybody?  For assertions and dumps. */
bool spin_is_locked(const struct spinlock *l)
{
	u32 w = READ_ONCE(l->word);

	return (u16)w != w >> 16;
}

#define RW_WRITER	(1U << 31)
#define RW_WAITING	(1U << 30)

static bool read_try(struct rwlock *l)
{
	u32 old = READ_ONCE(l->word);

	return !(old & (RW_WRITER | RW_WAITING)) &&
	       cmpxchg(&l->word, old, old + 1) == old;
}

/* Shared.  Not recursive: a writer that waits in between would block both. */
void read_lock(struct rwlock *l)
{
	order_check(l->order, l);
	while (unlikely(!read_try(l))) {
		cpu_poll();
		cpu_relax();
	}
	order_push(l->order, l);
}

void read_unlock(struct rwlock *l)
{
	order_pop(l->order, l);
	atomic_sub(&l->word, 1U);
}

/* Takes it if free; otherwise notes that a writer waits, to hold up readers. */
static bool write_try(struct rwlock *l)
{
	u32 old = READ_ONCE(l->word);

	if (!(old & ~RW_WAITING))
		return cmpxchg(&l->word, old, RW_WRITER) == old;
	if (!(old & RW_WAITING))
		atomic_or(&l->word, RW_WAITING);
	return false;
}

/* Exclusive. */
void write_lock(struct rwlock *l)
{
	order_check(l->order, l);
	while (unlikely(!write_try(l))) {
		cpu_poll();
		cpu_relax();
	}
	order_push(l->order, l);
}

void write_unlock(struct rwlock *l)
{
	order_pop(l->order, l);
	atomic_and(&l->word, ~RW_WRITER);
}
