/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second domain for micro-guests: an unprivileged copy of the running
 * image, at the same addresses, that starts in a function of it.  It has the
 * library's globals as they were when it was made, and its own shared_info;
 * the pool behind page_alloc() is left out.
 */
#include "guest.h"
#include <hypercall-abi/domctl.h>

#define FIRST	0x100			/* the image's first pfn */
#define TABLES	(DOMU_PAGES - 5)	/* L4, L3, L2, two L1 */

extern u8 _end[];
static u8 window[4096] __page;
static u64 table[512] __page;
u64 domu_mfn[DOMU_PAGES];		/* the domain sees its own here */

long domu_control(struct domu *d, struct xen_domctl *op, u32 cmd)
{
	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = d->id;
	return HC(domctl, op, 0, 0, 0);
}

void *domu_map(struct domu *d, u64 mfn)
{
	struct mmu_update u = {
		.ptr = pte_machine_address(window),
		.val = mfn << 12 | PTE_FLAGS,
	};
	long rc = HC(mmu_update, &u, 1, 0, d->id);

	mmuext(MMUEXT_INVLPG_LOCAL, (u64)window, 0);
	CHECK_EQ(rc, 0);
	return rc ? NULL : window;
}

void domu_unmap(void)
{
	CHECK_EQ(map_va(window, 0), 0);
}

static int populate(struct domu *d, u64 pfn)
{
	u64 frame = pfn;
	struct xen_memory_reservation r = {
		.extent_start = (u64)&frame, .nr_extents = 1,
		.domid = d->id,
	};

	if (HC(memory_op, XENMEM_populate_physmap, &r, 0, 0) != 1)
		return -1;
	domu_mfn[pfn] = frame;
	return 0;
}

static void copy_page(struct domu *d, u64 pfn, const void *from)
{
	void *to = domu_map(d, domu_mfn[pfn]);

	if (to)
		memcpy(to, from, PAGE_SIZE);
	domu_unmap();
}

static u64 entry(u64 pfn)
{
	if (!domu_mfn[pfn])
		return 0;
	return domu_mfn[pfn] << 12 |
		(pfn >= TABLES ? PTE_P | PTE_US | PTE_A : PTE_FLAGS);
}

static void one_entry(struct domu *d, u64 table_pfn, u64 slot, u64 target)
{
	memset(table, 0, sizeof(table));
	table[slot] = domu_mfn[target] << 12 | PTE_TABLE;
	copy_page(d, table_pfn, table);
}

static void page_tables(struct domu *d, u64 shared)
{
	one_entry(d, TABLES, 511, TABLES + 1);
	one_entry(d, TABLES + 1, 510, TABLES + 2);
	memset(table, 0, sizeof(table));
	table[0] = domu_mfn[TABLES + 3] << 12 | PTE_TABLE;
	table[1] = domu_mfn[TABLES + 4] << 12 | PTE_TABLE;
	copy_page(d, TABLES + 2, table);
	for (u64 half = 0; half < 2; half++) {
		memset(table, 0, sizeof(table));
		for (u64 i = 0; i < 512 && half * 512 + i < DOMU_PAGES; i++)
			table[i] = entry(half * 512 + i);
		if (va_to_pfn(shared_info_page_) / 512 == half)
			table[va_to_pfn(shared_info_page_) % 512] =
				shared << 12 | PTE_FLAGS;
		copy_page(d, TABLES + 3 + half, table);
	}
}

static int memory(struct domu *d)
{
	u64 pool = va_to_pfn(page_pool), pool_end = pool + PAGE_POOL;

	memset(domu_mfn, 0, sizeof(domu_mfn));
	for (u64 pfn = FIRST; pfn < va_to_pfn(_end); pfn++)
		if ((pfn < pool || pfn >= pool_end) && populate(d, pfn))
			return -1;
	for (u64 pfn = TABLES; pfn < DOMU_PAGES; pfn++)
		if (populate(d, pfn))
			return -1;
	for (u64 pfn = FIRST; pfn < va_to_pfn(_end); pfn++)
		if (domu_mfn[pfn] && pfn != va_to_pfn(shared_info_page_) &&
		    pfn != va_to_pfn(window))
			copy_page(d, pfn, (void *)(VIRT_BASE + (pfn << 12)));
	return 0;
}

