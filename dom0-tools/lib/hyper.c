// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls from user space through /dev/xen/privcmd, one function per
 * operation, and frames of other domains in our address space.  Unless said
 * otherwise 0 or a number is success, and a negative number -errno.
 *
 * The hypervisor reads and writes hypercall arguments while it cannot wait
 * for a page fault, so they must lie in pages that are present and stay so:
 * /dev/xen/hypercall gives such pages.  Small structures, and small things
 * they point to, are bounced through two that are kept for the purpose.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <hypercall-abi/event_channel.h>
#include <hypercall-abi/grant_table.h>
#include <hypercall-abi/linux_dev.h>
#include <hypercall-abi/memory.h>
#include <hypercall-abi/mmu.h>
#include "lib.h"

#define PAGE	4096u

static int hyper_fd = -1, hyper_buf_fd = -1;
static void *hyper_bounce;	/* one page */
static void *hyper_data;	/* and one behind it, for what that points to */

/* To be called once, before anything else here; and anew after a fork(). */
int hyper_open(void)
{
	hyper_fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	hyper_buf_fd = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
	hyper_bounce = hyper_alloc(2 * PAGE);
	hyper_data = (uint8_t *)hyper_bounce + PAGE;
	return hyper_fd >= 0 && hyper_bounce ? 0 : -errno;
}

/* Zeroed pages that a hypercall may use; NULL with errno. */
void *hyper_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       hyper_buf_fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Gives back what hyper_alloc(size) gave. */
void hyper_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

/* One hypercall; arg, in and out and at most a page, is where ARG stands. */
#define ARG	((uintptr_t)hyper_bounce)
static long hyper_call(void *arg, size_t size, struct privcmd_hypercall call)
{
	long r;

	memcpy(hyper_bounce, arg, size);
	r = ioctl(hyper_fd, IOCTL_PRIVCMD_HYPERCALL, &call);
	memcpy(arg, hyper_bounce, size);
	return r < 0 ? -errno : r;
}

/* One domctl.  Fills in the version; op is updated as the hypervisor says. */
static int hyper_domctl(struct xen_domctl *op)
{
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	return hyper_call(op, sizeof(*op), (struct privcmd_hypercall){
		__HYPERVISOR_domctl, { ARG } });
}

/* One sysctl, in the same way. */
int hyper_sysctl(struct xen_sysctl *op)
{
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return hyper_call(op, sizeof(*op), (struct privcmd_hypercall){
		__HYPERVISOR_sysctl, { ARG } });
}

/* The domain with the lowest id not below first; -ESRCH past the last. */
int hyper_next_domain(domid_t first, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_getdomaininfo, .domain = first,
	};
	int rc = hyper_domctl(&op);

	*info = op.u.getdomaininfo;
	return rc;
}

/* The state of one domain; -ESRCH if there is none with that id. */
int hyper_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	int rc = hyper_next_domain(domid, info);

	return !rc && info->domain != domid ? -ESRCH : rc;
}

/*
 * Reads the hypervisor's log from *index on, which moves on.  Returns the
 * number of bytes, 0 if there is no more.
 */
int hyper_read_log(char *buf, unsigned int size, uint32_t *index)
{
	char *p = hyper_alloc(size);
	struct xen_sysctl op = {
		.cmd = XEN_SYSCTL_readconsole,
		.u.readconsole = { .incremental = 1, .index = *index,
				   .buffer = (uintptr_t)p, .count = size },
	};
	int rc = p ? hyper_sysctl(&op) : -errno;

	if (!rc && op.u.readconsole.count <= size) {
		rc = op.u.readconsole.count;
		memcpy(buf, p, rc);
		*index = op.u.readconsole.index;
	}
	hyper_free(p, size);
	return rc;
}

/*
 * Maps n frames of domid next to each other.  NULL with errno if any of them
 * cannot be mapped.
 */
void *hyper_map(domid_t domid, const uint64_t *frames, unsigned int n,
		int prot)
{
	struct privcmd_mmapbatch_v2 batch = {
		.num = n, .dom = domid, .arr = frames,
	};
	void *p = mmap(NULL, (size_t)n * PAGE, prot, MAP_SHARED, hyper_fd, 0);
	int error = 0, *err = calloc(n, sizeof(*err));
	unsigned int i;

	batch.addr = (uintptr_t)p;
	batch.err = err;
	if (p == MAP_FAILED || !err ||
	    ioctl(hyper_fd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch))
		error = errno;
	for (i = 0; i < n && !error; i++)
		error = -err[i];
	free(err);
	if (!error)
		return p;
	if (p != MAP_FAILED)
		munmap(p, (size_t)n * PAGE);
	errno = error;
	return NULL;
}

