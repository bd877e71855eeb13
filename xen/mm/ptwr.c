/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest kernel's store to one of its own L1 tables, which it maps read-only.
 *
 * Linux asks for most changes by hypercall, but some it makes in place, and
 * relies on that to work on tables in use (vm_assist type 2): exchange to take
 * an entry out, locked bit operations to age or protect it, plain stores.
 * The fault is answered by doing what the instruction would have done, through
 * the checked write of one entry.
 *
 * Invariant: an entry changes only by l1_update_if(), so an emulated store has
 * no power that mmu_update has not; and only if it still is what the operation
 * was computed from, so a locked operation is one.
 *
 * The address is the one that faulted (cr2): the decoder only needs to know
 * what is written, and how long the instruction is.  The bytes are the guest's
 * and may change after the fault; they are read once, and whatever they say
 * then, the result is a checked entry in a table of its own.
 *
 * Deliberately not here: L2 and above, string instructions, SSE, anything that
 * crosses an entry: the guest gets its page fault.
 */
#include <mm/internal.h>

/* Attempts against other vCPUs that change the same entry (XSA-295). */
#define MAX_TRIES	64

enum op {
	OP_NONE, OP_ADD, OP_OR, OP_AND, OP_SUB, OP_XOR, OP_MOV, OP_XCHG,
	OP_XADD, OP_CMPXCHG, OP_BTS, OP_BTR, OP_BTC,
};

struct insn {
	u8 bytes[15];
	unsigned int len, pos;		/* read; decoded so far */
	u8 rex;
	unsigned int size;		/* of the operand, bytes */
	unsigned int reg;		/* number of the register operand */
	enum op op;
	u64 src;
};

#define FLAG_PF		(1UL << 2)
#define FLAG_ZF		(1UL << 6)
#define FLAG_SF		(1UL << 7)
#define FLAG_OF		(1UL << 11)
#define FLAGS_RESULT	(X86_EFLAGS_CF | FLAG_ZF | FLAG_SF | FLAG_OF)

static u64 size_mask(unsigned int size)
{
	return ~0UL >> (64 - 8 * size);
}

/* --- registers ------------------------------------------------------- */

static const u8 reg_offset[16] = {
	offsetof(struct regs, rax), offsetof(struct regs, rcx),
	offsetof(struct regs, rdx), offsetof(struct regs, rbx),
	offsetof(struct regs, rsp), offsetof(struct regs, rbp),
	offsetof(struct regs, rsi), offsetof(struct regs, rdi),
	offsetof(struct regs, r8), offsetof(struct regs, r9),
	offsetof(struct regs, r10), offsetof(struct regs, r11),
	offsetof(struct regs, r12), offsetof(struct regs, r13),
	offsetof(struct regs, r14), offsetof(struct regs, r15),
};

/* Where register n begins: without a REX prefix 4 to 7 are ah ch dh bh. */
static u8 *reg_at(struct regs *r, const struct insn *in, unsigned int n)
{
	bool high = in->size == 1 && !in->rex && n >= 4 && n < 8;

	return (u8 *)r + reg_offset[high ? n - 4 : n] + high;
}

static u64 reg_read(struct regs *r, const struct insn *in, unsigned int n)
{
	u64 v = 0;

	memcpy(&v, reg_at(r, in, n), in->size);
	return v;
}

/* A 32-bit result clears the upper half. */
static void reg_write(struct regs *r, const struct insn *in, unsigned int n,
		      u64 v)
{
	memcpy(reg_at(r, in, n), &v, in->size == 4 ? 8 : in->size);
}

/* --- decoding -------------------------------------------------------- */

/* n more bytes, sign-extended. */
static bool fetch(struct insn *in, unsigned int n, u64 *v)
{
	u64 x = 0;

	if (in->len - in->pos < n)
		return false;
	memcpy(&x, in->bytes + in->pos, n);
	in->pos += n;
	*v = (u64)((s64)(x << (64 - 8 * n)) >> (64 - 8 * n));
	return true;
}

/* The immediate operand is 4 bytes for 8-byte operands too. */
static bool fetch_imm(struct insn *in, unsigned int n)
{
	if (!fetch(in, min(n, 4U), &in->src))
		return false;
	in->src &= size_mask(in->size);
	return true;
}

/* Over what follows the ModRM byte of a memory operand. */
static bool skip_address(struct insn *in, u8 modrm)
{
	unsigned int mod = modrm >> 6, rm = modrm & 7;
	u64 sib = 0, unused;

	if (mod == 3 || (rm == 4 && !fetch(in, 1, &sib)))
		return false;
	if (mod == 1)
		return fetch(in, 1, &unused);
	if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		return mod != 0 && mod != 2 ? true : fetch(in, 4, &unused);
	return true;
}

