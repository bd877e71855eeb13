/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions that a guest cannot execute in ring 3, done on its behalf.
 *
 * They arrive as #GP (privileged ones, port access, INT n) or #UD (the forced
 * CPUID: ud2 "xen" cpuid).  Each either happens as a whole, rip moving on, or
 * leaves the guest as if it had never run; a repeated string access is cut at
 * any element, as the architecture allows.
 *
 * The bytes are read once, from the guest's own memory, so another vCPU that
 * changes them gains nothing.  Code must be in a flat segment of the GDT: no
 * limit has to be honoured then (XSA-298).  What the guest may do is asked of
 * its mode flag, its virtual IOPL and bitmap, and its domain's rights, never
 * of the hardware.
 *
 * Unknown means #GP.  Not offered: call gates, LMSW, CR8, INVD, RDPMC.
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>

#define INSN_MAX	15

struct insn {
	u16 opcode;		/* 0x0fXX: of two bytes */
	u8 arg;			/* the byte behind it, if it takes one */
	u8 rex, segment;	/* prefix bytes, 0 none */
	bool long_mode, operand16, address32, rep;
	unsigned int len;
};

/* --- decoding -- */

/*
 * Prefixes, opcode, and the byte behind it.  Behind what could be read are
 * zeroes, which are no prefix.  The processor has accepted the code segment,
 * so its descriptor exists; it must be a 64-bit one or flat.
 */
static bool fetch(const struct vcpu *v, struct insn *i)
{
	u8 byte[INSN_MAX + 2] = { 0 }, *b = byte;
	u64 sel = v->regs.cs, d;
	size_t left;

	if (sel & 4 || sel > SEL_RING3_CS64)
		return false;
	d = *(const u64 *)(GDT_VA(v->id) + (sel & ~7UL));
	i->long_mode = d >> 53 & 1;
	if (!i->long_mode && (d & 0xffcf00ffffffffff) != 0x00cf00000000ffff)
		return false;
	left = copy_from_guest_partial(byte, v->regs.rip, INSN_MAX);
	for (;; b++) {
		if (*b == 0x66)
			i->operand16 = true;
		else if (*b == 0x67)
			i->address32 = true;
		else if (*b == 0xf2 || *b == 0xf3)
			i->rep = true;
		else if ((*b & 0xe7) == 0x26 || (*b & 0xfe) == 0x64)
			i->segment = *b;
		else
			break;
	}
	if (i->long_mode && (*b & 0xf0) == 0x40)
		i->rex = *b++;
	i->opcode = *b++;
	if (i->opcode == 0x0f)
		i->opcode = 0x0f00 | *b++;
	i->arg = *b;
	switch (i->opcode) {
	case 0xcd:
	case 0xe4 ... 0xe7:
	case 0x0f01:
	case 0x0f20 ... 0x0f23: b++;
	}
	i->len = (unsigned int)(b - byte);
	return i->len + left <= INSN_MAX;
}

/* See entry.h. */
void retire(struct vcpu *v, unsigned int len)
{
	v->regs.rip += len;
	v->regs.rflags &= ~X86_EFLAGS_RF;
	if (v->regs.rflags & X86_EFLAGS_TF) {
		v->debugreg[6] |= 1 << 14;
		inject_trap(v, X86_EXC_DB, 0);
	}
}

/* --- ports -- */

static bool iopl_permits(const struct vcpu *v)
{
	return v->iopl >= (v->in_kernel ? 1 : 3);
}

/* By privilege, or a clear bit in the bitmap that the guest kernel set. */
static bool port_permitted(struct vcpu *v, u16 port, unsigned int bytes)
{
	u8 map[2] = { 0xff, 0xff };
	bool user = !v->in_kernel;

	if (iopl_permits(v) || port + bytes > v->iobmp_limit)
		return iopl_permits(v);
	if (user)	/* the bitmap is the kernel's memory */
		context_toggle_mode(v);
	/* What cannot be read stays set. */
	copy_from_guest_partial(map, v->iobmp + port / 8, 2);
	if (user)
		context_toggle_mode(v);
	return !((map[0] | map[1] << 8) >> (port & 7) & ((1U << bytes) - 1));
}

