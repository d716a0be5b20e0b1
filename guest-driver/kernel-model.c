// SPDX-License-Identifier: GPL-2.0
/*
 * Buffer model "kernel": the driver runs the filter over frames of the shared
 * queue, and copies accepted packets into the buffers.
 */
#include <linux/compat.h>
#include <linux/vmalloc.h>

#include "kernel-model.h"
#include "listen.h"
#include "shared-queue.h"
#include "trace.h"
#include "zerocopy.h"

/*
 * Charged to the cgroup of the current process. As buffers may be large, fail
 * rather than invoke the OOM killer.
 */
#define BUFFER_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

static void *alloc_buffer(const struct vcap_file *file, unsigned int number)
{
	if (file->memory[number])
		return vcap_zerocopy_packets(file->memory[number]);
	return __vmalloc(file->desc.size, BUFFER_GFP);
}

static void free_buffer(const struct vcap_file *file, void *buffer)
{
	if (!file->memory[0])
		vfree(buffer);
}

static void free_buffers(struct vcap_file *file)
{
	free_buffer(file, file->desc.store);
	free_buffer(file, file->desc.hold);
	mutex_lock(&file->lock);
	vcap_desc_attach(&file->desc, NULL, NULL);
	mutex_unlock(&file->lock);
}

static int kernel_attach(struct vcap_file *file, struct vcap_dev *dev)
{
	int err = vcap_shared_get(dev);
	void *store, *hold;

	if (err)
		return err;
	store = alloc_buffer(file, 0);
	hold = alloc_buffer(file, 1);
	if (!store || !hold) {
		free_buffer(file, store);
		free_buffer(file, hold);
		/* Programs then try smaller buffers; after ENOMEM they exit. */
		err = -ENOBUFS;
		goto put;
	}
	mutex_lock(&file->lock);
	vcap_desc_attach(&file->desc, store, hold);
	/* The packet format is that of the program that attaches it. */
	file->desc.format.compat = in_compat_syscall();
	mutex_unlock(&file->lock);
	/* Frames from before are not for this descriptor. */
	err = vcap_shared_sync(dev);
	if (err)
		goto free;
	return 0;

free:
	free_buffers(file);
put:
	vcap_shared_put(dev);
	return err;
}

static int kernel_start(struct vcap_file *file, struct vcap_dev *dev)
{
	vcap_shared_fill(dev);
	return vcap_listen_update(dev);
}

static void kernel_detach(struct vcap_file *file, struct vcap_dev *dev)
{
	vcap_shared_del_waiter(dev, file);
	vcap_listen_update(dev);
	vcap_shared_put(dev);
	free_buffers(file);
}

/* The barrier, after the device captures all that the new settings require. */
static int kernel_prepare(struct vcap_file *file, const struct vcap_change *next)
{
	int err;

	mutex_lock(&file->lock);
	file->next = next->needs;
	mutex_unlock(&file->lock);
	err = vcap_listen_update(file->dev);
	return err ?: vcap_shared_sync(file->dev);
}

static int kernel_update(struct vcap_file *file)
{
	return vcap_listen_update(file->dev);
}

static int kernel_sync(struct vcap_file *file, enum vcap_sync how)
{
	return vcap_shared_sync(file->dev);
}

/* In immediate mode readers take the used buffers themselves. */
static void kernel_prepare_wait(struct vcap_file *file)
{
	if (file->desc.immediate || file->desc.timed_out)
		vcap_shared_add_waiter(file->dev, file);
}

static bool kernel_pending(const struct vcap_file *file)
{
	return (file->desc.immediate || file->desc.timed_out) &&
	       vcap_shared_completed(file->dev);
}

static bool kernel_fetch(struct vcap_file *file)
{
	return vcap_shared_fetch(file->dev);
}

static void kernel_end(struct vcap_file *file)
{
	vcap_desc_detach(&file->desc);
}

static bool kernel_readable(const struct vcap_file *file)
{
	return vcap_desc_readable(&file->desc);
}

static u32 kernel_available(const struct vcap_file *file)
{
	return vcap_desc_available(&file->desc);
}

static u32 kernel_held(const struct vcap_file *file)
{
	return file->desc.hold_len;
}

/* Trace a rotation since @hold was the hold buffer. */
static void trace_rotation(const struct vcap_file *file, const u8 *hold)
{
	if (file->desc.hold != hold)
		trace_virtio_capture_rotate(file, file->desc.hold_len);
}

static u32 kernel_read_begin(struct vcap_file *file, bool now)
{
	const u8 *hold = file->desc.hold;
	u32 len = vcap_desc_read_begin(&file->desc, now);

	trace_rotation(file, hold);
	return len;
}

static const void *kernel_hold(const struct vcap_file *file)
{
	return file->desc.hold;
}

static u32 kernel_copy(struct vcap_file *file, u32 len, struct iov_iter *to)
{
	return copy_to_iter(file->desc.hold, len, to) == len ? len : 0;
}

static void kernel_read_end(struct vcap_file *file, bool taken)
{
	const u8 *hold = file->desc.hold;

	vcap_desc_read_end(&file->desc, taken);
	trace_rotation(file, hold);
}

static void kernel_discard(struct vcap_file *file)
{
	vcap_desc_discard(&file->desc);
}

static void kernel_flush(struct vcap_file *file)
{
	vcap_desc_flush(&file->desc);
}

const struct vcap_model vcap_kernel_model = {
	.name = "kernel",
	.attach = kernel_attach,
	.start = kernel_start,
	.detach = kernel_detach,
	.prepare = kernel_prepare,
	.update = kernel_update,
	.sync = kernel_sync,
	.prepare_wait = kernel_prepare_wait,
	.pending = kernel_pending,
	.fetch = kernel_fetch,
	.end = kernel_end,
	.readable = kernel_readable,
	.available = kernel_available,
	.held = kernel_held,
	.read_begin = kernel_read_begin,
	.hold = kernel_hold,
	.copy = kernel_copy,
	.read_end = kernel_read_end,
	.discard = kernel_discard,
	.flush = kernel_flush,
};
