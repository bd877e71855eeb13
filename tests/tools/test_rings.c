// SPDX-License-Identifier: GPL-2.0
/*
 * The store daemon whole, in a process of its own, with the rings of Dom0's
 * kernel and of guests; what the hypervisor does for them is here, in memory
 * that the process and the test share.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../host/test.h"
#undef strtoull
#define main xenstored_main
#include "../../dom0-tools/xenstored/main.c"
#undef main

#define GUESTS		3		/* 1 and 2, beside Domain-0 */
#define PORT(domid)	(10 + (domid))	/* the daemon's */
#define VIRQ_PORT	9

enum failure { NONE, NO_DEVICE, NO_VIRQ, NO_PORT, NO_PAGE, NO_CHANNEL };

static struct world {
	union {
		struct xenstore_domain_interface page;
		char bytes[4096];
	} ring[GUESTS];			/* Domain-0's first */
	enum failure failure;
	bool storms[GUESTS];		/* sends events whenever it can */
	unsigned int events[GUESTS];	/* that the daemon took */
	uint32_t flags[GUESTS];
} *world;
static int world_fd, wire[2];
static char dir[] = "/dev/shm/test-rings.XXXXXX";
static pid_t server;

/* --- the hypervisor and Dom0's kernel ---------------------------------- */
int hyper_open(void)
{
	errno = ENOENT;
	return world->failure == NO_DEVICE ? -errno : 0;
}

int evtchn_open(void) { return wire[0]; }
int gnttab_open(void) { return 100; }

int hyper_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	if (domid >= GUESTS)
		return -ESRCH;
	info->flags = world->flags[domid];
	return 0;
}

void *gnttab_map(int fd, domid_t domid, uint32_t ref, int prot)
{
	errno = EINVAL;
	return domid < GUESTS ? &world->ring[domid] : NULL;
}

/* As the real ones, it may leave another errno. */
void gnttab_unmap(int fd, void *page) { errno = ENOTTY; }
int evtchn_unbind(int fd, uint32_t port) { errno = ENOTCONN; return -errno; }

int evtchn_bind_virq(int fd, unsigned int virq)
{
	errno = EEXIST;
	return world->failure == NO_VIRQ ? -errno : VIRQ_PORT;
}

int evtchn_bind_interdomain(int fd, domid_t domid, uint32_t remote_port)
{
	errno = ENOSPC;
	return world->failure == NO_CHANNEL ? -errno : PORT(domid);
}

int evtchn_notify(int fd, uint32_t port) { return 0; }

static void fire(uint32_t port)
{
	CHECK_EQ(write(wire[1], &port, sizeof(port)), sizeof(port));
}

int evtchn_pending(int fd, uint32_t *ports, unsigned int max)
{
	ssize_t i, n = read(fd, ports, max * sizeof(*ports));

	for (i = 0; i < n / 4; i++)
		if (ports[i] >= PORT(0))
			world->events[ports[i] - PORT(0)]++;
	return n < 0 ? 0 : n / 4;
}

int evtchn_unmask(int fd, uint32_t port)
{
	if (port >= PORT(0) && world->storms[port - PORT(0)])
		fire(port);
	return 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
	errno = EACCES;
	return strcmp(path, "/proc/xen/xsd_kva") ?
		       __real_open(path, flags, mode) :
	       world->failure == NO_PAGE ? -1 : dup(world_fd);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	errno = ENOENT;
	return strcmp(path, "/proc/xen/xsd_port") ? __real_fopen(path, mode) :
	       world->failure == NO_PORT ? NULL : fmemopen("1", 1, mode);
}

/* --- the test ---------------------------------------------------------- */
static int said;			/* what the daemon says */

static void start_server(void)
{
	char *argv[] = { "xenstored", "-N", "-S", dir, NULL };
	int fds[2];

	fflush(stdout);
	if (pipe2(fds, O_CLOEXEC))
		abort();
	server = fork();
	if (!server) {
		alarm(300);
		loop_forked();
		dup2(fds[1], 2);
		_exit(xenstored_main(4, argv));
	}
	close(fds[1]);
	close(said);
	said = fds[0];
}

static int end_server(bool now)
{
	int status;

	if (now)
		kill(server, SIGKILL);
	waitpid(server, &status, 0);
	return status;
}

static struct store *connect_to(void)
{
	struct store *s = store_open(5000);

	if (!s)
		abort();
	return s;
}

static void disconnect(struct store *s)
{
	loop_forked();		/* its descriptors go with the case */
	free(s);
}

static void begin(void)
{
	world_fd = memfd_create("world", MFD_CLOEXEC);
	if (ftruncate(world_fd, sizeof(*world)) ||
	    pipe2(wire, O_CLOEXEC | O_NONBLOCK))
		abort();
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED,
		     world_fd, 0);
	if (world == MAP_FAILED)
		abort();
}

