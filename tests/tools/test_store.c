// SPDX-License-Identifier: GPL-2.0
/*
 * The store's requests, one property a function.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "world.h"

static struct conn *tool, *d1, *d2;

static void setup(void)
{
	world_start();
	tool = world_tool();
	d1 = world_domain(1);
	d2 = world_domain(2);
	put(tool, 0, "/local/domain/1", "");
	set_perms(tool, 0, "/local/domain/1", "n1 r2");
}

static void teardown(void)
{
	struct conn *c;

	CHECK(tree_recount(&tree_main));
	for (c = conns; c; c = c->next) {
		ask(c, XS_RESET_WATCHES, 0, "", 1);
		CHECK_EQ(c->held_bytes, 0);
		CHECK_EQ(c->nr_owed, 0);
		world_drain(c);
		CHECK_EQ(c->out_bytes, 0);
		CHECK_EQ(c->replies, 0);
	}
	world_stop();
}

#define EVENT(c, text) do { \
	const char *e_ = world_event(c); \
	if (strcmp(e_, text)) { \
		test_bad++; \
		printf("%s:%d: event '%s', want '%s'\n", __FILE__, \
		       __LINE__, e_, text); \
	} } while (0)
#define STR(a, b) do { \
	const char *a_ = (a); \
	if (strcmp(a_, b)) { \
		test_bad++; \
		printf("%s:%d: '%s', want '%s'\n", __FILE__, __LINE__, \
		       a_, b); \
	} } while (0)

static void read_and_write(void)
{
	setup();
	CHECK_EQ(put(tool, 0, "/a/b/c", "hello"), 0);
	STR(get(tool, 0, "/a/b/c"), "hello");
	STR(get(tool, 0, "/a/b"), "");
	STR(get(tool, 0, "/a/x"), "ENOENT");
	CHECK_EQ(put(tool, 0, "/a/b/c", ""), 0);
	CHECK_EQ(ask(tool, XS_READ, 0, "/a/b/c", 7)->len, 0);
	CHECK_EQ(do_op(tool, XS_RM, 0, "/a/b"), 0);
	STR(get(tool, 0, "/a/b/c"), "ENOENT");
	CHECK_EQ(do_op(tool, XS_RM, 0, "/a/b"), 0);
	CHECK_EQ(do_op(tool, XS_RM, 0, "/a/b/c"), ENOENT);
	CHECK_EQ(do_op(tool, XS_RM, 0, "/"), EINVAL);
	CHECK_EQ(do_op(tool, XS_MKDIR, 0, "/m/n"), 0);
	CHECK_EQ(do_op(tool, XS_MKDIR, 0, "/m/n"), 0);
	/* Values are bytes. */
	CHECK_EQ(ask_error(tool, XS_WRITE, 0, "/bin\0a\0b", 8), 0);
	CHECK_EQ(ask(tool, XS_READ, 0, "/bin", 5)->len, 3);
	teardown();
}

static void paths(void)
{
	static const char *const bad[] = {
		"", "//", "/a/", "/a//b", "/a b", "/a.b", "/a\x80", "a/",
		"@releaseDomain", "/local/domain/", "a//b",
	};
	char path[PATH_ROOM + 8];
	unsigned int i;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(put(d1, 0, bad[i], "x"), EINVAL);
		CHECK_EQ(do_op(d1, XS_READ, 0, bad[i]), EINVAL);
		CHECK_EQ(do_op(d1, XS_RM, 0, bad[i]), EINVAL);
	}
	/* Without NUL, or with too many. */
	CHECK_EQ(ask_error(d1, XS_READ, 0, "/a", 2), EINVAL);
	CHECK_EQ(ask_error(d1, XS_READ, 0, "", 0), EINVAL);
	CHECK_EQ(ask_error(d1, XS_WRITE, 0, "/a", 2), EINVAL);
	CHECK_EQ(ask_error(d1, XS_READ, 0, "/a\0/b", 6), EINVAL);
	/* Relative ones are a domain's own. */
	CHECK_EQ(put(d1, 0, "data/x-_@9", "v"), 0);
	STR(get(tool, 0, "/local/domain/1/data/x-_@9"), "v");
	CHECK_EQ(put(tool, 0, "rel", "w"), 0);
	STR(get(tool, 0, "/local/domain/0/rel"), "w");
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[XENSTORE_ABS_PATH_MAX] = 0;
	CHECK_EQ(put(tool, 0, path, "x"), 0);
	path[XENSTORE_ABS_PATH_MAX] = 'a';
	path[XENSTORE_ABS_PATH_MAX + 1] = 0;
	CHECK_EQ(put(tool, 0, path, "x"), EINVAL);
	path[0] = 'a';
	path[XENSTORE_REL_PATH_MAX] = 0;
	CHECK_EQ(put(tool, 0, path, "x"), 0);
	path[XENSTORE_REL_PATH_MAX] = 'a';
	CHECK_EQ(put(tool, 0, path, "x"), EINVAL);
	teardown();
}

