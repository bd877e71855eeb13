/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hypervisor's command line.
 *
 * Options are spelled as Xen's are.  They stand alone (noreboot), or carry a
 * value (loglvl=all); '-' and '_' in names are the same.  Each part of the
 * hypervisor asks for its own options by name; `known` below only serves to
 * tell the operator about words that nobody will ask for.
 *
 * The text comes from the boot loader, so from the operator: it is trusted,
 * but a mistake in it must be named and survived.
 */
#include <boot/boot.h>

char hypervisor_cmdline[1024];

/* The same line, each word with its end; the last one is empty. */
static char words[sizeof(hypervisor_cmdline) + 1];
#define for_each_word(w) \
	for (const char *w = first_word(); *w; w += strlen(w) + 1)

static const char *const known[] = {
	"com1", "com2", "console", "dom0_max_vcpus", "dom0_mem",
	"dom0_vcpus_pin", "gnttab_max_frames", "gnttab_max_maptrack_frames",
	"guest_loglvl", "loglvl", "maxcpus", "noreboot", "nosmp",
	"sched_credit_tslice_ms", "sched_ratelimit_us", "spec-ctrl",
	/* Passed by GRUB's scripts, without meaning here: */
	"placeholder", "real-mode", "edd",
};

static const char *first_word(void)
{
	const char *s = words[0] ? "" : hypervisor_cmdline;

	for (char *to = words; *s; s++) {
		if (*s != ' ' && *s != '\t')
			*to++ = *s;
		else if (to > words && to[-1])
			*to++ = 0;
	}
	return words;
}

/*
 * If the word is `name` or `name=...`: what follows the name, "no" if it is
 * `no-name`; else NULL.
 */
static const char *match(const char *word, const char *name)
{
	bool no = !strncmp(word, "no-", 3);

	word += no ? 3 : 0;
	for (; *name; word++, name++)
		if ((*word == '_' ? '-' : *word) !=
		    (*name == '_' ? '-' : *name))
			return NULL;
	if (*word && *word != '=')
		return NULL;
	return no ? "no" : *word ? word + 1 : word;
}

/* Value of the last `name` or `name=value`: "" for the first form. */
const char *cmdline_get(const char *name)
{
	const char *value = NULL, *found;

	for_each_word(w) {
		found = match(w, name);
		value = found ? found : value;
	}
	return value;
}

/* 1 on, 0 off (also as "no-NAME"), -1 if absent or not to be understood. */
int cmdline_bool(const char *name)
{
	static const char *const forms[] = {
		"no", "off", "false", "disable", "0",
		"", "yes", "on", "true", "enable", "1"
	};
	const char *value = cmdline_get(name);

	for (int i = 0; value && i < (int)ARRAY_SIZE(forms); i++)
		if (!strcmp(value, forms[i]))
			return i >= 5;
	if (value)
		printk("Command line: %s='%s' is neither on nor off: ignored\n",
		       name, value);
	return -1;
}

/* A number; the default, with a line that says so, if it is none. */
u64 cmdline_u64(const char *name, u64 dflt)
{
	const char *value = cmdline_get(name), *end = "";
	u64 n = value ? strtoull(value, &end, 0) : dflt;

	if (end != value && !*end)
		return n;
	printk("Command line: %s='%s' is not a number: using %lu\n",
	       name, value, dflt);
	return dflt;
}

/* Is `word` among the comma-separated parts of the option's value? */
bool cmdline_list_has(const char *name, const char *word)
{
	const char *s = cmdline_get(name);
	size_t n = strlen(word);

	for (; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		if (!strncmp(s, word, n) && (!s[n] || s[n] == ','))
			return true;
	return false;
}

/* Names every word that means nothing here. */
void __init cmdline_report_unknown(void)
{
	for_each_word(w) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && !match(w, known[i]))
			i++;
		if (i == ARRAY_SIZE(known))
			printk("Command line: unknown option '%s' ignored\n", w);
	}
}
