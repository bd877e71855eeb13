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

struct side {
	struct domain *d;	/* whose frame, referenced; NULL: nothing kept */
	u64 number;		/* grant reference or frame, as asked for */
	u8 *page;		/* direct map */
	u32 mfn;
	domid_t domid;		/* as asked for */
	bool is_ref;
	bool writes;		/* constant: the destination */
};

static void side_drop(struct side *s)
{
	if (!s->d)
		return;
	grant_drop_refs(s->mfn, s->writes, 1);
	if (s->is_ref)
		grant_unpin(s->d, s->number,
			    s->writes ? PIN_HOST_WRITE : PIN_HOST_READ);
	domain_put(s->d);
	s->d = NULL;
}

/* A frame of the caller's own. */
static int take_frame(struct side *s, struct domain *d, u64 mfn)
{
	int rc;

	if (!mfn_valid(MFN(mfn)))
		return GNTST_bad_page;
	if (s->writes) {
		rc = frame_get_and_type(mfn_to_frame(MFN(mfn)), d,
					TYPE_WRITABLE);
		if (rc)
			return rc == -XEN_EBUSY ? GNTST_general_error
						: GNTST_bad_page;
	} else if (!frame_get(mfn_to_frame(MFN(mfn)), d)) {
		return GNTST_bad_page;
	}
	s->mfn = mfn;
	return GNTST_okay;
}

static noinline int side_take(struct side *s, const struct gnttab_copy_ptr *p,
			      bool is_ref)
{
	u64 number = is_ref ? p->u.ref : p->u.gmfn;
	struct domain *d;
	int rc;

	side_drop(s);
	if (!is_ref && p->domid != DOMID_SELF)
		return GNTST_permission_denied;
	d = domain_get_or_self(p->domid);
	if (!d)
		return GNTST_bad_domain;
	if (is_ref)
		rc = grant_pin(d, number, current->domain->id,
			       s->writes ? PIN_HOST_WRITE : PIN_HOST_READ,
			       &s->mfn);
	else
		rc = take_frame(s, d, number);
	if (rc) {
		domain_put(d);
		return rc;
	}
	s->d = d;
	s->domid = p->domid;
	s->number = number;
	s->is_ref = is_ref;
	s->page = mfn_to_virt(MFN(s->mfn));
	return GNTST_okay;
}

/* Makes s what p names; usually it is so already. */
static always_inline int side_set(struct side *s,
				  const struct gnttab_copy_ptr *p, bool is_ref)
{
	u64 number = is_ref ? p->u.ref : p->u.gmfn;

	if (likely(s->d && s->number == number && s->domid == p->domid &&
		   s->is_ref == is_ref))
		return GNTST_okay;
	return side_take(s, p, is_ref);
}

static always_inline int copy_one(const struct gnttab_copy *op,
				  struct side *src, struct side *dst)
{
	int rc;

	rc = side_set(src, &op->source, op->flags & GNTCOPY_source_gref);
	if (unlikely(rc))
		return rc;
	rc = side_set(dst, &op->dest, op->flags & GNTCOPY_dest_gref);
	if (unlikely(rc))
		return rc;
	if (unlikely(op->source.offset + op->len > PAGE_SIZE ||
		     op->dest.offset + op->len > PAGE_SIZE))
		return GNTST_bad_copy_arg;
	memmove(dst->page + op->dest.offset, src->page + op->source.offset,
		op->len);
	return GNTST_okay;
}

/* Elements until all are done, one cannot be read or answered, or other work
 * waits: how many were done, and why it ended. */
static u32 copy_some(u64 uop, u32 count, long *rc)
{
	struct side src = { .writes = false }, dst = { .writes = true };
	struct gnttab_copy op;
	u32 i;

	for (i = 0; i < count; i++, uop += sizeof(op)) {
		if (i && i % GRANT_PREEMPT_EVERY == 0 && preempt_check())
			break;
		*rc = copy_from_guest(&op, uop, sizeof(op));
		if (unlikely(*rc))
			break;
		/* With the two bytes of padding behind it. */
		*rc = put_guest_u32(uop + offsetof(struct gnttab_copy, status),
				    (u16)copy_one(&op, &src, &dst));
		if (unlikely(*rc))
			break;
	}
	side_drop(&src);
	side_drop(&dst);
	return i;
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
