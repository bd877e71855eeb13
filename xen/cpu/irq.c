/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device interrupts: vectors, and the control domain's pirqs.
 *
 * A source (IO-APIC line or message) has a pirq; a pirq in use has a vector,
 * the same on all CPUs.  Dom0 binds a pirq to an event channel port.
 *
 * Invariants:
 *  - a line or message is unmasked only while a port is bound to it or the
 *    hypervisor itself has claimed it;
 *  - a level line that fired stays masked until the guest says EOI: nothing
 *    else can keep it from firing at once again;
 *  - edges and messages are acknowledged at once and need no EOI: their event
 *    stays pending until the guest takes it, so no storm gets further than a
 *    few hundred instructions per interrupt;
 *  - no lock is held while event/ is called (pirq_raise).
 *
 * irq_lock (LOCK_IRQ) guards the two tables and the IO-APICs.  Device
 * interrupts arrive only in guest mode, in the idle loop and in
 * preempt_check()'s window, so the handler finds the lock free of its own
 * CPU.  MSI registers are written outside it, from copies made inside: their
 * mappings last forever, so a copy that is out of date does no harm.
 *
 * What a hostile guest may try: pirq numbers out of range (checked in each
 * entry), an interrupt storm (one event per EOI, or masked), using up
 * vectors.  A vector is reused as late as possible, for an interrupt may
 * still be on its way when its pirq goes; such a stray one is at worst a
 * spurious event.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <domain/domain.h>

enum pirq_kind { PIRQ_FREE, PIRQ_RESERVED, PIRQ_GSI, PIRQ_MSI };
#define NO_PIRQ		0xffff

static struct pirq {
	u8 kind;
	bool bound;		/* Dom0 has a port on it */
	bool in_flight;		/* level: masked, waits for the guest's EOI */
	bool level, low;	/* lines: trigger, polarity */
	bool set_up;		/* lines: somebody told trigger and polarity */
	u8 vector;		/* 0 none */
	u8 index;		/* of a group of messages; 0 its leader */
	u16 cpu;
	void (*fn)(void *);	/* ours: not for Dom0 */
	void *arg;
	struct msi msi;		/* messages; a group's is in its leader */
	u64 count;
} pirqs[NR_PIRQS];

static u16 vector_pirq[256];
static unsigned int next_vector = VEC_FIRST_DEVICE;

struct spinlock irq_lock = SPINLOCK(LOCK_IRQ);
void (*pirq_raise)(struct domain *d, unsigned int pirq);

/* Dom0's pirq n with a source behind it, or NULL. */
static struct pirq *pirq_get(const struct domain *d, unsigned int n)
{
	if (!d->is_privileged || n >= NR_PIRQS || pirqs[n].kind < PIRQ_GSI)
		return NULL;
	return &pirqs[n];
}

static struct pirq *leader(struct pirq *p)
{
	return p - p->index;
}

/* --- vectors -- */

static bool vectors_free(unsigned int first, unsigned int nr)
{
	unsigned int v;

	if (first < VEC_FIRST_DEVICE || first + nr - 1 > VEC_LAST_DEVICE)
		return false;
	for (v = first; v < first + nr; v++)
		if (v == VEC_SYSCALL32 || vector_pirq[v] != NO_PIRQ)
			return false;
	return true;
}

/* nr (a power of 2) vectors, aligned, for pirqs from `first` on; 0 none. */
static unsigned int vectors_alloc(unsigned int nr, unsigned int first)
{
	unsigned int v = ROUND_UP(next_vector, nr), tries, i;

	for (tries = 0; tries < 256; tries++, v += nr) {
		if (v > VEC_LAST_DEVICE)
			v = VEC_FIRST_DEVICE;
		if (!vectors_free(v, nr))
			continue;
		for (i = 0; i < nr; i++)
			vector_pirq[v + i] = first + i;
		next_vector = v + nr;
		return v;
	}
	return 0;
}

/* --- lines -- */

/* Trigger and polarity as the firmware's MADT has them, until told better. */
static void line_defaults(unsigned int gsi)
{
	struct pirq *p = &pirqs[gsi];
	unsigned int i;

	p->level = p->low = gsi >= 16;
	for (i = 0; i < acpi.nr_override; i++) {
		const struct acpi_override *o = &acpi.override[i];

		if (o->gsi != gsi)
			continue;
		p->low = (o->flags & 3) == 3;
		p->level = (o->flags >> 2 & 3) == 3;
	}
}

