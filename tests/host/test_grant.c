/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Grants: map, unmap, copy and the table operations with good and wild
 * arguments, every status, races inside a batch, exhaustion and teardown.
 * After each case, and along a random walk, every frame's references must
 * equal what grant_for_each_mapping() accounts for.
 */
#include "test.h"
#include "world.h"
#include <grant/table.h>

#define NR_FRAMES	1024
#define FIRST_GUEST	512	/* below: ours; from here 100 per domain */
#define NR_SLOTS	256

static u64 slot[WORLD_DOMAINS][NR_SLOTS];	/* L1 entries, by VA or address */
static bool unflushed;
static unsigned int flushes;
static int map_fails;
static bool accessed = true;	/* new entries are used at once */

/* --- a small mm/ --------------------------------------------------------- */

static struct frame *frame(u64 mfn)
{
	return mfn_to_frame(MFN(mfn));
}

static u64 guest_frame(unsigned int dom, unsigned int i)
{
	return FIRST_GUEST + dom * 100 + i;
}

static u32 refs(u64 mfn)
{
	return frame(mfn)->ref & FRAME_COUNT_MASK;
}

static u32 types(u64 mfn)
{
	return frame(mfn)->type & TYPE_COUNT_MASK;
}

bool frame_get(struct frame *f, const struct domain *d)
{
	if (!(f->ref & FRAME_COUNT_MASK) || frame_owner(f) != d->id)
		return false;
	f->ref++;
	return true;
}

void frame_put(struct frame *f)
{
	if (!(f->ref & FRAME_COUNT_MASK) || unflushed)
		abort();
	f->ref--;
}

int frame_get_type(struct frame *f, struct domain *d, u64 type)
{
	if (!frame_get(f, d))
		return -XEN_EINVAL;
	if ((f->type & TYPE_COUNT_MASK) && (f->type & TYPE_MASK) != type) {
		f->ref--;
		return -XEN_EBUSY;
	}
	f->type = type | ((f->type & TYPE_COUNT_MASK) + 1);
	return 0;
}

void frame_put_type(struct frame *f)
{
	if (!(f->type & TYPE_COUNT_MASK))
		abort();
	f->type--;
	frame_put(f);
}

void frame_share(void *page, struct domain *d)
{
	virt_to_frame(page)->ref = (u64)d->id << FRAME_OWNER_SHIFT |
				   FRAME_XENHEAP | 1;
}

void frame_unshare(void *page)
{
	if (refs(virt_to_mfn(page).m) == 1)
		free_page(page);
}

void *alloc_pages(unsigned int order, u32 flags)
{
	if (host_alloc_left == 0)
		return NULL;
	if (host_alloc_left > 0)
		host_alloc_left--;
	for (u64 m = 1; m < FIRST_GUEST; m++) {
		if (refs(m))
			continue;
		host_allocated++;
		frame(m)->ref = 1 | (u64)DOMID_XEN << FRAME_OWNER_SHIFT;
		return memset(mfn_to_virt(MFN(m)), 0, PAGE_SIZE);
	}
	return NULL;
}

void free_pages(void *p, unsigned int order)
{
	virt_to_frame(p)->ref = 0;
	host_allocated--;
}

static u64 *slot_of(u64 addr)
{
	addr -= 0x10000;
	if (addr % PAGE_SIZE || addr / PAGE_SIZE >= NR_SLOTS)
		return NULL;
	return &slot[current->domain->id][addr / PAGE_SIZE];
}

static u64 va(unsigned int i)
{
	return 0x10000 + i * PAGE_SIZE;
}

int ptype_map_grant(struct vcpu *v, u64 addr, bool by_pte, u64 pte)
{
	u64 *s = slot_of(addr);

	BUG_ON(host_locks_held);
	if (!s || map_fails)
		return -XEN_EINVAL;
	CHECK(!(pte & PTE_A));
	*s = pte | PTE_GRANT | (accessed ? PTE_A : 0);
	return 0;
}

int ptype_unmap_grant(struct vcpu *v, u64 addr, bool by_pte, mfn_t mfn,
		      u64 *old_pte)
{
	u64 *s = slot_of(addr);

	BUG_ON(host_locks_held);
	if (!s || !(*s & PTE_GRANT) ||
	    (*s & PTE_ADDR_MASK) >> PAGE_SHIFT != mfn.m)
		return -XEN_EINVAL;
	*old_pte = *s;
	*s = 0;
	unflushed |= *old_pte & PTE_A;
	return 0;
}

void tlb_flush_mask(cpumask_t mask, u64 addr)
{
	unflushed = false;
	flushes++;
}

/* --- helpers ------------------------------------------------------------- */

