// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas: small pieces of memory with one common end of life, usually that of
 * a request.  struct arena starts as {0}.  Memory comes zeroed and aligned to
 * 16 bytes; NULL, with errno set, when there is none.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib.h"

#define ARENA_BLOCK	4000	/* of usual size: room for pieces */

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(16) char data[];
};

/* A piece of size bytes. */
void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	size_t room;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!b || b->size - b->used < size) {
		room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

/* A copy of data, with a NUL behind it. */
void *arena_copy(struct arena *a, const void *data, size_t size)
{
	char *p = arena_alloc(a, size + 1);

	if (p && size)
		memcpy(p, data, size);
	return p;
}

/* A formatted string. */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, n + 1, fmt, ap);
	va_end(ap);
	return p;
}

/* Gives everything back; the arena can be used again. */
void arena_release(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->blocks)) {
		a->blocks = b->next;
		free(b);
	}
}
