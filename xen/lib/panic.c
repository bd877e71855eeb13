/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end, when the mistake is ours: registers, call trace, reboot or stop.
 *
 * The trace is a scan of the stack for addresses inside our text, because
 * code is compiled without frame pointers: it shows every caller, and now and
 * then a leftover from an earlier call.  It never leaves the mapped stack it
 * starts on.  The symbol table is made by the second link (scripts in
 * xen/Makefile): sorted low halves of addresses, then names.
 *
 * No lock is waited for.  Nothing a guest controls may lead here.
 */
#include <domain/domain.h>
#include <dev/dev.h>

/* Pages of a per-CPU block that are stacks, the CPU's own from bit 12 on. */
#define STACK_PAGES	0xf550

extern const u32 symbol_count, symbol_addr[];
extern const char symbol_names[];
extern const char _text_start[], _text_end[], _init_start[], _init_text_end[];

/* The function around addr and the distance from its start, if it is ours. */
static void show_address(u64 addr)
{
	const char *name = symbol_names;
	u32 i = 0;

	if ((addr <= (u64)_text_start || addr >= (u64)_text_end) &&
	    (addr < (u64)_init_start || addr >= (u64)_init_text_end))
		return;
	for (; i + 1 < symbol_count && symbol_addr[i + 1] <= (u32)addr; i++)
		name += strlen(name) + 1;
	printk("  %016lx %s+0x%x\n", addr, name, (u32)addr - symbol_addr[i]);
}

/* From sp to the end of the stack that it points into, if it is one. */
static void show_trace(u64 sp)
{
	u64 page = sp >> PAGE_SHIFT & 15;
	u64 end = (sp | ((page < 12 ? PAGE_SIZE : PERCPU_SIZE) - 1)) + 1;

	printk("Call trace, from the stack's contents:\n");
	if (sp - PERCPU_BASE >= (u64)NR_CPUS << PERCPU_SHIFT ||
	    !(STACK_PAGES >> page & 1))
		return;
	for (sp &= ~7UL; sp < end; sp += 8)
		show_address(*(const u64 *)sp);
}

static void show_running(void)
{
	printk("CPU %u, running d%dv%d\n", smp_processor_id(),
	       current ? current->domain->id : -1,
	       current ? (int)current->id : -1);
}

/* Registers of a trap frame, and the call trace if it is ring 0's. */
void show_regs(const struct regs *r)
{
	show_running();
	printk("rip %04x:%016lx  rsp %04x:%016lx  rflags %08lx\n",
	       r->cs, r->rip, r->ss, r->rsp, r->rflags);
	printk("rax %016lx  rbx %016lx  rcx %016lx\n", r->rax, r->rbx, r->rcx);
	printk("rdx %016lx  rsi %016lx  rdi %016lx\n", r->rdx, r->rsi, r->rdi);
	printk("rbp %016lx  r8  %016lx  r9  %016lx\n", r->rbp, r->r8, r->r9);
	printk("r10 %016lx  r11 %016lx  r12 %016lx\n", r->r10, r->r11, r->r12);
	printk("r13 %016lx  r14 %016lx  r15 %016lx\n", r->r13, r->r14, r->r15);
	printk("cr2 %016lx  cr3 %016lx  vector %u error 0x%x\n",
	       read_cr2(), read_cr3(), (u8)r->entry_vector, r->error_code);
	if (regs_from_guest(r))
		return;
	show_address(r->rip);
	show_trace(r->rsp);
}

/* Nothing more can be done: the operator's `noreboot` says what follows. */
void machine_end(void)
{
	if (cmdline_bool("noreboot") > 0) {
		printk("Stopped (noreboot). Reset the machine.\n");
		machine_halt();
	}
	printk("Reboot in five seconds\n");
	pause_ms(5000);
	machine_restart();
}

/* Our own mistake: says what is known, once, and does not return. */
void panic(const char *fmt, ...)
{
	static u32 panicking;
	va_list ap;

	while (xchg(&panicking, 1U))
		__asm__ volatile("hlt");
	cpu_stop_others();
	console_force_unlock();
	printk("\n*** Panic: ");
	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	printk("\n");
	show_running();
	show_trace((u64)__builtin_frame_address(0));
	machine_end();
}
