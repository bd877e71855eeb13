/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The console: log ring, serial line (one 16550), VGA text screen, and
 * console_io.
 *
 *   com1=BAUD[,8n1[,IO-PORT[,IRQ]]]   BAUD "auto": as the firmware left it
 *   console=com1 | vga [,keep]        where the hypervisor's text goes
 *
 * The hypervisor's own output goes to the ring (xl dmesg) and to the devices
 * that console= names; Dom0's goes to the devices only.  Serial output waits
 * for the transmitter and fills its FIFO; there is no output interrupt.  On
 * the screen, text grows at the bottom line.  Serial input belongs to Dom0;
 * three Ctrl-A in a row hand it to the hypervisor's debug keys, three more
 * hand it back.
 *
 * Lock: console_owner, innermost of all.  It is not a struct spinlock because
 * an NMI may hit its holder and must be able to print: the word says who
 * holds it, so the CPU sees its own lock and goes on without.  Nothing waits
 * for another CPU while it is held.  Events are not sent under it, nor from
 * printk(), whose caller may hold any lock: console_poll() sends them.
 *
 * A hostile guest: console_io is Dom0's alone; its output is copied in small
 * pieces with a chance to be preempted after each.  While we use a serial
 * port no guest may touch it: uart_owns_port().
 */
#include <domain/domain.h>
#include <dev/dev.h>
#include <entry/entry.h>
#include <boot/boot.h>

#define RING_SIZE	65536U		/* a power of two */
#define RX_SIZE		256U
#define CTRL_A		1

static char ring[RING_SIZE];
static u32 ring_start, ring_end;	/* free-running: reader's, writer's */

static char rx[RX_SIZE];		/* input */
static u32 rx_start, rx_end;
static bool input_to_keys;

static u32 console_owner;		/* CPU id + 1 */
static bool ring_grew;			/* Dom0 has not been told yet */

/* False: this CPU holds it already, which after a panic is always so. */
static bool console_lock(void)
{
	u32 me = smp_processor_id() + 1, old;

	while ((old = cmpxchg(&console_owner, 0U, me)) && old != me)
		cpu_relax();
	return !old;
}

/* Not what a panic on another CPU took over meanwhile. */
static void console_unlock(bool locked)
{
	if (locked)
		cmpxchg(&console_owner, smp_processor_id() + 1, 0U);
}

/* --- serial line ---------------------------------------------------------- */

enum uart_reg {
	UART_DATA, UART_IER, UART_FCR, UART_LCR, UART_MCR, UART_LSR,
	UART_SCR = 7, UART_DLL = 0, UART_DLH = 1, /* two while LCR_DLAB */
};
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define LSR_RX_READY	0x01
#define LSR_TX_EMPTY	0x20
#define MCR_DTR_RTS_OUT2 0x0b
#define UART_CLOCK	115200
#define FIFO_SIZE	16

static u16 uart_port;		/* 0: not in use */
static u8 uart_irq;

/* Sets up the port that console= names, if there is one. */
static void __init uart_init(void)
{
	const char *opt = cmdline_get("com1"), *end = "";
	u64 baud = UART_CLOCK, port = 0x3f8, irq = 4;

	if (!cmdline_list_has("console", "com1"))
		return;
	if (opt)
		baud = strtoull(opt, &end, 10);	/* 0: as it is */
	end += !strncmp(end, "auto", 4) ? 4 : 0;
	end += !strncmp(end, ",8n1", 4) ? 4 : 0;
	if (*end == ',')
		port = strtoull(end + 1, &end, 0);
	if (*end == ',')
		irq = strtoull(end + 1, &end, 0);
	if (*end || baud > UART_CLOCK || port > 0xfff8 || irq > 15) {
		printk("Command line: com1='%s' is not BAUD,8n1,PORT,IRQ\n",
		       opt);
		baud = UART_CLOCK;
		port = 0x3f8;
		irq = 4;
	}
	outb((u16)(port + UART_SCR), 0x5a);
	if (inb((u16)(port + UART_SCR)) != 0x5a)
		return printk("Command line: console=com1: there is no serial port at 0x%lx\n",
			      port);
	uart_port = (u16)port;
	uart_irq = (u8)irq;
	outb(uart_port + UART_IER, 0);
	if (baud) {
		outb(uart_port + UART_LCR, LCR_8N1 | LCR_DLAB);
		outb(uart_port + UART_DLL, (u8)(UART_CLOCK / baud));
		outb(uart_port + UART_DLH, (u8)(UART_CLOCK / baud >> 8));
	}
	outb(uart_port + UART_LCR, LCR_8N1);
	outb(uart_port + UART_FCR, 0x07);
	outb(uart_port + UART_MCR, MCR_DTR_RTS_OUT2);
}

