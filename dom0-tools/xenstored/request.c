// SPDX-License-Identifier: GPL-2.0
/*
 * What each request does.
 *
 * Everything in a request is chosen by the client, who may be hostile.  Each
 * do_<op> checks its arguments, then permissions, then quotas, and only then
 * changes something, in one step that happens or does not.  A positive errno
 * value goes back as the error's name.
 *
 * What a client may not know it does not learn from the error: if a node does
 * not exist, only those hear so who have the right in question at the nearest
 * node above.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

struct quota quotas[Q_COUNT] = {
	[Q_NODES] = { "nodes", 1000 },
	[Q_NODE_SIZE] = { "node-size", 2048 },
	[Q_WATCHES] = { "watches", 128 },
	[Q_TXNS] = { "transactions", 10 },
	[Q_TXN_NODES] = { "transaction-nodes", 1024 },
	[Q_PERMS] = { "permissions", 5 },
	[Q_OUTSTANDING] = { "outstanding", 20 },
	[Q_MEMORY] = { "memory", 2500 * 1024 },
};

struct request {
	struct conn *c;
	struct txn *txn;		/* NULL: none */
	struct tree *tree;		/* the transaction's, or the main one */
	const char *data;		/* payload */
	unsigned int len;
	char path[PATH_ROOM];		/* of the node in question */
	unsigned int relative;		/* bytes the client left out */
};

/* The payload as exactly one string. */
static const char *request_string(const struct request *r)
{
	const char *s;

	return wire_strings(r->data, r->len, &s, 1) == 1 ? s : NULL;
}

/* Expands `name` to the absolute path of a node. */
static int request_path(struct request *r, const char *name)
{
	int n;

	r->relative = 0;
	if (name[0] == '/') {
		if (strlen(name) >= sizeof(r->path))
			return EINVAL;
		strcpy(r->path, name);
	} else {
		if (strlen(name) > XENSTORE_REL_PATH_MAX || name[0] == '@')
			return EINVAL;
		n = snprintf(r->path, sizeof(r->path), "/local/domain/%u/",
			     r->c->who.domid);
		r->relative = n;
		strcpy(r->path + n, name);
	}
	return path_valid(r->path) ? 0 : EINVAL;
}

/*
 * Looks up `name` for one who needs the rights `perm`, noting `depends` for
 * the transaction.  0: *n is the node, or NULL if there is none and the
 * client may know.
 */
static int request_node(struct request *r, const char *name,
			unsigned int perm, unsigned int depends,
			const struct node **n)
{
	const struct node *near;
	unsigned int have;
	size_t len;
	int rc = name ? request_path(r, name) : EINVAL;

	if (rc)
		return rc;
	near = tree_find_near(r->tree->root, r->path, &len);
	*n = r->path[len] && r->path[len + 1] ? NULL : near;
	rc = txn_note(r->txn, r->path, strlen(r->path), depends | TXN_PERMS);
	if (!rc && !*n && !r->c->who.privileged)
		rc = txn_note(r->txn, r->path, len, TXN_PERMS);
	if (rc)
		return -rc;
	have = perms_for(near->perms, &r->c->who);
	if (!*n)
		return have & perm ? 0 : EACCES;
	return (have & perm) == perm ? 0 : EACCES;
}

/* The same for a node that has to exist. */
static int request_existing(struct request *r, const char *name,
			    unsigned int perm, unsigned int depends,
			    const struct node **n)
{
	int rc = request_node(r, name, perm, depends, n);

	return rc ? rc : *n ? 0 : ENOENT;
}

static int do_directory(struct request *r)
{
	char list[XENSTORE_PAYLOAD_MAX], *p = list;
	const struct node *n;
	unsigned int i;
	int rc = request_existing(r, request_string(r), PERM_READ, TXN_LIST,
				  &n);

	if (rc)
		return rc;
	if (n->list_len > sizeof(list))
		return E2BIG;
	for (i = 0; i < n->nr_children; i++) {
		memcpy(p, n->child[i]->name, n->child[i]->name_len + 1);
		p += n->child[i]->name_len + 1;
	}
	conn_reply(r->c, XS_DIRECTORY, list, p - list);
	return 0;
}