/* The access itself.  What a domain may not touch reads as ones. */
static u32 port_io(struct domain *d, u16 port, unsigned int bytes, bool out,
		   u32 val)
{
	if (d->is_privileged && port >= 0xcf8 && port + bytes <= 0xd00)
		return pci_guest_io(d, port, bytes, out, val);
	return ioport_permitted(d, port, bytes) ?
	       port_access(port, bytes, out, val) : ~0U;
}

/* e4-e7: immediate port; ec-ef: port in dx; bit 1: out. */
static bool do_port(struct vcpu *v, const struct insn *i, unsigned int bytes)
{
	u64 mask = (2UL << (8 * bytes - 1)) - 1, *rax = &v->regs.rax;
	u16 port = i->opcode & 8 ? v->regs.rdx : i->arg;
	bool ok = port_permitted(v, port, bytes), out = i->opcode & 2;
	u32 val = ok ? port_io(v->domain, port, bytes, out, *rax) : 0;

	if (ok && !out)		/* 32 bits clear the upper half */
		*rax = (bytes == 4 ? 0 : *rax & ~mask) | (val & mask);
	return ok;
}

/*
 * 6c-6f: ins and outs.  Registers are exact after every element, so stopping
 * between two of them needs no more than not moving rip.
 */
static bool do_port_string(struct vcpu *v, struct insn *i, unsigned int bytes)
{
	struct regs *r = &v->regs;
	bool out = i->opcode & 2;
	u64 *index = out ? &r->rsi : &r->rdi, base = 0;
	u64 mask = i->long_mode && !i->address32 ? ~0UL : ~0U;

	if (!port_permitted(v, r->rdx, bytes))
		return false;
	if (out && i->long_mode && (i->segment & 0xfe) == 0x64)
		base = rdmsr(i->segment & 1 ? MSR_GS_BASE : MSR_FS_BASE);
	while (!i->rep || r->rcx & mask) {
		u64 gva = (*index & mask) + base;
		u32 val = 0;
		int rc = copy_from_guest(&val, gva, bytes);

		/* Find out before the device does whether it can be stored. */
		if (!rc && !out)
			rc = copy_to_guest(gva, &val, bytes);
		if (!rc)
			val = port_io(v->domain, r->rdx, bytes, out, val);
		if (!rc && !out)
			rc = copy_to_guest(gva, &val, bytes);
		if (rc) {
			inject_page_fault(v, gva, out ? 0 : PFEC_W);
			i->len = 0;
			break;
		}
		*index += r->rflags & X86_EFLAGS_DF ? -(u64)bytes : bytes;
		*index &= mask;
		if (!i->rep)
			break;
		r->rcx = (r->rcx - 1) & mask;
		if (r->rcx && preempt_check()) {
			i->len = 0;
			break;
		}
	}
	return true;
}

/* --- control and debug registers -- */

#define CR4_NATIVE	(X86_CR4_TSD | X86_CR4_DE)
#define CR4_GUEST	(CR4_NATIVE | X86_CR4_OSXSAVE)
#define CR4_HIDDEN	(X86_CR4_PGE | X86_CR4_UMIP | X86_CR4_PCIDE | \
			 X86_CR4_SMEP | X86_CR4_SMAP)

/* 0f 20-23: mov to and from control (even) and debug (odd) registers. */
static bool do_mov_control(struct vcpu *v, struct insn *i)
{
	/* By their numbers in an instruction, their places in struct regs. */
	static const u8 place[16] = { 10, 11, 12, 5, 19, 4, 13, 14,
				      9,  8,  7,  6, 3,	 2, 1,	0 };
	unsigned int n = (i->arg >> 3 & 7) | (i->rex & 4) << 1;
	u64 *reg = (u64 *)&v->regs + place[(i->arg & 7) | (i->rex & 1) << 3];
	u64 cr0 = (read_cr0() & ~X86_CR0_TS) | (v->guest_ts ? X86_CR0_TS : 0);
	const u64 cr[] = { cr0, 0, v->cr2, v->l4_kernel.m << PAGE_SHIFT,
			   (hyp_cr4 & ~(CR4_GUEST | CR4_HIDDEN)) | v->cr4 };
	int rc;

	if (i->opcode & 1 && (n & 6) == 4)
		n += 2;
	switch (i->opcode << 4 | n) {
	case 0x0f200:
	case 0x0f202 ... 0x0f204:
		*reg = cr[n];
		return true;
	case 0x0f210 ... 0x0f217:
		*reg = v->debugreg[n];
		return true;
	case 0x0f220:
		if ((*reg ^ cr0) & ~X86_CR0_TS)
			return false;
		fpu_set_ts(v, *reg & X86_CR0_TS);
		return true;
	case 0x0f222:
		v->cr2 = *reg;
		v->vcpu_info->arch.cr2 = *reg;
		return true;
	case 0x0f223:
		/* First what an earlier change left of a page table. */
		rc = vcpu_reap(v);
		if (!rc)
			rc = vcpu_set_kernel_l4(v, MFN(*reg >> PAGE_SHIFT));
		if (rc == -XEN_ERESTART)
			i->len = 0;
		return !rc || rc == -XEN_ERESTART;
	case 0x0f224:	/* other bits are what they are */
		v->cr4 = *reg & CR4_GUEST;
		write_cr4(hyp_cr4 | (v->cr4 & CR4_NATIVE));
		return true;
	case 0x0f230 ... 0x0f237: return !vcpu_set_debugreg(v, n, *reg);
	}
	return false;
}

