// SPDX-License-Identifier: GPL-2.0
/*
 * XML-RPC by HTTP/1.1 over a Unix socket.
 *
 * Who may connect: root, and members of one group if the operator named it;
 * the kernel says who is at the other end.  A connection has one call at a
 * time; its memory is bounded by RPC_CALL_MAX, and there are at most CONNS.
 * A call whose client hung up goes on, and its answer is dropped.
 */
#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "xend.h"

#define CONNS		128
#define SESSIONS	256

struct conn {
	int fd;
	bool root;
	char *in;			/* what came of a request */
	size_t used, room;
	struct http_head head;		/* of the request, once it is there */
	struct call *call;		/* being answered */
	char *out;			/* the rest of a response */
	size_t out_at, out_len;
	struct arena out_arena;
};

static gid_t server_group;
static bool server_has_group;
static unsigned int server_conns;
static char sessions[SESSIONS][UUID_CHARS];	/* a ring */
static unsigned int sessions_next;

static void conn_process(struct conn *c);

static void conn_close(struct conn *c)
{
	loop_del(c->fd);
	close(c->fd);
	if (c->call) {
		c->call->conn = NULL;
		if (c->call->wait) {
			event_hangup(c->call);
			arena_release(&c->call->a);
			free(c->call);
		}
	}
	arena_release(&c->out_arena);
	free(c->in);
	free(c);
	server_conns--;
}

/* --- answers --------------------------------------------------------- */
/* False if the connection is gone. */
static bool conn_flush(struct conn *c)
{
	ssize_t r;

	while (c->out_at < c->out_len) {
		r = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
			 MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EAGAIN) {
			loop_want(c->fd, LOOP_IN | LOOP_OUT);
			return true;
		}
		if (r <= 0) {
			conn_close(c);
			return false;
		}
		c->out_at += r;
	}
	c->out = NULL;
	arena_release(&c->out_arena);
	if (!c->head.keep) {
		conn_close(c);
		return false;
	}
	loop_want(c->fd, LOOP_IN);
	return true;
}

/* The request's place in the buffer becomes free for the next. */
static bool conn_answer(struct conn *c, int status, const char *body,
			size_t len)
{
	size_t size = c->head.size + c->head.length;

	if (status != 200)
		c->head.keep = false;
	c->out = http_response(&c->out_arena, status, body, len, c->head.keep,
			       &c->out_len);
	c->out_at = 0;
	if (!c->out) {
		conn_close(c);
		return false;
	}
	if (size <= c->used) {
		c->used -= size;
		memmove(c->in, c->in + size, c->used);
	}
	return conn_flush(c);
}

static void call_free(struct call *c)
{
	arena_release(&c->a);
	free(c);
	malloc_trim(0);		/* an answer may have been large */
}

/* Marks the call as failed; NULL. */
struct value *call_fail(struct call *c, const char *code, const char *subject,
			const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->failure = rpc_failure(&c->a, code, subject, "%s", text);
	return NULL;
}

static bool call_answer(struct call *c, struct value *result)
{
	struct conn *conn = c->conn;
	bool ok = false;
	size_t len = 0;
	char *body;

	if (conn) {
		conn->call = NULL;
		result = c->failure ? c->failure : rpc_success(&c->a, result);
		body = rpc_format_reply(&c->a, result, &len);
		ok = conn_answer(conn, body ? 200 : 500, body ? body : "", len);
	}
	call_free(c);
	return ok;
}

/* The answer to a call that was put off: result, or the failure it has. */
void call_end(struct call *c, struct value *result)
{
	struct conn *conn = c->conn;

	if (call_answer(c, result))
		conn_process(conn);
}

/* --- sessions -------------------------------------------------------- */
static bool session_ok(const struct value *v)
{
	unsigned int i;

	if (!v || v->type != VALUE_STRING || strncmp(v->s, "OpaqueRef:", 10))
		return false;
	for (i = 0; i < SESSIONS; i++)
		if (sessions[i][0] && !strcmp(sessions[i], v->s + 10))
			return true;
	return false;
}

static struct value *session_login(struct call *c)
{
	char *id = sessions[sessions_next++ % SESSIONS];
	uint8_t uuid[16];

	record_uuid_new(uuid);
	record_uuid_text(uuid, id);
	return value_printf(&c->a, "OpaqueRef:%s", id);
}

