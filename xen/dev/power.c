/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end: restart, halt, power off.
 *
 * Nothing here takes a lock or waits for another CPU, since a panic may have
 * left either in any state.  Other CPUs are told to stop and are not waited
 * for; each way of restarting is tried, and the next one after a pause.
 *
 * Only Dom0 and the hypervisor itself come here; callers check.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>

#define PM1_SCI_EN	1
#define PM1_SLP_TYP(t)	(((t) & 7) << 10)
#define PM1_SLP_EN	(1U << 13)

/* What Dom0's ACPI wrote for S5, once it has asked. */
static u16 dom0_s5_a, dom0_s5_b;
static bool dom0_knows_s5;

static void pause_ms(unsigned int ms)
{
	u64 start = rdtsc(), khz = boot_cpu.tsc_khz ? boot_cpu.tsc_khz : 3000000;

	while (rdtsc() - start < khz * ms)
		cpu_relax();
}

static void reset_acpi(void)
{
	u64 a = acpi.reset.address;

	if (!acpi.has_reset)
		return;
	if (acpi.reset.addr_space == 0)
		*acpi.reset_mmio = acpi.reset.value;
	else if (acpi.reset.addr_space == 1 && a < 0x10000)
		outb(a, acpi.reset.value);
	else if (acpi.reset.addr_space == 2) {
		/* Device, function and offset on bus 0.  No pci_lock here. */
		outl(0xcf8, 1U << 31 | (a >> 32 & 31) << 11 |
		     (a >> 16 & 7) << 8 | (a & 0xfc));
		outb(0xcfc + (a & 3), acpi.reset.value);
	}
	pause_ms(50);
}

static void reset_cf9(void)
{
	outb(0xcf9, 0x02);
	pause_ms(1);
	outb(0xcf9, 0x06);
	pause_ms(50);
}

static void reset_keyboard(void)
{
	int i;

	for (i = 0; i < 100 && inb(0x64) & 2; i++)
		pause_ms(1);
	outb(0x64, 0xfe);
	pause_ms(50);
}

static void __noreturn triple_fault(void)
{
	struct { u16 limit; u64 base; } __packed none = { 0, 0 };

	for (;;)
		__asm__ volatile("lidt %0; int3" :: "m"(none));
}

/* Restarts the machine, by whichever way works first.  Any context. */
void machine_restart(void)
{
	irq_disable();
	cpu_stop_others();
	reset_acpi();
	reset_cf9();
	reset_keyboard();
	triple_fault();
}

/* Stops every CPU.  Any context. */
void machine_halt(void)
{
	irq_disable();
	cpu_stop_others();
	for (;;)
		__asm__ volatile("hlt" ::: "memory");
}

/*
 * The sleep type goes first, alone: some chipsets want two writes.  Firmware
 * that still runs in legacy mode ignores both, hence the switch to ACPI mode.
 */
static void write_pm1(u16 a, u16 b)
{
	int i;

	if (!acpi.pm1a_cnt)
		return;
	if (!(inw(acpi.pm1a_cnt) & PM1_SCI_EN) && acpi.smi_cmd &&
	    acpi.acpi_enable) {
		outb(acpi.smi_cmd, acpi.acpi_enable);
		for (i = 0; i < 300 && !(inw(acpi.pm1a_cnt) & PM1_SCI_EN); i++)
			pause_ms(1);
	}
	outw(acpi.pm1a_cnt, a & ~PM1_SLP_EN);
	if (acpi.pm1b_cnt)
		outw(acpi.pm1b_cnt, b & ~PM1_SLP_EN);
	outw(acpi.pm1a_cnt, a | PM1_SLP_EN);
	if (acpi.pm1b_cnt)
		outw(acpi.pm1b_cnt, b | PM1_SLP_EN);
	pause_ms(200);
}

/* Switches the machine off, or halts it where that cannot be done. */
void machine_power_off(void)
{
	irq_disable();
	cpu_stop_others();
	if (dom0_knows_s5)
		write_pm1(dom0_s5_a, dom0_s5_b);
	if (acpi.has_s5)
		write_pm1(PM1_SLP_TYP(acpi.s5_a) | PM1_SCI_EN,
			  PM1_SLP_TYP(acpi.s5_b) | PM1_SCI_EN);
	log_err("no way to switch the power off: halting\n");
	machine_halt();
}

/*
 * Dom0's ACPI enters a sleep state with these two PM1 control values.  S5
 * does not return.  -XEN_EOPNOTSUPP for sleep that would have to come back,
 * -XEN_EPERM without the registers.
 */
long acpi_enter_sleep(u16 val_a, u16 val_b, u32 state)
{
	if (!acpi.pm1a_cnt)
		return deny(-XEN_EPERM);
	if (state != 5)
		return deny(-XEN_EOPNOTSUPP);
	dom0_s5_a = val_a;
	dom0_s5_b = val_b;
	dom0_knows_s5 = true;
	machine_power_off();
}
