/* SPDX-License-Identifier: GPL-2.0 */
/* From the loader to the first domain. */
#pragma once

#include <lib/lib.h>

struct e820_entry { u64 base, size; u32 type; } __packed;
enum { E820_RAM = 1, E820_RESERVED, E820_UNUSABLE = 5 };
#define E820_MAX	128

struct boot_module {
	paddr_t start, end;	/* bytes, protected from the allocator */
	char cmdline[1024];	/* as the loader passed it */
};

struct boot_info {
	struct e820_entry map[E820_MAX];	/* as the firmware gave it */
	unsigned int nr_map;
	struct boot_module module[8];
	unsigned int nr_module;
	char loader[64];
	paddr_t rsdp;		/* 0: look in low memory */
	bool efi;
	struct {	/* framebuffer or text screen, as multiboot has it */
		u64 addr;
		u32 pitch, width, height;
		u8 bpp, type;	/* type 2: EGA text */
		u8 red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
		bool valid;
	} fb;
};
extern struct boot_info boot_info;

/* multiboot.c: magic and info pointer (physical) as the loader left them. */
void multiboot_parse(u32 magic, paddr_t info);
/* setup.c: the boot order as a list. */
void start_xen(u32 magic, u64 info) __noreturn;
/* Is the byte at `at` RAM that is neither the image's nor a module's?  The
 * answer holds up to *end. */
bool boot_ram_free(paddr_t at, paddr_t *end);
/* Calls fn for each piece of such RAM from 1 MiB on; page-aligned, ascending. */
void boot_free_ram(void (*fn)(paddr_t start, paddr_t end));
/* smpboot.c */
extern u8 cpu0_block[];		/* head.S: CPU 0's per-CPU block */
void smp_boot_all(void);
void start_secondary(void) __noreturn;

/* domain/dom0.c */
struct domain *dom0_build(const struct boot_module *kernel,
			  const struct boot_module *initrd);
