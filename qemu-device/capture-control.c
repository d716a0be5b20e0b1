/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue: the driver's commands, executed in order.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "capture-device.h"
#include "trace.h"

/*
 * FLUSH is a barrier, also for frames that the guest has already told the NIC
 * to transmit. Most NIC models transmit during the guest's write to their
 * doorbell register. virtio-net defers the transmission to the main loop:
 *
 * 1. The doorbell is an eventfd, which is signalled before that of our control
 *    queue. The main loop iteration that runs our handler may have polled the
 *    NIC's eventfd just before it was signalled; then the next iteration runs
 *    the NIC's handler.
 * 2. That handler schedules a bottom half, which transmits. It runs in the same
 *    iteration or in the next one: bottom halves and eventfds are two event
 *    sources of the main loop, whose order is not guaranteed.
 *
 * So the reply is written by a bottom half, in its FLUSH_ITERATIONS-th run; in
 * the earlier runs it schedules itself again. Its first run is in the iteration
 * of our handler (number 0) or in the next one, so its third run is in
 * iteration 2 or 3. This is always after the NIC's bottom half: if bottom
 * halves run before eventfd handlers, ours has its third run in iteration 3 and
 * the NIC's runs in iteration 2; if eventfd handlers run first, these are
 * iterations 2 and 1. A bottom half that is scheduled by a bottom half runs in
 * the next iteration.
 */
#define FLUSH_ITERATIONS 3

/* Maximum commands per main loop iteration, so as not to block others. */
#define CONTROL_BURST   64

/* Returned instead of a status: the reply is written later. */
#define REPLY_LATER     UINT32_MAX

typedef union ControlRequest {
    struct virtio_capture_listen listen;
    struct virtio_capture_flush flush;
    struct virtio_capture_clock clock;
    struct {
        struct virtio_capture_filter head;
        struct virtio_capture_insn insns[VIRTIO_CAPTURE_MAX_INSNS];
    } filter;
} ControlRequest;

/* A command being executed: a copy of the driver's request. */
typedef struct ControlWork {
    ControlRequest request;
    size_t len;                 /* bytes of the request */
    CaptureListener *listener;  /* whose counters are in the reply, or NULL */
} ControlWork;

typedef struct ControlCommand {
    size_t least, most;         /* bytes of request after virtio_capture_ctrl */
    bool with_counters;         /* the reply has virtio_capture_counters */
    uint32_t (*execute)(VirtIOCapture *s, ControlWork *work);
} ControlCommand;

/*
 * Return the listener with the number in a command, or NULL if it does not
 * exist. Without the feature there is listener 0 only, and the field is
 * reserved.
 */
static CaptureListener *find_listener(VirtIOCapture *s, uint32_t le_number)
{
    uint32_t number = virtio_capture_has_listener_queues(s)
                      ? le32_to_cpu(le_number) : 0;

    return number < virtio_capture_listeners(s) ? &s->listeners[number]
                                                : NULL;
}

/* Whether the driver has set up a listener's queue. Listener 0 needs none. */
static bool has_queue(const CaptureListener *l)
{
    return !l->number ||
           virtio_queue_get_desc_addr(&l->dev->parent_obj,
                                      VIRTIO_CAPTURE_VQ_LISTENER(l->number));
}

