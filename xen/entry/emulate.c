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
 * changes them gains nothing.  Code must be in a flat segment: no limit has to
 * be honoured then (XSA-298).  What the guest may do is asked of its mode
 * flag, its virtual IOPL and bitmap, and its domain's rights, never of the
 * hardware.
 *
 * Unknown means #GP.  Not offered: call gates, LMSW, CR8, INVD, RDPMC.
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>

#define INSN_MAX	15

struct insn {
	u8 byte[INSN_MAX];
	unsigned int len, pos;	/* bytes read, bytes consumed */
	u8 opcode;
	bool two_byte;		/* after 0x0f */
	bool long_mode, operand16, address32, rep;
	u8 rex;
	u8 segment;		/* prefix byte, 0 none */
};

/* --- decoding ------------------------------------------------------------- */

/* Base of a descriptor in the guest's GDT, which is mapped if lar liked it. */
static bool gdt_base_is_zero(const struct vcpu *v, u16 sel)
{
	u64 d;

	if (sel & 4)
		return false;
	d = *(const u64 *)(GDT_VA(v->id) + (sel & ~7UL));
	return !(d >> 16 & 0xffffff) && !(d >> 56);
}

/* Is v's code segment one that needs no checks?  Says also whether 64-bit. */
static bool code_is_flat(const struct vcpu *v, bool *long_mode)
{
	u64 sel = v->regs.cs, limit;
	u32 rights;
	bool ok;

	if (sel == SEL_RING3_CS64) {
		*long_mode = true;
		return true;
	}
	__asm__ volatile("lar %k2, %k0" : "=r"(rights), "=@ccz"(ok) : "r"(sel));
	if (!ok || !(rights & 1 << 11))
		return false;
	*long_mode = rights & 1 << 21;
	if (*long_mode)
		return true;
	__asm__ volatile("lsl %k2, %k0" : "=r"(limit), "=@ccz"(ok) : "r"(sel));
	return ok && (u32)limit == ~0U && rights & 1 << 22 &&
	       gdt_base_is_zero(v, sel);
}

static bool next_byte(struct insn *i, u8 *b)
{
	if (i->pos >= i->len)
		return false;
	*b = i->byte[i->pos++];
	return true;
}

/* Prefixes and opcode. */
static bool decode(struct insn *i)
{
	u8 b;

	while (next_byte(i, &b)) {
		switch (b) {
		case 0x66:
			i->operand16 = true;
			break;
		case 0x67:
			i->address32 = true;
			break;
		case 0xf2:
		case 0xf3:
			i->rep = true;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64:
		case 0x65:
			i->segment = b;
			break;
		default:
			if (i->long_mode && (b & 0xf0) == 0x40) {
				i->rex = b;
				if (!next_byte(i, &b))
					return false;
			}
			if (b == 0x0f) {
				i->two_byte = true;
				if (!next_byte(i, &b))
					return false;
			}
			i->opcode = b;
			return true;
		}
	}
	return false;
}

static bool fetch(struct vcpu *v, struct insn *i)
{
	memset(i, 0, sizeof(*i));
	if (!code_is_flat(v, &i->long_mode))
		return false;
	i->len = INSN_MAX - copy_from_guest_partial(i->byte, v->regs.rip,
						    INSN_MAX);
	return decode(i);
}

/* rip moves on; a single-stepped guest notices. */
static void retire(struct vcpu *v, unsigned int len)
{
	v->regs.rip += len;
	v->regs.rflags &= ~X86_EFLAGS_RF;
	if (v->regs.rflags & X86_EFLAGS_TF) {
		v->debugreg[6] |= 1 << 14;
		inject_trap(v, X86_EXC_DB, 0);
	}
}

static u64 *gpr(struct regs *r, unsigned int n)
{
	u64 *const reg[16] = {
		&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi,
		&r->rdi, &r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13,
		&r->r14, &r->r15
	};

	return reg[n & 15];
}

/* A partial result in rax: 8 and 16 bits keep the rest, 32 clear it. */
static void set_rax(struct regs *r, unsigned int bytes, u32 val)
{
	if (bytes == 4)
		r->rax = val;
	else if (bytes == 2)
		r->rax = (r->rax & ~0xffffUL) | (val & 0xffff);
	else
		r->rax = (r->rax & ~0xffUL) | (val & 0xff);
}

