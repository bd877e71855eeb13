/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who runs where: a list per CPU of those who wait, with balancing;
 * proportional share by weight; caps.
 *
 * Each vCPU has a virtual time that advances, while it runs, at a rate
 * inverse to its weight; a domain's weight is divided among those of its
 * vCPUs that want to run.  A CPU that chooses takes the smallest virtual time
 * in its list; so whoever got less than his share goes first.  Each CPU has a
 * clock, the virtual time where those stand who run on it; times of different
 * CPUs compare after adding p->offset.  Balancing: who wakes up goes to an
 * idle CPU if he may; and a CPU takes over who waits in another's list when he
 * is half a slice behind those in its own, or when it would idle.  Caches are
 * worth that much.
 *
 * Invariant: a vCPU runs on one CPU at most.  `running` is set under the lock
 * when a CPU picks it, and cleared only when that CPU has switched away; who
 * is `running` but no longer curr may be in that CPU's list, but another CPU
 * does not take it before that.  A guest vCPU v is some CPU's curr, or in the
 * list of v->sched.cpu, or not runnable; no CPU idles while somebody in a list
 * may run there.
 *
 * Who sleeps does not save up: on waking he is at most half a slice behind
 * the others on his CPU, enough to preempt whoever runs (after the rate
 * limit, which bounds the rate of switches).  That is granted once to all of
 * a domain who wake there, not to each.
 *
 * Pinned vCPUs let the CPUs' clocks drift apart without end.  That is no debt
 * of anybody's: beyond DRIFT, a vCPU that moves only keeps its lead or lag on
 * its CPU, and a CPU that stands behind moves its offset up.
 *
 * A cap is a budget per window of 30 ms; overdraft counts against the next
 * window.  Who waits and has no budget is passed over until a timer begins
 * the next window.  All time is measured, not sampled by a tick: a guest
 * gains nothing by sleeping at the right moment.  Weights are bounded, so the
 * sums fit 64 bits for years of CPU time and are compared modulo 2^64.
 *
 * A vCPU has no stack of its own in ring 0, so a switch just changes current.
 * Its FPU, selectors and cr3 may stay loaded behind the idle vCPU's back;
 * context_switch() fetches them home when it runs elsewhere.
 *
 * No wake-up is lost: whoever makes a vCPU runnable changes pause_flags or a
 * count first and calls vcpu_wake() afterwards; whoever puts one to sleep
 * sets them first and calls vcpu_sleep(); both look at the result under the
 * lock.
 *
 * Lock: sched_lock, one for all lists, around everything here and in v->sched
 * and d->sched; not held across a context switch.  Timers may be set under it.
 * It is held for a choice, never for a wait, which is good enough for the few
 * CPUs of today's tests; a lock per list would be the next step.
 *
 * A guest can call in here at any rate (yield, block, event storms between
 * its vCPUs).  Waking is O(1); a choice looks once at each vCPU that waits;
 * with nobody waiting, a yield does not even take the lock.
 */
#include <domain/domain.h>

#define WEIGHT_DEFAULT	256
#define CAP_WINDOW	(30 * NS_PER_MS)
#define SLICE_MIN	(s64)(NS_PER_MS / 10)
#define DRIFT		(s64)(8 * slice_ns)

static struct pcpu {
	struct vcpu *curr;	/* who was picked last; the idle vCPU too */
	struct vcpu *idle;
	struct vcpu *waiting;	/* its list, newest first */
	u64 min_vtime;		/* never falls: where this CPU stands */
	u64 offset;		/* of its virtual times against other CPUs' */
	bool yielding;		/* curr asked for others to go first */
	bool contested;		/* curr runs though somebody is due more */
	struct timer slice_timer;
} __aligned(64) pcpus[NR_CPUS];

static struct spinlock sched_lock = SPINLOCK(LOCK_SCHED);
static u32 nr_waiting;		/* in all lists; others may read it for a hint */
static u64 idle_cpus;		/* they run their idle vCPU: a hint, too */
static u64 slice_ns = 30 * NS_PER_MS, ratelimit_ns = NS_PER_MS;

