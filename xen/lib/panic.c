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

extern const u32 symbol_count, symbol_addr[];
extern const char symbol_names[];
extern const char _text_start[], _text_end[], _init_start[], _init_text_end[];

static bool is_text(u64 a)
{
	return (a >= (u64)_text_start && a < (u64)_text_end) ||
	       (a >= (u64)_init_start && a < (u64)_init_text_end);
}

/* Name of the function around addr and the distance from its start. */
const char *symbol_lookup(u64 addr, u64 *offset)
{
	const char *name = symbol_names;
	u32 lo = 0, hi = symbol_count;

	*offset = 0;
	if (!is_text(addr))
		return "?";
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (symbol_addr[mid] <= (u32)addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return "?";
	*offset = (u32)addr - symbol_addr[lo - 1];
	while (--lo)
		name += strlen(name) + 1;
	return name;
}

static void show_address(const char *what, u64 addr)
{
	u64 offset;
	const char *name = symbol_lookup(addr, &offset);

	printk("  %s%016lx %s+%#lx\n", what, addr, name, offset);
}

/* First byte behind the stack that sp points into, or 0 if it is none. */
static u64 stack_end(u64 sp)
{
	u64 block = sp & ~(u64)(PERCPU_SIZE - 1), off = sp - block;

	if (sp < PERCPU_BASE ||
	    sp >= PERCPU_BASE + ((u64)NR_CPUS << PERCPU_SHIFT))
		return 0;
	if (off >= PERCPU_STACK_TOP - 4 * PAGE_SIZE)
		return block + PERCPU_STACK_TOP;
	if (off >= PERCPU_DF_TOP - PAGE_SIZE && !(off >> PAGE_SHIFT & 1) &&
	    off < PERCPU_DB_TOP)
		return (sp & PAGE_MASK) + PAGE_SIZE;
	return 0;
}

static void show_trace(u64 sp)
{
	u64 end = stack_end(sp & ~7UL);
	unsigned int shown = 0;

	printk("Call trace, from the stack's contents:\n");
	for (sp &= ~7UL; end && sp + 8 <= end && shown < 32; sp += 8) {
		u64 value = *(const u64 *)sp;

		if (is_text(value) && value != (u64)_text_start) {
			show_address("", value);
			shown++;
		}
	}
}

static void show_running(void)
{
	struct cpu *c = this_cpu();
	struct vcpu *v = c->curr;

	if (!v || v->is_idle)
		printk("CPU %u, no domain running\n", c->id);
	else
		printk("CPU %u, running d%uv%u\n", c->id, v->domain->id, v->id);
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
	printk("cr2 %016lx  cr3 %016lx  vector %u error %#x\n",
	       read_cr2(), read_cr3(), (u8)r->entry_vector, r->error_code);
	if (regs_from_guest(r))
		return;
	show_address("at ", r->rip);
	show_trace(r->rsp);
}

/* Other CPUs stop where they are: an INIT leaves them waiting for ever. */
static void stop_others(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, cpus_online & ~(1UL << smp_processor_id()))
		apic_send_init(cpu_ptr(cpu)->apic_id);
}

/* Long enough to read, if the clock rate is known. */
static void wait_seconds(u64 n)
{
	u64 end = rdtsc() + n * boot_cpu.tsc_khz * 1000;

	while (rdtsc() < end)
		cpu_relax();
}

/* Nothing more can be done: the operator's `noreboot` says what follows. */
void machine_end(void)
{
	if (cmdline_bool("noreboot") > 0) {
		printk("Stopped (noreboot). Reset the machine.\n");
		machine_halt();
	}
	printk("Reboot in five seconds\n");
	wait_seconds(5);
	machine_restart();
}

/* Our own mistake: says what is known, once, and does not return. */
void panic(const char *fmt, ...)
{
	static u32 panicking;
	va_list ap;

	irq_disable();
	if (xchg(&panicking, 1U)) {
		for (;;)
			__asm__ volatile("hlt");
	}
	console_force_unlock();
	stop_others();
	printk("\n*** Panic: ");
	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	printk("\n");
	show_running();
	show_trace((u64)__builtin_frame_address(0));
	machine_end();
}
