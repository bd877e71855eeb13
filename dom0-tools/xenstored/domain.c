// SPDX-License-Identifier: GPL-2.0
/*
 * Domains: those with a ring (introduced), and those that only stand in
 * some node's permissions.
 *
 * When a domain is gone its number may come back for another one, which must
 * inherit nothing: the nodes it owned go, and its entries in permissions.
 * That is why a domain that is merely mentioned is remembered, too, and why
 * permissions for domains that do not exist are refused.
 */
#include "xenstored.h"

struct domain *domains[DOMID_FIRST_RESERVED];
unsigned int domains_end;

/* The domain, which from now on is remembered; NULL: no memory. */
struct domain *domain_get(domid_t domid)
{
	struct domain *d = domains[domid];

	if (!d)
		d = domains[domid] = calloc(1, sizeof(*d));
	if (d)
		d->domid = domid;
	domains_end = MAX(domains_end, domid + 1u);
	return d;
}

/* 0 if there is such a domain, which from now on is remembered. */
int domain_known(domid_t domid)
{
	if (domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (!domains[domid] && ring_domain_fate(domid) == DOMAIN_GONE)
		return -ENOENT;
	return domain_get(domid) ? 0 : -ENOMEM;
}

/*
 * Serves the ring of a domain, from an empty state on, whether it was known
 * or not.
 */
int domain_introduce(domid_t domid, uint32_t port)
{
	struct domain *d = domain_get(domid);
	bool again = d && d->conn;
	int rc;

	if (again) {
		conn_reset(d->conn);
		ring_detach(d);
	} else if (d) {
		d->conn = conn_new(-1, d);
	}
	if (!d || !d->conn)
		return -ENOMEM;
	d->remote_port = port;
	d->shutdown = false;
	rc = ring_attach(d);
	if (rc) {	/* if it does not exist, the next scan forgets it */
		conn_free(d->conn);
		d->conn = NULL;
		state_domain(d, STATE_GONE);
		return rc;
	}
	ring_restart(d);
	state_domain(d, STATE_NEW);
	if (!again && domid)
		watch_fire_special("@introduceDomain");
	return 0;
}

/* Forgets a domain's ring and all it held, but not its nodes. */
void domain_drop(domid_t domid)
{
	struct domain *d = domains[domid];

	if (!d)
		return;
	if (d->conn) {
		conn_free(d->conn);
		ring_detach(d);
	}
	d->conn = NULL;
	state_domain(d, STATE_GONE);
	domains[domid] = NULL;
	free(d);
}

/* Removes the traces of a domain from one node of the tree, which was n. */
static bool domain_clean_fn(void *arg, const char *path, const struct node *n)
{
	domid_t domid = *(domid_t *)arg;
	struct blob *rest = perms_without(n->perms, domid);
	int rc = rest ? 0 : -ENOMEM;

	if (rest != n->perms && tree_find(tree_main.root, path)) {
		if (n->perms->perm[0].domid == domid && path[1])
			rc = tree_remove(&tree_main, path);
		else if (rest)
			rc = tree_set(&tree_main, path, NULL, rest);
		if (!rc)
			state_node(path, tree_find(tree_main.root, path));
	}
	blob_put(rest);
	return !rc;
}

/* Removes all traces of domid; false: no memory, there may be more. */
static bool domain_clean(domid_t domid)
{
	struct node *was = node_get(tree_main.root);
	bool ok = tree_walk(was, "/", domain_clean_fn, &domid);
	struct blob *rest;
	unsigned int i;

	node_put(was);
	if (ok)
		tally_forget(&tree_main.tally, domid);
	for (i = 0; i < ARRAY_SIZE(specials) && ok; i++) {
		rest = perms_without(specials[i].perms, domid);
		ok = rest;
		if (ok)
			special_set(&specials[i], rest);
		blob_put(rest);
	}
	return ok;
}

/* Lets go of a domain and of what it left behind. */
void domain_release(domid_t domid)
{
	bool introduced = domains[domid]->conn;
	struct conn *c;
	struct txn *t;

	domain_drop(domid);
	for (c = conns; c; c = c->next) {
		if (c->who.target == domid)
			c->who.target = c->who.domid;
		/* None may bring back what is now removed. */
		for (t = c->txns; t; t = t->next)
			t->retry = true;
	}
	if (!domain_clean(domid)) {
		/* Known again, so that the next scan tries again. */
		log_warn("domain %u: no memory to clean up", domid);
		domain_get(domid);
	}
	if (introduced)
		watch_fire_special("@releaseDomain");
}

/*
 * Some domain changed its state: notices those that shut down, once each, and
 * releases those that die.
 */
void domain_scan(void)
{
	enum domain_fate fate;
	bool tell = false;
	struct domain *d;
	unsigned int i;

	for (i = 1; i < domains_end; i++) {
		d = domains[i];
		fate = d ? ring_domain_fate(i) : DOMAIN_RUNS;
		if (fate == DOMAIN_GONE || (fate == DOMAIN_DYING && d->conn)) {
			domain_release(i);
		} else if (fate == DOMAIN_SHUTDOWN && d->conn &&
			   !d->shutdown) {
			d->shutdown = tell = true;
			state_domain(d, STATE_SAME);
		}
	}
	if (tell)
		watch_fire_special("@releaseDomain");
}
