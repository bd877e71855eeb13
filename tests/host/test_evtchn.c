/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event channels: every operation with good and wild arguments, every error
 * number, delivery step by step, exhaustion, teardown, and a random walk that
 * compares port states with a naive model of who is tied to whom.
 */
#include "test.h"
#include "world.h"
#include <event/port.h>

static unsigned int kicks, polls;
static struct vcpu *kicked;
static u32 poll_port;
static int pirq_bind_rc;
static unsigned int pirqs_bound;
static bool raise_while_binding;

void (*pirq_raise)(struct domain *d, unsigned int pirq);

void vcpu_kick(struct vcpu *v)
{
	kicks++;
	kicked = v;
}

void vcpu_poll_wake(struct domain *d, unsigned int port)
{
	polls++;
	poll_port = port;
}

int pirq_bind(struct domain *d, unsigned int pirq)
{
	BUG_ON(host_locks_held);
	if (raise_while_binding)
		pirq_raise(d, pirq);
	if (!pirq_bind_rc)
		pirqs_bound++;
	return pirq_bind_rc;
}

void pirq_unbind(struct domain *d, unsigned int pirq)
{
	BUG_ON(host_locks_held);
	pirqs_bound--;
}

static void setup_ports(u32 max_port)
{
	world_make();
	for (int i = 0; i < WORLD_DOMAINS; i++)
		CHECK_EQ(evtchn_init_domain(&world_dom[i], max_port), 0);
	kicks = polls = 0;
	pirqs_bound = 0;
	pirq_bind_rc = 0;
}

static void setup(void)
{
	setup_ports(4095);
}

static void teardown(void)
{
	for (int i = 0; i < WORLD_DOMAINS; i++) {
		struct domain *d = &world_dom[i];

		d->is_dying = true;
		while (evtchn_destroy_domain(d) == -XEN_ERESTART)
			;
		for (u32 p = 0; p <= d->evtchn->max_port; p++)
			CHECK_EQ(port_find(d, p)->state, PORT_FREE);
		CHECK_EQ(d->refs, 1);
	}
	for (int i = 0; i < WORLD_DOMAINS; i++)
		evtchn_free_domain(&world_dom[i]);
	CHECK_EQ(host_allocated, 0);
	CHECK_EQ(host_locks_held, 0);
	CHECK_EQ(pirqs_bound, 0);
	world_free();
}

static long op(u64 cmd, void *arg)
{
	long rc = do_event_channel_op(cmd, (u64)arg, 0, 0, 0, 0);

	CHECK_EQ(host_locks_held, 0);
	return rc;
}

static long op_port(u64 cmd, u32 port)
{
	return op(cmd, &port);
}

static long alloc_unbound(domid_t dom, domid_t remote)
{
	struct evtchn_alloc_unbound a = { .dom = dom, .remote_dom = remote };
	long rc = op(EVTCHNOP_alloc_unbound, &a);

	return rc ? rc : (long)a.port;
}

static long bind_interdomain(domid_t dom, u32 port)
{
	struct evtchn_bind_interdomain a = {
		.remote_dom = dom, .remote_port = port };
	long rc = op(EVTCHNOP_bind_interdomain, &a);

	return rc ? rc : (long)a.local_port;
}

static long bind_virq(u32 virq, u32 vcpu)
{
	struct evtchn_bind_virq a = { .virq = virq, .vcpu = vcpu };
	long rc = op(EVTCHNOP_bind_virq, &a);

	return rc ? rc : (long)a.port;
}

static long bind_ipi(u32 vcpu)
{
	struct evtchn_bind_ipi a = { .vcpu = vcpu };
	long rc = op(EVTCHNOP_bind_ipi, &a);

	return rc ? rc : (long)a.port;
}

static long bind_pirq(u32 pirq)
{
	struct evtchn_bind_pirq a = { .pirq = pirq };
	long rc = op(EVTCHNOP_bind_pirq, &a);

	return rc ? rc : (long)a.port;
}

static long bind_vcpu(u32 port, u32 vcpu)
{
	struct evtchn_bind_vcpu a = { .port = port, .vcpu = vcpu };

	return op(EVTCHNOP_bind_vcpu, &a);
}

