/* SPDX-License-Identifier: GPL-2.0 */
/* Host stand-in: the real file, without what needs ring 0. */
#ifndef HOST_X86_H
#define HOST_X86_H
#include_next <x86.h>
#undef irq_enable
#undef irq_disable
void irq_enable(void);
void irq_disable(void);
#endif
