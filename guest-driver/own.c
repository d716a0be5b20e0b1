// SPDX-License-Identifier: GPL-2.0
/* Listeners' own queues: who has which, and the rotation of their buffers. */
#include <linux/slab.h>

#include "listener.h"
#include "own.h"
#include "zerocopy.h"

/* A buffer of more pieces no device need take (QEMU's VIRTQUEUE_MAX_SIZE). */
#define MAX_PIECES	1024

/** vcap_own_init() - make room for @count queues; -ENOMEM */
int vcap_own_init(struct vcap_own_queues *all, unsigned int count)
{
	unsigned int i;

	mutex_init(&all->lock);
	all->queues = kcalloc(count, sizeof(*all->queues), GFP_KERNEL);
	if (!all->queues)
		return -ENOMEM;
	all->count = count;
	for (i = 0; i < count; i++) {
		all->queues[i].listener = i + 1;
		spin_lock_init(&all->queues[i].user_lock);
	}
	return 0;
}

/** vcap_own_exit() - free that; nobody has a queue */
void vcap_own_exit(struct vcap_own_queues *all)
{
	kfree(all->queues);
}

/** vcap_own_start() - use virtqueues that are new, of a device that was reset */
void vcap_own_start(struct vcap_own_queues *all, struct virtqueue **vqs)
{
	unsigned int i;

	mutex_lock(&all->lock);
	for (i = 0; i < all->count; i++) {
		struct vcap_own_queue *queue = &all->queues[i];

		if (queue->file)
			mutex_lock(&queue->file->lock);
		queue->vq = vqs[i];
		queue->taken = 0;
		if (queue->file)
			mutex_unlock(&queue->file->lock);
	}
	mutex_unlock(&all->lock);
}

/* The device was reset, and does not use the buffers that it has. */
static void take_back(struct vcap_own_queue *queue)
{
	struct vcap_own_buffer *buffer;

	while (queue->vq && (buffer = virtqueue_detach_unused_buf(queue->vq)))
		buffer->posted = false;
	queue->vq = NULL;
	if (queue->own)
		queue->own->store = NULL;
}

/**
 * vcap_own_stop() - take all buffers back from a device that was reset
 * @all: its queues, whose virtqueues are not used from now on
 */
void vcap_own_stop(struct vcap_own_queues *all)
{
	unsigned int i;

	mutex_lock(&all->lock);
	for (i = 0; i < all->count; i++) {
		struct vcap_own_queue *queue = &all->queues[i];

		if (queue->file) {
			mutex_lock(&queue->file->lock);
			take_back(queue);
			mutex_unlock(&queue->file->lock);
			continue;
		}
		take_back(queue);
		if (queue->own)
			vcap_own_free(queue->own);
		queue->own = NULL;
	}
	mutex_unlock(&all->lock);
}

/** vcap_own_interrupt() - the device has used a buffer of that virtqueue */
void vcap_own_interrupt(struct vcap_own_queues *all, struct virtqueue *vq)
{
	struct vcap_own_queue *queue =
		&all->queues[vq->index - VIRTIO_CAPTURE_NUM_VQS];
	unsigned long flags;

	spin_lock_irqsave(&queue->user_lock, flags);
	if (queue->file) {
		WRITE_ONCE(queue->file->own->event, true);
		vcap_zerocopy_event(queue->file);
		vcap_listener_wake(queue->file);
	}
	spin_unlock_irqrestore(&queue->user_lock, flags);
}

/** vcap_own_free() - free buffers that the device does not have */
void vcap_own_free(struct vcap_own *own)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(own->buffers); i++) {
		vcap_memory_free(&own->buffers[i].memory);
		if (own->buffers[i].pages)
			vcap_pages_put(own->buffers[i].pages);
	}
	kfree(own);
}

/* A buffer of the driver's own, or in a program's memory. */
static int alloc_buffer(struct vcap_own_buffer *buffer, u32 size,
			struct vcap_pages *pages)
{
	if (!pages)
		return vcap_memory_alloc(&buffer->memory, size);
	buffer->pages = vcap_pages_get(pages);
	return vcap_memory_map(&buffer->memory, vcap_zerocopy_packets(pages),
			       size);
}

/**
 * vcap_own_alloc() - allocate buffers
 * @size: bytes of each, a multiple of 8
 * @memory: of a program's, which is kept as long as the device may write to it;
 *          NULLs: of the driver's
 *
 * Return: NULL if there is no memory, or if @size is too large for a device.
 */
struct vcap_own *vcap_own_alloc(u32 size, struct vcap_pages *memory[2])
{
	struct vcap_own *own = kzalloc(sizeof(*own), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!own)
		return NULL;
	own->size = size;
	mutex_init(&own->told_lock);
	for (i = 0; i < ARRAY_SIZE(own->buffers); i++) {
		if (alloc_buffer(&own->buffers[i], size, memory[i]) ||
		    own->buffers[i].memory.table.nents > MAX_PIECES) {
			vcap_own_free(own);
			return NULL;
		}
	}
	return own;
}

/**
 * vcap_own_claim() - get a queue that nobody has
 * @all: the queues
 * @own: what will have it
 * @file: whose that is; it gets @own, too
 *
 * Return: 0, or -EBUSY if none is left.
 */
int vcap_own_claim(struct vcap_own_queues *all, struct vcap_own *own,
		   struct vcap_file *file)
{
	struct vcap_own_queue *queue;
	int err = -EBUSY;

