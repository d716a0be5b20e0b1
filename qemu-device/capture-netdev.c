/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tapped netdev, the NIC that uses it, and the configuration space, which
 * describes them. No reference keeps either alive, so they are looked up for
 * each use.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/sysbus.h"
#include "hw/virtio/virtio-bus.h"
#include "net/vhost_net.h"
#include "capture-device.h"

#define DEFAULT_MTU         1500

NetClientState *virtio_capture_find_netdev(VirtIOCapture *s)
{
    NetClientState *netdev;

    return qemu_find_net_clients_except(s->netdev_id, &netdev,
                                        NET_CLIENT_DRIVER_NIC, 1) ? netdev
                                                                  : NULL;
}

NetClientState *virtio_capture_nic_of(NetClientState *netdev)
{
    NetClientState *peer = netdev ? netdev->peer : NULL;

    return peer && peer->info->type == NET_CLIENT_DRIVER_NIC ? peer : NULL;
}

static bool is_nic(const char *id)
{
    NetClientState *client;

    /* No client has this type, so none is excluded. */
    return qemu_find_net_clients_except(id, &client, NET_CLIENT_DRIVER__MAX,
                                        1) > 0 &&
           client->info->type == NET_CLIENT_DRIVER_NIC;
}

bool virtio_capture_check_netdev(VirtIOCapture *s, Error **errp)
{
    const char *id = s->netdev_id;
    NetClientState *netdev;
    int queues;

    if (!id) {
        error_setg(errp, "'netdev' is missing, the ID of the netdev to tap");
        return false;
    }
    queues = qemu_find_net_clients_except(id, &netdev, NET_CLIENT_DRIVER_NIC,
                                          1);
    if (queues == 0 && is_nic(id)) {
        error_setg(errp, "'netdev' names '%s', which is a NIC, not a netdev",
                   id);
        return false;
    }
    if (queues == 0) {
        error_setg(errp, "'netdev' names '%s', which does not exist", id);
        return false;
    }
    if (queues > 1) {
        error_setg(errp, "'netdev' names '%s', which has %d queues, not one",
                   id, queues);
        return false;
    }
    /* These two always use vhost; get_vhost_net() asserts that it is set up. */
    if (netdev->info->type == NET_CLIENT_DRIVER_VHOST_USER ||
        netdev->info->type == NET_CLIENT_DRIVER_VHOST_VDPA) {
        error_setg(errp, "'netdev' names '%s' of type %s, which bypasses QEMU",
                   id, NetClientDriver_str(netdev->info->type));
        return false;
    }
    if (get_vhost_net(netdev)) {
        error_setg(errp, "'netdev' names '%s' with vhost=on, which bypasses "
                   "QEMU, use vhost=off", id);
        return false;
    }
    return true;
}

/* The largest payload to inject: the NIC's MTU if known, else the default. */
static uint32_t nic_mtu(NetClientState *nic)
{
    uint64_t mtu = 0;

    /* Only for these models is the opaque pointer known to be an Object. */
    if (g_str_has_prefix(nic->model, "virtio-net")) {
        mtu = object_property_get_uint(OBJECT(qemu_get_nic_opaque(nic)),
                                       "host_mtu", NULL);
    }
    return mtu && mtu <= UINT16_MAX ? mtu : DEFAULT_MTU;
}

uint32_t virtio_capture_mtu(VirtIOCapture *s)
{
    NetClientState *nic = virtio_capture_nic_of(virtio_capture_find_netdev(s));

    return nic ? nic_mtu(nic) : DEFAULT_MTU;
}

/* Search for a NIC's device by the address of the NIC's list of peers. */
typedef struct NicSearch {
    const NICPeers *peers;
    DeviceState *found;
} NicSearch;

/*
 * A NICState has no pointer to its device. But the device's property "netdev"
 * is stored in the NIC's list of peers, whose address identifies the device.
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

/* Return the NIC's PCI function, or NULL if it is not on PCI. */
static PCIDevice *nic_pci_function(NetClientState *nic)
{
    NicSearch search = { .peers = &qemu_get_nic(nic)->conf->peers };
    DeviceState *dev;
    BusState *bus;

    qbus_walk_children(sysbus_get_default(), match_nic, NULL, NULL, NULL,
                       &search);
    dev = search.found;
    bus = dev ? qdev_get_parent_bus(dev) : NULL;
    /* A virtio device is on a bus of its own, below its PCI function. */
    if (bus && object_dynamic_cast(OBJECT(bus), TYPE_VIRTIO_BUS)) {
        dev = bus->parent;
    }
    return (PCIDevice *)object_dynamic_cast(OBJECT(dev), TYPE_PCI_DEVICE);
}

/* Search for the "zpci" device that belongs to a PCI function. */
typedef struct ZpciSearch {
    const char *target; /* ID of the function */
    DeviceState *found;
} ZpciSearch;

static int match_zpci(DeviceState *dev, void *opaque)
{
    ZpciSearch *search = opaque;
    g_autofree char *target = NULL;

    if (!object_dynamic_cast(OBJECT(dev), "zpci")) {
        return 0;
    }
    target = object_property_get_str(OBJECT(dev), "target", NULL);
    if (g_strcmp0(target, search->target)) {
        return 0;
    }
    search->found = dev;
    return -1;
}

/*
 * Set the PCI address at which the guest sees a function. On s390 each function
 * has a PCI segment of its own, whose number is the "uid" of its zpci device;
 * there, QEMU gives every function an ID.
 */
static void set_pci_address(PCIDevice *function,
                            struct virtio_capture_config *config)
{
    ZpciSearch search = { .target = DEVICE(function)->id };

    if (search.target) {
        qbus_walk_children(sysbus_get_default(), match_zpci, NULL, NULL, NULL,
                           &search);
    }
    if (search.found) {
        config->pci_segment = cpu_to_le16(
            object_property_get_uint(OBJECT(search.found), "uid", NULL));
    } else {
        config->pci_bus = pci_dev_bus_num(function);
        config->pci_devfn = function->devfn;
    }
}

/*
 * Everything is looked up for each read: the NIC may be created after this
 * device, the netdev may be deleted, and the guest may renumber its buses.
 */
void virtio_capture_get_config(VirtIODevice *vdev, uint8_t *data)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    NetClientState *nic = virtio_capture_nic_of(virtio_capture_find_netdev(s));
    struct virtio_capture_config config = {
        .link_type = cpu_to_le32(VIRTIO_CAPTURE_LINK_ETHERNET),
        .mtu = cpu_to_le32(virtio_capture_mtu(s)),
        .max_frame = cpu_to_le32(NET_BUFSIZE),
        .listener_queues = cpu_to_le16(virtio_capture_listeners(s) - 1),
    };
    uint16_t status = 0;

    if (nic) {
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
                set_pci_address(function, &config);
                status |= VIRTIO_CAPTURE_S_PCI;
            }
        }
    }
    if (s->off) {
        status |= VIRTIO_CAPTURE_S_OFF;
    }
    config.status = cpu_to_le16(status);
    memcpy(data, &config, vdev->config_len);
}
