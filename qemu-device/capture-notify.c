/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notifications to the driver.
 *
 * An MSI-X message is a write to an address that the driver chooses, and so can
 * run any device's code. Notifications are therefore first marked as pending,
 * and sent as the last action of a handler.
 */
#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "capture-device.h"

static void notify_config(VirtIODevice *vdev)
{
    BusState *bus = qdev_get_parent_bus(DEVICE(vdev));

    if (vdev->broken) {
        /*
         * virtio_error() has set DEVICE_NEEDS_RESET without an interrupt, see
         * virtio_capture_error(). virtio_notify_config() does nothing for a
         * broken device.
         */
        VIRTIO_BUS_GET_CLASS(bus)->notify(bus->parent, vdev->config_vector);
    } else {
        virtio_notify_config(vdev);
    }
}

static void notify_one(VirtIOCapture *s, unsigned index)
{
    VirtIODevice *vdev = &s->parent_obj;
    VirtQueue *vq;

    if (index == CAPTURE_NOTIFY_CONFIG) {
        notify_config(vdev);
        return;
    }
    vq = virtio_get_queue(vdev, index);
    /* virtio_notify() reads from the ring whether the driver wants this. */
    if (virtio_capture_queue_usable(s, vq)) {
        virtio_notify(vdev, vq);
    }
}

void virtio_capture_notify(VirtIOCapture *s)
{
    DECLARE_BITMAP(due, CAPTURE_QUEUES + 1);
    uint32_t resets = s->resets;
    CaptureGuard guard;
    unsigned n;

    if (!virtio_capture_notify_due(s) || !s->parent_obj.vm_running) {
        return;
    }
    guard = virtio_capture_enter(s);
    bitmap_copy(due, s->notify, CAPTURE_QUEUES + 1);
    bitmap_zero(s->notify, CAPTURE_QUEUES + 1);
    /* Stop if one of the notifications resets the device. */
    for (n = find_first_bit(due, CAPTURE_QUEUES + 1);
         n <= CAPTURE_QUEUES && s->resets == resets;
         n = find_next_bit(due, CAPTURE_QUEUES + 1, n + 1)) {
        notify_one(s, n);
    }
    if (virtio_capture_notify_due(s)) {
        virtio_capture_notify_soon(s);
    }
    virtio_capture_leave(guard);
}

void virtio_capture_notify_soon(VirtIOCapture *s)
{
    qemu_bh_schedule(s->notify_bh);
}

static void notify_bh(void *opaque)
{
    virtio_capture_notify(opaque);
}

void virtio_capture_notify_init(VirtIOCapture *s)
{
    s->notify_bh = virtio_bh_new_guarded(DEVICE(s), notify_bh, s);
}

void virtio_capture_notify_cleanup(VirtIOCapture *s)
{
    bitmap_zero(s->notify, CAPTURE_QUEUES + 1);
    qemu_bh_delete(s->notify_bh);
    s->notify_bh = NULL;
}
