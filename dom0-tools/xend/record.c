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
#include <uuid/uuid.h>
#include "record.h"

/* --- small parsers --------------------------------------------------- */
/* The number of a disk's name (xvda1, sdb, hdc); 0 if it is none. */
unsigned int record_vdev(const char *name)
{
	unsigned int major = !strncmp(name, "xvd", 3) ? 202 :
			     !strncmp(name, "sd", 2) ? 8 :
			     !strncmp(name, "hd", 2) ? 3 : 0;
	unsigned int disk = 0, part, n;

	if (!major)
		return 0;
	name += major == 202 ? 3 : 2;
	for (n = 0; islower(*name) && n < 3; n++)
		disk = (disk + (n > 0)) * 26 + (*name++ - 'a');
	if (!n || *name == '0' || name[strspn(name, "0123456789")])
		return 0;
	part = strlen(name) > 3 ? 999 : strtoul(name, NULL, 10);
	if (major == 3)
		return disk > 3 || part > 63 ? 0 :
		       (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | part;
	if (disk < 16 && part < 16)
		return major << 8 | disk << 4 | part;
	return major == 202 && part < 256 ? 1u << 28 | disk << 8 | part : 0;
}

/* "all", or a list such as "0-2,^1"; at least one CPU that is online. */
bool record_cpus(const char *text, uint64_t online, uint64_t *mask)
{
	unsigned long low, high;
	uint64_t bits;
	char *end;
	bool not;

	*mask = *text && strcmp(text, "all") ? 0 : ~0ull;
	if (*mask)
		return true;
	for (; *text; text = end + (*end == ',')) {
		not = *text == '^';
		text += not;
		if (!isdigit(*text))
			return false;
		low = high = strtoul(text, &end, 10);
		if (*end == '-' && isdigit(end[1]))
			high = strtoul(end + 1, &end, 10);
		if (low > high || high > 63 || (*end && *end != ','))
			return false;
		bits = (~0ull >> (63 - (high - low))) << low;
		*mask = not ? *mask & ~bits : *mask | bits;
	}
	return *mask & online;
}

/* --- checks ---------------------------------------------------------- */
static const struct {
	const char *name;
	int64_t low, high;		/* high 0: a string */
} keys[] = {
	{ "memory", 4, 1 << 24 }, { "maxmem", 4, 1 << 24 },
	{ "vcpus", 1, 64 }, { "maxvcpus", 1, 64 },
	{ "cpu_weight", 1, 65535 }, { "cap", 0, 6400 },
	{ "max_grant_frames", 1, 65535 }, { "max_event_channels", 5, 4095 },
	{ "name", 0, 0 }, { "uuid", 0, 0 }, { "kernel", 0, 0 },
	{ "ramdisk", 0, 0 }, { "cmdline", 0, 0 }, { "cpus", 0, 0 },
	{ "on_poweroff", 0, 0 }, { "on_reboot", 0, 0 }, { "on_crash", 0, 0 },
	{ "on_watchdog", 0, 0 },
};

static const char *const policies[] = {
	"destroy", "restart", "preserve", "rename-restart", "coredump-destroy",
	"coredump-restart", NULL,
};

static const char *check_types(struct arena *a, const struct value *r)
{
	const char *const *p;
	const struct value *v;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		v = value_get(r, keys[i].name);
		if (!v)
			continue;
		if (keys[i].high && (v->type != VALUE_INT ||
				     v->i < keys[i].low || v->i > keys[i].high))
			return arena_printf(a, "%s: a number from %lld to %lld",
					    keys[i].name,
					    (long long)keys[i].low,
					    (long long)keys[i].high);
		if (!keys[i].high && v->type != VALUE_STRING)
			return arena_printf(a, "%s: has to be a string",
					    keys[i].name);
		if (strncmp(keys[i].name, "on_", 3))
			continue;
		for (p = policies; *p && strcmp(*p, v->s); p++)
			;
		if (!*p)
			return arena_printf(a, "%s: destroy, restart or preserve, not %s",
					    keys[i].name, v->s);
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
	if (m->type != VALUE_STRING || strlen(m->s) > 1023)
		return "\n";
	for (p = m->s; *p; p++)
		if ((unsigned char)*p < ' ')
			return "\n";
	return m->s;
}

/* One disk's part of a record. */
const char *record_check_disk(struct arena *a, struct value *disk)
{
	const char *vdev = text_of(disk, "vdev", "missing");
	const char *how = text_of(disk, "access", "rw");
	const char *backend = text_of(disk, "backendtype", "phy");

	if (!record_vdev(vdev))
		return arena_printf(a, "disk: vdev is %s, has to be like xvda",
				    vdev);
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
	return *text_of(disk, "script", "block") == '\n' ?
	       arena_printf(a, "disk %s: bad script", vdev) : NULL;
}

/* One interface's; it gets an address if it has none. */
const char *record_check_vif(struct arena *a, struct value *vif)
{
	static const char *const texts[] = {
		"bridge", "script", "ip", "rate", "vifname", "gatewaydev",
	};
	const char *mac = text_of(vif, "mac", NULL);
	unsigned int i, b[6];
	uint8_t id[3];
	char c;

	if (vif->type != VALUE_STRUCT)
		return "vif: has to be a struct";
	if (!mac) {
		if (getrandom(id, sizeof(id), 0) != sizeof(id))
			return "vif: no random numbers for its mac";
		value_set(vif, "mac", value_printf(a, "00:16:3e:%02x:%02x:%02x",
						   id[0] & 0x7f, id[1], id[2]));
	} else if (strlen(mac) != 17 ||
		   sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1],
			  &b[2], &b[3], &b[4], &b[5], &c) != 6 || b[0] & 1) {
		return arena_printf(a, "vif: %s is no address of an interface",
				    *mac == '\n' ? "mac" : mac);
	}
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (*text_of(vif, texts[i], "") == '\n')
			return arena_printf(a, "vif: bad %s", texts[i]);
	return NULL;
}

