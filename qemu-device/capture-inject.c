/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inject queue: frames that are sent as if by the tapped NIC.
 *
 * They enter the path at the NIC's end, so all filters of the netdev, the tap
 * included, and the backend see them as frames of the NIC.
 */
#include "qemu/osdep.h"
#include "net/eth.h"
#include "net/net.h"
#include "qemu/iov.h"
#include "capture-device.h"
#include "trace.h"

/* Maximum frames per main loop iteration, so as not to block others. */
#define INJECT_BURST    64

/* Returned instead of a status: the reply waits for the backend. */
#define REPLY_LATER     UINT32_MAX

/*
 * Devices with a frame in the netdev's packet queue. When the backend has taken
 * a frame, QEMU's callback only tells its sender, which is the NIC. The packet
 * queue is in order, so the first device in this list with that NIC is meant.
 */
static QTAILQ_HEAD(, VirtIOCapture) waiting = QTAILQ_HEAD_INITIALIZER(waiting);

NetClientState *virtio_capture_feedback_netdev;

static void inject_reply(VirtIOCapture *s, VirtQueueElement *elem,
                         uint32_t status)
{
    virtio_capture_reply(s, s->inject_vq, elem, status, NULL, 0);
}

static void start_waiting(VirtIOCapture *s, NetClientState *nic)
{
    s->injection_nic = nic;
    QTAILQ_INSERT_TAIL(&waiting, s, injection_next);
}

static void stop_waiting(VirtIOCapture *s)
{
    if (s->injection_nic) {
        s->injection_nic = NULL;
        QTAILQ_REMOVE(&waiting, s, injection_next);
    }
}

/* Callback: the backend has taken a queued frame, or the frame was purged. */
static void inject_sent(NetClientState *nic, ssize_t ret)
{
    VirtIOCapture *s;

    QTAILQ_FOREACH(s, &waiting, injection_next) {
        if (s->injection_nic == nic) {
            stop_waiting(s);
            virtio_capture_inject_complete(s);
            /* The backend is on the call stack: continue in a bottom half. */
            qemu_bh_schedule(s->inject_bh);
            return;
        }
    }
}

/* Whether the backend has queued a frame, so that no other can be sent. */
static bool is_waiting(VirtIOCapture *s)
{
    NetClientState *netdev;

    if (!s->injection_nic) {
        return false;
    }
    netdev = virtio_capture_find_netdev(s);
    if (netdev && netdev->peer == s->injection_nic) {
        return true;
    }
    /* The netdev or the NIC is gone, and the callback will not be called. */
    stop_waiting(s);
    virtio_capture_inject_complete(s);
    return false;
}

/*
 * Have the NIC receive a frame. It is not captured here, but when it is sent.
 * If the NIC has no room, drop the frame: QEMU would queue a copy of it.
 */
static void feed_back(NetClientState *netdev, const struct iovec *iov,
                      int iovcnt)
{
    if (qemu_can_send_packet(netdev)) {
        virtio_capture_feedback_netdev = netdev;
        qemu_sendv_packet(netdev, iov, iovcnt);
        virtio_capture_feedback_netdev = NULL;
    }
}

/*
 * Send the frame of len bytes at s->inject_frame. If the backend expects a
 * virtio-net header, it gets one of zeros.
 *
 * A receiver of the frame may write it to guest memory, and so run any device's
 * code: this device can be reset or unplugged before the calls return.
 */
static uint32_t inject_send(VirtIOCapture *s, size_t len, uint32_t flags)
{
    static const uint8_t no_header[64];
    NetClientState *netdev = virtio_capture_find_netdev(s);
    NetClientState *nic = virtio_capture_nic_of(netdev);
    g_autofree uint8_t *copy = NULL;
    uint32_t resets = s->resets;
    struct iovec iov[2];
    ssize_t ret;

    if (!nic || netdev->vnet_hdr_len > sizeof(no_header)) {
        return VIRTIO_CAPTURE_E_GONE;
    }
    if (s->off) {
        return VIRTIO_CAPTURE_E_OFF;
    }
    if (flags & VIRTIO_CAPTURE_I_FEEDBACK) {
        copy = g_memdup2(s->inject_frame, len);
    }
    if (flags & VIRTIO_CAPTURE_I_SOURCE) {
        memcpy(s->inject_frame + ETH_ALEN,
               qemu_get_nic(nic)->conf->macaddr.a, ETH_ALEN);
    }
    iov[0] = (struct iovec) { (void *)no_header, netdev->vnet_hdr_len };
    iov[1] = (struct iovec) { s->inject_frame, len };
    trace_virtio_capture_inject(s, len, flags);
    s->injected++;
    ret = qemu_sendv_packet_async(nic, iov, ARRAY_SIZE(iov), inject_sent);
    if (ret == 0 && DEVICE(s)->realized) {
        start_waiting(s, nic);
    }
    if (copy && s->resets == resets) {
        iov[1].iov_base = copy;
        feed_back(netdev, iov, ARRAY_SIZE(iov));
    }
    return ret == 0 ? REPLY_LATER : VIRTIO_CAPTURE_E_OK;
}

