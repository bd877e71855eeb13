// SPDX-License-Identifier: GPL-2.0
/*
 * The guests: ours, which have a record, and those of other tools, which the
 * hypervisor alone knows of.
 *
 * The hypervisor is asked whenever somebody wants to know and whenever a
 * domain comes or goes, so nothing here is ever older than the question.
 * What a guest's end means (on_poweroff, on_reboot, on_crash) is decided
 * here, for our guests only, once for each end.
 *
 * Nothing of a guest is kept but its record, in a file.  Its member "phase"
 * says what xend wants: nothing yet (there is none), that it runs, or that it
 * is started again.  Which domain is whose follows from the domain's handle,
 * and whether it was finished from a node in the store; see guest.c.  So a
 * xend that was killed finds everything again, and goes on.
 */
#include <dirent.h>
#include <uuid/uuid.h>
#include <hypercall-abi/sched.h>
#include "xend.h"

struct vm *vms;

/* --- the table ------------------------------------------------------- */
/* By uuid, or NULL. */
struct vm *vm_find(const char *uuid)
{
	struct vm *vm;

	for (vm = vms; vm && strcmp(vm->uuid, uuid); vm = vm->next)
		;
	return vm;
}

static struct vm *vm_new(const char *uuid)
{
	struct vm *vm = calloc(1, sizeof(*vm)), **p = &vms;

	if (!vm)
		fatal("a guest");
	strcpy(vm->uuid, uuid);
	vm->domid = -1;
	while (*p)
		p = &(*p)->next;
	*p = vm;
	return vm;
}

/* Other tools may rename a guest that runs. */
const char *vm_name(struct arena *a, const struct vm *vm)
{
	const char *name = vm->domid < 0 ? NULL :
			   node_read(a, "/local/domain/%d/name", vm->domid);

	return name ? name : value_get_string(vm->record, "name", "");
}

/* By name, or NULL. */
struct vm *vm_by_name(struct arena *a, const char *name)
{
	struct vm *vm;

	for (vm = vms; vm && strcmp(vm_name(a, vm), name); vm = vm->next)
		;
	return vm;
}

/* Writes the record to its file, and keeps what the file says. */
static int vm_redefine(struct vm *vm, const struct value *record)
{
	int rc = record_save(vm->uuid, record);
	struct arena old = vm->a;

	vm->a = (struct arena){ 0 };
	vm->record = record_load(&vm->a, vm->uuid);
	arena_release(&old);
	return rc || vm->record ? rc : -ENOMEM;
}

/*
 * Changes a member of the record, if the guest is ours.  What other tools did
 * to a guest may be more than a record can say: then the record stays.
 */
void vm_change(struct vm *vm, const char *key, struct value to)
{
	struct value *r;

	if (!vm->record)
		return;
	r = value_copy(&vm->a, vm->record);
	value_put(r, key, &to);
	if (record_check(&vm->a, r) || vm_redefine(vm, r))
		log_warn("%s: the change of %s is lost", vm->uuid, key);
}

/* What xend wants of a guest of ours, from now on. */
void vm_set_phase(struct vm *vm, const char *phase)
{
	vm_change(vm, "phase", *value_string(&vm->a, phase));
}

/* A new guest of ours, from a record that was checked. */
int vm_define(const char *uuid, const struct value *record)
{
	struct vm *vm = vm_new(uuid);
	int rc = vm_redefine(vm, record);

	event_add("vm", "add", vm->uuid);
	if (rc)
		vm_forget(vm);
	return rc;
}

/* It is no longer ours; an object without a domain vanishes. */
void vm_forget(struct vm *vm)
{
	struct vm **p = &vms;

	unlink(arena_printf(&vm->a, RECORD_DIR "/%s", vm->uuid));
	arena_release(&vm->a);
	vm->record = NULL;
	if (vm->domid >= 0)
		return;
	event_add("vm", "del", vm->uuid);
	while (*p != vm)
		p = &(*p)->next;
	*p = vm->next;
	free(vm);
}

