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

static struct domain *domain_new(domid_t domid)
{
	struct domain *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->domid = domid;
	d->target = domid;
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
	if (domains[domid])
		return 0;
	if (ring_domain_fate(domid) == DOMAIN_GONE)
		return -ENOENT;
	return domain_new(domid) ? 0 : -ENOMEM;
}

static int domain_connect(struct domain *d)
{
	int rc = ring_attach(d);

	if (rc)
		return rc;
	d->conn = conn_new(-1, d);
	if (!d->conn) {
		ring_detach(d);
		return -ENOMEM;
	}
	d->introduced = true;
	return 0;
}

/* The tools say it again: a new port or page for a ring we have. */
static int domain_reconnect(struct domain *d, bool same_page)
{
	int rc;

	conn_reset(d->conn);
	if (same_page)
		return ring_rebind(d);
	ring_detach(d);
	rc = ring_attach(d);
	if (rc)
		domain_release(d->domid);
	return rc;
}

/*
 * Serves the ring of a domain, from an empty state on, whether it was known
 * or not.
 */
int domain_introduce(domid_t domid, uint64_t gfn, uint32_t port)
{
	struct domain *d = domains[domid];
	bool fresh = !d || !d->introduced, same_page;
	int rc;

	if (!d)
		d = domain_new(domid);
	if (!d)
		return -ENOMEM;
	same_page = d->gfn == gfn;
	d->gfn = gfn;
	d->remote_port = port;
	d->shutdown = false;
	rc = fresh ? domain_connect(d) : domain_reconnect(d, same_page);
	if (rc)
		return rc;	/* scan forgets it if it does not exist */
	ring_restart(d);
	state_domain(d, true);
	if (fresh && domid)
		watch_fire_special("@introduceDomain");
	return 0;
}

/*
 * What an earlier daemon knew of an introduced domain; `reset`: from an empty
 * state on.  The ring is attached later.  NULL: no memory.
 */
struct domain *domain_restore(domid_t domid, bool reset)
{
	struct domain *d = domains[domid];

	if (!d)
		d = domain_new(domid);
	if (!d)
		return NULL;
	if (d->conn && reset) {
		conn_reset(d->conn);
		d->req_cons = d->rsp_prod = 0;
	}
	if (!d->conn)
		d->conn = conn_new(-1, d);
	d->introduced = d->conn;
	return d->conn ? d : NULL;
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

/* d may do what `target` may. */
void domain_set_target(struct domain *d, domid_t target)
{
	d->target = target;
	if (d->conn)
		d->conn->who.target = target;
}

/* Paths of nodes to be cleaned, as many as fit. */
struct domain_list {
	domid_t domid;
	unsigned int used;
	char paths[16 * PATH_ROOM];
};

static bool domain_list_fn(void *arg, const char *path, const struct node *n)
{
	struct domain_list *l = arg;
	size_t len = strlen(path) + 1;

	if (!perms_mention(n->perms, l->domid))
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
	struct perms *rest;
	int rc;

	if (!n)
		return 0;	/* went with one above */
	if (n->perms->p[0].domid == domid && path[1]) {
		rc = tree_remove(&tree_main, path);
		if (!rc)
			state_remove(path);
		return rc;
	}
	rest = perms_without(n->perms, domid);
	if (!rest)
		return -ENOMEM;
	rc = tree_set_perms(&tree_main, path, rest);
	perms_put(rest);
	if (!rc)
		state_node(path, tree_find(tree_main.root, path));
	return rc;
}

static int domain_clean_special(const char *name, domid_t domid)
{
	struct perms **slot = watch_special_perms(name), *rest;

	if (!perms_mention(*slot, domid))
		return 0;
	rest = perms_without(*slot, domid);
	if (!rest)
		return -ENOMEM;
	perms_put(*slot);
	*slot = rest;
	state_special(name, rest);
	return 0;
}

/* Removes all traces of domid from the tree. */
static int domain_clean(domid_t domid)
{
	static struct domain_list l;
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
	rc = domain_clean_special("@introduceDomain", domid);
	return rc ? rc : domain_clean_special("@releaseDomain", domid);
}

/* A transaction must not bring back what domain_clean() removed. */
static void domain_spoil_txns(void)
{
	struct conn *c;
	struct txn *t;

	for (c = conns; c; c = c->next)
		for (t = c->txns; t; t = t->next)
			t->retry = true;
}

/* Lets go of a domain and of what it left behind. */
void domain_release(domid_t domid)
{
	bool introduced = domains[domid]->introduced;
	unsigned int i;

	domain_drop(domid);
	state_release(domid);
	for (i = 0; i < domains_end; i++)
		if (domains[i] && domains[i]->target == domid)
			domain_set_target(domains[i], i);
	domain_spoil_txns();
	if (domain_clean(domid)) {
		/* Known again, so that the next scan tries again. */
		log_warn("domain %u: no memory to clean up", domid);
		domain_new(domid);
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
		if (fate == DOMAIN_GONE ||
		    (fate == DOMAIN_DYING && d->introduced)) {
			domain_release(i);
		} else if (fate == DOMAIN_SHUTDOWN && d->introduced &&
			   !d->shutdown) {
			d->shutdown = true;
			state_domain(d, false);
			tell = true;
		}
	}
	if (tell)
		watch_fire_special("@releaseDomain");
}
