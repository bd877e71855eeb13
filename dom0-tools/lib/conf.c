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
#include <limits.h>
#include "conf.h"

#define CONF_FILE_MAX	(1u << 20)

/* Starts an empty record. */
void conf_init(struct conf *c, struct arena *a)
{
	*c = (struct conf){ .arena = a, .file = "", .domain = value_struct(a),
			    .notes = value_array(a) };
}

static char *sentence(struct conf *c, const char *fmt, va_list ap)
{
	char *s = arena_vprintf(c->arena, fmt, ap);

	return c->line ?
		arena_printf(c->arena, "%s:%u: %s", c->file, c->line, s) :
		arena_printf(c->arena, "%s%s%s", c->file,
			     *c->file ? ": " : "", s);
}

/* Ends the work; NULL, or false, for the caller to hand on. */
void *conf_wrong(struct conf *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!c->error)
		c->error = sentence(c, fmt, ap);
	va_end(ap);
	return NULL;
}

/* Tells of something that is ignored; true, for the caller to hand on. */
bool conf_note(struct conf *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	value_append(c->notes, value_string(c->arena, sentence(c, fmt, ap)));
	va_end(ap);
	return true;
}

/* s as a whole path: a relative one starts in folder, NULL for where we are. */
static const char *whole_path(struct conf *c, const char *s,
			      const char *folder)
{
	char cwd[PATH_MAX];

	if (!folder)
		folder = getcwd(cwd, sizeof(cwd));
	return *s == '/' || !folder ? s :
		arena_printf(c->arena, "%s/%s", folder, s);
}

/* A list of disks or interfaces. */
static bool set_devices(struct conf *c, const char *key, struct value *list)
{
	struct value *item;

	value_put(c->domain, key, value_array(c->arena));
	for value_each(item, list) {
		if (item->type != VALUE_STRING)
			return conf_wrong(c, "%s: strings are wanted in the "
					  "list", key);
		if (!conf_add(c, key, item->s))
			return false;
	}
	return true;
}

/* One key's value, checked; false if it is wrong. */
bool conf_set(struct conf *c, const char *key, struct value *v)
{
	const char *s = v->type == VALUE_STRING ? v->s : NULL;
	const struct key *k = key_find("", key);
	const char *why;
	int64_t n;
	char *end;

	if (!k)
		return conf_note(c, "unknown key '%s' ignored", key);
	if (v->type == VALUE_INT)
		s = arena_printf(c->arena, "%lld", (long long)v->i);
	if (!s && k->kind == DEVICES)
		return set_devices(c, k->name, v);
	if (s && k->kind == NUMBER) {
		n = strtoll(s, &end, 0);
		v = *s && !*end ? value_int(c->arena, n) : v;
	} else if (s) {
		v = value_string(c->arena, s);
	}
	why = key_wrong(c->arena, k, v);
	if (why)
		return conf_wrong(c, "%s", why);
	if (k->kind == PATH && *s)
		v->s = whole_path(c, s, NULL);
	if (!strcmp(key, "root"))
		c->root = s;
	else if (!strcmp(key, "extra"))
		c->extra = s;
	else if (k->kind != IGNORED)
		value_put(c->domain, k->name, v);
	return true;
}

/* Disks and network interfaces. */

static bool part_set(struct conf *c, const char *device, struct value *v,
		     const char *key, const char *s)
{
	const struct key *k = key_find(device, key);
	bool phy = !strncmp(s, "phy:", 4);
	const char *why;

	if (!k)
		return conf_note(c, "%s: unknown key '%s' ignored", device,
				 key);
	why = key_wrong(c->arena, k, value_string(c->arena, s));
	if (why)
		return conf_wrong(c, "%s: %s", device, why);
	if (!strcmp(key, "target")) {
		if (phy || !strncmp(s, "file:", 5)) {
			s += phy ? 4 : 5;
			part_set(c, device, v, "format", "raw");
		}
		if (!*s)
			return true;
		s = whole_path(c, s, phy ? "/dev" : NULL);
	} else if (!strcmp(key, "format")) {
		s = "raw";
	} else if (!strcmp(key, "access")) {
		s = strchr(s, 'w') ? "rw" : "ro";
	}
	value_set(v, k->name, value_string(c->arena, s));
	return true;
}

/* A disk as a whole, among those before it. */
static bool disk_finish(struct conf *c, struct value *disk)
{
	const char *vdev = value_get_string(disk, "vdev", "");
	struct value *other = value_get(c->domain, "disk");

	if (!value_get(disk, "format"))
		part_set(c, "disk", disk, "format", "");
	if (!value_get(disk, "access"))
		part_set(c, "disk", disk, "access", "rw");
	if (!*vdev)
		return part_set(c, "disk", disk, "vdev", "");
	if (!value_get(disk, "target"))
		return conf_wrong(c, "disk: %s has no target: a file or block "
				  "device is wanted", vdev);
	for (other = other ? other->first : NULL; other; other = other->next)
		if (!strcmp(value_get_string(other, "vdev", ""), vdev))
			return conf_wrong(c, "disk: %s twice", vdev);
	return true;
}

/* s without the blanks around it. */
char *conf_trimmed(char *s)
{
	char *end;

	s += strspn(s, " \t\r\n");
	for (end = s + strlen(s); end > s && strchr(" \t\r\n", end[-1]);)
		*--end = 0;
	return s;
}

/*
 * Adds what spec says to the record's disks or interfaces, as key is "disk"
 * or "vif": KEY=VALUE,...  A disk's target=... comes last and may have commas
 * in it; its words without a key are TARGET,FORMAT,VDEV,ACCESS in that order,
 * without FORMAT behind phy:TARGET.
 */