static bool may_run_on(const struct vcpu *v, unsigned int cpu)
{
	return READ_ONCE(v->sched.affinity) >> cpu & 1;
}

static bool before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/* --- accounting ----------------------------------------------------------- */

/* Its domain's weight is divided among those who run or want to.  Where one
 * falls asleep the next may go on: see place(). */
static void runstate_set(struct vcpu *v, u8 state, u64 now)
{
	struct vcpu_runstate_info *rs = &v->sched.rs;
	u64 *slept = &v->domain->sched.slept[v->sched.cpu];
	/* Who gives up waiting keeps no lead. */
	u64 at = v->sched.vtime +
		 (rs->state == RUNSTATE_runnable ? slice_ns / 2 : 0);

	/* One that is far ahead is so old that it only seems to be. */
	if (state > RUNSTATE_runnable &&
	    (before(*slept, at) || before(at + (1UL << 48), *slept)))
		*slept = at;
	/* Clocks of two CPUs may differ by some cycles. */
	now = max(now, rs->state_entry_time);
	rs->time[rs->state] += now - rs->state_entry_time;
	rs->state_entry_time = now;
	v->domain->sched.active += (state <= RUNSTATE_runnable) -
				   (rs->state <= RUNSTATE_runnable);
	rs->state = state;
}

static u8 sleeping_state(const struct vcpu *v)
{
	return READ_ONCE(v->pause_flags) & VPF_BLOCKED ? RUNSTATE_blocked
						       : RUNSTATE_offline;
}

/* State and times of any vCPU, now. */
void vcpu_runstate(const struct vcpu *v, struct vcpu_runstate_info *out)
{
	u64 now;

	spin_lock(&sched_lock);
	*out = v->sched.rs;
	spin_unlock(&sched_lock);
	now = max(clock_ns(), out->state_entry_time);
	out->time[out->state] += now - out->state_entry_time;
}

/* Nanoseconds that v has run so far. */
u64 vcpu_cpu_time(const struct vcpu *v)
{
	struct vcpu_runstate_info info;

	vcpu_runstate(v, &info);
	return info.time[RUNSTATE_running];
}

/*
 * Writes v's registered runstate area, through the page tables now loaded.
 * The times are those at the last change of state, as the ABI has it.  A
 * fault is the guest's loss: it registered the address.
 */
void vcpu_runstate_publish(struct vcpu *v)
{
	struct vcpu_runstate_info info = v->sched.rs;
	u64 gva = v->sched.runstate_gva, entry = info.state_entry_time;
	u64 at = gva + offsetof(struct vcpu_runstate_info, state_entry_time);
	bool flag = v->domain->vm_assist >> VMASST_TYPE_runstate_update_flag &
		    1;

	if (!gva)
		return;
	if (flag)
		info.state_entry_time |= XEN_RUNSTATE_UPDATE;
	if (flag && copy_to_guest(at, &info.state_entry_time, sizeof(u64)))
		return;
	smp_wmb();
	if (copy_to_guest(gva, &info, sizeof(info)) || !flag)
		return;
	smp_wmb();
	if (copy_to_guest(at, &entry, sizeof(u64)))
		return;
}

/* --- shares --------------------------------------------------------------- */

/* Virtual time of running for ns.  v wants to run, so `active` is not 0. */
static u64 to_vtime(const struct vcpu *v, u64 ns)
{
	const struct domain_sched *d = &v->domain->sched;

	return ns * (WEIGHT_DEFAULT * d->active) / d->weight;
}

/* How long v may run at a time: less if it has little weight. */
static u64 slice_of(const struct vcpu *v)
{
	const struct domain_sched *d = &v->domain->sched;
	u64 ns = slice_ns * d->weight / (WEIGHT_DEFAULT * d->active);

	return min(max(ns, NS_PER_MS), slice_ns);
}

