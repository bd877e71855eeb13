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
#include <mm/l1.h>
#include <entry/entry.h>
#include <hypercall-abi/mmu.h>

#define MMU_UPDATE_PREEMPTED	(1U << 31)
#define MMU_UPDATE_CMDS		7UL	/* of mmu_update.ptr */

/* --- whose frames ---------------------------------------------------- */

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
	if (unlikely(d != self && d->id < DOMID_FIRST_RESERVED))
		domain_put(d);
}

static bool may_use(const struct domain *self, const struct domain *d)
{
	return d == self || self->is_privileged;
}

/* --- whose translations ---------------------------------------------- */

static bool va_is_guests(u64 va)
{
	return va_canonical(va) &&
	       (va < HYP_VIRT_START || va >= HYP_VIRT_END);
}

/* One page: never mistaken for FLUSH_ALL_VA. */
static void flush_va(cpumask_t mask, u64 va)
{
	if (va_is_guests(va))
		tlb_flush_mask(mask, va & PAGE_MASK);
}

static bool has_cr3(const struct domain *d, u64 vcpus, u64 cr3)
{
	for (; vcpus; vcpus &= vcpus - 1) {
		const struct vcpu *v = d->vcpu[ffs64(vcpus)];

		if (v && (READ_ONCE(v->cr3_kernel) == cr3 ||
			  READ_ONCE(v->cr3_user) == cr3))
			return true;
	}
	return false;
}

/*
 * The CPUs where one of the vCPUs in d's bitmap at gva could use a stale
 * translation: now, or when it goes on there.  Those are the ones that have a
 * table of the vCPU in cr3, whoever runs; all others flush when they load it.
 */
static int vcpus_to_cpus(const struct domain *d, u64 gva, cpumask_t *mask)
{
	unsigned int cpu;
	u64 vcpus;

	_Static_assert(MAX_VCPUS <= 64, "the bitmap is one word");
	*mask = 0;
	if (get_guest_u64(&vcpus, gva))
		return -XEN_EFAULT;
	if (d->max_vcpus < 64)
		vcpus &= (1UL << d->max_vcpus) - 1;
	for_each_cpu(cpu, READ_ONCE(d->dirty_cpus))
		if (has_cr3(d, vcpus, READ_ONCE(cpu_ptr(cpu)->cr3)))
			*mask |= 1UL << cpu;
	return 0;
}

/* --- preemption ------------------------------------------------------ */

struct batch {
	unsigned int nr;	/* hypercall */
	u64 items;		/* guest: the array */
	unsigned int size;	/* of one */
	u32 count;		/* in this piece */
	u64 done_gva;
	u32 done;		/* by earlier pieces */
	u64 foreigndom;
};

/* False: nothing to do but to return the result, in *rc. */
static bool batch_start(struct batch *b, long *rc)
{
	struct vcpu *v = current;

	if (unlikely(v->reap.m) && vcpu_reap(v)) {
		*rc = hypercall_continue(b->nr, 4, b->items, b->count,
					 b->done_gva, b->foreigndom);
		return false;
	}
	if (unlikely(b->count & MMU_UPDATE_PREEMPTED)) {
		*rc = (s32)b->foreigndom;
		if (b->count == MMU_UPDATE_PREEMPTED && !b->items)
			return false;
		b->count &= ~MMU_UPDATE_PREEMPTED;
		/* If it cannot be read it cannot be written either. */
		if (b->done_gva && get_guest_u32(&b->done, b->done_gva))
			b->done = 0;
	}
	return true;
}

/* i items are done, the next one had rc.  What the hypercall returns. */
static long batch_end(const struct batch *b, u32 i, int rc)
{
	/* An unwritable counter is the caller's loss, the work is done. */
	if (b->done_gva && put_guest_u32(b->done_gva, b->done + i))
		guest_log(current->domain, LOG_DEBUG, "no counter\n");
	if (unlikely(rc == -XEN_ERESTART))
		return hypercall_continue(b->nr, 4,
					  b->items + (u64)i * b->size,
					  (b->count - i) | MMU_UPDATE_PREEMPTED,
					  b->done_gva, b->foreigndom);
	if (unlikely(current->reap.m))
		return hypercall_continue(b->nr, 4, 0, MMU_UPDATE_PREEMPTED, 0,
					  (u32)rc);
	return rc ? deny(rc) : 0;
}

