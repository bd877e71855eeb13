/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the control domain asks: domctl and sysctl its tools, platform_op its
 * kernel.  And xen_version, which anybody asks.
 *
 * The argument structure is copied in once, and back once, with what the
 * operation changed in it.  Operations that only look exclude nobody; counters
 * are read as they are.  All others on a domain hold its control_busy word, so
 * that two tools, or a repeated call and a new one, never work on one domain at
 * the same time; it is not a lock: long operations (destroy, a context with
 * page tables) are interrupted, let go of it and are repeated.
 *
 * Only the control domain may call, so the tools are trusted to be sensible,
 * not to be right: every number is checked, since a mistake there must not
 * hurt other domains.
 *
 * The machine is shown to tools as one NUMA node, one CPU pool ("Pool-0") with
 * all CPUs and the credit scheduler.
 *
 * Deliberately absent: anything about hardware-assisted guests, device
 * assignment, memory sharing and paging; all that saving, migrating or dumping
 * a domain needs (the first question of those, before a guest is told to
 * suspend, is how wide its addresses are: the refusal ends them with nothing
 * lost); tracing, profiling, hot-plug, power management, microcode and MTRR
 * updates, direct MSR access, firmware calls.  Dom0 copes with -XEN_ENOSYS.
 *
 * xen_version's texts have fixed sizes in the ABI and are copied out whole,
 * padded with zeros, so that nothing else can leak.  What concerns the
 * machine's owner only, the command line and how we were built, is for the
 * control domain; others get "<denied>".
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>
#include <hypercall-abi/platform.h>
#include <hypercall-abi/version.h>

/* --- the way of all ------------------------------------------------------- */

/*
 * The way of all control operations: the control domain's only, of this
 * version only, copied in and, unless they go on later, back with what fn
 * changed.
 */
static long control_op(u64 uop, size_t size, u32 version, long (*fn)(void *op))
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

/* As many of nr bits as there is room for, then zeros, up to a page of both. */
static int bitmap_to_guest(const struct xenctl_bitmap *b, cpumask_t mask,
			   unsigned int nr)
{
	u64 room = min(DIV_ROUND_UP((u64)b->nr_bits, 8), PAGE_SIZE);
	u64 bytes = min(room, DIV_ROUND_UP(nr, 8UL));
	int rc = copy_to_guest(b->bitmap, &mask, bytes);

	return rc ? rc :
	       copy_to_guest(b->bitmap + bytes, zero_page, room - bytes);
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
static void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
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
	    frame_get_type(mfn_to_frame(MFN(mfn)), d, TYPE_WRITABLE))
		return deny(-XEN_EINVAL);
	hypercall_page_init(mfn_to_virt(MFN(mfn)));
	frame_put_type(mfn_to_frame(MFN(mfn)));
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
		domain_info(d, &op->u.getdomaininfo);
		op->domain = d->id;
		rc = 0;
	} else if (!cmpxchg(&d->control_busy, 0, 1)) {
		rc = domctl_on_domain(d, op);
		store_release(&d->control_busy, 0);
	}
	domain_put(d);
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

/* --- sysctl --------------------------------------------------------------- */

static long sysctl_physinfo(struct xen_sysctl_physinfo *p)
{
	_Static_assert(NR_FEATURE_WORDS >= ARRAY_SIZE(p->hw_cap), "hw_cap");
	*p = (struct xen_sysctl_physinfo){
		.nr_nodes = 1, .threads_per_core = 1,
		.cores_per_socket = nr_online, .nr_cpus = nr_online,
		.max_cpu_id = nr_cpus - 1, .cpu_khz = boot_cpu.tsc_khz,
		.capabilities = XEN_SYSCTL_PHYSCAP_pv |
				XEN_SYSCTL_PHYSCAP_gnttab_v1,
		.total_pages = total_pages, .free_pages = free_page_count(),
		.max_mfn = max_mfn - 1,
	};
	memcpy(p->hw_cap, boot_cpu.features, sizeof(p->hw_cap));
	return 0;
}

/* Up to max_domains domains from first_domain on, by ascending id. */
static long sysctl_domains(struct xen_sysctl_getdomaininfolist *l)
{
	struct xen_domctl_getdomaininfo info;
	struct domain *d;
	u32 id = l->first_domain, n;

	for (n = 0; n < l->max_domains && (d = domain_get_from(id)); n++) {
		domain_info(d, &info);
		id = d->id + 1;
		domain_put(d);
		if (copy_to_guest(l->buffer + n * sizeof(info), &info,
				  sizeof(info)))
			return deny(-XEN_EFAULT);
	}
	l->num_domains = n;
	return 0;
}