static struct evtchn_status status_of(domid_t dom, u32 port)
{
	struct evtchn_status a = { .dom = dom, .port = port };

	CHECK_EQ(op(EVTCHNOP_status, &a), 0);
	return a;
}

static bool pending(int dom, u32 port)
{
	return test_bit(port, world_dom[dom].shared_info->evtchn_pending);
}

static bool upcall(int dom, int vcpu)
{
	return world_vcpu[dom][vcpu].vcpu_info->evtchn_upcall_pending;
}

static void clear_events(int dom)
{
	struct shared_info *s = world_dom[dom].shared_info;

	memset(s->evtchn_pending, 0, sizeof(s->evtchn_pending));
	for (int i = 0; i < WORLD_VCPUS; i++) {
		s->vcpu_info[i].evtchn_pending_sel = 0;
		s->vcpu_info[i].evtchn_upcall_pending = 0;
	}
}

static void pair_and_send(void)
{
	struct evtchn_status st;
	long rp, lp;

	setup();
	act_as(1);
	rp = alloc_unbound(DOMID_SELF, 2);
	CHECK_EQ(rp, 1);
	st = status_of(DOMID_SELF, rp);
	CHECK_EQ(st.status, EVTCHNSTAT_unbound);
	CHECK_EQ(st.u.unbound.dom, 2);
	/* Nobody there yet: dropped in silence. */
	CHECK_EQ(op_port(EVTCHNOP_send, rp), 0);

	act_as(3);
	CHECK_EQ(bind_interdomain(1, rp), -XEN_EINVAL);	/* not for us */
	act_as(2);
	lp = bind_interdomain(1, rp);
	CHECK_EQ(lp, 1);
	CHECK(pending(2, lp));			/* lost ones made good */
	CHECK(upcall(2, 0));
	CHECK_EQ(bind_interdomain(1, rp), -XEN_EINVAL);	/* taken */
	st = status_of(DOMID_SELF, lp);
	CHECK_EQ(st.status, EVTCHNSTAT_interdomain);
	CHECK_EQ(st.u.interdomain.dom, 1);
	CHECK_EQ(st.u.interdomain.port, rp);

	kicks = 0;
	CHECK_EQ(op_port(EVTCHNOP_send, lp), 0);
	CHECK(pending(1, rp) && upcall(1, 0));
	CHECK_EQ(world_vcpu[1][0].vcpu_info->evtchn_pending_sel, 1);
	CHECK_EQ(kicks, 1);
	CHECK(kicked == &world_vcpu[1][0]);
	CHECK_EQ(op_port(EVTCHNOP_send, lp), 0);	/* already pending */
	CHECK_EQ(kicks, 1);

	/* Another vCPU of the peer is to be told from now on. */
	act_as(1);
	clear_events(1);
	CHECK_EQ(bind_vcpu(rp, 2), 0);
	act_as(2);
	CHECK_EQ(op_port(EVTCHNOP_send, lp), 0);
	CHECK(!upcall(1, 0) && upcall(1, 2));
	CHECK(kicked == &world_vcpu[1][2]);

	/* Close one end: the other waits again, for the same domain. */
	CHECK_EQ(op_port(EVTCHNOP_close, lp), 0);
	CHECK(!pending(2, lp));
	CHECK_EQ(op_port(EVTCHNOP_close, lp), -XEN_EINVAL);
	act_as(1);
	st = status_of(DOMID_SELF, rp);
	CHECK_EQ(st.status, EVTCHNSTAT_unbound);
	CHECK_EQ(st.u.unbound.dom, 2);
	CHECK_EQ(st.vcpu, 2);
	act_as(2);
	CHECK_EQ(bind_interdomain(1, rp), lp);
	teardown();
}

static void loopback(void)
{
	long a, b;

	setup();
	act_as(1);
	a = alloc_unbound(DOMID_SELF, DOMID_SELF);
	b = bind_interdomain(DOMID_SELF, a);
	CHECK(a > 0 && b > 0 && a != b);
	clear_events(1);
	CHECK_EQ(op_port(EVTCHNOP_send, a), 0);
	CHECK(pending(1, b) && !pending(1, a));
	CHECK_EQ(op_port(EVTCHNOP_close, a), 0);
	CHECK_EQ(status_of(DOMID_SELF, b).status, EVTCHNSTAT_unbound);
	CHECK_EQ(op_port(EVTCHNOP_close, b), 0);
	teardown();
}

