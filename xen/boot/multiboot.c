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

struct boot_info boot_info;

#define __initbss __section(".bss.init")

/* Command lines of the modules, one after the other. */
static char text_pool[4096] __initbss;
static size_t text_used __initbss;
static u8 rsdp_copy[64];	/* stays: ACPI code may look again */

struct mb2_tag {
	u32 type, size;
};

enum mb2_tag_type {
	MB2_END, MB2_CMDLINE, MB2_LOADER, MB2_MODULE, MB2_MMAP = 6,
	MB2_FRAMEBUFFER = 8, MB2_EFI32 = 11, MB2_EFI64 = 12,
	MB2_RSDP_OLD = 14, MB2_RSDP_NEW = 15,
};

struct mb2_mmap_entry {
	u64 base, len;
	u32 type, reserved;
};

struct mb_framebuffer {
	u64 addr;
	u32 pitch, width, height;
	u8 bpp, type;
	u16 reserved;		/* absent in multiboot 1 */
	u8 color[6];
} __packed;

struct mb1_info {
	u32 flags;
	u32 mem_lower, mem_upper;	/* KiB */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 loader_name;
	u32 apm_table;
	u32 vbe[4];
	u64 fb_addr;
	u32 fb_pitch, fb_width, fb_height;
	u8 fb_bpp, fb_type;
	u8 fb_color[6];
} __packed;
#define MB1_MEM		(1U << 0)
#define MB1_CMDLINE	(1U << 2)
#define MB1_MODS	(1U << 3)
#define MB1_MMAP	(1U << 6)
#define MB1_LOADER	(1U << 9)
#define MB1_FB		(1U << 12)

struct mb1_module {
	u32 start, end, string, reserved;
};

struct mb1_mmap_entry {
	u32 size;		/* of what follows */
	u64 base, len;
	u32 type;
} __packed;

static const char *__init keep_text(const char *s)
{
	char *to = text_pool + text_used;
	size_t room = sizeof(text_pool) - text_used;
	size_t n = strlcpy(to, s, room);

	if (n >= room) {
		printk("Module command lines too long: cut\n");
		n = room - 1;
	}
	text_used += min(n + 1, room - 1);
	return to;
}

/* Inserts by ascending base. */
static void __init add_memory(u64 base, u64 size, u32 type)
{
	unsigned int i = boot_info.nr_map;

	if (!size || base + size < base)
		size = size ? -base : 0;
	if (!size)
		return;
	if (i == E820_MAX) {
		printk("Memory map too long: %#lx-%#lx left out\n", base,
		       base + size);
		return;
	}
	for (; i && boot_info.map[i - 1].base > base; i--)
		boot_info.map[i] = boot_info.map[i - 1];
	boot_info.map[i] = (struct e820_entry){ base, size, type };
	boot_info.nr_map++;
}

static void __init add_module(u64 start, u64 end, const char *cmdline)
{
	struct boot_module *m = &boot_info.module[boot_info.nr_module];

	if (boot_info.nr_module == ARRAY_SIZE(boot_info.module) || end < start) {
		printk("Module at %#lx-%#lx ignored\n", start, end);
		return;
	}
	m->start = start;
	m->end = end;
	m->cmdline = keep_text(cmdline);
	boot_info.nr_module++;
}

static void __init take_framebuffer(const struct mb_framebuffer *fb,
				    const u8 *color)
{
	boot_info.fb.addr = fb->addr;
	boot_info.fb.pitch = fb->pitch;
	boot_info.fb.width = fb->width;
	boot_info.fb.height = fb->height;
	boot_info.fb.bpp = fb->bpp;
	boot_info.fb.type = fb->type;
	boot_info.fb.valid = true;
	if (fb->type != 1)
		return;
	boot_info.fb.red_pos = color[0];
	boot_info.fb.red_size = color[1];
	boot_info.fb.green_pos = color[2];
	boot_info.fb.green_size = color[3];
	boot_info.fb.blue_pos = color[4];
	boot_info.fb.blue_size = color[5];
}

/* The loader's copy of the RSDP; its place in memory is not told. */
static void __init take_rsdp(const void *p, size_t n)
{
	memcpy(rsdp_copy, p, min(n, sizeof(rsdp_copy)));
	if (!boot_info.rsdp)
		boot_info.rsdp = virt_to_paddr(rsdp_copy);
}

/*
 * EFI firmware: the configuration table says where the RSDP really is, which
 * Dom0 needs too.  Left alone if it lies beyond the first page tables.
 */
static void __init take_efi(u64 system_table)
{
	static const u8 acpi20[16] = {
		0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
		0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81,
	};
	const u64 *st;
	const u8 *entry;
	u64 nr, table;

	boot_info.efi = true;
	if (system_table >= BOOT_MAP_END - PAGE_SIZE)
		return;
	st = paddr_to_virt(system_table);
	nr = st[13];
	table = st[14];
	if (nr > 1024 || table >= BOOT_MAP_END - nr * 24)
		return;
	for (entry = paddr_to_virt(table); nr--; entry += 24)
		if (!memcmp(entry, acpi20, 16))
			memcpy(&boot_info.rsdp, entry + 16, 8);
}

