/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio capture device: queues, configuration space, life cycle.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/sysbus.h"
#include "hw/virtio/virtio-bus.h"
#include "migration/vmstate.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ids.h"
#include "virtio-capture.h"

#define CAPTURE_QUEUE_SIZE  256
#define CONTROL_QUEUE_SIZE  64
#define INJECT_QUEUE_SIZE   256

#define DEFAULT_MTU         1500

/*
 * A name of this device in QEMU's table of device IDs, which ends before
 * VIRTIO_ID_CAPTURE: virtio_init() and the monitor's "info virtio-status"
 * abort on an ID without a name. This one is reserved for a device that never
 * came to be, and has no feature bits. The driver sees the PCI ID only.
 */
#define NAMED_ID            VIRTIO_ID_IOMEM

bool virtio_capture_active(VirtIOCapture *s)
{
    VirtIODevice *vdev = &s->parent_obj;

    return vdev->vm_running && !vdev->broken &&
           (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

CaptureStay virtio_capture_enter(VirtIOCapture *s)
{
    MemReentrancyGuard *guard = &s->proxy->mem_reentrancy_guard;
    CaptureStay stay = { .proxy = s->proxy, .outer = guard->engaged_in_io };

    object_ref(OBJECT(s->proxy));
    guard->engaged_in_io = true;
    return stay;
}

static void unref_bh(void *opaque)
{
    object_unref(OBJECT(opaque));
}

void virtio_capture_leave(CaptureStay stay)
{
    stay.proxy->mem_reentrancy_guard.engaged_in_io = stay.outer;
    if (stay.proxy->realized) {
        object_unref(OBJECT(stay.proxy));
    } else {
        /* Unplugged in between: those who called still use the device. */
        aio_bh_schedule_oneshot(qemu_get_aio_context(), unref_bh, stay.proxy);
    }
}

/* The size of the largest payload to inject; the NIC's own where it has one. */
static uint32_t nic_mtu(NetClientState *nic)
{
    uint64_t mtu = 0;

    /* Of these models, the opaque pointer is known to be an Object. */
    if (g_str_has_prefix(nic->model, "virtio-net")) {
        mtu = object_property_get_uint(OBJECT(qemu_get_nic_opaque(nic)),
                                       "host_mtu", NULL);
    }
    return mtu && mtu <= UINT16_MAX ? mtu : DEFAULT_MTU;
}

uint32_t virtio_capture_mtu(VirtIOCapture *s)
{
    NetClientState *netdev = virtio_capture_find_netdev(s);
    NetClientState *nic = netdev ? netdev->peer : NULL;

    return nic && nic->info->type == NET_CLIENT_DRIVER_NIC ? nic_mtu(nic)
                                                           : DEFAULT_MTU;
}

/* A search for the device that is a NIC, by its list of netdevs. */
typedef struct NicSearch {
    const NICPeers *peers;
    DeviceState *found;
} NicSearch;

/*
 * A NIC's state does not lead to its device, but the device's property "netdev"
 * leads to the state's list of netdevs: no other device's is at that address.
 */
static int match_nic(DeviceState *dev, void *opaque)
{
    ObjectProperty *property =
        object_class_property_find(object_get_class(OBJECT(dev)), "netdev");
    NicSearch *search = opaque;
    Property *prop = property ? property->opaque : NULL;

    if (!prop || prop->info != &qdev_prop_netdev ||
        object_field_prop_ptr(OBJECT(dev), prop) != search->peers) {
        return 0;
    }
    search->found = dev;
    return -1;
}

/* The PCI function that is the NIC, or NULL: it may be a USB device. */
static PCIDevice *nic_pci_function(NetClientState *nic)
{
    NicSearch search = { .peers = &qemu_get_nic(nic)->conf->peers };
    DeviceState *dev;
    BusState *bus;

    qbus_walk_children(sysbus_get_default(), match_nic, NULL, NULL, NULL,
                       &search);
    dev = search.found;
    bus = dev ? qdev_get_parent_bus(dev) : NULL;
    /* A virtio device is on the bus of a function that is nothing else. */
    if (bus && object_dynamic_cast(OBJECT(bus), TYPE_VIRTIO_BUS)) {
        dev = bus->parent;
    }
    return (PCIDevice *)object_dynamic_cast(OBJECT(dev), TYPE_PCI_DEVICE);
}

/*
 * Everything is looked up at each read: the NIC may be created after this
 * device, the netdev may be deleted, and the guest may number its buses anew.
 */
static void virtio_capture_get_config(VirtIODevice *vdev, uint8_t *data)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    NetClientState *netdev = virtio_capture_find_netdev(s);
    NetClientState *nic = netdev ? netdev->peer : NULL;
    struct virtio_capture_config config = {
        .link_type = cpu_to_le32(VIRTIO_CAPTURE_LINK_ETHERNET),
        .mtu = cpu_to_le32(virtio_capture_mtu(s)),
        .max_frame = cpu_to_le32(NET_BUFSIZE),
    };
    uint16_t status = 0;

    if (nic && nic->info->type == NET_CLIENT_DRIVER_NIC) {
        MACAddr *mac = &qemu_get_nic(nic)->conf->macaddr;

        QEMU_BUILD_BUG_ON(sizeof(config.mac) != sizeof(mac->a));
        memcpy(config.mac, mac->a, sizeof(config.mac));
        status |= VIRTIO_CAPTURE_S_NIC;
        if (!nic->link_down) {
            status |= VIRTIO_CAPTURE_S_LINK_UP;
        }
        if (virtio_vdev_has_feature(vdev, VIRTIO_CAPTURE_F_NIC_PCI)) {
            PCIDevice *function = nic_pci_function(nic);

            if (function) {
                config.pci_bus = pci_dev_bus_num(function);
                config.pci_devfn = function->devfn;
                status |= VIRTIO_CAPTURE_S_PCI;
            }
        }
    }
    config.status = cpu_to_le16(status);
    memcpy(data, &config, vdev->config_len);
}

/*
 * All that a driver set up and made available is forgotten, but for a frame
 * that the backend has not yet taken.
 */
static void forget_driver(VirtIOCapture *s)
{
    s->resets++;
    s->notify = 0;
    virtio_capture_queues_changed(s);
    memset(s->ring_size, 0, sizeof(s->ring_size));
    virtio_capture_tap_stop(s);
    virtio_capture_discard(s);
    virtio_capture_control_discard(s);
    virtio_capture_inject_discard(s);
    virtio_capture_set_delay(s, 0);
    s->snaplen = 0;
    s->listen_flags = 0;
    s->clock_offset = 0;
    s->captured = 0;
    s->dropped = 0;
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
        virtio_capture_complete(s);
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
        virtio_capture_discard(s);
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

/*
 * The queues of a saved state, before QEMU looks into the rings. It lets a
 * driver choose a size of up to VIRTQUEUE_MAX_SIZE, and asserts that it is one.
 */
static bool check_saved_queues(VirtIODevice *vdev, Error **errp)
{
    int n, size;

    for (n = 0; n < VIRTIO_QUEUE_MAX; n++) {
        size = virtio_queue_get_num(vdev, n);
        if (n < VIRTIO_CAPTURE_NUM_VQS) {
            if (size < 1 || size > VIRTQUEUE_MAX_SIZE) {
                error_setg(errp, "queue %d has a size of %u", n, size);
                return false;
            }
        } else if (size || virtio_queue_get_desc_addr(vdev, n)) {
            error_setg(errp, "queue %d, which does not exist, is set up", n);
            return false;
        }
    }
    return true;
}

/* What the driver said, as if it said it again. */
static bool check_saved_listen(VirtIOCapture *s, Error **errp)
{
    if (s->listen_flags & ~VIRTIO_CAPTURE_L_ALL) {
        error_setg(errp, "unknown listen_flags 0x%" PRIx32, s->listen_flags);
        return false;
    }
    if (s->snaplen &&
        !(VIRTIO_DEVICE(s)->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        error_setg(errp, "snaplen is %" PRIu32 ", but no driver has set "
                   "DRIVER_OK", s->snaplen);
        return false;
    }
    return true;
}

/* The ring indices of packed queues; QEMU checks those of split ones itself. */
static bool check_saved_indices(VirtIODevice *vdev, Error **errp)
{
    unsigned n, both, size;

    if (!virtio_vdev_has_feature(vdev, VIRTIO_F_RING_PACKED)) {
        return true;
    }
    for (n = 0; n < VIRTIO_CAPTURE_NUM_VQS; n++) {
        size = virtio_queue_get_num(vdev, n);
        /* Two of 15 bits, each with its wrap counter. */
        both = virtio_queue_get_last_avail_idx(vdev, n);
        if ((both & 0x7fff) >= size || (both >> 16 & 0x7fff) >= size) {
            error_setg(errp, "queue %u of %u has the indices 0x%x", n, size,
                       both);
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

/* As soon as the device's own fields are there. */
static int virtio_capture_fields_loaded(void *opaque, int version)
{
    VirtIOCapture *s = opaque;
    Error *err = NULL;

    if (!check_saved_queues(VIRTIO_DEVICE(s), &err) ||
        !check_saved_listen(s, &err)) {
        return refuse_saved(err);
    }
    return 0;
}

/* When all is there. */
static int virtio_capture_post_load(VirtIODevice *vdev)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    Error *err = NULL;
    unsigned n;

    if (!check_saved_indices(vdev, &err)) {
        return refuse_saved(err);
    }
    virtio_capture_queues_changed(s);
    for (n = 0; n < VIRTIO_CAPTURE_NUM_VQS; n++) {
        s->ring_size[n] = virtio_queue_get_num(vdev, n);
    }
    /* What was used as the machine stopped, the driver has not been told. */
    s->notify = CAPTURE_NOTIFY_CONFIG - 1;
    /* A netdev that is gone here is no reason to lose the whole machine. */
    if (s->snaplen && !virtio_capture_tap_start(s, &err)) {
        warn_reportf_err(err, "virtio-capture: capture does not go on: ");
    }
    return 0;
}

static void virtio_capture_realize(DeviceState *dev, Error **errp)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VirtIOCapture *s = VIRTIO_CAPTURE(dev);

    if (!virtio_capture_check_netdev(s, errp)) {
        return;
    }

    s->proxy = qdev_get_parent_bus(dev)->parent;
    QEMU_BUILD_BUG_ON(offsetof(struct virtio_capture_config, pci_segment) !=
                      VIRTIO_CAPTURE_CONFIG_BASE);
    virtio_init(vdev, NAMED_ID,
                virtio_has_feature(s->host_features, VIRTIO_CAPTURE_F_NIC_PCI)
                ? sizeof(struct virtio_capture_config)
                : VIRTIO_CAPTURE_CONFIG_BASE);
    vdev->name = "virtio-capture";
    s->capture_vq = virtio_add_queue(vdev, CAPTURE_QUEUE_SIZE,
                                     virtio_capture_handle_capture);
    s->control_vq = virtio_add_queue(vdev, CONTROL_QUEUE_SIZE,
                                     virtio_capture_handle_control);
    s->inject_vq = virtio_add_queue(vdev, INJECT_QUEUE_SIZE,
                                    virtio_capture_handle_inject);
    virtio_capture_queue_init(s);
    virtio_capture_notify_init(s);
    virtio_capture_tap_init(s);
    virtio_capture_buffer_init(s);
    virtio_capture_control_init(s);
    virtio_capture_inject_init(s);
}

static void virtio_capture_unrealize(DeviceState *dev)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    VirtIOCapture *s = VIRTIO_CAPTURE(dev);

    s->resets++;
    virtio_capture_tap_cleanup(s);
    virtio_capture_inject_cleanup(s);
    virtio_capture_control_cleanup(s);
    virtio_capture_buffer_cleanup(s);
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
}

static const VMStateDescription vmstate_virtio_capture = {
    .name = "virtio-capture",
    .minimum_version_id = 1,
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_VIRTIO_DEVICE,
        VMSTATE_END_OF_LIST()
    },
};

/* The device's own part, inside the above. */
static const VMStateDescription vmstate_virtio_capture_device = {
    .name = "virtio-capture-device",
    .minimum_version_id = 1,
    .version_id = 1,
    .post_load = virtio_capture_fields_loaded,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(snaplen, VirtIOCapture),
        VMSTATE_UINT32(listen_flags, VirtIOCapture),
        VMSTATE_UINT32(delay, VirtIOCapture),
        VMSTATE_INT64(clock_offset, VirtIOCapture),
        VMSTATE_UINT64(captured, VirtIOCapture),
        VMSTATE_UINT64(dropped, VirtIOCapture),
        VMSTATE_END_OF_LIST()
    },
};

static Property virtio_capture_properties[] = {
    DEFINE_PROP_STRING("netdev", VirtIOCapture, netdev_id),
    DEFINE_PROP_BIT64("nic-pci", VirtIOCapture, host_features,
                      VIRTIO_CAPTURE_F_NIC_PCI, true),
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
