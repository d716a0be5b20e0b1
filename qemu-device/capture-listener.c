/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: what each wants to have captured.
 */
#include "qemu/osdep.h"
#include "virtio-capture.h"

static void gather_wishes(VirtIOCapture *s)
{
    CaptureListener *l;

    s->wishes = 0;
    QLIST_FOREACH(l, &s->listening, next) {
        s->wishes |= l->flags;
    }
}

void virtio_capture_listener_set(CaptureListener *l, uint32_t snaplen,
                                 uint32_t flags, uint32_t delay)
{
    if (!snaplen) {
        virtio_capture_complete(l);
    }
    if (!l->snaplen && snaplen) {
        QLIST_INSERT_HEAD(&l->dev->listening, l, next);
    } else if (l->snaplen && !snaplen) {
        QLIST_REMOVE(l, next);
    }
    l->snaplen = snaplen;
    l->flags = flags;
    gather_wishes(l->dev);
    virtio_capture_set_delay(l, delay);
}

void virtio_capture_listener_resume(CaptureListener *l)
{
    if (l->snaplen) {
        QLIST_INSERT_HEAD(&l->dev->listening, l, next);
        gather_wishes(l->dev);
    }
}

void virtio_capture_listener_reset(CaptureListener *l)
{
    virtio_capture_discard(l);
    virtio_capture_listener_set(l, 0, 0, 0);
    virtio_capture_program_clear(&l->program);
    l->captured = 0;
    l->dropped = 0;
    l->seen = 0;
    l->used = 0;
}

void virtio_capture_listener_init(VirtIOCapture *s, unsigned number,
                                  VirtQueue *vq)
{
    CaptureListener *l = &s->listeners[number];

    l->dev = s;
    l->number = number;
    l->vq = vq;
    virtio_capture_buffer_init(l);
}

void virtio_capture_listener_cleanup(CaptureListener *l)
{
    virtio_capture_buffer_cleanup(l);
}
