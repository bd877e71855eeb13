/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few ACPI facts that the hypervisor needs (processors, IO-APICs, timers,
 * the reset register), and the end: restart, halt, power off.
 *
 * Tables come from the firmware, which is trusted to exist but not to be
 * right: every length is checked before it is used, every checksum before a
 * table is believed, and what does not fit gives one line of warning.  No AML
 * is interpreted: how to switch the power off only Dom0 knows.
 *
 * Boot CPU only, before others start; afterwards `acpi` is read-only.  The
 * end takes no lock and waits for no other CPU, since a panic may have left
 * either in any state: others are told to stop, each way of restarting is
 * tried, and the next one after a pause.  Only Dom0 and the hypervisor itself
 * come there; callers check.
 */
#include <dev/dev.h>
#include <mm/mm.h>

#define HEADER_SIZE	36	/* signature, length at 4, ..., checksummed */
#define MAX_TABLE_SIZE	(4U << 20)
#define PM1_SLP_EN	(1U << 13)

struct acpi_info acpi;

static const u8 *root;			/* RSDT or XSDT */
static unsigned int root_entry;		/* bytes: 4 or 8 */
static u32 pm1a_cnt, pm1b_cnt;		/* I/O ports, 0 none */
static u32 reset_port;
static u8 reset_value;

static bool __init sum_ok(const u8 *p, size_t n)
{
	u8 sum = 0;

	while (n--)
		sum += *p++;
	return sum == 0;
}

/* Maps a whole table and believes it only with a good checksum.  NULL also if
 * it is not the one of that name. */
static const u8 *__init map_table(paddr_t pa, const char *sig)
{
	const u8 *h;
	u32 length;

	if (!pa || pa >> boot_cpu.phys_bits)
		return NULL;
	h = map_io(pa, HEADER_SIZE, MAP_RO);
	if (memcmp(h, sig, 4))
		return NULL;
	length = load_le(h + 4, 4);
	if (length >= HEADER_SIZE && length <= MAX_TABLE_SIZE) {
		h = map_io(pa, length, MAP_RO);
		if (sum_ok(h, length))
			return h;
	}
	log_warn("ACPI: %s at %lx: bad length or checksum\n", sig, pa);
	return NULL;
}

/* The table of that name, at least that long: nothing works without. */
static const u8 *__init find_table(const char *sig, u32 least)
{
	const u8 *h = NULL;

	for (u32 i = HEADER_SIZE; root && !h &&
	     i + root_entry <= load_le(root + 4, 4); i += root_entry)
		h = map_table(load_le(root + i, root_entry), sig);
	if (!h || load_le(h + 4, 4) < least)
		panic("the firmware has no ACPI table %s", sig);
	return h;
}

static bool __init rsdp_ok(const u8 *p)
{
	return !memcmp(p, "RSD PTR ", 8) && sum_ok(p, 20);
}

/* Where the loader says, else from the BIOS data area to the end of its ROM. */
static const u8 *__init find_rsdp(paddr_t given)
{
	const u8 *low = given ? map_io(given, 36, MAP_RO) : NULL;
	u32 at;

	if (low && rsdp_ok(low))
		return low;
	low = map_io(0, 0x100000, MAP_RO);
	at = load_le(low + 0x40e, 2) << 4;
	for (at = at >= 0x80000 ? at : 0xe0000; at < 0x100000; at += 16)
		if (rsdp_ok(low + at))
			return low + at;
	return NULL;
}

static void __init add_cpu(u32 apic_id, u32 acpi_id, u32 flags)
{
	if (flags & 1 && apic_id != ~0U && acpi.nr_cpu < NR_CPUS)
		acpi.cpu[acpi.nr_cpu++] = (struct acpi_cpu){ apic_id, acpi_id };
}

