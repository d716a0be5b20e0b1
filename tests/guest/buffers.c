// SPDX-License-Identifier: GPL-2.0-or-later
/* Store and hold buffer at their edges: exactly full, too small, out of room. */
#include "guest.h"

#define FULL	(8 * 128)	/* eight packets of 96 bytes fill it exactly */

static uint8_t buf[65536];

static uint32_t seq_at(size_t off)
{
	return ntohl(packet_frame((struct bpf_hdr *)(buf + off))->seq);
}

/* Frames of the test that both send and wait for their capture. */
static void fill(int fd, uint32_t first, unsigned int n, size_t len)
{
	uint64_t before = stats(fd).bs_capt;

	send_frames("eth0", first, n, len);
	if (stats(fd).bs_capt != before + n)
		bail("frames are missing");
}

static void test_exactly_full(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR);

	fill(fd, 0, 7, 96);
	ok(!readable(fd, 0), "room for one more: not readable [BPF-POLL-6]");
	fill(fd, 7, 1, 96);
	ok(readable(fd, 0), "exactly full: readable [BPF-INPUT-19]");
	equal(get(fd, FIONREAD), FULL, "exactly full: held [BPF-INPUT-19]");
	fill(fd, 8, 8, 96);
	equal(get(fd, FIONREAD), FULL,
	      "the store buffer is exactly full, too [BPF-INPUT-20]");
	equal(stats(fd).bs_drop, 0, "nothing was dropped for it");
	equal(read(fd, buf, FULL), FULL, "the first read");
	equal(seq_at(0), 0, "gives what was held");
	ok(readable(fd, 20000),
	   "the full store buffer was rotated by it [BPF-READ-22]");
	equal(read(fd, buf, FULL), FULL,
	      "the second read does not wait [BPF-READ-22]");
	equal(seq_at(7 * 128), 15, "and gives the rest in order");
	ok(!readable(fd, 0), "nothing is left");
	close(fd);
}

/* Not a byte too early, and not one too late. */
static void test_does_not_fit(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR);

	fill(fd, 0, 7, 96);
	fill(fd, 7, 1, 97);
	equal(get(fd, FIONREAD), 7 * 128,
	      "a packet too long by a byte rotates [BPF-INPUT-13]");
	equal(read(fd, buf, FULL), 7 * 128, "it is not split [BPF-INPUT-14]");
	fill(fd, 8, 6, 96);
	ok(!readable(fd, 0), "it is stored whole");
	set(fd, BIOCIMMEDIATE, 1);
	equal(read(fd, buf, FULL), 136 + 6 * 128, "before those after it");
	equal(((struct bpf_hdr *)buf)->bh_caplen, 97, "with all its bytes");
	close(fd);
}

static void test_cut(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);
	struct bpf_hdr *h = (struct bpf_hdr *)buf;
	struct frame f;

	make_frame(&f, 1, 1400);
	fill(fd, 0, 1, 60);
	fill(fd, 1, 1, 1400);
	equal(get(fd, FIONREAD), 96,
	      "a packet longer than a buffer does not take the rest of one [BPF-INPUT-7]");
	equal(read(fd, buf, FULL), 96, "the packet before it");
	equal(read(fd, buf, FULL), FULL, "it gets a whole buffer");
	equal(h->bh_caplen, FULL - 32, "and is cut to that [BPF-INPUT-7]");
	equal(h->bh_datalen, 1400, "its original length is told");
	ok(!memcmp(packet_frame(h), &f, FULL - 32), "its first bytes are there");
	close(fd);

	fd = listen_on("eth0", 32, O_RDWR | O_NONBLOCK);
	fill(fd, 0, 1, 60);
	equal(read(fd, buf, 32), 32,
	      "the smallest buffer: a header [BPF-INPUT-8]");
	equal(h->bh_caplen, 0, "without a packet");
	equal(h->bh_datalen, 60, "of the right length");
	close(fd);
}

