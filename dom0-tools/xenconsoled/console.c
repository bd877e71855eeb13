// SPDX-License-Identifier: GPL-2.0
/*
 * The consoles of the domains.
 *
 * A console begins when its domain is introduced and ends when it is gone
 * and its last bytes are drained.  Its page is the guest's, who may write
 * anything at any time: our own indices are kept here and only written there,
 * the guest's are read once and checked.
 *
 * A guest that floods is drained at RATE_BYTES per RATE_MS and its event port
 * stays masked in between: it waits, nothing is lost, and the control domain
 * has time for others.
 *
 * A killed daemon leaves the ring as it is.  The next one goes on with the
 * indices in the page, binds the port that the store names and makes a new
 * pty; who had the old one open finds the new name in console/tty.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include <hypercall-abi/grant_table.h>
#include <hypercall-abi/io_console.h>
#include "xenconsoled.h"

#define RATE_MS		100
#define RATE_BYTES	65536
#define BACKLOG_MAX	65536
#define PAGE		4096u

struct console {
	struct console *next;
	domid_t domid;
	bool seen;			/* by the scan in progress */
	char path[40];			/* /local/domain/N/console */
	struct store_watch *watch;
	struct xencons_interface *page;	/* NULL: not connected */
	bool granted;
	uint64_t ring_ref;
	uint32_t remote_port, port;
	XENCONS_RING_IDX in_prod, out_cons;
	unsigned int drained;		/* in this period */
	bool masked;			/* until the period ends */
	struct loop_timer period;
	struct logfile log;
	struct backlog backlog;
	struct viewer *viewers, *pty;	/* pty is one of viewers */
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

static void console_poll_viewers(struct console *c)
{
	bool room = console_room(c);
	struct viewer *v;

	for (v = c->viewers; v; v = v->next)
		viewer_want(v, room, v->at < c->backlog.end);
}

static void console_drop_viewer(struct console *c, struct viewer *v)
{
	if (v == c->pty)
		c->pty = NULL;
	viewer_free(v, &c->viewers);
}

static void console_show(struct console *c)
{
	struct viewer *v, *next;

	for (v = c->viewers; v; v = next) {
		next = v->next;
		if (!viewer_write(v, &c->backlog))
			console_drop_viewer(c, v);
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
	if (n > sizeof(p->out) - at)
		n = sizeof(p->out) - at;
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
	unsigned int n, all = 0;

	while (c->drained < RATE_BYTES && (n = console_drain(c))) {
		c->drained += n;
		all += n;
	}
	if (all) {
		evtchn_notify(console_evtchn, c->port);
		console_show(c);
		if (!c->period.armed)
			loop_timer_set(&c->period, RATE_MS);
	}
	c->masked = c->drained >= RATE_BYTES;
	if (!c->masked)
		evtchn_unmask(console_evtchn, c->port);
	console_poll_viewers(c);
}

static void console_period(void *arg)
{
	struct console *c = arg;

	c->drained = 0;
	if (c->masked)
		console_work(c);
}

static void console_events(void *arg, unsigned int events)
{
	uint32_t ports[32];
	struct console *c;
	int i, n;

	(void)arg;
	(void)events;
	n = evtchn_pending(console_evtchn, ports, ARRAY_SIZE(ports));
	for (i = 0; i < n; i++) {
		for (c = consoles; c && c->port != ports[i]; c = c->next)
			;
		if (c && c->page)
			console_work(c);
		else
			evtchn_unmask(console_evtchn, ports[i]);
	}
}

/* What was typed goes to the guest, as much as it has room for. */
static bool console_type(struct console *c, int fd)
{
	struct xencons_interface *p = c->page;
	unsigned int room = console_room(c), i;
	char buf[256];
	ssize_t n;

	if (!room)
		return true;
	n = read(fd, buf, room < sizeof(buf) ? room : sizeof(buf));
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
void console_viewer_event(struct viewer *v, unsigned int events)
{
	struct console *c = v->console;
	bool alive = true;

	if (events & LOOP_IN)
		alive = console_type(c, v->fd);
	if (alive)
		alive = viewer_write(v, &c->backlog);
	if (!alive)
		console_drop_viewer(c, v);
	console_poll_viewers(c);
}

static void console_accept(void *arg, unsigned int events)
{
	struct console *c = arg;
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct viewer *v;

	(void)events;
	if (fd < 0)
		return;
	v = viewer_new(c, &c->viewers, fd, c->backlog.start);
	if (v && !viewer_write(v, &c->backlog))
		console_drop_viewer(c, v);
	console_poll_viewers(c);
}

static void console_listen(struct console *c)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), RUN_DIR "/%u", c->domid);
	fd = daemon_listen(path, 0600);
	if (fd < 0 || loop_add(fd, LOOP_IN, console_accept, c)) {
		log_warn("domain %u: cannot listen on %s", c->domid, path);
		return;
	}
	c->listener = fd;
}