/* Deepest path, and a tree that recursion would not survive. */
static void depth(void)
{
	char path[PATH_ROOM];
	unsigned int i;

	setup();
	for (i = 0; i < XENSTORE_ABS_PATH_MAX; i += 2)
		memcpy(path + i, "/a", 3);
	CHECK_EQ(put(tool, 0, path, "deep"), 0);
	STR(get(tool, 0, path), "deep");
	CHECK(tree_recount(&tree_main));
	CHECK_EQ(watch(tool, "/", "t"), 0);
	CHECK_EQ(do_op(tool, XS_RM, 0, "/a"), 0);
	teardown();
}

static void permissions(void)
{
	setup();
	CHECK_EQ(put(tool, 0, "/secret/x", "s"), 0);
	STR(get(d1, 0, "/secret/x"), "EACCES");
	STR(get(d1, 0, "/secret/none"), "EACCES");
	STR(get(d1, 0, "/none"), "EACCES");
	CHECK_EQ(put(d1, 0, "/secret/x", "y"), EACCES);
	CHECK_EQ(do_op(d1, XS_RM, 0, "/secret/x"), EACCES);
	CHECK_EQ(do_op(d1, XS_DIRECTORY, 0, "/secret"), EACCES);
	CHECK_EQ(do_op(d1, XS_GET_PERMS, 0, "/secret"), EACCES);
	CHECK_EQ(set_perms(d1, 0, "/secret", "b1"), EACCES);

	CHECK_EQ(set_perms(tool, 0, "/secret/x", "n0 r1"), 0);
	STR(get(d1, 0, "/secret/x"), "s");
	CHECK_EQ(put(d1, 0, "/secret/x", "y"), EACCES);
	STR(get(d2, 0, "/secret/x"), "EACCES");
	CHECK_EQ(set_perms(tool, 0, "/secret/x", "r0 w1"), 0);
	STR(get(d1, 0, "/secret/x"), "EACCES");
	CHECK_EQ(put(d1, 0, "/secret/x", "y"), 0);
	STR(get(d2, 0, "/secret/x"), "y");
	/* Readable directory: absence is no secret. */
	CHECK_EQ(set_perms(tool, 0, "/secret", "r0"), 0);
	STR(get(d1, 0, "/secret/none"), "ENOENT");

	/* A creator owns what it makes, the rest is inherited. */
	CHECK_EQ(put(d1, 0, "data/a", "1"), 0);
	STR(ask(tool, XS_GET_PERMS, 0, "/local/domain/1/data/a", 23)->data,
	    "n1");
	STR(get(d2, 0, "/local/domain/1/data/a"), "1");
	CHECK_EQ(set_perms(tool, 0, "/secret", "w0"), 0);
	CHECK_EQ(put(d2, 0, "/secret/mine", "2"), 0);
	STR(ask(tool, XS_GET_PERMS, 0, "/secret/mine", 13)->data, "w2");
	/* Owners may change rights but not the owner. */
	CHECK_EQ(set_perms(d2, 0, "/secret/mine", "n2 r1"), 0);
	CHECK_EQ(set_perms(d2, 0, "/secret/mine", "n1"), EPERM);
	CHECK_EQ(set_perms(d1, 0, "/secret/mine", "n1"), EACCES);
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "n1"), 0);
	/* Nonsense. */
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "x1"), EINVAL);
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "r"), EINVAL);
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "r32752"), EINVAL);
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "r-1"), EINVAL);
	CHECK_EQ(ask_error(tool, XS_SET_PERMS, 0, "/secret\0", 8), EINVAL);
	CHECK_EQ(ask_error(tool, XS_SET_PERMS, 0, "/secret\0r0", 10), EINVAL);
	/* Domains that do not exist own nothing and get nothing. */
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "r77"), ENOENT);
	CHECK_EQ(set_perms(tool, 0, "/secret/mine", "r0 r77 r1"), 0);
	CHECK_EQ(ask(tool, XS_GET_PERMS, 0, "/secret/mine", 13)->len, 6);
	teardown();
}

