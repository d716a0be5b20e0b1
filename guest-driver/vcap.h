/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all of the driver's files need: the order of the locks, and the open
 * descriptor. What a file offers the others is in the header of its name.
 *
 * LOCKS, in the order in which they are taken:
 *
 *   files_lock         (procfs.c) the list of open descriptors
 *   vcap_file.config   one change of a descriptor's set-up at a time
 *   RTNL               the kernel's, of its interfaces: when one goes
 *   registry_lock      (interface.c) the list of devices
 *   vcap_dev.state_lock   one change of the device's state at a time
 *   vcap_dev.listen_lock  one LISTEN at a time; what the device was told last
 *   vcap_clock.lock    the offset of the clocks
 *   vcap_dev.lock      the shared queue, the list of listeners
 *   vcap_lq_table.lock  which listener has which queue of its own
 *   vcap_lq.cmd_lock what the device was told for a listener
 *   vcap_file.lock     the state of a descriptor
 *   vcap_control.lock  the control queue; a command and its reply
 *   vcap_inject.lock   the inject queue
 *   users_lock         (quota.c) what users have
 *   vcap_dev.waiters_lock  who waits in immediate mode
 *
 *   vcap_lq_slot.file_lock  whom the queue's interrupt wakes
 *
 * All but the last two are mutexes: frames are taken out of buffers in process
 * context, by a reader or by the device's work. The interrupt handlers only
 * wake the one and schedule the other.
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
 * struct vcap_needs - what a listener needs of the device
 * @snaplen: bytes of each frame; U32_MAX: all
 * @flags: VIRTIO_CAPTURE_L_* bits
 * @immediate: frames are needed as they come
 * @delay: otherwise, the device may keep them so long, us; 0: for ever
 */
struct vcap_needs {
	u32 snaplen;
	u32 flags;
	bool immediate;
	u32 delay;
};

/**
 * struct vcap_change - a descriptor's set-up after a change of it
 * @needs: all that it will need
 * @filter: its filter; NULL: none
 * @discard: what came before is to be forgotten
 */
struct vcap_change {
	struct vcap_needs needs;
	const struct vcap_program *filter;
	bool discard;
};

/**
 * enum vcap_sync - what a barrier is for
 * @VCAP_SYNC_COUNTS: the counts are exact afterwards; nothing is rotated for it
 * @VCAP_SYNC_READ: all packets are to be had, for a reader who does not wait
 */
enum vcap_sync {
	VCAP_SYNC_COUNTS,
	VCAP_SYNC_READ,
};

/**
 * struct vcap_file - an open descriptor; one that is attached is a listener
 * @config: see above
 * @lock: see above
 * @desc: lock
 * @model: where its packets are: its buffers, and who fills them; never NULL
 * @lq: its own queue, or NULL; changed when it is in no list and nobody reads
 * @memory: of its buffers, if it is the program's own: packets are behind a
 *          struct bpf_zbuf_header; NULL: they are the model's; set once, under
 *          both
 * @zerocopy: how the program and the kernel share that (zerocopy.c), or NULL;
 *            likewise
 * @filter: NULL accepts everything; lock, changed under config, too
 * @next: what the change of the set-up that is being made needs; lock
 * @write_filter: what may be written; NULL: anything; lock
 * @locked: only harmless requests are left (BIOCLOCK); config
 * @pid: process that opened it or made the last request; config
 * @user: who opened it (quota.c); constant
 * @privileged: who had CAP_SYS_RESOURCE; constant
 * @dev: the device it is attached to, with a reference; set once, under both
 * @netdev: the interface that it was attached by, while it is in the device's
 *          list; NULL: the interface is gone, or it was the device's own name;
 *          RCU, written with the device's lock
 * @orphan: its interface is gone; the device's lock
 * @reading: a read is pending; lock
 * @timeout: of reads; 0: none; lock
 * @timeout_end: when it is up for those who wait without a read; 0: it does not
 *               run; lock
 * @interrupted: it runs for a read that was interrupted; lock
 * @timeout_timer: has the work look then; started and stopped under lock
 * @timeout_work: ends the waiting
 * @wait: readers and pollers
 * @listener: in the device's list; the device's lock
 * @waiter: in the device's list of those who wait in immediate mode, else empty;
 *          waiters_lock
 * @node: in the list of all descriptors; files_lock
 */
struct vcap_file {
	struct mutex config;		/* changes of the set-up */
	struct mutex lock;		/* desc, and what readers use */
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
