/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: grant_table_op(cmd, guest pointer to an array of that
 * command's structure, count).
 *
 * A domain lends frames by writing entries of a table it shares with the
 * hypervisor; the index of an entry is the grant reference that the borrower
 * presents.  Only version 1 of the table is offered.
 *
 * The call returns 0 when it could read and answer every element; how each
 * one fared stands in its status.  Fields marked IN are the caller's, fields
 * marked OUT the hypervisor's; status is written always, other OUT fields
 * when status is GNTST_okay.
 */
#ifndef ABI_GRANT_TABLE_H
#define ABI_GRANT_TABLE_H

#include <hypercall-abi/xen.h>

typedef uint32_t grant_ref_t;
typedef uint32_t grant_handle_t;

/*
 * One entry, 512 to a frame.  To lend: write domid and frame, then flags.  To
 * take back: compare-and-swap flags to 0 while neither GTF_reading nor
 * GTF_writing is set.
 */
struct grant_entry_v1 {
	uint16_t flags;		/* lender: GTF_*; hypervisor: reading, writing */
	domid_t domid;		/* lender: who may use it */
	uint32_t frame;		/* lender: machine frame number (PV) */
};

#define GTF_invalid		(0U << 0)
#define GTF_permit_access	(1U << 0)
#define GTF_accept_transfer	(2U << 0)	/* refused */
#define GTF_transitive		(3U << 0)	/* refused */
#define GTF_type_mask		(3U << 0)
#define GTF_readonly		(1U << 2)	/* lender */
#define GTF_reading		(1U << 3)	/* hypervisor: in use */
#define GTF_writing		(1U << 4)	/* hypervisor: in use, writable */
#define GTF_PWT			(1U << 5)	/* lender: caching of mappings */
#define GTF_PCD			(1U << 6)
#define GTF_PAT			(1U << 7)
#define GTF_sub_page		(1U << 8)	/* version 2 only */

/* Entries that tools fill before the domain runs. */
#define GNTTAB_NR_RESERVED_ENTRIES	8
#define GNTTAB_RESERVED_CONSOLE		0
#define GNTTAB_RESERVED_XENSTORE	1

#define GNTTABOP_map_grant_ref		0
#define GNTTABOP_unmap_grant_ref	1
#define GNTTABOP_setup_table		2
#define GNTTABOP_dump_table		3
#define GNTTABOP_transfer		4
#define GNTTABOP_copy			5
#define GNTTABOP_query_size		6
#define GNTTABOP_unmap_and_replace	7
#define GNTTABOP_set_version		8
#define GNTTABOP_get_status_frames	9
#define GNTTABOP_get_version		10
#define GNTTABOP_swap_grant_ref		11
#define GNTTABOP_cache_flush		12

/* Maps a frame lent by dom. */
struct gnttab_map_grant_ref {
	uint64_t host_addr;	/* IN: virtual, or machine address of a PTE */
	uint32_t flags;		/* IN: GNTMAP_* */
	uint32_t ref;		/* IN: in dom's table */
	domid_t dom;		/* IN */
	int16_t status;		/* OUT: GNTST_* */
	uint32_t handle;	/* OUT: names the mapping when it is undone */
	uint64_t dev_bus_addr;	/* OUT: machine address of the frame */
};
#define GNTMAP_device_map	(1 << 0)	/* for DMA */
#define GNTMAP_host_map		(1 << 1)	/* for the CPU, at host_addr */
#define GNTMAP_readonly		(1 << 2)
#define GNTMAP_application_map	(1 << 3)	/* guest user mode may use it */
#define GNTMAP_contains_pte	(1 << 4)	/* host_addr is a PTE's address */
#define GNTMAP_guest_avail_mask	((uint32_t)~0 << 16) /* PTE bits 9-11 at 16 */

/* Undoes a mapping.  After the call no TLB holds any of the batch. */
struct gnttab_unmap_grant_ref {
	uint64_t host_addr;	/* IN: as when mapped; 0: keep the CPU's */
	uint64_t dev_bus_addr;	/* IN: as returned; 0: keep the device's */
	uint32_t handle;	/* IN */
	int16_t status;		/* OUT */
};

/* Grows the table to nr_frames; frame_list receives their numbers. */
struct gnttab_setup_table {
	domid_t dom;		/* IN: DOMID_SELF, or any for the control domain */
	uint32_t nr_frames;	/* IN */
	int16_t status;		/* OUT */
	uint64_t frame_list;	/* IN: guest pointer to nr_frames u64, OUT */
};

struct gnttab_dump_table {
	domid_t dom;		/* IN */
	int16_t status;		/* OUT */
};

struct gnttab_transfer {
	uint64_t mfn;		/* IN */
	domid_t domid;		/* IN */
	uint32_t ref;		/* IN */
	int16_t status;		/* OUT */
};

/* Copies len bytes within one frame each side. */
struct gnttab_copy {
	struct gnttab_copy_ptr {
		union {
			uint32_t ref;	/* with GNTCOPY_*_gref */
			uint64_t gmfn;	/* a machine frame (PV) of domid */
		} u;
		domid_t domid;
		uint16_t offset;
	} source, dest;		/* IN */
	uint16_t len;		/* IN */
	uint16_t flags;		/* IN: GNTCOPY_* */
	int16_t status;		/* OUT */
};
#define GNTCOPY_source_gref	(1 << 0)
#define GNTCOPY_dest_gref	(1 << 1)

struct gnttab_query_size {
	domid_t dom;		/* IN: DOMID_SELF, or any for the control domain */
	uint32_t nr_frames;	/* OUT: now */
	uint32_t max_nr_frames;	/* OUT: limit */
	int16_t status;		/* OUT */
};

struct gnttab_unmap_and_replace {
	uint64_t host_addr;	/* IN */
	uint64_t new_addr;	/* IN */
	uint32_t handle;	/* IN */
	int16_t status;		/* OUT */
};

/* One element only: the call itself returns the error. */
struct gnttab_set_version {
	uint32_t version;	/* IN: wanted; OUT: in force */
};

struct gnttab_get_status_frames {
	uint32_t nr_frames;	/* IN */
	domid_t dom;		/* IN */
	int16_t status;		/* OUT */
	uint64_t frame_list;	/* IN: guest pointer */
};

struct gnttab_get_version {
	domid_t dom;		/* IN */
	uint16_t pad;
	uint32_t version;	/* OUT */
};

struct gnttab_swap_grant_ref {
	uint32_t ref_a, ref_b;	/* IN */
	int16_t status;		/* OUT */
};

struct gnttab_cache_flush {
	union {
		uint64_t dev_bus_addr;
		uint32_t ref;
	} a;			/* IN */
	uint16_t offset, length; /* IN */
	uint32_t op;		/* IN */
};

/* enum grant_status: zero or one of these, never anything else. */
#define GNTST_okay		(0)
#define GNTST_general_error	(-1)
#define GNTST_bad_domain	(-2)
#define GNTST_bad_gntref	(-3)
#define GNTST_bad_handle	(-4)
#define GNTST_bad_virt_addr	(-5)
#define GNTST_bad_dev_addr	(-6)
#define GNTST_no_device_space	(-7)
#define GNTST_permission_denied	(-8)
#define GNTST_bad_page		(-9)
#define GNTST_bad_copy_arg	(-10)
#define GNTST_address_too_big	(-11)
#define GNTST_eagain		(-12)
#define GNTST_no_space		(-13)

#endif
