/* SPDX-License-Identifier: GPL-2.0 */
/* Compiler attributes and small idioms used everywhere. */
#pragma once

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __section(s)	__attribute__((section(s)))
#define __noreturn	__attribute__((noreturn))
#define __must_check	__attribute__((warn_unused_result))
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define noinline	__attribute__((noinline))
#define always_inline	inline __attribute__((always_inline))
#define fallthrough	__attribute__((fallthrough))
#define barrier()	__asm__ volatile("" ::: "memory")

/* Code and data that boot frees once the first domain runs. */
#define __init		__section(".init.text") __attribute__((cold))
#define __initdata	__section(".init.data")

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); \
		     a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) x_ = (a); __typeof__(b) y_ = (b); \
		     x_ > y_ ? x_ : y_; })

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ROUND_UP(n, a)		(((n) + (a) - 1) & ~((__typeof__(n))(a) - 1))
#define ROUND_DOWN(n, a)	((n) & ~((__typeof__(n))(a) - 1))
