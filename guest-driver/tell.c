// SPDX-License-Identifier: GPL-2.0
/*
 * What the device is told for a listener with a queue of its own, and what it
 * counts for that.
 */
#include "listener.h"
#include "tell.h"
#include "totals.h"

static void fill_listen(const struct vcap_own *own,
			const struct vcap_wish *wish,
			struct virtio_capture_listen *listen)
{
	*listen = (struct virtio_capture_listen){
		.snaplen = cpu_to_le32(U32_MAX),
		.flags = cpu_to_le32(wish->flags),
		.delay = cpu_to_le32(wish->immediate ?
				     0 : VIRTIO_CAPTURE_DELAY_NONE),
		.listener = cpu_to_le32(own->queue->listener),
	};
}

/* What a listener needs now. */
static struct vcap_wish wish_of(struct vcap_file *file)
{
	struct vcap_wish wish = {};

	vcap_listener_wish(file, &wish);
	wish.immediate |= READ_ONCE(file->desc.timed_out);
	return wish;
}

/* Tell the device what to capture, if that is news. Called with told_lock. */
static int tell(struct vcap_dev *dev, struct vcap_own *own,
		const struct vcap_wish *wish)
{
	struct virtio_capture_listen listen;
	int err;

	lockdep_assert_held(&own->told_lock);
	fill_listen(own, wish, &listen);
	if (!memcmp(&listen, &own->told, sizeof(listen)))
		return 0;
	err = vcap_control_listen(&dev->control, &listen);
	if (!err)
		own->told = listen;
	return err;
}

/* Have the device run a program. Called with told_lock. */
static int tell_filter(struct vcap_dev *dev, struct vcap_own *own,
		       const struct vcap_program *filter, u32 flags,
		       struct vcap_counts *counts)
{
	int err;

	lockdep_assert_held(&own->told_lock);
	err = vcap_control_filter(&dev->control, own->queue->listener, flags,
				  filter ? filter->insns : NULL,
				  filter ? filter->len : 0, counts);
	if (!err)
		own->filter = filter;
	return err;
}

/**
 * vcap_tell_count() - note what the device has counted; called with lock
 * @file: the listener
 * @counts: of a reply to a command for it
 */
void vcap_tell_count(struct vcap_file *file, const struct vcap_counts *counts)
{
	const struct vcap_counts *base = &file->own->base;
	struct vcap_desc *desc = &file->desc;
	u64 recv = counts->seen - base->seen;
	u64 drop = counts->dropped - base->dropped;
	u64 capt = counts->captured - base->captured + drop;

	lockdep_assert_held(&file->lock);
	/*
	 * Those of a command that was overtaken by another are no news; nor is
	 * what goes back.
	 */
	if (file->own->stopped || (s64)(recv - desc->recv) < 0 ||
	    (s64)(drop - desc->drop) < 0 || (s64)(capt - desc->capt) < 0)
		return;
	vcap_totals_add(recv - desc->recv, drop - desc->drop,
			capt - desc->capt);
	desc->recv = recv;
	desc->drop = drop;
	desc->capt = capt;
}

/** vcap_tell_hold() - note how much is in the hold buffer; called with lock */
void vcap_tell_hold(struct vcap_file *file)
{
	const struct vcap_own_buffer *hold = file->own->hold;

	WRITE_ONCE(file->desc.hold_len, hold ? hold->len : 0);
}

/**
 * vcap_tell_begin() - have the device capture for a listener; with told_lock
 * @file: the listener
 * @dev: the device, which may know nothing of it
 * @filter: the listener's program, or NULL
 * @counts: set to the device's counts before its first frame
 *
 * Return: 0 or the error of a command.
 */
int vcap_tell_begin(struct vcap_file *file, struct vcap_dev *dev,
		    const struct vcap_program *filter,
		    struct vcap_counts *counts)
{
	struct vcap_own *own = file->own;
	struct vcap_wish wish = wish_of(file);
	int err;

	lockdep_assert_held(&own->told_lock);
	memset(&own->told, 0, sizeof(own->told));
	err = tell_filter(dev, own, filter, 0, counts);
	if (err)
		return err;
	mutex_lock(&file->lock);
	own->stopped = false;
	mutex_unlock(&file->lock);
	return tell(dev, own, &wish);
}

