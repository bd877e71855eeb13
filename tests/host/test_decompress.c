/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decoders of kernel images.
 *
 * Samples are packed with the system's xz, zstd, gzip and lz4, in the ways
 * kernels are packed and in odd ones.  Each must unpack to exactly what it was
 * made from.  Then damaged copies (cut short, bits flipped, bytes replaced,
 * output buffer too small): each must end with a reason or with output of
 * legal size, touch no byte outside its buffers, and, where the format has a
 * checksum, never pass with wrong output of the right length.
 *
 * With KERNEL=bzImage in the environment a real kernel's payload is unpacked
 * as it is and repacked in every format; ROUNDS= sets how many damaged copies.
 */
#include "test.h"
#include <time.h>
#include <unistd.h>
#include <lib/decompress.h>

struct blob {
	u8 *p;
	size_t len;
};

static struct blob load(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct blob b;

	if (!f) {
		perror(path);
		exit(2);
	}
	fseek(f, 0, SEEK_END);
	b.len = ftell(f);
	rewind(f);
	b.p = malloc(b.len + !b.len);
	if (fread(b.p, 1, b.len, f) != b.len)
		exit(2);
	fclose(f);
	return b;
}

/* Runs a shell command in the work directory. */
static void sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd)) {
		printf("cannot run: %s\n", cmd);
		exit(2);
	}
}

/* True if exactly orig comes out, in a buffer of exactly that size. */
static bool unpacks(struct blob packed, struct blob orig, const char *what)
{
	u8 *out = malloc(orig.len + !orig.len);
	struct unpack u = { .in = packed.p, .in_end = packed.p + packed.len,
			    .out = out, .out_start = out,
			    .out_end = out + orig.len };
	const char *err = decompress(&u);
	bool ok = !err && u.out == out + orig.len &&
		  !memcmp(out, orig.p, orig.len);

	if (!ok)
		printf("%s: %s, %zu of %zu bytes\n", what,
		       err ? err : "wrong output", u.out - out, orig.len);
	free(out);
	return ok;
}

/* One damaged copy; false if the decoder misbehaved. */
static bool survives(struct blob packed, struct blob orig, bool checked)
{
	size_t cut = test_random() % 3 ? packed.len :
			test_random() % packed.len + 1;
	size_t room = test_random() % 8 ? orig.len :
			test_random() % (orig.len + 1);
	u8 *in = malloc(cut), *out = malloc(room + !room);
	struct unpack u = { in, in + cut, out, out, out + room };
	const char *err;
	bool same, hurt, ok;

	memcpy(in, packed.p, cut);
	for (u64 k = test_random() % 4; k; k--) {
		/* Headers deserve more than their share. */
		size_t head = cut < 200 ? cut : 200;
		size_t at = test_random() % (test_random() & 1 ? cut : head);

		if (test_random() & 1)
			in[at] ^= 1 << test_random() % 8;
		else
			in[at] = test_random();
	}
	hurt = memcmp(in, packed.p, cut);
	err = decompress(&u);
	same = u.out == out + orig.len && room == orig.len &&
	       !memcmp(out, orig.p, orig.len);
	/* Whether a zstd frame has a checksum is one of its bits. */
	if (cut > 4 && packed.p[0] == 0x28 && in[4] != packed.p[4])
		checked = false;
	/* Short output may be right: damage can end a stream early. */
	ok = u.out >= out && u.out <= out + room &&
	     (err || !checked || same || u.out < out + orig.len) &&
	     (hurt || cut < packed.len || room < orig.len || (!err && same));
	if (!ok)
		printf("cut %zu room %zu hurt %d: %s\n", cut, room, hurt,
		       err ? err : "passed");
	free(in);
	free(out);
	return ok;
}

static const struct {
	const char *cmd;	/* %s: the sample's name */
	bool checked;		/* has a checksum */
} packers[] = {
	{ "xz -c --check=crc32 --x86 --lzma2=dict=32MiB %s", true },
	{ "xz -c --check=crc32 --x86 --lzma2=preset=9e,lc=0,lp=2,pb=0 %s", true },
	{ "xz -c --check=crc32 -T2 --block-size=150000 -1 %s", true },
	{ "zstd -q -c --ultra -22 < %s", true },
	{ "zstd -q -c -19 --no-check %s", false },
	{ "zstd -q -c -1 %s", true },
	{ "zstd -q -c --fast=5 %s", true },
	{ "gzip -9 -n -c < %s", true },
	{ "gzip -1 -c %s", true },
	{ "lz4 -q -l -9 -c %s", false },
	{ "lz4 -q -l -1 -c %s", false },
};
static const char *const samples[] = {
	"empty", "one", "zeros", "random", "program", "text", "mixed",
};

