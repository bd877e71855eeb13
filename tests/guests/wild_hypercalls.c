/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: no hypercall with any arguments harms the hypervisor, and guest
 * pointers into its range give -EFAULT or another error, never data.  The
 * arguments are pseudo-random, the same in each run.  Calls that would end
 * the domain or lose its memory are left out.  Guards XSA-296, XSA-454.
 * timeout: 200
 * xen: guest_loglvl=none
 */
#include "lib/guest.h"

static u64 state = 88172645463325252UL;
static u64 buffer[2048] __page;	/* room for long answers */

static u64 random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dUL;
}

static u64 argument(void)
{
	static const u64 edge[] = {
		0, 1, 2, 3, 0x7fef, DOMID_SELF, DOMID_IO, DOMID_XEN, 0x8000,
		0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, ~0UL,
		0x800000000000, 0x7ffffffff000, 0xffff800000000000,
		0xffff830000000000, 0xffff87fffffffff8, 0xffff880000000000,
	};
	u64 r = random();

	switch (r >> 60) {
	case 0 ... 4:
		return edge[r % 20];
	case 5 ... 7:
		return r & 31;
	case 8 ... 11:
		return (u64)buffer + (r & 0xff8);
	case 12:
		return (u64)buffer + (r & 0xfff);
	default:
		return r;
	}
}

static void fill(void)
{
	for (int i = 0; i < 512; i++) {
		u64 r = random();

		buffer[i] = r >> 62 == 0 ? argument() : r >> 62 == 1 ?
			(r & 0xff) : r >> 62 == 2 ? (r & 0xff) << 32 |
			(r >> 8 & 0xff) :
			va_to_mfn((void *)start_info->pt_base);
	}
}

static bool xen;

/* What would end the test, not the hypervisor. */
static bool excluded(u64 nr, const u64 *a)
{
	u32 cmd = (u32)a[0];

	switch (nr) {
	case __HYPERVISOR_set_trap_table:
	case __HYPERVISOR_set_callbacks:
	case __HYPERVISOR_callback_op:
	case __HYPERVISOR_iret:
	case __HYPERVISOR_multicall:		/* could hold any of these */
	case __HYPERVISOR_kexec_op:
	case __HYPERVISOR_domctl:
	case __HYPERVISOR_sysctl:
	case __HYPERVISOR_platform_op:
	case __HYPERVISOR_mca:
	case __HYPERVISOR_mmu_update:		/* could change our tables */
	case __HYPERVISOR_mmuext_op:
	case __HYPERVISOR_update_va_mapping:
	case __HYPERVISOR_update_va_mapping_otherdomain:
	case __HYPERVISOR_update_descriptor:
	case __HYPERVISOR_set_gdt:
	case __HYPERVISOR_console_io:
		return true;
	case __HYPERVISOR_sched_op:
	case __HYPERVISOR_sched_op_compat:
		return cmd >= 1 && cmd <= 6;
	case __HYPERVISOR_vcpu_op:
		return cmd == VCPUOP_down || cmd == VCPUOP_send_nmi ||
			cmd == VCPUOP_register_vcpu_info || cmd == 5 ||
			cmd == 13;
	case __HYPERVISOR_physdev_op:	/* 4.17 dies of (un)prepare_msix */
	case __HYPERVISOR_physdev_op_compat:
		return xen && (cmd == 30 || cmd == 31);
	case __HYPERVISOR_memory_op:
		return (cmd & 63) <= 1 || (cmd & 63) == 6 || (cmd & 63) == 11;
	}
	return false;
}

void guest_main(void)
{
	xen = on_xen();
	for (int round = 0; round < 120000; round++) {
		u64 nr = random() & 63, a[5];

		for (int i = 0; i < 5; i++)
			a[i] = argument();
		if (!(round & 7))
			fill();
		if (random() & 1)
			a[0] &= 31;
		if (nr == __HYPERVISOR_grant_table_op)
			a[2] &= 31;		/* statuses stay in buffer */
		if (excluded(nr, a))
			continue;
		hypercall(nr, a[0], a[1], a[2], a[3], a[4]);
		VCPU0->evtchn_upcall_mask = 1;
	}
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
	recount();
}
