/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: xen_version(), the memory maps, sizes and vm_assist() answer what
 * Linux and the tools rely on, and leak nothing beyond the answer.
 */
#include "lib/guest.h"

static u8 text[2048];

static void versions(void)
{
	struct xen_feature_info f = { 0 };
	struct xen_platform_parameters p = { 0 };

	CHECK_EQ(HC(xen_version, XENVER_pagesize, 0, 0, 0), 4096);
	CHECK_EQ(HC(xen_version, XENVER_get_features, &f, 0, 0), 0);
	/* preserve A/D, grant bits; control domain; not translated */
	CHECK_EQ(f.submap & (1U << 5 | 1U << 7 | 1U << 11),
		 1U << 5 | 1U << 7 | 1U << 11);
	CHECK_EQ(f.submap & 0x1070f, 0);
	f.submap_idx = 1;
	CHECK_EQ(HC(xen_version, XENVER_get_features, &f, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(xen_version, XENVER_platform_parameters, &p, 0, 0), 0);
	CHECK_EQ(p.virt_start, 0xffff800000000000);
	CHECK_EQ(HC(xen_version, XENVER_capabilities, text, 0, 0), 0);
	CHECK(!memcmp(text, "xen-3.0-x86_64", 14));
	memset(text, 0xee, sizeof(text));
	CHECK(HC(xen_version, XENVER_extraversion, text, 0, 0) >= 0);
	CHECK_EQ(text[16], 0xee);
	CHECK(HC(xen_version, XENVER_changeset, text, 0, 0) >= 0);
	CHECK_EQ(text[64], 0xee);
	CHECK(HC(xen_version, XENVER_compile_info, text, 0, 0) >= 0);
	CHECK_EQ(text[144], 0xee);
	CHECK(HC(xen_version, XENVER_guest_handle, text, 0, 0) >= 0);
	CHECK(HC(xen_version, XENVER_commandline, text, 0, 0) >= 0);
	CHECK_EQ(HC(xen_version, 99, text, 0, 0), -XEN_ENOSYS);
	for (u64 c = 1; c < 10; c++)
		if (c != XENVER_pagesize) {
			CHECK_EQ(HC(xen_version, c, 0x7000, 0, 0),
				 -XEN_EFAULT);
			CHECK_EQ(HC(xen_version, c, 0xffff830000000000, 0, 0),
				 -XEN_EFAULT);
		}
}

static void maps(void)
{
	static struct {
		u64 base, size;
		u32 type;
	} __attribute__((packed)) e[128];
	struct xen_memory_map m = { .nr_entries = 128, .buffer = (u64)e };
	u64 ram = 0, end = 0;
	domid_t self = DOMID_SELF, other = 77;

	CHECK_EQ(HC(memory_op, XENMEM_machine_memory_map, &m, 0, 0), 0);
	CHECK(m.nr_entries > 3 && m.nr_entries < 128);
	for (u32 i = 0; i < m.nr_entries; i++) {
		CHECK(e[i].base >= end);		/* sorted, disjoint */
		end = e[i].base + e[i].size;
		ram += e[i].type == 1 ? e[i].size : 0;
	}
	CHECK(ram > 500UL << 20 && ram < 513UL << 20);
	m.nr_entries = 0;
	CHECK(HC(memory_op, XENMEM_machine_memory_map, &m, 0, 0) <= 0);
	CHECK(HC(memory_op, XENMEM_maximum_reservation, &self, 0, 0) >=
	      (long)start_info->nr_pages);
	CHECK_EQ(HC(memory_op, XENMEM_current_reservation, &other, 0, 0),
		 -XEN_ESRCH);
	for (u64 c = XENMEM_get_sharing_freed_pages; c < 20; c++) {
		long rc = HC(memory_op, c, 0, 0, 0);

		CHECK(rc == 0 || rc == -XEN_ENOSYS);
	}
	CHECK_EQ(HC(memory_op, 63, text, 0, 0), -XEN_ENOSYS);
}

static void assists(void)
{
	static const u8 known[] = { 0, 1, 2, 5, 32 };

	for (unsigned int i = 0; i < sizeof(known); i++) {
		long rc = HC(vm_assist, VMASST_CMD_enable, known[i], 0, 0);

		if (known[i] > 1 && known[i] != 32)	/* not ours */
			CHECK_EQ(rc, 0);
		rc = HC(vm_assist, VMASST_CMD_disable, known[i], 0, 0);
		if (known[i] > 1 && known[i] != 32)
			CHECK_EQ(rc, 0);
	}
	CHECK_EQ(HC(vm_assist, VMASST_CMD_enable, 4, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(vm_assist, VMASST_CMD_enable, 6, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(vm_assist, VMASST_CMD_enable, 64, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(vm_assist, VMASST_CMD_enable, ~0UL, 0, 0), -XEN_EINVAL);
	CHECK_EQ(HC(vm_assist, 2, 2, 0, 0), -XEN_ENOSYS);
}

void guest_main(void)
{
	versions();
	maps();
	assists();
}
