/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xz: LZMA2 with or without the x86 branch filter, CRC-32 checked.
 *
 * The output buffer is the dictionary, and the branch filter runs over a
 * whole block in place once it is unpacked.  Most of a boot's instructions
 * are spent in lzma_chunk(): its range coder lives in a local structure that
 * the compiler keeps in registers, and reads of the input are checked only
 * where a byte is taken.  Behind the end of a chunk zero bytes are supplied
 * and noted, so a damaged chunk still ends with its output.
 *
 * Not done: the index behind the blocks is not looked at (each block has its
 * own checksum), and other checks than CRC-32 are refused.
 */
#include <lib/decompress.h>

/* --- the range coder ------------------------------------------------- */
#define PROB_BITS	11
#define PROB_INIT	(1 << (PROB_BITS - 1))
#define PROB_MOVE	5
#define RANGE_MIN	(1U << 24)

struct range {
	u32 range, code;
	const u8 *in, *end;
	bool dry;		/* took a byte from behind the end */
};

static always_inline void rc_normalize(struct range *rc)
{
	if (unlikely(rc->range < RANGE_MIN)) {
		rc->range <<= 8;
		rc->code <<= 8;
		if (likely(rc->in < rc->end))
			rc->code |= *rc->in++;
		else
			rc->dry = true;
	}
}

static always_inline u32 rc_bit(struct range *rc, u16 *prob)
{
	u32 p = *prob, bound;

	rc_normalize(rc);
	bound = (rc->range >> PROB_BITS) * p;
	if (rc->code < bound) {
		rc->range = bound;
		*prob = p + (((1 << PROB_BITS) - p) >> PROB_MOVE);
		return 0;
	}
	rc->range -= bound;
	rc->code -= bound;
	*prob = p - (p >> PROB_MOVE);
	return 1;
}

/* Most significant bit first; probs[1] is the root of the tree. */
static always_inline u32 rc_tree(struct range *rc, u16 *probs,
				 unsigned int bits)
{
	u32 node = 1;

#pragma GCC unroll 8
	for (unsigned int i = 0; i < bits; i++)
		node = node << 1 | rc_bit(rc, &probs[node]);
	return node - (1U << bits);
}

static always_inline u32 rc_reverse_tree(struct range *rc, u16 *probs,
					 unsigned int bits)
{
	u32 node = 1, v = 0;

	for (unsigned int i = 0; i < bits; i++) {
		u32 bit = rc_bit(rc, &probs[node]);

		node = node << 1 | bit;
		v |= bit << i;
	}
	return v;
}

static always_inline u32 rc_direct(struct range *rc, unsigned int bits)
{
	u32 v = 0;

	for (; bits; bits--) {
		rc_normalize(rc);
		rc->range >>= 1;
		v <<= 1;
		if (rc->code >= rc->range) {
			rc->code -= rc->range;
			v |= 1;
		}
	}
	return v;
}

/* --- LZMA ------------------------------------------------------------ */
#define STATES		12
#define STATE_LITERALS	7	/* states below: the last item was a literal */
#define POS_STATES	16
#define MIN_MATCH	2
#define LITERAL_PROBS	0x300
#define MAX_LCLP	4

struct length_probs {
	u16 choice, choice2;
	u16 low[POS_STATES][8], mid[POS_STATES][8], high[256];
};

struct lzma_probs {
	u16 is_match[STATES][POS_STATES];
	u16 is_rep[STATES], is_rep0[STATES], is_rep1[STATES], is_rep2[STATES];
	u16 is_rep0_long[STATES][POS_STATES];
	u16 dist_slot[4][64];
	u16 dist_special[128];		/* [base - slot + node] */
	u16 dist_align[16];
	struct length_probs match_len, rep_len;
	u16 literal[LITERAL_PROBS << MAX_LCLP];
};

struct lzma {
	struct lzma_probs p;
	u32 crc_table[CRC32_WORDS];
	u32 state, rep[4];
	u8 lc, lp_mask, pb_mask;
	u8 *dict;		/* output since the last dictionary reset */
	u8 *out;
	const u8 *out_end;
};

static __unpack void lzma_reset(struct lzma *s)
{
	u16 *p = (u16 *)&s->p;

	for (size_t i = 0; i < sizeof(s->p) / 2; i++)
		p[i] = PROB_INIT;
	s->state = 0;
	memset(s->rep, 0, sizeof(s->rep));
}

