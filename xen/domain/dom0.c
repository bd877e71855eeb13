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
 * While it is built its P2M is an array of ours, copied at the end.
 *
 * Runs at boot on one CPU, takes no lock.  The only input is the boot loader's
 * modules and command line: what is wrong with them is told in one line.
 * Deliberately not done: Dom0's memory behind what has a purpose is not
 * cleared (no guest had it before), and holes in the machine's memory map are
 * Linux's own affair.
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
#define L3_SHIFT	39
/* Left to the hypervisor whatever dom0_mem says. */
#define HYP_RESERVE	(8UL << (20 - PAGE_SHIFT))
/* 512 GiB: its P2M is one block of pages while it is built. */
#define DOM0_MAX_PAGES	(1UL << (MAX_ORDER + 9))
#define PAGES_TO_MIB(n)	((n) >> (20 - PAGE_SHIFT))

struct build {
	struct domain *d;
	struct kernel_image k;
	const struct boot_module *initrd;	/* or NULL */
	u64 initrd_len;
	u64 nr_pages;

	/* virtual addresses */
	u64 base, v_initrd, v_p2m, v_start_info, v_pt, v_stack, v_end;
	u64 nr_pt;		/* tables from v_pt on, the top level first */

	/* pfns */
	u64 initrd_pfn, p2m_pfn, p2m_pages, p2m_tables;
	u64 fixed_pages;	/* up to here every pfn has a purpose */
	u64 next_table;		/* for page tables, cleared */

	u64 *p2m;		/* mfns by pfn, in pages of ours */
};

/* --- how large, how many --------------------------------------------- */
/*
 * The domain's size from what is free and dom0_mem=SIZE,min:SIZE,max:SIZE in
 * any order; a negative size is what to leave.
 */
static __init void choose_size(struct build *b, u64 avail)
{
	u64 spare = min(avail / 16, 128UL << (20 - PAGE_SHIFT)), want;
	u64 size[] = { avail - spare, 0, (u32)~0U };	/* wanted, min, max */
	const char *s = cmdline_get("dom0_mem"), *end;

	for (; s && *s; s = end + (*end == ',')) {
		unsigned int which = !strncmp(s, "min:", 4) ? 1 :
				     !strncmp(s, "max:", 4) ? 2 : 0;
		const char *num = which ? s + 4 : s;
		bool minus = *num == '-';
		u64 pages = parse_size(num + minus, &end) >> PAGE_SHIFT;

		if (end == num + minus || (*end && *end != ',')) {
			log_warn("dom0_mem: cannot understand \"%s\"\n", s);
			break;
		}
		size[which] = minus ? avail - min(pages, avail) : pages;
	}
	want = max(size[0], size[1]);
	want = min(want, size[2]);
	want = min(want, DOM0_MAX_PAGES);
	avail -= min(avail, HYP_RESERVE + avail / 256);	/* and its P2M */
	b->nr_pages = min(want, avail);
	if (b->nr_pages < want)
		printk("Dom0 gets %lu MiB, %lu MiB less than asked for: no more memory is free\n",
		       PAGES_TO_MIB(b->nr_pages),
		       PAGES_TO_MIB(want - b->nr_pages + 255));
	b->d->max_pages = max(b->nr_pages, size[2]);
}

/* --- where everything goes ------------------------------------------- */
static __init u64 va_to_pfn(const struct build *b, u64 va)
{
	return (va - b->base) >> PAGE_SHIFT;
}

/* Page tables below the top level that [start, end) needs. */
static __init u64 tables_below_l4(u64 start, u64 end)
{
	u64 n = 0;

	for (unsigned int shift = L1_SHIFT; shift <= L3_SHIFT; shift += 9)
		n += ((end - 1) >> shift) - (start >> shift) + 1;
	return n;
}

/* Canonical, no wrap, outside the hypervisor's slots. */
static __init bool range_ok(u64 start, u64 end)
{
	return start < end && guest_range_ok(start, end - start) &&
	       va_canonical(start) && va_canonical(end - 1);
}

