/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What another CPU does while this one stands still, its operands ready, right
 * before a cmpxchg(), try_cmpxchg() or atomic_and() of *meanwhile_at:
 * meanwhile(), once.  Included ahead of the code under test (CFLAGS_SUBJECT :=
 * -include meanwhile.h).
 */
#ifndef MEANWHILE_H
#define MEANWHILE_H

#include <x86.h>

extern void (*meanwhile)(void);
extern const void *meanwhile_at;

static inline void stand_still(const void *p)
{
	if (p == meanwhile_at) {
		meanwhile_at = 0;
		meanwhile();
	}
}

#undef cmpxchg
#define cmpxchg(p, old, new) ({ \
	__typeof__(*(p)) new_ = (new); \
	stand_still(p); \
	__sync_val_compare_and_swap((p), (old), new_); })
#undef try_cmpxchg
#define try_cmpxchg(p, old, new) ({ \
	__typeof__(*(p)) new_ = (new); \
	stand_still(p); \
	__atomic_compare_exchange_n((p), (old), new_, false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); })
#undef atomic_and
#define atomic_and(p, v) ({ \
	__typeof__(*(p)) and_ = (v); \
	stand_still(p); \
	__sync_fetch_and_and((p), and_); })

#endif
