/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scheduler's claims, on simulated CPUs in virtual time, with the real
 * timers: shares follow weights within 4 %, also across CPUs and under
 * pinning; caps hold; nobody runs on two CPUs, or where it may not; no CPU
 * idles while somebody could run there; a sleeper is served at once; no
 * wake-up is lost in yield, block and poll.  After every step the queues are
 * compared with who ought to run.
 *
 * A vCPU computes for `run` ns, then sleeps for `sleep` ns (0: never sleeps).
 */
#include "test.h"
#include "host.h"
#include <meanwhile.h>
#include "../../xen/sched/sched.c"

#define MS	NS_PER_MS
#define MAXV	96

static unsigned int sim_cpu, sim_cpus;
static u64 now, deadline[NR_CPUS];
static struct vcpu idle_vcpu[NR_CPUS];
static struct domain idle_domain, *domains[MAXV];
static unsigned int nr_domains;

struct sim {
	struct vcpu v;
	struct vcpu_info info;
	u64 run, sleep;		/* behaviour */
	u64 left;		/* ns until it blocks */
	u64 wake_at;		/* NEVER: runs or waits to */
	u64 yield_every, yield_left;
	struct sim *successor;	/* whom it wakes when it goes to sleep */
	u64 woken_at, worst_latency, ran;
	int on;			/* CPU where it is loaded, -1 nowhere */
};
static struct sim *sims[MAXV];
static unsigned int nr_sims;
static unsigned int virqs, shutdowns, ipis;
static u32 pending_port;
void (*meanwhile)(void);
const void *meanwhile_at;

cpumask_t cpus_online;
struct domain *dom0, *domain_list;

struct cpu *this_cpu(void)
{
	return &host_cpu[sim_cpu];
}

u64 clock_ns(void)
{
	return now;
}

void apic_set_deadline(u64 ns)
{
	deadline[sim_cpu] = ns;
}

void apic_send_ipi(unsigned int cpu, u32 vector)
{
	CHECK(cpu != sim_cpu);
	ipis++;
}

static struct sim *sim_of(struct vcpu *v)
{
	return container_of(v, struct sim, v);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	CHECK(this_cpu()->curr == prev);
	CHECK_EQ(host_locks_held, 0);
	this_cpu()->curr = next;
	if (!prev->is_idle) {
		CHECK_EQ(sim_of(prev)->on, sim_cpu);
		sim_of(prev)->on = -1;
	}
	if (!next->is_idle) {
		struct sim *s = sim_of(next);

		CHECK_EQ(s->on, -1);
		CHECK(next->sched.running);
		CHECK(may_run_on(next, sim_cpu));
		s->on = (int)sim_cpu;
		if (s->woken_at) {
			u64 waited = now - s->woken_at;

			if (waited > s->worst_latency)
				s->worst_latency = waited;
			s->woken_at = 0;
		}
	}
}

void context_sync(struct vcpu *v)
{
}

void cr3_load(u64 cr3, bool flush_global)
{
}

void vcpu_time_update(struct vcpu *v)
{
}

void virq_raise_vcpu(struct vcpu *v, unsigned int virq)
{
	virqs++;
	v->vcpu_info->evtchn_upcall_pending = 1;
	vcpu_kick(v);
}

int evtchn_port_pending(struct domain *d, u32 port)
{
	if (!port || port > 100)
		return -XEN_EINVAL;
	return port == pending_port;
}

void domain_shutdown(struct domain *d, u8 reason)
{
	shutdowns++;
}

struct domain *domain_get(domid_t id)
{
	return id < nr_domains ? domains[id] : NULL;
}

void domain_put(struct domain *d)
{
}

/* --- the machine --------------------------------------------------------- */

static void start(unsigned int cpus)
{
	for (unsigned int i = 0; i < nr_sims; i++)
		sims[i]->v.pause_flags |= VPF_SUSPENDED;
	sim_cpu = 0;
	while (nr_sims) {
		sched_destroy_vcpu(&sims[--nr_sims]->v);
		free(sims[nr_sims]);
	}
	while (nr_domains) {
		sched_destroy_domain(domains[--nr_domains]);
		free(domains[nr_domains]);
	}
	for (unsigned int c = 0; c < sim_cpus; c++)
		timer_stop(&pcpus[c].slice_timer);
	for (unsigned int c = 0; c < sim_cpus; c++)
		CHECK(!pcpus[c].waiting);
	memset(pcpus, 0, sizeof(pcpus));
	memset(host_cpu, 0, sizeof(host_cpu));
	CHECK(!nr_waiting);
	idle_cpus = 0;
	now = 1;
	sim_cpus = cpus;
	cpus_online = cpus == 64 ? ~0UL : (1UL << cpus) - 1;
	virqs = shutdowns = pending_port = 0;
	for (unsigned int c = 0; c < cpus; c++) {
		idle_vcpu[c] = (struct vcpu){
			.is_idle = 1, .id = c, .domain = &idle_domain,
		};
		host_cpu[c].id = c;
		host_cpu[c].curr = &idle_vcpu[c];
		deadline[c] = NEVER;
	}
	for (sim_cpu = 0; sim_cpu < cpus; sim_cpu++)
		timer_run_this();
	sim_cpu = 0;
	slice_ns = 30 * MS;
	ratelimit_ns = MS;
	sched_init_cpu(smp_processor_id());
	for (unsigned int c = 1; c < cpus; c++)
		sched_init_cpu(c);
}

