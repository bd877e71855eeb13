/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between sched.c, which knows how vCPUs start, stop and move, and credit.c,
 * which knows who deserves to run.  Nobody outside sched/ includes this.
 */
#ifndef RUNQ_H
#define RUNQ_H

#include <domain/domain.h>

/*
 * A CPU's run queue: runnable vCPUs that wait, by ascending vtime.  All under
 * lock, but `nr`, which others may read for a hint.
 */
struct runq {
	struct spinlock lock;
	u32 cpu;
	u32 nr;			/* waiting vCPUs */
	struct vcpu *curr;	/* who was picked last; the idle vCPU too */
	struct vcpu *idle;
	struct vcpu *head, *tail;
	u64 min_vtime;		/* never falls: where the queue stands */
	bool yielding;		/* current asked for others to go first */
	/* Written by this CPU alone: */
	u64 offset;		/* of its vtimes against other CPUs' */
	u64 armed_at;		/* when slice_timer fires, NEVER if not */
	struct timer slice_timer;
	u64 switches;
} __aligned(64);

extern struct runq runqs[NR_CPUS];
extern u64 busy_cpus;	/* CPUs whose queue has waiting vCPUs; atomic */
extern u64 idle_cpus;	/* CPUs that run their idle vCPU; atomic */

static inline cpumask_t cpu_bit(unsigned int cpu)
{
	return (cpumask_t)1 << cpu;
}

static inline bool may_run_on(const struct vcpu *v, unsigned int cpu)
{
	return READ_ONCE(v->sched.affinity) >> cpu & 1;
}

/* --- credit.c; rq->lock is held unless it says otherwise ---------------- */
extern u64 credit_slice_ns, credit_ratelimit_ns;
void credit_charge(struct runq *rq, struct vcpu *v, u64 now);
bool credit_may_run(struct domain *d, u64 now);		/* no lock needed */
void credit_park(struct vcpu *v, unsigned int cpu);
void credit_place(struct runq *rq, struct vcpu *v, bool woken);
void credit_insert(struct runq *rq, struct vcpu *v);
void credit_remove(struct runq *rq, struct vcpu *v);
struct vcpu *credit_pick(struct runq *rq, struct vcpu *prev, u64 now);
void credit_start_slice(struct vcpu *v, u64 now);
u64 credit_deadline(const struct runq *rq, const struct vcpu *next);
bool credit_preempts(const struct runq *rq, const struct vcpu *v, u64 now);
unsigned int credit_choose_cpu(const struct vcpu *v);	/* no lock needed */
void credit_move(const struct runq *from, const struct runq *to,
		 struct vcpu *v);
void credit_sync(struct runq *rq, const struct runq *other);
bool credit_may_steal(const struct runq *from, const struct vcpu *v,
		      const struct runq *to, const u64 *best);
void credit_init(void);
void credit_adjust_domain(struct domain *d, u16 weight, u16 cap);
bool credit_set_slices(u64 slice_ms, u64 ratelimit_us);

/* --- sched.c, for schedop.c ---------------------------------------------- */
struct runq *vcpu_lock_runq(const struct vcpu *v);

#endif
