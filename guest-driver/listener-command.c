// SPDX-License-Identifier: GPL-2.0
/* Commands for a single listener, on its listener queue, and its counts. */
#include "listener.h"
#include "listener-command.h"
#include "stats.h"
#include "trace.h"

static void fill_listen(const struct vcap_lq *lq,
			const struct vcap_needs *needs,
			struct virtio_capture_listen *listen)
{
	*listen = (struct virtio_capture_listen){
		.snaplen = cpu_to_le32(U32_MAX),
		.flags = cpu_to_le32(needs->flags),
		.delay = cpu_to_le32(needs->immediate ?
				     0 : VIRTIO_CAPTURE_DELAY_NONE),
		.listener = cpu_to_le32(lq->slot->listener),
	};
}

/* Return the current requirements of a listener. */
static struct vcap_needs get_needs(struct vcap_file *file)
{
	struct vcap_needs needs = {};

	vcap_listener_add_needs(file, &needs);
	needs.immediate |= READ_ONCE(file->desc.timed_out);
	return needs;
}

/* Send LISTEN if it differs from the last one. Called with cmd_lock. */
static int send_listen(struct vcap_dev *dev, struct vcap_lq *lq,
		       const struct vcap_needs *needs)
{
	struct virtio_capture_listen listen;
	int err;

	lockdep_assert_held(&lq->cmd_lock);
	fill_listen(lq, needs, &listen);
	if (!memcmp(&listen, &lq->listen, sizeof(listen)))
		return 0;
	err = vcap_control_listen(&dev->control, &listen);
	if (!err)
		lq->listen = listen;
	return err;
}

/* Send FILTER. Called with cmd_lock. */
static int send_filter(struct vcap_dev *dev, struct vcap_lq *lq,
		       const struct vcap_program *filter, u32 flags,
		       struct vcap_counts *counts)
{
	int err;

	lockdep_assert_held(&lq->cmd_lock);
	err = vcap_control_filter(&dev->control, lq->slot->listener, flags,
				  filter ? filter->insns : NULL,
				  filter ? filter->len : 0, counts);
	if (!err)
		lq->filter = filter;
	return err;
}

/**
 * vcap_lq_update_counts() - update the counts of a listener; called with lock
 * @file: the listener
 * @counts: from the reply to a command for it
 */
void vcap_lq_update_counts(struct vcap_file *file,
			   const struct vcap_counts *counts)
{
	const struct vcap_counts *base = &file->lq->base;
	struct vcap_desc *desc = &file->desc;
	u64 recv = counts->seen - base->seen;
	u64 drop = counts->dropped - base->dropped;
	u64 capt = counts->captured - base->captured + drop;

	lockdep_assert_held(&file->lock);
	/*
	 * Ignore counts that are older than the last ones, as replies may be
	 * handled out of order, and counts that decrease.
	 */
	if (file->lq->stopped || (s64)(recv - desc->recv) < 0 ||
	    (s64)(drop - desc->drop) < 0 || (s64)(capt - desc->capt) < 0)
		return;
	vcap_stats_add(recv - desc->recv, drop - desc->drop,
		       capt - desc->capt);
	if (drop != desc->drop)
		trace_virtio_capture_drop(file, drop - desc->drop);
	desc->recv = recv;
	desc->drop = drop;
	desc->capt = capt;
}

/** vcap_lq_update_hold() - update the length of the hold buffer; with lock */
void vcap_lq_update_hold(struct vcap_file *file)
{
	const struct vcap_lq_buffer *hold = file->lq->hold;

	WRITE_ONCE(file->desc.hold_len, hold ? hold->len : 0);
}

/**
 * vcap_lq_begin_capture() - have the device capture for a listener; with
 * cmd_lock
 * @file: the listener
 * @dev: the device; it may have no settings for the listener
 * @filter: the listener's filter, or NULL
 * @counts: set to the device's counts before the first frame
 *
 * Return: 0 or the error of a command.
 */
int vcap_lq_begin_capture(struct vcap_file *file, struct vcap_dev *dev,
			  const struct vcap_program *filter,
			  struct vcap_counts *counts)
{
	struct vcap_lq *lq = file->lq;
	struct vcap_needs needs = get_needs(file);
	int err;

	lockdep_assert_held(&lq->cmd_lock);
	memset(&lq->listen, 0, sizeof(lq->listen));
	err = send_filter(dev, lq, filter, 0, counts);
	if (err)
		return err;
	mutex_lock(&file->lock);
	lq->stopped = false;
	mutex_unlock(&file->lock);
	return send_listen(dev, lq, &needs);
}