static void credit_adjust_domain(struct domain *d, u16 weight, u16 cap)
{
	struct xen_domctl_scheduler_op op = {
		.sched_id = XEN_SCHEDULER_CREDIT,
		.cmd = XEN_DOMCTL_SCHEDOP_putinfo,
		.u.credit = { .weight = weight, .cap = cap },
	};

	CHECK_EQ(sched_domain_adjust(d, &op), 0);
}

static struct domain *add_domain(u32 weight, u32 cap)
{
	struct domain *d = calloc(1, sizeof(*d));

	d->id = (domid_t)nr_domains;
	d->max_vcpus = MAX_VCPUS;
	d->shutdown_code = SHUTDOWN_CODE_NONE;
	sched_init_domain(d);
	credit_adjust_domain(d, (u16)weight, (u16)cap);
	domains[nr_domains++] = d;
	return d;
}

static struct sim *add_vcpu(struct domain *d, u64 run, u64 sleep,
			    cpumask_t affinity)
{
	struct sim *s = calloc(1, sizeof(*s));
	unsigned int id = 0;

	while (d->vcpu[id])
		id++;
	s->v.domain = d;
	s->v.id = id;
	s->v.in_kernel = 1;
	s->v.vcpu_info = &s->info;
	s->v.pause_flags = VPF_DOWN;
	s->run = s->left = run;
	s->sleep = sleep;
	s->wake_at = NEVER;
	s->on = -1;
	d->vcpu[id] = &s->v;
	sims[nr_sims++] = s;
	sched_init_vcpu(&s->v);
	s->v.timers.period_ns = 0;
	CHECK_EQ(vcpu_set_affinity(&s->v, affinity, ~0UL), 0);
	atomic_and(&s->v.pause_flags, ~VPF_DOWN);
	vcpu_wake(&s->v);
	return s;
}

/* What exit_work() does, on all CPUs until nothing is left. */
static void settle(void)
{
	bool again = true;
	unsigned int rounds = 0;

	while (again) {
		again = false;
		for (unsigned int c = 0; c < sim_cpus; c++) {
			u32 work;

			sim_cpu = c;
			work = xchg(&host_cpu[c].work, 0);
			if (!work)
				continue;
			again = true;
			if (work & WORK_TIMER)
				timer_run_this();
			if (work & WORK_SCHED)
				schedule();
		}
		if (++rounds > 1000) {
			CHECK(!"endless rescheduling");
			return;
		}
	}
}

/* The invariants of a quiet moment. */
static void audit(void)
{
	struct vcpu *v;
	unsigned int active = 0, counted = 0, n = 0;
	cpumask_t idle = 0;

	CHECK_EQ(host_locks_held, 0);
	for (unsigned int c = 0; c < sim_cpus; c++) {
		CHECK(pcpus[c].curr == host_cpu[c].curr);
		if (pcpus[c].curr->is_idle)
			idle |= 1UL << c;
		for (v = pcpus[c].waiting; v; v = v->sched.next, n++) {
			CHECK(v->sched.on_queue && vcpu_runnable(v));
			CHECK(!v->sched.running && v->sched.cpu == c);
		}
	}
	CHECK_EQ(nr_waiting, n);
	CHECK_EQ(idle_cpus & cpus_online, idle);
	for (unsigned int i = 0; i < nr_sims; i++) {
		struct domain_sched *d;
		bool wants;

		v = &sims[i]->v;
		d = &v->domain->sched;
		wants = vcpu_runnable(v);
		CHECK_EQ(v->sched.running, sims[i]->on >= 0);
		CHECK_EQ(v->sched.rs.state <= RUNSTATE_runnable, wants);
		CHECK_EQ(wants, v->sched.running + v->sched.on_queue);
		/* Work-conserving. */
		if (v->sched.on_queue && (!d->cap || d->budget > 0))
			CHECK_EQ(idle & v->sched.affinity, 0);
		active += wants;
	}
	for (unsigned int i = 0; i < nr_domains; i++)
		counted += domains[i]->sched.active;
	CHECK_EQ(counted, active);
}

static u64 next_event(u64 end)
{
	u64 t = end;

	for (unsigned int c = 0; c < sim_cpus; c++)
		if (deadline[c] < t)
			t = max(deadline[c], now);
	for (unsigned int i = 0; i < nr_sims; i++) {
		struct sim *s = sims[i];

		t = min(t, s->wake_at);
		if (s->on < 0)
			continue;
		if (s->sleep)
			t = min(t, now + s->left);
		if (s->yield_every)
			t = min(t, now + s->yield_left);
	}
	return t;
}

static void advance(u64 t)
{
	u64 dt = t - now;

	for (unsigned int i = 0; i < nr_sims; i++) {
		struct sim *s = sims[i];

		if (s->on < 0)
			continue;
		s->ran += dt;
		if (s->sleep)
			s->left -= dt;
		if (s->yield_every)
			s->yield_left -= dt;
	}
	now = t;
}

