/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first domain: its memory, its address space, its first vCPU, and what
 * of the machine it may touch.
 *
 * Dom0 is built as a toolstack builds any other domain: pages are written
 * through the direct map, page tables are plain memory until vcpu_set_
 * kernel_l4() validates them like any guest's.  A mistake here is therefore
 * refused by the type system and cannot weaken it.
 *
 * First mapping, from VIRT_BASE (= pfn 0), in pages, everything writable but
 * the page tables:
 *
 *   kernel | initrd (1) | P2M (2) | start_info | page tables | stack | slack
 *                                                     to a multiple of 4 MiB
 *   (1) without note MOD_START_PFN; else at the pfns behind the mapping
 *   (2) without note INIT_P2M; else, with its page tables, at the pfns behind
 *       that, mapped in a top-level slot of its own
 *
 * The remaining pfns up to the domain's size are plain memory.
 *
 * Runs at boot on one CPU, takes no lock.  The only input is the boot loader's
 * modules and command line: what is wrong with them is told in one line.
 * Deliberately not done: Dom0's memory is not cleared (no guest had it
 * before), and holes in the machine's memory map are Linux's own affair.
 */
#include <domain/domain.h>
#include <domain/image.h>
#include <boot/boot.h>
#include <dev/dev.h>

#define LEAF_FLAGS	(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_GUEST_KERNEL)
#define TABLE_FLAGS	(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define MAP_ROUND	(4UL << 20)
#define MIN_SLACK	(512UL << 10)
#define L1_SHIFT	21		/* bytes that one table covers, log 2 */
#define L2_SHIFT	30
#define L3_SHIFT	39
/* Left to the hypervisor whatever dom0_mem says. */
#define HYP_RESERVE	(8UL << (20 - PAGE_SHIFT))
#define PAGES_TO_MIB(n)	((n) >> (20 - PAGE_SHIFT))

struct build {
	struct domain *d;
	struct kernel_image k;
	const struct boot_module *initrd;	/* or NULL */
	u64 nr_pages;

	/* virtual addresses */
	u64 v_initrd, v_p2m, v_start_info, v_pt, v_stack, v_end;
	u64 nr_pt;		/* tables from v_pt on */

	/* pfns */
	u64 initrd_pfn, initrd_pages;
	u64 p2m_pfn, p2m_pages, p2m_tables;
	u64 fixed_pages;	/* up to here every pfn has a purpose */

	u64 **p2m;		/* each page of the P2M in the direct map */
	unsigned int order;	/* larger chunks were not to be had */
	u64 next_table, tables_end;	/* pfns for page tables */
};

/* --- how large, how many --------------------------------------------- */
/* One size of dom0_mem=; a negative one is what to leave. */
struct mem_size {
	u64 pages;
	bool given, minus;
};

static __init u64 mem_size_pages(const struct mem_size *s, u64 avail, u64 dflt)
{
	if (!s->given)
		return dflt;
	if (!s->minus)
		return s->pages;
	return s->pages < avail ? avail - s->pages : 0;
}

static __init const char *parse_mem_size(const char *s, struct mem_size *m)
{
	const char *end;
	bool minus = *s == '-';
	u64 bytes = parse_size(s + minus, &end);

	if (end == s + minus)
		return s;
	*m = (struct mem_size){ bytes >> PAGE_SHIFT, true, minus };
	return end;
}

/* dom0_mem=SIZE,min:SIZE,max:SIZE in any order. */
static __init void parse_dom0_mem(struct mem_size *size, struct mem_size *low,
				  struct mem_size *high)
{
	const char *s = cmdline_get("dom0_mem");

	while (s && *s) {
		if (!strncmp(s, "min:", 4))
			s = parse_mem_size(s + 4, low);
		else if (!strncmp(s, "max:", 4))
			s = parse_mem_size(s + 4, high);
		else
			s = parse_mem_size(s, size);
		if (*s && *s != ',') {
			log_warn("dom0_mem: cannot understand \"%s\"\n", s);
			return;
		}
		s += *s == ',';
	}
}

