// SPDX-License-Identifier: GPL-2.0
/*
 * xend: makes guests, looks after them, and ends them; programs ask it by
 * XML-RPC (server.c, methods.c).
 *
 * One event loop that never waits: what takes time is a worker's (job.c).
 * There is no state that a kill could destroy (vm.c).
 */
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <uuid/uuid.h>
#include "xend.h"

struct store *xend_store;

/* A node of the store, or NULL. */
char *node_read(struct arena *a, const char *fmt, ...)
{
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return store_read(xend_store, a, 0, path, NULL);
}

/* A random one. */
void uuid_new(char text[UUID_CHARS])
{
	uuid_t id;

	uuid_generate_random(id);
	uuid_unparse_lower(id, text);
}

static const char usage[] =
"usage: xend [OPTION]...\n"
"Makes and looks after guests; xm is its command line.\n"
"  -F, --foreground    stay on the terminal\n"
"  -G, --group=GROUP   its members may connect, like root\n"
"  -p, --pid-file=FILE (/run/xend.pid)\n"
"  -h, --help\n";

static void domains_changed(void *arg)
{
	(void)arg;
	vms_refresh();
}

int main(int argc, char **argv)
{
	int fd;

	log_open("xend");
	if (*options_read(argc, argv, "F=foreground,G:=group,p:=pid-file",
			  usage))
		fatalx("only options are wanted: see --help");
	signal(SIGPIPE, SIG_IGN);
	if (hyper_open())
		fatalx("no hypervisor: boot under Xenolith, and load xen-privcmd");
	if (!opt['F'])
		daemon_detach();
	/* Usually they are there; what is missing shows when it is used. */
	mkdir("/run/xend", 0755);
	mkdir(RECORD_DIR, 0700);
	mkdir("/var/cache", 0755);
	mkdir(CACHE_DIR, 0700);
	daemon_single("/run/xend/lock");
	/* Workers of a xend before may be in the middle of something. */
	fd = open(WORKERS_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		fatal(WORKERS_LOCK);
	close(fd);
	xend_store = store_open(0);
	if (!xend_store)
		fatalx("xenstored does not run: start it first");
	if (!store_watch(xend_store, "@introduceDomain", domains_changed,
			 NULL) ||
	    !store_watch(xend_store, "@releaseDomain", domains_changed, NULL))
		fatal("the store");
	vms_recover();
	server_start(opt['G']);
	daemon_ready(opt['p'] ? opt['p'] : "/run/xend.pid");
	loop_run();
}
