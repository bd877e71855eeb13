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
 * Not done: 32-bit kernels, the __xen_guest section of kernels before 2.6.18,
 * BSD symbol tables.
 */
#include <domain/image.h>
#include <mm/mm.h>
#include <layout.h>
#include <lib/decompress.h>
#include <hypercall-abi/elfnote.h>
#include <hypercall-abi/features.h>

#define MAX_UNPACKED	(1UL << 30)	/* an ELF file's size */
#define MAX_EXTENT	(1UL << 30)	/* from VIRT_BASE to the kernel's end */

/* --- file formats ---------------------------------------------------- */
struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_section {
	u32 name, type;
	u64 flags, addr, offset, size;
	u32 link, info;
	u64 align, entsize;
};

struct elf_note {
	u32 name_size, desc_size, type;
	/* name, description: each padded to four bytes */
};

#define ELF_MAGIC	0x464c457fU
#define ELF_CLASS64_LE	0x0102		/* ident[4], ident[5] */
#define ELF_X86_64	62
#define ELF_LOAD	1		/* segment types */
#define ELF_NOTE	4
#define ELF_SHT_NOTE	7		/* section type */

/* Offsets in a bzImage (Linux: Documentation/x86/boot.rst). */
#define BZ_SETUP_SECTS	0x1f1
#define BZ_MAGIC	0x202		/* "HdrS" */
#define BZ_VERSION	0x206
#define BZ_PAYLOAD	0x248
#define BZ_PAYLOAD_SIZE	0x24c
#define BZ_HEADER_END	0x250
#define BZ_MIN_VERSION	0x208		/* payload fields exist */

/* --- unpacking ------------------------------------------------------- */
/* [*p, *p + *len) becomes a bzImage's payload if it is one. */
static __init const char *bzimage_payload(const u8 **p, size_t *len)
{
	u64 offset, size;

	if (*len < BZ_HEADER_END || memcmp(*p + BZ_MAGIC, "HdrS", 4))
		return NULL;
	if (load16(*p + BZ_VERSION) < BZ_MIN_VERSION)
		return "bzImage is older than boot protocol 2.08";
	offset = ((*p)[BZ_SETUP_SECTS] + 1) * 512UL + load32(*p + BZ_PAYLOAD);
	size = load32(*p + BZ_PAYLOAD_SIZE);
	if (offset > *len || size > *len - offset)
		return "bzImage is cut short";
	*p += offset;
	*len = size;
	return NULL;
}

static __init unsigned int size_order(size_t size)
{
	return size <= PAGE_SIZE ? 0 : fls64((size - 1) >> PAGE_SHIFT) + 1;
}

/* Pages behind the first `keep` of a block go back, in aligned pieces. */
static __init void trim_pages(u8 *block, unsigned int order, u64 keep)
{
	while (keep < 1UL << order) {
		unsigned int piece = ffs64(keep);

		free_pages(block + (keep << PAGE_SHIFT), piece);
		keep += 1UL << piece;
	}
}

static __init const char *unpack_into(struct kernel_image *k, const u8 *p,
				      size_t len, void *scratch)
{
	/* Every format Linux uses has the unpacked size at its end. */
	size_t size = load32(p + len - 4);
	unsigned int order = size_order(size);
	struct unpack u = { .in = p, .in_len = len, .out_len = size,
			    .scratch = scratch };
	const char *err;

	if (!size || size > MAX_UNPACKED)
		return "kernel: unpacked size makes no sense";
	u.out = alloc_pages(order, ALLOC_NOSCRUB);
	if (!u.out)
		return "kernel: no memory to unpack it";
	k->buffer = u.out;
	k->buffer_size = ROUND_UP(size, PAGE_SIZE);
	trim_pages(u.out, order, k->buffer_size >> PAGE_SHIFT);
	err = decompress(&u);
	k->elf = u.out;
	k->size = u.produced;
	if (!err && u.produced != size)
		err = "kernel: unpacked data ends early";
	return err;
}

__init const char *image_unpack(const u8 *file, size_t len,
				struct kernel_image *k)
{
	const char *err = bzimage_payload(&file, &len);
	void *scratch;

	k->buffer = NULL;
	k->buffer_size = 0;
	if (err)
		return err;
	if (len < sizeof(struct elf_header))
		return "kernel: file is too short";
	k->elf = file;
	k->size = len;
	if (load32(file) == ELF_MAGIC)
		return NULL;
	scratch = alloc_pages(size_order(DECOMPRESS_SCRATCH), 0);
	if (!scratch)
		return "kernel: no memory to unpack it";
	err = unpack_into(k, file, len, scratch);
	free_pages(scratch, size_order(DECOMPRESS_SCRATCH));
	if (err)
		image_free(k);
	return err;
}

