/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame table and page-table types, with the real allocator and the real
 * recount: promotion and demotion, everything that must be refused, work that
 * is interrupted at every step and then goes up, down, elsewhere or dies
 * (XSA-299), a random walk, and threads that race for one frame with a model
 * of stale translations (XSA-401, XSA-408).  After each step a full recount
 * must find nothing.
 */
#include "test.h"
#include "world.h"
#include <mm/internal.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#define NR_FRAMES	16384
#define OURS		16	/* frames 0 to 15 */
#define GUEST_PAGES	256	/* limit of a domain */
#define TABLE		(PTE_P | PTE_RW | PTE_US | PTE_A)
#define DATA		(PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define READ_ONLY	(PTE_P | PTE_US | PTE_A)

static __thread unsigned int me;
static u64 m2p[NR_FRAMES], perdomain[WORLD_DOMAINS][4096];
static u64 start_free;
cpumask_t cpus_online = 7;
void (*meanwhile)(void);
const void *meanwhile_at;
struct domain dom_io = { .id = DOMID_IO }, dom_xen = { .id = DOMID_XEN };

/* --- what lies beside mm/ ------------------------------------------------ */

struct cpu *this_cpu(void)
{
	return &host_cpu[me];
}

void cpu_poll(void)
{
	sched_yield();
}

void m2p_set(mfn_t mfn, u64 pfn)
{
	m2p[mfn.m] = pfn;
}

u64 *perdomain_slot(const struct domain *d, u64 va)
{
	return &perdomain[d->id][(va - PERDOMAIN_BASE) >> PAGE_SHIFT & 4095];
}

void l4_install_hyp_slots(u64 *l4, const struct domain *d)
{
	for (unsigned int i = HYP_FIRST_SLOT; i < HYP_END_SLOT; i++)
		l4[i] = 0x1234560000 | PTE_P | d->id << 12;
}

void context_sync(struct vcpu *v) { }
void vcpu_update_cr3(struct vcpu *v) { }
void cr3_load(u64 cr3, bool flush_global) { }
bool ldt_drop_all(struct domain *d) { return false; }

bool descr_fixup(u64 *desc)
{
	return *desc != 0xbad;
}

/* Frames behind the end of RAM: one to write, one to read, others not. */
enum iomem_access iomem_permitted(const struct domain *d, u64 mfn)
{
	if (!d->is_privileged)
		return IOMEM_NONE;
	return mfn == NR_FRAMES + 100000 ? IOMEM_RW :
	       mfn == NR_FRAMES + 100001 ? IOMEM_RO : IOMEM_NONE;
}

/* References taken by the tests, which a recount should see. */
static struct { domid_t id; u64 mfn; bool writable; } held[64];

void grant_for_each_mapping(void (*fn)(struct domain *mapper, u64 mfn,
				       bool writable))
{
	for (unsigned int i = 0; i < ARRAY_SIZE(held); i++)
		if (held[i].mfn)
			fn(&world_dom[held[i].id], held[i].mfn,
			   held[i].writable);
}

/*
 * TLBs: each CPU remembers at most one right to write to `race_frame`, until it
 * is told to forget.  Clock and filter work like mm/tlb.c.
 */
u64 tlb_now = 1;
static u64 epoch[3];
static bool can_write[3];
static unsigned int flushes;
static pthread_mutex_t tlb_lock[3] = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
};

void tlb_flush_local(u64 va)
{
}

void tlb_flush_mask(cpumask_t mask, u64 va)
{
	atomic_add(&flushes, 1);
	for (unsigned int c = 0; c < 3; c++) {
		if (!(mask >> c & 1))
			continue;
		pthread_mutex_lock(&tlb_lock[c]);
		WRITE_ONCE(epoch[c], atomic_add(&tlb_now, 1));
		can_write[c] = false;
		pthread_mutex_unlock(&tlb_lock[c]);
	}
}

cpumask_t tlb_filter(cpumask_t mask, u32 stamp)
{
	u64 now = READ_ONCE(tlb_now);
	u64 when = now - ((now - stamp) & 0xfffff);
	cpumask_t left = 0;

	for (unsigned int c = 0; c < 3; c++)
		if (mask >> c & 1 && READ_ONCE(epoch[c]) <= when)
			left |= 1UL << c;
	return left;
}

/* --- a world with memory ------------------------------------------------- */

static struct frame *frame(u64 mfn)
{
	return mfn_to_frame(MFN(mfn));
}

static u64 *words(u64 mfn)
{
	return mfn_to_virt(MFN(mfn));
}

static struct domain *dom(unsigned int i)
{
	return &world_dom[i];
}

#define COUNTED() CHECK_EQ(frames_recount(), 0)

static void setup(void)
{
	world_make();
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++) {
		dom(i)->lock = (struct spinlock)SPINLOCK(LOCK_DOMAIN);
		dom(i)->page_lock =
			(struct spinlock)SPINLOCK(LOCK_PAGES_DOMAIN);
		dom(i)->relinquish_next = 0;
		dom(i)->max_pages = GUEST_PAGES;
		dom(i)->dirty_cpus = 7;
		for (unsigned int j = 0; j < WORLD_VCPUS; j++)
			world_vcpu[i][j].vcpu_info_mfn = INVALID_MFN;
	}
	for (unsigned int c = 1; c < 3; c++)
		host_cpu[c].curr = &world_vcpu[1][c];
	act_as(1);
	start_free = free_page_count();
}

