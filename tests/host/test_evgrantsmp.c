/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event channels and grants under real concurrency: each thread is a CPU with
 * the real locks, order checked.
 *
 * Claims.  Ports: alloc, bind, send, close, reset and the death and rebirth of
 * a peer, all at once, leave every pair consistent, touch no freed memory and
 * deadlock nowhere.  Grants: vCPUs that map and unmap the same handles and
 * entries at the same time, while the lender rewrites its table, drop each
 * reference exactly once (XSA-218, XSA-228).
 */
#include "test.h"
#include "host.h"
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <event/port.h>
#include <grant/table.h>

#define CPUS	4
#define DOMS	4
#define MORTAL	3		/* dies and comes back */
#define SECONDS	2
#define NR_FRAMES 256
#define LENT	128		/* frames LENT.. belong to domain 1 */
#define NR_LENT	8
#define SLOTS	16

struct domain *dom0, *domain_list;
void (*pirq_raise)(struct domain *d, unsigned int pirq);
static struct domain dom[DOMS];
static struct vcpu vcpu[DOMS][CPUS];
static struct shared_info si[DOMS] __aligned(4096);
static bool stop, mortal_alive;
static __thread unsigned int me;
static __thread u64 seed;
static u64 slots[SLOTS], ops, pairs;

struct cpu *this_cpu(void)
{
	return &host_cpu[me];
}

void cpu_poll(void)
{
	sched_yield();
}

bool preempt_check(void)
{
	return false;
}

long hypercall_continue(unsigned int op, unsigned int nargs, ...)
{
	return HOST_CONTINUED;
}

void *heap_alloc(size_t size)
{
	return calloc(1, size);
}

void heap_free(void *p)
{
	free(p);
}

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

struct domain *domain_get(domid_t id)
{
	struct domain *d = &dom[id];
	u32 old;

	if (id >= DOMS)
		return NULL;
	do {
		old = READ_ONCE(d->refs);
		if (!old)
			return NULL;
	} while (cmpxchg(&d->refs, old, old + 1) != old);
	return d;
}

struct domain *domain_get_or_self(domid_t id)
{
	return domain_get(id == DOMID_SELF ? current->domain->id : id);
}

bool domain_hold(struct domain *d)
{
	return atomic_add(&d->refs, 1U) > 1;
}

void domain_put(struct domain *d)
{
	atomic_sub(&d->refs, 1U);
}

/* Widens the window in which another CPU may come between. */
static void dawdle(void)
{
	if (rnd() % 8 == 0)
		for (int i = rnd() % 4; i >= 0; i--)
			sched_yield();
}

void vcpu_kick(struct vcpu *v)
{
	dawdle();
	/* The peer must be alive while a sender looks at it. */
	if (!READ_ONCE(v->domain->refs) || !READ_ONCE(v->domain->evtchn))
		abort();
}

void vcpu_poll_wake(struct domain *d, unsigned int port)
{
}

int pirq_bind(struct domain *d, unsigned int pirq)
{
	return 0;
}

void pirq_unbind(struct domain *d, unsigned int pirq)
{
}

static void domain_make(int i)
{
	struct domain *d = &dom[i];

	memset(d, 0, sizeof(*d));
	d->id = i;
	d->is_privileged = i == 0;
	d->max_vcpus = CPUS;
	d->shared_info = &si[i];
	for (int j = 0; j < CPUS; j++) {
		vcpu[i][j] = (struct vcpu){ .domain = d, .id = j,
			.vcpu_info = &si[i].vcpu_info[j] };
		d->vcpu[j] = &vcpu[i][j];
	}
	if (evtchn_init_domain(d, 60))
		abort();
	store_release(&d->refs, 1U);
}

