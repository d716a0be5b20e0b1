/* SPDX-License-Identifier: GPL-2.0 */
/* A capture device and its state. */
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
 * enum vcap_state - state of a device
 * @VCAP_SUSPENDED: there are no virtqueues: before probe and while suspended
 * @VCAP_READY: the virtqueues can be used
 * @VCAP_BROKEN: the device failed; a resume may recover it
 * @VCAP_REMOVED: the virtio device is gone; the final state
 *
 * Listeners stay attached while the device is suspended; they are ended in the
 * states BROKEN and REMOVED. See vcap_dev_set_state().
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
 * @node: in the registry; protected by registry_lock
 * @vdev: the virtio device; valid until it is removed
 * @id: number in @name
 * @name: the device's own name; BIOCSETIF accepts it and the interface's
 * @link_type: DLT_ number of its frames; constant after probe
 * @mtu: longest payload of a frame to write, bytes; updated by each attach
 *
 * @state_lock: see vcap.h
 * @state: written with state_lock held; see vcap_dev_error()
 * @fault: why the device is broken, or NULL
 *
 * @listen_lock: see vcap.h
 * @listen: the last LISTEN sent for the shared queue; protected by listen_lock
 * @clock: the offset of its clock
 *
 * @lock: see vcap.h
 * @listeners: list of struct vcap_file.listener; protected by lock
 * @queue: the shared capture queue; protected by lock
 * @users: number of descriptors that use the shared queue; protected by lock
 * @completed: the device has used a buffer of the shared queue since the last
 *             check
 * @waiters_lock: protects @waiters; a spinlock taken by the interrupt handler
 * @waiters: list of struct vcap_file.waiter
 * @fallback: queues the work if none of the woken waiters has taken the buffer
 * @lq_table: the listener queues
 * @work: takes frames out of used buffers, handles @orphans and @changed
 * @retry: repeats what failed for lack of memory
 * @orphans: some listeners have lost their interface
 * @changed: the configuration has changed; set by the interrupt handler
 * @off: the host has switched capture off, as last logged; protected by lock
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

	struct mutex listen_lock;	/* last LISTEN */
	struct virtio_capture_listen listen;
	struct vcap_clock clock;

	struct mutex lock;		/* shared queue, listeners */
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

/** vcap_dev_name() - return the name of a device, "-" for NULL */
static inline const char *vcap_dev_name(const struct vcap_dev *dev)
{
	return dev ? dev->name : "-";
}

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
