/* SPDX-License-Identifier: MIT */
/*
 * Hypercall 24, vcpu_op(cmd, vcpu id, arg): start, stop and query a vCPU of
 * the caller's own domain, its timers, and the areas of guest memory in which
 * the hypervisor tells it about time.
 */
#ifndef ABI_VCPU_H
#define ABI_VCPU_H

#include <stdint.h>

/* Gives a vCPU that is down its first context; arg: vcpu_guest_context. */
#define VCPUOP_initialise		0
#define VCPUOP_up			1	/* an initialised vCPU may run */
#define VCPUOP_down			2	/* it may not, soon */
#define VCPUOP_is_up			3	/* result 1 or 0 */
#define VCPUOP_get_runstate_info	4	/* arg: vcpu_runstate_info */
#define VCPUOP_register_runstate_memory_area 5
#define VCPUOP_set_periodic_timer	6	/* arg: vcpu_set_periodic_timer */
#define VCPUOP_stop_periodic_timer	7
#define VCPUOP_set_singleshot_timer	8	/* vcpu_set_singleshot_timer */
#define VCPUOP_stop_singleshot_timer	9
#define VCPUOP_register_vcpu_info	10	/* arg: vcpu_register_vcpu_info */
#define VCPUOP_send_nmi			11
#define VCPUOP_get_physid		12	/* arg: vcpu_get_physid */
#define VCPUOP_register_vcpu_time_memory_area 13

#define RUNSTATE_running	0	/* on a processor now */
#define RUNSTATE_runnable	1	/* could run, waits for a processor */
#define RUNSTATE_blocked	2	/* waits for an event */
#define RUNSTATE_offline	3	/* paused or down */

/* Written by the hypervisor: on request, or in the registered area. */
struct vcpu_runstate_info {
	int32_t state;		/* RUNSTATE_* */
	int32_t pad;
	uint64_t state_entry_time; /* system time, ns, when state began */
	uint64_t time[4];	/* ns spent in each RUNSTATE_*, so far */
};
/*
 * Set in state_entry_time of a registered area while it is being written, for
 * guests that enabled VMASST_TYPE_runstate_update_flag: a reader on another
 * vCPU waits until it is clear.
 */
#define XEN_RUNSTATE_UPDATE	(1ULL << 63)

/*
 * The area is written each time the vCPU starts or stops running, through the
 * page tables of that vCPU: the address must stay mapped in all of them.
 * Writes that fault are dropped.
 */
struct vcpu_register_runstate_memory_area {
	union {
		uint64_t h;	/* guest pointer to vcpu_runstate_info */
		uint64_t v;
		uint64_t p;
	} addr;
};

struct vcpu_set_periodic_timer {
	uint64_t period_ns;	/* VIRQ_TIMER this often; at least 1 ms */
};

struct vcpu_set_singleshot_timer {
	uint64_t timeout_abs_ns; /* system time; past means at once */
	uint32_t flags;		/* VCPU_SSHOTTMR_* */
	uint32_t pad;
};
/* Fail rather than fire at once; the hypervisor need not obey. */
#define VCPU_SSHOTTMR_future	(1U << 0)

/*
 * Moves vcpu_info out of the shared page, once per vCPU (a restored one may
 * register the same place again).  It must not cross a page.
 */
struct vcpu_register_vcpu_info {
	uint64_t mfn;
	uint32_t offset;
	uint32_t rsvd;
};

/* Written by the hypervisor, for pinned vCPUs only: the processor's ids. */
struct vcpu_get_physid {
	uint64_t phys_id;	/* low half APIC id, high half ACPI id */
};
#define xen_vcpu_physid_to_x86_apicid(physid) ((uint32_t)(physid))
#define xen_vcpu_physid_to_x86_acpiid(physid) ((uint32_t)((physid) >> 32))

/*
 * A second copy of vcpu_info.time, to be mapped into user space.  Written
 * like the first, and like the runstate area through guest page tables.
 */
struct vcpu_register_time_memory_area {
	union {
		uint64_t h;	/* guest pointer to vcpu_time_info; 0 stops */
		uint64_t v;
		uint64_t p;
	} addr;
};

#endif