/* --- ports ------------------------------------------------------------------ */

/* Serialises index and data of the CMOS clock between Dom0's vCPUs. */
static struct spinlock rtc_lock = SPINLOCK(LOCK_IRQ);

/* A clear bit in the bitmap that the guest kernel set: for its users. */
static bool iobitmap_permits(struct vcpu *v, u16 port, unsigned int bytes)
{
	u8 map[2] = { 0xff, 0xff };
	bool user = !v->in_kernel;
	size_t left;

	if (port + bytes > v->iobmp_limit)
		return false;
	if (user)	/* the bitmap is the kernel's memory */
		context_toggle_mode(v);
	left = copy_from_guest_partial(map, v->iobmp + port / 8, 2);
	if (user)
		context_toggle_mode(v);
	if (left == 2)
		return false;
	return !((map[0] | map[1] << 8) >> (port & 7) & ((1U << bytes) - 1));
}

static bool iopl_permits(const struct vcpu *v)
{
	unsigned int need = 3;

	if (v->in_kernel)
		need = !(v->domain->vm_assist &
			 1UL << VMASST_TYPE_architectural_iopl);
	return v->iopl >= need;
}

static bool port_permitted(struct vcpu *v, u16 port, unsigned int bytes)
{
	return iopl_permits(v) || iobitmap_permits(v, port, bytes);
}

static u8 rtc_read(u8 index)
{
	u8 val;

	spin_lock(&rtc_lock);
	outb(0x70, index);
	val = inb(0x71);
	spin_unlock(&rtc_lock);
	return val;
}

static void rtc_write(u8 index, u8 val)
{
	spin_lock(&rtc_lock);
	outb(0x70, index);
	outb(0x71, val);
	spin_unlock(&rtc_lock);
}

/* Dom0's view of what is shared with it: clock, timer channel 2.  False if
 * the port is none of these. */
static bool special_in(struct domain *d, u16 port, u32 *val)
{
	switch (port) {
	case 0x70:
		*val = d->rtc_index;
		return true;
	case 0x71:
		*val = rtc_read(d->rtc_index);
		return true;
	case 0x42:
	case 0x61:
		*val = inb(port);
		return true;
	case 0x43:
		*val = ~0U;
		return true;
	}
	return false;
}

static bool special_out(struct domain *d, u16 port, u8 val)
{
	switch (port) {
	case 0x70:
		d->rtc_index = val & 0x7f;
		return true;
	case 0x71:
		rtc_write(d->rtc_index, val);
		return true;
	case 0x42:
		outb(port, val);
		return true;
	case 0x43:	/* channel 2, or reading back channel 2 alone */
		if (val >> 6 == 2 || (val >> 6 == 3 && (val & 0xf) == 8))
			outb(port, val);
		return true;
	case 0x61:
		outb(port, (inb(port) & 0xc) | (val & 3));
		return true;
	}
	return false;
}

static bool is_pci_port(u16 port, unsigned int bytes)
{
	return port >= 0xcf8 && port + bytes <= 0xd00;
}

