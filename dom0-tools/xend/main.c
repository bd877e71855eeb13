// SPDX-License-Identifier: GPL-2.0
/*
 * xend: makes guests, looks after them, and ends them; programs ask it by
 * XML-RPC (server.c, methods.c).
 *
 * One event loop that never waits: what takes time is a worker's (job.c).
 * There is no state that a kill could destroy (vm.c).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "worker.h"
#include "xend.h"

#define PID_FILE	"/run/xend.pid"
#define LOCK_FILE	"/run/xend/lock"
#define CACHE_DIR	"/var/cache/xend"

struct store *xend_store;

static const char usage[] =
"usage: xend [OPTION]...\n"
"Makes and looks after guests; xm is its command line.\n"
"  -F, --foreground    stay on the terminal\n"
"  -g, --group=GROUP   its members may connect, like root\n"
"  -p, --pid-file=FILE (" PID_FILE ")\n"
"  -v, --verbose\n"
"  -h, --help\n";

static struct {
	bool foreground, verbose;
	const char *group, *pid_file;
} opt = { .pid_file = PID_FILE };

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "foreground", no_argument, NULL, 'F' },
		{ "group", required_argument, NULL, 'g' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "Fg:p:vh", options, NULL)) != -1)
		switch (c) {
		case 'F': opt.foreground = true; break;
		case 'g': opt.group = optarg; break;
		case 'p': opt.pid_file = optarg; break;
		case 'v': opt.verbose = true; break;
		case 'h': fputs(usage, stdout); exit(0);
		default:  fputs(usage, stderr); exit(2);
		}
	if (optind < argc)
		fatalx("unexpected argument '%s'", argv[optind]);
}

static void make_folder(const char *path, int mode)
{
	if (mkdir(path, mode) && errno != EEXIST)
		fatal("%s", path);
}

static void domains_changed(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	vms_refresh();
}

static void connect_store(void)
{
	xend_store = store_open();
	if (!xend_store)
		fatalx("xenstored does not run: start it first");
	if (!store_watch(xend_store, "@introduceDomain", domains_changed,
			 NULL) ||
	    !store_watch(xend_store, "@releaseDomain", domains_changed, NULL))
		fatal("the store");
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--worker"))
		return worker_main(argc - 2, argv + 2);
	log_open("xend", false, false);
	parse_options(argc, argv);
	log_open("xend", false, opt.verbose);
	signal(SIGPIPE, SIG_IGN);
	if (hyper_open())
		fatalx("no hypervisor: boot under Xenolith, and load xen-privcmd");
	if (!opt.foreground)
		daemon_detach();
	make_folder("/run/xend", 0755);
	make_folder(RECORD_DIR, 0700);
	make_folder("/var/cache", 0755);
	make_folder(CACHE_DIR, 0700);
	daemon_single(LOCK_FILE);
	connect_store();
	vms_recover();
	server_start(opt.group);
	daemon_ready(opt.pid_file);
	if (!opt.foreground)
		log_open("xend", true, opt.verbose);
	loop_run();
	return 0;
}
