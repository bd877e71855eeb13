// SPDX-License-Identifier: GPL-2.0
/*
 * One client: the request it is sending, the answers and events it has not
 * taken yet, what it holds in the daemon.
 *
 * A client that does not read its answers stops being heard: a guest after
 * Q_OUTSTANDING answers, a tool after CONN_OUT_MAX bytes.  Events beyond the
 * memory limit are owed (watch.c).  An acknowledgement or an error can always
 * be queued: each request is only begun with a spare message at hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

#define CONN_OUT_MAX	(1u << 20)
#define SPARE_ROOM	64	/* payload: any error name, "OK", a number */

struct conn *conns;
static struct conn *conn_active, **conn_active_end = &conn_active;

/* A client on a socket (fd) or on the ring of d; NULL if no memory. */
struct conn *conn_new(int fd, struct domain *d)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->domain = d;
	c->who.domid = d ? d->domid : 0;
	c->who.target = d ? d->target : 0;
	c->who.privileged = !c->who.domid;
	c->out_end = &c->out;
	c->next_tx = 1;
	c->next = conns;
	conns = c;
	return c;
}

static void conn_drop_out(struct conn *c)
{
	struct msg *m;

	while ((m = c->out)) {
		c->out = m->next;
		if (m->watch)
			m->watch->queued = NULL;
		free(m);
	}
	c->out_end = &c->out;
	c->out_bytes = 0;
	c->replies = 0;
}

/* Forgets all it holds, as if it had connected just now. */
void conn_reset(struct conn *c)
{
	conn_drop_out(c);
	watch_del_all(c);
	txn_end_all(c);
	c->in.used = 0;
	c->dead = false;
}

/* Ends it; the caller closes what is below. */
void conn_free(struct conn *c)
{
	struct conn **p;

	conn_reset(c);
	for (p = &conns; *p != c;)
		p = &(*p)->next;
	*p = c->next;
	if (c->active) {
		for (p = &conn_active; *p != c;)
			p = &(*p)->next_active;
		*p = c->next_active;
		if (conn_active_end == &c->next_active)
			conn_active_end = p;
	}
	free(c->spare);
	free(c);
}

/* Puts c at the end of those with something to do. */
void conn_activate(struct conn *c)
{
	if (c->active)
		return;
	c->active = true;
	c->next_active = NULL;
	*conn_active_end = c;
	conn_active_end = &c->next_active;
}

/* Takes the first of them, or NULL. */
struct conn *conn_next_active(void)
{
	struct conn *c = conn_active;

	if (!c)
		return NULL;
	conn_active = c->next_active;
	if (!conn_active)
		conn_active_end = &conn_active;
	c->active = false;
	return c;
}

/* True if there is one. */
bool conn_any_active(void)
{
	return conn_active;
}

/* True if c may not be heard until it has taken some of its answers. */
bool conn_blocked(const struct conn *c)
{
	return c->who.privileged ? c->out_bytes >= CONN_OUT_MAX
				 : c->replies >= quotas[Q_OUTSTANDING].value;
}

/* True if c may not make the daemon hold that many more bytes. */
bool conn_over_quota(const struct conn *c, size_t more)
{
	const struct tally_entry *e;
	unsigned long sum;

	if (c->who.privileged)
		return false;
	e = tally_of(&tree_main.tally, c->who.domid);
	sum = c->out_bytes + c->held_bytes + more + (e ? e->bytes : 0);
	return sum > quotas[Q_MEMORY].value;
}

/* To be called before a request is handled: false if it cannot be now. */
bool conn_ready(struct conn *c)
{
	if (!c->spare)
		c->spare = malloc(sizeof(*c->spare) +
				  sizeof(struct xsd_sockmsg) + SPARE_ROOM);
	return c->spare;
}

static void conn_queue(struct conn *c, struct msg *m, struct watch *w)
{
	m->next = NULL;
	m->watch = w;
	m->sent = 0;
	*c->out_end = m;
	c->out_end = &m->next;
	c->out_bytes += m->len;
	c->replies += !m->event;
	if (c->domain)
		state_out(c->domain, m);
}

