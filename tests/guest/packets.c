// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets that a reader gets: every frame whole, in order, correct headers. */
#include <time.h>

#include "guest.h"

#define N	300
#define LAST	999999

static uint8_t buf[65536];

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* The packets of a stream so far. */
struct seen {
	uint32_t seq;		/* of the next packet */
	uint64_t time;		/* of the last packet, us */
	uint64_t back;		/* the largest step back in time */
	int bad;
};

/* Compare the packets of one read with the next frames. */
static void check(ssize_t len, struct seen *seen)
{
	struct bpf_hdr *h;
	size_t off = 0, i;

	while ((h = next_packet(buf, len, &off))) {
		size_t size = 60 + (seen->seq * 13) % 1455;
		uint64_t time = h->bh_tstamp.tv_sec * 1000000ULL +
				h->bh_tstamp.tv_usec;
		uint8_t *end = (uint8_t *)h + HEADER + h->bh_caplen;
		struct frame expected;

		make_frame(&expected, seen->seq, size);
		seen->bad += h->bh_hdrlen != HEADER || h->bh_caplen != size ||
			     h->bh_datalen != size ||
			     memcmp(packet_frame(h), &expected, size) ||
			     h->bh_tstamp.tv_usec > 999999;
		for (i = 26; i < HEADER; i++)
			seen->bad += ((uint8_t *)h)[i] != 0;
		for (; end < buf + off; end++)
			seen->bad += *end != 0;
		if (time < seen->time && seen->time - time > seen->back)
			seen->back = seen->time - time;
		seen->time = time;
		seen->seq++;
	}
	seen->bad += off != (size_t)len;
}

/*
 * Times may go back when the driver corrects the offset between the clocks, for
 * example when it attaches or in a barrier, but by no more than the device's
 * response time.
 */
static void test_stream(const char *listener, const char *what)
{
	uint64_t start = time(NULL) * 1000000ULL, before = now_us(), took;
	int fd = listen_on(listener, sizeof(buf), O_RDWR | O_NONBLOCK);
	uint64_t longest = now_us() - before;
	struct seen seen = { .time = start - 2000000 };
	uint32_t i;

	for (i = 0; i < N; i++) {
		struct frame f;
		size_t size = 60 + (i * 13) % 1455;

		make_frame(&f, i, size);
		send_raw("eth1", &f, size);
		/* Read often enough that nothing is dropped. */
		if (i % 20 == 19) {
			before = now_us();
			await_received(fd, i + 1);
			took = now_us() - before;
			if (took > longest)
				longest = took;
			check(read(fd, buf, sizeof(buf)), &seen);
		}
	}
	equal(seen.bad, 0,
	      "%s: packets have the right contents, lengths and padding"
	      " [BPF-INPUT-5 BPF-INPUT-16 BPF-INPUT-17 BPF-INPUT-18]",
	      what);
	ok(seen.back <= longest,
	   "%s: times go back by %llu us, which is at most %llu us", what,
	   (unsigned long long)seen.back, (unsigned long long)longest);
	equal(seen.seq, N,
	      "%s: every frame is captured once and in order [CAP-DRV-INIT-1 BPF-INPUT-14]",
	      what);
	ok(seen.time < start + 600 * 1000000ULL,
	   "%s: times are those of CLOCK_REALTIME", what);
	equal(stats(fd).bs_capt, N, "%s: bs_capt counts every frame", what);
	equal(stats(fd).bs_drop, 0, "%s: bs_drop is 0", what);
	close(fd);
}

/* Wait until all that eth1 has sent has crossed to eth0. */
static void await_crossing(void)
{
	int fd = listen_on("eth0", sizeof(buf), O_RDWR | O_NONBLOCK), i;
	struct bpf_hdr *h;
	ssize_t len;
	size_t off;

	send_frames("eth1", LAST, 1, 100);
	for (i = 0; i < 2000; i++) {
		len = read(fd, buf, sizeof(buf));
		for (off = 0; (h = next_packet(buf, len, &off));)
			if (ntohl(packet_frame(h)->seq) == LAST) {
				close(fd);
				return;
			}
		usleep(5000);
	}
	bail("the last frame");
}

