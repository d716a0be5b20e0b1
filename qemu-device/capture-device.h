/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device: its state, and the functions that its files share.
 *
 * The path of a frame: capture-tap.c receives it from the netdev's filters and
 * determines which listeners want it. capture-rxfilter.c decides whether the
 * NIC would accept the frame. capture-buffer.c writes it into each listener's
 * buffer in progress.
 *
 * The driver's side: capture-control.c executes commands, and
 * capture-listener.c stores the parameters of each listener.
 * capture-inject.c sends the frames that the driver injects. These access the
 * virtqueues through capture-virtqueue.c and send notifications through
 * capture-notify.c.
 *
 * The host's side: capture-watch.c has the properties that show what is
 * captured, and the switch that ends it. capture-pcapng.c writes all frames to
 * a file of the host, independently of the driver.
 *
 * Everything runs under the big QEMU lock.
 *
 * Re-entrancy. An access to guest memory that is not plain RAM runs the code of
 * another device before it returns. A driver can point a descriptor, a ring or
 * an MSI-X message at any address, including a register that resets or unplugs
 * this device, the NIC, or the bridge that they are behind. Therefore:
 *
 * - Rings and buffers outside RAM are refused (capture-virtqueue.c).
 * - Interrupts are sent as the last action of code called from QEMU's main loop
 *   or from a register access, never on the NIC's path (capture-notify.c).
 * - Two cases remain: virtqueue_pop() reads an indirect table or a readable
 *   buffer before it can be refused, and an injected frame may be received by
 *   any device. After either, the caller compares s->resets with the value
 *   before, and stops if it changed. Nothing that is in use further up the call
 *   stack is freed: virtio_capture_enter() keeps the device alive, and a
 *   CaptureTap is first disabled, then destroyed in a bottom half.
 */
#ifndef VIRTIO_CAPTURE_DEVICE_H
#define VIRTIO_CAPTURE_DEVICE_H

#include "exec/memory.h"
#include "hw/virtio/virtio.h"
#include "net/eth.h"
#include "net/net.h"
#include "qemu/bitmap.h"
#include "qemu/bswap.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "virtio_capture.h"
#include "qemu-compat.h"
#include "capture-listener.h"

#define TYPE_VIRTIO_CAPTURE "virtio-capture-device"
OBJECT_DECLARE_SIMPLE_TYPE(VirtIOCapture, VIRTIO_CAPTURE)

/* The tap filter: the QEMU network filter that is the tap. */
#define TYPE_CAPTURE_TAP "virtio-capture-tap"
OBJECT_DECLARE_SIMPLE_TYPE(CaptureTap, CAPTURE_TAP)

/* The network filter that writes a pcapng file. */
#define TYPE_CAPTURE_PCAPNG "virtio-capture-pcapng"
OBJECT_DECLARE_SIMPLE_TYPE(CapturePcapng, CAPTURE_PCAPNG)

/*
 * A function that few frames need. It is not inlined, so that its caller need
 * not save registers for it on the common path.
 */
#define COLD __attribute__((cold, noinline))

/* Cached receive filter of the NIC. */
typedef struct CaptureRxFilter CaptureRxFilter;

/* Maximum number of listeners, and of virtqueues, that a device can have. */
#define CAPTURE_LISTENERS   (1 + VIRTIO_CAPTURE_MAX_LISTENER_QUEUES)
#define CAPTURE_QUEUES      (VIRTIO_CAPTURE_NUM_VQS + \
                             VIRTIO_CAPTURE_MAX_LISTENER_QUEUES)

/* Bit in VirtIOCapture.notify: the configuration changed. */
#define CAPTURE_NOTIFY_CONFIG   CAPTURE_QUEUES

struct VirtIOCapture {
    VirtIODevice parent_obj;    /* used directly: a cast per buffer is slow */

