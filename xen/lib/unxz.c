/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xz: LZMA2 with or without the x86 branch filter, CRC-32 checked.
 *
 * The branch filter runs over a whole block in place once it is unpacked.
 * Most of a boot's instructions are spent in lzma_chunk(): its range coder and
 * cursors live in local structures that the compiler keeps in registers, and
 * reads of the input are checked only where a byte is taken.  Behind the end
 * of a chunk zero bytes are supplied and noted, so a damaged chunk still ends
 * with its output.
 *
 * Not done: headers' own checksums and the index behind the blocks are not
 * looked at (each block has the checksum of what it unpacks to); other checks
 * than CRC-32 are refused.
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
	if (likely(rc->range >= RANGE_MIN))
		return;
	rc->range <<= 8;
	rc->code <<= 8;
	if (likely(rc->in < rc->end))
		rc->code |= *rc->in++;
	else
		rc->dry = true;
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

/* A walk from the root, probs[1]: highest bit first, or lowest (reverse). */
static always_inline u32 rc_tree(struct range *rc, u16 *probs,
				 unsigned int bits, bool reverse)
{
	u32 node = 1, v = 0;

#pragma GCC unroll 8
	for (unsigned int i = 0; i < bits; i++) {
		u32 bit = rc_bit(rc, &probs[node]);

		node = node << 1 | bit;
		v |= bit << i;
	}
	return reverse ? v : node - (1U << bits);
}

/* Bits of even odds. */
static always_inline u32 rc_direct(struct range *rc, unsigned int bits)
{
	u32 v = 0;

	for (; bits; bits--) {
		rc_normalize(rc);
		rc->range >>= 1;
		v = v << 1 | (rc->code >= rc->range);
		rc->code -= v & 1 ? rc->range : 0;
	}
	return v;
}

/* --- LZMA ------------------------------------------------------------ */
#define STATES		12
#define STATE_LITERALS	7	/* states below: the last item was a literal */
#define POS_STATES	16
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
	struct unpack *u;
	u8 *dict;		/* output since the last dictionary reset */
	u32 state, rep[4];
	u8 lc, lp_mask, pb_mask;
	struct lzma_probs p;
};

/* A literal after a match: the byte the match would have had next helps. */
static always_inline u32 matched_literal(struct range *rc, u16 *probs,
					 u32 match)
{
	u32 node = 1, offset = 0x100;

	do {
		u32 bit;

		match <<= 1;
		bit = rc_bit(rc, &probs[offset + (match & offset) + node]);
		node = node << 1 | bit;
		offset &= bit ? match : ~match;
	} while (node < 0x100);
	return node;
}

static always_inline u32 lzma_length(struct range *rc, struct length_probs *l,
				     u32 pos_state)
{
	if (!rc_bit(rc, &l->choice))
		return 2 + rc_tree(rc, l->low[pos_state], 3, false);
	if (!rc_bit(rc, &l->choice2))
		return 10 + rc_tree(rc, l->mid[pos_state], 3, false);
	return 18 + rc_tree(rc, l->high, 8, false);
}

/* Distance minus one. */
static always_inline u32 lzma_distance(struct range *rc, struct lzma_probs *p,
				       u32 len)
{
	u32 slot = rc_tree(rc, p->dist_slot[min(len - 2, 3U)], 6, false);
	u32 extra = (slot >> 1) - 1, base = (2 | (slot & 1)) << (extra & 31);

	if (slot < 4)
		return slot;
	if (slot < 14)
		return base + rc_tree(rc, p->dist_special + base - slot, extra,
				      true);
	base += rc_direct(rc, extra - 4) << 4;
	return base + rc_tree(rc, p->dist_align, 4, true);
}

/* One chunk: exactly in_len bytes of input, exactly n bytes of output. */
static bool lzma_chunk(struct lzma *s, size_t in_len, size_t n)
{
	struct unpack u = *s->u;
	struct range rc = { .range = ~0U, .in = u.in + 5,
			    .end = u.in + in_len };
	u8 *const stop = u.out + n, *const dict = s->dict;
	u32 state = s->state, rep[4];

	if (in_len < 5 || in_len > (size_t)(u.in_end - u.in) ||
	    n > (size_t)(u.out_end - u.out))
		return false;
	rc.code = __builtin_bswap32(load_le(u.in + 1, 4));
	memcpy(rep, s->rep, sizeof(rep));
	while (u.out < stop) {
		size_t pos = u.out - dict;
		u32 pos_state = pos & s->pb_mask, len = 1, dist, recent = 0;

		if (!rc_bit(&rc, &s->p.is_match[state][pos_state])) {
			u32 prev = pos ? u.out[-1] : 0;
			u16 *probs = s->p.literal + LITERAL_PROBS *
				(((pos & s->lp_mask) << s->lc) +
				 (prev >> (8 - s->lc)));

			if (state < STATE_LITERALS)
				*u.out = rc_tree(&rc, probs, 8, false);
			else if (rep[0] < pos)
				*u.out = matched_literal(&rc, probs,
							 *(u.out - rep[0] - 1));
			else
				return false;
			u.out++;
			state = state < 4 ? 0 : state - (state < 10 ? 3 : 6);
			continue;
		}
		if (!rc_bit(&rc, &s->p.is_rep[state])) {
			recent = 3;	/* new: the oldest distance goes */
			len = lzma_length(&rc, &s->p.match_len, pos_state);
			dist = lzma_distance(&rc, &s->p, len);
			state = state < STATE_LITERALS ? 7 : 10;
		} else {
			bool old = rc_bit(&rc, &s->p.is_rep0[state]);

			if (old && !rc_bit(&rc, &s->p.is_rep1[state]))
				recent = 1;
			else if (old)
				recent = 2 + rc_bit(&rc, &s->p.is_rep2[state]);
			dist = rep[recent];
			if (old || rc_bit(&rc, &s->p.is_rep0_long[state]
								[pos_state]))
				len = lzma_length(&rc, &s->p.rep_len,
						  pos_state);
			state = state >= STATE_LITERALS ? 11 : len > 1 ? 8 : 9;
		}
		for (; recent; recent--)
			rep[recent] = rep[recent - 1];
		rep[0] = dist;
		if (dist >= pos || !unpack_match(&u, (size_t)dist + 1, len))
			return false;
	}
	rc_normalize(&rc);
	s->state = state;
	memcpy(s->rep, rep, sizeof(rep));
	s->u->in = rc.in;
	s->u->out = u.out;
	return u.out == stop && !rc.dry && rc.in == rc.end && !rc.code;
}

