/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device: virtqueues, realize to finalize, properties.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "hw/qdev-properties.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ids.h"
#include "capture-device.h"

#define CAPTURE_QUEUE_SIZE  256
#define CONTROL_QUEUE_SIZE  64
#define INJECT_QUEUE_SIZE   256
/* For two buffers; those of many segments use indirect descriptors. */
#define LISTENER_QUEUE_SIZE 64

/*
 * The device ID for QEMU, instead of VIRTIO_ID_CAPTURE: virtio_init() and the
 * monitor's "info virtio-status" abort on an ID that is not in QEMU's table of
 * names. This one is reserved for a device that was never specified, and has no
 * feature bits. The driver sees the PCI device ID only.
 */
#define NAMED_ID            VIRTIO_ID_IOMEM

/*
 * Reset everything that the driver has set up, except for a frame that the
 * backend has queued.
 */
static void reset_state(VirtIOCapture *s)
{
    unsigned n;

    s->resets++;
    bitmap_zero(s->notify, CAPTURE_QUEUES + 1);
    virtio_capture_invalidate_rings(s);
    memset(s->ring_size, 0, sizeof(s->ring_size));
    virtio_capture_tap_stop(s);
    for (n = 0; n < virtio_capture_listeners(s); n++) {
        virtio_capture_listener_reset(&s->listeners[n]);
    }
    virtio_capture_control_discard(s);
    virtio_capture_inject_discard(s);
    virtio_capture_set_offset(s, 0);
}

static uint64_t virtio_capture_get_features(VirtIODevice *vdev,
                                            uint64_t features, Error **errp)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);

    if (virtio_capture_listeners(s) > 1) {
        virtio_add_feature(&features, VIRTIO_CAPTURE_F_LISTENER_QUEUES);
    }
    return features | s->host_features;
}

static int virtio_capture_validate_features(VirtIODevice *vdev)
{
    if (virtio_vdev_has_feature(vdev, VIRTIO_CAPTURE_F_LISTENER_QUEUES) &&
        !virtio_vdev_has_feature(vdev, VIRTIO_CAPTURE_F_FILTER)) {
        return -EINVAL;
    }
    return 0;
}

/*
 * Called when the driver writes its status, and when the virtual machine stops
 * or starts. While it is stopped the device must not write to guest memory,
 * which migration may already have copied. So all pending requests and buffers
 * are completed when it stops, and need not be migrated.
 */
static void virtio_capture_set_status(VirtIODevice *vdev, uint8_t status)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    unsigned n;

    if (!(status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
            reset_state(s);
        }
    } else if (vdev->vm_running) {
        virtio_capture_inject_resume(s);
        virtio_capture_control_resume(s);
        virtio_capture_notify_soon(s);
    } else {
        virtio_capture_inject_complete(s);
        for (n = 0; n < virtio_capture_listeners(s); n++) {
            virtio_capture_complete(&s->listeners[n]);
        }
        virtio_capture_control_complete(s);
    }
}

/* Return the listener whose capture buffers are in a queue, or NULL. */
static CaptureListener *listener_of(VirtIOCapture *s, unsigned index)
{
    switch (index) {
    case VIRTIO_CAPTURE_VQ_CAPTURE:
        return &s->listeners[0];
    case VIRTIO_CAPTURE_VQ_CONTROL:
    case VIRTIO_CAPTURE_VQ_INJECT:
        return NULL;
    default:
        return &s->listeners[index - VIRTIO_CAPTURE_VQ_LISTENER(0)];
    }
}

static void virtio_capture_queue_reset(VirtIODevice *vdev, uint32_t index)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);

    if (index >= virtio_capture_queues(s)) {
        return;
    }
    s->resets++;
    clear_bit(index, s->notify);
    virtio_capture_invalidate_rings(s);
    s->ring_size[index] = 0;
    if (index == VIRTIO_CAPTURE_VQ_CONTROL) {
        virtio_capture_control_discard(s);
    } else if (index == VIRTIO_CAPTURE_VQ_INJECT) {
        virtio_capture_inject_discard(s);
    } else {
        virtio_capture_discard(listener_of(s, index));
    }
}

static void virtio_capture_reset(VirtIODevice *vdev)
{
    reset_state(VIRTIO_CAPTURE(vdev));
}

static void handle_capture(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    CaptureListener *l = listener_of(s, virtio_get_queue_index(vq));

    if (!l->number || virtio_capture_has_listener_queues(s)) {
        virtio_capture_buffer_available(l);
    }
}

/* Add the virtqueues in the order of their numbers. */
static void add_queues(VirtIOCapture *s)
{
    VirtIODevice *vdev = &s->parent_obj;
    VirtQueue *vq;
    unsigned n;

    vq = virtio_add_queue(vdev, CAPTURE_QUEUE_SIZE, handle_capture);
    virtio_capture_listener_init(&s->listeners[0], vq);
    s->control_vq = virtio_add_queue(vdev, CONTROL_QUEUE_SIZE,
                                     virtio_capture_handle_control);
    s->inject_vq = virtio_add_queue(vdev, INJECT_QUEUE_SIZE,
                                    virtio_capture_handle_inject);
    for (n = 1; n < virtio_capture_listeners(s); n++) {
        vq = virtio_add_queue(vdev, LISTENER_QUEUE_SIZE, handle_capture);
        virtio_capture_listener_init(&s->listeners[n], vq);
    }
}

