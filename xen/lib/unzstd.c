/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zstandard (RFC 8878): one frame, no dictionary, checksum verified.
 *
 * The output buffer is the window, so any window size will do.  While a block
 * is unpacked u->in_end is its end.  Huffman and sequence streams are read from
 * their end: there a bit position below zero means damage.
 */
#include <lib/decompress.h>

#define MAX_BLOCK	(128 * 1024)
#define HUF_BITS	11
#define MAX_FSE_BITS	9
#define CODES		53		/* of the kind that has most */

struct fse_table {
	struct {
		u16 base;		/* next state = base + bits read */
		u8 symbol, bits;
	} e[1 << MAX_FSE_BITS];
	u8 log;
};

/* All zero at first: a table that was never built has one code of no bits. */
struct zstd {
	struct unpack *u;
	u8 literals[MAX_BLOCK];
	size_t nr_literals;
	u16 huf[1 << HUF_BITS];		/* symbol << 4 | bits */
	unsigned int huf_log;
	struct fse_table weights;
	struct fse_table table[3];	/* by kind */
	u32 base[3][CODES];
	u32 repeat[3];
};

/*
 * Three kinds of codes: lengths of literals, offsets, lengths of matches.
 * Each code is followed by bits that are added to its base; the bases are the
 * sums of the bits' ranges, counted from `first`.
 */
enum kind { LL, OF, ML };

static const struct fse_kind {
	s16 counts[CODES];		/* the distribution all decoders know */
	u8 log, max_log, nr, first;
	u8 bits[CODES];
} kinds[] = { {
	{ 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2,
	  2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1 }, 6, 9, 36, 0,
	{ [16] = 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	  15, 16 }
}, {
	{ 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	  1, 1, -1, -1, -1, -1, -1 }, 5, 8, 32, 1,
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	  19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 }
}, {
	{ 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	  1, 1, -1, -1, -1, -1, -1, -1, -1 }, 6, 9, 53, 3,
	{ [32] = 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13,
	  14, 15, 16 }
} };

/* --- bits from the end ----------------------------------------------- */
/* The last byte's highest set bit marks the end of the stream: must be one. */
static struct bits bits_from_end(const u8 *start, const u8 *end)
{
	s64 pos = start < end && end[-1] ?
		  (end - start - 1) * 8 + fls64(end[-1]) : -1;

	return (struct bits){ start, end, pos };
}

/* The n bits in front of the position, zero when they are not all there. */
static always_inline u32 bits_back(struct bits *b, unsigned int n)
{
	b->pos -= n;
	return b->pos < 0 ? 0 : bits_at(b, b->pos) & ((1UL << n) - 1);
}

/* --- FSE tables ------------------------------------------------------ */
/* From a distribution (-1: less than one) of n symbols to a table. */
static bool fse_build(struct fse_table *t, const s16 *counts, unsigned int n,
		      unsigned int log)
{
	unsigned int size = 1U << log, high = size, pos = 0;
	unsigned int step = (size >> 1) + (size >> 3) + 3;
	u16 next[256];

	for (unsigned int s = 0; s < n; s++) {
		next[s] = counts[s] < 0 ? 1 : counts[s];
		if (counts[s] < 0)
			t->e[--high].symbol = s;
	}
	for (unsigned int s = 0; s < n; s++) {
		for (int i = 0; i < counts[s]; i++) {
			t->e[pos].symbol = s;
			do
				pos = (pos + step) & (size - 1);
			while (pos >= high);
		}
	}
	for (unsigned int i = 0; i < size; i++) {
		unsigned int x = next[t->e[i].symbol]++;

		t->e[i].bits = log - fls64(x);
		t->e[i].base = (x << t->e[i].bits) - size;
	}
	t->log = log;
	return !pos;
}

