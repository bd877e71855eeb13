// SPDX-License-Identifier: GPL-2.0
/*
 * Domain files in xl.cfg's syntax: KEY = VALUE, where a value is a number, a
 * string or a list, ended by a new line or ';'.
 *
 * The first thing that is wrong ends the work with FILE:LINE and a reason; a
 * key that we do not know is named and left out.  A key given again counts
 * anew, so that a command line's assignments go over the file's.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include "conf.h"

#define CONF_FILE_MAX	(1u << 20)
#define CONF_NAME_MAX	128

struct key {
	const char *name;
	bool (*take)(struct conf *c, const struct key *k, struct value *v);
	int64_t min, max;	/* of a number */
};

/* Starts an empty record. */
void conf_init(struct conf *c, struct arena *a)
{
	*c = (struct conf){ .arena = a, .file = "", .domain = value_struct(a),
			    .notes = value_array(a) };
}

static char *sentence(struct conf *c, const char *fmt, va_list ap)
{
	char s[512];

	vsnprintf(s, sizeof(s), fmt, ap);
	return c->line ? arena_printf(c->arena, "%s:%u: %s", c->file, c->line,
				      s) :
		arena_printf(c->arena, "%s%s%s", c->file,
			     *c->file ? ": " : "", s);
}

/* Ends the work; false, for the caller to hand on. */
bool conf_wrong(struct conf *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!c->error)
		c->error = sentence(c, fmt, ap);
	va_end(ap);
	if (!c->error)
		c->error = "out of memory";
	return false;
}

/* Tells of something that is ignored. */
void conf_note(struct conf *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	value_append(c->notes, value_string(c->arena, sentence(c, fmt, ap)));
	va_end(ap);
}

/* Puts a checked value in the record, in place of an earlier one. */
static bool put(struct conf *c, const char *key, struct value *v)
{
	struct value *old = value_get(c->domain, key), *next;

	if (!v || !c->domain)
		return conf_wrong(c, "out of memory");
	if (!old) {
		value_set(c->domain, key, v);
		return true;
	}
	next = old->next;
	*old = *v;
	old->name = key;
	old->next = next;
	return true;
}

static bool take_string(struct conf *c, const struct key *k, struct value *v)
{
	if (v->type == VALUE_INT)
		v = value_printf(c->arena, "%lld", (long long)v->i);
	else if (v->type != VALUE_STRING)
		return conf_wrong(c, "%s: a string is wanted", k->name);
	return put(c, k->name, v);
}

static bool take_number(struct conf *c, const struct key *k, struct value *v)
{
	char *end = "";
	int64_t n = v->i;

	if (v->type == VALUE_STRING && *v->s)
		n = strtoll(v->s, &end, 0);
	else if (v->type != VALUE_INT)
		return conf_wrong(c, "%s: a number is wanted", k->name);
	if (*end)
		return conf_wrong(c, "%s: '%s' is not a number", k->name,
				  v->s);
	if (n < k->min || n > k->max)
		return conf_wrong(c, "%s: %lld is not in %lld to %lld",
				  k->name, (long long)n, (long long)k->min,
				  (long long)k->max);
	return put(c, k->name, value_int(c->arena, n));
}

static bool take_name(struct conf *c, const struct key *k, struct value *v)
{
	if (v->type != VALUE_STRING || !*v->s || strlen(v->s) > CONF_NAME_MAX ||
	    strpbrk(v->s, "/ \t\n") || !v->s[strspn(v->s, "0123456789")])
		return conf_wrong(c, "name: a word of at most %d characters is "
				  "wanted, without '/' and not a number",
				  CONF_NAME_MAX);
	return put(c, k->name, v);
}

static bool take_uuid(struct conf *c, const struct key *k, struct value *v)
{
	uuid_t uuid;

	if (v->type != VALUE_STRING || uuid_parse(v->s, uuid))
		return conf_wrong(c, "uuid: not of the form "
				  "01234567-89ab-cdef-0123-456789abcdef");
	return put(c, k->name, v);
}

static bool take_path(struct conf *c, const struct key *k, struct value *v)
{
	char cwd[PATH_MAX];

	if (v->type != VALUE_STRING || !*v->s)
		return conf_wrong(c, "%s: a path is wanted", k->name);
	if (*v->s != '/' && getcwd(cwd, sizeof(cwd)))
		v = value_printf(c->arena, "%s/%s", cwd, v->s);
	return put(c, k->name, v);
}

