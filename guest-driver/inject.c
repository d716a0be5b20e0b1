// SPDX-License-Identifier: GPL-2.0
/* The inject queue: frames that programs write. */
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/virtio_config.h>

#include "vcap.h"

/*
 * A frame on its way out, with the device's reply. The device writes the one
 * and reads the rest: apart, for machines that are not coherent.
 */
struct vcap_injection {
	struct virtio_capture_reply reply;
	struct virtio_capture_inject head ____cacheline_aligned;
	u8 frame[];
};

/** vcap_inject_wake() - have writers look for queue space again */
void vcap_inject_wake(struct vcap_dev *dev)
{
	atomic_inc(&dev->inject_events);
	wake_up_interruptible_all(&dev->inject_wait);
}

void vcap_inject_interrupt(struct virtqueue *vq)
{
	vcap_inject_wake(vq->vdev->priv);
}

/* Free what the device is done with. Called with inject_lock. */
static void reclaim(struct vcap_dev *dev)
{
	struct vcap_injection *done;
	unsigned int len;

	lockdep_assert_held(&dev->inject_lock);
	while ((done = virtqueue_get_buf(dev->inject_vq, &len)))
		kfree(done);
}

/*
 * Is there a NIC in whose name a frame is sent? The device would refuse the
 * frame when the writer has long gone. Called with inject_lock.
 */
static bool has_nic(struct vcap_dev *dev)
{
	u16 status;

	virtio_cread_le(dev->vdev, struct virtio_capture_config, status,
			&status);
	return status & VIRTIO_CAPTURE_S_NIC;
}

/*
 * Give a frame to the device. Returns -ENOSPC when the queue is full, as it is
 * while the backend takes no more, and when there is none because of a suspend;
 * the next event after @seen tells of room.
 */
static int post(struct vcap_dev *dev, struct vcap_injection *injection,
		size_t len, int *seen)
{
	struct scatterlist sg_out, sg_in, *sgs[] = { &sg_out, &sg_in };
	int err;

	sg_init_one(&sg_out, &injection->head, sizeof(injection->head) + len);
	sg_init_one(&sg_in, &injection->reply, sizeof(injection->reply));
	mutex_lock(&dev->inject_lock);
	do {
		*seen = atomic_read(&dev->inject_events);
		err = vcap_dev_error(dev);
		if (err) {
			err = err == -EAGAIN ? -ENOSPC : err;
			break;
		}
		if (!has_nic(dev)) {
			err = -ENXIO;
			break;
		}
		reclaim(dev);
		err = virtqueue_add_sgs(dev->inject_vq, sgs, 1, 1, injection,
					GFP_KERNEL);
		/* Full: have an interrupt, unless room was made meanwhile. */
	} while (err == -ENOSPC && !virtqueue_enable_cb(dev->inject_vq));
	if (!err) {
		/* Nobody waits: what is done is reclaimed by the next one. */
		virtqueue_disable_cb(dev->inject_vq);
		virtqueue_kick(dev->inject_vq);
	}
	if (err == -EIO)
		vcap_dev_break(dev, VCAP_MALFORMED_QUEUE);
	mutex_unlock(&dev->inject_lock);
	return err;
}

/* Does the write filter let a frame out? Takes the descriptor's wishes down. */
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

/* Give a frame to the device, with patience if the writer has it. */
static int send(struct vcap_dev *dev, struct vcap_injection *injection,
		size_t len, bool nonblock)
{
	int err, seen;

	while ((err = post(dev, injection, len, &seen)) == -ENOSPC) {
		if (nonblock)
			return -EAGAIN;
		/* Freezable, or each suspend of the machine would end it. */
		if (wait_event_freezable(dev->inject_wait,
					 atomic_read(&dev->inject_events) !=
					 seen))
			return -ERESTARTNOHAND;
	}
	return err;
}

/**
 * vcap_inject() - send a frame
 * @dev: the device
 * @file: the descriptor that it is written to, attached to the device
 * @from: the frame, of at least a link-layer header and not above the limits
 * @nonblock: do not wait for room in the queue
 *
 * Return: 0 when the device has the frame; -EAGAIN without room; -EPERM when
 * the write filter rejects it; -ERESTARTNOHAND with a signal; -ENOMEM; -EFAULT;
 * -ENXIO when the device is gone.
 */
int vcap_inject(struct vcap_dev *dev, struct vcap_file *file,
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
			      send(dev, injection, len, nonblock) : -EPERM;
	if (err)
		kfree(injection);
	return err;
}

/**
 * vcap_inject_free() - free the frames of a device that was reset
 * @dev: the device
 */
void vcap_inject_free(struct vcap_dev *dev)
{
	struct vcap_injection *injection;

	mutex_lock(&dev->inject_lock);
	if (dev->inject_vq) {
		reclaim(dev);
		while ((injection =
				virtqueue_detach_unused_buf(dev->inject_vq)))
			kfree(injection);
		dev->inject_vq = NULL;
	}
	mutex_unlock(&dev->inject_lock);
}