/* A packed distribution; returns what follows it, NULL for a bad one. */
static const u8 *fse_header(struct fse_table *t, const u8 *in, const u8 *end,
			    unsigned int max_log, unsigned int max_nr)
{
	struct bits b = { in, end, 0 };
	unsigned int log = bits_next(&b, 4) + 5, n = 0;
	int left = 1 << log;
	s16 counts[CODES + 3] = { 0 };

	if (log > max_log)
		return NULL;
	while (left > 0) {
		unsigned int bits = fls64(left + 1) + 1;
		u32 half = 1U << (bits - 1), spare = 2 * half - 2 - left;
		u32 v = bits_next(&b, bits), again = 3;

		/* The `spare` smallest values need one bit less. */
		if ((v & (half - 1)) < spare) {
			v &= half - 1;
			b.pos--;
		} else if (v >= half) {
			v -= spare;
		}
		if (n >= max_nr)
			return NULL;
		counts[n++] = v - 1;
		left -= v ? v - 1 : 1;
		/* Behind a zero: how many more, two bits at a time. */
		while (v == 1 && again == 3 && n < max_nr) {
			again = bits_next(&b, 2);
			n += again;
		}
	}
	return !left && n <= max_nr && b.pos <= (end - in) * 8 &&
	       fse_build(t, counts, n, log) ? in + (b.pos + 7) / 8 : NULL;
}

static always_inline u32 fse_step(const struct fse_table *t, u32 state,
				  struct bits *b)
{
	return t->e[state].base + bits_back(b, t->e[state].bits);
}

/* --- literals -------------------------------------------------------- */
/* Two states take turns until the stream is used up; 0 if it is bad. */
static unsigned int fse_weights(struct fse_table *t, const u8 *in,
				const u8 *end, u8 *weights)
{
	unsigned int n = 0;
	struct bits b;
	u32 state[2];

	in = fse_header(t, in, end, 6, HUF_BITS + 1);
	if (!in)
		return 0;
	b = bits_from_end(in, end);
	state[0] = bits_back(&b, t->log);
	state[1] = bits_back(&b, t->log);
	while (b.pos >= 0 && n < 254) {
		u32 *s = &state[n & 1];

		weights[n++] = t->e[*s].symbol;
		*s = fse_step(t, *s, &b);
	}
	weights[n] = t->e[state[n & 1]].symbol;
	return n && b.pos < 0 ? n + 1 : 0;
}

/* Codes from weights; the last symbol's weight fills up the tree. */
static bool huf_build(struct zstd *z, u8 *weights, unsigned int n)
{
	u32 total = 0, rest, pos = 0;
	unsigned int log;

	for (unsigned int i = 0; i < n; i++)
		total += 1U << weights[i] >> 1;
	log = fls64(total | 1) + 1;
	rest = (1U << log) - total;
	if (!total || log > HUF_BITS || rest & (rest - 1))
		return false;
	weights[n++] = fls64(rest) + 1;
	for (unsigned int w = 1; w <= log; w++) {
		for (unsigned int i = 0; i < n; i++)
			for (u32 k = weights[i] == w ? 1U << w >> 1 : 0; k; k--)
				z->huf[pos++] = i << 4 | (log + 1 - w);
	}
	z->huf_log = log;
	return true;
}

/* Reads the description of a Huffman tree; what follows it, NULL bad. */
static const u8 *huf_header(struct zstd *z, const u8 *in, const u8 *end)
{
	u8 weights[256];
	unsigned int head = in < end ? *in++ : 0, n = 0;
	size_t size = head < 128 ? head : (head - 126) / 2;

	if (size > (size_t)(end - in))
		return NULL;
	if (head < 128)
		n = fse_weights(&z->weights, in, in + size, weights);
	for (; head >= 128 && n < head - 127; n++)
		weights[n] = n & 1 ? in[n / 2] & 15 : in[n / 2] >> 4;
	return n && huf_build(z, weights, n) ? in + size : NULL;
}

/* One stream into n bytes; it must be used up exactly. */
static bool huf_stream(const struct zstd *z, const u8 *in, const u8 *end,
		       u8 *out, size_t n)
{
	u64 mask = (1UL << z->huf_log) - 1;
	struct bits b = bits_from_end(in, end);

	for (; n && b.pos > 0; n--) {
		s64 at = b.pos - z->huf_log;
		u64 code = at >= 0 ? bits_at(&b, at) : bits_at(&b, 0) << -at;
		u32 e = z->huf[code & mask];

		*out++ = e >> 4;
		b.pos -= e & 15;
	}
	return !b.pos && !n;
}