/* Everything of d goes; it must not matter in which state it is. */
static void destroy(struct domain *d)
{
	int rounds = 0;

	d->is_dying = true;
	for (unsigned int i = 0; i < WORLD_VCPUS; i++)
		while (vcpu_drop_l4s(d->vcpu[i]))
			COUNTED();
	while (domain_relinquish_pages(d)) {
		COUNTED();
		CHECK(rounds++ < 1000);
	}
}

static void teardown(void)
{
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++) {
		destroy(dom(i));
		CHECK_EQ(dom(i)->tot_pages, 0);
		CHECK_EQ(dom(i)->refs, 1);
	}
	COUNTED();
	CHECK_EQ(free_page_count(), start_free);
	world_free();
}

static u64 page(struct domain *d)
{
	struct frame *f = alloc_domain_pages(d, 0, 0, 0);

	if (!f)
		abort();
	return frame_to_mfn(f).m;
}

/*
 * An address space: l4[3] -> l3, l3[i] -> l2[i], l2[i][j] -> l1[i][j], and in
 * each L1 two writable data pages, and the L1 and the L4 themselves read-only.
 * The second L2 also points to an L1 of the first.
 */
#define N	2
static struct space {
	u64 l4, l3, l2[N], l1[N][N], data[2];
} sp;

static void put(u64 table, unsigned int i, u64 mfn, u64 flags)
{
	words(table)[i] = mfn << PAGE_SHIFT | flags;
}

static void build(struct domain *d)
{
	sp.data[0] = page(d);
	sp.data[1] = page(d);
	sp.l4 = page(d);
	sp.l3 = page(d);
	put(sp.l4, 3, sp.l3, TABLE);
	for (unsigned int i = 0; i < N; i++) {
		sp.l2[i] = page(d);
		put(sp.l3, 7 * i, sp.l2[i], TABLE);
		for (unsigned int j = 0; j < N; j++) {
			sp.l1[i][j] = page(d);
			put(sp.l2[i], 511 - j, sp.l1[i][j], TABLE);
			put(sp.l1[i][j], 0, sp.data[0], DATA);
			put(sp.l1[i][j], 511, sp.data[1], DATA);
			put(sp.l1[i][j], 5, sp.l1[i][j], READ_ONLY);
			put(sp.l1[i][j], 6, sp.l4, READ_ONLY);
		}
	}
	put(sp.l2[1], 0, sp.l1[0][0], TABLE);
}

static u64 uses(u64 mfn)
{
	return frame(mfn)->type & TYPE_COUNT_MASK;
}

static u64 refs(u64 mfn)
{
	return frame(mfn)->ref & FRAME_COUNT_MASK;
}

/* Nobody uses any of d's frames: only its own claim on each is left. */
static void check_idle(struct domain *d)
{
	for (u64 m = 0; m < NR_FRAMES; m++) {
		if (frame_owner(frame(m)) != d->id || !refs(m))
			continue;
		CHECK_EQ(refs(m), 1);
		CHECK_EQ(uses(m), 0);
		CHECK_EQ(frame(m)->type & (TYPE_PARTIAL | TYPE_PINNED |
					   TYPE_VALIDATED), 0);
	}
	COUNTED();
}

static void reap_all(void)
{
	while (vcpu_reap(current))
		COUNTED();
}

/* --- plain ways ---------------------------------------------------------- */

static void up_and_down(void)
{
	setup();
	build(dom(1));
	COUNTED();
	/* One table more than one go does. */
	CHECK_EQ(ptype_pin(dom(1), MFN(sp.l4), TYPE_L4), -XEN_ERESTART);
	COUNTED();
	CHECK_EQ(ptype_pin(dom(1), MFN(sp.l4), TYPE_L4), 0);
	COUNTED();
	CHECK_EQ(frame(sp.l4)->type & ~TYPE_STAMP_MASK,
		 TYPE_L4 | TYPE_VALIDATED | TYPE_PINNED | 1);
	CHECK_EQ(uses(sp.l1[0][0]), 2);
	CHECK_EQ(uses(sp.data[0]), N * N);
	CHECK_EQ(refs(sp.l1[0][0]), 3);		/* claim, type, itself */
	CHECK(words(sp.l1[0][0])[0] & PTE_G);
	CHECK_EQ(words(sp.l4)[HYP_FIRST_SLOT] >> 32, 0x12);
	CHECK_EQ(ptype_pin(dom(1), MFN(sp.l4), TYPE_L4), -XEN_EINVAL);
	CHECK_EQ(ptype_pin(dom(1), MFN(sp.l3), TYPE_L3), 0);
	CHECK_EQ(vcpu_set_kernel_l4(current, MFN(sp.l4)), 0);
	CHECK_EQ(vcpu_set_user_l4(current, MFN(sp.l4)), 0);
	COUNTED();
	CHECK_EQ(ptype_unpin(dom(1), MFN(sp.l4)), 0);
	CHECK_EQ(ptype_unpin(dom(1), MFN(sp.l4)), -XEN_EINVAL);
	CHECK_EQ(uses(sp.l4), 2);
	CHECK_EQ(vcpu_set_user_l4(current, MFN(0)), 0);
	CHECK_EQ(vcpu_drop_l4s(current), 0);
	COUNTED();
	CHECK_EQ(uses(sp.l4), 0);
	CHECK_EQ(uses(sp.l3), 1);
	CHECK_EQ(ptype_unpin(dom(1), MFN(sp.l3)), 0);
	check_idle(dom(1));
	teardown();
}

