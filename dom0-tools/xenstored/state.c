// SPDX-License-Identifier: GPL-2.0
/*
 * The journal: what the daemon knows, in a file, so that it can be killed at
 * any instruction and started again without any guest noticing.
 *
 *	frame:   magic, length, sum | record record record ...
 *	record:  type byte, fields
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
#include <unistd.h>
#include "xenstored.h"

#define STATE_MAGIC	0x314a5358u	/* "XSJ1" */
#define STATE_MIN	(1u << 20)	/* not written anew below this size */
#define STATE_CHUNK	(1u << 16)	/* of a file being written anew */
#define STATE_RETRY	1000		/* ms after a failure */

enum state_record {
	R_BOOT, R_QUOTA, R_SPECIAL, R_DOMAIN, R_RELEASE, R_WATCH, R_TXN,
	R_CONN, R_OUT, R_NODE, R_REMOVE,
};

struct state_frame {
	uint32_t magic, len, sum;
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

	if (!state_buf.len)
		state_buf.len = sizeof(struct state_frame);
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

static void state_put_int(uint64_t n, unsigned int bytes)
{
	state_put(&n, bytes);
}

static void state_put_bytes(const void *data, uint32_t len)
{
	state_put_int(len, 4);
	state_put(data, len);
}

static void state_put_string(const char *s)
{
	state_put_bytes(s, strlen(s) + 1);
}

static bool state_begin(enum state_record type)
{
	if (state_quiet || !state_path)
		return false;
	state_put_int(type, 1);
	return true;
}

static void state_put_perms(const struct perms *perms)
{
	unsigned int i;

	state_put_int(perms->n, 4);
	for (i = 0; i < perms->n; i++) {
		state_put_int(perms->p[i].domid, 2);
		state_put_int(perms->p[i].access, 1);
	}
}

/* The node at path is like n, its children aside. */
void state_node(const char *path, const struct node *n)
{
	if (!state_begin(R_NODE))
		return;
	state_put_string(path);
	state_put_perms(n->perms);
	state_put_bytes(n->value ? n->value->data : NULL,
			n->value ? n->value->len : 0);
}

/* The node at path is gone, and all below. */
void state_remove(const char *path)
{
	if (state_begin(R_REMOVE))
		state_put_string(path);
}

/* The permissions of a special path changed. */
void state_special(const char *name, const struct perms *perms)
{
	if (!state_begin(R_SPECIAL))
		return;
	state_put_string(name);
	state_put_perms(perms);
}

/* d is introduced and like this; `reset`: its connection is new. */
void state_domain(const struct domain *d, bool reset)
{
	if (!state_begin(R_DOMAIN))
		return;
	state_put_int(d->domid, 2);
	state_put_int(reset, 1);
	state_put_int(d->shutdown, 1);
	state_put_int(d->target, 2);
	state_put_int(d->gfn, 8);
	state_put_int(d->remote_port, 4);
}

/* A domain's connection ended. */
void state_release(domid_t domid)
{
	if (state_begin(R_RELEASE))
		state_put_int(domid, 2);
}

/* Something about a watch of a ring. */
void state_watch(const struct watch *w, enum state_watch_op op)
{
	if (!w->conn->domain || !state_begin(R_WATCH))
		return;
	state_put_int(op, 1);
	state_put_int(w->conn->who.domid, 2);
	state_put_int(w->relative, 4);
	state_put_string(w->path);
	state_put_string(w->token);
}

/* A transaction of a ring begins or ends. */
void state_txn(const struct txn *t, bool begin)
{
	if (!state_begin(R_TXN))
		return;
	state_put_int(begin, 1);
	state_put_int(t->conn->who.domid, 2);
	state_put_int(t->id, 4);
}

static void state_put_conn(const struct domain *d, uint32_t rsp_prod)
{
	state_put_int(d->domid, 2);
	state_put_int(d->req_cons, 4);
	state_put_int(rsp_prod, 4);
	state_put_bytes(d->conn->in.bytes, d->conn->in.used);
}

/* How far a ring has been read, and what part of a request waits. */
void state_conn(const struct domain *d)
{
	if (state_begin(R_CONN))
		state_put_conn(d, d->rsp_prod);
}

/* A message was queued for a ring. */
void state_out(const struct domain *d, const struct msg *m)
{
	if (!state_begin(R_OUT))
		return;
	state_put_int(d->domid, 2);
	state_put_bytes(m->bytes, m->len);
}

/* A quota was set. */
void state_quota(unsigned int i)
{
	if (!state_begin(R_QUOTA))
		return;
	state_put_string(quotas[i].name);
	state_put_int(quotas[i].value, 4);
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

static uint32_t state_sum(const char *p, size_t len)
{
	uint32_t h = 2166136261u;

	while (len--)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h;
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
	if (len <= sizeof(f))
		return 0;
	f.len = len - sizeof(f);
	f.sum = state_sum(state_buf.p + sizeof(f), f.len);
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
	state_begin(R_CONN);
	state_put_conn(d, d->rsp_prod - (c->out ? c->out->sent : 0));
	for (m = c->out; m; m = m->next)
		state_out(d, m);
	state_conn(d);
	for (w = c->watches; w; w = w->next) {
		state_watch(w, WATCH_ADD);
		if (w->owed)
			state_watch(w, WATCH_OWE);
	}
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

	state_begin(R_BOOT);
	state_put_string(state_boot());
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

/* Writes the file anew; the buffer is part of what it tells. */
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

/* Reading it back.  A field that is not there makes everything `bad`. */
struct state_in {
	const char *p, *end;
	bool bad;
};

static const char *state_get(struct state_in *in, size_t len)
{
	const char *p = in->p;

	if (in->bad || (size_t)(in->end - p) < len) {
		in->bad = true;
		return NULL;
	}
	in->p += len;
	return p;
}

static uint64_t state_get_int(struct state_in *in, unsigned int bytes)
{
	const char *p = state_get(in, bytes);
	uint64_t n = 0;

	if (p)
		memcpy(&n, p, bytes);
	return n;
}

static const char *state_get_bytes(struct state_in *in, uint32_t *len)
{
	*len = state_get_int(in, 4);
	return state_get(in, *len);
}

static const char *state_get_string(struct state_in *in)
{
	uint32_t len;
	const char *s = state_get_bytes(in, &len);

	if (!s || !len || s[len - 1]) {
		in->bad = true;
		return "";
	}
	return s;
}

static struct perms *state_get_perms(struct state_in *in)
{
	struct wire_perm p[XENSTORE_PAYLOAD_MAX / 3];
	unsigned int n = state_get_int(in, 4), i;
	struct perms *perms;

	if (!n || n > ARRAY_SIZE(p))
		in->bad = true;
	for (i = 0; i < n && !in->bad; i++) {
		p[i].domid = state_get_int(in, 2);
		p[i].access = state_get_int(in, 1);
	}
	perms = in->bad ? NULL : perms_new(p, n);
	if (!perms)
		in->bad = true;
	return perms;
}

static struct domain *state_get_domain(struct state_in *in)
{
	unsigned int domid = state_get_int(in, 2);
	struct domain *d = domid < DOMID_FIRST_RESERVED ? domains[domid]
							 : NULL;

	if (d && d->conn)
		return d;
	in->bad = true;
	return NULL;
}

static void state_load_node(struct state_in *in)
{
	const char *path = state_get_string(in), *data;
	struct perms *perms = state_get_perms(in);
	struct value *v = NULL;
	uint32_t len;

	data = state_get_bytes(in, &len);
	if (!in->bad)
		v = value_new(data, len);
	if (!v || !path_valid(path) || tree_make(&tree_main, path, perms) ||
	    tree_set_perms(&tree_main, path, perms) ||
	    tree_set_value(&tree_main, path, v))
		in->bad = true;
	value_put(v);
	perms_put(perms);
}

static void state_load_remove(struct state_in *in)
{
	const char *path = state_get_string(in);

	if (in->bad || !path_valid(path) || !path[1])
		in->bad = true;
	else if (tree_find(tree_main.root, path) &&
		 tree_remove(&tree_main, path))
		in->bad = true;
}

static void state_load_special(struct state_in *in)
{
	struct perms **slot = watch_special_perms(state_get_string(in));
	struct perms *perms = state_get_perms(in);

	if (!slot || !perms) {
		perms_put(perms);
		in->bad = true;
		return;
	}
	perms_put(*slot);
	*slot = perms;
}

static void state_load_domain(struct state_in *in)
{
	unsigned int domid = state_get_int(in, 2);
	bool reset = state_get_int(in, 1);
	struct domain *d = NULL;

	if (!in->bad && domid < DOMID_FIRST_RESERVED)
		d = domain_restore(domid, reset);
	if (!d) {
		in->bad = true;
		return;
	}
	d->shutdown = state_get_int(in, 1);
	domain_set_target(d, state_get_int(in, 2));
	d->gfn = state_get_int(in, 8);
	d->remote_port = state_get_int(in, 4);
}

static void state_load_release(struct state_in *in)
{
	unsigned int domid = state_get_int(in, 2);

	if (domid >= DOMID_FIRST_RESERVED)
		in->bad = true;
	else
		domain_drop(domid);
}

static void state_load_watch(struct state_in *in)
{
	enum state_watch_op op = state_get_int(in, 1);
	struct domain *d = state_get_domain(in);
	unsigned int relative = state_get_int(in, 4);
	const char *path = state_get_string(in);
	const char *token = state_get_string(in);
	struct watch *w;

	if (in->bad || relative > strlen(path)) {
		in->bad = true;
		return;
	}
	w = watch_find(d->conn, path, token);
	if (op == WATCH_ADD && !w)
		in->bad |= watch_add(d->conn, path, token, relative, &w) != 0;
	else if (op == WATCH_DEL && w)
		watch_del(d->conn, w);
	else if (w && w->owed != (op == WATCH_OWE)) {
		w->owed = !w->owed;
		d->conn->nr_owed += w->owed ? 1 : -1;
	}
}

static void state_load_txn(struct state_in *in)
{
	bool begin = state_get_int(in, 1);
	struct domain *d = state_get_domain(in);
	uint32_t id = state_get_int(in, 4);
	struct txn *t;

	if (in->bad)
		return;
	t = txn_find(d->conn, id);
	if (!begin && t)
		txn_end(t);
	if (!begin || t)
		return;
	t = txn_start(d->conn, id);
	if (!t) {
		in->bad = true;
		return;
	}
	t->retry = true;
	if (d->conn->next_tx <= id)
		d->conn->next_tx = id + 1;
}

static void state_load_conn(struct state_in *in)
{
	struct domain *d = state_get_domain(in);
	uint32_t req_cons = state_get_int(in, 4), len;
	uint32_t rsp_prod = state_get_int(in, 4);
	const char *part = state_get_bytes(in, &len);

	if (in->bad || len > sizeof(d->conn->in.bytes)) {
		in->bad = true;
		return;
	}
	d->req_cons = req_cons;
	conn_sent(d->conn, rsp_prod - d->rsp_prod);
	d->rsp_prod = rsp_prod;
	memcpy(d->conn->in.bytes, part, len);
	d->conn->in.used = len;
}

static void state_load_out(struct state_in *in)
{
	struct domain *d = state_get_domain(in);
	uint32_t len;
	const char *bytes = state_get_bytes(in, &len);

	if (in->bad || len < sizeof(struct xsd_sockmsg) ||
	    !conn_requeue(d->conn, bytes, len))
		in->bad = true;
}

static void state_load_quota(struct state_in *in)
{
	const char *name = state_get_string(in);
	uint32_t value = state_get_int(in, 4);
	unsigned int i;

	for (i = 0; i < Q_COUNT; i++)
		if (!in->bad && !strcmp(quotas[i].name, name))
			quotas[i].value = value;
}

static void state_load_record(struct state_in *in)
{
	switch (state_get_int(in, 1)) {
	case R_BOOT:	 state_get_string(in);	 break;
	case R_QUOTA:	 state_load_quota(in);	 break;
	case R_SPECIAL:	 state_load_special(in); break;
	case R_DOMAIN:	 state_load_domain(in);	 break;
	case R_RELEASE:	 state_load_release(in); break;
	case R_WATCH:	 state_load_watch(in);	 break;
	case R_TXN:	 state_load_txn(in);	 break;
	case R_CONN:	 state_load_conn(in);	 break;
	case R_OUT:	 state_load_out(in);	 break;
	case R_NODE:	 state_load_node(in);	 break;
	case R_REMOVE:	 state_load_remove(in);	 break;
	default:	 in->bad = true;	 break;
	}
}

/* The next whole and undamaged frame; false if there is none. */
static bool state_next_frame(struct state_in *file, struct state_in *in)
{
	struct state_frame f;
	const char *p = state_get(file, sizeof(f));

	if (!p)
		return false;
	memcpy(&f, p, sizeof(f));
	p = state_get(file, f.len);
	if (!p || f.magic != STATE_MAGIC || state_sum(p, f.len) != f.sum)
		return false;
	*in = (struct state_in){ .p = p, .end = p + f.len };
	return true;
}

static void state_load_frames(struct state_in *file)
{
	struct state_in in;

	while (state_next_frame(file, &in))
		while (in.p < in.end) {
			state_load_record(&in);
			if (in.bad)
				fatalx("%s: a damaged record", state_path);
		}
}

static bool state_this_boot(struct state_in file)
{
	struct state_in in;

	return state_next_frame(&file, &in) &&
	       state_get_int(&in, 1) == R_BOOT &&
	       !strcmp(state_get_string(&in), state_boot());
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
	struct state_in file = { 0 };
	size_t len;
	char *p = state_read_file(path, &len);
	bool ours;

	if (!p)
		return false;
	state_path = path;
	file.p = p;
	file.end = p + len;
	ours = state_this_boot(file);
	if (ours) {
		state_quiet = true;
		state_load_frames(&file);
		tree_walk(tree_main.root, "/", state_mention_fn, NULL);
		state_quiet = false;
	}
	free(p);
	return ours;
}
