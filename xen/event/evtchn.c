/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event channels: a port's life, one function per operation.
 *
 * Invariants:
 *  - the two ends of an INTERDOMAIN pair always name each other; while they
 *    do, neither domain's ports are freed (evtchn_destroy_domain() closes
 *    all first), so the peer's domain needs no reference of its own;
 *  - a bit of `used` is set exactly for ports that are not FREE, and for
 *    port 0, which never is anything;
 *  - an operation that fails, even in telling the guest its new port, leaves
 *    everything as it was.
 *
 * Locks: see port.h.  A hostile guest may pass any port number and race all
 * operations on all its vCPUs and with its peers; it may use up its own
 * ports, never someone else's.  Only the two-level form is offered: up to
 * 4096 ports, no queues (EVTCHNOP_init_control says -XEN_ENOSYS, and a stock
 * kernel then stays with two levels).
 */
#include <event/port.h>
#include <entry/entry.h>

#define CLOSE_BATCH	256	/* ports closed between two preemptions */

_Static_assert(sizeof(struct evtchn) == 16, "many per page, hot");

static u64 port_bit(u32 port)
{
	return 1UL << (port % 64);
}

struct vcpu *port_vcpu(const struct domain *d, u32 id)
{
	return id < d->max_vcpus && id < MAX_VCPUS ? d->vcpu[id] : NULL;
}

/* The ports of a word of `used`, if not there yet.  0, -XEN_ENOMEM. */
static int chunk_make(struct evtchn_domain *e, unsigned int i)
{
	struct evtchn *c;

	if (e->chunk[i])
		return 0;
	c = heap_alloc(PORTS_PER_CHUNK * sizeof(*c));
	if (!c)
		return -XEN_ENOMEM;
	store_release(&e->chunk[i], c);
	return 0;
}

/* A dying domain gets none: evtchn_destroy_domain() need not look twice.  Nor
 * does one without vCPUs, which nobody could notify. */
int port_alloc_locked(struct domain *d)
{
	struct evtchn_domain *e = d->evtchn;
	u32 port;
	int rc;

	if (d->is_dying || !d->vcpu[0])
		return -XEN_EINVAL;
	for (unsigned int i = 0; i < NR_CHUNKS; i++) {
		if (!~e->used[i])
			continue;
		port = i * PORTS_PER_CHUNK + ffs64(~e->used[i]);
		if (port > e->max_port)
			break;
		rc = chunk_make(e, i);
		if (rc)
			return rc;
		e->used[i] |= port_bit(port);
		return port;
	}
	return -XEN_ENOSPC;
}

void port_set_locked(struct evtchn *c, enum port_state state, u32 what,
		     unsigned int vcpu)
{
	port_lock(c);
	c->state = state;
	c->virq = what;
	c->vcpu = vcpu;
	port_unlock(c);
}

/* Also with the port's own lock held: see close_locked(). */
static void port_reset(struct domain *d, struct evtchn *c, u32 port)
{
	/* Whoever gets the port next must not see an old event. */
	atomic_test_and_clear_bit(port, d->shared_info->evtchn_pending);
	c->state = PORT_FREE;
	c->vcpu = 0;
	c->target = NULL;
	d->evtchn->used[port / 64] &= ~port_bit(port);
}

void port_free_locked(struct domain *d, u32 port)
{
	struct evtchn *c = port_find(d, port);

	port_lock(c);
	port_reset(d, c, port);
	port_unlock(c);
}

static void port_lock_pair(struct evtchn *a, struct evtchn *b)
{
	port_lock(a < b ? a : b);
	port_lock(a < b ? b : a);
}

static void lock_pair(struct domain *a, struct domain *b)
{
	struct spinlock *la = &a->evtchn->lock, *lb = &b->evtchn->lock;

	spin_lock(la < lb ? la : lb);
	if (a != b)
		spin_lock(la < lb ? lb : la);
}

static void unlock_pair(struct domain *a, struct domain *b)
{
	struct spinlock *la = &a->evtchn->lock, *lb = &b->evtchn->lock;

	if (a != b)
		spin_unlock(la < lb ? lb : la);
	spin_unlock(la < lb ? la : lb);
}

/*
 * Takes d's lock, and the peer's if c is one end of a pair: returns the
 * peer's domain, or NULL.  Only the lock we hold keeps the peer alive, so it
 * is never waited for against the order.
 */
