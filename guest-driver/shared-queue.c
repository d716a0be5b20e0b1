// SPDX-License-Identifier: GPL-2.0
/* The shared queue: each frame is handed to every listener. */
#include <linux/ktime.h>
#include <linux/sched.h>

#include "listen.h"
#include "listener.h"
#include "offload.h"
#include "shared-queue.h"

/* So soon a reader that was woken has to look, jiffies. */
#define FALLBACK_DELAY	2

/*
 * Large buffers make few interrupts. But what comes in one goes into the store
 * buffers of readers that cannot run meanwhile, so no more of it is given to
 * the device than half of what the smallest of those has. But there is always
 * room for any frame.
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
 * Give the device all buffers that it does not have, or as many as it takes; and
 * none before somebody listens, whose buffers may be small.
 */
static void post_all(struct vcap_dev *dev)
{
	if (list_empty(&dev->listeners))
		return;
	if (vcap_queue_post_all(&dev->queue, wanted_len(dev)))
		vcap_dev_retry(dev);
}

/* Tell all listeners of @total drops of the device's, if that is news. */
static void count_dropped(struct vcap_dev *dev, u32 total)
{
	s32 news = (s32)(total - dev->queue.dropped);
	struct vcap_file *file;

	lockdep_assert_held(&dev->lock);
	/* A count that was overtaken by a later one is no news. */
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
 * Hand a completed buffer to all listeners; -EPROTO if it is malformed. The
 * records are checked once, however many listeners there are. A batch ends
 * where the device has dropped frames, so that the drops are counted in their
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
 * Take the frames out of all completed buffers. While it does, the device need
 * not interrupt: what completes meanwhile is found here. But a flood does not
 * keep a reader in here: as many buffers as there are, and the work goes on.
 * In a @hurry the first is given back later, by vcap_shared_add_waiter(), unless the
 * device has few. Returns whether there was one.
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
		/* The device asked for no notifications: this is no exit. */
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
 * End listeners, after their last frames: those whose interface is gone, or
 * @all.
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
 * vcap_shared_refresh() - tell the device anew what it was told
 * @dev: the device
 *
 * After a resume it knows nothing, and after a change of its configuration its
 * netdev may be gone: then no more frames will come. Or the host has switched
 * capture off or on.
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

/* The device's work, also in a suspend, when interfaces may go, too. */
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
 * vcap_shared_fill() - give the device all buffers that it does not have
 * @dev: the device
 *
 * What it does not get for want of memory, it gets later.
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

/* What there was no memory for. */
static void retry_fn(struct work_struct *work)
{
	struct vcap_dev *dev = container_of(to_delayed_work(work),
					    struct vcap_dev, retry);

	vcap_shared_fill(dev);
	vcap_shared_refresh(dev);
}

/* None of those that were woken has come to look: they are stopped, or busy. */
static void fallback_fn(struct timer_list *timer)
{
	struct vcap_dev *dev = timer_container_of(dev, timer, fallback);

	if (vcap_shared_completed(dev))
		vcap_dev_queue_work(dev);
}

/**
 * vcap_shared_interrupt() - the device has completed a buffer
 * @dev: the device
 *
 * Those who wait in immediate mode are woken at once and take it themselves, one
 * of them for all listeners. The work does it if there is none.
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

/** vcap_shared_completed() - is there a buffer that nobody has looked for? */
bool vcap_shared_completed(const struct vcap_dev *dev)
{
	return READ_ONCE(dev->completed);
}

/**
 * vcap_shared_add_waiter() - have the interrupt wake a listener that goes to sleep
 * @dev: the device
 * @file: the listener; it looks before it sleeps: vcap_shared_completed()
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

/** vcap_shared_del_waiter() - do not wake it any more, and never again */
void vcap_shared_del_waiter(struct vcap_dev *dev, struct vcap_file *file)
{
	spin_lock_irq(&dev->waiters_lock);
	list_del_init(&file->waiter);
	spin_unlock_irq(&dev->waiters_lock);
}

/**
 * vcap_shared_fetch() - take what the device has handed over
 * @dev: the device
 *
 * Return: whether the device shows that it has more.
 */
bool vcap_shared_fetch(struct vcap_dev *dev)
{
	bool found, more = false;

	mutex_lock(&dev->lock);
	found = drain(dev, true);
	if (!vcap_dev_error(dev))
		more = vcap_queue_has_record(&dev->queue);
	mutex_unlock(&dev->lock);
	/* The work compares the clocks, too. */
	if (found && vcap_clock_is_due(&dev->clock))
		vcap_dev_queue_work(dev);
	return more;
}

/** vcap_shared_stop() - after a reset: have nothing run for the old queue */
void vcap_shared_stop(struct vcap_dev *dev)
{
	timer_delete_sync(&dev->fallback);
	cancel_work_sync(&dev->work);
	cancel_delayed_work_sync(&dev->retry);
}

/** vcap_shared_init() - set up the work of a device that is new */
void vcap_shared_init(struct vcap_dev *dev)
{
	timer_setup(&dev->fallback, fallback_fn, 0);
	INIT_WORK(&dev->work, work_fn);
	INIT_DELAYED_WORK(&dev->retry, retry_fn);
}

/**
 * vcap_shared_start() - use the queue of a device that was reset
 * @dev: the device, which has no buffer, whatever it could not give back before
 * @vq: the capture queue
 *
 * The caller calls vcap_shared_fill() when the queue can be used.
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
 * vcap_shared_get() - need the queue's frames
 * @dev: the device
 *
 * The first user has its buffers allocated. The device gets them by
 * vcap_shared_fill().
 *
 * Return: 0, or -ENOBUFS if there is no memory for one buffer.
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
 * vcap_shared_put() - need them no more
 * @dev: the device, which has been told if it could be
 *
 * After the last user the memory of the buffers is given back, if the device
 * gives the buffers back now. Otherwise that is done after its next reset.
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
 * When it returns 0, every frame that the NIC transmitted or received before
 * the call is in the listeners' buffers or counts. Otherwise at least those
 * are that the device has handed over; errors are those of
 * vcap_listen_update().
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
 * vcap_shared_orphan() - have the listeners of an interface that is gone ended
 * @dev: a device, which stays
 * @netdev: the interface, which is not used any more from now on
 *
 * Those that listen by the device's own name go on. The work asks the device
 * for their last frames, which nobody waits for here: the caller may hold
 * locks of the kernel's that all interfaces need.
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
