/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest asks of its page tables: mmu_update, mmuext_op,
 * update_va_mapping.  Here arguments are read and rights checked, batches are
 * cut into pieces and flushes are sent to the right CPUs; what an entry may
 * hold is decided in l1.c and ptypes.c.
 *
 * Invariants: a batch stops between two requests only, or in one that has
 * changed nothing yet, and what `done` counts is finished.  A table left half
 * taken down is noted in the vCPU (v->reap); the hypercall that left it does
 * not return to the guest before that is done.  While an entry changes, its
 * table's type is held, so the table cannot become something else.
 *
 * How a piece ends: bit 31 of the count, which is then what is left, says to
 * the next piece that `done` already holds a number; with no requests at all
 * it says that only the taking down went on, and `foreigndom` is the result.
 * A guest that sets it itself hurts only its own figures.
 *
 * No locks.  A hostile guest may ask for another domain's tables or frames
 * (only the control domain may), use batches without end (preempted), point
 * at tables that another vCPU takes down meanwhile (held, or refused), or
 * flush addresses of ours (ignored).
 */
#include <mm/internal.h>
#include <entry/entry.h>
#include <hypercall-abi/mmu.h>

#define MMU_UPDATE_PREEMPTED	(1U << 31)
#define MMU_UPDATE_CMDS		7UL	/* of mmu_update.ptr */

/* The domain that a caller names as an owner of frames: NULL none, or dying.
 * By its own number nobody is foreign to himself. */
static struct domain *foreign_get(domid_t id, struct domain *self)
{
	struct domain *d;

	if (likely(id == DOMID_SELF))
		return self;
	if (id == DOMID_IO)
		return &dom_io;
	if (id == DOMID_XEN)
		return &dom_xen;
	d = id == self->id ? NULL : domain_get(id);
	if (d && READ_ONCE(d->is_dying)) {
		domain_put(d);
		d = NULL;
	}
	return d;
}

static void foreign_put(struct domain *d, const struct domain *self)
{
	if (unlikely(d != self) && d && d->id < DOMID_FIRST_RESERVED)
		domain_put(d);
}

/*
 * Flushes d's translations of the page at va, or all, where `who` says:
 * UVMF_LOCAL, UVMF_ALL, or a guest pointer to a bitmap of vCPUs: then on the
 * CPUs where one of these could use a stale translation now, or when it goes
 * on there.  Those are the ones that have a table of the vCPU in cr3, whoever
 * runs; all others flush when they load it.  0 or -XEN_EFAULT.
 */
static int flush(const struct domain *d, u64 who, u64 va)
{
	cpumask_t mask = READ_ONCE(d->dirty_cpus), few = 0;
	unsigned int cpu;
	u64 vcpus;

	_Static_assert(MAX_VCPUS <= 64, "the bitmap is one word");
	if (who == UVMF_LOCAL) {
		mask = 1UL << smp_processor_id();
	} else if (who != UVMF_ALL) {
		if (get_guest_u64(&vcpus, who))
			return -XEN_EFAULT;
		for_each_cpu(cpu, mask) {
			u64 cr3 = READ_ONCE(cpu_ptr(cpu)->cr3);
			const struct vcpu *v;

			for_each_vcpu(d, v)
				if (vcpus >> v->id & 1 &&
				    (READ_ONCE(v->cr3_kernel) == cr3 ||
				     READ_ONCE(v->cr3_user) == cr3))
					few |= 1UL << cpu;
		}
		mask = few;
	}
	if (va == FLUSH_ALL_VA ||
	    (va_canonical(va) && (va < HYP_VIRT_START || va >= HYP_VIRT_END)))
		tlb_flush_mask(mask, va);
	return 0;
}

/* --- batches --------------------------------------------------------- */

struct batch {
	struct vcpu *v;
	struct domain *owner, *fg;	/* of the tables, of what they map */
	bool stop;			/* enough for this piece */
	struct frame *l1;		/* held: the last L1 that changed */
	u64 ma;				/* its address */
};

/*
 * Requests of `size` bytes, read some at once, each done by one().  Stops
 * after what was read at once, or where one() says so, if there is other
 * work; one at least is done.
 */
