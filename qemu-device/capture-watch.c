/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's view of a capture, and the host's switch: properties for QMP's
 * qom-get, and one for qom-set.
 *
 * The driver cannot change the switch: no command, reset or saved state does.
 * While it is off there is no tap filter, so that frames need not be checked,
 * and nothing is injected.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "capture-device.h"
#include "trace.h"

/* A property with a number. */
typedef struct CaptureNumber {
    const char *name;
    const char *description;
    uint64_t (*get)(const VirtIOCapture *s);
} CaptureNumber;

static uint64_t count_listeners(const VirtIOCapture *s)
{
    const CaptureListener *l;
    uint64_t count = 0;

    QLIST_FOREACH(l, &s->listening, next) {
        count++;
    }
    return count;
}

/* Sum of the counts at an offset in all listeners. */
static uint64_t sum_counts(const VirtIOCapture *s, size_t offset)
{
    uint64_t sum = 0;
    unsigned n;

    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        sum += *(const uint64_t *)((const char *)&s->listeners[n] + offset);
    }
    return sum;
}

static uint64_t count_captured(const VirtIOCapture *s)
{
    return s->captured_before +
           sum_counts(s, offsetof(CaptureListener, captured));
}

static uint64_t count_dropped(const VirtIOCapture *s)
{
    return s->dropped_before +
           sum_counts(s, offsetof(CaptureListener, dropped));
}

static uint64_t count_injected(const VirtIOCapture *s)
{
    return s->injected;
}

static const CaptureNumber numbers[] = {
    { "listeners", "number of active listeners (read-only)",
      count_listeners },
    { "captured", "frames captured, once for each listener; not cleared by a "
      "reset (read-only)", count_captured },
    { "dropped", "frames dropped for lack of a buffer, once for each listener; "
      "not cleared by a reset (read-only)", count_dropped },
    { "injected", "frames sent for the driver; not cleared by a reset "
      "(read-only)", count_injected },
};

static void get_number(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    const CaptureNumber *number = opaque;
    uint64_t value = number->get(VIRTIO_CAPTURE(obj));

    visit_type_uint64(v, name, &value, errp);
}

static bool get_tapped(Object *obj, Error **errp)
{
    return VIRTIO_CAPTURE(obj)->tap;
}

static bool visit_number(Visitor *v, const char *name, uint64_t value,
                        Error **errp)
{
    return visit_type_uint64(v, name, &value, errp);
}

static bool visit_flag(Visitor *v, const char *name, bool value, Error **errp)
{
    return visit_type_bool(v, name, &value, errp);
}

/* The names of the members are those of the specification. */
static bool visit_listener(Visitor *v, const CaptureListener *l, Error **errp)
{
    bool done;

    if (!visit_start_struct(v, NULL, NULL, 0, errp)) {
        return false;
    }
    done = visit_number(v, "listener", l->number, errp) &&
           visit_number(v, "queue", virtio_get_queue_index(l->vq), errp) &&
           visit_number(v, "snaplen", l->snaplen, errp) &&
           visit_flag(v, "received", l->flags & VIRTIO_CAPTURE_L_RECEIVED,
                     errp) &&
           visit_flag(v, "sent", l->flags & VIRTIO_CAPTURE_L_SENT, errp) &&
           visit_flag(v, "promiscuous", l->flags & VIRTIO_CAPTURE_L_PROMISC,
                     errp) &&
           visit_number(v, "instructions", l->program.count, errp) &&
           visit_number(v, "seen", l->seen, errp) &&
           visit_number(v, "captured", l->captured, errp) &&
           visit_number(v, "dropped", l->dropped, errp) &&
           visit_check_struct(v, errp);
    visit_end_struct(v, NULL);
    return done;
}

/* The active listeners, in the order of their numbers. */
static void get_listener_state(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(obj);
    unsigned n;

    if (!visit_start_list(v, name, NULL, 0, errp)) {
        return;
    }
    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        if (QLIST_IS_INSERTED(&s->listeners[n], next) &&
            !visit_listener(v, &s->listeners[n], errp)) {
            break;
        }
    }
    visit_end_list(v, NULL);
}

static bool get_switch(Object *obj, Error **errp)
{
    return !VIRTIO_CAPTURE(obj)->off;
}

static void set_switch(Object *obj, bool on, Error **errp)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(obj);

    if (on == !s->off) {
        return;
    }
    s->off = !on;
    if (!DEVICE(s)->realized) {
        return;
    }
    if (s->off) {
        virtio_capture_tap_stop(s);
    } else if (!QLIST_EMPTY(&s->listening)) {
        /* If the netdev is gone, the next LISTEN fails. */
        virtio_capture_tap_start(s, NULL);
    }
    trace_virtio_capture_switch(s, s->netdev_id, on);
    set_bit(CAPTURE_NOTIFY_CONFIG, s->notify);
    virtio_capture_notify_soon(s);
}

void virtio_capture_watch_class_init(ObjectClass *klass)
{
    const CaptureNumber *number;

    for (number = numbers; number < numbers + ARRAY_SIZE(numbers); number++) {
        object_class_property_add(klass, number->name, "uint64", get_number,
                                  NULL, NULL, (void *)number);
        object_class_property_set_description(klass, number->name,
                                              number->description);
    }
    object_class_property_add_bool(klass, "tapped", get_tapped, NULL);
    object_class_property_set_description(klass, "tapped",
        "on: the tap filter is in the NIC's path (read-only)");
    object_class_property_add(klass, "listener-state", "list",
                              get_listener_state, NULL, NULL, NULL);
    object_class_property_set_description(klass, "listener-state",
        "parameters and counts of each active listener (read-only)");
    object_class_property_add_bool(klass, "capture", get_switch, set_switch);
    object_class_property_set_description(klass, "capture",
        "off: nothing is captured or injected, whatever the driver does; can "
        "be changed at any time (default on)");
}