static long sysctl_debug_keys(const struct xen_sysctl_debug_keys *k)
{
	char keys[64];

	if (k->nr_keys > sizeof(keys))
		return deny(-XEN_EINVAL);
	if (copy_from_guest(keys, k->keys, k->nr_keys))
		return deny(-XEN_EFAULT);
	for (u32 i = 0; i < k->nr_keys; i++)
		handle_debug_key(keys[i]);
	return 0;
}

/* A CPU that is not there has invalid ids. */
static long sysctl_cputopo(struct xen_sysctl_cputopoinfo *t)
{
	for (u32 i = 0; t->cputopo && i < min(t->num_cpus, nr_cpus); i++) {
		struct xen_sysctl_cputopo topo = { .core = i };

		if (!(cpus_online >> i & 1))
			memset(&topo, 0xff, sizeof(topo));
		if (copy_to_guest(t->cputopo + i * sizeof(topo), &topo,
				  sizeof(topo)))
			return deny(-XEN_EFAULT);
	}
	t->num_cpus = nr_cpus;
	return 0;
}

static long sysctl_numa(struct xen_sysctl_numainfo *n)
{
	struct xen_sysctl_meminfo mem = {
		.memsize = total_pages << PAGE_SHIFT,
		.memfree = free_page_count() << PAGE_SHIFT,
	};

	/* 10 is ACPI's distance of a node to itself. */
	if (n->num_nodes &&
	    ((n->meminfo && copy_to_guest(n->meminfo, &mem, sizeof(mem))) ||
	     (n->distance && put_guest_u32(n->distance, 10))))
		return deny(-XEN_EFAULT);
	n->num_nodes = 1;
	return 0;
}

static long sysctl_cpupool(struct xen_sysctl_cpupool_op *p)
{
	struct domain *d;

	switch (p->op) {
	case XEN_SYSCTL_CPUPOOL_OP_INFO:
		if (p->cpupool_id)
			return -XEN_ENOENT;	/* ends the tools' loop */
		p->sched_id = XEN_SCHEDULER_CREDIT;
		p->n_dom = 0;
		for_each_domain(d)
			p->n_dom++;
		return bitmap_to_guest(&p->cpumap, cpus_online, nr_cpus);
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
		return bitmap_to_guest(&p->cpumap, 0, nr_cpus);
	default: return deny(-XEN_EOPNOTSUPP);
	}
}

