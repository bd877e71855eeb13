/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the control domain's programs share.  Prototypes stand under the file
 * that owns them; each function's contract is above its body.
 *
 * Rules that hold throughout: a function that can fail returns a negative
 * errno value, or NULL with errno set; nothing here ends the process except
 * fatal() and fatalx(); one thread.
 *
 * The C library's headers that nearly every file needs stand here, the others
 * where they are used.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <syslog.h>
#include <unistd.h>
#include <hypercall-abi/xen.h>
#include <hypercall-abi/domctl.h>
#include <hypercall-abi/sysctl.h>
#include <hypercall-abi/xs_wire.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

/* log.c */
void log_open(const char *program);
void log_to_syslog(void);
void log_at(int priority, const char *fmt, ...) PRINTF(2, 3);
/* What the operator may want to know; what went wrong. */
#define log_info(...)	log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)	log_at(LOG_WARNING, __VA_ARGS__)
/* Ends the process, as fatalx() does, and tells what errno means. */
#define fatal(fmt, ...)	fatalx(fmt ": %m", ##__VA_ARGS__)
void fatalx(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

/* options.c */
extern const char *opt[128];
char **options_read(int argc, char **argv, const char *known,
		    const char *usage);

/* daemon.c */
void daemon_detach(void);
void daemon_ready(const char *pid_file);
void daemon_single(const char *lock_file);
int daemon_listen(const char *path, int mode);

/* arena.c: memory that is given back all at once. */
struct arena {
	struct arena_block *blocks;
};
void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *data, size_t size);
char *arena_string(struct arena *a, const char *s);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
void arena_release(struct arena *a);

/* loop.c: the process's one event loop. */
#define LOOP_IN		1u	/* EPOLLIN */
#define LOOP_OUT	4u	/* EPOLLOUT */
typedef void loop_fn(void *arg, unsigned int events);
struct loop_timer {
	void (*fn)(void *arg);
	void *arg;
	uint64_t due;			/* ms; private */
	struct loop_timer *next;	/* private */
	bool armed;			/* private */
};
uint64_t loop_now(void);
int loop_add(int fd, unsigned int events, loop_fn *fn, void *arg);
int loop_want(int fd, unsigned int events);
void loop_del(int fd);
void loop_timer_set(struct loop_timer *t, uint64_t ms);
void loop_timer_clear(struct loop_timer *t);
void loop_after(bool (*fn)(void));
void loop_forked(void);
void loop_run(void) __attribute__((noreturn));

/* wire.c: messages of the store. */
#define WIRE_READ	1		/* access bits of a permission */
#define WIRE_WRITE	2
struct wire_perm {
	domid_t domid;
	uint8_t access;
};
#define WIRE_PERM_CHARS	7		/* "b65535" and its NUL */
struct wire_in {			/* one message being received */
	unsigned int used;
	union {
		char bytes[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
		struct {
			struct xsd_sockmsg hdr;
			char payload[XENSTORE_PAYLOAD_MAX];
		};
	};
};
const char *wire_error_name(int error);
int wire_error_number(const char *name);
unsigned int wire_wanted(const struct wire_in *in);
int wire_strings(const char *data, unsigned int len, const char **strings,
		 unsigned int max);
int wire_parse_perm(const char *s, struct wire_perm *perm);
unsigned int wire_format_perm(const struct wire_perm *perm, char *to);
bool wire_parse_u32(const char *s, uint32_t max, uint32_t *value);

/* store.c: a client of xenstored. */
typedef void store_watch_fn(void *arg);
#define STORE_PATIENCE	30000	/* ms for the daemon to return */
struct store *store_open(unsigned int patience);
char *store_read(struct store *s, struct arena *a, uint32_t tx,
		 const char *path, unsigned int *len);
int store_write(struct store *s, uint32_t tx, const char *path,
		const void *value, unsigned int len);
int store_mkdir(struct store *s, uint32_t tx, const char *path);
int store_rm(struct store *s, uint32_t tx, const char *path);
char **store_list(struct store *s, struct arena *a, uint32_t tx,
		  const char *path, unsigned int *n);
int store_set_perms(struct store *s, uint32_t tx, const char *path,
		    const struct wire_perm *perms, unsigned int n);
int store_begin(struct store *s, uint32_t *tx);
int store_end(struct store *s, uint32_t tx, bool commit);
struct store_watch *store_watch(struct store *s, const char *path,
				store_watch_fn *fn, void *arg);
void store_unwatch(struct store *s, struct store_watch *w);
int store_introduce(struct store *s, domid_t domid, uint64_t gfn,
		    uint32_t port);
int store_release(struct store *s, domid_t domid);

/* hyper.c: hypercalls and other domains' memory. */
int hyper_open(void);
void *hyper_alloc(size_t size);
void hyper_free(void *p, size_t size);
int hyper_sysctl(struct xen_sysctl *op);
int hyper_next_domain(domid_t first, struct xen_domctl_getdomaininfo *info);
int hyper_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info);
int hyper_read_log(char *buf, unsigned int size, uint32_t *index);
void *hyper_map(domid_t domid, const uint64_t *frames, unsigned int n,
		int prot);
void hyper_unmap(void *p, unsigned int n);
int hyper_create(const uint8_t uuid[16], unsigned int vcpus, uint32_t ports,
		 int grant_frames);
int hyper_destroy(domid_t domid);
int hyper_pause(domid_t domid);
int hyper_unpause(domid_t domid);
int hyper_max_mem(domid_t domid, uint64_t kib);
int hyper_hypercall_page(domid_t domid, uint64_t frame);
int hyper_set_context(domid_t domid, unsigned int vcpu,
		      const struct vcpu_guest_context *c);
int hyper_vcpu_info(domid_t domid, unsigned int vcpu,
		    struct xen_domctl_getvcpuinfo *info);
int hyper_affinity(domid_t domid, unsigned int vcpu, bool set, uint64_t *hard,
		   uint64_t *soft);
int hyper_sched(domid_t domid, bool set, uint16_t *weight, uint16_t *cap);
int hyper_alloc_port(domid_t domid, domid_t remote);
long hyper_populate(domid_t domid, uint64_t *extents, uint64_t n,
		    unsigned int order);
int hyper_pin_l4(domid_t domid, uint64_t frame);
void *hyper_map_grants(domid_t domid);
int hyper_physinfo(struct xen_sysctl_physinfo *info);
long hyper_version(unsigned int cmd, void *to, size_t size);
int hyper_debug_keys(const char *keys);

/* evtchn.c: event channels; fd is what evtchn_open() gave. */
int evtchn_open(void);
int evtchn_bind_virq(int fd, unsigned int virq);
int evtchn_bind_interdomain(int fd, domid_t domid, uint32_t remote_port);
int evtchn_unbind(int fd, uint32_t port);
int evtchn_notify(int fd, uint32_t port);
int evtchn_pending(int fd, uint32_t *ports, unsigned int max);
int evtchn_unmask(int fd, uint32_t port);

/* gnttab.c: pages that other domains grant us. */
int gnttab_open(void);
void *gnttab_map(int fd, domid_t domid, uint32_t ref, int prot);
void gnttab_unmap(int fd, void *page);
