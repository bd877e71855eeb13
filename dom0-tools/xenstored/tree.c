// SPDX-License-Identifier: GPL-2.0
/*
 * The tree of nodes, copied on write.
 *
 *	a transaction's root      the main root
 *	        |                      |
 *	      root'                  root		refs 1 each
 *	      /    \                /    \
 *	   tool    local'       local    (tool)		tool: refs 2, shared
 *
 * A snapshot is one more reference to a root.  A node with more than one
 * reference is never changed: whoever wants to change it copies the nodes on
 * the way from the root down to it first.  Without snapshots nothing is
 * copied.
 *
 * Invariants: children are sorted by name without duplicates; a tally counts
 * exactly the nodes that its tree's root reaches, by owner (that of a
 * snapshot: the difference since it was taken); whatever changes a node gives
 * it a generation that no node ever had, and tree_gen to all nodes above, so
 * that equal generations mean equal content.
 *
 * A function that fails for want of memory has changed no content.  Nothing
 * recurses: depth is chosen by clients.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

/* The deepest path is "/a/a/a...". */
#define TREE_DEPTH	(XENSTORE_ABS_PATH_MAX / 2 + 1)

struct tree tree_main;
static uint64_t tree_clock;

/*
 * Generations count from `now` on, a value that grows from one start of the
 * daemon to the next: clients see them in XS_DIRECTORY_PART.
 */
void tree_clock_start(uint64_t now)
{
	tree_clock = now;
}

/* A value with one reference; NULL if no memory.  Empty ones are NULL in a
 * node but not here. */
struct value *value_new(const void *data, unsigned int len)
{
	struct value *v = malloc(sizeof(*v) + len);

	if (!v)
		return NULL;
	v->refs = 1;
	v->len = len;
	memcpy(v->data, data, len);
	return v;
}

/* Another reference; NULL is allowed. */
struct value *value_get(struct value *v)
{
	if (v)
		v->refs++;
	return v;
}

/* One reference less; NULL is allowed. */
void value_put(struct value *v)
{
	if (v && !--v->refs)
		free(v);
}

/* What the owner of a node is charged for it. */
static long node_bytes(const struct node *n)
{
	return sizeof(*n) + sizeof(n) + n->name_len +
	       n->perms->n * sizeof(n->perms->p[0]) +
	       (n->value ? n->value->len : 0);
}

static domid_t node_owner(const struct node *n)
{
	return n->perms->p[0].domid;
}

static struct node *node_new(const char *name, size_t len,
			     struct perms *perms, uint64_t gen)
{
	struct node *n = calloc(1, sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	n->refs = 1;
	n->perms = perms_get(perms);
	n->value_gen = n->perms_gen = n->list_gen = n->tree_gen = gen;
	n->name_len = len;
	memcpy(n->name, name, len);
	return n;
}

static struct node *node_clone(const struct node *from)
{
	size_t size = sizeof(*from) + from->name_len + 1;
	struct node *n = malloc(size);
	unsigned int i;