/* Everything, for a domain of b->nr_pages.  NULL or what is wrong. */
static __init const char *lay_out(struct build *b)
{
	u64 va = ROUND_UP(b->k.end, PAGE_SIZE), p2m_end;
	u64 initrd_pages = DIV_ROUND_UP(b->initrd_len, PAGE_SIZE);
	bool initrd_mapped = !(b->k.note[XEN_ELFNOTE_MOD_START_PFN] & 1);

	b->base = b->k.note[XEN_ELFNOTE_VIRT_BASE];
	b->p2m_pages = DIV_ROUND_UP(max(b->nr_pages, 1UL) * 8, PAGE_SIZE);
	b->initrd_pfn = va_to_pfn(b, va);
	b->v_initrd = va;
	if (initrd_mapped)
		va += initrd_pages << PAGE_SHIFT;
	b->p2m_pfn = va_to_pfn(b, va);
	b->v_p2m = va;
	if (HAS_NOTE(&b->k, INIT_P2M))
		b->v_p2m = b->k.note[XEN_ELFNOTE_INIT_P2M];
	else
		va += b->p2m_pages << PAGE_SHIFT;
	b->v_start_info = va;
	b->v_pt = va + PAGE_SIZE;
	do {	/* the tables have to map themselves, too */
		b->nr_pt++;
		b->v_stack = b->v_pt + (b->nr_pt << PAGE_SHIFT);
		b->v_end = ROUND_UP(b->v_stack + PAGE_SIZE + MIN_SLACK,
				    MAP_ROUND);
	} while (b->nr_pt < 1 + tables_below_l4(b->base, b->v_end));
	if (!range_ok(b->base, b->v_end))
		return "kernel: note VIRT_BASE is no guest address";
	b->fixed_pages = va_to_pfn(b, b->v_end);

	/* Behind the first mapping: what notes take out of it. */
	if (!initrd_mapped) {
		b->initrd_pfn = b->fixed_pages;
		b->fixed_pages += initrd_pages;
	}
	if (HAS_NOTE(&b->k, INIT_P2M)) {
		p2m_end = b->v_p2m + (b->p2m_pages << PAGE_SHIFT);
		if (!range_ok(b->v_p2m, p2m_end) ||
		    (b->v_p2m >> L3_SHIFT <= (b->v_end - 1) >> L3_SHIFT &&
		     (p2m_end - 1) >> L3_SHIFT >= b->base >> L3_SHIFT))
			return "kernel: note INIT_P2M is no slot of its own";
		b->p2m_pfn = b->fixed_pages;
		b->p2m_tables = tables_below_l4(b->v_p2m, p2m_end);
		b->fixed_pages += b->p2m_pages + b->p2m_tables;
	}
	if (b->nr_pages >= b->fixed_pages)
		return NULL;
	printk("Dom0 has %lu MiB; its kernel and initrd need %lu MiB more: see dom0_mem=\n",
	       PAGES_TO_MIB(b->nr_pages),
	       PAGES_TO_MIB(b->fixed_pages - b->nr_pages + 255));
	return "not enough memory";
}

/* --- memory ---------------------------------------------------------- */
static __init void *pfn_virt(const struct build *b, u64 pfn)
{
	return mfn_to_virt(MFN(b->p2m[pfn]));
}

/* Backs the pfns [pfn, end), in the largest chunks that are to be had.
 * flags 0: cleared. */
static __init bool fill(struct build *b, u64 pfn, u64 end, u32 flags)
{
	unsigned int order = MAX_ORDER;
	struct frame *f;

	while (pfn < end) {
		order = min(order, fls64(end - pfn));
		f = alloc_domain_pages(b->d, order, flags, pfn);
		if (!f && !order--)
			return false;
		for (u64 i = 0; f && i < 1UL << order; i++)
			b->p2m[pfn++] = frame_to_mfn(f).m + i;
	}
	return true;
}

