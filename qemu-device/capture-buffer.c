/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buffer in progress: records go into the driver's memory one after
 * another, until the buffer is full, too old, or the driver wants it.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "virtio-capture.h"
#include "trace.h"

/* How long the driver's last buffer is kept, if it has room, ns. */
#define LAST_BUFFER_GRACE (10 * SCALE_MS)

/* The shortest record: one byte of frame. */
#define SHORTEST_RECORD VIRTIO_CAPTURE_RECORD_SIZE(1)

/*
 * Writes where the last write ended. The driver's buffer is often one segment;
 * then this is one memcpy().
 */
static void buffer_put(CaptureBuffer *b, const void *data, size_t len)
{
    const uint8_t *from = data;
    size_t room;

    b->used += len;
    while (len) {
        room = MIN(len, b->iov->iov_len - b->offset);
        memcpy((uint8_t *)b->iov->iov_base + b->offset, from, room);
        from += room;
        len -= room;
        b->offset += room;
        if (b->offset == b->iov->iov_len) {
            b->iov++;
            b->offset = 0;
        }
    }
}

static void buffer_put_frame(CaptureBuffer *b, const CaptureFrame *frame,
                             size_t caplen)
{
    const struct iovec *iov = frame->iov;
    size_t skip = frame->skip;
    size_t len;

    while (caplen) {
        len = iov->iov_len > skip ? MIN(iov->iov_len - skip, caplen) : 0;
        if (len) {
            buffer_put(b, (const uint8_t *)iov->iov_base + skip, len);
            caplen -= len;
        }
        skip -= MIN(skip, iov->iov_len);
        iov++;
    }
}

/*
 * The same for a record that fits into one segment, and a frame that is in one
 * piece: nearly all are, so this is for speed. Returns false for others.
 */
static bool buffer_put_whole(CaptureBuffer *b,
                             const struct virtio_capture_record *record,
                             const CaptureFrame *frame, size_t caplen)
{
    size_t size = VIRTIO_CAPTURE_RECORD_SIZE(caplen);
    uint8_t *to;

    if (size >= b->iov->iov_len - b->offset ||
        frame->skip + caplen > frame->iov->iov_len) {
        return false;
    }
    to = (uint8_t *)b->iov->iov_base + b->offset;
    /* The padding first: it is in the last eight bytes. */
    memset(to + size - VIRTIO_CAPTURE_RECORD_ALIGN, 0,
           VIRTIO_CAPTURE_RECORD_ALIGN);
    memcpy(to, record, sizeof(*record));
    memcpy(to + sizeof(*record), (const uint8_t *)frame->iov->iov_base +
           frame->skip, caplen);
    b->offset += size;
    b->used += size;
    return true;
}

/* Take the driver's next buffer into progress. False: there is none. */
static bool buffer_take(VirtIOCapture *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    CaptureBuffer *b = &s->buffer;
    VirtQueueElement *elem;
    size_t size;
    bool outer;

    if (!virtio_capture_active(s)) {
        return false;
    }
    outer = virtio_capture_enter(s);
    /* The next buffer is looked for when it is needed: no kicks, please. */
    virtio_queue_set_notification(s->capture_vq, 0);
    elem = virtqueue_pop(s->capture_vq, sizeof(*elem));
    virtio_capture_leave(s, outer);
    if (!elem) {
        return false;
    }
    size = MIN(iov_size(elem->in_sg, elem->in_num), UINT32_MAX);
    if (elem->out_num || size < SHORTEST_RECORD) {
        virtio_error(vdev, "virtio-capture: capture buffer with %u readable "
                     "parts and %zu writable bytes", elem->out_num, size);
        virtqueue_detach_element(s->capture_vq, elem, 0);
        g_free(elem);
        return false;
    }
    *b = (CaptureBuffer) {
        .elem = elem,
        .iov = elem->in_sg,
        .size = QEMU_ALIGN_DOWN(size, VIRTIO_CAPTURE_RECORD_ALIGN),
        .start = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL),
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
static void set_time(VirtIOCapture *s, struct virtio_capture_record *record)
{
    int64_t time, unit, scale;

    if (sadd64_overflow(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL),
                        s->clock_offset, &time)) {
        time = INT64_MAX; /* the clock is not negative: only upwards */
    }
    time = MAX(time, 0);
    unit = NANOSECONDS_PER_SECOND;
    scale = SCALE_US;
    if (s->listen_flags & VIRTIO_CAPTURE_L_NANOSECONDS) {
        scale = 1;
        record->flags |= cpu_to_le16(VIRTIO_CAPTURE_R_NANOSECONDS);
    }
    record->sec = cpu_to_le64(time / unit);
    record->subsec = cpu_to_le64(time % unit / scale);
}