/* e has e[1] bytes.  What there is no room for is not used. */
static void __init madt_entry(const u8 *e)
{
	u8 type = e[0], len = e[1];

	if (type == 0 && len >= 8 && e[3] != 0xff)
		add_cpu(e[3], e[2], load_le(e + 4, 4));
	else if (type == 9 && len >= 16)
		add_cpu(load_le(e + 4, 4), load_le(e + 12, 4),
			load_le(e + 8, 4));
	else if (type == 1 && len >= 12 &&
		 acpi.nr_ioapic < ARRAY_SIZE(acpi.ioapic))
		acpi.ioapic[acpi.nr_ioapic++] = (struct ioapic){
			.pa = load_le(e + 4, 4),
			.gsi_base = load_le(e + 8, 4) };
}

/*
 * An I/O port in the FADT: a 32-bit field, or, where that is 0, the 64-bit
 * address at x of later versions (ACPI 6.4, 5.2.9), if that is a port.
 */
static u32 __init fadt_port(const u8 *fadt, u32 field, u32 x)
{
	u32 port = load_le(fadt + field, 4);

	if (!port && load_le(fadt + 4, 4) >= x + 12 && fadt[x] == 1)
		port = load_le(fadt + x + 4, 4);
	return port;
}

/* After xenmap_init(), before any other CPU starts.  rsdp = 0: look for it. */
void __init acpi_init(paddr_t rsdp)
{
	const u8 *p = find_rsdp(rsdp), *end;

	root_entry = 8;
	if (p && p[15] >= 2)
		root = map_table(load_le(p + 24, 8), "XSDT");
	if (p && !root) {
		root_entry = 4;
		root = map_table(load_le(p + 16, 4), "RSDT");
	}
	p = find_table("APIC", 44);
	end = p + load_le(p + 4, 4);
	for (p += 44; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1])
		madt_entry(p);
	p = find_table("FACP", 116);
	pm1a_cnt = fadt_port(p, 64, 172);
	pm1b_cnt = fadt_port(p, 68, 184);
	acpi.pm_timer = fadt_port(p, 76, 208);
	/* The reset register: in practice it is an I/O port. */
	if (load_le(p + 4, 4) >= 129 && p[113] & 4 && p[116] == 1) {
		reset_port = load_le(p + 120, 2);
		reset_value = p[128];
	}
}

/* --- the end -------------------------------------------------------------- */

void pause_ms(unsigned int ms)
{
	u64 start = rdtsc(), khz = max(boot_cpu.tsc_khz, 1000000UL);

	while (rdtsc() - start < khz * ms)
		cpu_relax();
}

/* Restarts the machine, by whichever way works first.  Any context. */
void machine_restart(void)
{
	struct pseudo_desc none = { 0 };

	cpu_stop_others();
	if (reset_port)
		outb(reset_port, reset_value);
	pause_ms(50);
	outb(0xcf9, 0x02);	/* the chipset's own register */
	pause_ms(1);
	outb(0xcf9, 0x06);
	pause_ms(50);
	outb(0x64, 0xfe);	/* the keyboard controller's line */
	pause_ms(50);
	for (;;)		/* a triple fault */
		__asm__ volatile("lidt %0; int3" :: "m"(none));
}

/* Stops every CPU.  Any context. */
void machine_halt(void)
{
	cpu_stop_others();
	for (;;)
		__asm__ volatile("hlt" ::: "memory");
}

/*
 * Dom0's ACPI enters a sleep state with these two PM1 control values.  S5
 * does not return.  -XEN_EOPNOTSUPP for sleep that would have to come back,
 * -XEN_EPERM without the registers.
 */
long acpi_enter_sleep(u16 val_a, u16 val_b, u32 state)
{
	if (!pm1a_cnt)
		return deny(-XEN_EPERM);
	if (state != 5)
		return deny(-XEN_EOPNOTSUPP);
	cpu_stop_others();
	/* The sleep type goes first, alone: some chipsets want two writes. */
	for (u16 enable = 0; enable <= PM1_SLP_EN; enable += PM1_SLP_EN) {
		outw(pm1a_cnt, (val_a & ~PM1_SLP_EN) | enable);
		if (pm1b_cnt)
			outw(pm1b_cnt, (val_b & ~PM1_SLP_EN) | enable);
	}
	pause_ms(200);
	printk("the power does not go off: halting\n");
	machine_halt();
}