/* Prefixes and opcode; the operand size of all but byte operations. */
static bool decode_prefixes(struct insn *in, u64 *op)
{
	bool word = false;

	for (;;) {
		if (!fetch(in, 1, op))
			return false;
		*op &= 0xff;
		switch (*op) {
		case 0x66:
			word = true;
			continue;
		case 0x26: case 0x2e: case 0x36: case 0x3e:
		case 0x64: case 0x65: case 0x67:
		case 0xf0: case 0xf2: case 0xf3:
			continue;
		}
		break;
	}
	if ((*op & 0xf0) == 0x40) {
		in->rex = (u8)*op;
		if (!fetch(in, 1, op))
			return false;
		*op &= 0xff;
	}
	in->size = in->rex & 8 ? 8 : word ? 2 : 4;
	return true;
}

static bool decode_modrm(struct insn *in, unsigned int *field)
{
	u64 modrm;

	if (!fetch(in, 1, &modrm) || !skip_address(in, (u8)modrm))
		return false;
	*field = modrm >> 3 & 7;
	in->reg = *field | (in->rex & 4) << 1;
	return true;
}

/* Opcodes 0f xx. */
static bool decode_0f(struct regs *r, struct insn *in)
{
	unsigned int field;
	u64 op;

	if (!fetch(in, 1, &op) || !decode_modrm(in, &field))
		return false;
	op &= 0xff;
	switch (op) {
	case 0xab: in->op = OP_BTS; break;
	case 0xb3: in->op = OP_BTR; break;
	case 0xbb: in->op = OP_BTC; break;
	case 0xb0: case 0xb1: in->op = OP_CMPXCHG; break;
	case 0xc0: case 0xc1: in->op = OP_XADD; break;
	case 0xc3: in->op = OP_MOV; break;	/* movnti */
	case 0xba:
		in->op = OP_BTS + field - 5;
		return field >= 5 && fetch_imm(in, 1);
	default:
		return false;
	}
	if (op == 0xb0 || op == 0xc0)
		in->size = 1;
	in->src = reg_read(r, in, in->reg);
	return true;
}

/* An arithmetic operation by its number in opcodes and ModRM fields; adc, sbb
 * and cmp (which does not write) are left out. */
static enum op alu_op(unsigned int n)
{
	static const u8 ops[8] = { OP_ADD, OP_OR, OP_NONE, OP_NONE,
				   OP_AND, OP_SUB, OP_XOR, OP_NONE };

	return ops[n];
}

/* All of it: operation, source, sizes. */
static bool decode(struct regs *r, struct insn *in)
{
	unsigned int field;
	u64 op;

	if (!decode_prefixes(in, &op))
		return false;
	if (op == 0x0f)
		return decode_0f(r, in);
	if (!decode_modrm(in, &field))
		return false;
	if (!(op & 1))
		in->size = 1;
	switch (op) {
	case 0x80: case 0x81: case 0x83:
		in->op = alu_op(field);
		return in->op != OP_NONE &&
		       fetch_imm(in, op == 0x81 ? in->size : 1);
	case 0xc6: case 0xc7:
		in->op = OP_MOV;
		return !field && fetch_imm(in, in->size);
	case 0x88: case 0x89:
		in->op = OP_MOV;
		break;
	case 0x86: case 0x87:
		in->op = OP_XCHG;
		break;
	default:
		/* 00nnn00s: r/m op= register. */
		if (op >= 0x40 || op & 6)
			return false;
		in->op = alu_op((unsigned int)op >> 3);
	}
	in->src = reg_read(r, in, in->reg);
	return in->op != OP_NONE;
}

/* --- doing it -------------------------------------------------------- */

/* On the top bits of a word all sizes behave alike, but for the parity. */
#define ALU(name) \
	__asm__(#name " %2, %0\n\tpushf\n\tpop %1" \
		: "+r"(a), "=r"(*flags) : "r"(b) : "cc"); \
	break

static u64 alu(const struct insn *in, enum op op, u64 a, u64 b, u64 *flags)
{
	unsigned int shift = 64 - 8 * in->size;

	a <<= shift;
	b <<= shift;
	switch (op) {
	case OP_OR: ALU(or);
	case OP_AND: ALU(and);
	case OP_XOR: ALU(xor);
	case OP_SUB: ALU(sub);
	default: ALU(add);
	}
	a >>= shift;
	*flags &= FLAGS_RESULT;
	if (!(__builtin_popcount((u8)a) & 1))
		*flags |= FLAG_PF;
	return a;
}

static u64 bit_op(const struct insn *in, u64 old, u64 *flags)
{
	u64 n = in->src & (8 * in->size - 1), bit = 1UL << n;

	*flags = (*flags & ~X86_EFLAGS_CF) | (old >> n & 1);
	return in->op == OP_BTS ? old | bit :
	       in->op == OP_BTR ? old & ~bit : old ^ bit;
}