    char *netdev_id;            /* property "netdev" */
    uint64_t host_features;     /* properties "nic-pci" and "filter" */
    uint16_t listener_queues;   /* property "listener-queues" */
    bool off;                   /* property "capture" is off */
    char *pcapng;               /* property "pcapng": a file name, or NULL */
    char *pcapng_name;          /* property "pcapng-name", or NULL */
    DeviceState *proxy;         /* the transport's device, which embeds this */
    VirtQueue *control_vq;
    VirtQueue *inject_vq;

    uint32_t resets;            /* device and queue resets, and unplugs */
    DECLARE_BITMAP(rings_in_ram, CAPTURE_QUEUES); /* checked and valid */
    uint16_t ring_size[CAPTURE_QUEUES]; /* when it was enabled, or 0 */
    MemoryListener memory_listener; /* invalidates rings_in_ram */

    /* Pending notifications: one bit per queue, and CAPTURE_NOTIFY_CONFIG. */
    DECLARE_BITMAP(notify, CAPTURE_QUEUES + 1);
    QEMUBH *notify_bh;

    CaptureListener listeners[CAPTURE_LISTENERS];
    QLIST_HEAD(, CaptureListener) listening; /* the active listeners */
    uint32_t wanted_flags;      /* union of the flags of active listeners */

    /* Counts from before the last reset: a reset must not hide a capture. */
    uint64_t captured_before;
    uint64_t dropped_before;

    CaptureTap *tap;            /* child object, or NULL: no tap */
    CaptureTap *stopped_tap;    /* disabled, not yet destroyed; or NULL */
    unsigned tap_busy;          /* calls that a tap filter is waiting for */
    QEMUBH *tap_bh;             /* destroys stopped_tap */
    CapturePcapng *recorder;    /* child object, or NULL: no pcapng file */
    CaptureRxFilter *rxfilter;  /* NULL: not cached */
    QEMUTimer rxfilter_timer;   /* invalidates it */
    /* The NIC model that accepts frames to own_address, or NULL: not known. */
    const NetClientInfo *own_model;
    uint64_t own_address;

    uint8_t *linear;            /* copy of a frame that had several segments */
    size_t linear_size;

    bool clock_is_monotonic;    /* the accelerator has no clock of its own */
    int64_t clock_offset;       /* record time is the device clock plus this */
    uint64_t second;            /* of the last record's time */
    int64_t second_start;       /* device clock when that second began, ns */

    VirtQueueElement *command;  /* being executed, or NULL */
    VirtQueueElement *flush;    /* pending FLUSH, or NULL */
    CaptureListener *flush_listener;
    uint32_t flush_flags;       /* VIRTIO_CAPTURE_FLUSH_* */
    unsigned flush_iterations;  /* of the main loop until its reply */
    QEMUBH *control_bh;

    uint64_t injected;          /* frames that were sent */
    uint8_t *inject_frame;      /* NET_BUFSIZE bytes: the frame to send */
    VirtQueueElement *injection; /* pending request, or NULL */
    bool injecting;             /* the inject queue is being processed */
    /*
     * The NIC that is the sender of a frame queued by the backend, or NULL. It
     * is only compared, never dereferenced. It outlives a reset, which detaches
     * the request but cannot remove the frame from the backend's queue. There
     * is at most one such frame.
     */
    NetClientState *injection_nic;
    QTAILQ_ENTRY(VirtIOCapture) injection_next;
    QEMUBH *inject_bh;
};

/** virtio_capture_listeners: number of listeners, including listener 0 */
static inline unsigned virtio_capture_listeners(const VirtIOCapture *s)
{
    return virtio_has_feature(s->host_features, VIRTIO_CAPTURE_F_FILTER)
           ? 1 + s->listener_queues : 1;
}

/** virtio_capture_queues: number of virtqueues */
static inline unsigned virtio_capture_queues(const VirtIOCapture *s)
{
    return VIRTIO_CAPTURE_NUM_VQS - 1 + virtio_capture_listeners(s);
}

/**
 * virtio_capture_has_listener_queues: whether the driver accepted listener
 * queues
 */