/* Sets the domain's size from what is free and what the operator wants. */
static __init void choose_size(struct build *b, u64 avail)
{
	struct mem_size size = { 0 }, low = { 0 }, high = { 0 };
	u64 spare = min(avail / 16, 128UL << (20 - PAGE_SHIFT)), want;

	parse_dom0_mem(&size, &low, &high);
	want = mem_size_pages(&size, avail, avail - spare);
	want = max(want, mem_size_pages(&low, avail, 0));
	want = min(want, mem_size_pages(&high, avail, ~0UL));
	avail -= avail < HYP_RESERVE ? avail : HYP_RESERVE;
	b->nr_pages = min(want, avail);
	if (b->nr_pages < want)
		printk("Dom0 gets %lu MiB, %lu MiB less than asked for: no more memory is free\n",
		       PAGES_TO_MIB(b->nr_pages),
		       PAGES_TO_MIB(want - b->nr_pages + 255));
	b->d->max_pages = max(b->nr_pages, high.given ?
			      mem_size_pages(&high, avail, 0) : (u32)~0U);
}

/* dom0_max_vcpus=N or MIN-MAX; default one for each CPU. */
static __init unsigned int choose_vcpus(void)
{
	const char *s = cmdline_get("dom0_max_vcpus");
	u64 n = 0, low = 1, high = MAX_VCPUS;

	for (cpumask_t m = cpus_online; m; m &= m - 1)
		n++;
	if (s && *s) {
		if (*s != '-')
			low = high = strtoull(s, &s, 0);
		if (*s == '-')
			high = s[1] ? strtoull(s + 1, &s, 0) : MAX_VCPUS;
	}
	n = max(n, low);
	n = min(n, high);
	n = min(n, (u64)MAX_VCPUS);
	return n ? n : 1;
}

/* --- where everything goes ------------------------------------------- */
static __init u64 va_to_pfn(const struct build *b, u64 va)
{
	return (va - b->k.virt_base) >> PAGE_SHIFT;
}

/* Page tables of one level that [start, end) needs. */
static __init u64 tables_at(u64 start, u64 end, unsigned int shift)
{
	return ((end - 1) >> shift) - (start >> shift) + 1;
}

/* Of all levels below the top. */
static __init u64 tables_below_l4(u64 start, u64 end)
{
	return tables_at(start, end, L1_SHIFT) +
	       tables_at(start, end, L2_SHIFT) +
	       tables_at(start, end, L3_SHIFT);
}

/* Canonical, no wrap, outside the hypervisor's slots. */
static __init bool range_ok(u64 start, u64 end)
{
	return start < end && guest_range_ok(start, end - start) &&
	       (s64)(start << 16) >> 16 == (s64)start &&
	       (s64)((end - 1) << 16) >> 16 == (s64)(end - 1);
}

/* The mapped part; its page tables have to map themselves. */
static __init void lay_out_mapping(struct build *b)
{
	u64 va = ROUND_UP(b->k.end, PAGE_SIZE);

	if (b->initrd && !b->k.mod_start_pfn) {
		b->v_initrd = va;
		va += b->initrd_pages << PAGE_SHIFT;
	}
	b->v_p2m = b->k.init_p2m;
	if (b->v_p2m == IMAGE_NONE) {
		b->v_p2m = va;
		va += b->p2m_pages << PAGE_SHIFT;
	}
	b->v_start_info = va;
	b->v_pt = va + PAGE_SIZE;
	b->nr_pt = 0;
	do {
		b->nr_pt++;
		b->v_stack = b->v_pt + (b->nr_pt << PAGE_SHIFT);
		b->v_end = ROUND_UP(b->v_stack + PAGE_SIZE + MIN_SLACK,
				    MAP_ROUND);
	} while (b->nr_pt < 1 + tables_below_l4(b->k.virt_base, b->v_end));
}

