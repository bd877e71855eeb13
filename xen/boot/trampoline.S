/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the other processors start: real mode, at a page below 1 MiB that
 * smpboot.c fills with the code between trampoline_start and trampoline_end.
 * It goes to long mode in one step, through the boot CPU's first page tables
 * (they map this page one to one), and leaves for the image.
 *
 * One processor at a time: secondary_stack is that one's.
 */
#include <layout.h>

#define PA(x)		((x) - IMAGE_BASE)
#define HERE(x)		((x) - trampoline_start)

	.section .init.data, "aw"
	.balign	16
	.globl	trampoline_start, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	movzwl	%ax, %ebx
	shl	$4, %ebx			/* linear address of this page */
	lea	HERE(trampoline64)(%ebx), %eax
	mov	%eax, HERE(trampoline_jump)
	lgdtl	HERE(trampoline_gdtr)
	mov	$0x20, %eax			/* CR4.PAE */
	mov	%eax, %cr4
	mov	HERE(trampoline_cr3), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx		/* EFER: LME, NX */
	mov	$0x900, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x80010033, %eax		/* PG WP NE ET MP PE */
	mov	%eax, %cr0
	ljmpl	*HERE(trampoline_jump)

	.code64
trampoline64:
	movabs	$secondary_start, %rax
	jmp	*%rax

	.balign	4
trampoline_jump:
	.long	0, SEL_HYP_CS
trampoline_cr3:
	.long	PA(boot_l4)
	.word	0
trampoline_gdtr:
	/* The boot GDT: two descriptors at their usual selectors. */
	.word	SEL_HYP_DS + 7
	.long	PA(boot_gdt) - GDT_RESERVED_PAGE * 4096
trampoline_end:

	.globl	secondary_stack
	.balign	8
secondary_stack:
	.quad	0

	.section .init.text, "ax"
	.code64
secondary_start:
	lgdt	boot_gdtr(%rip)
	mov	$PA(idle_l4), %eax
	mov	%rax, %cr3
	mov	secondary_stack(%rip), %rsp
	mov	$SEL_HYP_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	xor	%ebp, %ebp
	call	start_secondary
	ud2

	.section .note.GNU-stack, "", @progbits
