// SPDX-License-Identifier: GPL-2.0
/*
 * The methods: one function each, in a table.  A function answers with a
 * value (NULL stands for ""), fails with call_fail(), or puts the answer off.
 * What it may rely on stands in the table: c->params has the session and the
 * arguments, the first of which became c->vm if the method is for a guest.
 */
#include <sys/utsname.h>
#include <uuid/uuid.h>
#include <hypercall-abi/version.h>
#include "../lib/conf.h"
#include "xend.h"

#define LOG_MAX		(1u << 20)
#define BAD_VALUE	"VALUE_NOT_SUPPORTED"
#define FORMAT(...)	arena_printf(&c->a, __VA_ARGS__)

/* --- arguments and small answers ------------------------------------- */
/* Argument i, counted from 1, if it is of that type. */
const char *arg_string(const struct call *c, unsigned int i,
		       const char *otherwise)
{
	const struct value *v = value_item(c->params, i);

	return v && v->type == VALUE_STRING ? v->s : otherwise;
}

static int64_t arg_int(const struct call *c, unsigned int i, int64_t otherwise)
{
	const struct value *v = value_item(c->params, i);

	return v && v->type == VALUE_INT ? v->i :
	       v && v->type == VALUE_BOOL ? v->b : otherwise;
}

/* What a hypercall or the store said is the answer. */
static struct value *done(struct call *c, const char *what, int rc)
{
	return rc < 0 ? call_fail(c, "INTERNAL_ERROR", NULL, "%s: %s", what,
				  strerror(-rc)) : NULL;
}

/* Adds the keys and values up to NULL to a struct. */
struct value *record_of(struct value *v, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, v);
	while ((key = va_arg(ap, const char *)))
		value_set(v, key, va_arg(ap, struct value *));
	va_end(ap);
	return v;
}

/* --- what is known of a guest ---------------------------------------- */
static struct value *state_flags(struct call *c, uint32_t f)
{
	bool down = f & XEN_DOMINF_shutdown;
	unsigned int why = down ? f >> XEN_DOMINF_shutdownshift &
				  XEN_DOMINF_shutdownmask : 0;

	return value_printf(&c->a, "%c%c%c%c%c%c",
			    f & XEN_DOMINF_running ? 'r' : '-',
			    f & XEN_DOMINF_blocked ? 'b' : '-',
			    f & XEN_DOMINF_paused ? 'p' : '-',
			    down ? 's' : '-', "-rscwS?"[why < 6 ? why : 6],
			    f & XEN_DOMINF_dying ? 'd' : '-');
}

static uint64_t online_cpus(void)
{
	struct xen_sysctl_physinfo host = { .nr_cpus = 64 };

	hyper_physinfo(&host);
	return host.nr_cpus > 63 ? ~0ull : (1ull << host.nr_cpus) - 1;
}

/* "0-2,4", or "all" if no CPU that there is lacks. */
static struct value *mask_text(struct call *c, uint64_t mask)
{
	uint64_t all = online_cpus();
	char list[256] = "", *p = list;
	unsigned int i, first;

	if ((mask & all) == all)
		return STRING("all");
	for (i = 0; i < 64; i++) {
		if (!(mask >> i & 1))
			continue;
		for (first = i; i < 63 && mask >> (i + 1) & 1; i++)
			;
		p += sprintf(p, "%s%u", p == list ? "" : ",", first);
		if (i > first)
			p += sprintf(p, "-%u", i);
	}
	return STRING(list);
}

static struct value *vcpu_records(struct call *c)
{
	struct value *list = value_array(&c->a);
	struct xen_domctl_getvcpuinfo i;
	uint64_t hard, soft;
	unsigned int n;

	for (n = 0; n <= c->vm->info.max_vcpu_id && n < 64; n++) {
		if (hyper_vcpu_info(c->vm->domid, n, &i))
			continue;
		hard = soft = 0;
		hyper_affinity(c->vm->domid, n, false, &hard, &soft);
		value_append(list, RECORD("vcpu", INT(n),
			"online", value_bool(&c->a, i.online),
			"cpu", INT(i.online ? (int64_t)i.cpu : -1),
			"state", STRING(!i.online ? "--p" : i.running ? "r--" :
					i.blocked ? "-b-" : "---"),
			"time", REAL(i.cpu_time / 1e9),
			"affinity_hard", mask_text(c, hard),
			"affinity_soft", mask_text(c, soft)));
	}
	return list;
}

