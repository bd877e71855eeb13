/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: user mode may run 32-bit code; INT 0x80 from it and from 64-bit code
 * reaches the guest's handler with the state unchanged; SYSCALL in 32-bit mode
 * goes to its own callback, or is #UD without one.  Guards XSA-259.
 */
#include "lib/guest.h"

extern const u8 user_code[], user32[], user32_syscall[], user_stop[];
extern const u8 user32_stop[];
extern const u64 trap_stubs[32];
__asm__(".text\n.balign 4096\nuser_code:\n"
	"	mov $0x1234, %eax\n	int $0x80\nuser_stop:	ud2\n"
	"	.balign 64\nuser32:\n	.code32\n"
	"	mov $0x87654321, %eax\n	mov $0x11111111, %ebx\n"
	"	int $0x80\nuser32_stop:	ud2\n"
	"	.balign 64\nuser32_syscall:\n	syscall\n	ud2\n"
	"	.code64\n.balign 4096\n");

static u64 at(const u8 *label)
{
	return USER_CODE + (u64)(label - user_code);
}

static void handlers(bool int80)
{
	static struct trap_info t[5];
	static const u8 vectors[] = { 6, 13, 14 };

	for (int i = 0; i < 3; i++) {
		t[i].vector = vectors[i];
		t[i].cs = FLAT_RING3_CS64;
		t[i].address = trap_stubs[vectors[i]];
	}
	t[3].vector = 0x80;
	t[3].flags = int80 ? 3 : 0;
	t[3].cs = FLAT_RING3_CS64;
	t[3].address = int80 ? trap_stubs[31] : 0;
	CHECK_EQ(HC(set_trap_table, 0, 0, 0, 0), 0);
	CHECK_EQ(HC(set_trap_table, t, 0, 0, 0), 0);
}

/* A #UD of user mode goes on in 32-bit code, if some is wanted. */
static u64 target32;

static void to_32_bits(struct guest_frame *f)
{
	if (!target32)
		user_leave(f);
	f->rip = target32;
	f->cs = FLAT_RING3_CS32;
	f->rsp = USER_STACK;
	target32 = 0;
}

void guest_main(void)
{
	struct guest_frame *f;
	struct callback_register cb = { .type = CALLBACKTYPE_syscall32 };

	timer_stop_periodic();
	handlers(true);
	CHECK_EQ(user_space_create(user_code), 0);
	f = user_run(USER_CODE, 0);
	CHECK_EQ(f->vector, 31);
	CHECK_EQ(f->rax, 0x1234);
	CHECK_EQ(f->rip, at(user_stop));
	CHECK_EQ(f->cs & 0xffff, FLAT_RING3_CS64);
	trap_handler[6] = to_32_bits;
	target32 = at(user32);
	f = user_run(at(user_stop), 0);
	CHECK_EQ(f->vector, 31);
	CHECK_EQ(f->rax, 0x87654321);
	CHECK_EQ(f->rbx, 0x11111111);
	CHECK_EQ(f->rip, at(user32_stop));
	CHECK_EQ(f->cs & 0xffff, FLAT_RING3_CS32);
	CHECK_EQ(f->ss & 0xffff, FLAT_RING3_SS64);
	if (on_xen())		/* needs AMD's SYSCALL in compatibility mode */
		return;
	target32 = at(user32_syscall);
	f = user_run(at(user_stop), 0);
	CHECK_EQ(f->vector, 6);
	cb.address = trap_stubs[30];
	CHECK_EQ(HC(callback_op, CALLBACKOP_register, &cb, 0, 0), 0);
	target32 = at(user32_syscall);
	f = user_run(at(user_stop), 0);
	CHECK_EQ(f->vector, 30);
}
