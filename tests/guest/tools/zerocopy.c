// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zerocopy FOLDER: a program with zero-copy buffers on eth0, for tests that
 * remove the interface (tests/lifecycle/zerocopy.t).
 *
 * It creates FOLDER/ready, and accesses its buffers only when FOLDER/go
 * exists. It then reads all packets, and overwrites the buffers with its own
 * bytes, which must not change from then on. At FOLDER/close it closes the
 * descriptor, and at FOLDER/end it exits. The last line of its output is the
 * result.
 */
#include "../zbuf.h"

#define LEN	(4 * PAGE)
#define PATTERN	0x5a

static const char *folder;

static void await_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	while (access(path, F_OK))
		usleep(10000);
}

static void create_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static int untouched(const struct zero *z)
{
	size_t i;

	for (i = 0; i < z->len; i++)
		if (z->buf[0][i] != PATTERN || z->buf[1][i] != PATTERN)
			return 0;
	return 1;
}

/* Read all packets; return the number of frames, which are numbered from 0. */
static int read_to_end(struct zero *z)
{
	int n = 0, wrong = 0, error = 0;
	struct bpf_zbuf zbuf;
	struct bpf_hdr *h;

	while (!error) {
		size_t off = 0, len;

		readable(z->fd, 100);
		if (!available(z) && ioctl(z->fd, BIOCROTZBUF, &zbuf) < 0)
			error = errno;
		len = available(z);
		while ((h = next_packet(packets(z, z->next), len, &off)))
			wrong += ntohl(packet_frame(h)->seq) != (uint32_t)n++;
		if (len)
			finish_next(z);
	}
	printf("frames %d wrong %d %s\n", n, wrong, strerror(error));
	return n;
}

int main(int argc, char **argv)
{
	struct zero z;
	int good;

	folder = argc > 1 ? argv[1] : ".";
	setlinebuf(stdout);
	z = zero_listen(LEN);
	create_file("ready");
	await_file("go");
	read_to_end(&z);
	memset(z.buf[0], PATTERN, LEN);
	memset(z.buf[1], PATTERN, LEN);
	create_file("read");
	await_file("close");
	good = untouched(&z);
	close(z.fd);
	create_file("closed");
	await_file("end");
	good &= untouched(&z);
	printf("memory %s\n", good ? "untouched" : "touched");
	return 0;
}
