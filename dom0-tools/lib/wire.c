// SPDX-License-Identifier: GPL-2.0
/*
 * The store's messages, for both ends: receiving them piece by piece, error
 * names, lists of strings, permissions.
 *
 * Whatever is parsed here may come from a hostile guest: a length is checked
 * before anything behind it is read, and nothing is assumed to end in NUL.
 */
#include "lib.h"

/* All that may go over the wire; the first is what an unknown one becomes. */
static const char wire_errors[] = "EINVAL EACCES EEXIST EISDIR ENOENT ENOMEM "
	"ENOSPC EIO ENOTEMPTY ENOSYS EROFS EBUSY EAGAIN EISCONN E2BIG EPERM";

/* The name that goes over the wire for a positive errno value. */
const char *wire_error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name && strstr(wire_errors, name) ? name : "EINVAL";
}

/* The errno value of a name; EINVAL if unknown. */
int wire_error_number(const char *name)
{
	const char *is;
	int error;

	for (error = 1; error < 256; error++)
		if ((is = strerrorname_np(error)) && !strcmp(is, name))
			return error;
	return EINVAL;
}

/*
 * How many bytes the message in `in` lacks: first up to the end of its
 * header, then up to the end of its payload; 0 if it is whole.  ~0u if its
 * length is forbidden: the sender is out of step and the connection of no
 * more use.
 */
unsigned int wire_wanted(const struct wire_in *in)
{
	if (in->used < sizeof(in->hdr))
		return sizeof(in->hdr) - in->used;
	if (in->hdr.len > XENSTORE_PAYLOAD_MAX)
		return ~0u;
	return sizeof(in->hdr) + in->hdr.len - in->used;
}

/*
 * Splits len bytes of NUL-terminated strings: points strings[] at the first
 * max of them and returns how many there are in all, or -EINVAL if the last
 * one has no NUL.
 */
int wire_strings(const char *data, unsigned int len, const char **strings,
		 unsigned int max)
{
	const char *end = data + len, *nul;
	unsigned int n = 0;

	for (; data < end; data = nul + 1) {
		nul = memchr(data, 0, end - data);
		if (!nul)
			return -EINVAL;
		if (n++ < max)
			strings[n - 1] = data;
	}
	return n;
}

/* A decimal number from 0 to max and nothing else. */
bool wire_parse_u32(const char *s, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long long n = strtoull(s, &end, 10);

	*value = n;
	return *s >= '0' && *s <= '9' && !*end && n <= max;
}

/* "r5" and the like; -EINVAL if it is anything else. */
int wire_parse_perm(const char *s, struct wire_perm *perm)
{
	static const char letters[] = "nrwb";	/* index = access bits */
	const char *l = *s ? strchr(letters, *s) : NULL;
	uint32_t domid;

	if (!l || !wire_parse_u32(s + 1, 0xffff, &domid))
		return -EINVAL;
	perm->access = l - letters;
	perm->domid = domid;
	return 0;
}

/* Writes "r5" and a NUL to `to`, of WIRE_PERM_CHARS; returns the length with
 * the NUL. */
unsigned int wire_format_perm(const struct wire_perm *perm, char *to)
{
	return snprintf(to, WIRE_PERM_CHARS, "%c%u",
			"nrwb"[perm->access & (WIRE_READ | WIRE_WRITE)],
			perm->domid) + 1;
}
