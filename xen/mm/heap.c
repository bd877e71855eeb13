/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small objects of the hypervisor.
 *
 * A page holds objects of one size; sizes are chosen so that little of a page
 * is lost.  Such a page stays one for ever, so what guests make us need at most
 * is kept.  What does not fit twice into a page gets pages of its own, which do
 * go back.  Which of these a page is stands in the type word of its struct
 * frame, which our own pages do not need otherwise.
 *
 * Objects are zeroed when given out and aligned to 16 bytes.  Lock: LOCK_HEAP,
 * with the page allocator's inside.
 *
 * Guests get objects only within limits that the callers keep.
 */
#include <mm/mm.h>

#define SMALL	0x100		/* type word: this, and the index of the size */

static const u16 sizes[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 336, 400, 512, 672, 816, 1024,
	1360, 2048,
};

static struct spinlock heap_lock = SPINLOCK(LOCK_HEAP);
static void *free_objects[ARRAY_SIZE(sizes)];	/* linked by their first word */

/* Zeroed; NULL when out of memory.  Size 0 is an object too. */
void *heap_alloc(size_t size)
{
	unsigned int i = 0, order = 0;
	void *p;

	while (i < ARRAY_SIZE(sizes) && sizes[i] < size)
		i++;
	if (i == ARRAY_SIZE(sizes)) {
		while (order <= MAX_ORDER && PAGE_SIZE << order < size)
			order++;
		p = alloc_pages(order, 0);
		if (p)
			virt_to_frame(p)->type = order;
		return p;
	}
	spin_lock(&heap_lock);
	p = free_objects[i] ? NULL : alloc_page();
	if (p)
		virt_to_frame(p)->type = SMALL + i;
	for (u64 at = 0; p && at + sizes[i] <= PAGE_SIZE; at += sizes[i]) {
		*(void **)(p + at) = free_objects[i];
		free_objects[i] = p + at;
	}
	p = free_objects[i];
	if (p)
		free_objects[i] = *(void **)p;
	spin_unlock(&heap_lock);
	return p ? memset(p, 0, sizes[i]) : NULL;
}

/* NULL is fine. */
void heap_free(void *p)
{
	u64 type = p ? virt_to_frame(p)->type : 0;

	if (!p)
		return;
	if (type < SMALL)
		return free_pages(p, (unsigned int)type);
	ASSERT(type - SMALL < ARRAY_SIZE(sizes));
	spin_lock(&heap_lock);
	*(void **)p = free_objects[type - SMALL];
	free_objects[type - SMALL] = p;
	spin_unlock(&heap_lock);
}
