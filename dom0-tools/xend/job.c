// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs: work on a guest that a worker does while xend goes on.  A guest has
 * at most one.
 *
 * A start that fails is followed by a destruction, so that nothing is left,
 * and only then reported.  Guests are not kept beyond their end: the job that
 * destroys one forgets it.
 *
 * A worker is a fork of xend: it has what xend knew at that moment, and opens
 * everything else anew.  It dies with xend, but never in the middle of a
 * hotplug script, which could not be undone (device.c); xend's successor
 * waits for it by WORKERS_LOCK before it looks at anything.
 *
 * Workers change the store in transactions, so that others see all or none of
 * a device or a domain:
 *
 *	do {
 *		nodes_begin();
 *		node_put(...);
 *	} while (nodes_again());
 */
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "worker.h"

/* --- the worker ------------------------------------------------------ */
struct worker worker;
static int report_fd;

static void report(struct report r)
{
	if (write(report_fd, &r, sizeof(r)) != sizeof(r))
		_exit(1);
}

/* From 0 to 1. */
void worker_progress(double done)
{
	report((struct report){ .progress = done });
}

/* The work, or its undoing, cannot be done, and why; xend heeds the first. */
void fail(const char *fmt, ...)
{
	struct report r = { .failed = true };
	va_list ap;
	char *s;

	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	for (s = r.text; (s = strchr(s, '\n')); *s = ' ')
		;	/* a script's message may have them */
	snprintf(r.code, sizeof(r.code), "%s", worker.code);
	report(r);
	if (!worker.undoing)
		_exit(0);
}

/* Fails if rc is an error. */
void must(int rc, const char *what)
{
	if (rc < 0)
		fail("%s: %s", what, strerror(-rc));
}

/* The child's part of a fork by the process xend; reports go to fd. */
static void worker_main(const struct job *job, int fd, pid_t xend)
{
	worker = (struct worker){
		.vm = job->vm, .domid = job->vm->domid,
		.code = "INTERNAL_ERROR",
	};
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != xend)
		_exit(1);
	closelog();
	close_range(3, fd - 1, 0);
	close_range(fd + 1, ~0u, 0);
	loop_forked();
	report_fd = fd;
	if (job->kind == JOB_START && !job->cleaning)
		sleep(job->delay);	/* an end of the guest ends it */
	xend_store = store_open(STORE_PATIENCE);
	flock(open(WORKERS_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600), LOCK_SH);
	if (!xend_store || hyper_open())
		fail("the store or the hypervisor does not answer");
	if (job->kind == JOB_ATTACH)
		device_attach(job->device, job->what);
	else if (job->kind == JOB_DETACH)
		device_detach(job->device, job->id, job->flag);
	else if (job->kind == JOB_START && !job->cleaning)
		guest_start(job->flag);
	else
		guest_destroy();
	_exit(0);
}

/* Begins a list of changes. */
void nodes_begin(void)
{
	worker.tx = 0;
	worker.rc = store_begin(xend_store, &worker.tx);
}

/* Ends it; true: begin again. */
bool nodes_again(void)
{
	int rc = store_end(xend_store, worker.tx, !worker.rc);

	rc = worker.rc ? worker.rc : rc;
	if (rc != -EAGAIN)
		must(rc, "the store refuses");
	return rc == -EAGAIN;
}

/* One change; value NULL: only that the node exists. */
void node_put(enum node_perm perm, const char *path, const char *value)
{
	domid_t owner = perm >= NODE_OWN ? worker.domid : 0;
	struct wire_perm p[2] = {
		{ .domid = owner },
		{ .domid = owner ? 0 : worker.domid, .access = WIRE_READ },
	};
	int rc;

	if (worker.rc)
		return;
	if (perm == NODE_REMOVE) {
		rc = store_rm(xend_store, worker.tx, path);
		worker.rc = rc == -ENOENT ? 0 : rc;
		return;
	}
	rc = !value ? store_mkdir(xend_store, worker.tx, path) :
	     store_write(xend_store, worker.tx, path, value, strlen(value));
	if (!rc && perm != NODE_INHERIT)
		rc = store_set_perms(xend_store, worker.tx, path, p,
				     perm == NODE_READ ||
				     perm == NODE_FRONT ? 2 : 1);
	worker.rc = rc;
}

