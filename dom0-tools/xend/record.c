// SPDX-License-Identifier: GPL-2.0
/*
 * Records of guests: checking them, and the files that keep them while xend
 * does not run.  The files lie in /run: they need not outlive the machine's
 * guests.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "record.h"

#define CMDLINE_MAX	1023

/* --- small parsers --------------------------------------------------- */
/* The number of a disk's name (xvda1, sdb, hdc); 0 if it is none. */
unsigned int record_vdev(const char *name)
{
	static const char prefixes[3][4] = { "xvd", "sd", "hd" };
	unsigned int kind, disk = 0, part = 0, n;

	for (kind = 0; kind < 3; kind++)
		if (!strncmp(name, prefixes[kind], strlen(prefixes[kind])))
			break;
	if (kind == 3)
		return 0;
	name += strlen(prefixes[kind]);
	for (n = 0; islower(*name) && n < 3; n++)
		disk = (disk + (n > 0)) * 26 + (*name++ - 'a');
	if (!n || islower(*name) || *name == '0')
		return 0;
	for (; isdigit(*name) && part < 256; name++)
		part = part * 10 + (*name - '0');
	if (*name || part > 255)
		return 0;
	if (kind == 0 && (disk > 15 || part > 15))
		return 1u << 28 | disk << 8 | part;
	if (kind == 2)
		return disk > 3 || part > 63 ? 0 :
		       (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | part;
	return disk > 15 || part > 15 ? 0 :
	       (kind ? 8u : 202u) << 8 | disk << 4 | part;
}

/* One "N" or "N-M"; false if it is neither or beyond 63. */
static bool cpu_range(const char **p, uint64_t *bits)
{
	unsigned long low, high;
	char *end;

	if (!isdigit(**p))
		return false;
	low = high = strtoul(*p, &end, 10);
	if (*end == '-') {
		if (!isdigit(end[1]))
			return false;
		high = strtoul(end + 1, &end, 10);
	}
	*p = end;
	if (low > high || high > 63)
		return false;
	*bits = (~0ull >> (63 - (high - low))) << low;
	return true;
}

/* "all", or a list such as "0-2,^1"; at least one CPU that is online. */
bool record_cpus(const char *text, uint64_t online, uint64_t *mask)
{
	uint64_t bits;
	bool not;

	*mask = 0;
	if (!strcmp(text, "all") || !*text) {
		*mask = ~0ull;
		return true;
	}
	for (; *text; text += *text == ',') {
		not = *text == '^';
		text += not;
		if (!cpu_range(&text, &bits) || (*text && *text != ','))
			return false;
		*mask = not ? *mask & ~bits : *mask | bits;
	}
	return *mask & online;
}

/* With or without its dashes. */
bool record_uuid(const char *text, uint8_t uuid[16])
{
	unsigned int i, byte;

	for (i = 0; i < 16; i++, text += 2) {
		text += *text == '-';
		if (!isxdigit(text[0]) || !isxdigit(text[1]) ||
		    sscanf(text, "%2x", &byte) != 1)
			return false;
		uuid[i] = byte;
	}
	return !*text;
}

/* The usual form. */
void record_uuid_text(const uint8_t uuid[16], char text[UUID_CHARS])
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		text += sprintf(text, "%s%02x", i == 4 || i == 6 || i == 8 ||
				i == 10 ? "-" : "", uuid[i]);
}

