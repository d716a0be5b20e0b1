// SPDX-License-Identifier: GPL-2.0
/* The capture queue: buffers of records, handed to every listener. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <linux/virtio_config.h>

#include "catch.h"
#include "vcap.h"

/*
 * Large buffers make few interrupts. But what comes in one goes into the store
 * buffers of readers that cannot run meanwhile, so no more of it is given to
 * the device than half of what the smallest of those has. Where memory is in
 * pieces smaller ones have to do. But there is always room for a record of the
 * longest frame there is (64 KiB of payload from a NIC that segments in
 * hardware), and until somebody listens no more than that is needed.
 */
#define LARGE_ORDER	get_order(512 * 1024)
#define SMALL_ORDER	get_order(128 * 1024)

/* The queue's size is the other limit. */
#define MAX_BUFFERS	1024U

static unsigned int buffers = 8;
module_param(buffers, uint, 0444);
MODULE_PARM_DESC(buffers, "Capture buffers of 512 KiB for each device (default 8)");

/* How much of a buffer the device is given. */
static u32 wanted_len(const struct vcap_dev *dev)
{
	u32 len = list_empty(&dev->listeners) ?
			  0 : PAGE_SIZE << dev->buffer_order;
	const struct vcap_file *file;

	list_for_each_entry(file, &dev->listeners, listener)
		len = min(len, file->desc.size / 2);
	return max_t(u32, round_down(len, PAGE_SIZE), PAGE_SIZE << SMALL_ORDER);
}

/* Give a buffer to the device. */
static int post(struct vcap_dev *dev, struct vcap_buffer *buffer)
{
	struct scatterlist sg;
	int err;

	lockdep_assert_held(&dev->lock);
	buffer->len = wanted_len(dev);
	sg_init_one(&sg, buffer->data, buffer->len);
	err = virtqueue_add_inbuf(dev->capture_vq, &sg, 1, buffer, GFP_KERNEL);
	if (err)
		return err;
	buffer->posted = true;
	dev->num_posted++;
	return 0;
}

/* Give the device all buffers that it does not have, or as many as it takes. */
static void post_all(struct vcap_dev *dev)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < dev->num_buffers && !err; i++)
		if (!dev->buffers[i].posted)
			err = post(dev, &dev->buffers[i]);
	/* For want of memory, that is: a queue may be shorter than all. */
	if (err && (err != -ENOSPC || !dev->num_posted))
		vcap_dev_retry(dev);
}

/* Tell all listeners of @total drops of the device's, if that is news. */
static void count_dropped(struct vcap_dev *dev, u32 total)
{
	s32 news = (s32)(total - dev->dropped);
	struct vcap_file *file;

	lockdep_assert_held(&dev->lock);
	/* A count that was overtaken by a later one is no news. */
	if (news <= 0)
		return;
	dev->dropped = total;
	list_for_each_entry(file, &dev->listeners, listener) {
		mutex_lock(&file->lock);
		vcap_desc_lost(&file->desc, news);
		vcap_stats_add(news, news, 0);
		mutex_unlock(&file->lock);
	}
}

/*
 * Run a descriptor's filter over records, and catch those that it accepts.
 * Batch by batch rather than record by record: so the lock is taken once for
 * many frames, and the filter stays in the cache.
 */
static void hear(struct vcap_file *file, const struct vcap_record *recs,
		 unsigned int n)
{
	struct vcap_desc *desc = &file->desc;
	const struct vcap_record *rec;
	u64 recv, drop, capt;
	bool wake = false;

	mutex_lock(&file->lock);
	/* Filters must stay on one CPU. */
	migrate_disable();
	recv = desc->recv;
	drop = desc->drop;
	capt = desc->capt;
	for (rec = recs; rec < recs + n; rec++) {
		u32 accept = U32_MAX;

		if (!vcap_desc_wants(desc, rec))
			continue;
		if (file->filter)
			accept = vcap_program_run(file->filter, rec->data,
						  rec->datalen, rec->caplen);
		wake |= vcap_desc_input(desc, rec, accept);
	}
	migrate_enable();
	vcap_stats_add(desc->recv - recv, desc->drop - drop,
		       desc->capt - capt);
	mutex_unlock(&file->lock);
	if (wake)
		vcap_file_wake(file);
}

