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
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
		return NULL;
	strcpy(vm->uuid, uuid);
	vm->domid = -1;
	while (*p)
		p = &(*p)->next;
	*p = vm;
	return vm;
}

/* A node of the guest's folder, or NULL. */
char *vm_read(struct arena *a, const struct vm *vm, const char *key)
{
	char *path = arena_printf(a, "/local/domain/%d/%s", vm->domid, key);

	return vm->domid < 0 || !path ? NULL :
	       store_read(xend_store, a, 0, path, NULL);
}

/* Other tools may rename a guest that runs. */
const char *vm_name(struct arena *a, const struct vm *vm)
{
	const char *name = vm_read(a, vm, "name");

	return name ? name : vm->record ?
	       value_get_string(vm->record, "name", "") : "";
}

/* By name, or NULL. */
struct vm *vm_by_name(struct arena *a, const char *name)
{
	struct vm *vm;

	for (vm = vms; vm && strcmp(vm_name(a, vm), name); vm = vm->next)
		;
	return vm;
}

/* As XenAPI calls it. */
const char *vm_power_state(const struct vm *vm)
{
	return vm->domid < 0 ? "Halted" :
	       vm->info.flags & XEN_DOMINF_paused ? "Paused" : "Running";
}

static void vm_event(const struct vm *vm, const char *operation)
{
	char ref[UUID_CHARS + 16] = "OpaqueRef:";

	event_add("vm", operation, strcat(ref, vm->uuid));
}

/* Keeps a copy of the record, and writes it to its file. */
int vm_redefine(struct vm *vm, const struct value *record)
{
	struct arena old = vm->a;
	int rc;

	vm->a = (struct arena){ 0 };
	rc = record_save(&vm->a, vm->uuid, record);
	if (!rc) {
		vm->record = record_load(&vm->a, vm->uuid);
		rc = vm->record ? 0 : -ENOMEM;
	}
	arena_release(&old);
	return rc;
}

/* A value that can become part of another. */
struct value *value_copy(struct arena *a, const struct value *v)
{
	struct value *copy = arena_copy(a, v, sizeof(*v));

	if (copy)
		copy->next = NULL;
	return copy;
}

/* Changes a member of the record, if the guest is ours. */
void vm_change(struct arena *a, struct vm *vm, const char *key,
	       struct value *to)
{
	struct value *r = value_struct(a), *v;

	if (!vm->record)
		return;
	for value_each(v, vm->record)
		if (strcmp(v->name, key))
			value_set(r, v->name, value_copy(a, v));
	value_set(r, key, to);
	if (vm_redefine(vm, r))
		log_warn("%s: the change is lost at a restart", vm->uuid);
}

/* What xend wants of a guest of ours, from now on. */
void vm_set_phase(struct vm *vm, const char *phase)
{
	struct arena a = { 0 };

	vm_change(&a, vm, "phase", value_string(&a, phase));
	arena_release(&a);
}

/* A new guest of ours, from a record that was checked.  NULL with errno. */
struct vm *vm_define(const char *uuid, const struct value *record)
{
	struct vm *vm = vm_new(uuid);
	int rc;

	if (!vm)
		return NULL;
	rc = vm_redefine(vm, record);
	if (rc) {
		vm_forget(vm);
		errno = -rc;
		return NULL;
	}
	vm_event(vm, "add");
	return vm;
}

/* It is no longer ours; an object without a domain vanishes. */
void vm_forget(struct vm *vm)
{
	struct vm **p = &vms;

	record_forget(vm->uuid);
	arena_release(&vm->a);
	vm->record = NULL;
	if (vm->domid >= 0)
		return;
	vm_event(vm, "del");
	while (*p != vm)
		p = &(*p)->next;
	*p = vm->next;
	free(vm);
}

/* --- what the hypervisor says ---------------------------------------- */
static void vm_seen(const struct xen_domctl_getdomaininfo *info)
{
	char uuid[UUID_CHARS];
	struct vm *vm;

	record_uuid_text(info->handle, uuid);
	vm = vm_find(uuid);
	/* A dying domain may still be there while its successor runs. */
	if (info->flags & XEN_DOMINF_dying)
		return;
	if (!vm) {
		vm = vm_new(uuid);
		if (!vm)
			return;
		vm_event(vm, "add");
	} else if (vm->domid != info->domain ||
		   (vm->info.flags ^ info->flags) &
		   (XEN_DOMINF_paused | XEN_DOMINF_shutdown)) {
		vm_event(vm, "mod");
	}
	if (vm->domid != info->domain)
		vm->handled = false;
	vm->domid = info->domain;
	vm->info = *info;
	vm->seen = true;
}