/* A random one. */
void record_uuid_new(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		fatal("no random numbers");
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

/* --- checks ---------------------------------------------------------- */
static const struct {
	const char *name;
	int64_t low, high;
} numbers[] = {
	{ "memory", 4, 1 << 24 }, { "maxmem", 4, 1 << 24 },
	{ "vcpus", 1, 64 }, { "maxvcpus", 1, 64 },
	{ "cpu_weight", 1, 65535 }, { "cap", 0, 6400 },
	{ "max_grant_frames", 1, 65535 }, { "max_event_channels", 5, 4095 },
};

static const char *const strings[] = {
	"name", "uuid", "kernel", "ramdisk", "cmdline", "cpus", "on_poweroff",
	"on_reboot", "on_crash", "on_watchdog",
};

static const char *const policies[] = {
	"destroy", "restart", "preserve",
};

static bool is_policy(const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (!strcmp(text, policies[i]))
			return true;
	return false;
}

static const char *check_types(struct arena *a, const struct value *r)
{
	const struct value *v;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		v = value_get(r, numbers[i].name);
		if (v && (v->type != VALUE_INT || v->i < numbers[i].low ||
			  v->i > numbers[i].high))
			return arena_printf(a, "%s: a number from %lld to %lld",
					    numbers[i].name,
					    (long long)numbers[i].low,
					    (long long)numbers[i].high);
	}
	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		v = value_get(r, strings[i]);
		if (v && v->type != VALUE_STRING)
			return arena_printf(a, "%s: has to be a string",
					    strings[i]);
		if (v && !strncmp(strings[i], "on_", 3) && !is_policy(v->s))
			return arena_printf(a, "%s: destroy, restart or preserve, not %s",
					    strings[i], v->s);
	}
	return NULL;
}

static bool name_ok(const char *s)
{
	const char *p;

	for (p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.+:@ ", *p))
			return false;
	return *s && p - s < 100;
}

/* A value that goes into the store as it is, and to shell scripts. */
static const char *text_of(const struct value *v, const char *key,
			   const char *otherwise)
{
	const struct value *m = value_get(v, key);
	const char *p;

	if (!m)
		return otherwise;
	if (m->type != VALUE_STRING)
		return "\n";
	for (p = m->s; *p; p++)
		if ((unsigned char)*p < ' ')
			return "\n";
	return p - m->s < 1024 ? m->s : "\n";
}

/* One disk's part of a record. */
const char *record_check_disk(struct arena *a, const struct value *disk)
{
	const char *vdev = text_of(disk, "vdev", "");
	const char *how = text_of(disk, "access", "rw");
	const char *backend = text_of(disk, "backendtype", "phy");

	if (!record_vdev(vdev))
		return arena_printf(a, "disk: vdev is %s, has to be like xvda",
				    *vdev ? vdev : "missing");
	if (*text_of(disk, "target", "") != '/')
		return arena_printf(a, "disk %s: target has to begin with /",
				    vdev);
	if (strcmp(text_of(disk, "format", "raw"), "raw"))
		return arena_printf(a, "disk %s: only format raw is there",
				    vdev);
	if (strcmp(how, "rw") && strcmp(how, "w") && strcmp(how, "r") &&
	    strcmp(how, "ro"))
		return arena_printf(a, "disk %s: access is rw or ro", vdev);
	if (*backend && strcmp(backend, "phy"))
		return arena_printf(a, "disk %s: only backendtype phy is there",
				    vdev);
	if (*text_of(disk, "script", "block") == '\n')
		return arena_printf(a, "disk %s: bad script", vdev);
	return NULL;
}

/* One interface's; it gets an address if it has none. */
const char *record_check_vif(struct arena *a, struct value *vif)
{
	static const char *const keys[] = {
		"bridge", "script", "ip", "rate", "vifname", "gatewaydev",
	};
	const char *mac = text_of(vif, "mac", NULL);
	unsigned int i, b[6];
	uint8_t id[16];
	char c;

	if (vif->type != VALUE_STRUCT)
		return "vif: has to be a struct";
	if (!mac) {
		record_uuid_new(id);
		value_set(vif, "mac", value_printf(a, "00:16:3e:%02x:%02x:%02x",
						   id[0] & 0x7f, id[1], id[2]));
	} else if (strlen(mac) != 17 ||
		   sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1],
			  &b[2], &b[3], &b[4], &b[5], &c) != 6 || b[0] & 1) {
		return arena_printf(a, "vif: %s is no address of an interface",
				    *mac == '\n' ? "mac" : mac);
	}
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (*text_of(vif, keys[i], "") == '\n')
			return arena_printf(a, "vif: bad %s", keys[i]);
	return NULL;
}

