// SPDX-License-Identifier: GPL-2.0
/*
 * The tree of nodes, copied on write, and who may read or write a node.
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
 * it a generation that no node ever had, and while a snapshot is kept, what
 * changed below a node makes it another node: so equal generations, or equal
 * pointers, mean equal content.
 *
 * Values and lists of permissions are counted blobs, shared between nodes and
 * snapshots; a change makes a new one.
 *
 * A function that fails for want of memory has changed no content.  What
 * recurses goes as deep as the longest path has components, some 1,500.
 */
#include "xenstored.h"

struct tree tree_main;

/*
 * The last generation.  Clients see generations in XS_DIRECTORY_PART, so each
 * start of the daemon begins with a higher one.
 */
uint64_t tree_clock;

/* How many bytes of nodes and blobs were made; see txn_bound(). */
unsigned long tree_made;

/* A blob with one reference; NULL if no memory. */
struct blob *blob_new(const void *data, unsigned int len)
{
	struct blob *b = malloc(sizeof(*b) + len);

	if (!b)
		return NULL;
	tree_made += sizeof(*b) + len;
	b->refs = 1;
	b->len = len;
	memcpy(b->data, data, len);
	return b;
}

/* Another reference; NULL is allowed. */
struct blob *blob_get(struct blob *b)
{
	if (b)
		b->refs++;
	return b;
}

/* One reference less; NULL is allowed. */
void blob_put(struct blob *b)
{
	if (b && !--b->refs)
		free(b);
}

/*
 * Permissions are a list of (domain, rights).  The first entry names the
 * owner, who may do everything, and the rights of every domain without an
 * entry of its own.  Privileged clients (the control domain and its socket)
 * may do everything everywhere; a device model may do what its target may.
 */
unsigned int perms_count(const struct blob *perms)
{
	return perms->len / sizeof(perms->perm[0]);
}

/* PERM_* bits of `who`. */
unsigned int perms_for(const struct blob *perms, const struct subject *who)
{
	unsigned int i, n = perms_count(perms);

	if (who->privileged)
		return WIRE_READ | WIRE_WRITE | PERM_OWNER;
	for (i = 0; i < n; i++)
		if (perms->perm[i].domid == who->domid ||
		    perms->perm[i].domid == who->target)
			break;
	return i == 0 ? WIRE_READ | WIRE_WRITE | PERM_OWNER
		      : perms->perm[i < n ? i : 0].access;
}

/*
 * What a node created by `who` below one with `parent` gets: the same, but an
 * unprivileged creator becomes the owner.  With a reference.
 */
struct blob *perms_inherit(struct blob *parent, const struct subject *who)
{
	struct blob *perms;

	if (who->privileged || parent->perm[0].domid == who->domid)
		return blob_get(parent);
	perms = blob_new(parent->data, parent->len);
	if (perms)
		perms->perm[0].domid = who->domid;
	return perms;
}

/*
 * The list without the entries of domid, for when that domain is gone and
 * its number may come back; if it was the owner, the control domain is.  With
 * a reference; the same list if there are none.
 */
struct blob *perms_without(struct blob *perms, domid_t domid)
{
	unsigned int i = 0, n = 1;
	struct blob *rest;

	while (i < perms_count(perms) && perms->perm[i].domid != domid)
		i++;
	if (i == perms_count(perms))
		return blob_get(perms);
	rest = blob_new(perms->data, perms->len);
	if (!rest)
		return NULL;
	if (rest->perm[0].domid == domid)
		rest->perm[0].domid = 0;
	for (i = 1; i < perms_count(perms); i++)
		if (perms->perm[i].domid != domid)
			rest->perm[n++] = perms->perm[i];
	rest->len = n * sizeof(rest->perm[0]);
	return rest;
}

/* What the owner of a node is charged for it. */
long node_bytes(const struct node *n)
{
	return sizeof(*n) + sizeof(n) + n->name_len + n->perms->len +
	       (n->value ? n->value->len : 0);
}

static struct node *node_new(const char *name, size_t len, struct blob *perms)
{
	struct node *n = calloc(1, sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	tree_made += sizeof(*n) + len;
	n->refs = 1;
	n->perms = blob_get(perms);
	n->value_gen = n->perms_gen = n->list_gen = ++tree_clock;
	n->name_len = len;
	memcpy(n->name, name, len);
	return n;
}

static struct node *node_clone(const struct node *from)
{
	size_t size = sizeof(*from) + from->name_len + 1;
	size_t list = from->nr_children * sizeof(*from->child);
	struct node *n = malloc(size);
	unsigned int i;

