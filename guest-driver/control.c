// SPDX-License-Identifier: GPL-2.0
/* The control queue: one command at a time, and its reply. */
#include <linux/jiffies.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "control.h"

/*
 * A device answers within a few turns of its event loop. One that takes this
 * long never will; the driver gives it up rather than block its users for ever.
 */
#define REPLY_TIMEOUT	(30 * HZ)

/** vcap_control_init() - a queue that cannot be used yet; -ENOMEM */
int vcap_control_init(struct vcap_control *control)
{
	mutex_init(&control->lock);
	init_completion(&control->done);
	control->error = -EAGAIN;
	control->command = kzalloc(sizeof(*control->command), GFP_KERNEL);
	return control->command ? 0 : -ENOMEM;
}

/** vcap_control_free() - free what a device that was reset does not use */
void vcap_control_free(struct vcap_control *control)
{
	kfree(control->command);
}

/**
 * vcap_control_stop() - forget the command that a device left unanswered
 * @control: the queue of a device that was reset, if it has one
 *
 * The virtqueue has memory of its own for a command in it. There may be no other
 * virtqueue before the device is removed: a resume can fail.
 */
void vcap_control_stop(struct vcap_control *control)
{
	mutex_lock(&control->lock);
	while (control->vq && virtqueue_detach_unused_buf(control->vq))
		;
	control->vq = NULL;
	mutex_unlock(&control->lock);
}

/** vcap_control_wake() - have the reply looked for; in any context */
void vcap_control_wake(struct vcap_control *control)
{
	complete(&control->done);
}

/**
 * vcap_control_set_error() - say whether the queue can be used
 * @control: the queue
 * @error: for those who want to use it; 0: it can be used
 *
 * When this returns, nobody uses it who found it usable before: a command that
 * was under way has ended with the error.
 */
void vcap_control_set_error(struct vcap_control *control, int error)
{
	/* Pairs with the acquire below: the queue is there when it is usable. */
	smp_store_release(&control->error, error);
	vcap_control_wake(control);
	mutex_lock(&control->lock);
	mutex_unlock(&control->lock);
}

/*
 * Wait for the reply to the command that was just made available, and store how
 * much of it the device wrote. After an error the device may still write, until
 * it is reset: the queue is not used again before. Called with the lock.
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
		 * An interrupt without a reply does not end the waiting, and
		 * only one that completes anew wakes it again.
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
 * Send the command that was filled in: @out bytes after its header; expect @in
 * bytes after the reply's. Called with the lock.
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
		/* The ring has no room, or DMA could not be set up: for now. */
		return err == -EIO ? err : -ENOBUFS;
	virtqueue_kick(control->vq);
	err = wait_for_reply(control, &len);
	if (err) {
		/* Unless somebody has said so meanwhile. */
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

/* How much of struct virtio_capture_counters the device writes. */
static size_t counters_size(const struct vcap_control *control)
{
	return control->has_listeners ? sizeof(struct virtio_capture_counters)
				      : VIRTIO_CAPTURE_COUNTERS_BASE;
}

/* A command whose reply are counts. Called with the lock. */
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

/** vcap_control_listen() - tell the device what to capture */
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
 * vcap_control_flush() - the barrier
 * @control: the control queue
 * @listener: whose frames; 0: those of the shared queue
 * @flags: VIRTIO_CAPTURE_FLUSH_*; 0 for a device without queues for listeners
 * @counts: as of then
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
 * vcap_control_filter() - have the device run a program
 * @control: the control queue of a device that has queues for listeners
 * @listener: whose program
 * @flags: VIRTIO_CAPTURE_FILTER_*
 * @insns: the program, which is valid; not used without instructions
 * @count: its instructions; 0: none is run
 * @counts: as of then
 */
int vcap_control_filter(struct vcap_control *control, u32 listener, u32 flags,
			const struct bsd_insn *insns, u32 count,
			struct vcap_counts *counts)
{
	struct vcap_command *command = control->command;
	size_t size = count * sizeof(*insns);
	int err;

	/* A little-endian machine has instructions as the device wants them. */
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

/** vcap_control_clock() - read the clock, after setting @offset if not NULL */
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
