/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deadlines.
 *
 * Each CPU has a heap of timers ordered by expiry; its local APIC is set to
 * the earliest.  Invariant: while a CPU is not inside timer_run_this(), the
 * hardware is programmed for the root of its heap, or WORK_TIMER is pending
 * there.
 *
 * The heap is a pairing heap whose links lie in the timers themselves: arming
 * never allocates and so never fails, insertion is O(1), removal O(log n)
 * amortised.  A node's `child` is its first child, `next` its right sibling,
 * `prev` its left sibling or, for a first child, its parent.
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

struct timer_queue {
	struct spinlock lock;
	struct timer *root;
	bool draining;		/* timer_run_this() programs when it is done */
	struct timer *running;	/* whose fn runs on this CPU */
	u64 programmed;		/* what the hardware was told */
} __aligned(64);

static struct timer_queue queues[NR_CPUS];

static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *t;

	if (!a || !b)
		return a ? a : b;
	if (b->expires < a->expires) {
		t = a;
		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* Melds a list of siblings: in pairs left to right, then right to left. */
static struct timer *merge_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *a, *b, *root = NULL;

	while (first) {
		a = first;
		b = a->next;
		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		a = pairs;
		pairs = a->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

static void heap_insert(struct timer_queue *q, struct timer *t, u64 expires)
{
	t->expires = expires;
	t->child = t->next = t->prev = NULL;
	t->armed = true;
	q->root = meld(q->root, t);
}

static void heap_remove(struct timer_queue *q, struct timer *t)
{
	struct timer *children = merge_siblings(t->child);

	if (t == q->root) {
		q->root = children;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		q->root = meld(q->root, children);
	}
	t->child = t->next = t->prev = NULL;
	t->armed = false;
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

/* Tells this CPU's hardware about a new root; the queue is locked. */
static void program(struct timer_queue *q)
{
	u64 want = q->root ? q->root->expires : NEVER;

	if (q->draining || want == q->programmed)
		return;
	q->programmed = want;
	apic_set_deadline(want);
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
	unsigned int self = smp_processor_id();
	bool kick = false;

	if (t->armed) {
		heap_remove(q, t);
		if (q == &queues[self] && t->cpu != cpu)
			program(q);
	}
	if (t->cpu != cpu) {
		WRITE_ONCE(t->cpu, (u16)cpu);
		spin_unlock(&q->lock);
		q = lock_queue_of(t);
		cpu = t->cpu;
		if (t->armed)	/* somebody else was faster: last one wins */
			heap_remove(q, t);
	}
	if (expires != NEVER)
		heap_insert(q, t, expires);
	if (cpu == self)
		program(q);
	else
		kick = q->root == t && expires < q->programmed;
	spin_unlock(&q->lock);
	if (kick) {
		cpu_set_work(cpu, WORK_TIMER);
		apic_send_ipi(cpu, VEC_KICK);
	}
}

/*
 * Disarms t and waits until its function does not run on any CPU but, when
 * called from that function, this one.  The caller holds no lock that the
 * function takes.
 */
void timer_stop(struct timer *t)
{
	unsigned int self = smp_processor_id();
	struct timer_queue *q;
	bool busy;

	do {
		q = lock_queue_of(t);
		if (t->armed) {
			heap_remove(q, t);
			if (q == &queues[self])
				program(q);
		}
		busy = t->busy && queues[self].running != t;
		spin_unlock(&q->lock);
		if (busy)
			cpu_poll();
	} while (busy);
}

/* Moves t to another CPU's heap if it is armed. */
void timer_migrate(struct timer *t, unsigned int cpu)
{
	u64 expires = READ_ONCE(t->expires);

	/* A timer that fires right now need not move. */
	if (expires != NEVER && READ_ONCE(t->cpu) != cpu)
		timer_set(t, cpu, expires);
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
	q->draining = true;
	q->programmed = NEVER;
	while ((t = q->root) != NULL && t->expires <= now) {
		heap_remove(q, t);
		t->busy = true;
		q->running = t;
		spin_unlock(&q->lock);
		t->fn(t->arg);
		q->running = NULL;
		/* Last access: timer_stop()'s caller may now free it. */
		store_release(&t->busy, false);
		spin_lock(&q->lock);
	}
	q->draining = false;
	program(q);
	spin_unlock(&q->lock);
}

/* Prepares the heap of a CPU; before anything is armed there. */
void timer_init_cpu(unsigned int cpu)
{
	spin_lock_init(&queues[cpu].lock, LOCK_TIMER);
	queues[cpu].programmed = NEVER;
}
