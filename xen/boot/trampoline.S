/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the other processors start: real mode, at a page below 1 MiB that
 * smpboot.c fills with the code between trampoline_start and trampoline_end.
 * It goes to long mode in one step, through the boot CPU's first page tables
 * (they map this page one to one), and leaves for head.S.
 *
 * One processor at a time: next_cpu is that one's.
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
	lgdtl	HERE(trampoline_gdtr)
	mov	$0x20, %eax			/* CR4.PAE */
	mov	%eax, %cr4
	mov	$PA(boot_l4), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx		/* EFER: LME, NX */
	mov	$0x900, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x80010033, %eax		/* PG WP NE ET MP PE */
	mov	%eax, %cr0
	ljmpl	$SEL_HYP_CS, $PA(start64)

	.balign	4
	.word	0
trampoline_gdtr:
	/* The boot GDT: two descriptors at their usual selectors. */
	.word	SEL_HYP_DS + 7
	.long	PA(boot_gdt) - GDT_RESERVED_PAGE * 4096
trampoline_end:

	.section .note.GNU-stack, "", @progbits
