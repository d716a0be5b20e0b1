// SPDX-License-Identifier: GPL-2.0
/* An open descriptor of /dev/bpf: open, read, write, poll, close. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/if_ether.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "device.h"
#include "file.h"
#include "interface.h"
#include "kernel-model.h"
#include "listener.h"
#include "model.h"
#include "procfs.h"
#include "quota.h"
#include "setup.h"
#include "timeout.h"
#include "zerocopy.h"

/*
 * Besides the permissions of the file, open needs CAP_NET_RAW or membership in
 * the file's group, if that is not root's. UID 0 is not sufficient, so that a
 * container without the capability is denied access.
 */
static bool may_open(const struct inode *inode)
{
	return capable(CAP_NET_RAW) ||
	       (!gid_eq(inode->i_gid, GLOBAL_ROOT_GID) &&
		in_egroup_p(inode->i_gid));
}

/** vcap_open() - open(2): create a descriptor */
int vcap_open(struct inode *inode, struct file *filp)
{
	struct vcap_file *file;
	int err;

	if (!may_open(inode))
		return -EACCES;
	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	err = vcap_quota_open(file);
	if (err) {
		kfree(file);
		return err;
	}
	mutex_init(&file->config);
	mutex_init(&file->lock);
	init_waitqueue_head(&file->wait);
	INIT_LIST_HEAD(&file->waiter);
	vcap_timeout_init(file);
	vcap_desc_init(&file->desc);
	file->model = &vcap_kernel_model;
	file->pid = task_tgid_nr(current);
	filp->private_data = file;
	vcap_procfs_add(file);
	return stream_open(inode, filp);
}

/** vcap_release() - the last close(2): destroy a descriptor */
int vcap_release(struct inode *inode, struct file *filp)
{
	struct vcap_file *file = filp->private_data;

	vcap_timeout_stop(file);
	vcap_procfs_del(file);
	vcap_setup_detach(file);
	vcap_zerocopy_free(file);
	vcap_program_free(file->filter);
	vcap_program_free(file->write_filter);
	vcap_quota_close(file);
	kfree(file);
	return 0;
}

#define WAIT_STATE	(TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/* The condition that ends the sleep of a reader; called without lock. */
static bool wake_condition(const struct vcap_file *file)
{
	return vcap_listener_readable(file) || file->model->pending(file);
}

/*
 * Wait until there may be something to read. Checks the state without the lock;
 * the caller checks it again with the lock. Returns -ETIME at the deadline.
 * After a signal, the kernel restarts the call unless a handler runs.
 */
static int wait_readable(struct vcap_file *file, ktime_t deadline)
{
	const struct vcap_model *model = file->model;
	ktime_t left;
	int err;

	if (vcap_listener_readable(file))
		return 0;
	left = deadline == KTIME_MAX ? deadline
				     : ktime_sub(deadline, ktime_get());
	if (left <= 0)
		return -ETIME;
	model->prepare_wait(file);
	/* Freezable: otherwise a suspend would interrupt it. */
	err = left == KTIME_MAX ?
		wait_event_state(file->wait, wake_condition(file), WAIT_STATE) :
		__wait_event_hrtimeout(file->wait, wake_condition(file), left,
				       WAIT_STATE);
	/* In any case: only this reader may have been woken for the buffer. */
	if (model->pending(file))
		model->fetch(file);
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

/* Start a read; the order of the checks is that of the BSDs. */
static int begin_read(struct vcap_file *file, size_t size, ktime_t *deadline)
{
	int err = 0;

	mutex_lock(&file->lock);
	if (!file->model->read_begin)
		err = -EOPNOTSUPP;
	else if (file->reading)
		err = -EIO;
	else if (!file->dev || size != file->desc.size)
		err = -EINVAL;
	if (!err) {
		file->reading = true;
		vcap_timeout_begin_read(file);
	}
	*deadline = file->timeout ? ktime_add(ktime_get(), file->timeout)
				  : KTIME_MAX;
	mutex_unlock(&file->lock);
	return err;
}

/* End a read; @len: its result. */
static void end_read(struct vcap_file *file, ssize_t len, ktime_t deadline)
{
	bool timed_out;

	mutex_lock(&file->lock);
	timed_out = file->desc.timed_out;
	file->model->read_end(file, len > 0);
	file->reading = false;
	if (len == -ERESTARTNOHAND)
		vcap_timeout_interrupt_read(file, deadline);
	else
		vcap_timeout_end_read(file);
	timed_out &= !file->desc.timed_out;
	mutex_unlock(&file->lock);
	/* The device may delay packets again. */
	if (timed_out)
		vcap_listener_update(file);
}

/*
 * Wait for packets. Returns their length in the hold buffer, which does not
 * change until end_read(), or an error.
 */
static ssize_t await_packets(struct vcap_file *file, bool nonblock,
			     ktime_t deadline)
{
	bool now = false, gone;
	u32 len;
	int err;

	for (;;) {
		mutex_lock(&file->lock);
		len = file->model->read_begin(file, now);
		gone = file->desc.gone;
		mutex_unlock(&file->lock);
		if (len)
			return len;
		if (gone)
			return -EIO;
		if (now)
			return -EAGAIN;

		if (!nonblock) {
			err = wait_readable(file, deadline);
			if (!err)
				continue;
			if (err != -ETIME)
				return err;
		}
		/*
		 * Take what the device has, and do not wait again. If a command
		 * fails now, a later read gets the packets.
		 */
		if (nonblock)
			vcap_listener_sync(file, VCAP_SYNC_READ);
		else
			vcap_listener_catch_up(file);
		now = true;
	}
}

/** vcap_read_iter() - read(2): return a buffer of packets */
ssize_t vcap_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *filp = iocb->ki_filp;
	struct vcap_file *file = filp->private_data;
	bool nonblock = (filp->f_flags & O_NONBLOCK) ||
			(iocb->ki_flags & IOCB_NOWAIT);
	ktime_t deadline;
	ssize_t len;
	int err;

	err = begin_read(file, iov_iter_count(to), &deadline);
	if (err)
		return err;
	len = await_packets(file, nonblock, deadline);
	if (len > 0) {
		len = file->model->copy(file, len, to);
		if (!len)
			len = -EFAULT;
	}
	end_read(file, len, deadline);
	return len;
}

