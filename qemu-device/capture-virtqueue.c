/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Validated access to the virtqueues, and what the control and inject queues
 * have in common: requests with room for a reply.
 *
 * An access to a device's register instead of RAM runs that device's code. So
 * rings and buffers outside RAM are refused. The rings are checked when they
 * are used, because a memory region can move; the result is cached until one
 * does. Buffers are checked after they have been mapped, because the driver can
 * change their descriptors at any time.
 */
#include "qemu/osdep.h"
#include "exec/address-spaces.h"
#include "qemu/iov.h"
#include "capture-device.h"

void virtio_capture_error(VirtIOCapture *s, const char *format, ...)
{
    VirtIODevice *vdev = &s->parent_obj;
    uint16_t vector = vdev->config_vector;
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);

    /* Suppress its interrupt: virtio_capture_notify() will send it. */
    vdev->config_vector = VIRTIO_NO_VECTOR;
    virtio_error(vdev, "virtio-capture: %s", message);
    vdev->config_vector = vector;
    set_bit(CAPTURE_NOTIFY_CONFIG, s->notify);
}

static bool in_ram(VirtIODevice *vdev, hwaddr address, hwaddr size)
{
    hwaddr offset, len = size;
    MemoryRegion *region;

    RCU_READ_LOCK_GUARD();
    region = address_space_translate(vdev->dma_as, address, &offset, &len,
                                     true, MEMTXATTRS_UNSPECIFIED);
    return len == size && capture_access_is_direct(region, true);
}

/* Check whether the rings of a queue may be accessed. */
static COLD bool check_rings(VirtIOCapture *s, unsigned n)
{
    VirtIODevice *vdev = &s->parent_obj;
    hwaddr desc = virtio_queue_get_desc_addr(vdev, n);

    if (!desc || vdev->broken) {
        return false;
    }
    /* QEMU mapped the rings with the size that the queue had then. */
    if (virtio_queue_get_num(vdev, n) != s->ring_size[n]) {
        virtio_capture_error(s, "queue %u changed its size from %u to %d while "
                             "enabled", n, s->ring_size[n],
                             virtio_queue_get_num(vdev, n));
        return false;
    }
    if (!in_ram(vdev, desc, virtio_queue_get_desc_size(vdev, n)) ||
        !in_ram(vdev, virtio_queue_get_avail_addr(vdev, n),
                virtio_queue_get_avail_size(vdev, n)) ||
        !in_ram(vdev, virtio_queue_get_used_addr(vdev, n),
                virtio_queue_get_used_size(vdev, n))) {
        virtio_capture_error(s, "queue %u has a ring that is not in RAM", n);
        return false;
    }
    /* Not with an IOMMU: the listener is not called if its mappings change. */
    if (vdev->dma_as == &address_space_memory) {
        set_bit(n, s->rings_in_ram);
    }
    return true;
}

bool virtio_capture_queue_usable(VirtIOCapture *s, VirtQueue *vq)
{
    unsigned n = virtio_get_queue_index(vq);

    return (test_bit(n, s->rings_in_ram) &&
            virtio_queue_get_num(&s->parent_obj, n) == s->ring_size[n]) ||
           check_rings(s, n);
}

void virtio_capture_invalidate_rings(VirtIOCapture *s)
{
    bitmap_zero(s->rings_in_ram, CAPTURE_QUEUES);
}

void virtio_capture_queue_enabled(VirtIODevice *vdev, uint32_t index)
{
    VirtIOCapture *s = VIRTIO_CAPTURE(vdev);

    if (index < virtio_capture_queues(s)) {
        virtio_capture_invalidate_rings(s);
        s->ring_size[index] = virtio_queue_get_num(vdev, index);
    }
}

static bool iov_in_ram(const struct iovec *iov, unsigned count)
{
    ram_addr_t offset;

    /* For memory that is not RAM, QEMU has mapped a bounce buffer. */
    for (; count; count--, iov++) {
        if (!memory_region_from_host(iov->iov_base, &offset)) {
            return false;
        }
    }
    return true;
}

/* virtqueue_pop(), except that the interrupt for an error stays pending. */
static VirtQueueElement *pop(VirtIOCapture *s, VirtQueue *vq)
{
    VirtIODevice *vdev = &s->parent_obj;
    uint16_t vector = vdev->config_vector;
    uint32_t resets = s->resets;
    VirtQueueElement *elem;

    vdev->config_vector = VIRTIO_NO_VECTOR;
    elem = virtqueue_pop(vq, sizeof(*elem));
    if (s->resets == resets) {
        vdev->config_vector = vector;
        if (vdev->broken) {
            set_bit(CAPTURE_NOTIFY_CONFIG, s->notify);
        }
    } else if (elem) {
        /* Reading the queue reset the device; the buffer is an old one. */
        virtio_capture_detach(vq, elem);
        elem = NULL;
    }
    return elem;
}

VirtQueueElement *virtio_capture_pop(VirtIOCapture *s, VirtQueue *vq)
{
    VirtQueueElement *elem;
    CaptureGuard guard;

    if (!virtio_capture_active(s) || !virtio_capture_queue_usable(s, vq)) {
        return NULL;
    }
    guard = virtio_capture_enter(s);
    elem = pop(s, vq);
    virtio_capture_leave(guard);
    if (elem && (!iov_in_ram(elem->in_sg, elem->in_num) ||
                 !iov_in_ram(elem->out_sg, elem->out_num))) {
        virtio_capture_error(s, "queue %u has a buffer that is not in RAM",
                             virtio_get_queue_index(vq));
        virtio_capture_detach(vq, elem);
        elem = NULL;
    }
    return elem;
}

void virtio_capture_push(VirtIOCapture *s, VirtQueue *vq,
                         VirtQueueElement *elem, unsigned len)
{
    if (!virtio_capture_queue_usable(s, vq)) {
        virtqueue_detach_element(vq, elem, len);
        g_free(elem);
        return;
    }
    virtqueue_push(vq, elem, len);
    g_free(elem);
    set_bit(virtio_get_queue_index(vq), s->notify);
}

void virtio_capture_detach(VirtQueue *vq, VirtQueueElement *elem)
{
    /* Length 0, so that no bounce buffer is written back. */
    virtqueue_detach_element(vq, elem, 0);
    g_free(elem);
}

VirtQueueElement *virtio_capture_pop_request(VirtIOCapture *s, VirtQueue *vq,
                                             const char *name)
{
    VirtQueueElement *elem = virtio_capture_pop(s, vq);

    if (elem && iov_size(elem->in_sg, elem->in_num) <
                sizeof(struct virtio_capture_reply)) {
        virtio_capture_error(s, "%s buffer has no room for a reply", name);
        virtio_capture_detach(vq, elem);
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
    virtio_capture_push(s, vq, elem, sizeof(reply) + len);
}

static void memory_changed(MemoryListener *listener)
{
    virtio_capture_invalidate_rings(container_of(listener, VirtIOCapture,
                                                 memory_listener));
}

void virtio_capture_virtqueue_init(VirtIOCapture *s)
{
    s->memory_listener = (MemoryListener) {
        .name = "virtio-capture",
        .commit = memory_changed,
    };
    memory_listener_register(&s->memory_listener, &address_space_memory);
}

void virtio_capture_virtqueue_cleanup(VirtIOCapture *s)
{
    memory_listener_unregister(&s->memory_listener);
}
