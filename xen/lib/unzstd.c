/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zstandard (RFC 8878): one frame, no dictionary, checksum verified.
 *
 * The output buffer is the window, so any window size will do.  Streams that
 * are read from their end may be read up to eight bytes in front of their
 * start; at least thirteen bytes of headers lie there.  What comes from there
 * is never used: a position below zero is an error.
 */
#include <lib/decompress.h>

#define MAX_BLOCK	(128 * 1024)
#define HUF_BITS	11
#define LL_BITS		9
#define OF_BITS		8
#define ML_BITS		9
#define LL_CODES	36
#define OF_CODES	32
#define ML_CODES	53

struct fse_entry {
	u16 base;		/* next state = base + bits read */
	u8 symbol, bits;
};

struct fse_table {
	struct fse_entry e[1 << LL_BITS];
	u8 log;
	bool valid;
};

struct huf_entry {
	u8 symbol, bits;
};

struct zstd {
	u8 literals[MAX_BLOCK + 8];
	size_t nr_literals;
	struct huf_entry huf[1 << HUF_BITS];
	unsigned int huf_log;		/* 0: no table yet */
	struct fse_table ll, of, ml, weights;
	u32 ll_base[LL_CODES], ml_base[ML_CODES];
	u32 repeat[3];
	u8 *out, *out_start;
	const u8 *out_end;
};

/* Bits that a length code is followed by; the bases are their sums. */
static const u8 ll_bits[LL_CODES] = {
	[16] = 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
};
static const u8 ml_bits[ML_CODES] = {
	[32] = 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	16
};

/* The distributions every decoder knows. */
static const s8 ll_default[LL_CODES] = {
	4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1
};
static const s8 of_default[29] = {
	1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	-1, -1, -1, -1, -1
};
static const s8 ml_default[ML_CODES] = {
	1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	-1, -1, -1, -1, -1, -1, -1
};

/* --- bits from the end ----------------------------------------------- */
struct bits {
	const u8 *start;
	s64 left;		/* bits not yet read; negative: overrun */
};

/* The last byte's highest set bit marks the end of the stream. */
static __unpack bool bits_init(struct bits *b, const u8 *start, size_t n)
{
	if (!n || !start[n - 1])
		return false;
	b->start = start;
	b->left = (s64)(n - 1) * 8 + fls64(start[n - 1]);
	return true;
}

/* The next 57 bits or more, at the top of the word.  left >= 0. */
static always_inline u64 bits_peek(const struct bits *b)
{
	return load64(b->start + ((b->left + 7) >> 3) - 8) << (-b->left & 7);
}

/* n may be 0 and at most 32. */
static always_inline u32 bits_read(struct bits *b, unsigned int n)
{
	u64 w = bits_peek(b);

	b->left -= n;
	return w >> 1 >> (63 - n);
}

/* --- FSE tables ------------------------------------------------------ */
/* From a distribution (-1: less than one) of n symbols to a table. */
static __unpack bool fse_build(struct fse_table *t, const s8 *small,
			       const s16 *counts, unsigned int n,
			       unsigned int log)
{
	unsigned int size = 1U << log, high = size, pos = 0;
	unsigned int step = (size >> 1) + (size >> 3) + 3;
	u16 next[256];

	for (unsigned int s = 0; s < n; s++) {
		int count = small ? small[s] : counts[s];

		next[s] = count < 0 ? 1 : count;
		if (count < 0)
			t->e[--high].symbol = s;
	}
	for (unsigned int s = 0; s < n; s++) {
		int count = small ? small[s] : counts[s];

		for (; count > 0; count--) {
			t->e[pos].symbol = s;
			do
				pos = (pos + step) & (size - 1);
			while (pos >= high);
		}
	}
	if (pos)
		return false;
	for (unsigned int i = 0; i < size; i++) {
		unsigned int x = next[t->e[i].symbol]++;

		t->e[i].bits = log - fls64(x);
		t->e[i].base = (x << t->e[i].bits) - size;
	}
	t->log = log;
	t->valid = true;
	return true;
}

/* n bits at bit position pos of the input, zeros behind its end. */
static __unpack u32 header_bits(const u8 *in, size_t len, size_t pos,
				unsigned int n)
{
	u32 v = 0;

	for (unsigned int i = 0; i < 4 && pos / 8 + i < len; i++)
		v |= (u32)in[pos / 8 + i] << (8 * i);
	return v >> (pos & 7) & ((1U << n) - 1);
}

