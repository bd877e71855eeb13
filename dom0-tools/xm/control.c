// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that change what domains do or may use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xm.h"

static int each(char **argv, const char *method)
{
	for (; *argv; argv++)
		CALL(method, find_ref(*argv));
	return 0;
}

int cmd_destroy(char **argv)
{
	return each(argv, "VM.destroy");
}

int cmd_pause(char **argv)
{
	return each(argv, "VM.pause");
}

int cmd_unpause(char **argv)
{
	return each(argv, "VM.unpause");
}

static struct value *guests(void)
{
	struct value *all = all_records(), *out = value_array(&arena), *r, *n;

	for (r = all->first; r; r = n) {
		n = r->next;
		r->next = NULL;
		if (value_get_int(r, "domid", -1) > 0)
			value_append(out, r);
	}
	return out;
}

/* Asks guests to end; a reboot has happened when the number is gone, too. */
static int end(char **argv, const char *method, const char *doing)
{
	struct value *all, *r;
	int failed = 0;
	const char *why;
	int64_t domid;

	if (!opt['a'] == !*argv)
		fatalx("name domains, or all of them with -a");
	all = opt['a'] ? guests() : records_of(argv);
	for value_each(r, all) {
		domid = value_get_int(r, "domid", -1);
		fprintf(stderr, "%s domain %d\n", doing, (int)domid);
		if (try_call(&why, method, CALL("VM.get_by_domid", INT(domid)),
			     NULL))
			continue;
		fprintf(stderr, "xm: %s\n", why);
		failed = 1;
	}
	if (opt['w'] && !failed)
		for value_each(r, all)
			while (domain_runs(value_get_int(r, "domid", -1)))
				await_change();
	return failed;
}

int cmd_shutdown(char **argv)
{
	return end(argv, "VM.clean_shutdown", "Shutting down");
}

int cmd_reboot(char **argv)
{
	return end(argv, "VM.clean_reboot", "Rebooting");
}

int cmd_rename(char **argv)
{
	CALL("VM.set_name_label", find_ref(argv[0]), STRING(argv[1]));
	return 0;
}

int cmd_sysrq(char **argv)
{
	if (strlen(argv[1]) != 1)
		fatalx("sysrq '%s': one letter is wanted", argv[1]);
	CALL("VM.send_sysrq", find_ref(argv[0]), STRING(argv[1]));
	return 0;
}

/* An amount of memory in KiB. */
static int64_t amount(const char *text)
{
	static const char units[] = "bkmgt";
	char *end_of;
	double n = strtod(text, &end_of);
	const char *unit = *end_of ? strchr(units, *end_of | 0x20) :
		strchr(units, 'm');
	int power = unit ? unit - units - 1 : 0;

	if (end_of == text || !unit || (*end_of && end_of[1]) || !(n > 0) ||
	    n > 1e15)
		fatalx("size '%s': a number is wanted, in MiB or with b, k, "
		       "m, g, t behind it", text);
	for (; power > 0; power--)
		n *= 1024;
	return power < 0 ? n / 1024 : n;
}

int cmd_mem_set(char **argv)
{
	CALL("VM.set_memory", find_ref(argv[0]), INT(amount(argv[1])));
	return 0;
}

int cmd_mem_max(char **argv)
{
	CALL("VM.set_maxmem", find_ref(argv[0]), INT(amount(argv[1])));
	return 0;
}

int cmd_vcpu_set(char **argv)
{
	CALL("VM.set_vcpus", find_ref(argv[0]),
	     INT(number(argv[1], 1, 4096, "count")));
	return 0;
}

int cmd_vcpu_pin(char **argv)
{
	int64_t vcpu = -1;

	if (strcmp(argv[1], "all"))
		vcpu = number(argv[1], 0, 4095, "vcpu");
	CALL("VM.pin_vcpu", find_ref(argv[0]), INT(vcpu), STRING(argv[2]),
	     STRING(argv[3] ? argv[3] : "-"));
	return 0;
}

int cmd_sched_credit(char **argv)
{
	char *one[] = { (char *)opt['d'], NULL };
	struct value *all, *r, *s;

	(void)argv;
	if (opt['w'] || opt['c']) {
		if (!opt['d'])
			fatalx("name the domain with -d");
		CALL("VM.set_sched", find_ref(opt['d']),
		     INT(opt['w'] ? number(opt['w'], 1, 65535, "weight") : -1),
		     INT(opt['c'] ? number(opt['c'], 0, 65535, "cap") : -1));
		return 0;
	}
	all = records_of(one);
	if (opt_json)
		return print_json(all), 0;
	printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
	for value_each(r, all) {
		s = value_get(r, "sched");
		printf("%-33s %4d %6d %4d\n",
		       value_get_string(r, "name_label", "?"),
		       (int)value_get_int(r, "domid", -1),
		       (int)value_get_int(s, "weight", 256),
		       (int)value_get_int(s, "cap", 0));
	}
	return 0;
}
