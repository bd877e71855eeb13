// SPDX-License-Identifier: GPL-2.0
/*
 * The store beside a naive one, which copies everything: random requests of a
 * tool and two domains, in and out of transactions, must give the same
 * answers, the same tree and the right events; now and then the daemon is
 * killed and started again.
 *
 *	test_model [STEPS [SEED]]
 */
#include <errno.h>
#include "world.h"

#define NODES	512
#define CLIENTS	3
#define TXNS	3
#define WATCHES	6

struct mnode {
	char path[24], value[12];
	struct wire_perm perm[3];
	int nr_perms;
	long value_ver, perms_ver, list_ver, made_ver;
};
struct mtree {
	struct mnode node[NODES];
	int n;
};
struct mdep {
	char path[24];
	bool value, perms, list;
};
struct mtxn {
	uint32_t id;
	struct mtree base, now;
	struct mdep dep[4000];
	int nr_deps;
	struct {
		uint32_t type;
		char path[24], arg[24];
	} op[1000];		/* changes, to be done again at the end */
	int nr_ops;
};
struct mclient {
	struct conn *c;
	int domid;
	struct mtxn *txn[TXNS];
	char watch[WATCHES][24];
};

static struct mtree model, before;
static struct mclient clients[CLIENTS];
static long versions;

static unsigned int pick(unsigned int n)
{
	return test_random() % n;
}

static const char *random_path(void)
{
	static char path[24];
	int i, depth = 1 + pick(4);

	if (!pick(40))
		return "/";
	path[0] = 0;
	for (i = 0; i < depth; i++)
		sprintf(path + strlen(path), "/%c", 'a' + pick(3));
	return path;
}

static void parent_of(const char *path, char *up)
{
	char *slash;

	memmove(up, path, strlen(path) + 1);
	slash = strrchr(up, '/');
	slash[slash == up] = 0;
}

static struct mnode *find(struct mtree *t, const char *path)
{
	int i;

	for (i = 0; i < t->n; i++)
		if (!strcmp(t->node[i].path, path))
			return &t->node[i];
	return NULL;
}

static struct mnode *near(struct mtree *t, const char *path)
{
	char up[24];
	struct mnode *n;

	strcpy(up, path);
	while (!(n = find(t, up)))
		parent_of(up, up);
	return n;
}

static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (n == 1)
		return true;
	return !strncmp(path, top, n) && (!path[n] || path[n] == '/');
}

static bool allowed(int domid, const struct mnode *n, int access)
{
	int i;

	if (!domid || n->perm[0].domid == domid)
		return true;
	for (i = 1; i < n->nr_perms; i++)
		if (n->perm[i].domid == domid)
			return (n->perm[i].access & access) == access;
	return (n->perm[0].access & access) == access;
}

static void depend(struct mtxn *x, const char *path, const char *what)
{
	struct mdep *d;

	if (!x)
		return;
	d = &x->dep[x->nr_deps++];
	memset(d, 0, sizeof(*d));
	strcpy(d->path, path);
	d->value = strchr(what, 'v');
	d->perms = strchr(what, 'p');
	d->list = strchr(what, 'l');
}

/* What a node is to who asks for it; 0, EACCES or ENOENT. */
static int lookup(struct mtree *t, struct mtxn *x, int domid,
		  const char *path, int access, const char *what,
		  struct mnode **n)
{
	struct mnode *up = near(t, path);

	*n = find(t, path);
	depend(x, path, what);
	if (!*n && domid)
		depend(x, up->path, "p");
	if (!allowed(domid, up, access))
		return EACCES;
	return *n ? 0 : ENOENT;
}

static void create(struct mtree *t, struct mtxn *x, int domid,
		   const char *path)
{
	struct mnode *up = near(t, path), *n;
	struct mnode from = *up;
	char part[24];
	size_t i;

	depend(x, up->path, "p");
	up->list_ver = ++versions;
	if (domid)
		from.perm[0].domid = domid;
	for (i = strlen(up->path) == 1 ? 1 : strlen(up->path) + 1;; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		depend(x, part, "");
		n = &t->node[t->n++];
		memset(n, 0, sizeof(*n));
		strcpy(n->path, part);
		memcpy(n->perm, from.perm, sizeof(n->perm));
		n->nr_perms = from.nr_perms;
		n->value_ver = n->perms_ver = n->list_ver = ++versions;
		n->made_ver = versions;
		if (!path[i])
			return;
	}
}

