/* SPDX-License-Identifier: MIT */
/*
 * The base of the hypercall ABI: how to call, who is who, and the pages that
 * a guest and the hypervisor share.  64-bit x86 paravirtual guests only, at
 * the level of Xen 4.17.
 *
 * Calling: SYSCALL from the guest's kernel mode with the number in rax and
 * arguments 1 to 6 in rdi rsi rdx r10 r8 r9.  The result comes back in rax,
 * zero or positive for success, a negated XEN_E* number for failure.  rcx and
 * r11 are clobbered; every other register is kept.
 *
 * "Guest pointer" below means a virtual address in the caller's own address
 * space, followed with the caller's own page tables.
 */
#ifndef ABI_XEN_H
#define ABI_XEN_H

#include <stdint.h>

/* Hypercall numbers. */
#define __HYPERVISOR_set_trap_table		0
#define __HYPERVISOR_mmu_update			1
#define __HYPERVISOR_set_gdt			2
#define __HYPERVISOR_stack_switch		3
#define __HYPERVISOR_set_callbacks		4
#define __HYPERVISOR_fpu_taskswitch		5
#define __HYPERVISOR_sched_op_compat		6
#define __HYPERVISOR_platform_op		7
#define __HYPERVISOR_set_debugreg		8
#define __HYPERVISOR_get_debugreg		9
#define __HYPERVISOR_update_descriptor		10
#define __HYPERVISOR_memory_op			12
#define __HYPERVISOR_multicall			13
#define __HYPERVISOR_update_va_mapping		14
#define __HYPERVISOR_set_timer_op		15
#define __HYPERVISOR_event_channel_op_compat	16
#define __HYPERVISOR_xen_version		17
#define __HYPERVISOR_console_io			18
#define __HYPERVISOR_physdev_op_compat		19
#define __HYPERVISOR_grant_table_op		20
#define __HYPERVISOR_vm_assist			21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret			23
#define __HYPERVISOR_vcpu_op			24
#define __HYPERVISOR_set_segment_base		25
#define __HYPERVISOR_mmuext_op			26
#define __HYPERVISOR_xsm_op			27
#define __HYPERVISOR_nmi_op			28
#define __HYPERVISOR_sched_op			29
#define __HYPERVISOR_callback_op		30
#define __HYPERVISOR_xenoprof_op		31
#define __HYPERVISOR_event_channel_op		32
#define __HYPERVISOR_physdev_op			33
#define __HYPERVISOR_hvm_op			34
#define __HYPERVISOR_sysctl			35
#define __HYPERVISOR_domctl			36
#define __HYPERVISOR_kexec_op			37
#define __HYPERVISOR_argo_op			39
#define __HYPERVISOR_xenpmu_op			40
#define __HYPERVISOR_dm_op			41
#define __HYPERVISOR_hypfs_op			42
#define __HYPERVISOR_mca			48
#define NR_HYPERCALLS				64

/* Domain ids.  Real domains are 0 to DOMID_FIRST_RESERVED - 1. */
typedef uint16_t domid_t;
#define DOMID_FIRST_RESERVED	0x7ff0U
#define DOMID_SELF		0x7ff0U	/* the caller */
#define DOMID_IO		0x7ff1U	/* owner of frames that are not RAM */
#define DOMID_XEN		0x7ff2U	/* the hypervisor, as a frame's owner */
#define DOMID_COW		0x7ff3U
#define DOMID_INVALID		0x7ff4U
#define DOMID_IDLE		0x7fffU

/* Virtual interrupts: numbers for EVTCHNOP_bind_virq. */
#define VIRQ_TIMER	0	/* per vCPU: a timer set by this vCPU fired */
#define VIRQ_DEBUG	1	/* per vCPU: someone wants a state dump */
#define VIRQ_CONSOLE	2	/* Dom0: CONSOLEIO_read has input */
#define VIRQ_DOM_EXC	3	/* Dom0: a domain shut down or died */
#define VIRQ_TBUF	4
#define VIRQ_DEBUGGER	6
#define VIRQ_XENOPROF	7
#define VIRQ_CON_RING	8	/* Dom0: the hypervisor's log grew */
#define VIRQ_PCPU_STATE	9
#define VIRQ_MEM_EVENT	10
#define VIRQ_ARGO	11
#define VIRQ_ENOMEM	12
#define VIRQ_XENPMU	13
#define VIRQ_ARCH_0	16
#define VIRQ_MCA	VIRQ_ARCH_0
#define NR_VIRQS	24

/* One call of a multicall batch; the hypervisor writes result only. */
struct multicall_entry {
	uint64_t op;
	int64_t result;
	uint64_t args[6];
};

#define XEN_LEGACY_MAX_VCPUS	32

/*
 * The guest's clock, one per vCPU.  Written by the hypervisor, version odd
 * while it does; read by the guest, which retries if version was odd or
 * changed.  ns = system_time +
 *   (((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32),
 * a negative tsc_shift shifting right.
 */
