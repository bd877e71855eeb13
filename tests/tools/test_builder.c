// SPDX-License-Identifier: GPL-2.0
/*
 * The domain builder's pure parts: kernels as files, the layout of a guest,
 * its page tables; and the parsers of records.
 */
#include <dirent.h>
#include <elf.h>
#include <lz4hc.h>
#include <lzma.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include "../host/test.h"
#undef strtoull
#include "../../dom0-tools/builder/builder.h"
#include "../../dom0-tools/xend/xend.h"

#define BASE	0xffffffff80000000ull
#define P2M	0x8000000000ull

/* --- a kernel file ------------------------------------------------------- */
static uint8_t elf[8192];

static uint8_t *note(uint8_t *p, uint32_t type, const void *data, uint32_t n)
{
	uint32_t head[3] = { 4, n, type };

	memcpy(p, head, 12);
	memcpy(p + 12, "Xen", 4);
	memcpy(p + 16, data, n);
	return p + 16 + (n + 3) / 4 * 4;
}

static uint8_t *number_note(uint8_t *p, uint32_t type, uint64_t v)
{
	return note(p, type, &v, sizeof(v));
}

static void make_elf(uint64_t p2m, bool mod_pfn)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC, .e_machine = EM_X86_64,
		.e_phoff = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	Elf64_Phdr s[3] = {
		{ .p_type = PT_LOAD, .p_offset = 4096, .p_paddr = 0x1000000,
		  .p_filesz = 4096, .p_memsz = 5 << 20 },
		{ .p_type = PT_LOAD, .p_offset = 4096, .p_paddr = 0x1600000,
		  .p_filesz = 100, .p_memsz = 200 },
		{ .p_type = PT_NOTE, .p_offset = 1024 },
	};
	uint8_t *p = elf + 1024;
	int i;

	for (i = 0; i < 4096; i++)
		elf[4096 + i] = i * 7;
	p = number_note(p, 1, BASE + 0x1000100);
	p = number_note(p, 3, BASE);
	p = note(p, 5, "xen-3.0", 8);
	if (p2m)
		p = number_note(p, 15, p2m);
	if (mod_pfn)
		p = number_note(p, 16, 1);
	s[2].p_filesz = p - (elf + 1024);
	memcpy(elf, &h, sizeof(h));
	memcpy(elf + sizeof(h), s, sizeof(s));
}

static void good_image(void)
{
	struct image_part part;
	unsigned int i = 0;
	struct image im;

	make_elf(P2M, true);
	CHECK(!image_parse(&im, elf, sizeof(elf)));
	CHECK(im.start == BASE + 0x1000000 && im.end == BASE + 0x16000c8);
	CHECK(im.entry == BASE + 0x1000100 && im.virt_base == BASE);
	CHECK(im.init_p2m == P2M && im.mod_start_pfn);
	CHECK(im.hypercall_page == NO_ADDRESS);
	CHECK(image_part(&im, &i, &part));
	CHECK(part.data == elf + 4096 && part.file_size == 4096);
	CHECK(part.va == BASE + 0x1000000 && part.size == 5 << 20);
	CHECK(image_part(&im, &i, &part) && part.size == 200);
	CHECK(!image_part(&im, &i, &part));
}

/* Every part that a broken file is said to have lies inside of it. */
static void parts_ok(const uint8_t *data, uint64_t size)
{
	struct image_part part;
	unsigned int i = 0;
	struct image im;

	if (image_parse(&im, data, size))
		return;
	CHECK(im.entry >= im.start && im.entry < im.end);
	while (image_part(&im, &i, &part)) {
		CHECK(part.data >= data && part.data <= data + size);
		CHECK(part.file_size <= (uint64_t)(data + size - part.data));
		CHECK(part.file_size <= part.size);
		CHECK(part.va >= im.start && part.size <= im.end - part.va);
	}
}

static void broken_images(void)
{
	uint8_t *copy;
	size_t size;
	int i, n;

	make_elf(P2M, true);
	for (i = 0; i < 200000; i++) {
		size = i % 10 ? sizeof(elf) : test_random() % sizeof(elf);
		copy = malloc(size + 1);
		memcpy(copy, elf, size);
		for (n = test_random() % 6; n && size; n--)
			copy[test_random() % (size < 1400 ? size : 1400)] =
				test_random();
		parts_ok(copy, size);
		free(copy);
	}
}

