// SPDX-License-Identifier: GPL-2.0
/*
 * What each request does.
 *
 * Everything in a request is chosen by the client, who may be hostile.  The
 * table at the end says what is checked before do_<op> is called: how many
 * strings there are, the node that the first one names, the rights to it.
 * Then come quotas, and only then something changes, in one step that happens
 * or does not.  A do_<op> returns 0 for an answer of "OK", 1 if it has
 * answered itself, or a negative errno value, whose name is the answer.
 *
 * What a client may not know it does not learn from the error: if a node does
 * not exist, only those hear so who have the right in question at the nearest
 * node above.
 */
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
	const char *end;		/* of the payload */
	const char *arg[4];		/* its first strings */
	int nr_args;			/* how many there are */
	/* What request_path() and request_node() found: */
	char path[PATH_ROOM];
	unsigned int relative;		/* bytes the client left out */
	const struct node *node;	/* NULL: there is none */
	const struct node *near;	/* it, or the nearest above */
	size_t near_len;		/* of its path */
	uint32_t domid;			/* that the first string is */
	struct domain *domain;		/* it, if introduced */
};

/* Expands `name` to the absolute path of a node; special ones stay. */
static int request_path(struct request *r, const char *name, bool special)
{
	size_t len = strlen(name), from = 0;

	if (name[0] != '/' && name[0] != '@')
		from = sprintf(r->path, "/local/domain/%u/",
			       r->c->who.domid);
	if (len > (from ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX))
		return -EINVAL;
	memcpy(r->path + from, name, len + 1);
	r->relative = from;
	return (special && name[0] == '@') || path_valid(r->path) ? 0 : -EINVAL;
}

/*
 * Looks up `name` for one who needs the rights `perm`, noting `depends` for
 * the transaction.  0: r->node is the node, or NULL if there is none and the
 * client may know.
 */
static int request_node(struct request *r, const char *name,
			unsigned int perm, unsigned int depends)
{
	unsigned int have;
	int rc = request_path(r, name, false);

	if (rc)
		return rc;
	r->near_len = strlen(r->path);
	r->near = tree_find_near(r->tree->root, r->path, &r->near_len);
	r->node = r->path[r->near_len] && r->path[r->near_len + 1] ? NULL
								    : r->near;
	rc = txn_note(r->txn, r->path, strlen(r->path), depends | TXN_PERMS);
	if (!rc && !r->node && !r->c->who.privileged)
		rc = txn_note(r->txn, r->path, r->near_len, TXN_PERMS);
	if (rc)
		return rc;
	have = perms_for(r->near->perms, &r->c->who) & perm;
	return have == perm || (have && !r->node) ? 0 : -EACCES;
}

/*
 * The children's names; for XS_DIRECTORY_PART behind the list's generation,
 * from an offset on and as far as there is room: an empty name marks the end.
 */
static int do_directory(struct request *r)
{
	bool part = r->nr_args == 2;
	const struct node *n = r->node;
	unsigned int at = 0, i, len, pos = 0;
	char reply[XENSTORE_PAYLOAD_MAX];
	uint32_t offset = 0;

	if (part && !wire_parse_u32(r->arg[1], UINT32_MAX, &offset))
		return -EINVAL;
	if (!part && n->list_len > sizeof(reply))
		return -E2BIG;
	if (part)
		at = sprintf(reply, "%llu",
			     (unsigned long long)n->list_gen) + 1;
	for (i = 0; i < n->nr_children; i++, pos += len) {
		len = n->child[i]->name_len + 1;
		if (pos < offset)
			continue;
		if (len + part > sizeof(reply) - at)
			break;
		memcpy(reply + at, n->child[i]->name, len);
		at += len;
	}
	if (part && i == n->nr_children)
		reply[at++] = 0;
	return conn_reply(r->c, r->c->in.hdr.type, reply, at);
}

static int do_read(struct request *r)
{
	const struct blob *value = r->node->value;

	return conn_reply(r->c, XS_READ, value ? value->data : NULL,
			  value ? value->len : 0);
}

static int do_get_perms(struct request *r)
{
	char list[XENSTORE_PAYLOAD_MAX];
	unsigned int i, len = 0;

	for (i = 0; i < perms_count(r->node->perms); i++) {
		if (sizeof(list) - len < WIRE_PERM_CHARS)
			return -E2BIG;
		len += wire_format_perm(&r->node->perms->perm[i], list + len);
	}
	return conn_reply(r->c, XS_GET_PERMS, list, len);
}

/*
 * r->path was changed as `how` says, from what was `old`.  A direct change is
 * journalled and told now, one in a transaction when that succeeds.
 */