/*
 * Is the domain within its cap?  Adds the budget of the windows that have
 * begun since it was asked last; sees to being asked again when it says no.
 */
static bool within_cap(struct domain *d, u64 now)
{
	s64 amount = (s64)(d->sched.cap * CAP_WINDOW / 100);
	u64 windows;

	if (likely(!d->sched.cap))
		return true;
	if (now >= d->sched.window_end) {
		windows = (now - d->sched.window_end) / CAP_WINDOW + 1;
		d->sched.window_end += windows * CAP_WINDOW;
		d->sched.budget += amount * (s64)min(windows, 1000UL);
		d->sched.budget = min(d->sched.budget, amount);
	}
	if (d->sched.budget <= 0 && d->sched.refill.expires == NEVER)
		timer_set(&d->sched.refill, d->sched.window_end);
	return d->sched.budget > 0;
}

/* How far a's clock is ahead of b's. */
static s64 drift(const struct pcpu *a, const struct pcpu *b)
{
	return (s64)(a->offset + a->min_vtime - b->offset - b->min_vtime);
}

/* The atomic orders it before the look at v's `running`: see spread(). */
static void enqueue(struct vcpu *v)
{
	struct pcpu *p = &pcpus[v->sched.cpu];

	v->sched.on_queue = true;
	v->sched.next = p->waiting;
	p->waiting = v;
	atomic_add(&nr_waiting, 1);
}

static void dequeue(struct vcpu *v)
{
	struct vcpu **p = &pcpus[v->sched.cpu].waiting;

	while (*p != v)
		p = &(*p)->sched.next;
	*p = v->sched.next;
	v->sched.on_queue = false;
	WRITE_ONCE(nr_waiting, nr_waiting - 1);
}

/*
 * v, who waits, shall run on p: its virtual time there, within reach of the
 * others'.  The upper bound is more than the slice that v may legally be
 * ahead, so it forgives no debt made on this CPU.  One that wakes up does not
 * start before those of its domain have come: or they would take turns, each
 * with a lead of its own, and nobody else would run.  If in a list, it goes to
 * p's; nr_waiting misses it for a moment, and then seek_cpu() asks p.
 */
static void place(struct vcpu *v, struct pcpu *p, bool woken)
{
	struct pcpu *from = &pcpus[v->sched.cpu];
	bool moves = v->sched.on_queue && from != p;
	s64 ahead = drift(from, p);
	u64 lo = p->min_vtime - (woken ? slice_ns / 2 : 8 * slice_ns);
	u64 hi = p->min_vtime + 2 * to_vtime(v, slice_of(v));
	u64 slept = v->domain->sched.slept[p - pcpus];

	if (woken && before(lo, slept))
		lo = slept;
	if (moves)
		dequeue(v);
	v->sched.vtime += from->offset - p->offset;
	if (ahead > DRIFT || ahead < -DRIFT)
		v->sched.vtime -= (u64)ahead;
	if (before(v->sched.vtime, lo))
		v->sched.vtime = lo;
	if (before(hi, v->sched.vtime))
		v->sched.vtime = hi;
	WRITE_ONCE(v->sched.cpu, (u32)(p - pcpus));
	if (moves)
		enqueue(v);
}

/* --- waiting, waking, sleeping -------------------------------------------- */

/* Makes a CPU call schedule() soon. */
static void resched(unsigned int cpu)
{
	bool asked = atomic_or(&cpu_ptr(cpu)->work, WORK_SCHED) & WORK_SCHED;

	if (!asked && cpu != smp_processor_id())
		apic_send_ipi(cpu, VEC_KICK);
}

/*
 * v waits: it goes to an idle CPU, rather the one where it was or one of its
 * soft affinity; else stays where it was, or goes to the next that it may
 * use, and perhaps preempts whoever runs there.
 */