static void privileged_requests(void)
{
	static const uint32_t only[] = {
		XS_CONTROL, XS_INTRODUCE, XS_RELEASE, XS_RESUME,
		XS_SET_TARGET, XS_IS_DOMAIN_INTRODUCED,
	};
	unsigned int i;

	setup();
	for (i = 0; i < ARRAY_SIZE(only); i++)
		CHECK_EQ(ask_error(d1, only[i], 0, "1\0" "1\0" "1", 6), EACCES);
	CHECK_EQ(do_op(tool, XS_RELEASE, 0, "0"), EINVAL);
	CHECK_EQ(do_op(tool, XS_RELEASE, 0, "32752"), EINVAL);
	CHECK_EQ(do_op(tool, XS_RELEASE, 0, "5"), ENOENT);
	CHECK_EQ(ask_error(tool, XS_INTRODUCE, 0, "0\0" "1\0" "1", 6), EINVAL);
	CHECK_EQ(ask_error(tool, XS_INTRODUCE, 0, "3\0" "1\0" "0", 6), EINVAL);
	CHECK_EQ(ask_error(tool, XS_INTRODUCE, 0, "3\0" "x\0" "1", 6), EINVAL);
	CHECK_EQ(ask_error(tool, XS_INTRODUCE, 0, "3\0" "1", 4), EINVAL);
	STR(ask(tool, XS_IS_DOMAIN_INTRODUCED, 0, "1", 2)->data, "T");
	STR(ask(tool, XS_IS_DOMAIN_INTRODUCED, 0, "3", 2)->data, "F");
	STR(ask(d1, XS_GET_DOMAIN_PATH, 0, "3", 2)->data, "/local/domain/3");
	CHECK(tree_recount(&tree_main));
	CHECK_EQ(do_op(tool, XS_CONTROL, 0, "nonsense"), EINVAL);
	CHECK_EQ(ask_error(tool, 20, 0, "", 0), ENOSYS);
	CHECK_EQ(ask_error(tool, XS_ERROR, 0, "", 0), ENOSYS);
	CHECK_EQ(ask_error(tool, 0xffffffff, 0, "", 0), ENOSYS);
	/* A device model may do what its guest may. */
	STR(get(d2, 0, "/local/domain/1/x"), "ENOENT");
	CHECK_EQ(put(d2, 0, "/local/domain/1/x", "1"), EACCES);
	CHECK_EQ(ask_error(tool, XS_SET_TARGET, 0, "2\0" "1", 4), 0);
	CHECK_EQ(put(d2, 0, "/local/domain/1/x", "1"), 0);
	teardown();
}

static void transactions(void)
{
	uint32_t t, u;

	setup();
	put(tool, 0, "/a/x", "1");
	put(tool, 0, "/b/y", "1");
	t = begin(tool);
	CHECK(t);
	CHECK_EQ(put(tool, t, "/a/x", "2"), 0);
	STR(get(tool, t, "/a/x"), "2");
	STR(get(tool, 0, "/a/x"), "1");
	CHECK_EQ(end(tool, t, true), 0);
	STR(get(tool, 0, "/a/x"), "2");
	CHECK_EQ(end(tool, t, true), ENOENT);
	CHECK_EQ(put(tool, t, "/a/x", "3"), ENOENT);
	/* Abandoned. */
	t = begin(tool);
	put(tool, t, "/new/node", "1");
	CHECK_EQ(end(tool, t, false), 0);
	STR(get(tool, 0, "/new"), "ENOENT");
	/* Two that do not meet. */
	t = begin(tool);
	u = begin(d1);
	put(tool, t, "/a/new", "t");
	put(d1, u, "data/new", "u");
	CHECK_EQ(end(tool, t, true), 0);
	CHECK_EQ(end(d1, u, true), 0);
	STR(get(tool, 0, "/a/new"), "t");
	STR(get(tool, 0, "/local/domain/1/data/new"), "u");
	/* Same node. */
	t = begin(tool);
	get(tool, t, "/a/x");
	put(tool, t, "/b/y", "t");
	put(tool, 0, "/a/x", "9");
	CHECK_EQ(end(tool, t, true), EAGAIN);
	STR(get(tool, 0, "/b/y"), "1");
	/* Siblings created at the same time, unless the list was read. */
	t = begin(tool);
	put(tool, t, "/a/n1", "");
	put(tool, 0, "/a/n2", "");
	CHECK_EQ(end(tool, t, true), 0);
	t = begin(tool);
	do_op(tool, XS_DIRECTORY, t, "/a");
	put(tool, t, "/a/n3", "");
	put(tool, 0, "/a/n4", "");
	CHECK_EQ(end(tool, t, true), EAGAIN);
	/* A node whose absence was seen. */
	t = begin(tool);
	STR(get(tool, t, "/a/n5"), "ENOENT");
	put(tool, t, "/b/y", "z");
	put(tool, 0, "/a/n5", "");
	CHECK_EQ(end(tool, t, true), EAGAIN);
	/* A subtree removed while another writes into it, as a guest may do
	 * without end; and the other way round. */
	t = begin(tool);
	put(tool, t, "/a/n5/deep/more", "");
	CHECK_EQ(do_op(tool, XS_RM, 0, "/a"), 0);
	CHECK_EQ(end(tool, t, true), EAGAIN);
	put(tool, 0, "/a/n5", "");
	t = begin(tool);
	CHECK_EQ(do_op(tool, XS_RM, t, "/a"), 0);
	put(tool, 0, "/a/n5/deep/er", "");
	CHECK_EQ(end(tool, t, true), 0);
	STR(get(tool, 0, "/a"), "ENOENT");
	/* Removed and made again, within, while elsewhere things change. */
	put(tool, 0, "/c/d/e", "old");
	t = begin(tool);
	do_op(tool, XS_RM, t, "/c/d");
	put(tool, t, "/c/d/f", "new");
	put(tool, 0, "/elsewhere", "");
	CHECK_EQ(end(tool, t, true), 0);
	STR(get(tool, 0, "/c/d/e"), "ENOENT");
	STR(get(tool, 0, "/c/d/f"), "new");
	/* One that only reads always succeeds and saw one moment. */
	t = begin(tool);
	STR(get(tool, t, "/c/d/f"), "new");
	put(tool, 0, "/c/d/f", "newer");
	STR(get(tool, t, "/c/d/f"), "new");
	CHECK_EQ(end(tool, t, true), 0);
	/* Bad uses. */
	CHECK_EQ(end(tool, 0, true), ENOENT);
	t = begin(tool);
	CHECK_EQ(do_op(tool, XS_TRANSACTION_END, t, "X"), EINVAL);
	CHECK_EQ(ask_error(tool, XS_TRANSACTION_START, t, "", 1), EBUSY);
	CHECK_EQ(end(d1, t, true), ENOENT);
	CHECK_EQ(end(tool, t, true), 0);
	teardown();
}

