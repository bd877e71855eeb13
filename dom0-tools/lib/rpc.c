// SPDX-License-Identifier: GPL-2.0
/*
 * Values and XML-RPC over HTTP/1.1 on a Unix socket.
 *
 * What comes from the other side is not trusted: a body has a greatest
 * length, a document type (and with it every entity of its own) ends the
 * parser at once, nothing is fetched, and depth is bounded before we recurse.
 * Text that XML cannot carry is sent with '?' in its place.
 */
#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <math.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "rpc.h"

static struct value *value_new(struct arena *a, struct value v)
{
	return arena_copy(a, &v, sizeof(v));
}

struct value *value_bool(struct arena *a, bool b)
{
	return value_new(a, (struct value){ .type = VALUE_BOOL, .b = b });
}

struct value *value_int(struct arena *a, int64_t i)
{
	return value_new(a, (struct value){ .type = VALUE_INT, .i = i });
}

struct value *value_double(struct arena *a, double d)
{
	return value_new(a, (struct value){ .type = VALUE_DOUBLE,
					    .d = isfinite(d) ? d : 0 });
}

/* A copy of s; NULL counts as "". */
struct value *value_string(struct arena *a, const char *s)
{
	return value_new(a, (struct value){ .type = VALUE_STRING,
					    .s = arena_string(a, s ? s : "") });
}

struct value *value_printf(struct arena *a, const char *fmt, ...)
{
	struct value v = { .type = VALUE_STRING };
	va_list ap;

	va_start(ap, fmt);
	v.s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return value_new(a, v);
}

/* v and all that is in it, which may vanish then. */
struct value *value_copy(struct arena *a, const struct value *v)
{
	struct value *copy = value_new(a, *v);
	const struct value *item;

	copy->next = NULL;
	copy->name = v->name ? arena_string(a, v->name) : NULL;
	if (v->type == VALUE_STRING)
		copy->s = arena_string(a, v->s);
	if (v->type != VALUE_ARRAY && v->type != VALUE_STRUCT)
		return copy;
	copy->first = copy->last = NULL;
	copy->count = 0;
	for value_each(item, v)
		value_append(copy, value_copy(a, item));
	return copy;
}

struct value *value_array(struct arena *a)
{
	return value_new(a, (struct value){ .type = VALUE_ARRAY });
}

struct value *value_struct(struct arena *a)
{
	return value_new(a, (struct value){ .type = VALUE_STRUCT });
}

/* Puts an item, which no other container may hold, at the array's end. */
void value_append(struct value *array, struct value *item)
{
	if (array->last)
		array->last->next = item;
	else
		array->first = item;
	array->last = item;
	array->count++;
}

/* Adds a member; its name must live as long as the struct. */
void value_set(struct value *object, const char *name, struct value *member)
{
	member->name = name;
	value_append(object, member);
}

/* The member of that name, or NULL; object may be NULL or no struct. */
struct value *value_get(const struct value *object, const char *name)
{
	struct value *v = NULL;

	if (object && object->type == VALUE_STRUCT)
		for (v = object->first; v && strcmp(v->name, name);)
			v = v->next;
	return v;
}

/* Adds a member, in place of the member of that name, if there is one. */
void value_put(struct value *object, const char *name, struct value *member)
{
	struct value *old = value_get(object, name);

	if (!old) {
		value_set(object, name, member);
		return;
	}
	member->name = name;
	member->next = old->next;
	*old = *member;
}

/* An array's item, or NULL. */
struct value *value_item(const struct value *array, unsigned int index)
{
	struct value *v = NULL;

	if (array && array->type == VALUE_ARRAY)
		for (v = array->first; v && index; v = v->next)
			index--;
	return v;
}

/* Members of a given type; otherwise, where there is none such. */
const char *value_get_string(const struct value *object, const char *name,
			     const char *otherwise)
{
	struct value *v = value_get(object, name);

	return v && v->type == VALUE_STRING ? v->s : otherwise;
}

int64_t value_get_int(const struct value *object, const char *name,
		      int64_t otherwise)
{
	struct value *v = value_get(object, name);

	return v && v->type == VALUE_INT ? v->i : otherwise;
}

/* Reading. */

struct reader {
	struct arena *a;
	const char *error;
};

static bool is(const xmlNode *n, const char *name)
{
	return n && !strcmp((const char *)n->name, name);
}

static void *wrong(struct reader *r, const char *why)
{
	r->error = r->error ? r->error : why;
	return NULL;
}

/* The text inside n, which must hold nothing else. */
static const char *text(struct reader *r, xmlNode *n)
{
	xmlChar *content = xmlNodeGetContent(n);
	const char *s = content && !xmlFirstElementChild(n) ?
		arena_string(r->a, (const char *)content) : NULL;

	xmlFree(content);
	return s ? s : wrong(r, "a value with something else than text in it");
}