/* Copy the frame, so that the driver cannot change it later, and send it. */
static uint32_t inject_element(VirtIOCapture *s, VirtQueueElement *elem)
{
    size_t size = iov_size(elem->out_sg, elem->out_num);
    struct virtio_capture_inject head;
    uint32_t flags;
    size_t len;

    if (iov_to_buf(elem->out_sg, elem->out_num, 0, &head,
                   sizeof(head)) < sizeof(head)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    len = size - sizeof(head);
    flags = le32_to_cpu(head.flags);
    if (len < ETH_HLEN || len > ETH_HLEN + virtio_capture_mtu(s) ||
        (flags & ~VIRTIO_CAPTURE_I_ALL)) {
        return VIRTIO_CAPTURE_E_INVALID;
    }
    iov_to_buf(elem->out_sg, elem->out_num, sizeof(head), s->inject_frame,
               len);
    return inject_send(s, len, flags);
}

/* Send the next frame. Return true if another one can be sent after it. */
static bool inject_next(VirtIOCapture *s)
{
    uint32_t resets = s->resets;
    VirtQueueElement *elem;
    uint32_t status;

    elem = virtio_capture_pop_request(s, s->inject_vq, "inject");
    if (!elem) {
        return false;
    }
    s->injection = elem;
    status = inject_element(s, elem);
    /* A reset has detached the request; its frame may still be queued. */
    if (s->resets != resets || status == REPLY_LATER) {
        return false;
    }
    s->injection = NULL;
    inject_reply(s, elem, status);
    return true;
}

void virtio_capture_handle_inject(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);
    CaptureGuard guard;
    unsigned n = 0;

    /* Do not recurse if a frame's receiver caused this notification. */
    if (s->injecting || is_waiting(s)) {
        return;
    }
    guard = virtio_capture_enter(s);
    s->injecting = true;
    while (n < INJECT_BURST && inject_next(s)) {
        n++;
    }
    s->injecting = false;
    if (n == INJECT_BURST) {
        qemu_bh_schedule(s->inject_bh);
    }
    virtio_capture_notify(s);
    virtio_capture_leave(guard);
}

bool virtio_capture_inject_busy(VirtIOCapture *s)
{
    return virtio_capture_active(s) && !s->injection_nic &&
           virtio_capture_queue_usable(s, s->inject_vq) &&
           !virtio_queue_empty(s->inject_vq);
}

void virtio_capture_inject_complete(VirtIOCapture *s)
{
    VirtQueueElement *elem = s->injection;

    if (elem) {
        s->injection = NULL;
        inject_reply(s, elem, VIRTIO_CAPTURE_E_OK);
    }
}

void virtio_capture_inject_netdev_deleted(VirtIOCapture *s)
{
    if (s->injection_nic) {
        stop_waiting(s);
        virtio_capture_inject_complete(s);
        qemu_bh_schedule(s->inject_bh);
    }
}

void virtio_capture_inject_discard(VirtIOCapture *s)
{
    VirtQueueElement *elem = s->injection;

    qemu_bh_cancel(s->inject_bh);
    if (elem) {
        s->injection = NULL;
        virtio_capture_detach(s->inject_vq, elem);
    }
}

void virtio_capture_inject_resume(VirtIOCapture *s)
{
    qemu_bh_schedule(s->inject_bh);
}

static void inject_bh(void *opaque)
{
    VirtIOCapture *s = opaque;

    virtio_capture_handle_inject(VIRTIO_DEVICE(s), s->inject_vq);
}

void virtio_capture_inject_init(VirtIOCapture *s)
{
    s->inject_frame = g_realloc(s->inject_frame, NET_BUFSIZE);
    s->inject_bh = virtio_bh_new_guarded(DEVICE(s), inject_bh, s);
}

void virtio_capture_inject_cleanup(VirtIOCapture *s)
{
    virtio_capture_inject_discard(s);
    stop_waiting(s);
    qemu_bh_delete(s->inject_bh);
    s->inject_bh = NULL;
}

void virtio_capture_inject_finalize(VirtIOCapture *s)
{
    g_free(s->inject_frame);
}
