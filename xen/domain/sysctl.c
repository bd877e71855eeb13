/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is asked about the whole machine: sysctl by the control domain's
 * tools, platform_op by its kernel, xen_version by anybody.
 *
 * Nothing here changes any domain.  No locks: counters are read as they are.
 *
 * The machine is shown to tools as one NUMA node, one CPU pool ("Pool-0") with
 * all CPUs and the credit scheduler.  Deliberately absent: tracing, profiling,
 * hot-plug, power management, microcode and MTRR updates, direct MSR access,
 * firmware calls.  Dom0 copes with -XEN_ENOSYS for all of them.
 *
 * xen_version's texts have fixed sizes in the ABI and are copied out whole,
 * padded with zeros, so that nothing else can leak.  What concerns the
 * machine's owner only, the command line and how we were built, is for the
 * control domain; others get "<denied>".
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <hypercall-abi/platform.h>
#include <hypercall-abi/version.h>


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
		domain_get_info(d, &info);
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

static long version_compile_info(u64 gva)
{
	/* Not the date: equal sources make equal images. */
	static const struct xen_compile_info info = {
		"gcc " __VERSION__, "xenolith", "localdomain",
		"reproducible build",
	}, denied = { "<denied>", "<denied>", "<denied>", "<denied>" };

	return copy_to_guest(gva, current->domain->is_privileged ? &info :
			     &denied, sizeof(info));
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

	switch ((u32)cmd) {
	case XENVER_version:
		return XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR;
	case XENVER_extraversion:
		return put_text(arg, ".0-xenolith", sizeof(xen_extraversion_t),
				false);
	case XENVER_compile_info: return version_compile_info(arg);
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
