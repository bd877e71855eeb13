// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas: small pieces of memory with one common end of life, usually that of
 * a request.  struct arena starts as {0}.  Memory comes zeroed and aligned to
 * 16 bytes.
 *
 * Where there is none the process ends, so that nobody has to check: what
 * others can make a program keep in an arena is bounded by whoever reads it
 * in, and a daemon of ours that is started again finds everything.
 */
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

	size = (size + 15) & ~(size_t)15;
	if (!b || b->size - b->used < size) {
		size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;

		b = calloc(1, sizeof(*b) + room);
		if (!b)
			fatal("%zu bytes", room);
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
	}
	b->used += size;
	return b->data + b->used - size;
}

/* A copy of data, with a NUL behind it. */
void *arena_copy(struct arena *a, const void *data, size_t size)
{
	return memcpy(arena_alloc(a, size + 1), data, size);
}

char *arena_string(struct arena *a, const char *s)
{
	return arena_copy(a, s, strlen(s));
}

/* Formatted strings, most of which are short. */
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char brief[256], *p;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(brief, sizeof(brief), fmt, again);
	va_end(again);
	if (n < (int)sizeof(brief))
		return arena_copy(a, brief, n);
	p = arena_alloc(a, n + 1);
	vsnprintf(p, n + 1, fmt, ap);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
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
