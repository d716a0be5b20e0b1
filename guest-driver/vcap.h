/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Common definitions of the driver: the lock order and the open descriptor. The
 * functions that a file exports are declared in the header of the same name.
 *
 * LOCKS, in the order in which they are taken:
 *
 *   files_lock              (procfs.c) list of open descriptors
 *   vcap_file.config        serializes changes of a descriptor's settings
 *   RTNL                    the kernel's lock of network interfaces
 *   registry_lock           (interface.c) list of capture devices
 *   vcap_dev.state_lock     serializes changes of the device state
 *   vcap_dev.listen_lock    serializes LISTEN; the last LISTEN sent
 *   vcap_clock.lock         clock offset
 *   vcap_dev.lock           shared queue, list of listeners
 *   vcap_lq_table.lock      assignment of listener queues to listeners
 *   vcap_lq.cmd_lock        commands for one listener; the last ones sent
 *   vcap_file.lock          state of a descriptor
 *   vcap_control.lock       control queue; a command and its reply
 *   vcap_inject.lock        inject queue
 *   users_lock              (quota.c) per-user usage
 *   vcap_dev.waiters_lock   list of waiters in immediate mode
 *
 *   vcap_lq_slot.file_lock  the descriptor that the queue's interrupt wakes
 *
 * All but the last two are mutexes: buffers are processed in process context,
 * by a reader or by the device's work. Interrupt handlers only wake readers and
 * queue the work.
 */
#ifndef VCAP_H
#define VCAP_H

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "bsd.h"
#include "descriptor.h"
#include "program.h"
#include "virtio_capture.h"

struct net_device;
struct vcap_dev;
struct vcap_model;
struct vcap_lq;
struct vcap_pages;
struct vcap_user;
struct vcap_zerocopy;

/**
 * struct vcap_needs - what a listener requires of the device
 * @snaplen: snapshot length, bytes; U32_MAX: whole frames
 * @flags: VIRTIO_CAPTURE_L_* bits
 * @immediate: deliver frames without delay
 * @delay: longest time that the device may delay frames if not @immediate, us;
 *         0: unlimited
 */
struct vcap_needs {
	u32 snaplen;
	u32 flags;
	bool immediate;
	u32 delay;
};

/**
 * struct vcap_change - the settings of a descriptor after a change
 * @needs: its requirements
 * @filter: its filter; NULL: none
 * @discard: discard the packets captured before the change
 */
struct vcap_change {
	struct vcap_needs needs;
	const struct vcap_program *filter;
	bool discard;
};

/**
 * enum vcap_sync - purpose of a barrier
 * @VCAP_SYNC_COUNTS: make the counts exact, without a rotation
 * @VCAP_SYNC_READ: make all packets readable, for a non-blocking read
 */
enum vcap_sync {
	VCAP_SYNC_COUNTS,
	VCAP_SYNC_READ,
};

/**
 * struct vcap_file - an open descriptor; a listener while it is attached
 * @config: see above
 * @lock: see above
 * @desc: state of the descriptor; protected by @lock
 * @model: buffer model; never NULL
 * @lq: its listener queue, or NULL; changed only while the descriptor is in no
 *      list and has no reader
 * @memory: pinned memory of the program for zero-copy buffers, each with a
 *          struct bpf_zbuf_header at its start; NULL: the model allocates the
 *          buffers; set once, with @config and @lock held
 * @zerocopy: state of the zero-copy buffers (zerocopy.c), or NULL; like @memory
 * @filter: NULL accepts everything; protected by @lock, changed with @config
 *          held
 * @next: requirements of the pending change of the settings; protected by @lock
 * @write_filter: filter for frames to write; NULL: none; protected by @lock
 * @locked: only the requests permitted after BIOCLOCK are allowed; protected by
 *          @config
 * @pid: process that opened it or made the last request; protected by @config
 * @user: the user who opened it (quota.c); constant
 * @privileged: it was opened with CAP_SYS_RESOURCE; constant
 * @dev: the device it is attached to, with a reference; set once, with @config
 *       and @lock held
 * @netdev: the interface by whose name it was attached, while it is in the
 *          device's list; NULL: the interface is gone, or it was attached by
 *          the name of the capture device; RCU, written with the device's lock
 *          held
 * @orphan: its interface is gone; protected by the device's lock
 * @reading: a read is pending; protected by @lock
 * @timeout: read timeout; 0: none; protected by @lock
 * @timeout_end: when the timeout of waiters without a read expires; 0: not
 *               running; protected by @lock
 * @interrupted: the timeout belongs to an interrupted read; protected by @lock
 * @timeout_timer: queues @timeout_work; started and stopped with @lock held
 * @timeout_work: handles the expired timeout
 * @wait: readers and pollers
 * @listener: entry in the device's list of listeners; protected by the device's
 *            lock
 * @waiter: entry in the device's list of waiters in immediate mode, else empty;
 *          protected by waiters_lock
 * @node: entry in the list of all descriptors; protected by files_lock
 */
struct vcap_file {
	struct mutex config;		/* changes of the settings */
	struct mutex lock;		/* state of the descriptor */
	struct vcap_desc desc;
	const struct vcap_model *model;
	struct vcap_lq *lq;
	struct vcap_pages *memory[2];
	struct vcap_zerocopy *zerocopy;
	struct vcap_program *filter;
	struct vcap_needs next;
	struct vcap_program *write_filter;
	bool locked;
	pid_t pid;
	struct vcap_user *user;
	bool privileged;
	struct vcap_dev *dev;
	const struct net_device __rcu *netdev;
	bool orphan;
	bool reading;
	ktime_t timeout;
	ktime_t timeout_end;
	bool interrupted;
	struct hrtimer timeout_timer;
	struct work_struct timeout_work;
	wait_queue_head_t wait;
	struct list_head listener;
	struct list_head waiter;
	struct list_head node;
};

#endif /* VCAP_H */
