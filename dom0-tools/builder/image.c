// SPDX-License-Identifier: GPL-2.0
/*
 * ELF kernels and their Xen notes.
 *
 * The file may be anything.  Every offset is checked against the file's size
 * before use and no sum is formed that could wrap; after image_parse() has
 * said yes, all that image_part() gives lies inside the file and inside
 * [start, end).
 *
 * Segments are placed by physical address (a per-CPU segment of Linux has
 * virtual address 0): va = VIRT_BASE + p_paddr - PADDR_OFFSET.
 */
#include <elf.h>
#include <string.h>
#include <hypercall-abi/elfnote.h>
#include "builder.h"

#define MAX_EXTENT	(1ull << 30)	/* from VIRT_BASE to the kernel's end */

struct notes {
	struct image *im;
	bool found, has_entry, abi_ok, pae_refused;
};

static uint64_t note_number(const uint8_t *desc, uint32_t size)
{
	uint64_t n = 0;

	memcpy(&n, desc, size < sizeof(n) ? size : sizeof(n));
	return n;
}

static bool note_is(const uint8_t *desc, uint32_t size, const char *text)
{
	size_t n = strlen(text);

	return size >= n && !memcmp(desc, text, n) && (size == n || !desc[n]);
}

static void take_note(struct notes *n, uint32_t type, const uint8_t *desc,
		      uint32_t size)
{
	struct image *im = n->im;
	uint64_t v = note_number(desc, size);

	n->found = true;
	switch (type) {
	case XEN_ELFNOTE_ENTRY:
		im->entry = v;
		n->has_entry = true;
		break;
	case XEN_ELFNOTE_HYPERCALL_PAGE:
		im->hypercall_page = v;
		break;
	case XEN_ELFNOTE_VIRT_BASE:
		im->virt_base = v;
		break;
	case XEN_ELFNOTE_PADDR_OFFSET:
		im->paddr_offset = v;
		break;
	case XEN_ELFNOTE_XEN_VERSION:
		n->abi_ok = note_is(desc, size, "xen-3.0");
		break;
	case XEN_ELFNOTE_PAE_MODE:
		n->pae_refused = note_is(desc, size, "no");
		break;
	case XEN_ELFNOTE_INIT_P2M:
		im->init_p2m = v;
		break;
	case XEN_ELFNOTE_MOD_START_PFN:
		im->mod_start_pfn = v & 1;
		break;
	default:	/* for people, other loaders, or later versions */
		break;
	}
}

/* All notes in a part of the file. */
static void take_notes(struct notes *n, uint64_t offset, uint64_t size)
{
	const uint8_t *p, *end;
	uint64_t name, desc;
	Elf64_Nhdr h;

	if (offset > n->im->size || size > n->im->size - offset)
		return;
	p = n->im->data + offset;
	for (end = p + size; (size_t)(end - p) >= sizeof(h); p += name + desc) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		name = (h.n_namesz + 3ull) & ~3ull;
		desc = (h.n_descsz + 3ull) & ~3ull;
		if (name > (uint64_t)(end - p) ||
		    h.n_descsz > (uint64_t)(end - p) - name)
			return;
		if (h.n_namesz == 4 && !memcmp(p, "Xen", 4))
			take_note(n, h.n_type, p + name, h.n_descsz);
		if (desc > (uint64_t)(end - p) - name)
			return;
	}
}

/* Entry i of a table in the file, copied to `to`; false: it is not there. */
static bool table_entry(const struct image *im, uint64_t offset,
			uint64_t stride, unsigned int i, void *to, size_t size)
{
	if (stride < size || offset > im->size ||
	    (i + 1) * stride > im->size - offset)
		return false;
	memcpy(to, im->data + offset + i * stride, size);
	return true;
}

static bool segment(const struct image *im, unsigned int i, Elf64_Phdr *s)
{
	Elf64_Ehdr h;

	memcpy(&h, im->data, sizeof(h));
	return i < h.e_phnum &&
	       table_entry(im, h.e_phoff, h.e_phentsize, i, s, sizeof(*s));
}

