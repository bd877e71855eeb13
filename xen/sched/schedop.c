/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hypercalls about scheduling and timers: sched_op, set_timer_op, the
 * timer operations of vcpu_op, and the tools' scheduler parameters.
 *
 * Invariant: a guest only acts on itself here, but for remote_shutdown, which
 * needs privilege.  Arguments are copied once; each operation either refuses
 * before it changes anything or cannot fail.
 *
 * A guest may poll any ports and set timers to any time, at any rate.  Not
 * implemented: sched_op_compat, pin_override,
 * and failing singleshot timers that are in the past (they fire at once, as
 * the ABI allows).
 */
#include <sched/runq.h>
#include <entry/entry.h>
#include <hypercall-abi/sysctl.h>

/* --- sched_op --------------------------------------------------------- */

static long sched_shutdown(u64 arg, bool latch)
{
	struct domain *d = current->domain;
	struct sched_shutdown op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.reason > SHUTDOWN_MAX)
		return deny(-XEN_EINVAL);
	if (latch)	/* the first reason counts */
		cmpxchg(&d->shutdown_code, SHUTDOWN_CODE_NONE, (u8)op.reason);
	else
		domain_shutdown(d, (u8)op.reason);
	return 0;
}

static long sched_remote_shutdown(u64 arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.reason > SHUTDOWN_MAX)
		return deny(-XEN_EINVAL);
	d = domain_get(op.domain_id);
	if (!d)
		return deny(-XEN_ESRCH);
	domain_shutdown(d, (u8)op.reason);
	domain_put(d);
	return 0;
}

/* 1 if one of the ports is pending, 0 if none, -XEN_EINVAL if one is bad. */
static int any_pending(struct domain *d, const u32 *ports, u32 n)
{
	int rc, found = 0;

	for (u32 i = 0; i < n; i++) {
		rc = evtchn_port_pending(d, ports[i]);
		if (rc < 0)
			return -XEN_EINVAL;
		found |= rc;
	}
	return found;
}

/*
 * [event 25] The flags are set before the last look at the ports, and
 * vcpu_poll_wake() looks at them after the port became pending: no event
 * between the two is lost.
 */
static long sched_poll(u64 arg)
{
	struct vcpu *v = current;
	u32 ports[SCHED_POLL_MAX_PORTS];
	struct sched_poll op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.nr_ports > SCHED_POLL_MAX_PORTS)
		return deny(-XEN_EINVAL);
	if (op.nr_ports && copy_from_guest(ports, op.ports,
					   op.nr_ports * sizeof(ports[0])))
		return deny(-XEN_EFAULT);

	WRITE_ONCE(v->poll_port, op.nr_ports == 1 ? ports[0] : 0);
	atomic_or(&v->domain->sched.polling, 1UL << v->id);
	atomic_or(&v->pause_flags, VPF_BLOCKED | VPF_POLL);
	rc = any_pending(v->domain, ports, op.nr_ports);
	if (rc || vcpu_event_pending(v) || READ_ONCE(v->work)) {
		atomic_and(&v->domain->sched.polling, ~(1UL << v->id));
		atomic_and(&v->pause_flags, ~(VPF_BLOCKED | VPF_POLL));
		return rc < 0 ? deny(rc) : 0;
	}
	timer_set(&v->timers.poll, v->sched.cpu,
		  op.timeout ? op.timeout : NEVER);
	cpu_set_work(smp_processor_id(), WORK_SCHED);
	return 0;
}

/* Two per domain, ids 1 and 2. */
static long sched_watchdog(u64 arg)
{
	struct domain *d = current->domain;
	struct sched_watchdog op;
	unsigned int i;
	u64 expires;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.id > ARRAY_SIZE(d->sched.watchdog))
		return deny(-XEN_EINVAL);
	expires = clock_ns() + op.timeout * NS_PER_SEC;
	if (op.id == 0) {
		for (i = 0; i < ARRAY_SIZE(d->sched.watchdog); i++)
			if (!atomic_test_and_set_bit(i,
						     &d->sched.watchdog_used))
				break;
		if (i == ARRAY_SIZE(d->sched.watchdog))
			return deny(-XEN_ENOSPC);
		timer_set(&d->sched.watchdog[i], smp_processor_id(), expires);
		return i + 1;
	}
	i = op.id - 1;
	if (!test_bit(i, &d->sched.watchdog_used))
		return deny(-XEN_EINVAL);
	if (op.timeout) {
		timer_set(&d->sched.watchdog[i], smp_processor_id(), expires);
	} else {
		timer_stop(&d->sched.watchdog[i]);
		atomic_test_and_clear_bit(i, &d->sched.watchdog_used);
	}
	return 0;
}

/* Hypercall 29. */
long do_sched_op(u64 cmd, u64 arg, u64 unused3, u64 unused4, u64 unused5,
		 u64 unused6)
{
	switch (cmd) {
	case SCHEDOP_yield:
		vcpu_yield_current();
		return 0;
	case SCHEDOP_block:
		vcpu_block_current();
		return 0;
	case SCHEDOP_shutdown:
		return sched_shutdown(arg, false);
	case SCHEDOP_poll:
		return sched_poll(arg);
	case SCHEDOP_remote_shutdown:
		return sched_remote_shutdown(arg);
	case SCHEDOP_shutdown_code:
		return sched_shutdown(arg, true);
	case SCHEDOP_watchdog:
		return sched_watchdog(arg);
	default:	/* SCHEDOP_pin_override, too */
		return deny(-XEN_ENOSYS);
	}
}

