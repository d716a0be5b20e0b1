/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of /dev/bpf: declarations shared by ioctl.c and compat-ioctl.c. */
#ifndef VCAP_IOCTL_H
#define VCAP_IOCTL_H

#include <linux/fs.h>
#include <linux/if.h>

#include "vcap.h"

/* The argument of any request; its type and size are encoded in the number. */
union vcap_argument {
	unsigned int value;
	struct bpf_program program;
	struct ifreq ifreq;
	struct bpf_stat stat;
	struct bpf_version version;
	struct bpf_dltlist dltlist;
	struct bpf_timeval timeval;
	struct bpf_zbuf zbuf;
	size_t size;
};

/**
 * vcap_request() - execute a request
 * @file: the descriptor
 * @request: its number, of 64-bit programs
 * @arg: copied in for requests with an input, else zeroed; updated by requests
 *       with an output
 *
 * Return: 0 or the error documented in bpf(4); -ENOTTY for an unknown request.
 */
int vcap_request(struct vcap_file *file, unsigned int request,
		 union vcap_argument *arg);

long vcap_ioctl(struct file *filp, unsigned int request, unsigned long user);

#endif /* VCAP_IOCTL_H */
