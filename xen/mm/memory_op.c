/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memory_op: how much memory a domain has, and where.
 *
 * Invariant: whatever a call answers, the number of frames that a domain owns
 * is the number it was told of, and none of them was seen with somebody else's
 * data in it.  Frames come zeroed; frames go when their last use ends, which a
 * guest that maps what it gave back may delay but not avoid.
 *
 * Locks: none here.  The numbers have page_lock, inside pages.c.
 *
 * A hostile guest may give sizes whose product overflows, a forged progress
 * count in the command or in xen_memory_exchange (XSA-212, XSA-29), orders
 * that do not exist (XSA-31, XSA-158), lists that reach into our memory,
 * frames of others or in use, or change the lists meanwhile.  Every number is
 * bounded before it is used, every element is read once.  Nodes (XSA-231) are
 * not looked at.
 *
 * Long lists: a call stops between two extents and is repeated; how far it came
 * stands in the command above bit 6, for exchange in the guest's structure.
 *
 * Deliberately not here: a translated physmap, populate-on-demand, sharing and
 * paging, NUMA, claims and maps of guests' memory (tools do without: -ENOSYS).
 * Two refusals are -EOPNOTSUPP.  acquire_resource: tools map a grant table by
 * setup_table instead.  machphys_mfn_list, with which saving a guest begins:
 * so it fails before the guest has noticed anything.
 */
#include <mm/internal.h>
#include <boot/boot.h>
#include <dev/dev.h>
#include <entry/entry.h>
#include <hypercall-abi/memory.h>

#define EXTENT_SHIFT	6
#define CMD_MASK	((1UL << EXTENT_SHIFT) - 1)
/* What fits above the command in the 32 bits that tools pass. */
#define MAX_EXTENTS	(~0U >> EXTENT_SHIFT)
#define M2P_ENTRIES	((1UL << 38) / sizeof(u64))

/* One extent is done in one go: so are 2 MiB, or for Dom0 16 MiB. */
static unsigned int max_order(void)
{
	return current->domain->is_privileged ? 12 : 9;
}

/* d, held, if the caller may look at its memory and change it. */
static long target_get(domid_t id, struct domain **d)
{
	*d = domain_get_or_self(id);
	if (!*d)
		return deny(-XEN_ESRCH);
	if (*d == current->domain || current->domain->is_privileged)
		return 0;
	domain_put(*d);
	return deny(-XEN_EPERM);
}

/* A list of u64 of which elements first to nr - 1 will be touched. */
static bool list_ok(u64 list, u64 first, u64 nr)
{
	return nr <= 1UL << 60 && first <= nr &&
	       list + first * sizeof(u64) >= list &&
	       guest_range_ok(list + first * sizeof(u64),
			      (nr - first) * sizeof(u64));
}

/* --- reservations ---------------------------------------------------- */

/*
 * The owner's claim on the frames ends.  Pins and mappings stay (XSA-252), and
 * with them the frame.  The pages that we lend are not the guest's to give.
 */
static bool decrease_extent(struct domain *d, u64 mfn, unsigned int order)
{
	bool ok = true;

	for (u64 end = mfn + (1UL << order); ok && mfn != end; mfn++) {
		struct frame *f = mfn_get(MFN(mfn), d);

		ok = f && !(READ_ONCE(f->ref) & FRAME_XENHEAP) &&
		     frame_release_allocated(f);
		if (f)
			frame_put(f);
	}
	return ok;
}

/* In the slot stands a pfn, which gets memory, and then the mfn of that. */
static bool populate_extent(struct domain *d, u64 slot, u64 pfn,
			    const struct xen_memory_reservation *r)
{
	struct frame *f = alloc_domain_pages(d, r->extent_order,
		ALLOC_BITS(XENMEMF_get_address_bits(r->mem_flags)), pfn);

	if (!f)
		return false;
	if (!put_guest_u64(slot, frame_to_mfn(f).m))
		return true;
	/* Nobody knows of it; who maps it already keeps it. */
	decrease_extent(d, frame_to_mfn(f).m, r->extent_order);
	return false;
}