static int pin(u64 mfn, u64 type)
{
	int rc;

	while ((rc = ptype_pin(current->domain, MFN(mfn), type)) == -XEN_ERESTART)
		COUNTED();
	reap_all();
	COUNTED();
	return rc;
}

static void unpin(u64 mfn)
{
	CHECK_EQ(ptype_unpin(current->domain, MFN(mfn)), 0);
	COUNTED();
	reap_all();
	COUNTED();
}

/* One entry of one table is wrong: the pin fails and nothing stays behind. */
static void refuse(u64 table, unsigned int i, u64 entry, int want)
{
	u64 keep = words(table)[i];

	words(table)[i] = entry;
	CHECK_EQ(pin(sp.l4, TYPE_L4), want);
	check_idle(dom(1));
	words(table)[i] = keep;
}

static void bad_tables(void)
{
	u64 foreign, us = PTE_US;

	setup();
	build(dom(1));
	foreign = page(dom(2));
	for (unsigned int i = 9; i < 500; i += 163) {
		u64 l1 = sp.l1[1][1], l2 = sp.l2[1];

		/* writable: a table of each level, somebody else's, none's */
		refuse(l1, i, l1 << 12 | DATA, -XEN_EBUSY);
		refuse(l1, i, l2 << 12 | DATA, -XEN_EBUSY);
		refuse(l1, i, sp.l4 << 12 | DATA, -XEN_EBUSY);
		refuse(l1, i, foreign << 12 | DATA, -XEN_EINVAL);
		refuse(l1, i, foreign << 12 | READ_ONLY, -XEN_EINVAL);
		refuse(l1, i, 5UL << 12 | READ_ONLY, -XEN_EINVAL);
		refuse(l1, i, (NR_FRAMES - 1) << 12 | DATA, -XEN_EINVAL);
		refuse(l1, i, (NR_FRAMES + 100000) << 12 | DATA, -XEN_EPERM);
		/* bits: a grant's mark, beyond the address width */
		refuse(l1, i, sp.data[0] << 12 | DATA | PTE_GRANT, -XEN_EINVAL);
		refuse(l1, i, sp.data[0] << 12 | DATA | 1UL << 51, -XEN_EINVAL);
		/* XSA-148: large pages; then wrong levels, and self-maps */
		refuse(l2, i, sp.data[0] << 12 | DATA | PTE_PSE, -XEN_EINVAL);
		refuse(sp.l3, i, 0 | DATA | PTE_PSE, -XEN_EINVAL);
		refuse(l2, i, sp.data[0] << 12 | TABLE, -XEN_EBUSY);
		refuse(l2, i, l2 << 12 | TABLE, -XEN_EBUSY);
		refuse(l2, i, sp.l4 << 12 | TABLE, -XEN_EBUSY);
		refuse(sp.l3, i, sp.l1[0][1] << 12 | TABLE, -XEN_EBUSY);
		refuse(l2, i, foreign << 12 | us | PTE_P, -XEN_EINVAL);
		refuse(l2, i, (u64)NR_FRAMES << 12 | TABLE, -XEN_EINVAL);
	}
	refuse(sp.l4, 400, sp.l4 << 12 | TABLE, -XEN_EBUSY);
	/* What stands in our own slots does not matter. */
	put(sp.l4, HYP_FIRST_SLOT + 3, sp.l4, DATA);
	CHECK_EQ(pin(sp.l4, TYPE_L4), 0);
	unpin(sp.l4);
	CHECK_EQ(pin(sp.l4, TYPE_L3), -XEN_EINVAL);
	CHECK_EQ(pin(foreign, TYPE_L1), -XEN_EINVAL);
	CHECK_EQ(pin(NR_FRAMES, TYPE_L1), -XEN_EINVAL);
	check_idle(dom(1));
	teardown();
}

static int l1_write(u64 table, unsigned int i, u64 entry)
{
	int rc;

	CHECK_EQ(table_hold(MFN(table), dom(1), 4), TYPE_L1);
	rc = l1_update(&words(table)[i], entry, false, dom(1), dom(1));
	frame_put_type(frame(table));
	COUNTED();
	return rc;
}

static int upper_write(u64 table, unsigned int i, u64 entry)
{
	int rc, budget = 100;

	CHECK(table_hold(MFN(table), dom(1), 4));
	rc = table_update(frame(table), &words(table)[i], entry, dom(1),
			  &budget);
	frame_put_type(frame(table));
	reap_all();
	COUNTED();
	return rc;
}

