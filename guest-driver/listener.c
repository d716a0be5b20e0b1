// SPDX-License-Identifier: GPL-2.0
/* Listeners: attached descriptors, which receive a device's frames. */
#include <linux/netdevice.h>
#include <linux/poll.h>

#include "catch.h"
#include "listener.h"
#include "model.h"
#include "queue.h"
#include "stats.h"
#include "trace.h"

/** vcap_direction_flags() - convert BPF_D_* to VIRTIO_CAPTURE_L_* flags */
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
 * Limits of the delay of records in the device. A reader that waits for a full
 * buffer learns of it with at most this delay; a read whose timeout expires
 * asks the device.
 */
#define DELAY_US	20000
#define LONGEST_US	1000000

/*
 * Return how long the device may delay records for a listener, us. A reader
 * with a timeout fetches its packets when that expires, so a fraction of it is
 * early enough, provided that at most half of its buffer can arrive at once: a
 * larger buffer is used by the device when it contains that much.
 */
static u32 delay_of(const struct vcap_file *file)
{
	if (!file->timeout || file->desc.size < 2 * VCAP_SMALL_BUFFER)
		return DELAY_US;
	return clamp_t(u64, ktime_to_us(file->timeout) / 4, DELAY_US,
		       LONGEST_US);
}

/**
 * vcap_listener_add_needs() - add the requirements of a listener
 * @file: the listener
 * @needs: the requirements of other listeners, to which its own are added
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

/** vcap_listener_dev() - return the device it is attached to, or NULL */
struct vcap_dev *vcap_listener_dev(struct vcap_file *file)
{
	struct vcap_dev *dev;

	mutex_lock(&file->lock);
	dev = file->dev;
	mutex_unlock(&file->lock);
	return dev;
}

/** vcap_listener_is_live() - return true if attached, and not ended */
bool vcap_listener_is_live(struct vcap_file *file)
{
	return vcap_listener_dev(file) && !READ_ONCE(file->desc.gone);
}

/**
 * vcap_listener_sync() - the barrier for one descriptor
 * @file: the descriptor
 * @how: the purpose
 *
 * On success, all frames that the interface sent or received before the call
 * are in its buffers and counts. Does nothing without an interface or if it is
 * gone.
 *
 * Return: 0 or the error of a command.
 */
int vcap_listener_sync(struct vcap_file *file, enum vcap_sync how)
{
	int err = vcap_listener_is_live(file) ? file->model->sync(file, how) : 0;

	return READ_ONCE(file->desc.gone) ? 0 : err;
}

/**
 * vcap_listener_catch_up() - get the packets that the device has
 * @file: the descriptor
 *
 * Like vcap_listener_sync(), for an expired timeout, but no command is sent if
 * the buffer in progress is empty.
 */
void vcap_listener_catch_up(struct vcap_file *file)
{
	if (vcap_listener_is_live(file) && file->model->fetch(file))
		vcap_listener_sync(file, VCAP_SYNC_READ);
}

/**
 * vcap_listener_update() - send the device a descriptor's requirements
 * @file: the descriptor
 *
 * On failure they are sent later.
 */
void vcap_listener_update(struct vcap_file *file)
{
	if (vcap_listener_is_live(file))
		file->model->update(file);
}

/** vcap_listener_readable() - whether poll(2) reports it readable */
bool vcap_listener_readable(const struct vcap_file *file)
{
	return file->model->readable(file);
}

/** vcap_listener_wake() - wake readers and pollers */
void vcap_listener_wake(struct vcap_file *file)
{
	wake_up_interruptible_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
}

/** vcap_listener_share() - exchange zero-copy buffers with the program */
void vcap_listener_share(struct vcap_file *file)
{
	mutex_lock(&file->lock);
	if (file->dev && file->model->share)
		file->model->share(file);
	mutex_unlock(&file->lock);
}

/**
 * vcap_listener_deliver() - run the filter over records, and catch the accepted
 * @file: the listener
 * @recs: array of @n records
 * @n: number of records
 *
 * In batches, so that the lock is taken once for many frames and the filter
 * stays in the cache.
 */
void vcap_listener_deliver(struct vcap_file *file,
			   const struct vcap_record *recs, unsigned int n)
{
	struct vcap_desc *desc = &file->desc;
	const struct vcap_record *rec;
	u64 recv, drop, capt;
	bool wake = false;
	const u8 *hold;

	mutex_lock(&file->lock);
	/* Buffers that the program has returned make room. */
	if (file->model->share)
		file->model->share(file);
	/* eBPF programs run with migration disabled. */
	migrate_disable();
	hold = desc->hold;
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
	/* At most one rotation, as nobody reads the hold buffer meanwhile. */
	if (desc->hold != hold)
		trace_virtio_capture_rotate(file, desc->hold_len);
	if (desc->drop != drop)
		trace_virtio_capture_drop(file, desc->drop - drop);
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
	trace_virtio_capture_drop(file, n);
	mutex_unlock(&file->lock);
}

/**
 * vcap_listeners_orphan() - mark the listeners attached by an interface's name
 * @listeners: the list, whose lock is held
 * @netdev: the interface, which is gone; it must not be used after this call
 *
 * Return: true if there is one, for which vcap_listeners_end() is to be called.
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
 * vcap_listeners_end() - end listeners: reads return what is left, then EIO
 * @listeners: the list, whose lock is held; ended listeners are removed from it
 * @all: end all listeners, not only those whose interface is gone
 */
void vcap_listeners_end(struct list_head *listeners, bool all)
{
	struct vcap_file *file, *next;

	list_for_each_entry_safe(file, next, listeners, listener) {
		if (!all && !file->orphan)
			continue;
		list_del_init(&file->listener);
		/* The netdevice notifier does not find it any more. */
		RCU_INIT_POINTER(file->netdev, NULL);
		mutex_lock(&file->lock);
		file->model->end(file);
		mutex_unlock(&file->lock);
		vcap_listener_wake(file);
	}
}