/* How many extents are done.  Anything wrong: no further one is. */
static long memory_reservation(unsigned int op, u64 done, u64 arg)
{
	struct xen_memory_reservation r;
	u64 start = done, x, slot;
	struct domain *d;

	if (copy_from_guest(&r, arg, sizeof(r)) ||
	    r.nr_extents > MAX_EXTENTS || done >= r.nr_extents ||
	    r.extent_order > max_order() ||
	    !list_ok(r.extent_start, done, r.nr_extents) ||
	    target_get(r.domid, &d))
		return deny((long)done);
	for (; done < r.nr_extents; done++) {
		if (preempt_check() && done != start)
			break;
		slot = r.extent_start + done * sizeof(u64);
		if (get_guest_u64(&x, slot) ||
		    !(op == XENMEM_decrease_reservation ?
		      decrease_extent(d, x, r.extent_order) :
		      populate_extent(d, slot, x, &r))) {
			r.nr_extents = done;
			break;
		}
	}
	domain_put(d);
	if (done == r.nr_extents)
		return (long)done;
	return hypercall_continue(__HYPERVISOR_memory_op, 2,
				  op | done << EXTENT_SHIFT, arg);
}

/* --- exchange -------------------------------------------------------- */

/*
 * The work is cut into chunks of 2^max(order) frames: so many extents of in
 * for one of out, or the reverse.  Frames on the way are of nobody, and linked
 * in two lists: those of in singly, those of out by extents, last one first.
 * The caller's domain cannot die in here: its end waits for its vCPUs.
 */
static long exchange_chunk(const struct xen_memory_exchange *x, u64 chunk)
{
	unsigned int in = x->in.extent_order, out = x->out.extent_order;
	u64 size = 1UL << max(in, out), start = chunk * size, mfn = 0, pfn;
	u32 flags = ALLOC_BITS(XENMEMF_get_address_bits(x->out.mem_flags));
	u32 stolen = NO_FRAME, taken = NO_FRAME;
	struct domain *d = current->domain;
	struct frame *f;
	long rc = 0;

	for (u64 i = start; !rc && i < start + size; i++, mfn++) {
		if (!(i & ((1UL << in) - 1)))
			rc = get_guest_u64(&mfn, x->in.extent_start +
						 (i >> in) * sizeof(u64));
		f = mfn_to_frame(MFN(mfn));
		if (!rc && (!mfn_valid(MFN(mfn)) || !page_steal(d, f)))
			rc = deny(-XEN_EINVAL);
		if (!rc)
			frame_list_add(&stolen, f);
	}
	/* New frames get their place in the frame map before they are d's. */
	for (u64 i = start >> out; !rc && i < (start + size) >> out; i++) {
		rc = get_guest_u64(&pfn, x->out.extent_start + i * sizeof(u64));
		f = rc ? NULL : pages_take(out, flags);
		if (f) {
			m2p_fill(f, out, pfn);
			frame_list_add(&taken, f);
		} else if (!rc) {
			rc = deny(-XEN_ENOMEM);
		}
	}
	if (rc) {		/* as if nothing had been */
		while ((f = frame_list_pop(&stolen)) != NULL)
			page_unsteal(f);
		while ((f = frame_list_pop(&taken)) != NULL)
			pages_give(f, out);
		return rc;
	}
	/* Cannot fail from here, but the guest may not get to know of it. */
	for (u64 i = (start + size) >> out; i-- > start >> out;) {
		f = frame_list_pop(&taken);
		pages_assign(d, f, out, false);
		if (put_guest_u64(x->out.extent_start + i * sizeof(u64),
				  frame_to_mfn(f).m))
			rc = deny(-XEN_EFAULT);
	}
	while ((f = frame_list_pop(&stolen)) != NULL)
		page_free_stolen(f);
	return rc;
}

/* Chunk by chunk; nr_exchanged is always exact. */
static long memory_exchange(u64 arg)
{
	struct xen_memory_exchange x;
	unsigned int in, out;
	u64 chunk, first;
	long rc = 0;

	if (copy_from_guest(&x, arg, sizeof(x)))
		return deny(-XEN_EFAULT);
	in = x.in.extent_order;
	out = x.out.extent_order;
	if (max(in, out) > max_order() ||
	    (x.in.domid != DOMID_SELF && x.in.domid != current->domain->id))
		return deny(-XEN_EPERM);
	if (x.nr_exchanged > x.in.nr_extents || x.in.domid != x.out.domid ||
	    x.in.nr_extents > ~0UL >> in || x.out.nr_extents > ~0UL >> out ||
	    x.in.nr_extents << in != x.out.nr_extents << out)
		return deny(-XEN_EINVAL);
	/* From extents of in to chunks, from those to extents of out. */
	in = max(in, out) - in;
	out = x.in.extent_order + in - out;
	first = chunk = x.nr_exchanged >> in;
	if (!list_ok(x.in.extent_start, chunk << in, x.in.nr_extents) ||
	    !list_ok(x.out.extent_start, chunk << out, x.out.nr_extents))
		return deny(-XEN_EFAULT);
	for (; !rc && chunk < x.in.nr_extents >> in; chunk += !rc)
		rc = preempt_check() && chunk != first ?
		     -XEN_ERESTART : exchange_chunk(&x, chunk);
	if (put_guest_u64(arg + offsetof(struct xen_memory_exchange,
					 nr_exchanged), chunk << in))
		return deny(-XEN_EFAULT);
	return rc == -XEN_ERESTART ?
	       hypercall_continue(__HYPERVISOR_memory_op, 2, XENMEM_exchange,
				  arg) : rc;
}

