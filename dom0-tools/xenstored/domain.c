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
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

struct domain *domains[DOMID_FIRST_RESERVED];
unsigned int domains_end;

/* The domain, which from now on is remembered; NULL: no memory. */
struct domain *domain_get(domid_t domid)
{
	struct domain *d = domains[domid];

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->domid = domid;
	domains[domid] = d;
	if (domid >= domains_end)
		domains_end = domid + 1;
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

	if (!d)
		return -ENOMEM;
	if (again) {
		conn_reset(d->conn);
		ring_detach(d);
	} else {
		d->conn = conn_new(-1, d);
		if (!d->conn)
			return -ENOMEM;
	}
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
	domains[domid] = NULL;
	free(d);
}

/* Paths of nodes to be cleaned, as many as fit. */
struct domain_list {
	domid_t domid;
	unsigned int used;
	char paths[16 * PATH_ROOM];
};

static bool domain_mentioned(const struct blob *perms, domid_t domid)
{
	unsigned int i;

	for (i = 0; i < perms_count(perms); i++)
		if (perms->perm[i].domid == domid)
			return true;
	return false;
}

static bool domain_list_fn(void *arg, const char *path, const struct node *n)
{
	struct domain_list *l = arg;
	size_t len = strlen(path) + 1;

	if (!domain_mentioned(n->perms, l->domid))
		return true;
	if (len > sizeof(l->paths) - l->used)
		return false;
	memcpy(l->paths + l->used, path, len);
	l->used += len;
	return true;
}

static int domain_clean_node(const char *path, domid_t domid)
{
	const struct node *n = tree_find(tree_main.root, path);
	struct blob *rest;
	int rc;

	if (!n)
		return 0;	/* went with one above */
	if (n->perms->perm[0].domid == domid && path[1]) {
		rc = tree_remove(&tree_main, path);
	} else {
		rest = perms_without(n->perms, domid);
		rc = rest ? tree_set_perms(&tree_main, path, rest) : -ENOMEM;
		blob_put(rest);
	}
	if (!rc)
		state_node(path, tree_find(tree_main.root, path));
	return rc;
}

/* Removes all traces of domid from the tree. */
static int domain_clean(domid_t domid)
{
	static struct domain_list l;
	struct blob *rest;
	unsigned int at;
	bool all;
	int rc;

	do {
		l.domid = domid;
		l.used = 0;
		all = tree_walk(tree_main.root, "/", domain_list_fn, &l);
		for (at = 0; at < l.used; at += strlen(l.paths + at) + 1) {
			rc = domain_clean_node(l.paths + at, domid);
			if (rc)
				return rc;
		}
	} while (!all);
	tally_forget(&tree_main.tally, domid);
	for (at = 0; at < ARRAY_SIZE(specials); at++) {
		if (!domain_mentioned(specials[at].perms, domid))
			continue;
		rest = perms_without(specials[at].perms, domid);
		if (!rest)
			return -ENOMEM;
		blob_put(specials[at].perms);
		specials[at].perms = rest;
		state_special(&specials[at]);
	}
	return 0;
}

/* Lets go of a domain and of what it left behind. */
void domain_release(domid_t domid)
{
	bool introduced = domains[domid]->conn;
	struct conn *c;
	struct txn *t;

	state_domain(domains[domid], STATE_GONE);
	domain_drop(domid);
	for (c = conns; c; c = c->next) {
		if (c->who.target == domid)
			c->who.target = c->who.domid;
		/* None may bring back what is now removed. */
		for (t = c->txns; t; t = t->next)
			t->retry = true;
	}
	if (domain_clean(domid)) {
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
		if (!d)
			continue;
		fate = ring_domain_fate(i);
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
