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
#define BATCH	8	/* elements read at once; each is answered by itself */

struct side {
	u64 number;		/* grant reference or frame, as asked for */
	u32 whose;		/* domid as asked for | IS_REF, or NOTHING */
	bool writes;		/* constant: the destination */
	u8 *page;		/* direct map */
	struct domain *d;	/* the lender, referenced; NULL: own frame */
	struct pin pin;		/* of the lender's entry */
};

static void side_drop(struct side *s)
{
	if (s->whose == NOTHING)
		return;
	s->whose = NOTHING;
	if (s->d) {
		grant_unpin(&s->pin, s->writes);
		domain_put(s->d);
	} else {
		grant_frame_put(virt_to_mfn(s->page).m, s->writes);
	}
}

static noinline int side_take(struct side *s, u64 number, u32 whose)
{
	struct domain *d = NULL;
	u64 mfn = number;
	int rc;

	side_drop(s);
	if (whose & IS_REF) {
		d = domain_get_or_self((domid_t)whose);
		if (!d)
			return GNTST_bad_domain;
		rc = grant_pin(d, number, current->domain->id, s->writes,
			       &s->pin);
		if (rc)
			domain_put(d);
		else
			mfn = s->pin.a->mfn;
	} else if (whose == DOMID_SELF) {
		rc = grant_frame_get(current->domain, mfn, s->writes);
	} else {
		rc = GNTST_permission_denied;
	}
	if (rc)
		return rc;
	s->number = number;
	s->whose = whose;
	s->page = mfn_to_virt(MFN(mfn));
	s->d = d;
	return GNTST_okay;
}

/* Makes s what p names; usually it is so already. */
static always_inline int side_set(struct side *s,
				  const struct gnttab_copy_ptr *p, bool is_ref)
{
	u64 number = is_ref ? p->u.ref : p->u.gmfn;
	u32 whose = p->domid | (is_ref ? IS_REF : 0);

	if (likely(s->number == number && s->whose == whose))
		return GNTST_okay;
	return side_take(s, number, whose);
}

static always_inline int copy_one(const struct gnttab_copy *op,
				  struct side *src, struct side *dst)
{
	int rc = side_set(src, &op->source, op->flags & GNTCOPY_source_gref);

	if (likely(!rc))
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

/* Elements until all are done, some cannot be read or answered, or other work
 * waits. */
long grant_copy(u64 uop, u32 count)
{
	struct side src = { .whose = NOTHING, .writes = false };
	struct side dst = { .whose = NOTHING, .writes = true };
	struct gnttab_copy op[BATCH];
	u32 done = 0, n;
	long rc = 0;

	while (done < count && !rc && !(done && preempt_check())) {
		n = min(count - done, (u32)BATCH);
		rc = copy_from_guest(op, uop, n * sizeof(op[0]));
		for (u32 i = 0; i < n && !rc; i++) {
			/* With the two bytes of padding behind it. */
			rc = put_guest_u32(uop + offsetof(struct gnttab_copy,
							  status),
				(u16)copy_one(&op[i], &src, &dst));
			uop += sizeof(op[0]);
			done++;
		}
	}
	side_drop(&src);
	side_drop(&dst);
	return rc ? rc : done;
}