/* A packed distribution; returns the bytes it took, 0 for a bad one. */
static __unpack size_t fse_header(struct fse_table *t, const u8 *in, size_t len,
				  unsigned int max_log, unsigned int max_sym)
{
	unsigned int log = header_bits(in, len, 0, 4) + 5, n = 0;
	int left = 1 << log;
	size_t pos = 4;
	s16 counts[256];

	if (log > max_log)
		return 0;
	while (left > 0) {
		unsigned int bits = fls64(left + 1) + 1, again;
		u32 v = header_bits(in, len, pos, bits);
		u32 low = v & ((1U << (bits - 1)) - 1);
		u32 spare = (1U << bits) - 2 - left;
		int count;

		/* The `spare` smallest values need one bit less. */
		if (low < spare) {
			v = low;
			bits--;
		} else if (v >= 1U << (bits - 1)) {
			v -= spare;
		}
		pos += bits;
		if (n > max_sym || pos > len * 8)
			return 0;
		count = (int)v - 1;
		counts[n++] = count;
		left -= count < 0 ? 1 : count;
		if (count)
			continue;
		do {		/* how many zeros more, two bits at a time */
			again = header_bits(in, len, pos, 2);
			pos += 2;
			if (n + again > max_sym + 1 || pos > len * 8)
				return 0;
			for (unsigned int i = 0; i < again; i++)
				counts[n++] = 0;
		} while (again == 3);
	}
	if (left || !fse_build(t, NULL, counts, n, log))
		return 0;
	return DIV_ROUND_UP(pos, 8);
}

static always_inline void fse_step(const struct fse_table *t, u32 *state,
				   struct bits *b)
{
	const struct fse_entry *e = &t->e[*state];

	*state = e->base + bits_read(b, e->bits);
}

/* --- literals -------------------------------------------------------- */
/* Two states take turns until the stream is used up; 0 if it is bad. */
static __unpack unsigned int fse_weights(struct zstd *z, const u8 *in,
					 size_t len, u8 *weights)
{
	struct fse_table *t = &z->weights;
	size_t used = fse_header(t, in, len, 6, 12);
	unsigned int n = 0;
	struct bits b;
	u32 state[2];

	if (!used || !bits_init(&b, in + used, len - used))
		return 0;
	state[0] = bits_read(&b, t->log);
	if (b.left < 0)
		return 0;
	state[1] = bits_read(&b, t->log);
	if (b.left < 0)
		return 0;
	while (b.left >= 0 && n < 254) {
		u32 *s = &state[n & 1];

		weights[n++] = t->e[*s].symbol;
		fse_step(t, s, &b);
	}
	if (b.left >= 0)
		return 0;
	weights[n] = t->e[state[n & 1]].symbol;
	return n + 1;
}

/* Codes from weights; the last symbol's weight fills up the tree. */
static __unpack bool huf_build(struct zstd *z, u8 *weights, unsigned int n)
{
	u32 total = 0, rest, pos = 0;
	unsigned int log;

	for (unsigned int i = 0; i < n; i++) {
		if (weights[i] > HUF_BITS)
			return false;
		total += 1U << weights[i] >> 1;
	}
	if (!total)
		return false;
	log = fls64(total) + 1;
	rest = (1U << log) - total;
	if (log > HUF_BITS || rest & (rest - 1))
		return false;
	weights[n++] = fls64(rest) + 1;
	for (unsigned int w = 1; w <= log; w++) {
		for (unsigned int i = 0; i < n; i++) {
			if (weights[i] != w)
				continue;
			for (u32 k = 1U << (w - 1); k; k--)
				z->huf[pos++] =
					(struct huf_entry){ i, log + 1 - w };
		}
	}
	z->huf_log = log;
	return true;
}

/* Reads the description of a Huffman tree; bytes used, 0 for a bad one. */
static __unpack size_t huf_header(struct zstd *z, const u8 *in, size_t len)
{
	u8 weights[256];
	unsigned int n;
	size_t used;

	if (!len)
		return 0;
	if (in[0] < 128) {
		used = 1 + in[0];
		if (used > len)
			return 0;
		n = fse_weights(z, in + 1, in[0], weights);
	} else {
		n = in[0] - 127;
		used = 1 + (n + 1) / 2;
		if (used > len)
			return 0;
		for (unsigned int i = 0; i < n; i++)
			weights[i] = i & 1 ? in[1 + i / 2] & 15
					   : in[1 + i / 2] >> 4;
	}
	return n && huf_build(z, weights, n) ? used : 0;
}

