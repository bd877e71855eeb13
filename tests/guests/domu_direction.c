/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a domain that dies with the direction flag set, of a frame that
 * cannot be written, hurts nobody: the next vCPU's runstate area keeps its
 * neighbours, and the hypervisor copies upwards again.
 */
#include "lib/guest.h"

static u8 area[3 * 64] __page;

static void second_domain(void)
{
	__asm__ volatile("std\n mov $0x7000, %rsp\n mov 0x8000, %rax");
}

void guest_main(void)
{
	struct vcpu_register_runstate_memory_area r = {
		.addr.v = (u64)area + 64 };
	struct domu d;

	CHECK_EQ(HC(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &r, 0),
		 0);
	for (int i = 0; i < 64; i++)
		area[i] = 0x5a;
	for (int round = 0; round < 4; round++) {
		CHECK_EQ(domu_create(&d, second_domain), 0);
		CHECK_EQ(domu_unpause(&d), 0);
		CHECK_EQ(domu_wait(&d, PATIENCE), SHUTDOWN_crash);
		CHECK_EQ(domu_destroy(&d), 0);
		recount();
	}
	for (int i = 0; i < 64; i++)
		CHECK_EQ(area[i], 0x5a);
}
