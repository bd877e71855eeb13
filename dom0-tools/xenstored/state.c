// SPDX-License-Identifier: GPL-2.0
/*
 * The journal: what the daemon knows, in a file, so that it can be killed at
 * any instruction and started again without any guest noticing.
 *
 *	frame:   magic, length, sum | record record record ...
 *	record:  type, number of parts | length, bytes | length, bytes | ...
 *
 * All that one round of requests caused is one frame and one write(); only
 * then do answers and events leave, and the indices of rings move.  A frame
 * that is cut short or damaged is the last and did not happen: its requests
 * are still on their rings and are simply handled again.  So each request of
 * a ring takes effect once, and each byte of an answer arrives once: the ring
 * page itself says how many were put there.
 *
 * The file is meant for a memory file system: it survives the process, not
 * the machine.  It carries the boot's id, and one of another boot is ignored.
 *
 * When the file has grown to several times what is known it is written anew,
 * the same records for the present state, beside the old one, and renamed.
 *
 * Connections of sockets end with the daemon and are not in it.  Transactions
 * of rings are known to exist, with nothing in them: they end in EAGAIN.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "xenstored.h"

#define STATE_MAGIC	0x324a5358u	/* "XSJ2": another when it changes */
#define STATE_MIN	(1u << 20)	/* not written anew below this size */
#define STATE_CHUNK	(1u << 16)	/* of a file being written anew */
#define STATE_RETRY	1000		/* ms after a failure */

struct state_frame {
	uint32_t magic, len, sum;
};

/* Records, and what their parts are. */
enum state_type {
	R_BOOT,		/* boot id */
	R_QUOTA,	/* name, value */
	R_SPECIAL,	/* name, permissions */
	R_DOMAIN,	/* struct rec_domain */
	R_RELEASE,	/* domid */
	R_WATCH,	/* struct rec_watch, path, token */
	R_TXN,		/* struct rec_txn */
	R_CONN,		/* struct rec_conn, part of a request */
	R_OUT,		/* domid, message */
	R_NODE,		/* path, permissions, value */
	R_REMOVE,	/* path */
};
struct rec_domain {
	uint64_t gfn;
	uint32_t remote_port;
	domid_t domid, target;
	uint32_t reset, shutdown;
};
struct rec_watch {
	domid_t domid;
	uint16_t op;
	uint32_t relative;
};
struct rec_txn {
	uint32_t id;
	domid_t domid;
	uint16_t begin;
};
struct rec_conn {
	uint32_t domid, req_cons, rsp_prod;
};

static const char *state_path;
static int state_fd = -1;
static size_t state_size, state_limit;
static bool state_quiet;		/* while loading: nothing is new */
static bool state_lost;			/* the buffer lacks a record */
static uint64_t state_retry_at;
static struct {
	char *p;			/* room for a frame, then records */
	size_t len, room;
} state_buf;

static void state_put(const void *data, size_t len)
{
	size_t room = state_buf.room ? state_buf.room : STATE_CHUNK;
	char *p;

	while (room - state_buf.len < len)
		room *= 2;
	if (room != state_buf.room) {
		p = realloc(state_buf.p, room);
		if (!p) {
			state_lost = true;
			return;
		}
		state_buf.p = p;
		state_buf.room = room;
	}
	if (len)
		memcpy(state_buf.p + state_buf.len, data, len);
	state_buf.len += len;
}

static void state_record(enum state_type type, const struct iovec *v,
			 unsigned int n)
{
	static const struct state_frame later;
	const uint8_t head[2] = { type, n };
	uint32_t len;

	if (state_quiet || !state_path)
		return;
	if (!state_buf.len)
		state_put(&later, sizeof(later));
	state_put(head, sizeof(head));
	for (; n; n--, v++) {
		len = v->iov_len;
		state_put(&len, sizeof(len));
		state_put(v->iov_base, len);
	}
}

#define RECORD(type, ...) do { \
	const struct iovec v_[] = { __VA_ARGS__ }; \
	state_record(type, v_, ARRAY_SIZE(v_)); } while (0)
