/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device: its state, and what its files give each other.
 *
 * A frame's way: capture-tap.c sees it on the NIC's path, and asks for each
 * listener whether that wants it; capture-rxfilter.c says whether the NIC would
 * take it, and capture-buffer.c puts it into the listener's buffer in progress.
 * capture-control.c executes the driver's commands, which capture-listener.c
 * keeps as what a listener wants, and capture-inject.c sends the frames that
 * the driver injects. They use the queues by way of capture-virtqueue.c, and
 * tell the driver by way of capture-notify.c. capture-watch.c is the host's
 * side: what its owner sees of all this, and the switch that ends it.
 *
 * Everything runs under the big QEMU lock.
 *
 * Re-entrancy. An access to guest memory that is not plain RAM runs the code of
 * a device at once, in the middle of whoever made it, and a driver can point a
 * descriptor, a ring or an MSI-X message anywhere: at a register that resets or
 * unplugs this device, the NIC or the bridge before them. Therefore:
 *
 * - Rings and buffers outside RAM are refused (capture-virtqueue.c).
 * - An interrupt is sent last by who came from QEMU's main loop or from a
 *   register access, never on the NIC's path (capture-notify.c).
 * - What remains is what virtqueue_pop() reads, an indirect table or a readable
 *   buffer, before it can be refused, and what others do with a frame that is
 *   injected. Behind these, who goes on looks first whether s->resets is as it
 *   was; and nothing that somebody stands in is freed: virtio_capture_enter()
 *   keeps the device, and CaptureTap is first taken out of use, then destroyed.
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

#define TYPE_CAPTURE_TAP "virtio-capture-tap"
OBJECT_DECLARE_SIMPLE_TYPE(CaptureTap, CAPTURE_TAP)

/*
 * A function for what few frames need: the one that calls it then passes the
 * others on without a register saved for its sake.
 */
#define COLD __attribute__((cold, noinline))

/* What the NIC last said about the frames that it accepts. */
typedef struct CaptureRxFilter CaptureRxFilter;

/* As many as a device can have, and their queues with the other two. */
#define CAPTURE_LISTENERS   (1 + VIRTIO_CAPTURE_MAX_LISTENER_QUEUES)
#define CAPTURE_QUEUES      (VIRTIO_CAPTURE_NUM_VQS + \
                             VIRTIO_CAPTURE_MAX_LISTENER_QUEUES)

/* In VirtIOCapture.notify: that the configuration changed. */
#define CAPTURE_NOTIFY_CONFIG   CAPTURE_QUEUES

struct VirtIOCapture {
    VirtIODevice parent_obj;    /* for each buffer a cast would be slow */

    char *netdev_id;            /* property "netdev" */
    uint64_t host_features;     /* properties "nic-pci" and "filter" */
    uint16_t listener_queues;   /* property "listener-queues" */
    bool off;                   /* property "capture" is off */
    DeviceState *proxy;         /* the device on the bus; this is part of it */
    VirtQueue *control_vq;
    VirtQueue *inject_vq;

    uint32_t resets;            /* of the device or a queue, and its removal */
    DECLARE_BITMAP(rings_in_ram, CAPTURE_QUEUES); /* known to be there */
    uint16_t ring_size[CAPTURE_QUEUES]; /* when it was enabled, or 0 */
    MemoryListener memory_listener; /* the guest's memory changes its places */

    /* Due: a bit for each queue, and CAPTURE_NOTIFY_CONFIG. */
    DECLARE_BITMAP(notify, CAPTURE_QUEUES + 1);
    QEMUBH *notify_bh;

    CaptureListener listeners[CAPTURE_LISTENERS];
    QLIST_HEAD(, CaptureListener) listening; /* those with a snaplen */
    uint32_t wanted_flags;      /* flags that any of these has */

    /* Counts of before the last reset: that is no way to hide a capture. */
    uint64_t captured_before;
    uint64_t dropped_before;

    /* On the NIC's path, a child object; NULL while nobody listens, or off. */
    CaptureTap *tap;
    CaptureTap *stopped_tap;    /* out of use, not yet of the path; or NULL */
    unsigned tap_busy;          /* who stands in one of them */
    QEMUBH *tap_bh;             /* destroys stopped_tap */
    CaptureRxFilter *rxfilter;  /* NULL: to be asked for */
    QEMUTimer rxfilter_timer;   /* ends its validity */
    const NetClientInfo *own_model; /* of it, if frames to own_address are */
    uint64_t own_address;           /* accepted; or NULL */

