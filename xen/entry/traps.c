/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exceptions and interrupts: ours or the guest's?  Decided once, here.
 *
 * Invariant: a trap that a guest can cause ends in the guest.  From ring 0
 * only these are expected: a fault at an instruction with a fixup, a page of
 * the LDT window that is not there yet, a stale translation, a breakpoint the
 * guest has set on its own memory or before SYSCALL (XSA-260), an NMI, and
 * interrupts in the two windows that entry.h names.  Anything else is our
 * mistake and the end.
 *
 * No locks are held on entry from the guest; from ring 0 any may be, so what
 * runs there takes none, but for interrupts in the windows.
 *
 * exit_work() is the other end of each visit: nothing that came up meanwhile
 * is left for later when the guest resumes.
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>
#include <hypercall-abi/nmi.h>

#define PORT_NMI_REASON	0x61
#define DR6_RESET	0xffff0ff0UL
#define DR6_REPORTED	0xe00fUL	/* B0-B3 BD BS BT */

struct gate {
	u16 offset_low, selector;
	u8 ist, type;		/* 0x8e: present, interrupt gate, DPL 0 */
	u16 offset_mid;
	u32 offset_high, reserved;
};

static struct gate idt[256] __aligned(PAGE_SIZE);

static void set_gate(u8 vector, unsigned int dpl, unsigned int ist)
{
	u64 to = (u64)trap_stubs[vector];

	idt[vector] = (struct gate){
		.offset_low = (u16)to,
		.offset_mid = (u16)(to >> 16),
		.offset_high = (u32)(to >> 32),
		.selector = SEL_HYP_CS,
		.ist = ist,
		.type = 0x8e | dpl << 5,
	};
}

/* Once.  INT n with DPL 0 faults, and emulate.c finds out. */
void idt_init(void)
{
	for (unsigned int i = 0; i < 256; i++)
		set_gate(i, 0, 0);
	set_gate(X86_EXC_BP, 3, 0);
	set_gate(X86_EXC_OF, 3, 0);
	set_gate(VEC_SYSCALL32, 3, 0);
	set_gate(X86_EXC_DF, 0, IST_DF);
	set_gate(X86_EXC_NMI, 0, IST_NMI);
	set_gate(X86_EXC_MC, 0, IST_MC);
	set_gate(X86_EXC_DB, 0, IST_DB);
}

/* Each CPU. */
void idt_load(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed idtr = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" :: "m"(idtr));
}

static void fix_jump(u8 *to, u64 at, const u8 *jump_end, const u8 *target)
{
	u64 off = (u64)(jump_end - syscall_stub_start);
	s32 rel = (s32)((u64)target - (at + off));

	memcpy(to + off - sizeof(rel), &rel, sizeof(rel));
}

/* See entry.h. */
void syscall_stub_install(void *to, u64 at)
{
	memcpy(to, syscall_stub_start,
	       (size_t)(syscall_stub_end - syscall_stub_start));
	fix_jump(to, at, syscall_stub_jmp, syscall_entry);
	fix_jump(to, at, syscall_stub_jmp32, compat_syscall_entry);
}

static void __noreturn fatal_trap(struct regs *r)
{
	show_regs(r);
	panic("trap %u (error %x) at %lx", r->entry_vector, r->error_code,
	      r->rip);
}

/* --- ring 0's own --------------------------------------------------------- */

/* Bits 7 and 6 of the reason port, until exit_work() tells Dom0. */
static u8 nmi_reason;

/* No lock is taken: ring 0 may be anywhere. */
static void nmi(void)
{
	struct cpu *cpu = this_cpu();
	u8 reason;

	cpu->nmi_count++;
	if (cpu->id != 0)
		return;
	reason = inb(PORT_NMI_REASON) & 0xc0;
	if (!reason)
		return;
	atomic_or(&nmi_reason, reason);
	atomic_or(&cpu->work, WORK_VCPU);
}

/* The PC's parity or bus error line: the control domain decides. */
static void nmi_report(void)
{
	u8 reason = xchg(&nmi_reason, 0);

	if (!dom0 || !dom0->shared_info || !dom0->vcpu[0])
		return;
	atomic_or(&dom0->shared_info->arch.nmi_reason,
		  (reason & 0x80 ? XEN_NMIREASON_pci_serr : 0) |
		  (reason & 0x40 ? XEN_NMIREASON_io_error : 0));
	vcpu_send_nmi(dom0->vcpu[0]);
}

/* Breakpoints in ring 0 are the guest's, on data that we touched for it, or
 * left over from a MOV SS before SYSCALL: they are lost. */
static void ring0_debug(struct regs *r)
{
	__asm__ volatile("mov %0, %%db6" :: "r"(DR6_RESET));
	r->rflags &= ~X86_EFLAGS_TF;
}

static void ring0_page_fault(struct regs *r, u64 cr2)
{
	struct vcpu *v = current;

	if (v && !v->is_idle && ldt_fault(v, cr2))
		return;
	if (spurious_fault(cr2, r->error_code) || fixup_exception(r))
		return;
	fatal_trap(r);
}

static void ring0_trap(struct regs *r)
{
	switch (r->entry_vector) {
	case X86_EXC_DB:
		ring0_debug(r);
		return;
	case X86_EXC_NMI:
		nmi();
		return;
	case X86_EXC_TS:
	case X86_EXC_NP:
	case X86_EXC_SS:
	case X86_EXC_GP:
		if (fixup_exception(r))
			return;
	}
	fatal_trap(r);
}

/* --- the guest's ------------------------------------------------------------ */

/*
 * [pagefault 30] The guest's own, unless it hit what the hypervisor keeps from
 * it for its own good: an LDT page not mapped yet, or a write to a page table
 * that is read-only to it.
 */
