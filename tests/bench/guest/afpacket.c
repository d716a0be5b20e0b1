// SPDX-License-Identifier: GPL-2.0-or-later
/* The peers: AF_PACKET with a TPACKET_V3 ring, and with recvfrom(2). */
#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "bench.h"

#define BLOCK_SIZE	(128 << 10)
#define FRAME_SIZE	2048

static void attach_filter(int fd, const struct program *filter)
{
	struct sock_fprog fprog;

	if (!filter)
		return;
	fprog.len = filter->len;
	fprog.filter = (struct sock_filter *)filter->insns;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog)))
		err(1, "SO_ATTACH_FILTER");
}

static void bind_to(int fd, const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(interface),
	};
	struct packet_mreq promiscuous = {
		.mr_ifindex = address.sll_ifindex,
		.mr_type = PACKET_MR_PROMISC,
	};

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
		       sizeof(promiscuous)))
		err(1, "bind");
}

static void count_drops(int fd, struct receiver *r)
{
	struct tpacket_stats_v3 stats = { 0 };
	socklen_t len = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		err(1, "PACKET_STATISTICS");
	r->dropped = stats.tp_drops;
}

/* Protocol 0: the socket receives nothing until it is bound. */
static int open_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

static void read_block(struct tpacket_block_desc *block, struct receiver *r)
{
	uint8_t *at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
	unsigned int n;

	for (n = block->hdr.bh1.num_pkts; n > 0; n--) {
		struct tpacket3_hdr *header = (struct tpacket3_hdr *)at;

		r->frames++;
		r->bytes += header->tp_snaplen;
		asm volatile("" :: "r"(*(volatile uint8_t *)(at + header->tp_mac)));
		at += header->tp_next_offset;
	}
}

void receive_v3(struct receiver *r)
{
	unsigned int blocks = r->memory / BLOCK_SIZE, i = 0;
	struct tpacket_req3 req = {
		.tp_block_size = BLOCK_SIZE,
		.tp_block_nr = blocks,
		.tp_frame_size = FRAME_SIZE,
		.tp_frame_nr = r->memory / FRAME_SIZE,
		.tp_retire_blk_tov = r->timeout_ms,
	};
	int fd = open_socket(), version = TPACKET_V3;
	uint8_t *ring;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
		       sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		err(1, "PACKET_RX_RING");
	ring = mmap(NULL, r->memory, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, fd, 0);
	if (ring == MAP_FAILED)
		err(1, "mmap");
	attach_filter(fd, r->filter);
	bind_to(fd, r->interface);
	r->ready = true;

	while (!r->stopped) {
		struct tpacket_block_desc *block =
			(void *)(ring + (size_t)i * BLOCK_SIZE);
		struct pollfd wait = { .fd = fd, .events = POLLIN | POLLERR };

		if (!(__atomic_load_n(&block->hdr.bh1.block_status,
				      __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
			r->calls++;
			poll(&wait, 1, r->how == TIMED ? (int)r->timeout_ms : -1);
			continue;
		}
		read_block(block, r);
		__atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		i = (i + 1) % blocks;
	}
	count_drops(fd, r);
}

void receive_recvfrom(struct receiver *r)
{
	static uint8_t packet[65536];
	int fd = open_socket(), size = r->memory;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct timeval timeout = {
		.tv_sec = r->timeout_ms / 1000,
		.tv_usec = r->timeout_ms % 1000 * 1000,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		err(1, "SO_RCVBUFFORCE");
	if (r->how == TIMED &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		err(1, "SO_RCVTIMEO");
	attach_filter(fd, r->filter);
	bind_to(fd, r->interface);
	r->ready = true;

	while (!r->stopped) {
		ssize_t len;

		if (r->how == POLL && poll(&wait, 1, -1) < 0)
			continue;
		len = recvfrom(fd, packet, sizeof(packet), 0, NULL, NULL);
		if (is_at_once(r))
			MARK(MARK_READ);
		r->calls++;
		if (len >= 0) {
			r->frames++;
			r->bytes += len;
		}
	}
	count_drops(fd, r);
}