/* Everything, for a domain of b->nr_pages.  NULL or what is wrong. */
static __init const char *lay_out(struct build *b)
{
	u64 next, p2m_end;

	b->p2m_pages = DIV_ROUND_UP(max(b->nr_pages, 1UL) * 8, PAGE_SIZE);
	if (b->initrd)
		b->initrd_pages = DIV_ROUND_UP(b->initrd->end -
					       b->initrd->start, PAGE_SIZE);
	lay_out_mapping(b);
	if (!range_ok(b->k.virt_base, b->v_end))
		return "kernel: note VIRT_BASE is no guest address";
	next = va_to_pfn(b, b->v_end);

	b->initrd_pfn = next;
	if (b->initrd && b->k.mod_start_pfn)
		next += b->initrd_pages;
	else
		b->initrd_pfn = va_to_pfn(b, b->v_initrd);

	p2m_end = b->v_p2m + (b->p2m_pages << PAGE_SHIFT);
	b->p2m_pfn = va_to_pfn(b, b->v_p2m);
	if (b->k.init_p2m != IMAGE_NONE) {
		if (!range_ok(b->v_p2m, p2m_end) ||
		    (b->v_p2m >> L3_SHIFT <= (b->v_end - 1) >> L3_SHIFT &&
		     (p2m_end - 1) >> L3_SHIFT >= b->k.virt_base >> L3_SHIFT))
			return "kernel: note INIT_P2M is no slot of its own";
		b->p2m_pfn = next;
		b->p2m_tables = tables_below_l4(b->v_p2m, p2m_end);
		next += b->p2m_pages + b->p2m_tables;
	}
	b->fixed_pages = next;
	return NULL;
}

/* --- memory ---------------------------------------------------------- */
static __init u64 *p2m_slot(const struct build *b, u64 pfn)
{
	return &b->p2m[pfn / 512][pfn % 512];
}

static __init void *pfn_virt(const struct build *b, u64 pfn)
{
	return mfn_to_virt(MFN(*p2m_slot(b, pfn)));
}

/* The largest chunk of at most want pages; 0 if there is no page left. */
static __init u64 take_chunk(struct build *b, u64 want, mfn_t *mfn)
{
	unsigned int order = min((unsigned int)fls64(want), b->order);

	for (;;) {
		struct frame *f = alloc_domain_pages(b->d, order,
						     ALLOC_ANY | ALLOC_NOSCRUB);

		if (f) {
			*mfn = frame_to_mfn(f);
			return 1UL << order;
		}
		if (!order)
			return 0;
		b->order = --order;
	}
}

static __init void p2m_set(struct build *b, u64 pfn, mfn_t mfn)
{
	*p2m_slot(b, pfn) = mfn.m;
	m2p_set(mfn, pfn);
}

/* The P2M's own pages come first: they hold what is known of the others. */
static __init bool alloc_p2m(struct build *b)
{
	mfn_t mfn;

	b->p2m = heap_alloc(b->p2m_pages * sizeof(*b->p2m));
	if (!b->p2m)
		return false;
	for (u64 i = 0; i < b->p2m_pages; ) {
		u64 n = take_chunk(b, b->p2m_pages - i, &mfn);

		if (!n)
			return false;
		memset(mfn_to_virt(mfn), 0xff, n << PAGE_SHIFT);
		for (; n; n--, mfn.m++)
			b->p2m[i++] = mfn_to_virt(mfn);
	}
	for (u64 i = 0; i < b->p2m_pages; i++)
		p2m_set(b, b->p2m_pfn + i, virt_to_mfn(b->p2m[i]));
	return true;
}

