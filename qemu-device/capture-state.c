/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The saved state: what the device adds to that of a virtio device, and the
 * checks that a state must pass. It is untrusted, as a driver's requests are.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "migration/vmstate.h"
#include "capture-device.h"
#include "bsd.h"

/*
 * Check the queues of a saved state before QEMU reads the rings: QEMU asserts
 * that the size of a queue is at most VIRTQUEUE_MAX_SIZE.
 */
static bool check_saved_queues(VirtIOCapture *s, Error **errp)
{
    VirtIODevice *vdev = &s->parent_obj;
    int n, size;

    for (n = 0; n < VIRTIO_QUEUE_MAX; n++) {
        size = virtio_queue_get_num(vdev, n);
        if (n < virtio_capture_queues(s)) {
            if (size < 1 || size > VIRTQUEUE_MAX_SIZE) {
                error_setg(errp, "queue %d has the invalid size %u", n, size);
                return false;
            }
        } else if (size || virtio_queue_get_desc_addr(vdev, n)) {
            error_setg(errp, "queue %d is set up, but does not exist", n);
            return false;
        }
    }
    return true;
}

/* Check a listener's parameters as if they came in commands. */
static bool check_saved_listener(CaptureListener *l, Error **errp)
{
    VirtIODevice *vdev = &l->dev->parent_obj;

    if (l->flags & ~VIRTIO_CAPTURE_L_ALL) {
        error_setg(errp, "unknown listen_flags 0x%" PRIx32, l->flags);
        return false;
    }
    if (l->snaplen && !(vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        error_setg(errp, "snaplen is %" PRIu32 ", but no driver has set "
                   "DRIVER_OK", l->snaplen);
        return false;
    }
    if (!virtio_capture_program_check(&l->program)) {
        virtio_capture_program_clear(&l->program);
        error_setg(errp, "the program of listener %u is not valid", l->number);
        return false;
    }
    if (l->number && l->snaplen &&
        (l->number >= virtio_capture_listeners(l->dev) ||
         !virtio_queue_get_desc_addr(vdev,
                                     VIRTIO_CAPTURE_VQ_LISTENER(l->number)))) {
        error_setg(errp, "listener %u is active, but has no queue", l->number);
        return false;
    }
    return true;
}

static bool filter_needed(void *opaque)
{
    return virtio_vdev_has_feature(VIRTIO_DEVICE(opaque),
                                   VIRTIO_CAPTURE_F_FILTER);
}

/* Check that the driver accepted the features that the state depends on. */
static bool check_saved_features(VirtIOCapture *s, Error **errp)
{
    CaptureListener *l;
    unsigned n;

    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        l = &s->listeners[n];
        if ((l->program.count && !filter_needed(s)) ||
            (l->number && l->snaplen &&
             !virtio_capture_has_listener_queues(s))) {
            error_setg(errp, "listener %u needs a feature that was not "
                       "negotiated", n);
            return false;
        }
    }
    return true;
}

/* Check the ring indices of packed queues; QEMU checks those of split ones. */
static bool check_saved_indices(VirtIOCapture *s, Error **errp)
{
    VirtIODevice *vdev = &s->parent_obj;
    unsigned n, both, size;

    if (!virtio_vdev_has_feature(vdev, VIRTIO_F_RING_PACKED)) {
        return true;
    }
    for (n = 0; n < virtio_capture_queues(s); n++) {
        size = virtio_queue_get_num(vdev, n);
        /* Two indices of 15 bits, each with its wrap counter. */
        both = virtio_queue_get_last_avail_idx(vdev, n);
        if ((both & 0x7fff) >= size || (both >> 16 & 0x7fff) >= size) {
            error_setg(errp, "queue %u of size %u has the invalid ring indices "
                       "0x%x", n, size, both);
            return false;
        }
    }
    return true;
}

static int refuse_saved(Error *err)
{
    error_reportf_err(err, "virtio-capture: bad saved state: ");
    return -EINVAL;
}

/* Called when the device's own fields have been loaded. */
static int virtio_capture_fields_loaded(void *opaque, int version)
{
    VirtIOCapture *s = opaque;
    Error *err = NULL;
    unsigned n;

    if (!check_saved_queues(s, &err)) {
        return refuse_saved(err);
    }
    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        if (!check_saved_listener(&s->listeners[n], &err)) {
            return refuse_saved(err);
        }
    }
    return 0;
}

/* Called when everything has been loaded. */
int virtio_capture_post_load(VirtIODevice *vdev)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    Error *err = NULL;
    unsigned n;

    if (!check_saved_indices(s, &err) ||
        !check_saved_features(s, &err)) {
        return refuse_saved(err);
    }
    virtio_capture_set_offset(s, s->clock_offset);
    virtio_capture_invalidate_rings(s);
    for (n = 0; n < virtio_capture_queues(s); n++) {
        s->ring_size[n] = virtio_queue_get_num(vdev, n);
    }
    /* The driver was not notified of buffers used when the machine stopped. */
    bitmap_set(s->notify, 0, virtio_capture_queues(s));
    /* The NIC and the switch are those of this host, and may have changed. */
    set_bit(CAPTURE_NOTIFY_CONFIG, s->notify);
    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        virtio_capture_listener_resume(&s->listeners[n]);
    }
    /* Do not fail the migration only because this host has no such netdev. */
    if (!QLIST_EMPTY(&s->listening) && !virtio_capture_tap_start(s, &err)) {
        warn_reportf_err(err, "virtio-capture: capture cannot be resumed: ");
    }
    return 0;
}