static struct grant_entry_v1 *entry(unsigned int dom, u32 ref)
{
	return &world_dom[dom].grant->frame[ref / 512].shared[ref % 512];
}

static void lend(unsigned int dom, u32 ref, domid_t to, u64 mfn, u16 more)
{
	*entry(dom, ref) = (struct grant_entry_v1){
		.flags = GTF_permit_access | more, .domid = to, .frame = mfn };
}

static void setup_limits(u32 frames, u32 maptrack)
{
	world_make();
	memset(slot, 0, sizeof(slot));
	for (u64 m = FIRST_GUEST; m < NR_FRAMES; m++)
		*frame(m) = (struct frame){ 0 };
	for (int i = 0; i < WORLD_DOMAINS; i++) {
		CHECK_EQ(grant_init_domain(&world_dom[i], frames, maptrack), 0);
		for (int j = 0; j < 100; j++)
			frame(guest_frame(i, j))->ref =
				(u64)i << FRAME_OWNER_SHIFT | FRAME_ALLOCATED | 1;
	}
	flushes = 0;
	unflushed = false;
}

static void setup(void)
{
	setup_limits(~0U, ~0U);
}

static u32 want_refs[NR_FRAMES], want_types[NR_FRAMES];

static void count(struct domain *mapper, u64 mfn, bool writable)
{
	want_refs[mfn]++;
	want_types[mfn] += writable;
}

/* References and types are exactly those of the mappings; status bits in
 * the shared entry go with the pins. */
static void check_counts(void)
{
	memset(want_refs, 0, sizeof(want_refs));
	memset(want_types, 0, sizeof(want_types));
	grant_for_each_mapping(count);
	for (u64 m = FIRST_GUEST; m < FIRST_GUEST + 100 * WORLD_DOMAINS; m++) {
		CHECK_EQ(refs(m), 1 + want_refs[m]);
		if ((frame(m)->type & TYPE_MASK) == TYPE_WRITABLE)
			CHECK_EQ(types(m), want_types[m]);
	}
	for (int i = 0; i < WORLD_DOMAINS; i++) {
		struct grant_table *t = world_dom[i].grant;

		for (u32 r = 0; r < t->nr_frames * 512; r++) {
			struct active *a = &t->frame[r / 512].active[r % 512];

			CHECK_EQ(a->lock, 0);
			if (!a->users[0] && !a->users[1])
				continue;
			CHECK(entry(i, r)->flags & GTF_reading);
			if (a->users[1])
				CHECK(entry(i, r)->flags & GTF_writing);
		}
	}
	CHECK_EQ(host_locks_held, 0);
}

static void teardown(void)
{
	for (int i = 0; i < WORLD_DOMAINS; i++)
		while (grant_release_mappings(&world_dom[i]) == -XEN_ERESTART)
			;
	check_counts();
	for (int i = 0; i < WORLD_DOMAINS; i++)
		CHECK_EQ(world_dom[i].refs, 1);
	for (u64 m = FIRST_GUEST; m < FIRST_GUEST + 100 * WORLD_DOMAINS; m++)
		CHECK_EQ(refs(m), 1);
	for (int i = 0; i < WORLD_DOMAINS; i++) {
		for (u32 r = 0; r < 512; r++)
			CHECK(!(entry(i, r)->flags &
				(GTF_reading | GTF_writing)));
		grant_free_domain(&world_dom[i]);
	}
	CHECK_EQ(host_allocated, 0);
	world_free();
}

static long op(u64 cmd, void *arg, u64 n)
{
	long rc = do_grant_table_op(cmd, (u64)arg, n, 0, 0, 0);

	CHECK_EQ(host_locks_held, 0);
	CHECK(!unflushed);
	return rc;
}

static int map(domid_t dom, u32 ref, u32 flags, u64 addr, u32 *handle)
{
	struct gnttab_map_grant_ref a = {
		.dom = dom, .ref = ref, .flags = flags, .host_addr = addr };

	CHECK_EQ(op(GNTTABOP_map_grant_ref, &a, 1), 0);
	if (handle)
		*handle = a.handle;
	return a.status;
}

static int unmap(u32 handle, u64 addr, u64 dev)
{
	struct gnttab_unmap_grant_ref a = {
		.handle = handle, .host_addr = addr, .dev_bus_addr = dev };

	CHECK_EQ(op(GNTTABOP_unmap_grant_ref, &a, 1), 0);
	return a.status;
}

static const u32 HOST = GNTMAP_host_map, RO = GNTMAP_readonly,
		 DEV = GNTMAP_device_map, PTE = GNTMAP_contains_pte;

/* --- cases --------------------------------------------------------------- */

