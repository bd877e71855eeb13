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
 * was computed from, so a locked operation is one; otherwise the guest faults
 * again, and no loop of ours depends on its other vCPUs (XSA-295).
 *
 * The address is the one that faulted (cr2): the decoder only needs to know
 * what is written, and how long the instruction is.  The bytes are the guest's
 * and may change after the fault; they are read once, and whatever they say
 * then, the result is a checked entry in a table of its own.
 *
 * Deliberately not here: L2 and above, what no kernel uses on page tables
 * (arithmetic, string instructions, SSE), anything that crosses an entry: the
 * guest gets its page fault.
 */
#include <entry/entry.h>
#include <mm/internal.h>

enum op {
	OP_NONE, OP_OR, OP_AND, OP_MOV, OP_XCHG, OP_CMPXCHG, OP_BTS, OP_BTR,
};

struct insn {
	u8 bytes[15];
	unsigned int len, pos;		/* read; decoded so far */
	unsigned int size;		/* of the operand, bytes */
	u8 *reg;			/* the register operand */
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

/* --- decoding -------------------------------------------------------- */

/* n more bytes, sign-extended.  Too far is found at the end of decode(). */
static u64 fetch(struct insn *in, unsigned int n)
{
	u64 x = 0;

	if (in->pos + n <= in->len)
		memcpy(&x, in->bytes + in->pos, n);
	in->pos += n;
	return (u64)((s64)(x << (64 - 8 * n)) >> (64 - 8 * n));
}

/* The instruction at rip, if it is one of ours with a memory operand. */
static bool decode(struct regs *r, struct insn *in)
{
	static const char prefixes[] = "\x66\x26\x2e\x36\x3e\x64\x65\x67"
				       "\xf0\xf2\xf3";
#define AT(name) offsetof(struct regs, name)
	static const u8 reg_at[16] = {
		AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp), AT(rsi),
		AT(rdi), AT(r8), AT(r9), AT(r10), AT(r11), AT(r12), AT(r13),
		AT(r14), AT(r15),
	};
	unsigned int op, rex = 0, modrm, field, rm, imm = 0;
	bool word = false;

	memset(in, 0, sizeof(*in));
	in->len = (unsigned int)(sizeof(in->bytes) -
				 copy_from_guest_partial(in->bytes, r->rip,
							 sizeof(in->bytes)));
	while ((op = (u8)fetch(in, 1)) && strchr(prefixes, (int)op))
		word |= op == 0x66;
	if ((op & 0xf0) == 0x40) {
		rex = op;
		op = (u8)fetch(in, 1);
	}
	if (op == 0x0f)
		op = 0xf00 | (u8)fetch(in, 1);
	in->size = rex & 8 ? 8 : word ? 2 : 4;
	/* Even opcodes are for bytes, but for the bit operation 0f ba. */
	if (!(op & 1) && op != 0xfba)
		in->size = 1;
	modrm = (u8)fetch(in, 1);
	field = modrm >> 3 & 7;
	rm = modrm & 7;
	if (modrm >= 0xc0)
		return false;
	if (rm == 4 && ((u8)fetch(in, 1) & 7) == 5)
		rm = 5;
	if (modrm >> 6 == 1)
		fetch(in, 1);
	else if (modrm >> 6 == 2 || rm == 5)
		fetch(in, 4);
	switch (op) {
	case 0x08: case 0x09: in->op = OP_OR; break;
	case 0x20: case 0x21: in->op = OP_AND; break;
	case 0x86: case 0x87: in->op = OP_XCHG; break;
	case 0x88: case 0x89: in->op = OP_MOV; break;
	case 0xfb0: case 0xfb1: in->op = OP_CMPXCHG; break;
	case 0xfab: in->op = OP_BTS; break;
	case 0xfb3: in->op = OP_BTR; break;
	case 0x80: case 0x81: case 0x83:
		in->op = field == 1 ? OP_OR : field == 4 ? OP_AND : OP_NONE;
		imm = op == 0x81 ? in->size : 1;
		break;
	case 0xc6: case 0xc7:
		in->op = field ? OP_NONE : OP_MOV;
		imm = in->size;
		break;
	case 0xfba:
		in->op = field == 5 ? OP_BTS : field == 6 ? OP_BTR : OP_NONE;
		imm = 1;
	}
	/* ah, ch, dh, bh */
	if (in->size == 1 && !rex && field >= 4 && !imm)
		return false;
	in->reg = (u8 *)r + reg_at[field | (rex & 4) << 1];
	if (imm)
		in->src = fetch(in, min(imm, 4U)) & size_mask(in->size);
	else
		memcpy(&in->src, in->reg, in->size);
	return in->op != OP_NONE && in->pos <= in->len;
}

