/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the processor can do, and how every processor is set up.
 *
 * Invariant: all CPUs run with the same CR0, CR4 (plus what the current guest
 * controls), EFER, PAT and SYSCALL registers, and these derive from boot_cpu
 * and the command line only, never from what a register happened to hold or
 * from what a guest asked for.
 *
 * A guest may execute CPUID, XGETBV, RDTSC and the FSGSBASE instructions
 * natively; none of them changes anything written here.  No locks: boot_cpu
 * is written once by the boot CPU.
 *
 * Not done here: XCR0 (fpu.c), the guest's view of CPUID (domain/cpuid.c).
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <layout.h>

struct cpu_info boot_cpu;
u64 hyp_cr4;
bool smap_enabled;

#define XCR0_X87	(1UL << 0)
#define XCR0_SSE	(1UL << 1)
#define XCR0_AVX	(1UL << 2)
#define XCR0_AVX512	(7UL << 5)

#define ARCH_CAPS_RDCL_NO	(1UL << 0)
#define ARCH_CAPS_IBRS_ALL	(1UL << 1)
#define ARCH_CAPS_MDS_NO	(1UL << 5)
#define F_AUTO_IBRS		X86F(11, 8)
#define F_IBPB_AMD		X86F(8, 12)
#define EFER_AUTO_IBRS		(1UL << 21)
#define SPEC_CTRL_IBRS		1UL

/* What cpu_init_this() switches on everywhere, and spec_ctrl_report() says. */
static bool use_ibrs_all, use_auto_ibrs;
bool spec_ibpb;

/* Features that need XSAVE; cleared with it. */
static const u16 xsave_features[] __initdata = {
	F_XSAVE, X86F(1, 27), F_AVX, X86F(1, 12), X86F(1, 29), X86F(3, 11),
	X86F(3, 16), X86F(5, 5), X86F(5, 16), X86F(5, 17), X86F(5, 21),
	X86F(5, 28), X86F(5, 30), X86F(5, 31), X86F(6, 1), X86F(6, 6),
	X86F(6, 9), X86F(6, 10), X86F(6, 11), X86F(6, 12), X86F(6, 14),
	X86F(9, 2), X86F(9, 3), X86F(9, 8), X86F(9, 23), X86F(10, 4),
	X86F(10, 5),
};

static void __init feature_clear(unsigned int f)
{
	boot_cpu.features[f >> 5] &= ~(1U << (f & 31));
}

static void __init read_features(void)
{
	u32 *w = boot_cpu.raw, a, b, c, d, sub;
	u64 caps;

	cpuid_count(1, 0, &boot_cpu.signature, &b, &w[1], &w[0]);
	if (boot_cpu.max_leaf >= 7) {
		cpuid_count(7, 0, &sub, &w[5], &w[6], &w[9]);
		if (sub >= 1)
			cpuid_count(7, 1, &w[10], &w[12], &w[14], &w[15]);
		if (sub >= 2)
			cpuid_count(7, 2, &a, &b, &c, &w[13]);
	}
	if (boot_cpu.max_leaf >= 0xd && w[1] >> 26 & 1)
		cpuid_count(0xd, 1, &w[4], &b, &c, &d);
	if (boot_cpu.max_ext_leaf >= 0x80000001)
		cpuid_count(0x80000001, 0, &a, &b, &w[3], &w[2]);
	if (boot_cpu.max_ext_leaf >= 0x80000007)
		cpuid_count(0x80000007, 0, &a, &b, &c, &w[7]);
	if (boot_cpu.max_ext_leaf >= 0x80000008)
		cpuid_count(0x80000008, 0, &a, &w[8], &c, &d);
	if (boot_cpu.max_ext_leaf >= 0x80000021)
		cpuid_count(0x80000021, 0, &w[11], &b, &w[18], &d);
	if (w[9] >> 29 & 1) {
		caps = rdmsr(MSR_ARCH_CAPABILITIES);
		w[16] = caps;
		w[17] = caps >> 32;
	}
	memcpy(boot_cpu.features, w, sizeof(boot_cpu.features));
}