static void map_unmap(void)
{
	u64 m;
	u32 h;

	setup();
	m = guest_frame(1, 0);
	lend(1, 8, 2, m, 0);
	act_as(2);
	CHECK_EQ(map(1, 8, HOST | 1U << 16, va(3), &h), GNTST_okay);
	CHECK_EQ(slot[2][3], m << 12 | PTE_P | PTE_RW | PTE_NX | 1 << 9 |
		 PTE_A | PTE_GRANT);
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access | GTF_reading |
		 GTF_writing);
	CHECK_EQ(refs(m), 2);
	CHECK_EQ(types(m), 1);
	check_counts();
	CHECK_EQ(unmap(h, va(4), 0), GNTST_general_error); /* not there */
	CHECK_EQ(unmap(h, 0, 0), GNTST_okay);		/* nothing asked */
	CHECK_EQ(refs(m), 2);
	CHECK_EQ(unmap(h, va(3), 0), GNTST_okay);
	CHECK_EQ(slot[2][3], 0);
	CHECK_EQ(refs(m), 1);
	CHECK_EQ(types(m), 0);
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access);
	CHECK_EQ(unmap(h, va(3), 0), GNTST_bad_handle);
	check_counts();

	/* Read-only, for user mode, at a PTE's address. */
	CHECK_EQ(map(1, 8, HOST | RO | PTE | GNTMAP_application_map, va(5),
		     &h), 0);
	CHECK_EQ(slot[2][5], m << 12 | PTE_P | PTE_US | PTE_NX | PTE_A |
		 PTE_GRANT);
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access | GTF_reading);
	CHECK_EQ(types(m), 0);
	CHECK_EQ(unmap(h, va(5), 0), 0);
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access);

	/* Only an entry that was used costs a flush. */
	CHECK_EQ(flushes, 2);
	accessed = false;
	CHECK_EQ(map(1, 8, HOST, va(5), &h), 0);
	CHECK_EQ(unmap(h, va(5), 0), 0);
	accessed = true;
	CHECK_EQ(flushes, 2);
	teardown();
}

static void refusals(void)
{
	u64 m;
	u32 h, w;

	setup();
	m = guest_frame(1, 0);
	lend(1, 8, 2, m, 0);
	lend(1, 9, 2, m, GTF_readonly);
	lend(1, 10, 2, guest_frame(3, 0), 0);		/* not its own */
	lend(1, 11, 2, 0xffffffff, 0);
	lend(1, 12, 2, m, GTF_sub_page);
	lend(1, 13, 2, guest_frame(1, 1), 0);
	frame(guest_frame(1, 1))->type = TYPE_L1 | 1;	/* a page table */
	entry(1, 14)->flags = GTF_accept_transfer;
	entry(1, 14)->domid = 2;
	lend(1, 15, 2, m, GTF_transitive);
	act_as(2);
	CHECK_EQ(map(1, 8, 0, va(0), &h), GNTST_bad_gntref);
	CHECK_EQ(map(1, 8, RO | PTE, va(0), &h), GNTST_bad_gntref);
	CHECK_EQ(map(55, 8, HOST, va(0), &h), GNTST_bad_domain);
	CHECK_EQ(map(DOMID_SELF, 8, HOST, va(0), &h), GNTST_bad_domain);
	CHECK_EQ(map(1, 7, HOST, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 9, HOST, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 9, DEV, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 10, HOST | RO, va(0), &h), GNTST_bad_page);
	CHECK_EQ(map(1, 10, HOST, va(0), &h), GNTST_bad_page);
	CHECK_EQ(map(1, 11, HOST, va(0), &h), GNTST_bad_page);
	CHECK_EQ(map(1, 12, HOST, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 13, HOST, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 14, HOST, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 15, HOST, va(0), &h), GNTST_general_error);
	CHECK_EQ(map(1, 8, HOST, 0x123, &h), GNTST_general_error);
	check_counts();
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access);
	CHECK_EQ(entry(1, 13)->flags, GTF_permit_access);
	CHECK_EQ(map(1, 13, HOST | RO, va(0), &h), 0);	/* reading is fine */
	CHECK_EQ(unmap(h, va(0), 0), 0);
	frame(guest_frame(1, 1))->type = 0;
	act_as(3);
	CHECK_EQ(map(1, 8, HOST, va(0), &h), GNTST_general_error);
	for_each_wild(w) {
		CHECK(map(1, w, HOST, va(0), &h) < 0);
		CHECK_EQ(map(1, w, HOST, va(0), &h) == GNTST_bad_gntref,
			 w >= 512);
		CHECK_EQ(unmap(w, va(0), 1), GNTST_bad_handle);
	}
	for (int i = 0; i < 65536; i++)
		CHECK(map(i, 8, HOST, va(0), &h) < 0);
	CHECK_EQ(world_dom[1].refs, 1);
	check_counts();
	teardown();
}

