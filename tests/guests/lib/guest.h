/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a micro-guest has: hypercalls, a console, page tables, traps.  A guest
 * is one C file with `void guest_main(void)`; it states its claim with
 * CHECK() and ends by returning.  It runs as the first domain, on our
 * hypervisor or on Debian's Xen.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hypercall-abi/errno.h>
#include <hypercall-abi/xen.h>
#include <hypercall-abi/callback.h>
#include <hypercall-abi/event_channel.h>
#include <hypercall-abi/grant_table.h>
#include <hypercall-abi/memory.h>
#include <hypercall-abi/mmu.h>
#include <hypercall-abi/sched.h>
#include <hypercall-abi/sysctl.h>
#include <hypercall-abi/vcpu.h>
#include <hypercall-abi/version.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef int64_t s64;

#define PAGE_SIZE	4096UL
#define VIRT_BASE	0xffffffff80000000UL
#define __page		__attribute__((aligned(4096)))
#define PTE_P		1UL
#define PTE_RW		2UL
#define PTE_US		4UL
#define PTE_A		0x20UL
#define PTE_D		0x40UL
#define PTE_FLAGS	(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_TABLE	(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_ADDR	0x000ffffffffff000UL

struct guest_frame {	/* as trap_common leaves it */
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx;
	u64 rax, vector, error, rip, cs, rflags, rsp, ss;
};

static inline long hypercall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret), "+D"(a), "+S"(b), "+d"(c),
			 "+r"(r10), "+r"(r8)
			 : "0"(nr) : "rcx", "r11", "memory");
	return ret;
}
#define HC(name, a, b, c, d) hypercall(__HYPERVISOR_##name, (u64)(a), \
				       (u64)(b), (u64)(c), (u64)(d), 0)

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return (u64)hi << 32 | lo;
}

extern struct start_info *start_info;
extern u8 shared_info_page_[4096];
extern struct shared_info *shared_info;	/* mapped before guest_main() */
extern u64 *p2m;
/* rax rbx rcx rdx rsi rdi rbp r8-r15 rsp rflags cs ss ds es fs gs at entry. */
extern u64 initial_regs[23];
extern u8 initial_mask;			/* evtchn_upcall_mask at entry */
#define VCPU0 (&shared_info->vcpu_info[0])

void guest_main(void);
extern const char guest_name[];		/* from the build */

