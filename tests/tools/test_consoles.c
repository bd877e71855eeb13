// SPDX-License-Identifier: GPL-2.0
/*
 * The console daemon's work: real are console.c, viewers and the event loop;
 * two domains, their pages and event channels are here.  A case fails if one
 * domain, or who looks at it, costs the other anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../host/test.h"
#undef strtoull
#include "../../dom0-tools/xenconsoled/console.c"
#include "stop.h"

#define DOMAINS		2		/* 1 and 2; the port is the number */

struct store *store;
const char *log_dir;

static struct guest {
	struct xencons_interface page;
	store_watch_fn *changed;
	void *arg;
	char tty[64];			/* as the store has it */
	char path[64];			/* of its socket */
	bool masked, pending;
	bool storms;			/* sends whenever it can */
	unsigned int events;		/* that the daemon took */
} guests[DOMAINS + 1];
static int wire[2];			/* ports that fired */

/* --- the hypervisor, and the store ------------------------------------ */
int hyper_open(void) { return 0; }
int gnttab_open(void) { return 0; }

void *gnttab_map(int fd, domid_t domid, uint32_t ref, int prot)
{
	CHECK_EQ(ref, GNTTAB_RESERVED_CONSOLE);
	return &guests[domid].page;
}

void gnttab_unmap(int fd, void *page) { }

int evtchn_open(void)
{
	if (pipe2(wire, O_NONBLOCK))
		abort();
	return wire[0];
}

/* The guest sends an event. */
static void fire(struct guest *g)
{
	uint32_t port = g - guests;

	g->pending = g->masked;
	if (g->masked)
		return;
	g->masked = true;
	CHECK_EQ(write(wire[1], &port, sizeof(port)), sizeof(port));
}

int evtchn_bind_interdomain(int fd, domid_t domid, uint32_t remote_port)
{
	return domid;
}

int evtchn_unbind(int fd, uint32_t port) { return 0; }
int evtchn_notify(int fd, uint32_t port) { return 0; }

int evtchn_pending(int fd, uint32_t *ports, unsigned int max)
{
	ssize_t i, n = read(fd, ports, max * sizeof(*ports));

	for (i = 0; i < n / 4; i++)
		guests[ports[i]].events++;
	return n < 0 ? 0 : n / 4;
}

int evtchn_unmask(int fd, uint32_t port)
{
	struct guest *g = &guests[port];

	g->masked = false;
	if (g->pending || g->storms)
		fire(g);
	return 0;
}

int hyper_next_domain(domid_t first, struct xen_domctl_getdomaininfo *info)
{
	*info = (struct xen_domctl_getdomaininfo){ .domain = first };
	return first <= DOMAINS ? 0 : -ESRCH;
}

static bool gone;

int hyper_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	return gone ? -ESRCH : hyper_next_domain(domid, info);
}

static struct guest *guest_of(const char *path, const char **rest)
{
	int domid = 0, n = 0;

	sscanf(path, "/local/domain/%d/%n", &domid, &n);
	*rest = path + n;
	return &guests[domid];
}

struct store_watch *store_watch(struct store *s, const char *path,
				store_watch_fn *fn, void *arg)
{
	const char *rest;
	struct guest *g = guest_of(path, &rest);

	g->changed = fn;
	g->arg = arg;
	return (void *)g;
}

void store_unwatch(struct store *s, struct store_watch *w) { }

char *store_read(struct store *s, struct arena *a, uint32_t tx,
		 const char *path, unsigned int *len)
{
	const char *rest;
	struct guest *g = guest_of(path, &rest);

	errno = ENOENT;
	return strcmp(rest, "console/port") ? NULL :
	       arena_printf(a, "%d", (int)(g - guests));
}

int store_write(struct store *s, uint32_t tx, const char *path,
		const void *value, unsigned int len)
{
	const char *rest;

	snprintf(guest_of(path, &rest)->tty, 64, "%.*s", len,
		 (const char *)value);
	return 0;
}

