/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Values and XML-RPC: what xend and its clients say to each other.
 *
 * Every value lives in the arena that made it, and an item or member in one
 * container only.
 */
#pragma once

#include "lib.h"

#define RPC_SOCKET	"/run/xend.sock"
#define RPC_PATH	"/RPC2"
#define RPC_CALL_MAX	(1u << 20)	/* bytes of a call's body */
#define RPC_REPLY_MAX	(16u << 20)	/* of a reply, head and body */
#define RPC_DEPTH_MAX	32		/* arrays and structs in each other */
#define HTTP_HEAD_MAX	8192u

enum value_type {
	VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_DOUBLE, VALUE_STRING,
	VALUE_ARRAY, VALUE_STRUCT,
};

struct value {
	enum value_type type;
	unsigned int count;		/* items or members */
	union {
		bool b;
		int64_t i;
		double d;
		const char *s;
		struct value *first;	/* item or member */
	};
	struct value *last;
	const char *name;		/* of a struct's member */
	struct value *next;		/* behind this item or member */
};

#define value_each(v, of)	((v) = (of)->first; (v); (v) = (v)->next)

struct value *value_bool(struct arena *a, bool b);
struct value *value_int(struct arena *a, int64_t i);
struct value *value_double(struct arena *a, double d);
struct value *value_string(struct arena *a, const char *s);
struct value *value_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
struct value *value_copy(struct arena *a, const struct value *v);
struct value *value_array(struct arena *a);
struct value *value_struct(struct arena *a);
void value_append(struct value *array, struct value *item);
void value_set(struct value *object, const char *name, struct value *member);
void value_put(struct value *object, const char *name, struct value *member);

struct value *value_get(const struct value *object, const char *name);
struct value *value_item(const struct value *array, unsigned int index);
const char *value_get_string(const struct value *object, const char *name,
			     const char *otherwise);
int64_t value_get_int(const struct value *object, const char *name,
		      int64_t otherwise);

/* Bodies. */
struct _xmlDoc *xml_read(const char *text, size_t len, unsigned int *line);
const char *rpc_parse_call(struct arena *a, const char *body, size_t len,
			   const char **method, struct value **params);
const char *rpc_parse_reply(struct arena *a, const char *body, size_t len,
			    struct value **result);
char *rpc_format_call(struct arena *a, const char *method,
		      const struct value *params, size_t *len);
char *rpc_format_reply(struct arena *a, const struct value *result,
		       size_t *len);
char *rpc_format_fault(struct arena *a, int code, const char *text,
		       size_t *len);

/* The shape of every result. */
struct value *rpc_success(struct arena *a, struct value *result);
struct value *rpc_failure(struct arena *a, const char *code,
			  const char *subject, const char *fmt, ...)
	PRINTF(4, 5);

/* HTTP. */
struct http_head {
	unsigned int size;		/* of the head itself */
	unsigned int length;		/* of the body behind it */
	int status;			/* of a response */
	bool rpc;			/* a request: POST of RPC_PATH */
};
int http_parse(const char *buf, size_t len, size_t body_max,
	       struct http_head *head);
char *http_response(struct arena *a, int status, const char *body,
		    size_t len, size_t *total);

/* The client's side. */
struct value *rpc_call(struct arena *a, const char *socket_path,
		       const char *method, const struct value *params,
		       const char **error);
