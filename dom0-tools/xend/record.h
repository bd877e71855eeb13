/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's record: what VM.create() was given, under the names of xl.cfg.
 * record_check() says whether it may be used; after that all of it is known
 * to be of the right type, and within bounds.
 */
#ifndef RECORD_H
#define RECORD_H

#include "../lib/rpc.h"

#define RECORD_DIR	"/run/xend/vm"
#define UUID_CHARS	37

const char *record_check(struct arena *a, struct value *record);
const char *record_check_disk(struct arena *a, struct value *disk);
const char *record_check_vif(struct arena *a, struct value *vif);
unsigned int record_vdev(const char *name);
bool record_cpus(const char *text, uint64_t online, uint64_t *mask);
struct value *record_load(struct arena *a, const char *uuid);
int record_save(const char *uuid, const struct value *record);

#endif
