/* SPDX-License-Identifier: GPL-2.0 */
/*
 * domctl: the control domain's tools make, change, inspect and end domains.
 *
 * One function per operation.  The argument structure is copied in once; what
 * an operation returns is copied back once, after it succeeded.  Operations
 * that only look (getdomaininfo) exclude nobody.  All others hold the target's
 * control_busy word, so that two tools, or a repeated call and a new one,
 * never work on one domain at the same time; it is not a lock: long
 * operations (destroy, a context with page tables) are interrupted, let go of
 * it and are repeated.
 *
 * Only the control domain may call, so the tools are trusted to be sensible,
 * not to be right: every number is checked, since a mistake there must not
 * hurt other domains.
 *
 * Deliberately absent: anything about hardware-assisted guests, device
 * assignment, memory sharing and paging, and logging of dirty pages (so no
 * live migration).
 */
#include <domain/domain.h>
#include <entry/entry.h>

/* --- bitmaps of tools ----------------------------------------------------- */

/* The first 64 bits; what is beyond is ignored.  0 or -XEN_EFAULT. */
int bitmap_from_guest(const struct xenctl_bitmap *b, cpumask_t *mask)
{
	u32 bits = min(b->nr_bits, 64U);

	*mask = 0;
	if (copy_from_guest(mask, b->bitmap, DIV_ROUND_UP(bits, 8)))
		return deny(-XEN_EFAULT);
	if (bits < 64)
		*mask &= (1UL << bits) - 1;
	return 0;
}

/* As many of nr bits as there is room for; the rest of the room is zeroed. */
int bitmap_to_guest(const struct xenctl_bitmap *b, cpumask_t mask,
		    unsigned int nr)
{
	u32 room = DIV_ROUND_UP((u64)b->nr_bits, 8);
	u32 bytes = min(room, (u32)DIV_ROUND_UP(nr, 8));

	if (copy_to_guest(b->bitmap, &mask, bytes))
		return deny(-XEN_EFAULT);
	if (room > bytes && clear_guest(b->bitmap + bytes, room - bytes))
		return deny(-XEN_EFAULT);
	return 0;
}

/* --- create and destroy --------------------------------------------------- */

static int config_check(const struct xen_domctl_createdomain *c)
{
	/* A store domain is an ordinary one with a label. */
	if (c->flags & ~XEN_DOMCTL_CDF_xs_domain || c->iommu_opts)
		return deny(-XEN_EINVAL);
	if (c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask ||
	    c->vmtrace_size || c->cpupool_id)
		return deny(-XEN_EINVAL);
	if (c->arch.emulation_flags || c->arch.misc_flags)
		return deny(-XEN_EINVAL);
	if (!c->max_vcpus || c->max_vcpus > MAX_VCPUS)
		return deny(-XEN_EINVAL);
	return 0;
}

static long domctl_create(struct xen_domctl *op)
{
	const struct xen_domctl_createdomain *c = &op->u.createdomain;
	bool any = !op->domain || op->domain >= DOMID_FIRST_RESERVED;
	struct domain_create create = {
		.max_vcpus = c->max_vcpus,
		.max_evtchn_port = c->max_evtchn_port,
		.max_grant_frames = c->max_grant_frames < 0 ? 64 :
				    c->max_grant_frames,
		.max_maptrack_frames = c->max_maptrack_frames < 0 ? 1024 :
				       c->max_maptrack_frames,
	};
	struct domain *d;
	domid_t id = op->domain;
	int rc = config_check(c);

	if (rc)
		return rc;
	memcpy(create.handle, c->handle, sizeof(create.handle));
	do {
		if (any)
			id = domid_pick();
		if (id == DOMID_INVALID)
			return deny(-XEN_ENOMEM);
		rc = domain_create(id, &create, &d);
	} while (any && rc == -XEN_EEXIST);
	op->domain = id;
	return rc;
}

static long domctl_max_vcpus(struct domain *d, u32 max_vcpus)
{
	u32 i;

	if (d == current->domain || d->is_dying || max_vcpus != d->max_vcpus)
		return deny(-XEN_EINVAL);
	domain_pause(d);
	for (i = 0; i < max_vcpus; i++)
		if (!d->vcpu[i] && !vcpu_create(d, i))
			break;
	domain_unpause(d);
	return i == max_vcpus ? 0 : deny(-XEN_ENOMEM);
}

