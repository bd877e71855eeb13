// SPDX-License-Identifier: GPL-2.0
/*
 * xenconsoled: options and start.
 */
#include <signal.h>
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
	log_open("xenconsoled");
	if (*options_read(argc, argv, "i=interactive,p:=pid-file,l:=log,"
			  "r:=log-dir", usage))
		fatalx("only options are wanted: see --help");
	if (opt['r'])
		log_dir = opt['r'];
	if (opt['l'] && !strcmp(opt['l'], "none"))
		log_dir = NULL;
	else if (opt['l'] && strcmp(opt['l'], "guest"))
		fatalx("--log=%s: guest or none", opt['l']);
	signal(SIGPIPE, SIG_IGN);
	if (!opt['i'])
		daemon_detach();
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		fatal("%s", RUN_DIR);
	console_start();
	daemon_single(RUN_DIR "/lock");
	store = store_open(0);
	if (!store ||
	    !store_watch(store, "@introduceDomain", console_scan, NULL) ||
	    !store_watch(store, "@releaseDomain", console_scan, NULL))
		fatal("the store");
	daemon_ready(opt['p']);
	loop_run();
}
