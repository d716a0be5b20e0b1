/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running a listener's program: inline, because it is done for each frame.
 */
#ifndef VIRTIO_CAPTURE_FILTER_H
#define VIRTIO_CAPTURE_FILTER_H

#include "capture-device.h"
#include "interpreter.h"

/**
 * virtio_capture_program_run: run a program, which must have instructions
 *
 * Returns how many bytes of the frame are to be captured; 0: rejected. May
 * linearize the frame.
 */
static inline uint32_t virtio_capture_program_run(VirtIOCapture *s,
                                                  const CaptureProgram *program,
                                                  CaptureFrame *frame)
{
    if (unlikely(frame->first_len < MIN(program->reach, frame->len))) {
        virtio_capture_linearize(s, frame);
    }
    return vcap_filter_run(program->decoded, frame->first, frame->len,
                           frame->first_len);
}

#endif /* VIRTIO_CAPTURE_FILTER_H */
