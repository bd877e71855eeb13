// SPDX-License-Identifier: GPL-2.0
/*
 * Clients on the Unix socket: the control domain's programs.  Only root can
 * connect, so all are privileged; but one that stops reading must not make
 * the daemon grow (conn_blocked()).
 */
#include <sys/socket.h>
#include <sys/uio.h>
#include "xenstored.h"

#define SOCK_BATCH	16384	/* bytes of one client before the next's turn */

static void sock_event(void *arg, unsigned int events)
{
	static char buf[SOCK_BATCH];
	struct conn *c = arg;
	const char *p = buf;
	ssize_t n, taken;

	if (!(events & LOOP_IN) || c->dead || conn_blocked(c))
		return;
	n = read(c->fd, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->dead = n <= 0;
	for (; n > 0 && !c->dead; p += taken, n -= taken) {
		taken = conn_feed(c, p, n);
		/* Out of step, or no memory to answer. */
		c->dead = taken < 0 || !wire_wanted(&c->in);
	}
}

static void sock_accept(void *arg, unsigned int events)
{
	int fd = accept4((int)(intptr_t)arg, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c = fd < 0 ? NULL : conn_new(fd, NULL);

	(void)events;
	if (!c) {
		close(fd);
		return;
	}
	c->polled = LOOP_IN;
	c->dead = loop_add(fd, LOOP_IN, sock_event, c);
}

/* Listens at path. */
void sock_open(const char *path)
{
	int fd = daemon_listen(path, 0600);

	if (fd < 0 || loop_add(fd, LOOP_IN, sock_accept, (void *)(intptr_t)fd))
		fatal("%s", path);
}

/* Sends what is queued, sees to it that the rest is not forgotten, and ends
 * a client that is dead. */
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
		c->dead = loop_want(c->fd, want);
	}
	if (!c->dead)
		return;
	loop_del(c->fd);
	close(c->fd);
	conn_free(c);
}
