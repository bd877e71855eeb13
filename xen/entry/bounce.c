/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest kernel sees of a trap, an event or a system call: a frame on
 * its stack, and its handler running.
 *
 *	low	rcx r11 [error code] rip cs|mask<<32 rflags rsp ss	high
 *
 * The kernel pops rcx and r11 first.  Two things in the frame are not what
 * the hardware had: cs has RPL 0 if the guest kernel was interrupted, though
 * it runs in ring 3, and IF says whether event upcalls were enabled, though
 * interrupts always are.
 *
 * The stack is the guest's own business and may be anything: the frame's
 * whole range is checked (XSA-215), it is written with guarded copies, and if
 * that fails the domain is beyond saving.  Handlers were checked when they
 * were registered, and the exit path does not trust that.
 *
 * rcx and r11 are in the frame, so their registers are free: they are set to
 * rip and rflags, which lets the exit path use sysret.
 */
#include <domain/domain.h>
#include <entry/entry.h>

#define FRAME_MAX	11

/* v's stack cannot take a frame, or iret() finds no good one there; or that
 * would lead to user mode without a user page table.  Also from entry.S. */
void crash_frame_fault(struct vcpu *v)
{
	domain_crash(v->domain, "vcpu %u: bad frame or stack, rsp %lx", v->id,
		     v->regs.rsp);
}

/*
 * Interrupts v, the current vCPU: writes the frame, with n extra words after
 * the first two, and turns its registers to the handler.
 */
static always_inline void bounce(struct vcpu *v, u64 handler, bool mask,
				 const u64 *extra, unsigned int n)
{
	struct regs *r = &v->regs;
	bool kernel = v->in_kernel;
	bool masked = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
	u64 frame[FRAME_MAX], *f = frame, sp = r->rsp, size;

	if (unlikely(!handler))
		return domain_crash(v->domain,
			"vcpu %u: no handler (trap %u, rip %lx, cr2 %lx)",
			v->id, r->entry_vector, r->rip, v->cr2);
	if (!kernel) {
		context_toggle_mode(v);
		sp = v->kernel_sp;
	}
	*f++ = r->rcx;
	*f++ = r->r11;
	while (n--)
		*f++ = *extra++;
	*f++ = r->rip;
	*f++ = (kernel ? r->cs & ~3UL : r->cs) | (u64)masked << 32;
	*f++ = (r->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL)) |
	       (masked ? 0 : X86_EFLAGS_IF);
	*f++ = r->rsp;
	*f++ = r->ss;
	size = (u64)f - (u64)frame;
	sp = (sp & ~15UL) - size;
	if (unlikely(copy_to_guest(sp, frame, size)))
		return crash_frame_fault(v);
	if (mask)
		WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 1);
	r->rip = handler;
	r->cs = SEL_RING3_CS64;
	r->rflags = (r->rflags & ~FLAGS_HANDLER) | X86_EFLAGS_IF;
	r->rsp = sp;
	r->ss = SEL_RING3_SS;
	r->rcx = r->rip;
	r->r11 = r->rflags;
}

/* Delivers an exception to v, the current vCPU.  Those that have an error code
 * are 8, 10 to 14, 17, 21, 29, 30. */
void inject_trap(struct vcpu *v, u8 vector, u32 error_code)
{
	const struct trap_info *t = &v->traps[vector];
	u64 code = error_code;

	if (vector == X86_EXC_NM)
		fpu_set_ts(v, false);
	bounce(v, t->address, TI_GET_IF(t), &code,
	       vector < 32 ? 0x60227d00U >> vector & 1 : 0);
}

/*
 * Delivers a page fault.  The hardware saw ring 3 in any case; the guest is
 * told which of its two modes it was.
 */
void inject_page_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	v->vcpu_info->arch.cr2 = cr2;
	v->cr2 = cr2;
	inject_trap(v, X86_EXC_PF,
		    (error_code & ~PFEC_U) | (v->in_kernel ? 0 : PFEC_U));
}

/* See entry.h.  The guest kernel counts as ring 1, as the ABI has it. */
void soft_interrupt(struct vcpu *v, u8 vector, unsigned int len)
{
	const struct trap_info *t = &v->traps[vector];

	if (!t->address || TI_GET_DPL(t) < (v->in_kernel ? 1 : 3))
		return inject_trap(v, X86_EXC_GP, vector * 8U + 2);
	v->regs.rip += len;
	bounce(v, t->address, TI_GET_IF(t), NULL, 0);
}

/*
 * The hardware refused to resume v with the registers it has: bad selectors,
 * usually.  Frame: rcx r11 ds es fs gs rip cs rflags rsp ss.
 */
void inject_failsafe(struct vcpu *v)
{
	const struct regs *r = &v->regs;

	context_sync(v);	/* selectors as they are */
	bounce(v, v->failsafe_cb.address, v->failsafe_cb.mask_events,
	       (const u64[]){ r->ds, r->es, r->fs, r->gs }, 4);
}

/* Event upcall: pending and unmasked, as the caller has seen. */
void inject_event(struct vcpu *v)
{
	bounce(v, v->event_cb.address, true, NULL, 0);
}

/* NMI; the next one waits for iret(). */
void inject_nmi(struct vcpu *v)
{
	v->nmi_masked = 1;
	bounce(v, v->nmi_cb.address ?: v->traps[X86_EXC_NMI].address, true,
	       NULL, 0);
}

/*
 * A guest user's SYSCALL, when entry.S's twin found something unusual.  Also
 * SYSCALL in compatibility mode, which is never a hypercall.
 */
void bounce_syscall(struct vcpu *v)
{
	const struct callback *cb = &v->syscall_cb;

	if (v->regs.cs == SEL_RING3_CS32)
		cb = &v->syscall32_cb;
	if (!cb->address || v->in_kernel) {
		v->regs.rip -= 2;
		return inject_trap(v, X86_EXC_UD, 0);
	}
	bounce(v, cb->address, cb->mask_events, NULL, 0);
}

/*
 * SYSENTER says nothing about where it came from, so the frame does not
 * either: rip and rsp are 0, and the guest's user space knows what to do.
 */
bool bounce_sysenter(struct vcpu *v)
{
	const struct callback *cb = &v->sysenter_cb;

	if (!cb->address || v->in_kernel)
		return false;
	v->regs.rip = 0;
	v->regs.rsp = 0;
	v->regs.cs = 3;
	v->regs.ss = SEL_RING3_SS;
	v->regs.rflags &= ~X86_EFLAGS_TF;
	bounce(v, cb->address, cb->mask_events, NULL, 0);
	return true;
}