static void sixteen_writers(void)
{
	struct conn *c[16];
	uint32_t t[16];
	char path[64];
	int i, round;

	setup();
	for (i = 0; i < 16; i++)
		c[i] = world_tool();
	put(tool, 0, "/w", "");
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 16; i++)
			t[i] = begin(c[i]);
		for (i = 0; i < 16; i++) {
			snprintf(path, sizeof(path), "/w/%d/%d", i, round);
			CHECK_EQ(put(c[i], t[i], path, "v"), 0);
			snprintf(path, sizeof(path), "/w/%d/count", i);
			get(c[i], t[i], path);
			CHECK_EQ(put(c[i], t[i], path, "v"), 0);
		}
		for (i = 0; i < 16; i++)
			CHECK_EQ(end(c[i], t[i], true), 0);
	}
	teardown();
}

/* A guest's snapshot does not keep others' old versions for ever. */
static void old_snapshots(void)
{
	struct node *base;
	char value[2000];
	uint32_t t, of_tool;
	int i;

	setup();
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	put(tool, 0, "/local/domain/2", "");
	set_perms(tool, 0, "/local/domain/2", "n2");
	of_tool = begin(tool);
	t = begin(d1);
	base = d1->txns->base;
	CHECK_EQ(put(tool, of_tool, "/a", "x"), 0);
	CHECK_EQ(put(d1, t, "a", "x"), 0);
	for (i = 0; i < 5000; i++)
		CHECK_EQ(put(d2, 0, "b", value), 0);
	CHECK(d1->txns->base != base);
	CHECK(tool->txns->base == base);
	CHECK_EQ(put(d1, t, "c", "y"), 0);
	CHECK_EQ(end(d1, t, true), EAGAIN);
	STR(get(d1, 0, "c"), "ENOENT");
	CHECK_EQ(end(tool, of_tool, true), 0);
	t = begin(d1);
	CHECK_EQ(put(d1, t, "c", "y"), 0);
	CHECK_EQ(end(d1, t, true), 0);
	teardown();
}