/* The literals section of a block. */
static bool read_literals(struct zstd *z)
{
	struct unpack *u = z->u;
	struct bits b = { u->in, u->in_end, 0 };
	u32 type = bits_next(&b, 2), format = bits_next(&b, 2);
	unsigned int width = format < 2 ? 10 : format * 4 + 6;
	size_t n, packed, part;
	const u8 *in, *sizes, *stop;
	u8 *out = z->literals;

	if (type < 2) {
		b.pos -= !(format & 1);
		width = format == 1 ? 12 : format == 3 ? 20 : 5;
	}
	n = bits_next(&b, width);
	packed = type == 0 ? n : type == 1 ? 1 : bits_next(&b, width);
	in = u->in + b.pos / 8;
	if (n > MAX_BLOCK || (s64)packed > u->in_end - in)
		return false;
	u->in = in + packed;
	z->nr_literals = n;
	switch (type) {
	case 0: return memcpy(out, in, n);
	case 1: return memset(out, *in, n);
	case 2: in = huf_header(z, in, u->in);
	}
	/* One stream, or four: then the sizes of three are in front. */
	sizes = in;
	part = format ? (n + 3) / 4 : 0;
	in += in && format ? 6 : 0;
	if (!in || in > u->in || n < 3 * part)
		return false;
	for (unsigned int i = format ? 0 : 3; i < 3; i++, in = stop) {
		stop = in + load_le(sizes + 2 * i, 2);
		if (stop > u->in || !huf_stream(z, in, stop, out, part))
			return false;
		out += part;
	}
	return huf_stream(z, in, u->in, out, n - 3 * part);
}

/* --- sequences ------------------------------------------------------- */
/* Mode 0 default, 1 one symbol, 2 described, 3 as before.  What follows. */
static const u8 *sequence_table(struct fse_table *t, const struct fse_kind *k,
				unsigned int mode, const u8 *in, const u8 *end)
{
	s16 one[CODES] = { 0 };

	if (mode == 2)
		return fse_header(t, in, end, k->max_log, k->nr);
	if (mode == 0)
		fse_build(t, k->counts, k->nr, k->log);
	if (mode != 1)
		return in;
	if (in == end || *in >= k->nr)
		return NULL;
	one[*in] = 1;
	fse_build(t, one, k->nr, 0);
	return in + 1;
}

static always_inline u32 sequence_value(const struct zstd *z, enum kind k,
					const u32 *state, struct bits *b)
{
	u32 code = z->table[k].e[state[k]].symbol;

	return z->base[k][code] + bits_back(b, kinds[k].bits[code]);
}

/* Literals, then a repetition, nr times; then the rest of the literals. */
static bool run_sequences(struct zstd *z, struct bits *b, unsigned int nr)
{
	u32 *repeat = z->repeat, state[3];
	struct unpack u = *z->u;

	u.in = z->literals;
	u.in_end = u.in + z->nr_literals;

	for (unsigned int k = 0; nr && k < 3; k++)
		state[k] = bits_back(b, z->table[k].log);
	for (; nr; nr--) {
		u32 offset = sequence_value(z, OF, state, b), recent = 3;
		size_t match = sequence_value(z, ML, state, b);
		size_t n = sequence_value(z, LL, state, b);

		/* Values 1 to 3 name recent offsets, one further if n is 0. */
		if (offset <= 3)
			recent = offset - 1 + !n;
		offset = offset > 3 ? offset - 3 :
			 recent < 3 ? repeat[recent] : repeat[0] - 1;
		if (recent >= 2)
			repeat[2] = repeat[1];
		if (recent >= 1)
			repeat[1] = repeat[0];
		repeat[0] = offset;
		if (nr > 1) {
			state[LL] = fse_step(&z->table[LL], state[LL], b);
			state[ML] = fse_step(&z->table[ML], state[ML], b);
			state[OF] = fse_step(&z->table[OF], state[OF], b);
		}
		if (b->pos < 0 || !unpack_copy(&u, n) ||
		    !unpack_match(&u, offset, match))
			return false;
	}
	if (b->pos || !unpack_copy(&u, u.in_end - u.in))
		return false;
	z->u->out = u.out;
	return true;
}

/* A packed block: literals, the number of sequences, tables, sequences. */
static bool packed_block(struct zstd *z)
{
	struct unpack *u = z->u;
	unsigned int nr, modes = 0;
	const u8 *in;
	struct bits b;

	if (!read_literals(z))
		return false;
	b = (struct bits){ u->in, u->in_end, 0 };
	nr = bits_next(&b, 8);
	if (nr == 255)
		nr = bits_next(&b, 16) + 0x7f00;
	else if (nr > 127)
		nr = (nr - 128) << 8 | bits_next(&b, 8);
	if (nr)
		modes = bits_next(&b, 8);
	in = u->in + b.pos / 8;
	b.pos = 0;
	if (in > u->in_end)
		return false;
	for (unsigned int k = 0; nr && k < 3; k++) {
		in = sequence_table(&z->table[k], &kinds[k],
				    modes >> (6 - 2 * k) & 3, in, u->in_end);
		if (!in)
			return false;
	}
	if (nr)
		b = bits_from_end(in, u->in_end);
	return run_sequences(z, &b, nr);
}

