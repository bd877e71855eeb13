/* SPDX-License-Identifier: GPL-2.0 */
/* temporary */
#include <mm/internal.h>
#include <entry/entry.h>
#include <hypercall-abi/mmu.h>

static struct domain *fg_get(u32 id, struct domain *self)
{
	switch (id) {
	case DOMID_SELF: return self;
	case DOMID_IO: return &dom_io;
	case DOMID_XEN: return &dom_xen;
	}
	if (id == self->id) return self;
	if (!self->is_privileged) return NULL;
	return domain_get((domid_t)id);
}
static void fg_put(struct domain *d, struct domain *self)
{
	if (d && d != self && d != &dom_io && d != &dom_xen)
		domain_put(d);
}

static int one_update(struct domain *o, struct domain *fg, struct mmu_update *u)
{
	mfn_t mfn = MFN(u->ptr >> 12);
	unsigned int cmd = u->ptr & 3;
	struct frame *f;
	u64 type; int rc, b = 1000;

	if (cmd == MMU_MACHPHYS_UPDATE) {
		f = mfn_get(mfn, fg);
		if (!f) return deny(-XEN_EINVAL);
		m2p_set(mfn, u->val);
		frame_put(f);
		return 0;
	}
	if (!mfn_valid(mfn) || u->ptr & 4) return deny(-XEN_EINVAL);
	f = mfn_to_frame(mfn);
	type = table_hold(f, o);
	if (!type) {
		/* plain writable */
		u64 *p = (u64*)((u8*)mfn_to_virt(mfn) + (u->ptr & 0xff8));
		rc = frame_get_and_type(f, o, TYPE_WRITABLE);
		if (rc) return deny(rc);
		*p = u->val;
		frame_put_and_type(f);
		return 0;
	}
	u64 *slot = (u64*)((u8*)mfn_to_virt(mfn) + (u->ptr & 0xff8));
	if (type == TYPE_L1)
		rc = l1_update(slot, u->val, cmd == 2 ? L1_KEEP_AD : L1_SET, o, fg);
	else {
		do { b = 100000; rc = table_update(f, slot, u->val, o, &b); } while (rc == -XEN_ERESTART);
	}
	table_release(f);
	return rc ? deny(rc) : 0;
}

long do_mmu_update(u64 reqs, u64 count, u64 done, u64 foreigndom, u64 a, u64 b)
{
	struct domain *self = current->domain, *fg, *o = self;
	u32 n = (u32)count & 0x7fffffff, i; int rc = 0;
	if ((u32)foreigndom >> 16) {
		o = fg_get(((u32)foreigndom >> 16) - 1, self);
		if (!o) return deny(-XEN_ESRCH);
	}
	fg = fg_get((u32)foreigndom & 0xffff, self);
	if (!fg) { fg_put(o, self); return deny(-XEN_ESRCH); }
	for (i = 0; i < n; i++) {
		struct mmu_update u;
		rc = copy_from_guest(&u, reqs + i * 16, 16);
		if (rc) break;
		rc = one_update(o, fg, &u);
		if (rc) break;
	}
	if (done && put_guest_u32(done, i)) rc = -XEN_EFAULT;
	fg_put(fg, self); fg_put(o, self);
	return rc;
}

long do_update_va_mapping(u64 va, u64 val, u64 flags, u64 a, u64 b, u64 c)
{
	struct vcpu *v = current; struct frame *t;
	u64 *slot = l1_slot(v, va, &t); int rc;
	if (!slot) return deny(-XEN_EINVAL);
	rc = l1_update(slot, val, L1_SET, v->domain, v->domain);
	table_release(t);
	if (!rc && (flags & 3)) {
		u64 x = (flags & 3) == 2 ? va : FLUSH_ALL_VA;
		if ((flags & ~3UL) == 0) tlb_flush_local(x);
		else tlb_flush_mask(v->domain->dirty_cpus, x);
	}
	return rc ? deny(rc) : 0;
}
long do_update_va_mapping_otherdomain(u64 va, u64 val, u64 flags, u64 domid, u64 a, u64 b) { return -XEN_ENOSYS; }

