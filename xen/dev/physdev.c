/* SPDX-License-Identifier: GPL-2.0 */
/*
 * physdev_op: what the control domain asks of interrupt hardware.
 *
 * Invariant: only Dom0 gets past the gate, but for its two questions about
 * the caller's own virtual I/O privilege.  Dom0 is trusted with the devices,
 * not with our memory: every number and address is checked as if it were
 * hostile, and structures are copied in once.
 *
 * physdev_lock (LOCK_IRQ_GUEST) makes mapping and unmapping one at a time;
 * it is not held across guest copies.
 *
 * Not offered: the EOI bitmap page (pirq_eoi_gmfn), interrupts of devices
 * that belong to another domain.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <domain/domain.h>

static struct spinlock physdev_lock = SPINLOCK(LOCK_IRQ_GUEST);

static long set_iopl(u64 arg)
{
	struct physdev_set_iopl op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.iopl > 3)
		return deny(-XEN_EINVAL);
	current->iopl = op.iopl;
	return 0;
}

/* The bitmap is read at each access, by the emulator, through guestmem. */
static long set_iobitmap(u64 arg)
{
	struct physdev_set_iobitmap op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.nr_ports > 65536 ||
	    !guest_range_ok(op.bitmap, DIV_ROUND_UP(op.nr_ports, 8)))
		return deny(-XEN_EINVAL);
	current->iobmp = op.bitmap;
	current->iobmp_limit = op.nr_ports;
	return 0;
}

static long eoi(u64 arg)
{
	struct physdev_eoi op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.irq >= NR_PIRQS)
		return deny(-XEN_EINVAL);
	pirq_eoi(current->domain, op.irq);
	return 0;
}

static long irq_status_query(u64 arg)
{
	struct physdev_irq_status_query op;
	struct domain *d = current->domain;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.irq >= NR_PIRQS)
		return deny(-XEN_EINVAL);
	op.flags = (pirq_needs_eoi(d, op.irq) ? XENIRQSTAT_needs_eoi : 0) |
		   (pirq_is_shared(d, op.irq) ? XENIRQSTAT_shared : 0);
	return copy_to_guest(arg, &op, sizeof(op));
}

static long apic_read_write(u64 arg, bool write)
{
	struct physdev_apic op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	rc = ioapic_guest_read(op.apic_physbase, op.reg, &op.value);
	if (rc)
		return deny(rc);
	return write ? 0 : copy_to_guest(arg, &op, sizeof(op));
}

static long alloc_irq_vector(u64 arg)
{
	struct physdev_irq op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.irq >= nr_gsi)
		return deny(-XEN_EINVAL);
	op.vector = irq_gsi_vector(op.irq);
	return copy_to_guest(arg, &op, sizeof(op));
}

/* --- mapping -- */

/* Interrupts go to the caller only; any other live domain is "not offered". */
static int check_domid(domid_t id)
{
	struct domain *d;

	if (id == DOMID_SELF || id == current->domain->id)
		return 0;
	d = domain_get(id);
	if (!d)
		return -XEN_ESRCH;
	domain_put(d);
	return -XEN_EOPNOTSUPP;
}

static int map_gsi(struct physdev_map_pirq *op)
{
	int rc;

	if (op->index < 0)
		return -XEN_EINVAL;
	rc = irq_check_gsi(op->index);
	if (rc)
		return rc;
	if (op->pirq >= 0 && op->pirq != op->index)
		return -XEN_EEXIST;	/* a line's number is its GSI */
	op->pirq = op->index;
	return 0;
}

static int map_msi(struct physdev_map_pirq *op)
{
	bool seg_in_bus = op->type != MAP_PIRQ_TYPE_MSI;
	bool multi = op->type == MAP_PIRQ_TYPE_MULTI_MSI;
	struct msi m = {
		.seg = seg_in_bus ? (u32)op->bus >> 16 : 0,
		.bus = op->bus, .devfn = op->devfn, .nr = 1,
		.msix = !multi && op->table_base != 0,
	};
	int rc;

	if (op->index != -1 || op->devfn & ~0xff)
		return -XEN_EINVAL;
	if (multi) {
		if (op->entry_nr < 1 || op->entry_nr > 32 ||
		    (op->entry_nr & (op->entry_nr - 1)))
			return -XEN_EINVAL;
		m.nr = op->entry_nr;
	} else if (m.msix) {
		if (op->entry_nr & ~0x7ff)
			return -XEN_EINVAL;
		m.entry = op->entry_nr;
	}
	spin_lock(&physdev_lock);
	rc = pirq_map_msi(&m, op->pirq < 0 ? -1 : op->pirq);
	spin_unlock(&physdev_lock);
	if (rc < 0)
		return rc;
	op->pirq = rc;
	return 0;
}

static long map_pirq(u64 arg)
{
	struct physdev_map_pirq op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	rc = check_domid(op.domid);
	if (rc)
		return deny(rc);
	switch (op.type) {
	case MAP_PIRQ_TYPE_GSI:
		rc = map_gsi(&op);
		break;
	case MAP_PIRQ_TYPE_MSI:
	case MAP_PIRQ_TYPE_MSI_SEG:
	case MAP_PIRQ_TYPE_MULTI_MSI:
		rc = map_msi(&op);
		break;
	default:
		rc = -XEN_EINVAL;
	}
	if (rc)
		return deny(rc);
	/* A failed copy leaves the pirq mapped: Dom0 may ask again. */
	return copy_to_guest(arg, &op, sizeof(op));
}

