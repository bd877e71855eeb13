/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From whoever sends, through a pending bit, to the guest's upcall.
 *
 * Three levels, all in memory the guest writes too: the port's bit in
 * shared_info.evtchn_pending, its word's bit in the vCPU's pending selector,
 * and the vCPU's upcall_pending byte.  They are set in this order with full
 * barriers, and the guest clears them in the opposite one, so an event is
 * either seen by the upcall that runs or starts a new one.  A level that was
 * set already stops us: whoever set it does the rest.
 *
 * Invariant: an event reaches only the port it is meant for.  A peer is looked
 * up, and an interrupt compared with what the port is bound to, under the
 * port's own lock; so a port closed and used anew gets no foreign event.
 *
 * Locks: see port.h.  A guest that scribbles over its own bits loses its own
 * events.
 */
#include <event/port.h>

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
void port_raise(struct domain *d, struct vcpu *v, u32 port)
{
	struct shared_info *s = d->shared_info;

	if (atomic_test_and_set_bit(port, s->evtchn_pending))
		return;
	if (unlikely(READ_ONCE(d->sched.polling)))
		vcpu_poll_wake(d, port);
	if (!test_bit(port, s->evtchn_mask))
		upcall_set(v, port / 64);
}

/*
 * [event 10] The sender's port names the peer; its byte lock keeps the pair
 * together until the bit is set.  A port that nobody has connected to yet
 * swallows what is sent.
 */
long evtchn_send(struct domain *d, u32 port)
{
	struct evtchn *c = port_find(d, port);
	struct vcpu *v;
	bool ok;

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

/* Clears the mask bit; an event that came meanwhile is delivered now. */
long evtchn_unmask(struct domain *d, union evtchn_args *a)
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
