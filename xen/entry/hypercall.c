/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hypercalls: the table, batches, and how long ones are cut into pieces.
 *
 * Invariant: a hypercall either completes, or leaves the guest's registers (or
 * its multicall entry in guest memory) such that repeating the instruction
 * does exactly the rest.  Between the pieces the vCPU is an ordinary guest
 * about to make a hypercall: it may be preempted, moved, or destroyed, and
 * other vCPUs of the guest may change the arguments, which are checked anew.
 *
 * No locks.  A hostile guest may batch a batch, rewrite entries while they
 * run, or batch what changes the mode it runs in (XSA-213): batches do not
 * nest, an entry is read once, and iret() does not work in one.
 */
#include <domain/domain.h>
#include <entry/entry.h>

/* [hypercall 30] One entry per number, found by grep; NULL is -XEN_ENOSYS.
 * iret() is in entry.S alone. */
hypercall_t *const hypercall_table[64] = {
	[__HYPERVISOR_set_trap_table]		= do_set_trap_table,
	[__HYPERVISOR_mmu_update]		= do_mmu_update,
	[__HYPERVISOR_set_gdt]			= do_set_gdt,
	[__HYPERVISOR_stack_switch]		= do_stack_switch,
	[__HYPERVISOR_fpu_taskswitch]		= do_fpu_taskswitch,
	[__HYPERVISOR_platform_op]		= do_platform_op,
	[__HYPERVISOR_set_debugreg]		= do_set_debugreg,
	[__HYPERVISOR_get_debugreg]		= do_get_debugreg,
	[__HYPERVISOR_update_descriptor]	= do_update_descriptor,
	[__HYPERVISOR_memory_op]		= do_memory_op,
	[__HYPERVISOR_multicall]		= do_multicall,
	[__HYPERVISOR_update_va_mapping]	= do_update_va_mapping,
	[__HYPERVISOR_set_timer_op]		= do_set_timer_op,
	[__HYPERVISOR_xen_version]		= do_xen_version,
	[__HYPERVISOR_console_io]		= do_console_io,
	[__HYPERVISOR_grant_table_op]		= do_grant_table_op,
	[__HYPERVISOR_vm_assist]		= do_vm_assist,
	[__HYPERVISOR_vcpu_op]			= do_vcpu_op,
	[__HYPERVISOR_set_segment_base]		= do_set_segment_base,
	[__HYPERVISOR_mmuext_op]		= do_mmuext_op,
	[__HYPERVISOR_sched_op]			= do_sched_op,
	[__HYPERVISOR_callback_op]		= do_callback_op,
	[__HYPERVISOR_event_channel_op]		= do_event_channel_op,
	[__HYPERVISOR_physdev_op]		= do_physdev_op,
	[__HYPERVISOR_sysctl]			= do_sysctl,
	[__HYPERVISOR_domctl]			= do_domctl,
};

/* From entry.S too.  Debug builds log the number. */
long unknown_hypercall(void)
{
	return deny(-XEN_ENOSYS);
}

/*
 * Arranges that the hypercall in progress is made again with these arguments,
 * at most six; others stay as they are.  Returns what the handler must return:
 * the number, which entry.S leaves in rax.
 */
long hypercall_continue_args(unsigned int op, unsigned int nargs,
			     const u64 *args)
{
	struct vcpu *v = current;
	struct regs *r = &v->regs;
	u64 *const reg[6] = { &r->rdi, &r->rsi, &r->rdx,
			      &r->r10, &r->r8,	&r->r9 };

	ASSERT(nargs <= 6);
	if (v->mc.active) {
		v->mc.preempted = true;
		v->mc.entry.op = op;
		memcpy(v->mc.entry.args, args, nargs * sizeof(*args));
		return op;
	}
	r->rip -= 2;		/* back to the syscall instruction */
	for (unsigned int i = 0; i < nargs; i++)
		*reg[i] = args[i];
	return op;
}

/* See entry.h.  Interrupts that wait are taken here. */
bool preempt_check(void)
{
	struct cpu *cpu = this_cpu();

	ASSERT(!cpu->locks_held);
	if (READ_ONCE(cpu->work))
		return true;
	cpu->in_window = true;
	__asm__ volatile("sti; nop; cli" ::: "memory");
	cpu->in_window = false;
	return READ_ONCE(cpu->work) != 0;
}

/*
 * A batch.  The first entry that cannot be read or answered ends it with
 * -XEN_EFAULT; entries' own errors do not.  One that asked to be repeated goes
 * back to the list with what is left of it.
 */
long do_multicall(u64 list, u64 nr, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct vcpu *v = current;
	struct multicall_entry *e = &v->mc.entry;
	hypercall_t *fn;
	long rc;

	if (v->mc.active)
		return deny(-XEN_EINVAL);
	for (nr = (u32)nr; nr; list += sizeof(*e)) {
		if (unlikely(get_guest_line((u64 *)e, list)))
			return deny(-XEN_EFAULT);
		v->mc.active = true;
		v->mc.preempted = false;
		fn = likely(e->op < 64) ? hypercall_table[e->op & 63] : NULL;
		rc = likely(fn) ? fn(e->args[0], e->args[1], e->args[2],
				     e->args[3], e->args[4], e->args[5])
				: unknown_hypercall();
		v->mc.active = false;
		if (unlikely(v->mc.preempted)) {
			if (copy_to_guest(list, e, sizeof(*e)))
				return deny(-XEN_EFAULT);
			break;
		}
		if (unlikely(put_guest_u64(list + 8, (u64)rc)))
			return deny(-XEN_EFAULT);
		if (!--nr || unlikely(!v->in_kernel))
			return 0;
		if (unlikely(preempt_pending()) ||
		    (!(nr & 15) && preempt_check())) {
			list += sizeof(*e);
			break;
		}
	}
	return nr ? hypercall_continue(__HYPERVISOR_multicall, 2, list, nr) : 0;
}
