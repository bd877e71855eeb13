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

long port_kick(struct vcpu *v)
{
	vcpu_kick(v);
	return 0;
}

/* The port's bit is set; somebody polls, for this port or others. */
long port_raise_polled(struct vcpu *v, u32 port)
{
	struct domain *d = v->domain;

	vcpu_poll_wake(d, port);
	if (!test_bit(port, d->shared_info->evtchn_mask))
		upcall_set(v, port / 64);
	return 0;
}

void evtchn_set_pending(struct vcpu *v, u32 port)
{
	port_raise(v->domain, v, port);
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
