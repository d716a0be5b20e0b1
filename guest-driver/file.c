// SPDX-License-Identifier: GPL-2.0
/* An open descriptor of /dev/bpf: open, attach, read, poll, close. */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "vcap.h"

/*
 * Who got past the node's mode may open it with CAP_NET_RAW, or as a member of
 * its group if that is not root's: to be root is not enough in a container that
 * dropped the capability.
 */
static bool may_open(const struct inode *inode)
{
	return capable(CAP_NET_RAW) ||
	       (!gid_eq(inode->i_gid, GLOBAL_ROOT_GID) &&
		in_egroup_p(inode->i_gid));
}

static int vcap_open(struct inode *inode, struct file *filp)
{
	struct vcap_file *file;
	int err;

	if (!may_open(inode))
		return -EACCES;
	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	err = vcap_limits_open(file);
	if (err) {
		kfree(file);
		return err;
	}
	mutex_init(&file->config);
	mutex_init(&file->lock);
	init_waitqueue_head(&file->wait);
	vcap_timeout_init(file);
	vcap_desc_init(&file->desc);
	file->pid = task_tgid_nr(current);
	filp->private_data = file;
	vcap_peers_add(file);
	return stream_open(inode, filp);
}

static int vcap_release(struct inode *inode, struct file *filp)
{
	struct vcap_file *file = filp->private_data;

	vcap_timeout_stop(file);
	vcap_peers_del(file);
	if (file->dev) {
		vcap_dev_del_listener(file->dev, file);
		vcap_dev_update(file->dev);
		vcap_dev_put(file->dev);
	}
	vfree(file->desc.store);
	vfree(file->desc.hold);
	if (file->desc.store)
		vcap_limits_uncharge(file);
	vcap_program_free(file->filter);
	vcap_program_free(file->write_filter);
	vcap_limits_close(file);
	kfree(file);
	return 0;
}

/** vcap_file_wake() - packets came, or none will: readers and pollers look */
void vcap_file_wake(struct vcap_file *file)
{
	wake_up_interruptible_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
}

/* The device that a descriptor is attached to, or NULL. */
static struct vcap_dev *attached(struct vcap_file *file)
{
	struct vcap_dev *dev;

	mutex_lock(&file->lock);
	dev = file->dev;
	mutex_unlock(&file->lock);
	return dev;
}

/**
 * vcap_file_sync() - the barrier for one descriptor
 * @file: the descriptor
 *
 * What the interface transmitted or received before the call is in its buffers
 * and counts afterwards. Without an interface, and with one that is gone, there
 * is nothing to wait for.
 *
 * Return: 0, or why the device could not be asked, as vcap_capture_sync().
 */
int vcap_file_sync(struct vcap_file *file)
{
	struct vcap_dev *dev = attached(file);
	int err = dev ? vcap_capture_sync(dev) : 0;

	return READ_ONCE(file->desc.gone) ? 0 : err;
}

static int update(struct vcap_file *file)
{
	struct vcap_dev *dev = attached(file);
	int err = dev ? vcap_dev_update(dev) : 0;

	return READ_ONCE(file->desc.gone) ? 0 : err;
}

/**
 * vcap_file_prepare() - get the device ready for a change of the set-up
 * @file: the descriptor; config is held
 * @next: what it will need of the device, beside what it needs now
 *
 * Afterwards all frames come as they are needed with the old set-up and with
 * the new one, and those that came before are in the buffers. The caller then
 * changes the set-up, which cannot fail, and calls vcap_file_settle().
 *
 * Return: 0, or why the device could not be told: then nothing may change.
 */
int vcap_file_prepare(struct vcap_file *file, const struct vcap_wish *next)
{
	int err;

	lockdep_assert_held(&file->config);
	mutex_lock(&file->lock);
	file->next = *next;
	mutex_unlock(&file->lock);
	err = update(file);
	if (!err)
		err = vcap_file_sync(file);
	if (err)
		vcap_file_settle(file);
	return err;
}

