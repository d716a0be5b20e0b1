/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A misbehaving device, and its checks of the driver. */
#ifndef FAULTS_H
#define FAULTS_H

#include "hw/virtio/virtio.h"
#include "virtio_capture.h"

/* A command that the driver gave. */
typedef struct Command {
    uint32_t number;            /* VIRTIO_CAPTURE_C_* */
    uint32_t listener;          /* whom it is for; 0: also for nobody */
} Command;

Command command_of(const VirtQueueElement *elem);

/**
 * check_driver: end QEMU if a buffer is not what a driver may give
 * @queue: the queue's number
 * @is_faulty: a fault is active: readings of the clock may have been false
 */
void check_driver(int queue, const VirtQueueElement *elem, bool is_faulty);

#endif /* FAULTS_H */
