// SPDX-License-Identifier: GPL-2.0
/*
 * The methods: one function each, in a table.  A function answers with a
 * value (NULL stands for ""), fails with call_fail(), or puts the answer off.
 * What it may rely on stands in the table: c->params has the arguments, the
 * first of which became a guest if the method is for one.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <hypercall-abi/sched.h>
#include <hypercall-abi/version.h>
#include "xend.h"

#define REF		"OpaqueRef:"
#define MAXMEM_SLACK	1024
#define LOG_MAX		(1u << 20)

/* --- arguments and small answers ------------------------------------- */
static const char *arg_string(const struct call *c, unsigned int i,
			      const char *otherwise)
{
	const struct value *v = value_item(c->params, i);

	return v && v->type == VALUE_STRING ? v->s : otherwise;
}

static int64_t arg_int(const struct call *c, unsigned int i, int64_t otherwise)
{
	const struct value *v = value_item(c->params, i);

	return v && v->type == VALUE_INT ? v->i : otherwise;
}

static bool arg_bool(const struct call *c, unsigned int i)
{
	const struct value *v = value_item(c->params, i);

	return v && (v->type == VALUE_BOOL ? v->b : v->type == VALUE_INT && v->i);
}

static struct value *fail_errno(struct call *c, const char *what, int rc)
{
	return call_fail(c, "INTERNAL_ERROR", NULL, "%s: %s", what,
			 strerror(-rc));
}

static struct value *bad_value(struct call *c, const char *key,
			       const char *why)
{
	return call_fail(c, "VALUE_NOT_SUPPORTED", key, "%s: %s", key, why);
}

static struct value *vm_ref(struct call *c, const struct vm *vm)
{
	return value_printf(&c->a, REF "%s", vm->uuid);
}

static void set_int(struct call *c, struct value *v, const char *key, int64_t i)
{
	value_set(v, key, value_int(&c->a, i));
}

static void set_string(struct call *c, struct value *v, const char *key,
		       const char *s)
{
	value_set(v, key, value_string(&c->a, s ? s : ""));
}

static char *read_node(struct call *c, const char *fmt, ...) PRINTF(2, 3);

/* A node of the store, or NULL. */
static char *read_node(struct call *c, const char *fmt, ...)
{
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return store_read(xend_store, &c->a, 0, path, NULL);
}

/* --- what is known of a guest ---------------------------------------- */
static const char *state_flags(struct call *c, uint32_t f)
{
	bool down = f & XEN_DOMINF_shutdown;
	bool crash = (f >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask)
		     == SHUTDOWN_crash;

	return arena_printf(&c->a, "%c%c%c%c%c%c",
			    f & XEN_DOMINF_running ? 'r' : '-',
			    f & XEN_DOMINF_blocked ? 'b' : '-',
			    f & XEN_DOMINF_paused ? 'p' : '-',
			    down ? 's' : '-', down && crash ? 'c' : '-',
			    f & XEN_DOMINF_dying ? 'd' : '-');
}

/* "0-2,4", or "all" if no CPU that there is lacks. */
static const char *mask_text(struct call *c, uint64_t mask, unsigned int cpus)
{
	uint64_t all = cpus > 63 ? ~0ull : (1ull << cpus) - 1;
	unsigned int i, first;
	char text[256] = "", *p = text;

	if ((mask & all) == all)
		return "all";
	for (i = 0; i < 64; i++) {
		if (!(mask >> i & 1))
			continue;
		for (first = i; i < 63 && mask >> (i + 1) & 1; i++)
			;
		p += sprintf(p, "%s%u", p == text ? "" : ",", first);
		if (i > first)
			p += sprintf(p, "-%u", i);
	}
	return arena_printf(&c->a, "%s", text);
}

static struct value *vcpu_record(struct call *c, const struct vm *vm,
				 unsigned int i, unsigned int cpus)
{
	struct xen_domctl_getvcpuinfo info;
	struct value *v = value_struct(&c->a);
	uint64_t hard = 0, soft = 0;

	if (hyper_vcpu_info(vm->domid, i, &info))
		return NULL;
	hyper_affinity(vm->domid, i, false, &hard, &soft);
	set_int(c, v, "vcpu", i);
	value_set(v, "online", value_bool(&c->a, info.online));
	set_int(c, v, "cpu", info.online ? (int64_t)info.cpu : -1);
	set_string(c, v, "state", !info.online ? "--p" : info.running ? "r--" :
		   info.blocked ? "-b-" : "---");
	value_set(v, "time", value_double(&c->a, info.cpu_time / 1e9));
	set_string(c, v, "affinity_hard", mask_text(c, hard, cpus));
	set_string(c, v, "affinity_soft", mask_text(c, soft, cpus));
	return v;
}

