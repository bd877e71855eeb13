/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What CPUID tells a domain, and what the tools may choose of it.
 *
 * A policy is the complete answer: every leaf that exists, as data.  There
 * are four of the machine's own: raw (the hardware), host (what we use of
 * it), pv_max (what a guest could be given) and pv_def (what it gets unless
 * the tools say otherwise).  A domain points to pv_def until
 * XEN_DOMCTL_set_cpu_policy, which takes a policy, lets it only narrow pv_max
 * and makes the dependent leaves consistent (policy_finish()).
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
#include <hypercall-abi/sysctl.h>

#define NR_BASIC	14	/* 0 to 0xd */
#define NR_CACHE	6
#define NR_FEAT		3
#define NR_TOPO		2
#define NR_XSTATE	63
#define NR_EXT		0x22
#define NR_LEAVES	(NR_BASIC - 4 + NR_CACHE + NR_FEAT + NR_TOPO + \
			 NR_XSTATE + 2 + NR_EXT)
#define NR_MSRS		2

#define EXT_BASE	0x80000000U
#define XEN_BASE	0x40000000U
#define VIRIDIAN_BASE	0x40000100U	/* tools expect to see it */
#define MSR_PLATFORM_INFO 0xce

struct cpuid_policy {
	struct cpuid_leaf basic[NR_BASIC], cache[NR_CACHE], feat[NR_FEAT];
	struct cpuid_leaf topo[NR_TOPO], xstate[NR_XSTATE], ext[NR_EXT];
	u64 arch_caps;
	u64 xcr0;		/* components a guest may enable */
	u32 xsave_size;		/* for all of them */
};

static struct cpuid_policy raw_policy, host_policy, pv_max, pv_def, dom0_def;

/* --- features as a bitmap ------------------------------------------------- */

