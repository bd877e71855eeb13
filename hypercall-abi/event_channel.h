/* SPDX-License-Identifier: MIT */
/*
 * Event channels: event_channel_op(cmd, guest pointer to the structure of
 * that command).
 *
 * A port is a small number naming one end of a channel within a domain; port
 * 0 is never valid.  An event on a port sets its bit in
 * shared_info.evtchn_pending; if the same bit of evtchn_mask is clear, the
 * bit of that word is set in the bound vCPU's evtchn_pending_sel, then its
 * evtchn_upcall_pending, and the guest kernel's event callback runs unless
 * evtchn_upcall_mask is set.  The guest clears all three itself.
 *
 * Fields marked IN are written by the caller and read by the hypervisor,
 * fields marked OUT the other way round, on success only.  A command that
 * fails changes nothing.
 */
#ifndef ABI_EVENT_CHANNEL_H
#define ABI_EVENT_CHANNEL_H

#include <hypercall-abi/xen.h>

#define EVTCHNOP_bind_interdomain	0
#define EVTCHNOP_bind_virq		1
#define EVTCHNOP_bind_pirq		2
#define EVTCHNOP_close			3
#define EVTCHNOP_send			4
#define EVTCHNOP_status			5
#define EVTCHNOP_alloc_unbound		6
#define EVTCHNOP_bind_ipi		7
#define EVTCHNOP_bind_vcpu		8
#define EVTCHNOP_unmask			9
#define EVTCHNOP_reset			10
/* The queue-per-priority form of event channels; not offered: XEN_ENOSYS. */
#define EVTCHNOP_init_control		11
#define EVTCHNOP_expand_array		12
#define EVTCHNOP_set_priority		13

typedef uint32_t evtchn_port_t;

/* Ports of the two-level form: one bit each in shared_info. */
#define EVTCHN_2L_NR_CHANNELS	4096

/* A new port in dom that remote_dom, and nobody else, may connect to. */
struct evtchn_alloc_unbound {
	domid_t dom;		/* IN: DOMID_SELF, or any for the control domain */
	domid_t remote_dom;	/* IN: DOMID_SELF stands for the caller */
	uint32_t port;		/* OUT: in dom */
};

/* Connects a new local port to an unbound one.  The new port is pending. */
struct evtchn_bind_interdomain {
	domid_t remote_dom;	/* IN */
	uint32_t remote_port;	/* IN: unbound, waiting for the caller */
	uint32_t local_port;	/* OUT */
};

/* A port for a virtual interrupt, VIRQ_*. */
struct evtchn_bind_virq {
	uint32_t virq;		/* IN */
	uint32_t vcpu;		/* IN: 0 unless the VIRQ is per vCPU */
	uint32_t port;		/* OUT */
};

/* A port for a hardware interrupt, by the domain's name for it. */
struct evtchn_bind_pirq {
	uint32_t pirq;		/* IN */
	uint32_t flags;		/* IN: BIND_PIRQ__* */
	uint32_t port;		/* OUT */
};
#define BIND_PIRQ__WILL_SHARE	1 /* others may sit on the same line */

/* A port whose sender is the domain itself: between its own vCPUs. */
struct evtchn_bind_ipi {
	uint32_t vcpu;		/* IN: who gets the event */
	uint32_t port;		/* OUT */
};

/* Frees a port; the other end, if any, falls back to unbound. */
struct evtchn_close {
	uint32_t port;		/* IN */
};

/* An event for the other end (or for the bound vCPU of an IPI port). */
struct evtchn_send {
	uint32_t port;		/* IN: the caller's */
};

struct evtchn_status {
	domid_t dom;		/* IN: DOMID_SELF, or any for the control domain */
	uint32_t port;		/* IN */
	uint32_t status;	/* OUT: EVTCHNSTAT_* */
	uint32_t vcpu;		/* OUT: who is notified */
	union {			/* OUT, by status */
		struct {
			domid_t dom;	/* who may connect */
		} unbound;
		struct {
			domid_t dom;
			uint32_t port;
		} interdomain;
		uint32_t pirq;
		uint32_t virq;
	} u;
};
#define EVTCHNSTAT_closed	0
#define EVTCHNSTAT_unbound	1
#define EVTCHNSTAT_interdomain	2
#define EVTCHNSTAT_pirq		3
#define EVTCHNSTAT_virq		4
#define EVTCHNSTAT_ipi		5

/* Changes who is notified; not for IPIs and per-vCPU VIRQs. */
struct evtchn_bind_vcpu {
	uint32_t port;		/* IN */
	uint32_t vcpu;		/* IN */
};

/* Clears the mask bit and notifies if the port is pending. */
struct evtchn_unmask {
	uint32_t port;		/* IN */
};

/* Closes all ports of a domain. */
struct evtchn_reset {
	domid_t dom;		/* IN: DOMID_SELF, or any for the control domain */
};

#endif