static struct value *vcpu_records(struct call *c, const struct vm *vm)
{
	struct value *list = value_array(&c->a), *v;
	struct xen_sysctl_physinfo host = { .nr_cpus = 64 };
	unsigned int i;

	hyper_physinfo(&host);
	for (i = 0; i <= vm->info.max_vcpu_id && i < 64; i++) {
		v = vcpu_record(c, vm, i, host.nr_cpus);
		if (v)
			value_append(list, v);
	}
	return list;
}

/* What a device's nodes say, under the names that clients know. */
static struct value *device_record(struct call *c, const char *ours,
				   const char *id)
{
	static const struct {
		const char *as, *folder, *node;
		bool number;
	} keys[] = {
		{ "backend_id", "frontend", "backend-id", true },
		{ "state", "frontend", "state", true },
		{ "evtchn", "frontend", "event-channel", true },
		{ "ring_ref", "frontend", "ring-ref", true },
		{ "tx_ring_ref", "frontend", "tx-ring-ref", true },
		{ "rx_ring_ref", "frontend", "rx-ring-ref", true },
		{ "dev", "backend", "dev", false },
		{ "target", "backend", "params", false },
		{ "access", "backend", "mode", false },
		{ "mac", "backend", "mac", false },
		{ "bridge", "backend", "bridge", false },
		{ "script", "backend", "script", false },
	};
	struct value *v = value_struct(&c->a);
	const char *path, *text;
	unsigned int i;

	set_int(c, v, "devid", strtoul(id, NULL, 10));
	set_int(c, v, "vdev", strtoul(id, NULL, 10));
	set_int(c, v, "handle", strtoul(id, NULL, 10));
	set_string(c, v, "backend", read_node(c, "%s/backend", ours));
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		path = read_node(c, "%s/%s", ours, keys[i].folder);
		text = path ? read_node(c, "%s/%s", path, keys[i].node) : NULL;
		if (!text)
			continue;
		if (keys[i].number)
			set_int(c, v, keys[i].as, strtoul(text, NULL, 10));
		else
			set_string(c, v, keys[i].as, text);
	}
	return v;
}

static struct value *device_list(struct call *c, const struct vm *vm,
				 const char *kind)
{
	char *path = arena_printf(&c->a, "/libxl/%d/device/%s", vm->domid, kind);
	struct value *list = value_array(&c->a);
	unsigned int n = 0, i;
	char **ids = vm->domid < 0 || !path ? NULL :
		     store_list(xend_store, &c->a, 0, path, &n);

	for (i = 0; ids && i < n; i++)
		value_append(list, device_record(c,
			     arena_printf(&c->a, "%s/%s", path, ids[i]),
			     ids[i]));
	return list;
}

static int64_t start_time(struct call *c, const struct vm *vm)
{
	const char *s = read_node(c, "/vm/%s/start_time", vm->uuid);

	return s ? strtoll(s, NULL, 10) : 0;
}

static int64_t store_kib(struct call *c, const struct vm *vm, const char *key,
			 int64_t otherwise)
{
	const char *s = vm_read(&c->a, vm, key);

	return s && *s ? strtoll(s, NULL, 10) : otherwise;
}

static void set_running(struct call *c, struct value *v, const struct vm *vm)
{
	const struct xen_domctl_getdomaininfo *i = &vm->info;
	int64_t pages = i->tot_pages << 2;
	struct value *sched = value_struct(&c->a);
	uint16_t weight = 0, cap = 0;

	set_string(c, v, "state", state_flags(c, i->flags));
	set_int(c, v, "memory_actual", pages);
	set_int(c, v, "memory_dynamic",
		store_kib(c, vm, "memory/target", pages));
	set_int(c, v, "memory_static_max",
		store_kib(c, vm, "memory/static-max", i->max_pages << 2));
	set_int(c, v, "vcpus_online", i->nr_online_vcpus);
	set_int(c, v, "vcpus_max", i->max_vcpu_id + 1);
	value_set(v, "cpu_time", value_double(&c->a, i->cpu_time / 1e9));
	set_int(c, v, "start_time", start_time(c, vm));
	set_string(c, v, "console_tty", vm_read(&c->a, vm, "console/tty"));
	set_int(c, v, "shutdown_reason",
		i->flags & XEN_DOMINF_shutdown ?
		(int64_t)(i->flags >> XEN_DOMINF_shutdownshift & 255) : -1);
	value_set(v, "vcpus", vcpu_records(c, vm));
	hyper_sched(vm->domid, false, &weight, &cap);
	set_int(c, sched, "weight", weight);
	set_int(c, sched, "cap", cap);
	value_set(v, "sched", sched);
	value_set(v, "disks", device_list(c, vm, "vbd"));
	value_set(v, "vifs", device_list(c, vm, "vif"));
}

