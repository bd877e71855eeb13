/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small objects of the hypervisor.
 *
 * A page ("slab") holds objects of one size behind a header; sizes are chosen
 * so that little of a page is lost.  What does not fit twice into a page gets
 * pages of its own.  The two are told apart by the address: an object of a
 * slab is never at the start of a page.
 *
 * Objects are zeroed when given out and aligned to 16 bytes.  Lock: LOCK_HEAP,
 * with the page allocator's inside.
 *
 * Guests get objects only within limits that the callers keep.
 */
#include <mm/mm.h>

struct slab {
	struct slab *next, *prev;	/* those of a size with free objects */
	void *free;			/* objects, linked by their first word */
	u16 size_index, used;
};

static const u16 sizes[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 336, 400, 496, 672, 800, 1008,
	1344, 2032,
};

static struct spinlock heap_lock = SPINLOCK(LOCK_HEAP);
static struct slab *partial[ARRAY_SIZE(sizes)];

#define SLAB_ROOM	(PAGE_SIZE - sizeof(struct slab))
_Static_assert(sizeof(struct slab) == 32, "objects are 16-byte aligned");

static void slab_link_locked(struct slab *s)
{
	struct slab **head = &partial[s->size_index];

	s->prev = NULL;
	s->next = *head;
	if (s->next)
		s->next->prev = s;
	*head = s;
}

static void slab_unlink_locked(struct slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		partial[s->size_index] = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

static struct slab *slab_create_locked(unsigned int i)
{
	struct slab *s = alloc_pages(0, ALLOC_NOSCRUB);
	unsigned int n = (unsigned int)(SLAB_ROOM / sizes[i]);

	if (!s)
		return NULL;
	s->size_index = (u16)i;
	s->used = 0;
	s->free = NULL;
	while (n--) {
		void **object = (void *)((u8 *)(s + 1) + n * sizes[i]);

		*object = s->free;
		s->free = object;
	}
	slab_link_locked(s);
	return s;
}

/* Sizes beyond a slab's: whole pages, the order kept in the struct frame. */
static void *big_alloc(size_t size)
{
	unsigned int order = 0;
	void *p;

	while (PAGE_SIZE << order < size)
		if (++order > MAX_ORDER)
			return NULL;
	p = alloc_pages(order, 0);
	if (p)
		virt_to_frame(p)->type = order;
	return p;
}

static void big_free(void *p)
{
	struct frame *f = virt_to_frame(p);
	unsigned int order = (unsigned int)f->type;

	f->type = 0;
	free_pages(p, order);
}

/* Zeroed; NULL when out of memory.  Size 0 is an object too. */
void *heap_alloc(size_t size)
{
	unsigned int i = 0;
	struct slab *s;
	void **object;

	while (i < ARRAY_SIZE(sizes) && sizes[i] < size)
		i++;
	if (i == ARRAY_SIZE(sizes))
		return big_alloc(size);
	spin_lock(&heap_lock);
	s = partial[i];
	if (!s)
		s = slab_create_locked(i);
	if (!s) {
		spin_unlock(&heap_lock);
		return NULL;
	}
	object = s->free;
	s->free = *object;
	s->used++;
	if (!s->free)
		slab_unlink_locked(s);
	spin_unlock(&heap_lock);
	return memset(object, 0, sizes[i]);
}

/* NULL is fine. */
void heap_free(void *p)
{
	struct slab *s = (struct slab *)((u64)p & PAGE_MASK);
	bool empty;

	if (!p)
		return;
	if (p == s) {
		big_free(p);
		return;
	}
	spin_lock(&heap_lock);
	ASSERT(s->size_index < ARRAY_SIZE(sizes) && s->used);
	if (!s->free)
		slab_link_locked(s);
	*(void **)p = s->free;
	s->free = p;
	empty = !--s->used;
	if (empty)
		slab_unlink_locked(s);
	spin_unlock(&heap_lock);
	if (empty)
		free_page(s);
}