__init void image_free(struct kernel_image *k)
{
	u64 pages = k->buffer_size >> PAGE_SHIFT;
	u8 *p = k->buffer;

	/* The block was cut to size: largest pieces first, as it was made. */
	while (pages) {
		unsigned int piece = fls64(pages);

		free_pages(p, piece);
		p += PAGE_SIZE << piece;
		pages -= 1UL << piece;
	}
	k->buffer = NULL;
	k->buffer_size = 0;
}

/* --- notes ----------------------------------------------------------- */
struct notes {
	struct kernel_image *k;
	bool found, version_ok, pae_refused, needs_more, has_entry;
	bool has_supported;
};

static __init u64 note_number(const u8 *desc, u32 size)
{
	switch (size) {
	case 1:
		return *desc;
	case 2:
		return load16(desc);
	case 4:
		return load32(desc);
	default:
		return size >= 8 ? load64(desc) : 0;
	}
}

/* Is `word` one of those in the list, separated by '|'? */
static __init bool list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list) {
		if (!strncmp(list, word, n) && (!list[n] || list[n] == '|'))
			return true;
		list = strchr(list, '|');
		list += !!list;
	}
	return false;
}

static __init void note_features(struct notes *n, const char *list)
{
	if (list_has(list, "!supervisor_mode_kernel") ||
	    list_has(list, "!auto_translated_physmap"))
		n->needs_more = true;
	if (list_has(list, "dom0") || list_has(list, "!dom0"))
		n->k->dom0_capable = true;
}

static __init void take_note(struct notes *n, u32 type, const u8 *desc,
			     u32 size)
{
	struct kernel_image *k = n->k;
	u64 v = note_number(desc, size);
	char text[256];

	/* As a text: cut if need be, always terminated. */
	memcpy(text, desc, min(size, (u32)sizeof(text) - 1));
	text[min(size, (u32)sizeof(text) - 1)] = 0;
	n->found = true;
	switch (type) {
	case XEN_ELFNOTE_ENTRY:
		k->entry = v;
		n->has_entry = true;
		break;
	case XEN_ELFNOTE_HYPERCALL_PAGE:
		k->hypercall_page = v;
		break;
	case XEN_ELFNOTE_VIRT_BASE:
		k->virt_base = v;
		break;
	case XEN_ELFNOTE_PADDR_OFFSET:
		k->paddr_offset = v;
		break;
	case XEN_ELFNOTE_XEN_VERSION:
		n->version_ok = !strcmp(text, "xen-3.0");
		break;
	case XEN_ELFNOTE_GUEST_OS:
		strlcpy(k->guest_os, text, sizeof(k->guest_os));
		break;
	case XEN_ELFNOTE_GUEST_VERSION:
		strlcpy(k->guest_version, text, sizeof(k->guest_version));
		break;
	case XEN_ELFNOTE_PAE_MODE:
		n->pae_refused = !strncmp(text, "no", 2);
		break;
	case XEN_ELFNOTE_FEATURES:
		note_features(n, text);
		break;
	case XEN_ELFNOTE_SUPPORTED_FEATURES:
		n->has_supported = true;
		k->dom0_capable |= v >> XENFEAT_dom0 & 1;
		break;
	case XEN_ELFNOTE_HV_START_LOW:
		k->hv_start_low = v;
		break;
	case XEN_ELFNOTE_INIT_P2M:
		k->init_p2m = v;
		break;
	case XEN_ELFNOTE_MOD_START_PFN:
		k->mod_start_pfn = v & 1;
		break;
	default:
		/* The rest is for tools, other loaders or later versions. */
		break;
	}
}

/* All notes in a part of the file. */
static __init void take_notes(struct notes *n, u64 offset, u64 size)
{
	const u8 *p, *end;

	if (offset > n->k->size || size > n->k->size - offset)
		return;
	p = n->k->elf + offset;
	for (end = p + size; (size_t)(end - p) >= sizeof(struct elf_note); ) {
		u64 name = load32(p), desc = load32(p + 4);
		u32 type = load32(p + 8);
		u64 desc_at = sizeof(struct elf_note) + ROUND_UP(name, 4UL);

		if (desc_at + desc > (u64)(end - p))
			return;
		if (name == 4 && !memcmp(p + sizeof(struct elf_note), "Xen", 4))
			take_note(n, type, p + desc_at, desc);
		desc_at += ROUND_UP(desc, 4UL);
		if (desc_at > (u64)(end - p))
			return;
		p += desc_at;
	}
}

/* --- headers --------------------------------------------------------- */
/* Entry i of a table in the file, or NULL if it is not there. */
static __init const void *table_entry(const struct kernel_image *k, u64 offset,
				      u64 stride, unsigned int i, size_t size)
{
	if (stride < size || offset > k->size ||
	    (i + 1) * stride > k->size - offset)
		return NULL;
	return k->elf + offset + i * stride;
}

/* Segment header i by value: the file need not be aligned. */
static __init bool segment_header(const struct kernel_image *k, unsigned int i,
				  struct elf_segment *s)
{
	struct elf_header h;
	const void *p;