#define PART(x)		{ (void *)&(x), sizeof(x) }
#define STRING(s)	{ (void *)(s), strlen(s) + 1 }
#define PERMS(perms)	{ (perms)->p, (perms)->n * sizeof((perms)->p[0]) }

/* The node at path is like n, its children aside. */
void state_node(const char *path, const struct node *n)
{
	RECORD(R_NODE, STRING(path), PERMS(n->perms),
	       { n->value ? n->value->data : NULL,
		 n->value ? n->value->len : 0 });
}

/* The node at path is gone, and all below. */
void state_remove(const char *path)
{
	RECORD(R_REMOVE, STRING(path));
}

/* The permissions of a special path changed. */
void state_special(const char *name, struct perms *perms)
{
	RECORD(R_SPECIAL, STRING(name), PERMS(perms));
}

/* d is introduced and like this; `reset`: its connection is new. */
void state_domain(const struct domain *d, bool reset)
{
	struct rec_domain r = {
		.gfn = d->gfn, .remote_port = d->remote_port,
		.domid = d->domid, .target = d->target,
		.reset = reset, .shutdown = d->shutdown,
	};

	RECORD(R_DOMAIN, PART(r));
}

/* A domain's connection ended. */
void state_release(domid_t domid)
{
	RECORD(R_RELEASE, PART(domid));
}

/* Something about a watch; it counts if it is a ring's. */
void state_watch(const struct watch *w, enum state_watch_op op)
{
	struct rec_watch r = {
		.domid = w->conn->who.domid, .op = op, .relative = w->relative,
	};

	if (w->conn->domain)
		RECORD(R_WATCH, PART(r), STRING(w->path), STRING(w->token));
}

/* A transaction begins or ends; it counts if it is a ring's. */
void state_txn(const struct txn *t, bool begin)
{
	struct rec_txn r = {
		.id = t->id, .domid = t->conn->who.domid, .begin = begin,
	};

	if (t->conn->domain)
		RECORD(R_TXN, PART(r));
}

static void state_conn_at(const struct domain *d, uint32_t rsp_prod)
{
	struct rec_conn r = { d->domid, d->req_cons, rsp_prod };

	RECORD(R_CONN, PART(r), { d->conn->in.bytes, d->conn->in.used });
}

/* How far a ring has been read, and what part of a request waits. */
void state_conn(const struct domain *d)
{
	state_conn_at(d, d->rsp_prod);
}

/* A message was queued for a ring. */
void state_out(const struct domain *d, const struct msg *m)
{
	RECORD(R_OUT, PART(d->domid), { (void *)m->bytes, m->len });
}

/* A quota was set. */
void state_quota(unsigned int i)
{
	RECORD(R_QUOTA, STRING(quotas[i].name), PART(quotas[i].value));
}

static const char *state_boot(void)
{
	static char id[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id, sizeof(id) - 1);

	if (fd >= 0)
		close(fd);
	id[n < 0 ? 0 : n] = 0;
	return id;
}

/* Writes the buffer as one frame and empties it. */
static int state_flush(int fd)
{
	size_t len = state_buf.len;
	struct state_frame f = { .magic = STATE_MAGIC };
	ssize_t r;

	state_buf.len = 0;
	if (state_lost) {
		state_lost = false;
		return -ENOMEM;
	}
	if (!len)
		return 0;
	f.len = len - sizeof(f);
	f.sum = wire_hash(WIRE_HASH, state_buf.p + sizeof(f), f.len);
	memcpy(state_buf.p, &f, sizeof(f));
	r = write(fd, state_buf.p, len);
	if (r != (ssize_t)len)
		return r < 0 ? -errno : -ENOSPC;
	state_size += len;
	return 0;
}

static bool state_dump_node(void *arg, const char *path, const struct node *n)
{
	int *fd = arg;

	state_node(path, n);
	return state_buf.len < STATE_CHUNK || !state_flush(*fd);
}

