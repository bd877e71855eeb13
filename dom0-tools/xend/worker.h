/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: a process that xend starts for one piece of work that takes its
 * time, and that is done step by step, waiting where there is something to
 * wait for.  Prototypes stand under the file that owns them.
 *
 * What can fail says why in one line for people: NULL is success.
 */
#ifndef WORKER_H
#define WORKER_H

#include "../lib/lib.h"
#include "../lib/rpc.h"

struct worker {
	struct arena a;
	struct store *s;
	domid_t domid;
	const struct value *record;	/* of the guest to start */
	const char *code;		/* XenAPI's name of the failure */
};

/* nodes.c: changes to the store that are made all together. */
enum node_perm {
	NODE_INHERIT,		/* as the parent's */
	NODE_PRIVATE,		/* the control domain's alone */
	NODE_READ,		/* the guest may read */
	NODE_OWN,		/* the guest's own */
	NODE_FRONT,		/* the guest's own, the backend may read */
	NODE_REMOVE,
};
struct nodes {
	struct worker *w;
	struct node *first, **end;
	bool broken;
};
void nodes_start(struct nodes *n, struct worker *w);
void nodes_add(struct nodes *n, enum node_perm perm, const char *value,
	       const char *fmt, ...) PRINTF(4, 5);
const char *nodes_commit(struct nodes *n);
char *node_read(struct worker *w, const char *fmt, ...) PRINTF(2, 3);

/* device.c: disks and network interfaces. */
const char *device_attach(struct worker *w, const char *kind,
			  const struct value *device, unsigned int index);
const char *device_detach(struct worker *w, const char *kind, unsigned int id,
			  bool force);
const char *devices_destroy(struct worker *w);

/* guest.c: from a record to a running domain, and from there to nothing. */
const char *guest_start(struct worker *w, const char *uuid, bool paused);
const char *guest_destroy(struct worker *w);

/* worker.c */
int worker_main(int argc, char **argv);

#endif
