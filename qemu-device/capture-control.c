/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue: the driver's commands, executed in their order.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "virtio-capture.h"
#include "trace.h"

/*
 * FLUSH is a barrier, also for frames that a NIC has been told to transmit.
 * Most models transmit when the driver's store to their doorbell is executed.
 * virtio-net defers it, in the main loop:
 *
 * 1. The doorbell is an eventfd, set before that of our control queue. The
 *    pass of the main loop that runs our handler may have polled the NIC's
 *    eventfd just too early; the next pass runs the NIC's handler.
 * 2. That handler schedules a bottom half, which transmits. It runs in the
 *    same pass or in the next one: bottom halves and eventfds are two sources
 *    of the main loop, in no order that one could build on.
 *
 * So the reply is written by a bottom half that has scheduled itself again
 * this often. Its first run is in our handler's pass (number 0) or in the next
 * one, so its third is in pass 2 or 3. In either order that is after the NIC's
 * bottom half: with bottom halves before eventfds ours runs last in pass 3 and
 * the NIC's in pass 2; with eventfds first, in pass 2 and in pass 1. A bottom
 * half that is scheduled while bottom halves run waits for the next pass.
 */
#define FLUSH_PASSES    3

/* Commands in one go: others want the main loop, too. */
#define CONTROL_BURST   64

/* Not a status: the reply comes later. */
#define REPLY_LATER     UINT32_MAX

typedef struct ControlCommand {
    size_t request_size;        /* after struct virtio_capture_ctrl */
    size_t reply_size;          /* after struct virtio_capture_reply */
    uint32_t (*execute)(VirtIOCapture *s, const void *request);
} ControlCommand;

typedef union ControlRequest {
    struct virtio_capture_listen listen;
    struct virtio_capture_clock clock;
} ControlRequest;

static uint32_t control_listen(VirtIOCapture *s, const void *request)
{
    const struct virtio_capture_listen *listen = request;
    uint32_t snaplen = le32_to_cpu(listen->snaplen);
    uint32_t flags = le32_to_cpu(listen->flags);
    uint32_t delay = le32_to_cpu(listen->delay);
    CaptureListener *l = &s->listeners[0];

    if (flags & ~VIRTIO_CAPTURE_L_ALL) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    if (snaplen && !virtio_capture_tap_start(s, NULL)) {
        return VIRTIO_CAPTURE_E_GONE;
    }
    trace_virtio_capture_listen(s, l->number, snaplen, flags, delay);
    virtio_capture_listener_set(l, snaplen, flags, delay);
    if (QLIST_EMPTY(&s->listening)) {
        virtio_capture_tap_stop(s);
    }
    virtio_capture_rxfilter_forget(s);
    return VIRTIO_CAPTURE_E_OK;
}

static uint32_t control_flush(VirtIOCapture *s, const void *request)
{
    return REPLY_LATER;
}

static uint32_t control_clock(VirtIOCapture *s, const void *request)
{
    const struct virtio_capture_clock *clock = request;
    uint32_t flags = le32_to_cpu(clock->flags);

    if (flags & ~VIRTIO_CAPTURE_CLOCK_SET) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    if (flags & VIRTIO_CAPTURE_CLOCK_SET) {
        virtio_capture_set_offset(s, le64_to_cpu(clock->offset));
        trace_virtio_capture_clock(s, s->clock_offset);
    }
    return VIRTIO_CAPTURE_E_OK;
}

static const ControlCommand commands[] = {
    [VIRTIO_CAPTURE_C_LISTEN] = {
        sizeof(struct virtio_capture_listen), 0, control_listen
    },
    [VIRTIO_CAPTURE_C_FLUSH] = {
        0, VIRTIO_CAPTURE_COUNTERS_BASE, control_flush
    },
    [VIRTIO_CAPTURE_C_CLOCK] = {
        sizeof(struct virtio_capture_clock),
        VIRTIO_CAPTURE_COUNTERS_BASE, control_clock
    },
};

/* Writes the reply, and the counters if the command has them and succeeded. */
static void control_reply(VirtIOCapture *s, VirtQueueElement *elem,
                          uint32_t status, bool with_counters)
{
    const CaptureListener *l = &s->listeners[0];
    struct virtio_capture_counters counters = {
        .clock = cpu_to_le64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL)),
        .captured = cpu_to_le64(l->captured),
        .dropped = cpu_to_le64(l->dropped),
    };

    virtio_capture_reply(s, s->control_vq, elem, status, &counters,
                         with_counters && status == VIRTIO_CAPTURE_E_OK
                         ? VIRTIO_CAPTURE_COUNTERS_BASE : 0);
}

