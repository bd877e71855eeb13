/* SPDX-License-Identifier: MIT */
/*
 * Page tables of a guest: mmu_update, mmuext_op, update_va_mapping, set_gdt
 * and update_descriptor.
 *
 * A guest's page tables hold machine addresses.  It may read the tables that
 * are in use but not write them: every change is asked for here, or made by
 * a store to a read-only mapped L1 that the hypervisor emulates.
 */
#ifndef ABI_MMU_H
#define ABI_MMU_H

#include <stdint.h>

/*
 * mmu_update(requests, count, success_count, foreigndom): a batch.
 * The number of requests done is written through success_count if not NULL.
 * foreigndom: bits 15:0 the domain that owns the frames to be mapped
 * (DOMID_SELF, DOMID_IO for device memory, DOMID_XEN); bits 31:16 the owner
 * of the page tables plus one, 0 for the caller.
 */
struct mmu_update {
	uint64_t ptr;	/* guest: machine address of the entry; 1:0 MMU_* */
	uint64_t val;	/* guest: the new content */
};

/* The low two bits of mmu_update.ptr. */
#define MMU_NORMAL_PT_UPDATE		0 /* *ptr = val, checked */
#define MMU_MACHPHYS_UPDATE		1 /* M2P[ptr >> 12] = val */
#define MMU_PT_UPDATE_PRESERVE_AD	2 /* as 0, keeps Accessed and Dirty */
#define MMU_PT_UPDATE_NO_TRANSLATE	3 /* as 0 for PV guests */

/* mmuext_op(ops, count, success_count, foreigndom): a batch. */
struct mmuext_op {
	uint32_t cmd;			/* guest: MMUEXT_* */
	union {				/* guest */
		uint64_t mfn;		/* (UN)PIN, NEW_*BASEPTR, CLEAR, COPY */
		uint64_t linear_addr;	/* INVLPG_*, SET_LDT */
	} arg1;
	union {				/* guest */
		uint32_t nr_ents;	/* SET_LDT: descriptors */
		uint64_t vcpumask;	/* *_MULTI: guest pointer to a bitmap */
		uint64_t src_mfn;	/* COPY_PAGE */
	} arg2;
};

/* The frame belongs to foreigndom, and becomes a page table for good. */
#define MMUEXT_PIN_L1_TABLE		0
#define MMUEXT_PIN_L2_TABLE		1
#define MMUEXT_PIN_L3_TABLE		2
#define MMUEXT_PIN_L4_TABLE		3
#define MMUEXT_UNPIN_TABLE		4
/* The caller's address space in kernel mode; implies a local flush. */
#define MMUEXT_NEW_BASEPTR		5
/* This CPU; the CPUs of the vCPUs in vcpumask; all that ran the domain. */
#define MMUEXT_TLB_FLUSH_LOCAL		6
#define MMUEXT_INVLPG_LOCAL		7
#define MMUEXT_TLB_FLUSH_MULTI		8
#define MMUEXT_INVLPG_MULTI		9
#define MMUEXT_TLB_FLUSH_ALL		10
#define MMUEXT_INVLPG_ALL		11
/* Write back and invalidate; only for domains that touch hardware. */
#define MMUEXT_FLUSH_CACHE		12
/* linear_addr page-aligned, nr_ents <= 8192; 0 entries: none. */
#define MMUEXT_SET_LDT			13
/* The caller's address space in user mode; 0 = none. */
#define MMUEXT_NEW_USER_BASEPTR		15
#define MMUEXT_CLEAR_PAGE		16
#define MMUEXT_COPY_PAGE		17
#define MMUEXT_FLUSH_CACHE_GLOBAL	18
/* Superpages: never available here, -EOPNOTSUPP. */
#define MMUEXT_MARK_SUPER		19
#define MMUEXT_UNMARK_SUPER		20

/*
 * update_va_mapping(va, val, flags): the L1 entry that maps va in the
 * caller's current address space.  flags: one kind of flush, and whose TLB:
 * this CPU's, all, or (UVMF_MULTI) a guest pointer to a vCPU bitmap, whose
 * three low bits are zero.
 */
#define UVMF_NONE		(0UL << 0)
#define UVMF_TLB_FLUSH		(1UL << 0)
#define UVMF_INVLPG		(2UL << 0)
#define UVMF_FLUSHTYPE_MASK	(3UL << 0)
#define UVMF_MULTI		(0UL << 2)
#define UVMF_LOCAL		(0UL << 2)
#define UVMF_ALL		(1UL << 2)

#endif