/* Its end, in the words of the record's keys. */
static const char *vm_policy(const struct vm *vm)
{
	unsigned int reason = vm->info.flags >> XEN_DOMINF_shutdownshift &
			      XEN_DOMINF_shutdownmask;

	switch (reason) {
	case SHUTDOWN_poweroff:
		return value_get_string(vm->record, "on_poweroff", "destroy");
	case SHUTDOWN_reboot:
		return value_get_string(vm->record, "on_reboot", "restart");
	case SHUTDOWN_crash:
		return value_get_string(vm->record, "on_crash", "destroy");
	case SHUTDOWN_watchdog:
		return value_get_string(vm->record, "on_watchdog", "destroy");
	default:		/* another tool takes its image */
		return "preserve";
	}
}

static void vm_ended(struct vm *vm)
{
	const char *policy = vm_policy(vm);
	struct arena a = { 0 };

	vm->handled = true;
	log_info("domain %d ended (reason %u): %s", vm->domid,
		 vm->info.flags >> XEN_DOMINF_shutdownshift &
		 XEN_DOMINF_shutdownmask, policy);
	if (!strcmp(policy, "restart")) {
		/* Another tool may have renamed it. */
		vm_change(&a, vm, "name", value_string(&a, vm_name(&a, vm)));
		vm_set_phase(vm, "restarting");
		job_new(vm, JOB_RESTART, NULL, NULL);
	} else if (!strcmp(policy, "destroy")) {
		job_new(vm, JOB_DESTROY, NULL, NULL);
	}
	arena_release(&a);
}

/* Somebody else destroyed it: what may be left is removed. */
static void vm_vanished(struct vm *vm)
{
	if (vm->job)
		return;			/* its end looks again */
	if (!vm->record) {
		vm->domid = -1;
		vm_forget(vm);
	} else {
		job_new(vm, JOB_DESTROY, NULL, NULL);
	}
}

/* Brings the table up to date and acts on what happened. */
void vms_refresh(void)
{
	struct xen_domctl_getdomaininfo info;
	struct vm *vm, *next;
	unsigned int id;

	for (vm = vms; vm; vm = vm->next)
		vm->seen = false;
	for (id = 0; id < DOMID_FIRST_RESERVED &&
	     !hyper_next_domain(id, &info); id = info.domain + 1)
		vm_seen(&info);
	for (vm = vms; vm; vm = next) {
		next = vm->next;
		if (!vm->seen && vm->domid >= 0)
			vm_vanished(vm);
		else if (vm->record && !vm->job && !vm->handled &&
			 vm->domid >= 0 &&
			 vm->info.flags & XEN_DOMINF_shutdown)
			vm_ended(vm);
	}
}

/* --- after a kill ---------------------------------------------------- */
static void vm_recover(const char *uuid)
{
	struct vm *vm = vm_find(uuid);
	uint8_t id[16];

	if (!record_uuid(uuid, id))
		return;
	if (!vm)
		vm = vm_new(uuid);
	if (!vm)
		fatal("recovery");
	vm->record = record_load(&vm->a, uuid);
	if (!vm->record || record_check(&vm->a, vm->record)) {
		log_warn("%s: record damaged, guest is left alone", uuid);
		vm_forget(vm);
	}
}

static bool vm_finished(struct arena *a, const struct vm *vm)
{
	char *path = arena_printf(a, "/libxl/%d/xend", vm->domid);

	return path && store_read(xend_store, a, 0, path, NULL);
}

/* One of ours: is it as it should be? */
static void vm_check(struct arena *a, struct vm *vm)
{
	const char *phase = value_get_string(vm->record, "phase", "");

	if (!strcmp(phase, "restarting")) {
		job_new(vm, vm->domid < 0 ? JOB_START : JOB_RESTART, NULL,
			NULL);
	} else if (vm->domid >= 0 && !vm_finished(a, vm)) {
		log_info("domain %d was not finished: destroyed", vm->domid);
		job_new(vm, JOB_DESTROY, NULL, NULL);
	} else if (vm->domid >= 0) {
		log_info("domain %d found again", vm->domid);
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
	struct arena a = { 0 };
	struct vm *vm, *next;
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		vm_recover(e->d_name);
	if (dir)
		closedir(dir);
	vms_refresh();
	for (vm = vms; vm; vm = next) {
		next = vm->next;
		if (vm->record && !vm->job)
			vm_check(&a, vm);
	}
	arena_release(&a);
}
