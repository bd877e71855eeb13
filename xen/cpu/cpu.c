/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the processor can do, and how every processor is set up.
 *
 * Invariant: all CPUs run with the same CR0 (boot/head.S), CR4 (plus what the
 * current guest controls), EFER, PAT and SYSCALL registers, and these derive
 * from boot_cpu and the command line only, never from what a register happened
 * to hold or from what a guest asked for.
 *
 * A guest may execute CPUID, XGETBV and RDTSC natively; none of them changes
 * anything written here.  No locks: boot_cpu is written once by the boot CPU.
 *
 * Not done here: finding out that processors differ; XCR0 (context.c), the
 * guest's view of CPUID (domain/cpuid.c).
 */
#include <cpu/cpu.h>

struct cpu_info boot_cpu;
u64 hyp_cr4;
bool smap_enabled;

#define ARCH_CAPS_RDCL_NO	(1UL << 0)
#define ARCH_CAPS_IBRS_ALL	(1UL << 1)
#define ARCH_CAPS_MDS_NO	(1UL << 5)
#define EFER_AUTO_IBRS		(1UL << 21)
#define SPEC_CTRL_IBRS		1UL

/* What cpu_init_this() switches on everywhere, and cpu_identify() says. */
static bool use_ibrs_all, use_auto_ibrs;
bool spec_ibpb;

/* CPUID; zero beyond what the processor has. */
static void __init leaf(u32 n, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	if (n > (n >> 31 ? boot_cpu.max_ext_leaf : boot_cpu.max_leaf))
		*a = *b = *c = *d = 0;
	else
		cpuid_count(n, sub, a, b, c, d);
}

/*
 * Boot CPU, once, after the command line is known and before any other CPU
 * or guest.  What long mode implies is not asked for; head.S has set EFER.NX.
 */
void __init cpu_identify(void)
{
	u32 *w = boot_cpu.features, *name = (u32 *)boot_cpu.vendor;
	bool spec = cmdline_bool("spec-ctrl") != 0;
	u32 x, sizes, have;
	u64 caps;

	cpuid_count(0, 0, &boot_cpu.max_leaf, &name[0], &name[2], &name[1]);
	cpuid_count(0x80000000, 0, &boot_cpu.max_ext_leaf, &x, &x, &x);
	boot_cpu.amd = !strcmp(boot_cpu.vendor, "AuthenticAMD") ||
		       !strcmp(boot_cpu.vendor, "HygonGenuine");
	leaf(1, 0, &x, &x, &w[1], &w[0]);
	leaf(7, 0, &x, &w[5], &w[6], &w[9]);
	leaf(7, 1, &w[10], &w[12], &w[14], &w[15]);
	leaf(7, 2, &x, &x, &x, &w[13]);
	leaf(0xd, 1, &w[4], &x, &x, &x);
	leaf(0x80000001, 0, &x, &x, &w[3], &w[2]);
	leaf(0x80000007, 0, &x, &x, &x, &w[7]);
	leaf(0x80000008, 0, &sizes, &w[8], &x, &x);
	leaf(0x80000021, 0, &w[11], &x, &w[18], &x);
	boot_cpu.phys_bits = sizes ? min(sizes & 0xff, 52U) : 36;
	if (cpu_has(F_ARCH_CAPS))
		*(u64 *)&w[16] = rdmsr(MSR_ARCH_CAPABILITIES);
	/* The XSAVE components that we switch: all fit a page. */
	leaf(0xd, 0, &have, &x, &x, &x);
	boot_cpu.xcr0 = !cpu_has(F_AVX) ? XCR0_SSE :
			(have & XCR0_AVX512) == XCR0_AVX512 ? XCR0_AVX512 :
			have & XCR0_AVX;
	caps = boot_cpu.amd ? ~0UL : boot_cpu.features[16];
	hyp_cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_MCE | X86_CR4_OSFXSR |
		  X86_CR4_OSXMMEXCPT |
		  (cpu_has(F_XSAVE) ? X86_CR4_OSXSAVE : 0) |
		  (cpu_has(F_UMIP) ? X86_CR4_UMIP : 0) |
		  (cpu_has(F_SMEP) ? X86_CR4_SMEP : 0) |
		  (cpu_has(F_SMAP) ? X86_CR4_SMAP : 0);
	smap_enabled = cpu_has(F_SMAP);
	use_ibrs_all = spec && cpu_has(F_IBRSB) &&
		       boot_cpu.features[16] & ARCH_CAPS_IBRS_ALL;
	use_auto_ibrs = spec && cpu_has(F_AUTO_IBRS);
	spec_ibpb = spec && (cpu_has(F_IBRSB) || cpu_has(F_IBPB_AMD));
	/* The operator must be able to trust this line, so it names what is
	 * missing as plainly as what is on. */
	log_warn("Speculation: IBRS %s; IBPB %s; SMEP %s; SMAP %s; missing: "
		 "STIBP, L1D flush, retpoline, MD_CLEAR (%s), XPTI (%s)\n",
		 use_ibrs_all || use_auto_ibrs ? "on" : "off",
		 spec_ibpb ? "on" : "off", cpu_has(F_SMEP) ? "on" : "off",
		 cpu_has(F_SMAP) ? "on" : "off",
		 caps & ARCH_CAPS_MDS_NO ? "not needed" : "may be needed",
		 caps & ARCH_CAPS_RDCL_NO ? "not needed" : "may be needed");
}

/*
 * Sets this CPU's CR4 and MSRs.  The per-CPU block must be mapped and the CPU
 * must run on its own stack (this_cpu()).
 */
void cpu_init_this(void)
{
	u64 stub = PERCPU_BASE + ((u64)smp_processor_id() << PERCPU_SHIFT);

	write_cr4(hyp_cr4);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NX |
	      (use_auto_ibrs ? EFER_AUTO_IBRS : 0));
	wrmsr(MSR_PAT, XEN_PAT);

	/* SYSRET: SS is base + 8, 64-bit CS base + 16. */
	wrmsr(MSR_STAR, (u64)SEL_RING3_CS32 << 48 | (u64)SEL_HYP_CS << 32);
	wrmsr(MSR_LSTAR, stub);
	wrmsr(MSR_CSTAR, stub + SYSCALL32_STUB_OFF);
	wrmsr(MSR_SFMASK, X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_DF |
	      X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_RF | X86_EFLAGS_VM |
	      X86_EFLAGS_IOPL);
	/* A null code selector: SYSENTER faults with #GP, which is emulated. */
	wrmsr(MSR_SYSENTER_CS, 0);
	if (use_ibrs_all)
		wrmsr(MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
}
