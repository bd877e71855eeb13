/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copying between frames by grant reference, without mapping them.
 *
 * Each side is a grant of some domain, or a frame of the caller's own (never
 * of another domain, not even for the control domain).  What a side names is
 * pinned and referenced once and kept for the next element of the batch that
 * names the same; so a pin is always compared by (domid, kind, number) with
 * what it was taken for, and the frame used is the one recorded in the active
 * entry, whatever the lender has written into its table since.
 *
 * Invariant: no side is kept when the hypercall returns or is continued.
 *
 * A hostile guest may name any offset and length: both are bounded by the
 * page before anything is touched.  Nothing is recursive: transitive grants
 * do not exist here.
 */
#include <grant/table.h>
#include <entry/entry.h>

#define NOTHING	(~0U)
#define IS_REF	(1U << 16)

struct side {
	u64 number;		/* grant reference or frame, as asked for */
	u32 whose;		/* domid as asked for | IS_REF, or NOTHING */
	bool writes;		/* constant: the destination */
	u8 *page;		/* direct map */
	struct domain *d;	/* IS_REF: the lender, referenced */
	struct pin pin;		/* IS_REF */
};

static u32 users(const struct side *s)
{
	return s->writes ? PIN_HOST_WRITE : PIN_HOST_READ;
}

static void side_drop(struct side *s)
{
	struct frame *f;

	if (s->whose == NOTHING)
		return;
	if (s->whose & IS_REF) {
		grant_unpin(&s->pin, users(s));
		domain_put(s->d);
	} else {
		f = virt_to_frame(s->page);
		if (s->writes)
			frame_put_and_type(f);
		else
			frame_put(f);
	}
	s->whose = NOTHING;
}

/* A frame of the caller's own. */
static int take_frame(struct side *s, u64 mfn, domid_t id)
{
	struct domain *d = current->domain;
	struct frame *f;
	int rc;

	if (id != DOMID_SELF)
		return GNTST_permission_denied;
	if (!mfn_valid(MFN(mfn)))
		return GNTST_bad_page;
	f = mfn_to_frame(MFN(mfn));
	if (s->writes) {
		rc = frame_get_and_type(f, d, TYPE_WRITABLE);
		if (rc)
			return rc == -XEN_EBUSY ? GNTST_general_error
						: GNTST_bad_page;
	} else if (!frame_get(f, d)) {
		return GNTST_bad_page;
	}
	s->page = mfn_to_virt(MFN(mfn));
	return GNTST_okay;
}

static int take_grant(struct side *s, u32 ref, domid_t id)
{
	struct domain *d = domain_get_or_self(id);
	int rc;

	if (!d)
		return GNTST_bad_domain;
	rc = grant_pin(d, ref, current->domain->id, users(s), &s->pin);
	if (rc) {
		domain_put(d);
		return rc;
	}
	s->d = d;
	s->page = mfn_to_virt(MFN(s->pin.a->mfn));
	return GNTST_okay;
}

static noinline int side_take(struct side *s, u64 number, u32 whose)
{
	int rc;

	side_drop(s);
	if (whose & IS_REF)
		rc = take_grant(s, number, (domid_t)whose);
	else
		rc = take_frame(s, number, (domid_t)whose);
	if (rc)
		return rc;
	s->number = number;
	s->whose = whose;
	return GNTST_okay;
}

/* Makes s what p names; usually it is so already. */
static always_inline int side_set(struct side *s,
				  const struct gnttab_copy_ptr *p, u32 is_ref)
{
	u64 number = is_ref ? p->u.ref : p->u.gmfn;
	u32 whose = p->domid | is_ref;

	if (likely(s->number == number && s->whose == whose))
		return GNTST_okay;
	return side_take(s, number, whose);
}

static always_inline int copy_one(const struct gnttab_copy *op,
				  struct side *src, struct side *dst)
{
	int rc;

	rc = side_set(src, &op->source,
		      op->flags & GNTCOPY_source_gref ? IS_REF : 0);
	if (unlikely(rc))
		return rc;
	rc = side_set(dst, &op->dest,
		      op->flags & GNTCOPY_dest_gref ? IS_REF : 0);
	if (unlikely(rc))
		return rc;
	if (unlikely(op->source.offset + op->len > PAGE_SIZE ||
		     op->dest.offset + op->len > PAGE_SIZE))
		return GNTST_bad_copy_arg;
	if (unlikely(dst->page == src->page))
		memmove(dst->page + op->dest.offset,
			src->page + op->source.offset, op->len);
	else
		memcpy(dst->page + op->dest.offset,
		       src->page + op->source.offset, op->len);
	return GNTST_okay;
}

/* Up to BATCH elements are read at once; each is answered by itself. */
#define BATCH	8

/* Elements until all are done, some cannot be read or answered, or other work
 * waits: how many were done, and why it ended. */
static u32 copy_some(u64 uop, u32 count, long *rc)
{
	struct side src = { .whose = NOTHING, .writes = false };
	struct side dst = { .whose = NOTHING, .writes = true };
	struct gnttab_copy op[BATCH];
	u32 done = 0, n;

	while (done < count && !*rc) {
		if (done && preempt_check())
			break;
		n = min(count - done, (u32)BATCH);
		*rc = copy_from_guest(op, uop, n * sizeof(op[0]));
		for (u32 i = 0; i < n && !*rc; i++) {
			/* With the two bytes of padding behind it. */
			*rc = put_guest_u32(uop + offsetof(struct gnttab_copy,
							   status),
				(u16)copy_one(&op[i], &src, &dst));
			uop += sizeof(op[0]);
			done++;
		}
	}
	side_drop(&src);
	side_drop(&dst);
	return done;
}

long grant_op_copy(u64 uop, u32 count)
{
	long rc = 0;
	u32 n = copy_some(uop, count, &rc);

	if (rc)
		return deny(rc);
	if (n == count)
		return 0;
	return hypercall_continue(__HYPERVISOR_grant_table_op, 3,
				  (u64)GNTTABOP_copy,
				  uop + n * sizeof(struct gnttab_copy),
				  (u64)(count - n));
}
