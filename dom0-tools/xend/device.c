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
#include <signal.h>
#include <sys/wait.h>
#include "worker.h"

#define SCRIPT_LOG	"/var/log/xen/xen-hotplug.log"
#define SCRIPT_TIME	30		/* seconds */
#define STATE_TIME	10000		/* ms */
#define BRIDGE		"xenbr0"

struct device {
	struct worker *w;
	const char *kind;
	bool vif;
	unsigned int id;
	char front[64], back[64], ours[64];	/* paths */
};

static struct device device_of(struct worker *w, const char *kind,
			       unsigned int id)
{
	struct device d = {
		.w = w, .kind = kind, .vif = !strcmp(kind, "vif"), .id = id,
	};

	snprintf(d.front, sizeof(d.front), "/local/domain/%u/device/%s/%u",
		 w->domid, kind, id);
	snprintf(d.back, sizeof(d.back), "/local/domain/0/backend/%s/%u/%u",
		 kind, w->domid, id);
	snprintf(d.ours, sizeof(d.ours), "/libxl/%u/device/%s/%u", w->domid,
		 kind, id);
	return d;
}

static char *device_node(const struct device *d, const char *folder,
			 const char *key)
{
	return node_read(&d->w->a, "%s/%s", folder, key);
}

/* Until the backend is in this state; false if that takes too long. */
static bool wait_state(const struct device *d, const char *state)
{
	uint64_t end = loop_now() + STATE_TIME;
	unsigned int pause = 1000;
	const char *s;

	while (!(s = device_node(d, d->back, "state")) || strcmp(s, state)) {
		if (loop_now() >= end)
			return false;
		usleep(pause);
		pause = pause < 50000 ? pause * 2 : pause;
	}
	return true;
}

/* --- scripts --------------------------------------------------------- */
static void script_child(const struct device *d, const char *script,
			 const char *verb)
{
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
	if (d->vif) {
		snprintf(text, sizeof(text), "vif%u.%u", d->w->domid, d->id);
		setenv("vif", text, 1);
		setenv("netdev", "", 1);
	}
	alarm(SCRIPT_TIME);
	execl(script, script, verb, d->vif ? "type_if=vif" : NULL, NULL);
	_exit(127);
}

/*
 * Runs the device's script; NULL or what went wrong.  A worker that is to end
 * does so only after it: half a script could not be undone.
 */
static const char *script_run(const struct device *d, const char *verb)
{
	const char *script = device_node(d, d->ours, "script");
	sigset_t end, old;
	int status = -1;
	pid_t pid;

	if (!script || access(script, X_OK))
		return arena_printf(&d->w->a, "%s: no such hotplug script",
				    script ? script : d->ours);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, &old);
	pid = fork();
	if (!pid) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		script_child(d, script, verb);
	}
	waitpid(pid, &status, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return !status ? NULL :
	       arena_printf(&d->w->a, "%s %s", script, WIFEXITED(status) ?
			    "failed: see " SCRIPT_LOG : "does not end");
}

/* --- attaching ------------------------------------------------------- */
/* The backend's nodes; a copy goes where the backend cannot change it. */
static void fill_back(const struct device *d, const char *folder,
		      const struct value *v)
{
	const char *how = value_get_string(v, "access", "rw");
	const char *script = value_get_string(v, "script", d->vif ?
					      "vif-bridge" : "block");
	struct worker *w = d->w;

	if (*script != '/')
		script = arena_printf(&w->a, "/etc/xen/scripts/%s", script);
	node_fill(w, folder, "frontend", d->front, "frontend-id",
		  arena_printf(&w->a, "%u", w->domid), "online", "1", NULL);
	if (d->vif)
		node_fill(w, folder, "type", "vif", "hotplug-status", "",
			  "mac", value_get_string(v, "mac", NULL),
			  "ip", value_get_string(v, "ip", NULL),
			  "rate", value_get_string(v, "rate", NULL),
			  "vifname", value_get_string(v, "vifname", NULL),
			  "gatewaydev", value_get_string(v, "gatewaydev", NULL),
			  "bridge", value_get_string(v, "bridge", BRIDGE),
			  "script", script,
			  "handle", arena_printf(&w->a, "%u", d->id), NULL);
	else
		node_fill(w, folder, "type", "phy", "device-type", "disk",
			  "params", value_get_string(v, "target", NULL),
			  "dev", value_get_string(v, "vdev", NULL),
			  "mode", strcmp(how, "r") && strcmp(how, "ro") ?
			  "w" : "r", "script", script,
			  "removable", "0", "bootable", "1",
			  "discard-enable", "1", NULL);
	node_put(w, NODE_INHERIT, "1", "%s/state", folder);
}