/* Backs the pfns [pfn, end) but those of the P2M. */
static __init bool fill(struct build *b, u64 pfn, u64 end)
{
	while (pfn < end) {
		u64 stop = pfn < b->p2m_pfn ? min(end, b->p2m_pfn) : end, n;
		mfn_t mfn;

		if (pfn == b->p2m_pfn) {
			pfn += b->p2m_pages;
			continue;
		}
		n = take_chunk(b, stop - pfn, &mfn);
		if (!n)
			return false;
		for (; n; n--, mfn.m++)
			p2m_set(b, pfn++, mfn);
	}
	return true;
}

/* To domain memory from byte `at` (0 = pfn 0) on; src NULL: zeros. */
static __init void put_bytes(const struct build *b, u64 at, const u8 *src,
			     u64 len)
{
	while (len) {
		u64 off = at & ~PAGE_MASK, n = min(len, PAGE_SIZE - off);
		u8 *dst = (u8 *)pfn_virt(b, at >> PAGE_SHIFT) + off;

		if (src) {
			memcpy(dst, src, n);
			src += n;
		} else {
			memset(dst, 0, n);
		}
		at += n;
		len -= n;
	}
}

static __init void load_kernel(const struct build *b)
{
	struct image_segment s;
	unsigned int i = 0;

	while (image_segment(&b->k, &i, &s)) {
		u64 at = s.va - b->k.virt_base;

		put_bytes(b, at, s.data, s.file_size);
		put_bytes(b, at + s.file_size, NULL, s.size - s.file_size);
	}
	if (b->k.hypercall_page != IMAGE_NONE)
		hypercall_page_init(pfn_virt(b, va_to_pfn(b,
						b->k.hypercall_page)));
}

static __init void load_initrd(const struct build *b)
{
	u64 at = b->initrd_pfn << PAGE_SHIFT, len;

	if (!b->initrd)
		return;
	len = b->initrd->end - b->initrd->start;
	put_bytes(b, at, paddr_to_virt(b->initrd->start), len);
	put_bytes(b, at + len, NULL, -len & ~PAGE_MASK);
}

/* Whole pages of a module; pages it shares with others stay lost. */
static __init u64 module_pages(const struct boot_module *m)
{
	u64 start = ROUND_UP(m->start, PAGE_SIZE);
	u64 end = ROUND_DOWN(m->end, PAGE_SIZE);

	return start < end ? (end - start) >> PAGE_SHIFT : 0;
}

/* Not below 1 MiB, where a loader may have put a small one: that is Dom0's. */
static __init void module_free(const struct boot_module *m)
{
	paddr_t start = max(ROUND_UP(m->start, PAGE_SIZE), 0x100000UL);
	paddr_t end = ROUND_DOWN(m->end, PAGE_SIZE);

	if (module_pages(m) && start < end)
		pages_add(start, end);
}

/* --- page tables ----------------------------------------------------- */
/* A cleared table; returns its machine address. */
static __init paddr_t new_table(struct build *b)
{
	BUG_ON(b->next_table == b->tables_end);
	memset(pfn_virt(b, b->next_table), 0, PAGE_SIZE);
	return *p2m_slot(b, b->next_table++) << PAGE_SHIFT;
}

static __init void map_page(struct build *b, u64 *l4, u64 va, u64 pte)
{
	u64 *table = l4;

	for (unsigned int shift = L3_SHIFT; shift > PAGE_SHIFT; shift -= 9) {
		u64 *entry = &table[va >> shift & 511];

		if (!*entry)
			*entry = new_table(b) | TABLE_FLAGS;
		table = paddr_to_virt(*entry & PTE_ADDR_MASK);
	}
	table[va >> PAGE_SHIFT & 511] = pte;
}

