/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All doors in and out of ring 0.
 *
 * Every door leaves the guest's registers in current->regs (struct regs in
 * cpu/cpu.h, low addresses first: r15 ... rdi, error code and vector, rip, cs,
 * rflags, rsp, ss) and goes on at the very top of the CPU's own stack, so
 * between calls rsp names the CPU: CPU(x) below.  A trap in ring 0 stays on
 * the stack it finds.
 *
 * Rules: interrupts are off throughout.  GS is the guest's and is never used;
 * swapgs only exchanges its two bases when the guest changes mode.  NMI, #MC,
 * #DF and #DB have stacks of their own, so no instruction here fears them,
 * also while rsp still is, or already is again, the guest's (XSA-260).  The
 * hardware is asked to return to ring 3 only with rflags it cannot abuse
 * (XSA-202), by sysret only to a canonical address (XSA-7), and a fault of
 * iretq itself is the guest's problem: its failsafe handler runs.
 *
 * Guest memory is touched in three places, fast twins of C code in bounce.c:
 * the frames of a page fault and of a system call, and iret's.
 */
#include <layout.h>
#include <offsets.h>

#define CPU_FROM(top, f) (PERCPU_CPU_OFF - PERCPU_STACK_TOP + CPU_##f)(top)
#define CPU(field) CPU_FROM(%rsp, field)
#define VCPU(field) (VCPU_##field - VCPU_regs)(%rbx)	/* rbx = regs */
#define REGS(field) REGS_##field(%rbx)
#define HYP_AREA	(-16)	/* HYP_VIRT_START .. HYP_VIRT_END - 1, sar 43 */

	/* struct regs, a word each; offsets.c asserts the order. */
	.set	offset, 0
	.irp	reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, \
		rdx, rsi, rdi, error_code, rip, cs, rflags, rsp, ss, es
	.set	REGS_\reg, offset
	.set	offset, offset + 8
	.endr

	/* Resume at `target` when the next instruction faults. */
	.macro FIXUP target
	.pushsection .fixup_table, "a"
	.balign	4
	.long	771f - ., \target - .
	.popsection
771:
	.endm

	/* A mov that may fault, to or from the guest. */
	.macro MOV_OR target, from, to
	FIXUP	\target
	mov	\from, \to
	.endm

	/* stac or clac, where there is SMAP. */
	.macro GUEST ac
	cmpb	$0, smap_enabled(%rip)
	je	772f
	\ac
772:
	.endm

	.macro SAVE_REGS
	.irp	reg, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, \
		r13, r14, r15
	push	%\reg
	.endr
	.endm

	.macro LOAD regs:vararg
	.irp	reg, \regs
	mov	REGS_\reg(%rbx), %\reg
	.endr
	.endm
#define CLOBBERED_BY_C	r10, r9, r8, rdx, rsi, rdi	/* rax aside */

	/* Leaves if work came up, or an event that is not masked. */
	.macro WORK_OR target
	cmpl	$0, CPU(work)
	jne	\target
	mov	VCPU(vcpu_info), %rcx
	cmpw	$1, (%rcx)		/* pending, not masked */
	je	\target
	.endm

	/* For sysret.  Clobbers `scratch`. */
	.macro CANONICAL_OR unfit, address, scratch
	mov	\address, \scratch
	sar	$47, \scratch
	inc	\scratch		/* now 0 or 1 */
	cmp	$1, \scratch
	ja	\unfit
	.endm

	.macro NOT_HYP_OR unfit, address
	mov	\address, %rax
	sar	$43, %rax
	cmp	$HYP_AREA, %rax
	je	\unfit
	.endm

	/* The other mode's GS base and page table; clobbers `reg`. */
	.macro SWITCH_MODE to, cr3, reg
	movb	$\to, VCPU(in_kernel)
	swapgs
	mov	\cr3, \reg
	mov	\reg, CPU(cr3)
	mov	\reg, %cr3
	.endm

	.text
	.globl	trap_stubs, exit_to_guest, reset_stack_and_exit
	.globl	syscall_stub_start, syscall_stub_end

