// SPDX-License-Identifier: GPL-2.0
/*
 * Buffer model "device": the listener has a listener queue. The device runs its
 * filter and writes accepted packets into its buffers in the format that
 * programs read; listener-queue.c rotates the buffers.
 */
#include <linux/compat.h>
#include <linux/ktime.h>

#include "header.h"
#include "listener.h"
#include "listener-command.h"
#include "offload.h"
#include "record.h"

/* The smallest buffer that devices accept. */
#define SMALLEST	VIRTIO_CAPTURE_RECORD_SIZE(1)

static u32 usable(const struct vcap_file *file)
{
	return round_down(file->desc.size, VIRTIO_CAPTURE_RECORD_ALIGN);
}

/**
 * vcap_offload_possible() - return true if the device may fill the buffers
 * @file: the descriptor, which is about to be attached
 * @dev: the device
 *
 * The device supports the header format of 64-bit programs only.
 */
bool vcap_offload_possible(const struct vcap_file *file,
			   const struct vcap_dev *dev)
{
	return dev->lq_table.count && !in_compat_syscall() &&
	       usable(file) >= SMALLEST;
}

/*
 * Convert the times of a buffer to binary fractions, which the device does not
 * support. In zero-copy buffers ignore malformed headers: the program may have
 * changed what the device has written.
 */
static int convert(const struct vcap_file *file,
		   const struct vcap_lq_buffer *buffer)
{
	int err = vcap_header_convert(buffer->memory.data, buffer->len);

	return file->memory[0] ? 0 : err;
}

/* Take the buffers that the device has used. Called with lock. */
static void take_used(struct vcap_file *file)
{
	struct vcap_lq *lq = file->lq;
	struct vcap_lq_buffer *last = lq->next ?: lq->hold;
	int err;

	lockdep_assert_held(&file->lock);
	err = vcap_lq_take_used(lq);
	if (file->desc.format.tstamp == BPF_T_BINTIME) {
		if (!err && lq->hold && !last)
			err = convert(file, lq->hold);
		if (!err && lq->next && lq->next != last)
			err = convert(file, lq->next);
	}
	vcap_dev_result(file->dev, err);
	vcap_lq_update_hold(file);
	/* Packets arrive, so keep their times accurate. */
	if (lq->hold && vcap_clock_is_due(&file->dev->clock))
		vcap_dev_queue_work(file->dev);
}

/* Make the buffers available that were read. Called with lock. */
static void post(struct vcap_file *file, struct vcap_dev *dev)
{
	vcap_lq_update_hold(file);
	if (!file->desc.gone && !file->lq->ending && vcap_lq_post(file->lq))
		vcap_dev_retry(dev);
}

static int offload_attach(struct vcap_file *file, struct vcap_dev *dev)
{
	struct vcap_lq *lq = vcap_lq_alloc(usable(file), file->memory);
	int err;

	if (!lq)
		return -ENOBUFS;
	err = vcap_lq_claim(&dev->lq_table, lq, file);
	if (err) {
		vcap_lq_free(lq);
		return err;
	}
	mutex_lock(&file->lock);
	vcap_desc_attach(&file->desc, NULL, NULL);
	mutex_unlock(&file->lock);
	return 0;
}

static int offload_start(struct vcap_file *file, struct vcap_dev *dev)
{
	struct vcap_lq *lq = file->lq;
	int err;

	/* Set the clock first, so that no frame gets an outdated offset. */
	err = vcap_clock_set(&dev->clock, &dev->control);
	if (err)
		return vcap_dev_result(dev, err);
	mutex_lock(&file->lock);
	post(file, dev);
	mutex_unlock(&file->lock);
	mutex_lock(&lq->cmd_lock);
	err = vcap_lq_begin_capture(file, dev, file->filter, &lq->base);
	lq->cut = lq->base;
	mutex_unlock(&lq->cmd_lock);
	return vcap_dev_result(dev, err);
}

static void offload_detach(struct vcap_file *file, struct vcap_dev *dev)
{
	struct vcap_lq *lq = file->lq;

	if (!file->desc.gone)
		vcap_lq_end_capture(file, dev);
	vcap_lq_release(&dev->lq_table, lq);
	file->lq = NULL;
	vcap_desc_attach(&file->desc, NULL, NULL);
}