#define AT(field) offsetof(struct cpuid_policy, field)
/* Where the words of the ABI's featureset are in a policy. */
static const u16 word_at[NR_FEATURE_WORDS] = {
	AT(basic[1].d), AT(basic[1].c), AT(ext[1].d), AT(ext[1].c),
	AT(xstate[1].a), AT(feat[0].b), AT(feat[0].c), AT(ext[7].d),
	AT(ext[8].b), AT(feat[0].d), AT(feat[1].a), AT(ext[0x21].a),
	AT(feat[1].b), AT(feat[2].d), AT(feat[1].c), AT(feat[1].d),
	AT(arch_caps), AT(arch_caps) + 4, AT(ext[0x21].c),
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
	0x00000000,	/* not: ITSC, but see below */
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

static void drop(struct cpuid_policy *p, unsigned int f)
{
	*word(p, f >> 5) &= ~(1U << (f & 31));
}

static void policy_dependencies(struct cpuid_policy *p)
{
	unsigned int i;

	if ((boot_cpu.xcr0 & 3) != 3 || p->basic[0].a < 0xd)
		drop(p, F_XSAVE);
	if (!(boot_cpu.xcr0 & 4))
		drop(p, F_AVX);
	if ((boot_cpu.xcr0 & 0xe0) != 0xe0)
		drop(p, F_AVX512F);
	for (i = 0; i < ARRAY_SIZE(depends); i++)
		if (!policy_has(p, depends[i].need))
			*word(p, depends[i].w) &= ~depends[i].lose;
}

/* --- XSAVE area ----------------------------------------------------------- */

/* Bytes of the standard form for these components. */
static u32 xsave_size(u64 xcr0)
{
	const struct cpuid_leaf *l;
	u32 size = 576;
	unsigned int i;

	for (i = 2; i < NR_XSTATE; i++) {
		l = &raw_policy.xstate[i];
		if (xcr0 >> i & 1)
			size = max(size, l->a + l->b);
	}
	return size;
}

/* And of the compacted form. */
static u32 xsavec_size(u64 xcr0)
{
	const struct cpuid_leaf *l;
	u32 size = 576;
	unsigned int i;

	for (i = 2; i < NR_XSTATE; i++) {
		l = &raw_policy.xstate[i];
		if (!(xcr0 >> i & 1))
			continue;
		if (l->c & 2)
			size = ROUND_UP(size, 64U);
		size += l->a;
	}
	return size;
}

static void policy_xstate(struct cpuid_policy *p)
{
	u32 features = p->xstate[1].a;
	unsigned int i;

	memset(p->xstate, 0, sizeof(p->xstate));
	p->xcr0 = 0;
	p->xsave_size = 0;
	if (!policy_has(p, F_XSAVE))
		return;
	p->xcr0 = 3 | (policy_has(p, F_AVX) ? 4 : 0) |
		  (policy_has(p, F_AVX512F) ? 0xe0 : 0);
	p->xsave_size = xsave_size(p->xcr0);
	p->xstate[0] = (struct cpuid_leaf){
		.a = p->xcr0, .c = p->xsave_size, .d = p->xcr0 >> 32,
	};
	p->xstate[1].a = features;
	for (i = 2; i < NR_XSTATE; i++)
		if (p->xcr0 >> i & 1)
			p->xstate[i] = raw_policy.xstate[i];
}

/* --- making policies ------------------------------------------------------ */

static void read_leaf(struct cpuid_leaf *l, u32 leaf, u32 sub)
{
	cpuid_count(leaf, sub, &l->a, &l->b, &l->c, &l->d);
}

static void read_subleaves(struct cpuid_leaf *l, u32 leaf, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		read_leaf(&l[i], leaf, i);
}

static void __init read_raw(struct cpuid_policy *p)
{
	u32 leaf, max_leaf;

	read_leaf(&p->basic[0], 0, 0);
	max_leaf = min(p->basic[0].a, NR_BASIC - 1U);
	for (leaf = 1; leaf <= max_leaf; leaf++)
		read_leaf(&p->basic[leaf], leaf, 0);
	if (max_leaf >= 4)
		read_subleaves(p->cache, 4, NR_CACHE);
	if (max_leaf >= 7)
		read_subleaves(p->feat, 7,
			       min(p->basic[7].a + 1, (u32)NR_FEAT));
	if (max_leaf >= 0xb)
		read_subleaves(p->topo, 0xb, NR_TOPO);
	if (max_leaf >= 0xd)
		read_subleaves(p->xstate, 0xd, NR_XSTATE);
	read_leaf(&p->ext[0], EXT_BASE, 0);
	max_leaf = min(p->ext[0].a & 0xffff, NR_EXT - 1U);
	for (leaf = 1; p->ext[0].a & EXT_BASE && leaf <= max_leaf; leaf++)
		read_leaf(&p->ext[leaf], EXT_BASE | leaf, 0);
}

static void zero_leaves(struct cpuid_leaf *l, u32 first, u32 last)
{
	memset(l + first, 0, (last - first + 1) * sizeof(*l));
}

/* Nothing of these is for guests: power, performance counters, topology. */
static void policy_clear_unused(struct cpuid_policy *p)
{
	zero_leaves(p->basic, 3, 3);
	zero_leaves(p->basic, 5, 6);
	zero_leaves(p->basic, 8, 0xc);
	zero_leaves(p->topo, 0, NR_TOPO - 1);
	zero_leaves(p->ext, 9, 0x18);
	zero_leaves(p->ext, 0x1b, 0x20);
	p->ext[7] = (struct cpuid_leaf){ .d = p->ext[7].d };
	p->ext[0x21] = (struct cpuid_leaf){ .a = p->ext[0x21].a,
					    .c = p->ext[0x21].c };
}

/* Makes everything that follows from the features and limits follow. */
static void policy_finish(struct cpuid_policy *p)
{
	struct cpuid_leaf *sizes = &p->ext[8];
	u32 phys = min(sizes->a & 0xff, boot_cpu.phys_bits);

	*word(p, 1) |= HYPERVISOR_BIT;
	policy_dependencies(p);
	policy_xstate(p);
	policy_clear_unused(p);
	p->feat[0].a = min(p->feat[0].a, NR_FEAT - 1U);
	p->basic[1].b &= 0x00ffffff;
	sizes->a = max(phys, 36U) | 48 << 8;
	sizes->c = boot_cpu.amd ? sizes->c & 0xf0ff : 0;
	sizes->d = 0;
	p->ext[1].d &= ~COMMON_1D;
	if (boot_cpu.amd)
		p->ext[1].d |= p->basic[1].d & COMMON_1D;
}

static void policy_limits(struct cpuid_policy *p)
{
	u32 max_ext = boot_cpu.amd ? NR_EXT - 1 : 8;

	p->basic[0].a = min(p->basic[0].a, NR_BASIC - 1U);
	p->ext[0].a = EXT_BASE | min(p->ext[0].a & 0xffff, max_ext);
}

static void policy_mask(struct cpuid_policy *p, const u32 *mask)
{
	unsigned int w;

	for (w = 0; w < NR_FEATURE_WORDS; w++)
		*word(p, w) &= mask[w];
}

/* Boot, after cpu_identify(): the machine's policies. */
void __init cpuid_init(void)
{
	unsigned int w;

	read_raw(&raw_policy);
	for (w = 0; w < NR_FEATURE_WORDS; w++)
		*word(&raw_policy, w) = boot_cpu.raw[w];

	host_policy = raw_policy;
	policy_limits(&host_policy);
	for (w = 0; w < NR_FEATURE_WORDS; w++)
		*word(&host_policy, w) = boot_cpu.features[w];
	host_policy.xcr0 = boot_cpu.xcr0;

	pv_def = host_policy;
	policy_mask(&pv_def, pv_mask);
	policy_finish(&pv_def);
	/* A constant TSC is a promise about where the guest stays: Dom0's by
	 * nature, others' by the tools' choice. */
	pv_max = pv_def;
	*word(&pv_max, 7) |= boot_cpu.features[7] & 1U << (F_ITSC & 31);
	dom0_def = pv_max;
}

/* --- a domain's ----------------------------------------------------------- */

/* A new domain's policy: the default, shared until changed. */
int cpuid_init_domain(struct domain *d)
{
	d->cpuid = d->is_privileged ? &dom0_def : &pv_def;
	return 0;
}

void cpuid_free_domain(struct domain *d)
{
	if (d->cpuid != &dom0_def && d->cpuid != &pv_def)
		heap_free(d->cpuid);
	d->cpuid = NULL;
}

/* XCR0 bits its vCPUs may set; 0: no XSAVE at all. */
u64 cpuid_max_xcr0(const struct domain *d)
{
	return d->cpuid->xcr0;
}

/* The leaf's place, or NULL.  *has_sub: its subleaf matters. */
static struct cpuid_leaf *policy_at(struct cpuid_policy *p, u32 leaf, u32 sub,
				    bool *has_sub)
{
	*has_sub = true;
	switch (leaf) {
	case 4:
		return sub < NR_CACHE ? &p->cache[sub] : NULL;
	case 7:
		return sub < NR_FEAT ? &p->feat[sub] : NULL;
	case 0xb:
		return sub < NR_TOPO ? &p->topo[sub] : NULL;
	case 0xd:
		return sub < NR_XSTATE ? &p->xstate[sub] : NULL;
	}
	*has_sub = false;
	if (leaf < NR_BASIC)
		return &p->basic[leaf];
	if (leaf >= EXT_BASE && leaf < EXT_BASE + NR_EXT)
		return &p->ext[leaf - EXT_BASE];
	return NULL;
}

/* Bits of a machine address; guests choose data formats by it. */
static u32 machine_width(void)
{
	return PAGE_SHIFT + 1 + (max_mfn > 1 ? fls64(max_mfn - 1) : 0);
}

static void leaf_time(const struct domain *d, u32 sub, struct cpuid_leaf *out)
{
	switch (sub) {
	case 0:
		out->a = (u32)cpu_has(F_ITSC) << 1 |
			 (u32)cpu_has(F_RDTSCP) << 2;
		out->c = boot_cpu.tsc_khz;
		out->d = d->tsc_incarnation;
		return;
	case 1:
		out->c = clock_scale.mul;
		out->d = (u8)clock_scale.shift;
		return;
	case 2:
		out->a = boot_cpu.tsc_khz;
		return;
	}
}

static void leaf_hypervisor(const struct domain *d, u32 leaf, u32 sub,
			    struct cpuid_leaf *out)
{
	switch (leaf - XEN_BASE) {
	case 0:
		*out = (struct cpuid_leaf){ .a = XEN_BASE + 5,
			.b = 0x566e6558, .c = 0x65584d4d, .d = 0x4d4d566e };
		return;
	case 1:
		out->a = XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR;
		return;
	case 2:
		/* One page of stubs by this MSR; MMU_PT_UPDATE_PRESERVE_AD. */
		*out = (struct cpuid_leaf){ .a = 1, .b = XEN_BASE, .c = 1 };
		return;
	case 3:
		leaf_time(d, sub, out);
		return;
	case 5:
		out->b = machine_width();
		return;
	}
}

/* What depends on the vCPU's own state. */
static void leaf_adjust(const struct vcpu *v, u32 leaf, u32 sub,
			struct cpuid_leaf *out)
{
	const struct cpuid_policy *p = v->domain->cpuid;

	if (leaf == 1 && policy_has(p, F_XSAVE)) {
		/* A PV kernel asks (by the forced prefix, a #UD) before it can
		 * have set CR4.OSXSAVE, and takes a clear bit for "never". */
		if (v->cr4 & X86_CR4_OSXSAVE ||
		    (v->in_kernel && v->regs.entry_vector == X86_EXC_UD))
			out->c |= 1U << 27;
	} else if (leaf == 0xd && p->xcr0) {
		if (sub == 0)
			out->b = xsave_size(v->xcr0);
		else if (sub == 1 && out->a & 2)
			out->b = xsavec_size(v->xcr0);
	}
}

/*
 * CPUID as v's domain sees it.  v is current, and in the trap that asks:
 * regs.entry_vector tells a forced CPUID from a faulted one.
 */
void cpuid_guest(const struct vcpu *v, u32 leaf, u32 sub,
		 struct cpuid_leaf *out)
{
	struct cpuid_policy *p = v->domain->cpuid;
	const struct cpuid_leaf *l;
	bool has_sub;

	*out = (struct cpuid_leaf){ 0 };
	if (leaf >= XEN_BASE && leaf < XEN_BASE + 0x100) {
		leaf_hypervisor(v->domain, leaf, sub, out);
		return;
	}
	if (leaf < EXT_BASE ? leaf > p->basic[0].a : leaf > p->ext[0].a)
		return;
	if (leaf == 7 && sub > p->feat[0].a)
		return;
	l = policy_at(p, leaf, sub, &has_sub);
	if (!l)
		return;
	*out = *l;
	leaf_adjust(v, leaf, sub, out);
}

/* --- to and from the tools ------------------------------------------------ */

struct writer {
	u64 gva;
	u32 used, room;
	int rc;
};

static void put_leaf(struct writer *w, u32 leaf, u32 sub,
		     const struct cpuid_leaf *l)
{
	struct xen_cpuid_leaf x = {
		.leaf = leaf, .subleaf = sub,
		.a = l->a, .b = l->b, .c = l->c, .d = l->d,
	};

	if (w->rc)
		return;
	if (w->used == w->room)
		w->rc = -XEN_ENOBUFS;
	else if (copy_to_guest(w->gva + w->used * sizeof(x), &x, sizeof(x)))
		w->rc = -XEN_EFAULT;
	else
		w->used++;
}

static void put_subleaves(struct writer *w, u32 leaf,
			  const struct cpuid_leaf *l, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		put_leaf(w, leaf, i, &l[i]);
}

/* Subleaves of leaf 4 or 0xb: up to the first of type 0, included. */
static u32 typed_subleaves(const struct cpuid_leaf *l, u32 nr, bool cache)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!(cache ? l[i].a & 0x1f : l[i].c >> 8 & 0xff))
			return i + 1;
	return nr;
}

