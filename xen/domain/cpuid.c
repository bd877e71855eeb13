/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What CPUID tells a domain, and what the tools may choose of it.
 *
 * A policy is the complete answer: every leaf that exists, as data.  There
 * are two of the machine's own: host (what we use of the hardware) and pv
 * (what a guest gets).  A domain has pv until XEN_DOMCTL_set_cpu_policy, which
 * takes a policy, lets it only narrow pv and makes the dependent leaves
 * consistent (policy_finish()).  A constant TSC is a promise about where the
 * guest stays; here all stay.
 *
 * Every policy has the same leaves in the same order, in the form that the
 * tools exchange: an array that is copied to them as it is, and searched from
 * its beginning by a guest's CPUID.  No MSR has a choice.
 *
 * Invariant: no feature is shown whose instructions need something we do not
 * switch, keep or emulate; a guest that believes its policy never gets a
 * fault from it.  Without CPUID faulting in hardware an application can still
 * execute CPUID itself and see the machine; the guest's kernel does not.
 *
 * Deliberately hidden although the hardware has it: paging features that a PV
 * guest cannot use, FSGSBASE (it would make each context switch of the guest
 * two trapping MSR accesses), speculation-control MSRs.
 */
#include <domain/domain.h>

#define NO_SUB		XEN_CPUID_NO_SUBLEAF
#define NR_XSTATE	63

#define EXT_BASE	0x80000000U
#define XEN_BASE	0x40000000U
#define VIRIDIAN_BASE	0x40000100U	/* tools expect to see it */

/* Positions in a policy: of leaves 4, 7, 8, 0xc and 0xd, then the others. */
#define AT_CACHE	4
#define AT_FEAT		12
#define AT_8		15
#define AT_C		20
#define AT_XSTATE	21
#define AT_EXT		86
#define NR_LEAVES	120

/* The leaves of a policy in order: `nr` leaves, or subleaves of one. */
static const struct { u32 leaf, nr; bool sub; } ranges[] = {
	{ 0, 4, false }, { 4, 6, true }, { 5, 2, false }, { 7, 3, true },
	{ 8, 3, false }, { 0xb, 2, true }, { 0xc, 1, false },
	{ 0xd, NR_XSTATE, true }, { XEN_BASE, 1, false },
	{ VIRIDIAN_BASE, 1, false }, { EXT_BASE, NR_LEAVES - AT_EXT, false },
};

struct cpuid_policy {
	struct slot { u32 leaf, sub; struct cpuid_leaf r; } s[NR_LEAVES];
	u32 arch_caps[2];
	u64 xcr0;		/* components a guest may enable */
};
_Static_assert(sizeof(struct slot) == sizeof(struct xen_cpuid_leaf), "leaf");

static struct cpuid_policy host, pv;

/* Which of the hardware's leaves no guest needs: power, performance counters,
 * topology.  Ranges of positions. */
static const u8 unused[][2] = {
	{ 3, 3 }, { AT_CACHE + 6, AT_CACHE + 7 }, { AT_8, AT_C },
	{ AT_EXT + 9, AT_EXT + 0x18 }, { AT_EXT + 0x1b, AT_EXT + 0x20 },
};

/* --- features as a bitmap ------------------------------------------------- */

#define AT(pos, reg) offsetof(struct cpuid_policy, s[pos].r.reg)
/* Where the words of the ABI's featureset are in a policy. */
static const u16 word_at[NR_FEATURE_WORDS] = {
	AT(1, d), AT(1, c), AT(AT_EXT + 1, d), AT(AT_EXT + 1, c),
	AT(AT_XSTATE + 1, a), AT(AT_FEAT, b), AT(AT_FEAT, c),
	AT(AT_EXT + 7, d), AT(AT_EXT + 8, b), AT(AT_FEAT, d),
	AT(AT_FEAT + 1, a), AT(AT_EXT + 0x21, a), AT(AT_FEAT + 1, b),
	AT(AT_FEAT + 2, d), AT(AT_FEAT + 1, c), AT(AT_FEAT + 1, d),
	offsetof(struct cpuid_policy, arch_caps[0]),
	offsetof(struct cpuid_policy, arch_caps[1]), AT(AT_EXT + 0x21, c),
};
#undef AT

static u32 *word(struct cpuid_policy *p, unsigned int w)
{
	return (u32 *)((char *)p + word_at[w]);
}

static bool policy_has(const struct cpuid_policy *p, unsigned int f)
{
	return *word((struct cpuid_policy *)p, f >> 5) >> (f & 31) & 1;
}

/* What a PV guest may see; the names of the bits are in the hardware manuals
 * and, by these word numbers, in the public ABI's CPU featureset. */
