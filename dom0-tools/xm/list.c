// SPDX-License-Identifier: GPL-2.0
/*
 * What domains there are and what they use.  Columns are those of xl.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "xm.h"

static const char *name_of(const struct value *r)
{
	return value_get_string(r, "name_label", "?");
}

static int domid_of(const struct value *r)
{
	return value_get_int(r, "domid", -1);
}

static void copy_member(struct value *to, const char *as,
			const struct value *from, const char *name)
{
	struct value *v = value_get(from, name);

	if (v)
		value_set(to, as, arena_copy(&arena, v, sizeof(*v)));
	if (to->last)
		to->last->next = NULL;
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

static int list_long(const struct value *all)
{
	struct value *out = value_array(&arena), *r;

	for value_each(r, all)
		value_append(out, details(r));
	print_json(out);
	return 0;
}

int cmd_list(char **argv)
{
	struct value *all = records_of(argv), *r;

	if (opt['l'])
		return list_long(all);
	if (opt_json)
		return print_json(all), 0;
	printf("%-40s %5s %5s %5s\tState\tTime(s)%s\n", "Name", "ID", "Mem",
	       "VCPUs", opt['v'] ? "   UUID" : "");
	for value_each(r, all) {
		printf("%-40s %5d %5lld %5lld     %s  %8.1f", name_of(r),
		       domid_of(r), (long long)
		       value_get_int(r, "memory_dynamic", 0) / 1024,
		       (long long)value_get_int(r, "vcpus_online", 0),
		       value_get_string(r, "state", "------"),
		       value_get_double(r, "cpu_time", 0));
		if (opt['v'])
			printf(" %s", value_get_string(r, "uuid", "-"));
		putchar('\n');
	}
	return 0;
}

static void print_vcpu(const struct value *r, const struct value *v)
{
	const struct value *on = value_get(v, "online");
	bool online = !on || on->b;

	printf("%-32s %5d %5lld ", name_of(r), domid_of(r),
	       (long long)value_get_int(v, "vcpu", 0));
	if (online)
		printf("%5lld ", (long long)value_get_int(v, "cpu", 0));
	else
		printf("%5s ", "-");
	printf("%5s %9.1f  %s / %s\n",
	       online ? value_get_string(v, "state", "---") : "--p",
	       value_get_double(v, "time", 0),
	       value_get_string(v, "affinity_hard", "all"),
	       value_get_string(v, "affinity_soft", "all"));
}

int cmd_vcpu_list(char **argv)
{
	struct value *all = records_of(argv), *out, *r, *v, *vcpus;

	out = value_array(&arena);
	if (!opt_json)
		printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU",
		       "CPU", "State", "Time(s)", "Affinity (Hard / Soft)");
	for value_each(r, all) {
		vcpus = value_get(r, "vcpus");
		if (!vcpus || vcpus->type != VALUE_ARRAY)
			continue;
		if (opt_json) {
			v = value_struct(&arena);
			copy_member(v, "name", r, "name_label");
			copy_member(v, "domid", r, "domid");
			copy_member(v, "vcpus", r, "vcpus");
			value_append(out, v);
			continue;
		}
		for value_each(v, vcpus)
			print_vcpu(r, v);
	}
	if (opt_json)
		print_json(out);
	return 0;
}

int cmd_domid(char **argv)
{
	int domid = domid_of(find_record(*argv));

	if (opt_json)
		print_json(INT(domid));
	else
		printf("%d\n", domid);
	return 0;
}

int cmd_domname(char **argv)
{
	const char *name = name_of(find_record(*argv));

	if (opt_json)
		print_json(STRING(name));
	else
		puts(name);
	return 0;
}

static const char *span(long s)
{
	char *days = "";

	if (s >= 86400)
		days = arena_printf(&arena, "%ld day%s, ", s / 86400,
				    s >= 2 * 86400 ? "s" : "");
	s %= 86400;
	return opt['s'] ?
		arena_printf(&arena, "%s%2ld:%02ld", days, s / 3600,
			     s / 60 % 60) :
		arena_printf(&arena, "%s%2ld:%02ld:%02ld", days, s / 3600,
			     s / 60 % 60, s % 60);
}

static long seconds_up(const struct value *r, time_t now)
{
	struct timespec ts;

	if (domid_of(r))
		return now - value_get_int(r, "start_time", now);
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec;
}

int cmd_uptime(char **argv)
{
	struct value *all = records_of(argv), *r, *out, *v;
	time_t now = time(NULL);
	char clock[16];

	out = value_array(&arena);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	if (!opt['s'] && !opt_json)
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
	for value_each(r, all) {
		if (opt_json) {
			v = value_struct(&arena);
			copy_member(v, "name", r, "name_label");
			copy_member(v, "domid", r, "domid");
			value_set(v, "uptime", INT(seconds_up(r, now)));
			value_append(out, v);
		} else if (opt['s']) {
			printf(" %s up %s, %s (%d)\n", clock,
			       span(seconds_up(r, now)), name_of(r),
			       domid_of(r));
		} else {
			printf("%-33s %4d %s\n", name_of(r), domid_of(r),
			       span(seconds_up(r, now)));
		}
	}
	if (opt_json)
		print_json(out);
	return 0;
}

/* Shares of the time since the round before. */
static void top_round(struct value *all, struct value *before, double wall)
{
	struct value *r, *old;
	double used;

	printf("%-20s %-6s %10s %6s %10s %5s\n", "NAME", "STATE", "CPU(sec)",
	       "CPU(%)", "MEM(k)", "VCPUS");
	for value_each(r, all) {
		used = 0;
		for (old = before ? before->first : NULL; old; old = old->next)
			if (domid_of(old) == domid_of(r))
				used = value_get_double(r, "cpu_time", 0) -
				       value_get_double(old, "cpu_time", 0);
		printf("%-20s %-6s %10.0f %6.1f %10lld %5lld\n", name_of(r),
		       value_get_string(r, "state", ""),
		       value_get_double(r, "cpu_time", 0), 100 * used / wall,
		       (long long)value_get_int(r, "memory_dynamic", 0),
		       (long long)value_get_int(r, "vcpus_online", 0));
	}
	fflush(stdout);
}

/* Waits; false if the operator has typed q. */
static bool top_wait(int64_t seconds, bool typed)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	char c = 0;

	if (poll(&p, typed, seconds * 1000) <= 0)
		return true;
	return read(0, &c, 1) == 1 && c != 'q';
}

int cmd_top(char **argv)
{
	int64_t delay = opt['d'] ? number(opt['d'], 1, 3600, "delay") : 3;
	int64_t rounds = opt['i'] ? number(opt['i'], 1, 1 << 30, "count") : -1;
	bool screen = !opt['b'] && !opt_json && isatty(0) && isatty(1);
	struct value *all, *before = NULL;
	struct termios old, raw;

	(void)argv;
	if (screen) {
		tcgetattr(0, &old);
		raw = old;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(0, TCSANOW, &raw);
	}
	do {
		all = all_records();
		if (opt_json)
			return print_json(all), 0;
		if (screen)
			fputs("\033[H\033[J", stdout);
		top_round(all, before, delay);
		before = all;
	} while (--rounds && top_wait(delay, screen));
	if (screen)
		tcsetattr(0, TCSANOW, &old);
	return 0;
}
