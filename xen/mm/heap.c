/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small objects of the hypervisor.
 *
 * A page ("slab") holds objects of one size behind a header; sizes are chosen
 * so that little of a page is lost.  What does not fit twice into a page gets
 * pages of its own, the order kept in the struct frame.  The two are told apart
 * by the address: an object of a slab is never at the start of a page.
 *
 * Objects are zeroed when given out and aligned to 16 bytes.  Lock: LOCK_HEAP,
 * with the page allocator's inside.
 *
 * Guests get objects only within limits that the callers keep.
 */
#include <mm/mm.h>

/* In the list of its size while it has free objects, and some in use. */
struct slab {
	struct slab *next;
	void *free;			/* objects, linked by their first word */
	u16 size_index, used, pad[6];
};

static const u16 sizes[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 336, 400, 496, 672, 800, 1008,
	1344, 2032,
};

static struct spinlock heap_lock = SPINLOCK(LOCK_HEAP);
static struct slab *partial[ARRAY_SIZE(sizes)];

_Static_assert(sizeof(struct slab) == 32, "objects are 16-byte aligned");

static struct slab *slab_create_locked(unsigned int i)
{
	struct slab *s = alloc_page();
	u8 *object = (u8 *)(s + 1);

	if (!s)
		return NULL;
	s->size_index = (u16)i;
	for (; object + sizes[i] <= (u8 *)s + PAGE_SIZE; object += sizes[i]) {
		*(void **)object = s->free;
		s->free = object;
	}
	partial[i] = s;
	return s;
}

/* Zeroed; NULL when out of memory.  Size 0 is an object too. */
void *heap_alloc(size_t size)
{
	unsigned int i = 0, order = 0;
	struct slab *s;
	void *p = NULL;

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
	s = partial[i] ? partial[i] : slab_create_locked(i);
	if (s) {
		p = s->free;
		s->free = *(void **)p;
		s->used++;
		if (!s->free)
			partial[i] = s->next;
	}
	spin_unlock(&heap_lock);
	return p ? memset(p, 0, sizes[i]) : NULL;
}

/* NULL is fine. */
void heap_free(void *p)
{
	struct slab *s = (struct slab *)((u64)p & PAGE_MASK), **link;

	if (!p)
		return;
	if (p == s) {
		free_pages(p, (unsigned int)virt_to_frame(p)->type);
		return;
	}
	spin_lock(&heap_lock);
	ASSERT(s->size_index < ARRAY_SIZE(sizes) && s->used);
	link = &partial[s->size_index];
	if (!s->free) {
		s->next = *link;
		*link = s;
	}
	*(void **)p = s->free;
	s->free = p;
	if (!--s->used) {
		while (*link != s)
			link = &(*link)->next;
		*link = s->next;
		free_page(s);
	}
	spin_unlock(&heap_lock);
}