/* Gives the line its vector and routes it, masked. */
static int line_route(unsigned int gsi)
{
	struct pirq *p = &pirqs[gsi];

	if (!p->vector)
		p->vector = vectors_alloc(1, gsi);
	if (!p->vector)
		return -XEN_ENOSPC;
	p->set_up = true;
	p->in_flight = false;
	return ioapic_route(gsi, p->vector, p->cpu, p->level, p->low);
}

int irq_check_gsi(unsigned int gsi)
{
	if (gsi >= nr_gsi || pirqs[gsi].kind != PIRQ_GSI)
		return -XEN_EINVAL;
	return gsi ? 0 : -XEN_EPERM;	/* line 0: the legacy timer */
}

/* Dom0's ACPI knows trigger mode and polarity; a line in use keeps its own. */
int irq_setup_gsi(unsigned int gsi, bool level, bool low)
{
	struct pirq *p = &pirqs[gsi];
	int rc = irq_check_gsi(gsi);

	if (rc)
		return rc;
	spin_lock(&irq_lock);
	if (p->bound || p->fn) {
		rc = -XEN_EEXIST;
	} else {
		p->level = level;
		p->low = low;
		rc = line_route(gsi);
	}
	spin_unlock(&irq_lock);
	return rc;
}

u8 irq_gsi_vector(unsigned int gsi)
{
	return irq_check_gsi(gsi) ? 0 : pirqs[gsi].vector;
}

/*
 * A line for the hypervisor itself: fn(arg) runs with interrupts off for each
 * interrupt.  -XEN_EINVAL no such line, -XEN_EBUSY taken.
 */
int irq_claim(unsigned int gsi, void (*fn)(void *), void *arg)
{
	struct pirq *p = &pirqs[gsi];
	int rc;

	if (irq_check_gsi(gsi))
		return -XEN_EINVAL;
	spin_lock(&irq_lock);
	rc = p->bound || p->fn ? -XEN_EBUSY : line_route(gsi);
	if (!rc) {
		p->fn = fn;
		p->arg = arg;
		ioapic_unmask(gsi);
	}
	spin_unlock(&irq_lock);
	return rc;
}

/* After ioapic_init(). */
void __init irq_init(void)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		vector_pirq[i] = NO_PIRQ;
	for (i = 0; i < nr_gsi; i++) {
		pirqs[i].kind = PIRQ_GSI;
		line_defaults(i);
	}
	log_info("IRQ limits: %u GSI, %u messages\n", nr_gsi,
		 NR_PIRQS - nr_gsi);
}

/* --- arrival -- */

/* Vectors above the devices'.  Timer and kick only need to be noticed. */
static void local_vector(u8 vector)
{
	if (vector == VEC_SPURIOUS)
		return;		/* has no place in the in-service register */
	if (vector == VEC_FLUSH || vector == VEC_CALL) {
		ipi_handle(vector);
		return;
	}
	apic_eoi();
	if (vector == VEC_TIMER)
		cpu_set_work(smp_processor_id(), WORK_TIMER);
	else if (vector == VEC_ERROR)
		log_warn("CPU%u: local APIC error\n", smp_processor_id());
}

void irq_handle(u8 vector)
{
	bool raise = false, level = false;
	void (*fn)(void *) = NULL;
	void *arg = NULL;
	unsigned int n;
	struct pirq *p;

	this_cpu()->irq_count++;
	if (vector > VEC_LAST_DEVICE) {
		local_vector(vector);
		return;
	}
	spin_lock(&irq_lock);
	n = vector_pirq[vector];
	if (n != NO_PIRQ) {
		p = &pirqs[n];
		p->count++;
		level = p->kind == PIRQ_GSI && p->level;
		fn = p->fn;
		arg = p->arg;
		raise = p->bound && !fn;
		p->in_flight = level && raise;
		if (level)
			ioapic_mask(n);
	}
	apic_eoi();
	spin_unlock(&irq_lock);

	if (raise) {
		pirq_raise(dom0, n);
	} else if (fn) {
		fn(arg);
		if (!level)
			return;
		spin_lock(&irq_lock);
		ioapic_unmask(n);
		spin_unlock(&irq_lock);
	}
}

/* --- Dom0's ports -- */

/*
 * The caller has recorded its port before, for the interrupt may come at
 * once.  Sharing is no question while only one domain has pirqs.
 */
