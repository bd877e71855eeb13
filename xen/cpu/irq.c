/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device interrupts: vectors, IO-APICs, and the control domain's pirqs.
 *
 * A source (IO-APIC line or message) has a pirq; a pirq in use has a vector,
 * the same on all CPUs.  All of them arrive at the boot CPU.  Dom0 binds a
 * pirq to an event channel port.
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
 * irq_lock (LOCK_IRQ) guards the two tables and the IO-APICs, whose index and
 * data register make one access of two steps.  Device interrupts arrive only
 * in guest mode, in the idle loop and in preempt_check()'s window, so the
 * handler finds the lock free of its own CPU.
 *
 * What a hostile guest may try: pirq numbers out of range (checked in each
 * entry), an interrupt storm (one event per EOI, or masked), using up
 * vectors.  A vector is reused as late as possible, for an interrupt may
 * still be on its way when its pirq goes; such a stray one is at worst a
 * spurious event.
 *
 * Not offered: groups of messages in one capability (drivers take a single
 * one then), and moving a line to the CPU that its port's vCPU runs on.
 */
#include <dev/dev.h>
#include <domain/domain.h>

#define REG_VERSION	1
#define REG_ENTRY(pin)	(0x10 + 2 * (pin))
#define RTE_LOW_ACTIVE	(1U << 13)
#define RTE_LEVEL	(1U << 15)
#define RTE_MASKED	(1U << 16)

unsigned int nr_gsi;

enum pirq_kind { PIRQ_FREE, PIRQ_GSI, PIRQ_MSI };

static struct pirq {
	u8 kind;
	bool bound;		/* Dom0 has a port on it */
	u8 vector;		/* 0 none yet */
	u32 rte;		/* lines: their entry's low half; a bound one
				 * that is masked waits for the guest's EOI */
	void (*fn)(void *);	/* ours: not for Dom0 */
	void *arg;
	struct msi msi;
} pirqs[NR_PIRQS];

static u16 vector_pirq[256];	/* 0 none: line 0 is never used */
static u8 next_vector = VEC_FIRST_DEVICE;

static struct spinlock irq_lock = SPINLOCK(LOCK_IRQ);
void (*pirq_raise)(struct domain *d, unsigned int pirq);

/* Dom0's pirq n with a source behind it, or NULL. */
static struct pirq *pirq_get(const struct domain *d, unsigned int n)
{
	return d->is_privileged && n < NR_PIRQS && pirqs[n].kind ? &pirqs[n]
								  : NULL;
}

/* A vector for pirq n; 0 none left. */
static u8 vector_alloc(unsigned int n)
{
	for (unsigned int tries = 0; tries < 256; tries++) {
		u8 v = next_vector;

		next_vector = v < VEC_LAST_DEVICE ? v + 1 : VEC_FIRST_DEVICE;
		if (v != VEC_SYSCALL32 && !vector_pirq[v]) {
			vector_pirq[v] = n;
			return v;
		}
	}
	return 0;
}

/* --- lines and IO-APICs -- */

