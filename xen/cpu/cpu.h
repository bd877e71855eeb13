/* SPDX-License-Identifier: GPL-2.0 */
/* The processors: features, descriptors, interrupts, context. */
#pragma once

#include <lib/lib.h>
#include <layout.h>

struct vcpu;

/*
 * Registers as every door into ring 0 leaves them; the ABI's cpu_user_regs
 * has the same layout (asserted in entry/offsets.c).
 */
struct regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi;
	u32 error_code;
	u32 entry_vector;
	u64 rip;
	u16 cs, pad0;
	u8 saved_upcall_mask, pad1[3];
	u64 rflags, rsp;
	u16 ss, pad2[3], es, pad3[3], ds, pad4[3], fs, pad5[3], gs, pad6[3];
};

static inline bool regs_from_guest(const struct regs *r)
{
	return r->cs & 3;
}

struct tss {
	u32 reserved0;
	u64 rsp0, rsp1, rsp2, reserved1;
	u64 ist[7], reserved2;		/* ist[0] is IST 1 */
	u16 reserved3, iomap_base;
} __packed;
enum { IST_DF = 1, IST_NMI, IST_MC, IST_DB };
struct pseudo_desc { u16 limit; u64 base; } __packed;	/* for LGDT, LIDT */

/*
 * One per CPU, at PERCPU_BASE + (id << 16) + 0x1000; see layout.h.  The first
 * fields are used by assembly.
 */
struct cpu {
	u64 guest_rsp;		/* syscall stub's scratch */
	u64 regs_top;		/* &current->regs.es = tss.rsp0 */
	struct vcpu *curr;	/* who runs here; the idle vCPU when nobody */
	u32 id;
	u32 work;		/* WORK_*: set with atomic_or, any CPU */
	struct vcpu *loaded;	/* whose FPU, selectors and cr3 are in the
				 * hardware; current, or while idle the last */
	u64 cr3;		/* what cr3 holds */
	u32 apic_id, acpi_id;	/* local APIC's, and processor's in the MADT */
	bool in_window;		/* inside preempt_check()'s interrupt window */
	u64 tlb_epoch;		/* mm/tlb.c: clock when last flushed */
	u64 locks_held;		/* debug: four bits per order (spinlock.c) */
	u64 *gdt;		/* its own GDT: loaded while no guest is */
	u64 xcr0;		/* what XCR0 holds */
	struct tss tss __aligned(16);
};

/* Valid on any hypervisor stack (CPU's own or IST): two instructions. */
static always_inline struct cpu *this_cpu(void)
{
	u64 sp;

	__asm__("mov %%rsp,%0" : "=r"(sp));
	return (struct cpu *)((sp & ~(PERCPU_SIZE - 1)) + PERCPU_CPU_OFF);
}
#define current			(this_cpu()->curr)
#define smp_processor_id()	(this_cpu()->id)

static inline struct cpu *cpu_ptr(unsigned int id)
{
	return (struct cpu *)(PERCPU_BASE + ((u64)id << PERCPU_SHIFT) +
			      PERCPU_CPU_OFF);
}

extern cpumask_t cpus_online;		/* bit per cpu id */
/* Bits in cpus_online; ids 0 .. nr_cpus-1, from the MADT. */
extern unsigned int nr_online, nr_cpus;
#define for_each_cpu(c, mask) \
	for (cpumask_t m_ = (mask); m_ && ((c) = ffs64(m_), true); m_ &= m_ - 1)

/* Bits of cpu.work: what exit_work() has to do before the guest runs. */
#define WORK_SCHED	(1U << 0)	/* pick again who runs */
#define WORK_TIMER	(1U << 1)	/* a deadline passed */
#define WORK_NMI	(1U << 2)	/* boot CPU: one came */
#define WORK_VCPU	(1U << 3)	/* current has something (v->work) */
#define WORK_RCU	(1U << 4)
#define WORK_KEYS	(1U << 5)	/* console input for a key handler */

static inline void cpu_set_work(unsigned int id, u32 bits)
{
	atomic_or(&cpu_ptr(id)->work, bits);
}

/* --- cpu.c: features ------------------------------------------------- */
/*
 * Features as (word << 5 | bit); the words are those of the ABI's CPU
 * featureset (cpufeatureset.h): 0 = 1.edx, 1 = 1.ecx, 2 = 80000001.edx,
 * 3 = 80000001.ecx, 4 = d:1.eax, 5 = 7:0.ebx, 6 = 7:0.ecx, 7 = 80000007.edx,
 * 8 = 80000008.ebx, 9 = 7:0.edx, 10 = 7:1.eax, 11 = 80000021.eax, ...
 */
