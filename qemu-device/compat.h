/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between the QEMU versions that this device builds for.
 *
 * Everything that one version of QEMU wants otherwise than another belongs
 * here and nowhere else.
 */
#ifndef VIRTIO_CAPTURE_COMPAT_H
#define VIRTIO_CAPTURE_COMPAT_H

#if QEMU_VERSION_MAJOR != 7 || QEMU_VERSION_MINOR != 2
#error "virtio-capture builds for QEMU 7.2; name another version's differences"
#endif

/* Where QEMU keeps the state of its clocks. */
#define CAPTURE_TIMERS_STATE "softmmu/timers-state.h"

#endif /* VIRTIO_CAPTURE_COMPAT_H */
