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

#define EFLAGS_HANDLER_CLEAR	(X86_EFLAGS_TF | X86_EFLAGS_DF | \
	X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_RF | X86_EFLAGS_VM | \
	X86_EFLAGS_AC | X86_EFLAGS_VIF | X86_EFLAGS_VIP)
#define FRAME_MAX	11

void bounce_stack_fault(struct vcpu *v);
void iret_frame_fault(struct vcpu *v);

/* A frame in the making: words from the lowest address up. */
struct frame_words {
	u64 word[FRAME_MAX];
	unsigned int nr;
};

static always_inline void add(struct frame_words *f, u64 word)
{
	f->word[f->nr++] = word;
}

/* The stack cannot take a frame; v is in kernel mode.  Also from entry.S. */
void bounce_stack_fault(struct vcpu *v)
{
	u64 sp = v->kernel_sp;

	if (regs_from_guest(&v->regs))
		show_regs(&v->regs);
	domain_crash(v->domain,
		     "vcpu %u: cannot write a frame to its stack (rsp %lx, kernel_sp %lx, rip %lx)",
		     v->id, v->regs.rsp, sp, v->regs.rip);
}

/* iret() with a frame that cannot be read, or to user mode without a user
 * page table.  From entry.S. */
void iret_frame_fault(struct vcpu *v)
{
	domain_crash(v->domain, "vcpu %u: bad iret frame at %lx",
		     v->id, v->regs.rsp);
}

/* The interrupted context, as the frame's last five words tell it. */
static always_inline void add_context(struct frame_words *f,
				      const struct vcpu *v, bool kernel,
				      bool masked)
{
	const struct regs *r = &v->regs;
	u64 flags = r->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);

	if (!masked)
		flags |= X86_EFLAGS_IF;
	if (v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl))
		flags |= (u64)v->iopl << 12;
	add(f, r->rip);
	add(f, (kernel ? r->cs & ~3UL : r->cs) | (u64)masked << 32);
	add(f, flags);
	add(f, r->rsp);
	add(f, r->ss);
}

/* Writes the frame and turns v's registers to the handler. */
static always_inline void enter(struct vcpu *v, const struct frame_words *f,
				u64 sp, u64 handler, bool mask)
{
	struct regs *r = &v->regs;
	u64 size = f->nr * sizeof(u64);

	sp = (sp & ~15UL) - size;
	if (unlikely(copy_to_guest(sp, f->word, size))) {
		bounce_stack_fault(v);
		return;
	}
	if (mask)
		WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 1);
	r->rip = handler;
	r->cs = SEL_RING3_CS64;
	r->rflags = (r->rflags & ~EFLAGS_HANDLER_CLEAR) | X86_EFLAGS_IF;
	r->rsp = sp;
	r->ss = SEL_RING3_SS;
	r->rcx = r->rip;
	r->r11 = r->rflags;
}

/* The usual frame.  code: pointer to an error code, or NULL. */
static always_inline void bounce(struct vcpu *v, u64 handler, bool mask,
				 const u32 *code)
{
	struct frame_words f;
	bool kernel = v->in_kernel;
	bool masked = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
	u64 sp = v->regs.rsp;

	if (unlikely(!handler)) {
		domain_crash(v->domain, "vcpu %u: no handler (rip %lx)",
			     v->id, v->regs.rip);
		return;
	}
	if (!kernel) {
		context_toggle_mode(v);
		sp = v->kernel_sp;
	}
	f.nr = 0;
	add(&f, v->regs.rcx);
	add(&f, v->regs.r11);
	if (code)
		add(&f, *code);
	add_context(&f, v, kernel, masked);
	enter(v, &f, sp, handler, mask);
}

/* Exceptions with an error code: 8, 10 to 14, 17, 21, 29, 30. */
static inline bool has_error_code(u8 vector)
{
	return vector < 32 && 0x60227d00U >> vector & 1;
}

static void no_trap_handler(struct vcpu *v, u8 vector, u32 error_code)
{
	show_regs(&v->regs);
	domain_crash(v->domain,
		     "vcpu %u: trap %u (error %x) without a handler, rip %lx",
		     v->id, vector, error_code, v->regs.rip);
}