static void several_pins(void)
{
	u64 m;
	u32 h[4];

	setup();
	m = guest_frame(1, 0);
	lend(1, 8, 2, m, 0);
	act_as(2);
	CHECK_EQ(map(1, 8, HOST | RO, va(0), &h[0]), 0);
	/* The lender rewrites its entry: what was pinned counts. */
	entry(1, 8)->frame = guest_frame(1, 7);
	CHECK_EQ(map(1, 8, HOST, va(1), &h[1]), 0);
	CHECK_EQ(slot[2][1] >> 12 & 0xffff, m);
	CHECK_EQ(map(1, 8, HOST | DEV, va(2), &h[2]), 0);
	CHECK_EQ(map(1, 8, DEV | RO, 0, &h[3]), 0);
	CHECK_EQ(refs(m), 5);
	CHECK_EQ(types(m), 2);
	check_counts();
	/* Now read-only: no new writer once the last one is gone. */
	CHECK_EQ(unmap(h[1], va(1), 0), 0);
	CHECK(entry(1, 8)->flags & GTF_writing);
	CHECK_EQ(unmap(h[2], va(2), 0), 0);
	CHECK(entry(1, 8)->flags & GTF_writing);
	CHECK_EQ(unmap(h[2], va(2), 5), GNTST_bad_dev_addr);
	CHECK_EQ(unmap(h[2], 0, m << 12), 0);
	CHECK(!(entry(1, 8)->flags & GTF_writing));
	CHECK(entry(1, 8)->flags & GTF_reading);
	entry(1, 8)->flags |= GTF_readonly;
	CHECK_EQ(map(1, 8, HOST, va(1), &h[1]), GNTST_general_error);
	check_counts();
	CHECK_EQ(unmap(h[0], va(0), 0), 0);
	CHECK(entry(1, 8)->flags & GTF_reading);
	CHECK_EQ(unmap(h[3], 0, m << 12), 0);
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access | GTF_readonly);
	/* A pinned entry is not for another domain, whatever it says now. */
	lend(1, 8, 2, m, 0);
	CHECK_EQ(map(1, 8, HOST | RO, va(0), &h[0]), 0);
	entry(1, 8)->domid = 3;
	act_as(3);
	CHECK_EQ(map(1, 8, HOST | RO, va(0), &h[1]), GNTST_general_error);
	teardown();
}

/* Presenting one handle with another's page-table entry. */
static void crossed_entries(void)
{
	u64 m;
	u32 ro, rw, rw2;

	setup();
	m = guest_frame(1, 0);
	lend(1, 8, 2, m, 0);
	act_as(2);
	CHECK_EQ(map(1, 8, HOST | RO, va(0), &ro), 0);
	CHECK_EQ(map(1, 8, HOST, va(1), &rw), 0);
	CHECK_EQ(map(1, 8, HOST, va(2), &rw2), 0);
	CHECK_EQ(unmap(rw, va(0), 0), GNTST_general_error);
	CHECK_EQ(types(m), 2);		/* va(1) still writes */
	CHECK_EQ(refs(m), 4);
	CHECK_EQ(unmap(ro, va(1), 0), GNTST_general_error);
	CHECK_EQ(unmap(rw, va(2), 0), 0);	/* as good as its own */
	CHECK_EQ(types(m), 1);
	check_counts();
	teardown();
}

static void overflow_of_pins(void)
{
	int good = 0;

	setup();
	lend(1, 8, 2, guest_frame(1, 0), 0);
	act_as(2);
	while (good < 70000 && !map(1, 8, DEV | RO, 0, NULL))
		good++;
	CHECK_EQ(good, MAX_USERS);
	CHECK_EQ(map(1, 8, DEV | HOST | RO, va(0), NULL), GNTST_general_error);
	CHECK_EQ(map(1, 8, HOST, va(0), NULL), 0);
	check_counts();
	teardown();
}