/*
 * What the nodes of such devices say, under the names that clients know: the
 * first NUMBERS of them are numbers that the frontend's folder has.
 */
static struct value *device_list(struct call *c, const char *kind)
{
	enum { NUMBERS = 6 };
	static const char *const keys[][2] = {
		{ "backend_id", "backend-id" }, { "state", "state" },
		{ "evtchn", "event-channel" }, { "ring_ref", "ring-ref" },
		{ "tx_ring_ref", "tx-ring-ref" },
		{ "rx_ring_ref", "rx-ring-ref" },
		{ "dev", "dev" }, { "target", "params" }, { "access", "mode" },
		{ "mac", "mac" }, { "bridge", "bridge" },
		{ "script", "script" },
	};
	const char *ours = FORMAT("/libxl/%d/device/%s", c->vm->domid, kind);
	struct value *list = value_array(&c->a), *v;
	const char *front, *back, *s;
	unsigned int n = 0, i, id;
	char **ids = store_list(xend_store, &c->a, 0, ours, &n);

	for (; ids && n; n--, ids++) {
		id = atoi(*ids);
		ours = FORMAT("/libxl/%d/device/%s/%u", c->vm->domid, kind, id);
		front = node_read(&c->a, "%s/frontend", ours);
		back = node_read(&c->a, "%s/backend", ours);
		v = RECORD("devid", INT(id), "vdev", INT(id), "handle", INT(id),
			   "frontend_id", INT(c->vm->domid),
			   "backend", STRING(back));
		for (i = 0; front && i < ARRAY_SIZE(keys); i++) {
			s = node_read(&c->a, "%s/%s", i < NUMBERS ? front :
				      ours, keys[i][1]);
			if (s)
				value_set(v, keys[i][0], i < NUMBERS ?
					  INT(atoi(s)) : STRING(s));
		}
		value_append(list, v);
	}
	return list;
}

static struct value *devices(struct call *c)
{
	return device_list(c, c->arg);
}

/* What the store says of its memory. */
static int64_t store_kib(struct call *c, const char *key, int64_t otherwise)
{
	const char *s = node_read(&c->a, "/local/domain/%d/memory/%s",
				  c->vm->domid, key);

	return s && *s ? strtoll(s, NULL, 10) : otherwise;
}

/* Of one that runs: c->arg says whether that is to be brief. */
static struct value *add_running(struct call *c, struct value *v)
{
	const struct xen_domctl_getdomaininfo *i = &c->vm->info;
	int64_t kib = i->tot_pages << 2, max = i->max_pages << 2;
	uint16_t weight = 0, cap = 0;
	const char *start;

	record_of(v, "state", state_flags(c, i->flags),
		"memory_actual", INT(kib),
		"memory_dynamic", INT(store_kib(c, "target", kib)),
		"vcpus_online", INT(i->nr_online_vcpus),
		"vcpus_max", INT(i->max_vcpu_id + 1),
		"cpu_time", REAL(i->cpu_time / 1e9), NULL);
	if (c->arg)
		return v;
	start = node_read(&c->a, "/vm/%s/start_time", c->vm->uuid);
	hyper_sched(c->vm->domid, false, &weight, &cap);
	return record_of(v,
		"memory_static_max", INT(store_kib(c, "static-max", max)),
		"start_time", INT(start ? strtoll(start, NULL, 10) : 0),
		"console_tty",
		STRING(node_read(&c->a, "/local/domain/%d/console/tty",
				 c->vm->domid)),
		"vcpus", vcpu_records(c),
		"weight", INT(weight), "cap", INT(cap),
		"disks", device_list(c, "vbd"),
		"vifs", device_list(c, "vif"), NULL);
}

static struct value *vm_get_record(struct call *c)
{
	const struct vm *vm = c->vm;
	struct value *v = RECORD("uuid", STRING(vm->uuid),
		"name_label", STRING(vm_name(&c->a, vm)),
		"domid", INT(vm->domid),
		"power_state", STRING(vm->domid < 0 ? "Halted" :
				      vm->info.flags & XEN_DOMINF_paused ?
				      "Paused" : "Running"),
		"managed", value_bool(&c->a, vm->record),
		"other_config", vm->record && !c->arg ?
		value_copy(&c->a, vm->record) : value_struct(&c->a));

