/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of /dev/bpf: what ioctl.c and compat-ioctl.c share. */
#ifndef VCAP_IOCTL_H
#define VCAP_IOCTL_H

#include <linux/fs.h>
#include <linux/if.h>

#include "vcap.h"

/* Any argument; a request's type and size are in its number. */
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
 * vcap_request() - carry out a request
 * @file: the descriptor
 * @request: its number, of a 64-bit program
 * @arg: copied in if the request writes it, else zeros; changed if it reads it
 *
 * Return: 0 or the error that bpf(4) tells for the request; -ENOTTY if there is
 * no such request.
 */
int vcap_request(struct vcap_file *file, unsigned int request,
		 union vcap_argument *arg);

long vcap_ioctl(struct file *filp, unsigned int request, unsigned long user);

#endif /* VCAP_IOCTL_H */
