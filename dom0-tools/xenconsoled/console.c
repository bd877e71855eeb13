// SPDX-License-Identifier: GPL-2.0
/*
 * The consoles of the domains.
 *
 * A console begins when its domain is introduced and ends when it is gone
 * and its last bytes are drained.  Its page is the guest's, who may write
 * anything at any time: our own indices are kept here and only written there,
 * the guest's are read once and checked.
 *
 * A guest that floods is drained at RATE_BYTES per RATE_MS, where an event
 * counts as EVENT_BYTES, and its event port stays masked in between: it waits,
 * nothing is lost, and the control domain has time for others.
 *
 * A killed daemon leaves the ring as it is.  The next one goes on with the
 * indices in the page, binds the port that the store names and makes a new
 * pty; who had the old one open finds the new name in console/tty.
 */
#include <poll.h>
#include <pty.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <hypercall-abi/grant_table.h>
#include <hypercall-abi/io_console.h>
#include "xenconsoled.h"

#define RATE_MS		100
#define RATE_BYTES	65536
#define EVENT_BYTES	1024
#define BACKLOG_ROOM	65536

struct console {
	struct console *next;
	domid_t domid;
	struct store_watch *watch;
	struct xencons_interface *page;	/* NULL: not connected */
	uint32_t remote_port, port;
	XENCONS_RING_IDX in_prod, out_cons;
	unsigned int drained;		/* in this period; RATE_BYTES: masked */
	struct loop_timer period;
	struct logfile log;
	struct backlog backlog;
	struct viewer *viewers;		/* the pty is one of them */
	int pty_slave;			/* kept open: no hang-up */
	int listener;
};

static struct console *consoles;
static int console_evtchn = -1, console_gnttab = -1;

static unsigned int console_room(const struct console *c)
{
	uint32_t used;

	if (!c->page)
		return 0;
	used = c->in_prod - __atomic_load_n(&c->page->in_cons,
					    __ATOMIC_ACQUIRE);
	return used > sizeof(c->page->in) ? 0 : sizeof(c->page->in) - used;
}

/* Shows all viewers what they have not seen; some may turn out to be gone. */
static void console_show(struct console *c)
{
	bool room = console_room(c);
	struct viewer *v, *next;

	for (v = c->viewers; v; v = next) {
		next = v->next;
		if (!viewer_write(v, &c->backlog, room))
			viewer_free(v, &c->viewers);
	}
}

/* Moves what the guest wrote to the log and the backlog; how much. */
static unsigned int console_drain(struct console *c)
{
	struct xencons_interface *p = c->page;
	uint32_t n = __atomic_load_n(&p->out_prod, __ATOMIC_ACQUIRE) -
		     c->out_cons;
	uint32_t at = MASK_XENCONS_IDX(c->out_cons, p->out);
	char buf[sizeof(p->out)];

	if (!n || n > sizeof(p->out))
		return 0;
	n = MIN(n, sizeof(p->out) - at);
	memcpy(buf, p->out + at, n);
	logfile_write(&c->log, buf, n);
	backlog_write(&c->backlog, buf, n);
	c->out_cons += n;
	__atomic_store_n(&p->out_cons, c->out_cons, __ATOMIC_RELEASE);
	return n;
}

/* Drains within the rate; leaves the port masked if that is used up. */
static void console_work(struct console *c)
{
	XENCONS_RING_IDX before = c->out_cons;
	unsigned int n;

	c->drained += EVENT_BYTES;
	while (c->drained < RATE_BYTES && (n = console_drain(c)))
		c->drained += n;
	if (c->out_cons != before)
		evtchn_notify(console_evtchn, c->port);
	if (!c->period.armed)
		loop_timer_set(&c->period, RATE_MS);
	if (c->drained < RATE_BYTES)
		evtchn_unmask(console_evtchn, c->port);
	console_show(c);
}

static void console_period(void *arg)
{
	struct console *c = arg;
	bool masked = c->drained >= RATE_BYTES;

	c->drained = 0;
	if (masked)
		console_work(c);
}