#define X86F(word, bit)	((word) << 5 | (bit))
enum {
	F_TSC_DEADLINE = X86F(1, 24), F_XSAVE = X86F(1, 26),
	F_AVX = X86F(1, 28), F_RDTSCP = X86F(2, 27),
	F_SMEP = X86F(5, 7), F_SMAP = X86F(5, 20), F_UMIP = X86F(6, 2),
	F_ITSC = X86F(7, 8), F_IBPB_AMD = X86F(8, 12), F_IBRSB = X86F(9, 26),
	F_ARCH_CAPS = X86F(9, 29), F_AUTO_IBRS = X86F(11, 8),
};
#define NR_FEATURE_WORDS 19

/* Sets of XSAVE components that guests may choose. */
enum { XCR0_X87 = 1, XCR0_SSE = 3, XCR0_AVX = 7, XCR0_AVX512 = 0xe7 };

struct cpu_info {
	u32 features[NR_FEATURE_WORDS];	/* the boot CPU's */
	char vendor[16];		/* "GenuineIntel" ... */
	u32 max_leaf, max_ext_leaf;
	unsigned int phys_bits;
	u64 xcr0;			/* all XSAVE components we can switch */
	u64 tsc_khz;
	bool amd;			/* AMD or Hygon */
};
extern struct cpu_info boot_cpu;

static inline bool cpu_has(unsigned int f)
{
	return boot_cpu.features[f >> 5] >> (f & 31) & 1;
}

void cpu_identify(void);	/* boot CPU, early: fills boot_cpu */
/* Every CPU: CR0, CR4, EFER, PAT, SYSCALL MSRs, speculation controls. */
void cpu_init_this(void);
extern u64 hyp_cr4;		/* CR4 bits always on in ring 0 and guests */
extern bool spec_ibpb;	/* IBPB when another domain's vCPU is loaded */
extern bool smap_enabled;

static always_inline void stac(void)
{
	if (smap_enabled)
		__asm__ volatile("stac" ::: "memory", "cc");
}

static always_inline void clac(void)
{
	if (smap_enabled)
		__asm__ volatile("clac" ::: "memory", "cc");
}

/* --- descr.c: GDT, IDT, TSS; guest descriptors ------------------------ */
/* Every CPU: own GDT, TSS with its IST stacks, the IDT, syscall stub. */
void descr_init_this(void);
extern mfn_t gdt_reserved_mfn;	/* page 14 of every guest GDT */
/*
 * Makes a guest's GDT or LDT entry harmless in place: DPL 0 becomes 3, call
 * gates lose their presence.  False if it may not stand in a table at all
 * (TSS, LDT, 16-bit or task gates; public ABI: update_descriptor).
 */
bool descr_fixup(u64 *desc);
/* Loads v's GDT (always) and LDT (if it has one), or the CPU's own for NULL. */
void descr_load(const struct vcpu *v);

/* --- context.c: the hardware state that is not in struct regs --- */
/*
 * Makes `next` the CPU's current.  Called by the scheduler only, interrupts
 * off.  For a guest vCPU the FPU, selectors, bases, debug registers, GDT, LDT
 * and cr3 are switched unless they are still loaded; the idle vCPU leaves
 * the last guest's state loaded (cpu->loaded).
 */
void context_switch(struct vcpu *prev, struct vcpu *next);
/*
 * Brings v's state home to struct vcpu if it is still loaded on some CPU.
 * v must not be running.  Needed before reading or changing its context.
 */
void context_sync(struct vcpu *v);
/* Kernel <-> user mode of the current vCPU: flips mode flag, GS base, cr3. */
void context_toggle_mode(struct vcpu *v);
/* Loads the selector that the guest's user mode will have in GS, NUL if the
 * processor refuses it, and with it the user GS base. */
void context_load_user_gs(struct vcpu *v, u16 sel);
/* Writes cr3 (full flush with global pages if asked), keeps cpu->cr3. */
void cr3_load(u64 cr3, bool flush_global);
/* Recomputes v's hardware cr3 values from its L4 frames. */
void vcpu_update_cr3(struct vcpu *v);