	memcpy(&h, k->elf, sizeof(h));
	p = i < h.phnum ? table_entry(k, h.phoff, h.phentsize, i, sizeof(*s))
			: NULL;
	if (p)
		memcpy(s, p, sizeof(*s));
	return p;
}

static __init void find_notes(struct notes *n, const struct elf_header *h)
{
	struct elf_segment seg;
	struct elf_section sec;
	const void *p;

	for (unsigned int i = 0; segment_header(n->k, i, &seg); i++)
		if (seg.type == ELF_NOTE)
			take_notes(n, seg.offset, seg.filesz);
	if (n->found)
		return;
	for (unsigned int i = 0; i < h->shnum; i++) {
		p = table_entry(n->k, h->shoff, h->shentsize, i, sizeof(sec));
		if (!p)
			return;
		memcpy(&sec, p, sizeof(sec));
		if (sec.type == ELF_SHT_NOTE)
			take_notes(n, sec.offset, sec.size);
	}
}

static __init const char *check_header(const struct kernel_image *k,
				       struct elf_header *h)
{
	if (k->size < sizeof(*h))
		return "kernel: file is too short";
	memcpy(h, k->elf, sizeof(*h));
	if (load32(h->ident) != ELF_MAGIC)
		return "kernel is not an ELF file";
	if (load16(h->ident + 4) != ELF_CLASS64_LE || h->machine != ELF_X86_64)
		return "kernel is not for x86-64";
	if (!h->phnum || !table_entry(k, h->phoff, h->phentsize, h->phnum - 1,
				      sizeof(struct elf_segment)))
		return "kernel: ELF segments are cut short";
	return NULL;
}

static __init const char *check_notes(const struct notes *n)
{
	const struct kernel_image *k = n->k;

	if (!n->found)
		return "kernel has no Xen ELF notes: not a PV kernel";
	if (!n->version_ok)
		return "kernel is for another ABI (note XEN_VERSION)";
	if (!n->has_entry)
		return "kernel has no note ENTRY: not a PV kernel";
	if (n->pae_refused)
		return "kernel refuses 64-bit page tables (note PAE_MODE)";
	if (n->needs_more)
		return "kernel requires a feature that PV does not have";
	if (k->virt_base & ~PAGE_MASK || k->paddr_offset & ~PAGE_MASK)
		return "kernel: note VIRT_BASE is not page-aligned";
	if (k->virt_base + MAX_EXTENT < k->virt_base)
		return "kernel: note VIRT_BASE leaves no room";
	if (k->init_p2m != IMAGE_NONE && k->init_p2m & ~PAGE_MASK)
		return "kernel: note INIT_P2M is not page-aligned";
	if (k->hv_start_low > HYP_VIRT_START)
		return "kernel does not leave the hypervisor's addresses free";
	return NULL;
}

/* Each segment's place is checked, and their hull is the kernel. */
static __init const char *check_segments(struct kernel_image *k)
{
	struct elf_segment s;

	k->start = ~0UL;
	k->end = 0;
	for (unsigned int i = 0; segment_header(k, i, &s); i++) {
		u64 va = s.paddr - k->paddr_offset;

		if (s.type != ELF_LOAD || !s.memsz)
			continue;
		if (s.offset > k->size || s.filesz > k->size - s.offset ||
		    s.filesz > s.memsz)
			return "kernel: ELF segment is cut short";
		if (s.paddr < k->paddr_offset || va > MAX_EXTENT ||
		    s.memsz > MAX_EXTENT - va)
			return "kernel: ELF segment has an odd address";
		k->start = min(k->start, k->virt_base + va);
		k->end = max(k->end, k->virt_base + va + s.memsz);
	}
	if (k->start >= k->end || k->start < k->virt_base)
		return "kernel has nothing to load";
	if (k->entry < k->start || k->entry >= k->end)
		return "kernel: entry point is outside of it";
	return NULL;
}

__init const char *image_parse(struct kernel_image *k)
{
	struct notes n = { .k = k };
	struct elf_header h;
	const char *err = check_header(k, &h);

	if (err)
		return err;
	k->hypercall_page = k->init_p2m = IMAGE_NONE;
	k->virt_base = k->paddr_offset = k->hv_start_low = 0;
	k->mod_start_pfn = k->dom0_capable = false;
	k->guest_os[0] = k->guest_version[0] = 0;
	find_notes(&n, &h);
	if (!n.has_supported)	/* a kernel older than the question */
		k->dom0_capable = true;
	err = check_notes(&n);
	return err ? err : check_segments(k);
}

__init bool image_segment(const struct kernel_image *k, unsigned int *index,
			  struct image_segment *seg)
{
	struct elf_segment s;

	while (segment_header(k, (*index)++, &s)) {
		if (s.type != ELF_LOAD || !s.memsz)
			continue;
		seg->data = k->elf + s.offset;
		seg->file_size = s.filesz;
		seg->size = s.memsz;
		seg->va = k->virt_base + s.paddr - k->paddr_offset;
		return true;
	}
	return false;
}
