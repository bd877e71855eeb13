// SPDX-License-Identifier: GPL-2.0
/*
 * The journey from an empty, paused domain to one that can be unpaused: its
 * memory, kernel, initrd, tables, rings and first vCPU.
 *
 * It works on a domain that does nothing yet, through mappings of its frames;
 * they are all gone before its page tables are pinned, since the hypervisor
 * takes no frame as a table that somebody can write.  The caller destroys the
 * domain if this fails, which undoes everything.
 *
 * May take seconds: xend runs it in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hypercall-abi/grant_table.h>
#include "builder.h"

#define BATCH		8192u		/* extents asked for at once */
#define LARGE_ORDER	9		/* 2 MiB */
#define INITRD_MAX	(8ull << 30)

struct work {
	struct arena *a;
	struct build *b;
	struct kernel_file kernel;
	struct image im;
	struct layout l;
	struct guest_facts facts;
	uint64_t *p2m;
	int initrd;		/* file, or -1 */
};

static void told(const struct work *w, double done)
{
	if (w->b->progress)
		w->b->progress(done);
}

/* --- before anything is allocated ------------------------------------ */
static const char *open_initrd(struct work *w)
{
	const char *path = w->b->ramdisk;
	struct stat st;

	if (!path)
		return NULL;
	w->initrd = open(path, O_RDONLY | O_CLOEXEC);
	if (w->initrd < 0 || fstat(w->initrd, &st))
		return arena_printf(w->a, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size || st.st_size > (off_t)INITRD_MAX)
		return arena_printf(w->a, "%s: is no initrd", path);
	w->facts.initrd_size = st.st_size;
	return NULL;
}

static const char *plan(struct work *w)
{
	struct build *b = w->b;
	const char *why = kernel_open(w->a, b->kernel, b->cache, &w->kernel);

	if (!why)
		why = open_initrd(w);
	if (why)
		return why;
	w->facts.nr_pages = b->memory_kib >> 2;
	w->facts.cmdline = b->cmdline;
	why = image_parse(&w->im, w->kernel.elf, w->kernel.size);
	if (!why)
		why = layout_compute(&w->l, &w->im, w->facts.nr_pages,
				     w->facts.initrd_size);
	if (why)
		return arena_printf(w->a, "%s: %s", b->kernel, why);
	if (w->l.fixed_pages > w->facts.nr_pages)
		return arena_printf(w->a, "memory: kernel and ramdisk need %llu MiB, not %llu",
				    (unsigned long long)(w->l.fixed_pages >> 8) + 1,
				    (unsigned long long)b->memory_kib >> 10);
	return NULL;
}

/* --- memory ---------------------------------------------------------- */
/* One batch from pfn on; the number of pages it got. */
static uint64_t populate_batch(struct work *w, uint64_t *batch, uint64_t pfn,
			       unsigned int order)
{
	uint64_t n = (w->facts.nr_pages - pfn) >> order, i, j;
	long done;

	n = n < BATCH ? n : BATCH;
	for (i = 0; i < n; i++)
		batch[i] = pfn + (i << order);
	done = hyper_populate(w->b->domid, batch, n, order);
	for (i = 0; done > 0 && i < (uint64_t)done; i++)
		for (j = 0; j < 1ull << order; j++)
			w->p2m[pfn + (i << order) + j] = batch[i] + j;
	return done > 0 ? (uint64_t)done << order : 0;
}

/* 2 MiB at a time as long as there are such pieces. */
static const char *populate(struct work *w)
{
	uint64_t nr = w->facts.nr_pages, pfn = 0, n, *batch;
	unsigned int order = LARGE_ORDER;

	w->p2m = malloc(nr * sizeof(*w->p2m));
	batch = hyper_alloc(BATCH * sizeof(*batch));
	if (!w->p2m || !batch)
		return "no memory in the control domain to build it";
	while (pfn < nr) {
		if (nr - pfn < 1u << LARGE_ORDER)
			order = 0;
		n = populate_batch(w, batch, pfn, order);
		if (!n && !order)
			break;
		if (!n)
			order = 0;
		pfn += n;
	}
	hyper_free(batch, BATCH * sizeof(*batch));
	if (pfn == nr)
		return NULL;
	return arena_printf(w->a, "not enough memory: %llu MiB missing; end a "
			    "guest or give some of Domain-0's back (xm mem-set 0)",
			    (unsigned long long)((nr - pfn) >> 8) + 1);
}

