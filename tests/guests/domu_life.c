/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a domain can be built with the tools' operations, runs unprivileged,
 * tells by an event and a shutdown reason, and when it is destroyed all of its
 * memory comes back, twenty times; to create one whose number is taken is
 * refused, and does not touch the one that has it.
 */
#include "lib/guest.h"
#include <hypercall-abi/domctl.h>
#include <hypercall-abi/physdev.h>

static volatile struct report {
	u64 marker, pages, cs, flags;
	long console, control, system, memory, iopl, foreign, reset, send;
	u32 port;
} report __page;
static u8 page_behind[4096] __page __attribute__((used));

static void second_domain(void)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_pausedomain,
		.interface_version = XEN_DOMCTL_INTERFACE_VERSION,
	};
	struct xen_sysctl s = {
		.cmd = XEN_SYSCTL_physinfo,
		.interface_version = XEN_SYSCTL_INTERFACE_VERSION,
	};
	struct evtchn_bind_interdomain b = { .remote_port = report.port };
	struct sched_shutdown end = { .reason = SHUTDOWN_reboot };
	struct mmu_update u = { .ptr = domu_mfn[0x100] << 12 };
	struct evtchn_reset r = { .dom = 0 };
	domid_t self = DOMID_SELF;

	VCPU0->evtchn_upcall_mask = 1;
	report.pages = (u64)HC(memory_op, XENMEM_current_reservation, &self,
			       0, 0);
	report.console = HC(console_io, CONSOLEIO_read, 1, &end, 0);
	report.control = HC(domctl, &op, 0, 0, 0);
	report.system = HC(sysctl, &s, 0, 0, 0);
	report.memory = HC(memory_op, XENMEM_machine_memory_map, &op, 0, 0);
	report.foreign = HC(mmu_update, &u, 1, 0, 0);	/* frames of 0 */
	report.reset = EVTCHN(reset, &r);
	report.flags = (u64)EVTCHN(bind_interdomain, &b);
	report.send = port_send(b.local_port);
	report.marker = 0x1234567;
	HC(sched_op, SCHEDOP_shutdown, &end, 0, 0);
	for (;;)
		relax();
}

static void check_report(struct domu *d)
{
	volatile struct report *r;

	r = domu_map(d, domu_mfn[va_to_pfn((void *)&report)]);
	CHECK_EQ(r->marker, 0x1234567);
	CHECK(r->pages > 30 && r->pages < DOMU_PAGES);
	CHECK_EQ(r->console, -XEN_EPERM);
	CHECK_EQ(r->control, -XEN_EPERM);
	CHECK_EQ(r->system, -XEN_EPERM);
	CHECK_EQ(r->memory, -XEN_EPERM);
	CHECK_EQ(r->foreign, -XEN_EPERM);
	CHECK_EQ(r->reset, -XEN_EPERM);
	CHECK_EQ(r->flags, 0);
	CHECK_EQ(r->send, 0);
	domu_unmap();
}

static void number_taken(struct domu *d)
{
	struct xen_domctl op = { .u.createdomain = {
		.max_vcpus = 1, .max_evtchn_port = 1023, .grant_opts = 1,
	} };

	CHECK_EQ(domu_control(d, &op, XEN_DOMCTL_createdomain), -XEN_EEXIST);
}

static void one_life(void)
{
	struct domu d;
	struct evtchn_alloc_unbound u = { .dom = DOMID_SELF };
	struct evtchn_close c;
	int rc = domu_create(&d, second_domain);

	CHECK_EQ(rc, 0);
	if (rc)
		guest_end();
	u.remote_dom = d.id;
	CHECK_EQ(EVTCHN(alloc_unbound, &u), 0);
	port_mask(u.port, true);
	port_clear(u.port);
	volatile struct report *r = domu_map(&d, domu_mfn[va_to_pfn(
					     (void *)&report)]);
	r->port = u.port;
	domu_unmap();
	CHECK(domu_flags(&d) & XEN_DOMINF_paused);
	number_taken(&d);
	CHECK_EQ(domu_unpause(&d), 0);
	CHECK_EQ(domu_wait(&d, PATIENCE), SHUTDOWN_reboot);
	CHECK(port_pending(u.port));
	check_report(&d);
	c.port = u.port;
	CHECK_EQ(EVTCHN(close, &c), 0);
	CHECK_EQ(domu_destroy(&d), 0);
	CHECK_EQ(domu_flags(&d), ~0U);
}

void guest_main(void)
{
	u64 before, after;

	timer_stop_periodic();
	one_life();
	before = free_pages();
	for (int i = 0; i < 20; i++)
		one_life();
	after = free_pages();
	print("NOTE %lu free pages before, %lu after\n", before, after);
	CHECK_EQ(after, before);
	recount();
}
