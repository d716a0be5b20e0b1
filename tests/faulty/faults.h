/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device that lies, and what it demands of its driver. */
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
 * @lies: the driver's clock follows from lies
 */
void check_driver(int queue, const VirtQueueElement *elem, bool lies);

#endif /* FAULTS_H */
