/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the boot loader to C.
 *
 * The loader enters at start32 in 32-bit protected mode, paging off, flat
 * segments, with a magic number in eax and a pointer to its information in
 * ebx, by multiboot 1 or 2.  The image lies at IMAGE_PHYS and does not move.
 *
 * The first page tables, in the part of the image that boot frees:
 *
 *   slot 0    identity, low 4 GiB (2 MiB pages): the code that switches
 *             paging on runs there
 *   slot 261  the image (32 MiB, writable and executable) and CPU 0's block,
 *             still without its guard pages
 *   slot 262  the direct map of the same low 4 GiB
 *
 * xenmap_init() replaces them.  Other CPUs pass through them once more, so
 * they live until all CPUs run.
 *
 * Nothing here is reachable by a guest.
 */
#include <layout.h>

#define PA(x)		((x) - IMAGE_BASE)

#define MB1_MAGIC	0x1badb002
#define MB1_FLAGS	0x00010003	/* page-aligned modules, memory, addresses */
#define MB2_MAGIC	0xe85250d6

#define PTE_TABLE	0x63		/* P RW A D */
#define PTE_LARGE	0xe3		/* and PS */

	.section .text.head, "ax"
	.balign	8
mb1_header:
	.long	MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	.long	PA(mb1_header), PA(_text_start), PA(_load_end)
	.long	PA(_image_end), PA(start32)

	.balign	8
mb2_header:
	.long	MB2_MAGIC, 0, mb2_end - mb2_header
	.long	-(MB2_MAGIC + 0 + (mb2_end - mb2_header))
	/* Optional tags: type and 1 << 16, size; padded to eight bytes. */
	.long	0x10006, 8		/* modules on page boundaries */
	.long	0x10004, 12, 2, 0	/* text screen works for us */
	.long	0x10005, 20, 0, 0, 0, 0	/* a framebuffer works for Dom0 */
	.long	0, 8
mb2_end:

	/* CPU 0's per-CPU block; aligned to its size only where it is mapped. */
	.section .bss.page_aligned, "aw", @nobits
	.balign	4096
	.globl	cpu0_block
cpu0_block:	.skip	PERCPU_SIZE

	/* The first page tables: entries' places say which page each maps. */
	.section .init.data, "aw"
	.balign	4096
boot_l4:
	.quad	PA(boot_l3_low) + PTE_TABLE
	.fill	260, 8, 0
	.quad	PA(boot_l3_image) + PTE_TABLE, PA(boot_l3_low) + PTE_TABLE
	.balign	4096
boot_l3_low:
	.irp	page, 0, 1, 2, 3
	.quad	PA(boot_l2_low) + \page * 4096 + PTE_TABLE
	.endr
	.balign	4096
boot_l3_image:
	.quad	PA(boot_l2_low) + 16384 + PTE_TABLE
	.balign	4096
boot_l2_low:				/* four pages, the image's behind */
	.rept	2048 + 16
	.quad	(((. - boot_l2_low) & 16383) << 18) + PTE_LARGE
	.endr
	.fill	((PERCPU_BASE - IMAGE_BASE) >> 21) - 16, 8, 0
	.quad	PA(boot_l1_percpu) + PTE_TABLE
	.balign	4096
boot_l1_percpu:
	.rept	16
	.quad	PA(cpu0_block) + ((. - boot_l1_percpu) << 9) + PTE_TABLE
	.endr
	.balign	4096

	/*
	 * Ours, at the selectors that they have for good, and 32-bit code: the
	 * table register points 0xe000 below them.
	 */
	.balign	16
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_HYP_CS */
	.quad	0x00cf93000000ffff	/* SEL_HYP_DS */
	.quad	0x00cf9b000000ffff	/* SEL_BOOT_CS */
boot_gdt_end:
#define GDT_SKIP	(GDT_RESERVED_PAGE * 4096)
	/* IMAGE_BASE has no low half: in 32-bit mode this is physical. */
boot_gdtr:
	.word	GDT_SKIP + (boot_gdt_end - boot_gdt) - 1
	.quad	boot_gdt - GDT_SKIP

	/* Where the processor that comes next goes: smpboot.c for the others. */
	.globl	next_cpu
next_cpu:
	.quad	PA(boot_l4)			/* cr3 */
	.quad	PERCPU_BASE + PERCPU_STACK_TOP
	.quad	start_xen

	.section .init.text, "ax"
	.code32
/*
 * [boot 10] The loader jumps here: 32-bit, paging off.  Nothing is trusted
 * yet but the two registers.  A processor without long mode or no-execute
 * resets at the write to EFER: no machine with virtual machines to run is one.
 *
 * In: eax magic, ebx information.  Out: nowhere.
 */
	.globl	start32
start32:
	cli
	cld
	mov	%eax, %edi			/* the two arguments */
	mov	%ebx, %esi
	lgdt	PA(boot_gdtr)

/*
 * [boot 20] Paging and long mode on, with the first tables.  From here on
 * addresses are virtual; interrupts stay off.  All processors come by.
 */
start_paging:
	mov	$0x20, %eax			/* CR4.PAE */
	mov	%eax, %cr4
	mov	$PA(boot_l4), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx		/* EFER: LME, NX */
	mov	$0x900, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x80050033, %eax		/* PG AM WP NE ET MP PE */
	mov	%eax, %cr0
	ljmp	$SEL_HYP_CS, $PA(start64)

	.code64
start64:
	movabs	$1f, %rax
	jmp	*%rax
1:	lgdt	boot_gdtr(%rip)
	mov	$SEL_HYP_DS, %eax
	mov	%eax, %ss
	mov	next_cpu(%rip), %rax
	mov	%rax, %cr3
	mov	next_cpu + 8(%rip), %rsp
	mov	%esi, %esi
	call	*next_cpu + 16(%rip)
	ud2

/*
 * Where the other processors start: real mode, at a page below 1 MiB that
 * smpboot.c fills with the code between trampoline_start and trampoline_end.
 * It goes to 32-bit mode as a reset left it, interrupts off, and takes the
 * boot processor's way from there.  One at a time: next_cpu is that one's.
 */
#define HERE(x)		((x) - trampoline_start)
	.section .init.data, "aw"
	.balign	16
	.globl	trampoline_start, trampoline_end
	.code16
trampoline_start:
	lgdtl	%cs:HERE(trampoline_gdtr)
	mov	$0x33, %eax			/* NE ET MP PE */
	mov	%eax, %cr0
	ljmpl	$SEL_BOOT_CS, $PA(start_paging)

trampoline_gdtr:
	/* The boot GDT: its descriptors have their usual selectors. */
	.word	SEL_BOOT_CS + 7
	.long	PA(boot_gdt) - GDT_RESERVED_PAGE * 4096
trampoline_end:

	.section .note.GNU-stack, "", @progbits
