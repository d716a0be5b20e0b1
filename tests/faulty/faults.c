/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A misbehaving capture device, for tests of the driver.
 *
 * It consists of the product's object files, linked with --wrap, so that all
 * buffers that they use pass through this file. A frame that contains
 * "FAULT=name,count;" selects the next fault and how often to inject it. A
 * fault of capture buffers begins with the buffer that holds this frame.
 *
 * It also checks the driver's buffers (checks.c). The device's id selects
 * faults that are present from the start.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "qemu/timer.h"
#include "faults.h"

#define MARK "FAULT="

/* Indices: of a descriptor not made available, and beyond any queue's size. */
#define NOT_GIVEN   200
#define NO_BUFFER   60000

void __real_virtqueue_push(VirtQueue *vq, const VirtQueueElement *elem,
                           unsigned int len);
void __wrap_virtqueue_push(VirtQueue *vq, const VirtQueueElement *elem,
                           unsigned int len);
void __real_virtio_init(VirtIODevice *vdev, uint16_t id, size_t config_size);
void __wrap_virtio_init(VirtIODevice *vdev, uint16_t id, size_t config_size);
void __real_virtio_notify(VirtIODevice *vdev, VirtQueue *vq);
void __wrap_virtio_notify(VirtIODevice *vdev, VirtQueue *vq);

static char fault[32];          /* the name of the fault */
static unsigned left;           /* number of injections still to do */

/* A delayed reply. */
static struct {
    VirtQueue *queue;           /* NULL: no reply is delayed */
    VirtIODevice *device;
    unsigned index;
    unsigned len;
    int64_t delay;              /* ms */
    QEMUTimer *timer;
    void (*reset)(VirtIODevice *vdev);
} slow;

/* The device's own functions, while a fault replaces them. */
static void (*real_config)(VirtIODevice *vdev, uint8_t *config);
static void (*real_reset)(VirtIODevice *vdev);
static VirtIODevice *without_queue;

static uint64_t (*real_features)(VirtIODevice *vdev, uint64_t features,
                                 Error **errp);
static VirtIODevice *without_filter;

/* Buffers of listener queues that the device keeps though it must use them. */
static struct {
    VirtQueue *queue;
    unsigned index;
} kept[64];
static unsigned num_kept;

/* Return the prefix of the names of faults of a queue. */
static const char *prefix_of(int queue)
{
    static const char *const prefixes[] = {
        [VIRTIO_CAPTURE_VQ_CAPTURE] = "cap-",
        [VIRTIO_CAPTURE_VQ_CONTROL] = "ctl-",
        [VIRTIO_CAPTURE_VQ_INJECT] = "inj-",
        [VIRTIO_CAPTURE_NUM_VQS] = "own-",
    };

    return prefixes[MIN(queue, VIRTIO_CAPTURE_NUM_VQS)];
}

/* Select the fault that a frame in a used capture buffer asks for, if any. */
static void look_for_mark(const VirtQueueElement *elem, size_t len)
{
    g_autofree char *data = g_malloc0(len + 1);
    char *at;

    iov_to_buf(elem->in_sg, elem->in_num, 0, data, len);
    at = memmem(data, len, MARK, strlen(MARK));
    if (at) {
        g_random_set_seed(1);
    }
    if (at && sscanf(at + strlen(MARK), "%31[a-z-],%u;", fault, &left) != 2) {
        left = 0;
    }
}

static bool tell(const char *name)
{
    return g_str_equal(fault, name);
}

/* Return true if the fault is for replies to this command, or to any. */
static bool is_about(const VirtQueueElement *elem)
{
    Command command = command_of(elem);

    if (tell("ctl-no-listen")) {
        return command.listener && command.number == VIRTIO_CAPTURE_C_LISTEN;
    }
    if (tell("ctl-no-filter")) {
        return command.listener && command.number == VIRTIO_CAPTURE_C_FILTER;
    }
    if (tell("ctl-no-flush") || tell("ctl-counts-back")) {
        return command.listener && command.number == VIRTIO_CAPTURE_C_FLUSH;
    }
    return true;
}

static void put32(const VirtQueueElement *elem, size_t offset, uint32_t value)
{
    if (offset + sizeof(value) > iov_size(elem->in_sg, elem->in_num)) {
        return;
    }
    value = cpu_to_le32(value);
    iov_from_buf(elem->in_sg, elem->in_num, offset, &value, sizeof(value));
}