/* A page holds all components; FCW becomes 0x37f, MXCSR 0x1f80. */
void fpu_reset(struct vcpu *v);
/* XSETBV on behalf of v: 0, or -XEN_EINVAL if outside policy. */
int fpu_set_xcr0(struct vcpu *v, u64 xcr0);
/* The guest's CR0.TS, in v and in the hardware (v = current). */
void fpu_set_ts(struct vcpu *v, bool ts);

/* --- apic.c: local APIC: IPIs, calls between CPUs, timer tick ----------- */
enum vectors {
	VEC_FIRST_DEVICE = 0x20,
	VEC_SYSCALL32	= 0x80,		/* a guest's INT 0x80 */
	VEC_LAST_DEVICE	= 0xef,
	VEC_TIMER	= 0xf0,
	VEC_CALL	= 0xf2,		/* cpu_call() */
	VEC_KICK	= 0xf3,		/* only to leave the guest or idle */
	VEC_SPURIOUS	= 0xff,
};
enum { IPI_NMI = 4 << 8, IPI_INIT = 5 << 8 | 1 << 15, IPI_STARTUP = 6 << 8 };
void apic_init_boot(void);	/* maps it; calibrates TSC and timer */
void apic_init_this(void);
void apic_eoi(void);
/* `what`: a vector, IPI_NMI, IPI_INIT, or IPI_STARTUP | page number. */
void apic_send_ipi(unsigned int cpu, u32 what);
/* Programs this CPU's one deadline: absolute ns of clock_ns(); ~0 = none. */
void apic_set_deadline(u64 ns);
u32 apic_read_id(void);
/*
 * Runs fn(arg) on every CPU of mask (self included, directly) and waits.
 * fn runs with interrupts off and must be short.  While it waits this CPU
 * serves requests of others, so two CPUs may call each other.
 */
void cpu_call(cpumask_t mask, void (*fn)(void *), void *arg);
/* Serves pending calls; spinners call it (interrupts off). */
void cpu_poll(void);

/* A lock of one byte; store_release(lock, 0) gives it back. */
static always_inline void byte_lock(u8 *lock)
{
	while (unlikely(xchg(lock, 1)))
		cpu_poll();
}

/* The machine goes down: every other CPU stops for good.  The first one that
 * asks goes on.  Does not wait.  Any context, NMI included. */
void cpu_stop_others(void);
void cpu_stop_check(void);	/* in an NMI: stops here if told so */

/* --- irq.c: vectors, lines, guest-bound interrupts --------------------- */
/*
 * A pirq is a domain's name for an interrupt line.  pirq n < nr_gsi is GSI n;
 * above that are MSIs.  Only Dom0 has any.
 */
#define NR_PIRQS	512
extern unsigned int nr_gsi;
void irq_init(void);		/* sets nr_gsi */
bool ioapic_address_reserved(paddr_t pa);
/* Id or version of the IO-APIC at physical base `pa`: 0, -XEN_EINVAL. */
int ioapic_guest_read(paddr_t pa, u32 reg, u32 *value);
/* Any vector from VEC_FIRST_DEVICE up arrived (interrupts off); called from
 * entry/traps.c.  Acknowledges it at the local APIC. */
void irq_handle(u8 vector);
/* event/: binds and releases a port.  Line stays masked when nobody is bound.
 * -XEN_EINVAL no such pirq, -XEN_EBUSY taken by us, -XEN_EEXIST. */
int pirq_bind(struct domain *d, unsigned int pirq);
void pirq_unbind(struct domain *d, unsigned int pirq);
/* The guest handled it: unmask the line (level) or acknowledge (MSI). */
void pirq_eoi(struct domain *d, unsigned int pirq);
/* irq.c reaches event/ only through this, set once at boot. */
extern void (*pirq_raise)(struct domain *d, unsigned int pirq);
/* An interrupt of our own (serial line). */
int irq_claim(unsigned int gsi, void (*fn)(void *), void *arg);
/* For dev/physdev.c, which has checked that the caller may: */
struct msi;
/* 0; -XEN_EINVAL no such line, -XEN_EEXIST in use, -XEN_EPERM the timer. */
int irq_setup_gsi(unsigned int gsi, bool level, bool low);
int irq_check_gsi(unsigned int gsi);	/* 0, -XEN_EINVAL, -XEN_EPERM */
/* Allocates a pirq and a vector for m, and programs the device, masked.  The
 * pirq, or negative error. */
int pirq_map_msi(const struct msi *m);
int pirq_unmap(unsigned int pirq);	/* 0, -XEN_EINVAL */
/* A device was reset: all its messages are written again. */
void pirq_restore_msi(u16 seg, u8 bus, u8 devfn);
