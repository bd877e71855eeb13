/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI configuration space, by ports 0xcf8 and 0xcfc.
 *
 * The address port is one register for the whole machine and a CPU's two
 * accesses make one transaction, so pci_lock (LOCK_IRQ) is held across both.
 * Dom0 does not own the register: its writes to 0xcf8 only set d->cf8, and
 * its data accesses become transactions of ours.
 *
 * Dom0 may configure everything but the messages that the hypervisor has
 * programmed (see msi.c).  Memory-mapped configuration space (MCFG) is not
 * used here; Dom0 maps it as it maps any device memory.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <domain/domain.h>

#define CF8_ENABLE	(1U << 31)

static struct spinlock pci_lock = SPINLOCK(LOCK_IRQ);

static u32 all_ones(unsigned int bytes)
{
	return ~0U >> (32 - 8 * bytes);
}

static u32 port_in(u16 port, unsigned int bytes)
{
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static void port_out(u16 port, unsigned int bytes, u32 val)
{
	if (bytes == 1)
		outb(port, val);
	else if (bytes == 2)
		outw(port, val);
	else
		outl(port, val);
}

static u32 read_locked(u32 address, u8 reg, unsigned int bytes)
{
	outl(0xcf8, address);
	return port_in(0xcfc + (reg & 3), bytes);
}

static void write_locked(u32 address, u8 reg, unsigned int bytes, u32 val)
{
	outl(0xcf8, address);
	port_out(0xcfc + (reg & 3), bytes, val);
}

static u32 make_address(u8 bus, u8 devfn, u16 reg)
{
	return CF8_ENABLE | (u32)bus << 16 | (u32)devfn << 8 | (reg & 0xfc);
}

/* Bytes 1, 2 or 4, aligned.  All ones where we cannot reach. */
u32 pci_read(u16 seg, u8 bus, u8 devfn, u16 reg, unsigned int bytes)
{
	u32 val;

	if (seg || reg + bytes > 256)
		return all_ones(bytes);
	spin_lock(&pci_lock);
	val = read_locked(make_address(bus, devfn, reg), reg, bytes);
	spin_unlock(&pci_lock);
	return val;
}

void pci_write(u16 seg, u8 bus, u8 devfn, u16 reg, unsigned int bytes, u32 val)
{
	if (seg || reg + bytes > 256)
		return;
	spin_lock(&pci_lock);
	write_locked(make_address(bus, devfn, reg), reg, bytes, val);
	spin_unlock(&pci_lock);
}

/* A broken device may link its list into a circle: at most 48 steps. */
u8 pci_find_cap(u16 seg, u8 bus, u8 devfn, u8 id)
{
	int steps = 48;
	u8 pos;

	if (pci_read(seg, bus, devfn, 0, 2) == 0xffff ||
	    !(pci_read(seg, bus, devfn, 6, 2) & 0x10))
		return 0;
	pos = pci_read(seg, bus, devfn, 0x34, 1) & ~3;
	while (pos >= 0x40 && steps--) {
		u16 head = pci_read(seg, bus, devfn, pos, 2);

		if ((head & 0xff) == id)
			return pos;
		pos = head >> 8 & ~3;
	}
	return 0;
}

void __init pci_init(void)
{
	unsigned int i;

	for (i = 0; i < acpi.nr_mcfg; i++)
		log_info("PCI: segment %04x buses %02x-%02x at %lx (Dom0's)\n",
			 acpi.mcfg[i].seg, acpi.mcfg[i].start,
			 acpi.mcfg[i].end, acpi.mcfg[i].base);
}

/* --- Dom0's port accesses -- */

static bool is_latch(u16 port, unsigned int bytes)
{
	return port == 0xcf8 && bytes == 4;
}

/* Ports 0xcf8-0xcff; smaller accesses below 0xcfc are other registers. */
u32 pci_guest_in(struct domain *d, u16 port, unsigned int bytes)
{
	u32 cf8 = READ_ONCE(d->cf8), val;

	if (is_latch(port, bytes))
		return cf8;
	if (port < 0xcfc)
		return port_in(port, bytes);
	if (!(cf8 & CF8_ENABLE) || (port & 3) + bytes > 4)
		return all_ones(bytes);
	spin_lock(&pci_lock);
	val = read_locked(cf8, port & 3, bytes);
	spin_unlock(&pci_lock);
	return val;
}

static void guest_write(u32 cf8, u8 reg, unsigned int bytes, u32 val)
{
	u32 address = cf8 & ~3U, ctrl;
	int enable;
	u8 cap;

	/* Bits 24 to 27 extend the register: beyond what we ever program. */
	if (cf8 & 0x0f000000 ||
	    !msi_filter_write(cf8 >> 8, reg, bytes, val, &enable, &cap)) {
		write_locked(address, reg, bytes, val);
		return;
	}
	if (enable < 0)
		return;
	address = (address & ~0xffU) | ((cap + 2) & 0xfc);
	ctrl = read_locked(address, cap + 2, 2) & ~1U;
	write_locked(address, cap + 2, 2, ctrl | enable);
}

void pci_guest_out(struct domain *d, u16 port, unsigned int bytes, u32 val)
{
	u32 cf8 = READ_ONCE(d->cf8);

	if (is_latch(port, bytes)) {
		WRITE_ONCE(d->cf8, val);
		return;
	}
	if (port < 0xcfc) {
		port_out(port, bytes, val);
		return;
	}
	if (!(cf8 & CF8_ENABLE) || (port & 3) + bytes > 4)
		return;
	spin_lock(&pci_lock);
	guest_write(cf8, (cf8 & 0xfc) | (port & 3), bytes, val);
	spin_unlock(&pci_lock);
}
