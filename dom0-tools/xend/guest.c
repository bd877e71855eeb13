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
#include <glob.h>
#include <sys/time.h>
#include <uuid/uuid.h>
#include "../builder/builder.h"
#include "worker.h"

#define USERDATA	"/var/lib/xen/userdata-"	/* files of libxl's */

/* --- the domain itself ----------------------------------------------- */
static const char *check_memory(struct worker *w)
{
	uint64_t need = value_get_int(w->vm->record, "memory", 0), have;
	struct xen_sysctl_physinfo info;
	int rc = hyper_physinfo(&info);

	if (rc)
		return worker_failed(w, rc, "the hypervisor");
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

static const char *create_domain(struct worker *w)
{
	const struct value *r = w->vm->record;
	unsigned int n = value_get_int(r, "maxvcpus",
				       value_get_int(r, "vcpus", 1)), i;
	uint16_t weight = value_get_int(r, "cpu_weight", 256);
	uint16_t cap = value_get_int(r, "cap", 0);
	uint64_t mask, hard;
	uuid_t id;
	int rc;

	uuid_parse(w->vm->uuid, id);
	rc = hyper_create(id, n, value_get_int(r, "max_event_channels", 1023),
			  value_get_int(r, "max_grant_frames", -1));
	if (rc < 0)
		return worker_failed(w, rc, "the hypervisor makes no domain");
	w->domid = rc;
	rc = hyper_max_mem(w->domid, (value_get_int(r, "memory", 0) << 10) +
				     MAXMEM_SLACK);
	if (rc)
		return worker_failed(w, rc, "memory limit");
	record_cpus(value_get_string(r, "cpus", "all"), ~0ull, &mask);
	for (i = 0; mask != ~0ull && i < n && !rc; i++) {
		hard = mask;
		rc = hyper_affinity(w->domid, i, true, &hard, NULL);
	}
	if (rc)
		return worker_failed(w, rc, "cpus");
	rc = hyper_sched(w->domid, true, &weight, &cap);
	return worker_failed(w, rc, "cpu_weight, cap");
}

/* --- nodes ----------------------------------------------------------- */
static const char *decimal(struct worker *w, uint64_t n)
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

static void put_console(struct worker *w, const struct build *b,
			const char *dom)
{
	const char *front = arena_printf(&w->a, "%s/console", dom);
	const char *ours = arena_printf(&w->a, "/libxl/%u/device/console/0",
					w->domid);
	const char *back = arena_printf(&w->a,
					"/local/domain/0/backend/console/%u/0",
					w->domid);
	const char *folders[] = { back, ours };
	unsigned int i;

	node_put(w, NODE_READ, NULL, "%s", back);
	for (i = 0; i < ARRAY_SIZE(folders); i++)
		node_fill(w, folders[i], "frontend", front, "frontend-id",
			  decimal(w, w->domid), "online", "1", "state", "1",
			  "protocol", "vt100", NULL);
	node_fill(w, ours, "backend", back, NULL);
	node_fill(w, front, "backend", back, "backend-id", "0", "limit",
		  "1048576", "type", "xenconsoled", "output", "pty", "tty", "",
		  "port", decimal(w, b->console_port), "ring-ref",
		  decimal(w, b->console_frame), NULL);
}

/*
 * [create 50] The domain's folders in the store, and what became of it:
 * memory, vCPUs, rings.
 */
static const char *write_nodes(struct worker *w, const struct build *b)
{
	const struct value *r = w->vm->record;
	const char *name = value_get_string(r, "name", "");
	const char *vm = arena_printf(&w->a, "/vm/%s", w->vm->uuid);
	const char *dom = arena_printf(&w->a, "/local/domain/%u", w->domid);
	const char *ours = arena_printf(&w->a, "/libxl/%u", w->domid);
	uint64_t memory = value_get_int(r, "memory", 0);
	unsigned int vcpus = value_get_int(r, "vcpus", 1), i;
	struct timeval now;

	gettimeofday(&now, NULL);
	do {
		nodes_begin(w);
		node_put(w, NODE_REMOVE, NULL, "%s", dom);
		node_put(w, NODE_REMOVE, NULL, "%s", vm);
		node_put(w, NODE_REMOVE, NULL, "%s", ours);
		node_put(w, NODE_READ, NULL, "%s", dom);
		node_put(w, NODE_READ, NULL, "%s", vm);
		node_put(w, NODE_PRIVATE, NULL, "%s", ours);
		node_put(w, NODE_INHERIT, NULL, "%s/device", ours);
		node_put(w, NODE_INHERIT, NULL, "%s/device", dom);
		node_fill(w, ours, "type", "pv", NULL);
		node_fill(w, vm, "uuid", w->vm->uuid, "name", name,
			  "image/ostype", "linux", "image/kernel", b->kernel,
			  "image/ramdisk", b->ramdisk, "image/cmdline",
			  b->cmdline, "start_time",
			  arena_printf(&w->a, "%lld.%02d",
				       (long long)now.tv_sec,
				       (int)now.tv_usec / 10000), NULL);
		node_fill(w, dom, "vm", vm, "name", name,
			  "domid", decimal(w, w->domid),
			  "control/platform-feature-multiprocessor-suspend",
			  "1", "control/platform-feature-xs_reset_watches",
			  "1", "memory/static-max",
			  decimal(w, value_get_int(r, "maxmem", memory) << 10),
			  "memory/target", decimal(w, memory << 10),
			  "memory/videoram", "0",
			  "store/port", decimal(w, b->store_port),
			  "store/ring-ref", decimal(w, b->store_frame), NULL);
		for (i = 0; i < value_get_int(r, "maxvcpus", vcpus); i++)
			node_put(w, NODE_INHERIT, i < vcpus ? "online" :
				 "offline", "%s/cpu/%u/availability", dom, i);
		for (i = 0; i < ARRAY_SIZE(guests_own); i++)
			node_put(w, NODE_OWN, "", "%s/%s", dom, guests_own[i]);
		put_console(w, b, dom);
	} while (nodes_again(w));
	return worker_failed(w, w->rc, "the store refuses");
}

/*
 * What xl list -l and xl block-attach want to find of a guest.  All in it was
 * checked to have no character that JSON would have to escape.
 */
static void write_userdata(struct worker *w)
{
	const struct value *r = w->vm->record, *v;
	char path[128];
	int i = 0;
	FILE *f;

	snprintf(path, sizeof(path), USERDATA "d.%u.%s.libxl-json", w->domid,
		 w->vm->uuid);
	f = fopen(path, "we");
	if (!f)
		return;			/* there are no tools of Debian's */
	fprintf(f, "{\"c_info\":{\"type\":\"pv\"},\"b_info\":{\"max_vcpus\":%d,"
		"\"type.pv\":{}},\"disks\":[",
		(int)value_get_int(r, "maxvcpus", value_get_int(r, "vcpus", 1)));
	v = value_get(r, "disk");
	for (v = v ? v->first : NULL; v; v = v->next)
		fprintf(f, "{\"vdev\":\"%s\",\"backend\":\"phy\","
			"\"format\":\"raw\"}%s", value_get_string(v, "vdev", ""),
			v->next ? "," : "");
	fputs("],\"nics\":[", f);
	v = value_get(r, "vif");
	for (v = v ? v->first : NULL; v; v = v->next)
		fprintf(f, "{\"devid\":%d,\"mac\":\"%s\"}%s", i++,
			value_get_string(v, "mac", ""), v->next ? "," : "");
	fwrite("]}", 3, 1, f);		/* with its NUL, as libxl does */
	fclose(f);
}

/* --- the whole ------------------------------------------------------- */
/* [create 60] The daemons learn of it, the backends, and it may run. */
static const char *launch(struct worker *w, const struct build *b, bool paused)
{
	static const char *const kinds[][2] = {
		{ "vbd", "disk" }, { "vif", "vif" },
	};
	const struct value *v;
	const char *why = NULL;
	unsigned int i;
	char mark[32];
	int rc = store_introduce(xend_store, w->domid, b->store_frame,
				 b->store_port);

	if (rc)
		return worker_failed(w, rc, "xenstored refuses it");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		v = value_get(w->vm->record, kinds[i][1]);
		for (v = v ? v->first : NULL; v && !why; v = v->next)
			why = device_attach(w, kinds[i][0], v);
	}
	if (why)
		return why;
	worker_progress(0.95);
	rc = paused ? 0 : hyper_unpause(w->domid);
	snprintf(mark, sizeof(mark), "/libxl/%u/xend", w->domid);
	if (!rc)
		rc = store_write(xend_store, 0, mark, "1", 1);
	return worker_failed(w, rc, "it does not start");
}