static void find_notes(struct notes *n, const Elf64_Ehdr *h)
{
	unsigned int i;
	Elf64_Phdr seg;
	Elf64_Shdr sec;

	for (i = 0; segment(n->im, i, &seg); i++)
		if (seg.p_type == PT_NOTE)
			take_notes(n, seg.p_offset, seg.p_filesz);
	for (i = 0; !n->found && i < h->e_shnum; i++) {
		if (!table_entry(n->im, h->e_shoff, h->e_shentsize, i, &sec,
				 sizeof(sec)))
			return;
		if (sec.sh_type == SHT_NOTE)
			take_notes(n, sec.sh_offset, sec.sh_size);
	}
}

static const char *check_notes(const struct notes *n)
{
	const struct image *im = n->im;

	if (!n->found || !n->has_entry)
		return "has no Xen notes: not a kernel for PV guests";
	if (!n->abi_ok)
		return "is for another ABI (note XEN_VERSION)";
	if (n->pae_refused)
		return "refuses 64-bit page tables (note PAE_MODE)";
	if (im->virt_base & ~PAGE_MASK || im->paddr_offset & ~PAGE_MASK ||
	    im->virt_base + MAX_EXTENT < im->virt_base)
		return "has an odd address in its note VIRT_BASE";
	if (im->init_p2m != NO_ADDRESS && im->init_p2m & ~PAGE_MASK)
		return "has an odd address in its note INIT_P2M";
	return NULL;
}

static const char *check_segments(struct image *im)
{
	unsigned int i;
	Elf64_Phdr s;

	im->start = NO_ADDRESS;
	im->end = 0;
	for (i = 0; segment(im, i, &s); i++) {
		uint64_t at = s.p_paddr - im->paddr_offset;

		if (s.p_type != PT_LOAD || !s.p_memsz)
			continue;
		if (s.p_offset > im->size ||
		    s.p_filesz > im->size - s.p_offset)
			return "is cut short";
		if (s.p_paddr < im->paddr_offset || at > MAX_EXTENT ||
		    s.p_memsz > MAX_EXTENT - at || s.p_filesz > s.p_memsz)
			return "has a segment with an odd address";
		at += im->virt_base;
		im->start = at < im->start ? at : im->start;
		im->end = at + s.p_memsz > im->end ? at + s.p_memsz : im->end;
	}
	if (im->start >= im->end)
		return "has nothing to load";
	if (im->entry < im->start || im->entry >= im->end)
		return "has its entry point outside of it";
	if (im->hypercall_page != NO_ADDRESS &&
	    (im->hypercall_page & ~PAGE_MASK ||
	     im->hypercall_page < im->start || im->hypercall_page >= im->end))
		return "has an odd address in its note HYPERCALL_PAGE";
	return NULL;
}

/* Reads headers and notes; the data has to stay as long as *im is used. */
const char *image_parse(struct image *im, const uint8_t *data, uint64_t size)
{
	struct notes n = { .im = im };
	const char *why;
	Elf64_Phdr last;
	Elf64_Ehdr h;

	*im = (struct image){
		.data = data, .size = size,
		.hypercall_page = NO_ADDRESS, .init_p2m = NO_ADDRESS,
	};
	if (size < sizeof(h))
		return "is too short";
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG))
		return "is neither a bzImage nor an ELF file";
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB)
		return "is not for x86-64";
	if (!h.e_phnum || !segment(im, h.e_phnum - 1, &last))
		return "is cut short";
	find_notes(&n, &h);
	why = check_notes(&n);
	return why ? why : check_segments(im);
}

/*
 * The first loadable segment with number *index or higher; *index moves
 * behind it.  False when there is none.
 */
bool image_part(const struct image *im, unsigned int *index,
		struct image_part *part)
{
	Elf64_Phdr s;

	while (segment(im, (*index)++, &s)) {
		if (s.p_type != PT_LOAD || !s.p_memsz)
			continue;
		part->data = im->data + s.p_offset;
		part->file_size = s.p_filesz;
		part->size = s.p_memsz;
		part->va = im->virt_base + s.p_paddr - im->paddr_offset;
		return true;
	}
	return false;
}
