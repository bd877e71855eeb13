// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that other domains granted us, through /dev/xen/gntdev.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <hypercall-abi/linux_dev.h>
#include "lib.h"

#define PAGE	4096u

/* The descriptor that the others want. */
int gnttab_open(void)
{
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void gnttab_forget(int fd, uint64_t index)
{
	/* Can only fail if index is wrong: then there is nothing to forget. */
	ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF,
	      &(struct ioctl_gntdev_unmap_grant_ref){
		      .index = index, .count = 1 });
}

/* One page of domid, by grant reference; NULL with errno if it may not be. */
void *gnttab_map(int fd, domid_t domid, uint32_t ref, int prot)
{
	struct ioctl_gntdev_map_grant_ref arg = {
		.count = 1,
		.refs = { { .domid = domid, .ref = ref } },
	};
	void *p;

	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &arg))
		return NULL;
	p = mmap(NULL, PAGE, prot, MAP_SHARED, fd, arg.index);
	if (p != MAP_FAILED)
		return p;
	gnttab_forget(fd, arg.index);
	return NULL;
}

/* Undoes gnttab_map(). */
void gnttab_unmap(int fd, void *page)
{
	struct ioctl_gntdev_get_offset_for_vaddr arg = {
		.vaddr = (uintptr_t)page,
	};

	if (ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &arg))
		return;		/* not one of ours */
	munmap(page, PAGE);
	gnttab_forget(fd, arg.offset);
}
