/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clock's claims: a guest that follows the public formula reads exactly
 * our system time, to better than a part in 2^31, never backwards, at any TSC
 * frequency and after years; deadlines are never late by more than that; the
 * CMOS clock's forms are all understood; TSCs out of step are noticed.
 */
#include "test.h"
#include "host.h"
#include <domain/domain.h>
#include <entry/entry.h>

static u64 sim_tsc, sim_skew[NR_CPUS];
static unsigned int sim_cpu;
static u8 cmos[256], cmos_index;

static u64 sim_rdtsc(void)
{
	return sim_tsc + sim_skew[sim_cpu];
}

static void sim_outb(u16 port, u8 val)
{
	if (port == 0x70)
		cmos_index = val;
}

static u8 sim_inb(u16 port)
{
	return cmos[cmos_index];
}

#define rdtsc sim_rdtsc
#define inb sim_inb
#define outb sim_outb
#include "../../xen/sched/clock.c"

struct cpu_info boot_cpu;
cpumask_t cpus_online = 1;
struct domain *domain_list;

struct cpu *this_cpu(void)
{
	return &host_cpu[sim_cpu];
}

void cpu_call(cpumask_t mask, void (*fn)(void *), void *arg)
{
	unsigned int old = sim_cpu;

	sim_tsc += 500;
	sim_cpu = ffs64(mask);
	fn(arg);
	sim_cpu = old;
	sim_tsc += 700;
}

/* As a guest kernel computes it. */
static u64 guest_ns(const struct vcpu_time_info *t, u64 tsc)
{
	u64 d = tsc - t->tsc_timestamp;

	d = t->tsc_shift < 0 ? d >> -t->tsc_shift : d << t->tsc_shift;
	return t->system_time +
	       (u64)((unsigned __int128)d * t->tsc_to_system_mul >> 32);
}

static void boot(u64 khz)
{
	for (unsigned int i = 0; i < NR_CPUS; i++)
		host_cpu[i].id = i;
	sim_cpu = 0;
	boot_cpu.tsc_khz = khz;
	sim_tsc = 123456789012345;
	time_flags = 0;
	sync_checked = 0;
	clock_init();
}

static void accuracy(void)
{
	static const u64 khz[] = { 100000, 999999, 1000000, 1000001, 2000000,
				   2399998, 3000000, 3579545, 4700123, 8000000 };
	struct vcpu_info vi = { 0 };
	struct vcpu v = { .vcpu_info = &vi };

	for (unsigned int k = 0; k < ARRAY_SIZE(khz); k++) {
		u64 start, last = 0;

		boot(khz[k]);
		start = sim_tsc;
		memset(&vi, 0, sizeof(vi));
		vcpu_time_update(&v);
		CHECK(vi.time.version && !(vi.time.version & 1));
		CHECK_EQ(vi.time.flags, XEN_PVCLOCK_TSC_STABLE_BIT);
		/* Steps grow to a total of three years. */
		for (int i = 0; i < 3000; i++) {
			unsigned __int128 want;
			u64 ns;

			sim_tsc += test_random() % (khz[k] << (i / 100 + 1)) *
				   (i % 10 ? 1 : 3);
			if (sim_tsc - start > khz[k] * 1000 * 86400 * 1000)
				break;
			ns = clock_ns();
			want = (unsigned __int128)(sim_tsc - start) * 1000000 /
			       khz[k];
			CHECK_EQ(guest_ns(&vi.time, sim_tsc), ns);
			CHECK(ns >= last);
			CHECK(ns <= want && want - ns <= (want >> 31) + 2);
			last = ns;
		}
		CHECK(last > 86400 * NS_PER_SEC);
	}
}

/* Every single tick forwards, around where the product carries. */
static void monotonic(void)
{
	u64 last;

	boot(2893437);
	sim_tsc += 1UL << 40;
	last = clock_ns();
	for (int i = 0; i < 1000000; i++) {
		sim_tsc++;
		CHECK(clock_ns() >= last);
		last = clock_ns();
	}
}

static void deadlines(void)
{
	boot(2100000);
	sim_tsc += 1UL << 50;
	for (int i = 0; i < 100000; i++) {
		u64 delta = test_random() % (NS_PER_SEC << i % 8);
		u64 ns = clock_ns() + delta, tsc = ns_to_tsc(ns);
		s64 error;

		CHECK(tsc >= sim_tsc);
		error = (s64)(tsc_to_ns(tsc) - ns);
		CHECK(error >= -(s64)(delta >> 30) - 2 && error <= 2);
	}
	CHECK_EQ(ns_to_tsc(0), sim_tsc);
	CHECK_EQ(ns_to_tsc(clock_ns()), sim_tsc);
	CHECK(ns_to_tsc(NEVER - 1) > sim_tsc);
}

