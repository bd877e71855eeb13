/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: the control domain may map device memory as DOMID_IO, but not the
 * interrupt controllers; it may map no frame of the hypervisor's, as DOMID_XEN
 * or otherwise, and is not told where the frame map is.  XSA-248.
 */
#include "lib/guest.h"

static u8 window[4096] __page;
static const u64 *const m2p = (const u64 *)0xffff800000000000;

static long map_as(u64 mfn, u64 flags, u32 owner)
{
	struct mmu_update u = {
		.ptr = pte_machine_address(window), .val = mfn << 12 | flags,
	};
	long rc = HC(mmu_update, &u, 1, 0, owner);

	mmuext(MMUEXT_INVLPG_LOCAL, (u64)window, 0);
	return rc;
}

/* A mapping may be granted with less than it asked for. */
static bool writable(u64 mfn, u32 owner)
{
	return !map_as(mfn, PTE_FLAGS, owner) && pte_read(window) & PTE_RW;
}

static void devices(void)
{
	CHECK_EQ(map_as(0xb8, PTE_FLAGS | 0x10, DOMID_IO), 0);	/* VGA */
	CHECK_EQ(map_as(0xb8, PTE_FLAGS | 0x10, DOMID_SELF), 0);
	CHECK_EQ(pte_read(window) & PTE_RW, PTE_RW);
	CHECK_EQ(map_as(0xf0, PTE_P | PTE_US, DOMID_IO), 0);	/* BIOS */
	CHECK(map_as(0xfee00, PTE_FLAGS | 0x10, DOMID_IO) < 0);
	CHECK(map_as(0xfee00, PTE_FLAGS | 0x10, DOMID_SELF) < 0);
	CHECK(!writable(0xfec00, DOMID_IO));
	CHECK(map_as(0xfffffffff, PTE_FLAGS, DOMID_IO) < 0);
	CHECK_EQ(map_as(0, 0, DOMID_SELF), 0);
}

static void frame_map(void)
{
	u64 list[4] = { 0 };
	struct xen_machphys_mfn_list l = {
		.max_extents = 4, .extent_start = (u64)list,
	};
	struct xen_machphys_mapping m;
	u64 self = va_to_mfn(window);

	CHECK_EQ(HC(memory_op, XENMEM_machphys_mapping, &m, 0, 0), 0);
	CHECK_EQ(m.v_start, m2p);
	CHECK(m.v_end > m.v_start);
	/* Ours only: Xen tells where the frames are, for saving guests. */
	CHECK_EQ(HC(memory_op, XENMEM_machphys_mfn_list, &l, 0, 0),
		 -XEN_EOPNOTSUPP);
	CHECK_EQ(m2p[self], va_to_pfn(window));
	CHECK_EQ(map_as(0, 0, DOMID_SELF), 0);
}

/* Whatever is not ours must not become writable, in all of RAM. */
static void others(void)
{
	u64 max = (u64)HC(memory_op, XENMEM_maximum_ram_page, 0, 0, 0);
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	u64 grants;
	u32 mapped = 0;

	s.frame_list = (u64)&grants;
	CHECK_EQ(HC(grant_table_op, GNTTABOP_setup_table, &s, 1, 0), 0);
	for (u64 mfn = 0x100; mfn < max; mfn++) {
		u64 pfn = m2p[mfn];

		if (pfn < start_info->nr_pages && p2m[pfn] == mfn)
			continue;
		if (mfn == start_info->shared_info >> 12 || mfn == grants)
			continue;
		if (writable(mfn, DOMID_SELF) || writable(mfn, DOMID_XEN) ||
		    !map_as(mfn, PTE_P | PTE_US | PTE_A, DOMID_XEN)) {
			print("mfn %lx\n", mfn);
			mapped++;
		}
	}
	CHECK_EQ(mapped, 0);
	CHECK_EQ(make_writable(window), 0);
}

void guest_main(void)
{
	devices();
	frame_map();
	others();
	recount();
}