/* --- timers of a vCPU ----------------------------------------------------- */

/* v is current.  A time that has passed gives the event at once. */
static void set_singleshot(struct vcpu *v, u64 expires)
{
	if (expires > clock_ns()) {
		timer_set(&v->timers.singleshot, smp_processor_id(), expires);
		return;
	}
	timer_stop(&v->timers.singleshot);
	virq_raise_vcpu(v, VIRQ_TIMER);
}

/* Hypercall 15: the older way; 0 stops the timer. */
long do_set_timer_op(u64 timeout, u64 unused2, u64 unused3, u64 unused4,
		     u64 unused5, u64 unused6)
{
	if (timeout)
		set_singleshot(current, timeout);
	else
		timer_stop(&current->timers.singleshot);
	return 0;
}

static long set_periodic(struct vcpu *v, u64 arg)
{
	struct vcpu_set_periodic_timer op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	if (op.period_ns < NS_PER_MS || op.period_ns > 1UL << 50)
		return deny(-XEN_EINVAL);
	WRITE_ONCE(v->timers.period_ns, op.period_ns);
	/* If it runs elsewhere it begins when it is next switched in. */
	if (v == current)
		timer_set(&v->timers.periodic, smp_processor_id(),
			  clock_ns() + op.period_ns);
	return 0;
}

static long set_singleshot_op(struct vcpu *v, u64 arg)
{
	struct vcpu_set_singleshot_timer op;

	if (v != current)
		return deny(-XEN_EINVAL);
	if (copy_from_guest(&op, arg, sizeof(op)))
		return deny(-XEN_EFAULT);
	set_singleshot(v, op.timeout_abs_ns);
	return 0;
}

static long stop_singleshot(struct vcpu *v)
{
	if (v != current)
		return deny(-XEN_EINVAL);
	timer_stop(&v->timers.singleshot);
	return 0;
}

static long stop_periodic(struct vcpu *v)
{
	WRITE_ONCE(v->timers.period_ns, 0);
	timer_stop(&v->timers.periodic);
	return 0;
}

/* The timer operations of vcpu_op; v is a vCPU of the caller's domain. */
long vcpu_timer_op(struct vcpu *v, unsigned int cmd, u64 arg)
{
	switch (cmd) {
	case VCPUOP_set_periodic_timer:
		return set_periodic(v, arg);
	case VCPUOP_stop_periodic_timer:
		return stop_periodic(v);
	case VCPUOP_set_singleshot_timer:
		return set_singleshot_op(v, arg);
	case VCPUOP_stop_singleshot_timer:
		return stop_singleshot(v);
	default:
		return deny(-XEN_ENOSYS);
	}
}

/* --- parameters ---------------------------------------------------------- */

/*
 * XEN_DOMCTL_scheduler_op: reads or sets weight and cap.  The caller copies
 * the structure in and out.
 */
int sched_domain_adjust(struct domain *d, void *xen_domctl_scheduler_op)
{
	struct xen_domctl_scheduler_op *op = xen_domctl_scheduler_op;

	if (op->sched_id != XEN_SCHEDULER_CREDIT)
		return -XEN_EINVAL;
	switch (op->cmd) {
	case XEN_DOMCTL_SCHEDOP_putinfo:
		credit_adjust_domain(d, op->u.credit.weight, op->u.credit.cap);
		return 0;
	case XEN_DOMCTL_SCHEDOP_getinfo:
		op->u.credit.weight = (u16)d->sched.weight;
		op->u.credit.cap = (u16)d->sched.cap;
		return 0;
	default:
		return -XEN_EINVAL;
	}
}

/* XEN_SYSCTL_scheduler_op: slice and rate limit of the one pool. */
int sched_adjust_global(void *xen_sysctl_scheduler_op)
{
	struct xen_sysctl_scheduler_op *op = xen_sysctl_scheduler_op;
	struct xen_sysctl_credit_schedule *p = &op->u.sched_credit;

	if (op->cpupool_id != 0)
		return -XEN_ESRCH;
	if (op->sched_id != XEN_SCHEDULER_CREDIT)
		return -XEN_EINVAL;
	switch (op->cmd) {
	case XEN_SYSCTL_SCHEDOP_putinfo:
		if (!credit_set_slices(p->tslice_ms, p->ratelimit_us))
			return -XEN_EINVAL;
		fallthrough;
	case XEN_SYSCTL_SCHEDOP_getinfo:
		p->tslice_ms = (u32)(credit_slice_ns / NS_PER_MS);
		p->ratelimit_us = (u32)(credit_ratelimit_ns / 1000);
		p->vcpu_migr_delay_us = 0;
		return 0;
	default:
		return -XEN_EINVAL;
	}
}
