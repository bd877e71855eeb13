/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first domain as dom0.c builds it from an ELF file, checked with a walk
 * through its page tables: every page is where the ABI wants it, page tables
 * are read-only, P2M and M2P agree, kernel, initrd and start_info are there.
 * Then kernels that are damaged: each must be refused or be loadable within
 * its bounds (address sanitizer).
 *
 * With KERNEL=bzImage in the environment a real kernel is built as well.
 */
#include "test.h"
#include <sys/mman.h>
#include <domain/domain.h>
#include <domain/image.h>
#include <boot/boot.h>
#include <dev/dev.h>
#include <hypercall-abi/elfnote.h>

#define RAM_PAGES	(1UL << 18)	/* 1 GiB */

/* --- the machine ---------------------------------------------------------- */

struct boot_info boot_info;
struct acpi_info acpi = { .pm_timer = 0x608 };
struct cpu_info boot_cpu = { .phys_bits = 40 };
cpumask_t cpus_online = 0xf;
unsigned int nr_online = 4;
static const char *opt_mem, *opt_vcpus;
static u64 m2p[RAM_PAGES];
static u64 next_free, pages_given, domain_pages;
static struct domain dom;
static struct vcpu vcpus[MAX_VCPUS];
static mfn_t pinned, loaded;
static bool show;
static unsigned int max_order = 9;

