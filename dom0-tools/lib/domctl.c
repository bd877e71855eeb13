// SPDX-License-Identifier: GPL-2.0
/*
 * Making, changing and ending domains: one function per operation of the
 * hypervisor.  All need hyper_open().  0 or a number is success.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <hypercall-abi/event_channel.h>
#include <hypercall-abi/grant_table.h>
#include <hypercall-abi/linux_dev.h>
#include <hypercall-abi/memory.h>
#include <hypercall-abi/mmu.h>
#include "lib.h"

/*
 * A new domain, empty and paused, with vCPUs that are all down; its id.  A
 * negative number of frames stands for the hypervisor's default.
 */
int hyper_create(const uint8_t uuid[16], unsigned int vcpus, uint32_t ports,
		 int grant_frames)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_createdomain,
		.u.createdomain = {
			.max_vcpus = vcpus,
			.max_evtchn_port = ports,
			.max_grant_frames = grant_frames,
			.max_maptrack_frames = -1,
			.grant_opts = 1,
		},
	};
	domid_t domid;
	int rc;

	memcpy(op.u.createdomain.handle, uuid, 16);
	rc = hyper_domctl(&op);
	if (rc)
		return rc;
	domid = op.domain;
	op = (struct xen_domctl){
		.cmd = XEN_DOMCTL_max_vcpus, .domain = domid,
		.u.max_vcpus.max = vcpus,
	};
	rc = hyper_domctl(&op);
	if (!rc)
		return domid;
	hyper_destroy(domid);
	return rc;
}

static int hyper_plain(unsigned int cmd, domid_t domid)
{
	struct xen_domctl op = { .cmd = cmd, .domain = domid };

	return hyper_domctl(&op);
}

/* Ends it; what others still map of it lives on until they let go. */
int hyper_destroy(domid_t domid)
{
	int rc;

	do
		rc = hyper_plain(XEN_DOMCTL_destroydomain, domid);
	while (rc == -EAGAIN || rc == -EINTR || rc == -ERESTART);
	return rc;
}

/* Pauses add up. */
int hyper_pause(domid_t domid)
{
	return hyper_plain(XEN_DOMCTL_pausedomain, domid);
}

/* Takes one pause away. */
int hyper_unpause(domid_t domid)
{
	return hyper_plain(XEN_DOMCTL_unpausedomain, domid);
}

/* The limit to its memory; frees nothing. */
int hyper_max_mem(domid_t domid, uint64_t kib)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_max_mem, .domain = domid,
		.u.max_mem.max_memkb = kib,
	};

	return hyper_domctl(&op);
}

/* Fills a page of the domain with call stubs. */
int hyper_hypercall_page(domid_t domid, uint64_t frame)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_hypercall_init, .domain = domid,
		.u.hypercall_init.gmfn = frame,
	};

	return hyper_domctl(&op);
}

/* What a vCPU starts from; c comes from hyper_alloc(). */
int hyper_set_context(domid_t domid, unsigned int vcpu,
		      const struct vcpu_guest_context *c)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_setvcpucontext, .domain = domid,
		.u.vcpucontext = { vcpu, (uintptr_t)c },
	};

	return hyper_domctl(&op);
}

/* The state of one vCPU; -ESRCH if there is none. */
int hyper_vcpu_info(domid_t domid, unsigned int vcpu,
		    struct xen_domctl_getvcpuinfo *info)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_getvcpuinfo, .domain = domid,
		.u.getvcpuinfo.vcpu = vcpu,
	};
	int rc = hyper_domctl(&op);

	*info = op.u.getvcpuinfo;
	return rc;
}

/*
 * Sets where a vCPU may (hard) and would rather (soft) run, or reads both if
 * !set; a bit per CPU.
 */
int hyper_affinity(domid_t domid, unsigned int vcpu, bool set, uint64_t *hard,
		   uint64_t *soft)
{
	uint64_t *maps = hyper_alloc(2 * sizeof(*maps));
	struct xen_domctl op = {
		.cmd = set ? XEN_DOMCTL_setvcpuaffinity
			   : XEN_DOMCTL_getvcpuaffinity,
		.domain = domid,
		.u.vcpuaffinity = {
			.vcpu = vcpu,
			.flags = (hard ? XEN_VCPUAFFINITY_HARD : 0) |
				 (soft ? XEN_VCPUAFFINITY_SOFT : 0),
			.cpumap_hard = { (uintptr_t)&maps[0], 64, 0 },
			.cpumap_soft = { (uintptr_t)&maps[1], 64, 0 },
		},
	};
	int rc;

	if (!maps)
		return -ENOMEM;
	maps[0] = hard ? *hard : 0;
	maps[1] = soft ? *soft : 0;
	rc = hyper_domctl(&op);
	if (hard)
		*hard = maps[0];
	if (soft)
		*soft = maps[1];
	hyper_free(maps, 2 * sizeof(*maps));
	return rc;
}

