// SPDX-License-Identifier: GPL-2.0
/*
 * A client of xenstored: through its Unix socket or, where there is none (the
 * daemon runs in another domain), through the kernel's /dev/xen/xenbus.
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
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <unistd.h>
#include "lib.h"

#define STORE_SOCKET	"/run/xenstored/socket"
#define STORE_KERNEL	"/dev/xen/xenbus"
#define STORE_PATIENCE	30000	/* ms to wait for the daemon to return */

struct store_event {
	struct store_event *next;
	unsigned int id;	/* of the watch */
	char path[];
};

struct store_watch {
	struct store_watch *next;
	store_watch_fn *fn;
	void *arg;
	unsigned int id;	/* the token, in decimal */
	char path[];
};

struct store {
	int fd;				/* -1: to be connected again */
	uint32_t next_req;
	unsigned int next_watch;
	struct store_watch *watches;
	struct store_event *events, **events_end;	/* not yet told */
	struct loop_timer tell;		/* armed while there are events */
	struct wire_in in;
};

static void store_readable(void *arg, unsigned int events);
static int store_register(struct store *s, const struct store_watch *w);

static int store_connect(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("XENSTORED_SOCKET");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s",
		 path ? path : STORE_SOCKET);
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	close(fd);
	if (access(STORE_SOCKET, F_OK) == 0 || path)
		return -ECONNREFUSED;
	fd = open(STORE_KERNEL, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void store_disconnect(struct store *s)
{
	if (s->fd < 0)
		return;
	loop_del(s->fd);
	close(s->fd);
	s->fd = -1;
	s->in.used = 0;
}

/* Connects if need be, patiently, and restores the watches. */
static int store_ensure(struct store *s)
{
	uint64_t end = loop_now() + STORE_PATIENCE;
	struct store_watch *w;
	int rc;

	while (s->fd < 0) {
		rc = store_connect();
		if (rc < 0 && loop_now() >= end)
			return rc;
		if (rc < 0) {
			usleep(20000);
			continue;
		}
		s->fd = rc;
		rc = loop_add(s->fd, LOOP_IN, store_readable, s);
		if (rc) {
			store_disconnect(s);
			return rc;
		}
		for (w = s->watches; w && s->fd >= 0; w = w->next)
			store_register(s, w);
	}
	return 0;
}

/* A connection; NULL with errno if the daemon cannot be reached. */
struct store *store_open(void)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return NULL;
	s->events_end = &s->events;
	s->next_watch = 1;
	s->fd = store_connect();
	rc = s->fd < 0 ? s->fd : loop_add(s->fd, LOOP_IN, store_readable, s);
	if (!rc)
		return s;
	store_disconnect(s);
	free(s);
	errno = -rc;
	return NULL;
}

/* Ends it; events not yet told are lost. */
void store_close(struct store *s)
{
	struct store_event *e;
	struct store_watch *w;

	loop_timer_clear(&s->tell);
	while ((e = s->events)) {
		s->events = e->next;
		free(e);
	}
	while ((w = s->watches)) {
		s->watches = w->next;
		free(w);
	}
	store_disconnect(s);
	free(s);
}

static struct store_watch *store_find_watch(struct store *s, unsigned int id)
{
	struct store_watch *w;

	for (w = s->watches; w && w->id != id; w = w->next)
		;
	return w;
}

static void store_tell(void *arg)
{
	struct store *s = arg;
	struct store_event *e;
	struct store_watch *w;

	while ((e = s->events)) {
		s->events = e->next;
		if (!s->events)
			s->events_end = &s->events;
		w = store_find_watch(s, e->id);
		if (w)
			w->fn(w->arg, e->path);
		free(e);
	}
}