static bool take_action(struct conf *c, const struct key *k, struct value *v)
{
	static const char *const actions[] = { "destroy", "restart",
		"rename-restart", "preserve" };
	const char *s = v->type == VALUE_STRING ? v->s : "";
	unsigned int i;

	if (!strncmp(s, "coredump-", 9)) {
		conf_note(c, "%s: no core is dumped", k->name);
		s += 9;
	}
	for (i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(s, actions[i]))
			return put(c, k->name, value_string(c->arena, s));
	return conf_wrong(c, "%s: one of destroy, restart, rename-restart, "
			  "preserve is wanted", k->name);
}

static bool take_cpus(struct conf *c, const struct key *k, struct value *v)
{
	struct value *item;

	if (v->type != VALUE_ARRAY)
		return take_string(c, k, v);
	for value_each(item, v)
		if (item->type != VALUE_STRING)
			return conf_wrong(c, "cpus: a list has strings in it");
	return put(c, k->name, v);
}

/* type and builder: only PV guests are built. */
static bool take_type(struct conf *c, const struct key *k, struct value *v)
{
	if (v->type == VALUE_STRING && (!strcmp(v->s, "pv") ||
	    !strcmp(v->s, "generic") || !strcmp(v->s, "linux")))
		return true;
	return conf_wrong(c, "%s: only PV guests can run here: use type = "
			  "\"pv\"", k->name);
}

static bool take_list(struct conf *c, const struct key *k, struct value *v)
{
	bool disks = !strcmp(k->name, "disk");
	struct value *item;

	if (v->type != VALUE_ARRAY)
		return conf_wrong(c, "%s: a list is wanted: [ '...' ]",
				  k->name);
	if (!put(c, k->name, value_array(c->arena)))
		return false;
	for value_each(item, v)
		if (item->type != VALUE_STRING)
			return conf_wrong(c, "%s: strings are wanted in the "
					  "list", k->name);
		else if (!(disks ? conf_add_disk(c, conf_disk(c, item->s)) :
			   conf_add_vif(c, conf_vif(c, item->s))))
			return false;
	return true;
}

static const struct key keys[] = {
	{ "name", take_name, 0, 0 },
	{ "uuid", take_uuid, 0, 0 },
	{ "memory", take_number, 4, 1 << 24 },
	{ "maxmem", take_number, 4, 1 << 24 },
	{ "vcpus", take_number, 1, 64 },
	{ "maxvcpus", take_number, 1, 64 },
	{ "cpus", take_cpus, 0, 0 },
	{ "cpu_weight", take_number, 1, 65535 },
	{ "cap", take_number, 0, 6400 },
	{ "kernel", take_path, 0, 0 },
	{ "ramdisk", take_path, 0, 0 },
	{ "cmdline", take_string, 0, 0 },
	{ "extra", take_string, 0, 0 },
	{ "root", take_string, 0, 0 },
	{ "disk", take_list, 0, 0 },
	{ "vif", take_list, 0, 0 },
	{ "on_poweroff", take_action, 0, 0 },
	{ "on_reboot", take_action, 0, 0 },
	{ "on_crash", take_action, 0, 0 },
	{ "on_watchdog", take_action, 0, 0 },
	{ "max_grant_frames", take_number, 1, 1 << 16 },
	{ "max_event_channels", take_number, 16, 1 << 17 },
	{ "type", take_type, 0, 0 },
	{ "builder", take_type, 0, 0 },
};

/* One key's value, checked; false if it is wrong. */
bool conf_set(struct conf *c, const char *key, struct value *v)
{
	unsigned int i;

	if (!v || v->broken)
		return conf_wrong(c, "out of memory");
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].name, key))
			return keys[i].take(c, &keys[i], v);
	conf_note(c, "unknown key '%s' ignored", key);
	return true;
}

/* Disks and network interfaces. */

static bool add(struct conf *c, const char *key, struct value *v)
{
	if (!v)
		return false;
	if (!value_get(c->domain, key) && !put(c, key, value_array(c->arena)))
		return false;
	value_append(value_get(c->domain, key), v);
	return true;
}

static bool vdev_good(const char *s)
{
	size_t n = !strncmp(s, "xvd", 3) ? 3 :
		!strncmp(s, "sd", 2) || !strncmp(s, "hd", 2) ? 2 : 0;
	size_t letters = strspn(s + n, "abcdefghijklmnopqrstuvwxyz");

	s += n + letters;
	return n && letters && letters < 3 && strspn(s, "0123456789") ==
		strlen(s) && strlen(s) < 3;
}