static struct value *read_value(struct reader *r, xmlNode *n,
				unsigned int depth);

/*
 * The values in `in`: each by itself (wrapper NULL), or in an element of that
 * name; in a "member" a name goes before it.
 */
static struct value *read_parts(struct reader *r, xmlNode *in,
				const char *wrapper, unsigned int depth)
{
	bool object = wrapper && !strcmp(wrapper, "member");
	struct value *v = object ? value_struct(r->a) : value_array(r->a);
	xmlNode *n, *name = NULL, *at;
	struct value *part;

	for (n = xmlFirstElementChild(in); n; n = xmlNextElementSibling(n)) {
		at = wrapper ? xmlFirstElementChild(n) : n;
		if (object) {
			name = at;
			at = name ? xmlNextElementSibling(name) : NULL;
		}
		part = read_value(r, at, depth);
		if (!part || (wrapper && !is(n, wrapper)) ||
		    (object && !is(name, "name")))
			return wrong(r, "a malformed member or parameter");
		value_set(v, object ? text(r, name) : NULL, part);
		if (r->error)
			return NULL;
	}
	return v;
}

/* n is a <value> element.  NULL: r->error says why. */
static struct value *read_value(struct reader *r, xmlNode *n,
				unsigned int depth)
{
	xmlNode *in = is(n, "value") ? xmlFirstElementChild(n) : NULL;
	struct value *v;
	const char *s;
	char *end;

	if (!is(n, "value"))
		return wrong(r, "something else than a value");
	if (depth == RPC_DEPTH_MAX)
		return wrong(r, "values too deep in each other");
	if (is(in, "nil"))
		return value_new(r->a, (struct value){ .type = VALUE_NIL });
	if (is(in, "struct"))
		return read_parts(r, in, "member", depth + 1);
	if (is(in, "array") && is(xmlFirstElementChild(in), "data"))
		return read_parts(r, xmlFirstElementChild(in), NULL, depth + 1);
	s = text(r, in ? in : n);
	if (!s)
		return NULL;
	if (!in || is(in, "string"))
		return value_new(r->a, (struct value){ .type = VALUE_STRING,
						       .s = s });
	errno = 0;
	if (is(in, "double"))
		v = value_double(r->a, strtod(s, &end));
	else if (is(in, "boolean"))
		v = value_bool(r->a, strtoll(s, &end, 10));
	else if (is(in, "i4") || is(in, "int") || is(in, "i8"))
		v = value_int(r->a, strtoll(s, &end, 10));
	else
		return wrong(r, "a value of unknown type");
	return errno || end == s || *end ? wrong(r, "a number that is none")
					 : v;
}

/* A document type would bring entities: refused before they are read. */
static void refuse_subset(void *ctx, const xmlChar *name, const xmlChar *id,
			  const xmlChar *uri)
{
	(void)name, (void)id, (void)uri;
	((xmlParserCtxt *)ctx)->wellFormed = 0;
	xmlStopParser(ctx);
}

/*
 * Parses XML from a stranger; NULL if it is not well-formed or has a document
 * type, and then *line is where.
 */