static const char *check_devices(struct arena *a, const struct value *r)
{
	const struct value *disks = value_get(r, "disk"), *other;
	const struct value *vifs = value_get(r, "vif");
	const char *why = NULL;
	struct value *v;

	if ((disks && disks->type != VALUE_ARRAY) ||
	    (vifs && vifs->type != VALUE_ARRAY))
		return "disk, vif: have to be lists";
	if (disks)
		for value_each(v, disks) {
			why = record_check_disk(a, v);
			if (why)
				return why;
			for (other = disks->first; other != v;
			     other = other->next)
				if (record_vdev(text_of(other, "vdev", "")) ==
				    record_vdev(text_of(v, "vdev", "")))
					return arena_printf(a, "disk %s: is there twice",
							    text_of(v, "vdev", ""));
		}
	if (vifs)
		for value_each(v, vifs) {
			why = record_check_vif(a, v);
			if (why)
				return why;
		}
	return NULL;
}

/* NULL, or which key is wrong and what it should be. */
const char *record_check(struct arena *a, struct value *r)
{
	const char *why;
	uint8_t uuid[16];
	uint64_t mask;

	if (!r || r->type != VALUE_STRUCT)
		return "a struct is needed";
	why = check_types(a, r);
	if (why)
		return why;
	if (!name_ok(value_get_string(r, "name", "")))
		return "name: missing, too long, or with odd characters";
	if (!value_get_string(r, "kernel", NULL))
		return "kernel: missing";
	if (!value_get(r, "memory"))
		return "memory: missing";
	if (value_get_int(r, "maxmem", 1 << 24) < value_get_int(r, "memory", 0))
		return "maxmem: is less than memory";
	if (value_get_int(r, "maxvcpus", 64) < value_get_int(r, "vcpus", 1))
		return "maxvcpus: is less than vcpus";
	if (strlen(value_get_string(r, "cmdline", "")) > CMDLINE_MAX)
		return "cmdline: is too long";
	if (!record_cpus(value_get_string(r, "cpus", "all"), ~0ull, &mask))
		return "cpus: has to be like 0-2,^1";
	if (!record_uuid(value_get_string(r, "uuid", ""), uuid))
		return "uuid: has to be 32 hexadecimal digits";
	return check_devices(a, r);
}

/* --- files ----------------------------------------------------------- */
/* NULL if there is none that can be read. */
struct value *record_load(struct arena *a, const char *uuid)
{
	char *path = arena_printf(a, RECORD_DIR "/%s", uuid), *text = NULL;
	struct value *params = NULL;
	const char *method;
	size_t len = 0;
	FILE *f = path ? fopen(path, "re") : NULL;

	if (!f)
		return NULL;
	if (getdelim(&text, &len, 0, f) > 0 &&
	    rpc_parse_call(a, text, strlen(text), &method, &params))
		params = NULL;
	free(text);
	fclose(f);
	return params ? value_item(params, 0) : NULL;
}

/* Whole or not at all. */
int record_save(struct arena *a, const char *uuid, const struct value *record)
{
	char *path = arena_printf(a, RECORD_DIR "/%s", uuid);
	char *temp = arena_printf(a, RECORD_DIR "/.%s", uuid), *text;
	struct value *params = value_array(a);
	struct value *copy = arena_copy(a, record, sizeof(*record));
	size_t len;
	FILE *f;

	if (copy)
		copy->next = NULL;
	value_append(params, copy);
	text = rpc_format_call(a, "record", params, &len);
	if (!path || !temp || !text)
		return -ENOMEM;
	f = fopen(temp, "we");
	if (!f)
		return -errno;
	if (fwrite(text, 1, len, f) != len || fclose(f) || rename(temp, path))
		return -errno;
	return 0;
}

/* The guest is gone. */
void record_forget(const char *uuid)
{
	char path[128];

	snprintf(path, sizeof(path), RECORD_DIR "/%s", uuid);
	unlink(path);
}
