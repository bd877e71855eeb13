/* SPDX-License-Identifier: GPL-2.0 */
/*
 * domctl: the control domain's tools make, change, inspect and end domains.
 *
 * The argument structure is copied in once, and back once, with what the
 * operation changed in it.  Operations that only look (getdomaininfo) exclude
 * nobody.  All others hold the target's control_busy word, so that two tools,
 * or a repeated call and a new one, never work on one domain at the same time;
 * it is not a lock: long operations (destroy, a context with page tables) are
 * interrupted, let go of it and are repeated.
 *
 * Only the control domain may call, so the tools are trusted to be sensible,
 * not to be right: every number is checked, since a mistake there must not
 * hurt other domains.
 *
 * Deliberately absent: anything about hardware-assisted guests, device
 * assignment, memory sharing and paging; and all that saving, migrating or
 * dumping a domain needs.  The first question of those, before a guest is told
 * to suspend, is how wide its addresses are: the refusal ends them with nothing
 * lost.
 */
#include <domain/domain.h>
#include <entry/entry.h>
#include <hypercall-abi/platform.h>

/* --- bitmaps of tools ----------------------------------------------------- */

/* The first 64 bits; what is beyond is ignored.  0 or -XEN_EFAULT. */
static int bitmap_from_guest(const struct xenctl_bitmap *b, cpumask_t *mask)
{
	u32 bits = min(b->nr_bits, 64U);
	int rc;

	*mask = 0;
	rc = copy_from_guest(mask, b->bitmap, DIV_ROUND_UP(bits, 8));
	if (bits < 64)
		*mask &= (1UL << bits) - 1;
	return rc;
}

/* As many of nr bits as there is room for; the rest of the room is zeroed. */
int bitmap_to_guest(const struct xenctl_bitmap *b, cpumask_t mask,
		    unsigned int nr)
{
	u32 room = DIV_ROUND_UP((u64)b->nr_bits, 8);
	u32 bytes = min(room, (u32)DIV_ROUND_UP(nr, 8));
	int rc = copy_to_guest(b->bitmap, &mask, bytes);

	return rc ? rc : clear_guest(b->bitmap + bytes, room - bytes);
}

/* --- create and destroy --------------------------------------------------- */

static long domctl_create(struct xen_domctl *op)
{
	const struct xen_domctl_createdomain *c = &op->u.createdomain;
	bool any = !op->domain || op->domain >= DOMID_FIRST_RESERVED;
	static u32 creating;
	struct domain *d;
	int rc;

	/* A store domain is an ordinary one with a label. */
	if (c->flags & ~XEN_DOMCTL_CDF_xs_domain || c->iommu_opts ||
	    c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask ||
	    c->vmtrace_size || c->cpupool_id || c->arch.emulation_flags ||
	    c->arch.misc_flags)
		return deny(-XEN_EINVAL);
	if (cmpxchg(&creating, 0, 1))
		return -XEN_ERESTART;
	rc = domain_create(any ? DOMID_INVALID : op->domain, c, &d);
	store_release(&creating, 0);
	if (!rc)
		op->domain = d->id;
	return rc;
}

static long domctl_max_vcpus(struct domain *d, u32 max_vcpus)
{
	if (d->is_dying || max_vcpus != d->max_vcpus)
		return deny(-XEN_EINVAL);
	for (u32 i = 0; i < max_vcpus; i++)
		if (!d->vcpu[i] && !vcpu_create(d, i))
			return deny(-XEN_ENOMEM);
	return 0;
}

/* --- information ---------------------------------------------------------- */

/* All that tools see of a domain; a snapshot without locks. */
void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	u32 blocked = XEN_DOMINF_blocked;
	bool shut_down = load_acquire(&d->is_shut_down); /* before its code */
	struct vcpu *v;

	*info = (struct xen_domctl_getdomaininfo){
		.domain = d->id, .max_vcpu_id = XEN_INVALID_MAX_VCPU_ID,
		.flags = (d->is_dead ? XEN_DOMINF_dying : 0) |
			 (d->control_pauses ? XEN_DOMINF_paused : 0) |
			 (shut_down ? XEN_DOMINF_shutdown : 0) |
			 (u32)d->shutdown_code << XEN_DOMINF_shutdownshift,
		.tot_pages = d->tot_pages, .max_pages = d->max_pages,
		.shr_pages = d->shared_pages,
		.shared_info_frame = virt_to_mfn(d->shared_info).m,
		.gpaddr_bits = boot_cpu.phys_bits,
	};
	memcpy(info->handle, d->handle, sizeof(info->handle));
	for_each_vcpu(d, v) {
		info->max_vcpu_id = v->id;
		info->cpu_time += vcpu_cpu_time(v);
		if (READ_ONCE(v->pause_flags) & VPF_DOWN)
			continue;
		info->nr_online_vcpus++;
		if (!(READ_ONCE(v->pause_flags) & VPF_BLOCKED))
			blocked = 0;
		if (READ_ONCE(v->sched.running))
			info->flags |= XEN_DOMINF_running;
	}
	if (info->nr_online_vcpus)
		info->flags |= blocked;
}