static void __init read_names(void)
{
	u32 v[4], i;

	cpuid_count(0, 0, &boot_cpu.max_leaf, &v[0], &v[2], &v[1]);
	memcpy(boot_cpu.vendor, v, 12);
	cpuid_count(0x80000000, 0, &boot_cpu.max_ext_leaf, &v[0], &v[1], &v[2]);
	if (!(boot_cpu.max_ext_leaf >> 31))
		boot_cpu.max_ext_leaf = 0;
	for (i = 0; i < 3 && boot_cpu.max_ext_leaf >= 0x80000004; i++) {
		cpuid_count(0x80000002 + i, 0, &v[0], &v[1], &v[2], &v[3]);
		memcpy(boot_cpu.brand + 16 * i, v, 16);
	}
	boot_cpu.amd = !strcmp(boot_cpu.vendor, "AuthenticAMD") ||
		       !strcmp(boot_cpu.vendor, "HygonGenuine");
}

static void __init read_address_sizes(void)
{
	u32 a = 0x3024, b, c, d;

	if (boot_cpu.max_ext_leaf >= 0x80000008)
		cpuid_count(0x80000008, 0, &a, &b, &c, &d);
	boot_cpu.phys_bits = min(a & 0xff, 52U);
	boot_cpu.virt_bits = a >> 8 & 0xff;
}

/* Chooses the XSAVE components we switch; the size is the standard form's. */
static void __init read_xsave(void)
{
	u32 lo, hi, size, offset, c, d, i;
	u64 have;

	boot_cpu.xcr0 = XCR0_X87 | XCR0_SSE;
	boot_cpu.xsave_size = 512 + 64;
	if (!cpu_has(F_XSAVE))
		return;
	cpuid_count(0xd, 0, &lo, &size, &c, &hi);
	have = (u64)hi << 32 | lo;
	if (have & XCR0_AVX && cpu_has(F_AVX))
		boot_cpu.xcr0 |= XCR0_AVX;
	if (boot_cpu.xcr0 & XCR0_AVX && (have & XCR0_AVX512) == XCR0_AVX512)
		boot_cpu.xcr0 |= XCR0_AVX512;
	for (i = 2; i < 63; i++) {
		if (!(boot_cpu.xcr0 >> i & 1))
			continue;
		cpuid_count(0xd, i, &size, &offset, &c, &d);
		boot_cpu.xsave_size = max(boot_cpu.xsave_size, offset + size);
	}
}

static void __init apply_options(void)
{
	unsigned int i;

	if (cmdline_bool("smep") == 0)
		feature_clear(F_SMEP);
	if (cmdline_bool("smap") == 0)
		feature_clear(F_SMAP);
	if (cmdline_bool("xsave") != 0 && cpu_has(F_XSAVE))
		return;
	for (i = 0; i < ARRAY_SIZE(xsave_features); i++)
		feature_clear(xsave_features[i]);
	boot_cpu.features[4] = 0;
}

static void __init choose_cr4(void)
{
	hyp_cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_MCE | X86_CR4_OSFXSR |
		  X86_CR4_OSXMMEXCPT;
	if (cpu_has(F_XSAVE))
		hyp_cr4 |= X86_CR4_OSXSAVE;
	if (cpu_has(F_FSGSBASE))
		hyp_cr4 |= X86_CR4_FSGSBASE;
	if (cpu_has(F_UMIP))
		hyp_cr4 |= X86_CR4_UMIP;
	if (cpu_has(F_SMEP))
		hyp_cr4 |= X86_CR4_SMEP;
	if (cpu_has(F_SMAP))
		hyp_cr4 |= X86_CR4_SMAP;
	smap_enabled = hyp_cr4 & X86_CR4_SMAP;
}

