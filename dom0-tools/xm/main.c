// SPDX-License-Identifier: GPL-2.0
/*
 * xm: the command line.  One table says what there is; everything else in
 * this folder is called from it.
 *
 * Exit status: 0; 1 if it could not be done, or too few arguments; 2 for an
 * unknown option.
 */
#include <getopt.h>
#include "xm.h"

static const struct command commands[] = {
	{ "create", cmd_create, 0, false, "c=console,f:=defconfig,n=dryrun,"
	  "p=paused,q=quiet", NULL, NULL,
	  "FILE [-c] [-p] [-q] [-n] [KEY=VALUE...]",
	  "Start the domain of a domain file (-c: go to its console, -p: leave "
	  "it paused, -n: only print what would be asked)" },
	{ "list", cmd_list, 0, true, "l=long,v=verbose", NULL, NULL,
	  "[-l] [-v] [DOMAIN...]", "List domains (-l: all there is to say, as "
	  "JSON; -v: UUIDs)" },
	{ "console", cmd_console, 1, false, "", NULL, NULL, "DOMAIN",
	  "Go to a domain's console; Ctrl-] comes back" },
	{ "shutdown", cmd_end, 0, false, "a=all,w=wait", "VM.clean_shutdown",
	  "Shutting down", "[-w] DOMAIN... | -a", "Ask domains to shut down "
	  "(-w: wait for it, -a: all)" },
	{ "reboot", cmd_end, 0, false, "a=all,w=wait", "VM.clean_reboot",
	  "Rebooting", "[-w] DOMAIN... | -a", "Ask domains to reboot" },
	{ "destroy", cmd_ask, 1, false, "", "VM.destroy", "d", "DOMAIN...",
	  "End domains at once" },
	{ "pause", cmd_ask, 1, false, "", "VM.pause", "d", "DOMAIN...",
	  "Stop domains" },
	{ "unpause", cmd_ask, 1, false, "", "VM.unpause", "d", "DOMAIN...",
	  "Let paused domains go on" },
	{ "rename", cmd_ask, 2, false, "", "VM.set_name_label", "ds",
	  "DOMAIN NAME", "Change a domain's name" },
	{ "domid", cmd_member, 1, true, "", NULL, "domid", "DOMAIN",
	  "A domain's number" },
	{ "domname", cmd_member, 1, true, "", NULL, "name_label", "DOMAIN",
	  "A domain's name" },
	{ "info", cmd_info, 0, true, "", "host.get_record", NULL, "[NAME]",
	  "What the machine and the hypervisor are" },
	{ "dmesg", cmd_dmesg, 0, true, "c=clear", "host.dmesg", NULL, "[-c]",
	  "The hypervisor's messages (-c: and clear them)" },
	{ "uptime", cmd_uptime, 0, true, "s=short", NULL, NULL,
	  "[-s] [DOMAIN...]", "How long domains have been running" },
	{ "top", cmd_top, 0, true, "b=batch,d:=delay,i:=iterations", NULL, NULL,
	  "[-b] [-d SECONDS] [-i COUNT]", "Watch what domains use" },
	{ "mem-set", cmd_ask, 2, false, "", "VM.set_memory", "dm",
	  "DOMAIN SIZE", "Give a domain more or less memory, in MiB or with b, "
	  "k, m, g, t" },
	{ "mem-max", cmd_ask, 2, false, "", "VM.set_maxmem", "dm",
	  "DOMAIN SIZE", "Set the most memory a domain may have" },
	{ "vcpu-list", cmd_vcpu_list, 0, true, "", NULL, NULL, "[DOMAIN...]",
	  "List virtual CPUs" },
	{ "vcpu-set", cmd_ask, 2, false, "", "VM.set_vcpus", "dn",
	  "DOMAIN COUNT", "Set how many virtual CPUs a domain uses" },
	{ "vcpu-pin", cmd_ask, 3, false, "", "VM.pin_vcpu", "dvss",
	  "DOMAIN VCPU|all CPUS|all|- [CPUS|all|-]",
	  "Set the CPUs that a virtual CPU may use, and prefers" },
	{ "sched-credit", cmd_sched_credit, 0, true,
	  "d:=domain,w:=weight,c:=cap", "VM.set_sched", NULL,
	  "[-d DOMAIN [-w WEIGHT] [-c CAP]]",
	  "Show or set domains' shares of the CPUs" },
	{ "block-attach", cmd_attach, 2, false, "", "VBD.attach", "disk",
	  "DOMAIN DISK...", "Add a disk, as a domain file spells it" },
	{ "block-detach", cmd_ask, 2, false, "f=force", "VBD.detach", "diF",
	  "[-f] DOMAIN VDEV", "Take a disk away" },
	{ "block-list", cmd_devices, 1, true, "", "VBD.list", "disk",
	  "DOMAIN...", "List disks" },
	{ "network-attach", cmd_attach, 1, false, "", "VIF.attach", "vif",
	  "DOMAIN [KEY=VALUE...]", "Add a network interface" },
	{ "network-detach", cmd_ask, 2, false, "", "VIF.detach", "di",
	  "DOMAIN NUMBER|MAC", "Take a network interface away" },
	{ "network-list", cmd_devices, 1, true, "", "VIF.list", "vif",
	  "DOMAIN...", "List network interfaces" },
	{ "sysrq", cmd_ask, 2, false, "", "VM.send_sysrq", "ds", "DOMAIN KEY",
	  "Send a Linux guest a magic key" },
	{ "debug-keys", cmd_ask, 1, false, "", "host.send_debug_keys", "Hs",
	  "KEYS", "Press debug keys of the hypervisor; xm dmesg shows what it "
	  "says" },
	{ "help", cmd_help, 0, false, "", NULL, NULL, "[COMMAND]",
	  "This list" },
};

