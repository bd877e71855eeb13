// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: what a client of xend sends, HTTP and XML.  A value that
 * is accepted comes back the same through our own writer.
 */
#include <stdlib.h>
#include <string.h>
#include "../../dom0-tools/lib/rpc.h"

static void write_again(struct arena *a, struct value *params)
{
	struct value *v = value_item(params, 0), *again;
	char *one, *two;
	size_t n, m;

	if (!v || !(one = rpc_format_reply(a, v, &n)))
		return;
	if (rpc_parse_reply(a, one, n, &again))
		abort();
	two = rpc_format_reply(a, again, &m);
	if (!two || m != n || memcmp(one, two, n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *method;
	struct value *params = NULL;
	struct arena a = { 0 };
	struct http_head h;

	if (http_parse(p, size, RPC_CALL_MAX, &h) == 1) {
		if (h.size > size)
			abort();
		p += h.size;
		size -= h.size;
		if (size > h.length)
			size = h.length;
	}
	if (!rpc_parse_call(&a, p, size, &method, &params))
		write_again(&a, params);
	arena_release(&a);
	return 0;
}