static u32 port_in(struct domain *d, u16 port, unsigned int bytes)
{
	u32 val;

	if (d->is_privileged) {
		if (is_pci_port(port, bytes))
			return pci_guest_in(d, port, bytes);
		if (bytes == 1 && special_in(d, port, &val))
			return val;
	}
	if (!ioport_permitted(d, port, bytes))
		return ~0U;
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static void port_out(struct domain *d, u16 port, unsigned int bytes, u32 val)
{
	if (d->is_privileged) {
		if (is_pci_port(port, bytes)) {
			pci_guest_out(d, port, bytes, val);
			return;
		}
		if (bytes == 1 && special_out(d, port, val))
			return;
	}
	if (!ioport_permitted(d, port, bytes))
		return;
	if (bytes == 1)
		outb(port, val);
	else if (bytes == 2)
		outw(port, val);
	else
		outl(port, val);
}

static unsigned int port_width(const struct insn *i)
{
	return !(i->opcode & 1) ? 1 : i->operand16 ? 2 : 4;
}

/* e4-e7: immediate port; ec-ef: port in dx; bit 1: out. */
static bool do_port(struct vcpu *v, struct insn *i)
{
	struct regs *r = &v->regs;
	unsigned int bytes = port_width(i);
	u16 port = r->rdx;
	u8 imm;

	if (!(i->opcode & 8)) {
		if (!next_byte(i, &imm))
			return false;
		port = imm;
	}
	if (!port_permitted(v, port, bytes))
		return false;
	if (i->opcode & 2)
		port_out(v->domain, port, bytes, r->rax);
	else
		set_rax(r, bytes, port_in(v->domain, port, bytes));
	retire(v, i->pos);
	return true;
}

/* One element between port and memory: 0 or -XEN_EFAULT. */
static int string_element(struct vcpu *v, bool out, u64 gva,
			  unsigned int bytes)
{
	u16 port = v->regs.rdx;
	u32 val = 0;
	int rc;

	if (out) {
		rc = copy_from_guest(&val, gva, bytes);
		if (!rc)
			port_out(v->domain, port, bytes, val);
		return rc;
	}
	/* Find out before the device does whether it can be stored. */
	rc = copy_from_guest(&val, gva, bytes);
	if (!rc)
		rc = copy_to_guest(gva, &val, bytes);
	if (rc)
		return rc;
	val = port_in(v->domain, port, bytes);
	return copy_to_guest(gva, &val, bytes);
}

static u64 string_base(const struct insn *i, bool out)
{
	if (!out || !i->long_mode)
		return 0;	/* es, and others if flat: 0 */
	if (i->segment == 0x64)
		return rdmsr(MSR_FS_BASE);
	return i->segment == 0x65 ? rdmsr(MSR_GS_BASE) : 0;
}

/* Adds to a register as wide as addresses are. */
static void advance(u64 *reg, u64 by, u64 mask)
{
	*reg = mask == ~0UL ? *reg + by : (u32)(*reg + by);
}

/*
 * 6c-6f: ins and outs.  Registers are exact after every element, so stopping
 * between two of them needs no more than not moving rip.
 */
static bool do_port_string(struct vcpu *v, struct insn *i)
{
	struct regs *r = &v->regs;
	unsigned int bytes = port_width(i);
	bool out = i->opcode & 2;
	u64 *index = out ? &r->rsi : &r->rdi, gva, base = string_base(i, out);
	u64 mask = i->long_mode && !i->address32 ? ~0UL : ~0U;

	if (!port_permitted(v, r->rdx, bytes))
		return false;
	while (!i->rep || r->rcx & mask) {
		gva = (*index & mask) + base;
		if (!guest_range_ok(gva, bytes))
			return false;
		if (string_element(v, out, gva, bytes)) {
			inject_page_fault(v, gva, out ? 0 : PFEC_W);
			return true;
		}
		advance(index, r->rflags & X86_EFLAGS_DF ? -(u64)bytes : bytes,
			mask);
		if (!i->rep)
			break;
		advance(&r->rcx, ~0UL, mask);
		if ((r->rcx & mask) && preempt_check())
			return true;
	}
	retire(v, i->pos);
	return true;
}

/* --- control and debug registers ------------------------------------------------ */

#define CR4_GUEST	(X86_CR4_TSD | X86_CR4_DE | X86_CR4_OSXSAVE)
#define CR4_HIDDEN	(X86_CR4_PGE | X86_CR4_UMIP | X86_CR4_FSGSBASE | \
			 X86_CR4_PCIDE | X86_CR4_SMEP | X86_CR4_SMAP)

static u64 cr0_view(const struct vcpu *v)
{
	return (read_cr0() & ~X86_CR0_TS) | (v->guest_ts ? X86_CR0_TS : 0);
}

static bool cr_read(const struct vcpu *v, unsigned int n, u64 *val)
{
	switch (n) {
	case 0:
		*val = cr0_view(v);
		return true;
	case 2:
		*val = v->cr2;
		return true;
	case 3:
		*val = v->l4_kernel.m << PAGE_SHIFT;
		return true;
	case 4:
		*val = (hyp_cr4 & ~(CR4_GUEST | CR4_HIDDEN)) | v->cr4;
		return true;
	}
	return false;
}

/* Other bits than these are what they are, whatever the guest writes. */
static void cr4_write(struct vcpu *v, u64 val)
{
	v->cr4 = val & CR4_GUEST;
	write_cr4(hyp_cr4 | (v->cr4 & (X86_CR4_TSD | X86_CR4_DE)));
}

