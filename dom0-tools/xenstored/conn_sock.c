// SPDX-License-Identifier: GPL-2.0
/*
 * Clients on the Unix socket: the control domain's programs.  Only root can
 * connect, so all are privileged; but one that stops reading must not make
 * the daemon grow (conn_blocked()).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "xenstored.h"

#define SOCK_BATCH	16384	/* bytes of one client before the next's turn */

static void sock_feed(struct conn *c, const char *p, size_t len)
{
	unsigned int want;

	while (!c->dead) {
		want = wire_wanted(&c->in);
		if (want == ~0u) {
			c->dead = true;
			return;
		}
		if (want > len)
			want = len;
		memcpy(c->in.bytes + c->in.used, p, want);
		c->in.used += want;
		p += want;
		len -= want;
		if (!wire_complete(&c->in)) {
			if (!len)
				return;
			continue;
		}
		if (!conn_ready(c)) {
			c->dead = true;		/* no memory to answer */
			return;
		}
		request_handle(c);
		c->in.used = 0;
	}
}

static void sock_event(void *arg, unsigned int events)
{
	static char buf[SOCK_BATCH];
	struct conn *c = arg;
	ssize_t n;

	if (!(events & LOOP_IN) || c->dead || conn_blocked(c))
		return;
	n = read(c->fd, buf, sizeof(buf));
	if (n > 0)
		sock_feed(c, buf, n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		c->dead = true;
}

static void sock_accept(void *arg, unsigned int events)
{
	int fd = accept4((int)(intptr_t)arg, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	(void)events;
	if (fd < 0)
		return;
	c = conn_new(fd, NULL);
	if (!c) {
		close(fd);
		return;
	}
	c->polled = LOOP_IN;
	if (loop_add(fd, LOOP_IN, sock_event, c))
		c->dead = true;
}

/* Listens at path. */
void sock_open(const char *path)
{
	int fd = daemon_listen(path, 0600);
	int rc = fd < 0 ? fd : loop_add(fd, LOOP_IN, sock_accept,
					(void *)(intptr_t)fd);

	if (!rc)
		return;
	errno = -rc;
	fatal("%s", path);
}

/* Sends what is queued, and sees to it that the rest is not forgotten. */
void sock_send(struct conn *c)
{
	struct iovec v[16];
	unsigned int n = 0, want;
	struct msg *m;
	ssize_t r;

	for (m = c->out; m && n < ARRAY_SIZE(v); m = m->next, n++)
		v[n] = (struct iovec){ m->bytes + m->sent, m->len - m->sent };
	if (n && !c->dead) {
		r = writev(c->fd, v, n);
		if (r > 0)
			conn_sent(c, r);
		else if (errno != EAGAIN && errno != EINTR)
			c->dead = true;
	}
	want = (conn_blocked(c) ? 0 : LOOP_IN) | (c->out ? LOOP_OUT : 0);
	if (want != c->polled && !c->dead) {
		c->polled = want;
		if (loop_want(c->fd, want))
			c->dead = true;
	}
}

/* Ends a client. */
void sock_close(struct conn *c)
{
	loop_del(c->fd);
	close(c->fd);
	conn_free(c);
}
