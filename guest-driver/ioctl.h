/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of /dev/bpf: declarations shared by ioctl*.c and compat-ioctl.c. */
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

/*
 * Handlers, named after their requests. The caller holds file->config; errors are
 * those of bpf(4).
 */
typedef int vcap_handler(struct vcap_file *file, union vcap_argument *arg);

/* ioctl-filter.c */
vcap_handler vcap_ioctl_set_filter;		/* BIOCSETF */
vcap_handler vcap_ioctl_set_filter_keep;	/* BIOCSETFNR */
vcap_handler vcap_ioctl_set_write_filter;	/* BIOCSETWF */

/* ioctl-buffer.c */
vcap_handler vcap_ioctl_get_blen;
vcap_handler vcap_ioctl_set_blen;
vcap_handler vcap_ioctl_flush;
vcap_handler vcap_ioctl_get_bufmode;
vcap_handler vcap_ioctl_set_bufmode;
vcap_handler vcap_ioctl_get_zbuf_max;
vcap_handler vcap_ioctl_set_zbuf;
vcap_handler vcap_ioctl_rotate_zbuf;
vcap_handler vcap_ioctl_get_readable;		/* FIONREAD */

long vcap_ioctl(struct file *filp, unsigned int request, unsigned long user);

#endif /* VCAP_IOCTL_H */