static bool cr3_write(struct vcpu *v, u64 val, bool *again)
{
	int rc = vcpu_set_kernel_l4(v, MFN(val >> PAGE_SHIFT));

	*again = rc == -XEN_ERESTART;
	if (!rc && this_cpu()->cr3 != v->cr3_kernel)
		cr3_load(v->cr3_kernel, true);
	return !rc || *again;
}

static bool cr_write(struct vcpu *v, unsigned int n, u64 val, bool *again)
{
	switch (n) {
	case 0:
		if ((val ^ cr0_view(v)) & ~X86_CR0_TS)
			return false;
		fpu_set_ts(v, val & X86_CR0_TS);
		return true;
	case 2:
		v->cr2 = val;
		v->vcpu_info->arch.cr2 = val;
		return true;
	case 3:
		return cr3_write(v, val, again);
	case 4:
		cr4_write(v, val);
		return true;
	}
	return false;
}

/* 0f 20-23: mov to and from control (even) and debug (odd) registers. */
static bool do_mov_control(struct vcpu *v, struct insn *i)
{
	bool to = i->opcode & 2, ok, again = false;
	unsigned int n;
	u64 *reg;
	u8 modrm;

	if (!next_byte(i, &modrm))
		return false;
	n = (modrm >> 3 & 7) | (i->rex & 4) << 1;
	reg = gpr(&v->regs, (modrm & 7) | (i->rex & 1) << 3);
	if (i->opcode & 1) {
		if (n > 7)
			return false;
		if (n == 4 || n == 5)
			n += 2;
		ok = !to || !vcpu_set_debugreg(v, n, *reg);
		if (!to)
			*reg = v->debugreg[n];
	} else {
		ok = to ? cr_write(v, n, *reg, &again) : cr_read(v, n, reg);
	}
	if (ok && !again)
		retire(v, i->pos);
	return ok;
}

/* --- MSRs ---------------------------------------------------------------------------- */

#define MSR_MISC_FEATURES	0x140
#define MSR_MCG_STATUS		0x17a
#define MSR_DE_CFG		0xc0011029
#define MSR_HYPERCALL_PAGE	0x40000000
#define DE_CFG_LFENCE_SERIALISES (1UL << 1)
#define MISC_ENABLE_OFF		(1UL << 7 | 1UL << 18)	/* PMU, MONITOR */
#define MISC_ENABLE_ON		(1UL << 11 | 1UL << 12)	/* no BTS, no PEBS */
#define ARCH_CAPS_SHOWN		0x1fbUL	/* what is not, and needs no, defence */

static bool canonical(u64 a)
{
	return (u64)((s64)(a << 16) >> 16) == a;
}

/* Does v's CPUID show this bit of leaf 7's edx? */
static bool guest_has_7d(const struct vcpu *v, unsigned int feature)
{
	struct cpuid_leaf l;

	cpuid_guest(v, 7, 0, &l);
	return l.d >> (feature & 31) & 1;
}

static int host_msr(u32 msr, bool vendor, u64 *val)
{
	return vendor && !rdmsr_safe(msr, val) ? 0 : -XEN_EINVAL;
}

static int rdmsr_intel(const struct vcpu *v, u32 msr, u64 *val)
{
	int rc = host_msr(msr, !boot_cpu.amd, val);

	if (!rc && msr == MSR_MISC_ENABLE)
		*val = (*val & ~MISC_ENABLE_OFF) | MISC_ENABLE_ON;
	if (!rc && msr == MSR_ARCH_CAPABILITIES) {
		*val &= ARCH_CAPS_SHOWN;
		return guest_has_7d(v, F_ARCH_CAPS) ? 0 : -XEN_EINVAL;
	}
	return rc;
}