static const u32 pv_mask[NR_FEATURE_WORDS] = {
	0x1fc9cbf5,	/* not: VME PSE MTRR PGE PSE36 DS TM PBE */
	0xf6d83203,	/* not: DTES64 MONITOR VMX SMX EIST PCID X2APIC */
	0xea500800,	/* not: PAGE1GB; the copies of word 0 come later */
	0x002109e3,	/* not: SVM EXTAPIC OSVW IBS SKINIT TOPOEXT ... */
	0x00000007,	/* not: XSAVES */
	0xfdaf0328,	/* not: FSGSBASE SMEP SMAP INVPCID HLE RTM MPX PT */
	0x02405f43,	/* not: UMIP PKU CET */
	0x00000100,	/* ITSC */
	0x24000005,	/* not: IBPB, SSBD and the like */
	0x0000441c,	/* not: IBRS STIBP SSBD ARCH_CAPS */
	0x00001c30,
	0x60000064,
	0, 0x00000020, 0, 0,
	0, 0,		/* no ARCH_CAPABILITIES */
	0x00000006,
};
#define HYPERVISOR_BIT	(1U << 31)	/* word 1 */
#define F_AVX512F	X86F(5, 16)
#define AVX512_WORD5	0xdc230000U
#define COMMON_1D	0x0183f3ffU	/* AMD repeats these of word 0 */

/* Without feature `need`, the bits `lose` of word w mean nothing.  In an
 * order that lets losses add up. */
static const struct { u16 need; u8 w; u32 lose; } depends[] = {
	{ F_XSAVE, 4, ~0U },
	{ F_XSAVE, 1, 1U << 28 },				/* AVX */
	{ F_AVX, 1, 1U << 12 | 1U << 29 },			/* FMA F16C */
	{ F_AVX, 3, 1U << 11 | 1U << 16 },			/* XOP FMA4 */
	{ F_AVX, 5, 1U << 5 },					/* AVX2 */
	{ F_AVX, 6, 1U << 9 | 1U << 10 },		/* VAES VPCLMULQDQ */
	{ X86F(5, 5), 5, 1U << 16 },			/* AVX512F */
	{ X86F(5, 5), 10, 1U << 4 },			/* AVX_VNNI */
	{ F_AVX512F, 5, AVX512_WORD5 },
	{ F_AVX512F, 6, 0x5842 },
	{ F_AVX512F, 9, 1U << 2 | 1U << 3 | 1U << 8 | 1U << 23 },
	{ F_AVX512F, 10, 1U << 5 },
};

/* --- XSAVE area ----------------------------------------------------------- */

/* Bytes of the standard or compacted form for these components. */
static u32 xsave_size(u64 xcr0, bool compact)
{
	u32 size = 576;

	for (unsigned int i = 2; i < NR_XSTATE; i++) {
		const struct cpuid_leaf *l = &host.s[AT_XSTATE + i].r;

		if (!(xcr0 >> i & 1))
			continue;
		if (!compact)
			size = max(size, l->a + l->b);
		else
			size = (l->c & 2 ? ROUND_UP(size, 64U) : size) + l->a;
	}
	return size;
}

/* --- making policies ------------------------------------------------------ */

/* Makes everything that follows from the features and limits follow. */
static void policy_finish(struct cpuid_policy *p)
{
	struct cpuid_leaf *e7 = &p->s[AT_EXT + 7].r;
	struct cpuid_leaf *e21 = &p->s[AT_EXT + 0x21].r;
	struct cpuid_leaf *sizes = &p->s[AT_EXT + 8].r;
	struct slot *x = p->s + AT_XSTATE;

	*word(p, 1) |= HYPERVISOR_BIT;
	for (unsigned int i = 0; i < ARRAY_SIZE(depends); i++)
		if (!policy_has(p, depends[i].need))
			*word(p, depends[i].w) &= ~depends[i].lose;
	p->xcr0 = !policy_has(p, F_XSAVE) ? 0 :
		  boot_cpu.xcr0 & (3 | (policy_has(p, F_AVX) ? 4 : 0) |
				   (policy_has(p, F_AVX512F) ? 0xe0 : 0));
	x[0].r = (struct cpuid_leaf){
		.a = p->xcr0, .c = p->xcr0 ? xsave_size(p->xcr0, false) : 0 };
	x[1].r = (struct cpuid_leaf){ .a = p->xcr0 ? x[1].r.a : 0 };
	for (unsigned int i = 2; i < NR_XSTATE; i++)
		x[i].r = p->xcr0 >> i & 1 ? host.s[AT_XSTATE + i].r
					  : (struct cpuid_leaf){ 0 };
	for (unsigned int i = 0; i < ARRAY_SIZE(unused); i++)
		for (unsigned int k = unused[i][0]; k <= unused[i][1]; k++)
			p->s[k].r = (struct cpuid_leaf){ 0 };
	*e7 = (struct cpuid_leaf){ .d = e7->d };
	*e21 = (struct cpuid_leaf){ .a = e21->a, .c = e21->c };
	p->s[AT_FEAT].r.a = min(p->s[AT_FEAT].r.a, 2U);
	p->s[1].r.b &= 0x00ffffff;
	sizes->a = min(sizes->a & 0xff, boot_cpu.phys_bits);
	sizes->a = max(sizes->a, 36U) | 48 << 8;
	sizes->c = boot_cpu.amd ? sizes->c & 0xf0ff : 0;
	sizes->d = 0;
	p->s[AT_EXT + 1].r.d &= ~COMMON_1D;
	if (boot_cpu.amd)
		p->s[AT_EXT + 1].r.d |= p->s[1].r.d & COMMON_1D;
}