static int console_make_pty(struct console *c)
{
	struct termios t;
	char name[64], path[64];
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL))
		return -errno;
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	fcntl(master, F_SETFL, O_NONBLOCK);
	tcgetattr(slave, &t);
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	ptsname_r(master, name, sizeof(name));
	c->pty_slave = slave;
	c->pty = viewer_new(c, &c->viewers, master, c->backlog.start);
	if (!c->pty)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/tty", c->path);
	return store_write(store, 0, path, name, strlen(name));
}

static void console_open_log(struct console *c)
{
	struct arena a = { 0 };
	char path[64], file[128], *name, *slash;

	if (!log_dir || c->log.fd >= 0)
		return;
	snprintf(path, sizeof(path), "/local/domain/%u/name", c->domid);
	name = store_read(store, &a, 0, path, NULL);
	if (name && *name) {
		while ((slash = strchr(name, '/')))
			*slash = '_';
		snprintf(file, sizeof(file), "guest-%s.log", name);
		logfile_open(&c->log, log_dir, file);
	}
	arena_release(&a);
}

static void console_disconnect(struct console *c)
{
	if (!c->page)
		return;
	loop_timer_clear(&c->period);
	evtchn_unbind(console_evtchn, c->port);
	if (c->granted)
		gnttab_unmap(console_gnttab, c->page);
	else
		hyper_unmap(c->page, 1);
	c->page = NULL;
	c->port = 0;
}

static int console_map(struct console *c)
{
	const int rw = PROT_READ | PROT_WRITE;

	c->page = gnttab_map(console_gnttab, c->domid,
			     GNTTAB_RESERVED_CONSOLE, rw);
	c->granted = c->page;
	if (!c->page)
		c->page = hyper_map(c->domid, &c->ring_ref, 1, rw);
	return c->page ? 0 : -errno;
}

/* The store names a ring and a port: connects to them. */
static int console_connect(struct console *c)
{
	int rc = console_map(c);

	if (rc)
		return rc;
	rc = evtchn_bind_interdomain(console_evtchn, c->domid,
				     c->remote_port);
	if (rc < 0) {
		console_disconnect(c);
		return rc;
	}
	c->port = rc;
	c->in_prod = c->page->in_prod;
	c->out_cons = c->page->out_cons;
	if (c->pty_slave < 0)
		rc = console_make_pty(c);
	if (c->listener < 0)
		console_listen(c);
	console_work(c);
	return rc < 0 ? rc : 0;
}

static bool console_node(struct console *c, const char *name, uint64_t *value)
{
	struct arena a = { 0 };
	char path[64], *s, *end = NULL;

	snprintf(path, sizeof(path), "%s/%s", c->path, name);
	s = store_read(store, &a, 0, path, NULL);
	if (s)
		*value = strtoull(s, &end, 10);
	s = end && end != s && !*end ? s : NULL;
	arena_release(&a);
	return s;
}