/* Adds a disk to the record if it is whole. */
bool conf_add_disk(struct conf *c, struct value *disk)
{
	struct value *other;
	const char *vdev;

	if (!disk)
		return false;
	vdev = value_get_string(disk, "vdev", "");
	if (!vdev_good(vdev))
		return conf_wrong(c, "disk: vdev '%s' is not of the form xvda",
				  vdev);
	if (!value_get(disk, "target"))
		return conf_wrong(c, "disk: %s has no target: a file or block "
				  "device is wanted", vdev);
	other = value_get(c->domain, "disk");
	for (other = other ? other->first : NULL; other; other = other->next)
		if (!strcmp(value_get_string(other, "vdev", ""), vdev))
			return conf_wrong(c, "disk: %s twice", vdev);
	return add(c, "disk", disk);
}

bool conf_add_vif(struct conf *c, struct value *vif)
{
	return add(c, "vif", vif);
}

static char *trimmed(char *s)
{
	char *end;

	s += strspn(s, " \t\n");
	for (end = s + strlen(s); end > s && strchr(" \t\n", end[-1]);)
		*--end = 0;
	return s;
}

static bool disk_access(struct conf *c, struct value *disk, const char *s)
{
	bool rw = !strcmp(s, "rw") || !strcmp(s, "w");

	if (!rw && strcmp(s, "r") && strcmp(s, "ro"))
		return conf_wrong(c, "disk: access '%s': rw or ro is wanted",
				  s);
	value_set(disk, "access", value_string(c->arena, rw ? "rw" : "ro"));
	return true;
}

static bool disk_format(struct conf *c, struct value *disk, const char *s)
{
	if (*s && strcmp(s, "raw"))
		return conf_wrong(c, "disk: format '%s': only raw images and "
				  "block devices can be used", s);
	value_set(disk, "format", value_string(c->arena, "raw"));
	return true;
}

static bool disk_target(struct conf *c, struct value *disk, const char *s)
{
	char cwd[PATH_MAX] = "/dev";
	bool device = !strncmp(s, "phy:", 4);

	if (device || !strncmp(s, "file:", 5)) {
		s += device ? 4 : 5;
		disk_format(c, disk, "raw");
	}
	if (!*s)
		return true;
	if (!device && *s != '/' && !getcwd(cwd, sizeof(cwd)))
		return conf_wrong(c, "disk: %s: give a whole path", s);
	value_set(disk, "target", *s == '/' ? value_string(c->arena, s) :
		  value_printf(c->arena, "%s/%s", cwd, s));
	return true;
}

static bool disk_pair(struct conf *c, struct value *disk, const char *key,
		      const char *s)
{
	if (!strcmp(key, "format"))
		return disk_format(c, disk, s);
	if (!strcmp(key, "access"))
		return disk_access(c, disk, s);
	if (!strcmp(key, "backendtype") && strcmp(s, "phy"))
		return conf_wrong(c, "disk: backendtype '%s': only phy", s);
	if (!strcmp(key, "vdev") || !strcmp(key, "backendtype"))
		value_set(disk, !strcmp(key, "vdev") ? "vdev" : "backendtype",
			  value_string(c->arena, s));
	else if (!strcmp(key, "script"))
		value_set(disk, "script", value_string(c->arena, s));
	else
		conf_note(c, "disk: unknown key '%s' ignored", key);
	return true;
}

/* What stands at the next place without a key. */
static bool disk_place(struct conf *c, struct value *disk, const char *s)
{
	if (!value_get(disk, "target"))
		return disk_target(c, disk, s);
	if (!value_get(disk, "format"))
		return disk_format(c, disk, s);
	if (!value_get(disk, "vdev"))
		return disk_pair(c, disk, "vdev", s);
	if (!value_get(disk, "access"))
		return disk_access(c, disk, s);
	return conf_wrong(c, "disk: '%s' is one too many", s);
}

/*
 * A disk in either spelling: TARGET,FORMAT,VDEV,ACCESS and KEY=VALUE mixed,
 * with target=... last; or phy:TARGET,VDEV,ACCESS.  NULL: conf_wrong().
 */