/* Corrupt the first record of a buffer. */
static void spoil_record(const VirtQueueElement *elem)
{
    const size_t caplen = offsetof(struct virtio_capture_record, caplen);
    const size_t datalen = offsetof(struct virtio_capture_record, datalen);

    if (tell("cap-overlap")) {
        put32(elem, caplen, 16);
    } else if (tell("cap-past-end") || tell("own-past-end")) {
        put32(elem, caplen, 0x1000);
        put32(elem, datalen, 0x1000);
    } else if (tell("cap-length-wraps") || tell("own-length-wraps")) {
        put32(elem, caplen, 0xffffffe8);
        put32(elem, datalen, 0xffffffff);
    } else if (tell("cap-more-than-wire")) {
        put32(elem, datalen, 1);
    } else if (tell("cap-hdrlen") || tell("own-hdrlen")) {
        put32(elem, offsetof(struct virtio_capture_record, hdrlen), 24);
    } else if (tell("cap-subsec")) {
        put32(elem, offsetof(struct virtio_capture_record, subsec), 1000000);
    } else if (tell("own-subsec")) {
        put32(elem, offsetof(struct virtio_capture_record, subsec),
              NANOSECONDS_PER_SECOND);
    } else if (tell("cap-flags")) {
        put32(elem, offsetof(struct virtio_capture_record, hdrlen),
              0xfff10000 | VIRTIO_CAPTURE_RECORD_HDRLEN);
    } else if (tell("cap-dropped-wraps")) {
        put32(elem, offsetof(struct virtio_capture_record, dropped),
              left % 2 ? 0xffffffff : 0x7fffffff);
    }
}

static void spoil_reply(const VirtQueueElement *elem)
{
    const size_t counters = sizeof(struct virtio_capture_reply);
    size_t i;

    if (tell("ctl-status") || tell("inj-status") || tell("ctl-no-listen") ||
        tell("ctl-no-filter") || tell("ctl-no-flush")) {
        put32(elem, 0, 77);
    } else if (tell("ctl-gone")) {
        put32(elem, 0, VIRTIO_CAPTURE_E_GONE);
    } else if (tell("ctl-random")) {
        for (i = 0; i < 32; i += 4) {
            put32(elem, i, i || g_random_int_range(0, 4) == 0 ?
                  g_random_int() : 0);
        }
    } else if (tell("ctl-no-counters")) {
        put32(elem, counters + offsetof(struct virtio_capture_counters,
                                        dropped), 1000);
    } else if (tell("ctl-counts-wrap")) {
        put32(elem, counters + offsetof(struct virtio_capture_counters,
                                        dropped), 0xfffffff0 + left % 32);
    } else if (tell("ctl-counts-back")) {
        /* The number of frames seen increases; the others go up and down. */
        put32(elem, counters + offsetof(struct virtio_capture_counters, seen),
              2000000 - left);
        put32(elem, counters + offsetof(struct virtio_capture_counters,
                                        captured), left % 2 ? 1000 : 0);
        put32(elem, counters + offsetof(struct virtio_capture_counters,
                                        dropped), left % 2 ? 1000 : 0);
    }
}

/* Return the used length to report. */
static unsigned int false_length(const VirtQueueElement *elem,
                                 unsigned int len)
{
    if (tell("cap-too-long") || tell("own-too-long")) {
        return iov_size(elem->in_sg, elem->in_num) + 8;
    }
    if (g_str_has_suffix(fault, "-longest")) {
        return UINT32_MAX;
    }
    if (g_str_has_suffix(fault, "-empty")) {
        return 0;
    }
    if (tell("cap-odd") || tell("own-odd")) {
        return len - 3;
    }
    if (tell("ctl-random")) {
        return g_random_int_range(0, 2) ? len : g_random_int_range(0, 64);
    }
    if (tell("cap-no-header")) {
        return 24;
    }
    if (tell("ctl-no-counters")) {
        return sizeof(struct virtio_capture_reply);
    }
    return len;
}

/*
 * Delay a reply until a suspend is about to reset the device. The delay is
 * longer for the reply to FLUSH, the first command of a suspend.
 */
static void hold_back(VirtQueue *vq, const VirtQueueElement *elem,
                      unsigned int len)
{
    struct virtio_capture_ctrl ctrl = { 0 };

    iov_to_buf(elem->out_sg, elem->out_num, 0, &ctrl, sizeof(ctrl));
    slow.queue = vq;
    slow.index = elem->index;
    slow.len = len;
    slow.delay = ctrl.command == cpu_to_le32(VIRTIO_CAPTURE_C_FLUSH) ? 500
                                                                     : 100;
}

static void give_slow(void *opaque)
{
    VirtQueueElement elem = { .index = slow.index, .ndescs = 1 };

    __real_virtqueue_push(slow.queue, &elem, slow.len);
    __real_virtio_notify(slow.device, slow.queue);
    slow.queue = NULL;
}

/* Discard the delayed reply on reset. */
static void slow_reset(VirtIODevice *vdev)
{
    timer_del(slow.timer);
    slow.queue = NULL;
    slow.reset(vdev);
}

static void start_slow(VirtIODevice *vdev)
{
    VirtioDeviceClass *class = VIRTIO_DEVICE_GET_CLASS(vdev);

    if (!slow.timer) {
        slow.timer = timer_new_ms(QEMU_CLOCK_REALTIME, give_slow, NULL);
        slow.reset = class->reset;
        class->reset = slow_reset;
    }
    slow.device = vdev;
    timer_mod(slow.timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + slow.delay);
}