static struct value *vm_get_record(struct call *c, struct vm *vm)
{
	struct value *v = value_struct(&c->a);

	set_string(c, v, "uuid", vm->uuid);
	set_string(c, v, "name_label", vm_name(&c->a, vm));
	set_int(c, v, "domid", vm->domid);
	set_string(c, v, "power_state", vm_power_state(vm));
	value_set(v, "managed", value_bool(&c->a, vm->record));
	if (vm->domid >= 0)
		set_running(c, v, vm);
	value_set(v, "other_config", vm->record ?
		  value_copy(&c->a, vm->record) : value_struct(&c->a));
	return v;
}

static struct value *vm_metrics(struct call *c, struct vm *vm)
{
	struct value *v = value_struct(&c->a);
	bool up = vm->domid >= 0;

	set_int(c, v, "memory_actual", up ? vm->info.tot_pages << 12 : 0);
	set_int(c, v, "VCPUs_number", up ? vm->info.nr_online_vcpus : 0);
	value_set(v, "cpu_time",
		  value_double(&c->a, up ? vm->info.cpu_time / 1e9 : 0));
	set_int(c, v, "start_time", start_time(c, vm));
	set_string(c, v, "state", vm_power_state(vm));
	return v;
}

/* --- finding guests -------------------------------------------------- */
static struct value *vm_get_all(struct call *c, struct vm *none)
{
	struct value *list = value_array(&c->a);
	struct vm *vm;

	(void)none;
	for (vm = vms; vm; vm = vm->next)
		value_append(list, vm_ref(c, vm));
	return list;
}

static struct value *vm_get_all_records(struct call *c, struct vm *none)
{
	struct value *all = value_struct(&c->a);
	struct vm *vm;

	(void)none;
	for (vm = vms; vm; vm = vm->next)
		value_set(all, arena_printf(&c->a, REF "%s", vm->uuid),
			  vm_get_record(c, vm));
	return all;
}

static struct value *vm_get_by_name(struct call *c, struct vm *vm)
{
	struct value *list = value_array(&c->a);

	vm = vm_by_name(&c->a, arg_string(c, 0, ""));
	if (vm)
		value_append(list, vm_ref(c, vm));
	return list;
}

static struct value *vm_get_by_uuid(struct call *c, struct vm *vm)
{
	const char *uuid = arg_string(c, 0, "");

	vm = vm_find(uuid);
	return vm ? vm_ref(c, vm) :
	       call_fail(c, "UUID_INVALID", uuid, "no guest has the uuid %s",
			 uuid);
}

static struct value *vm_get_by_domid(struct call *c, struct vm *none)
{
	int64_t domid = arg_int(c, 0, -1);
	struct vm *vm;

	(void)none;
	for (vm = vms; vm; vm = vm->next)
		if (vm->domid >= 0 && vm->domid == domid)
			return vm_ref(c, vm);
	return call_fail(c, "HANDLE_INVALID", NULL, "no domain has the id %lld",
			 (long long)domid);
}

/* --- life ------------------------------------------------------------ */
static struct value *busy(struct call *c, const struct vm *vm)
{
	return call_fail(c, "OTHER_OPERATION_IN_PROGRESS", vm->uuid,
			 "%s is being worked on: try again later",
			 vm_name(&c->a, vm));
}

static struct value *vm_create(struct call *c, struct vm *vm)
{
	struct value *r = value_item(c->params, 0);
	const char *why, *name;
	char uuid[UUID_CHARS];
	uint8_t id[16];