/* True if a guest must keep off one of these I/O ports. */
bool uart_owns_port(u32 first, u32 last)
{
	return uart_port && last >= uart_port && first < uart_port + 8U;
}

/* Sends one byte; gives up on a transmitter that stays busy. */
static void uart_putc(char ch)
{
	static u8 room;		/* free places in the FIFO, at least */

	if (!uart_port)
		return;
	for (u32 i = 0; !room && i < 1000000; i++)
		if (inb(uart_port + UART_LSR) & LSR_TX_EMPTY)
			break;
	room = (room ? room : FIFO_SIZE) - 1;
	outb(uart_port + UART_DATA, (u8)ch);
}

/* --- VGA text, 80 x 25 --------------------------------------------------- */

#define VGA_COLS	80
#define VGA_ROWS	25
#define VGA_LAST	(VGA_COLS * (VGA_ROWS - 1))

static u16 *vga, *vga_memory;	/* vga NULL: no text screen, or Dom0's */

static void vga_putc(char c)
{
	static unsigned int col;

	if (c == '\n' || col == VGA_COLS) {
		memmove(vga, vga + VGA_COLS, VGA_LAST * 2);
		for (col = VGA_COLS; col; col--)
			vga[VGA_LAST + col - 1] = 0x0720;
	}
	if ((u8)c >= ' ')
		vga[VGA_LAST + col++] = (u16)(0x0700 | (u8)c);
}

/* No text screen behind a graphics mode or EFI firmware. */
static bool text_screen(void)
{
	return boot_info.fb.valid ? boot_info.fb.type == 2 : !boot_info.efi;
}

/* The first domain takes the screen, unless console=vga,keep. */
void console_end_boot(void)
{
	if (!cmdline_list_has("console", "keep"))
		vga = NULL;
}

/* --- output -------------------------------------------------------------- */

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
}

/* The hypervisor's text, to ring and devices.  Any context. */
void console_write(const char *s, size_t n)
{
	bool locked = console_lock();

	for (size_t i = 0; i < n; i++)
		ring[(ring_end + i) % RING_SIZE] = s[i];
	WRITE_ONCE(ring_end, ring_end + (u32)n);
	if (ring_end - ring_start > RING_SIZE)
		ring_start = ring_end - RING_SIZE;
	devices_write(s, n);
	console_unlock(locked);
	if (dom0 && !READ_ONCE(ring_grew)) {
		WRITE_ONCE(ring_grew, true);
		cpu_set_work(smp_processor_id(), WORK_KEYS);
	}
}

/* Panic: the lock and the text screen are this CPU's for good. */
void console_force_unlock(void)
{
	console_owner = smp_processor_id() + 1;
	vga = vga_memory;
}

/* One letter tells the levels apart; what follows '/' is for others. */
static void __init parse_level(const char *name, int *threshold)
{
	static const char letters[] = "newida";
	const char *value = cmdline_get(name);
	const char *p = value && *value ? strchr(letters, *value) : NULL;

	if (p)
		*threshold = min((int)(p - letters) - 1, LOG_DEBUG);
}

/*
 * [boot 40] The command line is known: open the screen and the serial line
 * and repeat there what the ring has so far.  CPU 0 only, first tables.
 */
void __init console_init_early(void)
{
	uart_init();
	if (text_screen() && (!cmdline_get("console") ||
			      cmdline_list_has("console", "vga")))
		vga = vga_memory = paddr_to_virt(0xb8000);
	devices_write(ring, min(ring_end, RING_SIZE));
	parse_level("loglvl", &log_threshold);
	parse_level("guest_loglvl", &guest_log_threshold);
}

/* --- input --------------------------------------------------------------- */

/*
 * A byte from the serial line.  No lock held; one CPU at a time.  Debug keys
 * are handled later, in exit_work().
 */
static void console_rx(char c)
{
	static unsigned int escapes;
	bool locked;

	escapes = c == CTRL_A ? escapes + 1 : 0;
	if (escapes == 3) {
		escapes = 0;
		input_to_keys = !input_to_keys;
		/* What Dom0 has not read was not meant as keys. */
		locked = console_lock();
		rx_start = rx_end;
		console_unlock(locked);
		printk("*** Input to %s (Ctrl-A three times to switch)\n",
		       input_to_keys ? "the hypervisor: press h for help"
				     : "Dom0");
	}
	if (c == CTRL_A)
		return;
	locked = console_lock();
	if (rx_end - rx_start < RX_SIZE)
		rx[rx_end++ % RX_SIZE] = c;
	console_unlock(locked);
	if (input_to_keys || !dom0)
		cpu_set_work(smp_processor_id(), WORK_KEYS);
	else
		virq_raise_global(VIRQ_CONSOLE);
}

/* Takes up to n bytes of input. */
static u32 rx_take(char *buf, u64 n)
{
	bool locked = console_lock();
	u32 done = 0;

	while (done < n && rx_start != rx_end)
		buf[done++] = rx[rx_start++ % RX_SIZE];
	console_unlock(locked);
	return done;
}

