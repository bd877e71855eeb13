/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a domain that makes pseudo-random hypercalls of every kind, page
 * tables included, may kill itself and nothing else: the hypervisor and Dom0
 * go on, all counts are right, and all memory comes back.
 * timeout: 300
 * xen: guest_loglvl=none
 */
#include "lib/guest.h"
#include <hypercall-abi/domctl.h>

#define DOMAINS 25
#define POOL 24
static u64 state __page, buffer[2048] __page, pool[POOL][512] __page;
static u8 guard[4096] __page __attribute__((used));
static volatile u64 calls __page;

static bool tame;	/* leaves out what it could not survive */

static u64 random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dUL;
}

static u64 argument(void)
{
	static const u64 edge[] = {
		0, 1, 2, 3, DOMID_SELF, DOMID_IO, DOMID_XEN, 0x7fffffff,
		0x80000000, 0xffffffff, ~0UL, 0x800000000000,
		0xffff800000000000, 0xffff830000000000, 0xffff87fffffffff8,
	};
	u64 r = random(), own;

	switch (r >> 60) {
	case 0 ... 2:
		return edge[r % 15];
	case 3 ... 5:
		return r & 31;
	case 6 ... 9:
		return (u64)buffer + (r & 0xff8);
	case 10 ... 11:
		return (u64)pool[r % POOL];
	case 12 ... 14:		/* an own frame, as number or entry */
		own = domu_mfn[va_to_pfn(pool[r % POOL])];
		if (tame || r >> 40 & 255)
			return r & 1UL << 50 ? own << 12 | (random() & 0xff) :
				own;
		return domu_mfn[r % DOMU_PAGES];	/* may be fatal */
	default:
		return r;
	}
}

static u64 call(void)
{
	static const u8 often[] = { 1, 14, 26, 12, 20, 32, 2, 10, 24, 33 };
	u64 r = random(), nr = r & 1 ? often[(r >> 8) % 10] : r >> 8 & 63;
	u64 a[5];

	for (int i = 0; i < 5; i++)
		a[i] = argument();
	if (random() & 1)
		a[0] &= 31;
	if (nr == 1 || nr == 26 || nr == 13) {		/* batches */
		a[0] = (u64)buffer;
		a[1] &= 3;
		a[3] = r >> 20 & 3 ? DOMID_SELF : a[3];
	}
	if (nr == 26)
		buffer[0] = buffer[3] = r >> 30 & 31;
	if (nr == 14 && tame)
		a[0] = (u64)pool[r >> 20 & 15];
	if (nr == 29 && ((u32)a[0] - 1 < 3))	/* shutdown, for ever */
		return 0;
	if (tame && (nr == 0 || nr == 4 || nr == 23 || nr == 30 || nr == 13))
		return 0;
	if (nr == 24 && (u32)a[0] == VCPUOP_down)
		return 0;
	calls++;
	return (u64)hypercall(nr, a[0], a[1], a[2], a[3], a[4]);
}

static void second_domain(void)
{
	struct sched_shutdown end = { .reason = SHUTDOWN_reboot };

	VCPU0->evtchn_upcall_mask = 1;
	for (int round = 0; round < 200000; round++) {
		if (!(round & 3))
			for (int i = 0; i < 64; i++)
				buffer[i] = argument();
		call();
		VCPU0->evtchn_upcall_mask = 1;
	}
	HC(sched_op, SCHEDOP_shutdown, &end, 0, 0);
}

void guest_main(void)
{
	u64 before = 0, after, total = 0, died[8] = { 0 };

	timer_stop_periodic();
	for (u64 n = 0; n < DOMAINS; n++) {
		volatile u64 *c;
		struct domu d;
		int rc;

		if (n == 1)
			before = free_pages();
		tame = n % 4 != 3;
		state = 0x9e3779b97f4a7c15UL * (n + 1);
		calls = 0;
		rc = domu_create(&d, second_domain);
		CHECK_EQ(rc, 0);
		if (rc)
			guest_end();
		CHECK_EQ(domu_unpause(&d), 0);
		rc = domu_wait(&d, 2000000000);
		died[(rc + 1) & 7]++;
		c = domu_map(&d, domu_mfn[va_to_pfn((void *)&calls)]);
		if (c) {		/* unless it gave the page away */
			total += *c;
			domu_unmap();
		}
		CHECK_EQ(domu_destroy(&d), 0);
		recount();
	}
	print("NOTE %lu calls; %lu ran on, %lu ended, %lu crashed\n", total,
	      died[0], died[2], died[4]);
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
	after = free_pages();
	print("NOTE free pages %lu, %lu\n", before, after);
	CHECK_EQ(after, before);
}