/* From `offset` on, whole names only; an empty name marks the end. */
static int do_directory_part(struct request *r)
{
	char reply[XENSTORE_PAYLOAD_MAX];
	unsigned int at, i, len, pos = 0;
	const char *arg[2];
	const struct node *n;
	uint32_t offset;
	int rc;

	if (wire_strings(r->data, r->len, arg, 2) != 2 ||
	    !wire_parse_u32(arg[1], UINT32_MAX, &offset))
		return EINVAL;
	rc = request_existing(r, arg[0], PERM_READ, TXN_LIST, &n);
	if (rc)
		return rc;
	at = snprintf(reply, sizeof(reply), "%llu",
		      (unsigned long long)n->list_gen) + 1;
	for (i = 0; i < n->nr_children; i++, pos += len) {
		len = n->child[i]->name_len + 1;
		if (pos < offset)
			continue;
		if (len >= sizeof(reply) - at)
			break;
		memcpy(reply + at, n->child[i]->name, len);
		at += len;
	}
	if (i == n->nr_children)
		reply[at++] = 0;
	conn_reply(r->c, XS_DIRECTORY_PART, reply, at);
	return 0;
}

static int do_read(struct request *r)
{
	const struct node *n;
	int rc = request_existing(r, request_string(r), PERM_READ, TXN_VALUE,
				  &n);

	if (rc)
		return rc;
	conn_reply(r->c, XS_READ, n->value ? n->value->data : NULL,
		   n->value ? n->value->len : 0);
	return 0;
}

static int do_get_perms(struct request *r)
{
	char list[XENSTORE_PAYLOAD_MAX];
	const struct node *n;
	unsigned int i, len = 0;
	int rc = request_existing(r, request_string(r), PERM_READ, 0, &n);

	if (rc)
		return rc;
	for (i = 0; i < n->perms->n; i++) {
		if (sizeof(list) - len < WIRE_PERM_CHARS)
			return E2BIG;
		len += wire_format_perm(&n->perms->p[i], list + len);
	}
	conn_reply(r->c, XS_GET_PERMS, list, len);
	return 0;
}

/* A direct change is journalled and told now, one in a transaction later. */
static void request_changed(struct request *r, const struct node *old)
{
	const struct node *n;

	if (r->txn)
		return;
	n = tree_find(tree_main.root, r->path);
	if (n)
		state_node(r->path, n);
	else
		state_remove(r->path);
	watch_fire(r->path, old);
}

/* May the client create the nodes that r->path lacks behind `from`? */
static int request_may_create(struct request *r, size_t from)
{
	const struct tally_entry *e;
	unsigned int count = 0;
	const char *p;

	if (r->c->who.privileged)
		return 0;
	for (p = r->path + from; *p; p++)
		count += *p == '/';
	e = tally_of(&tree_main.tally, r->c->who.domid);
	count += e ? e->nodes : 0;
	e = r->txn ? tally_of(&r->txn->tree.tally, r->c->who.domid) : NULL;
	if (e && e->nodes > 0)
		count += e->nodes;
	if (count > quotas[Q_NODES].value)
		return ENOSPC;
	return conn_over_quota(r->c, strlen(r->path)) ? ENOMEM : 0;
}

/* Creates r->path with what is missing above it. */
static int request_create(struct request *r)
{
	size_t from, len = strlen(r->path), i;
	const struct node *near;
	struct perms *perms;
	int rc;

	near = tree_find_near(r->tree->root, r->path, &from);
	rc = request_may_create(r, from);
	if (rc)
		return rc;
	rc = txn_note(r->txn, r->path, from, TXN_PERMS);
	for (i = from + 1; i <= len && !rc; i++)
		if (i == len || r->path[i] == '/')
			rc = txn_note(r->txn, r->path, i, 0);
	if (rc)
		return -rc;
	perms = perms_inherit(near->perms, &r->c->who);
	if (!perms)
		return ENOMEM;
	rc = tree_make(r->tree, r->path, perms);
	perms_put(perms);
	if (rc)
		return -rc;
	for (i = from + 1; i <= len; i++)
		if (i == len || r->path[i] == '/')
			txn_mark(r->txn, r->path, i, TXN_MADE);
	txn_mark(r->txn, r->path, len, TXN_TELL);
	return 0;
}

/* Is the node, with this value, as large as the client may make it? */
static bool request_too_large(const struct request *r, const struct node *n,
			      unsigned int value_len)
{
	unsigned int size = value_len;

	if (n)
		size += n->list_len + n->perms->n * sizeof(n->perms->p[0]);
	return !r->c->who.privileged && size > quotas[Q_NODE_SIZE].value;
}

