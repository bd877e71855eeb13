/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual CPUs: creation, context, and the hypercalls that change the calling
 * vCPU's own small state.
 *
 * Invariant: nothing stored in struct vcpu by these functions can make ring 0
 * fault or lend the guest more than ring 3 when the processor loads it:
 * addresses that reach MSRs or rip are canonical, selectors have RPL 3 and do
 * not name our descriptors, rflags keeps only bits a guest owns, breakpoints
 * lie outside our part of the address space, page tables and descriptor
 * tables come typed from mm/.
 *
 * A context (vcpu_guest_context) is checked whole before anything is stored;
 * then the parts that take references follow, which may be interrupted and
 * repeated (-XEN_ERESTART), and v->initialised comes last.  v->context_busy
 * keeps two CPUs from doing that to one vCPU at a time.
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
#include <hypercall-abi/nmi.h>

/* What a guest may have in rflags, besides IF, which is always set. */
#define RFLAGS_GUEST	(0xdd5UL | X86_EFLAGS_RF | X86_EFLAGS_AC | \
			 X86_EFLAGS_ID)
#define VM_ASSIST_VALID	(1UL << VMASST_TYPE_4gb_segments | \
			 1UL << VMASST_TYPE_4gb_segments_notify | \
			 1UL << VMASST_TYPE_writable_pagetables | \
			 1UL << VMASST_TYPE_pae_extended_cr3 | \
			 1UL << VMASST_TYPE_architectural_iopl | \
			 1UL << VMASST_TYPE_runstate_update_flag)
#define CR4_GUEST	(X86_CR4_TSD | X86_CR4_DE | X86_CR4_OSXSAVE)
#define DR6_FIXED	0xffff0ff0UL
#define DR6_ZERO	(1UL << 12)
#define DR7_FIXED	0x400UL
#define DR7_ZERO	0xd800UL
#define DR7_GD		(1UL << 13)
#define DR7_ENABLED	0xffUL

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

static void vcpu_reset_regs(struct vcpu *v)
{
	v->regs.rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS;
	v->regs.cs = FLAT_RING3_CS64;
	v->regs.ss = FLAT_RING3_SS64;
	v->kernel_ss = FLAT_RING3_SS64;
	v->in_kernel = 1;
	v->debugreg[6] = DR6_FIXED;
	v->debugreg[7] = DR7_FIXED;
	v->event_cb.mask_events = true;
}

/*
 * A vCPU of d, down and without a context.  NULL: no memory.  The caller
 * makes sure that d does not run and nobody else creates vCPUs.
 */
struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v;

	_Static_assert(sizeof(*v) <= PAGE_SIZE, "struct vcpu is one page");
	v = alloc_page();
	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->pause_flags = VPF_DOWN;
	v->xcr0 = 1;
	v->xcr0_accum = 1;
	vcpu_info_reset(v);
	vcpu_reset_regs(v);
	v->traps = alloc_page();
	if (!v->traps || fpu_alloc(v))
		goto free;
	if (sched_init_vcpu(v))
		goto free_fpu;
	perdomain_set(d, GDT_VA(id) + (GDT_RESERVED_PAGE << PAGE_SHIFT),
		      gdt_reserved_mfn.m << PAGE_SHIFT | MAP_RO);
	store_release(&d->vcpu[id], v);
	return v;

free_fpu:
	fpu_free(v);
free:
	if (v->traps)
		free_page(v->traps);
	free_page(v);
	return NULL;
}

/* What a CPU runs when nobody else wants it.  Boot only: panics. */
struct vcpu *idle_vcpu_create(unsigned int cpu)
{
	struct vcpu *v = idle_domain.vcpu[cpu];

