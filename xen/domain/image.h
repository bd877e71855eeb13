/* SPDX-License-Identifier: GPL-2.0 */
/* The first domain's kernel as a file: from bzImage to segments and notes. */
#pragma once

#include <lib/lib.h>
#include <hypercall-abi/elfnote.h>

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
} __packed;
#define ELF_LOAD	1		/* types */
#define ELF_NOTE	4

struct kernel_image {
	const u8 *elf;		/* the ELF file, unpacked */
	size_t size;
	u8 *buffer;		/* from heap_alloc(); NULL: it is the module */
	const struct elf_segment *seg;	/* in the file, whole */
	unsigned int nr_seg;

	/* Notes by type: as a number and as a text, 0 and "" if absent. */
	u64 note[XEN_ELFNOTE_MAX + 1];
	const char *text[XEN_ELFNOTE_MAX + 1];
	u32 has;		/* bit per type */

	u64 start, end;		/* where segments lie, virtual: [start, end) */
};
#define HAS_NOTE(k, name) ((k)->has >> XEN_ELFNOTE_##name & 1)

/*
 * Finds the ELF file in a module: a bzImage's payload or the module itself,
 * unpacked if need be into pages of ours.  NULL or the reason why not.
 */
const char *image_unpack(const u8 *file, size_t len, struct kernel_image *k);
/*
 * Reads headers and notes of k->elf.  NULL or the reason why not.  Segments to
 * load lie in the file and in [start, end), the notes' addresses make sense.
 */
const char *image_parse(struct kernel_image *k);
/* Where a segment's p_paddr is mapped. */
static inline u64 image_va(const struct kernel_image *k, u64 paddr)
{
	return k->note[XEN_ELFNOTE_VIRT_BASE] + paddr -
	       k->note[XEN_ELFNOTE_PADDR_OFFSET];
}
