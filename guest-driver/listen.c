// SPDX-License-Identifier: GPL-2.0
/* LISTEN for the shared queue: the combined requirements of its listeners. */
#include "listen.h"
#include "listener.h"

/* Send LISTEN if it differs from the last one. Called with listen_lock. */
static int send_listen(struct vcap_dev *dev,
		       const struct virtio_capture_listen *listen)
{
	int err = 0;

	lockdep_assert_held(&dev->listen_lock);
	if (!memcmp(listen, &dev->listen, sizeof(*listen)))
		return 0;
	/* Set the clock first, so that no frame gets an outdated offset. */
	if (!dev->listen.snaplen)
		err = vcap_clock_set(&dev->clock, &dev->control);
	if (!err)
		err = vcap_control_listen(&dev->control, listen);
	if (!err)
		dev->listen = *listen;
	return err;
}

/**
 * vcap_listen_update() - send the requirements of all listeners, if they
 * changed
 * @dev: the device
 *
 * Called without locks after a change of a listener or of the list of
 * listeners.
 *
 * Return: 0 or the error of the command. On failure the device keeps the old
 * requirements; the command is repeated later if there was no memory.
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
 * vcap_listen_resend() - send the requirements again, even if unchanged
 * @dev: the device
 *
 * After a resume the device has none; after a configuration change its netdev
 * may be gone, which the reply tells.
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
 * vcap_listen_add() - add a descriptor to the list of listeners
 * @dev: the device
 * @file: the descriptor
 * @netdev: the interface by whose name it is attached; it cannot go during this
 *          call; NULL: it is attached by the name of the device
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

/** vcap_listen_del() - undo vcap_listen_add(); vcap_listen_update() is next */
void vcap_listen_del(struct vcap_dev *dev, struct vcap_file *file)
{
	mutex_lock(&dev->lock);
	list_del(&file->listener);
	RCU_INIT_POINTER(file->netdev, NULL);
	mutex_unlock(&dev->lock);
}
