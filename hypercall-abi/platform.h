/* SPDX-License-Identifier: MIT */
/*
 * platform_op(struct xen_platform_op *): what the control domain's kernel
 * asks of the machine.  -EPERM for others, -EACCES for another
 * interface_version, -ENOSYS for a command that is not offered.  "in" is
 * written by the caller, "out" by the hypervisor.
 */
#ifndef ABI_PLATFORM_H
#define ABI_PLATFORM_H

#include <stdint.h>

#define XENPF_INTERFACE_VERSION	0x03000001

/* xen_platform_op.cmd */
#define XENPF_settime32			17
#define XENPF_add_memtype		31
#define XENPF_del_memtype		32
#define XENPF_read_memtype		33
#define XENPF_microcode_update		35
#define XENPF_platform_quirk		39
#define XENPF_get_cpu_version		48
#define XENPF_efi_runtime_call		49
#define XENPF_firmware_info		50
#define XENPF_enter_acpi_sleep		51
#define XENPF_change_freq		52
#define XENPF_getidletime		53
#define XENPF_set_processor_pminfo	54
#define XENPF_get_cpuinfo		55
#define XENPF_cpu_online		56
#define XENPF_cpu_offline		57
#define XENPF_cpu_hotadd		58
#define XENPF_mem_hotadd		59
#define XENPF_core_parking		60
#define XENPF_resource_op		61
#define XENPF_settime64			62
#define XENPF_get_symbol		63

/* The wall clock was secs.nsecs when the system time was system_time ns. */
struct xenpf_settime32 {
	uint32_t secs;			/* in: since 1970 */
	uint32_t nsecs;			/* in: below 10^9 */
	uint64_t system_time;		/* in */
};
struct xenpf_settime64 {
	uint64_t secs;
	uint32_t nsecs;
	uint32_t mbz;			/* in: 0 */
	uint64_t system_time;
};

/* What the BIOS said at boot.  -ESRCH or -EINVAL: nothing known. */
#define XEN_FW_DISK_INFO		1
#define XEN_FW_DISK_MBR_SIGNATURE	2
#define XEN_FW_VBEDDC_INFO		3
#define XEN_FW_EFI_INFO			4
#define XEN_FW_KBD_SHIFT_FLAGS		5
struct xenpf_firmware_info {
	uint32_t type;			/* in: XEN_FW_* */
	uint32_t index;			/* in */
	union {
		uint8_t kbd_shift_flags; /* out: XEN_FW_KBD_SHIFT_FLAGS */
		uint64_t pad[4];
	} u;
};

/* Values for the PM1 control registers, as ACPI's tables give them. */
struct xenpf_enter_acpi_sleep {
	uint16_t val_a;			/* in */
	uint16_t val_b;			/* in */
	uint32_t sleep_state;		/* in: 3 or 5 */
	uint32_t flags;			/* in: XENPF_ACPI_SLEEP_* */
};
#define XENPF_ACPI_SLEEP_EXTENDED	0x00000001

struct xenpf_getidletime {
	uint64_t cpumap_bitmap;		/* guest pointer, in and out */
	uint32_t cpumap_nr_cpus;	/* in */
	uint64_t idletime;		/* guest pointer: uint64_t per CPU */
	uint64_t now;			/* out: system time of the readings */
};

/* Power-management tables: accepted for _PDC only. */
#define XEN_PROCESSOR_PM_CX	1
#define XEN_PROCESSOR_PM_PX	2
#define XEN_PROCESSOR_PM_TX	4
#define XEN_PM_CX	0
#define XEN_PM_PX	1
#define XEN_PM_TX	2
#define XEN_PM_PDC	3
struct xenpf_set_processor_pminfo {
	uint32_t id;			/* in: ACPI processor id */
	uint32_t type;			/* in: XEN_PM_* */
	union {
		uint64_t pdc;		/* guest pointer: uint32_t[] */
		uint64_t pad[13];
	} u;
};

struct xenpf_pcpuinfo {
	uint32_t xen_cpuid;		/* in */
	uint32_t max_present;		/* out: highest id */
	uint32_t flags;			/* out: XEN_PCPU_FLAGS_* */
	uint32_t apic_id;		/* out */
	uint32_t acpi_id;		/* out */
};
#define XEN_PCPU_FLAGS_ONLINE	1
#define XEN_PCPU_FLAGS_INVALID	2	/* no such CPU */

struct xenpf_pcpu_version {
	uint32_t xen_cpuid;		/* in */
	uint32_t max_present;		/* out */
	char vendor_id[12];		/* out: not terminated */
	uint32_t family, model, stepping; /* out */
};

struct xenpf_cpu_ol {
	uint32_t cpuid;			/* in */
};

/* One symbol of the hypervisor per call. */
struct xenpf_symdata {
	uint32_t namelen, symnum;
	uint64_t name;
	uint64_t address;
	char type;
};

struct xen_platform_op {
	uint32_t cmd;			/* in: XENPF_* */
	uint32_t interface_version;	/* in */
	union {
		struct xenpf_settime32 settime32;
		struct xenpf_settime64 settime64;
		struct xenpf_firmware_info firmware_info;
		struct xenpf_enter_acpi_sleep enter_acpi_sleep;
		struct xenpf_getidletime getidletime;
		struct xenpf_set_processor_pminfo set_pminfo;
		struct xenpf_pcpuinfo pcpu_info;
		struct xenpf_pcpu_version pcpu_version;
		struct xenpf_cpu_ol cpu_ol;
		struct xenpf_symdata symdata;
		uint8_t pad[128];
	} u;
};

#endif
