/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual CPUs: creation, context, and the hypercalls that change the calling
 * vCPU's own small state.
 *
 * Invariant: nothing stored in struct vcpu by these functions can make ring 0
 * fault or lend the guest more than ring 3 when the processor loads it:
 * addresses that reach MSRs or rip are canonical, selectors have RPL 3 (one
 * that iret refuses nevertheless is the failsafe handler's affair), rflags
 * keeps only bits a guest owns, breakpoints lie outside our part of the address
 * space, page tables and descriptor tables come typed from mm/.
 *
 * A context (vcpu_guest_context) is given once.  It is checked before anything
 * is stored; then the parts that take references follow, which check for
 * themselves, may be interrupted and repeated (-XEN_ERESTART), and replace what
 * an earlier try left; v->initialised comes last, and keeps two CPUs from doing
 * that to one vCPU at a time.
 *
 * A registered vcpu_info is a page of the guest's that we keep referenced and
 * typed writable, so that it cannot become a page table or somebody else's
 * while we write to it, from any CPU and without a lock.
 *
 * A hostile guest may initialise a vCPU that runs, twice or on two CPUs,
 * register pages it does not own, or load garbage selectors.
 */
#include <domain/domain.h>
#include <entry/entry.h>
#include <hypercall-abi/callback.h>

/* What a guest may have in rflags, besides IF, which is always set. */
#define RFLAGS_GUEST	(0xdd5UL | X86_EFLAGS_RF | X86_EFLAGS_AC | \
			 X86_EFLAGS_ID)
/* All up to the newest, but the one that would make IOPL real. */
#define VM_ASSIST_VALID	(((2UL << VMASST_TYPE_runstate_update_flag) - 1) & \
			 ~(1UL << VMASST_TYPE_architectural_iopl))
#define CR4_GUEST	(X86_CR4_TSD | X86_CR4_DE | X86_CR4_OSXSAVE)
#define DR6_FIXED	0xffff0ff0UL
#define DR6_ZERO	(1UL << 12)
#define DR7_FIXED	0x400UL
#define DR7_ZERO	0xd800UL
#define DR7_GD		(1UL << 13)
#define DR7_ENABLED	0xffUL
#define DR_ALIAS(n)	((n) | ((n) & 4) >> 1)	/* 4 and 5 are 6 and 7 */
/* I/O breakpoints (type 2 of 4) would be ours to serve. */
#define DR7_HAS_IO(v)	((v) >> 17 & ~((v) >> 16) & 0x1111)

/* Where events of vCPUs go that have no vcpu_info of their own. */
static struct vcpu_info dummy_vcpu_info = { .evtchn_upcall_mask = 1 };
static struct domain idle_domain = { .id = DOMID_IDLE, .refs = 1 };

/* --- life ----------------------------------------------------------------- */

static void vcpu_info_reset(struct vcpu *v)
{
	struct vcpu_info *vi = &dummy_vcpu_info;

	if (v->id < XEN_LEGACY_MAX_VCPUS && !v->domain->is_dying)
		vi = &v->domain->shared_info->vcpu_info[v->id];
	v->vcpu_info_mfn = INVALID_MFN;
	store_release(&v->vcpu_info, vi);
}

/* Its memory: after the grace period, or when it has never run. */
void vcpu_free(struct vcpu *v)
{
	if (v->fpu_area)
		free_page(v->fpu_area);
	if (v->traps)
		free_page(v->traps);
	v->domain->vcpu[v->id] = NULL;
	free_page(v);
}

/*
 * A vCPU of d, down and without a context.  NULL: no memory.  Nobody else
 * creates vCPUs of d meanwhile.
 */
struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v = alloc_page();

	_Static_assert(sizeof(*v) <= PAGE_SIZE, "struct vcpu is one page");
	if (!v)
		return NULL;
	*v = (struct vcpu){
		.domain = d, .id = id, .pause_flags = VPF_DOWN,
		.in_kernel = 1,
		.regs = { .cs = FLAT_RING3_CS64, .ss = FLAT_RING3_SS64,
			  .rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS },
		.xcr0 = XCR0_X87,
		.debugreg = { [6] = DR6_FIXED, [7] = DR7_FIXED },
	};
	vcpu_info_reset(v);
	v->traps = alloc_page();
	v->fpu_area = alloc_page();
	if (!v->traps || !v->fpu_area || perdomain_add_vcpu(v)) {
		vcpu_free(v);
		return NULL;
	}
	fpu_reset(v);
	sched_init_vcpu(v);
	store_release(&d->vcpu[id], v);
	return v;
}