/* Weight and cap (percent of a CPU, 0 none): sets, or reads if !set. */
int hyper_sched(domid_t domid, bool set, uint16_t *weight, uint16_t *cap)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_scheduler_op, .domain = domid,
		.u.scheduler_op = {
			.sched_id = XEN_SCHEDULER_CREDIT,
			.cmd = set ? XEN_DOMCTL_SCHEDOP_putinfo
				   : XEN_DOMCTL_SCHEDOP_getinfo,
			.u.credit = { set ? *weight : 0, set ? *cap : 0 },
		},
	};
	int rc = hyper_domctl(&op);

	if (!rc && !set) {
		*weight = op.u.scheduler_op.u.credit.weight;
		*cap = op.u.scheduler_op.u.credit.cap;
	}
	return rc;
}

/* A port in domid that only remote may connect to. */
int hyper_alloc_port(domid_t domid, domid_t remote)
{
	struct evtchn_alloc_unbound arg = { .dom = domid, .remote_dom = remote };
	int rc = hyper_op(__HYPERVISOR_event_channel_op,
			  EVTCHNOP_alloc_unbound, &arg, sizeof(arg));

	return rc ? rc : (int)arg.port;
}

/*
 * Memory for domid at the n pfns in extents[] (from hyper_alloc()), 2^order
 * frames each, whose first frames replace them.  Returns how many got some.
 */
long hyper_populate(domid_t domid, uint64_t *extents, uint64_t n,
		    unsigned int order)
{
	struct xen_memory_reservation r = {
		.extent_start = (uintptr_t)extents, .nr_extents = n,
		.extent_order = order, .domid = domid,
	};

	return hyper_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r,
			sizeof(r));
}

/* A frame of domid becomes a top-level page table. */
int hyper_pin_l4(domid_t domid, uint64_t frame)
{
	struct mmuext_op *op = hyper_alloc(sizeof(*op));
	int rc;

	if (!op)
		return -ENOMEM;
	op->cmd = MMUEXT_PIN_L4_TABLE;
	op->arg1.mfn = frame;
	rc = hyper_call(__HYPERVISOR_mmuext_op, (uintptr_t)op, 1, 0, domid, 0);
	hyper_free(op, sizeof(*op));
	return rc;
}

/* The first frame of its grant table; hyper_unmap(p, 1).  NULL with errno. */
void *hyper_map_grants(domid_t domid)
{
	struct { struct gnttab_setup_table op; uint64_t frame; } *t;
	void *p = NULL;

	t = hyper_alloc(sizeof(*t));
	if (!t)
		return NULL;
	t->op.dom = domid;
	t->op.nr_frames = 1;
	t->op.frame_list = (uintptr_t)&t->frame;
	errno = ENOMEM;
	if (!hyper_call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table,
			(uintptr_t)t, 1, 0, 0) && t->op.status == GNTST_okay)
		p = hyper_map(domid, &t->frame, 1, PROT_READ | PROT_WRITE);
	hyper_free(t, sizeof(*t));
	return p;
}

/* What the machine has, and what is free. */
int hyper_physinfo(struct xen_sysctl_physinfo *info)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo };
	int rc = hyper_sysctl(&op);

	*info = op.u.physinfo;
	return rc;
}

/* One answer of xen_version(), up to size bytes; negative or its result. */
long hyper_version(unsigned int cmd, void *to, size_t size)
{
	void *p = hyper_alloc(size + 1);
	long r;

	if (!p)
		return -ENOMEM;
	r = hyper_call(__HYPERVISOR_xen_version, cmd, (uintptr_t)p, 0, 0, 0);
	if (r >= 0 && size)
		memcpy(to, p, size);
	hyper_free(p, size + 1);
	return r;
}

/* As if typed on the hypervisor's console. */
int hyper_debug_keys(const char *keys)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_debug_keys };
	size_t n = strlen(keys);
	char *p = hyper_alloc(n + 1);
	int rc;

	if (!p)
		return -ENOMEM;
	memcpy(p, keys, n);
	op.u.debug_keys.keys = (uintptr_t)p;
	op.u.debug_keys.nr_keys = n;
	rc = hyper_sysctl(&op);
	hyper_free(p, n + 1);
	return rc;
}