static void entries(void)
{
	u64 l1, extra, e;

	setup();
	build(dom(1));
	extra = page(dom(1));
	CHECK_EQ(pin(sp.l4, TYPE_L4), 0);
	l1 = sp.l1[0][0];
	CHECK_EQ(l1_write(l1, 20, extra << 12 | DATA), 0);
	CHECK_EQ(uses(extra), 1);
	e = words(l1)[20];
	/* XSA-182: only harmless bits go without a check */
	CHECK_EQ(l1_write(l1, 20, e ^ (PTE_A | PTE_D | PTE_AVAIL)), 0);
	CHECK_EQ(l1_write(l1, 20, e & ~PTE_RW), 0);
	CHECK_EQ(uses(extra), 0);
	CHECK_EQ(l1_write(l1, 20, l1 << 12 | DATA), -XEN_EBUSY);
	CHECK_EQ(l1_write(l1, 5, l1 << 12 | DATA), -XEN_EBUSY);
	CHECK_EQ(l1_write(l1, 20, 1UL << 51 | DATA), -XEN_EINVAL);
	CHECK_EQ(l1_write(l1, 20, 0x7777000), 0);	/* not present */
	CHECK_EQ(refs(extra), 1);
	CHECK_EQ(l1_write(l1, 20, extra << 12 | DATA), 0);
	CHECK_EQ(upper_write(sp.l2[0], 9, extra << 12 | TABLE), -XEN_EBUSY);
	CHECK_EQ(l1_write(l1, 20, 0), 0);
	flushes = 0;
	CHECK_EQ(upper_write(sp.l2[0], 9, extra << 12 | TABLE), 0);
	CHECK(flushes);				/* XSA-408 */
	CHECK_EQ(frame(extra)->type >> TYPE_SHIFT, 1);
	CHECK_EQ(l1_write(l1, 20, extra << 12 | DATA), -XEN_EBUSY);
	CHECK_EQ(upper_write(sp.l2[0], 9, extra << 12 | TABLE | PTE_PSE),
		 -XEN_EINVAL);
	flushes = 0;
	CHECK_EQ(upper_write(sp.l2[0], 9, 0), 0);
	CHECK(flushes);				/* XSA-286 */
	CHECK_EQ(upper_write(sp.l4, HYP_FIRST_SLOT, 0), -XEN_EINVAL);
	CHECK_EQ(upper_write(sp.l4, 300, sp.l4 << 12 | TABLE), -XEN_EBUSY);
	CHECK_EQ(upper_write(sp.l4, 300, sp.l3 << 12 | TABLE), 0);
	CHECK_EQ(upper_write(sp.l4, 3, 0), 0);
	CHECK_EQ(upper_write(sp.l4, 300, 0), 0);
	CHECK_EQ(uses(sp.l3), 0);
	unpin(sp.l4);
	check_idle(dom(1));
	teardown();
}

static void devices(void)
{
	u64 l1, rw = NR_FRAMES + 100000;

	setup();
	act_as(0);
	l1 = page(dom(0));
	put(l1, 0, rw, DATA);
	put(l1, 1, rw + 1, DATA);
	CHECK_EQ(pin(l1, TYPE_L1), 0);
	CHECK_EQ(words(l1)[0] & (PTE_RW | PTE_PCD), PTE_RW | PTE_PCD);
	CHECK_EQ(words(l1)[1] & PTE_RW, 0);
	CHECK_EQ(l1_update(&words(l1)[2], (rw + 2) << 12 | DATA, false,
			   dom(0), dom(0)), -XEN_EPERM);
	COUNTED();
	unpin(l1);
	check_idle(dom(0));
	teardown();
}

static void lent_pages(void)
{
	void *p;
	u64 l1, mfn;

	setup();
	p = alloc_page();
	mfn = virt_to_mfn(p).m;
	l1 = page(dom(1));
	COUNTED();
	frame_share(p, dom(1));
	COUNTED();
	put(l1, 0, mfn, DATA);
	put(l1, 1, mfn, READ_ONLY);
	CHECK_EQ(pin(l1, TYPE_L1), 0);
	CHECK_EQ(pin(mfn, TYPE_L1), -XEN_EBUSY);	/* XSA-248 */
	frame_unshare(p);
	COUNTED();
	unpin(l1);
	CHECK_EQ(dom(1)->shared_pages, 0);
	check_idle(dom(1));
	teardown();
}

/* --- interrupted --------------------------------------------------------- */

/* Our use of the L4 while we have one, where the recount finds it. */
static mfn_t *const ours = &world_vcpu[1][2].l4_user;

static int drop_ours(int *budget)
{
	*ours = MFN(0);
	return type_put(frame(sp.l4), budget);
}

/* n portions of work upwards, each as small as can be: what the last said. */
static int climb(unsigned int n)
{
	int rc = -XEN_ERESTART;

	while (n-- && rc == -XEN_ERESTART) {
		int budget = 0;

		rc = type_get(frame(sp.l4), dom(1), TYPE_L4, &budget);
		if (!rc)
			*ours = MFN(sp.l4);
		COUNTED();
	}
	return rc;
}

