/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: x87, SSE and AVX registers survive hypercalls, yields and the other
 * vCPU, whether or not TS was set meanwhile; a vCPU starts with clean ones
 * (no other's data: XSA-267, XSA-52).
 * cpus: 1
 * xen: dom0_max_vcpus=2
 */
#include "lib/guest.h"

static volatile u32 up, done, wrong;
static u32 first_words[2][8];
static u8 image[1024] __attribute__((aligned(64)));

static void enable_avx(void)
{
	u64 cr4;

	__asm__ volatile("mov %%cr4, %0\n or $0x40000, %0\n mov %0, %%cr4\n"
			 "xor %%ecx, %%ecx\n xor %%edx, %%edx\n"
			 "mov $7, %%eax\n xsetbv" : "=r"(cr4)
			 :: "rax", "rcx", "rdx");
}

static void load(u64 seed)
{
	static u64 v[2][4] __attribute__((aligned(32)));
	u64 *p = v[seed & 1];

	for (u64 i = 0; i < 4; i++)
		p[i] = seed * 0x9e3779b97f4a7c15UL + i;
	__asm__ volatile("vmovdqa (%0), %%ymm0\n vmovdqa (%0), %%ymm7\n"
			 "vmovdqa (%0), %%ymm15\n"
			 "fninit\n fildll (%0)\n" :: "r"(p) : "memory");
}

static bool same(u64 seed)
{
	u64 p[4], out[3][4], st;
	bool ok = true;

	for (u64 i = 0; i < 4; i++)
		p[i] = seed * 0x9e3779b97f4a7c15UL + i;
	__asm__ volatile("vmovdqu %%ymm0, %0\n vmovdqu %%ymm7, %1\n"
			 "vmovdqu %%ymm15, %2\n fistpll %3\n"
			 : "=m"(out[0]), "=m"(out[1]), "=m"(out[2]), "=m"(st)
			 :: "memory");
	for (int k = 0; k < 3; k++)
		ok = ok && !memcmp(out[k], p, 32);
	return ok && st == p[0];
}

static void rounds(u64 who)
{
	for (u64 i = 0; i < 3000; i++) {
		u64 seed = i * 4 + who;

		load(seed);
		if (i % 3 == 0)
			HC(sched_op, SCHEDOP_yield, 0, 0, 0);
		if (i % 5 == 0)
			HC(xen_version, 0, 0, 0, 0);
		if (i % 7 == 0) {
			HC(fpu_taskswitch, 1, 0, 0, 0);
			HC(sched_op, SCHEDOP_yield, 0, 0, 0);
			HC(fpu_taskswitch, 0, 0, 0, 0);
		}
		for (int k = 0; k < 200; k++)
			relax();
		if (!same(seed)) {
			wrong++;
			return;
		}
	}
}

static void second(void)
{
	__asm__ volatile("fxsave (%0)" :: "r"(image) : "memory");
	memcpy(first_words[1], image + 160, 32);
	enable_avx();
	up = 1;
	rounds(1);
	done = 1;
	for (;;)
		HC(vcpu_op, VCPUOP_down, 1, 0, 0);
}

void guest_main(void)
{
	u64 end;

	timer_stop_periodic();
	__asm__ volatile("fxsave (%0)" :: "r"(image) : "memory");
	CHECK_EQ(*(u32 *)(image + 24), 0x1f80);		/* MXCSR */
	CHECK_EQ(*(u16 *)image, 0x37f);			/* FCW */
	for (int i = 160; i < 416; i++)
		if (image[i])
			CHECK_EQ(i, 0);
	enable_avx();
	load(77);
	CHECK_EQ(vcpu_start(1, second), 0);
	CHECK(same(77));
	end = now_ns() + PATIENCE;
	while (!up && now_ns() < end)
		HC(sched_op, SCHEDOP_yield, 0, 0, 0);
	CHECK_EQ(up, 1);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(first_words[1][i], 0);
	rounds(2);
	end = now_ns() + PATIENCE;
	while (!done && now_ns() < end)
		HC(sched_op, SCHEDOP_yield, 0, 0, 0);
	CHECK_EQ(done, 1);
	CHECK_EQ(wrong, 0);
}
