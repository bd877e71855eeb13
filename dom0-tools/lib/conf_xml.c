// SPDX-License-Identifier: GPL-2.0
/*
 * Domain files in libvirt's XML: what it says about PV guests, through the
 * same checks as xl.cfg's keys.  Nothing is fetched, and a document type is
 * refused.
 */
#include <ctype.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include "conf.h"

static bool is(const xmlNode *n, const char *name)
{
	return !strcmp((const char *)n->name, name);
}

/* A copy of an element's text or of an attribute; NULL: there is none. */
static const char *taken(struct conf *c, xmlChar *x)
{
	char *s = x ? arena_string(c->arena, (const char *)x) : NULL;

	xmlFree(x);
	return s ? conf_trimmed(s) : NULL;
}

static const char *text(struct conf *c, xmlNode *n)
{
	return taken(c, xmlNodeGetContent(n));
}

static const char *attribute(struct conf *c, xmlNode *n, const char *name)
{
	return taken(c, xmlGetProp(n, (const xmlChar *)name));
}

static bool set(struct conf *c, const char *key, const char *s)
{
	return !s || conf_set(c, key, value_string(c->arena, s));
}

static bool take_text(struct conf *c, xmlNode *n, const char *key)
{
	return set(c, key, text(c, n));
}

/* 1 GiB, 1024 M, 1 GB (a power of 1000), 512 bytes, or KiB without a unit. */
static bool take_memory(struct conf *c, xmlNode *n, const char *key)
{
	const char *unit = attribute(c, n, "unit"), *s = text(c, n);
	char *end = NULL, letter = unit ? tolower(*unit) : 'k';
	const char *letters = "bkmgt", *power = strchr(letters, letter);
	double d = s ? strtod(s, &end) : -1;
	int i;

	if (!(d > 0 && d < 1e15) || *end || !letter || !power)
		return conf_wrong(c, "%s: '%s' %s is no amount of memory",
				  n->name, s ? s : "", unit ? unit : "");
	for (i = power - letters; i > 0; i--)
		d *= unit && unit[1] == 'B' ? 1000 : 1024;
	return conf_set(c, key, value_int(c->arena, d / (1 << 20)));
}

static bool take_vcpu(struct conf *c, xmlNode *n, const char *key)
{
	const char *current = attribute(c, n, "current"), *max = text(c, n);

	return set(c, "cpus", attribute(c, n, "cpuset")) &&
	       set(c, "maxvcpus", max) && set(c, key, current ? current : max);
}

static xmlNode *child(xmlNode *n, const char *name)
{
	for (n = xmlFirstElementChild(n); n && !is(n, name);)
		n = xmlNextElementSibling(n);
	return n;
}

/* A disk or interface, as xl.cfg spells it; of a disk, the target goes last. */
static bool take_device(struct conf *c, xmlNode *n, const char *key)
{
	static const struct {
		const char *device, *element, *attribute, *key;
	} parts[] = {
		{ "vif", "mac", "address", "mac" },
		{ "vif", "source", "bridge", "bridge" },
		{ "vif", "script", "path", "script" },
		{ "vif", "ip", "address", "ip" },
		{ "vif", "target", "dev", "vifname" },
		{ "disk", "driver", "type", "format" },
		{ "disk", "target", "dev", "vdev" },
		{ "disk", "source", "file", "target" },
		{ "disk", "source", "dev", "target" },
	};
	const char *s, *spec = strcmp(key, "disk") ? "" :
		child(n, "readonly") ? "access=ro" : "access=rw";
	unsigned int i;
	xmlNode *part;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		part = strcmp(parts[i].device, key) ? NULL :
			child(n, parts[i].element);
		s = part ? attribute(c, part, parts[i].attribute) : NULL;
		if (s && strchr(s, ',') && strcmp(parts[i].key, "target"))
			return conf_wrong(c, "%s: ',' in '%s'", n->name, s);
		if (s)
			spec = arena_printf(c->arena, "%s,%s=%s", spec,
					    parts[i].key, s);
	}
	return conf_add(c, key, spec);
}

static bool take_children(struct conf *c, xmlNode *n, const char *kind);

static const struct rule {
	const char *parent, *name;
	bool (*take)(struct conf *c, xmlNode *n, const char *key);
	const char *key;
} rules[] = {
	{ "domain", "name", take_text, "name" },
	{ "domain", "uuid", take_text, "uuid" },
	{ "domain", "on_poweroff", take_text, "on_poweroff" },
	{ "domain", "on_reboot", take_text, "on_reboot" },
	{ "domain", "on_crash", take_text, "on_crash" },
	{ "domain", "memory", take_memory, "maxmem" },
	{ "domain", "currentMemory", take_memory, "memory" },
	{ "domain", "vcpu", take_vcpu, "vcpus" },
	{ "domain", "os", take_children, "os" },
	{ "domain", "devices", take_children, "device" },
	{ "os", "type", take_text, "type" },
	{ "os", "kernel", take_text, "kernel" },
	{ "os", "initrd", take_text, "ramdisk" },
	{ "os", "cmdline", take_text, "cmdline" },
	{ "os", "root", take_text, "root" },
	{ "devices", "disk", take_device, "disk" },
	{ "devices", "interface", take_device, "vif" },
	{ "devices", "console", NULL, NULL },
	{ "devices", "emulator", NULL, NULL },
};

static bool take_children(struct conf *c, xmlNode *n, const char *kind)
{
	const struct rule *r, *last = rules + ARRAY_SIZE(rules);
	xmlNode *m;

	for (m = xmlFirstElementChild(n); m; m = xmlNextElementSibling(m)) {
		c->line = xmlGetLineNo(m);
		for (r = rules; r < last; r++)
			if (is(n, r->parent) && is(m, r->name))
				break;
		if (r == last)
			conf_note(c, "%s '%s' ignored", kind, m->name);
		else if (r->take && !r->take(c, m, r->key))
			return false;
	}
	return true;
}

/* Takes a whole document; false, and c->error, if something is wrong. */
bool conf_parse_xml(struct conf *c, const char *file, const char *xml,
		    size_t len)
{
	xmlNode *root;
	xmlDoc *doc;
	bool ok;

	c->file = file;
	doc = xml_read(xml, len, &c->line);
	if (!doc)
		return conf_wrong(c, "not well-formed XML, or with a document "
				  "type");
	root = xmlDocGetRootElement(doc);
	ok = is(root, "domain") ? take_children(c, root, "domain") :
		(bool)conf_wrong(c, "not a libvirt <domain>");
	xmlFreeDoc(doc);
	c->line = 0;
	return ok;
}
