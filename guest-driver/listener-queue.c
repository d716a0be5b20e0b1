// SPDX-License-Identifier: GPL-2.0
/* Listener queues: their assignment to listeners, and the buffer rotation. */
#include <linux/slab.h>

#include "listener.h"
#include "listener-queue.h"
#include "trace.h"
#include "zerocopy.h"

/* Longest descriptor chain that devices accept (QEMU's VIRTQUEUE_MAX_SIZE). */
#define MAX_PIECES	1024

/** vcap_lq_init() - allocate the slots of @count queues; -ENOMEM */
int vcap_lq_init(struct vcap_lq_table *table, unsigned int count)
{
	unsigned int i;

	mutex_init(&table->lock);
	table->slots = kcalloc(count, sizeof(*table->slots), GFP_KERNEL);
	if (!table->slots)
		return -ENOMEM;
	table->count = count;
	for (i = 0; i < count; i++) {
		table->slots[i].listener = i + 1;
		spin_lock_init(&table->slots[i].file_lock);
	}
	return 0;
}

/** vcap_lq_exit() - free the slots, which are all unused */
void vcap_lq_exit(struct vcap_lq_table *table)
{
	kfree(table->slots);
}

/** vcap_lq_start() - start to use new virtqueues after a reset of the device */
void vcap_lq_start(struct vcap_lq_table *table, struct virtqueue **vqs)
{
	unsigned int i;

	mutex_lock(&table->lock);
	for (i = 0; i < table->count; i++) {
		struct vcap_lq_slot *slot = &table->slots[i];

		if (slot->file)
			mutex_lock(&slot->file->lock);
		slot->vq = vqs[i];
		slot->taken = 0;
		if (slot->file)
			mutex_unlock(&slot->file->lock);
	}
	mutex_unlock(&table->lock);
}

/* Take back all buffers of a queue, after a reset of the device. */
static void detach_buffers(struct vcap_lq_slot *slot)
{
	struct vcap_lq_buffer *buffer;

	while (slot->vq && (buffer = virtqueue_detach_unused_buf(slot->vq)))
		buffer->posted = false;
	slot->vq = NULL;
	if (slot->lq)
		slot->lq->store = NULL;
}

/**
 * vcap_lq_stop() - take back all buffers, after a reset of the device
 * @table: its queues; their virtqueues are no longer used
 */
void vcap_lq_stop(struct vcap_lq_table *table)
{
	unsigned int i;

	mutex_lock(&table->lock);
	for (i = 0; i < table->count; i++) {
		struct vcap_lq_slot *slot = &table->slots[i];

		if (slot->file) {
			mutex_lock(&slot->file->lock);
			detach_buffers(slot);
			mutex_unlock(&slot->file->lock);
			continue;
		}
		detach_buffers(slot);
		if (slot->lq)
			vcap_lq_free(slot->lq);
		slot->lq = NULL;
	}
	mutex_unlock(&table->lock);
}

/** vcap_lq_interrupt() - handle a used buffer notification of a queue */
void vcap_lq_interrupt(struct vcap_lq_table *table, struct virtqueue *vq)
{
	struct vcap_lq_slot *slot =
		&table->slots[vq->index - VIRTIO_CAPTURE_NUM_VQS];
	unsigned long flags;

	spin_lock_irqsave(&slot->file_lock, flags);
	if (slot->file) {
		WRITE_ONCE(slot->file->lq->event, true);
		vcap_zerocopy_event(slot->file);
		vcap_listener_wake(slot->file);
	}
	spin_unlock_irqrestore(&slot->file_lock, flags);
}

/** vcap_lq_free() - free the state and buffers, none of which the device has */
void vcap_lq_free(struct vcap_lq *lq)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lq->buffers); i++) {
		vcap_memory_free(&lq->buffers[i].memory);
		if (lq->buffers[i].pages)
			vcap_pages_put(lq->buffers[i].pages);
	}
	kfree(lq);
}

