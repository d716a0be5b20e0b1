// SPDX-License-Identifier: GPL-2.0
/* The life of a device: its state, and what goes with a change of it. */
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "vcap.h"

/* How soon that is tried again which there was no memory for. */
#define RETRY_DELAY	(HZ / 10)

/** vcap_dev_alloc() - a device without queues; NULL without memory */
struct vcap_dev *vcap_dev_alloc(struct virtio_device *vdev)
{
	struct vcap_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->control = kzalloc(sizeof(*dev->control), GFP_KERNEL);
	if (!dev->control) {
		kfree(dev);
		return NULL;
	}
	kref_init(&dev->ref);
	dev->vdev = vdev;
	INIT_LIST_HEAD(&dev->node);
	INIT_LIST_HEAD(&dev->listeners);
	mutex_init(&dev->state_lock);
	mutex_init(&dev->listen_lock);
	mutex_init(&dev->lock);
	mutex_init(&dev->control_lock);
	mutex_init(&dev->inject_lock);
	init_completion(&dev->control_done);
	init_waitqueue_head(&dev->inject_wait);
	INIT_WORK(&dev->work, vcap_capture_work);
	INIT_DELAYED_WORK(&dev->retry, vcap_capture_retry);
	return dev;
}

static void release(struct kref *ref)
{
	struct vcap_dev *dev = container_of(ref, struct vcap_dev, ref);

	kfree(dev->control);
	kfree(dev);
}

/** vcap_dev_put() - give a reference back */
void vcap_dev_put(struct vcap_dev *dev)
{
	kref_put(&dev->ref, release);
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
	switch (smp_load_acquire(&dev->state)) {
	case VCAP_READY:
		return 0;
	case VCAP_SUSPENDED:
		return -EAGAIN;
	default:
		return -ENXIO;
	}
}

/* Have those who wait for the device look at it and its state again. */
static void wake(struct vcap_dev *dev)
{
	complete(&dev->control_done);
	vcap_inject_wake(dev);
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
		vcap_capture_end_all(dev);
	mutex_unlock(&dev->lock);
	wake(dev);
	mutex_lock(&dev->control_lock);
	mutex_unlock(&dev->control_lock);
	mutex_lock(&dev->inject_lock);
	mutex_unlock(&dev->inject_lock);
unlock:
	mutex_unlock(&dev->state_lock);
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
	wake(dev);
	queue_work(system_highpri_wq, &dev->work);
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

/** vcap_dev_retry() - do soon what there was no memory for */
void vcap_dev_retry(struct vcap_dev *dev)
{
	queue_delayed_work(system_highpri_wq, &dev->retry, RETRY_DELAY);
}
