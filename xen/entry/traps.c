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

#define DR6_RESET	0xffff0ff0UL
#define DR6_REPORTED	0xe00fUL	/* B0-B3 BD BS BT */

struct gate {
	u16 offset_low, selector;
	u8 ist, type;		/* interrupt gate: 0x8e; 0xee for ring 3 too */
	u16 offset_mid;
	u32 offset_high, reserved;
};

static struct gate idt[256] __aligned(PAGE_SIZE);

/* Each CPU; the first fills it.  INT n with DPL 0 faults, and emulate.c finds
 * out. */
void idt_load(void)
{
	struct pseudo_desc idtr = { sizeof(idt) - 1, (u64)idt };
	static const u8 ist[32] = {
		[X86_EXC_DB] = IST_DB, [X86_EXC_NMI] = IST_NMI,
		[X86_EXC_DF] = IST_DF, [X86_EXC_MC] = IST_MC,
	};

	for (unsigned int i = 0; i < 256 && !idt[255].type; i++) {
		u64 to = (u64)trap_stubs[i];
		bool user = i == X86_EXC_BP || i == X86_EXC_OF ||
			    i == VEC_SYSCALL32;

		idt[i] = (struct gate){
			.offset_low = (u16)to,
			.offset_mid = (u16)(to >> 16),
			.offset_high = (u32)(to >> 32),
			.selector = SEL_HYP_CS,
			.ist = i < ARRAY_SIZE(ist) ? ist[i] : 0,
			.type = user ? 0xee : 0x8e,
		};
	}
	__asm__ volatile("lidt %0" :: "m"(idtr));
}

static void __noreturn fatal_trap(struct regs *r)
{
	show_regs(r);
	panic("trap %u (error %x) at %lx", r->entry_vector, r->error_code,
	      r->rip);
}

/* No lock is taken: ring 0 may be anywhere. */
static void nmi(void)
{
	cpu_stop_check();
	if (smp_processor_id() == 0)
		cpu_set_work(0, WORK_NMI);
}

/* The PC's parity or bus error line: the control domain decides. */
static void nmi_report(void)
{
	u8 reason = inb(0x61) & 0xc0;

	if (!reason || !dom0 || !dom0->shared_info || !dom0->vcpu[0])
		return;
	atomic_or(&dom0->shared_info->arch.nmi_reason,
		  (reason & 0x80 ? XEN_NMIREASON_pci_serr : 0) |
		  (reason & 0x40 ? XEN_NMIREASON_io_error : 0));
	vcpu_send_nmi(dom0->vcpu[0]);
}

static void ring0_trap(struct regs *r, u64 cr2)
{
	switch (r->entry_vector) {
	case X86_EXC_DB:
		/* The guest's, on data that we touched for it, or left over
		 * from a MOV SS before SYSCALL: lost. */
		__asm__ volatile("mov %0, %%db6" :: "r"(DR6_RESET));
		r->rflags &= ~X86_EFLAGS_TF;
		return;
	case X86_EXC_NMI: return nmi();
	case X86_EXC_PF:
		if (current && !current->is_idle && ldt_fault(current, cr2))
			return;
		if (spurious_fault(cr2, r->error_code))
			return;
		fallthrough;
	case X86_EXC_TS ... X86_EXC_GP:
		if (fixup_exception(r))
			return;
	}
	fatal_trap(r);
}

/*
 * [pagefault 30] The guest's own, unless it hit what the hypervisor keeps from
 * it for its own good: an LDT page not mapped yet, or a write to a page table
 * that is read-only to it.  The window of the LDT is ours: the guest is told
 * the address of the entry in its own memory.
 */
static void guest_page_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	u64 offset = cr2 - LDT_VA(v->id);

	if (cr2 - HYP_VIRT_START < HYP_VIRT_END - HYP_VIRT_START) {
		if (spurious_fault(cr2, error_code))
			return;
		/* Only the processor itself reads descriptors as ring 0. */
		if (offset >> 3 < v->ldt_ents && !(error_code & PFEC_U)) {
			if (ldt_fault(v, cr2))
				return;
			cr2 = v->ldt_base + offset;
		}
	} else if (v->in_kernel &&
		   (error_code & (PFEC_P | PFEC_W)) == (PFEC_P | PFEC_W)) {
		if (ptwr_fault(v, cr2, error_code) ||
		    mmio_ro_fault(v, cr2, error_code))
			return;
	}
	inject_page_fault(v, cr2, error_code);
}

static void guest_trap(struct vcpu *v)
{
	u8 vector = v->regs.entry_vector;
	u32 code = v->regs.error_code;
	u64 dr6;

	switch (vector) {
	case X86_EXC_DB:
		__asm__ volatile("mov %%db6, %0" : "=r"(dr6));
		__asm__ volatile("mov %0, %%db6" :: "r"(DR6_RESET));
		v->debugreg[6] = (v->debugreg[6] & ~15UL) |
				 (dr6 & DR6_REPORTED);
		break;
	case X86_EXC_NMI: return nmi();
	case X86_EXC_UD:
		if (emulate_invalid_op(v))
			return;
		break;
	case X86_EXC_DF:
	case X86_EXC_MC: fatal_trap(&v->regs);
	case X86_EXC_GP:
		/* Without bit 1 it names a selector: nothing to emulate. */
		if ((!code || code & 2) && emulate_privileged(v))
			return;
		break;
	case VEC_SYSCALL32:
		v->regs.rip -= 2;
		return soft_interrupt(v, vector, 2);
	}
	inject_trap(v, vector, code);
}

/*
 * Called by entry.S with interrupts off.
 * [pagefault 20] The faulting address is read before anything can fault.
 */
void do_trap(struct regs *r)
{
	u32 vector = r->entry_vector;
	bool guest = regs_from_guest(r);
	u64 cr2 = 0;

	if (likely(vector == X86_EXC_PF))
		cr2 = read_cr2();
	if (vector >= VEC_FIRST_DEVICE && vector != VEC_SYSCALL32) {
		ASSERT(guest || this_cpu()->in_window);
		irq_handle(vector);
	} else if (!guest) {
		ring0_trap(r, cr2);
	} else if (vector == X86_EXC_PF) {
		guest_page_fault(current, cr2, r->error_code);
	} else {
		guest_trap(current);
	}
}

/* --- the way out -- */

/* See entry.h.  Called by entry.S when there may be something to do. */
void exit_work(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		u32 work = READ_ONCE(cpu->work);
		struct vcpu *v = cpu->curr;

		if (work) {
			work = xchg(&cpu->work, 0);
			if (work & WORK_TIMER)
				timer_run_this();
			if (work & WORK_KEYS)
				console_poll();
			if (work & WORK_RCU)
				domain_reap();
			if (work & WORK_NMI)
				nmi_report();
			if (work & WORK_SCHED)
				schedule();
			continue;
		}
		if (v->is_idle) {
			cpu->in_window = true;
			/* No interrupt comes between sti and hlt: no wakeup
			 * is lost. */
			__asm__ volatile("sti; hlt; cli" ::: "memory");
			cpu->in_window = false;
			continue;
		}
		/* One that is masked waits until iret() ends the NMI. */
		if (READ_ONCE(v->work) & VWORK_NMI && !v->nmi_masked) {
			atomic_and(&v->work, ~VWORK_NMI);
			inject_nmi(v);
		}
		if (vcpu_event_pending(v))
			inject_event(v);
		if (likely(!READ_ONCE(cpu->work)))
			return;
	}
}