/* Allocate a buffer, or map it in the program's pages. */
static int alloc_buffer(struct vcap_lq_buffer *buffer, u32 size,
			struct vcap_pages *pages)
{
	if (!pages)
		return vcap_memory_alloc(&buffer->memory, size);
	buffer->pages = vcap_pages_get(pages);
	return vcap_memory_map(&buffer->memory, vcap_zerocopy_packets(pages),
			       size);
}

/**
 * vcap_lq_alloc() - allocate the state and buffers of a listener
 * @size: bytes of each buffer, a multiple of 8
 * @memory: pages of the program, referenced as long as the device may write to
 *          them; NULL pointers: allocate the buffers
 *
 * Return: NULL if there is no memory, or if @size is too large for a device.
 */
struct vcap_lq *vcap_lq_alloc(u32 size, struct vcap_pages *memory[2])
{
	struct vcap_lq *lq = kzalloc(sizeof(*lq), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!lq)
		return NULL;
	lq->size = size;
	mutex_init(&lq->cmd_lock);
	for (i = 0; i < ARRAY_SIZE(lq->buffers); i++) {
		if (alloc_buffer(&lq->buffers[i], size, memory[i]) ||
		    lq->buffers[i].memory.table.nents > MAX_PIECES) {
			vcap_lq_free(lq);
			return NULL;
		}
	}
	return lq;
}

/**
 * vcap_lq_claim() - assign a free queue to a listener
 * @table: the queues
 * @lq: the listener's state
 * @file: the listener; @file->lq is set
 *
 * Return: 0, or -EBUSY if there is no free queue.
 */
int vcap_lq_claim(struct vcap_lq_table *table, struct vcap_lq *lq,
		  struct vcap_file *file)
{
	struct vcap_lq_slot *slot;
	int err = -EBUSY;

	mutex_lock(&table->lock);
	for (slot = table->slots; slot < table->slots + table->count; slot++) {
		if (slot->lq)
			continue;
		slot->lq = lq;
		lq->slot = slot;
		file->lq = lq;
		spin_lock_irq(&slot->file_lock);
		slot->file = file;
		spin_unlock_irq(&slot->file_lock);
		err = 0;
		break;
	}
	mutex_unlock(&table->lock);
	return err;
}

static void free_if_returned(struct vcap_lq_slot *slot)
{
	struct vcap_lq *lq = slot->lq;

	if (lq->buffers[0].posted || lq->buffers[1].posted)
		return;
	slot->lq = NULL;
	vcap_lq_free(lq);
}

/**
 * vcap_lq_release() - release a queue and free the buffers
 * @table: the queues
 * @lq: the state of a listener that is no longer used
 *
 * If the device still has a buffer, queue and memory are kept until the device
 * has returned it or was reset: the memory must not be reused before.
 */
void vcap_lq_release(struct vcap_lq_table *table, struct vcap_lq *lq)
{
	struct vcap_lq_slot *slot = lq->slot;

	mutex_lock(&table->lock);
	spin_lock_irq(&slot->file_lock);
	slot->file = NULL;
	spin_unlock_irq(&slot->file_lock);
	free_if_returned(slot);
	mutex_unlock(&table->lock);
}

/**
 * vcap_lq_reclaim() - free buffers of closed descriptors that were returned
 * @table: the queues
 * @ask: called for each queue that was kept because the device had a buffer;
 *       asks the device to return it
 * @data: for @ask
 */
void vcap_lq_reclaim(struct vcap_lq_table *table,
		     void (*ask)(struct vcap_lq_slot *slot, void *data),
		     void *data)
{
	struct vcap_lq_slot *slot;

	mutex_lock(&table->lock);
	for (slot = table->slots; slot < table->slots + table->count; slot++) {
		if (!slot->lq || slot->file)
			continue;
		ask(slot, data);
		vcap_lq_take_used(slot->lq);
		free_if_returned(slot);
	}
	mutex_unlock(&table->lock);
}

