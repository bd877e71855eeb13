// SPDX-License-Identifier: GPL-2.0
/*
 * Domain files in libvirt's XML: what it says about PV guests, through the
 * same checks as xl.cfg's keys.  Nothing is fetched, and a document type is
 * refused.
 */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>
#include "conf.h"

static bool is(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE &&
	       !strcmp((const char *)n->name, name);
}

/* Copies of an element's text and of an attribute; NULL: there is none. */
static const char *taken(struct conf *c, xmlChar *x)
{
	const char *s = x ? (const char *)x : NULL;
	char *copy;

	if (!s)
		return NULL;
	s += strspn(s, " \t\r\n");
	copy = arena_copy(c->arena, s, strlen(s));
	for (s = copy; copy && *s; s++)
		if (!s[strspn(s, " \t\r\n")])
			copy[s - copy] = 0;
	xmlFree(x);
	return copy;
}

static const char *text(struct conf *c, xmlNode *n)
{
	return taken(c, xmlNodeGetContent(n));
}

static const char *attribute(struct conf *c, xmlNode *n, const char *name)
{
	return n ? taken(c, xmlGetProp(n, (const xmlChar *)name)) : NULL;
}

static xmlNode *child(xmlNode *n, const char *name)
{
	for (n = n->children; n; n = n->next)
		if (is(n, name))
			return n;
	return NULL;
}

static bool set(struct conf *c, const char *key, const char *s)
{
	return !s || conf_set(c, key, value_string(c->arena, s));
}

static bool set_memory(struct conf *c, xmlNode *n, const char *key)
{
	static const struct {
		const char *name;
		double kib;
	} units[] = {
		{ "KiB", 1 }, { "k", 1 }, { "MiB", 1024 }, { "M", 1024 },
		{ "GiB", 1 << 20 }, { "G", 1 << 20 }, { "b", 1.0 / 1024 },
		{ "bytes", 1.0 / 1024 }, { "MB", 1e6 / 1024 },
		{ "GB", 1e9 / 1024 }, { "KB", 1e3 / 1024 },
	};
	const char *unit = attribute(c, n, "unit"), *s = text(c, n);
	char *end = NULL;
	double d = s ? strtod(s, &end) : -1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (!unit || !strcmp(unit, units[i].name))
			break;
	if (!(d > 0 && d < 1e15) || *end || i == ARRAY_SIZE(units))
		return conf_wrong(c, "%s: '%s' %s is no amount of memory",
				  n->name, s ? s : "", unit ? unit : "");
	return conf_set(c, key, value_int(c->arena, d * units[i].kib / 1024));
}

static bool set_vcpu(struct conf *c, xmlNode *n)
{
	const char *current = attribute(c, n, "current"), *max = text(c, n);

	return set(c, "cpus", attribute(c, n, "cpuset")) &&
	       set(c, "maxvcpus", max) &&
	       set(c, "vcpus", current ? current : max);
}

static bool set_os(struct conf *c, xmlNode *n)
{
	const char *s;
	bool ok = true;

	for (n = n->children; n && ok; n = n->next) {
		c->line = xmlGetLineNo(n);
		s = text(c, n);
		if (is(n, "type") && strcmp(s ? s : "", "linux") &&
		    strcmp(s ? s : "", "xen"))
			ok = conf_wrong(c, "type '%s': only PV guests can run "
					"here (type linux)", s ? s : "");
		else if (is(n, "kernel") || is(n, "cmdline"))
			ok = set(c, is(n, "kernel") ? "kernel" : "cmdline", s);
		else if (is(n, "initrd") || is(n, "root"))
			ok = set(c, is(n, "root") ? "root" : "ramdisk", s);
		else if (n->type == XML_ELEMENT_NODE && !is(n, "type"))
			conf_note(c, "os: '%s' ignored", n->name);
	}
	return ok;
}