	mutex_lock(&all->lock);
	for (queue = all->queues; queue < all->queues + all->count; queue++) {
		if (queue->own)
			continue;
		queue->own = own;
		own->queue = queue;
		file->own = own;
		spin_lock_irq(&queue->user_lock);
		queue->file = file;
		spin_unlock_irq(&queue->user_lock);
		err = 0;
		break;
	}
	mutex_unlock(&all->lock);
	return err;
}

static void free_if_back(struct vcap_own_queue *queue)
{
	struct vcap_own *own = queue->own;

	if (own->buffers[0].posted || own->buffers[1].posted)
		return;
	queue->own = NULL;
	vcap_own_free(own);
}

/**
 * vcap_own_release() - give a queue back, and free the buffers
 * @all: the queues
 * @own: what has one; its descriptor is not used any more
 *
 * If the device still has a buffer, all is kept until the device has given it
 * back or was reset: nobody else may get that memory before.
 */
void vcap_own_release(struct vcap_own_queues *all, struct vcap_own *own)
{
	struct vcap_own_queue *queue = own->queue;

	mutex_lock(&all->lock);
	spin_lock_irq(&queue->user_lock);
	queue->file = NULL;
	spin_unlock_irq(&queue->user_lock);
	free_if_back(queue);
	mutex_unlock(&all->lock);
}

/**
 * vcap_own_reclaim() - free what was left with the device, if it is back
 * @all: the queues
 * @ask: called for each queue whose descriptor is gone but for the buffers, to
 *       have the device give them back
 * @data: for @ask
 */
void vcap_own_reclaim(struct vcap_own_queues *all,
		      void (*ask)(struct vcap_own_queue *queue, void *data),
		      void *data)
{
	struct vcap_own_queue *queue;

	mutex_lock(&all->lock);
	for (queue = all->queues; queue < all->queues + all->count; queue++) {
		if (!queue->own || queue->file)
			continue;
		ask(queue, data);
		vcap_own_look(queue->own);
		free_if_back(queue);
	}
	mutex_unlock(&all->lock);
}

/* Give one buffer to the device. */
static int post(struct vcap_own *own, struct vcap_own_buffer *buffer)
{
	struct virtio_capture_record *first = buffer->memory.data;
	struct sg_table *table = &buffer->memory.table;
	int err;

	/* For vcap_own_is_blank(). */
	WRITE_ONCE(first->hdrlen, 0);
	err = virtqueue_add_inbuf(own->queue->vq, table->sgl, table->nents,
				  buffer, GFP_KERNEL);
	if (err)
		return err;
	buffer->posted = true;
	if (!own->store)
		own->store = buffer;
	return 0;
}

/**
 * vcap_own_post() - give the device the buffers that nobody is to read
 * @own: whose; with the descriptor's lock
 *
 * Return: 0, also without a virtqueue; or an error if there was no memory for
 * it: try later.
 */
int vcap_own_post(struct vcap_own *own)
{
	struct virtqueue *vq = own->queue->vq;
	unsigned int i;
	int err = 0;

	if (!vq)
		return 0;
	for (i = 0; i < ARRAY_SIZE(own->buffers) && !err; i++) {
		struct vcap_own_buffer *buffer =
			&own->buffers[(own->turn + i) % 2];

		if (!buffer->posted && buffer != own->hold &&
		    buffer != own->after)
			err = post(own, buffer);
	}
	virtqueue_kick(vq);
	return err;
}

/* The device has used a buffer: it is to be read, if anything is in it. */
static int take(struct vcap_own *own, struct vcap_own_buffer *buffer, u32 len)
{
	struct vcap_own_buffer *other = buffer == &own->buffers[0] ?
		&own->buffers[1] : &own->buffers[0];

	buffer->posted = false;
	buffer->number = ++own->queue->taken;
	own->store = other->posted ? other : NULL;
	if (len > own->size || len % VIRTIO_CAPTURE_RECORD_ALIGN)
		return -EPROTO;
	/* Without a record it comes back at the end only. */
	if (!len && !own->ending)
		return -EPROTO;
	buffer->len = len;
	if (!len)
		return 0;
	own->turn = other - own->buffers;
	if (!own->hold)
		own->hold = buffer;
	else
		own->after = buffer;
	return 0;
}

/**
 * vcap_own_look() - take the buffers that the device has used
 * @own: whose; with the descriptor's lock
 *
 * Return: 0, or -EPROTO if the device is to be given up.
 */
int vcap_own_look(struct vcap_own *own)
{
	struct virtqueue *vq = own->queue->vq;
	struct vcap_own_buffer *buffer;
	u32 len;
	int err = 0;

	WRITE_ONCE(own->event, false);
	if (!vq)
		return 0;
	/* Pairs with the interrupt: what it tells of next is found, or told. */
	smp_mb();
	while (!err && (buffer = virtqueue_get_buf(vq, &len)))
		err = take(own, buffer, len);
	return virtqueue_is_broken(vq) ? -EPROTO : err;
}

/**
 * vcap_own_is_blank() - is there no record in the store buffer?
 * @own: whose; with the descriptor's lock
 *
 * The device writes records as frames come, and they are seen here without it
 * being asked; but a frame may be on its way.
 */
bool vcap_own_is_blank(const struct vcap_own *own)
{
	const struct virtio_capture_record *first;

	if (!own->store)
		return false;
	first = own->store->memory.data;
	return !READ_ONCE(first->hdrlen);
}

/** vcap_own_next() - the hold buffer was read; with the descriptor's lock */
void vcap_own_next(struct vcap_own *own)
{
	own->hold = own->after;
	own->after = NULL;
}