/* --- numbers and maps ------------------------------------------------ */

static long memory_stat(unsigned int op, u64 arg)
{
	struct xen_memory_domain m;
	struct domain *d;
	long rc;

	if (copy_from_guest(&m, arg, sizeof(m)))
		return deny(-XEN_EFAULT);
	rc = target_get(m.domid, &d);
	if (rc)
		return rc;
	/* The last: the guest says itself how many it has. */
	rc = op == XENMEM_current_reservation ? READ_ONCE(d->tot_pages) :
	     op == XENMEM_maximum_reservation ? READ_ONCE(d->max_pages) :
	     max(READ_ONCE(d->shared_info->arch.max_pfn), 1UL) - 1;
	domain_put(d);
	return rc;
}

/* Dom0 stays on this machine; others may come to one with more memory. */
static long machphys_mapping(u64 arg)
{
	struct xen_machphys_mapping m = {
		.v_start = M2P_RO_BASE,
		.v_end = M2P_RO_BASE + M2P_ENTRIES * sizeof(u64),
		.max_mfn = current->domain == dom0 ? max_mfn - 1
						   : M2P_ENTRIES - 1,
	};

	return copy_to_guest(arg, &m, sizeof(m)) ? deny(-XEN_EFAULT) : 0;
}

struct host_map {
	struct e820_entry e[E820_MAX + ARRAY_SIZE(acpi.ioapic) + 1];
	u32 nr;
};

/* What Dom0 must not use as a place for devices, unless the firmware's map
 * says so already. */
static void reserve(struct host_map *h, u64 base, u64 size)
{
	u32 i = h->nr;

	while (i && h->e[i - 1].base > base)
		i--;
	if (i && base - h->e[i - 1].base < h->e[i - 1].size)
		return;
	memmove(&h->e[i + 1], &h->e[i], (h->nr++ - i) * sizeof(h->e[0]));
	h->e[i] = (struct e820_entry){ base, size, E820_RESERVED };
}

/* The machine's own map for Dom0: the firmware's, the interrupt controllers,
 * and the addresses of messages. */
static long machine_memory_map(u64 arg)
{
	struct host_map h = { .nr = boot_info.nr_map };
	struct xen_memory_map m;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&m, arg, sizeof(m)))
		return deny(-XEN_EFAULT);
	memcpy(h.e, boot_info.map, sizeof(boot_info.map));
	for (unsigned int i = 0; i < acpi.nr_ioapic; i++)
		reserve(&h, acpi.ioapic[i].pa & PAGE_MASK, PAGE_SIZE);
	reserve(&h, 0xfee00000, 0x100000);
	if (m.nr_entries < h.nr)
		return deny(-XEN_EINVAL);
	m.nr_entries = h.nr;
	return copy_to_guest(m.buffer, h.e, h.nr * sizeof(h.e[0])) ||
	       copy_to_guest(arg, &m, sizeof(m)) ? deny(-XEN_EFAULT) : 0;
}

/* Hypercall 12. */
long do_memory_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	unsigned int op = cmd & CMD_MASK;
	u64 start = cmd >> EXTENT_SHIFT;

	if (op == XENMEM_decrease_reservation || op == XENMEM_populate_physmap)
		return memory_reservation(op, start, arg);
	if (start)
		return deny(-XEN_EINVAL);
	switch (op) {
	case XENMEM_exchange: return memory_exchange(arg);
	case XENMEM_maximum_ram_page: return (long)max_mfn;
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn: return memory_stat(op, arg);
	case XENMEM_machphys_mapping: return machphys_mapping(arg);
	case XENMEM_machine_memory_map: return machine_memory_map(arg);
	case XENMEM_machphys_mfn_list:
	case XENMEM_acquire_resource: return deny(-XEN_EOPNOTSUPP);
	default: return deny(-XEN_ENOSYS);
	}
}
