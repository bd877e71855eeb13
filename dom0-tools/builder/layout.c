// SPDX-License-Identifier: GPL-2.0
/*
 * Where everything of a new guest lies, its first page tables and the letter
 * to its kernel.  Pure computation: the tests run it on the host.
 *
 * First mapping, from VIRT_BASE (= pfn 0), in pages, everything writable but
 * the page tables:
 *
 *   kernel | initrd (1) | P2M (2) | start_info | store ring | console ring |
 *   page tables | stack | slack to a multiple of 4 MiB
 *
 *   (1) without note MOD_START_PFN; else at the pfns behind the mapping
 *   (2) without note INIT_P2M; else, with its page tables, at the pfns behind
 *       that, mapped in a top-level slot of its own
 *
 * The tables have to map themselves, so their number is found by trying.  The
 * hypervisor checks them when they are pinned: a mistake here is refused.
 */
#include "builder.h"

#define ROUND_UP(x, n)	(((x) + (n) - 1) / (n) * (n))
#define MAP_ROUND	(4ull << 20)
#define MIN_SLACK	(512ull << 10)
#define HYP_START	0xffff800000000000ull
#define HYP_END		0xffff880000000000ull
#define PTE_TABLE	0x67ull		/* present writable user accessed dirty */
#define PTE_PAGE	0x27ull		/* present writable user accessed */
#define PTE_RW		2ull
#define PTE_FRAME	0x000ffffffffff000ull

/* Tables of all levels below the top that [start, end) needs. */
static uint64_t tables_for(uint64_t start, uint64_t end)
{
	uint64_t n = 0;
	int shift;

	for (shift = 21; shift <= 39; shift += 9)
		n += ((end - 1) >> shift) - (start >> shift) + 1;
	return n;
}

/* A range of canonical addresses that are the guest's. */
static bool range_ok(uint64_t start, uint64_t end)
{
	return start < end &&
	       (int64_t)(start << 16) >> 16 == (int64_t)start &&
	       (int64_t)((end - 1) << 16) >> 16 == (int64_t)(end - 1) &&
	       start >> 63 == (end - 1) >> 63 &&
	       (end <= HYP_START || start >= HYP_END);
}

/* The pfn behind an address of the first mapping. */
uint64_t layout_pfn(const struct layout *l, uint64_t va)
{
	return (va - l->virt_base) >> PAGE_SHIFT;
}

static void lay_out_mapping(struct layout *l, const struct image *im)
{
	uint64_t va = (im->end + PAGE_SIZE - 1) & PAGE_MASK;

	if (!im->mod_start_pfn) {
		l->v_initrd = va;
		va += l->initrd_pages << PAGE_SHIFT;
	}
	l->v_p2m = im->init_p2m;
	if (l->v_p2m == NO_ADDRESS) {
		l->v_p2m = va;
		va += l->p2m_pages << PAGE_SHIFT;
	}
	l->v_start_info = va;
	l->v_store = va + PAGE_SIZE;
	l->v_console = va + 2 * PAGE_SIZE;
	l->v_tables = va + 3 * PAGE_SIZE;
	l->nr_tables = 0;
	do {
		l->nr_tables++;
		l->v_stack = l->v_tables + (l->nr_tables << PAGE_SHIFT);
		l->v_end = ROUND_UP(l->v_stack + PAGE_SIZE + MIN_SLACK,
				    MAP_ROUND);
		/* An end that went beyond 2^64 is for range_ok() to refuse. */
	} while (l->v_end > l->virt_base &&
		 l->nr_tables < 1 + tables_for(l->virt_base, l->v_end));
}

/* For a guest of nr_pages.  Whether fixed_pages fit into it is for the
 * caller to say. */
const char *layout_compute(struct layout *l, const struct image *im,
			   uint64_t nr_pages, uint64_t initrd_size)
{
	uint64_t next, p2m_end;

	memset(l, 0, sizeof(*l));
	l->virt_base = im->virt_base;
	l->p2m_pages = PAGES(nr_pages * 8);
	l->initrd_pages = PAGES(initrd_size);
	lay_out_mapping(l, im);
	if (!range_ok(l->virt_base, l->v_end))
		return "has a note VIRT_BASE that is no guest address";
	next = layout_pfn(l, l->v_end);

	l->initrd_pfn = im->mod_start_pfn ? next : layout_pfn(l, l->v_initrd);
	next += im->mod_start_pfn ? l->initrd_pages : 0;

	p2m_end = l->v_p2m + (l->p2m_pages << PAGE_SHIFT);
	l->p2m_pfn = layout_pfn(l, l->v_p2m);
	if (im->init_p2m != NO_ADDRESS) {
		if (!range_ok(l->v_p2m, p2m_end) ||
		    (l->v_p2m >> 39 <= (l->v_end - 1) >> 39 &&
		     (p2m_end - 1) >> 39 >= l->virt_base >> 39))
			return "has a note INIT_P2M without a slot of its own";
		l->p2m_pfn = next;
		l->p2m_tables = tables_for(l->v_p2m, p2m_end);
		next += l->p2m_pages + l->p2m_tables;
	}
	l->fixed_pages = next;
	return NULL;
}