static void batches(void)
{
	static struct gnttab_map_grant_ref m[300];
	static struct gnttab_unmap_grant_ref u[300];
	long rc;

	setup();
	for (int i = 0; i < 100; i++)
		lend(1, 100 + i, 2, guest_frame(1, i), 0);
	act_as(2);
	for (int i = 0; i < 100; i++)
		m[i] = (struct gnttab_map_grant_ref){ .dom = i % 10 ? 1 : 77,
			.ref = 100 + i, .flags = HOST, .host_addr = va(i) };
	CHECK_EQ(op(GNTTABOP_map_grant_ref, m, 100), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(m[i].status, i % 10 ? 0 : GNTST_bad_domain);
		u[i] = (struct gnttab_unmap_grant_ref){ .host_addr = va(i),
			.handle = i % 10 ? m[i].handle : ~0U };
	}
	/* The same handle twice in one batch: the second is refused. */
	u[10] = u[9];
	check_counts();
	CHECK_EQ(op(GNTTABOP_unmap_grant_ref, u, 100), 0);
	CHECK(flushes <= 4);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(u[i].status, i % 10 ? 0 : GNTST_bad_handle);
	check_counts();

	/* Interrupted again and again: each element is done once. */
	host_preempt_every = 1;
	rc = op(GNTTABOP_map_grant_ref, m, 100);
	for (int i = 0; rc == HOST_CONTINUED && i < 200; i++) {
		CHECK_EQ(host_continue_op, __HYPERVISOR_grant_table_op);
		rc = op(host_continue_args[0], (void *)host_continue_args[1],
			host_continue_args[2]);
	}
	CHECK_EQ(rc, 0);
	check_counts();
	for (int i = 0; i < 100; i++)
		u[i].handle = i % 10 ? m[i].handle : ~0U;
	rc = op(GNTTABOP_unmap_grant_ref, u, 100);
	for (int i = 0; rc == HOST_CONTINUED && i < 200; i++)
		rc = op(host_continue_args[0], (void *)host_continue_args[1],
			host_continue_args[2]);
	CHECK_EQ(rc, 0);
	host_preempt_every = 0;
	check_counts();
	CHECK_EQ(refs(guest_frame(1, 5)), 1);
	CHECK_EQ(op(GNTTABOP_map_grant_ref, m, 0), 0);
	CHECK_EQ(op(GNTTABOP_map_grant_ref, m, 0x80000000), -XEN_EINVAL);
	CHECK_EQ(op(GNTTABOP_unmap_grant_ref, m, ~0UL), -XEN_EINVAL);
	CHECK_EQ(op(GNTTABOP_copy | 0x1000, m, 1), -XEN_EINVAL);
	teardown();
}

static bool no_writes;

int copy_to_guest(u64 gva, const void *src, size_t n)
{
	if (no_writes || gva < 4096 || gva >> 47 || !guest_range_ok(gva, n))
		return -XEN_EFAULT;
	memcpy((void *)gva, src, n);
	return 0;
}

int put_guest_u32(u64 gva, u32 val)
{
	CHECK_EQ(gva % 4, 0);
	return copy_to_guest(gva, &val, sizeof(val));
}

static void faults(void)
{
	struct gnttab_map_grant_ref m = { .dom = 1, .ref = 8, .flags = HOST,
		.host_addr = va(0) };
	struct gnttab_unmap_grant_ref u = { .host_addr = va(0) };
	struct gnttab_copy c = { .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
		.source = { .u.ref = 8, .domid = 1 },
		.dest = { .u.ref = 9, .domid = 1 }, .len = 8 };
	u64 f;

	setup();
	f = guest_frame(1, 0);
	lend(1, 8, 2, f, 0);
	lend(1, 9, 2, guest_frame(1, 1), 0);
	act_as(2);
	for (u64 cmd = 0; cmd <= GNTTABOP_cache_flush; cmd++) {
		long rc = op(cmd, NULL, 1);

		CHECK(rc == -XEN_EFAULT || rc == -XEN_ENOSYS);
		rc = op(cmd, (void *)HYP_VIRT_START, 1);
		CHECK(rc == -XEN_EFAULT || rc == -XEN_ENOSYS);
	}
	/* A mapping that cannot be reported does not exist. */
	no_writes = true;
	CHECK_EQ(op(GNTTABOP_map_grant_ref, &m, 1), -XEN_EFAULT);
	CHECK_EQ(refs(f), 1);
	CHECK_EQ(slot[2][0], 0);
	no_writes = false;
	check_counts();
	CHECK_EQ(op(GNTTABOP_map_grant_ref, &m, 1), 0);
	CHECK_EQ(m.status, 0);
	u.handle = m.handle;
	no_writes = true;
	CHECK_EQ(op(GNTTABOP_unmap_grant_ref, &u, 1), -XEN_EFAULT);
	CHECK_EQ(op(GNTTABOP_copy, &c, 1), -XEN_EFAULT);
	no_writes = false;
	CHECK_EQ(refs(f), 1);
	check_counts();
	teardown();
}

static int copy(struct gnttab_copy *c)
{
	CHECK_EQ(op(GNTTABOP_copy, c, 1), 0);
	return c->status;
}

