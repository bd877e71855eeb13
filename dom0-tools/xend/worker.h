/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: a child of xend for one piece of work that takes its time, and
 * that is done step by step, waiting where there is something to wait for.
 * Prototypes stand under the file that owns them.
 *
 * What cannot be done ends the process, by fail(): xend hears why.  While
 * something is undone, it goes on, and does the rest.
 */
#pragma once

#include "xend.h"

extern struct worker {
	struct arena a;
	domid_t domid;
	const struct vm *vm;		/* as it was when the work began */
	const char *code;		/* XenAPI's name of a failure */
	bool undoing;
	uint32_t tx;			/* the transaction */
	int rc;				/* what went wrong in it */
} worker;
#define FORMAT(...)	arena_printf(&worker.a, __VA_ARGS__)

/* job.c */
enum node_perm {
	NODE_INHERIT,		/* as the parent's */
	NODE_PRIVATE,		/* the control domain's alone */
	NODE_READ,		/* the guest may read */
	NODE_OWN,		/* the guest's own */
	NODE_FRONT,		/* the guest's own, the backend may read */
	NODE_REMOVE,
};
void fail(const char *fmt, ...) PRINTF(1, 2);
void must(int rc, const char *what);
void worker_progress(double done);
void nodes_begin(void);
bool nodes_again(void);
void node_put(enum node_perm perm, const char *path, const char *value);
void node_fill(const char *folder, ...) __attribute__((sentinel));

/* device.c: disks and network interfaces. */
void device_attach(const char *kind, const struct value *device);
void device_detach(const char *kind, unsigned int id, bool force);

/* guest.c: from a record to a running domain, and from there to nothing. */
void guest_start(bool paused);
void guest_destroy(void);