/* Keep a buffer without records, which the device must use. */
static void keep(VirtQueue *vq, const VirtQueueElement *elem)
{
    g_assert(num_kept < ARRAY_SIZE(kept));
    kept[num_kept].queue = vq;
    kept[num_kept++].index = elem->index;
}

static void give_kept(void)
{
    VirtQueueElement elem = { .ndescs = 1 };

    while (num_kept) {
        elem.index = kept[--num_kept].index;
        __real_virtqueue_push(kept[num_kept].queue, &elem, 0);
    }
}

/* Inject a fault of the queue. Return false if the buffer is still to be used. */
static bool break_queue(VirtQueue *vq, const VirtQueueElement *elem,
                        unsigned int len)
{
    VirtQueueElement again = { .index = elem->index, .ndescs = 1 };

    if (g_str_has_suffix(fault, "-silent")) {
        virtqueue_detach_element(vq, elem, len);
    } else if (tell("ctl-slow")) {
        hold_back(vq, elem, len);
    } else if (tell("own-keep") && !len) {
        keep(vq, elem);
    } else if (tell("own-twice")) {
        __real_virtqueue_push(vq, elem, len);
        __real_virtqueue_push(vq, &again, len);
    } else {
        return false;
    }
    return true;
}

void __wrap_virtqueue_push(VirtQueue *vq, const VirtQueueElement *elem,
                           unsigned int len)
{
    int queue = virtio_get_queue_index(vq);
    VirtQueueElement other = *elem;

    check_driver(queue, elem, left);
    if (queue == VIRTIO_CAPTURE_VQ_CAPTURE ||
        queue >= VIRTIO_CAPTURE_NUM_VQS) {
        look_for_mark(elem, len);
    }
    if (tell("own-give")) {
        give_kept();
    }
    if (!left || !g_str_has_prefix(fault, prefix_of(queue)) ||
        (queue == VIRTIO_CAPTURE_VQ_CONTROL && !is_about(elem))) {
        __real_virtqueue_push(vq, elem, len);
        return;
    }
    left--;
    spoil_record(elem);
    spoil_reply(elem);
    if (break_queue(vq, elem, len)) {
        return;
    }
    if (g_str_has_suffix(fault, "-not-given")) {
        other.index = NOT_GIVEN;
    } else if (g_str_has_suffix(fault, "-no-buffer")) {
        other.index = NO_BUFFER;
    }
    __real_virtqueue_push(vq, &other, false_length(elem, len));
    if (g_str_has_suffix(fault, "-index-jumps")) {
        virtqueue_flush(vq, 300);
    }
}

/* Reset the device and remove its inject queue. */
static void last_reset(VirtIODevice *vdev)
{
    real_reset(vdev);
    if (vdev == without_queue) {
        virtio_del_queue(vdev, VIRTIO_CAPTURE_VQ_INJECT);
        VIRTIO_DEVICE_GET_CLASS(vdev)->reset = real_reset;
    }
}

/* Return a configuration with an impossible MTU. */
static void false_config(VirtIODevice *vdev, uint8_t *config)
{
    real_config(vdev, config);
    ((struct virtio_capture_config *)config)->mtu = cpu_to_le32(UINT32_MAX);
}

void __wrap_virtio_notify(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtioDeviceClass *class = VIRTIO_DEVICE_GET_CLASS(vdev);

    if (slow.queue && vq == slow.queue) {
        start_slow(vdev);
        return;
    }
    if (left && tell("needs-reset")) {
        left = 0;
        virtio_error(vdev, "a test's fault");
    } else if (left && tell("config")) {
        left--;
        virtio_notify_config(vdev);
    } else if (left && tell("config-mtu")) {
        left = 0;
        real_config = class->get_config;
        class->get_config = false_config;
    } else if (left && tell("no-queues")) {
        left = 0;
        real_reset = class->reset;
        class->reset = last_reset;
        without_queue = vdev;
    } else if (real_config && !tell("config-mtu")) {
        class->get_config = real_config;
        real_config = NULL;
    }
    __real_virtio_notify(vdev, vq);
}

/* Offer listener queues without FILTER. */
static uint64_t false_features(VirtIODevice *vdev, uint64_t features,
                               Error **errp)
{
    features = real_features(vdev, features, errp);
    if (vdev == without_filter) {
        features &= ~(UINT64_C(1) << VIRTIO_CAPTURE_F_FILTER);
    }
    return features;
}

void __wrap_virtio_init(VirtIODevice *vdev, uint16_t id, size_t config_size)
{
    VirtioDeviceClass *class = VIRTIO_DEVICE_GET_CLASS(vdev);
    DeviceState *proxy = qdev_get_parent_bus(DEVICE(vdev))->parent;

    __real_virtio_init(vdev, id, config_size);
    if (proxy->id && g_str_equal(proxy->id, "without-filter")) {
        without_filter = vdev;
        real_features = class->get_features;
        class->get_features = false_features;
    }
}