static int descend(unsigned int n)
{
	int rc = -XEN_ERESTART;

	while (n-- && rc == -XEN_ERESTART) {
		int budget = 0;

		rc = type_reap(frame(sp.l4), &budget);
		COUNTED();
	}
	return rc;
}

static void finish_down(void)
{
	int budget = 0;

	if (drop_ours(&budget) == -XEN_ERESTART) {
		COUNTED();
		CHECK_EQ(descend(1000), 0);
	}
	check_idle(dom(1));
}

static void then_down(unsigned int n)
{
	if (climb(n) == 0)
		finish_down();
	else
		CHECK_EQ(descend(1000), 0);
	check_idle(dom(1));
}

static void then_zigzag(unsigned int n)
{
	int rc = climb(n);

	for (unsigned int m = 1; rc && m < 6; m++) {
		descend(m);
		rc = climb(m);
	}
	CHECK_EQ(rc ? climb(1000) : 0, 0);
	finish_down();
}

/* Somebody wants the frame for something else. */
static void then_write(unsigned int n)
{
	int rc = climb(n);

	/* A table stays one, also half made, until somebody takes it down. */
	CHECK_EQ(frame_get_type(frame(sp.l4), dom(1), TYPE_WRITABLE),
		 -XEN_EBUSY);
	CHECK_EQ(frame_get_type(frame(sp.l4), dom(1), TYPE_SEG_DESC),
		 -XEN_EBUSY);
	COUNTED();
	if (rc)
		CHECK_EQ(descend(1000), 0);
	else
		finish_down();
	CHECK_EQ(frame_get_type(frame(sp.l4), dom(1), TYPE_WRITABLE), 0);
	frame_put_type(frame(sp.l4));
	check_idle(dom(1));
}

/* Deeper tables are wanted while the way from above is half done. */
static void then_parts(unsigned int n)
{
	int rc = climb(n), unlimited = UNLIMITED;

	CHECK_EQ(pin(sp.l2[1], TYPE_L2), 0);
	CHECK_EQ(pin(sp.l1[0][0], TYPE_L1), 0);
	if (rc)
		CHECK_EQ(descend(1000), 0);
	else
		CHECK_EQ(drop_ours(&unlimited), 0);
	COUNTED();
	unpin(sp.l2[1]);
	unpin(sp.l1[0][0]);
	check_idle(dom(1));
}

/* It turns out to be wrong after a while; the rest is somebody's work. */
static void then_invalid(unsigned int n)
{
	u64 *slot = &words(sp.l1[1][0])[300];
	int rc;

	*slot = sp.l4 << 12 | DATA;
	rc = climb(n);
	if (rc == -XEN_ERESTART)
		rc = climb(1000);
	CHECK_EQ(rc, -XEN_EBUSY);
	reap_all();
	while (descend(1000))
		;
	check_idle(dom(1));
	*slot = 0;
}

static void interrupted(void)
{
	void (*const then[])(unsigned int) = {
		then_down, then_zigzag, then_write, then_parts, then_invalid,
	};

	setup();
	build(dom(1));
	for (unsigned int i = 0; i < ARRAY_SIZE(then); i++)
		for (unsigned int n = 1; n < 30; n++)
			then[i](n);
	teardown();
}

/* The domain dies with a table half made, and half taken down. */
static void dies(void)
{
	for (unsigned int n = 1; n < 30; n++) {
		setup();
		build(dom(1));
		climb(n);
		if (n & 1)
			descend(n / 2);
		teardown();
	}
}

/* --- a random walk ------------------------------------------------------- */

#define WALK_FRAMES	48

static unsigned int pins, updates, bases;
static u64 pool[2][WALK_FRAMES];	/* mfns of domain 1 and 2, 0 none */

static u64 rnd(u64 n)
{
	return test_random() % n;
}

/* Most frames keep to one level, so that some trees come out right: the first
 * 16 are data, then come those for L1 to L4. */
static const u8 group_end[5] = { 16, 28, 38, 44, WALK_FRAMES };

static unsigned int group_of(u64 i)
{
	unsigned int g = 0;

	while (i >= group_end[g])
		g++;
	return g;
}

static u64 frame_of_group(unsigned int g)
{
	u64 first = g ? group_end[g - 1] : 0;

	return pool[current->domain->id - 1][first + rnd(group_end[g] - first)];
}

static u64 random_frame(unsigned int group)
{
	u64 r = rnd(100);

	if (r < 90)
		return frame_of_group(group);
	if (r < 98)
		return pool[rnd(2)][rnd(WALK_FRAMES)];
	return r < 99 ? rnd(NR_FRAMES) : NR_FRAMES + rnd(1000);
}

/* An entry for a table of the given level. */
static u64 random_entry(unsigned int level)
{
	static const u64 odd[] = {
		PTE_PSE, PTE_G, PTE_GRANT, 1UL << 51, PTE_PCD, PTE_AVAIL,
		PTE_NX, PTE_GUEST_KERNEL,
	};
	u64 e = random_frame(level ? level - 1 : 0) << 12;

	if (rnd(10))
		e |= PTE_P;
	if (rnd(2))
		e |= PTE_RW;
	if (rnd(4))
		e |= PTE_US;
	if (!rnd(30))
		e |= odd[rnd(ARRAY_SIZE(odd))];
	return e;
}