	record_uuid_new(id);
	if (r && r->type == VALUE_STRUCT && !value_get(r, "uuid")) {
		record_uuid_text(id, uuid);
		value_set(r, "uuid", value_string(&c->a, uuid));
	}
	why = record_check(&c->a, r);
	if (why)
		return call_fail(c, "VALUE_NOT_SUPPORTED", NULL, "%s", why);
	record_uuid(value_get_string(r, "uuid", ""), id);
	record_uuid_text(id, uuid);
	name = value_get_string(r, "name", "");
	if (vm_by_name(&c->a, name))
		return call_fail(c, "NAME_TAKEN", name,
				 "name '%s' is taken: choose another, or destroy that guest first",
				 name);
	if (vm_find(uuid))
		return call_fail(c, "UUID_TAKEN", uuid,
				 "uuid %s is taken: leave it out of the file",
				 uuid);
	vm = vm_define(uuid, r);
	return vm ? vm_ref(c, vm) : fail_errno(c, RECORD_DIR, -errno);
}

static struct value *vm_start(struct call *c, struct vm *vm)
{
	bool async = !strncmp(c->method, "Async.", 6);
	struct task *t = NULL;
	struct job *job;

	if (vm->job)
		return busy(c, vm);
	if (vm->domid >= 0)
		return call_fail(c, "VM_BAD_POWER_STATE", vm->uuid,
				 "%s runs already", vm_name(&c->a, vm));
	if (async) {
		t = task_new("VM.start");
		if (!t)
			return fail_errno(c, "task", -ENOMEM);
	}
	vm_set_phase(vm, "running");
	job = job_new(vm, JOB_START, async ? NULL : c, t);
	job_run(job, (const char *[]){ "start", vm->uuid,
				       arg_bool(c, 1) ? "1" : "0", NULL });
	return t ? value_printf(&c->a, REF "%s", t->id) : NULL;
}

static struct value *vm_hard_shutdown(struct call *c, struct vm *vm)
{
	if (vm->domid == 0)
		return call_fail(c, "OPERATION_NOT_ALLOWED", NULL,
				 "Domain-0 cannot be destroyed: it runs this program");
	if (vm->job)
		return job_interrupt(vm, c) ? NULL : busy(c, vm);
	if (vm->domid < 0)
		vm_forget(vm);
	else
		job_new(vm, JOB_DESTROY, c, NULL);
	return NULL;
}

static struct value *write_node(struct call *c, const struct vm *vm,
				const char *key, const char *value)
{
	char *path = arena_printf(&c->a, "/local/domain/%d/%s", vm->domid, key);
	int rc = path ? store_write(xend_store, 0, path, value, strlen(value))
		      : -ENOMEM;

	return rc ? fail_errno(c, key, rc) : NULL;
}

static struct value *vm_ask(struct call *c, struct vm *vm)
{
	return write_node(c, vm, "control/shutdown", c->arg);
}

static struct value *vm_pause(struct call *c, struct vm *vm)
{
	int rc = vm->domid ? hyper_pause(vm->domid) : -EINVAL;

	vms_refresh();
	return rc ? fail_errno(c, "pause", rc) : NULL;
}

static struct value *vm_unpause(struct call *c, struct vm *vm)
{
	int rc = hyper_unpause(vm->domid);

	vms_refresh();
	return rc == -EINVAL ?
	       call_fail(c, "VM_BAD_POWER_STATE", vm->uuid, "%s is not paused",
			 vm_name(&c->a, vm)) :
	       rc ? fail_errno(c, "unpause", rc) : NULL;
}

/* --- changes --------------------------------------------------------- */
static struct value *vm_set_name(struct call *c, struct vm *vm)
{
	const char *name = arg_string(c, 1, "");
	struct vm *other = vm_by_name(&c->a, name);
	char *path = arena_printf(&c->a, "/vm/%s/name", vm->uuid);

	if (!*name || strlen(name) > 99)
		return bad_value(c, "name", "too short or too long");
	if (other && other != vm)
		return call_fail(c, "NAME_TAKEN", name, "name '%s' is taken",
				 name);
	if (vm->domid >= 0) {
		write_node(c, vm, "name", name);
		if (path)
			store_write(xend_store, 0, path, name, strlen(name));
	}
	vm_change(&c->a, vm, "name", value_string(&c->a, name));
	return NULL;
}

static struct value *vm_set_memory(struct call *c, struct vm *vm)
{
	int64_t kib = arg_int(c, 1, 0), max;
	int rc;

