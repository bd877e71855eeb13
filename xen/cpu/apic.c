/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC: interrupts between CPUs, and the one timer each CPU has.
 *
 * Invariant: a deadline handed to apic_set_deadline() leads to VEC_TIMER not
 * later than the hardware can, also if it has passed already; an early one is
 * harmless, for the handler looks at the clock and sets it again.
 *
 * The register page is mapped for the hypervisor only; no domain may map it
 * (domain/dom0.c).  No locks: every CPU touches its own APIC.  Interrupts go
 * to one physical APIC id; logical destinations are not used.
 *
 * Also here, because both are counted in the same few milliseconds: how fast
 * TSC and APIC timer run.  References, best first: HPET, ACPI timer, PIT.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <mm/mm.h>
#include <sched/sched.h>

#define APIC_ID		0x020
#define APIC_TPR	0x080
#define APIC_EOI	0x0b0
#define APIC_LDR	0x0d0
#define APIC_DFR	0x0e0
#define APIC_SVR	0x0f0
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVT_TIMER	0x320
#define APIC_LVT_THERM	0x330
#define APIC_LVT_PMC	0x340
#define APIC_LVT_LINT0	0x350
#define APIC_LVT_LINT1	0x360
#define APIC_LVT_ERROR	0x370
#define APIC_TIMER_INIT	0x380
#define APIC_TIMER_CUR	0x390
#define APIC_TIMER_DIV	0x3e0

#define LVT_MASKED	(1U << 16)
#define LVT_DEADLINE	(2U << 17)
#define DM_NMI		(4U << 8)
#define DM_INIT		(5U << 8)
#define DM_STARTUP	(6U << 8)
#define DM_EXTINT	(7U << 8)
#define ICR_BUSY	(1U << 12)
#define ICR_ASSERT	(1U << 14)
#define ICR_LEVEL	(1U << 15)
#define DIV_BY_1	0xb

#define APIC_BASE_ENABLE (1UL << 11)
#define APIC_BASE_X2	 (1UL << 10)

static volatile u32 *apic_regs;
static bool x2apic, tsc_deadline;
static u64 timer_khz;		/* APIC timer ticks per ms */

static inline u32 apic_read(u32 reg)
{
	if (x2apic)
		return rdmsr(MSR_X2APIC_BASE + (reg >> 4));
	return apic_regs[reg >> 2];
}

static inline void apic_write(u32 reg, u32 val)
{
	if (x2apic)
		wrmsr(MSR_X2APIC_BASE + (reg >> 4), val);
	else
		apic_regs[reg >> 2] = val;
}

