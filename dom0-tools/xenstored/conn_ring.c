// SPDX-License-Identifier: GPL-2.0
/*
 * Clients on shared pages: the kernels of domains, Dom0's own included.
 *
 * The page belongs to the guest, who may write anything at any time.  Our own
 * indices (req_cons, rsp_prod) live in struct domain and are only ever
 * written to the page; the guest's are read once per use and checked.  A
 * guest whose indices make no sense is not heard again until the tools
 * introduce it anew; it harms nobody else.
 *
 * Ports and pages belong to this process: when it dies the guest's end of the
 * channel waits for somebody to connect again, which the next daemon does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <hypercall-abi/grant_table.h>
#include "xenstored.h"

#define RING_BATCH	32	/* requests of one guest before the next's turn */
#define PAGE		4096u

static int ring_evtchn = -1, ring_gnttab = -1;
static uint32_t ring_virq_port;
static struct domain **ring_ports;	/* by local port */
static unsigned int ring_nr_ports;

static uint32_t ring_load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void ring_store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* Opens what leads to the hypervisor; nothing is bound yet. */
void ring_open(void)
{
	int rc = hyper_open();

	if (!rc)
		rc = ring_evtchn = evtchn_open();
	if (rc >= 0)
		rc = ring_gnttab = gnttab_open();
	if (rc < 0) {
		errno = -rc;
		fatal("not in the control domain of a hypervisor");
	}
}

static void ring_event(uint32_t port)
{
	if (port == ring_virq_port)
		domain_scan();
	else if (port < ring_nr_ports && ring_ports[port])
		conn_activate(ring_ports[port]->conn);
}

static void ring_events(void *arg, unsigned int events)
{
	uint32_t ports[64];
	int i, n;

	(void)arg;
	(void)events;
	n = evtchn_pending(ring_evtchn, ports, ARRAY_SIZE(ports));
	for (i = 0; i < n; i++) {
		/* First unmask: an event during the work comes again. */
		evtchn_unmask(ring_evtchn, ports[i]);
		ring_event(ports[i]);
	}
}

/* The hypervisor tells us of domains' ends from now on. */
void ring_start(void)
{
	int rc = evtchn_bind_virq(ring_evtchn, VIRQ_DOM_EXC);

	ring_virq_port = rc;
	if (rc >= 0)
		rc = loop_add(ring_evtchn, LOOP_IN, ring_events, NULL);
	if (rc < 0) {
		errno = -rc;
		fatal("VIRQ_DOM_EXC");
	}
}