static void refusals(void)
{
	struct image im;

	CHECK(image_parse(&im, elf, 10));
	make_elf(P2M, true);
	elf[18] = 3;
	CHECK(strstr(image_parse(&im, elf, sizeof(elf)), "x86-64"));
	make_elf(P2M, true);
	memset(elf + 1024, 0, 1000);
	CHECK(strstr(image_parse(&im, elf, sizeof(elf)), "Xen notes"));
	make_elf(P2M, true);
	CHECK(strstr(image_parse(&im, elf, 5000), "short"));
	make_elf(P2M + 1, true);
	CHECK(strstr(image_parse(&im, elf, sizeof(elf)), "INIT_P2M"));
}

/* --- packed kernels ------------------------------------------------------ */
#define PLAIN	300000u
static uint8_t plain[PLAIN], packed[2 * PLAIN];

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static size_t pack(int how, uint8_t *to, size_t room)
{
	uLongf n = room;
	size_t at = 0;
	z_stream z = { .next_in = plain, .avail_in = PLAIN, .next_out = to,
		       .avail_out = room };

	switch (how) {
	case 0:
		deflateInit2(&z, 9, Z_DEFLATED, 16 + 15, 9, 0);
		deflate(&z, Z_FINISH);
		deflateEnd(&z);
		return z.total_out;
	case 1:
		lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, plain, PLAIN,
					to, &at, room);
		return at;
	case 2:
		return ZSTD_compress(to, room, plain, PLAIN, 5);
	default:
		put32(to, 0x184c2102);
		n = LZ4_compress_HC((char *)plain, (char *)to + 8, PLAIN,
				    room - 8, 9);
		put32(to + 4, n);
		return n + 8;
	}
}

/* A bzImage of one setup sector; its size. */
static size_t make_bzimage(int how)
{
	size_t n;

	memset(packed, 0, 1024);
	memcpy(packed + 0x202, "HdrS", 4);
	packed[0x206] = 0x0f;
	packed[0x207] = 2;
	packed[0x1f1] = 1;
	n = pack(how, packed + 1024, sizeof(packed) - 1028);
	put32(packed + 1024 + n, PLAIN);
	put32(packed + 0x248, 0);
	put32(packed + 0x24c, n + 4);
	return 1024 + n + 4;
}

static void codecs(void)
{
	uint64_t size;
	uint8_t *out, *copy;
	size_t n;
	int how, i;

	for (i = 0; i < (int)PLAIN; i++)
		plain[i] = i % 97 ? i / 100 : (int)test_random();
	for (how = 0; how < 4; how++) {
		n = make_bzimage(how);
		CHECK(!kernel_unpack(packed, n, &out, &size));
		CHECK(out && size == PLAIN && !memcmp(out, plain, PLAIN));
		free(out);
		CHECK(kernel_unpack(packed, n - 1, &out, &size));
		for (i = 0; i < 300; i++) {
			copy = malloc(n);
			memcpy(copy, packed, n);
			copy[1024 + test_random() % (n - 1030)] ^=
				1 << test_random() % 8;
			/* A checksum need not notice; memory must hold. */
			if (!kernel_unpack(copy, n, &out, &size))
				free(out);
			free(copy);
		}
	}
	put32(packed + 1024, 0x005a4c89);
	CHECK(strstr(kernel_unpack(packed, n, &out, &size), "xz, zstd"));
}

/* Removes the cache's entries: how many there were. */
static int entries_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(dir)))
		if (*e->d_name != '.')
			n += !unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	return n;
}