static int request_set_value(struct request *r, const void *data,
			     unsigned int len)
{
	const struct node *old = tree_find(r->tree->root, r->path);
	struct value *v;
	int rc;

	if (request_too_large(r, old, len))
		return ENOSPC;
	if (conn_over_quota(r->c, len))
		return ENOMEM;
	v = value_new(data, len);
	if (!v)
		return ENOMEM;
	rc = old ? 0 : request_create(r);
	if (!rc)
		rc = -tree_set_value(r->tree, r->path, v);
	value_put(v);
	if (rc)
		return rc;
	txn_mark(r->txn, r->path, strlen(r->path), TXN_SET_VALUE | TXN_TELL);
	txn_charge(r->txn, r->path, len);
	return 0;
}

/* Between its value and its children, the directory may become too large. */
static int request_parent_room(struct request *r)
{
	const struct node *near;
	size_t from;

	near = tree_find_near(r->tree->root, r->path, &from);
	return request_too_large(r, near, (near->value ? near->value->len : 0) +
				 strcspn(r->path + from + 1, "/")) ? ENOSPC : 0;
}

static int do_write(struct request *r)
{
	const char *nul = memchr(r->data, 0, r->len);
	const struct node *n;
	int rc;

	if (!nul)
		return EINVAL;
	rc = request_node(r, r->data, PERM_WRITE, TXN_VALUE, &n);
	if (!rc && !n)
		rc = request_parent_room(r);
	if (!rc)
		rc = request_set_value(r, nul + 1,
				       r->data + r->len - (nul + 1));
	if (rc)
		return rc;
	request_changed(r, NULL);
	conn_ack(r->c);
	return 0;
}

static int do_mkdir(struct request *r)
{
	const struct node *n;
	int rc = request_node(r, request_string(r), PERM_WRITE, 0, &n);

	if (!rc && !n) {
		rc = request_parent_room(r);
		if (!rc)
			rc = request_create(r);
		if (!rc)
			request_changed(r, NULL);
	}
	if (rc)
		return rc;
	conn_ack(r->c);
	return 0;
}

/* The node is missing: no error if its parent exists. */
static int request_rm_missing(struct request *r)
{
	size_t up = path_parent(r->path), len;
	int rc;

	tree_find_near(r->tree->root, r->path, &len);
	rc = txn_note(r->txn, r->path, up, 0);
	return rc ? -rc : len == up ? 0 : ENOENT;
}

static int request_remove(struct request *r, const struct node *n)
{
	struct node *old = node_get((struct node *)n);
	int rc = -tree_remove(r->tree, r->path);

	if (!rc) {
		txn_mark(r->txn, r->path, strlen(r->path),
			 TXN_REMOVED | TXN_TELL);
		request_changed(r, old);
		if (!r->txn)
			watch_fire_removed(r->path, old);
	}
	node_put(old);
	return rc;
}

static int do_rm(struct request *r)
{
	const struct node *n;
	int rc = request_node(r, request_string(r), PERM_WRITE, TXN_TREE, &n);

	if (!rc && !r->path[1])
		return EINVAL;
	if (!rc)
		rc = n ? request_remove(r, n) : request_rm_missing(r);
	if (rc)
		return rc;
	conn_ack(r->c);
	return 0;
}

/* The permissions in the strings at data; NULL and *error if they are bad. */
static struct perms *request_perms(const struct request *r, const char *data,
				   unsigned int len, int *error)
{
	struct wire_perm p[XENSTORE_PAYLOAD_MAX / 3];
	const char *end = data + len;
	unsigned int n = 0;
	struct perms *perms;

	for (; data < end; data += strlen(data) + 1, n++) {
		*error = EINVAL;
		if (n == ARRAY_SIZE(p) || wire_parse_perm(data, &p[n]))
			return NULL;
		*error = ENOSPC;
		if (!r->c->who.privileged && n == quotas[Q_PERMS].value)
			return NULL;
		*error = -domain_known(p[n].domid);
		if (*error == ENOENT && n) {
			*error = 0;	/* nobody to give rights to */
			n--;
		}
		if (*error)
			return NULL;
	}
	*error = EINVAL;
	if (!n)
		return NULL;
	perms = perms_new(p, n);
	*error = perms ? 0 : ENOMEM;
	return perms;
}

