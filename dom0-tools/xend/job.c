// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs: work on a guest that a worker does while xend goes on (worker.c).
 * A guest has at most one.  Tasks tell clients of jobs they do not wait for.
 *
 * A start that fails is followed by a destruction, so that nothing is left,
 * and only then reported.  Guests are not kept beyond their end: the job that
 * destroys one forgets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "xend.h"

#define TASKS_MAX	64
#define CALLS_MAX	4

struct job {
	struct vm *vm;
	enum job_kind kind;
	bool cleaning;			/* after a start that failed */
	bool restart;
	struct call *calls[CALLS_MAX];	/* who waits for it */
	struct task *task;
	pid_t pid;
	int fd;				/* the worker's output */
	unsigned int used;
	char line[1024];
	char *code, *text;		/* the failure */
	const struct value *record;	/* as it becomes by the job, or NULL;
					 * lies in calls[0] */
};

static struct task *tasks;

/* --- tasks ----------------------------------------------------------- */
/* By id, or NULL. */
struct task *task_find(const char *id)
{
	struct task *t;

	for (t = tasks; t && strcmp(t->id, id); t = t->next)
		;
	return t;
}

static void task_free(struct task *t)
{
	free(t->error[0]);
	free(t->error[1]);
	free(t);
}

/* A new one; the oldest that ended are forgotten.  NULL without memory. */
struct task *task_new(const char *label)
{
	struct task *t = calloc(1, sizeof(*t)), **p;
	unsigned int n = 0;
	uint8_t id[16];

	if (!t)
		return NULL;
	record_uuid_new(id);
	record_uuid_text(id, t->id);
	t->label = label;
	t->created = time(NULL);
	t->next = tasks;
	tasks = t;
	for (p = &tasks; *p; ) {
		if (++n > TASKS_MAX && (*p)->ended) {
			struct task *old = *p;

			*p = old->next;
			task_free(old);
		} else {
			p = &(*p)->next;
		}
	}
	return t;
}

static void task_event(const struct task *t)
{
	char ref[UUID_CHARS + 16] = "OpaqueRef:";

	event_add("task", "mod", strcat(ref, t->id));
}

/* --- ends ------------------------------------------------------------ */
static void job_report(struct job *job)
{
	struct task *t = job->task;
	struct call *c;
	int i;

	for (i = 0; i < CALLS_MAX; i++) {
		c = job->calls[i];
		if (!c)
			continue;
		/* Who asked for the end of a start does not hear it failed. */
		if (job->code && (i == 0 || job->kind == JOB_DESTROY))
			call_fail(c, job->code, NULL, "%s", job->text);
		call_end(c, NULL);
	}
	if (!t)
		return;
	t->ended = true;
	t->progress = 1;
	t->error[0] = job->code;
	t->error[1] = job->text;
	job->code = job->text = NULL;
	task_event(t);
}

static void job_free(struct job *job)
{
	job_report(job);
	free(job->code);
	free(job->text);
	free(job);
}

/* A worker ended. */
static void job_step(struct job *job)
{
	struct vm *vm = job->vm;
	char domid[16];

	vms_refresh();
	if (job->kind == JOB_RESTART && !job->code) {
		job->kind = JOB_START;
		job->restart = true;
		vm->domid = -1;
		job_run(job, (const char *[]){ "start", vm->uuid, "0", NULL });
		return;
	}
	if (job->kind == JOB_START && job->code && !job->cleaning &&
	    vm->domid >= 0) {
		job->cleaning = true;
		snprintf(domid, sizeof(domid), "%d", vm->domid);
		job_run(job, (const char *[]){ "destroy", domid, NULL });
		return;
	}
	if (job->code)
		log_warn("guest %s: %s", vm->uuid, job->text);
	else if (job->record && vm_redefine(vm, job->record))
		log_warn("%s: the change is lost at a restart", vm->uuid);
	else if (job->restart)
		vm_set_phase(vm, "running");
	vm->job = NULL;
	if (job->kind == JOB_DESTROY || (job->kind == JOB_START && job->code)) {
		if (!job->code || job->kind == JOB_START)
			vm->domid = -1;
		vm_forget(vm);
	}
	job_free(job);
	vms_refresh();
}

static void job_fail(struct job *job, const char *code, const char *text)
{
	if (job->code)
		return;
	job->code = strdup(code);
	job->text = strdup(text);
	if (!job->code || !job->text)
		fatalx("no memory");
}

