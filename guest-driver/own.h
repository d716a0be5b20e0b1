/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A listener's own queue: its two buffers are filled by the device, and the
 * virtqueue is their rotation.
 *
 *   device ----------> [ store buffer ] --> used ring --> [ hold buffer ] --> read
 *                            ^                                  |
 *                            +------ made available again <-----+
 */
#ifndef VCAP_OWN_H
#define VCAP_OWN_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/virtio.h>

#include "control.h"
#include "memory.h"

struct vcap_file;
struct vcap_pages;
struct vcap_program;

/**
 * struct vcap_own_buffer - one of the two buffers
 * @memory: what the device writes to
 * @pages: the program's that this is; NULL: it is the driver's
 * @len: bytes of packets in it, while it waits to be read
 * @number: how many buffers of the queue the device had used with it
 * @posted: the device has it
 */
struct vcap_own_buffer {
	struct vcap_memory memory;
	struct vcap_pages *pages;
	u32 len;
	u64 number;
	bool posted;
};

/**
 * struct vcap_own - what a listener has that has a queue of its own
 * @queue: the queue
 * @buffers: what the device fills; lock of the descriptor, and so are the next
 *           four
 * @size: bytes of each that the device is given, a multiple of 8; constant
 * @store: the store buffer, the oldest that the device has; NULL: it has none
 * @hold: the hold buffer, which waits to be read or is being read; NULL: none
 * @after: the one to hold after it; NULL: none
 * @turn: which of the buffers is filled next, if the device has neither: they
 *        take turns; lock
 * @ending: the device is to give all buffers back, and gets none; lock
 * @stopped: the device captures nothing, and @base is that of its next start; lock
 * @event: the device may have used a buffer; set by the interrupt
 * @told_lock: of what the device was told; taken before the descriptor's lock
 * @told: the last LISTEN; told_lock
 * @filter: the program that the device runs; NULL: none; told_lock
 * @base: the device's counts when the descriptor's were zero; lock
 * @cut: the device's counts at the last change of the set-up; lock
 */
struct vcap_own {
	struct vcap_own_queue *queue;
	struct vcap_own_buffer buffers[2];
	u32 size;
	struct vcap_own_buffer *store;
	struct vcap_own_buffer *hold;
	struct vcap_own_buffer *after;
	unsigned int turn;
	bool ending;
	bool stopped;
	bool event;

	struct mutex told_lock;		/* told, filter */
	struct virtio_capture_listen told;
	const struct vcap_program *filter;

	struct vcap_counts base;
	struct vcap_counts cut;
};

/**
 * struct vcap_own_queue - a listener queue of the device
 * @vq: the virtqueue; NULL: there is none now; lock of @file
 * @listener: its number on the device
 * @taken: buffers taken out of it since the device was reset; lock of @file
 * @user_lock: of @file, for the interrupt
 * @file: who has the queue, or NULL; vcap_own_queues.lock and @user_lock
 * @own: what that has; it stays behind without @file if the device did not give
 *       its buffers back; vcap_own_queues.lock
 */
struct vcap_own_queue {
	struct virtqueue *vq;
	u32 listener;
	u64 taken;
	spinlock_t user_lock;		/* file */
	struct vcap_file *file;
	struct vcap_own *own;
};

/**
 * struct vcap_own_queues - the listener queues of a device
 * @lock: who has which
 * @queues: @count of them; constant after probe
 * @count: 0: the device has none
 */
struct vcap_own_queues {
	struct mutex lock;		/* who has which */
	struct vcap_own_queue *queues;
	unsigned int count;
};

int vcap_own_init(struct vcap_own_queues *all, unsigned int count);
void vcap_own_exit(struct vcap_own_queues *all);
void vcap_own_start(struct vcap_own_queues *all, struct virtqueue **vqs);
void vcap_own_stop(struct vcap_own_queues *all);
void vcap_own_interrupt(struct vcap_own_queues *all, struct virtqueue *vq);

struct vcap_own *vcap_own_alloc(u32 size, struct vcap_pages *memory[2]);
void vcap_own_free(struct vcap_own *own);
int vcap_own_claim(struct vcap_own_queues *all, struct vcap_own *own,
		   struct vcap_file *file);
void vcap_own_release(struct vcap_own_queues *all, struct vcap_own *own);

void vcap_own_reclaim(struct vcap_own_queues *all,
		      void (*ask)(struct vcap_own_queue *queue, void *data),
		      void *data);

int vcap_own_post(struct vcap_own *own);
int vcap_own_look(struct vcap_own *own);
bool vcap_own_is_blank(const struct vcap_own *own);
void vcap_own_next(struct vcap_own *own);

#endif /* VCAP_OWN_H */