/* Scribbling guests get it right again; nothing is written when it is. */
static void rewriting(void)
{
	struct vcpu_info vi = { 0 };
	struct vcpu_time_info copy = { 0 };
	struct vcpu v = { .vcpu_info = &vi };
	u32 version;

	boot(2000000);
	vcpu_time_update(&v);
	version = vi.time.version;
	vcpu_time_update(&v);
	CHECK_EQ(vi.time.version, version);
	v.sched.time_gva = (u64)&copy;
	vcpu_time_update(&v);
	CHECK(memcmp(&copy, &vi.time, sizeof(copy)) == 0);
	CHECK(vi.time.version != version);
	version = vi.time.version;
	vcpu_time_update(&v);
	CHECK_EQ(vi.time.version, version);
	vi.time.tsc_to_system_mul++;
	vcpu_time_update(&v);
	CHECK_EQ(vi.time.tsc_to_system_mul, clock_scale.mul);
	CHECK(vi.time.version != version);
	vi.time.version = 0xffffffff;
	vcpu_time_update(&v);
	CHECK(vi.time.version && !(vi.time.version & 1));
	v.sched.time_gva = 1;		/* faults */
	vcpu_time_update(&v);
	CHECK_EQ(v.sched.time_gva_done, 1);
}

static void skewed_tscs(void)
{
	struct vcpu_info vi = { 0 };
	struct vcpu v = { .vcpu_info = &vi };
	u64 a, b;

	cpus_online = 7;
	boot(1000000);
	vcpu_time_update(&v);
	CHECK_EQ(vi.time.flags, XEN_PVCLOCK_TSC_STABLE_BIT);

	boot(1000000);
	sim_skew[1] = 5000000;
	sim_skew[2] = (u64)-7000000;
	vcpu_time_update(&v);
	CHECK_EQ(vi.time.flags, 0);
	sim_tsc += 50000000;
	a = clock_ns();
	CHECK_EQ(guest_ns(&vi.time, sim_rdtsc()), a);
	for (sim_cpu = 1; sim_cpu < 3; sim_cpu++) {
		b = clock_ns();
		CHECK(b + 1000 > a && a + 1000 > b);
		vcpu_time_update(&v);
		CHECK_EQ(guest_ns(&vi.time, sim_rdtsc()), b);
	}
	sim_cpu = 0;
	cpus_online = 1;
	memset(sim_skew, 0, sizeof(sim_skew));
}

static u8 bcd(unsigned int x)
{
	return (u8)(x / 10 << 4 | x % 10);
}

static void set_cmos(const unsigned int f[6], bool binary)
{
	static const u8 regs[6] = { 0, 2, 4, 7, 8, 9 };

	memset(cmos, 0, sizeof(cmos));
	for (int i = 0; i < 6; i++)
		cmos[regs[i]] = binary ? (u8)f[i] : bcd(f[i]);
	cmos[11] = (u8)(binary << 2 | 2);
}

static void cmos_clock(void)
{
	/* s m h day month year, seconds since 1970 by date(1) */
	static const struct { unsigned int f[6]; u64 want; } t[] = {
		{ { 0, 0, 0, 1, 1, 0 }, 946684800 },
		{ { 56, 34, 12, 29, 2, 24 }, 1709210096 },
		{ { 0, 0, 0, 1, 3, 24 }, 1709251200 },
		{ { 1, 2, 3, 4, 5, 26 }, 1777863721 },
		{ { 59, 59, 23, 31, 12, 99 }, 4102444799 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
		for (int form = 0; form < 2; form++) {
			set_cmos(t[i].f, form);
			CHECK_EQ(cmos_seconds(), t[i].want);
		}
	/* Nonsense gives no crash. */
	memset(cmos, 0xff, sizeof(cmos));
	cmos_seconds();
}

static void wall_clock(void)
{
	static struct shared_info si;
	static struct domain d = { .shared_info = &si };

	boot(1000000);
	domain_list = &d;
	sim_tsc += 5 * NS_PER_SEC;
	clock_set_wall(5000000000, 7, 2 * NS_PER_SEC);
	CHECK_EQ(si.wc_sec | (u64)si.wc_sec_hi << 32, 4999999998);
	CHECK_EQ(si.wc_nsec, 7);
	CHECK_EQ(si.wc_version & 1, 0);
	d.time_offset = -3600;
	domain_wallclock_update(&d);
	CHECK_EQ(si.wc_sec | (u64)si.wc_sec_hi << 32, 4999996398);
	CHECK_EQ(si.wc_version, 4);
}

int main(void)
{
	RUN(accuracy);
	RUN(monotonic);
	RUN(deadlines);
	RUN(rewriting);
	RUN(skewed_tscs);
	RUN(cmos_clock);
	RUN(wall_clock);
	return test_done();
}