	if (v)
		return v;
	v = alloc_page();
	if (!v)
		panic("no memory for an idle vCPU");
	v->domain = &idle_domain;
	v->id = cpu;
	v->is_idle = 1;
	v->in_kernel = 1;
	v->vcpu_info = &dummy_vcpu_info;
	v->vcpu_info_mfn = INVALID_MFN;
	v->cr3_kernel = virt_to_paddr(idle_l4);
	v->sched.cpu = cpu;
	v->sched.affinity = 1UL << cpu;
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
	if (!mfn_eq(mfn, INVALID_MFN))
		frame_put_and_type(mfn_to_frame(mfn));
}

/* After the grace period: memory. */
void vcpu_free(struct vcpu *v)
{
	fpu_free(v);
	heap_free(v->emul_private);
	free_page(v->traps);
	v->domain->vcpu[v->id] = NULL;
	free_page(v);
}

/* Nested.  On return v does not run and its context is in struct vcpu.  Not
 * for the current vCPU. */
void vcpu_pause(struct vcpu *v)
{
	atomic_add(&v->pause_count, 1);
	vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
	if (!atomic_sub(&v->pause_count, 1))
		vcpu_wake(v);
}

/* --- context in and out --------------------------------------------------- */

/* Usable as a handler's or an iret frame's cs: ours only if it is FLAT. */
bool sel_code_ok(u16 sel)
{
	if (sel & 4 || sel < GDT_RESERVED_ENTRY << 3)
		return true;
	return (sel | 3) == FLAT_RING3_CS64 || (sel | 3) == FLAT_RING3_CS32;
}

static bool context_addresses_ok(const struct vcpu_guest_context *c)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		if (!va_canonical(c->trap_ctxt[i].address))
			return false;
	return va_canonical(c->user_regs.rip) &&
	       va_canonical(c->user_regs.rsp) &&
	       va_canonical(c->kernel_sp) &&
	       va_canonical(c->fs_base) &&
	       va_canonical(c->gs_base_kernel) &&
	       va_canonical(c->gs_base_user) &&
	       va_canonical(c->event_callback_eip) &&
	       va_canonical(c->failsafe_callback_eip) &&
	       va_canonical(c->syscall_callback_eip);
}

static bool context_tables_ok(const struct vcpu_guest_context *c)
{
	if (c->gdt_ents > FIRST_RESERVED_GDT_ENTRY || c->ldt_ents > 8192)
		return false;
	if (!c->ldt_ents)
		return true;
	return !(c->ldt_base & ~PAGE_MASK) && va_canonical(c->ldt_base) &&
	       guest_range_ok(c->ldt_base, c->ldt_ents * 8);
}

static u64 l4_to_ctrlreg(mfn_t l4)
{
	return l4.m << PAGE_SHIFT;
}

/* A context once given keeps its tables: only registers may change. */
static bool context_same_tables(const struct vcpu *v,
				const struct vcpu_guest_context *c)
{
	unsigned int frames = DIV_ROUND_UP(c->gdt_ents, 512);

	if (l4_to_ctrlreg(v->l4_kernel) != (c->ctrlreg[3] & PAGE_MASK) ||
	    l4_to_ctrlreg(v->l4_user) != (c->ctrlreg[1] & PAGE_MASK))
		return false;
	if (v->gdt_ents != c->gdt_ents ||
	    memcmp(v->gdt_frames, c->gdt_frames, frames * sizeof(u64)))
		return false;
	return v->ldt_ents == c->ldt_ents &&
	       (!c->ldt_ents || v->ldt_base == c->ldt_base);
}

static int context_check(const struct vcpu *v,
			 const struct vcpu_guest_context *c)
{
	if (!context_addresses_ok(c) || !context_tables_ok(c))
		return deny(-XEN_EINVAL);
	if (!sel_code_ok(c->user_regs.cs) || !(c->ctrlreg[3] >> PAGE_SHIFT))
		return deny(-XEN_EINVAL);
	if (!v->id && c->vm_assist & ~VM_ASSIST_VALID)
		return deny(-XEN_EINVAL);
	if (!(c->flags & VGCF_IN_KERNEL) && !c->ctrlreg[1])
		return deny(-XEN_EINVAL);
	if (v->initialised && !context_same_tables(v, c))
		return deny(-XEN_EOPNOTSUPP);
	return 0;
}