/* --- mmu_update ------------------------------------------------------ */

#define FETCH	16U			/* requests read at once */

struct update {
	struct domain *owner, *fg;	/* of the tables, of what they map */
	int map_rc, m2p_rc;		/* 0, or why the caller may not */
	bool stop;			/* enough for this piece */
	struct frame *l1;		/* held: the last L1 that changed */
	u64 ma;				/* its address */
};

static void l1_release(struct update *u)
{
	if (u->l1)
		table_release(u->l1);
	u->l1 = NULL;
}

static enum l1_mode mode_of(u64 ptr)
{
	return (ptr & MMU_UPDATE_CMDS) == MMU_PT_UPDATE_PRESERVE_AD ?
	       L1_KEEP_AD : L1_SET;
}

static u64 *slot_of(u64 ptr)
{
	return (u64 *)paddr_to_virt(ptr & ~MMU_UPDATE_CMDS);
}

/* No table: like a store of the guest's, in memory that it could map. */
static int update_plain(const struct update *u, struct frame *f,
			const struct mmu_update *r)
{
	if (frame_get_and_type(f, u->owner, TYPE_WRITABLE))
		return -XEN_EINVAL;
	WRITE_ONCE(*slot_of(r->ptr), r->val);
	frame_put_and_type(f);
	return 0;
}

/* The caller's hold on a table above level 1 ends.  If another vCPU was the
 * last to use it there is much to do: in pieces. */
static void upper_release(struct frame *f, int *budget)
{
	if (type_put(f, budget))
		reap_note(current, f);
}

static int update_upper(struct update *u, struct frame *f,
			const struct mmu_update *r)
{
	int budget = TABLE_BUDGET, rc = -XEN_EINVAL;
	u64 *slot = slot_of(r->ptr), val = r->val;

	if (mode_of(r->ptr) == L1_KEEP_AD && val & PTE_P)
		val |= READ_ONCE(*slot) & (PTE_A | PTE_D);
	if (u->fg == u->owner)
		rc = table_update(f, slot, val, u->owner, &budget);
	upper_release(f, &budget);
	u->stop = preempt_check() || current->reap.m;
	return rc == -XEN_EBUSY ? -XEN_EINVAL : rc;
}

/* Any entry. */
static int update_any(struct update *u, const struct mmu_update *r)
{
	mfn_t mfn = MFN(r->ptr >> PAGE_SHIFT);
	struct frame *f;
	u64 type;

	if (u->l1 && u->ma == (r->ptr & PAGE_MASK))
		return l1_update(slot_of(r->ptr), r->val, mode_of(r->ptr),
				 u->owner, u->fg);
	l1_release(u);
	if (u->map_rc)
		return u->map_rc;
	if (!mfn_valid(mfn))
		return -XEN_EINVAL;
	f = mfn_to_frame(mfn);
	type = table_hold(f, u->owner);
	if (!type)
		return update_plain(u, f, r);
	if (type != TYPE_L1)
		return update_upper(u, f, r);
	u->l1 = f;
	u->ma = r->ptr & PAGE_MASK;
	return l1_update(slot_of(r->ptr), r->val, mode_of(r->ptr), u->owner,
			 u->fg);
}

static int update_m2p(const struct update *u, const struct mmu_update *r)
{
	struct frame *f;

	if (u->m2p_rc)
		return u->m2p_rc;
	f = mfn_get(MFN(r->ptr >> PAGE_SHIFT), u->fg);
	if (!f)
		return -XEN_EINVAL;
	m2p_set(MFN(r->ptr >> PAGE_SHIFT), r->val);
	frame_put(f);
	return 0;
}

static noinline int update_slow(struct update *u, const struct mmu_update *r)
{
	unsigned int cmd = r->ptr & MMU_UPDATE_CMDS;

	if (cmd == MMU_MACHPHYS_UPDATE)
		return update_m2p(u, r);
	return cmd > MMU_PT_UPDATE_NO_TRANSLATE ? -XEN_ENOSYS
						: update_any(u, r);
}

/* One more entry of the L1 that is held, most of the time. */
static always_inline int update_one(struct update *u,
				    const struct mmu_update *r)
{
	if (likely(u->l1) && likely(!((r->ptr ^ u->ma) & ~(PAGE_SIZE - 8))) &&
	    likely(l1_set_quick(paddr_to_virt(r->ptr), r->val, u->fg)))
		return 0;
	return update_slow(u, r);
}