	max = store_kib(c, vm, "memory/static-max", 0);
	if (kib < 4096 || kib > 1ll << 36)
		return bad_value(c, "memory", "makes no sense");
	if (max && kib > max)
		return bad_value(c, "memory",
				 arena_printf(&c->a, "the limit is %lld MiB: raise it with mem-max",
					      (long long)max >> 10));
	rc = hyper_max_mem(vm->domid, kib + MAXMEM_SLACK);
	if (rc)
		return fail_errno(c, "memory limit", rc);
	vm_change(&c->a, vm, "memory", value_int(&c->a, kib >> 10));
	return write_node(c, vm, "memory/target",
			  arena_printf(&c->a, "%lld", (long long)kib));
}

static struct value *vm_set_maxmem(struct call *c, struct vm *vm)
{
	int64_t kib = arg_int(c, 1, 0);
	int rc;

	if (kib < store_kib(c, vm, "memory/target", 4096) || kib > 1ll << 36)
		return bad_value(c, "maxmem", "is less than what the guest has");
	rc = hyper_max_mem(vm->domid, kib + MAXMEM_SLACK);
	if (rc)
		return fail_errno(c, "memory limit", rc);
	vm_change(&c->a, vm, "maxmem", value_int(&c->a, kib >> 10));
	return write_node(c, vm, "memory/static-max",
			  arena_printf(&c->a, "%lld", (long long)kib));
}

static struct value *vm_set_vcpus(struct call *c, struct vm *vm)
{
	int64_t n = arg_int(c, 1, 0), max = vm->info.max_vcpu_id + 1, i;
	struct value *failed = NULL;

	if (n < 1 || n > max)
		return bad_value(c, "vcpus",
				 arena_printf(&c->a, "from 1 to %lld (maxvcpus)",
					      (long long)max));
	for (i = 0; i < max && !c->failure; i++)
		failed = write_node(c, vm,
				    arena_printf(&c->a, "cpu/%lld/availability",
						 (long long)i),
				    i < n ? "online" : "offline");
	vm_change(&c->a, vm, "vcpus", value_int(&c->a, n));
	return failed;
}

/* One vCPU by number, or all (-1); "-" leaves a map as it is. */
static struct value *vm_pin_vcpu(struct call *c, struct vm *vm)
{
	const char *hard = arg_string(c, 2, "-"), *soft = arg_string(c, 3, "-");
	int64_t one = arg_int(c, 1, -1), i;
	struct xen_sysctl_physinfo host = { .nr_cpus = 64 };
	uint64_t online, h, s;
	int rc = 0;

	hyper_physinfo(&host);
	online = host.nr_cpus > 63 ? ~0ull : (1ull << host.nr_cpus) - 1;
	for (i = 0; i <= vm->info.max_vcpu_id && !rc; i++) {
		if (one >= 0 && i != one)
			continue;
		if ((strcmp(hard, "-") && !record_cpus(hard, online, &h)) ||
		    (strcmp(soft, "-") && !record_cpus(soft, online, &s)))
			return bad_value(c, "cpus", "no CPU that exists; has to be like 0-2,^1");
		rc = hyper_affinity(vm->domid, i, true,
				    strcmp(hard, "-") ? &h : NULL,
				    strcmp(soft, "-") ? &s : NULL);
	}
	if (one > vm->info.max_vcpu_id)
		return bad_value(c, "vcpu", "there is none with that number");
	return rc ? fail_errno(c, "affinity", rc) : NULL;
}

static struct value *vm_set_sched(struct call *c, struct vm *vm)
{
	int64_t weight = arg_int(c, 1, -1), cap = arg_int(c, 2, -1);
	uint16_t w, p;
	int rc = hyper_sched(vm->domid, false, &w, &p);

	if (weight == 0 || weight > 65535)
		return bad_value(c, "cpu_weight", "from 1 to 65535");
	if (cap > 6400)
		return bad_value(c, "cap", "from 0 to 100 for each vCPU");
	w = weight < 0 ? w : weight;
	p = cap < 0 ? p : cap;
	if (!rc)
		rc = hyper_sched(vm->domid, true, &w, &p);
	return rc ? fail_errno(c, "scheduler", rc) : NULL;
}

static struct value *vm_send_sysrq(struct call *c, struct vm *vm)
{
	const char *key = arg_string(c, 1, "");

	return strlen(key) == 1 ? write_node(c, vm, "control/sysrq", key) :
	       bad_value(c, "key", "one letter");
}

