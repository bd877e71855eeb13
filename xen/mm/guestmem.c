/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: the only C code that follows guest pointers.
 *
 * A guest pointer is followed with the page tables that are loaded, so it
 * means what it means to the guest; the address is checked once against the
 * hypervisor's own range, since ring 0 may go where ring 3 may not.  Anything
 * else that can go wrong -- not mapped, read-only, not canonical, unmapped
 * meanwhile by another vCPU -- is a processor fault at one of the instructions
 * below, and the fixup table sends it to an error return.  Hence no lock is
 * needed, and none that a fault handler takes may be held.
 *
 * What was read must be read once: the guest may change it at any time.
 *
 * SMAP stays on except between stac() and clac().
 */
#include <mm/mm.h>

extern const struct fixup __fixup_start[], __fixup_end[];

/* Ring-0 fault at regs->rip: true if it has a fixup (rip changed). */
bool fixup_exception(struct regs *regs)
{
	for (const struct fixup *f = __fixup_start; f < __fixup_end; f++) {
		if ((u64)&f->insn + (s64)f->insn != regs->rip)
			continue;
		regs->rip = (u64)&f->target + (s64)f->target;
		return true;
	}
	return false;
}

/*
 * Copies by words, then by bytes; a fault among the words retries by bytes, so
 * the answer is exact.  Returns the number of bytes not copied.
 */
static size_t copy_guarded(void *dst, const void *src, size_t n)
{
	size_t left = n >> 3;

	stac();
	__asm__ volatile(
		FIXUP("3f") "rep movsq\n"
		"mov %3, %0\n"
		"1: " FIXUP("2f") "rep movsb\n"
		"2:\n"
		".pushsection .text.fixup, \"ax\"\n"
		"3: lea (%3, %0, 8), %0\n"
		"jmp 1b\n"
		".popsection\n"
		: "+c"(left), "+D"(dst), "+S"(src)
		: "r"(n & 7) : "memory");
	clac();
	return left;
}

/* Copies what it can; returns the number of bytes not copied. */
size_t copy_from_guest_partial(void *dst, u64 gva, size_t n)
{
	return guest_range_ok(gva, n) ?
	       copy_guarded(dst, (const void *)gva, n) : n;
}

/* 0, or -XEN_EFAULT with an unknown part of dst overwritten. */
int copy_from_guest(void *dst, u64 gva, size_t n)
{
	return copy_from_guest_partial(dst, gva, n) ? deny(-XEN_EFAULT) : 0;
}

/* 0, or -XEN_EFAULT with the bytes before the fault written. */
int copy_to_guest(u64 gva, const void *src, size_t n)
{
	if (unlikely(!guest_range_ok(gva, n)) ||
	    copy_guarded((void *)gva, src, n))
		return deny(-XEN_EFAULT);
	return 0;
}

/* Eight words of the guest's, without a loop: 0 or -XEN_EFAULT. */
int get_guest_line(u64 *dst, u64 gva)
{
	const u64 *src = (const u64 *)gva;
	u64 word;

	if (unlikely(!guest_range_ok(gva, 64)))
		return deny(-XEN_EFAULT);
	stac();
#pragma GCC unroll 8
	for (unsigned int i = 0; i < 8; i++) {
		__asm__ goto(FIXUP("%l[fault]") "mov %1, %0"
			     : "=r"(word) : "m"(src[i]) : "memory" : fault);
		dst[i] = word;
	}
	clac();
	return 0;
fault:
	clac();
	return deny(-XEN_EFAULT);
}

/* One aligned word of 8 or 4 bytes, from the guest (into *val) or to it: 0, or
 * -XEN_EFAULT with nothing changed. */
static always_inline int guest_word(u64 gva, u64 *val, bool write, bool wide)
{
	u64 *p = (u64 *)gva, v = *val;

	/* A word cannot reach into the hypervisor from outside: the addresses
	 * below it are not canonical. */
	if (unlikely(gva >> 43 == HYP_VIRT_START >> 43))
		return deny(-XEN_EFAULT);
	stac();
	if (write && wide)
		__asm__ goto(FIXUP("%l[fault]") "movq %0, %1"
			     :: "r"(v), "m"(*p) : "memory" : fault);
	else if (write)
		__asm__ goto(FIXUP("%l[fault]") "movl %k0, %1"
			     :: "r"(v), "m"(*p) : "memory" : fault);
	else if (wide)
		__asm__ goto(FIXUP("%l[fault]") "movq %1, %0"
			     : "=r"(v) : "m"(*p) : "memory" : fault);
	else
		__asm__ goto(FIXUP("%l[fault]") "movl %1, %k0"
			     : "=r"(v) : "m"(*p) : "memory" : fault);
	clac();
	*val = v;
	return 0;
fault:
	clac();
	return deny(-XEN_EFAULT);
}

int get_guest_u64(u64 *val, u64 gva)
{
	return guest_word(gva, val, false, true);
}

int put_guest_u64(u64 gva, u64 val)
{
	return guest_word(gva, &val, true, true);
}

int get_guest_u32(u32 *val, u64 gva)
{
	u64 v = *val;
	int rc = guest_word(gva, &v, false, false);

	*val = (u32)v;
	return rc;
}

int put_guest_u32(u64 gva, u32 val)
{
	u64 v = val;

	return guest_word(gva, &v, true, false);
}

/* Reads an MSR that may not exist: 0, or -XEN_EFAULT and *val unchanged. */
int rdmsr_safe(u32 msr, u64 *val)
{
	u32 lo, hi;

	__asm__ goto(FIXUP("%l[fault]") "rdmsr"
		     : "=a"(lo), "=d"(hi) : "c"(msr) : "memory" : fault);
	*val = (u64)hi << 32 | lo;
	return 0;
fault:
	return -XEN_EFAULT;
}
