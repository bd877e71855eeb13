// SPDX-License-Identifier: GPL-2.0
/*
 * rpc_echo SOCKET: a server made of lib/rpc.c that gives back the first
 * parameter of every call.  test_xm.py talks to it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../dom0-tools/lib/rpc.h"

static char in[HTTP_HEAD_MAX + RPC_CALL_MAX];

static void answer(int fd, int status, const char *body, size_t len)
{
	struct arena a = { 0 };
	size_t total;
	char *out = http_response(&a, status, body, len, &total);

	if (write(fd, out, total) < 0)
		fatal("write");
	arena_release(&a);
}

static void echo(int fd, const char *body, size_t len)
{
	struct value *params = NULL, *v;
	const char *method, *why;
	struct arena a = { 0 };
	char *reply;

	why = rpc_parse_call(&a, body, len, &method, &params);
	if (!why && !strcmp(method, "fail")) {
		v = rpc_failure(&a, "CODE", NULL, "%s", "because");
	} else {
		v = why ? NULL : value_item(params, 0);
		v = v ? v : value_string(&a, "");
	}
	reply = why ? rpc_format_fault(&a, 1, why, &len) :
		rpc_format_reply(&a, v, &len);
	answer(fd, 200, reply, len);
	arena_release(&a);
}

static void serve(int fd)
{
	struct http_head h;
	size_t used = 0;
	ssize_t n;
	int rc;

	while ((n = read(fd, in + used, sizeof(in) - used)) > 0) {
		used += n;
		rc = http_parse(in, used, RPC_CALL_MAX, &h);
		if (rc < 0 || (rc && !h.rpc)) {
			answer(fd, rc < 0 ? 400 : 404, "", 0);
			return;
		}
		if (!rc || used - h.size < h.length)
			continue;
		echo(fd, in + h.size, h.length);
		return;
	}
}

int main(int argc, char **argv)
{
	int s = argc == 2 ? daemon_listen(argv[1], 0600) : -1, fd;
	struct timeval t = { 30, 0 };

	if (s < 0)
		fatalx("socket");
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		fd = accept(s, NULL, NULL);
		if (fd < 0)
			usleep(5000);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
		serve(fd);
		close(fd);
	}
}
