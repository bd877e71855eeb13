// SPDX-License-Identifier: GPL-2.0
/*
 * xenstored: options, start, and the round that keeps its one promise - first
 * the journal, then the world.
 */
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include "xenstored.h"

#define RUN_DIR		"/run/xenstored"

static const char usage[] =
"usage: xenstored [OPTION...]\n"
"  -N, --foreground        do not go into the background, log to stderr\n"
"  -P, --pid-file=FILE     where to write the process id\n"
"  -S, --run-dir=DIR       for socket, state and lock (" RUN_DIR ")\n"
"  -D, --no-domains        serve the socket only\n"
"  -h, --help              this text\n";

/* Hears everybody who spoke, writes it down, answers. */
static bool round_robin(void)
{
	struct conn *c, *next;
	bool more = false;

	for (c = conns; c; c = c->next) {
		if (c->active)
			ring_receive(c);
		watch_pay(c);
	}
	state_commit();
	for (c = conns; c; c = next) {
		next = c->next;
		if (c->domain)
			ring_send(c);
		more = more || c->active;
		if (!c->domain)
			sock_send(c);
	}
	return more;
}

/* Goes on with the rings that an earlier daemon served.  Without the control
 * domain's there is no going on, and the journal stays as it is. */
static void start_domains(void)
{
	unsigned int i;

	ring_start();
	errno = -(domains[0] && domains[0]->conn ? ring_attach(domains[0])
						 : domain_introduce(0, 0));
	if (errno)
		fatal("the ring of the control domain's kernel");
	for (i = 1; i < domains_end; i++) {
		if (!domains[i] || !domains[i]->conn ||
		    !ring_attach(domains[i]))
			continue;
		log_warn("domain %u: its ring is gone", i);
		domain_release(i);
	}
	domain_scan();
}

int main(int argc, char **argv)
{
	const char *run_dir;
	bool resumed;

	log_open("xenstored");
	if (*options_read(argc, argv, "N=foreground,P:=pid-file,S:=run-dir,"
			  "D=no-domains", usage))
		fatalx("only options are wanted: see --help");
	run_dir = opt['S'] ? opt['S'] : RUN_DIR;
	signal(SIGPIPE, SIG_IGN);
	if (!opt['N'])
		daemon_detach();
	if ((mkdir(run_dir, 0755) && errno != EEXIST) ||
	    chdir(run_dir))
		fatal("%s", run_dir);
	if (!opt['D'])
		ring_open();		/* before the lock: see daemon.c */
	daemon_single("lock");

	tree_clock = (uint64_t)time(NULL) << 30;
	if (tree_init(&tree_main))
		fatalx("no memory");
	watch_init();
	resumed = state_load("state");
	if (tree_make(&tree_main, "/tool/xenstored", tree_main.root->perms))
		fatalx("no memory");
	if (!opt['D'])
		start_domains();
	state_open("state");
	sock_open("socket");
	loop_after(round_robin);
	daemon_ready(opt['P']);
	log_info(resumed ? "resumed" : "started");
	loop_run();
}
