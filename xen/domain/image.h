/* SPDX-License-Identifier: GPL-2.0 */
/* The first domain's kernel as a file: from bzImage to segments and notes. */
#ifndef IMAGE_H
#define IMAGE_H

#include <lib/lib.h>

#define IMAGE_NONE	(~0UL)		/* an address that no note gave */

struct kernel_image {
	const u8 *elf;		/* the ELF file, unpacked */
	size_t size;
	void *buffer;		/* pages that hold it; NULL: it is the module */
	size_t buffer_size;

	/* From the notes, checked. */
	u64 entry;		/* virtual address */
	u64 virt_base;		/* where pfn 0 is mapped */
	u64 paddr_offset;
	u64 hypercall_page;	/* or IMAGE_NONE */
	u64 init_p2m;		/* or IMAGE_NONE */
	u64 hv_start_low;	/* or 0 */
	bool mod_start_pfn;
	bool dom0_capable;
	char guest_os[16], guest_version[16];

	/* From the segments: virtual addresses, [start, end) */
	u64 start, end;
};

/* A part of the file and where it goes; size >= file_size, rest zero. */
struct image_segment {
	const u8 *data;
	u64 file_size, va, size;
};

/*
 * Finds the ELF file in a module: a bzImage's payload or the module itself,
 * unpacked if need be into pages of ours.  NULL or the reason why not.
 */
const char *image_unpack(const u8 *file, size_t len, struct kernel_image *k);
/* Reads headers and notes of k->elf.  NULL or the reason why not. */
const char *image_parse(struct kernel_image *k);
/*
 * The first loadable segment with number *index or higher; *index moves
 * behind it.  False when there is none.  Only after image_parse(): it checked
 * that every segment lies in the file and in [start, end).
 */
bool image_segment(const struct kernel_image *k, unsigned int *index,
		   struct image_segment *seg);
/* Gives the pages of image_unpack() back. */
void image_free(struct kernel_image *k);

#endif
