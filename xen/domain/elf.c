/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel images: bzImage, ELF64, Xen notes.
 *
 * The file comes from the boot loader and is trusted to be the operator's,
 * not to be well-formed: every offset is checked against the file's size
 * before use, sums that could wrap are not formed, and the reason of a refusal
 * is one line that says what is wrong with the kernel.
 *
 * Segments are placed by physical address (a per-CPU segment of Linux has
 * virtual address 0): va = VIRT_BASE + p_paddr - PADDR_OFFSET.
 *
 * Not done: 32-bit kernels, notes in sections that no segment has, the
 * __xen_guest section of kernels before 2.6.18, BSD symbol tables.
 */
#include <domain/image.h>
#include <mm/mm.h>
#include <lib/decompress.h>
#include <hypercall-abi/features.h>

#define MAX_UNPACKED	(1UL << 30)	/* an ELF file's size */
#define MAX_EXTENT	(1UL << 30)	/* from VIRT_BASE to the kernel's end */

/* Offsets in an ELF header (the last three are the segments': where, size of
 * one, how many), and what we want there. */
enum elf_header {
	ELF_CLASS = 4, ELF_MACHINE = 18, ELF_PHOFF = 32, ELF_PHENTSIZE = 54,
	ELF_PHNUM = 56, ELF_HEADER_END = 64,
};
#define ELF_MAGIC	0x464c457fU	/* at 0 */
#define ELF_CLASS64_LE	0x0102
#define ELF_X86_64	62
#define NOTE_HEADER	12	/* sizes of name and description, type */

/* Offsets in a bzImage (Linux: Documentation/x86/boot.rst). */
enum bzimage_header {
	BZ_SETUP_SECTS = 0x1f1, BZ_MAGIC = 0x202, BZ_VERSION = 0x206,
	BZ_PAYLOAD = 0x248, BZ_PAYLOAD_SIZE = 0x24c, BZ_HEADER_END = 0x250,
};
#define BZ_MIN_VERSION	0x208		/* payload fields exist */

__init const char *image_unpack(const u8 *file, size_t len,
				struct kernel_image *k)
{
	const char *err;
	struct unpack u;

	if (len >= BZ_HEADER_END && !memcmp(file + BZ_MAGIC, "HdrS", 4)) {
		u64 offset = (file[BZ_SETUP_SECTS] + 1) * 512UL +
			     load_le(file + BZ_PAYLOAD, 4);

		if (load_le(file + BZ_VERSION, 2) < BZ_MIN_VERSION)
			return "bzImage is older than boot protocol 2.08";
		if (offset + load_le(file + BZ_PAYLOAD_SIZE, 4) > len)
			return "bzImage is cut short";
		len = load_le(file + BZ_PAYLOAD_SIZE, 4);
		file += offset;
	}
	*k = (struct kernel_image){ .elf = file, .size = len };
	if (len < ELF_HEADER_END)
		return "kernel: file is too short";
	if (load_le(file, 4) == ELF_MAGIC)
		return NULL;

	/* Every format Linux uses has the unpacked size at its end. */
	k->size = load_le(file + len - 4, 4);
	if (!k->size || k->size > MAX_UNPACKED)
		return "not a kernel, or its unpacked size makes no sense";
	k->buffer = heap_alloc(k->size);
	if (!k->buffer)
		return "kernel: no memory to unpack it";
	k->elf = k->buffer;
	u = (struct unpack){ file, file + len, k->buffer, k->buffer,
			     k->buffer + k->size };
	err = decompress(&u);
	if (!err && u.out != u.out_end)
		err = "kernel: unpacked data ends early";
	return err;
}

/* All notes in a part of the file. */
static __init void take_notes(struct kernel_image *k, u64 offset, u64 size)
{
	const u8 *p;

	if (offset > k->size || size > k->size - offset)
		return;
	for (p = k->elf + offset; size >= NOTE_HEADER; ) {
		u64 name = load_le(p, 4), len = load_le(p + 4, 4);
		u64 at = NOTE_HEADER + ROUND_UP(name, 4UL);
		u64 next = at + ROUND_UP(len, 4UL);
		u32 type = load_le(p + 8, 4);

		if (next > size)
			return;
		if (name == 4 && !memcmp(p + NOTE_HEADER, "Xen", 4) &&
		    type <= XEN_ELFNOTE_MAX) {
			k->has |= 1U << type;
			k->note[type] = 0;
			memcpy(&k->note[type], p + at, min(len, 8UL));
			if (len && !p[at + len - 1])
				k->text[type] = (const char *)p + at;
		}
		p += next;
		size -= next;
	}
}

