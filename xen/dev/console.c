/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The console: log ring, serial line, VGA text screen, and console_io.
 *
 * The hypervisor's own output goes to the ring (xl dmesg) and to the devices
 * that console= names; Dom0's goes to the devices only.  Serial input belongs
 * to Dom0; three Ctrl-A in a row hand it to the hypervisor's debug keys, three
 * more hand it back.
 *
 * Lock: console_owner, innermost of all.  It is not a struct spinlock because
 * an NMI may hit its holder and must be able to print: the word says who
 * holds it, so the CPU sees its own lock and goes on without.  Nothing waits
 * for another CPU while it is held.  Events are not sent under it, nor from
 * printk(), whose caller may hold any lock: console_poll() sends them.
 *
 * A hostile guest: console_io is Dom0's alone; its output is copied in small
 * pieces with a chance to be preempted after each.
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>
#include <boot/boot.h>

#define RING_SIZE	65536U		/* a power of two */
#define RX_SIZE		1024U
#define CTRL_A		1

static char ring[RING_SIZE];
static u32 ring_start, ring_end;	/* free-running: reader's, writer's */

static char rx[RX_SIZE];		/* input for Dom0 */
static u32 rx_start, rx_end;
static char keys[16];			/* input for the hypervisor */
static u32 keys_start, keys_end;
static bool input_to_keys;

static u32 console_owner;		/* CPU id + 1 */
static bool console_forced;		/* panic: no locking any more */
static bool ring_grew;			/* Dom0 has not been told yet */
static struct timer poll_timer;

/* False: this CPU holds it already, or nobody should wait any more. */
static bool console_lock(void)
{
	u32 me = smp_processor_id() + 1, old;

	while (!console_forced) {
		old = cmpxchg(&console_owner, 0U, me);
		if (!old)
			return true;
		if (old == me)
			return false;
		cpu_relax();
	}
	return false;
}

static void console_unlock(bool locked)
{
	if (locked)
		store_release(&console_owner, 0U);
}

/* --- VGA text, 80 x 25 --------------------------------------------------- */

#define VGA_COLS	80
#define VGA_ROWS	25
#define VGA_BLANK	0x0720
#define VGA_CRTC	0x3d4

static u16 *vga;			/* NULL: no text screen, or Dom0's */
static u16 *vga_memory;
static unsigned int vga_pos;		/* in cells */

static u8 crtc_read(u8 index)
{
	outb(VGA_CRTC, index);
	return inb(VGA_CRTC + 1);
}

static void crtc_write(u8 index, u8 v)
{
	outb(VGA_CRTC, index);
	outb(VGA_CRTC + 1, v);
}

static void vga_scroll(void)
{
	for (unsigned int i = 0; i < VGA_COLS * (VGA_ROWS - 1); i++)
		vga[i] = vga[i + VGA_COLS];
	for (unsigned int i = 0; i < VGA_COLS; i++)
		vga[VGA_COLS * (VGA_ROWS - 1) + i] = VGA_BLANK;
	vga_pos -= VGA_COLS;
}

static void vga_putc(char c)
{
	if (c == '\n')
		vga_pos += VGA_COLS - vga_pos % VGA_COLS;
	else if (c == '\r')
		vga_pos -= vga_pos % VGA_COLS;
	else if (c == '\b')
		vga_pos -= vga_pos % VGA_COLS ? 1 : 0;
	else if ((u8)c >= ' ')
		vga[vga_pos++] = (u16)(0x0700 | (u8)c);
	if (vga_pos >= VGA_COLS * VGA_ROWS)
		vga_scroll();
}

static void vga_show_cursor(void)
{
	crtc_write(14, (u8)(vga_pos >> 8));
	crtc_write(15, (u8)vga_pos);
}

/* No text screen behind a graphics mode or EFI firmware. */
static bool text_screen(void)
{
	if (boot_info.fb.valid)
		return boot_info.fb.type == 2;
	return !boot_info.efi;
}

static void __init vga_init(void)
{
	const char *opt = cmdline_get("console");

	if (!text_screen() || (opt && !cmdline_list_has("console", "vga")))
		return;
	vga = vga_memory = paddr_to_virt(0xb8000);
	vga_pos = (unsigned int)crtc_read(14) << 8 | crtc_read(15);
	if (vga_pos >= VGA_COLS * VGA_ROWS)
		vga_pos = VGA_COLS * (VGA_ROWS - 1);
	if (vga_pos % VGA_COLS)
		vga_putc('\n');
}

/* The first domain takes the screen, unless console=vga,keep. */
void console_end_boot(void)
{
	if (!cmdline_list_has("console", "keep"))
		vga = NULL;
}

/* --- output ---------------------------------------------------------------- */

static void devices_write(const char *s, size_t n)
{
	static char last;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' && last != '\r')
			uart_putc('\r');
		uart_putc(s[i]);
		last = s[i];
		if (vga)
			vga_putc(s[i]);
	}
	if (vga)
		vga_show_cursor();
}

