/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's name reaches the library from the build. */
#ifndef __ASSEMBLER__
extern const char guest_name[];
__attribute__((weak)) const char guest_name[] = GUEST_NAME;
#endif
