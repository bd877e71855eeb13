/* SPDX-License-Identifier: GPL-2.0 */
/* What little of the machine the hypervisor drives itself. */
#ifndef DEV_H
#define DEV_H

#include <lib/lib.h>
#include <hypercall-abi/physdev.h>

struct domain;

/* --- console.c: log ring, serial and VGA output, console_io ---------------- */
void console_init_early(void);		/* serial and VGA, before anything else */
void console_init(void);		/* after irq_init(): input by interrupt */
void console_write(const char *s, size_t n);	/* to ring and devices */
/* Guest (Dom0) output: no prefix, devices only. */
void console_write_guest(const char *s, size_t n);
/* Panic: break locks, polled output from now on. */
void console_force_unlock(void);
/* A character from the serial line (interrupt or poll). */
void console_rx(char c);
void console_poll(void);		/* WORK_KEYS: keys, news for Dom0 */
void console_end_boot(void);		/* Dom0 takes the text screen */
/* sysctl readconsole: copies out to guest memory. */
long console_read_ring(u64 gva, u32 *count, u32 *index, bool clear,
		       bool incremental);
long do_console_io(u64 cmd, u64 count, u64 gva, u64, u64, u64);
/* Fills the Dom0 console info (VGA text geometry); returns its size or 0. */
size_t console_dom0_info(void *buf, size_t size);

/* --- uart.c: 16550 ------------------------------------------------------------ */
void uart_init(void);			/* com1= , console=com1 */
void uart_putc(char c);
bool uart_getc(char *c);
bool uart_enable_irq(void);		/* false: the caller polls */
bool uart_owns_port(u16 port);		/* guests keep off */

/* --- acpi.c: tables read at boot -------------------------------------------------- */
struct acpi_cpu { u32 apic_id, acpi_id; bool enabled; };
struct acpi_ioapic { u32 id, gsi_base; paddr_t address; };
struct acpi_override { u8 source; u32 gsi; u16 flags; };
struct acpi_info {
	struct acpi_cpu cpu[NR_CPUS];
	unsigned int nr_cpu, nr_cpu_ignored;
	struct acpi_ioapic ioapic[8];
	unsigned int nr_ioapic;
	struct acpi_override override[16];
	unsigned int nr_override;
	paddr_t lapic;
	u16 sci_gsi;
	u32 pm1a_cnt, pm1b_cnt, pm_timer;	/* I/O ports, 0 none */
	u8 pm_timer_32bit;
	struct { u32 addr_space; u64 address; u8 value; } reset;
	bool has_reset;
	struct { paddr_t base; u16 seg; u8 start, end; } mcfg[4];
	unsigned int nr_mcfg;
	paddr_t hpet;
	u32 smi_cmd;			/* port; with acpi_enable: ACPI mode */
	u8 acpi_enable;
	bool has_s5;			/* \_S5 was found: sleep types */
	u8 s5_a, s5_b;
	volatile u8 *reset_mmio;	/* reset register in memory, mapped */
};
extern struct acpi_info acpi;
/* rsdp = 0: look in the BIOS areas. */
void acpi_init(paddr_t rsdp);
/* Finds an ACPI table by signature: mapped, or NULL. */
const void *acpi_find(const char *sig);

/* --- physdev.c ------------------------------------------------------------------------ */
long do_physdev_op(u64 cmd, u64 arg, u64, u64, u64, u64);
/* pirqs of Dom0's MSIs: see cpu/irq.c */

/* --- pci.c: config space, MSI ------------------------------------------------------------ */
u32 pci_read(u16 seg, u8 bus, u8 devfn, u16 reg, unsigned int bytes);
void pci_write(u16 seg, u8 bus, u8 devfn, u16 reg, unsigned int bytes, u32 val);
void pci_init(void);
/* Dom0's accesses to 0xcf8-0xcff, filtered: see entry/emulate.c. */
u32 pci_guest_in(struct domain *d, u16 port, unsigned int bytes);
void pci_guest_out(struct domain *d, u16 port, unsigned int bytes, u32 val);

/* --- msi.c: message signalled interrupts ----------------------------------------------- */
struct msi {
	u16 seg;
	u8 bus, devfn;
	u8 cap;			/* config offset of the capability */
	bool msix, is64, maskable;
	u8 nr;			/* messages, a power of 2; 1 for MSI-X */
	u16 entry;		/* MSI-X: which table entry */
	volatile u32 *slot;	/* MSI-X: that entry */
};
/*
 * From seg, bus, devfn, msix, entry and nr: finds and checks the capability,
 * counts one user of the device, leaves the messages masked.  0; -XEN_ENODEV
 * no such device or capability; -XEN_EINVAL; -XEN_ENXIO table out of reach.
 */
int msi_open(struct msi *m);
void msi_close(const struct msi *m);	/* masked and disabled; one user less */
/* Directs m's messages to vector, vector + 1, ... on cpu. */
void msi_write(const struct msi *m, u8 vector, unsigned int cpu);
/* Message n of m.  No effect where the device cannot mask. */
void msi_mask(const struct msi *m, unsigned int n, bool masked);
/* 0 if the device has MSI-X, else -XEN_ENODEV. */
int msix_present(u16 seg, u8 bus, u8 devfn);
bool msix_in_use(u16 seg, u8 bus, u8 devfn);
/*
 * Dom0 writes `bytes` bytes at `reg` of a device whose MSI capability we own:
 * true if the write must not reach the device; *enable is then 0, 1, or -1 if
 * the enable bit is not concerned, and *cap the capability.  pci_lock held.
 */
bool msi_filter_write(u16 bdf, u8 reg, unsigned int bytes, u32 val, int *enable,
		      u8 *cap);
/* True if mfn holds an MSI-X table in use: Dom0 may only map it read-only. */
bool msix_page_protected(u64 mfn);
/* Capability `id` of a device: its config offset, 0 none. */
u8 pci_find_cap(u16 seg, u8 bus, u8 devfn, u8 id);

/* --- power.c ------------------------------------------------------------------------------- */
void machine_restart(void) __noreturn;
void machine_halt(void) __noreturn;
void machine_power_off(void) __noreturn;	/* uses what enter_acpi_sleep left */
/* Dom0 asks for S5: the two PM1 control values. */
long acpi_enter_sleep(u16 val_a, u16 val_b, u32 state);

#endif
