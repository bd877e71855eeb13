/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest kernel's store to one of its own L1 tables, which it maps read-only.
 *
 * Linux changes entries of pinned tables by plain stores, exchanges and locked
 * bit operations, and relies on them to work (vm_assist type 2).  The fault is
 * answered by doing what the instruction would have done, through the checked
 * write of one entry.
 *
 * Invariant: an entry changes only by l1_update_if(), so an emulated store has
 * no power that mmu_update has not; and only if it still is what the operation
 * was computed from, so a locked operation is one.  The decoded bytes are the
 * guest's and may change at any time: they are read once.
 */
#include <mm/internal.h>

struct insn {
	u8 bytes[15];
	unsigned int len, pos;
	u8 rex, size;		/* operand bytes */
	bool opsize16;
};

static u64 *reg_ptr(struct regs *r, unsigned int n)
{
	u64 *const map[16] = {
		&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi,
		&r->rdi, &r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13,
		&r->r14, &r->r15,
	};

	return map[n & 15];
}

static u64 mask_of(unsigned int size)
{
	return size == 8 ? ~0UL : (1UL << (size * 8)) - 1;
}

static u64 reg_read(struct regs *r, unsigned int n, const struct insn *in)
{
	if (in->size == 1 && !in->rex && n >= 4 && n < 8)
		return *reg_ptr(r, n - 4) >> 8 & 0xff;
	return *reg_ptr(r, n) & mask_of(in->size);
}

static void reg_write(struct regs *r, unsigned int n, const struct insn *in,
		      u64 v)
{
	u64 *p = reg_ptr(r, n);

	if (in->size == 8 || in->size == 4)
		*p = v & mask_of(in->size);
	else if (in->size == 1 && !in->rex && n >= 4 && n < 8)
		*reg_ptr(r, n - 4) = (*reg_ptr(r, n - 4) & ~0xff00UL) |
				     (v & 0xff) << 8;
	else
		*p = (*p & ~mask_of(in->size)) | (v & mask_of(in->size));
}

static bool byte(struct insn *in, u8 *b)
{
	if (in->pos >= in->len)
		return false;
	*b = in->bytes[in->pos++];
	return true;
}

static bool imm(struct insn *in, unsigned int n, s64 *v)
{
	u64 x = 0;

	if (in->pos + n > in->len)
		return false;
	for (unsigned int i = 0; i < n; i++)
		x |= (u64)in->bytes[in->pos++] << (8 * i);
	*v = n == 1 ? (s8)x : n == 2 ? (s16)x : (s32)x;
	return true;
}

/* Skips SIB and displacement: the address is known, it is cr2. */
static bool skip_memory(struct insn *in, u8 modrm)
{
	unsigned int mod = modrm >> 6, rm = modrm & 7;
	u8 sib = 0;
	s64 unused;

	if (mod == 3)
		return false;
	if (rm == 4 && !byte(in, &sib))
		return false;
	if (mod == 1)
		return imm(in, 1, &unused);
	if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5))))
		return imm(in, 4, &unused);
	return true;
}

enum op { OP_MOV, OP_XCHG, OP_CMPXCHG, OP_OR, OP_AND, OP_SUB, OP_ADD, OP_XOR,
	  OP_BTS, OP_BTR, OP_BTC, OP_XADD };

struct store {
	enum op op;
	unsigned int reg;
	bool has_reg;
	u64 src;
};

