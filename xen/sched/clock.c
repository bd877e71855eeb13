/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What time it is.
 *
 * There is one clock, the TSC.  System time is nanoseconds since boot:
 *
 *	ns = ((tsc - tsc_base[cpu]) << shift) * mul >> 32
 *
 * and guests compute the same formula with the same numbers, so a guest's
 * clock and ours agree to the nanosecond.  Since the scale never changes and
 * the product is taken with 96 bits, a guest's time page stays valid for all
 * time: it is written once, and at a switch-in only compared.
 *
 * Invariant: clock_ns() never goes backwards on a CPU, and a guest sees
 * XEN_PVCLOCK_TSC_STABLE_BIT only after all CPUs' TSCs were measured to be in
 * step.  If one is not, it gets its own base and the flag stays off; guests
 * then keep their clocks monotonic themselves.
 *
 * The wall clock is the system time plus an offset, read from the CMOS clock
 * at boot and set by Dom0.  Lock: wall_lock (LOCK_SCHED) around every domain's
 * wc_* words; nothing nests in it.
 *
 * A guest may scribble over its own time page or register a bad address: only
 * its own clock suffers.  The page is never read for a decision other than
 * "does it have to be written again".
 */
#include <domain/domain.h>

struct clock_scale clock_scale;
static struct clock_scale inverse;	/* ns -> tsc, for intervals */
static u64 tsc_base[NR_CPUS];
static u8 time_flags;			/* XEN_PVCLOCK_* for all pages */
static u32 sync_checked;

static struct spinlock wall_lock = SPINLOCK(LOCK_SCHED);
static u64 wall_base_ns;		/* wall clock when system time was 0 */

static u64 scale(u64 x, struct clock_scale s)
{
	x = s.shift < 0 ? x >> -s.shift : x << s.shift;
	return (u64)((unsigned __int128)x * s.mul >> 32);
}

/*
 * mul in [2^31, 2^32) and shift such that x * to / from is
 * (x << shift) * mul >> 32.
 */
static struct clock_scale scale_make(u64 from, u64 to)
{
	struct clock_scale s = { .shift = 0 };

	for (; to >= from; from <<= 1)
		s.shift++;
	for (; to * 2 < from; to <<= 1)
		s.shift--;
	/* Now 1/2 <= to / from < 1. */
	s.mul = (u32)((to << 32) / from);
	return s;
}

/* The system time that a TSC value of this CPU stands for. */
static u64 tsc_to_ns(u64 tsc)
{
	s64 delta = (s64)(tsc - tsc_base[smp_processor_id()]);

	return delta > 0 ? scale((u64)delta, clock_scale) : 0;
}

/* Nanoseconds since boot; 0 before clock_init(). */
u64 clock_ns(void)
{
	return tsc_to_ns(rdtsc());
}

/*
 * The value that this CPU's TSC has at a system time to come, not before it;
 * a time in the past gives the present, one beyond a day is cut to a day.
 */
u64 ns_to_tsc(u64 ns)
{
	u64 tsc = rdtsc(), now = tsc_to_ns(tsc);

	if (ns <= now)
		return tsc;
	return tsc + scale(min(ns - now, 86400 * NS_PER_SEC), inverse) + 1;
}

/* --- wall clock ------------------------------------------------------ */

/*
 * Seconds since 1970 by the CMOS clock, which counts the years from 2000 on:
 * 24 hours, decimal digits unless bit 2 of status B says binary.
 */
static u64 cmos_seconds(void)
{
	static const u8 regs[] = { 0, 2, 4, 7, 8, 9, 11, 10 };
	u8 old[8], f[8] = { 0 };
	u64 days, month, year;

	/* Twice the same: no update happened in between; nor begins one, as
	 * the top bit of status A says. */
	for (int tries = 0; tries < 5000; tries++) {
		memcpy(old, f, sizeof(f));
		for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
			outb(0x70, regs[i]);
			f[i] = inb(0x71);
		}
		if (memcmp(old, f, sizeof(f)) == 0 && !(f[7] & 0x80))
			break;
	}
	for (unsigned int i = 0; i < 6 && !(f[6] & 4); i++)
		f[i] = (f[i] >> 4) * 10 + (f[i] & 15);
	/* Years from March on, so that the odd day is their last. */
	month = (f[4] + 9) % 12;
	year = 100 + f[5] - month / 10;
	days = year * 365 + year / 4 + (month * 306 + 5) / 10 + f[3] - 25509;
	return ((days * 24 + f[2]) * 60 + f[1]) * 60 + f[0];
}

