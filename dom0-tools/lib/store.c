// SPDX-License-Identifier: GPL-2.0
/*
 * A client of xenstored, through its Unix socket.
 *
 * Calls wait for their answer.  Watches call their function from the event
 * loop, never from inside another call here, so a function may use the store
 * as it likes.
 *
 * A daemon that is killed and started again is no error: calls connect anew
 * and repeat the request, all of which may safely be done twice; watches are
 * registered again, and each fires once more, as a new watch does.  Inside a
 * transaction the caller gets -EAGAIN instead, as if another had won, and so
 * begins it again, as it must be ready to do anyway.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include "lib.h"

#define STORE_SOCKET	"/run/xenstored/socket"

#define STRING(s)	{ (void *)(s), strlen(s) + 1 }

struct store_watch {
	struct store_watch *next;
	store_watch_fn *fn;
	void *arg;
	bool fired;		/* and its function is to be called */
	char token[12];		/* a number */
	char path[];
};

struct store {
	int fd;				/* -1: to be connected again */
	uint32_t next_req;
	unsigned int next_watch;
	struct store_watch *watches;
	struct loop_timer tell;		/* armed when a watch fired */
	struct wire_in in;		/* the last message */
};

static void store_readable(void *arg, unsigned int events);
static void store_disconnect(struct store *s)
{
	loop_del(s->fd);	/* -1 is none */
	close(s->fd);
	s->fd = -1;
}

/* Notes whom the event in s->in is for. */
static void store_event(struct store *s)
{
	struct store_watch *w;
	const char *part[2];

	if (wire_strings(s->in.payload, s->in.hdr.len, part, 2) < 2)
		return;
	for (w = s->watches; w; w = w->next)
		w->fired |= !strcmp(w->token, part[1]);
	loop_timer_set(&s->tell, 0);
}

/* Reads the next message into s->in.  -EPIPE: the daemon is gone. */
static int store_receive(struct store *s)
{
	unsigned int want;
	ssize_t r;

	s->in.used = 0;
	while ((want = wire_wanted(&s->in))) {
		r = want == ~0u ? 0 : read(s->fd, s->in.bytes + s->in.used,
					   want);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			store_disconnect(s);
			return -EPIPE;
		}
		s->in.used += r;
	}
	return 0;
}

/* Sends and waits; the answer stays in s->in.  -EPIPE: the daemon is gone. */
static int store_talk_once(struct store *s, uint32_t type, uint32_t tx,
			   const struct iovec *v, int n)
{
	struct xsd_sockmsg hdr = {
		.type = type, .req_id = ++s->next_req, .tx_id = tx,
	};
	struct iovec out[3] = { { &hdr, sizeof(hdr) } };
	struct msghdr msg = { .msg_iov = out, .msg_iovlen = n + 1 };
	size_t len = 0;

	for (; n; n--) {
		out[n] = v[n - 1];
		len += v[n - 1].iov_len;
	}
	if (len > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	hdr.len = len;
	/* The kernel takes so little whole or not at all. */
	if (sendmsg(s->fd, &msg, MSG_NOSIGNAL) < 0) {
		store_disconnect(s);
		return -EPIPE;
	}
	do {
		if (store_receive(s))
			return -EPIPE;
		if (s->in.hdr.type == XS_WATCH_EVENT)
			store_event(s);
	} while (s->in.hdr.type == XS_WATCH_EVENT ||
		 s->in.hdr.req_id != s->next_req);
	if (s->in.hdr.type == type)
		return 0;
	if (s->in.hdr.type != XS_ERROR ||
	    !memchr(s->in.payload, 0, s->in.hdr.len))
		return -EIO;
	return -wire_error_number(s->in.payload);
}

/* Connects if need be, patiently (ms), and restores the watches. */
static int store_ensure(struct store *s, unsigned int patience)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("XENSTORED_SOCKET");
	struct store_watch *w;
	uint64_t end;
	int rc;

	if (s->fd >= 0)
		return 0;
	end = loop_now() + patience;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s",
		 path ? path : STORE_SOCKET);
	while (s->fd < 0) {
		s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rc = s->fd < 0 || connect(s->fd, (struct sockaddr *)&to,
					  sizeof(to)) ? -errno : 0;
		if (!rc)
			rc = loop_add(s->fd, LOOP_IN, store_readable, s);
		if (rc) {
			store_disconnect(s);
			if (loop_now() >= end)
				return rc;
			usleep(20000);
		}
		for (w = s->watches; w && s->fd >= 0; w = w->next)
			store_talk_once(s, XS_WATCH, 0, (struct iovec[2]){
				STRING(w->path), STRING(w->token) }, 2);
	}
	return 0;
}

