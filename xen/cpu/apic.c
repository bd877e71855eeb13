/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC: calls between CPUs, and the one timer each CPU has.
 *
 * Invariant: a deadline handed to apic_set_deadline() leads to VEC_TIMER not
 * later than the hardware can, also if it has passed already; an early one is
 * harmless, for the handler looks at the clock and sets it again.
 *
 * The register page is mapped for the hypervisor only; no domain may map it
 * (domain/dom0.c).  No locks: every CPU touches its own APIC.  Interrupts go
 * to one physical APIC id; logical destinations are not used.
 *
 * Calls: every CPU has one outgoing request and an inbox, a bit mask of the
 * CPUs whose requests wait for it.
 *
 *	caller	request = fn, arg; waiting = mask
 *		for each target: set my bit in its inbox, IPI if it was empty
 *		until waiting is 0: serve my own inbox
 *	target	take the whole inbox; for each caller's bit: run fn, clear my
 *		bit in that caller's waiting
 *
 * A CPU that waits serves its own inbox, so any number of CPUs may call each
 * other at once, and no lock is involved.  A CPU that spins for a lock does
 * the same (cpu_poll()).  fn must not call cpu_call() itself: the one
 * outgoing request may be in use.  No guest can reach this except through
 * hypercalls that flush or sync; their cost is bounded by the callers.
 *
 * Also here, because both are counted in the same few milliseconds: how fast
 * TSC and APIC timer run, by the ACPI timer.
 */
#include <dev/dev.h>
#include <mm/mm.h>
#include <sched/sched.h>

#define APIC_PHYS	0xfee00000UL
enum apic_reg {
	APIC_ID = 0x20, APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_SVR = 0xf0,
	APIC_ICR = 0x300, APIC_ICR2 = 0x310, APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350, APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INIT = 0x380, APIC_TIMER_CUR = 0x390, APIC_TIMER_DIV = 0x3e0,
};

#define LVT_MASKED	(1U << 16)
#define LVT_DEADLINE	(2U << 17)
#define ICR_BUSY	(1U << 12)
#define ICR_ASSERT	(1U << 14)
#define DIV_BY_1	0xb
#define APIC_BASE_X2	(1UL << 10)

#define PM_TIMER_HZ	3579545UL
#define PM_TIMER_MASK	0xffffffU

static volatile u32 *apic_regs;
static bool x2apic;
static u64 timer_khz;		/* APIC timer ticks per ms */

static struct request {
	void (*fn)(void *);
	void *arg;
	cpumask_t waiting;	/* CPUs that have not run fn yet */
	cpumask_t inbox;	/* CPUs whose requests wait for this one */
} __aligned(64) requests[NR_CPUS];

static u32 stopper = ~0U;	/* the CPU that ends the machine, ~0 none */

static u32 apic_read(u32 reg)
{
	return x2apic ? (u32)rdmsr(MSR_X2APIC_BASE + (reg >> 4))
		      : apic_regs[reg >> 2];
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
	return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* --- interrupts to other CPUs -- */

/* Makes earlier stores visible before the IPI, as x2APIC writes do not. */
void apic_send_ipi(unsigned int cpu, u32 what)
{
	u64 dest = cpu_ptr(cpu)->apic_id;

	smp_mb();
	if (x2apic) {
		__asm__ volatile("lfence" ::: "memory");
		wrmsr(MSR_X2APIC_BASE + (APIC_ICR >> 4),
		      dest << 32 | ICR_ASSERT | what);
		return;
	}
	while (apic_read(APIC_ICR) & ICR_BUSY)
		cpu_relax();
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, ICR_ASSERT | what);
}

/*
 * Serves requests that wait for this CPU.  Interrupts off; may run under any
 * lock, so request functions take none.
 */
void cpu_poll(void)
{
	unsigned int me = smp_processor_id(), from;
	cpumask_t callers;

	if (likely(!READ_ONCE(requests[me].inbox)))
		return;
	callers = xchg(&requests[me].inbox, 0);
	for_each_cpu(from, callers) {
		requests[from].fn(requests[from].arg);
		atomic_and(&requests[from].waiting, ~(1UL << me));
	}
}

void cpu_call(cpumask_t mask, void (*fn)(void *), void *arg)
{
	unsigned int me = smp_processor_id(), cpu;
	struct request *r = &requests[me];
	cpumask_t others = mask & READ_ONCE(cpus_online) & ~(1UL << me);

	if (others) {
		ASSERT(!READ_ONCE(r->waiting));
		r->fn = fn;
		r->arg = arg;
		/* The exchange below orders these before the inbox bit. */
		WRITE_ONCE(r->waiting, others);
		for_each_cpu(cpu, others)
			if (!atomic_or(&requests[cpu].inbox, 1UL << me))
				apic_send_ipi(cpu, VEC_CALL);
	}
	if (mask >> me & 1)
		fn(arg);
	while (READ_ONCE(r->waiting)) {
		cpu_poll();
		cpu_relax();
	}
}