static void watches(void)
{
	uint32_t t;

	setup();
	CHECK_EQ(watch(tool, "/a", "T"), 0);
	EVENT(tool, "/a T");
	CHECK_EQ(watch(tool, "/a", "T"), EEXIST);
	CHECK_EQ(watch(tool, "/a", "U"), 0);
	EVENT(tool, "/a U");
	CHECK_EQ(ask_error(tool, XS_UNWATCH, 0, "/a\0U", 5), 0);
	CHECK_EQ(ask_error(tool, XS_UNWATCH, 0, "/a\0U", 5), ENOENT);
	put(tool, 0, "/a/b/c", "1");
	EVENT(tool, "/a/b/c T");
	put(tool, 0, "/ab", "1");
	EVENT(tool, "");
	set_perms(tool, 0, "/a/b/c", "r0");
	EVENT(tool, "/a/b/c T");
	do_op(tool, XS_RM, 0, "/a/b");
	EVENT(tool, "/a/b T");
	do_op(tool, XS_MKDIR, 0, "/a/b");
	EVENT(tool, "/a/b T");
	do_op(tool, XS_MKDIR, 0, "/a/b");
	EVENT(tool, "");
	/* Those below a removed node hear their own path. */
	put(tool, 0, "/a/b/c", "1");
	EVENT(tool, "/a/b/c T");
	watch(tool, "/a/b/c", "V");
	EVENT(tool, "/a/b/c V");
	do_op(tool, XS_RM, 0, "/a");
	EVENT(tool, "/a T");
	EVENT(tool, "/a/b/c V");
	EVENT(tool, "");
	/* Transactions tell only when and if they succeed. */
	t = begin(tool);
	put(tool, t, "/a/1", "");
	put(tool, t, "/a/2", "");
	EVENT(tool, "");
	end(tool, t, true);
	EVENT(tool, "/a/1 T");
	EVENT(tool, "/a/2 T");
	t = begin(tool);
	put(tool, t, "/a/3", "");
	end(tool, t, false);
	EVENT(tool, "");
	/* The root sees everything but the special ones. */
	watch(d2, "/", "R");
	EVENT(d2, "/ R");
	world_domain(5);
	EVENT(d2, "");
	/* Relative. */
	CHECK_EQ(watch(d1, "data", "D"), 0);
	EVENT(d1, "data D");
	put(d1, 0, "data/q", "");
	EVENT(d1, "data/q D");
	CHECK_EQ(watch(d1, "", "D"), EINVAL);
	CHECK_EQ(ask_error(d1, XS_WATCH, 0, "x", 2), EINVAL);
	CHECK_EQ(ask_error(d1, XS_WATCH, 0, "x\0y", 3), EINVAL);
	CHECK_EQ(ask_error(d1, XS_RESET_WATCHES, 0, "", 1), 0);
	put(d1, 0, "data/q", "");
	EVENT(d1, "");
	teardown();
}

/* XSA-115: nobody hears of what he may not read. */
static void watch_permissions(void)
{
	setup();
	put(tool, 0, "/s/x", "1");
	watch(d1, "/s", "T");
	EVENT(d1, "/s T");
	put(tool, 0, "/s/x", "2");
	EVENT(d1, "");
	set_perms(tool, 0, "/s/x", "r0");
	EVENT(d1, "/s/x T");
	put(tool, 0, "/s/x", "2");
	EVENT(d1, "/s/x T");
	/* Losing the right is the last one hears. */
	set_perms(tool, 0, "/s/x", "n0");
	EVENT(d1, "/s/x T");
	put(tool, 0, "/s/x", "3");
	EVENT(d1, "");
	do_op(tool, XS_RM, 0, "/s/x");
	EVENT(d1, "");
	/* Removal of a readable one is heard. */
	put(tool, 0, "/s/y", "");
	set_perms(tool, 0, "/s/y", "r0");
	EVENT(d1, "/s/y T");
	do_op(tool, XS_RM, 0, "/s/y");
	EVENT(d1, "/s/y T");
	/* Special ones need their own rights. */
	watch(d1, "@releaseDomain", "S");
	EVENT(d1, "@releaseDomain S");
	watch(tool, "@releaseDomain", "S");
	EVENT(tool, "@releaseDomain S");
	world_domain(7);
	do_op(tool, XS_RELEASE, 0, "7");
	EVENT(d1, "");
	EVENT(tool, "@releaseDomain S");
	CHECK_EQ(set_perms(d1, 0, "@releaseDomain", "r0"), EACCES);
	CHECK_EQ(set_perms(tool, 0, "@releaseDomain", "n0 r1"), 0);
	CHECK_EQ(set_perms(tool, 0, "@nonsense", "n0 r1"), EINVAL);
	world_domain(7);
	do_op(tool, XS_RELEASE, 0, "7");
	EVENT(d1, "@releaseDomain S");
	teardown();
}

