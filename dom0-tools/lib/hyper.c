// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls from user space through /dev/xen/privcmd, and frames of other
 * domains in our address space.
 *
 * The hypervisor reads and writes hypercall arguments while it cannot wait
 * for a page fault, so they must lie in pages that are present and stay so:
 * /dev/xen/hypercall gives such pages.  Small structures are bounced through
 * one that is kept for the purpose.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <hypercall-abi/linux_dev.h>
#include "lib.h"

#define PAGE	4096u

static int hyper_fd = -1, hyper_buf_fd = -1;
static void *hyper_bounce;	/* one page: domctl and sysctl structures */

/* To be called once, before anything else here; and anew after a fork(). */
int hyper_open(void)
{
	hyper_fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (hyper_fd < 0)
		return -errno;
	hyper_buf_fd = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
	hyper_bounce = hyper_alloc(PAGE);
	return hyper_bounce ? 0 : -errno;
}

/*
 * One hypercall; pointers among the arguments must come from hyper_alloc().
 * Returns the hypervisor's answer, a negative one being -errno.
 */
long hyper_call(unsigned int op, uint64_t a0, uint64_t a1, uint64_t a2,
		uint64_t a3, uint64_t a4)
{
	struct privcmd_hypercall call = {
		.op = op,
		.arg = { a0, a1, a2, a3, a4 },
	};
	long r = ioctl(hyper_fd, IOCTL_PRIVCMD_HYPERCALL, &call);

	return r < 0 ? -errno : r;
}

static size_t hyper_round(size_t size)
{
	return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* Zeroed pages that a hypercall may use; NULL with errno. */
void *hyper_alloc(size_t size)
{
	void *p;

	size = hyper_round(size);
	p = hyper_buf_fd >= 0 ?
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		 hyper_buf_fd, 0) :
	    mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE,
		 -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	memset(p, 0, size);
	return p;
}

/* Gives back what hyper_alloc(size) gave. */
void hyper_free(void *p, size_t size)
{
	if (p)
		munmap(p, hyper_round(size));
}

/* A call op(cmd, arg), where arg is in and out and at most a page. */
long hyper_op(unsigned int op, unsigned int cmd, void *arg, size_t size)
{
	long r;

	memcpy(hyper_bounce, arg, size);
	r = hyper_call(op, cmd, (uintptr_t)hyper_bounce, 0, 0, 0);
	memcpy(arg, hyper_bounce, size);
	return r;
}

static long hyper_bounced(unsigned int op, void *arg, size_t size)
{
	long r;

	memcpy(hyper_bounce, arg, size);
	r = hyper_call(op, (uintptr_t)hyper_bounce, 0, 0, 0, 0);
	memcpy(arg, hyper_bounce, size);
	return r;
}

/* One domctl.  Fills in the version; op is updated as the hypervisor says. */
int hyper_domctl(struct xen_domctl *op)
{
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	return hyper_bounced(__HYPERVISOR_domctl, op, sizeof(*op));
}

/* One sysctl, in the same way. */
int hyper_sysctl(struct xen_sysctl *op)
{
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return hyper_bounced(__HYPERVISOR_sysctl, op, sizeof(*op));
}

/* The domain with the lowest id not below first; -ESRCH past the last. */
int hyper_next_domain(domid_t first, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_getdomaininfo,
		.domain = first,
	};
	int rc = hyper_domctl(&op);

	if (!rc)
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
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_readconsole };
	char *p = hyper_alloc(size);
	int rc;

	if (!p)
		return -errno;
	op.u.readconsole.incremental = 1;
	op.u.readconsole.index = *index;
	op.u.readconsole.buffer = (uintptr_t)p;
	op.u.readconsole.count = size;
	rc = hyper_sysctl(&op);
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
	int error = 0, *err = calloc(n, sizeof(*err));
	unsigned int i;
	void *p;

	if (!err)
		return NULL;
	p = mmap(NULL, (size_t)n * PAGE, prot, MAP_SHARED, hyper_fd, 0);
	if (p == MAP_FAILED) {
		free(err);
		return NULL;
	}
	batch.addr = (uintptr_t)p;
	batch.err = err;
	if (ioctl(hyper_fd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch))
		error = errno;
	for (i = 0; i < n && !error; i++)
		error = -err[i];
	free(err);
	if (!error)
		return p;
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
