/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event channels: how an event travels, and a port's life, one function per
 * operation.
 *
 * An event passes three levels, all in memory the guest writes too: the port's
 * bit in shared_info.evtchn_pending, its word's bit in the vCPU's pending
 * selector, and the vCPU's upcall_pending byte.  They are set in this order
 * with full barriers, and the guest clears them in the opposite one, so an
 * event is either seen by the upcall that runs or starts a new one.  A level
 * that was set already stops us: whoever set it does the rest.  A guest that
 * scribbles over its own bits loses its own events.
 *
 * Invariants:
 *  - an event reaches only the port it is meant for: a peer is looked up, and
 *    an interrupt compared with what the port is bound to, under the port's
 *    own lock; so a port closed and used anew gets no foreign event;
 *  - the two ends of an INTERDOMAIN pair always name each other; while they
 *    do, neither domain's ports are freed (evtchn_destroy_domain() closes
 *    all first), so the peer's domain needs no reference of its own;
 *  - a VIRQ of a vCPU (a global one: of the domain) and a PIRQ of a domain
 *    have at most one port each; virq_port[] and pirq_port[] name it, or 0;
 *  - port 0 is FREE for ever;
 *  - an operation that fails, even in telling the guest its new port, leaves
 *    everything as it was.
 *
 * Locks: see port.h; operations run with evtchn_lock held, events need none.
 * cpu/irq.c has locks that come before it, so a PIRQ's port is busy while
 * pirq_bind() or pirq_unbind() runs without evtchn_lock: nobody can close or
 * rebind it, but an interrupt still finds it.
 *
 * A hostile guest may pass any port number and race all operations on all its
 * vCPUs and with its peers; it may use up its own ports, never someone else's.
 * Only the two-level form is offered: up to 4096 ports, no queues
 * (EVTCHNOP_init_control says -XEN_ENOSYS, and a stock kernel then stays with
 * two levels).
 */
#include <event/port.h>
#include <entry/entry.h>

#define CLOSE_BATCH	256	/* ports closed between two preemptions */
#define PER_VCPU_VIRQS	(1U << VIRQ_TIMER | 1U << VIRQ_DEBUG | \
			 1U << VIRQ_XENOPROF | 1U << VIRQ_XENPMU)

_Static_assert(sizeof(struct evtchn) == 16, "many per page, hot");

static struct spinlock evtchn_lock = SPINLOCK(LOCK_EVTCHN);

/* --- from whoever sends, through a pending bit, to the upcall -------- */

/*
 * The word `sel` of v's domain has something unmasked.  A vCPU that runs on
 * another CPU is made to look, one that sleeps is woken; the current one
 * looks on its way out, unless it has just decided to sleep.
 */
static always_inline void upcall_set(struct vcpu *v, u64 sel)
{
	struct vcpu_info *vi = READ_ONCE(v->vcpu_info);

	if (!atomic_test_and_set_bit(sel, &vi->evtchn_pending_sel) &&
	    !xchg(&vi->evtchn_upcall_pending, 1) &&
	    (v != current || unlikely(READ_ONCE(v->pause_flags))))
		vcpu_kick(v);
}

/*
 * [event 20] The port's bit, the selector's bit, the upcall byte: in this
 * order.  A masked port stops after the first; a poll is ended even so.
 * v belongs to d.
 */
static void port_raise(struct domain *d, struct vcpu *v, u32 port)
{
	struct shared_info *s = d->shared_info;

	if (atomic_test_and_set_bit(port, s->evtchn_pending))
		return;
	if (unlikely(READ_ONCE(d->sched.polling)))
		vcpu_poll_wake(d, port);
	if (!test_bit(port, s->evtchn_mask))
		upcall_set(v, port / 64);
}

/* Clears the mask bit; an event that came meanwhile is delivered now. */
static long evtchn_unmask(struct domain *d, union evtchn_args *a)
{
	u32 port = a->port;
	struct evtchn *c = port_find(d, port);
	struct shared_info *s = d->shared_info;

	if (!c)
		return deny(-XEN_EINVAL);
	if (atomic_test_and_clear_bit(port, s->evtchn_mask) &&
	    test_bit(port, s->evtchn_pending))
		upcall_set(d->vcpu[READ_ONCE(c->vcpu)], port / 64);
	return 0;
}

