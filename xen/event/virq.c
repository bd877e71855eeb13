/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ports of virtual and hardware interrupts.
 *
 * Invariant: a VIRQ of a vCPU (a global one: of the domain) and a PIRQ of a
 * domain have at most one port each; virq_port[] and pirq_port[] name it, or
 * 0.  Both are changed under the domain's event lock and read without: the
 * raiser then takes the port's own lock and looks whether it is still the
 * interrupt's, so a port closed and used anew gets no foreign event.
 *
 * cpu/irq.c has locks that come before ours, so a PIRQ's port is BUSY while
 * pirq_bind() or pirq_unbind() runs without the event lock: nobody can close
 * or rebind it, but an interrupt that comes early or late still finds it and
 * is not lost (a level-triggered line stays masked until its EOI).
 */
#include <event/port.h>

#define PER_VCPU_VIRQS	(1U << VIRQ_TIMER | 1U << VIRQ_DEBUG | \
			 1U << VIRQ_XENOPROF | 1U << VIRQ_XENPMU)

/* virq < NR_VIRQS. */
bool virq_is_global(u32 virq)
{
	return !(PER_VCPU_VIRQS >> virq & 1);
}

/* Any domain may bind any VIRQ; most are never raised outside Dom0. */
long evtchn_bind_virq(const struct evtchn_bind_virq *op, u64 arg)
{
	struct domain *d = current->domain;
	struct vcpu *v;
	int port;

	if (op->virq >= NR_VIRQS || (virq_is_global(op->virq) && op->vcpu))
		return deny(-XEN_EINVAL);
	v = port_vcpu(d, op->vcpu);
	if (!v)
		return deny(-XEN_ENOENT);

	spin_lock(&d->evtchn->lock);
	port = v->virq_port[op->virq] ? -XEN_EEXIST : port_alloc_locked(d);
	if (port > 0) {
		port_set_locked(port_find(d, port), PORT_VIRQ, op->virq, v->id);
		store_release(&v->virq_port[op->virq], (u32)port);
	}
	spin_unlock(&d->evtchn->lock);

	if (port < 0)
		return deny(port);
	return port_report(d, arg + offsetof(struct evtchn_bind_virq, port),
			   port);
}

/* A VIRQ port is being closed. */
void virq_forget_locked(struct domain *d, const struct evtchn *c)
{
	struct vcpu *v = d->vcpu[virq_is_global(c->virq) ? 0 : c->vcpu];

	if (v)
		WRITE_ONCE(v->virq_port[c->virq], 0);
}

static int pirq_port_reserve(struct domain *d, u32 pirq)
{
	struct evtchn_domain *e = d->evtchn;
	int port;

	if (!e->pirq_port) {
		u16 *t = heap_alloc(NR_PIRQS * sizeof(*t));

		if (!t)
			return -XEN_ENOMEM;
		store_release(&e->pirq_port, t);
	}
	if (e->pirq_port[pirq])
		return -XEN_EEXIST;
	port = port_alloc_locked(d);
	if (port > 0) {
		port_set_locked(port_find(d, port), PORT_BUSY, pirq, 0);
		store_release(&e->pirq_port[pirq], (u16)port);
	}
	return port;
}

/* Dom0's drivers: the hardware interrupt `pirq` arrives at a port. */
long evtchn_bind_pirq(const struct evtchn_bind_pirq *op, u64 arg)
{
	struct domain *d = current->domain;
	int port, rc;

	if (op->pirq >= NR_PIRQS)
		return deny(-XEN_EINVAL);
	if (!d->is_privileged)
		return deny(-XEN_EPERM);

	spin_lock(&d->evtchn->lock);
	port = pirq_port_reserve(d, op->pirq);
	spin_unlock(&d->evtchn->lock);
	if (port < 0)
		return deny(port);

	rc = pirq_bind(d, op->pirq, op->flags & BIND_PIRQ__WILL_SHARE);

	spin_lock(&d->evtchn->lock);
	if (rc) {
		d->evtchn->pirq_port[op->pirq] = 0;
		port_free_locked(d, port);
	} else {
		port_set_locked(port_find(d, port), PORT_PIRQ, op->pirq, 0);
	}
	spin_unlock(&d->evtchn->lock);

	if (rc)
		return deny(rc);
	return port_report(d, arg + offsetof(struct evtchn_bind_pirq, port),
			   port);
}

static void virq_raise(struct domain *d, const struct vcpu *v, u32 virq)
{
	u32 port = load_acquire(&v->virq_port[virq]);
	struct evtchn *c;

	if (!port)
		return;
	c = port_find(d, port);
	port_lock(c);
	if (c->state == PORT_VIRQ && c->virq == virq)
		port_raise(d, d->vcpu[c->vcpu], port);
	port_unlock(c);
}

/* A VIRQ of v's own: VIRQ_TIMER, VIRQ_DEBUG.  Any CPU; v stays alive. */
void virq_raise_vcpu(struct vcpu *v, unsigned int virq)
{
	virq_raise(v->domain, v, virq);
}

/* Tells the control domain, once it exists and has bound the VIRQ.  Not from
 * NMI or #MC: it takes a port's lock. */
void virq_raise_global(unsigned int virq)
{
	struct domain *d = READ_ONCE(dom0);

	if (d && d->evtchn && d->vcpu[0])
		virq_raise(d, d->vcpu[0], virq);
}

/* cpu/irq.c's way to us (pirq_raise): the line fired. */
void pirq_raise_guest(struct domain *d, unsigned int pirq)
{
	u16 *ports = load_acquire(&d->evtchn->pirq_port);
	u32 port = ports && pirq < NR_PIRQS ? load_acquire(&ports[pirq]) : 0;
	struct evtchn *c;

	if (!port)
		return;
	c = port_find(d, port);
	port_lock(c);
	if ((c->state == PORT_PIRQ || c->state == PORT_BUSY) && c->pirq == pirq)
		port_raise(d, d->vcpu[c->vcpu], port);
	port_unlock(c);
}

/* v now lives on another CPU.  Interrupt lines stay where they are: their
 * vector is taken anywhere, and vcpu_kick() finds v. */
void evtchn_move_pirqs(struct vcpu *v)
{
}