/* --- devices --------------------------------------------------------- */
/* The record's list of such devices without one, and with another. */
static const struct value *record_with(struct call *c, const struct vm *vm,
				       const struct value *less,
				       const struct value *more)
{
	bool vif = !strcmp(c->arg, "vif");
	const char *key = vif ? "vif" : "disk", *id = vif ? "mac" : "vdev";
	const char *gone = value_get_string(less, vif ? "mac" : "dev", "-");
	struct value *r = value_struct(&c->a), *list = value_array(&c->a), *v;
	const struct value *old = value_get(vm->record, key);

	if (!vm->record)
		return NULL;
	for value_each(v, vm->record)
		if (strcmp(v->name, key))
			value_set(r, v->name, value_copy(&c->a, v));
	if (old)
		for value_each(v, old)
			if (strcmp(value_get_string(v, id, ""), gone))
				value_append(list, value_copy(&c->a, v));
	if (more)
		value_append(list, value_copy(&c->a, more));
	value_set(r, key, list);
	return r;
}

static struct value *device_attach(struct call *c, struct vm *vm)
{
	struct value *device = value_item(c->params, 1);
	const char *kind = c->arg;
	bool vif = !strcmp(kind, "vif");
	const char *why = !device || device->type != VALUE_STRUCT ?
			  "a struct is needed" :
			  vif ? record_check_vif(&c->a, device) :
				record_check_disk(&c->a, device);
	const char *argv[40] = {
		"attach", arena_printf(&c->a, "%d", vm->domid), kind,
	};
	unsigned int n = 3;
	struct value *v;
	struct job *job;

	if (why)
		return call_fail(c, "VALUE_NOT_SUPPORTED", NULL, "%s", why);
	if (vm->job)
		return busy(c, vm);
	for value_each(v, device)
		if (v->type == VALUE_STRING && n < ARRAY_SIZE(argv) - 1)
			argv[n++] = arena_printf(&c->a, "%s=%s", v->name, v->s);
	job = job_new(vm, JOB_ATTACH, c, NULL);
	job_set_record(job, record_with(c, vm, NULL, device));
	job_run(job, argv);
	return NULL;
}

/* By number, by a disk's name, or by an interface's address. */
static bool device_is(const struct value *v, const struct value *what)
{
	if (!what || what->type == VALUE_INT)
		return what && value_get_int(v, "devid", -1) == what->i;
	return what->type == VALUE_STRING &&
	       (!strcmp(value_get_string(v, "dev", ""), what->s) ||
		!strcasecmp(value_get_string(v, "mac", ""), what->s));
}

static struct value *device_detach(struct call *c, struct vm *vm)
{
	struct value *list = device_list(c, vm, c->arg), *v;
	char domid[16], id[16];
	struct job *job;

	for value_each(v, list)
		if (device_is(v, value_item(c->params, 1)))
			break;
	if (!v)
		return call_fail(c, "HANDLE_INVALID", c->arg,
				 "%s has no such device: xm %s-list shows all",
				 vm_name(&c->a, vm),
				 strcmp(c->arg, "vif") ? "block" : "network");
	if (vm->job)
		return busy(c, vm);
	snprintf(domid, sizeof(domid), "%d", vm->domid);
	snprintf(id, sizeof(id), "%u",
		 (unsigned int)value_get_int(v, "devid", 0));
	job = job_new(vm, JOB_DETACH, c, NULL);
	job_set_record(job, record_with(c, vm, v, NULL));
	job_run(job, (const char *[]){ "detach", domid, c->arg, id,
				       arg_bool(c, 2) ? "1" : "0", NULL });
	return NULL;
}

static struct value *devices(struct call *c, struct vm *vm)
{
	return device_list(c, vm, c->arg);
}

/* --- the machine ----------------------------------------------------- */
static struct value *host_get_all(struct call *c, struct vm *vm)
{
	struct value *list = value_array(&c->a);

	(void)vm;
	value_append(list, value_string(&c->a, REF "host"));
	return list;
}

static void set_version(struct call *c, struct value *v, const char *key,
			unsigned int cmd)
{
	char text[1025] = "";

	hyper_version(cmd, text, 1024);
	set_string(c, v, key, text);
}

