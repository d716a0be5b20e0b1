/* SPDX-License-Identifier: GPL-2.0 */
/* The capture queue: large buffers that the device fills with records. */
#ifndef VCAP_QUEUE_H
#define VCAP_QUEUE_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/virtio.h>

#include "record.h"

/**
 * struct vcap_buffer - a capture buffer
 * @data: its memory
 * @len: bytes made available to the device, now or last
 * @node: in the queue's list while the device has the buffer, else empty
 */
struct vcap_buffer {
	void *data;
	u32 len;
	struct list_head node;
};

/*
 * Number of records that are checked together and then passed to one listener
 * after the other: enough to amortize the cost of each batch, and few enough to
 * stay in the L1 cache.
 */
#define VCAP_BATCH	64

/**
 * struct vcap_queue - a capture queue; the caller serializes all access
 * @vq: the virtqueue
 * @buffers: array of @num_buffers buffers; NULL while the queue has no users
 * @num_buffers: number of buffers
 * @num_posted: number of buffers that the device has
 * @posted: the buffers that the device has, oldest first; the first one is the
 *          buffer in progress
 * @order: page order of each buffer
 * @dropped: low 32 bits of the device's drop count that listeners were told
 * @records: a batch of records of a buffer
 */
struct vcap_queue {
	struct virtqueue *vq;
	struct vcap_buffer *buffers;
	unsigned int num_buffers;
	unsigned int num_posted;
	struct list_head posted;
	unsigned int order;
	u32 dropped;
	struct vcap_record records[VCAP_BATCH];
};

/*
 * The smallest length of a buffer: room for a record of the longest frame, 64
 * KiB of payload from a NIC with segmentation offload.
 */
#define VCAP_SMALL_BUFFER	(128 * 1024U)

void vcap_queue_init(struct vcap_queue *queue);
int vcap_queue_alloc(struct vcap_queue *queue);
void vcap_queue_free(struct vcap_queue *queue);
void vcap_queue_start(struct vcap_queue *queue, struct virtqueue *vq);
u32 vcap_queue_size(const struct vcap_queue *queue);
int vcap_queue_post(struct vcap_queue *queue, struct vcap_buffer *buffer,
		    u32 len);
int vcap_queue_post_all(struct vcap_queue *queue, u32 len);
bool vcap_queue_has_record(const struct vcap_queue *queue);
int vcap_queue_reclaim(struct vcap_queue *queue);
struct vcap_buffer *vcap_queue_take(struct vcap_queue *queue, u32 *len);

#endif /* VCAP_QUEUE_H */
