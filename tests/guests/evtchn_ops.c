/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: every event channel operation works on ports of the right kind,
 * refuses all others with the error that tools know, and a port number of any
 * value never faults.  Guards XSA-221, XSA-317, XSA-338, XSA-342.
 * FIFO event channels are refused by ours (-ENOSYS), Xen has them.
 */
#include "lib/guest.h"

static struct evtchn_status status(u32 port)
{
	struct evtchn_status s = { .dom = DOMID_SELF, .port = port };

	CHECK_EQ(EVTCHN(status, &s), 0);
	return s;
}

static long close(u32 port)
{
	struct evtchn_close c = { .port = port };

	return EVTCHN(close, &c);
}

static void interdomain(void)
{
	struct evtchn_alloc_unbound u = {
		.dom = DOMID_SELF, .remote_dom = DOMID_SELF,
	};
	struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };

	CHECK_EQ(EVTCHN(alloc_unbound, &u), 0);
	CHECK_EQ(status(u.port).status, EVTCHNSTAT_unbound);
	CHECK_EQ(status(u.port).u.unbound.dom, 0);
	CHECK_EQ(port_send(u.port), 0);		/* nobody there */
	b.remote_port = u.port;
	port_mask(u.port + 1, true);
	CHECK_EQ(EVTCHN(bind_interdomain, &b), 0);
	CHECK(port_pending(b.local_port));
	CHECK_EQ(status(u.port).status, EVTCHNSTAT_interdomain);
	CHECK_EQ(status(u.port).u.interdomain.port, b.local_port);
	CHECK_EQ(status(b.local_port).u.interdomain.port, u.port);
	CHECK_EQ(EVTCHN(bind_interdomain, &b), -XEN_EINVAL);
	port_clear(b.local_port);
	CHECK_EQ(port_send(u.port), 0);
	CHECK(port_pending(b.local_port));
	CHECK(!port_pending(u.port));
	CHECK_EQ(close(b.local_port), 0);
	CHECK_EQ(status(u.port).status, EVTCHNSTAT_unbound);
	CHECK_EQ(close(u.port), 0);
	CHECK_EQ(close(u.port), -XEN_EINVAL);
	CHECK_EQ(status(u.port).status, EVTCHNSTAT_closed);
	u.dom = 5;
	CHECK_EQ(EVTCHN(alloc_unbound, &u), -XEN_ESRCH);
	b.remote_dom = 5;
	CHECK_EQ(EVTCHN(bind_interdomain, &b), -XEN_ESRCH);
}

static long virq(u32 n, u32 vcpu)
{
	struct evtchn_bind_virq b = { .virq = n, .vcpu = vcpu };
	long rc = EVTCHN(bind_virq, &b);

	return rc ? rc : (long)b.port;
}

static void virqs(void)
{
	struct evtchn_bind_vcpu v = { 0 };
	long t = virq(VIRQ_TIMER, 0), c = virq(VIRQ_CONSOLE, 0);

	CHECK(t > 0);
	CHECK(c > 0);
	CHECK_EQ(virq(VIRQ_TIMER, 0), -XEN_EEXIST);
	CHECK_EQ(virq(VIRQ_CONSOLE, 0), -XEN_EEXIST);
	CHECK_EQ(virq(VIRQ_DEBUG, 1), -XEN_ENOENT);
	CHECK_EQ(virq(VIRQ_DEBUG, ~0U), -XEN_ENOENT);
	CHECK_EQ(virq(VIRQ_DOM_EXC, 1), -XEN_EINVAL);
	CHECK_EQ(virq(NR_VIRQS, 0), -XEN_EINVAL);
	CHECK_EQ(virq(~0U, 0), -XEN_EINVAL);
	CHECK_EQ(status((u32)t).status, EVTCHNSTAT_virq);
	CHECK_EQ(status((u32)t).u.virq, VIRQ_TIMER);
	CHECK_EQ(port_send((u32)t), -XEN_EINVAL);
	v.port = (u32)t;
	CHECK_EQ(EVTCHN(bind_vcpu, &v), -XEN_EINVAL);
	v.port = (u32)c;
	CHECK_EQ(EVTCHN(bind_vcpu, &v), 0);
	v.vcpu = 9;
	CHECK_EQ(EVTCHN(bind_vcpu, &v), -XEN_ENOENT);
	CHECK_EQ(close((u32)t), 0);
	CHECK_EQ(virq(VIRQ_TIMER, 0), t);
}

static void wild_ports(void)
{
	for (u64 p = 0; p < 1UL << 32; p = p < 4200 ? p + 1 : p * 2 + 7) {
		struct evtchn_status s = { .dom = DOMID_SELF, .port = (u32)p };
		struct evtchn_bind_vcpu v = { .port = (u32)p };
		struct evtchn_bind_interdomain b = {
			.remote_dom = DOMID_SELF, .remote_port = (u32)p,
		};
		struct evtchn_unmask u = { .port = (u32)p };

		if (!EVTCHN(status, &s) && s.status)
			continue;			/* one of ours */
		CHECK(close((u32)p) < 0);
		CHECK(port_send((u32)p) < 0);
		CHECK(EVTCHN(bind_vcpu, &v) < 0);
		CHECK(EVTCHN(bind_interdomain, &b) < 0);
		EVTCHN(unmask, &u);
	}
}

void guest_main(void)
{
	u32 ipi = bind_ipi(0);
	struct evtchn_bind_ipi bad = { .vcpu = 77 };
	struct evtchn_reset r = { .dom = DOMID_SELF };

	timer_stop_periodic();
	interdomain();
	virqs();
	CHECK_EQ(status(ipi).status, EVTCHNSTAT_ipi);
	CHECK_EQ(EVTCHN(bind_ipi, &bad), -XEN_ENOENT);
	wild_ports();
	CHECK_EQ(hypercall(32, 77, (u64)&r, 0, 0, 0), -XEN_ENOSYS);
	CHECK_EQ(hypercall(32, 3, 0x7000, 0, 0, 0), -XEN_EFAULT);
	CHECK_EQ(hypercall(32, 3, 0xffff830000000000, 0, 0, 0), -XEN_EFAULT);
	CHECK_EQ(EVTCHN(reset, &r), 0);
	CHECK_EQ(status(ipi).status, EVTCHNSTAT_closed);
	CHECK(virq(VIRQ_TIMER, 0) > 0);
}
