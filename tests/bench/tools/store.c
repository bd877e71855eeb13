// SPDX-License-Identifier: GPL-2.0
/*
 * store-bench: what transactions of the store cost, and whether writers on
 * disjoint subtrees get in each other's way.  Prints BENCH lines; times are
 * per transaction, in microseconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../../dom0-tools/lib/lib.h"

#define ROUNDS	200
#define WRITERS	16

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

/* Read, write twice, commit; again where it was in vain, which is counted. */
static unsigned int transactions(struct store *s, unsigned int writer,
				 unsigned int rounds)
{
	unsigned int i, conflicts = 0;
	struct arena a = { 0 };
	char path[64];
	uint32_t tx;
	int rc;

	if (!s)
		fatal("the store");
	for (i = 0; i < rounds; i++)
		do {
			if (store_begin(s, &tx))
				fatalx("no transaction");
			snprintf(path, sizeof(path), "/bench/%u/a", writer);
			store_read(s, &a, tx, path, NULL);
			store_printf(s, tx, path, "%u", i);
			snprintf(path, sizeof(path), "/bench/%u/b", writer);
			store_printf(s, tx, path, "%u", i);
			rc = store_end(s, tx, true);
			if (rc && rc != -EAGAIN)
				fatalx("commit: %d", rc);
			conflicts += rc != 0;
		} while (rc);
	arena_release(&a);
	return conflicts;
}

int main(void)
{
	unsigned int i, conflicts = 0;
	struct store *s;
	double from;
	int status;

	log_open("store-bench");
	s = store_open();
	for (i = 0; i < WRITERS; i++)
		transactions(s, i, 1);
	from = now();
	transactions(s, 0, ROUNDS);
	printf("BENCH store-transaction %.0f\n", (now() - from) / ROUNDS);
	fflush(stdout);
	from = now();
	for (i = 0; i < WRITERS; i++)
		if (!fork())
			_exit(transactions(store_open(), i, ROUNDS / 4) & 255);
	while (wait(&status) > 0)
		conflicts += WEXITSTATUS(status);
	printf("BENCH store-transaction-of-16 %.0f\n",
	       (now() - from) / (WRITERS * ROUNDS / 4));
	printf("BENCH store-conflicts %u\n", conflicts);
	return 0;
}
