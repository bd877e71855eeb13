// SPDX-License-Identifier: GPL-2.0
/*
 * Messages: to stderr for a program in the foreground, to syslog for a
 * daemon.  One line each, without a newline at the end of the format.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include "lib.h"

static const char *log_program = "?";
static bool log_to_syslog, log_verbose;

/* Says where messages go from now on, and whether log_debug() is heard. */
void log_open(const char *program, bool to_syslog, bool verbose)
{
	log_program = program;
	log_to_syslog = to_syslog;
	log_verbose = verbose;
	if (to_syslog)
		openlog(program, LOG_PID, LOG_DAEMON);
}

static void log_line(int priority, const char *fmt, va_list ap,
		     const char *reason)
{
	char line[1024];
	int n = vsnprintf(line, sizeof(line), fmt, ap);

	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	if (reason)
		snprintf(line + n, sizeof(line) - n, ": %s", reason);
	if (log_to_syslog)
		syslog(priority, "%s", line);
	else
		fprintf(stderr, "%s: %s\n", log_program, line);
}

/* What the operator may want to know. */
void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_INFO, fmt, ap, NULL);
	va_end(ap);
}

/* What went wrong though the program goes on. */
void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_WARNING, fmt, ap, NULL);
	va_end(ap);
}

/* Only with -v. */
void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!log_verbose)
		return;
	va_start(ap, fmt);
	log_line(LOG_DEBUG, fmt, ap, NULL);
	va_end(ap);
}

/* Ends the process; the text of errno is added.  For start-up only. */
void fatal(const char *fmt, ...)
{
	const char *reason = strerror(errno);
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, fmt, ap, reason);
	va_end(ap);
	exit(1);
}

/* The same without errno: wrong usage, or a mistake of our own. */
void fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, fmt, ap, NULL);
	va_end(ap);
	exit(1);
}