static void store_queue_event(struct store *s)
{
	const char *part[2];
	struct store_event *e;
	uint32_t id;

	if (wire_strings(wire_payload(&s->in), s->in.hdr.len, part, 2) < 2 ||
	    !wire_parse_u32(part[1], UINT32_MAX, &id))
		return;
	e = malloc(sizeof(*e) + strlen(part[0]) + 1);
	if (!e) {
		log_warn("no memory: an event on %s is lost", part[0]);
		return;
	}
	e->next = NULL;
	e->id = id;
	strcpy(e->path, part[0]);
	*s->events_end = e;
	s->events_end = &e->next;
	s->tell.fn = store_tell;
	s->tell.arg = s;
	loop_timer_set(&s->tell, 0);
}

/* Reads until s->in holds one whole message.  -EPIPE: the daemon is gone. */
static int store_receive(struct store *s)
{
	unsigned int want;
	ssize_t r;

	s->in.used = 0;
	while ((want = wire_wanted(&s->in))) {
		if (want == ~0u)
			return -EPIPE;
		r = read(s->fd, s->in.bytes + s->in.used, want);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -EPIPE;
		s->in.used += r;
	}
	return 0;
}

static void store_readable(void *arg, unsigned int events)
{
	struct store *s = arg;

	(void)events;
	if (store_receive(s)) {
		store_disconnect(s);
		if (store_ensure(s))
			fatalx("xenstored is gone and does not come back");
		return;
	}
	if (s->in.hdr.type == XS_WATCH_EVENT)
		store_queue_event(s);
}

/* write(), but a daemon that is gone is no signal. */
static ssize_t store_put(int fd, const char *p, size_t len)
{
	ssize_t r = send(fd, p, len, MSG_NOSIGNAL);

	return r < 0 && errno == ENOTSOCK ? write(fd, p, len) : r;
}

static int store_send(struct store *s, uint32_t type, uint32_t tx,
		      struct iovec *v, int n)
{
	struct xsd_sockmsg hdr = {
		.type = type, .req_id = ++s->next_req, .tx_id = tx,
	};
	char buf[sizeof(hdr) + XENSTORE_PAYLOAD_MAX];
	size_t len = sizeof(hdr), done;
	ssize_t r;
	int i;

