// SPDX-License-Identifier: GPL-2.0
/*
 * Event channels through /dev/xen/evtchn.  A port that fires is masked until
 * evtchn_unmask(); all ports of a descriptor go with it.
 */
#include <sys/ioctl.h>
#include <hypercall-abi/linux_dev.h>
#include "lib.h"

static int evtchn_ioctl(int fd, unsigned long op, void *arg)
{
	int r = ioctl(fd, op, arg);

	return r < 0 ? -errno : r;
}

/* A descriptor, readable when a port fired. */
int evtchn_open(void)
{
	int fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* A port for VIRQ_*. */
int evtchn_bind_virq(int fd, unsigned int virq)
{
	return evtchn_ioctl(fd, IOCTL_EVTCHN_BIND_VIRQ,
			    &(struct ioctl_evtchn_bind_virq){ .virq = virq });
}

/* A port connected to a port that domid allocated for us. */
int evtchn_bind_interdomain(int fd, domid_t domid, uint32_t remote_port)
{
	return evtchn_ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN,
			    &(struct ioctl_evtchn_bind_interdomain){
				    domid, remote_port });
}

/* Closes one port. */
int evtchn_unbind(int fd, uint32_t port)
{
	return evtchn_ioctl(fd, IOCTL_EVTCHN_UNBIND,
			    &(struct ioctl_evtchn_unbind){ .port = port });
}

/* Sends an event to the other end. */
int evtchn_notify(int fd, uint32_t port)
{
	return evtchn_ioctl(fd, IOCTL_EVTCHN_NOTIFY,
			    &(struct ioctl_evtchn_notify){ .port = port });
}

/* Fetches up to max ports that fired; how many, 0 if none. */
int evtchn_pending(int fd, uint32_t *ports, unsigned int max)
{
	ssize_t r = read(fd, ports, max * sizeof(*ports));

	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return r / sizeof(*ports);
}

/* Lets a port fire again. */
int evtchn_unmask(int fd, uint32_t port)
{
	return write(fd, &port, sizeof(port)) == sizeof(port) ? 0 : -errno;
}