/** vcap_file_settle() - a change was made, or given up: need no more for it */
void vcap_file_settle(struct vcap_file *file)
{
	mutex_lock(&file->lock);
	memset(&file->next, 0, sizeof(file->next));
	mutex_unlock(&file->lock);
	/* Until the device knows, it does more than it needs to: no error. */
	update(file);
}

/*
 * On the account of who asks. The buffers may be large: to be refused is better
 * than to have other processes killed for them.
 */
#define BUFFER_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

static int alloc_buffers(struct vcap_file *file)
{
	int err = vcap_limits_charge(file);
	void *store, *hold;

	if (err)
		return err;
	store = __vmalloc(file->desc.size, BUFFER_GFP);
	hold = __vmalloc(file->desc.size, BUFFER_GFP);
	if (!store || !hold) {
		vfree(store);
		vfree(hold);
		vcap_limits_uncharge(file);
		/* Programs ask for less then; ENOMEM ends them. */
		return -ENOBUFS;
	}
	mutex_lock(&file->lock);
	vcap_desc_attach(&file->desc, store, hold);
	/* The program that attaches it is the one that will read it. */
	file->desc.format.compat = in_compat_syscall();
	mutex_unlock(&file->lock);
	return 0;
}

static void free_buffers(struct vcap_file *file)
{
	vfree(file->desc.store);
	vfree(file->desc.hold);
	vcap_limits_uncharge(file);
	mutex_lock(&file->lock);
	vcap_desc_attach(&file->desc, NULL, NULL);
	mutex_unlock(&file->lock);
}

/**
 * vcap_file_attach() - attach a descriptor to an interface; config is held
 * @file: the descriptor
 * @name: of the interface or the capture device
 *
 * Return: 0, -EINVAL if it was attached before, -ENXIO if there is no such
 * interface or no device captures on it, -ENOBUFS if its user may have no more
 * memory or there is none, or why the device could not be told.
 */
int vcap_file_attach(struct vcap_file *file, const char *name)
{
	struct vcap_dev *dev;
	bool own_name;
	int err;

	lockdep_assert_held(&file->config);
	if (file->dev)
		return -EINVAL;
	dev = vcap_dev_find(name, &own_name);
	if (!dev)
		return -ENXIO;
	err = alloc_buffers(file);
	if (err)
		goto put_dev;

	/* Frames that others captured before are not for this descriptor. */
	err = vcap_capture_sync(dev);
	if (!err)
		err = vcap_dev_add_listener(dev, file, own_name ? NULL : name);
	if (err)
		goto free_buffers;
	err = vcap_dev_update(dev);
	if (err)
		goto del_listener;
	mutex_lock(&file->lock);
	file->dev = dev;
	mutex_unlock(&file->lock);
	return 0;

del_listener:
	vcap_dev_del_listener(dev, file);
	vcap_dev_update(dev);
free_buffers:
	free_buffers(file);
put_dev:
	vcap_dev_put(dev);
	return err;
}

/**
 * vcap_file_set_filter() - replace the filter; config is held
 * @file: the descriptor
 * @filter: the new one, owned by the descriptor from now on; NULL: none
 * @flush: start afresh, without what the old one let in
 *
 * Return: 0, or why the device could not be told: then the old filter stays, and
 * the new one is still the caller's.
 */
int vcap_file_set_filter(struct vcap_file *file, struct vcap_program *filter,
			 bool flush)
{
	/* The new filter must not meet frames cut to what the old one wanted. */
	struct vcap_wish next = {
		.snaplen = filter ? filter->snaplen : U32_MAX,
	};
	int err = vcap_file_prepare(file, &next);

	if (err)
		return err;
	mutex_lock(&file->lock);
	swap(file->filter, filter);
	if (flush)
		vcap_desc_flush(&file->desc);
	mutex_unlock(&file->lock);
	vcap_program_free(filter);
	vcap_file_settle(file);
	return 0;
}

/*
 * Wait until there may be something to read. Looks at the state without the
 * lock; the caller looks again with it. Returns -ETIME at the deadline. With a
 * signal, the kernel makes the call again unless a handler is run.
 */
