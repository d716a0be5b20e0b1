/* SPDX-License-Identifier: GPL-2.0 */
/* The life of a device: its state, and what goes with a change of it. */
#ifndef VCAP_DEVICE_H
#define VCAP_DEVICE_H

#include <linux/if.h>
#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/virtio.h>

#include "clock.h"
#include "control.h"
#include "inject.h"
#include "listener-queue.h"
#include "queue.h"
#include "vcap.h"

/**
 * enum vcap_state - what may be done with a device
 * @VCAP_SUSPENDED: there are no queues: before probe and in a suspend
 * @VCAP_READY: there are
 * @VCAP_BROKEN: it was given up; a resume may mend it
 * @VCAP_REMOVED: there is no virtio device any more; the last state
 *
 * Listeners outlive a suspend, and nothing else: see vcap_dev_set_state().
 */
enum vcap_state {
	VCAP_SUSPENDED,
	VCAP_READY,
	VCAP_BROKEN,
	VCAP_REMOVED,
};

/**
 * struct vcap_dev - a capture device
 * @ref: one for the virtio device, one for each attached descriptor
 * @node: in the registry; registry_lock
 * @vdev: the virtio device; valid until it is removed
 * @id: number in @name
 * @name: its own name, which BIOCSETIF takes beside the interface's
 * @link_type: DLT_ number of its frames; constant after probe
 * @mtu: longest payload of a frame to write, bytes; as of the last attach
 *
 * @state_lock: see vcap.h
 * @state: written with state_lock; see vcap_dev_error()
 * @fault: why the device is to be given up, or NULL
 *
 * @listen_lock: see vcap.h
 * @listen: what the device was told last; listen_lock
 * @clock: the offset of its clock
 *
 * @lock: see vcap.h
 * @listeners: struct vcap_file.listener; lock
 * @queue: the shared capture queue; lock
 * @users: how many descriptors get their packets from it; lock
 * @completed: the device has completed a buffer since one was looked for
 * @waiters_lock: of @waiters; a spinlock, taken by the interrupt handler
 * @waiters: struct vcap_file.waiter
 * @fallback: has the work look, if none of those that were woken does
 * @lq_table: the listeners' own queues
 * @work: takes frames out of completed buffers; looks into the last two
 * @retry: does what there was no memory for
 * @orphans: there are listeners whose interface is gone
 * @changed: the device's configuration did; set by its interrupt
 * @off: the host has switched capture off, as the log was told; lock
 *
 * @control: the control queue
 * @inject: the inject queue
 */
struct vcap_dev {
	struct kref ref;
	struct list_head node;
	struct virtio_device *vdev;
	int id;
	char name[IFNAMSIZ];
	u32 link_type;
	u32 mtu;

	struct mutex state_lock;	/* changes of the state */
	enum vcap_state state;
	const char *fault;

	struct mutex listen_lock;	/* listen */
	struct virtio_capture_listen listen;
	struct vcap_clock clock;

	struct mutex lock;		/* the capture side */
	struct list_head listeners;
	struct vcap_queue queue;
	unsigned int users;
	bool completed;
	spinlock_t waiters_lock;	/* waiters */
	struct list_head waiters;
	struct timer_list fallback;
	struct vcap_lq_table lq_table;
	struct work_struct work;
	struct delayed_work retry;
	bool orphans;
	bool changed;
	bool off;

	struct vcap_control control;
	struct vcap_inject inject;
};

#define VCAP_MALFORMED_QUEUE	"malformed queue"

struct vcap_dev *vcap_dev_alloc(struct virtio_device *vdev);
void vcap_dev_put(struct vcap_dev *dev);
int vcap_dev_error(struct vcap_dev *dev);
void vcap_dev_set_state(struct vcap_dev *dev, enum vcap_state state);
void vcap_dev_fault(struct vcap_dev *dev, const char *fault);
void vcap_dev_break(struct vcap_dev *dev, const char *fault);
int vcap_dev_result(struct vcap_dev *dev, int err);
void vcap_dev_check_switch(struct vcap_dev *dev);
void vcap_dev_queue_work(struct vcap_dev *dev);
void vcap_dev_retry(struct vcap_dev *dev);

#endif /* VCAP_DEVICE_H */
