// SPDX-License-Identifier: GPL-2.0
/*
 * The journal: what the daemon knows, in a file, so that it can be killed at
 * any instruction and started again without any guest noticing.
 *
 *	file:    header | record ... COMMIT record ... COMMIT ...
 *	record:  type, lengths of three parts | part | part | part | padding
 *
 * All that one round of requests caused ends in one COMMIT; only when that is
 * in the file do answers and events leave, and the indices of rings move.  A
 * killed process leaves a file that was cut off somewhere: what stands behind
 * the last COMMIT did not happen, its requests are still on their rings and
 * are simply handled again.  So each request of a ring takes effect once, and
 * each byte of an answer arrives once: the ring page itself says how many
 * were put there.
 *
 * The file is meant for /run, a memory file system: it survives the process,
 * not the machine.
 *
 * When the file has grown to several times what is known it is written anew,
 * the same records for the present state, beside the old one, and renamed.
 *
 * Connections of sockets end with the daemon and are not in it.  Of
 * transactions of rings it is known which numbers there were: they end in
 * EAGAIN.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "xenstored.h"

#define STATE_HEADER	"XSJ3..."	/* another when records change */
#define STATE_ALIGN	sizeof(uint32_t)
#define STATE_MIN	(1u << 20)	/* not written anew below this size */
#define STATE_RETRY	1000		/* ms after a failure */

/* Records, and what their parts are. */
enum state_type {
	R_COMMIT = 1,
	R_DOMAIN,	/* struct rec_domain, part of a request */
	R_WATCH,	/* struct rec_watch, path, token */
	R_OUT,		/* struct rec_out, message */
	R_NODE,		/* path, permissions (none: it is gone), value */
};
struct state_head {
	uint32_t type, len[3];
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
	state_size += sizeof(h);
	for (i = 0; i < 3; i++)
		if (h.len[i]) {
			fwrite_unlocked(v[i].iov_base, h.len[i], 1,
					state_file);
			state_size += h.len[i];
		}
	for (; state_size % STATE_ALIGN; state_size++)
		putc_unlocked(0, state_file);
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

