/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The store daemon without its I/O, for tests: clients that call it directly,
 * domains that exist because a table says so.
 */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include "../host/test.h"
#include "../../dom0-tools/xenstored/xenstored.h"

extern enum domain_fate world_fate[DOMID_FIRST_RESERVED];
extern long world_fail_at;	/* this allocation fails; 0: none does */
extern long world_allocations;

/* What the last request of a client came to. */
struct answer {
	uint32_t type;
	unsigned int len;
	char data[XENSTORE_PAYLOAD_MAX + 1];
};

void world_start(void);		/* an empty store with Dom0 in it */
void world_stop(void);		/* everything freed */
bool world_restart(void);	/* killed and started again, from its journal */
void world_commit(void);	/* the end of a round */
void world_cut(unsigned int bytes);	/* off the journal's end */

struct conn *world_domain(domid_t domid);	/* exists, introduced */
struct conn *world_tool(void);			/* a socket */

/* Sends one request; events that come are kept for world_event(). */
const struct answer *ask(struct conn *c, uint32_t type, uint32_t tx,
			 const void *data, unsigned int len);
/* 0, or the errno value of the answer. */
int ask_error(struct conn *c, uint32_t type, uint32_t tx, const void *data,
	      unsigned int len);
int do_op(struct conn *c, uint32_t type, uint32_t tx, const char *path);
int put(struct conn *c, uint32_t tx, const char *path, const char *value);
const char *get(struct conn *c, uint32_t tx, const char *path);
int set_perms(struct conn *c, uint32_t tx, const char *path,
	      const char *perms);	/* "n0 r1" */
uint32_t begin(struct conn *c);
int end(struct conn *c, uint32_t tx, bool commit);
int watch(struct conn *c, const char *path, const char *token);
/* The next event of c as "path token", or "" if there is none. */
const char *world_event(struct conn *c);
void world_drain(struct conn *c);
/* True if the tally of a tree is what counting again gives. */
bool tree_recount(const struct tree *t);

#endif