static void put_basic(struct writer *w, const struct cpuid_policy *p)
{
	u32 leaf, last = min(p->basic[0].a, NR_BASIC - 1U);

	for (leaf = 0; leaf <= last; leaf++) {
		switch (leaf) {
		case 4:
			put_subleaves(w, leaf, p->cache,
				      typed_subleaves(p->cache, NR_CACHE,
						      true));
			break;
		case 7:
			put_subleaves(w, leaf, p->feat,
				      min(p->feat[0].a, NR_FEAT - 1U) + 1);
			break;
		case 0xb:
			put_subleaves(w, leaf, p->topo,
				      typed_subleaves(p->topo, NR_TOPO,
						      false));
			break;
		case 0xd:
			put_subleaves(w, leaf, p->xstate,
				      p->xcr0 ? fls64(p->xcr0 | 2) + 1 : 2);
			break;
		default:
			put_leaf(w, leaf, XEN_CPUID_NO_SUBLEAF,
				 &p->basic[leaf]);
		}
	}
}

static int put_policy(const struct cpuid_policy *p, u64 gva, u32 *nr)
{
	static const struct cpuid_leaf none;
	struct writer w = { .gva = gva, .room = *nr };
	u32 leaf, last = min(p->ext[0].a & 0xffff, NR_EXT - 1U);

	put_basic(&w, p);
	put_leaf(&w, XEN_BASE, XEN_CPUID_NO_SUBLEAF, &none);
	put_leaf(&w, VIRIDIAN_BASE, XEN_CPUID_NO_SUBLEAF, &none);
	for (leaf = 0; leaf <= last; leaf++)
		put_leaf(&w, EXT_BASE | leaf, XEN_CPUID_NO_SUBLEAF,
			 &p->ext[leaf]);
	if (!w.rc)
		*nr = w.used;
	return w.rc;
}

