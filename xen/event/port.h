/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A domain's ports.  For evtchn.c and its tests only.
 *
 * A port is 16 bytes, in an array that is made and freed with the domain.
 *
 * Locks.  `evtchn_lock` (LOCK_EVTCHN) serialises every change of any port's
 * state: allocate, bind, close.  All are rare and short.  Each port has besides
 * a lock of one byte, the innermost of event/: a change of its state and target
 * holds it too, so a sender needs only its own port's byte to know
 * that the peer, and the peer's domain, are still there.  Under it only the
 * scheduler's locks may be taken, and nothing may be printed.
 */
#pragma once

#include <domain/domain.h>

/* The numbers are EVTCHNSTAT_*. */
enum port_state {
	PORT_FREE,		/* port 0 is this too, but never allocated */
	PORT_UNBOUND,		/* waits for remote domain `what` */
	PORT_INTERDOMAIN,	/* what: the peer's port */
	PORT_PIRQ,		/* what: the PIRQ */
	PORT_VIRQ,		/* what: the VIRQ */
	PORT_IPI,		/* what: the port itself */
};

struct evtchn {
	u8 lock;
	u8 state;		/* enum port_state */
	u8 vcpu;		/* who is notified */
	u8 busy;		/* a PIRQ being bound or released */
	u32 what;		/* see enum port_state */
	/* Whom a send reaches; NULL unless INTERDOMAIN or IPI.  Follows the
	 * peer's `vcpu`: evtchn_bind_vcpu() changes both. */
	struct vcpu *target;
};

union evtchn_args {
	domid_t dom;		/* alloc_unbound, status, reset */
	u32 port;		/* close, unmask */
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
};

struct evtchn_domain {
	struct evtchn *port;	/* [max_port + 1] */
	u32 max_port;
	u32 pirq_port[NR_PIRQS];	/* 0: none */
};

/* The port, or NULL if d has no such port. */
static always_inline struct evtchn *port_find(const struct domain *d, u32 port)
{
	const struct evtchn_domain *e = d->evtchn;

	return likely(port <= e->max_port) ? e->port + port : NULL;
}
