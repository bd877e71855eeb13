// SPDX-License-Identifier: GPL-2.0
/*
 * Values for people and for programs: tables, and JSON indented as xl's.
 */
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
	case VALUE_NIL: yajl_gen_null(g); break;
	case VALUE_BOOL: yajl_gen_bool(g, v->b); break;
	case VALUE_INT: yajl_gen_integer(g, v->i); break;
	case VALUE_DOUBLE: yajl_gen_double(g, v->d); break;
	case VALUE_STRING: gen_string(g, v->s); break;
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

/* Prints v on standard output; 0. */
int print_json(const struct value *v)
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
	return 0;
}

/* NULL stands for a number that nobody knows. */
static const char *text(const struct value *v)
{
	if (v && v->type == VALUE_STRING)
		return v->s;
	if (v && v->type == VALUE_DOUBLE)
		return arena_printf(&arena, "%.1f", v->d);
	return arena_printf(&arena, "%lld",
			    v && v->type == VALUE_INT ? (long long)v->i : -1);
}

/* The same as one line, unless --json is given. */
int print_plain(const struct value *v)
{
	if (opt['j'] || (v->type != VALUE_INT && v->type != VALUE_STRING))
		return print_json(v);
	puts(text(v));
	return 0;
}

static void print_row(const struct column *columns, unsigned int n,
		      const struct value *row)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		printf(columns[i].format, row ?
		       text(value_get(row, columns[i].member)) :
		       columns[i].title);
	putchar('\n');
}

/* A row per item, below head or (NULL) the columns' titles; 0. */
int print_table(const char *head, const struct column *columns, unsigned int n,
		const struct value *rows)
{
	const struct value *row;

	if (head)
		puts(head);
	else
		print_row(columns, n, NULL);
	for value_each(row, rows)
		print_row(columns, n, row);
	return 0;
}