static void quota_limits(void)
{
	char name[3000];
	uint32_t t, ids[16];
	int i, n;

	setup();
	/* Nodes. */
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "data/%d/%d", i / 40, i);
		if (put(d1, 0, name, "x"))
			break;
	}
	CHECK(i > 900 && i < 1000);
	CHECK_EQ(put(d1, 0, name, "x"), ENOSPC);
	CHECK_EQ(put(d1, 0, "data/0/0", "still"), 0);
	CHECK_EQ(do_op(d1, XS_RM, 0, "data"), 0);
	/* The same inside a transaction. */
	t = begin(d1);
	for (i = 0, n = 0; i < 2000 && !n; i++) {
		snprintf(name, sizeof(name), "data/%d/%d", i / 40, i);
		n = put(d1, t, name, "x");
	}
	CHECK_EQ(n, ENOSPC);
	CHECK(i < 1030);
	end(d1, t, false);
	/* Size of a node. */
	memset(name, 'x', sizeof(name));
	name[2048] = 0;
	CHECK_EQ(put(d1, 0, "big", name), 0);
	name[2048] = 'x';
	name[2049] = 0;
	CHECK_EQ(put(d1, 0, "big", name), ENOSPC);
	CHECK_EQ(put(tool, 0, "/big", name), 0);
	/* Watches. */
	for (i = 0; i < 128; i++) {
		snprintf(name, sizeof(name), "w/%d", i);
		CHECK_EQ(watch(d1, name, "t"), 0);
	}
	CHECK_EQ(watch(d1, "one-more", "t"), E2BIG);
	CHECK_EQ(watch(d2, "one-more", "t"), 0);
	/* Transactions. */
	for (i = 0; i < 10; i++) {
		ids[i] = begin(d1);
		CHECK(ids[i]);
	}
	CHECK_EQ(ask_error(d1, XS_TRANSACTION_START, 0, "", 1), ENOSPC);
	CHECK_EQ(end(d1, ids[3], false), 0);
	CHECK(begin(d1));
	/* Permissions. */
	CHECK_EQ(set_perms(d1, 0, "big", "n1 r2 r2 r2 r2"), 0);
	CHECK_EQ(set_perms(d1, 0, "big", "n1 r2 r2 r2 r2 r2"), ENOSPC);
	/* Limits can be changed. */
	CHECK_EQ(ask_error(tool, XS_CONTROL, 0, "quota\0set\0watches\0" "129",
			   22), 0);
	CHECK_EQ(watch(d1, "one-more", "t"), 0);
	CHECK_EQ(ask_error(tool, XS_CONTROL, 0, "quota\0set\0watches\0" "128",
			   22), 0);
	teardown();
}

/* A guest that does not read costs a bounded amount, and loses nothing. */
static void flood(void)
{
	char name[64];
	struct conn *c;
	int i, seen = 0;

	setup();
	CHECK_EQ(watch(d1, "/flood", "t"), 0);
	world_drain(d1);
	put(tool, 0, "/flood", "");
	set_perms(tool, 0, "/flood", "r0");
	for (i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "/flood/%d", i % 20000);
		put(tool, 0, name, "");
	}
	CHECK(d1->out_bytes < 3000000);
	CHECK_EQ(d1->nr_owed, 1);
	world_commit();
	CHECK(world_restart());
	c = domains[1]->conn;
	CHECK_EQ(c->nr_owed, 1);
	while (*world_event(c))
		seen++;
	CHECK(seen > 1000);
	watch_pay(c);
	CHECK_EQ(c->nr_owed, 0);
	EVENT(c, "/flood t");
	/* Many times the same is once. */
	tool = world_tool();
	for (i = 0; i < 100; i++)
		put(tool, 0, "/flood", "x");
	EVENT(c, "/flood t");
	EVENT(c, "");
	teardown();
}

/* Guests' events do not take the place of those that tell Dom0's kernel of a
 * new device: what it is owed says too little. */
static void flood_of_dom0(void)
{
	struct conn *dom0;
	char name[64];
	const char *e;
	bool told = false;
	int i;

	setup();
	dom0 = domains[0]->conn;
	CHECK_EQ(watch(dom0, "/flood", "f"), 0);
	CHECK_EQ(watch(dom0, "backend", "b"), 0);
	world_drain(dom0);
	for (i = 0; !dom0->nr_owed && i < 40000; i++) {
		snprintf(name, sizeof(name), "/flood/%d", i);
		put(tool, 0, name, "");
	}
	CHECK_EQ(dom0->nr_owed, 1);
	put(tool, 0, "/local/domain/0/backend/vif/7/0/state", "1");
	CHECK_EQ(dom0->nr_owed, 1);
	while (*(e = world_event(dom0)))
		told = told || !strcmp(e, "backend/vif/7/0/state b");
	CHECK(told);
	world_drain(dom0);
	watch_pay(dom0);
	teardown();
}

/* Answers that nobody takes stop the asking. */
static void outstanding(void)
{
	struct xsd_sockmsg hdr = { .type = XS_READ, .len = 2 };
	int i;

	setup();
	for (i = 0; i < 30 && !conn_blocked(d1); i++) {
		hdr.req_id = i;
		conn_feed(d1, (char *)&hdr, sizeof(hdr));
		conn_feed(d1, "/", 2);
	}
	CHECK_EQ(i, 20);
	conn_sent(d1, d1->out->len);
	CHECK(!conn_blocked(d1));
	teardown();
}