u32 apic_read_id(void)
{
	u32 id = apic_read(APIC_ID);

	return x2apic ? id : id >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* Makes earlier stores visible before the IPI, as x2APIC writes do not. */
static void apic_icr(u32 dest, u32 low)
{
	smp_mb();
	if (x2apic) {
		__asm__ volatile("lfence" ::: "memory");
		wrmsr(MSR_X2APIC_BASE + (APIC_ICR >> 4), (u64)dest << 32 | low);
		return;
	}
	while (apic_regs[APIC_ICR >> 2] & ICR_BUSY)
		cpu_relax();
	apic_regs[APIC_ICR2 >> 2] = dest << 24;
	apic_regs[APIC_ICR >> 2] = low;
}

void apic_send_ipi(unsigned int cpu, u8 vector)
{
	apic_icr(cpu_ptr(cpu)->apic_id, vector | ICR_ASSERT);
}

/* May itself run in an NMI: an interrupted ICR pair is only sent elsewhere. */
void apic_send_nmi(unsigned int cpu)
{
	apic_icr(cpu_ptr(cpu)->apic_id, DM_NMI | ICR_ASSERT);
}

void apic_send_init(u32 apic_id)
{
	apic_icr(apic_id, DM_INIT | ICR_LEVEL | ICR_ASSERT);
	apic_icr(apic_id, DM_INIT | ICR_LEVEL);	/* old parts: de-assert */
}

void apic_send_sipi(u32 apic_id, u8 page)
{
	apic_icr(apic_id, DM_STARTUP | ICR_ASSERT | page);
}

/* The legacy controllers: moved away from the exceptions, then silenced. */
static void __init pic_disable(void)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, VEC_FIRST_DEVICE);
	outb(0xa1, VEC_FIRST_DEVICE + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

/* --- how fast is the clock? -- */

static volatile u8 *hpet;

static u64 read_hpet(void)
{
	return *(volatile u32 *)(hpet + 0xf0);
}

static u64 read_pmtimer(void)
{
	return inl(acpi.pm_timer) & 0xffffff;
}

struct reference {
	u64 (*read)(void);
	u64 hz, mask;
	const char *name;
};

static bool __init pick_reference(struct reference *ref)
{
	u64 caps;

	if (acpi.hpet) {
		hpet = map_io(acpi.hpet, 0x400, MAP_RW | PTE_PCD | PTE_PWT);
		caps = *(volatile u32 *)(hpet + 4);	/* period, fs */
		if (caps >= 100000 && caps <= 100000000) {
			/* Counts on its own; no interrupt is ever set up. */
			*(volatile u32 *)(hpet + 0x10) |= 1;
			*ref = (struct reference){ read_hpet,
				1000000000000000UL / caps, 0xffffffff, "HPET" };
			return true;
		}
	}
	if (acpi.pm_timer) {
		*ref = (struct reference){ read_pmtimer, 3579545, 0xffffff,
					   "ACPI timer" };
		return true;
	}
	return false;
}

struct sample { u64 tsc, ref; u32 count; };

/* The closest of a few readings of both clocks; slow ones at their edge. */
static struct sample __init take_sample(const struct reference *ref)
{
	struct sample s = { 0 };
	u64 best = ~0UL, t0, t1, r, start;
	u32 count;
	int i;

	for (i = 0; i < 5; i++) {
		start = ref->read();
		do {
			t0 = rdtsc();
			r = ref->read();
			t1 = rdtsc();
			count = apic_read(APIC_TIMER_CUR);
		} while (ref->hz < 20000000 && r == start);
		if (t1 - t0 >= best)
			continue;
		best = t1 - t0;
		s = (struct sample){ t0 + best / 2, r, count };
	}
	return s;
}

/* PIT channel 2 counts 10 ms down once; its output is bit 5 of port 0x61. */
static u64 __init pit_measure(struct sample *a, struct sample *b)
{
	const u32 ticks = 11932;

	outb(0x61, (inb(0x61) & ~2) | 1);
	outb(0x43, 0xb0);
	outb(0x42, ticks & 0xff);
	outb(0x42, ticks >> 8);
	*a = (struct sample){ rdtsc(), 0, apic_read(APIC_TIMER_CUR) };
	while (!(inb(0x61) & 0x20))
		cpu_relax();
	*b = (struct sample){ rdtsc(), 0, apic_read(APIC_TIMER_CUR) };
	return ticks * 1000000000UL / 1193182;
}

/* TSC rate that the processor or the hypervisor below states; 0 if none. */
static u64 __init stated_khz(void)
{
	u32 a, b, c, d;

	if (boot_cpu.max_leaf >= 0x15) {
		cpuid_count(0x15, 0, &a, &b, &c, &d);
		if (a && b && c)
			return (u64)c * b / a / 1000;
	}
	if (boot_cpu.raw[1] >> 31) {
		cpuid_count(0x40000000, 0, &a, &b, &c, &d);
		if (a >= 0x40000010 && a < 0x40000100) {
			cpuid_count(0x40000010, 0, &a, &b, &c, &d);
			return a;
		}
	}
	return 0;
}

/*
 * Ten milliseconds against the reference.  A stated rate within 0.1% of the
 * measured one is preferred, for it has no error of measurement.
 */
static void __init calibrate(void)
{
	struct reference ref = { .name = "PIT" };
	struct sample a, b;
	u64 ns, khz, stated = stated_khz(), ticks;

	apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	apic_write(APIC_TIMER_DIV, DIV_BY_1);
	apic_write(APIC_TIMER_INIT, ~0U);
	if (pick_reference(&ref)) {
		a = take_sample(&ref);
		do {
			cpu_relax();
		} while (((ref.read() - a.ref) & ref.mask) < ref.hz / 100);
		b = take_sample(&ref);
		ticks = (b.ref - a.ref) & ref.mask;
		ns = ticks * 1000000000UL / ref.hz;
	} else {
		ns = pit_measure(&a, &b);
	}
	apic_write(APIC_TIMER_INIT, 0);
	khz = ((b.tsc - a.tsc) * 1000000 + ns / 2) / ns;
	timer_khz = ((u64)(a.count - b.count) * 1000000 + ns / 2) / ns;
	if (stated && stated + stated / 1000 > khz &&
	    stated - stated / 1000 < khz)
		khz = stated;
	if (!khz || !timer_khz)
		panic("cannot measure the TSC or the APIC timer");
	boot_cpu.tsc_khz = khz;
	log_info("TSC %lu kHz, APIC timer %lu kHz (by %s), %s\n", khz,
		 timer_khz, ref.name,
		 tsc_deadline ? "TSC deadline" : "one-shot");
}

/* --- set-up -- */

static bool __init wide_ids(void)
{
	unsigned int i;

	for (i = 0; i < acpi.nr_cpu; i++)
		if (acpi.cpu[i].apic_id > 254)
			return true;
	return false;
}

/* This CPU's APIC into the mode that all use. */
static void apic_enable_mode(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (!(base & APIC_BASE_ENABLE))
		wrmsr(MSR_APIC_BASE, base |= APIC_BASE_ENABLE);
	if (x2apic && !(base & APIC_BASE_X2))
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
}

/*
 * After acpi_init(), on the boot CPU.  The mode is x2APIC only if the
 * firmware left it on or some id does not fit eight bits.
 */
void __init apic_init_boot(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	x2apic = base & APIC_BASE_X2 || (wide_ids() && cpu_has(F_X2APIC));
	tsc_deadline = cpu_has(F_TSC_DEADLINE);
	if (!x2apic)
		apic_regs = map_io(base & PAGE_MASK & PTE_ADDR_MASK, PAGE_SIZE,
				   MAP_RW | PTE_PCD | PTE_PWT);
	pic_disable();
	apic_init_this();
	calibrate();
	apic_init_this();	/* the timer's mode was borrowed */
}

/* Every CPU; leaves the timer stopped and every pending bit drained. */
void apic_init_this(void)
{
	struct cpu *c = this_cpu();
	int i;

	apic_enable_mode();
	c->apic_id = apic_read_id();
	apic_write(APIC_TPR, 0);
	if (!x2apic)
		apic_write(APIC_DFR, ~0U);
	apic_write(APIC_SVR, 0x100 | VEC_SPURIOUS);
	apic_write(APIC_LVT_THERM, LVT_MASKED);
	apic_write(APIC_LVT_PMC, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED | DM_EXTINT);
	/* The NMI line goes to the boot CPU only. */
	apic_write(APIC_LVT_LINT1, DM_NMI | (c->id ? LVT_MASKED : 0));
	apic_write(APIC_LVT_ERROR, VEC_ERROR);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_TIMER_INIT, 0);
	apic_write(APIC_TIMER_DIV, DIV_BY_1);
	apic_write(APIC_LVT_TIMER,
		   VEC_TIMER | (tsc_deadline ? LVT_DEADLINE : 0));
	/* The mode must be in effect before the first deadline is written. */
	__asm__ volatile("mfence" ::: "memory");
	/* The firmware may have left interrupts in service: acknowledge all. */
	for (i = 0; i < 256 / 32; i++)
		if (apic_read(0x100 + 0x10 * i))
			apic_eoi();
}

void apic_set_deadline(u64 ns)
{
	u64 target, delta;
	s64 left;

	if (tsc_deadline) {
		/* 0 would disarm; a past value fires at once. */
		wrmsr(MSR_TSC_DEADLINE, ns == NEVER ? 0 :
		      max(ns_to_tsc(ns), (u64)1));
		return;
	}
	if (ns == NEVER) {
		apic_write(APIC_TIMER_INIT, 0);
		return;
	}
	target = ns_to_tsc(ns);
	left = target - rdtsc();
	delta = left > 0 ? left : 0;
	/* Far deadlines wake early and are set again; also no overflow. */
	delta = min(delta, boot_cpu.tsc_khz * 3000);
	delta = delta * timer_khz / boot_cpu.tsc_khz + 1;
	apic_write(APIC_TIMER_INIT, min(delta, 0xffffffffUL));
}
