/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memory_op: how much memory a domain has, and where.
 *
 * Invariant: whatever a call answers, the number of frames that a domain owns
 * is the number it was told of, and none of them was seen with somebody else's
 * data in it.  Frames come zeroed; frames go when their last use ends, which a
 * guest that maps what it gave back may delay but not avoid.
 *
 * Locks: none here.  The lists and numbers have page_lock, inside pages.c; the
 * memory map set by the tools has domain.lock.
 *
 * A hostile guest may give sizes whose product overflows, a forged progress
 * count in the command or in xen_memory_exchange (XSA-212, XSA-29), orders and
 * nodes that do not exist (XSA-31, XSA-158, XSA-231), lists that reach into
 * our memory, frames of others or in use, or change the lists meanwhile.
 * Every number is bounded before it is used, every element is read once.
 *
 * Long lists: a call stops between two extents and is repeated; how far it came
 * stands in the command above bit 6, for exchange in the guest's structure.
 *
 * Deliberately not here: a translated physmap, populate-on-demand, sharing and
 * paging, NUMA.  A claim is an answer to "is there room now", no promise.
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
/* One extent is done in one go: so are 2 MiB, or for Dom0 16 MiB. */
#define GUEST_MAX_ORDER	9
#define DOM0_MAX_ORDER	12
#define MAX_NODES	64
#define GUEST_E820_MAX	1024

/* d, held, if the caller may look at its memory and change it. */
static long target_get(domid_t id, struct domain **d)
{
	*d = domain_get_or_self(id);
	if (!*d)
		return deny(-XEN_ESRCH);
	if (*d != current->domain && !current->domain->is_privileged) {
		domain_put(*d);
		return deny(-XEN_EPERM);
	}
	return 0;
}

static unsigned int max_order(void)
{
	return current->domain->is_privileged ? DOM0_MAX_ORDER
					      : GUEST_MAX_ORDER;
}

/* A list of u64 of which elements first to nr - 1 will be touched. */
static bool list_ok(u64 list, u64 first, u64 nr)
{
	return nr <= 1UL << 60 && first <= nr &&
	       list + first * sizeof(u64) >= list &&
	       guest_range_ok(list + first * sizeof(u64),
			      (nr - first) * sizeof(u64));
}

/* The allocator's flags.  There is one node, and its number is 0. */
static bool flags_of(u32 mem_flags, u32 *flags)
{
	u32 bits = XENMEMF_get_address_bits(mem_flags);
	u32 node = XENMEMF_get_node(mem_flags);

	*flags = 0;
	if (bits && bits < (u32)fls64(max_mfn) + 1 + PAGE_SHIFT) {
		if (bits <= PAGE_SHIFT)
			return false;
		*flags = ALLOC_BITS(bits);
	}
	/* No virtual nodes either: then the number means nothing. */
	if (mem_flags & XENMEMF_vnode || node == 0xff)
		return true;
	if (mem_flags & XENMEMF_exact_node_request)
		return current->domain->is_privileged && !node;
	return !current->domain->is_privileged || node < MAX_NODES;
}

static void m2p_fill(mfn_t mfn, unsigned int order, u64 pfn)
{
	for (u64 i = 0; i < 1UL << order; i++)
		m2p_set(MFN(mfn.m + i), pfn + i);
}

/* --- reservations ---------------------------------------------------- */

struct extents {
	struct domain *d;
	u64 list;		/* guest pointer, 0: none */
	unsigned int order;
	u32 flags;
};

/* Takes back what was given a moment ago; who maps it already keeps it. */
static void extent_release(struct domain *d, struct frame *f,
			   unsigned int order)
{
	for (u64 i = 0; i < 1UL << order; i++) {
		if (!frame_get(&f[i], d))
			continue;
		frame_release_allocated(&f[i]);
		frame_put(&f[i]);
	}
}

static bool increase_one(const struct extents *x, u64 i)
{
	struct frame *f = alloc_domain_pages(x->d, x->order, x->flags);

	if (!f)
		return false;
	if (!x->list || !put_guest_u64(x->list + i * sizeof(u64),
				       frame_to_mfn(f).m))
		return true;
	extent_release(x->d, f, x->order);
	return false;
}

