// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel files: reading them, unpacking a bzImage, and a cache of what was
 * unpacked.
 *
 * Unpacking takes far longer than everything else in building a guest, so
 * the result is kept in a folder that only root may write.  An entry's name
 * says which file it was, and when that last changed, and it ends with a
 * checksum of itself: an entry is not found for a kernel that changed since,
 * and a damaged one never used.
 */
#include <dirent.h>
#include <lz4.h>
#include <lzma.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>
#include "builder.h"

#define KERNEL_MAX	(512ull << 20)	/* a file, and unpacked */
#define CACHE_MAX	4		/* kernels */
#define LZ4_BLOCK	(8u << 20)	/* of the legacy format */

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* --- formats: true if exactly out_size bytes came out ---------------- */
static bool unpack_gzip(const uint8_t *in, size_t in_size, uint8_t *out,
			size_t out_size)
{
	z_stream z = {
		.next_in = (uint8_t *)in, .avail_in = in_size,
		.next_out = out, .avail_out = out_size,
	};
	bool ok = inflateInit2(&z, 16 + MAX_WBITS) == Z_OK;

	ok = ok && inflate(&z, Z_FINISH) == Z_STREAM_END && !z.avail_out;
	inflateEnd(&z);
	return ok;
}

static bool unpack_xz(const uint8_t *in, size_t in_size, uint8_t *out,
		      size_t out_size)
{
	uint64_t limit = 256 << 20;
	size_t in_at = 0, out_at = 0;

	return lzma_stream_buffer_decode(&limit, 0, NULL, in, &in_at, in_size,
					 out, &out_at, out_size) == LZMA_OK &&
	       out_at == out_size;
}

static bool unpack_zstd(const uint8_t *in, size_t in_size, uint8_t *out,
			size_t out_size)
{
	size_t frame = ZSTD_findFrameCompressedSize(in, in_size);

	return !ZSTD_isError(frame) &&
	       ZSTD_decompress(out, out_size, in, frame) == out_size;
}

static bool unpack_lz4(const uint8_t *in, size_t in_size, uint8_t *out,
		       size_t out_size)
{
	size_t at = 4, done = 0, block, room;
	int n;

	while (done < out_size && in_size - at > 4) {
		block = load32(in + at);
		at += 4;
		room = out_size - done < LZ4_BLOCK ? out_size - done
						   : LZ4_BLOCK;
		n = block > in_size - at ? 0 :
		    LZ4_decompress_safe((const char *)in + at,
					(char *)out + done, block, room);
		if (n <= 0)
			return false;
		at += block;
		done += n;
	}
	return done == out_size;
}

static const struct {
	const char *magic;
	size_t length;
	bool (*unpack)(const uint8_t *in, size_t in_size, uint8_t *out,
		       size_t out_size);
} formats[] = {
	{ "\375\067zXZ", 6, unpack_xz },
	{ "\050\265\057\375", 4, unpack_zstd },
	{ "\037\213", 2, unpack_gzip },
	{ "\002\041\114\030", 4, unpack_lz4 },
};

/*
 * The ELF file in a kernel file.  A bzImage's is unpacked to *out, to be
 * freed; for any other file *out becomes NULL.
 */
const char *kernel_unpack(const uint8_t *file, uint64_t size, uint8_t **out,
			  uint64_t *out_size)
{
	const uint8_t *p;
	uint64_t at, len;
	unsigned int i;

	*out = NULL;
	if (size < 0x250 || memcmp(file + 0x202, "HdrS", 4))
		return NULL;
	if ((file[0x206] | file[0x207] << 8) < 0x208)
		return "is a bzImage older than boot protocol 2.08";
	at = (file[0x1f1] + 1) * 512ull + load32(file + 0x248);
	len = load32(file + 0x24c);
	if (at > size || len > size - at)
		return "is cut short";
	p = file + at;
	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (len > 16 && !memcmp(p, formats[i].magic, formats[i].length))
			break;
	if (i == ARRAY_SIZE(formats))
		return "is packed in another way than xz, zstd, gzip or lz4";
	/* Every format Linux uses has the unpacked size at its end. */
	*out_size = load32(p + len - 4);
	if (!*out_size || *out_size > KERNEL_MAX)
		return "has a payload whose size makes no sense";
	*out = malloc(*out_size);
	if (!*out)
		return "is too large to unpack: no memory";
	if (formats[i].unpack(p, len, *out, *out_size))
		return NULL;
	free(*out);
	*out = NULL;
	return "is damaged: its payload does not unpack";
}