    uint8_t *linear;            /* a frame that came in pieces, or NULL */
    size_t linear_size;

    bool clock_is_monotonic;    /* and not the accelerator's own */
    int64_t clock_offset;       /* record time is the device clock plus this */
    uint64_t second;            /* of the last record's time */
    int64_t second_start;       /* device clock when that second began, ns */

    VirtQueueElement *command;  /* in work, or NULL */
    VirtQueueElement *flush;    /* the FLUSH that waits for its turn */
    CaptureListener *flush_listener;
    uint32_t flush_flags;       /* VIRTIO_CAPTURE_FLUSH_* */
    unsigned flush_iterations;  /* of the main loop until then */
    QEMUBH *control_bh;

    uint64_t injected;          /* frames that were sent */
    uint8_t *inject_frame;      /* NET_BUFSIZE bytes: the frame to send */
    VirtQueueElement *injection; /* the request in work, or NULL */
    bool injecting;             /* its frame is being sent */
    /*
     * The sender of a frame that waits for the backend, or NULL; compared,
     * never followed. It outlives a reset, which forgets the request but cannot
     * take the frame back: there is never more than one.
     */
    NetClientState *injection_nic;
    QTAILQ_ENTRY(VirtIOCapture) injection_next;
    QEMUBH *inject_bh;
};

/** virtio_capture_listeners: how many the device has, with listener 0 */
static inline unsigned virtio_capture_listeners(const VirtIOCapture *s)
{
    return virtio_has_feature(s->host_features, VIRTIO_CAPTURE_F_FILTER)
           ? 1 + s->listener_queues : 1;
}

/** virtio_capture_queues: how many queues the device has */
static inline unsigned virtio_capture_queues(const VirtIOCapture *s)
{
    return VIRTIO_CAPTURE_NUM_VQS - 1 + virtio_capture_listeners(s);
}

/** virtio_capture_has_listener_queues: did the driver accept the feature? */
static inline bool virtio_capture_has_listener_queues(VirtIOCapture *s)
{
    return virtio_vdev_has_feature(&s->parent_obj,
                                   VIRTIO_CAPTURE_F_LISTENER_QUEUES) &&
           virtio_vdev_has_feature(&s->parent_obj, VIRTIO_CAPTURE_F_FILTER);
}

/* capture-guard.c */

/** virtio_capture_active: may the device use the driver's memory now? */
bool virtio_capture_active(VirtIOCapture *s);

/* Between virtio_capture_enter() and virtio_capture_leave(). */
typedef struct CaptureGuard {
    DeviceState *proxy;
    bool was_engaged;           /* the reentrancy guard was set before */
} CaptureGuard;

/**
 * virtio_capture_enter: the device begins what may run the code of others
 *
 * Until the matching virtio_capture_leave() an access to the device's own
 * registers fails, as it does by QEMU's doing in bottom halves and register
 * accesses; and the device is not freed, not even if it is unplugged.
 */
CaptureGuard virtio_capture_enter(VirtIOCapture *s);
void virtio_capture_leave(CaptureGuard guard);

/* capture-clock.c; more is in capture-clock.h */

/** virtio_capture_set_offset: change what is added to the clock in records */
void virtio_capture_set_offset(VirtIOCapture *s, int64_t offset);

/**
 * virtio_capture_next_second: begin another second of record times
 * @now: device clock, ns
 *
 * Returns how many nanoseconds have passed of it.
 */
uint32_t virtio_capture_next_second(VirtIOCapture *s, int64_t now);

void virtio_capture_clock_init(VirtIOCapture *s);

/* capture-netdev.c */

/**
 * virtio_capture_find_netdev: look the tapped netdev up
 *
 * Nothing keeps the netdev alive, so the answer is good for the caller only
 * and is never stored. Returns NULL when it is gone.
 */
NetClientState *virtio_capture_find_netdev(VirtIOCapture *s);

/**
 * virtio_capture_check_netdev: can the netdev of property "netdev" be tapped?
 */
bool virtio_capture_check_netdev(VirtIOCapture *s, Error **errp);