static inline bool virtio_capture_has_listener_queues(VirtIOCapture *s)
{
    return virtio_vdev_has_feature(&s->parent_obj,
                                   VIRTIO_CAPTURE_F_LISTENER_QUEUES) &&
           virtio_vdev_has_feature(&s->parent_obj, VIRTIO_CAPTURE_F_FILTER);
}

/* capture-guard.c */

/**
 * virtio_capture_active: whether the device may access the driver's memory now
 */
bool virtio_capture_active(VirtIOCapture *s);

/* State between virtio_capture_enter() and virtio_capture_leave(). */
typedef struct CaptureGuard {
    DeviceState *proxy;
    bool was_engaged;           /* the reentrancy guard was set before */
} CaptureGuard;

/**
 * virtio_capture_enter: begin a section that may run other devices' code
 *
 * Until the matching virtio_capture_leave(), accesses to the device's own
 * registers fail, as QEMU makes them fail in bottom halves and during register
 * accesses. The device is not freed in between, even if it is unplugged.
 */
CaptureGuard virtio_capture_enter(VirtIOCapture *s);
void virtio_capture_leave(CaptureGuard guard);

/* capture-clock.c; the inline functions are in capture-clock.h */

/** virtio_capture_set_offset: set the offset of record times to the clock */
void virtio_capture_set_offset(VirtIOCapture *s, int64_t offset);

/**
 * virtio_capture_next_second: update the cached second of record times
 * @now: device clock, ns
 *
 * Returns the nanoseconds that have passed of that second.
 */
uint32_t virtio_capture_next_second(VirtIOCapture *s, int64_t now);

void virtio_capture_clock_init(VirtIOCapture *s);

/* capture-netdev.c */

/**
 * virtio_capture_find_netdev: look up the tapped netdev
 *
 * No reference keeps the netdev alive, so the caller must not store the
 * pointer. Returns NULL if the netdev does not exist.
 */
NetClientState *virtio_capture_find_netdev(VirtIOCapture *s);

/**
 * virtio_capture_nic_of: the NIC that uses a netdev
 *
 * Returns NULL if there is none, and if @netdev is NULL.
 */
NetClientState *virtio_capture_nic_of(NetClientState *netdev);

/**
 * virtio_capture_check_netdev: check that the netdev named by property
 * "netdev" exists and can be tapped
 */
bool virtio_capture_check_netdev(VirtIOCapture *s, Error **errp);

/** virtio_capture_mtu: the largest payload that the NIC sends, bytes */
uint32_t virtio_capture_mtu(VirtIOCapture *s);

/** virtio_capture_get_config: fill in the configuration space */
void virtio_capture_get_config(VirtIODevice *vdev, uint8_t *data);

/* capture-tap.c */

/**
 * virtio_capture_tap_start: insert the tap filter for an active listener
 *
 * Does nothing if the tap filter exists already, or if capture is switched off.
 * Returns false if the netdev cannot be tapped.
 */
bool virtio_capture_tap_start(VirtIOCapture *s, Error **errp);

/**
 * virtio_capture_tap_stop: disable and remove the tap filter
 *
 * It is removed at once, or in a bottom half if it is in use on the call stack.
 */
void virtio_capture_tap_stop(VirtIOCapture *s);

void virtio_capture_tap_init(VirtIOCapture *s);
void virtio_capture_tap_cleanup(VirtIOCapture *s);

/**
 * virtio_capture_new_filter: create a network filter at the netdev's tail
 * @type: its QOM type
 *
 * Returns NULL if the netdev cannot have the filter.
 */
Object *virtio_capture_new_filter(VirtIOCapture *s, const char *type,
                                  Error **errp);

/** virtio_capture_filter_class_init: common part of the filters' class_init */
void virtio_capture_filter_class_init(ObjectClass *klass);

/* capture-pcapng.c */

/**
 * virtio_capture_pcapng_start: begin the file that property "pcapng" names
 *
 * Does nothing, and returns true, if the property is not set.
 */
bool virtio_capture_pcapng_start(VirtIOCapture *s, Error **errp);

