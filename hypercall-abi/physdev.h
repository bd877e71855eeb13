/* SPDX-License-Identifier: MIT */
/*
 * physdev_op(cmd, guest pointer): what the control domain asks about
 * interrupt hardware and PCI devices.  The argument is the structure named
 * after the command.  "in" fields are written by the caller, "out" fields by
 * the hypervisor, and the structure is copied back only where one is out.
 *
 * A pirq is a domain's number for an interrupt source.  Below the number of
 * IO-APIC pins it equals the ACPI global system interrupt (GSI); message
 * signalled interrupts have numbers above.
 */
#ifndef ABI_PHYSDEV_H
#define ABI_PHYSDEV_H

#include <stdint.h>
#include <hypercall-abi/xen.h>

/* The guest has served the interrupt; a level line may fire again. */
#define PHYSDEVOP_eoi			12
struct physdev_eoi {
	uint32_t irq;		/* in: pirq */
};

/* A page with one bit per pirq that needs an EOI.  Not offered: -ENOSYS. */
#define PHYSDEVOP_pirq_eoi_gmfn_v1	17
#define PHYSDEVOP_pirq_eoi_gmfn_v2	28
struct physdev_pirq_eoi_gmfn {
	uint64_t gmfn;		/* in */
};

#define PHYSDEVOP_irq_status_query	5
struct physdev_irq_status_query {
	uint32_t irq;		/* in: pirq */
	uint32_t flags;		/* out: XENIRQSTAT_* */
};
#define XENIRQSTAT_needs_eoi	(1U << 0) /* call PHYSDEVOP_eoi each time */
#define XENIRQSTAT_shared	(1U << 1) /* several domains share the line */

/* The calling vCPU's virtual I/O privilege level. */
#define PHYSDEVOP_set_iopl		6
struct physdev_set_iopl {
	uint32_t iopl;		/* in: 0 to 3 */
};

/* The calling vCPU's port bitmap for its user mode; a clear bit allows. */
#define PHYSDEVOP_set_iobitmap		7
struct physdev_set_iobitmap {
	uint64_t bitmap;	/* in: guest pointer, stays in use */
	uint32_t nr_ports;	/* in: at most 65536 */
};

/* One register of the IO-APIC at a physical address. */
#define PHYSDEVOP_apic_read		8
#define PHYSDEVOP_apic_write		9	/* accepted and ignored */
struct physdev_apic {
	uint64_t apic_physbase;	/* in */
	uint32_t reg;		/* in: index register */
	uint32_t value;		/* out for read, in for write */
};

#define PHYSDEVOP_alloc_irq_vector	10
#define PHYSDEVOP_free_irq_vector	11
struct physdev_irq {
	uint32_t irq;		/* in: pirq of a GSI */
	uint32_t vector;	/* out: informative only */
};

#define MAP_PIRQ_TYPE_MSI	0x0	/* MSI or MSI-X, segment 0 */
#define MAP_PIRQ_TYPE_GSI	0x1
#define MAP_PIRQ_TYPE_UNKNOWN	0x2
#define MAP_PIRQ_TYPE_MSI_SEG	0x3	/* the same, segment in bus */
#define MAP_PIRQ_TYPE_MULTI_MSI	0x4	/* entry_nr MSI messages at once */

/*
 * Gives an interrupt source a pirq.  For messages the hypervisor writes the
 * device's capability or table entry itself.
 */
#define PHYSDEVOP_map_pirq		13
struct physdev_map_pirq {
	domid_t domid;		/* in: DOMID_SELF or the caller */
	int type;		/* in: MAP_PIRQ_TYPE_* */
	int index;		/* in: the GSI; -1 for messages */
	int pirq;		/* in: wanted number or -1; out: given */
	int bus;		/* in: bus, segment in the high 16 bits */
	int devfn;		/* in */
	int entry_nr;		/* in: MSI-X entry, or number of messages;
				 * out for MULTI_MSI: messages possible */
	uint64_t table_base;	/* in: MSI-X table BAR; 0 means plain MSI */
};

#define PHYSDEVOP_unmap_pirq		14
struct physdev_unmap_pirq {
	domid_t domid;		/* in */
	int pirq;		/* in */
};

