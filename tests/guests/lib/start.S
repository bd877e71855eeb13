/* SPDX-License-Identifier: GPL-2.0 */
/* The entry point of a micro-guest, its Xen notes and its trap stubs. */
	.macro xennote type, kind, value:vararg
	.pushsection .note.Xen, "a", @note
	.balign 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\kind \value
2:	.balign 4
	.popsection
	.endm

	xennote 1, .quad, _start
	xennote 3, .quad, 0xffffffff80000000	/* VIRT_BASE */
	xennote 4, .quad, 0			/* PADDR_OFFSET */
	xennote 5, .asciz, "xen-3.0"
	xennote 6, .asciz, "micro"
	xennote 8, .asciz, "generic"
	xennote 9, .asciz, "yes"
	xennote 15, .quad, 0x8000000000		/* INIT_P2M */
	xennote 16, .long, 1			/* MOD_START_PFN */
	xennote 17, .long, 0x8801		/* SUPPORTED_FEATURES: dom0 */

	.text
	.globl _start
_start:
	.set i, 0
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rsp
	mov	%\r, initial_regs + 8 * i
	.set i, i + 1
	.endr
	lea	boot_stack_top(%rip), %rsp
	pushf
	pop	initial_regs + 128
	.set i, 17
	.irp s, cs, ss, ds, es, fs, gs
	mov	%\s, initial_regs + 8 * i
	.set i, i + 1
	.endr
	cld
	lea	boot_stack_top(%rip), %rsp
	mov	%rsi, %rdi
	call	guest_start
	ud2

/*
 * Trap stubs.  The hypervisor has pushed ss rsp rflags cs rip [error] r11
 * rcx; we bring all vectors to one shape: error code 0 where there is none.
 */
	.macro stub vec, err
	.globl trap_stub_\vec
trap_stub_\vec:
	pop	%rcx
	pop	%r11
	.if !\err
	push	$0
	.endif
	push	$\vec
	jmp	trap_common
	.endm
	.set i, 0
	.rept 32
	.if i == 8 || i == 10 || i == 11 || i == 12 || i == 13 || i == 14 || i == 17
	.altmacro
	stub %i, 1
	.else
	.altmacro
	stub %i, 0
	.endif
	.noaltmacro
	.set i, i + 1
	.endr

	.globl event_stub, syscall_stub, failsafe_stub
event_stub:
	pop	%rcx
	pop	%r11
	push	$0
	push	$256
	jmp	trap_common
syscall_stub:
	pop	%rcx
	pop	%r11
	push	$0
	push	$257
	jmp	trap_common
/* Failsafe: rcx r11 ds es fs gs, then the frame. */
failsafe_stub:
	pop	%rcx
	pop	%r11
	add	$32, %rsp
	push	$0
	push	$258
trap_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	call	guest_trap
	.globl trap_return
trap_return:
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	/* iret's frame: rax r11 rcx flags, then rip cs rflags rsp ss */
	push	$0
	push	%rcx
	push	%r11
	push	%rax
	mov	$23, %eax
	syscall
	ud2

	.section .rodata
	.globl trap_stubs
trap_stubs:
	.set i, 0
	.rept 32
	.altmacro
	.macro addr n
	.quad trap_stub_\n
	.endm
	addr %i
	.purgem addr
	.noaltmacro
	.set i, i + 1
	.endr

	.bss
	.balign 4096
	.globl initial_regs
initial_regs:
	.skip 4096
	.skip 16384
boot_stack_top:
	.skip 4096

	.section .note.GNU-stack, "", @progbits