	for (i = 0; i < n; i++) {
		if (v[i].iov_len > sizeof(buf) - len)
			return -E2BIG;
		memcpy(buf + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	hdr.len = len - sizeof(hdr);
	memcpy(buf, &hdr, sizeof(hdr));
	for (done = 0; done < len; done += r) {
		r = s->fd < 0 ? -1 : store_put(s->fd, buf + done, len - done);
		if (r < 0 && errno == EINTR)
			r = 0;
		if (r < 0)
			return -EPIPE;
	}
	return 0;
}

/* Sends and waits; the answer stays in s->in.  -EPIPE: the daemon is gone. */
static int store_talk_once(struct store *s, uint32_t type, uint32_t tx,
			   struct iovec *v, int n)
{
	int rc = store_send(s, type, tx, v, n);

	while (!rc) {
		rc = store_receive(s);
		if (rc)
			break;
		if (s->in.hdr.type == XS_WATCH_EVENT)
			store_queue_event(s);
		else if (s->in.hdr.req_id == s->next_req)
			break;
	}
	return rc;
}

static int store_answer(struct store *s, uint32_t type)
{
	const char *name;

	if (s->in.hdr.type == type)
		return 0;
	if (s->in.hdr.type != XS_ERROR ||
	    wire_strings(wire_payload(&s->in), s->in.hdr.len, &name, 1) < 1)
		return -EIO;
	return -wire_error_number(name);
}

static int store_talk(struct store *s, uint32_t type, uint32_t tx,
		      struct iovec *v, int n)
{
	int rc;

	do {
		if (s->fd < 0 && tx)
			return -EAGAIN;
		rc = store_ensure(s);
		if (rc)
			return rc;
		rc = store_talk_once(s, type, tx, v, n);
		if (rc == -EPIPE)
			store_disconnect(s);
	} while (rc == -EPIPE);
	return rc ? rc : store_answer(s, type);
}

static int store_talk_string(struct store *s, uint32_t type, uint32_t tx,
			     const char *string)
{
	struct iovec v = { (void *)string, strlen(string) + 1 };

	return store_talk(s, type, tx, &v, 1);
}

/*
 * The value of a node, with a NUL behind it, in the arena; *len (unless NULL)
 * is its length.  NULL with errno.
 */
char *store_read(struct store *s, struct arena *a, uint32_t tx,
		 const char *path, unsigned int *len)
{
	int rc = store_talk_string(s, XS_READ, tx, path);

	if (rc) {
		errno = -rc;
		return NULL;
	}
	if (len)
		*len = s->in.hdr.len;
	return arena_copy(a, wire_payload(&s->in), s->in.hdr.len);
}

/* Writes a node, creating it and its parents if need be. */
int store_write(struct store *s, uint32_t tx, const char *path,
		const void *value, unsigned int len)
{
	struct iovec v[2] = {
		{ (void *)path, strlen(path) + 1 },
		{ (void *)value, len },
	};

	return store_talk(s, XS_WRITE, tx, v, 2);
}

/* The same with a formatted value. */
int store_printf(struct store *s, uint32_t tx, const char *path,
		 const char *fmt, ...)
{
	char value[XENSTORE_PAYLOAD_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		return -E2BIG;
	return store_write(s, tx, path, value, n);
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

/* Long lists come in parts; begin again if the node changes in between. */
static char *store_list_parts(struct store *s, struct arena *a, uint32_t tx,
			      const char *path, unsigned int *len)
{
	char *list = NULL, *more, generation[32] = "", offset[16];
	struct iovec v[2] = { { (void *)path, strlen(path) + 1 } };
	const char *part, *first;
	unsigned int n;
	int rc;

	for (*len = 0;;) {
		snprintf(offset, sizeof(offset), "%u", *len);
		v[1] = (struct iovec){ offset, strlen(offset) + 1 };
		rc = store_talk(s, XS_DIRECTORY_PART, tx, v, 2);
		if (!rc && wire_strings(wire_payload(&s->in), s->in.hdr.len,
					&first, 1) < 1)
			rc = -EIO;
		if (rc)
			break;
		if (strncmp(generation, first, sizeof(generation) - 1)) {
			snprintf(generation, sizeof(generation), "%s", first);
			if (*len) {
				*len = 0;
				continue;
			}
		}
		part = first + strlen(first) + 1;
		n = wire_payload(&s->in) + s->in.hdr.len - part;
		more = realloc(list, *len + n + 1);
		if (!more) {
			rc = -ENOMEM;
			break;
		}
		list = more;
		memcpy(list + *len, part, n);
		*len += n;
		if (!n || (n >= 2 && !part[n - 1] && !part[n - 2]) ||
		    (n == 1 && !part[0])) {
			*len -= n ? 1 : 0;	/* the empty name at the end */
			break;
		}
	}
	more = rc ? NULL : arena_copy(a, list, *len);
	free(list);
	errno = rc ? -rc : ENOMEM;
	return more;
}

/*
 * The names of a node's children: *n pointers, in the arena.  NULL with
 * errno.
 */
char **store_list(struct store *s, struct arena *a, uint32_t tx,
		  const char *path, unsigned int *n)
{
	int rc = store_talk_string(s, XS_DIRECTORY, tx, path);
	unsigned int len, i;
	const char **names;
	char *list;

	if (rc && rc != -E2BIG) {
		errno = -rc;
		return NULL;
	}
	len = s->in.hdr.len;
	list = rc ? store_list_parts(s, a, tx, path, &len)
		  : arena_copy(a, wire_payload(&s->in), len);
	if (!list)
		return NULL;
	for (*n = 0, i = 0; i < len; i++)
		*n += !list[i];
	names = arena_alloc(a, (*n + 1) * sizeof(*names));
	if (names)
		wire_strings(list, len, names, *n);
	return (char **)names;
}

/* The permissions of a node, at most max of them; how many. */
int store_get_perms(struct store *s, uint32_t tx, const char *path,
		    struct wire_perm *perms, unsigned int max)
{
	int rc = store_talk_string(s, XS_GET_PERMS, tx, path), n = 0;
	const char *p = wire_payload(&s->in), *end;

	if (rc)
		return rc;
	end = p + s->in.hdr.len;
	while (p < end && (unsigned int)n < max && memchr(p, 0, end - p)) {
		if (wire_parse_perm(p, &perms[n++]))
			return -EIO;
		p += strlen(p) + 1;
	}
	return n;
}

/* Sets them; the first names the owner and what all others may do. */
int store_set_perms(struct store *s, uint32_t tx, const char *path,
		    const struct wire_perm *perms, unsigned int n)
{
	char text[16 * WIRE_PERM_CHARS];
	struct iovec v[2] = { { (void *)path, strlen(path) + 1 }, { text, 0 } };
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
	const char *id;

	if (rc)
		return rc;
	if (wire_strings(wire_payload(&s->in), s->in.hdr.len, &id, 1) != 1 ||
	    !wire_parse_u32(id, UINT32_MAX, tx))
		return -EIO;
	return 0;
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

static int store_register(struct store *s, const struct store_watch *w)
{
	char token[16];
	struct iovec v[2] = {
		{ (void *)w->path, strlen(w->path) + 1 },
		{ token, snprintf(token, sizeof(token), "%u", w->id) + 1 },
	};
	int rc = store_talk_once(s, XS_WATCH, 0, v, 2);

	if (rc == -EPIPE)
		store_disconnect(s);
	return rc ? rc : store_answer(s, XS_WATCH);
}

/*
 * Calls fn(arg, changed path) from the event loop: once soon, and then
 * whenever the node at path or one below changes.  NULL with errno.
 */
struct store_watch *store_watch(struct store *s, const char *path,
				store_watch_fn *fn, void *arg)
{
	struct store_watch *w = malloc(sizeof(*w) + strlen(path) + 1);
	int rc;

	if (!w)
		return NULL;
	strcpy(w->path, path);
	w->fn = fn;
	w->arg = arg;
	w->id = s->next_watch++;
	do {
		rc = store_ensure(s);
		if (!rc)
			rc = store_register(s, w);
	} while (rc == -EPIPE);
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
	char token[16];
	struct iovec v[2] = {
		{ (void *)w->path, strlen(w->path) + 1 },
		{ token, snprintf(token, sizeof(token), "%u", w->id) + 1 },
	};
	struct store_watch **p = &s->watches;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	/* If the daemon is gone so is the watch. */
	if (s->fd >= 0 && store_talk_once(s, XS_UNWATCH, 0, v, 2) == -EPIPE)
		store_disconnect(s);
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

static int store_talk_domid(struct store *s, uint32_t type, domid_t domid)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", domid);
	return store_talk_string(s, type, 0, text);
}

/* The daemon shall let go of a domain. */
int store_release(struct store *s, domid_t domid)
{
	return store_talk_domid(s, XS_RELEASE, domid);
}

/* 1 if the daemon serves this domain, 0 if not. */
int store_is_introduced(struct store *s, domid_t domid)
{
	int rc = store_talk_domid(s, XS_IS_DOMAIN_INTRODUCED, domid);

	return rc ? rc : s->in.hdr.len && wire_payload(&s->in)[0] == 'T';
}

/* The daemon's answer to a control command, in the arena. */
char *store_control(struct store *s, struct arena *a, const char *command)
{
	int rc = store_talk_string(s, XS_CONTROL, 0, command);

	errno = -rc;
	return rc ? NULL : arena_copy(a, wire_payload(&s->in),
				      s->in.hdr.len);
}
