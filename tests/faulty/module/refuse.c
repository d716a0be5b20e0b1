// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Has the kernel refuse buffers of a capture device's queue, as it does when
 * memory is short, for tests only: the calls of virtqueue_add_*() are probed,
 * and some return an error at once.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>

#include "virtio_capture.h"

static char device[16] = "";
module_param_string(device, device, sizeof(device), 0644);
MODULE_PARM_DESC(device, "Name of the virtio device that all this is about");

static char queue[16] = "";
module_param_string(queue, queue, sizeof(queue), 0644);
MODULE_PARM_DESC(queue, "Name of the queue that takes no buffer");

static unsigned int skip;
module_param(skip, uint, 0644);
MODULE_PARM_DESC(skip, "So many buffers it takes before");

static unsigned int count;
module_param(count, uint, 0644);
MODULE_PARM_DESC(count, "So many it does not take then");

static unsigned int snaplen;
module_param(snaplen, uint, 0644);
MODULE_PARM_DESC(snaplen, "That of the last LISTEN which was not refused");

/* Takes the place of a call that is refused. */
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

/* Of both calls, the queue is the first argument. */
static int before_add(struct kprobe *probe, struct pt_regs *regs)
{
	if (!refuses((const struct virtqueue *)regs->di))
		return 0;
	regs->ip = (unsigned long)refused;
	return 1;
}

/* Also notes what the device is told to capture: the second is a command. */
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

/* A probe that has one is not made a jump, which could not skip the call. */
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
