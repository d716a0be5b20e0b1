/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: the parameters of each, and the list of active ones.
 */
#include "qemu/osdep.h"
#include "capture-device.h"

/*
 * Set snaplen, and update the list of active listeners. Whether the listener is
 * in the list does not follow from the old snaplen: a saved state that was then
 * refused may have set it.
 */
static void set_snaplen(CaptureListener *l, uint32_t snaplen)
{
    l->snaplen = snaplen;
    if (!snaplen) {
        QLIST_SAFE_REMOVE(l, next);
    } else if (!QLIST_IS_INSERTED(l, next)) {
        QLIST_INSERT_HEAD(&l->dev->listening, l, next);
    }
}

static void update_wanted_flags(VirtIOCapture *s)
{
    CaptureListener *l;

    s->wanted_flags = 0;
    QLIST_FOREACH(l, &s->listening, next) {
        s->wanted_flags |= l->flags;
    }
}

void virtio_capture_listener_set(CaptureListener *l, uint32_t snaplen,
                                 uint32_t flags, uint32_t delay)
{
    set_snaplen(l, snaplen);
    l->flags = flags;
    update_wanted_flags(l->dev);
    virtio_capture_set_delay(l, delay);
    if (!snaplen && l->number) {
        virtio_capture_use_all(l);
    } else if (!snaplen) {
        virtio_capture_complete(l);
    }
}

void virtio_capture_listener_resume(CaptureListener *l)
{
    set_snaplen(l, l->snaplen);
    update_wanted_flags(l->dev);
}

void virtio_capture_listener_reset(CaptureListener *l)
{
    virtio_capture_discard(l);
    set_snaplen(l, 0);
    l->flags = 0;
    update_wanted_flags(l->dev);
    virtio_capture_set_delay(l, 0);
    virtio_capture_program_clear(&l->program);
    l->dev->captured_before += l->captured;
    l->dev->dropped_before += l->dropped;
    l->captured = 0;
    l->dropped = 0;
    l->seen = 0;
    l->used = 0;
}

void virtio_capture_listener_init(CaptureListener *l, VirtQueue *vq)
{
    l->vq = vq;
    virtio_capture_buffer_init(l);
}

void virtio_capture_listener_cleanup(CaptureListener *l)
{
    virtio_capture_buffer_cleanup(l);
}
