/* SPDX-License-Identifier: MIT */
/*
 * Notes in a kernel's ELF file, name "Xen", that tell a domain builder how to
 * start it.  Written by the kernel's authors at compile time, read once by
 * whoever builds the domain: the hypervisor for Dom0, tools for others.
 * Numbers are 1, 2, 4 or 8 bytes, little endian; texts end with a NUL.
 */
#ifndef ABI_ELFNOTE_H
#define ABI_ELFNOTE_H

#define XEN_ELFNOTE_INFO		0
/* Number: virtual address of the first instruction; goes before e_entry. */
#define XEN_ELFNOTE_ENTRY		1
/*
 * Number: virtual address of a page in the image that the builder fills with
 * 128 stubs of 32 bytes; calling number n makes hypercall n.  Optional.
 */
#define XEN_ELFNOTE_HYPERCALL_PAGE	2
/* Number: virtual address at which pfn 0 is mapped; default 0. */
#define XEN_ELFNOTE_VIRT_BASE		3
/* Number: what p_paddr of the first mapped byte counts from; default 0. */
#define XEN_ELFNOTE_PADDR_OFFSET	4
/* Text: the ABI; has to be "xen-3.0". */
#define XEN_ELFNOTE_XEN_VERSION		5
/* Texts for people: system, its version, kind of loader ("generic"). */
#define XEN_ELFNOTE_GUEST_OS		6
#define XEN_ELFNOTE_GUEST_VERSION	7
#define XEN_ELFNOTE_LOADER		8
/* Text: "yes", "no" or "bimodal"; a 64-bit kernel says "yes". */
#define XEN_ELFNOTE_PAE_MODE		9
/* Text: names of XENFEAT_* separated by '|'; '!' before a name: required. */
#define XEN_ELFNOTE_FEATURES		10
/* Text: "yes" if the symbol table shall be loaded behind the kernel. */
#define XEN_ELFNOTE_BSD_SYMTAB		11
/* Number: the hypervisor may not use virtual addresses below this one. */
#define XEN_ELFNOTE_HV_START_LOW	12
/* Pairs of numbers (mask, value): what tells a valid entry of an L1. */
#define XEN_ELFNOTE_L1_MFN_VALID	13
/* Number: 1 if the kernel understands a suspend that was called off. */
#define XEN_ELFNOTE_SUSPEND_CANCEL	14
/*
 * Number: virtual address for the initial P2M, in a top-level slot of its
 * own; without it the P2M lies in the first mapping, behind the kernel.
 */
#define XEN_ELFNOTE_INIT_P2M		15
/* Number: 1 if start_info.mod_start may be a pfn, the module unmapped. */
#define XEN_ELFNOTE_MOD_START_PFN	16
/* Numbers of 32 bits: bitmap of the XENFEAT_* the kernel can live with. */
#define XEN_ELFNOTE_SUPPORTED_FEATURES	17
/* Number: physical entry point for hardware-assisted guests. */
#define XEN_ELFNOTE_PHYS32_ENTRY	18
#define XEN_ELFNOTE_MAX			XEN_ELFNOTE_PHYS32_ENTRY

/* Notes in the dump of a crashed hypervisor (kexec). */
#define XEN_ELFNOTE_CRASH_INFO		0x1000001
#define XEN_ELFNOTE_CRASH_REGS		0x1000002

/* Notes in a core file of a domain, written by its toolstack. */
#define XEN_ELFNOTE_DUMPCORE_NONE		0x2000000
#define XEN_ELFNOTE_DUMPCORE_HEADER		0x2000001
#define XEN_ELFNOTE_DUMPCORE_XEN_VERSION	0x2000002
#define XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION	0x2000003

#endif
