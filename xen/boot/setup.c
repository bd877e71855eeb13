/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The boot order.
 *
 * One CPU, interrupts off, no guest: the only input is the boot loader's and
 * the firmware's, which are trusted, and the command line, which may be
 * wrong.  After start_xen() everything marked __init is given back.
 */
#include <boot/boot.h>
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>

extern u8 _image_end[], _init_start[], _init_end[];
extern u8 _init_bss_start[], _init_bss_end[];

/* Sets *in if at lies in [start, end); moves *limit down to the next edge. */
static void __init look_at(paddr_t at, paddr_t start, paddr_t end, bool *in,
			   paddr_t *limit)
{
	paddr_t edge = at < start ? start : end;

	if (at < edge)
		*limit = min(*limit, edge);
	*in |= at >= start && at < end;
}

bool __init boot_ram_free(paddr_t at, paddr_t *end)
{
	const struct boot_module *m = boot_info.module;
	const struct e820_entry *e = boot_info.map;
	bool ram = false, taken = false;

	*end = ~0UL;
	look_at(at, IMAGE_PHYS, virt_to_paddr(_image_end), &taken, end);
	for (; e < boot_info.map + boot_info.nr_map; e++)
		look_at(at, e->base, e->base + e->size,
			e->type == E820_RAM ? &ram : &taken, end);
	for (; m < boot_info.module + boot_info.nr_module; m++)
		look_at(at, m->start, m->end, &taken, end);
	return ram && !taken;
}

void __init boot_free_ram(void (*fn)(paddr_t start, paddr_t end))
{
	paddr_t end;

	for (paddr_t at = 0x100000; at != ~0UL; at = end) {
		bool is_free = boot_ram_free(at, &end);
		paddr_t start = ROUND_UP(at, PAGE_SIZE);

		if (is_free && start < ROUND_DOWN(end, PAGE_SIZE))
			fn(start, ROUND_DOWN(end, PAGE_SIZE));
	}
}

static struct domain *__init first_domain(void)
{
	const struct boot_module *m = boot_info.module;
	struct domain *d = NULL;

	if (boot_info.nr_module)
		d = dom0_build(&m[0], boot_info.nr_module > 1 ? &m[1] : NULL);
	else
		printk("No Dom0 kernel: add `module2 /boot/vmlinuz-... root=...' behind the multiboot2 line of the boot menu entry.\n");
	if (!d)
		machine_end();
	return d;
}

static void free_boot_range(u8 *start, u8 *end)
{
	map_pages((u64)start, MFN(0), (u64)(end - start) >> PAGE_SHIFT, 0);
	tlb_flush_mask(cpus_online, FLUSH_ALL_VA);
	pages_add(virt_to_paddr(start), virt_to_paddr(end));
}

/*
 * [boot 100] Boot's own code and tables become free memory, and the first
 * domain starts.  Not __init itself.
 */
static void __noreturn noinline finish_boot(struct domain *d)
{
	free_boot_range(_init_start, _init_end);
	free_boot_range(_init_bss_start, _init_bss_end);
	printk("Dom0 starts; input goes to it (Ctrl-A three times to switch)\n");
	console_end_boot();
	domain_control_unpause(d);
	reset_stack_and_exit();
}

/* From head.S, on CPU 0's own stack: the boot order as a list. */
void __init start_xen(u32 magic, u64 info)
{
	multiboot_parse(magic, info);
	console_init_early();
	printk("Xenolith " XENOLITH_VERSION " (Xen 4.17 ABI, %sgcc " __VERSION__
	       "), loaded by %s\nCommand line: %s\n",
	       DEBUG_BUILD ? "debug, " : "", boot_info.loader,
	       hypervisor_cmdline);
	cmdline_report_unknown();
	idt_load();
	cpu_identify();
	cpu_init_this();

	/* [boot 50] Memory: who owns which frame, and the final page tables. */
	mm_early_init();
	this_cpu()->cr3 = read_cr3();
	descr_init_this();
	current = idle_vcpu_create(smp_processor_id());

	/* [boot 60] Interrupts and time. */
	acpi_init(boot_info.rsdp);
	apic_init_boot();
	irq_init();
	clock_init();

	/* [boot 70] From here on there are vCPUs to schedule. */
	sched_init_cpu(smp_processor_id());
	smp_boot_all();
	cpuid_init();
	console_init();

	/* [boot 85] What the loader brought becomes the first domain. */
	finish_boot(first_domain());
}
