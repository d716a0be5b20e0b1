// SPDX-License-Identifier: GPL-2.0
/* The capture queue: large buffers that the device fills with records. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "queue.h"

/*
 * Large buffers cause fewer interrupts. Use smaller ones if memory is too
 * fragmented for large ones.
 */
#define LARGE_ORDER	get_order(512 * 1024)
#define SMALL_ORDER	get_order(VCAP_SMALL_BUFFER)

/* The number of buffers is also limited by the size of the virtqueue. */
#define MAX_BUFFERS	1024U

static unsigned int buffers = 8;
module_param(buffers, uint, 0444);
MODULE_PARM_DESC(buffers, "Capture buffers of 512 KiB for each device (default 8)");

/** vcap_queue_init() - initialize a queue without buffers and virtqueue */
void vcap_queue_init(struct vcap_queue *queue)
{
	INIT_LIST_HEAD(&queue->posted);
}

/* Allocate up to @n buffers in all; stop when there is no memory. */
static void alloc_buffers(struct vcap_queue *queue, unsigned int n)
{
	for (; queue->num_buffers < n; queue->num_buffers++) {
		/* Zeroed, so that a misbehaving device exposes no old data. */
		void *data = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO |
						      __GFP_NOWARN,
						      queue->order);

		if (!data)
			break;
		queue->buffers[queue->num_buffers].data = data;
		INIT_LIST_HEAD(&queue->buffers[queue->num_buffers].node);
	}
}

/**
 * vcap_queue_alloc() - allocate the buffers of a queue that has none
 * @queue: the queue
 *
 * Return: 0 if at least one buffer was allocated, else -ENOMEM.
 */
int vcap_queue_alloc(struct vcap_queue *queue)
{
	unsigned int n = clamp(buffers, 1U, MAX_BUFFERS);

	queue->buffers = kcalloc(n, sizeof(*queue->buffers), GFP_KERNEL);
	if (!queue->buffers)
		return -ENOMEM;
	queue->order = LARGE_ORDER;
	alloc_buffers(queue, n);
	while (queue->num_buffers == 0 && queue->order > SMALL_ORDER) {
		queue->order--;
		alloc_buffers(queue, n);
	}
	if (queue->num_buffers == 0) {
		vcap_queue_free(queue);
		return -ENOMEM;
	}
	return 0;
}

/** vcap_queue_free() - free the buffers, if any; the device has none of them */
void vcap_queue_free(struct vcap_queue *queue)
{
	while (queue->num_buffers > 0)
		free_pages((unsigned long)
			   queue->buffers[--queue->num_buffers].data,
			   queue->order);
	kfree(queue->buffers);
	queue->buffers = NULL;
}

/** vcap_queue_size() - return the size of each buffer, bytes */
u32 vcap_queue_size(const struct vcap_queue *queue)
{
	return PAGE_SIZE << queue->order;
}

/**
 * vcap_queue_start() - start to use a new virtqueue
 * @queue: the queue; the device has none of its buffers
 * @vq: the virtqueue, of a device whose counts start at zero
 */
void vcap_queue_start(struct vcap_queue *queue, struct virtqueue *vq)
{
	struct vcap_buffer *buffer, *next;

	queue->vq = vq;
	queue->dropped = 0;
	queue->num_posted = 0;
	list_for_each_entry_safe(buffer, next, &queue->posted, node)
		list_del_init(&buffer->node);
}

/**
 * vcap_queue_post() - make a buffer available to the device
 * @queue: the queue
 * @buffer: one of its buffers that the device does not have
 * @len: bytes of it to make available
 *
 * The caller notifies the device with virtqueue_kick().
 *
 * Return: 0, -ENOSPC if the queue is full, or another error of
 * virtqueue_add_inbuf().
 */
int vcap_queue_post(struct vcap_queue *queue, struct vcap_buffer *buffer,
		    u32 len)
{
	struct virtio_capture_record *first = buffer->data;
	struct scatterlist sg;
	int err;

	/* For vcap_queue_has_record(). */
	first->hdrlen = 0;
	buffer->len = len;
	sg_init_one(&sg, buffer->data, len);
	err = virtqueue_add_inbuf(queue->vq, &sg, 1, buffer, GFP_KERNEL);
	if (err)
		return err;
	list_add_tail(&buffer->node, &queue->posted);
	queue->num_posted++;
	return 0;
}

/**
 * vcap_queue_post_all() - make all buffers available that the device does not
 * have
 * @queue: the queue
 * @len: bytes of each
 *
 * A virtqueue may hold fewer buffers than there are: then it is filled.
 *
 * Return: 0, or an error if there was no memory to add more: try again later.
 */
int vcap_queue_post_all(struct vcap_queue *queue, u32 len)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < queue->num_buffers && !err; i++)
		if (list_empty(&queue->buffers[i].node))
			err = vcap_queue_post(queue, &queue->buffers[i], len);
	return err == -ENOSPC && queue->num_posted ? 0 : err;
}

/**
 * vcap_queue_take() - take the next used buffer
 * @queue: the queue
 * @len: set to the length that the device reports
 *
 * Return: the buffer, or NULL if there is none.
 */
struct vcap_buffer *vcap_queue_take(struct vcap_queue *queue, u32 *len)
{
	struct vcap_buffer *buffer = virtqueue_get_buf(queue->vq, len);

	if (buffer) {
		list_del_init(&buffer->node);
		queue->num_posted--;
	}
	return buffer;
}

/**
 * vcap_queue_has_record() - return true if the buffer in progress has a record
 * @queue: the queue; all used buffers have been taken
 *
 * The device writes records into the oldest available buffer as frames arrive.
 * The driver cleared the first header length when it made the buffer available.
 * This is no barrier: a frame may be in flight. With bounce buffers the driver
 * cannot see unfinished buffers, and the result is always true.
 */
bool vcap_queue_has_record(const struct vcap_queue *queue)
{
	const struct virtio_capture_record *first;

	if (virtio_has_feature(queue->vq->vdev, VIRTIO_F_ACCESS_PLATFORM))
		return true;
	if (list_empty(&queue->posted))
		return false;
	first = list_first_entry(&queue->posted, struct vcap_buffer,
				 node)->data;
	return READ_ONCE(first->hdrlen);
}

static void recycle(struct virtqueue *vq, void *buffer)
{
	list_del_init(&((struct vcap_buffer *)buffer)->node);
}

/**
 * vcap_queue_reclaim() - take back all buffers, including those not used yet
 * @queue: the queue, of a device that captures for no listener
 *
 * This requires a reset of the virtqueue. Linux offers that only as a change of
 * its size: alternate between the largest size and half of it. Not all devices
 * support it.
 *
 * Return: 0 if the driver has all buffers; -EBUSY if the device keeps them;
 * -EPROTO if the queue must not be used any more.
 */
int vcap_queue_reclaim(struct vcap_queue *queue)
{
	unsigned int size = virtqueue_get_vring_size(queue->vq);
	int err;

	size = size < queue->vq->num_max ? queue->vq->num_max : size / 2;
	err = virtqueue_resize(queue->vq, size, recycle, NULL);
	if (err == -EBUSY)
		return -EPROTO;
	/* The reset may succeed and the allocation for the new size fail. */
	if (!list_empty(&queue->posted))
		return -EBUSY;
	queue->num_posted = 0;
	return 0;
}
