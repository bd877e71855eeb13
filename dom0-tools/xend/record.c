// SPDX-License-Identifier: GPL-2.0
/*
 * Records of guests: checking them, and the files that keep them while xend
 * does not run.  The files lie in /run: they need not outlive the machine's
 * guests.
 */
#include <ctype.h>
#include <uuid/uuid.h>
#include "../lib/conf.h"
#include "xend.h"

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

/* Which a vCPU may use: all have one list, or some a list each. */
bool record_vcpu_cpus(const struct value *r, unsigned int vcpu, uint64_t *mask)
{
	const struct value *own = value_item(value_get(r, "cpus"), vcpu);

	return record_cpus(own ? own->s : value_get_string(r, "cpus", "all"),
			   ~0ull, mask);
}

/* --- checks ---------------------------------------------------------- */
static const char *check_keys(struct arena *a, const char *device,
			      const struct value *r)
{
	const char *why = NULL;
	const struct value *v;
	const struct key *k;

	if (!r || r->type != VALUE_STRUCT)
		return "a struct is needed";
	for (v = r->first; v && !why; v = v->next) {
		k = key_find(device, v->name);
		/* check_devices() has the lists. */
		why = k && k->kind == DEVICES ? NULL : key_wrong(a, k, v);
	}
	return why;
}

/* One disk's part of a record. */
const char *record_check_disk(struct arena *a, struct value *disk)
{
	const char *why = check_keys(a, "disk", disk);
	const char *vdev = value_get_string(disk, "vdev", "missing");

	if (why)
		return arena_printf(a, "disk: %s", why);
	if (!record_vdev(vdev))
		return arena_printf(a, "disk: vdev is %s, has to be like xvda",
				    vdev);
	return *value_get_string(disk, "target", "") == '/' ? NULL :
	       arena_printf(a, "disk %s: target has to begin with /", vdev);
}

/* One interface's; it gets an address if it has none. */
const char *record_check_vif(struct arena *a, struct value *vif)
{
	const char *why = check_keys(a, "vif", vif);
	uuid_t id;

	if (why)
		return arena_printf(a, "vif: %s", why);
	if (!value_get(vif, "mac")) {
		uuid_generate_random(id);	/* bytes 0 to 5 wholly */
		value_set(vif, "mac", value_printf(a, "00:16:3e:%02x:%02x:%02x",
						   id[0] & 0x7f, id[1], id[2]));
	}
	return NULL;
}

static const char *check_devices(struct arena *a, struct value *r,
				 const char *key)
{
	struct value *list = value_get(r, key), *v, *other;
	const char *why, *vdev;

	if (!list)
		value_set(r, key, value_array(a));
	if (list && list->type != VALUE_ARRAY)
		return "disk, vif: have to be lists";
	for (v = list ? list->first : NULL; v; v = v->next) {
		why = strcmp(key, "vif") ? record_check_disk(a, v) :
					   record_check_vif(a, v);
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

/*
 * NULL, or which key is wrong and what it should be.  Lists that are missing
 * are there after it.
 */
const char *record_check(struct arena *a, struct value *r)
{
	const char *why = check_keys(a, "", r);
	unsigned int i;
	uint64_t mask;

	why = why ? why : keys_wrong(r);
	for (i = 0; !why && i < 64; i++)
		if (!record_vcpu_cpus(r, i, &mask))
			why = "cpus: has to be like 0-2,^1";
	if (why)
		return why;
	why = check_devices(a, r, "disk");
	return why ? why : check_devices(a, r, "vif");
}

/* --- files ----------------------------------------------------------- */
/* NULL if there is none that can be read. */
struct value *record_load(struct arena *a, const char *uuid)
{
	FILE *f = fopen(arena_printf(a, RECORD_DIR "/%s", uuid), "re");
	struct value *params = NULL;
	const char *method;
	char *text = NULL;
	size_t len = 0;

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
	char *temp = arena_printf(&a, RECORD_DIR "/.%s", uuid), *text;
	struct value *params = value_array(&a);
	FILE *f = fopen(temp, "we");
	size_t len;
	int rc;

	value_append(params, value_copy(&a, record));
	text = rpc_format_call(&a, "record", params, &len);
	rc = f && fwrite(text, 1, len, f) == len && !fclose(f) &&
	     !rename(temp, arena_printf(&a, RECORD_DIR "/%s", uuid)) ? 0 :
	     -errno;
	unlink(temp);		/* if it is still there */
	arena_release(&a);
	return rc;
}
