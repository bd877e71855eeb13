/* SPDX-License-Identifier: MIT */
/*
 * memory_op(cmd, guest pointer to the command's structure): how much memory a
 * domain has, and where.  "pfn" is a guest's own number of a frame, "mfn" the
 * machine's.  Fields are the guest's (in) unless marked out.
 */
#ifndef ABI_MEMORY_H
#define ABI_MEMORY_H

#include <stdint.h>
#include <hypercall-abi/xen.h>

/* Returns the number of extents done, fewer than asked on failure. */
#define XENMEM_increase_reservation	0
#define XENMEM_decrease_reservation	1
#define XENMEM_populate_physmap		6

/* xen_memory_reservation.mem_flags */
#define XENMEMF_address_bits(x)		(x)	/* frames below 2^x bytes */
#define XENMEMF_get_address_bits(x)	((x) & 0xffu)
#define XENMEMF_node(x)			(((x) + 1) << 8)
#define XENMEMF_get_node(x)		((((x) >> 8) - 1) & 0xffu)
#define XENMEMF_populate_on_demand	(1 << 16)
#define XENMEMF_exact_node_request	(1 << 17)
#define XENMEMF_exact_node(n)	(XENMEMF_node(n) | XENMEMF_exact_node_request)
#define XENMEMF_vnode			(1 << 18)

struct xen_memory_reservation {
	/*
	 * Guest pointer to uint64_t[nr_extents], each the first frame of an
	 * extent.  increase: out, mfns.  decrease: in, mfns.  populate: in
	 * pfns, out mfns; also sets the machine-to-phys table.
	 */
	uint64_t extent_start;
	uint64_t nr_extents;
	uint32_t extent_order;	/* an extent is 2^order frames, aligned */
	uint32_t mem_flags;	/* XENMEMF_* */
	domid_t domid;		/* DOMID_SELF unless privileged */
};

/*
 * Gives back the frames of in (mfns) and gets those of out (in: pfns, out:
 * mfns), the same number of frames in other extents.  Used to obtain
 * contiguous memory, or memory below an address.
 */
#define XENMEM_exchange			11
struct xen_memory_exchange {
	struct xen_memory_reservation in;
	struct xen_memory_reservation out;
	uint64_t nr_exchanged;	/* in: 0; out: extents of in exchanged */
};

/* Returns the highest mfn of RAM.  No argument. */
#define XENMEM_maximum_ram_page		2

/* Returns a number of frames; the argument points to a domid_t. */
#define XENMEM_current_reservation	3
#define XENMEM_maximum_reservation	4
/* Returns the highest pfn in use, as the guest says in shared_info. */
#define XENMEM_maximum_gpfn		14
struct xen_memory_domain {
	domid_t domid;
};

/*
 * The mfns of the machine-to-phys table, one per 2 MiB of table.  Refused:
 * -EOPNOTSUPP.
 */
#define XENMEM_machphys_mfn_list	5
struct xen_machphys_mfn_list {
	uint32_t max_extents;	/* room in extent_start */
	uint64_t extent_start;	/* guest pointer to uint64_t[], out */
	uint32_t nr_extents;	/* out: entries written */
};

/* Where a guest sees the machine-to-phys table. */
#define XENMEM_machphys_mapping		12
struct xen_machphys_mapping {
	uint64_t v_start, v_end;	/* out: virtual addresses */
	uint64_t max_mfn;		/* out: last index */
};

/* For translated guests; others get -ENOSYS. */
#define XENMEM_add_to_physmap		7
#define XENMEM_add_to_physmap_batch	23
#define XENMEM_remove_from_physmap	15
#define XENMAPSPACE_shared_info		0
#define XENMAPSPACE_grant_table		1
#define XENMAPSPACE_gmfn		2
#define XENMAPSPACE_gmfn_range		3
#define XENMAPSPACE_gmfn_foreign	4
#define XENMAPSPACE_dev_mmio		5
#define XENMAPIDX_grant_table_status	0x80000000
struct xen_add_to_physmap {
	domid_t domid;
	uint16_t size;		/* frames, gmfn_range only */
	uint32_t space;		/* XENMAPSPACE_* */
	uint64_t idx;
	uint64_t gpfn;
};

struct xen_remove_from_physmap {
	domid_t domid;
	uint64_t gpfn;
};

/* The domain's pseudo-physical memory map: -ENOSYS, none was set. */
#define XENMEM_memory_map		9
/* The machine's own, for the control domain. */
#define XENMEM_machine_memory_map	10
struct xen_memory_map {
	uint32_t nr_entries;	/* in: room in buffer; out: entries written */
	uint64_t buffer;	/* guest pointer, out: 20-byte E820 entries
				 * (base 64, size 64, type 32 bits) */
};

/* Sets what XENMEM_memory_map answers to a domain: -ENOSYS. */
#define XENMEM_set_memory_map		13
struct xen_foreign_memory_map {
	domid_t domid;
	struct xen_memory_map map;
};

/* Not available to PV guests or not at all here: -ENOSYS. */
#define XENMEM_set_pod_target		16
#define XENMEM_get_pod_target		17
#define XENMEM_get_sharing_freed_pages	18
#define XENMEM_get_sharing_shared_pages	19
#define XENMEM_paging_op		20
#define XENMEM_access_op		21
#define XENMEM_sharing_op		22
#define XENMEM_machphys_compat_mfn_list	25
#define XENMEM_get_vnumainfo		26
#define XENMEM_reserved_device_memory_map 27

/* Sets aside frames for a domain under construction: -ENOSYS. */
#define XENMEM_claim_pages		24

/* Frames of a domain's resource, for the tools to map: -EOPNOTSUPP. */
#define XENMEM_acquire_resource		28
#define XENMEM_resource_ioreq_server	0
#define XENMEM_resource_grant_table	1
#define XENMEM_resource_vmtrace_buf	2
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1
struct xen_mem_acquire_resource {
	domid_t domid;
	uint16_t type;		/* XENMEM_resource_* */
	uint32_t id;		/* grant_table: shared or status frames */
	uint32_t nr_frames;	/* in: how many; 0 with frame_list 0: size,
				 * out */
	uint32_t pad;		/* 0 */
	uint64_t frame;		/* index of the first */
	uint64_t frame_list;	/* guest pointer to uint64_t[]: out, mfns */
};

#endif
