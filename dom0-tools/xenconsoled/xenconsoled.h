/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The console daemon.
 *
 *	guest's page  -->  backlog (memory)  -->  pty, viewers' sockets
 *	              -->  log file
 *	guest's page  <--  whatever is typed at any of them
 */
#pragma once

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
void logfile_open(struct logfile *l);
void logfile_write(struct logfile *l, const char *data, unsigned int len);

/* console.c */
void console_start(void);
void console_scan(void *arg);
void console_viewer_event(void *viewer, unsigned int events);

/* viewer.c: the backlog and those who read it. */
struct backlog {
	char *data;		/* made at the first write */
	unsigned int room;	/* power of two */
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
bool viewer_new(struct console *c, struct viewer **list, int fd, uint64_t at);
bool viewer_write(struct viewer *v, const struct backlog *b, bool listen);
void viewer_free(struct viewer *v, struct viewer **list);
