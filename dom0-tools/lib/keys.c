// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of domains and their devices.  What is given to the store, to hotplug
 * scripts and to xl as JSON has to be one line, whatever its name.
 */
#include <regex.h>
#include "conf.h"

#define LINE	0, 1023, ""
#define ACTION	0, 99, "^((coredump-)?(destroy|restart)|rename-restart|preserve)$", \
		"destroy, restart, rename-restart, preserve, " \
		"coredump-destroy or coredump-restart"
/* Only PV guests are built; libvirt calls them "linux" or "xen". */
#define TYPE	0, 99, "^(pv|generic|linux|xen)$", \
		"\"pv\", since only PV guests can run here,"

static const struct key keys[] = {
	/* A name that is a number would mean a domain's number. */
	{ "", "name", TEXT, 1, 99, "^[-0-9A-Za-z_.+:@]*[-A-Za-z_.+:@]"
	  "[-0-9A-Za-z_.+:@]*$", "a word of at most 99 letters, digits and "
	  "-_.+:@, and not a number," },
	{ "", "uuid", TEXT, 36, 36, "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-"
	  "[0-9a-fA-F]{12}$", "01234567-89ab-cdef-0123-456789abcdef" },
	{ "", "memory", NUMBER, 4, 1 << 24, NULL, NULL },
	{ "", "maxmem", NUMBER, 4, 1 << 24, NULL, NULL },
	{ "", "vcpus", NUMBER, 1, 64, NULL, NULL },
	{ "", "maxvcpus", NUMBER, 1, 64, NULL, NULL },
	{ "", "cpus", CPUS, 0, 1023, "^(all|(\\^?[0-9]+(-[0-9]+)?(,|$))*)$",
	  "a string like 0-2,^1, or a list of such," },
	{ "", "cpu_weight", NUMBER, 1, 65535, NULL, NULL },
	{ "", "cap", NUMBER, 0, 6400, NULL, NULL },
	{ "", "kernel", PATH, 1, 1023, "", "a path" },
	{ "", "ramdisk", PATH, LINE, "a path" },
	{ "", "cmdline", TEXT, LINE, "a line of text" },
	{ "", "extra", TEXT, LINE, "a line of text" },
	{ "", "root", TEXT, LINE, "a line of text" },
	{ "", "disk", DEVICES, LINE, "a list, [ '...' ]," },
	{ "", "vif", DEVICES, LINE, "a list, [ '...' ]," },
	{ "", "on_poweroff", TEXT, ACTION },
	{ "", "on_reboot", TEXT, ACTION },
	{ "", "on_crash", TEXT, ACTION },
	{ "", "on_watchdog", TEXT, ACTION },
	{ "", "max_grant_frames", NUMBER, 1, 65535, NULL, NULL },
	{ "", "max_event_channels", NUMBER, 5, 4095, NULL, NULL },
	{ "", "type", IGNORED, TYPE },
	{ "", "builder", IGNORED, TYPE },
	{ "disk", "target", TEXT, LINE, "a line of text" },
	{ "disk", "format", TEXT, 0, 99, "^(raw)?$",
	  "raw, an image or block device," },
	{ "disk", "vdev", TEXT, 0, 99, "^(xv|s|h)d[a-z]{1,2}[0-9]{0,2}$",
	  "one like xvda" },
	{ "disk", "access", TEXT, 0, 99, "^(r|ro|w|rw)$", "rw or ro" },
	{ "disk", "backendtype", TEXT, 0, 99, "^phy$", "phy" },
	{ "disk", "script", TEXT, LINE, "a line of text" },
	/* The first byte of a single machine's address is even. */
	{ "vif", "mac", TEXT, 17, 17, "^[0-9a-fA-F][02468aceACE]"
	  "(:[0-9a-fA-F]{2}){5}$", "one like 00:16:3e:00:00:01" },
	{ "vif", "bridge", TEXT, LINE, "a line of text" },
	{ "vif", "script", TEXT, LINE, "a line of text" },
	{ "vif", "ip", TEXT, LINE, "a line of text" },
	{ "vif", "vifname", TEXT, LINE, "a line of text" },
	{ "vif", "rate", TEXT, LINE, "a line of text" },
};

/* NULL: there is none. */
const struct key *key_find(const char *device, const char *name)
{
	const struct key *k;

	for (k = keys; k < keys + ARRAY_SIZE(keys); k++)
		if (!strcmp(k->device, device) && !strcmp(k->name, name))
			return k;
	return NULL;
}

static bool matches(const char *s, const char *pattern)
{
	regex_t re;
	bool ok;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		fatalx("memory");
	ok = !regexec(&re, s, 0, NULL, 0);
	regfree(&re);
	return ok;
}

/* NULL, or what a key has to be; k NULL: not known, and v has the name. */
const char *key_wrong(struct arena *a, const struct key *k,
		      const struct value *v)
{
	static const struct key any = { "", NULL, TEXT, LINE, "a line of text" };
	const char *name = k ? k->name : v->name, *s, *p, *why = NULL;
	const struct value *item = v->type == VALUE_ARRAY ? v->first : NULL;

	k = k ? k : &any;
	for (; item && k->kind == CPUS && !why; item = item->next)
		why = item->type == VALUE_STRING ? key_wrong(a, k, item) :
		      "cpus: strings are wanted in the list";
	if (v->type == VALUE_ARRAY && k->kind == CPUS)
		return why;
	s = v->type == VALUE_STRING ? v->s :
	    v->type == VALUE_INT && k->kind == NUMBER ?
	    arena_printf(a, "%lld", (long long)v->i) : NULL;
	for (p = s; p && (unsigned char)*p >= ' '; p++)
		;
	if (!p || *p || k->kind == DEVICES)
		return arena_printf(a, "%s: %s is wanted", name,
				    k->kind == NUMBER ? "a number" : k->wanted);
	if (k->kind != NUMBER)
		return p - s >= k->min && p - s <= k->max &&
		       matches(s, k->pattern) ? NULL :
		       arena_printf(a, "%s: %s is wanted, not '%s'", name,
				    k->wanted, s);
	return v->type == VALUE_INT && v->i >= k->min && v->i <= k->max ? NULL :
	       arena_printf(a, "%s: %s is no number from %lld to %lld", name, s,
			    (long long)k->min, (long long)k->max);
}

/* NULL, or what is wrong with a record whose keys are right one by one. */
const char *keys_wrong(const struct value *r)
{
	int64_t memory = value_get_int(r, "memory", 0);
	int64_t vcpus = value_get_int(r, "vcpus", 1);

	return !value_get(r, "name") ? "no name = \"...\"" :
	       !value_get(r, "kernel") ? "no kernel = \"FILE\"" :
	       !memory ? "no memory = MIB" :
	       value_get_int(r, "maxmem", memory) < memory ?
	       "maxmem is less than memory" :
	       value_get_int(r, "maxvcpus", vcpus) < vcpus ?
	       "maxvcpus is less than vcpus" : NULL;
}
