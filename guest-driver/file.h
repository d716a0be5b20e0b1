/* SPDX-License-Identifier: GPL-2.0 */
/* An open descriptor of /dev/bpf: open, read, write, poll, close. */
#ifndef VCAP_FILE_H
#define VCAP_FILE_H

#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uio.h>

int vcap_open(struct inode *inode, struct file *filp);
int vcap_release(struct inode *inode, struct file *filp);
ssize_t vcap_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t vcap_write_iter(struct kiocb *iocb, struct iov_iter *from);
__poll_t vcap_poll(struct file *filp, poll_table *wait);

#endif /* VCAP_FILE_H */
