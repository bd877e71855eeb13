/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Domain files: from text to the record that VM.create takes.
 *
 * Members of the record, all but name, memory and kernel left out where the
 * file is silent: name, uuid, kernel, ramdisk, cmdline, cpus, on_poweroff,
 * on_reboot, on_crash (strings; cpus may be an array of them, one per vcpu);
 * memory, maxmem (MiB), vcpus, maxvcpus, cpu_weight, cap, max_grant_frames,
 * max_event_channels (integers); disk: array of {target, format "raw", vdev,
 * access "rw" or "ro"; script, backendtype}; vif: array of {mac, bridge,
 * script, ip, vifname, rate}.  Paths are absolute.
 */
#pragma once

#include "rpc.h"

struct conf {
	struct arena *arena;
	struct value *domain;		/* the record */
	const char *root, *extra;	/* for cmdline, or NULL */
	struct value *notes;		/* array: what was ignored, and where */
	const char *error;		/* "FILE:LINE: ...", once wrong */
	const char *file;		/* where we are */
	unsigned int line;
};

/*
 * keys.c: what a domain's keys, and those of its disks and interfaces, may
 * be, for xm, which tells where it stands, and for xend, which relies on it.
 */
struct key {
	const char *device;		/* "" for the domain's own */
	const char *name;
	enum { NUMBER, TEXT, PATH, CPUS, DEVICES, IGNORED } kind;
	int64_t min, max;	/* of a number, or of the length of a text */
	const char *pattern;	/* of a text */
	const char *wanted;
};
const struct key *key_find(const char *device, const char *name);
const char *key_wrong(struct arena *a, const struct key *k,
		      const struct value *v);
const char *keys_wrong(const struct value *record);

/* conf.c */
void conf_init(struct conf *c, struct arena *a);
void *conf_wrong(struct conf *c, const char *fmt, ...) PRINTF(2, 3);
bool conf_note(struct conf *c, const char *fmt, ...) PRINTF(2, 3);
bool conf_set(struct conf *c, const char *key, struct value *v);
bool conf_add(struct conf *c, const char *key, const char *spec);
char *conf_trimmed(char *s);
bool conf_parse(struct conf *c, const char *file, const char *text);
bool conf_load(struct conf *c, const char *file);
bool conf_finish(struct conf *c);

/* conf_xml.c */
bool conf_parse_xml(struct conf *c, const char *file, const char *text,
		    size_t len);
