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
#include <string.h>
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
	} while (l->nr_tables < 1 + tables_for(l->virt_base, l->v_end));
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

	l->initrd_pfn = next;
	if (im->mod_start_pfn)
		next += l->initrd_pages;
	else
		l->initrd_pfn = layout_pfn(l, l->v_initrd);

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

/* Page tables that lie at consecutive pfns; their content is at tables[]. */
struct pool {
	const uint64_t *frames;		/* of tables[] */
	uint64_t (*tables)[512];
	uint64_t used, count;
};

/*
 * The table that an entry points to: one of the pool, new if there is none.
 * NULL if the pool is empty, or the entry points elsewhere.
 */
static uint64_t *next_table(struct pool *pool, uint64_t *entry)
{
	uint64_t i;

	if (!*entry) {
		if (pool->used == pool->count)
			return NULL;
		*entry = pool->frames[pool->used] << PAGE_SHIFT | PTE_TABLE;
		return pool->tables[pool->used++];
	}
	/* Built in address order: what is wanted is among the last ones. */
	for (i = pool->used; i--; )
		if (pool->frames[i] == (*entry & PTE_FRAME) >> PAGE_SHIFT)
			return pool->tables[i];
	return NULL;
}

static bool map_page(struct pool *pool, uint64_t *l4, uint64_t va, uint64_t pte)
{
	uint64_t *table = l4;
	int shift;

	for (shift = 39; table && shift > PAGE_SHIFT; shift -= 9)
		table = next_table(pool, &table[va >> shift & 511]);
	if (table)
		table[va >> PAGE_SHIFT & 511] = pte;
	return table;
}

/*
 * Fills the tables, all of which are zero: tables[0] becomes the top.  Not
 * NULL only for our own mistakes.
 */
const char *layout_tables(const struct layout *l, const uint64_t *p2m,
			  uint64_t (*tables)[512], uint64_t (*p2m_tables)[512])
{
	uint64_t first = layout_pfn(l, l->v_tables), va, pfn, pte, i;
	struct pool main_pool = { p2m + first, tables, 1, l->nr_tables };
	struct pool p2m_pool = {
		p2m + l->p2m_pfn + l->p2m_pages, p2m_tables, 0, l->p2m_tables,
	};

	for (va = l->virt_base; va != l->v_end; va += PAGE_SIZE) {
		pfn = layout_pfn(l, va);
		pte = p2m[pfn] << PAGE_SHIFT | PTE_PAGE;
		if (pfn >= first && pfn < first + l->nr_tables)
			pte &= ~PTE_RW;
		if (!map_page(&main_pool, tables[0], va, pte))
			return "too few page tables";
	}
	for (i = 0; l->p2m_tables && i < l->p2m_pages; i++)
		if (!map_page(&p2m_pool, tables[0], l->v_p2m + i * PAGE_SIZE,
			      p2m[l->p2m_pfn + i] << PAGE_SHIFT | PTE_PAGE))
			return "too few page tables for the P2M";
	return main_pool.used == main_pool.count &&
	       p2m_pool.used == p2m_pool.count ? NULL : "too many page tables";
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
