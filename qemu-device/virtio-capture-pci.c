/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device on PCI.
 */
#include "qemu/osdep.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio-pci.h"
#include "qemu/module.h"
#include "capture-device.h"

#define TYPE_VIRTIO_CAPTURE_PCI "virtio-capture-pci-base"
OBJECT_DECLARE_SIMPLE_TYPE(VirtIOCapturePCI, VIRTIO_CAPTURE_PCI)

struct VirtIOCapturePCI {
    VirtIOPCIProxy parent_obj;
    VirtIOCapture vdev;
};

static const Property virtio_capture_pci_properties[] = {
    DEFINE_PROP_BIT("ioeventfd", VirtIOPCIProxy, flags,
                    VIRTIO_PCI_FLAG_USE_IOEVENTFD_BIT, true),
    DEFINE_PROP_UINT32("vectors", VirtIOPCIProxy, nvectors,
                       DEV_NVECTORS_UNSPECIFIED),
};

static void virtio_capture_pci_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    VirtIOCapturePCI *dev = VIRTIO_CAPTURE_PCI(proxy);

    if (proxy->nvectors == DEV_NVECTORS_UNSPECIFIED) {
        /* One for each virtqueue, and one for configuration changes. */
        proxy->nvectors = virtio_capture_queues(&dev->vdev) + 1;
    }
    virtio_pci_force_virtio_1(proxy);
    if (!qdev_realize(DEVICE(&dev->vdev), BUS(&proxy->bus), errp)) {
        return;
    }
    /* The virtio core does not know this device's ID: see NAMED_ID. */
    pci_set_word(proxy->pci_dev.config + PCI_DEVICE_ID,
                 PCI_DEVICE_ID_VIRTIO_10_BASE + VIRTIO_ID_CAPTURE);
}

static void virtio_capture_pci_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioPCIClass *vpc = VIRTIO_PCI_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    capture_class_set_props(dc, virtio_capture_pci_properties);
    object_class_property_set_description(klass, "ioeventfd",
        "on: the main loop handles the driver's notifications, not the vCPU");
    object_class_property_set_description(klass, "vectors",
        "number of MSI-X vectors (default: one for each virtqueue, and one for "
        "the configuration)");
    dc->desc = "Virtio capture device: copies a NIC's frames to the guest";
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    vpc->realize = virtio_capture_pci_realize;
    pc->class_id = PCI_CLASS_OTHERS;
}

static void virtio_capture_pci_instance_init(Object *obj)
{
    VirtIOCapturePCI *dev = VIRTIO_CAPTURE_PCI(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev),
                                TYPE_VIRTIO_CAPTURE);
    capture_alias_properties(obj, OBJECT(&dev->vdev));
}

static const VirtioPCIDeviceTypeInfo virtio_capture_pci_info = {
    .base_name = TYPE_VIRTIO_CAPTURE_PCI,
    .generic_name = "virtio-capture-pci",
    .instance_size = sizeof(VirtIOCapturePCI),
    .instance_init = virtio_capture_pci_instance_init,
    .class_init = virtio_capture_pci_class_init,
};

void virtio_capture_pci_register_types(void)
{
    virtio_pci_types_register(&virtio_capture_pci_info);
}

#ifndef VIRTIO_CAPTURE_PLUGIN
type_init(virtio_capture_pci_register_types)
#endif
