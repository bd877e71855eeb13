/* SPDX-License-Identifier: MIT */
/*
 * callback_op(cmd, arg): where the hypervisor enters the calling vCPU's
 * kernel.  All fields are the caller's.
 */
#ifndef ABI_CALLBACK_H
#define ABI_CALLBACK_H

#include <stdint.h>

#define CALLBACKTYPE_event		0	/* an event is pending */
#define CALLBACKTYPE_failsafe		1	/* iret found bad selectors */
#define CALLBACKTYPE_syscall		2	/* SYSCALL in 64-bit user mode */
#define CALLBACKTYPE_sysenter_deprecated 3
#define CALLBACKTYPE_nmi		4
#define CALLBACKTYPE_sysenter		5	/* SYSENTER in user mode */
#define CALLBACKTYPE_syscall32		7	/* SYSCALL in 32-bit mode */

/* Enter with events masked (event and nmi always do). */
#define CALLBACKF_mask_events		(1U << 0)

#define CALLBACKOP_register		0
struct callback_register {
	uint16_t type;			/* CALLBACKTYPE_* */
	uint16_t flags;			/* CALLBACKF_* */
	uint64_t address;		/* canonical */
};

/* Types event, failsafe and syscall cannot be taken back: -EINVAL. */
#define CALLBACKOP_unregister		1
struct callback_unregister {
	uint16_t type;
	uint16_t _unused;
};

#endif
