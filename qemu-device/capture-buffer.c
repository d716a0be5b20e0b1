/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buffer in progress: records go into the driver's memory one after
 * another, until the buffer is full, too old, or the driver wants it.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "virtio-capture.h"
#include "trace.h"

/*
 * How long the driver's last buffer is kept, if it has room, ns: longer than a
 * busy host leaves a processor of the guest's waiting.
 */
#define LAST_BUFFER_GRACE NANOSECONDS_PER_SECOND

/* The shortest record: one byte of frame. */
#define SHORTEST_RECORD VIRTIO_CAPTURE_RECORD_SIZE(1)

/* Writes where the last write ended, into as many segments as that takes. */
static void buffer_put(CaptureBuffer *b, const void *data, size_t len)
{
    const uint8_t *from = data;
    size_t part;

    while (len) {
        while (!b->room) {
            b->at = b->next->iov_base;
            b->room = MIN(b->next->iov_len, b->size - b->used);
            b->next++;
        }
        part = MIN(len, b->room);
        memcpy(b->at, from, part);
        from += part;
        len -= part;
        b->at += part;
        b->room -= part;
        b->used += part;
    }
}

static void buffer_put_frame(CaptureBuffer *b, const CaptureFrame *frame,
                             size_t caplen)
{
    const struct iovec *iov = frame->more;
    size_t part = MIN(frame->first_len, caplen);

    buffer_put(b, frame->first, part);
    for (caplen -= part; caplen; caplen -= part) {
        part = MIN(iov->iov_len, caplen);
        buffer_put(b, iov->iov_base, part);
        iov++;
    }
}

/*
 * Take the driver's next buffer into progress. False: there is none. This is on
 * the NIC's path, and what virtqueue_pop() reads can run the code of a device.
 */
static bool buffer_take(VirtIOCapture *s, int64_t now)
{
    CaptureBuffer *b = &s->buffer;
    VirtQueueElement *elem;
    size_t size;

    if (!virtio_capture_active(s) ||
        !virtio_capture_queue_usable(s, s->capture_vq)) {
        return false;
    }
    /* The next buffer is looked for when it is needed: no kicks, please. */
    virtio_queue_set_notification(s->capture_vq, 0);
    s->in_tap++;
    elem = virtio_capture_pop(s, s->capture_vq);
    s->in_tap--;
    if (!elem) {
        return false;
    }
    size = MIN(iov_size(elem->in_sg, elem->in_num), UINT32_MAX);
    if (elem->out_num || size < SHORTEST_RECORD) {
        virtio_capture_error(s, "capture buffer with %u readable parts and %zu "
                             "writable bytes", elem->out_num, size);
        virtio_capture_forget(s->capture_vq, elem);
        return false;
    }
    *b = (CaptureBuffer) {
        .elem = elem,
        .next = elem->in_sg,
        .size = QEMU_ALIGN_DOWN(size, VIRTIO_CAPTURE_RECORD_ALIGN),
        .start = now,
    };
    return true;
}

/* Have the buffer in progress completed when it is as old as s->delay. */
static void arm_delay(VirtIOCapture *s)
{
    if (s->delay == 0) {
        qemu_bh_schedule(s->delay_bh);
    } else if (s->delay != VIRTIO_CAPTURE_DELAY_NONE) {
        timer_mod_ns(&s->delay_timer,
                     s->buffer.start + (int64_t)s->delay * SCALE_US);
    }
}

static void disarm_delay(VirtIOCapture *s)
{
    qemu_bh_cancel(s->delay_bh);
    timer_del(&s->delay_timer);
}

void virtio_capture_set_delay(VirtIOCapture *s, uint32_t delay)
{
    s->delay = delay;
    disarm_delay(s);
    if (s->buffer.elem) {
        arm_delay(s);
    }
}

/* The record's time. A time before 1970 is no time that a driver can want. */
static uint64_t record_time(VirtIOCapture *s, int64_t now)
{
    int64_t time;

    if (sadd64_overflow(now, s->clock_offset, &time)) {
        return INT64_MAX; /* the clock is not negative: only upwards */
    }
    return MAX(time, 0);
}

/* In the driver's memory, which is aligned as the driver likes it. */
typedef struct virtio_capture_record RecordHeader __attribute__((aligned(1)));

static void write_header(VirtIOCapture *s, RecordHeader *header,
                         const CaptureFrame *frame, size_t caplen)
{
    uint64_t time = record_time(s, frame->time);
    uint64_t subsec = time % NANOSECONDS_PER_SECOND;
    uint16_t flags = frame->flags;

    if (s->listen_flags & VIRTIO_CAPTURE_L_NANOSECONDS) {
        flags |= VIRTIO_CAPTURE_R_NANOSECONDS;
    } else {
        subsec /= SCALE_US;
    }
    *header = (RecordHeader) {
        .sec = cpu_to_le64(time / NANOSECONDS_PER_SECOND),
        .subsec = cpu_to_le64(subsec),
        .caplen = cpu_to_le32(caplen),
        .datalen = cpu_to_le32(frame->len),
        .hdrlen = cpu_to_le16(sizeof(*header)),
        .flags = cpu_to_le16(flags),
        .dropped = cpu_to_le32(s->dropped),
    };
}

static COLD void trace_frame(VirtIOCapture *s, const CaptureFrame *frame,
                             size_t caplen)
{
    trace_virtio_capture_frame(s, frame->len, caplen, frame->flags);
}

static void count_captured(VirtIOCapture *s, const CaptureFrame *frame,
                           size_t caplen)
{
    s->captured++;
    if (trace_event_get_state_backends(TRACE_VIRTIO_CAPTURE_FRAME)) {
        trace_frame(s, frame, caplen);
    }
}

