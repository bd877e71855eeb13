/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xm: what its commands share.  A command asks xend, prints, and is done: so
 * all memory lies in one arena that nobody gives back, and whoever cannot go
 * on calls fatalx().
 */
#ifndef XM_H
#define XM_H

#include "../lib/conf.h"

#define CALL(...)	call(__VA_ARGS__, NULL)
#define STRING(s)	value_string(&arena, s)
#define INT(i)		value_int(&arena, i)
#define BOOL(b)		value_bool(&arena, b)

/* main.c */
extern struct arena arena;
extern bool opt_json;
extern const char *opt[128];	/* by letter: "" or the argument; or NULL */

/* call.c */
struct value *try_call(const char **why, const char *method, ...)
	__attribute__((sentinel));
struct value *call(const char *method, ...) __attribute__((sentinel));
struct value *find_ref(const char *domain);
struct value *find_record(const char *domain);
struct value *all_records(void);
struct value *records_of(char **domains);
bool domain_runs(int64_t domid);
void await_change(void);
int64_t number(const char *text, int64_t min, int64_t max, const char *what);

/* json.c */
void print_json(const struct value *v);

/* The commands; argv holds what stands behind the options, up to NULL. */
typedef int command_fn(char **argv);
command_fn cmd_create, cmd_list, cmd_console, cmd_shutdown, cmd_reboot,
	cmd_destroy, cmd_pause, cmd_unpause, cmd_rename, cmd_domid,
	cmd_domname, cmd_info, cmd_dmesg, cmd_uptime, cmd_top, cmd_mem_set,
	cmd_mem_max, cmd_vcpu_list, cmd_vcpu_set, cmd_vcpu_pin,
	cmd_sched_credit, cmd_block_attach, cmd_block_detach, cmd_block_list,
	cmd_network_attach, cmd_network_detach, cmd_network_list, cmd_sysrq,
	cmd_debug_keys, cmd_help;
int console_attach(int64_t domid);

#endif
