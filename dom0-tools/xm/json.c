// SPDX-License-Identifier: GPL-2.0
/*
 * Values as JSON, indented as xl's.
 */
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include "xm.h"

static void gen_string(yajl_gen g, const char *s)
{
	yajl_gen_string(g, (const unsigned char *)s, strlen(s));
}

static void gen(yajl_gen g, const struct value *v)
{
	const struct value *m;

	switch (v->type) {
	case VALUE_NIL:
		yajl_gen_null(g);
		break;
	case VALUE_BOOL:
		yajl_gen_bool(g, v->b);
		break;
	case VALUE_INT:
		yajl_gen_integer(g, v->i);
		break;
	case VALUE_DOUBLE:
		yajl_gen_double(g, v->d);
		break;
	case VALUE_STRING:
		gen_string(g, v->s);
		break;
	case VALUE_ARRAY:
		yajl_gen_array_open(g);
		for value_each(m, v)
			gen(g, m);
		yajl_gen_array_close(g);
		break;
	case VALUE_STRUCT:
		yajl_gen_map_open(g);
		for value_each(m, v) {
			gen_string(g, m->name);
			gen(g, m);
		}
		yajl_gen_map_close(g);
	}
}

/* Prints v on standard output. */
void print_json(const struct value *v)
{
	yajl_gen g = yajl_gen_alloc(NULL);
	const unsigned char *buf;
	size_t len;

	if (!g)
		fatalx("out of memory");
	yajl_gen_config(g, yajl_gen_beautify, 1);
	gen(g, v);
	if (yajl_gen_get_buf(g, &buf, &len) != yajl_gen_status_ok)
		fatalx("this cannot be written as JSON");
	fwrite(buf, 1, len, stdout);
	yajl_gen_free(g);
}
