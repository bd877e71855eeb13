// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop: descriptors and timers call functions, one at a
 * time.  A function may add, change and delete any source, itself included.
 *
 * Each descriptor slot has a generation that travels with the kernel's event,
 * so that an event fetched for a descriptor that has been closed and reused
 * in the meantime reaches nobody.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include "lib.h"

#define LOOP_FDS	4096	/* what is never used of it takes no memory */

struct loop_slot {
	loop_fn *fn;			/* NULL: not watched */
	void *arg;
	uint32_t generation;
};

static struct loop_slot loop_slots[LOOP_FDS];	/* by descriptor */
static int loop_epoll = -1;
static struct loop_timer *loop_timers;	/* soonest first */
static bool (*loop_after_fn)(void);
static uint64_t loop_batch;		/* timers due by then run now */

/* Milliseconds since some fixed moment; never goes back. */
uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* Changes what fd is watched for. */
int loop_want(int fd, unsigned int events)
{
	struct epoll_event ev = {
		.events = events,
		.data.u64 = (uint64_t)loop_slots[fd].generation << 32 |
			    (uint32_t)fd,
	};
	int op = loop_slots[fd].fn ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	return epoll_ctl(loop_epoll, op, fd, &ev) ? -errno : 0;
}

/*
 * Calls fn(arg, events) whenever fd is readable (LOOP_IN) or writable
 * (LOOP_OUT), as asked for; an error or a hang-up counts as readable.
 */
int loop_add(int fd, unsigned int events, loop_fn *fn, void *arg)
{
	int rc;

	if (fd >= LOOP_FDS)
		return -EMFILE;
	if (loop_epoll < 0) {
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ LOOP_FDS, LOOP_FDS });
		loop_epoll = epoll_create1(EPOLL_CLOEXEC);
	}
	loop_slots[fd] = (struct loop_slot){
		.arg = arg, .generation = loop_slots[fd].generation + 1 };
	rc = loop_want(fd, events);
	loop_slots[fd].fn = rc ? NULL : fn;
	return rc;
}

/* Forgets fd; to be called before it is closed. */
void loop_del(int fd)
{
	if (fd < 0 || fd >= LOOP_FDS || !loop_slots[fd].fn)
		return;
	loop_slots[fd].fn = NULL;
	epoll_ctl(loop_epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* Calls t->fn(t->arg) once, ms milliseconds from now; again moves it. */
void loop_timer_set(struct loop_timer *t, uint64_t ms)
{
	struct loop_timer **p = &loop_timers;

	loop_timer_clear(t);
	/* Not the batch it is set in. */
	t->due = MAX(loop_now() + ms, loop_batch + 1);
	while (*p && (*p)->due <= t->due)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	t->armed = true;
}

/* The timer no longer fires; allowed at any time. */
void loop_timer_clear(struct loop_timer *t)
{
	struct loop_timer **p = &loop_timers;

	if (!t->armed)
		return;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->armed = false;
}

/*
 * fn() runs after every batch of events; if it returns true there is more to
 * do and the next wait does not block.
 */
void loop_after(bool (*fn)(void))
{
	loop_after_fn = fn;
}

/* For the child of a fork(): a loop of its own, in which nothing is. */
void loop_forked(void)
{
	close(loop_epoll);
	loop_epoll = -1;
	loop_timers = NULL;
}

/* Does not return. */
void loop_run(void)
{
	struct epoll_event ev[32];
	struct loop_slot *s;
	struct loop_timer *t;
	bool more = true;
	int64_t ms;
	int i, n;

	for (;;) {
		ms = more ? 0 : -1;
		if (!more && loop_timers) {
			ms = loop_timers->due - loop_now();
			ms = ms < 0 ? 0 : MIN(ms, 60000);
		}
		n = epoll_wait(loop_epoll, ev, ARRAY_SIZE(ev), ms);
		if (n < 0 && errno != EINTR)
			fatal("epoll_wait");
		for (i = 0; i < n; i++) {
			s = &loop_slots[(uint32_t)ev[i].data.u64];
			if (s->fn && s->generation == ev[i].data.u64 >> 32)
				s->fn(s->arg, (ev[i].events & LOOP_OUT) |
				      (ev[i].events & ~LOOP_OUT ? LOOP_IN : 0));
		}
		loop_batch = loop_now();
		while ((t = loop_timers) && t->due <= loop_batch) {
			loop_timer_clear(t);
			t->fn(t->arg);
		}
		more = loop_after_fn && loop_after_fn();
	}
}
