/* SPDX-License-Identifier: MIT */
/*
 * domctl(struct xen_domctl *): how the tools in the control domain make,
 * inspect and end domains.  interface_version must be
 * XEN_DOMCTL_INTERFACE_VERSION, otherwise -EACCES; an unknown cmd is -ENOSYS;
 * no such domain -ESRCH; a caller without the privilege -EPERM.
 *
 * "in" fields are read by the hypervisor, "out" fields are written back to
 * the caller's structure when the operation succeeds.  A uint64_t called a
 * guest pointer is a virtual address in the caller.
 */
#ifndef ABI_DOMCTL_H
#define ABI_DOMCTL_H

#include <stdint.h>
#include <hypercall-abi/xen.h>

#define XEN_DOMCTL_INTERFACE_VERSION	0x00000015

/* xen_domctl.cmd */
#define XEN_DOMCTL_createdomain		1
#define XEN_DOMCTL_destroydomain	2
#define XEN_DOMCTL_pausedomain		3
#define XEN_DOMCTL_unpausedomain	4
#define XEN_DOMCTL_getdomaininfo	5
#define XEN_DOMCTL_setvcpuaffinity	9
#define XEN_DOMCTL_shadow_op		10
#define XEN_DOMCTL_max_mem		11
#define XEN_DOMCTL_setvcpucontext	12
#define XEN_DOMCTL_getvcpucontext	13
#define XEN_DOMCTL_getvcpuinfo		14
#define XEN_DOMCTL_max_vcpus		15
#define XEN_DOMCTL_scheduler_op		16
#define XEN_DOMCTL_setdomainhandle	17
#define XEN_DOMCTL_setdebugging		18
#define XEN_DOMCTL_irq_permission	19
#define XEN_DOMCTL_iomem_permission	20
#define XEN_DOMCTL_ioport_permission	21
#define XEN_DOMCTL_hypercall_init	22
#define XEN_DOMCTL_settimeoffset	24
#define XEN_DOMCTL_getvcpuaffinity	25
#define XEN_DOMCTL_resumedomain		27
#define XEN_DOMCTL_sendtrigger		28
#define XEN_DOMCTL_set_address_size	35
#define XEN_DOMCTL_get_address_size	36
#define XEN_DOMCTL_assign_device	37
#define XEN_DOMCTL_bind_pt_irq		38
#define XEN_DOMCTL_memory_mapping	39
#define XEN_DOMCTL_ioport_mapping	40
#define XEN_DOMCTL_set_ext_vcpucontext	42
#define XEN_DOMCTL_get_ext_vcpucontext	43
#define XEN_DOMCTL_test_assign_device	45
#define XEN_DOMCTL_deassign_device	47
#define XEN_DOMCTL_unbind_pt_irq	48
#define XEN_DOMCTL_get_device_group	50
#define XEN_DOMCTL_gettscinfo		59
#define XEN_DOMCTL_settscinfo		60
#define XEN_DOMCTL_getpageframeinfo3	61
#define XEN_DOMCTL_setvcpuextstate	62
#define XEN_DOMCTL_getvcpuextstate	63
#define XEN_DOMCTL_set_virq_handler	66
#define XEN_DOMCTL_setnodeaffinity	68
#define XEN_DOMCTL_getnodeaffinity	69
#define XEN_DOMCTL_get_vcpu_msrs	72
#define XEN_DOMCTL_set_vcpu_msrs	73
#define XEN_DOMCTL_setvnumainfo		74
#define XEN_DOMCTL_soft_reset		79
#define XEN_DOMCTL_get_cpu_policy	82
#define XEN_DOMCTL_set_cpu_policy	83

/* Hardware the hypervisor would emulate: all 0 for a PV domain. */
struct xen_arch_domainconfig {
	uint32_t emulation_flags;
	uint32_t misc_flags;
};