static void session_logout(const struct value *v)
{
	unsigned int i;

	for (i = 0; i < SESSIONS; i++)
		if (!strcmp(sessions[i], v->s + 10))
			sessions[i][0] = 0;
}

/* --- calls ----------------------------------------------------------- */
static struct value *call_run(struct call *c, struct value *params)
{
	struct value *session = value_item(params, 0), *v;

	if (!strcmp(c->method, "session.login_with_password"))
		return session_login(c);
	if (!session_ok(session))
		return call_fail(c, "SESSION_INVALID", NULL,
				 "log in first: session.login_with_password");
	if (!strcmp(c->method, "session.logout")) {
		session_logout(session);
		return NULL;
	}
	params->first = session->next;
	params->count--;
	c->params = params;
	v = method_call(c);
	return v;
}

/* A whole request is there.  True if the connection can take another. */
static bool conn_request(struct conn *c)
{
	struct call *call = calloc(1, sizeof(*call));
	struct value *params, *result;
	const char *why;
	size_t len;
	char *body;

	if (!call)
		return conn_answer(c, 500, "", 0);
	if (!c->head.rpc) {
		free(call);
		return conn_answer(c, 404, "", 0);
	}
	why = rpc_parse_call(&call->a, c->in + c->head.size, c->head.length,
			     &call->method, &params);
	if (why) {
		bool ok;

		body = rpc_format_fault(&call->a, -32700, why, &len);
		ok = conn_answer(c, body ? 200 : 400, body ? body : "",
				 body ? len : 0);
		call_free(call);
		return ok;
	}
	call->conn = c;
	c->call = call;
	result = call_run(call, params);
	return call->later ? false : call_answer(call, result);
}

static void conn_process(struct conn *c)
{
	int rc;

	while (!c->call && !c->out) {
		rc = http_parse(c->in, c->used, RPC_CALL_MAX, &c->head);
		if (rc < 0) {
			c->head = (struct http_head){ 0 };
			conn_answer(c, rc == -EMSGSIZE ? 413 : 400, "", 0);
			return;
		}
		if (!rc || c->used - c->head.size < c->head.length ||
		    !conn_request(c))
			return;
	}
}

static bool conn_room(struct conn *c)
{
	size_t room = c->room ? c->room * 2 : 4096;
	char *in;

	if (c->used < c->room)
		return true;
	if (c->room >= RPC_CALL_MAX + HTTP_HEAD_MAX)
		return false;
	in = realloc(c->in, room);
	if (!in)
		return false;
	c->in = in;
	c->room = room;
	return true;
}

static void conn_event(void *arg, unsigned int events)
{
	struct conn *c = arg;
	ssize_t r;

	if (events & LOOP_OUT) {
		if (!conn_flush(c))
			return;
		if (!c->out && !c->call) {
			conn_process(c);
			return;
		}
	}
	if (!(events & LOOP_IN))
		return;
	r = conn_room(c) ? recv(c->fd, c->in + c->used, c->room - c->used, 0)
			 : 0;
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0) {
		conn_close(c);
		return;
	}
	c->used += r;
	conn_process(c);
}

/* --- connections ----------------------------------------------------- */
static bool peer_ok(int fd)
{
	struct ucred peer;
	gid_t groups[128];
	socklen_t len = sizeof(peer);
	unsigned int i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	if (!peer.uid || (server_has_group && peer.gid == server_group))
		return true;
	len = sizeof(groups);
	if (!server_has_group ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == server_group)
			return true;
	return false;
}

static void server_accept(void *arg, unsigned int events)
{
	int fd = accept4((intptr_t)arg, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	(void)events;
	if (fd < 0)
		return;
	c = server_conns < CONNS && peer_ok(fd) ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->fd = fd;
	server_conns++;
	if (loop_add(fd, LOOP_IN, conn_event, c))
		conn_close(c);
}

/* Listens; group is who may connect beside root, or NULL. */
void server_start(const char *group)
{
	struct group *g = group ? getgrnam(group) : NULL;
	int fd;

	if (group && !g)
		fatalx("no group '%s'", group);
	fd = daemon_listen(RPC_SOCKET, g ? 0660 : 0600);
	if (fd < 0 || (g && chown(RPC_SOCKET, 0, g->gr_gid)) ||
	    loop_add(fd, LOOP_IN, server_accept, (void *)(intptr_t)fd))
		fatal(RPC_SOCKET);
	if (g) {
		server_has_group = true;
		server_group = g->gr_gid;
	}
}