static void console_events(void *arg, unsigned int events)
{
	uint32_t ports[32];
	struct console *c;
	int n = evtchn_pending(console_evtchn, ports, ARRAY_SIZE(ports));

	(void)arg;
	(void)events;
	while (n-- > 0)
		for (c = consoles; c; c = c->next)
			if (c->page && c->port == ports[n])
				console_work(c);
}

/* What was typed goes to the guest, as much as it has room for.  False: who
 * typed is gone. */
static bool console_type(struct console *c, int fd)
{
	struct xencons_interface *p = c->page;
	unsigned int room = console_room(c), i;
	char buf[256];
	ssize_t n;

	/* A hang-up is told even if nothing is to be heard. */
	if (!room)
		return poll(&(struct pollfd){ .fd = fd }, 1, 0) <= 0;
	n = read(fd, buf, MIN(room, sizeof(buf)));
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	for (i = 0; i < (size_t)n; i++)
		p->in[MASK_XENCONS_IDX(c->in_prod + i, p->in)] = buf[i];
	c->in_prod += n;
	__atomic_store_n(&p->in_prod, c->in_prod, __ATOMIC_RELEASE);
	evtchn_notify(console_evtchn, c->port);
	return true;
}

/* A viewer typed something, or can take more. */
void console_viewer_event(void *arg, unsigned int events)
{
	struct viewer *v = arg;
	struct console *c = v->console;

	if (events & LOOP_IN && !console_type(c, v->fd))
		viewer_free(v, &c->viewers);
	console_show(c);
}

static void console_accept(void *arg, unsigned int events)
{
	struct console *c = arg;
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0 && viewer_new(c, &c->viewers, fd, c->backlog.start))
		console_show(c);
}

static const char *console_socket(const struct console *c)
{
	static char path[64];

	snprintf(path, sizeof(path), RUN_DIR "/%u", c->domid);
	return path;
}

static char *console_node(struct console *c, struct arena *a, uint32_t tx,
			  const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u/%s", c->domid, name);
	return store_read(store, a, tx, path, NULL);
}

/* Names the pty in the store, unless the tools removed the domain's nodes
 * meanwhile: these must not come back. */
static int console_tell_tty(struct console *c, const char *tty)
{
	struct arena a = { 0 };
	char path[64];
	uint32_t tx;
	int rc, end;

	snprintf(path, sizeof(path), "/local/domain/%u/console/tty", c->domid);
	do {
		rc = store_begin(store, &tx);
		if (rc)
			break;
		rc = console_node(c, &a, tx, "console/port") ?
		     store_write(store, tx, path, tty, strlen(tty)) : -errno;
		end = store_end(store, tx, !rc);
		rc = rc ? rc : end;
	} while (rc == -EAGAIN);
	arena_release(&a);
	return rc == -ENOENT ? 0 : rc;
}

static int console_make_pty(struct console *c)
{
	struct termios t;
	int master;

	if (openpty(&master, &c->pty_slave, NULL, NULL, NULL))
		return -errno;
	fcntl(master, F_SETFL, O_NONBLOCK);
	tcgetattr(c->pty_slave, &t);
	cfmakeraw(&t);
	tcsetattr(c->pty_slave, TCSANOW, &t);
	if (!viewer_new(c, &c->viewers, master, c->backlog.start))
		return -ENOMEM;
	return console_tell_tty(c, ptsname(master));
}

static void console_disconnect(struct console *c)
{
	if (!c->page)
		return;
	loop_timer_clear(&c->period);
	evtchn_unbind(console_evtchn, c->port);	/* 0 is none */
	gnttab_unmap(console_gnttab, c->page);
	c->page = NULL;
	c->port = 0;
}

