// SPDX-License-Identifier: GPL-2.0
/* The capture devices by name, and the network interfaces of their NICs. */
#include <linux/etherdevice.h>
#include <linux/idr.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <net/net_namespace.h>

#include "interface.h"
#include "listen.h"
#include "shared-queue.h"

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);		/* protected by registry_lock */
static DEFINE_IDA(ids);

/** vcap_interface_register() - name a device and add it to the registry */
int vcap_interface_register(struct vcap_dev *dev)
{
	dev->id = ida_alloc(&ids, GFP_KERNEL);
	if (dev->id < 0)
		return dev->id;
	virtio_cread_le(dev->vdev, struct virtio_capture_config, link_type,
			&dev->link_type);
	snprintf(dev->name, sizeof(dev->name), "capture%d", dev->id);
	mutex_lock(&registry_lock);
	list_add_tail(&dev->node, &registry);
	mutex_unlock(&registry_lock);
	return 0;
}

/** vcap_interface_unregister() - remove a device from the registry */
void vcap_interface_unregister(struct vcap_dev *dev)
{
	mutex_lock(&registry_lock);
	list_del_init(&dev->node);
	mutex_unlock(&registry_lock);
	ida_free(&ids, dev->id);
}

/* Read the MAC address of the tapped NIC; zeros without a NIC. */
static void read_mac(struct vcap_dev *dev, u8 *mac)
{
	virtio_cread_bytes(dev->vdev,
			   offsetof(struct virtio_capture_config, mac),
			   mac, ETH_ALEN);
}

/* Read the MTU; limit it to that of Ethernet, as the device is untrusted. */
static void read_mtu(struct vcap_dev *dev)
{
	u32 mtu;

	virtio_cread_le(dev->vdev, struct virtio_capture_config, mtu, &mtu);
	WRITE_ONCE(dev->mtu, min_t(u32, mtu, ETH_MAX_MTU));
}

/**
 * struct nic - identity of the NIC, as reported by the device
 * @mac: its permanent MAC address
 * @on_pci: it is a PCI function, whose address the device reports:
 * @segment: PCI domain
 * @bus: PCI bus
 * @devfn: PCI device and function number
 */
struct nic {
	u8 mac[ETH_ALEN];
	bool on_pci;
	u16 segment;
	u8 bus;
	u8 devfn;
};

static void read_nic(struct vcap_dev *dev, struct nic *nic)
{
	struct virtio_device *vdev = dev->vdev;
	u16 status;

	memset(nic, 0, sizeof(*nic));
	read_mac(dev, nic->mac);
	if (!virtio_has_feature(vdev, VIRTIO_CAPTURE_F_NIC_PCI))
		return;
	virtio_cread_le(vdev, struct virtio_capture_config, status, &status);
	nic->on_pci = status & VIRTIO_CAPTURE_S_PCI;
	virtio_cread_le(vdev, struct virtio_capture_config, pci_segment,
			&nic->segment);
	virtio_cread_le(vdev, struct virtio_capture_config, pci_bus, &nic->bus);
	virtio_cread_le(vdev, struct virtio_capture_config, pci_devfn,
			&nic->devfn);
}

/* Return true if the parent is the PCI function, or a virtio device on it. */
static bool on_function(struct device *parent, const struct nic *nic)
{
	struct pci_dev *function;

	if (!dev_is_pci(parent))
		parent = parent->parent;
	if (!parent || !dev_is_pci(parent))
		return false;
	function = to_pci_dev(parent);
	return pci_domain_nr(function->bus) == nic->segment &&
	       function->bus->number == nic->bus &&
	       function->devfn == nic->devfn;
}

/*
 * Return true if an interface belongs to the NIC. Its address is not
 * sufficient: anyone with a network namespace can assign it to an interface
 * there. But only hardware has a parent device on a bus. If the device does not
 * report the NIC's PCI address, accept interfaces in the initial network
 * namespace only, as moving one there takes privileges. Called with RTNL or the
 * RCU read lock.
 */
static bool is_nic(const struct net_device *netdev, const struct nic *nic)
{
	struct device *parent = netdev->dev.parent;

	if (netdev->type != ARPHRD_ETHER || netdev->addr_len != ETH_ALEN ||
	    !is_valid_ether_addr(nic->mac) ||
	    !ether_addr_equal(netdev->perm_addr, nic->mac))
		return false;
	if (!parent || !parent->bus)
		return false;
	if (nic->on_pci)
		return on_function(parent, nic);
	return net_eq(dev_net(netdev), &init_net);
}

/*
 * Return the interface of that name in the caller's network namespace if it
 * belongs to the device's NIC, else NULL. The pointer may only be compared
 * unless RTNL is held. Called with registry_lock.
 */