/* --- virtual CPUs --------------------------------------------------------- */

static long domctl_setvcpucontext(struct vcpu *v, u64 context)
{
	int rc;

	if (!v || v->domain == current->domain || v->domain->is_dying)
		return deny(-XEN_EINVAL);
	domain_pause(v->domain);
	rc = vcpu_initialise(v, context, true);
	domain_unpause(v->domain);
	return rc;
}

/* Sets what is asked for (flags: 1 hard, 2 soft); tells what there is, or what
 * takes effect. */
static long domctl_vcpuaffinity(struct vcpu *v,
				const struct xen_domctl_vcpuaffinity *a,
				bool set)
{
	const struct xenctl_bitmap *map[] = {
		&a->cpumap_hard, &a->cpumap_soft,
	};
	cpumask_t m[2], shown = set ? cpus_online : ~0UL;
	int rc = 0;

	if (!v)
		return -XEN_ESRCH;
	if (!(a->flags & 3) || a->flags & ~(3 | XEN_VCPUAFFINITY_FORCE))
		return deny(-XEN_EINVAL);
	m[0] = v->sched.affinity;
	m[1] = v->sched.soft_affinity;
	for (int i = 0; set && !rc && i < 2; i++)
		if (a->flags >> i & 1)
			rc = bitmap_from_guest(map[i], &m[i]);
	if (set && !rc)
		rc = vcpu_set_affinity(v, m[0], m[1]);
	for (int i = 0; !rc && i < 2; i++)
		if (a->flags >> i & 1)
			rc = bitmap_to_guest(map[i], m[i] & shown, nr_cpus);
	return rc;
}

/* --- the rest ------------------------------------------------------------- */

/*
 * 64 stubs: the number into eax, SYSCALL, return, with rcx and r11 kept.
 * iret's stub stores what the hypercall expects on the stack and stays away.
 */
void hypercall_page_init(void *page)
{
	/* push %rcx; push %r11; mov $nr,%eax; syscall; pop; pop; ret */
	static const u8 call[] = {
		0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b,
		0x59, 0xc3,
	};
	/* push %rcx; push %r11; push %rax; mov $nr,%eax; syscall */
	static const u8 iret[] = {
		0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0,
		0x0f, 0x05,
	};
	u8 *p = page;

	memset(page, 0xcc, PAGE_SIZE);
	for (unsigned int i = 0; i < NR_HYPERCALLS; i++) {
		memcpy(p + 32 * i, call, sizeof(call));
		p[32 * i + 4] = i;
	}
	memcpy(p + 32 * __HYPERVISOR_iret, iret, sizeof(iret));
}

static long domctl_hypercall_init(struct domain *d, u64 mfn)
{
	if (!mfn_valid(MFN(mfn)) ||
	    frame_get_and_type(mfn_to_frame(MFN(mfn)), d, TYPE_WRITABLE))
		return deny(-XEN_EINVAL);
	hypercall_page_init(mfn_to_virt(MFN(mfn)));
	frame_put_and_type(mfn_to_frame(MFN(mfn)));
	return 0;
}

