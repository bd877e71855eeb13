// SPDX-License-Identifier: GPL-2.0
/*
 * The journal: what the daemon knows, in a file, so that it can be killed at
 * any instruction and started again without any guest noticing.
 *
 *	file:    header | record ... COMMIT record ... COMMIT ...
 *	record:  type, lengths of three parts | part | part | part
 *
 * All that one round of requests caused ends in one COMMIT; only when that is
 * in the file do answers and events leave, and the indices of rings move.  A
 * killed process leaves a file that was cut off somewhere: what stands behind
 * the last COMMIT did not happen, its requests are still on their rings and
 * are simply handled again.  So each request of a ring takes effect once, and
 * each byte of an answer arrives once: the ring page itself says how many
 * were put there.
 *
 * The file is meant for a memory file system: it survives the process, not
 * the machine.  It carries the boot's id, and one of another boot is ignored.
 *
 * When the file has grown to several times what is known it is written anew,
 * the same records for the present state, beside the old one, and renamed.
 *
 * Connections of sockets end with the daemon and are not in it.  Of
 * transactions of rings it is known which numbers there were: they end in
 * EAGAIN.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "xenstored.h"

#define STATE_HEADER	"XSJ3 "		/* another when records change */
#define STATE_MIN	(1u << 20)	/* not written anew below this size */
#define STATE_RETRY	1000		/* ms after a failure */

/* Records, and what their parts are. */
enum state_type {
	R_COMMIT = 1,
	R_QUOTA,	/* struct rec_quota */
	R_DOMAIN,	/* struct rec_domain, part of a request */
	R_WATCH,	/* struct rec_watch, path, token */
	R_OUT,		/* struct rec_out, message */
	R_NODE,		/* path, permissions (none: it is gone), value */
};
struct state_head {
	uint32_t type, len[3];
};
struct rec_quota {
	uint32_t i, value;
};
struct rec_domain {
	uint32_t op;
	domid_t domid, target;
	uint32_t remote_port, shutdown;
	uint32_t req_cons, rsp_prod, next_tx;
};
struct rec_watch {
	uint32_t op, owed, relative, domid;
};
struct rec_out {
	uint32_t domid, sent;
};

static const char *state_path;
static FILE *state_file;		/* NULL: there is none now */
static size_t state_size, state_limit;
static bool state_dirty;		/* no COMMIT since the last record */
static uint64_t state_retry_at;

static void state_put(enum state_type type, const struct iovec v[3])
{
	struct state_head h = { type, { v[0].iov_len, v[1].iov_len,
					v[2].iov_len } };
	int i;

	if (!state_file)
		return;
	fwrite_unlocked(&h, sizeof(h), 1, state_file);
	for (i = 0; i < 3; i++)
		if (h.len[i])
			fwrite_unlocked(v[i].iov_base, h.len[i], 1,
					state_file);
	state_size += sizeof(h) + h.len[0] + h.len[1] + h.len[2];
	state_dirty = true;
}

#define RECORD(type, ...) \
	state_put(type, (const struct iovec[3]){ __VA_ARGS__ })
#define PART(x)		{ (void *)&(x), sizeof(x) }
#define STRING(s)	{ (void *)(s), strlen(s) + 1 }
#define BLOB(b)		{ (void *)((b) ? (b)->data : NULL), \
			  (b) ? (b)->len : 0 }

/* The node at path is like n, its children aside; NULL: it is gone, and all
 * below. */
void state_node(const char *path, const struct node *n)
{
	if (n)
		RECORD(R_NODE, STRING(path), BLOB(n->perms), BLOB(n->value));
	else
		RECORD(R_NODE, STRING(path));
}

/* The permissions of a special path changed. */
void state_special(const struct special *s)
{
	RECORD(R_NODE, STRING(s->name), BLOB(s->perms));
}

/* A domain, unless it is gone: how far its ring has been read, and what part
 * of a request waits.  STATE_NEW: its connection holds nothing else. */
void state_domain(const struct domain *d, enum state_op op)
{
	const struct conn *c = d->conn;
	struct rec_domain r = {
		.op = op, .domid = d->domid,
		.remote_port = d->remote_port, .shutdown = d->shutdown,
		.req_cons = d->req_cons, .rsp_prod = d->rsp_prod,
		.target = c ? c->who.target : 0,
		.next_tx = c ? c->next_tx : 0,
	};

	RECORD(R_DOMAIN, PART(r),
	       { (void *)(c ? c->in.bytes : NULL), c ? c->in.used : 0 });
}

/* A watch, which counts if it is a ring's. */
void state_watch(const struct watch *w, enum state_op op)
{
	struct rec_watch r = {
		.op = op, .owed = w->owed, .relative = w->relative,
		.domid = w->conn->who.domid,
	};

	if (w->conn->domain)
		RECORD(R_WATCH, PART(r), STRING(w->path), STRING(w->token));
}

