/* SPDX-License-Identifier: MIT */
/*
 * nmi_op(cmd, arg): the older way to say where the calling vCPU takes NMIs
 * (callback.h has the newer one; both set the handler of vector 2).
 */
#ifndef ABI_NMI_H
#define ABI_NMI_H

#include <stdint.h>

/* shared_info.arch.nmi_reason: written by the hypervisor. */
#define XEN_NMIREASON_io_error	(1UL << 0)	/* port 0x61 bit 6 */
#define XEN_NMIREASON_pci_serr	(1UL << 1)	/* port 0x61 bit 7 */
#define XEN_NMIREASON_unknown	(1UL << 2)

#define XENNMI_register_callback	0
struct xennmi_callback {
	uint64_t handler_address;	/* caller: canonical */
	uint64_t pad;
};
#define XENNMI_unregister_callback	1	/* no argument */

#endif
