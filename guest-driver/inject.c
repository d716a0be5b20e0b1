// SPDX-License-Identifier: GPL-2.0
/* The inject queue: frames that programs write. */
#include <linux/freezer.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "inject.h"

/** vcap_inject_init() - a queue that cannot be used yet */
void vcap_inject_init(struct vcap_inject *inject)
{
	mutex_init(&inject->lock);
	init_waitqueue_head(&inject->wait);
	inject->error = -EAGAIN;
}

/** vcap_inject_wake() - have writers look for queue space again */
void vcap_inject_wake(struct vcap_inject *inject)
{
	atomic_inc(&inject->events);
	wake_up_interruptible_all(&inject->wait);
}

/**
 * vcap_inject_set_error() - say whether the queue can be used
 * @inject: the queue
 * @error: for those who want to use it; 0: it can be used. Writers wait for the
 *         end of -EAGAIN.
 *
 * When this returns, nobody uses it who found it usable before.
 */
void vcap_inject_set_error(struct vcap_inject *inject, int error)
{
	mutex_lock(&inject->lock);
	inject->error = error;
	mutex_unlock(&inject->lock);
	vcap_inject_wake(inject);
}

/* Free what the device is done with. Called with the lock. */
static void reclaim(struct vcap_inject *inject)
{
	struct vcap_injection *done;
	unsigned int len;

	lockdep_assert_held(&inject->lock);
	while ((done = virtqueue_get_buf(inject->vq, &len)))
		kfree(done);
}

/*
 * Would the device refuse a frame now? It would say so when the writer has long
 * gone. Called with the lock.
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
 * Give a frame to the device. Returns -ENOSPC when the queue is full, as it is
 * while the backend takes no more, and when there is none because of a suspend;
 * the next event after @seen tells of room.
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
		/* Full: have an interrupt, unless room was made meanwhile. */
	} while (err == -ENOSPC && !virtqueue_enable_cb(inject->vq));
	if (!err) {
		/* Nobody waits: what is done is reclaimed by the next one. */
		virtqueue_disable_cb(inject->vq);
		virtqueue_kick(inject->vq);
	}
	mutex_unlock(&inject->lock);
	return err;
}

/**
 * vcap_inject_send() - send a frame
 * @inject: the queue
 * @injection: the frame and what is to be done with it, filled in; the queue's
 *             from now on unless there is an error
 * @len: bytes of the frame
 * @nonblock: do not wait for room in the queue
 *
 * Return: 0 when the device has the frame; -EAGAIN without room;
 * -ERESTARTNOHAND with a signal; -EPERM while the host forbids it; -ENXIO when
 * the device is gone; -EPROTO if the queue is malformed: then the device is to be
 * given up; -ENOMEM.
 */
int vcap_inject_send(struct vcap_inject *inject,
		     struct vcap_injection *injection, size_t len,
		     bool nonblock)
{
	int err, seen;

	while ((err = post(inject, injection, len, &seen)) == -ENOSPC) {
		if (nonblock)
			return -EAGAIN;
		/* Freezable, or each suspend of the machine would end it. */
		if (wait_event_freezable(inject->wait,
					 atomic_read(&inject->events) != seen))
			return -ERESTARTNOHAND;
	}
	return err == -EIO ? -EPROTO : err;
}

/** vcap_inject_free() - free the frames of a device that was reset */
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