static int offload_sync(struct vcap_file *file, enum vcap_sync how)
{
	struct vcap_dev *dev = file->dev;
	struct vcap_counts counts;
	u64 before, after;
	int err;

	before = ktime_get_real_ns();
	err = vcap_control_flush(&dev->control, file->lq->slot->listener,
				 how == VCAP_SYNC_COUNTS ?
				 VIRTIO_CAPTURE_FLUSH_KEEP : 0, &counts);
	after = ktime_get_real_ns();

	mutex_lock(&file->lock);
	if (!err)
		vcap_lq_update_counts(file, &counts);
	take_used(file);
	mutex_unlock(&file->lock);
	if (err)
		return vcap_dev_result(dev, err);
	vcap_dev_result(dev, vcap_clock_check(&dev->clock, &dev->control,
					      before, after, counts.clock));
	return 0;
}

/* The interrupt of the queue always wakes readers and pollers. */
static void offload_prepare_wait(struct vcap_file *file)
{
}

static bool offload_pending(const struct vcap_file *file)
{
	return READ_ONCE(file->lq->event);
}

static bool offload_fetch(struct vcap_file *file)
{
	bool more;

	mutex_lock(&file->lock);
	take_used(file);
	more = !file->lq->hold && !vcap_lq_store_is_empty(file->lq);
	mutex_unlock(&file->lock);
	return more;
}

static void offload_end(struct vcap_file *file)
{
	int err = vcap_lq_take_used(file->lq);

	/* Without @dev it is being attached: the next command fails. */
	if (file->dev)
		vcap_dev_result(file->dev, err);
	vcap_lq_update_hold(file);
	file->desc.gone = true;
}

/* Called with or without lock: the reader checks again with it. */
static bool offload_readable(const struct vcap_file *file)
{
	return READ_ONCE(file->desc.hold_len) || READ_ONCE(file->desc.gone);
}

/* Return the least that a read returns: see read_more(). */
static u32 offload_available(const struct vcap_file *file)
{
	const struct vcap_lq *lq = file->lq;
	u32 len = file->desc.hold_len;

	if (lq->next && lq->next->len <= lq->size - len)
		len += lq->next->len;
	return len;
}

static u32 offload_read_begin(struct vcap_file *file, bool now)
{
	if (offload_pending(file))
		take_used(file);
	file->desc.hold_busy = file->lq->hold;
	return file->desc.hold_len;
}

static const void *offload_hold(const struct vcap_file *file)
{
	const struct vcap_lq *lq = file->lq;

	return lq && lq->hold ? lq->hold->memory.data : NULL;
}

static void offload_read_end(struct vcap_file *file, bool taken)
{
	struct vcap_desc *desc = &file->desc;

	if (!desc->hold_busy)
		return;
	desc->hold_busy = false;
	if (!taken && !desc->hold_stale)
		return;
	desc->hold_stale = false;
	vcap_lq_release_hold(file->lq);
	post(file, file->dev);
}

/*
 * Called after the hold buffer was copied out. In immediate mode it may contain
 * a single packet: the device used the buffer at once, and has stored all
 * packets since in the other one. On the BSDs the read would return them
 * together. So make the hold buffer available, upon which the device uses the
 * store buffer, and hold that one if it has at most @room bytes. Returns its
 * length, or 0.
 */
static u32 read_more(struct vcap_file *file, u32 room)
{
	struct vcap_lq *lq = file->lq;
	struct vcap_desc *desc = &file->desc;
	u32 len = 0;
	u64 cut;

	mutex_lock(&file->lock);
	if (desc->hold_stale || room < SMALLEST)
		goto unlock;
	if (lq->next ? lq->next->len > room :
			 (!desc->immediate && !desc->timed_out) ||
			 vcap_lq_store_is_empty(lq))
		goto unlock;
	cut = lq->cut.clock;
	offload_read_end(file, true);
	if (!lq->hold) {
		mutex_unlock(&file->lock);
		vcap_listener_sync(file, VCAP_SYNC_READ);
		mutex_lock(&file->lock);
	}
	/* What is captured after a flush is for the next read. */
	if (lq->hold && lq->hold->len <= room && lq->cut.clock == cut) {
		desc->hold_busy = true;
		len = lq->hold->len;
	}
unlock:
	mutex_unlock(&file->lock);
	return len;
}