/* A size that is no multiple of the alignment. */
static void test_odd_size(void)
{
	int fd = listen_on("eth0", 7 * 136 + 5, O_RDWR);

	fill(fd, 0, 7, 100);
	ok(readable(fd, 0), "an odd size: full when nothing can follow");
	equal(error_of(read(fd, buf, 7 * 136)), EINVAL, "another size is wrong");
	equal(read(fd, buf, 7 * 136 + 5), 7 * 136, "that size is right");
	close(fd);
}

static void test_drops(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);

	fill(fd, 0, 8, 96);
	fill(fd, 8, 7, 96);
	fill(fd, 15, 1, 97);
	equal(stats(fd).bs_drop, 1,
	      "no room in either: dropped [BPF-INPUT-10]");
	fill(fd, 16, 1, 96);
	equal(stats(fd).bs_drop, 1, "a shorter one still fits [BPF-INPUT-12]");
	fill(fd, 17, 1, 60);
	equal(stats(fd).bs_drop, 2, "until nothing does");
	equal(stats(fd).bs_capt, 18,
	      "dropped ones were accepted by the filter [CAP-DRV-FLT-2 BPF-INPUT-9]");
	equal(read(fd, buf, FULL), FULL,
	      "the held ones are untouched [BPF-INPUT-10]");
	equal(seq_at(7 * 128), 7, "to the last");
	fill(fd, 18, 1, 60);
	equal(stats(fd).bs_drop, 2, "a read makes room again");
	equal(read(fd, buf, FULL), FULL, "the stored ones are untouched");
	equal(seq_at(7 * 128), 16, "and in order");
	equal(read(fd, buf, FULL), 96, "then the new one");
	equal(seq_at(0), 18, "it is that");
	close(fd);
}

/* Frames that the filter rejects are counted as received, nothing else. */
static void test_rejected(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);
	struct frame f;
	uint64_t before;

	fill(fd, 0, 8, 96);
	fill(fd, 8, 8, 96);
	set(fd, BIOCIMMEDIATE, 1);
	before = stats(fd).bs_recv;
	make_frame(&f, 1, 100);
	f.type = htons(ETHERTYPE + 1);
	send_raw("eth0", &f, 100);
	ok(stats(fd).bs_recv > before,
	   "a rejected frame is received [BPF-INPUT-1]");
	equal(stats(fd).bs_capt, 16, "but not captured [BPF-INPUT-4]");
	equal(stats(fd).bs_drop, 0, "and no drop, though there is no room");
	close(fd);
	fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);
	set(fd, BIOCIMMEDIATE, 1);
	send_raw("eth0", &f, 100);
	stats(fd);
	ok(!readable(fd, 0), "it makes nothing readable [BPF-INPUT-4]");
	close(fd);
}

/* A read that finds a held buffer takes that only, in any mode. */
static void test_held_first(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);

	fill(fd, 0, 10, 96);
	equal(read(fd, buf, FULL), FULL,
	      "non-blocking: the held buffer first [BPF-READ-10]");
	equal(read(fd, buf, FULL), 2 * 128, "then the stored packets");
	fill(fd, 10, 10, 96);
	set(fd, BIOCIMMEDIATE, 1);
	equal(get(fd, FIONREAD), FULL,
	      "immediate: FIONREAD is the held buffer [BPF-FIONREAD-2]");
	equal(read(fd, buf, FULL), FULL,
	      "immediate: it is read first [BPF-READ-10]");
	equal(get(fd, FIONREAD), 2 * 128, "then FIONREAD is the store buffer");
	equal(read(fd, buf, FULL), 2 * 128, "which is read next");
	equal(seq_at(128), 19, "to the last packet");
	close(fd);
}

int main(void)
{
	test_exactly_full();
	test_does_not_fit();
	test_cut();
	test_odd_size();
	test_drops();
	test_rejected();
	test_held_first();
	return done_testing();
}