static void state_dump_ring(const struct domain *d)
{
	const struct conn *c = d->conn;
	const struct watch *w;
	const struct txn *t;
	const struct msg *m;

	state_domain(d, true);
	state_conn_at(d, d->rsp_prod - (c->out ? c->out->sent : 0));
	for (m = c->out; m; m = m->next)
		state_out(d, m);
	state_conn(d);
	for (w = c->watches; w; w = w->next)
		state_watch(w, w->owed ? WATCH_OWE : WATCH_ADD);
	for (t = c->txns; t; t = t->next)
		state_txn(t, true);
}

static int state_dump(int fd)
{
	static const char *const special[] = {
		"@introduceDomain", "@releaseDomain",
	};
	unsigned int i;
	int rc;

	RECORD(R_BOOT, STRING(state_boot()));
	for (i = 0; i < Q_COUNT; i++)
		state_quota(i);
	for (i = 0; i < ARRAY_SIZE(special); i++)
		state_special(special[i], *watch_special_perms(special[i]));
	for (i = 0; i < domains_end; i++) {
		if (!domains[i] || !domains[i]->introduced)
			continue;
		state_dump_ring(domains[i]);
		rc = state_flush(fd);
		if (rc)
			return rc;
	}
	if (!tree_walk(tree_main.root, "/", state_dump_node, &fd))
		return -EIO;
	return state_flush(fd);
}