/* --- the frame ------------------------------------------------------- */
#define XXH_P1	0x9e3779b185ebca87UL
#define XXH_P2	0xc2b2ae3d27d4eb4fUL
#define XXH_P3	0x165667b19e3779f9UL
#define XXH_P4	0x85ebca77c2b2ae63UL
#define XXH_P5	0x27d4eb2f165667c5UL

static always_inline u64 rotl(u64 v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static always_inline u64 xxh_round(u64 acc, u64 lane)
{
	return rotl(acc + lane * XXH_P2, 31) * XXH_P1;
}

/* XXH64 with seed 0: the frame's checksum is its low half. */
static u64 xxh64(const u8 *p, size_t n)
{
	u64 v[4] = { XXH_P1 + XXH_P2, XXH_P2, 0, -XXH_P1 }, h = XXH_P5;
	size_t left = n;

	for (; left >= 32; left -= 32)
		for (unsigned int i = 0; i < 4; i++, p += 8)
			v[i] = xxh_round(v[i], load_le(p, 8));
	if (n >= 32) {
		h = rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) +
		    rotl(v[3], 18);
		for (unsigned int i = 0; i < 4; i++)
			h = (h ^ xxh_round(0, v[i])) * XXH_P1 + XXH_P4;
	}
	h += n;
	for (; left >= 8; left -= 8, p += 8)
		h = rotl(h ^ xxh_round(0, load_le(p, 8)), 27) * XXH_P1 + XXH_P4;
	for (; left >= 4; left -= 4, p += 4)
		h = rotl(h ^ load_le(p, 4) * XXH_P1, 23) * XXH_P2 + XXH_P3;
	for (; left; left--, p++)
		h = rotl(h ^ *p * XXH_P5, 11) * XXH_P1;
	h = (h ^ h >> 33) * XXH_P2;
	h = (h ^ h >> 29) * XXH_P3;
	return h ^ h >> 32;
}

bool unzstd(struct unpack *u)
{
	static struct zstd state __section(".bss.init");
	struct zstd *z = &state;
	u32 head;
	u8 flags;

	if (u->in_end - u->in < 6)
		return false;
	/* Magic, flags, window unless single segment, content size. */
	flags = u->in[4];
	u->in += 5 + !(flags & 0x20) + (flags >> 6 ? 1 << (flags >> 6)
						   : !!(flags & 0x20));
	if (flags & 0xb)		/* reserved, or a dictionary */
		return false;
	memset(z, 0, sizeof(*z));
	z->u = u;
	memcpy(z->repeat, (const u32[]){ 1, 4, 8 }, sizeof(z->repeat));
	for (unsigned int k = 0; k < 3; k++) {
		z->base[k][0] = kinds[k].first;
		for (unsigned int i = 1; i < CODES; i++)
			z->base[k][i] = z->base[k][i - 1] +
					(1U << kinds[k].bits[i - 1]);
	}
	/* Blocks: as they are, one byte repeated, packed. */
	do {
		const u8 *end = u->in_end;
		size_t size;
		u32 type;

		if (end - u->in < 3)
			return false;
		head = u->in[0] | u->in[1] << 8 | u->in[2] << 16;
		type = head >> 1 & 3;
		size = head >> 3;
		u->in += 3;
		if (size > MAX_BLOCK || type == 3 ||
		    !unpack_copy(u, type == 0 ? size : type == 1) ||
		    (type == 1 && !unpack_match(u, 1, size - 1)))
			return false;
		if (type != 2)
			continue;
		if ((s64)size > end - u->in)
			return false;
		u->in_end = u->in + size;
		if (!packed_block(z))
			return false;
		u->in = u->in_end;
		u->in_end = end;
	} while (!(head & 1));
	return !(flags & 4) ||
	       (u->in_end - u->in >= 4 &&
		load_le(u->in, 4) ==
			(u32)xxh64(u->out_start, u->out - u->out_start));
}
