/* SPDX-License-Identifier: MIT */
/*
 * sysctl(struct xen_sysctl *): what the tools in the control domain ask about
 * the whole machine.  -EPERM without the privilege, -EACCES for another
 * interface_version, -ENOSYS for a command that is not offered.  "in" fields
 * are the caller's, "out" fields are written back.
 */
#ifndef ABI_SYSCTL_H
#define ABI_SYSCTL_H

#include <stdint.h>
#include <hypercall-abi/xen.h>
#include <hypercall-abi/domctl.h>

#define XEN_SYSCTL_INTERFACE_VERSION	0x00000015

/* xen_sysctl.cmd */
#define XEN_SYSCTL_readconsole		1
#define XEN_SYSCTL_tbuf_op		2
#define XEN_SYSCTL_physinfo		3
#define XEN_SYSCTL_sched_id		4
#define XEN_SYSCTL_perfc_op		5
#define XEN_SYSCTL_getdomaininfolist	6
#define XEN_SYSCTL_debug_keys		7
#define XEN_SYSCTL_getcpuinfo		8
#define XEN_SYSCTL_availheap		9
#define XEN_SYSCTL_get_pmstat		10
#define XEN_SYSCTL_cpu_hotplug		11
#define XEN_SYSCTL_pm_op		12
#define XEN_SYSCTL_page_offline_op	14
#define XEN_SYSCTL_lockprof_op		15
#define XEN_SYSCTL_cputopoinfo		16
#define XEN_SYSCTL_numainfo		17
#define XEN_SYSCTL_cpupool_op		18
#define XEN_SYSCTL_scheduler_op		19
#define XEN_SYSCTL_coverage_op		20
#define XEN_SYSCTL_psr_cmt_op		21
#define XEN_SYSCTL_pcitopoinfo		22
#define XEN_SYSCTL_psr_alloc		23
#define XEN_SYSCTL_get_cpu_levelling_caps 25
#define XEN_SYSCTL_get_cpu_featureset	26
#define XEN_SYSCTL_livepatch_op		27
#define XEN_SYSCTL_get_cpu_policy	29

/* XEN_SYSCTL_readconsole: the hypervisor's log. */
struct xen_sysctl_readconsole {
	uint8_t clear;			/* in: forget what was read */
	uint8_t incremental;		/* in: start at index */
	uint8_t pad0, pad1;
	uint32_t index;			/* in, out: where reading goes on */
	uint64_t buffer;		/* guest pointer */
	uint32_t count;			/* in: its size; out: bytes written */
};

/* XEN_SYSCTL_physinfo: all out. */
struct xen_sysctl_physinfo {
	uint32_t threads_per_core;
	uint32_t cores_per_socket;
	uint32_t nr_cpus;		/* online */
	uint32_t max_cpu_id;
	uint32_t nr_nodes;
	uint32_t max_node_id;
	uint32_t cpu_khz;
	uint32_t capabilities;		/* XEN_SYSCTL_PHYSCAP_* */
	uint32_t arch_capabilities;
	uint32_t pad;
	uint64_t total_pages;
	uint64_t free_pages;
	uint64_t scrub_pages;
	uint64_t outstanding_pages;
	uint64_t max_mfn;		/* highest */
	uint32_t hw_cap[8];		/* CPU featureset words */
};
#define XEN_SYSCTL_PHYSCAP_hvm		(1U << 0)
#define XEN_SYSCTL_PHYSCAP_pv		(1U << 1)
#define XEN_SYSCTL_PHYSCAP_directio	(1U << 2)
#define XEN_SYSCTL_PHYSCAP_hap		(1U << 3)
#define XEN_SYSCTL_PHYSCAP_shadow	(1U << 4)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1	(1U << 8)
#define XEN_SYSCTL_PHYSCAP_gnttab_v2	(1U << 9)

/* XEN_SYSCTL_sched_id */
struct xen_sysctl_sched_id {
	uint32_t sched_id;		/* out: XEN_SCHEDULER_* */
};