static void __init take_mb2_mmap(const struct mb2_tag *tag)
{
	const u32 *head = (const u32 *)(tag + 1);
	const u8 *p = (const u8 *)(head + 2), *end = (const u8 *)tag + tag->size;

	if (head[0] < 20)
		return;
	for (; p + head[0] <= end; p += head[0]) {
		const struct mb2_mmap_entry *e = (const void *)p;

		add_memory(e->base, e->len, e->type);
	}
}

static void __init take_mb2_tag(const struct mb2_tag *tag)
{
	const void *body = tag + 1;
	const u32 *words = body;

	switch (tag->type) {
	case MB2_CMDLINE:
		strlcpy(hypervisor_cmdline, body, sizeof(hypervisor_cmdline));
		break;
	case MB2_LOADER:
		strlcpy(boot_info.loader, body, sizeof(boot_info.loader));
		break;
	case MB2_MODULE:
		add_module(words[0], words[1], (const char *)(words + 2));
		break;
	case MB2_MMAP:
		take_mb2_mmap(tag);
		break;
	case MB2_FRAMEBUFFER:
		take_framebuffer(body, ((const struct mb_framebuffer *)body)->color);
		break;
	case MB2_EFI32:
		boot_info.efi = true;
		break;
	case MB2_EFI64:
		take_efi(*(const u64 *)body);
		break;
	case MB2_RSDP_OLD:
	case MB2_RSDP_NEW:
		take_rsdp(body, tag->size - sizeof(*tag));
		break;
	}
}

static void __init parse_mb2(paddr_t info)
{
	u32 total = *(const u32 *)paddr_to_virt(info);
	u64 p = info + 8;

	while (p + sizeof(struct mb2_tag) <= info + total) {
		const struct mb2_tag *tag = paddr_to_virt(p);

		if (tag->type == MB2_END || tag->size < sizeof(*tag))
			break;
		take_mb2_tag(tag);
		p += ROUND_UP((u64)tag->size, 8);
	}
}

/*
 * Some loaders put the file's name first: QEMU always, others as a path.
 * Options have an '=' or no '/'.
 */
static const char *__init skip_path(const char *s)
{
	bool path = !strcmp(boot_info.loader, "qemu");
	const char *end;

	while (*s == ' ')
		s++;
	for (end = s; *end && *end != ' '; end++) {
		if (*end == '=')
			return s;
		path |= *end == '/';
	}
	if (!path)
		return s;
	while (*end == ' ')
		end++;
	return end;
}

static void __init take_mb1_mmap(const struct mb1_info *mb)
{
	u64 p = mb->mmap_addr, end = p + mb->mmap_length;

	while (p + sizeof(struct mb1_mmap_entry) <= end) {
		const struct mb1_mmap_entry *e = paddr_to_virt(p);

		add_memory(e->base, e->len, e->type);
		p += e->size + 4;
	}
}

static void __init parse_mb1(paddr_t info)
{
	const struct mb1_info *mb = paddr_to_virt(info);
	const struct mb1_module *mod = paddr_to_virt(mb->mods_addr);

	if (mb->flags & MB1_LOADER)
		strlcpy(boot_info.loader, paddr_to_virt(mb->loader_name),
			sizeof(boot_info.loader));
	if (mb->flags & MB1_CMDLINE)
		strlcpy(hypervisor_cmdline,
			skip_path(paddr_to_virt(mb->cmdline)),
			sizeof(hypervisor_cmdline));
	if (mb->flags & MB1_MMAP)
		take_mb1_mmap(mb);
	else if (mb->flags & MB1_MEM)
		add_memory(0x100000, (u64)mb->mem_upper << 10, E820_RAM);
	for (u32 i = 0; mb->flags & MB1_MODS && i < mb->mods_count; i++, mod++)
		add_module(mod->start, mod->end,
			   mod->string ? skip_path(paddr_to_virt(mod->string))
				       : "");
	if (mb->flags & MB1_FB)
		take_framebuffer((const void *)&mb->fb_addr, mb->fb_color);
}

/*
 * [boot 30] Copies what the loader tells into boot_info and
 * hypervisor_cmdline.  Prints nothing that matters: no console is open yet.
 */
void __init multiboot_parse(u32 magic, paddr_t info)
{
	if (magic == MB2_BOOT_MAGIC)
		parse_mb2(info);
	else if (magic == MB1_BOOT_MAGIC)
		parse_mb1(info);
	if (boot_info.nr_map)
		return;
	strlcpy(hypervisor_cmdline, "console=vga,com1", sizeof(hypervisor_cmdline));
	console_init_early();
	printk("The boot loader (magic %#x) gave no memory map. Start this image by multiboot2.\n",
	       magic);
	machine_end();
}