static void make_samples(void)
{
	sh(": > empty; printf x > one; head -c 300000 /dev/zero > zeros");
	sh("head -c 100000 /dev/urandom > random; cat $(which cat) > program");
	sh("cat /usr/include/[a-s]*.h | head -c 400000 > text");
	sh("cat text random zeros program text > mixed");
}

static void whole_and_damaged(void)
{
	long rounds = getenv("ROUNDS") ? atol(getenv("ROUNDS")) : 25;

	for (size_t s = 0; s < ARRAY_SIZE(samples); s++) {
		struct blob orig = load(samples[s]);

		for (size_t k = 0; k < ARRAY_SIZE(packers); k++) {
			char cmd[256];
			struct blob packed;
			bool ok;

			snprintf(cmd, sizeof(cmd), packers[k].cmd, samples[s]);
			sh("%s > packed", cmd);
			packed = load("packed");
			ok = unpacks(packed, orig, cmd);
			/* A kernel's size stands behind its payload. */
			packed.p = realloc(packed.p, packed.len + 4);
			memcpy(packed.p + packed.len, "\1\2\3\4", 4);
			packed.len += 4;
			if (orig.len)
				ok = ok && unpacks(packed, orig, cmd);
			packed.len -= 4;
			for (long i = 0; ok && i < rounds; i++)
				ok = survives(packed, orig, packers[k].checked);
			if (!ok)
				printf("^ %s\n", cmd);
			CHECK(ok);
			free(packed.p);
		}
		free(orig.p);
	}
}

static void other_formats(void)
{
	static const char *const heads[] = { "BZh91", "\x5d\0\0\x80\0",
					     "\x89LZO\0", "hello", "" };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		u8 out[4];
		struct unpack u = { .in = (const u8 *)heads[i], .out = out,
				    .out_start = out, .out_end = out + 4 };

		u.in_end = u.in + (heads[i][0] ? 5 : 0);
		CHECK(decompress(&u) != NULL);
		CHECK(u.out == out);
	}
}

static void real_kernel(void)
{
	struct blob k = load(getenv("KERNEL")), payload, elf;
	FILE *f = fopen("payload", "wb");

	payload.p = k.p + (k.p[0x1f1] + 1) * 512 + load_le(k.p + 0x248, 4);
	payload.len = load_le(k.p + 0x24c, 4);
	fwrite(payload.p, 1, payload.len, f);
	fclose(f);
	sh("xz -dc --single-stream < payload > vmlinux || "
	   "zstd -dcq < payload > vmlinux || :");
	elf = load("vmlinux");
	CHECK_EQ(load_le(payload.p + payload.len - 4, 4), elf.len);
	for (size_t i = 0; i <= ARRAY_SIZE(packers); i++) {
		struct blob packed = payload;
		clock_t t;

		if (i && i != 1 && i != 4 && i != 6 && i != 8 && i != 10)
			continue;
		if (i) {
			char cmd[256];

			snprintf(cmd, sizeof(cmd), packers[i - 1].cmd,
				 "vmlinux");
			sh("%s > packed", cmd);
			packed = load("packed");
		}
		t = clock();
		CHECK(unpacks(packed, elf, "kernel"));
		printf("kernel, %s: %zu -> %zu, %.2f s\n",
		       i ? packers[i - 1].cmd : "as it is", packed.len,
		       elf.len, (double)(clock() - t) / CLOCKS_PER_SEC);
		if (i)
			free(packed.p);
	}
	free(elf.p);
	free(k.p);
}

int main(void)
{
	char dir[] = "/tmp/decompress.XXXXXX";

	if (!mkdtemp(dir) || chdir(dir))
		return 2;
	make_samples();
	RUN(whole_and_damaged);
	RUN(other_formats);
	if (getenv("KERNEL"))
		RUN(real_kernel);
	sh("rm -rf %s", dir);
	return test_done();
}
