// SPDX-License-Identifier: GPL-2.0
/*
 * The console daemon's memory: backlog, viewers, log files.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../host/test.h"
#include "../../dom0-tools/xenconsoled/xenconsoled.h"

void console_viewer_event(void *viewer, unsigned int events)
{
	(void)viewer;
	(void)events;
}

static char all[1 << 20];
static unsigned int written;

static void put_random(struct backlog *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		all[written + i] = test_random();
	backlog_write(b, all + written, n);
	written += n;
}

static bool backlog_ok(const struct backlog *b)
{
	uint64_t i;

	if (b->end != written || b->end - b->start > b->room)
		return false;
	for (i = b->start; i < b->end; i++)
		if (b->data[i & (b->room - 1)] != all[i])
			return false;
	return true;
}

/* The last `max` bytes, whatever the pieces. */
static void backlog_keeps_the_end(void)
{
	struct backlog b = { .room = 4096 };

	written = 0;
	while (written < 100000) {
		put_random(&b, test_random() % 2048);
		CHECK(backlog_ok(&b));
	}
	CHECK_EQ(b.end - b.start, 4096);
	free(b.data);
	b = (struct backlog){ .room = 65536 };
	written = 0;
	while (written < 60000)
		put_random(&b, 100);
	CHECK_EQ(b.start, 0);
	CHECK(backlog_ok(&b));
	free(b.data);
}

/* Fast and slow ones see the same bytes, the slow one with a gap. */
static void viewers(void)
{
	struct backlog b = { .room = 8192 };
	struct viewer *list = NULL, *fast, *slow;
	unsigned int got = 0, gap, i;
	static char buf[1 << 19];
	int f[2], s[2];
	ssize_t n;

	written = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s))
		abort();
	CHECK(viewer_new(NULL, &list, f[0], 0));
	fast = list;
	CHECK(viewer_new(NULL, &list, s[0], 0));
	slow = list;
	while (written < 400000) {
		put_random(&b, 1 + test_random() % 2000);
		CHECK(viewer_write(fast, &b, true));
		CHECK(viewer_write(slow, &b, true));
		n = read(f[1], buf, sizeof(buf));
		CHECK(n > 0 && !memcmp(buf, all + got, n));
		got += n;
	}
	CHECK_EQ(got, written);
	CHECK(slow->at < written);
	for (got = 0; (n = read(s[1], buf + got, sizeof(buf) - got)) > 0;)
		got += n;
	CHECK(!memcmp(buf, all, got));
	CHECK(viewer_write(slow, &b, true));
	gap = got;
	while ((n = read(s[1], buf + got, sizeof(buf) - got)) > 0)
		got += n;
	i = got - gap;
	CHECK(i > 4096 && i <= 8192);
	CHECK(!memcmp(buf + gap, all + written - i, i));
	close(s[1]);
	put_random(&b, 10);
	CHECK(!viewer_write(slow, &b, true));
	viewer_free(slow, &list);
	viewer_free(fast, &list);
	CHECK(!list);
	close(f[1]);
	free(b.data);
}

static void logs_rotate(void)
{
	static char dir[] = "/tmp/test-console.XXXXXX", line[1000];
	struct logfile l;
	char path[64];
	struct stat st;
	long sum = 0;
	int i;

	if (!mkdtemp(dir))
		abort();
	memset(line, 'x', sizeof(line));
	snprintf(l.path, sizeof(l.path), "%s/guest-a.log", dir);
	logfile_open(&l);
	for (i = 0; i < 7000; i++)
		logfile_write(&l, line, sizeof(line));
	close(l.fd);
	logfile_open(&l);
	CHECK(l.size > 0);
	close(l.fd);
	for (i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), i ? "%s/guest-a.log.%d"
					       : "%s/guest-a.log", dir, i);
		if (stat(path, &st))
			break;
		CHECK(st.st_size <= 1 << 20);
		sum += st.st_size;
		unlink(path);
	}
	CHECK_EQ(i, 5);
	CHECK(sum > 4000000);
	rmdir(dir);
	/* Where nothing can be written, nothing happens. */
	strcpy(l.path, "/nowhere/x");
	logfile_open(&l);
	CHECK(l.fd < 0);
	logfile_write(&l, line, sizeof(line));
}

int main(void)
{
	log_open("test");
	signal(SIGPIPE, SIG_IGN);
	RUN(backlog_keeps_the_end);
	RUN(viewers);
	RUN(logs_rotate);
	return test_done();
}