static void set_versions(struct call *c, struct value *v)
{
	long version = hyper_version(XENVER_version, NULL, 0);
	struct xen_platform_parameters p = { 0 };
	struct xen_compile_info cc = { 0 };
	char extra[17] = "";

	hyper_version(XENVER_extraversion, extra, 16);
	set_int(c, v, "xen_major", version >> 16);
	set_int(c, v, "xen_minor", version & 0xffff);
	set_string(c, v, "xen_extra", extra);
	value_set(v, "xen_version", value_printf(&c->a, "%ld.%ld%s",
						 version >> 16,
						 version & 0xffff, extra));
	set_version(c, v, "xen_caps", XENVER_capabilities);
	set_string(c, v, "xen_scheduler", "credit");
	set_int(c, v, "xen_pagesize", 4096);
	hyper_version(XENVER_platform_parameters, &p, sizeof(p));
	value_set(v, "platform_params",
		  value_printf(&c->a, "virt_start=0x%llx",
			       (unsigned long long)p.virt_start));
	set_version(c, v, "xen_changeset", XENVER_changeset);
	set_version(c, v, "xen_commandline", XENVER_commandline);
	hyper_version(XENVER_compile_info, &cc, sizeof(cc));
	set_string(c, v, "cc_compiler", cc.compiler);
	set_string(c, v, "cc_compile_by", cc.compile_by);
	set_string(c, v, "cc_compile_domain", cc.compile_domain);
	set_string(c, v, "cc_compile_date", cc.compile_date);
}

static const char *hw_caps(struct call *c, const struct xen_sysctl_physinfo *i)
{
	const uint32_t *h = i->hw_cap;

	return arena_printf(&c->a, "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x",
			    h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]);
}

/* Names and order are those of xl info. */
static struct value *host_get_record(struct call *c, struct vm *vm)
{
	struct value *v = value_struct(&c->a);
	struct xen_sysctl_physinfo i;
	int rc = hyper_physinfo(&i);
	struct utsname u;

	(void)vm;
	if (rc || uname(&u))
		return fail_errno(c, "physinfo", rc);
	set_string(c, v, "host", u.nodename);
	set_string(c, v, "release", u.release);
	set_string(c, v, "version", u.version);
	set_string(c, v, "machine", u.machine);
	set_int(c, v, "nr_cpus", i.nr_cpus);
	set_int(c, v, "max_cpu_id", i.max_cpu_id);
	set_int(c, v, "nr_nodes", i.nr_nodes);
	set_int(c, v, "cores_per_socket", i.cores_per_socket);
	set_int(c, v, "threads_per_core", i.threads_per_core);
	value_set(v, "cpu_mhz", value_printf(&c->a, "%u.%03u",
					     i.cpu_khz / 1000,
					     i.cpu_khz % 1000));
	set_string(c, v, "hw_caps", hw_caps(c, &i));
	set_string(c, v, "virt_caps",
		   i.capabilities & XEN_SYSCTL_PHYSCAP_pv ? "pv" : "");
	set_int(c, v, "total_memory", i.total_pages >> 8);
	set_int(c, v, "free_memory", i.free_pages >> 8);
	set_versions(c, v);
	return v;
}

static struct value *host_dmesg(struct call *c, struct vm *vm)
{
	struct xen_sysctl op = {
		.cmd = XEN_SYSCTL_readconsole, .u.readconsole.clear = 1,
	};
	char *text = arena_alloc(&c->a, LOG_MAX + 1);
	uint32_t index = 0, used = 0;
	int n = 1;

	(void)vm;
	while (text && used < LOG_MAX && n > 0) {
		n = hyper_read_log(text + used, LOG_MAX - used, &index);
		used += n > 0 ? n : 0;
	}
	if (!text || n < 0)
		return fail_errno(c, "the hypervisor's log", n < 0 ? n : -ENOMEM);
	if (arg_bool(c, 1))
		hyper_sysctl(&op);
	return value_string(&c->a, text);
}

static struct value *host_debug_keys(struct call *c, struct vm *vm)
{
	int rc = hyper_debug_keys(arg_string(c, 1, ""));

	(void)vm;
	return rc ? fail_errno(c, "debug keys", rc) : NULL;
}

/* --- tasks and events ------------------------------------------------ */
static struct value *task_get_record(struct call *c, struct vm *vm)
{
	const char *ref = arg_string(c, 0, "");
	const struct task *t = task_find(strncmp(ref, REF, 10) ? ref : ref + 10);
	struct value *v = value_struct(&c->a), *error = value_array(&c->a);

	(void)vm;
	if (!t)
		return call_fail(c, "HANDLE_INVALID", "task", "no such task");
	if (t->error[0]) {
		value_append(error, value_string(&c->a, t->error[0]));
		value_append(error, value_string(&c->a, t->error[1]));
	}
	set_string(c, v, "uuid", t->id);
	set_string(c, v, "name_label", t->label);
	set_string(c, v, "status", !t->ended ? "pending" : t->error[0] ?
		   "failure" : "success");
	value_set(v, "progress", value_double(&c->a, t->progress));
	value_set(v, "created", value_double(&c->a, t->created));
	value_set(v, "error_info", error);
	return v;
}

