// SPDX-License-Identifier: GPL-2.0-or-later
/* What it costs to ask a descriptor how much there is. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <net/bpf.h>

#include "bench.h"

#define MEMORY	(1 << 20)
#define TIMEOUT	1000

static void ask_bpf(int fd, bool stats)
{
	struct bpf_stat counts;
	int waiting;

	if (stats)
		bpf_set(fd, BIOCGSTATS, &counts, "BIOCGSTATS");
	else
		bpf_set(fd, FIONREAD, &waiting, "FIONREAD");
}

static void ask_packet(int fd, bool stats)
{
	struct tpacket_stats counts;
	socklen_t len = sizeof(counts);
	int waiting;

	if (stats ? getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counts, &len)
		  : ioctl(fd, FIONREAD, &waiting))
		die("asking AF_PACKET");
}

void ask(const char *what, int count, const char *interface)
{
	struct receiver r = { .memory = MEMORY, .timeout_ms = TIMEOUT };
	bool packet = !strncmp(what, "packet-", 7), stats = !!strstr(what, "stats");
	void (*one)(int fd, bool stats) = packet ? ask_packet : ask_bpf;
	int fd = packet ? socket(AF_PACKET, SOCK_RAW, 0) : bpf_open();

	strncpy(r.interface, interface, sizeof(r.interface) - 1);
	if (!packet)
		bpf_attach(fd, &r);
	one(fd, stats);
	MARK(MARK_START);
	while (count-- > 0)
		one(fd, stats);
	MARK(MARK_END);
	close(fd);
}