static void hear_all(struct vcap_dev *dev, unsigned int n)
{
	struct vcap_file *file;

	lockdep_assert_held(&dev->lock);
	list_for_each_entry(file, &dev->listeners, listener)
		hear(file, dev->records, n);
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
	struct vcap_record *rec = dev->records;
	u32 off = 0;
	int more;

	if (!len || len > buffer->len || len % VIRTIO_CAPTURE_RECORD_ALIGN)
		return -EPROTO;
	while ((more = vcap_record_next(buffer->data, len, &off, rec)) > 0) {
		if (unlikely((s32)(rec->dropped - dev->dropped) > 0)) {
			hear_all(dev, rec - dev->records);
			count_dropped(dev, rec->dropped);
			dev->records[0] = *rec;
			rec = dev->records;
		}
		if (++rec == dev->records + VCAP_BATCH) {
			hear_all(dev, VCAP_BATCH);
			rec = dev->records;
		}
	}
	hear_all(dev, rec - dev->records);
	return more;
}

/*
 * No more frames will come for those whose interface is gone, or for all:
 * readers get what there is, then EIO.
 */
static void end_listeners(struct vcap_dev *dev, bool all)
{
	struct vcap_file *file, *next;

	lockdep_assert_held(&dev->lock);
	list_for_each_entry_safe(file, next, &dev->listeners, listener) {
		if (!all && !file->orphan)
			continue;
		list_del_init(&file->listener);
		/* Nobody tells of its end any more. */
		RCU_INIT_POINTER(file->netdev, NULL);
		mutex_lock(&file->lock);
		vcap_desc_detach(&file->desc);
		mutex_unlock(&file->lock);
		vcap_file_wake(file);
	}
}

/*
 * Take the frames out of all completed buffers. While it does, the device need
 * not interrupt: what completes meanwhile is found here. But a flood does not
 * keep a reader in here: as many buffers as there are, and the work goes on.
 */
static void drain(struct vcap_dev *dev)
{
	struct virtqueue *vq = dev->capture_vq;
	unsigned int len, budget = dev->num_buffers;
	struct vcap_buffer *buffer;
	int err = 0;

	lockdep_assert_held(&dev->lock);
	if (vcap_dev_error(dev))
		return;
	do {
		virtqueue_disable_cb(vq);
		while (budget && (buffer = virtqueue_get_buf(vq, &len))) {
			budget--;
			buffer->posted = false;
			dev->num_posted--;
			if (deliver(dev, buffer, len)) {
				vcap_dev_break(dev, "malformed capture buffer");
				return;
			}
			err |= post(dev, buffer);
		}
		if (err)
			post_all(dev);
		err = 0;
		/* The device asked for no notifications: this is no exit. */
		virtqueue_kick(vq);
		if (virtqueue_is_broken(vq)) {
			vcap_dev_break(dev, VCAP_MALFORMED_QUEUE);
			return;
		}
		if (!budget) {
			queue_work(system_highpri_wq, &dev->work);
			return;
		}
	} while (!virtqueue_enable_cb(vq));
}

/* The device's work, also in a suspend, when interfaces may go, too. */
void vcap_capture_work(struct work_struct *work)
{
	struct vcap_dev *dev = container_of(work, struct vcap_dev, work);
	bool broken;

	mutex_lock(&dev->lock);
	drain(dev);
	broken = !vcap_dev_error(dev) &&
		 (READ_ONCE(dev->fault) || virtqueue_is_broken(dev->capture_vq));
	mutex_unlock(&dev->lock);
	if (broken)
		vcap_dev_set_state(dev, VCAP_BROKEN);
	if (xchg(&dev->orphans, false))
		vcap_capture_end(dev, false);
	if (xchg(&dev->changed, false))
		vcap_dev_check(dev);
	vcap_clock_refresh(dev);
}

/* What there was no memory for. */
void vcap_capture_retry(struct work_struct *work)
{
	struct vcap_dev *dev = container_of(to_delayed_work(work),
					    struct vcap_dev, retry);

	mutex_lock(&dev->lock);
	if (!vcap_dev_error(dev)) {
		post_all(dev);
		virtqueue_kick(dev->capture_vq);
	}
	mutex_unlock(&dev->lock);
	vcap_dev_check(dev);
}

void vcap_capture_interrupt(struct virtqueue *vq)
{
	struct vcap_dev *dev = vq->vdev->priv;

	queue_work(system_highpri_wq, &dev->work);
}

/**
 * vcap_capture_sync() - the barrier
 * @dev: the device
 *
 * When it returns 0, every frame that the NIC transmitted or received before
 * the call is in the listeners' buffers or counts. Otherwise at least those
 * are that the device has handed over; errors are those of vcap_dev_update().
 */
