/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Debug keys: questions that the operator asks the hypervisor, from the serial
 * line or by sysctl (xl debug-keys).  Handlers run in exit_work() or in Dom0's
 * hypercall, with no lock held; they may be slow and print a lot.
 */
#include <domain/domain.h>
#include <dev/dev.h>

static void cpu_print(void *unused)
{
	show_regs(&current->regs);
}

/* What each CPU runs; the registers are the guest's. */
static void key_registers(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, cpus_online) {
		printk("CPU %u%s\n", cpu,
		       cpu_ptr(cpu)->curr->is_idle ? ": idle" : "");
		if (!cpu_ptr(cpu)->curr->is_idle)
			cpu_call(1UL << cpu, cpu_print, NULL);
	}
}

/* Counts every reference from scratch and compares; prints the result itself.
 * Meanwhile nothing runs but the vCPU that asks, which is in the hypervisor.
 * Two CPUs at it would pause each other, and a guest's vCPU may be waited for
 * by Dom0's that we would wait for. */
static void key_recount(void)
{
	static u32 busy;
	struct domain *d;

	if ((!current->is_idle && current->domain != dom0) || xchg(&busy, 1))
		return printk("Not now: a guest runs here\n");
	for_each_domain(d)
		domain_pause(d);
	frames_recount();
	for_each_domain(d)
		domain_unpause(d);
	store_release(&busy, 0);
}

/* No lock held.  An unknown key, like 'h', lists what there is. */
void handle_debug_key(char key)
{
	struct vcpu *v;

	printk("Key '%c'\n", key >= ' ' && key < 127 ? key : '?');
	switch (key) {
	case '0':
		for_each_vcpu(dom0, v)
			vcpu_dump(v);
		return;
	case 'c': return key_recount();
	case 'd': return key_registers();
	case 'e': return evtchn_dump();
	case 'q': return domain_dump();
	case 'R': machine_restart();
	default:
		printk("Keys: 0 registers of Dom0's vCPUs, c recount frame references, d what each CPU runs, e event channels, q domains and vCPUs, R reboot\n");
	}
}