static void masks(void)
{
	struct shared_info *s;
	long p;

	setup();
	act_as(1);
	s = world_dom[1].shared_info;
	p = bind_ipi(1);
	s->evtchn_mask[0] = ~0UL;
	world_dom[1].sched.polling = 4;
	CHECK_EQ(op_port(EVTCHNOP_send, p), 0);
	CHECK(pending(1, p) && !upcall(1, 1));
	CHECK_EQ(s->vcpu_info[1].evtchn_pending_sel, 0);
	CHECK_EQ(kicks, 0);
	CHECK_EQ(polls, 1);			/* a poll ends all the same */
	CHECK_EQ(poll_port, p);
	CHECK_EQ(evtchn_port_pending(&world_dom[1], p), 1);

	CHECK_EQ(op_port(EVTCHNOP_unmask, p), 0);
	CHECK(upcall(1, 1));
	CHECK_EQ(kicks, 1);
	CHECK_EQ(s->evtchn_mask[0], ~(1UL << p));
	CHECK_EQ(op_port(EVTCHNOP_unmask, p), 0);	/* was not masked */
	CHECK_EQ(kicks, 1);
	CHECK_EQ(op_port(EVTCHNOP_unmask, 0), 0);
	CHECK_EQ(op_port(EVTCHNOP_unmask, 4096), -XEN_EINVAL);

	/* Pending selector already set: somebody else has seen to it. */
	clear_events(1);
	kicks = 0;
	s->evtchn_mask[0] = 0;
	s->vcpu_info[1].evtchn_pending_sel = 1;
	CHECK_EQ(op_port(EVTCHNOP_send, p), 0);
	CHECK_EQ(kicks, 0);
	CHECK(!upcall(1, 1));
	teardown();
}

static void current_needs_no_kick(void)
{
	long p;

	setup();
	act_as(1);
	p = bind_ipi(0);
	CHECK_EQ(op_port(EVTCHNOP_send, p), 0);
	CHECK(upcall(1, 0));
	CHECK_EQ(kicks, 0);
	clear_events(1);
	/* About to sleep: it must be woken. */
	world_vcpu[1][0].pause_flags = VPF_BLOCKED;
	CHECK_EQ(op_port(EVTCHNOP_send, p), 0);
	CHECK_EQ(kicks, 1);
	teardown();
}

static void virqs(void)
{
	long t0, t1, con, old;

	setup();
	act_as(0);
	CHECK_EQ(bind_virq(NR_VIRQS, 0), -XEN_EINVAL);
	CHECK_EQ(bind_virq(~0U, 0), -XEN_EINVAL);
	CHECK_EQ(bind_virq(VIRQ_CONSOLE, 1), -XEN_EINVAL);
	CHECK_EQ(bind_virq(VIRQ_TIMER, WORLD_VCPUS), -XEN_ENOENT);
	CHECK_EQ(bind_virq(VIRQ_TIMER, ~0U), -XEN_ENOENT);
	t0 = bind_virq(VIRQ_TIMER, 0);
	t1 = bind_virq(VIRQ_TIMER, 1);
	con = bind_virq(VIRQ_CONSOLE, 0);
	CHECK(t0 > 0 && t1 > 0 && con > 0);
	CHECK_EQ(bind_virq(VIRQ_TIMER, 1), -XEN_EEXIST);
	CHECK_EQ(bind_virq(VIRQ_CONSOLE, 0), -XEN_EEXIST);
	CHECK_EQ(status_of(DOMID_SELF, con).u.virq, VIRQ_CONSOLE);

	virq_raise_vcpu(&world_vcpu[0][1], VIRQ_TIMER);
	CHECK(pending(0, t1) && !pending(0, t0) && upcall(0, 1));
	virq_raise_vcpu(&world_vcpu[0][2], VIRQ_TIMER);	/* not bound */
	CHECK_EQ(op_port(EVTCHNOP_send, t1), -XEN_EINVAL);

	CHECK_EQ(bind_vcpu(t1, 2), -XEN_EINVAL);
	CHECK_EQ(bind_vcpu(con, 2), 0);
	virq_raise_global(VIRQ_CONSOLE);
	CHECK(pending(0, con) && upcall(0, 2));

	/* A global VIRQ of another domain is its own affair. */
	act_as(1);
	CHECK(bind_virq(VIRQ_CONSOLE, 0) > 0);
	virq_raise_global(VIRQ_DOM_EXC);

	act_as(0);
	clear_events(0);
	CHECK_EQ(op_port(EVTCHNOP_close, con), 0);
	virq_raise_global(VIRQ_CONSOLE);
	CHECK(!pending(0, con));
	old = con;
	con = bind_virq(VIRQ_CONSOLE, 0);
	CHECK_EQ(con, old);
	/* A stale name for the port reaches nobody. */
	world_vcpu[0][0].virq_port[VIRQ_DOM_EXC] = con;
	virq_raise_global(VIRQ_DOM_EXC);
	CHECK(!pending(0, con));
	world_vcpu[0][0].virq_port[VIRQ_DOM_EXC] = 0;
	dom0 = NULL;
	virq_raise_global(VIRQ_CONSOLE);	/* too early: ignored */
	dom0 = &world_dom[0];
	teardown();
}