/* XEN_SYSCTL_getdomaininfolist */
struct xen_sysctl_getdomaininfolist {
	domid_t first_domain;		/* in: lowest id of interest */
	uint32_t max_domains;		/* in: room */
	uint64_t buffer;	/* guest pointer: xen_domctl_getdomaininfo[] */
	uint32_t num_domains;		/* out */
};

/* XEN_SYSCTL_debug_keys: as if typed on the serial console. */
struct xen_sysctl_debug_keys {
	uint64_t keys;			/* guest pointer */
	uint32_t nr_keys;		/* in */
};

/* XEN_SYSCTL_getcpuinfo */
struct xen_sysctl_cpuinfo {
	uint64_t idletime;		/* ns */
};
struct xen_sysctl_getcpuinfo {
	uint32_t max_cpus;		/* in: room */
	uint64_t info;			/* guest pointer: xen_sysctl_cpuinfo[] */
	uint32_t nr_cpus;		/* out */
};

/* XEN_SYSCTL_availheap */
struct xen_sysctl_availheap {
	uint32_t min_bitwidth;		/* in: 0 = any */
	uint32_t max_bitwidth;		/* in: 0 = any */
	int32_t node;			/* in: -1 = all */
	uint64_t avail_bytes;		/* out */
};

/* XEN_SYSCTL_cpu_hotplug */
struct xen_sysctl_cpu_hotplug {
	uint32_t cpu;			/* in */
	uint32_t op;			/* in: XEN_SYSCTL_CPU_HOTPLUG_* */
};
#define XEN_SYSCTL_CPU_HOTPLUG_ONLINE	0
#define XEN_SYSCTL_CPU_HOTPLUG_OFFLINE	1

/* XEN_SYSCTL_cputopoinfo; NULL asks for the number. */
#define XEN_INVALID_CORE_ID	(~0U)
#define XEN_INVALID_SOCKET_ID	(~0U)
#define XEN_INVALID_NODE_ID	(~0U)
struct xen_sysctl_cputopo {
	uint32_t core, socket, node;
};
struct xen_sysctl_cputopoinfo {
	uint32_t num_cpus;		/* in: room; out: how many exist */
	uint64_t cputopo;		/* guest pointer: xen_sysctl_cputopo[] */
};

/* XEN_SYSCTL_numainfo; both pointers NULL asks for the number. */
struct xen_sysctl_meminfo {
	uint64_t memsize, memfree;	/* bytes */
};
struct xen_sysctl_numainfo {
	uint32_t num_nodes;		/* in: room; out: how many exist */
	uint64_t meminfo;		/* guest pointer: xen_sysctl_meminfo[] */
	uint64_t distance;		/* guest pointer: uint32_t[][] */
};

/* XEN_SYSCTL_cpupool_op: one pool here, id 0, with every CPU. */
struct xen_sysctl_cpupool_op {
	uint32_t op;			/* in: XEN_SYSCTL_CPUPOOL_OP_* */
	uint32_t cpupool_id;		/* in; INFO: lowest id; out */
	uint32_t sched_id;		/* INFO: out */
	uint32_t domid;			/* MOVEDOMAIN: in */
	uint32_t cpu;			/* ADDCPU, RMCPU: in */
	uint32_t n_dom;			/* INFO: out */
	struct xenctl_bitmap cpumap;	/* INFO, FREEINFO: out */
};
#define XEN_SYSCTL_CPUPOOL_OP_CREATE		1
#define XEN_SYSCTL_CPUPOOL_OP_DESTROY		2
#define XEN_SYSCTL_CPUPOOL_OP_INFO		3
#define XEN_SYSCTL_CPUPOOL_OP_ADDCPU		4
#define XEN_SYSCTL_CPUPOOL_OP_RMCPU		5
#define XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN	6
#define XEN_SYSCTL_CPUPOOL_OP_FREEINFO		7
#define XEN_SYSCTL_CPUPOOL_PAR_ANY		0xffffffff