/*
 * Maps pages[] at [start, end): level is the top table, and the tables below
 * it are tables[], whose frames are frames[], one level after another.
 */
static void map_range(uint64_t (*level)[512], uint64_t (*tables)[512],
		      const uint64_t *frames, const uint64_t *pages,
		      uint64_t start, uint64_t end)
{
	uint64_t (*below)[512], *table, i;
	int shift;

	for (shift = 39; shift >= PAGE_SHIFT; shift -= 9, level = below) {
		below = tables;
		for (i = start >> shift; i <= (end - 1) >> shift; i++) {
			table = level[(i >> 9) - (start >> (shift + 9))];
			if (shift == PAGE_SHIFT) {
				table[i & 511] = *pages++ << 12 | PTE_PAGE;
			} else {
				table[i & 511] = *frames++ << 12 | PTE_TABLE;
				tables++;
			}
		}
	}
}

/* Fills the tables, all of which are zero: tables[0] becomes the top. */
void layout_tables(const struct layout *l, const uint64_t *p2m,
		   uint64_t (*tables)[512], uint64_t (*p2m_tables)[512])
{
	uint64_t first = layout_pfn(l, l->v_tables), i, *entry;

	map_range(tables, tables + 1, p2m + first + 1, p2m, l->virt_base,
		  l->v_end);
	/* The very last entry is for the page below v_end (see MAP_ROUND). */
	entry = tables[l->nr_tables] - (layout_pfn(l, l->v_end) - first);
	for (i = 0; i < l->nr_tables; i++)
		entry[i] &= ~PTE_RW;
	if (l->p2m_tables)
		map_range(tables, p2m_tables, p2m + l->p2m_pfn + l->p2m_pages,
			  p2m + l->p2m_pfn, l->v_p2m,
			  l->v_p2m + (l->p2m_pages << PAGE_SHIFT));
}

/* The kernel's letter, into a zeroed page. */
void layout_start_info(const struct layout *l, const struct image *im,
		       const struct guest_facts *f, const uint64_t *p2m,
		       struct start_info *si)
{
	strcpy(si->magic, "xen-3.0-x86_64");
	si->nr_pages = f->nr_pages;
	si->shared_info = f->shared_info_frame << PAGE_SHIFT;
	si->store_mfn = p2m[layout_pfn(l, l->v_store)];
	si->store_evtchn = f->store_port;
	si->console.domU.mfn = p2m[layout_pfn(l, l->v_console)];
	si->console.domU.evtchn = f->console_port;
	si->pt_base = l->v_tables;
	si->nr_pt_frames = l->nr_tables;
	si->mfn_list = l->v_p2m;
	if (f->initrd_size) {
		si->mod_start = im->mod_start_pfn ? l->initrd_pfn : l->v_initrd;
		si->flags |= im->mod_start_pfn ? SIF_MOD_START_PFN : 0;
		si->mod_len = f->initrd_size;
	}
	if (l->p2m_tables) {
		si->first_p2m_pfn = l->p2m_pfn;
		si->nr_p2m_frames = l->p2m_pages + l->p2m_tables;
	}
	strncpy((char *)si->cmd_line, f->cmdline, sizeof(si->cmd_line) - 1);
}

/* The first vCPU as the kernel's entry point expects it; *c is zero. */
void layout_vcpu(const struct layout *l, const struct image *im,
		 const uint64_t *p2m, struct vcpu_guest_context *c)
{
	static const uint16_t fcw = 0x37f;
	static const uint32_t mxcsr = 0x1f80;

	memcpy(c->fpu_ctxt.x, &fcw, sizeof(fcw));
	memcpy(c->fpu_ctxt.x + 24, &mxcsr, sizeof(mxcsr));
	c->flags = VGCF_I387_VALID | VGCF_IN_KERNEL | VGCF_online;
	c->user_regs.rip = im->entry;
	c->user_regs.rsp = l->v_stack + PAGE_SIZE;
	c->user_regs.rsi = l->v_start_info;
	c->user_regs.rflags = 1 << 9;
	c->user_regs.cs = FLAT_RING3_CS64;
	c->user_regs.ss = FLAT_RING3_SS64;
	c->kernel_ss = c->user_regs.ss;
	c->kernel_sp = c->user_regs.rsp;
	c->ctrlreg[3] = p2m[layout_pfn(l, l->v_tables)] << PAGE_SHIFT;
	c->debugreg[6] = 0xffff0ff0;
	c->debugreg[7] = 0x400;
}