static struct domain *lock_with_peer(struct domain *d, struct evtchn *c)
{
	struct spinlock *ll = &d->evtchn->lock, *rl;
	struct domain *rd;

	for (;;) {
		spin_lock(ll);
		if (c->state != PORT_INTERDOMAIN)
			return NULL;
		rd = c->target->domain;
		rl = &rd->evtchn->lock;
		if (ll < rl)
			spin_lock(rl);
		if (ll <= rl || spin_trylock(rl))
			return rd;
		spin_unlock(ll);
		cpu_poll();
	}
}

static void close_pair_locked(struct domain *d, struct evtchn *c, u32 port)
{
	struct evtchn *peer = port_find(c->target->domain, c->target_port);

	port_lock_pair(c, peer);
	peer->state = PORT_UNBOUND;
	peer->target = NULL;
	peer->remote_domid = d->id;
	port_reset(d, c, port);
	port_unlock(peer);
	port_unlock(c);
}

/* Everything but pairs and PIRQs. */
static int close_locked(struct domain *d, struct evtchn *c, u32 port)
{
	switch (c->state) {
	case PORT_VIRQ:
		virq_forget_locked(d, c);
		break;
	case PORT_UNBOUND:
	case PORT_IPI:
		break;
	default:
		return -XEN_EINVAL;
	}
	port_free_locked(d, port);
	return 0;
}

/* The line is released without the event lock; meanwhile c is BUSY. */
static void close_pirq(struct domain *d, struct evtchn *c, u32 port)
{
	u32 pirq = c->pirq;

	port_set_locked(c, PORT_BUSY, pirq, c->vcpu);
	spin_unlock(&d->evtchn->lock);
	pirq_unbind(d, pirq);
	spin_lock(&d->evtchn->lock);
	WRITE_ONCE(d->evtchn->pirq_port[pirq], 0);
	port_free_locked(d, port);
}

static long evtchn_close(struct domain *d, u32 port)
{
	struct evtchn *c = port_find(d, port);
	struct domain *rd;
	int rc = 0;

	if (!c)
		return deny(-XEN_EINVAL);
	rd = lock_with_peer(d, c);
	if (rd)
		close_pair_locked(d, c, port);
	else if (c->state == PORT_PIRQ)
		close_pirq(d, c, port);
	else
		rc = close_locked(d, c, port);
	if (rd && rd != d)
		spin_unlock(&rd->evtchn->lock);
	spin_unlock(&d->evtchn->lock);
	return rc ? deny(rc) : 0;
}

long port_report(struct domain *d, u64 gva, u32 port)
{
	if (!copy_to_guest(gva, &port, sizeof(port)))
		return 0;
	/* Nobody knows the port, unless the guest guesses its own. */
	evtchn_close(d, port);
	return deny(-XEN_EFAULT);
}

/* A domain by number, for itself or for the control domain.  domain_put(). */
static long target_get(domid_t id, struct domain **out)
{
	struct domain *d = domain_get_or_self(id);

	if (!d)
		return deny(-XEN_ESRCH);
	if (d != current->domain && !current->domain->is_privileged) {
		domain_put(d);
		return deny(-XEN_EPERM);
	}
	*out = d;
	return 0;
}

static long evtchn_alloc_unbound(const struct evtchn_alloc_unbound *op, u64 arg)
{
	domid_t peer = op->remote_dom;
	struct domain *d;
	long rc;
	int port;

	rc = target_get(op->dom, &d);
	if (rc)
		return rc;
	if (peer == DOMID_SELF)
		peer = current->domain->id;
	spin_lock(&d->evtchn->lock);
	port = port_alloc_locked(d);
	if (port > 0)
		port_set_locked(port_find(d, port), PORT_UNBOUND, peer, 0);
	spin_unlock(&d->evtchn->lock);

	rc = port;
	if (port > 0)
		rc = port_report(d, arg + offsetof(struct evtchn_alloc_unbound,
						   port), port);
	domain_put(d);
	return rc < 0 ? deny(rc) : 0;
}

static void join_locked(struct domain *ld, u32 lport, struct domain *rd,
			u32 rport)
{
	struct evtchn *lc = port_find(ld, lport), *rc = port_find(rd, rport);

	port_lock_pair(lc, rc);
	lc->target = rd->vcpu[rc->vcpu];
	lc->target_port = rport;
	lc->state = PORT_INTERDOMAIN;
	rc->target = ld->vcpu[lc->vcpu];
	rc->target_port = lport;
	rc->state = PORT_INTERDOMAIN;
	/* Sends before this moment were dropped: look once in any case. */
	port_raise(ld, rc->target, lport);
	port_unlock(rc);
	port_unlock(lc);
}