static int put_msrs(const struct cpuid_policy *p, u64 gva, u32 *nr)
{
	struct xen_msr_entry m[NR_MSRS] = {
		{ .idx = MSR_PLATFORM_INFO },
		{ .idx = MSR_ARCH_CAPABILITIES, .val = p->arch_caps },
	};

	if (*nr < NR_MSRS)
		return -XEN_ENOBUFS;
	if (copy_to_guest(gva, m, sizeof(m)))
		return -XEN_EFAULT;
	*nr = NR_MSRS;
	return 0;
}

static int policy_copy_out(const struct cpuid_policy *p, u64 leaves,
			   u32 *nr_leaves, u64 msrs, u32 *nr_msrs)
{
	int rc = 0;

	if (leaves)
		rc = put_policy(p, leaves, nr_leaves);
	else
		*nr_leaves = NR_LEAVES;
	if (rc)
		return deny(rc);
	if (msrs)
		rc = put_msrs(p, msrs, nr_msrs);
	else
		*nr_msrs = NR_MSRS;
	return rc ? deny(rc) : 0;
}

/* XEN_DOMCTL_get_cpu_policy. */
int cpuid_get_policy(const struct domain *d, struct xen_domctl_cpu_policy *p)
{
	return policy_copy_out(d->cpuid, p->leaves, &p->nr_leaves, p->msrs,
			       &p->nr_msrs);
}