static void *map_pfns(const struct work *w, uint64_t pfn, uint64_t n)
{
	return hyper_map(w->b->domid, w->p2m + pfn, n, PROT_READ | PROT_WRITE);
}

static const char *cannot_map(const struct work *w, const char *what)
{
	return arena_printf(w->a, "cannot map its %s: %s", what,
			    strerror(errno));
}

/* --- content --------------------------------------------------------- */
static const char *load_part(const struct work *w,
			     const struct image_part *part)
{
	uint64_t offset = part->va & ~PAGE_MASK;
	uint64_t n = PAGES(offset + part->size);
	uint8_t *p = map_pfns(w, layout_pfn(&w->l, part->va), n);

	if (!p)
		return cannot_map(w, "kernel");
	memcpy(p + offset, part->data, part->file_size);
	memset(p + offset + part->file_size, 0, part->size - part->file_size);
	hyper_unmap(p, n);
	return NULL;
}

static const char *load_kernel(struct work *w)
{
	struct image_part part;
	const char *why = NULL;
	unsigned int i = 0;
	uint64_t page;
	int rc;

	while (!why && image_part(&w->im, &i, &part))
		why = load_part(w, &part);
	if (why || w->im.hypercall_page == NO_ADDRESS)
		return why;
	page = w->p2m[layout_pfn(&w->l, w->im.hypercall_page)];
	rc = hyper_hypercall_page(w->b->domid, page);
	return rc ? arena_printf(w->a, "hypercall page: %s", strerror(-rc))
		  : NULL;
}

/* Read straight into the guest. */
static const char *load_initrd(struct work *w)
{
	uint64_t size = w->facts.initrd_size, done = 0;
	ssize_t r = 1;
	uint8_t *p;

	if (!size)
		return NULL;
	p = map_pfns(w, w->l.initrd_pfn, w->l.initrd_pages);
	if (!p)
		return cannot_map(w, "ramdisk");
	while (done < size && r > 0) {
		r = read(w->initrd, p + done, size - done);
		done += r > 0 ? r : 0;
	}
	memset(p + done, 0, (w->l.initrd_pages << PAGE_SHIFT) - done);
	hyper_unmap(p, w->l.initrd_pages);
	return done == size ? NULL :
	       arena_printf(w->a, "%s: cannot be read", w->b->ramdisk);
}

static const char *write_p2m(const struct work *w)
{
	uint64_t bytes = w->facts.nr_pages * sizeof(*w->p2m);
	uint8_t *p = map_pfns(w, w->l.p2m_pfn, w->l.p2m_pages);

	if (!p)
		return cannot_map(w, "P2M");
	memcpy(p, w->p2m, bytes);
	memset(p + bytes, 0xff, (w->l.p2m_pages << PAGE_SHIFT) - bytes);
	hyper_unmap(p, w->l.p2m_pages);
	return NULL;
}

static const char *write_tables(const struct work *w)
{
	const struct layout *l = &w->l;
	uint64_t first = l->p2m_pfn + l->p2m_pages;
	void *tables = map_pfns(w, layout_pfn(l, l->v_tables), l->nr_tables);
	void *more = l->p2m_tables ? map_pfns(w, first, l->p2m_tables) : NULL;
	const char *why = NULL;

	if (!tables || (l->p2m_tables && !more)) {
		why = cannot_map(w, "page tables");
	} else {
		memset(tables, 0, l->nr_tables << PAGE_SHIFT);
		if (more)
			memset(more, 0, l->p2m_tables << PAGE_SHIFT);
		why = layout_tables(l, w->p2m, tables, more);
	}
	hyper_unmap(tables, l->nr_tables);
	hyper_unmap(more, l->p2m_tables);
	return why;
}