/* Plain memory so far.  Returns the frame of the L4. */
static __init mfn_t build_tables(struct build *b)
{
	u64 first = va_to_pfn(b, b->v_pt), end = first + b->nr_pt;
	paddr_t l4;

	b->next_table = first;
	b->tables_end = end;
	l4 = new_table(b);
	for (u64 va = b->k.virt_base; va < b->v_end; va += PAGE_SIZE) {
		u64 pfn = va_to_pfn(b, va);
		u64 pte = *p2m_slot(b, pfn) << PAGE_SHIFT | LEAF_FLAGS;

		if (pfn >= first && pfn < end)
			pte &= ~PTE_RW;
		map_page(b, paddr_to_virt(l4), va, pte);
	}
	BUG_ON(b->next_table != b->tables_end);

	if (b->k.init_p2m != IMAGE_NONE) {
		b->next_table = b->p2m_pfn + b->p2m_pages;
		b->tables_end = b->next_table + b->p2m_tables;
		for (u64 i = 0; i < b->p2m_pages; i++)
			map_page(b, paddr_to_virt(l4),
				 b->v_p2m + (i << PAGE_SHIFT),
				 *p2m_slot(b, b->p2m_pfn + i) << PAGE_SHIFT |
				 LEAF_FLAGS);
		BUG_ON(b->next_table != b->tables_end);
	}
	return MFN(l4 >> PAGE_SHIFT);
}

/* The tables get their types: as base of v, and pinned. */
static __init int validate_tables(struct domain *d, struct vcpu *v, mfn_t l4)
{
	int rc;

	do
		rc = ptype_pin(d, d, l4, TYPE_L4);
	while (rc == -XEN_ERESTART);
	if (rc)
		return rc;
	do
		rc = vcpu_set_kernel_l4(v, l4);
	while (rc == -XEN_ERESTART);
	if (!rc)
		vcpu_update_cr3(v);
	return rc;
}

/* --- the kernel's letter, and its first registers -------------------- */
static __init void write_start_info(const struct build *b, const char *cmdline)
{
	struct start_info *si = pfn_virt(b, va_to_pfn(b, b->v_start_info));

	memset(si, 0, PAGE_SIZE);
	strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
	si->nr_pages = b->nr_pages;
	si->shared_info = b->d->shared_info_mfn.m << PAGE_SHIFT;
	si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
	si->pt_base = b->v_pt;
	si->nr_pt_frames = b->nr_pt;
	si->mfn_list = b->v_p2m;
	if (b->initrd) {
		si->mod_start = b->v_initrd;
		si->mod_len = b->initrd->end - b->initrd->start;
		if (b->k.mod_start_pfn) {
			si->mod_start = b->initrd_pfn;
			si->flags |= SIF_MOD_START_PFN;
		}
	}
	if (b->k.init_p2m != IMAGE_NONE) {
		si->first_p2m_pfn = b->p2m_pfn;
		si->nr_p2m_frames = b->p2m_pages + b->p2m_tables;
	}
	if (cmdline)
		strlcpy((char *)si->cmd_line, cmdline, sizeof(si->cmd_line));
	si->console.dom0.info_off = sizeof(*si);
	si->console.dom0.info_size =
		console_dom0_info(si + 1, PAGE_SIZE - sizeof(*si));
}

/* Selectors, flags, FPU and mode are as vcpu_create() left them. */
static __init void start_vcpu(const struct build *b, struct vcpu *v)
{
	v->regs.rip = b->k.entry;
	v->regs.rsp = b->v_stack + PAGE_SIZE;
	v->regs.rsi = b->v_start_info;
	for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		b->d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
	v->initialised = 1;
	atomic_and(&v->pause_flags, ~VPF_DOWN);
}