	return vm->domid < 0 ? v : add_running(c, v);
}

/* --- finding guests -------------------------------------------------- */
static struct value *vm_get_all(struct call *c)
{
	const char *name = c->arg ? arg_string(c, 1, "") : NULL;
	struct value *list = value_array(&c->a);
	struct vm *vm;

	for (vm = vms; vm; vm = vm->next)
		if (!name || !strcmp(vm_name(&c->a, vm), name))
			value_append(list, value_printf(&c->a, REF "%s",
							vm->uuid));
	return list;
}

static struct value *vm_get_all_records(struct call *c)
{
	struct value *all = value_struct(&c->a);

	for (c->vm = vms; c->vm; c->vm = c->vm->next)
		value_set(all, FORMAT(REF "%s", c->vm->uuid),
			  vm_get_record(c));
	return all;
}

static struct value *vm_get_by(struct call *c)
{
	const char *uuid = arg_string(c, 1, "");
	int64_t domid = arg_int(c, 1, -1);
	struct vm *vm;

	for (vm = vms; vm; vm = vm->next)
		if (!strcmp(c->arg, "uuid") ? !strcmp(vm->uuid, uuid) :
		    vm->domid >= 0 && vm->domid == domid)
			return value_printf(&c->a, REF "%s", vm->uuid);
	return call_fail(c, "HANDLE_INVALID", NULL, "no guest has this %s",
			 c->arg);
}

/* --- life ------------------------------------------------------------ */
static struct value *busy(struct call *c)
{
	return call_fail(c, "OTHER_OPERATION_IN_PROGRESS", c->vm->uuid,
			 "%s is being worked on: try again later",
			 vm_name(&c->a, c->vm));
}

static struct value *vm_create(struct call *c)
{
	struct value *r = value_item(c->params, 1);
	const char *why, *name;
	char uuid[UUID_CHARS];
	uuid_t id;
	int rc;

	uuid_new(uuid);
	if (r && r->type == VALUE_STRUCT && !value_get(r, "uuid"))
		value_set(r, "uuid", STRING(uuid));
	why = record_check(&c->a, r);
	if (why)
		return call_fail(c, BAD_VALUE, NULL, "%s", why);
	uuid_parse(value_get_string(r, "uuid", ""), id);
	uuid_unparse_lower(id, uuid);
	name = value_get_string(r, "name", "");
	if (vm_by_name(&c->a, name))
		return call_fail(c, "NAME_TAKEN", name,
				 "name '%s' is taken: choose another, or destroy that guest first",
				 name);
	if (vm_find(uuid))
		return call_fail(c, "UUID_TAKEN", uuid,
				 "uuid %s is taken: leave it out of the file",
				 uuid);
	rc = vm_define(uuid, r);
	return rc ? done(c, RECORD_DIR, rc) :
	       value_printf(&c->a, REF "%s", uuid);
}

static struct value *vm_start(struct call *c)
{
	struct job job = {
		.vm = c->vm, .kind = JOB_START, .flag = arg_int(c, 2, 0),
	};

	if (c->vm->domid >= 0)
		return call_fail(c, "VM_BAD_POWER_STATE", c->vm->uuid,
				 "%s runs already", vm_name(&c->a, c->vm));
	if (!c->arg)
		job.call = c;
	else if (!(job.task = task_new()))
		return busy(c);
	vm_set_phase(c->vm, "running");
	job_start(job);
	return job.task ? STRING(job.task->ref) : NULL;
}

static struct value *vm_hard_shutdown(struct call *c)
{
	struct vm *vm = c->vm;

	if (vm->domid == 0)
		return call_fail(c, "OPERATION_NOT_ALLOWED", NULL,
				 "Domain-0 cannot be destroyed: it runs this program");
	if (vm->job)
		return job_interrupt(vm, c) ? NULL : busy(c);
	if (vm->domid < 0)
		vm_forget(vm);
	else
		job_start((struct job){ .vm = vm, .kind = JOB_DESTROY,
					.call = c });
	return NULL;
}