void log_at(int level, const char *fmt, ...)
{
	va_list ap;

	if (!show || level != LOG_ALWAYS)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void panic(const char *fmt, ...)
{
	printf("panic: %s\n", fmt);
	abort();
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	snprintf(dst, size, "%s", src);
	return strlen(src);
}

u64 parse_size(const char *s, const char **end)
{
	char *e;
	u64 v = strtoul(s, &e, 0);

	if (*e == 'M')
		v <<= 20, e++;
	else if (*e == 'G')
		v <<= 30, e++;
	else
		v <<= 10;
	*end = e;
	return v;
}

u64 xen_strtoull(const char *s, const char **end, int base)
{
	return strtoul(s, (char **)end, base);
}

const char *cmdline_get(const char *name)
{
	return !strcmp(name, "dom0_mem") ? opt_mem :
	       !strcmp(name, "dom0_max_vcpus") ? opt_vcpus : NULL;
}

int cmdline_bool(const char *name)
{
	return -1;
}

u64 cmdline_u64(const char *name, u64 dflt)
{
	return !strcmp(name, "dom0_max_vcpus") && opt_vcpus ?
	       strtoul(opt_vcpus, NULL, 0) : dflt;
}

/* Ascending, aligned, never reused; dirty where zero was not promised. */
static u64 take(unsigned int order, u32 flags)
{
	u64 n = 1UL << order, at = ROUND_UP(next_free, n);

	if (at + n > RAM_PAGES)
		return 0;
	next_free = at + n;
	memset(mfn_to_virt(MFN(at)), flags & ALLOC_NOSCRUB ? 0xa5 : 0,
	       n << PAGE_SHIFT);
	return at;
}

void *alloc_pages(unsigned int order, u32 flags)
{
	u64 at = take(order, flags);

	return at ? mfn_to_virt(MFN(at)) : NULL;
}

static u8 heap_order[RAM_PAGES];

void *heap_alloc(size_t size)
{
	unsigned int order = 0;
	void *p;

	while (PAGE_SIZE << order < size)
		order++;
	p = alloc_pages(order, 0);
	if (p)
		heap_order[virt_to_mfn(p).m] = order;
	return p;
}

void heap_free(void *p)
{
	if (p)
		pages_given += 1UL << heap_order[virt_to_mfn(p).m];
}

void free_pages(void *p, unsigned int order)
{
	CHECK_EQ(virt_to_mfn(p).m & ((1UL << order) - 1), 0);
	pages_given += 1UL << order;
}

void pages_add(paddr_t start, paddr_t end)
{
	pages_given += (end - start) >> PAGE_SHIFT;
}

u64 free_page_count(void)
{
	return RAM_PAGES - next_free;
}

struct frame *alloc_domain_pages(struct domain *d, unsigned int order,
				 u32 flags, u64 pfn)
{
	u64 at;

	/* Memory in pieces: other chunk sizes than the domain would like. */
	if (order > max_order || domain_pages + (1UL << order) > d->max_pages)
		return NULL;
	at = take(order, flags);
	if (!at)
		return NULL;
	next_free += max_order && at % 3 == 0;
	domain_pages += 1UL << order;
	for (u64 i = 0; i < 1UL << order; i++)
		m2p_set(MFN(at + i), pfn + i);
	return mfn_to_frame(MFN(at));
}

void m2p_set(mfn_t mfn, u64 pfn)
{
	CHECK(mfn.m < RAM_PAGES);
	CHECK_EQ(m2p[mfn.m], 0);	/* no frame twice; pfn 0 aside */
	m2p[mfn.m] = pfn;
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *c,
		  struct domain **out)
{
	memset(&dom, 0, sizeof(dom));
	dom.id = id;
	dom.is_privileged = !id;
	dom.max_vcpus = c->max_vcpus;
	dom.shared_info = alloc_pages(0, 0);
	for (int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		dom.shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
	*out = &dom;
	return 0;
}

struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v = &vcpus[id];

	memset(v, 0, sizeof(*v));
	v->domain = d;
	v->id = id;
	v->pause_flags = VPF_DOWN;
	v->in_kernel = 1;
	return d->vcpu[id] = v;
}

int vcpu_set_affinity(struct vcpu *v, cpumask_t hard, cpumask_t soft)
{
	return 0;
}

int ptype_pin(struct domain *owner, mfn_t mfn, u64 type)
{
	CHECK_EQ(type, TYPE_L4);
	if (!pinned.m && next_free & 1)
		return next_free++, -XEN_ERESTART;
	pinned = mfn;
	return 0;
}

int vcpu_set_kernel_l4(struct vcpu *v, mfn_t l4)
{
	loaded = l4;
	return 0;
}

void vcpu_update_cr3(struct vcpu *v)
{
}

void hypercall_page_init(void *page)
{
	memset(page, 0xcc, PAGE_SIZE);
}

size_t console_dom0_info(struct dom0_vga_console_info *info)
{
	memset(info, 3, 40);
	return 40;
}

bool uart_owns_port(u32 first, u32 last)
{
	return last >= 0x3f8 && first <= 0x3ff;
}

bool ioapic_address_reserved(paddr_t pa)
{
	return pa == 0xfec00000;
}

bool msix_page_protected(u64 mfn)
{
	return mfn == 0xf0000;
}

/* --- kernels -------------------------------------------------------------- */

static u8 file[0x9000];
static size_t file_len;

static u8 *add_note(u8 *p, u32 type, const void *desc, u32 n)
{
	u32 head[3] = { 4, n, type };

	memcpy(p, head, 12);
	memcpy(p + 12, "Xen", 4);
	memcpy(p + 16, desc, n);
	return p + 16 + ROUND_UP(n, 4U);
}

static u8 *note_u64(u8 *p, u32 type, u64 v)
{
	return add_note(p, type, &v, 8);
}

#define BASE	0xffffffff80000000UL
#define WITH_P2M	1
#define WITH_MOD_PFN	2
#define WITH_HYPERCALLS	4

/* Two segments (the second by paddr only, with a tail of zeros) and notes. */
static void make_kernel(unsigned int with)
{
	static const u8 ident[16] = "\177ELF\2\1\1";
	u64 seg[3][7] = {
		{ 1 | 7UL << 32, 0x1000, BASE + 0x100000, 0x100000, 0x3000,
		  0x3000, 0x1000 },
		{ 1 | 7UL << 32, 0x4000, 0, 0x107123, 0x4001, 0x9000, 0x1000 },
		{ 4, 0x200, 0, 0, 0, 0, 4 },
	};
	u16 tail[6] = { 64, 56, 3, 0, 0, 0 };
	u16 kind[2] = { 2, 62 };
	u64 addr[3] = { 0x100000, 64, 0 };
	u8 *p = file + 0x200;

	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = i * 7 + (i >> 8);
	file_len = 0x8001;
	memset(file, 0, 0x1000);
	memcpy(file, ident, 16);
	memcpy(file + 16, kind, 4);
	memcpy(file + 24, addr, 24);
	memcpy(file + 52, tail, 12);
	p = note_u64(p, XEN_ELFNOTE_ENTRY, BASE + 0x100040);
	p = note_u64(p, XEN_ELFNOTE_VIRT_BASE, BASE);
	p = note_u64(p, XEN_ELFNOTE_PADDR_OFFSET, 0);
	p = add_note(p, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
	p = add_note(p, XEN_ELFNOTE_GUEST_OS, "test", 5);
	p = add_note(p, XEN_ELFNOTE_FEATURES,
		     "!writable_page_tables|pae_pgdir_above_4gb", 42);
	p = add_note(p, XEN_ELFNOTE_SUPPORTED_FEATURES, "\1\x88\0", 4);
	if (with & WITH_P2M)
		p = note_u64(p, XEN_ELFNOTE_INIT_P2M, 0x8000000000);
	if (with & WITH_MOD_PFN)
		p = add_note(p, XEN_ELFNOTE_MOD_START_PFN, "\1\0\0", 4);
	if (with & WITH_HYPERCALLS)
		p = note_u64(p, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x101000);
	seg[2][4] = seg[2][5] = p - file - 0x200;
	memcpy(file + 64, seg, sizeof(seg));
}

static void reset(void)
{
	memset(m2p, 0, sizeof(m2p));
	next_free = 0x4000;
	pages_given = domain_pages = 0;
	pinned = loaded = MFN(0);
	opt_mem = "128M";
	opt_vcpus = NULL;
}

/* A module in low RAM, below what take() hands out. */
static struct boot_module module(u64 mfn, const void *data, size_t len)
{
	struct boot_module m = { mfn << PAGE_SHIFT, (mfn << PAGE_SHIFT) + len,
				 "root=/dev/x quiet" };

	memcpy(paddr_to_virt(m.start), data, len);
	return m;
}

/* --- looking at what was built ------------------------------------------- */

/* Leaf entry for va, 0 if there is none. */
static u64 walk(u64 va)
{
	u64 e = pinned.m << PAGE_SHIFT | 0x67;

	for (int shift = 39; shift >= 12; shift -= 9) {
		if ((e & 0x67) != 0x67)
			return 0;
		e = ((u64 *)paddr_to_virt(e & PTE_ADDR_MASK))[va >> shift & 511];
		if (!e)
			return 0;
	}
	return e;
}

static u8 *at(u64 va)
{
	u64 e = walk(va);

	return e ? (u8 *)paddr_to_virt(e & PTE_ADDR_MASK) + (va & 4095) : NULL;
}

static bool same(u64 va, const u8 *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		u8 *p = at(va + i);

		if (!p || *p != (data ? data[i] : 0))
			return false;
	}
	return true;
}

/* Everything that holds for any domain, whatever its notes. */
static struct start_info *check_domain(struct domain *d)
{
	struct vcpu *v = d->vcpu[0];
	u64 va, si_va = v->regs.rsi;
	struct start_info *si = (void *)at(si_va);
	u64 *p2m, wrong = 0, pfn;

	CHECK_EQ(pinned.m, loaded.m);
	CHECK_EQ(v->pause_flags, 0);
	CHECK(si != NULL);
	CHECK(!strncmp(si->magic, "xen-3", 5));
	CHECK_EQ(si->nr_pages, domain_pages);
	CHECK_EQ(si->shared_info, virt_to_mfn(d->shared_info).m << 12);
	CHECK_EQ(si->pt_base, si_va + 4096);
	CHECK_EQ(v->regs.rsp, si->pt_base + (si->nr_pt_frames + 1) * 4096);
	CHECK_EQ(virt_to_mfn(at(si->pt_base)).m, pinned.m);
	CHECK(!strcmp((char *)si->cmd_line, "root=/dev/x quiet"));
	CHECK_EQ(si->console.dom0.info_off, 1168);
	CHECK_EQ(si->console.dom0.info_size, 40);
	CHECK_EQ(((u8 *)si)[1168], 3);
	CHECK_EQ(d->shared_info->vcpu_info[31].evtchn_upcall_mask, 1);

	for (va = BASE; walk(va); va += 4096) {
		bool ro = va >= si->pt_base &&
			  va < si->pt_base + si->nr_pt_frames * 4096;
		u64 e = walk(va), mfn = (e & PTE_ADDR_MASK) >> 12;

		pfn = (va - BASE) >> 12;
		wrong += (e & ~PTE_ADDR_MASK) !=
			 (0x25UL | (ro ? 0 : 2) | 1UL << 52);
		wrong += m2p[mfn] != pfn;
		wrong += *(u64 *)at(si->mfn_list + pfn * 8) != mfn;
	}
	CHECK_EQ(va & 0x3fffff, 0);
	CHECK(va - v->regs.rsp >= 512 << 10 && va - v->regs.rsp < 5 << 20);
	for (pfn = 0; pfn < si->nr_pages; pfn++) {
		p2m = (u64 *)at(si->mfn_list + pfn * 8);
		wrong += !p2m || m2p[*p2m] != pfn;
	}
	CHECK_EQ(wrong, 0);
	return si;
}

static void *pfn_at(struct start_info *si, u64 pfn)
{
	return mfn_to_virt(MFN(*(u64 *)at(si->mfn_list + pfn * 8)));
}

static void small_kernels(void)
{
	static u8 initrd[9999];

	for (size_t i = 0; i < sizeof(initrd); i++)
		initrd[i] = i * 3;
	for (unsigned int with = 0; with < 16; with++) {
		struct boot_module k, m;
		struct start_info *si;
		struct domain *d;
		bool has = with & 8;

		make_kernel(with);
		reset();
		k = module(0x1000, file, file_len);
		m = module(0x2000, initrd, sizeof(initrd));
		d = dom0_build(&k, has ? &m : NULL);
		CHECK(d != NULL);
		if (!d)
			return;
		si = check_domain(d);
		CHECK_EQ(domain_pages, 128 << 8);
		CHECK_EQ(d->vcpu[0]->regs.rip, BASE + 0x100040);
		CHECK_EQ(d->max_vcpus, 4);
		CHECK_EQ(d->vcpu[3]->pause_flags, VPF_DOWN);
		if (with & WITH_HYPERCALLS) {
			CHECK_EQ(*at(BASE + 0x101000), 0xcc);
			CHECK_EQ(*at(BASE + 0x101fff), 0xcc);
		} else {
			CHECK(same(BASE + 0x100000, file + 0x1000, 0x3000));
		}
		CHECK(same(BASE + 0x107123, file + 0x4000, 0x4001));
		CHECK(same(BASE + 0x107123 + 0x4001, NULL, 0x9000 - 0x4001));
		/* Modules, and the P2M as it was built. */
		CHECK_EQ(pages_given, 8 + (has ? 2 : 0) + 64);
		CHECK_EQ(si->mfn_list == 0x8000000000, with & WITH_P2M);
		if (with & WITH_P2M) {
			CHECK_EQ(si->nr_p2m_frames, 64 + 3);
			CHECK_EQ(virt_to_mfn(at(0x8000000000)).m,
				 virt_to_mfn(pfn_at(si, si->first_p2m_pfn)).m);
		}
		CHECK_EQ(si->flags, has && with & WITH_MOD_PFN ? 11 : 3);
		CHECK_EQ(si->mod_len, has ? 9999 : 0);
		if (has && with & WITH_MOD_PFN) {
			CHECK(!memcmp(pfn_at(si, si->mod_start), initrd, 4096));
			CHECK(!memcmp(pfn_at(si, si->mod_start + 2),
				      initrd + 8192, 9999 - 8192));
		} else if (has) {
			CHECK(same(si->mod_start, initrd, sizeof(initrd)));
		}
	}
}

static struct domain *build_with(const char *mem, const char *nr_vcpus)
{
	struct boot_module k;

	make_kernel(3);
	reset();
	opt_mem = mem;
	opt_vcpus = nr_vcpus;
	k = module(0x1000, file, file_len);
	return dom0_build(&k, NULL);
}

static void sizes(void)
{
	static const struct {
		const char *opt;
		u64 pages, max;
	} t[] = {
		{ "200M", 51200, 0xffffffff },
		{ "204800", 51200, 0xffffffff },
		{ "200M,max:300M", 51200, 76800 },
		{ "max:300M,200M", 51200, 76800 },
		{ "min:256M,max:300M,10M", 65536, 76800 },
		{ "max:300M", 76800, 76800 },
		{ "64M,nonsense", 16384, 0xffffffff },
	};
	struct domain *d;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		d = build_with(t[i].opt, NULL);
		CHECK(d != NULL);
		if (!d)
			continue;
		CHECK_EQ(domain_pages, t[i].pages);
		CHECK_EQ(d->max_pages, t[i].max);
	}
	max_order = 0;		/* all of memory can be had, page by page */
	CHECK(build_with(NULL, "2") != NULL);
	CHECK(domain_pages > RAM_PAGES * 8 / 10);
	CHECK_EQ(dom.max_vcpus, 2);
	max_order = 9;
	CHECK(build_with("-500M", "8") != NULL);
	CHECK_EQ(dom.max_vcpus, 8);
	CHECK(domain_pages > 110000 && domain_pages < 131072);
	CHECK(build_with("64M", "100000") != NULL);
	CHECK_EQ(dom.max_vcpus, MAX_VCPUS);
	CHECK(build_with("64M", "0") != NULL);
	CHECK_EQ(dom.max_vcpus, 1);
	CHECK(!build_with("3M", NULL));
	CHECK(!build_with("0", NULL));
}

