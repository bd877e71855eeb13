/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every host test uses.  Include it first: it puts libc's headers in
 * before lib/lib.h, whose strtoull() has a stricter type.
 *
 *	static void wild_ports(void) { CHECK(...); CHECK_EQ(a, b); }
 *	int main(void) { RUN(wild_ports); return test_done(); }
 *
 * A program ends with the line "N passed, N failed", counting RUN() cases.
 */
#ifndef HOST_TEST_H
#define HOST_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define strtoull xen_strtoull

static int test_passed, test_failed, test_bad;

#define CHECK(c) do { \
	if (!(c)) { \
		test_bad++; \
		printf("%s:%d: %s: not true: %s\n", __FILE__, __LINE__, \
		       __func__, #c); \
	} } while (0)

#define CHECK_EQ(a, b) do { \
	long long a_ = (long long)(a), b_ = (long long)(b); \
	if (a_ != b_) { \
		test_bad++; \
		printf("%s:%d: %s: %s is %lld, want %lld\n", __FILE__, \
		       __LINE__, __func__, #a, a_, b_); \
	} } while (0)

#define RUN(fn) do { \
	test_bad = 0; \
	fn(); \
	if (test_bad) { \
		test_failed++; \
		printf("FAIL %s\n", #fn); \
	} else { \
		test_passed++; \
	} } while (0)

static inline int test_done(void)
{
	printf("%d passed, %d failed\n", test_passed, test_failed);
	return test_failed != 0;
}

/* A small generator with a seed of its own, equal everywhere. */
static unsigned long long test_seed = 88172645463325252ULL;
static inline unsigned long long test_random(void)
{
	test_seed ^= test_seed << 13;
	test_seed ^= test_seed >> 7;
	return test_seed ^= test_seed << 17;
}

#endif
