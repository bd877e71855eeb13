/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: two vCPUs that map, unmap and copy the same grants at once leave
 * every pin, status bit and handle as it was.  Guards XSA-218, XSA-228.
 * cpus: 2
 */
#include "lib/guest.h"

#define SLOTS	8	/* slot i is for grant 8 + i only */
enum { FREE, BUSY, MAPPED, DONE };
static u8 table_page[4096] __page, data[SLOTS][4096] __page;
static u8 window[SLOTS][4096] __page;
static struct grant_entry_v1 *const gt = (void *)table_page;
static struct slot {
	volatile u32 state, handle, users;
} slots[SLOTS];
static volatile u32 stop, stopped, up;
static u32 mapped[2], unmapped[2], refused[2];

static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void map(int who, struct slot *s, u64 r)
{
	u32 free = FREE;
	struct gnttab_map_grant_ref m = {
		.ref = 8 + (u32)(s - slots), .host_addr = (u64)window[s - slots],
		.flags = GNTMAP_host_map | (r >> 4 & 1) * GNTMAP_readonly,
	};

	if (r >> 5 & 1)
		m.flags = GNTMAP_device_map;
	if (!__atomic_compare_exchange_n(&s->state, &free, BUSY, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	HC(grant_table_op, GNTTABOP_map_grant_ref, &m, 1, 0);
	if (m.status)
		check_failed(__FILE__, __LINE__, "map", m.status);
	s->handle = m.handle;
	mapped[who]++;
	__atomic_store_n(&s->state, MAPPED, __ATOMIC_SEQ_CST);
}

/* Both vCPUs may try the same slot: exactly one must succeed. */
static void unmap(int who, struct slot *s)
{
	struct gnttab_unmap_grant_ref u = { .status = 77 };
	u32 done = DONE;

	__atomic_add_fetch(&s->users, 1, __ATOMIC_SEQ_CST);
	if (s->state == MAPPED) {
		u.handle = s->handle;
		u.host_addr = (u64)window[s - slots];
		u.dev_bus_addr = va_to_mfn(data[s - slots]) << 12;
		HC(grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1, 0);
		if (!u.status) {
			unmapped[who]++;
			s->state = DONE;
		} else {
			refused[who]++;
		}
	}
	if (!__atomic_sub_fetch(&s->users, 1, __ATOMIC_SEQ_CST))
		__atomic_compare_exchange_n(&s->state, &done, FREE, false,
					    __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
}

static void one(int who, u64 r)
{
	struct slot *s = &slots[(r >> 32) % SLOTS];

	if (r >> 40 & 1)
		map(who, s, r);
	else
		unmap(who, s);
}

static void second(void)
{
	u64 state = 7777777;

	up = 1;
	while (!stop)
		one(1, next(&state));
	stopped = 1;
	for (;;)
		HC(vcpu_op, VCPUOP_down, 1, 0, 0);
}

void guest_main(void)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	u64 frame, end, state = 424242;

	timer_stop_periodic();
	s.frame_list = (u64)&frame;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_setup_table, &s, 1, 0), 0);
	CHECK_EQ(map_va(table_page, frame << 12 | PTE_FLAGS), 0);
	for (u32 i = 0; i < SLOTS; i++) {
		gt[8 + i].frame = (u32)va_to_mfn(data[i]);
		gt[8 + i].flags = GTF_permit_access;
	}
	for (u32 i = 0; i < SLOTS; i++)
		CHECK_EQ(map_va(window[i], 0), 0);
	CHECK_EQ(vcpu_start(1, second), 0);
	CHECK(wait_for(&up, 1));
	end = now_ns() + 4000000000;
	while (now_ns() < end)
		one(0, next(&state));
	stop = 1;
	CHECK(wait_for(&stopped, 1));
	recount();
	for (u32 i = 0; i < SLOTS; i++)
		unmap(0, &slots[i]);
	print("NOTE mapped %u, refused %u\n", mapped[0] + mapped[1],
	      refused[0] + refused[1]);
	CHECK_EQ(mapped[0] + mapped[1], unmapped[0] + unmapped[1]);
	for (u32 i = 0; i < SLOTS; i++) {
		CHECK_EQ(gt[8 + i].flags, GTF_permit_access);
		CHECK_EQ(make_readonly(data[i]), 0);	/* no use is left */
		CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(data[i]), 0),
			 0);
		CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(data[i]), 0), 0);
	}
	recount();
}