static void guests_act(void)
{
	for (unsigned int i = 0; i < nr_sims; i++) {
		struct sim *s = sims[i];

		if (s->on >= 0 && s->sleep && !s->left) {
			sim_cpu = (unsigned int)s->on;
			s->info.evtchn_upcall_pending = 0;
			vcpu_block_current();
			s->wake_at = s->successor ? NEVER : now + s->sleep;
			if (s->successor)
				s->successor->wake_at = now;
			s->left = s->run;
			settle();
		}
		if (s->on >= 0 && s->yield_every && !s->yield_left) {
			sim_cpu = (unsigned int)s->on;
			vcpu_yield_current();
			s->yield_left = s->yield_every;
			settle();
		}
		if (s->wake_at <= now) {
			sim_cpu = (unsigned int)(test_random() % sim_cpus);
			s->wake_at = NEVER;
			s->woken_at = now;
			vcpu_kick(&s->v);
			settle();
		}
	}
}

static void simulate(u64 ns)
{
	u64 end = now + ns;

	settle();
	while (now < end && !test_bad) {
		advance(next_event(end));
		for (unsigned int c = 0; c < sim_cpus; c++)
			if (deadline[c] <= now) {
				deadline[c] = NEVER;
				host_cpu[c].work |= WORK_TIMER;
			}
		settle();
		guests_act();
		audit();
	}
	sim_cpu = 0;
}

static void restart_counts(void)
{
	for (unsigned int i = 0; i < nr_sims; i++)
		sims[i]->ran = sims[i]->worst_latency = 0;
}

/* ran is within 4 % of what it should be. */
#define CHECK_SHARE(ran_, want_) do { \
	u64 r_ = (ran_), w_ = (want_); \
	if (r_ < w_ * 96 / 100 || r_ > w_ * 104 / 100) { \
		test_bad++; \
		printf("%s:%d: %s: %s is %lu us, want %lu us\n", __FILE__, \
		       __LINE__, __func__, #ran_, r_ / 1000, w_ / 1000); \
	} } while (0)

/* --- shares -------------------------------------------------------------- */

static void weights_one_cpu(void)
{
	static const u32 w[4] = { 256, 512, 128, 1024 };
	struct sim *s[4];

	start(1);
	for (int i = 0; i < 4; i++)
		s[i] = add_vcpu(add_domain(w[i], 0), MS, 0, ~0UL);
	simulate(10000 * MS);
	for (int i = 0; i < 4; i++)
		CHECK_SHARE(s[i]->ran, 10000 * MS * w[i] / 1920);
	/* What the accounts say is what happened. */
	for (int i = 0; i < 4; i++) {
		CHECK_SHARE(vcpu_cpu_time(&s[i]->v), s[i]->ran);
	}
}

static void extreme_weights(void)
{
	struct sim *a, *b, *c;

	start(1);
	a = add_vcpu(add_domain(65535, 0), MS, 0, ~0UL);
	b = add_vcpu(add_domain(655, 0), MS, 0, ~0UL);
	c = add_vcpu(add_domain(1, 0), MS, 0, ~0UL);
	simulate(100000 * MS);
	CHECK_SHARE(a->ran, 100000 * MS / 66191 * 65535);
	CHECK_SHARE(b->ran, 100000 * MS / 66191 * 655);
	CHECK(c->ran > 0 && c->ran < 10 * MS);
}

/* A domain's weight counts once, however many vCPUs it has. */
static void weight_is_the_domains(void)
{
	struct domain *many;
	struct sim *one;
	u64 total = 0;

	start(1);
	many = add_domain(256, 0);
	for (int i = 0; i < 5; i++)
		add_vcpu(many, MS, 0, ~0UL);
	one = add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	simulate(10000 * MS);
	CHECK_SHARE(one->ran, 5000 * MS);
	for (int i = 0; i < 5; i++)
		total += sim_of(many->vcpu[i])->ran;
	CHECK_SHARE(total, 5000 * MS);
}

/* Three hogs on two CPUs, five on four, ... : everybody the same. */
static void fair_across_cpus(void)
{
	static const unsigned int cpus[] = { 2, 2, 4, 3, 8 };
	static const unsigned int hogs[] = { 3, 5, 5, 7, 13 };

	for (unsigned int k = 0; k < ARRAY_SIZE(cpus); k++) {
		start(cpus[k]);
		for (unsigned int i = 0; i < hogs[k]; i++)
			add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
		simulate(20000 * MS);
		for (unsigned int i = 0; i < hogs[k]; i++)
			CHECK_SHARE(sims[i]->ran,
				    20000 * MS * cpus[k] / hogs[k]);
	}
}

static void weights_across_cpus(void)
{
	static const u32 w[6] = { 256, 256, 512, 256, 512, 256 };

	start(3);
	for (int i = 0; i < 6; i++)
		add_vcpu(add_domain(w[i], 0), MS, 0, ~0UL);
	simulate(30000 * MS);
	for (int i = 0; i < 6; i++)
		CHECK_SHARE(sims[i]->ran, 30000 * MS * 3 * w[i] / 2048);
}

