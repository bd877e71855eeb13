/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The serial line: one 16550, at COM1 or COM2.
 *
 *   com1=BAUD[,8n1[,IO-PORT[,IRQ]]]   BAUD "auto": as the firmware left it
 *   console=com1                      the hypervisor uses it
 *
 * Output waits for the transmitter and fills its FIFO; there is no output
 * interrupt.  Input comes by interrupt, or by polling when IRQ is 0 or taken.
 * While we use the port no guest may touch it: uart_owns_port().
 *
 * Locks: none; dev/console.c serialises output, input runs on one CPU.
 */
#include <dev/dev.h>
#include <cpu/cpu.h>

enum uart_reg {
	UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4,
	UART_LSR = 5, UART_SCR = 7,
	UART_DLL = 0, UART_DLH = 1,	/* while LCR_DLAB */
};
#define LCR_DLAB	0x80
#define LSR_RX_READY	0x01
#define LSR_TX_EMPTY	0x20
#define MCR_DTR_RTS_OUT2 0x0b
#define UART_CLOCK	115200
#define FIFO_SIZE	16

static struct {
	u16 port;		/* 0: not in use */
	u8 irq;
	u8 room;		/* free places in the transmit FIFO, at least */
} uart;

static u8 reg_read(enum uart_reg r)
{
	return inb((u16)(uart.port + r));
}

static void reg_write(enum uart_reg r, u8 v)
{
	outb((u16)(uart.port + r), v);
}

struct uart_config {
	const char *name;
	u64 baud;		/* 0: leave as it is */
	u8 lcr;
	u64 port, irq;
};

/* "8n1": data bits, parity, stop bits.  Returns what follows, NULL if bad. */
static const char *__init parse_framing(const char *s, u8 *lcr)
{
	static const char parity[] = "noems";
	const char *p;

	if (s[0] < '5' || s[0] > '8' || !s[1])
		return NULL;
	p = strchr(parity, s[1]);
	if (!p || (s[2] != '1' && s[2] != '2'))
		return NULL;
	*lcr = (u8)(s[0] - '5');
	if (p != parity)
		*lcr |= (u8)((p - parity) * 2 - 1) << 3;
	if (s[2] == '2')
		*lcr |= 4;
	return s + 3;
}

static bool __init parse_config(const char *s, struct uart_config *c)
{
	const char *end;

	if (!strncmp(s, "auto", 4)) {
		c->baud = 0;
		end = s + 4;
	} else {
		c->baud = strtoull(s, &end, 10);
		if (end == s || !c->baud || c->baud > UART_CLOCK)
			return false;
	}
	if (*end == '/')	/* clock: ours is fixed */
		strtoull(end + 1, &end, 10);
	if (*end == ',' && end[1] && end[1] != ',') {
		end = parse_framing(end + 1, &c->lcr);
		if (!end)
			return false;
	} else if (*end == ',') {
		end++;
	}
	if (*end == ',')
		c->port = strtoull(end + 1, &end, 0);
	if (*end == ',')
		c->irq = strtoull(end + 1, &end, 0);
	return !*end && c->port && c->port < 0x10000 - 8 && c->irq < 16;
}

static bool __init uart_present(void)
{
	reg_write(UART_SCR, 0x5a);
	if (reg_read(UART_SCR) != 0x5a)
		return false;
	reg_write(UART_SCR, 0xa5);
	return reg_read(UART_SCR) == 0xa5;
}

static void __init uart_program(const struct uart_config *c)
{
	reg_write(UART_IER, 0);
	if (c->baud) {
		u16 divisor = (u16)(UART_CLOCK / c->baud);

		reg_write(UART_LCR, c->lcr | LCR_DLAB);
		reg_write(UART_DLL, (u8)divisor);
		reg_write(UART_DLH, (u8)(divisor >> 8));
	}
	reg_write(UART_LCR, c->lcr);
	reg_write(UART_FCR, 0x07);
	reg_write(UART_MCR, MCR_DTR_RTS_OUT2);
}

/* Sets up the port that console= names, if there is one. */
void __init uart_init(void)
{
	struct uart_config c = { "com1", UART_CLOCK, 3, 0x3f8, 4 }, dflt;
	const char *opt;

	if (cmdline_list_has("console", "com2"))
		c = (struct uart_config){ "com2", UART_CLOCK, 3, 0x2f8, 3 };
	else if (!cmdline_list_has("console", "com1"))
		return;
	dflt = c;
	opt = cmdline_get(c.name);
	if (opt && !parse_config(opt, &c)) {
		c = dflt;
		printk("Command line: %s='%s' is not BAUD,8n1,PORT,IRQ: using 115200,8n1,%#lx,%lu\n",
		       c.name, opt, c.port, c.irq);
	}
	uart.port = (u16)c.port;
	uart.irq = (u8)c.irq;
	if (uart_present()) {
		uart_program(&c);
		return;
	}
	uart.port = 0;
	printk("Command line: console=%s: there is no serial port at %#lx\n",
	       c.name, c.port);
}

/* True if a guest must keep off this I/O port. */
bool uart_owns_port(u16 port)
{
	return uart.port && port >= uart.port && port < uart.port + 8;
}

/* Sends one byte; gives up on a transmitter that stays busy. */
void uart_putc(char ch)
{
	if (!uart.port)
		return;
	if (!uart.room) {
		for (u32 i = 0; i < 1000000; i++)
			if (reg_read(UART_LSR) & LSR_TX_EMPTY)
				break;
		uart.room = FIFO_SIZE;
	}
	uart.room--;
	reg_write(UART_DATA, (u8)ch);
}

/* One received byte, if there is one. */
bool uart_getc(char *c)
{
	u8 lsr;

	if (!uart.port)
		return false;
	lsr = reg_read(UART_LSR);
	if (lsr == 0xff || !(lsr & LSR_RX_READY))
		return false;
	*c = (char)reg_read(UART_DATA);
	return true;
}

static void uart_interrupt(void *unused)
{
	char c;

	for (unsigned int i = 0; i < 64 && uart_getc(&c); i++)
		console_rx(c);
}

/* Input by interrupt from now on.  False: the caller has to poll. */
bool uart_enable_irq(void)
{
	if (!uart.port)
		return true;
	if (!uart.irq || irq_claim(uart.irq, uart_interrupt, NULL))
		return false;
	reg_write(UART_IER, 1);
	return true;
}