static int wait_readable(struct vcap_file *file, ktime_t deadline)
{
	ktime_t left = KTIME_MAX;
	int err;

	if (deadline != KTIME_MAX) {
		left = ktime_sub(deadline, ktime_get());
		if (left <= 0)
			return -ETIME;
	}
	if (vcap_desc_readable(&file->desc))
		return 0;
	/* Freezable, or each suspend of the machine would end it. */
	err = __wait_event_hrtimeout(file->wait,
				     vcap_desc_readable(&file->desc), left,
				     (TASK_INTERRUPTIBLE |
				      TASK_FREEZABLE));
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

/* Start a read: the checks in the order of the BSDs. */
static int begin_read(struct vcap_file *file, size_t size, ktime_t *deadline)
{
	int err = 0;

	mutex_lock(&file->lock);
	if (file->reading)
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

/* End a read that returns @len. */
static void end_read(struct vcap_file *file, ssize_t len, ktime_t deadline)
{
	mutex_lock(&file->lock);
	vcap_desc_read_end(&file->desc, len > 0);
	file->reading = false;
	if (len == -ERESTARTNOHAND)
		vcap_timeout_interrupt_read(file, deadline);
	else
		vcap_timeout_end_read(file);
	mutex_unlock(&file->lock);
}

/*
 * Get hold of packets. Returns their length in the hold buffer, which is left
 * alone until end_read(), or why there are none.
 */
static ssize_t await_packets(struct vcap_file *file, bool nonblock,
			     ktime_t deadline)
{
	bool now = false, gone;
	u32 len;
	int err;

	for (;;) {
		mutex_lock(&file->lock);
		len = vcap_desc_read_begin(&file->desc, now);
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
		 * Take what the device still has, and do not wait again. What
		 * it cannot be asked for now, a later read gets.
		 */
		vcap_file_sync(file);
		now = true;
	}
}

static ssize_t vcap_read_iter(struct kiocb *iocb, struct iov_iter *to)
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
	if (len > 0 && copy_to_iter(file->desc.hold, len, to) != len)
		len = -EFAULT;
	end_read(file, len, deadline);
	return len;
}

/* May a frame of this length be written? */
static int check_length(const struct vcap_dev *dev, size_t len)
{
	if (len > ETH_HLEN + (size_t)READ_ONCE(dev->mtu))
		return -EMSGSIZE;
	return len < ETH_HLEN ? -EINVAL : 0;
}

/* One call sends one frame, also of several parts. */
static ssize_t vcap_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *filp = iocb->ki_filp;
	struct vcap_file *file = filp->private_data;
	size_t len = iov_iter_count(from);
	bool nonblock = (filp->f_flags & O_NONBLOCK) ||
			(iocb->ki_flags & IOCB_NOWAIT);
	struct vcap_dev *dev = attached(file);
	int err;

	if (!dev || READ_ONCE(file->desc.gone))
		return -EINVAL;
	if (!len)
		return 0;
	err = check_length(dev, len);
	if (!err && vcap_interface_down(file))
		err = -ENETDOWN;
	if (!err)
		err = vcap_inject(dev, file, from, nonblock);
	return err ? err : len;
}

static __poll_t vcap_poll(struct file *filp, poll_table *wait)
{
	struct vcap_file *file = filp->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(filp, &file->wait, wait);
	mutex_lock(&file->lock);
	if (!file->dev || vcap_desc_readable(&file->desc))
		events |= EPOLLIN | EPOLLRDNORM;
	else if (poll_requested_events(wait) & (EPOLLIN | EPOLLRDNORM))
		vcap_timeout_poll(file);
	mutex_unlock(&file->lock);
	return events;
}

const struct file_operations vcap_fops = {
	.owner = THIS_MODULE,
	.open = vcap_open,
	.release = vcap_release,
	.read_iter = vcap_read_iter,
	.write_iter = vcap_write_iter,
	.poll = vcap_poll,
	.unlocked_ioctl = vcap_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = vcap_compat_ioctl,
#endif
	.llseek = no_llseek,
};
