/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How vCPUs start, stop, wait and move.  Who deserves to run is credit.c's.
 *
 * Every vCPU belongs to one CPU's run queue, v->sched.cpu, and all of
 * v->sched is guarded by that queue's lock.  At any time a guest vCPU is one
 * of: rq->curr, in the queue, parked (cap used up), or not runnable.
 *
 * Invariant: a vCPU runs on one CPU at most.  `running` is set under the lock
 * when a CPU picks it, and cleared only when that CPU has switched away; who
 * is `running` but no longer curr may be queued on the same CPU, but is not
 * moved to another one before that.
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
 * Locks: one queue's at a time, never two.  Timers may be set under it.
 *
 * A guest can call in here at any rate (yield, block, event storms between
 * its vCPUs).  Each such call is O(1) but for the insertion into a queue, which
 * walks vCPUs of greater vtime, and for a look at busy CPUs' queues.
 */
#include <sched/runq.h>
#include <entry/entry.h>

/* How far down another queue to look for somebody who may run here. */
#define STEAL_DEPTH	32

struct runq runqs[NR_CPUS];
u64 busy_cpus, idle_cpus;

/* The queue that v belongs to, locked. */
struct runq *vcpu_lock_runq(const struct vcpu *v)
{
	struct runq *rq;

	for (;;) {
		rq = &runqs[READ_ONCE(v->sched.cpu)];
		spin_lock(&rq->lock);
		if (rq->cpu == READ_ONCE(v->sched.cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* --- accounting ----------------------------------------------------------- */

static void runstate_set(struct vcpu *v, u8 state, u64 now)
{
	/* Clocks of two CPUs may differ by some cycles. */
	if (now > v->sched.state_since) {
		v->sched.time_in[v->sched.runstate] +=
			now - v->sched.state_since;
		v->sched.state_since = now;
	}
	v->sched.runstate = state;
}

static u8 sleeping_state(const struct vcpu *v)
{
	return READ_ONCE(v->pause_flags) & VPF_BLOCKED ? RUNSTATE_blocked
						       : RUNSTATE_offline;
}

/* v wants to run, or no longer: its domain's weight is divided anew. */
static void set_active(struct vcpu *v, bool active)
{
	if (v->sched.active == active)
		return;
	v->sched.active = active;
	if (active)
		atomic_add(&v->domain->sched.active, 1);
	else
		atomic_sub(&v->domain->sched.active, 1);
}

/* State and times of any vCPU, now. */
void vcpu_runstate(const struct vcpu *v, struct vcpu_runstate_info *out)
{
	struct runq *rq = vcpu_lock_runq(v);
	u64 now = clock_ns();

	*out = (struct vcpu_runstate_info){
		.state = v->sched.runstate,
		.state_entry_time = v->sched.state_since,
	};
	memcpy(out->time, v->sched.time_in, sizeof(out->time));
	if (now > v->sched.state_since)
		out->time[out->state] += now - v->sched.state_since;
	spin_unlock(&rq->lock);
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
 * The times are those at the last change of state, as the ABI has it.
 */
void vcpu_runstate_publish(struct vcpu *v)
{
	u64 gva = v->sched.runstate_gva;
	u64 entry = v->sched.state_since;
	struct vcpu_runstate_info info = {
		.state = v->sched.runstate, .state_entry_time = entry,
	};
	u64 at = gva + offsetof(struct vcpu_runstate_info, state_entry_time);

	if (!gva)
		return;
	memcpy(info.time, v->sched.time_in, sizeof(info.time));
	if (v->domain->vm_assist >> VMASST_TYPE_runstate_update_flag & 1) {
		info.state_entry_time |= XEN_RUNSTATE_UPDATE;
		if (copy_to_guest(at, &info.state_entry_time, sizeof(u64)))
			return;
		smp_wmb();
	}
	/* A fault is the guest's loss: it registered the address. */
	if (copy_to_guest(gva, &info, sizeof(info)))
		return;
	if (info.state_entry_time != entry) {
		smp_wmb();
		if (copy_to_guest(at, &entry, sizeof(u64)))
			return;
	}
}

/* --- kicks --------------------------------------------------------------- */

/* Makes a CPU call schedule() soon. */
static void resched(unsigned int cpu)
{
	bool asked = atomic_or(&cpu_ptr(cpu)->work, WORK_SCHED) & WORK_SCHED;

	if (!asked && cpu != smp_processor_id())
		apic_send_ipi(cpu, VEC_KICK);
}

/* v waits: tells an idle CPU that may take it over; false if there is none. */
static bool tickle_idle(const struct vcpu *v)
{
	cpumask_t idle = READ_ONCE(idle_cpus) & cpus_online &
			 READ_ONCE(v->sched.affinity);
	unsigned int cpu;

	if (likely(!idle))
		return false;
	cpu = ffs64(idle);
	atomic_and(&idle_cpus, ~cpu_bit(cpu));
	resched(cpu);
	return true;
}

/* --- waking and sleeping ------------------------------------------------- */

/* True if v ought to be in a queue and is not; its queue is locked. */
static bool needs_queue(const struct runq *rq, const struct vcpu *v)
{
	return rq->curr != v && !v->sched.on_queue && !v->sched.parked &&
	       vcpu_runnable(v);
}

/* Queues v on rq, which is locked; then lets somebody know, and unlocks. */
static void queue_and_unlock(struct runq *rq, struct vcpu *v, bool woken)
{
	u64 now = clock_ns();
	bool preempts;

	set_active(v, true);
	runstate_set(v, RUNSTATE_runnable, now);
	if (!credit_may_run(v->domain, now)) {
		credit_park(v, rq->cpu);
		spin_unlock(&rq->lock);
		return;
	}
	credit_place(rq, v, woken);
	credit_insert(rq, v);
	preempts = credit_preempts(rq, v, now);
	if (preempts) {
		if (rq->curr == rq->idle)
			atomic_and(&idle_cpus, ~cpu_bit(rq->cpu));
		resched(rq->cpu);
	} else {
		tickle_idle(v);
	}
	spin_unlock(&rq->lock);
}

/*
 * Makes v run as soon as it deserves to, unless something still holds it: a
 * pause, an event it waits for, or that it is down.  Any CPU.
 */
void vcpu_wake(struct vcpu *v)
{
	bool moved = false, leaving;
	struct runq *rq;
	unsigned int cpu;

	for (;;) {
		rq = vcpu_lock_runq(v);
		if (!needs_queue(rq, v)) {
			spin_unlock(&rq->lock);
			return;
		}
		leaving = load_acquire(&v->sched.running);
		if (leaving && !may_run_on(v, rq->cpu)) {
			/* Its old CPU is about to be done with it. */
			spin_unlock(&rq->lock);
			cpu_poll();
			continue;
		}
		cpu = leaving || moved ? rq->cpu : credit_choose_cpu(v);
		if (cpu == rq->cpu)
			break;
		credit_move(rq, &runqs[cpu], v);
		WRITE_ONCE(v->sched.cpu, cpu);
		spin_unlock(&rq->lock);
		moved = true;
	}
	queue_and_unlock(rq, v, true);
}

/* v is not runnable any more, or shall not be: off the queue or the CPU. */
void vcpu_sleep(struct vcpu *v)
{
	struct runq *rq = vcpu_lock_runq(v);

	if (vcpu_runnable(v)) {
		spin_unlock(&rq->lock);
		return;
	}
	if (rq->curr == v) {
		resched(rq->cpu);
	} else {
		if (v->sched.on_queue)
			credit_remove(rq, v);
		v->sched.parked = false;
		set_active(v, false);
		runstate_set(v, sleeping_state(v), clock_ns());
	}
	spin_unlock(&rq->lock);
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

/* What v waited for has come. */
static void vcpu_unblock(struct vcpu *v)
{
	u32 old = atomic_and(&v->pause_flags, ~(VPF_BLOCKED | VPF_POLL));

	if (old & VPF_POLL)
		atomic_and(&v->domain->sched.polling, ~(1UL << v->id));
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
	if (READ_ONCE(v->pause_flags) & VPF_BLOCKED) {
		vcpu_unblock(v);
		return;
	}
	if (READ_ONCE(v->sched.running) && cpu != smp_processor_id())
		apic_send_ipi(cpu, VEC_KICK);
}

/*
 * [event 30] A port became pending: vCPUs of d that poll it, or several ports,
 * go on.  They look themselves which one it was.
 */
void vcpu_poll_wake(struct domain *d, unsigned int port)
{
	u64 polling = READ_ONCE(d->sched.polling);
	struct vcpu *v;
	u32 wanted;

	while (unlikely(polling)) {
		v = d->vcpu[ffs64(polling)];
		polling &= polling - 1;
		wanted = READ_ONCE(v->poll_port);
		if (!wanted || wanted == port)
			vcpu_unblock(v);
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
	struct runq *rq = &runqs[smp_processor_id()];

	if (!READ_ONCE(rq->nr) && !(READ_ONCE(busy_cpus) & ~cpu_bit(rq->cpu)))
		return;
	rq->yielding = true;
	cpu_set_work(rq->cpu, WORK_SCHED);
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
	timer_set(&v->timers.periodic, smp_processor_id(),
		  v->timers.last_period + period);
}

static void slice_over(void *arg)
{
	struct runq *rq = arg;

	rq->armed_at = NEVER;
	if (rq->curr != rq->idle)
		cpu_set_work(rq->cpu, WORK_SCHED);
}

/* An earlier alarm may stay: it just asks schedule() once more. */
static void arm_slice_timer(struct runq *rq, u64 when)
{
	if (when >= rq->armed_at)
		return;
	rq->armed_at = when;
	timer_set(&rq->slice_timer, rq->cpu, when);
}

/* The common case: prev runs on and nobody else is there to run. */
static bool nothing_to_do(struct runq *rq, const struct vcpu *prev)
{
	if (prev->is_idle || READ_ONCE(rq->nr) || rq->armed_at == NEVER ||
	    READ_ONCE(busy_cpus) & ~cpu_bit(rq->cpu))
		return false;
	rq->yielding = false;
	return vcpu_runnable(prev) && may_run_on(prev, rq->cpu) &&
	       likely(!prev->domain->sched.cap);
}

/* Takes a waiting vCPU away from another CPU; it is then in no queue. */
static struct vcpu *steal_from(struct runq *rq, struct runq *to,
			       const u64 *best)
{
	int depth = STEAL_DEPTH;
	struct vcpu *v;

	spin_lock(&rq->lock);
	credit_sync(to, rq);
	for (v = rq->head; v; v = depth-- ? v->sched.next : NULL) {
		if (!credit_may_steal(rq, v, to, best))
			continue;
		credit_remove(rq, v);
		credit_move(rq, to, v);
		WRITE_ONCE(v->sched.cpu, to->cpu);
		break;
	}
	spin_unlock(&rq->lock);
	return v;
}

/*
 * True if rq should look at the other CPUs' queues: it has nothing to run, or
 * prev's turn is over.  *best is then where its own candidates stand.
 */
static bool wants_more(struct runq *rq, struct vcpu *prev, u64 now,
		       const u64 **best, u64 *vtime)
{
	bool stays = !prev->is_idle && vcpu_runnable(prev) &&
		     may_run_on(prev, rq->cpu);

	*best = NULL;
	if (stays && now < prev->sched.slice_end && !rq->yielding)
		return false;
	if (stays) {
		*vtime = prev->sched.vtime;
		*best = vtime;
	}
	if (rq->head && (!stays || (s64)(rq->head->sched.vtime - *vtime) < 0)) {
		*vtime = rq->head->sched.vtime;
		*best = vtime;
	}
	return true;
}

/* Moves a vCPU here that waits on another CPU and is due more than ours. */
static void balance(struct runq *rq, struct vcpu *prev, u64 now)
{
	cpumask_t busy = READ_ONCE(busy_cpus) & ~cpu_bit(rq->cpu);
	cpumask_t above = busy & ~(cpu_bit(rq->cpu) - 1);
	struct vcpu *v = NULL;
	const u64 *best;
	unsigned int c;
	u64 vtime = 0;
	bool wants;

	spin_lock(&rq->lock);
	if (!prev->is_idle)
		credit_charge(rq, prev, now);
	wants = wants_more(rq, prev, now, &best, &vtime);
	spin_unlock(&rq->lock);
	if (!wants)
		return;
	/* Round from this CPU on, so that not all rob the same one. */
	for (int pass = 0; pass < 2 && !v; pass++)
		for_each_cpu(c, pass ? busy & ~above : above)
			if ((v = steal_from(&runqs[c], rq, best)) != NULL)
				break;
	if (!v)
		return;
	rq = vcpu_lock_runq(v);
	if (needs_queue(rq, v)) {
		credit_place(rq, v, false);
		credit_insert(rq, v);
	}
	spin_unlock(&rq->lock);
}

/*
 * prev gives up the CPU, rq locked.  True if it must be woken elsewhere.
 * Decides by what the choice of `next` was based on: whoever changed it since
 * waits for the lock and then sees to prev himself.
 */
static bool put_prev(struct runq *rq, struct vcpu *prev, bool runnable,
		     bool stays, u64 now)
{
	if (prev->is_idle) {
		runstate_set(prev, RUNSTATE_runnable, now);
		return false;
	}
	if (!runnable) {
		set_active(prev, false);
		runstate_set(prev, sleeping_state(prev), now);
		return false;
	}
	runstate_set(prev, RUNSTATE_runnable, now);
	if (stays)
		credit_insert(rq, prev);
	else if (may_run_on(prev, rq->cpu))
		credit_park(prev, rq->cpu);
	else
		return true;
	return false;
}

/* next gets the CPU, rq locked. */
static void take_next(struct runq *rq, struct vcpu *next, u64 now)
{
	runstate_set(next, RUNSTATE_running, now);
	next->sched.last_start = now;
	rq->curr = next;
	rq->switches++;
	if (next->is_idle) {
		atomic_or(&idle_cpus, cpu_bit(rq->cpu));
		return;
	}
	if (READ_ONCE(idle_cpus) & cpu_bit(rq->cpu))
		atomic_and(&idle_cpus, ~cpu_bit(rq->cpu));
	if (next->sched.on_queue)
		credit_remove(rq, next);
	next->sched.running = true;
	credit_start_slice(next, now);
}

/* What prev's guest sees of its leaving; its page tables are still loaded. */
static void leave(struct vcpu *prev)
{
	if (prev->is_idle)
		return;
	if (prev->timers.period_ns)
		timer_stop(&prev->timers.periodic);
	/* In user mode the area need not be mapped; then nobody spins on us
	 * in its kernel either. */
	if (prev->sched.runstate_gva && prev->in_kernel)
		vcpu_runstate_publish(prev);
}

/* What next's guest sees of its coming; it is loaded. */
static void enter(struct cpu *c, struct vcpu *next)
{
	u64 cr3 = c->cr3;	/* of the user mode that goes on */
	bool user_tables;

	if (next->is_idle)
		return;
	/* The registered areas lie in the guest kernel's half. */
	user_tables = !next->in_kernel &&
		      (next->sched.runstate_gva || next->sched.time_gva);
	if (user_tables)
		cr3_load(next->cr3_kernel, false);
	vcpu_time_update(next);
	vcpu_runstate_publish(next);
	if (user_tables)
		cr3_load(cr3, false);
	timer_migrate(&next->timers.singleshot, c->id);
	if (next->timers.period_ns)
		periodic_fired(next);
	if (READ_ONCE(next->work))
		cpu_set_work(c->id, WORK_VCPU);
}

/* rq keeps running curr, or has just picked it: sees to the next alarm. */
static void plan_ahead(struct runq *rq, u64 now)
{
	struct vcpu *curr = rq->curr;

	if (curr->is_idle) {
		/* A kick may have claimed us although nobody was left. */
		if (!(READ_ONCE(idle_cpus) & cpu_bit(rq->cpu)))
			atomic_or(&idle_cpus, cpu_bit(rq->cpu));
		return;
	}
	if (now >= curr->sched.slice_end)
		credit_start_slice(curr, now);
	arm_slice_timer(rq, credit_deadline(rq, curr));
}

/*
 * Before schedule() returns, unlocked: is there somebody idle for those who
 * wait here, or, if this CPU goes idle, somebody who began to wait elsewhere
 * since we looked (busy then: seen)?
 */
static void spread(struct runq *rq, cpumask_t seen)
{
	int depth = STEAL_DEPTH;
	struct vcpu *v;

	if (READ_ONCE(idle_cpus) & cpu_bit(rq->cpu)) {
		if (READ_ONCE(busy_cpus) & ~seen & ~cpu_bit(rq->cpu))
			cpu_set_work(rq->cpu, WORK_SCHED);
		return;
	}
	if (likely(!READ_ONCE(rq->nr) || !READ_ONCE(idle_cpus)))
		return;
	spin_lock(&rq->lock);
	for (v = rq->head; v && !tickle_idle(v); v = v->sched.next)
		if (!--depth)
			break;
	spin_unlock(&rq->lock);
}

/*
 * WORK_SCHED: chooses who runs on this CPU and makes it current.  Called from
 * exit_work(), no locks held.
 */
void schedule(void)
{
	struct cpu *c = this_cpu();
	struct runq *rq = &runqs[c->id];
	struct vcpu *prev = c->curr, *next;
	bool runnable = false, stays = false, moves;
	cpumask_t seen;
	u64 now;

	if (nothing_to_do(rq, prev))
		return;
	now = clock_ns();
	seen = READ_ONCE(busy_cpus);
	if (seen & ~cpu_bit(rq->cpu))
		balance(rq, prev, now);

	spin_lock(&rq->lock);
	if (!prev->is_idle) {
		credit_charge(rq, prev, now);
		runnable = vcpu_runnable(prev);
		stays = runnable && may_run_on(prev, rq->cpu) &&
			credit_may_run(prev->domain, now);
	}
	/* If a cap takes all that we have, look at the others once more. */
	if (rq->nr || (runnable && !stays))
		seen = 0;
	next = credit_pick(rq, stays ? prev : NULL, now);
	if (!next)
		next = rq->idle;
	if (next == prev) {
		plan_ahead(rq, now);
		spin_unlock(&rq->lock);
		spread(rq, seen);
		return;
	}
	take_next(rq, next, now);
	moves = put_prev(rq, prev, runnable, stays, now);
	plan_ahead(rq, now);
	spin_unlock(&rq->lock);

	leave(prev);
	context_switch(prev, next);
	/* From here on another CPU may run prev, or destroy it; it is not
	 * freed before this CPU has passed exit_work(). */
	store_release(&prev->sched.running, false);
	enter(c, next);
	if (moves)
		vcpu_wake(prev);
	spread(rq, seen);
}

/* --- creation, affinity -------------------------------------------------- */

/* A capped domain has budget again: its parked vCPUs go on. */
static void refill_fired(void *arg)
{
	struct domain *d = arg;
	struct runq *rq;
	struct vcpu *v;

	for_each_vcpu(d, v) {
		if (!READ_ONCE(v->sched.parked))
			continue;
		rq = vcpu_lock_runq(v);
		v->sched.parked = false;
		spin_unlock(&rq->lock);
		vcpu_wake(v);
	}
}

static void watchdog_fired(void *arg)
{
	struct domain *d = arg;

	guest_log(d, LOG_WARN, "watchdog ran out\n");
	domain_shutdown(d, SHUTDOWN_watchdog);
}

static void singleshot_fired(void *arg)
{
	virq_raise_vcpu(arg, VIRQ_TIMER);
}

static void poll_fired(void *arg)
{
	struct vcpu *v = arg;

	/* A poll that ended otherwise leaves its timer behind. */
	if (READ_ONCE(v->pause_flags) & VPF_POLL)
		vcpu_unblock(v);
}

/* Boot CPU, which runs its idle vCPU; after this, timers may be set. */
void sched_init(void)
{
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		spin_lock_init(&runqs[cpu].lock, LOCK_SCHED);
		runqs[cpu].cpu = cpu;
		runqs[cpu].armed_at = NEVER;
	}
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
		timer_init_cpu(cpu);
	credit_init();
	sched_init_cpu(smp_processor_id());
	log_info("sched: credit, slice %lu us, rate limit %lu us\n",
		 credit_slice_ns / 1000, credit_ratelimit_ns / 1000);
}

/* A CPU joins; its curr is its idle vCPU.  It need not be online yet. */
void sched_init_cpu(unsigned int cpu)
{
	struct vcpu *idle = cpu_ptr(cpu)->curr;
	struct runq *rq = &runqs[cpu];

	BUG_ON(!idle || !idle->is_idle);
	idle->sched.cpu = cpu;
	idle->sched.running = true;
	idle->sched.runstate = RUNSTATE_running;
	idle->sched.state_since = idle->sched.last_start = clock_ns();
	timer_init(&rq->slice_timer, slice_over, rq);
	rq->idle = idle;
	rq->curr = idle;
	atomic_or(&idle_cpus, cpu_bit(cpu));
}

/* v is new and not runnable yet; it may run anywhere.  Cannot fail so far. */
int sched_init_vcpu(struct vcpu *v)
{
	if (v->is_idle)
		return 0;
	v->sched.affinity = v->sched.soft_affinity = ~(cpumask_t)0;
	/* Somewhere online; the first wake-up looks for an idle CPU. */
	v->sched.cpu = ffs64(cpus_online);
	v->sched.runstate = RUNSTATE_offline;
	v->sched.state_since = clock_ns();
	timer_init(&v->timers.singleshot, singleshot_fired, v);
	timer_init(&v->timers.periodic, periodic_fired, v);
	timer_init(&v->timers.poll, poll_fired, v);
	v->timers.period_ns = 10 * NS_PER_MS;
	return 0;
}

/* v is paused for good and does not run. */
void sched_destroy_vcpu(struct vcpu *v)
{
	if (v->is_idle)
		return;
	vcpu_sleep(v);
	timer_stop(&v->domain->sched.refill);	/* it walks the vCPUs */
	timer_stop(&v->timers.singleshot);
	timer_stop(&v->timers.periodic);
	timer_stop(&v->timers.poll);
}

/* Weight 256, no cap, no watchdog. */
int sched_init_domain(struct domain *d)
{
	d->sched.weight = 256;
	timer_init(&d->sched.refill, refill_fired, d);
	for (unsigned int i = 0; i < ARRAY_SIZE(d->sched.watchdog); i++)
		timer_init(&d->sched.watchdog[i], watchdog_fired, d);
	return 0;
}

/* d's vCPUs do not run any more; call it again, it does not mind. */
void sched_destroy_domain(struct domain *d)
{
	timer_stop(&d->sched.refill);
	for (unsigned int i = 0; i < ARRAY_SIZE(d->sched.watchdog); i++)
		timer_stop(&d->sched.watchdog[i]);
}

/*
 * Where v may run (hard) and would rather run (soft).  -XEN_EINVAL if hard
 * leaves no CPU that is online.  v moves at its next chance.
 */
int vcpu_set_affinity(struct vcpu *v, cpumask_t hard, cpumask_t soft)
{
	struct runq *rq;
	bool requeue;

	if (!(hard & cpus_online))
		return -XEN_EINVAL;
	rq = vcpu_lock_runq(v);
	v->sched.affinity = hard;
	v->sched.soft_affinity = soft;
	requeue = v->sched.on_queue && !may_run_on(v, rq->cpu);
	if (requeue)
		credit_remove(rq, v);
	else if (rq->curr == v && !may_run_on(v, rq->cpu))
		resched(rq->cpu);
	else if (v->sched.on_queue)
		tickle_idle(v);
	spin_unlock(&rq->lock);
	if (requeue)
		vcpu_wake(v);
	return 0;
}

/* --- debug key r --------------------------------------------------------- */

static void dump_vcpu(const struct vcpu *v, const char *what)
{
	printk("  %s d%uv%u vtime %lu state %u\n", what, v->domain->id, v->id,
	       v->sched.vtime, v->sched.runstate);
}

/* Prints every queue. */
void sched_dump(void)
{
	struct runq *rq;
	struct vcpu *v;
	unsigned int cpu;

	printk("now %lu, idle CPUs %lx, with waiting vCPUs %lx\n", clock_ns(),
	       idle_cpus, busy_cpus);
	for_each_cpu(cpu, cpus_online) {
		rq = &runqs[cpu];
		spin_lock(&rq->lock);
		printk("CPU%u: %lu switches, min vtime %lu, %u wait\n", cpu,
		       rq->switches, rq->min_vtime, rq->nr);
		if (rq->curr && !rq->curr->is_idle)
			dump_vcpu(rq->curr, "runs ");
		for (v = rq->head; v; v = v->sched.next)
			dump_vcpu(v, "waits");
		spin_unlock(&rq->lock);
	}
}
