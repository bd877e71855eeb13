/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stand-ins for the machine and the lower layers, for host tests: text,
 * locks, memory from calloc(), guest memory that is the test's own, and
 * failures on demand (host.h).  All weak.
 */
#define _GNU_SOURCE
#include "test.h"
#include <sys/mman.h>
#include "host.h"
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <mm/mm.h>
#include <entry/entry.h>

#define __weak __attribute__((weak))

long host_alloc_left = -1, host_allocated;
unsigned int host_preempt_every, host_continue_op;
u64 host_continue_args[6];
u64 host_fault_lo, host_fault_hi;
int host_locks_held;
bool host_quiet = true;
int log_threshold = LOG_WARN, guest_log_threshold = LOG_WARN;
__weak struct cpu host_cpu[NR_CPUS];
__weak u64 max_mfn, total_pages;
__weak struct cpu_info boot_cpu;
__weak bool smap_enabled;

__weak struct cpu *this_cpu(void)
{
	return &host_cpu[0];
}

__weak struct cpu *cpu_ptr(unsigned int id)
{
	return &host_cpu[id];
}

void host_set_current(struct vcpu *v)
{
	current = v;
}

/* --- text ---------------------------------------------------------- */
__weak void vprintk(const char *fmt, va_list ap)
{
	if (!host_quiet)
		vprintf(fmt, ap);
}

__weak void log_at(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (level == LOG_ALWAYS)
		vprintk(fmt, ap);
	va_end(ap);
}

__weak void guest_log(const struct domain *d, int level, const char *fmt, ...)
{
}

__weak void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	abort();
}

__weak long deny_at(long rc, const char *file, int line)
{
	return rc;
}

__weak size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src), c = n < size ? n : size - 1;

	if (size) {
		memcpy(dst, src, c);
		dst[c] = 0;
	}
	return n;
}

/* --- locks: one thread, so taking a held lock is a deadlock ---------- */
__weak void spin_lock(struct spinlock *l)
{
	BUG_ON(l->word);
	l->word = 1;
	host_locks_held++;
}

__weak void spin_unlock(struct spinlock *l)
{
	BUG_ON(!l->word);
	l->word = 0;
	host_locks_held--;
}

__weak bool spin_trylock(struct spinlock *l)
{
	if (l->word)
		return false;
	spin_lock(l);
	return true;
}

__weak void cpu_poll(void)
{
}

/* --- memory ---------------------------------------------------------- */
static bool may_allocate(void)
{
	if (host_alloc_left == 0)
		return false;
	if (host_alloc_left > 0)
		host_alloc_left--;
	host_allocated++;
	return true;
}

__weak void *heap_alloc(size_t size)
{
	return may_allocate() ? calloc(1, size) : NULL;
}

__weak void heap_free(void *p)
{
	if (p)
		host_allocated--;
	free(p);
}

__weak void *alloc_pages(unsigned int order, u32 flags)
{
	void *p;

	if (!may_allocate())
		return NULL;
	p = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
	return p ? memset(p, 0, PAGE_SIZE << order) : NULL;
}

__weak void free_pages(void *p, unsigned int order)
{
	if (p)
		host_allocated--;
	free(p);
}

void host_map_frames(u64 n)
{
	size_t table = ROUND_UP(n * sizeof(struct frame), PAGE_SIZE);
	const int prot = PROT_READ | PROT_WRITE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	if (mmap((void *)DIRECTMAP_BASE, n << PAGE_SHIFT, prot, flags, -1,
		 0) != (void *)DIRECTMAP_BASE ||
	    mmap((void *)FRAMETABLE_BASE, table, prot, flags, -1,
		 0) != (void *)FRAMETABLE_BASE) {
		perror("host_map_frames");
		exit(2);
	}
	max_mfn = n;
}

__weak u64 cmdline_u64(const char *name, u64 dflt)
{
	return dflt;
}

/* --- guest memory ------------------------------------------------------ */
static bool faults(u64 gva, size_t n)
{
	if (gva < 4096 || gva >> 47 || !guest_range_ok(gva, n))
		return true;
	return gva < host_fault_hi && gva + n > host_fault_lo;
}

__weak int copy_from_guest(void *dst, u64 gva, size_t n)
{
	if (n && faults(gva, n))
		return -XEN_EFAULT;
	memcpy(dst, (void *)gva, n);
	return 0;
}

__weak int copy_to_guest(u64 gva, const void *src, size_t n)
{
	if (n && faults(gva, n))
		return -XEN_EFAULT;
	memcpy((void *)gva, src, n);
	return 0;
}

__weak int get_guest_u32(u32 *val, u64 gva)
{
	return copy_from_guest(val, gva, sizeof(*val));
}

__weak int put_guest_u32(u64 gva, u32 val)
{
	return copy_to_guest(gva, &val, sizeof(val));
}

__weak int get_guest_u64(u64 *val, u64 gva)
{
	return copy_from_guest(val, gva, sizeof(*val));
}

__weak int put_guest_u64(u64 gva, u64 val)
{
	return copy_to_guest(gva, &val, sizeof(val));
}

/* --- preemption ---------------------------------------------------------- */
__weak bool preempt_check(void)
{
	static unsigned int n;

	BUG_ON(host_locks_held);
	return host_preempt_every && ++n % host_preempt_every == 0;
}

__weak long hypercall_continue_args(unsigned int op, unsigned int nargs,
				    const u64 *args)
{
	host_continue_op = op;
	for (unsigned int i = 0; i < nargs && i < 6; i++)
		host_continue_args[i] = args[i];
	return HOST_CONTINUED;
}
