// SPDX-License-Identifier: GPL-2.0
/*
 * Who may read or write a node.
 *
 * A list of (domain, rights).  The first entry names the owner, who may do
 * everything, and the rights of every domain without an entry of its own.
 * Privileged clients (the control domain and its socket) may do everything
 * everywhere; a device model may do what its target domain may.
 *
 * Lists are shared between nodes and snapshots and counted; a change makes a
 * new list.
 */
#include <stdlib.h>
#include <string.h>
#include "xenstored.h"

/* A new list of n > 0 entries with one reference; NULL if no memory. */
struct perms *perms_new(const struct wire_perm *p, unsigned int n)
{
	struct perms *perms = malloc(sizeof(*perms) + n * sizeof(*p));

	if (!perms)
		return NULL;
	perms->refs = 1;
	perms->n = n;
	memcpy(perms->p, p, n * sizeof(*p));
	return perms;
}

/* Another reference. */
struct perms *perms_get(struct perms *perms)
{
	perms->refs++;
	return perms;
}

/* One reference less; NULL is allowed. */
void perms_put(struct perms *perms)
{
	if (perms && !--perms->refs)
		free(perms);
}

/*
 * What a node created by `who` below one with `parent` gets: the same, but an
 * unprivileged creator becomes the owner.  With a reference.
 */
struct perms *perms_inherit(struct perms *parent, const struct subject *who)
{
	struct perms *perms;

	if (who->privileged || parent->p[0].domid == who->domid)
		return perms_get(parent);
	perms = perms_new(parent->p, parent->n);
	if (perms)
		perms->p[0].domid = who->domid;
	return perms;
}

/* PERM_* bits of `who`. */
unsigned int perms_for(const struct perms *perms, const struct subject *who)
{
	unsigned int i;

	for (i = 0; i < perms->n; i++)
		if (perms->p[i].domid == who->domid ||
		    perms->p[i].domid == who->target)
			break;
	if (who->privileged || i == 0)
		return PERM_READ | PERM_WRITE | PERM_OWNER;
	return perms->p[i < perms->n ? i : 0].access;
}

/* True if domid has an entry. */
bool perms_mention(const struct perms *perms, domid_t domid)
{
	unsigned int i;

	for (i = 0; i < perms->n; i++)
		if (perms->p[i].domid == domid)
			return true;
	return false;
}

/*
 * The list without the entries of domid, for when that domain is gone and
 * its number may come back; if it was the owner, the control domain is.
 */
struct perms *perms_without(const struct perms *perms, domid_t domid)
{
	struct perms *rest = perms_new(perms->p, perms->n);
	unsigned int i, n = 1;

	if (!rest)
		return NULL;
	if (rest->p[0].domid == domid)
		rest->p[0].domid = 0;
	for (i = 1; i < perms->n; i++)
		if (perms->p[i].domid != domid)
			rest->p[n++] = perms->p[i];
	rest->n = n;
	return rest;
}