static void seek_cpu(struct vcpu *v, bool woken, u64 now)
{
	cpumask_t mask = v->sched.affinity & cpus_online;
	unsigned int cpu = v->sched.cpu;
	const struct vcpu *curr;
	u64 ran;

	/* Its old CPU is not done with it: only that one may take it now. */
	if (load_acquire(&v->sched.running))
		mask &= 1UL << cpu;
	if (!mask || !within_cap(v->domain, now))
		return;
	if (mask & idle_cpus)
		mask &= idle_cpus;
	if (mask & idle_cpus & v->sched.soft_affinity)
		mask &= v->sched.soft_affinity;
	cpu = ffs64(mask >> cpu ? mask & ~((1UL << cpu) - 1) : mask);
	place(v, &pcpus[cpu], woken);
	curr = pcpus[cpu].curr;
	ran = now > curr->sched.last_start ? now - curr->sched.last_start : 0;
	if (curr->is_idle || before(v->sched.vtime + ratelimit_ns,
				    curr->sched.vtime + to_vtime(curr, ran))) {
		idle_cpus &= ~(1UL << cpu);
		resched(cpu);
	}
}

/*
 * Makes v run as soon as it deserves to, unless something still holds it: a
 * pause, an event it waits for, or that it is down.  Any CPU.
 */
void vcpu_wake(struct vcpu *v)
{
	u64 now;

	spin_lock(&sched_lock);
	if (pcpus[v->sched.cpu].curr != v && !v->sched.on_queue &&
	    vcpu_runnable(v)) {
		now = clock_ns();
		runstate_set(v, RUNSTATE_runnable, now);
		enqueue(v);
		seek_cpu(v, true, now);
	}
	spin_unlock(&sched_lock);
}

/* v is not runnable any more, or shall not be: off the list or the CPU. */
void vcpu_sleep(struct vcpu *v)
{
	spin_lock(&sched_lock);
	if (!vcpu_runnable(v)) {
		if (v->sched.on_queue)
			dequeue(v);
		if (pcpus[v->sched.cpu].curr == v)
			resched(v->sched.cpu);
		else
			runstate_set(v, sleeping_state(v), clock_ns());
	}
	spin_unlock(&sched_lock);
}

/*
 * The same, and waits until v, which must not be current, does not run and
 * its whole context is in struct vcpu.  The caller has paused v and holds no
 * lock that a hypercall takes.
 */
void vcpu_sleep_sync(struct vcpu *v)
{
	vcpu_sleep(v);
	if (v == current)
		return;
	while (load_acquire(&v->sched.running))
		cpu_poll();
	context_sync(v);
}

static bool polls(const struct vcpu *v)
{
	return READ_ONCE(v->domain->sched.polling) >> v->id & 1;
}

/*
 * What v waited for has come.  The bit first: v may go on at any moment and
 * poll again, and if it is the bit of that poll which goes, so does its
 * VPF_BLOCKED.  A poll or block that returns early does no harm, nor does a
 * bit that stays.
 */
static void vcpu_unblock(struct vcpu *v)
{
	if (polls(v))
		atomic_and(&v->domain->sched.polling, ~(1UL << v->id));
	atomic_and(&v->pause_flags, ~VPF_BLOCKED);
	vcpu_wake(v);
}

/*
 * An event was made pending for v, or other work left in it: wakes it if it
 * waits for events; makes it enter ring 0 if it runs elsewhere.
 */
void vcpu_kick(struct vcpu *v)
{
	unsigned int cpu;

	smp_mb();	/* the event is visible before we look at the flags */
	cpu = READ_ONCE(v->sched.cpu);
	if (unlikely(READ_ONCE(v->work)) && READ_ONCE(v->sched.running))
		cpu_set_work(cpu, WORK_VCPU);
	if (READ_ONCE(v->pause_flags) & VPF_BLOCKED)
		vcpu_unblock(v);
	else if (READ_ONCE(v->sched.running) && cpu != smp_processor_id())
		apic_send_ipi(cpu, VEC_KICK);
}

/*
 * [event 30] A port became pending: vCPUs of d that poll it, or several ports,
 * go on.  They look themselves which one it was.
 */