static void pirqs(void)
{
	long p;
	u32 w;

	setup();
	act_as(1);
	CHECK_EQ(bind_pirq(9), -XEN_EPERM);
	CHECK_EQ(bind_pirq(NR_PIRQS), -XEN_EINVAL);
	act_as(0);
	for_each_wild(w)
		if (w >= NR_PIRQS)
			CHECK_EQ(bind_pirq(w), -XEN_EINVAL);
	pirq_raise_guest(&world_dom[0], 9);	/* nothing bound at all */
	p = bind_pirq(9);
	CHECK(p > 0);
	CHECK_EQ(pirqs_bound, 1);
	CHECK_EQ(bind_pirq(9), -XEN_EEXIST);
	pirq_raise(&world_dom[0], 9);
	CHECK(pending(0, p));
	pirq_raise(&world_dom[0], 10);
	pirq_raise(&world_dom[0], ~0U);
	CHECK_EQ(status_of(DOMID_SELF, p).status, EVTCHNSTAT_pirq);
	CHECK_EQ(status_of(DOMID_SELF, p).u.pirq, 9);
	CHECK_EQ(op_port(EVTCHNOP_send, p), -XEN_EINVAL);
	CHECK_EQ(bind_vcpu(p, 1), 0);
	clear_events(0);
	pirq_raise(&world_dom[0], 9);
	CHECK(upcall(0, 1));
	CHECK_EQ(op_port(EVTCHNOP_close, p), 0);
	CHECK_EQ(pirqs_bound, 0);
	pirq_raise(&world_dom[0], 9);
	CHECK(!pending(0, p));

	/* The line refuses: the port is free again. */
	pirq_bind_rc = -XEN_EBUSY;
	CHECK_EQ(bind_pirq(9), -XEN_EBUSY);
	CHECK_EQ(status_of(DOMID_SELF, p).status, EVTCHNSTAT_closed);
	pirq_bind_rc = 0;
	/* An interrupt between routing and binding is not lost. */
	raise_while_binding = true;
	p = bind_pirq(9);
	raise_while_binding = false;
	CHECK(pending(0, p));
	teardown();
}

static void privileges(void)
{
	struct evtchn_status st = { .dom = 2, .port = 1 };
	struct evtchn_reset rs = { .dom = 2 };
	long p;

	setup();
	act_as(1);
	CHECK_EQ(alloc_unbound(2, 1), -XEN_EPERM);
	CHECK_EQ(alloc_unbound(99, 1), -XEN_ESRCH);
	CHECK_EQ(alloc_unbound(DOMID_IO, 1), -XEN_ESRCH);
	CHECK_EQ(alloc_unbound(1, 2), 1);		/* itself by number */
	CHECK_EQ(bind_interdomain(99, 1), -XEN_ESRCH);
	CHECK_EQ(op(EVTCHNOP_status, &st), -XEN_EPERM);
	CHECK_EQ(op(EVTCHNOP_reset, &rs), -XEN_EPERM);
	st.dom = 77;
	CHECK_EQ(op(EVTCHNOP_status, &st), -XEN_ESRCH);
	act_as(0);
	p = alloc_unbound(2, 0);			/* on behalf */
	CHECK_EQ(p, 1);
	CHECK_EQ(status_of(2, p).u.unbound.dom, 0);
	p = alloc_unbound(2, DOMID_SELF);
	CHECK_EQ(status_of(2, p).u.unbound.dom, 0);
	CHECK_EQ(bind_interdomain(2, p), 1);
	CHECK_EQ(op(EVTCHNOP_reset, &rs), -XEN_EINVAL);	/* not paused */
	world_dom[2].control_pauses = 1;
	CHECK_EQ(op(EVTCHNOP_reset, &rs), 0);
	CHECK_EQ(status_of(2, p).status, EVTCHNSTAT_closed);
	CHECK_EQ(status_of(0, 1).status, EVTCHNSTAT_unbound);
	teardown();
}

