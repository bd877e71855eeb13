/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one scheduling policy: proportional share by weight, with caps.
 *
 * Each vCPU has a virtual time that advances, while it runs, at a rate
 * inverse to its weight; a domain's weight is divided among those of its
 * vCPUs that want to run.  A CPU runs the vCPU of the smallest virtual time
 * among its own; so whoever got less than his share goes first.  Virtual
 * times of different CPUs are comparable after adding rq->offset: a CPU whose
 * own candidates are all clearly ahead of one that waits elsewhere takes that
 * one over, and shares come out right across CPUs, too.
 *
 * Invariant: the queue is ordered by vtime, a queued vCPU is runnable, may run
 * on this CPU and does not use up its domain's cap as far as was known when
 * it was queued; rq->min_vtime never falls.
 *
 * Who sleeps does not save up: on waking he is at most half a slice behind
 * his queue, enough to preempt whoever runs (after the rate limit, which
 * bounds the rate of switches).
 *
 * Pinned vCPUs let the queues' clocks drift apart without end.  That is no
 * debt of anybody's: beyond DRIFT, a vCPU that moves only keeps its lead or
 * lag within its queue, and a CPU that stands behind moves its offset up.
 *
 * A cap is a budget per window of 30 ms; overdraft counts against the next
 * window.  A domain without budget has its vCPUs parked: runnable, in no
 * queue, until its refill timer fires.
 *
 * All time is measured, not sampled by a tick: a guest gains nothing by
 * sleeping at the right moment.  Weights are bounded, so the sums here fit 64
 * bits for years of CPU time and are compared modulo 2^64.
 *
 * Lock: the run queue's.  Budget and count of active vCPUs are atomics.
 */
#include <sched/runq.h>

#define WEIGHT_DEFAULT	256
#define CAP_WINDOW	(30 * NS_PER_MS)
#define SLICE_MIN	(NS_PER_MS / 10)
#define DRIFT		(s64)(8 * credit_slice_ns)

u64 credit_slice_ns = 30 * NS_PER_MS;
u64 credit_ratelimit_ns = NS_PER_MS;

static bool before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

static u32 active_vcpus(const struct domain *d)
{
	return max(READ_ONCE(d->sched.active), 1U);
}

/* Virtual time of running for ns. */
static u64 to_vtime(const struct vcpu *v, u64 ns)
{
	const struct domain *d = v->domain;

	return ns * (WEIGHT_DEFAULT * active_vcpus(d)) /
	       READ_ONCE(d->sched.weight);
}

/* How long v may run at a time: less if it has little weight. */
static u64 weighted_slice(const struct vcpu *v)
{
	const struct domain *d = v->domain;
	u64 ns = credit_slice_ns * READ_ONCE(d->sched.weight) /
		 (WEIGHT_DEFAULT * active_vcpus(d));
	u64 shortest = max(credit_ratelimit_ns, NS_PER_MS);

	if (ns < shortest)
		ns = shortest;
	return min(ns, credit_slice_ns);
}

/* The same, cut to v's part of what its domain may still use. */
static u64 slice_of(const struct vcpu *v)
{
	const struct domain *d = v->domain;
	u64 ns = weighted_slice(v);
	s64 left;

	if (likely(!READ_ONCE(d->sched.cap)))
		return ns;
	left = READ_ONCE(d->sched.budget) / (s64)active_vcpus(d);
	return left < (s64)SLICE_MIN ? SLICE_MIN : min(ns, (u64)left);
}

static void advance_min(struct runq *rq)
{
	u64 lowest;

	if (rq->head && (rq->curr == rq->idle ||
			 before(rq->head->sched.vtime, rq->curr->sched.vtime)))
		lowest = rq->head->sched.vtime;
	else if (rq->curr != rq->idle)
		lowest = rq->curr->sched.vtime;
	else
		return;
	if (before(rq->min_vtime, lowest))
		rq->min_vtime = lowest;
}

/* Charges v, rq's current, for the time since it was last charged. */
void credit_charge(struct runq *rq, struct vcpu *v, u64 now)
{
	u64 ran = now - v->sched.last_start;

	if ((s64)ran <= 0)
		return;
	v->sched.last_start = now;
	v->sched.vtime += to_vtime(v, ran);
	if (v->domain->sched.cap)
		atomic_sub(&v->domain->sched.budget, (s64)ran);
	advance_min(rq);
}

/* --- caps ---------------------------------------------------------------- */

static s64 window_budget(const struct domain *d)
{
	return (s64)(READ_ONCE(d->sched.cap) * CAP_WINDOW / 100);
}

