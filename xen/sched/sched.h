/* SPDX-License-Identifier: GPL-2.0 */
/* Who runs when, and what time it is. */
#pragma once

#include <cpu/cpu.h>
#include <hypercall-abi/sched.h>
#include <hypercall-abi/sysctl.h>
#include <hypercall-abi/vcpu.h>

#define NS_PER_SEC	1000000000UL
#define NS_PER_MS	1000000UL
#define NEVER		(~0UL)

/* --- timer.c: deadlines in a heap per CPU --------------------------------- */
struct timer {
	u64 expires;		/* ns of clock_ns(); NEVER when not armed */
	void (*fn)(void *);	/* in exit_work(), interrupts off, may rearm */
	void *arg;
	u16 cpu;		/* where it was armed last */
	bool busy;		/* fn runs */
	/* The heap, see timer.c; link: what points here, NULL not armed. */
	struct timer *left, *right, **link;
};
void timer_init(struct timer *t, void (*fn)(void *), void *arg);
void timer_set(struct timer *t, u64 expires);	/* on this CPU */
void timer_stop(struct timer *t);	/* fn does not run afterwards */
void timer_run_this(void);	/* WORK_TIMER: runs what is due, reprograms */

/* --- clock.c: guest time pages, wall clock ------------------------------- */
u64 clock_ns(void);		/* monotonic, same on all CPUs, since boot */
void clock_init(void);		/* after apic_init_boot(); reads the CMOS */
u64 ns_to_tsc(u64 ns);
/* Refreshes v's vcpu_time_info (and its registered copy): at every switch-in
 * and whenever the scale changes.  Runs on v's CPU with v loaded. */
void vcpu_time_update(struct vcpu *v);
void domain_wallclock_update(struct domain *d);	/* into shared_info */
void clock_set_wall(u64 sec, u32 nsec, u64 system_time);	/* settime */
extern struct clock_scale { u32 mul; s8 shift; } clock_scale; /* tsc -> ns */

/* --- scheduler state of a vCPU ------------------------------------------- */
struct vcpu_sched {
	struct vcpu *next;		/* in the list of who waits for cpu */
	u32 cpu;			/* where it runs, waits, or ran last */
	bool on_queue;			/* in that list */
	bool running;			/* is some CPU's current */
	u64 last_start;			/* ns: charged up to here */
	cpumask_t affinity, soft_affinity;	/* hard, soft */
	u64 vtime;			/* ns run, divided by weight */
	u64 slice_start, slice_end;	/* ns */
	struct vcpu_runstate_info rs;	/* accounting: till the last change */
	u64 runstate_gva;		/* registered area, 0 none */
	u64 time_gva;			/* registered vcpu_time area, 0 none */
	u64 time_gva_done;		/* the one that was written last */
};

struct vcpu_timers {
	struct timer singleshot, periodic, poll;
	u64 period_ns;		/* 0: no periodic timer */
	u64 last_period;	/* ns: when it fired last */
};

struct domain_sched {
	u32 weight;		/* 1..65535, default 256 */
	u32 cap;		/* percent of one CPU, 0 none */
	u32 active;		/* runnable vCPUs */
	s64 budget;		/* cap: ns it may still use till window_end */
	u64 window_end;
	u64 slept[NR_CPUS];	/* latest vtime at which a vCPU slept there */
	struct timer refill;
	u64 polling;		/* bit per vCPU in SCHEDOP_poll; atomic */
	u64 watchdog_used;	/* bit per watchdog; atomic */
	struct timer watchdog[2];
};

/* --- sched.c ------------------------------------------------------------- */
void sched_init_cpu(unsigned int cpu);	/* its curr is idle */
void sched_init_vcpu(struct vcpu *v);	/* timers, initial CPU; not runnable */
void sched_destroy_vcpu(struct vcpu *v);
void sched_init_domain(struct domain *d);
void sched_destroy_domain(struct domain *d);
/* WORK_SCHED: picks the next vCPU and context_switch()es to it. */
void schedule(void);
/* Makes v runnable if nothing holds it (pause counts, blocked, down). */
void vcpu_wake(struct vcpu *v);
/* Takes v off its CPU; _sync waits until it does not run and its context is
 * home (context_sync()). */
void vcpu_sleep(struct vcpu *v);
void vcpu_sleep_sync(struct vcpu *v);
/* v has a new event: unblocks it, or makes its CPU look (kick). */
void vcpu_kick(struct vcpu *v);
/* Current vCPU gives up the CPU. */
void vcpu_block_current(void);		/* SCHEDOP_block */
void vcpu_yield_current(void);
int vcpu_set_affinity(struct vcpu *v, cpumask_t hard, cpumask_t soft);
u64 vcpu_cpu_time(const struct vcpu *v);	/* ns run so far */
void vcpu_runstate(const struct vcpu *v, struct vcpu_runstate_info *out);
/* Writes the registered runstate area of current, called at switch-in. */
void vcpu_runstate_publish(struct vcpu *v);
/* domctl/sysctl scheduler operations: ABI structures, 0/-errno. */
int sched_domain_adjust(struct domain *d, struct xen_domctl_scheduler_op *op);
int sched_adjust_global(struct xen_sysctl_scheduler_op *op);
/* A vCPU polled ports: event/ asks whether this port ends the poll.  Called
 * only while d->sched.polling has a bit set. */
void vcpu_poll_wake(struct domain *d, unsigned int port);

/* The VCPUOP_ timer sub-operations, called from domain/vcpu.c. */
long vcpu_timer_op(struct vcpu *v, unsigned int cmd, u64 arg);