/* --- 256 vectors, 16 bytes each -- */
	.balign	16
trap_stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	.if	(vec > 31) || !(0x60227d00 >> (vec & 31) & 1)
	push	$0			/* no error code from the hardware */
	.endif
	movl	$vec, 4(%rsp)
	.if	(vec == 1) || (vec == 2) || (vec == 8) || (vec == 18)
	jmp	ist_trap
	.elseif	vec == 14
	jmp	page_fault
	.else
	jmp	common_trap
	.endif
	.set	vec, vec + 1
	.endr

/*
 * Exceptions and interrupts.
 * In: a frame up to error code and vector, in current->regs or on a stack
 * Out: to the guest by exit_check, or back to where ring 0 was
 */
common_trap:
	SAVE_REGS
common_saved:
	cld
	GUEST	clac
	mov	%rsp, %rdi
	testb	$3, REGS_cs(%rsp)
	jz	trap_in_ring0
	mov	%rsp, %rbx
	mov	VCPU(stack_top), %rsp
	call	do_trap

/*
 * The usual end of a visit.
 * In: rbx = current's regs, rsp = top of the CPU's stack
 */
exit_check:
	WORK_OR	exit_to_guest

/*
 * Nothing is left to do.  If the guest cannot tell the difference, which is
 * so after each bounce and hypercall, leave by the faster sysret.
 * In: rbx = current's regs, rsp = top of the CPU's stack
 */
restore_guest:
	mov	REGS(rip), %rcx
	cmp	%rcx, REGS(rcx)
	jne	restore_by_iret
	mov	REGS(rflags), %r11
	cmp	%r11, REGS(r11)
	jne	restore_by_iret
	cmpw	$SEL_RING3_CS64, REGS(cs)
	jne	restore_by_iret
	cmpw	$SEL_RING3_SS, REGS(ss)
	jne	restore_by_iret
restore_by_sysret:
	mov	REGS(rip), %rcx
	mov	REGS(rflags), %r11
	CANONICAL_OR restore_by_iret, %rcx, %rdx
	mov	%r11d, %edx
	and	$(FLAG_IF | FLAGS_NOT_SYSRET), %edx
	cmp	$FLAG_IF, %edx
	jne	restore_by_iret
	LOAD	r15, r14, r13, r12, rbp, rax, CLOBBERED_BY_C, rsp, rbx
	sysretq

/*
 * In: rsp = top of the CPU's stack
 * Out: ring 3, whoever is current by then
 */
exit_to_guest:
	call	exit_work
	mov	CPU(current), %rbx
	add	$VCPU_regs, %rbx
	jmp	restore_guest

/*
 * The frame is a copy, so regs are whole should iretq fault.
 * In: rbx = current's regs, rsp = top of the CPU's stack
 */
restore_by_iret:
	push	REGS(ss)
	push	REGS(rsp)
	mov	REGS(rflags), %eax
	and	$~FLAGS_NEVER, %eax
	or	$FLAG_IF, %eax
	push	%rax
	movzwl	REGS(cs), %eax
	or	$3, %eax
	push	%rax
	push	REGS(rip)
	LOAD	r15, r14, r13, r12, rbp, rax, CLOBBERED_BY_C, r11, rcx, rbx
	FIXUP	iret_faulted
	iretq

/* In: rsp = as iretq found it.  Out: failsafe handler. */
iret_faulted:
	add	$40, %rsp
	mov	CPU(current), %rdi
	call	inject_failsafe
	jmp	exit_to_guest

/* In: any stack of the CPU's own block */
reset_stack_and_exit:
	dec	%rsp
	or	$(PERCPU_SIZE - 1), %rsp
	inc	%rsp
	jmp	exit_to_guest

