/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the device may access the driver's memory, and how it is kept alive
 * while other devices' code runs.
 */
#include "qemu/osdep.h"
#include "capture-device.h"

bool virtio_capture_active(VirtIOCapture *s)
{
    VirtIODevice *vdev = &s->parent_obj;

    return vdev->vm_running && !vdev->broken &&
           (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

CaptureGuard virtio_capture_enter(VirtIOCapture *s)
{
    MemReentrancyGuard *reentrancy = &s->proxy->mem_reentrancy_guard;
    CaptureGuard guard = {
        .proxy = s->proxy,
        .was_engaged = reentrancy->engaged_in_io,
    };

    object_ref(OBJECT(s->proxy));
    reentrancy->engaged_in_io = true;
    return guard;
}

static void unref_bh(void *opaque)
{
    object_unref(OBJECT(opaque));
}

void virtio_capture_leave(CaptureGuard guard)
{
    guard.proxy->mem_reentrancy_guard.engaged_in_io = guard.was_engaged;
    if (guard.proxy->realized) {
        object_unref(OBJECT(guard.proxy));
    } else {
        /* Unplugged meanwhile: callers further up still use the device. */
        aio_bh_schedule_oneshot(qemu_get_aio_context(), unref_bh, guard.proxy);
    }
}
