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
#include "xenstored.h"

#define WATCH_BUCKETS	4096

static struct watch *watch_table[WATCH_BUCKETS];

struct special specials[2] = {
	{ .name = "@introduceDomain" }, { .name = "@releaseDomain" },
};

/* The root's path counts as empty, so that each path begins with it. */
static size_t watch_len(const char *path)
{
	return path[1] ? strlen(path) : 0;
}

/* Where those stand who watch path[0..len). */
static struct watch **watch_bucket(const char *path, size_t len)
{
	uint32_t h = 2166136261u;

	while (len--)
		h = (h ^ (unsigned char)*path++) * 16777619u;
	return &watch_table[h % WATCH_BUCKETS];
}

/* The special paths: at first only for privileged clients, as the root. */
void watch_init(void)
{
	specials[0].perms = blob_get(tree_main.root->perms);
	specials[1].perms = blob_get(tree_main.root->perms);
}

/* The special path of this name; NULL if there is no such. */
struct special *watch_special(const char *name)
{
	return !strcmp(name, specials[0].name)   ? &specials[0]
	       : !strcmp(name, specials[1].name) ? &specials[1]
						 : NULL;
}

/* Gives a special path other permissions. */
void special_set(struct special *s, struct blob *perms)
{
	blob_get(perms);
	blob_put(s->perms);
	s->perms = perms;
	state_node(s->name, &(struct node){ .perms = perms });
}

/* The watch of c with this path and token, or NULL. */
struct watch *watch_find(struct conn *c, const char *path, const char *token)
{
	struct watch *w;

	for (w = c->watches; w; w = w->next)
		if (!strcmp(w->path, path) && !strcmp(w->token, token))
			break;
	return w;
}

static size_t watch_bytes(const struct watch *w)
{
	return sizeof(*w) + strlen(w->path) + strlen(w->token) + 2;
}

/*
 * Registers a watch.  `relative` is how many bytes of an event's path its
 * client does not see.  No event yet.  NULL: no memory.
 */
struct watch *watch_add(struct conn *c, const char *path, const char *token,
			unsigned int relative)
{
	size_t len = strlen(path) + 1;
	struct watch *w = malloc(sizeof(*w) + len + strlen(token) + 1);
	struct watch **bucket;

	if (!w)
		return NULL;
	*w = (struct watch){ .next = c->watches, .conn = c,
			     .relative = relative, .token = w->path + len };
	strcpy(w->path, path);
	strcpy(w->path + len, token);
	bucket = watch_bucket(path, watch_len(path));
	w->next_hash = *bucket;
	*bucket = w;
	c->watches = w;
	c->nr_watches++;
	c->held_bytes += watch_bytes(w);
	state_watch(w, STATE_NEW);
	return w;
}

/* Ends a watch. */
void watch_del(struct watch *w)
{
	struct conn *c = w->conn;
	struct watch **p = watch_bucket(w->path, watch_len(w->path));

	state_watch(w, STATE_GONE);
	while (*p != w)
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

/* Notes whether an event is owed to w. */
void watch_owe(struct watch *w, bool owed)
{
	w->conn->nr_owed += owed - w->owed;
	w->owed = owed;
	state_watch(w, STATE_SAME);
}

/* Tells w of a change at path, now or when there is room. */
void watch_tell(struct watch *w, const char *path)
{
	if (!w->owed && !conn_event(w->conn, w, path))
		watch_owe(w, true);
}

/*
 * Tells those who watch exactly path[0..len) of a change at `changed`; only
 * who may read by one of these permissions, which may be NULL.
 */
static void watch_fire_at(const char *path, size_t len, const char *changed,
			  struct blob *const perms[3])
{
	const struct subject *who;
	struct watch *w;
	int i;

	for (w = *watch_bucket(path, len); w; w = w->next_hash) {
		if (watch_len(w->path) != len || memcmp(w->path, path, len))
			continue;
		who = &w->conn->who;
		for (i = 0; i < 3; i++)
			if (perms[i] && perms_for(perms[i], who) & WIRE_READ)
				break;
		if (i < 3)
			watch_tell(w, changed);
	}
}

/* Tells those who watch exactly this path. */
static void watch_fire_path(const char *path, struct blob *perms)
{
	watch_fire_at(path, watch_len(path), path,
		      (struct blob *const[3]){ perms });
}

static bool watch_removed_fn(void *arg, const char *path,
			     const struct node *n)
{
	if (n != arg)	/* the top one has been told */
		watch_fire_path(path, n->perms);
	return true;
}

/*
 * The node at path in the main tree was created, changed or (`removed`, with
 * all below) removed: tells those who watch it or a node above or, if it was
 * removed, below.  `old` is what it was, or NULL.
 */
void watch_fire(const char *path, const struct node *old, bool removed)
{
	const struct node *now = tree_find(tree_main.root, path);
	struct blob *perms[3] = { now ? now->perms : NULL,
				  old ? old->perms : NULL };
	size_t len = watch_len(path), i;

	if (len) {
		/* Of the nearest that exists: the parent cannot be read if
		 * that cannot. */
		i = path_parent(path);
		perms[2] = tree_find_near(tree_main.root, path, &i)->perms;
	}
	watch_fire_at(path, 0, path, perms);
	for (i = 1; i <= len; i++)
		if (i == len || path[i] == '/')
			watch_fire_at(path, i, path, perms);
	if (removed && old)
		tree_walk(old, path, watch_removed_fn, (void *)old);
}

/* A domain came or went: `name` is the special path. */
void watch_fire_special(const char *name)
{
	watch_fire_path(name, watch_special(name)->perms);
}

/* Queues what c is owed, as far as there is room. */
void watch_pay(struct conn *c)
{
	struct watch *w;

	for (w = c->watches; w && c->nr_owed; w = w->next)
		if (w->owed) {
			if (!conn_event(c, w, w->path))
				return;
			watch_owe(w, false);
		}
}
