/* SPDX-License-Identifier: GPL-2.0 */
/* temporary */
#include <mm/internal.h>
#include <boot/boot.h>
#include <hypercall-abi/memory.h>

static long populate(struct domain *d, struct xen_memory_reservation *r)
{
	u64 i;
	for (i = 0; i < r->nr_extents; i++) {
		u64 pfn;
		if (copy_from_guest(&pfn, r->extent_start + i * 8, 8)) break;
		struct frame *f = alloc_domain_pages(d, r->extent_order, ALLOC_BITS(r->mem_flags & 0xff));
		if (!f) break;
		u64 m = frame_to_mfn(f).m;
		for (u64 k = 0; k < 1UL << r->extent_order; k++) m2p_set(MFN(m + k), pfn + k);
		if (copy_to_guest(r->extent_start + i * 8, &m, 8)) break;
	}
	return (long)i;
}
static long decrease(struct domain *d, struct xen_memory_reservation *r)
{
	u64 i;
	for (i = 0; i < r->nr_extents; i++) {
		u64 m;
		if (copy_from_guest(&m, r->extent_start + i * 8, 8)) break;
		for (u64 k = 0; k < 1UL << r->extent_order; k++) {
			struct frame *f = mfn_get(MFN(m + k), d);
			if (!f) return (long)i;
			m2p_set(MFN(m + k), M2P_INVALID);
			frame_release_allocated(f);
			frame_put(f);
		}
	}
	return (long)i;
}
long do_memory_op(u64 cmd, u64 arg, u64 a, u64 b, u64 c, u64 d)
{
	switch (cmd & 63) {
	case XENMEM_machphys_mapping: {
		struct xen_machphys_mapping m = { M2P_RO_BASE, M2P_RO_BASE + (1UL << 38), max_mfn };
		return copy_to_guest(arg, &m, sizeof(m));
	}
	case XENMEM_maximum_ram_page: return (long)max_mfn;
	case XENMEM_current_reservation: case XENMEM_maximum_reservation: {
		domid_t id; struct domain *t; long r;
		if (copy_from_guest(&id, arg, 2)) return -XEN_EFAULT;
		t = domain_get_or_self(id);
		if (!t) return -XEN_ESRCH;
		r = (cmd & 63) == XENMEM_current_reservation ? (long)t->tot_pages : (long)t->max_pages;
		domain_put(t);
		return r;
	}
	case XENMEM_machine_memory_map: {
		struct xen_memory_map m; unsigned int n = boot_info.nr_map;
		struct e820_entry ap[2] = { { 0xfec00000, 0x1000, 2 }, { 0xfee00000, 0x1000, 2 } };
		if (copy_from_guest(&m, arg, sizeof(m))) return -XEN_EFAULT;
		n = min(n, m.nr_entries);
		if (copy_to_guest(m.buffer, boot_info.map, n * 20)) return -XEN_EFAULT;
		for (int i = 0; i < 2 && n < m.nr_entries; i++, n++)
			if (copy_to_guest(m.buffer + n * 20, &ap[i], 20)) return -XEN_EFAULT;
		m.nr_entries = n;
		return copy_to_guest(arg, &m, sizeof(m));
	}
	case XENMEM_populate_physmap: case XENMEM_decrease_reservation: {
		struct xen_memory_reservation r; struct domain *t; long rc;
		if (copy_from_guest(&r, arg, sizeof(r))) return 0;
		t = domain_get_or_self(r.domid);
		if (!t) return 0;
		rc = (cmd & 63) == 1 ? decrease(t, &r) : populate(t, &r);
		domain_put(t);
		return rc;
	}
	case XENMEM_claim_pages: return 0;
	case XENMEM_maximum_gpfn: return 0;
	case XENMEM_acquire_resource: {
		struct xen_mem_acquire_resource q; struct domain *t; long rc; u64 mfns[64];
		if (copy_from_guest(&q, arg, sizeof(q))) return -XEN_EFAULT;
		t = domain_get_or_self(q.domid);
		if (!t) return -XEN_ESRCH;
		if (q.type != 1 || q.id) { domain_put(t); return -XEN_EOPNOTSUPP; }
		if (!q.nr_frames) { q.nr_frames = grant_table_max_frames(t); domain_put(t); return copy_to_guest(arg, &q, sizeof(q)); }
		rc = q.nr_frames > 64 ? -XEN_E2BIG : grant_table_frames(t, (unsigned)q.frame, q.nr_frames, mfns);
		domain_put(t);
		if (!rc) rc = copy_to_guest(q.frame_list, mfns, q.nr_frames * 8);
		return rc;
	}
	}
	return -XEN_ENOSYS;
}
