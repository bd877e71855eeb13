// SPDX-License-Identifier: GPL-2.0
/*
 * xenconsoled: options and start.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "xenconsoled.h"

static const char usage[] =
"usage: xenconsoled [OPTION...]\n"
"  -i, --interactive       stay in the foreground, log to stderr\n"
"      --pid-file=FILE     where to write the process id\n"
"      --log=WHAT          guest or none (guest)\n"
"      --log-dir=DIR       where (/var/log/xen/console)\n"
"  -h, --help              this text\n";

struct store *store;
const char *log_dir = "/var/log/xen/console";

static struct {
	bool foreground;
	const char *pid_file, *log;
} opt = { .log = "guest" };

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interactive", no_argument, NULL, 'i' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },
		{ "log-dir", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "ih", options, NULL)) >= 0)
		switch (o) {
		case 'i': opt.foreground = true; break;
		case 'p': opt.pid_file = optarg; break;
		case 'l': opt.log = optarg; break;
		case 'r': log_dir = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		default:  fputs(usage, stderr); exit(2);
		}
	if (!strcmp(opt.log, "none"))
		log_dir = NULL;
	else if (strcmp(opt.log, "guest"))
		fatalx("--log=%s: guest or none", opt.log);
	if (optind < argc)
		fatalx("unexpected argument '%s'", argv[optind]);
}

int main(int argc, char **argv)
{
	log_open("xenconsoled", false);
	parse_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (!opt.foreground)
		daemon_detach();
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		fatal("%s", RUN_DIR);
	console_start();
	daemon_single(RUN_DIR "/lock");
	store = store_open();
	if (!store)
		fatal("the store");
	if (!store_watch(store, "@introduceDomain", console_scan, NULL) ||
	    !store_watch(store, "@releaseDomain", console_scan, NULL))
		fatal("the store");
	daemon_ready(opt.pid_file);
	if (!opt.foreground)
		log_open("xenconsoled", true);
	loop_run();
	return 0;
}