/* The parts that hold references.  Repeatable: each replaces what was. */
static int context_set_tables(struct vcpu *v,
			      const struct vcpu_guest_context *c)
{
	int rc = vcpu_set_gdt(v, c->gdt_frames, c->gdt_ents);

	if (!rc)
		rc = vcpu_set_ldt(v, c->ldt_base, c->ldt_ents);
	if (!rc && v->l4_kernel.m != c->ctrlreg[3] >> PAGE_SHIFT)
		rc = vcpu_set_kernel_l4(v, MFN(c->ctrlreg[3] >> PAGE_SHIFT));
	if (!rc && v->l4_user.m != c->ctrlreg[1] >> PAGE_SHIFT)
		rc = vcpu_set_user_l4(v, MFN(c->ctrlreg[1] >> PAGE_SHIFT));
	return rc;
}

static void context_set_regs(struct vcpu *v, const struct cpu_user_regs *u)
{
	struct regs *r = &v->regs;

	_Static_assert(sizeof(*r) == sizeof(*u), "cpu_user_regs");
	memcpy(r, u, sizeof(*r));
	r->error_code = 0;
	r->entry_vector = 0;
	r->saved_upcall_mask = 0;
	v->iopl = (u->rflags & X86_EFLAGS_IOPL) >> 12;
	r->rflags = (u->rflags & RFLAGS_GUEST) | X86_EFLAGS_IF |
		    X86_EFLAGS_MBS;
	r->cs |= 3;
	r->ss |= 3;
	r->ds = sel_fixup(r->ds);
	r->es = sel_fixup(r->es);
	r->fs = sel_fixup(r->fs);
	r->gs = sel_fixup(r->gs);
}

static void context_set_traps(struct vcpu *v, const struct trap_info *t)
{
	unsigned int i;

	memcpy(v->traps, t, 256 * sizeof(*t));
	for (i = 0; i < 256; i++)
		v->traps[i].cs |= 3;
}

static void context_set_callbacks(struct vcpu *v,
				  const struct vcpu_guest_context *c)
{
	v->event_cb.address = c->event_callback_eip;
	v->event_cb.mask_events = true;
	v->failsafe_cb.address = c->failsafe_callback_eip;
	v->failsafe_cb.mask_events =
		c->flags & VGCF_failsafe_disables_events;
	v->syscall_cb.address = c->syscall_callback_eip;
	v->syscall_cb.mask_events = c->flags & VGCF_syscall_disables_events;
}

static void context_set_debugregs(struct vcpu *v, const u64 *dr)
{
	unsigned int i;

	memset(v->debugreg, 0, sizeof(v->debugreg));
	v->debugreg[6] = DR6_FIXED;
	v->debugreg[7] = DR7_FIXED;
	/* What is refused stays off. */
	for (i = 0; i < 4; i++)
		vcpu_set_debugreg(v, i, dr[i]);
	vcpu_set_debugreg(v, 6, dr[6]);
	vcpu_set_debugreg(v, 7, dr[7]);
}

