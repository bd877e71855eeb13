/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gzip (RFC 1952) around deflate (RFC 1951).
 *
 * Codes of up to FAST_BITS bits are looked up in one step, longer ones are
 * walked bit by bit.  Behind the end of the input the bit reader supplies
 * zeros and counts them; whoever used one has a damaged image.
 */
#include <lib/decompress.h>

#define FAST_BITS	10
#define MAX_LITLEN	288
#define MAX_DIST	32

struct huffman {
	u16 fast[1 << FAST_BITS];	/* symbol << 4 | bits; 0 = longer */
	u16 count[16];			/* codes of each length */
	u16 symbol[MAX_LITLEN];		/* in order of their codes */
};

struct inflate {
	const u8 *in, *in_end;
	u64 hold;			/* next bits, lowest first */
	unsigned int bits;		/* how many hold has */
	unsigned int invented;		/* bytes supplied behind the end */
	u8 *out, *out_start;
	const u8 *out_end;
	struct huffman lit, dist;
	u8 lens[MAX_LITLEN + MAX_DIST];
	u32 crc_table[CRC32_WORDS];
};

/* At least 56 bits in hold: enough for a length, a distance, all extras. */
static __unpack void refill(struct inflate *s)
{
	if (s->in_end - s->in >= 8) {
		s->hold |= load64(s->in) << s->bits;
		s->in += (63 - s->bits) >> 3;
		s->bits |= 56;
		return;
	}
	for (; s->bits < 56; s->bits += 8) {
		if (s->in < s->in_end)
			s->hold |= (u64)*s->in++ << s->bits;
		else
			s->invented++;
	}
}

static always_inline u32 take(struct inflate *s, unsigned int n)
{
	u32 v = s->hold & ((1UL << n) - 1);

	s->hold >>= n;
	s->bits -= n;
	return v;
}

/* True once bits from behind the input's end were used. */
static __unpack bool ran_dry(const struct inflate *s)
{
	return s->invented * 8 > s->bits;
}

static __unpack u32 reverse(u32 code, unsigned int len)
{
	u32 r = 0;

	for (; len; len--, code >>= 1)
		r = r << 1 | (code & 1);
	return r;
}

/* From code lengths to tables; false if the lengths promise too much. */
static __unpack bool huffman_build(struct huffman *h, const u8 *lens,
				   unsigned int n)
{
	u16 offset[16] = { 0 }, next[16] = { 0 };
	int left = 1;

	memset(h, 0, sizeof(*h));
	for (unsigned int i = 0; i < n; i++)
		h->count[lens[i]]++;
	h->count[0] = 0;
	for (unsigned int len = 1; len < 16; len++) {
		left = left * 2 - h->count[len];
		if (left < 0)
			return false;
		offset[len] = offset[len - 1] + h->count[len - 1];
		next[len] = (next[len - 1] + h->count[len - 1]) << 1;
	}
	for (unsigned int i = 0; i < n; i++) {
		unsigned int len = lens[i];

		if (!len)
			continue;
		h->symbol[offset[len]++] = i;
		if (len > FAST_BITS)
			continue;
		for (u32 c = reverse(next[len]++, len); c < 1 << FAST_BITS;
		     c += 1 << len)
			h->fast[c] = i << 4 | len;
	}
	return true;
}

/* Codes of a length are consecutive, and follow the shorter ones doubled. */
static __unpack int decode_long(struct inflate *s, const struct huffman *h)
{
	int code = 0, first = 0, index = 0;

	for (unsigned int len = 1; len < 16; len++) {
		code |= take(s, 1);
		if (code - first < h->count[len])
			return h->symbol[index + code - first];
		index += h->count[len];
		first = (first + h->count[len]) << 1;
		code <<= 1;
	}
	return -1;
}

static always_inline int decode(struct inflate *s, const struct huffman *h)
{
	u32 e = h->fast[s->hold & ((1 << FAST_BITS) - 1)];

	if (unlikely(!e))
		return decode_long(s, h);
	take(s, e & 15);
	return e >> 4;
}

/* Lengths and distances share a pattern: the base doubles every few codes. */
static always_inline u32 expand(struct inflate *s, u32 code, unsigned int log)
{
	u32 extra = code >> log;

	if (extra < 2)
		return code;
	extra--;
	return ((code & ((1 << log) - 1)) + (1U << log)) << extra |
	       take(s, extra);
}

static __unpack const char *inflate_codes(struct inflate *s)
{
	for (;;) {
		int sym;
		u32 len, dist;

		refill(s);
		sym = decode(s, &s->lit);
		if (sym < 256) {
			if (sym < 0 || s->out == s->out_end)
				return "gzip: bad code or too much data";
			*s->out++ = sym;
			continue;
		}
		if (sym == 256)
			return NULL;
		if (sym > 285)
			return "gzip: bad length code";
		len = 3 + (sym == 285 ? 255 : expand(s, sym - 257, 2));
		sym = decode(s, &s->dist);
		if (sym < 0 || sym > 29)
			return "gzip: bad distance code";
		dist = 1 + expand(s, sym, 1);
		if (dist > (size_t)(s->out - s->out_start) ||
		    len > (size_t)(s->out_end - s->out))
			return "gzip: bad distance or too much data";
		lz_copy(s->out, dist, len, s->out_end);
		s->out += len;
	}
}

