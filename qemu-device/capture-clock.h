/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's clock, which is QEMU's virtual clock, and the time of a frame.
 *
 * qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) is the host's monotonic clock plus an
 * offset, unless the accelerator has its own clock (-icount). QEMU changes the
 * offset under the big QEMU lock, under which all code of the device runs.
 */
#ifndef VIRTIO_CAPTURE_CLOCK_H
#define VIRTIO_CAPTURE_CLOCK_H

#include "capture-device.h"

/**
 * virtio_capture_clock: a faster qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL)
 *
 * The result is the same while the virtual machine runs; while it is stopped
 * nothing is captured.
 */
static inline int64_t virtio_capture_clock(const VirtIOCapture *s)
{
    struct timespec ts;

    if (unlikely(!s->clock_is_monotonic)) {
        return cpus_get_virtual_clock();
    }
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return timers_state.cpu_clock_offset +
           ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

/**
 * virtio_capture_stamp: set the time of a frame that is crossing the tap
 *
 * All listeners get the same time. Nearly always it is in the same second as
 * that of the last frame, which avoids a division.
 */
static inline void virtio_capture_stamp(VirtIOCapture *s, CaptureFrame *frame)
{
    uint64_t nsec;

    if (frame->stamped) {
        return;
    }
    frame->stamped = true;
    frame->time = virtio_capture_clock(s);
    nsec = frame->time - s->second_start;
    if (unlikely(nsec >= NANOSECONDS_PER_SECOND)) {
        nsec = virtio_capture_next_second(s, frame->time);
    }
    frame->sec = s->second;
    frame->nsec = nsec;
}

#endif /* VIRTIO_CAPTURE_CLOCK_H */
