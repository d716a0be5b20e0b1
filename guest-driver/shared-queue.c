// SPDX-License-Identifier: GPL-2.0
/* The shared queue: its frames go to all listeners without a listener queue. */
#include <linux/ktime.h>
#include <linux/sched.h>

#include "listen.h"
#include "listener.h"
#include "offload.h"
#include "shared-queue.h"
#include "trace.h"

/* Time for woken readers to take a buffer before the work does, jiffies. */
#define FALLBACK_DELAY	2

/*
 * Return the length of buffers to make available. Large buffers cause fewer
 * interrupts. But the contents of one go into the store buffers of readers,
 * which cannot run in between: so limit it to half of the smallest store
 * buffer, but always leave room for the longest frame.
 */
static u32 wanted_len(const struct vcap_dev *dev)
{
	u32 len = vcap_queue_size(&dev->queue);
	const struct vcap_file *file;
	bool found = false;

	list_for_each_entry(file, &dev->listeners, listener) {
		if (file->lq)
			continue;
		len = min(len, file->desc.size / 2);
		found = true;
	}
	if (!found)
		return VCAP_SMALL_BUFFER;
	return max_t(u32, round_down(len, PAGE_SIZE), VCAP_SMALL_BUFFER);
}

/*
 * Make all buffers available, or as many as fit into the virtqueue. Wait for
 * the first listener, as its buffers may be small.
 */
static void post_all(struct vcap_dev *dev)
{
	if (list_empty(&dev->listeners))
		return;
	if (vcap_queue_post_all(&dev->queue, wanted_len(dev)))
		vcap_dev_retry(dev);
}

/* Add the drops since the last call to all listeners; @total: the new count. */
static void count_dropped(struct vcap_dev *dev, u32 total)
{
	s32 news = (s32)(total - dev->queue.dropped);
	struct vcap_file *file;

	lockdep_assert_held(&dev->lock);
	/* Ignore a count that is older than the last one. */
	if (news <= 0)
		return;
	dev->queue.dropped = total;
	list_for_each_entry(file, &dev->listeners, listener)
		if (!file->lq)
			vcap_listener_add_drops(file, news);
}

static void deliver_all(struct vcap_dev *dev, unsigned int n)
{
	struct vcap_file *file;

	lockdep_assert_held(&dev->lock);
	list_for_each_entry(file, &dev->listeners, listener)
		if (!file->lq)
			vcap_listener_deliver(file, dev->queue.records, n);
	cond_resched();
}

/*
 * Deliver the records of a used buffer to all listeners; -EPROTO if it is
 * malformed. The records are checked once for all listeners. A batch ends where
 * the device has dropped frames, so that the drops are counted at the right
 * place.
 */
static int deliver(struct vcap_dev *dev, const struct vcap_buffer *buffer,
		   u32 len)
{
	struct vcap_record *first = dev->queue.records, *rec = first;
	u32 off = 0;
	int more;

	if (!len || len > buffer->len || len % VIRTIO_CAPTURE_RECORD_ALIGN)
		return -EPROTO;
	while ((more = vcap_record_next(buffer->data, len, &off, rec)) > 0) {
		if (unlikely((s32)(rec->dropped - dev->queue.dropped) > 0)) {
			deliver_all(dev, rec - first);
			count_dropped(dev, rec->dropped);
			*first = *rec;
			rec = first;
		}
		if (++rec == first + VCAP_BATCH) {
			deliver_all(dev, VCAP_BATCH);
			rec = first;
		}
	}
	deliver_all(dev, rec - first);
	return more;
}

/*
 * Process all used buffers, with notifications suppressed: buffers used
 * meanwhile are found by the loop. Limit the number of buffers to those of the
 * queue, so that a flood of frames does not keep a reader in here; the work
 * processes the rest. With @hurry, the first buffer is made available again
 * later, by vcap_shared_add_waiter(), unless the device has few. Returns true
 * if there was a used buffer.
 */
static bool drain(struct vcap_dev *dev, bool hurry)
{
	struct vcap_queue *queue = &dev->queue;
	unsigned int budget = queue->num_buffers;
	struct vcap_buffer *buffer;
	bool found = false;
	int err = 0;
	u32 len;

	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->completed, false);
	if (vcap_dev_error(dev) || !budget)
		return false;
	if (!hurry && queue->num_posted < queue->num_buffers)
		post_all(dev);
	do {
		virtqueue_disable_cb(queue->vq);
		while (budget && (buffer = vcap_queue_take(queue, &len))) {
			found = true;
			budget--;
			trace_virtio_capture_buffer_used(dev, 0, len);
			if (deliver(dev, buffer, len)) {
				vcap_dev_break(dev, "malformed capture buffer");
				return false;
			}
			if (hurry && 2 * queue->num_posted >=
					     queue->num_buffers) {
				hurry = false;
				continue;
			}
			err |= vcap_queue_post(queue, buffer, wanted_len(dev));
		}
		if (err)
			post_all(dev);
		err = 0;
		/* No VM exit: the device suppresses these notifications. */
		virtqueue_kick(queue->vq);
		if (virtqueue_is_broken(queue->vq)) {
			vcap_dev_break(dev, VCAP_MALFORMED_QUEUE);
			return found;
		}
		if (!budget) {
			vcap_dev_queue_work(dev);
			return found;
		}
	} while (!virtqueue_enable_cb(queue->vq));
	return found;
}

