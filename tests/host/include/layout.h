/* SPDX-License-Identifier: GPL-2.0 */
/* Host stand-in: the direct map and frame table lie in user space, where
 * host_map_frames() puts memory (the sanitizers leave these ranges alone). */
#ifndef HOST_LAYOUT_H
#define HOST_LAYOUT_H
#include_next <layout.h>
#undef DIRECTMAP_BASE
#undef FRAMETABLE_BASE
#define DIRECTMAP_BASE	0x200000000000
#define FRAMETABLE_BASE	0x300000000000
#endif
