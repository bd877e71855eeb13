// SPDX-License-Identifier: GPL-2.0
/*
 * A log that does not grow without end: at LOG_MAX bytes NAME becomes
 * NAME.1, that NAME.2, and so on; the oldest goes.  What cannot be written
 * (the disk is full) is lost to the log and to nothing else.
 */
#include "xenconsoled.h"

#define LOG_MAX		(1u << 20)
#define LOG_KEEP	4

/* Opens l->path for appending; on failure the log stays closed. */
void logfile_open(struct logfile *l)
{
	l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (l->fd < 0)
		log_warn("cannot write %s", l->path);
	l->size = l->fd < 0 ? 0 : lseek(l->fd, 0, SEEK_END);
}

/* Appends. */
void logfile_write(struct logfile *l, const char *data, unsigned int len)
{
	char from[sizeof(l->path) + 16], to[sizeof(from)];
	ssize_t r;
	int i;

	if (l->fd >= 0 && l->size + len > LOG_MAX) {
		for (i = LOG_KEEP - 1; i >= 0; i--) {
			snprintf(from, sizeof(from), i ? "%s.%d" : "%s",
				 l->path, i);
			snprintf(to, sizeof(to), "%s.%d", l->path, i + 1);
			rename(from, to);	/* if there is one */
		}
		close(l->fd);
		logfile_open(l);
	}
	for (; l->fd >= 0 && len; data += r, len -= r) {
		r = write(l->fd, data, len);
		if (r <= 0)
			return;
		l->size += r;
	}
}