/*
 * Collect the last frames and end listeners: those whose interface is gone, or
 * all with @all.
 */
static void end(struct vcap_dev *dev, bool all)
{
	vcap_shared_sync(dev);
	vcap_offload_stop(dev, all);
	mutex_lock(&dev->lock);
	vcap_listeners_end(&dev->listeners, all);
	mutex_unlock(&dev->lock);
	vcap_listen_update(dev);
}

/**
 * vcap_shared_refresh() - send the settings of all listeners again
 * @dev: the device
 *
 * After a resume the device has none of them. After a configuration change the
 * netdev may be gone, so that no more frames will come, or the host may have
 * switched capture off or on.
 */
void vcap_shared_refresh(struct vcap_dev *dev)
{
	int err = vcap_listen_resend(dev);

	vcap_dev_check_switch(dev);
	if (!err)
		err = vcap_offload_resend(dev);
	if (err == -ENXIO)
		end(dev, true);
}

/* The device's work; also runs while suspended, as interfaces may go then. */
static void work_fn(struct work_struct *work)
{
	struct vcap_dev *dev = container_of(work, struct vcap_dev, work);
	bool broken;

	mutex_lock(&dev->lock);
	drain(dev, false);
	broken = !vcap_dev_error(dev) &&
		 (READ_ONCE(dev->fault) || virtqueue_is_broken(dev->queue.vq));
	mutex_unlock(&dev->lock);
	if (broken)
		vcap_dev_set_state(dev, VCAP_BROKEN);
	if (xchg(&dev->orphans, false))
		end(dev, false);
	if (xchg(&dev->changed, false))
		vcap_shared_refresh(dev);
	vcap_dev_result(dev, vcap_clock_refresh(&dev->clock, &dev->control));
}

/**
 * vcap_shared_fill() - make all buffers available that the device does not have
 * @dev: the device
 *
 * A retry is scheduled if there is no memory for all of them.
 */
void vcap_shared_fill(struct vcap_dev *dev)
{
	mutex_lock(&dev->lock);
	if (!vcap_dev_error(dev)) {
		post_all(dev);
		virtqueue_kick(dev->queue.vq);
	}
	mutex_unlock(&dev->lock);
}

/* Repeat what failed for lack of memory. */
static void retry_fn(struct work_struct *work)
{
	struct vcap_dev *dev = container_of(to_delayed_work(work),
					    struct vcap_dev, retry);

	vcap_shared_fill(dev);
	vcap_shared_refresh(dev);
}

/* No woken reader has taken the buffer: they are stopped or busy. */
static void fallback_fn(struct timer_list *timer)
{
	struct vcap_dev *dev = timer_container_of(dev, timer, fallback);

	if (vcap_shared_completed(dev))
		vcap_dev_queue_work(dev);
}

/**
 * vcap_shared_interrupt() - handle a used buffer notification
 * @dev: the device
 *
 * Wake the waiters in immediate mode; one of them takes the buffer for all
 * listeners. Without waiters the work does so.
 */
void vcap_shared_interrupt(struct vcap_dev *dev)
{
	struct vcap_file *file, *next;
	bool first = !xchg(&dev->completed, true), found = false;
	unsigned long flags;

	spin_lock_irqsave(&dev->waiters_lock, flags);
	list_for_each_entry_safe(file, next, &dev->waiters, waiter) {
		if (wq_has_sleeper(&file->wait)) {
			vcap_listener_wake(file);
			found = true;
		} else {
			list_del_init(&file->waiter);
		}
	}
	spin_unlock_irqrestore(&dev->waiters_lock, flags);
	if (!found)
		vcap_dev_queue_work(dev);
	else if (first)
		mod_timer(&dev->fallback, jiffies + FALLBACK_DELAY);
}

/** vcap_shared_completed() - return true if there may be a used buffer to take */
bool vcap_shared_completed(const struct vcap_dev *dev)
{
	return READ_ONCE(dev->completed);
}

/**
 * vcap_shared_add_waiter() - have the interrupt wake a listener
 * @dev: the device
 * @file: the listener, which checks vcap_shared_completed() before it sleeps
 */
void vcap_shared_add_waiter(struct vcap_dev *dev, struct vcap_file *file)
{
	if (READ_ONCE(dev->queue.num_posted) < dev->queue.num_buffers)
		vcap_shared_fill(dev);
	if (!list_empty_careful(&file->waiter))
		return;
	spin_lock_irq(&dev->waiters_lock);
	if (list_empty(&file->waiter))
		list_add_tail(&file->waiter, &dev->waiters);
	spin_unlock_irq(&dev->waiters_lock);
}

