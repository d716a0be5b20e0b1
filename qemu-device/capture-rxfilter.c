/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NIC's receive filter: which received frames the NIC accepts.
 *
 * A NIC model with a query_rx_filter callback returns its filter as lists of
 * strings, including one of up to 4096 VLAN numbers: too much work for each
 * frame. So the filter is cached in a form that is quick to look up. It is
 * queried again only for a frame that needs it, and only if the cached one is
 * older than fifty times the duration of the last query. So queries take no
 * more than 2% of the main loop's time, and a change of the NIC's filter takes
 * effect here within some milliseconds. For common frames, see is_common(), it
 * takes effect within a second, which a timer measures: so the common case does
 * not read the clock.
 *
 * For other models the filter is the NIC's own address, broadcast and all
 * multicast.
 */
#include "qemu/osdep.h"
#include "qapi/qapi-types-net.h"
#include "net/eth.h"
#include "net/util.h"
#include "qemu/bitmap.h"
#include "qemu/iov.h"
#include "capture-device.h"

#define QUERY_COST_FACTOR   50

/* Maximum age of a cached filter, ns. */
#define MAX_VALIDITY        NANOSECONDS_PER_SECOND

#define HEAD_LEN    16          /* both addresses, VLAN tag */
#define VLAN_COUNT  (VLAN_VID_MASK + 1)

struct CaptureRxFilter {
    int64_t queried;            /* real time of the query, ns */
    int64_t validity;           /* maximum age for uncommon frames, ns */
    bool promiscuous;
    RxState unicast;
    RxState multicast;
    MACAddr main;
    const NetClientInfo *model; /* of the NIC that was queried */
    GArray *table;              /* of MACAddr, unicast and multicast */
    bool check_vlan;
    DECLARE_BITMAP(vlans, VLAN_COUNT);
};

void virtio_capture_rxfilter_invalidate(VirtIOCapture *s)
{
    timer_del(&s->rxfilter_timer);
    s->own_model = NULL;
    if (s->rxfilter) {
        g_array_free(s->rxfilter->table, true);
        g_free(s->rxfilter);
        s->rxfilter = NULL;
    }
}

static void add_addresses(GArray *table, const strList *list)
{
    MACAddr mac;

    for (; list; list = list->next) {
        if (net_parse_macaddr(mac.a, list->value) == 0) {
            g_array_append_val(table, mac);
        }
    }
}

/* Query the NIC's filter, and cache it. */
static void query_nic(VirtIOCapture *s, NetClientState *nic)
{
    unsigned notify = nic->rxfilter_notify_enabled;
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    RxFilterInfo *info = nic->info->query_rx_filter(nic);
    CaptureRxFilter *f = g_new0(CaptureRxFilter, 1);
    const intList *vlan;
    int64_t cost;

    /* A query re-enables NIC_RX_FILTER_CHANGED, which is for QMP's queries. */
    nic->rxfilter_notify_enabled = notify;

    virtio_capture_rxfilter_invalidate(s);
    s->rxfilter = f;
    f->model = nic->info;
    f->promiscuous = info->promiscuous;
    f->unicast = info->unicast_overflow &&
                 info->unicast != RX_STATE_NONE ? RX_STATE_ALL : info->unicast;
    f->multicast = info->multicast_overflow &&
                   info->multicast != RX_STATE_NONE ? RX_STATE_ALL
                                                    : info->multicast;
    f->table = g_array_new(false, false, sizeof(MACAddr));
    add_addresses(f->table, info->unicast_table);
    add_addresses(f->table, info->multicast_table);
    net_parse_macaddr(f->main.a, info->main_mac);
    f->check_vlan = info->vlan != RX_STATE_ALL;
    for (vlan = info->vlan_table; vlan; vlan = vlan->next) {
        if (vlan->value >= 0 && vlan->value < VLAN_COUNT) {
            set_bit(vlan->value, f->vlans);
        }
    }
    qapi_free_RxFilterInfo(info);

    f->queried = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    cost = f->queried - start;
    f->validity = MIN(cost * QUERY_COST_FACTOR, MAX_VALIDITY);
    timer_mod_ns(&s->rxfilter_timer, f->queried + MAX_VALIDITY);
    if (f->unicast != RX_STATE_NONE) {
        uint8_t address[8] = { 0 };

        memcpy(address, f->main.a, ETH_ALEN);
        s->own_address = ldq_le_p(address) << 16;
        s->own_model = f->model;
    }
}