int pirq_bind(struct domain *d, unsigned int n, bool will_share)
{
	struct pirq *p = pirq_get(d, n);
	struct msi m = { 0 };
	int rc = 0;

	if (!p)
		return -XEN_EINVAL;
	if (n < nr_gsi && irq_check_gsi(n))
		return -XEN_EPERM;
	spin_lock(&irq_lock);
	if (p->kind < PIRQ_GSI)
		rc = -XEN_EINVAL;	/* went meanwhile */
	else if (p->fn)
		rc = -XEN_EBUSY;
	else if (p->bound)
		rc = -XEN_EEXIST;
	else if (p->kind == PIRQ_GSI && !p->set_up)
		rc = line_route(n);
	if (!rc) {
		p->bound = true;
		p->in_flight = false;
		m = leader(p)->msi;
		if (p->kind == PIRQ_GSI)
			ioapic_unmask(n);
	}
	spin_unlock(&irq_lock);
	/* A copy: at worst we unmask a message that nothing routes any more. */
	msi_mask(&m, p->index, false);
	return rc;
}

void pirq_unbind(struct domain *d, unsigned int n)
{
	struct pirq *p = pirq_get(d, n);
	struct msi m = { 0 };

	if (!p)
		return;
	spin_lock(&irq_lock);
	if (p->bound) {
		p->bound = p->in_flight = false;
		m = leader(p)->msi;
		if (p->kind == PIRQ_GSI)
			ioapic_mask(n);
	}
	spin_unlock(&irq_lock);
	msi_mask(&m, p->index, true);
}

/* An EOI for a line that does not wait for one changes nothing. */
void pirq_eoi(struct domain *d, unsigned int n)
{
	struct pirq *p = pirq_get(d, n);

	if (!p || !READ_ONCE(p->in_flight))
		return;
	spin_lock(&irq_lock);
	if (p->in_flight && p->bound) {
		p->in_flight = false;
		ioapic_unmask(n);
	}
	spin_unlock(&irq_lock);
}

/* True for all lines: whether one is level is told only after this question. */
bool pirq_needs_eoi(struct domain *d, unsigned int n)
{
	struct pirq *p = pirq_get(d, n);

	return p && p->kind == PIRQ_GSI;
}

/* Between domains; only Dom0 has pirqs. */
bool pirq_is_shared(struct domain *d, unsigned int n)
{
	return false;
}

/* Messages of a group share one address, so its leader decides for all. */
void pirq_set_cpu(struct domain *d, unsigned int n, unsigned int cpu)
{
	struct pirq *p = pirq_get(d, n);
	struct msi m = { 0 };
	u8 vector = 0;

	if (!p || cpu >= nr_cpus || p->index || READ_ONCE(p->cpu) == cpu)
		return;
	spin_lock(&irq_lock);
	if (p->bound && p->vector) {
		p->cpu = cpu;
		vector = p->vector;
		m = p->msi;
		if (p->kind == PIRQ_GSI)
			ioapic_set_cpu(n, cpu);
	}
	spin_unlock(&irq_lock);
	if (!m.cap)
		return;
	msi_mask(&m, 0, true);
	msi_write(&m, vector, cpu);
	msi_mask(&m, 0, false);
}

/* --- messages -- */

/* A run of nr free pirqs above the lines, from `want` if it is not -1. */
static int pirqs_find(unsigned int nr, int want)
{
	unsigned int first = want < 0 ? nr_gsi : (unsigned int)want, n, run = 0;

	if (first < nr_gsi || first >= NR_PIRQS)
		return -XEN_EINVAL;
	for (n = first; n < NR_PIRQS; n++) {
		bool ok = pirqs[n].kind == PIRQ_FREE ||
			  (want >= 0 && pirqs[n].kind == PIRQ_RESERVED);

		run = ok ? run + 1 : 0;
		if (run == nr)
			return n - nr + 1;
		if (want >= 0 && !ok)
			return -XEN_EEXIST;
	}
	return -XEN_ENOSPC;
}

static bool same_device(const struct msi *m, u16 seg, u8 bus, u8 devfn)
{
	return m->seg == seg && m->bus == bus && m->devfn == devfn;
}

/* Whoever held the same message before has forgotten it, or it is in use. */
static int msi_evict(const struct msi *m)
{
	unsigned int n;

	for (n = nr_gsi; n < NR_PIRQS; n++) {
		struct pirq *p = &pirqs[n];

		if (p->kind != PIRQ_MSI || p->index ||
		    !same_device(&p->msi, m->seg, m->bus, m->devfn) ||
		    (p->msi.msix == m->msix && p->msi.entry != m->entry))
			continue;
		if (p->bound)
			return -XEN_EEXIST;
		pirq_unmap(n);
	}
	return 0;
}

