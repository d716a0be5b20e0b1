// SPDX-License-Identifier: GPL-2.0
/* What a device's listeners want of it, and LISTEN, which tells it. */
#include "listen.h"
#include "listener.h"

/* Called with listen_lock. */
static int send_listen(struct vcap_dev *dev,
		       const struct virtio_capture_listen *listen)
{
	int err = 0;

	lockdep_assert_held(&dev->listen_lock);
	if (!memcmp(listen, &dev->listen, sizeof(*listen)))
		return 0;
	/* The clock first: no frame gets the time of an old offset. */
	if (!dev->listen.snaplen)
		err = vcap_clock_set(&dev->clock, &dev->control);
	if (!err)
		err = vcap_control_listen(&dev->control, listen);
	if (!err)
		dev->listen = *listen;
	return err;
}

/**
 * vcap_listen_update() - tell the device what its listeners want, if that changed
 * @dev: the device
 *
 * Called without locks after a change of a listener or of their list.
 *
 * Return: 0 or the error of the command. The device does as before then; it is
 * told later if it could not be told now.
 */
int vcap_listen_update(struct vcap_dev *dev)
{
	struct virtio_capture_listen listen = {};
	struct vcap_needs all = {};
	struct vcap_file *file;
	int err;

	mutex_lock(&dev->listen_lock);
	mutex_lock(&dev->lock);
	list_for_each_entry(file, &dev->listeners, listener)
		if (!file->lq)
			vcap_listener_add_needs(file, &all);
	mutex_unlock(&dev->lock);
	listen.snaplen = cpu_to_le32(all.snaplen);
	listen.flags = cpu_to_le32(all.flags);
	listen.delay = cpu_to_le32(all.immediate ? 0 :
				   all.delay ?: VIRTIO_CAPTURE_DELAY_NONE);
	err = send_listen(dev, &listen);
	mutex_unlock(&dev->listen_lock);
	if (err == -ENOBUFS)
		vcap_dev_retry(dev);
	return vcap_dev_result(dev, err);
}

/**
 * vcap_listen_resend() - tell the device anew what it was told
 * @dev: the device
 *
 * After a resume it knows nothing, and after a change of its configuration its
 * netdev may be gone, which the answer tells.
 *
 * Return: 0 or the error of the command; -ENXIO: no more frames will come.
 */
int vcap_listen_resend(struct vcap_dev *dev)
{
	mutex_lock(&dev->listen_lock);
	memset(&dev->listen, 0, sizeof(dev->listen));
	mutex_unlock(&dev->listen_lock);
	return vcap_listen_update(dev);
}

/**
 * vcap_listen_add() - put a descriptor into the list of listeners
 * @dev: the device
 * @file: the descriptor
 * @netdev: the interface that it listens by, which cannot go now; or NULL
 *
 * The caller calls vcap_listen_update() next.
 *
 * Return: 0 or the error of vcap_dev_error().
 */
int vcap_listen_add(struct vcap_dev *dev, struct vcap_file *file,
		    const struct net_device *netdev)
{
	int err;

	mutex_lock(&dev->lock);
	file->orphan = false;
	rcu_assign_pointer(file->netdev, netdev);
	err = vcap_dev_error(dev);
	if (!err)
		list_add_tail(&file->listener, &dev->listeners);
	mutex_unlock(&dev->lock);
	return err;
}

/** vcap_listen_del() - undo vcap_listen_add(); then update, too */
void vcap_listen_del(struct vcap_dev *dev, struct vcap_file *file)
{
	mutex_lock(&dev->lock);
	list_del(&file->listener);
	RCU_INIT_POINTER(file->netdev, NULL);
	mutex_unlock(&dev->lock);
}
