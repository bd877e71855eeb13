/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scheduler under real concurrency: each thread is a CPU, with the real
 * locks (order checked) and timers.  vCPUs block, yield, poll, kick, pause and
 * move each other as fast as they can.  Claims: none runs on two CPUs or on
 * one it may not use; no event is lost (a vCPU with one pending does not stay
 * blocked); a vCPU that vcpu_sleep_sync() returned for does not run; nothing
 * deadlocks; in the end everybody still runs.
 */
#include "test.h"
#include "host.h"
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include "../../xen/sched/sched.c"

#define CPUS	4
#define VCPUS	14
#define SECONDS	3

struct guest {
	struct vcpu v;
	struct vcpu_info info;
	int on;			/* CPU + 1 */
	u64 turns;
	/* as the watcher saw it last, and since when it has been so */
	bool stuck;
	u64 stuck_turns, stuck_rounds[CPUS];
};

static struct domain dom[2], idle_domain;
static struct guest guests[VCPUS];
static struct vcpu idle_vcpu[CPUS];
static u64 deadline[CPUS], rounds[CPUS];
static bool stop;
static u32 stopped;		/* CPUs whose guests do nothing any more */
static __thread unsigned int me;
static __thread u64 seed;

cpumask_t cpus_online = (1UL << CPUS) - 1;
struct domain *dom0, *domain_list;

struct cpu *this_cpu(void)
{
	return &host_cpu[me];
}

u64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * NS_PER_SEC + (u64)t.tv_nsec;
}

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

void apic_set_deadline(u64 ns)
{
	deadline[me] = ns;
}

void apic_send_ipi(unsigned int cpu, u32 vector)
{
	CHECK(cpu != me);
}

/* Requests of others: here only a chance for them to run. */
void cpu_poll(void)
{
	sched_yield();
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	if (!prev->is_idle)
		CHECK_EQ(xchg(&container_of(prev, struct guest, v)->on, 0),
			 me + 1);
	this_cpu()->curr = next;
	if (rnd() % 16 == 0)
		sched_yield();		/* a slow switch */
	if (!next->is_idle) {
		CHECK_EQ(xchg(&container_of(next, struct guest, v)->on,
			      (int)me + 1), 0);
		CHECK(next->sched.running);
	}
}

void context_sync(struct vcpu *v)
{
	CHECK_EQ(READ_ONCE(container_of(v, struct guest, v)->on), 0);
}

void cr3_load(u64 cr3, bool flush_global)
{
}

void vcpu_time_update(struct vcpu *v)
{
}

void virq_raise_vcpu(struct vcpu *v, unsigned int virq)
{
	if (!xchg(&v->vcpu_info->evtchn_upcall_pending, 1))
		vcpu_kick(v);
}

int evtchn_port_pending(struct domain *d, u32 port)
{
	return 0;
}

void domain_shutdown(struct domain *d, u8 reason)
{
}

struct domain *domain_get(domid_t id)
{
	return NULL;
}

void domain_put(struct domain *d)
{
}

/* --- what a running guest does ------------------------------------------- */

static void pause_somebody(struct guest *self)
{
	struct guest *g = &guests[rnd() % VCPUS];

	/* Only the first vCPU does it, as only one domain controls others. */
	if (self != &guests[0] || g == self)
		return;
	atomic_or(&g->v.pause_flags, VPF_SUSPENDED);
	vcpu_sleep_sync(&g->v);
	CHECK_EQ(READ_ONCE(g->on), 0);
	if (rnd() % 4 == 0)
		sched_yield();
	CHECK_EQ(READ_ONCE(g->on), 0);
	atomic_and(&g->v.pause_flags, ~VPF_SUSPENDED);
	vcpu_wake(&g->v);
}

static void act(struct guest *g)
{
	struct sched_poll poll = { .timeout = clock_ns() + rnd() % 300000 };
	u32 port = 5;

	g->turns++;
	CHECK_EQ(g->v.pause_flags & ~VPF_SUSPENDED, 0);
	g->info.evtchn_upcall_pending = 0;	/* handled */
	switch (rnd() % 8) {
	case 0: case 1:
		vcpu_block_current();
		break;
	case 2:
		vcpu_yield_current();
		break;
	case 3:
		poll.ports = (u64)&port;
		poll.nr_ports = 1;
		do_sched_op(SCHEDOP_poll, (u64)&poll, 0, 0, 0, 0);
		break;
	case 4:
		pause_somebody(g);
		break;
	case 5:
		vcpu_set_affinity(&guests[rnd() % VCPUS].v, rnd() % 15 + 1,
				  ~0UL);
		break;
	case 6:
		do_set_timer_op(clock_ns() + rnd() % 200000, 0, 0, 0, 0, 0);
		break;
	}
	for (int i = 0; i < 3; i++)
		virq_raise_vcpu(&guests[rnd() % VCPUS].v, VIRQ_TIMER);
}

/*
 * exit_work(), then the guest; or hlt.  It goes on until no guest does
 * anything: one may wait for a vCPU of this CPU to be descheduled.
 */