/* A weight that one CPU cannot satisfy does not hurt the rest. */
static void more_weight_than_a_cpu(void)
{
	start(2);
	add_vcpu(add_domain(60000, 0), MS, 0, ~0UL);
	add_vcpu(add_domain(100, 0), MS, 0, ~0UL);
	add_vcpu(add_domain(100, 0), MS, 0, ~0UL);
	simulate(20000 * MS);
	CHECK_SHARE(sims[0]->ran, 20000 * MS);
	CHECK_SHARE(sims[1]->ran, 10000 * MS);
	CHECK_SHARE(sims[2]->ran, 10000 * MS);
}

static void pinned(void)
{
	start(2);
	add_vcpu(add_domain(256, 0), MS, 0, 1);
	add_vcpu(add_domain(512, 0), MS, 0, 1);
	add_vcpu(add_domain(256, 0), MS, 0, 2);
	simulate(20000 * MS);
	CHECK_SHARE(sims[0]->ran, 20000 * MS / 3);
	CHECK_SHARE(sims[1]->ran, 20000 * MS * 2 / 3);
	CHECK_SHARE(sims[2]->ran, 20000 * MS);
	/* The queues' clocks have drifted far apart; then pins are moved. */
	CHECK_EQ(vcpu_set_affinity(&sims[1]->v, 2, ~0UL), 0);
	simulate(300 * MS);
	restart_counts();
	simulate(10000 * MS);
	CHECK_SHARE(sims[0]->ran, 10000 * MS);
	CHECK_SHARE(sims[1]->ran, 10000 * MS * 2 / 3);
	CHECK_SHARE(sims[2]->ran, 10000 * MS / 3);
	CHECK_EQ(vcpu_set_affinity(&sims[0]->v, 1UL << 5, ~0UL), -XEN_EINVAL);
	/* ... and removed. */
	for (int i = 0; i < 3; i++)
		vcpu_set_affinity(&sims[i]->v, ~0UL, ~0UL);
	simulate(1000 * MS);
	restart_counts();
	simulate(10000 * MS);
	CHECK_SHARE(sims[0]->ran, 5000 * MS);
	CHECK_SHARE(sims[1]->ran, 10000 * MS);
	CHECK_SHARE(sims[2]->ran, 5000 * MS);
}

/* --- caps ---------------------------------------------------------------- */

static void caps(void)
{
	struct domain *d;

	start(2);
	add_vcpu(add_domain(256, 25), MS, 0, ~0UL);	/* idle machine */
	simulate(10000 * MS);
	CHECK_SHARE(sims[0]->ran, 2500 * MS);
	CHECK_SHARE(vcpu_cpu_time(&sims[0]->v), 2500 * MS);

	start(4);
	d = add_domain(256, 150);			/* over four vCPUs */
	for (int i = 0; i < 4; i++)
		add_vcpu(d, MS, 0, ~0UL);
	simulate(10000 * MS);
	CHECK_SHARE(sims[0]->ran + sims[1]->ran + sims[2]->ran + sims[3]->ran,
		    15000 * MS);

	start(1);					/* the rest to others */
	add_vcpu(add_domain(1024, 10), MS, 0, ~0UL);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	simulate(10000 * MS);
	CHECK_SHARE(sims[0]->ran, 1000 * MS);
	CHECK_SHARE(sims[1]->ran, 9000 * MS);
	/* A cap that is lifted, and one that comes later. */
	credit_adjust_domain(domains[0], 0, 0);
	credit_adjust_domain(domains[1], 0, 20);
	simulate(100 * MS);
	restart_counts();
	simulate(10000 * MS);
	CHECK_SHARE(sims[0]->ran, 8000 * MS);
	CHECK_SHARE(sims[1]->ran, 2000 * MS);
}

/* --- sleepers ------------------------------------------------------------ */

/* Against hogs, a light sleeper waits at most for the rate limit. */
static void wake_latency(void)
{
	struct sim *s;

	start(1);
	for (int i = 0; i < 3; i++)
		add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	s = add_vcpu(add_domain(256, 0), MS / 5, 7 * MS, ~0UL);
	simulate(1000 * MS);
	restart_counts();
	simulate(5000 * MS);
	CHECK(s->worst_latency <= MS);
	CHECK(s->ran > 5000 * MS / 8 * 2 / 10);
	for (int i = 0; i < 3; i++)
		CHECK_SHARE(sims[i]->ran, (5000 * MS - s->ran) / 3);

	start(2);			/* an idle CPU: at once */
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	s = add_vcpu(add_domain(256, 0), MS / 5, 3 * MS, ~0UL);
	simulate(1000 * MS);
	CHECK_EQ(s->worst_latency, 0);
	CHECK_SHARE(sims[0]->ran, 1000 * MS);
}