/* Puts a frame of any kind into the buffer in progress, or into the next. */
static void append_anywhere(VirtIOCapture *s, const CaptureFrame *frame)
{
    static const uint8_t zeros[VIRTIO_CAPTURE_RECORD_ALIGN];
    CaptureBuffer *b = &s->buffer;
    size_t caplen = MIN(frame->len, s->snaplen);
    RecordHeader header;

    if (b->elem && VIRTIO_CAPTURE_RECORD_SIZE(caplen) > b->size - b->used) {
        virtio_capture_complete(s);
    }
    if (!b->elem) {
        if (!buffer_take(s, frame->time)) {
            s->dropped++;
            trace_virtio_capture_drop(s, frame->len, s->dropped);
            return;
        }
        arm_delay(s);
    }
    /* Too long even for the whole buffer: cut it. */
    caplen = MIN(caplen, b->size - b->used - sizeof(header));

    write_header(s, &header, frame, caplen);
    buffer_put(b, &header, sizeof(header));
    buffer_put_frame(b, frame, caplen);
    buffer_put(b, zeros, -b->used % VIRTIO_CAPTURE_RECORD_ALIGN);
    count_captured(s, frame, caplen);

    if (b->size - b->used < SHORTEST_RECORD) {
        virtio_capture_complete(s);
    }
}

/* The same, and has the driver told what it is to know. */
static COLD void append_and_tell(VirtIOCapture *s, const CaptureFrame *frame)
{
    append_anywhere(s, frame);
    if (s->notify) {
        virtio_capture_notify_soon(s);
    }
}

void virtio_capture_append(VirtIOCapture *s, const CaptureFrame *frame)
{
    CaptureBuffer *b = &s->buffer;
    size_t caplen = MIN(frame->len, s->snaplen);
    size_t size = VIRTIO_CAPTURE_RECORD_SIZE(caplen);
    uint8_t *to = b->at;

    QEMU_BUILD_BUG_ON(sizeof(RecordHeader) != VIRTIO_CAPTURE_RECORD_HDRLEN);

    /*
     * Nearly always the frame is in one piece, and the segment of the buffer in
     * progress, which there is then, has room for this record and one more.
     */
    if (caplen > frame->first_len || size + SHORTEST_RECORD > b->room) {
        append_and_tell(s, frame);
        return;
    }
    write_header(s, (RecordHeader *)to, frame, caplen);
    /* The padding, which the frame's end then partly overwrites. */
    stq_le_p(to + size - VIRTIO_CAPTURE_RECORD_ALIGN, 0);
    b->at += size;
    b->room -= size;
    b->used += size;
    count_captured(s, frame, caplen);
    memcpy(to + VIRTIO_CAPTURE_RECORD_HDRLEN, frame->first, caplen);
}

void virtio_capture_complete(VirtIOCapture *s)
{
    CaptureBuffer *b = &s->buffer;
    VirtQueueElement *elem = b->elem;

    if (!elem) {
        return;
    }
    disarm_delay(s);
    s->awaits_driver = false;
    b->elem = NULL;
    b->room = 0;
    trace_virtio_capture_complete(s, b->used);
    virtio_capture_push(s, s->capture_vq, elem, b->used);
}

void virtio_capture_discard(VirtIOCapture *s)
{
    VirtQueueElement *elem = s->buffer.elem;

    if (!elem) {
        return;
    }
    disarm_delay(s);
    s->awaits_driver = false;
    s->buffer.elem = NULL;
    s->buffer.room = 0;
    virtqueue_detach_element(s->capture_vq, elem, s->buffer.used);
    g_free(elem);
}

/*
 * The buffer in progress has its age. If it is the last one that the driver
 * gave, the driver is behind with those it got: to give it this one, with room
 * left, would only be to drop the next frame. So it is kept until the driver,
 * which for once is to tell, gives another; but not for ever, as there may be
 * drivers with a single buffer.
 */
static void complete_aged(VirtIOCapture *s)
{
    int64_t end = s->buffer.start + LAST_BUFFER_GRACE;

    if (s->buffer.elem && virtio_capture_queue_usable(s, s->capture_vq) &&
        virtio_queue_empty(s->capture_vq) &&
        qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) < end) {
        virtio_queue_set_notification(s->capture_vq, 1);
        if (virtio_queue_empty(s->capture_vq)) {
            s->awaits_driver = true;
            timer_mod_ns(&s->delay_timer, end);
            return;
        }
    }
    virtio_capture_complete(s);
}

void virtio_capture_handle_capture(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);

    if (!virtio_capture_active(s) || !virtio_capture_queue_usable(s, vq)) {
        return;
    }
    virtio_queue_set_notification(vq, 0);
    if (s->awaits_driver) {
        virtio_capture_complete(s);
    }
    virtio_capture_notify(s);
}

/* Also the bottom half of a delay of zero. */
static void delay_over(void *opaque)
{
    complete_aged(opaque);
    virtio_capture_notify(opaque);
}

void virtio_capture_buffer_init(VirtIOCapture *s)
{
    s->delay_bh = virtio_bh_new_guarded(DEVICE(s), delay_over, s);
    timer_init_ns(&s->delay_timer, QEMU_CLOCK_VIRTUAL, delay_over, s);
}

void virtio_capture_buffer_cleanup(VirtIOCapture *s)
{
    virtio_capture_discard(s);
    timer_del(&s->delay_timer);
    qemu_bh_delete(s->delay_bh);
    s->delay_bh = NULL;
}