/* An unpacked kernel is found again, and a damaged one is not used. */
static void cache(void)
{
	char folder[] = "/tmp/cache-XXXXXX", *path, *entry = NULL;
	struct arena a = { 0 };
	struct kernel_file k;
	struct dirent *e;
	unsigned int i;
	time_t written;
	DIR *dir;
	FILE *f;
	int n;

	CHECK(mkdtemp(folder));
	path = arena_printf(&a, "%s/.kernel", folder);
	do {		/* once more if it is not new when it is opened */
		written = time(NULL);
		unlink(path);
		f = fopen(path, "w");
		fwrite(packed, 1, make_bzimage(0), f);
		fclose(f);
		CHECK(!kernel_open(&a, path, folder, &k) && !k.map);
		kernel_close(&k);
		n = entries_remove(folder);
	} while (time(NULL) - written >= 2);
	CHECK_EQ(n, 0);			/* too new */
	sleep(3);
	for (i = 0; i < 4; i++) {
		CHECK(!kernel_open(&a, path, folder, &k));
		CHECK(!k.map == !(i & 1) && k.size == PLAIN &&
		      !memcmp(k.elf, plain, PLAIN));
		kernel_close(&k);
		dir = opendir(folder);
		while ((e = readdir(dir)))
			if (*e->d_name != '.')
				entry = arena_printf(&a, "%s/%s", folder,
						     e->d_name);
		closedir(dir);
		f = i == 1 ? fopen(entry, "r+") : NULL;
		if (f) {
			fputs("damage", f);
			fclose(f);
		}
	}
	chmod(path, 0600);		/* which changes its ctime */
	CHECK(!kernel_open(&a, path, folder, &k) && !k.map);
	kernel_close(&k);
	entries_remove(folder);
	unlink(path);
	rmdir(folder);
	arena_release(&a);
}

/* --- layout -------------------------------------------------------------- */
static uint64_t entry(const uint64_t *p2m, uint64_t nr, uint64_t first,
		      uint64_t more, uint64_t (*tables)[512],
		      uint64_t (*p2m_tables)[512], uint64_t va)
{
	uint64_t *table = tables[0], e = 0, pfn;
	int shift;

	for (shift = 39; shift >= 12; shift -= 9) {
		e = table[va >> shift & 511];
		if (!(e & 1) || shift == 12)
			return e;
		for (pfn = 0; pfn < nr && p2m[pfn] != e >> 12; pfn++)
			;
		table = pfn >= more && more ? p2m_tables[pfn - more] :
			tables[pfn - first];
	}
	return e;
}

static void check_layout(uint64_t init_p2m, bool mod_pfn, uint64_t nr,
			 uint64_t initrd)
{
	struct vcpu_guest_context *c = calloc(1, sizeof(*c));
	uint64_t *p2m = malloc(nr * 8), pfn, first, more, e, va;
	uint64_t (*tables)[512], (*p2m_tables)[512];
	struct guest_facts f = { nr, initrd, 77, 1, 2, "a=b" };
	struct start_info *si = calloc(1, 4096);
	struct image im;
	struct layout l;

	make_elf(init_p2m, mod_pfn);
	CHECK(!image_parse(&im, elf, sizeof(elf)));
	CHECK(!layout_compute(&l, &im, nr, initrd));
	CHECK(l.fixed_pages < nr);
	for (pfn = 0; pfn < nr; pfn++)
		p2m[pfn] = pfn * 3 + 1000;
	tables = calloc(l.nr_tables, 4096);
	p2m_tables = calloc(l.p2m_tables + 1, 4096);
	layout_tables(&l, p2m, tables, p2m_tables);
	first = layout_pfn(&l, l.v_tables);
	more = l.p2m_tables ? l.p2m_pfn + l.p2m_pages : 0;
	for (va = BASE; va != l.v_end; va += 4096) {
		pfn = layout_pfn(&l, va);
		e = entry(p2m, nr, first, more, tables, p2m_tables, va);
		CHECK(e >> 12 == p2m[pfn]);
		/* Writable exactly if it is no table. */
		CHECK(!(e & 2) == (pfn >= first && pfn < first + l.nr_tables));
	}
	CHECK(!entry(p2m, nr, first, more, tables, p2m_tables, l.v_end));
	CHECK(l.v_end - l.v_stack >= 512 << 10 && !(l.v_end & 0x3fffff));
	for (pfn = 0; pfn < l.p2m_pages; pfn++)
		CHECK(entry(p2m, nr, first, more, tables, p2m_tables,
			    l.v_p2m + pfn * 4096) >> 12 ==
		      p2m[l.p2m_pfn + pfn]);
	if (mod_pfn)
		CHECK(l.initrd_pfn >= layout_pfn(&l, l.v_end));
	else
		CHECK(l.v_initrd >= im.end && l.v_initrd < l.v_start_info);
	layout_start_info(&l, &im, &f, p2m, si);
	CHECK(si->nr_pages == nr && si->shared_info == 77 << 12);
	CHECK(si->mfn_list == l.v_p2m && !strcmp(si->magic, "xen-3.0-x86_64"));
	CHECK(si->store_mfn == p2m[layout_pfn(&l, l.v_store)]);
	CHECK_EQ(si->flags, mod_pfn ? SIF_MOD_START_PFN : 0);
	layout_vcpu(&l, &im, p2m, c);
	CHECK(c->ctrlreg[3] == p2m[first] << 12);
	CHECK(c->user_regs.rsp == l.v_stack + 4096);
	free(c);
	free(p2m);
	free(si);
	free(tables);
	free(p2m_tables);
}