/* XEN_SYSCTL_scheduler_op: parameters of the whole pool. */
struct xen_sysctl_credit_schedule {
	uint32_t tslice_ms;		/* 1 to 1000 */
	uint32_t ratelimit_us;
	uint32_t vcpu_migr_delay_us;
};
#define XEN_SYSCTL_CSCHED_TSLICE_MAX	1000
#define XEN_SYSCTL_CSCHED_TSLICE_MIN	1
#define XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US (100 * 1000)
#define XEN_SYSCTL_SCHED_RATELIMIT_MAX	500000
#define XEN_SYSCTL_SCHED_RATELIMIT_MIN	100
#define XEN_SYSCTL_SCHEDOP_putinfo	0
#define XEN_SYSCTL_SCHEDOP_getinfo	1
struct xen_sysctl_scheduler_op {
	uint32_t cpupool_id;		/* in: 0 */
	uint32_t sched_id;		/* in: XEN_SCHEDULER_CREDIT */
	uint32_t cmd;			/* in: XEN_SYSCTL_SCHEDOP_* */
	union {
		struct {
			uint64_t schedule;
			uint32_t pad[2];
		} sched_arinc653;
		struct xen_sysctl_credit_schedule sched_credit;
	} u;
};

/* XEN_SYSCTL_get_cpu_levelling_caps */
struct xen_sysctl_cpu_levelling_caps {
	uint32_t caps;			/* out: XEN_SYSCTL_CPU_LEVELCAP_* */
};
#define XEN_SYSCTL_CPU_LEVELCAP_faulting	(1UL << 0)

/*
 * XEN_SYSCTL_get_cpu_featureset: the words of cpufeature.h.  NULL asks for
 * the number; -ENOBUFS: truncated.
 */
struct xen_sysctl_cpu_featureset {
	uint32_t index;			/* in */
	uint32_t nr_features;		/* in: room; out: words */
	uint64_t features;		/* guest pointer: uint32_t[] */
};
#define XEN_SYSCTL_cpu_featureset_raw		0
#define XEN_SYSCTL_cpu_featureset_host		1
#define XEN_SYSCTL_cpu_featureset_pv		2
#define XEN_SYSCTL_cpu_featureset_hvm		3
#define XEN_SYSCTL_cpu_featureset_pv_max	4
#define XEN_SYSCTL_cpu_featureset_hvm_max	5

/* XEN_SYSCTL_get_cpu_policy: see XEN_DOMCTL_get_cpu_policy. */
struct xen_sysctl_cpu_policy {
	uint32_t index;			/* in */
	uint32_t nr_leaves;		/* in: room; out: used, or needed */
	uint32_t nr_msrs;		/* the same */
	uint32_t _rsvd;			/* in: 0 */
	uint64_t leaves;		/* guest pointer: xen_cpuid_leaf[] */
	uint64_t msrs;			/* guest pointer: xen_msr_entry[] */
};
#define XEN_SYSCTL_cpu_policy_raw		0
#define XEN_SYSCTL_cpu_policy_host		1
#define XEN_SYSCTL_cpu_policy_pv_max		2
#define XEN_SYSCTL_cpu_policy_hvm_max		3
#define XEN_SYSCTL_cpu_policy_pv_default	4
#define XEN_SYSCTL_cpu_policy_hvm_default	5

struct xen_sysctl {
	uint32_t cmd;			/* in: XEN_SYSCTL_* */
	uint32_t interface_version;	/* in */
	union {
		struct xen_sysctl_readconsole readconsole;
		struct xen_sysctl_physinfo physinfo;
		struct xen_sysctl_cputopoinfo cputopoinfo;
		struct xen_sysctl_numainfo numainfo;
		struct xen_sysctl_sched_id sched_id;
		struct xen_sysctl_getdomaininfolist getdomaininfolist;
		struct xen_sysctl_debug_keys debug_keys;
		struct xen_sysctl_getcpuinfo getcpuinfo;
		struct xen_sysctl_availheap availheap;
		struct xen_sysctl_cpu_hotplug cpu_hotplug;
		struct xen_sysctl_cpupool_op cpupool_op;
		struct xen_sysctl_scheduler_op scheduler_op;
		struct xen_sysctl_cpu_levelling_caps cpu_levelling_caps;
		struct xen_sysctl_cpu_featureset cpu_featureset;
		struct xen_sysctl_cpu_policy cpu_policy;
		uint8_t pad[128];
	} u;
};

#endif