/* Return the cached filter, or NULL if it is of a NIC of another model. */
static const CaptureRxFilter *cached_filter(VirtIOCapture *s,
                                            NetClientState *nic)
{
    const CaptureRxFilter *f = s->rxfilter;

    return f && f->model == nic->info ? f : NULL;
}

static bool in_table(const CaptureRxFilter *f, const uint8_t *address)
{
    guint i;

    for (i = 0; i < f->table->len; i++) {
        if (!memcmp(g_array_index(f->table, MACAddr, i).a, address,
                    ETH_ALEN)) {
            return true;
        }
    }
    return false;
}

static bool accepts(const CaptureRxFilter *f, const uint8_t *head)
{
    RxState state = is_multicast_ether_addr(head) ? f->multicast : f->unicast;

    if (f->promiscuous) {
        return true;
    }
    if (f->check_vlan && lduw_be_p(head + 2 * ETH_ALEN) == ETH_P_VLAN &&
        !test_bit(lduw_be_p(head + 2 * ETH_ALEN + 2) & VLAN_VID_MASK,
                  f->vlans)) {
        return false;
    }
    /* Ignore broadcast_allowed: virtio-net reports the inverse of it. */
    if (is_broadcast_ether_addr(head)) {
        return true;
    }
    return state == RX_STATE_ALL ||
           (state == RX_STATE_NORMAL &&
            (!memcmp(head, f->main.a, ETH_ALEN) || in_table(f, head)));
}

/* Whether the cached filter is too old for a frame that is not common. */
static bool is_expired(const CaptureRxFilter *f)
{
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - f->queried > f->validity;
}

/* Whether a frame is of the most frequent kinds, which the NIC accepts. */
static bool is_common(const CaptureRxFilter *f, const uint8_t *head)
{
    return lduw_be_p(head + 2 * ETH_ALEN) != ETH_P_VLAN &&
           ((f->unicast != RX_STATE_NONE &&
             !memcmp(head, f->main.a, ETH_ALEN)) ||
            is_broadcast_ether_addr(head));
}

/* Copy the first len bytes of a frame, which has at least as many. */
static void copy_head(const CaptureFrame *frame, uint8_t *to, size_t len)
{
    const struct iovec *iov = frame->more;
    size_t part = MIN(len, frame->first_len);

    memcpy(to, frame->first, part);
    while (len > part) {
        len -= part;
        to += part;
        part = MIN(len, iov->iov_len);
        memcpy(to, iov->iov_base, part);
        iov++;
    }
}

/* The slow path of virtio_capture_nic_accepts(): any NIC and any frame. */
static COLD bool nic_accepts(VirtIOCapture *s, NetClientState *nic,
                             const CaptureFrame *frame)
{
    size_t len = MIN(frame->len, HEAD_LEN);
    uint8_t head[HEAD_LEN] = { 0 };
    const CaptureRxFilter *f = cached_filter(s, nic);

    if (nic->info->type != NET_CLIENT_DRIVER_NIC) {
        return true; /* a hub, which filters nothing */
    }
    if (len < ETH_ALEN) {
        return false;
    }
    copy_head(frame, head, len);
    if (!nic->info->query_rx_filter) {
        return is_multicast_ether_addr(head) ||
               !memcmp(head, qemu_get_nic(nic)->conf->macaddr.a, ETH_ALEN);
    }
    if (!f || (!is_common(f, head) && is_expired(f))) {
        query_nic(s, nic);
    }
    return accepts(s->rxfilter, head);
}

bool virtio_capture_nic_accepts(VirtIOCapture *s, NetClientState *nic,
                                const CaptureFrame *frame)
{
    const CaptureRxFilter *f = cached_filter(s, nic);

    if (f && frame->first_len >= HEAD_LEN && is_common(f, frame->first)) {
        return true;
    }
    return nic_accepts(s, nic, frame);
}

static void rxfilter_expired(void *opaque)
{
    virtio_capture_rxfilter_invalidate(opaque);
}

void virtio_capture_rxfilter_init(VirtIOCapture *s)
{
    timer_init_ns(&s->rxfilter_timer, QEMU_CLOCK_REALTIME, rxfilter_expired, s);
}

void virtio_capture_rxfilter_cleanup(VirtIOCapture *s)
{
    virtio_capture_rxfilter_invalidate(s);
}
