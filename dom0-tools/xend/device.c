// SPDX-License-Identifier: GPL-2.0
/*
 * Disks (vbd) and network interfaces (vif) of a guest: nodes in the store as
 * Debian's tools write them, and the hotplug scripts of /etc/xen/scripts.
 *
 * Attaching: all nodes at once; the kernel's backend sees them and comes to
 * state 2; the script gives it a block device, or joins a bridge.  Detaching
 * goes the other way round.  A device is known by its nodes under
 * /libxl/DOMID/device until the last step, so that one which was begun can be
 * undone by whoever comes later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "record.h"
#include "worker.h"

#define SCRIPTS		"/etc/xen/scripts"
#define SCRIPT_LOG	"/var/log/xen/xen-hotplug.log"
#define SCRIPT_TIME	30000		/* ms */
#define STATE_TIME	10000
enum { STATE_INITIALISING = 1, STATE_INIT_WAIT, STATE_CLOSING = 5,
       STATE_CLOSED };

struct device {
	struct worker *w;
	const char *kind;
	unsigned int id;
	const char *front, *back, *ours;	/* paths */
};

static bool device_init(struct device *d, struct worker *w, const char *kind,
			unsigned int id)
{
	struct arena *a = &w->a;

	*d = (struct device){ .w = w, .kind = kind, .id = id };
	d->front = arena_printf(a, "/local/domain/%u/device/%s/%u", w->domid,
				kind, id);
	d->back = arena_printf(a, "/local/domain/0/backend/%s/%u/%u", kind,
			       w->domid, id);
	d->ours = arena_printf(a, "/libxl/%u/device/%s/%u", w->domid, kind, id);
	return d->front && d->back && d->ours;
}

/* --- waiting --------------------------------------------------------- */
static int back_state(const struct device *d)
{
	const char *s = node_read(d->w, "%s/state", d->back);

	return s ? atoi(s) : 0;
}

/* Until the backend is in this state; false after ms. */
static bool wait_state(const struct device *d, int state, unsigned int ms)
{
	uint64_t end = loop_now() + ms;
	unsigned int pause = 1000;

	while (back_state(d) != state) {
		if (loop_now() >= end)
			return false;
		usleep(pause);
		pause = pause < 50000 ? pause * 2 : pause;
	}
	return true;
}

/* --- scripts --------------------------------------------------------- */
static void run_child(const struct device *d, const char *script,
		      const char *verb)
{
	bool vif = !strcmp(d->kind, "vif");
	int null = open("/dev/null", O_RDWR);
	char text[64];

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	snprintf(text, sizeof(text), "backend/%s/%u/%u", d->kind, d->w->domid,
		 d->id);
	setenv("script", script, 1);
	setenv("XENBUS_TYPE", d->kind, 1);
	setenv("XENBUS_PATH", text, 1);
	setenv("XENBUS_BASE_PATH", "backend", 1);
	if (vif) {
		snprintf(text, sizeof(text), "vif%u.%u", d->w->domid, d->id);
		setenv("vif", text, 1);
		setenv("netdev", "", 1);
	}
	execl(script, script, verb, vif ? "type_if=vif" : NULL, NULL);
	_exit(127);
}