/* Continue the counts when the device starts to count from zero again. */
static void rebase(struct vcap_lq *lq, const struct vcap_counts *last)
{
	lq->base.seen -= last->seen;
	lq->base.captured -= last->captured;
	lq->base.dropped -= last->dropped;
	lq->cut.used = 0;
	/* Used buffers that wait to be read are older than all later ones. */
	if (lq->hold)
		lq->hold->number = 0;
	if (lq->next)
		lq->next->number = 0;
}

/**
 * vcap_lq_end_capture() - stop to capture for a listener
 * @file: the listener
 * @dev: the device; it returns all buffers, with the last frames
 *
 * Takes the counts for the last time before the device is reset or the listener
 * ends.
 */
void vcap_lq_end_capture(struct vcap_file *file, struct vcap_dev *dev)
{
	struct vcap_lq *lq = file->lq;
	u32 listener = lq->slot->listener;
	struct virtio_capture_listen listen = {
		.listener = cpu_to_le32(listener),
	};
	struct vcap_counts counts = {};
	int err, looked;

	mutex_lock(&lq->cmd_lock);
	mutex_lock(&file->lock);
	lq->ending = true;
	mutex_unlock(&file->lock);
	err = vcap_control_listen(&dev->control, &listen);
	if (!err)
		err = vcap_control_flush(&dev->control, listener,
					 VIRTIO_CAPTURE_FLUSH_KEEP, &counts);
	memset(&lq->listen, 0, sizeof(lq->listen));
	mutex_lock(&file->lock);
	if (!err)
		vcap_lq_update_counts(file, &counts);
	looked = vcap_lq_take_used(lq);
	vcap_dev_result(dev, err ?: looked);
	if (!lq->stopped)
		rebase(lq, &counts);
	lq->stopped = true;
	vcap_lq_update_hold(file);
	mutex_unlock(&file->lock);
	mutex_unlock(&lq->cmd_lock);
	/* The retry asks the device again to return the buffers. */
	if (err == -ENOBUFS)
		vcap_dev_retry(dev);
}

/**
 * vcap_lq_change() - apply changed settings of a listener to the device
 * @file: the listener
 * @next: the new settings
 *
 * Starts with the barrier: frames that the NIC sent or received before the call
 * are handled with the old settings. The device then applies the new settings
 * between two frames, and its counts tell where.
 *
 * Return: 0 or the error of a command; on error the caller restores the old
 * settings with vcap_lq_update().
 */
int vcap_lq_change(struct vcap_file *file, const struct vcap_change *next)
{
	struct vcap_lq *lq = file->lq;
	u32 listener = lq->slot->listener;
	struct vcap_dev *dev = file->dev;
	struct vcap_counts counts;
	int err;

	mutex_lock(&lq->cmd_lock);
	err = vcap_control_flush(&dev->control, listener,
				 VIRTIO_CAPTURE_FLUSH_KEEP, &counts);
	if (!err)
		err = send_listen(dev, lq, &next->needs);
	if (!err && next->filter != lq->filter)
		err = send_filter(dev, lq, next->filter, next->discard ?
				  VIRTIO_CAPTURE_FILTER_DISCARD : 0, &counts);
	else if (!err && next->discard)
		err = vcap_control_flush(&dev->control, listener,
					 VIRTIO_CAPTURE_FLUSH_DISCARD, &counts);
	if (!err) {
		mutex_lock(&file->lock);
		vcap_lq_update_counts(file, &counts);
		lq->cut = counts;
		/* Buffers may be used without an interrupt yet. */
		WRITE_ONCE(lq->event, true);
		mutex_unlock(&file->lock);
	}
	mutex_unlock(&lq->cmd_lock);
	return vcap_dev_result(dev, err);
}

/** vcap_lq_update() - send a listener's requirements if they changed */
int vcap_lq_update(struct vcap_file *file)
{
	struct vcap_lq *lq = file->lq;
	struct vcap_needs needs;
	int err;

	mutex_lock(&lq->cmd_lock);
	needs = get_needs(file);
	err = send_listen(file->dev, lq, &needs);
	mutex_unlock(&lq->cmd_lock);
	if (err == -ENOBUFS)
		vcap_dev_retry(file->dev);
	return vcap_dev_result(file->dev, err);
}
