/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: an NMI reaches the guest's handler, once, even with events masked;
 * the next waits for iret(); callbacks are checked when they are registered.
 */
#include "lib/guest.h"

static volatile u32 nmis, nested;
static bool again;

static void nmi(struct guest_frame *f)
{
	(void)f;
	nmis++;
	if (nested++)
		check_failed(__FILE__, __LINE__, "nested", (long)nmis);
	if (again) {
		again = false;
		CHECK_EQ(HC(vcpu_op, VCPUOP_send_nmi, 0, 0, 0), 0);
		HC(xen_version, 0, 0, 0, 0);
		HC(sched_op, SCHEDOP_yield, 0, 0, 0);
	}
	nested--;
}

static long reg(u16 type, u64 address)
{
	struct callback_register cb = { .type = type, .address = address };

	return HC(callback_op, CALLBACKOP_register, &cb, 0, 0);
}

static long unreg(u16 type)
{
	struct callback_unregister cb = { .type = type };

	return HC(callback_op, CALLBACKOP_unregister, &cb, 0, 0);
}

static void callbacks(void)
{
	extern const u64 trap_stubs[32];

	for (u16 t = 0; t < 8; t++) {
		CHECK(reg(t, 0x800000000000) < 0);
		CHECK(reg(t, 0xffff7fffffffffff) < 0);
	}
	CHECK_EQ(reg(CALLBACKTYPE_sysenter, trap_stubs[6]), 0);
	CHECK_EQ(unreg(CALLBACKTYPE_sysenter), -XEN_EINVAL);
	CHECK_EQ(reg(CALLBACKTYPE_syscall32, trap_stubs[6]), 0);
	CHECK_EQ(unreg(CALLBACKTYPE_syscall32), -XEN_EINVAL);
	CHECK_EQ(unreg(CALLBACKTYPE_event), -XEN_EINVAL);
	CHECK_EQ(unreg(CALLBACKTYPE_failsafe), -XEN_EINVAL);
	CHECK_EQ(unreg(CALLBACKTYPE_syscall), -XEN_EINVAL);
	CHECK_EQ(reg(6, trap_stubs[6]), -XEN_ENOSYS);
	CHECK_EQ(reg(99, trap_stubs[6]), -XEN_ENOSYS);
	CHECK_EQ(HC(callback_op, 9, &again, 0, 0), -XEN_ENOSYS);
	CHECK_EQ(HC(callback_op, CALLBACKOP_register, 0x7000, 0, 0),
		 -XEN_EFAULT);
}

static void nmi_callback(void)
{
	extern const u64 trap_stubs[32];

	CHECK_EQ(reg(CALLBACKTYPE_nmi, trap_stubs[2]), 0);
	CHECK_EQ(HC(vcpu_op, VCPUOP_send_nmi, 0, 0, 0), 0);
	HC(xen_version, 0, 0, 0, 0);
	CHECK_EQ(nmis, 4);
	CHECK_EQ(unreg(CALLBACKTYPE_nmi), 0);
}

void guest_main(void)
{
	timer_stop_periodic();
	trap_handler[2] = nmi;
	CHECK_EQ(HC(vcpu_op, VCPUOP_send_nmi, 0, 0, 0), 0);
	HC(xen_version, 0, 0, 0, 0);
	CHECK_EQ(nmis, 1);
	CHECK_EQ(HC(vcpu_op, VCPUOP_send_nmi, 9, 0, 0), -XEN_ENOENT);
	again = true;
	CHECK_EQ(HC(vcpu_op, VCPUOP_send_nmi, 0, 0, 0), 0);
	HC(xen_version, 0, 0, 0, 0);
	CHECK_EQ(nmis, 3);
	callbacks();
	nmi_callback();
}
