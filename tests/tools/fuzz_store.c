// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: what clients send.  Each step of the input is a client
 * and either a message with a correct header or raw bytes of its stream.
 */
#include "world.h"

struct input {
	const uint8_t *p;
	size_t left;
};

static unsigned int take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static size_t take_bytes(struct input *in, size_t n, const uint8_t **p)
{
	if (n > in->left)
		n = in->left;
	*p = in->p;
	in->p += n;
	in->left -= n;
	return n;
}

/* As conn_ring.c and conn_sock.c do. */
static void feed(struct conn *c, const uint8_t *p, size_t n)
{
	int taken;

	for (; n && !c->dead && !conn_blocked(c); p += taken, n -= taken) {
		taken = conn_feed(c, (const char *)p, n);
		if (taken < 0) {
			conn_reset(c);
			c->dead = true;
			return;
		}
		if (!wire_wanted(&c->in))
			return;
	}
}

static struct conn *client(unsigned int i)
{
	static struct conn *c;

	if (i)
		return domains[i] ? domains[i]->conn : NULL;
	for (c = conns; c && c->domain; c = c->next)
		;
	return c ? c : world_tool();
}

static void step(struct input *in)
{
	unsigned int what = take(in);
	struct conn *c = client(what & 3);
	struct xsd_sockmsg hdr = { .req_id = 7 };
	const uint8_t *p;

	if (what >> 2 == 62) {
		world_fate[take(in) % 8] = take(in) & 3;
		domain_scan();
	}
	if (what >> 2 == 61) {
		world_fail_at = 0;
		world_restart();
	}
	if (what >> 2 == 60)
		world_fail_at = world_allocations + 1 + take(in);
	if (!c || what >> 2 >= 60)
		return;
	if (what & 4)
		world_drain(c);
	if (what & 8) {
		size_t n = take_bytes(in, take(in), &p);

		feed(c, p, n);
		return;
	}
	hdr.type = take(in) % 24;
	hdr.tx_id = take(in) % 4;
	hdr.len = take_bytes(in, take(in), &p);
	feed(c, (uint8_t *)&hdr, sizeof(hdr));
	feed(c, p, hdr.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct conn *c;

	log_open("fuzz");
	log_to_syslog();
	world_start();
	world_domain(1);
	world_domain(2);
	while (in.left)
		step(&in);
	world_fail_at = 0;
	world_commit();
	for (c = conns; c; c = c->next) {
		watch_pay(c);
		world_drain(c);
		conn_let_go(c);
		if (c->held_bytes || c->out_bytes || c->nr_owed ||
		    c->replies || c->nr_watches || c->nr_txns)
			abort();
	}
	if (!tree_recount(&tree_main))
		abort();
	world_stop();
	return 0;
}