static void guest_page_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	if (cr2 - HYP_VIRT_START < HYP_VIRT_END - HYP_VIRT_START) {
		if (ldt_fault(v, cr2) || spurious_fault(cr2, error_code))
			return;
	} else if (v->in_kernel &&
		   (error_code & (PFEC_P | PFEC_W)) == (PFEC_P | PFEC_W)) {
		if (ptwr_fault(v, cr2, error_code) ||
		    mmio_ro_fault(v, cr2, error_code))
			return;
	}
	if (unlikely(error_code & PFEC_RSVD))
		guest_log(v->domain, LOG_WARN,
			  "reserved bit in its page tables, address %lx\n",
			  cr2);
	inject_page_fault(v, cr2, error_code);
}

/* [pagefault 20] The faulting address is read before anything can fault. */
static void page_fault(struct regs *r)
{
	u64 cr2 = read_cr2();

	if (regs_from_guest(r))
		guest_page_fault(current, cr2, r->error_code);
	else
		ring0_page_fault(r, cr2);
}

/* An error code without bit 1 names a selector; nothing to emulate there. */
static void guest_protection_fault(struct vcpu *v)
{
	u32 code = v->regs.error_code;

	if ((!code || code & 2) && emulate_privileged(v))
		return;
	inject_trap(v, X86_EXC_GP, code);
}

static void guest_debug(struct vcpu *v)
{
	u64 dr6;

	__asm__ volatile("mov %%db6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%db6" :: "r"(DR6_RESET));
	v->debugreg[6] = (v->debugreg[6] & ~15UL) | (dr6 & DR6_REPORTED);
	inject_trap(v, X86_EXC_DB, 0);
}

static void guest_trap(struct vcpu *v)
{
	u8 vector = v->regs.entry_vector;

	switch (vector) {
	case X86_EXC_GP:
		guest_protection_fault(v);
		return;
	case X86_EXC_UD:
		if (!emulate_invalid_op(v))
			inject_trap(v, vector, 0);
		return;
	case X86_EXC_NM:
		if (v->guest_ts)
			inject_trap(v, vector, 0);
		else
			__asm__ volatile("clts" ::: "memory");
		return;
	case X86_EXC_DB:
		guest_debug(v);
		return;
	case X86_EXC_NMI:
		nmi();
		return;
	case X86_EXC_MC:
	case X86_EXC_DF:
		fatal_trap(&v->regs);
	case VEC_SYSCALL32:
		v->regs.rip -= 2;
		soft_interrupt(v, vector, 2);
		return;
	default:
		inject_trap(v, vector, v->regs.error_code);
	}
}

/* --- interrupts --------------------------------------------------------------- */

static void interrupt(struct regs *r, u8 vector)
{
	struct cpu *cpu = this_cpu();

	ASSERT(regs_from_guest(r) || cpu->in_window);
	cpu->irq_count++;
	switch (vector) {
	case VEC_TIMER:
		apic_eoi();
		atomic_or(&cpu->work, WORK_TIMER);
		return;
	case VEC_FLUSH:
	case VEC_CALL:
		ipi_handle(vector);
		return;
	case VEC_KICK:
		apic_eoi();
		return;
	case VEC_SPURIOUS:
		return;
	case VEC_ERROR:
		apic_eoi();
		log_warn("CPU %u: local APIC error\n", cpu->id);
		return;
	default:
		irq_handle(vector);
	}
}

/* Called by entry.S with interrupts off. */
void do_trap(struct regs *r)
{
	u32 vector = r->entry_vector;

	if (likely(vector == X86_EXC_PF))
		page_fault(r);
	else if (vector >= VEC_FIRST_DEVICE && vector != VEC_SYSCALL32)
		interrupt(r, vector);
	else if (regs_from_guest(r))
		guest_trap(current);
	else
		ring0_trap(r);
}

/* --- the way out ----------------------------------------------------------------- */

static void idle(struct cpu *cpu)
{
	u64 since = clock_ns();

	cpu->in_window = true;
	/* An interrupt cannot come between sti and hlt: no lost wakeup. */
	__asm__ volatile("sti; hlt; cli" ::: "memory");
	cpu->in_window = false;
	cpu->idle_ns += clock_ns() - since;
}

/* v is current; it waited for this, or will once iret() ends an NMI. */
static void vcpu_work(struct vcpu *v)
{
	if (v->work & VWORK_TIME)
		vcpu_time_update(v);
	if (v->work & VWORK_CRASH) {
		atomic_and(&v->work, ~VWORK_CRASH);
		domain_crash(v->domain, "asked to");
	}
	if (v->work & VWORK_NMI && !v->nmi_masked) {
		atomic_and(&v->work, ~VWORK_NMI);
		inject_nmi(v);
	}
}

static void cpu_work(struct cpu *cpu)
{
	u32 work = xchg(&cpu->work, 0);

	if (work & WORK_IPI)
		cpu_poll();
	if (work & WORK_TIMER)
		timer_run_this();
	if (work & WORK_KEYS)
		console_poll();
	if (work & WORK_RCU)
		domain_reap();
	if (unlikely(READ_ONCE(nmi_reason)))
		nmi_report();
	if (work & WORK_SCHED)
		schedule();
}

/* See entry.h.  Called by entry.S when there may be something to do. */
void exit_work(void)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v;

	for (;;) {
		while (READ_ONCE(cpu->work))
			cpu_work(cpu);
		v = cpu->curr;
		if (v->is_idle) {
			idle(cpu);
			continue;
		}
		if (unlikely(READ_ONCE(v->work)))
			vcpu_work(v);
		if (vcpu_event_pending(v))
			inject_event(v);
		if (likely(!READ_ONCE(cpu->work)))
			return;
	}
}