static bool decode_two_byte(struct regs *r, struct insn *in, struct store *s)
{
	u8 op, modrm;
	s64 v;

	if (!byte(in, &op) || !byte(in, &modrm) || !skip_memory(in, modrm))
		return false;
	s->reg = (modrm >> 3 & 7) | (in->rex & 4) << 1;
	s->has_reg = true;
	switch (op) {
	case 0xb0: in->size = 1; fallthrough;
	case 0xb1: s->op = OP_CMPXCHG; break;
	case 0xc0: in->size = 1; fallthrough;
	case 0xc1: s->op = OP_XADD; break;
	case 0xab: s->op = OP_BTS; break;
	case 0xb3: s->op = OP_BTR; break;
	case 0xbb: s->op = OP_BTC; break;
	case 0xba:
		if ((modrm >> 3 & 7) < 5 || !imm(in, 1, &v))
			return false;
		s->op = OP_BTS + (modrm >> 3 & 7) - 5;
		s->has_reg = false;
		s->src = (u64)v & (in->size * 8 - 1);
		return true;
	case 0xc3: s->op = OP_MOV; break;	/* movnti */
	default: return false;
	}
	s->src = reg_read(r, s->reg, in);
	if (s->op >= OP_BTS && s->op <= OP_BTC)
		s->src &= in->size * 8 - 1;
	return true;
}

static bool decode_group(struct insn *in, u8 op, u8 modrm, struct store *s)
{
	static const u8 ops[8] = { OP_ADD, OP_OR, 0xff, 0xff, OP_AND, OP_SUB,
				   OP_XOR, 0xff };
	unsigned int n = op == 0x81 ? in->size == 2 ? 2 : 4 : 1;
	s64 v;

	if (ops[modrm >> 3 & 7] == 0xff || !imm(in, n, &v))
		return false;
	s->op = ops[modrm >> 3 & 7];
	s->src = (u64)v & mask_of(in->size);
	return true;
}

static bool decode(struct regs *r, struct insn *in, struct store *s)
{
	u8 op, modrm;
	s64 v;

	for (;;) {
		if (!byte(in, &op))
			return false;
		if (op == 0x66)
			in->opsize16 = true;
		else if (op != 0xf0 && op != 0x3e && op != 0x2e && op != 0x65 &&
			 op != 0x64 && op != 0xf2 && op != 0xf3)
			break;
	}
	if ((op & 0xf0) == 0x40) {
		in->rex = op;
		if (!byte(in, &op))
			return false;
	}
	in->size = in->rex & 8 ? 8 : in->opsize16 ? 2 : 4;
	if (op == 0x0f)
		return decode_two_byte(r, in, s);
	if (!byte(in, &modrm) || !skip_memory(in, modrm))
		return false;
	if (!(op & 1))
		in->size = 1;
	s->reg = (modrm >> 3 & 7) | (in->rex & 4) << 1;
	s->has_reg = true;
	switch (op & ~1) {
	case 0x88: s->op = OP_MOV; break;
	case 0x86: s->op = OP_XCHG; break;
	case 0x00: s->op = OP_ADD; break;
	case 0x08: s->op = OP_OR; break;
	case 0x20: s->op = OP_AND; break;
	case 0x28: s->op = OP_SUB; break;
	case 0x30: s->op = OP_XOR; break;
	case 0x80: case 0x82:
		s->has_reg = false;
		if (op == 0x83)
			in->size = in->rex & 8 ? 8 : in->opsize16 ? 2 : 4;
		return decode_group(in, op, modrm, s);
	case 0xc6:
		s->has_reg = false;
		if (modrm >> 3 & 7 ||
		    !imm(in, in->size == 1 ? 1 : in->size == 2 ? 2 : 4, &v))
			return false;
		s->op = OP_MOV;
		s->src = (u64)v & mask_of(in->size);
		return true;
	default: return false;
	}
	s->src = reg_read(r, s->reg, in);
	return true;
}

/* What the operation leaves in memory; *cf is the bit that BTx tested. */
static u64 result(const struct store *s, u64 old)
{
	switch (s->op) {
	case OP_OR: return old | s->src;
	case OP_AND: return old & s->src;
	case OP_XOR: return old ^ s->src;
	case OP_XADD:
	case OP_ADD: return old + s->src;
	case OP_SUB: return old - s->src;
	case OP_BTS: return old | 1UL << s->src;
	case OP_BTR: return old & ~(1UL << s->src);
	case OP_BTC: return old ^ 1UL << s->src;
	default: return s->src;
	}
}

