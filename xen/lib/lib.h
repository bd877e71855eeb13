/* SPDX-License-Identifier: GPL-2.0 */
/* What every part of the hypervisor may use: text, strings, locks, failure. */
#pragma once

#include <x86.h>
#include <hypercall-abi/errno.h>
#include <stdarg.h>

/* --- printk.c ------------------------------------------------------- */
/*
 * Levels as in loglvl= : a line is shown when its level is at most the
 * threshold (default: warning; `loglvl=all` shows debug).
 */
enum { LOG_ALWAYS = -1, LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct domain;

/*
 * Formatted output to the log ring and the console.  Conversions: %d %u %x %c
 * %s %p with l, ll, z, width and 0.  A line gets the prefix "(XEN) ".  Any
 * context, NMI included.
 */
#define printk(...)	log_at(LOG_ALWAYS, __VA_ARGS__)
void vprintk(const char *fmt, va_list ap);
void log_at(int level, const char *fmt, ...) __printf(2, 3);
#define log_warn(...)	log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)	log_at(LOG_INFO, __VA_ARGS__)
/* About a guest: prefixed "dN: ", filtered by guest_loglvl=, rate limited. */
void guest_log(const struct domain *d, int level, const char *fmt, ...)
	__printf(3, 4);
extern int log_threshold, guest_log_threshold;
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

/* --- string.c -------------------------------------------------------- */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *find);
/* A little-endian number of so many bytes, aligned or not. */
static always_inline u64 load_le(const void *p, size_t bytes)
{
	u64 v = 0;

	__builtin_memcpy(&v, p, bytes);
	return v;
}
/* Copies at most size-1 bytes (size > 0), terminates; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);
/* Base 0, 8, 10 or 16; *end is the first character not used.  Wraps. */
u64 strtoull(const char *s, const char **end, int base);
/* A size with suffix B, K, M, G or T (K when none): bytes. */
u64 parse_size(const char *s, const char **end);

/* --- panic.c --------------------------------------------------------- */
/* Our own mistake: registers, symbolised backtrace, then reboot or stop. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;
#define BUG_ON(c) do { if (unlikely(c)) \
	panic("BUG at %s:%d: %s", __FILE__, __LINE__, #c); } while (0)
#ifndef DEBUG_BUILD		/* make DEBUG=y */
#define DEBUG_BUILD	0
#endif
#define ASSERT(c) do { if (DEBUG_BUILD) BUG_ON(!(c)); } while (0)
/* Reboots after a pause, or stops if `noreboot` says so. */
void machine_end(void) __noreturn;
struct regs;
/* Prints registers and, for ring 0, a symbolised call trace. */
void show_regs(const struct regs *regs);

/*
 * A hypercall refuses: in debug builds says where and why, once the log
 * level asks for it; otherwise only the value.  Use: return deny(-XEN_EPERM);
 */
long deny_at(long rc, const char *file, int line);
#define deny(rc) (DEBUG_BUILD ? deny_at((rc), __FILE__, __LINE__) : (rc))

/* --- spinlock.c ------------------------------------------------------ */
/*
 * Ticket locks.  Ring 0 runs with interrupts off (see entry/entry.h), so no
 * lock needs an interrupt-saving variant.  A CPU that waits for a lock serves
 * TLB-shootdown requests meanwhile (cpu_poll()), so a lock may be held across
 * a shootdown.
 *
 * Order, outermost first; debug builds check that a CPU only takes a lock of
 * a higher number than all it holds:
 */
enum lock_order {
	LOCK_DOMLIST = 1,	/* domain/domain.c: domain list changes */
	LOCK_DOMAIN,		/* struct domain.lock: registered vcpu_infos */
	LOCK_IRQ_GUEST,		/* dev/physdev.c: pirqs come and go */
	LOCK_GRANT,		/* grant/: one table and its handles grow */
	LOCK_EVTCHN,		/* event/: all domains' ports change */
	LOCK_PAGES_DOMAIN,	/* struct domain.page_lock: its numbers */
	LOCK_HEAP,		/* mm/heap.c */
	LOCK_PAGES,		/* mm/pages.c: free lists */
	LOCK_SCHED,		/* sched/sched.c: lists of all CPUs; clock.c */
	LOCK_TIMER,		/* sched/timer.c: heaps of all CPUs */
	LOCK_IRQ,		/* cpu/irq.c: pirqs, lines; dev/pci.c: 0xcf8 */
};
/* Two locks of the same order may be held if taken in address order. */

struct spinlock {
	union {
		u32 word;
		struct {
			u16 owner, next;
		};
	};
	u16 order;		/* enum lock_order */
};
#define SPINLOCK(o) ((struct spinlock){ .order = (o) })

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

/* --- keys.c ---------------------------------------------------------- */
/* A debug key typed on the serial line after three Ctrl-A, or by sysctl. */
void handle_debug_key(char key);

/* --- cmdline.c ------------------------------------------------------- */
/* Value of option `name` on the hypervisor's command line, or NULL.  "" when
 * it stands alone.  The last one given wins.  Result lives forever. */
const char *cmdline_get(const char *name);
/* 1 for yes/on/true/1/alone, 0 for no/off/false/0 or "no-NAME", -1 if absent. */
int cmdline_bool(const char *name);
u64 cmdline_u64(const char *name, u64 dflt);
/* Is `word` in the comma-separated value of option `name`? */
bool cmdline_list_has(const char *name, const char *word);
void cmdline_report_unknown(void);	/* names stray words */
extern char hypervisor_cmdline[1024];
