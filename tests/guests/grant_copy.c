/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: grant copies move exactly the bytes asked for within a page each
 * side, with the rights of the grants, and every element has a status.
 * Guards XSA-226, XSA-318, XSA-411.
 */
#include "lib/guest.h"

static u8 table_page[4096] __page, src[4096] __page, dst[4096] __page;
static struct grant_entry_v1 *const gt = (void *)table_page;
static struct gnttab_copy many[64];

static struct gnttab_copy frames(u16 from, u16 to, u16 len)
{
	struct gnttab_copy c = { .len = len, .status = 77 };

	c.source.u.gmfn = va_to_mfn(src);
	c.source.domid = DOMID_SELF;
	c.source.offset = from;
	c.dest.u.gmfn = va_to_mfn(dst);
	c.dest.domid = DOMID_SELF;
	c.dest.offset = to;
	return c;
}

static int copy(struct gnttab_copy c)
{
	CHECK_EQ(HC(grant_table_op, GNTTABOP_copy, &c, 1, 0), 0);
	return c.status;
}

static struct gnttab_copy from_ref(u32 ref, u16 len)
{
	struct gnttab_copy c = frames(16, 32, len);

	c.source.u.gmfn = 0;
	c.source.u.ref = ref;
	c.source.domid = 0;
	c.flags = GNTCOPY_source_gref;
	return c;
}

static struct gnttab_copy to_ref(u32 ref, u16 len)
{
	struct gnttab_copy c = frames(16, 32, len);

	c.dest.u.gmfn = 0;
	c.dest.u.ref = ref;
	c.dest.domid = 0;
	c.flags = GNTCOPY_dest_gref;
	return c;
}

static void right(void)
{
	for (int i = 0; i < 4096; i++)
		src[i] = (u8)(i * 7);
	CHECK_EQ(copy(frames(5, 11, 100)), 0);
	CHECK(!memcmp(src + 5, dst + 11, 100));
	CHECK_EQ(dst[10] | dst[111], 0);
	CHECK_EQ(copy(frames(0, 0, 4096)), 0);
	CHECK(!memcmp(src, dst, 4096));
	CHECK_EQ(copy(frames(4095, 4095, 1)), 0);
	memset(dst, 0, 4096);
	CHECK_EQ(copy(from_ref(9, 8)), 0);
	CHECK(!memcmp(src + 16, dst + 32, 8));
	CHECK_EQ(gt[9].flags, GTF_permit_access | GTF_readonly);
	CHECK_EQ(copy(to_ref(10, 64)), 0);
	CHECK(!memcmp(src + 16, dst + 32, 64));
	CHECK_EQ(gt[10].flags, GTF_permit_access);
}

static void wrong(void)
{
	struct gnttab_copy c;

	memset(dst, 0, 4096);
	CHECK_EQ(copy(frames(4000, 0, 97)), GNTST_bad_copy_arg);
	CHECK_EQ(copy(frames(0, 4000, 97)), GNTST_bad_copy_arg);
	CHECK_EQ(copy(frames(4097, 0, 1)), GNTST_bad_copy_arg);
	CHECK_EQ(copy(frames(0xffff, 0xffff, 0xffff)), GNTST_bad_copy_arg);
	CHECK_EQ(copy(to_ref(9, 8)), GNTST_general_error);	/* readonly */
	CHECK_EQ(copy(from_ref(11, 8)), GNTST_general_error);	/* none */
	CHECK_EQ(copy(from_ref(~0U, 8)), GNTST_bad_gntref);
	gt[12].flags = GTF_transitive;
	CHECK(copy(from_ref(12, 8)) < 0);
	c = from_ref(9, 8);
	c.source.domid = 7;
	CHECK_EQ(copy(c), GNTST_bad_domain);
	c = frames(0, 0, 8);
	c.source.u.gmfn = 0xffffffffff;
	CHECK(copy(c) < 0);
	c = frames(0, 0, 8);			/* a page table as destination */
	c.dest.u.gmfn = va_to_mfn((void *)start_info->pt_base);
	CHECK(copy(c) < 0);
	c.dest.u.gmfn = start_info->shared_info >> 12;
	copy(c);
	for (int i = 0; i < 4096; i++)
		if (dst[i])
			CHECK_EQ(i, -1);
}

static void batches(void)
{
	for (int k = 0; k < 64; k++) {
		many[k] = frames((u16)(k * 16), (u16)(k * 16), 16);
		if (k == 31)
			many[k].len = 5000;
	}
	CHECK_EQ(HC(grant_table_op, GNTTABOP_copy, many, 64, 0), 0);
	for (int k = 0; k < 64; k++)
		CHECK_EQ(many[k].status, k == 31 ? GNTST_bad_copy_arg : 0);
	CHECK(!memcmp(src + 512, dst + 512, 512));
	CHECK_EQ(HC(grant_table_op, GNTTABOP_copy, 0x7000, 1, 0), -XEN_EFAULT);
	CHECK_EQ(HC(grant_table_op, GNTTABOP_copy, 0xffff830000000000, 1, 0),
		 -XEN_EFAULT);
	CHECK_EQ(HC(grant_table_op, GNTTABOP_copy, many, 0, 0), 0);
}

void guest_main(void)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	u64 frame;

	s.frame_list = (u64)&frame;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_setup_table, &s, 1, 0), 0);
	CHECK_EQ(map_va(table_page, frame << 12 | PTE_FLAGS), 0);
	gt[9].frame = (u32)va_to_mfn(src);
	gt[9].flags = GTF_permit_access | GTF_readonly;
	gt[10].frame = (u32)va_to_mfn(dst);
	gt[10].flags = GTF_permit_access;
	right();
	wrong();
	batches();
	recount();
}
