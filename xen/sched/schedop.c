/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hypercalls about scheduling and timers: sched_op, set_timer_op and the
 * timer operations of vcpu_op.
 *
 * Invariant: a guest only acts on itself here, but for remote_shutdown, which
 * needs privilege.  Arguments are copied once; each operation either refuses
 * before it changes anything or cannot fail.
 *
 * A guest may poll any ports and set timers to any time, at any rate.  Not
 * implemented: sched_op_compat, pin_override, and failing singleshot timers
 * that are in the past (they fire at once, as the ABI allows).
 */
#include <domain/domain.h>

/*
 * [event 25] The flag, then the bit are set before the last look at the ports,
 * and vcpu_poll_wake() looks at the bit after the port became pending: no event
 * between the two is lost.  Who clears the bit then clears the flag.
 */
static long poll(const struct sched_poll *op)
{
	struct vcpu *v = current;
	u32 ports[SCHED_POLL_MAX_PORTS];
	int rc = 0, found = 0;

	if (op->nr_ports > SCHED_POLL_MAX_PORTS)
		return deny(-XEN_EINVAL);
	if (op->nr_ports && copy_from_guest(ports, op->ports,
					    op->nr_ports * sizeof(ports[0])))
		return deny(-XEN_EFAULT);

	WRITE_ONCE(v->poll_port, op->nr_ports == 1 ? ports[0] : 0);
	atomic_or(&v->pause_flags, VPF_BLOCKED);
	atomic_or(&v->domain->sched.polling, 1UL << v->id);
	for (u32 i = 0; i < op->nr_ports && rc >= 0; i++) {
		rc = evtchn_port_pending(v->domain, ports[i]);
		found |= rc;
	}
	if (found || vcpu_event_pending(v) || READ_ONCE(v->work)) {
		atomic_and(&v->domain->sched.polling, ~(1UL << v->id));
		atomic_and(&v->pause_flags, ~VPF_BLOCKED);
		return rc < 0 ? deny(-XEN_EINVAL) : 0;
	}
	timer_set(&v->timers.poll, op->timeout ? op->timeout : NEVER);
	cpu_set_work(smp_processor_id(), WORK_SCHED);
	return 0;
}

/* Two per domain, ids 1 and 2; 0 starts one that is free. */
static long watchdog(const struct sched_watchdog *op)
{
	struct domain *d = current->domain;
	u64 expires = clock_ns() + op->timeout * NS_PER_SEC;
	unsigned int i = op->id - 1;

	if (!op->id) {
		for (i = 0; atomic_test_and_set_bit(i,
						    &d->sched.watchdog_used);)
			if (++i == 2)
				return deny(-XEN_ENOSPC);
	} else if (i >= 2 || !test_bit(i, &d->sched.watchdog_used)) {
		return deny(-XEN_EINVAL);
	} else if (!op->timeout) {
		timer_stop(&d->sched.watchdog[i]);
		atomic_test_and_clear_bit(i, &d->sched.watchdog_used);
		return 0;
	}
	timer_set(&d->sched.watchdog[i], expires);
	return op->id ? 0 : i + 1;
}

/* Hypercall 29.  pin_override is not among those that exist. */
long do_sched_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	union {
		struct sched_shutdown shutdown;
		struct sched_poll poll;
		struct sched_remote_shutdown remote;
		struct sched_watchdog watchdog;
	} op;
	static const u8 size[] = {
		[SCHEDOP_shutdown] = sizeof(op.shutdown),
		[SCHEDOP_poll] = sizeof(op.poll),
		[SCHEDOP_remote_shutdown] = sizeof(op.remote),
		[SCHEDOP_shutdown_code] = sizeof(op.shutdown),
		[SCHEDOP_watchdog] = sizeof(op.watchdog),
	};
	struct domain *d = current->domain;

	if (cmd >= ARRAY_SIZE(size))
		return deny(-XEN_ENOSYS);
	if (cmd == SCHEDOP_remote_shutdown && !d->is_privileged)
		return deny(-XEN_EPERM);
	if (size[cmd] && copy_from_guest(&op, arg, size[cmd]))
		return deny(-XEN_EFAULT);
	switch (cmd) {
	case SCHEDOP_yield:
		vcpu_yield_current();
		return 0;
	case SCHEDOP_block:
		vcpu_block_current();
		return 0;
	case SCHEDOP_poll: return poll(&op.poll);
	case SCHEDOP_watchdog: return watchdog(&op.watchdog);
	case SCHEDOP_remote_shutdown:
		if (op.remote.reason > SHUTDOWN_MAX)
			return deny(-XEN_EINVAL);
		d = domain_get(op.remote.domain_id);
		if (!d)
			return deny(-XEN_ESRCH);
		domain_shutdown(d, (u8)op.remote.reason);
		domain_put(d);
		return 0;
	}
	if (op.shutdown.reason > SHUTDOWN_MAX)
		return deny(-XEN_EINVAL);
	if (cmd == SCHEDOP_shutdown)
		domain_shutdown(d, (u8)op.shutdown.reason);
	else	/* shutdown_code: the first reason counts */
		cmpxchg(&d->shutdown_code, SHUTDOWN_CODE_NONE,
			(u8)op.shutdown.reason);
	return 0;
}

/* --- timers of a vCPU ----------------------------------------------------- */

/* The current vCPU's; 0 stops it, a time that has passed fires at once. */
static long set_singleshot(u64 expires)
{
	bool now = expires && expires <= clock_ns();

	timer_set(&current->timers.singleshot,
		  now || !expires ? NEVER : expires);
	if (now)
		virq_raise_vcpu(current, VIRQ_TIMER);
	return 0;
}

/* Hypercall 15: the older way. */
long do_set_timer_op(u64 timeout, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
	return set_singleshot(timeout);
}

/* The timer operations of vcpu_op; v is a vCPU of the caller's domain. */
long vcpu_timer_op(struct vcpu *v, unsigned int cmd, u64 arg)
{
	bool periodic = cmd == VCPUOP_set_periodic_timer;
	struct vcpu_set_singleshot_timer op = { 0 };
	u64 period = 0;

	switch (cmd) {
	case VCPUOP_set_singleshot_timer:
	case VCPUOP_stop_singleshot_timer:
		if (v != current)
			return deny(-XEN_EINVAL);
		if (cmd == VCPUOP_stop_singleshot_timer)
			return set_singleshot(0);
		if (copy_from_guest(&op, arg, sizeof(op)))
			return deny(-XEN_EFAULT);
		return set_singleshot(max(op.timeout_abs_ns, 1UL));
	case VCPUOP_set_periodic_timer:
	case VCPUOP_stop_periodic_timer:
		if (periodic && copy_from_guest(&period, arg, sizeof(period)))
			return deny(-XEN_EFAULT);
		if (periodic && (period < NS_PER_MS || period > 1UL << 50))
			return deny(-XEN_EINVAL);
		WRITE_ONCE(v->timers.period_ns, period);
		/* If it runs elsewhere it begins when it is switched in. */
		if (!periodic)
			timer_stop(&v->timers.periodic);
		else if (v == current)
			timer_set(&v->timers.periodic, clock_ns() + period);
		return 0;
	default: return deny(-XEN_ENOSYS);
	}
}