void vcpu_poll_wake(struct domain *d, unsigned int port)
{
	unsigned int id;
	u32 wanted;

	for_each_cpu(id, READ_ONCE(d->sched.polling)) {
		wanted = READ_ONCE(d->vcpu[id]->poll_port);
		if (!wanted || wanted == port)
			vcpu_unblock(d->vcpu[id]);
	}
}

/*
 * The current vCPU unmasks events and waits for one.  The flag is set before
 * the last look, and whoever sends an event looks at the flag after it, so
 * one of the two notices.
 */
void vcpu_block_current(void)
{
	struct vcpu *v = current;

	WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 0);
	atomic_or(&v->pause_flags, VPF_BLOCKED);
	if (vcpu_event_pending(v) || READ_ONCE(v->work))
		atomic_and(&v->pause_flags, ~VPF_BLOCKED);
	else
		cpu_set_work(smp_processor_id(), WORK_SCHED);
}

/* The current vCPU lets others go first, if there are any. */
void vcpu_yield_current(void)
{
	unsigned int cpu = smp_processor_id();

	if (!READ_ONCE(nr_waiting))
		return;
	pcpus[cpu].yielding = true;
	cpu_set_work(cpu, WORK_SCHED);
}

/* --- the switch ---------------------------------------------------------- */

static void periodic_fired(void *arg)
{
	struct vcpu *v = arg;
	u64 period = READ_ONCE(v->timers.period_ns), now = clock_ns();

	if (!period || !READ_ONCE(v->sched.running))
		return;
	if (now >= v->timers.last_period + period) {
		v->timers.last_period = now;
		virq_raise_vcpu(v, VIRQ_TIMER);
	}
	timer_set(&v->timers.periodic, v->timers.last_period + period);
}

/*
 * Who runs next on p, taken off the list: prev (NULL if it cannot go on), the
 * one that is due most, NULL for nobody.  Among equals who waits longest.
 */
static struct vcpu *pick(struct pcpu *p, struct vcpu *prev, u64 now)
{
	u64 key, best_key = 0, prev_key = prev ? prev->sched.vtime : 0, low;
	struct vcpu *best = NULL, *v;
	unsigned int cpu, self = (unsigned int)(p - pcpus);
	bool yielding = p->yielding;
	struct pcpu *home;
	s64 ahead;

	p->yielding = p->contested = false;
	for_each_cpu(cpu, cpus_online) {
		home = &pcpus[cpu];
		ahead = drift(home, p);
		if (home->waiting && ahead > DRIFT)
			p->offset += (u64)(ahead - DRIFT);
		for (v = home->waiting; v; v = v->sched.next) {
			if (!may_run_on(v, self) ||
			    (cpu != self && load_acquire(&v->sched.running)) ||
			    !within_cap(v->domain, now))
				continue;
			key = v->sched.vtime;
			if (cpu != self)
				key += home->offset - p->offset + slice_ns / 2;
			if (!best || !before(best_key, key)) {
				best = v;
				best_key = key;
			}
		}
	}
	if (!prev && !best)
		return NULL;
	low = !best || (prev && before(prev_key, best_key)) ? prev_key
							    : best_key;
	if (before(p->min_vtime, low))
		p->min_vtime = low;
	if (best && prev) {
		if (now < prev->sched.slice_end)
			best_key += ratelimit_ns;
		if (!yielding && (!before(best_key, prev_key) || now <
				  prev->sched.slice_start + ratelimit_ns))
			best = NULL;
		p->contested = before(low + ratelimit_ns,
				      best ? best_key : prev_key);
	}
	if (!best)
		return prev;
	dequeue(best);
	place(best, p, false);
	return best;
}

/*
 * Changes the hardware from prev to next, unlocked.  Each guest's registered
 * areas are written while its page tables are loaded; in user mode they need
 * not be mapped, and then nobody in its kernel spins on what we leave behind.
 */
