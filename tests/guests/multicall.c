/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a multicall makes its calls in order, gives each its result, goes on
 * after errors, refuses to nest, and stops being one when a call changes the
 * guest's mode (XSA-213).
 */
#include "lib/guest.h"

static struct multicall_entry mc[600];
static u8 window[4096] __page;

static void results(void)
{
	struct xen_feature_info f = { 0 };

	memset(mc, 0xee, sizeof(mc));
	mc[0].op = __HYPERVISOR_xen_version;
	mc[0].args[0] = XENVER_version;
	mc[1].op = __HYPERVISOR_xen_version;
	mc[1].args[0] = XENVER_get_features;
	mc[1].args[1] = (u64)&f;
	mc[2].op = 63;				/* no such call */
	mc[3].op = 64;
	mc[4].op = ~0UL;
	mc[5].op = __HYPERVISOR_multicall;
	mc[5].args[0] = (u64)mc;
	mc[5].args[1] = 1;
	mc[6].op = __HYPERVISOR_vcpu_op;
	mc[6].args[0] = VCPUOP_is_up;
	mc[6].args[1] = 0;
	CHECK_EQ(HC(multicall, mc, 7, 0, 0), 0);
	CHECK_EQ(mc[0].result, 4 << 16 | 17);
	CHECK_EQ(mc[1].result, 0);
	CHECK(f.submap);
	for (int i = 2; i < 5; i++)
		CHECK_EQ(mc[i].result, -XEN_ENOSYS);
	CHECK_EQ(mc[5].result, -XEN_EINVAL);
	CHECK_EQ(mc[6].result, 1);
	CHECK_EQ(mc[7].result, 0xeeeeeeeeeeeeeeee);
	CHECK_EQ(mc[0].op, __HYPERVISOR_xen_version);
	CHECK_EQ(mc[0].args[5], 0xeeeeeeeeeeeeeeee);
}

static void limits(void)
{
	CHECK_EQ(HC(multicall, mc, 0, 0, 0), 0);
	CHECK_EQ(HC(multicall, 0x7000, 1, 0, 0), -XEN_EFAULT);
	CHECK_EQ(HC(multicall, 0xffff830000000000, 1, 0, 0), -XEN_EFAULT);
	CHECK_EQ(map_va(window, 0), 0);
	CHECK_EQ(HC(multicall, window, ~0UL, 0, 0), -XEN_EFAULT);
	memset(mc, 0, sizeof(mc));
	for (int i = 0; i < 600; i++) {
		mc[i].op = __HYPERVISOR_xen_version;
		mc[i].result = 1;
	}
	CHECK_EQ(HC(multicall, mc, 600, 0, 0), 0);
	for (int i = 0; i < 600; i++)
		if (mc[i].result != (4 << 16 | 17))
			CHECK_EQ(mc[i].result, i);
	CHECK_EQ(make_writable(window), 0);
}

static void page_tables(void)
{
	u64 e = va_to_mfn(window) << 12 | PTE_FLAGS;

	for (int i = 0; i < 3; i++) {
		mc[i].op = __HYPERVISOR_update_va_mapping;
		mc[i].args[0] = (u64)window;
		mc[i].args[1] = i == 1 ? va_to_mfn((void *)start_info->pt_base)
			<< 12 | PTE_FLAGS : e;
		mc[i].args[2] = UVMF_INVLPG;
	}
	CHECK_EQ(HC(multicall, mc, 3, 0, 0), 0);
	CHECK_EQ(mc[0].result, 0);
	CHECK(mc[1].result < 0);
	CHECK_EQ(mc[2].result, 0);
}

/* iret() to kernel mode within the batch: execution goes on there. */
static void with_iret(void)
{
	memset(mc, 0, sizeof(mc));
	mc[0].op = __HYPERVISOR_xen_version;
	mc[1].op = __HYPERVISOR_iret;
	mc[2].op = __HYPERVISOR_xen_version;
	mc[2].result = 0x77;
	__asm__ volatile(
		"mov %%rsp, %%rbx\n"
		"push $0xe02b\n push %%rbx\n push $0x2\n push $0xe030\n"
		"push $1f\n push $0\n push $0\n push $0\n push $0x4321\n"
		"mov $13, %%eax\n mov $mc, %%rdi\n mov $3, %%esi\n"
		"syscall\n"
		"1: mov %%rbx, %%rsp\n"
		::: "rax", "rbx", "rcx", "rdi", "rsi", "r11", "memory");
	CHECK_EQ(mc[0].result, 4 << 16 | 17);
	CHECK(mc[2].result == 0x77 || mc[2].result == (4 << 16 | 17));
	CHECK_EQ(HC(xen_version, 0, 0, 0, 0), 4 << 16 | 17);
}

void guest_main(void)
{
	timer_stop_periodic();
	results();
	limits();
	page_tables();
	with_iret();
	results();
}