/** virtio_capture_mtu: the longest payload that the NIC sends, bytes */
uint32_t virtio_capture_mtu(VirtIOCapture *s);

/** virtio_capture_get_config: fill the configuration space in */
void virtio_capture_get_config(VirtIODevice *vdev, uint8_t *data);

/* capture-tap.c */

/**
 * virtio_capture_tap_start: somebody listens, who needs the tap
 *
 * It is put into the NIC's path unless it is there already, or capture is
 * switched off. Returns false if the netdev cannot be tapped.
 */
bool virtio_capture_tap_start(VirtIOCapture *s, Error **errp);

/**
 * virtio_capture_tap_stop: take the tap out of use
 *
 * It leaves the NIC's path at once, or soon when somebody stands in it.
 */
void virtio_capture_tap_stop(VirtIOCapture *s);

void virtio_capture_tap_init(VirtIOCapture *s);
void virtio_capture_tap_cleanup(VirtIOCapture *s);

/* capture-rxfilter.c */

/**
 * virtio_capture_nic_accepts: would the NIC hand this frame to its driver?
 * @nic: the NIC that receives it
 */
bool virtio_capture_nic_accepts(VirtIOCapture *s, NetClientState *nic,
                                const CaptureFrame *frame);

/**
 * virtio_capture_is_for_nic: is this a frame to the NIC's own address?
 *
 * Nearly each received frame is. If it is not certain the answer is false.
 */
static inline bool virtio_capture_is_for_nic(VirtIOCapture *s,
                                             NetClientState *nic,
                                             const CaptureFrame *frame)
{
    return s->own_model == nic->info && frame->first_len >= 2 * 8 &&
           ldq_le_p(frame->first) << 16 == s->own_address &&
           lduw_be_p(frame->first + 2 * 6) != ETH_P_VLAN;
}

/** virtio_capture_rxfilter_invalidate: ask the NIC anew for the next frame */
void virtio_capture_rxfilter_invalidate(VirtIOCapture *s);

void virtio_capture_rxfilter_init(VirtIOCapture *s);
void virtio_capture_rxfilter_cleanup(VirtIOCapture *s);

/* capture-virtqueue.c */

/**
 * virtio_capture_queue_usable: may the rings of a queue be accessed?
 *
 * They may if they are in RAM; if they are not, or if the driver changed the
 * size of a queue in use, the device needs a reset. False also for a queue
 * that is not set up. To be asked before each use of a queue: nothing runs
 * between the two that could change the answer.
 */
bool virtio_capture_queue_usable(VirtIOCapture *s, VirtQueue *vq);

/** virtio_capture_invalidate_rings: forget what is known of the rings */
void virtio_capture_invalidate_rings(VirtIOCapture *s);

/** virtio_capture_queue_enabled: the driver has set a queue up */
void virtio_capture_queue_enabled(VirtIODevice *vdev, uint32_t index);

/**
 * virtio_capture_pop: take the driver's next buffer off a queue
 *
 * Returns NULL if there is none, if the device may not use the driver's memory,
 * if the buffer is not in RAM (then the device needs a reset), and if it was
 * reset by what it read.
 */
VirtQueueElement *virtio_capture_pop(VirtIOCapture *s, VirtQueue *vq);

/**
 * virtio_capture_push: give a buffer back to the driver, and free the element
 * @len: bytes written to it
 *
 * The driver is to be notified afterwards.
 */
void virtio_capture_push(VirtIOCapture *s, VirtQueue *vq,
                         VirtQueueElement *elem, unsigned len);

/** virtio_capture_error: a fault of the driver's; the device needs a reset */
void G_GNUC_PRINTF(2, 3) virtio_capture_error(VirtIOCapture *s,
                                              const char *format, ...);

/**
 * virtio_capture_pop_request: take the driver's next request off its queue
 * @name: of the queue, for the error
 *
 * Returns NULL if there is none, if the device may not use the driver's memory,
 * and for one without room for a reply: then the device needs a reset.
 */
VirtQueueElement *virtio_capture_pop_request(VirtIOCapture *s, VirtQueue *vq,
                                             const char *name);

/**
 * virtio_capture_reply: answer a request, and give it back to the driver
 * @more: the len bytes of the reply behind struct virtio_capture_reply, for
 *        which the request has room
 */
