/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other processors: each gets its block (layout.h), its idle vCPU, and a
 * start through trampoline.S, one after the other.
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

/* Pages of a block that exist; the others are guards (layout.h). */
#define BLOCK_PAGES	0xf557U

cpumask_t cpus_online = 1;
unsigned int nr_cpus = 1;

extern const u8 trampoline_start[], trampoline_end[];
extern u64 secondary_stack;

static bool __init page_is_ram(paddr_t page)
{
	for (unsigned int i = 0; i < boot_info.nr_map; i++) {
		const struct e820_entry *e = &boot_info.map[i];

		if (e->type == E820_RAM && e->base <= page &&
		    e->base + e->size >= page + PAGE_SIZE)
			return true;
	}
	return false;
}

static bool __init page_in_module(paddr_t page)
{
	for (unsigned int i = 0; i < boot_info.nr_module; i++)
		if (boot_info.module[i].start < page + PAGE_SIZE &&
		    boot_info.module[i].end > page)
			return true;
	return false;
}

/* RAM below 640 KiB that holds no module (EFI loaders use it); 0 if none. */
static paddr_t __init find_trampoline_page(void)
{
	paddr_t page = 0xa0000 - PAGE_SIZE;

	while (page && (!page_is_ram(page) || page_in_module(page)))
		page -= PAGE_SIZE;
	return page;
}

/* Memory for a CPU's block, at its address; false: no memory. */
static bool __init block_create(unsigned int cpu)
{
	u64 va = PERCPU_BASE + ((u64)cpu << PERCPU_SHIFT);

	for (unsigned int i = 0; i < PERCPU_SIZE / PAGE_SIZE; i++) {
		void *page;

		if (!(BLOCK_PAGES >> i & 1))
			continue;
		page = alloc_page();
		if (!page || map_pages(va + i * PAGE_SIZE, virt_to_mfn(page), 1,
				       i ? MAP_RW : MAP_RX))
			return false;
	}
	return true;
}

static bool __init cpu_prepare(unsigned int cpu, const struct acpi_cpu *a)
{
	struct cpu *c = cpu_ptr(cpu);

	if (!block_create(cpu))
		return false;
	c->id = cpu;
	c->apic_id = a->apic_id;
	c->acpi_id = a->acpi_id;
	c->curr = idle_vcpu_create(cpu);
	if (!c->curr)
		return false;
	sched_init_cpu(cpu);
	return true;
}

static bool __init wait_online(unsigned int cpu, u64 ns)
{
	u64 end = clock_ns() + ns;

	while (!(READ_ONCE(cpus_online) >> cpu & 1)) {
		if (clock_ns() >= end)
			return false;
		cpu_poll();
		cpu_relax();
	}
	return true;
}

/* The processor has had its INIT.  A second start-up message for old ones. */
static bool __init cpu_start(unsigned int cpu, paddr_t page)
{
	u32 apic_id = cpu_ptr(cpu)->apic_id;

	secondary_stack = (u64)cpu_ptr(cpu) - PERCPU_CPU_OFF + PERCPU_STACK_TOP;
	smp_mb();
	for (unsigned int try = 0; try < 2; try++) {
		apic_send_sipi(apic_id, (u8)(page >> PAGE_SHIFT));
		if (wait_online(cpu, try ? 1000 * NS_PER_MS : 20 * NS_PER_MS))
			return true;
	}
	apic_send_init(apic_id);
	printk("CPU %u (APIC id %#x) does not start: left out\n", cpu, apic_id);
	return false;
}

/* How many processors to use, the boot processor included. */
static unsigned int __init cpu_limit(void)
{
	u64 limit = cmdline_u64("maxcpus", NR_CPUS);

	if (cmdline_bool("nosmp") > 0 || !limit)
		return 1;
	return (unsigned int)min(limit, (u64)NR_CPUS);
}

/* Gives ids to the processors that the MADT lists, and resets them. */
static void __init cpus_prepare(void)
{
	unsigned int limit = cpu_limit();
	u32 self = apic_read_id();

	for (unsigned int i = 0; i < acpi.nr_cpu; i++) {
		const struct acpi_cpu *a = &acpi.cpu[i];

		if (a->apic_id == self)
			this_cpu()->acpi_id = a->acpi_id;
		if (!a->enabled || a->apic_id == self || nr_cpus >= limit)
			continue;
		if (!cpu_prepare(nr_cpus, a)) {
			printk("No memory for CPU %u and those after it\n",
			       nr_cpus);
			return;
		}
		nr_cpus++;
		apic_send_init(a->apic_id);
	}
}

/*
 * [boot 80] The other processors start: real mode, long mode, their own
 * block, then idle.  The boot processor waits for each and serves calls.
 */
void __init smp_boot_all(void)
{
	paddr_t page = find_trampoline_page();
	u64 end;

	this_cpu()->online = true;
	if (!page) {
		printk("No memory below 640 KiB: one processor only\n");
		return;
	}
	memcpy(paddr_to_virt(page), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	cpus_prepare();
	/* Ten milliseconds between INIT and start-up, for old processors. */
	end = clock_ns() + 10 * NS_PER_MS;
	while (nr_cpus > 1 && clock_ns() < end)
		cpu_relax();
	for (unsigned int cpu = 1; cpu < nr_cpus; cpu++)
		cpu_start(cpu, page);
	log_info("CPUs online: %u of %u\n",
		 (unsigned int)__builtin_popcountll(cpus_online),
		 acpi.nr_cpu + acpi.nr_cpu_ignored);
}

/* A processor arrives from trampoline.S, on its own stack. */
void start_secondary(void)
{
	struct cpu *c = this_cpu();

	c->cr3 = read_cr3();
	cpu_init_this();
	descr_init_this();
	apic_init_this();
	fpu_init_this();
	clock_init_this();
	c->online = true;
	atomic_or(&cpus_online, 1UL << c->id);
	reset_stack_and_exit();
}