/* Sleeping cleverly gives no more than the fair share. */
static void no_gain_by_sleeping(void)
{
	static const u64 sleep[] = { MS / 10, MS, 5 * MS, 14 * MS };
	static const u64 run[] = { MS, 9 * MS, 29 * MS, 100 * MS };

	for (unsigned int i = 0; i < ARRAY_SIZE(sleep); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(run); j++) {
			start(1);
			add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
			add_vcpu(add_domain(256, 0), run[j], sleep[i], ~0UL);
			simulate(5000 * MS);
			CHECK(sims[1]->ran <= 5000 * MS * 52 / 100);
			CHECK(sims[0]->ran >= 5000 * MS * 48 / 100);
		}
}

/* Nor do vCPUs that run one after another, each with what it is granted for
 * having slept, get more than their domain's share.  All of them run as long,
 * or every second one only for a moment. */
static void no_gain_by_turns(void)
{
	static const u64 run[] = { MS, 9 * MS, 14 * MS, 29 * MS };
	struct domain *turns;
	u64 other;

	for (unsigned int n = 2; n <= 16; n *= 2)
		for (unsigned int i = 0; i < 2 * ARRAY_SIZE(run); i++) {
			start(1);
			add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
			turns = add_domain(256, 0);
			other = i & 1 ? MS / 10 : run[i / 2];
			for (unsigned int k = 1; k <= n; k++) {
				add_vcpu(turns, k & 1 ? run[i / 2] : other, MS,
					 ~0UL);
				sims[k]->successor = sims[k - 1];
			}
			sims[1]->successor = sims[n];
			simulate(1000 * MS);
			restart_counts();
			simulate(5000 * MS);
			CHECK(sims[0]->ran >= 5000 * MS * 48 / 100);
		}
}

/* A domain that computes with one vCPU is served at once by another. */
static void latency_beside_hog(void)
{
	struct domain *d;
	struct sim *s;

	start(1);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	d = add_domain(256, 0);
	add_vcpu(d, MS, 0, ~0UL);
	s = add_vcpu(d, MS / 5, 7 * MS, ~0UL);
	simulate(1000 * MS);
	restart_counts();
	simulate(5000 * MS);
	CHECK(s->worst_latency <= MS);
}

/* Nor does it matter how far a CPU's virtual time has come without it. */
static void latency_after_years(void)
{
	struct sim *s;

	for (u64 years = 1UL << 62; years; years += 1UL << 62) {
		start(1);
		s = add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
		simulate(100 * MS);
		pcpus[0].min_vtime += years;
		s->v.sched.vtime += years;
		s = add_vcpu(add_domain(256, 0), MS / 5, 7 * MS, ~0UL);
		simulate(1000 * MS);
		restart_counts();
		simulate(5000 * MS);
		CHECK(s->worst_latency <= MS);
	}
}

/* A vCPU that another one starts and stops again before its CPU has looked
 * does not make that look each time. */
static void down_and_up(void)
{
	struct domain *d;
	struct vcpu *v;

	start(2);
	d = add_domain(256, 0);
	add_vcpu(d, MS, 0, 1);
	v = &add_vcpu(d, MS, 0, 2)->v;
	add_vcpu(add_domain(256, 0), MS, 0, 2);
	atomic_or(&v->pause_flags, VPF_DOWN);
	vcpu_sleep(v);
	simulate(1000 * MS);
	ipis = 0;
	for (int i = 0; i < 10000; i++) {
		atomic_and(&v->pause_flags, ~VPF_DOWN);
		vcpu_wake(v);
		atomic_or(&v->pause_flags, VPF_DOWN);
		vcpu_sleep(v);
		simulate(MS / 100);
	}
	CHECK(ipis <= 20);
}

/* Spinning guests that yield do not starve, nor gain. */
static void yielding(void)
{
	struct sim *s;

	start(1);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	s = add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	s->yield_every = s->yield_left = MS / 20;
	simulate(5000 * MS);
	CHECK(sims[0]->ran >= 2500 * MS);
	CHECK(s->ran > 100 * MS);
	/* Alone, a yield costs nothing, not even a call of schedule(). */
	start(1);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	simulate(MS);
	vcpu_yield_current();
	CHECK_EQ(this_cpu()->work, 0);
}

/* --- chaos --------------------------------------------------------------- */