static void wild_arguments(void)
{
	struct evtchn_status st;
	u32 w;

	setup();
	act_as(1);
	for_each_wild(w) {
		struct evtchn_bind_vcpu bv = { .port = w };
		bool exists = w < EVTCHN_2L_PORTS;

		CHECK_EQ(op_port(EVTCHNOP_send, w), -XEN_EINVAL);
		CHECK_EQ(op_port(EVTCHNOP_close, w), -XEN_EINVAL);
		CHECK_EQ(op_port(EVTCHNOP_unmask, w),
			 exists ? 0 : -XEN_EINVAL);
		CHECK_EQ(op(EVTCHNOP_bind_vcpu, &bv), -XEN_EINVAL);
		CHECK_EQ(bind_interdomain(2, w), -XEN_EINVAL);
		CHECK_EQ(bind_interdomain(1, w), -XEN_EINVAL);
		st = (struct evtchn_status){ .dom = DOMID_SELF, .port = w };
		CHECK_EQ(op(EVTCHNOP_status, &st), exists ? 0 : -XEN_EINVAL);
		if (!w || !exists)
			CHECK_EQ(evtchn_port_pending(&world_dom[1], w),
				 -XEN_EINVAL);
		if (w >= WORLD_VCPUS) {
			CHECK_EQ(bind_ipi(w), -XEN_ENOENT);
			CHECK_EQ(bind_vcpu(1, w), -XEN_ENOENT);
		}
		if (w != EVTCHNOP_send && w > EVTCHNOP_reset)
			CHECK_EQ(op(w, &st), -XEN_ENOSYS);
	}
	CHECK_EQ(op(EVTCHNOP_init_control, &st), -XEN_ENOSYS);
	CHECK_EQ(op(EVTCHNOP_expand_array, &st), -XEN_ENOSYS);
	CHECK_EQ(op(EVTCHNOP_set_priority, &st), -XEN_ENOSYS);
	for (u32 cmd = 0; cmd <= EVTCHNOP_reset; cmd++) {
		CHECK_EQ(op(cmd, NULL), -XEN_EFAULT);
		CHECK_EQ(op(cmd, (void *)HYP_VIRT_START), -XEN_EFAULT);
		CHECK_EQ(op(cmd, (void *)~3UL), -XEN_EFAULT);
	}
	teardown();
}

/* The answer cannot be written: the operation did not happen. */
static void unwritable_result(void)
{
	struct {
		struct evtchn_alloc_unbound alloc;
		struct evtchn_bind_interdomain inter;
		struct evtchn_bind_virq virq;
		struct evtchn_bind_ipi ipi;
		struct evtchn_bind_pirq pirq;
	} a = { .alloc = { DOMID_SELF, 2, 0 }, .inter = { 2, 1, 0 },
		.virq = { VIRQ_CONSOLE, 0, 0 }, .pirq = { 5, 0, 0 } };
	static const struct { int cmd; size_t at, port; } t[] = {
#define T(c, f, p) { EVTCHNOP_##c, offsetof(__typeof__(a), f), \
		     offsetof(__typeof__(a), f.p) }
		T(alloc_unbound, alloc, port),
		T(bind_interdomain, inter, local_port),
		T(bind_virq, virq, port), T(bind_ipi, ipi, port),
		T(bind_pirq, pirq, port),
	};

	setup();
	act_as(2);
	CHECK_EQ(alloc_unbound(DOMID_SELF, 0), 1);
	act_as(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		/* Only reading works: fault from the output field on, with
		 * reads let through by the stand-in below. */
		host_fault_lo = (u64)&a + t[i].port;
		host_fault_hi = host_fault_lo + 4;
		CHECK_EQ(op(t[i].cmd, (u8 *)&a + t[i].at), -XEN_EFAULT);
		host_fault_lo = host_fault_hi = 0;
		CHECK_EQ(port_find(&world_dom[0], 1)->state, PORT_FREE);
		CHECK_EQ(world_vcpu[0][0].virq_port[VIRQ_CONSOLE], 0);
		CHECK_EQ(pirqs_bound, 0);
		CHECK_EQ(status_of(2, 1).status, EVTCHNSTAT_unbound);
	}
	teardown();
}

