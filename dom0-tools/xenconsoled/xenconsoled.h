/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The console daemon.
 *
 *	guest's page  -->  backlog (memory)  -->  pty, viewers' sockets
 *	              -->  log file
 *	guest's page  <--  whatever is typed at any of them
 */
#ifndef XENCONSOLED_H
#define XENCONSOLED_H

#include "../lib/lib.h"

#define RUN_DIR		"/run/xenconsoled"

/* main.c */
extern struct store *store;
extern const char *log_dir;	/* NULL: guests are not logged */

/* logfile.c */
struct logfile {
	int fd;			/* -1: closed */
	unsigned long size;
	char path[256];
};
void logfile_open(struct logfile *l, const char *dir, const char *name);
void logfile_write(struct logfile *l, const char *data, unsigned int len);
void logfile_close(struct logfile *l);

/* console.c */
void console_start(void);
void console_scan(void);
void console_reopen_logs(void);

/* viewer.c: the backlog and those who read it. */
struct backlog {
	char *data;
	unsigned int room;	/* power of two, up to max */
	unsigned int max;
	uint64_t end;		/* of all that was ever written */
	uint64_t start;		/* of what is still there */
};
struct viewer {
	struct viewer *next;
	struct console *console;
	int fd;
	uint64_t at;		/* what it has seen */
	unsigned int polled;	/* LOOP_* */
};
void backlog_write(struct backlog *b, const char *data, unsigned int len);
struct viewer *viewer_new(struct console *c, struct viewer **list, int fd,
			  uint64_t at);
bool viewer_write(struct viewer *v, const struct backlog *b);
void viewer_want(struct viewer *v, bool in, bool out);
void viewer_free(struct viewer *v, struct viewer **list);
void console_viewer_event(struct viewer *v, unsigned int events);

#endif