static always_inline long
batch_run(unsigned int nr, u64 size, int (*one)(struct batch *, const void *),
	  u64 items, u64 count, u64 done_gva, u64 foreigndom)
{
	struct batch b = { .v = current };
	struct domain *self = b.v->domain;
	domid_t id = nr == __HYPERVISOR_mmu_update ? foreigndom >> 16 : 0;
	u32 n = (u32)count & ~MMU_UPDATE_PREEMPTED, done = 0, before = 0;
	u8 buf[256] __aligned(8);
	int rc = 0;

	if (unlikely(b.v->reap.m) && vcpu_reap(b.v))
		return hypercall_continue(nr, 4, items, count, done_gva,
					  foreigndom);
	if (unlikely((u32)count & MMU_UPDATE_PREEMPTED)) {
		if (!n && !items)
			return (s32)foreigndom;
		/* If it cannot be read it cannot be written either. */
		if (done_gva && get_guest_u32(&before, done_gva))
			before = 0;
	}
	b.fg = foreign_get((domid_t)foreigndom, self);
	b.owner = likely(!id) || id - 1 == self->id
			  ? self
			  : foreign_get((domid_t)(id - 1), self);
	if (!b.owner || !b.fg)
		rc = -XEN_ESRCH;
	else if (!b.owner->vcpu[0])
		rc = -XEN_EINVAL;
	else if (!self->is_privileged &&
		 (b.owner != self || (b.fg != self && b.fg != &dom_io)))
		rc = -XEN_EPERM;
	if (unlikely(rc))
		n = 0;
	while (done < n && !rc) {
		u64 bytes = min(n - done, (u32)(sizeof(buf) / size)) * size;
		u64 got, at = items + done * size;

		if (done && (b.stop || preempt_check())) {
			rc = -XEN_ERESTART;
			break;
		}
		got = bytes - copy_from_guest_partial(buf, at, bytes);
		if (got < size)
			rc = -XEN_EFAULT;
		for (u64 i = 0; i + size <= got && !rc && !b.stop; i += size) {
			rc = one(&b, buf + i);
			done += !rc;
		}
	}
	if (b.l1)
		frame_put_type(b.l1);
	foreign_put(b.fg, self);
	foreign_put(b.owner, self);
	/* Written whatever happened: Linux goes on behind as many as it says,
	 * also when a domain whose frames it maps has just gone.  An unwritable
	 * one is the caller's loss, the work is done. */
	if (done_gva && put_guest_u32(done_gva, before + done))
		guest_log(self, LOG_DEBUG, "no counter\n");
	if (unlikely(rc == -XEN_ERESTART))
		return hypercall_continue(nr, 4, items + done * size,
					  (n - done) | MMU_UPDATE_PREEMPTED,
					  done_gva, foreigndom);
	if (unlikely(b.v->reap.m))
		return hypercall_continue(nr, 4, 0, MMU_UPDATE_PREEMPTED, 0,
					  (u32)rc);
	return rc ? deny(rc) : 0;
}

/* Any request; update_one() does most. */
static noinline int update_any(struct batch *b, const struct mmu_update *r)
{
	unsigned int cmd = r->ptr & MMU_UPDATE_CMDS;
	bool keep_ad = cmd == MMU_PT_UPDATE_PRESERVE_AD;
	u64 *slot = paddr_to_virt(r->ptr - cmd), val = r->val, type;
	mfn_t mfn = MFN(r->ptr >> PAGE_SHIFT);
	struct frame *f = mfn_to_frame(mfn);
	int budget = TABLE_BUDGET, rc = -XEN_EINVAL;

	if (cmd == MMU_MACHPHYS_UPDATE) {
		if (b->owner != b->v->domain)
			return -XEN_EPERM;
		if (!mfn_get(mfn, b->fg))
			return -XEN_EINVAL;
		m2p_set(mfn, val);
		frame_put(f);
		return 0;
	}
	if (cmd > MMU_PT_UPDATE_NO_TRANSLATE)
		return -XEN_ENOSYS;
	if (!b->l1 || b->ma != (r->ptr & PAGE_MASK)) {
		if (b->l1)
			frame_put_type(b->l1);
		b->l1 = NULL;
		type = table_hold(mfn, b->owner, 4);
		if (type > TYPE_L1) {
			if (keep_ad && val & PTE_P)
				val |= READ_ONCE(*slot) & (PTE_A | PTE_D);
			if (b->fg == b->owner)
				rc = table_update(f, slot, val, b->owner,
						  &budget);
			/* If another vCPU was the last to use the table there
			 * is much to do: in pieces. */
			if (type_put(f, &budget))
				reap_note(b->v, f);
			b->stop = preempt_check() || b->v->reap.m;
			return rc == -XEN_EBUSY ? -XEN_EINVAL : rc;
		}
		if (!type) {
			/* Like a store of the guest's to its memory. */
			if (!mfn_valid(mfn) ||
			    frame_get_type(f, b->owner, TYPE_WRITABLE))
				return -XEN_EINVAL;
			WRITE_ONCE(*slot, val);
			frame_put_type(f);
			return 0;
		}
		b->l1 = f;
		b->ma = r->ptr & PAGE_MASK;
	}
	return l1_update(slot, val, keep_ad, b->owner, b->fg);
}

/* One more entry of the L1 that is held, most of the time. */
static always_inline int update_one(struct batch *b, const void *item)
{
	const struct mmu_update *r = item;

	if (likely(b->l1) && likely(!((r->ptr ^ b->ma) & ~(PAGE_SIZE - 8))) &&
	    likely(l1_set_quick(paddr_to_virt(r->ptr), r->val, b->fg)))
		return 0;
	return update_any(b, r);
}

