/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: what another domain lends can be mapped and copied with the rights
 * given, no more; a domain that dies while its page is mapped keeps that page,
 * unchanged, until the mapping goes, and then all its memory is free again.
 * Guards XSA-380 and XSA-234 in part.
 */
#include "lib/guest.h"
#include <hypercall-abi/domctl.h>

static u8 lent[4096] __page, table_page[4096] __page, borrow[4096] __page;
static volatile u32 ready __page;

/* The borrower's entry points at its copy of `lent`, its domid is 0. */
static void lender(void)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	struct grant_entry_v1 *gt = (void *)table_page;
	u64 frame;

	VCPU0->evtchn_upcall_mask = 1;
	s.frame_list = (u64)&frame;
	HC(grant_table_op, GNTTABOP_setup_table, &s, 1, 0);
	map_va(table_page, frame << 12 | PTE_FLAGS);
	for (int i = 0; i < 4096; i++)
		lent[i] = (u8)(i * 3);
	for (u32 ref = 8; ref < 10; ref++) {
		gt[ref].frame = (u32)domu_mfn[va_to_pfn(lent)];
		gt[ref].domid = 0;
		gt[ref].flags = GTF_permit_access |
			(ref == 9 ? GTF_readonly : 0);
	}
	gt[10].frame = gt[8].frame;
	gt[10].domid = 1234;			/* somebody else */
	gt[10].flags = GTF_permit_access;
	ready = 1;
	for (;;)
		HC(sched_op, SCHEDOP_yield, 0, 0, 0);
}

static int map(struct domu *d, u32 ref, u32 flags, u32 *handle)
{
	struct gnttab_map_grant_ref m = {
		.host_addr = (u64)borrow, .ref = ref, .dom = d->id,
		.flags = GNTMAP_host_map | flags,
	};

	CHECK_EQ(HC(grant_table_op, GNTTABOP_map_grant_ref, &m, 1, 0), 0);
	*handle = m.handle;
	return m.status;
}

static int unmap(u32 handle)
{
	struct gnttab_unmap_grant_ref u = {
		.host_addr = (u64)borrow, .handle = handle,
	};

	CHECK_EQ(HC(grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1, 0), 0);
	return u.status;
}

static int copy_in(struct domu *d, u32 ref)
{
	struct gnttab_copy c = { .len = 64, .flags = GNTCOPY_dest_gref };

	c.source.u.gmfn = va_to_mfn(table_page);
	c.source.domid = DOMID_SELF;
	c.dest.u.ref = ref;
	c.dest.domid = d->id;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_copy, &c, 1, 0), 0);
	return c.status;
}

static void borrower(struct domu *d)
{
	u32 h, flags;

	CHECK_EQ(map(d, 10, 0, &h), GNTST_general_error);
	CHECK_EQ(map(d, 11, 0, &h), GNTST_general_error);
	CHECK_EQ(map(d, 9, 0, &h), GNTST_general_error);
	CHECK_EQ(map(d, 9, GNTMAP_readonly, &h), GNTST_okay);
	CHECK_EQ(borrow[100], (u8)300);
	CHECK_EQ(copy_in(d, 9), GNTST_general_error);
	CHECK_EQ(copy_in(d, 10), GNTST_general_error);
	CHECK_EQ(unmap(h), GNTST_okay);
	CHECK_EQ(map(d, 8, 0, &h), GNTST_okay);
	borrow[5] = 0x99;
	CHECK_EQ(copy_in(d, 8), GNTST_okay);
	CHECK_EQ(borrow[5], table_page[5]);
	borrow[500] = 0x77;
	domu_destroy(d);			/* still mapped here */
	flags = domu_flags(d);
	CHECK(flags != ~0U && flags & XEN_DOMINF_dying);
	CHECK_EQ(borrow[500], 0x77);
	CHECK_EQ(borrow[100], (u8)300);
	borrow[501] = 0x78;
	CHECK_EQ(unmap(h), GNTST_okay);
	CHECK_EQ(unmap(h), GNTST_bad_handle);
	CHECK(domu_gone(d));
}

static void one_life(void)
{
	volatile u32 *flag;
	struct domu d;

	CHECK_EQ(make_writable(borrow), 0);
	CHECK_EQ(domu_create(&d, lender), 0);
	CHECK_EQ(domu_unpause(&d), 0);
	flag = domu_map(&d, domu_mfn[va_to_pfn((void *)&ready)]);
	for (int i = 0; i < 3000 && !*flag; i++) {
		struct sched_poll p = { .timeout = now_ns() + 10 * MS };

		HC(sched_op, SCHEDOP_poll, &p, 0, 0);
	}
	CHECK_EQ(*flag, 1);
	domu_unmap();
	CHECK_EQ(map_va(borrow, 0), 0);
	borrower(&d);
}

void guest_main(void)
{
	u64 before, after;

	timer_stop_periodic();
	one_life();
	before = free_pages();
	for (int i = 0; i < 5; i++)
		one_life();
	after = free_pages();
	print("NOTE free pages %lu, %lu\n", before, after);
	CHECK_EQ(after, before);
	recount();
}
