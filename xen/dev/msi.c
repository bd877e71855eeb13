/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Message signalled interrupts: the hypervisor writes them, domains do not.
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
 * Serialised by physdev_op's lock (open, close, write of another owner);
 * configuration accesses take pci.c's lock inside.  msix_page_protected() and
 * the write filter read the table of devices without a lock: entries are
 * never freed, and `users` is written last.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <domain/domain.h>

#define PCI_COMMAND		4
#define PCI_COMMAND_MEMORY	2
#define PCI_HEADER_TYPE		0xe
#define PCI_CAP_MSI		5
#define PCI_CAP_MSIX		17
#define PCI_BAR(n)		(0x10 + 4 * (n))

#define MSI_ENABLE		1
#define MSI_MMC(ctrl)		((ctrl) >> 1 & 7)
#define MSI_MME(n)		((n) << 4)
#define MSI_64BIT		0x80
#define MSI_MASKABLE		0x100
#define MSIX_SIZE(ctrl)		(((ctrl) & 0x7ff) + 1)
#define MSIX_ENTRY_SIZE		16

#define MSI_ADDRESS		0xfee00000U
#define MAX_DEVICES		128
#define MAX_TABLE_PAGES		2048	/* ever mapped */

static struct msi_device {
	u16 seg, bdf;
	u16 users;
	u8 msi_cap, msi_len;	/* capability in use, bytes */
	bool msix;		/* users are MSI-X entries */
	paddr_t table;		/* what is mapped at `map` */
	u32 table_pages;
	u8 *map;
} devices[MAX_DEVICES];
static unsigned int nr_devices;
static unsigned int table_pages_mapped;

static u32 cfg_read(const struct msi *m, u8 reg, unsigned int bytes)
{
	return pci_read(m->seg, m->bus, m->devfn, reg, bytes);
}

static void cfg_write(const struct msi *m, u8 reg, unsigned int bytes, u32 val)
{
	pci_write(m->seg, m->bus, m->devfn, reg, bytes, val);
}

static struct msi_device *device_find(u16 seg, u16 bdf)
{
	unsigned int i;

	for (i = 0; i < load_acquire(&nr_devices); i++)
		if (devices[i].bdf == bdf && devices[i].seg == seg)
			return &devices[i];
	return NULL;
}

static struct msi_device *device_get(u16 seg, u16 bdf)
{
	struct msi_device *dev = device_find(seg, bdf);

	if (dev || nr_devices == MAX_DEVICES)
		return dev;
	dev = &devices[nr_devices];
	dev->seg = seg;
	dev->bdf = bdf;
	store_release(&nr_devices, nr_devices + 1);
	return dev;
}

static u16 bdf_of(const struct msi *m)
{
	return m->bus << 8 | m->devfn;
}

/* --- MSI-X tables -- */

/* Address of memory BAR n, 0 if it is none or unset. */
static paddr_t bar_address(const struct msi *m, unsigned int n)
{
	u32 low, high = 0;

	if (n > ((cfg_read(m, PCI_HEADER_TYPE, 1) & 0x7f) ? 1 : 5))
		return 0;
	low = cfg_read(m, PCI_BAR(n), 4);
	if (low & 1)
		return 0;
	if ((low & 6) == 4 && n < 5)
		high = cfg_read(m, PCI_BAR(n + 1), 4);
	return (u64)high << 32 | (low & ~15U);
}

static bool table_allowed(paddr_t start, u32 pages)
{
	u64 mfn = start >> PAGE_SHIFT;

	if (!start || start >> boot_cpu.phys_bits)
		return false;
	for (; pages; pages--, mfn++)
		if (mfn_valid(MFN(mfn)) ||
		    iomem_permitted(dom0, mfn) == IOMEM_NONE)
			return false;
	return true;
}

