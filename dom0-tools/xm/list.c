// SPDX-License-Identifier: GPL-2.0
/*
 * What there is and what it uses.  Columns are those of xl.
 */
#include <time.h>
#include "xm.h"

static void copy_member(struct value *to, const char *as,
			const struct value *from, const char *name)
{
	const struct value *v = value_get(from, name);

	if (v)
		value_set(to, as, value_copy(&arena, v));
}

static double cpu_time(const struct value *r)
{
	const struct value *v = value_get(r, "cpu_time");

	return v && v->type == VALUE_DOUBLE ? v->d : 0;
}

/* One domain as xl list -l arranges it. */
static struct value *details(const struct value *r)
{
	const struct value *conf = value_get(r, "other_config");
	struct value *v = value_struct(&arena), *c = value_struct(&arena);
	struct value *info = value_struct(&arena), *b = value_struct(&arena);

	value_set(info, "type", STRING("pv"));
	copy_member(info, "name", r, "name_label");
	copy_member(info, "uuid", r, "uuid");
	copy_member(b, "max_vcpus", r, "vcpus_max");
	copy_member(b, "max_memkb", r, "memory_static_max");
	copy_member(b, "target_memkb", r, "memory_dynamic");
	copy_member(b, "kernel", conf, "kernel");
	copy_member(b, "ramdisk", conf, "ramdisk");
	copy_member(b, "cmdline", conf, "cmdline");
	value_set(c, "c_info", info);
	value_set(c, "b_info", b);
	copy_member(c, "disks", r, "disks");
	copy_member(c, "nics", r, "vifs");
	copy_member(c, "on_poweroff", conf, "on_poweroff");
	copy_member(c, "on_reboot", conf, "on_reboot");
	copy_member(c, "on_crash", conf, "on_crash");
	copy_member(v, "domid", r, "domid");
	value_set(v, "config", c);
	return v;
}

int cmd_list(char **argv)
{
	static const struct column columns[] = {
		{ "%-40s", "Name", "name_label" }, { " %5s", "ID", "domid" },
		{ " %5s", "Mem", "MiB" }, { " %5s", "VCPUs", "vcpus_online" },
		{ "     %s", "State", "state" },
		{ "  %8s", "Time(s)", "cpu_time" }, { " %s", "UUID", "uuid" },
	};
	bool json = opt['l'] || opt['j'];
	struct value *all = records_of(argv, json ? FULL : BRIEF);
	struct value *r, *out = value_array(&arena);

	if (opt['l'])
		for value_each(r, all)
			value_append(out, details(r));
	if (json)
		return print_json(opt['l'] ? out : all);
	for value_each(r, all)
		value_set(r, "MiB",
			  INT(value_get_int(r, "memory_actual", 0) / 1024));
	return print_table(arena_printf(&arena, "%-40s %5s %5s %5s\tState\t"
					"Time(s)%s", "Name", "ID", "Mem",
					"VCPUs", opt['v'] ? "   UUID" : ""),
			   columns, opt['v'] ? 7 : 6, all);
}

int cmd_vcpu_list(char **argv)
{
	static const struct column columns[] = {
		{ "%-32s", "Name", "name" }, { " %5s", "ID", "domid" },
		{ " %5s", "VCPU", "vcpu" }, { " %5s", "CPU", "where" },
		{ " %5s", "State", "state" }, { " %9s", "Time(s)", "time" },
		{ " %s", "Affinity (Hard / Soft)", "affinity" },
	};
	struct value *all = records_of(argv, FULL);
	struct value *rows = value_array(&arena), *r, *v, *row;
	const struct value *vcpus, *cpu;

	for value_each(r, all) {
		vcpus = value_get(r, "vcpus");
		if (opt['j'] || !vcpus || vcpus->type != VALUE_ARRAY)
			continue;
		for value_each(v, vcpus) {
			row = value_copy(&arena, v);
			copy_member(row, "name", r, "name_label");
			copy_member(row, "domid", r, "domid");
			cpu = value_get(v, "cpu");
			value_set(row, "where", value_get_int(v, "cpu", -1) < 0
				  ? STRING("-") : value_copy(&arena, cpu));
			value_set(row, "affinity", value_printf(&arena,
				  " %s / %s",
				  value_get_string(v, "affinity_hard", "all"),
				  value_get_string(v, "affinity_soft", "all")));
			value_append(rows, row);
		}
	}
	return opt['j'] ? print_json(all) :
	       print_table(NULL, columns, ARRAY_SIZE(columns), rows);
}

/* One member of a record. */
int cmd_member(char **argv)
{
	return print_plain(value_get(find_record(*argv), command->detail));
}

static const char *span(long s)
{
	char *days = "";

	if (s >= 86400)
		days = arena_printf(&arena, "%ld day%s, ", s / 86400,
				    s >= 2 * 86400 ? "s" : "");
	s %= 86400;
	days = arena_printf(&arena, "%s%2ld:%02ld", days, s / 3600,
			    s / 60 % 60);
	return opt['s'] ? days : arena_printf(&arena, "%s:%02ld", days, s % 60);
}