static void finish(void)
{
	char command[64];

	munmap(world, sizeof(*world));
	close(world_fd);
	close(wire[0]);
	close(wire[1]);
	snprintf(command, sizeof(command), "rm -f %s/*", dir);
	if (system(command))
		abort();
}

/* A guest's request, a part of it, or ALL. */
static void request(unsigned int domid, uint32_t type, const char *data,
		    unsigned int size, unsigned int part)
{
	struct xenstore_domain_interface *page = &world->ring[domid].page;
	struct xsd_sockmsg hdr = { .type = type, .len = size };
	char bytes[512];
	unsigned int i;

	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), data, size);
	for (i = part & 0xff; i < sizeof(hdr) + size && i < part >> 8; i++)
		page->req[MASK_XENSTORE_IDX(page->req_prod++)] = bytes[i];
	fire(PORT(domid));
}
#define ALL		(~0u << 8)
#define UP_TO(n)	((n) << 8)
#define FROM(n)		(ALL | (n))

/* The next answer or event for a guest within 20 s; its type, or XS_INVALID.
 * The daemon is not told that there is room: the ring was not full. */
static uint32_t answer(unsigned int domid, char *data)
{
	struct xenstore_domain_interface *page = &world->ring[domid].page;
	uint64_t end = loop_now() + 20000;
	char bytes[XENSTORE_RING_SIZE];
	struct xsd_sockmsg hdr;
	unsigned int have, i;

	for (; loop_now() < end; usleep(1000)) {
		have = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE) -
		       page->rsp_cons;
		for (i = 0; i < have; i++)
			bytes[i] = page->rsp[MASK_XENSTORE_IDX(page->rsp_cons +
							       i)];
		memcpy(&hdr, bytes, sizeof(hdr));
		if (have < sizeof(hdr) || have < sizeof(hdr) + hdr.len)
			continue;
		memcpy(data, bytes + sizeof(hdr), hdr.len);
		data[hdr.len] = 0;
		page->rsp_cons += sizeof(hdr) + hdr.len;
		return hdr.type;
	}
	return XS_INVALID;
}

static off_t size_of_state(void)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "%s/state", dir);
	return stat(path, &st) ? -1 : st.st_size;
}

/*
 * Without the ring of Dom0's kernel the daemon does not start.  It says why in
 * one line, the journal stays, and a later start finds everything.
 */
static void no_ring_for_dom0(void)
{
	static const struct {
		enum failure failure;
		const char *says;
	} cases[] = {
		{ NO_DEVICE, "not in the control domain of a hypervisor: "
			     "No such file or directory" },
		{ NO_VIRQ, "VIRQ_DOM_EXC: File exists" },
		{ NO_PORT, "the ring of the control domain's kernel: "
			   "No such file or directory" },
		{ NO_PAGE, "the ring of the control domain's kernel: "
			   "Permission denied" },
		{ NO_CHANNEL, "the ring of the control domain's kernel: "
			      "No space left on device" },
	};
	char text[1024], want[256];
	struct arena a = { 0 };
	struct store *s;
	unsigned int i, round;
	off_t size;
	ssize_t n;

	begin();
	for (round = 0; round < 2; round++) {
		size = size_of_state();
		CHECK_EQ(size >= 0, round);
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			world->failure = cases[i].failure;
			start_server();
			CHECK_EQ(end_server(false), 1 << 8);
			n = read(said, text, sizeof(text) - 1);
			text[MAX(n, 0)] = 0;
			snprintf(want, sizeof(want), "xenstored: %s\n",
				 cases[i].says);
			CHECK(!strcmp(text, want));
			if (strcmp(text, want))
				printf("said: %s", text);
			CHECK_EQ(size_of_state(), size);
		}
		world->failure = NONE;
		start_server();
		s = connect_to();
		if (round)
			CHECK(store_read(s, &a, 0, "/mine", NULL));
		CHECK_EQ(store_write(s, 0, "/mine", "1", 1), 0);
		request(0, XS_READ, "/mine", 6, ALL);
		CHECK_EQ(answer(0, text), XS_READ);
		CHECK(!strcmp(text, "1"));
		disconnect(s);
		end_server(true);
	}
	arena_release(&a);
	finish();
}

static struct store *with_guests(void)
{
	struct store *s;

	begin();
	start_server();
	s = connect_to();
	CHECK_EQ(store_introduce(s, 1, 1, 1), 0);
	CHECK_EQ(store_introduce(s, 2, 1, 1), 0);
	return s;
}

