/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deadlines.
 *
 * Each CPU has a heap of timers ordered by expiry; its local APIC is set to
 * the earliest.  Invariant: while a CPU is not inside timer_run_this(), the
 * hardware is programmed for the root of its heap, or WORK_TIMER is pending
 * there.
 *
 * The heap is a skew heap whose links lie in the timers themselves: arming
 * never allocates and so never fails, and all it takes is one function that
 * melds two heaps, O(log n) amortised.  `link` is whatever points to a timer:
 * NULL when it is not armed.
 *
 * A timer is armed on the CPU that arms it.  Lock: timer_lock (LOCK_TIMER,
 * inside LOCK_SCHED) around all heaps; not held while a function runs.
 *
 * A guest can arm three timers per vCPU and two per domain, and may set them
 * to any time at any rate; a deadline in the past runs once, after which the
 * guest had its turn, so it only burns its own time.
 */
#include <sched/sched.h>

static struct spinlock timer_lock = SPINLOCK(LOCK_TIMER);

static struct timer_queue {
	struct timer *root;
	struct timer *running;	/* whose fn runs on this CPU, or ran last,
				 * until timer_run_this() programs the rest */
	u64 programmed;		/* what the hardware was told */
} __aligned(64) queues[NR_CPUS];

static void set_link(struct timer **link, struct timer *t)
{
	*link = t;
	if (t)
		t->link = link;
}

/* Melds two heaps into *link: the right spines, children swapped on the way. */
static void meld(struct timer **link, struct timer *a, struct timer *b)
{
	struct timer *t;

	while (a && b) {
		if (b->expires < a->expires) {
			t = a;
			a = b;
			b = t;
		}
		set_link(link, a);
		t = a->right;
		set_link(&a->right, a->left);
		link = &a->left;
		a = t;
	}
	set_link(link, a ? a : b);
}

static void heap_remove(struct timer *t)
{
	if (!t->link)
		return;
	meld(t->link, t->left, t->right);
	t->link = NULL;
	t->expires = NEVER;
}

/* Tells this CPU's hardware about a new root. */
static void program(struct timer_queue *q)
{
	u64 want = q->root ? q->root->expires : NEVER;

	if (q->running || want == q->programmed)
		return;
	q->programmed = want;
	apic_set_deadline(want);
}

/* Prepares a timer that is not armed.  fn(arg) will run from exit_work(). */
void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	*t = (struct timer){ .expires = NEVER, .fn = fn, .arg = arg };
}

/*
 * Arms t, or moves it if it was armed, to run at `expires` on this CPU; NEVER
 * disarms.  A time in the past runs at the next occasion.  Where it was armed
 * before, the alarm may stay: nothing is due then.  Takes LOCK_TIMER only, so
 * it may be called under sched_lock.
 */
void timer_set(struct timer *t, u64 expires)
{
	struct timer_queue *q = &queues[smp_processor_id()];

	spin_lock(&timer_lock);
	heap_remove(t);
	t->cpu = (u16)smp_processor_id();
	if (expires != NEVER) {
		t->expires = expires;
		t->left = t->right = NULL;
		meld(&q->root, q->root, t);
	}
	program(q);
	spin_unlock(&timer_lock);
}

/*
 * Disarms t and waits until its function does not run on any CPU but, when
 * called from that function, this one.  The caller holds no lock that the
 * function takes.
 */
void timer_stop(struct timer *t)
{
	spin_lock(&timer_lock);
	heap_remove(t);
	while (t->busy && queues[smp_processor_id()].running != t) {
		spin_unlock(&timer_lock);
		cpu_poll();
		spin_lock(&timer_lock);
		heap_remove(t);
	}
	spin_unlock(&timer_lock);
}

/*
 * WORK_TIMER: runs this CPU's due timers, then programs the next deadline.
 * Called from exit_work() without locks.  It ends because no function rearms
 * its timer for a time before `now`.
 */
void timer_run_this(void)
{
	struct timer_queue *q = &queues[smp_processor_id()];
	u64 now = clock_ns();
	struct timer *t;

	spin_lock(&timer_lock);
	q->programmed = NEVER;
	while ((t = q->root) != NULL && t->expires <= now) {
		heap_remove(t);
		t->busy = true;
		q->running = t;
		spin_unlock(&timer_lock);
		t->fn(t->arg);
		/* Last access: timer_stop()'s caller may now free it. */
		store_release(&t->busy, false);
		spin_lock(&timer_lock);
	}
	q->running = NULL;
	program(q);
	spin_unlock(&timer_lock);
}
