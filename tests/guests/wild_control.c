/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: control operations with pseudo-random contents, on domains that are
 * there and that are not, return; what they create can be destroyed.  Guards
 * XSA-454, XSA-492 in part.
 * timeout: 200
 * xen: guest_loglvl=none
 */
#include "lib/guest.h"
#include <hypercall-abi/domctl.h>
#include <hypercall-abi/platform.h>

static u64 state = 0xfedcba987654321;
static u64 buffer[2048] __page;

static u64 random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dUL;
}

static u64 word(void)
{
	u64 r = random();

	switch (r >> 61) {
	case 0:
		return (u64)buffer + (r & 0xff8);
	case 1:
		return r & 7;
	case 2:
		return (r & 0xff) << 32 | (r >> 8 & 0xff);
	case 3:
		return 0xffff830000000000 | (r & 0xffff);
	case 4:
		return r;
	case 5:
		return va_to_mfn(buffer);
	default:
		return 0;
	}
}

static void fill(u64 *to, int words)
{
	for (int i = 0; i < words; i++)
		to[i] = word();
}

static void domctl(void)
{
	union {
		struct xen_domctl op;
		u64 words[18];
	} x;

	fill(x.words, 18);
	x.op.cmd = (u32)(random() % 90);
	x.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	x.op.domain = (u16)(1 + random() % 5);
	HC(domctl, &x, 0, 0, 0);
}

static void sysctl(void)
{
	union {
		struct xen_sysctl op;
		u64 words[18];
	} x;

	fill(x.words, 18);
	x.op.cmd = (u32)(random() % 32);
	x.op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	if (x.op.cmd == XEN_SYSCTL_debug_keys || x.op.cmd == 12 ||
	    x.op.cmd == 14 || x.op.cmd == 18)
		return;		/* keys may reboot; CPUs may go */
	HC(sysctl, &x, 0, 0, 0);
}

static u32 destroy_all(void)
{
	u32 n = 0;

	for (u16 d = 1; d < 8; d++) {
		struct xen_domctl op = {
			.cmd = XEN_DOMCTL_destroydomain, .domain = d,
			.interface_version = XEN_DOMCTL_INTERFACE_VERSION,
		};
		long rc;

		do {
			rc = HC(domctl, &op, 0, 0, 0);
		} while (rc == -XEN_ERESTART || rc == -XEN_EBUSY);
		n += rc == 0;
	}
	return n;
}

void guest_main(void)
{
	u32 destroyed = 0;

	for (int round = 0; round < 60000; round++) {
		if (!(round & 7))
			fill(buffer, 512);
		if (random() & 3)
			domctl();
		else
			sysctl();
		if (round % 5000 == 4999)
			destroyed += destroy_all();
		VCPU0->evtchn_upcall_mask = 1;
	}
	print("NOTE destroyed %u\n", destroyed);
	recount();
}
