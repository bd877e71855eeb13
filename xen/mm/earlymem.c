/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory at boot: from the firmware's map to a working allocator.
 *
 * Until the free lists work, memory is taken from the top of the free ranges,
 * so that low memory stays for those who need it low.  The boot page tables
 * only reach the first 4 GiB: the hypervisor's own page tables come from
 * there, the frame table and M2P from anywhere.
 *
 * Invariant at the end: each frame of RAM is free, ours (DOMID_XEN, count 0),
 * or part of the M2P, which Dom0 may map read-only; all other frames that the
 * frame table describes belong to DOMID_IO.
 *
 * Nothing here runs after boot, except table_page().
 */
#include <mm/internal.h>
#include <boot/boot.h>

static struct { paddr_t start, end; } ranges[2 * E820_MAX] __initdata;
static unsigned int nr_ranges __initdata;
static bool allocator_works;
static bool all_mapped __initdata;

#define SIZE_2M		(1UL << 21)
#define BOOT_LIMIT	(1UL << 32)

static void __init range_add(paddr_t start, paddr_t end)
{
	if (start < end && end <= RAM_MFN_LIMIT << PAGE_SHIFT &&
	    nr_ranges < ARRAY_SIZE(ranges)) {
		ranges[nr_ranges].start = start;
		ranges[nr_ranges++].end = end;
	}
}

/* From the highest range that has it below limit: physical address. */
static paddr_t __init early_alloc(u64 size, u64 align, paddr_t limit)
{
	unsigned int best = nr_ranges;
	paddr_t pa = 0, end;

	for (unsigned int i = 0; i < nr_ranges; i++) {
		paddr_t top = min(ranges[i].end, limit), at;

		if (top < ranges[i].start + size)
			continue;
		at = ROUND_DOWN(top - size, align);
		if (at >= ranges[i].start && at >= pa) {
			best = i;
			pa = at;
		}
	}
	if (best == nr_ranges)
		panic("too little memory to start");
	end = ranges[best].end;
	ranges[best].end = pa;
	range_add(pa + size, end);
	return pa;
}

static mfn_t __init early_table_page(void)
{
	paddr_t pa = early_alloc(PAGE_SIZE, PAGE_SIZE,
				 all_mapped ? ~0UL : BOOT_LIMIT);

	memset(paddr_to_virt(pa), 0, PAGE_SIZE);
	return MFN(pa >> PAGE_SHIFT);
}

/* See internal.h. */
mfn_t table_page(void)
{
	void *page;

	if (!allocator_works)
		return early_table_page();
	page = alloc_page();
	return page ? virt_to_mfn(page) : MFN(0);
}

/* See internal.h.  Not the first MiB: that is the firmware's and Dom0's. */
void __init for_each_ram(void (*fn)(paddr_t start, paddr_t end))
{
	paddr_t done = 0x100000;

	for (unsigned int i = 0; i < boot_info.nr_map; i++) {
		const struct e820_entry *e = &boot_info.map[i];
		paddr_t start = ROUND_UP(e->base, PAGE_SIZE);
		paddr_t end = ROUND_DOWN(e->base + e->size, PAGE_SIZE);

		start = max(start, done);
		end = min(end, (paddr_t)RAM_MFN_LIMIT << PAGE_SHIFT);
		if (e->type != E820_RAM || start >= end)
			continue;
		fn(start, end);
		done = end;
	}
}

static void __init ram_count(paddr_t start, paddr_t end)
{
	u64 first = start >> PAGE_SHIFT, last = (end >> PAGE_SHIFT) - 1;

	max_mfn = max(max_mfn, last + 1);
	total_pages += last + 1 - first;
	for (u64 g = first >> GRANULE_SHIFT; g <= last >> GRANULE_SHIFT; g++)
		atomic_test_and_set_bit(g, frame_granules);
}

/* --- the frame table ------------------------------------------------- */

#define PAGES_PER_GRANULE	((24UL << GRANULE_SHIFT) / PAGE_SIZE)

static bool __init table_page_needed(u64 page)
{
	return test_bit(page / PAGES_PER_GRANULE, frame_granules);
}

