// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ask WHAT COUNT INTERFACE
 *
 * makes a request to the descriptor of an idle receiver COUNT times, between
 * the markers. WHAT: fionread or stats for /dev/bpf, packet-fionread or
 * packet-stats for AF_PACKET.
 */
#include <err.h>
#include <stdlib.h>
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
#define REST	200000		/* us, until deferred work of the start is done */

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
		err(1, "asking AF_PACKET");
}

int main(int argc, char **argv)
{
	struct receiver r = { .memory = MEMORY, .timeout_ms = TIMEOUT };
	void (*ask)(int fd, bool stats);
	bool packet, stats;
	int count, fd;

	if (argc != 4)
		errx(1, "usage: ask WHAT COUNT INTERFACE");
	packet = !strncmp(argv[1], "packet-", 7);
	stats = !!strstr(argv[1], "stats");
	count = atoi(argv[2]);
	strncpy(r.interface, argv[3], sizeof(r.interface) - 1);
	ask = packet ? ask_packet : ask_bpf;
	fd = packet ? socket(AF_PACKET, SOCK_RAW, 0) : bpf_open();
	if (!packet)
		bpf_attach(fd, &r);
	ask(fd, stats);
	usleep(REST);
	MARK(MARK_START);
	while (count-- > 0)
		ask(fd, stats);
	MARK(MARK_END);
	return 0;
}
