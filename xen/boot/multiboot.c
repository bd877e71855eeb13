/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the boot loader left: memory map, modules, command lines, screen, RSDP.
 *
 * Everything is copied into boot_info before any page is handed out, because
 * the loader's own memory counts as free RAM.  Modules stay where they are;
 * boot_free_ram() keeps the allocator off them.
 *
 * Both protocols are spoken: multiboot 2 (GRUB) and 1 (QEMU's -kernel).  The
 * loader is trusted; sizes are still checked, since loaders have bugs.  Runs
 * on the first page tables, which reach 4 GiB.
 */
#include <boot/boot.h>
#include <dev/dev.h>
#include <mm/mm.h>

#define MB1_BOOT_MAGIC	0x2badb002
#define MB2_BOOT_MAGIC	0x36d76289
#define BOOT_MAP_END	(1UL << 32)
#define FB_COMMON	22	/* bytes in front of the colours' places */

/* Words of the multiboot 1 information, and its flags that they are there. */
enum mb1_word {
	MB1_FLAGS, MB1_CMDLINE = 4, MB1_MODS_COUNT, MB1_MODS,
	MB1_MMAP_LENGTH = 11, MB1_MMAP, MB1_LOADER = 16,
};
#define MB1_HAS_CMDLINE	(1U << 2)
#define MB1_HAS_MODS	(1U << 3)
#define MB1_HAS_MMAP	(1U << 6)
#define MB1_HAS_LOADER	(1U << 9)

enum mb2_tag_type {
	MB2_END, MB2_CMDLINE, MB2_LOADER, MB2_MODULE, MB2_MMAP = 6,
	MB2_FRAMEBUFFER = 8, MB2_EFI64 = 12, MB2_RSDP_OLD = 14, MB2_RSDP_NEW,
};

struct boot_info boot_info;
_Static_assert(offsetof(struct boot_info, fb.red_pos) ==
	       offsetof(struct boot_info, fb) + FB_COMMON, "layout of fb");

/*
 * Entries of `stride` bytes each, or with their own size in front if that is
 * 0, are inserted by ascending base.
 */
static void __init take_mmap(const u8 *p, const u8 *end, u32 stride)
{
	for (u32 step; end - p >= 24; p += step) {
		const struct e820_entry *e = (void *)(stride ? p : p + 4);
		unsigned int i = boot_info.nr_map;

		step = stride ? stride : *(const u32 *)p + 4;
		if (step < 20)
			return;
		if (!e->size || i == E820_MAX)
			continue;
		for (; i && boot_info.map[i - 1].base > e->base; i--)
			boot_info.map[i] = boot_info.map[i - 1];
		boot_info.map[i] = *e;
		/* Up to the end of the address space, if it would wrap. */
		boot_info.map[i].size = min(e->size, ~e->base);
		boot_info.nr_map++;
	}
}

/*
 * QEMU puts the file's name in front of every command line, other multiboot 1
 * loaders as a path.
 */
static const char *__init skip_path(const char *s)
{
	if (!strcmp(boot_info.loader, "qemu") || *s == '/')
		while (*s && *s++ != ' ')
			;
	return s;
}

static void __init take_module(u64 start, u64 end, const char *cmdline)
{
	struct boot_module *m = &boot_info.module[boot_info.nr_module];

	if (boot_info.nr_module == ARRAY_SIZE(boot_info.module) || end < start)
		return;
	boot_info.nr_module++;
	*m = (struct boot_module){ start, end, "" };
	strlcpy(m->cmdline, cmdline, sizeof(m->cmdline));
}

/*
 * EFI firmware: the configuration table says where the RSDP really is, which
 * Dom0 needs too.  Left alone if it lies beyond the first page tables.
 */
static void __init take_efi(u64 system_table)
{
	static const u64 acpi20[2] = { 0x11d3e4f18868e871, 0x81883cc7800022bc };
	const u64 *st = paddr_to_virt(system_table), *entry;

	boot_info.efi = true;
	if (system_table >= BOOT_MAP_END - PAGE_SIZE || st[13] > 1024 ||
	    st[14] >= BOOT_MAP_END - st[13] * 24)
		return;
	entry = paddr_to_virt(st[14]);
	for (u64 n = st[13]; n; n--, entry += 3)
		if (!memcmp(entry, acpi20, sizeof(acpi20)))
			boot_info.rsdp = entry[2];
}

static void __init take_tag(u32 type, const void *body, u32 size)
{
	static u8 rsdp_copy[64];	/* stays: ACPI code may look again */
	const u32 *words = body;

	switch (type) {
	case MB2_CMDLINE:
		strlcpy(hypervisor_cmdline, body, sizeof(hypervisor_cmdline));
		break;
	case MB2_LOADER:
		strlcpy(boot_info.loader, body, sizeof(boot_info.loader));
		break;
	case MB2_MODULE:
		return take_module(words[0], words[1], body + 8);
	case MB2_MMAP:
		return take_mmap(body + 8, body + size, words[0]);
	case MB2_EFI64:
		return take_efi(*(const u64 *)body);
	case MB2_FRAMEBUFFER:
		/* The colours' places follow a field that we do not have. */
		memcpy(&boot_info.fb, body, FB_COMMON);
		memcpy(&boot_info.fb.red_pos, body + FB_COMMON + 2, 6);
		boot_info.fb.valid = true;
		break;
	case MB2_RSDP_OLD:
	case MB2_RSDP_NEW:	/* a copy: its place in memory is not told */
		memcpy(rsdp_copy, body, min((size_t)size, sizeof(rsdp_copy)));
		if (!boot_info.rsdp)
			boot_info.rsdp = virt_to_paddr(rsdp_copy);
		break;
	}
}

static void __init parse_mb1(const u32 *mb)
{
	const u32 *mod = paddr_to_virt(mb[MB1_MODS]);
	const u8 *mmap = paddr_to_virt(mb[MB1_MMAP]);
	u32 flags = mb[MB1_FLAGS];

	if (flags & MB1_HAS_LOADER)
		take_tag(MB2_LOADER, paddr_to_virt(mb[MB1_LOADER]), 0);
	if (flags & MB1_HAS_CMDLINE)
		take_tag(MB2_CMDLINE,
			 skip_path(paddr_to_virt(mb[MB1_CMDLINE])), 0);
	if (flags & MB1_HAS_MMAP)
		take_mmap(mmap, mmap + mb[MB1_MMAP_LENGTH], 0);
	for (u32 i = 0; flags & MB1_HAS_MODS && i < mb[MB1_MODS_COUNT];
	     i++, mod += 4)
		take_module(mod[0], mod[1],
			    mod[2] ? skip_path(paddr_to_virt(mod[2])) : "");
}

/*
 * [boot 30] Copies what the loader tells into boot_info and
 * hypervisor_cmdline.  Prints nothing that matters: no console is open yet.
 */
void __init multiboot_parse(u32 magic, paddr_t info)
{
	const u32 *tag = paddr_to_virt(info + 8);
	const u32 *end = paddr_to_virt(info + tag[-2]);

	if (magic == MB1_BOOT_MAGIC)
		parse_mb1(paddr_to_virt(info));
	/* Tags: type, size of all, body; on multiples of eight bytes. */
	for (; magic == MB2_BOOT_MAGIC && tag < end && tag[0] != MB2_END &&
	       tag[1] >= 8; tag += ROUND_UP(tag[1], 8) / 4)
		take_tag(tag[0], tag + 2, tag[1] - 8);
	if (boot_info.nr_map)
		return;
	take_tag(MB2_CMDLINE, "console=vga,com1", 0);
	console_init_early();
	printk("The boot loader (magic 0x%x) gave no memory map. Start this image by multiboot2.\n",
	       magic);
	machine_end();
}
