/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xend: what its files share.  Prototypes stand under the file that owns
 * them.
 */
#ifndef XEND_H
#define XEND_H

#include "record.h"

extern struct store *xend_store;

/* vm.c: what guests there are. */
struct job;
struct vm {
	struct vm *next;
	char uuid[UUID_CHARS];
	int domid;			/* -1: does not run */
	struct xen_domctl_getdomaininfo info;	/* if it runs */
	struct arena a;			/* holds the record */
	struct value *record;		/* NULL: another tool's guest */
	struct job *job;		/* being worked on */
	bool handled;			/* its end was acted upon */
	bool seen;			/* private */
};
extern struct vm *vms;
void vms_refresh(void);
void vms_recover(void);
struct vm *vm_find(const char *uuid);
struct vm *vm_by_name(struct arena *a, const char *name);
const char *vm_name(struct arena *a, const struct vm *vm);
const char *vm_power_state(const struct vm *vm);
struct vm *vm_define(const char *uuid, const struct value *record);
void vm_change(struct arena *a, struct vm *vm, const char *key,
	       struct value *to);
void vm_set_phase(struct vm *vm, const char *phase);
int vm_redefine(struct vm *vm, const struct value *record);
struct value *value_copy(struct arena *a, const struct value *v);
void vm_forget(struct vm *vm);
char *vm_read(struct arena *a, const struct vm *vm, const char *key);

/* job.c: workers, and the tasks that tell of them. */
enum job_kind {
	JOB_START, JOB_DESTROY, JOB_RESTART, JOB_ATTACH, JOB_DETACH,
};
struct call;
struct task {
	struct task *next;
	char id[UUID_CHARS];
	const char *label;
	double progress;
	time_t created;
	bool ended;
	char *error[2];			/* code and text, if it failed */
};
struct task *task_find(const char *id);
struct task *task_new(const char *label);
struct job *job_new(struct vm *vm, enum job_kind kind, struct call *call,
		    struct task *task);
void job_set_record(struct job *job, const struct value *record);
void job_run(struct job *job, const char *const *argv);
bool job_interrupt(struct vm *vm, struct call *call);

/* server.c: connections and calls. */
struct call {
	struct arena a;
	struct conn *conn;		/* NULL: it hung up */
	const char *method;
	const char *arg;		/* the table's, for the method */
	const struct value *params;	/* without the session */
	struct value *failure;
	bool later;			/* call_end() comes later */
	struct event_wait *wait;
};
void server_start(const char *group);
void call_end(struct call *c, struct value *result);
struct value *call_fail(struct call *c, const char *code, const char *subject,
			const char *fmt, ...) PRINTF(4, 5);

/* methods.c */
struct value *method_call(struct call *c);

/* event.c: what changed, for those who ask. */
void event_add(const char *class, const char *operation, const char *ref);
struct value *event_from(struct call *c);
void event_hangup(struct call *c);

#endif
