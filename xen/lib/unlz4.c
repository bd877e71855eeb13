/* SPDX-License-Identifier: GPL-2.0 */
/*
 * LZ4, legacy frame: as `lz4 -l` writes it and Linux packs kernels with.
 *
 * Magic, then blocks, each a 32-bit length and that many bytes.  There is no
 * end mark and no checksum: the output's known size ends it.
 */
#include <lib/decompress.h>

/* A length that does not fit its four bits goes on in bytes of 255. */
static size_t lz4_length(struct unpack *u, size_t len)
{
	bool more = len == 15;

	while (more && u->in < u->in_end) {
		more = *u->in == 255;
		len += *u->in++;
	}
	return len;
}

bool unlz4(struct unpack *u)
{
	for (u->in += 4; u->in_end - u->in >= 4 && u->out < u->out_end; ) {
		const u8 *end = u->in + 4 + load_le(u->in, 4);

		if (end > u->in_end)
			return false;
		for (u->in += 4; u->in < end; ) {
			u8 token = *u->in++;
			u32 dist;

			if (!unpack_copy(u, lz4_length(u, token >> 4)))
				return false;
			if (u->in == end)	/* the last has no match */
				break;
			if (end - u->in < 2)
				return false;
			dist = load_le(u->in, 2);
			u->in += 2;
			if (!unpack_match(u, dist,
					  lz4_length(u, token & 15) + 4))
				return false;
		}
	}
	return true;
}
