// SPDX-License-Identifier: GPL-2.0
/*
 * The real daemon on its socket, killed again and again while a client works:
 * what was acknowledged is there, transactions are whole, watches return.
 *
 *	test_kill XENSTORED
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../host/test.h"
#include "../../dom0-tools/lib/lib.h"
#include "stop.h"

#define KILLS 20

static char dir[] = "/dev/shm/test-kill.XXXXXX";
static const char *daemon_path;
static pid_t supervisor;

static pid_t start_daemon(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	alarm(120);
	execl(daemon_path, "xenstored", "-N", "-D", "-S", dir, NULL);
	_exit(127);
}

/* Kills the daemon KILLS times at random moments, then leaves one running. */
static void supervise(void)
{
	pid_t pid;
	int i;

	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
	alarm(120);
	for (i = 0; i < KILLS; i++) {
		pid = start_daemon();
		usleep(20000 + test_random() % 80000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	pid = start_daemon();
	pause();
	_exit(0);
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
	return s;
}

static int heard;

static void hear(void *arg)
{
	(void)arg;
	heard++;
}

static int put(struct store *s, uint32_t tx, const char *path, int n)
{
	char value[16];

	return store_write(s, tx, path, value, sprintf(value, "%d", n));
}

/* Two nodes change together, or not at all. */
static int both(struct store *s, int n)
{
	uint32_t tx;
	int rc;

	do {
		rc = store_begin(s, &tx);
		if (!rc)
			rc = put(s, tx, "/k/a", n);
		if (!rc)
			rc = put(s, tx, "/k/b", n);
		if (!rc)
			rc = store_end(s, tx, true);
	} while (rc == -EAGAIN || rc == -ENOENT);
	return rc;
}

static int number(struct store *s, struct arena *a, const char *path)
{
	char *v = store_read(s, a, 0, path, NULL);

	return v ? atoi(v) : -1;
}

static struct loop_timer work;
static struct store *client;
static int step;

static void work_step(void *arg)
{
	struct arena a = { 0 };
	uint64_t end = loop_now() + 50;
	char path[32];

	for (; loop_now() < end; step++) {
		snprintf(path, sizeof(path), "/n/%d", step % 50);
		CHECK_EQ(put(client, 0, path, step), 0);
		CHECK_EQ(number(client, &a, path), step);
		CHECK_EQ(both(client, step), 0);
		CHECK_EQ(number(client, &a, "/k/a"), step);
		CHECK_EQ(number(client, &a, "/k/b"), step);
		if (step % 10 == 9) {
			snprintf(path, sizeof(path), "/n/%d", (step - 5) % 50);
			CHECK_EQ(store_rm(client, 0, path), 0);
			CHECK_EQ(number(client, &a, path), -1);
		}
		arena_release(&a);
	}
	(void)arg;
	if (test_bad)
		loop_stop();
	loop_timer_set(&work, 0);
}

static struct loop_timer stop;

/* Longer on a busy machine, but not without end. */
static void done(void *arg)
{
	static int tries;

	(void)arg;
	if (++tries < 30 && (step <= 20 || heard <= KILLS / 2))
		loop_timer_set(&stop, 1000);
	else
		loop_stop();
}

static void survives_kills(void)
{
	struct arena a = { 0 };
	unsigned int names = 0, found = 0;
	int before, i;
	char path[32];

	client = connect_to();
	CHECK(client);
	if (!client)
		return;
	CHECK(store_watch(client, "/k", hear, NULL));
	work.fn = work_step;
	loop_timer_set(&work, 0);
	stop.fn = done;
	loop_timer_set(&stop, 4000);
	loop_until_stop();
	CHECK(step > 20);
	CHECK(heard > KILLS / 2);
	before = number(client, &a, "/k/a");
	CHECK_EQ(before, step - 1);
	CHECK_EQ(number(client, &a, "/k/b"), step - 1);
	/* Of /n/0 to /n/49 only those removed last are missing. */
	CHECK(store_list(client, &a, 0, "/n", &names));
	CHECK(step < 60 || (names >= 44 && names <= 50));
	for (i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/n/%d", i);
		found += number(client, &a, path) % 50 == i;
	}
	CHECK_EQ(found, names);
	arena_release(&a);
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
	supervisor = fork();
	if (!supervisor) {
		setpgid(0, 0);
		supervise();
	}
	setpgid(supervisor, supervisor);
	alarm(120);
	RUN(survives_kills);
	kill(-supervisor, SIGKILL);
	waitpid(supervisor, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		return 1;
	return test_done();
}