/* One stream into n bytes; it must be used up exactly. */
static __unpack bool huf_stream(const struct zstd *z, const u8 *in, size_t len,
				u8 *out, size_t n)
{
	const struct huf_entry *huf = z->huf;
	unsigned int shift = 64 - z->huf_log;
	u8 *end = out + n;
	struct bits b;

	if (!bits_init(&b, in, len))
		return false;
	while (out < end && b.left >= 0) {
		u64 w = bits_peek(&b);

		for (unsigned int i = end - out < 4 ? end - out : 4; i; i--) {
			struct huf_entry e = huf[w >> shift];

			*out++ = e.symbol;
			w <<= e.bits;
			b.left -= e.bits;
		}
	}
	return !b.left && out == end;
}

static __unpack bool huf_streams(struct zstd *z, const u8 *in, size_t len)
{
	size_t n = z->nr_literals, quarter = (n + 3) / 4;
	const u8 *sizes = in;
	u8 *out = z->literals;

	if (len < 6 || n < 3 * quarter)
		return false;
	in += 6;
	len -= 6;
	for (unsigned int i = 0; i < 3; i++) {
		size_t part = load16(sizes + 2 * i);

		if (part > len || !huf_stream(z, in, part, out, quarter))
			return false;
		in += part;
		len -= part;
		out += quarter;
	}
	return huf_stream(z, in, len, out, n - 3 * quarter);
}

/* Literals that are there or one byte repeated; bytes used, 0 bad. */
static __unpack size_t plain_literals(struct zstd *z, const u8 *in, size_t len)
{
	size_t header = in[0] & 4 ? (in[0] & 8 ? 3 : 2) : 1, n;
	bool rle = in[0] & 1;

	if (len < header + rle)
		return 0;
	n = header == 1 ? in[0] >> 3 : in[0] >> 4 | in[1] << 4;
	if (header == 3)
		n |= in[2] << 12;
	if (n > MAX_BLOCK || (!rle && n > len - header))
		return 0;
	if (rle)
		memset(z->literals, in[header], n);
	else
		memcpy(z->literals, in + header, n);
	z->nr_literals = n;
	return header + (rle ? 1 : n);
}

/* The literals section of a block: bytes used, 0 if it is bad. */
static __unpack size_t read_literals(struct zstd *z, const u8 *in, size_t len)
{
	unsigned int format, header, width;
	size_t packed, used = 0;
	u64 sizes;
	bool ok;

	if (!len)
		return 0;
	if (!(in[0] & 2))
		return plain_literals(z, in, len);
	format = in[0] >> 2 & 3;
	header = format < 2 ? 3 : format + 2;
	width = format < 2 ? 10 : format == 2 ? 14 : 18;
	if (len < header)
		return 0;
	sizes = (u64)header_bits(in, header, 4, 20) |
		(u64)header_bits(in, header, 24, 16) << 20;
	z->nr_literals = sizes & ((1U << width) - 1);
	packed = sizes >> width & ((1U << width) - 1);
	if (z->nr_literals > MAX_BLOCK || packed > len - header)
		return 0;
	in += header;
	if (!(in[-(int)header] & 1)) {
		used = huf_header(z, in, packed);
		if (!used)
			return 0;
	}
	if (!z->huf_log)
		return 0;
	ok = format ? huf_streams(z, in + used, packed - used) :
		      huf_stream(z, in + used, packed - used, z->literals,
				 z->nr_literals);
	return ok ? header + packed : 0;
}

/* --- sequences ------------------------------------------------------- */
struct fse_kind {
	const s8 *dflt;
	u8 nr_dflt, dflt_log, max_log, max_sym;
};

static const struct fse_kind ll_kind = { ll_default, 36, 6, LL_BITS, 35 };
static const struct fse_kind of_kind = { of_default, 29, 5, OF_BITS, 31 };
static const struct fse_kind ml_kind = { ml_default, 53, 6, ML_BITS, 52 };

/* Mode 0 default, 1 one symbol, 2 described, 3 as before.  NULL: bad. */
static __unpack const u8 *sequence_table(struct fse_table *t, unsigned int mode,
					 const struct fse_kind *k, const u8 *in,
					 const u8 *end)
{
	size_t used;

	switch (mode) {
	case 0:
		fse_build(t, k->dflt, NULL, k->nr_dflt, k->dflt_log);
		return in;
	case 1:
		if (in == end || *in > k->max_sym)
			return NULL;
		t->log = 0;
		t->e[0] = (struct fse_entry){ .symbol = *in };
		t->valid = true;
		return in + 1;
	case 2:
		t->valid = false;
		used = fse_header(t, in, end - in, k->max_log, k->max_sym);
		return used ? in + used : NULL;
	default:
		return t->valid ? in : NULL;
	}
}

