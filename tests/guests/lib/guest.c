/* SPDX-License-Identifier: GPL-2.0 */
/* The micro-guest library: see guest.h. */
#include <stdarg.h>
#include "guest.h"

struct start_info *start_info;
u64 *p2m;
u8 initial_mask;
u8 shared_info_page_[4096] __page;
struct shared_info *shared_info = (struct shared_info *)shared_info_page_;
trap_fn trap_handler[32], event_handler, syscall_handler, failsafe_handler;
static unsigned int failures, next_page;
u8 page_pool[PAGE_POOL][4096] __page;

void *memset(void *p, int c, size_t n)
{
	void *r = p;

	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
	return r;
}

void *memcpy(void *d, const void *s, size_t n)
{
	void *r = d;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) :: "memory");
	return r;
}

void *memmove(void *d, const void *s, size_t n)
{
	u8 *to = d;
	const u8 *from = s;

	if (to <= from)
		return memcpy(d, s, n);
	while (n--)
		to[n] = from[n];
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static void put(char *buf, size_t *n, char c)
{
	if (*n < 255)
		buf[(*n)++] = c;
}

static void put_number(char *buf, size_t *n, u64 v, unsigned int base,
		       int width)
{
	char digits[24];
	int k = 0;

	do {
		digits[k++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (int pad = width - k; pad > 0; pad--)
		put(buf, n, ' ');
	while (k)
		put(buf, n, digits[--k]);
}

/* %s %d %u %x with l and a width; %c. */
void print(const char *fmt, ...)
{
	char buf[256];
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		int width = 0, lng = 0;

		if (*fmt != '%') {
			put(buf, &n, *fmt);
			continue;
		}
		for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		for (; *fmt == 'l'; fmt++)
			lng = 1;
		switch (*fmt) {
		case 's': {
			const char *s = va_arg(ap, const char *);
			int len = 0;

			for (; *s; s++, len++)
				put(buf, &n, *s);
			for (; len < width; len++)
				put(buf, &n, ' ');
			break;
		}
		case 'd': {
			s64 v = lng ? va_arg(ap, s64) : va_arg(ap, int);

			if (v < 0)
				put(buf, &n, '-');
			put_number(buf, &n, v < 0 ? -(u64)v : (u64)v, 10,
				   width);
			break;
		}
		case 'u':
		case 'x':
			put_number(buf, &n, lng ? va_arg(ap, u64) :
				   va_arg(ap, u32), *fmt == 'x' ? 16 : 10,
				   width);
			break;
		case 'c':
			put(buf, &n, (char)va_arg(ap, int));
			break;
		default:
			put(buf, &n, *fmt);
		}
	}
	va_end(ap);
	HC(console_io, CONSOLEIO_write, n, buf, 0);
}

void check_failed(const char *file, int line, const char *text, long value)
{
	failures++;
	print("FAILED %s:%d: %s (is %ld)\n", file, line, text, value);
}

void guest_end(void)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_poweroff };

	print("MICRO-%s %s\n", failures ? "FAIL" : "PASS", guest_name);
	HC(sched_op, SCHEDOP_shutdown, &s, 0, 0);
	for (;;)
		HC(sched_op, SCHEDOP_block, 0, 0, 0);
}

void *page_alloc(void)
{
	if (next_page == PAGE_POOL) {
		check_failed(__FILE__, __LINE__, "out of spare pages", 0);
		guest_end();
	}
	return page_pool[next_page++];
}

/* --- page tables ---------------------------------------------------------- */

/* Initial tables are mapped one to one from VIRT_BASE: mfn to our address. */
static void *mfn_to_va(u64 mfn)
{
	const u64 *m2p = (const u64 *)0xffff800000000000;

	return (void *)(VIRT_BASE + (m2p[mfn] << 12));
}

static u64 *walk(const void *va)
{
	u64 *table = (u64 *)start_info->pt_base;

	for (int shift = 39; shift > 12; shift -= 9) {
		u64 e = table[(u64)va >> shift & 511];

		if (!(e & PTE_P))
			return NULL;
		table = mfn_to_va((e & PTE_ADDR) >> 12);
	}
	return &table[(u64)va >> 12 & 511];
}