static bool populate_one(const struct extents *x, u64 i)
{
	struct frame *f;
	u64 pfn;

	if (get_guest_u64(&pfn, x->list + i * sizeof(u64)))
		return false;
	f = alloc_domain_pages(x->d, x->order, x->flags);
	if (!f)
		return false;
	m2p_fill(frame_to_mfn(f), x->order, pfn);
	if (!put_guest_u64(x->list + i * sizeof(u64), frame_to_mfn(f).m))
		return true;
	extent_release(x->d, f, x->order);
	return false;
}

/*
 * The owner's claim on the frame ends.  Pins and mappings stay (XSA-252), and
 * with them the frame.  The pages that we lend are not the guest's to give.
 */
static bool decrease_frame(struct domain *d, u64 mfn)
{
	struct frame *f = mfn_get(MFN(mfn), d);
	bool ok;

	if (!f)
		return false;
	ok = !(READ_ONCE(f->ref) & FRAME_XENHEAP) &&
	     frame_release_allocated(f);
	frame_put(f);
	return ok;
}

static bool decrease_one(const struct extents *x, u64 i)
{
	u64 mfn;

	if (get_guest_u64(&mfn, x->list + i * sizeof(u64)) ||
	    mfn >= max_mfn)
		return false;
	for (u64 k = 0; k < 1UL << x->order; k++)
		if (!decrease_frame(x->d, mfn + k))
			return false;
	return true;
}

/* The caller may change d's memory; *r is checked but for the list's content.
 * How many extents are done, or a continuation. */
static long reservation(unsigned int op, u64 done, u64 arg,
			const struct xen_memory_reservation *r,
			const struct extents *x)
{
	static bool (*const one[])(const struct extents *, u64) = {
		[XENMEM_increase_reservation] = increase_one,
		[XENMEM_decrease_reservation] = decrease_one,
		[XENMEM_populate_physmap] = populate_one,
	};
	u64 start = done;

	for (; done < r->nr_extents; done++) {
		if (done != start && preempt_check())
			return hypercall_continue(__HYPERVISOR_memory_op, 2,
						  op | done << EXTENT_SHIFT,
						  arg);
		if (!one[op](x, done))
			break;
	}
	return (long)done;
}

/* Anything wrong: no further extent is done. */
static long memory_reservation(unsigned int op, u64 done, u64 arg)
{
	struct xen_memory_reservation r;
	struct extents x;
	long rc = (long)done;

	if (copy_from_guest(&r, arg, sizeof(r)) ||
	    r.nr_extents > MAX_EXTENTS || done >= r.nr_extents ||
	    r.extent_order > max_order() ||
	    r.mem_flags & XENMEMF_populate_on_demand ||
	    !flags_of(r.mem_flags, &x.flags))
		return deny(rc);
	x.list = r.extent_start;
	x.order = r.extent_order;
	if ((x.list || op != XENMEM_increase_reservation) &&
	    !list_ok(x.list, done, r.nr_extents))
		return deny(rc);
	if (target_get(r.domid, &x.d))
		return rc;
	rc = reservation(op, done, arg, &r, &x);
	domain_put(x.d);
	return rc;
}

/* --- exchange -------------------------------------------------------- */

/*
 * The work is cut into chunks of 2^max(order) frames: so many extents of in
 * for one of out, or the reverse.  Frames on the way are of nobody, and linked
 * by frame.next: those of in singly, those of out by extents.
 */
struct exchange {
	struct domain *d;
	struct xen_memory_exchange x;
	unsigned int in_per_chunk, out_per_chunk;	/* log 2 */
	u32 flags;
	u32 stolen, taken;		/* heads of the lists, NO_FRAME: empty */
};

static void chain(u32 *head, struct frame *f)
{
	f->next = *head;
	*head = (u32)frame_to_mfn(f).m;
}

