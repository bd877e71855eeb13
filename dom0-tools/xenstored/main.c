// SPDX-License-Identifier: GPL-2.0
/*
 * xenstored: options, start, and the round that keeps its one promise - first
 * the journal, then the world.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

static struct {
	bool foreground, no_domains;
	const char *pid_file, *run_dir;
} opt = { .run_dir = RUN_DIR };

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "foreground", no_argument, NULL, 'N' },
		{ "pid-file", required_argument, NULL, 'P' },
		{ "run-dir", required_argument, NULL, 'S' },
		{ "no-domains", no_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "NP:S:Dh", options, NULL)) >= 0)
		switch (o) {
		case 'N': opt.foreground = true; break;
		case 'P': opt.pid_file = optarg; break;
		case 'S': opt.run_dir = optarg; break;
		case 'D': opt.no_domains = true; break;
		case 'h': fputs(usage, stdout); exit(0);
		default:  fputs(usage, stderr); exit(2);
		}
	if (optind < argc)
		fatalx("unexpected argument '%s'", argv[optind]);
}

/* Hears everybody who spoke, writes it down, answers. */
static bool round_robin(void)
{
	struct conn *c, *next;
	bool more = false;

	for (c = conns; c; c = c->next) {
		if (c->active)
			ring_receive(c);
		if (c->nr_owed && !c->out)
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

/* Goes on with the rings that an earlier daemon served. */
static void start_domains(void)
{
	unsigned int i;
	int rc = 0;

	ring_start();
	for (i = 0; i < domains_end; i++) {
		if (!domains[i] || !domains[i]->conn ||
		    !ring_attach(domains[i]))
			continue;
		log_warn("domain %u: its ring is gone", i);
		domain_release(i);
	}
	if (!domains[0] || !domains[0]->conn)
		rc = domain_introduce(0, 0);
	if (rc) {
		errno = -rc;
		fatal("the ring of the control domain's kernel");
	}
	domain_scan();
}

int main(int argc, char **argv)
{
	struct timespec now;
	bool resumed;

	log_open("xenstored", false);
	parse_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (!opt.foreground)
		daemon_detach();
	if ((mkdir(opt.run_dir, 0755) && errno != EEXIST) ||
	    chdir(opt.run_dir))
		fatal("%s", opt.run_dir);
	if (!opt.no_domains)
		ring_open();		/* before the lock: see daemon.c */
	daemon_single("lock");

	clock_gettime(CLOCK_REALTIME, &now);
	tree_clock = (uint64_t)now.tv_sec << 30;
	if (tree_init(&tree_main) || watch_init())
		fatalx("no memory");
	resumed = state_load("state");
	if (tree_make(&tree_main, "/tool/xenstored", tree_main.root->perms))
		fatalx("no memory");
	if (!opt.no_domains)
		start_domains();
	state_open("state");
	sock_open("socket");
	loop_after(round_robin);
	daemon_ready(opt.pid_file);
	if (!opt.foreground)
		log_open("xenstored", true);
	log_info(resumed ? "resumed" : "started");
	loop_run();
	return 0;
}
