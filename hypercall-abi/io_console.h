/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: one page shared with the console daemon, found through
 * start_info.console.domU and grant reference GNTTAB_RESERVED_CONSOLE.
 *
 * Indices run freely; a byte's place is its index modulo the array's size.
 * The guest writes out, out_prod and in_cons, the daemon in, in_prod and
 * out_cons.  After moving an index a side notifies the other.
 */
#ifndef ABI_IO_CONSOLE_H
#define ABI_IO_CONSOLE_H

#include <stdint.h>

typedef uint32_t XENCONS_RING_IDX;
#define MASK_XENCONS_IDX(idx, ring)	((idx) & (sizeof(ring) - 1))

struct xencons_interface {
	char in[1024];			/* keyboard, to the guest */
	char out[2048];			/* screen, from the guest */
	XENCONS_RING_IDX in_cons, in_prod;
	XENCONS_RING_IDX out_cons, out_prod;
};

#endif