/* Boot, after cpu_identify(): the machine's policies. */
void __init cpuid_init(void)
{
	struct slot *s = host.s, *first;

	for (unsigned int r = 0; r < ARRAY_SIZE(ranges); r++) {
		for (u32 i = 0; i < ranges[r].nr; i++, s++) {
			s->leaf = ranges[r].leaf + (ranges[r].sub ? 0 : i);
			s->sub = ranges[r].sub ? i : NO_SUB;
			/* The first of each half tells which others exist. */
			first = s < host.s + AT_EXT ? host.s : host.s + AT_EXT;
			if (s == first || s->leaf <= first->r.a)
				cpuid_count(s->leaf, ranges[r].sub ? i : 0,
					    &s->r.a, &s->r.b, &s->r.c,
					    &s->r.d);
		}
	}
	host.s[0].r.a = min(host.s[0].r.a, 0xdU);
	first = host.s + AT_EXT;
	first->r.a = EXT_BASE | min(first->r.a & 0xffff,
				    boot_cpu.amd ? 0x21U : 8U);
	for (unsigned int w = 0; w < NR_FEATURE_WORDS; w++)
		*word(&host, w) = boot_cpu.features[w];

	pv = host;
	for (unsigned int w = 0; w < NR_FEATURE_WORDS; w++)
		*word(&pv, w) &= pv_mask[w];
	policy_finish(&pv);
}

/* --- a domain's ----------------------------------------------------------- */

/* A new domain, or one that ends, has the default policy. */
void cpuid_reset_domain(struct domain *d)
{
	if (d->cpuid != &pv)
		heap_free(d->cpuid);
	d->cpuid = &pv;
}

/* XCR0 bits its vCPUs may set; 0: no XSAVE at all. */
u64 cpuid_max_xcr0(const struct domain *d)
{
	return d->cpuid->xcr0;
}

/* Leaf (and subleaf, where it has some), or NULL. */
static struct slot *policy_find(struct cpuid_policy *p, u32 leaf, u32 sub)
{
	for (struct slot *s = p->s; s < p->s + NR_LEAVES; s++)
		if (s->leaf == leaf && (s->sub == sub || s->sub == NO_SUB))
			return s;
	return NULL;
}

static void leaf_hypervisor(u32 leaf, u32 sub, struct cpuid_leaf *out)
{
	const struct cpuid_leaf leaves[] = {
		{ XEN_BASE + 5, 0x566e6558, 0x65584d4d, 0x4d4d566e },
		{ .a = XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR },
		/* No MSR places stubs; MMU_PT_UPDATE_PRESERVE_AD. */
		{ .c = 1 },
		/* 3: time, see below.  5: bits of a machine address, by which
		 * guests choose formats. */
		[5] = { .b = PAGE_SHIFT + 1 + fls64(max_mfn - 1) },
	};
	const struct cpuid_leaf times[] = {
		{ .a = (u32)cpu_has(F_ITSC) << 1 | (u32)cpu_has(F_RDTSCP) << 2,
		  .c = boot_cpu.tsc_khz },
		{ .c = clock_scale.mul, .d = (u8)clock_scale.shift },
		{ .a = boot_cpu.tsc_khz },
	};

	leaf -= XEN_BASE;
	if (leaf == 3 && sub < ARRAY_SIZE(times))
		*out = times[sub];
	else if (leaf < ARRAY_SIZE(leaves))
		*out = leaves[leaf];
}

/*
 * CPUID as v's domain sees it.  v is current, and in the trap that asks:
 * regs.entry_vector tells a forced CPUID from a faulted one.
 */
void cpuid_guest(const struct vcpu *v, u32 leaf, u32 sub,
		 struct cpuid_leaf *out)
{
	struct cpuid_policy *p = v->domain->cpuid;
	const struct slot *s = NULL;