static unsigned int random_index(void)
{
	static const u16 some[] = { 0, 1, 7, 8, 255, 256, 271, 272, 511 };

	return some[rnd(ARRAY_SIZE(some))];
}

/* The guest stores to its own memory, if it could have it mapped writable. */
static void walk_store(void)
{
	u64 i = rnd(WALK_FRAMES), m = pool[current->domain->id - 1][i];

	if (!m || frame_get_type(frame(m), current->domain, TYPE_WRITABLE))
		return;
	if (!rnd(4))
		memset(words(m), 0, PAGE_SIZE);
	words(m)[random_index()] = random_entry(group_of(i));
	frame_put_type(frame(m));
}

static void walk_update(void)
{
	unsigned int level = 1 + (unsigned int)rnd(4);
	u64 m = random_frame(level), type;
	struct domain *d = current->domain;
	int budget = (int)rnd(4);

	if (m >= NR_FRAMES || !mfn_valid(MFN(m)))
		return;
	type = table_hold(MFN(m), d, 4);
	if (type == TYPE_L1)
		updates += !l1_update(&words(m)[random_index()],
				      random_entry(level),
				      rnd(2), d, d);
	else if (type)
		updates += !table_update(frame(m), &words(m)[random_index()],
					 random_entry(level), d, &budget);
	if (type)
		frame_put_type(frame(m));
}

static void walk_hold(void)
{
	unsigned int i = (unsigned int)rnd(ARRAY_SIZE(held));
	u64 m = random_frame((unsigned int)rnd(5));
	struct domain *d = current->domain;

	if (held[i].mfn) {
		if (held[i].writable)
			frame_put_type(frame(held[i].mfn));
		else
			frame_put(frame(held[i].mfn));
		held[i].mfn = 0;
		return;
	}
	if (m >= NR_FRAMES || !m)
		return;
	held[i].writable = rnd(2);
	if (held[i].writable ? !frame_get_type(frame(m), d, TYPE_WRITABLE)
			     : frame_get(frame(m), d)) {
		held[i].id = d->id;
		held[i].mfn = m;
	}
}

/* Memory goes back, perhaps while in use, and other comes. */
static void walk_exchange(void)
{
	u64 *p = &pool[current->domain->id - 1][rnd(WALK_FRAMES)];
	struct frame *f;

	if (*p) {
		f = mfn_get(MFN(*p), current->domain);
		if (!f)
			return;
		frame_release_allocated(f);
		frame_put(f);
		*p = 0;
	} else {
		f = alloc_domain_pages(current->domain, 0, 0, 0);
		*p = f ? frame_to_mfn(f).m : 0;
	}
}

static void walk_steal(void)
{
	u64 m = pool[current->domain->id - 1][rnd(WALK_FRAMES)];

	if (m && page_steal(current->domain, frame(m)))
		page_unsteal(frame(m));
}

static void walk_step(void)
{
	struct domain *d = current->domain;
	unsigned int level = 1 + (unsigned int)rnd(4);
	u64 m = random_frame(level);

	switch (rnd(12)) {
	case 0: case 1: case 2:
		return walk_store();
	case 3: case 4:
		pins += !ptype_pin(d, MFN(m), (u64)level << TYPE_SHIFT);
		return;
	case 5:
		(void)ptype_unpin(d, MFN(m));
		return;
	case 6: case 7:
		return walk_update();
	case 8:
		return walk_hold();
	case 9:
		if (!rnd(8))
			return walk_exchange();
		return walk_steal();
	case 10:
		m = random_frame(4);
		bases += m && !vcpu_set_user_l4(current, MFN(m));
		if (!rnd(3))
			(void)vcpu_set_user_l4(current, MFN(0));
		return;
	default:
		(void)vcpu_reap(current);
	}
}

static void random_walk(void)
{
	unsigned int i;

	setup();
	for (i = 0; i < WALK_FRAMES; i++) {
		pool[0][i] = page(dom(1));
		pool[1][i] = page(dom(2));
	}
	for (i = 0; i < 60000 && !test_bad; i++) {
		act_as(1 + (unsigned int)rnd(2));
		/* As every hypercall does. */
		if (!vcpu_reap(current))
			walk_step();
		if (i % 64 == 0)
			COUNTED();
	}
	CHECK(pins > 500 && updates > 500 && bases > 300);
	for (i = 0; i < ARRAY_SIZE(held); i++) {
		if (!held[i].mfn)
			continue;
		if (held[i].writable)
			frame_put_type(frame(held[i].mfn));
		else
			frame_put(frame(held[i].mfn));
		held[i].mfn = 0;
	}
	COUNTED();
	teardown();
}

/* --- a race for one frame ------------------------------------------------ */

/*
 * CPU 0 installs the frame as an L1 and removes it; CPU 1 maps it writable,
 * writes as long as its TLB lets it, and unmaps it; CPU 2 pins it.  While CPU
 * 0 or 2 has it as a table nobody writes to it, and what is in it is allowed.
 */
static struct { u64 l2, map, frame, good, evil; } race;
static bool race_stop;
static unsigned int installs, writes, torn;

