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
#include <hypercall-abi/elfnote.h>
#include "builder.h"

#define MAX_EXTENT	(1ull << 30)	/* from VIRT_BASE to the kernel's end */

/* One note; those not named here are for people, or other loaders. */
static void take_note(struct image *im, uint32_t type, const uint8_t *desc,
		      uint32_t size)
{
	uint64_t *const numbers[] = {
		[XEN_ELFNOTE_ENTRY] = &im->entry,
		[XEN_ELFNOTE_HYPERCALL_PAGE] = &im->hypercall_page,
		[XEN_ELFNOTE_VIRT_BASE] = &im->virt_base,
		[XEN_ELFNOTE_PADDR_OFFSET] = &im->paddr_offset,
		[XEN_ELFNOTE_INIT_P2M] = &im->init_p2m,
	};
	uint64_t v = 0;

	memcpy(&v, desc, size < sizeof(v) ? size : sizeof(v));
	if (type < ARRAY_SIZE(numbers) && numbers[type])
		*numbers[type] = v;
	else if (type == XEN_ELFNOTE_MOD_START_PFN)
		im->mod_start_pfn = v & 1;
	else if (type == XEN_ELFNOTE_XEN_VERSION)
		im->abi_ok = size >= 7 && !memcmp(desc, "xen-3.0", 7);
}

/* All notes in a part of the file. */
static void take_notes(struct image *im, uint64_t offset, uint64_t size)
{
	const uint8_t *p, *end;
	uint64_t name, desc;
	Elf64_Nhdr h;

	if (offset > im->size || size > im->size - offset)
		return;
	p = im->data + offset;
	for (end = p + size; (size_t)(end - p) >= sizeof(h); p += name + desc) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		name = (h.n_namesz + 3ull) & ~3ull;
		desc = (h.n_descsz + 3ull) & ~3ull;
		if (name > (uint64_t)(end - p) ||
		    h.n_descsz > (uint64_t)(end - p) - name)
			return;
		if (h.n_namesz == 4 && !memcmp(p, "Xen", 4))
			take_note(im, h.n_type, p + name, h.n_descsz);
		if (desc > (uint64_t)(end - p) - name)
			return;
	}
}

/* Segment i, copied to *s; false: it is not there. */
static bool segment(const struct image *im, unsigned int i, Elf64_Phdr *s)
{
	Elf64_Ehdr h;

	memcpy(&h, im->data, sizeof(h));
	if (i >= h.e_phnum || h.e_phentsize < sizeof(*s) ||
	    h.e_phoff > im->size ||
	    (i + 1ull) * h.e_phentsize > im->size - h.e_phoff)
		return false;
	memcpy(s, im->data + h.e_phoff + i * (uint64_t)h.e_phentsize,
	       sizeof(*s));
	return true;
}

static const char *check_segments(struct image *im)
{
	unsigned int i;
	Elf64_Phdr s;

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
	unsigned int i;
	Elf64_Phdr s;
	Elf64_Ehdr h;

	*im = (struct image){
		.data = data, .size = size,
		.start = NO_ADDRESS, .entry = NO_ADDRESS,
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
	if (!h.e_phnum || !segment(im, h.e_phnum - 1, &s))
		return "is cut short";
	for (i = 0; segment(im, i, &s); i++)
		if (s.p_type == PT_NOTE)
			take_notes(im, s.p_offset, s.p_filesz);
	if (im->entry == NO_ADDRESS)
		return "has no Xen notes: not a kernel for PV guests";
	if (!im->abi_ok)
		return "is for another ABI (note XEN_VERSION)";
	if (im->virt_base & ~PAGE_MASK || im->paddr_offset & ~PAGE_MASK ||
	    im->virt_base + MAX_EXTENT < im->virt_base)
		return "has an odd address in its note VIRT_BASE";
	if (im->init_p2m != NO_ADDRESS && im->init_p2m & ~PAGE_MASK)
		return "has an odd address in its note INIT_P2M";
	return check_segments(im);
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
