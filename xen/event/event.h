/* SPDX-License-Identifier: GPL-2.0 */
/* Event channels: the only way in which the hypervisor or a domain tells
 * another that something happened. */
#pragma once

#include <lib/lib.h>
#include <hypercall-abi/event_channel.h>

struct vcpu;

#define EVTCHN_2L_PORTS	4096

/* --- evtchn.c ------------------------------------------------------- */
int evtchn_init_domain(struct domain *d, u32 max_port);	/* max_evtchn_port */
/* Closes every port; preemptible: 0 or -XEN_ERESTART. */
int evtchn_destroy_domain(struct domain *d);
void evtchn_free_domain(struct domain *d);	/* final, memory only */
void evtchn_dump(void);				/* debug key e */

/* Port valid and its pending bit set?  For poll.  port 0 and bad ports: <0. */
int evtchn_port_pending(struct domain *d, u32 port);
void virq_raise_vcpu(struct vcpu *v, unsigned int virq);	/* TIMER, DEBUG */
/* A global VIRQ (CONSOLE, DOM_EXC, CON_RING): to whoever bound it (Dom0). */
void virq_raise_global(unsigned int virq);
void pirq_raise_guest(struct domain *d, unsigned int pirq);
/* (static inline in domain.h: vcpu_event_pending(), what exit checks) */