/* --- LZMA2 ----------------------------------------------------------- */
/* Chunks until the end mark; what each resets first is in its control byte. */
static bool lzma2(struct lzma *s)
{
	struct unpack *u = s->u;

	s->dict = u->out;
	while (u->in_end - u->in >= 6 && *u->in) {
		u8 control = u->in[0];
		size_t n = (u->in[1] << 8 | u->in[2]) + 1;
		size_t packed = (u->in[3] << 8 | u->in[4]) + 1;

		if (control == 1 || control >= 0xe0)
			s->dict = u->out;
		if (control < 0x80) {		/* stored */
			u->in += 3;
			if (control > 2 || !unpack_copy(u, n))
				return false;
			continue;
		}
		n += (control & 31) << 16;
		u->in += 5;
		if (control >= 0xc0) {
			u8 props = *u->in++;

			s->lc = props % 9;
			s->lp_mask = (1 << props / 9 % 5) - 1;
			s->pb_mask = (1 << props / 45) - 1;
			if (props >= 5 * 45 || s->lc + props / 9 % 5 > MAX_LCLP)
				return false;
		}
		for (size_t i = 0; control >= 0xa0 && i < sizeof(s->p) / 2; i++)
			((u16 *)&s->p)[i] = PROB_INIT;
		if (control >= 0xa0)
			memset(&s->state, 0, sizeof(s->state) + sizeof(s->rep));
		if (!lzma_chunk(s, packed, n))
			return false;
	}
	return u->in < u->in_end && !*u->in++;
}

/* --- the x86 branch filter ------------------------------------------- */
static always_inline bool sign_byte(u8 b)
{
	return b == 0 || b == 0xff;
}

/*
 * The packer turned operands of CALL and JMP (e8, e9) from relative to
 * absolute where they looked like an address within 16 MiB: top byte 00 or
 * ff.  Opcode bytes that did not qualify are remembered for three bytes
 * (`near`, bit k: k + 1 bytes back), because this opcode may be a part of
 * their operand.  Two of them, or one whose top byte looks like a sign, mean:
 * left alone.
 */
static void x86_filter(u8 *buf, size_t n)
{
	size_t last = 0;		/* behind the latest opcode */
	u32 near = 0;

	for (size_t i = 0; i + 5 <= n; i++) {
		u32 back, operand;

		if (likely((buf[i] & 0xfe) != 0xe8))
			continue;
		near = i - last < 3 ? near << (i - last) & 7 : 0;
		last = i + 1;
		back = near ? fls64(near) + 1 : 0;
		if (near & (near - 1) || !sign_byte(buf[i + 4]) ||
		    (near && sign_byte(buf[i + 4 - back]))) {
			near = near << 1 | 1;
			continue;
		}
		operand = load_le(buf + i + 1, 4) - (i + 5);
		if (back && sign_byte(operand >> (24 - back * 8) & 0xff)) {
			/* The packer inverted these, for the same reason. */
			operand ^= (1U << (32 - back * 8)) - 1;
			operand -= i + 5;
		}
		/* Its sign is bit 24. */
		operand = (s32)(operand << 7) >> 7;
		__builtin_memcpy(buf + i + 1, &operand, 4);
		i += 4;
		near = 0;
	}
}

/* --- the container --------------------------------------------------- */
/*
 * One block: size and flags, the sizes that the flags promise, the filters
 * (4: x86, 0x21: LZMA2, each with the length of its options), a checksum; the
 * data, padded to four bytes, and its checksum.
 */
static bool xz_block(struct lzma *s)
{
	struct unpack *u = s->u;
	const u8 *start = u->in, *p = start + 2;
	const u8 *data = start + (start[0] + 1) * 4;
	u8 *out = u->out;
	bool x86;

	if (data > u->in_end)
		return false;
	for (u8 sizes = start[1] >> 6; sizes; sizes >>= 1) {
		while (sizes & 1 && p < data && *p & 0x80)
			p++;
		p += sizes & 1;
	}
	u->in = data;
	x86 = data - p >= 4 && p[0] == 4 && p[1] == 0;
	p += 2 * x86;
	if (data - p < 2 || (start[1] & 3) != x86 || p[0] != 0x21 ||
	    p[1] != 1 || !lzma2(s))
		return false;
	u->in += (-(u->in - start) & 3) + 4;
	if (u->in > u->in_end)
		return false;
	if (x86)
		x86_filter(out, u->out - out);
	return crc32(out, u->out - out) == load_le(u->in - 4, 4);
}

bool unxz(struct unpack *u)
{
	static struct lzma state __section(".bss.init");
	struct lzma *s = &state;

	if (u->in_end - u->in < 12 || u->in[6] || u->in[7] != 1)
		return false;
	s->u = u;
	for (u->in += 12; u->in < u->in_end && *u->in; )
		if (!xz_block(s))
			return false;
	return u->in < u->in_end;
}