/* Make a buffer available to the device. */
static int post(struct vcap_lq *lq, struct vcap_lq_buffer *buffer)
{
	struct virtio_capture_record *first = buffer->memory.data;
	struct sg_table *table = &buffer->memory.table;
	int err;

	/* For vcap_lq_store_is_empty(). */
	WRITE_ONCE(first->hdrlen, 0);
	err = virtqueue_add_inbuf(lq->slot->vq, table->sgl, table->nents,
				  buffer, GFP_KERNEL);
	if (err)
		return err;
	buffer->posted = true;
	if (!lq->store)
		lq->store = buffer;
	return 0;
}

/**
 * vcap_lq_post() - make all buffers available that contain nothing to read
 * @lq: the listener's state; called with the descriptor's lock
 *
 * Return: 0, also without a virtqueue; or an error if there was no memory: try
 * again later.
 */
int vcap_lq_post(struct vcap_lq *lq)
{
	struct virtqueue *vq = lq->slot->vq;
	unsigned int i;
	int err = 0;

	if (!vq)
		return 0;
	for (i = 0; i < ARRAY_SIZE(lq->buffers) && !err; i++) {
		struct vcap_lq_buffer *buffer =
			&lq->buffers[(lq->turn + i) % 2];

		if (!buffer->posted && buffer != lq->hold &&
		    buffer != lq->next)
			err = post(lq, buffer);
	}
	virtqueue_kick(vq);
	return err;
}

/* Handle a used buffer: unless it is empty, it is the next to be read. */
static int take(struct vcap_lq *lq, struct vcap_lq_buffer *buffer, u32 len)
{
	struct vcap_lq_buffer *other = buffer == &lq->buffers[0] ?
		&lq->buffers[1] : &lq->buffers[0];

	buffer->posted = false;
	buffer->number = ++lq->slot->taken;
	lq->store = other->posted ? other : NULL;
	if (len > lq->size || len % VIRTIO_CAPTURE_RECORD_ALIGN)
		return -EPROTO;
	/* The device returns empty buffers only at the end. */
	if (!len && !lq->ending)
		return -EPROTO;
	buffer->len = len;
	if (!len)
		return 0;
	lq->turn = other - lq->buffers;
	if (!lq->hold)
		lq->hold = buffer;
	else
		lq->next = buffer;
	return 0;
}

/**
 * vcap_lq_take_used() - take the buffers that the device has used
 * @lq: the listener's state; called with the descriptor's lock
 *
 * Return: 0, or -EPROTO if the device is broken.
 */
int vcap_lq_take_used(struct vcap_lq *lq)
{
	struct virtqueue *vq = lq->slot->vq;
	struct vcap_lq_buffer *buffer;
	u32 len;
	int err = 0;

	WRITE_ONCE(lq->event, false);
	if (!vq)
		return 0;
	/*
	 * Order the store to @event before the reads of the used ring: a buffer
	 * not seen below sets @event again.
	 */
	smp_mb();
	while (!err && (buffer = virtqueue_get_buf(vq, &len))) {
		trace_virtio_capture_buffer_used(vq->vdev->priv,
						 lq->slot->listener, len);
		err = take(lq, buffer, len);
	}
	return virtqueue_is_broken(vq) ? -EPROTO : err;
}

/**
 * vcap_lq_store_is_empty() - return true if the store buffer has no record
 * @lq: the listener's state; called with the descriptor's lock
 *
 * The device writes records into the buffer as frames arrive, so the first one
 * is visible here without a command. This is no barrier: a frame may be in
 * flight.
 */
bool vcap_lq_store_is_empty(const struct vcap_lq *lq)
{
	const struct virtio_capture_record *first;

	if (!lq->store)
		return false;
	first = lq->store->memory.data;
	return !READ_ONCE(first->hdrlen);
}

/** vcap_lq_release_hold() - release the hold buffer; descriptor's lock is held */
void vcap_lq_release_hold(struct vcap_lq *lq)
{
	lq->hold = lq->next;
	lq->next = NULL;
}