static struct frame *unchain(u32 *head)
{
	struct frame *f = mfn_to_frame(MFN(*head));

	*head = f->next;
	return f;
}

static long steal_extent(struct exchange *e, u64 index)
{
	u64 mfn;

	if (get_guest_u64(&mfn, e->x.in.extent_start + index * sizeof(u64)))
		return deny(-XEN_EFAULT);
	for (u64 k = 0; k < 1UL << e->x.in.extent_order; k++) {
		struct frame *f;

		if (mfn >= max_mfn || !mfn_valid(MFN(mfn + k)))
			return deny(-XEN_EINVAL);
		f = mfn_to_frame(MFN(mfn + k));
		if (!page_steal(e->d, f))
			return deny(-XEN_EINVAL);
		chain(&e->stolen, f);
	}
	return 0;
}

/* The new frames get their place in the frame map before they are d's. */
static long take_extent(struct exchange *e, u64 index)
{
	struct frame *f;
	u64 pfn;

	if (get_guest_u64(&pfn, e->x.out.extent_start + index * sizeof(u64)))
		return deny(-XEN_EFAULT);
	f = pages_take(e->x.out.extent_order, e->flags);
	if (!f)
		return deny(-XEN_ENOMEM);
	m2p_fill(frame_to_mfn(f), e->x.out.extent_order, pfn);
	chain(&e->taken, f);
	return 0;
}

/* As if nothing had been.  A domain that dies meanwhile may have missed what
 * we put back on its list. */
static void put_back(struct exchange *e)
{
	while (e->stolen != NO_FRAME) {
		struct frame *f = unchain(&e->stolen);

		page_unsteal(e->d, f);
		smp_mb();
		if (READ_ONCE(e->d->is_dying) && frame_get(f, e->d)) {
			frame_release_allocated(f);
			frame_put(f);
		}
	}
	while (e->taken != NO_FRAME) {
		struct frame *f = unchain(&e->taken);

		for (u64 i = 0; i < 1UL << e->x.out.extent_order; i++)
			m2p_set(MFN(frame_to_mfn(f).m + i), M2P_INVALID);
		pages_give(f, e->x.out.extent_order);
	}
}

/*
 * Frame for frame, so that d's number of pages stays right even if d dies in
 * the middle.  The list of taken extents is in reverse order.
 */
static long commit_chunk(struct exchange *e, u64 first)
{
	u64 n = 1UL << e->x.out.extent_order;
	u64 index = first + (1UL << e->out_per_chunk);
	long rc = 0;

	while (e->taken != NO_FRAME) {
		struct frame *f = mfn_to_frame(MFN(e->taken));
		u32 rest = f->next;

		if (pages_assign(e->d, f, e->x.out.extent_order, false))
			return deny(-XEN_EINVAL);
		e->taken = rest;
		for (u64 i = 0; i < n; i++)
			page_free_stolen(unchain(&e->stolen));
		index--;
		if (put_guest_u64(e->x.out.extent_start + index * sizeof(u64),
				  frame_to_mfn(f).m))
			rc = deny(-XEN_EFAULT);
	}
	return rc;
}

static long exchange_chunk(struct exchange *e, u64 chunk)
{
	u64 in = chunk << e->in_per_chunk, out = chunk << e->out_per_chunk;
	long rc = 0;

	for (u64 j = 0; !rc && j < 1UL << e->in_per_chunk; j++)
		rc = steal_extent(e, in + j);
	for (u64 j = 0; !rc && j < 1UL << e->out_per_chunk; j++)
		rc = take_extent(e, out + j);
	if (!rc)
		rc = commit_chunk(e, out);
	if (rc)
		put_back(e);
	return rc;
}