static void refused(void)
{
	struct kernel_image k;
	struct boot_module m;

	make_kernel(3);
	CHECK(!image_unpack(file, file_len, &k) && !image_parse(&k));
	memcpy(file + 0x20c, "Foo", 4);		/* the first note, ENTRY */
	CHECK(!image_unpack(file, file_len, &k) && image_parse(&k));
	CHECK(image_unpack(file, 10, &k) != NULL);
	make_kernel(3);
	file[18] = 3;				/* another machine */
	CHECK(!image_unpack(file, file_len, &k) && image_parse(&k));
	CHECK(image_unpack((const u8 *)"no kernel, but long enough to be one..."
			   "......................................", 77, &k));
	reset();
	m = module(0x1000, file, 100);
	CHECK(!dom0_build(&m, NULL));
	m.end = m.start;
	CHECK(!dom0_build(&m, NULL));
}

/* Damage anywhere in the headers: refused, or every segment in bounds. */
static void damaged(void)
{
	for (int round = 0; round < 200000; round++) {
		struct kernel_image k;
		const struct elf_segment *s;
		size_t len;
		u8 *copy;

		if (round % 64 == 0)
			make_kernel(7);
		len = test_random() % 8 ? file_len : test_random() % file_len;
		copy = malloc(len + !len);
		memcpy(copy, file, len);
		for (u64 n = 1 + test_random() % 3; n && len; n--) {
			size_t where = test_random() % min(len, 0x340UL);
			switch (test_random() % 4) {
			case 0:
				copy[where] = test_random();
				break;
			case 1:
				copy[where] = test_random() & 1 ? 0 : 0xff;
				break;
			default:
				copy[where] ^= 1 << test_random() % 8;
			}
		}
		if (image_unpack(copy, len, &k) || image_parse(&k))
			k.nr_seg = 0;
		for (s = k.seg; s < k.seg + k.nr_seg; s++) {
			u64 va = image_va(&k, s->paddr);

			if (s->type != ELF_LOAD || !s->memsz)
				continue;
			CHECK(s->filesz <= s->memsz && s->offset <= len &&
			      s->filesz <= len - s->offset);
			CHECK(va >= k.start && s->memsz <= k.end - va);
		}
		free(copy);
	}
}