struct value *conf_disk(struct conf *c, const char *spec)
{
	struct value *disk = value_struct(c->arena);
	char *s = arena_copy(c->arena, spec, strlen(spec)), *word, *value;
	bool ok = true;

	if (!disk || !s)
		return conf_wrong(c, "out of memory"), NULL;
	while (ok && s) {
		s += strspn(s, " \t\n");
		if (!strncmp(s, "target=", 7)) {
			ok = disk_target(c, disk, trimmed(s + 7));
			break;
		}
		word = strsep(&s, ",");
		value = strchr(word, '=');
		if (value && *word != '/' && !strchr(word, ':')) {
			*value++ = 0;
			ok = disk_pair(c, disk, trimmed(word), trimmed(value));
		} else {
			ok = disk_place(c, disk, trimmed(word));
		}
	}
	if (ok && !value_get(disk, "format"))
		disk_format(c, disk, "raw");
	if (ok && !value_get(disk, "access"))
		disk_access(c, disk, "rw");
	return ok ? disk : NULL;
}

static bool mac_good(const char *s)
{
	unsigned int i, first = strtoul(s, NULL, 16);

	for (i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return !s[17] && !(first & 1);
}

/* An interface: mac=..., bridge=..., and so on.  NULL: conf_wrong(). */
struct value *conf_vif(struct conf *c, const char *spec)
{
	static const char *const known[] = { "mac", "bridge", "script", "ip",
		"vifname", "rate" };
	struct value *vif = value_struct(c->arena);
	char *s = arena_copy(c->arena, spec, strlen(spec)), *word, *value;
	unsigned int i;

	if (!vif || !s)
		return conf_wrong(c, "out of memory"), NULL;
	while ((word = strsep(&s, ","))) {
		word = trimmed(word);
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (!value)
			return conf_wrong(c, "vif: '%s' is not KEY=VALUE",
					  word), NULL;
		*value++ = 0;
		word = trimmed(word);
		value = trimmed(value);
		if (!strcmp(word, "mac") && !mac_good(value))
			return conf_wrong(c, "vif: mac '%s' is not of the form "
					  "00:16:3e:00:00:01", value), NULL;
		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (!strcmp(word, known[i]))
				break;
		if (i < ARRAY_SIZE(known))
			value_set(vif, known[i],
				  value_string(c->arena, value));
		else
			conf_note(c, "vif: unknown key '%s' ignored", word);
	}
	return vif;
}

/* The syntax. */

/* Over blanks and comments; over ends of lines too, inside a list. */
static const char *skip(struct conf *c, const char *p, bool lines)
{
	for (;; p++) {
		if (*p == '#')
			p += strcspn(p, "\n");
		if (*p == '\n' && lines)
			c->line++;
		else if (*p != ' ' && *p != '\t' && *p != '\r')
			return p;
	}
}

/* How much of a line to show in a message. */
static int rest(const char *p)
{
	size_t n = strcspn(p, "\n");

	return n < 20 ? n : 20;
}

static const char *read_string(struct conf *c, const char *p,
			       struct value **v)
{
	const char *end = p + 1;
	char *s, *to;

	while (*end && *end != *p && *end != '\n')
		end += 1 + (*end == '\\' && end[1]);
	if (*end != *p)
		return conf_wrong(c, "a string without its end"), NULL;
	s = to = arena_alloc(c->arena, end - p);
	if (!s)
		return conf_wrong(c, "out of memory"), NULL;
	for (p++; p < end; p++) {
		if (*p == '\\') {
			p++;
			*to++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
		} else {
			*to++ = *p;
		}
	}
	*v = value_string(c->arena, s);
	return end + 1;
}

/* A value at p; what stands behind it, or NULL. */
static const char *read_value(struct conf *c, const char *p, bool in_list,
			      struct value **v)
{
	struct value *item;
	char *end;

	if (*p == '\'' || *p == '"')
		return read_string(c, p, v);
	if (isdigit((unsigned char)*p)) {
		*v = value_int(c->arena, strtoll(p, &end, 0));
		if (!isalnum((unsigned char)*end) && *end != '_')
			return end;
	}
	if (*p != '[' || in_list)
		return conf_wrong(c, "a number, a quoted string or a list is "
				  "wanted at '%.*s'", rest(p), p), NULL;
	*v = value_array(c->arena);
	for (p = skip(c, p + 1, true); *p != ']'; p = skip(c, p, true)) {
		p = read_value(c, p, true, &item);
		if (!p)
			return NULL;
		value_append(*v, item);
		p = skip(c, p, true);
		if (*p == ',')
			p++;
		else if (*p != ']')
			return conf_wrong(c, "',' or ']' is wanted at '%.*s'",
					  rest(p), p), NULL;
	}
	return p + 1;
}

/* Takes all assignments of a text; false, and c->error, if one is wrong. */
bool conf_parse(struct conf *c, const char *file, const char *text)
{
	unsigned int line;
	struct value *v;
	const char *p;
	char *key;
	size_t n;

	c->file = file;
	c->line = 1;
	for (p = skip(c, text, true); *p; p = skip(c, p, true)) {
		n = strspn(p, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
		key = arena_copy(c->arena, p, n);
		p = skip(c, p + n, false);
		if (!n || !key || *p != '=')
			return conf_wrong(c, "KEY = VALUE is wanted at '%.*s'",
					  rest(n && key ? key : p),
					  n && key ? key : p);
		line = c->line;
		p = read_value(c, skip(c, p + 1, false), false, &v);
		if (!p)
			return false;
		p = skip(c, p, false);
		if (*p && *p != '\n' && *p != ';')
			return conf_wrong(c, "nothing is wanted behind the "
					  "value of %s", key);
		p += *p == ';';
		n = c->line;		/* errors name the key's line */
		c->line = line;
		if (!conf_set(c, key, v))
			return false;
		c->line = n;
	}
	c->line = 0;
	return true;
}

/* Takes a file: xl.cfg's syntax, or libvirt's XML. */
bool conf_load(struct conf *c, const char *file)
{
	char *text = arena_alloc(c->arena, CONF_FILE_MAX + 1);
	FILE *f = fopen(file, "re");
	size_t len;
	bool bad;

	c->file = file;
	if (!f || !text)
		return conf_wrong(c, "%s", f ? "out of memory" :
				  strerror(errno));
	len = fread(text, 1, CONF_FILE_MAX + 1, f);
	bad = ferror(f);
	fclose(f);
	if (bad || len > CONF_FILE_MAX)
		return conf_wrong(c, "%s", bad ? strerror(errno) :
				  "too long for a domain file");
	text[len] = 0;
	if (strlen(text) != len)
		return conf_wrong(c, "not a text file");
	if (text[strspn(text, " \t\r\n")] == '<')
		return conf_parse_xml(c, file, text, len);
	return conf_parse(c, file, text);
}

/* Takes a member out of the record: that member, or NULL. */
static struct value *take_away(struct conf *c, const char *key)
{
	struct value **at, *v;

	for (at = &c->domain->first; (v = *at); at = &v->next)
		if (!strcmp(v->name, key))
			break;
	if (!v)
		return NULL;
	*at = v->next;
	c->domain->count--;
	c->domain->last = c->domain->first;
	while (c->domain->last && c->domain->last->next)
		c->domain->last = c->domain->last->next;
	return v;
}

/* The record as a whole: what depends on several keys. */
bool conf_finish(struct conf *c)
{
	struct value *root, *extra, *d = c->domain;

	c->line = 0;
	if (!d || d->broken || !c->notes || c->notes->broken)
		return conf_wrong(c, "out of memory");
	root = take_away(c, "root");
	extra = take_away(c, "extra");
	if (value_get(d, "cmdline") && (root || extra))
		conf_note(c, "root and extra ignored: cmdline is given");
	else if (root || extra)
		put(c, "cmdline", value_printf(c->arena, "%s%s%s%s",
			root ? "root=" : "", root ? root->s : "",
			root && extra ? " " : "", extra ? extra->s : ""));
	if (!value_get(d, "name"))
		return conf_wrong(c, "no name = \"...\"");
	if (!value_get(d, "kernel"))
		return conf_wrong(c, "no kernel = \"FILE\"");
	if (!value_get(d, "memory"))
		put(c, "memory", value_int(c->arena,
					   value_get_int(d, "maxmem", 128)));
	if (value_get_int(d, "maxmem", INT_MAX) < value_get_int(d, "memory", 0))
		return conf_wrong(c, "maxmem is less than memory");
	if (value_get_int(d, "maxvcpus", INT_MAX) <
	    value_get_int(d, "vcpus", 1))
		return conf_wrong(c, "maxvcpus is less than vcpus");
	return !c->error;
}
