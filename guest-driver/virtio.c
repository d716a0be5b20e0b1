// SPDX-License-Identifier: GPL-2.0
/* The virtio driver: probe, remove, suspend, resume. */
#include <linux/module.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "device.h"
#include "interface.h"
#include "listen.h"
#include "offload.h"
#include "shared-queue.h"
#include "virtio.h"

static void control_interrupt(struct virtqueue *vq)
{
	struct vcap_dev *dev = vq->vdev->priv;

	vcap_control_wake(&dev->control);
}

static void capture_interrupt(struct virtqueue *vq)
{
	vcap_shared_interrupt(vq->vdev->priv);
}

static void listener_interrupt(struct virtqueue *vq)
{
	struct vcap_dev *dev = vq->vdev->priv;

	vcap_lq_interrupt(&dev->lq_table, vq);
}

static void inject_interrupt(struct virtqueue *vq)
{
	struct vcap_dev *dev = vq->vdev->priv;

	vcap_inject_wake(&dev->inject);
}

/* The largest number of virtqueues of a device. */
#define MAX_VQS (VIRTIO_CAPTURE_NUM_VQS + VIRTIO_CAPTURE_MAX_LISTENER_QUEUES)

/* Find the virtqueues of a device that was reset. They are not in use yet. */
static int find_queues(struct vcap_dev *dev, struct virtqueue **vqs)
{
	struct virtqueue_info info[MAX_VQS] = {
		{ .name = "capture", .callback = capture_interrupt },
		{ .name = "control", .callback = control_interrupt },
		{ .name = "inject", .callback = inject_interrupt },
	};
	unsigned int i, n = VIRTIO_CAPTURE_NUM_VQS + dev->lq_table.count;
	int err;

	for (i = VIRTIO_CAPTURE_NUM_VQS; i < n; i++) {
		info[i].name = "listener";
		info[i].callback = listener_interrupt;
	}
	err = virtio_find_vqs(dev->vdev, n, vqs, info, NULL);
	if (err)
		return err;
	dev->control.vq = vqs[VIRTIO_CAPTURE_VQ_CONTROL];
	dev->inject.vq = vqs[VIRTIO_CAPTURE_VQ_INJECT];
	return 0;
}

/* Start to use the virtqueues. */
static void start(struct vcap_dev *dev, struct virtqueue **vqs)
{
	dev->fault = NULL;
	virtio_device_ready(dev->vdev);
	vcap_lq_start(&dev->lq_table, vqs + VIRTIO_CAPTURE_NUM_VQS);
	vcap_shared_start(dev, vqs[VIRTIO_CAPTURE_VQ_CAPTURE]);
	vcap_dev_set_state(dev, VCAP_READY);
	vcap_shared_fill(dev);
}

/* Undo start() and find_queues(); @state is the new state of the device. */
static void stop(struct vcap_dev *dev, enum vcap_state state)
{
	vcap_dev_set_state(dev, state);
	virtio_reset_device(dev->vdev);
		/* An interrupt before the reset may have queued the work. */
	vcap_shared_stop(dev);
	vcap_control_stop(&dev->control);
	vcap_inject_free(&dev->inject);
	vcap_lq_stop(&dev->lq_table);
	dev->vdev->config->del_vqs(dev->vdev);
}

/*
 * Each virtqueue has its own interrupt vector, and a processor has about 200
 * vectors for all devices. A device that gets no vectors fails to probe. So
 * limit listener queues to 64 vectors for each processor, and a single device
 * to half of those that remain, which leaves some for further devices.
 */
#define LISTENER_VECTORS	64

static DEFINE_MUTEX(vectors_lock);
static unsigned int vectors_reserved;	/* protected by vectors_lock */

/*
 * Reserve vectors for up to @wanted listener queues. Returns how many queues
 * the device may use; release_vectors() releases as many.
 */
static unsigned int reserve_vectors(unsigned int wanted)
{
	unsigned int all = LISTENER_VECTORS * num_online_cpus(), left;

	mutex_lock(&vectors_lock);
	/* The number of online processors may have decreased. */
	left = all > vectors_reserved ? all - vectors_reserved : 0;
	wanted = min(wanted, DIV_ROUND_UP(left, 2));
	vectors_reserved += wanted;
	mutex_unlock(&vectors_lock);
	return wanted;
}

static void release_vectors(unsigned int count)
{
	mutex_lock(&vectors_lock);
	vectors_reserved -= count;
	mutex_unlock(&vectors_lock);
}

/* Set up all listener queues of the device, or as many as there are vectors. */
static int init_listener_queues(struct vcap_dev *dev)
{
	u16 count = 0;
	int err;

	if (virtio_has_feature(dev->vdev, VIRTIO_CAPTURE_F_LISTENER_QUEUES)) {
		virtio_cread_le(dev->vdev, struct virtio_capture_config,
				listener_queues, &count);
		count = min_t(u16, count, VIRTIO_CAPTURE_MAX_LISTENER_QUEUES);
		count = reserve_vectors(count);
		dev->control.has_listeners = true;
	}
	err = vcap_lq_init(&dev->lq_table, count);
	if (err)
		release_vectors(count);
	return err;
}