static void layouts(void)
{
	check_layout(P2M, true, 32768, 123456);
	check_layout(P2M, false, 32768, 123456);
	check_layout(0, true, 32768, 123456);
	check_layout(0, false, 40000, 3 << 20);
	check_layout(P2M, true, 600000, 1);
}

static void bad_layouts(void)
{
	struct image im;
	struct layout l;

	make_elf(P2M, true);
	CHECK(!image_parse(&im, elf, sizeof(elf)));
	im.init_p2m = 0xffff800000000000ull;
	CHECK(strstr(layout_compute(&l, &im, 1000, 0), "INIT_P2M"));
	im.init_p2m = BASE - 4096;
	CHECK(strstr(layout_compute(&l, &im, 1000, 0), "INIT_P2M"));
	im.init_p2m = P2M;
	im.virt_base = 0xffff800000000000ull;
	im.end = im.virt_base + 4096;
	CHECK(strstr(layout_compute(&l, &im, 1000, 0), "VIRT_BASE"));
	im.virt_base = 0xffffffffbffff000ull;	/* the end wraps */
	im.end = im.virt_base + (1 << 30);
	CHECK(strstr(layout_compute(&l, &im, 32768, 0), "VIRT_BASE"));
}

/* --- records ------------------------------------------------------------- */
static void disk_names(void)
{
	CHECK_EQ(record_vdev("xvda"), 51712);
	CHECK_EQ(record_vdev("xvda1"), 51713);
	CHECK_EQ(record_vdev("xvdp15"), 202 << 8 | 15 << 4 | 15);
	CHECK_EQ(record_vdev("xvdq"), 1 << 28 | 16 << 8);
	CHECK_EQ(record_vdev("xvdaa"), 1 << 28 | 26 << 8);
	CHECK_EQ(record_vdev("sdb2"), 8 << 8 | 1 << 4 | 2);
	CHECK_EQ(record_vdev("hdc"), 22 << 8);
	CHECK_EQ(record_vdev("xvd"), 0);
	CHECK_EQ(record_vdev("xvda0"), 0);
	CHECK_EQ(record_vdev("xvda1x"), 0);
	CHECK_EQ(record_vdev("sdq"), 0);
	CHECK_EQ(record_vdev("vda"), 0);
	CHECK_EQ(record_vdev("xvdaaaa"), 0);
}

static bool cpus(const char *text, uint64_t want)
{
	uint64_t mask;

	return record_cpus(text, ~0ull, &mask) && mask == want;
}

static void cpu_lists(void)
{
	uint64_t mask;

	CHECK(cpus("all", ~0ull));
	CHECK(cpus("0", 1));
	CHECK(cpus("0-2,^1", 5));
	CHECK(cpus("0-63", ~0ull));
	CHECK(cpus("63", 1ull << 63));
	CHECK(!record_cpus("64", ~0ull, &mask));
	CHECK(!record_cpus("2-1", ~0ull, &mask));
	CHECK(!record_cpus("1-", ~0ull, &mask));
	CHECK(!record_cpus("x", ~0ull, &mask));
	CHECK(!record_cpus("1,^1", ~0ull, &mask));
	CHECK(!record_cpus("9", 0xf, &mask));
}

int main(void)
{
	RUN(good_image);
	RUN(broken_images);
	RUN(refusals);
	RUN(codecs);
	RUN(cache);
	RUN(layouts);
	RUN(bad_layouts);
	RUN(disk_names);
	RUN(cpu_lists);
	return test_done();
}
