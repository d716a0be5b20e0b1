// SPDX-License-Identifier: GPL-2.0
/* The capture devices by name, and the interfaces that they capture on. */
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
static LIST_HEAD(registry);		/* of struct vcap_dev; registry_lock */
static DEFINE_IDA(ids);

/** vcap_interface_register() - give a device its name and let it be found */
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

/** vcap_interface_unregister() - let a device be found no more */
void vcap_interface_unregister(struct vcap_dev *dev)
{
	mutex_lock(&registry_lock);
	list_del_init(&dev->node);
	mutex_unlock(&registry_lock);
	ida_free(&ids, dev->id);
}

/* The tapped NIC's MAC address now; zeros without a NIC. */
static void read_mac(struct vcap_dev *dev, u8 *mac)
{
	virtio_cread_bytes(dev->vdev,
			   offsetof(struct virtio_capture_config, mac),
			   mac, ETH_ALEN);
}

/* No Ethernet frame is longer, whatever the device says. */
static void read_mtu(struct vcap_dev *dev)
{
	u32 mtu;

	virtio_cread_le(dev->vdev, struct virtio_capture_config, mtu, &mtu);
	WRITE_ONCE(dev->mtu, min_t(u32, mtu, ETH_MAX_MTU));
}

/**
 * struct nic - who the NIC is, as the device tells
 * @mac: its permanent address
 * @on_pci: it is a PCI function, and the device tells which:
 * @segment: the function's domain
 * @bus: its bus
 * @devfn: its device and function number on that
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

/* Is an interface's parent this PCI function, or a virtio device on it? */
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
 * Is an interface the NIC's? Its address does not tell: whoever has a network
 * namespace of his own can give it to an interface there. But only hardware is
 * on a bus; and where the device does not tell its place there, it takes root's
 * rights to bring an interface into the initial namespace. Called with RTNL or
 * RCU's lock.
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
 * The caller's interface of that name if it is the device's NIC, else NULL. Good
 * to be compared only, unless RTNL is held. Called with registry_lock.
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
 * vcap_interface_find() - the device that captures on the interface of a name
 * @name: an interface of the caller's network namespace, or a device's own name
 * @own_name: set to whether it was the latter
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
 * vcap_interface_name() - the name of what a descriptor is attached to
 * @dev: the device
 * @file: the descriptor
 * @name: IFNAMSIZ bytes, filled up with zeros
 *
 * The NIC's interface may have another name now than when it was attached.
 *
 * Return: 0, or -EINVAL when the device is gone.
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
	/* With the lock, no other interface can be where that one was. */
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
 * vcap_interface_down() - is the interface down that a descriptor is attached by?
 * @file: the descriptor, attached
 *
 * Return: false also if it was attached by the device's own name, or if the
 * interface is no more.
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
 * vcap_interface_listen() - let a descriptor hear the device's frames
 * @dev: the device
 * @file: the descriptor
 * @name: the interface that the descriptor is attached by; NULL: the device's
 *        own name
 *
 * The caller holds a reference.
 *
 * Return: 0; -ENXIO when the interface is gone; or the error of
 * vcap_dev_error().
 */
int vcap_interface_listen(struct vcap_dev *dev, struct vcap_file *file,
			  const char *name)
{
	const struct net_device *netdev = NULL;
	int err = -ENXIO;

	if (!name)
		return vcap_listen_add(dev, file, NULL);
	/* An interface that goes after it was found finds the listener. */
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
 * An interface is gone: its NIC was unplugged, or has no driver any more, or it
 * moved to another network namespace. Who listens by its name hears no more of
 * it. Called with RTNL.
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

/** vcap_interface_init() - have the kernel tell of interfaces */
int vcap_interface_init(void)
{
	return register_netdevice_notifier(&netdev_notifier);
}

/** vcap_interface_exit() - unregister the notifier of interfaces */
void vcap_interface_exit(void)
{
	unregister_netdevice_notifier(&netdev_notifier);
}