static void test_two_listeners(void)
{
	int a = listen_on("eth0", sizeof(buf), O_RDWR | O_NONBLOCK);
	int b = listen_on("eth0", sizeof(buf), O_RDWR | O_NONBLOCK);
	ssize_t len;

	send_frames("eth1", 0, 3, 100);
	await_received(a, 3);
	len = read(a, buf, sizeof(buf));
	equal(len, 3 * 136, "two descriptors: the first reads three packets");
	equal(read(b, buf, sizeof(buf)), len,
	      "two descriptors: the second gets all that the first has read [BPF-INPUT-26]");
	close(a);
	send_frames("eth1", 0, 2, 100);
	await_received(b, 5);
	equal(read(b, buf, sizeof(buf)), 2 * 136,
	      "two descriptors: the second captures after the first is closed [BPF-CLOSE-6]");
	close(b);
}

/* The device may still have frames for the other descriptor in a buffer. */
static void test_earlier_packets(void)
{
	int other = listen_on("eth0", sizeof(buf), O_RDWR), i, fd;
	uint64_t earlier = 0;

	for (i = 0; i < 20; i++) {
		fd = open_bpf(O_RDWR);
		send_frames("eth0", 0, 3, 100);
		attach(fd, "eth0");
		earlier += stats(fd).bs_recv;
		close(fd);
	}
	equal(earlier, 0,
	      "frames from before BIOCSETIF are not received [BPF-SETIF-6]");
	equal(stats(other).bs_capt, 60,
	      "frames from before BIOCSETIF are received by another descriptor");
	close(other);
}

static void test_snaplen(void)
{
	int fd = listen_on("eth0", 4096, O_RDWR | O_NONBLOCK);
	struct bpf_insn insns[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 21),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct bpf_program program = { 4, insns };
	struct bpf_hdr *h = (struct bpf_hdr *)buf;
	struct frame expected;
	int other;

	equal(ioctl(fd, BIOCSETF, &program), 0,
	      "BIOCSETF of a filter that keeps 21 bytes succeeds");
	send_frames("eth1", 5, 1, 1000);
	await_received(fd, 1);
	equal(read(fd, buf, 4096), 56,
	      "filter that keeps 21 bytes: the packet has 56 with header and padding");
	equal(h->bh_caplen, 21,
	      "filter that keeps 21 bytes: the captured length is 21 [BPF-INPUT-6]");
	equal(h->bh_datalen, 1000,
	      "filter that keeps 21 bytes: the original length is 1000 [BPF-INPUT-6]");
	insns[2].k = 900;
	equal(ioctl(fd, BIOCSETF, &program), 0,
	      "BIOCSETF of a filter that keeps 900 bytes succeeds");
	send_frames("eth0", 5, 1, 1000);
	stats(fd);
	equal(read(fd, buf, 4096), 936,
	      "filter that keeps 900 bytes: the packet has 936 with header and padding");
	insns[2].k = 21;
	equal(ioctl(fd, BIOCSETF, &program), 0,
	      "BIOCSETF of the filter that keeps 21 bytes again succeeds");

	/* A frame cut for one descriptor is whole for another. */
	other = listen_on("eth0", 4096, O_RDWR | O_NONBLOCK);
	insns[2].k = 700;
	equal(ioctl(other, BIOCSETF, &program), 0,
	      "BIOCSETF of a filter that keeps 700 bytes succeeds for another descriptor");
	send_frames("eth1", 6, 1, 1000);
	await_received(other, 1);
	equal(read(fd, buf, 4096), 56,
	      "two filters: the first descriptor gets 21 bytes");
	equal(read(other, buf, 4096), 736,
	      "two filters: the second descriptor gets 700 bytes");
	make_frame(&expected, 6, 1000);
	ok(!memcmp(packet_frame(h), &expected, 700),
	   "two filters: the 700 bytes are the frame's");
	close(other);
	close(fd);
}

int main(void)
{
	test_stream("eth0", "received");
	test_stream("eth1", "sent");
	await_crossing();
	test_two_listeners();
	test_earlier_packets();
	test_snaplen();
	return done_testing();
}