/* What rdmsr shows to v, the current vCPU: 0 or -XEN_EINVAL for #GP. */
int emulate_rdmsr(struct vcpu *v, u32 msr, u64 *val)
{
	int rc;

	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		*val = rdmsr(msr);
		return 0;
	case MSR_EFER:
		*val = rdmsr(MSR_EFER) &
		       (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
		return 0;
	case MSR_PAT:
		*val = XEN_PAT;
		return 0;
	case MSR_APIC_BASE:
		*val = 0xfee00800 | (v->id ? 0 : 1 << 8);
		return 0;
	case MSR_TSC:
		*val = rdtsc();
		return 0;
	case MSR_TSC_AUX:
		*val = v->tsc_aux;
		return cpu_has(F_RDTSCP) ? 0 : -XEN_EINVAL;
	case MSR_MISC_FEATURES:
		*val = v->misc_features;
		return boot_cpu.amd ? -XEN_EINVAL : 0;
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
		*val = 0;
		return 0;
	case MSR_UCODE_REV:
		return host_msr(msr, true, val);
	case MSR_PLATFORM_ID:
	case MSR_MISC_ENABLE:
	case MSR_ARCH_CAPABILITIES:
		return rdmsr_intel(v, msr, val);
	case MSR_DE_CFG:
		rc = host_msr(msr, boot_cpu.amd, val);
		*val &= DE_CFG_LFENCE_SERIALISES;
		return rc;
	}
	return -XEN_EINVAL;
}

static int wrmsr_base(struct vcpu *v, u32 msr, u64 val)
{
	if (!canonical(val))
		return -XEN_EINVAL;
	if (msr == MSR_FS_BASE)
		v->fs_base = val;
	else if ((msr == MSR_GS_BASE) == !!v->in_kernel)
		v->gs_base_kernel = val;
	else
		v->gs_base_user = val;
	wrmsr(msr, val);
	return 0;
}

/* Commands to the processor: the guest may order a barrier for itself. */
static int wrmsr_barrier(struct vcpu *v, u32 msr, u64 val)
{
	unsigned int needs = msr == MSR_PRED_CMD ? F_IBRSB : F_L1D_FLUSH;

	if (val & ~1UL || !cpu_has(needs) || !guest_has_7d(v, needs))
		return -XEN_EINVAL;
	return val && wrmsr_safe(msr, val) ? -XEN_EINVAL : 0;
}

/* The guest asks for call stubs in one of its pages. */
static int fill_hypercall_page(struct vcpu *v, u64 val)
{
	struct frame *f = mfn_get(MFN(val >> PAGE_SHIFT), v->domain);
	int rc = -XEN_EINVAL;

	if (!f)
		return rc;
	if (!frame_get_type(f, v->domain, TYPE_WRITABLE)) {
		hypercall_page_init(mfn_to_virt(frame_to_mfn(f)));
		frame_put_type(f);
		rc = 0;
	}
	frame_put(f);
	return rc;
}

/* wrmsr by v, the current vCPU: 0 or -XEN_EINVAL for #GP. */
int emulate_wrmsr(struct vcpu *v, u32 msr, u64 val)
{
	u64 now;

	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		return wrmsr_base(v, msr, val);
	case MSR_EFER:
	case MSR_PAT:
	case MSR_APIC_BASE:
		/* Only what is there already. */
		return emulate_rdmsr(v, msr, &now) || now != val ? -XEN_EINVAL
								 : 0;
	case MSR_TSC_AUX:
		if (val >> 32 || !cpu_has(F_RDTSCP))
			return -XEN_EINVAL;
		v->tsc_aux = val;
		wrmsr(msr, val);
		return 0;
	case MSR_MISC_FEATURES:
		return val || boot_cpu.amd ? -XEN_EINVAL : 0;
	case MSR_UCODE_REV:
	case MSR_MISC_ENABLE:
		return boot_cpu.amd ? -XEN_EINVAL : 0;	/* ignored */
	case MSR_DE_CFG:
		return boot_cpu.amd ? 0 : -XEN_EINVAL;	/* ignored */
	case MSR_TSC:
	case MSR_MCG_STATUS:
		return 0;				/* ignored */
	case MSR_PRED_CMD:
	case MSR_FLUSH_CMD:
		return wrmsr_barrier(v, msr, val);
	case MSR_HYPERCALL_PAGE:
		return fill_hypercall_page(v, val);
	}
	return -XEN_EINVAL;
}

