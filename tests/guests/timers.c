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

#define MS 1000000UL

static void fires_in(u64 when, u64 least, u64 most)
{
	u64 start = now_ns(), took;

	CHECK_EQ(timer_set(when), 0);
	while (!ticks && now_ns() < start + 2000 * MS)
		HC(sched_op, SCHEDOP_block, 0, 0, 0);
	took = now_ns() - start;
	CHECK_EQ(ticks, 1);
	CHECK(took >= least);
	if (took > most)
		print("took %lu us\n", took / 1000);
	CHECK(took <= most);
	ticks = 0;
}

static void singleshot(void)
{
	fires_in(now_ns() + 10 * MS, 9 * MS, 200 * MS);
	fires_in(now_ns() + 1 * MS, 0, 200 * MS);
	fires_in(1, 0, 100 * MS);			/* past */
	fires_in(now_ns(), 0, 100 * MS);
	CHECK_EQ(timer_set(now_ns() + 20 * MS), 0);
	CHECK_EQ(HC(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0, 0), 0);
	spin_ns(60 * MS);
	CHECK_EQ(ticks, 0);
	CHECK_EQ(timer_set(~0UL), 0);		/* far away */
	CHECK_EQ(timer_set(1UL << 62), 0);
	spin_ns(5 * MS);
	CHECK_EQ(HC(vcpu_op, VCPUOP_set_singleshot_timer, 0, 0x7000, 0),
		 -XEN_EFAULT);
	CHECK(HC(vcpu_op, VCPUOP_set_singleshot_timer, 1, &port, 0) < 0);
	ticks = 0;
	CHECK_EQ(HC(set_timer_op, now_ns() + 5 * MS, 0, 0, 0), 0);
	spin_ns(100 * MS);
	CHECK_EQ(ticks, 1);
	CHECK_EQ(HC(set_timer_op, now_ns() + 5 * MS, 0, 0, 0), 0);
	CHECK_EQ(HC(set_timer_op, 0, 0, 0, 0), 0);
	spin_ns(50 * MS);
	CHECK_EQ(ticks, 1);
}

static void periodic(void)
{
	struct vcpu_set_periodic_timer p = { .period_ns = 5 * MS };

	ticks = 0;
	CHECK_EQ(HC(vcpu_op, VCPUOP_set_periodic_timer, 0, &p, 0), 0);
	spin_ns(200 * MS);
	CHECK(ticks >= 10 && ticks <= 45);
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

static void polls(void)
{
	u32 other = bind_ipi(0), list[2] = { other, port };
	struct sched_poll p = { .ports = (u64)list, .nr_ports = 2 };
	u64 start = now_ns();

	VCPU0->evtchn_upcall_mask = 1;
	p.timeout = start + 10 * MS;
	CHECK_EQ(HC(sched_op, SCHEDOP_poll, &p, 0, 0), 0);
	CHECK(now_ns() - start >= 9 * MS);
	CHECK(now_ns() - start < 500 * MS);
	port_send(other);			/* masked port: still wakes */
	p.timeout = now_ns() + 5000 * MS;
	start = now_ns();
	CHECK_EQ(HC(sched_op, SCHEDOP_poll, &p, 0, 0), 0);
	CHECK(now_ns() - start < 1000 * MS);
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
	event_handler = upcall;
	memset(shared_info->evtchn_mask, 0xff, 512);
	port = bind_virq(VIRQ_TIMER, 0);
	port_mask(port, false);
	port_clear(port);
	VCPU0->evtchn_upcall_mask = 0;
	spin_ns(100 * MS);
	CHECK(ticks >= 3);			/* 100 Hz from the start */
	CHECK_EQ(timer_stop_periodic(), 0);
	spin_ns(20 * MS);
	ticks = 0;
	singleshot();
	periodic();
	polls();
}