static struct value *write_node(struct call *c, const char *key,
				const char *value)
{
	const char *path = FORMAT("/local/domain/%d/%s", c->vm->domid, key);

	return done(c, key, store_write(xend_store, 0, path, value,
					  strlen(value)));
}

static struct value *vm_ask(struct call *c)
{
	return write_node(c, "control/shutdown", c->arg);
}

static struct value *vm_pause(struct call *c)
{
	int rc = !c->vm->domid ? -EPERM : c->arg ?
		 hyper_unpause(c->vm->domid) : hyper_pause(c->vm->domid);

	if (rc == -EINVAL)
		return call_fail(c, "VM_BAD_POWER_STATE", c->vm->uuid,
				 "%s is not paused", vm_name(&c->a, c->vm));
	vms_refresh();
	return done(c, "pause, unpause", rc);
}

/* --- changes --------------------------------------------------------- */
static struct value *vm_set_name(struct call *c)
{
	const char *name = arg_string(c, 2, "");
	const char *why = key_wrong(&c->a, key_find("", "name"), STRING(name));
	struct vm *other = vm_by_name(&c->a, name);

	if (why)
		return call_fail(c, BAD_VALUE, "name", "%s", why);
	if (other && other != c->vm)
		return call_fail(c, "NAME_TAKEN", name, "name '%s' is taken",
				 name);
	if (c->vm->domid >= 0) {
		write_node(c, "name", name);
		store_write(xend_store, 0, FORMAT("/vm/%s/name", c->vm->uuid),
			    name, strlen(name));
	}
	vm_change(c->vm, "name", *STRING(name));
	return NULL;
}

/* memory: what the guest shall come to; maxmem: what it may have at most. */
static struct value *vm_set_memory(struct call *c)
{
	bool limit = !strcmp(c->arg, "maxmem");
	int64_t kib = arg_int(c, 2, 0), most = 1ll << 34;
	int64_t low = limit ? store_kib(c, "target", 4096) :
		      c->vm->domid ? 4096 : 128 << 10;	/* as libxl */
	int64_t high = limit ? most : store_kib(c, "static-max", most);
	int rc;

	if (kib < low || kib > high)
		return call_fail(c, BAD_VALUE, c->arg,
				 "%s: from %lld to %lld MiB%s", c->arg,
				 (long long)low >> 10, (long long)high >> 10,
				 limit ? "" : " (mem-max changes the limit)");
	rc = hyper_max_mem(c->vm->domid, kib + MAXMEM_SLACK);
	if (rc)
		return done(c, "memory limit", rc);
	vm_change(c->vm, c->arg, *INT(kib >> 10));
	return write_node(c, limit ? "memory/static-max" : "memory/target",
			  FORMAT("%lld", (long long)kib));
}

static struct value *vm_set_vcpus(struct call *c)
{
	int64_t n = arg_int(c, 2, 0), max = c->vm->info.max_vcpu_id + 1, i;

	if (n < 1 || n > max)
		return call_fail(c, BAD_VALUE, "vcpus",
				 "vcpus: from 1 to %ld (maxvcpus)", max);
	for (i = 0; i < max && !c->failure; i++)
		write_node(c, FORMAT("cpu/%d/availability", (int)i),
			   i < n ? "online" : "offline");
	vm_change(c->vm, "vcpus", *INT(n));
	return NULL;
}

/* One vCPU by number, or all (-1); "-" leaves a map as it is. */
static struct value *vm_pin_vcpu(struct call *c)
{
	const char *hard = arg_string(c, 3, "-"), *soft = arg_string(c, 4, "-");
	bool set_hard = strcmp(hard, "-"), set_soft = strcmp(soft, "-");
	int64_t one = arg_int(c, 2, -1), max = c->vm->info.max_vcpu_id, i;
	uint64_t online = online_cpus(), h, s;
	int rc = 0;

