// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay INTERFACE FILE: sends the frames of a pcap file (little-endian, made
 * by the test) one by one through the kernel's stack, and prints their number.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/socket.h>
#include <net/if.h>
#include <linux/if_packet.h>

struct packet {
	uint32_t sec, usec, caplen, len;
};

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	static unsigned char frame[65536];
	struct packet packet;
	unsigned int count = 0;
	int on = 1;
	FILE *file;
	int s;

	if (argc != 3)
		return 2;
	to.sll_ifindex = if_nametoindex(argv[1]);
	s = socket(AF_PACKET, SOCK_RAW, 0);
	file = fopen(argv[2], "rb");
	if (!to.sll_ifindex || s < 0 || !file || fseek(file, 24, SEEK_SET)) {
		fprintf(stderr, "replay %s %s: cannot open\n", argv[1], argv[2]);
		return 1;
	}
	/* The queueing discipline would reorder frames of different flows. */
	setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	while (fread(&packet, sizeof(packet), 1, file)) {
		packet.caplen = le32toh(packet.caplen);
		if (packet.caplen > sizeof(frame) ||
		    fread(frame, packet.caplen, 1, file) != 1) {
			fprintf(stderr, "replay: %s is damaged\n", argv[2]);
			return 1;
		}
		while (sendto(s, frame, packet.caplen, 0,
			      (struct sockaddr *)&to, sizeof(to)) < 0) {
			if (errno != ENOBUFS) {
				perror("sendto");
				return 1;
			}
			usleep(1000);	/* the NIC's ring is full */
		}
		count++;
	}
	printf("%u\n", count);
	return 0;
}
