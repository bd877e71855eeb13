/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Doors in and out of ring 0.
 *
 * THE RULE: ring 0 runs with interrupts off.  They are on in two places only,
 * both short and lock-free: the idle loop's hlt, and preempt_check().  So
 * nothing in ring 0 is ever re-entered by an interrupt, and no lock needs an
 * interrupt-saving form.  NMI, #MC, #DF and #DB have their own stacks and
 * touch no lock.
 *
 * A trap from the guest leaves its registers in current->regs (tss.rsp0 points
 * right behind regs.ss), then the CPU's own stack is used.  There is no
 * per-vCPU stack: a hypercall runs to its end or asks to be repeated
 * (hypercall_continue()).  So switching vCPUs is: change current, return.
 */
#pragma once

#include <cpu/cpu.h>

/* What no guest runs with, whoever asks (XSA-202); what SYSRET cannot load;
 * what is cleared on the way to a guest kernel's handler. */
#define FLAGS_NEVER	(X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_VM | \
			 X86_EFLAGS_VIF | X86_EFLAGS_VIP)
#define FLAGS_NOT_SYSRET (FLAGS_NEVER | X86_EFLAGS_TF | X86_EFLAGS_RF)
#define FLAGS_HANDLER	(FLAGS_NOT_SYSRET | X86_EFLAGS_DF | X86_EFLAGS_AC)

/* --- entry.S -- */
/* Leaves ring 0 into whatever is current, or idles.  Never returns. */
void exit_to_guest(void) __noreturn;
/* Switches to the CPU's own stack top, then exit_to_guest(). */
void reset_stack_and_exit(void) __noreturn;
extern const u8 syscall_stub_start[], syscall_stub_end[];	/* copied */
extern const u8 trap_stubs[256][16];

/* --- traps.c -- */
void idt_load(void);		/* fills the one IDT at first */
/* C side of all vectors; called by entry.S. */
void do_trap(struct regs *regs);
/*
 * Everything due before the guest runs: scheduler, timers, IPI calls, events.
 * Returns with interrupts off, nothing left to do; current may have changed.
 */
void exit_work(void);

/* --- hypercall.c -- */
/*
 * Repeats the current hypercall later with these arguments (up to six).
 * Returns the value that the handler must return.  Inside a multicall the
 * entry is rewritten instead.  Use:
 *	return hypercall_continue(__HYPERVISOR_mmu_update, 4, a, b, c, d);
 */
#define hypercall_continue(op, nargs, ...) \
	hypercall_continue_args((op), (nargs), (const u64[]){ __VA_ARGS__ })
long hypercall_continue_args(unsigned int op, unsigned int nargs,
			     const u64 *args);
/*
 * True if a long operation should stop at the next clean point: other work
 * waits on this CPU.  Opens the interrupt window, so locks must not be held
 * (debug builds check) -- except by callers of preempt_pending().
 */
bool preempt_check(void);
/* Same question without the window: safe under locks. */
static inline bool preempt_pending(void)
{
	return READ_ONCE(this_cpu()->work) != 0;
}

/* --- bounce.c: what the guest sees of a trap -- */
/*
 * Records that `vector` shall be delivered to v (= current) and builds the
 * frame on its kernel stack at once.  error_code counts only for vectors that
 * have one.  No handler, or a stack that cannot be written, crashes the
 * domain.
 */
void inject_trap(struct vcpu *v, u8 vector, u32 error_code);
void inject_page_fault(struct vcpu *v, u64 cr2, u32 error_code);
/* An INT n of len bytes at rip: to its handler if the DPL allows, else #GP. */
void soft_interrupt(struct vcpu *v, u8 vector, unsigned int len);
void inject_failsafe(struct vcpu *v);
/* Event upcall; exit_work() calls it when pending and unmasked. */
void inject_event(struct vcpu *v);
void inject_nmi(struct vcpu *v);
/* A guest user's SYSCALL: to the guest kernel's handler. */
void bounce_syscall(struct vcpu *v);
/* A guest user's SYSENTER (a #GP); false if the kernel has no handler. */
bool bounce_sysenter(struct vcpu *v);

/* --- emulate.c: on a guest's behalf -- */
/* Each returns true if the instruction was handled (rip moved on). */
bool emulate_invalid_op(struct vcpu *v);	/* #UD: forced cpuid */
bool emulate_privileged(struct vcpu *v);	/* #GP: cr, msr, io, ... */
/* An instruction of v's was done: rip moves on; a single-stepped guest
 * notices. */
void retire(struct vcpu *v, unsigned int len);
