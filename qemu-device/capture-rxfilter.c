/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which received frames would the NIC accept?
 *
 * A NIC model with a query_rx_filter callback says it in lists of strings,
 * among them one of up to 4096 VLAN numbers: far too much work for each frame.
 * So the answer is kept, in a form that is quick to look up. It is asked for
 * again only when a frame comes that needs it, and when the old one is older
 * than fifty times of what it took to get. So questions never take more than
 * 2% of the main loop's time, and a change of the NIC's filter counts here
 * after some milliseconds at most.
 *
 * Other models: the NIC's own address, broadcast and all multicast.
 */
#include "qemu/osdep.h"
#include "qapi/qapi-types-net.h"
#include "net/eth.h"
#include "net/util.h"
#include "qemu/bitmap.h"
#include "qemu/iov.h"
#include "virtio-capture.h"

#define COST_FACTOR 50

#define HEAD_LEN    16          /* both addresses, VLAN tag */
#define VLAN_COUNT  (VLAN_VID_MASK + 1)

struct CaptureRxFilter {
    int64_t expires;            /* QEMU_CLOCK_REALTIME, ns */
    bool promiscuous;
    RxState unicast;
    RxState multicast;
    MACAddr main;
    GArray *table;              /* of MACAddr: unicast and multicast */
    bool check_vlan;
    DECLARE_BITMAP(vlans, VLAN_COUNT);
};

void virtio_capture_rxfilter_forget(VirtIOCapture *s)
{
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

/* Ask the NIC, and keep its answer. */
static void ask(VirtIOCapture *s, NetClientState *nic)
{
    unsigned notify = nic->rxfilter_notify_enabled;
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    RxFilterInfo *info = nic->info->query_rx_filter(nic);
    CaptureRxFilter *f = g_new0(CaptureRxFilter, 1);
    const intList *vlan;
    int64_t end;

    /* The question arms an event for the management, which did not ask. */
    nic->rxfilter_notify_enabled = notify;

    virtio_capture_rxfilter_forget(s);
    s->rxfilter = f;
    f->promiscuous = info->promiscuous;
    f->unicast = info->unicast_overflow ? RX_STATE_ALL : info->unicast;
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

    end = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    f->expires = end + (end - start) * COST_FACTOR;
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
    if (is_broadcast_ether_addr(head)) {
        return true;
    }
    return state == RX_STATE_ALL ||
           (state == RX_STATE_NORMAL &&
            (!memcmp(head, f->main.a, ETH_ALEN) || in_table(f, head)));
}

/*
 * Frames that are nearly all of a host's traffic: an old answer is as good as
 * a new one for them.
 */
static bool is_ordinary(const CaptureRxFilter *f, const uint8_t *head)
{
    return lduw_be_p(head + 2 * ETH_ALEN) != ETH_P_VLAN &&
           (is_broadcast_ether_addr(head) ||
            (f->unicast != RX_STATE_NONE &&
             !memcmp(head, f->main.a, ETH_ALEN)));
}

bool virtio_capture_nic_accepts(VirtIOCapture *s, NetClientState *nic,
                                const CaptureFrame *frame)
{
    uint8_t head[HEAD_LEN] = { 0 };

    if (nic->info->type != NET_CLIENT_DRIVER_NIC) {
        return true; /* a hub: nobody to ask, and nothing filtered there */
    }
    if (iov_to_buf(frame->iov, frame->iovcnt, frame->skip, head,
                   MIN(frame->len, sizeof(head))) < ETH_ALEN) {
        return false;
    }
    if (!nic->info->query_rx_filter) {
        return is_multicast_ether_addr(head) ||
               !memcmp(head, qemu_get_nic(nic)->conf->macaddr.a, ETH_ALEN);
    }
    if (!s->rxfilter ||
        (!is_ordinary(s->rxfilter, head) &&
         qemu_clock_get_ns(QEMU_CLOCK_REALTIME) >= s->rxfilter->expires)) {
        ask(s, nic);
    }
    return accepts(s->rxfilter, head);
}
