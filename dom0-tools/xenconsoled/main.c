// SPDX-License-Identifier: GPL-2.0
/*
 * xenconsoled: options and start.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
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

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interactive", no_argument, NULL, 'i' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },
		{ "log-dir", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *pid_file = NULL, *log = "guest";
	bool foreground = false;
	int o;

	log_open("xenconsoled", false, false);
	while ((o = getopt_long(argc, argv, "ih", options, NULL)) >= 0)
		switch (o) {
		case 'i': foreground = true; break;
		case 'p': pid_file = optarg; break;
		case 'l': log = optarg; break;
		case 'r': log_dir = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		default:  fputs(usage, stderr); return 2;
		}
	if (!strcmp(log, "none"))
		log_dir = NULL;
	else if (strcmp(log, "guest"))
		fatalx("--log=%s: guest or none", log);
	if (optind < argc)
		fatalx("unexpected argument '%s'", argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	if (!foreground)
		daemon_detach();
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		fatal("%s", RUN_DIR);
	console_start();
	daemon_single(RUN_DIR "/lock");
	store = store_open();
	if (!store ||
	    !store_watch(store, "@introduceDomain", console_scan, NULL) ||
	    !store_watch(store, "@releaseDomain", console_scan, NULL))
		fatal("the store");
	daemon_ready(pid_file);
	if (!foreground)
		log_open("xenconsoled", true, false);
	loop_run();
	return 0;
}