static void permissions(void)
{
	boot_info.map[0] = (struct e820_entry){ 0, 0x9fc00, E820_RAM };
	boot_info.map[1] = (struct e820_entry){ 0x100000, 0x3ff00000, E820_RAM };
	boot_info.map[2] = (struct e820_entry){ 0x50000000, 0x1000, E820_UNUSABLE };
	boot_info.nr_map = 3;
	dom.is_privileged = true;
	CHECK(ioport_permitted(&dom, 0x60, 1));
	CHECK(ioport_permitted(&dom, 0x60, 2));
	CHECK(!ioport_permitted(&dom, 0x1f, 2));
	CHECK(!ioport_permitted(&dom, 0xcf8, 4));
	CHECK(!ioport_permitted(&dom, 0x3f8, 1));
	CHECK(!ioport_permitted(&dom, 0x60b, 1));
	CHECK(ioport_permitted(&dom, 0x60c, 4));
	CHECK(ioport_permitted(&dom, 0xffff, 1));
	CHECK(!ioport_permitted(&dom, 0xffff, 2));
	CHECK_EQ(iomem_permitted(&dom, 0xa0), IOMEM_RW);
	CHECK_EQ(iomem_permitted(&dom, 0x9f), IOMEM_RW);
	CHECK_EQ(iomem_permitted(&dom, 0x9e), IOMEM_NONE);
	CHECK_EQ(iomem_permitted(&dom, 0x200), IOMEM_NONE);
	CHECK_EQ(iomem_permitted(&dom, 0x50000), IOMEM_NONE);
	CHECK_EQ(iomem_permitted(&dom, 0x50001), IOMEM_RW);
	CHECK_EQ(iomem_permitted(&dom, 0xfee00), IOMEM_NONE);
	CHECK_EQ(iomem_permitted(&dom, 0xfeeff), IOMEM_NONE);
	CHECK_EQ(iomem_permitted(&dom, 0xfec00), IOMEM_RO);
	CHECK_EQ(iomem_permitted(&dom, 0xfed00), IOMEM_RW);
	CHECK_EQ(iomem_permitted(&dom, 0xf0000), IOMEM_RO);
	CHECK_EQ(iomem_permitted(&dom, 1UL << 28), IOMEM_NONE);
	CHECK_EQ(iomem_permitted(&dom, ~0UL), IOMEM_NONE);
	dom.is_privileged = false;
	CHECK(!ioport_permitted(&dom, 0x60, 1));
	CHECK_EQ(iomem_permitted(&dom, 0xa0), IOMEM_NONE);
}

static void real_kernel(void)
{
	static u8 kernel[32 << 20];
	FILE *f = fopen(getenv("KERNEL"), "rb");
	size_t len = f ? fread(kernel, 1, sizeof(kernel), f) : 0;
	struct boot_module k, m;
	struct domain *d;

	CHECK(len > 0);
	reset();
	opt_mem = "512M";
	k = module(0x100, kernel, len);
	m = module(0x2000, kernel, 5000);
	show = true;
	d = dom0_build(&k, &m);
	show = false;
	CHECK(d != NULL);
	if (d)
		check_domain(d);
}

int main(void)
{
	size_t table = RAM_PAGES * sizeof(struct frame);

	if (mmap((void *)DIRECTMAP_BASE, RAM_PAGES << 12, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED ||
	    mmap((void *)FRAMETABLE_BASE, table, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED)
		return 2;
	setbuf(stdout, NULL);
	RUN(small_kernels);
	show = getenv("SHOW");
	RUN(sizes);
	show = false;
	RUN(refused);
	RUN(damaged);
	RUN(permissions);
	if (getenv("KERNEL"))
		RUN(real_kernel);
	return test_done();
}