static long sysctl_dispatch(void *arg)
{
	struct xen_sysctl *op = arg;
	struct xen_sysctl_readconsole *con = &op->u.readconsole;

	switch (op->cmd) {
	case XEN_SYSCTL_readconsole:
		return console_read_ring(con->buffer, &con->count, &con->index,
					 con->clear, con->incremental);
	case XEN_SYSCTL_physinfo: return sysctl_physinfo(&op->u.physinfo);
	case XEN_SYSCTL_sched_id:
		op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT;
		return 0;
	case XEN_SYSCTL_getdomaininfolist:
		return sysctl_domains(&op->u.getdomaininfolist);
	case XEN_SYSCTL_debug_keys: return sysctl_debug_keys(&op->u.debug_keys);
	case XEN_SYSCTL_cputopoinfo: return sysctl_cputopo(&op->u.cputopoinfo);
	case XEN_SYSCTL_numainfo: return sysctl_numa(&op->u.numainfo);
	case XEN_SYSCTL_cpupool_op: return sysctl_cpupool(&op->u.cpupool_op);
	case XEN_SYSCTL_scheduler_op:
		return sched_adjust_global(&op->u.scheduler_op);
	case XEN_SYSCTL_pcitopoinfo: return deny(-XEN_ENODEV);
	case XEN_SYSCTL_get_cpu_featureset:
		return cpuid_system_featureset(&op->u.cpu_featureset);
	case XEN_SYSCTL_get_cpu_policy:
		return cpuid_system_policy(&op->u.cpu_policy);
	default: return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 35. */
long do_sysctl(u64 uop, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	return control_op(uop, sizeof(struct xen_sysctl),
			  XEN_SYSCTL_INTERFACE_VERSION, sysctl_dispatch);
}

/* --- platform_op ---------------------------------------------------------- */

static long platform_dispatch(void *arg)
{
	struct xen_platform_op *op = arg;
	const struct xenpf_settime64 *t = &op->u.settime64;
	const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;
	struct xenpf_pcpuinfo *p = &op->u.pcpu_info;
	bool online = p->xen_cpuid < nr_cpus && cpus_online >> p->xen_cpuid & 1;

	switch (op->cmd) {
	case XENPF_settime64:
		if (t->mbz || t->nsecs >= NS_PER_SEC)
			return deny(-XEN_EINVAL);
		clock_set_wall(t->secs, t->nsecs, t->system_time);
		return 0;
	case XENPF_enter_acpi_sleep:
		return s->flags ? deny(-XEN_EOPNOTSUPP) :
		       acpi_enter_sleep(s->val_a, s->val_b, s->sleep_state);
	case XENPF_get_cpuinfo:
		p->max_present = nr_cpus - 1;
		p->flags = online ? XEN_PCPU_FLAGS_ONLINE
				  : XEN_PCPU_FLAGS_INVALID;
		p->apic_id = online ? cpu_ptr(p->xen_cpuid)->apic_id : 0;
		p->acpi_id = online ? cpu_ptr(p->xen_cpuid)->acpi_id : 0;
		return 0;
	default: return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 7. */
long do_platform_op(u64 uop, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	return control_op(uop, sizeof(struct xen_platform_op),
			  XENPF_INTERFACE_VERSION, platform_dispatch);
}

/* --- xen_version ---------------------------------------------------------- */

static long put_text(u64 gva, const char *text, size_t size, bool private)
{
	char whole[1024] = { 0 };

	strlcpy(whole, private && !current->domain->is_privileged ?
		"<denied>" : text, size);
	return copy_to_guest(gva, whole, size);
}

static long version_features(u64 gva)
{
	struct xen_feature_info info;

	if (copy_from_guest(&info, gva, sizeof(info)))
		return deny(-XEN_EFAULT);
	if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
		return deny(-XEN_EINVAL);
	info.submap = 1U << XENFEAT_mmu_pt_update_preserve_ad |
		      1U << XENFEAT_highmem_assist |
		      1U << XENFEAT_gnttab_map_avail_bits |
		      1U << XENFEAT_memory_op_vnode_supported |
		      1U << XENFEAT_direct_mapped |
		      (u32)current->domain->is_privileged << XENFEAT_dom0;
	if (current->domain->vm_assist & 1UL << VMASST_TYPE_pae_extended_cr3)
		info.submap |= 1U << XENFEAT_pae_pgdir_above_4gb;
	return copy_to_guest(gva, &info, sizeof(info));
}

/* Hypercall 17.  XENVER_version is also a guest's cheapest way to have its
 * pending events delivered. */
long do_xen_version(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	static const struct xen_platform_parameters params = { HYP_VIRT_START };
	/* Not the date: equal sources make equal images. */
	static const struct xen_compile_info info = {
		"gcc " __VERSION__, "xenolith", "localdomain",
		"reproducible build",
	}, denied = { "<denied>", "<denied>", "<denied>", "<denied>" };

	switch ((u32)cmd) {
	case XENVER_version:
		return XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR;
	case XENVER_extraversion:
		return put_text(arg, ".0-xenolith", sizeof(xen_extraversion_t),
				false);
	case XENVER_compile_info:
		return copy_to_guest(arg, current->domain->is_privileged ?
				     &info : &denied, sizeof(info));
	case XENVER_capabilities:
		return put_text(arg, "xen-3.0-x86_64 ",
				sizeof(xen_capabilities_info_t), false);
	case XENVER_changeset:
		return put_text(arg, "unavailable",
				sizeof(xen_changeset_info_t), true);
	case XENVER_platform_parameters:
		return copy_to_guest(arg, &params, sizeof(params));
	case XENVER_get_features: return version_features(arg);
	case XENVER_pagesize: return PAGE_SIZE;
	case XENVER_guest_handle:
		return copy_to_guest(arg, current->domain->handle,
				     sizeof(current->domain->handle));
	case XENVER_commandline:
		return put_text(arg, hypervisor_cmdline,
				sizeof(xen_commandline_t), true);
	case XENVER_build_id: return -XEN_ENODATA;
	default: return deny(-XEN_ENOSYS);
	}
}