/* --- doing it -------------------------------------------------------- */

/* What `cmp a, b` makes of the flags.  On the top bits of a word all sizes
 * behave alike, but for the parity. */
static u64 compare(unsigned int size, u64 a, u64 b, u64 flags)
{
	unsigned int shift = 64 - 8 * size;
	u64 f;

	__asm__("cmp %2, %1\n\tpushf\n\tpop %0"
		: "=r"(f) : "r"(a << shift), "r"(b << shift) : "cc");
	flags = (flags & ~(FLAGS_RESULT | FLAG_PF)) | (f & FLAGS_RESULT);
	return __builtin_popcount((u8)(a - b)) & 1 ? flags : flags | FLAG_PF;
}

/* What the operation makes of old, and of the flags. */
static u64 operate(const struct insn *in, u64 old, u64 rax, u64 *flags)
{
	u64 n = in->src & (8 * in->size - 1), new = in->src;

	switch (in->op) {
	case OP_BTS:
	case OP_BTR:
		*flags = (*flags & ~X86_EFLAGS_CF) | (old >> n & 1);
		return in->op == OP_BTS ? old | 1UL << n : old & ~(1UL << n);
	case OP_CMPXCHG:
		*flags = compare(in->size, rax, old, *flags);
		return *flags & FLAG_ZF ? new : old;
	case OP_OR:
	case OP_AND:
		new = in->op == OP_OR ? old | new : old & new;
		*flags = compare(in->size, new, 0, *flags);
		return new;
	default: return new;
	}
}

/* The entry by which v's kernel maps va read-only, and the fault was that it
 * is; else 0. */
static u64 read_only_entry(struct vcpu *v, u64 va, u32 error_code)
{
	bool write = (error_code & (PFEC_P | PFEC_W | PFEC_RSVD)) ==
		     (PFEC_P | PFEC_W);
	u64 *slot = write ? l1_slot(v, va) : NULL;
	u64 e = slot ? READ_ONCE(*slot) : 0;

	return (e & (PTE_P | PTE_RW)) == PTE_P ? e : 0;
}

/* The operand is the entry's bytes from the low three bits of cr2 on.  If the
 * entry changes meanwhile the guest tries again, as long as it takes. */
static bool store(struct vcpu *v, const struct insn *in, u64 *slot, u64 cr2)
{
	u64 mask = size_mask(in->size), entry = READ_ONCE(*slot);
	unsigned int shift = 8 * (cr2 & 7);
	struct regs *r = &v->regs;
	u64 old = entry >> shift & mask, flags = r->rflags;
	u64 new = operate(in, old, r->rax, &flags);
	bool failed = in->op == OP_CMPXCHG && !(flags & FLAG_ZF);
	int rc = 0;

	new = (entry & ~(mask << shift)) | new << shift;
	if (!failed)
		rc = l1_update_if(slot, entry, new, v->domain, v->domain);
	if (rc)
		return rc == -XEN_EAGAIN;
	/* A 32-bit result clears the upper half. */
	if (in->op == OP_XCHG || failed)
		memcpy(failed ? (u8 *)&r->rax : in->reg, &old,
		       in->size == 4 ? 8 : in->size);
	r->rflags = flags;
	retire(v, in->pos);
	return true;
}

/* See mm.h.  v is current, in kernel mode; the fault was a write. */
bool ptwr_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	u64 e = read_only_entry(v, cr2, error_code);
	struct insn in;
	bool done;

	if (!e || !table_hold(pte_mfn(e), v->domain, 1))
		return false;
	done = decode(&v->regs, &in) && !(cr2 & (in.size - 1)) &&
	       store(v, &in, paddr_to_virt((e & PTE_ADDR_MASK) |
					   (cr2 & 0xff8)), cr2);
	frame_put_type(pte_frame(e));
	return done;
}

/*
 * A Dom0 store to device memory that we let it map read-only: has no effect.
 * Only plain stores: others would have to read the device.
 */
bool mmio_ro_fault(struct vcpu *v, u64 cr2, u32 error_code)
{
	u64 e = read_only_entry(v, cr2, error_code);
	struct insn in;

	if (!e || !v->domain->is_privileged || mfn_valid(pte_mfn(e)) ||
	    iomem_permitted(v->domain, pte_mfn(e).m) != IOMEM_RO ||
	    !decode(&v->regs, &in) || in.op != OP_MOV)
		return false;
	retire(v, in.pos);
	return true;
}
