/* SPDX-License-Identifier: GPL-2.0 */
/*
 * LZ4, legacy frame: as `lz4 -l` writes it and Linux packs kernels with.
 *
 * Magic, then blocks, each a 32-bit length and that many bytes; a block
 * unpacks to at most 8 MiB and refers to nothing before itself.  There is no
 * end mark and no checksum: the output's known size ends it.
 */
#include <lib/decompress.h>

/* A length that did not fit its four bits goes on in bytes of 255. */
static __unpack bool more_length(const u8 **in, const u8 *end, size_t *len)
{
	u8 b;

	do {
		if (*in == end)
			return false;
		b = *(*in)++;
		*len += b;
	} while (b == 255);
	return true;
}

/* One block from in to in_end; returns the end of its output, or NULL. */
static __unpack u8 *lz4_block(const u8 *in, const u8 *in_end, u8 *out,
			      const u8 *out_end)
{
	const u8 *start = out;

	while (in < in_end) {
		u8 token = *in++;
		size_t len = token >> 4, dist;

		if (len == 15 && !more_length(&in, in_end, &len))
			return NULL;
		if (len > (size_t)(in_end - in) ||
		    len > (size_t)(out_end - out))
			return NULL;
		memcpy(out, in, len);
		in += len;
		out += len;
		if (in == in_end)	/* the last sequence has no match */
			return out;
		if (in_end - in < 2)
			return NULL;
		dist = load16(in);
		in += 2;
		len = token & 15;
		if (len == 15 && !more_length(&in, in_end, &len))
			return NULL;
		len += 4;
		if (!dist || dist > (size_t)(out - start) ||
		    len > (size_t)(out_end - out))
			return NULL;
		lz_copy(out, dist, len, out_end);
		out += len;
	}
	return NULL;
}

__unpack const char *unlz4(struct unpack *u)
{
	const u8 *in = u->in + 4, *end = u->in + u->in_len;
	const u8 *out_end = u->out + u->out_len;
	u8 *pos = u->out;

	while (end - in >= 4 && pos < out_end) {
		size_t len = load32(in);

		in += 4;
		if (len > (size_t)(end - in))
			return "lz4: data ends early";
		pos = lz4_block(in, in + len, pos, out_end);
		if (!pos)
			return "lz4: damaged block";
		in += len;
		u->produced = pos - u->out;
	}
	return NULL;
}