/*
 * Gives v, which must not run and whose state is home, a context.  0;
 * -XEN_EINVAL or -XEN_EOPNOTSUPP if it is not acceptable; -XEN_ERESTART if
 * validation of page tables was interrupted: call again with the same.
 */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int rc = context_check(v, c);

	if (rc)
		return rc;
	if (!v->initialised)
		rc = context_set_tables(v, c);
	if (rc)
		return rc;

	context_set_regs(v, &c->user_regs);
	context_set_traps(v, c->trap_ctxt);
	context_set_callbacks(v, c);
	if (c->flags & VGCF_I387_VALID)
		fpu_set_fxsave(v, &c->fpu_ctxt);
	else
		fpu_reset(v);
	v->in_kernel = !!(c->flags & VGCF_IN_KERNEL);
	v->kernel_ss = c->kernel_ss | 3;
	v->kernel_sp = c->kernel_sp;
	v->guest_ts = !!(c->ctrlreg[0] & X86_CR0_TS);
	v->cr4 = c->ctrlreg[4] & CR4_GUEST;
	if (!cpuid_max_xcr0(v->domain))
		v->cr4 &= ~X86_CR4_OSXSAVE;
	v->fs_base = c->fs_base;
	v->gs_base_kernel = c->gs_base_kernel;
	v->gs_base_user = c->gs_base_user;
	context_set_debugregs(v, c->debugreg);
	if (!v->id && !v->initialised) {
		v->domain->vm_assist = c->vm_assist;
		domain_wallclock_update(v->domain);
	}
	vcpu_update_cr3(v);
	store_release(&v->initialised, 1);

	if (c->flags & VGCF_online)
		atomic_and(&v->pause_flags, ~VPF_DOWN);
	else
		atomic_or(&v->pause_flags, VPF_DOWN);
	return 0;
}

/* The opposite; v does not run and its state is home. */
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
	memset(c, 0, sizeof(*c));
	fpu_get_fxsave(v, &c->fpu_ctxt);
	c->flags = VGCF_I387_VALID;
	if (v->in_kernel)
		c->flags |= VGCF_IN_KERNEL;
	if (v->failsafe_cb.mask_events)
		c->flags |= VGCF_failsafe_disables_events;
	if (v->syscall_cb.mask_events)
		c->flags |= VGCF_syscall_disables_events;
	if (!(v->pause_flags & VPF_DOWN))
		c->flags |= VGCF_online;
	memcpy(&c->user_regs, &v->regs, sizeof(c->user_regs));
	c->user_regs.rflags |= (u64)v->iopl << 12;
	memcpy(c->trap_ctxt, v->traps, sizeof(c->trap_ctxt));
	c->ldt_ents = v->ldt_ents;
	c->ldt_base = v->ldt_ents ? v->ldt_base : 0;
	memcpy(c->gdt_frames, v->gdt_frames, sizeof(c->gdt_frames));
	c->gdt_ents = v->gdt_ents;
	c->kernel_ss = v->kernel_ss;
	c->kernel_sp = v->kernel_sp;
	c->ctrlreg[0] = v->guest_ts ? X86_CR0_TS : 0;
	c->ctrlreg[1] = l4_to_ctrlreg(v->l4_user);
	c->ctrlreg[2] = v->cr2;
	c->ctrlreg[3] = l4_to_ctrlreg(v->l4_kernel);
	c->ctrlreg[4] = v->cr4;
	memcpy(c->debugreg, v->debugreg, sizeof(c->debugreg));
	c->event_callback_eip = v->event_cb.address;
	c->failsafe_callback_eip = v->failsafe_cb.address;
	c->syscall_callback_eip = v->syscall_cb.address;
	c->vm_assist = v->domain->vm_assist;
	c->fs_base = v->fs_base;
	c->gs_base_kernel = v->gs_base_kernel;
	c->gs_base_user = v->gs_base_user;
}

/* --- vcpu_op -------------------------------------------------------------- */

static int vcpu_info_map(struct vcpu *v, struct frame *f, u32 offset)
{
	struct vcpu_info *vi = mfn_to_virt(frame_to_mfn(f)) + offset;

	if (v->vcpu_info == &dummy_vcpu_info) {
		memset(vi, 0, sizeof(*vi));
		vi->evtchn_upcall_mask = 1;
	} else {
		memcpy(vi, v->vcpu_info, sizeof(*vi));
	}
	v->vcpu_info_mfn = frame_to_mfn(f);
	store_release(&v->vcpu_info, vi);
	/* What arrived between copy and switch is not lost: the guest looks at
	 * everything once. */
	WRITE_ONCE(vi->evtchn_pending_sel, ~0UL);
	smp_wmb();
	WRITE_ONCE(vi->evtchn_upcall_pending, 1);
	return 0;
}

