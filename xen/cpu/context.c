/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Switching vCPUs: the hardware state that struct regs does not hold, with
 * FPU, SSE and AVX.
 *
 * Two things are told apart.  A CPU's `current` is who runs, or the idle vCPU.
 * Its `loaded` is whose FPU, selectors, segment bases, debug registers, GDT,
 * LDT and cr3 are in the hardware: current itself, or while the CPU idles
 * still the last guest, because it is likely to come back.
 *
 * Invariants: a vCPU is loaded on at most one CPU (v->loaded_on), and its
 * struct is up to date only while it is loaded nowhere; while a CPU has any
 * page table of a domain in cr3, or global translations of it in the TLB, its
 * bit in d->dirty_cpus is set.  So a top-level table that a CPU still walks
 * is found, and never freed (XSA-438).
 *
 * No locks: a CPU touches only its own hardware, others ask by cpu_call().
 * A hostile guest may leave selectors that no longer load: they become NUL.
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

#define READ_SEL(reg) ({ u16 s_; \
	__asm__ volatile("mov %%" #reg ", %0" : "=rm"(s_)); s_; })

/* A selector that faults is replaced by NUL. */
#define LOAD_SEL(reg, sel) \
	__asm__ volatile("1: " FIXUP("2f") "mov %0, %%" #reg "\n" \
			 ".pushsection .text.fixup, \"ax\"\n" \
			 "2: xor %k0, %k0\n" \
			 "jmp 1b\n" \
			 ".popsection\n" \
			 : "+r"(sel) :: "memory")

#define WRITE_DR(n, val) \
	__asm__ volatile("mov %0, %%db" #n :: "r"((u64)(val)))

#define swapgs()	__asm__ volatile("swapgs" ::: "memory")

/* --- FPU ------------------------------------------------------------ */

/* Start of an XSAVE area; all there is without XSAVE. */
struct fxsave {
	u16 fcw, more[11];
	u32 mxcsr;
	u8 rest[512 + 64 - 28];		/* 64: header, XSAVE only */
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

/* The reset state.  For XSAVE, an empty set says "all initial".  v must not be
 * loaded. */
void fpu_reset(struct vcpu *v)
{
	memset(v->fpu_area, 0, PAGE_SIZE);
	*(struct fxsave *)v->fpu_area = (struct fxsave){
		.fcw = 0x37f, .mxcsr = 0x1f80 };
}

/* From the registers, which keep it.  Only while v is loaded here. */
static void fpu_save(struct vcpu *v)
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
static void fpu_restore(struct vcpu *v)
{
	struct fxsave *a = v->fpu_area;

	ts_write(false);
	/* Old ones load FIP, FDP and FOP only with an exception (XSA-52). */
	if (boot_cpu.amd)
		__asm__ volatile("fninit");
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
	fpu_reset(v);
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
 * XSETBV for v = current: 0, or -XEN_EINVAL if impossible or outside the
 * policy.  Each set includes the one before (cpu.h).
 */
int fpu_set_xcr0(struct vcpu *v, u64 xcr0)
{
	u64 most = cpuid_max_xcr0(v->domain) & boot_cpu.xcr0;

	if (!cpu_has(F_XSAVE) || (xcr0 & ~most) ||
	    (xcr0 != XCR0_X87 && xcr0 != XCR0_SSE && xcr0 != XCR0_AVX &&
	     xcr0 != XCR0_AVX512))
		return -XEN_EINVAL;
	v->xcr0 = xcr0;
	xcr0_write(xcr0);
	return 0;
}

/* --- the rest --------------------------------------------------------- */

/* Only these bits of CR4 are the guest's. */
#define CR4_GUEST	(X86_CR4_TSD | X86_CR4_DE)

static u64 vcpu_cr3(const struct vcpu *v)
{
	return v->in_kernel ? v->cr3_kernel : v->cr3_user;
}

/*
 * Loads cr3.  Without flush_global, translations marked global survive: legal
 * only between the two tables of one vCPU, since a guest's user pages are
 * global.
 */
void cr3_load(u64 cr3, bool flush_global)
{
	this_cpu()->cr3 = cr3;
	write_cr3(cr3);
	if (flush_global)
		tlb_flush_local(FLUSH_ALL_VA);
}

/* Recomputes the cr3 values after an L4 changed; does not load them. */
void vcpu_update_cr3(struct vcpu *v)
{
	v->cr3_kernel = v->l4_kernel.m << PAGE_SHIFT;
	v->cr3_user = v->l4_user.m << PAGE_SHIFT;
}

/*
 * Kernel <-> user mode of v, the current vCPU: flag, GS bases, cr3.  Whoever
 * leads it to user mode made sure that there is a user table.
 */
void context_toggle_mode(struct vcpu *v)
{
	v->in_kernel ^= 1;
	swapgs();
	cr3_load(vcpu_cr3(v), false);
}

/* The base follows the selector, except that AMD keeps it for NUL: a flat
 * selector before it makes that 0 on both. */
void context_load_user_gs(struct vcpu *v, u16 sel)
{
	u16 flat = SEL_RING3_SS;

	sel = sel_fixup(sel);
	if (v->in_kernel)
		swapgs();
	LOAD_SEL(gs, flat);
	LOAD_SEL(gs, sel);
	if (v->in_kernel)
		swapgs();
}

static void segments_save(struct vcpu *v)
{
	u64 active = rdmsr(MSR_GS_BASE), other = rdmsr(MSR_KERNEL_GS_BASE);

	v->regs.ds = READ_SEL(ds);
	v->regs.es = READ_SEL(es);
	v->regs.fs = READ_SEL(fs);
	v->regs.gs = READ_SEL(gs);
	v->fs_base = rdmsr(MSR_FS_BASE);
	v->gs_base_kernel = v->in_kernel ? active : other;
	v->gs_base_user = v->in_kernel ? other : active;
}

/*
 * Brings home what cpu has loaded, and stops its breakpoints.  Its GDT goes
 * before its cr3 does: an NMI in between needs one that is mapped (XSA-260).
 */
static void state_save(struct vcpu *v)
{
	segments_save(v);
	fpu_save(v);
	if (v->debugreg[7] & 0xff)
		WRITE_DR(7, 0x400);
	descr_load(NULL);
}

static void state_load(struct cpu *cpu, struct vcpu *v)
{
	u64 cr4 = hyp_cr4 | (v->cr4 & CR4_GUEST);
	u64 kernel = v->gs_base_kernel, user = v->gs_base_user;

	if (read_cr4() != cr4)
		write_cr4(cr4);
	descr_load(v);
	LOAD_SEL(ds, v->regs.ds);
	LOAD_SEL(es, v->regs.es);
	LOAD_SEL(fs, v->regs.fs);
	LOAD_SEL(gs, v->regs.gs);
	/* Bases last: loading a selector overwrites its base. */
	wrmsr(MSR_FS_BASE, v->fs_base);
	wrmsr(MSR_GS_BASE, v->in_kernel ? kernel : user);
	wrmsr(MSR_KERNEL_GS_BASE, v->in_kernel ? user : kernel);
	if (cpu_has(F_RDTSCP))
		wrmsr(MSR_TSC_AUX, v->tsc_aux);
	if (v->debugreg[7] & 0xff) {
		WRITE_DR(0, v->debugreg[0]);
		WRITE_DR(1, v->debugreg[1]);
		WRITE_DR(2, v->debugreg[2]);
		WRITE_DR(3, v->debugreg[3]);
		WRITE_DR(6, 0xffff0ff0);
		WRITE_DR(7, v->debugreg[7]);
	}
	fpu_restore(v);
	v->loaded_on = cpu->id + 1;
	cpu->loaded = v;
}

/* Saves *arg and loads the idle address space.  Runs on the CPU where it was
 * loaded a moment ago. */
static void unload_here(void *arg)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = arg;

	if (cpu->loaded != v || cpu->curr == v)
		return;
	state_save(v);
	cr3_load(virt_to_paddr(idle_l4), true);
	atomic_and(&v->domain->dirty_cpus, ~(1UL << cpu->id));
	cpu->loaded = NULL;
	store_release(&v->loaded_on, 0);
}

/*
 * Brings v's state home.  v must not be running, but for one case: current
 * may ask for its own, which is copied and stays loaded.
 */
void context_sync(struct vcpu *v)
{
	struct cpu *cpu = this_cpu();
	u32 on = load_acquire(&v->loaded_on);

	if (on && v == cpu->curr) {
		segments_save(v);
		fpu_save(v);
		fpu_restore(v);
	} else if (on) {
		cpu_call(1UL << (on - 1), unload_here, v);
	}
}

/*
 * Changes the CPU's guest.  Nothing here may serve other CPUs' requests: they
 * would find the hardware between two states.
 */
static void guest_switch(struct cpu *cpu, struct vcpu *next)
{
	struct vcpu *old = cpu->loaded;
	struct domain *d = next->domain;
	bool foreign = !old || old->domain != d;

	if (old)
		state_save(old);
	if (foreign)
		atomic_or(&d->dirty_cpus, 1UL << cpu->id);
	/* XSA-254: what one domain trained must not steer another. */
	if (foreign && spec_ibpb)
		wrmsr(MSR_PRED_CMD, 1);
	if (foreign || cpu->cr3 != vcpu_cr3(next))
		cr3_load(vcpu_cr3(next), true);
	if (old) {
		if (foreign)
			atomic_and(&old->domain->dirty_cpus, ~(1UL << cpu->id));
		/* An LDT fault below may serve others' calls after all: they
		 * must not find old here, whose state is home. */
		cpu->loaded = NULL;
		store_release(&old->loaded_on, 0);
	}
	state_load(cpu, next);
}

/* See cpu.h. */
void context_switch(struct vcpu *prev, struct vcpu *next)
{
	struct cpu *cpu = this_cpu();

	if (!next->is_idle && cpu->loaded != next)
		context_sync(next);
	cpu->curr = next;
	cpu->regs_top = (u64)&next->regs.es;
	cpu->tss.rsp0 = cpu->regs_top;
	next->stack_top = (u64)cpu - PERCPU_CPU_OFF + PERCPU_STACK_TOP;
	if (!next->is_idle && cpu->loaded != next)
		guest_switch(cpu, next);
}