/* Sizes that fit each other, and lists that lie outside our memory. */
static long exchange_check(struct exchange *e)
{
	const struct xen_memory_exchange *x = &e->x;
	unsigned int in = x->in.extent_order, out = x->out.extent_order;
	u64 done;

	if (max(in, out) > max_order())
		return deny(-XEN_EPERM);
	if (x->nr_exchanged > x->in.nr_extents ||
	    x->in.domid != x->out.domid ||
	    x->in.nr_extents > ~0UL >> in || x->out.nr_extents > ~0UL >> out ||
	    x->in.nr_extents << in != x->out.nr_extents << out)
		return deny(-XEN_EINVAL);
	e->in_per_chunk = out > in ? out - in : 0;
	e->out_per_chunk = in > out ? in - out : 0;
	done = x->nr_exchanged >> e->in_per_chunk;
	if (!list_ok(x->in.extent_start, done << e->in_per_chunk,
		     x->in.nr_extents) ||
	    !list_ok(x->out.extent_start, done << e->out_per_chunk,
		     x->out.nr_extents))
		return deny(-XEN_EFAULT);
	return flags_of(x->out.mem_flags, &e->flags) ? 0 : deny(-XEN_EINVAL);
}

/* Chunk by chunk; x.nr_exchanged is always exact.  -XEN_ERESTART: later. */
static long exchange_chunks(struct exchange *e)
{
	u64 chunk = e->x.nr_exchanged >> e->in_per_chunk, first = chunk;
	long rc = 0;

	for (; chunk < e->x.in.nr_extents >> e->in_per_chunk; chunk++) {
		if (chunk != first && preempt_check()) {
			rc = -XEN_ERESTART;
			break;
		}
		rc = exchange_chunk(e, chunk);
		if (rc)
			break;
	}
	e->x.nr_exchanged = chunk << e->in_per_chunk;
	return rc;
}

static long memory_exchange(u64 arg)
{
	struct exchange e = { .stolen = NO_FRAME, .taken = NO_FRAME };
	long rc;

	if (copy_from_guest(&e.x, arg, sizeof(e.x)))
		return deny(-XEN_EFAULT);
	rc = exchange_check(&e);
	if (rc || e.x.nr_exchanged == e.x.in.nr_extents)
		return rc;
	rc = target_get(e.x.in.domid, &e.d);
	if (rc)
		return rc;
	rc = exchange_chunks(&e);
	domain_put(e.d);
	if (put_guest_u64(arg + offsetof(struct xen_memory_exchange,
					 nr_exchanged), e.x.nr_exchanged))
		return deny(-XEN_EFAULT);
	if (rc == -XEN_ERESTART)
		return hypercall_continue(__HYPERVISOR_memory_op, 2,
					  XENMEM_exchange, arg);
	return rc;
}

/* --- numbers --------------------------------------------------------- */

/* The guest says itself which pfn is its highest. */
static long maximum_gpfn(const struct domain *d)
{
	u64 n = d->shared_info ? READ_ONCE(d->shared_info->arch.max_pfn) : 0;

	return n ? (long)(n - 1) : 0;
}

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
	if (op == XENMEM_current_reservation)
		rc = (long)READ_ONCE(d->tot_pages);
	else if (op == XENMEM_maximum_reservation)
		rc = (long)READ_ONCE(d->max_pages);
	else
		rc = maximum_gpfn(d);
	domain_put(d);
	return rc;
}

/* Is there room for d to have nr pages?  0 takes a claim back. */
static long claim_check(const struct domain *d, u64 nr)
{
	u64 have = READ_ONCE(d->tot_pages);

	if (!nr)
		return 0;
	if (d->is_dying || nr <= have || nr > READ_ONCE(d->max_pages))
		return deny(-XEN_EINVAL);
	return nr - have > free_page_count() ? deny(-XEN_ENOMEM) : 0;
}

static long memory_claim(u64 arg)
{
	struct xen_memory_reservation r;
	struct domain *d;
	long rc;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return deny(-XEN_EFAULT);
	if (r.extent_start || r.extent_order || r.mem_flags)
		return deny(-XEN_EINVAL);
	d = domain_get(r.domid);
	if (!d)
		return deny(-XEN_EINVAL);
	rc = current->domain->is_privileged ? claim_check(d, r.nr_extents)
					    : deny(-XEN_EPERM);
	domain_put(d);
	return rc;
}