/* A message was queued for a ring. */
void state_out(const struct domain *d, const struct msg *m)
{
	struct rec_out r = { d->domid, m->sent };

	RECORD(R_OUT, PART(r), { (void *)m->bytes, m->len });
}

/* A quota was set. */
void state_quota(unsigned int i)
{
	struct rec_quota r = { i, quotas[i].value };

	RECORD(R_QUOTA, PART(r));
}

/* The file's first bytes; others are not from this boot, or not for us. */
static const char *state_header(void)
{
	static char header[64] = STATE_HEADER;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f && !fgets(header + strlen(STATE_HEADER),
			sizeof(header) - strlen(STATE_HEADER), f))
		log_warn("no boot id");
	if (f)
		fclose(f);
	return header;
}

static bool state_dump_node(void *arg, const char *path, const struct node *n)
{
	(void)arg;
	state_node(path, n);
	return true;
}

static void state_dump(void)
{
	const struct watch *w;
	const struct msg *m;
	const struct conn *c;
	unsigned int i;

	state_size = fprintf(state_file, "%s", state_header());
	for (i = 0; i < Q_COUNT; i++)
		state_quota(i);
	for (i = 0; i < ARRAY_SIZE(specials); i++)
		state_special(&specials[i]);
	for (c = conns; c; c = c->next) {
		if (!c->domain)
			continue;
		state_domain(c->domain, STATE_NEW);
		for (m = c->out; m; m = m->next)
			state_out(c->domain, m);
		for (w = c->watches; w; w = w->next)
			state_watch(w, STATE_NEW);
	}
	tree_walk(tree_main.root, "/", state_dump_node, NULL);
}

/* All up to here is one; false if it could not be written. */
static bool state_seal(void)
{
	RECORD(R_COMMIT);
	state_dirty = false;
	return !fflush(state_file) && !ferror(state_file);
}

/*
 * Writes the file anew.  If it cannot be written, the daemon goes on without,
 * says so, and tries again.
 */
static bool state_rewrite(void)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s.new", state_path);
	if (state_file)
		fclose(state_file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	state_file = fd < 0 ? NULL : fdopen(fd, "w");
	if (state_file) {
		state_dump();
		state_limit = state_size * 4 > STATE_MIN ? state_size * 4
							 : STATE_MIN;
		if (state_seal() && !rename(path, state_path))
			return true;
		fclose(state_file);
		state_file = NULL;
	}
	log_warn("%s: %s; a restart would lose changes", path,
		 strerror(errno));
	unlink(path);
	unlink(state_path);
	state_retry_at = loop_now() + STATE_RETRY;
	return false;
}

/* From now on the journal is this file, beginning with the present state. */
void state_open(const char *path)
{
	state_path = path;
	if (!state_rewrite())
		fatalx("%s: cannot be written", path);
}

/* What happened since the last call is safe when this returns, or it was said
 * that it is not. */
void state_commit(void)
{
	if (state_file ? state_dirty && (!state_seal() ||
					 state_size >= state_limit)
		       : state_path && loop_now() >= state_retry_at)
		state_rewrite();
}

/*
 * Reading it back.  A part is checked before it is looked into; each loader
 * returns false if its record makes no sense or there is no memory.
 */
static bool part_string(const struct iovec *v)
{
	const char *s = v->iov_base;

	return v->iov_len && !s[v->iov_len - 1];
}

static bool part_is(const struct iovec *v, void *to, size_t len)
{
	if (v->iov_len != len)
		return false;
	memcpy(to, v->iov_base, len);
	return true;
}

static struct conn *state_conn(unsigned int domid)
{
	struct domain *d = domid < DOMID_FIRST_RESERVED ? domains[domid]
							 : NULL;

	return d ? d->conn : NULL;
}

static bool load_quota(const struct iovec *v)
{
	struct rec_quota r;

	if (!part_is(&v[0], &r, sizeof(r)) || r.i >= Q_COUNT)
		return false;
	quotas[r.i].value = r.value;
	return true;
}

static bool load_domain(const struct iovec *v)
{
	struct rec_domain r;
	struct domain *d;
	struct conn *c;

	if (!part_is(&v[0], &r, sizeof(r)) || r.domid >= DOMID_FIRST_RESERVED)
		return false;
	if (r.op == STATE_GONE) {
		domain_drop(r.domid);
		return true;
	}
	d = domain_get(r.domid);
	if (d && !d->conn)
		d->conn = conn_new(-1, d);
	if (!d || !d->conn || v[1].iov_len > sizeof(d->conn->in.bytes))
		return false;
	c = d->conn;
	if (r.op == STATE_NEW)
		conn_reset(c);
	else
		conn_sent(c, r.rsp_prod - d->rsp_prod);
	d->shutdown = r.shutdown;
	d->remote_port = r.remote_port;
	d->req_cons = r.req_cons;
	d->rsp_prod = r.rsp_prod;
	c->who.target = r.target;
	c->next_tx = c->old_tx = r.next_tx;
	memcpy(c->in.bytes, v[1].iov_base, v[1].iov_len);
	c->in.used = v[1].iov_len;
	return true;
}

