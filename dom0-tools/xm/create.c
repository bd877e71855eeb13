// SPDX-License-Identifier: GPL-2.0
/*
 * xm create: from a domain file to a running domain.  The file is read here;
 * xend gets a record, and checks it again.
 */
#include "xm.h"

/* KEY=VALUE of the command line, where a string needs no quotes. */
static bool assign(struct conf *c, const char *word)
{
	const char *eq = strchr(word, '=');

	if (!eq)
		return conf_wrong(c, "'%s' is neither KEY=VALUE nor the only "
				  "domain file", word);
	if (eq[1] && strchr("[\"'", eq[1]))
		return conf_parse(c, "command line", word);
	c->file = "command line";
	return conf_set(c, arena_copy(&arena, word, eq - word),
			STRING(eq + 1));
}

static struct value *read_files(char **argv)
{
	const char *file = opt['f'];
	struct value *note;
	struct conf c;
	bool ok;

	if (!file && *argv && !strchr(*argv, '='))
		file = *argv++;
	if (!file)
		fatalx("create: no domain file given");
	if (!opt['q'] && !opt['n'])
		printf("Parsing config from %s\n", file);
	fflush(stdout);
	conf_init(&c, &arena);
	ok = conf_load(&c, file);
	for (; *argv && ok; argv++)
		ok = assign(&c, *argv);
	c.file = file;
	ok = ok && conf_finish(&c);
	if (!opt['q'])
		for value_each(note, c.notes)
			fprintf(stderr, "xm: %s\n", note->s);
	if (!ok)
		fatalx("%s", c.error);
	return c.domain;
}

/*
 * [create 5] The domain file becomes a record, and xend is asked to start it.
 * If it cannot, the record is taken back: nothing stays.
 */
int cmd_create(char **argv)
{
	struct value *domain = read_files(argv), *ref;
	const char *why, *also;

	if (opt['n'])
		return print_json(domain);
	ref = CALL("VM.create", domain);
	if (!TRY(&why, "VM.start", ref, value_bool(&arena, opt['p']))) {
		TRY(&also, "VM.destroy", ref);
		fatalx("%s", why);
	}
	return opt['c'] ? console_attach(ref) : 0;
}