/*
 * XEN_DOMCTL_createdomain.  xen_domctl.domain is in and out: 0 or a reserved
 * id asks for the next free one.  The new domain has no memory and no vCPU,
 * and is paused once on the tools' behalf.  -EEXIST: id in use.
 */
struct xen_domctl_createdomain {
	uint32_t ssidref;		/* in: security label, ignored */
	uint8_t handle[16];		/* in: UUID */
	uint32_t flags;			/* in: XEN_DOMCTL_CDF_* */
	uint32_t iommu_opts;		/* in: 0 */
	uint32_t max_vcpus;		/* in: at least 1 */
	uint32_t max_evtchn_port;	/* in: highest usable port */
	int32_t max_grant_frames;	/* in: negative = default */
	int32_t max_maptrack_frames;	/* in: negative = default */
	uint32_t grant_opts;		/* in: bits 3:0 highest version */
	uint32_t vmtrace_size;		/* in: 0 */
	uint32_t cpupool_id;		/* in: 0 */
	struct xen_arch_domainconfig arch;	/* in */
};
#define XEN_DOMCTL_CDF_hvm		(1U << 0)
#define XEN_DOMCTL_CDF_hap		(1U << 1)
#define XEN_DOMCTL_CDF_s3_integrity	(1U << 2)
#define XEN_DOMCTL_CDF_oos_off		(1U << 3)
#define XEN_DOMCTL_CDF_xs_domain	(1U << 4)
#define XEN_DOMCTL_CDF_iommu		(1U << 5)
#define XEN_DOMCTL_CDF_nested_virt	(1U << 6)
#define XEN_DOMCTL_CDF_vpmu		(1U << 7)
#define XEN_DOMCTL_GRANT_version_mask	0xf

/*
 * XEN_DOMCTL_getdomaininfo; also the elements of XEN_SYSCTL_getdomaininfolist.
 * Tells of the first domain whose id is not below xen_domctl.domain: callers
 * compare.  All fields out.
 */
struct xen_domctl_getdomaininfo {
	domid_t domain;			/* also in xen_domctl.domain */
	uint16_t pad1;
	uint32_t flags;			/* XEN_DOMINF_* */
	uint64_t tot_pages;		/* allocated to it */
	uint64_t max_pages;		/* limit: XEN_DOMCTL_max_mem */
	uint64_t outstanding_pages;
	uint64_t shr_pages;
	uint64_t paged_pages;
	uint64_t shared_info_frame;	/* machine frame */
	uint64_t cpu_time;		/* ns, all vCPUs */
	uint32_t nr_online_vcpus;
	uint32_t max_vcpu_id;		/* XEN_INVALID_MAX_VCPU_ID none */
	uint32_t ssidref;
	uint8_t handle[16];
	uint32_t cpupool;
	uint8_t gpaddr_bits;
	uint8_t pad2[7];
	struct xen_arch_domainconfig arch_config;
};
#define XEN_DOMINF_dying		(1U << 0)
#define XEN_DOMINF_hvm_guest		(1U << 1)
#define XEN_DOMINF_shutdown		(1U << 2)
#define XEN_DOMINF_paused		(1U << 3)	/* by the tools */
#define XEN_DOMINF_blocked		(1U << 4)	/* every vCPU waits */
#define XEN_DOMINF_running		(1U << 5)	/* some vCPU runs */
#define XEN_DOMINF_debugged		(1U << 6)
#define XEN_DOMINF_xs_domain		(1U << 7)
#define XEN_DOMINF_hap			(1U << 8)
#define XEN_DOMINF_shutdownmask		255	/* SHUTDOWN_*, while */
#define XEN_DOMINF_shutdownshift	16	/* XEN_DOMINF_shutdown */
#define XEN_INVALID_MAX_VCPU_ID		(~0U)

/*
 * XEN_DOMCTL_getpageframeinfo3: array of num uint64_t: in, machine frame
 * numbers; out, XEN_DOMCTL_PFINFO_*.
 */