/* 1 or 0; -XEN_EINVAL for port 0 and ports never made.  No lock needed. */
int evtchn_port_pending(struct domain *d, u32 port)
{
	if (!port || !port_find(d, port))
		return -XEN_EINVAL;
	return test_bit(port, d->shared_info->evtchn_pending);
}

/* The port, if it is still bound to interrupt `what`; 0 is none. */
static void interrupt_raise(struct domain *d, u32 port, enum port_state state,
			    u32 what)
{
	struct evtchn *c = port_find(d, port);

	if (!port)
		return;
	byte_lock(&c->lock);
	if (c->state == state && c->what == what)
		port_raise(d, d->vcpu[c->vcpu], port);
	store_release(&c->lock, 0);
}

/* A VIRQ of v's own: VIRQ_TIMER, VIRQ_DEBUG.  Any CPU; v stays alive. */
void virq_raise_vcpu(struct vcpu *v, unsigned int virq)
{
	interrupt_raise(v->domain, load_acquire(&v->virq_port[virq]),
			PORT_VIRQ, virq);
}

/* Tells the control domain, once it exists and has bound the VIRQ.  Not from
 * NMI or #MC: it takes a port's lock. */
void virq_raise_global(unsigned int virq)
{
	struct domain *d = READ_ONCE(dom0);

	if (d && d->evtchn && d->vcpu[0])
		virq_raise_vcpu(d->vcpu[0], virq);
}

/* cpu/irq.c's way to us (pirq_raise): the line fired.  Also while the port is
 * being bound or released: a level-triggered line stays masked until its EOI,
 * so what comes early or late must not be lost. */
void pirq_raise_guest(struct domain *d, unsigned int pirq)
{
	if (pirq < NR_PIRQS)
		interrupt_raise(d, load_acquire(&d->evtchn->pirq_port[pirq]),
				PORT_PIRQ, pirq);
}

/* virq < NR_VIRQS. */
static bool virq_is_global(u32 virq)
{
	return !(PER_VCPU_VIRQS >> virq & 1);
}

/* --- a port comes and goes ------------------------------------------ */

/* The lowest free port.  A dying domain gets none: evtchn_destroy_domain()
 * need not look twice.  Nor does one without vCPUs, which nobody could
 * notify. */
static int port_alloc(struct domain *d)
{
	if (d->is_dying || !d->vcpu[0])
		return -XEN_EINVAL;
	for (u32 port = 1; port <= d->evtchn->max_port; port++)
		if (d->evtchn->port[port].state == PORT_FREE)
			return port;
	return -XEN_ENOSPC;
}

static void port_set(struct evtchn *c, enum port_state state, u32 what,
		     struct vcpu *target)
{
	byte_lock(&c->lock);
	c->state = state;
	c->what = what;
	c->target = target;
	store_release(&c->lock, 0);
}

/*
 * The other end of a pair waits again; it is told first, and after c nobody
 * can raise the port: whoever gets it next must not see an old event.
 */
static void port_free(struct domain *d, struct evtchn *c, u32 port)
{
	if (c->state == PORT_INTERDOMAIN)
		port_set(port_find(c->target->domain, c->what), PORT_UNBOUND,
			 d->id, NULL);
	if (c->state == PORT_VIRQ)
		WRITE_ONCE(d->vcpu[virq_is_global(c->what) ? 0 : c->vcpu]
				   ->virq_port[c->what], 0);
	if (c->state == PORT_PIRQ)
		WRITE_ONCE(d->evtchn->pirq_port[c->what], 0);
	port_set(c, PORT_FREE, 0, NULL);
	c->vcpu = c->busy = 0;
	atomic_test_and_clear_bit(port, d->shared_info->evtchn_pending);
}

/* --- operations: new ports; the port, or a negative number ---------- */

/* A new port of a kind that needs no peer.  name: where an interrupt finds
 * its port, NULL for others. */
