// SPDX-License-Identifier: GPL-2.0
/*
 * Asking xend.  The session is opened by the first call; it is xend's only
 * one, which nobody closes.
 */
#include "xm.h"

/*
 * The result of a call, or NULL and *why there is none; with why == NULL
 * failure ends the program.
 */
struct value *ask(const char **why, const char *method, struct value *params)
{
	static const char login[] = "session.login_with_password";
	static struct value *session;
	const char *path = getenv("XEND_SOCKET"), *reason;
	struct value *all = value_array(&arena), *v, *e;

	if (!session && method != login)
		session = CALL(login, STRING("root"), STRING(""));
	if (session)
		value_append(all, value_copy(&arena, session));
	for value_each(v, params)
		value_append(all, value_copy(&arena, v));
	path = path ? path : RPC_SOCKET;
	v = rpc_call(&arena, path, method, all, &reason);
	if (!v && access(path, F_OK) && access("/proc/xen/capabilities", F_OK))
		fatalx("this is not a control domain: boot Xenolith first");
	e = value_get(v, "ErrorDescription");
	if (v)
		reason = e && e->type == VALUE_ARRAY && e->count &&
			 e->last->type == VALUE_STRING ? e->last->s :
			 "xend's answer makes no sense";
	v = value_get(v, "Value");
	if (!v && !why)
		fatalx("%s", reason);
	if (why)
		*why = reason;
	return v;
}

/* The same, with arguments up to NULL; see CALL() and TRY(). */
struct value *call(const char **why, const char *method, ...)
{
	struct value *params = value_array(&arena), *v;
	va_list ap;

	va_start(ap, method);
	while ((v = va_arg(ap, struct value *)))
		value_append(params, value_copy(&arena, v));
	va_end(ap);
	return ask(why, method, params);
}

/* The reference of a domain given by number or name. */
struct value *find_ref(const char *domain)
{
	bool digits = *domain && !domain[strspn(domain, "0123456789")];
	const char *why;
	struct value *v;

	v = digits ? TRY(&why, "VM.get_by_domid", INT(atoll(domain))) :
		TRY(&why, "VM.get_by_name_label", STRING(domain));
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

int domid_of(const struct value *record)
{
	return value_get_int(record, "domid", -1);
}

/*
 * An array of the records of the domains that are named; where none is, of all
 * that run, in the order of their numbers: as a method of xend gives them.
 */
struct value *records_of(char **domains, const char *method)
{
	struct value *out = value_array(&arena), *all, *v, *next, **at;

	if (*domains) {
		for (; *domains; domains++)
			value_append(out, find_record(*domains));
		return out;
	}
	all = CALL(method);
	if (all->type != VALUE_STRUCT)
		fatalx("xend's answer makes no sense");
	for (v = all->first; v; v = next) {
		next = v->next;
		if (domid_of(v) < 0)
			continue;
		for (at = &out->first; *at && domid_of(*at) < domid_of(v);)
			at = &(*at)->next;
		v->next = *at;
		*at = v;
	}
	return out;
}