/* To domain memory from byte `at` (0 = pfn 0) on. */
static __init void put_bytes(const struct build *b, u64 at, const void *src,
			     u64 len)
{
	for (u64 n; len; at += n, src += n, len -= n) {
		n = min(len, PAGE_SIZE - (at & ~PAGE_MASK));
		memcpy(pfn_virt(b, at >> PAGE_SHIFT) + (at & ~PAGE_MASK), src,
		       n);
	}
}

/* Whole pages of a module become free: none below 1 MiB, which is Dom0's,
 * and none that it shares with others.  How many: also before. */
static __init u64 module_pages(const struct boot_module *m, bool give)
{
	paddr_t start = max(ROUND_UP(m->start, PAGE_SIZE), 0x100000UL);
	paddr_t end = max(ROUND_DOWN(m->end, PAGE_SIZE), start);

	if (give && start < end)
		pages_add(start, end);
	return (end - start) >> PAGE_SHIFT;
}

/* From files to memory; the modules are free memory afterwards. */
static __init const char *load(struct build *b,
			       const struct boot_module *kernel)
{
	struct kernel_image *k = &b->k;

	b->p2m = heap_alloc(b->p2m_pages << PAGE_SHIFT);
	if (!b->p2m || !fill(b, 0, b->fixed_pages, 0))
		return "not enough memory to unpack and load the kernel";
	memset(b->p2m + b->fixed_pages, 0xff,
	       (b->p2m_pages << PAGE_SHIFT) - b->fixed_pages * 8);
	for (const struct elf_segment *s = k->seg; s < k->seg + k->nr_seg; s++)
		if (s->type == ELF_LOAD && s->memsz)
			put_bytes(b, image_va(k, s->paddr) - b->base,
				  k->elf + s->offset, s->filesz);
	if (HAS_NOTE(k, HYPERCALL_PAGE))
		hypercall_page_init(pfn_virt(b, va_to_pfn(b,
				k->note[XEN_ELFNOTE_HYPERCALL_PAGE])));
	if (b->initrd) {
		put_bytes(b, b->initrd_pfn << PAGE_SHIFT,
			  paddr_to_virt(b->initrd->start), b->initrd_len);
		module_pages(b->initrd, true);
	}
	printk("Dom0: %s %s kernel at %lx-%lx, entry %lx, %u vCPUs, %lu MiB\n",
	       k->text[XEN_ELFNOTE_GUEST_OS],
	       k->text[XEN_ELFNOTE_GUEST_VERSION], k->start, k->end,
	       k->note[XEN_ELFNOTE_ENTRY], b->d->max_vcpus,
	       PAGES_TO_MIB(b->nr_pages));
	heap_free(k->buffer);
	module_pages(kernel, true);
	if (!fill(b, b->fixed_pages, b->nr_pages, ALLOC_NOSCRUB))
		return "the allocator has less memory than it said";
	put_bytes(b, b->p2m_pfn << PAGE_SHIFT, b->p2m,
		  b->p2m_pages << PAGE_SHIFT);
	return NULL;
}

/* --- page tables ----------------------------------------------------- */
/*
 * Maps pfns from `pfn` on, the first mapping's tables read-only.  Its first
 * table is the L4; the others come from b->next_table.
 */
static __init void map_range(struct build *b, u64 va, u64 end, u64 pfn)
{
	u64 first = va_to_pfn(b, b->v_pt);

	for (; va < end; va += PAGE_SIZE, pfn++) {
		u64 *table = pfn_virt(b, first);

		for (unsigned int shift = L3_SHIFT; shift > PAGE_SHIFT;
		     shift -= 9) {
			u64 *e = &table[va >> shift & 511];

			if (!*e)
				*e = b->p2m[b->next_table++] << PAGE_SHIFT |
				     TABLE_FLAGS;
			table = paddr_to_virt(*e & PTE_ADDR_MASK);
		}
		table[va >> PAGE_SHIFT & 511] =
			b->p2m[pfn] << PAGE_SHIFT |
			(pfn - first < b->nr_pt ? LEAF_FLAGS & ~PTE_RW
						: LEAF_FLAGS);
	}
}