/* Undoes hyper_map(). */
void hyper_unmap(void *p, unsigned int n)
{
	if (p)
		munmap(p, (size_t)n * PAGE);
}

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
	int rc;

	memcpy(op.u.createdomain.handle, uuid, 16);
	rc = hyper_domctl(&op);
	if (rc)
		return rc;
	rc = hyper_domctl(&(struct xen_domctl){
		.cmd = XEN_DOMCTL_max_vcpus, .domain = op.domain,
		.u.max_vcpus.max = vcpus });
	if (rc)
		hyper_destroy(op.domain);
	return rc ? rc : op.domain;
}

static int hyper_plain(unsigned int cmd, domid_t domid)
{
	return hyper_domctl(&(struct xen_domctl){
		.cmd = cmd, .domain = domid });
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
	return hyper_domctl(&(struct xen_domctl){
		.cmd = XEN_DOMCTL_max_mem, .domain = domid,
		.u.max_mem.max_memkb = kib });
}

/* Fills a page of the domain with call stubs. */
int hyper_hypercall_page(domid_t domid, uint64_t frame)
{
	return hyper_domctl(&(struct xen_domctl){
		.cmd = XEN_DOMCTL_hypercall_init, .domain = domid,
		.u.hypercall_init.gmfn = frame });
}

/* What a vCPU starts from; c comes from hyper_alloc(). */
int hyper_set_context(domid_t domid, unsigned int vcpu,
		      const struct vcpu_guest_context *c)
{
	return hyper_domctl(&(struct xen_domctl){
		.cmd = XEN_DOMCTL_setvcpucontext, .domain = domid,
		.u.vcpucontext = { vcpu, (uintptr_t)c } });
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
	uint64_t *maps = hyper_data;
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

	maps[0] = hard ? *hard : 0;
	maps[1] = soft ? *soft : 0;
	rc = hyper_domctl(&op);
	if (hard)
		*hard = maps[0];
	if (soft)
		*soft = maps[1];
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
	struct evtchn_alloc_unbound arg = {
		.dom = domid, .remote_dom = remote,
	};
	int rc = hyper_call(&arg, sizeof(arg), (struct privcmd_hypercall){
		__HYPERVISOR_event_channel_op,
		{ EVTCHNOP_alloc_unbound, ARG } });

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

	return hyper_call(&r, sizeof(r), (struct privcmd_hypercall){
		__HYPERVISOR_memory_op, { XENMEM_populate_physmap, ARG } });
}

/* A frame of domid becomes a top-level page table. */
int hyper_pin_l4(domid_t domid, uint64_t frame)
{
	struct mmuext_op op = {
		.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = frame,
	};

	return hyper_call(&op, sizeof(op), (struct privcmd_hypercall){
		__HYPERVISOR_mmuext_op, { ARG, 1, 0, domid } });
}

/* The first frame of its grant table; hyper_unmap(p, 1).  NULL with errno. */
void *hyper_map_grants(domid_t domid)
{
	struct gnttab_setup_table op = {
		.dom = domid, .nr_frames = 1,
		.frame_list = (uintptr_t)hyper_data,
	};

	if (hyper_call(&op, sizeof(op), (struct privcmd_hypercall){
			__HYPERVISOR_grant_table_op,
			{ GNTTABOP_setup_table, ARG, 1 } }) ||
	    op.status != GNTST_okay) {
		errno = ENOMEM;
		return NULL;
	}
	return hyper_map(domid, hyper_data, 1, PROT_READ | PROT_WRITE);
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
	memset(to, 0, size);
	return hyper_call(to, size, (struct privcmd_hypercall){
		__HYPERVISOR_xen_version, { cmd, ARG } });
}

/* As if typed on the hypervisor's console. */
int hyper_debug_keys(const char *keys)
{
	size_t n = strnlen(keys, PAGE);
	struct xen_sysctl op = {
		.cmd = XEN_SYSCTL_debug_keys,
		.u.debug_keys = { .keys = (uintptr_t)hyper_data, .nr_keys = n },
	};

	memcpy(hyper_data, keys, n);
	return hyper_sysctl(&op);
}
