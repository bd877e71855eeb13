/* SPDX-License-Identifier: MIT */
/*
 * What a Linux control domain offers to its user space: ioctls on
 * /dev/xen/privcmd (hypercalls, foreign memory), /dev/xen/evtchn (event
 * channels) and /dev/xen/gntdev (granted pages).  All return 0 or more, or -1
 * with errno set, unless another meaning is named.  Only for tools; the
 * hypervisor does not include this header.
 *
 * IN fields are written by the program, OUT fields by the kernel.
 */
#ifndef ABI_LINUX_DEV_H
#define ABI_LINUX_DEV_H

#include <stdint.h>
#include <hypercall-abi/xen.h>

/* How Linux numbers an ioctl without a direction. */
#define XEN_IOC(type, nr, size)	((size) << 16 | (type) << 8 | (nr))

/*
 * /dev/xen/privcmd: returns the hypercall's result; a negative one becomes
 * errno.  Buffers that the arguments point to must be resident.
 */
struct privcmd_hypercall {
	uint64_t op;		/* IN: __HYPERVISOR_* */
	uint64_t arg[5];	/* IN */
};
#define IOCTL_PRIVCMD_HYPERCALL \
	XEN_IOC('P', 0, sizeof(struct privcmd_hypercall))

/*
 * Maps frames of a domain over [addr, addr + num pages), which must have been
 * mmapped from the same file.  errno is ENOENT if a frame is paged out, else
 * look at err[].
 */
struct privcmd_mmapbatch_v2 {
	unsigned int num;	/* IN */
	domid_t dom;		/* IN */
	uint64_t addr;		/* IN: page aligned */
	const uint64_t *arr;	/* IN: num frame numbers */
	int *err;		/* OUT: num times 0 or -errno */
};
#define IOCTL_PRIVCMD_MMAPBATCH_V2 \
	XEN_IOC('P', 4, sizeof(struct privcmd_mmapbatch_v2))

/*
 * Maps a resource (XENMEM_acquire_resource) in the same way.  With addr and
 * num 0, num becomes the resource's size.
 */
struct privcmd_mmap_resource {
	domid_t dom;		/* IN */
	uint32_t type;		/* IN: XENMEM_resource_* */
	uint32_t id;		/* IN */
	uint32_t idx;		/* IN: first frame of the resource */
	uint64_t num;		/* IN */
	uint64_t addr;		/* IN */
};
#define IOCTL_PRIVCMD_MMAP_RESOURCE \
	XEN_IOC('P', 7, sizeof(struct privcmd_mmap_resource))

/*
 * /dev/xen/evtchn.  read() gives the numbers of ports (uint32_t each) that
 * had an event and are now masked; write() unmasks them.  Closing the file
 * closes its ports.  The three bind calls return the new local port.
 */
struct ioctl_evtchn_bind_virq {
	unsigned int virq;		/* IN: VIRQ_* */
};
#define IOCTL_EVTCHN_BIND_VIRQ \
	XEN_IOC('E', 0, sizeof(struct ioctl_evtchn_bind_virq))

struct ioctl_evtchn_bind_interdomain {
	unsigned int remote_domain;	/* IN */
	unsigned int remote_port;	/* IN: unbound, waiting for us */
};
#define IOCTL_EVTCHN_BIND_INTERDOMAIN \
	XEN_IOC('E', 1, sizeof(struct ioctl_evtchn_bind_interdomain))

struct ioctl_evtchn_bind_unbound_port {
	unsigned int remote_domain;	/* IN: who may connect */
};
#define IOCTL_EVTCHN_BIND_UNBOUND_PORT \
	XEN_IOC('E', 2, sizeof(struct ioctl_evtchn_bind_unbound_port))

struct ioctl_evtchn_unbind {
	unsigned int port;		/* IN */
};
#define IOCTL_EVTCHN_UNBIND \
	XEN_IOC('E', 3, sizeof(struct ioctl_evtchn_unbind))

struct ioctl_evtchn_notify {
	unsigned int port;		/* IN */
};
#define IOCTL_EVTCHN_NOTIFY \
	XEN_IOC('E', 4, sizeof(struct ioctl_evtchn_notify))

/*
 * /dev/xen/gntdev.  MAP_GRANT_REF reserves an offset that mmap() then takes;
 * after munmap(), UNMAP_GRANT_REF forgets it.
 */
struct ioctl_gntdev_grant_ref {
	uint32_t domid;			/* IN */
	uint32_t ref;			/* IN */
};
struct ioctl_gntdev_map_grant_ref {
	uint32_t count;			/* IN: length of refs */
	uint32_t pad;
	uint64_t index;			/* OUT: offset for mmap() */
	struct ioctl_gntdev_grant_ref refs[1];	/* IN */
};
#define IOCTL_GNTDEV_MAP_GRANT_REF \
	XEN_IOC('G', 0, sizeof(struct ioctl_gntdev_map_grant_ref))

struct ioctl_gntdev_unmap_grant_ref {
	uint64_t index;			/* IN */
	uint32_t count;			/* IN */
	uint32_t pad;
};
#define IOCTL_GNTDEV_UNMAP_GRANT_REF \
	XEN_IOC('G', 1, sizeof(struct ioctl_gntdev_unmap_grant_ref))

/* Which offset a mapping came from. */
struct ioctl_gntdev_get_offset_for_vaddr {
	uint64_t vaddr;			/* IN */
	uint64_t offset;		/* OUT */
	uint32_t count;			/* OUT */
	uint32_t pad;
};
#define IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR \
	XEN_IOC('G', 2, sizeof(struct ioctl_gntdev_get_offset_for_vaddr))

#endif