/* --- MSRs -- */

#define MSR_MISC_FEATURES	0x140
#define MSR_MCG_STATUS		0x17a
#define MSR_DE_CFG		0xc0011029
#define DE_CFG_LFENCE_SERIALISES (1UL << 1)
#define MISC_ENABLE_OFF		(1UL << 7 | 1UL << 18)	/* PMU, MONITOR */
#define MISC_ENABLE_ON		(1UL << 11 | 1UL << 12)	/* no BTS, no PEBS */

/*
 * The guest reads the hardware's value & keep | set; it is #GP where the
 * hardware has none, or on the other vendor's processors.  A write is refused,
 * ignored, or must be what a read gives; those that do something are in
 * msr_write().  Barriers and ARCH_CAPABILITIES are not in a guest's CPUID.
 */
static const struct msr_rule {
	u32 msr;
	enum { ANY, INTEL, AMD } vendor;
	enum { REFUSED, IGNORED, SAME } write;
	u64 keep, set;
} msr_rules[] = {
	{ MSR_FS_BASE, ANY, REFUSED, ~0UL, 0 },
	{ MSR_GS_BASE, ANY, REFUSED, ~0UL, 0 },
	{ MSR_KERNEL_GS_BASE, ANY, REFUSED, ~0UL, 0 },
	{ MSR_TSC_AUX, ANY, REFUSED, ~0UL, 0 },
	{ MSR_TSC, ANY, IGNORED, ~0UL, 0 },
	{ MSR_PLATFORM_ID, INTEL, REFUSED, ~0UL, 0 },
	{ MSR_APIC_BASE, ANY, SAME, 0, 0xfee00800 },
	{ MSR_UCODE_REV, ANY, IGNORED, ~0UL, 0 },
	{ MSR_MISC_FEATURES, INTEL, SAME, 0, 0 },
	{ MSR_MCG_CAP, ANY, REFUSED, 0, 0 },
	{ MSR_MCG_STATUS, ANY, IGNORED, 0, 0 },
	{ MSR_MISC_ENABLE, INTEL, IGNORED, ~MISC_ENABLE_OFF, MISC_ENABLE_ON },
	{ MSR_PAT, ANY, SAME, ~0UL, 0 },
	{ MSR_EFER, ANY, SAME, EFER_SCE | EFER_LME | EFER_LMA | EFER_NX, 0 },
	{ MSR_DE_CFG, AMD, IGNORED, DE_CFG_LFENCE_SERIALISES, 0 },
};

/* What rdmsr shows to v, the current vCPU; false: #GP. */
static bool msr_read(struct vcpu *v, const struct msr_rule *r, u64 *val)
{
	*val = 0;
	if (r->vendor != ANY && (r->vendor == AMD) != boot_cpu.amd)
		return false;
	if (r->keep && rdmsr_safe(r->msr, val))
		return false;
	*val = (*val & r->keep) | r->set;
	if (r->msr == MSR_APIC_BASE && !v->id)
		*val |= 1 << 8;		/* the boot processor */
	return true;
}

