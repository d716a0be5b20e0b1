/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffer models: where a listener's packets are, and who puts them there.
 *
 * The rest of the driver knows a descriptor's buffers only by this table.
 */
#ifndef VCAP_MODEL_H
#define VCAP_MODEL_H

#include <linux/uio.h>

#include "vcap.h"

/**
 * struct vcap_model - what is done with the buffers of a descriptor
 * @name: as /proc/net/bpf shows it
 * @preset: the program has set the buffers before it attaches the descriptor,
 *          and they were charged then
 *
 * Without lock, with config:
 *
 * @attach: get ready to listen to a device: allocate the buffers, for the current
 *          process; -ENOBUFS if there is no memory, or why the device could not
 *          be asked
 * @start: have packets come in from now on; the descriptor is in the device's
 *         list. Returns why that cannot be.
 * @detach: undo @attach, and @start if there was one; the descriptor is in no
 *          list any more, and nobody reads. Without config if it is closed.
 * @prepare: get the device ready for a change of the set-up; then what came before
 *           is in the buffers and counts. Returns why that cannot be.
 * @update: tell the device what the descriptor needs now. Returns why it could
 *          not be told; it is told later.
 *
 * Without lock:
 *
 * @sync: the barrier: what the interface transmitted or received before the call
 *        is in the buffers and counts afterwards. Returns why the device could
 *        not be asked.
 *
 * @prepare_wait: before a reader or poller sleeps: have what comes wake it, if packets
 *         are wanted as they come
 * @pending: while it sleeps, also in the middle of going to: has something come?
 * @fetch: take what the device has handed over, without asking it; returns
 *        whether it shows that it has more
 *
 * With lock:
 *
 * @share: take the buffers back that the program has given back, and give it what
 *         there is for it; NULL: it has no part in the buffers' memory
 * @end: no more packets will come, those that are there can be read
 * @readable: what poll(2) says of reading; also asked without lock
 * @available: what FIONREAD gives, bytes
 * @held: bytes of that which do not change when packets come
 * @read_begin: start to read, @now: without waiting for a full buffer; returns
 *              the bytes to read, which are left alone until @read_end, or 0.
 *              NULL: there is no read(2)
 * @read_end: finish it; the program has the packets if they were @taken,
 *            otherwise they stay
 * @discard: empty the buffers; a read under way came before
 * @flush: the same, and reset the counts
 *
 * Between @read_begin and @read_end, without lock:
 *
 * @hold: where the packets are
 * @copy: copy the @len bytes out, and what else the program is to get with them;
 *        returns how many it has got, or 0
 */
struct vcap_model {
	const char *name;
	bool preset;
	int (*attach)(struct vcap_file *file, struct vcap_dev *dev);
	int (*start)(struct vcap_file *file, struct vcap_dev *dev);
	void (*detach)(struct vcap_file *file, struct vcap_dev *dev);
	int (*prepare)(struct vcap_file *file, const struct vcap_change *next);
	int (*update)(struct vcap_file *file);
	int (*sync)(struct vcap_file *file, enum vcap_sync how);
	void (*prepare_wait)(struct vcap_file *file);
	bool (*pending)(const struct vcap_file *file);
	bool (*fetch)(struct vcap_file *file);
	void (*share)(struct vcap_file *file);
	void (*end)(struct vcap_file *file);
	bool (*readable)(const struct vcap_file *file);
	u32 (*available)(const struct vcap_file *file);
	u32 (*held)(const struct vcap_file *file);
	u32 (*read_begin)(struct vcap_file *file, bool now);
	const void *(*hold)(const struct vcap_file *file);
	u32 (*copy)(struct vcap_file *file, u32 len, struct iov_iter *to);
	void (*read_end)(struct vcap_file *file, bool taken);
	void (*discard)(struct vcap_file *file);
	void (*flush)(struct vcap_file *file);
};

#endif /* VCAP_MODEL_H */
