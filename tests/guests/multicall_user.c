/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: when iret() in a multicall leads to user mode, the calls behind it
 * are not made with user mode's page tables.  Ours refuses iret() there with
 * -ENOSYS, which Xen does not.  Guards XSA-213.
 */
#include "lib/guest.h"

extern const u8 user_code[];
__asm__(".text\n.balign 4096\nuser_code:\n"
	"	mov $0x77, %eax\n	syscall\n	ud2\n.balign 4096\n");

struct multicall_entry mc[4];
static u8 window[4096] __page;
u64 user_frame_words[9];

/* Called through user_run(): the stack below is what user_leave() restores. */
__asm__(".text\n"
	"batch:\n"
	"	mov $8, %ecx\n"
	"1:	push user_frame_words(,%rcx,8)\n"
	"	dec %rcx\n"
	"	jns 1b\n"
	"	mov $13, %eax\n	mov $mc, %rdi\n	mov $3, %esi\n"
	"	syscall\n"
	"	ud2\n");
extern const u8 batch[];
static u32 arrived;

static void refused(struct guest_frame *f)
{
	CHECK_EQ(mc[1].result, -XEN_ENOSYS);
	CHECK_EQ(mc[2].result, 0);
	user_leave(f);
}

static void at_syscall(struct guest_frame *f)
{
	arrived++;
	CHECK_EQ(f->cs & 0xffff, FLAT_RING3_CS64);
	CHECK_EQ(f->rip, USER_CODE + 7);
	user_leave(f);
}

/* user_run() enters user mode; its first trap comes here and does the batch. */
static void at_breakpoint(struct guest_frame *f)
{
	(void)f;
	__asm__ volatile("jmp batch");
}

extern const u8 user_start[];
__asm__(".text\n.balign 4096\nuser_start:\n	int3\n.balign 4096\n");

void guest_main(void)
{
	u64 frame[9] = { 1, 2, 3, 0, USER_CODE, FLAT_RING3_CS64, 0x202,
		USER_STACK, FLAT_RING3_SS64 };

	timer_stop_periodic();
	CHECK_EQ(user_space_create(user_code), 0);
	/* a second page of user code, behind the first */
	CHECK_EQ(pte_write(va_to_mfn(user_l1()) << 12 |
			   (((USER_CODE >> 12) + 8) & 511) * 8,
			   va_to_mfn(user_start) << 12 | PTE_P | PTE_US), 0);
	memcpy(user_frame_words, frame, sizeof(frame));
	mc[0].op = __HYPERVISOR_xen_version;
	mc[1].op = __HYPERVISOR_iret;
	mc[2].op = __HYPERVISOR_update_va_mapping;
	mc[2].args[0] = (u64)window;
	mc[2].args[1] = 0;
	mc[2].args[2] = UVMF_INVLPG;
	mc[2].result = 0x55;
	trap_handler[3] = at_breakpoint;
	trap_handler[6] = refused;
	syscall_handler = at_syscall;
	user_run(USER_CODE + 8 * 4096, 0);
	CHECK_EQ(mc[0].result, 4 << 16 | 17);
	if (!arrived && !on_xen())
		return;
	CHECK_EQ(arrived, 1);
	CHECK_EQ(mc[2].result, 0x55);
	CHECK(pte_read(window) & PTE_P);
	recount();
}
