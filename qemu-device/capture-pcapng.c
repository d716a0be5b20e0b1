/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The property "pcapng": a file of the host to which all frames of the netdev
 * are written, from the creation of the device to its end.
 *
 * It does not depend on the guest: it works without a driver, and while capture
 * is switched off. A frame is written before the NIC or the backend gets it, so
 * the file also has the last frame before a panic of the guest's kernel. The
 * filter is therefore independent of the tap filter, which exists only while
 * there are listeners.
 *
 * Each frame is one block, written by one pwrite(), so that the file is valid
 * up to the last frame even if QEMU is killed. If the write fails, for example
 * because the disk is full, the block is removed and the frame is counted as
 * dropped. The counters are in an Interface Statistics Block before the first
 * frame, which is overwritten after each frame: that needs no further space.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/iov.h"
#include "qemu/module.h"
#include <sys/file.h>
#include "net/filter.h"
#include "capture-device.h"

/* Block types and option codes of pcapng. All fields are in host byte order. */
#define BLOCK_SECTION       0x0a0d0d0a
#define BLOCK_INTERFACE     1
#define BLOCK_STATISTICS    5
#define BLOCK_PACKET        6
#define BYTE_ORDER_MAGIC    0x1a2b3c4d
#define LINKTYPE_ETHERNET   1
/* tcpdump's default snapshot length; no frame is longer than NET_BUFSIZE. */
#define SNAPLEN             262144

#define OPTION_END          0
#define SECTION_USERAPPL    4
#define INTERFACE_NAME      2
#define INTERFACE_TSRESOL   9
#define STATISTICS_START    2
#define STATISTICS_END      3
#define STATISTICS_RECEIVED 4
#define STATISTICS_DROPPED  5
#define PACKET_FLAGS        2
#define PACKET_DROPPED      4

#define FLAG_INBOUND        1
#define FLAG_OUTBOUND       2

/* Upper limit of a block's size without the frame or the interface name. */
#define BLOCK_OVERHEAD      256

struct CapturePcapng {
    NetFilterState parent_obj;
    VirtIOCapture *owner;       /* NULL until the file has been opened */
    int fd;
    uint8_t *block;             /* the block that is being built */
    size_t used;                /* its size so far */
    off_t end;                  /* of the last complete block in the file */
    off_t statistics;           /* offset of the Interface Statistics Block */
    uint64_t start;             /* ns since 1970 */
    uint64_t received;          /* frames sent and received on the netdev */
    uint64_t dropped;           /* frames that could not be written */
    uint64_t reported;          /* value of dropped at the last written frame */
};

static void put(CapturePcapng *p, const void *data, size_t len)
{
    memcpy(p->block + p->used, data, len);
    p->used += len;
}

static void put_u16(CapturePcapng *p, uint16_t value)
{
    put(p, &value, sizeof(value));
}

static void put_u32(CapturePcapng *p, uint32_t value)
{
    put(p, &value, sizeof(value));
}

/* The upper half of a timestamp comes first in either byte order. */
static void put_time(CapturePcapng *p, uint64_t time)
{
    put_u32(p, time >> 32);
    put_u32(p, time);
}

/* All parts of a block are padded to a multiple of four bytes. */
static void put_padding(CapturePcapng *p)
{
    static const uint8_t zeros[4];

    put(p, zeros, -p->used % 4);
}

static void put_option(CapturePcapng *p, uint16_t code, const void *data,
                       uint16_t len)
{
    put_u16(p, code);
    put_u16(p, len);
    put(p, data, len);
    put_padding(p);
}

static void put_time_option(CapturePcapng *p, uint16_t code, uint64_t time)
{
    put_u16(p, code);
    put_u16(p, sizeof(time));
    put_time(p, time);
}

/* end_block() fills in the block's length. */
static void begin_block(CapturePcapng *p, uint32_t type)
{
    p->used = 0;
    put_u32(p, type);
    put_u32(p, 0);
}

static void end_block(CapturePcapng *p)
{
    uint32_t len;

    put_option(p, OPTION_END, NULL, 0);
    len = p->used + sizeof(len);
    put_u32(p, len);
    memcpy(p->block + sizeof(len), &len, sizeof(len));
}