static void request_changed(struct request *r, const struct node *old,
			    unsigned int how)
{
	txn_note(r->txn, r->path, strlen(r->path), how | TXN_TELL);
	if (r->txn)
		return;
	state_node(r->path, tree_find(tree_main.root, r->path));
	watch_fire(r->path, old, how & TXN_REMOVED);
}

/* Is a node (NULL: a new one), with so many bytes more, larger than the client
 * may make it? */
static bool request_too_large(const struct request *r, unsigned int more,
			      const struct node *n)
{
	if (n)
		more += n->list_len + n->perms->len;
	return !r->c->who.privileged && more > quotas[Q_NODE_SIZE].value;
}

/* Creates r->path, which does not exist, with what is missing above it. */
static int request_create(struct request *r)
{
	size_t len = strlen(r->path), i;
	const struct node *near = r->near;
	struct blob *perms;
	int rc, count = 0;

	if (request_too_large(r, (near->value ? near->value->len : 0) +
			      strcspn(r->path + r->near_len + 1, "/"), near))
		return -ENOSPC;
	if (conn_over_quota(r->c, len))
		return -ENOMEM;
	rc = txn_note(r->txn, r->path, r->near_len, TXN_PERMS);
	for (i = r->near_len + 1; i <= len && !rc; i++)
		if (i == len || r->path[i] == '/') {
			rc = txn_note(r->txn, r->path, i, TXN_MADE);
			count++;
		}
	if (!rc && conn_over_nodes(r->c, r->tree, count))
		rc = -ENOSPC;
	if (rc)
		return rc;
	perms = perms_inherit(near->perms, &r->c->who);
	rc = perms ? tree_make(r->tree, r->path, perms) : -ENOMEM;
	blob_put(perms);
	return rc;
}

static int do_write(struct request *r)
{
	const char *data = r->arg[0] + strlen(r->arg[0]) + 1;
	size_t len = r->end - data;
	struct blob *value;
	int rc;

	if (request_too_large(r, len, r->node))
		return -ENOSPC;
	if (conn_over_quota(r->c, len))
		return -ENOMEM;
	value = blob_new(data, len);
	if (!value)
		return -ENOMEM;
	rc = r->node ? 0 : request_create(r);
	if (!rc)
		rc = tree_set(r->tree, r->path, value, NULL);
	blob_put(value);
	if (rc)
		return rc;
	if (r->txn)
		txn_charge(r->txn, len);
	request_changed(r, NULL, TXN_SET_VALUE);
	return 0;
}

static int do_mkdir(struct request *r)
{
	int rc = r->node ? 0 : request_create(r);

	if (!rc && !r->node)
		request_changed(r, NULL, TXN_MADE);
	return rc;
}

static int do_rm(struct request *r)
{
	size_t up = path_parent(r->path);
	struct node *old;
	int rc;

	if (!r->path[1])
		return -EINVAL;
	if (!r->node) {		/* no error if its parent exists */
		rc = txn_note(r->txn, r->path, up, 0);
		return rc ? rc : r->near_len == up ? 0 : -ENOENT;
	}
	old = node_get((struct node *)r->node);
	rc = tree_remove(r->tree, r->path);
	if (!rc)
		request_changed(r, old, TXN_REMOVED);
	node_put(old);
	return rc;
}

/* Makes *perms of the strings from arg[1] on. */
static int request_perms(const struct request *r, struct blob **perms)
{
	struct wire_perm p[XENSTORE_PAYLOAD_MAX / 3];
	const char *s = r->arg[1];
	unsigned int n = 0;
	int rc;

	for (; s < r->end; s += strlen(s) + 1) {
		if (n == ARRAY_SIZE(p) || wire_parse_perm(s, &p[n]))
			return -EINVAL;
		if (!r->c->who.privileged && n == quotas[Q_PERMS].value)
			return -ENOSPC;
		rc = domain_known(p[n].domid);
		if (rc == -ENOENT && n)
			continue;	/* nobody to give rights to */
		if (rc)
			return rc;
		n++;
	}
	*perms = blob_new(p, n * sizeof(p[0]));
	return *perms ? 0 : -ENOMEM;
}

static int do_set_perms(struct request *r)
{
	struct special *special = watch_special(r->arg[0]);
	struct node old = { .perms = NULL };	/* for watch_fire() */
	struct blob *perms;
	int rc = request_perms(r, &perms);

	if (rc)
		return rc;
	if (!special)
		rc = request_node(r, r->arg[0], WIRE_WRITE | PERM_OWNER, 0);
	if (rc || (!special && !r->node)) {
		blob_put(perms);
		return rc ? rc : -ENOENT;
	}
	old.perms = blob_get(special ? special->perms : r->node->perms);
	if (!(perms_for(old.perms, &r->c->who) & PERM_OWNER))
		rc = -EACCES;
	else if (!r->c->who.privileged &&
		 perms->perm[0].domid != old.perms->perm[0].domid)
		rc = -EPERM;
	else if (!special)
		rc = tree_set(r->tree, r->path, NULL, perms);
	if (!rc && !special)
		request_changed(r, &old, TXN_SET_PERMS);
	if (!rc && special)
		special_set(special, perms);
	blob_put(old.perms);
	blob_put(perms);
	return rc;
}