static void member(struct conf *c, struct value *v, const char *key,
		   const char *s)
{
	if (s)
		value_set(v, key, value_string(c->arena, s));
}

static bool add_disk(struct conf *c, xmlNode *n)
{
	struct value *v = value_struct(c->arena);
	xmlNode *source = child(n, "source"), *driver = child(n, "driver");
	const char *format = attribute(c, driver, "type");
	const char *target = attribute(c, source, "file");

	if (format && strcmp(format, "raw"))
		return conf_wrong(c, "disk: format '%s': only raw images and "
				  "block devices can be used", format);
	member(c, v, "format", "raw");
	member(c, v, "target", target ? target : attribute(c, source, "dev"));
	member(c, v, "vdev", attribute(c, child(n, "target"), "dev"));
	member(c, v, "access", child(n, "readonly") ? "ro" : "rw");
	return conf_add_disk(c, v);
}

static bool add_vif(struct conf *c, xmlNode *n)
{
	static const char *const parts[][3] = {	/* element, attribute, key */
		{ "mac", "address", "mac" }, { "source", "bridge", "bridge" },
		{ "script", "path", "script" }, { "ip", "address", "ip" },
		{ "target", "dev", "vifname" },
	};
	char *spec = arena_printf(c->arena, "%s", "");
	const char *s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts) && spec; i++) {
		s = attribute(c, child(n, parts[i][0]), parts[i][1]);
		if (s && strchr(s, ','))
			return conf_wrong(c, "interface: ',' in '%s'", s);
		if (s)
			spec = arena_printf(c->arena, "%s%s=%s,", spec,
					    parts[i][2], s);
	}
	return spec ? conf_add_vif(c, conf_vif(c, spec)) :
		conf_wrong(c, "out of memory");
}

static bool set_devices(struct conf *c, xmlNode *n)
{
	bool ok = true;

	for (n = n->children; n && ok; n = n->next) {
		c->line = xmlGetLineNo(n);
		if (is(n, "disk"))
			ok = add_disk(c, n);
		else if (is(n, "interface"))
			ok = add_vif(c, n);
		else if (n->type == XML_ELEMENT_NODE && !is(n, "console") &&
			 !is(n, "emulator"))
			conf_note(c, "device '%s' ignored", n->name);
	}
	return ok;
}

static bool set_domain(struct conf *c, xmlNode *n)
{
	static const char *const same[] = { "name", "uuid", "on_poweroff",
		"on_reboot", "on_crash" };
	unsigned int i;

	if (n->type != XML_ELEMENT_NODE)
		return true;
	c->line = xmlGetLineNo(n);
	for (i = 0; i < ARRAY_SIZE(same); i++)
		if (is(n, same[i]))
			return set(c, same[i], text(c, n));
	if (is(n, "memory") || is(n, "currentMemory"))
		return set_memory(c, n, is(n, "memory") ? "maxmem" : "memory");
	if (is(n, "vcpu"))
		return set_vcpu(c, n);
	if (is(n, "os"))
		return set_os(c, n);
	if (is(n, "devices"))
		return set_devices(c, n);
	conf_note(c, "'%s' ignored", n->name);
	return true;
}

/* Takes a whole document; false, and c->error, if something is wrong. */
bool conf_parse_xml(struct conf *c, const char *file, const char *xml,
		    size_t len)
{
	xmlNode *root, *n;
	xmlDoc *doc;
	bool ok;

	c->file = file;
	doc = xml_read(xml, len, &c->line);
	if (!doc)
		return conf_wrong(c, "not well-formed XML, or with a document "
				  "type");
	root = xmlDocGetRootElement(doc);
	ok = root && is(root, "domain");
	if (!ok)
		conf_wrong(c, "not a libvirt <domain>");
	for (n = ok ? root->children : NULL; n && ok; n = n->next)
		ok = set_domain(c, n);
	xmlFreeDoc(doc);
	c->line = 0;
	return ok;
}