static const VMStateDescription vmstate_insn = {
    .name = "virtio-capture-insn",
    .minimum_version_id = 1,
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT16(code, struct bsd_insn),
        VMSTATE_UINT8(jt, struct bsd_insn),
        VMSTATE_UINT8(jf, struct bsd_insn),
        VMSTATE_UINT32(k, struct bsd_insn),
        VMSTATE_END_OF_LIST()
    },
};

static int filter_pre_load(void *opaque)
{
    CaptureListener *l = opaque;

    virtio_capture_program_clear(&l->program);
    return 0;
}

/* Checked before the instructions are allocated. */
static bool program_size_is_valid(void *opaque, int version)
{
    CaptureListener *l = opaque;

    return l->program.count >= 0 &&
           l->program.count <= VIRTIO_CAPTURE_MAX_INSNS;
}

/* The part of a listener that exists with VIRTIO_CAPTURE_F_FILTER. */
static const VMStateDescription vmstate_filter = {
    .name = "virtio-capture-filter",
    .minimum_version_id = 1,
    .version_id = 1,
    .pre_load = filter_pre_load,
    .fields = (VMStateField[]) {
        VMSTATE_UINT64(seen, CaptureListener),
        VMSTATE_UINT64(used, CaptureListener),
        VMSTATE_INT32(program.count, CaptureListener),
        VMSTATE_VALIDATE("a program has 0 to 512 instructions",
                         program_size_is_valid),
        VMSTATE_STRUCT_VARRAY_ALLOC(program.insns, CaptureListener,
                                    program.count, 1, vmstate_insn,
                                    struct bsd_insn),
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription vmstate_listener = {
    .name = "virtio-capture-listener",
    .minimum_version_id = 1,
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(snaplen, CaptureListener),
        VMSTATE_UINT32(flags, CaptureListener),
        VMSTATE_UINT32(delay, CaptureListener),
        VMSTATE_UINT64(captured, CaptureListener),
        VMSTATE_UINT64(dropped, CaptureListener),
        {
            /* In the same structure: at offset 0. */
            .name = "filter",
            .vmsd = &vmstate_filter,
            .size = sizeof(CaptureListener),
            .flags = VMS_STRUCT,
        },
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription vmstate_shared_filter = {
    .name = "virtio-capture-device/filter",
    .minimum_version_id = 1,
    .version_id = 1,
    .needed = filter_needed,
    .fields = (VMStateField[]) {
        VMSTATE_STRUCT(listeners[0], VirtIOCapture, 1, vmstate_filter,
                       CaptureListener),
        VMSTATE_END_OF_LIST()
    },
};

static bool queues_needed(void *opaque)
{
    return virtio_capture_has_listener_queues(opaque);
}

/*
 * The maximum number of listeners, whatever listener-queues is here: a state
 * with more active ones than this device has is refused.
 */
static const VMStateDescription vmstate_own_queues = {
    .name = "virtio-capture-device/listeners",
    .minimum_version_id = 1,
    .version_id = 1,
    .needed = queues_needed,
    .fields = (VMStateField[]) {
        VMSTATE_STRUCT_SUB_ARRAY(listeners, VirtIOCapture, 1,
                                 VIRTIO_CAPTURE_MAX_LISTENER_QUEUES, 1,
                                 vmstate_listener, CaptureListener),
        VMSTATE_END_OF_LIST()
    },
};

/* The device's own fields, within the state of the virtio device. */
const VMStateDescription vmstate_virtio_capture_device = {
    .name = "virtio-capture-device",
    .minimum_version_id = 1,
    .version_id = 1,
    .post_load = virtio_capture_fields_loaded,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(listeners[0].snaplen, VirtIOCapture),
        VMSTATE_UINT32(listeners[0].flags, VirtIOCapture),
        VMSTATE_UINT32(listeners[0].delay, VirtIOCapture),
        VMSTATE_INT64(clock_offset, VirtIOCapture),
        VMSTATE_UINT64(listeners[0].captured, VirtIOCapture),
        VMSTATE_UINT64(listeners[0].dropped, VirtIOCapture),
        VMSTATE_END_OF_LIST()
    },
    .subsections = (const VMStateDescription * []) {
        &vmstate_shared_filter,
        &vmstate_own_queues,
        NULL
    },
};

const VMStateDescription vmstate_virtio_capture = {
    .name = "virtio-capture",
    .minimum_version_id = 1,
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_VIRTIO_DEVICE,
        VMSTATE_END_OF_LIST()
    },
};
