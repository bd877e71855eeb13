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

#define MAX_WORDS 64

char hypervisor_cmdline[1024];

static char words_buf[sizeof(hypervisor_cmdline)];
static const char *words[MAX_WORDS];
static unsigned int nr_words;

static const char *const known[] = {
	"com1", "com2", "console", "dom0_max_vcpus", "dom0_mem",
	"dom0_vcpus_pin", "gnttab_max_frames", "gnttab_max_maptrack_frames",
	"guest_loglvl", "loglvl", "maxcpus", "noreboot", "nosmp", "sched",
	"sched_credit_tslice_ms", "sched_ratelimit_us", "smap", "smep",
	"spec-ctrl", "xpti", "xsave",
	/* Passed by GRUB's scripts, without meaning here: */
	"placeholder", "real-mode", "edd",
};

/* Splits the line into words; quotes keep blanks together. */
static void cmdline_split(void)
{
	char *to = words_buf;
	const char *s = hypervisor_cmdline;

	while (*s && nr_words < MAX_WORDS) {
		char quote = 0;

		if (*s == ' ' || *s == '\t') {
			s++;
			continue;
		}
		words[nr_words++] = to;
		for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
			if (quote ? *s == quote : *s == '"' || *s == '\'')
				quote = quote ? 0 : *s;
			else
				*to++ = *s;
		}
		*to++ = 0;
		if (*s)
			s++;
	}
}

static bool same_char(char a, char b)
{
	return (a == '_' ? '-' : a) == (b == '_' ? '-' : b);
}

/* If word is `name` or `name=...`: what follows the name; else NULL. */
static const char *match(const char *word, const char *name)
{
	while (*name && same_char(*word, *name))
		word++, name++;
	if (*name || (*word && *word != '='))
		return NULL;
	return word;
}

/* Value of the last `name` or `name=value`: "" for the first form. */
const char *cmdline_get(const char *name)
{
	if (!nr_words)
		cmdline_split();
	for (unsigned int i = nr_words; i-- > 0; ) {
		const char *rest = match(words[i], name);

		if (rest)
			return *rest ? rest + 1 : rest;
	}
	return NULL;
}

static int parse_bool(const char *s)
{
	static const char *const yes[] = { "", "yes", "on", "true", "enable", "1" };
	static const char *const no[] = { "no", "off", "false", "disable", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (!strcmp(s, yes[i]))
			return 1;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (!strcmp(s, no[i]))
			return 0;
	return -1;
}

/* 1 on, 0 off (also as "no-NAME"), -1 if absent or not to be understood. */
int cmdline_bool(const char *name)
{
	if (!nr_words)
		cmdline_split();
	for (unsigned int i = nr_words; i-- > 0; ) {
		const char *w = words[i], *rest = match(w, name);
		int value;

		if (!rest && !strncmp(w, "no-", 3) && match(w + 3, name))
			return 0;
		if (!rest)
			continue;
		value = parse_bool(*rest ? rest + 1 : rest);
		if (value < 0)
			printk("Command line: '%s' is neither on nor off: ignored\n",
			       w);
		return value;
	}
	return -1;
}

/* A number; the default, with a line that says so, if it is none. */
u64 cmdline_u64(const char *name, u64 dflt)
{
	const char *value = cmdline_get(name), *end;
	u64 n;

	if (!value)
		return dflt;
	n = strtoull(value, &end, 0);
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

	while (s && *s) {
		if (!strncmp(s, word, n) && (!s[n] || s[n] == ','))
			return true;
		s = strchr(s, ',');
		s = s ? s + 1 : NULL;
	}
	return false;
}

static bool __init word_known(const char *w)
{
	const char *bare = !strncmp(w, "no-", 3) ? w + 3 : w;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (match(w, known[i]) || match(bare, known[i]))
			return true;
	return false;
}

/* Names every word that means nothing here, once. */
void __init cmdline_report_unknown(void)
{
	if (!nr_words)
		cmdline_split();
	for (unsigned int i = 0; i < nr_words; i++) {
		bool seen = word_known(words[i]);

		for (unsigned int j = 0; j < i && !seen; j++)
			seen = !strcmp(words[i], words[j]);
		if (!seen)
			printk("Command line: unknown option '%s' ignored\n",
			       words[i]);
	}
}
