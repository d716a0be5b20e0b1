/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: what each wants, its program, and the buffer in progress.
 *
 * A part of capture-device.h, which includes it.
 */
#ifndef VIRTIO_CAPTURE_LISTENER_H
#define VIRTIO_CAPTURE_LISTENER_H

#include "hw/virtio/virtio.h"
#include "qemu/queue.h"
#include "qemu/timer.h"
#include "virtio_capture.h"

typedef struct VirtIOCapture VirtIOCapture;

/* A frame that crosses the tap. Nearly always its first piece is all of it. */
typedef struct CaptureFrame {
    const uint8_t *first;       /* its first piece */
    size_t first_len;           /* bytes of that, more than none */
    const struct iovec *more;   /* the pieces behind it, if there are any */
    size_t len;                 /* bytes of the frame */
    uint16_t flags;             /* VIRTIO_CAPTURE_R_* */
    bool stamped;               /* what follows is there */
    int64_t time;               /* device clock when it crosses, ns */
    uint64_t sec;               /* the same as records have it */
    uint32_t nsec;
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

/* Which frames a listener gets: a program of the BSD packet filter. */
typedef struct CaptureProgram {
    int32_t count;              /* instructions; 0: none, it gets all */
    struct bsd_insn *insns;
    struct vcap_decoded *decoded; /* the same, as it is run */
    uint32_t reach;             /* bytes that it can load, or UINT32_MAX */
} CaptureProgram;

/*
 * For whom frames are captured, and with what queue. Listener 0 has the capture
 * queue, which the driver's other users share. The others each have a queue for
 * one user, whose two buffers are the store buffer and the hold buffer of
 * /dev/bpf: the last buffer there is never used, but filled until the driver
 * gives another.
 */
typedef struct CaptureListener {
    VirtIOCapture *dev;
    unsigned number;
    VirtQueue *vq;              /* its capture buffers */
    QLIST_ENTRY(CaptureListener) next; /* of those that listen */

    /* What it wants: struct virtio_capture_listen. */
    uint32_t snaplen;           /* 0: nothing, it does not listen */
    uint32_t flags;
    uint32_t delay;
    CaptureProgram program;

    /* Since the reset: struct virtio_capture_counters. */
    uint64_t captured;
    uint64_t dropped;
    uint64_t seen;
    uint64_t used;

    CaptureBuffer buffer;
    QEMUBH *delay_bh;           /* completes it: delay 0 */
    QEMUTimer delay_timer;      /* completes it: any other delay */
    bool use_pending;           /* to be used, but the driver's last one */
} CaptureListener;

/* capture-listener.c */

/**
 * virtio_capture_listener_set: replace what a listener wants
 * @snaplen: 0 if it wants nothing
 * @flags: VIRTIO_CAPTURE_L_* bits
 * @delay: until its buffers complete for their age, microseconds
 *
 * Whoever begins to listen needs the tap; with the last one it can go. With
 * nothing to be captured, all buffers of a listener's own queue go back to the
 * driver; that can run the code of any device, and so reset this one.
 */
void virtio_capture_listener_set(CaptureListener *l, uint32_t snaplen,
                                 uint32_t flags, uint32_t delay);

/** virtio_capture_listener_resume: go on with what a saved state says */
void virtio_capture_listener_resume(CaptureListener *l);

/** virtio_capture_listener_reset: as new: no flags, no counts, no buffer */
void virtio_capture_listener_reset(CaptureListener *l);

void virtio_capture_listener_init(CaptureListener *l, VirtQueue *vq);
void virtio_capture_listener_cleanup(CaptureListener *l);

/* capture-filter.c */

/**
 * virtio_capture_program_set: replace a program
 * @count: instructions, up to VIRTIO_CAPTURE_MAX_INSNS; 0 for none
 *
 * Returns false, and leaves the old one, if it is not valid.
 */
bool virtio_capture_program_set(CaptureProgram *program,
                                const struct virtio_capture_insn *insns,
                                unsigned count);

/** virtio_capture_program_check: make one of a saved state ready, if valid */
bool virtio_capture_program_check(CaptureProgram *program);

/** virtio_capture_program_clear: have none */
void virtio_capture_program_clear(CaptureProgram *program);

/**
 * virtio_capture_linearize: have a frame of several pieces in one
 *
 * For all who look at it from now on.
 */
void virtio_capture_linearize(VirtIOCapture *s, CaptureFrame *frame);

/** virtio_capture_filter_finalize: free programs and the frame's memory */
void virtio_capture_filter_finalize(VirtIOCapture *s);

/* capture-buffer.c */

/**
 * virtio_capture_append_slow: put a frame into any buffer, or count it
 * @caplen: bytes of it, if so many fit
 *
 * What virtio_capture_append() in capture-record.h does not do itself.
 */
void virtio_capture_append_slow(CaptureListener *l, const CaptureFrame *frame,
                                size_t caplen);

/** virtio_capture_trace_frame: a trace event that is on */
void virtio_capture_trace_frame(CaptureListener *l, const CaptureFrame *frame,
                                size_t caplen);

/**
 * virtio_capture_flush: give the buffer in progress to the driver
 *
 * Not the last one of a listener's own queue.
 */
void virtio_capture_flush(CaptureListener *l);

/** virtio_capture_use_all: give all buffers to the driver, full or empty */
void virtio_capture_use_all(CaptureListener *l);

/** virtio_capture_complete: give the buffer in progress to the driver */
void virtio_capture_complete(CaptureListener *l);

/** virtio_capture_discard: forget the buffer in progress; the queue is reset */
void virtio_capture_discard(CaptureListener *l);

/**
 * virtio_capture_rewind: forget the records in the buffer in progress
 *
 * It is available again, so the next record begins at its start.
 */
void virtio_capture_rewind(CaptureListener *l);

/** virtio_capture_buffer_available: the driver gave buffers, if that matters */
void virtio_capture_buffer_available(CaptureListener *l);

/** virtio_capture_set_delay: change when buffers complete for their age */
void virtio_capture_set_delay(CaptureListener *l, uint32_t delay);

void virtio_capture_buffer_init(CaptureListener *l);
void virtio_capture_buffer_cleanup(CaptureListener *l);

#endif /* VIRTIO_CAPTURE_LISTENER_H */