static void start(void *(*fn)(void *), void *(*extra)(void *))
{
	pthread_t t[CPUS];
	struct timespec s = { .tv_sec = SECONDS };
	unsigned int rounds = 0;

	stop = false;
	for (long i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, i == CPUS - 1 && extra ? extra : fn,
			       (void *)i);
	do		/* longer on a busy machine, but not without end */
		nanosleep(&s, NULL);
	while (READ_ONCE(ops) <= 1000 && ++rounds < 30);
	WRITE_ONCE(stop, true);
	for (int i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
}

static void thread_init(void *arg)
{
	me = (long)arg;
	seed = 88172645463325252ULL + me * 7919;
	host_cpu[me].id = me;
	for (int i = 0; i < 16; i++)
		rnd();
}

/* --- ports --------------------------------------------------------------- */

static void port_op(u32 r)
{
	u32 port = 1 + (r >> 8) % 62;
	union {
		u32 port;
		struct evtchn_alloc_unbound au;
		struct evtchn_bind_interdomain bi;
		struct evtchn_bind_virq bv;
		struct evtchn_bind_vcpu vc;
		struct evtchn_status st;
		struct evtchn_reset rs;
	} a = { .port = port };
	int cmd = EVTCHNOP_send;

	switch (r % 10) {
	case 0:
		cmd = EVTCHNOP_alloc_unbound;
		a.au = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF,
			.remote_dom = (r >> 16) % DOMS };
		if (current->domain->is_privileged)
			a.au.dom = (r >> 20) % DOMS;
		break;
	case 1:
	case 2:
		cmd = EVTCHNOP_bind_interdomain;
		a.bi = (struct evtchn_bind_interdomain){
			.remote_dom = (r >> 16) % DOMS, .remote_port = port };
		break;
	case 3:
		cmd = EVTCHNOP_bind_virq;
		a.bv = (struct evtchn_bind_virq){ .virq = r >> 16 & 3,
			.vcpu = r >> 20 & 1 };
		break;
	case 4:
		cmd = EVTCHNOP_close;
		break;
	case 5:
		cmd = EVTCHNOP_bind_vcpu;
		a.vc = (struct evtchn_bind_vcpu){ port, r >> 16 & 3 };
		break;
	case 6:
		cmd = EVTCHNOP_status;
		a.st = (struct evtchn_status){ .dom = DOMID_SELF, .port = port };
		break;
	case 7:
		cmd = r >> 26 ? EVTCHNOP_unmask : EVTCHNOP_reset;
		if (cmd == EVTCHNOP_reset)
			a.rs.dom = DOMID_SELF;
		break;
	}
	if (!do_event_channel_op(cmd, (u64)&a, 0, 0, 0, 0) &&
	    cmd == EVTCHNOP_bind_interdomain)
		pairs++;
	virq_raise_vcpu(current, VIRQ_TIMER);
	/* Leave work for the next sender. */
	current->domain->shared_info->evtchn_pending[0] = 0;
	current->vcpu_info->evtchn_pending_sel = 0;
	current->vcpu_info->evtchn_upcall_pending = 0;
}

static void *port_thread(void *arg)
{
	thread_init(arg);
	while (!READ_ONCE(stop)) {
		u32 r = rnd();
		struct domain *d = &dom[r % MORTAL];

		host_cpu[me].curr = d->vcpu[me];
		port_op(rnd());
		ops++;
	}
	return NULL;
}

/* Lives a little, dies, waits for the last reference, is born again. */
static void *mortal_thread(void *arg)
{
	struct domain *d = &dom[MORTAL];

	thread_init(arg);
	while (!READ_ONCE(stop)) {
		host_cpu[me].curr = &vcpu[MORTAL][me];
		for (int i = 0; i < 50; i++)
			port_op(rnd());
		WRITE_ONCE(d->is_dying, true);
		while (evtchn_destroy_domain(d) == -XEN_ERESTART)
			;
		for (u32 i = 0; i <= d->evtchn->max_port; i++)
			if (port_find(d, i)->state != PORT_FREE)
				abort();
		domain_put(d);
		while (READ_ONCE(d->refs))
			cpu_poll();
		evtchn_free_domain(d);
		dawdle();
		domain_make(MORTAL);
	}
	return NULL;
}