/* Plain memory, then checked like any guest's: base of v, and pinned. */
static __init const char *build_tables(struct build *b, struct vcpu *v)
{
	u64 first = va_to_pfn(b, b->v_pt);
	mfn_t l4 = MFN(b->p2m[first]);
	int rc;

	b->next_table = first + 1;
	map_range(b, b->base, b->v_end, 0);
	BUG_ON(b->next_table != first + b->nr_pt);
	if (b->p2m_tables) {
		b->next_table = b->p2m_pfn + b->p2m_pages;
		map_range(b, b->v_p2m, b->v_p2m + (b->p2m_pages << PAGE_SHIFT),
			  b->p2m_pfn);
		BUG_ON(b->next_table != b->fixed_pages);
	}
	do
		rc = ptype_pin(b->d, l4, TYPE_L4);
	while (rc == -XEN_ERESTART);
	/* It is valid by now: one more reference does not take long. */
	if (rc || vcpu_set_kernel_l4(v, l4))
		return "its first page tables were refused";
	return NULL;
}

/* --- the whole ------------------------------------------------------- */
/* The kernel's letter, on its start_info page. */
static __init void write_start_info(const struct build *b, const char *cmdline)
{
	struct start_info *si = pfn_virt(b, va_to_pfn(b, b->v_start_info));

	strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
	si->nr_pages = b->nr_pages;
	si->shared_info = virt_to_paddr(b->d->shared_info);
	si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
	si->pt_base = b->v_pt;
	si->nr_pt_frames = b->nr_pt;
	si->mfn_list = b->v_p2m;
	if (b->initrd) {
		bool as_pfn = b->k.note[XEN_ELFNOTE_MOD_START_PFN] & 1;

		si->mod_start = as_pfn ? b->initrd_pfn : b->v_initrd;
		si->mod_len = b->initrd_len;
		si->flags |= as_pfn ? SIF_MOD_START_PFN : 0;
	}
	if (b->p2m_tables) {
		si->first_p2m_pfn = b->p2m_pfn;
		si->nr_p2m_frames = b->p2m_pages + b->p2m_tables;
	}
	strlcpy((char *)si->cmd_line, cmdline, sizeof(si->cmd_line));
	si->console.dom0.info_off = sizeof(*si);
	si->console.dom0.info_size = console_dom0_info((void *)(si + 1));
}

static __init const char *build(struct build *b,
				const struct boot_module *kernel)
{
	struct xen_domctl_createdomain c = {
		.max_vcpus = cmdline_u64("dom0_max_vcpus", nr_online),
		.max_evtchn_port = EVTCHN_2L_PORTS - 1,
		.max_grant_frames = ~0U, .max_maptrack_frames = ~0U,
	};
	bool pin = cmdline_bool("dom0_vcpus_pin") == 1;
	/* By when its size counts, what is used till then is free again. */
	u64 avail = free_page_count() + module_pages(kernel, false) +
		    (b->initrd ? module_pages(b->initrd, false) : 0);
	const char *err = image_unpack(paddr_to_virt(kernel->start),
				       kernel->end - kernel->start, &b->k);
	struct vcpu *v;

	c.max_vcpus = min(c.max_vcpus, (u32)MAX_VCPUS);
	c.max_vcpus += !c.max_vcpus;
	err = err ? err : image_parse(&b->k);
	if (err)
		return err;
	if (domain_create(0, &c, &b->d))
		return "no memory for the domain itself";
	for (unsigned int i = 0; i < c.max_vcpus; i++) {
		v = vcpu_create(b->d, i);
		if (!v)
			return "no memory for its vCPUs";
		if (pin && cpus_online >> i & 1)
			vcpu_set_affinity(v, 1UL << i, ~0UL);
	}
	choose_size(b, avail);
	v = b->d->vcpu[0];
	err = lay_out(b);
	err = err ? err : load(b, kernel);
	err = err ? err : build_tables(b, v);
	if (err)
		return err;
	write_start_info(b, kernel->cmdline);
	heap_free(b->p2m);

	/* Selectors, flags, FPU and mode are as vcpu_create() left them. */
	v->regs.rip = b->k.note[XEN_ELFNOTE_ENTRY];
	v->regs.rsp = b->v_stack + PAGE_SIZE;
	v->regs.rsi = b->v_start_info;
	v->initialised = 1;
	atomic_and(&v->pause_flags, ~VPF_DOWN);
	return NULL;
}

