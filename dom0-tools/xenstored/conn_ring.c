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
#include <sys/mman.h>
#include <hypercall-abi/grant_table.h>
#include "xenstored.h"

#define RING_BATCH	32	/* pieces of one guest before the next's turn */
#define PAGE		4096u

static int ring_evtchn = -1, ring_gnttab = -1;
static uint32_t ring_virq_port;

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
	if (hyper_open() || (ring_evtchn = evtchn_open()) < 0 ||
	    (ring_gnttab = gnttab_open()) < 0)
		fatal("not in the control domain of a hypervisor");
}

static void ring_events(void *arg, unsigned int events)
{
	uint32_t ports[64];
	struct conn *c;
	int i, n = evtchn_pending(ring_evtchn, ports, ARRAY_SIZE(ports));

	(void)arg;
	(void)events;
	for (i = 0; i < n; i++) {
		/* First unmask: an event during the work comes again. */
		evtchn_unmask(ring_evtchn, ports[i]);
		for (c = conns; c; c = c->next)
			if (c->domain && c->domain->local_port == ports[i])
				c->active = true;
		if (ports[i] == ring_virq_port)
			domain_scan();
	}
}

/* The hypervisor tells us of domains' ends from now on. */
void ring_start(void)
{
	int rc = evtchn_bind_virq(ring_evtchn, VIRQ_DOM_EXC);

	ring_virq_port = rc;
	if (rc < 0 || loop_add(ring_evtchn, LOOP_IN, ring_events, NULL))
		fatal("VIRQ_DOM_EXC");
}

/* The page that our own kernel made for us, and the port on which it waits. */
static void *ring_map_own(uint32_t *port)
{
	FILE *f = fopen("/proc/xen/xsd_port", "re");
	int fd = f ? open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0 || fscanf(f, "%u", port) != 1)
		return NULL;	/* and the process ends */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	fclose(f);
	return p == MAP_FAILED ? NULL : p;
}

/*
 * Maps the ring of d and connects to it.  If there is a conversation already,
 * an earlier daemon served it: goes on where that one stopped.
 */
int ring_attach(struct domain *d)
{
	uint32_t there;
	int rc;

	errno = EINVAL;
	d->page = d->domid ? gnttab_map(ring_gnttab, d->domid,
					GNTTAB_RESERVED_XENSTORE,
					PROT_READ | PROT_WRITE)
			   : ring_map_own(&d->remote_port);
	if (!d->page)
		return -errno;
	rc = evtchn_bind_interdomain(ring_evtchn, d->domid, d->remote_port);
	if (rc < 0) {
		ring_detach(d);
		return rc;
	}
	d->local_port = rc;
	there = ring_load(&d->page->rsp_prod) - d->rsp_prod;
	if (there <= d->conn->out_bytes) {
		conn_sent(d->conn, there);
		d->rsp_prod += there;
	}
	d->told_cons = ~d->req_cons;	/* shown again in any case */
	d->conn->active = true;
	return 0;
}

/* Undoes it. */
void ring_detach(struct domain *d)
{
	/* Either may be missing, and if the domain is gone so is the channel:
	 * then these do nothing. */
	evtchn_unbind(ring_evtchn, d->local_port);
	gnttab_unmap(ring_gnttab, d->page);
	d->local_port = 0;
	d->page = NULL;
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
}

static void ring_fail(struct domain *d, uint32_t error)
{
	log_warn("domain %u: broken ring (%u)", d->domid, error);
	conn_reset(d->conn);
	d->conn->dead = true;
	ring_store(&d->page->error, error);
	state_domain(d, STATE_NEW);
}

/* Whether a domain lives, as the hypervisor says. */
enum domain_fate ring_domain_fate(domid_t domid)
{
	struct xen_domctl_getdomaininfo info;

	if (ring_evtchn < 0)
		return DOMAIN_RUNS;
	if (hyper_domain_info(domid, &info))
		return DOMAIN_GONE;
	return info.flags & XEN_DOMINF_dying ? DOMAIN_DYING :
	       info.flags & XEN_DOMINF_shutdown ? DOMAIN_SHUTDOWN :
	       DOMAIN_RUNS;
}

/*
 * Handles what the guest asks, a limited number of requests; stays active if
 * there may be more.
 */
void ring_receive(struct conn *c)
{
	struct domain *d = c->domain;
	uint32_t from = d->req_cons, avail, at;
	int n, taken;

	for (n = 0; n < RING_BATCH && !c->dead && !conn_blocked(c); n++) {
		avail = ring_load(&d->page->req_prod) - d->req_cons;
		at = MASK_XENSTORE_IDX(d->req_cons);
		if (avail > XENSTORE_RING_SIZE) {
			ring_fail(d, XENSTORE_ERROR_RINGIDX);
			break;
		}
		avail = MIN(avail, XENSTORE_RING_SIZE - at);
		if (!avail && wire_wanted(&c->in))
			break;
		taken = conn_feed(c, d->page->req + at, avail);
		if (taken < 0) {
			ring_fail(d, XENSTORE_ERROR_PROTO);
			break;
		}
		d->req_cons += taken;
	}
	if (d->req_cons != from)
		state_domain(d, STATE_SAME);
	c->active = n == RING_BATCH;
}

/*
 * Moves what fits to the guest; the journal already has it.  A guest that
 * made room meanwhile does not say so, and sends no event for a request that
 * it adds before it sees the one in front taken: look once more after showing
 * either.
 */
void ring_send(struct conn *c)
{
	struct domain *d = c->domain;
	bool was_blocked = conn_blocked(c), given = true, moved = false;
	uint32_t room, at, len;

	if (c->dead || (!c->out && d->told_cons == d->req_cons))
		return;
	while (given && c->out) {
		room = XENSTORE_RING_SIZE -
		       (d->rsp_prod - ring_load(&d->page->rsp_cons));
		if (room > XENSTORE_RING_SIZE) {
			ring_fail(d, XENSTORE_ERROR_RINGIDX);
			return;
		}
		for (given = false; room && c->out; given = moved = true) {
			at = MASK_XENSTORE_IDX(d->rsp_prod);
			len = MIN(room, XENSTORE_RING_SIZE - at);
			len = MIN(len, c->out->len - c->out->sent);
			memcpy(d->page->rsp + at, c->out->bytes + c->out->sent,
			       len);
			d->rsp_prod += len;
			room -= len;
			conn_sent(c, len);
		}
		ring_store(&d->page->rsp_prod, d->rsp_prod);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	if (d->told_cons != d->req_cons) {
		ring_store(&d->page->req_cons, d->req_cons);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		d->told_cons = d->req_cons;
		moved = true;
		if (ring_load(&d->page->req_prod) != d->req_cons)
			c->active = true;
	}
	if (moved)
		evtchn_notify(ring_evtchn, d->local_port);
	/* There is room for more requests, or for events that are owed. */
	c->active |= (was_blocked && !conn_blocked(c)) ||
		     (moved && !c->out && c->nr_owed);
}
