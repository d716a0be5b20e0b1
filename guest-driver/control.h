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
 * @ctrl: start of the command
 * @listen: LISTEN
 * @flush: FLUSH, of a device with listener queues
 * @clock: CLOCK
 * @filter: FILTER
 * @insns: the program behind that
 * @reply: start of the reply; the device writes from here on
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
	/* Apart from what the driver writes, for machines that are not coherent. */
	struct virtio_capture_reply reply ____cacheline_aligned;
	struct virtio_capture_counters counters;
};

/**
 * struct vcap_control - the control queue
 * @lock: a command and its reply; held while the reply is awaited
 * @vq: lock
 * @command: lock, and the device between kick and reply
 * @has_listeners: the device has queues for listeners, and runs their programs;
 *                 constant after probe
 * @done: a reply may have come
 * @error: why the queue cannot be used, or 0; written with or without lock, but
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
 * struct vcap_counts - what the device has counted for a listener
 * @clock: the device's clock, ns
 * @captured: frames put into buffers
 * @dropped: frames that found none
 * @seen: frames that the program was run over
 * @used: buffers of the listener's queue that the device has used
 *
 * All but @clock since the device was reset; the last two are 0 without queues
 * for listeners.
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
 * Commands. Each returns 0; -ENOBUFS if it could not be given, but may be later;
 * -EAGAIN if a suspend is in the way; -ENXIO if the netdev or the device is
 * gone; -EPROTO if the queue is malformed, -ETIMEDOUT if there was no answer:
 * then the device is to be given up; -EIO for any other failure.
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