/* --- the worker's output --------------------------------------------- */
static void job_line(struct job *job, char *line)
{
	char *text;

	if (!strncmp(line, "progress ", 9) && job->task) {
		job->task->progress = strtod(line + 9, NULL);
		task_event(job->task);
	} else if (!strncmp(line, "failed ", 7)) {
		text = strchr(line + 7, ' ');
		if (text)
			*text++ = 0;
		job_fail(job, line + 7, text ? text : "");
	}
}

static void job_lines(struct job *job)
{
	char *nl;

	while ((nl = memchr(job->line, '\n', job->used))) {
		*nl = 0;
		job_line(job, job->line);
		job->used -= nl + 1 - job->line;
		memmove(job->line, nl + 1, job->used);
	}
	if (job->used == sizeof(job->line) - 1) {	/* a long last line */
		job->line[job->used] = 0;
		job_line(job, job->line);
		job->used = 0;
	}
}

static void job_readable(void *arg, unsigned int events)
{
	struct job *job = arg;
	ssize_t r = read(job->fd, job->line + job->used,
			 sizeof(job->line) - 1 - job->used);
	int status = 0;

	(void)events;
	if (r > 0) {
		job->used += r;
		job_lines(job);
		return;
	}
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	loop_del(job->fd);
	close(job->fd);
	waitpid(job->pid, &status, 0);
	job->pid = 0;
	if (WIFSIGNALED(status))
		job_fail(job, "OPERATION_ABORTED", "the work was interrupted");
	else if (status)
		job_fail(job, "INTERNAL_ERROR", "the worker failed");
	job_step(job);
}

static void job_exec(int out, const char *const *argv)
{
	const char *full[72] = { "xend", "--worker" };
	unsigned int i;
	sigset_t none;

	for (i = 0; argv[i] && i < 68; i++)
		full[i + 2] = argv[i];
	dup2(out, 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", (char **)full);
	_exit(127);
}

/* Starts a worker for the job; job_step() is called when it ended. */
void job_run(struct job *job, const char *const *argv)
{
	int fds[2];

	job->used = 0;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		fatal("pipe");
	fcntl(fds[1], F_SETFL, 0);
	job->pid = fork();
	if (!job->pid)
		job_exec(fds[1], argv);
	close(fds[1]);
	job->fd = fds[0];
	if (job->pid < 0)
		job_fail(job, "INTERNAL_ERROR", "no process for the work");
	if (loop_add(job->fd, LOOP_IN, job_readable, job))
		fatal("event loop");
}

/* What the guest's record becomes if the job, made for a call, succeeds. */
void job_set_record(struct job *job, const struct value *record)
{
	job->record = record;
}

/*
 * A job for a guest that has none, for a call or a task, or NULL for both: a
 * start is then one after a kill.  Destroying begins at once.
 */
struct job *job_new(struct vm *vm, enum job_kind kind, struct call *call,
		    struct task *task)
{
	struct job *job = calloc(1, sizeof(*job));
	char domid[16];

	if (!job)
		fatalx("no memory");
	job->vm = vm;
	job->kind = kind;
	job->calls[0] = call;
	job->task = task;
	vm->job = job;
	if (call)
		call->later = true;
	snprintf(domid, sizeof(domid), "%d", vm->domid);
	if (kind == JOB_DESTROY || kind == JOB_RESTART)
		job_run(job, (const char *[]){ "destroy", domid, NULL });
	job->restart = kind == JOB_START && !call && !task;
	if (job->restart)
		job_run(job, (const char *[]){ "start", vm->uuid, "0", NULL });
	return job;
}

/*
 * Somebody wants the end of a guest that is being worked on: a start is
 * given up, a destruction is joined.  False: it has to wait.
 */
bool job_interrupt(struct vm *vm, struct call *call)
{
	struct job *job = vm->job;
	int i;

	if (job->kind != JOB_START && job->kind != JOB_DESTROY)
		return false;
	for (i = 1; i < CALLS_MAX && job->calls[i]; i++)
		;
	if (i == CALLS_MAX)
		return false;
	job->calls[i] = call;
	call->later = true;
	if (job->kind == JOB_START && !job->cleaning && job->pid > 0)
		kill(job->pid, SIGKILL);
	return true;
}