void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
/* Counts and prints a broken claim. */
void check_failed(const char *file, int line, const char *text, long value);
#define CHECK(c) do { long c_ = (long)(c); if (!c_) \
	check_failed(__FILE__, __LINE__, #c, c_); } while (0)
#define CHECK_EQ(a, b) do { long a_ = (long)(a); if (a_ != (long)(b)) \
	check_failed(__FILE__, __LINE__, #a " == " #b, a_); } while (0)
void guest_end(void) __attribute__((noreturn));

static inline u64 va_to_pfn(const void *p)
{
	return ((u64)p - VIRT_BASE) >> 12;
}

static inline u64 va_to_mfn(const void *p)
{
	return p2m[va_to_pfn(p)];
}

/* A page of RAM beyond the image, mapped writable; panics when used up. */
void *page_alloc(void);
#define PAGE_POOL	256
extern u8 page_pool[PAGE_POOL][4096];
/* Where in the initial page tables the L1 entry of va lies: machine address. */
u64 pte_machine_address(const void *va);
u64 pte_read(const void *va);
int map_va(const void *va, u64 pte);	/* update_va_mapping, flushes */
static inline int make_readonly(const void *va)
{
	return map_va(va, va_to_mfn(va) << 12 | PTE_P | PTE_US | PTE_A);
}
static inline int make_writable(const void *va)
{
	return map_va(va, va_to_mfn(va) << 12 | PTE_FLAGS);
}
int mmuext(u32 cmd, u64 arg1, u64 arg2);	/* one mmuext_op on self */
int pte_write(u64 machine_address, u64 value);	/* one mmu_update */

/* Handlers: called by trap_common; set by tests, NULL = fatal. */
typedef void (*trap_fn)(struct guest_frame *);
extern trap_fn trap_handler[32];
extern trap_fn event_handler, syscall_handler, failsafe_handler;
void traps_init(void);	/* set_trap_table and callbacks; called for you */

/*
 * TRY("instructions") in an asm statement: a trap in them that has no handler
 * is caught, and execution goes on behind them.  trapped() then returns its
 * vector, NO_TRAP if there was none; more about it is in `caught`.
 */
#define NO_TRAP	999
#define TRY(text) "movq $777f, catch_rip\n\t" text \
	"\n777:\tmovq $0, catch_rip\n\t"
extern struct guest_frame caught;
extern u64 caught_cr2, catch_rip;
u64 trapped(void);

/*
 * User mode: an address space of its own in which `page` of code is at
 * USER_CODE and a stack below USER_STACK.
 */
#define USER_CODE	0x400000UL
#define USER_STACK	0x402000UL
int user_space_create(const void *code_page);	/* 0 or error */
u64 *user_l1(void);
extern u64 user_l4_mfn;
/* Enters user mode at USER_CODE; a user `syscall` goes to syscall_handler. */
void user_enter(u64 rip, u64 rsp, u64 rdi) __attribute__((noreturn));
/*
 * Runs user mode until a system call or trap that has no handler: the frame
 * of that.  A handler may end it as well, by user_leave().
 */
struct guest_frame *user_run(u64 rip, u64 rdi);
void user_leave(struct guest_frame *f) __attribute__((noreturn));

/* Events and time. */
#define EVTCHN(cmd, arg) HC(event_channel_op, EVTCHNOP_##cmd, arg, 0, 0)
u32 bind_ipi(u32 vcpu);		/* port; masked */
u32 bind_virq(u32 virq, u32 vcpu);
bool port_pending(u32 port);
void port_clear(u32 port);
void port_mask(u32 port, bool masked);
long port_send(u32 port);
u64 now_ns(void);		/* system time by vCPU 0's page */
void spin_ns(u64 ns);
int timer_set(u64 when_ns);	/* VIRQ_TIMER of vCPU 0 */
int timer_stop_periodic(void);

/* Starts vCPU n (1 to 3) at fn in our address space, with our handlers. */
int vcpu_start(u32 n, void (*fn)(void));
void vcpu_context(struct vcpu_guest_context *ctx, u32 n, void (*fn)(void));
static inline void relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}
/*
 * A machine under a hypervisor of its own may stand still for seconds, at any
 * instruction, one CPU alone as well.  What must come is waited for, PATIENCE
 * long; what must be quick is tried up to TRIES times, and quick once.
 */
#define MS		1000000UL
#define PATIENCE	(30000 * MS)
#define TRIES		10
/* Waits for *flag to become value; false = it did not. */
bool wait_for(volatile u32 *flag, u32 value);

/*
 * A second, unprivileged domain: a copy of the image that starts in fn, with
 * one vCPU, paused.  lib/domu.c.
 */
#define DOMU_PAGES	0x280
struct domu {
	domid_t id;
	u64 shared_info, l4;	/* frames */
};
struct xen_domctl;
extern u64 domu_mfn[DOMU_PAGES];	/* frames by pfn, of the last made */
int domu_create(struct domu *d, void (*fn)(void));
int domu_unpause(struct domu *d);
u32 domu_flags(struct domu *d);		/* XEN_DOMINF_*, ~0 = not there */
int domu_wait(struct domu *d, u64 ns);	/* SHUTDOWN_*, -1 = still runs */
bool domu_gone(struct domu *d);		/* waits for it */
int domu_destroy(struct domu *d);
void *domu_map(struct domu *d, u64 mfn);	/* until domu_unmap() */
void domu_unmap(void);
long domu_control(struct domu *d, struct xen_domctl *op, u32 cmd);
u64 free_pages(void);			/* of the machine, once they rest */

/* Has our hypervisor recount all page references; nothing on others. */
void recount(void);
bool on_xen(void);		/* it is Debian's */

#endif