static long domctl_max_mem(struct domain *d, u64 kib)
{
	if (kib >> 50)
		return deny(-XEN_EINVAL);
	spin_lock(&d->page_lock);
	d->max_pages = kib >> (PAGE_SHIFT - 10);
	spin_unlock(&d->page_lock);
	return 0;
}

/* --- information ---------------------------------------------------------- */

static u32 vcpus_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	u32 flags = XEN_DOMINF_blocked;
	struct vcpu *v;

	for_each_vcpu(d, v) {
		info->max_vcpu_id = v->id;
		info->cpu_time += vcpu_cpu_time(v);
		if (READ_ONCE(v->pause_flags) & VPF_DOWN)
			continue;
		info->nr_online_vcpus++;
		if (!(READ_ONCE(v->pause_flags) & VPF_BLOCKED))
			flags &= ~XEN_DOMINF_blocked;
		if (READ_ONCE(v->sched.running))
			flags |= XEN_DOMINF_running;
	}
	return info->nr_online_vcpus ? flags : 0;
}

/* All that tools see of a domain; a snapshot without locks. */
void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	memset(info, 0, sizeof(*info));
	info->domain = d->id;
	info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	info->flags = vcpus_info(d, info);
	if (d->is_dead)
		info->flags |= XEN_DOMINF_dying;
	if (load_acquire(&d->is_shut_down))
		info->flags |= XEN_DOMINF_shutdown;
	if (d->control_pauses)
		info->flags |= XEN_DOMINF_paused;
	info->flags |= (u32)d->shutdown_code << XEN_DOMINF_shutdownshift;
	info->tot_pages = d->tot_pages;
	info->max_pages = d->max_pages;
	info->shr_pages = d->shared_pages;
	info->shared_info_frame = d->shared_info_mfn.m;
	memcpy(info->handle, d->handle, sizeof(info->handle));
	info->gpaddr_bits = boot_cpu.phys_bits;
}

static long domctl_getdomaininfo(struct xen_domctl *op)
{
	struct domain *d;

	if (op->domain >= DOMID_FIRST_RESERVED)
		return deny(-XEN_EINVAL);
	d = domain_get_from(op->domain);
	if (!d)
		return -XEN_ESRCH;
	domain_get_info(d, &op->u.getdomaininfo);
	op->domain = d->id;
	domain_put(d);
	return 0;
}

static struct vcpu *vcpu_find(struct domain *d, u32 id)
{
	return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

static long domctl_getvcpuinfo(struct domain *d,
			       struct xen_domctl_getvcpuinfo *info)
{
	struct vcpu *v = vcpu_find(d, info->vcpu);

	if (!v)
		return -XEN_ESRCH;
	info->online = !(READ_ONCE(v->pause_flags) & VPF_DOWN);
	info->blocked = !!(READ_ONCE(v->pause_flags) & VPF_BLOCKED);
	info->running = READ_ONCE(v->sched.running);
	info->cpu_time = vcpu_cpu_time(v);
	info->cpu = v->sched.cpu;
	return 0;
}

/* --- vCPU context --------------------------------------------------------- */

static int context_give(struct vcpu *v, u64 gva)
{
	struct vcpu_guest_context *c = heap_alloc(sizeof(*c));
	int rc;

	if (!c)
		return deny(-XEN_ENOMEM);
	rc = copy_from_guest(c, gva, sizeof(*c));
	if (!rc && cmpxchg(&v->context_busy, 0, 1))
		rc = -XEN_ERESTART;
	else if (!rc) {
		rc = vcpu_set_context(v, c);
		store_release(&v->context_busy, 0);
	}
	heap_free(c);
	return rc;
}

/* Back to a vCPU without context.  Its page tables and GDT go. */
static int context_take(struct vcpu *v)
{
	int rc = vcpu_drop_l4s(v);

	if (rc)
		return rc;
	vcpu_drop_ldt(v);
	vcpu_drop_gdt(v);
	atomic_or(&v->pause_flags, VPF_DOWN);
	atomic_and(&v->pause_flags, ~(VPF_BLOCKED | VPF_POLL));
	v->initialised = 0;
	fpu_reset(v);
	return 0;
}

static long domctl_setvcpucontext(struct domain *d,
				  const struct xen_domctl_vcpucontext *vc)
{
	struct vcpu *v = vcpu_find(d, vc->vcpu);
	int rc;

	if (d == current->domain || !v || d->is_dying)
		return deny(-XEN_EINVAL);
	domain_pause(d);
	rc = vc->ctxt ? context_give(v, vc->ctxt) : context_take(v);
	domain_unpause(d);
	return rc;
}

static long domctl_getvcpucontext(struct domain *d,
				  const struct xen_domctl_vcpucontext *vc)
{
	struct vcpu *v = vcpu_find(d, vc->vcpu);
	struct vcpu_guest_context *c;
	int rc;

	if (!v || v == current)
		return deny(-XEN_EINVAL);
	if (!v->initialised)
		return deny(-XEN_ENODATA);
	c = heap_alloc(sizeof(*c));
	if (!c)
		return deny(-XEN_ENOMEM);
	vcpu_pause(v);
	vcpu_get_context(v, c);
	vcpu_unpause(v);
	rc = copy_to_guest(vc->ctxt, c, sizeof(*c));
	heap_free(c);
	return rc;
}

static long domctl_get_ext(struct domain *d,
			   struct xen_domctl_ext_vcpucontext *e)
{
	struct vcpu *v = vcpu_find(d, e->vcpu);

