/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between the kernels that the driver is built for, Linux 6.1
 * and later. The sources are written for the newest one. For an older kernel,
 * this header, which Kbuild has the compiler read before each of them, gives it
 * what it lacks; each part says which kernel was the first to have that itself.
 *
 * A stable release may get such a function later than its series began. Each
 * name is therefore a macro, defined after the kernel's own header was read: it
 * neither collides with such a function nor depends on it.
 */
#ifndef VCAP_KERNEL_COMPAT_H
#define VCAP_KERNEL_COMPAT_H

#include <linux/version.h>

/* 6.12: <linux/unaligned.h>, before <asm/unaligned.h>. Read here for all. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

/* 6.2: timer_delete_sync(), before del_timer_sync(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#include <linux/timer.h>
#define timer_delete_sync	del_timer_sync
#endif

/* 6.16: timer_container_of(), before from_timer(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#include <linux/timer.h>
#undef timer_container_of
#define timer_container_of	from_timer
#endif

/* 6.13: hrtimer_setup(), which sets the function, too. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#include <linux/hrtimer.h>
#define hrtimer_setup		vcap_hrtimer_setup
static inline void vcap_hrtimer_setup(struct hrtimer *timer,
				      enum hrtimer_restart (*fn)(struct hrtimer *),
				      clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#endif

/* 6.11: a handler of a setting gets a const table. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define vcap_const_table	struct ctl_table
#else
#define vcap_const_table	const struct ctl_table
#endif

/* 6.6: an array of settings has a size, and no empty element at its end. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#include <linux/slab.h>
#include <linux/sysctl.h>
#define register_sysctl_sz	vcap_register_sysctl_sz
static inline struct ctl_table_header *
vcap_register_sysctl_sz(const char *path, const struct ctl_table *table,
			size_t size)
{
	struct ctl_table *ended = kcalloc(size + 1, sizeof(*ended), GFP_KERNEL);
	struct ctl_table_header *header = NULL;

	if (ended) {
		memcpy(ended, table, size * sizeof(*ended));
		header = register_sysctl(path, ended);
	}
	if (!header)
		kfree(ended);
	return header;
}

static inline void vcap_unregister_sysctl_table(struct ctl_table_header *header)
{
	struct ctl_table *ended = header->ctl_table_arg;

	unregister_sysctl_table(header);
	kfree(ended);
}

#define unregister_sysctl_table	vcap_unregister_sysctl_table
#endif

/* 6.11: a structure for each virtqueue. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#include <linux/slab.h>
#include <linux/virtio_config.h>
#define virtqueue_info		vcap_virtqueue_info
struct vcap_virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};

#define virtio_find_vqs		vcap_find_vqs
static inline int vcap_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				struct virtqueue *vqs[],
				struct virtqueue_info info[],
				struct irq_affinity *desc)
{
	const char **names = kcalloc(nvqs, sizeof(*names), GFP_KERNEL);
	vq_callback_t **callbacks = kcalloc(nvqs, sizeof(*callbacks),
					    GFP_KERNEL);
	unsigned int i;
	int err = -ENOMEM;

	for (i = 0; names && callbacks && i < nvqs; i++) {
		names[i] = info[i].name;
		callbacks[i] = info[i].callback;
	}
	if (names && callbacks)
		err = vdev->config->find_vqs(vdev, nvqs, vqs, callbacks, names,
					     NULL, desc);
	kfree(callbacks);
	kfree(names);
	return err;
}
#endif

/* 6.13, and 6.12.6: a function for when the buffers are back. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 6)
#include <linux/virtio.h>
#define virtqueue_resize(vq, num, recycle, done) \
	((void)(done), virtqueue_resize(vq, num, recycle))
#endif

#endif /* VCAP_KERNEL_COMPAT_H */
