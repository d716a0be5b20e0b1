/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device: its state, and what its files give each other.
 *
 * A frame's way: capture-tap.c sees it on the NIC's path, capture-rxfilter.c
 * says whether the NIC would take it, capture-buffer.c puts it into the
 * driver's buffer. capture-control.c executes the driver's commands, and
 * capture-inject.c sends the frames that it injects; capture-queue.c is what
 * these two share.
 *
 * Everything runs under the big QEMU lock.
 */
#ifndef VIRTIO_CAPTURE_DEVICE_H
#define VIRTIO_CAPTURE_DEVICE_H

#include "hw/virtio/virtio.h"
#include "net/net.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "virtio_capture.h"
#include "compat.h"

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

/* A frame that crosses the tap. Nearly always its first piece is all of it. */
typedef struct CaptureFrame {
    const uint8_t *first;       /* its first piece */
    size_t first_len;           /* bytes of that, more than none */
    const struct iovec *more;   /* the pieces behind it, if there are any */
    size_t len;                 /* bytes of the frame */
    uint16_t flags;             /* VIRTIO_CAPTURE_R_* */
    int64_t time;               /* device clock when it crosses, ns */
} CaptureFrame;

/*
 * The buffer in progress. It is taken off the queue for a record at hand, so
 * it never is without one.
 */
typedef struct CaptureBuffer {
    VirtQueueElement *elem;     /* NULL: no buffer in progress */
    uint8_t *at;                /* the next byte goes here */
    size_t room;                /* ... and that many behind it */
    const struct iovec *next;   /* then into this segment */
    size_t size;                /* bytes for records, a multiple of 8 */
    size_t used;                /* bytes that records fill */
    int64_t start;              /* device clock at the first record, ns */
} CaptureBuffer;

struct VirtIOCapture {
    VirtIODevice parent_obj;

    char *netdev_id;            /* property "netdev" */
    VirtQueue *capture_vq;
    VirtQueue *control_vq;
    VirtQueue *inject_vq;

    /* What the listeners want: struct virtio_capture_listen. */
    uint32_t snaplen;
    uint32_t listen_flags;
    uint32_t delay;

    /* On the NIC's path, a child object; NULL while nobody listens. */
    CaptureTap *tap;
    CaptureRxFilter *rxfilter;

    int64_t clock_offset;       /* record time is the device clock plus this */
    uint64_t captured;
    uint64_t dropped;

    CaptureBuffer buffer;
    QEMUBH *delay_bh;           /* completes it: delay 0 */
    QEMUTimer delay_timer;      /* completes it: any other delay */
    bool awaits_driver;         /* old enough, but the driver's last one */

    VirtQueueElement *flush;    /* the FLUSH that waits for its turn */
    unsigned flush_passes;      /* main loop passes until then */
    QEMUBH *control_bh;

    uint8_t *inject_frame;      /* NET_BUFSIZE bytes: the frame to send */
    VirtQueueElement *injection; /* one that waits for the backend, or NULL */
    NetClientState *injection_nic; /* its sender; compared, never followed */
    QTAILQ_ENTRY(VirtIOCapture) injection_next;
    QEMUBH *inject_bh;
};

/* capture-tap.c */

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

/** virtio_capture_tap_start: put the tap into the NIC's path, if it is not */
bool virtio_capture_tap_start(VirtIOCapture *s, Error **errp);

/** virtio_capture_tap_stop: take the tap out of the NIC's path */
void virtio_capture_tap_stop(VirtIOCapture *s);

/* capture-rxfilter.c */

/**
 * virtio_capture_nic_accepts: would the NIC hand this frame to its driver?
 * @nic: the NIC that receives it
 */
bool virtio_capture_nic_accepts(VirtIOCapture *s, NetClientState *nic,
                                const CaptureFrame *frame);

/** virtio_capture_rxfilter_forget: ask the NIC anew for the next frame */
void virtio_capture_rxfilter_forget(VirtIOCapture *s);

/* capture-buffer.c */

/** virtio_capture_append: put a frame into the buffer in progress, or count */
void virtio_capture_append(VirtIOCapture *s, const CaptureFrame *frame);

/** virtio_capture_complete: give the buffer in progress to the driver */
void virtio_capture_complete(VirtIOCapture *s);

/** virtio_capture_discard: forget the buffer in progress; the queue is reset */
void virtio_capture_discard(VirtIOCapture *s);

/** virtio_capture_handle_capture: the driver gave buffers, if that matters */
void virtio_capture_handle_capture(VirtIODevice *vdev, VirtQueue *vq);

/** virtio_capture_set_delay: change when buffers complete for their age */
void virtio_capture_set_delay(VirtIOCapture *s, uint32_t delay);

void virtio_capture_buffer_init(VirtIOCapture *s);
void virtio_capture_buffer_cleanup(VirtIOCapture *s);

/* capture-queue.c */

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

/** virtio_capture_forget_request: let a request go without an answer */
void virtio_capture_forget_request(VirtQueue *vq, VirtQueueElement *elem);

/* capture-control.c */

/** virtio_capture_handle_control: execute the commands in the control queue */
void virtio_capture_handle_control(VirtIODevice *vdev, VirtQueue *vq);

/** virtio_capture_control_resume: as above, soon; the machine runs again */
void virtio_capture_control_resume(VirtIOCapture *s);

/** virtio_capture_control_settle: answer a waiting FLUSH now */
void virtio_capture_control_settle(VirtIOCapture *s);

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

/** virtio_capture_inject_settle: do not wait for the backend; it has it */
void virtio_capture_inject_settle(VirtIOCapture *s);

/** virtio_capture_inject_discard: forget what waits; the queue is reset */
void virtio_capture_inject_discard(VirtIOCapture *s);

/** The netdev that hands the NIC a copy of an injected frame right now. */
extern NetClientState *virtio_capture_feeding;

/**
 * virtio_capture_is_feedback: does the NIC receive its own frame back now?
 *
 * That was captured on its way out, and is not captured again.
 */
static inline bool virtio_capture_is_feedback(NetClientState *sender)
{
    return sender == virtio_capture_feeding;
}

void virtio_capture_inject_init(VirtIOCapture *s);
void virtio_capture_inject_cleanup(VirtIOCapture *s);

/* virtio-capture.c */

/** virtio_capture_mtu: the longest payload that the NIC sends, bytes */
uint32_t virtio_capture_mtu(VirtIOCapture *s);

/** virtio_capture_active: may the device use the driver's memory now? */
bool virtio_capture_active(VirtIOCapture *s);

/**
 * virtio_capture_enter: the device begins to write to the guest's memory
 *
 * Outside bottom halves and register accesses, where QEMU does the same by
 * itself. Until the matching virtio_capture_leave() a write that a hostile
 * driver aimed at the device's own registers fails, so that it cannot reset
 * the device in the middle of its work. Returns what leave wants to know.
 */
bool virtio_capture_enter(VirtIOCapture *s);
void virtio_capture_leave(VirtIOCapture *s, bool outer);

/* Types; inside QEMU's own tree type_init() calls these. */
void virtio_capture_register_types(void);
void virtio_capture_tap_register_types(void);
void virtio_capture_pci_register_types(void);

#endif /* VIRTIO_CAPTURE_DEVICE_H */