static const struct net_device *find_nic(struct vcap_dev *dev, const char *name)
{
	const struct net_device *netdev;
	struct nic nic;

	lockdep_assert_held(&registry_lock);
	read_nic(dev, &nic);
	rcu_read_lock();
	netdev = dev_get_by_name_rcu(current->nsproxy->net_ns, name);
	if (netdev && !is_nic(netdev, &nic))
		netdev = NULL;
	rcu_read_unlock();
	return netdev;
}

/**
 * vcap_interface_find() - find the device for the name of an interface or
 * device
 * @name: an interface in the caller's network namespace, or a device's own name
 * @own_name: set to true if it is a device's own name
 *
 * Return: the device with a reference, or NULL.
 */
struct vcap_dev *vcap_interface_find(const char *name, bool *own_name)
{
	struct vcap_dev *dev, *found = NULL;

	mutex_lock(&registry_lock);
	list_for_each_entry(dev, &registry, node) {
		*own_name = strcmp(dev->name, name) == 0;
		if (!*own_name && !find_nic(dev, name))
			continue;
		read_mtu(dev);
		kref_get(&dev->ref);
		found = dev;
		break;
	}
	mutex_unlock(&registry_lock);
	return found;
}

/**
 * vcap_interface_name() - get the name of a descriptor's interface
 * @dev: the device
 * @file: the descriptor
 * @name: IFNAMSIZ bytes, padded with zeros
 *
 * The interface may have been renamed since the descriptor was attached.
 * Without an interface in the caller's network namespace, get the device's own
 * name.
 *
 * Return: 0, or -EINVAL if the device is gone.
 */
int vcap_interface_name(struct vcap_dev *dev, const struct vcap_file *file,
			char *name)
{
	const struct net_device *netdev;
	bool gone;

	mutex_lock(&registry_lock);
	gone = list_empty(&dev->node);
	mutex_unlock(&registry_lock);
	if (gone)
		return -EINVAL;

	strscpy_pad(name, dev->name, IFNAMSIZ);
	/* The lock keeps file->netdev valid: no other interface can reuse it. */
	mutex_lock(&dev->lock);
	rcu_read_lock();
	for_each_netdev_rcu(current->nsproxy->net_ns, netdev) {
		if (netdev == rcu_access_pointer(file->netdev)) {
			strscpy_pad(name, netdev->name, IFNAMSIZ);
			break;
		}
	}
	rcu_read_unlock();
	mutex_unlock(&dev->lock);
	return 0;
}

/**
 * vcap_interface_down() - return true if a descriptor's interface is down
 * @file: the descriptor, attached
 *
 * Return: false also if it was attached by the device's own name, or if the
 * interface is gone.
 */
bool vcap_interface_down(const struct vcap_file *file)
{
	const struct net_device *netdev;
	bool down;

	rcu_read_lock();
	netdev = rcu_dereference(file->netdev);
	down = netdev && !(READ_ONCE(netdev->flags) & IFF_UP);
	rcu_read_unlock();
	return down;
}

/**
 * vcap_interface_listen() - add a descriptor to the listeners of a device
 * @dev: the device, with a reference
 * @file: the descriptor
 * @name: the name of the interface; NULL: it is attached by the device's own
 *        name
 *
 * Return: 0; -ENXIO if the interface is gone; or the error of vcap_dev_error().
 */
int vcap_interface_listen(struct vcap_dev *dev, struct vcap_file *file,
			  const char *name)
{
	const struct net_device *netdev = NULL;
	int err = -ENXIO;

	if (!name)
		return vcap_listen_add(dev, file, NULL);
	/* With RTNL, an interface that goes later has its listener ended. */
	rtnl_lock();
	mutex_lock(&registry_lock);
	if (!list_empty(&dev->node))
		netdev = find_nic(dev, name);
	mutex_unlock(&registry_lock);
	if (netdev)
		err = vcap_listen_add(dev, file, netdev);
	rtnl_unlock();
	return err;
}

/*
 * An interface was unregistered: its NIC was unplugged or unbound, or it moved
 * to another network namespace. End the listeners attached by its name. Called
 * with RTNL.
 */
static int netdev_event(struct notifier_block *block, unsigned long event,
			void *info)
{
	const struct net_device *netdev = netdev_notifier_info_to_dev(info);
	struct vcap_dev *dev;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&registry_lock);
	list_for_each_entry(dev, &registry, node)
		vcap_shared_orphan(dev, netdev);
	mutex_unlock(&registry_lock);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = netdev_event,
};

/** vcap_interface_init() - register the netdevice notifier */
int vcap_interface_init(void)
{
	return register_netdevice_notifier(&netdev_notifier);
}

/** vcap_interface_exit() - unregister the netdevice notifier */
void vcap_interface_exit(void)
{
	unregister_netdevice_notifier(&netdev_notifier);
}
