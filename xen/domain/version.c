/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xen_version: who we are, in the words that tools and kernels look for.
 *
 * Any domain may ask.  Texts have fixed sizes in the ABI and are copied out
 * whole, padded with zeros, so that nothing else can leak.  What concerns the
 * machine's owner only, the command line and how we were built, is for the
 * control domain; others get "<denied>".
 */
#include <domain/domain.h>
#include <hypercall-abi/version.h>

#define EXTRAVERSION	".0-xenolith"
#define CAPABILITIES	"xen-3.0-x86_64 "
#ifndef CHANGESET
#define CHANGESET	"unavailable"
#endif

static long put_text(u64 gva, const char *text, size_t size)
{
	size_t len = strnlen(text, size - 1);

	if (copy_to_guest(gva, text, len) ||
	    clear_guest(gva + len, size - len))
		return deny(-XEN_EFAULT);
	return 0;
}

/* For the control domain only. */
static const char *private_text(const char *text)
{
	return current->domain->is_privileged ? text : "<denied>";
}

static long version_compile_info(u64 gva)
{
	struct xen_compile_info info = { 0 };

	strlcpy(info.compiler, private_text("gcc " __VERSION__),
		sizeof(info.compiler));
	strlcpy(info.compile_by, private_text("xenolith"),
		sizeof(info.compile_by));
	strlcpy(info.compile_domain, private_text("localdomain"),
		sizeof(info.compile_domain));
	/* Not the date: equal sources make equal images. */
	strlcpy(info.compile_date, private_text("reproducible build"),
		sizeof(info.compile_date));
	if (copy_to_guest(gva, &info, sizeof(info)))
		return deny(-XEN_EFAULT);
	return 0;
}

static u32 features(const struct domain *d)
{
	u32 map = 1U << XENFEAT_mmu_pt_update_preserve_ad |
		  1U << XENFEAT_highmem_assist |
		  1U << XENFEAT_gnttab_map_avail_bits |
		  1U << XENFEAT_memory_op_vnode_supported |
		  1U << XENFEAT_direct_mapped;

	if (d->vm_assist & 1UL << VMASST_TYPE_pae_extended_cr3)
		map |= 1U << XENFEAT_pae_pgdir_above_4gb;
	if (d->is_privileged)
		map |= 1U << XENFEAT_dom0;
	return map;
}

static long version_features(u64 gva)
{
	struct xen_feature_info info;

	if (copy_from_guest(&info, gva, sizeof(info)))
		return deny(-XEN_EFAULT);
	if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
		return deny(-XEN_EINVAL);
	info.submap = features(current->domain);
	if (copy_to_guest(gva, &info, sizeof(info)))
		return deny(-XEN_EFAULT);
	return 0;
}

static long put_bytes(u64 gva, const void *data, size_t size)
{
	return copy_to_guest(gva, data, size) ? deny(-XEN_EFAULT) : 0;
}

/* Hypercall 17.  XENVER_version is also a guest's cheapest way to have its
 * pending events delivered. */
long do_xen_version(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
	struct xen_platform_parameters params = { HYP_VIRT_START };

	switch ((u32)cmd) {
	case XENVER_version:
		return XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR;
	case XENVER_extraversion:
		return put_text(arg, EXTRAVERSION, sizeof(xen_extraversion_t));
	case XENVER_compile_info:
		return version_compile_info(arg);
	case XENVER_capabilities:
		return put_text(arg, CAPABILITIES,
				sizeof(xen_capabilities_info_t));
	case XENVER_changeset:
		return put_text(arg, private_text(CHANGESET),
				sizeof(xen_changeset_info_t));
	case XENVER_platform_parameters:
		return put_bytes(arg, &params, sizeof(params));
	case XENVER_get_features:
		return version_features(arg);
	case XENVER_pagesize:
		return PAGE_SIZE;
	case XENVER_guest_handle:
		return put_bytes(arg, current->domain->handle,
				 sizeof(current->domain->handle));
	case XENVER_commandline:
		return put_text(arg, private_text(hypervisor_cmdline),
				sizeof(xen_commandline_t));
	case XENVER_build_id:
		return -XEN_ENODATA;
	default:
		return deny(-XEN_ENOSYS);
	}
}