/* Requests that lie together: how many could be read. */
static u32 fetch(struct mmu_update *r, u64 gva, u32 n)
{
	size_t bytes = n * sizeof(*r);

	return (u32)((bytes - copy_from_guest_partial(r, gva, bytes)) /
		     sizeof(*r));
}

/*
 * Stops after each number of requests that are read at once, if there is
 * other work; one at least is done.
 */
static int update_all(struct update *u, const struct batch *b, u32 *done)
{
	struct mmu_update r[FETCH];
	int rc = 0;
	u32 n;

	for (*done = 0; *done < b->count && !rc; ) {
		if (*done && (u->stop || preempt_check())) {
			rc = -XEN_ERESTART;
			break;
		}
		n = fetch(r, b->items + (u64)*done * sizeof(*r),
			  min(b->count - *done, FETCH));
		if (!n)
			rc = -XEN_EFAULT;
		for (u32 i = 0; i < n && !u->stop; i++) {
			rc = update_one(u, &r[i]);
			if (unlikely(rc))
				break;
			++*done;
		}
	}
	l1_release(u);
	return rc;
}

/* The tables' owner, by the high half of foreigndom. */
static int table_owner_get(u32 id, struct domain *self, struct domain **d)
{
	*d = self;
	if (likely(!id) || --id == self->id)
		return 0;
	*d = id < DOMID_FIRST_RESERVED ? foreign_get((domid_t)id, self) : NULL;
	if (!*d)
		return -XEN_ESRCH;
	if ((*d)->vcpu[0])
		return 0;
	foreign_put(*d, self);
	return -XEN_EINVAL;
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
	struct domain *self = current->domain;
	struct batch b = { __HYPERVISOR_mmu_update, reqs,
			   sizeof(struct mmu_update), (u32)count, done, 0,
			   foreigndom };
	struct update u = { .l1 = NULL };
	u32 i = 0;
	int last;
	long rc;

	if (!batch_start(&b, &rc))
		return rc;
	rc = table_owner_get((u32)foreigndom >> 16, self, &u.owner);
	if (rc)
		return deny(rc);
	u.fg = foreign_get((domid_t)foreigndom, self);
	if (u.fg) {
		bool fg_ok = u.fg == &dom_io || may_use(self, u.fg);

		u.map_rc = fg_ok && may_use(self, u.owner) ? 0 : -XEN_EPERM;
		u.m2p_rc = fg_ok && u.owner == self ? 0 : -XEN_EPERM;
		last = update_all(&u, &b, &i);
		rc = batch_end(&b, i, last);
		foreign_put(u.fg, self);
	} else {
		rc = deny(-XEN_ESRCH);
	}
	foreign_put(u.owner, self);
	return rc;
}

/* --- update_va_mapping ----------------------------------------------- */

/* The flush that comes with it: a kind, and whose. */
static int flush_after(struct domain *d, u64 va, u64 flags)
{
	u64 kind = flags & UVMF_FLUSHTYPE_MASK, who = flags & ~kind;
	cpumask_t mask;
	int rc = 0;

	if (kind != UVMF_TLB_FLUSH && kind != UVMF_INVLPG)
		return 0;
	if (who == UVMF_LOCAL)
		mask = 1UL << smp_processor_id();
	else if (who == UVMF_ALL)
		mask = READ_ONCE(d->dirty_cpus);
	else
		rc = vcpus_to_cpus(d, who, &mask);
	if (kind == UVMF_TLB_FLUSH)
		tlb_flush_mask(mask, FLUSH_ALL_VA);
	else
		flush_va(mask, va);
	return rc;
}

static noinline int va_update_slow(struct vcpu *v, u64 va, u64 val,
				   struct domain *fg)
{
	struct frame *table;
	u64 *slot = l1_slot(v, va, &table);
	int rc = -XEN_EINVAL;

	if (slot) {
		rc = l1_update(slot, val, L1_SET, v->domain, fg);
		table_release(table);
	}
	return rc;
}

static always_inline long va_update(u64 va, u64 val, u64 flags,
				    struct domain *fg)
{
	struct vcpu *v = current;
	u64 *slot = l1_slot_live(v, va);

	if (unlikely(!slot))
		return deny(-XEN_EINVAL);
	if (unlikely(!l1_set_quick(slot, val, fg))) {
		int rc = va_update_slow(v, va, val, fg);

		if (rc)
			return deny(rc);
	}
	return flags & UVMF_FLUSHTYPE_MASK ? flush_after(v->domain, va, flags)
					   : 0;
}