static void switch_to(struct cpu *c, struct vcpu *prev, struct vcpu *next)
{
	bool user_tables = !next->in_kernel &&
			   (next->sched.runstate_gva || next->sched.time_gva);
	u64 cr3;

	if (!prev->is_idle) {
		if (prev->timers.period_ns)
			timer_stop(&prev->timers.periodic);
		if (prev->in_kernel)
			vcpu_runstate_publish(prev);
	}
	context_switch(prev, next);
	/* From here on another CPU may run prev, or destroy it; it is not
	 * freed before this CPU has passed exit_work(). */
	store_release(&prev->sched.running, false);
	if (next->is_idle)
		return;
	cr3 = c->cr3;	/* of the user mode that goes on */
	if (user_tables)
		cr3_load(next->cr3_kernel, false);
	vcpu_time_update(next);
	vcpu_runstate_publish(next);
	if (user_tables)
		cr3_load(cr3, false);
	if (next->timers.singleshot.cpu != c->id)
		timer_set(&next->timers.singleshot,
			  READ_ONCE(next->timers.singleshot.expires));
	if (next->timers.period_ns)
		periodic_fired(next);
	if (READ_ONCE(next->work))
		cpu_set_work(c->id, WORK_VCPU);
}

/*
 * Before schedule() returns: an idle CPU, perhaps this one, may take somebody
 * whom it could not take while he was `running` here; who may not stay here
 * looks for another place.  We cleared the flag before we look at the list,
 * others enter the list before they look at the flag: one of us notices.
 */
static void spread(struct cpu *c, const struct vcpu *prev)
{
	struct vcpu *v, *next;

	smp_mb();
	if (likely(!READ_ONCE(nr_waiting) ||
		   (!READ_ONCE(idle_cpus) && may_run_on(prev, c->id))))
		return;
	spin_lock(&sched_lock);
	for (v = pcpus[c->id].waiting; v; v = next) {
		next = v->sched.next;
		if (v->sched.affinity & idle_cpus || !may_run_on(v, c->id))
			seek_cpu(v, false, clock_ns());
	}
	spin_unlock(&sched_lock);
}

/*
 * WORK_SCHED: chooses who runs on this CPU and makes it current.  Called from
 * exit_work(), no locks held.  Prev's fate is decided by what the choice of
 * next was based on: whoever changed it since waits for the lock and then
 * sees to prev himself.
 */
void schedule(void)
{
	struct cpu *c = this_cpu();
	struct pcpu *p = &pcpus[c->id];
	struct vcpu *prev = c->curr, *next;
	bool runnable = vcpu_runnable(prev), stays;
	struct domain_sched *d;
	u64 now, alarm;

	/* The common case: prev runs on and nobody else is there to run. */
	if (!prev->is_idle && runnable && !READ_ONCE(nr_waiting) &&
	    p->slice_timer.expires != NEVER && may_run_on(prev, c->id) &&
	    likely(!prev->domain->sched.cap)) {
		p->yielding = false;
		return;
	}
	spin_lock(&sched_lock);
	now = clock_ns();
	runnable = vcpu_runnable(prev);
	if (!prev->is_idle && now > prev->sched.last_start) {
		prev->sched.vtime += to_vtime(prev,
					      now - prev->sched.last_start);
		prev->domain->sched.budget -= now - prev->sched.last_start;
		prev->sched.last_start = now;
	}
	stays = !prev->is_idle && runnable && may_run_on(prev, c->id) &&
		within_cap(prev->domain, now);
	if (!stays)	/* before pick() looks who is `running`: see spread() */
		atomic_or(&idle_cpus, 1UL << c->id);
	next = pick(p, stays ? prev : NULL, now);
	if (!next)
		next = p->idle;
	if (next != prev) {
		runstate_set(prev, runnable ? RUNSTATE_runnable
					    : sleeping_state(prev), now);
		if (runnable && !prev->is_idle)
			enqueue(prev);
		runstate_set(next, RUNSTATE_running, now);
		next->sched.last_start = next->sched.slice_end = now;
		next->sched.running = true;
		p->curr = next;
	}
	if (!next->is_idle) {
		idle_cpus &= ~(1UL << c->id);
		if (now >= next->sched.slice_end) {
			next->sched.slice_start = now;
			next->sched.slice_end = now + slice_of(next);
		}
		alarm = next->sched.slice_end;
		/* Not longer than its part of what a capped domain has. */
		d = &next->domain->sched;
		if (d->cap)
			alarm = min(alarm, now + (u64)max(
				d->budget / (s64)d->active, SLICE_MIN));
		if (p->contested)
			alarm = min(alarm, next->sched.slice_start +
					   max(ratelimit_ns, (u64)SLICE_MIN));
		/* An earlier alarm may stay: it just asks once more. */
		if (alarm < p->slice_timer.expires)
			timer_set(&p->slice_timer, alarm);
	}
	spin_unlock(&sched_lock);
	if (next != prev)
		switch_to(c, prev, next);
	spread(c, prev);
}