/* Keys and values up to NULL, in one folder; those without value are left. */
void node_fill(const char *folder, ...)
{
	const char *key, *value;
	va_list ap;

	va_start(ap, folder);
	while ((key = va_arg(ap, const char *))) {
		value = va_arg(ap, const char *);
		if (value)
			node_put(NODE_INHERIT, FORMAT("%s/%s", folder, key),
				 value);
	}
	va_end(ap);
}

/* --- xend's side ----------------------------------------------------- */
static const struct report interrupted = {
	.failed = true, .code = "OPERATION_ABORTED",
	.text = "the work was interrupted",
};
static void job_run(struct job *job);

/* A worker ended. */
static void job_step(struct job *job)
{
	const struct report *r = &job->failure;
	bool start = job->kind == JOB_START;
	struct vm *vm = job->vm;
	struct call *c, *next;

	vms_refresh();
	if (job->kind == JOB_RESTART && !r->failed) {
		job->kind = JOB_START;
		job->restart = true;
		vm->domid = -1;
		job_run(job);
		return;
	}
	if (start && r->failed && !job->cleaning && vm->domid >= 0) {
		job->cleaning = true;
		job_run(job);
		return;
	}
	if (r->failed)
		log_warn("guest %s: %s", vm->uuid, r->text);
	else if (job->list)
		vm_change(vm, strcmp(job->device, "vif") ? "disk" : "vif",
			  *job->list);
	else if (job->restart)
		vm_set_phase(vm, "running");
	vm->job = NULL;
	vm->worked = loop_now();
	if (job->kind == JOB_DESTROY || (start && r->failed)) {
		if (!r->failed || start)
			vm->domid = -1;
		vm_forget(vm);
	}
	for (c = calls; c; c = next) {
		next = c->next;
		if (!c->later || c->vm != vm)
			continue;
		/* Who asked for the end of a start does not hear it failed. */
		if (r->failed && (c == job->call || job->kind == JOB_DESTROY))
			call_fail(c, r->code, NULL, "%s", r->text);
		call_end(c, NULL);
	}
	if (job->task)
		task_report(job->task, *r, true);
	free(job);
	vms_refresh();
}

static void job_readable(void *arg, unsigned int events)
{
	struct job *job = arg;
	struct report r;
	int status = 1;

	(void)events;
	if (read(job->fd, &r, sizeof(r)) == sizeof(r)) {
		if (r.failed && !job->failure.failed)
			job->failure = r;
		else if (!r.failed && job->task)
			task_report(job->task, r, false);
		return;
	}
	loop_del(job->fd);
	close(job->fd);
	if (job->pid > 0)
		waitpid(job->pid, &status, 0);
	job->pid = 0;
	if (status && !job->failure.failed)
		job->failure = interrupted;
	job_step(job);
}

/* Starts a worker for the job; job_step() is called when it ended. */
static void job_run(struct job *job)
{
	pid_t xend = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		fatal("pipe");
	job->pid = fork();
	if (!job->pid)
		worker_main(job, fds[1], xend);
	close(fds[1]);
	job->fd = fds[0];
	if (loop_add(job->fd, LOOP_IN, job_readable, job))
		fatal("event loop");
}

/* Begins a job for a guest that has none; its call, if any, waits for it. */
void job_start(struct job from)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		fatalx("no memory");
	*job = from;
	job->vm->job = job;
	if (job->call)
		job->call->later = true;
	job_run(job);
}

/*
 * Somebody wants the end of a guest that is being worked on: a start is
 * given up, a destruction is joined.  False: it has to wait.
 */
bool job_interrupt(struct vm *vm, struct call *call)
{
	struct job *job = vm->job;

	if (job->kind != JOB_START && job->kind != JOB_DESTROY)
		return false;
	call->later = true;
	if (job->kind == JOB_START && !job->cleaning && job->pid > 0) {
		job->failure = interrupted;	/* even if it is done by now */
		kill(job->pid, SIGTERM);
	}
	return true;
}