static int bind_pair_locked(struct domain *ld, struct domain *rd, u32 rport)
{
	struct evtchn *c = port_find(rd, rport);
	int lport;

	if (!c || c->state != PORT_UNBOUND || c->remote_domid != ld->id)
		return -XEN_EINVAL;
	lport = port_alloc_locked(ld);
	if (lport > 0)
		join_locked(ld, lport, rd, rport);
	return lport;
}

static long evtchn_bind_interdomain(const struct evtchn_bind_interdomain *op,
				    u64 arg)
{
	struct domain *ld = current->domain, *rd;
	int lport;

	rd = domain_get_or_self(op->remote_dom);
	if (!rd)
		return deny(-XEN_ESRCH);
	lock_pair(ld, rd);
	lport = bind_pair_locked(ld, rd, op->remote_port);
	unlock_pair(ld, rd);
	domain_put(rd);
	if (lport < 0)
		return deny(lport);
	return port_report(ld, arg + offsetof(struct evtchn_bind_interdomain,
					      local_port), lport);
}

static long evtchn_bind_ipi(const struct evtchn_bind_ipi *op, u64 arg)
{
	struct domain *d = current->domain;
	struct vcpu *v = port_vcpu(d, op->vcpu);
	struct evtchn *c;
	int port;

	if (!v)
		return deny(-XEN_ENOENT);
	spin_lock(&d->evtchn->lock);
	port = port_alloc_locked(d);
	if (port > 0) {
		c = port_find(d, port);
		port_lock(c);
		c->state = PORT_IPI;
		c->vcpu = v->id;
		c->target_port = port;
		c->target = v;
		port_unlock(c);
	}
	spin_unlock(&d->evtchn->lock);
	if (port < 0)
		return deny(port);
	return port_report(d, arg + offsetof(struct evtchn_bind_ipi, port),
			   port);
}

static noinline long send_locked(struct evtchn *c)
{
	long rc = 0;

	port_lock(c);
	if (likely(c->target))
		port_raise(c->target->domain, c->target,
			   c->target_port);
	else if (c->state != PORT_UNBOUND)
		rc = deny(-XEN_EINVAL);
	port_unlock(c);
	return rc;
}

/*
 * [event 10] The sender's port names the peer; its byte lock keeps the pair
 * together until the bit is set.  An IPI stays within the domain and needs no
 * lock: if the port changes hands meanwhile, the guest gets an event that it
 * sent to itself.
 */
static always_inline long evtchn_send(struct domain *d, u32 port)
{
	struct evtchn *c = port_find(d, port);

	if (unlikely(!c))
		return deny(-XEN_EINVAL);
	if (READ_ONCE(c->state) != PORT_IPI)
		return send_locked(c);
	return port_raise(d, d->vcpu[READ_ONCE(c->vcpu)], port);
}

static void status_fill(struct evtchn_status *st, const struct evtchn *c)
{
	st->vcpu = c->vcpu;
	st->status = EVTCHNSTAT_closed;
	switch (c->state) {
	case PORT_UNBOUND:
		st->status = EVTCHNSTAT_unbound;
		st->u.unbound.dom = c->remote_domid;
		break;
	case PORT_INTERDOMAIN:
		st->status = EVTCHNSTAT_interdomain;
		st->u.interdomain.dom = c->target->domain->id;
		st->u.interdomain.port = c->target_port;
		break;
	case PORT_PIRQ:
	case PORT_BUSY:
		st->status = EVTCHNSTAT_pirq;
		st->u.pirq = c->pirq;
		break;
	case PORT_VIRQ:
		st->status = EVTCHNSTAT_virq;
		st->u.virq = c->virq;
		break;
	case PORT_IPI:
		st->status = EVTCHNSTAT_ipi;
		break;
	}
}

static long evtchn_status(struct evtchn_status *st, u64 arg)
{
	struct domain *d;
	struct evtchn *c;
	long rc = target_get(st->dom, &d);

	if (rc)
		return rc;
	memset(&st->u, 0, sizeof(st->u));
	c = port_find(d, st->port);
	if (c) {
		spin_lock(&d->evtchn->lock);
		status_fill(st, c);
		spin_unlock(&d->evtchn->lock);
	}
	domain_put(d);
	if (!c)
		return deny(-XEN_EINVAL);
	return copy_to_guest(arg, st, sizeof(*st)) ? deny(-XEN_EFAULT) : 0;
}

