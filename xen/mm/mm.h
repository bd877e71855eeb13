/* SPDX-License-Identifier: GPL-2.0 */
/* Machine memory: who owns a frame, what it is used for, who maps it. */
#pragma once

#include <cpu/cpu.h>
#include <hypercall-abi/xen.h>

/*
 * One per 4 KiB frame of RAM, 24 bytes, at FRAMETABLE_BASE + 24 * mfn.
 *
 * ref: 31:0 count of references; 47:32 owner's domid (DOMID_INVALID if free,
 *      DOMID_XEN if ours); 63:48 FRAME_* flags.
 *   A frame with count 0 is free, about to be, or ours and not shared: no
 *   guest can get a reference.  The owner changes only while the count is 0.
 * type: 27:0 count of uses as this type; 47:28 the TLB clock when the last use
 *   (of writable ones: any) ended, during validation how far it has come;
 *   63:48 TYPE_* and state bits.
 *   The first use of a type holds one reference in `ref`.
 *   In a free frame: 7:0 the block's order; 47:28 and TYPE_FREED as below.
 * next, prev: of a free list, or one of frames on their way (mfn, ~0 = end).
 */
struct frame {
	u64 type;
	u64 ref;
	u32 next, prev;
};

#define FRAME_COUNT_MASK	0xffffffffUL
#define FRAME_OWNER_SHIFT	32
#define FRAME_ALLOCATED		(1UL << 48)	/* the owner's own reference */
#define FRAME_XENHEAP		(1UL << 49)	/* ours, shared with a guest */
#define FRAME_FREE		(1UL << 50)	/* in the allocator */
#define FRAME_UNCACHED		(1UL << 51)	/* a guest wrote past the cache */
#define FRAME_ORPHAN		(1UL << 52)	/* XENHEAP: free on the last put */

#define TYPE_COUNT_MASK		0x0fffffffUL
#define TYPE_SHIFT		60
#define TYPE_MASK		(0xfUL << TYPE_SHIFT)
#define TYPE_L1			(1UL << TYPE_SHIFT)
#define TYPE_L2			(2UL << TYPE_SHIFT)
#define TYPE_L3			(3UL << TYPE_SHIFT)
#define TYPE_L4			(4UL << TYPE_SHIFT)
#define TYPE_SEG_DESC		(5UL << TYPE_SHIFT)
#define TYPE_WRITABLE		(7UL << TYPE_SHIFT)
#define TYPE_VALIDATED		(1UL << 59)
#define TYPE_PINNED		(1UL << 58)
/*
 * Validation or its reverse was interrupted.  Nobody owns the state: it holds
 * the count of 1 itself; entries below the number in 47:28 hold references.
 * Whoever wants the type goes on; anybody may take the table down.
 */
#define TYPE_PARTIAL		(1UL << 57)
#define TYPE_FREED		(1UL << 56)	/* free, once a guest's: stamp */
#define TYPE_STAMP_SHIFT	28
#define TYPE_STAMP_MASK		(0xfffffUL << TYPE_STAMP_SHIFT)

static inline struct frame *mfn_to_frame(mfn_t mfn)
{
	return (struct frame *)FRAMETABLE_BASE + mfn.m;
}

static inline mfn_t frame_to_mfn(const struct frame *f)
{
	return MFN((u64)(f - (const struct frame *)FRAMETABLE_BASE));
}

static inline void *paddr_to_virt(paddr_t pa)
{
	return (void *)(DIRECTMAP_BASE + pa);
}

static inline void *mfn_to_virt(mfn_t mfn)
{
	return paddr_to_virt(mfn.m << PAGE_SHIFT);
}

/* Direct-map and image addresses both. */
static inline paddr_t virt_to_paddr(const void *p)
{
	u64 va = (u64)p;

	return va >= DIRECTMAP_BASE ? va - DIRECTMAP_BASE
				    : va - IMAGE_BASE;
}

static inline mfn_t virt_to_mfn(const void *p)
{
	return MFN(virt_to_paddr(p) >> PAGE_SHIFT);
}

static inline struct frame *virt_to_frame(const void *p)
{
	return mfn_to_frame(virt_to_mfn(p));
}

/* --- frames.c ------------------------------------------------------------ */
extern u64 max_mfn;		/* highest RAM mfn + 1 */
extern u64 total_pages;		/* RAM frames handed to the allocator or used */
/*
 * Boot, once: final page tables, frame table, M2P, allocator with all memory
 * that boot_free_ram() says is free.  Afterwards everything here works.
 */