/* start_info and, behind it, the two rings. */
static const char *write_start_info(struct work *w)
{
	uint8_t *p = map_pfns(w, layout_pfn(&w->l, w->l.v_start_info), 3);

	if (!p)
		return cannot_map(w, "start_info");
	memset(p, 0, 3 * PAGE_SIZE);
	layout_start_info(&w->l, &w->im, &w->facts, w->p2m, (void *)p);
	hyper_unmap(p, 3);
	w->b->store_frame = w->p2m[layout_pfn(&w->l, w->l.v_store)];
	w->b->console_frame = w->p2m[layout_pfn(&w->l, w->l.v_console)];
	return NULL;
}

/* No events before the kernel is ready for them. */
static const char *write_shared_info(const struct work *w)
{
	uint64_t frame = w->facts.shared_info_frame;
	struct shared_info *s = hyper_map(w->b->domid, &frame, 1,
					  PROT_READ | PROT_WRITE);
	unsigned int i;

	if (!s)
		return cannot_map(w, "shared_info");
	memset(s, 0, PAGE_SIZE);
	for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		s->vcpu_info[i].evtchn_upcall_mask = 1;
	hyper_unmap(s, 1);
	return NULL;
}

/* The daemons get at the rings by the two reserved references. */
static const char *write_grants(const struct work *w)
{
	struct grant_entry_v1 *e = hyper_map_grants(w->b->domid);

	if (!e)
		return cannot_map(w, "grant table");
	e[GNTTAB_RESERVED_CONSOLE] = (struct grant_entry_v1){
		GTF_permit_access, 0, w->b->console_frame,
	};
	e[GNTTAB_RESERVED_XENSTORE] = (struct grant_entry_v1){
		GTF_permit_access, 0, w->b->store_frame,
	};
	hyper_unmap(e, 1);
	return NULL;
}

/* --- the whole ------------------------------------------------------- */
static const char *prepare(struct work *w)
{
	struct xen_domctl_getdomaininfo info;
	int rc = hyper_domain_info(w->b->domid, &info);

	if (rc)
		return arena_printf(w->a, "domain %u: %s", w->b->domid,
				    strerror(-rc));
	w->facts.shared_info_frame = info.shared_info_frame;
	rc = hyper_alloc_port(w->b->domid, 0);
	w->b->store_port = w->facts.store_port = rc;
	if (rc > 0)
		rc = hyper_alloc_port(w->b->domid, 0);
	w->b->console_port = w->facts.console_port = rc;
	return rc > 0 ? NULL : arena_printf(w->a, "event channels: %s",
					    strerror(-rc));
}

static const char *start_vcpu(struct work *w)
{
	struct vcpu_guest_context *c = hyper_alloc(sizeof(*c));
	int rc = -ENOMEM;

	if (c) {
		layout_vcpu(&w->l, &w->im, w->p2m, c);
		rc = hyper_pin_l4(w->b->domid, c->ctrlreg[3] >> PAGE_SHIFT);
	}
	if (!rc)
		rc = hyper_set_context(w->b->domid, 0, c);
	hyper_free(c, sizeof(*c));
	return rc ? arena_printf(w->a, "the hypervisor refuses its page tables: %s",
				 strerror(-rc)) : NULL;
}

/* [create 40] Memory, kernel, tables and the first vCPU of a new domain. */
static const char *build(struct work *w)
{
	const char *why = plan(w);

	if (!why)
		why = prepare(w);
	told(w, 0.2);
	if (!why)
		why = populate(w);
	told(w, 0.4);
	if (!why)
		why = load_kernel(w);
	kernel_close(&w->kernel);
	told(w, 0.6);
	if (!why)
		why = load_initrd(w);
	if (!why)
		why = write_p2m(w);
	if (!why)
		why = write_tables(w);
	if (!why)
		why = write_start_info(w);
	if (!why)
		why = write_shared_info(w);
	if (!why)
		why = write_grants(w);
	if (!why)
		why = start_vcpu(w);
	told(w, 0.8);
	return why;
}

/*
 * Fills an empty domain whose vCPUs and memory limit are set.  On failure the
 * caller destroys it.
 */
const char *build_guest(struct arena *a, struct build *b)
{
	struct work w = { .a = a, .b = b, .initrd = -1 };
	const char *why = build(&w);

	kernel_close(&w.kernel);
	if (w.initrd >= 0)
		close(w.initrd);
	free(w.p2m);
	return why;
}