/* Let the counts go on where they are when the device begins anew from zero. */
static void rebase(struct vcap_own *own, const struct vcap_counts *last)
{
	own->base.seen -= last->seen;
	own->base.captured -= last->captured;
	own->base.dropped -= last->dropped;
	own->cut.used = 0;
	/* What waits to be read is older than all that comes. */
	if (own->hold)
		own->hold->number = 0;
	if (own->after)
		own->after->number = 0;
}

/**
 * vcap_tell_stop() - have the device capture no more for a listener
 * @file: the listener
 * @dev: the device; it gives all buffers back, with the last frames
 *
 * The counts are taken for the last time before the device's reset or the end of
 * the listener.
 */
void vcap_tell_stop(struct vcap_file *file, struct vcap_dev *dev)
{
	struct vcap_own *own = file->own;
	u32 listener = own->queue->listener;
	struct virtio_capture_listen listen = {
		.listener = cpu_to_le32(listener),
	};
	struct vcap_counts counts = {};
	int err, looked;

	mutex_lock(&own->told_lock);
	mutex_lock(&file->lock);
	own->ending = true;
	mutex_unlock(&file->lock);
	err = vcap_control_listen(&dev->control, &listen);
	if (!err)
		err = vcap_control_flush(&dev->control, listener,
					 VIRTIO_CAPTURE_FLUSH_KEEP, &counts);
	memset(&own->told, 0, sizeof(own->told));
	mutex_lock(&file->lock);
	if (!err)
		vcap_tell_count(file, &counts);
	looked = vcap_own_look(own);
	vcap_dev_result(dev, err ?: looked);
	if (!own->stopped)
		rebase(own, &counts);
	own->stopped = true;
	vcap_tell_hold(file);
	mutex_unlock(&file->lock);
	mutex_unlock(&own->told_lock);
	/* Then it is asked again for what a descriptor has left behind. */
	if (err == -ENOBUFS)
		vcap_dev_retry(dev);
}

/**
 * vcap_tell_change() - have the device do with frames as a new set-up wants it
 * @file: the listener
 * @next: the set-up
 *
 * First the barrier: what the NIC has sent or received is judged by the old
 * set-up. Then the device changes what it does from one frame to the next, and
 * its counts tell when.
 *
 * Return: 0 or the error of a command: then the device does as before, when it
 * was told with vcap_tell_wish().
 */
int vcap_tell_change(struct vcap_file *file, const struct vcap_change *next)
{
	struct vcap_own *own = file->own;
	u32 listener = own->queue->listener;
	struct vcap_dev *dev = file->dev;
	struct vcap_counts counts;
	int err;

	mutex_lock(&own->told_lock);
	err = vcap_control_flush(&dev->control, listener,
				 VIRTIO_CAPTURE_FLUSH_KEEP, &counts);
	if (!err)
		err = tell(dev, own, &next->wish);
	if (!err && next->filter != own->filter)
		err = tell_filter(dev, own, next->filter, next->discard ?
				  VIRTIO_CAPTURE_FILTER_DISCARD : 0, &counts);
	else if (!err && next->discard)
		err = vcap_control_flush(&dev->control, listener,
					 VIRTIO_CAPTURE_FLUSH_DISCARD, &counts);
	if (!err) {
		mutex_lock(&file->lock);
		vcap_tell_count(file, &counts);
		own->cut = counts;
		/* Buffers used before are there, their interrupt may not. */
		WRITE_ONCE(own->event, true);
		mutex_unlock(&file->lock);
	}
	mutex_unlock(&own->told_lock);
	return vcap_dev_result(dev, err);
}

/** vcap_tell_wish() - tell the device what a listener needs now, if it changed */
int vcap_tell_wish(struct vcap_file *file)
{
	struct vcap_own *own = file->own;
	struct vcap_wish wish;
	int err;

	mutex_lock(&own->told_lock);
	wish = wish_of(file);
	err = tell(file->dev, own, &wish);
	mutex_unlock(&own->told_lock);
	if (err == -ENOBUFS)
		vcap_dev_retry(file->dev);
	return vcap_dev_result(file->dev, err);
}