int vcap_capture_sync(struct vcap_dev *dev)
{
	struct virtio_capture_counters counters;
	u64 before, after;
	int err;

	before = ktime_get_real_ns();
	err = vcap_control_flush(dev, &counters);
	after = ktime_get_real_ns();

	mutex_lock(&dev->lock);
	drain(dev);
	if (!err && !vcap_dev_error(dev))
		count_dropped(dev, (u32)le64_to_cpu(counters.dropped));
	mutex_unlock(&dev->lock);
	if (!err)
		vcap_clock_check(dev, before, after,
				 le64_to_cpu(counters.clock));
	return err;
}

/**
 * vcap_capture_orphan() - have the listeners of an interface that is gone ended
 * @dev: a device, which stays
 * @netdev: the interface, which is not used any more from now on
 *
 * Those that listen by the device's own name go on. The work asks the device
 * for their last frames, which nobody waits for here: the caller may hold
 * locks of the kernel's that all interfaces need.
 */
void vcap_capture_orphan(struct vcap_dev *dev, const struct net_device *netdev)
{
	struct vcap_file *file;
	bool found = false;

	mutex_lock(&dev->lock);
	list_for_each_entry(file, &dev->listeners, listener) {
		if (rcu_access_pointer(file->netdev) != netdev)
			continue;
		RCU_INIT_POINTER(file->netdev, NULL);
		file->orphan = true;
		found = true;
	}
	mutex_unlock(&dev->lock);
	if (!found)
		return;
	xchg(&dev->orphans, true);
	queue_work(system_highpri_wq, &dev->work);
}

/**
 * vcap_capture_end() - end listeners, after their last frames
 * @dev: the device
 * @all: also those whose interface is still there
 */
void vcap_capture_end(struct vcap_dev *dev, bool all)
{
	vcap_capture_sync(dev);
	mutex_lock(&dev->lock);
	end_listeners(dev, all);
	mutex_unlock(&dev->lock);
	vcap_dev_update(dev);
}

/** vcap_capture_end_all() - end all listeners; the caller has the lock */
void vcap_capture_end_all(struct vcap_dev *dev)
{
	end_listeners(dev, true);
}

/* Allocate at most @n buffers, as many as there is memory for. */
static void alloc_buffers(struct vcap_dev *dev, unsigned int n)
{
	for (; dev->num_buffers < n; dev->num_buffers++) {
		/* Zeros: a device that lies shows nobody what was there. */
		void *data = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO |
						      __GFP_NOWARN,
						      dev->buffer_order);

		if (!data)
			break;
		dev->buffers[dev->num_buffers].data = data;
	}
}

/** vcap_capture_init() - allocate the buffers, before the device is ready */
int vcap_capture_init(struct vcap_dev *dev)
{
	unsigned int n = clamp(buffers, 1U, MAX_BUFFERS);

	dev->buffers = kcalloc(n, sizeof(*dev->buffers), GFP_KERNEL);
	if (!dev->buffers)
		return -ENOMEM;
	dev->buffer_order = LARGE_ORDER;
	alloc_buffers(dev, n);
	while (dev->num_buffers == 0 && dev->buffer_order > SMALL_ORDER) {
		dev->buffer_order--;
		alloc_buffers(dev, n);
	}
	/* Fewer than wanted will do; none will not. */
	if (dev->num_buffers == 0) {
		vcap_capture_free(dev);
		return -ENOMEM;
	}
	return 0;
}

/**
 * vcap_capture_start() - give the buffers to a device whose queues are new
 * @dev: the device
 *
 * What it does not get for want of memory, it gets later.
 *
 * Return: 0, or -ENOMEM if it has none now.
 */
int vcap_capture_start(struct vcap_dev *dev)
{
	unsigned int i, posted;

	mutex_lock(&dev->lock);
	/* It counts from zero. */
	dev->dropped = 0;
	dev->num_posted = 0;
	for (i = 0; i < dev->num_buffers; i++)
		dev->buffers[i].posted = false;
	post_all(dev);
	posted = dev->num_posted;
	virtqueue_kick(dev->capture_vq);
	mutex_unlock(&dev->lock);
	return posted ? 0 : -ENOMEM;
}

/** vcap_capture_free() - free the buffers of a device that was reset */
void vcap_capture_free(struct vcap_dev *dev)
{
	while (dev->num_buffers > 0)
		free_pages((unsigned long)dev->buffers[--dev->num_buffers].data,
			   dev->buffer_order);
	kfree(dev->buffers);
	dev->buffers = NULL;
}
