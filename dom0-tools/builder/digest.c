// SPDX-License-Identifier: GPL-2.0
/*
 * SHA-256 (FIPS 180-4): the name of a kernel in the cache, so that another
 * kernel can never be taken for it.
 */
#include <endian.h>
#include <string.h>
#include "builder.h"

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* One round, in which the first of the eight words is s[at % 8]. */
static inline void digest_round(uint32_t s[8], unsigned int at, uint32_t k)
{
	uint32_t a = s[at & 7], b = s[(at + 1) & 7], c = s[(at + 2) & 7];
	uint32_t e = s[(at + 4) & 7], f = s[(at + 5) & 7];
	uint32_t g = s[(at + 6) & 7], *h = &s[(at + 7) & 7];

	*h += k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
	      ((e & f) ^ (~e & g));
	s[(at + 3) & 7] += *h;
	*h += (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) +
	      ((a & b) ^ (a & c) ^ (b & c));
}

static void digest_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], s[8], t1, t2;
	int i, j;

	for (i = 0; i < 16; i++) {
		memcpy(&w[i], p + 4 * i, 4);
		w[i] = be32toh(w[i]);
	}
	for (; i < 64; i++) {
		t1 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
		t2 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + t1 + w[i - 7] + t2;
	}
	memcpy(s, h, sizeof(s));
	/* Instead of moving a to h along, their places rotate. */
	for (i = 0; i < 64; i += 8)
#pragma GCC unroll 8
		for (j = 0; j < 8; j++)
			digest_round(s, 8 - j, w[i + j] +
				     round_constants[i + j]);
	for (i = 0; i < 8; i++)
		h[i] += s[i];
}

/* The digest of size bytes. */
void digest(const void *data, size_t size, uint8_t out[DIGEST_SIZE])
{
	uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	size_t whole = size & ~(size_t)63, rest = size & 63, i;
	uint64_t bits = htobe64((uint64_t)size * 8);
	uint8_t end[128] = { 0 };

	for (i = 0; i < whole; i += 64)
		digest_block(h, (const uint8_t *)data + i);
	if (rest)
		memcpy(end, (const uint8_t *)data + whole, rest);
	end[rest] = 0x80;
	i = rest < 56 ? 64 : 128;
	memcpy(end + i - 8, &bits, 8);
	digest_block(h, end);
	if (i == 128)
		digest_block(h, end + 64);
	for (i = 0; i < 8; i++)
		h[i] = htobe32(h[i]);
	memcpy(out, h, DIGEST_SIZE);
}
