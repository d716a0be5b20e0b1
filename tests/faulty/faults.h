/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A misbehaving device, and its checks of the driver. */
#ifndef FAULTS_H
#define FAULTS_H

#include "hw/virtio/virtio.h"
#include "virtio_capture.h"

/* A command that the driver sent. */
typedef struct Command {
    uint32_t number;            /* VIRTIO_CAPTURE_C_* */
    uint32_t listener;          /* 0 also if the command has none */
} Command;

Command command_of(const VirtQueueElement *elem);

/**
 * check_driver: exit if a driver must not make such a buffer available
 * @queue: the queue's number
 * @is_faulty: a fault is active: the driver may have read a false clock
 */
void check_driver(int queue, const VirtQueueElement *elem, bool is_faulty);

#endif /* FAULTS_H */
