// SPDX-License-Identifier: GPL-2.0
/*
 * XML-RPC by HTTP/1.1 over a Unix socket.
 *
 * Who may connect: root, and members of one group if the operator named it;
 * the kernel says who is at the other end.  A connection is one call: it is
 * closed behind the answer.  Its memory is bounded by RPC_CALL_MAX, and there
 * are at most CALLS.  A call whose client hung up goes on if it changes
 * something, and its answer is dropped.
 */
#include <grp.h>
#include <malloc.h>
#include <sys/socket.h>
#include "xend.h"

#define CALLS		128
#define REQUEST_MAX	(RPC_CALL_MAX + HTTP_HEAD_MAX)

struct call *calls;
static unsigned int server_calls;
static gid_t server_group = -1;		/* -1: nobody's */

static void call_hangup(struct call *c)
{
	loop_del(c->fd);	/* -1 is none */
	close(c->fd);
	c->fd = -1;
}

static void call_free(struct call *c)
{
	struct call **p = &calls;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	server_calls--;
	call_hangup(c);
	loop_timer_clear(&c->timer);
	arena_release(&c->a);
	free(c->in);
	free(c);
	malloc_trim(0);		/* an answer may have been large */
}

/* --- answers --------------------------------------------------------- */
/* Ends at once if the client hung up. */
static void call_send(struct call *c)
{
	ssize_t r = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

	if (r > 0) {
		c->out += r;
		c->out_len -= r;
	}
	if (!c->out_len || (r < 0 && errno != EAGAIN))
		call_free(c);
	else
		loop_want(c->fd, LOOP_OUT);
}

static void call_answer(struct call *c, int status, const char *body,
			size_t len)
{
	c->out = http_response(&c->a, status, body, len, &c->out_len);
	call_send(c);
}

/* Marks the call as failed; NULL. */
struct value *call_fail(struct call *c, const char *code, const char *subject,
			const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	c->failure = rpc_failure(&c->a, code, subject, "%s",
				 arena_vprintf(&c->a, fmt, ap));
	va_end(ap);
	return NULL;
}

/* Answers a call, which is gone then: result, or the failure it has. */
void call_end(struct call *c, struct value *result)
{
	size_t len;
	char *body = rpc_format_reply(&c->a, c->failure ? c->failure :
				      rpc_success(&c->a, result), &len);

	call_answer(c, 200, body, len);
}

/* --- requests -------------------------------------------------------- */
/* What comes behind a request is dropped: the answer says "close". */
static void call_event(void *arg, unsigned int events)
{
	struct call *c = arg;
	struct value *result;
	struct http_head head;
	const char *why;
	size_t len;
	ssize_t r;
	int rc;

	(void)events;
	if (c->out) {
		call_send(c);
		return;
	}
	if (c->method)
		c->used = 0;
	r = recv(c->fd, c->in + c->used, REQUEST_MAX - c->used, 0);
	if (r < 0 && errno == EAGAIN)
		return;
	if (r <= 0 && c->later && !c->waiting)
		call_hangup(c);
	else if (r <= 0)
		call_free(c);
	if (r <= 0 || c->method)
		return;
	c->used += r;
	rc = http_parse(c->in, c->used, RPC_CALL_MAX, &head);
	if (!rc || (rc > 0 && c->used - head.size < head.length))
		return;
	if (rc < 0 || !head.rpc) {
		call_answer(c, rc == -EMSGSIZE ? 413 : rc < 0 ? 400 : 404, "",
			    0);
		return;
	}
	why = rpc_parse_call(&c->a, c->in + head.size, head.length, &c->method,
			     &c->params);
	if (why) {
		why = rpc_format_fault(&c->a, -32700, why, &len);
		call_answer(c, 200, why, len);
		return;
	}
	result = method_call(c);
	if (!c->later)
		call_end(c, result);
}

/* --- connections ----------------------------------------------------- */
static bool peer_ok(int fd)
{
	gid_t groups[128];
	struct ucred peer;
	socklen_t len = sizeof(peer), size = sizeof(groups);
	bool ok = !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
		  (!peer.uid || peer.gid == server_group);

	if (ok || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return ok;
	for (len = size / sizeof(*groups); len && !ok; len--)
		ok = groups[len - 1] == server_group;
	return ok;
}

static void server_accept(void *arg, unsigned int events)
{
	int fd = accept4((intptr_t)arg, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct call *c;

	(void)events;
	c = fd >= 0 && server_calls < CALLS && peer_ok(fd) ?
	    calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->in = malloc(REQUEST_MAX);	/* pages not used cost nothing */
	c->fd = fd;
	c->next = calls;
	calls = c;
	server_calls++;
	if (!c->in || loop_add(fd, LOOP_IN, call_event, c))
		call_free(c);
}

/* Listens; group is who may connect beside root, or NULL. */
void server_start(const char *group)
{
	struct group *g = group ? getgrnam(group) : NULL;
	int fd;

	if (group && !g)
		fatalx("no group '%s'", group);
	server_group = g ? g->gr_gid : server_group;
	fd = daemon_listen(RPC_SOCKET, g ? 0660 : 0600);
	if (fd < 0 || chown(RPC_SOCKET, 0, server_group) ||
	    loop_add(fd, LOOP_IN, server_accept, (void *)(intptr_t)fd))
		fatal(RPC_SOCKET);
}