static long port_bind(struct domain *d, enum port_state state, u32 what,
		      u32 vcpu, u32 *name)
{
	int port = name && *name ? -XEN_EEXIST : port_alloc(d);
	struct evtchn *c;

	if (port < 0)
		return deny(port);
	c = port_find(d, port);
	c->busy = state == PORT_PIRQ;
	c->vcpu = vcpu;
	port_set(c, state, state == PORT_IPI ? (u32)port : what,
		 state == PORT_IPI ? d->vcpu[vcpu] : NULL);
	if (name)
		store_release(name, (u32)port);
	return port;
}

static long evtchn_alloc_unbound(struct domain *d, union evtchn_args *a)
{
	domid_t peer = a->alloc_unbound.remote_dom;

	if (peer == DOMID_SELF)
		peer = current->domain->id;
	return port_bind(d, PORT_UNBOUND, peer, 0, NULL);
}

static long evtchn_bind_interdomain(struct domain *ld, union evtchn_args *a)
{
	u32 rport = a->bind_interdomain.remote_port;
	struct domain *rd = domain_get_or_self(a->bind_interdomain.remote_dom);
	struct evtchn *rc;
	int lport = -XEN_EINVAL;

	if (!rd)
		return deny(-XEN_ESRCH);
	rc = port_find(rd, rport);
	if (rc && rc->state == PORT_UNBOUND && rc->what == ld->id)
		lport = port_alloc(ld);
	if (lport > 0) {
		port_set(rc, PORT_INTERDOMAIN, lport, ld->vcpu[0]);
		port_set(port_find(ld, lport), PORT_INTERDOMAIN, rport,
			 rd->vcpu[rc->vcpu]);
		/* Sends before now were dropped: look once in any case. */
		port_raise(ld, ld->vcpu[0], lport);
	}
	domain_put(rd);
	return lport < 0 ? deny(lport) : lport;
}

/* Any domain may bind any VIRQ; most are never raised outside Dom0. */
static long evtchn_bind_virq(struct domain *d, union evtchn_args *a)
{
	u32 virq = a->bind_virq.virq;
	struct vcpu *v = vcpu_find(d, a->bind_virq.vcpu);

	if (virq >= NR_VIRQS || (virq_is_global(virq) && a->bind_virq.vcpu))
		return deny(-XEN_EINVAL);
	if (!v)
		return deny(-XEN_ENOENT);
	return port_bind(d, PORT_VIRQ, virq, v->id, &v->virq_port[virq]);
}

/* Dom0's drivers: the hardware interrupt `pirq` arrives at a port. */
static long evtchn_bind_pirq(struct domain *d, union evtchn_args *a)
{
	u32 pirq = a->bind_pirq.pirq;
	struct evtchn *c;
	long port;
	int rc;

	if (pirq >= NR_PIRQS)
		return deny(-XEN_EINVAL);
	if (!d->is_privileged)
		return deny(-XEN_EPERM);
	port = port_bind(d, PORT_PIRQ, pirq, 0, &d->evtchn->pirq_port[pirq]);
	if (port < 0)
		return port;
	c = port_find(d, port);
	spin_unlock(&evtchn_lock);
	rc = pirq_bind(d, pirq);
	spin_lock(&evtchn_lock);
	c->busy = 0;
	if (rc)
		port_free(d, c, port);
	return rc ? deny(rc) : port;
}

static long evtchn_bind_ipi(struct domain *d, union evtchn_args *a)
{
	if (!vcpu_find(d, a->bind_ipi.vcpu))
		return deny(-XEN_ENOENT);
	return port_bind(d, PORT_IPI, 0, a->bind_ipi.vcpu, NULL);
}

/* --- operations on ports that exist --------------------------------- */

static long evtchn_close(struct domain *d, union evtchn_args *a)
{
	struct evtchn *c = port_find(d, a->port);

	if (!c || c->state == PORT_FREE || c->busy)
		return deny(-XEN_EINVAL);
	if (c->state == PORT_PIRQ) {
		c->busy = 1;
		spin_unlock(&evtchn_lock);
		pirq_unbind(d, c->what);
		spin_lock(&evtchn_lock);
	}
	port_free(d, c, a->port);
	return 0;
}

