/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The store daemon.
 *
 *	conn_sock.c   conn_ring.c	bytes in and out
 *	       \       /
 *	        conn.c			queues of one client
 *	           |
 *	       request.c		one do_<op> per message type
 *	   /     |      \     \
 *	txn.c  tree.c  watch.c  domain.c
 *	           |
 *	       state.c			the journal that survives a kill
 *
 * tree, watch, txn, domain, conn and request do no I/O and run on the host
 * under test, with the ring_* functions replaced.
 *
 * The rule that makes a kill harmless: nothing a request caused leaves the
 * process, and no request is taken off a ring for good, before it is whole in
 * the journal (see state.c).
 *
 * Functions that can fail return a negative errno value.
 */
#pragma once

#include "../lib/lib.h"

/* Room for the longest path and its NUL. */
#define PATH_ROOM	(XENSTORE_ABS_PATH_MAX + 1)

/* tree.c */
struct blob {			/* a value or permissions; never changed */
	unsigned int refs;
	unsigned int len;	/* in bytes */
	union {
		char data[0];
		struct wire_perm perm[0];	/* first: the owner, and
						   rights of all others */
	};
};
#define PERM_OWNER	4	/* beside WIRE_READ and WIRE_WRITE */
struct subject {		/* on whose behalf */
	domid_t domid;
	domid_t target;		/* whom it may act for, or domid again */
	bool privileged;
};
struct node {
	unsigned int refs;
	unsigned int nr_children;
	unsigned int list_len;	/* of all children's names with NULs */
	uint64_t value_gen;	/* when the value was last changed, ... */
	uint64_t perms_gen;
	uint64_t list_gen;
	struct blob *value;	/* NULL: empty, and never set */
	struct blob *perms;
	struct node **child;	/* sorted by name */
	unsigned int name_len;
	char name[];
};
struct tally {			/* what nodes there are, by owner */
	unsigned int n;
	struct tally_entry {
		domid_t domid;
		int nodes;
		long bytes;
	} *e;
};
struct tree {
	struct node *root;
	struct tally tally;	/* of a snapshot: differences */
};
typedef bool tree_fn(void *arg, const char *path, const struct node *n);
extern struct tree tree_main;
extern uint64_t tree_clock;
extern unsigned long tree_made;
struct blob *blob_new(const void *data, unsigned int len);
struct blob *blob_get(struct blob *b);
void blob_put(struct blob *b);
unsigned int perms_count(const struct blob *perms);
struct blob *perms_inherit(struct blob *parent, const struct subject *who);
unsigned int perms_for(const struct blob *perms, const struct subject *who);
struct blob *perms_without(struct blob *perms, domid_t domid);
int tree_init(struct tree *t);
void tree_destroy(struct tree *t);
struct node *node_get(struct node *n);
void node_put(struct node *n);
long node_bytes(const struct node *n);
bool path_valid(const char *path);
size_t path_parent(const char *path);
const struct node *tree_find(const struct node *root, const char *path);
const struct node *tree_find_near(const struct node *root, const char *path,
				  size_t *len);
int tree_make(struct tree *t, const char *path, struct blob *perms);
int tree_set(struct tree *t, const char *path, struct blob *value,
	     struct blob *perms);
int tree_remove(struct tree *t, const char *path);
bool tree_walk(const struct node *top, const char *path, tree_fn *fn,
	       void *arg);
struct tally_entry *tally_get(struct tally *t, domid_t domid);
struct tally_entry tally_of(const struct tally *t, domid_t domid);
void tally_forget(struct tally *t, domid_t domid);

/* conn.c */
struct msg {			/* to be sent */
	struct msg *next;
	struct watch *watch;	/* whose event, if it still exists */
	bool event;
	unsigned int len, sent;
	char bytes[];		/* header and payload */
};
struct conn {
	struct conn *next;		/* of all connections */
	bool active;			/* a ring that is to be looked at */
	bool dead;			/* heard no more; a socket is closed */
	int fd;				/* socket, or -1 */
	unsigned int polled;		/* LOOP_*: what for, if a socket */
	struct domain *domain;		/* ring, or NULL */
	struct subject who;
	struct wire_in in;		/* request being received */
	struct msg *spare;		/* so that an error can be told */
	struct msg *out, **out_end;
	unsigned int replies;		/* in out */
	unsigned long out_bytes;
	unsigned long held_bytes;	/* by watches and transactions */
	struct watch *watches;
	unsigned int nr_watches, nr_owed;
	struct txn *txns;
	unsigned int nr_txns;
	uint32_t next_tx;
	uint32_t old_tx;		/* before it: an earlier daemon's */
};
extern struct conn *conns;
struct conn *conn_new(int fd, struct domain *d);
void conn_let_go(struct conn *c);
void conn_reset(struct conn *c);
void conn_free(struct conn *c);
bool conn_blocked(const struct conn *c);
bool conn_over_quota(const struct conn *c, size_t more);
bool conn_over_nodes(const struct conn *c, const struct tree *t, int more);
int conn_feed(struct conn *c, const char *p, size_t len);
int conn_reply(struct conn *c, uint32_t type, const void *data,
	       unsigned int len);