/* In: rdi = rsp = frame.  Guest accesses that faulted resume at a fixup. */
trap_in_ring0:
	call	do_trap
	mov	%rsp, %rbx
	lea	REGS(rip), %rsp
	LOAD	r15, r14, r13, r12, rbp, rax, CLOBBERED_BY_C, r11, rcx, rbx
	iretq

/*
 * #DB, NMI, #DF, #MC, on stacks of their own.  From ring 0 they return to
 * where they struck.  From the guest the frame moves to current->regs and
 * all goes on as in common_trap; the iretq to the next line tells the
 * processor that the NMI is over, because sysret would not.
 */
ist_trap:
	SAVE_REGS
	cld
	GUEST	clac
	mov	%rsp, %rdi
	testb	$3, REGS_cs(%rsp)
	jz	trap_in_ring0
	mov	%rsp, %rsi
	mov	%rsp, %rbx
	and	$-PERCPU_SIZE, %rbx
	mov	(PERCPU_CPU_OFF + CPU_current)(%rbx), %rbx
	add	$VCPU_regs, %rbx
	mov	%rbx, %rdi
	mov	$(REGS_es / 8), %ecx
	rep movsq
	mov	VCPU(stack_top), %rsp
	push	$SEL_HYP_DS
	push	VCPU(stack_top)
	pushf
	push	$SEL_HYP_CS
	lea	1f(%rip), %rax
	push	%rax
	iretq
1:	mov	%rbx, %rdi
	call	do_trap
	jmp	exit_check

/* --- SYSCALL -- */
/*
 * Copied to page 0 of each CPU's block; struct cpu lies one page behind, so
 * the same bytes find each CPU's own.  LSTAR points to the copy's start and
 * CSTAR to its byte SYSCALL32_STUB_OFF.  rsp is the guest's for one
 * instruction more.
 */
