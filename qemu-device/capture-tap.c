/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tap, as a QEMU network filter between the netdev and its NIC: the tap
 * filter.
 *
 * It exists only while a listener is active and capture is not switched off, so
 * that need not be checked for each frame. It never delays, drops or alters a
 * frame.
 *
 * It is added at the tail of the netdev's list of filters. Frames for the NIC
 * traverse the list from head to tail, frames from the NIC from tail to head.
 * So the tap filter sees each frame once: received frames after all other
 * filters, and sent frames before them.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "qemu/module.h"
#include "net/filter.h"
#include "qom/object_interfaces.h"
#include "standard-headers/linux/virtio_net.h"
#include "capture-clock.h"
#include "capture-filter.h"
#include "capture-record.h"

struct CaptureTap {
    NetFilterState parent_obj;
    VirtIOCapture *owner;       /* NULL while the owner destroys it */
};

static void destroy(CaptureTap *tap)
{
    tap->owner = NULL;
    object_unparent(OBJECT(tap));
}

static void destroy_stopped_tap(VirtIOCapture *s)
{
    if (s->stopped_tap && !s->tap_busy) {
        destroy(s->stopped_tap);
        s->stopped_tap = NULL;
    }
}

static void tap_bh(void *opaque)
{
    VirtIOCapture *s = opaque;

    destroy_stopped_tap(s);
    if (s->stopped_tap) {
        qemu_bh_schedule(s->tap_bh);
    }
}

/*
 * user_creatable_complete() for the device's filters, whose classes do not have
 * the interface: see virtio_capture_filter_class_init(). The function is that
 * of the parent class.
 */
static bool complete_filter(Object *obj, Error **errp)
{
    ObjectClass *filter = object_class_by_name(TYPE_NETFILTER);
    Error *err = NULL;

    USER_CREATABLE_CLASS(filter)->complete((UserCreatable *)obj, &err);
    error_propagate(errp, err);
    return !err;
}

Object *virtio_capture_new_filter(VirtIOCapture *s, const char *type,
                                  Error **errp)
{
    Object *obj = object_new(type);

    object_property_set_str(obj, "netdev", s->netdev_id, &error_abort);
    if (!complete_filter(obj, errp)) {
        object_unref(obj);
        return NULL;
    }
    return obj;
}

bool virtio_capture_tap_start(VirtIOCapture *s, Error **errp)
{
    Object *obj;

    if (s->tap) {
        return true;
    }
    if (s->off) {
        return virtio_capture_check_netdev(s, errp);
    }
    destroy_stopped_tap(s);
    if (s->stopped_tap) {
        error_setg(errp, "the old tap filter of netdev '%s' is still in use",
                   s->netdev_id);
        return false;
    }
    /* The netdev with this ID may have been replaced by another one. */
    if (!virtio_capture_check_netdev(s, errp)) {
        return false;
    }

    obj = virtio_capture_new_filter(s, TYPE_CAPTURE_TAP, errp);
    if (!obj) {
        return false;
    }
    object_property_add_child(OBJECT(s), "tap", obj);
    object_unref(obj);
    s->tap = CAPTURE_TAP(obj);
    s->tap->owner = s;
    trace_virtio_capture_tap(s, s->netdev_id, true);
    return true;
}

void virtio_capture_tap_stop(VirtIOCapture *s)
{
    CaptureTap *tap = s->tap;

    if (!tap) {
        return;
    }
    s->tap = NULL;
    virtio_capture_rxfilter_invalidate(s);
    trace_virtio_capture_tap(s, s->netdev_id, false);
    if (!s->tap_busy) {
        destroy(tap);
        return;
    }
    /*
     * QEMU is iterating over the filters, and needs this one to find the next.
     * While it is off, QEMU passes no more frames to it.
     */
    tap->parent_obj.on = false;
    s->stopped_tap = tap;
    qemu_bh_schedule(s->tap_bh);
}

void virtio_capture_tap_init(VirtIOCapture *s)
{
    s->tap_bh = virtio_bh_new_guarded(DEVICE(s), tap_bh, s);
}

/* A stopped tap filter, if any, is destroyed with the device, its parent. */
void virtio_capture_tap_cleanup(VirtIOCapture *s)
{
    virtio_capture_tap_stop(s);
    qemu_bh_delete(s->tap_bh);
    s->tap_bh = NULL;
}

/*
 * The tap filter is being destroyed. If it still has an owner, QEMU is deleting
 * the netdev together with its filters, and the configuration changes.
 */
static void capture_tap_cleanup(NetFilterState *nf)
{
    CaptureTap *tap = CAPTURE_TAP(nf);
    VirtIOCapture *s = tap->owner;

    if (!s) {
        return;
    }
    if (tap == s->stopped_tap) {
        s->stopped_tap = NULL;
        return;
    }
    s->tap = NULL;
    virtio_capture_rxfilter_invalidate(s);
    trace_virtio_capture_tap(s, s->netdev_id, false);
    virtio_capture_inject_netdev_deleted(s);
    set_bit(CAPTURE_NOTIFY_CONFIG, s->notify);
    virtio_capture_notify_soon(s);
}

