// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs: work on a guest that a worker does while xend goes on (worker.c).
 * A guest has at most one.
 *
 * A start that fails is followed by a destruction, so that nothing is left,
 * and only then reported.  Guests are not kept beyond their end: the job that
 * destroys one forgets it.
 */
#include <signal.h>
#include <sys/wait.h>
#include "worker.h"

static void job_run(struct job *job);

static void job_report(struct job *job)
{
	const struct report *r = &job->failure;
	struct call *c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(job->calls); i++) {
		c = job->calls[i];
		/* Who asked for the end of a start does not hear it failed. */
		if (c && r->failed && (i == 0 || job->kind == JOB_DESTROY))
			call_fail(c, r->code, NULL, "%s", r->text);
		if (c)
			call_end(c, NULL);
	}
	if (job->task)
		task_report(job->task, *r, true);
}

/* A worker ended. */
static void job_step(struct job *job)
{
	bool failed = job->failure.failed;
	struct vm *vm = job->vm;

	vms_refresh();
	if (job->kind == JOB_RESTART && !failed) {
		job->kind = JOB_START;
		job->restart = true;
		vm->domid = -1;
		job_run(job);
		return;
	}
	if (job->kind == JOB_START && failed && !job->cleaning &&
	    vm->domid >= 0) {
		job->cleaning = true;
		job_run(job);
		return;
	}
	if (failed)
		log_warn("guest %s: %s", vm->uuid, job->failure.text);
	else if (job->list)
		vm_change(vm, strcmp(job->device, "vif") ? "disk" : "vif",
			  *job->list);
	else if (job->restart)
		vm_set_phase(vm, "running");
	vm->job = NULL;
	if (job->kind == JOB_DESTROY || (job->kind == JOB_START && failed)) {
		if (!failed || job->kind == JOB_START)
			vm->domid = -1;
		vm_forget(vm);
	}
	job_report(job);
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
		job->failure = (struct report){
			.failed = true, .code = "OPERATION_ABORTED",
			.text = "the work was interrupted",
		};
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

/* Begins a job for a guest that has none; calls[0], if any, waits for it. */
void job_start(struct job from)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		fatalx("no memory");
	*job = from;
	job->vm->job = job;
	if (job->calls[0])
		job->calls[0]->later = true;
	job_run(job);
}

/*
 * Somebody wants the end of a guest that is being worked on: a start is
 * given up, a destruction is joined.  False: it has to wait.
 */
bool job_interrupt(struct vm *vm, struct call *call)
{
	struct job *job = vm->job;
	unsigned int i;

	if (job->kind != JOB_START && job->kind != JOB_DESTROY)
		return false;
	for (i = 1; i < ARRAY_SIZE(job->calls) && job->calls[i]; i++)
		;
	if (i == ARRAY_SIZE(job->calls))
		return false;
	job->calls[i] = call;
	call->later = true;
	if (job->kind == JOB_START && !job->cleaning && job->pid > 0)
		kill(job->pid, SIGTERM);
	return true;
}