#define STUB_CPU(field) \
	(syscall_stub_start + PERCPU_CPU_OFF + CPU_##field)(%rip)
	.macro SYSCALL_STUB cs, entry
	mov	%rsp, STUB_CPU(guest_rsp)
	mov	STUB_CPU(regs_top), %rsp
	push	$SEL_RING3_SS
	push	STUB_CPU(guest_rsp)
	push	%r11
	push	$\cs
	push	%rcx
	jmp	*774f(%rip)		/* its distance is no constant */
774:	.quad	\entry
	.endm

	.balign	64
syscall_stub_start:
	SYSCALL_STUB SEL_RING3_CS64, syscall_entry
	.org	syscall_stub_start + SYSCALL32_STUB_OFF, 0xcc
	SYSCALL_STUB SEL_RING3_CS32, compat_syscall_entry
syscall_stub_end:

/* From compatibility mode, AMD only.  Never a hypercall. */
compat_syscall_entry:
	push	$0
	SAVE_REGS
	mov	%rsp, %rbx
	mov	VCPU(stack_top), %rsp
	jmp	user_syscall_slow

/*
 * [hypercall 20] One instruction, two meanings: the mode flag decides, never
 * the address that it came from.
 * In: the stub's five words in current->regs; IF TF DF AC NT clear (SFMASK)
 */
	.balign	16
syscall_entry:
	push	$0
	SAVE_REGS
	mov	%rsp, %rbx
	mov	VCPU(stack_top), %rsp
	cmpb	$0, VCPU(in_kernel)
	je	user_syscall
	cmp	$HYPERCALL_iret, %rax
	je	hypercall_iret
	cmp	$HYPERCALL_limit, %rax
	jae	hypercall_unknown
	and	$(HYPERCALL_limit - 1), %eax	/* also when mispredicted */
	lea	hypercall_table(%rip), %r11
	mov	(%r11, %rax, 8), %r11
	test	%r11, %r11
	jz	hypercall_unknown
	mov	%r10, %rcx		/* argument 4 in C's place */
	call	*%r11
/* [hypercall 90] The short way back, if no work came up meanwhile. */
hypercall_done:
	mov	%rax, REGS(rax)
	WORK_OR	exit_to_guest
	mov	REGS(rip), %rcx
	mov	REGS(rflags), %r11
	CANONICAL_OR restore_by_iret, %rcx, %rdx
	test	$FLAGS_NOT_SYSRET, %r11d	/* SYSCALL left IF set */
	jnz	restore_by_iret
	LOAD	CLOBBERED_BY_C, rsp, rbx
	sysretq

hypercall_unknown:
	call	unknown_hypercall
	jmp	hypercall_done

/* --- bounces: the fast twins of bounce.c -- */
/*
 * A guest user's system call enters the guest kernel, with nothing unusual:
 * no work, no event pending, upcalls not masked.
 * In: rbx = current's regs, rsp = top of the CPU's stack
 */
user_syscall:
	mov	VCPU(syscall_address), %rcx
	test	%rcx, %rcx
	jz	user_syscall_slow
	CANONICAL_OR user_syscall_slow, %rcx, %rax
	mov	VCPU(kernel_sp), %rdi
	and	$~15, %rdi
	lea	-56(%rdi), %rsi
	NOT_HYP_OR user_syscall_slow, %rsi
	cmpl	$0, CPU(work)
	jne	user_syscall_slow
	mov	VCPU(vcpu_info), %r9
	cmpw	$0, (%r9)
	jne	user_syscall_slow
	SWITCH_MODE 1, VCPU(cr3_kernel), %rax
	mov	VCPU(syscall_mask), %al
	mov	%al, 1(%r9)
	mov	$SEL_RING3_CS64, %r10d
	mov	REGS(rflags), %r11
	mov	REGS(rcx), %rax
	GUEST	stac
	MOV_OR	frame_fault, %rax, -56(%rdi)
	MOV_OR	frame_fault, %r11, -48(%rdi)

/*
 * The rest of a frame, and to the handler.  The registers of the guest that
 * are in the frame, rcx and r11, are free for sysret.
 * In: rbx = current's regs, rsp = top of the CPU's stack, SMAP open
 *     rdi = end of the frame, rsi = its start, r10 = cs and mask,
 *     r11 = rflags as shown, rcx = handler, canonical
 */
bounce_rest:
	mov	REGS(rip), %rax
	MOV_OR	frame_fault, %rax, -40(%rdi)
	MOV_OR	frame_fault, %r10, -32(%rdi)
	MOV_OR	frame_fault, %r11, -24(%rdi)
	mov	REGS(rsp), %rax
	MOV_OR	frame_fault, %rax, -16(%rdi)
	movzwl	REGS(ss), %eax
	MOV_OR	frame_fault, %rax, -8(%rdi)
	GUEST	clac
	and	$~FLAGS_HANDLER, %r11d
	or	$FLAG_IF, %r11d
	mov	%rsi, %rsp
	LOAD	CLOBBERED_BY_C, rax, rbx
	sysretq

user_syscall_slow:
	lea	-VCPU_regs(%rbx), %rdi
	call	bounce_syscall
	jmp	exit_check

frame_fault:
	cld			/* the guest's flag until here */
	GUEST	clac
	lea	-VCPU_regs(%rbx), %rdi
	call	crash_frame_fault
	jmp	exit_to_guest

/*
 * [pagefault 10] A page fault of the guest, for its kernel to handle: the twin
 * of guest_page_fault() and inject_page_fault().  Anything unusual, and what
 * may be a write to a page table, takes the way of all traps.  C reads cr2
 * again then, which nothing has changed.
 */
	.balign	16
page_fault:
	SAVE_REGS
	testb	$3, REGS_cs(%rsp)
	jz	common_saved
	mov	%rsp, %rbx
	mov	VCPU(traps), %rax
	testb	$4, TRAP_PF_flags(%rax)		/* masks events */
	jnz	common_saved
	mov	TRAP_PF_address(%rax), %rcx
	test	%rcx, %rcx
	jz	common_saved
	CANONICAL_OR common_saved, %rcx, %rax
	mov	VCPU(vcpu_info), %r9
	cmpw	$1, (%r9)
	je	common_saved
	mov	%cr2, %rdx
	NOT_HYP_OR common_saved, %rdx
	mov	REGS(error_code), %r8d
	movzwl	REGS(cs), %r10d
	cmpb	$0, VCPU(in_kernel)
	je	1f
	mov	%r8d, %eax
	and	$3, %eax
	cmp	$3, %eax			/* a write, but read-only */
	je	common_saved
	and	$~4, %r8d
	and	$~3, %r10d
	mov	REGS(rsp), %rdi
	jmp	2f
1:	or	$4, %r8d
	mov	VCPU(kernel_sp), %rdi
2:	and	$~15, %rdi
	lea	-64(%rdi), %rsi
	NOT_HYP_OR common_saved, %rsi
	mov	VCPU(stack_top), %rax
	cmpl	$0, CPU_FROM(%rax, work)
	jne	common_saved
	mov	%rax, %rsp
	mov	%rdx, 16(%r9)			/* vcpu_info.arch.cr2 */
	mov	%rdx, VCPU(cr2)
	cmpb	$0, VCPU(in_kernel)
	jne	3f
	SWITCH_MODE 1, VCPU(cr3_kernel), %rax
3:	mov	REGS(rflags), %r11
	cmpb	$0, 1(%r9)
	je	4f
	btr	$9, %r11			/* IF shows the mask */
	bts	$32, %r10
4:	GUEST	stac
	mov	REGS(rcx), %rax
	MOV_OR	frame_fault, %rax, -64(%rdi)
	mov	REGS(r11), %rax
	MOV_OR	frame_fault, %rax, -56(%rdi)
	MOV_OR	frame_fault, %r8, -48(%rdi)
	jmp	bounce_rest

/* --- iret() -- */
/*
 * The guest kernel resumes what a bounce interrupted.  Frame at the guest's
 * rsp: rax r11 rcx flags rip cs rflags rsp ss.  RPL 3 in cs means user mode.
 * Events are enabled again if rflags says so, and whoever waits for that is
 * served at once.
 * In: rbx = current's regs, rsp = top of the CPU's stack
 */
hypercall_iret:
	mov	REGS(rsp), %rdi
	NOT_HYP_OR frame_fault, %rdi
	GUEST	stac
	.set	offset, 0
	.irp	reg, rax, r11, rcx, r9, rdx, rsi, r8, r10, rdi
	MOV_OR	frame_fault, offset(%rdi), %\reg
	.set	offset, offset + 8
	.endr
	GUEST	clac
	movzwl	%si, %esi
	lea	1(%rsi), %ebp
	test	$3, %ebp		/* RPL 3? */
	jnz	1f
	cmpq	$0, VCPU(cr3_user)
	je	frame_fault
	SWITCH_MODE 0, VCPU(cr3_user), %rbp
1:	mov	%rax, REGS(rax)
	mov	%r11, REGS(r11)
	mov	%rcx, REGS(rcx)
	mov	%rdx, REGS(rip)
	mov	%r10, REGS(rsp)
	or	$3, %esi
	mov	%rsi, REGS(cs)
	movzwl	%di, %edi
	or	$3, %edi
	mov	%rdi, REGS(ss)
	mov	%r8d, %eax
	and	$~FLAGS_NEVER, %eax
	or	$FLAG_IF, %eax
	mov	%rax, REGS(rflags)
	test	$FLAG_IF, %r8d
	mov	VCPU(vcpu_info), %rcx
	setz	1(%rcx)
	cmpb	$0, VCPU(nmi_masked)
	jne	iret_ends_nmi
	WORK_OR	exit_to_guest
	test	$IRET_IN_SYSCALL, %r9d	/* rcx and r11 need not survive */
	jz	restore_by_iret
	cmp	$SEL_RING3_CS32, %esi
	jne	restore_by_sysret
	jmp	restore_by_iret

iret_ends_nmi:
	movb	$0, VCPU(nmi_masked)
	jmp	exit_to_guest

	.section .note.GNU-stack, "", @progbits
