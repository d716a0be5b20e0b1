/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Listener queues: a virtqueue for a single listener. The device fills the
 * listener's two buffers, and using a buffer is the rotation.
 *
 *   device --------> [ store buffer ] --> used ring --> [ hold buffer ] --> read
 *                           ^                                 |
 *                           +----- made available again <-----+
 *
 * listener-command.c has the commands for listener queues.
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
 * @memory: its memory
 * @pages: the pinned memory of the program that contains it; NULL: it was
 *         allocated by the driver
 * @len: bytes of packets in it, while it waits to be read
 * @number: sequence number of its use: buffers of the queue used until then
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
 * struct vcap_lq - state of a listener that has a listener queue
 * @slot: the queue
 * @buffers: its two buffers; protected by the descriptor's lock ("lock" below)
 * @size: bytes of each buffer made available, a multiple of 8; constant
 * @store: the store buffer, the oldest that the device has; NULL: none; lock
 * @hold: the hold buffer, waiting to be read or being read; NULL: none; lock
 * @next: the used buffer that becomes the hold buffer next; NULL: none; lock
 * @turn: index of the buffer to make available first if the device has none:
 *        the buffers alternate; lock
 * @ending: the device is to return all buffers, and gets no more; lock
 * @stopped: the device captures nothing, and @base is valid for its next start;
 *           lock
 * @event: the device may have used a buffer; set by the interrupt handler
 * @cmd_lock: serializes commands; taken before the descriptor's lock
 * @listen: the last LISTEN sent; protected by @cmd_lock
 * @filter: the program that the device runs; NULL: none; protected by @cmd_lock
 * @base: the device's counts that correspond to counts of 0 of the descriptor;
 *        lock
 * @cut: the device's counts at the last change of the settings; lock
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

	struct mutex cmd_lock;		/* commands */
	struct virtio_capture_listen listen;
	const struct vcap_program *filter;

	struct vcap_counts base;
	struct vcap_counts cut;
};

/**
 * struct vcap_lq_slot - a listener queue of the device
 * @vq: the virtqueue; NULL: none now; protected by the lock of @file
 * @listener: number of the listener on the device
 * @taken: used buffers taken since the device was reset; protected by the lock
 *         of
 *         @file
 * @file_lock: protects @file for the interrupt handler
 * @file: the descriptor that has the queue, or NULL; written with
 *        vcap_lq_table.lock and @file_lock held
 * @lq: the state of its listener; kept without @file while the device does not
 *      return the buffers; protected by vcap_lq_table.lock
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
 * @lock: serializes assignment of the slots
 * @slots: array of @count queues; constant after probe
 * @count: number of queues; 0: the device has none
 */
struct vcap_lq_table {
	struct mutex lock;		/* assignment of the slots */
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