static const char *check_devices(struct arena *a, const struct value *r,
				 const char *key,
				 const char *(*check)(struct arena *a,
						      struct value *device))
{
	const struct value *list = value_get(r, key), *other;
	const char *why, *vdev;
	struct value *v;

	if (list && list->type != VALUE_ARRAY)
		return "disk, vif: have to be lists";
	for (v = list ? list->first : NULL; v; v = v->next) {
		why = check(a, v);
		if (why)
			return why;
		vdev = value_get_string(v, "vdev", "");
		for (other = list->first; other != v; other = other->next)
			if (*vdev && record_vdev(vdev) ==
			    record_vdev(value_get_string(other, "vdev", "")))
				return arena_printf(a, "disk %s: is there twice",
						    vdev);
	}
	return NULL;
}

/* NULL, or which key is wrong and what it should be. */
const char *record_check(struct arena *a, struct value *r)
{
	const char *why;
	uint64_t mask;
	uuid_t uuid;

	if (!r || r->type != VALUE_STRUCT)
		return "a struct is needed";
	why = check_types(a, r);
	if (why)
		return why;
	if (!name_ok(value_get_string(r, "name", "")))
		return "name: missing, too long, or with odd characters";
	if (!value_get(r, "kernel"))
		return "kernel: missing";
	if (!value_get(r, "memory"))
		return "memory: missing";
	if (value_get_int(r, "maxmem", 1 << 24) < value_get_int(r, "memory", 0))
		return "maxmem: is less than memory";
	if (value_get_int(r, "maxvcpus", 64) < value_get_int(r, "vcpus", 1))
		return "maxvcpus: is less than vcpus";
	if (strlen(value_get_string(r, "cmdline", "")) > 1023)
		return "cmdline: is too long";
	if (!record_cpus(value_get_string(r, "cpus", "all"), ~0ull, &mask))
		return "cpus: has to be like 0-2,^1";
	if (uuid_parse(value_get_string(r, "uuid", ""), uuid))
		return "uuid: is not of the form 8-4-4-4-12 hexadecimal digits";
	why = check_devices(a, r, "disk", record_check_disk);
	return why ? why : check_devices(a, r, "vif", record_check_vif);
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
	return value_item(params, 0);
}

/* Whole or not at all. */
int record_save(const char *uuid, const struct value *record)
{
	struct arena a = { 0 };
	char *path = arena_printf(&a, RECORD_DIR "/%s", uuid);
	char *temp = arena_printf(&a, RECORD_DIR "/.%s", uuid), *text;
	struct value *params = value_array(&a), copy = *record;
	int rc = -ENOMEM;
	size_t len;
	FILE *f;

	copy.next = NULL;
	value_append(params, &copy);
	text = rpc_format_call(&a, "record", params, &len);
	if (path && temp && text) {
		f = fopen(temp, "we");
		rc = f && fwrite(text, 1, len, f) == len && !fclose(f) &&
		     !rename(temp, path) ? 0 : -errno;
	}
	arena_release(&a);
	return rc;
}