/* Is the console served by this daemon? */
static bool console_is_ours(struct console *c)
{
	struct arena a = { 0 };
	char path[64], *s;
	bool ours;

	snprintf(path, sizeof(path), "%s/type", c->path);
	s = store_read(store, &a, 0, path, NULL);
	ours = !s || !strcmp(s, "xenconsoled");
	arena_release(&a);
	return ours;
}

static void console_changed(void *arg, const char *path)
{
	struct console *c = arg;
	uint64_t ref, port, limit = BACKLOG_MAX;
	int rc;

	(void)path;
	if (!console_node(c, "ring-ref", &ref) ||
	    !console_node(c, "port", &port) || !console_is_ours(c))
		return;
	console_open_log(c);
	if (c->page && ref == c->ring_ref && port == c->remote_port)
		return;
	console_node(c, "limit", &limit);
	c->backlog.max = limit < BACKLOG_MAX ? limit : BACKLOG_MAX;
	console_disconnect(c);
	c->ring_ref = ref;
	c->remote_port = port;
	rc = console_connect(c);
	if (rc)
		log_warn("domain %u: no console: %s", c->domid, strerror(-rc));
}

static void console_new(domid_t domid)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return;		/* the next scan tries again */
	c->domid = domid;
	c->seen = true;
	c->log.fd = c->pty_slave = c->listener = -1;
	c->period.fn = console_period;
	c->period.arg = c;
	snprintf(c->path, sizeof(c->path), "/local/domain/%u/console", domid);
	c->next = consoles;
	consoles = c;
	c->watch = store_watch(store, c->path, console_changed, c);
	log_debug("domain %u: new", domid);
}

static void console_free(struct console *c)
{
	struct console **p = &consoles;
	char path[64];

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	log_debug("domain %u: gone", c->domid);
	while (c->page && console_drain(c))	/* its last words */
		console_show(c);
	console_disconnect(c);
	if (c->watch)
		store_unwatch(store, c->watch);
	while (c->viewers)
		console_drop_viewer(c, c->viewers);
	if (c->pty_slave >= 0)
		close(c->pty_slave);
	if (c->listener >= 0) {
		loop_del(c->listener);
		close(c->listener);
		snprintf(path, sizeof(path), RUN_DIR "/%u", c->domid);
		unlink(path);
	}
	logfile_close(&c->log);
	free(c->backlog.data);
	free(c);
}

static struct console *console_of(domid_t domid)
{
	struct console *c;

	for (c = consoles; c && c->domid != domid; c = c->next)
		;
	return c;
}

/* Some domain came or went: makes the consoles match the domains. */
void console_scan(void)
{
	struct xen_domctl_getdomaininfo info = { .domain = 0 };
	struct console *c, *next;

	for (c = consoles; c; c = c->next)
		c->seen = false;
	while (!hyper_next_domain(info.domain + 1, &info)) {
		c = console_of(info.domain);
		if (info.flags & XEN_DOMINF_dying)
			continue;
		if (c)
			c->seen = true;
		else
			console_new(info.domain);
	}
	for (c = consoles; c; c = next) {
		next = c->next;
		if (!c->seen)
			console_free(c);
	}
}

/* Somebody moved the files away. */
void console_reopen_logs(void)
{
	struct console *c;

	for (c = consoles; c; c = c->next) {
		logfile_close(&c->log);
		console_open_log(c);
	}
}

/* Opens what the consoles need. */
void console_start(void)
{
	int rc = hyper_open();

	if (!rc)
		rc = console_evtchn = evtchn_open();
	if (rc >= 0)
		rc = console_gnttab = gnttab_open();
	if (rc >= 0)
		rc = loop_add(console_evtchn, LOOP_IN, console_events, NULL);
	if (rc < 0) {
		errno = -rc;
		fatal("not in the control domain of a hypervisor");
	}
}