static void copies(void)
{
	struct gnttab_copy c;
	u8 *src, *dst;
	u64 a, b, own;

	setup();
	a = guest_frame(1, 0);
	b = guest_frame(3, 0);
	own = guest_frame(2, 5);
	lend(1, 8, 2, a, GTF_readonly);
	lend(3, 9, 2, b, 0);
	act_as(2);
	src = mfn_to_virt(MFN(a));
	dst = mfn_to_virt(MFN(b));
	for (int i = 0; i < 4096; i++)
		src[i] = i * 7;
	memset(dst, 0, 4096);
	c = (struct gnttab_copy){ .flags = GNTCOPY_source_gref |
			GNTCOPY_dest_gref, .len = 100,
		.source = { .u.ref = 8, .domid = 1, .offset = 3 },
		.dest = { .u.ref = 9, .domid = 3, .offset = 50 } };
	CHECK_EQ(copy(&c), 0);
	CHECK(!memcmp(dst + 50, src + 3, 100) && !dst[49] && !dst[150]);
	CHECK_EQ(entry(1, 8)->flags, GTF_permit_access | GTF_readonly);
	CHECK_EQ(entry(3, 9)->flags, GTF_permit_access);
	check_counts();
	c.len = 4096 - 50 + 1;
	CHECK_EQ(copy(&c), GNTST_bad_copy_arg);
	c.len = 0xffff;
	CHECK_EQ(copy(&c), GNTST_bad_copy_arg);
	c.len = 4096;
	c.source.offset = c.dest.offset = 0;
	CHECK_EQ(copy(&c), 0);
	CHECK(!memcmp(dst, src, 4096));
	c.source.offset = 0xffff;
	c.len = 1;
	CHECK_EQ(copy(&c), GNTST_bad_copy_arg);
	c.source.offset = 4096;
	c.len = 0;
	CHECK_EQ(copy(&c), 0);
	c.source.offset = 0;
	c.len = 16;
	/* Into a read-only grant; out of nowhere. */
	c.dest = c.source;
	CHECK_EQ(copy(&c), GNTST_general_error);
	c.dest = (struct gnttab_copy_ptr){ .u.ref = 600, .domid = 3 };
	CHECK_EQ(copy(&c), GNTST_bad_gntref);
	c.dest.domid = 99;
	CHECK_EQ(copy(&c), GNTST_bad_domain);

	/* Own frames, by number; nobody else's, not even for Dom0. */
	c.flags = GNTCOPY_source_gref;
	c.dest = (struct gnttab_copy_ptr){ .u.gmfn = own, .domid = DOMID_SELF };
	CHECK_EQ(copy(&c), 0);
	CHECK(!memcmp(mfn_to_virt(MFN(own)), src, 16));
	c.dest.domid = 2;
	CHECK_EQ(copy(&c), GNTST_permission_denied);
	c.dest.domid = 3;
	CHECK_EQ(copy(&c), GNTST_permission_denied);
	c.dest.domid = DOMID_SELF;
	c.dest.u.gmfn = b;
	CHECK_EQ(copy(&c), GNTST_bad_page);
	c.dest.u.gmfn = ~0UL;
	CHECK_EQ(copy(&c), GNTST_bad_page);
	c.dest.u.gmfn = 1UL << 40;
	CHECK_EQ(copy(&c), GNTST_bad_page);
	c.dest.u.gmfn = own;
	frame(own)->type = TYPE_L1 | 1;
	CHECK_EQ(copy(&c), GNTST_general_error);
	c.flags = 0;
	c.source = c.dest;
	c.dest.u.gmfn = own + 1;
	CHECK_EQ(copy(&c), 0);			/* reading a page table */
	frame(own)->type = 0;
	act_as(0);
	c.source.domid = 2;
	CHECK_EQ(copy(&c), GNTST_permission_denied);
	check_counts();
	teardown();
}

