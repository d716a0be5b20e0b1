// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reopens the launcher's ports after a suspend of a guest with Linux 7.3.
 *
 * On resume virtio_console has to find out again which ports the host has open:
 * it sends PORT_READY for each port, and the device answers with PORT_NAME and,
 * for an open port, PORT_OPEN. In Linux 7.3, virtcons_restore() fills the
 * control receive queue after that, not before as earlier kernels did. The
 * device has no buffer for its answers and drops them, and the driver takes all
 * ports as closed by the host: a write blocks forever, a read returns 0.
 *
 * So this sends PORT_READY again when virtcons_restore() returns. A kernel
 * without this bug gets the answers twice, which does no harm.
 */
#include <linux/device.h>
#include <linux/kmod.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>

/* Returns the control transmit queue; NULL for a device without multiport. */
static struct virtqueue *control_queue(struct virtio_device *vdev)
{
	struct virtqueue *vq;

	virtio_device_for_each_vq(vdev, vq)
		if (!strcmp(vq->name, "control-o"))
			return vq;
	return NULL;
}

/*
 * Sends PORT_READY for one child of the device, if it is a port.
 *
 * The driver's lock is not needed, as nothing else uses the queue: processes
 * are frozen, and the driver's work item for the answers sends nothing.
 */
static int send_ready(struct device *dev, void *data)
{
	struct virtio_console_control *message = data;
	struct virtio_device *vdev = dev_to_virtio(dev->parent);
	struct virtqueue *vq = control_queue(vdev);
	struct scatterlist sg;
	unsigned int device, id, len;

	if (sscanf(dev_name(dev), "vport%up%u", &device, &id) != 2)
		return 0;
	message->id = cpu_to_virtio32(vdev, id);
	message->event = cpu_to_virtio16(vdev, VIRTIO_CONSOLE_PORT_READY);
	message->value = cpu_to_virtio16(vdev, 1);
	sg_init_one(&sg, message, sizeof(*message));
	if (virtqueue_add_outbuf(vq, &sg, 1, message, GFP_ATOMIC))
		return 0;
	virtqueue_kick(vq);
	while (!virtqueue_get_buf(vq, &len) && !virtqueue_is_broken(vq))
		cpu_relax();
	return 0;
}

static int before_restore(struct kretprobe_instance *call, struct pt_regs *regs)
{
	*(struct virtio_device **)call->data =
		(void *)regs_get_kernel_argument(regs, 0);
	return 0;
}

static int after_restore(struct kretprobe_instance *call, struct pt_regs *regs)
{
	struct virtio_device *vdev = *(struct virtio_device **)call->data;
	struct virtio_console_control *message;

	if (regs_return_value(regs) || !control_queue(vdev))
		return 0;
	message = kmalloc(sizeof(*message), GFP_ATOMIC);
	if (!message)
		return 0;
	device_for_each_child(&vdev->dev, message, send_ready);
	/* A broken queue may still have the buffer. */
	if (!virtqueue_is_broken(control_queue(vdev)))
		kfree(message);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "virtcons_restore",
	.entry_handler = before_restore,
	.handler = after_restore,
	.data_size = sizeof(struct virtio_device *),
};

static int __init console_resume_init(void)
{
	/* register_kretprobe() needs the function to be loaded. */
	request_module("virtio_console");
	return register_kretprobe(&probe);
}

static void __exit console_resume_exit(void)
{
	unregister_kretprobe(&probe);
}

module_init(console_resume_init);
module_exit(console_resume_exit);

/* Loaded when there is a virtio_console device. */
MODULE_ALIAS("virtio:d00000003v*");
MODULE_DESCRIPTION("Reopens ports of virtio_console after a suspend");
MODULE_LICENSE("GPL");