/* Writes the block at an offset of the file; sets errno if it fails. */
static bool write_block(CapturePcapng *p, off_t offset)
{
    ssize_t written;

    do {
        written = pwrite(p->fd, p->block, p->used, offset);
    } while (written < 0 && errno == EINTR);
    if (written >= 0 && written < p->used) {
        errno = ENOSPC;
    }
    return written == p->used;
}

/* Writes the block at the end of the file; sets errno if it fails. */
static bool append_block(CapturePcapng *p)
{
    int error;

    if (write_block(p, p->end)) {
        p->end += p->used;
        return true;
    }
    error = errno;
    if (ftruncate(p->fd, p->end)) {
        /* The next block overwrites the part that was written. */
    }
    errno = error;
    return false;
}

static uint64_t wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static void make_statistics(CapturePcapng *p, uint64_t now)
{
    begin_block(p, BLOCK_STATISTICS);
    put_u32(p, 0);
    put_time(p, now);
    put_time_option(p, STATISTICS_START, p->start);
    put_time_option(p, STATISTICS_END, now);
    put_option(p, STATISTICS_RECEIVED, &p->received, sizeof(p->received));
    put_option(p, STATISTICS_DROPPED, &p->dropped, sizeof(p->dropped));
    end_block(p);
}

/* Writes the blocks that precede the first frame. */
static bool write_head(CapturePcapng *p)
{
    static const char program[] = "virtio-capture in QEMU";
    const char *name = p->owner->pcapng_name ?: p->owner->netdev_id;
    const uint64_t unknown_length = UINT64_MAX;
    const uint8_t nanoseconds = 9;

    begin_block(p, BLOCK_SECTION);
    put_u32(p, BYTE_ORDER_MAGIC);
    put_u16(p, 1);
    put_u16(p, 0);
    put(p, &unknown_length, sizeof(unknown_length));
    put_option(p, SECTION_USERAPPL, program, strlen(program));
    end_block(p);
    if (!append_block(p)) {
        return false;
    }

    begin_block(p, BLOCK_INTERFACE);
    put_u16(p, LINKTYPE_ETHERNET);
    put_u16(p, 0);
    put_u32(p, SNAPLEN);
    put_option(p, INTERFACE_NAME, name, strlen(name));
    put_option(p, INTERFACE_TSRESOL, &nanoseconds, sizeof(nanoseconds));
    end_block(p);
    if (!append_block(p)) {
        return false;
    }

    p->start = wall_clock();
    p->statistics = p->end;
    make_statistics(p, p->start);
    return append_block(p);
}

/* Builds the block of a frame, which follows the first skip bytes of iov. */
static void make_packet(CapturePcapng *p, uint64_t now, bool is_sent,
                        const struct iovec *iov, int iovcnt, size_t skip)
{
    size_t len = iov_size(iov, iovcnt) - skip;
    size_t caplen = MIN(len, NET_BUFSIZE);
    uint32_t flags = is_sent ? FLAG_OUTBOUND : FLAG_INBOUND;
    uint64_t lost = p->dropped - p->reported;

    begin_block(p, BLOCK_PACKET);
    put_u32(p, 0);
    put_time(p, now);
    put_u32(p, caplen);
    put_u32(p, len);
    p->used += iov_to_buf(iov, iovcnt, skip, p->block + p->used, caplen);
    put_padding(p);
    put_option(p, PACKET_FLAGS, &flags, sizeof(flags));
    if (lost) {
        put_option(p, PACKET_DROPPED, &lost, sizeof(lost));
    }
    end_block(p);
}

static COLD void count_dropped(CapturePcapng *p)
{
    if (!p->dropped++) {
        warn_report("virtio-capture: cannot write all frames of netdev '%s' to "
                    "'%s': %s", p->owner->netdev_id, p->owner->pcapng,
                    strerror(errno));
    }
}

