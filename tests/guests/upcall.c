/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: an event is delivered when its port and the vCPU are unmasked, and
 * only then; the upcall masks; iret() and any hypercall deliver what became
 * pending meanwhile; unmask re-evaluates a pending port; setting a bit that is
 * set already makes no second upcall.
 */
#include "lib/guest.h"

static volatile u32 upcalls;
static volatile u64 saved_mask, mask_inside;
static u32 port;

static void upcall(struct guest_frame *f)
{
	upcalls++;
	saved_mask = f->cs >> 32;
	mask_inside = VCPU0->evtchn_upcall_mask;
	VCPU0->evtchn_upcall_pending = 0;
	__atomic_exchange_n(&VCPU0->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
}

static void poke(void)
{
	HC(xen_version, 0, 0, 0, 0);
}

static void unmask_port(void)
{
	struct evtchn_unmask u = { .port = port };

	CHECK_EQ(EVTCHN(unmask, &u), 0);
}

static void by_vcpu_mask(void)
{
	port_mask(port, false);
	CHECK_EQ(VCPU0->evtchn_upcall_mask, 1);
	CHECK_EQ(port_send(port), 0);
	CHECK_EQ(upcalls, 0);
	CHECK_EQ(VCPU0->evtchn_upcall_pending, 1);
	CHECK_EQ(VCPU0->evtchn_pending_sel, 1UL << port / 64);
	CHECK(port_pending(port));
	VCPU0->evtchn_upcall_mask = 0;
	CHECK_EQ(upcalls, 0);			/* nobody told Xen */
	poke();
	CHECK_EQ(upcalls, 1);
	CHECK_EQ(saved_mask, 0);
	CHECK_EQ(mask_inside, 1);
	CHECK_EQ(VCPU0->evtchn_upcall_mask, 0);	/* iret() restored it */
	CHECK_EQ(port_send(port), 0);		/* still pending: no edge */
	CHECK_EQ(upcalls, 1);
	port_clear(port);
	CHECK_EQ(port_send(port), 0);
	CHECK_EQ(upcalls, 2);
	port_clear(port);
}

static void by_port_mask(void)
{
	port_mask(port, true);
	upcalls = 0;
	CHECK_EQ(port_send(port), 0);
	poke();
	CHECK_EQ(upcalls, 0);
	CHECK(port_pending(port));
	CHECK_EQ(VCPU0->evtchn_pending_sel, 0);
	unmask_port();
	CHECK_EQ(upcalls, 1);
	CHECK_EQ(shared_info->evtchn_mask[port / 64] >> port % 64 & 1, 0);
	unmask_port();				/* was not masked: nothing */
	CHECK_EQ(upcalls, 1);
	port_clear(port);
}

static void by_trap(struct guest_frame *f)
{
	CHECK_EQ(VCPU0->evtchn_upcall_mask, 0);
	VCPU0->evtchn_upcall_mask = 1;
	CHECK_EQ(port_send(port), 0);
	CHECK_EQ(upcalls, 0);
	f->rip += 2;			/* and iret(): IF is set in the frame */
}

static void after_iret(void)
{
	upcalls = 0;
	trap_handler[6] = by_trap;
	__asm__ volatile("ud2");
	CHECK_EQ(upcalls, 1);
	port_clear(port);
	/* a page fault's exit delivers as well */
	upcalls = 0;
	VCPU0->evtchn_upcall_mask = 1;
	CHECK_EQ(port_send(port), 0);
	VCPU0->evtchn_upcall_mask = 0;
	__asm__ volatile(TRY("mov 0x7000, %%al") ::: "rax");
	CHECK_EQ(trapped(), 14);
	CHECK_EQ(upcalls, 1);
	port_clear(port);
}

static void many(void)
{
	upcalls = 0;
	for (int i = 0; i < 100000; i++) {
		port_send(port);
		port_clear(port);
	}
	CHECK_EQ(upcalls, 100000);
}

void guest_main(void)
{
	timer_stop_periodic();
	event_handler = upcall;
	memset(shared_info->evtchn_mask, 0xff, 512);
	port = bind_ipi(0);
	by_vcpu_mask();
	by_port_mask();
	after_iret();
	many();
}