	fwrite_unlocked(STATE_HEADER, sizeof(STATE_HEADER), 1, state_file);
	state_size = sizeof(STATE_HEADER);
	for (i = 0; i < ARRAY_SIZE(specials); i++)
		state_node(specials[i].name,
			   &(struct node){ .perms = specials[i].perms });
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
 * Writes the file anew.  If it cannot be written, the daemon goes on with the
 * old one as long as that is whole, then without, says so, and tries again.
 */
static bool state_rewrite(void)
{
	FILE *old = state_file;
	size_t old_size = state_size;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s.new", state_path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	state_file = fd < 0 ? NULL : fdopen(fd, "w");
	if (state_file) {
		state_dump();
		state_limit = state_size * 2 + STATE_MIN;
		if (state_seal() && !rename(path, state_path)) {
			if (old)
				fclose(old);
			return true;
		}
		fclose(state_file);
	}
	log_warn("%s: %s", path, strerror(errno));
	unlink(path);
	state_file = old;
	state_size = old_size;
	state_limit = old_size + STATE_MIN;
	if (old && ferror(old)) {
		log_warn("%s: a restart would lose changes", state_path);
		fclose(old);
		unlink(state_path);
		state_file = NULL;
	}
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
 * Reading it back.  state_load_record() checks the parts first; each loader
 * returns false if its record makes no sense or there is no memory.
 */
static struct conn *state_conn(unsigned int domid)
{
	struct domain *d = domid < DOMID_FIRST_RESERVED ? domains[domid]
							 : NULL;

	return d ? d->conn : NULL;
}

static bool load_domain(const struct iovec *v)
{
	const struct rec_domain *r = v[0].iov_base;
	struct domain *d;
	struct conn *c;

	if (r->domid >= DOMID_FIRST_RESERVED)
		return false;
	if (r->op == STATE_GONE) {
		domain_drop(r->domid);
		return true;
	}
	d = domain_get(r->domid);
	if (d && !d->conn)
		d->conn = conn_new(-1, d);
	if (!d || !d->conn || v[1].iov_len > sizeof(d->conn->in.bytes))
		return false;
	c = d->conn;
	if (r->op == STATE_NEW)
		conn_reset(c);
	else
		conn_sent(c, r->rsp_prod - d->rsp_prod);
	d->shutdown = r->shutdown;
	d->remote_port = r->remote_port;
	d->req_cons = r->req_cons;
	d->rsp_prod = r->rsp_prod;
	c->who.target = r->target;
	c->next_tx = c->old_tx = r->next_tx;
	memcpy(c->in.bytes, v[1].iov_base, v[1].iov_len);
	c->in.used = v[1].iov_len;
	return true;
}

static bool load_watch(const struct iovec *v)
{
	const struct rec_watch *r = v[0].iov_base;
	const char *path = v[1].iov_base, *token = v[2].iov_base;
	struct conn *c = state_conn(r->domid);
	struct watch *w = c ? watch_find(c, path, token) : NULL;

	if (!c || r->relative > strlen(path))
		return false;
	if (r->op == STATE_GONE) {
		if (w)
			watch_del(w);
		return true;
	}
	if (!w)
		w = watch_add(c, path, token, r->relative);
	if (w)
		watch_owe(w, r->owed);
	return w;
}

static bool load_out(const struct iovec *v)
{
	const struct rec_out *r = v[0].iov_base;
	const struct xsd_sockmsg *hdr = v[1].iov_base;
	struct conn *c = state_conn(r->domid);

	return c && v[1].iov_len >= sizeof(*hdr) &&
	       v[1].iov_len == sizeof(*hdr) + hdr->len &&
	       r->sent < v[1].iov_len && conn_requeue(c, hdr, r->sent);
}

static bool load_node(const struct iovec *v)
{
	const char *path = v[0].iov_base;
	struct special *special = watch_special(path);
	struct blob *value, *perms = NULL;
	unsigned int i, n = v[1].iov_len / sizeof(perms->perm[0]);
	bool ok;

	if (!special && !path_valid(path))
		return false;
	if (!n)
		return !special && path[1] &&
		       (!tree_find(tree_main.root, path) ||
			!tree_remove(&tree_main, path));
	perms = blob_new(v[1].iov_base, n * sizeof(perms->perm[0]));
	value = blob_new(v[2].iov_base, v[2].iov_len);
	ok = perms && value;
	/* A domain that is gone is noticed, and cleaned up, at the next
	 * scan. */
	for (i = 0; ok && i < n; i++)
		ok = perms->perm[i].domid < DOMID_FIRST_RESERVED &&
		     domain_get(perms->perm[i].domid);
	if (ok && special)
		special_set(special, perms);
	else if (ok)
		ok = !tree_make(&tree_main, path, perms) &&
		     !tree_set(&tree_main, path, value, perms);
	blob_put(value);
	blob_put(perms);
	return ok;
}

static bool state_string(const struct iovec *v)
{
	return v->iov_len && !((char *)v->iov_base)[v->iov_len - 1];
}

static bool state_load_record(uint32_t type, const struct iovec v[3])
{
	size_t len = v[0].iov_len;

	switch (type) {
	case R_COMMIT: return true;
	case R_DOMAIN:
		return len == sizeof(struct rec_domain) && load_domain(v);
	case R_WATCH:
		return len == sizeof(struct rec_watch) &&
		       state_string(&v[1]) && state_string(&v[2]) &&
		       load_watch(v);
	case R_OUT: return len == sizeof(struct rec_out) && load_out(v);
	case R_NODE: return state_string(&v[0]) && load_node(v);
	}
	return false;
}

/* Splits the record at p; returns where the next one is.  NULL: it is cut
 * off. */
static char *state_next(char *p, const char *end, struct iovec v[3])
{
	const struct state_head *h = (void *)p;
	int i;

	if ((size_t)(end - p) < sizeof(*h))
		return NULL;
	p += sizeof(*h);
	for (i = 0; i < 3; i++) {
		if ((size_t)(end - p) < h->len[i])
			return NULL;
		v[i] = (struct iovec){ p, h->len[i] };
		p += h->len[i];
	}
	p += -(uintptr_t)p % STATE_ALIGN;
	return p <= end ? p : NULL;
}

/*
 * Takes over what an earlier daemon left in the file.  False if
 * there is none.
 */
bool state_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *file = MAP_FAILED, *p, *next, *end = NULL;
	struct stat st = { .st_size = 0 };
	struct iovec v[3];

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size > (off_t)sizeof(STATE_HEADER))
		file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return false;
	if (memcmp(file, STATE_HEADER, sizeof(STATE_HEADER)))
		fatalx("%s: of another version: start that one, or reboot",
		       path);
	for (p = file + sizeof(STATE_HEADER);
	     (next = state_next(p, file + st.st_size, v)); p = next)
		if (*(uint32_t *)p == R_COMMIT)
			end = next;
	for (p = file + sizeof(STATE_HEADER); end && p < end; p = next) {
		next = state_next(p, end, v);
		if (!state_load_record(*(uint32_t *)p, v))
			fatalx("%s: a damaged record", path);
	}
	munmap(file, st.st_size);
	return end;
}
