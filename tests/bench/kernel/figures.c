/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a stock kernel spends on common work, as its first process sees it.
 * Under QEMU's -icount shift=0 the time-stamp counter runs at 1 GHz and one
 * instruction takes 1 ns, so the monotonic clock counts instructions.  Each
 * figure is the smallest mean of several batches.  Runs as init.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 10

static unsigned long now(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

static void measure(const char *name, void (*fn)(int), int rounds)
{
	unsigned long best = ~0UL;

	for (int b = 0; b < BATCHES; b++) {
		unsigned long t = now();

		fn(rounds);
		t = now() - t;
		if (t < best)
			best = t;
	}
	printf("BENCH %s %lu\n", name, best / rounds);
	fflush(stdout);
}

static void getppid_loop(int n)
{
	while (n--)
		syscall(SYS_getppid);
}

static volatile int caught;

static void handler(int sig)
{
	(void)sig;
	caught++;
}

static void signal_loop(int n)
{
	while (n--)
		raise(SIGUSR1);
}

static void touch_loop(int n)
{
	char *p = mmap(NULL, n * 4096UL, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < n; i++)
		p[i * 4096UL] = 1;
	munmap(p, n * 4096UL);
}

static void protect_loop(int n)
{
	static char *p;

	if (!p)
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (n--) {
		mprotect(p, 4096, PROT_READ);
		mprotect(p, 4096, PROT_READ | PROT_WRITE);
		*(volatile char *)p = 1;
	}
}

static void fork_loop(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void exec_loop(int n)
{
	static char *const args[] = { "/init", "exit", NULL };

	while (n--) {
		pid_t pid = vfork();

		if (!pid) {
			execv("/init", args);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

static void pipe_loop(int n)
{
	int there[2], back[2];
	char c = 0;
	pid_t pid;

	if (pipe(there) || pipe(back))
		return;
	pid = fork();
	if (!pid) {
		for (int i = 0; i < n; i++)
			if (read(there[0], &c, 1) != 1 ||
			    write(back[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	for (int i = 0; i < n; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			break;
	waitpid(pid, NULL, 0);
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 0;
	printf("BENCH boot-to-user-ns %lu\n", now());
	signal(SIGUSR1, handler);
	measure("getppid", getppid_loop, 2000);
	measure("signal", signal_loop, 500);
	measure("page-fault", touch_loop, 500);
	measure("mprotect-touch", protect_loop, 300);
	measure("fork-exit-wait", fork_loop, 20);
	measure("vfork-exec-wait", exec_loop, 20);
	measure("pipe-round-trip", pipe_loop, 300);
	printf("BENCH-END\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
