// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For tests only: makes adding buffers to a capture device's queue fail, as it
 * does when memory is short. Probes virtqueue_add_*() and makes some calls
 * return an error.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>

#include "virtio_capture.h"

static char device[16] = "";
module_param_string(device, device, sizeof(device), 0644);
MODULE_PARM_DESC(device, "Name of the virtio device");

static char queue[16] = "";
module_param_string(queue, queue, sizeof(queue), 0644);
MODULE_PARM_DESC(queue, "Name of the queue that refuses buffers");

static unsigned int skip;
module_param(skip, uint, 0644);
MODULE_PARM_DESC(skip, "Number of buffers to accept first");

static unsigned int count;
module_param(count, uint, 0644);
MODULE_PARM_DESC(count, "Number of buffers to refuse after these");

static unsigned int snaplen;
module_param(snaplen, uint, 0644);
MODULE_PARM_DESC(snaplen, "Snapshot length of the last LISTEN that was not refused");

/* Called instead of a function that is to fail. */
static noinline int refused(void)
{
	return -ENOMEM;
}

static bool is_watched(const struct virtqueue *vq)
{
	return vq->vdev->id.device == VIRTIO_ID_CAPTURE &&
	       !strcmp(dev_name(&vq->vdev->dev), device);
}

static bool refuses(const struct virtqueue *vq)
{
	if (!is_watched(vq) || strcmp(vq->name, queue) || !count)
		return false;
	if (skip) {
		skip--;
		return false;
	}
	count--;
	return true;
}

/* The queue is the first argument of both functions. */
static int before_add(struct kprobe *probe, struct pt_regs *regs)
{
	if (!refuses((const struct virtqueue *)regs->di))
		return 0;
	regs->ip = (unsigned long)refused;
	return 1;
}

/* Also records the snapshot length of LISTEN, from the second argument. */
static int before_command(struct kprobe *probe, struct pt_regs *regs)
{
	const struct virtqueue *vq = (const struct virtqueue *)regs->di;
	struct scatterlist **sgs = (struct scatterlist **)regs->si;
	const struct virtio_capture_ctrl *ctrl;

	if (before_add(probe, regs))
		return 1;
	if (!is_watched(vq) || strcmp(vq->name, "control"))
		return 0;
	ctrl = sg_virt(sgs[0]);
	if (ctrl->command == cpu_to_le32(VIRTIO_CAPTURE_C_LISTEN))
		snaplen = le32_to_cpu(((const struct virtio_capture_listen *)
				       (ctrl + 1))->snaplen);
	return 0;
}

/* Keeps the probe from becoming a jump, which could not skip the call. */
static void after(struct kprobe *probe, struct pt_regs *regs,
		  unsigned long flags)
{
}

static struct kprobe probes[] = {
	{ .symbol_name = "virtqueue_add_sgs", .pre_handler = before_command,
	  .post_handler = after },
	{ .symbol_name = "virtqueue_add_inbuf", .pre_handler = before_add,
	  .post_handler = after },
};

static struct kprobe *all[] = { &probes[0], &probes[1] };

static int __init refuse_init(void)
{
	return register_kprobes(all, ARRAY_SIZE(all));
}

static void __exit refuse_exit(void)
{
	unregister_kprobes(all, ARRAY_SIZE(all));
}

module_init(refuse_init);
module_exit(refuse_exit);

MODULE_DESCRIPTION("Tests of the capture driver without memory");
MODULE_LICENSE("GPL");