	if (one > max)
		return call_fail(c, BAD_VALUE, "vcpu",
				 "vcpu: there is none with that number");
	for (i = one < 0 ? 0 : one; i <= (one < 0 ? max : one) && !rc; i++) {
		if ((set_hard && !record_cpus(hard, online, &h)) ||
		    (set_soft && !record_cpus(soft, online, &s)))
			return call_fail(c, BAD_VALUE, "cpus",
					 "cpus: no CPU that exists; has to be like 0-2,^1");
		rc = hyper_affinity(c->vm->domid, i, true,
				    set_hard ? &h : NULL, set_soft ? &s : NULL);
	}
	return done(c, "affinity", rc);
}

static struct value *vm_set_sched(struct call *c)
{
	int64_t weight = arg_int(c, 2, -1), cap = arg_int(c, 3, -1);
	uint16_t w, p;
	int rc = hyper_sched(c->vm->domid, false, &w, &p);

	if (weight == 0 || weight > 65535 || cap > 6400)
		return call_fail(c, BAD_VALUE, "sched", "weight: from 1 to "
				 "65535; cap: from 0 to 100 for each vCPU");
	w = weight < 0 ? w : weight;
	p = cap < 0 ? p : cap;
	return done(c, "scheduler",
		    rc ? rc : hyper_sched(c->vm->domid, true, &w, &p));
}

static struct value *vm_send_sysrq(struct call *c)
{
	const char *key = arg_string(c, 2, "");

	return strlen(key) == 1 ? write_node(c, "control/sysrq", key) :
	       call_fail(c, BAD_VALUE, "key", "key: one letter");
}

/* --- devices --------------------------------------------------------- */
/*
 * The record's list of such devices without the one that has this name or
 * address, and with another.
 */
static struct value *list_with(struct call *c, const char *gone,
			       const struct value *more)
{
	bool vif = !strcmp(c->arg, "vif");
	const struct value *v = value_get(c->vm->record, vif ? "vif" : "disk");
	struct value *list = value_array(&c->a);

	for (v = v ? v->first : NULL; v; v = v->next)
		if (strcmp(value_get_string(v, vif ? "mac" : "vdev", ""), gone))
			value_append(list, value_copy(&c->a, v));
	if (more)
		value_append(list, value_copy(&c->a, more));
	return list;
}

static struct value *device_attach(struct call *c)
{
	struct value *device = value_item(c->params, 2);
	const char *why = strcmp(c->arg, "vif") ?
			  record_check_disk(&c->a, device) :
			  record_check_vif(&c->a, device);

	if (why)
		return call_fail(c, BAD_VALUE, NULL, "%s", why);
	job_start((struct job){
		.vm = c->vm, .kind = JOB_ATTACH, .call = c,
		.device = c->arg, .what = device,
		.list = list_with(c, "", device),
	});
	return NULL;
}

/* By number, by a disk's name, or by an interface's address. */
static struct value *device_detach(struct call *c)
{
	const char *what = arg_string(c, 2, "");
	const char *key = strcmp(c->arg, "vif") ? "dev" : "mac";
	int64_t id = arg_int(c, 2, -1);
	struct value *v;

	for value_each(v, device_list(c, c->arg))
		if (value_get_int(v, "devid", 0) == id ||
		    (*what && !strcasecmp(value_get_string(v, key, ""), what)))
			break;
	if (!v)
		return call_fail(c, "HANDLE_INVALID", c->arg,
				 "%s has no such device: xm %s-list shows all",
				 vm_name(&c->a, c->vm),
				 strcmp(c->arg, "vif") ? "block" : "network");
	job_start((struct job){
		.vm = c->vm, .kind = JOB_DETACH, .call = c,
		.device = c->arg, .id = value_get_int(v, "devid", 0),
		.flag = arg_int(c, 3, 0),
		.list = list_with(c, value_get_string(v, key, "-"), NULL),
	});
	return NULL;
}

/* --- the machine ----------------------------------------------------- */
static struct value *host_get_all(struct call *c)
{
	struct value *list = value_array(&c->a);

	value_append(list, STRING(REF "host"));
	return list;
}

static const char *version(struct call *c, unsigned int cmd)
{
	char *s = arena_alloc(&c->a, 1025);	/* zeros */

	hyper_version(cmd, s, 1024);
	return s;
}