static void ports(void)
{
	for (int i = 0; i < DOMS; i++)
		domain_make(i);
	dom0 = &dom[0];
	start(port_thread, mortal_thread);
	for (int i = 0; i < DOMS; i++) {
		CHECK_EQ(dom[i].refs, 1);
		for (u32 p = 0; p <= dom[i].evtchn->max_port; p++) {
			struct evtchn *c = port_find(&dom[i], p), *o;

			CHECK_EQ(c->lock, 0);
			if (c->state != PORT_INTERDOMAIN)
				continue;
			o = port_find(c->target->domain, c->what);
			CHECK_EQ(o->state, PORT_INTERDOMAIN);
			CHECK(o->target == dom[i].vcpu[c->vcpu]);
			CHECK_EQ(o->what, p);
		}
	}
	CHECK(pairs > 0 && ops > 1000);
	for (int i = 0; i < DOMS; i++) {
		dom[i].is_dying = true;
		CHECK_EQ(evtchn_destroy_domain(&dom[i]), 0);
	}
	for (int i = 0; i < DOMS; i++)
		evtchn_free_domain(&dom[i]);
}

/* --- grants -------------------------------------------------------------- */

bool frame_get(struct frame *f, const struct domain *d)
{
	dawdle();
	if (frame_owner(f) != d->id)
		return false;
	if ((atomic_add(&f->ref, 1UL) & FRAME_COUNT_MASK) < 2)
		abort();
	return true;
}

void frame_put(struct frame *f)
{
	if ((atomic_sub(&f->ref, 1UL) & FRAME_COUNT_MASK) < 1)
		abort();
}

int frame_get_type(struct frame *f, struct domain *d, u64 type)
{
	if (!frame_get(f, d))
		return -XEN_EINVAL;
	atomic_add(&f->type, 1UL);
	return 0;
}

void frame_put_type(struct frame *f)
{
	if (atomic_sub(&f->type, 1UL) >> 63)
		abort();
	frame_put(f);
}

void frame_share(void *page, struct domain *d)
{
}

void frame_unshare(void *page)
{
	free_page(page);
}

int ptype_map_grant(struct vcpu *v, u64 va, bool by_pte, u64 pte)
{
	if (by_pte)
		return -XEN_EINVAL;
	xchg(&slots[va], pte | PTE_GRANT | PTE_A);
	return 0;
}

int ptype_unmap_grant(struct vcpu *v, u64 va, bool by_pte, mfn_t mfn,
		      u64 *old)
{
	u64 e = READ_ONCE(slots[va]);

	dawdle();
	if (by_pte || (e & PTE_ADDR_MASK) >> PAGE_SHIFT != mfn.m || !e ||
	    cmpxchg(&slots[va], e, 0) != e)
		return -XEN_EINVAL;
	*old = e;
	return 0;
}

void tlb_flush_mask(cpumask_t mask, u64 va)
{
}

static void *grant_thread(void *arg)
{
	thread_init(arg);
	host_cpu[me].curr = &vcpu[2][me];
	while (!READ_ONCE(stop)) {
		u32 r = rnd();
		struct gnttab_map_grant_ref m = { .dom = 1,
			.ref = r % NR_LENT, .host_addr = 1 + (r >> 8) % 15,
			.flags = 1 + (r >> 12) % 7 };
		struct gnttab_unmap_grant_ref u = { .handle = (r >> 16) % 48,
			.host_addr = 1 + (r >> 8) % 15,
			.dev_bus_addr = (u64)(LENT + r % NR_LENT) << 12 };
		struct gnttab_copy c = { .flags = 3, .len = 64,
			.source = { .u.ref = r % NR_LENT, .domid = 1 },
			.dest = { .u.ref = (r >> 8) % NR_LENT, .domid = 1 } };

		switch (r >> 28 & 7) {
		case 0:
		case 1:
			do_grant_table_op(GNTTABOP_map_grant_ref, (u64)&m, 1,
					  0, 0, 0);
			break;
		case 2:
			do_grant_table_op(GNTTABOP_copy, (u64)&c, 1, 0, 0, 0);
			break;
		default:
			do_grant_table_op(GNTTABOP_unmap_grant_ref, (u64)&u, 1,
					  0, 0, 0);
		}
		ops++;
	}
	return NULL;
}