static __unpack const char *inflate_stored(struct inflate *s)
{
	u32 len;

	take(s, s->bits & 7);
	refill(s);
	len = take(s, 16);
	if ((take(s, 16) ^ len) != 0xffff || ran_dry(s))
		return "gzip: damaged stored block";
	/* Give whole bytes back; invented ones lie behind the end. */
	s->in -= s->bits / 8 - s->invented;
	s->hold = s->bits = s->invented = 0;
	if (len > (size_t)(s->in_end - s->in) ||
	    len > (size_t)(s->out_end - s->out))
		return "gzip: stored block too long";
	memcpy(s->out, s->in, len);
	s->in += len;
	s->out += len;
	return NULL;
}

static __unpack bool fixed_codes(struct inflate *s)
{
	for (unsigned int i = 0; i < MAX_LITLEN; i++)
		s->lens[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	memset(s->lens + MAX_LITLEN, 5, MAX_DIST);
	return huffman_build(&s->lit, s->lens, MAX_LITLEN) &&
	       huffman_build(&s->dist, s->lens + MAX_LITLEN, MAX_DIST);
}

static __unpack bool dynamic_codes(struct inflate *s)
{
	static const u8 order[19] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
	};
	unsigned int nlit = take(s, 5) + 257, ndist = take(s, 5) + 1;
	unsigned int nlen = take(s, 4) + 4, n = 0;

	if (nlit > 286 || ndist > 30)
		return false;
	memset(s->lens, 0, 19);
	for (unsigned int i = 0; i < nlen; i++) {
		refill(s);
		s->lens[order[i]] = take(s, 3);
	}
	if (!huffman_build(&s->lit, s->lens, 19))
		return false;
	while (n < nlit + ndist) {
		unsigned int repeat = 1;
		int sym;
		u8 len = 0;

		refill(s);
		sym = decode(s, &s->lit);
		if (sym < 0 || (sym == 16 && !n))
			return false;
		if (sym < 16)
			len = sym;
		else if (sym == 16)
			len = s->lens[n - 1], repeat = 3 + take(s, 2);
		else
			repeat = sym == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
		if (repeat > nlit + ndist - n)
			return false;
		memset(s->lens + n, len, repeat);
		n += repeat;
	}
	return s->lens[256] && huffman_build(&s->lit, s->lens, nlit) &&
	       huffman_build(&s->dist, s->lens + nlit, ndist);
}

static __unpack const char *inflate(struct inflate *s)
{
	const char *err = NULL;
	bool last;

	do {
		u32 type;

		refill(s);
		last = take(s, 1);
		type = take(s, 2);
		if (type == 0)
			err = inflate_stored(s);
		else if (type == 3 ||
			 !(type == 1 ? fixed_codes(s) : dynamic_codes(s)))
			err = "gzip: bad block header";
		else
			err = inflate_codes(s);
		if (!err && ran_dry(s))
			err = "gzip: data ends early";
	} while (!err && !last);
	return err;
}

/* Behind the header's optional fields; NULL if they do not fit. */
static __unpack const u8 *skip_header(const u8 *p, const u8 *end)
{
	u8 flags;

	if (end - p < 10 || p[2] != 8 || p[3] & 0xe0)
		return NULL;
	flags = p[3];
	p += 10;
	if (flags & 4) {
		if (end - p < 2 || load16(p) > end - p - 2)
			return NULL;
		p += 2 + load16(p);
	}
	for (int strings = !!(flags & 8) + !!(flags & 16); strings; strings--) {
		while (p < end && *p)
			p++;
		if (p++ >= end)
			return NULL;
	}
	if (flags & 2)
		p += 2;
	return p < end ? p : NULL;
}

static __unpack const char *check_trailer(struct inflate *s)
{
	size_t n = s->out - s->out_start;

	s->in -= s->bits / 8 - s->invented;
	if (s->in_end - s->in < 8)
		return "gzip: no checksum";
	crc32_init(s->crc_table);
	if (load32(s->in) != crc32(s->crc_table, 0, s->out_start, n) ||
	    load32(s->in + 4) != (u32)n)
		return "gzip: checksum is wrong";
	return NULL;
}

__unpack const char *ungzip(struct unpack *u)
{
	const char *err = "gzip: bad header";
	struct inflate *s = u->scratch;

	_Static_assert(sizeof(*s) <= DECOMPRESS_SCRATCH, "scratch too small");
	s->in_end = u->in + u->in_len;
	s->in = skip_header(u->in, s->in_end);
	s->out = s->out_start = u->out;
	s->out_end = u->out + u->out_len;
	if (s->in)
		err = inflate(s);
	if (!err)
		err = check_trailer(s);
	u->produced = s->out - u->out;
	return err;
}
