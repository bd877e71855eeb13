/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: an unprivileged domain cannot map, pin, load, lend, copy or give away
 * any frame of another, use its descriptor tables or I/O, and gets memory in
 * which nothing of an earlier owner is left.  Guards XSA-248, XSA-132.
 * timeout: 120
 * xen: guest_loglvl=none
 */
#include "lib/guest.h"

#define FRESH 64
static volatile struct report {
	u64 done, mapped, first, pinned, described, given, copied, dirty;
	u64 ports, info, m2p, fresh, limit;
} report __page;
static u8 buffer[4096] __page, target[4096] __page;
static u64 root_of_dom0;

static void try_frame(u64 mfn)
{
	struct mmu_update u = {
		.ptr = mfn << 12 | MMU_MACHPHYS_UPDATE, .val = 1,
	};
	struct gnttab_copy c = { .len = 8 };
	u64 list = mfn;
	struct xen_memory_reservation r = {
		.extent_start = (u64)&list, .nr_extents = 1,
		.domid = DOMID_SELF,
	};

	if (!map_va(target, mfn << 12 | PTE_FLAGS) ||
	    !map_va(target, mfn << 12 | PTE_P | PTE_US)) {
		report.first = mfn;
		report.mapped++;
	}
	if (!mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0))
		report.pinned++;
	if (!HC(update_descriptor, mfn << 12, 0, 0, 0))
		report.described++;
	if (!HC(mmu_update, &u, 1, 0, DOMID_SELF))
		report.m2p++;
	if (HC(memory_op, XENMEM_decrease_reservation, &r, 0, 0) == 1)
		report.given++;
	c.source.u.gmfn = mfn;
	c.source.domid = 0;
	c.dest.u.gmfn = domu_mfn[va_to_pfn(buffer)];
	c.dest.domid = DOMID_SELF;
	HC(grant_table_op, GNTTABOP_copy, &c, 1, 0);
	if (!c.status)
		report.copied++;
}

static bool own(u64 mfn)
{
	for (u64 pfn = 0; pfn < DOMU_PAGES; pfn++)
		if (domu_mfn[pfn] == mfn)
			return true;
	return false;
}

static void fresh_memory(void)
{
	for (u64 i = 0; i < FRESH; i++) {
		u64 frame = 0x1000 + i, *p = (u64 *)buffer;
		struct xen_memory_reservation r = {
			.extent_start = (u64)&frame, .nr_extents = 1,
			.domid = DOMID_SELF,
		};

		if (HC(memory_op, XENMEM_populate_physmap, &r, 0, 0) != 1)
			return;
		if (map_va(buffer, frame << 12 | PTE_FLAGS))
			return;
		report.fresh++;
		for (int k = 0; k < 512; k++)
			if (p[k])
				report.dirty++;
		memset(buffer, 0xa5, 4096);
	}
}

static void second_domain(void)
{
	struct vcpu_register_vcpu_info info = { .mfn = root_of_dom0 };
	struct sched_shutdown end = { .reason = SHUTDOWN_reboot };
	u64 top = report.limit, gdt = root_of_dom0;

	VCPU0->evtchn_upcall_mask = 1;
	traps_init();
	if (mmuext(MMUEXT_NEW_BASEPTR, root_of_dom0, 0) < 0 &&
	    mmuext(MMUEXT_NEW_USER_BASEPTR, root_of_dom0, 0) < 0 &&
	    HC(set_gdt, &gdt, 512, 0, 0) < 0 &&
	    HC(vcpu_op, VCPUOP_register_vcpu_info, 0, &info, 0) < 0)
		report.info = 1;
	__asm__ volatile(TRY("inb $0x80, %%al") ::: "rax");
	report.ports = trapped();
	for (u64 mfn = 0; mfn < top; mfn++)
		if (!own(mfn))
			try_frame(mfn);
	fresh_memory();
	report.done = 1;
	HC(sched_op, SCHEDOP_shutdown, &end, 0, 0);
}

static void one_life(void)
{
	volatile struct report *r;
	struct domu d;

	CHECK_EQ(domu_create(&d, second_domain), 0);
	CHECK_EQ(domu_unpause(&d), 0);
	CHECK_EQ(domu_wait(&d, 60000000000), SHUTDOWN_reboot);
	r = domu_map(&d, domu_mfn[va_to_pfn((void *)&report)]);
	CHECK_EQ(r->done, 1);
	print("NOTE %lu fresh\n", r->fresh);
	/* its own shared_info and grant table frames it may map */
	if (r->mapped > 2)
		print("mapped %lu, last %lx\n", r->mapped, r->first);
	CHECK(r->mapped <= 2);
	CHECK(r->m2p <= 2);
	CHECK(r->given <= 2);
	CHECK_EQ(r->pinned, 0);
	CHECK(r->described <= 2);
	CHECK_EQ(r->copied, 0);
	CHECK_EQ(r->info, 1);
	CHECK_EQ(r->ports, 13);
	CHECK_EQ(r->fresh, FRESH);
	CHECK_EQ(r->dirty, 0);
	domu_unmap();
	CHECK_EQ(domu_destroy(&d), 0);
}

void guest_main(void)
{
	timer_stop_periodic();
	root_of_dom0 = va_to_mfn((void *)start_info->pt_base);
	report.limit = (u64)HC(memory_op, XENMEM_maximum_ram_page, 0, 0, 0);
	one_life();
	one_life();
	recount();
}
