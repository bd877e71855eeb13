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
#define SCRIPT_TIME	40		/* seconds, as libxl does */
/* ms; a backend's thread may be busy with another guest's end. */
#define ATTACH_TIME	40000
#define DETACH_TIME	10000
#define BRIDGE		"xenbr0"

struct device {
	const char *kind;
	bool vif;
	unsigned int id;
	const char *front, *back, *ours;	/* paths */
};

static struct device device_of(const char *kind, unsigned int id)
{
	domid_t dom = worker.domid;

	return (struct device){
		.kind = kind, .vif = !strcmp(kind, "vif"), .id = id,
		.front = FORMAT("/local/domain/%u/device/%s/%u", dom, kind, id),
		.back = FORMAT("/local/domain/0/backend/%s/%u/%u", kind, dom,
			       id),
		.ours = FORMAT("/libxl/%u/device/%s/%u", dom, kind, id),
	};
}

static bool is_there(const struct device *d)
{
	return node_read(&worker.a, "%s/backend", d->ours);
}

static void remove_nodes(const struct device *d)
{
	node_put(NODE_REMOVE, d->front, NULL);
	node_put(NODE_REMOVE, d->back, NULL);
	node_put(NODE_REMOVE, d->ours, NULL);
}

/* Until the backend is in this state; false if that takes too long. */
static bool wait_state(const struct device *d, const char *state,
		       unsigned int ms)
{
	uint64_t end = loop_now() + ms;
	const char *s;

	while (!(s = node_read(&worker.a, "%s/state", d->back)) ||
	       strcmp(s, state)) {
		if (loop_now() >= end)
			return false;
		usleep(2000);
	}
	return true;
}

