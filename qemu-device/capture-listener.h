/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: parameters, filter program and buffer in progress of each.
 *
 * Included by capture-device.h; other files include that.
 */
#ifndef VIRTIO_CAPTURE_LISTENER_H
#define VIRTIO_CAPTURE_LISTENER_H

#include "hw/virtio/virtio.h"
#include "qemu/queue.h"
#include "qemu/timer.h"
#include "virtio_capture.h"

typedef struct VirtIOCapture VirtIOCapture;

/* A frame that crosses the tap. Nearly always it has a single segment. */
typedef struct CaptureFrame {
    const uint8_t *first;       /* the first segment */
    size_t first_len;           /* bytes of that, not zero */
    const struct iovec *more;   /* further segments, if len > first_len */
    size_t len;                 /* bytes of the frame */
    uint16_t flags;             /* VIRTIO_CAPTURE_R_* */
    bool stamped;               /* the fields below are valid */
    int64_t time;               /* device clock when it crosses the tap, ns */
    uint64_t sec;               /* the same as a record's time */
    uint32_t nsec;
} CaptureFrame;

/*
 * The buffer in progress. It is taken off the queue only when there is a record
 * to write, so it always holds at least one.
 */
typedef struct CaptureBuffer {
    VirtQueueElement *elem;     /* NULL: no buffer in progress */
    uint8_t *at;                /* where the next byte is written */
    size_t room;                /* bytes left there in this segment */
    const struct iovec *next;   /* the next segment */
    size_t size;                /* bytes for records, a multiple of 8 */
    size_t used;                /* bytes that records fill */
    int64_t start;              /* device clock at the first record, ns */
} CaptureBuffer;

/* A listener's filter: a program of the BSD packet filter. */
typedef struct CaptureProgram {
    int32_t count;              /* instructions; 0: no program, accept all */
    struct bsd_insn *insns;
    struct vcap_decoded *decoded; /* the form that the interpreter runs */
    uint32_t reach;             /* bytes that it can load, or UINT32_MAX */
} CaptureProgram;

/*
 * A listener, as the specification defines it. Listener 0 has the capture
 * queue, which several users in the driver share. Each other listener has a
 * queue for one user, whose two buffers are the store buffer and the hold
 * buffer of /dev/bpf. The device does not use the last buffer of such a queue
 * until the driver makes another available, but keeps filling it.
 */
typedef struct CaptureListener {
    VirtIOCapture *dev;
    unsigned number;
    VirtQueue *vq;              /* its capture buffers */
    QLIST_ENTRY(CaptureListener) next; /* in VirtIOCapture.listening */

    /* Parameters: struct virtio_capture_listen, and the filter. */
    uint32_t snaplen;           /* 0: not active */
    uint32_t flags;
    uint32_t delay;
    CaptureProgram program;

    /* Counts since the reset: struct virtio_capture_counters. */
    uint64_t captured;
    uint64_t dropped;
    uint64_t seen;
    uint64_t used;

    CaptureBuffer buffer;
    QEMUBH *delay_bh;           /* uses the buffer if the delay is 0 */
    QEMUTimer delay_timer;      /* uses the buffer after any other delay */
    bool use_pending;           /* use it when another becomes available */
} CaptureListener;

/* capture-listener.c */

/**
 * virtio_capture_listener_set: set the parameters of LISTEN
 * @snaplen: 0 deactivates the listener
 * @flags: VIRTIO_CAPTURE_L_* bits
 * @delay: maximum age of a buffer in progress, microseconds
 *
 * The caller starts the tap before it activates a listener, and stops it when
 * no listener is active. Deactivating a listener uses all buffers of its own
 * queue; that can run any device's code, and so reset this device.
 */
void virtio_capture_listener_set(CaptureListener *l, uint32_t snaplen,
                                 uint32_t flags, uint32_t delay);

/** virtio_capture_listener_resume: activate a listener from a saved state */
void virtio_capture_listener_resume(CaptureListener *l);

/** virtio_capture_listener_reset: deactivate it, clear parameters and counts */
void virtio_capture_listener_reset(CaptureListener *l);

void virtio_capture_listener_init(CaptureListener *l, VirtQueue *vq);
void virtio_capture_listener_cleanup(CaptureListener *l);

/* capture-filter.c */

/**
 * virtio_capture_program_set: replace a program
 * @count: instructions, up to VIRTIO_CAPTURE_MAX_INSNS; 0 removes the program
 *
 * Returns false, and keeps the old program, if the new one is not valid.
 */
bool virtio_capture_program_set(CaptureProgram *program,
                                const struct virtio_capture_insn *insns,
                                unsigned count);

/** virtio_capture_program_check: check and decode a program that was loaded */
bool virtio_capture_program_check(CaptureProgram *program);

/** virtio_capture_program_clear: remove a program */
void virtio_capture_program_clear(CaptureProgram *program);

/**
 * virtio_capture_linearize: copy a frame of several segments into one
 *
 * Afterwards @frame has a single segment, also for the other listeners.
 */
void virtio_capture_linearize(VirtIOCapture *s, CaptureFrame *frame);

/** virtio_capture_filter_finalize: free all programs and the copied frame */
void virtio_capture_filter_finalize(VirtIOCapture *s);

/* capture-buffer.c */

/**
 * virtio_capture_append_slow: append a record in any case, or count a drop
 * @caplen: bytes of the frame to capture, unless the buffer is shorter
 *
 * Called by virtio_capture_append() in capture-record.h for the cases that it
 * does not handle itself.
 */
void virtio_capture_append_slow(CaptureListener *l, const CaptureFrame *frame,
                                size_t caplen);

/** virtio_capture_trace_frame: emit the trace event of a captured frame */
void virtio_capture_trace_frame(CaptureListener *l, const CaptureFrame *frame,
                                size_t caplen);

/**
 * virtio_capture_flush: use the buffer in progress
 *
 * Except if it is the last available buffer of a listener's own queue.
 */
void virtio_capture_flush(CaptureListener *l);

/** virtio_capture_use_all: use all available buffers, also empty ones */
void virtio_capture_use_all(CaptureListener *l);

/** virtio_capture_complete: use the buffer in progress */
void virtio_capture_complete(CaptureListener *l);

/** virtio_capture_discard: detach the buffer in progress; the queue is reset */
void virtio_capture_discard(CaptureListener *l);

/**
 * virtio_capture_rewind: discard the records in the buffer in progress
 *
 * The buffer becomes available again, so the next record starts at its start.
 */
void virtio_capture_rewind(CaptureListener *l);

/** virtio_capture_buffer_available: handle an available buffer notification */
void virtio_capture_buffer_available(CaptureListener *l);

/** virtio_capture_set_delay: set the maximum age of a buffer in progress */
void virtio_capture_set_delay(CaptureListener *l, uint32_t delay);

void virtio_capture_buffer_init(CaptureListener *l);
void virtio_capture_buffer_cleanup(CaptureListener *l);

#endif /* VIRTIO_CAPTURE_LISTENER_H */
