/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: singleshot and periodic timers and set_timer_op() raise VIRQ_TIMER
 * not before their time and soon after it; a deadline in the past fires at
 * once; a stopped one never; block and poll wait no longer than needed.
 */
#include "lib/guest.h"

static volatile u32 ticks;
static u32 port;

static void upcall(struct guest_frame *f)
{
	(void)f;
	VCPU0->evtchn_upcall_pending = 0;
	__atomic_exchange_n(&VCPU0->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	if (port_pending(port)) {
		port_clear(port);
		ticks++;
	}
}

/* Sleeps until there was a tick: masked while it looks, or it might miss it. */
static bool sleep_for_tick(void)
{
	u64 end = now_ns() + PATIENCE;

	VCPU0->evtchn_upcall_mask = 1;
	while (!ticks && now_ns() < end) {
		HC(sched_op, SCHEDOP_block, 0, 0, 0);
		VCPU0->evtchn_upcall_mask = 1;
	}
	VCPU0->evtchn_upcall_mask = 0;
	return ticks;
}

static void fires(bool past, u64 after, u64 most)
{
	u64 took = ~0UL;

	for (int i = 0; i < TRIES && took > most; i++) {
		u64 start = now_ns(), when = past ? after : start + after;

		ticks = 0;
		CHECK_EQ(timer_set(when), 0);
		CHECK(sleep_for_tick());
		took = now_ns() - start;
		CHECK_EQ(ticks, 1);
		CHECK(now_ns() + MS >= when);
	}
	if (took > most)
		print("took %lu us\n", took / 1000);
	CHECK(took <= most);
	ticks = 0;
}

/* Set and stopped before its time: again if that has passed meanwhile. */
static void stopped(bool by_timer_op)
{
	u64 when;

	do {
		ticks = 0;
		when = now_ns() + 20 * MS;
		if (by_timer_op) {
			CHECK_EQ(HC(set_timer_op, when, 0, 0, 0), 0);
			CHECK_EQ(HC(set_timer_op, 0, 0, 0, 0), 0);
		} else {
			CHECK_EQ(timer_set(when), 0);
			CHECK_EQ(HC(vcpu_op, VCPUOP_stop_singleshot_timer, 0,
				    0, 0), 0);
		}
	} while (now_ns() >= when);
	spin_ns(60 * MS);
	CHECK_EQ(ticks, 0);
}

static void singleshot(void)
{
	fires(false, 10 * MS, 200 * MS);
	fires(false, 1 * MS, 200 * MS);
	fires(true, 1, 100 * MS);
	fires(false, 0, 100 * MS);
	stopped(false);
	CHECK_EQ(timer_set(~0UL), 0);		/* far away */
	CHECK_EQ(timer_set(1UL << 62), 0);
	spin_ns(5 * MS);
	CHECK_EQ(HC(vcpu_op, VCPUOP_set_singleshot_timer, 0, 0x7000, 0),
		 -XEN_EFAULT);
	CHECK(HC(vcpu_op, VCPUOP_set_singleshot_timer, 1, &port, 0) < 0);
	ticks = 0;
	CHECK_EQ(HC(set_timer_op, now_ns() + 5 * MS, 0, 0, 0), 0);
	CHECK(wait_for(&ticks, 1));
	spin_ns(50 * MS);
	CHECK_EQ(ticks, 1);
	stopped(true);
}

/* Counts ticks for at least ns: no more than time for them. */
static u32 count_ticks(u64 ns, u64 period)
{
	u64 start = now_ns();
	u32 n;

	ticks = 0;
	spin_ns(ns);
	n = ticks;
	CHECK(n <= (now_ns() - start) / period + 5);
	return n;
}

static void periodic(void)
{
	struct vcpu_set_periodic_timer p = { .period_ns = 5 * MS };
	u32 n = 0;

	CHECK_EQ(HC(vcpu_op, VCPUOP_set_periodic_timer, 0, &p, 0), 0);
	for (int i = 0; i < TRIES && n < 10; i++)
		n = count_ticks(200 * MS, 5 * MS);
	CHECK(n >= 10);
	CHECK_EQ(timer_stop_periodic(), 0);
	spin_ns(20 * MS);
	ticks = 0;
	spin_ns(50 * MS);
	CHECK_EQ(ticks, 0);
	p.period_ns = 1000;
	CHECK_EQ(HC(vcpu_op, VCPUOP_set_periodic_timer, 0, &p, 0),
		 -XEN_EINVAL);
	p.period_ns = 1UL << 62;
	CHECK_EQ(HC(vcpu_op, VCPUOP_set_periodic_timer, 0, &p, 0),
		 -XEN_EINVAL);
}

/* How long it waits; the least of some tries, until that is below most. */
static u64 poll_time(struct sched_poll *p, u64 timeout, u64 most)
{
	u64 least = ~0UL;

	for (int i = 0; i < TRIES && least >= most; i++) {
		u64 start = now_ns(), took;

		p->timeout = start + timeout;
		CHECK_EQ(HC(sched_op, SCHEDOP_poll, p, 0, 0), 0);
		took = now_ns() - start;
		if (took < least)
			least = took;
	}
	return least;
}

static void polls(void)
{
	u32 other = bind_ipi(0), list[2] = { other, port };
	struct sched_poll p = { .ports = (u64)list, .nr_ports = 2 };
	u64 took;

	VCPU0->evtchn_upcall_mask = 1;
	took = poll_time(&p, 10 * MS, 500 * MS);
	CHECK(took >= 9 * MS);
	CHECK(took < 500 * MS);
	port_send(other);			/* masked port: still wakes */
	CHECK(poll_time(&p, 5000 * MS, 1000 * MS) < 1000 * MS);
	port_clear(other);
	port_mask(port, true);
	CHECK_EQ(timer_set(now_ns() + 10 * MS), 0);
	p.timeout = 0;				/* until the event */
	CHECK_EQ(HC(sched_op, SCHEDOP_poll, &p, 0, 0), 0);
	CHECK(port_pending(port));
	list[0] = ~0U;
	CHECK_EQ(HC(sched_op, SCHEDOP_poll, &p, 0, 0), -XEN_EINVAL);
	p.nr_ports = 129;
	CHECK_EQ(HC(sched_op, SCHEDOP_poll, &p, 0, 0), -XEN_EINVAL);
	p.nr_ports = 1;
	p.ports = 0x7000;
	CHECK_EQ(HC(sched_op, SCHEDOP_poll, &p, 0, 0), -XEN_EFAULT);
}

void guest_main(void)
{
	u32 n = 0;

	event_handler = upcall;
	memset(shared_info->evtchn_mask, 0xff, 512);
	port = bind_virq(VIRQ_TIMER, 0);
	port_mask(port, false);
	port_clear(port);
	VCPU0->evtchn_upcall_mask = 0;
	for (int i = 0; i < TRIES && n < 3; i++)
		n = count_ticks(100 * MS, 10 * MS);
	CHECK(n >= 3);				/* 100 Hz from the start */
	CHECK_EQ(timer_stop_periodic(), 0);
	spin_ns(20 * MS);
	ticks = 0;
	singleshot();
	periodic();
	polls();
}
