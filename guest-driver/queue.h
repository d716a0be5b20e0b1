/* SPDX-License-Identifier: GPL-2.0 */
/* A capture queue: buffers of records, which the device fills. */
#ifndef VCAP_QUEUE_H
#define VCAP_QUEUE_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/virtio.h>

#include "record.h"

/**
 * struct vcap_buffer - a capture buffer
 * @data: its memory
 * @len: bytes of that which the device has, or had last
 * @node: in the queue's list while the device has it, else empty
 */
struct vcap_buffer {
	void *data;
	u32 len;
	struct list_head node;
};

/*
 * So many records are checked, then handed to one listener after the other:
 * enough to share what is done for each batch, and few enough to stay in the
 * processor's nearest cache.
 */
#define VCAP_BATCH	64

/**
 * struct vcap_queue - a capture queue; its owner has a lock for all of it
 * @vq: the virtqueue
 * @buffers: @num_buffers of them; NULL while nobody needs the queue
 * @num_buffers: how many there are
 * @num_posted: how many of them the device has
 * @posted: those, the oldest first: the device fills that
 * @order: each has so many times doubled pages
 * @dropped: the device's drop count, low 32 bits, as far as listeners know
 * @records: a batch of records, out of a buffer
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
 * The device has at least so much of a buffer: room for a record of the longest
 * frame there is (64 KiB of payload from a NIC that segments in hardware).
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