static long domctl_on_domain(struct domain *d, struct xen_domctl *op)
{
	/* Where an operation has a vCPU, it comes first. */
	struct vcpu *v = vcpu_find(d, op->u.getvcpuinfo.vcpu);
	struct xen_domctl_cpu_policy *policy = &op->u.cpu_policy;

	switch (op->cmd) {
	case XEN_DOMCTL_destroydomain: return domain_kill(d);
	case XEN_DOMCTL_pausedomain:
		if (d == current->domain || d->control_pauses == 255)
			return deny(-XEN_EINVAL);
		d->control_pauses++;
		domain_pause(d);
		return 0;
	case XEN_DOMCTL_unpausedomain: return domain_control_unpause(d);
	case XEN_DOMCTL_max_vcpus:
		return domctl_max_vcpus(d, op->u.max_vcpus.max);
	case XEN_DOMCTL_max_mem:
		if (op->u.max_mem.max_memkb >> 50)
			return deny(-XEN_EINVAL);
		d->max_pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
		return 0;
	case XEN_DOMCTL_setvcpucontext:
		return domctl_setvcpucontext(v, op->u.vcpucontext.ctxt);
	case XEN_DOMCTL_getvcpuinfo:
		if (!v)
			return -XEN_ESRCH;
		op->u.getvcpuinfo = (struct xen_domctl_getvcpuinfo){
			.vcpu = v->id, .online = !(v->pause_flags & VPF_DOWN),
			.blocked = !!(v->pause_flags & VPF_BLOCKED),
			.running = READ_ONCE(v->sched.running),
			.cpu_time = vcpu_cpu_time(v), .cpu = v->sched.cpu,
		};
		return 0;
	case XEN_DOMCTL_setvcpuaffinity:
	case XEN_DOMCTL_getvcpuaffinity:
		return domctl_vcpuaffinity(v, &op->u.vcpuaffinity, op->cmd ==
					   XEN_DOMCTL_setvcpuaffinity);
	case XEN_DOMCTL_scheduler_op:
		return sched_domain_adjust(d, &op->u.scheduler_op);
	case XEN_DOMCTL_setnodeaffinity: return 0;	/* there is one node */
	case XEN_DOMCTL_getnodeaffinity:
		return bitmap_to_guest(&op->u.nodeaffinity.nodemap, 1, 1);
	case XEN_DOMCTL_setdomainhandle:
		memcpy(d->handle, &op->u.setdomainhandle, sizeof(d->handle));
		return 0;
	case XEN_DOMCTL_hypercall_init:
		return domctl_hypercall_init(d, op->u.hypercall_init.gmfn);
	case XEN_DOMCTL_settimeoffset:
		d->time_offset = op->u.settimeoffset.time_offset_seconds;
		domain_wallclock_update(d);
		return 0;
	case XEN_DOMCTL_settscinfo:
		/* It is the hardware's in every mode that we offer. */
		return op->u.tsc_info.tsc_mode == 0 ||
		       op->u.tsc_info.tsc_mode == 2 ? 0 :
		       deny(-XEN_EOPNOTSUPP);
	case XEN_DOMCTL_set_address_size:
		return op->u.address_size.size == 64 ? 0 : deny(-XEN_EINVAL);
	case XEN_DOMCTL_get_cpu_policy:
		return cpuid_get_policy(d->cpuid, policy->leaves,
					&policy->nr_leaves, &policy->nr_msrs);
	case XEN_DOMCTL_set_cpu_policy:
		return d->has_run ? deny(-XEN_EEXIST) :
		       cpuid_set_policy(d, policy);
	/* XEN_DOMCTL_get_address_size too: 64 bits, but who asks means to save:
	 * see above. */
	default: return deny(-XEN_ENOSYS);
	}
}

static long domctl_dispatch(void *arg)
{
	struct xen_domctl *op = arg;
	bool look = op->cmd == XEN_DOMCTL_getdomaininfo;
	long rc = -XEN_ERESTART;
	struct domain *d;

	if (op->cmd == XEN_DOMCTL_createdomain)
		return domctl_create(op);
	d = look ? domain_get_from(op->domain) : domain_get_or_self(op->domain);
	if (!d)
		return -XEN_ESRCH;
	if (look) {
		domain_get_info(d, &op->u.getdomaininfo);
		op->domain = d->id;
		rc = 0;
	} else if (!cmpxchg(&d->control_busy, 0, 1)) {
		rc = domctl_on_domain(d, op);
		store_release(&d->control_busy, 0);
	}
	domain_put(d);
	return rc;
}

/*
 * The way of all control operations: the control domain's only, of this
 * version only, copied in and, unless they go on later, back with what fn
 * changed.
 */
long control_op(u64 uop, size_t size, u32 version, long (*fn)(void *op))
{
	struct xen_domctl op;	/* all begin alike; it is the longest */
	long rc;

	_Static_assert(sizeof(op) >= sizeof(struct xen_sysctl) &&
		       sizeof(op) >= sizeof(struct xen_platform_op), "op");
	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&op, uop, size))
		return deny(-XEN_EFAULT);
	if (op.interface_version != version)
		return deny(-XEN_EACCES);
	rc = fn(&op);
	if (rc != -XEN_ERESTART && copy_to_guest(uop, &op, size))
		return deny(-XEN_EFAULT);
	return rc;
}

/* Hypercall 36. */
long do_domctl(u64 uop, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	long rc = control_op(uop, sizeof(struct xen_domctl),
			     XEN_DOMCTL_INTERFACE_VERSION, domctl_dispatch);

	return rc == -XEN_ERESTART ?
	       hypercall_continue(__HYPERVISOR_domctl, 1, uop) : rc;
}
