/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI configuration space, by ports 0xcf8 and 0xcfc, and message signalled
 * interrupts: the hypervisor writes them, domains do not.
 *
 * The address port is one register for the whole machine and a CPU's two
 * accesses make one transaction, so pci_lock (LOCK_IRQ) is held across both.
 * Dom0 does not own the register: its writes to 0xcf8 only set d->cf8, and
 * its data accesses become transactions of ours.
 *
 * Invariant: while a device has a message in use (a user), its address and
 * data registers hold what msi_write() put there: Dom0's writes to the MSI
 * capability are reduced to the enable bit, and the MSI-X table's pages can
 * only be mapped read-only.  The MSI-X control word stays Dom0's: it only
 * enables and masks.
 *
 * A message is a store to 0xfee.....; a device that masters the bus can make
 * any such store anyway, and without an IOMMU nothing prevents that.  So the
 * filter protects Dom0's drivers from surprises and us from stray vectors; it
 * is no wall against a Dom0 that means harm.
 *
 * The MSI-X table's place is read from the device's BARs, never taken from
 * the caller.  It must not be RAM nor anything Dom0 could not map itself; and
 * all mappings ever made are limited, for they last forever.
 *
 * Opening, closing and writing are serialised by physdev_op's lock or the
 * message's owner.  msix_page_protected() and the write filter read the table
 * of devices without a lock: entries are never freed, and `users` is written
 * last.  Only segment 0 is reached; memory-mapped configuration space (MCFG)
 * is not used here, Dom0 maps it as it maps any device memory.
 */
#include <dev/dev.h>
#include <domain/domain.h>

#define CF8_ENABLE		(1U << 31)

enum pci_reg {
	PCI_COMMAND = 4, PCI_STATUS = 6, PCI_HEADER_TYPE = 0xe,
	PCI_BAR0 = 0x10, PCI_CAPS = 0x34,
};
#define PCI_COMMAND_MEMORY	2
#define PCI_STATUS_CAPS		0x10
enum { PCI_CAP_MSI = 5, PCI_CAP_MSIX = 17 };

#define MSI_ENABLE		1
#define MSI_MME			0x70	/* log2 of messages */
#define MSI_64BIT		0x80
#define MSI_MASKABLE		0x100
#define MSIX_SIZE(ctrl)		(((ctrl) & 0x7ff) + 1)
#define MSIX_ENTRY_SIZE		16

#define MSI_ADDRESS		0xfee00000U
#define MAX_DEVICES		128
#define MAX_TABLE_PAGES		2048	/* ever mapped */

static struct spinlock pci_lock = SPINLOCK(LOCK_IRQ);

static struct msi_device {
	u16 bdf;
	u16 users;
	u8 msi_cap, msi_len;	/* capability in use, bytes */
	bool msix;		/* users are MSI-X entries */
	paddr_t table;		/* what is mapped at `map` */
	u32 table_pages;
	u8 *map;
} devices[MAX_DEVICES];
static unsigned int nr_devices;
static unsigned int table_pages_mapped;

/* --- configuration space -------------------------------------------------- */

/* An access of 1, 2 or 4 bytes: what was read, or val as it was written. */
u32 port_access(u16 port, unsigned int bytes, bool out, u32 val)
{
	if (!out)
		return bytes == 1 ? inb(port) : bytes == 2 ? inw(port)
							   : inl(port);
	if (bytes == 1)
		outb(port, val);
	else if (bytes == 2)
		outw(port, val);
	else
		outl(port, val);
	return val;
}

/* Bytes 1, 2 or 4, aligned. */
static u32 cfg_read(const struct msi *m, u8 reg, unsigned int bytes)
{
	u32 val;

	spin_lock(&pci_lock);
	outl(0xcf8, CF8_ENABLE | m->bus << 16 | m->devfn << 8 | (reg & 0xfc));
	val = port_access(0xcfc + (reg & 3), bytes, false, 0);
	spin_unlock(&pci_lock);
	return val;
}

static void cfg_write(const struct msi *m, u8 reg, unsigned int bytes, u32 val)
{
	spin_lock(&pci_lock);
	outl(0xcf8, CF8_ENABLE | m->bus << 16 | m->devfn << 8 | (reg & 0xfc));
	port_access(0xcfc + (reg & 3), bytes, true, val);
	spin_unlock(&pci_lock);
}