/* What the operation makes of old, and of the flags. */
static u64 operate(struct regs *r, const struct insn *in, u64 old, u64 *flags)
{
	const u64 all = FLAGS_RESULT | FLAG_PF;
	u64 f = 0, new;

	*flags = r->rflags;
	switch (in->op) {
	case OP_MOV:
	case OP_XCHG:
		return in->src;
	case OP_BTS:
	case OP_BTR:
	case OP_BTC:
		return bit_op(in, old, flags);
	case OP_CMPXCHG:
		alu(in, OP_SUB, r->rax & size_mask(in->size), old, &f);
		new = f & FLAG_ZF ? in->src : old;
		break;
	default:
		new = alu(in, in->op, old, in->src, &f);
	}
	*flags = (*flags & ~all) | f;
	return new;
}

/* The registers after it. */
static void finish(struct regs *r, const struct insn *in, u64 old, u64 flags)
{
	if (in->op == OP_XCHG || in->op == OP_XADD)
		reg_write(r, in, in->reg, old);
	if (in->op == OP_CMPXCHG && !(flags & FLAG_ZF))
		reg_write(r, in, 0, old);
	r->rflags = flags;
	r->rip += in->pos;
}

/* The entry's bytes from the low three bits of va on.  True: done, or to be
 * tried again by the guest. */
static bool store(struct vcpu *v, const struct insn *in, u64 *slot, u64 va)
{
	unsigned int shift = 8 * (va & 7);
	u64 mask = size_mask(in->size);

	for (unsigned int i = 0; i < MAX_TRIES; i++) {
		u64 entry = READ_ONCE(*slot), old = entry >> shift & mask;
		u64 flags, new = operate(&v->regs, in, old, &flags);
		int rc = 0;

		new = (entry & ~(mask << shift)) | new << shift;
		if (in->op != OP_CMPXCHG || flags & FLAG_ZF)
			rc = l1_update_if(slot, entry, new, v->domain);
		if (!rc)
			finish(&v->regs, in, old, flags);
		if (rc != -XEN_EAGAIN)
			return !rc;
	}
	return true;
}

/* The instruction at rip, if it is one of ours. */
static bool fetch_insn(struct regs *r, struct insn *in)
{
	memset(in, 0, sizeof(*in));
	in->len = (unsigned int)(sizeof(in->bytes) -
				 copy_from_guest_partial(in->bytes, r->rip,
							 sizeof(in->bytes)));
	return decode(r, in);
}

/* The entry by which v's kernel maps va read-only. */
static bool read_only_entry(struct vcpu *v, u64 va, u64 *entry)
{
	struct frame *table;
	u64 *slot = l1_slot(v, va, &table);

	if (!slot)
		return false;
	*entry = READ_ONCE(*slot);
	table_release(table);
	return (*entry & (PTE_P | PTE_RW)) == PTE_P;
}

/* See mm.h.  v is current, in kernel mode; the fault was a write. */
bool ptwr_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	struct frame *f;
	struct insn in;
	bool done = false;
	u64 e, type;

	if ((error_code & (PFEC_P | PFEC_W | PFEC_RSVD)) != (PFEC_P | PFEC_W) ||
	    !read_only_entry(v, cr2, &e) || !mfn_valid(pte_mfn(e)))
		return false;
	f = mfn_to_frame(pte_mfn(e));
	if ((READ_ONCE(f->type) & TYPE_MASK) != TYPE_L1)
		return false;
	type = table_hold(f, v->domain);
	if (!type)
		return false;
	if (type == TYPE_L1 && fetch_insn(&v->regs, &in) &&
	    !(cr2 & (in.size - 1)))
		done = store(v, &in, (u64 *)mfn_to_virt(pte_mfn(e)) +
				     (cr2 >> 3 & 511), cr2);
	table_release(f);
	if (!done)
		guest_log(v->domain, LOG_DEBUG,
			  "store to L1 %lx at %lx not done, rip %lx\n",
			  pte_mfn(e).m, cr2, v->regs.rip);
	return done;
}

/*
 * A Dom0 store to device memory that we let it map read-only: has no effect.
 * Only plain stores: others would have to read the device.
 */
bool mmio_ro_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	struct insn in;
	u64 e;

	if ((error_code & (PFEC_P | PFEC_W | PFEC_RSVD)) != (PFEC_P | PFEC_W) ||
	    !v->domain->is_privileged || !read_only_entry(v, cr2, &e) ||
	    mfn_valid(pte_mfn(e)) ||
	    iomem_permitted(v->domain, pte_mfn(e).m) != IOMEM_RO ||
	    !fetch_insn(&v->regs, &in) || in.op != OP_MOV)
		return false;
	v->regs.rip += in.pos;
	return true;
}
