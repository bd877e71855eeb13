/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a hypercall of any length lets events through: while one call works
 * on a million requests a timer still fires and its handler runs before the
 * call ends; the result is that of one whole call.  Guards XSA-45, XSA-97,
 * XSA-264, XSA-58.
 * timeout: 120
 */
#include "lib/guest.h"

#define N 65536
static struct mmu_update u[N];
static struct multicall_entry mc[4096];
static volatile u32 upcalls;	/* that came within a call */
static volatile bool inside;
static u32 port;
static u8 page[4096] __page;

static void upcall(struct guest_frame *f)
{
	/* Before a call that goes on: the address of its syscall instruction. */
	bool within = inside && *(const u16 *)f->rip == 0x050f;

	VCPU0->evtchn_upcall_pending = 0;
	__atomic_exchange_n(&VCPU0->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	port_clear(port);
	upcalls += within;
	timer_set(now_ns() + 2000000);
}

static void start(void)
{
	upcalls = 0;
	VCPU0->evtchn_upcall_mask = 0;
	timer_set(now_ns() + 1000000);
	inside = true;
}

/* False if the call was long and let nothing through. */
static bool stop(const char *what, u64 since)
{
	u64 took = now_ns() - since;

	inside = false;
	print("NOTE %s: %lu us, %u upcalls\n", what, took / 1000, upcalls);
	return took <= 3 * MS || upcalls > 0;
}

/* Once more if not, since the machine may have stood still meanwhile. */
static void interruptible(const char *what, void (*call)(void))
{
	bool ok = false;

	for (int i = 0; i < TRIES && !ok; i++) {
		u64 since;

		start();
		since = now_ns();
		call();
		ok = stop(what, since);
	}
	CHECK(ok);
}

static void update_call(void)
{
	u32 done = 0;

	CHECK_EQ(HC(mmu_update, u, N, &done, DOMID_SELF), 0);
	CHECK_EQ(done, N);
}

static void updates(void)
{
	u64 ma = pte_machine_address(page);
	u32 done = 0;

	for (int i = 0; i < N; i++) {
		u[i].ptr = ma;
		u[i].val = va_to_mfn(page) << 12 | PTE_FLAGS;
		if (i & 1)
			u[i].val = va_to_mfn(page_alloc) << 12 | PTE_FLAGS;
	}
	for (int r = 0; r < 8; r++)
		interruptible("mmu_update", update_call);
	u[N - 2].val = 1UL << 50 | PTE_FLAGS;
	start();
	CHECK(HC(mmu_update, u, N, &done, DOMID_SELF) < 0);
	CHECK_EQ(done, N - 2);
	inside = false;
	CHECK_EQ(make_writable(page), 0);
}

static void multi_call(void)
{
	CHECK_EQ(HC(multicall, mc, 4096, 0, 0), 0);
}

static void calls(void)
{
	for (int i = 0; i < 4096; i++) {
		mc[i].op = __HYPERVISOR_mmu_update;
		mc[i].args[0] = (u64)u;
		mc[i].args[1] = 64;
		mc[i].args[3] = DOMID_SELF;
		mc[i].result = -1;
	}
	interruptible("multicall", multi_call);
	for (int i = 0; i < 4096; i++)
		if (mc[i].result)
			CHECK_EQ(mc[i].result, 0);
	CHECK_EQ(make_writable(page), 0);
}

/* Few calls, each long: 2 MiB come and go, by one extent at a time. */
static struct xen_memory_reservation large;
static u64 extent;

static void large_call(void)
{
	for (int i = 0; i < 16; i++) {
		mc[i].op = __HYPERVISOR_memory_op;
		mc[i].args[0] = i & 1 ? XENMEM_decrease_reservation
				      : XENMEM_populate_physmap;
		mc[i].args[1] = (u64)&large;
	}
	CHECK_EQ(HC(multicall, mc, 16, 0, 0), 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(mc[i].result, 1);
}

static void large_extents(void)
{
	large.extent_start = (u64)&extent;
	large.nr_extents = 1;
	large.extent_order = 9;
	large.domid = DOMID_SELF;
	interruptible("memory_op", large_call);
}

static char text[20001];

static void console_call(void)
{
	CHECK_EQ(HC(console_io, CONSOLEIO_write, 20000, text, 0), 0);
}

static void console(void)
{
	for (int i = 0; i < 20000; i++)
		text[i] = i % 80 == 79 ? '\n' : '.';
	interruptible("console_io", console_call);
}

void guest_main(void)
{
	event_handler = upcall;
	memset(shared_info->evtchn_mask, 0xff, 512);
	timer_stop_periodic();
	port = bind_virq(VIRQ_TIMER, 0);
	port_mask(port, false);
	updates();
	calls();
	large_extents();
	console();
	VCPU0->evtchn_upcall_mask = 1;
	CHECK_EQ(HC(console_io, CONSOLEIO_write, 10, 0x7000, 0), -XEN_EFAULT);
	CHECK_EQ(HC(console_io, 99, 10, page, 0), -XEN_ENOSYS);
	CHECK_EQ(HC(console_io, CONSOLEIO_read, 16, page, 0), 0);
	recount();
}