struct arena arena;
const struct command *command;

static const char *usage(const struct command *c)
{
	return arena_printf(&arena, "usage: xm %s%s %s\n\n%s.\n", c->name,
			    c->reads ? " [--json]" : "", c->usage, c->help);
}

/* The command of that name, or the only one that begins so. */
static const struct command *find_command(const char *name)
{
	const struct command *c, *found = NULL;
	size_t n = strlen(name);

	for (c = commands; c < commands + ARRAY_SIZE(commands); c++) {
		if (strncmp(c->name, name, n))
			continue;
		if (!c->name[n])
			return c;
		if (found)
			fatalx("'%s' may be %s or %s", name, found->name,
			       c->name);
		found = c;
	}
	if (!found)
		fatalx("no command '%s': see xm help", name);
	return found;
}

int cmd_help(char **argv)
{
	const struct command *c;

	if (*argv) {
		fputs(usage(find_command(*argv)), stdout);
		return 0;
	}
	puts("usage: xm COMMAND [ARGUMENT...]\n");
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)
		printf("  %-15s %.*s\n", c->name, (int)strcspn(c->help, "(;"),
		       c->help);
	puts("\nxm help COMMAND says more.  --json prints what the reading "
	     "commands find as JSON.\nXEND_SOCKET names another socket than "
	     RPC_SOCKET ".");
	return 0;
}

int main(int argc, char **argv)
{
	log_open("xm");
	if (argc > 2 && !strcmp(argv[1], "--json")) {
		argv[1] = argv[2];	/* xm --json list is xm list --json */
		argv[2] = "--json";
	}
	if (argc < 2) {
		cmd_help(argv + argc);
		return 1;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(argv + argc);
	command = find_command(argv[1]);
	argv = options_read(argc - 1, argv + 1,
			    arena_printf(&arena, "%s%s", command->reads ?
					 "j=json," : "", command->options),
			    usage(command));
	if (argc - 1 - optind < (int)command->args) {
		fprintf(stderr, "xm: %s needs more arguments\n%s",
			command->name, usage(command));
		return 1;
	}
	return command->run(argv);
}
