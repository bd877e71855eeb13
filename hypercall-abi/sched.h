/* SPDX-License-Identifier: MIT */
/*
 * Hypercall 29, sched_op(cmd, arg): a guest gives up its processor, waits for
 * event channels, or ends itself.  The caller fills every structure here; the
 * hypervisor only reads them, and the result is the return value.
 */
#ifndef ABI_SCHED_H
#define ABI_SCHED_H

#include <stdint.h>

#define SCHEDOP_yield		0	/* others may run first; no argument */
/*
 * Unmasks events of the calling vCPU, then waits until one is pending.  An
 * event that came in before is not lost: the call then returns at once.
 */
#define SCHEDOP_block		1
/*
 * Ends the whole domain; arg: sched_shutdown.  For SHUTDOWN_suspend the third
 * argument (rdx) is the frame of start_info, and the result is 0 when the
 * domain was resumed from its image, 1 when the suspend was cancelled.
 */
#define SCHEDOP_shutdown	2
#define SCHEDOP_poll		3	/* arg: sched_poll */
#define SCHEDOP_remote_shutdown	4	/* privileged; sched_remote_shutdown */
#define SCHEDOP_shutdown_code	5	/* latch the reason; sched_shutdown */
#define SCHEDOP_watchdog	6	/* arg: sched_watchdog */
#define SCHEDOP_pin_override	7	/* arg: sched_pin_override */

/* Why a domain stopped; the hypervisor hands it to the tools unread. */
#define SHUTDOWN_poweroff	0	/* finished: do not start it again */
#define SHUTDOWN_reboot		1	/* start it again */
#define SHUTDOWN_suspend	2	/* take its image */
#define SHUTDOWN_crash		3	/* it failed */
#define SHUTDOWN_watchdog	4	/* its watchdog ran out */
#define SHUTDOWN_soft_reset	5	/* keep memory, reset the rest */
#define SHUTDOWN_MAX		5

struct sched_shutdown {
	uint32_t reason;	/* SHUTDOWN_* */
};

/*
 * Waits until one of the ports is pending (masked or not), the vCPU gets an
 * event it does not mask, or the timeout passes.
 */
#define SCHED_POLL_MAX_PORTS	128
struct sched_poll {
	uint64_t ports;		/* guest pointer to uint32_t port numbers */
	uint32_t nr_ports;	/* at most SCHED_POLL_MAX_PORTS */
	uint32_t pad;
	uint64_t timeout;	/* system time in ns; 0 = wait for ever */
};

struct sched_remote_shutdown {
	uint16_t domain_id;
	uint16_t pad;
	uint32_t reason;	/* SHUTDOWN_* */
};

/*
 * id 0: start a watchdog, the result is its id (1 or 2).  Otherwise: restart
 * that one with a new timeout, or stop it if timeout is 0.  When it runs out
 * the domain is shut down with SHUTDOWN_watchdog.
 */
struct sched_watchdog {
	uint32_t id;
	uint32_t timeout;	/* seconds from now */
};

struct sched_pin_override {
	int32_t pcpu;		/* negative: undo */
};

#endif