/* --- timers that end something -------------------------------------------- */

static void slice_over(void *arg)
{
	if (!current->is_idle)
		cpu_set_work(smp_processor_id(), WORK_SCHED);
}

/* A capped domain has budget again: those who wait look for a CPU. */
static void refill_fired(void *arg)
{
	struct vcpu *v;

	spin_lock(&sched_lock);
	for_each_vcpu((struct domain *)arg, v)
		if (v->sched.on_queue)
			seek_cpu(v, true, clock_ns());
	spin_unlock(&sched_lock);
}

static void watchdog_fired(void *arg)
{
	guest_log(arg, LOG_WARN, "watchdog ran out\n");
	domain_shutdown(arg, SHUTDOWN_watchdog);
}

static void singleshot_fired(void *arg)
{
	virq_raise_vcpu(arg, VIRQ_TIMER);
}

/* A poll that ended otherwise leaves its timer behind. */
static void poll_fired(void *arg)
{
	struct vcpu *v = arg;

	if (polls(v))
		vcpu_unblock(v);
}

/* --- creation, parameters ------------------------------------------------- */

/* A CPU joins; its curr is its idle vCPU.  It need not be online yet.  After
 * the boot CPU's, timers may be set. */
void sched_init_cpu(unsigned int cpu)
{
	struct vcpu *idle = cpu_ptr(cpu)->curr;

	BUG_ON(!idle || !idle->is_idle);
	idle->sched.cpu = cpu;
	idle->sched.running = true;
	idle->sched.rs.state_entry_time = clock_ns();
	timer_init(&pcpus[cpu].slice_timer, slice_over, NULL);
	pcpus[cpu].idle = pcpus[cpu].curr = idle;
	cpu_ptr(cpu)->work = WORK_SCHED;	/* then it is idle */
}

/* v, a guest's, is new and not runnable yet; it may run anywhere. */
void sched_init_vcpu(struct vcpu *v)
{
	v->sched.affinity = v->sched.soft_affinity = ~(cpumask_t)0;
	/* Somewhere online; the first wake-up looks for an idle CPU. */
	v->sched.cpu = ffs64(cpus_online);
	v->sched.rs.state = RUNSTATE_offline;
	v->sched.rs.state_entry_time = clock_ns();
	timer_init(&v->timers.singleshot, singleshot_fired, v);
	timer_init(&v->timers.periodic, periodic_fired, v);
	timer_init(&v->timers.poll, poll_fired, v);
	v->timers.period_ns = 10 * NS_PER_MS;
}

/* v is paused for good and does not run. */
void sched_destroy_vcpu(struct vcpu *v)
{
	vcpu_sleep(v);
	timer_stop(&v->domain->sched.refill);	/* it walks the vCPUs */
	timer_stop(&v->timers.singleshot);
	timer_stop(&v->timers.periodic);
	timer_stop(&v->timers.poll);
}

