// SPDX-License-Identifier: GPL-2.0
/* A capture queue: buffers of records, which the device fills. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "queue.h"

/*
 * Large buffers make few interrupts. Where memory is in pieces smaller ones have
 * to do.
 */
#define LARGE_ORDER	get_order(512 * 1024)
#define SMALL_ORDER	get_order(VCAP_SMALL_BUFFER)

/* The queue's size is the other limit. */
#define MAX_BUFFERS	1024U

static unsigned int buffers = 8;
module_param(buffers, uint, 0444);
MODULE_PARM_DESC(buffers, "Capture buffers of 512 KiB for each device (default 8)");

/** vcap_queue_init() - a queue without buffers and virtqueue */
void vcap_queue_init(struct vcap_queue *queue)
{
	INIT_LIST_HEAD(&queue->posted);
}

/* Allocate at most @n buffers, as many as there is memory for. */
static void alloc_buffers(struct vcap_queue *queue, unsigned int n)
{
	for (; queue->num_buffers < n; queue->num_buffers++) {
		/* Zeros: a device that lies shows nobody what was there. */
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
 * Return: 0, or -ENOMEM if there is memory for none. Fewer than wanted will do.
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

/** vcap_queue_free() - free the buffers, if there are any; the device has none */
void vcap_queue_free(struct vcap_queue *queue)
{
	while (queue->num_buffers > 0)
		free_pages((unsigned long)
			   queue->buffers[--queue->num_buffers].data,
			   queue->order);
	kfree(queue->buffers);
	queue->buffers = NULL;
}

/** vcap_queue_size() - bytes of each buffer */
u32 vcap_queue_size(const struct vcap_queue *queue)
{
	return PAGE_SIZE << queue->order;
}

/**
 * vcap_queue_start() - use a virtqueue that is new
 * @queue: the queue; its buffers, if it has any, are the driver's
 * @vq: the virtqueue, of a device that counts from zero
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
 * vcap_queue_post() - give a buffer to the device
 * @queue: the queue
 * @buffer: a buffer of it that the driver has
 * @len: bytes of it
 *
 * The caller tells the device: virtqueue_kick().
 *
 * Return: 0; -ENOSPC if the queue is full; or what virtqueue_add_inbuf() says.
 */
int vcap_queue_post(struct vcap_queue *queue, struct vcap_buffer *buffer,
		    u32 len)
{
	struct virtio_capture_record *first = buffer->data;
	struct scatterlist sg;
	int err;

	/* See vcap_queue_has_record(). */
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
 * vcap_queue_post_all() - give the device all buffers that it does not have
 * @queue: the queue
 * @len: bytes of each
 *
 * A queue may be shorter than all: then it gets as many as there is room for.
 *
 * Return: 0, or an error if there was no memory to give it more: try later.
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
 * vcap_queue_take() - take the next buffer that the device has completed
 * @queue: the queue
 * @len: set to the bytes that the device says it used
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
 * vcap_queue_has_record() - does the device show that it has a record?
 * @queue: the queue; what the device has completed was taken
 *
 * It writes records where the driver can see them, into the oldest buffer that
 * it has, and there was no header length when it got that. This is no barrier:
 * a frame may be on its way. Memory that is not the guest's own shows nothing.
 *
 * Return: false if there is none.
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
 * vcap_queue_reclaim() - take all buffers back from the device, which may not
 * have completed them
 * @queue: the queue, of a device that listens for nobody
 *
 * That takes a reset of the queue. Linux offers it as a change of the size: from
 * the largest to half of that, or back. Not all devices can do it.
 *
 * Return: 0 if the driver has all buffers; -EBUSY if the device keeps them;
 * -EPROTO if the queue is not to be used any more.
 */
int vcap_queue_reclaim(struct vcap_queue *queue)
{
	unsigned int size = virtqueue_get_vring_size(queue->vq);
	int err;

	size = size < queue->vq->num_max ? queue->vq->num_max : size / 2;
	err = virtqueue_resize(queue->vq, size, recycle, NULL);
	if (err == -EBUSY)
		return -EPROTO;
	/* It may have got them back, and have no memory for the new size. */
	if (!list_empty(&queue->posted))
		return -EBUSY;
	queue->num_posted = 0;
	return 0;
}