/* Offset values 1 to 3 name recent offsets, one further if ll is 0. */
static always_inline u32 real_offset(u32 *repeat, u32 value, bool no_literals)
{
	u32 offset;

	if (value > 3) {
		offset = value - 3;
	} else {
		value += no_literals;
		if (value == 1)
			return repeat[0];
		offset = value == 4 ? repeat[0] - 1 : repeat[value - 1];
		if (value == 2) {
			repeat[1] = repeat[0];
			return repeat[0] = offset;
		}
	}
	repeat[2] = repeat[1];
	repeat[1] = repeat[0];
	return repeat[0] = offset;
}

/* Short copy that may scribble 7 bytes behind len in both buffers. */
static always_inline void copy_literals(u8 *dst, const u8 *src, size_t len,
					const u8 *end)
{
	const u8 *stop = dst + len;

	if (unlikely((size_t)(end - dst) < len + 7)) {
		memcpy(dst, src, len);
		return;
	}
	for (; dst < stop; dst += 8, src += 8)
		copy8(dst, src);
}

static __unpack const char *run_sequences(struct zstd *z, struct bits *b,
					  unsigned int nr)
{
	const u8 *lit = z->literals, *lit_end = lit + z->nr_literals;
	u32 ll = bits_read(b, z->ll.log), of = 0, ml = 0;

	if (b->left >= 0)
		of = bits_read(b, z->of.log);
	if (b->left >= 0)
		ml = bits_read(b, z->ml.log);
	for (; nr; nr--) {
		u32 of_code = z->of.e[of].symbol, offset;
		u32 ml_code = z->ml.e[ml].symbol, ll_code = z->ll.e[ll].symbol;
		size_t match, run;
		u64 w;

		if (b->left < 0)
			return "zstd: sequences end early";
		offset = (1U << of_code) + bits_read(b, of_code);
		if (b->left < 0)
			return "zstd: sequences end early";
		w = bits_peek(b);
		match = z->ml_base[ml_code] +
			(w >> 1 >> (63 - ml_bits[ml_code]));
		w <<= ml_bits[ml_code];
		run = z->ll_base[ll_code] + (w >> 1 >> (63 - ll_bits[ll_code]));
		b->left -= ml_bits[ml_code] + ll_bits[ll_code];
		offset = real_offset(z->repeat, offset, !run);
		if (nr > 1 && b->left >= 0) {
			struct fse_entry le = z->ll.e[ll], me = z->ml.e[ml];
			struct fse_entry oe = z->of.e[of];

			w = bits_peek(b);
			ll = le.base + (w >> 1 >> (63 - le.bits));
			w <<= le.bits;
			ml = me.base + (w >> 1 >> (63 - me.bits));
			w <<= me.bits;
			of = oe.base + (w >> 1 >> (63 - oe.bits));
			b->left -= le.bits + me.bits + oe.bits;
		}
		if (run > (size_t)(lit_end - lit) ||
		    run + match > (size_t)(z->out_end - z->out))
			return "zstd: too much data";
		copy_literals(z->out, lit, run, z->out_end);
		z->out += run;
		lit += run;
		if (offset - 1 >= (size_t)(z->out - z->out_start))
			return "zstd: bad offset";
		lz_copy(z->out, offset, match, z->out_end);
		z->out += match;
	}
	if (b->left)
		return "zstd: sequences are damaged";
	if (lit_end - lit > z->out_end - z->out)
		return "zstd: too much data";
	memcpy(z->out, lit, lit_end - lit);
	z->out += lit_end - lit;
	return NULL;
}