/* Answers the request in c->in. */
void conn_reply(struct conn *c, uint32_t type, const void *data,
		unsigned int len)
{
	struct xsd_sockmsg hdr = c->in.hdr;
	struct msg *m;

	if (len > XENSTORE_PAYLOAD_MAX) {
		conn_error(c, E2BIG);
		return;
	}
	if (len <= SPARE_ROOM) {
		m = c->spare;
		c->spare = NULL;
	} else {
		m = malloc(sizeof(*m) + sizeof(hdr) + len);
	}
	if (!m) {
		conn_error(c, ENOMEM);
		return;
	}
	hdr.type = type;
	hdr.len = len;
	m->event = false;
	m->len = sizeof(hdr) + len;
	memcpy(m->bytes, &hdr, sizeof(hdr));
	if (len)
		memcpy(m->bytes + sizeof(hdr), data, len);
	conn_queue(c, m, NULL);
}

/* "OK". */
void conn_ack(struct conn *c)
{
	conn_reply(c, c->in.hdr.type, "OK", 3);
}

/* The name of a positive errno value. */
void conn_error(struct conn *c, int error)
{
	const char *name = wire_error_name(error);

	conn_reply(c, XS_ERROR, name, strlen(name) + 1);
}

/*
 * Queues an event of w for a change at path.  One that the client has not
 * begun to take yet stands for a second, equal one.  False if there is no
 * room.
 */
bool conn_event(struct conn *c, struct watch *w, const char *path)
{
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT };
	const char *seen = path + (path[0] == '@' ? 0 : w->relative);
	size_t path_len = strlen(seen) + 1;
	struct msg *m;

	hdr.len = path_len + strlen(w->token) + 1;
	if (hdr.len > XENSTORE_PAYLOAD_MAX)
		return true;	/* cannot be told at all */
	if (w->queued && !w->queued->sent &&
	    !strcmp(w->queued->bytes + sizeof(hdr), seen))
		return true;
	if (conn_over_quota(c, sizeof(*m) + sizeof(hdr) + hdr.len) ||
	    c->out_bytes >= CONN_OUT_MAX)
		return false;
	m = malloc(sizeof(*m) + sizeof(hdr) + hdr.len);
	if (!m)
		return false;
	m->event = true;
	m->len = sizeof(hdr) + hdr.len;
	memcpy(m->bytes, &hdr, sizeof(hdr));
	memcpy(m->bytes + sizeof(hdr), seen, path_len);
	strcpy(m->bytes + sizeof(hdr) + path_len, w->token);
	if (w->queued)
		w->queued->watch = NULL;
	w->queued = m;
	conn_queue(c, m, w);
	return true;
}

/* Queues a message that an earlier daemon had queued. */
bool conn_requeue(struct conn *c, const char *bytes, unsigned int len)
{
	struct msg *m = malloc(sizeof(*m) + len);
	struct xsd_sockmsg hdr;

	if (!m)
		return false;
	memcpy(&hdr, bytes, sizeof(hdr));
	memcpy(m->bytes, bytes, len);
	m->len = len;
	m->event = hdr.type == XS_WATCH_EVENT;
	conn_queue(c, m, NULL);
	return true;
}

/* The next len bytes of the queue are with the client. */
void conn_sent(struct conn *c, unsigned int len)
{
	unsigned int part;
	struct msg *m;

	while (len && (m = c->out)) {
		part = m->len - m->sent < len ? m->len - m->sent : len;
		m->sent += part;
		len -= part;
		if (m->sent < m->len)
			return;
		c->out = m->next;
		if (!c->out)
			c->out_end = &c->out;
		c->out_bytes -= m->len;
		c->replies -= !m->event;
		if (m->watch)
			m->watch->queued = NULL;
		free(m);
	}
}
