/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device: queues, life cycle, properties.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "hw/qdev-properties.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ids.h"
#include "virtio-capture.h"

#define CAPTURE_QUEUE_SIZE  256
#define CONTROL_QUEUE_SIZE  64
#define INJECT_QUEUE_SIZE   256

/*
 * A name of this device in QEMU's table of device IDs, which ends before
 * VIRTIO_ID_CAPTURE: virtio_init() and the monitor's "info virtio-status"
 * abort on an ID without a name. This one is reserved for a device that never
 * came to be, and has no feature bits. The driver sees the PCI ID only.
 */
#define NAMED_ID            VIRTIO_ID_IOMEM

/*
 * All that a driver set up and made available is forgotten, but for a frame
 * that the backend has not yet taken.
 */
static void forget_driver(VirtIOCapture *s)
{
    unsigned n;

    s->resets++;
    s->notify = 0;
    virtio_capture_queues_changed(s);
    memset(s->ring_size, 0, sizeof(s->ring_size));
    virtio_capture_tap_stop(s);
    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        virtio_capture_listener_reset(&s->listeners[n]);
    }
    virtio_capture_control_discard(s);
    virtio_capture_inject_discard(s);
    virtio_capture_set_offset(s, 0);
}

static uint64_t virtio_capture_get_features(VirtIODevice *vdev,
                                            uint64_t features, Error **errp)
{
    return features | VIRTIO_CAPTURE(vdev)->host_features;
}

/*
 * Called when the driver writes its status, and when the machine stops or
 * starts. While it is stopped nobody may write to its memory: migration has
 * it on the way. So whatever is in work ends here, and nothing of it is state
 * to migrate.
 */
static void virtio_capture_set_status(VirtIODevice *vdev, uint8_t status)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    unsigned n;

    if (!(status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
            forget_driver(s);
        }
    } else if (vdev->vm_running) {
        virtio_capture_inject_resume(s);
        virtio_capture_control_resume(s);
        virtio_capture_notify_soon(s);
    } else {
        virtio_capture_inject_settle(s);
        for (n = 0; n < CAPTURE_LISTENERS; n++) {
            virtio_capture_complete(&s->listeners[n]);
        }
        virtio_capture_control_settle(s);
    }
}

static void virtio_capture_queue_reset(VirtIODevice *vdev, uint32_t index)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);

    if (index >= VIRTIO_CAPTURE_NUM_VQS) {
        return;
    }
    s->resets++;
    s->notify &= ~(1u << index);
    virtio_capture_queues_changed(s);
    s->ring_size[index] = 0;
    if (index == VIRTIO_CAPTURE_VQ_CAPTURE) {
        virtio_capture_discard(&s->listeners[0]);
    } else if (index == VIRTIO_CAPTURE_VQ_CONTROL) {
        virtio_capture_control_discard(s);
    } else if (index == VIRTIO_CAPTURE_VQ_INJECT) {
        virtio_capture_inject_discard(s);
    }
}

static void virtio_capture_reset(VirtIODevice *vdev)
{
    forget_driver(VIRTIO_CAPTURE(vdev));
}

static void handle_capture(VirtIODevice *vdev, VirtQueue *vq)
{
    virtio_capture_buffer_kicked(&VIRTIO_CAPTURE(vdev)->listeners[0]);
}

static void virtio_capture_realize(DeviceState *dev, Error **errp)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VirtIOCapture *s = VIRTIO_CAPTURE(dev);
    VirtQueue *capture_vq;

    if (!virtio_capture_check_netdev(s, errp)) {
        return;
    }

    s->proxy = qdev_get_parent_bus(dev)->parent;
    QEMU_BUILD_BUG_ON(offsetof(struct virtio_capture_config, pci_segment) !=
                      VIRTIO_CAPTURE_CONFIG_BASE);
    QEMU_BUILD_BUG_ON(offsetof(struct virtio_capture_config, listener_queues) !=
                      VIRTIO_CAPTURE_CONFIG_PCI);
    virtio_init(vdev, NAMED_ID,
                virtio_has_feature(s->host_features, VIRTIO_CAPTURE_F_NIC_PCI)
                ? VIRTIO_CAPTURE_CONFIG_PCI
                : VIRTIO_CAPTURE_CONFIG_BASE);
    vdev->name = "virtio-capture";
    capture_vq = virtio_add_queue(vdev, CAPTURE_QUEUE_SIZE, handle_capture);
    s->control_vq = virtio_add_queue(vdev, CONTROL_QUEUE_SIZE,
                                     virtio_capture_handle_control);
    s->inject_vq = virtio_add_queue(vdev, INJECT_QUEUE_SIZE,
                                    virtio_capture_handle_inject);
    virtio_capture_queue_init(s);
    virtio_capture_notify_init(s);
    virtio_capture_clock_init(s);
    virtio_capture_rxfilter_init(s);
    virtio_capture_tap_init(s);
    virtio_capture_listener_init(s, 0, capture_vq);
    virtio_capture_control_init(s);
    virtio_capture_inject_init(s);
}

static void virtio_capture_unrealize(DeviceState *dev)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VirtIOCapture *s = VIRTIO_CAPTURE(dev);

    s->resets++;
    virtio_capture_tap_cleanup(s);
    virtio_capture_rxfilter_cleanup(s);
    virtio_capture_inject_cleanup(s);
    virtio_capture_control_cleanup(s);
    virtio_capture_listener_cleanup(&s->listeners[0]);
    virtio_capture_notify_cleanup(s);
    virtio_capture_queue_cleanup(s);
    virtio_del_queue(vdev, VIRTIO_CAPTURE_VQ_INJECT);
    virtio_del_queue(vdev, VIRTIO_CAPTURE_VQ_CONTROL);
    virtio_del_queue(vdev, VIRTIO_CAPTURE_VQ_CAPTURE);
    virtio_cleanup(vdev);
}

static void virtio_capture_finalize(Object *obj)
{
    virtio_capture_inject_finalize(VIRTIO_CAPTURE(obj));
    virtio_capture_filter_finalize(VIRTIO_CAPTURE(obj));
}

static Property virtio_capture_properties[] = {
    DEFINE_PROP_STRING("netdev", VirtIOCapture, netdev_id),
    DEFINE_PROP_BIT64("nic-pci", VirtIOCapture, host_features,
                      VIRTIO_CAPTURE_F_NIC_PCI, true),
    DEFINE_PROP_BIT64("filter", VirtIOCapture, host_features,
                      VIRTIO_CAPTURE_F_FILTER, true),
    DEFINE_PROP_END_OF_LIST(),
};

static void virtio_capture_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);

    device_class_set_props(dc, virtio_capture_properties);
    object_class_property_set_description(klass, "netdev",
        "ID of the netdev whose NIC's frames are captured");
    object_class_property_set_description(klass, "nic-pci",
        "on: the driver is told which PCI function the NIC is");
    object_class_property_set_description(klass, "filter",
        "on: the device runs the driver's filter programs over the frames");
    dc->desc = "Virtio capture device";
    dc->vmsd = &vmstate_virtio_capture;
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    vdc->realize = virtio_capture_realize;
    vdc->unrealize = virtio_capture_unrealize;
    vdc->get_features = virtio_capture_get_features;
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