/*
 * Boot CPU, once, after the command line is known and before any other CPU
 * or guest.  Panics on a processor that cannot run 64-bit PV guests safely.
 */
void __init cpu_identify(void)
{
	bool spec = cmdline_bool("spec-ctrl") != 0;

	read_names();
	read_features();
	read_address_sizes();
	apply_options();
	if (!cpu_has(F_NX) || !cpu_has(F_FXSR) || !cpu_has(F_PGE))
		panic("the processor lacks NX, FXSR or PGE");
	read_xsave();
	choose_cr4();
	use_ibrs_all = spec && cpu_has(F_IBRSB) &&
		       boot_cpu.raw[16] & ARCH_CAPS_IBRS_ALL;
	use_auto_ibrs = spec && cpu_has(F_AUTO_IBRS);
	spec_ibpb = spec && (cpu_has(F_IBRSB) || cpu_has(F_IBPB_AMD));
	log_info("CPU: %s %s, signature %x, %u physical address bits\n",
		 boot_cpu.vendor, boot_cpu.brand, boot_cpu.signature,
		 boot_cpu.phys_bits);
}

/* The other CPUs must offer at least what the first one promised guests. */
static void check_same(void)
{
	u32 a, b, c, d;

	cpuid_count(1, 0, &a, &b, &c, &d);
	/* OSXSAVE (ecx 27) mirrors CR4; all else is fixed. */
	if ((boot_cpu.raw[0] & ~d) || (boot_cpu.raw[1] & ~c & ~(1U << 27)))
		log_err("CPU%u lacks features of the boot CPU: %08x %08x\n",
			smp_processor_id(), boot_cpu.raw[0] & ~d,
			boot_cpu.raw[1] & ~c);
}

/*
 * Sets this CPU's control registers and MSRs.  The per-CPU block must be
 * mapped and the CPU must run on its own stack (this_cpu()).
 */
void cpu_init_this(void)
{
	u64 stub = PERCPU_BASE + ((u64)smp_processor_id() << PERCPU_SHIFT);
	u64 efer = rdmsr(MSR_EFER) | EFER_SCE | EFER_NX;

	write_cr0(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE |
		  X86_CR0_WP | X86_CR0_AM | X86_CR0_PG);
	write_cr4(hyp_cr4);
	if (use_auto_ibrs)
		efer |= EFER_AUTO_IBRS;
	wrmsr(MSR_EFER, efer);
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
	if (smp_processor_id() != 0)
		check_same();
}

static const char *have(unsigned int feature)
{
	return cpu_has(feature) ? "hardware yes, not used" : "no hardware";
}

/*
 * The operator must be able to trust this line, so it names what is missing
 * as plainly as what is on.
 */
void spec_ctrl_report(void)
{
	u64 caps = boot_cpu.raw[16];
	bool ibrs = use_ibrs_all || use_auto_ibrs;

	if (cmdline_bool("xpti") == 1)
		log_warn("xpti=yes: page-table isolation is not implemented\n");
	log_warn("Speculation: IBRS %s; IBPB %s; STIBP %s; L1D flush %s; "
		 "MD_CLEAR %s; XPTI missing (%s); retpoline missing; SMEP %s; "
		 "SMAP %s\n",
		 ibrs ? "on" : have(F_IBRSB),
		 spec_ibpb ? "on" : cpu_has(F_IBPB_AMD) ? have(F_IBPB_AMD) :
		 have(F_IBRSB),
		 have(F_STIBP), have(F_L1D_FLUSH),
		 caps & ARCH_CAPS_MDS_NO || boot_cpu.amd ? "not needed" :
		 have(F_MD_CLEAR),
		 caps & ARCH_CAPS_RDCL_NO || boot_cpu.amd ? "not needed" :
		 "processor may be vulnerable",
		 hyp_cr4 & X86_CR4_SMEP ? "on" : "off",
		 hyp_cr4 & X86_CR4_SMAP ? "on" : "off");
}
