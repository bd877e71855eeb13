/* SPDX-License-Identifier: GPL-2.0 */
/* Domains and their virtual CPUs. */
#pragma once

#include <mm/mm.h>
#include <event/event.h>
#include <grant/grant.h>
#include <sched/sched.h>

/* A handler of the guest kernel: callbacks. */
struct callback { u64 address; bool mask_events; };

/* vcpu.pause_flags: v runs when all are clear and its domain is not paused. */
#define VPF_BLOCKED	(1U << 0)	/* SCHEDOP_block or SCHEDOP_poll */
#define VPF_DOWN	(1U << 1)	/* VCPUOP_down, not yet up */
#define VPF_SUSPENDED	(1U << 2)	/* domain shut down */

/* vcpu.work: per-vCPU bits behind WORK_VCPU. */
#define VWORK_NMI	(1U << 0)	/* deliver an NMI */

/*
 * A virtual CPU.  `regs` is at offset 8 so that the address behind regs.ss,
 * tss.rsp0 while this vCPU runs, is 16-byte aligned: the processor pushes a
 * trap's frame straight into regs.
 */
struct vcpu {
	u64 align_pad;		/* keeps regs at offset 8 modulo 16 */
	struct regs regs;
	/* --- used by assembly, right behind regs --- */
	u64 stack_top;		/* top of the stack of the CPU it runs on */
	struct vcpu_info *vcpu_info;	/* never NULL: dummy until registered */
	u8 in_kernel;		/* guest mode: 1 kernel, 0 user */
	u8 nmi_masked;		/* from NMI delivery to iret */
	u8 is_idle;
	u8 guest_ts;		/* guest's view of CR0.TS */
	u8 iopl;		/* virtual: 0 to 3 */
	u8 initialised;		/* has had a context: 1; gets one: 2 */
	u32 work;		/* VWORK_* */
	u64 cr3_kernel, cr3_user;	/* hardware values; user 0 = none */
	u64 kernel_sp;
	struct callback syscall_cb, event_cb, failsafe_cb;
	struct callback syscall32_cb, sysenter_cb, nmi_cb;
	struct trap_info *traps;	/* [256], by vector */

	/* --- identity --- */
	struct domain *domain;
	u32 id;
	u32 pause_flags;	/* VPF_*, atomic */

	/* --- context that is in the hardware while loaded --- */
	u32 loaded_on;		/* CPU id + 1, 0 = nowhere: see context.c */
	u64 fs_base, gs_base_kernel, gs_base_user;
	u64 debugreg[8];
	u64 cr4;		/* guest-controlled bits only: TSD DE OSXSAVE */
	u64 cr2;		/* guest's mov cr2 */
	u64 xcr0;
	void *fpu_area;		/* XSAVE area, 64-byte aligned */
	mfn_t l4_kernel, l4_user;	/* typed and referenced; 0 = none */
	mfn_t reap, reap2;	/* mm: tables still to be taken down, 0 none */
	u32 ldt_ents;
	u64 ldt_base;
	u64 iobmp, iobmp_limit;	/* set_iobitmap: guest pointer, ports */
	u64 tsc_aux;

	mfn_t vcpu_info_mfn;	/* registered page, INVALID_MFN = shared_info */

	struct vcpu_sched sched;
	struct vcpu_timers timers;
	u32 virq_port[NR_VIRQS];	/* per-vCPU VIRQs: port, 0 none */
	u32 poll_port;		/* SCHEDOP_poll with one port */
	struct {		/* hypercall.c: an active multicall */
		bool active, preempted;
		struct multicall_entry entry;
	} mc;
};

static always_inline bool vcpu_event_pending(const struct vcpu *v)
{
	const volatile struct vcpu_info *vi = v->vcpu_info;

	return vi->evtchn_upcall_pending && !vi->evtchn_upcall_mask;
}

struct domain {
	domid_t id;
	bool is_privileged;	/* the control domain */
	bool is_dying, is_dead;	/* destroy has begun, is complete */
	bool is_shut_down, crashed;	/* or about to be */
	u8 shutdown_code;	/* SHUTDOWN_*, SHUTDOWN_CODE_NONE */
#define SHUTDOWN_CODE_NONE	0xff
	u32 refs;		/* 0: freed */
	u32 pause_count;	/* whole domain, all reasons; atomic */
	u32 control_pauses;	/* tools' pauses: XEN_DOMCTL_pausedomain */
	u8 handle[16];		/* UUID */
	struct domain *next;	/* by ascending id; domain_list */

	struct spinlock lock;	/* LOCK_DOMAIN */
	u32 max_vcpus;
	struct vcpu *vcpu[MAX_VCPUS];

	/* memory: under page_lock.  While tot_pages is not 0, mm/ holds one
	 * reference on the domain (domain_hold() at 0 -> 1, domain_put()). */
	struct spinlock page_lock;	/* LOCK_PAGES_DOMAIN */
	u64 tot_pages, max_pages;
	u64 shared_pages, relinquish_next;

	struct shared_info *shared_info;
	void *perdomain_l3;	/* slot 260: see mm/xenmap.c */
	cpumask_t dirty_cpus;	/* may hold its translations */
	u64 vm_assist;		/* 1 << VMASST_TYPE_* */

	struct evtchn_domain *evtchn;
	struct grant_table *grant;
	struct domain_sched sched;
	struct cpuid_policy *cpuid;	/* domain/cpuid.c */
	s64 time_offset;		/* seconds: settimeoffset */
	u32 cf8;			/* Dom0: PCI config address latch */

	/* domain.c's own */
	bool has_run;			/* unpaused by the tools once */
	u32 kill_stage;
	u32 control_busy;		/* one control operation at a time */
	struct domain *reap_next;
};

