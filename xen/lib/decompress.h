/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unpacking of kernel images: one input buffer, one output buffer, both of
 * known size.  Every decoder takes its input as hostile: all reads and writes
 * are bounded, a damaged image gives a one-line reason and nothing else.
 *
 * The files compile on the host too (tests/host/test_decompress.c): they need
 * nothing of the hypervisor but mem*().
 */
#ifndef DECOMPRESS_H
#define DECOMPRESS_H

#include <lib/lib.h>

/*
 * Boot-only code, but not `cold': __init would have the compiler optimise
 * these loops, most of a boot's instructions, for size.
 */
#define __unpack	__section(".init.text")

struct unpack {
	const u8 *in;
	size_t in_len;
	u8 *out;
	size_t out_len;		/* room */
	size_t produced;	/* set by the decoder, in failure too */
	void *scratch;		/* DECOMPRESS_SCRATCH bytes, zeroed */
};
#define DECOMPRESS_SCRATCH	(256 * 1024)

/*
 * Unpacks u->in by its magic number.  NULL when whole and, where the format
 * has a checksum, intact.  Bytes behind the end of the compressed data are
 * ignored.
 */
const char *decompress(struct unpack *u);

/* One decoder each; same contract, the magic is known to be there. */
const char *unxz(struct unpack *u);
const char *unzstd(struct unpack *u);
const char *unlz4(struct unpack *u);
const char *ungzip(struct unpack *u);

#define CRC32_WORDS	(8 * 256)
/* Fills the tables of crc32(): CRC32_WORDS words. */
void crc32_init(u32 *tab);
/* IEEE CRC-32 as zlib and xz use it; start with crc 0. */
u32 crc32(const u32 *tab, u32 crc, const u8 *p, size_t n);

static always_inline u64 load64(const void *p)
{
	u64 v;

	__builtin_memcpy(&v, p, 8);
	return v;
}

static always_inline u32 load32(const void *p)
{
	u32 v;

	__builtin_memcpy(&v, p, 4);
	return v;
}

static always_inline u16 load16(const void *p)
{
	u16 v;

	__builtin_memcpy(&v, p, 2);
	return v;
}

static always_inline void copy8(u8 *dst, const u8 *src)
{
	u64 v = load64(src);

	__builtin_memcpy(dst, &v, 8);
}

/*
 * Repeats len bytes from dist bytes back.  The caller has checked that dist
 * is not more than what lies before dst and len not more than end - dst.
 * May scribble up to 7 bytes further, but never past end.
 */
static always_inline void lz_copy(u8 *dst, size_t dist, size_t len,
				  const u8 *end)
{
	const u8 *src = dst - dist, *stop = dst + len;

	if (likely(dist >= 8 && (size_t)(end - dst) >= len + 7)) {
		do {
			copy8(dst, src);
			dst += 8;
			src += 8;
		} while (dst < stop);
		return;
	}
	while (dst < stop)
		*dst++ = *src++;
}

#endif