static void remove_tree(struct mtree *t, const char *path)
{
	char up[24];
	int i, n = 0;

	for (i = 0; i < t->n; i++)
		if (!below(t->node[i].path, path))
			t->node[n++] = t->node[i];
	t->n = n;
	parent_of(path, up);
	find(t, up)->list_ver = ++versions;
}

static int parse_perms(const char *s, struct wire_perm *p)
{
	int n = 0;

	for (; *s; s += 2 + (s[2] == ' '))
		p[n++] = (struct wire_perm){
			s[1] - '0', strchr("nrwb", *s) - "nrwb",
		};
	return n;
}

/* The change itself, on any tree; x notes what it depends on. */
static int change(struct mtree *t, struct mtxn *x, int domid, uint32_t type,
		  const char *path, const char *arg)
{
	struct wire_perm perm[3];
	struct mnode *n;
	char up[24];
	int rc, count;

	switch (type) {
	case XS_WRITE:
	case XS_MKDIR:
		rc = lookup(t, x, domid, path, WIRE_WRITE,
			    type == XS_WRITE ? "vp" : "p", &n);
		if (rc == EACCES || (!rc && type == XS_MKDIR))
			return rc;
		if (rc)
			create(t, x, domid, path);
		if (type == XS_WRITE) {
			n = find(t, path);
			strcpy(n->value, arg);
			n->value_ver = ++versions;
		}
		return 0;
	case XS_RM:
		rc = lookup(t, x, domid, path, WIRE_WRITE, "p", &n);
		if (rc == EACCES)
			return rc;
		if (!strcmp(path, "/"))
			return EINVAL;
		parent_of(path, up);
		if (rc) {
			depend(x, up, "");
			return find(t, up) ? 0 : ENOENT;
		}
		remove_tree(t, path);
		return 0;
	default:
		rc = lookup(t, x, domid, path, WIRE_WRITE, "p", &n);
		if (rc)
			return rc;
		if (domid && n->perm[0].domid != domid)
			return EACCES;
		count = parse_perms(arg, perm);
		if (domid && perm[0].domid != domid)
			return EPERM;
		n->nr_perms = count;
		memcpy(n->perm, perm, sizeof(perm));
		n->perms_ver = ++versions;
		return 0;
	}
}

static bool same(struct mtree *a, struct mtree *b, const struct mdep *d)
{
	struct mnode *x = find(a, d->path), *y = find(b, d->path);

	if (!x || !y)
		return !x && !y;
	return (!d->value || x->value_ver == y->value_ver) &&
	       (!d->perms || x->perms_ver == y->perms_ver) &&
	       (!d->list || x->list_ver == y->list_ver);
}

static int commit(struct mtxn *x, int domid)
{
	int i;

	if (!x->nr_ops)
		return 0;
	for (i = 0; i < x->nr_deps; i++)
		if (!same(&x->base, &model, &x->dep[i]))
			return EAGAIN;
	for (i = 0; i < x->nr_ops; i++)
		change(&model, NULL, domid, x->op[i].type, x->op[i].path,
		       x->op[i].arg);
	return 0;
}

static bool differs(const struct mnode *a, const struct mnode *b)
{
	return !a || !b || a->value_ver != b->value_ver ||
	       a->perms_ver != b->perms_ver;
}

/* Could domid read path and all above before? */
static bool all_allowed(int domid, const char *path)
{
	char up[24];

	for (strcpy(up, path); allowed(domid, find(&before, up), WIRE_READ);
	     parent_of(up, up))
		if (!up[1])
			return true;
	return false;
}

/*
 * Must a watch of domid at `top` have heard something?  Of a removed node (it
 * may be there again) surely if it could read the way to it: the event names
 * the highest one.
 */
static bool must_hear(int domid, const char *top)
{
	struct mnode *n, *o;
	int i;

	for (i = 0; i < model.n; i++) {
		n = &model.node[i];
		o = find(&before, n->path);
		if (below(n->path, top) && differs(n, o) &&
		    (allowed(domid, n, WIRE_READ) ||
		     (o && (n->made_ver == o->made_ver ?
			    allowed(domid, o, WIRE_READ) :
			    all_allowed(domid, o->path)))))
			return true;
	}
	for (i = 0; i < before.n; i++) {
		o = &before.node[i];
		if (below(o->path, top) && !find(&model, o->path) &&
		    all_allowed(domid, o->path))
			return true;
	}
	return false;
}

