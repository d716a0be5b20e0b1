// SPDX-License-Identifier: GPL-2.0-or-later
/* read(2) on /dev/bpf. */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <net/bpf.h>

#include "bench.h"

void bpf_set(int fd, unsigned long request, void *value, const char *what)
{
	if (ioctl(fd, request, value) < 0)
		err(1, "%s", what);
}

int bpf_open(void)
{
	int fd = open("/dev/bpf", O_RDWR);

	if (fd < 0)
		err(1, "/dev/bpf");
	return fd;
}

/* As tcpdump does: filter first, promiscuous. */
void bpf_attach(int fd, const struct receiver *r)
{
	struct timeval timeout = {
		.tv_sec = r->timeout_ms / 1000,
		.tv_usec = r->timeout_ms % 1000 * 1000,
	};
	struct ifreq interface = { 0 };
	struct bpf_program program;
	unsigned int one = 1;

	if (r->filter) {
		program.bf_len = r->filter->len;
		program.bf_insns = (void *)r->filter->insns;
		bpf_set(fd, BIOCSETF, &program, "BIOCSETF");
	}
	if (is_at_once(r))
		bpf_set(fd, BIOCIMMEDIATE, &one, "BIOCIMMEDIATE");
	else
		bpf_set(fd, BIOCSRTIMEOUT, &timeout, "BIOCSRTIMEOUT");
	memcpy(interface.ifr_name, r->interface, sizeof(r->interface));
	bpf_set(fd, BIOCSETIF, &interface, "BIOCSETIF");
	bpf_set(fd, BIOCPROMISC, NULL, "BIOCPROMISC");
}

void bpf_walk(const uint8_t *buffer, size_t len, struct receiver *r)
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
	unsigned int size = r->memory / 2;
	int fd = bpf_open();
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct bpf_stat stats;
	uint8_t *buffer;

	bpf_set(fd, BIOCSBLEN, &size, "BIOCSBLEN");
	if (size != r->memory / 2)
		errx(1, "BIOCSBLEN: the buffer is smaller than wanted");
	buffer = malloc(size);
	/* Touch all pages; with zeros the compiler would use calloc(). */
	memset(buffer, 1, size);
	bpf_attach(fd, r);
	r->ready = true;
	while (!r->stopped) {
		ssize_t len;

		if (r->how == POLL && poll(&wait, 1, -1) < 0)
			continue;
		len = read(fd, buffer, size);
		if (is_at_once(r))
			MARK(MARK_READ);
		r->calls++;
		if (len > 0)
			bpf_walk(buffer, len, r);
	}
	bpf_set(fd, BIOCGSTATS, &stats, "BIOCGSTATS");
	r->dropped = stats.bs_drop;
}