struct vcpu_time_info {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;		/* TSC when system_time was taken */
	uint64_t system_time;		/* ns since boot */
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;			/* XEN_PVCLOCK_* */
	uint8_t pad1[2];
};
#define XEN_PVCLOCK_TSC_STABLE_BIT	(1 << 0) /* same on all vCPUs */
#define XEN_PVCLOCK_GUEST_STOPPED	(1 << 1)

struct arch_vcpu_info {
	uint64_t cr2;		/* hypervisor writes before it injects #PF */
	uint64_t pad;
};

/*
 * 64 bytes per vCPU; in shared_info, or where VCPUOP_register_vcpu_info put
 * it.  The hypervisor sets evtchn_upcall_pending and bits of
 * evtchn_pending_sel; the guest clears them.  evtchn_upcall_mask is the
 * guest's interrupt flag inverted: the guest writes it at will, and the
 * hypervisor sets it when it enters an event or masking handler.
 */
struct vcpu_info {
	uint8_t evtchn_upcall_pending;
	uint8_t evtchn_upcall_mask;
	uint8_t pad0[6];
	uint64_t evtchn_pending_sel;	/* which words of evtchn_pending */
	struct arch_vcpu_info arch;
	struct vcpu_time_info time;
};

struct arch_shared_info {
	uint64_t max_pfn;	/* guest: entries in its P2M */
	uint64_t pfn_to_mfn_frame_list_list; /* guest: root of the P2M tree */
	uint64_t nmi_reason;	/* hypervisor: XEN_NMIREASON_* bits, Dom0 */
	uint64_t p2m_cr3;	/* guest: non-zero if p2m_vaddr is valid */
	uint64_t p2m_vaddr;	/* guest: virtual address of its flat P2M */
	uint64_t p2m_generation; /* guest: odd while it changes the P2M */
};

/*
 * One page per domain, owned by the hypervisor, mapped by the guest where it
 * likes.  wc_*: the wall clock when the system time was zero; wc_version is
 * odd while the hypervisor writes it.
 */
struct shared_info {
	struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
	uint64_t evtchn_pending[64];	/* hypervisor sets, guest clears */
	uint64_t evtchn_mask[64];	/* guest's alone */
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	uint32_t wc_sec_hi;
	struct arch_shared_info arch;
};

/*
 * The builder's letter to the kernel: rsi points to it at the entry point.
 * Written by whoever builds the domain, and on resume by the toolstack.
 */
#define MAX_GUEST_CMDLINE 1024
struct start_info {
	char magic[32];		/* "xen-3.0-x86_64", NUL-terminated */
	uint64_t nr_pages;	/* the domain's size */
	uint64_t shared_info;	/* machine address of its shared_info */
	uint32_t flags;		/* SIF_* */
	uint64_t store_mfn;	/* store ring: machine frame number */
	uint32_t store_evtchn;
	union {
		struct {
			uint64_t mfn;		/* console ring */
			uint32_t evtchn;
		} domU;
		struct {
			uint32_t info_off;	/* dom0_vga_console_info, */
			uint32_t info_size;	/* offset from start_info */
		} dom0;
	} console;
	uint64_t pt_base;	/* virtual address of the first L4 */
	uint64_t nr_pt_frames;	/* page-table pages from there on */
	uint64_t mfn_list;	/* virtual address of the initial P2M */
	uint64_t mod_start;	/* initrd: pfn with SIF_MOD_START_PFN */
	uint64_t mod_len;	/* bytes */
	int8_t cmd_line[MAX_GUEST_CMDLINE];
	uint64_t first_p2m_pfn;	/* where the P2M and its tables lie */
	uint64_t nr_p2m_frames;
};
/*
 * Dom0's screen, behind start_info at console.dom0.info_off.  Written by the
 * hypervisor from what the boot loader said; read once by the kernel.
 */
struct dom0_vga_console_info {
	uint8_t video_type;	/* XEN_VGATYPE_* */
	union {
		struct {
			uint16_t font_height;		/* pixels */
			uint16_t cursor_x, cursor_y;
			uint16_t rows, columns;
		} text_mode_3;
		struct {
			uint16_t width, height;		/* pixels */
			uint16_t bytes_per_line;
			uint16_t bits_per_pixel;
			uint32_t lfb_base;	/* physical, low half */
			uint32_t lfb_size;	/* in units of 64 KiB */
			uint8_t red_pos, red_size;
			uint8_t green_pos, green_size;
			uint8_t blue_pos, blue_size;
			uint8_t rsvd_pos, rsvd_size;
			uint32_t gbl_caps;	/* VESA capabilities, or 0 */
			uint16_t mode_attrs;	/* VESA attributes, or 0 */
			uint16_t pad;
			uint32_t ext_lfb_base;	/* physical, high half */
		} vesa_lfb;
	} u;
};
#define XEN_VGATYPE_TEXT_MODE_3	0x03
#define XEN_VGATYPE_VESA_LFB	0x23
#define XEN_VGATYPE_EFI_LFB	0x70

