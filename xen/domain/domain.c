/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Domains: creation, look-up, pausing, shutdown, destruction.
 *
 * Invariant: whoever holds a struct domain has either a reference
 * (domain_get(), domain_hold()) or got it from the list or a running vCPU
 * since its CPU last left ring 0.  So the list is read without a lock: a
 * domain whose last reference went is unlinked first and freed only after
 * every CPU has been through exit_work() once (domain_reap()).
 *
 * A domain lives until its last reference drops.  References: one of its own
 * until destruction is complete, one by mm/ while it owns any frame, those of
 * callers.  A frame that others still map therefore keeps its dead owner in
 * the list, visible to tools as dying.
 *
 * Locks: list_lock (LOCK_DOMLIST) for changes of the list and the reaper's
 * state.  Everything that may happen in any context, domain_put(),
 * domain_crash(), domain_shutdown(), takes no lock of this file.
 *
 * A hostile guest may try to shut down twice, crash while it shuts down, keep
 * others' mappings of its frames alive forever, or die in the middle of a
 * hypercall that continues.  Each transition is therefore made by one
 * exchange, and the tools are told exactly once of each: shut down, dead,
 * gone.
 *
 * Deliberately not here: memory (mm/), ports (event/), grants (grant/): this
 * file only calls their parts of a domain's end, in order, resumably.
 */
#include <domain/domain.h>
#include <dev/dev.h>

#define DOMAIN(i) { \
	.id = (i), .refs = 1, \
	.lock = SPINLOCK(LOCK_DOMAIN), \
	.page_lock = SPINLOCK(LOCK_PAGES_DOMAIN) }
struct domain *dom0, *domain_list;
struct domain dom_io = DOMAIN(DOMID_IO), dom_xen = DOMAIN(DOMID_XEN);

static struct spinlock list_lock = SPINLOCK(LOCK_DOMLIST);

/* --- references ----------------------------------------------------------- */

/* One more reference, unless the last one is gone already. */
bool domain_hold(struct domain *d)
{
	u32 seen, old = READ_ONCE(d->refs);

	for (; old; old = seen) {
		seen = cmpxchg(&d->refs, old, old + 1);
		if (seen == old)
			return true;
	}
	return false;
}

/* The first domain whose id is not below id; not held. */
static struct domain *domain_find(u32 id)
{
	struct domain *d = READ_ONCE(domain_list);

	while (d && d->id < id)
		d = READ_ONCE(d->next);
	return d;
}

/*
 * The domain with this id, with a reference for the caller; NULL if there is
 * none.  No lock; any context.
 */
struct domain *domain_get(domid_t id)
{
	struct domain *d = domain_find(id);

	return d && d->id == id && domain_hold(d) ? d : NULL;
}

/* The same, but DOMID_SELF is the caller's domain. */
struct domain *domain_get_or_self(domid_t id)
{
	/* A running vCPU's domain cannot have lost its own reference. */
	return id != DOMID_SELF ? domain_get(id) :
	       domain_hold(current->domain) ? current->domain : NULL;
}

/* The first domain whose id is not below id, held. */
struct domain *domain_get_from(u32 id)
{
	struct domain *d = domain_find(id);

	while (d && !domain_hold(d))
		d = READ_ONCE(d->next);
	return d;
}

/*
 * Reaping.  dead_list: last reference gone, still in the list.  waiting:
 * unlinked; freed when grace_cpus is empty, that is, when each CPU that could
 * have seen them has passed exit_work().
 */
static struct domain *dead_list;
static struct domain *waiting;
static cpumask_t grace_cpus;

/* Drops a reference.  Any context, any locks held. */
void domain_put(struct domain *d)
{
	struct domain *head;

	if (atomic_sub(&d->refs, 1) != 0)
		return;
	do {
		head = READ_ONCE(dead_list);
		d->reap_next = head;
	} while (cmpxchg(&dead_list, head, d) != head);
	cpu_set_work(smp_processor_id(), WORK_RCU);
}

static void domain_free(struct domain *d)
{
	struct vcpu *v;

	sched_destroy_domain(d);	/* its timers look at the vCPUs */
	for_each_vcpu(d, v)
		vcpu_free(v);
	evtchn_free_domain(d);
	grant_free_domain(d);
	cpuid_reset_domain(d);
	if (d->perdomain_l3)
		perdomain_destroy(d);
	if (d->shared_info)
		frame_unshare(d->shared_info);
	heap_free(d);
}

/*
 * exit_work() calls it when WORK_RCU is set: this CPU is at a point where it
 * holds no unreferenced pointer to a domain.  Frees what no CPU can see any
 * more and starts the next round.
 */