/* May domid hear of a change at path? */
static bool may_hear(int domid, const char *path)
{
	struct mnode *n = find(&model, path), *o = find(&before, path);
	char up[24];

	if ((n && allowed(domid, n, WIRE_READ)) ||
	    (o && allowed(domid, o, WIRE_READ)))
		return true;
	if (!path[1])
		return false;
	parent_of(path, up);
	return allowed(domid, near(&model, up), WIRE_READ);
}

static void check_events(void)
{
	char path[64], token[64];
	bool heard[WATCHES];
	struct mclient *c;
	const char *e;
	int i;

	for (c = clients; c < clients + CLIENTS; c++) {
		memset(heard, 0, sizeof(heard));
		while (*(e = world_event(c->c))) {
			if (sscanf(e, "%63s %63s", path, token) != 2)
				abort();
			i = atoi(token);
			heard[i] = true;
			CHECK(below(path, c->watch[i]));
			CHECK(may_hear(c->domid, path));
		}
		for (i = 0; i < WATCHES; i++)
			if (c->watch[i][0])
				CHECK(heard[i] ||
				      !must_hear(c->domid, c->watch[i]));
	}
}

static bool compare_node(void *arg, const char *path, const struct node *n)
{
	struct mnode *m = find(&model, path);
	int i;

	++*(int *)arg;
	CHECK(m);
	if (!m)
		return false;
	CHECK_EQ(n->value ? n->value->len : 0, strlen(m->value));
	CHECK(!n->value || !memcmp(n->value->data, m->value, n->value->len));
	CHECK_EQ(perms_count(n->perms), m->nr_perms);
	for (i = 0; i < m->nr_perms; i++)
		CHECK(n->perms->perm[i].domid == m->perm[i].domid &&
		      n->perms->perm[i].access == m->perm[i].access);
	return !test_bad;
}

static void check_tree(void)
{
	int n = 0;

	tree_walk(tree_main.root, "/", compare_node, &n);
	CHECK_EQ(n, model.n);
	CHECK(tree_recount(&tree_main));
}

static void check_list(struct conn *c, uint32_t id, struct mtree *t,
		       const char *path)
{
	const struct answer *a = ask(c, XS_DIRECTORY, id, path,
				     strlen(path) + 1);
	char child[32];
	unsigned int i;
	int n = 0, want = 0, j;

	for (i = 0; i < a->len; i += strlen(a->data + i) + 1, n++) {
		snprintf(child, sizeof(child), "%s/%s",
			 path[1] ? path : "", a->data + i);
		CHECK(find(t, child));
	}
	for (j = 0; j < t->n; j++) {
		parent_of(t->node[j].path, child);
		want += t->node[j].path[1] && !strcmp(child, path);
	}
	CHECK_EQ(n, want);
}

static void step_read(struct mclient *c, struct mtxn *x)
{
	struct mtree *t = x ? &x->now : &model;
	uint32_t id = x ? x->id : 0;
	const char *path = random_path();
	struct mnode *n;
	int rc;

	if (pick(3)) {
		rc = lookup(t, x, c->domid, path, WIRE_READ, "vp", &n);
		CHECK_EQ(do_op(c->c, XS_READ, id, path), rc);
		if (!rc)
			CHECK(!strcmp(get(c->c, id, path), n->value));
		return;
	}
	rc = lookup(t, x, c->domid, path, WIRE_READ, "lp", &n);
	CHECK_EQ(do_op(c->c, XS_DIRECTORY, id, path), rc);
	if (!rc)
		check_list(c->c, id, t, path);
}

