// SPDX-License-Identifier: GPL-2.0
/*
 * Transactions.
 *
 * A transaction sees the tree as it was at its start (one reference to the
 * root) with its own changes (the copy-on-write tree `tree`).  For every path
 * it touched it keeps on what it depends - value, permissions, list of
 * children, the whole subtree, or only whether the node exists - and what it
 * did there.
 *
 * At the end each dependence is compared, by generations, between the tree as
 * it was and the tree as it is.  If all are equal, nobody else has met it: the
 * final state of what it changed is put on top of the present tree, in a new
 * snapshot that replaces the tree in one step.  Otherwise it is EAGAIN and
 * nothing has happened.  If nothing at all changed since the start, its own
 * tree is that snapshot already.
 *
 * One that only read always succeeds: it saw one moment's state.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

/* Begins one; with its conn's other ones the id is unused. */
struct txn *txn_start(struct conn *c, uint32_t id)
{
	struct txn *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->conn = c;
	t->id = id;
	t->base = node_get(tree_main.root);
	t->tree.root = node_get(tree_main.root);
	t->bytes = sizeof(*t);
	c->held_bytes += t->bytes;
	t->next = c->txns;
	c->txns = t;
	c->nr_txns++;
	return t;
}

/* The transaction of c with this id, or NULL. */
struct txn *txn_find(const struct conn *c, uint32_t id)
{
	struct txn *t;

	for (t = c->txns; t && t->id != id; t = t->next)
		;
	return t;
}

/* Ends one, changing nothing. */
void txn_end(struct txn *t)
{
	struct conn *c = t->conn;
	struct txn **p;
	unsigned int i;

	for (p = &c->txns; *p != t;)
		p = &(*p)->next;
	*p = t->next;
	c->nr_txns--;
	c->held_bytes -= t->bytes;
	for (i = 0; i < t->nr_access; i++)
		free(t->access[i]);
	free(t->access);
	free(t->index);
	node_put(t->base);
	tree_destroy(&t->tree);
	free(t);
}

/* Ends all of c's. */
void txn_end_all(struct conn *c)
{
	while (c->txns)
		txn_end(c->txns);
}

/* The place in the index of path[0..len), whose hash is h, or a free one. */
static unsigned int *txn_slot(const struct txn *t, uint32_t h,
			      const char *path, size_t len)
{
	unsigned int i = h & (t->index_size - 1);
	const struct access *a;

	while (t->index[i]) {
		a = t->access[t->index[i] - 1];
		if (a->hash == h && !strncmp(a->path, path, len) &&
		    !a->path[len])
			break;
		i = (i + 1) & (t->index_size - 1);
	}
	return &t->index[i];
}

/* Room for one more access: the index stays at most half full. */
static int txn_grow(struct txn *t)
{
	unsigned int size = t->index_size ? t->index_size : 8, i;
	struct access **access;
	unsigned int *index;

	if (t->index_size && (t->nr_access + 1) * 2 <= size)
		return 0;
	size *= 2;
	access = realloc(t->access, size / 2 * sizeof(*access));
	if (!access)
		return -ENOMEM;
	t->access = access;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(t->index);
	t->index = index;
	t->index_size = size;
	for (i = 0; i < t->nr_access; i++)
		*txn_slot(t, access[i]->hash, access[i]->path,
			  strlen(access[i]->path)) = i + 1;
	return 0;
}

static int txn_may_grow(const struct txn *t, size_t bytes)
{
	if (t->conn->who.privileged)
		return 0;
	if (t->nr_access >= quotas[Q_TXN_NODES].value)
		return -ENOSPC;
	return conn_over_quota(t->conn, bytes) ? -ENOMEM : 0;
}

/*
 * What follows depends on path[0..len) in the way of `flags`, at least on
 * whether it exists.  t may be NULL: no transaction, nothing to note.
 */
int txn_note(struct txn *t, const char *path, size_t len, unsigned int flags)
{
	unsigned int *slot;
	struct access *a;
	uint32_t h;
	int rc;

	if (!t)
		return 0;
	if (txn_grow(t))
		return -ENOMEM;
	if (!len) {
		path = "/";
		len = 1;
	}
	h = wire_hash(WIRE_HASH, path, len);
	slot = txn_slot(t, h, path, len);
	if (*slot) {
		t->access[*slot - 1]->flags |= flags;
		return 0;
	}
	rc = txn_may_grow(t, sizeof(*a) + len);
	if (rc)
		return rc;
	a = malloc(sizeof(*a) + len + 1);
	if (!a)
		return -ENOMEM;
	a->hash = h;
	a->flags = flags;
	a->charge = 0;
	memcpy(a->path, path, len);
	a->path[len] = 0;
	t->access[t->nr_access++] = a;
	*slot = t->nr_access;
	t->bytes += sizeof(*a) + len;
	t->conn->held_bytes += sizeof(*a) + len;
	return 0;
}

static struct access *txn_access(const struct txn *t, const char *path,
				 size_t len)
{
	uint32_t h = wire_hash(WIRE_HASH, path, len);

	return t->access[*txn_slot(t, h, path, len) - 1];
}

/* This was done at path[0..len), which is noted.  t may be NULL. */
void txn_mark(struct txn *t, const char *path, size_t len, unsigned int flags)
{
	if (t)
		txn_access(t, path, len)->flags |= flags;
}