/* Writes the file anew; what is in the buffer is part of what it tells. */
static int state_rewrite(void)
{
	char path[256];
	int fd, rc;

	snprintf(path, sizeof(path), "%s.new", state_path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	state_buf.len = 0;
	state_lost = false;
	state_size = 0;
	rc = state_dump(fd);
	if (!rc && rename(path, state_path))
		rc = -errno;
	if (rc) {
		close(fd);
		unlink(path);
		return rc;
	}
	if (state_fd >= 0)
		close(state_fd);
	state_fd = fd;
	state_limit = state_size * 4 > STATE_MIN ? state_size * 4 : STATE_MIN;
	return 0;
}

/* From now on the journal is this file, beginning with the present state. */
void state_open(const char *path)
{
	int rc;

	state_path = path;
	rc = state_rewrite();
	if (rc) {
		errno = -rc;
		fatal("%s", path);
	}
}

/*
 * What happened since the last call is safe when this returns.  If it cannot
 * be written, the daemon goes on without, says so, and tries again.
 */
void state_commit(void)
{
	int rc = 0;

	if (!state_path || (!state_buf.len && !state_lost))
		return;
	if (state_fd >= 0)
		rc = state_flush(state_fd);
	if (state_fd >= 0 && !rc && state_size < state_limit)
		return;
	if (state_fd < 0 && loop_now() < state_retry_at) {
		state_buf.len = 0;
		return;
	}
	rc = state_rewrite();
	if (!rc)
		return;
	log_warn("%s: %s; a restart would lose changes", state_path,
		 strerror(-rc));
	if (state_fd >= 0)
		close(state_fd);
	state_fd = -1;
	unlink(state_path);
	state_buf.len = 0;
	state_retry_at = loop_now() + STATE_RETRY;
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

static struct perms *part_perms(const struct iovec *v)
{
	struct wire_perm p[XENSTORE_PAYLOAD_MAX / 3];

	if (!v->iov_len || v->iov_len > sizeof(p) ||
	    v->iov_len % sizeof(p[0]))
		return NULL;
	memcpy(p, v->iov_base, v->iov_len);
	return perms_new(p, v->iov_len / sizeof(p[0]));
}

static struct domain *state_ring(unsigned int domid)
{
	struct domain *d = domid < DOMID_FIRST_RESERVED ? domains[domid]
							 : NULL;

	return d && d->conn ? d : NULL;
}

static bool load_quota(const struct iovec *v)
{
	unsigned int value, i;

	if (!part_string(&v[0]) || !part_is(&v[1], &value, sizeof(value)))
		return false;
	for (i = 0; i < Q_COUNT; i++)
		if (!strcmp(quotas[i].name, v[0].iov_base))
			quotas[i].value = value;
	return true;
}

static bool load_special(const struct iovec *v)
{
	struct perms *perms = part_perms(&v[1]), **slot = NULL;

	if (part_string(&v[0]))
		slot = watch_special_perms(v[0].iov_base);
	if (!slot || !perms) {
		perms_put(perms);
		return false;
	}
	perms_put(*slot);
	*slot = perms;
	return true;
}

static bool load_domain(const struct iovec *v)
{
	struct rec_domain r;
	struct domain *d;

	if (!part_is(&v[0], &r, sizeof(r)) || r.domid >= DOMID_FIRST_RESERVED)
		return false;
	d = domain_restore(r.domid, r.reset);
	if (!d)
		return false;
	d->shutdown = r.shutdown;
	d->gfn = r.gfn;
	d->remote_port = r.remote_port;
	domain_set_target(d, r.target);
	return true;
}

static bool load_release(const struct iovec *v)
{
	domid_t domid;

	if (!part_is(&v[0], &domid, sizeof(domid)) ||
	    domid >= DOMID_FIRST_RESERVED)
		return false;
	domain_drop(domid);
	return true;
}

static bool load_watch(const struct iovec *v)
{
	const char *path = v[1].iov_base, *token = v[2].iov_base;
	struct rec_watch r;
	struct domain *d;
	struct watch *w;

	if (!part_is(&v[0], &r, sizeof(r)) || !part_string(&v[1]) ||
	    !part_string(&v[2]) || r.relative > strlen(path))
		return false;
	d = state_ring(r.domid);
	if (!d)
		return false;
	w = watch_find(d->conn, path, token);
	if (r.op == WATCH_DEL && w)
		watch_del(d->conn, w);
	if (r.op == WATCH_DEL)
		return true;
	if (!w && watch_add(d->conn, path, token, r.relative, &w))
		return false;
	d->conn->nr_owed += (r.op == WATCH_OWE) - w->owed;
	w->owed = r.op == WATCH_OWE;
	return true;
}

static bool load_txn(const struct iovec *v)
{
	struct rec_txn r;
	struct domain *d;
	struct txn *t;

	if (!part_is(&v[0], &r, sizeof(r)) || !(d = state_ring(r.domid)))
		return false;
	t = txn_find(d->conn, r.id);
	if (!r.begin && t)
		txn_end(t);
	if (!r.begin || t)
		return true;
	t = txn_start(d->conn, r.id);
	if (!t)
		return false;
	t->retry = true;
	if (d->conn->next_tx <= r.id)
		d->conn->next_tx = r.id + 1;
	return true;
}

static bool load_conn(const struct iovec *v)
{
	struct rec_conn r;
	struct domain *d;

	if (!part_is(&v[0], &r, sizeof(r)) || !(d = state_ring(r.domid)) ||
	    v[1].iov_len > sizeof(d->conn->in.bytes))
		return false;
	conn_sent(d->conn, r.rsp_prod - d->rsp_prod);
	d->rsp_prod = r.rsp_prod;
	d->req_cons = r.req_cons;
	memcpy(d->conn->in.bytes, v[1].iov_base, v[1].iov_len);
	d->conn->in.used = v[1].iov_len;
	return true;
}

static bool load_out(const struct iovec *v)
{
	struct domain *d;
	domid_t domid;

	return part_is(&v[0], &domid, sizeof(domid)) &&
	       (d = state_ring(domid)) &&
	       v[1].iov_len >= sizeof(struct xsd_sockmsg) &&
	       conn_requeue(d->conn, v[1].iov_base, v[1].iov_len);
}

static bool load_node(const struct iovec *v)
{
	struct perms *perms = part_perms(&v[1]);
	struct value *value = value_new(v[2].iov_base, v[2].iov_len);
	const char *path = v[0].iov_base;
	bool ok = perms && value && part_string(&v[0]) && path_valid(path) &&
		  !tree_make(&tree_main, path, perms) &&
		  !tree_set_perms(&tree_main, path, perms) &&
		  !tree_set_value(&tree_main, path, value);

	value_put(value);
	perms_put(perms);
	return ok;
}

static bool load_remove(const struct iovec *v)
{
	const char *path = v[0].iov_base;

	if (!part_string(&v[0]) || !path_valid(path) || !path[1])
		return false;
	return !tree_find(tree_main.root, path) ||
	       !tree_remove(&tree_main, path);
}

static bool load_boot(const struct iovec *v)
{
	return part_string(&v[0]) && !strcmp(v[0].iov_base, state_boot());
}

static const struct {
	unsigned int parts;
	bool (*load)(const struct iovec *v);
} state_loaders[] = {
	[R_BOOT] = { 1, load_boot },	   [R_QUOTA] = { 2, load_quota },
	[R_SPECIAL] = { 2, load_special }, [R_DOMAIN] = { 1, load_domain },
	[R_RELEASE] = { 1, load_release }, [R_WATCH] = { 3, load_watch },
	[R_TXN] = { 1, load_txn },	   [R_CONN] = { 2, load_conn },
	[R_OUT] = { 2, load_out },	   [R_NODE] = { 3, load_node },
	[R_REMOVE] = { 1, load_remove },
};

struct state_in {
	char *p, *end;
};

/* The next n bytes, or NULL if there are not so many. */
static char *state_get(struct state_in *in, size_t n)
{
	char *p = in->p;

	if ((size_t)(in->end - p) < n)
		return NULL;
	in->p += n;
	return p;
}

static bool state_load_record(struct state_in *in)
{
	const char *head = state_get(in, 2), *len;
	struct iovec v[3];
	unsigned int type, i;
	uint32_t n;

	if (!head)
		return false;
	type = (uint8_t)head[0];
	if (type >= ARRAY_SIZE(state_loaders) ||
	    state_loaders[type].parts != (uint8_t)head[1])
		return false;
	for (i = 0; i < state_loaders[type].parts; i++) {
		len = state_get(in, sizeof(n));
		if (!len)
			return false;
		memcpy(&n, len, sizeof(n));
		v[i] = (struct iovec){ state_get(in, n), n };
		if (!v[i].iov_base)
			return false;
	}
	return state_loaders[type].load(v);
}

/* The next whole and undamaged frame; false if there is none. */
static bool state_next_frame(struct state_in *file, struct state_in *in)
{
	struct state_frame f;
	char *p = state_get(file, sizeof(f));

	if (!p)
		return false;
	memcpy(&f, p, sizeof(f));
	p = state_get(file, f.len);
	if (!p || f.magic != STATE_MAGIC ||
	    wire_hash(WIRE_HASH, p, f.len) != f.sum)
		return false;
	*in = (struct state_in){ .p = p, .end = p + f.len };
	return true;
}

/* False if the first record shows that it is not this boot's file. */
static bool state_load_frames(struct state_in file)
{
	struct state_in in;

	if (!state_next_frame(&file, &in) || in.p == in.end ||
	    *in.p != R_BOOT || !state_load_record(&in))
		return false;
	do {
		while (in.p < in.end)
			if (!state_load_record(&in))
				fatalx("%s: a damaged record", state_path);
	} while (state_next_frame(&file, &in));
	return true;
}

static bool state_mention_fn(void *arg, const char *path,
			     const struct node *n)
{
	unsigned int i;

	(void)arg;
	(void)path;
	/* One that is gone is noticed, and cleaned up, at the next scan. */
	for (i = 0; i < n->perms->n; i++)
		domain_known(n->perms->p[i].domid);
	return true;
}

static char *state_read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	ssize_t r;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st))
		p = malloc(st.st_size + 1);
	for (*len = 0; p && *len < (size_t)st.st_size; *len += r) {
		r = read(fd, p + *len, st.st_size - *len);
		if (r <= 0)
			break;
	}
	close(fd);
	return p;
}

/*
 * Takes over what an earlier daemon of this boot left in the file.  False if
 * there is none.
 */
bool state_load(const char *path)
{
	size_t len;
	char *p = state_read_file(path, &len);
	bool ours;

	if (!p)
		return false;
	state_path = path;
	state_quiet = true;
	ours = state_load_frames((struct state_in){ p, p + len });
	if (ours)
		tree_walk(tree_main.root, "/", state_mention_fn, NULL);
	state_quiet = false;
	free(p);
	return ours;
}