/** virtio_capture_pcapng_stop: complete the file, if there is one */
void virtio_capture_pcapng_stop(VirtIOCapture *s);

/* capture-rxfilter.c */

/**
 * virtio_capture_nic_accepts: whether the NIC's receive filter accepts a frame
 * @nic: the NIC that receives it
 */
bool virtio_capture_nic_accepts(VirtIOCapture *s, NetClientState *nic,
                                const CaptureFrame *frame);

/**
 * virtio_capture_is_for_nic: whether a frame is known to be for the NIC's own
 * address
 *
 * True for nearly all received frames; false also if it is not known.
 */
static inline bool virtio_capture_is_for_nic(VirtIOCapture *s,
                                             NetClientState *nic,
                                             const CaptureFrame *frame)
{
    return s->own_model == nic->info && frame->first_len >= 2 * 8 &&
           ldq_le_p(frame->first) << 16 == s->own_address &&
           lduw_be_p(frame->first + 2 * 6) != ETH_P_VLAN;
}

/** virtio_capture_rxfilter_invalidate: drop the cached receive filter */
void virtio_capture_rxfilter_invalidate(VirtIOCapture *s);

void virtio_capture_rxfilter_init(VirtIOCapture *s);
void virtio_capture_rxfilter_cleanup(VirtIOCapture *s);

/* capture-virtqueue.c */

/**
 * virtio_capture_queue_usable: whether the rings of a queue may be accessed
 *
 * True if the queue is set up and its rings are in RAM. If they are not in RAM,
 * or if the driver changed the size of an enabled queue, the device is marked
 * as broken. Must be called right before each use of a queue, with no code in
 * between that could change the result.
 */
bool virtio_capture_queue_usable(VirtIOCapture *s, VirtQueue *vq);

/** virtio_capture_invalidate_rings: drop the cached results of ring checks */
void virtio_capture_invalidate_rings(VirtIOCapture *s);

/** virtio_capture_queue_enabled: note that the driver has enabled a queue */
void virtio_capture_queue_enabled(VirtIODevice *vdev, uint32_t index);

/**
 * virtio_capture_pop: take the next available buffer from a queue
 *
 * Returns NULL if there is none, if the device may not access the driver's
 * memory, if the buffer is not in RAM (then the device is marked as broken), or
 * if reading the queue reset the device.
 */
VirtQueueElement *virtio_capture_pop(VirtIOCapture *s, VirtQueue *vq);

/**
 * virtio_capture_push: use a buffer, and free the element
 * @len: bytes written to it
 *
 * The notification becomes pending; virtio_capture_notify() sends it.
 */
void virtio_capture_push(VirtIOCapture *s, VirtQueue *vq,
                         VirtQueueElement *elem, unsigned len);

/** virtio_capture_error: report a driver's error, mark the device as broken */
void G_GNUC_PRINTF(2, 3) virtio_capture_error(VirtIOCapture *s,
                                              const char *format, ...);

/**
 * virtio_capture_pop_request: take the next request from a queue
 * @name: name of the queue, for the error message
 *
 * Returns NULL as virtio_capture_pop() does, and also if the request has no
 * room for a reply: then the device is marked as broken.
 */
VirtQueueElement *virtio_capture_pop_request(VirtIOCapture *s, VirtQueue *vq,
                                             const char *name);

/**
 * virtio_capture_reply: write the reply to a request, and use its buffer
 * @more: @len bytes of reply after struct virtio_capture_reply; the caller has
 *        checked that they fit
 */
void virtio_capture_reply(VirtIOCapture *s, VirtQueue *vq,
                          VirtQueueElement *elem, uint32_t status,
                          const void *more, size_t len);

/** virtio_capture_detach: unmap a buffer without using it, free the element */
void virtio_capture_detach(VirtQueue *vq, VirtQueueElement *elem);

void virtio_capture_virtqueue_init(VirtIOCapture *s);
void virtio_capture_virtqueue_cleanup(VirtIOCapture *s);

