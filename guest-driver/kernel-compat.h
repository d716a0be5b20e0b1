/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the kernels that the driver supports, Linux 6.1 and
 * later. The sources are written for the newest kernel. Kbuild includes this
 * header before each source file; for older kernels it provides what they lack.
 * The comment of each part names the first kernel that does not need it.
 *
 * Stable kernels may receive such a function by a backport. Each name is
 * therefore a macro, defined after the kernel's header is included: it neither
 * collides with a backported function nor depends on it.
 */
#ifndef VCAP_KERNEL_COMPAT_H
#define VCAP_KERNEL_COMPAT_H

#include <linux/version.h>

/* 6.12: <linux/unaligned.h> replaces <asm/unaligned.h>. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

/* 6.2: timer_delete_sync() replaces del_timer_sync(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#include <linux/timer.h>
#define timer_delete_sync	del_timer_sync
#endif

/* 6.16: timer_container_of() replaces from_timer(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#include <linux/timer.h>
#undef timer_container_of
#define timer_container_of	from_timer
#endif

/* 6.13: hrtimer_setup() also sets the callback. */
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

/* 6.11: the table argument of a proc_handler is const. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define vcap_const_table	struct ctl_table
#else
#define vcap_const_table	const struct ctl_table
#endif

/* 6.6: ctl_table arrays are passed with a size, without an empty last entry. */
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

/* 6.11: struct virtqueue_info describes each virtqueue. */
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

/* 6.13, and 6.12.6: virtqueue_resize() takes a recycle_done callback. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 6)
#include <linux/virtio.h>
#define virtqueue_resize(vq, num, recycle, done) \
	((void)(done), virtqueue_resize(vq, num, recycle))
#endif

#endif /* VCAP_KERNEL_COMPAT_H */
