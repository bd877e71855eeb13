// SPDX-License-Identifier: GPL-2.0
/*
 * A hypervisor for xend on the host: domains in a file that all processes
 * share, their memory in another.  It stands in for lib/hyper.c.
 * test_xend.py reads and writes the first file as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../dom0-tools/lib/lib.h"

#define PAGE		4096ul
#define FRAMES		(1ul << 20)
#define DOMAINS		64
#define SHARED_INFO	0x100		/* frames 0x100 + slot: shared_info */
#define FIRST_FRAME	0x1000

struct fake_domain {			/* 64 bytes */
	uint32_t domid, flags;		/* domid 0: free slot */
	uint8_t uuid[16];
	uint64_t pages, max_pages, first_frame;
	uint32_t vcpus, pinned;
	uint32_t ports, pauses;
};
_Static_assert(sizeof(struct fake_domain) == 64, "test_xend.py knows");

static struct fake {
	uint32_t next_domid, pad;
	uint64_t next_frame;
	uint8_t pad2[48];
	struct fake_domain domains[DOMAINS];
} *fake;
static int fake_fd, mem_fd;

static int fake_lock(void)
{
	return flock(fake_fd, LOCK_EX);
}

static void fake_unlock(void)
{
	flock(fake_fd, LOCK_UN);
}

int hyper_open(void)
{
	fake_fd = open("/run/fake/domains", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	mem_fd = open("/run/fake/memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fake_fd < 0 || mem_fd < 0 || ftruncate(fake_fd, sizeof(*fake)) ||
	    ftruncate(mem_fd, FRAMES * PAGE))
		return -errno;
	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fake_fd, 0);
	if (fake == MAP_FAILED)
		return -errno;
	fake_lock();
	if (!fake->next_domid) {
		fake->next_domid = 1;
		fake->next_frame = FIRST_FRAME;
	}
	fake_unlock();
	return 0;
}

static struct fake_domain *find(domid_t domid)
{
	unsigned int i;

	for (i = 0; i < DOMAINS; i++)
		if (domid && fake->domains[i].domid == domid)
			return &fake->domains[i];
	return NULL;
}

void *hyper_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void hyper_free(void *p, size_t size)
{
	(void)size;
	free(p);
}

static uint64_t used_pages(void)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < DOMAINS; i++)
		n += fake->domains[i].domid ? fake->domains[i].pages : 0;
	return n;
}

int hyper_create(const uint8_t uuid[16], unsigned int vcpus, uint32_t ports,
		 int grant_frames)
{
	unsigned int i;
	int rc = -ENOMEM;

	(void)ports;
	(void)grant_frames;
	fake_lock();
	for (i = 0; i < DOMAINS && rc < 0; i++) {
		struct fake_domain *d = &fake->domains[i];

		if (d->domid)
			continue;
		memset(d, 0, sizeof(*d));
		memcpy(d->uuid, uuid, 16);
		d->vcpus = vcpus;
		d->flags = XEN_DOMINF_paused;
		d->pauses = 1;
		rc = d->domid = fake->next_domid++;
	}
	fake_unlock();
	return rc;
}

int hyper_destroy(domid_t domid)
{
	struct fake_domain *d;

	fake_lock();
	d = find(domid);
	if (d) {
		if (d->pages)
			fallocate(mem_fd, FALLOC_FL_PUNCH_HOLE |
				  FALLOC_FL_KEEP_SIZE, d->first_frame * PAGE,
				  d->pages * PAGE);
		d->domid = 0;
	}
	fake_unlock();
	return d ? 0 : -ESRCH;
}

static int change_pause(domid_t domid, int by)
{
	struct fake_domain *d;
	int rc = -ESRCH;

	fake_lock();
	d = find(domid);
	if (d && by < 0 && !d->pauses)
		rc = -EINVAL;
	else if (d) {
		rc = 0;
		d->pauses += by;
		d->flags &= ~XEN_DOMINF_paused;
		d->flags |= d->pauses ? XEN_DOMINF_paused : 0;
	}
	fake_unlock();
	return rc;
}

int hyper_pause(domid_t domid)
{
	return change_pause(domid, 1);
}

int hyper_unpause(domid_t domid)
{
	return change_pause(domid, -1);
}

int hyper_max_mem(domid_t domid, uint64_t kib)
{
	struct fake_domain *d = find(domid);

	if (d)
		d->max_pages = kib >> 2;
	return d ? 0 : -ESRCH;
}

int hyper_next_domain(domid_t first, struct xen_domctl_getdomaininfo *info)
{
	const struct fake_domain *d = NULL;
	unsigned int i;

	fake_lock();
	for (i = 0; i < DOMAINS; i++)
		if (fake->domains[i].domid >= first && fake->domains[i].domid &&
		    (!d || fake->domains[i].domid < d->domid))
			d = &fake->domains[i];
	memset(info, 0, sizeof(*info));
	if (d && first) {
		info->domain = d->domid;
		info->flags = d->flags;
		memcpy(info->handle, d->uuid, 16);
		info->tot_pages = d->pages;
		info->max_pages = d->max_pages;
		info->max_vcpu_id = d->vcpus - 1;
		info->nr_online_vcpus = d->vcpus;
		info->shared_info_frame = SHARED_INFO + (d - fake->domains);
	}
	fake_unlock();
	return d || !first ? 0 : -ESRCH;	/* 0: Domain-0 */
}

