/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a pending bit to the guest's upcall.
 *
 * Three levels, all in memory the guest writes too: the port's bit in
 * shared_info.evtchn_pending, its word's bit in the vCPU's pending selector,
 * and the vCPU's upcall_pending byte.  They are set in this order with full
 * barriers, and the guest clears them in the opposite one, so an event is
 * either seen by the upcall that runs or starts a new one.  A level that was
 * set already stops us: whoever set it does the rest.
 *
 * No lock.  A guest that scribbles over its own bits loses its own events.
 */
#include <event/port.h>

/*
 * The word `sel` of v's domain has something unmasked.  A vCPU that runs on
 * another CPU is made to look, one that sleeps is woken; the current one
 * looks on its way out, unless it has just decided to sleep.
 */
void upcall_set(struct vcpu *v, unsigned int sel)
{
	struct vcpu_info *vi = READ_ONCE(v->vcpu_info);

	if (atomic_test_and_set_bit(sel, &vi->evtchn_pending_sel))
		return;
	if (xchg(&vi->evtchn_upcall_pending, 1))
		return;
	if (v != current || READ_ONCE(v->pause_flags))
		vcpu_kick(v);
}

void evtchn_set_pending(struct vcpu *v, u32 port)
{
	port_raise(v, port);
}

/* Clears the mask bit; an event that came meanwhile is delivered now. */
void port_unmask(struct domain *d, const struct evtchn *c, u32 port)
{
	struct shared_info *s = d->shared_info;

	if (atomic_test_and_clear_bit(port, s->evtchn_mask) &&
	    test_bit(port, s->evtchn_pending))
		upcall_set(d->vcpu[c->vcpu], port / 64);
}

/* 1 or 0; -XEN_EINVAL for port 0 and ports never made.  No lock needed. */
int evtchn_port_pending(struct domain *d, u32 port)
{
	if (!port || !port_find(d, port))
		return -XEN_EINVAL;
	return test_bit(port, d->shared_info->evtchn_pending);
}