/* Caller holds the domain's lock, so a pair stays one. */
static void notify_vcpu_locked(struct evtchn *c, struct vcpu *v)
{
	struct evtchn *peer = NULL;

	if (c->state == PORT_INTERDOMAIN)
		peer = port_find(c->target->domain, c->target_port);
	port_lock(c);
	c->vcpu = v->id;
	port_unlock(c);
	if (!peer)
		return;
	port_lock(peer);
	peer->target = v;
	port_unlock(peer);
}

static long evtchn_bind_vcpu(const struct evtchn_bind_vcpu *op)
{
	struct domain *d = current->domain;
	struct evtchn *c = port_find(d, op->port);
	struct vcpu *v = port_vcpu(d, op->vcpu);
	bool ok;

	if (!v)
		return deny(-XEN_ENOENT);
	if (!c)
		return deny(-XEN_EINVAL);
	spin_lock(&d->evtchn->lock);
	ok = c->state == PORT_UNBOUND || c->state == PORT_INTERDOMAIN ||
	     c->state == PORT_PIRQ ||
	     (c->state == PORT_VIRQ && virq_is_global(c->virq));
	if (ok)
		notify_vcpu_locked(c, v);
	spin_unlock(&d->evtchn->lock);
	return ok ? 0 : deny(-XEN_EINVAL);
}

static long evtchn_unmask(struct domain *d, u32 port)
{
	struct evtchn *c = port_find(d, port);

	if (!c)
		return deny(-XEN_EINVAL);
	port_lock(c);
	port_unmask(d, c, port);
	port_unlock(c);
	return 0;
}

/* Closes up to CLOSE_BATCH ports: 0 if that was all, else -XEN_ERESTART. */
static int close_some(struct domain *d)
{
	struct evtchn_domain *e = d->evtchn;
	unsigned int closed = 0;

	for (u32 port = 1; port < EVTCHN_2L_PORTS; port++) {
		if (!(READ_ONCE(e->used[port / 64]) & port_bit(port)))
			continue;
		if (closed++ == CLOSE_BATCH)
			return -XEN_ERESTART;
		/* Refused only if another vCPU is closing it just now. */
		evtchn_close(d, port);
	}
	return 0;
}

static long evtchn_reset(const struct evtchn_reset *op, u64 arg)
{
	struct domain *d;
	long rc = target_get(op->dom, &d);

	if (rc)
		return rc;
	if (d != current->domain && !d->control_pauses)
		rc = deny(-XEN_EINVAL);
	else
		rc = close_some(d);
	domain_put(d);
	if (rc == -XEN_ERESTART)
		return hypercall_continue(__HYPERVISOR_event_channel_op, 2,
					  (u64)EVTCHNOP_reset, arg);
	return rc;
}

union evtchn_args {
	u32 port;		/* close, unmask */
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_reset reset;
};

static const u8 args_size[] = {
	[EVTCHNOP_bind_interdomain] = sizeof(struct evtchn_bind_interdomain),
	[EVTCHNOP_bind_virq] = sizeof(struct evtchn_bind_virq),
	[EVTCHNOP_bind_pirq] = sizeof(struct evtchn_bind_pirq),
	[EVTCHNOP_close] = sizeof(struct evtchn_close),
	[EVTCHNOP_status] = sizeof(struct evtchn_status),
	[EVTCHNOP_alloc_unbound] = sizeof(struct evtchn_alloc_unbound),
	[EVTCHNOP_bind_ipi] = sizeof(struct evtchn_bind_ipi),
	[EVTCHNOP_bind_vcpu] = sizeof(struct evtchn_bind_vcpu),
	[EVTCHNOP_unmask] = sizeof(struct evtchn_unmask),
	[EVTCHNOP_reset] = sizeof(struct evtchn_reset),
};

