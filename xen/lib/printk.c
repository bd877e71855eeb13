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

struct out {
	char *buf;
	size_t size, len;	/* len counts what does not fit, too */
};

struct spec {
	bool minus, zero, hash, plus;
	int width, precision;	/* precision -1: none */
	int size;		/* bytes of the integer argument */
};

static void out_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_fill(struct out *o, char c, int n)
{
	while (n-- > 0)
		out_char(o, c);
}

static void out_string(struct out *o, const char *s, const struct spec *sp)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s);
	if (!sp->minus)
		out_fill(o, ' ', sp->width - (int)n);
	for (size_t i = 0; i < n; i++)
		out_char(o, s[i]);
	if (sp->minus)
		out_fill(o, ' ', sp->width - (int)n);
}

static void out_number(struct out *o, u64 value, bool negative, char conv,
		       const struct spec *sp)
{
	const char *digits = conv == 'X' ? "0123456789ABCDEF"
					 : "0123456789abcdef";
	unsigned int base = conv == 'o' ? 8 : (conv | 0x20) == 'x' ? 16 : 10;
	const char *lead = negative ? "-" : sp->plus ? "+"
			 : sp->hash && base == 16 && value ? "0x" : "";
	int lead_len = (int)strlen(lead), n = 0, zeros = 0;
	char tmp[24];

	do {
		tmp[n++] = digits[value % base];
		value /= base;
	} while (value);
	if (sp->precision > n)
		zeros = sp->precision - n;
	else if (sp->zero && !sp->minus && sp->precision < 0)
		zeros = max(sp->width - n - lead_len, 0);
	if (!sp->minus)
		out_fill(o, ' ', sp->width - n - lead_len - zeros);
	while (*lead)
		out_char(o, *lead++);
	out_fill(o, '0', zeros);
	for (int i = n; i > 0; i--)
		out_char(o, tmp[i - 1]);
	if (sp->minus)
		out_fill(o, ' ', sp->width - n - lead_len - zeros);
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->minus = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '#')
			sp->hash = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f != ' ')
			return f;
	}
}

static const char *parse_size_prefix(const char *f, struct spec *sp)
{
	sp->size = 4;
	for (;; f++) {
		if (*f == 'h')
			sp->size /= 2;
		else if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
			sp->size = 8;
		else
			return f;
	}
}

/* snprintf() with a va_list: returns the length that it wanted to write. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	const char *f = fmt;

	while (*f) {
		struct spec sp = { .precision = -1 };
		u64 v;
		s64 s;

		if (*f != '%') {
			out_char(&o, *f++);
			continue;
		}
		f = parse_flags(f + 1, &sp);
		if (*f == '*') {
			sp.width = va_arg(ap, int);
			f++;
		} else {
			sp.width = (int)strtoull(f, &f, 10);
		}
		if (*f == '.' && f[1] == '*') {
			sp.precision = va_arg(ap, int);
			f += 2;
		} else if (*f == '.') {
			sp.precision = (int)strtoull(f + 1, &f, 10);
		}
		f = parse_size_prefix(f, &sp);
		switch (*f) {
		case 'd':
		case 'i':
			s = sp.size == 8 ? va_arg(ap, s64) : va_arg(ap, int);
			s = sp.size == 2 ? (s16)s : sp.size == 1 ? (s8)s : s;
			out_number(&o, s < 0 ? -(u64)s : (u64)s, s < 0, 'd', &sp);
			break;
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			v = sp.size == 8 ? va_arg(ap, u64) : va_arg(ap, u32);
			v = sp.size == 2 ? (u16)v : sp.size == 1 ? (u8)v : v;
			sp.plus = false;
			out_number(&o, v, false, *f, &sp);
			break;
		case 'p':
			sp.precision = 16;
			out_number(&o, (u64)va_arg(ap, void *), false, 'x', &sp);
			break;
		case 'c':
			out_char(&o, (char)va_arg(ap, int));
			break;
		case 's':
			out_string(&o, va_arg(ap, const char *), &sp);
			break;
		case 0:
			f--;
			break;
		default:
			out_char(&o, *f);
		}
		f++;
	}
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

/* As in C. */
int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
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
	char *text = buf + PREFIX_LEN, *end;
	size_t len;

	len = (size_t)vsnprintf(text, LINE_MAX, fmt, ap);
	if (len >= LINE_MAX) {
		len = LINE_MAX - 1;
		text[len - 1] = '\n';
	}
	for (end = text + len; text < end; ) {
		char *next = strchr(text, '\n');
		char *stop = next ? next + 1 : end;

		if (READ_ONCE(mid_line)) {
			console_write(text, (size_t)(stop - text));
		} else {
			memcpy(text - PREFIX_LEN, PREFIX, PREFIX_LEN);
			console_write(text - PREFIX_LEN,
				      (size_t)(stop - text) + PREFIX_LEN);
		}
		WRITE_ONCE(mid_line, !next);
		text = stop;
	}
}

/* Always shown.  Any context. */
void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}

/* Shown if the level is within loglvl=. */
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
 * Lets 32 messages pass at once and 8 a second for long, over all guests.
 * Races between CPUs only let a few more through.
 */
static bool rate_allows(void)
{
	static u64 last_ns;
	static u32 tokens = 32, missed;
	u64 now = clock_ns();
	u64 earned = (now - last_ns) / (NS_PER_SEC / 8);

	if (earned) {
		last_ns = now;
		tokens = (u32)min(earned + tokens, 32UL);
	}
	if (!tokens) {
		missed++;
		return false;
	}
	tokens--;
	if (missed) {
		u32 n = missed;

		missed = 0;
		printk("%u messages about guests left out\n", n);
	}
	return true;
}

/* About a guest: filtered by guest_loglvl=, rate limited. */
void guest_log(const struct domain *d, int level, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	if (level > guest_log_threshold || !rate_allows())
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
		guest_log(current->domain, LOG_DEBUG, "refused, %ld, %s:%d",
			  rc, file, line);
	return rc;
}
