/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control queue and the inject queue have in common: requests with
 * room for a reply behind them.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "virtio-capture.h"

VirtQueueElement *virtio_capture_pop_request(VirtIOCapture *s, VirtQueue *vq,
                                             const char *name)
{
    VirtQueueElement *elem;

    if (!virtio_capture_active(s)) {
        return NULL;
    }
    elem = virtqueue_pop(vq, sizeof(*elem));
    if (elem && iov_size(elem->in_sg, elem->in_num) <
                sizeof(struct virtio_capture_reply)) {
        virtio_error(VIRTIO_DEVICE(s), "virtio-capture: %s buffer without room "
                     "for a reply", name);
        virtio_capture_forget_request(vq, elem);
        return NULL;
    }
    return elem;
}

void virtio_capture_reply(VirtIOCapture *s, VirtQueue *vq,
                          VirtQueueElement *elem, uint32_t status,
                          const void *more, size_t len)
{
    struct virtio_capture_reply reply = { .status = cpu_to_le32(status) };

    iov_from_buf(elem->in_sg, elem->in_num, 0, &reply, sizeof(reply));
    if (len) {
        iov_from_buf(elem->in_sg, elem->in_num, sizeof(reply), more, len);
    }
    virtqueue_push(vq, elem, sizeof(reply) + len);
    virtio_notify(VIRTIO_DEVICE(s), vq);
    g_free(elem);
}

void virtio_capture_forget_request(VirtQueue *vq, VirtQueueElement *elem)
{
    virtqueue_detach_element(vq, elem, 0);
    g_free(elem);
}