/* One sends events and nothing else; the others are answered. */
static void storm_of_events(void)
{
	struct store *s = with_guests();
	char text[1024];
	uint64_t start;
	int i;

	world->storms[1] = true;
	fire(PORT(1));
	start = loop_now();
	for (i = 0; i < 50; i++) {
		request(2, XS_GET_DOMAIN_PATH, "2", 2, ALL);
		CHECK_EQ(answer(2, text), XS_GET_DOMAIN_PATH);
		CHECK(!strcmp(text, "/local/domain/2"));
		CHECK_EQ(store_write(s, 0, "/x", "", 0), 0);
	}
	CHECK(loop_now() - start < 5000);
	CHECK(world->events[1] > 50);
	world->storms[1] = false;
	request(1, XS_GET_DOMAIN_PATH, "1", 2, ALL);
	CHECK_EQ(answer(1, text), XS_GET_DOMAIN_PATH);
	disconnect(s);
	end_server(true);
	finish();
}

/* Events that a guest's quota does not take come once it has read the others,
 * though it has no reason to say so. */
static void owed_to_a_guest(void)
{
	struct store *s = with_guests();
	char text[1024], path[64];
	uint32_t tx;
	int i;

	CHECK_EQ(store_set_perms(s, 0, "/", (struct wire_perm[]){
			{ .access = WIRE_READ } }, 1), 0);
	request(1, XS_WATCH, "/w\0t", 5, ALL);
	CHECK_EQ(answer(1, text), XS_WATCH);
	CHECK_EQ(answer(1, text), XS_WATCH_EVENT);
	CHECK_EQ(store_begin(s, &tx), 0);
	for (i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "/w/%d", i);
		CHECK_EQ(store_write(s, tx, path, "", 0), 0);
	}
	/* So little that some fit, but not all. */
	request(0, XS_CONTROL, "quota\0set\0memory\0" "250", 21, ALL);
	CHECK_EQ(answer(0, text), XS_CONTROL);
	CHECK_EQ(store_end(s, tx, true), 0);
	for (i = 0; answer(1, text) == XS_WATCH_EVENT; i++)
		if (!strcmp(text, "/w"))
			break;
	CHECK(i > 0 && i < 12);
	CHECK(!strcmp(text, "/w"));
	disconnect(s);
	end_server(true);
	finish();
}

/* The daemon is killed while guests are half-way in their requests. */
static void killed_within_requests(void)
{
	struct store *s = with_guests();
	unsigned int part;
	char text[1024];

	for (part = 1; part < 21; part += 3) {
		request(1, XS_GET_DOMAIN_PATH, "999", 4, UP_TO(part));
		usleep(20000);
		end_server(true);
		start_server();
		CHECK_EQ(store_write(s, 0, "/x", "", 0), 0);
		request(1, XS_GET_DOMAIN_PATH, "999", 4, FROM(part));
		CHECK_EQ(answer(1, text), XS_GET_DOMAIN_PATH);
		CHECK(!strcmp(text, "/local/domain/999"));
	}
	disconnect(s);
	end_server(true);
	finish();
}

/* A guest dies with half a request, in a transaction that others run into. */
static void dies_within_a_request(void)
{
	struct store *s = with_guests();
	char text[1024];
	uint32_t tx;

	CHECK_EQ(store_write(s, 0, "/local/domain/1/own", "1", 1), 0);
	CHECK_EQ(store_set_perms(s, 0, "/local/domain/1/own",
				 (struct wire_perm[]){ { .domid = 1 } }, 1), 0);
	request(1, XS_TRANSACTION_START, "", 1, ALL);
	CHECK_EQ(answer(1, text), XS_TRANSACTION_START);
	request(1, XS_WRITE, "own\0x", 5, UP_TO(18));
	CHECK_EQ(store_begin(s, &tx), 0);
	CHECK_EQ(store_write(s, tx, "/local/domain/1/own", "2", 1), 0);
	world->flags[1] = XEN_DOMINF_dying;
	fire(VIRQ_PORT);
	request(1, XS_WRITE, "own\0x", 5, FROM(18));
	usleep(50000);
	CHECK_EQ(store_end(s, tx, true), -EAGAIN);
	CHECK_EQ(store_rm(s, 0, "/local/domain/1/own"), 0);
	CHECK_EQ(store_release(s, 1), -ENOENT);
	request(2, XS_GET_DOMAIN_PATH, "2", 2, ALL);
	CHECK_EQ(answer(2, text), XS_GET_DOMAIN_PATH);
	disconnect(s);
	end_server(true);
	finish();
}

int main(void)
{
	char command[64], env[64];

	if (!mkdtemp(dir))
		return 2;
	snprintf(env, sizeof(env), "%s/socket", dir);
	setenv("XENSTORED_SOCKET", env, 1);
	log_open("test");
	signal(SIGPIPE, SIG_IGN);
	alarm(300);
	RUN(no_ring_for_dom0);
	RUN(storm_of_events);
	RUN(owed_to_a_guest);
	RUN(killed_within_requests);
	RUN(dies_within_a_request);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		return 1;
	return test_done();
}