/*
 * [boot 90] The first domain, from the loader's modules.  It is left paused,
 * vCPU 0 ready, the others down; the modules have become free memory.  NULL if
 * it cannot be built: one line has said why, and nothing is given back.
 */
__init struct domain *dom0_build(const struct boot_module *kernel,
				 const struct boot_module *initrd)
{
	struct build b = {
		.initrd = initrd,
		.initrd_len = initrd ? initrd->end - initrd->start : 0,
	};
	const char *err = build(&b, kernel);

	if (err)
		printk("Dom0: %s\n", err);
	return err ? NULL : b.d;
}

/* --- what Dom0 may touch --------------------------------------------- */
/*
 * Ports that the hypervisor drives itself (entry/emulate.c has 0xcf8 as Dom0
 * sees it).  The timer chip and the CMOS clock are Dom0's: we read the clock
 * once, before it runs, and no line of the timer is ever unmasked.
 */
static const struct {
	u16 first, last;
} hyp_ports[] = {
	{ 0x20, 0x21 }, { 0xa0, 0xa1 },		/* interrupt controllers */
	{ 0xcf8, 0xcff },			/* PCI configuration */
};

/* May d reach all `bytes` ports from `port` on natively?  Any context. */
bool ioport_permitted(const struct domain *d, u16 port, unsigned int bytes)
{
	u32 last = port + bytes - 1;

	if (!d->is_privileged || last > 0xffff ||
	    (acpi.pm_timer && port <= acpi.pm_timer + 3 &&
	     last >= acpi.pm_timer))
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(hyp_ports); i++)
		if (port <= hyp_ports[i].last && last >= hyp_ports[i].first)
			return false;
	return !uart_owns_port(port, last);
}

#define MSI_MIB		0xfeeUL		/* local APICs, and where MSIs go */
#define HT_FIRST_MFN	0xfd00000UL	/* AMD: reserved for HyperTransport, */
#define HT_END_MFN	0x10000000UL	/* up to 1 TiB */

/*
 * How d may map a machine frame that has no struct frame or is nobody's: the
 * device memory, tables of the firmware, and holes that are Dom0's.  RAM as
 * the firmware says is refused, and memory known to be bad.  Any context.
 */
enum iomem_access iomem_permitted(const struct domain *d, u64 mfn)
{
	paddr_t start = mfn << PAGE_SHIFT, end = start + PAGE_SIZE;
	const struct e820_entry *e = boot_info.map;

	if (!d->is_privileged || mfn >> (boot_cpu.phys_bits - PAGE_SHIFT) ||
	    start >> 20 == MSI_MIB ||
	    (boot_cpu.amd && mfn >= HT_FIRST_MFN && mfn < HT_END_MFN))
		return IOMEM_NONE;
	for (; e < boot_info.map + boot_info.nr_map; e++)
		if ((e->type == E820_RAM && e->base <= start &&
		     e->base + e->size >= end) ||
		    (e->type == E820_UNUSABLE && start >= 0x100000 &&
		     e->base < end && e->base + e->size > start))
			return IOMEM_NONE;
	if (ioapic_address_reserved(start) || msix_page_protected(mfn))
		return IOMEM_RO;
	return IOMEM_RW;
}
