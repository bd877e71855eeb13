/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of event/ share: a domain's ports.  Nobody else includes it.
 *
 * A port is 16 bytes, in chunks of 64 that are made as ports are used and
 * freed only with the domain, so a port once found stays readable.
 *
 * Locks.  `evtchn_domain.lock` (LOCK_EVTCHN; two of them in address order)
 * serialises every change of a port's state: allocate, bind, close.  Each port
 * has besides a lock of one byte, the innermost of event/: a change of state
 * holds it too (both ends' for a pair), so a sender needs only its own port's
 * byte to know that the peer, and the peer's domain, are still there.  Under
 * it only the scheduler's locks may be taken, and nothing may be printed.
 */
#ifndef EVENT_PORT_H
#define EVENT_PORT_H

#include <domain/domain.h>

enum port_state {
	PORT_FREE,		/* port 0 is this too, but never allocated */
	PORT_UNBOUND,		/* waits for remote_domid */
	PORT_INTERDOMAIN,
	PORT_PIRQ,
	PORT_VIRQ,
	PORT_IPI,
	PORT_BUSY,		/* a PIRQ being bound or released */
};

struct evtchn {
	u8 lock;
	u8 state;		/* enum port_state */
	u8 vcpu;		/* who is notified */
	u8 pad;
	union {
		u32 target_port;	/* INTERDOMAIN: the peer; IPI: itself */
		u32 remote_domid;	/* UNBOUND */
		u32 virq;
		u32 pirq;		/* PIRQ and BUSY */
	};
	/* Whom a send reaches; NULL unless INTERDOMAIN or IPI.  Follows the
	 * peer's `vcpu`: evtchn_bind_vcpu() changes both. */
	struct vcpu *target;
};

#define PORTS_PER_CHUNK	64
#define NR_CHUNKS	(EVTCHN_2L_PORTS / PORTS_PER_CHUNK)

struct evtchn_domain {
	struct evtchn *chunk[NR_CHUNKS];
	u64 used[NR_CHUNKS];	/* one bit per port, under lock; port 0 set */
	struct spinlock lock;
	u32 max_port;		/* highest that may be allocated */
	u16 *pirq_port;		/* [NR_PIRQS], 0 none; made on first use */
};

/* The port, or NULL if no such port was ever made. */
static always_inline struct evtchn *port_find(const struct domain *d, u32 port)
{
	struct evtchn *chunk;

	if (unlikely(port >= EVTCHN_2L_PORTS))
		return NULL;
	chunk = load_acquire(&d->evtchn->chunk[port / PORTS_PER_CHUNK]);
	if (unlikely(!chunk))
		return NULL;
	return chunk + port % PORTS_PER_CHUNK;
}

static always_inline void port_lock(struct evtchn *c)
{
	while (unlikely(xchg(&c->lock, 1)))
		cpu_poll();
}

static always_inline void port_unlock(struct evtchn *c)
{
	store_release(&c->lock, 0);
}

/* deliver.c: the rare ends of port_raise(); both return 0. */
long port_raise_polled(struct vcpu *v, u32 port);
long port_kick(struct vcpu *v);

/*
 * The word `sel` of v's domain has something unmasked.  A vCPU that runs on
 * another CPU is made to look, one that sleeps is woken; the current one
 * looks on its way out, unless it has just decided to sleep.
 */
static always_inline long upcall_set(struct vcpu *v, u64 sel)
{
	struct vcpu_info *vi = READ_ONCE(v->vcpu_info);

	if (atomic_test_and_set_bit(sel, &vi->evtchn_pending_sel))
		return 0;
	if (xchg(&vi->evtchn_upcall_pending, 1))
		return 0;
	if (v == current && likely(!READ_ONCE(v->pause_flags)))
		return 0;
	return port_kick(v);
}

/*
 * [event 20] The port's bit, the selector's bit, the upcall byte: in this
 * order.  A masked port stops after the first; a poll is ended even so.
 * v belongs to d.  0, always: a caller may return it.
 */
static always_inline long port_raise(struct domain *d, struct vcpu *v, u32 port)
{
	struct shared_info *s = d->shared_info;

	if (atomic_test_and_set_bit(port, s->evtchn_pending))
		return 0;
	if (unlikely(READ_ONCE(d->sched.polling)))
		return port_raise_polled(v, port);
	if (READ_ONCE(s->evtchn_mask[port / 64]) >> port % 64 & 1)
		return 0;
	return upcall_set(v, port / 64);
}

/* evtchn.c, for virq.c.  Caller holds the domain's lock. */
int port_alloc_locked(struct domain *d);	/* lowest free, -XEN_ENOSPC.. */
void port_set_locked(struct evtchn *c, enum port_state state, u32 what,
		     unsigned int vcpu);
void port_free_locked(struct domain *d, u32 port);
/* Hands a new port to the guest, or closes it again. */
long port_report(struct domain *d, u64 gva, u32 port);
struct vcpu *port_vcpu(const struct domain *d, u32 id);	/* NULL none */

/* virq.c, for evtchn.c. */
long evtchn_bind_virq(const struct evtchn_bind_virq *op, u64 arg);
long evtchn_bind_pirq(const struct evtchn_bind_pirq *op, u64 arg);
bool virq_is_global(u32 virq);
void virq_forget_locked(struct domain *d, const struct evtchn *c);

/* deliver.c, for evtchn.c. */
void port_unmask(struct domain *d, const struct evtchn *c, u32 port);

#endif