	if (!v)
		return -XEN_ESRCH;
	*e = (struct xen_domctl_ext_vcpucontext){
		.vcpu = v->id,
		.size = sizeof(*e),
		.syscall32_callback_eip = v->syscall32_cb.address,
		.sysenter_callback_eip = v->sysenter_cb.address,
		.syscall32_disables_events = v->syscall32_cb.mask_events,
		.sysenter_disables_events = v->sysenter_cb.mask_events,
	};
	return 0;
}

static long domctl_set_ext(struct domain *d,
			   const struct xen_domctl_ext_vcpucontext *e)
{
	struct vcpu *v = vcpu_find(d, e->vcpu);

	if (!v)
		return -XEN_ESRCH;
	if (d == current->domain ||
	    e->size < offsetof(struct xen_domctl_ext_vcpucontext, vmce) ||
	    !va_canonical(e->syscall32_callback_eip) ||
	    !va_canonical(e->sysenter_callback_eip))
		return deny(-XEN_EINVAL);
	domain_pause(d);
	v->syscall32_cb.address = e->syscall32_callback_eip;
	v->syscall32_cb.mask_events = e->syscall32_disables_events;
	v->sysenter_cb.address = e->sysenter_callback_eip;
	v->sysenter_cb.mask_events = e->sysenter_disables_events;
	domain_unpause(d);
	return 0;
}

/*
 * XSAVE state as tools carry it: XCR0, every bit XCR0 ever had, then the area
 * in standard form.
 */
struct xstate_header {
	u64 xcr0, xcr0_accum;
};
#define XSAVE_BV_OFF	512	/* xstate_bv, xcomp_bv, 48 reserved */
#define XSAVE_MIN	576

static long domctl_get_xstate(struct domain *d,
			      struct xen_domctl_vcpuextstate *x)
{
	struct vcpu *v = vcpu_find(d, x->vcpu);
	u64 size = sizeof(struct xstate_header) + boot_cpu.xsave_size;
	struct xstate_header h;
	int rc;