/* What a CPU runs when nobody else wants it.  Boot only: panics. */
struct vcpu *idle_vcpu_create(unsigned int cpu)
{
	struct vcpu *v = alloc_page();

	BUG_ON(!v);
	*v = (struct vcpu){
		.domain = &idle_domain, .id = cpu, .is_idle = 1,
		.in_kernel = 1, .vcpu_info = &dummy_vcpu_info,
		.vcpu_info_mfn = INVALID_MFN,
		.cr3_kernel = virt_to_paddr(idle_l4),
		.sched = { .cpu = cpu, .affinity = 1UL << cpu },
	};
	idle_domain.max_vcpus = max(idle_domain.max_vcpus, cpu + 1);
	idle_domain.vcpu[cpu] = v;
	return v;
}

/*
 * The domain dies: timers stop, the registered page goes back.  Nobody writes
 * to v->vcpu_info any more: see domain_kill().  Idempotent.
 */
void vcpu_destroy(struct vcpu *v)
{
	mfn_t mfn = v->vcpu_info_mfn;

	sched_destroy_vcpu(v);
	vcpu_info_reset(v);
	if (mfn.m != INVALID_MFN.m)
		frame_put_type(mfn_to_frame(mfn));
}

/* --- context -------------------------------------------------------------- */

static bool context_ok(const struct vcpu *v, const struct vcpu_guest_context *c)
{
	const u64 va[] = {
		c->user_regs.rip, c->user_regs.rsp, c->kernel_sp, c->fs_base,
		c->gs_base_kernel, c->gs_base_user, c->event_callback_eip,
		c->failsafe_callback_eip, c->syscall_callback_eip,
	};
	bool ok = c->ctrlreg[3] >> PAGE_SHIFT &&
		  (v->id || !(c->vm_assist & ~VM_ASSIST_VALID)) &&
		  (c->flags & VGCF_IN_KERNEL ||
		   c->ctrlreg[1] >> PAGE_SHIFT);

	for (unsigned int i = 0; i < ARRAY_SIZE(va); i++)
		ok &= va_canonical(va[i]);
	for (unsigned int i = 0; i < 256; i++)
		ok &= va_canonical(c->trap_ctxt[i].address);
	return ok;
}

static void context_set_regs(struct vcpu *v, const struct vcpu_guest_context *c)
{
	struct regs *r = &v->regs;

	_Static_assert(sizeof(*r) == sizeof(c->user_regs), "cpu_user_regs");
	memcpy(r, &c->user_regs, sizeof(*r));
	r->error_code = r->entry_vector = r->saved_upcall_mask = 0;
	v->iopl = (r->rflags & X86_EFLAGS_IOPL) >> 12;
	r->rflags = (r->rflags & RFLAGS_GUEST) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
	r->cs |= 3;
	r->ss |= 3;
	r->ds = sel_fixup(r->ds);
	r->es = sel_fixup(r->es);
	r->fs = sel_fixup(r->fs);
	r->gs = sel_fixup(r->gs);

	memcpy(v->traps, c->trap_ctxt, sizeof(c->trap_ctxt));
	for (unsigned int i = 0; i < 256; i++)
		v->traps[i].cs |= 3;
	v->event_cb.address = c->event_callback_eip;
	v->failsafe_cb = (struct callback){ c->failsafe_callback_eip,
		c->flags & VGCF_failsafe_disables_events };
	v->syscall_cb = (struct callback){ c->syscall_callback_eip,
		c->flags & VGCF_syscall_disables_events };

	v->in_kernel = !!(c->flags & VGCF_IN_KERNEL);
	v->kernel_sp = c->kernel_sp;
	v->guest_ts = !!(c->ctrlreg[0] & X86_CR0_TS);
	v->cr4 = c->ctrlreg[4] & CR4_GUEST &
		 (cpuid_max_xcr0(v->domain) ? ~0UL : ~X86_CR4_OSXSAVE);
	v->fs_base = c->fs_base;
	v->gs_base_kernel = c->gs_base_kernel;
	v->gs_base_user = c->gs_base_user;
	/* What is refused stays off. */
	for (unsigned int i = 0; i < 8; i++)
		vcpu_set_debugreg(v, i, c->debugreg[DR_ALIAS(i)]);
	fpu_reset(v);
}

