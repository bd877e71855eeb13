/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flushing translations, and knowing when it is not needed.
 *
 * A clock ticks at every full flush of any CPU.  A CPU's tlb_epoch is the
 * clock after the tick of its last full flush, global pages included, taken
 * before the flush began.  A stamp is the clock when a translation had just
 * been removed from the tables.  Invariant: a CPU whose epoch is beyond the
 * stamp has flushed since, so it cannot have the translation.
 *
 * Frames have room for 20 bits of a stamp.  The newest time with these bits
 * is assumed; the true one can only be older, so the worst that happens is a
 * flush too many.
 *
 * No locks.  A shootdown may be asked for under any lock (cpu_call()).
 */
#include <mm/mm.h>

/* Starts above 0: at stamp 0 no CPU has flushed. */
u64 tlb_now = 1;

/* This CPU: the page at va, or with FLUSH_ALL_VA everything, global too. */
void tlb_flush_local(u64 va)
{
	u64 cr4 = read_cr4();

	if (va != FLUSH_ALL_VA)
		return invlpg(va);
	this_cpu()->tlb_epoch = atomic_add(&tlb_now, 1);
	if (!(cr4 & X86_CR4_PGE))
		return write_cr3(read_cr3());
	write_cr4(cr4 & ~X86_CR4_PGE);
	write_cr4(cr4);
}

static void flush_here(void *va)
{
	tlb_flush_local((u64)va);
}

/* The CPUs of mask; returns when all are done. */
void tlb_flush_mask(cpumask_t mask, u64 va)
{
	if (mask == 1UL << smp_processor_id())
		tlb_flush_local(va);
	else if (mask)
		cpu_call(mask, flush_here, (void *)va);
}

/* The CPUs of mask that may hold a translation removed at stamp. */
cpumask_t tlb_filter(cpumask_t mask, u32 stamp)
{
	u64 now = READ_ONCE(tlb_now);
	u64 when = now - ((now - stamp) & 0xfffff);
	cpumask_t left = 0;
	unsigned int cpu;

	for_each_cpu(cpu, mask)
		if (READ_ONCE(cpu_ptr(cpu)->tlb_epoch) <= when)
			left |= 1UL << cpu;
	return left;
}
