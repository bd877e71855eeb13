/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measures what the hypervisor spends on each primitive.  Run under QEMU's
 * -icount shift=0, where the time-stamp counter counts instructions.  Each
 * figure is the smallest mean of 40 batches, the guest's own stub included.
 * Prints "BENCH name value".
 */
#include "../guests/lib/guest.h"

#define BATCHES	40
#define ROUNDS	50

extern u8 lean_syscall[], lean_fault[], lean_event[], user_code[];
extern u8 user_code_end[];
u64 bench_result[2];

/*
 * Lean handlers: no register is saved but what iret's frame needs.  On entry
 * the stack holds rcx r11 [error] rip cs rflags rsp ss.  A user system call
 * with rax != 0 ends the measurement: rdx holds the result.
 */
__asm__(
	".text\n"
	"lean_syscall:\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	pop %rcx\n"
	"	pop %r11\n"
	"	push $0x100\n"
	"	push %rcx\n"
	"	push %r11\n"
	"	push %rax\n"
	"	mov $23, %eax\n"
	"	syscall\n"
	"1:	mov %rdx, bench_result\n"
	"	mov bench_rsp, %rsp\n"
	"	jmp bench_back\n"
	"lean_fault:\n"		/* skips the 3-byte instruction */
	"	pop %rcx\n"
	"	pop %r11\n"
	"	add $8, %rsp\n"
	"	addq $3, (%rsp)\n"
	"	push $0\n"
	"	push %rcx\n"
	"	push %r11\n"
	"	push %rax\n"
	"	mov $23, %eax\n"
	"	syscall\n"
	"lean_event:\n"
	"	movb $0, shared_info_page_\n"
	"	pop %rcx\n"
	"	pop %r11\n"
	"	push $0\n"
	"	push %rcx\n"
	"	push %r11\n"
	"	push %rax\n"
	"	mov $23, %eax\n"
	"	syscall\n"
	".globl lean_iret\n"
	"lean_iret:\n"
	"	pop %rax\n"
	"	mov %rsp, %rcx\n"
	"	push $0xe02b\n"
	"	push %rcx\n"
	"	push $0x202\n"
	"	push $0xe030\n"
	"	push %rax\n"
	"	push $0\n"
	"	push $0\n"
	"	push $0\n"
	"	push $0\n"
	"	mov $23, %eax\n"
	"	syscall\n"
	/* kernel mode: touch the address in rdi */
	".globl touch\n"
	"touch:	movb (%rdi), %al\n"
	"	nop\n"
	"	ret\n"
	".globl run_user\n"
	"run_user:\n"
	"	push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"	push %r15\n"
	"	mov %rsp, bench_rsp\n"
	"	jmp user_go\n"
	"bench_back:\n"
	"	pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".data\n.globl bench_rsp\nbench_rsp: .quad 0\n"
	/* --- the user's page ------------------------------------------- */
	".text\n"
	".balign 4096\n"
	"user_code:\n"		/* rdi: 0 = system calls, else fault there */
	"	mov $50, %ebx\n"
	"	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rax, %rdx\n"
	"	mov %rdx, %r12\n"
	"	test %rdi, %rdi\n"
	"	jnz 3f\n"
	"2:	xor %eax, %eax\n"
	"	syscall\n"
	"	dec %ebx\n"
	"	jnz 2b\n"
	"	jmp 4f\n"
	"3:	movb (%rdi), %al\n"
	"	nop\n"
	"	dec %ebx\n"
	"	jnz 3b\n"
	"4:	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rax, %rdx\n"
	"	sub %r12, %rdx\n"
	"	mov $1, %eax\n"
	"	syscall\n"
	"	ud2\n"
	".balign 4096\n"
	"user_code_end:\n");

void lean_iret(void);
void touch(const void *p);
void run_user(void);
void user_go(void);
static u64 user_arg;

void user_go(void)
{
	user_enter(USER_CODE, USER_STACK, user_arg);
}

static void report(const char *name, u64 best, u64 per)
{
	print("BENCH %s %lu\n", name, best / per);
}

