// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: domain files, in both syntaxes.
 */
#include <stdlib.h>
#include <string.h>
#include "../../dom0-tools/lib/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = { 0 };
	struct conf c;
	char *text;
	bool ok;

	text = arena_copy(&a, data, size);
	conf_init(&c, &a);
	ok = size && *text == '<' ? conf_parse_xml(&c, "f", text, size) :
		conf_parse(&c, "f", text);
	if (ok != !c.error)
		abort();
	if (ok && conf_finish(&c) != !c.error)
		abort();
	arena_release(&a);
	return 0;
}