/* --- the whole ------------------------------------------------------- */
static __init const char *create_domain(struct build *b)
{
	struct domain_create c = {
		.max_vcpus = choose_vcpus(),
		.max_evtchn_port = EVTCHN_2L_PORTS - 1,
		.max_grant_frames = cmdline_u64("gnttab_max_frames", 64),
		.max_maptrack_frames =
			cmdline_u64("gnttab_max_maptrack_frames", 1024),
		.privileged = true,
	};
	bool pin = cmdline_bool("dom0_vcpus_pin") == 1;
	struct vcpu *v;

	if (domain_create(0, &c, &b->d))
		return "no memory for the domain itself";
	for (unsigned int i = 0; i < c.max_vcpus; i++) {
		v = vcpu_create(b->d, i);
		if (!v)
			return "no memory for its vCPUs";
		if (pin && cpus_online >> i & 1)
			vcpu_set_affinity(v, 1UL << i, ~0UL);
	}
	return NULL;
}

/* From files to memory; the modules are free memory afterwards. */
static __init const char *load(struct build *b,
			       const struct boot_module *kernel)
{
	b->order = MAX_ORDER;
	if (!alloc_p2m(b) || !fill(b, 0, b->fixed_pages))
		return "not enough memory to unpack and load the kernel";
	load_kernel(b);
	load_initrd(b);
	image_free(&b->k);
	module_free(kernel);
	if (b->initrd)
		module_free(b->initrd);
	b->order = MAX_ORDER;
	if (!fill(b, b->fixed_pages, b->nr_pages))
		return "the allocator has less memory than it said";
	return NULL;
}

static __init const char *check_kernel(const struct build *b)
{
	const struct kernel_image *k = &b->k;

	if (!k->dom0_capable)
		return "kernel cannot run as Dom0 (note SUPPORTED_FEATURES)";
	if (k->hypercall_page != IMAGE_NONE &&
	    (k->hypercall_page & ~PAGE_MASK || k->hypercall_page < k->start ||
	     k->hypercall_page >= k->end))
		return "kernel: note HYPERCALL_PAGE is outside of it";
	return NULL;
}

static __init const char *build(struct build *b,
				const struct boot_module *kernel)
{
	const char *err;
	u64 avail;

	err = image_unpack(paddr_to_virt(kernel->start),
			   kernel->end - kernel->start, &b->k);
	if (!err)
		err = image_parse(&b->k);
	if (!err)
		err = check_kernel(b);
	if (!err)
		err = create_domain(b);
	if (err)
		return err;
	avail = free_page_count() + (b->k.buffer_size >> PAGE_SHIFT) +
		module_pages(kernel);
	if (b->initrd)
		avail += module_pages(b->initrd);
	choose_size(b, avail);
	err = lay_out(b);
	if (err)
		return err;
	if (b->nr_pages < b->fixed_pages) {
		printk("Dom0 has %lu MiB; its kernel and initrd need %lu MiB more: see dom0_mem=\n",
		       PAGES_TO_MIB(b->nr_pages),
		       PAGES_TO_MIB(b->fixed_pages - b->nr_pages + 255));
		return "not enough memory";
	}
	return load(b, kernel);
}

/*
 * [boot 90] The first domain, from the loader's modules.  It is left paused,
 * vCPU 0 ready, the others down; the modules have become free memory.  NULL if
 * it cannot be built: one line has said why.
 */
__init struct domain *dom0_build(const struct boot_module *kernel,
				 const struct boot_module *initrd)
{
	struct build b = { .initrd = initrd };
	const char *err = build(&b, kernel);
	struct vcpu *v;

	if (!err) {
		v = b.d->vcpu[0];
		if (validate_tables(b.d, v, build_tables(&b)))
			err = "its first page tables were refused";
	}
	if (err) {
		printk("Dom0: %s\n", err);
		image_free(&b.k);
		heap_free(b.p2m);
		return NULL;
	}
	write_start_info(&b, kernel->cmdline);
	start_vcpu(&b, v);
	heap_free(b.p2m);
	printk("Dom0: %s %s kernel at %lx-%lx, entry %lx, %u vCPUs, %lu MiB\n",
	       b.k.guest_os, b.k.guest_version, b.k.start, b.k.end, b.k.entry,
	       b.d->max_vcpus, PAGES_TO_MIB(b.nr_pages));
	log_info("Dom0: start_info %lx, tables %lx (%lu), stack %lx, end %lx\n",
		 b.v_start_info, b.v_pt, b.nr_pt, b.v_stack, b.v_end);
	log_info("Dom0: initrd pfn %lx (%lu), P2M %lx pfn %lx (%lu + %lu)\n",
		 b.initrd_pfn, b.initrd_pages, b.v_p2m, b.p2m_pfn, b.p2m_pages,
		 b.p2m_tables);
	return b.d;
}

