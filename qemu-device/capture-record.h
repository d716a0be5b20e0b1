/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record, and the way that nearly each one takes into the buffer in progress:
 * inline, so that the tap need not call anybody for it.
 */
#ifndef VIRTIO_CAPTURE_RECORD_H
#define VIRTIO_CAPTURE_RECORD_H

#include "qemu/bswap.h"
#include "capture-device.h"
#include "trace.h"

/* The shortest record: one byte of frame. */
#define CAPTURE_SHORTEST_RECORD VIRTIO_CAPTURE_RECORD_SIZE(1)

/* In the driver's memory, which is aligned as the driver likes it. */
typedef struct virtio_capture_record CaptureRecord __attribute__((aligned(1)));

/*
 * Fills the header of a record in. That of a listener with a queue of its own
 * is what a program reads from /dev/bpf, and nothing else.
 */
static inline void capture_record_header(const CaptureListener *l,
                                         CaptureRecord *header,
                                         const CaptureFrame *frame,
                                         size_t caplen)
{
    uint32_t subsec = frame->nsec;
    uint32_t dropped = l->dropped;
    uint16_t flags = frame->flags;

    if (l->flags & VIRTIO_CAPTURE_L_NANOSECONDS) {
        flags |= VIRTIO_CAPTURE_R_NANOSECONDS;
    } else {
        subsec /= SCALE_US;
    }
    if (l->number) {
        flags = 0;
        dropped = 0;
    }
    *header = (CaptureRecord) {
        .sec = cpu_to_le64(frame->sec),
        .subsec = cpu_to_le64(subsec),
        .caplen = cpu_to_le32(caplen),
        .datalen = cpu_to_le32(frame->len),
        .hdrlen = cpu_to_le16(sizeof(*header)),
        .flags = cpu_to_le16(flags),
        .dropped = cpu_to_le32(dropped),
    };
}

/* Counts a record that was put in. */
static inline void capture_record_count(CaptureListener *l,
                                        const CaptureFrame *frame,
                                        size_t caplen)
{
    l->captured++;
    if (trace_event_get_state_backends(TRACE_VIRTIO_CAPTURE_FRAME)) {
        virtio_capture_trace_frame(l, frame, caplen);
    }
}

/**
 * virtio_capture_append: put a frame into the buffer in progress, or count it
 * @limit: no more bytes of the frame than these
 */
static inline void virtio_capture_append(CaptureListener *l,
                                         const CaptureFrame *frame,
                                         size_t limit)
{
    CaptureBuffer *b = &l->buffer;
    size_t caplen = MIN(frame->len, limit);
    size_t size = VIRTIO_CAPTURE_RECORD_SIZE(caplen);
    uint8_t *to = b->at;

    QEMU_BUILD_BUG_ON(sizeof(CaptureRecord) != VIRTIO_CAPTURE_RECORD_HDRLEN);

    /*
     * Nearly always the frame is in one piece, and the segment of the buffer in
     * progress, which there is then, has room for this record and one more.
     */
    if (unlikely(caplen > frame->first_len ||
                 size + CAPTURE_SHORTEST_RECORD > b->room)) {
        virtio_capture_append_slow(l, frame, caplen);
        return;
    }
    capture_record_header(l, (CaptureRecord *)to, frame, caplen);
    /* The padding, which the frame's end then partly overwrites. */
    stq_le_p(to + size - VIRTIO_CAPTURE_RECORD_ALIGN, 0);
    b->at += size;
    b->room -= size;
    b->used += size;
    capture_record_count(l, frame, caplen);
    memcpy(to + VIRTIO_CAPTURE_RECORD_HDRLEN, frame->first, caplen);
}

#endif /* VIRTIO_CAPTURE_RECORD_H */