static bool load_watch(const struct iovec *v)
{
	const char *path = v[1].iov_base, *token = v[2].iov_base;
	struct rec_watch r;
	struct conn *c;
	struct watch *w;

	if (!part_is(&v[0], &r, sizeof(r)) || !part_string(&v[1]) ||
	    !part_string(&v[2]) || r.relative > strlen(path))
		return false;
	c = state_conn(r.domid);
	if (!c)
		return false;
	w = watch_find(c, path, token);
	if (r.op == STATE_GONE) {
		if (w)
			watch_del(w);
		return true;
	}
	if (!w)
		w = watch_add(c, path, token, r.relative);
	if (w)
		watch_owe(w, r.owed);
	return w;
}

static bool load_out(const struct iovec *v)
{
	struct rec_out r;

	return part_is(&v[0], &r, sizeof(r)) && state_conn(r.domid) &&
	       v[1].iov_len >= sizeof(struct xsd_sockmsg) &&
	       r.sent < v[1].iov_len &&
	       conn_requeue(state_conn(r.domid), v[1].iov_base, v[1].iov_len,
			    r.sent);
}

static int load_perms(const char *path, struct blob *perms,
		      struct blob *value)
{
	struct special *special = watch_special(path);
	unsigned int i;
	int rc;

	/* Domains that are gone are noticed, and cleaned up, at the next
	 * scan. */
	for (i = 0; i < perms_count(perms); i++)
		if (perms->perm[i].domid >= DOMID_FIRST_RESERVED ||
		    !domain_get(perms->perm[i].domid))
			return -EINVAL;
	if (special) {
		blob_put(special->perms);
		special->perms = blob_get(perms);
		return 0;
	}
	if (!path_valid(path))
		return -EINVAL;
	rc = tree_make(&tree_main, path, perms);
	if (!rc)
		rc = tree_set_perms(&tree_main, path, perms);
	return rc ? rc : tree_set_value(&tree_main, path, value);
}

static bool load_node(const struct iovec *v)
{
	const char *path = v[0].iov_base;
	struct blob *perms, *value;
	int rc = -ENOMEM;

	if (!part_string(&v[0]) || v[1].iov_len % sizeof(struct wire_perm))
		return false;
	if (!v[1].iov_len)
		return path_valid(path) && path[1] &&
		       (!tree_find(tree_main.root, path) ||
			!tree_remove(&tree_main, path));
	perms = blob_new(v[1].iov_base, v[1].iov_len);
	value = blob_new(v[2].iov_base, v[2].iov_len);
	if (perms && value)
		rc = load_perms(path, perms, value);
	blob_put(value);
	blob_put(perms);
	return !rc;
}

static bool load_commit(const struct iovec *v)
{
	(void)v;
	return true;
}

static bool (*const state_loaders[])(const struct iovec *v) = {
	[R_COMMIT] = load_commit, [R_QUOTA] = load_quota,
	[R_DOMAIN] = load_domain, [R_WATCH] = load_watch,
	[R_OUT] = load_out,	  [R_NODE] = load_node,
};

/* The record at p; returns where the next one is.  NULL: it is cut off. */
static char *state_next(char *p, char *end, uint32_t *type, struct iovec v[3])
{
	struct state_head h;
	int i;

	if ((size_t)(end - p) < sizeof(h))
		return NULL;
	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	for (i = 0; i < 3; i++) {
		if ((size_t)(end - p) < h.len[i])
			return NULL;
		v[i] = (struct iovec){ p, h.len[i] };
		p += h.len[i];
	}
	*type = h.type;
	return p;
}

/*
 * Takes over what an earlier daemon of this boot left in the file.  False if
 * there is none.
 */
bool state_load(const char *path)
{
	const char *header = state_header();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *file = MAP_FAILED, *p, *at, *end = NULL;
	struct stat st = { .st_size = 0 };
	struct iovec v[3];
	uint32_t type = 0;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && (size_t)st.st_size > strlen(header))
		file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return false;
	at = p = file + strlen(header);
	if (!memcmp(file, header, strlen(header)))
		while ((p = state_next(p, file + st.st_size, &type, v)))
			if (type == R_COMMIT)
				end = p;
	while (end && at < end) {
		at = state_next(at, end, &type, v);
		if (type >= ARRAY_SIZE(state_loaders) ||
		    !state_loaders[type] || !state_loaders[type](v))
			fatalx("%s: a damaged record", path);
	}
	munmap(file, st.st_size);
	return end;
}