static long evtchn_status(struct domain *d, union evtchn_args *a)
{
	struct evtchn_status *st = &a->status;
	struct evtchn *c = port_find(d, st->port);

	if (!c)
		return deny(-XEN_EINVAL);
	memset(&st->u, 0, sizeof(st->u));
	st->status = c->state;
	st->vcpu = c->vcpu;
	/* Or the VIRQ, or who may connect: at the same place. */
	if (c->state != PORT_IPI)
		st->u.pirq = c->what;
	if (c->state == PORT_INTERDOMAIN) {
		st->u.interdomain.dom = c->target->domain->id;
		st->u.interdomain.port = c->what;
	}
	return 0;
}

/* Not for what belongs to one vCPU by its nature. */
static long evtchn_bind_vcpu(struct domain *d, union evtchn_args *a)
{
	struct evtchn *c = port_find(d, a->bind_vcpu.port);
	struct vcpu *v = vcpu_find(d, a->bind_vcpu.vcpu);

	if (!v)
		return deny(-XEN_ENOENT);
	if (!c || c->state == PORT_FREE || c->state == PORT_IPI || c->busy ||
	    (c->state == PORT_VIRQ && !virq_is_global(c->what)))
		return deny(-XEN_EINVAL);
	WRITE_ONCE(c->vcpu, v->id);
	if (c->state == PORT_INTERDOMAIN)
		WRITE_ONCE(port_find(c->target->domain, c->what)->target, v);
	return 0;
}

/* Closes up to CLOSE_BATCH ports: 0 if that was all, else -XEN_ERESTART. */
static int close_some(struct domain *d)
{
	unsigned int closed = 0;

	for (union evtchn_args a = { .port = 1 }; a.port <= d->evtchn->max_port;
	     a.port++) {
		if (d->evtchn->port[a.port].state == PORT_FREE)
			continue;
		if (closed++ == CLOSE_BATCH)
			return -XEN_ERESTART;
		/* Refused only if another vCPU is closing it just now. */
		evtchn_close(d, &a);
	}
	return 0;
}

static long evtchn_reset(struct domain *d, union evtchn_args *a)
{
	if (d != current->domain && !d->control_pauses)
		return deny(-XEN_EINVAL);
	return close_some(d);
}

/* --- the hypercall -------------------------------------------------- */

/* With the size of the arguments, whose last field is the port if it is new. */
static const struct {
	long (*fn)(struct domain *d, union evtchn_args *a);
	size_t size;
} ops[] = {
	[EVTCHNOP_bind_interdomain] = { evtchn_bind_interdomain, 12 },
	[EVTCHNOP_bind_virq] = { evtchn_bind_virq, 12 },
	[EVTCHNOP_bind_pirq] = { evtchn_bind_pirq, 12 },
	[EVTCHNOP_close] = { evtchn_close, 4 },
	[EVTCHNOP_status] = { evtchn_status, sizeof(struct evtchn_status) },
	[EVTCHNOP_alloc_unbound] = { evtchn_alloc_unbound, 8 },
	[EVTCHNOP_bind_ipi] = { evtchn_bind_ipi, 8 },
	[EVTCHNOP_bind_vcpu] = { evtchn_bind_vcpu, 8 },
	[EVTCHNOP_unmask] = { evtchn_unmask, 4 },
	[EVTCHNOP_reset] = { evtchn_reset, sizeof(struct evtchn_reset) },
};
/* These name the domain, theirs or for the control domain any. */
#define FOREIGN_OPS	(1U << EVTCHNOP_status | 1U << EVTCHNOP_reset | \
			 1U << EVTCHNOP_alloc_unbound)

