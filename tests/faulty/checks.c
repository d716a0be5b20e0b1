/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of the driver's buffers: QEMU exits if a buffer does not meet the
 * specification.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/iov.h"
#include "qemu/timer.h"
#include "net/net.h"
#include "faults.h"

static void demand(bool condition, const char *fault_of_driver)
{
    if (!condition) {
        error_report("the driver gave %s", fault_of_driver);
        exit(EXIT_FAILURE);
    }
}

/* Return the offset of the listener's number in a command, or SIZE_MAX. */
static size_t listener_offset(uint32_t command)
{
    const size_t head = sizeof(struct virtio_capture_ctrl);

    switch (command) {
    case VIRTIO_CAPTURE_C_LISTEN:
        return head + offsetof(struct virtio_capture_listen, listener);
    case VIRTIO_CAPTURE_C_FLUSH:
        return head + offsetof(struct virtio_capture_flush, listener);
    case VIRTIO_CAPTURE_C_FILTER:
        return head + offsetof(struct virtio_capture_filter, listener);
    default:
        return SIZE_MAX;
    }
}

Command command_of(const VirtQueueElement *elem)
{
    struct virtio_capture_ctrl ctrl = { 0 };
    uint32_t listener = 0;
    Command command;

    iov_to_buf(elem->out_sg, elem->out_num, 0, &ctrl, sizeof(ctrl));
    command.number = le32_to_cpu(ctrl.command);
    /* FLUSH need not have a listener. */
    if (listener_offset(command.number) < iov_size(elem->out_sg,
                                                   elem->out_num)) {
        iov_to_buf(elem->out_sg, elem->out_num,
                   listener_offset(command.number), &listener,
                   sizeof(listener));
    }
    command.listener = le32_to_cpu(listener);
    return command;
}

static void check_clock(const VirtQueueElement *elem, bool is_faulty)
{
    struct virtio_capture_clock clock = { 0 };
    int64_t time;

    iov_to_buf(elem->out_sg, elem->out_num, sizeof(struct virtio_capture_ctrl),
               &clock, sizeof(clock));
    /* No offset is right if the driver has read a false clock. */
    demand(is_faulty ||
           (!sadd64_overflow(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL),
                             le64_to_cpu(clock.offset), &time) && time >= 0),
           "an offset with which no time is right [CAP-DRV-CLK-1]");
    demand(!clock.reserved, "a reserved field of CLOCK that is not zero");
}

/* The device's own code has checked lengths, listeners, flags and programs. */
static void check_command(const VirtQueueElement *elem, bool is_faulty)
{
    struct virtio_capture_ctrl ctrl = { 0 };
    struct virtio_capture_reply reply = { 0 };
    struct virtio_capture_filter filter = { 0 };

    iov_to_buf(elem->in_sg, elem->in_num, 0, &reply, sizeof(reply));
    demand(reply.status != cpu_to_le32(VIRTIO_CAPTURE_E_UNKNOWN),
           "a command that the device does not know [CAP-DRV-FLT-1]");
    demand(reply.status != cpu_to_le32(VIRTIO_CAPTURE_E_INVALID),
           "a command that is not valid [CAP-DRV-CTRL-2 CAP-DRV-LQ-1]");
    iov_to_buf(elem->out_sg, elem->out_num, 0, &ctrl, sizeof(ctrl));
    demand(!ctrl.reserved,
           "a reserved field that is not zero [CAP-DRV-CTRL-1]");
    if (command_of(elem).number == VIRTIO_CAPTURE_C_CLOCK) {
        check_clock(elem, is_faulty);
    } else if (command_of(elem).number == VIRTIO_CAPTURE_C_FILTER) {
        iov_to_buf(elem->out_sg, elem->out_num, sizeof(ctrl), &filter,
                   sizeof(filter));
        demand(!filter.reserved, "a reserved field of FILTER that is not zero");
    }
}

void check_driver(int queue, const VirtQueueElement *elem, bool is_faulty)
{
    const size_t longest = VIRTIO_CAPTURE_RECORD_SIZE((size_t)NET_BUFSIZE);
    size_t out = iov_size(elem->out_sg, elem->out_num);
    size_t in = iov_size(elem->in_sg, elem->in_num);
    struct virtio_capture_inject inject = { 0 };

    if (queue == VIRTIO_CAPTURE_VQ_CAPTURE) {
        demand(!out && in >= 40,
               "a capture buffer that is not good enough [CAP-DRV-BUF-1]");
        demand(in >= longest,
               "a capture buffer too short for the longest frame [CAP-DRV-BUF-3]");
    } else if (queue == VIRTIO_CAPTURE_VQ_CONTROL) {
        check_command(elem, is_faulty);
    } else if (queue >= VIRTIO_CAPTURE_NUM_VQS) {
        demand(!out && in >= 40 && in % VIRTIO_CAPTURE_RECORD_ALIGN == 0,
               "a listener's buffer that is not good enough");
    } else {
        iov_to_buf(elem->out_sg, elem->out_num, 0, &inject, sizeof(inject));
        demand(!inject.reserved, "a reserved field in front of a frame");
        demand(out >= sizeof(inject) + 14 && out <= sizeof(inject) + 1514,
               "a frame to inject of a wrong length [CAP-DRV-INJ-1]");
        demand(in >= sizeof(struct virtio_capture_reply),
               "no room for the reply to an injection [CAP-DRV-INJ-2]");
    }
}