static u32 reg_read(const struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void reg_write(const struct ioapic *io, u32 reg, u32 val)
{
	io->regs[0] = reg;
	io->regs[4] = val;
}

/* gsi is of kind PIRQ_GSI, so some IO-APIC has it. */
static void line_write(unsigned int gsi, u32 rte)
{
	const struct ioapic *io = acpi.ioapic;

	while (gsi - io->gsi_base >= io->nr_pins)
		io++;
	pirqs[gsi].rte = rte;
	reg_write(io, REG_ENTRY(gsi - io->gsi_base), rte);
	/* Read back: the line must be off before the caller's next step. */
	if (rte & RTE_MASKED)
		reg_read(io, REG_ENTRY(gsi - io->gsi_base));
}

static void line_mask(unsigned int gsi, bool masked)
{
	line_write(gsi, (pirqs[gsi].rte & ~RTE_MASKED) |
		   (masked ? RTE_MASKED : 0));
}

/* The line's trigger and polarity, and its vector; masked.  irq_lock held. */
static int line_setup(unsigned int gsi, u32 mode)
{
	struct pirq *p = &pirqs[gsi];

	if (!p->vector)
		p->vector = vector_alloc(gsi);
	if (!p->vector)
		return -XEN_ENOSPC;
	line_write(gsi, mode | RTE_MASKED | p->vector);
	return 0;
}

/*
 * After acpi_init(): masks all lines and sets nr_gsi.  Dom0 says what mode a
 * line really has before it uses it.
 */
void __init irq_init(void)
{
	struct ioapic *io = acpi.ioapic;

	for (; io < acpi.ioapic + acpi.nr_ioapic; io++) {
		u32 pins;

		io->regs = map_io(io->pa, PAGE_SIZE,
				  MAP_RW | PTE_PCD | PTE_PWT);
		pins = (reg_read(io, REG_VERSION) >> 16 & 0xff) + 1;
		log_info("IO-APIC at %lx: GSI %u, %u lines\n", io->pa,
			 io->gsi_base, pins);
		if (io->gsi_base > NR_PIRQS / 2 - pins) {
			log_warn("IO-APIC ignored: too many lines\n");
			continue;
		}
		io->nr_pins = pins;
		nr_gsi = max(nr_gsi, io->gsi_base + pins);
		for (u32 pin = 0; pin < pins; pin++) {
			u32 gsi = io->gsi_base + pin;

			pirqs[gsi].kind = PIRQ_GSI;
			line_write(gsi, RTE_MASKED | (gsi < 16 ? 0 :
				   RTE_LEVEL | RTE_LOW_ACTIVE));
			reg_write(io, REG_ENTRY(pin) + 1,
				  this_cpu()->apic_id << 24);
		}
	}
}

int irq_check_gsi(unsigned int gsi)
{
	if (gsi >= nr_gsi || pirqs[gsi].kind != PIRQ_GSI)
		return -XEN_EINVAL;
	return gsi ? 0 : -XEN_EPERM;	/* line 0: the legacy timer */
}

/* Gives a line that is not in use its mode, or to the hypervisor itself. */
static int line_take(unsigned int gsi, u32 mode, void (*fn)(void *), void *arg)
{
	struct pirq *p = &pirqs[gsi];
	int rc = irq_check_gsi(gsi);

	if (rc)
		return rc;
	spin_lock(&irq_lock);
	rc = p->bound || p->fn ? -XEN_EEXIST : line_setup(gsi, mode);
	if (!rc && fn) {
		p->fn = fn;
		p->arg = arg;
		line_mask(gsi, false);
	}
	spin_unlock(&irq_lock);
	return rc;
}

/* Dom0's ACPI knows trigger mode and polarity; a line in use keeps its own. */
int irq_setup_gsi(unsigned int gsi, bool level, bool low)
{
	return line_take(gsi, (level ? RTE_LEVEL : 0) |
			 (low ? RTE_LOW_ACTIVE : 0), NULL, NULL);
}

/* A line for the hypervisor itself: fn(arg) runs with interrupts off for each
 * interrupt.  Errors as above; gsi < NR_PIRQS. */
int irq_claim(unsigned int gsi, void (*fn)(void *), void *arg)
{
	return line_take(gsi, pirqs[gsi].rte, fn, arg);
}

bool ioapic_address_reserved(paddr_t pa)
{
	for (unsigned int i = 0; i < acpi.nr_ioapic; i++)
		if (((pa ^ acpi.ioapic[i].pa) & PAGE_MASK) == 0)
			return true;
	return false;
}

int ioapic_guest_read(paddr_t pa, u32 reg, u32 *value)
{
	const struct ioapic *io = acpi.ioapic, *end = io + acpi.nr_ioapic;

	while (io < end && io->pa != pa)
		io++;
	if (io == end || reg > 2)
		return -XEN_EINVAL;
	spin_lock(&irq_lock);
	*value = reg_read(io, reg);
	spin_unlock(&irq_lock);
	return 0;
}

/* --- arrival -- */

void irq_handle(u8 vector)
{
	unsigned int n = vector_pirq[vector];
	struct pirq *p = &pirqs[n];
	bool raise, level;
	void (*fn)(void *);

	if (vector > VEC_LAST_DEVICE) {
		/* The spurious one has no place in the in-service register. */
		if (vector != VEC_SPURIOUS)
			apic_eoi();
		if (vector == VEC_TIMER)
			cpu_set_work(smp_processor_id(), WORK_TIMER);
		else
			cpu_poll();
		return;
	}
	spin_lock(&irq_lock);
	level = p->rte & RTE_LEVEL;
	fn = p->fn;
	raise = p->bound;
	if (level)
		line_mask(n, true);
	apic_eoi();
	spin_unlock(&irq_lock);

	if (raise)
		pirq_raise(dom0, n);
	if (!fn)
		return;
	fn(p->arg);
	if (level) {
		spin_lock(&irq_lock);
		line_mask(n, false);
		spin_unlock(&irq_lock);
	}
}

/* --- Dom0's ports -- */

/* irq_lock held; pci_lock may come inside. */
static void source_mask(unsigned int n, bool masked)
{
	if (pirqs[n].kind == PIRQ_GSI)
		line_mask(n, masked);
	else
		msi_mask(&pirqs[n].msi, masked);
}

/*
 * The caller has recorded its port before, for the interrupt may come at
 * once.  Sharing is no question while only one domain has pirqs.
 */
int pirq_bind(struct domain *d, unsigned int n)
{
	struct pirq *p;
	int rc;

	spin_lock(&irq_lock);
	p = pirq_get(d, n);
	rc = !p ? -XEN_EINVAL : !n ? -XEN_EPERM : p->fn ? -XEN_EBUSY :
	     p->bound ? -XEN_EEXIST :
	     p->kind == PIRQ_GSI && !p->vector ? line_setup(n, p->rte) : 0;
	if (!rc) {
		p->bound = true;
		source_mask(n, false);
	}
	spin_unlock(&irq_lock);
	return rc;
}

void pirq_unbind(struct domain *d, unsigned int n)
{
	struct pirq *p;

	spin_lock(&irq_lock);
	p = pirq_get(d, n);
	if (p && p->bound) {
		p->bound = false;
		source_mask(n, true);
	}
	spin_unlock(&irq_lock);
}

/* An EOI for a line that does not wait for one changes nothing. */
void pirq_eoi(struct domain *d, unsigned int n)
{
	struct pirq *p = pirq_get(d, n);

	if (!p || !(READ_ONCE(p->rte) & RTE_MASKED))
		return;
	spin_lock(&irq_lock);
	if (p->bound)
		line_mask(n, false);
	spin_unlock(&irq_lock);
}

/* --- messages -- */

static bool is_msi_of(const struct pirq *p, u16 seg, u8 bus, u8 devfn)
{
	return p->kind == PIRQ_MSI && p->msi.seg == seg &&
	       p->msi.bus == bus && p->msi.devfn == devfn;
}

/* Serialised by physdev_op's lock, as is all that makes or frees pirqs. */
int pirq_map_msi(const struct msi *m)
{
	struct pirq *found = NULL;
	int rc;

	for (unsigned int n = max(nr_gsi, 1U); n < NR_PIRQS; n++) {
		struct pirq *p = &pirqs[n];

		/* Who held the same message forgot it, or it is in use. */
		if (is_msi_of(p, m->seg, m->bus, m->devfn) &&
		    (p->msi.msix != m->msix || p->msi.entry == m->entry)) {
			if (p->bound)
				return -XEN_EEXIST;
			pirq_unmap(n);
		}
		if (!found && p->kind == PIRQ_FREE)
			found = p;
	}
	if (!found)
		return -XEN_ENOSPC;
	spin_lock(&irq_lock);
	found->vector = vector_alloc(found - pirqs);
	spin_unlock(&irq_lock);
	found->msi = *m;
	rc = found->vector ? msi_open(&found->msi) : -XEN_ENOSPC;
	if (rc) {
		vector_pirq[found->vector] = 0;
		*found = (struct pirq){ 0 };
		return rc;
	}
	msi_write(&found->msi, found->vector, 0);
	store_release(&found->kind, PIRQ_MSI);
	return (int)(found - pirqs);
}

/* Gives a pirq up, bound or not; a line stays known. */
int pirq_unmap(unsigned int n)
{
	struct pirq *p = &pirqs[n];

	if (n >= NR_PIRQS || p->kind == PIRQ_FREE)
		return -XEN_EINVAL;
	pirq_unbind(dom0, n);
	if (p->kind == PIRQ_GSI)
		return 0;
	msi_close(&p->msi);
	spin_lock(&irq_lock);
	vector_pirq[p->vector] = 0;
	*p = (struct pirq){ 0 };
	spin_unlock(&irq_lock);
	return 0;
}

void pirq_restore_msi(u16 seg, u8 bus, u8 devfn)
{
	for (struct pirq *p = pirqs + nr_gsi; p < pirqs + NR_PIRQS; p++) {
		if (!is_msi_of(p, seg, bus, devfn))
			continue;
		msi_write(&p->msi, p->vector, 0);
		spin_lock(&irq_lock);
		msi_mask(&p->msi, !p->bound);
		spin_unlock(&irq_lock);
	}
}