static void *ring_map_own(void)
{
	int fd = open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return NULL;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

/* The event port on which our own kernel waits. */
static uint32_t ring_own_port(void)
{
	FILE *f = fopen("/proc/xen/xsd_port", "re");
	unsigned int port = 0;

	if (f) {
		if (fscanf(f, "%u", &port) != 1)
			port = 0;
		fclose(f);
	}
	return port;
}

static void *ring_map(struct domain *d)
{
	const int rw = PROT_READ | PROT_WRITE;
	void *p;

	if (!d->domid)
		return ring_map_own();
	p = gnttab_map(ring_gnttab, d->domid, GNTTAB_RESERVED_XENSTORE, rw);
	d->granted = p;
	return p ? p : hyper_map(d->domid, &d->gfn, 1, rw);
}

static void ring_unmap(struct domain *d)
{
	if (d->granted)
		gnttab_unmap(ring_gnttab, d->page);
	else
		munmap(d->page, PAGE);
	d->page = NULL;
	d->granted = false;
}

static int ring_note_port(uint32_t port, struct domain *d)
{
	unsigned int n = ring_nr_ports ? ring_nr_ports : 64;
	struct domain **p;

	while (n <= port)
		n *= 2;
	if (n > ring_nr_ports) {
		p = realloc(ring_ports, n * sizeof(*p));
		if (!p)
			return -ENOMEM;
		memset(p + ring_nr_ports, 0,
		       (n - ring_nr_ports) * sizeof(*p));
		ring_ports = p;
		ring_nr_ports = n;
	}
	ring_ports[port] = d;
	return 0;
}

static void ring_unbind(struct domain *d)
{
	if (!d->local_port)
		return;
	ring_ports[d->local_port] = NULL;
	/* If the domain is gone so is the channel. */
	evtchn_unbind(ring_evtchn, d->local_port);
	d->local_port = 0;
}

/* Connects to d->remote_port in place of the port there was, if any. */
int ring_rebind(struct domain *d)
{
	int rc;

	ring_unbind(d);
	if (!d->domid)
		d->remote_port = ring_own_port();
	rc = evtchn_bind_interdomain(ring_evtchn, d->domid, d->remote_port);
	if (rc < 0)
		return rc;
	if (ring_note_port(rc, d)) {
		evtchn_unbind(ring_evtchn, rc);
		return -ENOMEM;
	}
	d->local_port = rc;
	return 0;
}

static void ring_resume(struct domain *d)
{
	uint32_t there = ring_load(&d->page->rsp_prod) - d->rsp_prod;

	if (there <= d->conn->out_bytes) {
		conn_sent(d->conn, there);
		d->rsp_prod += there;
	}
	d->told_cons = ~d->req_cons;	/* shown again in any case */
	conn_activate(d->conn);
}

/*
 * Maps the ring of d and connects to it.  If it has a connection already, an
 * earlier daemon served it: goes on where that one stopped.
 */
int ring_attach(struct domain *d)
{
	int rc;

	errno = EINVAL;
	d->page = ring_map(d);
	if (!d->page)
		return -errno;
	rc = ring_rebind(d);
	if (rc)
		ring_unmap(d);
	else if (d->conn)
		ring_resume(d);
	return rc;
}

/* Undoes it. */
void ring_detach(struct domain *d)
{
	ring_unbind(d);
	if (d->page)
		ring_unmap(d);
}

/*
 * A new conversation begins: nothing said so far counts.  Our own kernel may
 * have begun to talk before there was a daemon, and is woken up.
 */
void ring_restart(struct domain *d)
{
	struct xenstore_domain_interface *page = d->page;

	if (d->domid) {
		page->req_cons = page->req_prod = 0;
		page->rsp_cons = page->rsp_prod = 0;
	}
	d->req_cons = d->told_cons = ring_load(&page->req_cons);
	d->rsp_prod = ring_load(&page->rsp_prod);
	page->server_features = XENSTORE_SERVER_FEATURE_ERROR;
	page->error = XENSTORE_ERROR_NONE;
	ring_store(&page->connection, XENSTORE_CONNECTED);
	evtchn_notify(ring_evtchn, d->local_port);
	conn_activate(d->conn);
}

static bool ring_fail(struct domain *d, uint32_t error)
{
	log_warn("domain %u: broken ring (%u)", d->domid, error);
	conn_reset(d->conn);
	d->conn->dead = true;
	ring_store(&d->page->error, error);
	state_domain(d, true);
	return false;
}

/* Whether a domain lives, as the hypervisor says. */
enum domain_fate ring_domain_fate(domid_t domid)
{
	struct xen_domctl_getdomaininfo info;

	if (ring_evtchn < 0)
		return DOMAIN_RUNS;
	if (hyper_domain_info(domid, &info))
		return DOMAIN_GONE;
	if (info.flags & XEN_DOMINF_dying)
		return DOMAIN_DYING;
	return info.flags & XEN_DOMINF_shutdown ? DOMAIN_SHUTDOWN
						: DOMAIN_RUNS;
}

/* Copies what the request in progress lacks and the ring has. */
static bool ring_take(struct domain *d, unsigned int want)
{
	struct wire_in *in = &d->conn->in;
	uint32_t avail = ring_load(&d->page->req_prod) - d->req_cons;
	uint32_t at = MASK_XENSTORE_IDX(d->req_cons);

	if (avail > XENSTORE_RING_SIZE)
		return ring_fail(d, XENSTORE_ERROR_RINGIDX);
	if (avail > want)
		avail = want;
	if (avail > XENSTORE_RING_SIZE - at)
		avail = XENSTORE_RING_SIZE - at;
	memcpy(in->bytes + in->used, d->page->req + at, avail);
	in->used += avail;
	d->req_cons += avail;
	return avail;
}

/*
 * Handles what the guest asks, a limited number of requests.  True if it is
 * to be called again.
 */
bool ring_receive(struct conn *c)
{
	struct domain *d = c->domain;
	uint32_t from = d->req_cons;
	unsigned int n = 0, want;

	while (n < RING_BATCH && !c->dead && !conn_blocked(c)) {
		want = wire_wanted(&c->in);
		if (want == ~0u)
			return ring_fail(d, XENSTORE_ERROR_PROTO);
		if (want && !ring_take(d, want))
			break;
		if (!wire_complete(&c->in))
			continue;
		if (!conn_ready(c))
			break;
		request_handle(c);
		c->in.used = 0;
		n++;
	}
	if (d->req_cons != from)
		state_conn(d);
	return n == RING_BATCH || wire_complete(&c->in);
}

static unsigned int ring_give(struct domain *d)
{
	uint32_t used = d->rsp_prod - ring_load(&d->page->rsp_cons);
	uint32_t at = MASK_XENSTORE_IDX(d->rsp_prod);
	struct msg *m = d->conn->out;
	unsigned int len;

	if (used > XENSTORE_RING_SIZE)
		return ring_fail(d, XENSTORE_ERROR_RINGIDX);
	len = m->len - m->sent;
	if (len > XENSTORE_RING_SIZE - used)
		len = XENSTORE_RING_SIZE - used;
	if (len > XENSTORE_RING_SIZE - at)
		len = XENSTORE_RING_SIZE - at;
	memcpy(d->page->rsp + at, m->bytes + m->sent, len);
	d->rsp_prod += len;
	conn_sent(d->conn, len);
	return len;
}

/* As much as fits; a guest that made room meanwhile does not say so. */
static bool ring_give_all(struct domain *d)
{
	bool moved = false, again;

	do {
		again = false;
		while (d->conn->out && ring_give(d))
			again = true;
		if (again) {
			ring_store(&d->page->rsp_prod, d->rsp_prod);
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			moved = true;
		}
	} while (again && d->conn->out);
	return moved;
}

/*
 * Moves what fits to the guest; the journal already has it.  A guest sends
 * no event for a request that it adds before it sees the one in front taken:
 * look once more after showing that.
 */
void ring_send(struct conn *c)
{
	struct domain *d = c->domain;
	bool was_blocked = conn_blocked(c), moved;

	if (!d->page || c->dead)
		return;
	moved = ring_give_all(d);
	if (d->told_cons != d->req_cons) {
		ring_store(&d->page->req_cons, d->req_cons);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		d->told_cons = d->req_cons;
		moved = true;
		if (ring_load(&d->page->req_prod) != d->req_cons)
			conn_activate(c);
	}
	if (moved)
		evtchn_notify(ring_evtchn, d->local_port);
	if (was_blocked && !conn_blocked(c))
		conn_activate(c);
}
