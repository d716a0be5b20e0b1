/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver's own structures, and what each of its files offers the others.
 *
 * LOCKS, in the order in which they are taken:
 *
 *   files_lock         (peers.c) the list of open descriptors
 *   vcap_file.config   one change of a descriptor's set-up at a time
 *   RTNL               the kernel's, of its interfaces: when one goes
 *   registry_lock      (interface.c) the list of devices
 *   vcap_dev.state_lock   one change of the device's state at a time
 *   vcap_dev.listen_lock  one LISTEN at a time; what the device was told last
 *   vcap_dev.lock      the capture queue, the list of listeners, the drop count
 *   vcap_file.lock     the state of a descriptor
 *   vcap_dev.control_lock  the control queue; a command and its reply
 *   vcap_dev.inject_lock   the inject queue
 *   users_lock         (limits.c) what users have
 *
 * All are mutexes: frames are taken out of buffers in process context, by the
 * device's work or by a reader that cannot wait for it. The interrupt handlers
 * only schedule the one and wake the other.
 */
#ifndef VCAP_H
#define VCAP_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/if.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/virtio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "bsd.h"
#include "descriptor.h"
#include "engine.h"
#include "virtio_capture.h"

/**
 * struct vcap_control - a command and its reply, shared with the device
 * @ctrl: start of the command
 * @listen: LISTEN
 * @clock: CLOCK
 * @reply: start of the reply; the device writes from here on
 * @counters: reply to FLUSH and CLOCK
 */
struct vcap_control {
	struct virtio_capture_ctrl ctrl;
	union {
		struct virtio_capture_listen listen;
		struct virtio_capture_clock clock;
	};
	/* Apart from what the driver writes, for machines that are not coherent. */
	struct virtio_capture_reply reply ____cacheline_aligned;
	struct virtio_capture_counters counters;
};

/**
 * struct vcap_buffer - a capture buffer
 * @data: its memory
 * @len: bytes of that which the device has, or had last
 * @posted: the device has it
 */
struct vcap_buffer {
	void *data;
	u32 len;
	bool posted;
};

/*
 * So many records are checked, then handed to one listener after the other:
 * enough to share what is done for each batch, and few enough to stay in the
 * processor's nearest cache.
 */
#define VCAP_BATCH	64

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
 * @state_lock: see above
 * @state: written with state_lock; see vcap_dev_error()
 * @fault: why the device is to be given up, or NULL
 *
 * @listen_lock: see above
 * @listen: what the device was told last; listen_lock
 *
 * @lock: see above
 * @listeners: struct vcap_file.listener; lock
 * @capture_vq: lock
 * @buffers: the capture buffers, @num_buffers of them; lock
 * @num_buffers: constant after probe
 * @num_posted: how many of them the device has; lock
 * @buffer_order: each is so many times doubled pages; constant after probe
 * @records: a batch of records, out of a buffer; lock
 * @dropped: the device's drop count, low 32 bits, as far as listeners know; lock
 * @work: takes frames out of completed buffers; looks into the last two
 * @retry: does what there was no memory for
 * @orphans: there are listeners whose interface is gone
 * @changed: the device's configuration did; set by its interrupt
 *
 * @control_lock: see above
 * @control_vq: control_lock
 * @control: control_lock, and the device between kick and reply
 * @control_done: a reply may have come
 *
 * @inject_lock: see above
 * @inject_vq: inject_lock; NULL when there are no queues
 * @inject_events: interrupts of the queue, and changes of the state
 * @inject_wait: writers that wait for queue space
 *
 * @clock_offset: ns from the device's clock to CLOCK_REALTIME; listen_lock
 * @clock_checked: jiffies of the last comparison
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

	struct mutex listen_lock;	/* listen, clock_offset */
	struct virtio_capture_listen listen;

	struct mutex lock;		/* the capture side */
	struct list_head listeners;
	struct virtqueue *capture_vq;
	struct vcap_buffer *buffers;
	unsigned int num_buffers;
	unsigned int num_posted;
	unsigned int buffer_order;
	struct vcap_record records[VCAP_BATCH];
	u32 dropped;
	struct work_struct work;
	struct delayed_work retry;
	bool orphans;
	bool changed;

	struct mutex control_lock;	/* a command and its reply */
	struct virtqueue *control_vq;
	struct vcap_control *control;
	struct completion control_done;

	struct mutex inject_lock;	/* frames that are written */
	struct virtqueue *inject_vq;
	atomic_t inject_events;
	wait_queue_head_t inject_wait;

	s64 clock_offset;
	unsigned long clock_checked;
};

/**
 * struct vcap_wish - what a listener needs of the device
 * @snaplen: bytes of each frame; U32_MAX: all
 * @flags: VIRTIO_CAPTURE_L_* bits
 * @immediate: frames are needed as they come
 */
struct vcap_wish {
	u32 snaplen;
	u32 flags;
	bool immediate;
};

/**
 * struct vcap_file - an open descriptor
 * @config: see above
 * @lock: see above
 * @desc: lock
 * @filter: NULL accepts everything; lock, changed under config, too
 * @next: what the change of the set-up that is being made needs; lock
 * @write_filter: what may be written; NULL: anything; lock
 * @locked: only harmless requests are left (BIOCLOCK); config
 * @pid: process that opened it or made the last request; config
 * @user: who opened it (limits.c); constant
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
 * @node: in the list of all descriptors; files_lock
 */
