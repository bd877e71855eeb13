/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The domain builder: from a kernel file to a domain that can be unpaused.
 * Prototypes stand under the file that owns them.
 *
 * What can fail says why: NULL is success, else one line for people that
 * names the file or the quantity at fault.
 */
#pragma once

#include "../lib/lib.h"

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ul
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGES(bytes)	(((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define NO_ADDRESS	(~0ull)		/* one that no note gave */

/* image.c: ELF kernels and their notes. */
struct image {
	const uint8_t *data;	/* the ELF file */
	uint64_t size;
	uint64_t start, end;	/* virtual hull of its segments */
	uint64_t entry;
	uint64_t virt_base;	/* where pfn 0 is mapped */
	uint64_t paddr_offset;
	uint64_t hypercall_page;	/* or NO_ADDRESS */
	uint64_t init_p2m;		/* or NO_ADDRESS */
	bool mod_start_pfn, abi_ok;
};
struct image_part {
	const uint8_t *data;
	uint64_t file_size;
	uint64_t va, size;	/* size >= file_size, the rest is zero */
};
const char *image_parse(struct image *im, const uint8_t *data, uint64_t size);
bool image_part(const struct image *im, unsigned int *index,
		struct image_part *part);

/* unpack.c: compressed kernels, and the cache of unpacked ones. */
struct kernel_file {
	const uint8_t *elf;
	uint64_t size;
	void *map, *buffer;	/* private: what holds it */
};
const char *kernel_open(struct arena *a, const char *path, const char *cache,
			struct kernel_file *k);
void kernel_close(struct kernel_file *k);
const char *kernel_unpack(const uint8_t *file, uint64_t size, uint8_t **out,
			  uint64_t *out_size);

/* layout.c: who lies where; tables and start_info.  No I/O. */
struct layout {
	uint64_t virt_base;
	uint64_t v_initrd, v_p2m, v_start_info, v_store, v_console;
	uint64_t v_tables, v_stack, v_end;
	uint64_t nr_tables;		/* from v_tables on */
	uint64_t initrd_pfn, initrd_pages;
	uint64_t p2m_pfn, p2m_pages;
	uint64_t p2m_tables;		/* behind p2m_pages; 0: mapped above */
	uint64_t fixed_pages;		/* pfns with a purpose */
};
struct guest_facts {
	uint64_t nr_pages, initrd_size;
	uint64_t shared_info_frame;
	uint32_t store_port, console_port;
	const char *cmdline;
};
const char *layout_compute(struct layout *l, const struct image *im,
			   uint64_t nr_pages, uint64_t initrd_size);
uint64_t layout_pfn(const struct layout *l, uint64_t va);
void layout_tables(const struct layout *l, const uint64_t *p2m,
		   uint64_t (*tables)[512], uint64_t (*p2m_tables)[512]);
void layout_start_info(const struct layout *l, const struct image *im,
		       const struct guest_facts *f, const uint64_t *p2m,
		       struct start_info *si);
void layout_vcpu(const struct layout *l, const struct image *im,
		 const uint64_t *p2m, struct vcpu_guest_context *c);

/* build.c: the journey. */
struct build {
	/* in */
	domid_t domid;
	uint64_t memory_kib;
	const char *kernel, *ramdisk;	/* ramdisk or NULL */
	const char *cmdline;
	const char *cache;		/* folder, or NULL */
	void (*progress)(double done);	/* 0 to 1 */
	/* out */
	uint32_t store_port, console_port;
	uint64_t store_frame, console_frame;
};
const char *build_guest(struct arena *a, struct build *b);