static void set_flags(struct regs *r, const struct store *s, u64 old, u64 new,
		      unsigned int size)
{
	const u64 zf = 0x40, sf = 0x80;
	u64 m = mask_of(size);

	if (s->op == OP_MOV || s->op == OP_XCHG)
		return;
	r->rflags &= ~X86_EFLAGS_CF;
	if (s->op >= OP_BTS && s->op <= OP_BTC) {
		r->rflags |= old >> s->src & 1;
		return;
	}
	r->rflags &= ~(zf | sf | 0x800 | 0x10 | 4);
	if (!(new & m))
		r->rflags |= zf;
	if (new >> (size * 8 - 1) & 1)
		r->rflags |= sf;
	if (!(__builtin_popcount((unsigned int)new & 0xff) & 1))
		r->rflags |= 4;
	if ((s->op == OP_SUB && (old & m) < s->src) ||
	    ((s->op == OP_ADD || s->op == OP_XADD) && (new & m) < s->src))
		r->rflags |= X86_EFLAGS_CF;
}

static bool store_apply(struct vcpu *v, u64 *slot, unsigned int off,
			struct insn *in, struct store *s)
{
	struct regs *r = &v->regs;
	u64 m = mask_of(in->size);
	int rc;

	do {
		u64 entry = READ_ONCE(*slot), old = entry >> (off * 8) & m, new;

		new = result(s, old) & m;
		if (s->op == OP_CMPXCHG) {
			u64 want = r->rax & m;

			r->rflags &= ~0x8d5UL;
			if (old != want) {
				struct insn a = *in;

				a.rex |= 1;
				reg_write(r, 0, &a, old);
				return true;
			}
			r->rflags |= 0x44;
		}
		rc = l1_update_if(slot, entry, (entry & ~(m << (off * 8))) |
				  new << (off * 8), v->domain);
		if (!rc) {
			if (s->op != OP_CMPXCHG)
				set_flags(r, s, old, new, in->size);
			if (s->op == OP_XCHG || s->op == OP_XADD)
				reg_write(r, s->reg, in, old);
			return true;
		}
		if (rc != -XEN_EAGAIN)
			guest_log(v->domain, LOG_DEBUG, "ptwr: %lx <- %lx: %d\n",
				  entry, new, rc);
	} while (rc == -XEN_EAGAIN);
	return false;
}

/* See mm.h. */
bool ptwr_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	struct regs *r = &v->regs;
	struct insn in = { .len = 0 };
	struct store s = { .op = OP_MOV };
	struct frame *outer, *f;
	u64 *map, e, *slot;
	mfn_t mfn;
	bool done = false;

	map = l1_slot(v, cr2, &outer);
	if (!map)
		return false;
	e = READ_ONCE(*map);
	table_release(outer);
	mfn = pte_mfn(e);
	if ((e & (PTE_P | PTE_RW)) != PTE_P || !mfn_valid(mfn))
		return e & PTE_P && e & PTE_RW;	/* stale: try again */
	f = mfn_to_frame(mfn);
	if (table_hold(f, v->domain) != TYPE_L1)
		return false;
	in.len = sizeof(in.bytes) -
		 copy_from_guest_partial(in.bytes, r->rip, sizeof(in.bytes));
	slot = (u64 *)mfn_to_virt(mfn) + (cr2 >> 3 & 511);
	if (decode(r, &in, &s) && (cr2 & 7) + in.size <= 8)
		done = store_apply(v, slot, cr2 & 7, &in, &s);
	table_release(f);
	if (done)
		r->rip += in.pos;
	else
		guest_log(v->domain, LOG_DEBUG, "ptwr: cannot do %02x %02x %02x %02x %02x at %lx\n",
		       in.bytes[0], in.bytes[1], in.bytes[2], in.bytes[3],
		       in.bytes[4], r->rip);
	return done;
}