/* Neighbours of one batch share pins, and never what they do not name. */
static void copy_batches(void)
{
	static struct gnttab_copy c[200];
	u8 *to;
	long rc;

	setup();
	act_as(2);
	for (int i = 0; i < 4; i++) {
		lend(1, 8 + i, 2, guest_frame(1, i), GTF_readonly);
		lend(3, 8 + i, 2, guest_frame(3, i), GTF_readonly);
		memset(mfn_to_virt(MFN(guest_frame(1, i))), 0x10 + i, 4096);
		memset(mfn_to_virt(MFN(guest_frame(3, i))), 0x30 + i, 4096);
	}
	for (int every = 0; every < 3; every++) {
		host_preempt_every = every;
		to = mfn_to_virt(MFN(guest_frame(2, 9)));
		memset(to, 0, 4096);
		for (int i = 0; i < 200; i++)
			c[i] = (struct gnttab_copy){
				.flags = GNTCOPY_source_gref, .len = 1,
				.source = { .u.ref = 8 + i / 3 % 4,
					    .domid = i / 7 % 2 ? 1 : 3 },
				.dest = { .u.gmfn = guest_frame(2, 9),
					  .domid = DOMID_SELF, .offset = i } };
		/* Same number, but as a frame: not the grant. */
		c[100].flags = 0;
		rc = op(GNTTABOP_copy, c, 200);
		for (int i = 0; rc == HOST_CONTINUED && i < 300; i++) {
			check_counts();
			rc = op(host_continue_args[0],
				(void *)host_continue_args[1],
				host_continue_args[2]);
		}
		CHECK_EQ(rc, 0);
		for (int i = 0; i < 200; i++) {
			if (i == 100) {
				CHECK_EQ(c[i].status, GNTST_permission_denied);
				CHECK_EQ(to[i], 0);
				continue;
			}
			CHECK_EQ(c[i].status, 0);
			CHECK_EQ(to[i], (i / 7 % 2 ? 0x10 : 0x30) + i / 3 % 4);
		}
		check_counts();
	}
	host_preempt_every = 0;
	teardown();
}

static void tables(void)
{
	u64 list[70];
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 3,
		.frame_list = (u64)list };
	struct gnttab_query_size q = { .dom = DOMID_SELF };
	u32 h;

	setup();
	act_as(1);
	CHECK_EQ(op(GNTTABOP_query_size, &q, 1), 0);
	CHECK_EQ(q.nr_frames, 1);
	CHECK_EQ(q.max_nr_frames, 64);
	CHECK_EQ(op(GNTTABOP_query_size, &q, 2), -XEN_EINVAL);
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 0), -XEN_EINVAL);
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(list[i],
			 virt_to_mfn(world_dom[1].grant->frame[i].shared).m);
	q.status = 9;
	CHECK_EQ(op(GNTTABOP_query_size, &q, 1), 0);
	CHECK_EQ(q.nr_frames, 3);
	s.nr_frames = 65;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_general_error);
	s.nr_frames = ~0U;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_general_error);
	s.nr_frames = 64;
	s.frame_list = HYP_VIRT_START;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_bad_virt_addr);
	s.frame_list = (u64)list;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	CHECK_EQ(world_dom[1].grant->nr_frames, 64);
	lend(1, 64 * 512 - 1, 2, guest_frame(1, 0), 0);
	s.dom = q.dom = 2;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_permission_denied);
	CHECK_EQ(op(GNTTABOP_query_size, &q, 1), 0);
	CHECK_EQ(q.status, GNTST_permission_denied);
	act_as(0);
	CHECK_EQ(op(GNTTABOP_query_size, &q, 1), 0);
	CHECK_EQ(q.status, 0);
	s.dom = q.dom = 88;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_bad_domain);
	CHECK_EQ(op(GNTTABOP_query_size, &q, 1), 0);
	CHECK_EQ(q.status, GNTST_bad_domain);

	act_as(2);
	CHECK_EQ(map(1, 64 * 512 - 1, HOST, va(0), &h), 0);
	CHECK_EQ(map(1, 64 * 512, HOST, va(0), &h), GNTST_bad_gntref);
	check_counts();

	act_as(0);
	s.dom = 3;
	s.nr_frames = 4;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	CHECK_EQ(world_dom[3].grant->nr_frames, 4);
	world_dom[3].is_dying = true;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_general_error);
	teardown();
}

static void limits(void)
{
	u32 h[600];
	int i;

	setup_limits(2, 2);		/* 512 handles */
	CHECK_EQ(world_dom[1].grant->max_frames, 2);
	for (i = 0; i < 100; i++)
		lend(1, i, 2, guest_frame(1, i), 0);
	act_as(2);
	for (i = 0; i < 600; i++)
		if (map(1, i % 100, DEV | RO, 0, &h[i]))
			break;
	CHECK_EQ(i, 512);
	CHECK_EQ(map(1, 0, DEV | RO, 0, &h[i]), GNTST_no_space);
	check_counts();
	for (i = 0; i < 512; i++)
		CHECK_EQ(unmap(h[i], 0, guest_frame(1, i % 100) << 12), 0);
	CHECK_EQ(map(1, 0, DEV | RO, 0, &h[0]), 0);
	teardown();

	setup_limits(1, 0);
	lend(1, 8, 2, guest_frame(1, 0), 0);
	act_as(2);
	CHECK_EQ(map(1, 8, DEV | RO, 0, &h[0]), GNTST_no_space);
	teardown();

	world_make();
	CHECK_EQ(grant_init_domain(&world_dom[0], 0, 1), -XEN_EINVAL);
	CHECK_EQ(grant_init_domain(&world_dom[0], 1 << 20, 1), -XEN_EINVAL);
	CHECK_EQ(grant_init_domain(&world_dom[0], 1, 1 << 20), -XEN_EINVAL);
	for (i = 0; i < 3; i++) {
		host_alloc_left = i;
		CHECK_EQ(grant_init_domain(&world_dom[0], 4, 4), -XEN_ENOMEM);
		host_alloc_left = -1;
		CHECK_EQ(host_allocated, 0);
	}
	world_free();
}