/* capture-notify.c */

/** virtio_capture_notify_due: whether a notification is pending */
static inline bool virtio_capture_notify_due(const VirtIOCapture *s)
{
    return !bitmap_empty(s->notify, CAPTURE_QUEUES + 1);
}

/**
 * virtio_capture_notify: send the pending notifications
 *
 * This can run any device's code, and so reset or unplug this device: it must
 * be the caller's last action, and not on the NIC's path. While the virtual
 * machine is stopped, notifications stay pending.
 */
void virtio_capture_notify(VirtIOCapture *s);

/** virtio_capture_notify_soon: the same in a bottom half, from any context */
void virtio_capture_notify_soon(VirtIOCapture *s);

void virtio_capture_notify_init(VirtIOCapture *s);
void virtio_capture_notify_cleanup(VirtIOCapture *s);

/* capture-control.c */

/** virtio_capture_handle_control: execute the commands in the control queue */
void virtio_capture_handle_control(VirtIODevice *vdev, VirtQueue *vq);

/** virtio_capture_control_resume: schedule that when the machine runs again */
void virtio_capture_control_resume(VirtIOCapture *s);

/** virtio_capture_control_complete: complete a pending FLUSH now */
void virtio_capture_control_complete(VirtIOCapture *s);

/**
 * virtio_capture_control_discard: detach pending requests; their queue is reset
 */
void virtio_capture_control_discard(VirtIOCapture *s);

void virtio_capture_control_init(VirtIOCapture *s);
void virtio_capture_control_cleanup(VirtIOCapture *s);

/* capture-inject.c */

/** virtio_capture_handle_inject: send the frames in the inject queue */
void virtio_capture_handle_inject(VirtIODevice *vdev, VirtQueue *vq);

/** virtio_capture_inject_resume: schedule that when the machine runs again */
void virtio_capture_inject_resume(VirtIOCapture *s);

/** virtio_capture_inject_busy: whether more frames can be sent now */
bool virtio_capture_inject_busy(VirtIOCapture *s);

/** virtio_capture_inject_complete: complete the pending request, if any */
void virtio_capture_inject_complete(VirtIOCapture *s);

/**
 * virtio_capture_inject_netdev_deleted: complete the request whose frame the
 * deleted netdev had queued
 */
void virtio_capture_inject_netdev_deleted(VirtIOCapture *s);

/**
 * virtio_capture_inject_discard: detach the pending request; its queue is reset
 */
void virtio_capture_inject_discard(VirtIOCapture *s);

/** The netdev that is passing an injected frame's copy to its NIC, or NULL */
extern NetClientState *virtio_capture_feedback_netdev;

/**
 * virtio_capture_is_feedback: whether the NIC is receiving the copy of an
 * injected frame
 *
 * The frame was captured when it was sent, so the copy is not captured.
 */
static inline bool virtio_capture_is_feedback(NetClientState *sender)
{
    return sender == virtio_capture_feedback_netdev;
}

void virtio_capture_inject_init(VirtIOCapture *s);
void virtio_capture_inject_cleanup(VirtIOCapture *s);

/** virtio_capture_inject_finalize: free the frame that was to be sent */
void virtio_capture_inject_finalize(VirtIOCapture *s);

/* capture-watch.c */

/** virtio_capture_watch_class_init: add the properties for the host */
void virtio_capture_watch_class_init(ObjectClass *klass);

/* capture-state.c */

extern const VMStateDescription vmstate_virtio_capture;
extern const VMStateDescription vmstate_virtio_capture_device;

/** virtio_capture_post_load: check a saved state, and resume from it */
int virtio_capture_post_load(VirtIODevice *vdev);

/* Type registration; in QEMU's own tree, type_init() calls these. */
void virtio_capture_register_types(void);
void virtio_capture_tap_register_types(void);
void virtio_capture_pcapng_register_types(void);
void virtio_capture_pci_register_types(void);

#endif /* VIRTIO_CAPTURE_DEVICE_H */