/* Return a record's flags for the virtio-net header at the start of iov. */
static uint16_t vnet_flags(const struct iovec *iov)
{
    const uint8_t *flags;

    QEMU_BUILD_BUG_ON(offsetof(struct virtio_net_hdr, flags));
    while (!iov->iov_len) {
        iov++;
    }
    flags = iov->iov_base;
    return *flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? VIRTIO_CAPTURE_R_NEEDS_CSUM
                                                : 0;
}

/*
 * Return the VIRTIO_CAPTURE_L_* flags that a listener must have to get this
 * frame, or 0 if no listener gets it. Update the flags of the frame.
 */
static inline uint32_t needed_flags(VirtIOCapture *s, NetClientState *netdev,
                                    NetClientState *sender,
                                    CaptureFrame *frame)
{
    NetClientState *nic = netdev->peer;

    if (sender != netdev) {
        frame->flags |= VIRTIO_CAPTURE_R_SENT;
        return VIRTIO_CAPTURE_L_SENT;
    }
    /* If the NIC's link is down, QEMU drops the frame after the filters. */
    if (!(s->wanted_flags & VIRTIO_CAPTURE_L_RECEIVED) || nic->link_down) {
        return 0;
    }
    if (!virtio_capture_is_for_nic(s, nic, frame) &&
        !virtio_capture_nic_accepts(s, nic, frame)) {
        frame->flags |= VIRTIO_CAPTURE_R_OTHERHOST;
        return VIRTIO_CAPTURE_L_RECEIVED | VIRTIO_CAPTURE_L_PROMISC;
    }
    return VIRTIO_CAPTURE_L_RECEIVED;
}

static ssize_t capture_tap_receive_iov(NetFilterState *nf,
                                       NetClientState *sender, unsigned flags,
                                       const struct iovec *iov, int iovcnt,
                                       NetPacketSent *sent_cb)
{
    /* No cast: QEMU has found this method through the object's class. */
    VirtIOCapture *s = container_of(nf, CaptureTap, parent_obj)->owner;
    size_t size = iovcnt == 1 ? iov->iov_len : iov_size(iov, iovcnt);
    size_t skip = nf->netdev->vnet_hdr_len;
    uint32_t resets = s->resets;
    CaptureListener *l;
    CaptureFrame frame;
    uint32_t needed, limit;

    if (skip && (flags & QEMU_NET_PACKET_FLAG_RAW)) {
        skip = 0;
    }
    if (size <= skip || virtio_capture_is_feedback(sender)) {
        return 0;
    }
    frame.len = size - skip;
    frame.flags = skip ? vnet_flags(iov) : 0;
    frame.stamped = false;
    /* This ends within iov, which has more bytes than those to skip. */
    while (skip >= iov->iov_len) {
        skip -= iov->iov_len;
        iov++;
    }
    frame.first = (const uint8_t *)iov->iov_base + skip;
    frame.first_len = iov->iov_len - skip;
    frame.more = iov + 1;
    needed = needed_flags(s, nf->netdev, sender, &frame);
    if (!needed) {
        return 0;
    }
    QLIST_FOREACH(l, &s->listening, next) {
        if ((l->flags & needed) != needed) {
            continue;
        }
        l->seen++;
        limit = l->snaplen;
        if (l->program.count) {
            limit = MIN(limit, virtio_capture_program_run(s, &l->program,
                                                          &frame));
            if (!limit) {
                continue;
            }
        }
        virtio_capture_stamp(s, &frame);
        virtio_capture_append(l, &frame, limit);
        if (s->resets != resets) {
            break; /* a queue access reset the device: none is active */
        }
    }
    return 0; /* pass it on */
}

/*
 * QEMU casts the filter's class for each frame. If the class has interfaces,
 * the cast looks up the type by name, which is slow. The only interface of a
 * filter is for creation by -object, which the device's filters do not need.
 */
void virtio_capture_filter_class_init(ObjectClass *klass)
{
    g_slist_free(klass->interfaces);
    klass->interfaces = NULL;
}

static void capture_tap_class_init(ObjectClass *klass, void *data)
{
    NetFilterClass *nfc = NETFILTER_CLASS(klass);

    virtio_capture_filter_class_init(klass);
    nfc->cleanup = capture_tap_cleanup;
    nfc->receive_iov = capture_tap_receive_iov;
}

static const TypeInfo capture_tap_info = {
    .name = TYPE_CAPTURE_TAP,
    .parent = TYPE_NETFILTER,
    .instance_size = sizeof(CaptureTap),
    .class_init = capture_tap_class_init,
};

void virtio_capture_tap_register_types(void)
{
    type_register_static(&capture_tap_info);
}

#ifndef VIRTIO_CAPTURE_PLUGIN
type_init(virtio_capture_tap_register_types)
#endif
