/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of 32-bit programs. */
#ifndef VCAP_COMPAT_IOCTL_H
#define VCAP_COMPAT_IOCTL_H

#include <linux/fs.h>

long vcap_compat_ioctl(struct file *filp, unsigned int request,
		       unsigned long user);

#endif /* VCAP_COMPAT_IOCTL_H */