#define MEASURE(name, per, setup, ...) do { \
	u64 best_ = ~0UL; \
	for (int b_ = 0; b_ < BATCHES; b_++) { \
		setup; \
		u64 t_ = rdtsc(); \
		for (int i = 0; i < ROUNDS; i++) { __VA_ARGS__; } \
		t_ = rdtsc() - t_; \
		if (t_ < best_) \
			best_ = t_; \
	} \
	report(name, best_, (u64)ROUNDS * (per)); \
} while (0)

static void set_callback(u16 type, const void *address)
{
	struct callback_register cb = {
		.type = type, .address = (u64)address,
	};

	CHECK_EQ(HC(callback_op, CALLBACKOP_register, &cb, 0, 0), 0);
}

static void set_fault_handler(const void *address)
{
	static struct trap_info t[2];

	t[0].vector = 14;
	t[0].cs = FLAT_RING3_CS64;
	t[0].address = (u64)address;
	CHECK_EQ(HC(set_trap_table, t, 0, 0, 0), 0);
}

static void bench_calls(void)
{
	static struct multicall_entry mc[64];

	MEASURE("null-hypercall", 1, , HC(xen_version, 0, 0, 0, 0));
	for (int k = 0; k < 64; k++)
		mc[k].op = __HYPERVISOR_xen_version;
	MEASURE("multicall-entry", 64, , HC(multicall, mc, 64, 0, 0));
	MEASURE("iret", 1, , lean_iret());
	MEASURE("mov-cr0", 1, , {
		u64 cr0;

		__asm__ volatile("mov %%cr0,%0" : "=r"(cr0));
	});
	MEASURE("forced-cpuid", 1, , {
		u32 a = 1, c = 0;

		__asm__ volatile(".byte 0x0f,0x0b,0x78,0x65,0x6e,0x0f,0xa2"
				 : "+a"(a), "+c"(c) :: "ebx", "edx");
	});
	MEASURE("yield", 1, , HC(sched_op, SCHEDOP_yield, 0, 0, 0));
}

static void bench_user(const char *name, u64 arg)
{
	u64 best = ~0UL;

	user_arg = arg;
	for (int b = 0; b < BATCHES; b++) {
		run_user();
		if (bench_result[0] < best)
			best = bench_result[0];
	}
	report(name, best, 50);
}

static void bench_traps(void)
{
	static u8 hole[4096] __page;

	set_callback(CALLBACKTYPE_syscall, lean_syscall);
	set_fault_handler(lean_fault);
	CHECK_EQ(user_space_create(user_code), 0);
	bench_user("syscall", 0);
	bench_user("pagefault-user", 0x500000);
	CHECK_EQ(map_va(hole, 0), 0);
	MEASURE("pagefault-kernel", 1, , touch(hole));
	CHECK_EQ(make_writable(hole), 0);
	traps_init();
}

static void bench_mmu(void)
{
	static u8 page[4096] __page;
	static u64 table[512] __page;
	static struct mmu_update u[64];
	u64 rw = va_to_mfn(page) << 12 | PTE_FLAGS;
	u64 other = va_to_mfn(page_alloc()) << 12 | PTE_FLAGS;
	u64 ma = pte_machine_address(page);

	MEASURE("update-va-mapping", 1, ,
		HC(update_va_mapping, page, i & 1 ? rw : other, 0, 0));
	for (int k = 0; k < 64; k++) {
		u[k].ptr = ma;
		u[k].val = k & 1 ? rw : other;
	}
	MEASURE("mmu-update-entry", 64, ,
		HC(mmu_update, u, 64, 0, DOMID_SELF));
	CHECK_EQ(make_readonly(table), 0);
	MEASURE("pin-unpin-l1-empty", 1, , {
		mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table), 0);
		mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table), 0);
	});
	CHECK_EQ(make_writable(table), 0);
	for (int k = 0; k < 512; k++)
		table[k] = va_to_mfn(page) << 12 | PTE_FLAGS;
	CHECK_EQ(make_readonly(table), 0);
	CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table), 0), 0);
	CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table), 0), 0);
	MEASURE("pin-unpin-l1-entry", 512, , {
		mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table), 0);
		mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table), 0);
	});
}

