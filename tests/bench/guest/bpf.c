// SPDX-License-Identifier: GPL-2.0-or-later
/* The subject: read(2) on /dev/bpf. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <net/bpf.h>

#include "bench.h"

/* Two buffers together are as large as the peers' ring. */
#define SIZE		(4 << 20)

/* So that the last frames of a run come without more to push them. */
#define TIMEOUT_US	100000

static void set(int fd, unsigned long request, void *value, const char *what)
{
	if (ioctl(fd, request, value) < 0)
		die(what);
}

/* Attached like tcpdump: filter first, promiscuous. */
static int open_bpf(struct receiver *r)
{
	struct timeval timeout = { .tv_usec = TIMEOUT_US };
	unsigned int size = SIZE, one = 1;
	struct bpf_program program;
	struct ifreq interface = { 0 };
	int fd = open("/dev/bpf", O_RDWR);

	if (fd < 0)
		die("/dev/bpf");
	set(fd, BIOCSBLEN, &size, "BIOCSBLEN");
	if (size != SIZE)
		die("BIOCSBLEN: the buffer is smaller than wanted");
	if (r->filter) {
		program.bf_len = r->filter->len;
		program.bf_insns = (void *)r->filter->insns;
		set(fd, BIOCSETF, &program, "BIOCSETF");
	}
	if (r->at_once)
		set(fd, BIOCIMMEDIATE, &one, "BIOCIMMEDIATE");
	else
		set(fd, BIOCSRTIMEOUT, &timeout, "BIOCSRTIMEOUT");
	strncpy(interface.ifr_name, r->interface,
		sizeof(interface.ifr_name) - 1);
	set(fd, BIOCSETIF, &interface, "BIOCSETIF");
	set(fd, BIOCPROMISC, NULL, "BIOCPROMISC");
	return fd;
}

static void walk(const uint8_t *buffer, ssize_t len, struct receiver *r)
{
	const uint8_t *at = buffer;

	while (at < buffer + len) {
		const struct bpf_hdr *header = (const struct bpf_hdr *)at;

		r->frames++;
		r->bytes += header->bh_caplen;
		asm volatile("" :: "r"(*(volatile const uint8_t *)
				       (at + header->bh_hdrlen)));
		at += BPF_WORDALIGN(header->bh_hdrlen + header->bh_caplen);
	}
}

void receive_bpf(struct receiver *r)
{
	uint8_t *buffer = malloc(SIZE);
	int fd = open_bpf(r);
	struct bpf_stat stats;

	memset(buffer, 0, SIZE);
	r->ready = true;
	while (!stopped) {
		ssize_t len = read(fd, buffer, SIZE);

		if (r->at_once)
			MARK(MARK_READ);
		r->calls++;
		walk(buffer, len, r);
	}
	set(fd, BIOCGSTATS, &stats, "BIOCGSTATS");
	r->dropped = stats.bs_drop;
}
