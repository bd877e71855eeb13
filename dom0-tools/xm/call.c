// SPDX-License-Identifier: GPL-2.0
/*
 * Asking xend.  The session is opened by the first call and closed when the
 * program ends.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "xm.h"

static const char *session;

static const char *socket_path(void)
{
	const char *s = getenv("XEND_SOCKET");

	return s ? s : RPC_SOCKET;
}

/* The value inside a result, or NULL and why there is none. */
static struct value *result_of(struct value *v, const char **why)
{
	const struct value *e = value_get(v, "ErrorDescription");
	const char *status = value_get_string(v, "Status", "");

	if (!strcmp(status, "Success") && value_get(v, "Value"))
		return value_get(v, "Value");
	*why = "xend's answer makes no sense";
	if (!strcmp(status, "Failure") && e && e->type == VALUE_ARRAY &&
	    e->count && e->last->type == VALUE_STRING)
		*why = e->last->s;
	return NULL;
}

static struct value *exchange(const char *method, struct value *params,
			      const char **why)
{
	struct value *v = rpc_call(&arena, socket_path(), method, params, why);

	if (!v && access(socket_path(), F_OK) &&
	    access("/proc/xen/capabilities", F_OK))
		fatalx("this is not a control domain: boot Xenolith first");
	return v ? result_of(v, why) : NULL;
}

static void log_out(void)
{
	struct value *params = value_array(&arena);
	const char *why;

	value_append(params, STRING(session));
	exchange("session.logout", params, &why);
}

static void log_in(void)
{
	struct value *params = value_array(&arena), *v;
	const char *why;

	value_append(params, STRING("root"));
	value_append(params, STRING(""));
	v = exchange("session.login_with_password", params, &why);
	if (!v || v->type != VALUE_STRING)
		fatalx("%s", v ? "xend gives no session" : why);
	session = v->s;
	atexit(log_out);
}

static struct value *vcall(const char **why, const char *method, va_list ap)
{
	struct value *params = value_array(&arena), *v;

	if (!session)
		log_in();
	value_append(params, STRING(session));
	while ((v = va_arg(ap, struct value *))) {
		/* An argument may belong to an answer: a copy of its head. */
		v = arena_copy(&arena, v, sizeof(*v));
		v->next = NULL;
		value_append(params, v);
	}
	return exchange(method, params, why);
}

/* A call with arguments up to NULL: its result, or NULL and why. */
struct value *try_call(const char **why, const char *method, ...)
{
	struct value *v;
	va_list ap;

	va_start(ap, method);
	v = vcall(why, method, ap);
	va_end(ap);
	return v;
}

/* The same; failure ends the program. */
struct value *call(const char *method, ...)
{
	const char *why;
	struct value *v;
	va_list ap;

	va_start(ap, method);
	v = vcall(&why, method, ap);
	va_end(ap);
	if (!v)
		fatalx("%s", why);
	return v;
}

/* The reference of a domain given by number or name. */
struct value *find_ref(const char *domain)
{
	bool digits = *domain && !domain[strspn(domain, "0123456789")];
	const char *why;
	struct value *v;

	v = digits ? try_call(&why, "VM.get_by_domid", INT(atoll(domain)),
			      NULL) :
		try_call(&why, "VM.get_by_name_label", STRING(domain), NULL);
	if (v && v->type == VALUE_ARRAY)
		v = value_item(v, 0);
	if (!v)
		fatalx("no domain '%s': xm list shows all", domain);
	return v;
}

struct value *find_record(const char *domain)
{
	return CALL("VM.get_record", find_ref(domain));
}

static int by_domid(const void *a, const void *b)
{
	int64_t x = value_get_int(*(struct value **)a, "domid", -1);
	int64_t y = value_get_int(*(struct value **)b, "domid", -1);

	return (x > y) - (x < y);
}

/* An array of the records of all that run, in the order of their numbers. */
struct value *all_records(void)
{
	struct value *all = CALL("VM.get_all_records"), *out, *v, **sorted;
	unsigned int n = 0, i;

	out = value_array(&arena);
	sorted = arena_alloc(&arena, (all->count + 1) * sizeof(*sorted));
	if (all->type != VALUE_STRUCT || !sorted)
		fatalx("xend's answer makes no sense");
	for value_each(v, all)
		if (value_get_int(v, "domid", -1) >= 0)
			sorted[n++] = v;
	qsort(sorted, n, sizeof(*sorted), by_domid);
	for (i = 0; i < n; i++) {
		sorted[i]->next = NULL;
		value_append(out, sorted[i]);
	}
	return out;
}

/* Those of the domains that are named; of all, where none is. */
struct value *records_of(char **domains)
{
	struct value *out = value_array(&arena);

	if (!*domains)
		return all_records();
	for (; *domains; domains++)
		value_append(out, find_record(*domains));
	return out;
}

/*
 * Whether that domain has not ended: one that has shut down, and that nobody
 * is going to remove or start anew, has.
 */
bool domain_runs(int64_t domid)
{
	const struct value *ref, *r, *conf;
	const char *why, *fate;

	ref = try_call(&why, "VM.get_by_domid", INT(domid), NULL);
	r = ref ? try_call(&why, "VM.get_record", ref, NULL) : NULL;
	conf = value_get(r, "other_config");
	fate = conf && conf->count ? "destroy" : "preserve";
	return r && (!strchr(value_get_string(r, "state", ""), 's') ||
		     strcmp(value_get_string(conf, "on_poweroff", fate),
			    "preserve"));
}

/* Waits until something happened, or a second. */
void await_change(void)
{
	static const char *token = "";
	struct value *classes = value_array(&arena), *v;
	const char *why;

	value_append(classes, STRING("vm"));
	v = try_call(&why, "event.from", classes, STRING(token),
		     value_double(&arena, 1), NULL);
	if (v)
		token = value_get_string(v, "token", "");
	else
		sleep(1);
}

/* A number on the command line. */
int64_t number(const char *text, int64_t min, int64_t max, const char *what)
{
	char *end;
	int64_t n = strtoll(text, &end, 10);

	if (end == text || *end || n < min || n > max)
		fatalx("%s '%s': a number from %lld to %lld is wanted", what,
		       text, (long long)min, (long long)max);
	return n;
}
