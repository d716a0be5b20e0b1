// SPDX-License-Identifier: GPL-2.0
/* The virtio side of a capture device: probe, remove. */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "vcap.h"

static int find_queues(struct vcap_dev *dev)
{
	static const char * const names[] = { "capture", "control", "inject" };
	vq_callback_t *callbacks[] = {
		vcap_capture_interrupt, vcap_control_interrupt,
		vcap_inject_interrupt,
	};
	struct virtqueue *vqs[VIRTIO_CAPTURE_NUM_VQS];
	int err;

	err = virtio_find_vqs(dev->vdev, VIRTIO_CAPTURE_NUM_VQS, vqs,
			      callbacks, names, NULL);
	if (err)
		return err;
	dev->capture_vq = vqs[VIRTIO_CAPTURE_VQ_CAPTURE];
	dev->control_vq = vqs[VIRTIO_CAPTURE_VQ_CONTROL];
	dev->inject_vq = vqs[VIRTIO_CAPTURE_VQ_INJECT];
	return 0;
}

static struct vcap_dev *alloc_dev(struct virtio_device *vdev)
{
	struct vcap_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->control = kzalloc(sizeof(*dev->control), GFP_KERNEL);
	if (!dev->control) {
		kfree(dev);
		return NULL;
	}
	kref_init(&dev->ref);
	dev->vdev = vdev;
	INIT_LIST_HEAD(&dev->node);
	INIT_LIST_HEAD(&dev->listeners);
	mutex_init(&dev->listen_lock);
	mutex_init(&dev->lock);
	mutex_init(&dev->control_lock);
	mutex_init(&dev->inject_lock);
	init_completion(&dev->control_done);
	init_waitqueue_head(&dev->inject_wait);
	return dev;
}

/* Undo find_queues() and what is in the queues; the device was reset. */
static void release_queues(struct vcap_dev *dev)
{
	/* An interrupt that came before the reset may have scheduled it. */
	cancel_work_sync(&dev->work);
	vcap_inject_free(dev);
	dev->vdev->config->del_vqs(dev->vdev);
}

static int vcap_probe(struct virtio_device *vdev)
{
	struct vcap_dev *dev;
	int err;

	dev = alloc_dev(vdev);
	if (!dev)
		return -ENOMEM;
	vdev->priv = dev;

	err = vcap_capture_init(dev);
	if (err)
		goto put_dev;
	err = find_queues(dev);
	if (err)
		goto free_buffers;
	virtio_device_ready(vdev);
	vcap_capture_start(dev);

	err = vcap_dev_register(dev);
	if (err)
		goto reset;
	dev_info(&vdev->dev, "%s ready\n", dev->name);
	return 0;

reset:
	virtio_reset_device(vdev);
	release_queues(dev);
free_buffers:
	vcap_capture_free(dev);
put_dev:
	vcap_dev_put(dev);
	return err;
}

static void vcap_remove(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	/* In this order: nobody new, the last frames, no commands, no device. */
	vcap_dev_unregister(dev);
	vcap_capture_stop(dev);
	vcap_control_kill(dev);
	vcap_inject_kill(dev);
	virtio_reset_device(vdev);
	release_queues(dev);
	vcap_capture_free(dev);
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
		virtio_break_device(vdev);
		queue_work(system_highpri_wq, &dev->work);
		vcap_control_interrupt(dev->control_vq);
		vcap_inject_interrupt(dev->inject_vq);
		return;
	}
	xchg(&dev->changed, true);
	queue_work(system_highpri_wq, &dev->work);
}

#ifdef CONFIG_PM_SLEEP
/*
 * Programs are frozen by now, so nobody else is in the queues; descriptors keep
 * what they have.
 */
static int vcap_freeze(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;

	vcap_capture_sync(dev);
	virtio_reset_device(vdev);
	release_queues(dev);
	return 0;
}

static int vcap_restore(struct virtio_device *vdev)
{
	struct vcap_dev *dev = vdev->priv;
	int err;

	err = find_queues(dev);
	if (err) {
		dev_err(&vdev->dev,
			"%s: no queues after a suspend; the device is given up\n",
			dev->name);
		vcap_control_kill(dev);
		vcap_inject_kill(dev);
		vcap_capture_kill(dev);
		return err;
	}
	virtio_device_ready(vdev);
	/* The device counts from zero again, and listens to nobody. */
	mutex_lock(&dev->lock);
	dev->dropped = 0;
	vcap_capture_start(dev);
	mutex_unlock(&dev->lock);
	mutex_lock(&dev->listen_lock);
	memset(&dev->listen, 0, sizeof(dev->listen));
	mutex_unlock(&dev->listen_lock);
	/* What it had to do was cancelled with the queues. */
	queue_work(system_highpri_wq, &dev->work);
	return vcap_dev_update(dev);
}
#endif

static const struct virtio_device_id vcap_ids[] = {
	{ VIRTIO_ID_CAPTURE, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vcap_ids);

struct virtio_driver vcap_virtio_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = vcap_ids,
	.probe = vcap_probe,
	.remove = vcap_remove,
	.config_changed = vcap_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = vcap_freeze,
	.restore = vcap_restore,
#endif
};