static int request_set_special(struct request *r, const char *name,
			       struct perms *perms)
{
	struct perms **slot = watch_special_perms(name);

	if (!slot)
		return EINVAL;
	if (!(perms_for(*slot, &r->c->who) & PERM_OWNER))
		return EACCES;
	if (!r->c->who.privileged &&
	    perms->p[0].domid != (*slot)->p[0].domid)
		return EPERM;
	perms_put(*slot);
	*slot = perms_get(perms);
	state_special(name, perms);
	return 0;
}

static int request_set_perms(struct request *r, const char *name,
			     struct perms *perms)
{
	struct node old = { .perms = NULL };	/* for watch_fire() */
	const struct node *n;
	int rc = request_existing(r, name, PERM_WRITE | PERM_OWNER, 0, &n);

	if (rc)
		return rc;
	if (!r->c->who.privileged &&
	    perms->p[0].domid != n->perms->p[0].domid)
		return EPERM;
	old.perms = perms_get(n->perms);
	rc = -tree_set_perms(r->tree, r->path, perms);
	if (!rc) {
		txn_mark(r->txn, r->path, strlen(r->path),
			 TXN_SET_PERMS | TXN_TELL);
		request_changed(r, &old);
	}
	perms_put(old.perms);
	return rc;
}

static int do_set_perms(struct request *r)
{
	const char *nul = memchr(r->data, 0, r->len);
	struct perms *perms;
	int rc;

	if (!nul || r->data[r->len - 1])
		return EINVAL;
	perms = request_perms(r, nul + 1, r->data + r->len - (nul + 1), &rc);
	if (!perms)
		return rc;
	rc = r->data[0] == '@' ? request_set_special(r, r->data, perms)
			       : request_set_perms(r, r->data, perms);
	perms_put(perms);
	if (!rc)
		conn_ack(r->c);
	return rc;
}

/* path|token| of do_watch and do_unwatch. */
static int request_watch_args(struct request *r, const char **token)
{
	const char *arg[2];

	if (wire_strings(r->data, r->len, arg, 2) != 2)
		return EINVAL;
	*token = arg[1];
	if (arg[0][0] != '@')
		return request_path(r, arg[0]);
	r->relative = 0;
	if (strlen(arg[0]) > XENSTORE_REL_PATH_MAX)
		return EINVAL;
	strcpy(r->path, arg[0]);
	return 0;
}

static int do_watch(struct request *r)
{
	struct conn *c = r->c;
	const char *token;
	struct watch *w;
	int rc = request_watch_args(r, &token);

	if (rc)
		return rc;
	if (watch_find(c, r->path, token))
		return EEXIST;
	if (!c->who.privileged && c->nr_watches >= quotas[Q_WATCHES].value)
		return E2BIG;
	if (conn_over_quota(c, sizeof(*w) + r->len))
		return ENOMEM;
	rc = watch_add(c, r->path, token, r->relative, &w);
	if (rc)
		return -rc;
	if (c->domain)
		state_watch(w, WATCH_ADD);
	conn_ack(c);
	watch_tell(w, w->path);
	return 0;
}

static int do_unwatch(struct request *r)
{
	const char *token;
	struct watch *w;
	int rc = request_watch_args(r, &token);

	if (rc)
		return rc;
	w = watch_find(r->c, r->path, token);
	if (!w)
		return ENOENT;
	if (r->c->domain)
		state_watch(w, WATCH_DEL);
	watch_del(r->c, w);
	conn_ack(r->c);
	return 0;
}

static int do_reset_watches(struct request *r)
{
	struct conn *c = r->c;

	while (c->watches) {
		if (c->domain)
			state_watch(c->watches, WATCH_DEL);
		watch_del(c, c->watches);
	}
	while (c->txns) {
		if (c->domain)
			state_txn(c->txns, false);
		txn_end(c->txns);
	}
	conn_ack(c);
	return 0;
}

static int do_transaction_start(struct request *r)
{
	struct conn *c = r->c;
	struct txn *t;
	char id[16];

	if (r->txn)
		return EBUSY;
	if (!c->who.privileged && c->nr_txns >= quotas[Q_TXNS].value)
		return ENOSPC;
	while (!c->next_tx || txn_find(c, c->next_tx))
		c->next_tx++;
	t = txn_start(c, c->next_tx++);
	if (!t)
		return ENOMEM;
	if (c->domain)
		state_txn(t, true);
	conn_reply(c, XS_TRANSACTION_START, id,
		   snprintf(id, sizeof(id), "%u", t->id) + 1);
	return 0;
}

