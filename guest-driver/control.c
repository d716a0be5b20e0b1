// SPDX-License-Identifier: GPL-2.0
/* The control queue: one command at a time, and its reply. */
#include <linux/jiffies.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "control.h"

/*
 * A device replies within a few iterations of its main loop. Mark one that
 * takes this long as broken, rather than block its users for ever.
 */
#define REPLY_TIMEOUT	(30 * HZ)

/** vcap_control_init() - initialize a queue that cannot be used yet; -ENOMEM */
int vcap_control_init(struct vcap_control *control)
{
	mutex_init(&control->lock);
	init_completion(&control->done);
	control->error = -EAGAIN;
	control->command = kzalloc(sizeof(*control->command), GFP_KERNEL);
	return control->command ? 0 : -ENOMEM;
}

/** vcap_control_free() - free the memory; the device was reset */
void vcap_control_free(struct vcap_control *control)
{
	kfree(control->command);
}

/**
 * vcap_control_stop() - remove a command without a reply from the virtqueue
 * @control: the queue of a device that was reset; it may have no virtqueue
 *
 * The virtqueue allocates memory for each command in it. Free it here: if a
 * resume fails, no other virtqueue follows before the device is removed.
 */
void vcap_control_stop(struct vcap_control *control)
{
	mutex_lock(&control->lock);
	while (control->vq && virtqueue_detach_unused_buf(control->vq))
		;
	control->vq = NULL;
	mutex_unlock(&control->lock);
}

/** vcap_control_wake() - wake the waiter for a reply; called in any context */
void vcap_control_wake(struct vcap_control *control)
{
	complete(&control->done);
}

/**
 * vcap_control_set_error() - allow or forbid the use of the queue
 * @control: the queue
 * @error: the error that commands return; 0: the queue can be used
 *
 * On return, no code that found the queue usable before still uses it: a
 * pending command has ended with the error.
 */
void vcap_control_set_error(struct vcap_control *control, int error)
{
	/* Pairs with the acquire in execute(): the virtqueue is set up. */
	smp_store_release(&control->error, error);
	vcap_control_wake(control);
	mutex_lock(&control->lock);
	mutex_unlock(&control->lock);
}

/*
 * Wait for the reply to the command that was just made available; @len is set
 * to the length that the device has written. After an error the device may
 * still write the reply until it is reset, so the queue must not be used before
 * that. Called with the lock.
 */
static int wait_for_reply(struct vcap_control *control, unsigned int *len)
{
	unsigned long end = jiffies + REPLY_TIMEOUT;
	long left = REPLY_TIMEOUT;

	while (!virtqueue_get_buf(control->vq, len)) {
		int err = READ_ONCE(control->error);

		if (err)
			return err;
		if (virtqueue_is_broken(control->vq))
			return -EPROTO;
		/*
		 * After an interrupt without a reply, wait again for the rest
		 * of the time.
		 */
		if (left <= 0 ||
		    !wait_for_completion_timeout(&control->done, left))
			return -ETIMEDOUT;
		left = (long)(end - jiffies);
	}
	return 0;
}

static int reply_error(struct vcap_control *control, u32 status)
{
	switch (status) {
	case VIRTIO_CAPTURE_E_OK:
		return 0;
	case VIRTIO_CAPTURE_E_GONE:
		return -ENXIO;
	default:
		dev_err_ratelimited(&control->vq->vdev->dev,
				    "control command %u failed with status %u\n",
				    le32_to_cpu(control->command->ctrl.command),
				    status);
		return -EIO;
	}
}

/*
 * Send the command in control->command, with @out bytes after its header, and
 * expect @in bytes after the header of the reply. Called with the lock.
 */
static int execute(struct vcap_control *control, u32 number, size_t out,
		   size_t in)
{
	struct vcap_command *command = control->command;
	struct scatterlist sg_out, sg_in, *sgs[] = { &sg_out, &sg_in };
	size_t reply = sizeof(command->reply) + in;
	unsigned int len = 0;
	u32 status;
	int err;

	lockdep_assert_held(&control->lock);
	/* Pairs with the release in vcap_control_set_error(). */
	err = smp_load_acquire(&control->error);
	if (err)
		return err;
	command->ctrl.command = cpu_to_le32(number);
	command->ctrl.reserved = 0;
	sg_init_one(&sg_out, &command->ctrl, sizeof(command->ctrl) + out);
	sg_init_one(&sg_in, &command->reply, reply);
	reinit_completion(&control->done);
	err = virtqueue_add_sgs(control->vq, sgs, 1, 1, command, GFP_KERNEL);
	if (err)
		/* The ring is full, or DMA mapping failed: try again later. */
		return err == -EIO ? err : -ENOBUFS;
	virtqueue_kick(control->vq);
	err = wait_for_reply(control, &len);
	if (err) {
		/* Keep an error that was set meanwhile. */
		cmpxchg(&control->error, 0, -EIO);
		return err;
	}
	if (len < sizeof(command->reply))
		return reply_error(control, U32_MAX);
	status = le32_to_cpu(command->reply.status);
	if (status == VIRTIO_CAPTURE_E_OK && len < reply)
		return reply_error(control, U32_MAX);
	return reply_error(control, status);
}