void virtio_capture_append(VirtIOCapture *s, const CaptureFrame *frame)
{
    static const uint8_t zeros[VIRTIO_CAPTURE_RECORD_ALIGN];
    CaptureBuffer *b = &s->buffer;
    size_t caplen = MIN(frame->len, s->snaplen);
    struct virtio_capture_record record = {
        .hdrlen = cpu_to_le16(sizeof(record)),
        .flags = cpu_to_le16(frame->flags),
        .datalen = cpu_to_le32(frame->len),
        .dropped = cpu_to_le32(s->dropped),
    };

    QEMU_BUILD_BUG_ON(sizeof(record) != VIRTIO_CAPTURE_RECORD_HDRLEN);

    if (b->elem && VIRTIO_CAPTURE_RECORD_SIZE(caplen) > b->size - b->used) {
        virtio_capture_complete(s);
    }
    if (!b->elem) {
        if (!buffer_take(s)) {
            s->dropped++;
            trace_virtio_capture_drop(s, frame->len, s->dropped);
            return;
        }
        arm_delay(s);
    }
    /* Too long even for the whole buffer: cut it. */
    caplen = MIN(caplen, b->size - b->used - sizeof(record));

    set_time(s, &record);
    record.caplen = cpu_to_le32(caplen);
    if (!buffer_put_whole(b, &record, frame, caplen)) {
        buffer_put(b, &record, sizeof(record));
        buffer_put_frame(b, frame, caplen);
        buffer_put(b, zeros, -b->used % VIRTIO_CAPTURE_RECORD_ALIGN);
    }
    s->captured++;
    trace_virtio_capture_frame(s, frame->len, caplen, frame->flags);

    if (b->size - b->used < SHORTEST_RECORD) {
        virtio_capture_complete(s);
    }
}

void virtio_capture_complete(VirtIOCapture *s)
{
    CaptureBuffer *b = &s->buffer;
    VirtQueueElement *elem = b->elem;
    bool outer;

    if (!elem) {
        return;
    }
    disarm_delay(s);
    s->awaits_driver = false;
    b->elem = NULL;
    trace_virtio_capture_complete(s, b->used);
    outer = virtio_capture_enter(s);
    virtqueue_push(s->capture_vq, elem, b->used);
    virtio_notify(VIRTIO_DEVICE(s), s->capture_vq);
    virtio_capture_leave(s, outer);
    g_free(elem);
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
    virtqueue_detach_element(s->capture_vq, elem, s->buffer.used);
    g_free(elem);
}

/*
 * The buffer in progress has its age. If it is the last one that the driver
 * gave, the driver is behind with those it got: to give it this one, with room
 * left, would only be to drop the next frame. So it is kept until the driver,
 * which for once is to tell, gives another, but not longer than it takes a
 * driver to catch up.
 */
static void complete_aged(VirtIOCapture *s)
{
    int64_t end = s->buffer.start + LAST_BUFFER_GRACE;

    if (s->buffer.elem && virtio_queue_empty(s->capture_vq) &&
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

    virtio_queue_set_notification(vq, 0);
    if (s->awaits_driver) {
        virtio_capture_complete(s);
    }
}

static void delay_bh(void *opaque)
{
    complete_aged(opaque);
}

static void delay_timer(void *opaque)
{
    VirtIOCapture *s = opaque;
    bool outer = virtio_capture_enter(s);

    complete_aged(s);
    virtio_capture_leave(s, outer);
}

void virtio_capture_buffer_init(VirtIOCapture *s)
{
    s->delay_bh = virtio_bh_new_guarded(DEVICE(s), delay_bh, s);
    timer_init_ns(&s->delay_timer, QEMU_CLOCK_VIRTUAL, delay_timer, s);
}

void virtio_capture_buffer_cleanup(VirtIOCapture *s)
{
    virtio_capture_discard(s);
    timer_del(&s->delay_timer);
    qemu_bh_delete(s->delay_bh);
    s->delay_bh = NULL;
}