static int do_transaction_end(struct request *r)
{
	const char *arg = request_string(r);
	int rc = 0;

	if (!arg || (strcmp(arg, "T") && strcmp(arg, "F")))
		return EINVAL;
	if (!r->txn)
		return ENOENT;
	if (*arg == 'T')
		rc = -txn_commit(r->txn);
	if (r->c->domain)
		state_txn(r->txn, false);
	txn_end(r->txn);
	if (!rc)
		conn_ack(r->c);
	return rc;
}

static bool request_domid(const char *s, uint32_t *domid)
{
	return s && wire_parse_u32(s, DOMID_FIRST_RESERVED - 1, domid);
}

static int do_introduce(struct request *r)
{
	const char *arg[3];
	uint32_t domid, port;
	uint64_t gfn;
	char *end;
	int rc;

	if (wire_strings(r->data, r->len, arg, 3) < 3 ||
	    !request_domid(arg[0], &domid) || !domid ||
	    !wire_parse_u32(arg[2], INT32_MAX, &port) || !port)
		return EINVAL;
	gfn = strtoull(arg[1], &end, 10);	/* old tools send it signed */
	if (*end || end == arg[1])
		return EINVAL;
	rc = -domain_introduce(domid, gfn, port);
	if (!rc)
		conn_ack(r->c);
	return rc;
}

/* The introduced domain, not the control domain, that the payload names. */
static int request_domain(struct request *r, struct domain **d)
{
	uint32_t domid;

	if (!request_domid(request_string(r), &domid) || !domid)
		return EINVAL;
	*d = domains[domid];
	return *d && (*d)->introduced ? 0 : ENOENT;
}

static int do_release(struct request *r)
{
	struct domain *d;
	int rc = request_domain(r, &d);

	if (rc)
		return rc;
	domain_release(d->domid);
	conn_ack(r->c);
	return 0;
}

static int do_resume(struct request *r)
{
	struct domain *d;
	int rc = request_domain(r, &d);

	if (rc)
		return rc;
	d->shutdown = false;
	state_domain(d, false);
	conn_ack(r->c);
	return 0;
}

static int do_set_target(struct request *r)
{
	const char *arg[2];
	uint32_t domid, target;

	if (wire_strings(r->data, r->len, arg, 2) < 2 ||
	    !request_domid(arg[0], &domid) || !request_domid(arg[1], &target))
		return EINVAL;
	if (!domains[domid] || !domains[domid]->introduced ||
	    !domains[target] || !domains[target]->introduced)
		return ENOENT;
	domain_set_target(domains[domid], target);
	state_domain(domains[domid], false);
	conn_ack(r->c);
	return 0;
}

static int do_get_domain_path(struct request *r)
{
	const char *s = request_string(r);
	uint32_t domid;
	char path[32];

	if (!s || !wire_parse_u32(s, 0xffff, &domid))
		return EINVAL;
	conn_reply(r->c, XS_GET_DOMAIN_PATH, path,
		   snprintf(path, sizeof(path), "/local/domain/%u", domid) + 1);
	return 0;
}

static int do_is_domain_introduced(struct request *r)
{
	const char *s = request_string(r);
	uint32_t domid;
	bool yes;

	if (!s || !wire_parse_u32(s, 0xffff, &domid))
		return EINVAL;
	yes = domid == DOMID_SELF ||
	      (domid < DOMID_FIRST_RESERVED && domains[domid] &&
	       domains[domid]->introduced);
	conn_reply(r->c, XS_IS_DOMAIN_INTRODUCED, yes ? "T" : "F", 2);
	return 0;
}

static int control_quota(const char **arg, int n, char *text, size_t room)
{
	unsigned int i, len = 0;
	uint32_t value;

	for (i = 0; n >= 4 && i < Q_COUNT; i++) {
		if (strcmp(arg[2], quotas[i].name))
			continue;
		if (strcmp(arg[1], "set") ||
		    !wire_parse_u32(arg[3], INT32_MAX, &value))
			return EINVAL;
		quotas[i].value = value;
		state_quota(i);
		snprintf(text, room, "OK");
		return 0;
	}
	if (n >= 2)
		return EINVAL;
	for (i = 0; i < Q_COUNT; i++)
		len += snprintf(text + len, room - len, "%-20s %u\n",
				quotas[i].name, quotas[i].value);
	return 0;
}