/* --- files ----------------------------------------------------------- */
/*
 * The whole of a kernel's file, to be freed.  It is read and not mapped: its
 * owner could change what has been checked.
 */
static const char *file_read(struct arena *a, const char *path, uint8_t **data,
			     uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	struct stat st;

	*data = NULL;
	if (fd < 0 || fstat(fd, &st)) {
		why = strerror(errno);
	} else if (!S_ISREG(st.st_mode) || !st.st_size ||
		   st.st_size > (off_t)KERNEL_MAX) {
		why = "is not a file, or empty, or too large";
	} else {
		*size = st.st_size;
		*data = malloc(*size);
		if (!*data || read(fd, *data, *size) != (ssize_t)*size)
			why = "cannot be read";
	}
	if (fd >= 0)
		close(fd);
	if (!why)
		return NULL;
	free(*data);
	return arena_printf(a, "%s: %s", path, why);
}

/* --- the cache ------------------------------------------------------- */
static bool cache_get(const char *name, struct kernel_file *k)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint64_t sum;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size > 8)
		k->map = mmap(NULL, st.st_size, PROT_READ,
			      MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (k->map && k->map != MAP_FAILED) {
		k->elf = k->map;
		k->size = st.st_size - 8;
		memcpy(&sum, k->elf + k->size, 8);
		if (lzma_crc64(k->elf, k->size, 0) == sum)
			return true;
		munmap(k->map, st.st_size);
	}
	k->map = NULL;
	log_warn("%s: damaged, removed", name);
	unlink(name);
	return false;
}

/*
 * The entry of a file that is still as it was when it was unpacked: a change
 * gives it another ctime.  NULL if it changed just now, since then it may do
 * so again within the clock's tick.
 */
static char *cache_name(struct arena *a, const char *cache, const char *path)
{
	struct stat st;

	if (!cache || stat(path, &st) || st.st_ctim.tv_sec + 2 > time(NULL))
		return NULL;
	return arena_printf(a, "%s/%lx-%lx-%lx-%lx.%lx", cache, st.st_dev,
			    st.st_ino, st.st_size, st.st_ctim.tv_sec,
			    st.st_ctim.tv_nsec);
}

/* With too many kernels in it, the cache starts anew. */
static void cache_prune(const char *cache)
{
	DIR *dir = opendir(cache);
	unsigned int n = 0;
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		n += *e->d_name != '.';
	rewinddir(dir);
	while (n >= CACHE_MAX && (e = readdir(dir)))
		unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

/* A cache that cannot be written costs time, nothing else. */
static void cache_put(struct arena *a, const char *name,
		      const struct kernel_file *k)
{
	uint64_t sum = lzma_crc64(k->elf, k->size, 0);
	char *temp = arena_printf(a, "%s.%d", name, (int)getpid());
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (write(fd, k->elf, k->size) != (ssize_t)k->size ||
	    write(fd, &sum, 8) != 8 || rename(temp, name))
		unlink(temp);
	close(fd);
}

/*
 * Opens a kernel, unpacked; cache is a folder or NULL.  The message names the
 * file.
 */
const char *kernel_open(struct arena *a, const char *path, const char *cache,
			struct kernel_file *k)
{
	char *name = cache_name(a, cache, path);
	uint8_t *file, *out;
	const char *why;

	memset(k, 0, sizeof(*k));
	if (name && cache_get(name, k))
		return NULL;
	why = file_read(a, path, &file, &k->size);
	if (why)
		return why;
	k->buffer = file;
	why = kernel_unpack(file, k->size, &out, &k->size);
	if (why)
		return arena_printf(a, "%s: %s", path, why);
	if (out) {
		free(file);
		k->buffer = out;
	}
	k->elf = k->buffer;
	if (name && out) {
		cache_prune(cache);
		cache_put(a, name, k);
	}
	return NULL;
}

/* Gives back what it holds. */
void kernel_close(struct kernel_file *k)
{
	if (k->map)
		munmap(k->map, k->size + 8);
	free(k->buffer);
	memset(k, 0, sizeof(*k));
}
