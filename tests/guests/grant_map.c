/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: a grant is mapped and unmapped with exactly the rights it gives, its
 * status bits follow, and every wrong argument gets a defined status.  Guards
 * XSA-224, XSA-227, XSA-234, XSA-236, XSA-316.
 */
#include "lib/guest.h"

static u8 table_page[4096] __page, window[4096] __page;
static volatile u8 data[4096] __page;
static struct grant_entry_v1 *const gt = (void *)table_page;

static void lend(u32 ref, const volatile void *page, u16 flags)
{
	gt[ref].frame = (u32)va_to_mfn((void *)page);
	gt[ref].domid = 0;
	gt[ref].flags = flags;
}

static int map(u32 ref, u32 flags, u64 at, u32 *handle)
{
	struct gnttab_map_grant_ref m = {
		.host_addr = at, .flags = flags, .ref = ref, .status = 77,
	};

	CHECK_EQ(HC(grant_table_op, GNTTABOP_map_grant_ref, &m, 1, 0), 0);
	*handle = m.handle;
	if (!m.status)
		CHECK_EQ(m.dev_bus_addr, (u64)gt[ref].frame << 12);
	return m.status;
}

static int unmap(u64 at, u32 handle)
{
	struct gnttab_unmap_grant_ref u = {
		.host_addr = at, .handle = handle, .status = 77,
	};

	CHECK_EQ(HC(grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1, 0), 0);
	return u.status;
}

static void setup(void)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	struct gnttab_query_size q = { .dom = DOMID_SELF };
	u64 frame;

	s.frame_list = (u64)&frame;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_setup_table, &s, 1, 0), 0);
	CHECK_EQ(s.status, GNTST_okay);
	CHECK_EQ(map_va(table_page, frame << 12 | PTE_FLAGS), 0);
	CHECK_EQ(HC(grant_table_op, GNTTABOP_query_size, &q, 1, 0), 0);
	CHECK_EQ(q.status, GNTST_okay);
	CHECK(q.nr_frames >= 1 && q.max_nr_frames >= q.nr_frames);
	q.dom = 7;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_query_size, &q, 1, 0), 0);
	CHECK_EQ(q.status, GNTST_bad_domain);
	s.nr_frames = q.max_nr_frames + 1;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_setup_table, &s, 1, 0), 0);
	CHECK(s.status < 0 && s.status >= GNTST_no_space);
	CHECK_EQ(HC(grant_table_op, 77, &s, 1, 0), -XEN_ENOSYS);
	CHECK_EQ(HC(grant_table_op, GNTTABOP_query_size, 0x7000, 1, 0),
		 -XEN_EFAULT);
	CHECK(HC(grant_table_op, GNTTABOP_query_size, &q, ~0UL, 0) < 0);
}

static void by_address(void)
{
	volatile u8 *w = window;
	u64 at = (u64)window;
	u32 h, h2;

	CHECK_EQ(map_va(window, 0), 0);
	data[3] = 0x42;
	lend(9, data, GTF_permit_access);
	CHECK_EQ(map(9, GNTMAP_host_map, at, &h), GNTST_okay);
	CHECK_EQ(gt[9].flags, GTF_permit_access | GTF_reading | GTF_writing);
	CHECK_EQ(w[3], 0x42);
	w[4] = 0x43;
	CHECK_EQ(data[4], 0x43);
	CHECK_EQ(unmap(at + 0x7000, h), GNTST_general_error);
	CHECK_EQ(w[3], 0x42);
	CHECK_EQ(unmap(at, h), GNTST_okay);
	CHECK_EQ(gt[9].flags, GTF_permit_access);
	CHECK_EQ(pte_read(window) & PTE_P, 0);
	CHECK_EQ(unmap(at, h), GNTST_bad_handle);
	CHECK_EQ(map(9, GNTMAP_host_map | GNTMAP_readonly, at, &h), 0);
	CHECK_EQ(gt[9].flags, GTF_permit_access | GTF_reading);
	__asm__ volatile(TRY("movb $1, (%0)") :: "r"(window) : "memory");
	CHECK_EQ(trapped(), 14);
	CHECK_EQ(map(9, GNTMAP_device_map, 0, &h2), GNTST_okay);
	CHECK_EQ(unmap(at, h), GNTST_okay);
	CHECK(gt[9].flags & GTF_reading);		/* h2 holds it */
	struct gnttab_unmap_grant_ref u = {
		.dev_bus_addr = va_to_mfn((void *)data) << 12, .handle = h2,
	};
	CHECK_EQ(HC(grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1, 0), 0);
	CHECK_EQ(u.status, GNTST_okay);
	CHECK_EQ(gt[9].flags, GTF_permit_access);
}

static void by_entry(void)
{
	u64 ma = pte_machine_address(window);
	u32 h;

	CHECK_EQ(map(9, GNTMAP_host_map | GNTMAP_contains_pte, ma, &h), 0);
	CHECK_EQ(pte_read(window) & (PTE_ADDR | PTE_P | PTE_RW),
		 va_to_mfn((void *)data) << 12 | PTE_P | PTE_RW);
	CHECK_EQ(unmap(pte_machine_address(start_info), h),
		 GNTST_general_error);
	CHECK_EQ(unmap(ma, h), GNTST_okay);
	CHECK(map(9, GNTMAP_host_map | GNTMAP_contains_pte, ma + 4, &h) < 0);
	CHECK(map(9, GNTMAP_host_map | GNTMAP_contains_pte,
		  va_to_mfn((void *)data) << 12, &h) < 0);
}

static void wrong(void)
{
	u64 at = (u64)window;
	u32 h;

	lend(10, data, GTF_permit_access | GTF_readonly);
	CHECK_EQ(map(10, GNTMAP_host_map, at, &h), GNTST_general_error);
	lend(10, (void *)start_info->pt_base, GTF_permit_access);
	CHECK(map(10, GNTMAP_host_map, at, &h) < 0);	/* a page table */
	lend(10, data, GTF_transitive);
	CHECK(map(10, GNTMAP_host_map, at, &h) < 0);
	gt[10].flags = 0;
	CHECK_EQ(map(10, GNTMAP_host_map, at, &h), GNTST_general_error);
	CHECK_EQ(map(~0U, GNTMAP_host_map, at, &h), GNTST_bad_gntref);
	CHECK_EQ(map(512, GNTMAP_host_map, at, &h), GNTST_bad_gntref);
	gt[9].domid = 5;
	CHECK_EQ(map(9, GNTMAP_host_map, at, &h), GNTST_general_error);
	gt[9].domid = 0;
	CHECK(map(9, 0, at, &h) < 0);			/* nothing asked */
	CHECK(map(9, GNTMAP_host_map, 0xffff830000000000, &h) < 0);
	gt[9].frame = 0xffffffff;
	CHECK(map(9, GNTMAP_host_map, at, &h) < 0);
	CHECK_EQ(gt[9].flags, GTF_permit_access);
	CHECK_EQ(unmap(at, ~0U), GNTST_bad_handle);
	CHECK_EQ(unmap(at, 12345), GNTST_bad_handle);
}

void guest_main(void)
{
	setup();
	by_address();
	by_entry();
	wrong();
	recount();
}