/* Return the length of the counters in the device's replies. */
static size_t counters_size(const struct vcap_control *control)
{
	return control->has_listeners ? sizeof(struct virtio_capture_counters)
				      : VIRTIO_CAPTURE_COUNTERS_BASE;
}

/* Send a command whose reply contains counts. Called with the lock. */
static int execute_and_count(struct vcap_control *control, u32 number,
			     size_t out, struct vcap_counts *counts)
{
	struct virtio_capture_counters *reply = &control->command->counters;
	int err;

	memset(reply, 0, sizeof(*reply));
	err = execute(control, number, out, counters_size(control));
	if (err)
		return err;
	counts->clock = le64_to_cpu(reply->clock);
	counts->captured = le64_to_cpu(reply->captured);
	counts->dropped = le64_to_cpu(reply->dropped);
	counts->seen = le64_to_cpu(reply->seen);
	counts->used = le64_to_cpu(reply->used);
	return 0;
}

/** vcap_control_listen() - send LISTEN: set what the device captures */
int vcap_control_listen(struct vcap_control *control,
			const struct virtio_capture_listen *listen)
{
	int err;

	mutex_lock(&control->lock);
	control->command->listen = *listen;
	err = execute(control, VIRTIO_CAPTURE_C_LISTEN, sizeof(*listen), 0);
	mutex_unlock(&control->lock);
	return err;
}

/**
 * vcap_control_flush() - send FLUSH, the barrier
 * @control: the control queue
 * @listener: the listener to flush; 0: the shared queue
 * @flags: VIRTIO_CAPTURE_FLUSH_*; 0 for a device without listener queues
 * @counts: set to the counts at the barrier
 */
int vcap_control_flush(struct vcap_control *control, u32 listener, u32 flags,
		       struct vcap_counts *counts)
{
	struct virtio_capture_flush *flush = &control->command->flush;
	int err;

	mutex_lock(&control->lock);
	flush->listener = cpu_to_le32(listener);
	flush->flags = cpu_to_le32(flags);
	err = execute_and_count(control, VIRTIO_CAPTURE_C_FLUSH,
				control->has_listeners ? sizeof(*flush) : 0,
				counts);
	mutex_unlock(&control->lock);
	return err;
}

/**
 * vcap_control_filter() - send FILTER: have the device run a filter
 * @control: the control queue of a device with listener queues
 * @listener: the listener
 * @flags: VIRTIO_CAPTURE_FILTER_*
 * @insns: the valid program; ignored if @count is 0
 * @count: its number of instructions; 0: no filter
 * @counts: set to the counts at the change of the filter
 */
int vcap_control_filter(struct vcap_control *control, u32 listener, u32 flags,
			const struct bsd_insn *insns, u32 count,
			struct vcap_counts *counts)
{
	struct vcap_command *command = control->command;
	size_t size = count * sizeof(*insns);
	int err;

	/* On little-endian machines the layouts are the same. */
	BUILD_BUG_ON(sizeof(*insns) != sizeof(struct virtio_capture_insn));
	mutex_lock(&control->lock);
	command->filter = (struct virtio_capture_filter){
		.listener = cpu_to_le32(listener),
		.flags = cpu_to_le32(flags),
		.count = cpu_to_le32(count),
	};
	if (count)
		memcpy(command->insns, insns, size);
	err = execute_and_count(control, VIRTIO_CAPTURE_C_FILTER,
				sizeof(command->filter) + size, counts);
	mutex_unlock(&control->lock);
	return err;
}

/** vcap_control_clock() - read the clock; first set @offset, if not NULL */
int vcap_control_clock(struct vcap_control *control, const s64 *offset,
		       struct vcap_counts *counts)
{
	struct virtio_capture_clock *clock = &control->command->clock;
	int err;

	mutex_lock(&control->lock);
	memset(clock, 0, sizeof(*clock));
	if (offset) {
		clock->offset = cpu_to_le64(*offset);
		clock->flags = cpu_to_le32(VIRTIO_CAPTURE_CLOCK_SET);
	}
	err = execute_and_count(control, VIRTIO_CAPTURE_C_CLOCK, sizeof(*clock),
				counts);
	mutex_unlock(&control->lock);
	return err;
}