void cpu_stop_check(void)
{
	while (READ_ONCE(stopper) != ~0U && stopper != smp_processor_id())
		__asm__ volatile("hlt" ::: "memory");
}

/* By NMI: an INIT would send the boot processor back to its firmware. */
void cpu_stop_others(void)
{
	unsigned int me = smp_processor_id(), cpu;

	cmpxchg(&stopper, ~0U, me);
	cpu_stop_check();
	for_each_cpu(cpu, READ_ONCE(cpus_online) & ~(1UL << me))
		apic_send_ipi(cpu, IPI_NMI);
}

/* --- set-up -- */

struct sample { u64 tsc; u32 ref, count; };

/* The closest of a few readings of the three clocks. */
static struct sample __init take_sample(void)
{
	struct sample s = { 0 };
	u64 best = ~0UL;

	for (int i = 0; i < 5; i++) {
		u64 t = rdtsc();
		u32 ref = inl(acpi.pm_timer), count = apic_read(APIC_TIMER_CUR);
		u64 took = rdtsc() - t;

		if (took < best) {
			best = took;
			s = (struct sample){ t, ref, count };
		}
	}
	return s;
}

/* After acpi_init(), on the boot CPU.  All use the mode that the firmware
 * left: it is x2APIC if some id does not fit eight bits. */
void __init apic_init_boot(void)
{
	u64 ticks, base = rdmsr(MSR_APIC_BASE);
	struct sample a, b;

	x2apic = base & APIC_BASE_X2;
	/* Domains are kept off it by its address. */
	if ((base & PTE_ADDR_MASK) != APIC_PHYS)
		panic("the local APIC is not at %lx", APIC_PHYS);
	if (!x2apic)
		apic_regs = map_io(APIC_PHYS, PAGE_SIZE,
				   MAP_RW | PTE_PCD | PTE_PWT);
	/* The legacy controllers stay silent. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	apic_init_this();
	/* Ten milliseconds against the ACPI timer. */
	if (!acpi.pm_timer)
		panic("no ACPI timer to measure the TSC by");
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	apic_write(APIC_TIMER_INIT, ~0U);
	a = take_sample();
	do {
		b = take_sample();
		ticks = (b.ref - a.ref) & PM_TIMER_MASK;
	} while (ticks < PM_TIMER_HZ / 100);
	boot_cpu.tsc_khz = (b.tsc - a.tsc) * PM_TIMER_HZ / ticks / 1000;
	timer_khz = (a.count - b.count) * PM_TIMER_HZ / ticks / 1000;
	if (!boot_cpu.tsc_khz || !timer_khz)
		panic("the TSC or the APIC timer does not run");
	log_info("TSC %lu kHz, APIC timer %lu kHz, %s\n", boot_cpu.tsc_khz,
		 timer_khz, cpu_has(F_TSC_DEADLINE) ? "TSC deadline"
						    : "one-shot");
	apic_init_this();	/* the timer's mode was borrowed */
}

/* Every CPU; leaves the timer stopped. */
void apic_init_this(void)
{
	struct cpu *c = this_cpu();

	if (x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2);
	c->apic_id = apic_read_id();
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, 0x100 | VEC_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	/* The NMI line goes to the boot CPU only. */
	apic_write(APIC_LVT_LINT1, IPI_NMI | (c->id ? LVT_MASKED : 0));
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_TIMER_INIT, 0);
	apic_write(APIC_TIMER_DIV, DIV_BY_1);
	apic_write(APIC_LVT_TIMER,
		   VEC_TIMER | (cpu_has(F_TSC_DEADLINE) ? LVT_DEADLINE : 0));
	/* The mode must be in effect before the first deadline is written. */
	__asm__ volatile("mfence" ::: "memory");
}

void apic_set_deadline(u64 ns)
{
	u64 target = ns == NEVER ? 0 : max(ns_to_tsc(ns), 1UL);
	u64 now = min(rdtsc(), target);
	u64 left = min(target - now, boot_cpu.tsc_khz * 1000);

	/* 0 disarms; a past value fires at once. */
	if (cpu_has(F_TSC_DEADLINE))
		return wrmsr(MSR_TSC_DEADLINE, target);
	/* Far deadlines wake early and are set again; also no overflow. */
	apic_write(APIC_TIMER_INIT,
		   target ? left * timer_khz / boot_cpu.tsc_khz + 1 : 0);
}
