// SPDX-License-Identifier: GPL-2.0
/*
 * Values and XML-RPC over HTTP/1.1 on a Unix socket.
 *
 * What comes from the other side is not trusted: a body has a greatest
 * length, a document type (and with it every entity of its own) ends the
 * parser at once, nothing is fetched, and depth is bounded before we recurse.
 * Text that XML cannot carry is sent with '?' in its place.
 */
#include <errno.h>
#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "rpc.h"

static struct value *value_new(struct arena *a, enum value_type type)
{
	struct value *v = arena_alloc(a, sizeof(*v));

	if (v)
		v->type = type;
	return v;
}

struct value *value_nil(struct arena *a)
{
	return value_new(a, VALUE_NIL);
}

struct value *value_bool(struct arena *a, bool b)
{
	struct value *v = value_new(a, VALUE_BOOL);

	if (v)
		v->b = b;
	return v;
}

struct value *value_int(struct arena *a, int64_t i)
{
	struct value *v = value_new(a, VALUE_INT);

	if (v)
		v->i = i;
	return v;
}

struct value *value_double(struct arena *a, double d)
{
	struct value *v = value_new(a, VALUE_DOUBLE);

	if (v)
		v->d = isfinite(d) ? d : 0;
	return v;
}

/* A copy of s; NULL counts as "". */
struct value *value_string(struct arena *a, const char *s)
{
	struct value *v = value_new(a, VALUE_STRING);

	if (v)
		v->s = arena_copy(a, s ? s : "", s ? strlen(s) : 0);
	return v && v->s ? v : NULL;
}

static struct value *value_vprintf(struct arena *a, const char *fmt,
				   va_list ap)
{
	struct value *v;
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		return NULL;
	v = value_string(a, s);
	free(s);
	return v;
}

struct value *value_printf(struct arena *a, const char *fmt, ...)
{
	struct value *v;
	va_list ap;

	va_start(ap, fmt);
	v = value_vprintf(a, fmt, ap);
	va_end(ap);
	return v;
}

struct value *value_array(struct arena *a)
{
	return value_new(a, VALUE_ARRAY);
}

struct value *value_struct(struct arena *a)
{
	return value_new(a, VALUE_STRUCT);
}

/* Puts an item, which no other container may hold, at the array's end. */
void value_append(struct value *array, struct value *item)
{
	if (!array)
		return;
	if (!item) {
		array->broken = true;
		return;
	}
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
	if (member)
		member->name = name;
	value_append(object, member);
}

/* The member of that name, or NULL; object may be NULL or no struct. */
struct value *value_get(const struct value *object, const char *name)
{
	struct value *v;

	if (!object || object->type != VALUE_STRUCT)
		return NULL;
	for value_each(v, object)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

/* An array's item, or NULL. */
struct value *value_item(const struct value *array, unsigned int index)
{
	struct value *v;