/*
 * Writes the L1 entry for va in the current address space, then flushes.
 * -XEN_EINVAL, also if there is no L1; -XEN_EPERM; -XEN_EBUSY; -XEN_EFAULT:
 * the entry is written, but the vCPU bitmap cannot be read.
 */
long do_update_va_mapping(u64 va, u64 val, u64 flags, u64 a4, u64 a5, u64 a6)
{
	return va_update(va, val, flags, current->domain);
}

/* The same for a frame of another domain. */
long do_update_va_mapping_otherdomain(u64 va, u64 val, u64 flags, u64 domid,
				      u64 a5, u64 a6)
{
	struct domain *self = current->domain;
	struct domain *fg = foreign_get((domid_t)domid, self);
	long rc = -XEN_EPERM;

	if (!fg)
		return deny(-XEN_ESRCH);
	if (fg == &dom_io || may_use(self, fg))
		rc = va_update(va, val, flags, fg);
	foreign_put(fg, self);
	return rc;
}

/* --- mmuext_op ------------------------------------------------------- */

static void flush_caches_here(void *unused)
{
	wbinvd();
}

/* Only who has devices of his own needs it; the answers differ by tradition. */
static int ext_flush_cache(const struct domain *d, bool global)
{
	if (!d->is_privileged)
		return global ? -XEN_EINVAL : -XEN_EACCES;
	if (global)
		cpu_call(READ_ONCE(cpus_online), flush_caches_here, NULL);
	else
		wbinvd();
	return 0;
}

static int ext_flush_multi(const struct domain *d, const struct mmuext_op *op)
{
	cpumask_t mask;

	if (vcpus_to_cpus(d, op->arg2.vcpumask, &mask))
		return -XEN_EINVAL;
	if (op->cmd == MMUEXT_TLB_FLUSH_MULTI)
		tlb_flush_mask(mask, FLUSH_ALL_VA);
	else
		flush_va(mask, op->arg1.linear_addr);
	return 0;
}

static int ext_clear(struct domain *d, u64 mfn)
{
	struct frame *f = mfn_to_frame(MFN(mfn));

	if (!mfn_valid(MFN(mfn)) || frame_get_and_type(f, d, TYPE_WRITABLE))
		return -XEN_EINVAL;
	memset(mfn_to_virt(MFN(mfn)), 0, PAGE_SIZE);
	frame_put_and_type(f);
	return 0;
}

static int ext_copy(struct domain *d, u64 to_mfn, u64 from_mfn)
{
	struct frame *from = mfn_get(MFN(from_mfn), d);
	struct frame *to = mfn_to_frame(MFN(to_mfn));
	int rc = -XEN_EINVAL;

	if (!from)
		return rc;
	if (mfn_valid(MFN(to_mfn)) &&
	    !frame_get_and_type(to, d, TYPE_WRITABLE)) {
		memcpy(mfn_to_virt(MFN(to_mfn)), mfn_to_virt(MFN(from_mfn)),
		       PAGE_SIZE);
		frame_put_and_type(to);
		rc = 0;
	}
	frame_put(from);
	return rc;
}

/* What is left is for batch_end(); the pin itself is gone. */
static int ext_unpin(struct domain *owner, u64 mfn)
{
	int rc = ptype_unpin(owner, MFN(mfn));

	if (rc != -XEN_ERESTART)
		return rc;
	reap_note(current, mfn_to_frame(MFN(mfn)));
	return 0;
}

/* Operations on frames of fg, which may be foreign. */
static int ext_frames(struct domain *self, struct domain *fg,
		      const struct mmuext_op *op)
{
	if (fg->id >= DOMID_FIRST_RESERVED)
		return -XEN_EINVAL;
	switch (op->cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return ptype_pin(self, fg, MFN(op->arg1.mfn),
				 (op->cmd - MMUEXT_PIN_L1_TABLE + 1UL) <<
				 TYPE_SHIFT);
	case MMUEXT_UNPIN_TABLE:
		return ext_unpin(fg, op->arg1.mfn);
	case MMUEXT_CLEAR_PAGE:
		return ext_clear(fg, op->arg1.mfn);
	default:
		return ext_copy(fg, op->arg1.mfn, op->arg2.src_mfn);
	}
}