/* Finds the watch that path and token name; -EINVAL or 0. */
static int request_watch(struct request *r, struct watch **w)
{
	int rc = request_path(r, r->arg[0], true);

	*w = rc ? NULL : watch_find(r->c, r->path, r->arg[1]);
	return rc;
}

static int do_watch(struct request *r)
{
	struct conn *c = r->c;
	struct watch *w;
	int rc = request_watch(r, &w);

	if (rc || w)
		return rc ? rc : -EEXIST;
	if (!c->who.privileged && c->nr_watches >= quotas[Q_WATCHES].value)
		return -E2BIG;
	if (conn_over_quota(c, sizeof(*w) + c->in.hdr.len))
		return -ENOMEM;
	w = watch_add(c, r->path, r->arg[1], r->relative);
	if (!w)
		return -ENOMEM;
	conn_reply(c, XS_WATCH, "OK", 3);
	watch_tell(w, w->path);
	return 1;
}

static int do_unwatch(struct request *r)
{
	struct watch *w;
	int rc = request_watch(r, &w);

	if (rc || !w)
		return rc ? rc : -ENOENT;
	watch_del(w);
	return 0;
}

static int do_reset_watches(struct request *r)
{
	conn_let_go(r->c);
	return 0;
}

static int do_transaction_start(struct request *r)
{
	struct conn *c = r->c;
	char id[16];

	if (r->txn)
		return -EBUSY;
	if (!c->who.privileged && c->nr_txns >= quotas[Q_TXNS].value)
		return -ENOSPC;
	while (!c->next_tx || txn_find(c, c->next_tx))
		c->next_tx++;
	if (!txn_start(c, c->next_tx))
		return -ENOMEM;
	return conn_reply(c, XS_TRANSACTION_START, id,
			  sprintf(id, "%u", c->next_tx++) + 1);
}

static int do_transaction_end(struct request *r)
{
	int rc = 0;

	if (strcmp(r->arg[0], "T") && strcmp(r->arg[0], "F"))
		return -EINVAL;
	if (!r->txn)
		return -ENOENT;
	if (*r->arg[0] == 'T')
		rc = txn_commit(r->txn);
	txn_end(r->txn);
	return rc;
}

/* domid, frame, port.  The ring is mapped by its reserved grant, not by the
 * frame. */
static int do_introduce(struct request *r)
{
	uint32_t port;
	char *end;

	/* Old tools send the frame signed. */
	strtoull(r->arg[1], &end, 10);
	if (!r->domid || r->domid >= DOMID_FIRST_RESERVED || *end ||
	    end == r->arg[1] || !wire_parse_u32(r->arg[2], INT32_MAX, &port) ||
	    !port)
		return -EINVAL;
	return domain_introduce(r->domid, port);
}

static int do_release(struct request *r)
{
	domain_release(r->domid);
	return 0;
}

static int do_resume(struct request *r)
{
	r->domain->shutdown = false;
	state_domain(r->domain, STATE_SAME);
	return 0;
}

static int do_set_target(struct request *r)
{
	uint32_t target;

	if (!wire_parse_u32(r->arg[1], DOMID_FIRST_RESERVED - 1, &target))
		return -EINVAL;
	if (!domains[target] || !domains[target]->conn)
		return -ENOENT;
	r->domain->conn->who.target = target;
	state_domain(r->domain, STATE_SAME);
	return 0;
}

static int do_get_domain_path(struct request *r)
{
	char path[32];

	return conn_reply(r->c, XS_GET_DOMAIN_PATH, path,
			  sprintf(path, "/local/domain/%u", r->domid) + 1);
}

static int do_is_domain_introduced(struct request *r)
{
	return conn_reply(r->c, XS_IS_DOMAIN_INTRODUCED,
			  r->domain || r->domid == DOMID_SELF ? "T" : "F", 2);
}

/* "quota set NAME VALUE": until the daemon ends. */
static int do_control(struct request *r)
{
	uint32_t value;
	int i;

	if (strcmp(r->arg[0], "quota") || strcmp(r->arg[1], "set") ||
	    !wire_parse_u32(r->arg[3], INT32_MAX, &value))
		return -EINVAL;
	for (i = 0; i < Q_COUNT; i++)
		if (!strcmp(r->arg[2], quotas[i].name)) {
			quotas[i].value = value;
			return 0;
		}
	return -EINVAL;
}

