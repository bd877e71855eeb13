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
 * Not offered: the EOI bitmap page (pirq_eoi_gmfn; the guest then asks each
 * time), interrupts of devices that belong to another domain and what pciback
 * would need for them, several messages of MSI, vector numbers (they mean
 * nothing to Dom0), the old forms that only kernels before 3.x use.  We
 * keep no list of devices and do not use memory-mapped configuration space,
 * so news about either needs nothing.
 */
#include <dev/dev.h>
#include <domain/domain.h>

union physdev_arg {
	struct physdev_set_iopl iopl;
	struct physdev_set_iobitmap iobitmap;
	struct physdev_eoi eoi;
	struct physdev_irq_status_query status;
	struct physdev_apic apic;
	struct physdev_irq irq;
	struct physdev_map_pirq map;
	struct physdev_unmap_pirq unmap;
	struct physdev_setup_gsi gsi;
	struct physdev_pci_device dev;
};

/* What is copied in; out: and back when all went well. */
static const struct { u8 size; bool out; } args[] = {
	[PHYSDEVOP_set_iopl] = { sizeof(struct physdev_set_iopl) },
	[PHYSDEVOP_set_iobitmap] = { sizeof(struct physdev_set_iobitmap) },
	[PHYSDEVOP_eoi] = { sizeof(struct physdev_eoi) },
	[PHYSDEVOP_irq_status_query] = {
		sizeof(struct physdev_irq_status_query), true },
	[PHYSDEVOP_apic_read] = { sizeof(struct physdev_apic), true },
	[PHYSDEVOP_alloc_irq_vector] = { sizeof(struct physdev_irq) },
	[PHYSDEVOP_map_pirq] = { sizeof(struct physdev_map_pirq), true },
	[PHYSDEVOP_unmap_pirq] = { sizeof(struct physdev_unmap_pirq) },
	[PHYSDEVOP_setup_gsi] = { sizeof(struct physdev_setup_gsi) },
	[PHYSDEVOP_restore_msi_ext] = { sizeof(struct physdev_pci_device) },
	[PHYSDEVOP_dbgp_op] = { 0 },
};

static struct spinlock physdev_lock = SPINLOCK(LOCK_IRQ_GUEST);

/* Interrupts go to the caller only: for others it is "not offered". */
static int check_domid(domid_t id)
{
	return id == DOMID_SELF || id == current->domain->id
		       ? 0 : -XEN_EOPNOTSUPP;
}

static int map_pirq(struct physdev_map_pirq *op)
{
	bool seg = op->type == MAP_PIRQ_TYPE_MSI_SEG;
	struct msi m = {
		.seg = seg ? (u32)op->bus >> 16 : 0,
		.bus = op->bus, .devfn = op->devfn,
		.msix = op->table_base != 0,
	};
	int rc = check_domid(op->domid), nr = op->entry_nr;

	if (rc)
		return rc;
	if (op->type == MAP_PIRQ_TYPE_GSI) {
		rc = op->index < 0 ? -XEN_EINVAL : irq_check_gsi(op->index);
		/* A line's number is its GSI. */
		if (!rc && op->pirq >= 0 && op->pirq != op->index)
			return -XEN_EEXIST;
		op->pirq = op->index;
		return rc;
	}
	if ((!seg && op->type != MAP_PIRQ_TYPE_MSI) || op->index != -1 ||
	    op->devfn & ~0xff || (m.msix && nr & ~0x7ff))
		return -XEN_EINVAL;
	m.entry = m.msix ? nr : 0;
	if (op->pirq >= 0)
		return -XEN_EOPNOTSUPP;
	op->pirq = pirq_map_msi(&m);
	return min(op->pirq, 0);
}

/* physdev_lock is held. */
static long physdev_op(u64 cmd, union physdev_arg *op)
{
	struct vcpu *v = current;

	switch (cmd) {
	case PHYSDEVOP_set_iopl:
		if (op->iopl.iopl > 3)
			return -XEN_EINVAL;
		v->iopl = op->iopl.iopl;
		return 0;
	case PHYSDEVOP_set_iobitmap:
		if (op->iobitmap.nr_ports > 65536 ||
		    !guest_range_ok(op->iobitmap.bitmap,
				    DIV_ROUND_UP(op->iobitmap.nr_ports, 8)))
			return -XEN_EINVAL;
		/* It is read at each access, by the emulator. */
		v->iobmp = op->iobitmap.bitmap;
		v->iobmp_limit = op->iobitmap.nr_ports;
		return 0;
	case PHYSDEVOP_eoi:
	case PHYSDEVOP_irq_status_query:
		if (op->eoi.irq >= NR_PIRQS)
			return -XEN_EINVAL;
		if (cmd == PHYSDEVOP_eoi)
			pirq_eoi(v->domain, op->eoi.irq);
		else
			/* All lines: which are level is told only later. */
			op->status.flags = irq_check_gsi(op->eoi.irq) ?
					   0 : XENIRQSTAT_needs_eoi;
		return 0;
	case PHYSDEVOP_apic_read:
		return ioapic_guest_read(op->apic.apic_physbase, op->apic.reg,
					 &op->apic.value);
	case PHYSDEVOP_alloc_irq_vector:	/* not a number that counts */
		return op->irq.irq < nr_gsi ? 0 : -XEN_EINVAL;
	case PHYSDEVOP_map_pirq: return map_pirq(&op->map);
	case PHYSDEVOP_unmap_pirq:
		return check_domid(op->unmap.domid) ?:
		       pirq_unmap(op->unmap.pirq);
	case PHYSDEVOP_setup_gsi:
		if (op->gsi.gsi < 0 || op->gsi.triggering > 1 ||
		    op->gsi.polarity > 1)
			return -XEN_EINVAL;
		return irq_setup_gsi(op->gsi.gsi, op->gsi.triggering,
				     op->gsi.polarity);
	case PHYSDEVOP_restore_msi_ext:
		pirq_restore_msi(op->dev.seg, op->dev.bus, op->dev.devfn);
		return 0;
	case PHYSDEVOP_apic_write:
	case PHYSDEVOP_free_irq_vector:
	case PHYSDEVOP_pci_device_add:
	case PHYSDEVOP_pci_device_remove:
	case PHYSDEVOP_dbgp_op: return 0;
	}
	return -XEN_ENOSYS;
}

/*
 * [hypercall 33] Everything but set_iopl and set_iobitmap is Dom0's:
 * -XEN_EPERM for others; -XEN_ENOSYS for unknown commands.
 */
long do_physdev_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	union physdev_arg op;
	long rc;

	if (cmd != PHYSDEVOP_set_iopl && cmd != PHYSDEVOP_set_iobitmap &&
	    !current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (cmd >= ARRAY_SIZE(args))
		return -XEN_ENOSYS;
	if (args[cmd].size && copy_from_guest(&op, arg, args[cmd].size))
		return deny(-XEN_EFAULT);

	spin_lock(&physdev_lock);
	rc = physdev_op(cmd, &op);
	spin_unlock(&physdev_lock);
	/* A failed copy leaves a pirq mapped: Dom0 may ask again. */
	if (!rc && args[cmd].out && copy_to_guest(arg, &op, args[cmd].size))
		return deny(-XEN_EFAULT);
	return rc;
}