static const char *add_nodes(const struct device *d, const struct value *v)
{
	struct worker *w = d->w;
	const char *id = arena_printf(&w->a, "%u", d->id);

	do {
		nodes_begin(w);
		node_put(w, NODE_REMOVE, NULL, "%s", d->front);
		node_put(w, NODE_REMOVE, NULL, "%s", d->back);
		node_put(w, NODE_REMOVE, NULL, "%s", d->ours);
		node_put(w, NODE_PRIVATE, NULL, "%s", d->ours);
		node_put(w, NODE_FRONT, NULL, "%s", d->front);
		node_put(w, NODE_READ, NULL, "%s", d->back);
		fill_back(d, d->ours, v);
		fill_back(d, d->back, v);
		node_fill(w, d->ours, "backend", d->back, NULL);
		node_fill(w, d->front, "backend", d->back, "backend-id", "0",
			  "trusted", "1", "state", "1", NULL);
		if (d->vif)
			node_fill(w, d->front, "handle", id, "mac",
				  value_get_string(v, "mac", NULL), NULL);
		else
			node_fill(w, d->front, "virtual-device", id,
				  "device-type", "disk", NULL);
		if (d->vif)
			node_put(w, NODE_READ, "1500", "%s/mtu", d->front);
	} while (nodes_again(w));
	return worker_failed(w, w->rc, "the store refuses");
}

/* Before anything is written: what people get wrong. */
static const char *check_target(struct worker *w, bool vif,
				const struct value *device)
{
	const char *name = value_get_string(device, "target", "");
	const char *bridge = value_get_string(device, "bridge", BRIDGE);

	if (!vif)
		return access(name, R_OK) ?
		       arena_printf(&w->a, "disk %s: %s", name,
				    strerror(errno)) : NULL;
	if (strcmp(value_get_string(device, "script", "vif-bridge"),
		   "vif-bridge") ||
	    !access(arena_printf(&w->a, "/sys/class/net/%s/bridge", bridge),
		    F_OK))
		return NULL;
	return arena_printf(&w->a, "bridge %s does not exist: "
			    "ip link add %s type bridge", bridge, bridge);
}

/* Gives a guest a device.  On failure nothing of it stays. */
const char *device_attach(struct worker *w, const char *kind,
			  const struct value *device)
{
	bool vif = !strcmp(kind, "vif");
	const char *what = value_get_string(device, "vdev", "vif");
	const char *why, *error;
	struct device d = device_of(w, kind, record_vdev(what));

	while (vif && device_node(&d, d.ours, "backend"))
		d = device_of(w, kind, d.id + 1);
	why = check_target(w, vif, device);
	if (!why && device_node(&d, d.ours, "backend"))
		why = arena_printf(&w->a, "%s is in use", what);
	if (why)
		return why;
	why = add_nodes(&d, device);
	if (!why && !wait_state(&d, "2"))
		why = arena_printf(&w->a, "no backend answers: modprobe xen-%s",
				   vif ? "netback" : "blkback");
	if (!why) {
		why = script_run(&d, vif ? "online" : "add");
		error = device_node(&d, d.back, "hotplug-error");
		why = error ? error : why;
	}
	if (!why)
		return NULL;
	device_detach(w, kind, d.id, true);
	return arena_printf(&w->a, "%s: %s", what, why);
}

/* --- detaching ------------------------------------------------------- */
/*
 * Takes a device away.  With force the guest is not asked, and loses its side
 * of it at once.
 */
const char *device_detach(struct worker *w, const char *kind, unsigned int id,
			  bool force)
{
	struct device d = device_of(w, kind, id);
	const char *state = device_node(&d, d.back, "state"), *why;

	if (!device_node(&d, d.ours, "backend"))
		return arena_printf(&w->a, "no such %s", kind);
	do {
		nodes_begin(w);
		if (force)
			node_put(w, NODE_REMOVE, NULL, "%s", d.front);
		if (state)
			node_fill(w, d.back, "online", "0", "state",
				  strcmp(state, "6") ? "5" : NULL, NULL);
	} while (nodes_again(w));
	if (w->rc)
		return worker_failed(w, w->rc, "the store refuses");
	if (state && !wait_state(&d, "6") && !force)
		return arena_printf(&w->a, "%s %u: the guest does not let go of it",
				    kind, id);
	why = script_run(&d, d.vif ? "offline" : "remove");
	if (why)
		log_warn("%s: %s", d.ours, why);
	do {
		nodes_begin(w);
		node_put(w, NODE_REMOVE, NULL, "%s", d.front);
		node_put(w, NODE_REMOVE, NULL, "%s", d.back);
		node_put(w, NODE_REMOVE, NULL, "%s", d.ours);
	} while (nodes_again(w));
	return worker_failed(w, w->rc, "the store refuses");
}

/* Takes all devices from a guest that will not run again. */
const char *devices_destroy(struct worker *w)
{
	static const char *const kinds[] = { "vbd", "vif" };
	const char *why = NULL, *one;
	unsigned int kind, n, i;
	char path[64], **ids;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		snprintf(path, sizeof(path), "/libxl/%u/device/%s", w->domid,
			 kinds[kind]);
		ids = store_list(xend_store, &w->a, 0, path, &n);
		for (i = 0; ids && i < n; i++) {
			one = device_detach(w, kinds[kind], atoi(ids[i]), true);
			why = why ? why : one;
		}
	}
	return why;
}
