/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The timers' claims: they fire in order, none early, none twice, none lost,
 * whatever is set, moved or stopped on any CPU; and the hardware of each CPU
 * is always programmed for the earliest.  A naive model runs alongside.
 */
#include "test.h"
#include "host.h"
#include <sched/sched.h>

#define CPUS	4
#define TIMERS	200

static unsigned int self;
static u64 now, deadline[CPUS];
static struct timer timers[TIMERS];
static u64 model[TIMERS];		/* expiry, NEVER if not armed */
static unsigned int model_cpu[TIMERS];
static u64 last_fired;
static unsigned long fired;

struct cpu *this_cpu(void)
{
	return &host_cpu[self];
}

u64 clock_ns(void)
{
	return now;
}

void apic_set_deadline(u64 ns)
{
	deadline[self] = ns;
}

void apic_send_ipi(unsigned int cpu, u32 vector)
{
	CHECK(cpu != self);
}

static void fire(void *arg)
{
	unsigned long i = (unsigned long)arg;

	fired++;
	CHECK(model[i] <= now);
	CHECK_EQ(model_cpu[i], self);
	CHECK(model[i] >= last_fired);
	last_fired = model[i];
	model[i] = NEVER;
	CHECK_EQ(timers[i].expires, NEVER);
	switch (test_random() % 4) {
	case 0:		/* rearm */
		model[i] = now + 1 + test_random() % 1000;
		model_cpu[i] = self;
		timer_set(&timers[i], model[i]);
		break;
	case 1:		/* stop oneself: must not wait */
		timer_stop(&timers[i]);
		break;
	}
}

static void reset(void)
{
	self = 0;
	for (unsigned int i = 0; i < TIMERS && timers[0].fn; i++)
		timer_stop(&timers[i]);
	now = 1000;
	for (unsigned int c = 0; c < CPUS; c++) {
		host_cpu[c].id = c;
		host_cpu[c].work = 0;
		deadline[c] = NEVER;
	}
	for (unsigned long i = 0; i < TIMERS; i++) {
		timer_init(&timers[i], fire, (void *)i);
		model[i] = NEVER;
		model_cpu[i] = 0;
	}
}

/* Serves kicks, so that each CPU's hardware is up to date. */
static void serve_kicks(void)
{
	for (self = 0; self < CPUS; self++)
		while (xchg(&host_cpu[self].work, 0) & WORK_TIMER) {
			last_fired = 0;
			timer_run_this();
		}
}

static u64 model_first(unsigned int cpu)
{
	u64 first = NEVER;

	for (unsigned int i = 0; i < TIMERS; i++)
		if (model_cpu[i] == cpu && model[i] < first)
			first = model[i];
	return first;
}

static void random_ops(void)
{
	reset();
	for (int round = 0; round < 200000; round++) {
		unsigned int i = (unsigned int)(test_random() % TIMERS);

		self = (unsigned int)(test_random() % CPUS);
		switch (test_random() % 8) {
		case 0: case 1: case 2:
			model_cpu[i] = self;
			model[i] = now + test_random() % 2000;
			timer_set(&timers[i], model[i]);
			break;
		case 3:
			timer_stop(&timers[i]);
			model[i] = NEVER;
			break;
		case 4:
			model_cpu[i] = self;
			timer_set(&timers[i], timers[i].expires);
			break;
		case 5:
			timer_set(&timers[i], NEVER);
			model[i] = NEVER;
			break;
		default:
			now += test_random() % 100;
		}
		serve_kicks();
		for (self = 0; self < CPUS; self++) {
			/* A removed root may leave the alarm too early. */
			CHECK(deadline[self] <= model_first(self) ||
			      host_cpu[self].work & WORK_TIMER);
			if (deadline[self] > now)
				continue;
			deadline[self] = NEVER;
			last_fired = 0;
			timer_run_this();
			CHECK_EQ(deadline[self], model_first(self));
			CHECK(model_first(self) > now);
		}
		serve_kicks();
		for (i = 0; i < TIMERS; i++)
			if (timers[i].expires != model[i])
				break;
		CHECK_EQ(i, TIMERS);
		if (test_bad)
			return;
	}
	CHECK(fired > 10000);
	CHECK_EQ(host_locks_held, 0);
}

/* In order, also when thousands are due at once. */
static void all_at_once(void)
{
	reset();
	self = 0;
	fired = 0;
	for (unsigned int i = 0; i < TIMERS; i++) {
		model[i] = 2000 + test_random() % 50;
		timer_set(&timers[i], model[i]);
	}
	now = 5000;
	last_fired = 0;
	timer_run_this();
	CHECK(fired >= TIMERS);
	for (unsigned int i = 0; i < TIMERS; i++)
		timer_stop(&timers[i]);
	deadline[0] = NEVER;	/* an alarm left behind: nothing is due */
	timer_run_this();
	CHECK_EQ(deadline[0], NEVER);
}

int main(void)
{
	RUN(random_ops);
	RUN(all_at_once);
	return test_done();
}