/* Adds the budget of the windows that have begun since; one CPU wins. */
static void refill(struct domain *d, u64 now)
{
	u64 end = READ_ONCE(d->sched.window_end), windows;
	s64 amount = window_budget(d), room;

	if (now < end)
		return;
	windows = (now - end) / CAP_WINDOW + 1;
	if (cmpxchg(&d->sched.window_end, end,
		    end + windows * CAP_WINDOW) != end)
		return;
	amount *= (s64)min(windows, 1000UL);
	room = window_budget(d) - READ_ONCE(d->sched.budget);
	if (room > 0)
		atomic_add(&d->sched.budget, room < amount ? room : amount);
}

/* Is the domain within its cap?  Any CPU, no lock. */
bool credit_may_run(struct domain *d, u64 now)
{
	if (likely(!READ_ONCE(d->sched.cap)))
		return true;
	refill(d, now);
	return READ_ONCE(d->sched.budget) > 0;
}

/* Takes v, on no queue and not running, out of the race until its domain has
 * budget again. */
void credit_park(struct vcpu *v, unsigned int cpu)
{
	struct domain *d = v->domain;
	s64 amount = max(window_budget(d), (s64)1);
	s64 debt = -min(READ_ONCE(d->sched.budget), (s64)0);

	v->sched.parked = true;
	timer_set(&d->sched.refill, cpu, READ_ONCE(d->sched.window_end) +
		  (u64)(debt / amount) * CAP_WINDOW);
}

/* --- the queue ------------------------------------------------------------ */

/*
 * v becomes runnable on rq or moves there: brings its vtime within reach of
 * the queue's.  The upper bound is more than the slice that v may legally be
 * ahead, so it forgives no debt made on this queue.
 */
void credit_place(struct runq *rq, struct vcpu *v, bool woken)
{
	u64 back = woken ? credit_slice_ns / 2 : 8 * credit_slice_ns;
	u64 lo = rq->min_vtime - back;
	u64 hi = rq->min_vtime + 2 * to_vtime(v, weighted_slice(v));

	if (before(v->sched.vtime, lo))
		v->sched.vtime = lo;
	else if (before(hi, v->sched.vtime))
		v->sched.vtime = hi;
}

/* Queues v in order, behind its equals. */
void credit_insert(struct runq *rq, struct vcpu *v)
{
	struct vcpu *after = rq->tail, *next;

	if (rq->head && before(v->sched.vtime, rq->head->sched.vtime))
		after = NULL;
	while (after && before(v->sched.vtime, after->sched.vtime))
		after = after->sched.prev;
	next = after ? after->sched.next : rq->head;
	v->sched.prev = after;
	v->sched.next = next;
	*(after ? &after->sched.next : &rq->head) = v;
	*(next ? &next->sched.prev : &rq->tail) = v;
	v->sched.on_queue = true;
	WRITE_ONCE(rq->nr, rq->nr + 1);
	if (rq->nr == 1)
		atomic_or(&busy_cpus, cpu_bit(rq->cpu));
}

/* Takes v off its queue. */
void credit_remove(struct runq *rq, struct vcpu *v)
{
	struct vcpu *prev = v->sched.prev, *next = v->sched.next;

	*(prev ? &prev->sched.next : &rq->head) = next;
	*(next ? &next->sched.prev : &rq->tail) = prev;
	v->sched.prev = v->sched.next = NULL;
	v->sched.on_queue = false;
	WRITE_ONCE(rq->nr, rq->nr - 1);
	if (!rq->nr)
		atomic_and(&busy_cpus, ~cpu_bit(rq->cpu));
}

/* How far queue a's clock is ahead of b's. */
static s64 drift(const struct runq *a, const struct runq *b)
{
	return (s64)(a->offset + a->min_vtime - b->offset - b->min_vtime);
}

/* v, not queued, leaves `from` (locked) for `to`: its vtime there. */
void credit_move(const struct runq *from, const struct runq *to,
		 struct vcpu *v)
{
	s64 ahead = drift(from, to);

	v->sched.vtime += from->offset - to->offset;
	if (ahead > DRIFT || ahead < -DRIFT)
		v->sched.vtime -= (u64)ahead;
}

/* This CPU's queue meets another one (locked): does not stand far behind. */
void credit_sync(struct runq *rq, const struct runq *other)
{
	s64 behind = drift(other, rq);

	if (behind > DRIFT)
		rq->offset += (u64)(behind - DRIFT);
}

/* --- decisions ----------------------------------------------------------- */

/*
 * Who runs next: prev (NULL if it cannot go on), the first in the queue, or
 * NULL for nobody.  Parks the first ones whose cap is used up.
 */
struct vcpu *credit_pick(struct runq *rq, struct vcpu *prev, u64 now)
{
	bool yielding = rq->yielding;
	struct vcpu *head;

	rq->yielding = false;
	while ((head = rq->head) && !credit_may_run(head->domain, now)) {
		credit_remove(rq, head);
		credit_park(head, rq->cpu);
	}
	if (!prev || !head)
		return prev ? prev : head;
	if (yielding)
		return head;
	if (now < prev->sched.slice_start + credit_ratelimit_ns)
		return prev;
	if (now < prev->sched.slice_end)
		return before(head->sched.vtime + credit_ratelimit_ns,
			      prev->sched.vtime) ? head : prev;
	return before(head->sched.vtime, prev->sched.vtime) ? head : prev;
}

