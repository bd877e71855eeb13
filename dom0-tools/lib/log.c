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

static void log_line(int priority, const char *reason, const char *fmt,
		     va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (log_syslog)
		syslog(priority, "%s%s", line, reason);
	else
		fprintf(stderr, "%s: %s%s\n", log_program, line, reason);
}

/* See log_info() and log_warn(). */
void log_at(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(priority, "", fmt, ap);
	va_end(ap);
}

/* Ends the process; the text of errno is added.  For start-up only. */
void fatal(const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	snprintf(reason, sizeof(reason), ": %m");
	va_start(ap, fmt);
	log_line(LOG_ERR, reason, fmt, ap);
	exit(1);
}

/* The same without errno: wrong usage, or a mistake of our own. */
void fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, "", fmt, ap);
	exit(1);
}