struct xen_domctl_getpageframeinfo3 {
	uint64_t num;			/* in, at most 1024 */
	uint64_t array;			/* guest pointer */
};
#define XEN_DOMCTL_PFINFO_LTAB_SHIFT	28
#define XEN_DOMCTL_PFINFO_NOTAB		(0x0U << 28)
#define XEN_DOMCTL_PFINFO_L1TAB		(0x1U << 28)
#define XEN_DOMCTL_PFINFO_L2TAB		(0x2U << 28)
#define XEN_DOMCTL_PFINFO_L3TAB		(0x3U << 28)
#define XEN_DOMCTL_PFINFO_L4TAB		(0x4U << 28)
#define XEN_DOMCTL_PFINFO_LPINTAB	(0x1U << 31)	/* pinned */
#define XEN_DOMCTL_PFINFO_XTAB		(0xfU << 28)	/* not a page of it */
#define XEN_DOMCTL_PFINFO_XALLOC	(0xeU << 28)
#define XEN_DOMCTL_PFINFO_BROKEN	(0xdU << 28)
#define XEN_DOMCTL_PFINFO_LTAB_MASK	(0xfU << 28)

/* XEN_DOMCTL_shadow_op: refused here, but for turning it off. */
struct xen_domctl_shadow_op_stats {
	uint32_t fault_count, dirty_count;
};
struct xen_domctl_shadow_op {
	uint32_t op;			/* in: XEN_DOMCTL_SHADOW_OP_* */
	uint32_t mode;
	uint32_t mb;
	uint64_t dirty_bitmap;		/* guest pointer */
	uint64_t pages;
	struct xen_domctl_shadow_op_stats stats;
};
#define XEN_DOMCTL_SHADOW_OP_OFF	0

/* XEN_DOMCTL_max_mem: limit to later allocation; frees nothing. */
struct xen_domctl_max_mem {
	uint64_t max_memkb;		/* in: KiB */
};

/*
 * XEN_DOMCTL_setvcpucontext, XEN_DOMCTL_getvcpucontext.  A set with a NULL
 * pointer takes the vCPU's context away.
 */
struct xen_domctl_vcpucontext {
	uint32_t vcpu;			/* in */
	uint64_t ctxt;		/* guest pointer: struct vcpu_guest_context */
};

/* XEN_DOMCTL_getvcpuinfo; -ESRCH no such vCPU. */
struct xen_domctl_getvcpuinfo {
	uint32_t vcpu;			/* in */
	uint8_t online;			/* out: not VCPUOP_down */
	uint8_t blocked;		/* out */
	uint8_t running;		/* out */
	uint64_t cpu_time;		/* out: ns */
	uint32_t cpu;			/* out: where it runs or ran */
};

/* XEN_DOMCTL_setnodeaffinity, XEN_DOMCTL_getnodeaffinity: one node here. */
struct xen_domctl_nodeaffinity {
	struct xenctl_bitmap nodemap;	/* in, or out through its pointer */
};

/*
 * XEN_DOMCTL_setvcpuaffinity, XEN_DOMCTL_getvcpuaffinity.  The maps are read
 * by set, which also writes back what takes effect, and written by get.
 */
struct xen_domctl_vcpuaffinity {
	uint32_t vcpu;			/* in */
	uint32_t flags;			/* in: XEN_VCPUAFFINITY_* */
	struct xenctl_bitmap cpumap_hard;
	struct xenctl_bitmap cpumap_soft;
};
#define XEN_VCPUAFFINITY_HARD	(1U << 0)
#define XEN_VCPUAFFINITY_SOFT	(1U << 1)
#define XEN_VCPUAFFINITY_FORCE	(1U << 2)

/* XEN_DOMCTL_max_vcpus: allocates the vCPUs; must repeat createdomain's. */
struct xen_domctl_max_vcpus {
	uint32_t max;			/* in */
};

