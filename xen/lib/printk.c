/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Formatted text to the log.
 *
 * A message is formatted on the caller's stack and handed to dev/console.c in
 * one piece per line, so lines of several CPUs do not mix.  No lock is taken
 * here: printk() works in any context, NMI included, and the buffer fits a
 * 4 KiB exception stack.
 *
 * What a guest makes us say goes through guest_log(): bounded in rate, so a
 * guest can neither flood the operator's log nor hold the console's lock.
 */
#include <domain/domain.h>
#include <dev/dev.h>

int log_threshold = LOG_WARN;
int guest_log_threshold = LOG_WARN;

#define PREFIX		"(XEN) "
#define PREFIX_LEN	6
#define LINE_MAX	400
#define GUEST_RATE	32

struct out {
	char *buf;
	size_t size, len;	/* len counts what does not fit, too */
};

static void put(struct out *o, char c, s64 times)
{
	for (; times > 0; times--, o->len++)
		if (o->len + 1 < o->size)
			o->buf[o->len] = c;
}

/* snprintf() with a va_list: returns the length that it wanted to write. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };

	for (const char *f = fmt; *f; f++) {
		bool zero, wide = false, minus = false;
		char text[24], *digit = text + sizeof(text);
		const char *body = text;
		size_t width, n = 1;
		s64 fill;
		u64 v;

		if (*f != '%') {
			put(&o, *f, 1);
			continue;
		}
		zero = *++f == '0';
		width = strtoull(f, &f, 10);
		for (; *f == 'l' || *f == 'z'; f++)
			wide = true;
		if (*f == 's') {
			body = va_arg(ap, const char *);
			body = body ? body : "(null)";
			n = strlen(body);
		} else if (strchr("duxp", *f)) {
			u64 base = *f == 'd' || *f == 'u' ? 10 : 16;

			v = wide || *f == 'p' ? va_arg(ap, u64) :
			    *f == 'd' ? (u64)va_arg(ap, int) : va_arg(ap, u32);
			minus = *f == 'd' && (s64)v < 0;
			v = minus ? -v : v;
			do
				*--digit = "0123456789abcdef"[v % base];
			while (v /= base);
			body = digit;
			n = text + sizeof(text) - digit;
		} else {	/* 'c', and "%%" */
			text[0] = *f == 'c' ? (char)va_arg(ap, int) : *f;
		}
		fill = (s64)(width - n - minus);
		put(&o, ' ', zero ? 0 : fill);
		put(&o, '-', minus);
		put(&o, '0', zero ? fill : 0);
		for (; n; n--)
			put(&o, *body++, 1);
	}
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

/*
 * Writes line by line.  A piece begins with the prefix unless the last one
 * ended without a newline.  The prefix is put right before the text; what
 * stood there has been written already.
 */
void vprintk(const char *fmt, va_list ap)
{
	static bool mid_line;
	char buf[PREFIX_LEN + LINE_MAX];
	char *text = buf + PREFIX_LEN;

	if (vsnprintf(text, LINE_MAX, fmt, ap) >= LINE_MAX)
		text[LINE_MAX - 2] = '\n';
	while (*text) {
		char *next = strchr(text, '\n');
		char *stop = next ? next + 1 : text + strlen(text);

		if (!READ_ONCE(mid_line)) {
			text -= PREFIX_LEN;
			memcpy(text, PREFIX, PREFIX_LEN);
		}
		console_write(text, (size_t)(stop - text));
		WRITE_ONCE(mid_line, !next);
		text = stop;
	}
}

/* Shown if the level is within loglvl=.  Any context. */
void log_at(int level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_threshold)
		return;
	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}

/*
 * About a guest: filtered by guest_loglvl=, at most GUEST_RATE a second over
 * all guests; races between CPUs only let a few more through.
 */
void guest_log(const struct domain *d, int level, const char *fmt, ...)
{
	static u64 last_second;
	static u32 count;
	char line[200];
	u64 second = clock_ns() / NS_PER_SEC;
	va_list ap;

	if (second != last_second && count > GUEST_RATE)
		printk("%u messages about guests left out\n",
		       count - GUEST_RATE);
	if (second != last_second)
		count = 0;
	last_second = second;
	if (level > guest_log_threshold || count++ >= GUEST_RATE)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	printk("d%d: %s%s", d ? d->id : -1, line,
	       strchr(line, '\n') ? "" : "\n");
}

/* Debug builds: says where a hypercall was refused.  Returns rc. */
long deny_at(long rc, const char *file, int line)
{
	if (guest_log_threshold >= LOG_DEBUG && current)
		guest_log(current->domain, LOG_DEBUG,
			  "hypercall %lu refused, %ld, %s:%d",
			  current->mc.active ? current->mc.entry.op :
			  current->regs.rax, rc, file, line);
	return rc;
}
