/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gzip (RFC 1952) around deflate (RFC 1951).
 *
 * A table of 2^15 entries finds any code in one step.  Behind the end of the
 * input the bit reader supplies zeros; a position there at the end of a block
 * means damage.  Headers with extra fields or a checksum are refused.
 */
#include <lib/decompress.h>

#define MAX_BITS	15
#define MAX_LITLEN	288
#define MAX_DIST	32

struct inflate {
	struct unpack *u;
	struct bits b;
	u16 lit[1 << MAX_BITS], dist[1 << MAX_BITS];	/* symbol << 4 | bits */
	u8 lens[MAX_LITLEN + MAX_DIST];
};

/*
 * From code lengths to a table; false if the lengths promise too much.  Codes
 * come in the order of their lengths, then symbols, each one more than the
 * one before, counted from the highest bit, which the stream has first.
 */
static bool huffman_build(u16 *table, const u8 *lens, unsigned int n)
{
	u32 code = 0, bit = 1;

	memset(table, 0, sizeof(*table) << MAX_BITS);
	for (unsigned int len = 1; len <= MAX_BITS; len++) {
		for (unsigned int i = 0; i < n; i++) {
			if (lens[i] != len)
				continue;
			if (!bit)
				return false;
			for (u32 c = code; c < 1 << MAX_BITS; c += 1 << len)
				table[c] = i << 4 | len;
			for (bit = 1 << (len - 1); code & bit; bit >>= 1)
				code ^= bit;
			code |= bit;
		}
	}
	return true;
}

static always_inline int decode(struct bits *b, const u16 *table)
{
	u32 e = table[bits_at(b, b->pos) & ((1 << MAX_BITS) - 1)];

	b->pos += e & 15;
	return e ? (int)(e >> 4) : -1;
}

/* Lengths and distances share a pattern: the base doubles every few codes. */
static always_inline u32 expand(struct bits *b, u32 code, unsigned int log)
{
	u32 extra = (code >> log) - 1;

	if (code >> log < 2)
		return code;
	return ((code & ((1 << log) - 1)) + (1U << log)) << extra |
	       bits_next(b, extra);
}

/* A block, from the lengths of its codes. */
static bool inflate_codes(struct inflate *s, unsigned int nlit,
			  unsigned int ndist)
{
	struct unpack u = *s->u;
	struct bits b = s->b;
	int sym;

	if (!huffman_build(s->lit, s->lens, nlit) ||
	    !huffman_build(s->dist, s->lens + nlit, ndist))
		return false;
	while ((sym = decode(&b, s->lit)) != 256) {
		u32 len;

		if (sym < 0 || sym > 285 || (sym < 256 && u.out == u.out_end))
			return false;
		if (sym < 256) {
			*u.out++ = sym;
			continue;
		}
		len = 3 + (sym == 285 ? 255 : expand(&b, sym - 257, 2));
		sym = decode(&b, s->dist);
		if (sym < 0 || sym > 29 ||
		    !unpack_match(&u, 1 + expand(&b, sym, 1), len))
			return false;
	}
	*s->u = u;
	s->b = b;
	return true;
}

static bool inflate_stored(struct inflate *s)
{
	u32 len;

	s->b.pos = ROUND_UP(s->b.pos, 8);
	len = bits_next(&s->b, 16);
	if ((bits_next(&s->b, 16) ^ len) != 0xffff)
		return false;
	s->u->in = s->b.start + s->b.pos / 8;
	s->b.pos += len * 8UL;
	return s->u->in <= s->u->in_end && unpack_copy(s->u, len);
}

static bool inflate_dynamic(struct inflate *s)
{
	static const u8 order[19] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
	};
	struct bits *b = &s->b;
	unsigned int nlit = bits_next(b, 5) + 257, ndist = bits_next(b, 5) + 1;
	unsigned int nlen = bits_next(b, 4) + 4, n = 0;

	memset(s->lens, 0, sizeof(order));
	for (unsigned int i = 0; i < nlen; i++)
		s->lens[order[i]] = bits_next(b, 3);
	if (!huffman_build(s->lit, s->lens, sizeof(order)))
		return false;
	while (n < nlit + ndist) {
		int sym = decode(b, s->lit);
		unsigned int repeat = sym < 16 ? 1 :
				      sym == 16 ? 3 + bits_next(b, 2) :
				      sym == 17 ? 3 + bits_next(b, 3) :
						  11 + bits_next(b, 7);

		if (sym < 0 || (sym == 16 && !n) || repeat > nlit + ndist - n)
			return false;
		memset(s->lens + n, sym < 16 ? sym :
		       sym == 16 ? s->lens[n - 1] : 0, repeat);
		n += repeat;
	}
	return inflate_codes(s, nlit, ndist);
}

static bool inflate_block(struct inflate *s, u32 type)
{
	switch (type) {
	case 0: return inflate_stored(s);
	case 1:
		for (unsigned int i = 0; i < MAX_LITLEN; i++)
			s->lens[i] = i < 144 ? 8 : i < 256 ? 9 :
				     i < 280 ? 7 : 8;
		memset(s->lens + MAX_LITLEN, 5, MAX_DIST);
		return inflate_codes(s, MAX_LITLEN, MAX_DIST);
	case 2: return inflate_dynamic(s);
	}
	return false;
}

bool ungzip(struct unpack *u)
{
	static struct inflate state __section(".bss.init");
	struct inflate *s = &state;
	size_t n;
	bool last;

	if (u->in_end - u->in < 18 || u->in[2] != 8 || u->in[3] & ~8)
		return false;
	s->b = (struct bits){ u->in + 10, u->in_end, 0 };
	if (u->in[3] & 8)		/* a file name */
		while (s->b.start < u->in_end && *s->b.start++)
			;
	s->u = u;
	do {
		last = bits_next(&s->b, 1);
		if (!inflate_block(s, bits_next(&s->b, 2)))
			return false;
		u->in = s->b.start + (s->b.pos + 7) / 8;
		if (u->in_end - u->in < 8)
			return false;
	} while (!last);
	n = u->out - u->out_start;
	return load_le(u->in, 4) == crc32(u->out_start, n) &&
	       load_le(u->in + 4, 4) == (u32)n;
}
