/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the other processors start: real mode, at a page below 1 MiB that
 * smpboot.c fills with the code between trampoline_start and trampoline_end.
 * It goes to 32-bit mode as a reset left it, interrupts off, and takes head.S's
 * way from there.
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
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	HERE(trampoline_gdtr)
	mov	$0x33, %eax			/* NE ET MP PE */
	mov	%eax, %cr0
	ljmpl	$SEL_BOOT_CS, $PA(start_paging)

	.balign	4
	.word	0
trampoline_gdtr:
	/* The boot GDT: its descriptors have their usual selectors. */
	.word	SEL_BOOT_CS + 7
	.long	PA(boot_gdt) - GDT_RESERVED_PAGE * 4096
trampoline_end:

	.section .note.GNU-stack, "", @progbits