static u32 offload_copy(struct vcap_file *file, u32 len, struct iov_iter *to)
{
	struct vcap_lq *lq = file->lq;
	u32 more;

	if (copy_to_iter(lq->hold->memory.data, len, to) != len)
		return 0;
	more = read_more(file, lq->size - len);
	if (!more)
		return len;
	if (copy_to_iter(lq->hold->memory.data, more, to) == more)
		return len + more;
	/* The next read returns it. */
	mutex_lock(&file->lock);
	offload_read_end(file, false);
	mutex_unlock(&file->lock);
	return len;
}

/*
 * Discard the buffers that the device used before the last change of the
 * settings. The device has already discarded the buffer in progress. A read
 * under way may finish.
 */
static void offload_discard(struct vcap_file *file)
{
	struct vcap_lq *lq = file->lq;
	u64 cut = lq->cut.used;

	take_used(file);
	if (lq->next && lq->next->number <= cut)
		lq->next = NULL;
	if (lq->hold && lq->hold->number <= cut) {
		if (file->desc.hold_busy)
			file->desc.hold_stale = true;
		else
			vcap_lq_release_hold(lq);
	}
	post(file, file->dev);
}

static void offload_flush(struct vcap_file *file)
{
	struct vcap_desc *desc = &file->desc;

	offload_discard(file);
	file->lq->base = file->lq->cut;
	desc->recv = 0;
	desc->drop = 0;
	desc->capt = 0;
}

/**
 * vcap_offload_stop() - have the device return buffers, with the last frames
 * @dev: the device
 * @all: for all listeners, not only those whose interface is gone
 */
void vcap_offload_stop(struct vcap_dev *dev, bool all)
{
	struct vcap_file *file;

	mutex_lock(&dev->lock);
	list_for_each_entry(file, &dev->listeners, listener)
		if (file->lq && (all || file->orphan))
			vcap_lq_end_capture(file, dev);
	mutex_unlock(&dev->lock);
}

/* Ask the device to return a queue's buffers. Called with the table's lock. */
static void request_buffers(struct vcap_lq_slot *slot, void *data)
{
	struct virtio_capture_listen listen = {
		.listener = cpu_to_le32(slot->listener),
	};
	struct vcap_dev *dev = data;
	int err = vcap_control_listen(&dev->control, &listen);

	if (err == -ENOBUFS)
		vcap_dev_retry(dev);
	vcap_dev_result(dev, err);
}

static int resend(struct vcap_file *file, struct vcap_dev *dev)
{
	struct vcap_lq *lq = file->lq;
	struct vcap_counts counts;
	int err;

	mutex_lock(&file->lock);
	lq->ending = false;
	post(file, dev);
	mutex_unlock(&file->lock);
	mutex_lock(&lq->cmd_lock);
	err = vcap_lq_begin_capture(file, dev, lq->filter, &counts);
	mutex_unlock(&lq->cmd_lock);
	return err;
}

/**
 * vcap_offload_resend() - send the settings of all listeners again
 * @dev: the device
 *
 * Return: 0 or the error of a command; -ENXIO: no more frames will come.
 */
int vcap_offload_resend(struct vcap_dev *dev)
{
	struct vcap_file *file;
	int err = 0;

	vcap_lq_reclaim(&dev->lq_table, request_buffers, dev);
	mutex_lock(&dev->lock);
	list_for_each_entry(file, &dev->listeners, listener)
		if (file->lq && !err)
			err = resend(file, dev);
	mutex_unlock(&dev->lock);
	if (err == -ENOBUFS)
		vcap_dev_retry(dev);
	return vcap_dev_result(dev, err);
}

const struct vcap_model vcap_offload_model = {
	.name = "device",
	.attach = offload_attach,
	.start = offload_start,
	.detach = offload_detach,
	.prepare = vcap_lq_change,
	.update = vcap_lq_update,
	.sync = offload_sync,
	.prepare_wait = offload_prepare_wait,
	.pending = offload_pending,
	.fetch = offload_fetch,
	.end = offload_end,
	.readable = offload_readable,
	.available = offload_available,
	.held = offload_available,
	.read_begin = offload_read_begin,
	.hold = offload_hold,
	.copy = offload_copy,
	.read_end = offload_read_end,
	.discard = offload_discard,
	.flush = offload_flush,
};
