// SPDX-License-Identifier: GPL-2.0
/*
 * A client by lib/store.c in an event loop, and the real daemon on its socket:
 * events that come at awkward moments.
 *
 *	test_client XENSTORED
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../host/test.h"
#include "../../dom0-tools/lib/lib.h"
#include "stop.h"

static char dir[] = "/dev/shm/test-client.XXXXXX";
static const char *daemon_path;
static pid_t server;
static struct store *client, *other;

static void start_server(void)
{
	server = fork();
	if (server)
		return;
	alarm(300);
	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
	execl(daemon_path, "xenstored", "-N", "-D", "-S", dir, NULL);
	_exit(127);
}

static struct store *connect_to(void)
{
	struct store *s = NULL;
	int i;

	for (i = 0; i < 3000 && !s; i++) {
		s = store_open(0);
		if (!s)
			usleep(10000);
	}
	if (!s)
		abort();
	return s;
}

static void hear(void *arg)
{
	++*(int *)arg;
}

static void late(void *arg)
{
	*(bool *)arg = true;
	loop_stop();
}

/* Runs the event loop for so long. */
static void run(unsigned int ms)
{
	static bool over;
	struct loop_timer t = { .fn = late, .arg = &over };

	loop_timer_set(&t, ms);
	over = false;
	loop_until_stop();
	CHECK(over);
}

static int doorbell[2];

/* A call from a descriptor's function. */
static void ask(void *arg, unsigned int events)
{
	struct arena a = { 0 };
	char c;

	(void)arg;
	(void)events;
	CHECK_EQ(read(doorbell[0], &c, 1), 1);
	CHECK(store_read(client, &a, 0, "/t/a", NULL));
	arena_release(&a);
}

/*
 * The loop hears at once of another descriptor and of the store's; the
 * function of the first makes a call, which takes the event that the second
 * was told of.  Nobody may wait for it any more, and it still counts.
 */
static void event_taken_by_a_call(void)
{
	struct store_watch *w;
	int heard = 0, i, before;

	if (pipe(doorbell))
		abort();
	CHECK_EQ(store_write(other, 0, "/t/a", "1", 1), 0);
	w = store_watch(client, "/t", hear, &heard);
	CHECK(w);
	CHECK_EQ(loop_add(doorbell[0], LOOP_IN, ask, NULL), 0);
	run(100);
	for (i = 0; i < 20; i++) {
		before = heard;
		CHECK_EQ(write(doorbell[1], "", 1), 1);
		CHECK_EQ(store_write(other, 0, "/t/a", "2", 1), 0);
		usleep(2000);	/* the event is there when the loop looks */
		run(20);
		CHECK(heard > before);
	}
	loop_del(doorbell[0]);
	store_unwatch(client, w);
}

static unsigned int read_name(int fd, char *name)
{
	struct xsd_sockmsg hdr;
	ssize_t n = recv(fd, &hdr, sizeof(hdr), MSG_WAITALL);

	if (n != sizeof(hdr) || hdr.len > XENSTORE_PAYLOAD_MAX ||
	    recv(fd, name, hdr.len, MSG_WAITALL) != hdr.len)
		return 0;
	return hdr.type;
}

/*
 * A client that does not read has more events to come than the daemon keeps;
 * once it has read those, the others are told though nobody says anything
 * else to the daemon.
 */
static void owed_events_come(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char request[] = "/o\0token";
	struct xsd_sockmsg hdr = { .type = XS_WATCH, .len = sizeof(request) };
	struct timeval patience = { .tv_sec = 3 };
	char name[XENSTORE_PAYLOAD_MAX], path[2048], last[2048];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), i;
	bool all = false;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/socket", dir);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	CHECK_EQ(send(fd, &hdr, sizeof(hdr), 0), sizeof(hdr));
	CHECK_EQ(send(fd, request, sizeof(request), 0), sizeof(request));
	CHECK_EQ(read_name(fd, name), XS_WATCH);
	CHECK_EQ(read_name(fd, name), XS_WATCH_EVENT);
	memset(path, 'x', sizeof(path));
	memcpy(path, "/o/", 3);
	for (i = 0; i < 1000; i++) {
		sprintf(path + 2000, "%d", i);
		CHECK_EQ(store_write(other, 0, path, "", 0), 0);
	}
	strcpy(last, path);
	/* One event with the watch's own path stands for what did not fit. */
	while (!all && read_name(fd, name) == XS_WATCH_EVENT)
		all = !strcmp(name, "/o") || !strcmp(name, last);
	CHECK(all);
	close(fd);
	CHECK_EQ(store_rm(other, 0, "/o"), 0);
}

/* A process that begins while the daemon is started anew waits for it. */
static void patient_start(void)
{
	struct store *s;
	int status;
	pid_t pid;

	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(10);
		CHECK(!store_open(0));
		s = store_open(STORE_PATIENCE);
		_exit(!s || test_bad);
	}
	usleep(300000);
	start_server();
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

/* One that hangs has failed, too. */
static void run_child(void (*fn)(void))
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(10);
		client = connect_to();
		other = connect_to();
		fn();
		fflush(stdout);
		_exit(test_bad != 0);
	}
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

static void call_takes_event(void)
{
	run_child(event_taken_by_a_call);
}

static void owed_events(void)
{
	run_child(owed_events_come);
}

int main(int argc, char **argv)
{
	char command[64], env[64];

	if (argc != 2 || !mkdtemp(dir))
		return 2;
	daemon_path = argv[1];
	snprintf(env, sizeof(env), "%s/socket", dir);
	setenv("XENSTORED_SOCKET", env, 1);
	log_open("test");
	fflush(stdout);
	alarm(300);
	start_server();
	RUN(call_takes_event);
	RUN(owed_events);
	RUN(patient_start);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		return 1;
	return test_done();
}