static void random_pauses(void)
{
	start(4);
	for (int i = 0; i < 24; i++)
		add_vcpu(i % 3 ? domains[nr_domains - 1]
			       : add_domain(64 + 100 * i, i % 2 ? 0 : 70),
			 test_random() % (10 * MS) + 1,
			 i % 4 ? test_random() % (20 * MS) + 1 : 0, ~0UL);
	for (int round = 0; round < 20000 && !test_bad; round++) {
		struct sim *s = sims[test_random() % nr_sims];
		struct vcpu *v = &s->v;

		sim_cpu = (unsigned int)(test_random() % sim_cpus);
		switch (test_random() % 6) {
		case 0:
			atomic_or(&v->pause_flags, VPF_SUSPENDED);
			vcpu_sleep(v);
			settle();
			if (v != this_cpu()->curr)
				vcpu_sleep_sync(v);
			CHECK(!v->sched.running);
			break;
		case 1:
			atomic_and(&v->pause_flags, ~VPF_SUSPENDED);
			vcpu_wake(v);
			break;
		case 2:
			vcpu_set_affinity(v, test_random() % 15 + 1,
					  test_random());
			break;
		case 3:
			vcpu_wake(v);		/* for nothing */
			vcpu_kick(v);
			s->wake_at = NEVER;
			break;
		case 4:
			credit_adjust_domain(v->domain,
					     (u16)(test_random() % 1000),
					     (u16)(test_random() % 2 ? 0 :
						   test_random() % 200 + 1));
			break;
		}
		simulate(test_random() % (3 * MS) + 1);
	}
	/* Nobody has been forgotten. */
	for (unsigned int i = 0; i < nr_domains; i++)
		credit_adjust_domain(domains[i], 256, 0);
	for (unsigned int i = 0; i < nr_sims; i++) {
		sims[i]->v.pause_flags &= ~VPF_SUSPENDED;
		sims[i]->sleep = 0;
		vcpu_set_affinity(&sims[i]->v, ~0UL, ~0UL);
		vcpu_wake(&sims[i]->v);
		vcpu_kick(&sims[i]->v);
		sims[i]->wake_at = NEVER;
	}
	simulate(2000 * MS);
	restart_counts();
	simulate(20000 * MS);
	for (unsigned int i = 0; i < nr_sims; i++)
		CHECK(sims[i]->ran > 2000 * MS);
}

static void many_cpus(void)
{
	start(64);
	for (int i = 0; i < 96; i++)
		add_vcpu(add_domain(256, 0), 3 * MS, i % 2 ? MS : 0, ~0UL);
	simulate(300 * MS);
	for (int i = 0; i < 96; i++)
		CHECK(sims[i]->ran > 100 * MS);
}

/* --- hypercalls ---------------------------------------------------------- */

static long sched_op(u64 cmd, const void *arg)
{
	return do_sched_op(cmd, (u64)arg, 0, 0, 0, 0);
}

static void block_and_poll(void)
{
	u32 ports[2] = { 7, 9 };
	struct sched_poll p = { .ports = (u64)ports, .nr_ports = 1 };
	struct sim *s;

	start(2);
	s = add_vcpu(add_domain(256, 0), MS, 0, 1);
	simulate(MS);
	CHECK(this_cpu()->curr == &s->v);

	/* An event that came before: block returns at once and unmasks. */
	s->info.evtchn_upcall_mask = 1;
	s->info.evtchn_upcall_pending = 1;
	CHECK_EQ(sched_op(SCHEDOP_block, NULL), 0);
	CHECK_EQ(s->info.evtchn_upcall_mask, 0);
	CHECK_EQ(s->v.pause_flags, 0);
	s->info.evtchn_upcall_pending = 0;
	sched_op(SCHEDOP_block, NULL);
	simulate(MS);
	CHECK(this_cpu()->curr != &s->v);
	CHECK_EQ(s->v.sched.rs.state, RUNSTATE_blocked);
	vcpu_kick(&s->v);
	simulate(MS);
	CHECK(this_cpu()->curr == &s->v);

	/* Poll: pending port, bad port, too many ports, bad pointer. */
	pending_port = 7;
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), 0);
	CHECK_EQ(s->v.pause_flags, 0);
	pending_port = 0;
	ports[0] = 0;
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), -XEN_EINVAL);
	CHECK_EQ(s->v.pause_flags, 0);
	CHECK_EQ(s->v.domain->sched.polling, 0);
	ports[0] = 7;
	p.nr_ports = 129;
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), -XEN_EINVAL);
	p.nr_ports = 1;
	p.ports = 8;
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), -XEN_EFAULT);
	p.ports = (u64)ports;

	/* Sleeps, not woken by another port, woken by its own. */
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), 0);
	simulate(MS);
	CHECK(this_cpu()->curr != &s->v);
	vcpu_poll_wake(s->v.domain, 9);
	simulate(MS);
	CHECK(this_cpu()->curr != &s->v);
	vcpu_poll_wake(s->v.domain, 7);
	simulate(MS);
	CHECK(this_cpu()->curr == &s->v);
	CHECK_EQ(s->v.domain->sched.polling, 0);

	/* Timeout; then an old timeout does not end a new poll. */
	p.timeout = now + 5 * MS;
	sched_op(SCHEDOP_poll, &p);
	simulate(4 * MS);
	CHECK(this_cpu()->curr != &s->v);
	simulate(2 * MS);
	CHECK(this_cpu()->curr == &s->v);
	p.timeout = now + 5 * MS;
	sched_op(SCHEDOP_poll, &p);
	simulate(MS);
	vcpu_poll_wake(s->v.domain, 7);
	simulate(MS);
	p.timeout = 0;
	sched_op(SCHEDOP_poll, &p);
	simulate(20 * MS);
	CHECK(this_cpu()->curr != &s->v);
	vcpu_poll_wake(s->v.domain, 7);
	simulate(MS);
	CHECK(this_cpu()->curr == &s->v);
}