u64 pte_machine_address(const void *va)
{
	u64 *pte = walk(va);

	if (!pte)
		return 0;
	return va_to_mfn(pte) << 12 | ((u64)pte & 0xfff);
}

u64 pte_read(const void *va)
{
	u64 *pte = walk(va);

	return pte ? *pte : 0;
}

int map_va(const void *va, u64 pte)
{
	return (int)HC(update_va_mapping, va, pte, UVMF_INVLPG | UVMF_ALL, 0);
}

int mmuext(u32 cmd, u64 arg1, u64 arg2)
{
	struct mmuext_op op = { .cmd = cmd };

	op.arg1.mfn = arg1;
	op.arg2.nr_ents = (u32)arg2;
	return (int)HC(mmuext_op, &op, 1, 0, DOMID_SELF);
}

int pte_write(u64 machine_address, u64 value)
{
	struct mmu_update u = { .ptr = machine_address, .val = value };

	return (int)HC(mmu_update, &u, 1, 0, DOMID_SELF);
}

/* --- time and events ------------------------------------------------------ */

u64 now_ns(void)
{
	volatile struct vcpu_time_info *t = &VCPU0->time;
	u64 ns, delta;
	u32 version;

	do {
		version = t->version;
		delta = rdtsc() - t->tsc_timestamp;
		delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift :
			delta << t->tsc_shift;
		ns = t->system_time + (u64)((unsigned __int128)delta *
					    t->tsc_to_system_mul >> 32);
	} while ((version & 1) || version != t->version);
	return ns;
}

void spin_ns(u64 ns)
{
	u64 end = now_ns() + ns;

	while (now_ns() < end)
		relax();
}

bool wait_for(volatile u32 *flag, u32 value)
{
	u64 end = now_ns() + PATIENCE;

	while (*flag != value) {
		relax();
		if (now_ns() > end)
			return false;
	}
	return true;
}

u32 bind_ipi(u32 vcpu)
{
	struct evtchn_bind_ipi b = { .vcpu = vcpu };

	CHECK_EQ(EVTCHN(bind_ipi, &b), 0);
	port_mask(b.port, true);
	return b.port;
}

u32 bind_virq(u32 virq, u32 vcpu)
{
	struct evtchn_bind_virq b = { .virq = virq, .vcpu = vcpu };

	CHECK_EQ(EVTCHN(bind_virq, &b), 0);
	port_mask(b.port, true);
	return b.port;
}

bool port_pending(u32 port)
{
	volatile u64 *w = shared_info->evtchn_pending;

	return w[port / 64] >> port % 64 & 1;
}

void port_clear(u32 port)
{
	__atomic_and_fetch(&shared_info->evtchn_pending[port / 64],
			   ~(1UL << port % 64), __ATOMIC_SEQ_CST);
}

void port_mask(u32 port, bool masked)
{
	u64 *w = &shared_info->evtchn_mask[port / 64];

	if (masked)
		__atomic_or_fetch(w, 1UL << port % 64, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(w, ~(1UL << port % 64), __ATOMIC_SEQ_CST);
}

long port_send(u32 port)
{
	struct evtchn_send s = { .port = port };

	return EVTCHN(send, &s);
}

int timer_set(u64 when_ns)
{
	struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = when_ns };

	return (int)HC(vcpu_op, VCPUOP_set_singleshot_timer, 0, &t, 0);
}

int timer_stop_periodic(void)
{
	return (int)HC(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0, 0);
}

/* --- a question to the hypervisor ----------------------------------------- */

bool on_xen(void)
{
	static char text[64];

	HC(xen_version, XENVER_extraversion, text, 0, 0);
	for (char *p = text; *p; p++)
		if (!memcmp(p, "xenolith", 8))
			return false;
	return true;
}

void recount(void)
{
	static struct xen_sysctl s;
	static char key = 'c';

	if (on_xen())
		return;
	s.cmd = XEN_SYSCTL_debug_keys;
	s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	s.u.debug_keys.keys = (u64)&key;
	s.u.debug_keys.nr_keys = 1;
	CHECK_EQ(HC(sysctl, &s, 0, 0, 0), 0);
	spin_ns(20000000);
}