/* The exit status; -1 if it had to be killed. */
static int run_script(const struct device *d, const char *script,
		      const char *verb)
{
	pid_t pid = fork();
	struct pollfd p = { .events = POLLIN };
	int status = -1, done;

	if (!pid)
		run_child(d, script, verb);
	if (pid < 0)
		return -1;
	p.fd = pidfd_open(pid, 0);
	done = p.fd < 0 || poll(&p, 1, SCRIPT_TIME) == 1;
	if (!done)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (p.fd >= 0)
		close(p.fd);
	return done && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *script_add(const struct device *d, const char *what)
{
	const char *script = node_read(d->w, "%s/script", d->ours), *why;
	bool vif = !strcmp(d->kind, "vif");
	int status;

	if (!script || access(script, X_OK))
		return arena_printf(&d->w->a, "%s: no such hotplug script",
				    script ? script : d->ours);
	status = run_script(d, script, vif ? "online" : "add");
	why = node_read(d->w, "%s/hotplug-error", d->back);
	if (why)
		return arena_printf(&d->w->a, "%s: %s", what, why);
	if (!status)
		return NULL;
	return arena_printf(&d->w->a, "%s: %s %s", what, script, status < 0 ?
			    "does not end" : "failed: see " SCRIPT_LOG);
}

static void script_remove(const struct device *d)
{
	const char *script = node_read(d->w, "%s/script", d->ours);
	bool vif = !strcmp(d->kind, "vif");

	if (script && !access(script, X_OK) &&
	    run_script(d, script, vif ? "offline" : "remove"))
		log_warn("%s: %s failed", d->ours, script);
}

/* --- attaching ------------------------------------------------------- */
/* The backend's nodes; a copy goes where the backend cannot change it. */
static void add_back(struct nodes *n, const struct device *d, const char *key,
		     const char *value)
{
	if (!value)
		return;
	nodes_add(n, NODE_INHERIT, value, "%s/%s", d->back, key);
	nodes_add(n, NODE_INHERIT, value, "%s/%s", d->ours, key);
}

static void add_front(struct nodes *n, const struct device *d, const char *key,
		      const char *value)
{
	nodes_add(n, NODE_INHERIT, value, "%s/%s", d->front, key);
}

static const char *script_path(struct worker *w, const struct value *device,
			       const char *otherwise)
{
	const char *s = value_get_string(device, "script", otherwise);

	return *s == '/' ? s : arena_printf(&w->a, SCRIPTS "/%s", s);
}

static void add_disk(struct nodes *n, const struct device *d,
		     const struct value *disk)
{
	bool write = *value_get_string(disk, "access", "rw") != 'r' ||
		     !strcmp(value_get_string(disk, "access", "rw"), "rw");

	add_back(n, d, "params", value_get_string(disk, "target", NULL));
	add_back(n, d, "script", script_path(n->w, disk, "block"));
	add_back(n, d, "removable", "0");
	add_back(n, d, "bootable", "1");
	add_back(n, d, "dev", value_get_string(disk, "vdev", NULL));
	add_back(n, d, "type", "phy");
	add_back(n, d, "mode", write ? "w" : "r");
	add_back(n, d, "device-type", "disk");
	add_back(n, d, "discard-enable", "1");
	add_front(n, d, "virtual-device", arena_printf(&n->w->a, "%u", d->id));
	add_front(n, d, "device-type", "disk");
}

static void add_vif(struct nodes *n, const struct device *d,
		    const struct value *vif)
{
	static const char *const keys[] = {
		"mac", "ip", "rate", "vifname", "gatewaydev",
	};
	const char *handle = arena_printf(&n->w->a, "%u", d->id);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		add_back(n, d, keys[i], value_get_string(vif, keys[i], NULL));
	add_back(n, d, "script", script_path(n->w, vif, "vif-bridge"));
	add_back(n, d, "bridge", value_get_string(vif, "bridge", "xenbr0"));
	add_back(n, d, "handle", handle);
	add_back(n, d, "type", "vif");
	add_back(n, d, "hotplug-status", "");
	add_front(n, d, "handle", handle);
	add_front(n, d, "mac", value_get_string(vif, "mac", NULL));
	nodes_add(n, NODE_READ, "1500", "%s/mtu", d->front);
}

static const char *add_nodes(const struct device *d, const struct value *v)
{
	const char *domid = arena_printf(&d->w->a, "%u", d->w->domid);
	struct nodes n;

	nodes_start(&n, d->w);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", d->front);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", d->back);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", d->ours);
	nodes_add(&n, NODE_PRIVATE, NULL, "%s", d->ours);
	nodes_add(&n, NODE_INHERIT, d->front, "%s/frontend", d->ours);
	nodes_add(&n, NODE_INHERIT, d->back, "%s/backend", d->ours);
	nodes_add(&n, NODE_FRONT, NULL, "%s", d->front);
	nodes_add(&n, NODE_READ, NULL, "%s", d->back);
	add_front(&n, d, "backend", d->back);
	add_front(&n, d, "backend-id", "0");
	add_front(&n, d, "trusted", "1");
	nodes_add(&n, NODE_INHERIT, d->front, "%s/frontend", d->back);
	add_back(&n, d, "frontend-id", domid);
	add_back(&n, d, "online", "1");
	if (!strcmp(d->kind, "vif"))
		add_vif(&n, d, v);
	else
		add_disk(&n, d, v);
	add_front(&n, d, "state", "1");
	add_back(&n, d, "state", "1");
	return nodes_commit(&n);
}