#define BYTES	0		/* may follow the first string */
#define MANY	255

/* Beside TXN_*, on which a transaction depends: */
#define READ	0x01000	/* the first string names a node, to be read */
#define WRITE	0x02000	/* the same, to be written, or made */
#define DOMID	0x04000	/* the first string is a domain's number */
#define GUEST	0x0c000	/* ... and it is introduced, and not the control's */
#define TOOLS	0x10000	/* only for the control domain and the tools */

static const struct op {
	int (*fn)(struct request *r);
	uint8_t min, max;	/* strings in the payload */
	unsigned int flags;
} ops[] = {
	[XS_DIRECTORY] = { do_directory, 1, 1, READ | TXN_LIST },
	[XS_DIRECTORY_PART] = { do_directory, 2, 2, READ | TXN_LIST },
	[XS_READ] = { do_read, 1, 1, READ | TXN_VALUE },
	[XS_GET_PERMS] = { do_get_perms, 1, 1, READ },
	[XS_WRITE] = { do_write, 1, BYTES, WRITE | TXN_VALUE },
	[XS_MKDIR] = { do_mkdir, 1, 1, WRITE },
	[XS_RM] = { do_rm, 1, 1, WRITE },
	[XS_SET_PERMS] = { do_set_perms, 2, MANY, 0 },
	[XS_WATCH] = { do_watch, 2, 2, 0 },
	[XS_UNWATCH] = { do_unwatch, 2, 2, 0 },
	[XS_RESET_WATCHES] = { do_reset_watches, 0, MANY, 0 },
	[XS_TRANSACTION_START] = { do_transaction_start, 0, MANY, 0 },
	[XS_TRANSACTION_END] = { do_transaction_end, 1, 1, 0 },
	[XS_GET_DOMAIN_PATH] = { do_get_domain_path, 1, 1, DOMID },
	[XS_CONTROL] = { do_control, 4, 4, TOOLS },
	[XS_INTRODUCE] = { do_introduce, 3, MANY, TOOLS | DOMID },
	[XS_RELEASE] = { do_release, 1, 1, TOOLS | GUEST },
	[XS_RESUME] = { do_resume, 1, 1, TOOLS | GUEST },
	[XS_SET_TARGET] = { do_set_target, 2, MANY, TOOLS | GUEST },
	[XS_IS_DOMAIN_INTRODUCED] = { do_is_domain_introduced, 1, 1,
				      TOOLS | DOMID },
};

static int request_check(struct request *r, uint32_t type, uint32_t tx)
{
	const struct op *op = &ops[type];
	bool guest = (op->flags & GUEST) == GUEST;
	struct domain *d;
	int rc = 0;

	if (tx && type != XS_WATCH && type != XS_UNWATCH) {
		r->txn = txn_find(r->c, tx);
		if (!r->txn)
			return -ENOENT;
		r->tree = &r->txn->tree;
	}
	if (op->flags & TOOLS && !r->c->who.privileged)
		return -EACCES;
	if (op->max == BYTES ? !r->arg[0]
			     : r->nr_args < op->min || r->nr_args > op->max)
		return -EINVAL;
	if (op->flags & DOMID) {
		if (!wire_parse_u32(r->arg[0], 0xffff, &r->domid) ||
		    (guest && (!r->domid || r->domid >= DOMID_FIRST_RESERVED)))
			return -EINVAL;
		d = r->domid < DOMID_FIRST_RESERVED ? domains[r->domid] : NULL;
		r->domain = d && d->conn ? d : NULL;
		if (guest && !r->domain)
			return -ENOENT;
	}
	if (op->flags & (READ | WRITE))
		rc = request_node(r, r->arg[0],
				  op->flags & READ ? WIRE_READ : WIRE_WRITE,
				  op->flags & TXN_DEPENDS);
	if (!rc && op->flags & READ && !r->node)
		rc = -ENOENT;
	return rc ? rc : op->fn(r);
}

/* Handles the complete request in c->in, for which c has a spare message. */
void request_handle(struct conn *c)
{
	struct request r = {
		.c = c, .tree = &tree_main,
		.end = c->in.payload + c->in.hdr.len,
	};
	int rc = -ENOSYS;

	r.nr_args = wire_strings(c->in.payload, c->in.hdr.len, r.arg, 4);
	if (c->in.hdr.type < ARRAY_SIZE(ops) && ops[c->in.hdr.type].fn)
		rc = request_check(&r, c->in.hdr.type, c->in.hdr.tx_id);
	if (rc < 0)
		conn_error(c, rc);
	else if (!rc)
		conn_reply(c, c->in.hdr.type, "OK", 3);
	txn_bound();
}