void virtio_capture_reply(VirtIOCapture *s, VirtQueue *vq,
                          VirtQueueElement *elem, uint32_t status,
                          const void *more, size_t len);

/** virtio_capture_detach: let a buffer go without using it, free the element */
void virtio_capture_detach(VirtQueue *vq, VirtQueueElement *elem);

void virtio_capture_virtqueue_init(VirtIOCapture *s);
void virtio_capture_virtqueue_cleanup(VirtIOCapture *s);

/* capture-notify.c */

/** virtio_capture_notify_due: is there any? */
static inline bool virtio_capture_notify_due(const VirtIOCapture *s)
{
    return !bitmap_empty(s->notify, CAPTURE_QUEUES + 1);
}

/**
 * virtio_capture_notify: send the notifications that are due
 *
 * They can run the code of any device, and so end this one: to be called last,
 * and not on the NIC's path. While the machine is stopped they wait.
 */
void virtio_capture_notify(VirtIOCapture *s);

/** virtio_capture_notify_soon: as above, in a bottom half, from anywhere */
void virtio_capture_notify_soon(VirtIOCapture *s);

void virtio_capture_notify_init(VirtIOCapture *s);
void virtio_capture_notify_cleanup(VirtIOCapture *s);

/* capture-control.c */

/** virtio_capture_handle_control: execute the commands in the control queue */
void virtio_capture_handle_control(VirtIODevice *vdev, VirtQueue *vq);

/** virtio_capture_control_resume: as above, soon; the machine runs again */
void virtio_capture_control_resume(VirtIOCapture *s);

/** virtio_capture_control_complete: answer a waiting FLUSH now */
void virtio_capture_control_complete(VirtIOCapture *s);

/** virtio_capture_control_discard: forget a waiting FLUSH (its queue resets) */
void virtio_capture_control_discard(VirtIOCapture *s);

void virtio_capture_control_init(VirtIOCapture *s);
void virtio_capture_control_cleanup(VirtIOCapture *s);

/* capture-inject.c */

/** virtio_capture_handle_inject: send the frames in the inject queue */
void virtio_capture_handle_inject(VirtIODevice *vdev, VirtQueue *vq);

/** virtio_capture_inject_resume: as above, soon; the machine runs again */
void virtio_capture_inject_resume(VirtIOCapture *s);

/** virtio_capture_inject_busy: are there frames that could be sent now? */
bool virtio_capture_inject_busy(VirtIOCapture *s);

/** virtio_capture_inject_complete: answer the request in work, if any */
void virtio_capture_inject_complete(VirtIOCapture *s);

/** virtio_capture_inject_netdev_deleted: the frame that waits is lost */
void virtio_capture_inject_netdev_deleted(VirtIOCapture *s);

/** virtio_capture_inject_discard: forget what waits; the queue is reset */
void virtio_capture_inject_discard(VirtIOCapture *s);

/** The netdev that hands the NIC a copy of an injected frame right now. */
extern NetClientState *virtio_capture_feedback_netdev;

/**
 * virtio_capture_is_feedback: does the NIC receive its own frame back now?
 *
 * That was captured on its way out, and is not captured again.
 */
static inline bool virtio_capture_is_feedback(NetClientState *sender)
{
    return sender == virtio_capture_feedback_netdev;
}

void virtio_capture_inject_init(VirtIOCapture *s);
void virtio_capture_inject_cleanup(VirtIOCapture *s);

/** virtio_capture_inject_finalize: the frame's memory, when nobody sends it */
void virtio_capture_inject_finalize(VirtIOCapture *s);

/* capture-watch.c */

/** virtio_capture_watch_class_init: add the properties for the host's owner */
void virtio_capture_watch_class_init(ObjectClass *klass);

/* capture-state.c */

extern const VMStateDescription vmstate_virtio_capture;
extern const VMStateDescription vmstate_virtio_capture_device;

/** virtio_capture_post_load: check a saved state, and go on with it */
int virtio_capture_post_load(VirtIODevice *vdev);

/* Types; inside QEMU's own tree type_init() calls these. */
void virtio_capture_register_types(void);
void virtio_capture_tap_register_types(void);
void virtio_capture_pci_register_types(void);

#endif /* VIRTIO_CAPTURE_DEVICE_H */