/* The vCPU under test, on CPU 0, finds its port pending and polls again. */
static void poll_again(void)
{
	u32 port = 7;
	struct sched_poll p = { .ports = (u64)&port, .nr_ports = 1 };
	unsigned int cpu = sim_cpu;

	sim_cpu = 0;
	pending_port = 7;
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), 0);
	pending_port = 0;
	CHECK_EQ(sched_op(SCHEDOP_poll, &p), 0);
	sim_cpu = cpu;
}

/* A waker who is slow does not take the bit of the next poll with it, whether
 * he stands still before the vCPU's flag or before its bit. */
static void poll_slow_waker(void)
{
	u32 port = 7;
	struct sched_poll p = { .ports = (u64)&port, .nr_ports = 1 };
	struct sim *s;

	meanwhile = poll_again;
	for (int at_flag = 0; at_flag < 2; at_flag++) {
		start(2);
		s = add_vcpu(add_domain(256, 0), MS, 0, 1);
		simulate(MS);
		CHECK(this_cpu()->curr == &s->v);
		CHECK_EQ(sched_op(SCHEDOP_poll, &p), 0);
		sim_cpu = 1;
		meanwhile_at = at_flag ? (void *)&s->v.pause_flags
				       : (void *)&s->v.domain->sched.polling;
		vcpu_poll_wake(s->v.domain, 7);
		CHECK(!meanwhile_at);
		vcpu_poll_wake(s->v.domain, 7);
		simulate(MS);
		CHECK(this_cpu()->curr == &s->v);
	}
}

static void guest_timers(void)
{
	struct vcpu_set_singleshot_timer one = { 0 };
	struct vcpu_set_periodic_timer every = { 10 };
	struct sim *s, *other;

	start(1);
	s = add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	simulate(MS);
	one.timeout_abs_ns = now - 1;
	CHECK_EQ(vcpu_timer_op(&s->v, VCPUOP_set_singleshot_timer, (u64)&one), 0);
	CHECK_EQ(virqs, 1);
	one.timeout_abs_ns = now + 3 * MS;
	vcpu_timer_op(&s->v, VCPUOP_set_singleshot_timer, (u64)&one);
	simulate(2 * MS);
	CHECK_EQ(virqs, 1);
	/* It wakes a sleeper. */
	s->info.evtchn_upcall_pending = 0;
	vcpu_block_current();
	simulate(2 * MS);
	CHECK_EQ(virqs, 2);
	CHECK(this_cpu()->curr == &s->v);
	one.timeout_abs_ns = now + MS;
	vcpu_timer_op(&s->v, VCPUOP_set_singleshot_timer, (u64)&one);
	vcpu_timer_op(&s->v, VCPUOP_stop_singleshot_timer, 0);
	do_set_timer_op(now + MS, 0, 0, 0, 0, 0);
	do_set_timer_op(0, 0, 0, 0, 0, 0);
	do_set_timer_op(NEVER, 0, 0, 0, 0, 0);
	simulate(5 * MS);
	CHECK_EQ(virqs, 2);
	/* Periodic: not below a millisecond; stops when told. */
	CHECK_EQ(vcpu_timer_op(&s->v, VCPUOP_set_periodic_timer, (u64)&every),
		 -XEN_EINVAL);
	every.period_ns = 10 * MS;
	vcpu_timer_op(&s->v, VCPUOP_set_periodic_timer, (u64)&every);
	simulate(1000 * MS);
	CHECK(virqs >= 101 && virqs <= 103);
	vcpu_timer_op(&s->v, VCPUOP_stop_periodic_timer, 0);
	virqs = 0;
	simulate(100 * MS);
	CHECK_EQ(virqs, 0);
	other = add_vcpu(domains[0], MS, 0, ~0UL);
	CHECK_EQ(vcpu_timer_op(&other->v, VCPUOP_set_singleshot_timer,
			       (u64)&one), -XEN_EINVAL);
	CHECK_EQ(vcpu_timer_op(&s->v, 99, 0), -XEN_ENOSYS);
}

static void watchdogs(void)
{
	struct sched_watchdog w = { .id = 0, .timeout = 2 };

	start(1);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	simulate(MS);
	CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), 1);
	CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), 2);
	CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), -XEN_ENOSPC);
	for (w.id = 1; w.id < 3; w.id++)
		for (int i = 0; i < 5; i++) {
			simulate(500 * MS);
			CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), 0);
		}
	CHECK_EQ(shutdowns, 2);		/* each was let go once, for 2 s */
	w = (struct sched_watchdog){ .id = 2, .timeout = 0 };
	CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), 0);
	CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), -XEN_EINVAL);
	w.id = 3;
	CHECK_EQ(sched_op(SCHEDOP_watchdog, &w), -XEN_EINVAL);
	simulate(5000 * MS);
	CHECK_EQ(shutdowns, 2);
}