static u64 race_entry(bool good)
{
	return (good ? race.good : race.evil) << 12 | DATA;
}

static void look_at_table(void)
{
	u64 a = READ_ONCE(words(race.frame)[1]), b;

	for (int i = 0; i < 50; i++)
		cpu_relax();
	sched_yield();
	b = READ_ONCE(words(race.frame)[1]);
	if (a != b || (a & PTE_P && pte_mfn(a).m != race.good))
		atomic_add(&torn, 1);
	atomic_add(&installs, 1);
}

/* Time for the others. */
static void pause_a_little(void)
{
	for (int i = 0; i < 10; i++)
		sched_yield();
}

static void *install_thread(void *unused)
{
	u64 *slot = &words(race.l2)[4];
	int budget;

	me = 0;
	while (!READ_ONCE(race_stop)) {
		budget = 1000;
		if (!table_update(frame(race.l2), slot,
				  race.frame << 12 | TABLE, dom(1), &budget))
			look_at_table();
		budget = 1000;
		(void)table_update(frame(race.l2), slot, 0, dom(1), &budget);
		pause_a_little();
	}
	return NULL;
}

static void write_through_tlb(unsigned int n)
{
	pthread_mutex_lock(&tlb_lock[1]);
	if (can_write[1]) {
		words(race.frame)[1] = race_entry(n & 1);
		writes++;
	}
	pthread_mutex_unlock(&tlb_lock[1]);
}

static void *map_thread(void *unused)
{
	u64 *slot = &words(race.map)[0];

	me = 1;
	for (unsigned int n = 0; !READ_ONCE(race_stop); n++) {
		pthread_mutex_lock(&tlb_lock[1]);
		/* The walk and the fill are one step of the processor. */
		if (!l1_update(slot, race.frame << 12 | DATA, false, dom(1),
			       dom(1)))
			can_write[1] = true;
		pthread_mutex_unlock(&tlb_lock[1]);
		write_through_tlb(n);
		write_through_tlb(n + 1);
		(void)l1_update(slot, 0, false, dom(1), dom(1));
		write_through_tlb(n + 1);	/* stale, if not flushed */
		write_through_tlb(n + 1);
	}
	return NULL;
}

static void *pin_thread(void *unused)
{
	me = 2;
	while (!READ_ONCE(race_stop)) {
		if (!ptype_pin(dom(1), MFN(race.frame), TYPE_L1)) {
			look_at_table();
			(void)ptype_unpin(dom(1), MFN(race.frame));
		}
		vcpu_reap(current);
		pause_a_little();
	}
	return NULL;
}