/*
 * Moves v's vcpu_info to offset in its own frame mfn, once; v is current or
 * down.  -XEN_ENXIO: crosses the page or is not aligned; -XEN_EINVAL.
 */
int vcpu_register_info(struct vcpu *v, u64 mfn, u32 offset)
{
	struct domain *d = v->domain;
	int rc = -XEN_EINVAL;

	if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset & 7)
		return deny(-XEN_ENXIO);
	if (!mfn_valid(MFN(mfn)))
		return deny(-XEN_EINVAL);
	spin_lock(&d->lock);
	if (mfn_eq(v->vcpu_info_mfn, INVALID_MFN) && !d->is_dying &&
	    (v == current || READ_ONCE(v->pause_flags) & VPF_DOWN) &&
	    !frame_get_and_type(mfn_to_frame(MFN(mfn)), d, TYPE_WRITABLE))
		rc = vcpu_info_map(v, mfn_to_frame(MFN(mfn)), offset);
	spin_unlock(&d->lock);
	if (rc)
		return deny(rc);
	if (v == current)
		vcpu_time_update(v);
	return 0;
}

static long vcpu_op_register_info(struct vcpu *v, u64 arg)
{
	struct vcpu_register_vcpu_info op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	return vcpu_register_info(v, op.mfn, op.offset);
}

static int vcpu_initialise_locked(struct vcpu *v, u64 arg)
{
	struct vcpu_guest_context *c;
	int rc;

	if (v->vcpu_info == &dummy_vcpu_info)
		return deny(-XEN_EINVAL);
	if (v->initialised)
		return deny(-XEN_EEXIST);
	c = heap_alloc(sizeof(*c));
	if (!c)
		return deny(-XEN_ENOMEM);
	rc = copy_from_guest(c, arg, sizeof(*c));
	if (!rc) {
		/* VCPUOP_up is for that. */
		c->flags &= ~(u64)VGCF_online;
		rc = vcpu_set_context(v, c);
	}
	heap_free(c);
	return rc;
}

static long vcpu_op_initialise(struct vcpu *v, u64 arg)
{
	int rc = -XEN_ERESTART;

	if (!cmpxchg(&v->context_busy, 0, 1)) {
		rc = vcpu_initialise_locked(v, arg);
		store_release(&v->context_busy, 0);
	}
	if (rc == -XEN_ERESTART)
		return hypercall_continue(__HYPERVISOR_vcpu_op, 3,
					  (u64)VCPUOP_initialise, (u64)v->id,
					  arg);
	return rc;
}

static long vcpu_op_up(struct vcpu *v)
{
	if (!load_acquire(&v->initialised))
		return deny(-XEN_EINVAL);
	if (atomic_and(&v->pause_flags, ~VPF_DOWN) & VPF_DOWN)
		vcpu_wake(v);
	return 0;
}

/* The last one that goes down takes the domain with it. */
static long vcpu_op_down(struct vcpu *v)
{
	struct vcpu *w;

	for_each_vcpu(v->domain, w)
		if (w != v && !(READ_ONCE(w->pause_flags) & VPF_DOWN))
			goto others;
	domain_shutdown(v->domain, SHUTDOWN_poweroff);
	return 0;

others:
	if (!(atomic_or(&v->pause_flags, VPF_DOWN) & VPF_DOWN))
		vcpu_sleep(v);
	return 0;
}

static long vcpu_op_get_runstate(struct vcpu *v, u64 arg)
{
	struct vcpu_runstate_info info;

	vcpu_runstate(v, &info);
	if (copy_to_guest(arg, &info, sizeof(info)))
		return deny(-XEN_EFAULT);
	return 0;
}