/* Devices come and go: the old forms, segment 0. */
#define PHYSDEVOP_manage_pci_add	15
#define PHYSDEVOP_manage_pci_remove	16
struct physdev_manage_pci {
	uint8_t bus;		/* in */
	uint8_t devfn;		/* in */
};

/* Writes the device's messages again after it lost them (resume, reset). */
#define PHYSDEVOP_restore_msi		19
struct physdev_restore_msi {
	uint8_t bus;		/* in */
	uint8_t devfn;		/* in */
};

#define PHYSDEVOP_manage_pci_add_ext	20
struct physdev_manage_pci_ext {
	uint8_t bus;		/* in */
	uint8_t devfn;		/* in */
	uint32_t is_extfn;	/* in */
	uint32_t is_virtfn;	/* in */
	struct {
		uint8_t bus;
		uint8_t devfn;
	} physfn;		/* in */
};

/* Trigger mode and polarity of an IO-APIC line, from ACPI's _PRT or _CRS. */
#define PHYSDEVOP_setup_gsi		21
struct physdev_setup_gsi {
	int gsi;		/* in */
	uint8_t triggering;	/* in: 0 edge, 1 level */
	uint8_t polarity;	/* in: 0 active high, 1 active low */
};

#define PHYSDEVOP_get_free_pirq		23
struct physdev_get_free_pirq {
	int type;		/* in: MAP_PIRQ_TYPE_MSI or _GSI */
	uint32_t pirq;		/* out */
};

/* The memory-mapped configuration space that ACPI describes. */
#define PHYSDEVOP_pci_mmcfg_reserved	24
#define XEN_PCI_MMCFG_RESERVED		0x1
struct physdev_pci_mmcfg_reserved {
	uint64_t address;	/* in */
	uint16_t segment;	/* in */
	uint8_t start_bus;	/* in */
	uint8_t end_bus;	/* in */
	uint32_t flags;		/* in: XEN_PCI_MMCFG_RESERVED: firmware does */
};

#define PHYSDEVOP_pci_device_add	25
#define XEN_PCI_DEV_EXTFN		0x1
#define XEN_PCI_DEV_VIRTFN		0x2
#define XEN_PCI_DEV_PXM			0x4	/* optarr[0] is its node */
struct physdev_pci_device_add {
	uint16_t seg;		/* in */
	uint8_t bus;		/* in */
	uint8_t devfn;		/* in */
	uint32_t flags;		/* in: XEN_PCI_DEV_* */
	struct {
		uint8_t bus;
		uint8_t devfn;
	} physfn;		/* in: of a virtual function */
	uint32_t optarr[];	/* in: only with XEN_PCI_DEV_PXM */
};

#define PHYSDEVOP_pci_device_remove	26
#define PHYSDEVOP_restore_msi_ext	27
#define PHYSDEVOP_prepare_msix		30
#define PHYSDEVOP_release_msix		31
struct physdev_pci_device {
	uint16_t seg;		/* in */
	uint8_t bus;		/* in */
	uint8_t devfn;		/* in */
};

/* The USB debug port is about to be reset, or was. */
#define PHYSDEVOP_dbgp_op		29
#define PHYSDEVOP_DBGP_RESET_PREPARE	1
#define PHYSDEVOP_DBGP_RESET_DONE	2
#define PHYSDEVOP_DBGP_BUS_UNKNOWN	0
#define PHYSDEVOP_DBGP_BUS_PCI		1
struct physdev_dbgp_op {
	uint8_t op;		/* in: PHYSDEVOP_DBGP_RESET_* */
	uint8_t bus;		/* in: PHYSDEVOP_DBGP_BUS_* */
	union {
		struct physdev_pci_device pci;
	} u;			/* in */
};

/* The form of hypercall 19, which only very old kernels use. */
#define PHYSDEVOP_IRQ_UNMASK_NOTIFY	4
struct physdev_op {
	uint32_t cmd;
	union {
		struct physdev_irq_status_query irq_status_query;
		struct physdev_set_iopl set_iopl;
		struct physdev_set_iobitmap set_iobitmap;
		struct physdev_apic apic_op;
		struct physdev_irq irq_op;
	} u;
};

#endif
