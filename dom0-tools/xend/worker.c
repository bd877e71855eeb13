// SPDX-License-Identifier: GPL-2.0
/*
 * A worker's life, and what all its work uses: changes to the store that are
 * made in one transaction, so that others see all or none of a device or a
 * domain:
 *
 *	do {
 *		nodes_begin(w);
 *		node_put(w, ...);
 *	} while (nodes_again(w));
 *
 * A worker is a fork of xend: it has what xend knew at that moment, and opens
 * everything else anew.  It dies with xend, but never in the middle of a
 * hotplug script, which could not be undone (device.c); xend's successor
 * waits for it by WORKERS_LOCK before it looks at anything.
 */
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include "worker.h"

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

static const char *work(struct worker *w, const struct job *job)
{
	if (job->kind == JOB_ATTACH)
		return device_attach(w, job->device, job->what);
	if (job->kind == JOB_DETACH)
		return device_detach(w, job->device, job->id, job->flag);
	return job->kind == JOB_START && !job->cleaning ?
	       guest_start(w, job->flag) : guest_destroy(w);
}

/* The child's part of a fork by the process xend; reports go to fd. */
void worker_main(const struct job *job, int fd, pid_t xend)
{
	struct worker w = {
		.vm = job->vm, .domid = job->vm->domid,
		.code = "INTERNAL_ERROR",
	};
	struct report r = { .failed = true };
	const char *why = "the store or the hypervisor does not answer";

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != xend)
		_exit(1);
	closelog();
	close_range(3, fd - 1, 0);
	close_range(fd + 1, ~0u, 0);
	loop_forked();
	report_fd = fd;
	xend_store = store_open();
	flock(open(WORKERS_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600), LOCK_SH);
	if (xend_store && !hyper_open())
		why = work(&w, job);
	if (why) {
		snprintf(r.code, sizeof(r.code), "%s", w.code);
		snprintf(r.text, sizeof(r.text), "%s", why);
		report(r);
	}
	_exit(0);
}

/* NULL if rc is no error. */
const char *worker_failed(struct worker *w, int rc, const char *what)
{
	return rc < 0 ? arena_printf(&w->a, "%s: %s", what, strerror(-rc))
		      : NULL;
}

/* Begins a list of changes. */
void nodes_begin(struct worker *w)
{
	w->tx = 0;
	w->rc = store_begin(xend_store, &w->tx);
}

/* Ends it.  True: begin again; else w->rc is the result. */
bool nodes_again(struct worker *w)
{
	bool ok = !w->rc;
	int rc = store_end(xend_store, w->tx, ok);

	w->rc = ok ? rc : w->rc;
	return w->rc == -EAGAIN;
}

/* One change; value NULL: only that the node exists. */
void node_put(struct worker *w, enum node_perm perm, const char *value,
	      const char *fmt, ...)
{
	domid_t owner = perm >= NODE_OWN ? w->domid : 0;
	struct wire_perm p[2] = {
		{ .domid = owner },
		{ .domid = owner ? 0 : w->domid, .access = WIRE_READ },
	};
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (w->rc)
		return;
	if (perm == NODE_REMOVE) {
		w->rc = store_rm(xend_store, w->tx, path);
		w->rc = w->rc == -ENOENT ? 0 : w->rc;
		return;
	}
	w->rc = value ? store_write(xend_store, w->tx, path, value,
				    strlen(value))
		      : store_mkdir(xend_store, w->tx, path);
	if (!w->rc && perm != NODE_INHERIT)
		w->rc = store_set_perms(xend_store, w->tx, path, p,
					perm == NODE_READ ||
					perm == NODE_FRONT ? 2 : 1);
}

/* Keys and values up to NULL, in one folder; those without value are left. */
void node_fill(struct worker *w, const char *folder, ...)
{
	const char *key, *value;
	va_list ap;

	va_start(ap, folder);
	while ((key = va_arg(ap, const char *))) {
		value = va_arg(ap, const char *);
		if (value)
			node_put(w, NODE_INHERIT, value, "%s/%s", folder, key);
	}
	va_end(ap);
}
