// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that change what domains do or may use.
 */
#include <math.h>
#include "xm.h"

/*
 * Whether that domain has not ended: one that has shut down, and that nobody
 * is going to remove or start anew, has.
 */
static bool domain_runs(int domid)
{
	const char *why;
	const struct value *ref = TRY(&why, "VM.get_by_domid", INT(domid));
	const struct value *r = ref ? TRY(&why, "VM.get_record", ref) : NULL;
	const struct value *conf = value_get(r, "other_config");
	const char *fate = conf && conf->count ? "destroy" : "preserve";

	if (!r && strncmp(why, "no ", 3))
		fatalx("%s", why);	/* xend cannot say */
	return r && (!strchr(value_get_string(r, "state", ""), 's') ||
		     strcmp(value_get_string(conf, "on_poweroff", fate),
			    "preserve"));
}

/* Waits until something happened, or a second. */
static void await_change(void)
{
	static const char *token = "";
	struct value *classes = value_array(&arena), *v;
	const char *why;

	value_append(classes, STRING("vm"));
	v = TRY(&why, "event.from", classes, STRING(token),
		value_double(&arena, 1));
	if (v)
		token = value_get_string(v, "token", "");
	else
		sleep(1);
}

/*
 * Asks guests to end; a reboot has happened when the number is gone, too.
 * command->detail says what is being done.
 */
int cmd_end(char **argv)
{
	struct value *all, *r, *ref, *asked = value_array(&arena);
	int failed = 0;
	const char *why;

	if (!opt['a'] == !*argv)
		fatalx("name domains, or all of them with -a");
	all = records_of(argv, BRIEF);
	for value_each(r, all) {
		if (opt['a'] && !domid_of(r))
			continue;
		fprintf(stderr, "%s domain %d\n", command->detail, domid_of(r));
		ref = TRY(&why, "VM.get_by_domid", INT(domid_of(r)));
		if (ref && TRY(&why, command->method, ref)) {
			value_append(asked, value_copy(&arena, r));
			continue;
		}
		fprintf(stderr, "xm: %s\n", why);
		failed = 1;
	}
	for value_each(r, asked)
		while (opt['w'] && domain_runs(domid_of(r)))
			await_change();
	return failed;
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

/* An amount of memory in KiB. */
static int64_t amount(const char *text)
{
	static const char units[] = "bkmgt";
	char *end;
	double n = strtod(text, &end);
	const char *unit = strchr(units, *end ? *end | 0x20 : 'm');

	if (end == text || !unit || (*end && end[1]) || !(n > 0) || n > 1e15)
		fatalx("size '%s': a number is wanted, in MiB or with b, k, "
		       "m, g, t behind it", text);
	return ldexp(n, 10 * (unit - units - 1));
}

/* A parameter as command->detail says what it is; it may take an argument. */
static struct value *parameter(char kind, char ***argv)
{
	const char *s = "-";

	if (kind == 'H')
		return HOST;
	if (kind == 'F')
		return value_bool(&arena, opt['f']);
	if (**argv)
		s = *(*argv)++;
	switch (kind) {
	case 'd': return find_ref(s);
	case 'm': return INT(amount(s));
	case 'n': return INT(number(s, 1, 4096, "count"));
	case 'v':
		return INT(strcmp(s, "all") ? number(s, 0, 4095, "vcpu") : -1);
	case 'i': return s[strspn(s, "0123456789")] ? STRING(s) : INT(atoll(s));
	default: return STRING(s);
	}
}

/* A call with what is on the command line; one per domain if that is all. */
int cmd_ask(char **argv)
{
	struct value *params;
	const char *kind;

	do {
		params = value_array(&arena);
		for (kind = command->detail; *kind; kind++)
			value_append(params, parameter(*kind, &argv));
		ask(NULL, command->method, params);
	} while (*argv && !strcmp(command->detail, "d"));
	return 0;
}

int cmd_sched_credit(char **argv)
{
	static const struct column columns[] = {
		{ "%-33s", "Name", "name_label" }, { " %4s", "ID", "domid" },
		{ " %6s", "Weight", "weight" }, { " %4s", "Cap", "cap" },
	};
	char *one[] = { (char *)opt['d'], NULL };
	struct value *all;

	(void)argv;
	if (opt['w'] || opt['c']) {
		if (!opt['d'])
			fatalx("name the domain with -d");
		CALL(command->method, find_ref(opt['d']),
		     INT(opt['w'] ? number(opt['w'], 1, 65535, "weight") : -1),
		     INT(opt['c'] ? number(opt['c'], 0, 65535, "cap") : -1));
		return 0;
	}
	all = records_of(one, FULL);
	return opt['j'] ? print_json(all) :
	       print_table(NULL, columns, ARRAY_SIZE(columns), all);
}

/* A disk or interface, in one word or several. */
int cmd_attach(char **argv)
{
	struct value *ref = find_ref(*argv);
	const char *key = command->detail, *spec = "";
	struct conf conf;

	while (*++argv)
		spec = arena_printf(&arena, "%s%s%s", spec, *spec ? "," : "",
				    *argv);
	conf_init(&conf, &arena);
	if (!conf_add(&conf, key, spec))
		fatalx("%s", conf.error);
	CALL(command->method, ref, value_item(value_get(conf.domain, key), 0));
	return 0;
}