/* XEN_DOMCTL_scheduler_op: weight and cap of a domain. */
#define XEN_SCHEDULER_CREDIT	5
#define XEN_SCHEDULER_CREDIT2	6
#define XEN_SCHEDULER_ARINC653	7
#define XEN_SCHEDULER_RTDS	8
#define XEN_SCHEDULER_NULL	9
struct xen_domctl_sched_credit {
	uint16_t weight;		/* 256 is normal; put: 0 = keep */
	uint16_t cap;			/* % of one CPU, 0 none; ~0 = keep */
};
struct xen_domctl_scheduler_op {
	uint32_t sched_id;		/* in: XEN_SCHEDULER_CREDIT */
	uint32_t cmd;			/* in: XEN_DOMCTL_SCHEDOP_* */
	union {
		struct xen_domctl_sched_credit credit;	/* in, or out */
		struct {
			uint64_t vcpus;
			uint32_t nr_vcpus;
			uint32_t padding;
		} v;
	} u;
};
#define XEN_DOMCTL_SCHEDOP_putinfo	0
#define XEN_DOMCTL_SCHEDOP_getinfo	1
#define XEN_DOMCTL_SCHEDOP_putvcpuinfo	2
#define XEN_DOMCTL_SCHEDOP_getvcpuinfo	3

/* XEN_DOMCTL_setdomainhandle */
struct xen_domctl_setdomainhandle {
	uint8_t handle[16];		/* in: UUID */
};

/* XEN_DOMCTL_setdebugging */
struct xen_domctl_setdebugging {
	uint8_t enable;			/* in */
};

/* XEN_DOMCTL_irq_permission and its like: devices stay with Dom0 here. */
struct xen_domctl_irq_permission {
	uint32_t pirq;			/* in */
	uint8_t allow_access;		/* in */
	uint8_t pad[3];
};
struct xen_domctl_iomem_permission {
	uint64_t first_mfn, nr_mfns;	/* in */
	uint8_t allow_access;		/* in */
};
struct xen_domctl_ioport_permission {
	uint32_t first_port, nr_ports;	/* in */
	uint8_t allow_access;		/* in */
};

/* XEN_DOMCTL_hypercall_init: fill a page of call stubs, 32 bytes each. */
struct xen_domctl_hypercall_init {
	uint64_t gmfn;			/* in: machine frame of the domain */
};

/* XEN_DOMCTL_settimeoffset: shifts the wall clock it is shown. */
struct xen_domctl_settimeoffset {
	int64_t time_offset_seconds;	/* in */
};

/* XEN_DOMCTL_set_address_size, XEN_DOMCTL_get_address_size: 64 only. */
struct xen_domctl_address_size {
	uint32_t size;			/* in, or out */
};

/* XEN_DOMCTL_sendtrigger */
struct xen_domctl_sendtrigger {
	uint32_t trigger;		/* in: XEN_DOMCTL_SENDTRIGGER_* */
	uint32_t vcpu;			/* in */
};
#define XEN_DOMCTL_SENDTRIGGER_NMI	0

/*
 * XEN_DOMCTL_set_ext_vcpucontext, XEN_DOMCTL_get_ext_vcpucontext: what
 * struct vcpu_guest_context has no room for.  All but vcpu in or out.
 */
struct xen_domctl_ext_vcpucontext {
	uint32_t vcpu;			/* in */
	uint32_t size;			/* set: in; get: out */
	uint64_t syscall32_callback_eip;
	uint64_t sysenter_callback_eip;
	uint16_t syscall32_callback_cs;	/* 0 for get */
	uint16_t sysenter_callback_cs;
	uint8_t syscall32_disables_events;
	uint8_t sysenter_disables_events;
	struct {
		uint64_t caps;		/* machine-check banks: 0 */
		uint64_t mci_ctl2_bank0;
		uint64_t mci_ctl2_bank1;
		uint64_t mcg_ext_ctl;
	} vmce;
};

/* A leaf of CPUID as data.  subleaf: XEN_CPUID_NO_SUBLEAF if it has none. */
struct xen_cpuid_leaf {
	uint32_t leaf, subleaf;
	uint32_t a, b, c, d;
};
#define XEN_CPUID_NO_SUBLEAF	0xffffffffU

