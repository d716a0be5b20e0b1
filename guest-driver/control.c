// SPDX-License-Identifier: GPL-2.0
/* The control queue: one command at a time, and its reply. */
#include <linux/jiffies.h>
#include <linux/scatterlist.h>

#include "vcap.h"

/*
 * A device answers within a few turns of its event loop. One that takes this
 * long never will; the driver gives it up rather than block its users for ever.
 */
#define REPLY_TIMEOUT	(30 * HZ)

void vcap_control_interrupt(struct virtqueue *vq)
{
	struct vcap_dev *dev = vq->vdev->priv;

	complete(&dev->control_done);
}

/*
 * Wait for the reply to the command that was just made available, and return
 * how much of it the device wrote. After an error the device may still write,
 * until it is reset: the queue is not used again before. Called with
 * control_lock.
 */
static int await_reply(struct vcap_dev *dev, unsigned int *len)
{
	unsigned long end = jiffies + REPLY_TIMEOUT;
	long left = REPLY_TIMEOUT;

	while (!virtqueue_get_buf(dev->control_vq, len)) {
		int err = vcap_dev_error(dev);

		if (err)
			return err;
		if (READ_ONCE(dev->fault) ||
		    virtqueue_is_broken(dev->control_vq)) {
			vcap_dev_break(dev, VCAP_MALFORMED_QUEUE);
			return -EIO;
		}
		/*
		 * An interrupt without a reply does not end the waiting, and
		 * only one that completes anew wakes it again.
		 */
		if (left <= 0 ||
		    !wait_for_completion_timeout(&dev->control_done, left)) {
			vcap_dev_break(dev, "no answer to a control command");
			return -EIO;
		}
		left = (long)(end - jiffies);
	}
	return 0;
}

static int reply_error(struct vcap_dev *dev, u32 status)
{
	switch (status) {
	case VIRTIO_CAPTURE_E_OK:
		return 0;
	case VIRTIO_CAPTURE_E_GONE:
		return -ENXIO;
	default:
		dev_err_ratelimited(&dev->vdev->dev,
				    "control command %u failed with status %u\n",
				    le32_to_cpu(dev->control->ctrl.command),
				    status);
		return -EIO;
	}
}

/*
 * Send the command in dev->control: @out bytes after its header; expect @in
 * bytes after the reply's. Called with control_lock.
 *
 * Return: 0; -ENOBUFS if the command could not be given, but may be later;
 * -EAGAIN if a suspend is in the way; -ENXIO if the netdev or the device is
 * gone; -EIO for any other failure.
 */
static int execute(struct vcap_dev *dev, u32 command, size_t out, size_t in)
{
	struct vcap_control *control = dev->control;
	struct scatterlist sg_out, sg_in, *sgs[] = { &sg_out, &sg_in };
	size_t reply = sizeof(control->reply) + in;
	unsigned int len = 0;
	u32 status;
	int err;

	lockdep_assert_held(&dev->control_lock);
	err = vcap_dev_error(dev);
	if (err)
		return err;
	control->ctrl.command = cpu_to_le32(command);
	control->ctrl.reserved = 0;
	sg_init_one(&sg_out, &control->ctrl, sizeof(control->ctrl) + out);
	sg_init_one(&sg_in, &control->reply, reply);
	reinit_completion(&dev->control_done);
	err = virtqueue_add_sgs(dev->control_vq, sgs, 1, 1, control,
				GFP_KERNEL);
	if (err)
		/* The ring has no room, or DMA could not be set up: for now. */
		return err == -EIO ? err : -ENOBUFS;
	virtqueue_kick(dev->control_vq);
	err = await_reply(dev, &len);
	if (err)
		return err;
	if (len < sizeof(control->reply))
		return reply_error(dev, U32_MAX);
	status = le32_to_cpu(control->reply.status);
	if (status == VIRTIO_CAPTURE_E_OK && len < reply)
		return reply_error(dev, U32_MAX);
	return reply_error(dev, status);
}

/** vcap_control_listen() - tell the device what to capture */
int vcap_control_listen(struct vcap_dev *dev,
			const struct virtio_capture_listen *listen)
{
	int err;

	mutex_lock(&dev->control_lock);
	dev->control->listen = *listen;
	err = execute(dev, VIRTIO_CAPTURE_C_LISTEN, sizeof(*listen), 0);
	mutex_unlock(&dev->control_lock);
	return err;
}

/** vcap_control_flush() - the barrier; @counters as of then */
int vcap_control_flush(struct vcap_dev *dev,
		       struct virtio_capture_counters *counters)
{
	int err;

	mutex_lock(&dev->control_lock);
	err = execute(dev, VIRTIO_CAPTURE_C_FLUSH, 0, sizeof(*counters));
	*counters = dev->control->counters;
	mutex_unlock(&dev->control_lock);
	return err;
}

/** vcap_control_clock() - read the clock, after setting @offset if not NULL */
int vcap_control_clock(struct vcap_dev *dev, const s64 *offset,
		       struct virtio_capture_counters *counters)
{
	struct virtio_capture_clock *clock = &dev->control->clock;
	int err;

	mutex_lock(&dev->control_lock);
	memset(clock, 0, sizeof(*clock));
	if (offset) {
		clock->offset = cpu_to_le64(*offset);
		clock->flags = cpu_to_le32(VIRTIO_CAPTURE_CLOCK_SET);
	}
	err = execute(dev, VIRTIO_CAPTURE_C_CLOCK, sizeof(*clock),
		      sizeof(*counters));
	*counters = dev->control->counters;
	mutex_unlock(&dev->control_lock);
	return err;
}
