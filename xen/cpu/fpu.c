/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FPU, SSE and AVX state of guests.
 *
 * Eager: the registers always hold the state of the vCPU that is loaded, so
 * no guest ever sees another's (XSA-267), and a #NM is always the guest's own
 * affair: it has set TS.  Ring 0 itself uses no such register.
 *
 * With XSAVE, all components that the machine has are switched under
 * XCR0 = boot_cpu.xcr0, whatever smaller set the guest chose; its own value is
 * loaded afterwards.  The area is in the standard, not the compacted form, and
 * XSAVE, unlike its optimised kin, writes initial components as well: the
 * legacy part of an area can always be handed out as it is.
 *
 * Images come from guests and tools: one that XRSTOR refuses is replaced by
 * the reset state.
 */
#include <domain/domain.h>

/* Start of an XSAVE area; all there is without XSAVE. */
struct fxsave {
	u16 fcw, fsw, ftw, fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[128], xmm[256], rest[96];
	u64 xstate_bv, xcomp_bv, header[6];	/* XSAVE only */
};

static void xcr0_write(u64 val)
{
	struct cpu *cpu = this_cpu();

	if (!cpu_has(F_XSAVE) || cpu->xcr0 == val)
		return;
	__asm__ volatile("xsetbv" :: "c"(0), "a"((u32)val), "d"(0));
	cpu->xcr0 = val;
}

static void ts_write(bool ts)
{
	if (ts)
		write_cr0(read_cr0() | X86_CR0_TS);
	else
		__asm__ volatile("clts" ::: "memory");
}

/* Every CPU, once CR4 is set. */
void fpu_init_this(void)
{
	xcr0_write(boot_cpu.xcr0);
}

/* The reset state.  For XSAVE, an empty set says "all initial". */
static void area_reset(struct fxsave *a)
{
	memset(a, 0, boot_cpu.xsave_size);
	a->fcw = 0x37f;
	a->mxcsr = 0x1f80;
}

/* v must not be loaded. */
void fpu_reset(struct vcpu *v)
{
	area_reset(v->fpu_area);
	v->xcr0 = XCR0_X87;
}

/* 0, or -XEN_ENOMEM.  A page holds all components that we switch. */
int fpu_alloc(struct vcpu *v)
{
	v->fpu_area = alloc_page();
	if (v->fpu_area)
		fpu_reset(v);
	return v->fpu_area ? 0 : -XEN_ENOMEM;
}

/* From the registers, which keep it.  Only while v is loaded here. */
void fpu_save(struct vcpu *v)
{
	struct fxsave *a = v->fpu_area;

	if (v->guest_ts)
		ts_write(false);
	xcr0_write(boot_cpu.xcr0);
	if (cpu_has(F_XSAVE))
		__asm__ volatile("xsave64 %0" : "+m"(*a)
				 : "a"((u32)boot_cpu.xcr0), "d"(0) : "memory");
	else
		__asm__ volatile("fxsaveq %0" : "=m"(*a) :: "memory");
}

/* Into the registers, with v's XCR0 and TS.  Last step of loading v. */
void fpu_restore(struct vcpu *v)
{
	struct fxsave *a = v->fpu_area;

	ts_write(false);
	xcr0_write(boot_cpu.xcr0);
again:
	if (cpu_has(F_XSAVE))
		__asm__ goto(FIXUP("%l[bad]") "xrstor64 %0"
			     :: "m"(*a), "a"((u32)boot_cpu.xcr0), "d"(0)
			     : "memory" : bad);
	else
		__asm__ goto(FIXUP("%l[bad]") "fxrstorq %0"
			     :: "m"(*a) : "memory" : bad);
	xcr0_write(v->xcr0);
	if (v->guest_ts)
		ts_write(true);
	return;
bad:
	area_reset(a);
	goto again;
}

/* The guest's CR0.TS, in v and in the hardware.  v is current. */
void fpu_set_ts(struct vcpu *v, bool ts)
{
	if (v->guest_ts == ts)
		return;
	v->guest_ts = ts;
	ts_write(ts);
}

/*
 * XSETBV for v: 0, or -XEN_EINVAL if impossible or outside the policy.  Each
 * set includes the one before (cpu.h).
 */
int fpu_set_xcr0(struct vcpu *v, u64 xcr0)
{
	u64 most = cpuid_max_xcr0(v->domain) & boot_cpu.xcr0;

	if (!cpu_has(F_XSAVE) || (xcr0 & ~most) ||
	    (xcr0 != XCR0_X87 && xcr0 != XCR0_SSE && xcr0 != XCR0_AVX &&
	     xcr0 != XCR0_AVX512))
		return -XEN_EINVAL;
	v->xcr0 = xcr0;
	if (this_cpu()->loaded == v)
		xcr0_write(xcr0);
	return 0;
}