/* Reads always succeed where memory is; writes may fault. */
int copy_from_guest(void *dst, u64 gva, size_t n)
{
	if (gva < 4096 || gva >> 47 || !guest_range_ok(gva, n))
		return -XEN_EFAULT;
	memcpy(dst, (void *)gva, n);
	return 0;
}

static void limits(void)
{
	struct evtchn_reset rs = { .dom = DOMID_SELF };
	long p;

	setup_ports(100);
	act_as(1);
	for (int i = 1; i <= 100; i++)
		CHECK_EQ(bind_ipi(0), i);
	CHECK_EQ(bind_ipi(0), -XEN_ENOSPC);
	CHECK_EQ(alloc_unbound(DOMID_SELF, 0), -XEN_ENOSPC);
	CHECK_EQ(bind_virq(VIRQ_TIMER, 0), -XEN_ENOSPC);
	CHECK_EQ(op_port(EVTCHNOP_close, 37), 0);
	CHECK_EQ(bind_ipi(0), 37);		/* lowest free one */
	CHECK_EQ(op(EVTCHNOP_reset, &rs), 0);
	CHECK_EQ(bind_ipi(0), 1);
	world_dom[1].is_dying = true;
	CHECK_EQ(bind_ipi(0), -XEN_EINVAL);
	world_dom[1].is_dying = false;
	/* Without a vCPU there is nobody to tell. */
	act_as(0);
	world_dom[3].vcpu[0] = NULL;
	CHECK_EQ(alloc_unbound(3, 0), -XEN_EINVAL);
	world_dom[3].vcpu[0] = &world_vcpu[3][0];
	teardown();

	setup_ports(~0U);
	act_as(1);
	for (int i = 1; i < 4096; i++)
		CHECK_EQ(bind_ipi(i % WORLD_VCPUS), i);
	CHECK_EQ(bind_ipi(0), -XEN_ENOSPC);
	CHECK_EQ(op_port(EVTCHNOP_send, 4095), 0);
	CHECK(pending(1, 4095) && upcall(1, 0));
	CHECK_EQ(world_vcpu[1][0].vcpu_info->evtchn_pending_sel, 1UL << 63);
	CHECK_EQ(op_port(EVTCHNOP_send, 4096), -XEN_EINVAL);
	/* 4095 ports take several calls. */
	p = op(EVTCHNOP_reset, &rs);
	CHECK_EQ(p, HOST_CONTINUED);
	CHECK_EQ(host_continue_op, __HYPERVISOR_event_channel_op);
	CHECK_EQ(host_continue_args[0], EVTCHNOP_reset);
	for (int i = 0; p == HOST_CONTINUED && i < 100; i++)
		p = op(EVTCHNOP_reset, &rs);
	CHECK_EQ(p, 0);
	teardown();
}

static void no_memory(void)
{
	setup();
	act_as(0);
	for (int i = 1; i < 64; i++)
		bind_ipi(0);
	host_alloc_left = 0;	/* ports need none */
	CHECK_EQ(bind_pirq(3), 64);
	CHECK_EQ(alloc_unbound(DOMID_SELF, 0), 65);
	act_as(1);
	CHECK_EQ(alloc_unbound(DOMID_SELF, 0), 1);
	act_as(0);
	CHECK_EQ(bind_interdomain(1, 1), 66);
	act_as(1);
	CHECK_EQ(status_of(DOMID_SELF, 1).status, EVTCHNSTAT_interdomain);
	host_alloc_left = -1;
	teardown();
	for (int i = 0; i < 2; i++) {
		world_make();
		host_alloc_left = i;
		CHECK_EQ(evtchn_init_domain(&world_dom[0], 9), -XEN_ENOMEM);
		host_alloc_left = -1;
		evtchn_free_domain(&world_dom[0]);
		CHECK_EQ(host_allocated, 0);
		world_free();
	}
}