static void store_readable(void *arg, unsigned int events)
{
	struct store *s = arg;

	(void)events;
	/* A call may have taken what the loop saw: nobody waits for more. */
	if (recv(s->fd, s->in.bytes, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    errno == EAGAIN)
		return;
	if (!store_receive(s)) {
		if (s->in.hdr.type == XS_WATCH_EVENT)
			store_event(s);
	} else if (store_ensure(s, STORE_PATIENCE)) {
		fatalx("xenstored is gone and does not come back");
	}
}

/* Calls those whose watches fired, in turn; they may begin and end any. */
static void store_tell(void *arg)
{
	struct store *s = arg;
	struct store_watch **p, *w;

	for (p = &s->watches; (w = *p);) {
		if (!w->fired) {
			p = &w->next;
			continue;
		}
		/* Behind all others, so that each has its turn. */
		w->fired = false;
		for (*p = w->next; *p;)
			p = &(*p)->next;
		*p = w;
		w->next = NULL;
		w->fn(w->arg);
		p = &s->watches;
	}
}

/* A connection; NULL with errno if the daemon cannot be reached for so many
 * ms. */
struct store *store_open(unsigned int patience)
{
	struct store *s = malloc(sizeof(*s));
	int rc;

	if (!s)
		return NULL;
	*s = (struct store){ .fd = -1, .tell = { .fn = store_tell, .arg = s } };
	rc = store_ensure(s, patience);
	if (!rc)
		return s;
	free(s);
	errno = -rc;
	return NULL;
}

static int store_talk(struct store *s, uint32_t type, uint32_t tx,
		      const struct iovec *v, int n)
{
	int rc;

	do {
		if (s->fd < 0 && tx)
			return -EAGAIN;
		rc = store_ensure(s, STORE_PATIENCE);
		if (!rc)
			rc = store_talk_once(s, type, tx, v, n);
	} while (rc == -EPIPE);
	return rc;
}

static int store_talk_string(struct store *s, uint32_t type, uint32_t tx,
			     const char *string)
{
	return store_talk(s, type, tx, &(struct iovec)STRING(string), 1);
}

/*
 * The value of a node, with a NUL behind it, in the arena; *len (unless NULL)
 * is its length.  NULL with errno.
 */
char *store_read(struct store *s, struct arena *a, uint32_t tx,
		 const char *path, unsigned int *len)
{
	int rc = store_talk_string(s, XS_READ, tx, path);

	if (len && !rc)
		*len = s->in.hdr.len;
	errno = -rc;
	return rc ? NULL : arena_copy(a, s->in.payload, s->in.hdr.len);
}

/* Writes a node, creating it and its parents if need be. */
int store_write(struct store *s, uint32_t tx, const char *path,
		const void *value, unsigned int len)
{
	const struct iovec v[2] = { STRING(path), { (void *)value, len } };

	return store_talk(s, XS_WRITE, tx, v, 2);
}

/* Makes sure that a node exists. */
int store_mkdir(struct store *s, uint32_t tx, const char *path)
{
	return store_talk_string(s, XS_MKDIR, tx, path);
}

/* Removes a node and all below; -ENOENT if its parent does not exist. */
int store_rm(struct store *s, uint32_t tx, const char *path)
{
	return store_talk_string(s, XS_RM, tx, path);
}

/*
 * The names of a node's children, of a list that fits into one message: *n
 * pointers, in the arena.  NULL with errno.
 */
char **store_list(struct store *s, struct arena *a, uint32_t tx,
		  const char *path, unsigned int *n)
{
	int rc = store_talk_string(s, XS_DIRECTORY, tx, path), count;
	const char *list, **names;

	count = rc ? 0 : wire_strings(s->in.payload, s->in.hdr.len, NULL, 0);
	if (rc || count < 0) {
		errno = rc ? -rc : EIO;
		return NULL;
	}
	list = arena_copy(a, s->in.payload, s->in.hdr.len);
	names = arena_alloc(a, (count + 1) * sizeof(*names));
	*n = wire_strings(list, s->in.hdr.len, names, count);
	return (char **)names;
}

/* Sets permissions; the first names the owner and what all others may do. */
int store_set_perms(struct store *s, uint32_t tx, const char *path,
		    const struct wire_perm *perms, unsigned int n)
{
	char text[16 * WIRE_PERM_CHARS];
	struct iovec v[2] = { STRING(path), { text, 0 } };
	unsigned int i;

	if (n > 16)
		return -E2BIG;
	for (i = 0; i < n; i++)
		v[1].iov_len += wire_format_perm(&perms[i],
						 text + v[1].iov_len);
	return store_talk(s, XS_SET_PERMS, tx, v, 2);
}

/* Begins a transaction; *tx is what the calls within it need. */
int store_begin(struct store *s, uint32_t *tx)
{
	int rc = store_talk_string(s, XS_TRANSACTION_START, 0, "");

	if (rc)
		return rc;
	return memchr(s->in.payload, 0, s->in.hdr.len) &&
	       wire_parse_u32(s->in.payload, UINT32_MAX, tx) ? 0 : -EIO;
}

/*
 * Ends it, for nothing or for good.  -EAGAIN: somebody changed what it saw;
 * nothing was done, begin again.
 */
int store_end(struct store *s, uint32_t tx, bool commit)
{
	return store_talk_string(s, XS_TRANSACTION_END, tx,
				 commit ? "T" : "F");
}

/*
 * Calls fn(arg) from the event loop: once soon, and then whenever the node at
 * path or one below changes.  NULL with errno.
 */
struct store_watch *store_watch(struct store *s, const char *path,
				store_watch_fn *fn, void *arg)
{
	struct store_watch *w = malloc(sizeof(*w) + strlen(path) + 1);
	int rc;

	if (!w)
		return NULL;
	*w = (struct store_watch){ .fn = fn, .arg = arg };
	strcpy(w->path, path);
	snprintf(w->token, sizeof(w->token), "%u", s->next_watch++);
	rc = store_talk(s, XS_WATCH, 0, (struct iovec[2]){
			STRING(w->path), STRING(w->token) }, 2);
	if (rc) {
		free(w);
		errno = -rc;
		return NULL;
	}
	w->next = s->watches;
	s->watches = w;
	return w;
}

/* Ends a watch; its function is not called again. */
void store_unwatch(struct store *s, struct store_watch *w)
{
	struct store_watch **p = &s->watches;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	/* If the daemon is gone so is the watch. */
	if (s->fd >= 0)
		store_talk_once(s, XS_UNWATCH, 0, (struct iovec[2]){
				STRING(w->path), STRING(w->token) }, 2);
	free(w);
}

/* Tells the daemon of a new domain, its ring's frame and its event port. */
int store_introduce(struct store *s, domid_t domid, uint64_t gfn,
		    uint32_t port)
{
	char text[64];
	struct iovec v = { text, 0 };

	v.iov_len = snprintf(text, sizeof(text), "%u%c%llu%c%u", domid, 0,
			     (unsigned long long)gfn, 0, port) + 1;
	return store_talk(s, XS_INTRODUCE, 0, &v, 1);
}

/* The daemon shall let go of a domain. */
int store_release(struct store *s, domid_t domid)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", domid);
	return store_talk_string(s, XS_RELEASE, 0, text);
}