/* XEN_SYSCTL_get_cpu_policy. */
int cpuid_system_policy(struct xen_sysctl_cpu_policy *p)
{
	static struct cpuid_policy *const policy[] = {
		[XEN_SYSCTL_cpu_policy_raw] = &raw_policy,
		[XEN_SYSCTL_cpu_policy_host] = &host_policy,
		[XEN_SYSCTL_cpu_policy_pv_max] = &pv_max,
		[XEN_SYSCTL_cpu_policy_pv_default] = &pv_def,
		[XEN_SYSCTL_cpu_policy_hvm_default] = NULL,
	};

	if (p->_rsvd || p->index >= ARRAY_SIZE(policy))
		return deny(-XEN_EINVAL);
	if (!policy[p->index])
		return deny(-XEN_EOPNOTSUPP);
	return policy_copy_out(policy[p->index], p->leaves, &p->nr_leaves,
			       p->msrs, &p->nr_msrs);
}

/* XEN_SYSCTL_get_cpu_featureset.  -XEN_ENOBUFS writes what fits. */
int cpuid_system_featureset(struct xen_sysctl_cpu_featureset *p)
{
	static struct cpuid_policy *const policy[] = {
		[XEN_SYSCTL_cpu_featureset_raw] = &raw_policy,
		[XEN_SYSCTL_cpu_featureset_host] = &host_policy,
		[XEN_SYSCTL_cpu_featureset_pv] = &pv_def,
		[XEN_SYSCTL_cpu_featureset_pv_max] = &pv_max,
		[XEN_SYSCTL_cpu_featureset_hvm_max] = NULL,
	};
	u32 w, words[NR_FEATURE_WORDS], room = p->nr_features;

	if (p->index >= ARRAY_SIZE(policy))
		return deny(-XEN_EINVAL);
	if (!policy[p->index])
		return deny(-XEN_EOPNOTSUPP);
	for (w = 0; w < NR_FEATURE_WORDS; w++)
		words[w] = *word(policy[p->index], w);
	p->nr_features = NR_FEATURE_WORDS;
	if (!p->features)
		return 0;
	p->nr_features = min(room, (u32)NR_FEATURE_WORDS);
	if (copy_to_guest(p->features, words, p->nr_features * sizeof(u32)))
		return deny(-XEN_EFAULT);
	return room < NR_FEATURE_WORDS ? -XEN_ENOBUFS : 0;
}