	if (!n)
		return NULL;
	memcpy(n, from, size);
	n->child = malloc(list);
	if (!n->child) {
		free(n);
		return NULL;
	}
	tree_made += size + list;
	n->refs = 1;
	blob_get(n->perms);
	blob_get(n->value);
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
 * referred to.  NULL is allowed. */
void node_put(struct node *n)
{
	unsigned int i;

	if (!n || --n->refs)
		return;
	for (i = 0; i < n->nr_children; i++)
		node_put(n->child[i]);
	blob_put(n->perms);
	blob_put(n->value);
	free(n->child);
	free(n);
}

/* Where the child `name` is among n's; or, if there is none, -1 minus where
 * it would be. */
static int node_slot(const struct node *n, const char *name, size_t len)
{
	int low = 0, high = n->nr_children, mid, order;
	const struct node *c;

	while (low < high) {
		mid = (low + high) / 2;
		c = n->child[mid];
		order = strncmp(name, c->name, len);
		if (!order && c->name_len == len)
			return mid;
		if (order <= 0)		/* or it begins with name */
			high = mid;
		else
			low = mid + 1;
	}
	return -1 - low;
}

static int node_insert(struct node *parent, struct node *n)
{
	struct node **child = realloc(parent->child,
				      (parent->nr_children + 1) * sizeof(n));
	int slot;

	if (!child)
		return -ENOMEM;
	parent->child = child;
	slot = -1 - node_slot(parent, n->name, n->name_len);
	memmove(&child[slot + 1], &child[slot],
		(parent->nr_children++ - slot) * sizeof(n));
	child[slot] = n;
	parent->list_len += n->name_len + 1;
	parent->list_gen = ++tree_clock;
	return 0;
}

/* A well-formed absolute path: no empty component, no forbidden character,
 * not too long. */
bool path_valid(const char *path)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz-/_@"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(path);

	return path[0] == '/' && len <= XENSTORE_ABS_PATH_MAX &&
	       strspn(path, allowed) == len && !strstr(path, "//") &&
	       (len == 1 || path[len - 1] != '/');
}

/* How many bytes of a valid path, not "/", are its parent's path; 0 stands
 * for the root. */
size_t path_parent(const char *path)
{
	return strrchr(path, '/') - path;
}

/*
 * The node at path[0..*len) or, if there is none, the nearest above; *len
 * becomes how many bytes of the path lead there (0: the root).
 */
const struct node *tree_find_near(const struct node *root, const char *path,
				  size_t *len)
{
	const char *p = path;
	size_t n;
	int slot;

	while (p < path + *len && p[1]) {
		n = strchrnul(p + 1, '/') - (p + 1);
		slot = node_slot(root, p + 1, n);
		if (slot < 0)
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
	size_t len = strlen(path);
	const struct node *n = tree_find_near(root, path, &len);

	return path[len] && path[len + 1] ? NULL : n;
}

/*
 * The node at path[0..len), which exists, ready to be changed: it and all
 * above belong to this tree alone.  NULL: no memory.
 */
static struct node *tree_touch(struct tree *t, const char *path, size_t len)
{
	const char *p = path, *end = path + len;
	struct node **slot = &t->root, *n;
	size_t part;

	for (;;) {
		n = *slot;
		if (n->refs > 1) {
			n = node_clone(n);
			if (!n)
				return NULL;
			(*slot)->refs--;
			*slot = n;
		}
		if (p >= end || !p[1])
			return n;
		part = strchrnul(p + 1, '/') - (p + 1);
		slot = &n->child[node_slot(n, p + 1, part)];
		p += 1 + part;
	}
}

static struct tally_entry *tally_find(const struct tally *t, domid_t domid)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (t->e[i].domid == domid)
			return &t->e[i];
	return NULL;
}

/* The entry of a domain, made if need be; valid until the next call.  NULL:
 * no memory. */
struct tally_entry *tally_get(struct tally *t, domid_t domid)
{
	struct tally_entry *e = tally_find(t, domid);

	if (e)
		return e;
	e = realloc(t->e, (t->n + 1) * sizeof(*e));
	if (!e)
		return NULL;
	t->e = e;
	e[t->n] = (struct tally_entry){ .domid = domid };
	return &e[t->n++];
}

/* What a domain owns. */
struct tally_entry tally_of(const struct tally *t, domid_t domid)
{
	struct tally_entry *e = tally_find(t, domid);

