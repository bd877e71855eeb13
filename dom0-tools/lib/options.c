// SPDX-License-Identifier: GPL-2.0
/*
 * Options of a command line.
 */
#include <getopt.h>
#include "lib.h"

#define OPTIONS_MAX	12

const char *opt[128];	/* by letter: "" or the argument; or NULL */

/*
 * Reads options into opt[].  known is "a=all,f:=file": a letter, ':' if there
 * is an argument, and a long name; -h or --help is always there, and prints
 * usage, like what is not known.  Returns where the arguments begin.
 */
char **options_read(int argc, char **argv, const char *known,
		    const char *usage)
{
	struct option longs[OPTIONS_MAX] = { { "help", 0, NULL, 'h' } };
	char shorts[3 * OPTIONS_MAX] = "h", copy[256], *rest = copy, *word;
	size_t letter;
	int o, n = 1;

	snprintf(copy, sizeof(copy), "%s", known);
	while ((word = strsep(&rest, ",")) && *word) {
		letter = strcspn(word, "=");
		strncat(shorts, word, letter);
		longs[n++] = (struct option){
			word + letter + 1, letter == 2, NULL, *word,
		};
	}
	while ((o = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
		if (o == 'h' || o == '?') {
			fputs(usage, o == 'h' ? stdout : stderr);
			exit(o == 'h' ? 0 : 2);
		}
		opt[o] = optarg ? optarg : "";
	}
	return argv + optind;
}
