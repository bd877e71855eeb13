/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sysctl: what the control domain's tools ask about the whole machine.
 *
 * One function per operation; the argument structure is copied in once and
 * goes back whole when the operation succeeded.  Nothing here changes any
 * domain.  No locks: counters are read as they are.
 *
 * The machine is shown as one NUMA node, one CPU pool ("Pool-0" to the tools)
 * with all CPUs and the credit scheduler.  Deliberately absent: tracing,
 * profiling, hot-plug, power management.
 */
#include <domain/domain.h>
#include <entry/entry.h>
#include <dev/dev.h>
#include <hypercall-abi/sysctl.h>

#define MAX_DEBUG_KEYS	64

static long sysctl_readconsole(struct xen_sysctl_readconsole *r)
{
	return console_read_ring(r->buffer, &r->count, &r->index, r->clear,
				 r->incremental);
}

static unsigned int cpus_count(void)
{
	return __builtin_popcountl(cpus_online);
}

static long sysctl_physinfo(struct xen_sysctl_physinfo *p)
{
	_Static_assert(NR_FEATURE_WORDS >= ARRAY_SIZE(p->hw_cap), "hw_cap");
	*p = (struct xen_sysctl_physinfo){
		.threads_per_core = 1,
		.cores_per_socket = cpus_count(),
		.nr_cpus = cpus_count(),
		.max_cpu_id = nr_cpus - 1,
		.nr_nodes = 1,
		.cpu_khz = boot_cpu.tsc_khz,
		.capabilities = XEN_SYSCTL_PHYSCAP_pv |
				XEN_SYSCTL_PHYSCAP_gnttab_v1,
		.total_pages = total_pages,
		.free_pages = free_page_count(),
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

	for (n = 0; n < l->max_domains; n++) {
		d = domain_get_from(id);
		if (!d)
			break;
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
	char key;
	u32 i;

	if (k->nr_keys > MAX_DEBUG_KEYS)
		return deny(-XEN_EINVAL);
	for (i = 0; i < k->nr_keys; i++) {
		if (copy_from_guest(&key, k->keys + i, 1))
			return deny(-XEN_EFAULT);
		handle_debug_key(key);
	}
	return 0;
}

static long sysctl_cpuinfo(struct xen_sysctl_getcpuinfo *c)
{
	struct xen_sysctl_cpuinfo info;
	u32 i, n = min(c->max_cpus, nr_cpus);

	for (i = 0; i < n; i++) {
		info.idletime = cpus_online >> i & 1 ? cpu_ptr(i)->idle_ns : 0;
		if (copy_to_guest(c->info + i * sizeof(info), &info,
				  sizeof(info)))
			return deny(-XEN_EFAULT);
	}
	c->nr_cpus = n;
	return 0;
}

static long sysctl_availheap(struct xen_sysctl_availheap *h)
{
	/* Any node, any width: there is one heap. */
	h->avail_bytes = free_page_count() << PAGE_SHIFT;
	return 0;
}

static long sysctl_cputopo(struct xen_sysctl_cputopoinfo *t)
{
	struct xen_sysctl_cputopo topo;
	u32 i, n = min(t->num_cpus, nr_cpus);

	for (i = 0; t->cputopo && i < n; i++) {
		topo = (struct xen_sysctl_cputopo){ .core = i };
		if (!(cpus_online >> i & 1))
			topo = (struct xen_sysctl_cputopo){
				XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID,
				XEN_INVALID_NODE_ID };
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

	if (n->num_nodes && n->meminfo &&
	    copy_to_guest(n->meminfo, &mem, sizeof(mem)))
		return deny(-XEN_EFAULT);
	/* ACPI's distance of a node to itself. */
	if (n->num_nodes && n->distance && put_guest_u32(n->distance, 10))
		return deny(-XEN_EFAULT);
	n->num_nodes = 1;
	return 0;
}

static u32 domain_count(void)
{
	struct domain *d;
	u32 n = 0;

	for_each_domain(d)
		n++;
	return n;
}

static long pool_info(struct xen_sysctl_cpupool_op *p)
{
	if (p->cpupool_id)
		return -XEN_ENOENT;	/* the end of the tools' loop */
	p->sched_id = XEN_SCHEDULER_CREDIT;
	p->n_dom = domain_count();
	return bitmap_to_guest(&p->cpumap, cpus_online, nr_cpus);
}

static long pool_move(const struct xen_sysctl_cpupool_op *p)
{
	struct domain *d = domain_get(p->domid);

	if (!d)
		return deny(-XEN_ESRCH);
	domain_put(d);
	return p->cpupool_id ? deny(-XEN_ENOENT) : 0;
}

static long sysctl_cpupool(struct xen_sysctl_cpupool_op *p)
{
	switch (p->op) {
	case XEN_SYSCTL_CPUPOOL_OP_INFO:
		return pool_info(p);
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
		return bitmap_to_guest(&p->cpumap, 0, nr_cpus);
	case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
		return pool_move(p);
	case XEN_SYSCTL_CPUPOOL_OP_CREATE:
	case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
	case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
	case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
		return deny(-XEN_EOPNOTSUPP);
	default:
		return deny(-XEN_ENOSYS);
	}
}

static long sysctl_dispatch(struct xen_sysctl *op)
{
	switch (op->cmd) {
	case XEN_SYSCTL_readconsole:
		return sysctl_readconsole(&op->u.readconsole);
	case XEN_SYSCTL_physinfo:
		return sysctl_physinfo(&op->u.physinfo);
	case XEN_SYSCTL_sched_id:
		op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT;
		return 0;
	case XEN_SYSCTL_getdomaininfolist:
		return sysctl_domains(&op->u.getdomaininfolist);
	case XEN_SYSCTL_debug_keys:
		return sysctl_debug_keys(&op->u.debug_keys);
	case XEN_SYSCTL_getcpuinfo:
		return sysctl_cpuinfo(&op->u.getcpuinfo);
	case XEN_SYSCTL_availheap:
		return sysctl_availheap(&op->u.availheap);
	case XEN_SYSCTL_cputopoinfo:
		return sysctl_cputopo(&op->u.cputopoinfo);
	case XEN_SYSCTL_numainfo:
		return sysctl_numa(&op->u.numainfo);
	case XEN_SYSCTL_cpupool_op:
		return sysctl_cpupool(&op->u.cpupool_op);
	case XEN_SYSCTL_scheduler_op:
		return sched_adjust_global(&op->u.scheduler_op);
	case XEN_SYSCTL_pcitopoinfo:
		return deny(-XEN_ENODEV);
	case XEN_SYSCTL_get_cpu_levelling_caps:
		op->u.cpu_levelling_caps.caps = 0;
		return 0;
	case XEN_SYSCTL_get_cpu_featureset:
		return cpuid_system_featureset(&op->u.cpu_featureset);
	case XEN_SYSCTL_get_cpu_policy:
		return cpuid_system_policy(&op->u.cpu_policy);
	case XEN_SYSCTL_cpu_hotplug:
		return deny(-XEN_EOPNOTSUPP);
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 35. */
long do_sysctl(u64 uop, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct xen_sysctl op;
	long rc;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&op, uop, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return deny(-XEN_EACCES);

	rc = sysctl_dispatch(&op);
	/* A featureset too long for the room is delivered in part. */
	if (rc && rc != -XEN_ENOBUFS)
		return rc;
	if (copy_to_guest(uop, &op, sizeof(op)))
		return deny(-XEN_EFAULT);
	return rc;
}