static int start_context(struct domu *d, void (*fn)(void))
{
	static struct vcpu_guest_context ctx;
	struct xen_domctl op = { .u.vcpucontext.ctxt = (u64)&ctx };

	vcpu_context(&ctx, 1, fn);
	ctx.flags |= VGCF_online;
	ctx.ctrlreg[3] = domu_mfn[TABLES] << 12;
	return (int)domu_control(d, &op, XEN_DOMCTL_setvcpucontext);
}

int domu_create(struct domu *d, void (*fn)(void))
{
	struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE };
	struct xen_domctl op = { .u.createdomain = {
		.handle = { 1, 2, 3 }, .max_vcpus = 1,
		.max_evtchn_port = 1023, .max_grant_frames = -1,
		.max_maptrack_frames = -1, .grant_opts = 1,
	} };

	if (va_to_pfn(_end) > TABLES)
		return -1000;
	d->id = 0;
	if (domu_control(d, &op, XEN_DOMCTL_createdomain))
		return -1001;
	d->id = op.domain;
	op.u.max_vcpus.max = 1;
	if (domu_control(d, &op, XEN_DOMCTL_max_vcpus))
		return -1002;
	op.u.max_mem.max_memkb = 8192;
	if (domu_control(d, &op, XEN_DOMCTL_max_mem))
		return -1003;
	if (domu_control(d, &op, XEN_DOMCTL_getdomaininfo))
		return -1004;
	d->shared_info = op.u.getdomaininfo.shared_info_frame;
	if (memory(d))
		return -1005;
	page_tables(d, d->shared_info);
	d->l4 = pin.arg1.mfn = domu_mfn[TABLES];
	if (HC(mmuext_op, &pin, 1, 0, d->id))
		return -1006;
	return start_context(d, fn) ? -1007 : 0;
}

int domu_unpause(struct domu *d)
{
	struct xen_domctl op = { 0 };

	return (int)domu_control(d, &op, XEN_DOMCTL_unpausedomain);
}

u32 domu_flags(struct domu *d)
{
	struct xen_domctl op = { 0 };

	if (domu_control(d, &op, XEN_DOMCTL_getdomaininfo) ||
	    op.domain != d->id)
		return ~0U;
	return op.u.getdomaininfo.flags;
}

static void let_others_run(void)
{
	struct sched_poll p = { .timeout = now_ns() + MS };

	HC(sched_op, SCHEDOP_poll, &p, 0, 0);
}

int domu_wait(struct domu *d, u64 ns)
{
	u64 end = now_ns() + ns;
	u32 flags = 0;

	while (now_ns() < end && !(flags & XEN_DOMINF_shutdown)) {
		let_others_run();
		flags = domu_flags(d);
	}
	return flags & XEN_DOMINF_shutdown ?
		(int)(flags >> XEN_DOMINF_shutdownshift & 255) : -1;
}

int domu_destroy(struct domu *d)
{
	struct xen_domctl op = { 0 };
	u64 end = now_ns() + PATIENCE;
	long rc;

	do {
		rc = domu_control(d, &op, XEN_DOMCTL_destroydomain);
	} while ((rc == -XEN_ERESTART || rc == -XEN_EBUSY) && now_ns() < end);
	return (int)rc;
}

bool domu_gone(struct domu *d)
{
	u64 end = now_ns() + PATIENCE;

	while (domu_flags(d) != ~0U && now_ns() < end)
		let_others_run();
	return domu_flags(d) == ~0U;
}

static u64 free_pages_now(void)
{
	struct xen_sysctl s = {
		.cmd = XEN_SYSCTL_physinfo,
		.interface_version = XEN_SYSCTL_INTERFACE_VERSION,
	};

	CHECK_EQ(HC(sysctl, &s, 0, 0, 0), 0);
	return s.u.physinfo.free_pages;
}

/* Some are freed later, when the processor is idle. */
u64 free_pages(void)
{
	u64 last = free_pages_now();

	for (int same = 0; same < 50; same++) {
		u64 pages;

		let_others_run();
		pages = free_pages_now();
		if (pages != last)
			same = 0;
		last = pages;
	}
	return last;
}