static void __init map_frame_page(u64 page)
{
	map_leaf(FRAMETABLE_BASE + page * PAGE_SIZE,
		 early_alloc(PAGE_SIZE, PAGE_SIZE, ~0UL), 1, MAP_RW | PTE_G);
}

/* 2 MiB of frame table from the page-th page on: one large page or some. */
static void __init map_frame_chunk(u64 page)
{
	unsigned int needed = 0;

	for (unsigned int i = 0; i < 512; i++)
		needed += table_page_needed(page + i);
	if (needed == 512) {
		map_leaf(FRAMETABLE_BASE + page * PAGE_SIZE,
			 early_alloc(SIZE_2M, SIZE_2M, ~0UL), 2,
			 MAP_RW | PTE_G);
		return;
	}
	for (unsigned int i = 0; needed && i < 512; i++)
		if (table_page_needed(page + i))
			map_frame_page(page + i);
}

static void __init frames_own(u64 first, u64 last, domid_t owner)
{
	for (u64 m = first; m < last; m++) {
		struct frame *f = mfn_to_frame(MFN(m));

		f->type = 0;
		f->ref = (u64)owner << FRAME_OWNER_SHIFT;
	}
}

static void __init ram_own(paddr_t start, paddr_t end)
{
	frames_own(start >> PAGE_SHIFT, end >> PAGE_SHIFT, DOMID_XEN);
}

/* --- machine to phys ------------------------------------------------- */

#define M2P_PER_CHUNK	(SIZE_2M / 8)

static bool __init chunk_needed(u64 mfn)
{
	for (u64 m = mfn; m < mfn + M2P_PER_CHUNK; m += 1UL << GRANULE_SHIFT)
		if (mfn_has_frame(MFN(m)))
			return true;
	return false;
}

/* Shared for good, like frame_share() does it, by DOMID_XEN. */
static void __init m2p_share(paddr_t pa)
{
	struct frame *f = mfn_to_frame(MFN(pa >> PAGE_SHIFT));

	for (unsigned int i = 0; i < 512; i++) {
		f[i].type = TYPE_NONE | 1;
		f[i].ref = (u64)DOMID_XEN << FRAME_OWNER_SHIFT |
			   FRAME_XENHEAP | FRAME_ALLOCATED | 2;
	}
}

static void __init m2p_init(void)
{
	for (u64 m = 0; m < max_mfn; m += M2P_PER_CHUNK) {
		paddr_t pa;

		if (!chunk_needed(m))
			continue;
		pa = early_alloc(SIZE_2M, SIZE_2M, ~0UL);
		memset(paddr_to_virt(pa), 0xff, SIZE_2M);
		map_leaf(M2P_RO_BASE + m * 8, pa, 2, MAP_RO | PTE_US | PTE_G);
		map_leaf(M2P_RW_BASE + m * 8, pa, 2, MAP_RW | PTE_G);
		m2p_share(pa);
	}
}

/* Frame table and M2P.  RAM is in the direct map. */
void __init frames_init(void)
{
	u64 pages;

	pages = DIV_ROUND_UP(max_mfn, 1UL << GRANULE_SHIFT) * PAGES_PER_GRANULE;
	for (u64 page = 0; page < pages; page += 512)
		map_frame_chunk(page);
	for (u64 g = 0; g < DIV_ROUND_UP(max_mfn, 1UL << GRANULE_SHIFT); g++)
		if (test_bit(g, frame_granules))
			frames_own(g << GRANULE_SHIFT,
				   (g + 1) << GRANULE_SHIFT, DOMID_IO);
	for_each_ram(ram_own);
	m2p_init();
}

/*
 * [boot 52] Memory: the final page tables, then a struct frame for each frame
 * of RAM, then the free lists.  From here on every frame has an owner.
 */
void __init mm_early_init(void)
{
	pte_masks_init();
	boot_free_ram(range_add);
	for_each_ram(ram_count);
	xenmap_init();
	all_mapped = true;
	frames_init();
	pages_init();
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].start < ranges[i].end)
			pages_add(ranges[i].start, ranges[i].end);
	allocator_works = true;
	log_info("Memory: %lu MiB, %lu MiB free\n", total_pages >> 8,
		 free_page_count() >> 8);
}
