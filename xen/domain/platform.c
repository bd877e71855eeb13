/* SPDX-License-Identifier: GPL-2.0 */
/*
 * platform_op: what Dom0's kernel asks of the machine that it does not own.
 *
 * Each operation copies in once, and back when it has something to say.
 * Deliberately absent: microcode and MTRR updates, power-management tables,
 * CPU and memory hot-plug, direct MSR access, firmware calls.  Dom0 copes
 * with -XEN_ENOSYS for all of them.
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <hypercall-abi/platform.h>

static long platform_settime(u64 sec, u32 nsec, u64 system_time)
{
	struct domain *d;

	if (nsec >= NS_PER_SEC)
		return deny(-XEN_EINVAL);
	clock_set_wall(sec, nsec, system_time);
	for_each_domain(d)
		domain_wallclock_update(d);
	return 0;
}

/* The BIOS was not asked while one could. */
static long platform_firmware(struct xenpf_firmware_info *f)
{
	switch (f->type) {
	case XEN_FW_DISK_INFO:
	case XEN_FW_DISK_MBR_SIGNATURE:
	case XEN_FW_VBEDDC_INFO:
		return -XEN_ESRCH;
	case XEN_FW_EFI_INFO:
		return -XEN_ENOSYS;
	case XEN_FW_KBD_SHIFT_FLAGS:
		f->u.kbd_shift_flags = 0;
		return 0;
	default:
		return deny(-XEN_EINVAL);
	}
}

static long platform_sleep(const struct xenpf_enter_acpi_sleep *s)
{
	if (s->flags)
		return deny(-XEN_EOPNOTSUPP);
	return acpi_enter_sleep(s->val_a, s->val_b, s->sleep_state);
}

static long platform_cpuinfo(struct xenpf_pcpuinfo *p)
{
	const struct cpu *cpu;

	p->max_present = nr_cpus - 1;
	p->flags = XEN_PCPU_FLAGS_INVALID;
	p->apic_id = 0;
	p->acpi_id = 0;
	if (p->xen_cpuid >= nr_cpus || !(cpus_online >> p->xen_cpuid & 1))
		return 0;
	cpu = cpu_ptr(p->xen_cpuid);
	p->flags = XEN_PCPU_FLAGS_ONLINE;
	p->apic_id = cpu->apic_id;
	p->acpi_id = cpu->acpi_id;
	return 0;
}

/* Family and model as the manuals compute them from 1.eax. */
static long platform_cpu_version(struct xenpf_pcpu_version *p)
{
	u32 sig = boot_cpu.signature, family = sig >> 8 & 0xf;

	p->max_present = nr_cpus - 1;
	memset(p->vendor_id, 0, sizeof(p->vendor_id));
	p->family = p->model = p->stepping = 0;
	if (p->xen_cpuid >= nr_cpus || !(cpus_online >> p->xen_cpuid & 1))
		return 0;
	memcpy(p->vendor_id, boot_cpu.vendor, sizeof(p->vendor_id));
	p->model = sig >> 4 & 0xf;
	if (family == 6 || family == 15)
		p->model |= sig >> 12 & 0xf0;
	p->family = family == 15 ? family + (sig >> 20 & 0xff) : family;
	p->stepping = sig & 0xf;
	return 0;
}

/* All CPUs are up, and stay so. */
static long platform_cpu_online(u32 cpu)
{
	if (cpu >= nr_cpus)
		return deny(-XEN_EINVAL);
	return cpus_online >> cpu & 1 ? 0 : deny(-XEN_EOPNOTSUPP);
}

static long platform_dispatch(struct xen_platform_op *op)
{
	switch (op->cmd) {
	case XENPF_settime32:
		return platform_settime(op->u.settime32.secs,
					op->u.settime32.nsecs,
					op->u.settime32.system_time);
	case XENPF_settime64:
		if (op->u.settime64.mbz)
			return deny(-XEN_EINVAL);
		return platform_settime(op->u.settime64.secs,
					op->u.settime64.nsecs,
					op->u.settime64.system_time);
	case XENPF_firmware_info:
		return platform_firmware(&op->u.firmware_info);
	case XENPF_enter_acpi_sleep:
		return platform_sleep(&op->u.enter_acpi_sleep);
	case XENPF_get_cpuinfo:
		return platform_cpuinfo(&op->u.pcpu_info);
	case XENPF_get_cpu_version:
		return platform_cpu_version(&op->u.pcpu_version);
	case XENPF_cpu_online:
		return platform_cpu_online(op->u.cpu_ol.cpuid);
	case XENPF_cpu_offline:
		return deny(-XEN_EOPNOTSUPP);
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 7. */
long do_platform_op(u64 uop, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct xen_platform_op op;
	long rc;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&op, uop, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return deny(-XEN_EACCES);

	rc = platform_dispatch(&op);
	if (!rc && copy_to_guest(uop, &op, sizeof(op)))
		return deny(-XEN_EFAULT);
	return rc;
}
