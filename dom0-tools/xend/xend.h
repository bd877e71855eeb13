/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xend: what its files share.  Prototypes stand under the file that owns
 * them.
 */
#pragma once

#include "../lib/rpc.h"

#define RECORD_DIR	"/run/xend/vm"
#define UUID_CHARS	37
#define REF		"OpaqueRef:"
#define REF_CHARS	(sizeof(REF) - 1 + UUID_CHARS)
#define CACHE_DIR	"/var/cache/xend"
#define WORKERS_LOCK	"/run/xend/workers"
#define MAXMEM_SLACK	1024	/* KiB beyond a guest's memory, as libxl's */

extern struct store *xend_store;
char *node_read(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
void uuid_new(char text[UUID_CHARS]);

/*
 * record.c: a guest's record is what VM.create() was given, under the names of
 * xl.cfg.  record_check() says whether it may be used; after that all of it is
 * known to be of the right type, and within bounds.
 */
const char *record_check(struct arena *a, struct value *record);
const char *record_check_disk(struct arena *a, struct value *disk);
const char *record_check_vif(struct arena *a, struct value *vif);
unsigned int record_vdev(const char *name);
bool record_cpus(const char *text, uint64_t online, uint64_t *mask);
bool record_vcpu_cpus(const struct value *r, unsigned int vcpu, uint64_t *mask);
struct value *record_load(struct arena *a, const char *uuid);
int record_save(const char *uuid, const struct value *record);

/* vm.c: what guests there are. */
struct vm {
	struct vm *next;
	char uuid[UUID_CHARS];
	int domid;			/* -1: does not run */
	struct xen_domctl_getdomaininfo info;	/* if it runs */
	struct arena a;			/* holds the record */
	struct value *record;		/* NULL: another tool's guest */
	struct job *job;		/* being worked on */
	bool handled;			/* its end was acted upon */
	uint64_t worked;		/* when its last job ended */
	bool seen;			/* private */
};
extern struct vm *vms;
void vms_refresh(void);
void vms_recover(void);
struct vm *vm_find(const char *uuid);
struct vm *vm_by_name(struct arena *a, const char *name);
const char *vm_name(struct arena *a, const struct vm *vm);
int vm_define(const char *uuid, const struct value *record);
void vm_change(struct vm *vm, const char *key, struct value to);
void vm_set_phase(struct vm *vm, const char *phase);
void vm_forget(struct vm *vm);

/* job.c: work on guests. */
enum job_kind {				/* the first three: the whole guest */
	JOB_START, JOB_DESTROY, JOB_RESTART, JOB_ATTACH, JOB_DETACH,
};
struct report {				/* what a worker tells */
	bool failed;
	double progress;
	char code[32], text[440];	/* if it failed */
};
struct call;
struct job {
	struct vm *vm;
	enum job_kind kind;
	struct call *call;		/* who asked for it, or NULL */
	struct task *task;
	bool flag;			/* start: paused; detach: by force */
	unsigned int delay;		/* restart: seconds before it */
	const char *device;		/* attach, detach: vbd or vif */
	unsigned int id;		/* detach */
	const struct value *what;	/* attach */
	const struct value *list;	/* the record's devices after it */
	/* private */
	bool cleaning;			/* after a start that failed */
	bool restart;			/* after an end */
	pid_t pid;
	int fd;				/* the worker's reports */
	struct report failure;
};
void job_start(struct job job);
bool job_interrupt(struct vm *vm, struct call *call);

/* server.c: calls, each of which has a connection of its own. */
struct call {
	struct call *next;
	struct arena a;
	int fd;				/* -1: the client hung up */
	const char *method;
	const char *arg;		/* the table's, for the method */
	struct value *params;		/* the session, and arguments */
	struct vm *vm;			/* the guest it is for, or NULL */
	struct value *failure;
	bool later;			/* call_end() comes later */
	bool waiting;			/* for events behind this one */
	uint64_t since;
	struct loop_timer timer;
	/* private */
	char *out;			/* the answer */
	size_t out_len;			/* of it, what is not sent */
	char *in;			/* the request */
	size_t used;
};
extern struct call *calls;
void server_start(const char *group);
void call_end(struct call *c, struct value *result);
struct value *call_fail(struct call *c, const char *code, const char *subject,
			const char *fmt, ...) PRINTF(4, 5);

/* methods.c */
struct value *method_call(struct call *c);
const char *arg_string(const struct call *c, unsigned int i,
		       const char *otherwise);
struct value *record_of(struct value *v, ...) __attribute__((sentinel));
/* Parts of the answer to c. */
#define STRING(s)	value_string(&c->a, s)
#define INT(i)		value_int(&c->a, i)
#define REAL(d)		value_double(&c->a, d)
#define RECORD(...)	record_of(value_struct(&c->a), __VA_ARGS__, NULL)

/* event.c: what changed, for those who ask. */
struct task {
	char ref[REF_CHARS];
	bool ended;
	struct report report;
};
void event_add(const char *class, const char *operation, const char *uuid);
struct value *event_from(struct call *c);
struct task *task_new(void);
void task_report(struct task *t, struct report r, bool ended);
struct value *task_get_record(struct call *c);