/* Check the length of a frame to write. */
static int check_length(const struct vcap_dev *dev, size_t len)
{
	if (len > ETH_HLEN + (size_t)READ_ONCE(dev->mtu))
		return -EMSGSIZE;
	return len < ETH_HLEN ? -EINVAL : 0;
}

/* Run the write filter over a frame, and fill in the injection's header. */
static bool may_send(struct vcap_file *file, struct vcap_injection *injection,
		     size_t len)
{
	struct vcap_program *filter;
	bool may;
	u32 flags = 0;

	mutex_lock(&file->lock);
	if (!file->desc.header_complete)
		flags |= VIRTIO_CAPTURE_I_SOURCE;
	if (file->desc.feedback)
		flags |= VIRTIO_CAPTURE_I_FEEDBACK;
	filter = file->write_filter;
	migrate_disable();
	may = !filter || vcap_program_run(filter, injection->frame, len, len);
	migrate_enable();
	mutex_unlock(&file->lock);

	injection->head.flags = cpu_to_le32(flags);
	injection->head.reserved = 0;
	return may;
}

/* Send a frame; -EPERM if the write filter rejects it. */
static int send(struct vcap_dev *dev, struct vcap_file *file,
		struct iov_iter *from, bool nonblock)
{
	size_t len = iov_iter_count(from);
	struct vcap_injection *injection;
	int err = -EFAULT;

	injection = kmalloc(sizeof(*injection) + len, GFP_KERNEL);
	if (!injection)
		return -ENOMEM;
	if (copy_from_iter_full(injection->frame, len, from))
		err = may_send(file, injection, len) ?
			      vcap_inject_send(&dev->inject, injection, len,
					       nonblock) : -EPERM;
	if (err)
		kfree(injection);
	return vcap_dev_result(dev, err);
}

/** vcap_write_iter() - write(2): send a frame */
ssize_t vcap_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *filp = iocb->ki_filp;
	struct vcap_file *file = filp->private_data;
	size_t len = iov_iter_count(from);
	bool nonblock = (filp->f_flags & O_NONBLOCK) ||
			(iocb->ki_flags & IOCB_NOWAIT);
	struct vcap_dev *dev = vcap_listener_dev(file);
	int err;

	if (!dev || READ_ONCE(file->desc.gone))
		return -EINVAL;
	if (!len)
		return 0;
	err = check_length(dev, len);
	if (!err && vcap_interface_down(file))
		err = -ENETDOWN;
	if (!err)
		err = send(dev, file, from, nonblock);
	return err ? err : len;
}

/** vcap_poll() - poll(2), select(2), epoll(7) */
__poll_t vcap_poll(struct file *filp, poll_table *wait)
{
	struct vcap_file *file = filp->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(filp, &file->wait, wait);
	if (vcap_listener_dev(file)) {
		/* In this order, so that no buffer in between is missed. */
		if (poll_requested_events(wait) & (EPOLLIN | EPOLLRDNORM))
			file->model->prepare_wait(file);
		if (file->model->pending(file))
			file->model->fetch(file);
		vcap_listener_share(file);
	}
	mutex_lock(&file->lock);
	if (!file->dev || vcap_listener_readable(file))
		events |= EPOLLIN | EPOLLRDNORM;
	else if (poll_requested_events(wait) & (EPOLLIN | EPOLLRDNORM))
		vcap_timeout_poll(file);
	mutex_unlock(&file->lock);
	return events;
}
