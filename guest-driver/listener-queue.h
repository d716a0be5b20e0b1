/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A listener's own queue: its two buffers are filled by the device, and the
 * virtqueue is their rotation.
 *
 *   device ----------> [ store buffer ] --> used ring --> [ hold buffer ] --> read
 *                            ^                                  |
 *                            +------ made available again <-----+
 */
#ifndef VCAP_LISTENER_QUEUE_H
#define VCAP_LISTENER_QUEUE_H

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
 * struct vcap_lq_buffer - one of the two buffers
 * @memory: what the device writes to
 * @pages: the program's that this is; NULL: it is the driver's
 * @len: bytes of packets in it, while it waits to be read
 * @number: how many buffers of the queue the device had used with it
 * @posted: the device has it
 */
struct vcap_lq_buffer {
	struct vcap_memory memory;
	struct vcap_pages *pages;
	u32 len;
	u64 number;
	bool posted;
};

/**
 * struct vcap_lq - what a listener has that has a queue of its own
 * @slot: the queue
 * @buffers: what the device fills; lock of the descriptor, and so are the next
 *           four
 * @size: bytes of each that the device is given, a multiple of 8; constant
 * @store: the store buffer, the oldest that the device has; NULL: it has none
 * @hold: the hold buffer, which waits to be read or is being read; NULL: none
 * @next: the one to hold after it; NULL: none
 * @turn: which of the buffers is filled next, if the device has neither: they
 *        take turns; lock
 * @ending: the device is to give all buffers back, and gets none; lock
 * @stopped: the device captures nothing, and @base is that of its next start; lock
 * @event: the device may have used a buffer; set by the interrupt
 * @cmd_lock: of what the device was told; taken before the descriptor's lock
 * @listen: the last LISTEN; cmd_lock
 * @filter: the program that the device runs; NULL: none; cmd_lock
 * @base: the device's counts when the descriptor's were zero; lock
 * @cut: the device's counts at the last change of the set-up; lock
 */
struct vcap_lq {
	struct vcap_lq_slot *slot;
	struct vcap_lq_buffer buffers[2];
	u32 size;
	struct vcap_lq_buffer *store;
	struct vcap_lq_buffer *hold;
	struct vcap_lq_buffer *next;
	unsigned int turn;
	bool ending;
	bool stopped;
	bool event;

	struct mutex cmd_lock;		/* told, filter */
	struct virtio_capture_listen listen;
	const struct vcap_program *filter;

	struct vcap_counts base;
	struct vcap_counts cut;
};

/**
 * struct vcap_lq_slot - a listener queue of the device
 * @vq: the virtqueue; NULL: there is none now; lock of @file
 * @listener: its number on the device
 * @taken: buffers taken out of it since the device was reset; lock of @file
 * @file_lock: of @file, for the interrupt
 * @file: who has the queue, or NULL; vcap_lq_table.lock and @file_lock
 * @lq: what that has; it stays behind without @file if the device did not give
 *       its buffers back; vcap_lq_table.lock
 */
struct vcap_lq_slot {
	struct virtqueue *vq;
	u32 listener;
	u64 taken;
	spinlock_t file_lock;		/* file */
	struct vcap_file *file;
	struct vcap_lq *lq;
};

/**
 * struct vcap_lq_table - the listener queues of a device
 * @lock: who has which
 * @slots: @count of them; constant after probe
 * @count: 0: the device has none
 */
struct vcap_lq_table {
	struct mutex lock;		/* who has which */
	struct vcap_lq_slot *slots;
	unsigned int count;
};

int vcap_lq_init(struct vcap_lq_table *table, unsigned int count);
void vcap_lq_exit(struct vcap_lq_table *table);
void vcap_lq_start(struct vcap_lq_table *table, struct virtqueue **vqs);
void vcap_lq_stop(struct vcap_lq_table *table);
void vcap_lq_interrupt(struct vcap_lq_table *table, struct virtqueue *vq);

struct vcap_lq *vcap_lq_alloc(u32 size, struct vcap_pages *memory[2]);
void vcap_lq_free(struct vcap_lq *lq);
int vcap_lq_claim(struct vcap_lq_table *table, struct vcap_lq *lq,
		  struct vcap_file *file);
void vcap_lq_release(struct vcap_lq_table *table, struct vcap_lq *lq);

void vcap_lq_reclaim(struct vcap_lq_table *table,
		     void (*ask)(struct vcap_lq_slot *slot, void *data),
		     void *data);

int vcap_lq_post(struct vcap_lq *lq);
int vcap_lq_take_used(struct vcap_lq *lq);
bool vcap_lq_store_is_empty(const struct vcap_lq *lq);
void vcap_lq_release_hold(struct vcap_lq *lq);

#endif /* VCAP_LISTENER_QUEUE_H */
