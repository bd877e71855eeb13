// SPDX-License-Identifier: GPL-2.0
/*
 * The machine and its hypervisor.
 */
#include <stdio.h>
#include <string.h>
#include "xm.h"

static struct value *host(void)
{
	return STRING("OpaqueRef:host");
}

static void print_plain(const struct value *v)
{
	if (v->type == VALUE_INT)
		printf("%lld\n", (long long)v->i);
	else if (v->type == VALUE_STRING)
		printf("%s\n", v->s);
	else
		print_json(v);
}

int cmd_info(char **argv)
{
	struct value *record = CALL("host.get_record", host()), *v = record;

	if (*argv) {
		v = value_get(record, *argv);
		if (!v)
			fatalx("info: no '%s': xm info shows all", *argv);
	}
	if (opt_json)
		return print_json(v), 0;
	if (*argv)
		return print_plain(v), 0;
	for value_each(v, record) {
		printf("%-23s: ", v->name);
		print_plain(v);
	}
	return 0;
}

int cmd_dmesg(char **argv)
{
	struct value *v = CALL("host.dmesg", host(), BOOL(opt['c']));

	(void)argv;
	if (opt_json)
		print_json(v);
	else if (v->type == VALUE_STRING)
		fputs(v->s, stdout);
	return 0;
}

int cmd_debug_keys(char **argv)
{
	CALL("host.send_debug_keys", host(), STRING(*argv));
	return 0;
}