/* Writes the wall clock at system time 0 into d's shared_info. */
void domain_wallclock_update(struct domain *d)
{
	struct shared_info *si = d->shared_info;
	u64 ns;

	spin_lock(&wall_lock);
	ns = wall_base_ns + (u64)d->time_offset * NS_PER_SEC;
	WRITE_ONCE(si->wc_version, si->wc_version | 1);
	smp_wmb();
	si->wc_sec = (u32)(ns / NS_PER_SEC);
	si->wc_sec_hi = (u32)(ns / NS_PER_SEC >> 32);
	si->wc_nsec = (u32)(ns % NS_PER_SEC);
	smp_wmb();
	WRITE_ONCE(si->wc_version, si->wc_version + 1);
	spin_unlock(&wall_lock);
}

/*
 * Dom0 says that the wall clock was sec.nsec at that system time; every
 * domain is told.
 */
void clock_set_wall(u64 sec, u32 nsec, u64 system_time)
{
	struct domain *d;

	WRITE_ONCE(wall_base_ns, sec * NS_PER_SEC + nsec - system_time);
	for_each_domain(d)
		domain_wallclock_update(d);
}

/* --- boot ------------------------------------------------------------- */

/* Boot CPU, once, after the TSC was calibrated: system time starts here. */
void clock_init(void)
{
	u64 tsc = rdtsc();

	clock_scale = scale_make(boot_cpu.tsc_khz * 1000, NS_PER_SEC);
	inverse = scale_make(NS_PER_SEC, boot_cpu.tsc_khz * 1000);
	for (unsigned int i = 0; i < NR_CPUS; i++)
		tsc_base[i] = tsc;
	wall_base_ns = cmos_seconds() * NS_PER_SEC - clock_ns();
	log_info("clock: TSC at %lu kHz, mul %u shift %d\n",
		 boot_cpu.tsc_khz, clock_scale.mul, clock_scale.shift);
}

static void read_remote_tsc(void *out)
{
	*(volatile u64 *)out = rdtsc();
}

/*
 * Once, when the first guest starts and all CPUs are up: are the TSCs in
 * step?  One is if it could have been read at the moment we asked; otherwise
 * the quickest answer gives the best estimate.  The round trip bounds what we
 * can notice, and likewise what a guest's vCPUs could notice between
 * themselves.
 */
static void tsc_sync_check(void)
{
	u64 before, there = 0, after, best;
	unsigned int cpu, self = smp_processor_id();
	u8 flags = XEN_PVCLOCK_TSC_STABLE_BIT;
	s64 offset;

	for_each_cpu(cpu, cpus_online & ~((cpumask_t)1 << self)) {
		best = ~0UL;
		offset = 0;
		for (int i = 0; i < 8 && best; i++) {
			before = rdtsc();
			cpu_call((cpumask_t)1 << cpu, read_remote_tsc, &there);
			after = rdtsc();
			if (there >= before && there <= after) {
				best = offset = 0;
			} else if (after - before < best) {
				best = after - before;
				offset = (s64)(there - (before + best / 2));
			}
		}
		if (!offset)
			continue;
		flags = 0;
		tsc_base[cpu] = tsc_base[self] + (u64)offset;
		log_warn("clock: TSC of CPU%u differs by %ld cycles\n", cpu,
			 offset);
	}
	WRITE_ONCE(time_flags, flags);
}

/* --- guests' time pages ------------------------------------------------ */

/*
 * Brings v's time page, and the registered copy, up to date if they are not.
 * v is current, and loaded.  Called at every switch-in and when the page has
 * moved; usually a few comparisons.
 */
void vcpu_time_update(struct vcpu *v)
{
	struct vcpu_time_info *page = &v->vcpu_info->time, t = {
		.version = READ_ONCE(page->version),
		.tsc_timestamp = tsc_base[smp_processor_id()],
		.tsc_to_system_mul = clock_scale.mul,
		.tsc_shift = clock_scale.shift,
		.flags = time_flags,
	};
	const u64 *is = (const u64 *)page, *should = (const u64 *)&t;

	if (likely(is[0] == should[0] && is[1] == should[1] &&
		   is[2] == should[2] && is[3] == should[3] &&
		   t.version && !(t.version & 1) &&
		   v->sched.time_gva == v->sched.time_gva_done))
		return;
	if (!xchg(&sync_checked, 1)) {
		tsc_sync_check();
		t.tsc_timestamp = tsc_base[smp_processor_id()];
		t.flags = time_flags;
	}
	t.version |= 1;
	WRITE_ONCE(page->version, t.version);
	smp_wmb();
	*page = t;
	smp_wmb();
	/* Even, never 0, and always another than before. */
	t.version = max(t.version + 1, 2U);
	WRITE_ONCE(page->version, t.version);
	v->sched.time_gva_done = v->sched.time_gva;
	if (!v->sched.time_gva)
		return;
	/* The copy that the guest registered; a fault is its own loss. */
	t.version--;
	if (copy_to_guest(v->sched.time_gva, &t, sizeof(t)))
		return;
	smp_wmb();
	t.version++;
	(void)!copy_to_guest(v->sched.time_gva, &t, sizeof(t));
}
