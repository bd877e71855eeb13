/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The processor: control registers, MSRs, atomic operations.  Numbers from
 * the Intel SDM volumes 3 and 4 and the AMD APM volume 2.
 */
#pragma once

#include <types.h>
#include <compiler.h>

#define X86_CR0_TS	(1UL << 3)
#define X86_CR0_WP	(1UL << 16)

#define X86_CR4_TSD	(1UL << 2)
#define X86_CR4_DE	(1UL << 3)
#define X86_CR4_PAE	(1UL << 5)
#define X86_CR4_MCE	(1UL << 6)
#define X86_CR4_PGE	(1UL << 7)
#define X86_CR4_OSFXSR	(1UL << 9)
#define X86_CR4_OSXMMEXCPT (1UL << 10)
#define X86_CR4_UMIP	(1UL << 11)
#define X86_CR4_PCIDE	(1UL << 17)
#define X86_CR4_OSXSAVE	(1UL << 18)
#define X86_CR4_SMEP	(1UL << 20)
#define X86_CR4_SMAP	(1UL << 21)

#define X86_EFLAGS_CF	(1UL << 0)
#define X86_EFLAGS_MBS	(1UL << 1)
#define X86_EFLAGS_TF	(1UL << 8)
#define X86_EFLAGS_IF	(1UL << 9)
#define X86_EFLAGS_DF	(1UL << 10)
#define X86_EFLAGS_IOPL	(3UL << 12)
#define X86_EFLAGS_NT	(1UL << 14)
#define X86_EFLAGS_RF	(1UL << 16)
#define X86_EFLAGS_VM	(1UL << 17)
#define X86_EFLAGS_AC	(1UL << 18)
#define X86_EFLAGS_VIF	(1UL << 19)
#define X86_EFLAGS_VIP	(1UL << 20)
#define X86_EFLAGS_ID	(1UL << 21)

/* Exception vectors. */
enum {
	X86_EXC_DB = 1, X86_EXC_NMI, X86_EXC_BP, X86_EXC_OF, X86_EXC_UD = 6,
	X86_EXC_NM, X86_EXC_DF, X86_EXC_TS = 10, X86_EXC_GP = 13, X86_EXC_PF,
	X86_EXC_MC = 18,
};

enum { PFEC_P = 1, PFEC_W = 2, PFEC_U = 4, PFEC_RSVD = 8, PFEC_I = 16 };

enum {
	MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b,
	MSR_SPEC_CTRL = 0x48, MSR_PRED_CMD, MSR_UCODE_REV = 0x8b,
	MSR_ARCH_CAPABILITIES = 0x10a, MSR_SYSENTER_CS = 0x174,
	MSR_MCG_CAP = 0x179, MSR_MISC_ENABLE = 0x1a0, MSR_PAT = 0x277,
	MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC_BASE = 0x800,
	MSR_EFER = 0xc0000080, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
	MSR_FS_BASE = 0xc0000100, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
};

#define EFER_SCE	(1UL << 0)
#define EFER_LME	(1UL << 8)
#define EFER_LMA	(1UL << 10)
#define EFER_NX		(1UL << 11)

/* What we load into MSR_PAT: WB WT UC- UC WC WP UC UC (the ABI's layout). */
#define XEN_PAT		0x050100070406UL

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 val)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((u32)val),
			 "d"((u32)(val >> 32)) : "memory");
}

static inline void cpuid_count(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d)
			 : "0"(leaf), "2"(sub));
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

#define DEFINE_CR(n) \
static inline u64 read_cr##n(void) \
{ u64 v; __asm__ volatile("mov %%cr" #n ",%0" : "=r"(v) :: "memory"); \
  return v; } \
static inline void write_cr##n(u64 v) \
{ __asm__ volatile("mov %0,%%cr" #n :: "r"(v) : "memory"); }
DEFINE_CR(0) DEFINE_CR(2) DEFINE_CR(3) DEFINE_CR(4)

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
}

#define clflush(p)	__asm__ volatile("clflush (%0)" :: "r"(p) : "memory")

#define DEFINE_IO(sfx, type) \
static inline type in##sfx(u16 port) \
{ type v; __asm__ volatile("in" #sfx " %1,%0" : "=a"(v) : "Nd"(port)); \
  return v; } \
static inline void out##sfx(u16 port, type v) \
{ __asm__ volatile("out" #sfx " %0,%1" :: "a"(v), "Nd"(port)); }
DEFINE_IO(b, u8) DEFINE_IO(w, u16) DEFINE_IO(l, u32)

#define wbinvd()	__asm__ volatile("wbinvd" ::: "memory")
#define cpu_relax()	__asm__ volatile("pause" ::: "memory")

/* Atomic operations: full barriers unless said otherwise. */
#define cmpxchg(p, old, new)	__sync_val_compare_and_swap((p), (old), (new))
/* *p becomes new if it still is *old; otherwise *old is what it is now. */
#define try_cmpxchg(p, old, new) \
	__atomic_compare_exchange_n((p), (old), (new), false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define xchg(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_add(p, v)	__sync_add_and_fetch((p), (v))
#define atomic_sub(p, v)	__sync_sub_and_fetch((p), (v))
#define atomic_or(p, v)		__sync_fetch_and_or((p), (v))
#define atomic_and(p, v)	__sync_fetch_and_and((p), (v))
#define smp_mb()		__sync_synchronize()
#define smp_wmb()		barrier()
#define load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Bit operations on arrays of u64; atomic where the name says so. */
static inline bool test_bit(u64 nr, const volatile void *addr)
{
	return ((const volatile u8 *)addr)[nr >> 3] >> (nr & 7) & 1;
}

/* One instruction, so a guest that writes the same word cannot make us retry. */
#define DEFINE_TEST_AND(name, insn) \
static inline bool atomic_test_and_##name##_bit(u64 nr, volatile void *addr) \
{ bool old; \
  __asm__ volatile("lock " insn " %2,%1" : "=@ccc"(old), \
		   "+m"(*(volatile u64 *)addr) : "r"(nr) : "memory"); \
  return old; }
DEFINE_TEST_AND(set, "btsq") DEFINE_TEST_AND(clear, "btrq")

#define ffs64(x)	((unsigned int)__builtin_ctzll(x))	/* x != 0 */
#define fls64(x)	(63U - (unsigned int)__builtin_clzll(x)) /* x != 0 */