/* --- where the machine-to-phys table is ------------------------------ */

#define M2P_ENTRIES	((1UL << 38) / sizeof(u64))
#define M2P_PER_CHUNK	((2UL << 20) / sizeof(u64))

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

/* Tools map all of it at once, so a hole shows the chunk before it. */
static long machphys_mfn_list(u64 arg)
{
	struct xen_machphys_mfn_list l;
	u64 chunk = 0;
	u32 i;

	if (copy_from_guest(&l, arg, sizeof(l)))
		return deny(-XEN_EFAULT);
	for (i = 0; i < l.max_extents && i * M2P_PER_CHUNK < max_mfn; i++) {
		m2p_chunk(i * M2P_PER_CHUNK, &chunk);
		if (put_guest_u64(l.extent_start + i * sizeof(u64), chunk))
			return deny(-XEN_EFAULT);
	}
	return put_guest_u32(arg + offsetof(struct xen_machphys_mfn_list,
					    nr_extents), i)
	       ? deny(-XEN_EFAULT) : 0;
}

/* --- memory maps ----------------------------------------------------- */

/* Entries go to the guest; copies of what a domain was given. */
static long set_memory_map(u64 arg)
{
	struct xen_foreign_memory_map m;
	struct e820_entry *map, *old;
	struct domain *d;
	long rc;

	if (copy_from_guest(&m, arg, sizeof(m)))
		return deny(-XEN_EFAULT);
	if (m.map.nr_entries > GUEST_E820_MAX)
		return deny(-XEN_EINVAL);
	rc = target_get(m.domid, &d);
	if (rc)
		return rc;
	map = heap_alloc(m.map.nr_entries * sizeof(*map));
	if (!map)
		rc = deny(-XEN_ENOMEM);
	else if (copy_from_guest(map, m.map.buffer,
				 m.map.nr_entries * sizeof(*map)))
		rc = deny(-XEN_EFAULT);
	if (!rc) {
		spin_lock(&d->lock);
		old = d->e820;
		d->e820 = map;
		d->nr_e820 = m.map.nr_entries;
		spin_unlock(&d->lock);
		map = old;
	}
	heap_free(map);
	domain_put(d);
	return rc;
}

/* Writes map back: the number of entries is what changed. */
static long put_entries(u64 arg, u32 nr)
{
	return put_guest_u32(arg + offsetof(struct xen_memory_map, nr_entries),
			     nr) ? deny(-XEN_EFAULT) : 0;
}

static long memory_map(u64 arg)
{
	struct domain *d = current->domain;
	struct xen_memory_map m;
	long rc = 0;

	if (copy_from_guest(&m, arg, sizeof(m)))
		return deny(-XEN_EFAULT);
	spin_lock(&d->lock);
	if (!d->nr_e820)
		rc = -XEN_ENOSYS;
	m.nr_entries = min(m.nr_entries, d->nr_e820);
	if (!rc && copy_to_guest(m.buffer, d->e820,
				 m.nr_entries * sizeof(*d->e820)))
		rc = deny(-XEN_EFAULT);
	spin_unlock(&d->lock);
	return rc ? rc : put_entries(arg, m.nr_entries);
}

/* The machine's map for Dom0: all that covers an address, then the result. */
#define HOST_PIECES	(E820_MAX + ARRAY_SIZE(acpi.ioapic) + 2)
struct host_map {
	struct e820_entry in[HOST_PIECES], out[2 * HOST_PIECES];
	u64 edge[2 * HOST_PIECES];
	unsigned int nr_in, nr_edge, nr_out;
};

static void edge_add(struct host_map *h, u64 at)
{
	unsigned int i = h->nr_edge++;

	for (; i && h->edge[i - 1] > at; i--)
		h->edge[i] = h->edge[i - 1];
	h->edge[i] = at;
}

static void host_map_add(struct host_map *h, u64 base, u64 size, u32 type)
{
	if (!size || base + size < base)
		return;
	h->in[h->nr_in++] = (struct e820_entry){ base, size, type };
	edge_add(h, base);
	edge_add(h, base + size);
}

