// SPDX-License-Identifier: GPL-2.0
/*
 * Events, and those who wait for some.  The last EVENTS are kept; a token is
 * the number of the last event its owner has seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "xend.h"

#define EVENTS		256
#define TIMEOUT_MAX	3600.0

static struct event {
	const char *class, *operation;
	char ref[UUID_CHARS + 16];
	double when;
} events[EVENTS];
static uint64_t event_count;		/* events so far */

struct event_wait {
	struct event_wait *next;
	struct call *call;
	uint64_t since;
	struct loop_timer timer;
};
static struct event_wait *waits;

static bool wanted(const struct call *c, const struct event *e)
{
	const struct value *classes = value_item(c->params, 0);
	const struct value *v;

	if (!classes || classes->type != VALUE_ARRAY)
		return false;
	for value_each(v, classes)
		if (v->type == VALUE_STRING && (!strcmp(v->s, "*") ||
						!strcasecmp(v->s, e->class)))
			return true;
	return false;
}

static void append(struct call *c, struct value *list, const char *class,
		   const char *operation, const char *ref, double when)
{
	struct value *v = value_struct(&c->a);

	value_set(v, "class", value_string(&c->a, class));
	value_set(v, "operation", value_string(&c->a, operation));
	value_set(v, "ref", value_string(&c->a, ref));
	value_set(v, "timestamp", value_double(&c->a, when));
	value_append(list, v);
}

/* Everything is new to who comes without a token. */
static void append_all(struct call *c, struct value *list)
{
	static const struct event as = { .class = "vm" };
	char ref[UUID_CHARS + 16];
	struct vm *vm;

	for (vm = vms; vm && wanted(c, &as); vm = vm->next) {
		snprintf(ref, sizeof(ref), "OpaqueRef:%s", vm->uuid);
		append(c, list, "vm", "add", ref, time(NULL));
	}
}

static struct value *answer(struct call *c, struct value *list)
{
	struct value *v = value_struct(&c->a);

	value_set(v, "events", list);
	value_set(v, "token", value_printf(&c->a, "%llu",
					   (unsigned long long)event_count));
	return v;
}

/* A list of those since; *any says whether there is one. */
static struct value *collect(struct call *c, uint64_t since, bool *any)
{
	struct value *list = value_array(&c->a);
	const struct event *e;

	*any = false;
	if (event_count - since > EVENTS)
		since = event_count - EVENTS;
	for (; since < event_count; since++) {
		e = &events[since % EVENTS];
		if (!wanted(c, e))
			continue;
		append(c, list, e->class, e->operation, e->ref, e->when);
		*any = true;
	}
	return list;
}

static void wait_free(struct event_wait *w)
{
	struct event_wait **p = &waits;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	loop_timer_clear(&w->timer);
	w->call->wait = NULL;
	free(w);
}

static void wait_end(void *arg)
{
	struct event_wait *w = arg;
	struct call *c = w->call;
	bool any;
	struct value *list = collect(c, w->since, &any);

	wait_free(w);
	call_end(c, answer(c, list));
}

/* Something happened.  class and operation are literals. */
void event_add(const char *class, const char *operation, const char *ref)
{
	struct event *e = &events[event_count++ % EVENTS];
	struct event_wait *w;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	e->class = class;
	e->operation = operation;
	snprintf(e->ref, sizeof(e->ref), "%s", ref);
	e->when = now.tv_sec + now.tv_nsec / 1e9;
	/* Soon, so that what happens together is told together. */
	for (w = waits; w; w = w->next)
		if (wanted(w->call, e))
			loop_timer_set(&w->timer, 0);
}

/* event.from(classes, token, timeout): a call that may wait. */
struct value *event_from(struct call *c)
{
	const struct value *token = value_item(c->params, 1);
	const struct value *t = value_item(c->params, 2);
	double timeout = !t ? 0 : t->type == VALUE_DOUBLE ? t->d :
			 t->type == VALUE_INT ? (double)t->i : 0;
	struct value *list;
	struct event_wait *w;
	uint64_t since = 0;
	bool any = true;

	if (!token || token->type != VALUE_STRING || !*token->s) {
		list = value_array(&c->a);
		append_all(c, list);
		return answer(c, list);
	}
	since = strtoull(token->s, NULL, 10);
	if (since > event_count)	/* of a xend before this one */
		since = 0;
	list = collect(c, since, &any);
	if (any || timeout <= 0)
		return answer(c, list);
	w = calloc(1, sizeof(*w));
	if (!w)
		return answer(c, list);
	*w = (struct event_wait){
		.next = waits, .call = c, .since = since,
		.timer = { .fn = wait_end, .arg = w },
	};
	waits = w;
	c->wait = w;
	c->later = true;
	loop_timer_set(&w->timer,
		       (timeout < TIMEOUT_MAX ? timeout : TIMEOUT_MAX) * 1000);
	return NULL;
}

/* Its client is gone. */
void event_hangup(struct call *c)
{
	if (c->wait)
		wait_free(c->wait);
}
