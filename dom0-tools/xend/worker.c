// SPDX-License-Identifier: GPL-2.0
/*
 * A worker's main(): xend --worker ACTION ARGUMENT...
 *
 *   start UUID 0|1                 from its record; 1: leave it paused
 *   destroy DOMID
 *   attach DOMID vbd|vif KEY=VALUE...
 *   detach DOMID vbd|vif NUMBER 0|1   1: though the guest objects
 *
 * Its output is for xend: lines "progress N", and at the end "ok" or "failed
 * CODE TEXT".  It dies with xend.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "record.h"
#include "worker.h"

static const char *do_start(struct worker *w, char **argv)
{
	const char *why;

	w->record = record_load(&w->a, argv[0]);
	if (!w->record)
		return "its record is gone";
	why = record_check(&w->a, (struct value *)w->record);
	return why ? why : guest_start(w, argv[0], !strcmp(argv[1], "1"));
}

static const char *do_destroy(struct worker *w, char **argv)
{
	w->domid = atoi(argv[0]);
	return guest_destroy(w);
}

/* The first number that no vif has. */
static unsigned int free_index(struct worker *w)
{
	unsigned int i = 0;

	while (node_read(w, "/libxl/%u/device/vif/%u/backend", w->domid, i))
		i++;
	return i;
}

static const char *do_attach(struct worker *w, char **argv)
{
	struct value *device = value_struct(&w->a);
	const char *why, *kind = argv[1];
	unsigned int index = 0, id;
	char *eq;

	w->domid = atoi(argv[0]);
	for (argv += 2; *argv; argv++) {
		eq = strchr(*argv, '=');
		if (!eq)
			continue;
		*eq = 0;
		value_set(device, *argv, value_string(&w->a, eq + 1));
	}
	if (!strcmp(kind, "vif"))
		index = free_index(w);
	id = *kind == 'v' && kind[1] == 'b' ?
	     record_vdev(value_get_string(device, "vdev", "")) : index;
	if (node_read(w, "/libxl/%u/device/%s/%u/backend", w->domid, kind, id))
		return arena_printf(&w->a, "%s is in use",
				    value_get_string(device, "vdev", kind));
	why = device_attach(w, kind, device, index);
	if (why && node_read(w, "/libxl/%u/device/%s/%u/backend", w->domid,
			     kind, id))
		device_detach(w, kind, id, true);
	return why;
}

static const char *do_detach(struct worker *w, char **argv)
{
	w->domid = atoi(argv[0]);
	return device_detach(w, argv[1], strtoul(argv[2], NULL, 10),
			     !strcmp(argv[3], "1"));
}

static const struct {
	const char *name;
	int arguments;
	const char *(*fn)(struct worker *w, char **argv);
} actions[] = {
	{ "start", 2, do_start },
	{ "destroy", 1, do_destroy },
	{ "attach", 3, do_attach },
	{ "detach", 4, do_detach },
};

/* argv: the action and its arguments.  The process's exit status. */
int worker_main(int argc, char **argv)
{
	struct worker w = { .code = "INTERNAL_ERROR" };
	const char *why = "no such action";
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		return 1;
	log_open("xend-worker", true, false);
	if (hyper_open())
		fatal("/dev/xen/privcmd");
	w.s = store_open();
	if (!w.s)
		fatal("xenstored");
	for (i = 0; i < ARRAY_SIZE(actions) && argc > 0; i++)
		if (!strcmp(actions[i].name, argv[0]) &&
		    argc > actions[i].arguments)
			why = actions[i].fn(&w, argv + 1);
	if (why)
		printf("failed %s %s\n", w.code, why);
	else
		printf("ok\n");
	return why ? 1 : 0;
}