static bool offload = true;
module_param(offload, bool, 0444);
MODULE_PARM_DESC(offload, "Offload filters and buffers to devices that support it (default on)");

/*
 * The device writes directly into the buffers of listeners. Do not negotiate
 * that where the memory is bounced or the device is untrusted
 * (ACCESS_PLATFORM), where programs are big-endian, or where a buffer of many
 * pages does not fit into the ring (no indirect descriptors). Without listener
 * queues the device need not filter either.
 */
static int vcap_validate(struct virtio_device *vdev)
{
	if (offload && virtio_has_feature(vdev, VIRTIO_CAPTURE_F_FILTER) &&
	    virtio_has_feature(vdev, VIRTIO_CAPTURE_F_LISTENER_QUEUES) &&
	    virtio_has_feature(vdev, VIRTIO_RING_F_INDIRECT_DESC) &&
	    !virtio_has_feature(vdev, VIRTIO_F_ACCESS_PLATFORM) &&
	    !IS_ENABLED(CONFIG_CPU_BIG_ENDIAN))
		return 0;
	__virtio_clear_bit(vdev, VIRTIO_CAPTURE_F_LISTENER_QUEUES);
	__virtio_clear_bit(vdev, VIRTIO_CAPTURE_F_FILTER);
	return 0;
}

static int vcap_probe(struct virtio_device *vdev)
{
	struct virtqueue *vqs[MAX_VQS];
	struct vcap_dev *dev;
	int err;

	dev = vcap_dev_alloc(vdev);
	if (!dev)
		return -ENOMEM;
	vdev->priv = dev;

	vcap_shared_init(dev);
	err = init_listener_queues(dev);
	if (err)
		goto put_dev;
	err = find_queues(dev, vqs);
	if (err)
		goto release_vectors;
	start(dev, vqs);
	err = vcap_interface_register(dev);
	if (err)
		goto stop;
	dev_info(&vdev->dev, "%s ready\n", dev->name);
	vcap_dev_check_switch(dev);
	return 0;

stop:
	stop(dev, VCAP_REMOVED);
release_vectors:
	release_vectors(dev->lq_table.count);
put_dev:
	vcap_dev_put(dev);
	return err;
}

static void vcap_remove(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	/* Unregister the device, collect the last frames, then stop it. */
	vcap_interface_unregister(dev);
	vcap_shared_sync(dev);
	vcap_offload_stop(dev, true);
	stop(dev, VCAP_REMOVED);
	release_vectors(dev->lq_table.count);
	vcap_queue_free(&dev->queue);
	vcap_dev_put(dev);
}

/*
 * The device requests a reset after a fault of its own or of the driver, and
 * stops. Mark it as broken, so that its users get an error.
 */
static void vcap_config_changed(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	if (vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET) {
		vcap_dev_fault(dev, "the device needs a reset");
		return;
	}
	xchg(&dev->changed, true);
	vcap_dev_queue_work(dev);
}

#ifdef CONFIG_PM_SLEEP
/*
 * User processes are frozen now, but the device's work and other kernel threads
 * are not: their commands fail with -EAGAIN until the resume, which repeats
 * them. Descriptors keep their packets.
 */
static int vcap_freeze(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	vcap_shared_sync(dev);
	vcap_offload_stop(dev, true);
	stop(dev, VCAP_SUSPENDED);
	return 0;
}

static int vcap_restore(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;
	struct virtqueue *vqs[MAX_VQS];
	int err;

	err = find_queues(dev, vqs);
	if (err) {
		dev->fault = "no queues after a suspend";
		vcap_dev_set_state(dev, VCAP_BROKEN);
		return err;
	}
	/* Buffers that cannot be added for lack of memory are added later. */
	start(dev, vqs);
	vcap_shared_refresh(dev);
	/* Its pending tasks were cancelled with the virtqueues. */
	vcap_dev_queue_work(dev);
	return 0;
}
#endif

static const struct virtio_device_id vcap_ids[] = {
	{ VIRTIO_ID_CAPTURE, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vcap_ids);

static unsigned int vcap_features[] = {
	VIRTIO_CAPTURE_F_NIC_PCI,
	VIRTIO_CAPTURE_F_FILTER,
	VIRTIO_CAPTURE_F_LISTENER_QUEUES,
};

struct virtio_driver vcap_virtio_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = vcap_ids,
	.feature_table = vcap_features,
	.feature_table_size = ARRAY_SIZE(vcap_features),
	.validate = vcap_validate,
	.probe = vcap_probe,
	.remove = vcap_remove,
	.config_changed = vcap_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = vcap_freeze,
	.restore = vcap_restore,
#endif
};
