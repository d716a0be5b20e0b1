/* SPDX-License-Identifier: GPL-2.0 */
/* The control queue: one command at a time, and its reply. */
#ifndef VCAP_CONTROL_H
#define VCAP_CONTROL_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/virtio.h>

#include "bsd.h"
#include "virtio_capture.h"

/**
 * struct vcap_command - a command and its reply, shared with the device
 * @ctrl: header of the command
 * @listen: LISTEN
 * @flush: FLUSH, for a device with listener queues
 * @clock: CLOCK
 * @filter: FILTER
 * @insns: the filter program that follows @filter
 * @reply: header of the reply; written by the device, like all that follows
 * @counters: reply to FLUSH, CLOCK and FILTER
 */
struct vcap_command {
	struct virtio_capture_ctrl ctrl;
	union {
		struct virtio_capture_listen listen;
		struct virtio_capture_flush flush;
		struct virtio_capture_clock clock;
		struct {
			struct virtio_capture_filter filter;
			struct bsd_insn insns[VIRTIO_CAPTURE_MAX_INSNS];
		};
	};
	/* In its own cache line, for non-coherent DMA. */
	struct virtio_capture_reply reply ____cacheline_aligned;
	struct virtio_capture_counters counters;
};

/**
 * struct vcap_control - the control queue
 * @lock: serializes commands; held while waiting for the reply
 * @vq: the virtqueue; protected by @lock
 * @command: protected by @lock; the device has it until it has replied
 * @has_listeners: the device has listener queues and runs filters; constant
 *                 after probe
 * @done: completed when a reply may have arrived
 * @error: why the queue cannot be used, or 0; may be written without @lock, but
 *         see vcap_control_set_error()
 */
struct vcap_control {
	struct mutex lock;	/* a command and its reply */
	struct virtqueue *vq;
	struct vcap_command *command;
	bool has_listeners;
	struct completion done;
	int error;
};

/**
 * struct vcap_counts - the device's counts for a listener
 * @clock: the device's clock, ns
 * @captured: frames stored in buffers
 * @dropped: frames dropped for lack of buffers
 * @seen: frames that the filter was run over
 * @used: buffers of the listener's queue that the device has used
 *
 * All counts but @clock start at zero at a reset of the device. @seen and @used
 * are 0 for a device without listener queues.
 */
struct vcap_counts {
	u64 clock;
	u64 captured;
	u64 dropped;
	u64 seen;
	u64 used;
};

int vcap_control_init(struct vcap_control *control);
void vcap_control_free(struct vcap_control *control);
void vcap_control_set_error(struct vcap_control *control, int error);
void vcap_control_stop(struct vcap_control *control);
void vcap_control_wake(struct vcap_control *control);

/*
 * Commands. Each returns 0; -ENOBUFS if it could not be sent for lack of memory
 * or queue space; -EAGAIN while suspended; -ENXIO if the netdev or the device
 * is gone; -EPROTO if the virtqueue is malformed and -ETIMEDOUT without a
 * reply, in which cases the caller marks the device as broken; -EIO for any
 * other failure.
 */
int vcap_control_listen(struct vcap_control *control,
			const struct virtio_capture_listen *listen);
int vcap_control_flush(struct vcap_control *control, u32 listener, u32 flags,
		       struct vcap_counts *counts);
int vcap_control_filter(struct vcap_control *control, u32 listener, u32 flags,
			const struct bsd_insn *insns, u32 count,
			struct vcap_counts *counts);
int vcap_control_clock(struct vcap_control *control, const s64 *offset,
		       struct vcap_counts *counts);

#endif /* VCAP_CONTROL_H */
