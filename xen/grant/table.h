/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of grant/ share: a domain's grant table and what it has
 * mapped of others.  Nobody else includes it.
 *
 *  frame[]   the table itself: frames shared with the guest (`shared`), and
 *            beside each entry our own record of its use (`active`), made in
 *            chunks of 64 when an entry of the chunk is first used
 *  map[]     the domain's mappings of other domains' frames ("maptrack"), by
 *            handle, in chunks of 128 that are kept until the domain goes
 *
 * Locks.  `lock` (LOCK_GRANT) lets the table grow; frames never move or go, so
 * finding an entry needs none.  Each active entry has a lock of one byte, for
 * its count and the status bits that follow it.  A mapping is claimed by
 * setting MAP_BUSY in its flags with compare-and-swap; `map_lock` covers only
 * the list of free handles and the making of new ones.
 */
#ifndef GRANT_TABLE_H
#define GRANT_TABLE_H

#include <domain/domain.h>

#define ENTRIES_PER_FRAME	(PAGE_SIZE / sizeof(struct grant_entry_v1))
#define ENTRIES_PER_CHUNK	64
#define CHUNKS_PER_FRAME	(ENTRIES_PER_FRAME / ENTRIES_PER_CHUNK)
#define MAPS_PER_CHUNK		128
#define CHUNKS_PER_MAP_FRAME	2	/* max_maptrack counts such frames */
#define NO_HANDLE		(~0U)

/*
 * Uses of an entry: four counters of 8 bits, of which the highest bit stays
 * clear.  Each count holds one reference on the frame, and if it writes one
 * of type TYPE_WRITABLE.  Invariant: mfn and domid hold while pin is not 0,
 * whatever the guest does to its entry meanwhile.
 */
#define PIN_HOST_READ	(1U << 0)
#define PIN_HOST_WRITE	(1U << 8)
#define PIN_DEV_READ	(1U << 16)
#define PIN_DEV_WRITE	(1U << 24)
#define PIN_WRITERS	0xff00ff00U

struct active {
	u32 mfn;
	u32 pin;
	domid_t domid;		/* the one borrower, while pin */
	u8 lock;
	u8 pad;
};

struct grant_frame {
	struct grant_entry_v1 *shared;
	struct active *active[CHUNKS_PER_FRAME];
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
	struct domain *rd;	/* the lender, referenced */
	struct pin pin;
	u32 ref;		/* free: the next free handle */
	u16 flags;		/* MAP_KEPT_FLAGS, MAP_BUSY; set last */
};

struct grant_table {
	struct spinlock lock;
	u32 nr_frames, max_frames;
	struct grant_frame **frame;	/* [max_frames] */

	struct spinlock map_lock;
	u32 nr_maps, max_maps;	/* handles made, limit */
	u32 free_map;		/* first free handle */
	u32 release_next;	/* grant_release_mappings(): where it is */
	struct mapping **map;	/* [max_maps / MAPS_PER_CHUNK], on first use */
};

/* table.c */
/*
 * Pins entry `ref` of rd for domain `id`: shared status, references and
 * count, all or nothing.  GNTST_okay and where it is, or an error.
 */
int grant_pin(struct domain *rd, u32 ref, domid_t id, u32 inc, struct pin *p);
/* Takes back references, counts and what they justified. */
void grant_unpin(const struct pin *p, u32 dec);
/* DOMID_SELF, or any for the control domain: GNTST_* and a reference. */
int grant_target_get(domid_t id, struct domain **d);

/* map.c, copy.c: one per array operation; 0, -errno, or a continuation. */
long grant_op_map(u64 uop, u32 count);
long grant_op_unmap(u64 uop, u32 count);
long grant_op_copy(u64 uop, u32 count);
void grant_dump_mappings(const struct domain *d);

#endif
