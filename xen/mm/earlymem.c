/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory at boot: from the firmware's map to a working allocator.
 *
 * Until the free lists work, memory is taken from the top of the free ranges,
 * so that low memory stays for those who need it low.  The boot page tables
 * only reach the first 4 GiB: the hypervisor's own page tables come from
 * there, the frame table and M2P from anywhere.
 *
 * Invariant at the end: each frame of RAM is free or ours (DOMID_XEN, count 0,
 * so nobody may map it); all other frames that the frame table describes belong
 * to DOMID_IO.
 *
 * Nothing here runs after boot, except table_page().
 */
#include <mm/internal.h>
#include <boot/boot.h>

static struct { paddr_t start, end; } ranges[2 * E820_MAX] __initdata;
static unsigned int nr_ranges __initdata;
#define SIZE_2M		(1UL << 21)
#define GRANULE		(1UL << 18)	/* frames */
/* Below this page tables come from early_alloc(); 0: from the allocator. */
static paddr_t table_limit = 1UL << 32;	/* what the boot's tables reach */

static void __init range_add(paddr_t start, paddr_t end)
{
	if (start < end && end <= RAM_MFN_LIMIT << PAGE_SHIFT &&
	    nr_ranges < ARRAY_SIZE(ranges)) {
		ranges[nr_ranges].start = start;
		ranges[nr_ranges++].end = end;
	}
}

/* From the highest range that has it below limit, aligned to its size:
 * physical address. */
static paddr_t __init early_alloc(u64 size, paddr_t limit)
{
	unsigned int best = nr_ranges;
	paddr_t pa = 0, end;

	for (unsigned int i = 0; i < nr_ranges; i++) {
		paddr_t top = ROUND_DOWN(min(ranges[i].end, limit), size);

		if (top >= ranges[i].start + size && top > pa) {
			best = i;
			pa = top;
		}
	}
	if (best == nr_ranges)
		panic("too little memory to start");
	pa -= size;
	end = ranges[best].end;
	ranges[best].end = pa;
	range_add(pa + size, end);
	return pa;
}

/* See internal.h. */
mfn_t table_page(void)
{
	void *page;

	if (!table_limit) {
		page = alloc_page();
	} else {
		page = paddr_to_virt(early_alloc(PAGE_SIZE, table_limit));
		memset(page, 0, PAGE_SIZE);
	}
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
	max_mfn = end >> PAGE_SHIFT;
	total_pages += (end - start) >> PAGE_SHIFT;
}

static void __init ram_own(paddr_t start, paddr_t end)
{
	for (u64 m = start >> PAGE_SHIFT; m < end >> PAGE_SHIFT; m++)
		mfn_to_frame(MFN(m))->ref = (u64)DOMID_XEN << FRAME_OWNER_SHIFT;
}

/*
 * Frame table and M2P, holes between RAM included, by granules: 2^18 frames
 * need three large pages of the one and one of the other.  RAM is in the direct
 * map.
 */
static void __init tables_init(void)
{
	for (u64 m = 0; m < max_mfn; m += GRANULE) {
		struct frame *f = mfn_to_frame(MFN(m));
		u64 va = (u64)f, m2p;

		for (u64 end = va + GRANULE * sizeof(*f); va < end;
		     va += SIZE_2M)
			map_leaf(va, early_alloc(SIZE_2M, ~0UL), 2,
				 MAP_RW | PTE_G);
		for (; f < mfn_to_frame(MFN(m + GRANULE)); f++)
			*f = (struct frame){
				.ref = (u64)DOMID_IO << FRAME_OWNER_SHIFT };
		m2p = early_alloc(SIZE_2M, ~0UL);
		memset(paddr_to_virt(m2p), 0xff, SIZE_2M);
		map_leaf(M2P_RO_BASE + m * 8, m2p, 2, MAP_RO | PTE_US | PTE_G);
		map_leaf(M2P_RW_BASE + m * 8, m2p, 2, MAP_RW | PTE_G);
	}
	for_each_ram(ram_own);
}

_Static_assert(sizeof(struct frame) * GRANULE == 3 * SIZE_2M &&
	       8 * GRANULE == SIZE_2M, "large pages, all used");

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
	table_limit = ~0UL;
	tables_init();
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].start < ranges[i].end)
			pages_add(ranges[i].start, ranges[i].end);
	table_limit = 0;
	log_info("Memory: %lu MiB, %lu MiB free\n", total_pages >> 8,
		 free_page_count() >> 8);
}