	if (!v)
		return -XEN_ESRCH;
	if (v == current)
		return deny(-XEN_EINVAL);
	if (!cpuid_max_xcr0(d))
		size = 0;
	if (!x->buffer || (!x->size && !x->xfeature_mask) || !size) {
		x->xfeature_mask = size ? boot_cpu.xcr0 : 0;
		x->size = size;
		return 0;
	}
	if (x->size < size || x->xfeature_mask != boot_cpu.xcr0)
		return deny(-XEN_EINVAL);
	vcpu_pause(v);
	h = (struct xstate_header){ v->xcr0, v->xcr0_accum };
	rc = copy_to_guest(x->buffer, &h, sizeof(h));
	if (!rc)
		rc = copy_to_guest(x->buffer + sizeof(h), v->fpu_area,
				   boot_cpu.xsave_size);
	vcpu_unpause(v);
	x->size = size;
	return rc;
}

/* What is wrong inside the area is found when it is loaded: see fpu.c. */
static int xstate_load(struct vcpu *v, u64 gva, u64 size)
{
	struct xstate_header h;
	u64 most = cpuid_max_xcr0(v->domain);
	u64 *bv = v->fpu_area + XSAVE_BV_OFF;

	if (copy_from_guest(&h, gva, sizeof(h)))
		return -XEN_EFAULT;
	if (h.xcr0 & ~h.xcr0_accum || h.xcr0_accum & ~most || !(h.xcr0 & 1))
		return -XEN_EINVAL;
	if (fpu_set_xcr0(v, h.xcr0))
		return -XEN_EINVAL;
	v->xcr0_accum = h.xcr0_accum;
	if (copy_from_guest(v->fpu_area, gva + sizeof(h), size - sizeof(h))) {
		fpu_reset(v);
		return -XEN_EFAULT;
	}
	bv[0] &= h.xcr0_accum | 3;
	memset(&bv[1], 0, 7 * sizeof(u64));
	return 0;
}

static long domctl_set_xstate(struct domain *d,
			      const struct xen_domctl_vcpuextstate *x)
{
	struct vcpu *v = vcpu_find(d, x->vcpu);
	int rc;

	if (!v)
		return -XEN_ESRCH;
	if (v == current || !cpuid_max_xcr0(d) ||
	    x->size < sizeof(struct xstate_header) + XSAVE_MIN ||
	    x->size > sizeof(struct xstate_header) + boot_cpu.xsave_size)
		return deny(-XEN_EINVAL);
	vcpu_pause(v);
	rc = xstate_load(v, x->buffer, x->size);
	vcpu_unpause(v);
	return rc ? deny(rc) : 0;
}

/* --- MSRs that move with a vCPU ------------------------------------------- */

#define MSR_MISC_FEATURES	0x140
#define NR_VCPU_MSRS		2

static u64 *vcpu_msr(struct vcpu *v, u32 index)
{
	if (index == MSR_TSC_AUX)
		return &v->tsc_aux;
	return index == MSR_MISC_FEATURES ? &v->misc_features : NULL;
}

static long domctl_get_msrs(struct domain *d, struct xen_domctl_vcpu_msrs *m)
{
	static const u32 index[NR_VCPU_MSRS] = {
		MSR_MISC_FEATURES, MSR_TSC_AUX
	};
	struct xen_domctl_vcpu_msr out;
	struct vcpu *v = vcpu_find(d, m->vcpu);
	u32 i, n = 0, room = m->msr_count;

	if (!v)
		return -XEN_ESRCH;
	if (v == current)
		return deny(-XEN_EINVAL);
	m->msr_count = NR_VCPU_MSRS;
	if (!m->msrs)
		return 0;
	for (i = 0; i < NR_VCPU_MSRS; i++) {
		out = (struct xen_domctl_vcpu_msr){
			.index = index[i], .value = *vcpu_msr(v, index[i]),
		};
		if (!out.value)
			continue;
		if (n == room)
			return deny(-XEN_ENOBUFS);
		if (copy_to_guest(m->msrs + n * sizeof(out), &out,
				  sizeof(out)))
			return deny(-XEN_EFAULT);
		n++;
	}
	m->msr_count = n;
	return 0;
}

static long domctl_set_msrs(struct domain *d, struct xen_domctl_vcpu_msrs *m)
{
	struct xen_domctl_vcpu_msr in;
	struct vcpu *v = vcpu_find(d, m->vcpu);
	u32 i;

	if (!v)
		return -XEN_ESRCH;
	if (v == current || m->msr_count > NR_VCPU_MSRS)
		return deny(-XEN_EINVAL);
	for (i = 0; i < m->msr_count; i++) {
		if (copy_from_guest(&in, m->msrs + i * sizeof(in), sizeof(in)))
			return deny(-XEN_EFAULT);
		/* All of them fit 32 bits; CPUID faulting is not ours. */
		if (in.reserved || in.value >> 32 || !vcpu_msr(v, in.index) ||
		    (in.index == MSR_MISC_FEATURES && in.value))
			return deny(-XEN_EINVAL);
		vcpu_pause(v);
		*vcpu_msr(v, in.index) = in.value;
		vcpu_unpause(v);
	}
	return 0;
}

/* --- scheduling ----------------------------------------------------------- */

static long affinity_report(const struct vcpu *v,
			    const struct xen_domctl_vcpuaffinity *a,
			    cpumask_t within)
{
	int rc = 0;

	if (a->flags & XEN_VCPUAFFINITY_HARD)
		rc = bitmap_to_guest(&a->cpumap_hard,
				     v->sched.affinity & within, nr_cpus);
	if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
		rc = bitmap_to_guest(&a->cpumap_soft,
				     v->sched.soft_affinity & within, nr_cpus);
	return rc;
}

static bool affinity_flags_ok(const struct xen_domctl_vcpuaffinity *a)
{
	return a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) &&
	       !(a->flags & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT |
			      XEN_VCPUAFFINITY_FORCE));
}