static void directory_parts(void)
{
	char name[64], args[64], list[40000], gen[32] = "";
	const struct answer *a;
	unsigned int len = 0, n, count = 0, i;

	setup();
	for (i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "/big/node-%u", i);
		put(tool, 0, name, "");
	}
	CHECK_EQ(do_op(tool, XS_DIRECTORY, 0, "/big"), E2BIG);
	do {
		n = snprintf(args, sizeof(args), "/big%c%u", 0, len) + 1;
		a = ask(tool, XS_DIRECTORY_PART, 0, args, n);
		CHECK_EQ(a->type, XS_DIRECTORY_PART);
		if (!gen[0])
			strcpy(gen, a->data);
		STR(gen, a->data);
		n = strlen(a->data) + 1;
		memcpy(list + len, a->data + n, a->len - n);
		len += a->len - n;
	} while (a->type == XS_DIRECTORY_PART && a->len > n &&
		 !(len >= 2 && !list[len - 1] && !list[len - 2]));
	for (i = 0; i + 1 < len; i += strlen(list + i) + 1)
		count++;
	CHECK_EQ(count, 1500);
	n = snprintf(args, sizeof(args), "/big%c%u", 0, 1000000) + 1;
	CHECK_EQ(ask(tool, XS_DIRECTORY_PART, 0, args, n)->len,
		 strlen(gen) + 2);
	teardown();
}

/* XSA-322, -419: nothing of a dead domain stays for the next one. */
static void release(void)
{
	struct conn *c;
	uint32_t t;

	setup();
	world_domain(3);
	c = domains[3]->conn;
	put(tool, 0, "/local/domain/3", "");
	set_perms(tool, 0, "/local/domain/3", "n0 w3");
	CHECK_EQ(put(c, 0, "data/a/b", "mine"), 0);
	put(tool, 0, "/local/domain/3/data/a/foreign", "");
	set_perms(tool, 0, "/local/domain/3/data/a/foreign", "n0");
	put(tool, 0, "/for3", "");
	set_perms(tool, 0, "/for3", "n0 r3 r1");
	set_perms(tool, 0, "@releaseDomain", "n0 r3");
	t = begin(tool);
	set_perms(tool, t, "/for3", "n0 b3");
	watch(tool, "@releaseDomain", "T");
	world_drain(tool);
	world_fate[3] = DOMAIN_SHUTDOWN;
	domain_scan();
	EVENT(tool, "@releaseDomain T");
	domain_scan();
	EVENT(tool, "");
	CHECK_EQ(do_op(tool, XS_RESUME, 0, "3"), 0);
	domain_scan();
	EVENT(tool, "@releaseDomain T");
	world_fate[3] = DOMAIN_DYING;
	domain_scan();
	EVENT(tool, "@releaseDomain T");
	CHECK(!domains[3]);
	STR(get(tool, 0, "/local/domain/3/data"), "ENOENT");
	STR(get(tool, 0, "/local/domain/3"), "");
	CHECK_EQ(end(tool, t, true), EAGAIN);
	world_domain(3);
	c = domains[3]->conn;
	STR(get(c, 0, "/for3"), "EACCES");
	STR(get(d1, 0, "/for3"), "");
	CHECK_EQ(put(c, 0, "data", ""), EACCES);
	/* One that is only mentioned is noticed, too. */
	world_fate[4] = DOMAIN_RUNS;
	set_perms(tool, 0, "/for3", "n0 r4");
	CHECK(domains[4] && !domains[4]->conn);
	world_fate[4] = DOMAIN_GONE;
	domain_scan();
	CHECK(!domains[4]);
	STR(ask(tool, XS_GET_PERMS, 0, "/for3", 6)->data, "n0");
	CHECK_EQ(ask(tool, XS_GET_PERMS, 0, "/for3", 6)->len, 3);
	EVENT(tool, "");
	teardown();
}

static void killed(void)
{
	struct conn *c;
	uint32_t t, u;
	char in[5] = "part";

	setup();
	put(tool, 0, "/k/a", "1");
	set_perms(tool, 0, "/k/a", "n0 r1 b2");
	put(tool, 0, "/k/b", "2");
	do_op(tool, XS_RM, 0, "/k/b");
	CHECK_EQ(watch(d1, "/k", "K"), 0);
	CHECK_EQ(watch(d1, "gone", "K"), 0);
	CHECK_EQ(ask_error(d1, XS_UNWATCH, 0, "gone\0K", 7), 0);
	t = begin(d1);
	u = begin(d2);
	put(d1, t, "x", "lost");
	put(tool, 0, "/k/a", "3");	/* one more event for d1 */
	set_perms(tool, 0, "@releaseDomain", "n0 r1");
	memcpy(d1->in.bytes, in, 4);
	d1->in.used = 4;
	domains[1]->req_cons = 77;
	state_domain(domains[1], STATE_SAME);	/* as ring_receive() does */
	state_domain(domains[2], STATE_SAME);
	CHECK(world_restart());
	tool = world_tool();
	c = domains[1]->conn;
	d2 = domains[2]->conn;
	CHECK_EQ(c->in.used, 4);
	CHECK_EQ(domains[1]->req_cons, 77);
	c->in.used = 0;
	STR(get(tool, 0, "/k/a"), "3");
	STR(get(tool, 0, "/k/b"), "ENOENT");
	CHECK_EQ(ask(tool, XS_GET_PERMS, 0, "/k/a", 5)->len, 9);
	/* Events in the old order, answers of ask() aside, which the old
	 * daemon's client had taken behind its back. */
	CHECK(c->out);
	world_drain(c);
	put(tool, 0, "/k/a", "4");
	EVENT(c, "/k/a K");
	put(tool, 0, "/local/domain/1/gone", "");
	EVENT(c, "");
	/* Transactions: known, but they cannot succeed. */
	CHECK_EQ(put(c, t, "x", "again"), 0);
	CHECK_EQ(end(c, t, true), EAGAIN);
	CHECK_EQ(end(d2, u, false), 0);
	CHECK(perms_count(watch_special("@releaseDomain")->perms) == 2);
	CHECK(begin(c) > t);
	teardown();
}

