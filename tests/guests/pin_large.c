/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: pinning and unpinning a large tree is interrupted for events and
 * finishes as one operation; if its very last entry is bad, all of it is
 * undone and every table is writable again.  Guards XSA-299, XSA-310, XSA-45.
 * timeout: 120
 */
#include "lib/guest.h"

#define TABLES 200
static u64 tables[TABLES][512] __page, l2[512] __page, l3[512] __page;
static u64 l4[512] __page;
static u8 page[4096] __page;
static volatile u32 upcalls;
static u32 port;

static void upcall(struct guest_frame *f)
{
	(void)f;
	VCPU0->evtchn_upcall_pending = 0;
	__atomic_exchange_n(&VCPU0->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	port_clear(port);
	upcalls++;
	timer_set(now_ns() + 300000);
}

static u64 pte(const void *va, u64 flags)
{
	return va_to_mfn(va) << 12 | flags;
}

static int pin_once(u64 *took)
{
	u64 since = now_ns();
	int rc;

	upcalls = 0;
	timer_set(since + 100000);
	VCPU0->evtchn_upcall_mask = 0;
	rc = mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4), 0);
	VCPU0->evtchn_upcall_mask = 1;
	*took = now_ns() - since;
	print("NOTE pin: %d, %lu us, %u upcalls\n", rc, *took / 1000, upcalls);
	return rc;
}

/* A pin that took long was interrupted, unless the machine stood still. */
static int pin(void)
{
	u64 took;
	int rc = pin_once(&took);

	for (int i = 1; i < TRIES && took > 20 * MS && upcalls <= 1; i++) {
		if (!rc)
			CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4), 0),
				 0);
		rc = pin_once(&took);
	}
	CHECK(took <= 20 * MS || upcalls > 1);
	return rc;
}

static void all_writable(void)
{
	CHECK_EQ(make_writable(l4), 0);
	CHECK_EQ(make_writable(l3), 0);
	CHECK_EQ(make_writable(l2), 0);
	for (int t = 0; t < TABLES; t++)
		CHECK_EQ(make_writable(tables[t]), 0);
}

static void all_readonly(void)
{
	CHECK_EQ(make_readonly(l4), 0);
	CHECK_EQ(make_readonly(l3), 0);
	CHECK_EQ(make_readonly(l2), 0);
	for (int t = 0; t < TABLES; t++)
		CHECK_EQ(make_readonly(tables[t]), 0);
}

void guest_main(void)
{
	event_handler = upcall;
	memset(shared_info->evtchn_mask, 0xff, 512);
	timer_stop_periodic();
	port = bind_virq(VIRQ_TIMER, 0);
	port_mask(port, false);
	for (int t = 0; t < TABLES; t++) {
		for (int i = 0; i < 512; i++)
			tables[t][i] = pte(page, PTE_FLAGS);
		l2[t] = pte(tables[t], PTE_TABLE);
	}
	l3[0] = pte(l2, PTE_TABLE);
	l3[1] = pte(l2, PTE_TABLE);
	l4[0] = pte(l3, PTE_TABLE);
	l4[300] = pte(l3, PTE_TABLE);
	for (int round = 0; round < 4; round++) {
		all_readonly();
		CHECK_EQ(pin(), 0);
		CHECK(make_writable(l4) < 0);
		CHECK(make_writable(tables[TABLES - 1]) < 0);
		CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4), 0), 0);
		all_writable();
	}
	tables[TABLES - 1][511] = pte(l4, PTE_FLAGS);	/* a table, writable */
	all_readonly();
	CHECK(pin() < 0);
	all_writable();
	recount();
}
