/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Structure offsets for assembly.
 *
 * Never linked: the Makefile compiles this file to assembly text and turns
 * each "->NAME $value" line into a #define in offsets.h.  The layouts that
 * assembly and the ABI share are asserted here as well.
 */
#include <domain/domain.h>
#include <entry/entry.h>

#define DEFINE(name, value) \
	__asm__ volatile("\n.ascii \"->" #name " %0\"" :: "i"((long)(value)))
#define OFFSET(name, type, member) DEFINE(name, offsetof(type, member))

#define SAME(member) \
	_Static_assert(offsetof(struct regs, member) == \
		       offsetof(struct cpu_user_regs, member), #member)
SAME(r15); SAME(rax); SAME(rdi); SAME(error_code); SAME(entry_vector);
SAME(rip); SAME(cs); SAME(saved_upcall_mask); SAME(rflags); SAME(rsp);
SAME(ss); SAME(es); SAME(ds); SAME(fs); SAME(gs);
_Static_assert(sizeof(struct regs) == sizeof(struct cpu_user_regs) &&
	       offsetof(struct regs, rdi) == 14 * 8 &&
	       offsetof(struct regs, es) == 21 * 8, "a word each in entry.S");
/* The block of a CPU has two pages for it. */
_Static_assert(sizeof(struct cpu) <= 2 * PAGE_SIZE, "struct cpu");

void offsets(void)
{
	OFFSET(CPU_guest_rsp, struct cpu, guest_rsp);
	OFFSET(CPU_regs_top, struct cpu, regs_top);
	OFFSET(CPU_current, struct cpu, curr);
	OFFSET(CPU_work, struct cpu, work);
	OFFSET(CPU_cr3, struct cpu, cr3);

	_Static_assert((offsetof(struct vcpu, regs.es) & 15) == 0, "rsp0");
	OFFSET(VCPU_regs, struct vcpu, regs);
	OFFSET(VCPU_stack_top, struct vcpu, stack_top);
	OFFSET(VCPU_vcpu_info, struct vcpu, vcpu_info);
	OFFSET(VCPU_in_kernel, struct vcpu, in_kernel);
	OFFSET(VCPU_nmi_masked, struct vcpu, nmi_masked);
	OFFSET(VCPU_cr3_kernel, struct vcpu, cr3_kernel);
	OFFSET(VCPU_cr3_user, struct vcpu, cr3_user);
	OFFSET(VCPU_kernel_sp, struct vcpu, kernel_sp);
	OFFSET(VCPU_syscall_address, struct vcpu, syscall_cb.address);
	OFFSET(VCPU_syscall_mask, struct vcpu, syscall_cb.mask_events);

	OFFSET(VCPU_traps, struct vcpu, traps);
	OFFSET(VCPU_cr2, struct vcpu, cr2);
	DEFINE(TRAP_PF_flags, X86_EXC_PF * sizeof(struct trap_info) +
	       offsetof(struct trap_info, flags));
	DEFINE(TRAP_PF_address, X86_EXC_PF * sizeof(struct trap_info) +
	       offsetof(struct trap_info, address));

	DEFINE(HYPERCALL_iret, __HYPERVISOR_iret);
	DEFINE(HYPERCALL_limit, NR_HYPERCALLS);
	DEFINE(FLAG_IF, X86_EFLAGS_IF);
	DEFINE(FLAGS_NEVER, FLAGS_NEVER);
	DEFINE(FLAGS_NOT_SYSRET, FLAGS_NOT_SYSRET);
	DEFINE(FLAGS_HANDLER, FLAGS_HANDLER);
	DEFINE(IRET_IN_SYSCALL, VGCF_IN_SYSCALL);
}