/* The lender turns its entries over all the time, and grows its table. */
static void *lender_thread(void *arg)
{
	struct grant_entry_v1 *e = dom[1].grant->frame[0].shared;
	u64 mfns[64];
	struct gnttab_setup_table s = { .dom = DOMID_SELF,
		.frame_list = (u64)mfns };

	thread_init(arg);
	host_cpu[me].curr = &vcpu[1][me];
	while (!READ_ONCE(stop)) {
		u32 r = rnd(), i = r % NR_LENT;

		if (r >> 16 & 1)
			atomic_or(&e[i].flags, (u16)GTF_readonly);
		else
			atomic_and(&e[i].flags, (u16)~GTF_readonly);
		WRITE_ONCE(e[i].frame, LENT + (r >> 8) % NR_LENT);
		s.nr_frames = dom[1].grant->nr_frames % 64 + 1;
		if (r >> 20 == 0)
			do_grant_table_op(GNTTABOP_setup_table, (u64)&s, 1, 0,
					  0, 0);
	}
	return NULL;
}

static u32 want[NR_FRAMES], want_type[NR_FRAMES], mappings;

static void count(struct domain *mapper, u64 mfn, bool writable)
{
	want[mfn]++;
	want_type[mfn] += writable;
	mappings++;
}

static void grants(void)
{
	struct grant_entry_v1 *e;

	for (int i = 0; i < DOMS; i++) {
		domain_make(i);
		dom[i].next = i + 1 < DOMS ? &dom[i + 1] : NULL;
		CHECK_EQ(grant_init_domain(&dom[i], 64, 1), 0);
	}
	domain_list = &dom[0];
	e = dom[1].grant->frame[0].shared;
	for (int i = 0; i < NR_LENT; i++) {
		mfn_to_frame(MFN(LENT + i))->ref = 1UL << FRAME_OWNER_SHIFT | 1;
		e[i] = (struct grant_entry_v1){ GTF_permit_access, 2, LENT + i };
	}
	ops = 0;
	start(grant_thread, lender_thread);
	grant_for_each_mapping(count);
	CHECK(mappings > 0 && ops > 1000);
	for (int i = 0; i < NR_LENT; i++) {
		struct frame *f = mfn_to_frame(MFN(LENT + i));

		CHECK_EQ(f->ref & FRAME_COUNT_MASK, 1 + want[LENT + i]);
		CHECK_EQ(f->type, want_type[LENT + i]);
	}
	while (grant_release_mappings(&dom[2]) == -XEN_ERESTART)
		;
	for (int i = 0; i < NR_LENT; i++) {
		struct frame *f = mfn_to_frame(MFN(LENT + i));

		CHECK_EQ(f->ref & FRAME_COUNT_MASK, 1);
		CHECK_EQ(f->type, 0);
		CHECK(!(e[i].flags & (GTF_reading | GTF_writing)));
		CHECK_EQ(dom[1].grant->frame[0].active[i].users[0], 0);
		CHECK_EQ(dom[1].grant->frame[0].active[i].users[1], 0);
	}
	for (int i = 0; i < DOMS; i++) {
		CHECK_EQ(dom[i].refs, 1);
		grant_free_domain(&dom[i]);
		CHECK_EQ(evtchn_destroy_domain(&dom[i]), 0);
		evtchn_free_domain(&dom[i]);
	}
}

int main(void)
{
	host_map_frames(NR_FRAMES);
	RUN(ports);
	RUN(grants);
	return test_done();
}