/* A model-specific register as data. */
struct xen_msr_entry {
	uint32_t idx;
	uint32_t flags;			/* 0 */
	uint64_t val;
};

/*
 * XEN_DOMCTL_get_cpu_policy, XEN_DOMCTL_set_cpu_policy.  -ENOBUFS: too small
 * an array; set after the domain has run: -EEXIST.
 */
struct xen_domctl_cpu_policy {
	uint32_t nr_leaves;		/* in: room; out: used */
	uint32_t nr_msrs;		/* in: room; out: used */
	uint64_t leaves;		/* guest pointer: xen_cpuid_leaf[] */
	uint64_t msrs;			/* guest pointer: xen_msr_entry[] */
	uint32_t err_leaf, err_subleaf, err_msr; /* out: what was wrong */
};

/* XEN_DOMCTL_gettscinfo, XEN_DOMCTL_settscinfo */
struct xen_domctl_tsc_info {
	uint32_t tsc_mode;		/* 0 default, 1 emulate, 2 native */
	uint32_t gtsc_khz;
	uint32_t incarnation;
	uint32_t pad;
	uint64_t elapsed_nsec;
};

/* XEN_DOMCTL_setvcpuextstate, XEN_DOMCTL_getvcpuextstate: XSAVE state. */
struct xen_domctl_vcpuextstate {
	uint32_t vcpu;			/* in */
	uint64_t xfeature_mask;		/* in, or out */
	uint64_t size;			/* in, or out: 0 = nothing to save */
	uint64_t buffer;		/* guest pointer, or NULL: size? */
};

/* XEN_DOMCTL_get_vcpu_msrs, XEN_DOMCTL_set_vcpu_msrs */
struct xen_domctl_vcpu_msr {
	uint32_t index;
	uint32_t reserved;		/* 0 */
	uint64_t value;
};
struct xen_domctl_vcpu_msrs {
	uint32_t vcpu;			/* in */
	uint32_t msr_count;		/* in, or out */
	uint64_t msrs;			/* guest pointer, or NULL: count? */
};

struct xen_domctl {
	uint32_t cmd;			/* in: XEN_DOMCTL_* */
	uint32_t interface_version;	/* in */
	domid_t domain;			/* in, for some out too */
	uint16_t pad_[3];
	union {
		struct xen_domctl_createdomain createdomain;
		struct xen_domctl_getdomaininfo getdomaininfo;
		struct xen_domctl_getpageframeinfo3 getpageframeinfo3;
		struct xen_domctl_nodeaffinity nodeaffinity;
		struct xen_domctl_vcpuaffinity vcpuaffinity;
		struct xen_domctl_shadow_op shadow_op;
		struct xen_domctl_max_mem max_mem;
		struct xen_domctl_vcpucontext vcpucontext;
		struct xen_domctl_getvcpuinfo getvcpuinfo;
		struct xen_domctl_max_vcpus max_vcpus;
		struct xen_domctl_scheduler_op scheduler_op;
		struct xen_domctl_setdomainhandle setdomainhandle;
		struct xen_domctl_setdebugging setdebugging;
		struct xen_domctl_irq_permission irq_permission;
		struct xen_domctl_iomem_permission iomem_permission;
		struct xen_domctl_ioport_permission ioport_permission;
		struct xen_domctl_hypercall_init hypercall_init;
		struct xen_domctl_settimeoffset settimeoffset;
		struct xen_domctl_tsc_info tsc_info;
		struct xen_domctl_address_size address_size;
		struct xen_domctl_sendtrigger sendtrigger;
		struct xen_domctl_ext_vcpucontext ext_vcpucontext;
		struct xen_domctl_cpu_policy cpu_policy;
		struct xen_domctl_vcpuextstate vcpuextstate;
		struct xen_domctl_vcpu_msrs vcpu_msrs;
		uint8_t pad[128];
	} u;
};

#endif