int store_begin(struct store *s, uint32_t *tx) { return *tx = 0; }
int store_end(struct store *s, uint32_t tx, bool commit) { return 0; }

/* Its sockets lie where everybody may make some. */
int daemon_listen(const char *path, int mode)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct guest *g = &guests[atoi(strrchr(path, '/') + 1)];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(g->path, sizeof(g->path), "/tmp/test-consoles.%d.%s",
		 getpid(), strrchr(path, '/') + 1);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", g->path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8))
		abort();
	return fd;
}

/* --- the test ---------------------------------------------------------- */
static unsigned int batches;		/* of the event loop */

static bool count(void)
{
	batches++;
	return false;
}

static void stop(void *arg)
{
	loop_stop();
}

/* The daemon has so much time. */
static void run(unsigned int ms)
{
	struct loop_timer t = { .fn = stop };

	loop_timer_set(&t, ms);
	loop_until_stop();
}

/* The guest writes a line, and sends an event. */
static void say(struct guest *g, const char *text)
{
	for (; *text; text++)
		g->page.out[MASK_XENCONS_IDX(g->page.out_prod++,
					     g->page.out)] = *text;
	fire(g);
}

/* What the guest finds typed. */
static const char *typed(struct guest *g)
{
	static char text[sizeof(g->page.in) + 1];
	unsigned int n = 0;

	while (g->page.in_cons != g->page.in_prod)
		text[n++] = g->page.in[MASK_XENCONS_IDX(g->page.in_cons++,
							g->page.in)];
	text[n] = 0;
	return text;
}

static int look(const struct guest *g)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(to.sun_path, g->path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
	return fd;
}

static const char *shown(int fd)
{
	static char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = 0;
	return text;
}

static unsigned int viewers_of(const struct guest *g)
{
	const struct console *c = g->arg;
	const struct viewer *v;
	unsigned int n = 0;

	for (v = c->viewers; v; v = v->next)
		n++;
	return n;
}

static void begin(void)
{
	int i;

	memset(guests, 0, sizeof(guests));
	gone = false;
	console_start();
	console_scan(NULL);
	for (i = 1; i <= DOMAINS; i++)
		guests[i].changed(guests[i].arg);
	loop_after(count);
	run(10);
	batches = 0;
}

static void finish(void)
{
	gone = true;
	guests[1].storms = guests[2].storms = false;
	while (consoles)
		console_free(&consoles);
	unlink(guests[1].path);
	unlink(guests[2].path);
	loop_del(wire[0]);
	close(wire[0]);
	close(wire[1]);
}

/*
 * A guest does not take what is typed.  Who looks at it hangs up, on the
 * socket, with and without something typed, or on the pty: that is noticed,
 * or costs nothing, and what the guest has room for later is all there.
 */
static void hangup_without_room(void)
{
	struct guest *g = &guests[1], *other = &guests[2];
	int quiet, typing, pty, watcher, stays;
	char line[sizeof(g->page.in)];

	begin();
	quiet = look(g);
	typing = look(g);
	stays = look(g);
	watcher = look(other);
	pty = open(g->tty, O_RDWR | O_NOCTTY);
	CHECK(pty >= 0);
	run(10);
	CHECK_EQ(viewers_of(g), 4);
	memset(line, 'x', sizeof(line));
	CHECK_EQ(write(typing, line, sizeof(line)), sizeof(line));
	run(50);
	CHECK_EQ(g->page.in_prod - g->page.in_cons, sizeof(line));
	CHECK_EQ(write(typing, "more", 4), 4);
	CHECK_EQ(write(pty, "late", 4), 4);
	run(50);
	batches = 0;
	close(quiet);
	close(typing);
	close(pty);
	say(other, "one\n");
	run(200);
	CHECK(batches < 20);
	CHECK(!strcmp(shown(watcher), "one\n"));
	CHECK_EQ(viewers_of(g), 2);	/* the daemon's own pty, and stays */
	/* The same while there is output that it cannot get rid of. */
	quiet = look(g);
	run(10);
	close(quiet);
	say(g, "two\n");
	say(other, "three\n");
	batches = 0;
	run(200);
	CHECK(batches < 20);
	CHECK(!strcmp(shown(watcher), "three\n"));
	CHECK(!strcmp(shown(stays), "two\n"));
	CHECK_EQ(viewers_of(g), 2);
	/* It takes all: the pty's owner is gone, what it typed is not. */
	CHECK_EQ(strlen(typed(g)), sizeof(line));
	CHECK_EQ(write(stays, "end", 3), 3);
	fire(g);
	run(50);
	CHECK(strstr(typed(g), "late"));
	CHECK(batches < 40);
	close(watcher);
	close(stays);
	finish();
}