static ssize_t pcapng_receive_iov(NetFilterState *nf, NetClientState *sender,
                                  unsigned flags, const struct iovec *iov,
                                  int iovcnt, NetPacketSent *sent_cb)
{
    CapturePcapng *p = container_of(nf, CapturePcapng, parent_obj);
    bool is_sent = sender != nf->netdev;
    size_t skip = flags & QEMU_NET_PACKET_FLAG_RAW ? 0
                                                   : nf->netdev->vnet_hdr_len;
    uint64_t now = wall_clock();

    /* After the filters, QEMU drops frames for a NIC whose link is down. */
    if ((!is_sent && nf->netdev->peer->link_down) ||
        iov_size(iov, iovcnt) <= skip || virtio_capture_is_feedback(sender)) {
        return 0;
    }
    p->received++;
    make_packet(p, now, is_sent, iov, iovcnt, skip);
    if (append_block(p)) {
        p->reported = p->dropped;
    } else {
        count_dropped(p);
    }
    /* It overwrites the old one, so this works on a full disk. */
    make_statistics(p, now);
    write_block(p, p->statistics);
    return 0; /* pass it on */
}

/* Called when the device or its netdev is removed, and when QEMU exits. */
static void pcapng_cleanup(NetFilterState *nf)
{
    CapturePcapng *p = CAPTURE_PCAPNG(nf);

    if (p->owner) {
        p->owner->recorder = NULL;
        make_statistics(p, wall_clock());
        write_block(p, p->statistics);
    }
    g_free(p->block);
    if (p->fd >= 0) {
        qemu_close(p->fd);
    }
}

/* Opens, locks and truncates the file. Returns -1 on failure. */
static int open_file(const char *path, Error **errp)
{
    /* O_NONBLOCK: fail for a FIFO, instead of waiting for a reader. */
    int fd = qemu_create(path, O_WRONLY | O_NONBLOCK, 0666, errp);
    struct stat st;

    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        error_setg(errp, "'pcapng' names '%s', which is not a regular file",
                   path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        error_setg(errp, "'pcapng' names '%s', which is in use", path);
    } else if (ftruncate(fd, 0)) {
        error_setg_errno(errp, errno, "cannot empty '%s'", path);
    } else {
        return fd;
    }
    qemu_close(fd);
    return -1;
}

static size_t block_size(VirtIOCapture *s)
{
    return NET_BUFSIZE + BLOCK_OVERHEAD +
           (s->pcapng_name ? strlen(s->pcapng_name) : strlen(s->netdev_id));
}

bool virtio_capture_pcapng_start(VirtIOCapture *s, Error **errp)
{
    CapturePcapng *p;
    Object *obj;

    if (!s->pcapng) {
        return true;
    }
    if (s->pcapng_name && strlen(s->pcapng_name) > UINT16_MAX) {
        error_setg(errp, "'pcapng-name' is longer than %u bytes", UINT16_MAX);
        return false;
    }
    obj = virtio_capture_new_filter(s, TYPE_CAPTURE_PCAPNG, errp);
    if (!obj) {
        return false;
    }
    p = CAPTURE_PCAPNG(obj);
    p->fd = open_file(s->pcapng, errp);
    if (p->fd < 0) {
        object_unref(obj);
        return false;
    }
    p->block = g_malloc(block_size(s));
    p->owner = s;
    if (!write_head(p)) {
        error_setg_errno(errp, errno, "cannot write to '%s'", s->pcapng);
        p->owner = NULL;
        object_unref(obj);
        return false;
    }
    object_property_add_child(OBJECT(s), "recorder", obj);
    object_unref(obj);
    s->recorder = p;
    return true;
}

void virtio_capture_pcapng_stop(VirtIOCapture *s)
{
    if (s->recorder) {
        object_unparent(OBJECT(s->recorder));
    }
}

static void pcapng_init(Object *obj)
{
    CAPTURE_PCAPNG(obj)->fd = -1;
}

static void pcapng_class_init(ObjectClass *klass, void *data)
{
    NetFilterClass *nfc = NETFILTER_CLASS(klass);

    virtio_capture_filter_class_init(klass);
    nfc->cleanup = pcapng_cleanup;
    nfc->receive_iov = pcapng_receive_iov;
}

static const TypeInfo capture_pcapng_info = {
    .name = TYPE_CAPTURE_PCAPNG,
    .parent = TYPE_NETFILTER,
    .instance_size = sizeof(CapturePcapng),
    .instance_init = pcapng_init,
    .class_init = pcapng_class_init,
};

void virtio_capture_pcapng_register_types(void)
{
    type_register_static(&capture_pcapng_info);
}

#ifndef VIRTIO_CAPTURE_PLUGIN
type_init(virtio_capture_pcapng_register_types)
#endif