static void ring_write(const char *s, size_t n)
{
	u32 end = ring_end;

	for (size_t i = 0; i < n; i++)
		ring[end++ % RING_SIZE] = s[i];
	if (end - ring_start > RING_SIZE)
		ring_start = end - RING_SIZE;
	WRITE_ONCE(ring_end, end);
}

/* The hypervisor's text, to ring and devices.  Any context. */
void console_write(const char *s, size_t n)
{
	bool locked = console_lock();

	ring_write(s, n);
	devices_write(s, n);
	console_unlock(locked);
	if (dom0 && !READ_ONCE(ring_grew)) {
		WRITE_ONCE(ring_grew, true);
		cpu_set_work(smp_processor_id(), WORK_KEYS);
	}
}

/* Dom0's text, to the devices as it is. */
void console_write_guest(const char *s, size_t n)
{
	bool locked = console_lock();

	devices_write(s, n);
	console_unlock(locked);
}

/* Panic: locks no longer count, and a text screen is ours again. */
void console_force_unlock(void)
{
	console_forced = true;
	vga = vga_memory;
}

static void __init parse_level(const char *name, int *threshold)
{
	static const char *const words[] = { "none", "error", "warning", "info",
					     "debug", "all" };
	const char *value = cmdline_get(name);
	size_t n = 0;

	if (!value)
		return;
	while (value[n] && value[n] != '/')
		n++;
	for (int i = 0; i < (int)ARRAY_SIZE(words); i++) {
		if (strlen(words[i]) == n && !strncmp(value, words[i], n)) {
			*threshold = min(i - 1, LOG_DEBUG);
			return;
		}
	}
	printk("Command line: %s='%s' is no level (none error warning info all): using %s\n",
	       name, value, words[*threshold + 1]);
}

/*
 * [boot 40] The command line is known: open the screen and the serial line
 * and repeat there what the ring has so far.  CPU 0 only, first tables.
 */
void __init console_init_early(void)
{
	uart_init();
	vga_init();
	if (ring_end)
		devices_write(ring, min(ring_end, RING_SIZE));
	parse_level("loglvl", &log_threshold);
	parse_level("guest_loglvl", &guest_log_threshold);
}

/* --- input ------------------------------------------------------------------- */

/* Input for the debug keys is handled later, in exit_work(). */
static void key_rx(char c)
{
	if (keys_end - keys_start < sizeof(keys))
		keys[keys_end++ % sizeof(keys)] = c;
	cpu_set_work(smp_processor_id(), WORK_KEYS);
}

static void dom0_rx(char c)
{
	bool locked = console_lock();

	if (rx_end - rx_start < RX_SIZE)
		rx[rx_end++ % RX_SIZE] = c;
	console_unlock(locked);
	virq_raise_global(VIRQ_CONSOLE);
}

/* A byte from the serial line.  No lock held; one CPU at a time. */
void console_rx(char c)
{
	static unsigned int escapes;

	escapes = c == CTRL_A ? escapes + 1 : 0;
	if (escapes == 3) {
		escapes = 0;
		input_to_keys = !input_to_keys;
		printk("*** Input to %s (Ctrl-A three times to switch)\n",
		       input_to_keys ? "the hypervisor: press h for help"
				     : "Dom0");
		return;
	}
	if (c == CTRL_A)
		return;
	if (input_to_keys || !dom0)
		key_rx(c);
	else
		dom0_rx(c);
}

/* exit_work() saw WORK_KEYS: no lock is held.  Debug keys, and news for Dom0. */
void console_poll(void)
{
	while (keys_start != keys_end)
		handle_debug_key(keys[keys_start++ % sizeof(keys)]);
	if (xchg(&ring_grew, false))
		virq_raise_global(VIRQ_CON_RING);
}

static void poll_input(void *unused)
{
	char c;

	for (unsigned int i = 0; i < 64 && uart_getc(&c); i++)
		console_rx(c);
	timer_set(&poll_timer, smp_processor_id(), clock_ns() + 20 * NS_PER_MS);
}

/* After irq_init() and sched_init(): input by interrupt, or by a timer. */
void __init console_init(void)
{
	if (uart_enable_irq())
		return;
	timer_init(&poll_timer, poll_input, NULL);
	timer_set(&poll_timer, 0, clock_ns() + 20 * NS_PER_MS);
}

/* --- hypercalls --------------------------------------------------------------- */

/* Takes up to n bytes of the log from *pos on, skipping what is overwritten. */
static u32 ring_read(u32 *pos, char *buf, u32 n)
{
	bool locked = console_lock();
	u32 i;

	if ((s32)(*pos - (ring_end - RING_SIZE)) < 0 && ring_end > RING_SIZE)
		*pos = ring_end - RING_SIZE;
	for (i = 0; i < n && *pos != ring_end; i++)
		buf[i] = ring[(*pos)++ % RING_SIZE];
	console_unlock(locked);
	return i;
}