void mm_early_init(void);
#define RAM_MFN_LIMIT	(1UL << 30)	/* 4 TiB: one mask bounds an index */
static always_inline domid_t frame_owner(const struct frame *f)
{
	return ((const volatile domid_t *)&f->ref)[FRAME_OWNER_SHIFT / 16];
}
/* RAM.  What else has a struct frame belongs to DOMID_IO. */
static always_inline bool mfn_valid(mfn_t mfn)
{
	return likely(mfn.m < max_mfn) &&
	       frame_owner(mfn_to_frame(mfn)) != DOMID_IO;
}
/* A reference, if d owns it and it is live. */
bool __must_check frame_get(struct frame *f, const struct domain *d);
/* Drops one; the last one frees the frame (scrubbed later). */
void frame_put(struct frame *f);
/* Convenience: valid mfn, owned by d, referenced; NULL otherwise. */
struct frame *__must_check mfn_get(mfn_t mfn, const struct domain *d);
/*
 * A use as a type, which is a reference as well.  TYPE_WRITABLE and
 * TYPE_SEG_DESC here; page-table types validate (ptypes.c).  0; -XEN_EINVAL
 * not valid for the type; -XEN_EBUSY in use as another; -XEN_ERESTART
 * interrupted, try again.
 */
int __must_check frame_get_type(struct frame *f, struct domain *d, u64 type);
void frame_put_type(struct frame *f);
/* Makes one of our pages mappable by d (shared_info, grant frames).  A domain
 * with any frame, shared ones included, is held (domain_hold()). */
void frame_share(void *page, struct domain *d);
/* Frees it, when d does not map it any more. */
void frame_unshare(void *page);
/* Drops the owner's allocation reference (decrease_reservation, destroy). */
bool frame_release_allocated(struct frame *f);

/* --- pages.c: the page allocator ----------------------------------------- */
#define MAX_ORDER	18		/* 1 GiB */
#define ALLOC_BITS(n)	((n) & 0xffU)	/* below 2^n bytes; 0 = anywhere */
#define ALLOC_NOSCRUB	(1U << 8)	/* caller overwrites it all */
void pages_add(paddr_t start, paddr_t end);	/* boot: gives RAM */
/* Owned by d, counted in d->tot_pages, one reference each (FRAME_ALLOCATED),
 * contents zero, pfns from pfn on in the M2P.  NULL: none left, d->max_pages,
 * or dying. */
struct frame *alloc_domain_pages(struct domain *d, unsigned int order,
				 u32 flags, u64 pfn);
/* Ours, zeroed, through the direct map. */
void *alloc_pages(unsigned int order, u32 flags);
void free_pages(void *p, unsigned int order);
static inline void *alloc_page(void) { return alloc_pages(0, 0); }
static inline void free_page(void *p) { free_pages(p, 0); }
u64 free_page_count(void);
/*
 * Destroy: takes every frame from d, pins, half-built tables and shared pages
 * included; what others still map stays d's until they let go.
 * d is dying, its vCPUs hold no tables.  0, or -XEN_ERESTART after a batch.
 */
int domain_relinquish_pages(struct domain *d);

/* --- heap.c: small objects, zeroed, 16-byte aligned ---------------------- */
void *heap_alloc(size_t size);	/* NULL when out of memory; any size */
void heap_free(void *p);	/* NULL is fine */

/* --- xenmap.c: the hypervisor's own mappings ----------------------------- */
#define PTE_P		(1UL << 0)
#define PTE_RW		(1UL << 1)
#define PTE_US		(1UL << 2)
#define PTE_PWT		(1UL << 3)
#define PTE_PCD		(1UL << 4)
#define PTE_A		(1UL << 5)
#define PTE_D		(1UL << 6)
#define PTE_PSE		(1UL << 7)	/* PAT in an L1 */
#define PTE_PAT		(1UL << 7)
#define PTE_G		(1UL << 8)
#define PTE_AVAIL	(7UL << 9)
#define PTE_GUEST_KERNEL (1UL << 52)	/* ours: a guest-kernel mapping */
/* Ours: a grant's mapping.  The entry holds no reference itself. */
#define PTE_GRANT	(1UL << 62)
#define PTE_NX		(1UL << 63)
#define PTE_ADDR_MASK	0x000ffffffffff000UL
#define MAP_RO		(PTE_P | PTE_A | PTE_NX)
#define MAP_RW		(PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define MAP_RX		(PTE_P | PTE_A)
extern u64 idle_l4[512];	/* the hypervisor's own top level */
void xenmap_init(void);		/* final tables: W^X image, direct map */
extern const u8 zero_page[PAGE_SIZE];
int map_pages(u64 va, mfn_t mfn, u64 nr, u64 pte_flags); /* 4 KiB each */
/* Device memory or ACPI tables, forever.  flags MAP_RW|PTE_PCD|PTE_PWT for
 * registers.  Never NULL: panics when the range is used up at boot. */
void *map_io(paddr_t pa, size_t len, u64 pte_flags);
/* The per-domain slot: a new vCPU's GDT and LDT; with the domain all go. */
int perdomain_add_vcpu(const struct vcpu *v);
void perdomain_destroy(struct domain *d);
/* The entry that maps va, which lies in one of d's windows.  Who changes it
 * knows who may have used the old one, and flushes. */
u64 *perdomain_slot(const struct domain *d, u64 va);
void m2p_set(mfn_t mfn, u64 pfn);
#define M2P_INVALID	(~0UL)
/* Fills slots 256..271 of a guest L4 for d. */
void l4_install_hyp_slots(u64 *l4, const struct domain *d);