static void shutdown_ops(void)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_reboot };
	struct sched_remote_shutdown r = { .domain_id = 0, .reason = 1 };

	start(1);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	simulate(MS);
	CHECK_EQ(sched_op(SCHEDOP_remote_shutdown, &r), -XEN_EPERM);
	domains[0]->is_privileged = true;
	CHECK_EQ(sched_op(SCHEDOP_remote_shutdown, &r), 0);
	r.domain_id = 77;
	CHECK_EQ(sched_op(SCHEDOP_remote_shutdown, &r), -XEN_ESRCH);
	CHECK_EQ(sched_op(SCHEDOP_shutdown_code, &s), 0);
	CHECK_EQ(domains[0]->shutdown_code, SHUTDOWN_reboot);
	CHECK_EQ(sched_op(SCHEDOP_shutdown, &s), 0);
	CHECK_EQ(shutdowns, 2);
	s.reason = 6;
	CHECK_EQ(sched_op(SCHEDOP_shutdown, &s), -XEN_EINVAL);
	CHECK_EQ(sched_op(SCHEDOP_pin_override, &s), -XEN_ENOSYS);
	CHECK_EQ(sched_op(1UL << 40, NULL), -XEN_ENOSYS);
}

static void runstate_area(void)
{
	struct vcpu_runstate_info area = { 0 }, info;
	struct sim *s;
	u64 sum = 0;

	start(1);
	s = add_vcpu(add_domain(256, 0), 3 * MS, 2 * MS, ~0UL);
	add_vcpu(add_domain(256, 0), MS, 0, ~0UL);
	s->v.sched.runstate_gva = (u64)&area;
	s->v.domain->vm_assist = 1UL << VMASST_TYPE_runstate_update_flag;
	simulate(1000 * MS);
	while (s->on < 0)
		simulate(1000);
	CHECK(!(area.state_entry_time & XEN_RUNSTATE_UPDATE));
	CHECK_EQ(area.state_entry_time, s->v.sched.rs.state_entry_time);
	CHECK_EQ(area.state, s->v.sched.rs.state);
	vcpu_runstate(&s->v, &info);
	for (int i = 0; i < 4; i++)
		sum += info.time[i];
	CHECK_EQ(sum, now - 1);
	CHECK_EQ(info.time[RUNSTATE_running], s->ran);
	CHECK(info.time[RUNSTATE_blocked] && info.time[RUNSTATE_runnable]);
	s->v.sched.runstate_gva = 16;		/* faults: ignored */
	simulate(100 * MS);
}

static void parameters(void)
{
	struct xen_domctl_scheduler_op d = {
		.sched_id = XEN_SCHEDULER_CREDIT,
		.cmd = XEN_DOMCTL_SCHEDOP_putinfo,
		.u.credit = { .weight = 0, .cap = 40 },
	};
	struct xen_sysctl_scheduler_op g = {
		.sched_id = XEN_SCHEDULER_CREDIT,
		.cmd = XEN_SYSCTL_SCHEDOP_getinfo,
	};

	start(1);
	add_domain(300, 0);
	CHECK_EQ(sched_domain_adjust(domains[0], &d), 0);
	d.u.credit.weight = 500;
	d.u.credit.cap = 0xffff;
	CHECK_EQ(sched_domain_adjust(domains[0], &d), 0);
	d.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	CHECK_EQ(sched_domain_adjust(domains[0], &d), 0);
	CHECK_EQ(d.u.credit.weight, 500);
	CHECK_EQ(d.u.credit.cap, 40);
	d.cmd = XEN_DOMCTL_SCHEDOP_getvcpuinfo;
	CHECK_EQ(sched_domain_adjust(domains[0], &d), -XEN_EINVAL);
	d.sched_id = XEN_SCHEDULER_CREDIT2;
	CHECK_EQ(sched_domain_adjust(domains[0], &d), -XEN_EINVAL);

	CHECK_EQ(sched_adjust_global(&g), 0);
	CHECK_EQ(g.u.sched_credit.tslice_ms, 30);
	CHECK_EQ(g.u.sched_credit.ratelimit_us, 1000);
	g.cmd = XEN_SYSCTL_SCHEDOP_putinfo;
	g.u.sched_credit.tslice_ms = 5;
	CHECK_EQ(sched_adjust_global(&g), 0);
	CHECK_EQ(slice_ns, 5 * MS);
	g.u.sched_credit.ratelimit_us = 6000;
	CHECK_EQ(sched_adjust_global(&g), -XEN_EINVAL);
	g.u.sched_credit.ratelimit_us = 0;
	CHECK_EQ(sched_adjust_global(&g), 0);
	weights_one_cpu();		/* start() sets the defaults again */
}

int main(void)
{
	RUN(weights_one_cpu);
	RUN(extreme_weights);
	RUN(weight_is_the_domains);
	RUN(fair_across_cpus);
	RUN(weights_across_cpus);
	RUN(more_weight_than_a_cpu);
	RUN(pinned);
	RUN(caps);
	RUN(wake_latency);
	RUN(no_gain_by_sleeping);
	RUN(no_gain_by_turns);
	RUN(latency_beside_hog);
	RUN(latency_after_years);
	RUN(down_and_up);
	RUN(yielding);
	RUN(random_pauses);
	RUN(many_cpus);
	RUN(block_and_poll);
	RUN(poll_slow_waker);
	RUN(guest_timers);
	RUN(watchdogs);
	RUN(shutdown_ops);
	RUN(runstate_area);
	RUN(parameters);
	start(1);
	return test_done();
}