bool conf_add(struct conf *c, const char *key, const char *spec)
{
	static const char *const places[] = {
		"target", "format", "vdev", "access", NULL,
	};
	struct value *v = value_struct(c->arena);
	char *s = arena_copy(c->arena, spec, strlen(spec)), *word, *value;
	bool disk = !strcmp(key, "disk");
	const char *const *place = places;
	const char *name;
	size_t n;

	while (s) {
		s += strspn(s, " \t\n");
		if (disk && !strncmp(s, "target=", 7)) {
			word = s;
			s = NULL;
		} else {
			word = strsep(&s, ",");
		}
		n = strcspn(word, "/:=");
		if (word[n] == '=') {
			word[n] = 0;
			name = conf_trimmed(word);
			value = conf_trimmed(word + n + 1);
		} else {
			while (*place && value_get(v, *place))
				place++;
			name = *place;
			value = conf_trimmed(word);
			if (!disk && !*value)
				continue;
			if (!disk || !name)
				return conf_wrong(c, "%s: '%s' is one too many"
						  ", or not KEY=VALUE", key,
						  value);
		}
		if (!part_set(c, key, v, name, value))
			return false;
	}
	if (disk && !disk_finish(c, v))
		return false;
	if (!value_get(c->domain, key))
		value_put(c->domain, key, value_array(c->arena));
	value_append(value_get(c->domain, key), v);
	return true;
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

static struct value *read_string(struct conf *c, const char **at)
{
	const char *p = *at, quote = *p++;
	char *s = arena_alloc(c->arena, strcspn(p, "\n") + 1), *to = s;

	for (; *p != quote; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			*to++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
		} else {
			*to++ = *p;
		}
		if (!*p || *p == '\n')
			return conf_wrong(c, "a string without its end");
	}
	*at = p + 1;
	return value_string(c->arena, s);
}

/* The value at *at, which moves behind it; NULL: conf_wrong(). */
static struct value *read_value(struct conf *c, const char **at, bool in_list)
{
	const char *p = *at;
	struct value *v, *item;
	char *end;

	if (*p == '\'' || *p == '"')
		return read_string(c, at);
	if (isdigit((unsigned char)*p)) {
		v = value_int(c->arena, strtoll(p, &end, 0));
		*at = end;
		if (!isalnum((unsigned char)*end) && *end != '_')
			return v;
	}
	if (*p != '[' || in_list)
		return conf_wrong(c, "a number, a quoted string or a list is "
				  "wanted at '%.*s'", (int)strcspn(p, "\n"),
				  p);
	v = value_array(c->arena);
	for (p = skip(c, p + 1, true); *p != ']'; p = skip(c, p, true)) {
		item = read_value(c, &p, true);
		if (!item)
			return NULL;
		value_append(v, item);
		p = skip(c, p, true);
		if (*p == ',')
			p++;
		else if (*p != ']')
			return conf_wrong(c, "',' or ']' is wanted at '%.*s'",
					  (int)strcspn(p, "\n"), p);
	}
	*at = p + 1;
	return v;
}

/* Takes all assignments of a text; false, and c->error, if one is wrong. */
bool conf_parse(struct conf *c, const char *file, const char *text)
{
	unsigned int line, next;
	struct value *v;
	const char *p;
	char *key;
	size_t n;

	c->file = file;
	c->line = 1;
	for (p = skip(c, text, true); *p; p = skip(c, p, true)) {
		for (n = 0; isalnum((unsigned char)p[n]) || p[n] == '_';)
			n++;
		key = arena_copy(c->arena, p, n);
		line = c->line;		/* errors name the key's line */
		p = skip(c, p + n, false);
		if (!n || *p != '=')
			return conf_wrong(c, "KEY = VALUE is wanted at "
					  "'%s%.*s'", key,
					  (int)strcspn(p, "\n"), p);
		p = skip(c, p + 1, false);
		v = read_value(c, &p, false);
		if (!v)
			return false;
		p = skip(c, p, false);
		if (*p && *p != '\n' && *p != ';')
			return conf_wrong(c, "nothing is wanted behind the "
					  "value of %s", key);
		p += *p == ';';
		next = c->line;
		c->line = line;
		if (!conf_set(c, key, v))
			return false;
		c->line = next;
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

	c->file = file;
	len = f ? fread(text, 1, CONF_FILE_MAX, f) : 0;
	if (!f || ferror(f))
		return conf_wrong(c, "%s", strerror(errno));
	fclose(f);
	if (len == CONF_FILE_MAX || strlen(text) != len)
		return conf_wrong(c, "not a text file, or too long");
	if (text[strspn(text, " \t\r\n")] == '<')
		return conf_parse_xml(c, file, text, len);
	return conf_parse(c, file, text);
}

/* The record as a whole: what depends on several keys. */
bool conf_finish(struct conf *c)
{
	struct value *d = c->domain;
	bool both = c->root && c->extra;
	const char *why;

	c->line = 0;
	if (value_get(d, "cmdline") && (c->root || c->extra))
		conf_note(c, "root and extra ignored: cmdline is given");
	else if (c->root || c->extra)
		value_put(d, "cmdline", value_printf(c->arena, "%s%s%s%s",
			  c->root ? "root=" : "", c->root ? c->root : "",
			  both ? " " : "", c->extra ? c->extra : ""));
	if (!value_get(d, "memory"))
		value_put(d, "memory", value_int(c->arena,
			  value_get_int(d, "maxmem", 128)));
	why = keys_wrong(d);
	return !why || conf_wrong(c, "%s", why);
}
