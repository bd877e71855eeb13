// SPDX-License-Identifier: GPL-2.0
/*
 * Messages: to stderr for a program in the foreground, to syslog for a
 * daemon.  One line each, without a newline at the end of the format.
 */
#include "lib.h"

static const char *log_program = "?";
static bool log_syslog;

/* The program's name, to go before its messages. */
void log_open(const char *program)
{
	log_program = program;
}

/* From now on they go there. */
void log_to_syslog(void)
{
	log_syslog = true;
	openlog(log_program, LOG_PID, LOG_DAEMON);
}

static void log_line(int priority, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (log_syslog)
		syslog(priority, "%s", line);
	else
		fprintf(stderr, "%s: %s\n", log_program, line);
}

/* See log_info() and log_warn(). */
void log_at(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(priority, fmt, ap);
	va_end(ap);
}

/* Ends the process: wrong usage, or what keeps it from going on. */
void fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, fmt, ap);
	exit(1);
}
