/* SPDX-License-Identifier: GPL-2.0 */
/* The virtio driver: probe, remove, suspend, resume. */
#ifndef VCAP_VIRTIO_H
#define VCAP_VIRTIO_H

#include <linux/virtio.h>

extern struct virtio_driver vcap_virtio_driver;

#endif /* VCAP_VIRTIO_H */