/* A frame cut short anywhere did not happen; all before it did. */
static void cut_journal(void)
{
	char name[64], value[16];
	unsigned int cut;
	int i, last;

	for (cut = 1; cut < 150; cut += 3) {
		setup();
		for (i = 0; i < 5; i++) {
			snprintf(value, sizeof(value), "%d", i);
			snprintf(name, sizeof(name), "/cut/%d", i);
			put(tool, 0, name, value);
			put(tool, 0, "/cut/last", value);
			world_commit();
		}
		world_cut(cut);
		CHECK(world_restart());
		tool = world_tool();
		last = atoi(get(tool, 0, "/cut/last"));
		CHECK(last < 4);
		snprintf(name, sizeof(name), "/cut/%d", last);
		STR(get(tool, 0, name), name + 5);
		snprintf(name, sizeof(name), "/cut/%d", last + 1);
		STR(get(tool, 0, name), "ENOENT");
		teardown();
	}
}

/* While the journal cannot be written anew the old one is good enough. */
static void no_new_journal(void)
{
	char path[64], value[2000];
	int i;

	setup();
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	snprintf(path, sizeof(path), "/dev/shm/test-store-state.%d.new",
		 (int)getpid());
	CHECK_EQ(mkdir(path, 0700), 0);
	for (i = 0; i < 800; i++) {
		value[0] = 'a' + i % 26;
		CHECK_EQ(put(tool, 0, "/big", value), 0);
		world_commit();
	}
	CHECK_EQ(rmdir(path), 0);
	CHECK(world_restart());
	tool = world_tool();
	STR(get(tool, 0, "/big"), value);
	teardown();
}

/* Whatever allocation fails, a request happens or does not. */
static void no_memory(void)
{
	char before[32];
	int rc, removed;
	uint32_t t;
	long n;

	for (n = 1; n < 400; n++) {
		setup();
		put(tool, 0, "/m/a", "old");
		set_perms(tool, 0, "/m", "b0");
		watch(d1, "/m", "W");
		t = begin(tool);
		put(tool, t, "/m/t/u", "t");
		strcpy(before, "old");
		world_allocations = 0;
		world_fail_at = n;
		rc = put(tool, 0, "/m/a", "new");
		if (!rc)
			strcpy(before, "new");
		put(d1, 0, "/m/b/c/d", "x");
		set_perms(d1, 0, "/m/b", "n1 r2");
		do_op(d1, XS_RM, 0, "/m/b/c");
		watch(d2, "/m", "V");
		put(tool, t, "/m/t/v", "t");
		removed = !do_op(tool, XS_RM, t, "/m/t/u");
		rc = end(tool, t, true);
		CHECK(rc == 0 || rc == ENOMEM);
		if (world_allocations < n)
			n = 1000;
		domain_scan();
		world_fate[2] = DOMAIN_GONE;
		domain_scan();
		domain_scan();
		CHECK(!domains[2]);
		world_fail_at = 0;
		STR(get(tool, 0, "/m/a"), before);
		STR(get(tool, 0, "/m/t/u"), !rc && !removed ? "t" : "ENOENT");
		CHECK(tree_recount(&tree_main));
		world_commit();
		world_commit();
		CHECK(world_restart());
		tool = world_tool();
		STR(get(tool, 0, "/m/a"), before);
		CHECK(tree_recount(&tree_main));
		world_stop();
	}
	CHECK(n > 1000);	/* the end was reached */
}

int main(void)
{
	log_open("test");
	RUN(read_and_write);
	RUN(paths);
	RUN(depth);
	RUN(permissions);
	RUN(privileged_requests);
	RUN(transactions);
	RUN(sixteen_writers);
	RUN(old_snapshots);
	RUN(watches);
	RUN(watch_permissions);
	RUN(quota_limits);
	RUN(flood);
	RUN(flood_of_dom0);
	RUN(outstanding);
	RUN(directory_parts);
	RUN(release);
	RUN(killed);
	RUN(cut_journal);
	RUN(no_new_journal);
	RUN(no_memory);
	return test_done();
}