/* --- traps --------------------------------------------------------------- */

struct guest_frame caught = { .vector = NO_TRAP };
u64 caught_cr2, catch_rip;
static bool user_running;
static u32 unexpected;

u64 trapped(void)
{
	u64 v = caught.vector;

	caught.vector = NO_TRAP;
	return v;
}

void guest_trap(struct guest_frame *f);
void guest_trap(struct guest_frame *f)
{
	trap_fn fn = f->vector < 32 ? trap_handler[f->vector] :
		     f->vector == 256 ? event_handler :
		     f->vector == 257 ? syscall_handler : failsafe_handler;

	if (fn) {
		fn(f);
		return;
	}
	if (catch_rip && (f->cs & 3) != 3) {
		caught = *f;
		caught_cr2 = VCPU0->arch.cr2;
		f->rip = catch_rip;
		f->cs = FLAT_RING3_CS64 & ~3UL;	/* the bad ones of an iret() */
		f->ss = FLAT_RING3_SS64;
		catch_rip = 0;
		return;
	}
	if (user_running && (f->vector == 257 || (f->cs & 3) == 3))
		user_leave(f);
	if (unexpected++) {		/* our own state is broken */
		print("trap %lu rip %lx after the unexpected\n", f->vector,
		      f->rip);
		guest_end();
	}
	print("unexpected trap %lu error %lx cs %lx rip %lx rsp %lx\n",
	      f->vector, f->error, f->cs, f->rip, f->rsp);
	print("cr2 %lx\n", (u64)VCPU0->arch.cr2);
	check_failed(__FILE__, __LINE__, "no trap", (long)f->vector);
	guest_end();
}

extern const u64 trap_stubs[32];
extern const u8 event_stub[], syscall_stub[], failsafe_stub[];

static int callback(u16 type, const void *address)
{
	struct callback_register cb = {
		.type = type, .address = (u64)address,
	};

	return (int)HC(callback_op, CALLBACKOP_register, &cb, 0, 0);
}

void traps_init(void)
{
	static struct trap_info table[33];

	for (int i = 0; i < 32; i++) {
		table[i].vector = (u8)i;
		table[i].flags = i == 3 || i == 4 ? 3 : 0;
		table[i].cs = FLAT_RING3_CS64;
		table[i].address = trap_stubs[i];
	}
	CHECK_EQ(HC(set_trap_table, table, 0, 0, 0), 0);
	CHECK_EQ(callback(CALLBACKTYPE_event, event_stub), 0);
	CHECK_EQ(callback(CALLBACKTYPE_failsafe, failsafe_stub), 0);
	CHECK_EQ(callback(CALLBACKTYPE_syscall, syscall_stub), 0);
}

/* --- user mode ----------------------------------------------------------- */

static u64 u_l4[512] __page, u_l3[512] __page, u_l2[512] __page;
static u64 u_l1[512] __page;
static u8 u_stack[4096] __page;
u64 user_l4_mfn;

u64 *user_l1(void)
{
	return u_l1;
}

static u64 entry(const void *table, u64 flags)
{
	return va_to_mfn(table) << 12 | flags;
}

int user_space_create(const void *code_page)
{
	u64 *const tables[] = { u_l1, u_l2, u_l3, u_l4 };

	u_l1[USER_CODE >> 12 & 511] = entry(code_page, PTE_P | PTE_US | PTE_A);
	u_l1[(USER_STACK >> 12 & 511) - 1] = entry(u_stack, PTE_FLAGS);
	u_l2[USER_CODE >> 21 & 511] = entry(u_l1, PTE_TABLE);
	u_l3[USER_CODE >> 30 & 511] = entry(u_l2, PTE_TABLE);
	u_l4[USER_CODE >> 39 & 511] = entry(u_l3, PTE_TABLE);
	for (int i = 0; i < 4; i++)
		if (make_readonly(tables[i]))
			return -1;
	user_l4_mfn = va_to_mfn(u_l4);
	if (mmuext(MMUEXT_PIN_L4_TABLE, user_l4_mfn, 0))
		return -2;
	if (HC(stack_switch, 0xe02b, page_alloc() + 4096, 0, 0))
		return -3;
	return mmuext(MMUEXT_NEW_USER_BASEPTR, user_l4_mfn, 0);
}