/* Delivers an exception or software interrupt to v, the current vCPU. */
void inject_trap(struct vcpu *v, u8 vector, u32 error_code)
{
	const struct trap_info *t = &v->traps[vector];

	if (unlikely(!t->address)) {
		no_trap_handler(v, vector, error_code);
		return;
	}
	if (vector == X86_EXC_NM)
		fpu_set_ts(v, false);
	bounce(v, t->address, TI_GET_IF(t),
	       has_error_code(vector) ? &error_code : NULL);
}

/* See entry.h.  The guest kernel counts as ring 1, as the ABI has it. */
void soft_interrupt(struct vcpu *v, u8 vector, unsigned int len)
{
	const struct trap_info *t = &v->traps[vector];

	if (!t->address || TI_GET_DPL(t) < (v->in_kernel ? 1 : 3)) {
		inject_trap(v, X86_EXC_GP, vector * 8U + 2);
		return;
	}
	v->regs.rip += len;
	bounce(v, t->address, TI_GET_IF(t), NULL);
}

/*
 * Delivers a page fault.  The hardware saw ring 3 in any case; the guest is
 * told which of its two modes it was.
 */
void inject_page_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	const struct trap_info *t = &v->traps[X86_EXC_PF];

	error_code = (error_code & ~PFEC_U) | (v->in_kernel ? 0 : PFEC_U);
	v->vcpu_info->arch.cr2 = cr2;
	v->cr2 = cr2;
	if (unlikely(!t->address)) {
		guest_log(v->domain, LOG_WARN, "page fault at %lx\n", cr2);
		no_trap_handler(v, X86_EXC_PF, error_code);
		return;
	}
	bounce(v, t->address, TI_GET_IF(t), &error_code);
}

static u16 live_selector(unsigned int n)
{
	u16 sel;

	switch (n) {
	case 0:
		__asm__ volatile("mov %%ds, %0" : "=rm"(sel));
		return sel;
	case 1:
		__asm__ volatile("mov %%es, %0" : "=rm"(sel));
		return sel;
	case 2:
		__asm__ volatile("mov %%fs, %0" : "=rm"(sel));
		return sel;
	default:
		__asm__ volatile("mov %%gs, %0" : "=rm"(sel));
		return sel;
	}
}

/*
 * The hardware refused to resume v with the registers it has: bad selectors,
 * usually.  Frame: rcx r11 ds es fs gs rip cs rflags rsp ss.
 */
void inject_failsafe(struct vcpu *v)
{
	struct frame_words f = { .nr = 0 };
	bool kernel = v->in_kernel;
	bool masked = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
	u64 sp = v->regs.rsp;

	if (!v->failsafe_cb.address) {
		show_regs(&v->regs);
		domain_crash(v->domain,
			     "vcpu %u: cannot resume it, and no failsafe handler",
			     v->id);
		return;
	}
	if (!kernel) {
		context_toggle_mode(v);
		sp = v->kernel_sp;
	}
	add(&f, v->regs.rcx);
	add(&f, v->regs.r11);
	for (unsigned int i = 0; i < 4; i++)
		add(&f, live_selector(i));
	add_context(&f, v, kernel, masked);
	enter(v, &f, sp, v->failsafe_cb.address, v->failsafe_cb.mask_events);
}

/* Event upcall: pending and unmasked, as the caller has seen. */
void inject_event(struct vcpu *v)
{
	bounce(v, v->event_cb.address, true, NULL);
}

/* NMI; the next one waits for iret(). */
void inject_nmi(struct vcpu *v)
{
	u64 handler = v->nmi_cb.address;

	if (!handler)
		handler = v->traps[X86_EXC_NMI].address;
	v->nmi_masked = 1;
	bounce(v, handler, true, NULL);
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
		inject_trap(v, X86_EXC_UD, 0);
		return;
	}
	bounce(v, cb->address, cb->mask_events, NULL);
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
	bounce(v, cb->address, cb->mask_events, NULL);
	return true;
}
