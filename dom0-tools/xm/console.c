// SPDX-License-Identifier: GPL-2.0
/*
 * xm console: the operator's terminal, raw, and the guest's pty tied
 * together until Ctrl-] or the guest's end.
 */
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include "xm.h"

#define CONSOLE_QUIT	0x1d	/* Ctrl-] */
#define CONSOLE_PATIENCE 10	/* seconds for the pty to appear */

static struct termios console_old;

static void console_restore(void)
{
	tcsetattr(0, TCSADRAIN, &console_old);
}

/* Moves what there is; false at the end of either side. */
static bool move(int from, int to, bool typed)
{
	char buf[512], *quit;
	ssize_t n = read(from, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	quit = typed ? memchr(buf, CONSOLE_QUIT, n) : NULL;
	n = quit ? quit - buf : n;
	return write(to, buf, n) == n && !quit;
}

static const char *pty_of(const struct value *ref)
{
	const char *tty;
	int i;

	for (i = 0; i < CONSOLE_PATIENCE * 5; i++) {
		tty = value_get_string(CALL("VM.get_record", ref),
				       "console_tty", "");
		if (*tty)
			return tty;
		usleep(200000);
	}
	fatalx("the domain has no console: does xenconsoled run?");
}

/* Shows a domain's console until the operator leaves or it ends. */
int console_attach(const struct value *ref)
{
	const char *tty = pty_of(ref);
	int pty = open(tty, O_RDWR | O_NOCTTY);
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN },
			       { .fd = pty, .events = POLLIN } };
	struct termios raw;

	if (pty < 0)
		fatal("%s", tty);
	signal(SIGPIPE, SIG_IGN);
	if (!tcgetattr(0, &console_old)) {
		raw = console_old;
		cfmakeraw(&raw);
		atexit(console_restore);
		tcsetattr(0, TCSANOW, &raw);
	}
	do {
		if (poll(p, 2, -1) < 0)
			p[0].revents = p[1].revents = 0;	/* a signal */
	} while ((!p[1].revents || move(pty, 1, false)) &&
		 (!p[0].revents || move(0, pty, true)));
	return 0;
}

int cmd_console(char **argv)
{
	const struct value *ref = find_ref(*argv);

	if (!domid_of(CALL("VM.get_record", ref)))
		fatalx("Domain-0 has no console here: you are on it");
	return console_attach(ref);
}