/* --- scripts --------------------------------------------------------- */
static void script_child(const struct device *d, const char *script,
			 const char *verb)
{
	int null = open("/dev/null", O_RDWR), fd;

	for (fd = 0; fd < 3; fd++)
		dup2(null, fd);
	setenv("script", script, 1);
	setenv("XENBUS_TYPE", d->kind, 1);
	setenv("XENBUS_PATH", d->back + strlen("/local/domain/0/"), 1);
	setenv("XENBUS_BASE_PATH", "backend", 1);
	if (d->vif) {
		setenv("vif", FORMAT("vif%u.%u", worker.domid, d->id), 1);
		setenv("netdev", "", 1);
	}
	signal(SIGPIPE, SIG_DFL);
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
	const char *script = node_read(&worker.a, "%s/script", d->ours);
	sigset_t end, old;
	int status = -1;
	pid_t pid;

	if (!script || access(script, X_OK))
		return FORMAT("%s: no such hotplug script",
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
	return !status ? NULL : FORMAT("%s %s", script, WIFEXITED(status) ?
				       "failed: see " SCRIPT_LOG :
				       "does not end");
}

/* --- attaching ------------------------------------------------------- */
/* The backend's nodes; a copy goes where the backend cannot change it. */
static void fill_back(const struct device *d, const char *folder,
		      const struct value *v)
{
	static const char *const given[] = {
		"mac", "ip", "rate", "vifname", "gatewaydev",
	};
	const char *how = value_get_string(v, "access", "rw");
	const char *script = value_get_string(v, "script", d->vif ?
					      "vif-bridge" : "block");
	unsigned int i;

	if (*script != '/')
		script = FORMAT("/etc/xen/scripts/%s", script);
	node_fill(folder, "frontend", d->front, "frontend-id",
		  FORMAT("%u", worker.domid), "online", "1", "state", "1",
		  "script", script, NULL);
	for (i = 0; d->vif && i < ARRAY_SIZE(given); i++)
		node_fill(folder, given[i],
			  value_get_string(v, given[i], NULL), NULL);
	if (d->vif)
		node_fill(folder, "type", "vif", "hotplug-status", "",
			  "bridge", value_get_string(v, "bridge", BRIDGE),
			  "handle", FORMAT("%u", d->id), NULL);
	else
		node_fill(folder, "type", "phy", "device-type", "disk",
			  "params", value_get_string(v, "target", NULL),
			  "dev", value_get_string(v, "vdev", NULL),
			  "mode", *how == 'r' && how[1] != 'w' ? "r" : "w",
			  "removable", "0", "bootable", "1",
			  "discard-enable", "1", NULL);
}

static void add_nodes(const struct device *d, const struct value *v)
{
	const char *id = FORMAT("%u", d->id);

	do {
		nodes_begin();
		remove_nodes(d);
		node_put(NODE_PRIVATE, d->ours, NULL);
		node_put(NODE_FRONT, d->front, NULL);
		node_put(NODE_READ, d->back, NULL);
		fill_back(d, d->ours, v);
		fill_back(d, d->back, v);
		node_fill(d->ours, "backend", d->back, NULL);
		node_fill(d->front, "backend", d->back, "backend-id", "0",
			  "trusted", "1", "state", "1",
			  d->vif ? "handle" : "virtual-device", id,
			  "mac", d->vif ? value_get_string(v, "mac", NULL) :
			  NULL, "device-type", d->vif ? NULL : "disk", NULL);
		if (d->vif)
			node_put(NODE_READ, FORMAT("%s/mtu", d->front),
				 "1500");
	} while (nodes_again());
}

/* Before anything is written: what people get wrong. */
static void check_target(const struct device *d, const struct value *v)
{
	const char *name = value_get_string(v, "target", "");
	const char *bridge = value_get_string(v, "bridge", BRIDGE);

	if (!d->vif && access(name, R_OK))
		fail("disk %s: %s", name, strerror(errno));
	if (d->vif && !strcmp(value_get_string(v, "script", "vif-bridge"),
			      "vif-bridge") &&
	    access(FORMAT("/sys/class/net/%s/bridge", bridge), F_OK))
		fail("bridge %s does not exist: ip link add %s type bridge",
		     bridge, bridge);
}

/* Gives a guest a device.  On failure nothing of it stays. */
void device_attach(const char *kind, const struct value *device)
{
	const char *what = value_get_string(device, "vdev", "vif");
	const char *why, *error;
	struct device d = device_of(kind, record_vdev(what));

	while (d.vif && is_there(&d))
		d = device_of(kind, d.id + 1);
	check_target(&d, device);
	if (is_there(&d))
		fail("%s is in use: xm block-detach takes it away", what);
	add_nodes(&d, device);
	if (wait_state(&d, "2", ATTACH_TIME))
		why = script_run(&d, d.vif ? "online" : "add");
	else
		why = FORMAT("no backend answers: modprobe xen-%s",
			     d.vif ? "netback" : "blkback");
	error = node_read(&worker.a, "%s/hotplug-error", d.back);
	why = error ? error : why;
	if (!why)
		return;
	worker.undoing = true;
	fail("%s: %s", what, why);
	device_detach(kind, d.id, true);
	_exit(0);
}

/* --- detaching ------------------------------------------------------- */
/*
 * Takes a device away.  With force the guest is not asked, and loses its side
 * of it at once.
 */
void device_detach(const char *kind, unsigned int id, bool force)
{
	struct device d = device_of(kind, id);
	const char *state = node_read(&worker.a, "%s/state", d.back), *why;

	if (!is_there(&d)) {
		fail("no such %s", kind);
		return;
	}
	do {
		nodes_begin();
		if (force)
			node_put(NODE_REMOVE, d.front, NULL);
		if (state)
			node_fill(d.back, "online", "0", "state",
				  strcmp(state, "6") ? "5" : NULL, NULL);
	} while (nodes_again());
	if (state && !wait_state(&d, "6", DETACH_TIME) && !force)
		fail("%s %u: the guest does not let go of it", kind, id);
	why = script_run(&d, d.vif ? "offline" : "remove");
	if (why)
		log_warn("%s: %s", d.ours, why);
	do {
		nodes_begin();
		remove_nodes(&d);
	} while (nodes_again());
}