/* The control domain; all, by ascending ids. */
extern struct domain *dom0, *domain_list;
extern struct domain dom_io, dom_xen;	/* pseudo owners, never in the list */

#define for_each_domain(d) \
	for ((d) = READ_ONCE(domain_list); (d); (d) = READ_ONCE((d)->next))
#define for_each_vcpu(d, v) \
	for (unsigned int i_ = 0; i_ < (d)->max_vcpus; i_++) \
		if (((v) = (d)->vcpu[i_]) != NULL)

/* --- domain.c ------------------------------------------------------------- */
/* Starts paused (control_pauses 1).  0, -XEN_EEXIST, -XEN_ENOMEM, EINVAL. */
int domain_create(domid_t id, const struct xen_domctl_createdomain *c,
		  struct domain **out);
/* Counted look-up: NULL if none.  domain_put() releases. */
struct domain *domain_get(domid_t id);
/* Also understands DOMID_SELF. */
struct domain *domain_get_or_self(domid_t id);
bool domain_hold(struct domain *d);	/* one more; false if going */
void domain_put(struct domain *d);
/* Destroy as far as possible: 0 done, -XEN_ERESTART call again. */
int domain_kill(struct domain *d);
/* The guest is beyond saving: first reason is kept and printed, the domain
 * shuts down with SHUTDOWN_crash; the caller unwinds normally. */
void domain_crash(struct domain *d, const char *why, ...) __printf(2, 3);
void domain_shutdown(struct domain *d, u8 reason);
void domain_pause(struct domain *d);	/* waits until none (else) runs */
void domain_unpause(struct domain *d);
int domain_control_unpause(struct domain *d);	/* -XEN_EINVAL not paused */
/* exit_work(), on WORK_RCU: this CPU holds no pointer to a domain now. */
void domain_reap(void);
void domain_dump(void);				/* debug key q */

/* One per hypercall, in hypercall.c's table: six arguments, used or not. */
typedef long hypercall_t(u64, u64, u64, u64, u64, u64);

/* --- vcpu.c --------------------------------------------------------------- */
/* NULL: no memory. */
struct vcpu *vcpu_create(struct domain *d, unsigned int id);
struct vcpu *idle_vcpu_create(unsigned int cpu);
void vcpu_destroy(struct vcpu *v);
void vcpu_free(struct vcpu *v);
void vcpu_send_nmi(struct vcpu *v);	/* sets VWORK_NMI and kicks */
static inline bool vcpu_runnable(const struct vcpu *v)
{
	return !(READ_ONCE(v->pause_flags) | READ_ONCE(v->domain->pause_count));
}
/* NULL: d has no such vCPU. */
static inline struct vcpu *vcpu_find(struct domain *d, u32 id)
{
	return id < d->max_vcpus ? d->vcpu[id] : NULL;
}
/* First context, from the caller's memory: 0/-errno. */
int vcpu_initialise(struct vcpu *v, u64 gva, bool online);
static inline bool va_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}
/* Forces a selector from a guest to ring 3; null stays null. */
static inline u16 sel_fixup(u16 sel)
{
	return sel & ~3 ? sel | 3 : sel;
}
hypercall_t do_vcpu_op, do_set_trap_table, do_callback_op, do_vm_assist;
hypercall_t do_stack_switch, do_fpu_taskswitch, do_set_debugreg;
hypercall_t do_get_debugreg, do_set_segment_base;
int vcpu_set_debugreg(struct vcpu *v, unsigned int reg, u64 value);
void vcpu_dump(const struct vcpu *v);

/* --- cpuid.c: what CPUID shows, and the featuresets tools ask for -------- */
struct cpuid_leaf { u32 a, b, c, d; };
void cpuid_init(void);			/* host and default policies */
void cpuid_reset_domain(struct domain *d);	/* new, or going */
void cpuid_guest(const struct vcpu *v, u32 leaf, u32 sub,
		 struct cpuid_leaf *out);
u64 cpuid_max_xcr0(const struct domain *d);
/* Tools: policies and featuresets to and from guest memory; 0/-errno. */
int cpuid_get_policy(const struct cpuid_policy *p, u64 leaves, u32 *nr,
		     u32 *nr_msrs);
int cpuid_set_policy(struct domain *d, struct xen_domctl_cpu_policy *p);
int cpuid_system_policy(struct xen_sysctl_cpu_policy *p);
int cpuid_system_featureset(struct xen_sysctl_cpu_featureset *p);

#define XEN_VERSION_MAJOR	4
#define XEN_VERSION_MINOR	17
/* --- control.c ----------------------------------------------------------- */
hypercall_t do_domctl, do_sysctl, do_platform_op, do_xen_version;
/* First domain, held, whose id is not below id; NULL none. */
struct domain *domain_get_from(u32 id);
/* Fills a page with 64 call stubs of 32 bytes. */
void hypercall_page_init(void *page);

/* --- mm hypercalls (mm/mmu.c, mm/memory_op.c) ----------------------------- */
hypercall_t do_mmu_update, do_mmuext_op, do_update_va_mapping;
hypercall_t do_memory_op, do_set_gdt, do_update_descriptor;
/* event/, grant/, sched/, dev/, entry/ */
hypercall_t do_event_channel_op, do_grant_table_op, do_sched_op;
hypercall_t do_set_timer_op, do_console_io, do_physdev_op, do_multicall;

/* --- dom0.c --------------------------------------------------------------- */
/* See boot/boot.h: dom0_build(). */
/* May d touch this port / map this machine frame that is not RAM? */
bool ioport_permitted(const struct domain *d, u16 port, unsigned int bytes);
enum iomem_access { IOMEM_NONE, IOMEM_RO, IOMEM_RW };
enum iomem_access iomem_permitted(const struct domain *d, u64 mfn);