static int one_ext(struct vcpu *v, struct mmuext_op *op, struct domain *o)
{
	struct domain *d = v->domain; int rc;
	switch (op->cmd) {
	case 0: case 1: case 2: case 3:
		do rc = ptype_pin(d, o, MFN(op->arg1.mfn), (u64)(op->cmd + 1) << TYPE_SHIFT); while (rc == -XEN_ERESTART);
		return rc;
	case 4:
		rc = ptype_unpin(o, MFN(op->arg1.mfn));
		while (rc == -XEN_ERESTART) { int b = 100000; rc = type_reap(mfn_to_frame(MFN(op->arg1.mfn)), &b); }
		return rc;
	case 5:
		do rc = vcpu_set_kernel_l4(v, MFN(op->arg1.mfn)); while (rc == -XEN_ERESTART);
		return rc;
	case 15:
		do rc = vcpu_set_user_l4(v, MFN(op->arg1.mfn)); while (rc == -XEN_ERESTART);
		return rc;
	case 6: tlb_flush_local(FLUSH_ALL_VA); return 0;
	case 7: tlb_flush_local(op->arg1.linear_addr); return 0;
	case 8: case 10: tlb_flush_mask(d->dirty_cpus, FLUSH_ALL_VA); return 0;
	case 9: case 11: tlb_flush_mask(d->dirty_cpus, op->arg1.linear_addr); return 0;
	case 13: return vcpu_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
	}
	return -XEN_ENOSYS;
}
long do_mmuext_op(u64 ops, u64 count, u64 done, u64 foreigndom, u64 a, u64 b)
{
	struct vcpu *v = current; struct domain *o = fg_get((u32)foreigndom & 0xffff, v->domain);
	u32 n = (u32)count & 0x7fffffff, i; int rc = 0;
	if (!o) return deny(-XEN_ESRCH);
	for (i = 0; i < n; i++) {
		struct mmuext_op op;
		rc = copy_from_guest(&op, ops + i * sizeof(op), sizeof(op));
		if (!rc) rc = one_ext(v, &op, o);
		if (rc) break;
	}
	if (done && put_guest_u32(done, i)) rc = -XEN_EFAULT;
	fg_put(o, v->domain);
	return rc ? deny(rc) : 0;
}

/* --- gdt --- */
void vcpu_drop_gdt(struct vcpu *v)
{
	for (unsigned int i = 0; i < 14; i++)
		if (v->gdt_frames[i]) {
			perdomain_set(v->domain, GDT_VA(v->id) + i * 4096UL, 0);
			frame_put_and_type(mfn_to_frame(MFN(v->gdt_frames[i])));
			v->gdt_frames[i] = 0;
		}
	v->gdt_ents = 0;
}
int vcpu_set_gdt(struct vcpu *v, const u64 *mfns, unsigned int entries)
{
	unsigned int n = (entries + 511) / 512;
	for (unsigned int i = 0; i < n; i++) {
		if (!mfn_valid(MFN(mfns[i]))) return deny(-XEN_EINVAL);
		int rc = frame_get_and_type(mfn_to_frame(MFN(mfns[i])), v->domain, TYPE_SEG_DESC);
		if (rc) return deny(-XEN_EINVAL);
	}
	vcpu_drop_gdt(v);
	v->gdt_ents = entries;
	for (unsigned int i = 0; i < n; i++) {
		v->gdt_frames[i] = mfns[i];
		perdomain_set(v->domain, GDT_VA(v->id) + i * 4096UL, mfns[i] << 12 | MAP_RW);
	}
	return 0;
}
long do_set_gdt(u64 frames, u64 entries, u64 a, u64 b, u64 c, u64 d)
{
	u64 m[16]; unsigned int n = ((u32)entries + 511) / 512;
	if (entries > 7168) return -XEN_EINVAL;
	if (copy_from_guest(m, frames, n * 8)) return -XEN_EFAULT;
	int rc = vcpu_set_gdt(current, m, (u32)entries);
	if (!rc) tlb_flush_local(FLUSH_ALL_VA);
	return rc;
}
bool ldt_drop_all(struct domain *d) { return false; }
int vcpu_set_ldt(struct vcpu *v, u64 va, unsigned int e) { return 0; }
void vcpu_drop_ldt(struct vcpu *v) { }
bool ldt_fault(struct vcpu *v, u64 cr2) { return false; }
long do_update_descriptor(u64 ma, u64 desc, u64 a, u64 b, u64 c, u64 d)
{
	struct domain *dom = current->domain;
	struct frame *f = mfn_get(MFN(ma >> 12), dom); int rc;
	if (!f) return deny(-XEN_EINVAL);
	if (!descr_fixup(&desc)) { frame_put(f); return deny(-XEN_EINVAL); }
	rc = frame_get_type(f, dom, (f->type & TYPE_MASK) == TYPE_SEG_DESC ? TYPE_SEG_DESC : TYPE_WRITABLE);
	if (!rc) {
		*(volatile u64 *)((u8 *)mfn_to_virt(MFN(ma >> 12)) + (ma & 0xff8)) = desc;
		frame_put_type(f);
	}
	frame_put(f);
	return rc;
}
bool mmio_ro_fault(struct vcpu *v, u64 cr2, u32 e) { return false; }
unsigned long frames_recount(void) { return 0; }