static long vcpu_op_register_runstate(struct vcpu *v, u64 arg)
{
	u64 area;

	if (copy_from_guest(&area, arg, sizeof(area)))
		return deny(-XEN_EFAULT);
	if (!guest_range_ok(area, sizeof(struct vcpu_runstate_info)))
		return deny(-XEN_EFAULT);
	v->sched.runstate_gva = area;
	if (!area)
		return 0;
	if (v == current)
		vcpu_runstate_publish(v);
	else	/* as ever: a fault is the guest's loss */
		(void)!vcpu_op_get_runstate(v, area);
	return 0;
}

static long vcpu_op_register_time(struct vcpu *v, u64 arg)
{
	u64 area;

	if (copy_from_guest(&area, arg, sizeof(area)))
		return deny(-XEN_EFAULT);
	if (!guest_range_ok(area, sizeof(struct vcpu_time_info)))
		return deny(-XEN_EFAULT);
	v->sched.time_gva = area;
	if (v == current)
		vcpu_time_update(v);
	return 0;
}

static long vcpu_op_send_nmi(struct vcpu *v, u64 arg)
{
	if (arg)
		return deny(-XEN_EINVAL);
	vcpu_send_nmi(v);
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
	struct domain *d = current->domain;
	struct vcpu *v;

	if ((u32)vcpuid >= d->max_vcpus || !d->vcpu[(u32)vcpuid])
		return deny(-XEN_ENOENT);
	v = d->vcpu[(u32)vcpuid];
	switch ((u32)cmd) {
	case VCPUOP_initialise:
		return vcpu_op_initialise(v, arg);
	case VCPUOP_up:
		return vcpu_op_up(v);
	case VCPUOP_down:
		return vcpu_op_down(v);
	case VCPUOP_is_up:
		return !(READ_ONCE(v->pause_flags) & VPF_DOWN);
	case VCPUOP_get_runstate_info:
		return vcpu_op_get_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return vcpu_op_register_runstate(v, arg);
	case VCPUOP_set_periodic_timer:
	case VCPUOP_stop_periodic_timer:
	case VCPUOP_set_singleshot_timer:
	case VCPUOP_stop_singleshot_timer:
		return vcpu_timer_op(v, cmd, arg);
	case VCPUOP_register_vcpu_info:
		return vcpu_op_register_info(v, arg);
	case VCPUOP_send_nmi:
		return vcpu_op_send_nmi(v, arg);
	case VCPUOP_get_physid:
		/* For pinned vCPUs of Dom0 that count on it; none does. */
		return deny(-XEN_EINVAL);
	case VCPUOP_register_vcpu_time_memory_area:
		return vcpu_op_register_time(v, arg);
	default:
		return deny(-XEN_ENOSYS);
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

static void nmi_handler_set(struct vcpu *v, u64 address)
{
	struct trap_info t = {
		.vector = X86_EXC_NMI, .flags = 4, .cs = FLAT_RING3_CS64,
		.address = address,
	};

	if (!address)
		t = (struct trap_info){ 0 };
	v->traps[X86_EXC_NMI] = t;
	v->nmi_cb = (struct callback){ address, true };
}

static long callback_register(struct vcpu *v, const struct callback_register *r)
{
	bool mask = r->flags & CALLBACKF_mask_events;
	struct callback cb = { r->address, mask };

	if (!va_canonical(r->address))
		return deny(-XEN_EINVAL);
	switch (r->type) {
	case CALLBACKTYPE_event:
		v->event_cb.address = r->address;
		return 0;
	case CALLBACKTYPE_failsafe:
		v->failsafe_cb = cb;
		return 0;
	case CALLBACKTYPE_syscall:
		v->syscall_cb = cb;
		return 0;
	case CALLBACKTYPE_syscall32:
		v->syscall32_cb = cb;
		return 0;
	case CALLBACKTYPE_sysenter:
		v->sysenter_cb = cb;
		return 0;
	case CALLBACKTYPE_nmi:
		nmi_handler_set(v, r->address);
		return 0;
	default:
		return deny(-XEN_ENOSYS);
	}
}

static long callback_unregister(struct vcpu *v, u16 type)
{
	switch (type) {
	case CALLBACKTYPE_event:
	case CALLBACKTYPE_failsafe:
	case CALLBACKTYPE_syscall:
	case CALLBACKTYPE_syscall32:
	case CALLBACKTYPE_sysenter:
		return deny(-XEN_EINVAL);
	case CALLBACKTYPE_nmi:
		nmi_handler_set(v, 0);
		return 0;
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 30. */
long do_callback_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct callback_register reg;
	struct callback_unregister unreg;

	switch ((u32)cmd) {
	case CALLBACKOP_register:
		if (copy_from_guest(&reg, arg, sizeof(reg)))
			return deny(-XEN_EFAULT);
		return callback_register(current, &reg);
	case CALLBACKOP_unregister:
		if (copy_from_guest(&unreg, arg, sizeof(unreg)))
			return deny(-XEN_EFAULT);
		return callback_unregister(current, unreg.type);
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 4, the old form: all three or none. */
long do_set_callbacks(u64 event, u64 failsafe, u64 syscall, u64 a4, u64 a5,
		      u64 a6)
{
	struct vcpu *v = current;

	if (!va_canonical(event) || !va_canonical(failsafe) ||
	    !va_canonical(syscall))
		return deny(-XEN_EINVAL);
	v->event_cb.address = event;
	v->failsafe_cb.address = failsafe;
	v->syscall_cb.address = syscall;
	return 0;
}

/* Hypercall 28. */
long do_nmi_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct xennmi_callback cb;

	switch ((u32)cmd) {
	case XENNMI_register_callback:
		if (copy_from_guest(&cb, arg, sizeof(cb)))
			return deny(-XEN_EFAULT);
		if (!va_canonical(cb.handler_address))
			return deny(-XEN_EINVAL);
		nmi_handler_set(current, cb.handler_address);
		return 0;
	case XENNMI_unregister_callback:
		nmi_handler_set(current, 0);
		return 0;
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* --- registers ------------------------------------------------------------ */

/* Hypercall 3.  A bad stack is noticed when it is used. */
long do_stack_switch(u64 ss, u64 sp, u64 a3, u64 a4, u64 a5, u64 a6)
{
	current->kernel_ss = ss | 3;
	current->kernel_sp = sp;
	return 0;
}

/* Hypercall 5: the guest's CR0.TS, which is the hardware's while it runs. */
long do_fpu_taskswitch(u64 set, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	fpu_set_ts(current, set != 0);
	return 0;
}

static void debugreg_load(unsigned int reg, u64 value)
{
	switch (reg) {
	case 0: __asm__ volatile("mov %0,%%db0" :: "r"(value)); break;
	case 1: __asm__ volatile("mov %0,%%db1" :: "r"(value)); break;
	case 2: __asm__ volatile("mov %0,%%db2" :: "r"(value)); break;
	case 3: __asm__ volatile("mov %0,%%db3" :: "r"(value)); break;
	case 6: __asm__ volatile("mov %0,%%db6" :: "r"(value)); break;
	case 7: __asm__ volatile("mov %0,%%db7" :: "r"(value)); break;
	}
}

static int debugreg_set_address(struct vcpu *v, unsigned int reg, u64 value)
{
	/* A breakpoint covers up to 8 bytes. */
	if (value > HYP_VIRT_START - 8 && value < HYP_VIRT_END)
		return deny(-XEN_EPERM);
	v->debugreg[reg] = value;
	if (v == current)
		debugreg_load(reg, value);
	return 0;
}

/* I/O breakpoints (type 2) would be ours to serve: refused. */
static bool dr7_has_io(u64 dr7)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if ((dr7 >> (16 + 4 * i) & 3) == 2)
			return true;
	return false;
}

static int debugreg_set_control(struct vcpu *v, u64 value)
{
	unsigned int i;

	value = (value & ~DR7_ZERO) | DR7_FIXED;
	if (value & DR7_GD)
		return deny(-XEN_EPERM);
	if (value & DR7_ENABLED && dr7_has_io(value))
		return deny(-XEN_EPERM);
	/* While DR7 was off the others were not loaded. */
	if (v == current && value & DR7_ENABLED &&
	    !(v->debugreg[7] & DR7_ENABLED)) {
		for (i = 0; i < 4; i++)
			debugreg_load(i, v->debugreg[i]);
		debugreg_load(6, v->debugreg[6]);
	}
	v->debugreg[7] = value;
	if (v == current)
		debugreg_load(7, value);
	return 0;
}

/*
 * v is current or not running with its state home.  -XEN_EPERM: not for
 * guests; -XEN_EINVAL: reserved bits; -XEN_ENODEV: no such register.
 */
int vcpu_set_debugreg(struct vcpu *v, unsigned int reg, u64 value)
{
	if (reg == 4 || reg == 5) {
		if (v->cr4 & X86_CR4_DE)
			return deny(-XEN_ENODEV);
		reg += 2;
	}
	if (reg > 7)
		return deny(-XEN_ENODEV);
	if (reg < 4)
		return debugreg_set_address(v, reg, value);
	if (value >> 32)
		return deny(-XEN_EINVAL);
	if (reg == 7)
		return debugreg_set_control(v, value);
	v->debugreg[6] = (value & ~DR6_ZERO) | DR6_FIXED;
	if (v == current)
		debugreg_load(6, v->debugreg[6]);
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
	struct vcpu *v = current;

	reg = (u32)reg;
	if ((reg == 4 || reg == 5) && !(v->cr4 & X86_CR4_DE))
		reg += 2;
	if (reg > 7 || reg == 4 || reg == 5)
		return deny(-XEN_ENODEV);
	return v->debugreg[reg];
}

/* Hypercall 25: the caller is in kernel mode, so the user's GS base waits in
 * MSR_KERNEL_GS_BASE. */
long do_set_segment_base(u64 which, u64 base, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct vcpu *v = current;

	if ((u32)which == SEGBASE_GS_USER_SEL) {
		/* A bad selector becomes null: callers expect success. */
		context_load_user_gs(v, base & 0xffff);
		return 0;
	}
	if ((u32)which < SEGBASE_GS_USER_SEL && !va_canonical(base))
		return deny(-XEN_EINVAL);
	switch ((u32)which) {
	case SEGBASE_FS:
		v->fs_base = base;
		wrmsr(MSR_FS_BASE, base);
		return 0;
	case SEGBASE_GS_USER:
		v->gs_base_user = base;
		wrmsr(MSR_KERNEL_GS_BASE, base);
		return 0;
	case SEGBASE_GS_KERNEL:
		v->gs_base_kernel = base;
		wrmsr(MSR_GS_BASE, base);
		return 0;
	default:
		return deny(-XEN_EINVAL);
	}
}

/* Hypercall 21. */
long do_vm_assist(u64 cmd, u64 type, u64 a3, u64 a4, u64 a5, u64 a6)
{
	u64 *assist = &current->domain->vm_assist;

	if ((u32)type >= 64 || !(VM_ASSIST_VALID >> (u32)type & 1))
		return deny(-XEN_EINVAL);
	switch ((u32)cmd) {
	case VMASST_CMD_enable:
		atomic_or(assist, 1UL << (u32)type);
		return 0;
	case VMASST_CMD_disable:
		atomic_and(assist, ~(1UL << (u32)type));
		return 0;
	default:
		return deny(-XEN_ENOSYS);
	}
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
