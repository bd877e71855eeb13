/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual memory layout.
 *
 * The ABI gives the hypervisor L4 slots 256 to 271, 512 GiB each; all else
 * belongs to the guest.  Slots 256, 261 and 262.. hold the same L3 pages in
 * every address space; slot 260 differs per domain.
 *
 *  slot 256  ffff800000000000  machine-to-phys table, as guests read it
 *  slot 257  ffff808000000000  the same table, writable, for ring 0 only
 *  slot 260  ffff820000000000  per-domain: each vCPU's GDT and LDT
 *  slot 261  ffff828000000000  the hypervisor image, per-CPU blocks, fixmap
 *            ffff82a000000000  frame table (sparse: mapped where RAM is)
 *  slot 262  ffff830000000000  all physical memory (the direct map), 5 TiB
 *  slot 272  ffff880000000000  end: guest again
 */
#pragma once

#define HYP_VIRT_START		0xffff800000000000
#define HYP_VIRT_END		0xffff880000000000
#define HYP_FIRST_SLOT		256
#define HYP_END_SLOT		272

#define M2P_RO_BASE		0xffff800000000000
#define M2P_RW_BASE		0xffff808000000000

#define PERDOMAIN_BASE		0xffff820000000000
#define PERDOMAIN_SLOT		260
/* Each vCPU has 16 pages of GDT, then 16 pages of LDT. */
#define VCPU_DESCR_SHIFT	17
#define GDT_VA(vcpu_id)	(PERDOMAIN_BASE + ((u64)(vcpu_id) << VCPU_DESCR_SHIFT))
#define LDT_VA(vcpu_id)	(GDT_VA(vcpu_id) + 0x10000)

#define IMAGE_BASE		0xffff828000000000
/* Where the image lies in physical memory, and so its offset from IMAGE_BASE. */
#define IMAGE_PHYS		0x200000
/*
 * Per-CPU blocks, 64 KiB each, within reach of a 32-bit jump from the image:
 *   page 0       system-call stub, read-execute
 *   page 1-2     struct cpu, read-write
 *   page 4       #DF stack      (pages 3 5 7 9 11 are never mapped)
 *   page 6       NMI stack
 *   page 8       #MC stack
 *   page 10      #DB stack
 *   page 12-15   the CPU's own stack
 */
#define PERCPU_BASE		0xffff828020000000
#define PERCPU_SHIFT		16
#define PERCPU_SIZE		0x10000
#define SYSCALL32_STUB_OFF	0x40	/* CSTAR's entry in page 0 */
#define PERCPU_PAGES		0xf557	/* those that exist */
#define PERCPU_CPU_OFF		0x1000
#define PERCPU_IST_TOP(n)	(0x3000 + (n) * 0x2000)	/* IST_DF and so on */
#define PERCPU_STACK_TOP	0x10000

/* Device registers and ACPI tables: map_io() hands out addresses here. */
#define IOMAP_BASE		0xffff828040000000
#define IOMAP_END		0xffff828080000000

#define FRAMETABLE_BASE		0xffff82a000000000
#define DIRECTMAP_BASE		0xffff830000000000

/*
 * Selectors.  The guest's own GDT takes pages 0 to 13; page 14 is ours, one
 * and the same frame in every vCPU's GDT (public ABI: arch-x86/xen-x86_64.h).
 */
#define GDT_RESERVED_PAGE	14
#define SEL_HYP_CS		0xe008
#define SEL_HYP_DS		0xe010
#define SEL_BOOT_CS		0xe018	/* 32-bit, in the first GDT only */
#define SEL_RING3_CS32		0xe023
#define SEL_RING3_SS		0xe02b
#define SEL_RING3_CS64		0xe033
#define SEL_TSS			0xe040	/* 16 bytes, in the CPU's own GDT only */
#define SEL_LDT			0xe050	/* 16 bytes, in the CPU's own GDT only */