static void races(void)
{
	void *(*const body[])(void *) = {
		install_thread, map_thread, pin_thread,
	};
	struct timespec t = { .tv_nsec = 100 * 1000 * 1000 };
	pthread_t thread[3];

	setup();
	race.l2 = page(dom(1));
	race.map = page(dom(1));
	race.frame = page(dom(1));
	race.good = page(dom(1));
	race.evil = race.l2;
	CHECK_EQ(pin(race.l2, TYPE_L2), 0);
	CHECK_EQ(pin(race.map, TYPE_L1), 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, body[i], NULL);
	for (int i = 0; i < 300; i++) {
		nanosleep(&t, NULL);
		if (READ_ONCE(installs) > 3000 && READ_ONCE(writes) > 3000)
			break;
	}
	WRITE_ONCE(race_stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(torn, 0);
	CHECK(installs > 100);
	CHECK(writes > 100);
	reap_all();
	COUNTED();
	unpin(race.l2);
	unpin(race.map);
	CHECK_EQ(uses(race.frame), 0);
	teardown();
}

/* --- the recount itself -------------------------------------------------- */

static void notices(void)
{
	setup();
	build(dom(1));
	CHECK_EQ(pin(sp.l4, TYPE_L4), 0);
	frame(sp.data[0])->ref++;
	CHECK_EQ(frames_recount(), 1);
	frame(sp.data[0])->ref--;
	frame(sp.l3)->type++;
	CHECK_EQ(frames_recount(), 1);
	frame(sp.l3)->type--;
	words(sp.l1[0][0])[0] &= ~PTE_RW;	/* a ref for a use */
	CHECK_EQ(frames_recount(), 1);
	words(sp.l1[0][0])[0] |= PTE_RW;
	words(sp.l1[0][0])[0] ^= (sp.data[0] ^ sp.l3) << 12;
	CHECK_EQ(frames_recount(), 2);
	words(sp.l1[0][0])[0] ^= (sp.data[0] ^ sp.l3) << 12;
	dom(1)->tot_pages++;
	CHECK_EQ(frames_recount(), 1);
	dom(1)->tot_pages--;
	COUNTED();
	unpin(sp.l4);
	teardown();
}

/* No big block is left: window by window, with the same result. */
static void in_windows(void)
{
	struct frame *f[NR_FRAMES / 8];
	unsigned int n = 0;

	setup();
	build(dom(1));
	CHECK_EQ(pin(sp.l4, TYPE_L4), 0);
	while (n < ARRAY_SIZE(f) && (f[n] = pages_take(3, ALLOC_NOSCRUB)))
		n++;
	CHECK(n > 1000);
	CHECK_EQ(frames_recount(), ~0UL);	/* and then not at all */
	for (unsigned int i = 0; i < n; i += 2)
		pages_give(f[i], 3);
	COUNTED();
	frame(sp.l3)->type++;
	CHECK_EQ(frames_recount(), 1);
	frame(sp.l3)->type--;
	for (unsigned int i = 1; i < n; i += 2)
		pages_give(f[i], 3);
	unpin(sp.l4);
	teardown();
}

/*
 * Where the frame table has holes, the hypervisor's guarded loads fault and go
 * on; here they read zeros, the frame of nobody.  As far as an entry can say.
 */
static void map_holes(void)
{
	u64 from = FRAMETABLE_BASE + ROUND_UP(NR_FRAMES * sizeof(struct frame),
					      PAGE_SIZE);
	u64 to = FRAMETABLE_BASE + (sizeof(struct frame) << 40);

	if (mmap((void *)from, to - from, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		 MAP_FIXED_NOREPLACE, -1, 0) != (void *)from) {
		perror("map_holes");
		exit(2);
	}
}

/* --- a CPU that stands still before its cmpxchg -------------------------- */

static u64 slow_map, slow_frame;

/* CPU 1 flushes, maps the frame writable, and takes it away without one. */
static void map_and_unmap(void)
{
	u64 *entry = &words(slow_map)[1];

	me = 1;
	tlb_flush_mask(1 << 1, FLUSH_ALL_VA);
	CHECK_EQ(l1_update(entry, slow_frame << 12 | DATA, false, dom(1),
			   dom(1)), 0);
	can_write[1] = true;
	CHECK_EQ(l1_update(entry, 0, false, dom(1), dom(1)), 0);
	me = 0;
}

/* A put that comes late does not make the frame's stamp older than it is. */
static void slow_put(void)
{
	setup();
	me = 0;
	slow_map = page(dom(1));
	slow_frame = page(dom(1));
	CHECK_EQ(pin(slow_map, TYPE_L1), 0);
	CHECK_EQ(l1_update(words(slow_map), slow_frame << 12 | DATA, false,
			   dom(1), dom(1)), 0);
	meanwhile = map_and_unmap;
	meanwhile_at = &frame(slow_frame)->type;
	CHECK_EQ(l1_update(words(slow_map), 0, false, dom(1), dom(1)), 0);
	CHECK(!meanwhile_at);
	CHECK_EQ(uses(slow_frame), 0);
	CHECK_EQ(ptype_pin(dom(1), MFN(slow_frame), TYPE_L1), 0);
	CHECK(!can_write[1]);
	unpin(slow_frame);
	unpin(slow_map);
	teardown();
}

/* The frame goes to domain 2, which comes just as far with a table of its. */
static void change_hands(void)
{
	u64 m;

	while (ptype_pin(dom(1), MFN(slow_frame), TYPE_L1) == -XEN_ERESTART)
		;
	CHECK_EQ(ptype_unpin(dom(1), MFN(slow_frame)), 0);
	CHECK(frame_release_allocated(frame(slow_frame)));
	act_as(2);
	m = page(dom(2));
	CHECK_EQ(m, slow_frame);
	for (int i = 0; i < TABLE_BUDGET - 1; i++)	/* one go's */
		put(m, i, page(dom(2)), TABLE);
	CHECK_EQ(ptype_pin(dom(2), MFN(m), TYPE_L2), -XEN_ERESTART);
	act_as(1);
}

/* Nobody goes on with a half-built table that is no longer his. */
static void slow_pin(void)
{
	setup();
	me = 0;
	slow_frame = page(dom(1));
	for (int i = 0; i < 40; i++)
		put(slow_frame, i, page(dom(1)), TABLE);
	CHECK_EQ(ptype_pin(dom(1), MFN(slow_frame), TYPE_L2), -XEN_ERESTART);
	meanwhile = change_hands;
	meanwhile_at = &frame(slow_frame)->type;
	while (ptype_pin(dom(1), MFN(slow_frame), TYPE_L2) == -XEN_ERESTART)
		;
	CHECK(!meanwhile_at);
	CHECK(!(frame(slow_frame)->type & (TYPE_VALIDATED | TYPE_PINNED)));
	CHECK_EQ(frame_owner(frame(slow_frame)), 2);
	COUNTED();
	teardown();
}

int main(void)
{
	host_map_frames(NR_FRAMES);
	map_holes();
	for (u64 m = 0; m < OURS; m++)
		frame(m)->ref = (u64)DOMID_XEN << FRAME_OWNER_SHIFT;
	pte_masks_init();
	pages_add(OURS << PAGE_SHIFT, (u64)NR_FRAMES << PAGE_SHIFT);
	RUN(up_and_down);
	RUN(bad_tables);
	RUN(entries);
	RUN(devices);
	RUN(lent_pages);
	RUN(interrupted);
	RUN(dies);
	RUN(random_walk);
	RUN(races);
	RUN(slow_put);
	RUN(slow_pin);
	RUN(notices);
	RUN(in_windows);
	return test_done();
}