/* Before anything is written: what people get wrong. */
static const char *check_target(struct worker *w, const char *kind,
				const struct value *device)
{
	const char *name;

	if (!strcmp(kind, "vbd")) {
		name = value_get_string(device, "target", "");
		return access(name, R_OK) ?
		       arena_printf(&w->a, "disk %s: %s", name,
				    strerror(errno)) : NULL;
	}
	name = value_get_string(device, "bridge", "xenbr0");
	if (strcmp(value_get_string(device, "script", "vif-bridge"),
		   "vif-bridge") ||
	    !access(arena_printf(&w->a, "/sys/class/net/%s/bridge", name),
		    F_OK))
		return NULL;
	return arena_printf(&w->a, "bridge %s does not exist: "
			    "ip link add %s type bridge", name, name);
}

/*
 * Gives a guest a device; index is a vif's number.  On failure nodes may
 * stay: device_detach() or devices_destroy() are for the caller.
 */
const char *device_attach(struct worker *w, const char *kind,
			  const struct value *device, unsigned int index)
{
	const char *why = check_target(w, kind, device);
	const char *what = !strcmp(kind, "vif") ?
			   arena_printf(&w->a, "vif %u", index) :
			   value_get_string(device, "vdev", "");
	struct device d;

	if (why)
		return why;
	if (!strcmp(kind, "vbd"))
		index = record_vdev(what);
	if (!device_init(&d, w, kind, index))
		return "no memory";
	if (node_read(w, "%s/backend", d.ours))
		return arena_printf(&w->a, "%s is in use", what);
	why = add_nodes(&d, device);
	if (why)
		return why;
	if (!wait_state(&d, STATE_INIT_WAIT, STATE_TIME))
		return arena_printf(&w->a, "%s: no backend answers: modprobe xen-%s",
				    what, !strcmp(kind, "vif") ? "netback"
							       : "blkback");
	return script_add(&d, what);
}

/* --- detaching ------------------------------------------------------- */
/*
 * Takes a device away.  With force the guest is not asked, and loses its side
 * of it at once.
 */
const char *device_detach(struct worker *w, const char *kind, unsigned int id,
			  bool force)
{
	const char *why;
	struct device d;
	struct nodes n;

	if (!device_init(&d, w, kind, id))
		return "no memory";
	if (!node_read(w, "%s/backend", d.ours))
		return arena_printf(&w->a, "no such %s", kind);
	nodes_start(&n, w);
	if (force)
		nodes_add(&n, NODE_REMOVE, NULL, "%s", d.front);
	if (node_read(w, "%s/state", d.back)) {
		nodes_add(&n, NODE_INHERIT, "0", "%s/online", d.back);
		if (back_state(&d) != STATE_CLOSED)
			nodes_add(&n, NODE_INHERIT, "5", "%s/state", d.back);
	}
	why = nodes_commit(&n);
	if (why)
		return why;
	if (node_read(w, "%s/state", d.back) &&
	    !wait_state(&d, STATE_CLOSED, STATE_TIME) && !force)
		return arena_printf(&w->a, "%s %u: the guest does not let go of it",
				    kind, id);
	script_remove(&d);
	nodes_start(&n, w);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", d.front);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", d.back);
	nodes_add(&n, NODE_REMOVE, NULL, "%s", d.ours);
	return nodes_commit(&n);
}

static const char *destroy_kind(struct worker *w, const char *kind)
{
	char *path = arena_printf(&w->a, "/libxl/%u/device/%s", w->domid, kind);
	const char *why = NULL, *one;
	unsigned int n = 0, i;
	char **ids = path ? store_list(w->s, &w->a, 0, path, &n) : NULL;

	for (i = 0; ids && i < n; i++) {
		one = device_detach(w, kind, strtoul(ids[i], NULL, 10), true);
		why = why ? why : one;
	}
	return why;
}

/* Takes all devices from a guest that will not run again. */
const char *devices_destroy(struct worker *w)
{
	const char *vbd = destroy_kind(w, "vbd");
	const char *vif = destroy_kind(w, "vif");

	return vbd ? vbd : vif;
}