int cmd_uptime(char **argv)
{
	static const struct column columns[] = {
		{ "%-33s", "Name", "name" }, { " %4s", "ID", "domid" },
		{ " %s", "Uptime", "uptime" },
	};
	struct value *all = records_of(argv, FULL), *out = value_array(&arena);
	struct value *r, *v;
	time_t now = time(NULL);
	struct timespec ts;
	char clock[16];
	long up;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	for value_each(r, all) {
		up = domid_of(r) ? now - value_get_int(r, "start_time", now) :
			ts.tv_sec;
		v = value_struct(&arena);
		copy_member(v, "name", r, "name_label");
		copy_member(v, "domid", r, "domid");
		value_set(v, "uptime", opt['j'] ? INT(up) : STRING(span(up)));
		value_append(out, v);
		if (opt['s'] && !opt['j'])
			printf(" %s up %s, %s (%d)\n", clock, span(up),
			       value_get_string(v, "name", "?"), domid_of(r));
	}
	if (opt['j'])
		return print_json(out);
	return opt['s'] ? 0 :
	       print_table(NULL, columns, ARRAY_SIZE(columns), out);
}

/* Shares of the time since the round before. */
static void top_round(struct value *all, struct value *before, double wall)
{
	static const struct column columns[] = {
		{ "%-20s", "NAME", "name_label" },
		{ " %-6s", "STATE", "state" }, { " %10s", "CPU(sec)", "secs" },
		{ " %6s", "CPU(%)", "share" },
		{ " %10s", "MEM(k)", "memory_actual" },
		{ " %5s", "VCPUS", "vcpus_online" },
	};
	struct value *r, *old;
	double used;

	for value_each(r, all) {
		used = 0;
		for (old = before ? before->first : NULL; old; old = old->next)
			if (domid_of(old) == domid_of(r))
				used = cpu_time(r) - cpu_time(old);
		value_set(r, "secs", value_printf(&arena, "%.0f", cpu_time(r)));
		value_set(r, "share", value_double(&arena, 100 * used / wall));
	}
	print_table(NULL, columns, ARRAY_SIZE(columns), all);
	fflush(stdout);
}

int cmd_top(char **argv)
{
	int64_t delay = opt['d'] ? number(opt['d'], 1, 3600, "delay") : 3;
	int64_t rounds = opt['i'] ? number(opt['i'], 1, 1 << 30, "count") : -1;
	const char *which = opt['j'] ? FULL : BRIEF;
	struct value *all = records_of(argv, which), *before = NULL;

	if (opt['j'])
		return print_json(all);
	for (;;) {
		if (!opt['b'] && isatty(1))
			fputs("\033[H\033[J", stdout);
		top_round(all, before, delay);
		if (!--rounds)
			return 0;
		sleep(delay);
		before = all;
		all = records_of(argv, which);
	}
}

/* The disks or interfaces of domains. */
int cmd_devices(char **argv)
{
	/* What xl calls a disk's handle is its domain. */
	static const struct column disk[] = {
		{ "%-5s", "Vdev", "vdev" }, { " %-3s", "BE", "backend_id" },
		{ " %-6s", "handle", "frontend_id" },
		{ " %-5s", "state", "state" },
		{ " %-6s", "evt-ch", "evtchn" },
		{ " %-8s", "ring-ref", "ring_ref" },
		{ " %-30s", "BE-path", "backend" },
	}, vif[] = {
		{ "%-3s", "Idx", "devid" }, { " %-2s", "BE", "backend_id" },
		{ " %s", "Mac Addr.", "mac" }, { "%6s", "handle", "handle" },
		{ " %5s", "state", "state" }, { " %6s", "evt-ch", "evtchn" },
		{ " %5s", "tx", "tx_ring_ref" },
		{ "/%-11s", "rx", "rx_ring_ref" },
		{ " %-30s", "BE-path", "backend" },
	};
	struct value *all = value_array(&arena), *list, *v;

	for (; *argv; argv++) {
		list = CALL(command->method, find_ref(*argv));
		for value_each(v, list)
			value_append(all, value_copy(&arena, v));
	}
	if (opt['j'])
		return print_json(all);
	if (!strcmp(command->detail, "disk"))
		return print_table(NULL, disk, ARRAY_SIZE(disk), all);
	return print_table("Idx BE Mac Addr.         handle state evt-ch   "
			   "tx-/rx-ring-ref BE-path                       ",
			   vif, ARRAY_SIZE(vif), all);
}

/* The machine and its hypervisor. */
int cmd_info(char **argv)
{
	struct value *record = CALL(command->method, HOST), *v;

	if (!*argv && opt['j'])
		return print_json(record);
	if (*argv) {
		v = value_get(record, *argv);
		if (!v)
			fatalx("info: no '%s': xm info shows all", *argv);
		return print_plain(v);
	}
	for value_each(v, record) {
		printf("%-23s: ", v->name);
		print_plain(v);
	}
	return 0;
}

int cmd_dmesg(char **argv)
{
	struct value *clear = value_bool(&arena, opt['c']);
	struct value *v = CALL(command->method, HOST, clear);

	(void)argv;
	if (opt['j'] || v->type != VALUE_STRING)
		return print_json(v);
	fputs(v->s, stdout);
	return 0;
}