/* Names and order are those of xl info. */
static struct value *host_get_record(struct call *c)
{
	long xen = hyper_version(XENVER_version, NULL, 0);
	const char *extra = version(c, XENVER_extraversion);
	struct xen_platform_parameters p = { 0 };
	struct xen_compile_info cc = { 0 };
	struct xen_sysctl_physinfo i;
	const uint32_t *h = i.hw_cap;
	int rc = hyper_physinfo(&i);
	struct utsname u;

	if (rc || uname(&u))
		return done(c, "physinfo", rc ? rc : -errno);
	hyper_version(XENVER_platform_parameters, &p, sizeof(p));
	hyper_version(XENVER_compile_info, &cc, sizeof(cc));
	return RECORD("host", STRING(u.nodename),
		"release", STRING(u.release), "version", STRING(u.version),
		"machine", STRING(u.machine),
		"nr_cpus", INT(i.nr_cpus),
		"max_cpu_id", INT(i.max_cpu_id),
		"nr_nodes", INT(i.nr_nodes),
		"cores_per_socket", INT(i.cores_per_socket),
		"threads_per_core", INT(i.threads_per_core),
		"cpu_mhz", value_printf(&c->a, "%u.%03u", i.cpu_khz / 1000,
					i.cpu_khz % 1000),
		"hw_caps",
		value_printf(&c->a, "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x",
			     h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]),
		"virt_caps",
		STRING(i.capabilities & XEN_SYSCTL_PHYSCAP_pv ? "pv" : ""),
		"total_memory", INT(i.total_pages >> 8),
		"free_memory", INT(i.free_pages >> 8),
		"xen_major", INT(xen >> 16),
		"xen_minor", INT(xen & 0xffff),
		"xen_extra", STRING(extra),
		"xen_version", value_printf(&c->a, "%ld.%ld%s", xen >> 16,
					    xen & 0xffff, extra),
		"xen_caps", STRING(version(c, XENVER_capabilities)),
		"xen_scheduler", STRING("credit"),
		"xen_pagesize", INT(4096),
		"platform_params",
		value_printf(&c->a, "virt_start=0x%lx", p.virt_start),
		"xen_changeset", STRING(version(c, XENVER_changeset)),
		"xen_commandline", STRING(version(c, XENVER_commandline)),
		"cc_compiler", STRING(cc.compiler),
		"cc_compile_by", STRING(cc.compile_by),
		"cc_compile_domain", STRING(cc.compile_domain),
		"cc_compile_date", STRING(cc.compile_date));
}

static struct value *host_dmesg(struct call *c)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_readconsole };
	char *log = arena_alloc(&c->a, LOG_MAX + 1);
	uint32_t index = 0;
	int n = hyper_read_log(log, LOG_MAX, &index);

	if (n < 0)
		return done(c, "the hypervisor's log", n);
	op.u.readconsole.clear = op.u.readconsole.incremental = 1;
	op.u.readconsole.index = index;		/* up to what was read */
	if (arg_int(c, 2, 0))
		hyper_sysctl(&op);
	return STRING(log);
}

static struct value *host_debug_keys(struct call *c)
{
	return done(c, "debug keys", hyper_debug_keys(arg_string(c, 2, "")));
}

/* --- dispatch -------------------------------------------------------- */
/*
 * XenAPI wants a session.  The socket has said who may call, so all share
 * one, which is the same for every xend.
 */
#define SESSION	REF "xend"

static struct value *session_login(struct call *c)
{
	return c->arg ? STRING(SESSION) : NULL;
}

enum needs {
	NOTHING, A_SESSION, A_GUEST, A_DOMAIN,	/* a guest that runs */
	MADE = 8,		/* one that is not just being made or ended */
	IDLE = 16,		/* one without any job */
};

