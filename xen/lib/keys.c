/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Debug keys: questions that the operator asks the hypervisor, from the serial
 * line or by sysctl (xl debug-keys).  Handlers run in exit_work() or in Dom0's
 * hypercall, with no lock held; they may be slow and print a lot.
 */
#include <domain/domain.h>
#include <dev/dev.h>

static void key_help(void);

static void cpu_print(void *unused)
{
	show_regs(&current->regs);
}

/* What each CPU runs; the registers are the guest's. */
static void key_registers(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, cpus_online) {
		printk("CPU %u: %lu interrupts, %lu NMI, idle %lu ms\n", cpu,
		       cpu_ptr(cpu)->irq_count, cpu_ptr(cpu)->nmi_count,
		       cpu_ptr(cpu)->idle_ns / NS_PER_MS);
		if (!cpu_ptr(cpu)->curr->is_idle)
			cpu_call(1UL << cpu, cpu_print, NULL);
	}
}

static void key_dom0(void)
{
	struct vcpu *v;

	if (!dom0)
		return;
	for_each_vcpu(dom0, v)
		vcpu_dump(v);
}

static void key_memory(void)
{
	printk("Memory: %lu MiB, %lu MiB free, highest frame %#lx\n",
	       total_pages >> 8, free_page_count() >> 8, max_mfn);
}

/* Stops everything but the vCPU that asks, which is in the hypervisor. */
static void all_pause(bool pause)
{
	struct domain *d;
	struct vcpu *v;

	for_each_domain(d) {
		for_each_vcpu(d, v) {
			if (v == current)
				continue;
			if (pause)
				vcpu_pause(v);
			else
				vcpu_unpause(v);
		}
	}
}

/* Counts every reference from scratch and compares; prints the result itself.
 * Two CPUs at it would pause each other. */
static void key_recount(void)
{
	static u32 busy;

	if (xchg(&busy, 1))
		return;
	all_pause(true);
	frames_recount();
	all_pause(false);
	store_release(&busy, 0);
}

static void key_reboot(void)
{
	printk("Reboot by debug key\n");
	machine_restart();
}

static const struct debug_key {
	char key;
	void (*fn)(void);
	const char *help;
} table[] = {
	{ 'h', key_help, "this list" },
	{ '0', key_dom0, "registers of Dom0's vCPUs" },
	{ 'c', key_recount, "recount all frame references" },
	{ 'd', key_registers, "what each CPU runs" },
	{ 'e', evtchn_dump, "event channels" },
	{ 'g', grant_dump, "grant tables" },
	{ 'm', key_memory, "memory" },
	{ 'q', domain_dump, "domains and vCPUs" },
	{ 'r', sched_dump, "run queues" },
	{ 'R', key_reboot, "reboot the machine" },
};

static void key_help(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		printk(" '%c': %s\n", table[i].key, table[i].help);
}

/* Runs the handler of `key`; an unknown one is named.  No lock held. */
void handle_debug_key(char key)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].key != key)
			continue;
		printk("Key '%c': %s\n", key, table[i].help);
		table[i].fn();
		return;
	}
	printk("No debug key '%c'; 'h' lists them\n",
	       key >= ' ' && key < 127 ? key : '?');
}