void domain_reap(void)
{
	cpumask_t self = 1UL << smp_processor_id(), kick = 0;
	struct domain *ready = NULL, *d, **p;
	unsigned int cpu;

	spin_lock(&list_lock);
	grace_cpus &= ~self & cpus_online;
	if (!grace_cpus) {
		ready = waiting;
		waiting = xchg(&dead_list, NULL);
		for (d = waiting; d; d = d->reap_next) {
			for (p = &domain_list; *p != d;)
				p = &(*p)->next;
			/* d->next stays: a reader may stand on d. */
			WRITE_ONCE(*p, d->next);
		}
		if (waiting) {
			grace_cpus = cpus_online & ~self;
			kick = grace_cpus ? grace_cpus : self;
		}
	}
	spin_unlock(&list_lock);

	for_each_cpu(cpu, kick) {
		cpu_set_work(cpu, WORK_RCU);
		if (cpu != smp_processor_id())
			apic_send_ipi(cpu, VEC_KICK);
	}
	while ((d = ready)) {
		ready = d->reap_next;
		domain_free(d);
		/* Third and last: gone. */
		virq_raise_global(VIRQ_DOM_EXC);
	}
}

/* --- creation ------------------------------------------------------------- */

/*
 * An id that is free now, and was not used lately: names of dead domains must
 * not come back while somebody may still mean the old one.  If all are in use,
 * one of those.
 */
static domid_t domid_pick(void)
{
	static u32 rover;
	const struct domain *d;
	u32 id, tries = 0;

	do {
		id = rover++ % (DOMID_FIRST_RESERVED - 1) + 1;
		d = domain_find(id);
	} while (d && d->id == id && ++tries < DOMID_FIRST_RESERVED);
	return id;
}

/*
 * A new domain without memory and vCPUs, paused once on the tools' behalf;
 * DOMID_INVALID: any free id.  0 is the control domain.
 * *out is not referenced for the caller: it lives until domain_kill(), which
 * the caller must be able to exclude.  One caller at a time: what a failed
 * creation gives back is found by the id, which must be nobody else's.
 */
int domain_create(domid_t id, const struct xen_domctl_createdomain *c,
		  struct domain **out)
{
	struct domain *d, **p = &domain_list;
	int rc = -XEN_ENOMEM;

	if (c->max_vcpus < 1 || c->max_vcpus > MAX_VCPUS)
		return deny(-XEN_EINVAL);
	if (id == DOMID_INVALID)
		id = domid_pick();
	d = domain_find(id);
	if (d && d->id == id)
		return deny(-XEN_EEXIST);
	d = heap_alloc(sizeof(*d));
	if (!d)
		return deny(-XEN_ENOMEM);

	*d = (struct domain)DOMAIN(id);
	d->is_privileged = !id;
	d->pause_count = d->control_pauses = 1;
	d->shutdown_code = SHUTDOWN_CODE_NONE;
	d->max_vcpus = c->max_vcpus;
	memcpy(d->handle, c->handle, sizeof(d->handle));
	cpuid_reset_domain(d);
	sched_init_domain(d);
	d->perdomain_l3 = alloc_page();
	d->shared_info = d->perdomain_l3 ? alloc_page() : NULL;
	if (d->shared_info) {
		for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
			d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
		frame_share(d->shared_info, d);
		rc = evtchn_init_domain(d, c->max_evtchn_port);
	}
	if (!rc)
		rc = grant_init_domain(d, c->max_grant_frames,
				       c->max_maptrack_frames);
	if (rc) {
		domain_free(d);
		return rc;
	}
	spin_lock(&list_lock);
	while (*p && (*p)->id < id)
		p = &(*p)->next;
	d->next = *p;
	store_release(p, d);
	spin_unlock(&list_lock);
	if (!id)
		dom0 = d;
	domain_wallclock_update(d);
	*out = d;
	return 0;
}

/* --- pausing -------------------------------------------------------------- */

/* Nested.  On return no vCPU runs, but perhaps the caller, and all context is
 * in struct vcpu. */
void domain_pause(struct domain *d)
{
	struct vcpu *v;

	atomic_add(&d->pause_count, 1);
	for_each_vcpu(d, v)
		vcpu_sleep_sync(v);
}

/* Undoes one domain_pause(). */
void domain_unpause(struct domain *d)
{
	struct vcpu *v;

	if (atomic_sub(&d->pause_count, 1))
		return;
	for_each_vcpu(d, v)
		vcpu_wake(v);
}

/*
 * Undoes one pause of the tools: those are counted apart so that they cannot
 * undo ours.  -XEN_EINVAL if there is none.  The caller has d->control_busy, or
 * is the boot.
 */
int domain_control_unpause(struct domain *d)
{
	if (!d->control_pauses)
		return deny(-XEN_EINVAL);
	d->control_pauses--;
	d->has_run = true;
	domain_unpause(d);
	return 0;
}

