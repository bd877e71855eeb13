// SPDX-License-Identifier: GPL-2.0
/*
 * xenconsoled: options, start, and the hypervisor's own log.
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
"      --log=WHAT          none, guest, hv or all (guest)\n"
"      --log-dir=DIR       where (/var/log/xen/console)\n"
"  -v, --verbose           log more\n"
"  -h, --help              this text\n";

struct store *store;
const char *log_dir;

static struct {
	bool foreground, verbose, log_guest, log_hv;
	const char *pid_file, *dir;
} opt = { .log_guest = true, .dir = "/var/log/xen/console" };

static struct logfile hv_log = { .fd = -1 };
static uint32_t hv_index;
static int hv_evtchn = -1;

static void parse_log(const char *what)
{
	if (strcmp(what, "none") && strcmp(what, "guest") &&
	    strcmp(what, "hv") && strcmp(what, "all"))
		fatalx("--log=%s: none, guest, hv or all", what);
	opt.log_guest = !strcmp(what, "guest") || !strcmp(what, "all");
	opt.log_hv = !strcmp(what, "hv") || !strcmp(what, "all");
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interactive", no_argument, NULL, 'i' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },
		{ "log-dir", required_argument, NULL, 'r' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "ivh", options, NULL)) >= 0)
		switch (o) {
		case 'i': opt.foreground = true; break;
		case 'p': opt.pid_file = optarg; break;
		case 'l': parse_log(optarg); break;
		case 'r': opt.dir = optarg; break;
		case 'v': opt.verbose = true; break;
		case 'h': fputs(usage, stdout); exit(0);
		default:  fputs(usage, stderr); exit(2);
		}
	if (optind < argc)
		fatalx("unexpected argument '%s'", argv[optind]);
}

static void hv_read(void)
{
	char buf[4096];
	int n;

	while ((n = hyper_read_log(buf, sizeof(buf), &hv_index)) > 0)
		logfile_write(&hv_log, buf, n);
}

static void hv_event(void *arg, unsigned int events)
{
	uint32_t port;

	(void)arg;
	(void)events;
	if (evtchn_pending(hv_evtchn, &port, 1) > 0)
		evtchn_unmask(hv_evtchn, port);
	hv_read();
}

static void hv_start(void)
{
	int rc = hv_evtchn = evtchn_open();

	if (rc >= 0)
		rc = evtchn_bind_virq(hv_evtchn, VIRQ_CON_RING);
	if (rc >= 0)
		rc = loop_add(hv_evtchn, LOOP_IN, hv_event, NULL);
	if (rc < 0)
		log_warn("no log of the hypervisor: %s", strerror(-rc));
	logfile_open(&hv_log, opt.dir, "hypervisor.log");
	hv_read();
}

static void reopen_logs(void)
{
	console_reopen_logs();
	if (!opt.log_hv)
		return;
	logfile_close(&hv_log);
	logfile_open(&hv_log, opt.dir, "hypervisor.log");
}

static void domains_changed(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	console_scan();
}

int main(int argc, char **argv)
{
	log_open("xenconsoled", false, false);
	parse_options(argc, argv);
	log_open("xenconsoled", false, opt.verbose);
	signal(SIGPIPE, SIG_IGN);
	if (!opt.foreground)
		daemon_detach();
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		fatal("%s", RUN_DIR);
	console_start();
	daemon_single(RUN_DIR "/lock");
	if (opt.log_guest)
		log_dir = opt.dir;
	store = store_open();
	if (!store)
		fatal("the store");
	if (!store_watch(store, "@introduceDomain", domains_changed, NULL) ||
	    !store_watch(store, "@releaseDomain", domains_changed, NULL))
		fatal("the store");
	if (opt.log_hv)
		hv_start();
	loop_signal(SIGHUP, reopen_logs);
	daemon_ready(opt.pid_file);
	if (!opt.foreground)
		log_open("xenconsoled", true, opt.verbose);
	loop_run();
	return 0;
}