/* Weight 256, no cap, no watchdog. */
void sched_init_domain(struct domain *d)
{
	d->sched.weight = WEIGHT_DEFAULT;
	timer_init(&d->sched.refill, refill_fired, d);
	timer_init(&d->sched.watchdog[0], watchdog_fired, d);
	timer_init(&d->sched.watchdog[1], watchdog_fired, d);
}

/* d's vCPUs do not run any more; call it again, it does not mind. */
void sched_destroy_domain(struct domain *d)
{
	timer_stop(&d->sched.refill);
	timer_stop(&d->sched.watchdog[0]);
	timer_stop(&d->sched.watchdog[1]);
}

/*
 * Where v may run (hard) and would rather run (soft).  -XEN_EINVAL if hard
 * leaves no CPU that is online.  v moves at its next chance.
 */
int vcpu_set_affinity(struct vcpu *v, cpumask_t hard, cpumask_t soft)
{
	if (!(hard & cpus_online))
		return -XEN_EINVAL;
	spin_lock(&sched_lock);
	v->sched.soft_affinity = soft;
	xchg(&v->sched.affinity, hard);	/* before seek_cpu() looks: spread() */
	if (v->sched.on_queue)
		seek_cpu(v, false, clock_ns());
	else if (pcpus[v->sched.cpu].curr == v && !may_run_on(v, v->sched.cpu))
		resched(v->sched.cpu);
	spin_unlock(&sched_lock);
	return 0;
}

/*
 * XEN_DOMCTL_scheduler_op: reads or sets weight and cap.  The caller copies
 * the structure in and out.  Weight 0 and cap ~0 keep what was.  The change
 * counts from the next charge on; a new cap starts with a full budget.
 */
int sched_domain_adjust(struct domain *d, struct xen_domctl_scheduler_op *op)
{
	bool put = op->cmd == XEN_DOMCTL_SCHEDOP_putinfo;

	if (op->sched_id != XEN_SCHEDULER_CREDIT ||
	    (!put && op->cmd != XEN_DOMCTL_SCHEDOP_getinfo))
		return -XEN_EINVAL;
	spin_lock(&sched_lock);
	if (put && op->u.credit.weight)
		d->sched.weight = op->u.credit.weight;
	if (put && op->u.credit.cap != (u16)~0) {
		d->sched.cap = op->u.credit.cap;
		d->sched.window_end = clock_ns();
		d->sched.budget = 0;
		/* Those passed over till now are looked at right away. */
		timer_set(&d->sched.refill, clock_ns());
	}
	op->u.credit.weight = (u16)d->sched.weight;
	op->u.credit.cap = (u16)d->sched.cap;
	spin_unlock(&sched_lock);
	return 0;
}

/*
 * XEN_SYSCTL_scheduler_op: slice and rate limit of the one pool.  Slice 1 ms
 * to 1 s; rate limit none, or 100 us up to the slice or 0.5 s.
 */
int sched_adjust_global(struct xen_sysctl_scheduler_op *op)
{
	struct xen_sysctl_credit_schedule *p = &op->u.sched_credit;
	bool put = op->cmd == XEN_SYSCTL_SCHEDOP_putinfo;
	u64 limit = p->ratelimit_us;

	if (op->cpupool_id != 0)
		return -XEN_ESRCH;
	if (op->sched_id != XEN_SCHEDULER_CREDIT ||
	    (!put && op->cmd != XEN_SYSCTL_SCHEDOP_getinfo) ||
	    (put && (p->tslice_ms < 1 || p->tslice_ms > 1000 ||
		     limit > 500000 || (limit && limit < 100) ||
		     limit > p->tslice_ms * 1000UL)))
		return -XEN_EINVAL;
	if (put) {
		slice_ns = p->tslice_ms * NS_PER_MS;
		ratelimit_ns = limit * 1000;
	}
	p->tslice_ms = (u32)(slice_ns / NS_PER_MS);
	p->ratelimit_us = (u32)(ratelimit_ns / 1000);
	p->vcpu_migr_delay_us = 0;
	return 0;
}