	return e ? *e : (struct tally_entry){ .domid = domid };
}

/* A domain that owns nothing any more needs no entry. */
void tally_forget(struct tally *t, domid_t domid)
{
	struct tally_entry *e = tally_find(t, domid);

	if (e)
		*e = t->e[--t->n];
}

/* Adds node n `sign` times to its owner's count; for 0 makes sure that this
 * will be possible. */
static bool tally_add(struct tally *t, const struct node *n, int sign)
{
	struct tally_entry *e = tally_get(t, n->perms->perm[0].domid);

	if (!e)
		return false;
	e->nodes += sign;
	e->bytes += sign * node_bytes(n);
	return true;
}

struct tally_walk {
	struct tally *t;
	int sign;
};

static bool tally_add_fn(void *arg, const char *path, const struct node *n)
{
	struct tally_walk *w = arg;

	(void)path;
	return tally_add(w->t, n, w->sign);
}

/* Makes t, which starts as {0}, one empty node of the control domain. */
int tree_init(struct tree *t)
{
	struct wire_perm owner = { .domid = 0 };
	struct blob *perms = blob_new(&owner, sizeof(owner));

	t->root = perms ? node_new("", 0, perms) : NULL;
	blob_put(perms);
	if (t->root && tally_add(&t->tally, t->root, 1))
		return 0;
	tree_destroy(t);
	return -ENOMEM;
}

/* Frees what only this tree holds. */
void tree_destroy(struct tree *t)
{
	node_put(t->root);
	free(t->tally.e);
	memset(t, 0, sizeof(*t));
}

/*
 * Makes sure that path exists; what is missing is created empty, with
 * `perms`.
 */
int tree_make(struct tree *t, const char *path, struct blob *perms)
{
	struct node *first = NULL, *n, *parent;
	size_t len = strlen(path), start, end = len;

	tree_find_near(t->root, path, &len);
	if (!path[len] || !path[len + 1])
		return 0;
	for (; end > len; end = start) {
		start = (char *)memrchr(path, '/', end) - path;
		n = node_new(path + start + 1, end - start - 1, perms);
		if (!n || (first && node_insert(n, first))) {
			node_put(n);
			goto no_memory;
		}
		first = n;
	}
	parent = tree_touch(t, path, len);
	if (!parent || !tally_add(&t->tally, first, 0) ||
	    node_insert(parent, first))
		goto no_memory;
	for (n = first; n; n = n->nr_children ? n->child[0] : NULL)
		tally_add(&t->tally, n, 1);
	return 0;
no_memory:
	node_put(first);
	return -ENOMEM;
}

/*
 * Gives an existing node what is not NULL of a value and permissions, each
 * with one more reference.
 */
int tree_set(struct tree *t, const char *path, struct blob *value,
	     struct blob *perms)
{
	struct node *n = tree_touch(t, path, strlen(path));

	if (!n || !tally_add(&t->tally, n, 0) ||
	    (perms && !tally_get(&t->tally, perms->perm[0].domid)))
		return -ENOMEM;
	tally_add(&t->tally, n, -1);
	if (value) {
		blob_put(n->value);
		n->value = blob_get(value);
		n->value_gen = ++tree_clock;
	}
	if (perms) {
		blob_get(perms);
		blob_put(n->perms);
		n->perms = perms;
		n->perms_gen = ++tree_clock;
	}
	tally_add(&t->tally, n, 1);
	return 0;
}

/* Removes an existing node, not the root, and all below. */
int tree_remove(struct tree *t, const char *path)
{
	struct tally_walk count = { &t->tally, 0 };
	size_t up = path_parent(path);
	struct node *parent = tree_touch(t, path, up), *n;
	int slot;

	if (!parent)
		return -ENOMEM;
	slot = node_slot(parent, path + up + 1, strlen(path + up + 1));
	n = parent->child[slot];
	if (!tree_walk(n, path, tally_add_fn, &count))
		return -ENOMEM;
	count.sign = -1;
	tree_walk(n, path, tally_add_fn, &count);
	parent->nr_children--;
	parent->list_len -= n->name_len + 1;
	memmove(&parent->child[slot], &parent->child[slot + 1],
		(parent->nr_children - slot) * sizeof(n));
	parent->list_gen = ++tree_clock;
	node_put(n);
	return 0;
}

static bool tree_walk_at(const struct node *n, char *path, size_t len,
			 tree_fn *fn, void *arg)
{
	const struct node *c;
	unsigned int i;

	path[len] = 0;
	if (!fn(arg, len ? path : "/", n))
		return false;
	for (i = 0; i < n->nr_children; i++) {
		c = n->child[i];
		path[len] = '/';
		memcpy(path + len + 1, c->name, c->name_len);
		if (!tree_walk_at(c, path, len + 1 + c->name_len, fn, arg))
			return false;
	}
	return true;
}

/*
 * Calls fn(arg, path, node) for `top`, which is at path, and every node
 * below, parents first, until one call returns false; then so does this.  fn
 * may change the tree only if `top` is of a snapshot.
 */
bool tree_walk(const struct node *top, const char *path, tree_fn *fn,
	       void *arg)
{
	size_t len = path[1] ? strlen(path) : 0;
	char name[PATH_ROOM];

	memcpy(name, path, len);
	return tree_walk_at(top, name, len, fn, arg);
}
