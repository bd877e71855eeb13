// SPDX-License-Identifier: GPL-2.0
/*
 * Going into the background so that the command line waits until the daemon
 * can be used: the parent stays until daemon_ready(), and exits with an error
 * if the daemon ends before.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "lib.h"

static int daemon_pipe = -1;	/* the parent reads one byte from it */

/*
 * Forks.  Returns in the child, which still has the old stderr, so that a
 * failure at start-up is seen; the parent never returns.
 */
void daemon_detach(void)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe2(fds, O_CLOEXEC))
		fatal("pipe");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1) != 1);
	}
	close(fds[0]);
	daemon_pipe = fds[1];
	setsid();
	if (chdir("/"))
		fatal("/");
}

/*
 * The daemon can be used now: writes the pid file (unless NULL) and, if
 * daemon_detach() ran, lets the parent go, leaves the terminal and logs to
 * syslog.
 */
void daemon_ready(const char *pid_file)
{
	FILE *f = pid_file ? fopen(pid_file, "we") : NULL;
	int fd, null;

	if (pid_file && (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f)))
		fatal("%s", pid_file);
	if (daemon_pipe < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (write(daemon_pipe, "", 1) != 1)
		log_warn("nobody waited for the start");
	close(daemon_pipe);
	log_to_syslog();
}

/*
 * Waits until no other process holds lock_file, and holds it for good; gives
 * up after five seconds.  A killed daemon's files are closed in the order of
 * their numbers: open what the next one needs to find closed before this.
 */
void daemon_single(const char *lock_file)
{
	int i, fd = open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		fatal("%s", lock_file);
	for (i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK)
			fatal("%s", lock_file);
		if (i == 100)
			fatalx("already running (%s is locked)", lock_file);
		usleep(50000);
	}
}

/* A Unix socket that listens at path, in place of one that is left over. */
int daemon_listen(const char *path, int mode)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, rc = -ENAMETOOLONG;

	if (strlen(path) >= sizeof(at.sun_path))
		return rc;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	/* Nobody can connect before listen(), so chmod() is in time. */
	if (!bind(fd, (struct sockaddr *)&at, sizeof(at)) &&
	    !chmod(path, mode) && !listen(fd, 128))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}