static int take_leaf(struct cpuid_policy *p, const struct xen_cpuid_leaf *x)
{
	struct cpuid_leaf *l;
	bool has_sub;

	if (x->leaf == XEN_BASE || x->leaf == VIRIDIAN_BASE)
		return x->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : -XEN_ERANGE;
	l = policy_at(p, x->leaf, x->subleaf, &has_sub);
	if (!l || (!has_sub && x->subleaf != XEN_CPUID_NO_SUBLEAF))
		return -XEN_ERANGE;
	*l = (struct cpuid_leaf){ x->a, x->b, x->c, x->d };
	return 0;
}

static int take_leaves(struct cpuid_policy *p, struct xen_domctl_cpu_policy *op)
{
	struct xen_cpuid_leaf x;
	u32 i;
	int rc;

	if (op->nr_leaves > NR_LEAVES)
		return -XEN_E2BIG;
	for (i = 0; i < op->nr_leaves; i++) {
		if (copy_from_guest(&x, op->leaves + i * sizeof(x), sizeof(x)))
			return -XEN_EFAULT;
		rc = take_leaf(p, &x);
		if (rc) {
			op->err_leaf = x.leaf;
			op->err_subleaf = x.subleaf;
			return rc;
		}
	}
	return 0;
}

/* No MSR has a choice yet: only what all domains have is accepted. */
static int take_msrs(struct xen_domctl_cpu_policy *op)
{
	struct xen_msr_entry m;
	u32 i;

	if (op->nr_msrs > NR_MSRS)
		return -XEN_E2BIG;
	for (i = 0; i < op->nr_msrs; i++) {
		if (copy_from_guest(&m, op->msrs + i * sizeof(m), sizeof(m)))
			return -XEN_EFAULT;
		op->err_msr = m.idx;
		if (m.idx != MSR_PLATFORM_INFO &&
		    m.idx != MSR_ARCH_CAPABILITIES)
			return -XEN_ERANGE;
		if (m.flags || (m.idx == MSR_PLATFORM_INFO && m.val))
			return -XEN_EINVAL;
	}
	op->err_msr = ~0U;
	return 0;
}

static int policy_clamp(struct cpuid_policy *p,
			struct xen_domctl_cpu_policy *op)
{
	u32 mask[NR_FEATURE_WORDS];
	unsigned int w;

	op->err_subleaf = XEN_CPUID_NO_SUBLEAF;
	op->err_leaf = 0;
	if (p->basic[0].a > pv_max.basic[0].a)
		return -XEN_EINVAL;
	op->err_leaf = EXT_BASE;
	if (p->ext[0].a > pv_max.ext[0].a || !(p->ext[0].a & EXT_BASE))
		return -XEN_EINVAL;
	op->err_leaf = 7;
	op->err_subleaf = 0;
	if (p->feat[0].a > max(pv_max.feat[0].a, NR_FEAT - 1U))
		return -XEN_EINVAL;
	op->err_leaf = ~0U;
	op->err_subleaf = ~0U;

	for (w = 0; w < NR_FEATURE_WORDS; w++)
		mask[w] = *word(&pv_max, w);
	p->arch_caps = 0;
	policy_mask(p, mask);
	policy_finish(p);
	return 0;
}

/*
 * XEN_DOMCTL_set_cpu_policy, while d has never run.  On an error err_* name
 * the culprit and nothing has changed.
 */
int cpuid_set_policy(struct domain *d, struct xen_domctl_cpu_policy *op)
{
	struct cpuid_policy *p = heap_alloc(sizeof(*p));
	int rc;

	if (!p)
		return deny(-XEN_ENOMEM);
	*p = *d->cpuid;
	op->err_leaf = ~0U;
	op->err_subleaf = ~0U;
	op->err_msr = ~0U;
	rc = take_leaves(p, op);
	if (!rc)
		rc = take_msrs(op);
	if (!rc)
		rc = policy_clamp(p, op);
	if (rc) {
		heap_free(p);
		return deny(rc);
	}
	cpuid_free_domain(d);
	d->cpuid = p;
	return 0;
}
