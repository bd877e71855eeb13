// SPDX-License-Identifier: GPL-2.0
/*
 * Disks and network interfaces of running domains.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xm.h"

/* The words behind the domain, as one specification. */
static const char *joined(char **words)
{
	const char *s = "";

	for (; *words; words++)
		s = arena_printf(&arena, "%s%s%s", s, *s ? "," : "", *words);
	return s;
}

static int attach(char **argv, bool disk)
{
	const char *key = disk ? "disk" : "vif";
	struct value *ref = find_ref(argv[0]);
	struct conf c;

	conf_init(&c, &arena);
	if (!conf_add(&c, key, joined(argv + 1)))
		fatalx("%s", c.error);
	CALL(disk ? "VBD.attach" : "VIF.attach", ref,
	     value_item(value_get(c.domain, key), 0));
	return 0;
}

int cmd_block_attach(char **argv)
{
	return attach(argv, true);
}

int cmd_network_attach(char **argv)
{
	return attach(argv, false);
}

static struct value *device_id(const char *s)
{
	return s[strspn(s, "0123456789")] ? STRING(s) : INT(atoll(s));
}

int cmd_block_detach(char **argv)
{
	CALL("VBD.detach", find_ref(argv[0]), device_id(argv[1]),
	     BOOL(opt['f']));
	return 0;
}

int cmd_network_detach(char **argv)
{
	CALL("VIF.detach", find_ref(argv[0]), device_id(argv[1]));
	return 0;
}

static int get(const struct value *v, const char *name)
{
	return value_get_int(v, name, -1);
}

/* What xl calls a disk's handle is its domain. */
static void print_disk(const struct value *v, int domid)
{
	printf("%-5d %-3d %-6d %-5d %-6d %-8d %-30s\n", get(v, "vdev"),
	       get(v, "backend_id"), domid, get(v, "state"), get(v, "evtchn"),
	       get(v, "ring_ref"),
	       value_get_string(v, "backend", ""));
}

static void print_vif(const struct value *v, int domid)
{
	(void)domid;
	printf("%-3d %-2d %s%6d %5d %6d %5d/%-11d %-30s\n", get(v, "devid"),
	       get(v, "backend_id"), value_get_string(v, "mac", ""),
	       get(v, "handle"), get(v, "state"), get(v, "evtchn"),
	       get(v, "tx_ring_ref"), get(v, "rx_ring_ref"),
	       value_get_string(v, "backend", ""));
}

static int list(char **argv, const char *method,
		void (*print)(const struct value *v, int domid))
{
	struct value *all = value_array(&arena), *v, *next;
	int domid;

	for (; *argv; argv++) {
		domid = value_get_int(find_record(*argv), "domid", -1);
		v = CALL(method, find_ref(*argv))->first;
		for (; v; v = next) {
			next = v->next;
			v->next = NULL;
			value_append(all, v);
			if (!opt_json)
				print(v, domid);
		}
	}
	if (opt_json)
		print_json(all);
	return 0;
}

int cmd_block_list(char **argv)
{
	if (!opt_json)
		printf("%-5s %-3s %-6s %-5s %-6s %-8s %-30s\n", "Vdev", "BE",
		       "handle", "state", "evt-ch", "ring-ref", "BE-path");
	return list(argv, "VBD.list", print_disk);
}

int cmd_network_list(char **argv)
{
	if (!opt_json)
		printf("%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-5s %-30s\n",
		       "Idx", "BE", "Mac Addr.", "handle", "state", "evt-ch",
		       "tx-", "rx-ring-ref", "BE-path");
	return list(argv, "VIF.list", print_vif);
}