static long domctl_getvcpuaffinity(struct domain *d,
				   const struct xen_domctl_vcpuaffinity *a)
{
	struct vcpu *v = vcpu_find(d, a->vcpu);

	if (!v)
		return -XEN_ESRCH;
	if (!affinity_flags_ok(a))
		return deny(-XEN_EINVAL);
	return affinity_report(v, a, ~0UL);
}

static long domctl_setvcpuaffinity(struct domain *d,
				   const struct xen_domctl_vcpuaffinity *a)
{
	struct vcpu *v = vcpu_find(d, a->vcpu);
	cpumask_t hard, soft;
	int rc = 0;

	if (!v)
		return -XEN_ESRCH;
	if (!affinity_flags_ok(a))
		return deny(-XEN_EINVAL);
	hard = v->sched.affinity;
	soft = v->sched.soft_affinity;
	if (a->flags & XEN_VCPUAFFINITY_HARD)
		rc = bitmap_from_guest(&a->cpumap_hard, &hard);
	if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
		rc = bitmap_from_guest(&a->cpumap_soft, &soft);
	if (!rc && !(hard & cpus_online))
		rc = deny(-XEN_EINVAL);
	if (!rc)
		rc = vcpu_set_affinity(v, hard, soft);
	return rc ? rc : affinity_report(v, a, cpus_online);
}

/* There is one node. */
static long domctl_setnodeaffinity(const struct xen_domctl_nodeaffinity *n)
{
	cpumask_t nodes;
	int rc = bitmap_from_guest(&n->nodemap, &nodes);

	if (rc)
		return rc;
	return nodes & 1 ? 0 : deny(-XEN_EINVAL);
}

/* --- the rest ------------------------------------------------------------- */

/*
 * 64 stubs: the number into eax, SYSCALL, return, with rcx and r11 kept.
 * iret's stub stores what the hypercall expects on the stack and stays away.
 */
void hypercall_page_init(void *page)
{
	static const u8 call[] = {
		0x51,				/* push %rcx */
		0x41, 0x53,			/* push %r11 */
		0xb8, 0, 0, 0, 0,		/* mov $nr,%eax */
		0x0f, 0x05,			/* syscall */
		0x41, 0x5b,			/* pop %r11 */
		0x59,				/* pop %rcx */
		0xc3,				/* ret */
	};
	static const u8 iret[] = {
		0x51, 0x41, 0x53,		/* push %rcx; push %r11 */
		0x50,				/* push %rax */
		0xb8, __HYPERVISOR_iret, 0, 0, 0,
		0x0f, 0x05,
	};
	u8 *p = page;
	unsigned int i;

	memset(page, 0xcc, PAGE_SIZE);
	for (i = 0; i < NR_HYPERCALLS; i++) {
		memcpy(p + 32 * i, call, sizeof(call));
		p[32 * i + 4] = i;
	}
	memcpy(p + 32 * __HYPERVISOR_iret, iret, sizeof(iret));
}

static long domctl_hypercall_init(struct domain *d, u64 mfn)
{
	struct frame *f;
	int rc;

	if (!mfn_valid(MFN(mfn)))
		return deny(-XEN_EINVAL);
	f = mfn_to_frame(MFN(mfn));
	rc = frame_get_and_type(f, d, TYPE_WRITABLE);
	if (rc)
		return deny(-XEN_EINVAL);
	hypercall_page_init(mfn_to_virt(MFN(mfn)));
	frame_put_and_type(f);
	return 0;
}

static long domctl_settimeoffset(struct domain *d, s64 seconds)
{
	d->time_offset = seconds;
	domain_wallclock_update(d);
	return 0;
}