/* wrmsr by v, the current vCPU; false: #GP. */
static bool msr_write(struct vcpu *v, const struct msr_rule *r, u64 val)
{
	u64 now;

	switch (r->msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		if (va_canonical(val))
			wrmsr(r->msr, val);
		return va_canonical(val);
	case MSR_TSC_AUX:
		if (val >> 32 || !cpu_has(F_RDTSCP))
			return false;
		v->tsc_aux = val;
		wrmsr(r->msr, val);
		return true;
	}
	return msr_read(v, r, &now) && (r->write == IGNORED ||
					(r->write == SAME && now == val));
}

static void put_edx_eax(struct regs *r, u64 val)
{
	r->rax = (u32)val;
	r->rdx = val >> 32;
}

/* 0f 30 and 0f 32. */
static bool do_msr(struct vcpu *v, bool write)
{
	struct regs *r = &v->regs;
	u64 val = (u32)r->rax | r->rdx << 32;
	bool ok = false;

	for (unsigned int n = 0; n < ARRAY_SIZE(msr_rules); n++)
		if (msr_rules[n].msr == (u32)r->rcx)
			ok = write ? msr_write(v, &msr_rules[n], val)
				   : msr_read(v, &msr_rules[n], &val);
	if (!ok)
		guest_log(v->domain, LOG_DEBUG, "%s %lx refused, rip %lx\n",
			  write ? "wrmsr" : "rdmsr", r->rcx, r->rip);
	else if (!write)
		put_edx_eax(r, val);
	return ok;
}

/* --- the rest -- */

/* CPUID as the domain's policy has it; rip stays. */
static void do_cpuid(struct vcpu *v)
{
	struct regs *r = &v->regs;
	struct cpuid_leaf l;

	cpuid_guest(v, r->rax, r->rcx, &l);
	r->rax = l.a;
	r->rbx = l.b;
	r->rcx = l.c;
	r->rdx = l.d;
}

/* Does it; false: #GP.  A handler that sets the length to 0 has left rip where
 * it must be. */
static bool execute(struct vcpu *v, struct insn *i)
{
	unsigned int bytes = !(i->opcode & 1) ? 1 : i->operand16 ? 2 : 4;
	struct regs *r = &v->regs;

	switch (i->opcode) {
	case 0x6c ... 0x6f: return do_port_string(v, i, bytes);
	case 0xcd:			/* int n */
		soft_interrupt(v, i->arg, i->len);
		i->len = 0;
		return true;
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef: return do_port(v, i, bytes);
	case 0xfa ... 0xfb: return iopl_permits(v);	/* cli, sti: no-ops */
	case 0x0f34:
		i->len = 0;
		return bounce_sysenter(v);
	case 0x0fa2:
		do_cpuid(v);
		return true;
	}
	if (!v->in_kernel)
		return false;
	switch (i->opcode) {
	case 0x0f01:
		if (i->arg == 0xd1)	/* xsetbv */
			return !(u32)r->rcx &&
			       !fpu_set_xcr0(v, (u32)r->rax | r->rdx << 32);
		if (i->arg != 0xf9)	/* rdtscp, with TSD set */
			return false;
		r->rcx = v->tsc_aux;
		put_edx_eax(r, rdtsc());
		return true;
	case 0x0f06:			/* clts */
		fpu_set_ts(v, false);
		return true;
	case 0x0f09:
		if (v->domain->is_privileged)
			wbinvd();
		return true;
	case 0x0f20 ... 0x0f23: return do_mov_control(v, i);
	case 0x0f30: return do_msr(v, true);
	case 0x0f31:			/* rdtsc, with TSD set */
		put_edx_eax(r, rdtsc());
		return true;
	case 0x0f32: return do_msr(v, false);
	}
	return false;
}

/*
 * A #GP without a selector.  True if dealt with, which includes another
 * exception instead; false if it is the guest's #GP after all.
 */
bool emulate_privileged(struct vcpu *v)
{
	struct insn i = { 0 };

	if (!fetch(v, &i) || !execute(v, &i))
		return false;
	if (i.len)
		retire(v, i.len);
	return true;
}

/* #UD: the forced CPUID, in either mode; anything else is the guest's. */
bool emulate_invalid_op(struct vcpu *v)
{
	u8 byte[7];

	if (copy_from_guest_partial(byte, v->regs.rip, sizeof(byte)) ||
	    memcmp(byte, "\x0f\x0bxen\x0f\xa2", sizeof(byte)))
		return false;
	do_cpuid(v);
	retire(v, sizeof(byte));
	return true;
}
