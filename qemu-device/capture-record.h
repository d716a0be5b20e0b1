/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing records: the common case, inline so that the tap filter need not call
 * a function for it.
 */
#ifndef VIRTIO_CAPTURE_RECORD_H
#define VIRTIO_CAPTURE_RECORD_H

#include "qemu/bswap.h"
#include "capture-device.h"
#include "trace.h"

/* Size of the shortest record: one byte of frame. */
#define CAPTURE_SHORTEST_RECORD VIRTIO_CAPTURE_RECORD_SIZE(1)

/* In the driver's memory, which can have any alignment. */
typedef struct virtio_capture_record CaptureRecord __attribute__((aligned(1)));

/*
 * Fill in the header of a record. In a listener's own queue the fields that
 * /dev/bpf does not have are zero.
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

/* Count a record that was written. */
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
 * virtio_capture_append: append a record to the buffer in progress, or count a
 * drop
 * @limit: maximum number of bytes of the frame to capture
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
     * Nearly always the frame's captured part is in its first segment, and the
     * current segment of the buffer in progress has room for this record and
     * another one. (Without a buffer in progress, room is zero.)
     */
    if (unlikely(caplen > frame->first_len ||
                 size + CAPTURE_SHORTEST_RECORD > b->room)) {
        virtio_capture_append_slow(l, frame, caplen);
        return;
    }
    capture_record_header(l, (CaptureRecord *)to, frame, caplen);
    /* The padding; the end of the frame then overwrites a part of it. */
    stq_le_p(to + size - VIRTIO_CAPTURE_RECORD_ALIGN, 0);
    b->at += size;
    b->room -= size;
    b->used += size;
    capture_record_count(l, frame, caplen);
    memcpy(to + VIRTIO_CAPTURE_RECORD_HDRLEN, frame->first, caplen);
}

#endif /* VIRTIO_CAPTURE_RECORD_H */