/* The TSC is the hardware's in every mode that we offer. */
static long domctl_settscinfo(struct domain *d,
			      const struct xen_domctl_tsc_info *t)
{
	if (d == current->domain)
		return deny(-XEN_EINVAL);
	if (t->tsc_mode != 0 && t->tsc_mode != 2)
		return deny(-XEN_EOPNOTSUPP);
	d->tsc_incarnation = t->incarnation;
	return 0;
}

static long domctl_gettscinfo(struct domain *d, struct xen_domctl_tsc_info *t)
{
	if (d == current->domain)
		return deny(-XEN_EINVAL);
	*t = (struct xen_domctl_tsc_info){
		.gtsc_khz = boot_cpu.tsc_khz,
		.incarnation = d->tsc_incarnation,
		.elapsed_nsec = clock_ns(),
	};
	return 0;
}

static u32 frame_type_info(const struct frame *f)
{
	u64 type = READ_ONCE(f->type);
	u32 info = 0;

	if ((type & TYPE_MASK) >= TYPE_L1 && (type & TYPE_MASK) <= TYPE_L4)
		info = (type >> TYPE_SHIFT) << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
	if (info && type & TYPE_PINNED)
		info |= XEN_DOMCTL_PFINFO_LPINTAB;
	return info;
}

/* The types of up to 1024 frames; a frame that is not d's says so. */
static long domctl_frameinfo(struct domain *d,
			     const struct xen_domctl_getpageframeinfo3 *g)
{
	struct frame *f;
	u64 i, mfn;

	if (d == current->domain)
		return deny(-XEN_EINVAL);
	if (g->num > 1024)
		return deny(-XEN_E2BIG);
	for (i = 0; i < g->num; i++) {
		if (get_guest_u64(&mfn, g->array + i * 8))
			return deny(-XEN_EFAULT);
		f = mfn_get(MFN(mfn), d);
		mfn = f ? frame_type_info(f) : XEN_DOMCTL_PFINFO_XTAB;
		if (f)
			frame_put(f);
		if (put_guest_u64(g->array + i * 8, mfn))
			return deny(-XEN_EFAULT);
	}
	return 0;
}

static long domctl_set_policy(struct domain *d, struct xen_domctl *op)
{
	if (d == current->domain)
		return deny(-XEN_EINVAL);
	if (d->has_run)
		return deny(-XEN_EEXIST);
	return cpuid_set_policy(d, &op->u.cpu_policy);
}

static long domctl_resume(struct domain *d)
{
	if (d == current->domain || d->is_dying)
		return deny(-XEN_EINVAL);
	domain_resume(d);
	return 0;
}

/* --- dispatch ------------------------------------------------------------- */