static struct value *events(struct call *c, struct vm *vm)
{
	(void)vm;
	return event_from(c);
}

/* --- dispatch -------------------------------------------------------- */
enum needs { NOTHING, A_GUEST, A_DOMAIN };

static const struct {
	const char *name;
	enum needs needs;	/* a domain: a guest that runs */
	struct value *(*fn)(struct call *c, struct vm *vm);
	const char *arg;
} methods[] = {
	{ "host.get_all", NOTHING, host_get_all, NULL },
	{ "host.get_record", NOTHING, host_get_record, NULL },
	{ "host.dmesg", NOTHING, host_dmesg, NULL },
	{ "host.send_debug_keys", NOTHING, host_debug_keys, NULL },
	{ "VM.get_all", NOTHING, vm_get_all, NULL },
	{ "VM.get_all_records", NOTHING, vm_get_all_records, NULL },
	{ "VM.get_by_name_label", NOTHING, vm_get_by_name, NULL },
	{ "VM.get_by_uuid", NOTHING, vm_get_by_uuid, NULL },
	{ "VM.get_by_domid", NOTHING, vm_get_by_domid, NULL },
	{ "VM.get_record", A_GUEST, vm_get_record, NULL },
	{ "VM.create", NOTHING, vm_create, NULL },
	{ "VM.start", A_GUEST, vm_start, NULL },
	{ "Async.VM.start", A_GUEST, vm_start, NULL },
	{ "VM.clean_shutdown", A_DOMAIN, vm_ask, "poweroff" },
	{ "VM.clean_reboot", A_DOMAIN, vm_ask, "reboot" },
	{ "VM.hard_shutdown", A_GUEST, vm_hard_shutdown, NULL },
	{ "VM.destroy", A_GUEST, vm_hard_shutdown, NULL },
	{ "VM.pause", A_DOMAIN, vm_pause, NULL },
	{ "VM.unpause", A_DOMAIN, vm_unpause, NULL },
	{ "VM.set_name_label", A_GUEST, vm_set_name, NULL },
	{ "VM.set_memory", A_DOMAIN, vm_set_memory, NULL },
	{ "VM.set_maxmem", A_DOMAIN, vm_set_maxmem, NULL },
	{ "VM.set_vcpus", A_DOMAIN, vm_set_vcpus, NULL },
	{ "VM.pin_vcpu", A_DOMAIN, vm_pin_vcpu, NULL },
	{ "VM.set_sched", A_DOMAIN, vm_set_sched, NULL },
	{ "VM.send_sysrq", A_DOMAIN, vm_send_sysrq, NULL },
	{ "VM_metrics.get_record", A_GUEST, vm_metrics, NULL },
	{ "VBD.attach", A_DOMAIN, device_attach, "vbd" },
	{ "VBD.detach", A_DOMAIN, device_detach, "vbd" },
	{ "VBD.list", A_DOMAIN, devices, "vbd" },
	{ "VIF.attach", A_DOMAIN, device_attach, "vif" },
	{ "VIF.detach", A_DOMAIN, device_detach, "vif" },
	{ "VIF.list", A_DOMAIN, devices, "vif" },
	{ "task.get_record", NOTHING, task_get_record, NULL },
	{ "event.from", NOTHING, events, NULL },
};

/* Calls the method that c->method names. */
struct value *method_call(struct call *c)
{
	const char *ref = arg_string(c, 0, "");
	struct vm *vm = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, c->method))
			break;
	if (i == ARRAY_SIZE(methods))
		return call_fail(c, "MESSAGE_METHOD_UNKNOWN", c->method,
				 "no method %s", c->method);
	c->arg = methods[i].arg;
	vms_refresh();
	if (methods[i].needs == NOTHING)
		return methods[i].fn(c, NULL);
	vm = strncmp(ref, REF, 10) ? NULL : vm_find(ref + 10);
	if (!vm)
		return call_fail(c, "HANDLE_INVALID", "VM", "no such guest: %s",
				 ref);
	if (methods[i].needs == A_DOMAIN && vm->domid < 0)
		return call_fail(c, "VM_BAD_POWER_STATE", vm->uuid,
				 "%s does not run", vm_name(&c->a, vm));
	return methods[i].fn(c, vm);
}