/* --- tlb.c --------------------------------------------------------------- */
#define FLUSH_ALL_VA	(~0UL)
/* This CPU: one page, or everything (global pages too). */
void tlb_flush_local(u64 va);
/* Those of mask, and waits until done. */
void tlb_flush_mask(cpumask_t mask, u64 va);
/* CPUs of mask that have not flushed since stamp was taken. */
cpumask_t tlb_filter(cpumask_t mask, u32 stamp);
/* Now, as a stamp: 20 bits; tlb_filter() errs to the safe side. */
extern u64 tlb_now;
static always_inline u32 tlb_clock(void)
{
	return (u32)READ_ONCE(tlb_now) & 0xfffffU;
}

/* --- ptypes.c: promotion and demotion of page tables --------------------- */
/*
 * Full recount of every reference from scratch, compared with what frames
 * say.  Prints differences; returns their number.  All vCPUs must be paused
 * (debug key, sysctl debug_keys, after tests).
 */
unsigned long frames_recount(void);
int ptype_pin(struct domain *owner, mfn_t mfn, u64 type);
int ptype_unpin(struct domain *owner, mfn_t mfn);
/*
 * Grants: installs or removes one L1 entry of the current address space (or,
 * by_pte, at machine address addr) that maps a foreign frame.  The frame's
 * references are the caller's, until its unmap succeeds: the entry is marked
 * PTE_GRANT and counts for nothing, even if the guest overwrites it.  Only
 * P RW US PWT PCD PAT NX and available bits of pte count.  No flush here.
 */
int ptype_map_grant(struct vcpu *v, u64 addr, bool by_pte, u64 pte);
int ptype_unmap_grant(struct vcpu *v, u64 addr, bool by_pte, mfn_t mfn,
		      u64 *old_pte);
/* v is current or does not run.  0/-errno; -XEN_ERESTART: call again. */
int vcpu_reap(struct vcpu *v);	/* first: what an earlier one left undone */
/* L4 typed and referenced as v's base. */
int vcpu_set_kernel_l4(struct vcpu *v, mfn_t l4);
int vcpu_set_user_l4(struct vcpu *v, mfn_t l4);	/* m = 0: none */
int vcpu_drop_l4s(struct vcpu *v);	/* destroy; may be slow: 0/-ERESTART */
/* GDT frames typed SEG_DESC and mapped in v's slot; old ones dropped. */
int vcpu_set_gdt(struct vcpu *v, const u64 *mfns, unsigned int entries);
int vcpu_set_ldt(struct vcpu *v, u64 va, unsigned int entries);
/* #PF inside v's LDT window: maps the page; true if done. */
bool ldt_fault(struct vcpu *v, u64 cr2);

/* --- ptwr.c: a guest kernel's store to its own read-only L1 -------------- */
/* True if emulated (rip moved on) or retried. */
bool ptwr_fault(struct vcpu *v, u64 cr2, u32 error_code);
/* A Dom0 store to a page we keep read-only (MSI-X table, MMCFG). */
bool mmio_ro_fault(struct vcpu *v, u64 cr2, u32 error_code);

/* --- guestmem.c: the only code that follows guest pointers --------------- */
/*
 * 0 or -XEN_EFAULT.  The address range must lie outside the hypervisor's
 * slots; a fault in the middle leaves the rest untouched.  No lock may be
 * held that a page fault path takes (none is: faults are fixed up here).
 */
int __must_check copy_from_guest(void *dst, u64 gva, size_t n);
int __must_check copy_to_guest(u64 gva, const void *src, size_t n);
/* For bounce frames and instruction fetch: same, byte count not copied. */
size_t copy_from_guest_partial(void *dst, u64 gva, size_t n);
/* 64 bytes at once, for short hot paths. */
int __must_check get_guest_line(u64 *dst, u64 gva);
/* One naturally aligned word. */
int __must_check get_guest_u64(u64 *val, u64 gva);
int __must_check put_guest_u64(u64 gva, u64 val);
int __must_check get_guest_u32(u32 *val, u64 gva);
int __must_check put_guest_u32(u64 gva, u32 val);
static inline bool guest_range_ok(u64 gva, size_t n)
{
	return gva + n >= gva &&
	       (gva + n <= HYP_VIRT_START || gva >= HYP_VIRT_END);
}
/* Ring-0 fault at regs->rip: true if it has a fixup (rip changed). */
bool fixup_exception(struct regs *regs);
struct fixup { s32 insn, target; };	/* relative; section .fixup_table */
/* Text for asm: should the next instruction fault, go on at `target`. */
#define FIXUP(target) \
	".pushsection .fixup_table, \"a\"\n" \
	".balign 4\n" \
	".long 771f - ., " target " - .\n" \
	".popsection\n" \
	"771: "
/* Ring-0 MSR access that may fault: 0 or -XEN_EFAULT. */
int rdmsr_safe(u32 msr, u64 *val);

/* Fault in ring 0 or by the guest on a hypervisor mapping that is stale. */
bool spurious_fault(u64 cr2, u32 error_code);