static __unpack bool lzma_props(struct lzma *s, u8 props)
{
	unsigned int lc = props % 9, lp = props / 9 % 5, pb = props / 45;

	if (pb > 4 || lc + lp > MAX_LCLP)
		return false;
	s->lc = lc;
	s->lp_mask = (1 << lp) - 1;
	s->pb_mask = (1 << pb) - 1;
	return true;
}

/* A literal after a match: the byte the match would have had next helps. */
static always_inline u32 matched_literal(struct range *rc, u16 *probs,
					 u32 match)
{
	u32 node = 1, offset = 0x100;

	do {
		u32 expect, bit;

		match <<= 1;
		expect = match & offset;
		bit = rc_bit(rc, &probs[offset + expect + node]);
		node = node << 1 | bit;
		offset &= bit ? match : ~match;
	} while (node < 0x100);
	return node;
}

static always_inline u32 lzma_length(struct range *rc, struct length_probs *l,
				     u32 pos_state)
{
	if (!rc_bit(rc, &l->choice))
		return MIN_MATCH + rc_tree(rc, l->low[pos_state], 3);
	if (!rc_bit(rc, &l->choice2))
		return MIN_MATCH + 8 + rc_tree(rc, l->mid[pos_state], 3);
	return MIN_MATCH + 16 + rc_tree(rc, l->high, 8);
}

/* Distance minus one. */
static always_inline u32 lzma_distance(struct range *rc, struct lzma_probs *p,
				       u32 len)
{
	u32 len_state = len < MIN_MATCH + 4 ? len - MIN_MATCH : 3;
	u32 slot = rc_tree(rc, p->dist_slot[len_state], 6);
	u32 extra = (slot >> 1) - 1, base;

	if (slot < 4)
		return slot;
	base = (2 | (slot & 1)) << extra;
	if (slot < 14)
		return base + rc_reverse_tree(rc, p->dist_special + base - slot,
					      extra);
	base += rc_direct(rc, extra - 4) << 4;
	return base + rc_reverse_tree(rc, p->dist_align, 4);
}

/* A repeated distance moves to the front; false: one byte from rep[0]. */
static always_inline bool lzma_rep(struct range *rc, struct lzma *s,
				   u32 state, u32 pos_state, u32 *rep)
{
	u32 dist;

	if (!rc_bit(rc, &s->p.is_rep0[state]))
		return rc_bit(rc, &s->p.is_rep0_long[state][pos_state]);
	if (!rc_bit(rc, &s->p.is_rep1[state])) {
		dist = rep[1];
	} else {
		if (!rc_bit(rc, &s->p.is_rep2[state])) {
			dist = rep[2];
		} else {
			dist = rep[3];
			rep[3] = rep[2];
		}
		rep[2] = rep[1];
	}
	rep[1] = rep[0];
	rep[0] = dist;
	return true;
}

/*
 * One chunk: exactly in_len bytes of input, exactly n bytes of output, room
 * for which the caller has checked.
 */
