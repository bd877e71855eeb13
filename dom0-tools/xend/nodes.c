// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of changes to the store, made in one transaction: others see all or
 * none of a device or a domain.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "worker.h"

struct node {
	struct node *next;
	enum node_perm perm;
	const char *path, *value;	/* value NULL: only that it exists */
};

/* An empty list. */
void nodes_start(struct nodes *n, struct worker *w)
{
	*n = (struct nodes){ .w = w };
	n->end = &n->first;
}

static char *format_path(struct worker *w, const char *fmt, va_list ap)
{
	char path[512];

	vsnprintf(path, sizeof(path), fmt, ap);
	return arena_printf(&w->a, "%s", path);
}

/* One more change; a list without memory fails as a whole. */
void nodes_add(struct nodes *n, enum node_perm perm, const char *value,
	       const char *fmt, ...)
{
	struct node *node = arena_alloc(&n->w->a, sizeof(*node));
	va_list ap;

	if (!node) {
		n->broken = true;
		return;
	}
	va_start(ap, fmt);
	node->path = format_path(n->w, fmt, ap);
	va_end(ap);
	node->perm = perm;
	node->value = value;
	n->broken |= !node->path;
	*n->end = node;
	n->end = &node->next;
}

static int set_perms(struct worker *w, uint32_t tx, const struct node *node)
{
	domid_t owner = node->perm >= NODE_OWN ? w->domid : 0;
	struct wire_perm p[2] = {
		{ .domid = owner, .access = 0 },
		{ .domid = owner ? 0 : w->domid, .access = WIRE_READ },
	};

	return store_set_perms(w->s, tx, node->path, p,
			       node->perm == NODE_READ ||
			       node->perm == NODE_FRONT ? 2 : 1);
}

static int apply(struct worker *w, uint32_t tx, const struct node *node)
{
	int rc;

	if (node->perm == NODE_REMOVE) {
		rc = store_rm(w->s, tx, node->path);
		return rc == -ENOENT ? 0 : rc;
	}
	rc = node->value ? store_write(w->s, tx, node->path, node->value,
				       strlen(node->value))
			 : store_mkdir(w->s, tx, node->path);
	return rc || node->perm == NODE_INHERIT ? rc : set_perms(w, tx, node);
}

/* Makes them. */
const char *nodes_commit(struct nodes *n)
{
	const struct node *node;
	uint32_t tx;
	int rc;

	if (n->broken)
		return "no memory";
	do {
		rc = store_begin(n->w->s, &tx);
		if (rc)
			break;
		for (node = n->first; node && !rc; node = node->next)
			rc = apply(n->w, tx, node);
		if (rc)
			store_end(n->w->s, tx, false);
		else
			rc = store_end(n->w->s, tx, true);
	} while (rc == -EAGAIN);
	return rc ? arena_printf(&n->w->a, "the store refuses: %s",
				 strerror(-rc)) : NULL;
}

/* A node's value, or NULL. */
char *node_read(struct worker *w, const char *fmt, ...)
{
	char *path;
	va_list ap;

	va_start(ap, fmt);
	path = format_path(w, fmt, ap);
	va_end(ap);
	return path ? store_read(w->s, &w->a, 0, path, NULL) : NULL;
}
