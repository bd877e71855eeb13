/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A few domains for tests of event/ and grant/, with the functions of domain/
 * that those call.  Include once, after test.h.
 */
#ifndef HOST_WORLD_H
#define HOST_WORLD_H

#include "host.h"
#include <domain/domain.h>

#define WORLD_DOMAINS	4
#define WORLD_VCPUS	3

struct domain *dom0, *domain_list;
static struct domain world_dom[WORLD_DOMAINS];
static struct vcpu world_vcpu[WORLD_DOMAINS][WORLD_VCPUS];
static struct shared_info *world_si[WORLD_DOMAINS];

struct domain *domain_get(domid_t id)
{
	if (id >= WORLD_DOMAINS || !world_dom[id].refs)
		return NULL;
	world_dom[id].refs++;
	return &world_dom[id];
}

struct domain *domain_get_or_self(domid_t id)
{
	return domain_get(id == DOMID_SELF ? current->domain->id : id);
}

bool domain_hold(struct domain *d)
{
	if (!d->refs)
		return false;
	d->refs++;
	return true;
}

void domain_put(struct domain *d)
{
	if (!d->refs--)
		abort();
}

void domain_crash(struct domain *d, const char *why, ...)
{
	d->crashed = true;
}

/* Domain 0 is privileged; vCPU 0 of it is current. */
static void world_make(void)
{
	memset(world_dom, 0, sizeof(world_dom));
	memset(world_vcpu, 0, sizeof(world_vcpu));
	domain_list = NULL;
	for (int i = WORLD_DOMAINS - 1; i >= 0; i--) {
		struct domain *d = &world_dom[i];

		d->id = i;
		d->refs = 1;
		d->is_privileged = i == 0;
		d->max_vcpus = WORLD_VCPUS;
		d->next = domain_list;
		domain_list = d;
		world_si[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
		memset(world_si[i], 0, PAGE_SIZE);
		d->shared_info = world_si[i];
		for (int j = 0; j < WORLD_VCPUS; j++) {
			struct vcpu *v = &world_vcpu[i][j];

			v->domain = d;
			v->id = j;
			v->vcpu_info = &d->shared_info->vcpu_info[j];
			d->vcpu[j] = v;
		}
	}
	dom0 = &world_dom[0];
	host_set_current(&world_vcpu[0][0]);
}

static void world_free(void)
{
	for (int i = 0; i < WORLD_DOMAINS; i++)
		free(world_si[i]);
	domain_list = dom0 = NULL;
}

/* The next calls come from this domain (its vCPU 0). */
static void act_as(unsigned int dom)
{
	host_set_current(&world_vcpu[dom][0]);
}

/* Wild numbers for any 32-bit argument. */
static const u32 wild[] = {
	0, 1, 2, 63, 64, 65, 127, 511, 512, 4094, 4095, 4096, 4097, 0x7fff,
	0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
};
#define for_each_wild(w) \
	for (unsigned int w_ = 0; w_ < ARRAY_SIZE(wild) && \
	     ((w) = wild[w_], 1); w_++)

#endif
