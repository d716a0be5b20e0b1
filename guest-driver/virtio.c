// SPDX-License-Identifier: GPL-2.0
/* The virtio side of a capture device: probe, remove, suspend, resume. */
#include <linux/module.h>
#include <linux/virtio_config.h>

#include "device.h"
#include "interface.h"
#include "listen.h"
#include "shared.h"
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

static void inject_interrupt(struct virtqueue *vq)
{
	struct vcap_dev *dev = vq->vdev->priv;

	vcap_inject_wake(&dev->inject);
}

/* Get the queues of a device that was reset. Nobody uses them yet. */
static int find_queues(struct vcap_dev *dev, struct virtqueue **capture_vq)
{
	static const char * const names[] = { "capture", "control", "inject" };
	vq_callback_t *callbacks[] = {
		capture_interrupt, control_interrupt, inject_interrupt,
	};
	struct virtqueue *vqs[VIRTIO_CAPTURE_NUM_VQS];
	int err;

	err = virtio_find_vqs(dev->vdev, VIRTIO_CAPTURE_NUM_VQS, vqs,
			      callbacks, names, NULL);
	if (err)
		return err;
	*capture_vq = vqs[VIRTIO_CAPTURE_VQ_CAPTURE];
	dev->control.vq = vqs[VIRTIO_CAPTURE_VQ_CONTROL];
	dev->inject.vq = vqs[VIRTIO_CAPTURE_VQ_INJECT];
	return 0;
}

/* Have the device use the queues that it has. */
static void start(struct vcap_dev *dev, struct virtqueue *capture_vq)
{
	dev->fault = NULL;
	virtio_device_ready(dev->vdev);
	vcap_shared_start(dev, capture_vq);
	vcap_dev_set_state(dev, VCAP_READY);
	vcap_shared_fill(dev);
}

/* Undo start() and find_queues(); @state says why. */
static void stop(struct vcap_dev *dev, enum vcap_state state)
{
	vcap_dev_set_state(dev, state);
	virtio_reset_device(dev->vdev);
	/* An interrupt that came before the reset may have scheduled it. */
	vcap_shared_stop(dev);
	vcap_inject_free(&dev->inject);
	dev->vdev->config->del_vqs(dev->vdev);
}

static int vcap_probe(struct virtio_device *vdev)
{
	struct virtqueue *capture_vq;
	struct vcap_dev *dev;
	int err;

	dev = vcap_dev_alloc(vdev);
	if (!dev)
		return -ENOMEM;
	vdev->priv = dev;

	vcap_shared_init(dev);
	err = find_queues(dev, &capture_vq);
	if (err)
		goto put_dev;
	start(dev, capture_vq);
	err = vcap_interface_register(dev);
	if (err)
		goto stop;
	dev_info(&vdev->dev, "%s ready\n", dev->name);
	return 0;

stop:
	stop(dev, VCAP_REMOVED);
put_dev:
	vcap_dev_put(dev);
	return err;
}

static void vcap_remove(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	/* In this order: nobody new, the last frames, no device. */
	vcap_interface_unregister(dev);
	vcap_shared_sync(dev);
	stop(dev, VCAP_REMOVED);
	vcap_queue_free(&dev->queue);
	vcap_dev_put(dev);
}

/*
 * The device tells of its own faults and of ours by asking for a reset. It does
 * nothing until then, so its users are told that it is no more.
 */
static void vcap_config_changed(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	if (vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET) {
		vcap_dev_break(dev, "the device needs a reset");
		return;
	}
	xchg(&dev->changed, true);
	vcap_dev_work(dev);
}

#ifdef CONFIG_PM_SLEEP
/*
 * Programs are frozen by now, but the device's work and other threads of the
 * kernel's are not: who wants a command gets -EAGAIN until the resume, which
 * does what they wanted. Descriptors keep what they have.
 */
static int vcap_freeze(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	vcap_shared_sync(dev);
	stop(dev, VCAP_SUSPENDED);
	return 0;
}

static int vcap_restore(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;
	struct virtqueue *capture_vq;
	int err;

	err = find_queues(dev, &capture_vq);
	if (err) {
		dev->fault = "no queues after a suspend";
		vcap_dev_set_state(dev, VCAP_BROKEN);
		return err;
	}
	/* Buffers that there is no memory for now are given later. */
	start(dev, capture_vq);
	vcap_shared_check(dev);
	/* What it had to do was cancelled with the queues. */
	vcap_dev_work(dev);
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
};

struct virtio_driver vcap_virtio_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = vcap_ids,
	.feature_table = vcap_features,
	.feature_table_size = ARRAY_SIZE(vcap_features),
	.probe = vcap_probe,
	.remove = vcap_remove,
	.config_changed = vcap_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = vcap_freeze,
	.restore = vcap_restore,
#endif
};
