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
 *
 * A snapshot keeps what is no longer in the tree and so in nobody's quota.
 * Each time TXN_WINDOW bytes of new nodes and values were made, all snapshots
 * of guests are given up: together they keep no more than that beside one old
 * version of the tree, for however long and by however many.
 */
#include "xenstored.h"

#define TXN_WINDOW	(8u << 20)

/* What a transaction has to do with one path. */
struct access {
	struct access *next;
	unsigned int flags;	/* TXN_* */
	unsigned int len;
	char path[];
};

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
	t->access_end = &t->access;
	txn_charge(t, sizeof(*t));
	t->next = c->txns;
	c->txns = t;
	c->nr_txns++;
	return t;
}

/*
 * The transaction of c with this id, or NULL.  One that an earlier daemon
 * began lives on, with nothing in it but that it cannot succeed.
 */
struct txn *txn_find(struct conn *c, uint32_t id)
{
	struct txn *t;

	for (t = c->txns; t; t = t->next)
		if (t->id == id)
			return t;
	if (id >= c->old_tx || (!c->who.privileged &&
				c->nr_txns >= quotas[Q_TXNS].value))
		return NULL;
	t = txn_start(c, id);
	if (t)
		t->retry = true;
	return t;
}

/* Ends one, changing nothing. */
void txn_end(struct txn *t)
{
	struct conn *c = t->conn;
	struct txn **p;
	struct access *a;

	for (p = &c->txns; *p != t;)
		p = &(*p)->next;
	*p = t->next;
	c->nr_txns--;
	c->held_bytes -= t->bytes;
	while ((a = t->access)) {
		t->access = a->next;
		free(a);
	}
	node_put(t->base);
	tree_destroy(&t->tree);
	free(t);
}

/* Until it ends its connection is charged for so much more. */
void txn_charge(struct txn *t, unsigned int bytes)
{
	t->bytes += bytes;
	t->conn->held_bytes += bytes;
}

/*
 * What follows depends on path[0..len), which may be 0 for the root, in the
 * way of `flags`, at least on whether it exists; or `flags` was done there.
 * Cannot fail for a path that is noted already.  t may be NULL: no
 * transaction, nothing to note.
 */
int txn_note(struct txn *t, const char *path, size_t len, unsigned int flags)
{
	struct access *a;

	if (!t)
		return 0;
	len += !len;
	for (a = t->access; a; a = a->next)
		if (a->len == len && !memcmp(a->path, path, len)) {
			a->flags |= flags;
			return 0;
		}
	if (!t->conn->who.privileged &&
	    t->nr_access >= quotas[Q_TXN_NODES].value)
		return -ENOSPC;
	if (conn_over_quota(t->conn, sizeof(*a) + len + 1))
		return -ENOMEM;
	a = malloc(sizeof(*a) + len + 1);
	if (!a)
		return -ENOMEM;
	*a = (struct access){ .flags = flags, .len = len };
	memcpy(a->path, path, len);
	a->path[len] = 0;
	*t->access_end = a;
	t->access_end = &a->next;
	t->nr_access++;
	txn_charge(t, sizeof(*a) + len + 1);
	return 0;
}

/* Has somebody else changed what it depends on? */
static bool txn_conflicts(const struct txn *t)
{
	const struct node *was, *is;
	const struct access *a;

	for (a = t->access; a; a = a->next) {
		was = tree_find(t->base, a->path);
		is = tree_find(tree_main.root, a->path);
		if (was == is)
			continue;
		if (!was || !is ||
		    (a->flags & TXN_VALUE && was->value_gen != is->value_gen) ||
		    (a->flags & TXN_PERMS && was->perms_gen != is->perms_gen) ||
		    (a->flags & TXN_LIST && was->list_gen != is->list_gen))
			return true;
	}
	return false;
}

/* Replaces t's tree by the present one with the final state of all that t
 * changed put on top. */
static int txn_rebase(struct txn *t)
{
	struct tree to = { .root = node_get(tree_main.root) };
	const struct access *a;
	const struct node *n;
	int rc = 0;

	for (a = t->access; a && !rc; a = a->next)
		if (a->flags & TXN_REMOVED && tree_find(to.root, a->path))
			rc = tree_remove(&to, a->path);
	for (a = t->access; a && !rc; a = a->next) {
		n = tree_find(t->tree.root, a->path);
		if (n && a->flags & TXN_MADE)
			rc = tree_make(&to, a->path, n->perms);
		if (n && !rc && a->flags & TXN_CHANGES)
			rc = tree_set(&to, a->path,
				      a->flags & TXN_SET_VALUE ? n->value
							       : NULL,
				      a->flags & (TXN_MADE | TXN_SET_PERMS) ?
				      n->perms : NULL);
	}
	if (rc) {
		tree_destroy(&to);
		return rc;
	}
	tree_destroy(&t->tree);
	t->tree = to;
	return 0;
}

/* Tells the journal and the watches, given the tree as it was. */
static void txn_publish(const struct txn *t, const struct node *old_root)
{
	const struct node *n, *old;
	const struct access *a;

	for (a = t->access; a; a = a->next)
		if (a->flags & TXN_REMOVED)
			state_node(a->path, NULL);
	for (a = t->access; a; a = a->next) {
		if (!(a->flags & (TXN_CHANGES | TXN_TELL)))
			continue;
		n = tree_find(tree_main.root, a->path);
		old = tree_find(old_root, a->path);
		if (a->flags & TXN_CHANGES && n)
			state_node(a->path, n);
		if (a->flags & TXN_TELL && (n || old))
			watch_fire(a->path, old, a->flags & TXN_REMOVED);
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
	struct tally_entry *e;
	unsigned int i;
	int rc = 0;

	if (t->tree.root == t->base && !t->retry)
		return 0;	/* it only read */
	if (t->retry || (t->base != old_root && txn_conflicts(t)))
		return -EAGAIN;
	if (t->base != old_root)
		rc = txn_rebase(t);
	if (!rc && conn_over_nodes(t->conn, &t->tree, 0))
		rc = -ENOSPC;
	for (i = 0; i < more->n && !rc; i++)
		if (!tally_get(&tree_main.tally, more->e[i].domid))
			rc = -ENOMEM;
	if (rc)
		return rc;
	for (i = 0; i < more->n; i++) {
		e = tally_get(&tree_main.tally, more->e[i].domid);
		e->nodes += more->e[i].nodes;
		e->bytes += more->e[i].bytes;
	}
	tree_main.root = node_get(t->tree.root);
	txn_publish(t, old_root);
	node_put(old_root);
	return 0;
}

/* Between requests: ends the guests' snapshots if they may keep too much.  The
 * transactions go on from the present tree and end in EAGAIN. */
void txn_bound(void)
{
	struct conn *c;
	struct txn *t;

	if (tree_made < TXN_WINDOW)
		return;
	tree_made = 0;
	for (c = conns; c; c = c->next)
		for (t = c->txns; t && !c->who.privileged; t = t->next) {
			t->retry = true;
			node_put(t->base);
			tree_destroy(&t->tree);
			t->base = node_get(tree_main.root);
			t->tree.root = node_get(tree_main.root);
		}
}