	if (!n)
		return NULL;
	memcpy(n, from, size);
	n->child = NULL;
	n->room = n->nr_children;
	if (n->room) {
		n->child = malloc(n->room * sizeof(*n->child));
		if (!n->child) {
			free(n);
			return NULL;
		}
	}
	n->refs = 1;
	perms_get(n->perms);
	value_get(n->value);
	for (i = 0; i < n->nr_children; i++)
		n->child[i] = node_get(from->child[i]);
	return n;
}

/* Another reference. */
struct node *node_get(struct node *n)
{
	n->refs++;
	return n;
}

/* One reference less; with the last one the node goes, and what only it
 * referred to. */
void node_put(struct node *n)
{
	struct node *dead = NULL;
	unsigned int i;

	if (--n->refs)
		return;
	n->dead = NULL;
	for (dead = n; (n = dead);) {
		dead = n->dead;
		for (i = 0; i < n->nr_children; i++) {
			if (--n->child[i]->refs)
				continue;
			n->child[i]->dead = dead;
			dead = n->child[i];
		}
		perms_put(n->perms);
		value_put(n->value);
		free(n->child);
		free(n);
	}
}

/* Where the child `name` is among n's, or would be. */
static unsigned int node_slot(const struct node *n, const char *name,
			      size_t len, bool *found)
{
	unsigned int low = 0, high = n->nr_children, mid;
	const struct node *c;
	int order;

	*found = false;
	while (low < high) {
		mid = (low + high) / 2;
		c = n->child[mid];
		order = memcmp(name, c->name,
			       len < c->name_len ? len : c->name_len);
		if (!order)
			order = (len > c->name_len) - (len < c->name_len);
		if (!order) {
			*found = true;
			return mid;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int node_insert(struct node *parent, struct node *n)
{
	unsigned int room = parent->room, slot;
	struct node **child;
	bool found;

	if (parent->nr_children == room) {
		room = room ? room * 2 : 2;
		child = realloc(parent->child, room * sizeof(*child));
		if (!child)
			return -ENOMEM;
		parent->child = child;
		parent->room = room;
	}
	slot = node_slot(parent, n->name, n->name_len, &found);
	memmove(&parent->child[slot + 1], &parent->child[slot],
		(parent->nr_children - slot) * sizeof(n));
	parent->child[slot] = n;
	parent->nr_children++;
	parent->list_len += n->name_len + 1;
	return 0;
}

/* Length of the component at p, which is behind a slash. */
static size_t component(const char *p)
{
	return strcspn(p, "/");
}

/* A well-formed absolute path: no empty component, no forbidden character,
 * not too long. */
bool path_valid(const char *path)
{
	size_t len = strlen(path), i;
	char c;

	if (path[0] != '/' || len > XENSTORE_ABS_PATH_MAX)
		return false;
	if (len == 1)
		return true;
	for (i = 1; i <= len; i++) {
		c = path[i];
		if ((c == '/' || !c) && path[i - 1] == '/')
			return false;
		if (c && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && !strchr("-/_@", c))
			return false;
	}
	return true;
}

/* How many bytes of a valid path, not "/", are its parent's path; 0 stands
 * for the root. */
size_t path_parent(const char *path)
{
	return strrchr(path, '/') - path;
}

/*
 * The node at path or, if there is none, the nearest above; *len is how many
 * bytes of the path lead there (0: the root).
 */
const struct node *tree_find_near(const struct node *root, const char *path,
				  size_t *len)
{
	const char *p = path;
	unsigned int slot;
	size_t n;
	bool found;

	while (p[0] && p[1]) {
		n = component(p + 1);
		slot = node_slot(root, p + 1, n, &found);
		if (!found)
			break;
		root = root->child[slot];
		p += 1 + n;
	}
	*len = p - path;
	return root;
}

/* The node at path, or NULL. */
const struct node *tree_find(const struct node *root, const char *path)
{
	size_t len;
	const struct node *n = tree_find_near(root, path, &len);

	return path[len] && path[len + 1] ? NULL : n;
}

/*
 * The node at path[0..len), which exists, ready to be changed: it and all
 * above belong to this tree alone and carry generation gen.  NULL: no memory.
 */
static struct node *tree_touch(struct tree *t, const char *path, size_t len,
			       uint64_t gen)
{
	const char *p = path, *end = path + len;
	struct node **slot = &t->root, *n;
	size_t part;
	bool found;

	for (;;) {
		n = *slot;
		if (n->refs > 1) {
			n = node_clone(n);
			if (!n)
				return NULL;
			(*slot)->refs--;
			*slot = n;
		}
		n->tree_gen = gen;
		if (p >= end || !p[1])
			return n;
		part = component(p + 1);
		slot = &n->child[node_slot(n, p + 1, part, &found)];
		p += 1 + part;
	}
}

static struct tally_entry *tally_slot(const struct tally *t, domid_t domid)
{
	unsigned int low = 0, high = t->n, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (t->e[mid].domid < domid)
			low = mid + 1;
		else
			high = mid;
	}
	return t->e + low;
}

/* Makes sure that tally_add() for domid has its entry. */
int tally_reserve(struct tally *t, domid_t domid)
{
	struct tally_entry *e;
	unsigned int slot, room;

	if (tally_of(t, domid))
		return 0;
	if (t->n == t->room) {
		room = t->room ? t->room * 2 : 4;
		e = realloc(t->e, room * sizeof(*e));
		if (!e)
			return -ENOMEM;
		t->e = e;
		t->room = room;
	}
	slot = t->n ? tally_slot(t, domid) - t->e : 0;
	e = t->e + slot;
	memmove(e + 1, e, (t->n - slot) * sizeof(*e));
	*e = (struct tally_entry){ .domid = domid };
	t->n++;
	return 0;
}

/* Counts for a domain that has an entry. */
void tally_add(struct tally *t, domid_t domid, int nodes, long bytes)
{
	struct tally_entry *e = tally_slot(t, domid);

	e->nodes += nodes;
	e->bytes += bytes;
}

/* The entry of a domain, or NULL. */
const struct tally_entry *tally_of(const struct tally *t, domid_t domid)
{
	struct tally_entry *e;

	if (!t->n)
		return NULL;
	e = tally_slot(t, domid);
	return e < t->e + t->n && e->domid == domid ? e : NULL;
}

/* A tree of one empty node that belongs to the control domain. */
int tree_init(struct tree *t)
{
	static const struct wire_perm none = { .domid = 0 };
	struct perms *perms = perms_new(&none, 1);

	memset(t, 0, sizeof(*t));
	if (!perms)
		return -ENOMEM;
	t->root = node_new("", 0, perms, ++tree_clock);
	perms_put(perms);
	if (!t->root)
		return -ENOMEM;
	if (tally_reserve(&t->tally, 0)) {
		node_put(t->root);
		return -ENOMEM;
	}
	tally_add(&t->tally, 0, 1, node_bytes(t->root));
	return 0;
}

/* Frees what only this tree holds. */
void tree_destroy(struct tree *t)
{
	if (t->root)
		node_put(t->root);
	free(t->tally.e);
	memset(t, 0, sizeof(*t));
}

/* The nodes of path[from...), one below the other; returns the first. */
static struct node *tree_chain(const char *path, size_t from,
			       struct perms *perms, uint64_t gen)
{
	const char *p = path + from;
	struct node *first = NULL, *last = NULL, *n;
	size_t len;

	for (; p[0] && p[1]; p += 1 + len) {
		len = component(p + 1);
		n = node_new(p + 1, len, perms, gen);
		if (n && last && node_insert(last, n)) {
			node_put(n);
			n = NULL;
		}
		if (!n) {
			if (first)
				node_put(first);
			return NULL;
		}
		if (!first)
			first = n;
		last = n;
	}
	return first;
}

/*
 * Makes sure that path exists; what is missing is created empty, with
 * `perms`.
 */
int tree_make(struct tree *t, const char *path, struct perms *perms)
{
	uint64_t gen = ++tree_clock;
	struct node *first, *parent, *n;
	size_t len;

	tree_find_near(t->root, path, &len);
	if (!path[len] || !path[len + 1])
		return 0;
	if (tally_reserve(&t->tally, perms->p[0].domid))
		return -ENOMEM;
	first = tree_chain(path, len, perms, gen);
	if (!first)
		return -ENOMEM;
	parent = tree_touch(t, path, len, gen);
	if (!parent || node_insert(parent, first)) {
		node_put(first);
		return -ENOMEM;
	}
	parent->list_gen = gen;
	for (n = first; n; n = n->nr_children ? n->child[0] : NULL)
		tally_add(&t->tally, node_owner(n), 1, node_bytes(n));
	return 0;
}

/*
 * Gives an existing node a value, of which it takes one more reference.
 * Cannot fail directly after tree_make() created the node.
 */
int tree_set_value(struct tree *t, const char *path, struct value *v)
{
	uint64_t gen = ++tree_clock;
	const struct node *old = tree_find(t->root, path);
	struct node *n;

	if (tally_reserve(&t->tally, node_owner(old)))
		return -ENOMEM;
	n = tree_touch(t, path, strlen(path), gen);
	if (!n)
		return -ENOMEM;
	tally_add(&t->tally, node_owner(n), 0,
		  (v ? (long)v->len : 0) -
		  (n->value ? (long)n->value->len : 0));
	value_get(v && v->len ? v : NULL);
	value_put(n->value);
	n->value = v && v->len ? v : NULL;
	n->value_gen = gen;
	return 0;
}

/* Gives an existing node permissions, taking one more reference. */
int tree_set_perms(struct tree *t, const char *path, struct perms *perms)
{
	uint64_t gen = ++tree_clock;
	const struct node *old = tree_find(t->root, path);
	struct node *n;

	if (tally_reserve(&t->tally, node_owner(old)) ||
	    tally_reserve(&t->tally, perms->p[0].domid))
		return -ENOMEM;
	n = tree_touch(t, path, strlen(path), gen);
	if (!n)
		return -ENOMEM;
	tally_add(&t->tally, node_owner(n), -1, -node_bytes(n));
	perms_get(perms);
	perms_put(n->perms);
	n->perms = perms;
	n->perms_gen = gen;
	tally_add(&t->tally, node_owner(n), 1, node_bytes(n));
	return 0;
}

static bool tree_reserve_fn(void *arg, const char *path, const struct node *n)
{
	(void)path;
	return !tally_reserve(arg, node_owner(n));
}

static bool tree_uncount_fn(void *arg, const char *path, const struct node *n)
{
	(void)path;
	tally_add(arg, node_owner(n), -1, -node_bytes(n));
	return true;
}

/* Removes an existing node, not the root, and all below. */
int tree_remove(struct tree *t, const char *path)
{
	uint64_t gen = ++tree_clock;
	size_t up = path_parent(path);
	struct node *parent, *n;
	unsigned int slot;
	bool found;

	if (!tree_walk(tree_find(t->root, path), path, tree_reserve_fn,
		       &t->tally))
		return -ENOMEM;
	parent = tree_touch(t, path, up, gen);
	if (!parent)
		return -ENOMEM;
	slot = node_slot(parent, path + up + 1, strlen(path + up + 1), &found);
	n = parent->child[slot];
	tree_walk(n, path, tree_uncount_fn, &t->tally);
	parent->nr_children--;
	parent->list_len -= n->name_len + 1;
	memmove(&parent->child[slot], &parent->child[slot + 1],
		(parent->nr_children - slot) * sizeof(n));
	parent->list_gen = gen;
	node_put(n);
	return 0;
}

/*
 * Calls fn(arg, path, node) for `top`, which is at path, and every node
 * below, parents first, until one call returns false; then so does this.  fn
 * must not change the tree nor walk.
 */
bool tree_walk(const struct node *top, const char *path, tree_fn *fn,
	       void *arg)
{
	static struct {
		const struct node *node;
		unsigned int next;	/* child to visit */
		unsigned int len;	/* of its path */
	} stack[TREE_DEPTH + 1], *s;
	static char name[PATH_ROOM + 1];
	const struct node *n = top;

	s = stack;
	s->len = strcmp(path, "/") ? strlen(path) : 0;
	memcpy(name, path, s->len + 1);
	for (;;) {
		s->node = n;
		s->next = 0;
		name[s->len] = 0;
		if (!fn(arg, s->len ? name : "/", n))
			return false;
		while (s->next == s->node->nr_children)
			if (s-- == stack)
				return true;
		n = s->node->child[s->next++];
		name[s->len] = '/';
		memcpy(name + s->len + 1, n->name, n->name_len);
		s[1].len = s->len + 1 + n->name_len;
		s++;
	}
}

static bool tree_recount_fn(void *arg, const char *path, const struct node *n)
{
	(void)path;
	if (tally_reserve(arg, node_owner(n)))
		return false;
	tally_add(arg, node_owner(n), 1, node_bytes(n));
	return true;
}

/* True if the tally of the main tree is what counting again gives. */
bool tree_recount(const struct tree *t)
{
	const struct tally_entry *e, *o;
	struct tally now = { 0 };
	bool ok = tree_walk(t->root, "/", tree_recount_fn, &now);

	for (e = t->tally.e; ok && e < t->tally.e + t->tally.n; e++) {
		o = tally_of(&now, e->domid);
		ok = e->nodes == (o ? o->nodes : 0) &&
		     e->bytes == (o ? o->bytes : 0);
	}
	for (e = now.e; ok && e < now.e + now.n; e++)
		ok = tally_of(&t->tally, e->domid);
	free(now.e);
	return ok;
}