/* --- shutdown ------------------------------------------------------------- */

/* No vCPU of d goes back to its guest, whoever else is at this as well. */
static void stop_vcpus(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v) {
		atomic_or(&v->pause_flags, VPF_SUSPENDED);
		vcpu_sleep(v);
	}
}

/*
 * The domain stops, for good, and the tools find out why.  The first reason
 * counts.  May be called by the domain's own vCPU, which then loses its CPU
 * when it leaves ring 0; takes no lock.
 */
void domain_shutdown(struct domain *d, u8 reason)
{
	cmpxchg(&d->shutdown_code, SHUTDOWN_CODE_NONE, reason);
	if (d == dom0) {
		/* The control domain's end is the machine's. */
		printk("Domain 0 has stopped (reason %u).\n", d->shutdown_code);
		/* A Dom0 with ACPI switches the power off by itself. */
		if (d->shutdown_code == SHUTDOWN_poweroff ||
		    (d->shutdown_code != SHUTDOWN_reboot &&
		     cmdline_bool("noreboot") == 1))
			machine_halt();
		machine_restart();
	}
	/* Before the look at the flag: who set it may still be on the way. */
	stop_vcpus(d);
	if (xchg(&d->is_shut_down, true))
		return;
	guest_log(d, LOG_INFO, "shut down, reason %u\n", d->shutdown_code);
	/* First of three. */
	virq_raise_global(VIRQ_DOM_EXC);
}

/*
 * The guest is beyond saving.  One line says why; later crashes of the same
 * domain say nothing.  The caller unwinds as after any error.
 */
void domain_crash(struct domain *d, const char *why, ...)
{
	char text[128];
	va_list ap;

	/* Who was first may still be writing: no way back for us. */
	if (xchg(&d->crashed, true))
		return stop_vcpus(d);
	va_start(ap, why);
	vsnprintf(text, sizeof(text), why, ap);
	va_end(ap);
	guest_log(d, LOG_ERR, "crashed: %s\n", text);
	if (current->domain == d && guest_log_threshold >= LOG_DEBUG)
		vcpu_dump(current);
	domain_shutdown(d, SHUTDOWN_crash);
}

/* --- destruction ---------------------------------------------------------- */

static int kill_stop(struct domain *d)
{
	domain_pause(d);	/* never undone */
	d->is_dying = true;
	/* Whoever looked at is_dying before is done when we get the locks. */
	spin_lock(&d->lock);
	spin_unlock(&d->lock);
	spin_lock(&d->page_lock);
	spin_unlock(&d->page_lock);
	return 0;
}

static int kill_vcpus(struct domain *d)
{
	struct vcpu *v;

	/* A sender on another CPU may still be writing to a registered
	 * vcpu_info; once it answers, it no longer is. */
	tlb_flush_mask(cpus_online, FLUSH_ALL_VA);
	for_each_vcpu(d, v) {
		int rc = vcpu_drop_l4s(v);

		if (rc)
			return rc;
		(void)vcpu_set_ldt(v, 0, 0);
		(void)vcpu_set_gdt(v, NULL, 0);
		vcpu_destroy(v);
	}
	sched_destroy_domain(d);
	return 0;
}

/*
 * Takes everything from the domain, stage by stage: 0 when done (also when
 * it was before), -XEN_ERESTART to be called again.  The caller holds a
 * reference and d->control_busy, and no lock.
 */
int domain_kill(struct domain *d)
{
	static int (*const stages[])(struct domain *) = {
		kill_stop, evtchn_destroy_domain, grant_release_mappings,
		kill_vcpus, domain_relinquish_pages,
	};

	if (d->is_privileged)
		return deny(-XEN_EINVAL);
	for (; d->kill_stage < ARRAY_SIZE(stages); d->kill_stage++) {
		int rc = stages[d->kill_stage](d);

		if (rc)
			return rc;
	}
	if (xchg(&d->is_dead, true))
		return 0;
	/* Second of three. */
	virq_raise_global(VIRQ_DOM_EXC);
	domain_put(d);
	return 0;
}

/* --- the rest ------------------------------------------------------------- */

/* Debug key q. */
void domain_dump(void)
{
	struct domain *d;
	struct vcpu *v;

	for_each_domain(d) {
		printk("d%u:%s%s%s refs %u, pauses %u (tools %u), pages %lu "
		       "of %lu\n", d->id, d->is_dying ? " dying," : "",
		       d->is_shut_down ? " shut down," : "",
		       d->crashed ? " crashed," : "", d->refs, d->pause_count,
		       d->control_pauses, d->tot_pages, d->max_pages);
		for_each_vcpu(d, v)
			printk("  v%u: cpu %u, running %u, flags %x\n", v->id,
			       v->sched.cpu, v->sched.running, v->pause_flags);
	}
}