struct vcap_file {
	struct mutex config;		/* changes of the set-up */
	struct mutex lock;		/* desc, and what readers use */
	struct vcap_desc desc;
	struct vcap_program *filter;
	struct vcap_wish next;
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
	struct list_head node;
};

/* device.c */
#define VCAP_MALFORMED_QUEUE	"malformed queue"

struct vcap_dev *vcap_dev_alloc(struct virtio_device *vdev);
void vcap_dev_put(struct vcap_dev *dev);
int vcap_dev_error(struct vcap_dev *dev);
void vcap_dev_set_state(struct vcap_dev *dev, enum vcap_state state);
void vcap_dev_fault(struct vcap_dev *dev, const char *fault);
void vcap_dev_break(struct vcap_dev *dev, const char *fault);
void vcap_dev_retry(struct vcap_dev *dev);

/* virtio.c */
extern struct virtio_driver vcap_virtio_driver;

/* control.c */
int vcap_control_listen(struct vcap_dev *dev,
			const struct virtio_capture_listen *listen);
int vcap_control_flush(struct vcap_dev *dev,
		       struct virtio_capture_counters *counters);
int vcap_control_clock(struct vcap_dev *dev, const s64 *offset,
		       struct virtio_capture_counters *counters);
void vcap_control_interrupt(struct virtqueue *vq);

/* capture.c */
int vcap_capture_init(struct vcap_dev *dev);
int vcap_capture_start(struct vcap_dev *dev);
void vcap_capture_free(struct vcap_dev *dev);
void vcap_capture_interrupt(struct virtqueue *vq);
void vcap_capture_work(struct work_struct *work);
void vcap_capture_retry(struct work_struct *work);
int vcap_capture_sync(struct vcap_dev *dev);
void vcap_capture_orphan(struct vcap_dev *dev, const struct net_device *netdev);
void vcap_capture_end(struct vcap_dev *dev, bool all);
void vcap_capture_end_all(struct vcap_dev *dev);

/* inject.c */
int vcap_inject(struct vcap_dev *dev, struct vcap_file *file,
		struct iov_iter *from, bool nonblock);
void vcap_inject_interrupt(struct virtqueue *vq);
void vcap_inject_wake(struct vcap_dev *dev);
void vcap_inject_free(struct vcap_dev *dev);

/* clock.c */
int vcap_clock_set(struct vcap_dev *dev);
void vcap_clock_check(struct vcap_dev *dev, u64 before, u64 after, u64 clock);
void vcap_clock_refresh(struct vcap_dev *dev);

/* interface.c */
int vcap_dev_register(struct vcap_dev *dev);
void vcap_dev_unregister(struct vcap_dev *dev);
struct vcap_dev *vcap_dev_find(const char *name, bool *own_name);
int vcap_dev_name(struct vcap_dev *dev, const struct vcap_file *file,
		  char *name);
int vcap_dev_add_listener(struct vcap_dev *dev, struct vcap_file *file,
			  const char *name);
void vcap_dev_del_listener(struct vcap_dev *dev, struct vcap_file *file);
int vcap_dev_update(struct vcap_dev *dev);
u32 vcap_direction_flags(u32 direction);
void vcap_dev_check(struct vcap_dev *dev);
bool vcap_interface_down(const struct vcap_file *file);
int vcap_interface_init(void);
void vcap_interface_exit(void);

/* file.c */
extern const struct file_operations vcap_fops;
int vcap_file_sync(struct vcap_file *file);
int vcap_file_prepare(struct vcap_file *file, const struct vcap_wish *next);
void vcap_file_settle(struct vcap_file *file);
int vcap_file_attach(struct vcap_file *file, const char *name);
int vcap_file_set_filter(struct vcap_file *file, struct vcap_program *filter,
			 bool flush);
void vcap_file_wake(struct vcap_file *file);

/* timeout.c */
void vcap_timeout_init(struct vcap_file *file);
void vcap_timeout_stop(struct vcap_file *file);
void vcap_timeout_poll(struct vcap_file *file);
void vcap_timeout_cancel(struct vcap_file *file);
void vcap_timeout_begin_read(struct vcap_file *file);
void vcap_timeout_interrupt_read(struct vcap_file *file, ktime_t deadline);
void vcap_timeout_end_read(struct vcap_file *file);

/* peers.c */
int vcap_peers_init(void);
void vcap_peers_exit(void);
void vcap_peers_add(struct vcap_file *file);
void vcap_peers_del(struct vcap_file *file);

/* limits.c */
extern unsigned long vcap_max_memory;
void vcap_limits_init(void);
int vcap_limits_open(struct vcap_file *file);
void vcap_limits_close(struct vcap_file *file);
int vcap_limits_charge(struct vcap_file *file);
void vcap_limits_uncharge(struct vcap_file *file);

/* sysctl.c */
extern unsigned int vcap_max_buffer;
extern unsigned int vcap_poll_timeout;
int vcap_sysctl_init(void);
void vcap_sysctl_exit(void);
void vcap_stats_add(u64 recv, u64 drop, u64 capt);

/* compat.c */
long vcap_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);

/* ioctl.c */
long vcap_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);

#endif /* VCAP_H */
