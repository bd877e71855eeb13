/* SPDX-License-Identifier: MIT */
/*
 * xen_version(cmd, arg): who the hypervisor is.  Any domain.  arg points to
 * what the hypervisor fills in; texts are NUL-terminated.  An event that
 * became due is delivered before the call returns, so that guests issue
 * XENVER_version just for that.
 */
#ifndef ABI_VERSION_H
#define ABI_VERSION_H

#include <stdint.h>
#include <hypercall-abi/features.h>

#define XENVER_version		0	/* no arg; returns major << 16 | minor */
#define XENVER_extraversion	1
#define XENVER_compile_info	2
#define XENVER_capabilities	3
#define XENVER_changeset	4
#define XENVER_platform_parameters 5
#define XENVER_get_features	6
#define XENVER_pagesize		7	/* no arg; returns bytes */
#define XENVER_guest_handle	8	/* 16 bytes: the caller's UUID */
#define XENVER_commandline	9
#define XENVER_build_id		10	/* returns length; -ENODATA none */

typedef char xen_extraversion_t[16];
typedef char xen_capabilities_info_t[1024];
typedef char xen_changeset_info_t[64];
typedef char xen_commandline_t[1024];

struct xen_compile_info {
	char compiler[64];
	char compile_by[16];
	char compile_domain[32];
	char compile_date[32];
};

struct xen_platform_parameters {
	uint64_t virt_start;	/* where the hypervisor's part begins */
};

struct xen_feature_info {
	uint32_t submap_idx;	/* in: which 32 features; only 0 exists */
	uint32_t submap;	/* out: 1 << XENFEAT_* */
};

#endif