int conn_error(struct conn *c, int rc);
bool conn_event(struct conn *c, struct watch *w, const char *path);
bool conn_requeue(struct conn *c, const struct xsd_sockmsg *hdr,
		  unsigned int sent);
void conn_sent(struct conn *c, unsigned int len);

/* watch.c */
struct watch {
	struct watch *next_hash, *next;
	struct conn *conn;
	struct msg *queued;	/* its last event, if not sent yet */
	bool owed;		/* an event did not fit and will follow */
	unsigned int relative;	/* leading bytes that its events leave out */
	const char *token;	/* behind the path's NUL */
	char path[];		/* absolute, or "@..." */
};
extern struct special {
	const char *name;
	struct blob *perms;
} specials[2];
struct watch *watch_add(struct conn *c, const char *path, const char *token,
			unsigned int relative);
struct watch *watch_find(struct conn *c, const char *path,
			 const char *token);
void watch_del(struct watch *w);
void watch_owe(struct watch *w, bool owed);
void watch_tell(struct watch *w, const char *path);
void watch_fire(const char *path, const struct node *old, bool removed);
void watch_fire_special(const char *name);
void watch_pay(struct conn *c);
struct special *watch_special(const char *name);
void special_set(struct special *s, struct blob *perms);
void watch_init(void);

/* txn.c */
#define TXN_VALUE	0x001	/* depends on the node's value, ... */
#define TXN_PERMS	0x002
#define TXN_LIST	0x004
#define TXN_MADE	0x010	/* did: created, ... */
#define TXN_SET_VALUE	0x020
#define TXN_SET_PERMS	0x040
#define TXN_REMOVED	0x080
#define TXN_TELL	0x100	/* watches fire for it */
#define TXN_DEPENDS	(TXN_VALUE | TXN_PERMS | TXN_LIST)
#define TXN_CHANGES	(TXN_MADE | TXN_SET_VALUE | TXN_SET_PERMS | TXN_REMOVED)
struct txn {
	struct txn *next;
	struct conn *conn;
	uint32_t id;
	bool retry;		/* can only end in EAGAIN */
	struct node *base;	/* the tree as it was */
	struct tree tree;	/* and as it is seen inside */
	struct access *access, **access_end;	/* in the order of first use */
	unsigned int nr_access;
	unsigned long bytes;	/* of its connection's held_bytes */
};
struct txn *txn_start(struct conn *c, uint32_t id);
struct txn *txn_find(struct conn *c, uint32_t id);
void txn_charge(struct txn *t, unsigned int bytes);
int txn_note(struct txn *t, const char *path, size_t len,
	     unsigned int flags);
int txn_commit(struct txn *t);
void txn_end(struct txn *t);
void txn_bound(void);

/* domain.c */
enum domain_fate { DOMAIN_RUNS, DOMAIN_SHUTDOWN, DOMAIN_DYING, DOMAIN_GONE };
struct domain {
	domid_t domid;
	bool shutdown;		/* and @releaseDomain fired for it */
	uint32_t remote_port;
	struct conn *conn;	/* NULL: not introduced, only mentioned */
	/* conn_ring.c: our own indices, never read back from the page. */
	struct xenstore_domain_interface *page;
	uint32_t local_port;
	uint32_t req_cons, rsp_prod;
	uint32_t told_cons;	/* the req_cons that the page shows */
};
extern struct domain *domains[DOMID_FIRST_RESERVED];	/* by domid */
extern unsigned int domains_end;	/* the highest domid so far, + 1 */
struct domain *domain_get(domid_t domid);
int domain_known(domid_t domid);
int domain_introduce(domid_t domid, uint32_t port);
void domain_drop(domid_t domid);
void domain_release(domid_t domid);
void domain_scan(void);

/* request.c */
enum { Q_NODES, Q_NODE_SIZE, Q_WATCHES, Q_TXNS, Q_TXN_NODES, Q_PERMS,
       Q_OUTSTANDING, Q_MEMORY, Q_COUNT };
extern struct quota {
	const char *name;
	unsigned int value;
} quotas[Q_COUNT];
void request_handle(struct conn *c);

/* state.c */
enum state_op { STATE_GONE, STATE_NEW, STATE_SAME };
bool state_load(const char *path);
void state_open(const char *path);
void state_node(const char *path, const struct node *n);
void state_domain(const struct domain *d, enum state_op op);
void state_watch(const struct watch *w, enum state_op op);
void state_out(const struct domain *d, const struct msg *m);
void state_commit(void);

/* conn_ring.c; replaced in tests */
void ring_open(void);
void ring_start(void);
int ring_attach(struct domain *d);
void ring_detach(struct domain *d);
void ring_restart(struct domain *d);
enum domain_fate ring_domain_fate(domid_t domid);
void ring_receive(struct conn *c);
void ring_send(struct conn *c);

/* conn_sock.c */
void sock_open(const char *path);
void sock_send(struct conn *c);
