/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of grant/ share: a domain's grant table and what it has
 * mapped of others.  Nobody else includes it.
 *
 *  frame[]   the table itself: frames shared with the guest (`shared`), and
 *            beside each entry our own record of its use (`active`)
 *  map[]     the domain's mappings of other domains' frames ("maptrack"), by
 *            handle, in chunks of 128 that are kept until the domain goes
 *
 * Locks.  `lock` (LOCK_GRANT) lets the table and the handles grow; frames never
 * move or go, so finding an entry needs none.  Each active entry has a lock of
 * one byte, for its count and the status bits that follow it.  A mapping is
 * claimed by setting MAP_BUSY in its flags with compare-and-swap; `lock`
 * covers only the list of free handles.
 */
#pragma once

#include <domain/domain.h>

#define ENTRIES_PER_FRAME	(PAGE_SIZE / sizeof(struct grant_entry_v1))
#define MAPS_PER_CHUNK		128
#define CHUNKS_PER_MAP_FRAME	2	/* max_maptrack counts such frames */
#define MAX_USERS		0xffff

/*
 * Uses of an entry.  Each user holds one reference on the frame, and if it
 * writes one of type TYPE_WRITABLE.  Invariant: mfn and domid hold while there
 * are users, whatever the guest does to its entry meanwhile.
 */
struct active {
	u32 mfn;
	u16 users[2];		/* readers, writers */
	domid_t domid;		/* the one borrower, while there are users */
	u8 lock;
};

struct grant_frame {
	struct grant_entry_v1 *shared;
	struct active *active;
};

/* An entry in use, as grant_pin() found it: both stay where they are. */
struct pin {
	struct active *a;
	struct grant_entry_v1 *e;
};

#define MAP_KEPT_FLAGS	(GNTMAP_device_map | GNTMAP_host_map | \
			 GNTMAP_readonly | GNTMAP_application_map | \
			 GNTMAP_contains_pte)
#define MAP_BUSY	(1U << 15)

/* One handle.  flags 0: free, or being made. */
struct mapping {
	union {
		struct domain *rd;	/* the lender, referenced */
		struct mapping *next;	/* free */
	};
	struct pin pin;
	u32 handle;
	u16 flags;		/* MAP_KEPT_FLAGS, MAP_BUSY; set last */
};

struct grant_table {
	struct spinlock lock;
	u32 nr_frames, max_frames;
	struct grant_frame *frame;	/* [max_frames] */
	u32 nr_maps, max_maps;	/* handles made, limit */
	struct mapping *free_map;	/* first free handle */
	u32 release_next;	/* grant_release_mappings(): where it is */
	struct mapping **map;	/* [max_maps / MAPS_PER_CHUNK], on first use */
};

/* table.c */
/* A reference for d's frame, typed writable if it will be written: GNTST_*. */
int grant_frame_get(struct domain *d, u64 mfn, bool writes);
void grant_frame_put(u64 mfn, bool writes);
/*
 * One more user of entry `ref` of rd, for domain `id`: shared status,
 * reference and count, all or nothing.  GNTST_okay and where it is, or an
 * error.
 */
int grant_pin(struct domain *rd, u32 ref, domid_t id, bool writes,
	      struct pin *p);
/* Takes back the reference, the count and what they justified. */
void grant_unpin(const struct pin *p, bool writes);

/* map.c, copy.c: how many elements are done, less than count if other work
 * waits; or -XEN_EFAULT. */
long grant_map(u64 uop, u32 count);
long grant_unmap(u64 uop, u32 count);
long grant_copy(u64 uop, u32 count);
