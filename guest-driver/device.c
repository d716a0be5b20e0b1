// SPDX-License-Identifier: GPL-2.0
/* A capture device: its state, and the actions on a change of the state. */
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "device.h"
#include "listener.h"

/* Delay before an operation that failed for lack of memory is repeated. */
#define RETRY_DELAY	(HZ / 10)

/** vcap_dev_alloc() - allocate a device without virtqueues; NULL: no memory */
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

	/* Allocated by a descriptor that was attached during the removal. */
	vcap_queue_free(&dev->queue);
	vcap_control_free(&dev->control);
	vcap_lq_exit(&dev->lq_table);
	kfree(dev);
}

/** vcap_dev_put() - drop a reference */
void vcap_dev_put(struct vcap_dev *dev)
{
	kref_put(&dev->ref, release);
}

/* Return the error of queue operations in a state, or 0. */
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
 * vcap_dev_error() - return why the device's virtqueues cannot be used
 * @dev: the device
 *
 * The caller holds the lock of the virtqueue it is about to use, or of the list
 * of listeners; the result is valid until that lock is released.
 *
 * Return: 0 if they can be used; -EAGAIN while suspended; -ENXIO if the device
 * is broken or removed.
 */
int vcap_dev_error(struct vcap_dev *dev)
{
	/* Pairs with the release in vcap_dev_set_state(). */
	return error_of(smp_load_acquire(&dev->state));
}

/**
 * vcap_dev_set_state() - change the state of a device
 * @dev: the device
 * @state: the new state
 *
 * This is the only function that changes it. On return, no code that saw the
 * old state still uses a virtqueue: pending commands have failed with an error,
 * and writers that wait for queue space have been woken. If the device is
 * broken or removed, its listeners have been ended. Called without locks.
 */
void vcap_dev_set_state(struct vcap_dev *dev, enum vcap_state state)
{
	mutex_lock(&dev->state_lock);
	if (dev->state == VCAP_REMOVED || dev->state == state)
		goto unlock;
	if (state == VCAP_BROKEN)
		dev_err(&dev->vdev->dev, "%s: %s; the device is broken\n",
			dev->name,
			READ_ONCE(dev->fault) ?: VCAP_MALFORMED_QUEUE);
	/* Pairs with the acquire in vcap_dev_error(). */
	smp_store_release(&dev->state, state);

	/*
	 * The holder of a queue's lock may still use the queue. End the
	 * listeners first: a caller whose command fails then finds its listener
	 * ended.
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
 * vcap_dev_check_switch() - log if the host has switched capture off or on
 * @dev: the device
 *
 * Listeners stay attached while capture is off but get no packets; the log
 * tells the administrator why.
 */
void vcap_dev_check_switch(struct vcap_dev *dev)
{
	u16 status;
	bool off;

	mutex_lock(&dev->lock);
	/* Configuration space cannot be read while suspended. */
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

/** vcap_dev_queue_work() - queue the device's work; called in any context */
void vcap_dev_queue_work(struct vcap_dev *dev)
{
	queue_work(system_highpri_wq, &dev->work);
}

/**
 * vcap_dev_fault() - have the work mark the device as broken
 * @dev: the device
 * @fault: description of the fault for the log; only the first one is kept
 *
 * Called in any context, with any locks.
 */
void vcap_dev_fault(struct vcap_dev *dev, const char *fault)
{
	cmpxchg(&dev->fault, NULL, fault);
	/* Wake waiters for control replies: no reply will come. */
	cmpxchg(&dev->control.error, 0, -EIO);
	vcap_control_wake(&dev->control);
	vcap_inject_wake(&dev->inject);
	vcap_dev_queue_work(dev);
}

/**
 * vcap_dev_break() - stop using the virtqueues, and mark the device as broken
 * @dev: the device, which has virtqueues
 * @fault: as for vcap_dev_fault()
 *
 * Called with any locks, but not in an interrupt handler: virtio_break_device()
 * takes a lock that other code takes with interrupts enabled.
 */
void vcap_dev_break(struct vcap_dev *dev, const char *fault)
{
	/* Set the fault before other code finds the virtqueues broken. */
	cmpxchg(&dev->fault, NULL, fault);
	virtio_break_device(dev->vdev);
	vcap_dev_fault(dev, fault);
}

/**
 * vcap_dev_result() - handle the result of a virtqueue operation
 * @dev: the device
 * @err: the result
 *
 * Return: @err, or -EIO if it means that the device is broken; the device is
 * then marked as broken.
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

/** vcap_dev_retry() - schedule the retry of what failed for lack of memory */
void vcap_dev_retry(struct vcap_dev *dev)
{
	queue_delayed_work(system_highpri_wq, &dev->retry, RETRY_DELAY);
}