/** vcap_shared_del_waiter() - stop waking a listener */
void vcap_shared_del_waiter(struct vcap_dev *dev, struct vcap_file *file)
{
	spin_lock_irq(&dev->waiters_lock);
	list_del_init(&file->waiter);
	spin_unlock_irq(&dev->waiters_lock);
}

/**
 * vcap_shared_fetch() - process the used buffers
 * @dev: the device
 *
 * Return: true if the buffer in progress has a record.
 */
bool vcap_shared_fetch(struct vcap_dev *dev)
{
	bool found, more = false;

	mutex_lock(&dev->lock);
	found = drain(dev, true);
	if (!vcap_dev_error(dev))
		more = vcap_queue_has_record(&dev->queue);
	mutex_unlock(&dev->lock);
	/* The work also compares the clocks. */
	if (found && vcap_clock_is_due(&dev->clock))
		vcap_dev_queue_work(dev);
	return more;
}

/** vcap_shared_stop() - cancel work and timers, after a reset of the device */
void vcap_shared_stop(struct vcap_dev *dev)
{
	timer_delete_sync(&dev->fallback);
	cancel_work_sync(&dev->work);
	cancel_delayed_work_sync(&dev->retry);
}

/** vcap_shared_init() - initialize the work and timers of a new device */
void vcap_shared_init(struct vcap_dev *dev)
{
	timer_setup(&dev->fallback, fallback_fn, 0);
	INIT_WORK(&dev->work, work_fn);
	INIT_DELAYED_WORK(&dev->retry, retry_fn);
}

/**
 * vcap_shared_start() - start to use the queue of a device that was reset
 * @dev: the device; the reset has returned all buffers
 * @vq: the capture virtqueue
 *
 * The caller calls vcap_shared_fill() once the device is ready.
 */
void vcap_shared_start(struct vcap_dev *dev, struct virtqueue *vq)
{
	mutex_lock(&dev->lock);
	vcap_queue_start(&dev->queue, vq);
	if (!dev->users)
		vcap_queue_free(&dev->queue);
	mutex_unlock(&dev->lock);
}

/**
 * vcap_shared_get() - add a user of the shared queue
 * @dev: the device
 *
 * The first user allocates the buffers; vcap_shared_fill() makes them
 * available.
 *
 * Return: 0, or -ENOBUFS if there is no memory for a single buffer.
 */
int vcap_shared_get(struct vcap_dev *dev)
{
	int err = 0;

	mutex_lock(&dev->lock);
	if (!dev->queue.buffers)
		err = vcap_queue_alloc(&dev->queue);
	if (!err)
		dev->users++;
	mutex_unlock(&dev->lock);
	return err ? -ENOBUFS : 0;
}

/**
 * vcap_shared_put() - remove a user of the shared queue
 * @dev: the device, whose LISTEN was updated before
 *
 * With the last user the buffers are freed, if the device returns them now;
 * otherwise after its next reset.
 */
void vcap_shared_put(struct vcap_dev *dev)
{
	int err = 0;

	mutex_lock(&dev->lock);
	if (!--dev->users && !vcap_dev_error(dev)) {
		err = vcap_queue_reclaim(&dev->queue);
		if (!err)
			vcap_queue_free(&dev->queue);
	}
	mutex_unlock(&dev->lock);
	vcap_dev_result(dev, err);
}

/**
 * vcap_shared_sync() - the barrier
 * @dev: the device
 *
 * On success, every frame that the NIC sent or received before the call is in
 * the listeners' buffers or counts. On failure, at least the used buffers have
 * been processed.
 *
 * Return: 0 or the error of a command.
 */
int vcap_shared_sync(struct vcap_dev *dev)
{
	struct vcap_counts counts = {};
	u64 before, after;
	int err;

	before = ktime_get_real_ns();
	err = vcap_dev_result(dev, vcap_control_flush(&dev->control, 0, 0,
						      &counts));
	after = ktime_get_real_ns();

	mutex_lock(&dev->lock);
	drain(dev, false);
	if (!err && !vcap_dev_error(dev))
		count_dropped(dev, (u32)counts.dropped);
	mutex_unlock(&dev->lock);
	if (err)
		return err;
	vcap_dev_result(dev, vcap_clock_check(&dev->clock, &dev->control,
					      before, after, counts.clock));
	return 0;
}

/**
 * vcap_shared_orphan() - schedule the end of listeners whose interface is gone
 * @dev: the device, which remains
 * @netdev: the interface; it must not be used after this call
 *
 * Listeners attached by the name of the capture device are not affected. The
 * work collects the last frames and ends the listeners: the caller may hold
 * RTNL and must not wait for the device.
 */
void vcap_shared_orphan(struct vcap_dev *dev, const struct net_device *netdev)
{
	bool found;

	mutex_lock(&dev->lock);
	found = vcap_listeners_orphan(&dev->listeners, netdev);
	mutex_unlock(&dev->lock);
	if (!found)
		return;
	xchg(&dev->orphans, true);
	vcap_dev_queue_work(dev);
}
