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
#include <sys/mman.h>
#include <sys/stat.h>
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
	FILE *initrd;		/* or NULL */
};

/* Before anything is allocated. */
static const char *plan(struct work *w)
{
	struct build *b = w->b;
	const char *why = kernel_open(w->a, b->kernel, b->cache, &w->kernel);
	struct stat st = { 0 };
	int fd;

	if (why)
		return why;
	if (b->ramdisk) {
		fd = open(b->ramdisk, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		w->initrd = fd < 0 ? NULL : fdopen(fd, "r");
		if (!w->initrd || fstat(fileno(w->initrd), &st) ||
		    !S_ISREG(st.st_mode) || !st.st_size ||
		    st.st_size > (off_t)INITRD_MAX)
			return arena_printf(w->a, "%s: %s", b->ramdisk,
					    w->initrd ? "is no initrd" :
					    strerror(errno));
	}
	w->facts.initrd_size = st.st_size;
	w->facts.nr_pages = b->memory_kib >> 2;
	w->facts.cmdline = b->cmdline;
	why = image_parse(&w->im, w->kernel.elf, w->kernel.size);
	if (!why)
		why = layout_compute(&w->l, &w->im, w->facts.nr_pages,
				     st.st_size);
	if (why)
		return arena_printf(w->a, "%s: %s", b->kernel, why);
	if (w->l.fixed_pages > w->facts.nr_pages)
		return arena_printf(w->a, "memory: kernel and ramdisk need %lu "
				    "MiB, not %lu", (w->l.fixed_pages >> 8) + 1,
				    b->memory_kib >> 10);
	return NULL;
}

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

/* 2 MiB at a time as long as there are such pieces. */
static const char *populate(struct work *w)
{
	uint64_t nr = w->facts.nr_pages, pfn = 0, n, i, *batch;
	unsigned int order = LARGE_ORDER;
	long done;

	w->p2m = malloc(w->l.p2m_pages << PAGE_SHIFT);
	batch = hyper_alloc(BATCH * sizeof(*batch));
	if (!w->p2m || !batch)
		return "no memory in the control domain to build it";
	/* What the last page has behind the last pfn is no frame. */
	memset(w->p2m + nr, 0xff, (w->l.p2m_pages << PAGE_SHIFT) - nr * 8);
	while (pfn < nr) {
		if (nr - pfn < 1u << order)
			order = 0;
		n = (nr - pfn) >> order;
		n = n < BATCH ? n : BATCH;
		for (i = 0; i < n; i++)
			batch[i] = pfn + (i << order);
		done = hyper_populate(w->b->domid, batch, n, order);
		if (done <= 0 && !order)
			break;
		order = done > 0 ? order : 0;
		for (n = 0; done > 0 && n < (uint64_t)done << order; n++)
			w->p2m[pfn++] = batch[n >> order] +
					(n & ((1u << order) - 1));
	}
	hyper_free(batch, BATCH * sizeof(*batch));
	return pfn == nr ? NULL :
	       arena_printf(w->a, "not enough memory: %lu MiB missing; end a "
			    "guest or give some of Domain-0's back (xm mem-set "
			    "0)", ((nr - pfn) >> 8) + 1);
}

/*
 * Puts a part into frames of the guest, as far into the first as it says; one
 * without data is the initrd, read straight into them.
 */
static const char *put(const struct work *w, const char *what,
		       const uint64_t *frames, struct image_part part)
{
	uint64_t offset = part.va & ~PAGE_MASK, n = PAGES(offset + part.size);
	uint8_t *p = hyper_map(w->b->domid, frames, n, PROT_READ | PROT_WRITE);
	bool ok = true;

	if (!p)
		return arena_printf(w->a, "cannot map its %s: %s", what,
				    strerror(errno));
	if (part.data)
		memcpy(p + offset, part.data, part.file_size);
	else
		ok = fread(p, 1, part.file_size, w->initrd) == part.file_size;
	memset(p + offset + part.file_size, 0, part.size - part.file_size);
	hyper_unmap(p, n);
	return ok ? NULL :
	       arena_printf(w->a, "%s: cannot be read", w->b->ramdisk);
}

static const char *load_kernel(struct work *w)
{
	struct image_part part;
	const char *why = NULL;
	unsigned int i = 0;
	int rc = 0;

	while (!why && image_part(&w->im, &i, &part))
		why = put(w, "kernel", w->p2m + layout_pfn(&w->l, part.va),
			  part);
	if (!why && w->im.hypercall_page != NO_ADDRESS)
		rc = hyper_hypercall_page(w->b->domid,
			w->p2m[layout_pfn(&w->l, w->im.hypercall_page)]);
	kernel_close(&w->kernel);
	return rc ? arena_printf(w->a, "hypercall page: %s", strerror(-rc))
		  : why;
}

static const char *load_initrd(struct work *w)
{
	return !w->initrd ? NULL :
	       put(w, "ramdisk", w->p2m + w->l.initrd_pfn, (struct image_part){
		NULL, w->facts.initrd_size, 0,
		w->l.initrd_pages << PAGE_SHIFT });
}

static const char *write_p2m(struct work *w)
{
	uint64_t size = w->l.p2m_pages << PAGE_SHIFT;

	return put(w, "P2M", w->p2m + w->l.p2m_pfn, (struct image_part){
		(uint8_t *)w->p2m, size, 0, size });
}

static const char *write_tables(struct work *w)
{
	const struct layout *l = &w->l;
	uint64_t n = l->nr_tables << PAGE_SHIFT;
	uint64_t more = l->p2m_tables << PAGE_SHIFT;
	uint8_t *tables = calloc(1, n + more);
	const char *why;

	if (!tables)
		return "no memory in the control domain for its page tables";
	layout_tables(l, w->p2m, (void *)tables, (void *)(tables + n));
	why = put(w, "page tables", w->p2m + layout_pfn(l, l->v_tables),
		  (struct image_part){ tables, n, 0, n });
	if (!why && more)
		why = put(w, "page tables",
			  w->p2m + l->p2m_pfn + l->p2m_pages,
			  (struct image_part){ tables + n, more, 0, more });
	free(tables);
	return why;
}

/* start_info and, behind it, the two rings. */
static const char *write_start_info(struct work *w)
{
	struct start_info si = { 0 };

	layout_start_info(&w->l, &w->im, &w->facts, w->p2m, &si);
	w->b->store_frame = si.store_mfn;
	w->b->console_frame = si.console.domU.mfn;
	return put(w, "start_info",
		   w->p2m + layout_pfn(&w->l, w->l.v_start_info),
		   (struct image_part){ (uint8_t *)&si, sizeof(si), 0,
					3 * PAGE_SIZE });
}

/* No events before the kernel is ready for them. */
static const char *write_shared_info(struct work *w)
{
	struct shared_info s = { 0 };
	unsigned int i;

	for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		s.vcpu_info[i].evtchn_upcall_mask = 1;
	return put(w, "shared_info", &w->facts.shared_info_frame,
		   (struct image_part){ (uint8_t *)&s, sizeof(s), 0,
					PAGE_SIZE });
}

/* The daemons get at the rings by the two reserved references. */
static const char *write_grants(struct work *w)
{
	struct grant_entry_v1 *e = hyper_map_grants(w->b->domid);

	if (!e)
		return arena_printf(w->a, "cannot map its grant table: %s",
				    strerror(errno));
	e[GNTTAB_RESERVED_CONSOLE] = (struct grant_entry_v1){
		GTF_permit_access, 0, w->b->console_frame,
	};
	e[GNTTAB_RESERVED_XENSTORE] = (struct grant_entry_v1){
		GTF_permit_access, 0, w->b->store_frame,
	};
	hyper_unmap(e, 1);
	return NULL;
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
	return rc ? arena_printf(w->a, "the hypervisor refuses its page "
				 "tables: %s", strerror(-rc)) : NULL;
}

/*
 * [create 40] Memory, kernel, tables and the first vCPU of a new domain.
 *
 * Fills an empty domain whose vCPUs and memory limit are set.  On failure the
 * caller destroys it.
 */
const char *build_guest(struct arena *a, struct build *b)
{
	static const char *(*const steps[])(struct work *w) = {
		plan, prepare, populate, load_kernel, load_initrd, write_p2m,
		write_tables, write_start_info, write_shared_info,
		write_grants, start_vcpu,
	};
	struct work w = { .a = a, .b = b };
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps) && !why; i++) {
		why = steps[i](&w);
		b->progress((i + 1) / (ARRAY_SIZE(steps) + 1.0));
	}
	kernel_close(&w.kernel);
	if (w.initrd)
		fclose(w.initrd);
	free(w.p2m);
	return why;
}