/*
 * See hypercall-abi/mmu.h.  -XEN_EFAULT requests; -XEN_ESRCH no such domain,
 * or about to end; -XEN_EPERM not the caller's business, or device memory;
 * -XEN_EINVAL frame, type or bits; -XEN_EBUSY to be mapped writable but in
 * use as a table; -XEN_ENOSYS kind of request.  The first failure ends it.
 */
long do_mmu_update(u64 reqs, u64 count, u64 done, u64 foreigndom, u64 a5,
		   u64 a6)
{
	return batch_run(__HYPERVISOR_mmu_update, sizeof(struct mmu_update),
			 update_one, reqs, count, done, foreigndom);
}

/* --- update_va_mapping ----------------------------------------------- */

/*
 * Writes the L1 entry for va in the current address space, then flushes.
 * -XEN_EINVAL, also if there is no L1; -XEN_EPERM; -XEN_EBUSY; -XEN_EFAULT:
 * the entry is written, but the vCPU bitmap cannot be read.
 */
long do_update_va_mapping(u64 va, u64 val, u64 flags, u64 a4, u64 a5, u64 a6)
{
	u64 kind = flags & UVMF_FLUSHTYPE_MASK;
	struct domain *d = current->domain;
	u64 *slot = l1_slot(current, va);
	int rc;

	if (unlikely(!slot))
		return deny(-XEN_EINVAL);
	if (unlikely(!l1_set_quick(slot, val, d))) {
		/* Other CPUs may be waited for: the table must be held. */
		slot = l1_slot(current, va);
		if (!slot || !table_hold(virt_to_mfn(slot), d, 1))
			return deny(-XEN_EINVAL);
		rc = l1_update(slot, val, false, d, d);
		frame_put_type(virt_to_frame(slot));
		if (rc)
			return deny(rc);
	}
	if (kind == UVMF_TLB_FLUSH || kind == UVMF_INVLPG)
		return flush(d, flags - kind, kind == UVMF_INVLPG
					      ? va & PAGE_MASK : FLUSH_ALL_VA);
	return 0;
}

/* --- mmuext_op ------------------------------------------------------- */

static int ext_one(struct batch *b, const void *item)
{
	const struct mmuext_op *op = item;
	u64 arg = op->arg1.linear_addr, who = UVMF_LOCAL;
	u64 va = op->cmd & 1 ? arg & PAGE_MASK : FLUSH_ALL_VA;
	struct vcpu *v = b->v;
	struct domain *d = v->domain;
	int rc = 0;

	if (op->cmd > MMUEXT_UNPIN_TABLE ? b->fg != d
					 : b->fg->id >= DOMID_FIRST_RESERVED)
		return -XEN_EPERM;
	switch (op->cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		rc = ptype_pin(b->fg, MFN(arg), (op->cmd + 1UL) << TYPE_SHIFT);
		break;
	case MMUEXT_UNPIN_TABLE:
		rc = ptype_unpin(b->fg, MFN(arg));
		break;
	case MMUEXT_NEW_BASEPTR: rc = vcpu_set_kernel_l4(v, MFN(arg)); break;
	case MMUEXT_NEW_USER_BASEPTR:
		if (v->l4_user.m != arg)
			rc = vcpu_set_user_l4(v, MFN(arg));
		break;
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
		if (flush(d, op->arg2.vcpumask, va))
			rc = -XEN_EINVAL;
		break;
	case MMUEXT_TLB_FLUSH_ALL:
	case MMUEXT_INVLPG_ALL: who = UVMF_ALL; fallthrough;
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_INVLPG_LOCAL: rc = flush(d, who, va); break;
	case MMUEXT_SET_LDT:
		rc = vcpu_set_ldt(v, arg, op->arg2.nr_ents);
		break;
	case MMUEXT_MARK_SUPER:
	case MMUEXT_UNMARK_SUPER: return -XEN_EOPNOTSUPP;
	/* Also cache flushes, clearing and copying: nobody asks for them. */
	default: return -XEN_ENOSYS;
	}
	b->stop = v->reap.m || preempt_check();
	/* A clash of types is an invalid frame. */
	return rc == -XEN_EBUSY ? -XEN_EINVAL : rc;
}

/*
 * See hypercall-abi/mmu.h.  Errors as do_mmu_update(), and -XEN_EOPNOTSUPP.
 * Pins and unpins of another domain's frames are the control domain's; nothing
 * else may be foreign.
 */
long do_mmuext_op(u64 ops, u64 count, u64 done, u64 foreigndom, u64 a5, u64 a6)
{
	return batch_run(__HYPERVISOR_mmuext_op, sizeof(struct mmuext_op),
			 ext_one, ops, count, done, foreigndom);
}
