/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a second vCPU is initialised, goes up and down and up again; events
 * travel between the two; vcpu_info can be moved once; the runstate area tells
 * time that adds up.  Guards XSA-296 (contexts with garbage are refused).
 * cpus: 2
 */
#include "lib/guest.h"

static volatile u32 alive, got, quit;
static u32 to_second, to_first, timer_port;
static struct vcpu_guest_context ctx;
static u8 info_page[4096] __page;
static struct vcpu_runstate_info area;

static void second(void)
{
	struct sched_poll p = { .ports = (u64)&to_second, .nr_ports = 1 };

	alive++;
	while (!quit) {
		HC(sched_op, SCHEDOP_poll, &p, 0, 0);
		if (port_pending(to_second)) {
			port_clear(to_second);
			got++;
			port_send(to_first);
		}
	}
	HC(vcpu_op, VCPUOP_down, 1, 0, 0);
	alive++;
	HC(vcpu_op, VCPUOP_down, 1, 0, 0);
	check_failed(__FILE__, __LINE__, "ran after down", 0);
}

static void errors(void)
{
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, 0, 0, 0), 1);
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, 1, 0, 0), 0);
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, 2, 0, 0), -XEN_ENOENT);
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, ~0U, 0, 0), -XEN_ENOENT);
	CHECK_EQ(HC(vcpu_op, VCPUOP_up, 1, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(vcpu_op, VCPUOP_initialise, 1, 0x7000, 0), -XEN_EFAULT);
	CHECK_EQ(HC(vcpu_op, 99, 0, 0, 0), -XEN_ENOSYS);
	vcpu_context(&ctx, 1, second);
	ctx.ctrlreg[3] = va_to_mfn(page_alloc()) << 12;
	CHECK(HC(vcpu_op, VCPUOP_initialise, 1, &ctx, 0) < 0);
	ctx.ctrlreg[3] = 0xfffffffffffff000;
	CHECK(HC(vcpu_op, VCPUOP_initialise, 1, &ctx, 0) < 0);
	vcpu_context(&ctx, 1, second);
	ctx.gdt_ents = 99999;
	CHECK(HC(vcpu_op, VCPUOP_initialise, 1, &ctx, 0) < 0);
	vcpu_context(&ctx, 1, second);
	ctx.flags = 0;		/* user mode, with a table that is none */
	ctx.ctrlreg[1] = 1;
	CHECK_EQ(HC(vcpu_op, VCPUOP_initialise, 1, &ctx, 0), -XEN_EINVAL);
	vcpu_context(&ctx, 1, second);
	ctx.event_callback_eip = 0x800000000000;
	CHECK_EQ(HC(vcpu_op, VCPUOP_initialise, 1, &ctx, 0), -XEN_EINVAL);
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, 1, 0, 0), 0);
}

static void register_info(void)
{
	struct vcpu_register_vcpu_info r = { .mfn = va_to_mfn(info_page) };

	r.offset = 4096 - 8;
	CHECK(HC(vcpu_op, VCPUOP_register_vcpu_info, 1, &r, 0) < 0);
	r.offset = 128;
	r.mfn = 0xffffffffff;
	CHECK(HC(vcpu_op, VCPUOP_register_vcpu_info, 1, &r, 0) < 0);
	r.mfn = va_to_mfn((void *)start_info->pt_base);
	CHECK(HC(vcpu_op, VCPUOP_register_vcpu_info, 1, &r, 0) < 0);
	r.mfn = va_to_mfn(info_page);
	CHECK_EQ(HC(vcpu_op, VCPUOP_register_vcpu_info, 1, &r, 0), 0);
	CHECK_EQ(HC(vcpu_op, VCPUOP_register_vcpu_info, 1, &r, 0),
		 -XEN_EINVAL);
	CHECK_EQ(((struct vcpu_info *)(info_page + 128))->
		 evtchn_upcall_pending, 1);
	((struct vcpu_info *)(info_page + 128))->evtchn_upcall_mask = 1;
}

/* By the area: less if it came late to the block, never more than passed. */
static u64 block_20_ms(void)
{
	u64 start = now_ns(), before = area.time[RUNSTATE_blocked], blocked;

	port_clear(timer_port);
	CHECK_EQ(timer_set(now_ns() + 20 * MS), 0);
	HC(sched_op, SCHEDOP_block, 0, 0, 0);
	VCPU0->evtchn_upcall_mask = 1;
	blocked = area.time[RUNSTATE_blocked] - before;
	CHECK(blocked <= now_ns() - start + MS);
	return blocked;
}

static void runstate(void)
{
	struct vcpu_register_runstate_memory_area r = {
		.addr.v = (u64)&area,
	};
	struct vcpu_runstate_info i;
	u64 sum = 0, blocked = 0;

	CHECK_EQ(HC(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &r, 0),
		 0);
	CHECK_EQ(area.state, RUNSTATE_running);
	CHECK_EQ(HC(vcpu_op, VCPUOP_get_runstate_info, 0, &i, 0), 0);
	for (int k = 0; k < 4; k++)
		sum += i.time[k];
	CHECK(sum <= now_ns());
	CHECK(i.state_entry_time <= now_ns());
	for (int k = 0; k < TRIES && blocked < 15 * MS; k++)
		blocked = block_20_ms();
	CHECK(blocked >= 15 * MS);
	CHECK_EQ(HC(vcpu_op, VCPUOP_get_runstate_info, 1, &i, 0), 0);
	CHECK_EQ(i.state, RUNSTATE_offline);
}

static void upcall(struct guest_frame *f)
{
	(void)f;
	VCPU0->evtchn_upcall_pending = 0;
	__atomic_exchange_n(&VCPU0->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
}

void guest_main(void)
{
	u32 n;

	timer_stop_periodic();
	event_handler = upcall;
	memset(shared_info->evtchn_mask, 0xff, 512);
	timer_port = bind_virq(VIRQ_TIMER, 0);
	port_mask(timer_port, false);
	errors();
	register_info();
	runstate();
	to_second = bind_ipi(1);
	to_first = bind_ipi(0);
	CHECK_EQ(vcpu_start(1, second), 0);
	CHECK_EQ(HC(vcpu_op, VCPUOP_initialise, 1, &ctx, 0), -XEN_EEXIST);
	CHECK(wait_for(&alive, 1));
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, 1, 0, 0), 1);
	for (n = 0; n < 2000; n++) {
		struct sched_poll p = { .ports = (u64)&to_first, .nr_ports = 1,
			.timeout = now_ns() + PATIENCE };

		port_clear(to_first);
		port_send(to_second);
		HC(sched_op, SCHEDOP_poll, &p, 0, 0);
		if (!port_pending(to_first))
			break;
		CHECK(now_ns() < p.timeout);	/* it was the event */
	}
	CHECK_EQ(n, 2000);
	CHECK_EQ(got, 2000);
	quit = 1;
	port_send(to_second);
	for (n = 0; n < 30000 && HC(vcpu_op, VCPUOP_is_up, 1, 0, 0); n++)
		spin_ns(MS);
	CHECK_EQ(HC(vcpu_op, VCPUOP_is_up, 1, 0, 0), 0);
	CHECK_EQ(HC(vcpu_op, VCPUOP_up, 1, 0, 0), 0);
	CHECK(wait_for(&alive, 2));
	recount();
}