/*
 * [create 10] A new domain from the guest's record.  On failure the caller
 * has guest_destroy() called.
 */
const char *guest_start(struct worker *w, bool paused)
{
	const struct value *r = w->vm->record;
	const char *ramdisk = value_get_string(r, "ramdisk", "");
	struct build b = {
		.memory_kib = value_get_int(r, "memory", 0) << 10,
		.kernel = value_get_string(r, "kernel", ""),
		.ramdisk = *ramdisk ? ramdisk : NULL,
		.cmdline = value_get_string(r, "cmdline", ""),
		.cache = CACHE_DIR,
		.progress = worker_progress,
	};
	const char *why = check_memory(w);

	if (!why)
		why = create_domain(w);
	b.domid = w->domid;
	if (!why)
		why = build_guest(&w->a, &b);
	if (!why)
		why = write_nodes(w, &b);
	if (!why)
		write_userdata(w);
	return why ? why : launch(w, &b, paused);
}

/*
 * Removes all that belongs to w->domid, and the domain last: as long as it is
 * there, whoever comes later knows that there is something to do.
 */
const char *guest_destroy(struct worker *w)
{
	static const char *const kinds[] = { "vbd", "vif", "console" };
	const char *vm = node_read(&w->a, "/local/domain/%u/vm", w->domid);
	const char *why;
	unsigned int i;
	char mark[32], pattern[64];
	glob_t files;
	int rc;

	snprintf(mark, sizeof(mark), "/libxl/%u/xend", w->domid);
	snprintf(pattern, sizeof(pattern), USERDATA "*.%u.*", w->domid);
	/* These fail if there is nothing, which is as good. */
	store_rm(xend_store, 0, mark);
	hyper_pause(w->domid);
	why = devices_destroy(w);
	do {
		nodes_begin(w);
		if (vm && !strncmp(vm, "/vm/", 4))
			node_put(w, NODE_REMOVE, NULL, "%s", vm);
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			node_put(w, NODE_REMOVE, NULL,
				 "/local/domain/0/backend/%s/%u", kinds[i],
				 w->domid);
		node_put(w, NODE_REMOVE, NULL, "/local/domain/%u", w->domid);
		node_put(w, NODE_REMOVE, NULL, "/libxl/%u", w->domid);
	} while (nodes_again(w));
	if (w->rc)
		why = "the store does not let go of it";
	if (!glob(pattern, 0, NULL, &files)) {
		for (i = 0; i < files.gl_pathc; i++)
			unlink(files.gl_pathv[i]);
		globfree(&files);
	}
	rc = hyper_destroy(w->domid);
	/* Whoever hears of this looks for dying domains: not before. */
	store_release(xend_store, w->domid);
	return !rc || rc == -ESRCH ? why :
	       worker_failed(w, rc, "the hypervisor does not end it");
}
