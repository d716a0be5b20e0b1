// SPDX-License-Identifier: GPL-2.0
/* The life of a device: its state, and what goes with a change of it. */
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "device.h"
#include "listener.h"

/* How soon that is tried again which there was no memory for. */
#define RETRY_DELAY	(HZ / 10)

/** vcap_dev_alloc() - a device without queues; NULL without memory */
struct vcap_dev *vcap_dev_alloc(struct virtio_device *vdev)
{
	struct vcap_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	if (vcap_control_init(&dev->control)) {
		kfree(dev);
		return NULL;
	}
	vcap_inject_init(&dev->inject);
	vcap_clock_init(&dev->clock);
	kref_init(&dev->ref);
	dev->vdev = vdev;
	INIT_LIST_HEAD(&dev->node);
	INIT_LIST_HEAD(&dev->listeners);
	INIT_LIST_HEAD(&dev->waiters);
	spin_lock_init(&dev->waiters_lock);
	vcap_queue_init(&dev->queue);
	mutex_init(&dev->state_lock);
	mutex_init(&dev->listen_lock);
	mutex_init(&dev->lock);
	return dev;
}

static void release(struct kref *ref)
{
	struct vcap_dev *dev = container_of(ref, struct vcap_dev, ref);

	/* Who attached while it was removed had some allocated. */
	vcap_queue_free(&dev->queue);
	vcap_control_free(&dev->control);
	vcap_lq_exit(&dev->lq_table);
	kfree(dev);
}

/** vcap_dev_put() - give a reference back */
void vcap_dev_put(struct vcap_dev *dev)
{
	kref_put(&dev->ref, release);
}

/* Why the queues cannot be used in a state; 0 if they can. */
static int error_of(enum vcap_state state)
{
	switch (state) {
	case VCAP_READY:
		return 0;
	case VCAP_SUSPENDED:
		return -EAGAIN;
	default:
		return -ENXIO;
	}
}

/**
 * vcap_dev_error() - why a queue of the device cannot be used
 * @dev: the device
 *
 * Called with the lock of the queue that is to be used, or of the listeners; the
 * answer is good until that is given back.
 *
 * Return: 0 if it can; -EAGAIN in a suspend; -ENXIO when the device was given up
 * or removed.
 */
int vcap_dev_error(struct vcap_dev *dev)
{
	/* Pairs with the release below: the queues are those of the state. */
	return error_of(smp_load_acquire(&dev->state));
}

/**
 * vcap_dev_set_state() - change the state of a device
 * @dev: the device
 * @state: the new state
 *
 * Nobody else changes it. When this returns, nobody is in a queue who found it
 * usable in the old state: commands that were under way have ended with an
 * error, and writers who wait for queue space have been woken. When the device
 * is given up or removed, its listeners have ended. Called without locks.
 */
void vcap_dev_set_state(struct vcap_dev *dev, enum vcap_state state)
{
	mutex_lock(&dev->state_lock);
	if (dev->state == VCAP_REMOVED || dev->state == state)
		goto unlock;
	if (state == VCAP_BROKEN)
		dev_err(&dev->vdev->dev, "%s: %s; the device is given up\n",
			dev->name,
			READ_ONCE(dev->fault) ?: VCAP_MALFORMED_QUEUE);
	/* Pairs with the acquire in vcap_dev_error(). */
	smp_store_release(&dev->state, state);

	/*
	 * Who holds the lock of a queue may still use it. Listeners first: who
	 * gave a command finds them ended when the command fails.
	 */
	mutex_lock(&dev->lock);
	if (state == VCAP_BROKEN || state == VCAP_REMOVED)
		vcap_listeners_end(&dev->listeners, true);
	mutex_unlock(&dev->lock);
	vcap_control_set_error(&dev->control, error_of(state));
	vcap_inject_set_error(&dev->inject, error_of(state));
unlock:
	mutex_unlock(&dev->state_lock);
}

/**
 * vcap_dev_check_switch() - have the log tell if the host has switched capture
 * @dev: the device
 *
 * Listeners stay as they are, and get no packets while it is off: the
 * administrator has to know why.
 */
void vcap_dev_check_switch(struct vcap_dev *dev)
{
	u16 status;
	bool off;

	mutex_lock(&dev->lock);
	/* In a suspend it cannot be read. */
	if (vcap_dev_error(dev))
		goto unlock;
	virtio_cread_le(dev->vdev, struct virtio_capture_config, status,
			&status);
	off = status & VIRTIO_CAPTURE_S_OFF;
	if (off != dev->off)
		dev_notice_ratelimited(&dev->vdev->dev,
				       "%s: the host has switched capture %s\n",
				       dev->name, off ? "off" : "on");
	dev->off = off;
unlock:
	mutex_unlock(&dev->lock);
}

/** vcap_dev_queue_work() - have the device's work look; in any context */
void vcap_dev_queue_work(struct vcap_dev *dev)
{
	queue_work(system_highpri_wq, &dev->work);
}

/**
 * vcap_dev_fault() - have the work give the device up
 * @dev: the device
 * @fault: what is wrong, for the kernel's log; the first one counts
 *
 * Called in any context, with any locks.
 */
void vcap_dev_fault(struct vcap_dev *dev, const char *fault)
{
	cmpxchg(&dev->fault, NULL, fault);
	/* Whoever waits for a reply waits no more: nothing will come. */
	cmpxchg(&dev->control.error, 0, -EIO);
	vcap_control_wake(&dev->control);
	vcap_inject_wake(&dev->inject);
	vcap_dev_queue_work(dev);
}

/**
 * vcap_dev_break() - use the queues no more; the work gives the device up
 * @dev: the device, with queues
 * @fault: as vcap_dev_fault()
 *
 * Called with any locks, but not in an interrupt: virtio_break_device() takes
 * a lock that others take with interrupts enabled.
 */
void vcap_dev_break(struct vcap_dev *dev, const char *fault)
{
	/* Before anybody finds the queues broken, and gives another reason. */
	cmpxchg(&dev->fault, NULL, fault);
	virtio_break_device(dev->vdev);
	vcap_dev_fault(dev, fault);
}

/**
 * vcap_dev_result() - what a queue's function returned, for who asked for it
 * @dev: the device
 * @err: that
 *
 * Return: the same, unless it tells that the device is to be given up: then that
 * is done, and it is -EIO.
 */
int vcap_dev_result(struct vcap_dev *dev, int err)
{
	switch (err) {
	case -EPROTO:
		vcap_dev_break(dev, VCAP_MALFORMED_QUEUE);
		return -EIO;
	case -ETIMEDOUT:
		vcap_dev_break(dev, "no answer to a control command");
		return -EIO;
	default:
		return err;
	}
}

/** vcap_dev_retry() - do soon what there was no memory for */
void vcap_dev_retry(struct vcap_dev *dev)
{
	queue_delayed_work(system_highpri_wq, &dev->retry, RETRY_DELAY);
}
