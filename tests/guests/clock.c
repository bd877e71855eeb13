/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: the time page is monotonic, on two vCPUs too, agrees with the time
 * stamp counter, and the wall clock is one.
 * cpus: 2
 */
#include "lib/guest.h"

static u64 read_clock(u32 vcpu)
{
	volatile struct vcpu_time_info *t = &shared_info->vcpu_info[vcpu].time;
	u64 ns, delta;
	u32 version;

	do {
		version = t->version;
		__asm__ volatile("" ::: "memory");
		delta = rdtsc() - t->tsc_timestamp;
		delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift :
			delta << t->tsc_shift;
		ns = t->system_time + (u64)((unsigned __int128)delta *
					    t->tsc_to_system_mul >> 32);
		__asm__ volatile("" ::: "memory");
	} while ((version & 1) || version != t->version);
	return ns;
}

static volatile u64 last;
static volatile u32 done, backwards;
static u64 worst;

/* last only grows: what another vCPU has published is in the past. */
static void race(u32 vcpu)
{
	for (int i = 0; i < 200000; i++) {
		u64 seen = last, t = read_clock(vcpu);

		if (t < seen) {
			__atomic_add_fetch(&backwards, 1, __ATOMIC_SEQ_CST);
			if (seen - t > worst)
				worst = seen - t;
		}
		while (t > seen && !__atomic_compare_exchange_n(&last, &seen,
				t, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
}

static void second(void)
{
	race(1);
	done = 1;
	for (;;)
		HC(vcpu_op, VCPUOP_down, 1, 0, 0);
}

static u64 tsc_to_ns(u64 tsc)
{
	volatile struct vcpu_time_info *t = &VCPU0->time;

	tsc = t->tsc_shift < 0 ? tsc >> -t->tsc_shift : tsc << t->tsc_shift;
	return (u64)((unsigned __int128)tsc * t->tsc_to_system_mul >> 32);
}

/* Both clocks at one moment: again if something came between. */
static u64 read_both(u64 *ns)
{
	u64 tsc;

	do {
		tsc = rdtsc();
		*ns = now_ns();
	} while (tsc_to_ns(rdtsc() - tsc) > MS / 2);
	return tsc;
}

static void rate(void)
{
	u64 start, ns, tsc = read_both(&start);

	spin_ns(300 * MS);
	tsc = tsc_to_ns(read_both(&ns) - tsc);
	ns -= start;
	CHECK(tsc > ns * 99 / 100 && tsc < ns * 101 / 100);
}

void guest_main(void)
{
	u64 prev = now_ns();

	timer_stop_periodic();
	CHECK(prev > 0);
	for (int i = 0; i < 300000; i++) {
		u64 t = now_ns();

		if (t < prev)
			CHECK_EQ(t, prev);
		prev = t;
		if (!(i & 1023))
			HC(sched_op, SCHEDOP_yield, 0, 0, 0);
	}
	rate();
	CHECK_EQ(vcpu_start(1, second), 0);
	race(0);
	CHECK(wait_for(&done, 1));
	print("NOTE backwards %u, worst %lu ns\n", backwards, worst);
	/* Xen's calibration may err on a loaded host, and then says so. */
	if (!on_xen() || VCPU0->time.flags & XEN_PVCLOCK_TSC_STABLE_BIT)
		CHECK_EQ(backwards, 0);
	CHECK_EQ(shared_info->wc_version & 1, 0);
	CHECK(shared_info->wc_sec > 1600000000);
	CHECK(shared_info->wc_nsec < 1000000000);
}