static void step_change(struct mclient *c, struct mtxn *x)
{
	static const uint32_t types[] = {
		XS_WRITE, XS_WRITE, XS_WRITE, XS_MKDIR, XS_RM, XS_SET_PERMS,
	};
	uint32_t type = types[pick(ARRAY_SIZE(types))], id = x ? x->id : 0;
	struct mtree *t = x ? &x->now : &model;
	char path[24], arg[24] = "";
	long was;
	int rc, got, i;

	strcpy(path, random_path());
	if (type == XS_WRITE)
		sprintf(arg, "%u", pick(1000));
	for (i = 0; type == XS_SET_PERMS && i <= (int)pick(3); i++)
		sprintf(arg + strlen(arg), "%s%c%u", i ? " " : "",
			"nrwbbb"[pick(6)], pick(3));
	was = versions;
	rc = change(t, x, c->domid, type, path, arg);
	if (type == XS_WRITE)
		got = put(c->c, id, path, arg);
	else if (type == XS_SET_PERMS)
		got = set_perms(c->c, id, path, arg);
	else
		got = do_op(c->c, type, id, path);
	CHECK_EQ(got, rc);
	if (got != rc)
		printf("type %u path %s arg '%s' domid %d tx %u\n", type,
		       path, arg, c->domid, id);
	if (!x || was == versions)
		return;
	x->op[x->nr_ops].type = type;
	strcpy(x->op[x->nr_ops].path, path);
	strcpy(x->op[x->nr_ops++].arg, arg);
}

static void finish(struct mclient *c, struct mtxn **slot, bool keep)
{
	struct mtxn *x = *slot;

	CHECK_EQ(end(c->c, x->id, keep), keep ? commit(x, c->domid) : 0);
	free(x);
	*slot = NULL;
}

static void step_txn(struct mclient *c)
{
	struct mtxn **slot = &c->txn[pick(TXNS)], *x = *slot;

	if (x) {
		finish(c, slot, pick(5));
		return;
	}
	x = *slot = calloc(1, sizeof(*x));
	x->id = begin(c->c);
	CHECK(x->id);
	x->base = x->now = model;
}

static void step_watch(struct mclient *c)
{
	int i = pick(WATCHES);
	char args[40], *path = c->watch[i];
	unsigned int n;

	if (path[0]) {
		n = sprintf(args, "%s%c%d", path, 0, i) + 1;
		CHECK_EQ(ask_error(c->c, XS_UNWATCH, 0, args, n), 0);
		path[0] = 0;
		return;
	}
	strcpy(path, random_path());
	sprintf(args, "%d", i);
	CHECK_EQ(watch(c->c, path, args), 0);
	world_drain(c->c);
}

static void kill_daemon(void)
{
	struct mclient *c;
	int i;

	for (c = clients; c < clients + CLIENTS; c++)
		for (i = 0; i < TXNS; i++)
			if (c->txn[i])
				finish(c, &c->txn[i], false);
	CHECK(world_restart());
	clients[0].c = world_tool();
	memset(clients[0].watch, 0, sizeof(clients[0].watch));
	for (i = 1; i < CLIENTS; i++) {
		clients[i].c = domains[i]->conn;
		/* Answers that ask() took are in the journal still. */
		world_drain(clients[i].c);
	}
	check_tree();
}

static void step(void)
{
	struct mclient *c = &clients[pick(CLIENTS)];
	struct mtxn *x = pick(2) ? c->txn[pick(TXNS)] : NULL;
	unsigned int what = pick(100);

	if (x && (x->nr_ops > 900 || x->nr_deps > 3900))
		finish(c, &c->txn[x == c->txn[1] ? 1 : x == c->txn[2] ? 2 : 0],
		       true);
	else if (what < 30)
		step_read(c, x);
	else if (what < 75)
		step_change(c, x);
	else if (what < 92)
		step_txn(c);
	else
		step_watch(c);
}

static long steps = 60000;

static void like_the_model(void)
{
	long i;
	int j;

	for (j = 0; j < (int)Q_COUNT; j++)
		quotas[j].value = 1000000000;
	world_start();
	model.n = 1;
	strcpy(model.node[0].path, "/");
	model.node[0].nr_perms = 1;
	clients[0].c = world_tool();
	for (j = 1; j < CLIENTS; j++) {
		clients[j].domid = j;
		clients[j].c = world_domain(j);
	}
	for (i = 0; i < steps && !test_bad; i++) {
		before = model;
		step();
		check_events();
		if (i % 64 == 0) {
			world_commit();
			check_tree();
		}
		if (i % 4096 == 4095)
			kill_daemon();
	}
	if (test_bad)
		printf("at step %ld\n", i - 1);
	kill_daemon();
	world_stop();
}

int main(int argc, char **argv)
{
	log_open("test");
	if (argc > 1)
		steps = atol(argv[1]);
	if (argc > 2)
		test_seed = atol(argv[2]);
	RUN(like_the_model);
	return test_done();
}