static size_t config_size(VirtIOCapture *s)
{
    QEMU_BUILD_BUG_ON(offsetof(struct virtio_capture_config, pci_segment) !=
                      VIRTIO_CAPTURE_CONFIG_BASE);
    QEMU_BUILD_BUG_ON(offsetof(struct virtio_capture_config,
                               listener_queues) != VIRTIO_CAPTURE_CONFIG_PCI);
    if (virtio_capture_listeners(s) > 1) {
        return sizeof(struct virtio_capture_config);
    }
    return virtio_has_feature(s->host_features, VIRTIO_CAPTURE_F_NIC_PCI)
           ? VIRTIO_CAPTURE_CONFIG_PCI : VIRTIO_CAPTURE_CONFIG_BASE;
}

static void virtio_capture_realize(DeviceState *dev, Error **errp)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VirtIOCapture *s = VIRTIO_CAPTURE(dev);

    if (!virtio_capture_check_netdev(s, errp)) {
        return;
    }
    if (s->listener_queues > VIRTIO_CAPTURE_MAX_LISTENER_QUEUES) {
        error_setg(errp, "'listener-queues' is %u, but must be at most %u",
                   s->listener_queues, VIRTIO_CAPTURE_MAX_LISTENER_QUEUES);
        return;
    }
    if (!virtio_capture_pcapng_start(s, errp)) {
        return;
    }

    s->proxy = qdev_get_parent_bus(dev)->parent;
    virtio_init(vdev, NAMED_ID, config_size(s));
    vdev->name = "virtio-capture";
    add_queues(s);
    virtio_capture_virtqueue_init(s);
    virtio_capture_notify_init(s);
    virtio_capture_clock_init(s);
    virtio_capture_rxfilter_init(s);
    virtio_capture_tap_init(s);
    virtio_capture_control_init(s);
    virtio_capture_inject_init(s);
}

static void virtio_capture_unrealize(DeviceState *dev)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VirtIOCapture *s = VIRTIO_CAPTURE(dev);
    unsigned n;

    s->resets++;
    virtio_capture_pcapng_stop(s);
    virtio_capture_tap_cleanup(s);
    virtio_capture_rxfilter_cleanup(s);
    virtio_capture_inject_cleanup(s);
    virtio_capture_control_cleanup(s);
    for (n = 0; n < virtio_capture_listeners(s); n++) {
        virtio_capture_listener_cleanup(&s->listeners[n]);
    }
    virtio_capture_notify_cleanup(s);
    virtio_capture_virtqueue_cleanup(s);
    for (n = virtio_capture_queues(s); n--; ) {
        virtio_del_queue(vdev, n);
    }
    virtio_cleanup(vdev);
}

static void virtio_capture_init(Object *obj)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(obj);
    unsigned n;

    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        s->listeners[n].dev = s;
        s->listeners[n].number = n;
    }
}

static void virtio_capture_finalize(Object *obj)
{
    virtio_capture_inject_finalize(VIRTIO_CAPTURE(obj));
    virtio_capture_filter_finalize(VIRTIO_CAPTURE(obj));
}

static const Property virtio_capture_properties[] = {
    DEFINE_PROP_STRING("netdev", VirtIOCapture, netdev_id),
    DEFINE_PROP_BIT64("nic-pci", VirtIOCapture, host_features,
                      VIRTIO_CAPTURE_F_NIC_PCI, true),
    DEFINE_PROP_BIT64("filter", VirtIOCapture, host_features,
                      VIRTIO_CAPTURE_F_FILTER, true),
    DEFINE_PROP_UINT16("listener-queues", VirtIOCapture, listener_queues, 16),
    DEFINE_PROP_STRING("pcapng", VirtIOCapture, pcapng),
    DEFINE_PROP_STRING("pcapng-name", VirtIOCapture, pcapng_name),
};

static void virtio_capture_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);

    capture_class_set_props(dc, virtio_capture_properties);
    object_class_property_set_description(klass, "netdev",
        "ID of the netdev whose frames are captured");
    object_class_property_set_description(klass, "nic-pci",
        "on: the configuration space has the NIC's PCI address");
    object_class_property_set_description(klass, "filter",
        "on: the device runs filter programs for the driver's listeners");
    object_class_property_set_description(klass, "listener-queues",
        "number of listeners with a queue of their own, at most 64; needs "
        "filter=on (default 16)");
    object_class_property_set_description(klass, "pcapng",
        "file to which QEMU writes all frames of the netdev, in pcapng format");
    object_class_property_set_description(klass, "pcapng-name",
        "interface name in that file (default: the netdev's ID)");
    virtio_capture_watch_class_init(klass);
    dc->desc = "Virtio capture device";
    dc->vmsd = &vmstate_virtio_capture;
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    vdc->realize = virtio_capture_realize;
    vdc->unrealize = virtio_capture_unrealize;
    vdc->get_features = virtio_capture_get_features;
    vdc->validate_features = virtio_capture_validate_features;
    vdc->get_config = virtio_capture_get_config;
    vdc->set_status = virtio_capture_set_status;
    vdc->reset = virtio_capture_reset;
    vdc->queue_reset = virtio_capture_queue_reset;
    vdc->queue_enable = virtio_capture_queue_enabled;
    vdc->vmsd = &vmstate_virtio_capture_device;
    vdc->post_load = virtio_capture_post_load;
}

static const TypeInfo virtio_capture_info = {
    .name = TYPE_VIRTIO_CAPTURE,
    .parent = TYPE_VIRTIO_DEVICE,
    .instance_size = sizeof(VirtIOCapture),
    .instance_init = virtio_capture_init,
    .instance_finalize = virtio_capture_finalize,
    .class_init = virtio_capture_class_init,
};

void virtio_capture_register_types(void)
{
    type_register_static(&virtio_capture_info);
}

#ifndef VIRTIO_CAPTURE_PLUGIN
type_init(virtio_capture_register_types)
#endif