/* Of overlapping entries the highest type counts: RAM least. */
static u32 type_at(const struct host_map *h, u64 at)
{
	u32 type = 0;

	for (unsigned int i = 0; i < h->nr_in; i++)
		if (at >= h->in[i].base && at - h->in[i].base < h->in[i].size)
			type = max(type, h->in[i].type);
	return type;
}

/* Sorted and without overlaps; neighbours of one type become one. */
static void host_map_resolve(struct host_map *h)
{
	struct e820_entry *last = NULL;

	for (unsigned int i = 0; i + 1 < h->nr_edge; i++) {
		u64 base = h->edge[i], size = h->edge[i + 1] - base;
		u32 type = size ? type_at(h, base) : 0;

		if (!type)
			continue;
		if (last && last->type == type &&
		    last->base + last->size == base) {
			last->size += size;
			continue;
		}
		last = &h->out[h->nr_out++];
		*last = (struct e820_entry){ base, size, type };
	}
}

/* The firmware's map, and what Dom0 must not use as a place for devices: the
 * interrupt controllers and the addresses of messages. */
static void host_map_collect(struct host_map *h)
{
	for (unsigned int i = 0; i < boot_info.nr_map; i++)
		host_map_add(h, boot_info.map[i].base, boot_info.map[i].size,
			     boot_info.map[i].type);
	for (unsigned int i = 0; i < acpi.nr_ioapic; i++)
		host_map_add(h, acpi.ioapic[i].address & PAGE_MASK, PAGE_SIZE,
			     E820_RESERVED);
	host_map_add(h, acpi.lapic & PAGE_MASK, PAGE_SIZE, E820_RESERVED);
	host_map_add(h, 0xfee00000, 0x100000, E820_RESERVED);
	host_map_resolve(h);
}

static long machine_memory_map(u64 arg)
{
	struct xen_memory_map m;
	struct host_map *h;
	long rc = 0;
	u32 nr;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&m, arg, sizeof(m)))
		return deny(-XEN_EFAULT);
	h = heap_alloc(sizeof(*h));
	if (!h)
		return deny(-XEN_ENOMEM);
	host_map_collect(h);
	nr = h->nr_out;
	if (m.buffer && m.nr_entries < nr)
		rc = deny(-XEN_EINVAL);
	else if (m.buffer && copy_to_guest(m.buffer, h->out,
					   nr * sizeof(*h->out)))
		rc = deny(-XEN_EFAULT);
	heap_free(h);
	return rc ? rc : put_entries(arg, nr);
}

/* --- what only translated guests have -------------------------------- */

/* All guests are PV: after the checks of the arguments, no. */
static long physmap(unsigned int op, u64 start, u64 arg)
{
	struct xen_add_to_physmap a = { .space = 0 };
	size_t size = op == XENMEM_remove_from_physmap ?
		      sizeof(a.domid) : offsetof(struct xen_add_to_physmap, idx);
	struct domain *d;

	if (op == XENMEM_remove_from_physmap ? start != 0 : start > 0xffff)
		return deny(op == XENMEM_remove_from_physmap ? -XEN_EINVAL
							     : -XEN_EDOM);
	if (copy_from_guest(&a, arg, size))
		return deny(-XEN_EFAULT);
	if (op == XENMEM_add_to_physmap && a.space == XENMAPSPACE_gmfn_foreign)
		return deny(-XEN_ENOSYS);
	d = domain_get_or_self(a.domid);
	if (!d)
		return deny(-XEN_ESRCH);
	domain_put(d);
	return deny(-XEN_EACCES);
}

/* --- a domain's resources, for the tools ----------------------------- */

/* Frames at a time: between two portions the call may be interrupted. */
#define RESOURCE_CHUNK	32

static u32 resource_size(const struct domain *d, u32 type, u32 id)
{
	return type == XENMEM_resource_grant_table &&
	       id == XENMEM_resource_grant_table_id_shared ?
	       grant_table_max_frames(d) : 0;
}

