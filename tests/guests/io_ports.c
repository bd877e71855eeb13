/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: port I/O works for the control domain's kernel once it has an I/O
 * privilege level, for its user mode by level 3 or by bitmap, and gives #GP
 * otherwise; ports of the hypervisor read as all ones.
 */
#include "lib/guest.h"
#include <hypercall-abi/physdev.h>

extern const u8 user_io[];
__asm__(".text\n.balign 4096\nuser_io:\n"
	"	xor %eax, %eax\n	mov $0x80, %edx\n	out %al, %dx\n"
	"	mov $1, %eax\n	syscall\n.balign 4096\n");

static u32 in_bytes(u16 port, int bytes)
{
	u32 v = 0x5a5a5a5a;

	if (bytes == 1)
		__asm__ volatile(TRY("inb %1, %b0") : "+a"(v) : "d"(port));
	else if (bytes == 2)
		__asm__ volatile(TRY("inw %1, %w0") : "+a"(v) : "d"(port));
	else
		__asm__ volatile(TRY("inl %1, %0") : "+a"(v) : "d"(port));
	return v;
}

static u64 out_byte(u16 port, u8 v)
{
	__asm__ volatile(TRY("outb %b0, %1") :: "a"(v), "d"(port));
	return trapped();
}

static void iopl(u32 level, long want)
{
	struct physdev_set_iopl op = { .iopl = level };

	CHECK_EQ(HC(physdev_op, PHYSDEVOP_set_iopl, &op, 0, 0), want);
}

static void kernel(void)
{
	in_bytes(0x80, 1);
	CHECK_EQ(trapped(), 13);
	CHECK_EQ(out_byte(0x80, 1), 13);
	iopl(4, -XEN_EINVAL);
	iopl(1, 0);
	CHECK_EQ(in_bytes(0x80, 1) & 0xffffff00, 0x5a5a5a00);
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(out_byte(0x80, 1), NO_TRAP);
	CHECK_EQ(in_bytes(0x20, 1), 0x5a5a5aff);	/* interrupt controller */
	CHECK_EQ(in_bytes(0x20, 2), 0x5a5affff);
	CHECK_EQ(in_bytes(0x3f8, 1), 0x5a5a5aff);	/* our console */
	CHECK_EQ(in_bytes(0xffff, 4) | 0xff, 0xffffffff);
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(out_byte(0x20, 0xff), NO_TRAP);
	CHECK_EQ(out_byte(0x43, 0), NO_TRAP);
	__asm__ volatile(TRY("outl %0, %w1\n inl %w2, %0")
			 :: "a"(0x80000000), "d"(0xcf8), "Nd"(0xfc));
	trapped();
	__asm__ volatile("outl %0, %1" :: "a"(0x80000000), "d"((u16)0xcf8));
	CHECK_EQ(in_bytes(0xcf8, 4), 0x80000000);
	CHECK_EQ(in_bytes(0xcfc, 2) & 0xffff, 0x8086);	/* q35's bridge */
}

static void strings(void)
{
	u8 buf[8] = { 0 }, *p = buf;
	u64 n = 4;

	__asm__ volatile("mov $0x80, %%edx\n" TRY("rep insb")
			 : "+D"(p), "+c"(n) :: "rdx", "memory");
	CHECK_EQ(trapped(), NO_TRAP);
	CHECK_EQ(n, 0);
	CHECK_EQ(p, buf + 4);
	p = (u8 *)0x7000;
	n = 4;
	__asm__ volatile("mov $0x80, %%edx\n" TRY("rep outsb")
			 : "+S"(p), "+c"(n) :: "rdx", "memory");
	CHECK_EQ(trapped(), 14);
}

static void user(void)
{
	static u8 bitmap[8192];
	struct physdev_set_iobitmap op = { .bitmap = (u64)bitmap };

	CHECK_EQ(user_run(USER_CODE, 0)->vector, 13);
	iopl(3, 0);
	CHECK_EQ(user_run(USER_CODE, 0)->vector, 257);
	iopl(1, 0);
	memset(bitmap, 0xff, sizeof(bitmap));
	op.nr_ports = 65536;
	CHECK_EQ(HC(physdev_op, PHYSDEVOP_set_iobitmap, &op, 0, 0), 0);
	CHECK_EQ(user_run(USER_CODE, 0)->vector, 13);
	bitmap[0x10] = 0xfe;
	CHECK_EQ(user_run(USER_CODE, 0)->vector, 257);
	op.nr_ports = 0x80;
	CHECK_EQ(HC(physdev_op, PHYSDEVOP_set_iobitmap, &op, 0, 0), 0);
	CHECK_EQ(user_run(USER_CODE, 0)->vector, 13);
	op.nr_ports = 65537;
	CHECK_EQ(HC(physdev_op, PHYSDEVOP_set_iobitmap, &op, 0, 0),
		 -XEN_EINVAL);
}

void guest_main(void)
{
	timer_stop_periodic();
	CHECK_EQ(user_space_create(user_io), 0);
	kernel();
	strings();
	user();
}
