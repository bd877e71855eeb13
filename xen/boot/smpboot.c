/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other processors: each gets its block (layout.h), its idle vCPU, and a
 * start through head.S, one after the other.
 *
 * A processor is in cpus_online only when it serves calls and shootdowns.
 * One that does not answer in time is put to sleep by an INIT and left out:
 * it must not wake up later with another one's stack.
 *
 * cpu ids: 0 is the boot processor, then the order of the MADT.  All of it
 * runs before the first guest.
 */
#include <boot/boot.h>
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>

cpumask_t cpus_online = 1;
unsigned int nr_cpus = 1, nr_online = 1;

extern const u8 trampoline_start[], trampoline_end[];
extern u64 next_cpu[3];		/* head.S: cr3, stack, where to */

/* A processor's block, at its address, and its idle vCPU; it is reset. */
static void __init cpu_prepare(unsigned int cpu, const struct acpi_cpu *a)
{
	u64 va = PERCPU_BASE + ((u64)cpu << PERCPU_SHIFT);
	struct cpu *c = cpu_ptr(cpu);

	for (unsigned int i = 0; i < PERCPU_SIZE / PAGE_SIZE; i++) {
		void *page = PERCPU_PAGES >> i & 1 ? alloc_page() : NULL;

		BUG_ON(PERCPU_PAGES >> i & 1 &&
		       (!page || map_pages(va + i * PAGE_SIZE,
					   virt_to_mfn(page), 1,
					   i ? MAP_RW : MAP_RX)));
	}
	c->id = cpu;
	c->apic_id = a->apic_id;
	c->acpi_id = a->acpi_id;
	c->curr = idle_vcpu_create(cpu);
	sched_init_cpu(cpu);
	apic_send_ipi(cpu, IPI_INIT);
}

/*
 * [boot 80] The other processors start: real mode, long mode, their own
 * block, then idle.  The boot processor waits for each and serves calls.
 */
void __init smp_boot_all(void)
{
	unsigned int limit = cmdline_bool("nosmp") > 0 ?
			     1 : min(cmdline_u64("maxcpus", NR_CPUS), 64UL);
	const struct acpi_cpu *a = acpi.cpu;
	u32 self = apic_read_id();
	u64 page = 0xa0000, end;

	/* RAM below 640 KiB that has no module (EFI loaders use it). */
	do
		page -= PAGE_SIZE;
	while (page && !(boot_ram_free(page, &end) && end - page >= PAGE_SIZE));
	if (!page)
		return printk("No memory below 640 KiB: one processor only\n");
	for (; a < acpi.cpu + acpi.nr_cpu; a++) {
		if (a->apic_id == self)
			this_cpu()->acpi_id = a->acpi_id;
		else if (nr_cpus < limit)
			cpu_prepare(nr_cpus++, a);
	}
	memcpy(paddr_to_virt(page), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	next_cpu[0] = virt_to_paddr(idle_l4);
	next_cpu[2] = (u64)start_secondary;
	/* Ten milliseconds between INIT and start-up, for old processors. */
	pause_ms(10);
	for (unsigned int cpu = 1; cpu < nr_cpus; cpu++) {
		cpumask_t bit = 1UL << cpu;

		next_cpu[1] = (u64)cpu_ptr(cpu) - PERCPU_CPU_OFF +
			      PERCPU_STACK_TOP;
		smp_mb();
		/* A second start-up message for old ones. */
		for (u64 ms = 20; !(cpus_online & bit) && ms < 2000; ms *= 50) {
			apic_send_ipi(cpu, IPI_STARTUP | page >> PAGE_SHIFT);
			end = clock_ns() + ms * NS_PER_MS;
			while (!(READ_ONCE(cpus_online) & bit) &&
			       clock_ns() < end) {
				cpu_poll();
				cpu_relax();
			}
		}
		nr_online += cpus_online >> cpu & 1;
		if (cpus_online & bit)
			continue;
		apic_send_ipi(cpu, IPI_INIT);
		printk("CPU %u (APIC id 0x%x) does not start: left out\n", cpu,
		       cpu_ptr(cpu)->apic_id);
		atomic_and(&cpus_online, ~bit);	/* even if it just did */
	}
}

/* A processor arrives from head.S, on its own stack. */
void start_secondary(void)
{
	struct cpu *c = this_cpu();

	c->cr3 = read_cr3();
	cpu_init_this();
	descr_init_this();
	apic_init_this();
	atomic_or(&cpus_online, 1UL << c->id);
	reset_stack_and_exit();
}
