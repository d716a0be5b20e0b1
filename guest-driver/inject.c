// SPDX-License-Identifier: GPL-2.0
/* The inject queue: frames that programs write. */
#include <linux/freezer.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "inject.h"

/** vcap_inject_init() - initialize a queue that cannot be used yet */
void vcap_inject_init(struct vcap_inject *inject)
{
	mutex_init(&inject->lock);
	init_waitqueue_head(&inject->wait);
	inject->error = -EAGAIN;
}

/** vcap_inject_wake() - wake writers that wait for queue space */
void vcap_inject_wake(struct vcap_inject *inject)
{
	atomic_inc(&inject->events);
	wake_up_interruptible_all(&inject->wait);
}

/**
 * vcap_inject_set_error() - allow or forbid the use of the queue
 * @inject: the queue
 * @error: the error that writers get; 0: the queue can be used. With -EAGAIN
 *         writers wait.
 *
 * On return, no code that found the queue usable before still uses it.
 */
void vcap_inject_set_error(struct vcap_inject *inject, int error)
{
	mutex_lock(&inject->lock);
	inject->error = error;
	mutex_unlock(&inject->lock);
	vcap_inject_wake(inject);
}

/* Free the frames that the device has used. Called with the lock. */
static void reclaim(struct vcap_inject *inject)
{
	struct vcap_injection *done;
	unsigned int len;

	lockdep_assert_held(&inject->lock);
	while ((done = virtqueue_get_buf(inject->vq, &len)))
		kfree(done);
}

/*
 * Return the error with which the device would refuse a frame now, or 0: its
 * reply would come after the write has returned. Called with the lock.
 */
static int refusal(struct vcap_inject *inject)
{
	u16 status;

	virtio_cread_le(inject->vq->vdev, struct virtio_capture_config, status,
			&status);
	if (status & VIRTIO_CAPTURE_S_OFF)
		return -EPERM;
	return status & VIRTIO_CAPTURE_S_NIC ? 0 : -ENXIO;
}

/*
 * Make a frame available to the device. Returns -ENOSPC if the queue is full,
 * as it is while the backend accepts no frames, or while suspended; wait for an
 * event after @seen before the next try.
 */
static int post(struct vcap_inject *inject, struct vcap_injection *injection,
		size_t len, int *seen)
{
	struct scatterlist sg_out, sg_in, *sgs[] = { &sg_out, &sg_in };
	int err;

	sg_init_one(&sg_out, &injection->head, sizeof(injection->head) + len);
	sg_init_one(&sg_in, &injection->reply, sizeof(injection->reply));
	mutex_lock(&inject->lock);
	do {
		*seen = atomic_read(&inject->events);
		err = inject->error;
		if (err) {
			err = err == -EAGAIN ? -ENOSPC : err;
			break;
		}
		err = refusal(inject);
		if (err)
			break;
		reclaim(inject);
		err = virtqueue_add_sgs(inject->vq, sgs, 1, 1, injection,
					GFP_KERNEL);
		/* Full: enable the interrupt, and check again for space. */
	} while (err == -ENOSPC && !virtqueue_enable_cb(inject->vq));
	if (!err) {
		/* No interrupt needed: the next write reclaims the frame. */
		virtqueue_disable_cb(inject->vq);
		virtqueue_kick(inject->vq);
	}
	mutex_unlock(&inject->lock);
	return err;
}

/**
 * vcap_inject_send() - send a frame
 * @inject: the queue
 * @injection: the frame, with a complete header; owned by the queue on success
 * @len: length of the frame, bytes
 * @nonblock: do not wait for queue space
 *
 * Return: 0 when the frame is in the queue; -EAGAIN without queue space;
 * -ERESTARTNOHAND after a signal; -EPERM while the host forbids it; -ENXIO if
 * the device is gone; -EPROTO if the virtqueue is malformed, so that the device
 * is broken; -ENOMEM.
 */
int vcap_inject_send(struct vcap_inject *inject,
		     struct vcap_injection *injection, size_t len,
		     bool nonblock)
{
	int err, seen;

	while ((err = post(inject, injection, len, &seen)) == -ENOSPC) {
		if (nonblock)
			return -EAGAIN;
		/* Freezable: otherwise a suspend would interrupt it. */
		if (wait_event_freezable(inject->wait,
					 atomic_read(&inject->events) != seen))
			return -ERESTARTNOHAND;
	}
	return err == -EIO ? -EPROTO : err;
}

/** vcap_inject_free() - free the frames in the queue after a device reset */
void vcap_inject_free(struct vcap_inject *inject)
{
	struct vcap_injection *injection;

	mutex_lock(&inject->lock);
	if (inject->vq) {
		reclaim(inject);
		while ((injection =
				virtqueue_detach_unused_buf(inject->vq)))
			kfree(injection);
		inject->vq = NULL;
	}
	mutex_unlock(&inject->lock);
}
