/* SPDX-License-Identifier: MIT */
/*
 * The store's wire protocol: how xenstored and its clients talk, over a Unix
 * socket or over a page that a domain shares with the daemon.
 *
 * A message is a header and `len` bytes of payload.  A client sends requests;
 * the daemon answers each with a message of the same type, req_id and tx_id,
 * or of type XS_ERROR, whose payload is the name of an errno value ("ENOENT")
 * and a NUL.  In between it sends XS_WATCH_EVENT messages of its own accord.
 * All numbers are little endian.
 */
#ifndef ABI_XS_WIRE_H
#define ABI_XS_WIRE_H

#include <stdint.h>

/* xsd_sockmsg.type.  Behind each: payload of the request -> of the answer,
 * | standing for a NUL byte; "OK|" where no answer is named. */
#define XS_CONTROL		0	/* command|argument|... -> text| */
#define XS_DIRECTORY		1	/* path| -> child|... */
#define XS_READ			2	/* path| -> value */
#define XS_GET_PERMS		3	/* path| -> permission|... */
#define XS_WATCH		4	/* path|token| */
#define XS_UNWATCH		5	/* path|token| */
#define XS_TRANSACTION_START	6	/* | -> id in decimal| */
#define XS_TRANSACTION_END	7	/* "T"| to commit, "F"| to abandon */
#define XS_INTRODUCE		8	/* domid|gfn|port| */
#define XS_RELEASE		9	/* domid| */
#define XS_GET_DOMAIN_PATH	10	/* domid| -> path| */
#define XS_WRITE		11	/* path|value */
#define XS_MKDIR		12	/* path| */
#define XS_RM			13	/* path| */
#define XS_SET_PERMS		14	/* path|permission|... */
#define XS_WATCH_EVENT		15	/* only sent by the daemon: path|token| */
#define XS_ERROR		16	/* only sent by the daemon: name| */
#define XS_IS_DOMAIN_INTRODUCED	17	/* domid| -> "T"| or "F"| */
#define XS_RESUME		18	/* domid| */
#define XS_SET_TARGET		19	/* domid|target domid| */
#define XS_RESET_WATCHES	21	/* | */
#define XS_DIRECTORY_PART	22	/* path|offset| -> generation|child|... */
#define XS_TYPE_COUNT		23
#define XS_INVALID		0xffff	/* never a type */

/* Written by the sender of each message, read by the receiver. */
struct xsd_sockmsg {
	uint32_t type;		/* XS_* */
	uint32_t req_id;	/* chosen by the client, copied to the answer */
	uint32_t tx_id;		/* 0, or from XS_TRANSACTION_START */
	uint32_t len;		/* of the payload, at most ... */
};
#define XENSTORE_PAYLOAD_MAX	4096

/* Longest path from the root, and below /local/domain/<id>/. */
#define XENSTORE_ABS_PATH_MAX	3072
#define XENSTORE_REL_PATH_MAX	2048

/*
 * The shared page.  Indices run freely; a byte's place is its index modulo
 * the ring's size.  The guest writes req, req_prod and rsp_cons, the daemon
 * rsp, rsp_prod and req_cons; each trusts its own indices only.  After moving
 * an index a side notifies the other through the event channel.
 */
#define XENSTORE_RING_SIZE	1024
typedef uint32_t XENSTORE_RING_IDX;
#define MASK_XENSTORE_IDX(idx)	((idx) & (XENSTORE_RING_SIZE - 1))

struct xenstore_domain_interface {
	char req[XENSTORE_RING_SIZE];	/* requests, to the daemon */
	char rsp[XENSTORE_RING_SIZE];	/* answers and events, to the guest */
	XENSTORE_RING_IDX req_cons, req_prod;
	XENSTORE_RING_IDX rsp_cons, rsp_prod;
	uint32_t server_features;	/* daemon: XENSTORE_SERVER_FEATURE_* */
	uint32_t connection;		/* guest sets RECONNECT, daemon clears */
	uint32_t error;			/* daemon: XENSTORE_ERROR_* */
};

#define XENSTORE_SERVER_FEATURE_RECONNECTION	1
#define XENSTORE_SERVER_FEATURE_ERROR		2

#define XENSTORE_CONNECTED	0
#define XENSTORE_RECONNECT	1

#define XENSTORE_ERROR_NONE	0
#define XENSTORE_ERROR_COMM	1	/* the channel does not work */
#define XENSTORE_ERROR_RINGIDX	2	/* the guest's indices are impossible */
#define XENSTORE_ERROR_PROTO	3	/* a payload is longer than allowed */

#endif