xmlDoc *xml_read(const char *from, size_t len, unsigned int *line)
{
	xmlParserCtxt *ctx = xmlNewParserCtxt();
	xmlDoc *doc;

	if (!ctx)
		return NULL;
	ctx->sax->internalSubset = refuse_subset;
	doc = xmlCtxtReadMemory(ctx, from, len, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOERROR |
				XML_PARSE_NOWARNING);
	*line = ctx->lastError.line;
	if (!ctx->wellFormed) {
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(ctx);
	return doc;
}

/* NULL and a call's method and parameters (an array), or what is wrong. */
const char *rpc_parse_call(struct arena *a, const char *body, size_t len,
			   const char **method, struct value **params)
{
	struct reader r = { .a = a };
	unsigned int line;
	xmlNode *root, *n;
	xmlDoc *doc;

	if (len > RPC_CALL_MAX)
		return "the call is too long";
	doc = xml_read(body, len, &line);
	if (!doc)
		return "not well-formed XML, or with a document type";
	root = xmlDocGetRootElement(doc);
	n = xmlFirstElementChild(root);
	if (is(root, "methodCall") && is(n, "methodName")) {
		*method = text(&r, n);
		n = xmlNextElementSibling(n);
		*params = read_parts(&r, n, "param", 0);
		if (n && !is(n, "params"))
			wrong(&r, "no params");
	} else {
		wrong(&r, "not a methodCall");
	}
	xmlFreeDoc(doc);
	return r.error;
}

/* NULL and a reply's value, or what is wrong: the text of a fault, if so. */
const char *rpc_parse_reply(struct arena *a, const char *body, size_t len,
			    struct value **result)
{
	struct reader r = { .a = a };
	unsigned int line;
	xmlDoc *doc = xml_read(body, len, &line);
	xmlNode *root, *n;

	if (!doc)
		return "the reply is not well-formed XML";
	root = xmlDocGetRootElement(doc);
	n = xmlFirstElementChild(root);
	if (is(n, "fault")) {
		*result = read_value(&r, xmlFirstElementChild(n), 0);
		wrong(&r, value_get_string(*result, "faultString", "a fault"));
	} else {
		*result = value_item(read_parts(&r, n, "param", 0), 0);
	}
	if (!is(root, "methodResponse") || !*result)
		wrong(&r, "the reply has no value");
	xmlFreeDoc(doc);
	return r.error;
}

/* Writing. */

static void write_text(FILE *f, const char *s)
{
	int n, c;

	for (; *s; s += n) {
		for (n = 0; s[n] >= ' ' && !strchr("<>&", s[n]);)
			n++;
		fwrite(s, 1, n, f);
		if (n)
			continue;
		n = strnlen(s, 4);
		c = xmlGetUTF8Char((const unsigned char *)s, &n);
		if (c <= 0 || !xmlIsCharQ((unsigned int)c)) {
			n = 1;
			putc('?', f);
		} else if (strchr("<>&\r", *s)) {
			fprintf(f, "&#%d;", *s);
		} else {
			fwrite(s, 1, n, f);
		}
	}
}

static void write_value(FILE *f, const struct value *v)
{
	static const char *const tags[] = { "nil", "boolean", "i8", "double",
					    "string", "array", "struct" };
	const char *tag = tags[v->type];
	const struct value *m;

	if (v->type == VALUE_INT && v->i == (int32_t)v->i)
		tag = "int";
	fprintf(f, "<value><%s>", tag);
	switch (v->type) {
	case VALUE_NIL: break;
	case VALUE_BOOL: fputs(v->b ? "1" : "0", f); break;
	case VALUE_INT: fprintf(f, "%lld", (long long)v->i); break;
	case VALUE_DOUBLE: fprintf(f, "%.17g", v->d); break;
	case VALUE_STRING: write_text(f, v->s); break;
	case VALUE_ARRAY:
		fputs("<data>", f);
		for value_each(m, v)
			write_value(f, m);
		fputs("</data>", f);
		break;
	case VALUE_STRUCT:
		for value_each(m, v) {
			fputs("<member><name>", f);
			write_text(f, m->name);
			fputs("</name>", f);
			write_value(f, m);
			fputs("</member>", f);
		}
	}
	fprintf(f, "</%s></value>", tag);
}

/*
 * A body of *len bytes: v and, if they are parameters, all that follow, each
 * in an element `part`, between head and tail.
 */
static char *format(struct arena *a, const char *head, const char *part,
		    const struct value *v, const char *tail, size_t *len)
{
	char *s = NULL, *copy = NULL;
	FILE *f = open_memstream(&s, len);

	if (!f)
		fatal("memory");
	fprintf(f, "<?xml version=\"1.0\"?>%s", head);
	for (; v; v = v->next) {
		fprintf(f, "<%s>", part);
		write_value(f, v);
		fprintf(f, "</%s>", part);
	}
	fputs(tail, f);
	if (ferror(f) || fclose(f))
		fatal("memory");
	copy = arena_copy(a, s, *len);
	free(s);
	return copy;
}

char *rpc_format_call(struct arena *a, const char *method,
		      const struct value *params, size_t *len)
{
	const char *head = arena_printf(a, "<methodCall><methodName>%s"
					"</methodName><params>", method);

	return format(a, head, "param", params->first, "</params></methodCall>",
		      len);
}

char *rpc_format_reply(struct arena *a, const struct value *result,
		       size_t *len)
{
	struct value one = *result;

	one.next = NULL;
	return format(a, "<methodResponse><params>", "param", &one,
		      "</params></methodResponse>", len);
}

char *rpc_format_fault(struct arena *a, int code, const char *fault,
		       size_t *len)
{
	struct value *v = value_struct(a);

	value_set(v, "faultCode", value_int(a, code));
	value_set(v, "faultString", value_string(a, fault));
	return format(a, "<methodResponse>", "fault", v, "</methodResponse>",
		      len);
}

/* {Status: "Success", Value: result}; NULL stands for "". */
struct value *rpc_success(struct arena *a, struct value *result)
{
	struct value *v = value_struct(a);

	value_set(v, "Status", value_string(a, "Success"));
	value_set(v, "Value", result ? result : value_string(a, ""));
	return v;
}

/*
 * {Status: "Failure", ErrorDescription: [code, subject, sentence]}; subject,
 * what the code is about, may be NULL.  The sentence is for the operator.
 */
struct value *rpc_failure(struct arena *a, const char *code,
			  const char *subject, const char *fmt, ...)
{
	struct value *v = value_struct(a), *e = value_array(a);
	va_list ap;

	value_set(v, "Status", value_string(a, "Failure"));
	value_append(e, value_string(a, code));
	if (subject)
		value_append(e, value_string(a, subject));
	va_start(ap, fmt);
	value_append(e, value_string(a, arena_vprintf(a, fmt, ap)));
	va_end(ap);
	value_set(v, "ErrorDescription", e);
	return v;
}

/* HTTP. */

/* What a line of a head says about `name`, or NULL. */
static const char *header(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) || line[n] != ':')
		return NULL;
	return line + n + 1 + strspn(line + n + 1, " \t");
}