static const struct {
	const char *name;
	unsigned int needs;
	struct value *(*fn)(struct call *c);
	const char *arg;
} methods[] = {
	{ "session.login_with_password", NOTHING, session_login, "in" },
	{ "session.logout", A_SESSION, session_login, NULL },
	{ "host.get_all", A_SESSION, host_get_all, NULL },
	{ "host.get_record", A_SESSION, host_get_record, NULL },
	{ "host.dmesg", A_SESSION, host_dmesg, NULL },
	{ "host.send_debug_keys", A_SESSION, host_debug_keys, NULL },
	{ "VM.get_all", A_SESSION, vm_get_all, NULL },
	{ "VM.get_all_records", A_SESSION, vm_get_all_records, NULL },
	{ "VM.get_by_name_label", A_SESSION, vm_get_all, "name" },
	{ "VM.get_by_uuid", A_SESSION, vm_get_by, "uuid" },
	{ "VM.get_by_domid", A_SESSION, vm_get_by, "domid" },
	{ "VM.get_record", A_GUEST, vm_get_record, NULL },
	{ "VM_metrics.get_record", A_GUEST, vm_get_record, "brief" },
	{ "VM_metrics.get_all_records", A_SESSION, vm_get_all_records,
	  "brief" },
	{ "VM.create", A_SESSION, vm_create, NULL },
	{ "VM.start", A_GUEST | IDLE, vm_start, NULL },
	{ "Async.VM.start", A_GUEST | IDLE, vm_start, "async" },
	{ "VM.clean_shutdown", A_DOMAIN | MADE, vm_ask, "poweroff" },
	{ "VM.clean_reboot", A_DOMAIN | MADE, vm_ask, "reboot" },
	{ "VM.hard_shutdown", A_GUEST, vm_hard_shutdown, NULL },
	{ "VM.destroy", A_GUEST, vm_hard_shutdown, NULL },
	{ "VM.pause", A_DOMAIN | MADE, vm_pause, NULL },
	{ "VM.unpause", A_DOMAIN | MADE, vm_pause, "again" },
	{ "VM.set_name_label", A_GUEST | MADE, vm_set_name, NULL },
	{ "VM.set_memory", A_DOMAIN | MADE, vm_set_memory, "memory" },
	{ "VM.set_maxmem", A_DOMAIN | MADE, vm_set_memory, "maxmem" },
	{ "VM.set_vcpus", A_DOMAIN | MADE, vm_set_vcpus, NULL },
	{ "VM.pin_vcpu", A_DOMAIN | MADE, vm_pin_vcpu, NULL },
	{ "VM.set_sched", A_DOMAIN | MADE, vm_set_sched, NULL },
	{ "VM.send_sysrq", A_DOMAIN | MADE, vm_send_sysrq, NULL },
	{ "VBD.attach", A_DOMAIN | IDLE, device_attach, "vbd" },
	{ "VBD.detach", A_DOMAIN | IDLE, device_detach, "vbd" },
	{ "VBD.list", A_DOMAIN, devices, "vbd" },
	{ "VIF.attach", A_DOMAIN | IDLE, device_attach, "vif" },
	{ "VIF.detach", A_DOMAIN | IDLE, device_detach, "vif" },
	{ "VIF.list", A_DOMAIN, devices, "vif" },
	{ "task.get_record", A_SESSION, task_get_record, NULL },
	{ "event.from", A_SESSION, event_from, NULL },
};

/* Calls the method that c->method names. */
struct value *method_call(struct call *c)
{
	const char *ref = arg_string(c, 1, "");
	unsigned int i, needs;

	for (i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, c->method))
			break;
	needs = i < ARRAY_SIZE(methods) ? methods[i].needs : A_SESSION;
	if (needs != NOTHING && strcmp(arg_string(c, 0, ""), SESSION))
		return call_fail(c, "SESSION_INVALID", NULL,
				 "log in first: session.login_with_password");
	if (i == ARRAY_SIZE(methods))
		return call_fail(c, "MESSAGE_METHOD_UNKNOWN", c->method,
				 "no method %s", c->method);
	c->arg = methods[i].arg;
	vms_refresh();
	if (needs <= A_SESSION)
		return methods[i].fn(c);
	c->vm = strncmp(ref, REF, strlen(REF)) ? NULL :
		vm_find(ref + strlen(REF));
	if (!c->vm)
		return call_fail(c, "HANDLE_INVALID", "VM", "no such guest: %s",
				 ref);
	if ((needs & A_DOMAIN) == A_DOMAIN && c->vm->domid < 0)
		return call_fail(c, "VM_BAD_POWER_STATE", c->vm->uuid,
				 "%s does not run", vm_name(&c->a, c->vm));
	return c->vm->job &&
	       needs & (c->vm->job->kind < JOB_ATTACH ? MADE | IDLE : IDLE) ?
	       busy(c) : methods[i].fn(c);
}
