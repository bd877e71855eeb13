/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the decoders of kernel images share: choice by magic number,
 * CRC-32.  Formats that Linux no longer defaults to anywhere (bzip2,
 * lzma, lzo) are not offered.
 */
#include <lib/decompress.h>

static const struct {
	const char *magic;
	size_t len;
	bool (*fn)(struct unpack *u);
	const char *bad;
} formats[] = {
	{ "\xfd" "7zXZ", 6, unxz, "xz: damaged, or not --check=crc32 --x86" },
	{ "\x28\xb5\x2f\xfd", 4, unzstd, "zstd: damaged data" },
	{ "\x1f\x8b", 2, ungzip, "gzip: damaged data" },
	{ "\x02\x21\x4c\x18", 4, unlz4, "lz4: damaged data" },
};

const char *decompress(struct unpack *u)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if ((size_t)(u->in_end - u->in) >= formats[i].len &&
		    !memcmp(u->in, formats[i].magic, formats[i].len))
			return formats[i].fn(u) ? NULL : formats[i].bad;
	return "not a kernel: neither ELF nor gzip, xz, zstd or lz4 data";
}

u32 crc32(const u8 *p, size_t n)
{
	static u32 tab[256] __section(".bss.init");
	u32 crc = ~0U;

	for (u32 i = 0; i < 256; i++) {
		tab[i] = i;
		for (int bit = 0; bit < 8; bit++)
			tab[i] = tab[i] >> 1 ^ (tab[i] & 1 ? 0xedb88320 : 0);
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ tab[(crc ^ *p) & 0xff];
	return ~crc;
}