/*
 * sysctl readconsole: up to *count bytes of the log to guest memory at gva,
 * from where the last clearing read ended, or from *index on if incremental.
 * *count and *index become bytes written and end.  0 or -XEN_EFAULT.
 */
long console_read_ring(u64 gva, u32 *count, u32 *index, bool clear,
		       bool incremental)
{
	char buf[256];
	u32 pos = READ_ONCE(ring_start), room = *count, done = 0, n;

	if (incremental && (s32)(*index - pos) > 0 &&
	    (s32)(READ_ONCE(ring_end) - *index) >= 0)
		pos = *index;
	while (done < min(room, RING_SIZE)) {
		n = ring_read(&pos, buf, min(room - done, (u32)sizeof(buf)));
		if (!n)
			break;
		if (copy_to_guest(gva + done, buf, n))
			return deny(-XEN_EFAULT);
		done += n;
	}
	if (clear) {
		bool locked = console_lock();

		if ((s32)(pos - ring_start) > 0)
			ring_start = pos;
		console_unlock(locked);
	}
	*count = done;
	*index = pos;
	return 0;
}

static long console_io_write(u64 count, u64 gva)
{
	char buf[128];

	while (count) {
		size_t n = min(count, (u64)sizeof(buf));

		if (copy_from_guest(buf, gva, n))
			return deny(-XEN_EFAULT);
		console_write_guest(buf, n);
		count -= n;
		gva += n;
		if (count && preempt_check())
			return hypercall_continue(__HYPERVISOR_console_io, 3,
						  (u64)CONSOLEIO_write, count,
						  gva);
	}
	return 0;
}

static long console_io_read(u64 count, u64 gva)
{
	char buf[RX_SIZE / 4];
	bool locked = console_lock();
	u32 n = 0;

	while (n < min(count, (u64)sizeof(buf)) && rx_start != rx_end)
		buf[n++] = rx[rx_start++ % RX_SIZE];
	console_unlock(locked);
	if (copy_to_guest(gva, buf, n))
		return deny(-XEN_EFAULT);
	return n;
}

/* console_io: Dom0's early console and its input.  Read returns a count. */
long do_console_io(u64 cmd, u64 count, u64 gva, u64 a4, u64 a5, u64 a6)
{
	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	count = (u32)count;
	if ((u32)cmd == CONSOLEIO_write)
		return console_io_write(count, gva);
	if ((u32)cmd == CONSOLEIO_read)
		return console_io_read(count, gva);
	return deny(-XEN_ENOSYS);
}

static void fill_text_info(struct dom0_vga_console_info *info)
{
	u16 pos = (u16)(crtc_read(14) << 8 | crtc_read(15));

	info->video_type = XEN_VGATYPE_TEXT_MODE_3;
	info->u.text_mode_3.font_height = 16;
	info->u.text_mode_3.cursor_x = pos % VGA_COLS;
	info->u.text_mode_3.cursor_y = pos / VGA_COLS;
	info->u.text_mode_3.rows = VGA_ROWS;
	info->u.text_mode_3.columns = VGA_COLS;
}

static void fill_lfb_info(struct dom0_vga_console_info *info)
{
	info->video_type = boot_info.efi ? XEN_VGATYPE_EFI_LFB
					 : XEN_VGATYPE_VESA_LFB;
	info->u.vesa_lfb.width = (u16)boot_info.fb.width;
	info->u.vesa_lfb.height = (u16)boot_info.fb.height;
	info->u.vesa_lfb.bytes_per_line = (u16)boot_info.fb.pitch;
	info->u.vesa_lfb.bits_per_pixel = boot_info.fb.bpp;
	info->u.vesa_lfb.lfb_base = (u32)boot_info.fb.addr;
	info->u.vesa_lfb.ext_lfb_base = (u32)(boot_info.fb.addr >> 32);
	info->u.vesa_lfb.lfb_size =
		DIV_ROUND_UP(boot_info.fb.pitch * boot_info.fb.height, 65536);
	info->u.vesa_lfb.red_pos = boot_info.fb.red_pos;
	info->u.vesa_lfb.red_size = boot_info.fb.red_size;
	info->u.vesa_lfb.green_pos = boot_info.fb.green_pos;
	info->u.vesa_lfb.green_size = boot_info.fb.green_size;
	info->u.vesa_lfb.blue_pos = boot_info.fb.blue_pos;
	info->u.vesa_lfb.blue_size = boot_info.fb.blue_size;
	info->u.vesa_lfb.rsvd_pos = 24;
	info->u.vesa_lfb.rsvd_size = boot_info.fb.bpp == 32 ? 8 : 0;
}

/* What Dom0's start_info says about the screen; its size, 0 for none. */
size_t console_dom0_info(void *buf, size_t size)
{
	struct dom0_vga_console_info info = { 0 };

	if (size < sizeof(info))
		return 0;
	if (text_screen())
		fill_text_info(&info);
	else if (boot_info.fb.valid && boot_info.fb.type == 1)
		fill_lfb_info(&info);
	else
		return 0;
	memcpy(buf, &info, sizeof(info));
	return sizeof(info);
}