static int context_set(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int rc;

	if (v->vcpu_info == &dummy_vcpu_info || !context_ok(v, c))
		return deny(-XEN_EINVAL);
	/* The parts that hold references.  Repeatable: each replaces what
	 * was. */
	rc = vcpu_set_gdt(v, c->gdt_frames, c->gdt_ents);
	if (!rc)
		rc = vcpu_set_ldt(v, c->ldt_base, c->ldt_ents);
	if (!rc && v->l4_kernel.m != c->ctrlreg[3] >> PAGE_SHIFT)
		rc = vcpu_set_kernel_l4(v, MFN(c->ctrlreg[3] >> PAGE_SHIFT));
	if (!rc && v->l4_user.m != c->ctrlreg[1] >> PAGE_SHIFT)
		rc = vcpu_set_user_l4(v, MFN(c->ctrlreg[1] >> PAGE_SHIFT));
	if (rc)
		return rc;
	context_set_regs(v, c);
	if (!v->id) {
		v->domain->vm_assist = c->vm_assist;
		domain_wallclock_update(v->domain);
	}
	return 0;
}

/*
 * Gives v, which has none, the context in the caller's memory: 0;
 * -XEN_EINVAL: not acceptable; -XEN_EEXIST; -XEN_EFAULT; -XEN_ENOMEM;
 * -XEN_ERESTART if validation of page tables was interrupted, or another CPU
 * is at it: call again with the same.  VGCF_online counts if `online` says so.
 */
int vcpu_initialise(struct vcpu *v, u64 gva, bool online)
{
	struct vcpu_guest_context *c = heap_alloc(sizeof(*c));
	int rc = !c ? deny(-XEN_ENOMEM) : copy_from_guest(c, gva, sizeof(*c));
	u8 was = rc ? 0 : cmpxchg(&v->initialised, 0, 2);

	if (was) {
		rc = was == 2 ? -XEN_ERESTART : (int)deny(-XEN_EEXIST);
	} else if (!rc) {
		rc = context_set(v, c);
		store_release(&v->initialised, !rc);
		if (!rc && online && c->flags & VGCF_online)
			atomic_and(&v->pause_flags, ~VPF_DOWN);
	}
	heap_free(c);
	return rc;
}

/* --- vcpu_op -------------------------------------------------------------- */

/*
 * Moves v's vcpu_info into a frame of its own domain, once; v is current or
 * down.
 */
static long vcpu_register_info(struct vcpu *v, u64 arg)
{
	struct vcpu_register_vcpu_info op;
	struct domain *d = v->domain;
	struct vcpu_info *vi;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.offset > PAGE_SIZE - sizeof(*vi) || op.offset & 7 ||
	    !mfn_valid(MFN(op.mfn)))
		return deny(-XEN_EINVAL);
	vi = mfn_to_virt(MFN(op.mfn)) + op.offset;
	spin_lock(&d->lock);
	if (v->vcpu_info_mfn.m != INVALID_MFN.m || d->is_dying ||
	    (v != current && !(READ_ONCE(v->pause_flags) & VPF_DOWN)) ||
	    frame_get_type(mfn_to_frame(MFN(op.mfn)), d, TYPE_WRITABLE)) {
		spin_unlock(&d->lock);
		return deny(-XEN_EINVAL);
	}
	/* The dummy is a masked one without events. */
	memcpy(vi, v->vcpu_info, sizeof(*vi));
	v->vcpu_info_mfn = MFN(op.mfn);
	store_release(&v->vcpu_info, vi);
	/* What arrived between copy and switch is not lost: the guest looks at
	 * everything once. */
	WRITE_ONCE(vi->evtchn_pending_sel, ~0UL);
	smp_wmb();
	WRITE_ONCE(vi->evtchn_upcall_pending, 1);
	spin_unlock(&d->lock);
	if (v == current)
		vcpu_time_update(v);
	return 0;
}

/* The last one that goes down takes the domain with it. */
static long vcpu_op_down(struct vcpu *v)
{
	bool last = true;
	struct vcpu *w;

	for_each_vcpu(v->domain, w)
		if (w != v && !(READ_ONCE(w->pause_flags) & VPF_DOWN))
			last = false;
	if (last)
		domain_shutdown(v->domain, SHUTDOWN_poweroff);
	else if (!(atomic_or(&v->pause_flags, VPF_DOWN) & VPF_DOWN))
		vcpu_sleep(v);
	return 0;
}

static long vcpu_op_get_runstate(struct vcpu *v, u64 gva)
{
	struct vcpu_runstate_info info;

	vcpu_runstate(v, &info);
	return copy_to_guest(gva, &info, sizeof(info));
}

/* Where v is to be told of its run states, or of the time. */
static long vcpu_op_register_area(struct vcpu *v, u64 arg, bool runstate)
{
	u64 area;

	if (copy_from_guest(&area, arg, sizeof(area)) ||
	    !guest_range_ok(area, sizeof(struct vcpu_runstate_info)))
		return deny(-XEN_EFAULT);
	*(runstate ? &v->sched.runstate_gva : &v->sched.time_gva) = area;
	if (v == current && !runstate)
		vcpu_time_update(v);
	else if (v == current && area)
		vcpu_runstate_publish(v);
	else if (runstate && area)	/* a fault is the guest's loss */
		(void)!vcpu_op_get_runstate(v, area);
	return 0;
}