static __init const char *check_notes(const struct kernel_image *k)
{
	const char *features = k->text[XEN_ELFNOTE_FEATURES];
	const u64 *note = k->note;

	if (!HAS_NOTE(k, ENTRY))
		return "kernel has no Xen note ENTRY: not a PV kernel";
	if (strcmp(k->text[XEN_ELFNOTE_XEN_VERSION], "xen-3.0"))
		return "kernel is for another ABI (note XEN_VERSION)";
	if (!strncmp(k->text[XEN_ELFNOTE_PAE_MODE], "no", 2))
		return "kernel refuses 64-bit page tables (note PAE_MODE)";
	if (strstr(features, "!supervisor_mode_kernel") ||
	    strstr(features, "!auto_translated_physmap"))
		return "kernel requires a feature that PV does not have";
	if ((note[XEN_ELFNOTE_VIRT_BASE] | note[XEN_ELFNOTE_PADDR_OFFSET] |
	     note[XEN_ELFNOTE_INIT_P2M] | note[XEN_ELFNOTE_HYPERCALL_PAGE]) &
	    ~PAGE_MASK)
		return "kernel: an address in its notes is not page-aligned";
	if (note[XEN_ELFNOTE_VIRT_BASE] >= -MAX_EXTENT)
		return "kernel: note VIRT_BASE leaves no room";
	if (note[XEN_ELFNOTE_HV_START_LOW] > HYP_VIRT_START)
		return "kernel does not leave the hypervisor's addresses free";
	if (HAS_NOTE(k, SUPPORTED_FEATURES) &&
	    !(note[XEN_ELFNOTE_SUPPORTED_FEATURES] >> XENFEAT_dom0 & 1))
		return "kernel cannot run as Dom0 (note SUPPORTED_FEATURES)";
	return NULL;
}

/* Is there a place in the kernel for `size` bytes at this note's address? */
static __init bool inside(const struct kernel_image *k, unsigned int type,
			  u64 size)
{
	return k->note[type] >= k->start && k->note[type] < k->end &&
	       size <= ROUND_UP(k->end, PAGE_SIZE) - k->note[type];
}

__init const char *image_parse(struct kernel_image *k)
{
	const struct elf_segment *s;
	const char *err;
	u64 at;

	if (k->size < ELF_HEADER_END || load_le(k->elf, 4) != ELF_MAGIC ||
	    load_le(k->elf + ELF_CLASS, 2) != ELF_CLASS64_LE ||
	    load_le(k->elf + ELF_MACHINE, 2) != ELF_X86_64)
		return "kernel is not an ELF file for x86-64";
	at = load_le(k->elf + ELF_PHOFF, 8);
	k->nr_seg = load_le(k->elf + ELF_PHNUM, 2);
	if (load_le(k->elf + ELF_PHENTSIZE, 2) != sizeof(*s) || at > k->size ||
	    k->nr_seg * sizeof(*s) > k->size - at)
		return "kernel: ELF segments are cut short";
	k->seg = (const void *)(k->elf + at);
	for (unsigned int i = 0; i <= XEN_ELFNOTE_MAX; i++)
		k->text[i] = "";
	for (s = k->seg; s < k->seg + k->nr_seg; s++)
		if (s->type == ELF_NOTE)
			take_notes(k, s->offset, s->filesz);
	err = check_notes(k);
	if (err)
		return err;

	/* Each segment's place is checked, and their hull is the kernel. */
	k->start = ~0UL;
	k->end = 0;
	for (s = k->seg; s < k->seg + k->nr_seg; s++) {
		u64 offset = s->paddr - k->note[XEN_ELFNOTE_PADDR_OFFSET];

		if (s->type != ELF_LOAD || !s->memsz)
			continue;
		if (s->offset > k->size || s->filesz > s->memsz ||
		    s->filesz > k->size - s->offset)
			return "kernel: ELF segment is cut short";
		if (offset > MAX_EXTENT || s->memsz > MAX_EXTENT - offset)
			return "kernel: ELF segment has an odd address";
		k->start = min(k->start, image_va(k, s->paddr));
		k->end = max(k->end, image_va(k, s->paddr) + s->memsz);
	}
	if (!inside(k, XEN_ELFNOTE_ENTRY, 1) ||
	    (HAS_NOTE(k, HYPERCALL_PAGE) &&
	     !inside(k, XEN_ELFNOTE_HYPERCALL_PAGE, PAGE_SIZE)))
		return "kernel: note ENTRY or HYPERCALL_PAGE is outside of it";
	return NULL;
}