/*
 * Executes one command. The driver may have changed its memory since the sizes
 * were checked, so everything is copied before it is looked at.
 */
static uint32_t control_execute(VirtIOCapture *s, VirtQueueElement *elem,
                                const ControlCommand **command)
{
    size_t request_len = iov_size(elem->out_sg, elem->out_num);
    size_t reply_len = iov_size(elem->in_sg, elem->in_num);
    struct virtio_capture_ctrl ctrl;
    ControlRequest request;
    uint32_t number;

    *command = NULL;
    if (iov_to_buf(elem->out_sg, elem->out_num, 0, &ctrl,
                   sizeof(ctrl)) < sizeof(ctrl)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    number = le32_to_cpu(ctrl.command);
    trace_virtio_capture_command(s, number);
    if (number >= ARRAY_SIZE(commands) || !commands[number].execute) {
        return VIRTIO_CAPTURE_E_UNKNOWN;
    }
    *command = &commands[number];
    if (request_len != sizeof(ctrl) + (*command)->request_size ||
        reply_len < sizeof(struct virtio_capture_reply) +
                    (*command)->reply_size) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    iov_to_buf(elem->out_sg, elem->out_num, sizeof(ctrl), &request,
               (*command)->request_size);
    return (*command)->execute(s, &request);
}

/* Executes the next command, if there is one. */
static bool control_next(VirtIOCapture *s)
{
    const ControlCommand *command;
    VirtQueueElement *elem;
    uint32_t status;

    elem = virtio_capture_pop_request(s, s->control_vq, "control");
    if (!elem) {
        return false;
    }
    status = control_execute(s, elem, &command);
    if (status == REPLY_LATER) {
        s->flush = elem;
        s->flush_passes = FLUSH_PASSES;
        qemu_bh_schedule(s->control_bh);
    } else {
        control_reply(s, elem, status, command && command->reply_size);
    }
    return true;
}

void virtio_capture_handle_control(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    unsigned n = 0;

    /* Commands behind a FLUSH wait for it, so that they keep their order. */
    while (!s->flush && n < CONTROL_BURST && control_next(s)) {
        n++;
    }
    if (n == CONTROL_BURST) {
        qemu_bh_schedule(s->control_bh);
    }
    virtio_capture_notify(s);
}

void virtio_capture_control_settle(VirtIOCapture *s)
{
    CaptureListener *l = &s->listeners[0];
    VirtQueueElement *elem = s->flush;

    if (!elem) {
        return;
    }
    s->flush = NULL;
    virtio_capture_complete(l);
    trace_virtio_capture_flush(s, l->number, l->captured, l->dropped);
    control_reply(s, elem, VIRTIO_CAPTURE_E_OK, true);
}

void virtio_capture_control_discard(VirtIOCapture *s)
{
    VirtQueueElement *elem = s->flush;

    qemu_bh_cancel(s->control_bh);
    if (elem) {
        s->flush = NULL;
        virtio_capture_forget(s->control_vq, elem);
    }
}

static void control_bh(void *opaque)
{
    VirtIOCapture *s = opaque;

    /* What the driver injected before is sent first, however much it is. */
    if (s->flush && (--s->flush_passes || virtio_capture_inject_busy(s))) {
        s->flush_passes = MAX(s->flush_passes, 1);
        qemu_bh_schedule(s->control_bh);
        return;
    }
    virtio_capture_control_settle(s);
    virtio_capture_handle_control(VIRTIO_DEVICE(s), s->control_vq);
}

void virtio_capture_control_resume(VirtIOCapture *s)
{
    if (!s->flush) {
        qemu_bh_schedule(s->control_bh);
    }
}

void virtio_capture_control_init(VirtIOCapture *s)
{
    s->control_bh = virtio_bh_new_guarded(DEVICE(s), control_bh, s);
}

void virtio_capture_control_cleanup(VirtIOCapture *s)
{
    virtio_capture_control_discard(s);
    qemu_bh_delete(s->control_bh);
    s->control_bh = NULL;
}
