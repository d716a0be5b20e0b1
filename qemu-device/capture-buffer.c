/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buffer in progress: records are written to the driver's memory one after
 * another until the buffer is used, because it is full, because its delay has
 * passed, or because the driver asks for it.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "capture-record.h"

/*
 * How long the last available buffer is kept while it has room, ns: longer than
 * a busy host may take to schedule a vCPU.
 */
#define LAST_BUFFER_GRACE NANOSECONDS_PER_SECOND

/* Write after the last byte, to as many segments as necessary. */
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
 * Take the next available buffer as the buffer in progress. Return false if
 * there is none. This is on the NIC's path, and virtqueue_pop() may run another
 * device's code.
 */
static bool buffer_take(CaptureListener *l, int64_t now)
{
    VirtIOCapture *s = l->dev;
    CaptureBuffer *b = &l->buffer;
    VirtQueueElement *elem;
    size_t size;

    if (!virtio_capture_active(s) ||
        !virtio_capture_queue_usable(s, l->vq)) {
        return false;
    }
    /* The queue is polled when a buffer is needed: suppress notifications. */
    virtio_queue_set_notification(l->vq, 0);
    s->tap_busy++;
    elem = virtio_capture_pop(s, l->vq);
    s->tap_busy--;
    if (!elem) {
        return false;
    }
    size = MIN(iov_size(elem->in_sg, elem->in_num), UINT32_MAX);
    if (elem->out_num || size < CAPTURE_SHORTEST_RECORD) {
        virtio_capture_error(s, "capture buffer has %u device-readable "
                             "segments and %zu device-writable bytes",
                             elem->out_num, size);
        virtio_capture_detach(l->vq, elem);
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

/*
 * Whether the buffer in progress is full. In a listener's own queue it is full
 * when no byte is left, as a store buffer of /dev/bpf is.
 */
static bool is_full(const CaptureListener *l)
{
    const CaptureBuffer *b = &l->buffer;

    return b->size - b->used < (l->number ? 1 : CAPTURE_SHORTEST_RECORD);
}

/* Whether a buffer is available besides the one in progress. */
static bool has_another(CaptureListener *l)
{
    return virtio_capture_active(l->dev) &&
           virtio_capture_queue_usable(l->dev, l->vq) &&
           !virtio_queue_empty(l->vq);
}

/*
 * Whether a buffer is available besides the one in progress. If none is, enable
 * notifications, so that the one in progress is used when another becomes
 * available.
 */
static bool has_another_or_defer(CaptureListener *l)
{
    if (has_another(l)) {
        return true;
    }
    if (virtio_capture_queue_usable(l->dev, l->vq)) {
        virtio_queue_set_notification(l->vq, 1);
    }
    l->use_pending = !has_another(l);
    return !l->use_pending;
}

/* Schedule the use of the buffer in progress for the end of l->delay. */
static void arm_delay(CaptureListener *l)
{
    if (l->delay == 0) {
        qemu_bh_schedule(l->delay_bh);
    } else if (l->delay != VIRTIO_CAPTURE_DELAY_NONE) {
        timer_mod_ns(&l->delay_timer,
                     l->buffer.start + (int64_t)l->delay * SCALE_US);
    }
}

static void disarm_delay(CaptureListener *l)
{
    qemu_bh_cancel(l->delay_bh);
    timer_del(&l->delay_timer);
}

void virtio_capture_set_delay(CaptureListener *l, uint32_t delay)
{
    l->delay = delay;
    disarm_delay(l);
    if (l->buffer.elem) {
        if (l->number) {
            l->use_pending = is_full(l);
        }
        arm_delay(l);
    }
}

COLD void virtio_capture_trace_frame(CaptureListener *l,
                                     const CaptureFrame *frame, size_t caplen)
{
    trace_virtio_capture_frame(l->dev, l->number, frame->len, caplen,
                               frame->flags);
}

static void count_dropped(CaptureListener *l, const CaptureFrame *frame)
{
    l->dropped++;
    trace_virtio_capture_drop(l->dev, l->number, frame->len, l->dropped);
}

/* Append a record of any frame to the buffer in progress or to the next one. */
static void append_slow(CaptureListener *l, const CaptureFrame *frame,
                        size_t caplen)
{
    static const uint8_t zeros[VIRTIO_CAPTURE_RECORD_ALIGN];
    uint32_t resets = l->dev->resets;
    CaptureBuffer *b = &l->buffer;
    CaptureRecord header;

    if (b->elem && VIRTIO_CAPTURE_RECORD_SIZE(caplen) > b->size - b->used) {
        if (l->number && !has_another(l)) {
            /* Keep the last buffer: a shorter frame may still fit. */
            count_dropped(l, frame);
            return;
        }
        virtio_capture_complete(l);
    }
    if (!b->elem) {
        if (!buffer_take(l, frame->time)) {
            /* If reading the queue reset the device, its counts are zero. */
            if (l->dev->resets == resets) {
                count_dropped(l, frame);
            }
            return;
        }
        arm_delay(l);
    }
    /* Truncate a frame that is too long for a whole buffer. */
    caplen = MIN(caplen, b->size - b->used - sizeof(header));

    capture_record_header(l, &header, frame, caplen);
    buffer_put(b, &header, sizeof(header));
    buffer_put_frame(b, frame, caplen);
    buffer_put(b, zeros, -b->used % VIRTIO_CAPTURE_RECORD_ALIGN);
    capture_record_count(l, frame, caplen);

    if (is_full(l) && (!l->number || has_another_or_defer(l))) {
        virtio_capture_complete(l);
    }
}

void virtio_capture_append_slow(CaptureListener *l, const CaptureFrame *frame,
                                size_t caplen)
{
    append_slow(l, frame, caplen);
    if (virtio_capture_notify_due(l->dev)) {
        virtio_capture_notify_soon(l->dev);
    }
}

/* Return the element of the buffer in progress, or NULL; none is left then. */
static VirtQueueElement *end_progress(CaptureListener *l)
{
    VirtQueueElement *elem = l->buffer.elem;

    if (elem) {
        disarm_delay(l);
        l->use_pending = false;
        l->buffer.elem = NULL;
        l->buffer.room = 0;
    }
    return elem;
}

void virtio_capture_complete(CaptureListener *l)
{
    CaptureBuffer *b = &l->buffer;
    VirtQueueElement *elem = end_progress(l);

    if (!elem) {
        return;
    }
    l->used++;
    trace_virtio_capture_complete(l->dev, l->number, b->used);
    virtio_capture_push(l->dev, l->vq, elem, b->used);
}

void virtio_capture_discard(CaptureListener *l)
{
    VirtQueueElement *elem = end_progress(l);

    if (elem) {
        virtqueue_detach_element(l->vq, elem, l->buffer.used);
        g_free(elem);
    }
}

void virtio_capture_rewind(CaptureListener *l)
{
    VirtQueueElement *elem = end_progress(l);

    if (elem) {
        /* virtqueue_unpop() assumes that a buffer is one descriptor. */
        virtqueue_rewind(l->vq, elem->ndescs);
        elem->ndescs = 0;
        virtqueue_detach_element(l->vq, elem, l->buffer.used);
        g_free(elem);
    }
}

void virtio_capture_flush(CaptureListener *l)
{
    if (!l->number || has_another(l)) {
        virtio_capture_complete(l);
    }
}

void virtio_capture_use_all(CaptureListener *l)
{
    unsigned n = virtio_queue_get_num(&l->dev->parent_obj,
                                      virtio_get_queue_index(l->vq));
    VirtQueueElement *elem;

    virtio_capture_complete(l);
    /* At most n: a driver that adds buffers meanwhile must not keep us here. */
    while (n-- && (elem = virtio_capture_pop(l->dev, l->vq))) {
        l->used++;
        virtio_capture_push(l->dev, l->vq, elem, 0);
    }
}

/*
 * The delay of the buffer in progress has passed. If no other buffer is
 * available, the driver has not yet processed the used ones, and using this one
 * while it has room would only cause the next frame to be dropped. So it is
 * kept until the driver makes another buffer available, with notifications
 * enabled. In the shared queue there is a time limit, because a driver may have
 * a single buffer only.
 */
static void complete_expired(CaptureListener *l)
{
    int64_t end = l->buffer.start + LAST_BUFFER_GRACE;

    if (!l->buffer.elem) {
        return;
    }
    if (!l->number && qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) >= end) {
        virtio_capture_complete(l);
        return;
    }
    if (has_another_or_defer(l)) {
        virtio_capture_complete(l);
    } else if (!l->number) {
        timer_mod_ns(&l->delay_timer, end);
    }
}

void virtio_capture_buffer_available(CaptureListener *l)
{
    VirtIOCapture *s = l->dev;

    if (!virtio_capture_active(s) || !virtio_capture_queue_usable(s, l->vq)) {
        return;
    }
    virtio_queue_set_notification(l->vq, 0);
    if (l->use_pending) {
        virtio_capture_complete(l);
    }
    virtio_capture_notify(s);
}

/* The timer's callback, and with a delay of zero the bottom half. */
static void delay_expired(void *opaque)
{
    CaptureListener *l = opaque;

    complete_expired(l);
    virtio_capture_notify(l->dev);
}

void virtio_capture_buffer_init(CaptureListener *l)
{
    l->delay_bh = virtio_bh_new_guarded(DEVICE(l->dev), delay_expired, l);
    timer_init_ns(&l->delay_timer, QEMU_CLOCK_VIRTUAL, delay_expired, l);
}

void virtio_capture_buffer_cleanup(CaptureListener *l)
{
    virtio_capture_discard(l);
    timer_del(&l->delay_timer);
    qemu_bh_delete(l->delay_bh);
    l->delay_bh = NULL;
}
