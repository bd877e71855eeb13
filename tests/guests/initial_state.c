/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: registers, start_info, the first page tables and the two frame maps
 * are what the ABI promises at the entry point, and agree with each other.
 */
#include "lib/guest.h"

static const u64 *const m2p = (const u64 *)0xffff800000000000;

static void registers(void)
{
	u64 stack = start_info->pt_base + start_info->nr_pt_frames * PAGE_SIZE;

	for (int i = 0; i < 15; i++)
		if (i != 4)
			CHECK_EQ(initial_regs[i], 0);
	CHECK_EQ(initial_regs[4], start_info);
	CHECK_EQ(initial_regs[15], stack + PAGE_SIZE);
	CHECK_EQ(initial_regs[16] & ~0x46UL, 0x200);
	CHECK_EQ(initial_regs[17], FLAT_RING3_CS64);
	CHECK_EQ(initial_regs[18], FLAT_RING3_SS64);
	for (int i = 19; i < 23; i++)
		CHECK_EQ(initial_regs[i], 0);
	CHECK_EQ(initial_mask, 1);
}

static void info(void)
{
	struct start_info *si = start_info;
	domid_t self = DOMID_SELF;
	long pages = HC(memory_op, XENMEM_current_reservation, &self, 0, 0);

	CHECK(!memcmp(si->magic, "xen-3.0-x86_64", 14));
	CHECK_EQ(si->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN),
		 SIF_PRIVILEGED | SIF_INITDOMAIN);
	CHECK_EQ(si->nr_pages, pages);
	CHECK_EQ(si->mod_len, 0);
	CHECK_EQ(si->mfn_list, 0x8000000000);
	CHECK(si->first_p2m_pfn < si->nr_pages);
	CHECK(si->nr_p2m_frames >= si->nr_pages * 8 / PAGE_SIZE);
	CHECK_EQ(si->shared_info & 0xfff, 0);
	CHECK_EQ(si->pt_base, (u64)si + PAGE_SIZE);
	CHECK_EQ(si->console.dom0.info_off, sizeof(*si));
	for (int i = 0; i < 64; i++)
		CHECK_EQ(shared_info->evtchn_pending[i], 0);
}

static void frame_maps(void)
{
	u64 wrong = 0, max = (u64)HC(memory_op, XENMEM_maximum_ram_page, 0, 0,
				     0);

	for (u64 pfn = 0; pfn < start_info->nr_pages; pfn++)
		if (p2m[pfn] > max || m2p[p2m[pfn]] != pfn)
			wrong++;
	CHECK_EQ(wrong, 0);
	__asm__ volatile(TRY("movq $1, (%0)") :: "r"(m2p + p2m[0]) : "memory");
	CHECK_EQ(trapped(), 14);
}

static void page_tables(void)
{
	u64 cr3, end = (initial_regs[15] + 0x7ffff + 0x3fffff) & ~0x3fffffUL;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	CHECK_EQ(cr3, va_to_mfn((void *)start_info->pt_base) << 12);
	for (u64 i = 0; i < start_info->nr_pt_frames; i++) {
		u64 pte = pte_read((void *)(start_info->pt_base +
					    i * PAGE_SIZE));

		CHECK_EQ(pte & (PTE_P | PTE_RW | PTE_US), PTE_P | PTE_US);
	}
	for (u64 va = VIRT_BASE; va < start_info->pt_base; va += PAGE_SIZE)
		if (va != (u64)shared_info_page_)
			CHECK_EQ(pte_read((void *)va) & (PTE_ADDR | PTE_RW |
				PTE_P | 1UL << 63),
				va_to_mfn((void *)va) << 12 | PTE_P | PTE_RW);
	CHECK(pte_read((void *)(end - PAGE_SIZE)) & PTE_P);
	CHECK_EQ(pte_read((void *)end), 0);
}

void guest_main(void)
{
	registers();
	info();
	frame_maps();
	page_tables();
	recount();
}
