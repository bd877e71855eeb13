/* SPDX-License-Identifier: GPL-2.0 */
/* Included before everything: no symbol is preemptible, so no GOT. */
#pragma GCC visibility push(hidden)