/* v gets an NMI as soon as it runs; it is woken for it. */
void vcpu_send_nmi(struct vcpu *v)
{
	if (!(atomic_or(&v->work, VWORK_NMI) & VWORK_NMI))
		vcpu_kick(v);
}

/* Hypercall 24: a vCPU of the caller's own domain. */
long do_vcpu_op(u64 cmd, u64 vcpuid, u64 arg, u64 a4, u64 a5, u64 a6)
{
	struct vcpu *v = vcpu_find(current->domain, vcpuid);
	long rc;

	if (!v)
		return deny(-XEN_ENOENT);
	switch ((u32)cmd) {
	case VCPUOP_initialise:
		rc = vcpu_initialise(v, arg, false);
		return rc != -XEN_ERESTART ? rc : hypercall_continue(
				__HYPERVISOR_vcpu_op, 3, cmd, vcpuid, arg);
	case VCPUOP_up:
		if (load_acquire(&v->initialised) != 1)
			return deny(-XEN_EINVAL);
		if (atomic_and(&v->pause_flags, ~VPF_DOWN) & VPF_DOWN)
			vcpu_wake(v);
		return 0;
	case VCPUOP_down: return vcpu_op_down(v);
	case VCPUOP_is_up: return !(READ_ONCE(v->pause_flags) & VPF_DOWN);
	case VCPUOP_get_runstate_info: return vcpu_op_get_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return vcpu_op_register_area(v, arg, true);
	case VCPUOP_set_periodic_timer ... VCPUOP_stop_singleshot_timer:
		return vcpu_timer_op(v, cmd, arg);
	case VCPUOP_register_vcpu_info: return vcpu_register_info(v, arg);
	case VCPUOP_send_nmi:
		vcpu_send_nmi(v);
		return 0;
	case VCPUOP_register_vcpu_time_memory_area:
		return vcpu_op_register_area(v, arg, false);
	default: return deny(-XEN_ENOSYS);
	}
}

/* --- handlers ------------------------------------------------------------- */

/*
 * Hypercall 0.  The list ends with address 0 and may be as long as the guest
 * likes; NULL takes all handlers away.  Entries before a bad one stay.
 */
long do_set_trap_table(u64 traps, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct vcpu *v = current;
	struct trap_info t;

	if (!traps) {
		memset(v->traps, 0, 256 * sizeof(t));
		return 0;
	}
	for (;;) {
		if (copy_from_guest(&t, traps, sizeof(t)))
			return deny(-XEN_EFAULT);
		if (!t.address)
			return 0;
		if (!va_canonical(t.address))
			return deny(-XEN_EINVAL);
		t.cs |= 3;
		v->traps[t.vector] = t;
		traps += sizeof(t);
		if (preempt_check())
			return hypercall_continue(
				__HYPERVISOR_set_trap_table, 1, traps);
	}
}

/* Hypercall 30.  Only the NMI's handler can be taken away. */
long do_callback_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct vcpu *v = current;
	struct callback *const cb[] = {
		[CALLBACKTYPE_event] = &v->event_cb,
		[CALLBACKTYPE_failsafe] = &v->failsafe_cb,
		[CALLBACKTYPE_syscall] = &v->syscall_cb,
		[CALLBACKTYPE_nmi] = &v->nmi_cb,
		[CALLBACKTYPE_sysenter] = &v->sysenter_cb,
		[CALLBACKTYPE_syscall32] = &v->syscall32_cb,
	};
	bool set = (u32)cmd == CALLBACKOP_register;
	struct callback_register r = { 0 };

	if (!set && (u32)cmd != CALLBACKOP_unregister)
		return deny(-XEN_ENOSYS);
	/* The beginning is the same. */
	if (copy_from_guest(&r, arg, set ? sizeof(r) :
			    sizeof(struct callback_unregister)))
		return deny(-XEN_EFAULT);
	if (r.type >= ARRAY_SIZE(cb) || !cb[r.type])
		return deny(-XEN_ENOSYS);
	if (!va_canonical(r.address) || (!set && r.type != CALLBACKTYPE_nmi))
		return deny(-XEN_EINVAL);
	*cb[r.type] = (struct callback){ r.address,
					 r.flags & CALLBACKF_mask_events };
	return 0;
}

/* --- registers ------------------------------------------------------------ */

