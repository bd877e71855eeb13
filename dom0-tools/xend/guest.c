// SPDX-License-Identifier: GPL-2.0
/*
 * Starting and destroying a guest, from beginning to end.
 *
 * Nodes in the store are those that Debian's tools write, so that either
 * tools can look after the other's guests.  One is added: /libxl/DOMID/xend
 * appears when everything is done.  A domain of ours without it was never
 * finished, and xend destroys it; that way a killed xend leaves no half of a
 * guest behind.
 *
 * Destroying works on whatever is there of a domain, and may be done twice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "../builder/builder.h"
#include "record.h"
#include "worker.h"

#define CACHE_DIR	"/var/cache/xend"
#define MAXMEM_SLACK	1024		/* KiB beyond its memory, as libxl's */
#define CONSOLE_LIMIT	"1048576"

/* --- the domain itself ----------------------------------------------- */
static const char *check_memory(struct worker *w)
{
	uint64_t need = value_get_int(w->record, "memory", 0), have;
	struct xen_sysctl_physinfo info;
	int rc = hyper_physinfo(&info);

	if (rc)
		return arena_printf(&w->a, "the hypervisor does not answer: %s",
				    strerror(-rc));
	/* Page tables and structures of the hypervisor come on top. */
	need += 2 + need / 512;
	have = info.free_pages >> 8;
	if (need <= have)
		return NULL;
	w->code = "HOST_NOT_ENOUGH_FREE_MEMORY";
	return arena_printf(&w->a, "not enough memory: %llu MiB are free, "
			    "%llu MiB missing; end a guest or give some of "
			    "Domain-0's back (xm mem-set 0)",
			    (unsigned long long)have,
			    (unsigned long long)(need - have));
}

static const char *create_domain(struct worker *w, const char *uuid)
{
	const struct value *r = w->record;
	int64_t vcpus = value_get_int(r, "vcpus", 1);
	uint8_t id[16];
	int rc;

	record_uuid(uuid, id);
	rc = hyper_create(id, value_get_int(r, "maxvcpus", vcpus),
			  value_get_int(r, "max_event_channels", 1023),
			  value_get_int(r, "max_grant_frames", -1));
	if (rc < 0)
		return arena_printf(&w->a, "the hypervisor makes no domain: %s",
				    strerror(-rc));
	w->domid = rc;
	rc = hyper_max_mem(w->domid, (value_get_int(r, "memory", 0) << 10) +
				     MAXMEM_SLACK);
	return rc ? arena_printf(&w->a, "memory limit: %s", strerror(-rc))
		  : NULL;
}

static const char *place_vcpus(struct worker *w)
{
	const struct value *r = w->record;
	const char *cpus = value_get_string(r, "cpus", "all");
	unsigned int n = value_get_int(r, "maxvcpus",
				       value_get_int(r, "vcpus", 1)), i;
	uint16_t weight = value_get_int(r, "cpu_weight", 256);
	uint16_t cap = value_get_int(r, "cap", 0);
	uint64_t mask;
	int rc = 0;

	record_cpus(cpus, ~0ull, &mask);
	for (i = 0; mask != ~0ull && i < n && !rc; i++) {
		uint64_t hard = mask;

		rc = hyper_affinity(w->domid, i, true, &hard, NULL);
	}
	if (rc)
		return arena_printf(&w->a, "cpus %s: %s", cpus, strerror(-rc));
	rc = hyper_sched(w->domid, true, &weight, &cap);
	return rc ? arena_printf(&w->a, "cpu_weight, cap: %s", strerror(-rc))
		  : NULL;
}

/* --- nodes ----------------------------------------------------------- */
static const char *number(struct worker *w, uint64_t n)
{
	return arena_printf(&w->a, "%llu", (unsigned long long)n);
}

/* Below /local/domain/DOMID, what the guest may write. */
static const char *const guests_own[] = {
	"device/suspend/event-channel", "control/shutdown",
	"control/feature-poweroff", "control/feature-reboot",
	"control/feature-suspend", "control/sysrq", "data", "drivers",
	"feature", "attr", "error",
};

