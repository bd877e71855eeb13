/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: bind, close, send, unmask, move and reset of event channels from two
 * vCPUs at once neither crash nor leave a port that cannot be used again.
 * Guards XSA-343, XSA-344, XSA-358, XSA-359.
 * cpus: 2
 */
#include "lib/guest.h"

static volatile u32 stop, stopped, up;
static u32 done[2], failed[2];

static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static long one(u64 r)
{
	u32 port = 1 + (r >> 8 & 15), vcpu = r >> 16 & 1;
	struct evtchn_bind_ipi ipi = { .vcpu = vcpu };
	struct evtchn_alloc_unbound un = {
		.dom = DOMID_SELF, .remote_dom = DOMID_SELF,
	};
	struct evtchn_bind_interdomain in = {
		.remote_dom = DOMID_SELF, .remote_port = port,
	};
	struct evtchn_bind_virq virq = { .virq = r >> 20 & 31, .vcpu = vcpu };
	struct evtchn_bind_vcpu move = { .port = port, .vcpu = vcpu };
	struct evtchn_close close = { .port = port };
	struct evtchn_unmask unmask = { .port = port };
	struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
	struct evtchn_reset reset = { .dom = DOMID_SELF };
	struct sched_poll poll = {
		.ports = (u64)&port, .nr_ports = 1, .timeout = 1,
	};

	switch (r & 15) {
	case 0:
		return EVTCHN(bind_ipi, &ipi);
	case 1:
		return EVTCHN(alloc_unbound, &un);
	case 2 ... 3:
		return EVTCHN(bind_interdomain, &in);
	case 4:
		return EVTCHN(bind_virq, &virq);
	case 5:
		return EVTCHN(bind_vcpu, &move);
	case 6 ... 7:
		return EVTCHN(close, &close);
	case 8:
		return EVTCHN(unmask, &unmask);
	case 9:
		return EVTCHN(status, &status);
	case 10:
		return HC(sched_op, SCHEDOP_poll, &poll, 0, 0);
	case 11:
		return r >> 40 & 63 ? 0 : EVTCHN(reset, &reset);
	default:
		return port_send(port);
	}
}

static void run(int who, u64 r)
{
	if (one(r))
		failed[who]++;
	else
		done[who]++;
	port_clear(1 + (r >> 30 & 15));
}

static void second(void)
{
	u64 state = 987654321;

	up = 1;
	while (!stop)
		run(1, next(&state));
	stopped = 1;
	for (;;)
		HC(vcpu_op, VCPUOP_down, 1, 0, 0);
}

void guest_main(void)
{
	struct evtchn_reset reset = { .dom = DOMID_SELF };
	u64 end, state = 12345;
	u32 port;

	timer_stop_periodic();
	CHECK_EQ(vcpu_start(1, second), 0);
	CHECK(wait_for(&up, 1));
	end = now_ns() + 4000 * MS;
	while (now_ns() < end ||
	       (done[0] <= 1000 && now_ns() < end + PATIENCE))
		run(0, next(&state));
	stop = 1;
	CHECK(wait_for(&stopped, 1));
	print("NOTE done %u, refused %u\n", done[0] + done[1],
	      failed[0] + failed[1]);
	CHECK(done[0] > 1000);
	CHECK_EQ(EVTCHN(reset, &reset), 0);
	for (int i = 0; i < 40; i++) {
		port = bind_ipi(0);
		CHECK(port > 0 && port < 64);
		port_clear(port);
		CHECK_EQ(port_send(port), 0);
		CHECK(port_pending(port));
	}
}
