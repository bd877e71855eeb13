// SPDX-License-Identifier: GPL-2.0
/*
 * Events, those who wait for some, and tasks, which tell of starts that
 * nobody waits for.  The last EVENTS and TASKS are kept; a token is the
 * number of the last event its owner has seen.
 */
#include "xend.h"

#define EVENTS		256
#define TASKS		64
#define TIMEOUT_MAX	3600.0

static struct event {
	const char *class, *operation;
	char ref[REF_CHARS];
} events[EVENTS];
static uint64_t event_count;		/* events so far */
static struct loop_timer event_timer;

/* The first event from i on that the call wants; event_count if none. */
static uint64_t next_wanted(const struct call *c, uint64_t i)
{
	const struct value *list = value_item(c->params, 1), *v;

	if (!list || list->type != VALUE_ARRAY)
		return event_count;
	if (event_count - i > EVENTS)
		i = event_count - EVENTS;
	for (; i < event_count; i++)
		for value_each(v, list)
			if (v->type == VALUE_STRING && (!strcmp(v->s, "*") ||
			    !strcasecmp(v->s, events[i % EVENTS].class)))
				return i;
	return i;
}

static struct value *answer(struct call *c)
{
	struct value *list = value_array(&c->a);
	const struct event *e;
	uint64_t i;

	c->waiting = false;
	loop_timer_clear(&c->timer);
	for (i = next_wanted(c, c->since); i < event_count;
	     i = next_wanted(c, i + 1)) {
		e = &events[i % EVENTS];
		value_append(list, RECORD("class", STRING(e->class),
			"operation", STRING(e->operation),
			"ref", STRING(e->ref)));
	}
	return RECORD("events", list, "token",
		      value_printf(&c->a, "%llu", (unsigned long long)i));
}

/* Ends the calls that waited for what happened, and one that waited enough. */
static void tell(void *enough)
{
	struct call *c, *next;

	for (c = calls; c; c = next) {
		next = c->next;
		if (c->waiting && (c == enough ||
				   next_wanted(c, c->since) < event_count))
			call_end(c, answer(c));
	}
}

/* Something happened.  class and operation are literals. */
void event_add(const char *class, const char *operation, const char *uuid)
{
	struct event *e = &events[event_count++ % EVENTS];

	*e = (struct event){ .class = class, .operation = operation };
	snprintf(e->ref, sizeof(e->ref), REF "%s", uuid);
	/* Soon, so that what happens together is told together. */
	event_timer.fn = tell;
	loop_timer_set(&event_timer, 0);
}

/*
 * event.from(classes, token, timeout): a call that may wait.  Without a token
 * it does not, and tells of all events that are kept.
 */
struct value *event_from(struct call *c)
{
	const struct value *t = value_item(c->params, 3);
	const char *token = arg_string(c, 2, "");
	double timeout = !t || !*token ? 0 : t->type == VALUE_DOUBLE ? t->d :
			 t->type == VALUE_INT ? (double)t->i : 0;

	c->since = strtoull(token, NULL, 10);
	if (c->since > event_count)	/* of a xend before this one */
		c->since = 0;
	if (timeout <= 0 || next_wanted(c, c->since) < event_count)
		return answer(c);
	c->later = c->waiting = true;
	c->timer.fn = tell;
	c->timer.arg = c;
	loop_timer_set(&c->timer,
		       (timeout < TIMEOUT_MAX ? timeout : TIMEOUT_MAX) * 1000);
	return NULL;
}

/* --- tasks ----------------------------------------------------------- */
static struct task tasks[TASKS];
static unsigned int task_next;

/* A new one, for one that ended; NULL if none did. */
struct task *task_new(void)
{
	struct task *t;
	unsigned int n = 0;

	do
		t = &tasks[task_next++ % TASKS];
	while (*t->ref && !t->ended && ++n < TASKS);
	if (n == TASKS)
		return NULL;
	*t = (struct task){ .ref = REF };
	uuid_new(t->ref + strlen(REF));
	return t;
}

/* How far it is. */
void task_report(struct task *t, struct report r, bool ended)
{
	t->report = r;
	t->ended = ended;
	event_add("task", "mod", t->ref + strlen(REF));
}

struct value *task_get_record(struct call *c)
{
	const char *ref = arg_string(c, 1, "");
	struct value *error = value_array(&c->a);
	const struct task *t;

	for (t = tasks; t < tasks + TASKS; t++)
		if (*t->ref && !strcmp(ref, t->ref))
			break;
	if (t == tasks + TASKS)
		return call_fail(c, "HANDLE_INVALID", "task", "no such task");
	if (t->report.failed) {
		value_append(error, STRING(t->report.code));
		value_append(error, STRING(t->report.text));
	}
	return RECORD("uuid", STRING(t->ref + strlen(REF)),
		"name_label", STRING("VM.start"),
		"status", STRING(!t->ended ? "pending" :
			       t->report.failed ? "failure" : "success"),
		"progress", REAL(t->ended ? 1 : t->report.progress),
		"error_info", error);
}