/* How many messages the device may send; whether it does. */
static void msi_control(const struct msi *m, u32 clear)
{
	cfg_write(m, m->cap + 2, 2, cfg_read(m, m->cap + 2, 2) & ~clear);
}

/* A broken device may link its list into a circle: at most 48 steps. */
static u8 find_cap(const struct msi *m, u8 id)
{
	u32 head;
	u8 pos;

	if (m->seg || cfg_read(m, 0, 2) == 0xffff ||
	    !(cfg_read(m, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	pos = cfg_read(m, PCI_CAPS, 1) & ~3;
	for (int steps = 48; pos >= 0x40 && steps; steps--) {
		head = cfg_read(m, pos, 2);
		if ((head & 0xff) == id)
			return pos;
		pos = head >> 8 & ~3;
	}
	return 0;
}

static struct msi_device *device_find(u16 bdf)
{
	for (unsigned int i = 0; i < load_acquire(&nr_devices); i++)
		if (devices[i].bdf == bdf)
			return &devices[i];
	return NULL;
}

/* Ports 0xcf8-0xcff; smaller accesses below 0xcfc are other registers.  The
 * value read; for a write the result means nothing. */
u32 pci_guest_io(struct domain *d, u16 port, unsigned int bytes, bool out,
		 u32 val)
{
	u32 cf8 = READ_ONCE(d->cf8), start;
	u8 reg = (cf8 & 0xfc) | (port & 3);
	struct msi_device *dev;

	if (port == 0xcf8 && bytes == 4) {
		if (out)
			WRITE_ONCE(d->cf8, val);
		return cf8;
	}
	if (port < 0xcfc)
		return port_access(port, bytes, out, val);
	if (!(cf8 & CF8_ENABLE) || (port & 3) + bytes > 4)
		return ~0U >> (32 - 8 * bytes);
	spin_lock(&pci_lock);
	outl(0xcf8, cf8 & ~3U);
	/* Bits 24 to 27 extend the register: beyond what we ever program. */
	dev = out && !(cf8 & 0x0f000000) ? device_find(cf8 >> 8) : NULL;
	start = dev ? dev->msi_cap + 2U : 0;
	if (!dev || !READ_ONCE(dev->users) || dev->msix ||
	    reg + bytes <= start || reg >= dev->msi_cap + dev->msi_len) {
		val = port_access(port, bytes, out, val);
	} else if (reg <= start) {
		/* The control word is among them: its enable bit counts. */
		val = val >> 8 * (start - reg) & MSI_ENABLE;
		outl(0xcf8, (cf8 & ~0xffU) | (start & 0xfc));
		outw(0xcfc + (start & 3),
		     (inw(0xcfc + (start & 3)) & ~MSI_ENABLE) | val);
	}
	spin_unlock(&pci_lock);
	return val;
}

/* --- messages ------------------------------------------------------------- */

/* Finds m's entry in the device's table, which is mapped again if it moved. */
static int open_msix(struct msi_device *dev, struct msi *m)
{
	u32 entries = MSIX_SIZE(cfg_read(m, m->cap + 2, 2));
	u32 where = cfg_read(m, m->cap + 4, 4), n = where & 7, pages, low;
	paddr_t pa;

	if (m->entry >= entries)
		return -XEN_EINVAL;
	/* In memory BAR n, which takes two registers if it has 64 bits. */
	low = cfg_read(m, PCI_BAR0 + 4 * n, 4);
	if (n > ((cfg_read(m, PCI_HEADER_TYPE, 1) & 0x7f) ? 1 : 5) || low & 1 ||
	    !(cfg_read(m, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		return -XEN_ENXIO;
	pa = low & ~15U;
	if ((low & 6) == 4 && n < 5)
		pa |= (u64)cfg_read(m, PCI_BAR0 + 4 * n + 4, 4) << 32;
	if (!pa)
		return -XEN_ENXIO;
	pa += where & ~7U;
	pages = DIV_ROUND_UP((pa & ~PAGE_MASK) + entries * MSIX_ENTRY_SIZE,
			     PAGE_SIZE);
	if (!dev->map || dev->table != pa || dev->table_pages != pages) {
		if (pa < PAGE_SIZE || pa >> boot_cpu.phys_bits)
			return -XEN_ENXIO;
		for (u64 i = 0, mfn = pa >> PAGE_SHIFT; i < pages; i++)
			if (mfn_valid(MFN(mfn + i)) ||
			    iomem_permitted(dom0, mfn + i) == IOMEM_NONE)
				return -XEN_ENXIO;
		if (dev->users || table_pages_mapped + pages > MAX_TABLE_PAGES)
			return -XEN_ENOSPC;
		table_pages_mapped += pages;
		dev->map = map_io(pa, entries * MSIX_ENTRY_SIZE,
				  MAP_RW | PTE_PCD | PTE_PWT);
		dev->table = pa;
		dev->table_pages = pages;
	}
	m->slot = (volatile u32 *)(dev->map + m->entry * MSIX_ENTRY_SIZE);
	return 0;
}

/* Asked for each mapping of memory that is not RAM: short and lock-free. */
bool msix_page_protected(u64 mfn)
{
	unsigned int nr = load_acquire(&nr_devices);

	for (const struct msi_device *dev = devices; dev < devices + nr; dev++)
		if (READ_ONCE(dev->users) && dev->msix &&
		    mfn - (dev->table >> PAGE_SHIFT) < dev->table_pages)
			return true;
	return false;
}

int msi_open(struct msi *m)
{
	u16 bdf = m->bus << 8 | m->devfn;
	struct msi_device *dev = device_find(bdf);
	u32 ctrl;
	int rc;

	m->cap = find_cap(m, m->msix ? PCI_CAP_MSIX : PCI_CAP_MSI);
	if (!m->cap)
		return -XEN_ENODEV;
	if (!dev) {
		if (nr_devices == MAX_DEVICES)
			return -XEN_ENOSPC;
		dev = &devices[nr_devices];
		dev->bdf = bdf;
		store_release(&nr_devices, nr_devices + 1);
	}
	if (dev->users && (dev->msix != m->msix || !m->msix))
		return -XEN_EBUSY;
	if (m->msix) {
		rc = open_msix(dev, m);
		if (rc)
			return rc;
	} else {
		ctrl = cfg_read(m, m->cap + 2, 2);
		m->is64 = ctrl & MSI_64BIT;
		m->maskable = ctrl & MSI_MASKABLE;
		dev->msi_cap = m->cap;
		dev->msi_len = 10 + m->is64 * 4 + m->maskable * 10;
		msi_control(m, MSI_ENABLE);
	}
	dev->msix = m->msix;
	store_release(&dev->users, dev->users + 1);
	msi_mask(m, true);
	return 0;
}

void msi_close(const struct msi *m)
{
	struct msi_device *dev = device_find(m->bus << 8 | m->devfn);

	if (m->msix)
		msi_mask(m, true);
	else
		msi_control(m, MSI_ENABLE | MSI_MME);
	WRITE_ONCE(dev->users, dev->users - 1);
}

/*
 * Only the low half of the address names the CPU, so redirecting a message
 * that cannot be masked changes one register at a time, each value valid.
 */
void msi_write(const struct msi *m, u8 vector, unsigned int cpu)
{
	u32 address = MSI_ADDRESS | (cpu_ptr(cpu)->apic_id & 0xff) << 12;

	if (m->msix) {
		m->slot[0] = address;
		m->slot[1] = 0;
		m->slot[2] = vector;
		return;
	}
	msi_control(m, MSI_MME);	/* one message */
	cfg_write(m, m->cap + 4, 4, address);
	if (m->is64)
		cfg_write(m, m->cap + 8, 4, 0);
	cfg_write(m, m->cap + (m->is64 ? 12 : 8), 2, vector);
}

void msi_mask(const struct msi *m, bool masked)
{
	u8 reg = m->cap + (m->is64 ? 16 : 12);

	if (m->msix) {
		m->slot[3] = masked;
		(void)m->slot[3];	/* arrived before we go on */
	} else if (m->maskable) {
		cfg_write(m, reg, 4, (cfg_read(m, reg, 4) & ~1U) | masked);
	}
}
