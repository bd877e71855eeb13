/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the decoders of kernel images share: choice by magic number, CRC-32.
 */
#include <lib/decompress.h>

/* Formats that Linux can be packed in; without a function: not offered. */
static const struct {
	u8 magic[6], len;
	const char *refuse;
	const char *(*fn)(struct unpack *u);
} formats[] = {
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, NULL, unxz },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, NULL, unzstd },
	{ { 0x1f, 0x8b }, 2, NULL, ungzip },
	{ { 0x02, 0x21, 0x4c, 0x18 }, 4, NULL, unlz4 },
	{ { 'B', 'Z', 'h' }, 3, "bzip2 compression is not supported", NULL },
	{ { 0x5d, 0, 0 }, 3, "lzma compression is not supported", NULL },
	{ { 0x89, 'L', 'Z' }, 3, "lzo compression is not supported", NULL },
};

__unpack const char *decompress(struct unpack *u)
{
	u->produced = 0;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (u->in_len < formats[i].len ||
		    memcmp(u->in, formats[i].magic, formats[i].len))
			continue;
		return formats[i].fn ? formats[i].fn(u) : formats[i].refuse;
	}
	return "not a kernel: neither ELF nor gzip, xz, zstd or lz4 data";
}

__unpack void crc32_init(u32 *tab)
{
	for (u32 i = 0; i < 256; i++) {
		u32 c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
		tab[i] = c;
	}
	/* tab[k * 256 + b]: byte b with k zero bytes behind it. */
	for (u32 i = 256; i < CRC32_WORDS; i++)
		tab[i] = tab[i - 256] >> 8 ^ tab[tab[i - 256] & 0xff];
}

/* Eight bytes at a step: a table for each distance from the step's end. */
__unpack u32 crc32(const u32 *tab, u32 crc, const u8 *p, size_t n)
{
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		u64 w = load64(p) ^ crc;

		crc = tab[7 * 256 + (w & 0xff)] ^
		      tab[6 * 256 + (w >> 8 & 0xff)] ^
		      tab[5 * 256 + (w >> 16 & 0xff)] ^
		      tab[4 * 256 + (w >> 24 & 0xff)] ^
		      tab[3 * 256 + (w >> 32 & 0xff)] ^
		      tab[2 * 256 + (w >> 40 & 0xff)] ^
		      tab[256 + (w >> 48 & 0xff)] ^
		      tab[w >> 56];
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ tab[(crc ^ *p) & 0xff];
	return ~crc;
}
