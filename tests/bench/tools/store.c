// SPDX-License-Identifier: GPL-2.0
/*
 * store-bench: what transactions of the store cost, and whether writers on
 * disjoint subtrees get in each other's way.  Prints BENCH lines; times are
 * per transaction, in microseconds.
 *
 * The client does not wait for an answer that it does not need: once it has
 * the transaction's number, the rest goes out in one write().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../../dom0-tools/lib/lib.h"

#define ROUNDS	200
#define WRITERS	16

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int connected(void)
{
	struct sockaddr_un to = { AF_UNIX, "/run/xenstored/socket" };
	const char *path = getenv("XENSTORED_SOCKET");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (path)
		snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fatal("%s", to.sun_path);
	return fd;
}

/* Appends a request at p; data has len bytes.  Returns its end. */
static char *request(char *p, uint32_t type, uint32_t tx, const char *data,
		     size_t len)
{
	struct xsd_sockmsg hdr = { .type = type, .tx_id = tx, .len = len };

	return mempcpy(mempcpy(p, &hdr, sizeof(hdr)), data, len);
}

/* Sends what stands in buf up to end. */
static void put(int fd, const char *buf, const char *end)
{
	if (write(fd, buf, end - buf) != end - buf)
		fatal("write");
}

/*
 * Takes n answers; the last stays in `in`, and a NUL stands behind it.
 * Returns its errno value, or 0.
 */
static int take(int fd, struct wire_in *in, int n)
{
	static char buf[4096];
	static ssize_t have, at;
	unsigned int want;

	for (in->used = 0; (want = wire_wanted(in)) || --n;) {
		if (!want) {
			in->used = 0;
			continue;
		}
		if (at == have) {
			at = 0;
			have = read(fd, buf, sizeof(buf));
			if (have <= 0)
				fatal("read");
		}
		if (want > have - at)
			want = have - at;
		memcpy(in->bytes + in->used, buf + at, want);
		in->used += want;
		at += want;
	}
	in->bytes[in->used] = 0;
	return in->hdr.type == XS_ERROR ? wire_error_number(in->payload) : 0;
}

/* Read, write twice, commit; again where it was in vain, which is counted. */
static unsigned int transactions(unsigned int writer, unsigned int rounds)
{
	int fd = connected(), len, rc;
	unsigned int i, conflicts = 0;
	static struct wire_in in;
	char data[64], buf[512], *p;
	uint32_t tx;

	for (i = 0; i < rounds; i += !rc) {
		put(fd, buf, request(buf, XS_TRANSACTION_START, 0, "", 1));
		if (take(fd, &in, 1) ||
		    !wire_parse_u32(in.payload, UINT32_MAX, &tx))
			fatalx("no transaction");
		len = sprintf(data, "/bench/%u/a%c%u", writer, 0, i);
		p = request(buf, XS_READ, tx, data, strlen(data) + 1);
		p = request(p, XS_WRITE, tx, data, len);
		len = sprintf(data, "/bench/%u/b%c%u", writer, 0, i);
		p = request(p, XS_WRITE, tx, data, len);
		put(fd, buf, request(p, XS_TRANSACTION_END, tx, "T", 2));
		rc = take(fd, &in, 4);
		if (rc && rc != EAGAIN)
			fatalx("commit: %s", strerror(rc));
		conflicts += rc != 0;
	}
	close(fd);
	return conflicts;
}

int main(void)
{
	unsigned int i, conflicts = 0;
	double from;
	int status;

	log_open("store-bench");
	for (i = 0; i < WRITERS; i++)
		transactions(i, 1);
	from = now();
	transactions(0, ROUNDS);
	printf("BENCH store-transaction %.0f\n", (now() - from) / ROUNDS);
	fflush(stdout);
	from = now();
	for (i = 0; i < WRITERS; i++)
		if (!fork())
			_exit(transactions(i, ROUNDS / 4) & 255);
	while (wait(&status) > 0)
		conflicts += WEXITSTATUS(status);
	printf("BENCH store-transaction-of-16 %.0f\n",
	       (now() - from) / (WRITERS * ROUNDS / 4));
	printf("BENCH store-conflicts %u\n", conflicts);
	return 0;
}