/* The store names a port: connects to it and to the page that goes with it. */
static int console_connect(struct console *c)
{
	int rc = 0;

	c->page = gnttab_map(console_gnttab, c->domid,
			     GNTTAB_RESERVED_CONSOLE, PROT_READ | PROT_WRITE);
	if (!c->page)
		return -errno;
	rc = evtchn_bind_interdomain(console_evtchn, c->domid,
				     c->remote_port);
	if (rc < 0) {
		console_disconnect(c);
		return rc;
	}
	c->port = rc;
	c->drained = 0;
	c->in_prod = c->page->in_prod;
	c->out_cons = c->page->out_cons;
	rc = c->pty_slave < 0 ? console_make_pty(c) : 0;
	if (c->listener < 0) {
		c->listener = daemon_listen(console_socket(c), 0600);
		if (c->listener < 0 ||
		    loop_add(c->listener, LOOP_IN, console_accept, c))
			log_warn("domain %u: cannot listen on %s", c->domid,
				 console_socket(c));
	}
	console_work(c);
	return rc;
}

static void console_changed(void *arg)
{
	struct console *c = arg;
	struct arena a = { 0 };
	char *port = console_node(c, &a, 0, "console/port");
	char *type = console_node(c, &a, 0, "console/type");
	char *name = console_node(c, &a, 0, "name"), *slash;
	uint32_t n = 0;
	int rc = 0;

	if (!port || !wire_parse_u32(port, INT32_MAX, &n) || !n ||
	    (type && strcmp(type, "xenconsoled")))
		goto out;	/* not yet, or not ours */
	if (log_dir && c->log.fd < 0 && name && *name) {
		while ((slash = strchr(name, '/')))
			*slash = '_';
		snprintf(c->log.path, sizeof(c->log.path),
			 "%s/guest-%s.log", log_dir, name);
		logfile_open(&c->log);
	}
	if (!c->page || n != c->remote_port) {
		console_disconnect(c);
		c->remote_port = n;
		rc = console_connect(c);
	}
	if (rc)
		log_warn("domain %u: no console: %s", c->domid, strerror(-rc));
out:
	arena_release(&a);
}

static void console_new(domid_t domid)
{
	struct console *c = calloc(1, sizeof(*c));
	char path[40];

	if (!c)
		return;		/* the next scan tries again */
	c->domid = domid;
	c->log.fd = c->pty_slave = c->listener = -1;
	c->backlog.room = BACKLOG_ROOM;
	c->period = (struct loop_timer){ .fn = console_period, .arg = c };
	snprintf(path, sizeof(path), "/local/domain/%u/console", domid);
	c->next = consoles;
	consoles = c;
	c->watch = store_watch(store, path, console_changed, c);
}

/* The console that *p points at ends. */
static void console_free(struct console **p)
{
	struct console *c = *p;

	*p = c->next;
	while (c->page && console_drain(c))	/* its last words */
		console_show(c);
	console_disconnect(c);
	if (c->watch)
		store_unwatch(store, c->watch);
	while (c->viewers)
		viewer_free(c->viewers, &c->viewers);
	loop_del(c->listener);	/* -1 is none, as for the others */
	close(c->listener);
	unlink(console_socket(c));
	close(c->pty_slave);
	close(c->log.fd);
	free(c->backlog.data);
	free(c);
}

/* Some domain came or went: makes the consoles match the domains. */
void console_scan(void *arg)
{
	struct xen_domctl_getdomaininfo info;
	struct console *c, **p;

	(void)arg;
	for (p = &consoles; *p;)
		if (hyper_domain_info((*p)->domid, &info) ||
		    info.flags & XEN_DOMINF_dying)
			console_free(p);
		else
			p = &(*p)->next;
	info.domain = 0;
	while (!hyper_next_domain(info.domain + 1, &info)) {
		for (c = consoles; c && c->domid != info.domain;)
			c = c->next;
		if (!c && !(info.flags & XEN_DOMINF_dying))
			console_new(info.domain);
	}
}

/* Opens what the consoles need. */
void console_start(void)
{
	if (hyper_open() || (console_evtchn = evtchn_open()) < 0 ||
	    (console_gnttab = gnttab_open()) < 0 ||
	    loop_add(console_evtchn, LOOP_IN, console_events, NULL))
		fatal("not in the control domain of a hypervisor");
}
