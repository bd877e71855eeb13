/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xm: what its commands share.  A command asks xend, prints, and is done: so
 * all memory lies in one arena that nobody gives back, and whoever cannot go
 * on calls fatalx().
 */
#pragma once

#include "../lib/conf.h"

/* Calls with their arguments: CALL() ends the program if they fail. */
#define CALL(...)	call(NULL, __VA_ARGS__, NULL)
#define TRY(why, ...)	call(why, __VA_ARGS__, NULL)
#define STRING(s)	value_string(&arena, s)
#define INT(i)		value_int(&arena, i)
#define HOST		STRING("OpaqueRef:host")
#define FULL		"VM.get_all_records"
#define BRIEF		"VM_metrics.get_all_records"

/* main.c */
typedef int command_fn(char **argv);
struct command {
	const char *name;
	command_fn *run;	/* argv: what is behind the options, and NULL */
	unsigned int args;	/* at least */
	bool reads;		/* knows --json */
	const char *options;	/* "a=all,f:=file": a letter, a long name */
	const char *method;	/* of xend; or NULL */
	const char *detail;	/* what else the function wants to know */
	const char *usage, *help;
};
extern struct arena arena;
extern const struct command *command;	/* that runs */

/* call.c */
struct value *ask(const char **why, const char *method, struct value *params);
struct value *call(const char **why, const char *method, ...)
	__attribute__((sentinel));
struct value *find_ref(const char *domain);
struct value *find_record(const char *domain);
struct value *records_of(char **domains, const char *method);
int domid_of(const struct value *record);

/* print.c */
struct column {
	const char *format;	/* of a string */
	const char *title, *member;
};
int print_json(const struct value *v);
int print_plain(const struct value *v);
int print_table(const char *head, const struct column *columns, unsigned int n,
		const struct value *rows);

/* The commands. */
int64_t number(const char *text, int64_t min, int64_t max, const char *what);
command_fn cmd_create, cmd_list, cmd_console, cmd_end, cmd_ask, cmd_member,
	cmd_info, cmd_dmesg, cmd_uptime, cmd_top, cmd_vcpu_list,
	cmd_sched_credit, cmd_attach, cmd_devices, cmd_help;
int console_attach(const struct value *ref);