/* A guest that sends nothing but events is heard no more often than the rate
 * says, and another one's output is shown as quickly as ever. */
static void events_are_rated(void)
{
	struct guest *g = &guests[1], *other = &guests[2];
	unsigned int most = RATE_BYTES / EVENT_BYTES, i, seen = 0;
	int watcher;

	begin();
	watcher = look(other);
	run(10);
	g->storms = true;
	g->events = batches = 0;
	fire(g);
	for (i = 0; i < 20; i++) {
		say(other, "x\n");
		run(RATE_MS / 2);
		seen += strlen(shown(watcher));
	}
	CHECK_EQ(seen, 40);
	CHECK_EQ(other->events, 20);
	/* A period more for each end. */
	CHECK(g->events > most && g->events <= 12 * most);
	CHECK(batches < 12 * most + 200);
	/* It may speak, all the same; and in peace it is heard at once. */
	say(g, "I am here\n");
	run(2 * RATE_MS);
	CHECK_EQ(g->page.out_cons, g->page.out_prod);
	g->storms = false;
	run(2 * RATE_MS);
	i = g->events;
	run(2 * RATE_MS);
	CHECK_EQ(g->events, i);
	say(g, "Here\n");
	run(5);
	CHECK_EQ(g->page.out_cons, g->page.out_prod);
	close(watcher);
	finish();
}

/* The same for one that writes without end. */
static void bytes_are_rated(void)
{
	struct guest *g = &guests[1], *other = &guests[2];
	uint64_t end = loop_now() + 10 * RATE_MS;
	unsigned int seen = 0, said = 0;
	int watcher;

	begin();
	watcher = look(other);
	run(10);
	while (loop_now() < end) {
		g->page.out_prod = g->page.out_cons + sizeof(g->page.out);
		fire(g);
		if (said++ % 16 == 0)
			say(other, "x\n");
		run(1);
		seen += strlen(shown(watcher));
	}
	CHECK_EQ(seen, (said + 15) / 16 * 2);
	CHECK(g->page.out_cons > 4 * RATE_BYTES);
	CHECK(g->page.out_cons <= 12 * RATE_BYTES);
	close(watcher);
	finish();
}

/* Indices that make no sense move nothing and harm nobody. */
static void wild_indices(void)
{
	struct guest *g = &guests[1], *other = &guests[2];
	int viewer, watcher;
	uint32_t i;

	begin();
	viewer = look(g);
	watcher = look(other);
	run(10);
	for (i = 0; i < 200; i++) {
		g->page.out_prod = test_random();
		g->page.in_cons = test_random();
		g->page.in_prod = test_random();
		fire(g);
		if (write(viewer, "typed", 5) < 0)
			CHECK_EQ(errno, EAGAIN);
		run(0);
	}
	say(other, "fine\n");
	run(2 * RATE_MS);
	CHECK(!strcmp(shown(watcher), "fine\n"));
	close(viewer);
	close(watcher);
	finish();
}

int main(void)
{
	log_open("test");
	signal(SIGPIPE, SIG_IGN);
	alarm(300);
	RUN(hangup_without_room);
	RUN(events_are_rated);
	RUN(bytes_are_rated);
	RUN(wild_indices);
	return test_done();
}