static long resource_frames(struct domain *d, u64 arg, u64 done,
			    const struct xen_mem_acquire_resource *r)
{
	u64 mfns[RESOURCE_CHUNK], start = done;

	while (done < r->nr_frames) {
		u32 n = (u32)min(r->nr_frames - done, (u64)RESOURCE_CHUNK);
		long rc;

		if (done != start && preempt_check())
			return hypercall_continue(__HYPERVISOR_memory_op, 2,
						  XENMEM_acquire_resource |
						  done << EXTENT_SHIFT, arg);
		rc = grant_table_frames(d, (u32)(r->frame + done), n, mfns);
		if (rc)
			return rc;
		if (copy_to_guest(r->frame_list + done * sizeof(*mfns), mfns,
				  n * sizeof(*mfns)))
			return deny(-XEN_EFAULT);
		done += n;
	}
	return 0;
}

/* frame and nr_frames are 32 bits and do not overflow in sum. */
static long resource_of(struct domain *d, u64 arg, u64 done,
			const struct xen_mem_acquire_resource *r)
{
	u32 size = resource_size(d, r->type, r->id);

	if (r->type > XENMEM_resource_vmtrace_buf)
		return deny(-XEN_EOPNOTSUPP);
	if (!size)
		return deny(-XEN_EINVAL);
	if (r->frame_list) {
		if (done >= r->nr_frames || r->nr_frames > MAX_EXTENTS ||
		    !list_ok(r->frame_list, done, r->nr_frames))
			return deny(-XEN_EINVAL);
		return resource_frames(d, arg, done, r);
	}
	if (r->nr_frames || done)
		return deny(-XEN_EINVAL);
	return put_guest_u32(arg + offsetof(struct xen_mem_acquire_resource,
					    nr_frames), size)
	       ? deny(-XEN_EFAULT) : 0;
}

static long acquire_resource(u64 done, u64 arg)
{
	struct xen_mem_acquire_resource r;
	struct domain *d;
	long rc;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return deny(-XEN_EFAULT);
	if (r.pad || r.frame >> 32 || (r.frame + r.nr_frames) >> 32)
		return deny(-XEN_EINVAL);
	d = domain_get(r.domid);
	if (!d)
		return deny(-XEN_ESRCH);
	if (d == current->domain || !current->domain->is_privileged)
		rc = deny(-XEN_EPERM);
	else
		rc = resource_of(d, arg, done, &r);
	domain_put(d);
	return rc;
}

/* --- dispatch -------------------------------------------------------- */

/* Those that are not interrupted: nothing may stand above the command. */
static long memory_op_simple(unsigned int op, u64 arg)
{
	switch (op) {
	case XENMEM_exchange:
		return memory_exchange(arg);
	case XENMEM_maximum_ram_page:
		return (long)max_mfn;
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn:
		return memory_stat(op, arg);
	case XENMEM_claim_pages:
		return memory_claim(arg);
	case XENMEM_machphys_mapping:
		return machphys_mapping(arg);
	case XENMEM_machphys_mfn_list:
		return machphys_mfn_list(arg);
	case XENMEM_set_memory_map:
		return set_memory_map(arg);
	case XENMEM_memory_map:
		return memory_map(arg);
	case XENMEM_machine_memory_map:
		return machine_memory_map(arg);
	case XENMEM_get_vnumainfo:
		return deny(-XEN_EOPNOTSUPP);
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* Hypercall 12. */
long do_memory_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	unsigned int op = cmd & CMD_MASK;
	u64 start = cmd >> EXTENT_SHIFT;

	switch (op) {
	case XENMEM_increase_reservation:
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		return memory_reservation(op, start, arg);
	case XENMEM_add_to_physmap:
	case XENMEM_add_to_physmap_batch:
	case XENMEM_remove_from_physmap:
		return physmap(op, start, arg);
	case XENMEM_acquire_resource:
		return acquire_resource(start, arg);
	default:
		return start ? deny(-XEN_EINVAL) : memory_op_simple(op, arg);
	}
}