/* [create 20] The domain's folders in the store. */
static const char *write_folders(struct worker *w, const char *uuid)
{
	const char *name = value_get_string(w->record, "name", "");
	const char *vm = arena_printf(&w->a, "/vm/%s", uuid);
	const char *dom = arena_printf(&w->a, "/local/domain/%u", w->domid);
	const char *ours = arena_printf(&w->a, "/libxl/%u", w->domid);
	struct nodes n;
	unsigned int i;

	nodes_start(&n, w);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", dom);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", vm);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", ours);
	nodes_add(&n, NODE_READ, NULL, "%s", dom);
	nodes_add(&n, NODE_READ, NULL, "%s", vm);
	nodes_add(&n, NODE_PRIVATE, NULL, "%s", ours);
	nodes_add(&n, NODE_INHERIT, NULL, "%s/device", ours);
	nodes_add(&n, NODE_INHERIT, "pv", "%s/type", ours);
	nodes_add(&n, NODE_INHERIT, vm, "%s/vm", dom);
	nodes_add(&n, NODE_INHERIT, name, "%s/name", dom);
	nodes_add(&n, NODE_INHERIT, number(w, w->domid), "%s/domid", dom);
	nodes_add(&n, NODE_INHERIT, NULL, "%s/device", dom);
	for (i = 0; i < ARRAY_SIZE(guests_own); i++)
		nodes_add(&n, NODE_OWN, "", "%s/%s", dom, guests_own[i]);
	nodes_add(&n, NODE_INHERIT, "1",
		  "%s/control/platform-feature-multiprocessor-suspend", dom);
	nodes_add(&n, NODE_INHERIT, "1",
		  "%s/control/platform-feature-xs_reset_watches", dom);
	nodes_add(&n, NODE_INHERIT, uuid, "%s/uuid", vm);
	nodes_add(&n, NODE_INHERIT, name, "%s/name", vm);
	return nodes_commit(&n);
}

static void add_console(struct nodes *n, struct worker *w,
			const struct build *b, const char *dom)
{
	const char *back = arena_printf(&w->a,
					"/local/domain/0/backend/console/%u/0",
					w->domid);
	const char *ours = arena_printf(&w->a, "/libxl/%u/device/console/0",
					w->domid);
	const char *front = arena_printf(&w->a, "%s/console", dom);
	const char *const keys[][2] = {
		{ "frontend", front }, { "frontend-id", number(w, w->domid) },
		{ "online", "1" }, { "state", "1" }, { "protocol", "vt100" },
	};
	unsigned int i;

	nodes_add(n, NODE_READ, NULL, "%s", back);
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		nodes_add(n, NODE_INHERIT, keys[i][1], "%s/%s", back, keys[i][0]);
		nodes_add(n, NODE_INHERIT, keys[i][1], "%s/%s", ours, keys[i][0]);
	}
	nodes_add(n, NODE_INHERIT, back, "%s/backend", ours);
	nodes_add(n, NODE_INHERIT, back, "%s/backend", front);
	nodes_add(n, NODE_INHERIT, "0", "%s/backend-id", front);
	nodes_add(n, NODE_INHERIT, CONSOLE_LIMIT, "%s/limit", front);
	nodes_add(n, NODE_INHERIT, "xenconsoled", "%s/type", front);
	nodes_add(n, NODE_INHERIT, "pty", "%s/output", front);
	nodes_add(n, NODE_INHERIT, "", "%s/tty", front);
	nodes_add(n, NODE_INHERIT, number(w, b->console_port), "%s/port", front);
	nodes_add(n, NODE_INHERIT, number(w, b->console_frame), "%s/ring-ref", front);
}

/* [create 50] What became of it: memory, vCPUs, rings. */
static const char *write_facts(struct worker *w, const char *uuid,
			       const struct build *b)
{
	const struct value *r = w->record;
	int64_t memory = value_get_int(r, "memory", 0);
	int64_t vcpus = value_get_int(r, "vcpus", 1), i;
	const char *dom = arena_printf(&w->a, "/local/domain/%u", w->domid);
	const char *vm = arena_printf(&w->a, "/vm/%s", uuid);
	struct timeval now;
	struct nodes n;

	gettimeofday(&now, NULL);
	nodes_start(&n, w);
	nodes_add(&n, NODE_INHERIT,
		  number(w, value_get_int(r, "maxmem", memory) << 10),
		  "%s/memory/static-max", dom);
	nodes_add(&n, NODE_INHERIT, number(w, memory << 10),
		  "%s/memory/target", dom);
	nodes_add(&n, NODE_INHERIT, "0", "%s/memory/videoram", dom);
	nodes_add(&n, NODE_INHERIT, number(w, b->store_port), "%s/store/port", dom);
	nodes_add(&n, NODE_INHERIT, number(w, b->store_frame),
		  "%s/store/ring-ref", dom);
	for (i = 0; i < value_get_int(r, "maxvcpus", vcpus); i++)
		nodes_add(&n, NODE_INHERIT, i < vcpus ? "online" : "offline",
			  "%s/cpu/%d/availability", dom, (int)i);
	nodes_add(&n, NODE_INHERIT, "linux", "%s/image/ostype", vm);
	nodes_add(&n, NODE_INHERIT, b->kernel, "%s/image/kernel", vm);
	if (b->ramdisk)
		nodes_add(&n, NODE_INHERIT, b->ramdisk, "%s/image/ramdisk", vm);
	nodes_add(&n, NODE_INHERIT, b->cmdline, "%s/image/cmdline", vm);
	nodes_add(&n, NODE_INHERIT,
		  arena_printf(&w->a, "%lld.%02d", (long long)now.tv_sec,
			       (int)now.tv_usec / 10000),
		  "%s/start_time", vm);
	add_console(&n, w, b, dom);
	return nodes_commit(&n);
}