static u32 self_port(void)
{
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };

	CHECK_EQ(HC(event_channel_op, EVTCHNOP_bind_ipi, &ipi, 0, 0), 0);
	return ipi.port;
}

static void event_done(struct guest_frame *f)
{
	(void)f;
	VCPU0->evtchn_upcall_pending = 0;
}

static void bench_events(void)
{
	struct evtchn_send send = { .port = self_port() };
	u64 bit = 1UL << send.port;

	MEASURE("event-send-masked", 1,
		VCPU0->evtchn_upcall_mask = 1, {
		shared_info->evtchn_pending[0] &= ~bit;
		VCPU0->evtchn_pending_sel = 0;
		VCPU0->evtchn_upcall_pending = 0;
		HC(event_channel_op, EVTCHNOP_send, &send, 0, 0);
	});
	event_handler = event_done;
	shared_info->evtchn_pending[0] = 0;
	shared_info->evtchn_mask[0] = ~bit;
	VCPU0->evtchn_pending_sel = 0;
	VCPU0->evtchn_upcall_pending = 0;
	set_callback(CALLBACKTYPE_event, lean_event);
	VCPU0->evtchn_upcall_mask = 0;
	MEASURE("event-upcall", 1, , {
		shared_info->evtchn_pending[0] &= ~bit;
		VCPU0->evtchn_pending_sel = 0;
		HC(event_channel_op, EVTCHNOP_send, &send, 0, 0);
	});
	VCPU0->evtchn_upcall_mask = 1;
}

static void bench_grants(void)
{
	static u8 table_page[4096] __page, data[4096] __page;
	static u8 window[4096] __page;
	static struct gnttab_copy copy[64];
	struct grant_entry_v1 *gt = (void *)table_page;
	struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
	struct gnttab_map_grant_ref map = { 0 };
	struct gnttab_unmap_grant_ref unmap = { 0 };
	u64 frame;

	setup.frame_list = (u64)&frame;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_setup_table, &setup, 1, 0), 0);
	CHECK_EQ(setup.status, GNTST_okay);
	CHECK_EQ(map_va(table_page, frame << 12 | PTE_FLAGS), 0);
	gt[9].frame = (u32)va_to_mfn(data);
	gt[9].domid = 0;
	gt[9].flags = GTF_permit_access;
	for (int k = 0; k < 64; k++) {
		copy[k].source.u.ref = 9;
		copy[k].source.domid = 0;
		copy[k].dest.u.gmfn = va_to_mfn(window);
		copy[k].dest.domid = DOMID_SELF;
		copy[k].len = 64;
		copy[k].flags = GNTCOPY_source_gref;
	}
	MEASURE("grant-copy", 64, ,
		HC(grant_table_op, GNTTABOP_copy, copy, 64, 0));
	CHECK_EQ(copy[63].status, GNTST_okay);
	CHECK_EQ(map_va(window, 0), 0);
	u64 best_map = ~0UL, best_unmap = ~0UL;

	for (int b = 0; b < BATCHES; b++) {
		u64 tm = 0, tu = 0, t;

		for (int i = 0; i < ROUNDS; i++) {
			map.host_addr = (u64)window;
			map.flags = GNTMAP_host_map;
			map.ref = 9;
			map.dom = 0;
			t = rdtsc();
			HC(grant_table_op, GNTTABOP_map_grant_ref, &map, 1, 0);
			tm += rdtsc() - t;
			CHECK_EQ(map.status, GNTST_okay);
			unmap.host_addr = (u64)window;
			unmap.handle = map.handle;
			t = rdtsc();
			HC(grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1,
			   0);
			tu += rdtsc() - t;
			CHECK_EQ(unmap.status, GNTST_okay);
		}
		if (tm < best_map)
			best_map = tm;
		if (tu < best_unmap)
			best_unmap = tu;
	}
	report("grant-map", best_map, ROUNDS);
	report("grant-unmap", best_unmap, ROUNDS);
}

void guest_main(void)
{
	print("BENCH reset-to-entry-ns %lu\n", rdtsc());
	bench_calls();
	bench_mmu();
	bench_events();
	bench_grants();
	bench_traps();
}