static uint32_t control_listen(VirtIOCapture *s, ControlWork *work)
{
    const struct virtio_capture_listen *listen = &work->request.listen;
    uint32_t snaplen = le32_to_cpu(listen->snaplen);
    uint32_t flags = le32_to_cpu(listen->flags);
    uint32_t delay = le32_to_cpu(listen->delay);
    CaptureListener *l = find_listener(s, listen->listener);

    if (!l || !has_queue(l) || (flags & ~VIRTIO_CAPTURE_L_ALL)) {
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
    virtio_capture_rxfilter_invalidate(s);
    return VIRTIO_CAPTURE_E_OK;
}

static uint32_t control_flush(VirtIOCapture *s, ControlWork *work)
{
    const struct virtio_capture_flush *flush = &work->request.flush;
    CaptureListener *l = &s->listeners[0];
    uint32_t flags = 0;

    if (work->len !=
        (virtio_capture_has_listener_queues(s) ? sizeof(*flush) : 0)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    if (work->len) {
        l = find_listener(s, flush->listener);
        flags = le32_to_cpu(flush->flags);
    }
    if (!l || (flags & ~VIRTIO_CAPTURE_FLUSH_ALL) ||
        flags == VIRTIO_CAPTURE_FLUSH_ALL) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    s->flush_listener = l;
    s->flush_flags = flags;
    return REPLY_LATER;
}

static uint32_t control_clock(VirtIOCapture *s, ControlWork *work)
{
    const struct virtio_capture_clock *clock = &work->request.clock;
    uint32_t flags = le32_to_cpu(clock->flags);

    work->listener = &s->listeners[0];
    if (flags & ~VIRTIO_CAPTURE_CLOCK_SET) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    if (flags & VIRTIO_CAPTURE_CLOCK_SET) {
        virtio_capture_set_offset(s, le64_to_cpu(clock->offset));
        trace_virtio_capture_clock(s, s->clock_offset);
    }
    return VIRTIO_CAPTURE_E_OK;
}

static uint32_t control_filter(VirtIOCapture *s, ControlWork *work)
{
    const struct virtio_capture_filter *head = &work->request.filter.head;
    size_t count = (work->len - sizeof(*head)) /
                   sizeof(struct virtio_capture_insn);
    uint32_t flags = le32_to_cpu(head->flags);
    CaptureListener *l = find_listener(s, head->listener);

    work->listener = l;
    if (!l || (flags & ~VIRTIO_CAPTURE_FILTER_ALL) ||
        (work->len - sizeof(*head)) % sizeof(struct virtio_capture_insn) ||
        le32_to_cpu(head->count) != count ||
        !virtio_capture_program_set(&l->program, work->request.filter.insns,
                                    count)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    trace_virtio_capture_filter(s, l->number, count, flags);
    if (flags & VIRTIO_CAPTURE_FILTER_DISCARD) {
        virtio_capture_rewind(l);
    }
    return VIRTIO_CAPTURE_E_OK;
}

static const ControlCommand commands[] = {
    [VIRTIO_CAPTURE_C_LISTEN] = {
        sizeof(struct virtio_capture_listen),
        sizeof(struct virtio_capture_listen), false, control_listen
    },
    [VIRTIO_CAPTURE_C_FLUSH] = {
        0, sizeof(struct virtio_capture_flush), true, control_flush
    },
    [VIRTIO_CAPTURE_C_CLOCK] = {
        sizeof(struct virtio_capture_clock),
        sizeof(struct virtio_capture_clock), true, control_clock
    },
    [VIRTIO_CAPTURE_C_FILTER] = {
        sizeof(struct virtio_capture_filter),
        sizeof(((ControlRequest *)0)->filter), true, control_filter
    },
};

/* Return a command by its number, or NULL if it is unknown to this driver. */
static const ControlCommand *find_command(VirtIOCapture *s, uint32_t number)
{
    if (number >= ARRAY_SIZE(commands) || !commands[number].execute ||
        (number == VIRTIO_CAPTURE_C_FILTER &&
         !virtio_vdev_has_feature(&s->parent_obj, VIRTIO_CAPTURE_F_FILTER))) {
        return NULL;
    }
    return &commands[number];
}

static size_t counters_size(VirtIOCapture *s)
{
    return virtio_vdev_has_feature(&s->parent_obj, VIRTIO_CAPTURE_F_FILTER)
           ? sizeof(struct virtio_capture_counters)
           : VIRTIO_CAPTURE_COUNTERS_BASE;
}

/* Write the reply, with the counters of a listener unless that is NULL. */
static void control_reply(VirtIOCapture *s, VirtQueueElement *elem,
                          uint32_t status, const CaptureListener *l)
{
    struct virtio_capture_counters counters;

    if (!l) {
        virtio_capture_reply(s, s->control_vq, elem, status, NULL, 0);
        return;
    }
    counters = (struct virtio_capture_counters) {
        .clock = cpu_to_le64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL)),
        .captured = cpu_to_le64(l->captured),
        .dropped = cpu_to_le64(l->dropped),
        .seen = cpu_to_le64(l->seen),
        .used = cpu_to_le64(l->used),
    };
    virtio_capture_reply(s, s->control_vq, elem, status, &counters,
                         counters_size(s));
}

/*
 * Execute one command. The driver can change its memory at any time, so the
 * request is copied before it is checked.
 */
static uint32_t control_execute(VirtIOCapture *s, VirtQueueElement *elem,
                                ControlWork *work)
{
    size_t reply_len = iov_size(elem->in_sg, elem->in_num);
    const ControlCommand *command;
    struct virtio_capture_ctrl ctrl;
    uint32_t number, status;

    work->listener = NULL;
    if (iov_to_buf(elem->out_sg, elem->out_num, 0, &ctrl,
                   sizeof(ctrl)) < sizeof(ctrl)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    number = le32_to_cpu(ctrl.command);
    trace_virtio_capture_command(s, number);
    command = find_command(s, number);
    if (!command) {
        return VIRTIO_CAPTURE_E_UNKNOWN;
    }
    work->len = iov_size(elem->out_sg, elem->out_num) - sizeof(ctrl);
    if (work->len < command->least || work->len > command->most ||
        reply_len < sizeof(struct virtio_capture_reply) +
                    (command->with_counters ? counters_size(s) : 0)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    iov_to_buf(elem->out_sg, elem->out_num, sizeof(ctrl), &work->request,
               work->len);
    status = command->execute(s, work);
    if (status != VIRTIO_CAPTURE_E_OK) {
        work->listener = NULL;
    }
    return status;
}

/* Execute the next command. Return false if there is none. */
static bool control_next(VirtIOCapture *s)
{
    VirtQueueElement *elem;
    ControlWork work;
    uint32_t status;

    elem = virtio_capture_pop_request(s, s->control_vq, "control");
    if (!elem) {
        return false;
    }
    s->command = elem;
    status = control_execute(s, elem, &work);
    if (!s->command) {
        return false; /* a reset has detached it */
    }
    s->command = NULL;
    if (status == REPLY_LATER) {
        s->flush = elem;
        s->flush_iterations = FLUSH_ITERATIONS;
        qemu_bh_schedule(s->control_bh);
    } else {
        control_reply(s, elem, status, work.listener);
    }
    return true;
}

void virtio_capture_handle_control(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    unsigned n = 0;

    /* A pending FLUSH blocks later commands, to keep them in order. */
    while (!s->flush && n < CONTROL_BURST && control_next(s)) {
        n++;
    }
    if (n == CONTROL_BURST) {
        qemu_bh_schedule(s->control_bh);
    }
    virtio_capture_notify(s);
}

void virtio_capture_control_complete(VirtIOCapture *s)
{
    CaptureListener *l = s->flush_listener;
    VirtQueueElement *elem = s->flush;

    if (!elem) {
        return;
    }
    s->flush = NULL;
    if (s->flush_flags & VIRTIO_CAPTURE_FLUSH_DISCARD) {
        virtio_capture_rewind(l);
    } else if (!(s->flush_flags & VIRTIO_CAPTURE_FLUSH_KEEP)) {
        virtio_capture_flush(l);
    }
    trace_virtio_capture_flush(s, l->number, l->captured, l->dropped);
    control_reply(s, elem, VIRTIO_CAPTURE_E_OK, l);
}

/* Detach a pending request, and clear the pointer to it. */
static void detach_request(VirtIOCapture *s, VirtQueueElement **place)
{
    VirtQueueElement *elem = *place;

    if (elem) {
        *place = NULL;
        virtio_capture_detach(s->control_vq, elem);
    }
}

void virtio_capture_control_discard(VirtIOCapture *s)
{
    qemu_bh_cancel(s->control_bh);
    detach_request(s, &s->flush);
    detach_request(s, &s->command);
}

static void control_bh(void *opaque)
{
    VirtIOCapture *s = opaque;

    /* First send all frames that the driver has made available to inject. */
    if (s->flush && (--s->flush_iterations || virtio_capture_inject_busy(s))) {
        s->flush_iterations = MAX(s->flush_iterations, 1);
        qemu_bh_schedule(s->control_bh);
        return;
    }
    virtio_capture_control_complete(s);
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
