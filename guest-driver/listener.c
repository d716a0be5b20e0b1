// SPDX-License-Identifier: GPL-2.0
/* Listeners: descriptors that hear a device's frames, and the list of them. */
#include <linux/netdevice.h>
#include <linux/poll.h>

#include "catch.h"
#include "listener.h"
#include "model.h"
#include "queue.h"
#include "stats.h"

/** vcap_direction_flags() - a BPF_D_* direction as VIRTIO_CAPTURE_L_* bits */
u32 vcap_direction_flags(u32 direction)
{
	u32 flags = 0;

	if (direction != BPF_D_OUT)
		flags |= VIRTIO_CAPTURE_L_RECEIVED;
	if (direction != BPF_D_IN)
		flags |= VIRTIO_CAPTURE_L_SENT;
	return flags;
}

/*
 * A reader that waits for a full buffer is told that it is full so much later at
 * the most; one that may not wait that long asks.
 */
#define DELAY_US	20000
#define LONGEST_US	1000000

/*
 * How long the device may keep a record, us. Readers with a timeout come for
 * their packets by themselves; until then a part of it is early enough, if no
 * more than half of what they have room for can come at once: the device hands
 * a larger buffer over when so much is in it.
 */
static u32 delay_of(const struct vcap_file *file)
{
	if (!file->timeout || file->desc.size < 2 * VCAP_SMALL_BUFFER)
		return DELAY_US;
	return clamp_t(u64, ktime_to_us(file->timeout) / 4, DELAY_US,
		       LONGEST_US);
}

/**
 * vcap_listener_add_needs() - what a listener needs of the device
 * @file: the listener
 * @needs: what others need; what this one needs is added
 */
void vcap_listener_add_needs(struct vcap_file *file, struct vcap_needs *needs)
{
	const struct vcap_desc *desc = &file->desc;

	mutex_lock(&file->lock);
	needs->snaplen = max3(needs->snaplen, file->next.snaplen,
			      file->filter ? file->filter->snaplen : U32_MAX);
	needs->flags |= file->next.flags | vcap_direction_flags(desc->direction);
	if (desc->promisc)
		needs->flags |= VIRTIO_CAPTURE_L_PROMISC;
	if (desc->format.tstamp != BPF_T_MICROTIME)
		needs->flags |= VIRTIO_CAPTURE_L_NANOSECONDS;
	needs->immediate |= file->next.immediate || desc->immediate;
	needs->delay = min_not_zero(needs->delay, delay_of(file));
	mutex_unlock(&file->lock);
}

/** vcap_listener_dev() - the device that a descriptor is attached to, or NULL */
struct vcap_dev *vcap_listener_dev(struct vcap_file *file)
{
	struct vcap_dev *dev;

	mutex_lock(&file->lock);
	dev = file->dev;
	mutex_unlock(&file->lock);
	return dev;
}

/** vcap_listener_is_live() - is a descriptor attached to what still exists? */
bool vcap_listener_is_live(struct vcap_file *file)
{
	return vcap_listener_dev(file) && !READ_ONCE(file->desc.gone);
}

/**
 * vcap_listener_sync() - the barrier for one descriptor
 * @file: the descriptor
 * @how: what for
 *
 * What the interface transmitted or received before the call is in its buffers
 * and counts afterwards. Without an interface, and with one that is gone, there
 * is nothing to wait for.
 *
 * Return: 0, or why the device could not be asked.
 */
int vcap_listener_sync(struct vcap_file *file, enum vcap_sync how)
{
	int err = vcap_listener_is_live(file) ? file->model->sync(file, how) : 0;

	return READ_ONCE(file->desc.gone) ? 0 : err;
}

/**
 * vcap_listener_catch_up() - get what the device has
 * @file: the descriptor
 *
 * This is vcap_listener_sync() for those whose time is up, but nobody is asked
 * if the device shows that it has nothing.
 */
void vcap_listener_catch_up(struct vcap_file *file)
{
	if (vcap_listener_is_live(file) && file->model->fetch(file))
		vcap_listener_sync(file, VCAP_SYNC_READ);
}

/**
 * vcap_listener_update() - tell the device what a descriptor needs
 * @file: the descriptor
 *
 * What the device cannot be told now it is told later.
 */
void vcap_listener_update(struct vcap_file *file)
{
	if (vcap_listener_is_live(file))
		file->model->update(file);
}

/** vcap_listener_readable() - what poll(2) says of reading */
bool vcap_listener_readable(const struct vcap_file *file)
{
	return file->model->readable(file);
}

/** vcap_listener_wake() - packets came, or none will: readers and pollers look */
void vcap_listener_wake(struct vcap_file *file)
{
	wake_up_interruptible_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
}

/** vcap_listener_share() - exchange buffers with a program that shares them */
void vcap_listener_share(struct vcap_file *file)
{
	mutex_lock(&file->lock);
	if (file->dev && file->model->share)
		file->model->share(file);
	mutex_unlock(&file->lock);
}

/**
 * vcap_listener_deliver() - run the filter over records, and catch what it accepts
 * @file: the listener
 * @recs: @n records
 * @n: their number
 *
 * Batch by batch rather than record by record: so the lock is taken once for
 * many frames, and the filter stays in the cache.
 */
void vcap_listener_deliver(struct vcap_file *file,
			   const struct vcap_record *recs, unsigned int n)
{
	struct vcap_desc *desc = &file->desc;
	const struct vcap_record *rec;
	u64 recv, drop, capt;
	bool wake = false;

	mutex_lock(&file->lock);
	/* What the program has read makes room. */
	if (file->model->share)
		file->model->share(file);
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
	if (file->model->share)
		file->model->share(file);
	mutex_unlock(&file->lock);
	if (wake)
		vcap_listener_wake(file);
}

/** vcap_listener_add_drops() - count @n frames that the device has dropped */
void vcap_listener_add_drops(struct vcap_file *file, u32 n)
{
	mutex_lock(&file->lock);
	vcap_desc_add_drops(&file->desc, n);
	vcap_stats_add(n, n, 0);
	mutex_unlock(&file->lock);
}

/**
 * vcap_listeners_orphan() - note who listens by an interface that is gone
 * @listeners: the list, whose lock is held
 * @netdev: the interface, which is not used any more from now on
 *
 * Return: whether there is one, for vcap_listeners_end().
 */
bool vcap_listeners_orphan(struct list_head *listeners,
			   const struct net_device *netdev)
{
	struct vcap_file *file;
	bool found = false;

	list_for_each_entry(file, listeners, listener) {
		if (rcu_access_pointer(file->netdev) != netdev)
			continue;
		RCU_INIT_POINTER(file->netdev, NULL);
		file->orphan = true;
		found = true;
	}
	return found;
}

/**
 * vcap_listeners_end() - no more frames will come: readers get what there is,
 * then EIO
 * @listeners: the list, whose lock is held; those that end are taken out of it
 * @all: also those whose interface is still there
 */
void vcap_listeners_end(struct list_head *listeners, bool all)
{
	struct vcap_file *file, *next;

	list_for_each_entry_safe(file, next, listeners, listener) {
		if (!all && !file->orphan)
			continue;
		list_del_init(&file->listener);
		/* Nobody tells of its end any more. */
		RCU_INIT_POINTER(file->netdev, NULL);
		mutex_lock(&file->lock);
		file->model->end(file);
		mutex_unlock(&file->lock);
		vcap_listener_wake(file);
	}
}
