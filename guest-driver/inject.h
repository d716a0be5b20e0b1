/* SPDX-License-Identifier: GPL-2.0 */
/* The inject queue: frames that programs write. */
#ifndef VCAP_INJECT_H
#define VCAP_INJECT_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/virtio.h>
#include <linux/wait.h>

#include "virtio_capture.h"

/**
 * struct vcap_injection - a frame to send, with the device's reply
 * @reply: written by the device
 * @head: read by the device; in its own cache line, for non-coherent DMA
 * @frame: the frame
 */
struct vcap_injection {
	struct virtio_capture_reply reply;
	struct virtio_capture_inject head ____cacheline_aligned;
	u8 frame[];
};

/**
 * struct vcap_inject - the inject queue
 * @lock: protects @vq and @error
 * @vq: the virtqueue; NULL: none now
 * @error: why it cannot be used, or 0
 * @events: counts interrupts and changes of @error
 * @wait: writers that wait for queue space
 */
struct vcap_inject {
	struct mutex lock;	/* vq, error */
	struct virtqueue *vq;
	int error;
	atomic_t events;
	wait_queue_head_t wait;
};

void vcap_inject_init(struct vcap_inject *inject);
void vcap_inject_free(struct vcap_inject *inject);
void vcap_inject_set_error(struct vcap_inject *inject, int error);
void vcap_inject_wake(struct vcap_inject *inject);
int vcap_inject_send(struct vcap_inject *inject,
		     struct vcap_injection *injection, size_t len,
		     bool nonblock);

#endif /* VCAP_INJECT_H */