/* --- what the hypervisor says ---------------------------------------- */
static void vm_ended(struct vm *vm)
{
	static const char *const keys[] = {
		[SHUTDOWN_poweroff] = "on_poweroff",
		[SHUTDOWN_reboot] = "on_reboot",
		[SHUTDOWN_crash] = "on_crash",
		[SHUTDOWN_watchdog] = "on_watchdog",
	};
	unsigned int reason = vm->info.flags >> XEN_DOMINF_shutdownshift &
			      XEN_DOMINF_shutdownmask;
	/* Other ends, such as a suspension, are other tools' affair. */
	const char *policy = reason < ARRAY_SIZE(keys) && keys[reason] ?
		value_get_string(vm->record, keys[reason],
				 reason == SHUTDOWN_reboot ? "restart" :
				 "destroy") : "preserve";
	const char *dash = strchr(policy, '-');
	struct arena a = { 0 };

	vm->handled = true;
	log_info("domain %d ended (reason %u): %s%s", vm->domid, reason, policy,
		 !dash ? "" : *policy == 'c' ? "; no dump is written"
					     : "; the old one is not kept");
	if (dash)
		policy = dash + 1;
	if (!strcmp(policy, "restart")) {
		/* Another tool may have renamed it. */
		vm_change(vm, "name", *value_string(&a, vm_name(&a, vm)));
		vm_set_phase(vm, "restarting");
		/* One that ends as soon as it began does not get all CPUs. */
		job_start((struct job){
			.vm = vm, .kind = JOB_RESTART,
			.delay = loop_now() - vm->worked < 2000 ? 2 : 0,
		});
	} else if (!strcmp(policy, "destroy")) {
		job_start((struct job){ .vm = vm, .kind = JOB_DESTROY });
	}
	arena_release(&a);
}

/* Brings the table up to date and acts on what happened. */
void vms_refresh(void)
{
	struct xen_domctl_getdomaininfo info;
	char uuid[UUID_CHARS];
	struct vm *vm, *next;
	unsigned int id;

	for (vm = vms; vm; vm = vm->next)
		vm->seen = false;
	for (id = 0; id < DOMID_FIRST_RESERVED &&
	     !hyper_next_domain(id, &info); id = info.domain + 1) {
		/* A dying one may be there while its successor runs. */
		if (info.flags & XEN_DOMINF_dying)
			continue;
		uuid_unparse_lower(info.handle, uuid);
		vm = vm_find(uuid);
		if (!vm) {
			vm = vm_new(uuid);
			event_add("vm", "add", vm->uuid);
		} else if (vm->domid != info.domain ||
			   (vm->info.flags ^ info.flags) &
			   (XEN_DOMINF_paused | XEN_DOMINF_shutdown)) {
			event_add("vm", "mod", vm->uuid);
		}
		vm->handled = vm->handled && vm->domid == info.domain;
		vm->domid = info.domain;
		vm->info = info;
		vm->seen = true;
	}
	for (vm = vms; vm; vm = next) {
		next = vm->next;
		if (vm->job || vm->domid < 0)
			continue;	/* a job's end looks again */
		if (!vm->seen && vm->record) {
			/* Others destroyed it: what may be left is removed. */
			job_start((struct job){ .vm = vm,
						.kind = JOB_DESTROY });
		} else if (!vm->seen) {
			vm->domid = -1;
			vm_forget(vm);
		} else if (vm->record && !vm->handled &&
			   vm->info.flags & XEN_DOMINF_shutdown) {
			vm_ended(vm);
		}
	}
}

/* --- after a kill ---------------------------------------------------- */
/*
 * One of ours: is it as it should be?  One that has nothing in the store but
 * runs has not been worked on: the store was lost.
 */
static void vm_check(struct vm *vm)
{
	const char *phase = value_get_string(vm->record, "phase", "");
	struct job job = { .vm = vm, .kind = JOB_DESTROY };
	bool runs = vm->domid >= 0;

	if (runs && (node_read(&vm->a, "/libxl/%d/xend", vm->domid) ||
		     (!(vm->info.flags & XEN_DOMINF_paused) &&
		      !node_read(&vm->a, "/libxl/%d", vm->domid)))) {
		log_info("domain %d found again", vm->domid);
		vm_set_phase(vm, "running");
	} else if (!strcmp(phase, "restarting")) {
		job.kind = runs ? JOB_RESTART : JOB_START;
		job.restart = true;
		job_start(job);
	} else if (runs) {
		log_info("domain %d was not finished: destroyed", vm->domid);
		job_start(job);
	} else if (*phase) {		/* another tool ended it */
		vm_forget(vm);
	}
}

/*
 * Finds our guests again, once at start.  Those that were being made or
 * destroyed are destroyed, those that were about to be started again are.
 */
void vms_recover(void)
{
	DIR *dir = opendir(RECORD_DIR);
	struct vm *vm, *next;
	struct dirent *e;
	uuid_t id;

	while (dir && (e = readdir(dir))) {
		if (uuid_parse(e->d_name, id)) {
			/* A record that was being written, at a kill. */
			unlinkat(dirfd(dir), e->d_name, 0);
			continue;
		}
		vm = vm_new(e->d_name);
		vm->record = record_load(&vm->a, vm->uuid);
		if (vm->record && !record_check(&vm->a, vm->record))
			continue;
		log_warn("%s: record damaged, guest is left alone", vm->uuid);
		vm_forget(vm);
	}
	if (dir)
		closedir(dir);
	vms_refresh();
	for (vm = vms; vm; vm = next) {
		next = vm->next;
		if (vm->record && !vm->job)
			vm_check(vm);
	}
}
