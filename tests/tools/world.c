// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "world.h"

#undef strtoull

#define STATE "/dev/shm/test-store-state.%d"

enum domain_fate world_fate[DOMID_FIRST_RESERVED] = {
	[0 ... DOMID_FIRST_RESERVED - 1] = DOMAIN_GONE,
};
long world_fail_at, world_allocations;
static char state_file[64];

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);

static bool fails(void)
{
	return ++world_allocations == world_fail_at;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return fails() ? NULL : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

/* conn_ring.c's part */
int ring_attach(struct domain *d) { d->local_port = 1; return 0; }
void ring_detach(struct domain *d) { (void)d; }
void ring_restart(struct domain *d) { d->req_cons = d->rsp_prod = 0; }
enum domain_fate ring_domain_fate(domid_t domid) { return world_fate[domid]; }

void world_start(void)
{
	unsigned int i;

	for (i = 0; i < domains_end; i++)
		world_fate[i] = DOMAIN_GONE;
	world_fate[0] = DOMAIN_RUNS;
	world_fail_at = 0;
	if (tree_init(&tree_main) || watch_init() ||
	    domain_introduce(0, 1))
		abort();
	snprintf(state_file, sizeof(state_file), STATE, (int)getpid());
	state_open(state_file);
}

static void stop(void)
{
	unsigned int i;

	for (i = 0; i < domains_end; i++)
		domain_drop(i);
	while (conns)
		conn_free(conns);
	tree_destroy(&tree_main);
	blob_put(specials[0].perms);
	blob_put(specials[1].perms);
}

void world_stop(void)
{
	stop();
	unlink(state_file);
}

void world_commit(void)
{
	state_commit();
}

void world_cut(unsigned int bytes)
{
	struct stat st;

	if (stat(state_file, &st) || truncate(state_file, st.st_size - bytes))
		abort();
}

bool world_restart(void)
{
	bool ok;

	state_commit();
	stop();
	if (tree_init(&tree_main) || watch_init())
		abort();
	ok = state_load(state_file);
	state_open(state_file);
	return ok;
}

struct conn *world_domain(domid_t domid)
{
	world_fate[domid] = DOMAIN_RUNS;
	if (domain_introduce(domid, 1))
		abort();
	return domains[domid]->conn;
}

struct conn *world_tool(void)
{
	return conn_new(-1, NULL);
}

const struct answer *ask(struct conn *c, uint32_t type, uint32_t tx,
			 const void *data, unsigned int len)
{
	static struct answer a;
	struct msg **p, *m;
	struct xsd_sockmsg hdr;
	static uint32_t id;

	hdr = (struct xsd_sockmsg){ type, ++id, tx, len };
	memset(&a, 0, sizeof(a));
	conn_feed(c, (char *)&hdr, sizeof(hdr));
	conn_feed(c, data, len);
	if (c->in.used) {
		a.type = XS_ERROR;
		strcpy(a.data, "ENOMEM");
		c->in.used = 0;
		return &a;
	}
	/* Its answer is the last message that is no event. */
	m = NULL;
	for (p = &c->out; *p; p = &(*p)->next)
		if (!(*p)->event)
			m = *p;
	if (!m) {
		CHECK(!"an answer");
		return &a;
	}
	memcpy(&hdr, m->bytes, sizeof(hdr));
	CHECK_EQ(hdr.req_id, id);
	CHECK_EQ(hdr.tx_id, tx);
	CHECK(hdr.type == type || hdr.type == XS_ERROR);
	a.type = hdr.type;
	a.len = hdr.len;
	memcpy(a.data, m->bytes + sizeof(hdr), a.len);
	/* Taken by the client out of order: only tests can. */
	for (p = &c->out; *p != m; p = &(*p)->next)
		;
	*p = m->next;
	if (!*p)
		c->out_end = p;
	c->replies--;
	c->out_bytes -= m->len;
	free(m);
	return &a;
}

int ask_error(struct conn *c, uint32_t type, uint32_t tx, const void *data,
	      unsigned int len)
{
	const struct answer *a = ask(c, type, tx, data, len);

	return a->type == XS_ERROR ? wire_error_number(a->data) : 0;
}

int do_op(struct conn *c, uint32_t type, uint32_t tx, const char *path)
{
	return ask_error(c, type, tx, path, strlen(path) + 1);
}

int put(struct conn *c, uint32_t tx, const char *path, const char *value)
{
	char buf[XENSTORE_PAYLOAD_MAX];
	unsigned int n = strlen(path) + 1;

	strcpy(buf, path);
	strcpy(buf + n, value);
	return ask_error(c, XS_WRITE, tx, buf, n + strlen(value));
}

const char *get(struct conn *c, uint32_t tx, const char *path)
{
	return ask(c, XS_READ, tx, path, strlen(path) + 1)->data;
}

int set_perms(struct conn *c, uint32_t tx, const char *path, const char *perms)
{
	char buf[XENSTORE_PAYLOAD_MAX];
	unsigned int n = strlen(path) + 1;
	char *p;

	strcpy(buf, path);
	strcpy(buf + n, perms);
	for (p = buf + n; *p; p++)
		if (*p == ' ')
			*p = 0;
	return ask_error(c, XS_SET_PERMS, tx, buf, n + strlen(perms) + 1);
}

uint32_t begin(struct conn *c)
{
	const struct answer *a = ask(c, XS_TRANSACTION_START, 0, "", 1);

	return a->type == XS_ERROR ? 0 : atoi(a->data);
}

int end(struct conn *c, uint32_t tx, bool commit)
{
	return do_op(c, XS_TRANSACTION_END, tx, commit ? "T" : "F");
}

int watch(struct conn *c, const char *path, const char *token)
{
	char buf[XENSTORE_PAYLOAD_MAX];
	unsigned int n = strlen(path) + 1;

	strcpy(buf, path);
	strcpy(buf + n, token);
	return ask_error(c, XS_WATCH, 0, buf, n + strlen(token) + 1);
}

const char *world_event(struct conn *c)
{
	static char text[XENSTORE_PAYLOAD_MAX + 1];
	struct msg *m = c->out;
	const char *body;

	if (!m)
		return "";
	body = m->bytes + sizeof(struct xsd_sockmsg);
	snprintf(text, sizeof(text), "%s %s", body, body + strlen(body) + 1);
	conn_sent(c, m->len);
	return text;
}

void world_drain(struct conn *c)
{
	while (c->out)
		conn_sent(c, c->out->len - c->out->sent);
}

static bool recount(void *arg, const char *path, const struct node *n)
{
	struct tally_entry *e = tally_get(arg, n->perms->perm[0].domid);

	(void)path;
	e->nodes++;
	e->bytes += node_bytes(n);
	return true;
}

bool tree_recount(const struct tree *t)
{
	struct tally now = { 0 };
	struct tally_entry *e, is;
	bool ok = true;
	unsigned int i;

	tree_walk(t->root, "/", recount, &now);
	for (i = 0; i < t->tally.n; i++) {
		is = t->tally.e[i];
		e = tally_get(&now, is.domid);
		ok = ok && e->nodes == is.nodes && e->bytes == is.bytes;
	}
	ok = ok && now.n == t->tally.n;
	free(now.e);
	return ok;
}
