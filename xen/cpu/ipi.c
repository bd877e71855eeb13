/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls between CPUs.
 *
 * Every CPU has one outgoing request and an inbox: a bit mask of the CPUs
 * whose requests wait for it.
 *
 *	caller	request = fn, arg; waiting = mask
 *		for each target: set my bit in its inbox, IPI if it was empty
 *		until waiting is 0: serve my own inbox
 *	target	take the whole inbox; for each caller's bit: run fn, clear my
 *		bit in that caller's waiting
 *
 * Invariant: a CPU that waits serves its own inbox, so any number of CPUs may
 * call each other at once, and no lock is involved.  A CPU that spins for a
 * lock does the same (cpu_poll()).  fn must not call cpu_call() itself: the
 * one outgoing request may be in use.
 *
 * No guest can reach this except through hypercalls that flush or sync;
 * their cost is bounded by the callers.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>

static struct request {
	void (*fn)(void *);
	void *arg;
	cpumask_t waiting;	/* CPUs that have not run fn yet */
	cpumask_t inbox;	/* CPUs whose requests wait for this one */
} __aligned(64) requests[NR_CPUS];

static bool stopping;
static u32 stopper;

/* Only for the end of the machine: this CPU does nothing any more. */
static void stop_this(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}

/*
 * Serves requests that wait for this CPU.  Interrupts off; may run under any
 * lock, so request functions take none.
 */
void cpu_poll(void)
{
	unsigned int me = smp_processor_id(), from;
	cpumask_t callers;

	if (unlikely(READ_ONCE(stopping)) && stopper != me)
		stop_this();
	if (likely(!READ_ONCE(requests[me].inbox)))
		return;
	callers = xchg(&requests[me].inbox, 0);
	for_each_cpu(from, callers) {
		struct request *r = &requests[from];

		r->fn(r->arg);
		atomic_and(&r->waiting, ~(1UL << me));
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

/* Interrupts off; acknowledges the local APIC. */
void ipi_handle(u8 vector)
{
	(void)vector;
	apic_eoi();
	cpu_poll();
}

void cpu_stop_others(void)
{
	unsigned int me = smp_processor_id(), cpu;

	stopper = me;
	smp_mb();
	WRITE_ONCE(stopping, true);
	for_each_cpu(cpu, READ_ONCE(cpus_online) & ~(1UL << me))
		apic_send_ipi(cpu, VEC_CALL);
}
