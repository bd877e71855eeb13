/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few ACPI facts that the hypervisor needs: processors, IO-APICs, the
 * reset register, timers, and how to switch the machine off.
 *
 * Tables come from the firmware, which is trusted to exist but not to be
 * right: every length is checked before it is used, every checksum before a
 * table is believed, and what does not fit gives one line of warning.  No AML
 * is interpreted; \_S5 is found by its bytes.
 *
 * Boot CPU only, before others start; afterwards `acpi` is read-only.
 */
#include <lib/lib.h>
#include <cpu/cpu.h>
#include <dev/dev.h>
#include <mm/mm.h>

struct acpi_info acpi;

struct header {
	char sig[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __packed;

#define MAX_TABLES	64
#define MAX_TABLE_SIZE	(4U << 20)

static struct table {
	paddr_t pa;
	char sig[4];
	const struct header *mapped;	/* whole, checksum good */
	bool bad;
} tables[MAX_TABLES];
static unsigned int nr_tables;

static bool sum_ok(const void *p, size_t n)
{
	const u8 *b = p;
	u8 sum = 0;

	while (n--)
		sum += *b++;
	return sum == 0;
}

/* Unaligned little-endian reads. */
static u64 get(const void *p, unsigned int bytes)
{
	u64 v = 0;

	memcpy(&v, p, bytes);
	return v;
}

/* Maps a whole table and believes it only with a good checksum. */
static const struct header *map_table(paddr_t pa)
{
	const struct header *h;

	if (!pa || pa >> boot_cpu.phys_bits)
		return NULL;
	h = map_io(pa, sizeof(*h), MAP_RO);
	if (h->length < sizeof(*h) || h->length > MAX_TABLE_SIZE) {
		log_warn("ACPI: table at %lx has length %u\n", pa, h->length);
		return NULL;
	}
	h = map_io(pa, h->length, MAP_RO);
	if (!sum_ok(h, h->length)) {
		log_warn("ACPI: %.4s at %lx: bad checksum\n", h->sig, pa);
		return NULL;
	}
	return h;
}

const void *acpi_find(const char *sig)
{
	struct table *t;

	for (t = tables; t < tables + nr_tables; t++) {
		if (memcmp(t->sig, sig, 4) || t->bad)
			continue;
		if (!t->mapped)
			t->mapped = map_table(t->pa);
		if (t->mapped)
			return t->mapped;
		t->bad = true;
	}
	return NULL;
}

/* --- finding the tables -- */

static const u8 *__init scan_rsdp(const u8 *low, u32 from, u32 to)
{
	for (; from + 20 <= to; from += 16)
		if (!memcmp(low + from, "RSD PTR ", 8) &&
		    sum_ok(low + from, 20))
			return low + from;
	return NULL;
}

static const u8 *__init find_rsdp(paddr_t given)
{
	const u8 *p, *low;
	u32 ebda;

	if (given) {
		p = map_io(given, 36, MAP_RO);
		if (!memcmp(p, "RSD PTR ", 8) && sum_ok(p, 20))
			return p;
		log_warn("ACPI: no RSDP where the loader says\n");
	}
	low = map_io(0, 0x100000, MAP_RO);
	ebda = get(low + 0x40e, 2) << 4;
	p = NULL;
	if (ebda >= 0x400 && ebda < 0xa0000)
		p = scan_rsdp(low, ebda, ebda + 1024);
	return p ? p : scan_rsdp(low, 0xe0000, 0x100000);
}

static void __init add_table(paddr_t pa)
{
	struct table *t = &tables[nr_tables];

	if (!pa || pa >> boot_cpu.phys_bits)
		return;
	if (nr_tables == MAX_TABLES) {
		log_warn("ACPI: more than %u tables\n", MAX_TABLES);
		return;
	}
	t->pa = pa;
	memcpy(t->sig, map_io(pa, sizeof(struct header), MAP_RO), 4);
	nr_tables++;
}

static bool __init read_root(const u8 *rsdp)
{
	unsigned int size = 8, i;
	const struct header *root = NULL;

	if (rsdp[15] >= 2 && get(rsdp + 24, 8))
		root = map_table(get(rsdp + 24, 8));
	if (!root) {
		root = map_table(get(rsdp + 16, 4));
		size = 4;
	}
	if (!root)
		return false;
	for (i = sizeof(*root); i + size <= root->length; i += size)
		if (nr_tables < MAX_TABLES)
			add_table(get((const u8 *)root + i, size));
	return true;
}

/* --- MADT -- */

static void __init add_cpu(u32 apic_id, u32 acpi_id, u32 flags)
{
	if (!(flags & 1) || apic_id == ~0U)
		return;
	if (acpi.nr_cpu == NR_CPUS) {
		acpi.nr_cpu_ignored++;
		return;
	}
	acpi.cpu[acpi.nr_cpu++] = (struct acpi_cpu){ apic_id, acpi_id, true };
}

static void __init madt_entry(const u8 *e, u8 len)
{
	if (e[0] == 0 && len >= 8) {
		if (e[3] != 0xff)
			add_cpu(e[3], e[2], get(e + 4, 4));
	} else if (e[0] == 9 && len >= 16) {
		add_cpu(get(e + 4, 4), get(e + 12, 4), get(e + 8, 4));
	} else if (e[0] == 1 && len >= 12) {
		if (acpi.nr_ioapic < ARRAY_SIZE(acpi.ioapic))
			acpi.ioapic[acpi.nr_ioapic++] = (struct acpi_ioapic){
				e[2], get(e + 8, 4), get(e + 4, 4) };
		else
			log_warn("ACPI: too many IO-APICs\n");
	} else if (e[0] == 2 && len >= 10) {
		if (acpi.nr_override < ARRAY_SIZE(acpi.override))
			acpi.override[acpi.nr_override++] =
				(struct acpi_override){ e[3], get(e + 4, 4),
							get(e + 8, 2) };
	} else if (e[0] == 5 && len >= 12) {
		acpi.lapic = get(e + 4, 8);
	}
}

static void __init read_madt(void)
{
	const struct header *h = acpi_find("APIC");
	const u8 *p = (const u8 *)h, *end;

	acpi.lapic = 0xfee00000;
	if (!h || h->length < 44) {
		log_warn("ACPI: no MADT; one processor, no IO-APIC\n");
		add_cpu(0, 0, 1);
		return;
	}
	acpi.lapic = get(p + 36, 4);
	end = p + h->length;
	for (p += 44; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1])
		madt_entry(p, p[1]);
	if (p != end)
		log_warn("ACPI: MADT ends in a broken entry\n");
	if (acpi.nr_cpu_ignored)
		log_warn("ACPI: %u processors beyond %u ignored\n",
			 acpi.nr_cpu_ignored, NR_CPUS);
}

/* --- FADT and the rest -- */

/* One element of the \_S5 package; false if it is no small constant. */
static bool __init s5_value(const u8 **p, const u8 *end, u8 *val)
{
	const u8 *q = *p;

	if (q >= end)
		return false;
	if (*q <= 1) {			/* ZeroOp, OneOp */
		*val = *q;
		*p = q + 1;
		return true;
	}
	if (*q != 0x0a || q + 1 >= end)	/* BytePrefix */
		return false;
	*val = q[1];
	*p = q + 2;
	return true;
}

/* Looks for Name (_S5, Package (n) { a, b, ... }) in a table's bytes. */
static bool __init find_s5(const struct header *h)
{
	const u8 *p = (const u8 *)h + sizeof(*h), *end, *q;

	end = (const u8 *)h + h->length;
	for (; p + 8 <= end; p++) {
		if (memcmp(p, "_S5_\x12", 5) || (p[-1] != 8 && p[-1] != '\\'))
			continue;
		q = p + 5;
		q += 1 + (*q >> 6);	/* package length: 1 to 4 bytes */
		q++;			/* number of elements */
		if (s5_value(&q, end, &acpi.s5_a) &&
		    s5_value(&q, end, &acpi.s5_b))
			return true;
	}
	return false;
}

static void __init read_s5(paddr_t dsdt)
{
	const struct header *h = map_table(dsdt);
	struct table *t;

	acpi.has_s5 = h && find_s5(h);
	for (t = tables; t < tables + nr_tables && !acpi.has_s5; t++)
		if (!memcmp(t->sig, "SSDT", 4) && (h = map_table(t->pa)))
			acpi.has_s5 = find_s5(h);
}

/* An I/O port: the old field, else the extended address if it is I/O. */
static u32 __init fadt_port(const u8 *f, u32 len, u32 old, u32 extended)
{
	u32 port = get(f + old, 4);

	if (!port && extended + 12 <= len && f[extended] == 1)
		port = get(f + extended + 4, 8);
	return port < 0x10000 ? port : 0;
}

static void __init read_reset(const u8 *f, u32 len)
{
	if (len < 129 || !(get(f + 112, 4) >> 10 & 1))
		return;
	acpi.reset.addr_space = f[116];
	acpi.reset.address = get(f + 120, 8);
	acpi.reset.value = f[128];
	if (!acpi.reset.address)
		return;
	if (f[116] == 0)
		acpi.reset_mmio = map_io(acpi.reset.address, 1,
					 MAP_RW | PTE_PCD | PTE_PWT);
	acpi.has_reset = f[116] <= 2;
}

static void __init read_fadt(void)
{
	const struct header *h = acpi_find("FACP");
	const u8 *f = (const u8 *)h;
	paddr_t dsdt;

	if (!h || h->length < 116) {
		log_warn("ACPI: no FADT\n");
		return;
	}
	acpi.sci_gsi = get(f + 46, 2);
	acpi.smi_cmd = get(f + 48, 4);
	acpi.acpi_enable = f[52];
	acpi.pm1a_cnt = fadt_port(f, h->length, 64, 172);
	acpi.pm1b_cnt = fadt_port(f, h->length, 68, 184);
	acpi.pm_timer = fadt_port(f, h->length, 76, 208);
	acpi.pm_timer_32bit = f[113] & 1;
	read_reset(f, h->length);
	dsdt = get(f + 40, 4);
	if (h->length >= 148 && get(f + 140, 8))
		dsdt = get(f + 140, 8);
	read_s5(dsdt);
}

static void __init read_mcfg(void)
{
	const struct header *h = acpi_find("MCFG");
	const u8 *p = (const u8 *)h;
	u32 i;

	if (!h)
		return;
	for (i = 44; i + 16 <= h->length &&
	     acpi.nr_mcfg < ARRAY_SIZE(acpi.mcfg); i += 16) {
		acpi.mcfg[acpi.nr_mcfg].base = get(p + i, 8);
		acpi.mcfg[acpi.nr_mcfg].seg = get(p + i + 8, 2);
		acpi.mcfg[acpi.nr_mcfg].start = p[i + 10];
		acpi.mcfg[acpi.nr_mcfg++].end = p[i + 11];
	}
}

static void __init read_hpet(void)
{
	const struct header *h = acpi_find("HPET");

	/* Only one in memory space, and mapped as the page Dom0 may read. */
	if (h && h->length >= 56 && ((const u8 *)h)[40] == 0)
		acpi.hpet = get((const u8 *)h + 44, 8);
}

/* After xenmap_init(), before any other CPU starts. */
void __init acpi_init(paddr_t rsdp)
{
	const u8 *p = find_rsdp(rsdp);

	if (!p || !read_root(p))
		log_warn("ACPI: no tables found\n");
	read_madt();
	read_fadt();
	read_mcfg();
	read_hpet();
	log_info("ACPI: %u CPUs, %u IO-APICs, SCI %u, PM timer %x, %s S5\n",
		 acpi.nr_cpu, acpi.nr_ioapic, acpi.sci_gsi, acpi.pm_timer,
		 acpi.has_s5 ? "knows" : "no");
}