static noinline long evtchn_op(u32 cmd, u64 arg)
{
	union evtchn_args a;
	struct domain *d;
	size_t size;
	long rc;

	if (cmd >= ARRAY_SIZE(ops) || !ops[cmd].fn)
		return deny(-XEN_ENOSYS);
	size = ops[cmd].size;
	if (copy_from_guest(&a, arg, size))
		return deny(-XEN_EFAULT);
	d = domain_get_or_self(FOREIGN_OPS >> cmd & 1 ? a.dom : DOMID_SELF);
	if (!d)
		return deny(-XEN_ESRCH);
	spin_lock(&evtchn_lock);
	rc = d == current->domain || current->domain->is_privileged ?
	     ops[cmd].fn(d, &a) : deny(-XEN_EPERM);
	if (rc > 0) {
		a.port = rc;
		rc = put_guest_u32(arg + size - sizeof(u32), a.port);
		/* Nobody knows the port, unless the guest guesses its own. */
		if (rc)
			evtchn_close(d, &a);
	} else if (!rc && cmd == EVTCHNOP_status) {
		rc = copy_to_guest(arg, &a, size);
	}
	spin_unlock(&evtchn_lock);
	domain_put(d);
	return rc == -XEN_ERESTART ?
	       hypercall_continue(__HYPERVISOR_event_channel_op, 2, (u64)cmd,
				  arg) : rc;
}

/*
 * Hypercall 32.  Sending is worth a path of its own.
 *
 * [event 10] The sender's port names the peer; its byte lock keeps the pair
 * together until the bit is set.  A port that nobody has connected to yet
 * swallows what is sent.
 */
long do_event_channel_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct evtchn *c;
	struct vcpu *v;
	u32 port;
	bool ok;

	if (unlikely((u32)cmd != EVTCHNOP_send))
		return evtchn_op(cmd, arg);
	if (unlikely(get_guest_u32(&port, arg)))
		return deny(-XEN_EFAULT);
	c = port_find(current->domain, port);
	if (unlikely(!c))
		return deny(-XEN_EINVAL);
	byte_lock(&c->lock);
	v = READ_ONCE(c->target);
	ok = v || c->state == PORT_UNBOUND;
	if (likely(v))
		port_raise(v->domain, v, c->what);
	store_release(&c->lock, 0);
	return likely(ok) ? 0 : deny(-XEN_EINVAL);
}

/* --- domains -------------------------------------------------------- */

/* Room for ports up to max_port (at most 4095).  0, or -XEN_ENOMEM: what there
 * is goes by evtchn_free_domain(). */
int evtchn_init_domain(struct domain *d, u32 max_port)
{
	struct evtchn_domain *e = heap_alloc(sizeof(*e));

	if (!e)
		return -XEN_ENOMEM;
	pirq_raise = pirq_raise_guest;	/* interrupts find their ports */
	e->max_port = min(max_port, (u32)EVTCHN_2L_PORTS - 1);
	e->port = heap_alloc((e->max_port + 1) * sizeof(*e->port));
	d->evtchn = e;
	return e->port ? 0 : -XEN_ENOMEM;
}

/*
 * d->is_dying is set and no vCPU of d runs: closes its ports, peers fall back
 * to UNBOUND.  Call again while -XEN_ERESTART.
 */
int evtchn_destroy_domain(struct domain *d)
{
	int rc;

	/* A bind that had not seen is_dying ends before we look. */
	spin_lock(&evtchn_lock);
	rc = close_some(d);
	spin_unlock(&evtchn_lock);
	return rc;
}

/* The last reference to d is gone. */
void evtchn_free_domain(struct domain *d)
{
	if (d->evtchn)
		heap_free(d->evtchn->port);
	heap_free(d->evtchn);
	d->evtchn = NULL;
}

/* Debug key e: every port that is in use. */
void evtchn_dump(void)
{
	struct domain *d;

	spin_lock(&evtchn_lock);
	for_each_domain(d)
		for (u32 p = 1; p <= d->evtchn->max_port; p++) {
			const struct evtchn *c = port_find(d, p);

			if (c->state)
				printk("d%u port %u: kind %u, %u, vcpu %u, %s\n",
				       d->id, p, c->state, c->what, c->vcpu,
				       evtchn_port_pending(d, p) ? "pending"
								 : "quiet");
		}
	spin_unlock(&evtchn_lock);
}
