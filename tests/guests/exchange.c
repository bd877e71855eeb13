/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: exchange() trades frames for a contiguous extent, updates the frame
 * map, and believes no count of the guest's.  Guards XSA-212, XSA-29, XSA-159.
 */
#include "lib/guest.h"

static const u64 *const m2p = (const u64 *)0xffff800000000000;
static u64 in[512], out[512];

static void prepare(struct xen_memory_exchange *x, u64 n, u32 in_order,
		    u64 m, u32 out_order)
{
	memset(x, 0, sizeof(*x));
	x->in.extent_start = (u64)in;
	x->in.nr_extents = n;
	x->in.extent_order = in_order;
	x->in.domid = DOMID_SELF;
	x->out.extent_start = (u64)out;
	x->out.nr_extents = m;
	x->out.extent_order = out_order;
	x->out.domid = DOMID_SELF;
}

static long exchange(struct xen_memory_exchange *x)
{
	return HC(memory_op, XENMEM_exchange, x, 0, 0);
}

static void contiguous(void)
{
	struct xen_memory_exchange x;
	u8 *page[8];

	for (u64 i = 0; i < 8; i++) {
		page[i] = page_alloc();
		in[i] = va_to_mfn(page[i]);
		CHECK_EQ(map_va(page[i], 0), 0);
	}
	prepare(&x, 8, 0, 1, 3);
	x.out.mem_flags = XENMEMF_address_bits(32);
	out[0] = va_to_pfn(page[0]);
	CHECK_EQ(exchange(&x), 0);
	CHECK_EQ(x.nr_exchanged, 8);
	CHECK_EQ(out[0] & 7, 0);
	for (u64 i = 0; i < 8; i++) {
		p2m[va_to_pfn(page[i])] = out[0] + i;
		CHECK_EQ(m2p[out[0] + i], va_to_pfn(page[i]));
		CHECK_EQ(make_writable(page[i]), 0);
		page[i][7] = (u8)i;
	}
}

static void forged(void)
{
	struct xen_memory_exchange x;
	u8 *page = page_alloc();

	in[0] = va_to_mfn(page);
	out[0] = va_to_pfn(page);
	prepare(&x, 1, 0, 1, 0);
	x.nr_exchanged = 2;			/* beyond the end */
	CHECK_EQ(exchange(&x), -XEN_EINVAL);
	prepare(&x, 1, 0, 2, 0);		/* sizes differ */
	CHECK_EQ(exchange(&x), -XEN_EINVAL);
	prepare(&x, 1, 64, 1, 64);
	CHECK(exchange(&x) < 0);
	prepare(&x, 1, 40, 1UL << 40, 0);
	CHECK(exchange(&x) < 0);
	prepare(&x, 1UL << 61, 0, 1UL << 61, 0);
	CHECK(exchange(&x) < 0);
	prepare(&x, 1, 0, 1, 0);
	x.in.domid = 1;
	CHECK(exchange(&x) < 0);
	/* XSA-212: arrays that reach into hypervisor space */
	prepare(&x, 1, 0, 1, 0);
	x.in.extent_start = 0xffff830000000000;
	CHECK_EQ(exchange(&x), -XEN_EFAULT);
	prepare(&x, 1, 0, 1, 0);
	x.out.extent_start = 0xffff830000000000;
	CHECK_EQ(exchange(&x), -XEN_EFAULT);
	prepare(&x, 1UL << 20, 0, 1UL << 20, 0);
	x.nr_exchanged = (1UL << 20) - 1;
	x.in.extent_start = 0xffff830000000000 - (8UL << 20);
	x.out.extent_start = x.in.extent_start;
	CHECK_EQ(exchange(&x), -XEN_EFAULT);
	prepare(&x, 1, 0, 1, 0);		/* a frame in use, and no frame */
	in[0] = va_to_mfn((void *)start_info->pt_base);
	CHECK(exchange(&x) < 0);
	CHECK_EQ(x.nr_exchanged, 0);
	prepare(&x, 1, 0, 1, 0);
	in[0] = ~0UL;
	CHECK(exchange(&x) < 0);
	page[0] = 1;				/* ours still */
	CHECK_EQ(m2p[va_to_mfn(page)], va_to_pfn(page));
}

void guest_main(void)
{
	contiguous();
	forged();
	recount();
}
