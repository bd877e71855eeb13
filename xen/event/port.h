/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of event/ share: a domain's ports.  Nobody else includes it.
 *
 * A port is 16 bytes, in chunks of 64 that are made as ports are used and
 * freed only with the domain, so a port once found stays readable.
 *
 * Locks.  `evtchn_lock` (LOCK_EVTCHN) serialises every change of any port's
 * state: allocate, bind, close.  All are rare and short.  Each port has besides
 * a lock of one byte, the innermost of event/: a change of its state and target
 * holds it too, so a sender needs only its own port's byte to know
 * that the peer, and the peer's domain, are still there.  Under it only the
 * scheduler's locks may be taken, and nothing may be printed.
 */
#ifndef EVENT_PORT_H
#define EVENT_PORT_H

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

#define PORTS_PER_CHUNK	64
#define NR_CHUNKS	(EVTCHN_2L_PORTS / PORTS_PER_CHUNK)

struct evtchn_domain {
	struct evtchn *chunk[NR_CHUNKS];
	u64 used[NR_CHUNKS];	/* one bit per port, under lock; port 0 set */
	u32 max_port;		/* highest that may be allocated */
	u32 pirq_port[NR_PIRQS];	/* 0: none */
};

/* The port, or NULL if no such port was ever made. */
static always_inline struct evtchn *port_find(const struct domain *d, u32 port)
{
	struct evtchn *chunk;

	if (unlikely(port >= EVTCHN_2L_PORTS))
		return NULL;
	chunk = load_acquire(&d->evtchn->chunk[port / PORTS_PER_CHUNK]);
	return likely(chunk) ? chunk + port % PORTS_PER_CHUNK : NULL;
}

/* deliver.c */
void port_raise(struct domain *d, struct vcpu *v, u32 port);
long evtchn_send(struct domain *d, u32 port);
long evtchn_unmask(struct domain *d, union evtchn_args *a);

#endif