/* The operations that only do. */
static long domctl_act(struct domain *d, struct xen_domctl *op)
{
	switch (op->cmd) {
	case XEN_DOMCTL_destroydomain:
		return domain_kill(d);
	case XEN_DOMCTL_pausedomain:
		return domain_control_pause(d);
	case XEN_DOMCTL_unpausedomain:
		return domain_control_unpause(d);
	case XEN_DOMCTL_resumedomain:
		return domctl_resume(d);
	case XEN_DOMCTL_max_vcpus:
		return domctl_max_vcpus(d, op->u.max_vcpus.max);
	case XEN_DOMCTL_max_mem:
		return domctl_max_mem(d, op->u.max_mem.max_memkb);
	case XEN_DOMCTL_setvcpucontext:
		return domctl_setvcpucontext(d, &op->u.vcpucontext);
	case XEN_DOMCTL_getvcpucontext:
		return domctl_getvcpucontext(d, &op->u.vcpucontext);
	case XEN_DOMCTL_set_ext_vcpucontext:
		return domctl_set_ext(d, &op->u.ext_vcpucontext);
	case XEN_DOMCTL_setvcpuextstate:
		return domctl_set_xstate(d, &op->u.vcpuextstate);
	case XEN_DOMCTL_set_vcpu_msrs:
		return domctl_set_msrs(d, &op->u.vcpu_msrs);
	case XEN_DOMCTL_setvcpuaffinity:
		return domctl_setvcpuaffinity(d, &op->u.vcpuaffinity);
	case XEN_DOMCTL_getvcpuaffinity:
		return domctl_getvcpuaffinity(d, &op->u.vcpuaffinity);
	case XEN_DOMCTL_setnodeaffinity:
		return domctl_setnodeaffinity(&op->u.nodeaffinity);
	case XEN_DOMCTL_getnodeaffinity:
		return bitmap_to_guest(&op->u.nodeaffinity.nodemap, 1, 1);
	case XEN_DOMCTL_setdomainhandle:
		memcpy(d->handle, op->u.setdomainhandle.handle,
		       sizeof(d->handle));
		return 0;
	case XEN_DOMCTL_hypercall_init:
		return domctl_hypercall_init(d, op->u.hypercall_init.gmfn);
	case XEN_DOMCTL_settimeoffset:
		return domctl_settimeoffset(
			d, op->u.settimeoffset.time_offset_seconds);
	case XEN_DOMCTL_settscinfo:
		return domctl_settscinfo(d, &op->u.tsc_info);
	case XEN_DOMCTL_set_address_size:
		return op->u.address_size.size == 64 ? 0 : deny(-XEN_EINVAL);
	case XEN_DOMCTL_getpageframeinfo3:
		return domctl_frameinfo(d, &op->u.getpageframeinfo3);
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* Those whose structure goes back; *back says so. */
static long domctl_tell(struct domain *d, struct xen_domctl *op, bool *back)
{
	long rc;

	*back = true;
	switch (op->cmd) {
	case XEN_DOMCTL_getvcpuinfo:
		return domctl_getvcpuinfo(d, &op->u.getvcpuinfo);
	case XEN_DOMCTL_scheduler_op:
		return sched_domain_adjust(d, &op->u.scheduler_op);
	case XEN_DOMCTL_get_ext_vcpucontext:
		return domctl_get_ext(d, &op->u.ext_vcpucontext);
	case XEN_DOMCTL_getvcpuextstate:
		return domctl_get_xstate(d, &op->u.vcpuextstate);
	case XEN_DOMCTL_get_vcpu_msrs:
		return domctl_get_msrs(d, &op->u.vcpu_msrs);
	case XEN_DOMCTL_gettscinfo:
		return domctl_gettscinfo(d, &op->u.tsc_info);
	case XEN_DOMCTL_get_address_size:
		op->u.address_size.size = 64;
		return 0;
	case XEN_DOMCTL_get_cpu_policy:
		return cpuid_get_policy(d, &op->u.cpu_policy);
	case XEN_DOMCTL_set_cpu_policy:
		rc = domctl_set_policy(d, op);
		/* Goes back to name the culprit. */
		*back = rc != 0;
		return rc;
	case XEN_DOMCTL_shadow_op:
		*back = false;
		return op->u.shadow_op.op == XEN_DOMCTL_SHADOW_OP_OFF ?
		       0 : deny(-XEN_EOPNOTSUPP);
	default:
		*back = false;
		return domctl_act(d, op);
	}
}

static bool control_enter(struct domain *d)
{
	return !cmpxchg(&d->control_busy, 0, 1);
}

static long domctl_on_domain(struct xen_domctl *op, bool *back)
{
	struct domain *d = domain_get_or_self(op->domain);
	long rc = -XEN_ERESTART;

	if (!d)
		return -XEN_ESRCH;
	if (control_enter(d)) {
		rc = domctl_tell(d, op, back);
		store_release(&d->control_busy, 0);
	}
	domain_put(d);
	return rc;
}

/* Hypercall 36. */
long do_domctl(u64 uop, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct xen_domctl op;
	bool back = true;
	long rc;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&op, uop, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return deny(-XEN_EACCES);

	if (op.cmd == XEN_DOMCTL_createdomain)
		rc = domctl_create(&op);
	else if (op.cmd == XEN_DOMCTL_getdomaininfo)
		rc = domctl_getdomaininfo(&op);
	else
		rc = domctl_on_domain(&op, &back);

	if (rc == -XEN_ERESTART)
		return hypercall_continue(__HYPERVISOR_domctl, 1, uop);
	/* A failure tells nothing, but which part of a policy was bad. */
	if (rc && op.cmd != XEN_DOMCTL_set_cpu_policy)
		return rc;
	if (back && copy_to_guest(uop, &op, sizeof(op)))
		return deny(-XEN_EFAULT);
	return rc;
}