	if (!array || array->type != VALUE_ARRAY)
		return NULL;
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

double value_get_double(const struct value *object, const char *name,
			double otherwise)
{
	struct value *v = value_get(object, name);

	if (v && v->type == VALUE_INT)
		return v->i;
	return v && v->type == VALUE_DOUBLE ? v->d : otherwise;
}

bool value_get_bool(const struct value *object, const char *name,
		    bool otherwise)
{
	struct value *v = value_get(object, name);

	return v && v->type == VALUE_BOOL ? v->b : otherwise;
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

/* The first element at or behind n. */
static xmlNode *element(xmlNode *n)
{
	while (n && n->type != XML_ELEMENT_NODE)
		n = n->next;
	return n;
}

/* The text inside n, which must hold nothing else. */
static const char *text(struct reader *r, xmlNode *n)
{
	xmlChar *content = xmlNodeGetContent(n);
	char *s = content && !element(n->children) ?
		arena_copy(r->a, content, strlen((char *)content)) : NULL;

	xmlFree(content);
	if (!s)
		r->error = "a value with something else than text in it";
	return s;
}

static struct value *read_value(struct reader *r, xmlNode *n,
				unsigned int depth);

static void read_array(struct reader *r, xmlNode *n, struct value *v,
		       unsigned int depth)
{
	n = element(n->children);
	if (!is(n, "data")) {
		r->error = "an array without data";
		return;
	}
	for (n = element(n->children); n && !r->error; n = element(n->next))
		value_append(v, read_value(r, n, depth));
}

static void read_struct(struct reader *r, xmlNode *n, struct value *v,
			unsigned int depth)
{
	xmlNode *name, *member;
	const char *s;

	for (n = element(n->children); n && !r->error; n = element(n->next)) {
		name = element(n->children);
		member = name ? element(name->next) : NULL;
		if (!is(n, "member") || !is(name, "name") || !member) {
			r->error = "a struct with a malformed member";
			return;
		}
		s = text(r, name);
		if (s)
			value_set(v, s, read_value(r, member, depth));
	}
}

static struct value *read_number(struct reader *r, const char *type,
				 const char *s)
{
	char *end;
	struct value *v;

	errno = 0;
	if (!strcmp(type, "double"))
		v = value_double(r->a, strtod(s, &end));
	else if (!strcmp(type, "boolean"))
		v = value_bool(r->a, strtoll(s, &end, 10));
	else
		v = value_int(r->a, strtoll(s, &end, 10));
	if (errno || end == s || *end)
		r->error = "a number that is none";
	return v;
}

/* n is a <value> element. */
static struct value *read_value(struct reader *r, xmlNode *n,
				unsigned int depth)
{
	xmlNode *in = element(n->children);
	struct value *v;
	const char *s;

	if (!is(n, "value") || depth++ == RPC_DEPTH_MAX) {
		r->error = is(n, "value") ? "values too deep in each other" :
			"something else than a value";
		return NULL;
	}
	if (is(in, "nil"))
		return value_nil(r->a);
	if (is(in, "array") || is(in, "struct")) {
		v = is(in, "array") ? value_array(r->a) : value_struct(r->a);
		if (!v)
			r->error = "out of memory";
		else if (v->type == VALUE_ARRAY)
			read_array(r, in, v, depth);
		else
			read_struct(r, in, v, depth);
		return v;
	}
	s = text(r, in ? in : n);
	if (!s)
		return NULL;
	if (!in || is(in, "string"))
		return value_string(r->a, s);
	if (is(in, "i4") || is(in, "int") || is(in, "i8") ||
	    is(in, "boolean") || is(in, "double"))
		return read_number(r, (const char *)in->name, s);
	r->error = "a value of unknown type";
	return NULL;
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
 * type, and then *line (unless NULL) is where.
 */
xmlDoc *xml_read(const char *text_of, size_t len, unsigned int *line)
{
	xmlParserCtxt *ctx = xmlNewParserCtxt();
	xmlDoc *doc;

	if (!ctx)
		return NULL;
	ctx->sax->internalSubset = refuse_subset;
	doc = xmlCtxtReadMemory(ctx, text_of, len, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOERROR |
				XML_PARSE_NOWARNING);
	if (line)
		*line = ctx->lastError.line;
	if (!ctx->wellFormed && doc) {
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(ctx);
	return doc;
}

static struct value *read_params(struct reader *r, xmlNode *n)
{
	struct value *v = value_array(r->a);

	for (n = element(n ? n->children : NULL); n && v && !r->error;
	     n = element(n->next))
		value_append(v, is(n, "param") && element(n->children) ?
			     read_value(r, element(n->children), 0) : NULL);
	if (!r->error && (!v || v->broken))
		r->error = "a malformed parameter";
	return v;
}

/* NULL and a call's method and parameters (an array), or what is wrong. */
const char *rpc_parse_call(struct arena *a, const char *body, size_t len,
			   const char **method, struct value **params)
{
	struct reader r = { .a = a };
	xmlNode *root, *n;
	xmlDoc *doc;

	if (len > RPC_CALL_MAX)
		return "the call is too long";
	doc = xml_read(body, len, NULL);
	if (!doc)
		return "not well-formed XML, or with a document type";
	root = xmlDocGetRootElement(doc);
	n = root ? element(root->children) : NULL;
	if (!is(root, "methodCall") || !is(n, "methodName")) {
		r.error = "not a methodCall";
	} else {
		*method = text(&r, n);
		n = element(n->next);
		if (!r.error && n && !is(n, "params"))
			r.error = "no params";
		if (!r.error)
			*params = read_params(&r, n);
	}
	xmlFreeDoc(doc);
	return r.error;
}

/* NULL and a reply's value, or what is wrong: the text of a fault, if so. */
const char *rpc_parse_reply(struct arena *a, const char *body, size_t len,
			    struct value **result)
{
	struct reader r = { .a = a };
	xmlDoc *doc = xml_read(body, len, NULL);
	struct value *v = NULL;
	xmlNode *root, *n;

	if (!doc)
		return "the reply is not well-formed XML";
	root = xmlDocGetRootElement(doc);
	n = root ? element(root->children) : NULL;
	if (is(root, "methodResponse") && is(n, "params")) {
		v = value_item(read_params(&r, n), 0);
	} else if (is(root, "methodResponse") && is(n, "fault") &&
		   element(n->children)) {
		v = read_value(&r, element(n->children), 0);
		if (!r.error)
			r.error = value_get_string(v, "faultString", "a fault");
	}
	if (!r.error && !v)
		r.error = "the reply has no value";
	xmlFreeDoc(doc);
	*result = v;
	return r.error;
}

/* Writing. */

/* Length of the UTF-8 character at s if XML may carry it, else 0. */
static unsigned int character(const char *s)
{
	int n = strnlen(s, 4);
	int c = xmlGetUTF8Char((const unsigned char *)s, &n);

	return c > 0 && xmlIsCharQ((unsigned int)c) ? n : 0;
}

static void write_text(FILE *f, const char *s)
{
	unsigned int n;

	for (; *s; s += n ? n : 1) {
		n = character(s);
		if (strchr("<>&\r", *s))
			fprintf(f, "&#%d;", *s);
		else
			fwrite(n ? s : "?", 1, n ? n : 1, f);
	}
}

static bool write_value(FILE *f, const struct value *v);

static bool write_parts(FILE *f, const struct value *v)
{
	bool object = v->type == VALUE_STRUCT;
	const struct value *m;

	fputs(object ? "<struct>" : "<array><data>", f);
	for value_each(m, v) {
		if (object) {
			fputs("<member><name>", f);
			write_text(f, m->name);
			fputs("</name>", f);
		}
		if (!write_value(f, m))
			return false;
		if (object)
			fputs("</member>", f);
	}
	fputs(object ? "</struct>" : "</data></array>", f);
	return true;
}

/* False if v is not whole. */
static bool write_value(FILE *f, const struct value *v)
{
	bool whole = v && !v->broken;

	fputs("<value>", f);
	switch (whole ? v->type : VALUE_NIL) {
	case VALUE_NIL:
		fputs("<nil/>", f);
		break;
	case VALUE_BOOL:
		fprintf(f, "<boolean>%d</boolean>", v->b);
		break;
	case VALUE_INT:
		fprintf(f, v->i == (int32_t)v->i ? "<int>%lld</int>" :
			"<i8>%lld</i8>", (long long)v->i);
		break;
	case VALUE_DOUBLE:
		fprintf(f, "<double>%.17g</double>", v->d);
		break;
	case VALUE_STRING:
		fputs("<string>", f);
		write_text(f, v->s);
		fputs("</string>", f);
		break;
	default:
		whole = write_parts(f, v);
	}
	fputs("</value>", f);
	return whole;
}

/* A body: values, each between pre and post, between head and tail. */
static char *format(struct arena *a, const char *const parts[4],
		    const struct value *v, bool rest, size_t *len)
{
	char *s = NULL, *copy = NULL;
	FILE *f = open_memstream(&s, len);
	bool whole = f;

	if (!f)
		return NULL;
	fprintf(f, "<?xml version=\"1.0\"?>%s", parts[0]);
	for (; v && whole; v = rest ? v->next : NULL) {
		fputs(parts[1], f);
		whole = write_value(f, v);
		fputs(parts[2], f);
	}
	fputs(parts[3], f);
	whole &= !ferror(f);
	if (!fclose(f) && whole)
		copy = arena_copy(a, s, *len);
	free(s);
	return copy;
}

/* Bodies, of *len bytes, to be sent; NULL when memory was short. */
char *rpc_format_call(struct arena *a, const char *method,
		      const struct value *params, size_t *len)
{
	const char *head = arena_printf(a, "<methodCall><methodName>%s"
					"</methodName><params>", method);
	const char *const parts[] = { head, "<param>", "</param>",
				      "</params></methodCall>" };

	return head && params && !params->broken ?
		format(a, parts, params->first, true, len) : NULL;
}

char *rpc_format_reply(struct arena *a, const struct value *result,
		       size_t *len)
{
	static const char *const parts[] = { "<methodResponse><params>",
		"<param>", "</param>", "</params></methodResponse>" };

	return result ? format(a, parts, result, false, len) : NULL;
}

char *rpc_format_fault(struct arena *a, int code, const char *fault,
		       size_t *len)
{
	static const char *const parts[] = { "<methodResponse>", "<fault>",
		"</fault>", "</methodResponse>" };
	struct value *v = value_struct(a);

	value_set(v, "faultCode", value_int(a, code));
	value_set(v, "faultString", value_string(a, fault));
	return v ? format(a, parts, v, false, len) : NULL;
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
	value_append(e, value_vprintf(a, fmt, ap));
	va_end(ap);
	value_set(v, "ErrorDescription", e);
	return v;
}

/* HTTP. */

static bool header(const char *line, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) || line[n] != ':')
		return false;
	*value = line + n + 1 + strspn(line + n + 1, " \t");
	return true;
}

/* One line of a head, without its end; false if it cannot be accepted. */
static bool head_line(const char *line, size_t body_max,
		      struct http_head *head, bool *has_length)
{
	unsigned long long n;
	const char *v;
	char *end;

	if (header(line, "Content-Length", &v)) {
		n = strtoull(v, &end, 10);
		end += strspn(end, " \t");
		if (*v < '0' || *v > '9' || *end || n > body_max ||
		    (*has_length && n != head->length))
			return false;
		head->length = n;
		*has_length = true;
	} else if (header(line, "Connection", &v)) {
		head->keep = !strcasestr(v, "close");
	} else if (header(line, "Transfer-Encoding", &v)) {
		return false;
	}
	return true;
}

/*
 * The head of the message at the start of buf.  1: *head tells what it says;
 * 0: it is not all there yet; -EMSGSIZE or -EBADMSG: answer with 400 or 413
 * and close.
 */
int http_parse(const char *buf, size_t len, size_t body_max,
	       struct http_head *head)
{
	char text_of[HTTP_HEAD_MAX + 1], *line, *next;
	bool first = true, has_length = false;
	const char *end;
	int minor = 0;

	if (len > HTTP_HEAD_MAX)
		len = HTTP_HEAD_MAX;
	end = memmem(buf, len, "\r\n\r\n", 4);
	if (!end)
		return len == HTTP_HEAD_MAX ? -EMSGSIZE : 0;
	*head = (struct http_head){ .size = end + 4 - buf };
	memcpy(text_of, buf, head->size - 2);
	text_of[head->size - 2] = 0;
	if (strlen(text_of) != head->size - 2)
		return -EBADMSG;
	for (line = text_of; (next = strstr(line, "\r\n")); line = next + 2) {
		*next = 0;
		if (!first) {
			if (!head_line(line, body_max, head, &has_length))
				return -EBADMSG;
			continue;
		}
		first = false;
		if (sscanf(line, "HTTP/1.%1d %3d", &minor, &head->status) != 2)
			head->rpc = sscanf(line, "POST " RPC_PATH " HTTP/1.%1d",
					   &minor) == 1;
		head->keep = minor == 1;
	}
	return has_length ? 1 : -EBADMSG;
}

static char *with_head(struct arena *a, const char *head, const char *body,
		       size_t len, size_t *total)
{
	size_t n = head ? strlen(head) : 0;
	char *s = head ? arena_alloc(a, n + len + 1) : NULL;

	if (!s)
		return NULL;
	memcpy(s, head, n);
	memcpy(s + n, body, len);
	*total = n + len;
	return s;
}

/* Messages of *total bytes around a body; NULL without memory. */
char *http_request(struct arena *a, const char *body, size_t len,
		   size_t *total)
{
	char *head = arena_printf(a, "POST " RPC_PATH " HTTP/1.1\r\n"
				  "Host: localhost\r\nConnection: close\r\n"
				  "Content-Type: text/xml\r\n"
				  "Content-Length: %zu\r\n\r\n", len);

	return with_head(a, head, body, len, total);
}

char *http_response(struct arena *a, int status, const char *body,
		    size_t len, bool keep, size_t *total)
{
	char *head = arena_printf(a, "HTTP/1.1 %d %s\r\nServer: xend\r\n%s"
				  "Content-Type: text/xml\r\n"
				  "Content-Length: %zu\r\n\r\n", status,
				  status == 200 ? "OK" : "Refused",
				  keep ? "" : "Connection: close\r\n", len);

	return with_head(a, head, body, len, total);
}

/* The client's side. */

static int client_connect(const char *socket_path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

static bool client_send(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len; p += n, len -= n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return false;
	}
	return true;
}

/* All that comes until the connection closes, or the message is whole. */
static char *client_receive(int fd, struct http_head *head, size_t *len)
{
	size_t room = 0;
	char *buf = NULL, *more;
	ssize_t n;

	for (*len = 0;;) {
		if (*len == room) {
			room = room ? room * 2 : HTTP_HEAD_MAX;
			more = realloc(buf, room);
			if (!more)
				break;
			buf = more;
		}
		n = read(fd, buf + *len, room - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*len += n;
		n = http_parse(buf, *len, RPC_REPLY_MAX, head);
		if (n < 0)
			break;
		if (n && *len >= head->size + (size_t)head->length)
			return buf;
	}
	free(buf);
	return NULL;
}

/*
 * One call: its result, or NULL and a sentence in *error.  It waits as long
 * as the daemon thinks.
 */
struct value *rpc_call(struct arena *a, const char *socket_path,
		       const char *method, const struct value *params,
		       const char **error)
{
	struct value *result = NULL;
	struct http_head head;
	char *body, *message;
	size_t len;
	int fd;

	*error = "out of memory";
	body = rpc_format_call(a, method, params, &len);
	message = body ? http_request(a, body, len, &len) : NULL;
	if (!message)
		return NULL;
	fd = client_connect(socket_path);
	if (fd < 0) {
		*error = arena_printf(a, errno == EACCES ?
				      "%s: you may not use it (be root, or in "
				      "xend's group)" :
				      "xend does not run (%s: %m): start it "
				      "with 'xend'", socket_path);
		return NULL;
	}
	*error = "xend ended the connection; see its log";
	body = client_send(fd, message, len) ?
		client_receive(fd, &head, &len) : NULL;
	if (body && head.status != 200)
		*error = arena_printf(a, "xend answers: HTTP status %d",
				      head.status);
	else if (body)
		*error = rpc_parse_reply(a, body + head.size, head.length,
					 &result);
	free(body);
	close(fd);
	return *error ? NULL : result;
}
