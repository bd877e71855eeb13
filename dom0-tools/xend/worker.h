/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: a child of xend for one piece of work that takes its time, and
 * that is done step by step, waiting where there is something to wait for.
 * Prototypes stand under the file that owns them.
 *
 * What can fail says why in one line for people: NULL is success.
 */
#ifndef WORKER_H
#define WORKER_H

#include "xend.h"

struct worker {
	struct arena a;
	domid_t domid;
	const struct vm *vm;		/* as it was when the work began */
	const char *code;		/* XenAPI's name of the failure */
	uint32_t tx;			/* the transaction */
	int rc;				/* what went wrong in it */
};

/* worker.c */
enum node_perm {
	NODE_INHERIT,		/* as the parent's */
	NODE_PRIVATE,		/* the control domain's alone */
	NODE_READ,		/* the guest may read */
	NODE_OWN,		/* the guest's own */
	NODE_FRONT,		/* the guest's own, the backend may read */
	NODE_REMOVE,
};
void worker_main(const struct job *job, int fd, pid_t xend);
void worker_progress(double done);
const char *worker_failed(struct worker *w, int rc, const char *what);
void nodes_begin(struct worker *w);
bool nodes_again(struct worker *w);
void node_put(struct worker *w, enum node_perm perm, const char *value,
	      const char *fmt, ...) PRINTF(4, 5);
void node_fill(struct worker *w, const char *folder, ...)
	__attribute__((sentinel));

/* device.c: disks and network interfaces. */
const char *device_attach(struct worker *w, const char *kind,
			  const struct value *device);
const char *device_detach(struct worker *w, const char *kind, unsigned int id,
			  bool force);
const char *devices_destroy(struct worker *w);

/* guest.c: from a record to a running domain, and from there to nothing. */
const char *guest_start(struct worker *w, bool paused);
const char *guest_destroy(struct worker *w);

#endif