/* --- the whole ------------------------------------------------------- */
static void told(double done)
{
	printf("progress %.2f\n", done);
	fflush(stdout);
}

static const char *attach_all(struct worker *w, const char *kind,
			      const char *key)
{
	const struct value *list = value_get(w->record, key);
	const char *why = NULL;
	unsigned int index = 0;
	struct value *v;

	if (list)
		for value_each(v, list)
			why = why ? why : device_attach(w, kind, v, index++);
	return why;
}

/* [create 60] The daemons learn of it, the backends, and it may run. */
static const char *launch(struct worker *w, const struct build *b, bool paused)
{
	char *mark = arena_printf(&w->a, "/libxl/%u/xend", w->domid);
	const char *why;
	int rc = store_introduce(w->s, w->domid, b->store_frame, b->store_port);

	if (rc)
		return arena_printf(&w->a, "xenstored refuses it: %s",
				    strerror(-rc));
	why = attach_all(w, "vbd", "disk");
	if (!why)
		why = attach_all(w, "vif", "vif");
	if (why)
		return why;
	told(0.95);
	rc = paused ? 0 : hyper_unpause(w->domid);
	if (!rc)
		rc = store_write(w->s, 0, mark, "1", 1);
	return rc ? arena_printf(&w->a, "it does not start: %s", strerror(-rc))
		  : NULL;
}

/*
 * [create 10] A new domain from w->record.  Sets w->domid.  On failure the
 * caller has guest_destroy() called.
 */
const char *guest_start(struct worker *w, const char *uuid, bool paused)
{
	const struct value *r = w->record;
	struct build b = {
		.memory_kib = value_get_int(r, "memory", 0) << 10,
		.kernel = value_get_string(r, "kernel", ""),
		.ramdisk = value_get_string(r, "ramdisk", NULL),
		.cmdline = value_get_string(r, "cmdline", ""),
		.cache = CACHE_DIR,
		.progress = told,
	};
	const char *why = check_memory(w);

	if (b.ramdisk && !*b.ramdisk)
		b.ramdisk = NULL;
	if (!why)
		why = create_domain(w, uuid);
	b.domid = w->domid;
	if (!why)
		why = place_vcpus(w);
	if (!why)
		why = write_folders(w, uuid);
	if (!why)
		why = build_guest(&w->a, &b);
	if (!why)
		why = write_facts(w, uuid, &b);
	return why ? why : launch(w, &b, paused);
}

/*
 * Removes all that belongs to w->domid, and the domain last: as long as it is
 * there, whoever comes later knows that there is something to do.
 */
const char *guest_destroy(struct worker *w)
{
	static const char *const kinds[] = { "vbd", "vif", "console" };
	char *mark = arena_printf(&w->a, "/libxl/%u/xend", w->domid);
	const char *vm = node_read(w, "/local/domain/%u/vm", w->domid), *why;
	struct nodes n;
	unsigned int i;
	int rc;

	/* These fail if there is nothing, which is as good. */
	store_rm(w->s, 0, mark ? mark : "");
	hyper_pause(w->domid);
	why = devices_destroy(w);
	nodes_start(&n, w);
	if (vm && !strncmp(vm, "/vm/", 4))
		nodes_add(&n, NODE_REMOVE, NULL, "%s", vm);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		nodes_add(&n, NODE_REMOVE, NULL, "/local/domain/0/backend/%s/%u",
			  kinds[i], w->domid);
	nodes_add(&n, NODE_REMOVE, NULL, "/local/domain/%u", w->domid);
	nodes_add(&n, NODE_REMOVE, NULL, "/libxl/%u", w->domid);
	if (nodes_commit(&n))
		why = "the store does not let go of it";
	rc = hyper_destroy(w->domid);
	/* Whoever hears of this looks for dying domains: not before. */
	store_release(w->s, w->domid);
	return !rc || rc == -ESRCH ? why :
	       arena_printf(&w->a, "the hypervisor does not end it: %s",
			    strerror(-rc));
}
