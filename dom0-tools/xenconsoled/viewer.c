// SPDX-License-Identifier: GPL-2.0
/*
 * Those who look at a console: its pty, and any number of programs on its
 * socket.  All read one backlog, each at its own place; one that falls behind
 * by more than the backlog's size misses the oldest part, and holds up
 * neither the guest nor the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "xenconsoled.h"

static void backlog_grow(struct backlog *b, unsigned int room)
{
	char *data = malloc(room);
	uint64_t i;

	if (!data)
		return;		/* a smaller backlog does, too */
	for (i = b->start; i < b->end; i++)
		data[i & (room - 1)] = b->data[i & (b->room - 1)];
	free(b->data);
	b->data = data;
	b->room = room;
}

/* Appends; the oldest bytes go when there is no more room. */
void backlog_write(struct backlog *b, const char *data, unsigned int len)
{
	unsigned int room = b->room ? b->room : 1024;

	while (room < b->max && b->end - b->start + len > room)
		room *= 2;
	if (room != b->room)
		backlog_grow(b, room);
	if (!b->room)
		return;
	for (; len; len--)
		b->data[b->end++ & (b->room - 1)] = *data++;
	if (b->end - b->start > b->room)
		b->start = b->end - b->room;
}

static void viewer_event(void *arg, unsigned int events)
{
	console_viewer_event(arg, events);
}

/* Another viewer, who has seen the first `at` bytes; NULL, and fd closed, if
 * it cannot be. */
struct viewer *viewer_new(struct console *c, struct viewer **list, int fd,
			  uint64_t at)
{
	struct viewer *v = calloc(1, sizeof(*v));

	if (!v || loop_add(fd, LOOP_IN, viewer_event, v)) {
		free(v);
		close(fd);
		return NULL;
	}
	v->console = c;
	v->fd = fd;
	v->at = at;
	v->polled = LOOP_IN;
	v->next = *list;
	*list = v;
	return v;
}

/* Writes what it lacks, as much as it takes.  False: it is gone. */
bool viewer_write(struct viewer *v, const struct backlog *b)
{
	unsigned int at, len;
	ssize_t r;

	if (v->at < b->start)
		v->at = b->start;
	while (v->at < b->end) {
		at = v->at & (b->room - 1);
		len = b->room - at;
		if (len > b->end - v->at)
			len = b->end - v->at;
		r = write(v->fd, b->data + at, len);
		if (r <= 0)
			return r < 0 && (errno == EAGAIN || errno == EINTR);
		v->at += r;
	}
	return true;
}

/* What the loop is to watch for. */
void viewer_want(struct viewer *v, bool in, bool out)
{
	unsigned int want = (in ? LOOP_IN : 0) | (out ? LOOP_OUT : 0);

	if (want == v->polled)
		return;
	v->polled = want;
	loop_want(v->fd, want);
}

/* Ends a viewer that is on the list. */
void viewer_free(struct viewer *v, struct viewer **list)
{
	while (*list != v)
		list = &(*list)->next;
	*list = v->next;
	loop_del(v->fd);
	close(v->fd);
	free(v);
}