/* --- what Dom0 may touch --------------------------------------------- */
/*
 * Ports that the hypervisor drives itself or emulates (entry/emulate.c has
 * 0x61, 0x70 and 0xcf8 as Dom0 sees them).
 */
static const struct {
	u16 first, last;
} hyp_ports[] = {
	{ 0x20, 0x21 }, { 0xa0, 0xa1 },		/* interrupt controllers */
	{ 0x40, 0x43 }, { 0x61, 0x61 },		/* timer and its gate */
	{ 0x70, 0x71 },				/* clock */
	{ 0xcf8, 0xcff },			/* PCI configuration */
};

/* May d reach all `bytes` ports from `port` on natively?  Any context. */
bool ioport_permitted(const struct domain *d, u16 port, unsigned int bytes)
{
	u32 last = port + bytes - 1;

	if (!d->is_privileged || last > 0xffff)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(hyp_ports); i++)
		if (port <= hyp_ports[i].last && last >= hyp_ports[i].first)
			return false;
	if (acpi.pm_timer && port <= acpi.pm_timer + 3 && last >= acpi.pm_timer)
		return false;
	for (u32 p = port; p <= last; p++)
		if (uart_owns_port(p))
			return false;
	return true;
}

#define MSI_FIRST_MFN	0xfee00UL	/* local APICs, and where MSIs go */
#define MSI_LAST_MFN	0xfeeffUL
#define HT_FIRST_MFN	0xfd00000UL	/* AMD: reserved for HyperTransport */
#define HT_LAST_MFN	0xfffffffUL

static bool in_frame(paddr_t pa, u64 mfn)
{
	return pa && pa >> PAGE_SHIFT == mfn;
}

/* RAM as the firmware says, or memory known to be bad, touching this frame. */
static bool e820_denies(u64 mfn)
{
	paddr_t start = mfn << PAGE_SHIFT, end = start + PAGE_SIZE;

	for (unsigned int i = 0; i < boot_info.nr_map; i++) {
		const struct e820_entry *e = &boot_info.map[i];

		if (e->type == E820_RAM && e->base <= start &&
		    e->base + e->size >= end)
			return true;
		if (e->type == E820_UNUSABLE && start >= 0x100000 &&
		    e->base < end && e->base + e->size > start)
			return true;
	}
	return false;
}

/*
 * How d may map a machine frame that has no struct frame or is nobody's: the
 * device memory, tables of the firmware, and holes that are Dom0's.  Any
 * context.
 */
enum iomem_access iomem_permitted(const struct domain *d, u64 mfn)
{
	if (!d->is_privileged || mfn >> (boot_cpu.phys_bits - PAGE_SHIFT))
		return IOMEM_NONE;
	if ((mfn >= MSI_FIRST_MFN && mfn <= MSI_LAST_MFN) ||
	    in_frame(acpi.lapic, mfn))
		return IOMEM_NONE;
	if (boot_cpu.amd && mfn >= HT_FIRST_MFN && mfn <= HT_LAST_MFN)
		return IOMEM_NONE;
	if (e820_denies(mfn))
		return IOMEM_NONE;
	if (ioapic_address_reserved(mfn << PAGE_SHIFT) ||
	    in_frame(acpi.hpet, mfn) || msix_page_protected(mfn))
		return IOMEM_RO;
	return IOMEM_RW;
}
