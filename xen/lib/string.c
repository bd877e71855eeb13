/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory and strings.
 *
 * The compiler calls memcpy, memmove, memset and memcmp by itself.  Nothing
 * here may fault: guest memory is mm/guestmem.c's business alone.  The string
 * instructions move eight bytes a step, which is also what an instruction
 * counting emulator charges for.
 */
#include <lib/lib.h>

/* As in C.  dst and src must not overlap. */
void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;
	size_t words = n / 8, rest = n % 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words)
			 :: "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(rest)
			 :: "memory");
	return dst;
}

/* As in C. */
void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = (u8 *)dst + n;
	const u8 *s = (const u8 *)src + n;

	if ((u64)dst - (u64)src >= n)
		return memcpy(dst, src, n);
	while (n--)
		*--d = *--s;
	return dst;
}

/* As in C. */
void *memset(void *dst, int c, size_t n)
{
	void *d = dst;
	u64 pattern = (u8)c * 0x0101010101010101UL;
	size_t words = n / 8, rest = n % 8;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern)
			 : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern)
			 : "memory");
	return dst;
}

/* As in C. */
int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

/* As in C. */
size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* As in C. */
int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

/* As in C. */
int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~0UL);
}

/* As in C. */
char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

/* As in C. */
char *strstr(const char *s, const char *find)
{
	size_t n = strlen(find);

	for (; strncmp(s, find, n); s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

/* Copies at most size - 1 bytes and terminates; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src), take = min(n, size - 1);

	memcpy(dst, src, take);
	dst[take] = 0;
	return n;
}

/*
 * Unsigned number in base 10, 16, 8, or as its prefix says for base 0.  *end
 * is the first character not used: s itself if there was no number.  Wraps.
 */
u64 strtoull(const char *s, const char **end, int base)
{
	static const char digits[] = "0123456789abcdef";
	u64 value = 0;
	bool hex = s[0] == '0' && (s[1] | 0x20) == 'x' && s[2] &&
		   strchr(digits, s[2] | 0x20);

	if (!base)
		base = hex ? 16 : s[0] == '0' ? 8 : 10;
	s += hex && base == 16 ? 2 : 0;
	for (; *s; s++) {
		const char *digit = strchr(digits, *s | 0x20);

		if (!digit || digit - digits >= base)
			break;
		value = value * base + (digit - digits);
	}
	*end = s;
	return value;
}

/* A size with suffix B, K, M, G or T, or in KiB when there is none. */
u64 parse_size(const char *s, const char **end)
{
	static const char suffix[] = "bkmgt";
	u64 value = strtoull(s, end, 0);
	const char *unit = **end ? strchr(suffix, **end | 0x20) : NULL;

	if (!unit || *end == s)
		return value << 10;
	++*end;
	return value << 10 * (unit - suffix);
}