static __unpack bool lzma_chunk(struct lzma *s, const u8 *in, size_t in_len,
				size_t n)
{
	struct range rc = { .range = ~0U, .in = in + 5, .end = in + in_len };
	u8 *out = s->out, *const stop = out + n, *const dict = s->dict;
	u32 state = s->state, rep[4];
	bool ok = true;

	if (in_len < 5 || in[0])
		return false;
	rc.code = __builtin_bswap32(load32(in + 1));
	memcpy(rep, s->rep, sizeof(rep));
	while (out < stop) {
		size_t pos = out - dict;
		u32 pos_state = pos & s->pb_mask, len;

		if (!rc_bit(&rc, &s->p.is_match[state][pos_state])) {
			u32 prev = pos ? out[-1] : 0;
			u16 *probs = s->p.literal + LITERAL_PROBS *
				(((pos & s->lp_mask) << s->lc) +
				 (prev >> (8 - s->lc)));

			if (state < STATE_LITERALS) {
				*out++ = rc_tree(&rc, probs, 8);
				state = state < 4 ? 0 : state - 3;
				continue;
			}
			ok = rep[0] < pos;
			if (!ok)
				break;
			*out = matched_literal(&rc, probs, *(out - rep[0] - 1));
			out++;
			state -= state < 10 ? 3 : 6;
			continue;
		}
		if (rc_bit(&rc, &s->p.is_rep[state])) {
			len = 1;
			if (lzma_rep(&rc, s, state, pos_state, rep)) {
				len = lzma_length(&rc, &s->p.rep_len,
						  pos_state);
				state = state < STATE_LITERALS ? 8 : 11;
			} else {
				state = state < STATE_LITERALS ? 9 : 11;
			}
		} else {
			rep[3] = rep[2];
			rep[2] = rep[1];
			rep[1] = rep[0];
			len = lzma_length(&rc, &s->p.match_len, pos_state);
			rep[0] = lzma_distance(&rc, &s->p, len);
			state = state < STATE_LITERALS ? 7 : 10;
		}
		ok = rep[0] < pos && len <= (size_t)(stop - out);
		if (!ok)
			break;
		lz_copy(out, (size_t)rep[0] + 1, len, s->out_end);
		out += len;
	}
	rc_normalize(&rc);
	s->out = out;
	s->state = state;
	memcpy(s->rep, rep, sizeof(rep));
	return ok && !rc.dry && rc.in == rc.end && !rc.code;
}

/* --- LZMA2 ----------------------------------------------------------- */
/* Chunks until the end mark; returns what follows it, or NULL. */
static __unpack const u8 *lzma2(struct lzma *s, const u8 *in, const u8 *end)
{
	/* What a chunk must bring: 3 dictionary, 2 properties, 1 state. */
	unsigned int need = 3;

	s->dict = s->out;
	while (in < end && *in) {
		u8 control = *in++;
		unsigned int reset = control >> 5 & 3;
		size_t packed, n;

		if (end - in < 5)
			return NULL;
		if (control < 0x80) {		/* stored; 1 = new dictionary */
			if (control > 2 || (control == 2 && need == 3))
				return NULL;
			if (control == 1) {
				s->dict = s->out;
				need = 2;
			}
			packed = n = (in[0] << 8 | in[1]) + 1;
			in += 2;
		} else {
			n = ((control & 31) << 16 | in[0] << 8 | in[1]) + 1;
			packed = (in[2] << 8 | in[3]) + 1;
			in += 4;
			if (reset < need)
				return NULL;
			if (reset == 3)
				s->dict = s->out;
			if (reset >= 2 && !lzma_props(s, *in++))
				return NULL;
			if (reset)
				lzma_reset(s);
			need = 0;
		}
		if (packed > (size_t)(end - in) ||
		    n > (size_t)(s->out_end - s->out))
			return NULL;
		if (control < 0x80) {
			memcpy(s->out, in, n);
			s->out += n;
		} else if (!lzma_chunk(s, in, packed, n)) {
			return NULL;
		}
		in += packed;
	}
	return in < end ? in + 1 : NULL;
}

/* --- the x86 branch filter ------------------------------------------- */
static always_inline bool sign_byte(u32 b)
{
	return !((b + 1) & 0xfe);	/* 0x00 or 0xff */
}

/*
 * The packer turned operands of CALL and JMP (e8, e9) from relative to
 * absolute where they looked like an address within 16 MiB: top byte 00 or
 * ff.  Opcode bytes that did not qualify are remembered for three bytes
 * (`near`, bit k: k + 1 bytes back), because this opcode may be a part of
 * their operand.  Two of them, or one whose top byte looks like a sign, mean:
 * left alone.
 */