/*
 * The head of the message at the start of buf.  1: *head tells what it says;
 * 0: it is not all there yet; -EMSGSIZE or -EBADMSG: answer with 400 or 413
 * and close.
 */
int http_parse(const char *buf, size_t len, size_t body_max,
	       struct http_head *head)
{
	size_t looked = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	const char *end = memmem(buf, looked, "\r\n\r\n", 4), *v;
	char copy[HTTP_HEAD_MAX], *line, *next, *behind;
	bool has_length = false;
	unsigned long long n;
	int minor = 0;

	if (!end)
		return looked == HTTP_HEAD_MAX ? -EMSGSIZE : 0;
	*head = (struct http_head){ .size = end + 4 - buf };
	memcpy(copy, buf, head->size - 2);
	copy[head->size - 2] = 0;
	if (strlen(copy) != head->size - 2)
		return -EBADMSG;
	next = strstr(copy, "\r\n");
	*next = 0;
	if (sscanf(copy, "HTTP/1.%1d %3d", &minor, &head->status) != 2)
		head->rpc = sscanf(copy, "POST " RPC_PATH " HTTP/1.%1d",
				   &minor) == 1;
	for (line = next + 2; *line; line = next + 2) {
		next = strstr(line, "\r\n");
		*next = 0;
		v = header(line, "Content-Length");
		if (v) {
			n = strtoull(v, &behind, 10);
			behind += strspn(behind, " \t");
			if (*v < '0' || *v > '9' || *behind || n > body_max ||
			    (has_length && n != head->length))
				return -EBADMSG;
			head->length = n;
			has_length = true;
		}
		if (header(line, "Transfer-Encoding"))
			return -EBADMSG;
	}
	return has_length ? 1 : -EBADMSG;
}

/* The last message of a connection, of *total bytes, around a body of text. */
char *http_response(struct arena *a, int status, const char *body,
		    size_t len, size_t *total)
{
	char *s = arena_alloc(a, HTTP_HEAD_MAX + len);
	int n = sprintf(s, "HTTP/1.1 %d %s\r\nServer: xend\r\n"
			"Connection: close\r\nContent-Type: text/xml\r\n"
			"Content-Length: %zu\r\n\r\n", status,
			status == 200 ? "OK" : "Refused", len);

	memcpy(s + n, body, len);
	*total = n + len;
	return s;
}

/* The client's side. */

/*
 * One call: its result, or NULL and a sentence in *error.  It waits as long
 * as the daemon thinks.
 */
struct value *rpc_call(struct arena *a, const char *socket_path,
		       const char *method, const struct value *params,
		       const char **error)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len, used = 0;
	char *body = rpc_format_call(a, method, params, &len), *buf;
	char *message = arena_printf(a, "POST " RPC_PATH " HTTP/1.1\r\n"
				     "Host: localhost\r\n"
				     "Connection: close\r\n"
				     "Content-Type: text/xml\r\n"
				     "Content-Length: %zu\r\n\r\n%s",
				     len, body);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct value *result = NULL;
	struct http_head head;
	ssize_t n;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		*error = arena_printf(a, errno == EACCES ?
				      "%s: you may not use it (be root, or in "
				      "xend's group)" :
				      "xend does not run (%s: %m): start it "
				      "with 'xend'", socket_path);
		close(fd);
		return NULL;
	}
	/* A page that nothing is read into takes no memory. */
	buf = malloc(RPC_REPLY_MAX);
	if (!buf)
		fatal("memory");
	if (send(fd, message, strlen(message), MSG_NOSIGNAL) > 0)
		while ((n = read(fd, buf + used, RPC_REPLY_MAX - used)) > 0)
			used += n;
	close(fd);
	if (http_parse(buf, used, RPC_REPLY_MAX, &head) != 1 ||
	    head.length > used - head.size)
		*error = "xend ended the connection; see its log";
	else if (head.status != 200)
		*error = arena_printf(a, "xend answers: HTTP status %d",
				      head.status);
	else
		*error = rpc_parse_reply(a, buf + head.size, head.length,
					 &result);
	free(buf);
	return *error ? NULL : result;
}
