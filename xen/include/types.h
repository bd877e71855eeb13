/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Basic types.
 *
 * A machine frame number and a guest's pseudo-physical frame number are both
 * small integers, and mixing them up is the classic hypervisor bug.  mfn_t is
 * therefore a one-field struct: passing a pfn (a plain u64) for it does not
 * compile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 paddr_t;		/* machine physical address, bytes */
typedef u16 domid_t;

typedef struct {
	u64 m;
} mfn_t;

#define MFN(n)		((mfn_t){ .m = (n) })
#define INVALID_MFN	MFN(~0UL)

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))

/* One bit per physical CPU (NR_CPUS) or per vCPU of a domain (MAX_VCPUS). */
typedef u64 cpumask_t;
#define NR_CPUS		64
#define MAX_VCPUS	64