/* 0f 30 and 0f 32. */
static bool do_msr(struct vcpu *v, const struct insn *i)
{
	struct regs *r = &v->regs;
	u32 msr = r->rcx;
	u64 val = (u32)r->rax | r->rdx << 32;
	bool write = i->opcode == 0x30;

	if (write ? emulate_wrmsr(v, msr, val) : emulate_rdmsr(v, msr, &val)) {
		guest_log(v->domain, LOG_DEBUG, "%s %x refused, rip %lx\n",
			  write ? "wrmsr" : "rdmsr", msr, r->rip);
		return false;
	}
	if (!write) {
		r->rax = (u32)val;
		r->rdx = val >> 32;
	}
	retire(v, i->pos);
	return true;
}

/* --- the rest --------------------------------------------------------------------------- */

static void put_edx_eax(struct regs *r, u64 val)
{
	r->rax = (u32)val;
	r->rdx = val >> 32;
}

/* CPUID as the domain's policy has it; rip stays. */
void emulate_cpuid(struct vcpu *v)
{
	struct regs *r = &v->regs;
	struct cpuid_leaf l;

	cpuid_guest(v, r->rax, r->rcx, &l);
	r->rax = l.a;
	r->rbx = l.b;
	r->rcx = l.c;
	r->rdx = l.d;
}

/* 0f 01: xsetbv (d1) and rdtscp (f9). */
static bool do_group7(struct vcpu *v, struct insn *i)
{
	struct regs *r = &v->regs;
	u8 modrm;

	if (!next_byte(i, &modrm) || !v->in_kernel)
		return false;
	if (modrm == 0xf9) {
		put_edx_eax(r, rdtsc());
		r->rcx = v->tsc_aux;
	} else if (modrm != 0xd1 || (u32)r->rcx ||
		   fpu_set_xcr0(v, (u32)r->rax | r->rdx << 32)) {
		return false;
	}
	retire(v, i->pos);
	return true;
}

static void write_back_caches(const struct domain *d)
{
	if (d->is_privileged)
		__asm__ volatile("wbinvd" ::: "memory");
}

static bool do_two_byte(struct vcpu *v, struct insn *i)
{
	if (i->opcode == 0x34)		/* sysenter */
		return bounce_sysenter(v);
	if (i->opcode == 0xa2) {
		emulate_cpuid(v);
		retire(v, i->pos);
		return true;
	}
	if (!v->in_kernel)
		return false;
	switch (i->opcode) {
	case 0x01:
		return do_group7(v, i);
	case 0x06:			/* clts */
		fpu_set_ts(v, false);
		break;
	case 0x09:			/* wbinvd */
		write_back_caches(v->domain);
		break;
	case 0x20: case 0x21: case 0x22: case 0x23:
		return do_mov_control(v, i);
	case 0x30: case 0x32:
		return do_msr(v, i);
	case 0x31:			/* rdtsc, with TSD set */
		put_edx_eax(&v->regs, rdtsc());
		break;
	default:
		return false;
	}
	retire(v, i->pos);
	return true;
}

static bool do_one_byte(struct vcpu *v, struct insn *i)
{
	u8 vector;

	switch (i->opcode) {
	case 0x6c: case 0x6d: case 0x6e: case 0x6f:
		return do_port_string(v, i);
	case 0xcd:			/* int n */
		if (!next_byte(i, &vector))
			return false;
		soft_interrupt(v, vector, i->pos);
		return true;
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		return do_port(v, i);
	case 0xfa: case 0xfb:		/* cli, sti: without effect */
		if (!iopl_permits(v))
			return false;
		retire(v, i->pos);
		return true;
	}
	return false;
}

/*
 * A #GP without a selector.  True if dealt with, which includes another
 * exception instead; false if it is the guest's #GP after all.
 */
bool emulate_privileged(struct vcpu *v)
{
	struct insn i;

	if (!fetch(v, &i))
		return false;
	return i.two_byte ? do_two_byte(v, &i) : do_one_byte(v, &i);
}

/* #UD: the forced CPUID, in either mode; anything else is the guest's. */
bool emulate_invalid_op(struct vcpu *v)
{
	static const u8 forced_cpuid[7] = {
		0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2
	};
	u8 byte[sizeof(forced_cpuid)];

	if (copy_from_guest_partial(byte, v->regs.rip, sizeof(byte)) ||
	    memcmp(byte, forced_cpuid, sizeof(byte)))
		return false;
	emulate_cpuid(v);
	retire(v, sizeof(byte));
	return true;
}