#define SIF_PRIVILEGED		(1 << 0)
#define SIF_INITDOMAIN		(1 << 1)
#define SIF_MULTIBOOT_MOD	(1 << 2)
#define SIF_MOD_START_PFN	(1 << 3)
#define SIF_VIRT_P2M_4TOOLS	(1 << 4)
#define SIF_PM_MASK		(0xff << 8)

/*
 * A guest's registers.  The first fifteen and everything from rip to ss are
 * in the order in which a trap pushes them.
 */
struct cpu_user_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint32_t error_code;
	uint32_t entry_vector;
	uint64_t rip;
	uint16_t cs, pad0_[1];
	uint8_t saved_upcall_mask;	/* evtchn_upcall_mask of that moment */
	uint8_t pad1_[3];
	uint64_t rflags;		/* IF = !saved_upcall_mask */
	uint64_t rsp;
	uint16_t ss, pad2_[3];
	uint16_t es, pad3_[3];
	uint16_t ds, pad4_[3];
	uint16_t fs, pad5_[3];
	uint16_t gs, pad6_[3];
};

/* One exception handler; a list of them ends with address 0. */
struct trap_info {
	uint8_t vector;
	uint8_t flags;		/* 1:0 = DPL for INT n, bit 2 = mask events */
	uint16_t cs;
	uint32_t pad;
	uint64_t address;
};
#define TI_GET_DPL(ti)	((ti)->flags & 3)
#define TI_GET_IF(ti)	((ti)->flags & 4)

/* VGCF_*: flags of a vcpu_guest_context. */
#define VGCF_I387_VALID			(1 << 0)
#define VGCF_IN_KERNEL			(1 << 2)
#define VGCF_failsafe_disables_events	(1 << 3)
#define VGCF_syscall_disables_events	(1 << 4)
#define VGCF_online			(1 << 5)
#define VGCF_IN_SYSCALL			(1 << 8) /* of iret's frame only */

/* Everything a vCPU starts from: VCPUOP_initialise, XEN_DOMCTL_setvcpucontext. */
struct vcpu_guest_context {
	struct {
		char x[512];			/* FXSAVE image */
	} __attribute__((aligned(16))) fpu_ctxt;
	uint64_t flags;				/* VGCF_* */
	struct cpu_user_regs user_regs;
	struct trap_info trap_ctxt[256];	/* indexed by vector */
	uint64_t ldt_base, ldt_ents;
	uint64_t gdt_frames[16], gdt_ents;
	uint64_t kernel_ss, kernel_sp;
	uint64_t ctrlreg[8];	/* 0 TS; 1 user L4 (mfn<<12 | 1); 3 L4 mfn<<12 */
	uint64_t debugreg[8];
	uint64_t event_callback_eip;
	uint64_t failsafe_callback_eip;
	uint64_t syscall_callback_eip;
	uint64_t vm_assist;
	uint64_t fs_base;
	uint64_t gs_base_kernel;
	uint64_t gs_base_user;
};

/* Selectors that every guest may use without loading a GDT. */
#define FLAT_RING3_CS32	0xe023
#define FLAT_RING3_CS64	0xe033
#define FLAT_RING3_DS32	0xe02b
#define FLAT_RING3_DS64	0x0000
#define FLAT_RING3_SS32	0xe02b
#define FLAT_RING3_SS64	0xe02b
#define FIRST_RESERVED_GDT_PAGE		14
#define FIRST_RESERVED_GDT_ENTRY	7168

/* set_segment_base(which, value). */
#define SEGBASE_FS		0
#define SEGBASE_GS_USER		1
#define SEGBASE_GS_KERNEL	2
#define SEGBASE_GS_USER_SEL	3	/* value is a selector */

/* vm_assist(cmd, type). */
#define VMASST_CMD_enable	0
#define VMASST_CMD_disable	1
#define VMASST_TYPE_4gb_segments	0
#define VMASST_TYPE_4gb_segments_notify	1
#define VMASST_TYPE_writable_pagetables	2
#define VMASST_TYPE_pae_extended_cr3	3
#define VMASST_TYPE_architectural_iopl	4
#define VMASST_TYPE_runstate_update_flag 5
#define VMASST_TYPE_m2p_strict		32

/* A bitmap in tools' memory: nr_bits bits at the guest pointer. */
struct xenctl_bitmap {
	uint64_t bitmap;
	uint32_t nr_bits;
	uint32_t pad;
};

/* console_io(cmd, count, guest pointer): Dom0's early console. */
#define CONSOLEIO_write	0
#define CONSOLEIO_read	1

#endif