/* v was picked now, or picked again when its slice was over. */
void credit_start_slice(struct vcpu *v, u64 now)
{
	v->sched.slice_start = now;
	v->sched.slice_end = now + slice_of(v);
}

/*
 * When the choice of `next` must be looked at again: at the end of its slice,
 * or of the rate limit if it only runs because of that or of a yield.
 */
u64 credit_deadline(const struct runq *rq, const struct vcpu *next)
{
	u64 end = next->sched.slice_end;
	u64 grace = max(credit_ratelimit_ns, SLICE_MIN);

	if (rq->head && before(rq->head->sched.vtime + credit_ratelimit_ns,
			       next->sched.vtime))
		end = min(end, next->sched.slice_start + grace);
	return end;
}

/* Should v, just queued, replace rq's current? */
bool credit_preempts(const struct runq *rq, const struct vcpu *v, u64 now)
{
	const struct vcpu *curr = rq->curr;
	s64 ran = (s64)(now - curr->sched.last_start);

	if (curr == rq->idle)
		return true;
	return before(v->sched.vtime + credit_ratelimit_ns,
		      curr->sched.vtime + to_vtime(curr, ran > 0 ? ran : 0));
}

/* The first CPU of a non-empty mask, counted from `from` on and around. */
static unsigned int next_cpu(cpumask_t mask, unsigned int from)
{
	cpumask_t above = mask & ~(cpu_bit(from) - 1);

	return ffs64(above ? above : mask);
}

/*
 * Where v should wait or run: where it was if that is idle, else somewhere
 * idle (rather within its soft affinity), else where it was, or the shortest
 * queue if it may not run there any more.
 */
unsigned int credit_choose_cpu(const struct vcpu *v)
{
	cpumask_t allowed = READ_ONCE(v->sched.affinity) & cpus_online;
	cpumask_t idle = READ_ONCE(idle_cpus) & allowed;
	cpumask_t soft = idle & READ_ONCE(v->sched.soft_affinity);
	unsigned int last = v->sched.cpu, best, c;

	if (soft)
		idle = soft;
	if (idle)
		return next_cpu(idle, last);
	if (!allowed || allowed & cpu_bit(last))
		return last;
	best = next_cpu(allowed, last);
	for_each_cpu(c, allowed)
		if (READ_ONCE(runqs[c].nr) < READ_ONCE(runqs[best].nr))
			best = c;
	return best;
}

/*
 * May `to` take over v, which waits on `from` (locked)?  If it has nothing to
 * run (best NULL) at once, otherwise if v is clearly behind *best.
 */
bool credit_may_steal(const struct runq *from, const struct vcpu *v,
		      const struct runq *to, const u64 *best)
{
	if (load_acquire(&v->sched.running) || !may_run_on(v, to->cpu))
		return false;
	return !best || before(from->offset + v->sched.vtime +
			       credit_slice_ns / 2, to->offset + *best);
}

/* --- parameters ---------------------------------------------------------- */

/*
 * Weight 0 and cap ~0 keep what was.  The change counts from the next charge
 * on; a new cap starts with a full budget.
 */
void credit_adjust_domain(struct domain *d, u16 weight, u16 cap)
{
	if (weight)
		WRITE_ONCE(d->sched.weight, weight);
	if (cap == (u16)~0)
		return;
	WRITE_ONCE(d->sched.cap, cap);
	WRITE_ONCE(d->sched.window_end, clock_ns() + CAP_WINDOW);
	WRITE_ONCE(d->sched.budget, window_budget(d));
	/* Those parked under the old cap are looked at right away. */
	timer_set(&d->sched.refill, smp_processor_id(), clock_ns());
}

/* Slice 1 ms to 1 s; rate limit none, or 100 us up to the slice or 0.5 s. */
bool credit_set_slices(u64 slice_ms, u64 ratelimit_us)
{
	if (slice_ms < 1 || slice_ms > 1000 || ratelimit_us > 500000 ||
	    (ratelimit_us && ratelimit_us < 100) ||
	    ratelimit_us > slice_ms * 1000)
		return false;
	WRITE_ONCE(credit_slice_ns, slice_ms * NS_PER_MS);
	WRITE_ONCE(credit_ratelimit_ns, ratelimit_us * 1000);
	return true;
}

/* Boot: sched_credit_tslice_ms= and sched_ratelimit_us=. */
void credit_init(void)
{
	if (!credit_set_slices(cmdline_u64("sched_credit_tslice_ms", 30),
			       cmdline_u64("sched_ratelimit_us", 1000)))
		log_warn("sched: slice or rate limit out of range\n");
}
