/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The IO-APICs: one redirection entry per interrupt line.
 *
 * Invariant: every entry is masked, or routes a line that cpu/irq.c has given
 * a vector to exactly one CPU, fixed delivery.  Domains never write an entry;
 * Dom0 may read registers (physdev_op) and names lines by GSI.
 *
 * Index and data register make one access of two steps, so callers hold
 * irq_lock; ioapic_guest_read() takes it itself.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <mm/mm.h>

#define REG_VERSION	1
#define REG_ENTRY(pin)	(0x10 + 2 * (pin))
#define RTE_LOW_ACTIVE	(1U << 13)
#define RTE_LEVEL	(1U << 15)
#define RTE_MASKED	(1U << 16)
#define MAX_PINS	240

static struct ioapic {
	volatile u32 *regs;
	paddr_t pa;
	unsigned int gsi_base, nr_pins;
	bool has_eoi;
	u32 *low;		/* what each entry's low half holds */
} ioapics[8];
static unsigned int nr_ioapics;

unsigned int nr_gsi;

static u32 reg_read(const struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void reg_write(const struct ioapic *io, u32 reg, u32 val)
{
	io->regs[0] = reg;
	io->regs[4] = val;
}

static struct ioapic *find(unsigned int gsi, unsigned int *pin)
{
	unsigned int i;

	for (i = 0; i < nr_ioapics; i++) {
		*pin = gsi - ioapics[i].gsi_base;
		if (gsi >= ioapics[i].gsi_base && *pin < ioapics[i].nr_pins)
			return &ioapics[i];
	}
	return NULL;
}

static void __init init_one(const struct acpi_ioapic *desc)
{
	struct ioapic *io = &ioapics[nr_ioapics];
	unsigned int pin;
	u32 version;

	io->pa = desc->address;
	io->gsi_base = desc->gsi_base;
	io->regs = map_io(io->pa, PAGE_SIZE, MAP_RW | PTE_PCD | PTE_PWT);
	version = reg_read(io, REG_VERSION);
	io->nr_pins = (version >> 16 & 0xff) + 1;
	io->has_eoi = (version & 0xff) >= 0x20;
	if (version == ~0U || io->nr_pins > MAX_PINS ||
	    io->gsi_base + io->nr_pins > NR_PIRQS / 2) {
		log_warn("IO-APIC at %lx ignored: version %x, GSI base %u\n",
			 io->pa, version, io->gsi_base);
		return;
	}
	io->low = heap_alloc(io->nr_pins * sizeof(*io->low));
	if (!io->low)
		panic("no memory for an IO-APIC");
	for (pin = 0; pin < io->nr_pins; pin++) {
		io->low[pin] = RTE_MASKED;
		reg_write(io, REG_ENTRY(pin), RTE_MASKED);
		reg_write(io, REG_ENTRY(pin) + 1, 0);
	}
	nr_ioapics++;
	nr_gsi = max(nr_gsi, io->gsi_base + io->nr_pins);
	log_info("IO-APIC at %lx: GSI %u-%u\n", io->pa, io->gsi_base,
		 io->gsi_base + io->nr_pins - 1);
}

/* After acpi_init(); everything is masked afterwards.  Sets nr_gsi. */
void __init ioapic_init(void)
{
	unsigned int i;

	for (i = 0; i < acpi.nr_ioapic; i++)
		init_one(&acpi.ioapic[i]);
	if (!nr_ioapics)
		log_warn("no IO-APIC: only messages can interrupt\n");
}

int ioapic_route(unsigned int gsi, u8 vector, unsigned int cpu, int trigger,
		 int polarity)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (!io)
		return -XEN_EINVAL;
	io->low[pin] = vector | RTE_MASKED | (trigger ? RTE_LEVEL : 0) |
		       (polarity ? RTE_LOW_ACTIVE : 0);
	reg_write(io, REG_ENTRY(pin), io->low[pin]);
	reg_write(io, REG_ENTRY(pin) + 1, cpu_ptr(cpu)->apic_id << 24);
	return 0;
}

/* Redirects a routed line; the other half of its entry stays. */
void ioapic_set_cpu(unsigned int gsi, unsigned int cpu)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (io)
		reg_write(io, REG_ENTRY(pin) + 1, cpu_ptr(cpu)->apic_id << 24);
}

static void set_mask(unsigned int gsi, bool masked)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (!io)
		return;
	io->low[pin] &= ~RTE_MASKED;
	if (masked)
		io->low[pin] |= RTE_MASKED;
	reg_write(io, REG_ENTRY(pin), io->low[pin]);
	/* Read back: the line must be off before the caller's next step. */
	if (masked)
		reg_read(io, REG_ENTRY(pin));
}

void ioapic_mask(unsigned int gsi)
{
	set_mask(gsi, true);
}

void ioapic_unmask(unsigned int gsi)
{
	set_mask(gsi, false);
}

/*
 * Ends a level interrupt at the IO-APIC itself.  Without an EOI register the
 * local APIC's broadcast, which apic_eoi() causes, has to do.
 */
void ioapic_eoi(unsigned int gsi, u8 vector)
{
	unsigned int pin;
	struct ioapic *io = find(gsi, &pin);

	if (io && io->has_eoi)
		io->regs[16] = vector;
}

bool ioapic_address_reserved(paddr_t pa)
{
	unsigned int i;

	for (i = 0; i < acpi.nr_ioapic; i++)
		if (((pa ^ acpi.ioapic[i].address) & PAGE_MASK) == 0)
			return true;
	return false;
}

int ioapic_guest_read(paddr_t pa, u32 reg, u32 *value)
{
	struct ioapic *io;

	for (io = ioapics; io < ioapics + nr_ioapics; io++) {
		if (io->pa != pa)
			continue;
		if (reg > 2 && (reg < 0x10 || reg >= REG_ENTRY(io->nr_pins)))
			break;
		spin_lock(&irq_lock);
		*value = reg_read(io, reg);
		spin_unlock(&irq_lock);
		return 0;
	}
	return -XEN_EINVAL;
}