int hyper_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	int rc = hyper_next_domain(domid, info);

	return !rc && info->domain != domid ? -ESRCH : rc;
}

int hyper_alloc_port(domid_t domid, domid_t remote)
{
	struct fake_domain *d = find(domid);

	(void)remote;
	return d ? (int)++d->ports : -ESRCH;
}

long hyper_populate(domid_t domid, uint64_t *extents, uint64_t n,
		    unsigned int order)
{
	struct fake_domain *d;
	uint64_t i, pages = n << order;

	fake_lock();
	d = find(domid);
	if (d && d->pages + pages > d->max_pages)
		d = NULL;
	if (d) {
		if (!d->pages)
			d->first_frame = fake->next_frame;
		d->pages += pages;
		if (fake->next_frame + pages > FRAMES)
			fake->next_frame = FIRST_FRAME;	/* reused */
		for (i = 0; i < n; i++)
			extents[i] = fake->next_frame + (i << order);
		fake->next_frame += pages;
	}
	fake_unlock();
	return d ? (long)n : 0;
}

void *hyper_map(domid_t domid, const uint64_t *frames, unsigned int n,
		int prot)
{
	unsigned int i;

	if (!find(domid)) {
		errno = ESRCH;
		return NULL;
	}
	for (i = 1; i < n; i++)
		if (frames[i] != frames[0] + i) {
			errno = EFAULT;		/* never in this world */
			return NULL;
		}
	return mmap(NULL, n * PAGE, prot, MAP_SHARED, mem_fd, frames[0] * PAGE);
}

void hyper_unmap(void *p, unsigned int n)
{
	if (p)
		munmap(p, n * PAGE);
}

void *hyper_map_grants(domid_t domid)
{
	if (!find(domid))
		return NULL;
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int hyper_hypercall_page(domid_t domid, uint64_t frame)
{
	(void)frame;
	return find(domid) ? 0 : -ESRCH;
}

int hyper_pin_l4(domid_t domid, uint64_t frame)
{
	struct fake_domain *d = find(domid);

	if (d)
		d->pinned = frame;
	return d ? 0 : -ESRCH;
}

int hyper_set_context(domid_t domid, unsigned int vcpu,
		      const struct vcpu_guest_context *c)
{
	const struct fake_domain *d = find(domid);

	return d && !vcpu && c->ctrlreg[3] >> 12 == d->pinned ? 0 : -EINVAL;
}

int hyper_vcpu_info(domid_t domid, unsigned int vcpu,
		    struct xen_domctl_getvcpuinfo *info)
{
	const struct fake_domain *d = find(domid);

	*info = (struct xen_domctl_getvcpuinfo){ .online = 1 };
	return (d && vcpu < d->vcpus) || (!domid && !vcpu) ? 0 : -ESRCH;
}

int hyper_affinity(domid_t domid, unsigned int vcpu, bool set, uint64_t *hard,
		   uint64_t *soft)
{
	(void)domid;
	(void)vcpu;
	if (!set && hard)
		*hard = ~0ull;
	if (!set && soft)
		*soft = ~0ull;
	return 0;
}

int hyper_sched(domid_t domid, bool set, uint16_t *weight, uint16_t *cap)
{
	(void)domid;
	if (!set) {
		*weight = 256;
		*cap = 0;
	}
	return 0;
}

int hyper_physinfo(struct xen_sysctl_physinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->nr_cpus = 4;
	info->total_pages = FRAMES;
	info->free_pages = FRAMES - FIRST_FRAME - used_pages();
	return 0;
}

long hyper_version(unsigned int cmd, void *to, size_t size)
{
	if (size)
		memset(to, 0, size);
	return cmd ? 0 : 4 << 16 | 17;
}

int hyper_sysctl(struct xen_sysctl *op)
{
	(void)op;
	return 0;
}

int hyper_debug_keys(const char *keys)
{
	(void)keys;
	return 0;
}

int hyper_read_log(char *buf, unsigned int size, uint32_t *index)
{
	const char text[] = "(XEN) a log\n";

	if (*index || size < sizeof(text))
		return 0;
	memcpy(buf, text, sizeof(text));
	*index = sizeof(text) - 1;
	return sizeof(text) - 1;
}

/* xenstored runs without domains here. */
int __wrap_store_introduce(struct store *s, domid_t domid, uint64_t gfn,
			   uint32_t port);
int __wrap_store_introduce(struct store *s, domid_t domid, uint64_t gfn,
			   uint32_t port)
{
	(void)s;
	return domid && gfn && port ? 0 : -EINVAL;
}

int __wrap_store_release(struct store *s, domid_t domid);
int __wrap_store_release(struct store *s, domid_t domid)
{
	(void)s;
	(void)domid;
	return 0;
}
