/* SPDX-License-Identifier: GPL-2.0 */
/* What little of the machine the hypervisor drives itself. */
#pragma once

#include <lib/lib.h>
#include <hypercall-abi/physdev.h>

/* --- console.c: log ring, serial and VGA output, console_io -------------- */
void console_init_early(void);		/* serial and VGA, before anything else */
void console_init(void);		/* after irq_init(): input by interrupt */
void console_write(const char *s, size_t n);	/* to ring and devices */
/* Panic: break locks, polled output from now on. */
void console_force_unlock(void);
void console_poll(void);		/* WORK_KEYS: keys, news for Dom0 */
void console_end_boot(void);		/* Dom0 takes the text screen */
/* sysctl readconsole: copies out to guest memory. */
long console_read_ring(u64 gva, u32 *count, u32 *index, bool clear,
		       bool incremental);
struct dom0_vga_console_info;
/* Fills the Dom0 console info (VGA text geometry); returns its size or 0. */
size_t console_dom0_info(struct dom0_vga_console_info *info);
bool uart_owns_port(u32 first, u32 last);	/* guests keep off */

/* --- acpi.c: tables read at boot; restart, halt, power off --------------- */
struct acpi_cpu { u32 apic_id, acpi_id; };
struct ioapic {
	paddr_t pa;
	u32 gsi_base, nr_pins;		/* nr_pins, regs: by irq_init() */
	volatile u32 *regs;
};
extern struct acpi_info {
	struct acpi_cpu cpu[NR_CPUS];
	unsigned int nr_cpu;
	struct ioapic ioapic[8];
	unsigned int nr_ioapic;
	u32 pm_timer;			/* I/O port, 0 none */
} acpi;
void acpi_init(paddr_t rsdp);		/* rsdp 0: look in the BIOS areas */
void pause_ms(unsigned int ms);		/* or longer on a slow machine */
void machine_restart(void) __noreturn;
void machine_halt(void) __noreturn;
/* Dom0 asks for S5: the two PM1 control values. */
long acpi_enter_sleep(u16 val_a, u16 val_b, u32 state);

/* --- pci.c: config space, message signalled interrupts ------------------- */
/* Dom0's accesses to 0xcf8-0xcff, filtered: see entry/emulate.c. */
u32 pci_guest_io(struct domain *d, u16 port, unsigned int bytes, bool out,
		 u32 val);
/* An access of the hypervisor itself: 1, 2 or 4 bytes. */
u32 port_access(u16 port, unsigned int bytes, bool out, u32 val);
struct msi {
	u16 seg;
	u8 bus, devfn;
	u8 cap;			/* config offset of the capability */
	bool msix, is64, maskable;
	u16 entry;		/* MSI-X: which table entry */
	volatile u32 *slot;	/* MSI-X: that entry */
};
/*
 * From seg, bus, devfn, msix and entry: finds and checks the capability,
 * counts one user of the device, leaves the message masked.  0; -XEN_ENODEV
 * no such device or capability; -XEN_EINVAL; -XEN_ENXIO table out of reach.
 */
int msi_open(struct msi *m);
void msi_close(const struct msi *m);	/* masked and disabled; one user less */
/* Directs m's message to vector on cpu. */
void msi_write(const struct msi *m, u8 vector, unsigned int cpu);
/* No effect where the device cannot mask. */
void msi_mask(const struct msi *m, bool masked);
/* True if mfn holds an MSI-X table in use: Dom0 may only map it read-only. */
bool msix_page_protected(u64 mfn);