static __unpack void x86_filter(u8 *buf, size_t n)
{
	size_t i = 0, last = 0;		/* last: behind the latest opcode */
	u32 near = 0;

	while (n >= 5 && i <= n - 5) {
		u32 back, operand;
		bool plain;

		if ((buf[i] & 0xfe) != 0xe8) {
			u64 w, hit;

			if (i + 8 > n - 5) {
				i++;
				continue;
			}
			/* To the first e8 or e9 of eight bytes. */
			w = (load64(buf + i) ^ 0xe8e8e8e8e8e8e8e8) &
			    0xfefefefefefefefe;
			hit = (w - 0x0101010101010101) & ~w &
			      0x8080808080808080;
			i += hit ? ffs64(hit) / 8 : 8;
			continue;
		}
		near = i - last < 3 ? near << (i - last) & 7 : 0;
		last = i + 1;
		back = near ? fls64(near) + 1 : 0;
		plain = near & (near - 1) ||
			(near && sign_byte(buf[i + 4 - back]));
		if (plain || !sign_byte(buf[i + 4])) {
			near = near << 1 | 1;
			i++;
			continue;
		}
		operand = load32(buf + i + 1) - (i + 5);
		if (back && sign_byte(operand >> (24 - back * 8) & 0xff)) {
			/* The packer inverted these, for the same reason. */
			operand ^= (1U << (32 - back * 8)) - 1;
			operand -= i + 5;
		}
		operand &= 0x1ffffff;
		if (operand & 0x1000000)
			operand |= 0xff000000;
		__builtin_memcpy(buf + i + 1, &operand, 4);
		i += 5;
		near = 0;
	}
}

/* --- the container --------------------------------------------------- */
/* A number in groups of seven bits, lowest first. */
static __unpack bool read_number(const u8 **in, const u8 *end, u64 *v)
{
	*v = 0;
	for (unsigned int shift = 0; shift < 63 && *in < end; shift += 7) {
		u8 b = *(*in)++;

		*v |= (u64)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return true;
	}
	return false;
}

#define FILTER_X86	4
#define FILTER_LZMA2	0x21

/* Block header at in, len bytes with its checksum: which filters? */
static __unpack const char *block_header(struct lzma *s, const u8 *in,
					 size_t len, bool *x86)
{
	const u8 *end = in + len - 4;
	u8 flags = in[1];
	u64 skip, id = 0, size;

	if (crc32(s->crc_table, 0, in, len - 4) != load32(end))
		return "xz: damaged block header";
	in += 2;
	for (u8 f = flags >> 6; f; f >>= 1)	/* sizes, packed and not */
		if (f & 1 && !read_number(&in, end, &skip))
			return "xz: bad block header";
	*x86 = false;
	for (unsigned int i = 0; i <= (flags & 3); i++) {
		if (id == FILTER_LZMA2 || !read_number(&in, end, &id) ||
		    !read_number(&in, end, &size) || size > (u64)(end - in))
			return "xz: bad filter chain";
		if (id == FILTER_X86 && !size && !*x86)
			*x86 = true;
		else if (id != FILTER_LZMA2 || size != 1)
			return "xz: filter is not supported";
		in += size;
	}
	return id == FILTER_LZMA2 ? NULL : "xz: bad filter chain";
}

/* One block; *inp moves behind its padding and checksum. */
static __unpack const char *xz_block(struct lzma *s, const u8 **inp,
				     const u8 *end)
{
	const u8 *start = *inp, *in;
	u8 *out = s->out;
	size_t header = (start[0] + 1) * 4;
	const char *err;
	bool x86;

	if (header > (size_t)(end - start))
		return "xz: data ends early";
	err = block_header(s, start, header, &x86);
	if (err)
		return err;
	in = lzma2(s, start + header, end);
	if (!in)
		return "xz: damaged data";
	in += -(in - start) & 3;
	if (end - in < 4)
		return "xz: data ends early";
	if (x86)
		x86_filter(out, s->out - out);
	if (crc32(s->crc_table, 0, out, s->out - out) != load32(in))
		return "xz: checksum is wrong";
	*inp = in + 4;
	return NULL;
}

__unpack const char *unxz(struct unpack *u)
{
	const u8 *in = u->in, *end = in + u->in_len;
	const char *err = NULL;
	struct lzma *s = u->scratch;

	_Static_assert(sizeof(*s) <= DECOMPRESS_SCRATCH, "scratch too small");
	if (u->in_len < 12)
		return "xz: data ends early";
	if (in[6] || in[7] != 1)
		return "xz: only --check=crc32 is supported";
	crc32_init(s->crc_table);
	if (crc32(s->crc_table, 0, in + 6, 2) != load32(in + 8))
		return "xz: damaged header";
	s->out = u->out;
	s->out_end = u->out + u->out_len;
	for (in += 12; !err && (in == end || *in); )
		err = in < end ? xz_block(s, &in, end) : "xz: data ends early";
	u->produced = s->out - u->out;
	return err;
}
