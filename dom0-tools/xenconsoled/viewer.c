// SPDX-License-Identifier: GPL-2.0
/*
 * Those who look at a console: its pty, and any number of programs on its
 * socket.  All read one backlog, each at its own place; one that falls behind
 * by more than the backlog's size misses the oldest part, and holds up
 * neither the guest nor the others.
 */
#include "xenconsoled.h"

/* Appends; the oldest bytes go when there is no more room. */
void backlog_write(struct backlog *b, const char *data, unsigned int len)
{
	if (!b->data)
		b->data = malloc(b->room);
	for (; b->data && len; len--)
		b->data[b->end++ & (b->room - 1)] = *data++;
	if (b->end - b->start > b->room)
		b->start = b->end - b->room;
}

/* Another viewer, who has seen the first `at` bytes; false, and fd closed, if
 * it cannot be. */
bool viewer_new(struct console *c, struct viewer **list, int fd, uint64_t at)
{
	struct viewer *v = calloc(1, sizeof(*v));

	if (!v || loop_add(fd, LOOP_IN, console_viewer_event, v)) {
		free(v);
		close(fd);
		return false;
	}
	*v = (struct viewer){ *list, c, fd, at, LOOP_IN };
	*list = v;
	return true;
}

/*
 * Writes what it lacks, as much as it takes; listens to it if that is wanted.
 * False: it is gone.
 */
bool viewer_write(struct viewer *v, const struct backlog *b, bool listen)
{
	unsigned int at, len, want = listen ? LOOP_IN : 0;
	ssize_t r;

	v->at = MAX(v->at, b->start);
	while (v->at < b->end) {
		at = v->at & (b->room - 1);
		len = MIN(b->room - at, b->end - v->at);
		r = write(v->fd, b->data + at, len);
		if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
			want |= LOOP_OUT;
			break;
		}
		if (r <= 0)
			return false;
		v->at += r;
	}
	if (want != v->polled)
		loop_want(v->fd, want);
	v->polled = want;
	return true;
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