/* Memory runs out at each allocation in turn; nothing is left behind. */
static void no_memory(void)
{
	u64 list[8];
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 6,
		.frame_list = (u64)list };
	u32 h;

	setup();
	lend(1, 8, 2, guest_frame(1, 0), 0);
	act_as(2);
	for (int i = 0; i < 3; i++) {
		host_alloc_left = i;
		CHECK_EQ(map(1, 8, HOST, va(0), &h), i < 3 ? GNTST_no_space : 0);
		host_alloc_left = -1;
		check_counts();
		if (i == 1)		/* the first two stay made */
			break;
	}
	host_alloc_left = 2;
	CHECK_EQ(map(1, 8, HOST, va(0), &h), 0);
	host_alloc_left = 3;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, GNTST_general_error);
	host_alloc_left = -1;
	CHECK_EQ(op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	map_fails = 1;
	lend(1, 9, 2, guest_frame(1, 1), 0);
	CHECK_EQ(map(1, 9, HOST | DEV, va(1), &h), GNTST_general_error);
	map_fails = 0;
	CHECK_EQ(entry(1, 9)->flags, GTF_permit_access);
	check_counts();
	teardown();
}

static void death(void)
{
	int n = 0;

	setup();
	for (int i = 0; i < 100; i++)
		lend(1, i, 2, guest_frame(1, i), 0);
	act_as(2);
	for (int i = 0; i < 1500; i++)
		CHECK_EQ(map(1, i % 100, i < 1000 ? DEV | RO : HOST,
			     va(i % 100), NULL), 0);
	CHECK_EQ(world_dom[1].refs, 1501);
	check_counts();
	while (grant_release_mappings(&world_dom[2]) == -XEN_ERESTART)
		n++;
	CHECK(n >= 2 && n <= 4);
	CHECK_EQ(world_dom[1].refs, 1);
	check_counts();
	teardown();
}

static void random_walk(void)
{
	static u32 handles[64];
	static u64 addr[64];

	setup();
	for (int i = 0; i < 200000; i++) {
		u32 r = test_random();
		unsigned int me = r % WORLD_DOMAINS, k = (r >> 2) % 64;
		unsigned int rd = (r >> 8) % WORLD_DOMAINS;
		u32 ref = (r >> 10) % 16;
		struct gnttab_copy c = {
			.flags = (r >> 14) % 4, .len = (r >> 16) % 5000,
			.source = { .u.ref = ref, .domid = rd },
			.dest = { .u.gmfn = guest_frame(me, 99),
				  .domid = DOMID_SELF } };

		act_as(me);
		switch ((r >> 28) % 6) {
		case 0:
			lend(me, ref, rd, guest_frame((r >> 16) % 5 ? me : rd,
				(r >> 14) % 8), (r >> 20 & 1) << 2 |
			     (entry(me, ref)->flags &
			      (GTF_reading | GTF_writing)));
			break;
		case 1:
		case 2:
			if (me != 2)
				break;
			accessed = r >> 27 & 1;
			addr[k] = va(k + (r >> 20) % 4);
			map(rd, ref, (r >> 14) % 16, addr[k], &handles[k]);
			break;
		case 3:
		case 4:
			act_as(2);
			unmap(handles[k], r >> 16 & 1 ? addr[k] : 0,
			      r >> 17 & 1 ? slot[2][k] & PTE_ADDR_MASK : 0);
			break;
		case 5:
			op(GNTTABOP_copy, &c, 1);
			CHECK(c.status <= 0 && c.status >= GNTST_no_space);
			break;
		}
		if (i % 500 == 0)
			check_counts();
	}
	accessed = true;
	teardown();
}

int main(void)
{
	host_map_frames(NR_FRAMES);
	RUN(map_unmap);
	RUN(refusals);
	RUN(several_pins);
	RUN(crossed_entries);
	RUN(overflow_of_pins);
	RUN(batches);
	RUN(faults);
	RUN(copies);
	RUN(copy_batches);
	RUN(tables);
	RUN(limits);
	RUN(no_memory);
	RUN(death);
	RUN(random_walk);
	return test_done();
}
