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
#include <time.h>
#include <uuid/uuid.h>
#include "../builder/builder.h"
#include "worker.h"

#define DONE		"/libxl/%u/xend"
#define USERDATA	"/var/lib/xen/userdata-"	/* files of libxl's */

/* --- the domain itself ----------------------------------------------- */
static void check_memory(void)
{
	uint64_t need = value_get_int(worker.vm->record, "memory", 0), have;
	struct xen_sysctl_physinfo info;

	must(hyper_physinfo(&info), "the hypervisor");
	/* Page tables and structures of the hypervisor come on top. */
	need += 2 + need / 512;
	have = info.free_pages >> 8;
	if (need <= have)
		return;
	worker.code = "HOST_NOT_ENOUGH_FREE_MEMORY";
	fail("not enough memory: %llu MiB are free, %llu MiB missing; end a "
	     "guest or give some of Domain-0's back (xm mem-set 0)",
	     (unsigned long long)have, (unsigned long long)(need - have));
}

static void create_domain(unsigned int vcpus)
{
	const struct value *r = worker.vm->record;
	uint16_t weight = value_get_int(r, "cpu_weight", 256);
	uint16_t cap = value_get_int(r, "cap", 0);
	uint64_t mask;
	unsigned int i;
	uuid_t id;
	int rc;

	uuid_parse(worker.vm->uuid, id);
	rc = hyper_create(id, vcpus,
			  value_get_int(r, "max_event_channels", 1023),
			  value_get_int(r, "max_grant_frames", -1));
	must(rc, "the hypervisor makes no domain");
	worker.domid = rc;
	must(hyper_max_mem(rc, (value_get_int(r, "memory", 0) << 10) +
			       MAXMEM_SLACK), "memory limit");
	for (i = 0; i < vcpus; i++) {
		record_vcpu_cpus(r, i, &mask);
		if (mask != ~0ull)
			must(hyper_affinity(rc, i, true, &mask, NULL), "cpus");
	}
	must(hyper_sched(rc, true, &weight, &cap), "cpu_weight, cap");
}

/* --- nodes ----------------------------------------------------------- */
static const char *decimal(uint64_t n)
{
	return FORMAT("%llu", (unsigned long long)n);
}

/* Below /local/domain/DOMID, what the guest may write. */
static const char *const guests_own[] = {
	"device/suspend/event-channel", "control/shutdown",
	"control/feature-poweroff", "control/feature-reboot",
	"control/feature-suspend", "control/sysrq", "data", "drivers",
	"feature", "attr", "error",
};

static void put_console(const struct build *b, const char *dom,
			const char *ours)
{
	const char *front = FORMAT("%s/console", dom);
	const char *back = FORMAT("/local/domain/0/backend/console/%u/0",
				  worker.domid);
	const char *folders[] = { back, FORMAT("%s/device/console/0", ours) };
	unsigned int i;

	node_put(NODE_READ, back, NULL);
	for (i = 0; i < ARRAY_SIZE(folders); i++)
		node_fill(folders[i], "frontend", front, "frontend-id",
			  decimal(worker.domid), "online", "1", "state", "1",
			  "protocol", "vt100", "backend", i ? back : NULL,
			  NULL);
	node_fill(front, "backend", back, "backend-id", "0", "limit",
		  "1048576", "type", "xenconsoled", "output", "pty", "tty", "",
		  "port", decimal(b->console_port), "ring-ref",
		  decimal(b->console_frame), NULL);
}

/*
 * [create 50] The domain's folders in the store, and what became of it:
 * memory, vCPUs, rings.
 */
static void write_nodes(const struct build *b, unsigned int max_vcpus)
{
	const struct value *r = worker.vm->record;
	const char *name = value_get_string(r, "name", "");
	const char *vm = FORMAT("/vm/%s", worker.vm->uuid);
	const char *dom = FORMAT("/local/domain/%u", worker.domid);
	const char *ours = FORMAT("/libxl/%u", worker.domid);
	const char *const folders[] = { dom, vm, ours };
	uint64_t memory = value_get_int(r, "memory", 0);
	unsigned int vcpus = value_get_int(r, "vcpus", 1), i;

	do {
		nodes_begin();
		for (i = 0; i < ARRAY_SIZE(folders); i++) {
			node_put(NODE_REMOVE, folders[i], NULL);
			node_put(folders[i] == ours ? NODE_PRIVATE : NODE_READ,
				 folders[i], NULL);
		}
		node_fill(ours, "type", "pv", "device", "", NULL);
		node_fill(vm, "uuid", worker.vm->uuid, "name", name,
			  "image/ostype", "linux", "image/kernel", b->kernel,
			  "image/ramdisk", b->ramdisk, "image/cmdline",
			  b->cmdline, "start_time",
			  FORMAT("%ld.00", time(NULL)), NULL);
		node_fill(dom, "vm", vm, "name", name, "device", "",
			  "domid", decimal(worker.domid),
			  "control/platform-feature-multiprocessor-suspend",
			  "1", "control/platform-feature-xs_reset_watches",
			  "1", "memory/static-max",
			  decimal(value_get_int(r, "maxmem", memory) << 10),
			  "memory/target", decimal(memory << 10),
			  "memory/videoram", "0",
			  "store/port", decimal(b->store_port),
			  "store/ring-ref", decimal(b->store_frame), NULL);
		for (i = 0; i < max_vcpus; i++)
			node_put(NODE_INHERIT,
				 FORMAT("%s/cpu/%u/availability", dom, i),
				 i < vcpus ? "online" : "offline");
		for (i = 0; i < ARRAY_SIZE(guests_own); i++)
			node_put(NODE_OWN,
				 FORMAT("%s/%s", dom, guests_own[i]), "");
		put_console(b, dom, ours);
	} while (nodes_again());
}