/* At path, which is noted, there are now `charge` bytes of value of t's. */
void txn_charge(struct txn *t, const char *path, unsigned int charge)
{
	struct access *a;

	if (!t)
		return;
	a = txn_access(t, path, strlen(path));
	t->bytes += (long)charge - a->charge;
	t->conn->held_bytes += (long)charge - a->charge;
	a->charge = charge;
}

static bool txn_differs(const struct access *a, const struct node *was,
			const struct node *is)
{
	if (was == is)
		return false;
	if (!was || !is)
		return true;
	return (a->flags & TXN_VALUE && was->value_gen != is->value_gen) ||
	       (a->flags & TXN_PERMS && was->perms_gen != is->perms_gen) ||
	       (a->flags & TXN_LIST && was->list_gen != is->list_gen) ||
	       (a->flags & TXN_TREE && was->tree_gen != is->tree_gen);
}

static bool txn_conflicts(const struct txn *t)
{
	const struct access *a;
	unsigned int i;

	if (t->base == tree_main.root)
		return false;
	for (i = 0; i < t->nr_access; i++) {
		a = t->access[i];
		if (txn_differs(a, tree_find(t->base, a->path),
				tree_find(tree_main.root, a->path)))
			return true;
	}
	return false;
}

/* Puts the final state of one path on top of another tree. */
static int txn_rebase_node(const struct txn *t, const struct access *a,
			   struct tree *to)
{
	const struct node *n = tree_find(t->tree.root, a->path);
	int rc = 0;

	if (!n || !(a->flags & (TXN_MADE | TXN_SET_VALUE | TXN_SET_PERMS)))
		return 0;
	if (a->flags & TXN_MADE)
		rc = tree_make(to, a->path, n->perms);
	if (!rc && a->flags & (TXN_MADE | TXN_SET_PERMS))
		rc = tree_set_perms(to, a->path, n->perms);
	if (!rc && a->flags & (TXN_MADE | TXN_SET_VALUE))
		rc = tree_set_value(to, a->path, n->value);
	return rc;
}

/* Replaces t's tree by the present one with t's changes. */
static int txn_rebase(struct txn *t)
{
	struct tree to = { .root = node_get(tree_main.root) };
	const struct access *a;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < t->nr_access && !rc; i++) {
		a = t->access[i];
		if (a->flags & TXN_REMOVED && tree_find(to.root, a->path))
			rc = tree_remove(&to, a->path);
	}
	for (i = 0; i < t->nr_access && !rc; i++)
		rc = txn_rebase_node(t, t->access[i], &to);
	if (rc) {
		tree_destroy(&to);
		return rc;
	}
	tree_destroy(&t->tree);
	t->tree = to;
	return 0;
}

static bool txn_over_nodes(const struct txn *t)
{
	domid_t domid = t->conn->who.domid;
	const struct tally_entry *more = tally_of(&t->tree.tally, domid);
	const struct tally_entry *now = tally_of(&tree_main.tally, domid);

	return !t->conn->who.privileged && more && more->nodes > 0 &&
	       more->nodes + (now ? now->nodes : 0) >
	       (int)quotas[Q_NODES].value;
}

static bool txn_changes(const struct txn *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_access; i++)
		if (t->access[i]->flags & TXN_CHANGES)
			return true;
	return false;
}

/* Everything that may fail on the way to replacing the main tree. */
static int txn_prepare(struct txn *t)
{
	const struct tally *more;
	unsigned int i;
	int rc;

	if (t->retry || txn_conflicts(t))
		return -EAGAIN;
	if (t->base != tree_main.root) {
		rc = txn_rebase(t);
		if (rc)
			return rc;
	}
	if (txn_over_nodes(t))
		return -ENOSPC;
	more = &t->tree.tally;
	for (i = 0; i < more->n; i++)
		if (tally_reserve(&tree_main.tally, more->e[i].domid))
			return -ENOMEM;
	return 0;
}

/* Tells the journal and the watches, given the tree as it was. */
static void txn_publish(const struct txn *t, const struct node *old_root)
{
	const struct node *n, *old;
	const struct access *a;
	unsigned int i;

	for (i = 0; i < t->nr_access; i++)
		if (t->access[i]->flags & TXN_REMOVED)
			state_remove(t->access[i]->path);
	for (i = 0; i < t->nr_access; i++) {
		a = t->access[i];
		n = tree_find(tree_main.root, a->path);
		old = tree_find(old_root, a->path);
		if (a->flags & TXN_CHANGES && n)
			state_node(a->path, n);
		if (!(a->flags & TXN_TELL) || (!n && !old))
			continue;
		watch_fire(a->path, old);
		if (a->flags & TXN_REMOVED && old)
			watch_fire_removed(a->path, old);
	}
}

/*
 * Makes t's changes to the main tree, all or (-EAGAIN, -ENOSPC, -ENOMEM)
 * none.  t still has to be ended.
 */
int txn_commit(struct txn *t)
{
	struct node *old_root = tree_main.root;
	const struct tally *more = &t->tree.tally;
	unsigned int i;
	int rc;

	if (!t->retry && !txn_changes(t))
		return 0;
	rc = txn_prepare(t);
	if (rc)
		return rc;
	for (i = 0; i < more->n; i++)
		tally_add(&tree_main.tally, more->e[i].domid,
			  more->e[i].nodes, more->e[i].bytes);
	tree_main.root = node_get(t->tree.root);
	txn_publish(t, old_root);
	node_put(old_root);
	return 0;
}