/* The device's table of `entries`, mapped; again only if it moved. */
static int table_map(struct msi_device *dev, const struct msi *m, u32 entries)
{
	u32 where = cfg_read(m, m->cap + 4, 4), off, pages;
	paddr_t pa = bar_address(m, where & 7), start;

	if (!pa || !(cfg_read(m, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		return -XEN_ENXIO;
	pa += where & ~7U;
	start = pa & PAGE_MASK;
	off = pa & ~PAGE_MASK;
	pages = DIV_ROUND_UP(off + entries * MSIX_ENTRY_SIZE, PAGE_SIZE);
	if (dev->map && dev->table == pa && dev->table_pages == pages)
		return 0;
	if (!table_allowed(start, pages))
		return -XEN_ENXIO;
	if (dev->users || table_pages_mapped + pages > MAX_TABLE_PAGES)
		return -XEN_ENOSPC;
	table_pages_mapped += pages;
	dev->map = (u8 *)map_io(start, pages << PAGE_SHIFT,
				MAP_RW | PTE_PCD | PTE_PWT) + off;
	dev->table = pa;
	dev->table_pages = pages;
	return 0;
}

/* Asked for each mapping of memory that is not RAM: short and lock-free. */
bool msix_page_protected(u64 mfn)
{
	unsigned int i, nr = load_acquire(&nr_devices);

	for (i = 0; i < nr; i++) {
		const struct msi_device *dev = &devices[i];

		if (READ_ONCE(dev->users) && dev->msix &&
		    mfn - (dev->table >> PAGE_SHIFT) < dev->table_pages)
			return true;
	}
	return false;
}

int msix_present(u16 seg, u8 bus, u8 devfn)
{
	return pci_find_cap(seg, bus, devfn, PCI_CAP_MSIX) ? 0 : -XEN_ENODEV;
}

bool msix_in_use(u16 seg, u8 bus, u8 devfn)
{
	struct msi_device *dev = device_find(seg, bus << 8 | devfn);

	return dev && dev->users && dev->msix;
}

/* --- opening and closing -- */

static int open_msix(struct msi_device *dev, struct msi *m)
{
	u32 entries = MSIX_SIZE(cfg_read(m, m->cap + 2, 2));
	int rc;

	if (m->entry >= entries)
		return -XEN_EINVAL;
	rc = table_map(dev, m, entries);
	if (rc)
		return rc;
	m->slot = (volatile u32 *)(dev->map + m->entry * MSIX_ENTRY_SIZE);
	m->maskable = true;
	return 0;
}

static int open_msi(struct msi_device *dev, struct msi *m)
{
	u32 ctrl = cfg_read(m, m->cap + 2, 2);

	if (m->nr > 1U << min(MSI_MMC(ctrl), 5U))
		return -XEN_EINVAL;
	m->is64 = ctrl & MSI_64BIT;
	m->maskable = ctrl & MSI_MASKABLE;
	dev->msi_cap = m->cap;
	dev->msi_len = 10 + (m->is64 ? 4 : 0) + (m->maskable ? 10 : 0);
	ctrl &= ~(MSI_ENABLE | MSI_MME(7));
	cfg_write(m, m->cap + 2, 2, ctrl | MSI_MME(ffs64(m->nr)));
	return 0;
}

int msi_open(struct msi *m)
{
	struct msi_device *dev;
	unsigned int i;
	int rc;

	m->cap = pci_find_cap(m->seg, m->bus, m->devfn,
			      m->msix ? PCI_CAP_MSIX : PCI_CAP_MSI);
	if (!m->cap)
		return -XEN_ENODEV;
	dev = device_get(m->seg, bdf_of(m));
	if (!dev)
		return -XEN_ENOSPC;
	if (dev->users && (dev->msix != m->msix || !m->msix))
		return -XEN_EBUSY;
	rc = m->msix ? open_msix(dev, m) : open_msi(dev, m);
	if (rc)
		return rc;
	dev->msix = m->msix;
	store_release(&dev->users, dev->users + 1);
	for (i = 0; i < m->nr; i++)
		msi_mask(m, i, true);
	return 0;
}

void msi_close(const struct msi *m)
{
	struct msi_device *dev = device_find(m->seg, bdf_of(m));
	u32 ctrl;

	if (m->msix) {
		msi_mask(m, 0, true);
	} else {
		ctrl = cfg_read(m, m->cap + 2, 2);
		cfg_write(m, m->cap + 2, 2, ctrl & ~(MSI_ENABLE | MSI_MME(7)));
	}
	if (dev && dev->users)
		WRITE_ONCE(dev->users, dev->users - 1);
}

/* --- the messages -- */

/*
 * Only the low half of the address names the CPU, so redirecting a message
 * that cannot be masked changes one register at a time, each value valid.
 */
void msi_write(const struct msi *m, u8 vector, unsigned int cpu)
{
	u32 address = MSI_ADDRESS | (cpu_ptr(cpu)->apic_id & 0xff) << 12;
	u32 ctrl;

	if (m->msix) {
		m->slot[0] = address;
		m->slot[1] = 0;
		m->slot[2] = vector;
		return;
	}
	/* A reset device has forgotten how many messages it may send. */
	ctrl = cfg_read(m, m->cap + 2, 2) & ~MSI_MME(7);
	cfg_write(m, m->cap + 2, 2, ctrl | MSI_MME(ffs64(m->nr)));
	cfg_write(m, m->cap + 4, 4, address);
	if (m->is64)
		cfg_write(m, m->cap + 8, 4, 0);
	cfg_write(m, m->cap + (m->is64 ? 12 : 8), 2, vector);
}

void msi_mask(const struct msi *m, unsigned int n, bool masked)
{
	u8 reg = m->cap + (m->is64 ? 16 : 12);
	u32 bits;

	if (!m->maskable)
		return;
	if (m->msix) {
		m->slot[3] = masked;
		(void)m->slot[3];	/* arrived before we go on */
		return;
	}
	bits = cfg_read(m, reg, 4) & ~(1U << n);
	cfg_write(m, reg, 4, bits | (u32)masked << n);
}

bool msi_filter_write(u16 bdf, u8 reg, unsigned int bytes, u32 val, int *enable,
		      u8 *cap)
{
	struct msi_device *dev = device_find(0, bdf);
	unsigned int start;

	*enable = -1;
	if (!dev || !READ_ONCE(dev->users) || dev->msix)
		return false;
	start = dev->msi_cap + 2;
	if (reg + bytes <= start || reg >= dev->msi_cap + dev->msi_len)
		return false;
	*cap = dev->msi_cap;
	if (reg <= start)
		*enable = val >> 8 * (start - reg) & MSI_ENABLE;
	return true;
}