static noinline long evtchn_slow_op(u32 cmd, u64 arg)
{
	union evtchn_args a;

	if (cmd >= ARRAY_SIZE(args_size) || !args_size[cmd])
		return deny(-XEN_ENOSYS);
	if (copy_from_guest(&a, arg, args_size[cmd]))
		return deny(-XEN_EFAULT);
	switch (cmd) {
	case EVTCHNOP_bind_interdomain:
		return evtchn_bind_interdomain(&a.bind_interdomain, arg);
	case EVTCHNOP_bind_virq:
		return evtchn_bind_virq(&a.bind_virq, arg);
	case EVTCHNOP_bind_pirq:
		return evtchn_bind_pirq(&a.bind_pirq, arg);
	case EVTCHNOP_close:
		return evtchn_close(current->domain, a.port);
	case EVTCHNOP_status:
		return evtchn_status(&a.status, arg);
	case EVTCHNOP_alloc_unbound:
		return evtchn_alloc_unbound(&a.alloc_unbound, arg);
	case EVTCHNOP_bind_ipi:
		return evtchn_bind_ipi(&a.bind_ipi, arg);
	case EVTCHNOP_bind_vcpu:
		return evtchn_bind_vcpu(&a.bind_vcpu);
	case EVTCHNOP_unmask:
		return evtchn_unmask(current->domain, a.port);
	case EVTCHNOP_reset:
		return evtchn_reset(&a.reset, arg);
	}
	return deny(-XEN_ENOSYS);
}

/* Hypercall 32.  Sending is worth a path of its own. */
long do_event_channel_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	u32 port;

	if (unlikely((u32)cmd != EVTCHNOP_send))
		return evtchn_slow_op(cmd, arg);
	if (unlikely(get_guest_u32(&port, arg)))
		return deny(-XEN_EFAULT);
	return evtchn_send(current->domain, port);
}

/* Boot: from here on interrupts of devices find their ports. */
void event_init(void)
{
	pirq_raise = pirq_raise_guest;
}

/* Room for ports up to max_port (at most 4095).  0, -XEN_ENOMEM. */
int evtchn_init_domain(struct domain *d, u32 max_port)
{
	struct evtchn_domain *e = heap_alloc(sizeof(*e));

	if (!e)
		return -XEN_ENOMEM;
	spin_lock_init(&e->lock, LOCK_EVTCHN);
	e->max_port = min(max_port, (u32)EVTCHN_2L_PORTS - 1);
	e->used[0] = port_bit(0);
	if (chunk_make(e, 0)) {
		heap_free(e);
		return -XEN_ENOMEM;
	}
	d->evtchn = e;
	return 0;
}

/*
 * d->is_dying is set and no vCPU of d runs: closes its ports, peers fall back
 * to UNBOUND.  Call again while -XEN_ERESTART.
 */
int evtchn_destroy_domain(struct domain *d)
{
	if (!d->evtchn)
		return 0;
	/* A bind that had not seen is_dying ends before we count. */
	spin_lock(&d->evtchn->lock);
	spin_unlock(&d->evtchn->lock);
	return close_some(d);
}

/* The last reference to d is gone. */
void evtchn_free_domain(struct domain *d)
{
	struct evtchn_domain *e = d->evtchn;

	if (!e)
		return;
	d->evtchn = NULL;
	for (unsigned int i = 0; i < NR_CHUNKS; i++)
		heap_free(e->chunk[i]);
	heap_free(e->pirq_port);
	heap_free(e);
}

static void dump_port(const struct domain *d, u32 port)
{
	static const char *const name[] = {
		"free", "unbound", "interdomain", "pirq", "virq", "ipi", "busy",
	};
	const struct evtchn *c = port_find(d, port);
	const struct shared_info *s = d->shared_info;

	printk("  %4u [%c%c] %-11s vcpu %u", port,
	       test_bit(port, s->evtchn_pending) ? 'p' : '-',
	       test_bit(port, s->evtchn_mask) ? 'm' : '-',
	       name[c->state], c->vcpu);
	if (c->state == PORT_INTERDOMAIN)
		printk(" d%u:%u\n", c->target->domain->id, c->target_port);
	else
		printk(" %u\n", c->virq);
}

/* Debug key e: every port that is in use. */
void evtchn_dump(void)
{
	struct domain *d;

	for_each_domain(d) {
		if (!d->evtchn)
			continue;
		printk("d%u event channels, at most %u:\n", d->id,
		       d->evtchn->max_port);
		spin_lock(&d->evtchn->lock);
		for (u32 port = 1; port < EVTCHN_2L_PORTS; port++)
			if (d->evtchn->used[port / 64] & port_bit(port))
				dump_port(d, port);
		spin_unlock(&d->evtchn->lock);
	}
}