static void peer_dies(void)
{
	struct evtchn_status st;
	long a, b;

	setup();
	act_as(1);
	a = alloc_unbound(DOMID_SELF, 2);
	act_as(2);
	b = bind_interdomain(1, a);
	for (int i = 0; i < 600; i++)
		bind_ipi(0);
	world_dom[2].is_dying = true;
	CHECK_EQ(evtchn_destroy_domain(&world_dom[2]), -XEN_ERESTART);
	CHECK_EQ(evtchn_destroy_domain(&world_dom[2]), -XEN_ERESTART);
	CHECK_EQ(evtchn_destroy_domain(&world_dom[2]), 0);
	act_as(1);
	st = status_of(DOMID_SELF, a);
	CHECK_EQ(st.status, EVTCHNSTAT_unbound);
	CHECK_EQ(st.u.unbound.dom, 2);
	CHECK_EQ(op_port(EVTCHNOP_send, a), 0);
	CHECK(!pending(2, b));
	host_quiet = true;
	evtchn_dump();
	teardown();
}

/* Any sequence of calls leaves pairs consistent. */
static void check_pairs(void)
{
	for (int i = 0; i < WORLD_DOMAINS; i++) {
		struct domain *d = &world_dom[i];

		for (u32 p = 0; p < EVTCHN_2L_PORTS; p++) {
			struct evtchn *c = port_find(d, p), *o;

			if (!c)
				continue;
			if (!p && c->state != PORT_FREE)
				CHECK(!"port 0");
			if (c->lock || c->busy)
				CHECK(!"left locked");
			if (c->state != PORT_INTERDOMAIN) {
				CHECK_EQ(!!c->target, c->state == PORT_IPI);
				continue;
			}
			o = port_find(c->target->domain, c->what);
			if (o->state != PORT_INTERDOMAIN ||
			    o->target != d->vcpu[c->vcpu] ||
			    o->what != p)
				CHECK(!"pair broken");
		}
	}
}

static void random_walk(void)
{
	struct evtchn_reset rs = { .dom = DOMID_SELF };

	setup_ports(200);
	for (int i = 0; i < 300000; i++) {
		u32 r = test_random(), p = 1 + (r >> 8) % 210;
		unsigned int dom = (r >> 20) % WORLD_DOMAINS;
		unsigned int v = (r >> 24) % (WORLD_VCPUS + 1);

		act_as((r >> 4) % WORLD_DOMAINS);
		switch (r % 12) {
		case 0: alloc_unbound(v ? DOMID_SELF : dom, dom); break;
		case 1:
		case 2: bind_interdomain(dom, p); break;
		case 3: bind_virq(p % 26, v); break;
		case 4: bind_ipi(v); break;
		case 5: bind_pirq(p); break;
		case 6:
		case 7: op_port(EVTCHNOP_close, p); break;
		case 8: op_port(EVTCHNOP_send, p); break;
		case 9: bind_vcpu(p, v); break;
		case 10: op_port(EVTCHNOP_unmask, p); break;
		case 11:
			if (r >> 26 == 0)
				op(EVTCHNOP_reset, &rs);
			pirq_raise(dom0, p);
			virq_raise_global(VIRQ_DOM_EXC);
			clear_events(dom);
			break;
		}
		if (i % 1000 == 0)
			check_pairs();
	}
	check_pairs();
	teardown();
}

int main(void)
{
	RUN(pair_and_send);
	RUN(loopback);
	RUN(masks);
	RUN(current_needs_no_kick);
	RUN(virqs);
	RUN(pirqs);
	RUN(privileges);
	RUN(wild_arguments);
	RUN(unwritable_result);
	RUN(limits);
	RUN(no_memory);
	RUN(peer_dies);
	RUN(random_walk);
	return test_done();
}
