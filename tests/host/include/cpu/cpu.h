/* SPDX-License-Identifier: GPL-2.0 */
/* Host stand-in: per-CPU blocks are an array in host.c, not at the stack. */
#ifndef HOST_CPU_H
#define HOST_CPU_H
#define this_cpu hardware_this_cpu
#define cpu_ptr hardware_cpu_ptr
#define cpu_set_work hardware_cpu_set_work
#include_next <cpu/cpu.h>
#undef this_cpu
#undef cpu_ptr
#undef cpu_set_work
struct cpu *this_cpu(void);
struct cpu *cpu_ptr(unsigned int id);
extern struct cpu host_cpu[NR_CPUS];
static inline void cpu_set_work(unsigned int id, u32 bits)
{
	atomic_or(&cpu_ptr(id)->work, bits);
}
#endif
