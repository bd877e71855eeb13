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
 * loaded afterwards.  The area is in the standard, not the compacted form.
 * Images come from guests and tools: one that XRSTOR refuses is replaced by
 * the reset state.
 */
#include <domain/domain.h>

#define FPU_FCW		0x37f
#define FPU_MXCSR	0x1f80

/* Start of an XSAVE area; all there is without XSAVE. */
struct fxsave {
	u16 fcw, fsw;
	u8 ftw, reserved;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[128], xmm[256], rest[96];
	u64 xstate_bv, xcomp_bv, header[6];	/* XSAVE only */
};

#define XSTATE_X87	1UL
#define XSTATE_SSE	2UL
#define XSTATE_AVX	4UL
#define XSTATE_BND	0x18UL
#define XSTATE_AVX512	0xe0UL

static u32 mxcsr_mask = 0xffbf;

static void xcr0_write(u64 val)
{
	struct cpu *cpu = this_cpu();

	if (cpu->xcr0 == val)
		return;
	__asm__ volatile("xsetbv" :: "c"(0), "a"((u32)val),
			 "d"((u32)(val >> 32)));
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
	struct fxsave area __aligned(64);

	ts_write(false);
	if (cpu_has(F_XSAVE)) {
		write_cr4(read_cr4() | X86_CR4_OSXSAVE);
		this_cpu()->xcr0 = 0;
		xcr0_write(boot_cpu.xcr0);
	}
	__asm__ volatile("fninit; fxsaveq %0" : "=m"(area));
	if (area.mxcsr_mask)
		mxcsr_mask = area.mxcsr_mask;
}

/* The reset state, as an image.  For XSAVE, "all initial" says it. */
static void image_reset(struct fxsave *a)
{
	memset(a, 0, cpu_has(F_XSAVE) ? boot_cpu.xsave_size : 512);
	a->fcw = FPU_FCW;
	a->mxcsr = FPU_MXCSR;
}

/* v must not be loaded. */
void fpu_reset(struct vcpu *v)
{
	image_reset(v->fpu_area);
	v->xcr0 = XSTATE_X87;
	v->xcr0_accum = XSTATE_X87;
}

/* 0, or -XEN_ENOMEM.  The word before the area remembers the allocation. */
int fpu_alloc(struct vcpu *v)
{
	size_t size = cpu_has(F_XSAVE) ? boot_cpu.xsave_size : 512;
	void *raw = heap_alloc(size + 64);
	void **area;

	if (!raw)
		return -XEN_ENOMEM;
	area = (void **)ROUND_DOWN((u64)raw + 64, 64);
	area[-1] = raw;
	v->fpu_area = area;
	fpu_reset(v);
	return 0;
}

/* v must not be loaded. */
void fpu_free(struct vcpu *v)
{
	if (v->fpu_area)
		heap_free(((void **)v->fpu_area)[-1]);
	v->fpu_area = NULL;
}

/* From the registers, which keep it.  Only while v is loaded here. */
void fpu_save(struct vcpu *v)
{
	struct fxsave *a = v->fpu_area;
	u32 lo = (u32)boot_cpu.xcr0, hi = (u32)(boot_cpu.xcr0 >> 32);

	if (v->guest_ts)
		ts_write(false);
	if (!cpu_has(F_XSAVE)) {
		__asm__ volatile("fxsaveq %0" : "=m"(*a) :: "memory");
		return;
	}
	xcr0_write(boot_cpu.xcr0);
	if (cpu_has(F_XSAVEOPT))
		__asm__ volatile("xsaveopt64 %0" : "+m"(*a)
				 : "a"(lo), "d"(hi) : "memory");
	else
		__asm__ volatile("xsave64 %0" : "+m"(*a)
				 : "a"(lo), "d"(hi) : "memory");
}

/* False if the processor refuses the image. */
static bool image_load(const struct fxsave *a)
{
	u32 lo = (u32)boot_cpu.xcr0, hi = (u32)(boot_cpu.xcr0 >> 32);

	if (cpu_has(F_XSAVE))
		__asm__ goto(FIXUP("%l[bad]") "xrstor64 %0"
			     :: "m"(*a), "a"(lo), "d"(hi) : "memory" : bad);
	else
		__asm__ goto(FIXUP("%l[bad]") "fxrstorq %0"
			     :: "m"(*a) : "memory" : bad);
	return true;
bad:
	return false;
}

/* Into the registers, with v's XCR0 and TS.  Last step of loading v. */
void fpu_restore(struct vcpu *v)
{
	ts_write(false);
	if (cpu_has(F_XSAVE))
		xcr0_write(boot_cpu.xcr0);
	if (!image_load(v->fpu_area)) {
		image_reset(v->fpu_area);
		image_load(v->fpu_area);
	}
	if (cpu_has(F_XSAVE))
		xcr0_write(v->xcr0);
	if (v->guest_ts)
		ts_write(true);
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
 * 512 bytes of v, which is not loaded.  Components that XSAVEOPT left out
 * because they are initial are filled in.
 */
void fpu_get_fxsave(const struct vcpu *v, void *image512)
{
	const struct fxsave *a = v->fpu_area;
	struct fxsave *to = image512;

	memcpy(to, a, 512);
	if (!cpu_has(F_XSAVE))
		return;
	if (!(a->xstate_bv & XSTATE_X87)) {
		memset(to, 0, offsetof(struct fxsave, mxcsr));
		to->fcw = FPU_FCW;
		memset(to->st, 0, sizeof(to->st));
	}
	if (!(a->xstate_bv & XSTATE_SSE))
		memset(to->xmm, 0, sizeof(to->xmm));
}

/* Into v, which is not loaded; other components become initial. */
void fpu_set_fxsave(struct vcpu *v, const void *image512)
{
	struct fxsave *a = v->fpu_area;

	image_reset(a);
	memcpy(a, image512, 512);
	a->mxcsr &= mxcsr_mask;
	if (cpu_has(F_XSAVE))
		a->xstate_bv = XSTATE_X87 | XSTATE_SSE;
}

/* Sets that XSETBV takes: x87 always, AVX with SSE, the AVX-512 three and
 * the bounds two together. */
static bool xcr0_valid(u64 x)
{
	if (!(x & XSTATE_X87))
		return false;
	if ((x & XSTATE_AVX) && !(x & XSTATE_SSE))
		return false;
	if ((x & XSTATE_AVX512) &&
	    ((x & XSTATE_AVX512) != XSTATE_AVX512 || !(x & XSTATE_AVX)))
		return false;
	return !(x & XSTATE_BND) || (x & XSTATE_BND) == XSTATE_BND;
}

/* XSETBV for v: 0, or -XEN_EINVAL if impossible or outside the policy. */
int fpu_set_xcr0(struct vcpu *v, u64 xcr0)
{
	u64 most = cpuid_max_xcr0(v->domain) & boot_cpu.xcr0;

	if (!cpu_has(F_XSAVE) || (xcr0 & ~most) || !xcr0_valid(xcr0))
		return -XEN_EINVAL;
	v->xcr0 = xcr0;
	v->xcr0_accum |= xcr0;
	if (this_cpu()->loaded == v)
		xcr0_write(xcr0);
	return 0;
}