static long unmap_pirq(u64 arg)
{
	struct physdev_unmap_pirq op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	rc = check_domid(op.domid);
	if (rc)
		return deny(rc);
	if (op.pirq < 0 || op.pirq >= NR_PIRQS)
		return deny(-XEN_EINVAL);
	spin_lock(&physdev_lock);
	rc = pirq_unmap(op.pirq);
	spin_unlock(&physdev_lock);
	return rc;
}

static long setup_gsi(u64 arg)
{
	struct physdev_setup_gsi op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.gsi < 0 || op.triggering > 1 || op.polarity > 1)
		return deny(-XEN_EINVAL);
	return irq_setup_gsi(op.gsi, op.triggering, op.polarity);
}

static long get_free_pirq(u64 arg)
{
	struct physdev_get_free_pirq op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.type != MAP_PIRQ_TYPE_MSI && op.type != MAP_PIRQ_TYPE_MULTI_MSI)
		return deny(-XEN_EINVAL);
	spin_lock(&physdev_lock);
	rc = pirq_reserve();
	spin_unlock(&physdev_lock);
	if (rc < 0)
		return deny(rc);
	op.pirq = rc;
	return copy_to_guest(arg, &op, sizeof(op));
}

/* --- devices -- */

/* We keep no list of devices, so an arrival needs nothing but a sane name. */
static long device_add(u64 arg)
{
	struct physdev_pci_device_add op;

	/* The array of options is of no use here and stays unread. */
	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	return 0;
}

static long device_op(unsigned int cmd, struct physdev_pci_device op)
{
	long rc = 0;

	spin_lock(&physdev_lock);
	switch (cmd) {
	case PHYSDEVOP_pci_device_remove:
		pirq_release_device(op.seg, op.bus, op.devfn);
		break;
	case PHYSDEVOP_restore_msi_ext:
		pirq_restore_device(op.seg, op.bus, op.devfn);
		break;
	case PHYSDEVOP_prepare_msix:
		rc = msix_present(op.seg, op.bus, op.devfn);
		break;
	case PHYSDEVOP_release_msix:
		rc = msix_in_use(op.seg, op.bus, op.devfn) ? -XEN_EBUSY :
		     msix_present(op.seg, op.bus, op.devfn);
		break;
	}
	spin_unlock(&physdev_lock);
	return rc;
}

static long device_op_new(unsigned int cmd, u64 arg)
{
	struct physdev_pci_device op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	return device_op(cmd, op);
}

static long device_op_old(unsigned int cmd, u64 arg)
{
	struct physdev_manage_pci op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	return device_op(cmd, (struct physdev_pci_device){
			.bus = op.bus, .devfn = op.devfn });
}

static long mmcfg_reserved(u64 arg)
{
	struct physdev_pci_mmcfg_reserved op;
	unsigned int i;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	for (i = 0; i < acpi.nr_mcfg; i++)
		if (acpi.mcfg[i].base == op.address &&
		    acpi.mcfg[i].seg == op.segment)
			return 0;
	return -XEN_ENODEV;
}

static long dbgp_op(u64 arg)
{
	struct physdev_dbgp_op op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	return op.bus > PHYSDEVOP_DBGP_BUS_PCI ? deny(-XEN_EINVAL) : 0;
}

/*
 * [hypercall 33] Everything but set_iopl and set_iobitmap is Dom0's:
 * -XEN_EPERM for others; -XEN_ENOSYS for unknown commands.
 */
long do_physdev_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	if (cmd == PHYSDEVOP_set_iopl)
		return set_iopl(arg);
	if (cmd == PHYSDEVOP_set_iobitmap)
		return set_iobitmap(arg);
	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);

	switch (cmd) {
	case PHYSDEVOP_eoi:
		return eoi(arg);
	case PHYSDEVOP_irq_status_query:
		return irq_status_query(arg);
	case PHYSDEVOP_apic_read:
		return apic_read_write(arg, false);
	case PHYSDEVOP_apic_write:
		return apic_read_write(arg, true);
	case PHYSDEVOP_alloc_irq_vector:
		return alloc_irq_vector(arg);
	case PHYSDEVOP_free_irq_vector:
		return 0;
	case PHYSDEVOP_map_pirq:
		return map_pirq(arg);
	case PHYSDEVOP_unmap_pirq:
		return unmap_pirq(arg);
	case PHYSDEVOP_setup_gsi:
		return setup_gsi(arg);
	case PHYSDEVOP_get_free_pirq:
		return get_free_pirq(arg);
	case PHYSDEVOP_manage_pci_add:
	case PHYSDEVOP_manage_pci_add_ext:
		return 0;	/* as device_add(), older structures */
	case PHYSDEVOP_pci_device_add:
		return device_add(arg);
	case PHYSDEVOP_manage_pci_remove:
		return device_op_old(PHYSDEVOP_pci_device_remove, arg);
	case PHYSDEVOP_restore_msi:
		return device_op_old(PHYSDEVOP_restore_msi_ext, arg);
	case PHYSDEVOP_pci_device_remove:
	case PHYSDEVOP_restore_msi_ext:
	case PHYSDEVOP_prepare_msix:
	case PHYSDEVOP_release_msix:
		return device_op_new(cmd, arg);
	case PHYSDEVOP_pci_mmcfg_reserved:
		return mmcfg_reserved(arg);
	case PHYSDEVOP_dbgp_op:
		return dbgp_op(arg);
	default:	/* pirq_eoi_gmfn too: the guest then asks each time */
		return -XEN_ENOSYS;
	}
}