static void *cpu_main(void *arg)
{
	struct cpu *c;
	bool last = false;
	u32 work;

	me = (unsigned int)(unsigned long)arg;
	seed = 88172645463325252UL + 7919 * me;
	c = this_cpu();
	while (READ_ONCE(stopped) < CPUS) {
		WRITE_ONCE(rounds[me], rounds[me] + 1);
		if (deadline[me] <= clock_ns()) {
			deadline[me] = NEVER;
			cpu_set_work(me, WORK_TIMER);
		}
		work = xchg(&c->work, 0);
		if (work & WORK_TIMER)
			timer_run_this();
		if (work & WORK_SCHED)
			schedule();
		if (c->work)
			continue;
		CHECK_EQ(c->locks_held, 0);
		if (READ_ONCE(stop) && !last) {
			atomic_add(&stopped, 1U);
			last = true;
		}
		if (last || c->curr->is_idle)
			sched_yield();
		else
			act(container_of(c->curr, struct guest, v));
	}
	return NULL;
}

/*
 * Sleeps though it has an event, and has not run since it was first seen so,
 * while each CPU came round so often that whoever sent the event is done with
 * it.  Not by time: a thread may stand still for as long as it likes.
 */
static bool lost_event(struct guest *g)
{
	u64 turns = READ_ONCE(g->turns);
	bool stuck = vcpu_event_pending(&g->v) &&
		READ_ONCE(g->v.pause_flags) & VPF_BLOCKED;

	if (!stuck || !g->stuck || turns != g->stuck_turns) {
		g->stuck = stuck;
		g->stuck_turns = turns;
		for (int c = 0; c < CPUS; c++)
			g->stuck_rounds[c] = READ_ONCE(rounds[c]);
		return false;
	}
	for (int c = 0; c < CPUS; c++)
		if (READ_ONCE(rounds[c]) - g->stuck_rounds[c] < 1000)
			return false;
	return true;
}

static u64 all_turns(void)
{
	u64 all = 0;

	for (int i = 0; i < VCPUS; i++)
		all += READ_ONCE(guests[i].turns);
	return all;
}

/* Looks from outside; longer on a busy machine, but not without end. */
static void watch(void)
{
	u64 start = clock_ns(), past = 0;

	while (past < SECONDS * NS_PER_SEC ||
	       (all_turns() <= 10000 && past < 30 * NS_PER_SEC)) {
		usleep(1000);
		past = clock_ns() - start;
		for (int i = 0; i < VCPUS; i++)
			if (lost_event(&guests[i])) {
				CHECK(!"an event was lost");
				return;
			}
	}
}

/* From now on: each has a turn again. */
static bool all_run(void)
{
	u64 before[VCPUS];
	int i;

	for (i = 0; i < VCPUS; i++)
		before[i] = READ_ONCE(guests[i].turns);
	for (int ms = 0; ms < 30000; ms++) {
		usleep(1000);
		for (i = 0; i < VCPUS; i++)
			if (READ_ONCE(guests[i].turns) == before[i])
				break;
		if (i == VCPUS)
			return true;
	}
	return false;
}

static void chaos(void)
{
	pthread_t t[CPUS];

	for (unsigned int c = 0; c < CPUS; c++) {
		idle_vcpu[c] = (struct vcpu){
			.is_idle = 1, .id = c, .domain = &idle_domain,
		};
		host_cpu[c].id = c;
		host_cpu[c].curr = &idle_vcpu[c];
		deadline[c] = NEVER;
	}
	sched_init_cpu(smp_processor_id());
	slice_ns = NS_PER_MS;
	ratelimit_ns = 200000;
	for (unsigned int c = 1; c < CPUS; c++)
		sched_init_cpu(c);
	for (int i = 0; i < 2; i++) {
		dom[i].id = (domid_t)i;
		dom[i].max_vcpus = MAX_VCPUS;
		sched_init_domain(&dom[i]);
	}
	sched_domain_adjust(&dom[1], &(struct xen_domctl_scheduler_op){
		.sched_id = XEN_SCHEDULER_CREDIT,
		.cmd = XEN_DOMCTL_SCHEDOP_putinfo, .u.credit.cap = 120 });
	seed = 1;
	for (int i = 0; i < VCPUS; i++) {
		struct guest *g = &guests[i];

		g->v.domain = &dom[i % 2];
		g->v.id = (u32)i;
		g->v.in_kernel = 1;
		g->v.vcpu_info = &g->info;
		g->v.pause_flags = VPF_SUSPENDED;
		dom[i % 2].vcpu[i] = &g->v;
		sched_init_vcpu(&g->v);
		g->v.timers.period_ns = 0;
		atomic_and(&g->v.pause_flags, ~VPF_SUSPENDED);
		vcpu_wake(&g->v);
	}
	for (unsigned long c = 0; c < CPUS; c++)
		pthread_create(&t[c], NULL, cpu_main, (void *)c);
	watch();
	CHECK(all_run());
	WRITE_ONCE(stop, true);
	for (int c = 0; c < CPUS; c++)
		pthread_join(t[c], NULL);
	CHECK(all_turns() > 10000);
}

int main(void)
{
	alarm(120);		/* a deadlock ends here */
	RUN(chaos);
	return test_done();
}