/* Operations on the caller itself. */
static int ext_self(struct vcpu *v, const struct mmuext_op *op)
{
	struct domain *d = v->domain;
	u64 arg = op->arg1.linear_addr;

	switch (op->cmd) {
	case MMUEXT_NEW_BASEPTR:
		return vcpu_set_kernel_l4(v, MFN(arg));
	case MMUEXT_NEW_USER_BASEPTR:
		return v->l4_user.m == arg ? 0
					   : vcpu_set_user_l4(v, MFN(arg));
	case MMUEXT_TLB_FLUSH_LOCAL:
		tlb_flush_local(FLUSH_ALL_VA);
		return 0;
	case MMUEXT_INVLPG_LOCAL:
		flush_va(1UL << smp_processor_id(), arg);
		return 0;
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
		return ext_flush_multi(d, op);
	case MMUEXT_TLB_FLUSH_ALL:
		tlb_flush_mask(READ_ONCE(d->dirty_cpus), FLUSH_ALL_VA);
		return 0;
	case MMUEXT_INVLPG_ALL:
		flush_va(READ_ONCE(d->dirty_cpus), arg);
		return 0;
	case MMUEXT_FLUSH_CACHE:
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return ext_flush_cache(d, op->cmd != MMUEXT_FLUSH_CACHE);
	default:
		return vcpu_set_ldt(v, arg, op->arg2.nr_ents);
	}
}

static int ext_one(struct vcpu *v, struct domain *fg,
		   const struct mmuext_op *op)
{
	int rc;

	switch (op->cmd) {
	case MMUEXT_MARK_SUPER:
	case MMUEXT_UNMARK_SUPER:
		return -XEN_EOPNOTSUPP;
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
	case MMUEXT_UNPIN_TABLE:
	case MMUEXT_CLEAR_PAGE:
	case MMUEXT_COPY_PAGE:
		rc = ext_frames(v->domain, fg, op);
		break;
	default:
		if (op->cmd > MMUEXT_UNMARK_SUPER || op->cmd == 14)
			return -XEN_ENOSYS;
		rc = fg == v->domain ? ext_self(v, op) : -XEN_EPERM;
	}
	/* A clash of types is an invalid frame. */
	return rc == -XEN_EBUSY ? -XEN_EINVAL : rc;
}

static int ext_fetch(struct mmuext_op *op, u64 gva)
{
	u64 cmd;

	if (get_guest_u64(&cmd, gva) || get_guest_u64(&op->arg1.mfn, gva + 8) ||
	    get_guest_u64(&op->arg2.src_mfn, gva + 16))
		return -XEN_EFAULT;
	op->cmd = (u32)cmd;
	return 0;
}

static int ext_all(struct vcpu *v, struct domain *fg, const struct batch *b,
		   u32 *done)
{
	struct mmuext_op op;
	int rc = 0;
	u32 i;

	for (i = 0; i < b->count; i++) {
		if (i && (v->reap.m || preempt_check())) {
			rc = -XEN_ERESTART;
			break;
		}
		rc = ext_fetch(&op, b->items + (u64)i * sizeof(op));
		if (!rc)
			rc = ext_one(v, fg, &op);
		if (rc)
			break;
	}
	*done = i;
	return rc;
}

/*
 * See hypercall-abi/mmu.h.  Errors as do_mmu_update(), and -XEN_EACCES,
 * -XEN_EOPNOTSUPP.  Pins, unpins, clears and copies of another domain's
 * frames are the control domain's; nothing else may be foreign.
 */
long do_mmuext_op(u64 ops, u64 count, u64 done, u64 foreigndom, u64 a5, u64 a6)
{
	struct vcpu *v = current;
	struct batch b = { __HYPERVISOR_mmuext_op, ops,
			   sizeof(struct mmuext_op), (u32)count, done, 0,
			   foreigndom };
	struct domain *fg;
	u32 i = 0;
	int last;
	long rc;

	if (!batch_start(&b, &rc))
		return rc;
	fg = foreign_get((domid_t)foreigndom, v->domain);
	if (!fg)
		return deny(-XEN_ESRCH);
	if (may_use(v->domain, fg)) {
		last = ext_all(v, fg, &b, &i);
		rc = batch_end(&b, i, last);
	} else {
		rc = deny(-XEN_EPERM);
	}
	foreign_put(fg, v->domain);
	return rc;
}
