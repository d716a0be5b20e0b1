/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffer models: where a listener's packets are stored, and who stores them.
 *
 * The rest of the driver accesses a descriptor's buffers only through this
 * table.
 */
#ifndef VCAP_MODEL_H
#define VCAP_MODEL_H

#include <linux/uio.h>

#include "vcap.h"

/**
 * struct vcap_model - operations on the buffers of a descriptor
 * @name: as shown in /proc/net/bpf
 * @preset: the program has set the buffers before it attaches the descriptor;
 *          they are already charged
 *
 * Called with config held, without lock:
 *
 * @attach: allocate the buffers, charged to the current process, and prepare to
 *          listen. Returns 0, -ENOBUFS without memory, or the error of a
 *          command.
 * @start: start to capture; the descriptor is in the device's list. Returns 0
 *         or the error of a command.
 * @detach: undo @attach, and @start if it was called; the descriptor is in no
 *          list and has no reader. On close it is called without config.
 * @prepare: prepare the device for a change of the settings: on success, all
 *           frames from before are in the buffers and counts. Returns 0 or the
 *           error of a command.
 * @update: send the device the descriptor's current requirements. Returns 0 or
 *          the error of a command; the command is repeated later if it could
 *          not be sent.
 *
 * Called without lock:
 *
 * @sync: the barrier: on success, all frames that the interface sent or
 *        received before the call are in the buffers and counts. Returns 0 or
 *        the error of a command.
 * @prepare_wait: called before a reader or poller sleeps: in immediate mode,
 *                have new packets wake it
 * @pending: return true if the device may have used a buffer; the condition of
 *           waiters, besides @readable
 * @fetch: take the buffers that the device has used, without a command. Returns
 *         true if the buffer in progress contains a record.
 *
 * Called with lock held:
 *
 * @share: take back the buffers that the program has returned, and assign it
 *         the hold buffer; NULL: the buffers are not shared with the program
 * @end: no more packets will come; those in the buffers remain readable
 * @readable: whether poll(2) reports the descriptor readable; also called
 *            without lock
 * @available: the result of FIONREAD, bytes
 * @held: the part of @available that new packets do not change, bytes
 * @read_begin: start a read; with @now, do not wait for a full buffer. Returns
 *              the number of bytes to read, which do not change until
 *              @read_end, or 0. NULL: read(2) is not supported.
 * @read_end: finish a read; with @taken, the program has received the packets,
 *            otherwise they stay
 * @discard: empty the buffers, except for a read that is under way
 * @flush: empty the buffers and reset the counts
 *
 * Called between @read_begin and @read_end, without lock:
 *
 * @hold: the packets of the hold buffer
 * @copy: copy @len bytes of packets to the program, and further packets that
 *        the same read returns. Returns the number of bytes copied, or 0 on a
 *        fault.
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
