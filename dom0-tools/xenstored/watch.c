// SPDX-License-Identifier: GPL-2.0
/*
 * Watches: who is told when a node changes.
 *
 * All watches stand in one hash table by path.  A change at /a/b/c looks up
 * "/", "/a", "/a/b" and "/a/b/c": the cost does not depend on how many
 * watches there are elsewhere.
 *
 * A client learns of a change only if it may read the node, might read it
 * before the change, or may read its parent.  Two special paths,
 * "@introduceDomain" and "@releaseDomain", have permissions of their own.
 *
 * No event is lost and memory is bounded all the same: an event that does not
 * fit into its client's queue is owed, and once there is room one event with
 * the watch's own path stands for all that were owed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

#define WATCH_BUCKETS	4096

static struct watch *watch_table[WATCH_BUCKETS];
static struct perms *watch_introduce_perms, *watch_release_perms;

/* The root's path counts as empty, so that each path begins with it. */
static size_t watch_len(const char *path)
{
	return strcmp(path, "/") ? strlen(path) : 0;
}

/* The special paths: at first only for privileged clients. */
int watch_init(void)
{
	static const struct wire_perm none = { .domid = 0 };

	watch_introduce_perms = perms_new(&none, 1);
	watch_release_perms = perms_new(&none, 1);
	return watch_introduce_perms && watch_release_perms ? 0 : -ENOMEM;
}

/* Where the permissions of a special path are; NULL if there is no such. */
struct perms **watch_special_perms(const char *name)
{
	if (!strcmp(name, "@introduceDomain"))
		return &watch_introduce_perms;
	if (!strcmp(name, "@releaseDomain"))
		return &watch_release_perms;
	return NULL;
}

/* The watch of c with this path and token, or NULL. */
struct watch *watch_find(struct conn *c, const char *path, const char *token)
{
	struct watch *w;

	for (w = c->watches; w; w = w->next)
		if (!strcmp(w->path, path) && !strcmp(w->token, token))
			return w;
	return NULL;
}

static size_t watch_bytes(const struct watch *w)
{
	return sizeof(*w) + strlen(w->path) + strlen(w->token) + 2;
}

/*
 * Registers a watch.  `relative` is how many bytes of an event's path its
 * client does not see.  No event yet.
 */
int watch_add(struct conn *c, const char *path, const char *token,
	      unsigned int relative, struct watch **made)
{
	size_t len = strlen(path) + 1;
	struct watch *w = calloc(1, sizeof(*w) + len + strlen(token) + 1);
	struct watch **bucket;

	if (!w)
		return -ENOMEM;
	w->conn = c;
	w->relative = relative;
	w->token = w->path + len;
	strcpy(w->path, path);
	strcpy(w->path + len, token);
	w->hash = wire_hash(WIRE_HASH, path, watch_len(path));
	bucket = &watch_table[w->hash % WATCH_BUCKETS];
	w->next_hash = *bucket;
	*bucket = w;
	w->next = c->watches;
	c->watches = w;
	c->nr_watches++;
	c->held_bytes += watch_bytes(w);
	*made = w;
	return 0;
}

/* Ends a watch of c. */
void watch_del(struct conn *c, struct watch *w)
{
	struct watch **p;

	for (p = &watch_table[w->hash % WATCH_BUCKETS]; *p != w;)
		p = &(*p)->next_hash;
	*p = w->next_hash;
	for (p = &c->watches; *p != w;)
		p = &(*p)->next;
	*p = w->next;
	if (w->queued)
		w->queued->watch = NULL;
	c->nr_owed -= w->owed;
	c->nr_watches--;
	c->held_bytes -= watch_bytes(w);
	free(w);
}

/* Ends all watches of c. */
void watch_del_all(struct conn *c)
{
	while (c->watches)
		watch_del(c, c->watches);
}

/* Tells w of a change at path, now or when there is room. */
void watch_tell(struct watch *w, const char *path)
{
	if (w->owed || conn_event(w->conn, w, path))
		return;
	w->owed = true;
	w->conn->nr_owed++;
	state_watch(w, WATCH_OWE);
}

/* What decides who may hear of a change. */
struct watch_view {
	const struct perms *p[3];	/* each may be NULL */
};

static bool watch_permitted(const struct watch *w,
			    const struct watch_view *view)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(view->p); i++)
		if (view->p[i] &&
		    perms_for(view->p[i], &w->conn->who) & PERM_READ)
			return true;
	return false;
}

/* Tells those who watch exactly path[0..len), whose hash is h. */
static void watch_fire_at(uint32_t h, const char *at, size_t len,
			  const char *path, const struct watch_view *view)
{
	struct watch *w;

	for (w = watch_table[h % WATCH_BUCKETS]; w; w = w->next_hash)
		if (w->hash == h && watch_len(w->path) == len &&
		    !memcmp(w->path, at, len) && watch_permitted(w, view))
			watch_tell(w, path);
}

static const struct node *watch_parent(const struct node *root,
				       const char *path)
{
	size_t len;

	if (!path[1])
		return NULL;
	/* Of the nearest that exists: it cannot be read if that cannot. */
	root = tree_find_near(root, path, &len);
	return root;
}

/*
 * The node at path in the main tree was created, changed or (with all below)
 * removed: tells those who watch it or a node above.  `old` is what it was,
 * or NULL.
 */
void watch_fire(const char *path, const struct node *old)
{
	const struct node *now = tree_find(tree_main.root, path);
	char up[PATH_ROOM];
	struct watch_view view = { {
		now ? now->perms : NULL, old ? old->perms : NULL,
	} };
	size_t len = watch_len(path), i, start;
	const struct node *parent;
	uint32_t h = WIRE_HASH;

	if (len) {
		start = path_parent(path);
		memcpy(up, path, start);
		strcpy(up + start, start ? "" : "/");
		parent = watch_parent(tree_main.root, up);
		if (parent)
			view.p[2] = parent->perms;
	}
	watch_fire_at(h, path, 0, path, &view);
	for (start = 0, i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		h = wire_hash(h, path + start, i - start);
		watch_fire_at(h, path, i, path, &view);
		start = i;
	}
}

static bool watch_removed_fn(void *arg, const char *path,
			     const struct node *n)
{
	struct watch_view view = { { n->perms } };
	size_t len = watch_len(path);

	if (n != arg)	/* the top one is watch_fire()'s */
		watch_fire_at(wire_hash(WIRE_HASH, path, len), path, len,
			      path, &view);
	return true;
}

/* The subtree `old` at path was removed: tells those who watch in there. */
void watch_fire_removed(const char *path, const struct node *old)
{
	tree_walk(old, path, watch_removed_fn, (void *)old);
}

/* A domain came or went: `name` is the special path. */
void watch_fire_special(const char *name)
{
	struct watch_view view = { { *watch_special_perms(name) } };
	size_t len = strlen(name);

	watch_fire_at(wire_hash(WIRE_HASH, name, len), name, len, name, &view);
}

/* Queues what c is owed, as far as there is room. */
void watch_pay(struct conn *c)
{
	struct watch *w;

	for (w = c->watches; w && c->nr_owed; w = w->next) {
		if (!w->owed)
			continue;
		if (!conn_event(c, w, w->path))
			return;
		w->owed = false;
		c->nr_owed--;
		state_watch(w, WATCH_PAY);
	}
}