static unsigned int control_report(char *text, size_t room)
{
	unsigned int nr_conns = 0, nr_watches = 0, nr_txns = 0, i, len;
	const struct tally *t = &tree_main.tally;
	struct conn *c;

	for (c = conns; c; c = c->next) {
		nr_conns++;
		nr_watches += c->nr_watches;
		nr_txns += c->nr_txns;
	}
	len = snprintf(text, room, "connections %u\nwatches %u\n"
		       "transactions %u\n", nr_conns, nr_watches, nr_txns);
	for (i = 0; i < t->n && room - len > 64; i++)
		len += snprintf(text + len, room - len,
				"domain %u: %d nodes, %ld bytes\n",
				t->e[i].domid, t->e[i].nodes, t->e[i].bytes);
	return len;
}

static int do_control(struct request *r)
{
	char text[XENSTORE_PAYLOAD_MAX] = "OK";
	const char *arg[4];
	int n = wire_strings(r->data, r->len, arg, 4), rc = 0;

	if (n < 1)
		return EINVAL;
	if (!strcmp(arg[0], "help"))
		strcpy(text, "check help memreport print quota");
	else if (!strcmp(arg[0], "check"))
		strcpy(text, tree_recount(&tree_main) ? "OK" : "FAIL");
	else if (!strcmp(arg[0], "memreport"))
		control_report(text, sizeof(text));
	else if (!strcmp(arg[0], "print") && n == 2)
		log_info("%s", arg[1]);
	else if (!strcmp(arg[0], "quota"))
		rc = control_quota(arg, n, text, sizeof(text));
	else
		rc = EINVAL;
	if (!rc)
		conn_reply(r->c, XS_CONTROL, text, strlen(text) + 1);
	return rc;
}

/* Only for the control domain and the tools. */
static int request_privileged(struct request *r, uint32_t type)
{
	if (!r->c->who.privileged)
		return EACCES;
	switch (type) {
	case XS_CONTROL:		return do_control(r);
	case XS_INTRODUCE:		return do_introduce(r);
	case XS_RELEASE:		return do_release(r);
	case XS_RESUME:			return do_resume(r);
	case XS_SET_TARGET:		return do_set_target(r);
	case XS_IS_DOMAIN_INTRODUCED:	return do_is_domain_introduced(r);
	}
	return ENOSYS;
}

static int request_dispatch(struct request *r, uint32_t type)
{
	switch (type) {
	case XS_DIRECTORY:		return do_directory(r);
	case XS_DIRECTORY_PART:		return do_directory_part(r);
	case XS_READ:			return do_read(r);
	case XS_GET_PERMS:		return do_get_perms(r);
	case XS_WRITE:			return do_write(r);
	case XS_MKDIR:			return do_mkdir(r);
	case XS_RM:			return do_rm(r);
	case XS_SET_PERMS:		return do_set_perms(r);
	case XS_WATCH:			return do_watch(r);
	case XS_UNWATCH:		return do_unwatch(r);
	case XS_RESET_WATCHES:		return do_reset_watches(r);
	case XS_TRANSACTION_START:	return do_transaction_start(r);
	case XS_TRANSACTION_END:	return do_transaction_end(r);
	case XS_GET_DOMAIN_PATH:	return do_get_domain_path(r);
	}
	return request_privileged(r, type);
}

/* Handles the complete request in c->in; conn_ready(c) was true. */
void request_handle(struct conn *c)
{
	uint32_t type = c->in.hdr.type, tx = c->in.hdr.tx_id;
	struct request r = {
		.c = c,
		.tree = &tree_main,
		.data = wire_payload(&c->in),
		.len = c->in.hdr.len,
	};
	int rc = 0;

	if (tx && type != XS_WATCH && type != XS_UNWATCH) {
		r.txn = txn_find(c, tx);
		if (!r.txn)
			rc = ENOENT;
		else
			r.tree = &r.txn->tree;
	}
	if (!rc)
		rc = request_dispatch(&r, type);
	if (rc)
		conn_error(c, rc);
}