	*out = (struct cpuid_leaf){ 0 };
	if (leaf >= XEN_BASE && leaf < VIRIDIAN_BASE)
		leaf_hypervisor(leaf, sub, out);
	else if (leaf <= p->s[leaf < EXT_BASE ? 0 : AT_EXT].r.a &&
		 (leaf != 7 || sub <= p->s[AT_FEAT].r.a))
		s = policy_find(p, leaf, sub);
	if (!s)
		return;
	*out = s->r;
	/* What depends on the vCPU's own state.  A PV kernel asks for OSXSAVE
	 * (by the forced prefix, a #UD) before it can have set it in CR4, and
	 * takes a clear bit for "never". */
	if (leaf == 1 && p->xcr0 &&
	    (v->cr4 & X86_CR4_OSXSAVE ||
	     (v->in_kernel && v->regs.entry_vector == X86_EXC_UD)))
		out->c |= 1U << 27;
	if (leaf == 0xd && p->xcr0 && (!sub || (sub == 1 && out->a & 2)))
		out->b = xsave_size(v->xcr0, sub);
}

/* --- to and from the tools ------------------------------------------------ */

/* XEN_DOMCTL_get_cpu_policy, with the structure's fields. */
int cpuid_get_policy(const struct cpuid_policy *p, u64 leaves, u32 *nr,
		     u32 *nr_msrs)
{
	if (leaves && *nr < NR_LEAVES)
		return deny(-XEN_ENOBUFS);
	*nr = NR_LEAVES;
	*nr_msrs = 0;
	return leaves ? copy_to_guest(leaves, p->s, sizeof(p->s)) : 0;
}

/* XEN_SYSCTL_get_cpu_policy. */
int cpuid_system_policy(struct xen_sysctl_cpu_policy *p)
{
	/* Asked for the size, tools mean no one in particular: the first. */
	bool is_host = p->index <= XEN_SYSCTL_cpu_policy_host;

	if (!is_host && p->index != XEN_SYSCTL_cpu_policy_pv_max &&
	    p->index != XEN_SYSCTL_cpu_policy_pv_default)
		return deny(-XEN_EOPNOTSUPP);
	return cpuid_get_policy(is_host ? &host : &pv, p->leaves,
				&p->nr_leaves, &p->nr_msrs);
}

/* XEN_SYSCTL_get_cpu_featureset.  -XEN_ENOBUFS writes what fits. */
int cpuid_system_featureset(struct xen_sysctl_cpu_featureset *p)
{
	u32 room = p->features ? p->nr_features : NR_FEATURE_WORDS;

	if (p->index != XEN_SYSCTL_cpu_featureset_host)
		return deny(-XEN_EOPNOTSUPP);
	p->nr_features = min(room, (u32)NR_FEATURE_WORDS);
	if (p->features && copy_to_guest(p->features, boot_cpu.features,
					 p->nr_features * sizeof(u32)))
		return deny(-XEN_EFAULT);
	return room < NR_FEATURE_WORDS ? -XEN_ENOBUFS : 0;
}

/*
 * XEN_DOMCTL_set_cpu_policy, while d has never run.  What pv does not have is
 * left out.  On an error err_* name the culprit and nothing has changed.
 */
int cpuid_set_policy(struct domain *d, struct xen_domctl_cpu_policy *op)
{
	struct cpuid_policy *p;
	struct slot x, *s;
	int rc = 0;

	op->err_leaf = op->err_subleaf = op->err_msr = ~0U;
	if (op->nr_leaves > NR_LEAVES || op->nr_msrs)
		return deny(-XEN_E2BIG);
	p = heap_alloc(sizeof(*p));
	if (!p)
		return deny(-XEN_ENOMEM);
	*p = *d->cpuid;
	for (u32 i = 0; !rc && i < op->nr_leaves; i++) {
		rc = copy_from_guest(&x, op->leaves + i * sizeof(x), sizeof(x));
		s = rc ? NULL : policy_find(p, x.leaf, x.sub);
		if (s && s->sub == x.sub) {
			*s = x;
		} else if (!rc) {
			op->err_leaf = x.leaf;
			op->err_subleaf = x.sub;
			rc = deny(-XEN_ERANGE);
		}
	}
	if (rc) {
		heap_free(p);
		return rc;
	}
	for (unsigned int i = 0; i <= AT_EXT; i += AT_EXT)
		p->s[i].r.a = min(p->s[i].r.a, pv.s[i].r.a);
	for (unsigned int w = 0; w < NR_FEATURE_WORDS; w++)
		*word(p, w) &= *word(&pv, w);
	policy_finish(p);
	cpuid_reset_domain(d);
	d->cpuid = p;
	return 0;
}
