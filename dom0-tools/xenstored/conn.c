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
#include "xenstored.h"

#define CONN_OUT_MAX	(1u << 20)
#define SPARE_ROOM	64	/* payload: any error name, "OK", a number */

struct conn *conns;

/* A client on a socket (fd) or on the ring of d; NULL if no memory. */
struct conn *conn_new(int fd, struct domain *d)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->domain = d;
	c->who.domid = c->who.target = d ? d->domid : 0;
	c->who.privileged = !c->who.domid;
	c->out_end = &c->out;
	c->next_tx = 1;
	c->next = conns;
	conns = c;
	return c;
}

/* Ends its watches and transactions. */
void conn_let_go(struct conn *c)
{
	while (c->watches)
		watch_del(c->watches);
	while (c->txns)
		txn_end(c->txns);
	c->old_tx = 0;
}

/* Forgets all it holds, as if it had connected just now. */
void conn_reset(struct conn *c)
{
	while (c->out)
		conn_sent(c, c->out->len - c->out->sent);
	conn_let_go(c);
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
	free(c->spare);
	free(c);
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
	return !c->who.privileged &&
	       c->out_bytes + c->held_bytes + more +
	       tally_of(&tree_main.tally, c->who.domid).bytes >
	       quotas[Q_MEMORY].value;
}

/* True if c may not own that many nodes more than the main tree has, and a
 * transaction's tree adds. */
bool conn_over_nodes(const struct conn *c, const struct tree *t, int more)
{
	int added = tally_of(&t->tally, c->who.domid).nodes;

	if (t != &tree_main && added > 0)
		more += added;
	return !c->who.privileged && more > 0 &&
	       tally_of(&tree_main.tally, c->who.domid).nodes + more >
	       (int)quotas[Q_NODES].value;
}

static struct msg *msg_new(unsigned int payload)
{
	return malloc(sizeof(struct msg) + sizeof(struct xsd_sockmsg) +
		      payload);
}

/*
 * Takes from p[0..len) what the request in progress lacks, and handles it if
 * it is whole then; without memory to answer it stays whole.  Returns how
 * much was taken, or -EPROTO: its length is forbidden.
 */
int conn_feed(struct conn *c, const char *p, size_t len)
{
	unsigned int want, taken = 0, n;

	while ((want = wire_wanted(&c->in)) && want != ~0u && taken < len) {
		n = MIN(want, len - taken);
		memcpy(c->in.bytes + c->in.used, p + taken, n);
		c->in.used += n;
		taken += n;
	}
	if (want == ~0u)
		return -EPROTO;
	if (!want && !c->spare)
		c->spare = msg_new(SPARE_ROOM);
	if (!want && c->spare) {
		request_handle(c);
		c->in.used = 0;
	}
	return taken;
}

/* Fills m and queues it: a header, and the strings or bytes a and b. */
static void conn_queue(struct conn *c, struct msg *m, struct watch *w,
		       const struct xsd_sockmsg *hdr, const void *a,
		       unsigned int a_len, const char *b)
{
	char *p = mempcpy(m->bytes, hdr, sizeof(*hdr));

	if (a_len)
		p = mempcpy(p, a, a_len);
	if (b)
		strcpy(p, b);
	m->next = NULL;
	m->watch = w;
	m->event = hdr->type == XS_WATCH_EVENT;
	m->sent = 0;
	m->len = sizeof(*hdr) + hdr->len;
	*c->out_end = m;
	c->out_end = &m->next;
	c->out_bytes += m->len;
	c->replies += !m->event;
	if (c->domain)
		state_out(c->domain, m);
}

/* Answers the request in c->in.  Returns 1: it is answered. */
int conn_reply(struct conn *c, uint32_t type, const void *data,
	       unsigned int len)
{
	struct xsd_sockmsg hdr = c->in.hdr;
	struct msg *m = len <= SPARE_ROOM ? c->spare : msg_new(len);

	if (!m || len > XENSTORE_PAYLOAD_MAX) {
		free(m);
		return conn_error(c, m ? -E2BIG : -ENOMEM);
	}
	if (m == c->spare)
		c->spare = NULL;
	hdr.type = type;
	hdr.len = len;
	conn_queue(c, m, NULL, &hdr, data, len, NULL);
	return 1;
}

/* The same with the name of a negative errno value. */
int conn_error(struct conn *c, int rc)
{
	const char *name = wire_error_name(-rc);

	return conn_reply(c, XS_ERROR, name, strlen(name) + 1);
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
	/* Dom0's kernel must not miss what only Dom0 does: "backend". */
	if (conn_over_quota(c, sizeof(*m) + sizeof(hdr) + hdr.len) ||
	    (c->out_bytes >= CONN_OUT_MAX &&
	     !(c->domain && c->who.privileged && w->relative)))
		return false;
	m = msg_new(hdr.len);
	if (!m)
		return false;
	if (w->queued)
		w->queued->watch = NULL;
	w->queued = m;
	conn_queue(c, m, w, &hdr, seen, path_len, w->token);
	return true;
}

/* Queues a message that an earlier daemon had queued, and sent in part. */
bool conn_requeue(struct conn *c, const struct xsd_sockmsg *hdr,
		  unsigned int sent)
{
	struct msg *m = msg_new(hdr->len);

	if (!m)
		return false;
	conn_queue(c, m, NULL, hdr, hdr + 1, hdr->len, NULL);
	m->sent = sent;
	return true;
}

/* The next len bytes of the queue are with the client. */
void conn_sent(struct conn *c, unsigned int len)
{
	unsigned int part;
	struct msg *m;

	while (len && (m = c->out)) {
		part = MIN(len, m->len - m->sent);
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
