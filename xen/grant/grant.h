/* SPDX-License-Identifier: GPL-2.0 */
/* Grant tables: a domain lends single frames to named others. */
#pragma once

#include <lib/lib.h>
#include <hypercall-abi/grant_table.h>

struct grant_table;	/* table.c owns the layout */

int grant_init_domain(struct domain *d, u32 max_frames, u32 max_maptrack);
/* Unmaps everything d has mapped of others; 0 or -XEN_ERESTART. */
int grant_release_mappings(struct domain *d);
void grant_free_domain(struct domain *d);
/*
 * For frames_recount(): calls fn for every reference that a mapped grant
 * holds (mapper, granted frame's mfn, writable: a use): one each.
 */
void grant_for_each_mapping(void (*fn)(struct domain *mapper, u64 mfn,
				       bool writable));