/* exit_work() saw WORK_KEYS: no lock is held.  Debug keys, and news for Dom0. */
void console_poll(void)
{
	char c;

	while ((input_to_keys || !dom0) && rx_take(&c, 1))
		handle_debug_key(c);
	if (xchg(&ring_grew, false))
		virq_raise_global(VIRQ_CON_RING);
}

static void uart_interrupt(void *unused)
{
	for (int i = 0; i < 64 && inb(uart_port + UART_LSR) & LSR_RX_READY; i++)
		console_rx((char)inb(uart_port + UART_DATA));
}

/* After irq_init(): input by interrupt. */
void __init console_init(void)
{
	if (!uart_port)
		return;
	if (!uart_irq || irq_claim(uart_irq, uart_interrupt, NULL))
		log_warn("console: no interrupt, so no serial input\n");
	else
		outb(uart_port + UART_IER, 1);
}

/* --- hypercalls ---------------------------------------------------------- */

/*
 * sysctl readconsole: up to *count bytes of the log to guest memory at gva,
 * from where the last clearing read ended, or from *index on if incremental.
 * *count and *index become bytes written and end.  0 or -XEN_EFAULT.  What is
 * printed meanwhile may overwrite what is copied, never more.
 */
long console_read_ring(u64 gva, u32 *count, u32 *index, bool clear,
		       bool incremental)
{
	u32 start = READ_ONCE(ring_start), end = READ_ONCE(ring_end);
	u32 pos = incremental && *index - start <= end - start ? *index : start;
	u32 done = 0, n;
	bool locked;

	for (end = min(end - pos, *count) + pos; pos != end; pos += n) {
		n = min(end - pos, RING_SIZE - pos % RING_SIZE);
		if (copy_to_guest(gva + done, ring + pos % RING_SIZE, n))
			return deny(-XEN_EFAULT);
		done += n;
	}
	locked = console_lock();
	if (clear && (s32)(pos - ring_start) > 0)
		ring_start = pos;
	console_unlock(locked);
	*count = done;
	*index = pos;
	return 0;
}

/* Hypercall 18: Dom0's early console and its input.  Read returns a count. */
long do_console_io(u64 cmd, u64 count, u64 gva, u64 a4, u64 a5, u64 a6)
{
	char buf[128];
	bool locked;
	u64 n;

	if (!current->domain->is_privileged)
		return deny(-XEN_EPERM);
	count = (u32)count;
	if ((u32)cmd == CONSOLEIO_read) {
		n = rx_take(buf, min(count, sizeof(buf)));
		return copy_to_guest(gva, buf, n) ? deny(-XEN_EFAULT) : (long)n;
	}
	if ((u32)cmd != CONSOLEIO_write)
		return deny(-XEN_ENOSYS);
	for (; count; count -= n, gva += n) {
		n = min(count, sizeof(buf));
		if (copy_from_guest(buf, gva, n))
			return deny(-XEN_EFAULT);
		locked = console_lock();
		devices_write(buf, n);
		console_unlock(locked);
		if (count > n && preempt_check())
			return hypercall_continue(__HYPERVISOR_console_io, 3,
						  (u64)CONSOLEIO_write,
						  count - n, gva + n);
	}
	return 0;
}

/* What Dom0's start_info says about the screen; its size, 0 for none. */
size_t console_dom0_info(struct dom0_vga_console_info *info)
{
	const __typeof__(boot_info.fb) *fb = &boot_info.fb;

	if (text_screen()) {
		*info = (struct dom0_vga_console_info){
			.video_type = XEN_VGATYPE_TEXT_MODE_3,
			.u.text_mode_3 = {
				.font_height = 16, .cursor_y = VGA_ROWS - 1,
				.rows = VGA_ROWS, .columns = VGA_COLS,
			},
		};
		return sizeof(*info);
	}
	if (!fb->valid || fb->type != 1)
		return 0;
	*info = (struct dom0_vga_console_info){
		.video_type = boot_info.efi ? XEN_VGATYPE_EFI_LFB
					    : XEN_VGATYPE_VESA_LFB,
		.u.vesa_lfb = {
			.width = fb->width, .height = fb->height,
			.bytes_per_line = fb->pitch, .bits_per_pixel = fb->bpp,
			.lfb_base = fb->addr, .ext_lfb_base = fb->addr >> 32,
			.lfb_size = DIV_ROUND_UP(fb->pitch * fb->height, 65536),
			.rsvd_pos = 24, .rsvd_size = fb->bpp == 32 ? 8 : 0,
		},
	};
	/* Position and size of red, green, blue. */
	memcpy(&info->u.vesa_lfb.red_pos, &fb->red_pos, 6);
	return sizeof(*info);
}