/* Serialised by physdev_op's lock, as is all that makes or frees pirqs. */
int pirq_map_msi(const struct msi *m, int want)
{
	int rc = msi_evict(m), first;
	unsigned int vector = 0, i;

	if (rc)
		return rc;
	spin_lock(&irq_lock);
	first = pirqs_find(m->nr, want);
	if (first >= 0)
		vector = vectors_alloc(m->nr, first);
	for (i = 0; vector && i < m->nr; i++)
		pirqs[first + i] = (struct pirq){ .kind = PIRQ_RESERVED,
				.vector = vector + i, .index = i, .msi = *m };
	spin_unlock(&irq_lock);
	if (first < 0)
		return first;
	if (!vector)
		return -XEN_ENOSPC;

	rc = msi_open(&pirqs[first].msi);
	if (rc) {
		pirqs[first].msi.cap = 0;
		pirq_unmap(first);
		return rc;
	}
	msi_write(&pirqs[first].msi, vector, 0);
	for (i = 0; i < m->nr; i++)
		store_release(&pirqs[first + i].kind, PIRQ_MSI);
	return first;
}

/*
 * Gives a pirq up, bound or not; a line stays known.  A group goes as one,
 * with its leader; other members are left alone.
 */
int pirq_unmap(unsigned int n)
{
	struct pirq *p = &pirqs[n];
	unsigned int i, nr;

	if (n >= NR_PIRQS || p->kind == PIRQ_FREE)
		return -XEN_EINVAL;
	if (p->kind == PIRQ_GSI) {
		pirq_unbind(dom0, n);
		return 0;
	}
	if (p->index)
		return 0;
	nr = max(p->msi.nr, (u8)1);
	for (i = 0; i < nr; i++)
		pirq_unbind(dom0, n + i);
	if (p->msi.cap)
		msi_close(&p->msi);
	spin_lock(&irq_lock);
	for (i = 0; i < nr; i++) {
		if (p[i].vector)
			vector_pirq[p[i].vector] = NO_PIRQ;
		p[i] = (struct pirq){ .kind = PIRQ_FREE };
	}
	spin_unlock(&irq_lock);
	return 0;
}

int pirq_reserve(void)
{
	int n;

	spin_lock(&irq_lock);
	n = pirqs_find(1, -1);
	if (n >= 0)
		pirqs[n].kind = PIRQ_RESERVED;
	spin_unlock(&irq_lock);
	return n;
}

void pirq_restore_device(u16 seg, u8 bus, u8 devfn)
{
	unsigned int n, i;

	for (n = nr_gsi; n < NR_PIRQS; n++) {
		struct pirq *p = &pirqs[n];

		if (p->kind != PIRQ_MSI || p->index ||
		    !same_device(&p->msi, seg, bus, devfn))
			continue;
		msi_write(&p->msi, p->vector, p->cpu);
		for (i = 0; i < p->msi.nr; i++)
			msi_mask(&p->msi, i, !p[i].bound);
	}
}

void pirq_release_device(u16 seg, u8 bus, u8 devfn)
{
	unsigned int n;

	for (n = nr_gsi; n < NR_PIRQS; n++)
		if (pirqs[n].kind == PIRQ_MSI && !pirqs[n].index &&
		    same_device(&pirqs[n].msi, seg, bus, devfn))
			pirq_unmap(n);
}

/* The domain's ports are closed; nothing of its may fire any more. */
void irq_release_domain(struct domain *d)
{
	unsigned int n;

	if (!d->is_privileged)
		return;
	for (n = 0; n < NR_PIRQS; n++)
		pirq_unbind(d, n);
}

void irq_dump(void)
{
	unsigned int n;

	for (n = 0; n < NR_PIRQS; n++) {
		const struct pirq *p = &pirqs[n];

		if (!p->vector)
			continue;
		printk("pirq %3u vec %02x cpu%u %s%s%s%s %lu\n", n, p->vector,
		       p->cpu, p->kind == PIRQ_GSI ?
		       (p->level ? "level" : "edge") :
		       p->msi.msix ? "msi-x" : "msi",
		       p->fn ? " ours" : "", p->bound ? " bound" : "",
		       p->in_flight ? " in-flight" : "", p->count);
	}
}
