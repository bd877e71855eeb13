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
 * Lock: one per CPU (LOCK_TIMER, inside LOCK_SCHED).  A timer belongs to the
 * heap of t->cpu, which changes only under the lock of the old heap.  No lock
 * is held while a timer's function runs.
 *
 * A guest can arm three timers per vCPU and two per domain, and may set them
 * to any time at any rate; a deadline in the past runs once, after which the
 * guest had its turn, so it only burns its own time.
 */
#include <sched/sched.h>

static struct timer_queue {
	struct spinlock lock;
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

static struct timer_queue *lock_queue_of(struct timer *t)
{
	struct timer_queue *q;

	for (;;) {
		q = &queues[READ_ONCE(t->cpu)];
		spin_lock(&q->lock);
		if (q == &queues[READ_ONCE(t->cpu)])
			return q;
		spin_unlock(&q->lock);
	}
}

/*
 * Tells the hardware about a new root; q is locked.  An alarm on another CPU
 * that comes too early may stay, for one too late that CPU is kicked.
 */
static void program_and_unlock(struct timer_queue *q)
{
	u64 want = q->root ? q->root->expires : NEVER;
	unsigned int cpu = (unsigned int)(q - queues);
	bool kick = cpu != smp_processor_id() && want < q->programmed;

	if (cpu == smp_processor_id() && !q->running && want != q->programmed) {
		q->programmed = want;
		apic_set_deadline(want);
	}
	spin_unlock(&q->lock);
	if (kick) {
		cpu_set_work(cpu, WORK_TIMER);
		apic_send_ipi(cpu, VEC_KICK);
	}
}

/* Prepares a timer that is not armed.  fn(arg) will run from exit_work(). */
void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	*t = (struct timer){
		.expires = NEVER, .fn = fn, .arg = arg,
		.cpu = smp_processor_id(),
	};
}

/*
 * Arms t, or moves it if it was armed, to run at `expires` on `cpu`; NEVER
 * disarms.  A time in the past runs at the next occasion.  Takes LOCK_TIMER
 * only, so it may be called under a run queue's lock.
 */
void timer_set(struct timer *t, unsigned int cpu, u64 expires)
{
	struct timer_queue *q = lock_queue_of(t);

	heap_remove(t);
	if (t->cpu != cpu) {
		WRITE_ONCE(t->cpu, (u16)cpu);
		program_and_unlock(q);
		q = lock_queue_of(t);
		heap_remove(t);	/* somebody else was faster: last one wins */
	}
	if (expires != NEVER) {
		t->expires = expires;
		t->left = t->right = NULL;
		meld(&q->root, q->root, t);
	}
	program_and_unlock(q);
}

/*
 * Disarms t and waits until its function does not run on any CPU but, when
 * called from that function, this one.  The caller holds no lock that the
 * function takes.
 */
void timer_stop(struct timer *t)
{
	struct timer_queue *q = lock_queue_of(t);

	heap_remove(t);
	while (t->busy && queues[smp_processor_id()].running != t) {
		spin_unlock(&q->lock);
		cpu_poll();
		q = lock_queue_of(t);
		heap_remove(t);		/* it may have rearmed itself */
	}
	program_and_unlock(q);
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

	spin_lock(&q->lock);
	q->programmed = NEVER;
	while ((t = q->root) != NULL && t->expires <= now) {
		heap_remove(t);
		t->busy = true;
		q->running = t;
		spin_unlock(&q->lock);
		t->fn(t->arg);
		/* Last access: timer_stop()'s caller may now free it. */
		store_release(&t->busy, false);
		spin_lock(&q->lock);
	}
	q->running = NULL;
	program_and_unlock(q);
}

/* Prepares the heap of a CPU; before anything is armed there. */
void timer_init_cpu(unsigned int cpu)
{
	spin_lock_init(&queues[cpu].lock, LOCK_TIMER);
	queues[cpu].programmed = NEVER;
}
