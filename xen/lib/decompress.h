/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unpacking of kernel images: one input buffer, one output buffer, both of
 * known size.  Every decoder takes its input as hostile: all reads and writes
 * are bounded, a damaged image gives a one-line reason and nothing else.
 *
 * The output buffer is every format's window.  Decoders move u->in and u->out
 * as they go and never look outside of [in, in_end) and [out_start, out_end);
 * they say false when the data is damaged or does not fit.
 *
 * Boot-only code: xen.lds puts it where boot frees it.  It is not marked
 * __init, which would have the compiler optimise these loops, most of a boot's
 * instructions, for size.
 *
 * The files compile on the host too (tests/host/test_decompress.c): they need
 * nothing of the hypervisor but mem*().
 */
#pragma once

#include <lib/lib.h>

struct unpack {
	const u8 *in, *in_end;
	u8 *out, *out_start, *out_end;
};

/*
 * Unpacks by the magic number at u->in.  NULL when whole and, where the format
 * has a checksum, intact; u->out is then behind the output.  Bytes behind the
 * end of the compressed data are ignored.
 */
const char *decompress(struct unpack *u);

/* One decoder each; the magic is known to be there. */
bool unxz(struct unpack *u);
bool unzstd(struct unpack *u);
bool unlz4(struct unpack *u);
bool ungzip(struct unpack *u);

/* IEEE CRC-32 as zlib and xz use it. */
u32 crc32(const u8 *p, size_t n);

/* len bytes of input are output as they stand; false if they do not fit. */
static always_inline bool unpack_copy(struct unpack *u, size_t len)
{
	if (len > (size_t)(u->in_end - u->in) ||
	    len > (size_t)(u->out_end - u->out))
		return false;
	memcpy(u->out, u->in, len);
	u->in += len;
	u->out += len;
	return true;
}

/* Repeats len bytes from dist bytes back; false if that cannot be. */
static always_inline bool unpack_match(struct unpack *u, size_t dist,
				       size_t len)
{
	u8 *dst = u->out, *stop = dst + len;
	const u8 *src = dst - dist;

	if (dist - 1 >= (size_t)(dst - u->out_start) ||
	    len > (size_t)(u->out_end - dst))
		return false;
	u->out = stop;
	if (likely(dist >= 8 && u->out_end - stop >= 7))
		for (; dst < stop; dst += 8, src += 8)
			__builtin_memcpy(dst, src, 8);
	while (dst < stop)
		*dst++ = *src++;
	return true;
}

/* A stream of bits, lowest first; pos may leave it on either side. */
struct bits {
	const u8 *start, *end;
	s64 pos;
};

/* 57 bits or more from bit number pos on, zeros behind the end. */
static always_inline u64 bits_at(const struct bits *b, u64 pos)
{
	const u8 *p = b->start + (pos >> 3);
	u64 w = 0;

	if (likely(b->end - p >= 8))
		w = load_le(p, 8);
	else
		for (unsigned int i = 0; p < b->end; i += 8)
			w |= (u64)*p++ << i;
	return w >> (pos & 7);
}

/* The next n bits. */
static always_inline u32 bits_next(struct bits *b, unsigned int n)
{
	u64 v = bits_at(b, b->pos);

	b->pos += n;
	return v & ((1UL << n) - 1);
}