/*
 * What xl list -l and xl block-attach want to find of a guest.  All in it was
 * checked to have no character that JSON would have to escape.
 */
static void write_userdata(unsigned int max_vcpus)
{
	const struct value *r = worker.vm->record, *v;
	FILE *f = fopen(FORMAT(USERDATA "d.%u.%s.libxl-json", worker.domid,
			       worker.vm->uuid), "we");
	int i = 0;

	if (!f)
		return;			/* there are no tools of Debian's */
	fprintf(f, "{\"c_info\":{\"type\":\"pv\"},\"b_info\":{\"max_vcpus\":%u,"
		"\"type.pv\":{}},\"disks\":[", max_vcpus);
	for value_each(v, value_get(r, "disk"))
		fprintf(f, "{\"vdev\":\"%s\",\"backend\":\"phy\","
			"\"format\":\"raw\"}%s", value_get_string(v, "vdev", ""),
			v->next ? "," : "");
	fputs("],\"nics\":[", f);
	for value_each(v, value_get(r, "vif"))
		fprintf(f, "{\"devid\":%d,\"mac\":\"%s\"}%s", i++,
			value_get_string(v, "mac", ""), v->next ? "," : "");
	fwrite("]}", 3, 1, f);		/* with its NUL, as libxl does */
	fclose(f);
}

/* --- the whole ------------------------------------------------------- */
/*
 * [create 10] A new domain from the guest's record.  On failure xend has
 * guest_destroy() called.
 */
void guest_start(bool paused)
{
	const struct value *r = worker.vm->record, *v;
	const char *ramdisk = value_get_string(r, "ramdisk", ""), *why;
	unsigned int max_vcpus = value_get_int(r, "maxvcpus",
					       value_get_int(r, "vcpus", 1));
	struct build b = {
		.memory_kib = value_get_int(r, "memory", 0) << 10,
		.kernel = value_get_string(r, "kernel", ""),
		.ramdisk = *ramdisk ? ramdisk : NULL,
		.cmdline = value_get_string(r, "cmdline", ""),
		.cache = CACHE_DIR,
		.progress = worker_progress,
	};

	check_memory();
	create_domain(max_vcpus);
	b.domid = worker.domid;
	why = build_guest(&worker.a, &b);
	if (why)
		fail("%s", why);
	write_nodes(&b, max_vcpus);
	write_userdata(max_vcpus);
	/* [create 60] The daemons learn of it, the backends, and it may run. */
	must(store_introduce(xend_store, worker.domid, b.store_frame,
			     b.store_port), "xenstored refuses it");
	for value_each(v, value_get(r, "disk"))
		device_attach("vbd", v);
	for value_each(v, value_get(r, "vif"))
		device_attach("vif", v);
	worker_progress(0.95);
	if (!paused)
		must(hyper_unpause(worker.domid), "it does not start");
	must(store_write(xend_store, 0, FORMAT(DONE, worker.domid), "1", 1),
	     "it does not start");
}

/*
 * Removes all that belongs to worker.domid, and the domain last: as long as
 * it is there, whoever comes later knows that there is something to do.
 */
void guest_destroy(void)
{
	static const char *const kinds[] = { "console", "vbd", "vif" };
	const char *vm = node_read(&worker.a, "/local/domain/%u/vm",
				   worker.domid);
	unsigned int i, j, n;
	glob_t files;
	char **ids;
	int rc;

	worker.undoing = true;
	/* These fail if there is nothing, which is as good. */
	store_rm(xend_store, 0, FORMAT(DONE, worker.domid));
	hyper_pause(worker.domid);
	for (i = 1; i < ARRAY_SIZE(kinds); i++) {	/* no console */
		ids = store_list(xend_store, &worker.a, 0,
				 FORMAT("/libxl/%u/device/%s", worker.domid,
					kinds[i]), &n);
		for (j = 0; ids && j < n; j++)
			device_detach(kinds[i], atoi(ids[j]), true);
	}
	do {
		nodes_begin();
		if (vm && !strncmp(vm, "/vm/", 4))
			node_put(NODE_REMOVE, vm, NULL);
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			node_put(NODE_REMOVE,
				 FORMAT("/local/domain/0/backend/%s/%u",
					kinds[i], worker.domid), NULL);
		node_put(NODE_REMOVE, FORMAT("/local/domain/%u", worker.domid),
			 NULL);
		node_put(NODE_REMOVE, FORMAT("/libxl/%u", worker.domid), NULL);
	} while (nodes_again());
	if (!glob(FORMAT(USERDATA "*.%u.*", worker.domid), 0, NULL, &files))
		for (i = 0; i < files.gl_pathc; i++)
			unlink(files.gl_pathv[i]);
	rc = hyper_destroy(worker.domid);
	/* Whoever hears of this looks for dying domains: not before. */
	store_release(xend_store, worker.domid);
	must(rc == -ESRCH ? 0 : rc, "the hypervisor does not end it");
}