void user_enter(u64 rip, u64 rsp, u64 rdi)
{
	__asm__ volatile(
		"push %[ss]\n push %[rsp]\n push $0x202\n push %[cs]\n"
		"push %[rip]\n push $0\n push $0\n push $0\n push $0\n"
		"mov $23, %%eax\n syscall\n"
		:: [ss] "r"((u64)0xe02b), [rsp] "r"(rsp),
		   [cs] "r"((u64)FLAT_RING3_CS64), [rip] "r"(rip), "D"(rdi)
		: "memory");
	__builtin_unreachable();
}

u64 user_rsp;
static struct guest_frame user_frame;

/* Saves what C wants kept, enters; user_back returns from it. */
__asm__(
	".text\n"
	"user_go:\n"
	"	push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"	push %r15\n"
	"	mov %rsp, user_rsp\n"
	"	call user_enter\n"
	"user_back:\n"
	"	mov user_rsp, %rsp\n"
	"	pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n");
void user_go(u64 rip, u64 rsp, u64 rdi);
void user_back(void) __attribute__((noreturn));

struct guest_frame *user_run(u64 rip, u64 rdi)
{
	user_running = true;
	user_go(rip, USER_STACK, rdi);
	user_running = false;
	return &user_frame;
}

void user_leave(struct guest_frame *f)
{
	VCPU0->evtchn_upcall_mask = 1;
	user_frame = *f;
	user_back();
}

/* --- more vCPUs ---------------------------------------------------------- */

static u8 vcpu_stack[3][16384] __page;

void vcpu_context(struct vcpu_guest_context *ctx, u32 n, void (*fn)(void))
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->flags = VGCF_IN_KERNEL;
	ctx->user_regs.rip = (u64)fn;
	ctx->user_regs.rsp = (u64)vcpu_stack[n - 1] + 16384 - 8;
	ctx->user_regs.cs = FLAT_RING3_CS64;
	ctx->user_regs.ss = FLAT_RING3_SS64;
	ctx->kernel_ss = FLAT_RING3_SS64;
	ctx->kernel_sp = (u64)vcpu_stack[n - 1] + 8192;
	for (int i = 0; i < 32; i++) {
		ctx->trap_ctxt[i].vector = (u8)i;
		ctx->trap_ctxt[i].cs = FLAT_RING3_CS64;
		ctx->trap_ctxt[i].address = trap_stubs[i];
	}
	ctx->event_callback_eip = (u64)event_stub;
	ctx->failsafe_callback_eip = (u64)failsafe_stub;
	ctx->syscall_callback_eip = (u64)syscall_stub;
	ctx->ctrlreg[3] = va_to_mfn((void *)start_info->pt_base) << 12;
}

int vcpu_start(u32 n, void (*fn)(void))
{
	static struct vcpu_guest_context ctx;
	long rc;

	vcpu_context(&ctx, n, fn);
	shared_info->vcpu_info[n].evtchn_upcall_mask = 1;
	rc = HC(vcpu_op, VCPUOP_initialise, n, &ctx, 0);
	if (!rc)
		rc = HC(vcpu_op, VCPUOP_up, n, 0, 0);
	return (int)rc;
}

/* --- start --------------------------------------------------------------- */

void guest_start(struct start_info *si);
void guest_start(struct start_info *si)
{
	start_info = si;
	p2m = (u64 *)si->mfn_list;
	if (map_va(shared_info_page_, si->shared_info | PTE_FLAGS)) {
		print("cannot map shared_info\n");
		failures++;
		guest_end();
	}
	initial_mask = VCPU0->evtchn_upcall_mask;
	VCPU0->evtchn_upcall_mask = 1;
	traps_init();
	guest_main();
	guest_end();
}
