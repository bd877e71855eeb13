/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Knobs of host.c, the stand-ins for what lies under the code being tested.
 * Every function of host.c is weak: a test that links the real file, or has
 * a stand-in of its own, simply defines it.
 */
#ifndef HOST_H
#define HOST_H

#include <types.h>

struct vcpu;

#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

/* n frames of RAM from mfn 0 at DIRECTMAP_BASE, and their frame table. */
void host_map_frames(u64 n);
/* current, on CPU 0. */
void host_set_current(struct vcpu *v);
/* heap_alloc() and alloc_pages() fail once this many succeeded; -1 never. */
extern long host_alloc_left;
extern long host_allocated;		/* objects and page blocks not freed */
/* preempt_check() says yes every n-th time; 0 never. */
extern unsigned int host_preempt_every;
/* What hypercall_continue() was last given; its value is HOST_CONTINUED. */
#define HOST_CONTINUED	(-1000000L)
extern unsigned int host_continue_op;
extern u64 host_continue_args[6];
/* Guest pointers are plain addresses; those in [lo, hi) fault. */
extern u64 host_fault_lo, host_fault_hi;
extern int host_locks_held;
extern bool host_quiet;			/* no printk() output (the default) */

#endif