/* Hypercall 3.  A bad stack is noticed when it is used; its selector is flat
 * for all. */
long do_stack_switch(u64 ss, u64 sp, u64 a3, u64 a4, u64 a5, u64 a6)
{
	current->kernel_sp = sp;
	return 0;
}

/* Hypercall 5: the guest's CR0.TS, which is the hardware's while it runs. */
long do_fpu_taskswitch(u64 set, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	fpu_set_ts(current, set != 0);
	return 0;
}

/*
 * v is current or not running with its state home.  -XEN_EPERM: not for
 * guests; -XEN_EINVAL: reserved bits; -XEN_ENODEV: no such register.
 */
int vcpu_set_debugreg(struct vcpu *v, unsigned int reg, u64 value)
{
	u64 *dr = v->debugreg;

	if (reg > 7)
		return deny(-XEN_ENODEV);
	reg = DR_ALIAS(reg);
	if (reg >= 6 && value >> 32)
		return deny(-XEN_EINVAL);
	/* A breakpoint covers up to 8 bytes. */
	if (reg < 4 && value > HYP_VIRT_START - 8 && value < HYP_VIRT_END)
		return deny(-XEN_EPERM);
	if (reg == 6)
		value = (value & ~DR6_ZERO) | DR6_FIXED;
	if (reg == 7 && (value & DR7_GD ||
			 (value & DR7_ENABLED && DR7_HAS_IO(value))))
		return deny(-XEN_EPERM);
	if (reg == 7)
		value = (value & ~DR7_ZERO) | DR7_FIXED;
	dr[reg] = value;
	/* While DR7 is off the others are not loaded, so all are now. */
	if (v == current)
		__asm__ volatile("mov %0,%%db0\n mov %1,%%db1\n"
				 "mov %2,%%db2\n mov %3,%%db3\n"
				 "mov %4,%%db6\n mov %5,%%db7\n"
				 :: "r"(dr[0]), "r"(dr[1]), "r"(dr[2]),
				 "r"(dr[3]), "r"(DR6_FIXED), "r"(dr[7]));
	return 0;
}

/* Hypercall 8. */
long do_set_debugreg(u64 reg, u64 value, u64 a3, u64 a4, u64 a5, u64 a6)
{
	return vcpu_set_debugreg(current, (u32)reg, value);
}

/* Hypercall 9. */
long do_get_debugreg(u64 reg, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	return (u32)reg > 7 ? deny(-XEN_ENODEV) :
	       (long)current->debugreg[DR_ALIAS((u32)reg)];
}

/* Hypercall 25: the caller is in kernel mode, so the user's GS base waits in
 * MSR_KERNEL_GS_BASE. */
long do_set_segment_base(u64 which, u64 base, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct vcpu *v = current;
	/* By SEGBASE_*. */
	u64 *const field[] = {
		&v->fs_base, &v->gs_base_user, &v->gs_base_kernel,
	};
	static const u32 msr[] = {
		MSR_FS_BASE, MSR_KERNEL_GS_BASE, MSR_GS_BASE,
	};

	which = (u32)which;
	if (which == SEGBASE_GS_USER_SEL) {
		/* A bad selector becomes null: callers expect success. */
		context_load_user_gs(v, base & 0xffff);
		return 0;
	}
	if (which > SEGBASE_GS_USER_SEL || !va_canonical(base))
		return deny(-XEN_EINVAL);
	*field[which] = base;
	wrmsr(msr[which], base);
	return 0;
}

/* Hypercall 21. */
long do_vm_assist(u64 cmd, u64 type, u64 a3, u64 a4, u64 a5, u64 a6)
{
	u64 *assist = &current->domain->vm_assist, bit = 1UL << (type & 63);

	if ((u32)type >= 64 || !(VM_ASSIST_VALID & bit))
		return deny(-XEN_EINVAL);
	if ((u32)cmd > VMASST_CMD_disable)
		return deny(-XEN_ENOSYS);
	if ((u32)cmd == VMASST_CMD_enable)
		atomic_or(assist, bit);
	else
		atomic_and(assist, ~bit);
	return 0;
}

/* Registers of a vCPU that does not run, or of the current one. */
void vcpu_dump(const struct vcpu *v)
{
	printk("d%uv%u: %s mode, l4 %lx user %lx, flags %x, upcall %u/%u\n",
	       v->domain->id, v->id, v->in_kernel ? "kernel" : "user",
	       v->l4_kernel.m, v->l4_user.m, v->pause_flags,
	       v->vcpu_info->evtchn_upcall_pending,
	       v->vcpu_info->evtchn_upcall_mask);
	show_regs(&v->regs);
}