static __unpack const char *packed_block(struct zstd *z, const u8 *in,
					 size_t len)
{
	static const char bad[] = "zstd: damaged sequences header";
	const u8 *end = in + len;
	size_t used = read_literals(z, in, len);
	struct bits b;
	unsigned int nr, modes;

	if (!used)
		return "zstd: damaged literals";
	in += used;
	if (in == end)
		return bad;
	nr = *in++;
	if (nr >= 128) {
		if (end - in < 1 + (nr == 255))
			return bad;
		if (nr == 255) {
			nr = load16(in) + 0x7f00;
			in++;
		} else {
			nr = (nr - 128) << 8 | *in;
		}
		in++;
	}
	if (!nr) {
		if (z->nr_literals > (size_t)(z->out_end - z->out))
			return "zstd: too much data";
		memcpy(z->out, z->literals, z->nr_literals);
		z->out += z->nr_literals;
		return in == end ? NULL : bad;
	}
	if (in == end)
		return bad;
	modes = *in++;
	in = sequence_table(&z->ll, modes >> 6, &ll_kind, in, end);
	if (in)
		in = sequence_table(&z->of, modes >> 4 & 3, &of_kind, in, end);
	if (in)
		in = sequence_table(&z->ml, modes >> 2 & 3, &ml_kind, in, end);
	if (!in || modes & 3 || !bits_init(&b, in, end - in))
		return bad;
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
static __unpack u64 xxh64(const u8 *p, size_t n)
{
	u64 v[4] = { XXH_P1 + XXH_P2, XXH_P2, 0, -XXH_P1 }, h = XXH_P5;
	size_t left = n;

	for (; left >= 32; left -= 32)
		for (unsigned int i = 0; i < 4; i++, p += 8)
			v[i] = xxh_round(v[i], load64(p));
	if (n >= 32) {
		h = rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) +
		    rotl(v[3], 18);
		for (unsigned int i = 0; i < 4; i++)
			h = (h ^ xxh_round(0, v[i])) * XXH_P1 + XXH_P4;
	}
	h += n;
	for (; left >= 8; left -= 8, p += 8)
		h = rotl(h ^ xxh_round(0, load64(p)), 27) * XXH_P1 + XXH_P4;
	for (; left >= 4; left -= 4, p += 4)
		h = rotl(h ^ load32(p) * XXH_P1, 23) * XXH_P2 + XXH_P3;
	for (; left; left--, p++)
		h = rotl(h ^ *p * XXH_P5, 11) * XXH_P1;
	h = (h ^ h >> 33) * XXH_P2;
	h = (h ^ h >> 29) * XXH_P3;
	return h ^ h >> 32;
}

/* Blocks up to the last; *inp moves behind it. */
static __unpack const char *read_blocks(struct zstd *z, const u8 **inp,
					const u8 *end)
{
	const u8 *in = *inp;
	bool last = false;

	while (!last) {
		const char *err = NULL;
		size_t size, n;
		u32 head;

		if (end - in < 3)
			return "zstd: data ends early";
		head = in[0] | in[1] << 8 | in[2] << 16;
		in += 3;
		last = head & 1;
		size = head >> 3;
		n = (head >> 1 & 3) == 1 ? 1 : size;
		if (n > (size_t)(end - in))
			return "zstd: data ends early";
		if (size > MAX_BLOCK)
			return "zstd: block too large";
		switch (head >> 1 & 3) {
		case 0:
		case 1:
			if (size > (size_t)(z->out_end - z->out))
				return "zstd: too much data";
			if (head & 2)
				memset(z->out, *in, size);
			else
				memcpy(z->out, in, size);
			z->out += size;
			break;
		case 2:
			err = packed_block(z, in, size);
			break;
		default:
			err = "zstd: bad block type";
		}
		if (err)
			return err;
		in += n;
	}
	*inp = in;
	return NULL;
}

static __unpack void sum_bases(u32 *base, const u8 *bits, unsigned int n,
			       u32 first)
{
	for (unsigned int i = 0; i < n; i++) {
		base[i] = first;
		first += 1U << bits[i];
	}
}

__unpack const char *unzstd(struct unpack *u)
{
	const u8 *in = u->in, *end = in + u->in_len;
	struct zstd *z = u->scratch;
	const char *err;
	size_t header;
	u8 flags;

	_Static_assert(sizeof(*z) <= DECOMPRESS_SCRATCH, "scratch too small");
	if (u->in_len < 6)
		return "zstd: data ends early";
	flags = in[4];
	if (flags & 8 || flags & 3)
		return "zstd: reserved bit or dictionary";
	/* Magic, flags, window unless single segment, content size. */
	header = 5 + !(flags & 0x20) + (flags >> 6 ? 1 << (flags >> 6)
						   : !!(flags & 0x20));
	if (header > u->in_len)
		return "zstd: data ends early";
	z->out = z->out_start = u->out;
	z->out_end = u->out + u->out_len;
	z->repeat[0] = 1;
	z->repeat[1] = 4;
	z->repeat[2] = 8;
	sum_bases(z->ll_base, ll_bits, LL_CODES, 0);
	sum_bases(z->ml_base, ml_bits, ML_CODES, 3);
	in += header;
	err = read_blocks(z, &in, end);
	u->produced = z->out - u->out;
	if (!err && flags & 4 &&
	    (end - in < 4 || load32(in) != (u32)xxh64(u->out, u->produced)))
		err = "zstd: checksum is wrong";
	return err;
}
